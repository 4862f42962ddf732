//! Blocks of an event stream: the first one with the position, one per publication, resets, refusals.

use super::reply::base64_members;
use crate::model::publication::{Data, Epoch, Position, PublicationView};
use crate::model::refusal::Refusal;
use crate::protocol::Event;
use crate::wire::json::text::{write_number, write_string};

/// The first block of every stream: how long to wait before a new attempt, where the channel is, and to a reader that
/// comes back whether it has everything. `comment` is a note on its request.
pub fn first_block(
    out: &mut Vec<u8>,
    retry_ms: u64,
    comment: Option<&str>,
    position: &Position,
    recovered: Option<bool>,
) {
    retry_line(out, retry_ms);
    if let Some(comment) = comment {
        comment_line(out, comment);
    }
    out.extend_from_slice(b"event: position\n");
    id_line(out, position.epoch, position.offset);
    out.extend_from_slice(b"data: {\"epoch\":");
    write_string(out, position.epoch.as_str());
    out.extend_from_slice(b",\"offset\":");
    write_number(out, position.offset);
    out.extend_from_slice(match recovered {
        Some(true) => b",\"recovered\":true}\n\n",
        Some(false) => b",\"recovered\":false}\n\n",
        None => b"}\n\n",
    });
}

/// Says, for the reader and for people who look at the stream, why there is none. It has no id, so that the reader keeps its own.
pub fn refused_block(out: &mut Vec<u8>, retry_ms: u64, refusal: &Refusal) {
    retry_line(out, retry_ms);
    comment_line(out, &format!("{} {}: {}", refusal.status(), refusal.label(), refusal.message));
    out.extend_from_slice(b"event: refused\ndata: {\"code\":");
    write_string(out, refusal.label());
    out.extend_from_slice(b",\"message\":");
    write_string(out, &refusal.message);
    out.extend_from_slice(b",\"status\":");
    write_number(out, u64::from(refusal.status()));
    if refusal.retry_after_ms > 0 {
        out.extend_from_slice(b",\"retry_after_ms\":");
        write_number(out, u64::from(refusal.retry_after_ms));
    }
    out.extend_from_slice(b"}\n\n");
}

/// One publication: its id, its event if it has one, and its data alone.
///
/// Binary data is written as `{"content_type","data_base64"}`.
pub fn publication_block(out: &mut Vec<u8>, epoch: Epoch, view: &PublicationView<'_>) {
    id_line(out, epoch, view.offset);
    if let Some(event) = view.event {
        out.extend_from_slice(b"event: ");
        // One line: `check_event` refused control characters.
        out.extend_from_slice(event.as_bytes());
        out.push(b'\n');
    }
    match view.data {
        Data::Json(json) => data_lines(out, json),
        Data::Binary { bytes, content_type } => {
            out.extend_from_slice(b"data: {");
            base64_members(out, content_type, bytes);
            out.extend_from_slice(b"}\n");
        }
    }
    out.push(b'\n');
}

/// Tells that the channel's continuity was lost and that it goes on from `position`.
fn reset_block(out: &mut Vec<u8>, position: &Position) {
    out.extend_from_slice(b"event: reset\n");
    // A reader that comes back after this block goes on from there.
    id_line(out, position.epoch, position.offset);
    out.extend_from_slice(b"data: {\"epoch\":");
    write_string(out, position.epoch.as_str());
    out.extend_from_slice(b",\"offset\":");
    write_number(out, position.offset);
    out.extend_from_slice(b",\"reset\":true}\n\n");
}

/// Moves the reader's position on; an `EventSource` keeps the id of a block without data and fires no event.
fn position_block(out: &mut Vec<u8>, epoch: Epoch, offset: u64) {
    id_line(out, epoch, offset);
    out.push(b'\n');
}

/// What happened to the channel, as a block.
pub fn event_block(out: &mut Vec<u8>, event: &Event<'_>) {
    match event {
        Event::Reset { position, .. } => reset_block(out, position),
        // An event stream ends where its subscription does, has no way to sign in again, and `retry:` for when to come back.
        Event::Ended { .. } | Event::Expiring { .. } | Event::Reconnect { .. } => {}
        Event::Excluded(publication) => position_block(out, publication.epoch(), publication.offset()),
    }
}

/// When the reader is to come back, and nothing else: no event, and its position stays.
pub fn retry_block(out: &mut Vec<u8>, retry_ms: u64) {
    retry_line(out, retry_ms);
    out.push(b'\n');
}

fn retry_line(out: &mut Vec<u8>, retry_ms: u64) {
    out.extend_from_slice(b"retry: ");
    write_number(out, retry_ms);
    out.push(b'\n');
}

/// One line, whatever is in it.
fn comment_line(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(b": ");
    out.extend(text.bytes().map(|byte| if byte.is_ascii_control() { b' ' } else { byte }));
    out.push(b'\n');
}

fn id_line(out: &mut Vec<u8>, epoch: Epoch, offset: u64) {
    out.extend_from_slice(b"id: ");
    out.extend_from_slice(epoch.as_str().as_bytes());
    out.push(b':');
    write_number(out, offset);
    out.push(b'\n');
}

/// Each line of `json` after a `data:` of its own; a line ends with CR LF, LF or CR (all white space in JSON).
fn data_lines(out: &mut Vec<u8>, json: &[u8]) {
    let mut rest = json;
    loop {
        let end = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(rest.len());
        let (line, tail) = rest.split_at(end);
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line);
        out.push(b'\n');
        rest = match tail {
            [] => return,
            // CR LF is one line end: taken for two it would become an empty line of data.
            [b'\r', b'\n', more @ ..] | [_, more @ ..] => more,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::{first_block, publication_block, refused_block, reset_block};
    use crate::model::code::Code;
    use crate::model::publication::{Data, Epoch, Position, PublicationView};
    use crate::model::refusal::Refusal;

    fn epoch() -> Epoch {
        Epoch::parse("abcdefgh").expect("an epoch")
    }

    fn block(data: &Data, event: Option<&str>) -> String {
        let mut out = Vec::new();
        publication_block(&mut out, epoch(), &PublicationView { channel: "x", offset: 7, event, time: Some(1), data });
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn the_first_block_tells_the_position() {
        let position = Position { epoch: epoch(), offset: 41 };
        let mut out = Vec::new();
        first_block(&mut out, 3000, None, &position, Some(true));
        first_block(&mut out, 0, Some("a\nb"), &position, Some(false));
        first_block(&mut out, 1, None, &position, None);
        let expected = "retry: 3000\nevent: position\nid: abcdefgh:41\ndata: {\"epoch\":\"abcdefgh\",\"offset\":41,\"recovered\":true}\n\n\
                        retry: 0\n: a b\nevent: position\nid: abcdefgh:41\ndata: {\"epoch\":\"abcdefgh\",\"offset\":41,\"recovered\":false}\n\n\
                        retry: 1\nevent: position\nid: abcdefgh:41\ndata: {\"epoch\":\"abcdefgh\",\"offset\":41}\n\n";
        assert_eq!(String::from_utf8(out).expect("UTF-8"), expected);
    }

    #[test]
    fn a_refusal_is_a_block_without_an_id() {
        let mut out = Vec::new();
        refused_block(&mut out, 2100, &Refusal::new(Code::ChannelsFull, "no \"more\"\r\nthan that"));
        let expected = "retry: 2100\n: 503 channels_full: no \"more\"  than that\nevent: refused\n\
                        data: {\"code\":\"channels_full\",\"message\":\"no \\\"more\\\"\\r\\nthan that\",\"status\":503}\n\n";
        assert_eq!(String::from_utf8(out).expect("UTF-8"), expected);
    }

    #[test]
    fn a_publication_is_its_data_alone() {
        let data = Data::Json("{\"a\": 1.10}".into());
        assert_eq!(block(&data, None), "id: abcdefgh:7\ndata: {\"a\": 1.10}\n\n");
        assert_eq!(block(&data, Some("price")), "id: abcdefgh:7\nevent: price\ndata: {\"a\": 1.10}\n\n");
        let data = Data::Binary { bytes: bytes::Bytes::from_static(b"\n"), content_type: "a/b".into() };
        assert_eq!(block(&data, None), "id: abcdefgh:7\ndata: {\"content_type\":\"a/b\",\"data_base64\":\"Cg==\"}\n\n");
    }

    #[test]
    fn raw_line_ends_become_lines() {
        for (json, lines) in [
            ("[\r\n1]", "data: [\ndata: 1]\n"),
            ("[\r1]", "data: [\ndata: 1]\n"),
            ("[\n\r1]", "data: [\ndata: \ndata: 1]\n"),
            ("[\n1\n\n]", "data: [\ndata: 1\ndata: \ndata: ]\n"),
        ] {
            let data = Data::Json(json.into());
            assert_eq!(block(&data, None), format!("id: abcdefgh:7\n{lines}\n"), "{json:?}");
        }
    }

    #[test]
    fn a_reset_names_where_the_channel_goes_on() {
        for offset in [0, 43] {
            let mut out = Vec::new();
            reset_block(&mut out, &Position { epoch: epoch(), offset });
            let data = format!("{{\"epoch\":\"abcdefgh\",\"offset\":{offset},\"reset\":true}}");
            let expected = format!("event: reset\nid: abcdefgh:{offset}\ndata: {data}\n\n");
            assert_eq!(String::from_utf8(out).expect("UTF-8"), expected);
        }
    }
}
