//! `acks`, and brokers that go down and come back.

use kafka_mock::{FaultAction, MockServer};
use kafka_producer::Producer;
use kafka_protocol::ApiKey;

use crate::harness::*;

async fn producer_with_acks(server: &MockServer, acks: &str) -> Producer {
    ready(server, builder(server).set("acks", acks)).await
}

fn numbers(range: std::ops::Range<i32>) -> Vec<String> {
    range.map(|number| format!("{number:04}")).collect()
}

weather! {
    async fn without_acks_a_record_is_done_when_it_is_written_and_has_no_offset() {
        let server = server();
        let producer = producer_with_acks(&server, "0").await;
        let written = send(&producer, "value").await.await.unwrap();
        assert_eq!(written.offset, None);
        assert_eq!(written.to_string(), "orders-0@unknown");
        until(|| values(&server) == ["value"]).await;
        assert_eq!(requests(&server, ApiKey::INIT_PRODUCER_ID), 0);
    }

    async fn without_acks_everything_sent_before_the_close_arrives() {
        let server = server();
        let producer = producer_with_acks(&server, "0").await;
        for value in numbers(0..200) {
            drop(send(&producer, &value).await);
        }
        producer.close(std::time::Duration::from_secs(10)).await.unwrap();
        until(|| values(&server).len() == 200).await;
        assert_eq!(values(&server), numbers(0..200));
    }

    async fn the_leaders_ack_gives_an_offset() {
        let server = server();
        let producer = producer_with_acks(&server, "1").await;
        assert_eq!(send(&producer, "1").await.await.unwrap().offset, Some(0));
        assert_eq!(send(&producer, "2").await.await.unwrap().to_string(), "orders-0@1");
        assert_eq!(requests(&server, ApiKey::INIT_PRODUCER_ID), 0);
    }

    async fn a_lost_answer_doubles_nothing() {
        let server = server();
        let producer = producer_with_acks(&server, "all").await;
        let rule = kafka_mock::FaultRule::new(FaultAction::CloseAfter).api(ApiKey::PRODUCE);
        fault(&server, rule.times(3));
        deliver(&producer, "once").await;
        assert_eq!(values(&server), ["once"]);
        assert_eq!(requests(&server, ApiKey::PRODUCE), 4);
    }

    async fn a_broker_that_restarts_in_mid_stream_loses_and_doubles_nothing() {
        let mut server = server();
        let producer = producer_with_acks(&server, "all").await;
        let (mut deliveries, mut held) = (Vec::new(), None);
        for (index, value) in numbers(0..600).iter().enumerate() {
            if index % 150 == 75 {
                held = stop(&mut server).await;
            }
            if index % 150 == 100 {
                tokio::time::sleep(millis(30)).await;
                server.start_broker(FIRST).unwrap();
                drop(held.take());
            }
            deliveries.push(send(&producer, value).await);
            tokio::task::yield_now().await;
        }
        let mut offsets = Vec::new();
        for delivery in deliveries {
            offsets.extend(delivery.await.unwrap().offset);
        }
        assert!(offsets.is_sorted(), "{offsets:?}");
        assert_eq!(values(&server), numbers(0..600));
    }

    async fn a_broker_that_is_down_for_good_is_said() {
        let mut server = server();
        let builder = builder(&server).set("request.timeout.ms", "200");
        let producer = ready(&server, builder.set("delivery.timeout.ms", "400")).await;
        deliver(&producer, "1").await;
        let _held = stop(&mut server).await;
        let error = failure(send(&producer, "2").await).await;
        assert_says!(error, "record for orders-0 failed: not delivered within ", ", because ");
        assert_says!(error, &format!("cannot connect to {}", server.bootstrap_servers()));
    }
}
