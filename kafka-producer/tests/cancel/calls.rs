//! The calls that wait, and what each may leave behind.

use std::pin::Pin;
use std::time::Duration;

use kafka_producer::{Record, StringSerializer, TypedProducer, TypedRecord};

use crate::harness::{World, value};

pub(crate) type BoxFuture<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// A call that is dropped.
pub(crate) struct Call {
    pub(crate) name: &'static str,
    /// Records that it has accepted when it is ready.
    pub(crate) offers: &'static [&'static str],
    /// Dropped, it may have accepted the first of them.
    pub(crate) may_accept_some: bool,
    pub(crate) start: for<'a> fn(&'a World) -> BoxFuture<'a>,
}

const ONE: &[&str] = &["offered"];
const THREE: &[&str] = &["first", "second", "third"];

pub(crate) const SEND: Call = Call {
    name: "send",
    offers: ONE,
    may_accept_some: false,
    start: |world| {
        Box::pin(async {
            let value = value(ONE[0]);
            world.producer.send(Record::new("orders", &value)).await.expect("accepted");
        })
    },
};

pub(crate) const SEND_WITH: Call = Call {
    name: "send_with",
    offers: ONE,
    may_accept_some: false,
    start: |world| {
        Box::pin(async {
            let (value, callback) = (value(ONE[0]), world.callback());
            let record = Record::new("orders", &value);
            world.producer.send_with(record, callback).await.expect("accepted");
        })
    },
};

pub(crate) const SEND_ALL: Call = Call {
    name: "send_all",
    offers: THREE,
    may_accept_some: true,
    start: |world| {
        Box::pin(async {
            let values: Vec<_> = THREE.iter().map(|name| value(name)).collect();
            let records = values.iter().map(|value| Record::new("orders", value));
            assert_eq!(world.producer.send_all(records).await.expect("accepted").len(), 3);
        })
    },
};

pub(crate) const TYPED_SEND: Call = Call {
    name: "TypedProducer::send",
    offers: ONE,
    may_accept_some: false,
    start: |world| {
        Box::pin(async {
            let producer = typed(world);
            let value = value(ONE[0]);
            let record = TypedRecord::<str, str>::new("orders", &value);
            producer.send(record).await.expect("accepted");
        })
    },
};

pub(crate) const TYPED_SEND_WITH: Call = Call {
    name: "TypedProducer::send_with",
    offers: ONE,
    may_accept_some: false,
    start: |world| {
        Box::pin(async {
            let (producer, value, callback) = (typed(world), value(ONE[0]), world.callback());
            let record = TypedRecord::<str, str>::new("orders", &value);
            producer.send_with(record, callback).await.expect("accepted");
        })
    },
};

pub(crate) const PARTITIONS_FOR: Call = Call {
    name: "partitions_for",
    offers: &[],
    may_accept_some: false,
    start: |world| {
        Box::pin(async {
            assert_eq!(world.producer.partitions_for("orders").await.expect("known").len(), 1);
        })
    },
};

pub(crate) const FLUSH: Call = Call {
    name: "flush",
    offers: &[],
    may_accept_some: false,
    start: |world| {
        Box::pin(async {
            world.producer.flush().await.expect("flushed");
        })
    },
};

/// The second flush has nothing left to wait for when the first one is ready.
pub(crate) const FLUSH_TWICE: Call = Call {
    name: "flush, twice",
    offers: &[],
    may_accept_some: false,
    start: |world| {
        Box::pin(async {
            world.producer.flush().await.expect("flushed");
            world.producer.flush().await.expect("flushed");
        })
    },
};

pub(crate) const FLUSH_TIMEOUT: Call = Call {
    name: "flush_timeout",
    offers: &[],
    may_accept_some: false,
    start: |world| {
        Box::pin(async {
            let timeout = Duration::from_secs(3600);
            world.producer.flush_timeout(timeout).await.expect("flushed");
        })
    },
};

pub(crate) const PAUSE_REASON: Call = Call {
    name: "pause_reason",
    offers: &[],
    may_accept_some: false,
    start: |world| {
        Box::pin(async {
            world.producer.pause_reason("orders", 0).await;
        })
    },
};

pub(crate) const DELIVERY: Call = Call {
    name: "Delivery",
    offers: &[],
    may_accept_some: false,
    start: |world| {
        let delivery = world.deliveries.take().pop().expect("something was sent");
        Box::pin(async { drop(delivery.await.expect("delivered")) })
    },
};

pub(crate) const CLOSE: Call = Call {
    name: "close",
    offers: &[],
    may_accept_some: false,
    start: |world| {
        world.is_closed.set(true);
        Box::pin(async {
            world.producer.close(Duration::from_secs(3600)).await.expect("delivered");
        })
    },
};

fn typed(world: &World) -> TypedProducer<StringSerializer, StringSerializer> {
    world.producer.typed(StringSerializer, StringSerializer)
}
