//! From bytes to work for the hub: the one function that reactors and workers both parse with.

use crate::access::Hooks;
use crate::hub::post::Form;
use crate::hub::work::Work;
use crate::model::code::Code;
use crate::model::ids::ConnId;
use crate::model::name::ChannelName;
use crate::model::publication::Data;
use crate::model::refusal::Refusal;
use crate::model::request::{Item, Parsed, PostOptions, RefusedItem, Request, Verb};
use crate::protocol::tidings::media::body_to_data;
use crate::protocol::tidings::parse::{Dialect, parse_binary, parse_json_body, parse_text};
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
    /// In which form the answer is wanted; batches choose theirs item by item.
    pub form: Form,
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
    /// Parses the payload. Never fails: what is wrong becomes the answer.
    pub fn prepare(self, to: ConnId, scratch: &mut JsonScratch) -> Work {
        let RawWork { form, task, payload, rights } = self;
        let payload = payload.as_ref();
        #[cfg(test)]
        crate::hub::mines::step_on("parse", payload);
        let work = match task {
            Task::Text(dialect) => Work::parsed(to, form, parse_text(payload, scratch, dialect)),
            Task::Binary => Work::parsed(to, form, parse_binary(payload, scratch)),
            Task::PlainBody(content_type) => {
                Work::parsed(to, form, plain_body(content_type.as_deref(), payload, scratch))
            }
            Task::Publish(publish) => Work::one(to, form, publish_item(*publish, payload, scratch)),
            Task::Request(item) => Work::one(to, form, *item),
            // Whoever is asked and is no worker has no pages.
            Task::Page(_) => Work::one(to, form, refused(Refusal::new(Code::Busy, "this page is made elsewhere"))),
        };
        work.allowing(rights.publish, rights.administer)
    }
}

/// Asks the callbacks of the embedding program about each request that may be carried out otherwise.
#[inline]
pub fn ask_hooks(work: &mut Work, hooks: &Hooks, plain_channel: &str) {
    if hooks.judge_requests() {
        ask_each(work, hooks, plain_channel);
    }
}

#[cold]
fn ask_each(work: &mut Work, hooks: &Hooks, plain_channel: &str) {
    let may_publish = work.may_publish;
    work.refuse_where(|asked| match asked {
        Ok(Verb::Get { channel, options }) => hooks.may_read(channel, !options.once),
        Ok(Verb::Post { channel, post }) if may_publish => hooks.may_write(channel, post.event.as_deref(), &post.data),
        Err(data) if may_publish => hooks.may_write(plain_channel, None, data),
        _ => Ok(()),
    });
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
