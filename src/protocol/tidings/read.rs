//! Requests out of payloads: frames of a socket, bodies of POSTs.

use super::media::body_to_data;
use super::options::refused;
use super::parse::{Dialect, Parsed, parse_binary, parse_json_body, parse_text};
use super::ticket::Form;
use crate::model::code::Code;
use crate::model::name::ChannelName;
use crate::model::publication::{Data, Position};
use crate::model::refusal::Refusal;
use crate::model::request::{Item, PostOptions, RareOptions, RefusedItem, Request, Verb};
use crate::protocol::task::{Body, Reading, Requests};
use crate::wire::frame::Kind;

/// Reads a message of a socket.
// Requests are large, and each function that is not inlined copies them.
#[inline(always)]
pub(in crate::protocol) fn message(
    kind: Kind,
    dialect: Dialect,
    payload: &[u8],
    reading: &mut Reading<'_>,
) -> Requests {
    match kind {
        Kind::Text => requests(Form::Text, parse_text(payload, reading.scratch, dialect), reading),
        Kind::Binary => requests(Form::Binary, parse_binary(payload, reading.scratch), reading),
    }
}

/// What the head of `POST /channels/{name}` says.
#[derive(Debug)]
pub(super) struct HttpPublish {
    pub(super) channel: ChannelName,
    /// The media type of the body.
    pub(super) content_type: Option<Box<str>>,
    /// `?event=`.
    pub(super) event: Option<Box<str>>,
    /// `Idempotency-Key`.
    pub(super) key: Option<Box<str>>,
    /// `?exclude=`.
    pub(super) exclude: Option<Box<str>>,
    /// `If-Match`.
    pub(super) if_match: Option<Position>,
}

impl Body for HttpPublish {
    fn read(self: Box<Self>, payload: &[u8], reading: &mut Reading<'_>) -> Requests {
        let HttpPublish { channel, content_type, event, key, exclude, if_match } = *self;
        let item = match body_to_data(content_type.as_deref(), payload, reading.scratch) {
            Ok(data) => {
                let rare = RareOptions { exclude, if_match }.boxed();
                let post = PostOptions { data, event, key, exclude_self: false, rare };
                Ok(Request { id: None, verb: Verb::Post { channel, post } })
            }
            Err(refusal) => refused(refusal),
        };
        Requests::One(Form::Http.ticket(), item)
    }
}

/// The body of `POST /ws`, with its media type: JSON follows the rules of frames; anything else is published as what it is.
#[derive(Debug)]
pub(super) struct PlainBody(pub(super) Option<Box<str>>);

impl Body for PlainBody {
    fn read(self: Box<Self>, payload: &[u8], reading: &mut Reading<'_>) -> Requests {
        let parsed = match body_to_data(self.0.as_deref(), payload, reading.scratch) {
            // Read again: its media type says whether it is JSON, and only JSON can be requests.
            Ok(Data::Json(json)) => parse_json_body(&json, reading.scratch, Dialect::Open),
            Ok(binary) => Parsed::PlainPost(binary),
            Err(refusal) => Parsed::Refused(refusal),
        };
        let mut requests = requests(Form::HttpAsSocket, parsed, reading);
        // Nothing can be subscribed by an exchange that ends with its answer, so every GET in it is a `once`.
        requests.items_mut().iter_mut().for_each(read_once);
        requests
    }
}

fn read_once(item: &mut Item) {
    if let Ok(Request { verb: Verb::Get { options, .. }, .. }) = item {
        options.once = true;
    }
}

/// What was read, as requests whose answers have their form.
#[inline(always)]
fn requests(form: Form, parsed: Parsed, reading: &Reading<'_>) -> Requests {
    match parsed {
        Parsed::One(mut item) => {
            check_sign_in(&mut item, form);
            Requests::One(form.ticket(), item)
        }
        Parsed::Batch(mut items) => {
            // Fits: the parser refuses more than `BATCH_REQUESTS_MAX` (100).
            let batch = Form::Batch(u8::try_from(items.len()).unwrap_or(u8::MAX));
            // Over HTTP a frame of its own would not help either.
            let place = if form == Form::HttpAsSocket { form } else { batch };
            items.iter_mut().for_each(|item| check_sign_in(item, place));
            Requests::Batch(batch.ticket(), items)
        }
        Parsed::Refused(refusal) => Requests::One(form.ticket(), refused(refusal)),
        Parsed::PlainGet => plain(form, Verb::Livez),
        Parsed::PlainPost(data) => {
            let post = PostOptions::of(data);
            plain(form, Verb::Post { channel: reading.settings.plain_channel.clone(), post })
        }
    }
}

fn plain(form: Form, verb: Verb) -> Requests {
    Requests::One(form.of_plain().ticket(), Ok(Request { id: None, verb }))
}

/// Refuses AUTH where it could not count: what follows it in a batch would be judged before it is, and over HTTP nothing
/// follows.
#[inline]
fn check_sign_in(item: &mut Item, form: Form) {
    if let Ok(Request { verb: Verb::Auth { .. }, .. }) = item {
        refuse_sign_in(item, form);
    }
}

#[cold]
fn refuse_sign_in(item: &mut Item, form: Form) {
    let message = match form {
        Form::Batch(_) => "send AUTH in a frame of its own, not in a batch",
        Form::HttpAsSocket => "AUTH is for sockets; over HTTP send \"Authorization: Bearer KEY\"",
        _ => return,
    };
    let id = item.as_mut().ok().and_then(|request| request.id.take());
    *item = Err(RefusedItem { id, refusal: Refusal::new(Code::BadRequest, message) });
}

#[cfg(test)]
mod tests {
    use super::{PlainBody, message};
    use crate::config::Config;
    use crate::model::name::ChannelName;
    use crate::model::publication::Data;
    use crate::model::request::{Item, Request, Verb};
    use crate::protocol::scope::Settings;
    use crate::protocol::task::{Body, Reading, Requests};
    use crate::protocol::tidings::parse::Dialect;
    use crate::protocol::tidings::ticket::Form;
    use crate::wire::frame::Kind;
    use crate::wire::json::JsonScratch;

    fn read(read: impl FnOnce(&mut Reading<'_>) -> Requests) -> (Form, Vec<Item>) {
        let plain_channel = ChannelName::new("letters").expect("a name");
        let settings = Settings { plain_channel, ..Settings::new(&Config::default()) };
        let mut requests = read(&mut Reading { scratch: &mut JsonScratch::default(), settings: &settings });
        let form = Form::of(requests.ticket());
        (form, requests.items_mut().to_vec())
    }

    fn text(payload: &str) -> (Form, Vec<Item>) {
        read(|reading| message(Kind::Text, Dialect::Open, payload.as_bytes(), reading))
    }

    fn body(payload: &str) -> (Form, Vec<Item>) {
        read(|reading| Box::new(PlainBody(None)).read(payload.as_bytes(), reading))
    }

    #[test]
    fn plain_frames_are_answered_in_their_own_form_and_publish_to_the_plain_channel() {
        let (form, items) = text("GET");
        assert!(form == Form::Plain && matches!(&items[..], [Ok(Request { id: None, verb: Verb::Livez })]));
        for ((form, items), plain) in [(text("{\"a\":1}"), Form::Plain), (body("{\"a\":1}"), Form::HttpPlain)] {
            let [Ok(Request { id: None, verb: Verb::Post { channel, post } })] = &items[..] else {
                panic!("{items:?}")
            };
            assert_eq!((form, &**channel, &post.data), (plain, "letters", &Data::Json("{\"a\":1}".into())));
        }
    }

    #[test]
    fn a_batch_knows_how_many_it_is() {
        let batch = r#"[{"method":"GET","path":"/livez"},{"method":"GET","path":"/channels/a"}]"#;
        for ((form, items), reads_once) in [(text(batch), false), (body(batch), true)] {
            assert_eq!((form, items.len()), (Form::Batch(2), 2));
            let Ok(Request { verb: Verb::Get { options, .. }, .. }) = &items[1] else { panic!("{items:?}") };
            assert_eq!(options.once, reads_once, "an exchange over HTTP subscribes to nothing");
        }
    }

    #[test]
    fn auth_counts_only_in_a_frame_of_its_own() {
        let auth = r#"{"id":4,"method":"AUTH","token":"x"}"#;
        assert!(matches!(&text(auth).1[..], [Ok(Request { verb: Verb::Auth { .. }, .. })]));
        let batch = format!("[{auth}]");
        // What a frame of a batch is told would not help over HTTP.
        let cases = [(text(&batch), "not in a batch"), (body(auth), "Authorization"), (body(&batch), "Authorization")];
        for ((_, items), said) in cases {
            let [Err(refused)] = &items[..] else { panic!("{items:?}") };
            assert!(refused.id.is_some() && refused.refusal.label() == "bad_request");
            assert!(refused.refusal.message.contains(said), "{}", refused.refusal.message);
        }
    }
}
