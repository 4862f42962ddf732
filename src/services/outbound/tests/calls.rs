//! One call: what is sent, what is taken for an answer, and what is not.

use super::origin::{Authority, Origin, json};
use super::{LONG, fault, get_by, get_within, trusting};
use crate::services::outbound::{CallFault, KEY_SET_BYTES_MAX, Reach, callers};
use crate::tls::Trust;
use std::time::Duration;

/// Time for what never ends by itself.
const SHORT: Duration = Duration::from_millis(200);

fn nobody() -> Trust {
    Trust::File("/nonexistent".into())
}

/// What a call to a server that answers with these bytes, and closes then, comes to.
fn answered(bytes: impl Into<Vec<u8>>) -> Result<usize, CallFault> {
    let bytes = bytes.into();
    let origin = Origin::start(None, move |_, stream| {
        // Those who are told enough close before they have read all of it.
        let _ = stream.write_all(&bytes);
        false
    });
    get_within(&origin.url("http", "/keys"), Reach::Anywhere, &nobody(), LONG).map(|answer| answer.body.len())
}

#[test]
fn an_answer_comes_whole_over_tls_and_says_how_long_it_is_fresh() {
    let authority = Authority::new();
    let large = format!("{{\"keys\":\"{}\"}}", "x".repeat(200_000));
    let answer = json(&large, "Cache-Control: max-age=600\r\n");
    let origin = Origin::always(Some(authority.certify("127.0.0.1", |_| {})), answer);
    let url = origin.url("https", "/realms/a/certs?x=1");
    let answer = get_within(&url, Reach::Anywhere, &trusting(&authority), LONG).expect("an answer");
    assert_eq!(answer.body, large.as_bytes());
    assert_eq!(answer.fields["cache-control"], "max-age=600");
    let head = origin.requests().remove(0).to_ascii_lowercase();
    assert!(head.starts_with("get /realms/a/certs?x=1 http/1.1\r\n"), "{head}");
    for field in [
        format!("host: {}", origin.address),
        "accept: application/json".to_owned(),
        "accept-encoding: identity".to_owned(),
        format!("user-agent: tidings/{}", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(head.contains(&format!("\r\n{field}\r\n")), "{field} in {head}");
    }
}

#[test]
fn calls_of_one_server_share_a_connection() {
    let origin = Origin::always(None, json("{}", ""));
    let (_, caller) = callers(&nobody());
    assert!(get_by(&caller, &origin.url("http", "/"), LONG, 5).iter().all(Result::is_ok));
    assert_eq!((origin.connections(), origin.requests().len()), (1, 5));
}

#[test]
fn redirects_are_not_followed_and_other_statuses_are_no_answer() {
    let elsewhere = Origin::always(None, json("{}", ""));
    for status in [301, 302, 303, 307, 308] {
        let location = elsewhere.url("http", "/secret");
        let answer = format!("HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
        let fault = answered(answer).expect_err("no answer");
        assert_eq!(fault, CallFault::Redirected(status));
        assert!(
            fault.to_string().contains("a redirect, and none is followed") && !fault.to_string().contains("secret")
        );
    }
    assert_eq!(elsewhere.connections(), 0);
    for status in [101, 201, 204, 206, 300, 304, 400, 404, 429, 500, 503] {
        let answer = format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(answered(answer), Err(CallFault::Status(status)));
    }
}

#[test]
fn a_body_has_at_most_256_kib_however_it_comes() {
    let max = KEY_SET_BYTES_MAX;
    let body = |bytes: usize| "x".repeat(bytes);
    for (bytes, expected) in [(0, Ok(0)), (max, Ok(max)), (max + 1, Err(CallFault::BodyTooLarge(max)))] {
        let counted = format!("HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\n\r\n{}", body(bytes));
        let until_the_end = format!("HTTP/1.1 200 OK\r\n\r\n{}", body(bytes));
        let last = if bytes == 0 { "" } else { "0\r\n\r\n" };
        let chunked =
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{bytes:x}\r\n{}\r\n{last}", body(bytes));
        for answer in [counted, until_the_end, chunked] {
            assert_eq!(answered(answer), expected, "{bytes}");
        }
    }
    assert_eq!(answered(json(&body(300 << 10), "")), Err(CallFault::BodyTooLarge(max)));
    // It announces little and sends more: the rest is no part of it. It announces much and sends nothing: it is cut short.
    assert_eq!(answered("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}{}{}{}"), Ok(2));
    let cut = answered("HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n{}").expect_err("it is not whole");
    assert!(matches!(cut, CallFault::Broken(_)), "{cut}");
    let cut =
        answered("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n").expect_err("it is not whole");
    assert!(matches!(cut, CallFault::Broken(_)), "{cut}");
}

#[test]
fn a_body_that_never_ends_is_cut_off_at_the_limit() {
    for head in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"] {
        let origin = Origin::start(None, move |_, stream| {
            let mut sent = stream.write_all(head.as_bytes());
            while sent.is_ok() {
                sent = stream.write_all(&[b'x'; 4096]);
            }
            false
        });
        let fault = fault(&origin.url("http", "/"), Reach::Anywhere, &nobody());
        assert_eq!(fault, CallFault::BodyTooLarge(KEY_SET_BYTES_MAX));
    }
}

#[test]
fn a_head_has_at_most_16_kib() {
    let with = |bytes: usize| format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: {}\r\n\r\n{{}}", "x".repeat(bytes));
    assert_eq!(answered(with(15 << 10)), Ok(2));
    assert_eq!(answered(with(16 << 10)), Err(CallFault::HeadTooLarge(16 << 10)));
    let endless = Origin::start(None, |_, stream| {
        let mut sent = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while sent.is_ok() {
            sent = stream.write_all(b"X: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n");
        }
        false
    });
    let fault = fault(&endless.url("http", "/"), Reach::Anywhere, &nobody());
    assert!(matches!(fault, CallFault::HeadTooLarge(_)), "{fault}");
}

#[test]
fn what_is_not_http_is_no_answer() {
    for bytes in ["", "SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"]
    {
        let fault = answered(bytes).expect_err(bytes);
        assert!(matches!(fault, CallFault::Broken(_)), "{bytes:?}: {fault}");
    }
    assert_eq!(answered(json("{}", "Content-Encoding: gzip\r\n")), Err(CallFault::Encoded));
    assert_eq!(answered(json("{}", "Content-Encoding: identity\r\n")), Ok(2));
}

#[test]
fn the_limit_of_time_is_for_the_whole_call() {
    let silent = Origin::start(None, |_, stream| stream.read(&mut [0]).is_err());
    let drips = |start: &'static str| {
        Origin::start(None, move |_, stream| {
            let mut sent = stream.write_all(start.as_bytes());
            // Far more often than anything that would only wait for the next byte could notice.
            while sent.is_ok() {
                sent = stream.write_all(b"x").and_then(|()| stream.flush());
                std::thread::sleep(Duration::from_millis(5));
            }
            false
        })
    };
    let (head, body) = (drips("HTTP/1.1 200 OK\r\nX: "), drips("HTTP/1.1 200 OK\r\n\r\n"));
    for origin in [&silent, &head, &body] {
        let answer = get_within(&origin.url("http", "/"), Reach::Anywhere, &nobody(), SHORT).map(|_| ());
        assert_eq!(answer, Err(CallFault::TimedOut(SHORT)));
        assert!(!origin.requests().is_empty());
    }
    // It takes no handshake either.
    let answer =
        get_within(&silent.url("https", "/"), Reach::Anywhere, &trusting(&Authority::new()), SHORT).map(|_| ());
    assert_eq!(answer, Err(CallFault::TimedOut(SHORT)));
}

#[test]
fn certificates_of_strangers_of_others_and_of_the_past_are_not_trusted() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let call = |tls, trust: &Trust| {
        let origin = Origin::always(Some(tls), json("{}", ""));
        let fault = fault(&origin.url("https", "/keys"), Reach::Anywhere, trust);
        assert!(origin.requests().is_empty(), "nothing was asked");
        fault
    };
    let untrusted = |fault, words: &str| {
        assert!(matches!(&fault, CallFault::Untrusted(problem) if problem.contains(words)), "{words}: {fault}");
    };
    let good = authority.certify("127.0.0.1", |_| {});
    untrusted(call(good.clone(), &trusting(&stranger)), "none of the authorities that are trusted here signed it");
    untrusted(call(good.clone(), &nobody()), "/nonexistent");
    untrusted(call(authority.certify("elsewhere.example", |_| {}), &trusting(&authority)), "not valid for name");
    let past = authority.certify("127.0.0.1", |params| params.not_after = rcgen::date_time_ymd(2001, 1, 1));
    untrusted(call(past, &trusting(&authority)), "expired");

    let not_tls = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("https://{}/", not_tls.local_addr().expect("an address"));
    let script = std::thread::spawn(move || {
        let (mut stream, _) = not_tls.accept().expect("a connection");
        std::io::Write::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").expect("sent");
        while std::io::Read::read(&mut stream, &mut [0; 4096]).is_ok_and(|read| read > 0) {}
    });
    assert_eq!(
        fault(&url, Reach::Anywhere, &trusting(&authority)),
        CallFault::NoTls("its answer is not TLS".to_owned())
    );
    script.join().expect("the script");
    let tls = Origin::always(Some(good), json("{}", ""));
    let fault = fault(&tls.url("http", "/"), Reach::Anywhere, &nobody());
    assert!(matches!(fault, CallFault::Broken(_)), "{fault}");
}
