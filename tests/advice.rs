//! Every refusal says what would allow the request: a walk over all codes that the protocol knows.

use crate::support::frames::{BINARY, RawSocket, TEXT, handshake};
use crate::support::http::{HttpClient, post, request_bytes};
use crate::support::{OPERATOR, TestServer};
use std::collections::BTreeSet;
use tidings::Config;
use tidings::model::sign_secrets::SignSecrets;

const PROTOCOL: &str = include_str!("../src/protocol/tidings/PROTOCOL.md");

/// How a refusal is provoked.
enum Ask {
    /// A request over HTTP: method, target, fields, body.
    Http(&'static str, &'static str, &'static [(&'static str, &'static str)], &'static str),
    /// The bytes of a request.
    Raw(fn() -> Vec<u8>),
    /// A text frame on a socket at `/ws` with these fields.
    Frame(&'static [(&'static str, &'static str)], &'static str),
}
use Ask::{Frame, Http, Raw};

const STRICT: &[(&str, &str)] = &[("Sec-WebSocket-Protocol", "tidings.v1")];
const GUESSED: &[(&str, &str)] = &[("Authorization", "Bearer something-else-entirely")];
const FORM: &[(&str, &str)] = &[("Content-Type", "multipart/form-data; boundary=x")];

/// The code, how to meet it, and what the message must name.
const ROWS: &[(&str, Ask, &[&str])] = &[
    ("bad_json", Frame(&[], "{\"a\":"), &["line 1", "GET /"]),
    ("too_deep", Raw(deep), &["64"]),
    ("not_a_request", Frame(STRICT, "GET"), &["{\"id\":1,\"method\":\"GET\""]),
    ("bad_request", Frame(&[], "{\"method\":\"GET\"}"), &["\"path\"", "/channels/x"]),
    ("unknown_member", Frame(&[], "{\"method\":\"GET\",\"pth\":\"/channels/x\"}"), &["did you mean \"path\""]),
    (
        "duplicate_member",
        Frame(&[], "{\"method\":\"GET\",\"id\":1,\"id\":2,\"path\":\"/livez\"}"),
        &["\"id\"", "more than once"],
    ),
    ("bad_channel", Http("GET", "/channels/a%5Cb", &[], ""), &["\":\"", "\"/\""]),
    ("bad_channel", Http("GET", "/channels/a/b", &[], ""), &["%2F"]),
    ("unknown_option", Http("GET", "/channels/a?lst=1", &[], ""), &["did you mean \"last\""]),
    ("bad_exclude", Http("POST", "/channels/a?exclude=me", &[], "1"), &["`connection`"]),
    ("bad_event", Http("POST", "/channels/a?event=reset", &[], "1"), &["reset"]),
    (
        "mixed_batch",
        Frame(&[], "[{\"method\":\"GET\",\"path\":\"/livez\"},1]"),
        &["only objects with a member \"method\""],
    ),
    ("batch_too_large", Raw(batch), &["100", "several"]),
    ("operator_needed", Http("GET", "/metrics", &[], ""), &["Authorization: Bearer KEY", "the key "]),
    ("operator_needed", Http("DELETE", "/channels/a", &[], ""), &["Authorization: Bearer KEY", "the key "]),
    ("operator_needed", Frame(&[], "{\"method\":\"DELETE\",\"path\":\"/channels/a\"}"), &["\"AUTH\"", "the key "]),
    ("operator_needed", Frame(&[], "{\"method\":\"AUTH\",\"token\":\"x\"}"), &["the key "]),
    ("admin_only", Http("GET", "/channels", GUESSED, ""), &["Authorization: Bearer KEY", "the key "]),
    ("admin_only", Http("DELETE", "/channels/a", GUESSED, ""), &["Authorization: Bearer KEY", "the key "]),
    // Behind nginx these named nothing.
    ("publishing_not_allowed", Http("POST", "/channels/a", &[("Via", "1.1 p")], "1"), &["--allow-anonymous-publish"]),
    ("publishing_not_allowed", Frame(&[("X-Real-IP", "203.0.113.9")], "1"), &["--allow-anonymous-publish"]),
    (
        "misdirected_request",
        Http("GET", "/channels/a", &[("Host", "push.example")], ""),
        &["--allow-host push.example"],
    ),
    (
        "misdirected_request",
        Http("POST", "/ws", &[("Host", "push.example:8443")], "1"),
        &["--allow-host push.example:8443"],
    ),
    (
        "origin_not_allowed",
        Http("POST", "/ws", &[("Origin", "https://a.example")], "1"),
        &["--allow-origin https://a.example"],
    ),
    ("origin_not_allowed", Http("GET", "/channels/a", &[("Origin", "null")], ""), &["--dev", "--allow-origin null"]),
    ("not_found", Http("GET", "/nowhere", &[], ""), &["/ws", "/channels/{name}"]),
    ("not_found", Frame(&[], "{\"method\":\"GET\",\"path\":\"/nowhere\"}"), &["/channels/{name}"]),
    ("not_found", Raw(upgrade_nowhere), &["connect to /ws"]),
    ("unknown_channel", Http("DELETE", "/channels/never", &[OPERATOR], ""), &["no such channel"]),
    ("not_subscribed", Frame(&[], "{\"method\":\"DELETE\",\"path\":\"/subscriptions/never\"}"), &["\"never\""]),
    ("method_not_allowed", Http("PUT", "/channels/a", &[], ""), &["GET, HEAD, POST, DELETE"]),
    ("method_not_allowed", Raw(connect), &["GET with Upgrade"]),
    ("key_reused", Http("POST", "/channels/keyed", &[("Idempotency-Key", "k")], "2"), &["use a new key"]),
    ("moved", Http("POST", "/channels/keyed", &[("If-Match", "\"abcdefgh:7\"")], "2"), &["read what came since"]),
    ("bad_request", Http("POST", "/channels/a", &[("If-Match", "7")], "2"), &["\"EPOCH:41\""]),
    ("unsupported_media_type", Http("POST", "/channels/a", FORM, "--x--"), &["multipart"]),
    ("unsupported_encoding", Http("POST", "/channels/a", &[("Content-Encoding", "gzip")], "x"), &["Content-Encoding"]),
    ("too_many_subscriptions", Raw(subscriptions), &["channels.per_connection"]),
    ("channels_full", Http("POST", "/channels/one-more", &[], "1"), &["channels.total"]),
    (
        "revocations_full",
        Http("POST", "/admin/revoke", &[OPERATOR], "{\"user\":\"ada\"}"),
        &["access.revocations", "until"],
    ),
    ("body_too_large", Raw(large), &["http.body_bytes"]),
    ("uri_too_long", Raw(long), &["http.target_bytes"]),
    ("head_too_large", Raw(many), &["http.headers"]),
    ("head_too_large", Raw(fat), &["http.head_bytes"]),
    ("upgrade_required", Http("GET", "/ws", &[], ""), &["Upgrade: websocket"]),
    ("version_not_supported", Raw(|| b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n".to_vec()), &["HTTP/1.1"]),
];

/// Codes that a row cannot meet, and the tests that meet them.
const ELSEWHERE: &[(&str, &str)] = &[
    ("busy", "refusals::a_publisher_whose_subscribers_take_no_more_is_told_503_after_the_wait"),
    ("forbidden", "rules::rules_hold_over_http_on_sockets_and_on_event_streams"),
    ("publication_too_large", "rules::a_channel_keeps_and_takes_what_its_rule_says"),
    ("token_needed", "rules::rules_hold_over_http_on_sockets_and_on_event_streams"),
    ("token_invalid", "credentials::every_token_of_the_table_becomes_what_it_should"),
    ("token_expired", "credentials::every_token_of_the_table_becomes_what_it_should"),
    ("keys_unavailable", "credentials::every_token_of_the_table_becomes_what_it_should"),
    ("token_revoked", "revoked::what_was_revoked_is_refused_at_once_in_every_way_and_what_was_not_goes_on"),
    ("config_refused", "reload::a_broken_file_changes_nothing_and_is_named_with_line_and_reason"),
    ("key_invalid", CLOSED),
    ("key_network", CLOSED),
    ("signature_invalid", CLOSED),
    ("signature_expired", CLOSED),
    ("store_full", "durable::a_full_disk_refuses_publications_and_nothing_else_and_recovers_alone"),
    ("not_with_this_engine", "durable::engines::every_row_of_the_table_of_engines_is_so"),
    ("engine_unavailable", DEVICE),
    ("outcome_unknown", DEVICE),
    ("unsubscribed", "admin::subscriptions_that_an_operator_ends_say_so_and_the_others_go_on"),
    ("too_many_requests", LIMITS),
    ("too_many_publications", LIMITS),
    ("too_many_bytes", LIMITS),
    ("too_many_new_connections", LIMITS),
    ("too_many_connections_of_user", LIMITS),
    ("too_many_connections_of_key", LIMITS),
];
const DEVICE: &str = "hostile::injected::a_device_that_fails_ends_publishing_and_nothing_else";
const CLOSED: &str = "advice::what_is_presented_and_does_not_count_says_what_would";
const LIMITS: &str = "access::limits::tests::a_refusal_says_which_limit_of_whom_the_setting_and_the_true_time";

fn deep() -> Vec<u8> {
    request_bytes("POST", "/channels/a", &[], format!("{}1{}", "[".repeat(65), "]".repeat(65)).as_bytes())
}

fn batch() -> Vec<u8> {
    let items = ["{\"method\":\"GET\",\"path\":\"/livez\"}"; 101].join(",");
    request_bytes("POST", "/ws", &[], format!("[{items}]").as_bytes())
}

fn upgrade_nowhere() -> Vec<u8> {
    handshake("/nowhere", &[])
}

fn connect() -> Vec<u8> {
    b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n".to_vec()
}

/// Over a socket; see [`refusal`].
fn subscriptions() -> Vec<u8> {
    Vec::new()
}

fn large() -> Vec<u8> {
    request_bytes("POST", "/channels/a", &[], &[b'1'; 9000])
}

fn long() -> Vec<u8> {
    request_bytes("GET", &format!("/{}", "x".repeat(1100)), &[], b"")
}

fn many() -> Vec<u8> {
    request_bytes("GET", "/livez", &[("X", "y"); 40], b"")
}

fn fat() -> Vec<u8> {
    request_bytes("GET", "/livez", &[("X", &"y".repeat(5000))], b"")
}

/// Small limits, so that all of them are met.
fn server() -> TestServer {
    let server = TestServer::start(|config| {
        config.http.body_bytes = 8192;
        config.http.target_bytes = 1024;
        config.http.head_bytes = 4096;
        config.http.headers = 30;
        config.channels.total = 2;
        config.channels.per_connection = 1;
        config.access.revocations = 0;
    });
    assert_eq!(post(server.address(), "/channels/a", "1").status, 200);
    let key = [("Idempotency-Key", "k")];
    let keyed = HttpClient::connect(server.address()).request("POST", "/channels/keyed", &key, b"1");
    assert_eq!(keyed.status, 200);
    server
}

/// Asks; the code and the message of the refusal.
fn refusal(server: &TestServer, ask: &Ask) -> (String, String) {
    let body = match ask {
        Http(method, target, fields, body) => {
            HttpClient::connect(server.address()).request(method, target, fields, body.as_bytes()).json()
        }
        Raw(bytes) if bytes().is_empty() => {
            let mut socket = RawSocket::open(server.address(), "/ws");
            for channel in ["a", "keyed"] {
                socket.send(TEXT, format!("{{\"method\":\"GET\",\"path\":\"/channels/{channel}\"}}").as_bytes());
            }
            assert_eq!(socket.next_json()["status"], 200);
            socket.next_json()
        }
        Raw(bytes) => HttpClient::connect(server.address()).exchange(bytes()).json(),
        Frame(fields, text) => {
            let (mut socket, _) = RawSocket::open_with(server.address(), "/ws", fields);
            socket.send(TEXT, text.as_bytes());
            socket.next_json()
        }
    };
    let text = |name: &str| body["error"][name].as_str().unwrap_or_else(|| panic!("no refusal: {body}")).to_owned();
    (text("code"), text("message"))
}

/// The codes of the protocol's first table, and the labels of its second that answer requests.
fn codes() -> BTreeSet<String> {
    let table = PROTOCOL.split("## Statuses and codes").nth(1).expect("the tables");
    let rows = table.lines().filter(|line| line.starts_with("| 4") || line.starts_with("| 5"));
    let mut codes: BTreeSet<String> = rows
        .flat_map(|line| line.split('|').nth(2).expect("a code").split(','))
        .map(|code| code.trim().trim_matches('`').to_owned())
        .collect();
    for label in [
        "origin_not_allowed",
        "misdirected_request",
        "body_too_large",
        "uri_too_long",
        "head_too_large",
        "upgrade_required",
        "version_not_supported",
    ] {
        assert!(table.contains(&format!("| `{label}` |")), "{label} is no label any more");
        codes.insert(label.to_owned());
    }
    codes
}

#[test]
fn every_code_is_met_and_its_message_names_what_would_allow_it() {
    let server = server();
    let mut wrong = Vec::new();
    for (code, ask, named) in ROWS {
        let (found, message) = refusal(&server, ask);
        let missing: Vec<_> = named.iter().filter(|word| !message.contains(*word)).collect();
        if found != *code || !missing.is_empty() {
            wrong.push(format!("{code}: {found} does not name {missing:?}: {message}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let met = ROWS.iter().map(|(code, ..)| *code).chain(ELSEWHERE.iter().map(|(code, _)| *code));
    let met: BTreeSet<String> = met.map(str::to_owned).collect();
    assert_eq!(codes().difference(&met).collect::<Vec<_>>(), [""; 0], "codes that no row meets");
    assert_eq!(met.difference(&codes()).collect::<Vec<_>>(), [""; 0], "rows of codes that the protocol does not know");
}

/// A key that is none of the server's, and one that may not come from here.
const UNKNOWN_KEY: &str = "td_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const FAR_KEY: &str = "td_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
/// The signature of `a` at the second 1 with the secret below.
const SIGNED: &str = "/channels/a?exp=1&sig=";
const SIGN_SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Where rules apply: keys and signed addresses.
#[test]
fn what_is_presented_and_does_not_count_says_what_would() {
    let hash = tidings::model::api_key::KeySecret::parse(FAR_KEY).expect("a secret").hash();
    let text = format!(
        "[[key]]\nname = \"far\"\nhash = \"{hash}\"\nnetworks = [\"192.0.2.0/24\"]\n\
         grants = [{{ channels = [\"**\"], may = [\"read\"] }}]\n"
    );
    let config = Config::from_toml("advice.toml", &text).expect("valid");
    let server = TestServer::start(|own| {
        own.keys = config.keys;
        own.channels.sign_secret = SignSecrets::parse(SIGN_SECRET).ok();
    });
    let hmac = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, SIGN_SECRET.as_bytes());
    let sig = data_encoding::HEXLOWER.encode(aws_lc_rs::hmac::sign(&hmac, b"tidings-read-v1\na\n1").as_ref());
    let [expired, wrong] = [sig, "0".repeat(64)].map(|sig| format!("{SIGNED}{sig}"));
    for (code, target, key, named) in [
        ("key_invalid", "/channels/a", UNKNOWN_KEY, "[[key]]"),
        ("key_network", "/channels/a", FAR_KEY, "the networks of its [[key]]"),
        ("signature_invalid", &wrong, "", "channels.sign_secret"),
        ("signature_expired", &expired, "", "ask the app for a new one"),
    ] {
        let fields = [("X-API-Key", key)];
        let fields = if key.is_empty() { &[][..] } else { &fields };
        let said = HttpClient::connect(server.address()).request("GET", target, fields, b"");
        assert_eq!(said.code(), code, "{}", said.text());
        assert!(said.text().contains(named), "{code}: {}", said.text());
        // Over a socket by AUTH the same.
        if !key.is_empty() {
            let mut socket = RawSocket::open(server.address(), "/ws");
            socket.send(TEXT, format!("{{\"method\":\"AUTH\",\"token\":\"{key}\"}}").as_bytes());
            let answer = socket.next_json();
            assert!(answer["error"]["code"] == code && answer.to_string().contains(named), "{answer}");
        }
    }
}

/// The same for sockets that are closed, and for the connection that is one too many.
#[test]
fn a_close_for_a_limit_names_the_setting() {
    let server = TestServer::start(|config| {
        config.websocket.binary = false;
        config.websocket.message_bytes = 128;
        config.server.inline_parse_bytes = 64;
    });
    let closed = |first: u8, payload: &[u8]| {
        let mut socket = RawSocket::open(server.address(), "/ws");
        socket.send(first, payload);
        socket.read_close()
    };
    let (code, reason) = closed(BINARY, b"{}\n");
    assert!(code == Some(1003) && reason.contains("websocket.binary"), "{reason}");
    let (code, reason) = closed(TEXT, &[b'1'; 200]);
    assert!(code == Some(1009) && reason.contains("websocket.message_bytes"), "{reason}");
    let full = TestServer::start(|config| config.server.connections = 1);
    let mut held = HttpClient::connect(full.address());
    assert!(held.is_kept());
    let refused = HttpClient::connect(full.address()).request("GET", "/channels/a", &[], b"");
    assert_eq!((refused.status, refused.code().as_str()), (503, "too_many_connections"));
    assert!(refused.text().contains("server.connections"), "{}", refused.text());
}
