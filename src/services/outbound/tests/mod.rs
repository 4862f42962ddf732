//! The outbound thread against real servers, with certificates made here.

mod addresses;
mod calls;
mod key_sets;
#[path = "../../../../tests/support/origin.rs"]
mod origin;

use super::caller::{Answer, Bounds, Caller};
use super::{CallFault, KEY_SET_BYTES_MAX, Reach, callers};
use crate::tls::Trust;
use origin::Authority;
use std::time::Duration;

/// Longer than anything here takes: only what must run out of time gets less.
const LONG: Duration = Duration::from_secs(60);

fn trusting(authority: &Authority) -> Trust {
    Trust::File(authority.file.clone())
}

/// One call by a caller of its own.
fn get_within(url: &str, reach: Reach, trust: &Trust, time: Duration) -> Result<Answer, CallFault> {
    let (public, anywhere) = callers(trust);
    get_by(if reach == Reach::Public { &public } else { &anywhere }, url, time, 1).remove(0)
}

/// Calls one after the other.
fn get_by(caller: &Caller, url: &str, time: Duration, times: usize) -> Vec<Result<Answer, CallFault>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let bounds = Bounds { time, body_bytes: KEY_SET_BYTES_MAX };
    let answers = runtime.block_on(async {
        let mut answers = Vec::new();
        for _ in 0..times {
            answers.push(caller.get(url.parse().expect("a URL"), "application/json", bounds).await);
        }
        answers
    });
    runtime.shutdown_background();
    answers
}

/// A call that must fail.
fn fault(url: &str, reach: Reach, trust: &Trust) -> CallFault {
    match get_within(url, reach, trust, LONG) {
        Ok(answer) => panic!("{url}: {} bytes", answer.body.len()),
        Err(fault) => fault,
    }
}
