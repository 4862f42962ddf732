//! The parser of request heads against httparse and a plain reading of the fields that httparse found.
//!
//! Input: a head as it stands, with anything behind it.

use super::Target;
use super::head_rules::{self, Theirs};
use tidings::model::refusal::Refusal;
use tidings::wire::http::gather::{Gathered, HeadGathering};
use tidings::wire::http::head::{BodyLength, Head, HeadLimits, UNREADABLE_ID, UNREADABLE_SITE, Version, parse_head};

const SAME: &str = "same head";
const HIGHER: &str = "differs: a minor version above 1 counts as 1";
const BOTH_REFUSE: &str = "both refuse";
const BOTH_WAIT: &str = "both want more";
const SOONER: &str = "refused before the head is complete";
const STRICTER: &str = "refused for a listed reason";

pub(crate) const TARGET: Target = Target {
    name: "head",
    check,
    outcomes: &[SAME, HIGHER, BOTH_REFUSE, BOTH_WAIT, SOONER, STRICTER],
    words: &[
        "\r\n",
        "\n",
        " ",
        ": ",
        "Host: a\r\n",
        "Content-Length: 3\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Connection: close\r\n",
        "Connection: keep-alive, upgrade\r\n",
        "Upgrade: websocket\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        "Origin: null\r\n",
        "Expect: 100-continue\r\n",
        "Last-Event-ID: abcdefgh:1\r\n",
        "Cookie: a=1\r\n",
        "X-API-Key: k\r\n",
        "Sec-Fetch-Site: none\r\n",
        "X-Forwarded-For: 192.0.2.1\r\n",
        "Forwarded: for=\"[::1]\"\r\n",
        "HTTP/1.0",
        "http://b:1/",
        "OPTIONS *",
        "%2F?a=b",
        "\u{e9}",
        "\u{0}",
        "#",
        "X: y\r\n z\r\n",
    ],
};

/// Small ones, so that their edges are met.
pub(crate) const LIMITS: HeadLimits = HeadLimits { head_bytes: 700, headers: 12, target_bytes: 60 };

/// What the parser says.
type Parsed<'a> = Result<Option<(Head<'a>, usize)>, Refusal>;

fn check(data: &[u8]) -> &'static str {
    let ours = parse_head(data, &LIMITS);
    check_beginnings(data, &ours);
    for piece in [1, 7, 100] {
        check_gathering(data, piece, &ours);
    }
    let (theirs, higher) = Theirs::read(data);
    match (ours, theirs) {
        (Ok(Some((head, used))), head_rules::Outcome::Complete(theirs)) => {
            assert_eq!(used, theirs.used, "where the next request begins");
            same_meaning(&head, &theirs, higher);
            if higher { HIGHER } else { SAME }
        }
        (Ok(None), head_rules::Outcome::Partial) => BOTH_WAIT,
        (Err(_), head_rules::Outcome::Refused) => BOTH_REFUSE,
        (Err(_), head_rules::Outcome::Partial) => SOONER,
        (Err(error), head_rules::Outcome::Complete(theirs)) => {
            let listed = head_rules::justified(&error, &theirs, &data[..theirs.used]);
            assert!(listed, "refused for {error:?}, which httparse takes: {theirs:?}");
            STRICTER
        }
        (ours, theirs) => panic!("ours {ours:?}, theirs {theirs:?}"),
    }
}

/// What the beginning of a head says is "more", or the very error of the whole.
fn check_beginnings(data: &[u8], whole: &Parsed<'_>) {
    let end = match whole {
        Ok(Some((_, used))) => *used,
        _ => data.len(),
    };
    let step = (end / 24).max(1);
    for cut in (0..end).step_by(step) {
        match (parse_head(&data[..cut], &LIMITS), whole) {
            (Ok(None), _) => {}
            (Err(early), Err(late)) if early == *late => {}
            (early, _) => panic!("{cut} bytes say {early:?}, all {} say {whole:?}", data.len()),
        }
    }
}

/// A head that comes in pieces is the same head, and what is wrong with it is the same, though it may be found later.
fn check_gathering(data: &[u8], piece: usize, whole: &Parsed<'_>) {
    let (mut gathering, mut given) = (HeadGathering::default(), 0);
    for part in data.chunks(piece) {
        match (gathering.take(part, &LIMITS), whole) {
            (Ok(Gathered::More), Ok(Some((_, used)))) => assert!(given + part.len() < *used, "more than a whole head"),
            (Ok(Gathered::More), _) => {}
            (Ok(Gathered::Complete(used)), Ok(Some((head, whole)))) => {
                assert_eq!(given + used, *whole);
                let found = gathering.parse(&LIMITS).expect("a good head").map(|(head, _)| format!("{head:?}"));
                assert_eq!(found, Some(format!("{head:?}")));
                return;
            }
            // What the fields mean is asked when the head is whole.
            (Ok(Gathered::Complete(_)), Err(error)) => {
                assert_eq!(gathering.parse(&LIMITS).err().as_ref(), Some(error));
                return;
            }
            (Err(early), Err(late)) if early == *late => return,
            (found, whole) => panic!("in pieces of {piece} {found:?}, whole {whole:?}"),
        }
        given += part.len();
        let held = gathering.held_bytes();
        assert!(held <= 2 * given + 64 && held <= 2 * LIMITS.head_bytes + 64, "{held} bytes are held for {given}");
    }
}

fn same_meaning(head: &Head<'_>, theirs: &Theirs<'_>, higher: bool) {
    assert_eq!(head.method_name, theirs.method);
    let version = if theirs.minor == 0 && !higher { Version::Http10 } else { Version::Http11 };
    assert_eq!(head.version, version);
    let (path, query, authority) = theirs.parts_of_target();
    assert_eq!((head.path, head.query), (path, query));
    assert_eq!(head.host, authority.or(theirs.text("host")));
    let body = match (theirs.text("transfer-encoding"), theirs.text("content-length")) {
        (Some(_), _) => BodyLength::Chunked,
        (None, Some(length)) => BodyLength::Length(length.parse().expect("digits")),
        (None, None) => BodyLength::None,
    };
    assert_eq!(head.body, body);
    assert_eq!(head.origin, theirs.text("origin"));
    assert_eq!(head.content_type, theirs.text("content-type"));
    assert_eq!(head.accept, theirs.text("accept"));
    assert_eq!(head.idempotency_key, theirs.text("idempotency-key"));
    assert_eq!(head.preflight_method, theirs.text("access-control-request-method"));
    assert_eq!(head.upgrade.key, theirs.text("sec-websocket-key"));
    assert_eq!(head.upgrade.version, theirs.text("sec-websocket-version"));
    let all = |name| theirs.values(name).map(|value| std::str::from_utf8(value).expect("UTF-8")).collect::<Vec<_>>();
    assert_eq!(head.upgrade.protocols.to_vec(), all("sec-websocket-protocol"));
    assert_eq!(head.upgrade.extensions.to_vec(), all("sec-websocket-extensions"));
    let once = |name, unreadable| match theirs.values(name).collect::<Vec<_>>()[..] {
        [] => None,
        [one] => Some(std::str::from_utf8(one).unwrap_or(unreadable)),
        _ => Some(unreadable),
    };
    assert_eq!(head.last_event_id, once("last-event-id", UNREADABLE_ID));
    assert_eq!(head.sender.fetch_site, once("sec-fetch-site", UNREADABLE_SITE));
    assert_eq!(head.authorization, theirs.text("authorization"));
    assert_eq!(head.sender.api_key, theirs.text("x-api-key"));
    let lines = |lines: &[&[u8]]| lines.iter().map(|line| head_rules::trim(line).to_vec()).collect::<Vec<_>>();
    let listed = |name| theirs.values(name).map(<[u8]>::to_vec).collect::<Vec<_>>();
    assert_eq!(lines(&head.sender.cookies), listed("cookie"));
    assert_eq!(lines(&head.sender.forwarded_for), listed("x-forwarded-for"));
    assert_eq!(lines(&head.sender.forwarded), listed("forwarded"));
    let proxied = |name: &str| {
        const NAMED: &[&str] =
            &["forwarded", "via", "x-real-ip", "x-client-ip", "cf-connecting-ip", "true-client-ip", "fastly-client-ip"];
        NAMED.contains(&name) || name.starts_with("x-forwarded-") || name.starts_with("x-envoy-")
    };
    assert_eq!(head.forwarded, theirs.fields.iter().any(|(name, _)| proxied(name)));
    let closes = theirs.has("connection", "close");
    let stays = version == Version::Http11 || theirs.has("connection", "keep-alive");
    assert_eq!(head.keep_alive, !closes && stays);
    assert_eq!(head.expect_continue, version == Version::Http11 && theirs.has("expect", "100-continue"));
    assert_eq!(head.upgrade.connection_upgrade, theirs.has("connection", "upgrade"));
    assert_eq!(head.upgrade.websocket, theirs.has("upgrade", "websocket"));
}
