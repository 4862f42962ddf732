//! Attacks of `hostile` in forms that take minutes, or have the machine for themselves: `tests/run hostile` has no time for them.

use crate::hostile::{crowded, handshakes, injected, stopped};

#[test]
#[ignore = "run by tests/faults handshakes"]
fn ten_thousand_malformed_handshakes_a_second_are_all_answered_and_leave_memory_as_it_was() {
    handshakes::flood_for_minutes();
}

#[test]
#[ignore = "run by tests/faults crowded"]
fn a_full_server_uses_hardly_any_cpu_and_gives_a_place_that_came_free_at_once() {
    crowded::full_for_a_while();
}

#[test]
#[ignore = "run by tests/faults stall"]
fn a_server_that_was_stopped_for_a_quarter_of_a_minute_loses_nobody() {
    stopped::stopped_in_waves(15);
}

#[test]
#[ignore = "run by tests/faults failures"]
fn a_server_that_cannot_wait_for_events_ends_and_says_so_in_one_line() {
    injected::without_waits();
}
