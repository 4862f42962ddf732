//! Questions of one node to all others, and their answers: published, not kept, since nobody waits for them for long.
//!
//! ```text
//! PREFIX:ask!       NODE ' ' NUMBER ' ' question     to all nodes
//! PREFIX:ask!NODE   NODE ' ' NUMBER ' ' answer       to the one that asked, from the one that answers
//! ```

use crate::handoff::others::{Asker, FromThere, Survey, SurveyReply};
use crate::model::survey::NodeAnswer;
use crossbeam_channel::{Receiver, Sender};
use std::collections::HashMap;
use std::time::Instant;

/// The longest answer: a page of a thousand connections with long names.
pub(super) const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// The longest question: a page's filters.
const QUESTION_BYTES_MAX: usize = 16 * 1024;

/// See the module.
pub(super) struct Surveys {
    asked: Receiver<Survey>,
    replied: Receiver<SurveyReply>,
    there: Sender<FromThere>,
    /// Those that wait for answers, by their numbers.
    open: HashMap<u64, Survey>,
    last: u64,
}

/// What is to be published: on this node's feed of answers, or, with none, on that of questions.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) to: Option<Box<str>>,
    pub(super) payload: Vec<u8>,
}

impl Surveys {
    pub(super) fn new(asked: Receiver<Survey>, replied: Receiver<SurveyReply>, there: Sender<FromThere>) -> Surveys {
        Surveys { asked, replied, there, open: HashMap::new(), last: 0 }
    }

    /// What this node says next, if it has something to say.
    pub(super) fn next(&mut self, own: &str, now: Instant) -> Option<Said> {
        self.open.retain(|_, survey| survey.until > now);
        if let Ok(SurveyReply { to: Asker { node, serial }, body }) = self.replied.try_recv() {
            return Some(Said { to: Some(node), payload: written(own, serial, &body) });
        }
        let survey = self.asked.try_iter().find(|survey| survey.until > now)?;
        self.last += 1;
        let payload = written(own, self.last, &survey.question);
        self.open.insert(self.last, survey);
        Some(Said { to: None, payload })
    }

    /// Takes a question of another node. False when it is none.
    pub(super) fn question(&self, own: &str, payload: &[u8]) -> bool {
        let Some((by, serial, question)) = read(payload) else { return false };
        if by != own && question.len() <= QUESTION_BYTES_MAX {
            let asker = Asker { node: by.into(), serial };
            // Where very many wait already, whoever asks hears nothing.
            let _ = self.there.try_send(FromThere::Ask(asker, question.into()));
        }
        true
    }

    /// Takes an answer of another node. False when it is none.
    pub(super) fn answer(&self, payload: &[u8]) -> bool {
        let Some((node, serial, body)) = read(payload) else { return false };
        // Nobody waits for it any more, or it is read no longer.
        if let Some(survey) = self.open.get(&serial)
            && body.len() <= ANSWER_BYTES_MAX
        {
            let _ = survey.answers.try_send(NodeAnswer { node: node.into(), body: body.into() });
        }
        true
    }
}

fn written(node: &str, serial: u64, body: &[u8]) -> Vec<u8> {
    [format!("{node} {serial} ").as_bytes(), body].concat()
}

fn read(payload: &[u8]) -> Option<(&str, u64, &[u8])> {
    let mut parts = payload.splitn(3, |byte| *byte == b' ');
    let node = std::str::from_utf8(parts.next()?).ok().filter(|node| is_name(node))?;
    let serial = std::str::from_utf8(parts.next()?).ok()?.parse().ok()?;
    Some((node, serial, parts.next()?))
}

/// Whether a node may be called so: it becomes a part of a feed's name.
fn is_name(node: &str) -> bool {
    (1..=32).contains(&node.len()) && node.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::{Said, Surveys};
    use crate::handoff::others::{Asker, FromThere, Others, SurveyReply};
    use crossbeam_channel::unbounded;
    use std::time::{Duration, Instant};

    #[test]
    fn a_question_is_asked_once_and_answered_until_nobody_waits() {
        let (others, from_here) = Others::new();
        let (there, asked) = unbounded();
        let mut surveys = Surveys::new(from_here.surveys, from_here.replies, there);
        let (now, own) = (Instant::now(), "n1");
        let until = now + Duration::from_secs(1);
        let answers = others.ask(Box::from(&b"how many?"[..]), until).expect("room");
        let said = surveys.next(own, now).expect("a question");
        assert_eq!(said, Said { to: None, payload: b"n1 1 how many?".to_vec() });
        assert_eq!(surveys.next(own, now), None);
        // One's own comes back too.
        assert!(surveys.question(own, &said.payload) && asked.is_empty());
        assert!(surveys.question("n2", &said.payload));
        let asker = Asker { node: "n1".into(), serial: 1 };
        assert_eq!(asked.try_recv(), Ok(FromThere::Ask(asker.clone(), Box::from(&b"how many?"[..]))));
        others.answer(SurveyReply { to: asker, body: Box::from(&b"three of them"[..]) }).expect("room");
        let said = surveys.next("n2", now).expect("an answer");
        assert_eq!(said, Said { to: Some("n1".into()), payload: b"n2 1 three of them".to_vec() });
        assert!(surveys.answer(&said.payload));
        let answer = answers.try_recv().expect("an answer");
        assert_eq!((&*answer.node, &*answer.body), ("n2", &b"three of them"[..]));
        // Later, and to a question that nobody asked.
        assert_eq!(surveys.next(own, until), None);
        assert!(surveys.answer(&said.payload) && surveys.answer(b"n2 7 what?") && answers.is_empty());
        // One that nobody waits for any more is not asked.
        drop(others.ask(Box::from(&b"late"[..]), until).expect("room"));
        assert_eq!(surveys.next(own, until), None);
    }

    #[test]
    fn other_bytes_are_neither_questions_nor_answers() {
        let (_others, from_here) = Others::new();
        let (there, asked) = unbounded();
        let surveys = Surveys::new(from_here.surveys, from_here.replies, there);
        for bytes in [&b""[..], b"n1", b"n1 1", b"n1 x y", b" 1 y", b"n\xff 1 y", b"a/b 1 y", &[b'n'; 40]] {
            assert!(!surveys.question("n2", bytes) && !surveys.answer(bytes), "{bytes:?}");
        }
        let long = [&b"n1 1 "[..], &vec![b'x'; super::QUESTION_BYTES_MAX + 1]].concat();
        assert!(surveys.question("n2", &long) && asked.is_empty());
    }
}
