//! What the limits of a configuration allow to whom.

use super::{Client, InForce, Limiter, Moment, Party, RuleRates, What};
use crate::config::{Config, Counted, Rate};
use crate::model::code::Code;
use crate::model::ids::{ConnId, MailboxId};
use crate::model::peer_address::{AddressPrefix, PeerAddress};
use std::net::IpAddr;

fn limiter(settings: &str) -> Limiter {
    let config = Config::from_toml("limits.toml", &format!("[limits]\n{settings}")).expect("settings");
    Limiter::new(&config)
}

fn prefix(address: &str) -> AddressPrefix {
    PeerAddress::from(address.parse::<IpAddr>().expect("an address")).prefix()
}

fn client<'a>(slot: u32, party: Party<'a>, address: &str) -> Client<'a> {
    let address = (!address.is_empty()).then(|| prefix(address));
    Client { connection: ConnId::here(MailboxId(0), slot, 0), party, address }
}

fn at(ms: u64) -> Moment {
    Moment(ms * 64_000_000)
}

/// Requests, bytes, entries, addresses.
fn flags(in_force: InForce) -> [bool; 4] {
    [in_force.requests(), in_force.bytes(), in_force.entries(), in_force.addresses()]
}

const USER: Party<'_> = Party::User("ann");
const KEY: Party<'_> = Party::Key("backend");

/// How many of so many at once are allowed.
fn allowed(limiter: &Limiter, client: &Client<'_>, what: What, of: usize) -> usize {
    (0..of).filter(|_| limiter.admit(client, what, false, at(0)).is_ok()).count()
}

#[test]
fn by_default_only_connections_of_anonymous_clients_and_users_have_limits_and_none_in_open_mode() {
    let limiter = limiter("");
    let in_open_mode = limiter.in_force(true, false);
    assert!(in_open_mode.is_open_mode() && !in_open_mode.any());
    assert_eq!(flags(limiter.in_force(false, false)), [true, true, false, false]);
    assert!(limiter.in_force(true, true).requests(), "rules may limit them too");
    let everyone = [Party::Anonymous, USER, KEY];
    let requests: Vec<usize> = (0..3)
        .map(|slot| allowed(&limiter, &client(slot, everyone[slot as usize], "192.0.2.1"), What::Requests, 5000))
        .collect();
    assert_eq!(requests, [2000, 2000, 5000]);
    let anonymous = client(9, Party::Anonymous, "192.0.2.1");
    assert_eq!(allowed(&limiter, &anonymous, What::Publications, 5000), 500);
    assert!(limiter.admit(&anonymous, What::Publications, true, at(0)).is_ok(), "in open mode");
    assert!(limiter.charge(&anonymous, 16 << 20, false, at(0)).is_none());
    let debt = limiter.charge(&anonymous, 2 << 20, false, at(0)).expect("it is used up");
    assert_eq!(debt.wait.as_millis(), 1000);
}

#[test]
fn what_is_set_holds_in_open_mode_too_and_off_is_off() {
    let limiter = limiter("connection_requests = \"1/s\"\nconnection_publications = \"off\"\nconnection_bytes = 0");
    let anonymous = client(1, Party::Anonymous, "");
    assert!(limiter.admit(&anonymous, What::Requests, true, at(0)).is_ok());
    assert!(limiter.admit(&anonymous, What::Requests, true, at(0)).is_err());
    assert_eq!(flags(limiter.in_force(false, false)), [true, false, false, false]);
    let limiter = self::limiter(
        "connection_requests = \"off\"\nconnection_publications = \"off\"\nuser_connections = 1\naddress_connections = 1",
    );
    assert_eq!(flags(limiter.in_force(false, false)), [false, true, true, true]);
}

#[test]
fn each_client_has_allowances_of_its_own_and_shares_those_of_its_user_key_and_address() {
    let limiter = limiter(
        "connection_requests = \"3/h\"\nuser_requests = \"5/h\"\nkey_requests = \"4/h\"\naddress_requests = \"7/h\"",
    );
    let requests = |slot, party, address| allowed(&limiter, &client(slot, party, address), What::Requests, 10);
    assert_eq!(requests(1, USER, "192.0.2.1"), 3, "by connection");
    assert_eq!(requests(2, USER, "192.0.2.1"), 2, "by user");
    assert_eq!(requests(3, Party::User("bob"), "192.0.2.1"), 2, "by address");
    assert_eq!(requests(4, Party::Anonymous, "192.0.2.1"), 0, "by address");
    assert_eq!(requests(5, Party::Anonymous, "192.0.2.2"), 3, "another address");
    assert_eq!(requests(6, Party::Anonymous, ""), 3, "without limits by address");
    assert_eq!((requests(7, KEY, "192.0.2.1"), requests(8, KEY, "192.0.2.2")), (4, 0), "by key, whatever its address");
}

#[test]
fn what_one_limit_refuses_takes_nothing_from_the_others() {
    let limiter = limiter("connection_publications = \"3/h\"\nuser_publications = \"1/h\"");
    let ann = client(1, USER, "");
    assert_eq!(allowed(&limiter, &ann, What::Publications, 100), 1);
    // The same connection, as if it were another user's: two are left.
    assert_eq!(allowed(&limiter, &client(1, Party::User("bob"), ""), What::Publications, 1), 1);
    assert_eq!(allowed(&limiter, &client(1, Party::Anonymous, ""), What::Publications, 5), 1);
}

#[test]
fn ipv6_addresses_share_by_their_64_bits() {
    let limiter = limiter("address_requests = \"2/h\"\nconnection_requests = \"off\"");
    let requests = |address| allowed(&limiter, &client(1, Party::Anonymous, address), What::Requests, 9);
    assert_eq!((requests("2001:db8::1"), requests("2001:db8::ffff:1"), requests("2001:db8:0:1::1")), (2, 0, 2));
}

#[test]
fn a_refusal_says_which_limit_of_whom_the_setting_and_the_true_time() {
    let limiter =
        limiter("user_publications = \"600/m burst 1\"\naddress_new_connections = \"2/m\"\naddress_connections = 2");
    let ann = client(1, USER, "");
    assert!(limiter.admit(&ann, What::Publications, false, at(0)).is_ok());
    let refusal = limiter.admit(&ann, What::Publications, false, at(40)).expect_err("it is too early");
    assert_eq!((refusal.code, refusal.retry_after_ms), (Code::TooManyPublications, 60));
    assert_eq!(
        refusal.message,
        "this user sends more publications than 600/m burst 1 (limits.user_publications); try again in 60 ms"
    );
    let here = prefix("192.0.2.1");
    let places: Vec<_> = (0..2).map(|_| limiter.enter_from(here, at(0)).expect("there is room")).collect();
    let refusal = limiter.enter_from(here, at(0)).expect_err("it has two");
    assert_eq!((refusal.code, refusal.retry_after_ms), (Code::TooManyConnectionsOfAddress, 0));
    assert_eq!(
        refusal.message,
        "this address has 2 connections open, as many as it may (limits.address_connections); close one first"
    );
    assert_eq!(limiter.figures(at(0)).capped, 1);
    drop(places);
    assert_eq!(limiter.figures(at(0)).capped, 0, "places come back");
    let refusal = limiter.enter_from(here, at(0)).expect_err("it has opened two");
    assert_eq!((refusal.code, refusal.retry_after_ms), (Code::TooManyNewConnections, 30_000));
    assert_eq!(limiter.figures(at(0)).capped, 0, "what the rate refused has no place");
    assert!(refusal.message.ends_with("(limits.address_new_connections); try again in 30 s"), "{}", refusal.message);
}

#[test]
fn users_and_keys_have_caps_and_rates_of_connections_of_their_own() {
    let limiter = limiter("user_connections = 1\nkey_new_connections = \"1/h\"");
    let ann = limiter.enter_as(USER, at(0)).expect("the first");
    assert_eq!(limiter.enter_as(USER, at(0)).expect_err("the second").code, Code::TooManyConnectionsOfUser);
    assert!(limiter.enter_as(Party::User("bob"), at(0)).expect("another").is_some());
    drop(ann);
    assert!(limiter.enter_as(USER, at(0)).is_ok());
    assert!(limiter.enter_as(KEY, at(0)).expect("no cap").is_none(), "nothing is counted of a key");
    assert_eq!(limiter.enter_as(KEY, at(0)).expect_err("too fast").code, Code::TooManyNewConnections);
    assert!(limiter.enter_as(Party::Anonymous, at(0)).expect("no limit").is_none());
}

#[test]
fn a_rule_limits_each_of_its_channels_and_each_client_in_all_of_them() {
    let limiter = limiter("");
    let rate = |text| Rate::parse(text, Counted::Pieces).expect("a rate");
    let rule = RuleRates { number: 2, channel: rate("3/h"), client: rate("2/h") };
    let publish = |rule: &RuleRates, client: &Client<'_>, channel: &str| {
        limiter
            .admit_by_rule(client, rule, channel, || "[[channel]] 2".to_owned(), at(0))
            .map_err(|refusal| refusal.message)
    };
    let [ann, bob] = ["ann", "bob"].map(|name| client(1, Party::User(name), ""));
    assert_eq!([(); 2].map(|()| publish(&rule, &ann, "a")), [Ok(()), Ok(())]);
    assert_eq!(
        publish(&rule, &ann, "b").expect_err("a third"),
        "this client sends more publications than 2/h (client_publish_rate of [[channel]] 2); try again in 1800 s"
    );
    assert_eq!(publish(&rule, &bob, "a"), Ok(()), "what was refused was not counted of the channel");
    assert_eq!(
        publish(&rule, &bob, "a").expect_err("a fourth"),
        "this channel receives more publications than 3/h (publish_rate of [[channel]] 2); try again in 1200 s"
    );
    assert_eq!((publish(&rule, &bob, "b"), publish(&rule, &client(2, Party::Anonymous, ""), "b")), (Ok(()), Ok(())));
    let other = RuleRates { number: 3, ..rule };
    assert_eq!(publish(&other, &ann, "c"), Ok(()), "each rule has its own");
}
