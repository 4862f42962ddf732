//! What strangers may do, directly and through proxies, and operators too.

use super::{Case, EVERY_WAY, Way, run};
use crate::support::OPERATOR;
use crate::support::frames::TEXT;

/// Everything that operators may do.
const OPERATORS: &[(&str, &str)] = &[("GET", "/metrics"), ("GET", "/channels"), ("DELETE", "/channels/kept")];

/// The fields with which somebody may say that they are somebody else.
const DISGUISES: &[&[(&str, &str)]] = &[
    &[],
    &[("X-Forwarded-For", "127.0.0.1"), ("X-Real-IP", "127.0.0.1")],
    &[("Forwarded", "for=127.0.0.1;host=localhost")],
    &[("Host", "127.0.0.1")],
    &[("Origin", "http://localhost:8080")],
];

const CASES: &[Case] = &[
    ("behind a proxy everybody is an operator", |subject| {
        for (method, target) in OPERATORS {
            for fields in DISGUISES {
                let answer = subject.ask(method, target, fields, "");
                assert_eq!(
                    (answer.status, answer.code().as_str()),
                    (401, "operator_needed"),
                    "{method} {target} {fields:?}"
                );
            }
            let wrong = subject.ask(method, target, &[("Authorization", "Bearer nothing-like-it-000000000000")], "");
            assert_eq!((wrong.status, wrong.code().as_str()), (403, "admin_only"), "{method} {target}");
        }
    }),
    ("a socket that says DELETE empties what others read", |subject| {
        let mut socket = subject.socket("/ws", &[]);
        socket.send(TEXT, b"{\"id\":1,\"method\":\"DELETE\",\"path\":\"/channels/kept\"}");
        let answer = socket.next_json();
        assert_eq!((&answer["status"], &answer["error"]["code"]), (&401.into(), &"operator_needed".into()));
    }),
    ("the operators' key does not work through a proxy", |subject| {
        assert_eq!(subject.ask("GET", "/metrics", &[OPERATOR], "").status, 200);
        let mut socket = subject.socket("/ws", &[OPERATOR]);
        socket.send(
            TEXT,
            format!("{{\"id\":1,\"method\":\"POST\",\"path\":\"{}\",\"data\":1}}", subject.path()).as_bytes(),
        );
        assert_eq!(socket.next_json()["status"], 200);
    }),
];

#[test]
#[ignore = "run by tests/run reports: needs nginx and HAProxy"]
fn what_strangers_may_do() {
    run(EVERY_WAY, "", &[], CASES);
}

#[test]
#[ignore = "run by tests/run reports: needs nginx and HAProxy"]
fn behind_a_proxy_everybody_may_publish() {
    let publishes: &[Case] = &[("publishing through a proxy needs no right", |subject| {
        for fields in DISGUISES {
            let answer = subject.ask("POST", &subject.path(), fields, "1");
            assert_eq!((answer.status, answer.code().as_str()), (403, "publishing_not_allowed"), "{fields:?}");
            assert!(answer.text().contains("--allow-anonymous-publish"), "{}", answer.text());
        }
        assert_eq!(subject.data(), "");
    })];
    run(&[Way::Nginx, Way::HaProxy], "", &[], publishes);
}
