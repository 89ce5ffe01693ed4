//! Brokers that want no requests for a while (KIP-219).

use kafka_protocol::ApiKey;

use super::{MS, answer_by_hand, asked, one_partition, requests, send_alone, warmed_up, written};
use crate::sim::{Settings, Simulation};

fn answer_throttled(simulation: &mut Simulation, offset: i64, throttle_ms: i32) {
    simulation.answer_produce(None, &written(offset), Vec::new(), throttle_ms);
}

#[test]
fn the_time_that_a_broker_holds_back_is_no_part_of_the_request_timeout() {
    let settings = Settings { request_timeout: MS * 1000, ..one_partition() };
    let mut simulation = warmed_up(settings);
    answer_by_hand(&mut simulation);
    send_alone(&mut simulation, 0);
    send_alone(&mut simulation, 0);
    answer_throttled(&mut simulation, 1, 2000);
    simulation.run_for(MS * 2800);
    assert_eq!(requests(&simulation, ApiKey::PRODUCE), 3);
    simulation.cluster.clear_faults();
    simulation.run_for(MS * 400);
    assert_eq!(requests(&simulation, ApiKey::PRODUCE), 4);
    assert_eq!(simulation.finish().successes(), 3);
}

#[test]
fn a_throttled_broker_is_sent_nothing_until_its_time_is_over() {
    let mut simulation = warmed_up(one_partition());
    answer_by_hand(&mut simulation);
    send_alone(&mut simulation, 0);
    answer_throttled(&mut simulation, 1, 2000);
    simulation.cluster.clear_faults();
    simulation.send("orders", 0, 100);
    simulation.run_for(MS * 1900);
    assert_eq!(requests(&simulation, ApiKey::PRODUCE), 2);
    simulation.run_for(MS * 200);
    assert_eq!(requests(&simulation, ApiKey::PRODUCE), 3);
    assert_eq!(simulation.finish().successes(), 3);
}

#[test]
fn a_throttled_broker_is_not_asked_for_metadata() {
    let mut simulation = warmed_up(one_partition());
    let leader = simulation.cluster.leader("orders", 0).unwrap();
    answer_by_hand(&mut simulation);
    send_alone(&mut simulation, 0);
    answer_throttled(&mut simulation, 1, 60_000);
    simulation.cluster.clear_faults();
    simulation.cluster.clear_requests();
    for number in 0..20 {
        simulation.try_send(&format!("topic-{number}"), Some(0), 100);
        simulation.run_for(MS * 100);
    }
    let asked = asked(&simulation, ApiKey::METADATA);
    assert!(asked.len() >= 20 && !asked.contains(&leader), "{leader:?}: {asked:?}");
}
