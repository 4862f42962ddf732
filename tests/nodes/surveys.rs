//! Lists for operators have what is with all nodes, page by page, and name a node that does not answer.

use super::{Cluster, stop};
use crate::support::http::{Answer, get_as_operator};
use crate::support::wait_until;
use crate::support::ws::WsClient;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

fn page(node: SocketAddr, target: &str) -> Value {
    let answer = get_as_operator(node, target);
    assert_eq!(answer.status, 200, "{target}: {}", answer.text());
    answer.json()
}

fn rows<'p>(page: &'p Value, list: &str) -> &'p [Value] {
    page[list].as_array().unwrap_or_else(|| panic!("{list} in {page}"))
}

/// Waits until a node knows so many.
fn wait_for_nodes(node: SocketAddr, count: usize) {
    wait_until("it knows all nodes", || rows(&page(node, "/cluster"), "nodes").len() == count);
}

/// All sockets, in pages of this many rows: by the node that has them, how many.
fn sockets_by_node(node: SocketAddr, limit: usize) -> BTreeMap<String, usize> {
    let (mut found, mut names, mut after) = (BTreeMap::new(), BTreeSet::new(), String::new());
    loop {
        let page = page(node, &format!("/admin/connections?transport=websocket&limit={limit}{after}"));
        assert!(page.get("missing_nodes").is_none() && page.get("alone").is_none(), "{page}");
        assert!(rows(&page, "connections").len() <= limit, "{page}");
        for row in rows(&page, "connections") {
            let text = |name: &str| row[name].as_str().unwrap_or_else(|| panic!("{name} in {row}")).to_owned();
            assert!(names.insert(text("connection")), "twice: {row}");
            *found.entry(text("node")).or_default() += 1;
        }
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return found,
        }
    }
}

#[test]
fn lists_have_what_is_with_all_nodes() {
    let Some(cluster) = Cluster::start("lists of all nodes", 3, &[], &[]) else { return };
    let addresses = cluster.addresses();
    addresses.iter().for_each(|node| wait_for_nodes(*node, 3));
    let mut sockets = Vec::new();
    for (node, count) in addresses.iter().zip([2, 3, 0]) {
        for number in 0..count {
            let mut socket = WsClient::connect(*node);
            socket.subscribe("everywhere");
            socket.subscribe(&format!("of:{}:{number}", node.port()));
            sockets.push(socket);
        }
    }
    for asked in &addresses {
        for limit in [1, 2, 4, 100] {
            let found = sockets_by_node(*asked, limit);
            assert_eq!(found.values().copied().collect::<BTreeSet<_>>(), BTreeSet::from([2, 3]), "{limit}: {found:?}");
        }
        let readers = page(*asked, "/admin/subscribers?channel=everywhere");
        assert_eq!(rows(&readers, "connections").len(), 5);
        let one = rows(&readers, "connections")[4]["connection"].as_str().expect("a name");
        let found = page(*asked, &format!("/admin/connections?connection={one}"));
        assert_eq!(rows(&found, "connections").len(), 1, "whichever node has it");
        let channels = page(*asked, "/channels");
        let subscribers = |name: &str| {
            let mut all = rows(&channels, "channels").iter().filter(|row| row["channel"] == name);
            (all.next().map(|row| row["subscribers"].clone()), all.next())
        };
        assert_eq!(subscribers("everywhere"), (Some(json!(5)), None));
        assert_eq!(subscribers(&format!("of:{}:2", addresses[1].port())), (Some(json!(1)), None));
        assert_eq!(channels["total"], 6, "{channels}");
        let refused: Answer = get_as_operator(*asked, "/admin/connections?after=nowhere");
        assert_eq!((refused.status, refused.code()), (400, "bad_request".to_owned()));
    }
    drop(sockets);
    cluster.stop();
}

#[test]
fn a_node_that_says_nothing_is_named_and_without_redis_the_list_is_of_one() {
    let Some(mut cluster) = Cluster::start("lists without a node", 2, &[], &[]) else { return };
    wait_for_nodes(cluster.address(0), 2);
    let reader = WsClient::connect(cluster.address(0));
    let all = page(cluster.address(0), "/cluster");
    let other = rows(&all, "nodes").iter().find(|row| row["node"] != all["node"]).expect("another")["node"].clone();
    // It is listed for 15 seconds more.
    super::kill(cluster.nodes.pop().expect("two"));
    let found = page(cluster.address(0), "/admin/connections?transport=websocket");
    assert_eq!((rows(&found, "connections").len(), &found["missing_nodes"]), (1, &json!([other])), "{found}");
    assert_eq!(page(cluster.address(0), "/channels")["missing_nodes"], json!([other]));
    cluster.redis.kill();
    wait_until("it is noticed", || page(cluster.address(0), "/cluster")["up"] == false);
    let found = page(cluster.address(0), "/admin/connections?transport=websocket");
    assert_eq!((rows(&found, "connections").len(), &found["alone"]), (1, &json!(true)), "{found}");
    drop(reader);
    cluster.nodes.into_iter().for_each(stop);
}
