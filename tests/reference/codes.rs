//! `docs/reference/codes.md`: every code under which something is refused or ended, and what a client does about it.

use super::{cell, prose};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use tidings::config::knobs;
use tidings::model::code::Code;

const HEAD: &str = "\
# Codes

Whatever the server refuses or ends has one name, the same everywhere: `error.code` of an answer, the first word of a Close's reason
and of an HTTP refusal, the label `reason` of [metrics](metrics.md), and `reason` in a line of the log.

- A **refusal** is an answer with a status, after which the connection goes on.
- An **end** closes the connection: a socket with a Close code, an event stream with its end (`event: refused` says why), HTTP after
  the answer.

";

/// What each Close code means and what a client does about it.
const CLOSES: &[(u16, &str, &str)] = &[
    (1000, "the end that both sides meant", "nothing"),
    (1001, "the connection went silent, or the server is going away", "connect again after a pause, and resume"),
    (1002, "a frame that RFC 6455 forbids", "correct the client; do not send the same again"),
    (1003, "a kind of message that is not taken here", "send text"),
    (1007, "text that is not UTF-8, or data that is not DEFLATE", "correct the client; do not send the same again"),
    (
        1008,
        "a limit or a rule of the protocol; the reason says which",
        "after `slow_consumer` connect again and resume; otherwise correct the client",
    ),
    (1009, "a message that is too large", "send smaller messages, or POST over HTTP; `GET /limits` says how large"),
    (1011, "the server failed at this", "connect again after a pause, and resume"),
    (1012, "the server restarts", "connect again after a pause of its own for each client, and resume"),
    (1013, "the server has no room for now", "connect again after a pause, longer each time"),
    (4401, "no valid token or key was presented", "sign in with one, then connect again"),
    (4403, "not for this client, page or address", "do not come back by itself; the reason names what would allow it"),
    (4404, "there is nothing at this path", "correct the address"),
    (4421, "the server does not answer to this name", "use its name, or add the name to `server.allow_host`"),
    (4429, "more than is allowed", "slow down; after the time that the reason says, connect again"),
];

/// The same for statuses.
const STATUSES: &[(u16, &str, &str)] = &[
    (400, "the request is not what it should be", "correct it; the same request fails again"),
    (401, "no valid token or key was presented", "sign in with one, then send it again"),
    (403, "not for this client", "do not send it again; the message names what would allow it"),
    (404, "there is nothing at this path, or under this name", "correct the address"),
    (405, "the path takes other methods", "see the field `Allow`"),
    (408, "it did not come in time", "send it again, faster"),
    (409, "the idempotency key was used with something else", "use a key once for each publication"),
    (412, "the channel is not where the publication was to follow", "read what came since, and publish after that"),
    (413, "it is too large", "send less at once; `GET /limits` says how much"),
    (414, "the address is too long", "shorten it"),
    (415, "a body of this kind is not published", "send JSON, a form, text or bytes, and no `Content-Encoding`"),
    (421, "the server does not answer to this name", "use its name, or add the name to `server.allow_host`"),
    (422, "the configuration has a mistake", "correct it: the message says where"),
    (426, "here is a WebSocket", "connect with a WebSocket client of version 13"),
    (429, "more than is allowed", "wait for `Retry-After` (`retry_after_ms`), then send it again"),
    (431, "the head is too large", "send fewer or shorter fields"),
    (
        500,
        "the server failed at this",
        "read the log; the request may have been carried out, so repeat it with the same idempotency key",
    ),
    (501, "this server cannot do that", "start it with another `server.engine`"),
    (503, "not for now", "wait for `Retry-After`, then send it again, with the same idempotency key"),
    (505, "another version of HTTP", "speak HTTP/1.1"),
    (507, "there is no room for it", "make room: the message says how"),
];

/// The words of what would allow something, with settings as links.
fn allowed_by(code: Code) -> String {
    let known: BTreeSet<String> = knobs().into_iter().map(|knob| knob.path).collect();
    let linked = |part: &str| {
        if known.contains(part) {
            format!("[`{part}`](configuration.md#{})", part.replace('.', ""))
        } else {
            assert!(part.contains(' ') || !part.contains('.'), "{part} is no setting");
            prose(part)
        }
    };
    code.allowed_by()
        .split(", ")
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(linked)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Appends a table of numbers, and says which of the numbers that codes have are not in it.
fn numbers(out: &mut String, table: &[(u16, &str, &str)], used: &BTreeSet<u16>, of: impl Fn(Code) -> Option<u16>) {
    let listed: BTreeSet<u16> = table.iter().map(|(number, _, _)| *number).collect();
    assert_eq!(&listed, used, "the numbers that are explained are those that are used");
    for (number, meaning, what) in table {
        let codes = Code::ALL.into_iter().filter(|code| of(*code) == Some(*number));
        let labels = codes.map(|code| format!("`{}`", code.label())).collect::<Vec<_>>().join(", ");
        let _ = writeln!(out, "| {number} | {meaning} | {what} | {labels} |");
    }
}

/// The close code with which a connection can end.
fn close(code: Code) -> Option<u16> {
    code.ends().then(|| code.websocket_code())
}

/// The status with which a request can be refused; those below 400 are only what an end counts as.
fn status(code: Code) -> Option<u16> {
    code.refuses().then(|| code.http_status())
}

#[test]
fn the_page_of_codes_is_what_the_code_says() {
    let mut page = String::from(HEAD);
    page.push_str("## Close codes of sockets\n\n| Close | meaning | what a client does | codes |\n|---|---|---|---|\n");
    numbers(&mut page, CLOSES, &Code::ALL.into_iter().filter_map(close).collect(), close);
    page.push_str("\nThe client `tidings.js` does all of this by itself.\n\n");
    page.push_str("## Statuses of refusals\n\nThe same over HTTP and in the answers of a socket.\n\n");
    page.push_str("| status | meaning | what a client does | codes |\n|---|---|---|---|\n");
    numbers(&mut page, STATUSES, &Code::ALL.into_iter().filter_map(status).collect(), status);
    page.push_str(
        "\n## All of them\n\n| code | status | Close | what it says | what would allow it |\n|---|---|---|---|---|\n",
    );
    for code in Code::ALL.into_iter().filter(|code| code.ends() || code.refuses()) {
        let or_dash = |number: Option<u16>| number.map_or_else(|| "–".to_owned(), |number| number.to_string());
        let (status, close) = (or_dash(status(code)), or_dash(close(code)));
        let (label, says, allow) = (code.label(), cell(code.message()), allowed_by(code));
        let _ = writeln!(page, "| `{label}` | {status} | {close} | {says} | {allow} |");
    }
    super::check("codes.md", &page);
}
