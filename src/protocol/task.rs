//! From bytes to work for the hub: the one function that reactors and workers both parse with.

use crate::model::code::Code;
use crate::model::ids::ConnId;
use crate::model::name::ChannelName;
use crate::model::publication::Data;
use crate::model::refusal::Refusal;
use crate::model::request::{Item, PostOptions, RefusedItem, Request, Verb};
use crate::model::ticket::Ticket;
use crate::node::work::Work;
use crate::protocol::tidings::media::body_to_data;
use crate::protocol::tidings::parse::{Dialect, Parsed, parse_binary, parse_json_body, parse_text};
use crate::protocol::tidings::ticket::Form;
use crate::wire::json::JsonScratch;

/// What a connection may do (law 10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights {
    /// POST to channels.
    pub publish: bool,
    /// DELETE a history.
    pub administer: bool,
}

/// How to read a payload.
#[derive(Debug)]
pub enum Task {
    /// A text frame, valid UTF-8.
    Text(Dialect),
    /// A binary frame.
    Binary,
    /// The body of `POST /ws`, with its media type.
    PlainBody(Option<Box<str>>),
    /// The body of `POST /channels/{name}`.
    Publish(Box<HttpPublish>),
    /// No payload: the request is known already.
    Request(Box<Item>),
    /// No payload: a page about the server, which a worker makes.
    Page(Page),
}

/// A page about the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// `/metrics`.
    Metrics,
    /// `/channels`.
    Channels,
}

/// What the head of `POST /channels/{name}` says.
#[derive(Debug)]
pub struct HttpPublish {
    /// The channel.
    pub channel: ChannelName,
    /// The media type of the body.
    pub content_type: Option<Box<str>>,
    /// `?event=`.
    pub event: Option<Box<str>>,
    /// `Idempotency-Key`.
    pub key: Option<Box<str>>,
    /// `?exclude=`.
    pub exclude: Option<Box<str>>,
}

/// A task with its payload, wherever the payload lies.
#[derive(Debug)]
pub struct RawWork<P> {
    /// How the answer is wanted.
    pub ticket: Ticket,
    /// How to read the payload.
    pub task: Task,
    /// The payload.
    pub payload: P,
    /// Whose rights count.
    pub rights: Rights,
}

impl Task {
    /// Whether there is nothing to parse.
    #[must_use]
    pub fn is_parsed(&self) -> bool {
        matches!(self, Task::Request(_) | Task::Page(_))
    }

    /// Whether only a worker can do it.
    #[must_use]
    #[inline]
    pub fn is_page(&self) -> bool {
        matches!(self, Task::Page(_))
    }
}

impl<P: AsRef<[u8]>> RawWork<P> {
    /// Parses the payload. Never fails: what is wrong becomes the answer. What is no request goes to `plain_channel`.
    pub fn prepare(self, to: ConnId, scratch: &mut JsonScratch, plain_channel: &ChannelName) -> Work {
        let RawWork { ticket, task, payload, rights } = self;
        let payload = payload.as_ref();
        #[cfg(test)]
        crate::hub::mines::step_on("parse", payload);
        let form = Form::of(ticket);
        let asked = match task {
            Task::Text(dialect) => parse_text(payload, scratch, dialect),
            Task::Binary => parse_binary(payload, scratch),
            Task::PlainBody(content_type) => plain_body(content_type.as_deref(), payload, scratch),
            Task::Publish(publish) => Parsed::One(publish_item(*publish, payload, scratch)),
            Task::Request(item) => Parsed::One(*item),
            // Whoever is asked and is no worker has no pages.
            Task::Page(_) => Parsed::Refused(Refusal::new(Code::Busy, "this page is made elsewhere")),
        };
        work(to, form, asked, plain_channel).allowing(rights.publish, rights.administer)
    }
}

/// What was asked, as work whose answers have their form.
fn work(to: ConnId, form: Form, asked: Parsed, plain_channel: &ChannelName) -> Work {
    match asked {
        Parsed::PlainGet => Work::one(to, form.of_plain().ticket(), Ok(Request { id: None, verb: Verb::Livez })),
        Parsed::PlainPost(data) => {
            let post = PostOptions { data, event: None, key: None, exclude_self: false, exclude: None };
            let verb = Verb::Post { channel: plain_channel.clone(), post };
            Work::one(to, form.of_plain().ticket(), Ok(Request { id: None, verb }))
        }
        Parsed::One(item) => Work::one(to, form.ticket(), may_sign_in(item, form)),
        Parsed::Batch(items) => {
            let form = Form::Batch(u8::try_from(items.len()).unwrap_or(u8::MAX));
            Work::batch(to, form.ticket(), items.into_iter().map(|item| may_sign_in(item, form)).collect())
        }
        Parsed::Refused(refusal) => Work::one(to, form.ticket(), refused(refusal)),
    }
}

/// A request as it is, but for AUTH where it could not count: what follows it in a batch would be judged before it is, and
/// over HTTP nothing follows.
fn may_sign_in(item: Item, form: Form) -> Item {
    let message = match (&item, form) {
        (Ok(Request { verb: Verb::Auth { .. }, .. }), Form::Batch(_)) => {
            "send AUTH in a frame of its own, not in a batch"
        }
        (Ok(Request { verb: Verb::Auth { .. }, .. }), Form::Http) => {
            "AUTH is for sockets; over HTTP send \"Authorization: Bearer KEY\""
        }
        _ => return item,
    };
    let id = item.ok().and_then(|request| request.id);
    Err(RefusedItem { id, refusal: Refusal::new(Code::BadRequest, message) })
}

/// `POST /ws`: JSON follows the rules of frames; anything else is published as what it is. Nothing can be subscribed by
/// an exchange that ends with its answer, so every GET in it is a `once`.
fn plain_body(content_type: Option<&str>, body: &[u8], scratch: &mut JsonScratch) -> Parsed {
    let mut parsed = match body_to_data(content_type, body, scratch) {
        Ok(Data::Json(json)) => parse_json_body(&json, scratch, Dialect::Open),
        Ok(binary) => Parsed::PlainPost(binary),
        Err(refusal) => Parsed::Refused(refusal),
    };
    match &mut parsed {
        Parsed::One(item) => read_once(item),
        Parsed::Batch(items) => items.iter_mut().for_each(read_once),
        _ => {}
    }
    parsed
}

fn read_once(item: &mut Item) {
    if let Ok(Request { verb: Verb::Get { options, .. }, .. }) = item {
        options.once = true;
    }
}

fn publish_item(publish: HttpPublish, body: &[u8], scratch: &mut JsonScratch) -> Item {
    let HttpPublish { channel, content_type, event, key, exclude } = publish;
    match body_to_data(content_type.as_deref(), body, scratch) {
        Ok(data) => Ok(Request {
            id: None,
            verb: Verb::Post { channel, post: PostOptions { data, event, key, exclude_self: false, exclude } },
        }),
        Err(refusal) => refused(refusal),
    }
}

fn refused(refusal: Refusal) -> Item {
    Err(RefusedItem { id: None, refusal })
}

#[cfg(test)]
mod tests {
    use super::{RawWork, Rights, Task};
    use crate::model::ids::{ConnId, MailboxId};
    use crate::model::name::ChannelName;
    use crate::model::publication::Data;
    use crate::model::request::{Item, Request, Verb};
    use crate::protocol::tidings::parse::Dialect;
    use crate::protocol::tidings::ticket::Form;
    use crate::wire::json::JsonScratch;

    /// What a payload becomes: the form of its answers, and its requests.
    fn read(form: Form, task: Task, payload: &str) -> (Form, Vec<Item>) {
        let rights = Rights { publish: true, administer: false };
        let raw = RawWork { ticket: form.ticket(), task, payload: payload.as_bytes(), rights };
        let inbox = ChannelName::new("letters").expect("a name");
        let work = raw.prepare(ConnId::here(MailboxId(1), 2, 3), &mut JsonScratch::default(), &inbox);
        assert!(work.may_publish && !work.may_administer);
        (Form::of(work.ticket), work.into_items())
    }

    fn text(payload: &str) -> (Form, Vec<Item>) {
        read(Form::Text, Task::Text(Dialect::Open), payload)
    }

    #[test]
    fn plain_frames_are_answered_in_their_own_form_and_publish_to_the_plain_channel() {
        let (form, items) = text("GET");
        assert!(form == Form::Plain && matches!(&items[..], [Ok(Request { id: None, verb: Verb::Livez })]));
        for (form, plain, task) in
            [(Form::Text, Form::Plain, Task::Text(Dialect::Open)), (Form::Http, Form::HttpPlain, Task::PlainBody(None))]
        {
            let (form, items) = read(form, task, "{\"a\":1}");
            let [Ok(Request { id: None, verb: Verb::Post { channel, post } })] = &items[..] else {
                panic!("{items:?}")
            };
            assert_eq!((form, &**channel, &post.data), (plain, "letters", &Data::Json("{\"a\":1}".into())));
        }
    }

    #[test]
    fn a_batch_knows_how_many_it_is() {
        let (form, items) = text(r#"[{"method":"GET","path":"/livez"},{"method":"GET","path":"/livez"}]"#);
        assert_eq!((form, items.len()), (Form::Batch(2), 2));
    }

    #[test]
    fn auth_counts_only_in_a_frame_of_its_own() {
        let auth = r#"{"id":4,"method":"AUTH","token":"x"}"#;
        assert!(matches!(&text(auth).1[..], [Ok(Request { verb: Verb::Auth { .. }, .. })]));
        let refused = |(_, items): (Form, Vec<Item>)| {
            let [Err(refused)] = &items[..] else { panic!("{items:?}") };
            (refused.id.clone(), refused.refusal.label(), refused.refusal.message.to_string())
        };
        let (id, label, message) = refused(text(&format!("[{auth}]")));
        assert!(id.is_some() && label == "bad_request" && message.contains("not in a batch"), "{message}");
        let (id, label, message) = refused(read(Form::Http, Task::PlainBody(None), auth));
        assert!(id.is_some() && label == "bad_request" && message.contains("Authorization"), "{message}");
    }
}
