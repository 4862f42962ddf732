//! Slowloris in every place where one can drip: all are told at their deadline, counted by reason, and gone.

use super::crowd::{Crowd, Recipe};
use super::witness::Witness;
use crate::support::frames::{BINARY, TEXT, frame, handshake, header};
use crate::support::process::descriptors_allowed;
use crate::support::wait_until;
use std::time::{Duration, Instant};

/// Connections in all, if this process may have as many descriptors.
const CONNECTIONS: usize = 15_000;
/// Descriptors that the test needs besides.
const OTHER_DESCRIPTORS: usize = 500;
const INTERVAL: Duration = Duration::from_secs(5);
/// The server's defaults: for a head, and for a body or a message.
const HEAD: Duration = Duration::from_secs(10);
const BODY: Duration = Duration::from_secs(30);
/// Deadlines are kept in steps of 64 ms, and one begins when the server gets round to accepting.
const EARLY: Duration = Duration::from_millis(150);
/// How late somebody may be told, on a machine that does much else.
const LATE: Duration = Duration::from_secs(10);

/// Each with its deadline, how what it is told ends or what that contains, and the reason it is counted by.
fn recipes() -> Vec<(Recipe, Duration, &'static str, &'static str)> {
    let drip = |name, opening: Vec<u8>, drops: &[u8]| Recipe { name, opening, drops: drops.to_vec() };
    let open = |frame: Vec<u8>| [handshake("/echo", &[]), frame].concat();
    let upgrade = handshake("/ws", &[]);
    let post = "POST /channels/drip HTTP/1.1\r\nHost: localhost\r\n";
    let head = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow: ".to_vec();
    let body = format!("{post}Content-Length: 1000\r\n\r\n").into_bytes();
    let chunks = format!("{post}Transfer-Encoding: chunked\r\n\r\n3E8\r\n").into_bytes();
    let (many, word) = ([b'1'; 40], "message_timeout");
    vec![
        (drip("a connection that says nothing", Vec::new(), b""), HEAD, "", "head_timeout"),
        (drip("a dripping head", head, &many), HEAD, "\"head_timeout\"", "head_timeout"),
        (drip("a dripping upgrade", Vec::new(), &upgrade), HEAD, "\"head_timeout\"", "head_timeout"),
        (drip("half an upgrade", upgrade[..90].to_vec(), b""), HEAD, "\"head_timeout\"", "head_timeout"),
        (drip("a dripping body", body, &many), BODY, "\"body_timeout\"", "body_timeout"),
        (drip("a dripping chunk", chunks, &many), BODY, "\"body_timeout\"", "body_timeout"),
        (drip("a dripping frame header", open(vec![TEXT]), &header(TEXT, 70_000)[1..]), BODY, word, word),
        (
            drip("a dripping payload", open([header(BINARY, 1000), frame(BINARY, b"")[2..].to_vec()].concat()), &many),
            BODY,
            word,
            word,
        ),
    ]
}

#[test]
#[ignore = "run by tests/run hostile"]
fn fifteen_thousand_who_drip_are_told_and_gone_at_their_deadlines() {
    let server = super::server("");
    let witness = Witness::before_attack_on(&server);
    let (memory, descriptors) = (server.pss(), server.descriptors());
    let table = recipes();
    let (recipes, expected): (Vec<Recipe>, Vec<_>) =
        table.into_iter().map(|(recipe, deadline, word, reason)| (recipe, (deadline, word, reason))).unzip();
    let each = CONNECTIONS.min(descriptors_allowed().saturating_sub(OTHER_DESCRIPTORS)) / recipes.len();
    assert!(each >= 50, "raise the limit of open files");
    let began = Instant::now();
    let mut crowd = Crowd::gather(server.address, &recipes, each, INTERVAL);
    println!("slow: {} connections after {:?}", crowd.members.len(), began.elapsed());
    assert!(!crowd.run(&recipes, Duration::from_secs(1)));
    let grown = server.pss().saturating_sub(memory);
    println!("slow: {} bytes of PSS each", grown / crowd.members.len());
    assert!(grown / crowd.members.len() < 4096, "memory follows bytes received: {}", super::kib(grown));
    assert!(
        crowd.run(&recipes, BODY + LATE),
        "{} are still there",
        crowd.members.iter().filter(|m| m.ended.is_none()).count()
    );

    for (index, (recipe, (deadline, word, _))) in recipes.iter().zip(&expected).enumerate() {
        let mut times = Vec::new();
        for member in crowd.members.iter().filter(|member| member.recipe == index) {
            let ended = member.ended.expect("all have ended");
            assert!(ended + EARLY >= *deadline && ended < *deadline + LATE, "{}: ended after {ended:?}", recipe.name);
            let tail = String::from_utf8_lossy(&member.tail);
            assert!(if word.is_empty() { tail.is_empty() } else { tail.contains(word) }, "{}: {tail:?}", recipe.name);
            times.push(ended);
        }
        times.sort_unstable();
        println!("slow: {} × {}: ended after {:?} to {:?}", times.len(), recipe.name, times[0], times[times.len() - 1]);
    }
    wait_until("all descriptors are given back", || server.descriptors() <= descriptors + 1);
    for reason in ["head_timeout", "body_timeout", "message_timeout"] {
        let of_this = expected.iter().filter(|(_, _, own)| *own == reason).count();
        let counted = server.metric(&format!("tidings_connections_closed_total{{reason=\"{reason}\"}}"));
        assert_eq!(counted, (of_this * each) as f64, "{reason}");
    }
    println!("slow: {} of PSS more when all are gone", super::kib(server.pss().saturating_sub(memory)));
    super::tell_lag("slow", &server);
    witness.finish("slow");
}
