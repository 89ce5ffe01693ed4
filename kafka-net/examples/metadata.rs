//! Asks a broker for its metadata: `cargo run --example metadata localhost:9092`

use kafka_net::{ConnectionPool, NetConfig, Target, parse_bootstrap_servers};
use kafka_protocol::messages::MetadataRequest;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let servers = std::env::args().nth(1).unwrap_or_else(|| "localhost:9092".to_owned());
    let pool = ConnectionPool::new(parse_bootstrap_servers(&servers)?, NetConfig::new());
    let every_topic = MetadataRequest { topics: None, ..MetadataRequest::default() };
    let metadata = pool.call(Target::Any, &every_topic).await?;
    for broker in &metadata.brokers {
        println!("broker {} is at {}:{}", broker.node_id, broker.host, broker.port);
    }
    Ok(())
}
