//! Everything a client receives in JSON: pushes, answers on the socket, and the bodies of HTTP answers.
//!
//! Each function appends to `out` and writes no white space and no control character, so that a line of it stays a line.

use super::parse::BATCH_REQUESTS_MAX;
use crate::model::code::Code;
use crate::model::publication::{Data, Position, PublicationView};
use crate::model::refusal::Refusal;
use crate::model::request::RequestId;
use crate::protocol::scope::Settings;
use crate::wire::json::text::{write_number, write_string};
use data_encoding::BASE64;

/// What the answer to a GET says besides its publications.
#[derive(Debug, Clone, Copy)]
pub struct ReadAnswer<'a> {
    /// The channel's name, decoded.
    pub channel: &'a str,
    /// Where the channel is.
    pub position: Position,
    /// Whether everything after the client's position is here; `None` when it named none.
    pub recovered: Option<bool>,
    /// The public name of the connection that asks; `None` leaves it out.
    pub connection: Option<&'a str>,
}

/// A push as a text frame: `{"channel","offset"[,"event"][,"time"],"data"}`, binary data as `"content_type","data_base64"`.
pub fn push_json(out: &mut Vec<u8>, view: &PublicationView<'_>) {
    out.push(b'{');
    channel_member(out, view.channel);
    out.push(b',');
    item_members(out, view);
    out.push(b'}');
}

/// A push as a binary frame: `{"channel","offset"[,"event"][,"time"],"content_type"}`, a line feed, the bytes.
///
/// For binary publications only; a JSON publication stays text for all readers, so it is written as [`push_json`] does.
pub fn push_binary(out: &mut Vec<u8>, view: &PublicationView<'_>) {
    let Data::Binary { bytes, content_type } = view.data else {
        return push_json(out, view);
    };
    out.push(b'{');
    channel_member(out, view.channel);
    out.push(b',');
    label_members(out, view);
    text_member(out, b",\"content_type\":", content_type);
    out.extend_from_slice(b"}\n");
    out.extend_from_slice(bytes);
}

/// A publication inside an answer's `publications`: as [`push_json`], without the channel.
pub fn item_json(out: &mut Vec<u8>, view: &PublicationView<'_>) {
    out.push(b'{');
    item_members(out, view);
    out.push(b'}');
}

/// Tells a subscriber that the channel's continuity was lost, and where it goes on: `{"channel","epoch","offset","reset":true}`.
pub fn reset_json(out: &mut Vec<u8>, channel: &str, position: &Position) {
    out.push(b'{');
    channel_member(out, channel);
    text_member(out, b",\"epoch\":", position.epoch.as_str());
    number_member(out, b",\"offset\":", position.offset);
    out.extend_from_slice(b",\"reset\":true}");
}

/// Tells a subscriber of a publication that it does not get: `{"channel","offset","excluded":true}`.
pub fn excluded_json(out: &mut Vec<u8>, channel: &str, offset: u64) {
    out.push(b'{');
    channel_member(out, channel);
    out.extend_from_slice(b",\"offset\":");
    write_number(out, offset);
    out.extend_from_slice(b",\"excluded\":true}");
}

/// Tells a subscriber that its subscription has ended: `{"channel","ended":true,"status","error":{"code","message"}}`.
pub fn ended_json(out: &mut Vec<u8>, channel: &str, refusal: &Refusal) {
    out.push(b'{');
    channel_member(out, channel);
    out.extend_from_slice(b",\"ended\":true,\"status\":");
    write_number(out, u64::from(refusal.status()));
    text_member(out, b",\"error\":{\"code\":", refusal.label());
    text_member(out, b",\"message\":", &refusal.message);
    out.extend_from_slice(b"}}");
}

/// Tells a client that its token expires soon: `{"auth":"expiring","in":60}`.
pub fn expiring_json(out: &mut Vec<u8>, in_s: u64) {
    out.extend_from_slice(b"{\"auth\":\"expiring\",\"in\":");
    write_number(out, in_s);
    out.push(b'}');
}

/// Tells a client when to open another connection, since this server ends: `{"reconnect":"server_shutdown","after_ms":4183}`.
pub fn reconnect_json(out: &mut Vec<u8>, after_ms: u64) {
    text_member(out, b"{\"reconnect\":", Code::ServerShutdown.label());
    out.extend_from_slice(b",\"after_ms\":");
    write_number(out, after_ms);
    out.push(b'}');
}

/// The answer to GET `/channels/{name}` on the socket.
pub fn answer_read<'v>(
    out: &mut Vec<u8>,
    id: Option<&RequestId>,
    answer: &ReadAnswer<'_>,
    publications: impl IntoIterator<Item = PublicationView<'v>>,
) {
    answer_head(out, id, 200);
    out.push(b',');
    read_members(out, answer, publications);
    out.push(b'}');
}

/// The answer to a POST that was published, and to a DELETE that emptied a history: the channel's position. `kept` is false
/// for what was delivered and is not in the history.
pub fn answer_published(out: &mut Vec<u8>, id: Option<&RequestId>, channel: &str, position: &Position, kept: bool) {
    answer_head(out, id, 200);
    out.push(b',');
    position_members(out, channel, position);
    out.extend_from_slice(if kept { b"}" } else { b",\"kept\":false}" });
}

/// The answer to a DELETE that ended a subscription.
pub fn answer_done(out: &mut Vec<u8>, id: Option<&RequestId>, channel: &str) {
    answer_head(out, id, 200);
    out.push(b',');
    channel_member(out, channel);
    out.push(b'}');
}

/// The answer to GET `/livez`.
pub fn answer_alive(out: &mut Vec<u8>, id: Option<&RequestId>) {
    answer_head(out, id, 200);
    out.push(b'}');
}

/// The answer to GET `/limits` on the socket: [`body_limits`] after `id` and `status`.
pub fn answer_limits(out: &mut Vec<u8>, id: Option<&RequestId>, settings: &Settings) {
    answer_head(out, id, 200);
    out.push(b',');
    limit_members(out, settings);
    out.push(b'}');
}

/// The body of GET `/limits`: `{"message_bytes","body_bytes","binary","batch"}`.
pub fn body_limits(out: &mut Vec<u8>, settings: &Settings) {
    out.push(b'{');
    limit_members(out, settings);
    out.push(b'}');
}

fn limit_members(out: &mut Vec<u8>, settings: &Settings) {
    out.extend_from_slice(b"\"message_bytes\":");
    write_number(out, settings.message_bytes as u64);
    out.extend_from_slice(b",\"body_bytes\":");
    write_number(out, settings.body_bytes as u64);
    out.extend_from_slice(if settings.binary { b",\"binary\":true" } else { b",\"binary\":false" });
    out.extend_from_slice(b",\"batch\":");
    write_number(out, BATCH_REQUESTS_MAX as u64);
}

/// A refusal on the socket, and in the body that answers a request in `POST /ws`: `{["id",]"status","error":{…}}`, the error as in
/// [`body_refused`].
pub fn answer_error(out: &mut Vec<u8>, id: Option<&RequestId>, refusal: &Refusal) {
    answer_head(out, id, refusal.status());
    out.push(b',');
    error_member(out, refusal);
    out.push(b'}');
}

/// The body of a snapshot over HTTP: `{"channel","epoch","offset"[,"recovered"],"publications"}`.
pub fn body_snapshot<'v>(
    out: &mut Vec<u8>,
    answer: &ReadAnswer<'_>,
    publications: impl IntoIterator<Item = PublicationView<'v>>,
) {
    out.push(b'{');
    read_members(out, answer, publications);
    out.push(b'}');
}

/// One channel in the list of channels.
#[derive(Debug, Clone, Copy)]
pub struct Listed<'a> {
    /// Its name.
    pub channel: &'a str,
    /// Where it is.
    pub position: Position,
    /// Its subscribers.
    pub subscribers: u64,
}

/// The list of channels: `{"channels":[{"channel","epoch","offset","subscribers"},…],"total"}`.
pub fn body_channels<'a>(out: &mut Vec<u8>, channels: impl IntoIterator<Item = Listed<'a>>, total: usize) {
    out.extend_from_slice(b"{\"channels\":");
    list(out, channels, |out, listed| {
        out.push(b'{');
        position_members(out, listed.channel, &listed.position);
        out.extend_from_slice(b",\"subscribers\":");
        write_number(out, listed.subscribers);
        out.push(b'}');
    });
    out.extend_from_slice(b",\"total\":");
    write_number(out, total as u64);
    out.extend_from_slice(b"}\n");
}

/// The body of the answer to a POST over HTTP: `{"channel","epoch","offset"[,"kept":false]}`.
pub fn body_published(out: &mut Vec<u8>, channel: &str, position: &Position, kept: bool) {
    out.push(b'{');
    position_members(out, channel, position);
    out.extend_from_slice(if kept { b"}" } else { b",\"kept\":false}" });
}

/// The body of a refusal over HTTP, whose status stands in the head: `{"error":{"code","message"[,"retry_after_ms"]}}`.
pub fn body_refused(out: &mut Vec<u8>, refusal: &Refusal) {
    out.push(b'{');
    error_member(out, refusal);
    out.push(b'}');
}

fn error_member(out: &mut Vec<u8>, refusal: &Refusal) {
    text_member(out, b"\"error\":{\"code\":", refusal.label());
    text_member(out, b",\"message\":", &refusal.message);
    if refusal.retry_after_ms > 0 {
        out.extend_from_slice(b",\"retry_after_ms\":");
        write_number(out, u64::from(refusal.retry_after_ms));
    }
    if let Some(at) = &refusal.position {
        text_member(out, b",\"epoch\":", at.epoch.as_str());
        number_member(out, b",\"offset\":", at.offset);
    }
    out.push(b'}');
}

/// `"content_type":…,"data_base64":…`: binary data inside JSON.
pub(super) fn base64_members(out: &mut Vec<u8>, content_type: &str, bytes: &[u8]) {
    text_member(out, b"\"content_type\":", content_type);
    out.extend_from_slice(b",\"data_base64\":\"");
    let start = out.len();
    out.resize(start + BASE64.encode_len(bytes.len()), 0);
    BASE64.encode_mut(bytes, &mut out[start..]);
    out.push(b'"');
}

fn answer_head(out: &mut Vec<u8>, id: Option<&RequestId>, status: u16) {
    out.push(b'{');
    match id {
        Some(RequestId::Number(number)) => {
            number_member(out, b"\"id\":", *number);
            out.push(b',');
        }
        Some(RequestId::Text(text)) => {
            text_member(out, b"\"id\":", text);
            out.push(b',');
        }
        None => {}
    }
    number_member(out, b"\"status\":", u64::from(status));
}

/// Bytes of the members of a read answer besides the channel's name and publications, with room for what ends it.
const READ_MEMBERS_BYTES: usize = 176;

fn read_members<'v>(
    out: &mut Vec<u8>,
    answer: &ReadAnswer<'_>,
    publications: impl IntoIterator<Item = PublicationView<'v>>,
) {
    // In one piece, where the members one by one would grow it four times.
    out.reserve(READ_MEMBERS_BYTES + answer.channel.len());
    position_members(out, answer.channel, &answer.position);
    if let Some(recovered) = answer.recovered {
        out.extend_from_slice(if recovered { b",\"recovered\":true" } else { b",\"recovered\":false" });
    }
    out.extend_from_slice(b",\"publications\":");
    list(out, publications, |out, view| item_json(out, &view));
    if let Some(connection) = answer.connection {
        // A name of our own making has nothing to escape.
        out.extend_from_slice(b",\"connection\":\"");
        out.extend_from_slice(connection.as_bytes());
        out.push(b'"');
    }
}

fn position_members(out: &mut Vec<u8>, channel: &str, position: &Position) {
    channel_member(out, channel);
    text_member(out, b",\"epoch\":", position.epoch.as_str());
    number_member(out, b",\"offset\":", position.offset);
}

fn item_members(out: &mut Vec<u8>, view: &PublicationView<'_>) {
    label_members(out, view);
    out.push(b',');
    match view.data {
        Data::Json(json) => {
            out.extend_from_slice(b"\"data\":");
            out.extend_from_slice(json);
        }
        Data::Binary { bytes, content_type } => base64_members(out, content_type, bytes),
    }
}

/// Offset, event and time.
fn label_members(out: &mut Vec<u8>, view: &PublicationView<'_>) {
    number_member(out, b"\"offset\":", view.offset);
    if let Some(event) = view.event {
        text_member(out, b",\"event\":", event);
    }
    if let Some(time) = view.time {
        number_member(out, b",\"time\":", time);
    }
}

fn channel_member(out: &mut Vec<u8>, channel: &str) {
    text_member(out, b"\"channel\":", channel);
}

fn text_member(out: &mut Vec<u8>, key: &[u8], value: &str) {
    out.extend_from_slice(key);
    write_string(out, value);
}

fn number_member(out: &mut Vec<u8>, key: &[u8], value: u64) {
    out.extend_from_slice(key);
    write_number(out, value);
}

fn list<T>(out: &mut Vec<u8>, values: impl IntoIterator<Item = T>, mut write: impl FnMut(&mut Vec<u8>, T)) {
    out.push(b'[');
    for (place, value) in values.into_iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        write(out, value);
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use super::{
        ReadAnswer, answer_alive, answer_done, answer_error, answer_published, answer_read, body_published,
        body_refused, body_snapshot, item_json, push_binary, push_json, reset_json,
    };
    use crate::model::code::Code;
    use crate::model::publication::{Data, Epoch, Position, PublicationView};
    use crate::model::refusal::Refusal;
    use crate::model::request::RequestId;
    use std::time::Duration;

    fn position() -> Position {
        Position { epoch: Epoch::parse("abcdefgh").expect("an epoch"), offset: 43 }
    }

    fn view<'a>(data: &'a Data, event: Option<&'a str>, time: Option<u64>) -> PublicationView<'a> {
        PublicationView { channel: "a\"消\u{1}", offset: 7, event, time, data }
    }

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = b"before ".to_vec();
        write(&mut out);
        let text = String::from_utf8(out).expect("UTF-8").strip_prefix("before ").expect("appended").to_string();
        let json = text.lines().next().expect("a line");
        serde_json::from_str::<serde_json::Value>(json).expect("JSON");
        text
    }

    fn data(json: &'static str) -> Data {
        Data::Json(json.into())
    }

    fn binary() -> Data {
        Data::Binary { bytes: bytes::Bytes::from_static(b"\n{}~"), content_type: "image/\"x".into() }
    }

    #[test]
    fn a_push_carries_its_data_byte_for_byte() {
        let data = data("{\"a\" : [1.10,-0]}");
        assert_eq!(
            written(|out| push_json(out, &view(&data, None, None))),
            r#"{"channel":"a\"消\u0001","offset":7,"data":{"a" : [1.10,-0]}}"#
        );
        assert_eq!(
            written(|out| push_json(out, &view(&data, Some("e\\"), Some(12)))),
            r#"{"channel":"a\"消\u0001","offset":7,"event":"e\\","time":12,"data":{"a" : [1.10,-0]}}"#
        );
        assert_eq!(
            written(|out| item_json(out, &view(&data, Some("e"), None))),
            r#"{"offset":7,"event":"e","data":{"a" : [1.10,-0]}}"#
        );
    }

    #[test]
    fn binary_data_is_base64_in_text_and_itself_in_binary() {
        let data = binary();
        assert_eq!(
            written(|out| item_json(out, &view(&data, None, Some(1)))),
            r#"{"offset":7,"time":1,"content_type":"image/\"x","data_base64":"Cnt9fg=="}"#
        );
        assert_eq!(
            written(|out| push_binary(out, &view(&data, Some("e"), None))),
            "{\"channel\":\"a\\\"消\\u0001\",\"offset\":7,\"event\":\"e\",\"content_type\":\"image/\\\"x\"}\n\n{}~"
        );
        let json = Data::Json("1".into());
        assert!(written(|out| push_binary(out, &view(&json, None, None))).ends_with("\"data\":1}"));
    }

    #[test]
    fn a_read_is_answered_with_what_is_known_only() {
        let data = data("1");
        let views = [PublicationView { channel: "x", offset: 42, event: None, time: None, data: &data }; 2];
        let mut answer = ReadAnswer { channel: "x", position: position(), recovered: None, connection: None };
        assert_eq!(
            written(|out| answer_read(out, None, &answer, [])),
            r#"{"status":200,"channel":"x","epoch":"abcdefgh","offset":43,"publications":[]}"#
        );
        answer.recovered = Some(true);
        answer.connection = Some("0-1-2");
        assert_eq!(
            written(|out| answer_read(out, Some(&RequestId::Number(1)), &answer, views)),
            r#"{"id":1,"status":200,"channel":"x","epoch":"abcdefgh","offset":43,"recovered":true,"publications":[{"offset":42,"data":1},{"offset":42,"data":1}],"connection":"0-1-2"}"#
        );
        answer = ReadAnswer { recovered: Some(false), connection: None, ..answer };
        assert_eq!(
            written(|out| body_snapshot(out, &answer, [])),
            r#"{"channel":"x","epoch":"abcdefgh","offset":43,"recovered":false,"publications":[]}"#
        );
    }

    #[test]
    fn the_other_answers_are_short() {
        let id = RequestId::Text("q\"".into());
        assert_eq!(
            written(|out| answer_published(out, Some(&id), "x", &position(), true)),
            r#"{"id":"q\"","status":200,"channel":"x","epoch":"abcdefgh","offset":43}"#
        );
        assert_eq!(
            written(|out| body_published(out, "x", &position(), false)),
            r#"{"channel":"x","epoch":"abcdefgh","offset":43,"kept":false}"#
        );
        assert_eq!(written(|out| answer_done(out, Some(&id), "x")), r#"{"id":"q\"","status":200,"channel":"x"}"#);
        let largest = RequestId::Number((1 << 53) - 1);
        assert_eq!(written(|out| answer_alive(out, Some(&largest))), r#"{"id":9007199254740991,"status":200}"#);
        assert_eq!(written(|out| answer_alive(out, None)), r#"{"status":200}"#);
        assert_eq!(
            written(|out| reset_json(out, "x", &position())),
            r#"{"channel":"x","epoch":"abcdefgh","offset":43,"reset":true}"#
        );
        let refusal = Refusal::new(Code::Forbidden, "no \"x\"");
        assert_eq!(
            written(|out| answer_error(out, None, &refusal)),
            r#"{"status":403,"error":{"code":"forbidden","message":"no \"x\""}}"#
        );
        let refusal = Refusal::new(Code::TooManyRequests, "later").until(Duration::from_micros(1500));
        assert_eq!(
            written(|out| body_refused(out, &refusal)),
            r#"{"error":{"code":"too_many_requests","message":"later","retry_after_ms":2}}"#
        );
    }
}
