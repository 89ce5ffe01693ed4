//! `kafka metadata`.

use crate::fixture::{Cluster, kafka};

#[test]
fn metadata_is_a_table_with_the_errors_of_topics() {
    let cluster = Cluster::with(&[("a", 2), ("orders", 1)]);
    let moved = cluster.server.with_cluster(|cluster| cluster.move_leader("a", 1, None));
    assert!(moved);
    let ran = kafka(&["metadata", "-b", &cluster.servers(), "a", "nope"]);
    let table = ran.out.split_once("\n\n").map(|(_, tables)| tables).unwrap();
    let table = table.split_once("\n\n").map(|(_, topics)| topics);
    let expected = "\
TOPIC  PARTITION  LEADER  REPLICAS  ISR  ERROR
a      0          1       1,2       1,2
a      1          none    2,1       2,1  LEADER_NOT_AVAILABLE (5)
nope   -          -       -         -    UNKNOWN_TOPIC_OR_PARTITION (3)
";
    assert_eq!(table, Some(expected));
    let expected = "error: topic \"nope\" does not exist; `kafka metadata` lists those that do\n";
    assert_eq!((ran.code, ran.err.as_str()), (Some(1), expected));
    assert_eq!(cluster.server.with_cluster(|cluster| cluster.topics().len()), 2);
}
