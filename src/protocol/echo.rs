//! The protocol of `/echo`: every message goes back as it came. It measures the server below the channels.

use super::Session;
use super::plan::{Opening, Plan};
use super::routes::{Call, Path, Route, Takes, nowhere};
use crate::config::EchoFor;
use crate::model::code::Code;
use crate::wire::http::head::Method;

pub(super) const ROUTES: &[Route] = &[Route {
    path: Path::At("/echo"),
    takes: Takes::Both,
    methods: &[Method::Get],
    streams: false,
    elsewhere: nowhere,
    plan: |call, _| {
        if is_open(call) { Plan::Upgrade(Opening { session: |_| Session::Echo, first: None }) } else { closed() }
    },
}];

fn is_open(call: &Call<'_, '_>) -> bool {
    match call.scope.settings.echo {
        EchoFor::Auto => {
            (call.access.direct && call.scope.policy.rules.channels.is_open()) || call.access.identity.is_operator()
        }
        EchoFor::On => true,
        EchoFor::Off => false,
    }
}

fn closed() -> Plan {
    Plan::refuse(
        Code::Forbidden,
        "/echo is not open to this connection: without websocket.echo = \"on\" it is for operators, and for clients that \
         come directly from this machine to a server in open mode; try /ws",
    )
}
