//! Lists of a whole cluster: every node is asked at once, and this one makes one list of what they say in time.

use super::operations::Operations;
use super::pages::{LISTED_MAX, Pages};
use crate::handoff::others::{Asker, FromThere, Others, SurveyReply};
use crate::model::cluster::Cluster;
use crate::model::code::Code;
use crate::model::operation::Listing;
use crate::model::refusal::Refusal;
use crate::model::survey::{NodeAnswer, Question};
use crate::node::answer::Answer;
use crate::protocol::admin::gathered::Gathered;
use crate::protocol::admin::question;
use crate::protocol::admin::reply::Page;
use arc_swap::ArcSwap;
use std::cmp::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the other nodes have to answer: longer than a node waits for its reactors.
const WAIT: Duration = Duration::from_millis(1500);

/// The cluster that this server is a node of.
#[derive(Clone)]
pub struct Everywhere {
    /// The way to the others.
    pub others: Others,
    /// Which there are.
    pub cluster: Arc<ArcSwap<Cluster>>,
}

/// Does what other nodes want of this one.
pub struct FromElsewhere {
    /// What operators ask of all nodes is done here too.
    pub operations: Operations,
    /// The lists that this node makes of itself.
    pub pages: Pages,
    /// Where its answers go.
    pub everywhere: Everywhere,
}

/// What a node says of itself alone.
pub(super) fn own_answer(
    question: &Question,
    node: &str,
    operations: &Operations,
    pages: &Pages,
) -> Result<Vec<u8>, Refusal> {
    match question {
        Question::Channels => Ok(pages.channels()),
        Question::Connections { from, listing } => {
            let order = from.as_deref().map_or(Ordering::Greater, |from| node.cmp(from));
            // The page before ended with a connection of the node that it is from, and had all of those before that.
            let page = match order {
                Ordering::Less => Ok(Page::default().raw_list("connections", &[])),
                Ordering::Equal => operations.list(listing, Some(node)),
                Ordering::Greater => operations.list(&Listing { after: None, ..listing.clone() }, Some(node)),
            };
            page.map(Page::body)
        }
    }
}

impl Everywhere {
    /// A page of the connections of all nodes.
    pub(super) fn connections(
        &self,
        listing: &Listing,
        operations: &Operations,
        pages: &Pages,
    ) -> Result<Vec<u8>, Refusal> {
        let (from, after) = match listing.after.as_deref().map(|place| place.split_once('.')) {
            Some(Some((node, name))) => (Some(node.into()), Some(name.into())),
            Some(None) => {
                let message = "after is no place in a list of several nodes: those are as \"next\" of the page before";
                return Err(Refusal::new(Code::BadRequest, message));
            }
            None => (None, None),
        };
        let question = Question::Connections { from, listing: Listing { after, ..listing.clone() } };
        let gathered = self.gather(&question, operations, pages)?;
        Ok(gathered.connections(listing.max).body())
    }

    /// The channels of all nodes.
    pub(super) fn channels(&self, operations: &Operations, pages: &Pages) -> Result<Vec<u8>, Refusal> {
        Ok(self.gather(&Question::Channels, operations, pages)?.channels(LISTED_MAX).body())
    }

    fn gather(&self, question: &Question, operations: &Operations, pages: &Pages) -> Result<Gathered, Refusal> {
        let (cluster, until) = (self.cluster.load_full(), Instant::now() + WAIT);
        let own = |mut gathered: Gathered| {
            let body = own_answer(question, &cluster.node, operations, pages)?;
            gathered.add(NodeAnswer { node: cluster.node.as_str().into(), body: body.into() });
            Ok(gathered)
        };
        if !cluster.is_up {
            return own(Gathered::alone());
        }
        let Ok(answers) = self.others.ask(question::write(question).into(), until) else {
            return own(Gathered::alone());
        };
        // While the others answer.
        let mut gathered = own(Gathered::default())?;
        let silent = |gathered: &Gathered| cluster.nodes.iter().any(|node| !gathered.has(&node.id));
        while silent(&gathered)
            && let Ok(answer) = answers.recv_deadline(until)
        {
            gathered.add(answer);
        }
        for node in &cluster.nodes {
            if !gathered.has(&node.id) {
                gathered.misses(node.id.as_str().into());
            }
        }
        Ok(gathered)
    }
}

impl FromElsewhere {
    /// Works until nobody can want anything any more. `now_s` says what time it is, in seconds since 1970.
    pub fn run(self, from_there: impl IntoIterator<Item = FromThere>, now_s: impl Fn() -> u64) {
        for wanted in from_there {
            match wanted {
                FromThere::Do(operation) => {
                    // What it finds here is logged; whoever asked is answered by the node that was asked.
                    if let Answer::Refused(refusal) = self.operations.perform(&operation, now_s()) {
                        log::warn!(event = "control_refused"; "another node asked for something that this one refuses: {}", refusal.message);
                    }
                }
                FromThere::Ask(asker, text) => self.answer(asker, &text),
            }
        }
    }

    /// What cannot be answered is answered with nothing: whoever asked names this node as one that is missing.
    fn answer(&self, asker: Asker, text: &[u8]) {
        let node = &self.everywhere.cluster.load().node;
        let Some(question) = question::read(text) else { return };
        match own_answer(&question, node, &self.operations, &self.pages) {
            // Where very many wait already, there is nobody who reads them all.
            Ok(body) => drop(self.everywhere.others.answer(SurveyReply { to: asker, body: body.into() })),
            Err(refusal) => {
                log::warn!(event = "survey_refused"; "another node asked for a list that this one refuses: {}", refusal.message);
            }
        }
    }
}
