//! Where the mock answers something else than Kafka, and why.

pub(crate) struct Difference {
    pub(crate) script: &'static str,
    /// What the step of either has in it, its log included.
    pub(crate) kafka: &'static str,
    pub(crate) mock: &'static str,
    pub(crate) reason: &'static str,
}

impl Difference {
    pub(crate) fn explains(&self, kafka: Option<&str>, mock: Option<&str>) -> bool {
        let has = |step: Option<&str>, words| step.is_some_and(|step| step.contains(words));
        has(kafka, self.kafka) && has(mock, self.mock)
    }
}

const NO_CLOCK: &str =
    "the cluster reads no clock, so no timestamp is too late and none is its own";
const AS_SENT: &str = "batches are kept as they were sent; Kafka corrects their header";
const STRICT: &str = "a client that numbers its records wrongly is to hear of it";
const NO_TRANSACTIONS: &str = "transactions are not there, so none begins with a batch";
const REPLICAS: &str = "a topic has three replicas unless told otherwise, as in production";

/// Each must show.
pub(crate) const DIFFERENCES: [Difference; 19] = [
    Difference {
        script: "compressed-anew",
        kafka: "gzip",
        mock: "lz4",
        reason: "batches are kept as they were sent; Kafka compresses anew if the topic says so",
    },
    Difference {
        script: "wrong-maximum-timestamps",
        kafka: "2-3 leader epoch 0 none latest 1001",
        mock: "2-3 leader epoch 0 none latest 5000",
        reason: AS_SENT,
    },
    Difference {
        script: "wrong-timestamp-type",
        kafka: "latest 1000: 0@1000 a",
        mock: "latest now: 0@now a",
        reason: AS_SENT,
    },
    Difference {
        script: "wrong-deltas",
        kafka: "latest 1010: 0@1010",
        mock: "latest 1001: 0@1010",
        reason: AS_SENT,
    },
    Difference {
        script: "future-timestamps",
        kafka: "INVALID_TIMESTAMP start 0 records [0]",
        mock: "NONE at 0",
        reason: NO_CLOCK,
    },
    Difference { script: "future-timestamps", kafka: "0 to 0", mock: "0 to 1", reason: NO_CLOCK },
    Difference {
        script: "log-append-time",
        kafka: "NONE at 0 time now",
        mock: "NONE at 0 start 0",
        reason: NO_CLOCK,
    },
    Difference {
        script: "log-append-time",
        kafka: "latest now: 0@now a 1@now b",
        mock: "latest 1001: 0@1000 a 1@1001 b",
        reason: NO_CLOCK,
    },
    Difference {
        script: "one-batch-a-partition",
        kafka: "null: no answer",
        mock: "null: closed",
        reason: "Kafka fails to log that it failed, and forgets the client",
    },
    Difference {
        script: "wrong-deltas",
        kafka: "is-numbered-",
        mock: "INVALID_RECORD",
        reason: STRICT,
    },
    Difference { script: "wrong-deltas", kafka: "0 to 2", mock: "0 to 0", reason: STRICT },
    Difference {
        script: "implicit-transaction",
        kafka: "without a transaction: ",
        mock: "TRANSACTION_ABORTABLE",
        reason: NO_TRANSACTIONS,
    },
    Difference {
        script: "implicit-transaction",
        kafka: "with an unknown id: ",
        mock: "INVALID_PRODUCER_ID_MAPPING",
        reason: NO_TRANSACTIONS,
    },
    Difference {
        script: "implicit-transaction",
        kafka: "/0 NONE at ",
        mock: "/0 NONE at ",
        reason: "the offsets behind a batch that was not written",
    },
    Difference {
        script: "implicit-transaction",
        kafka: "0 to 3\n",
        mock: "0 to 2\n",
        reason: NO_TRANSACTIONS,
    },
    Difference {
        script: "auto-creation",
        kafka: "3 partitions of 1 replicas",
        mock: "3 partitions of 3 replicas",
        reason: REPLICAS,
    },
    Difference {
        script: "created-topics",
        kafka: "partitions 3 replicas 1",
        mock: "partitions 3 replicas 3",
        reason: REPLICAS,
    },
    Difference {
        script: "fetch-sizes",
        kafka: "batches [0] and 1 bytes",
        mock: "batches [0]",
        reason: "batches are read whole; Kafka cuts the last one where the client's limit is",
    },
    Difference {
        script: "fetch-sessions",
        kafka: "a new session: NONE, a session",
        mock: "a new session: NONE, no session",
        reason: "there are no fetch sessions; clients do without (KIP-227)",
    },
];
