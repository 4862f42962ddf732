//! The embedded files: public, cached by entity tag or for ever, compressed where that is liked, and switched off with the console.

use crate::support::TestServer;
use crate::support::http::{Answer, HttpClient, get};
use std::io::Read;

const CLIENT: &str = "/tidings.js";

fn ask(server: &TestServer, method: &str, target: &str, fields: &[(&str, &str)]) -> Answer {
    HttpClient::connect(server.address()).request(method, target, fields, b"")
}

/// The address of the console's script, with the version that the page names.
fn versioned_script(page: &Answer) -> String {
    let text = page.text();
    let at = text.find("src=\"/v/").expect("the page loads a versioned script") + "src=\"".len();
    text[at..].split('"').next().expect("the end of the address").to_owned()
}

#[test]
fn a_file_that_the_client_holds_is_not_sent_again() {
    let server = TestServer::start(|_| {});
    for target in ["/", "/tutorial", CLIENT, "/favicon.svg"] {
        let first = get(server.address(), target);
        assert_eq!((first.status, first.field("Cache-Control")), (200, Some("no-cache")), "{target}");
        let tag = first.field("ETag").expect("an entity tag").to_owned();
        for held in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
            let again = ask(&server, "GET", target, &[("If-None-Match", &held)]);
            assert_eq!((again.status, again.body.len()), (304, 0), "{target} {held}");
            assert_eq!(again.field("ETag"), Some(&*tag));
            assert_eq!((again.field("Vary"), again.field("Content-Type")), (Some("Accept-Encoding"), None));
        }
        let other = ask(&server, "GET", target, &[("If-None-Match", "\"other\"")]);
        assert!(other.status == 200 && other.body == first.body, "{target}");
    }
}

#[test]
fn compressed_bytes_are_the_plain_ones_and_have_a_tag_of_their_own() {
    let server = TestServer::start(|_| {});
    for target in ["/", "/tutorial", CLIENT, "/console.css"] {
        let plain = get(server.address(), target);
        let packed = ask(&server, "GET", target, &[("Accept-Encoding", "br, gzip")]);
        assert_eq!((plain.field("Content-Encoding"), packed.field("Content-Encoding")), (None, Some("gzip")));
        assert_eq!((plain.field("Vary"), packed.field("Vary")), (Some("Accept-Encoding"), Some("Accept-Encoding")));
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(&*packed.body).read_to_end(&mut unpacked).expect("gzip");
        assert!(unpacked == plain.body && packed.body.len() < plain.body.len() * 2 / 3, "{target}");
        assert_ne!(plain.field("ETag"), packed.field("ETag"), "{target}");
        let tag = packed.field("ETag").expect("an entity tag").to_owned();
        let again = ask(&server, "GET", target, &[("Accept-Encoding", "gzip"), ("If-None-Match", &tag)]);
        assert_eq!(again.status, 304, "{target}");
        let head = ask(&server, "HEAD", target, &[("Accept-Encoding", "gzip")]);
        assert_eq!(head.field("Content-Length"), Some(&*packed.body.len().to_string()), "{target}");
        for refused in ["gzip;q=0", "identity", "gzip;q=0, *", "gzip;q=0.2, identity;q=0.9"] {
            let answer = ask(&server, "GET", target, &[("Accept-Encoding", refused)]);
            assert_eq!((answer.status, answer.field("Content-Encoding")), (200, None), "{target} {refused}");
        }
    }
}

#[test]
fn versioned_addresses_are_cached_for_ever_and_others_asked_for_each_time() {
    let server = TestServer::start(|_| {});
    let script = versioned_script(&get(server.address(), "/"));
    let immutable = get(server.address(), &script);
    assert_eq!(immutable.status, 200);
    assert!(immutable.field("Cache-Control").is_some_and(|value| value.contains("immutable")));
    let name = script.rsplit('/').next().expect("a name");
    for target in [format!("/{name}"), format!("/v/0123456789abcdef/{name}")] {
        let answer = get(server.address(), &target);
        assert_eq!((answer.status, answer.field("Cache-Control")), (200, Some("no-cache")), "{target}");
        assert_eq!(answer.body, immutable.body);
    }
    assert_eq!(get(server.address(), "/v/latest/console.js").status, 404);
}

/// The API refuses pages of these origins; the files are the same for everybody and hold no secrets.
#[test]
fn files_are_public_to_pages_of_any_origin() {
    let server = TestServer::start(|_| {});
    for origin in ["https://evil.example", "null", "file://", "http://localhost:3000"] {
        for (method, target, status) in
            [("GET", CLIENT, 200), ("HEAD", CLIENT, 200), ("GET", "/console.css", 200), ("OPTIONS", CLIENT, 204)]
        {
            let answer = ask(&server, method, target, &[("Origin", origin)]);
            assert_eq!((answer.status, answer.field("Access-Control-Allow-Origin")), (status, Some("*")), "{origin}");
            assert_eq!(answer.fields.iter().filter(|(name, _)| name == "Access-Control-Allow-Origin").count(), 1);
            assert_eq!(answer.field("Cross-Origin-Resource-Policy"), Some("cross-origin"), "{origin}");
        }
    }
    for (method, target) in [("GET", "/channels/a"), ("GET", "/nothing"), ("GET", "/metrics")] {
        let answer = ask(&server, method, target, &[("Origin", "https://evil.example")]);
        assert_eq!((answer.status, answer.field("Access-Control-Allow-Origin")), (403, None), "{method} {target}");
    }
}

#[test]
fn a_file_is_only_read() {
    let server = TestServer::start(|_| {});
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        let answer = ask(&server, method, CLIENT, &[]);
        assert_eq!((answer.status, answer.field("Allow")), (405, Some("GET, HEAD, OPTIONS")), "{method}");
    }
}

#[test]
fn a_console_that_is_switched_off_is_gone_and_the_client_stays() {
    for console in [true, false] {
        let server = TestServer::start(|config| config.web.console = console);
        let status = if console { 200 } else { 404 };
        for target in ["/", "/tutorial", "/console.js", "/kit.js", "/demo-chat.js", "/console.css", "/favicon.svg"] {
            let answer = get(server.address(), target);
            assert_eq!(answer.status, status, "{target}");
            assert!(console || answer.text().contains("web.console"), "{}", answer.text());
        }
        for target in [CLIENT, "/livez", "/channels/a"] {
            assert_eq!(get(server.address(), target).status, 200, "{target}");
        }
        let nothing = get(server.address(), "/nothing");
        assert_eq!(
            (nothing.status, nothing.text().contains("the paths are /, ")),
            (404, console),
            "{}",
            nothing.text()
        );
    }
}
