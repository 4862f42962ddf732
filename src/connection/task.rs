//! From bytes to work for the hub: the one function that reactors and workers both parse with.

use super::Hold;
use crate::hub::execute::Work;
use crate::hub::post::{Answer, ConnId, Form, Reply};
use crate::wire::json::JsonScratch;
use crate::wire::media::body_to_data;
use crate::wire::parse::{Dialect, parse_binary, parse_json_body, parse_text};
use crate::wire::refusal::Refusal;
use crate::wire::request::{ChannelName, Item, Parsed, PostOptions, RefusedItem, Request, Verb};

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
    /// In which form the answer is wanted; batches choose theirs item by item.
    pub form: Form,
    /// How to read the payload.
    pub task: Task,
    /// The payload.
    pub payload: P,
    /// Whose rights count.
    pub rights: Rights,
}

/// What a payload came to.
#[derive(Debug)]
pub enum Prepared {
    /// Work for the hub.
    Work(Box<Work>),
    /// Answered already.
    Answer(Box<Reply>),
}

impl Prepared {
    /// How many answers will come of it.
    #[must_use]
    pub fn answers(&self) -> usize {
        match self {
            Prepared::Work(work) => work.items.len().max(1),
            Prepared::Answer(_) => 1,
        }
    }
}

impl Task {
    /// Whether there is nothing to parse.
    #[must_use]
    pub fn is_parsed(&self) -> bool {
        matches!(self, Task::Request(_))
    }
}

/// What a connection has to wait for after this work: answers that can be long come one at a time.
#[must_use]
pub fn hold_for(work: &Work) -> Hold {
    let long = |item: &Item| match item {
        Ok(Request { verb: Verb::Get { options, .. }, .. }) => {
            options.once || options.since.is_some() || options.last.is_some()
        }
        _ => false,
    };
    if work.batch || work.items.iter().any(long) { Hold::Answers } else { Hold::No }
}

impl<P: AsRef<[u8]>> RawWork<P> {
    /// Parses the payload. Never fails: what is wrong becomes the answer.
    pub fn prepare(self, to: ConnId, scratch: &mut JsonScratch) -> Prepared {
        let RawWork { form, task, payload, rights } = self;
        let payload = payload.as_ref();
        let work = match task {
            Task::Text(dialect) => return from_parsed(parse_text(payload, scratch, dialect), to, form, rights),
            Task::Binary => return from_parsed(parse_binary(payload, scratch), to, form, rights),
            Task::PlainBody(content_type) => {
                return from_parsed(plain_body(content_type.as_deref(), payload, scratch), to, form, rights);
            }
            Task::Publish(publish) => Work::one(to, form, publish_item(*publish, payload, scratch)),
            Task::Request(item) => Work::one(to, form, *item),
        };
        with_rights(work, rights)
    }
}

fn from_parsed(parsed: Parsed, to: ConnId, form: Form, rights: Rights) -> Prepared {
    let plain = if form == Form::Http { Form::HttpPlain } else { Form::Plain };
    let work = match parsed {
        Parsed::PlainGet => {
            return Prepared::Answer(Box::new(Reply { to, form: plain, id: None, answer: Answer::PlainGet }));
        }
        Parsed::PlainPost(data) => Work::plain_post(to, plain, data),
        Parsed::One(item) => Work::one(to, form, item),
        Parsed::Batch(items) => Work::batch(to, items),
        Parsed::Refused(refusal) => Work::one(to, form, refused(refusal)),
    };
    with_rights(work, rights)
}

fn with_rights(mut work: Work, rights: Rights) -> Prepared {
    work.may_publish = rights.publish;
    work.may_administer = rights.administer;
    Prepared::Work(Box::new(work))
}

/// `POST /ws`: JSON follows the rules of frames, a form is a plain POST of what it says.
fn plain_body(content_type: Option<&str>, body: &[u8], scratch: &mut JsonScratch) -> Parsed {
    match body_to_data(content_type, body, scratch) {
        Ok(crate::wire::publication::Data::Json(json)) => parse_json_body(&json, scratch, Dialect::Open),
        Ok(binary) => Parsed::PlainPost(binary),
        Err(refusal) => Parsed::Refused(refusal),
    }
}

fn publish_item(publish: HttpPublish, body: &[u8], scratch: &mut JsonScratch) -> Item {
    let HttpPublish { channel, content_type, event, key, exclude } = publish;
    match body_to_data(content_type.as_deref(), body, scratch) {
        Ok(data) => Ok(Request {
            id: None,
            verb: Verb::Post { channel, post: Box::new(PostOptions { data, event, key, exclude_self: false, exclude }) },
        }),
        Err(refusal) => refused(refusal),
    }
}

fn refused(refusal: Refusal) -> Item {
    Err(RefusedItem { id: None, refusal })
}
