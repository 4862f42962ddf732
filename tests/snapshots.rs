//! Snapshots that a client holds: their entity tags, and the 304 that sends nothing again.

use crate::support::TestServer;
use crate::support::http::{Answer, HttpClient};

const PATH: &str = "/channels/a";

fn get(client: &mut HttpClient, target: &str, held: Option<&str>) -> Answer {
    let fields: Vec<(&str, &str)> = held.map(|held| ("If-None-Match", held)).into_iter().collect();
    client.request("GET", target, &fields, b"")
}

fn tag(answer: &Answer) -> String {
    answer.field("ETag").expect("an entity tag").to_owned()
}

#[test]
fn a_snapshot_that_has_not_changed_is_not_sent_again() {
    let server = TestServer::start(|config| config.history.count = 3);
    let mut client = HttpClient::connect(server.address());
    let empty = get(&mut client, PATH, None);
    let epoch = empty.json()["epoch"].as_str().expect("an epoch").to_owned();
    assert_eq!(tag(&empty), format!("\"{epoch}:0:1\""));
    let mut before = tag(&empty);
    // Once it is full each publication takes the place of the oldest.
    for (offset, first) in [(1, 1), (2, 1), (3, 1), (4, 2), (5, 3)] {
        server.publish("a", offset.to_string()).expect("published");
        let changed = get(&mut client, PATH, Some(&before));
        assert_eq!((changed.status, changed.json()["offset"].as_u64()), (200, Some(offset)));
        before = tag(&changed);
        assert_eq!(before, format!("\"{epoch}:{offset}:{first}\""));
        assert_eq!(changed.field("Cache-Control"), Some("private, no-cache"));
    }
    for held in [before.clone(), format!("W/{before}"), format!("\"x\", {before}"), "*".to_owned()] {
        let unchanged = get(&mut client, PATH, Some(&held));
        assert_eq!((unchanged.status, unchanged.body.len()), (304, 0), "{held}");
        assert_eq!((tag(&unchanged), unchanged.field("Content-Type")), (before.clone(), None));
        assert_eq!(unchanged.field("Cache-Control"), Some("private, no-cache"));
    }
    for held in ["\"x\"", "x", ""] {
        assert_eq!(get(&mut client, PATH, Some(held)).status, 200, "{held:?}");
    }
    let head = client.request("HEAD", PATH, &[], b"");
    assert_eq!((head.status, tag(&head)), (200, before.clone()), "HEAD says the same");
    assert_eq!(tag(&get(&mut client, "/channels/a?last=1", None)), format!("\"{epoch}:5:5\""));
    let page = get(&mut client, &format!("/channels/a?since={epoch}:3&limit=1"), None);
    assert_eq!(tag(&page), format!("\"{epoch}:4:4\""));
    // Its history goes, and its position stays.
    let operator = [crate::support::OPERATOR];
    assert_eq!(client.request("DELETE", PATH, &operator, b"").status, 200);
    let emptied = get(&mut client, PATH, Some(&before));
    assert_eq!((emptied.status, tag(&emptied)), (200, format!("\"{epoch}:5:6\"")));
}

#[test]
fn what_is_no_snapshot_has_no_tag() {
    let server = TestServer::start(|_| {});
    let mut client = HttpClient::connect(server.address());
    for (method, target, status) in
        [("POST", PATH, 200), ("GET", "/livez", 200), ("GET", "/channels/a?lst=1", 400), ("GET", "/channels/%2A", 400)]
    {
        let body: &[u8] = if method == "POST" { b"1" } else { b"" };
        let answer = client.request(method, target, &[("If-None-Match", "*")], body);
        assert_eq!((answer.status, answer.field("ETag")), (status, None), "{method} {target}");
        assert_eq!(answer.field("Cache-Control"), Some("no-store"), "{method} {target}");
    }
}
