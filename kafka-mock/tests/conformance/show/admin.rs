//! What an admin client is answered.

use kafka_protocol::messages::create_topics::CreateTopicsResponse;
use kafka_protocol::messages::delete_topics::DeleteTopicsResponse;
use kafka_protocol::messages::describe_cluster::DescribeClusterResponse;

use super::producer::operations;
use super::{Show, sorted};
use crate::names::{Names, code};

impl Show for CreateTopicsResponse {
    fn show(&self, names: &mut Names) -> String {
        sorted(self.topics.iter().map(|topic| {
            let id = if topic.topic_id.is_zero() { "no id" } else { "an id" };
            let mut text = format!("{} {}, {id}", names.topic(&topic.name), code(topic.error_code));
            text += &format!(
                ", partitions {} replicas {}",
                topic.num_partitions, topic.replication_factor
            );
            if !topic.topic_config_error_code.is_none() {
                text += &format!(", configs {}", code(topic.topic_config_error_code));
            }
            text
        }))
    }
}

impl Show for DeleteTopicsResponse {
    fn show(&self, names: &mut Names) -> String {
        sorted(self.responses.iter().map(|topic| {
            let name = topic.name.as_deref().map_or("null".into(), |name| names.topic(name));
            format!("{name} {}, {}", code(topic.error_code), names.topic_id(topic.topic_id))
        }))
    }
}

impl Show for DescribeClusterResponse {
    fn show(&self, names: &mut Names) -> String {
        let brokers =
            sorted(self.brokers.iter().map(|b| names.broker(b.broker_id, &b.host, b.port)));
        let cluster = match self.cluster_id.as_str() {
            "" => "no cluster id",
            _ => names.cluster(Some(&self.cluster_id)),
        };
        let fenced = self.brokers.iter().filter(|broker| broker.is_fenced).count();
        let controller = if self.controller_id == -1 { "no controller" } else { "a controller" };
        let mut text = format!(
            "{} endpoint type {}, brokers {brokers}, {fenced} fenced, {cluster}, {controller}",
            code(self.error_code),
            self.endpoint_type,
        );
        text += &operations("cluster", self.cluster_authorized_operations);
        text
    }
}
