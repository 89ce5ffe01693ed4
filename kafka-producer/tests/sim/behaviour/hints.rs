//! Who leads instead, as an answer to Produce may say (KIP-951).

use std::time::Duration;

use kafka_mock::{BrokerId, FaultAction};
use kafka_protocol::messages::produce::{LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse};
use kafka_protocol::{ApiKey, ErrorCode, VersionRange};

use super::{
    MS, asked, one_partition, produce, refuse_by_hand, refused, send_alone, times, warmed_up,
};
use crate::sim::Simulation;

fn other_broker(simulation: &Simulation) -> BrokerId {
    let leader = simulation.cluster.leader("orders", 0).unwrap();
    simulation.cluster.brokers().into_iter().find(|broker| *broker != leader).unwrap()
}

fn hint(leader_id: i32, leader_epoch: i32) -> PartitionProduceResponse {
    PartitionProduceResponse {
        current_leader: LeaderIdAndEpoch { leader_id, leader_epoch, ..Default::default() },
        ..refused(ErrorCode::NOT_LEADER_OR_FOLLOWER)
    }
}

/// The pause between a first attempt that fails with this answer, and the second one.
fn pause_after(
    simulation: &mut Simulation,
    answer: &PartitionProduceResponse,
    nodes: Vec<NodeEndpoint>,
) -> Duration {
    refuse_by_hand(simulation);
    send_alone(simulation, 0);
    simulation.cluster.clear_requests();
    let before = simulation.now - simulation.start;
    simulation.answer_produce(None, answer, nodes, 0);
    simulation.run_for(MS * 2000);
    times(simulation, ApiKey::PRODUCE)[0] - before
}

#[test]
fn a_new_leader_is_tried_at_once_and_the_same_one_after_a_backoff() {
    let mut simulation = warmed_up(one_partition());
    let other = other_broker(&simulation);
    simulation.cluster.move_leader("orders", 0, Some(other));
    let epoch = 100;
    simulation.cluster.announce_leader("orders", 0, Some((other, epoch)));
    let pause = pause_after(&mut simulation, &hint(other.0, epoch), Vec::new());
    assert!(pause < MS * 40, "{pause:?}");
    let pause = pause_after(&mut simulation, &hint(other.0, epoch), Vec::new());
    assert!(pause >= MS * 80, "{pause:?}");
    assert_eq!(simulation.finish().successes(), 3);
}

#[test]
fn a_leader_that_metadata_tell_is_tried_at_once_if_its_epoch_is_newer() {
    let mut settings = one_partition();
    settings.cluster = settings.cluster.versions(ApiKey::PRODUCE, VersionRange::new(0, 9));
    for is_moved in [true, false] {
        let mut simulation = warmed_up(settings.clone());
        if is_moved {
            let other = other_broker(&simulation);
            simulation.cluster.move_leader("orders", 0, Some(other));
        } else {
            let error = FaultAction::Error(ErrorCode::NOT_LEADER_OR_FOLLOWER);
            simulation.cluster.add_fault(produce(error));
        }
        simulation.run_for(MS * 1000);
        simulation.cluster.clear_requests();
        simulation.send("orders", 0, 100);
        simulation.run_for(MS * 1000);
        let times = times(&simulation, ApiKey::PRODUCE);
        let pause = times[1] - times[0];
        assert_eq!(pause < MS * 40, is_moved, "{pause:?}");
        assert!(!simulation.cluster.requests().all(|request| request.api != ApiKey::METADATA));
        assert_eq!(simulation.finish().successes(), 2);
    }
}

#[test]
fn a_hint_that_is_older_unknown_or_empty_is_not_followed() {
    let mut simulation = warmed_up(one_partition());
    let leader = simulation.cluster.leader("orders", 0);
    super::metadata::grow_epoch(&mut simulation);
    let pause = pause_after(&mut simulation, &refused(ErrorCode::NOT_LEADER_OR_FOLLOWER), vec![]);
    assert!(pause >= MS * 80, "{pause:?}");
    let other = other_broker(&simulation);
    for (leader_id, epoch) in [(other.0, 1), (other.0, -1), (-1, 100), (77, 100)] {
        let pause = pause_after(&mut simulation, &hint(leader_id, epoch), Vec::new());
        assert!(pause >= MS * 80, "{leader_id}, epoch {epoch}: {pause:?}");
    }
    assert!(asked(&simulation, ApiKey::PRODUCE).into_iter().all(|broker| Some(broker) == leader));
    assert_eq!(simulation.finish().successes(), 6);
}

/// Not even to reset a connection.
#[test]
fn a_hint_that_is_older_moves_no_address() {
    let mut simulation = warmed_up(one_partition());
    let leader = simulation.cluster.leader("orders", 0).unwrap();
    super::metadata::grow_epoch(&mut simulation);
    let gone =
        NodeEndpoint { node_id: leader.0, host: "127.0.0.1".into(), port: 1, ..Default::default() };
    pause_after(&mut simulation, &hint(leader.0, 0), vec![gone]);
    assert!(!asked(&simulation, ApiKey::API_VERSIONS).contains(&leader));
    assert_eq!(simulation.finish().successes(), 2);
}

/// Its connection is opened to where the answer says.
#[test]
fn a_hint_may_name_a_broker_that_metadata_have_not_told_yet() {
    let mut simulation = warmed_up(one_partition());
    let answer = super::metadata::answer_about(
        &simulation,
        simulation.cluster.topic_id("orders").unwrap(),
        simulation.cluster.leader("orders", 0).unwrap(),
        0,
    );
    let other = other_broker(&simulation);
    let brokers = answer.brokers.iter().filter(|broker| broker.node_id != other.0).cloned();
    let answer =
        kafka_protocol::messages::MetadataResponse { brokers: brokers.collect(), ..answer };
    simulation.sender.hear_metadata(simulation.now, &answer);
    simulation.cluster.move_leader("orders", 0, Some(other));
    let epoch = 100;
    simulation.cluster.announce_leader("orders", 0, Some((other, epoch)));
    let node = NodeEndpoint {
        node_id: other.0,
        host: "127.0.0.1".into(),
        port: crate::sim::network::port_of(other).into(),
        ..Default::default()
    };
    let pause = pause_after(&mut simulation, &hint(other.0, epoch), vec![node]);
    assert!(pause < MS * 60, "{pause:?}");
    assert_eq!(simulation.finish().successes(), 2);
}

/// Several batches could be written behind one that the new leader has not (franz-go#223).
#[test]
fn after_a_leader_moved_one_request_is_in_flight_until_the_new_one_has_acknowledged() {
    let mut simulation = warmed_up(one_partition());
    for _ in 0..3 {
        refuse_by_hand(&mut simulation);
    }
    for _ in 0..3 {
        send_alone(&mut simulation, 0);
    }
    assert_eq!(simulation.sender.partition_in_flight_max(), 3);
    let other = other_broker(&simulation);
    simulation.cluster.move_leader("orders", 0, Some(other));
    let epoch = 100;
    simulation.cluster.announce_leader("orders", 0, Some((other, epoch)));
    // The first of the new leader takes its time; later ones wait although five are allowed.
    simulation.cluster.add_fault(produce(FaultAction::Delay(MS * 500)).broker(other));
    for _ in 0..3 {
        simulation.answer_produce(None, &hint(other.0, epoch), Vec::new(), 0);
    }
    for _ in 0..5 {
        send_alone(&mut simulation, 0);
        assert_eq!(simulation.sender.partition_in_flight_max(), 1);
    }
    assert_eq!(simulation.finish().successes(), 9);
}

/// The old leader refuses the first, and the one behind it goes to the new leader.
#[test]
fn a_batch_behind_one_that_was_refused_by_the_old_leader_does_not_overtake_it_at_the_new_one() {
    let mut simulation = warmed_up(one_partition());
    simulation.sender.set_epoch(7);
    let other = other_broker(&simulation);
    // Nothing of this epoch was acknowledged: a broker takes whatever comes first.
    let error = FaultAction::Error(ErrorCode::NOT_LEADER_OR_FOLLOWER);
    simulation.cluster.add_fault(produce(error).and(FaultAction::Delay(MS * 100)));
    for _ in 0..3 {
        send_alone(&mut simulation, 0);
    }
    simulation.cluster.move_leader("orders", 0, Some(other));
    simulation.settle();
    assert_eq!(super::sequences(&simulation, 0), [(0, 0), (7, 0), (7, 1), (7, 2)]);
    assert_eq!(simulation.finish().successes(), 4);
}
