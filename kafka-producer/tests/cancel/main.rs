//! Every call that waits, dropped wherever it waits: nothing is lost, doubled, or stuck.
//!
//! Each test puts a producer into a situation, and drops a call of it when it waits for the first
//! time, then in a new world for the second time, and so on, until one comes to its end. Then the
//! producer must be as good as new, and the log must have what was accepted, once and in order.

mod calls;
mod harness;

use calls::*;
use harness::{Situation, check};

#[test]
fn a_call_may_be_dropped_while_the_topic_is_not_known_yet() {
    for call in [SEND, SEND_WITH, SEND_ALL, TYPED_SEND, TYPED_SEND_WITH, PARTITIONS_FOR] {
        check(Situation::Unknown, &call);
    }
}

#[test]
fn a_call_may_be_dropped_while_no_broker_says_what_the_topic_is() {
    for call in [SEND, SEND_WITH, SEND_ALL, TYPED_SEND, TYPED_SEND_WITH, PARTITIONS_FOR] {
        check(Situation::Silent, &call);
    }
}

#[test]
fn a_call_may_be_dropped_while_it_waits_for_memory() {
    for call in [SEND, SEND_WITH, SEND_ALL, TYPED_SEND, TYPED_SEND_WITH] {
        check(Situation::Full, &call);
    }
}

#[test]
fn a_call_may_be_dropped_while_nothing_is_acknowledged() {
    for call in [FLUSH, FLUSH_TWICE, FLUSH_TIMEOUT, PAUSE_REASON, DELIVERY, CLOSE] {
        check(Situation::Unacknowledged, &call);
    }
}

#[test]
fn a_flush_or_close_that_is_dropped_still_sends_what_lingers() {
    for call in [FLUSH, FLUSH_TWICE, FLUSH_TIMEOUT, CLOSE] {
        check(Situation::Lingering, &call);
    }
}

#[test]
fn a_call_may_be_dropped_while_the_producer_is_closing() {
    for call in [FLUSH, FLUSH_TIMEOUT, PAUSE_REASON, DELIVERY, CLOSE] {
        check(Situation::Closing, &call);
    }
}
