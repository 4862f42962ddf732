//! Where a call goes: what is judged, and that nothing is connected to that was refused.

use super::origin::{Authority, Origin, json};
use super::{LONG, fault, get_within, trusting};
use crate::services::outbound::connect::Connector;
use crate::services::outbound::{CallFault, Reach};
use std::error::Error;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tower_service::Service as _;

#[test]
fn names_and_addresses_of_this_machine_are_not_called_unless_it_is_allowed() {
    let authority = Authority::new();
    let trust = trusting(&authority);
    let origin = Origin::always(Some(authority.certify("localhost", |_| {})), json("{}", ""));
    let port = origin.address.port();
    for host in ["localhost", "127.0.0.1"] {
        let fault = fault(&format!("https://{host}:{port}/keys"), Reach::Public, &trust);
        assert!(matches!(fault, CallFault::NotPublic { what: "a loopback address", .. }), "{host}: {fault}");
        assert!(fault.to_string().ends_with("allow_private_addresses = true allows it"));
    }
    for (host, what) in [
        ("[::1]", "a loopback address"),
        ("[::ffff:127.0.0.1]", "a loopback address"),
        ("0.0.0.0", "an address of \"this network\""),
        ("[::]", "the unspecified address"),
    ] {
        match fault(&format!("https://{host}:{port}/keys"), Reach::Public, &trust) {
            CallFault::NotPublic { what: found, .. } => assert_eq!(found, what, "{host}"),
            other => panic!("{host}: {other}"),
        }
    }
    assert_eq!(fault(&format!("http://localhost:{port}/keys"), Reach::Public, &trust), CallFault::NotHttps);

    let url = format!("https://localhost:{port}/keys");
    let answer = get_within(&url, Reach::Anywhere, &trust, LONG).expect("it is allowed");
    assert_eq!((answer.body.as_slice(), origin.connections()), (&b"{}"[..], 1), "none was opened before");
}

/// TLS would not take most of these for names, so that they are tried without.
#[test]
fn what_the_system_reads_as_an_address_is_judged_as_one() {
    let origin = Origin::always(None, json("{}", ""));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for host in ["localhost", "127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1", "127.0.0.1"] {
        let connect = |reach| {
            let url = format!("https://{host}:{}/", origin.address.port()).parse().expect("a URL");
            let mut connector = Connector::new(reach, None, Arc::new(Semaphore::new(1)));
            runtime.block_on(async { connector.call(url).await.map(drop) })
        };
        let error = connect(Reach::Public).expect_err("not public");
        let chain = std::iter::successors(Some(&*error as &(dyn Error + 'static)), |error| (*error).source());
        let fault = chain.filter_map(|error| error.downcast_ref::<CallFault>()).next();
        assert!(matches!(fault, Some(CallFault::NotPublic { .. })), "{host}: {error:?}");
        assert!(connect(Reach::Anywhere).is_ok(), "{host}");
    }
    runtime.shutdown_background();
}

#[test]
fn names_without_an_address_and_ports_without_a_server_are_told_apart() {
    let authority = Authority::new();
    let fault_of = |url: &str| fault(url, Reach::Anywhere, &trusting(&authority));
    // Reserved to have no address (RFC 6761).
    let fault = fault_of("https://nowhere.invalid/keys");
    assert!(matches!(fault, CallFault::NoAddress(_)), "{fault}");
    let closed = Origin::always(None, "").address;
    let fault = fault_of(&format!("http://{closed}/keys"));
    assert!(matches!(fault, CallFault::Unreachable(_)), "{fault}");
}
