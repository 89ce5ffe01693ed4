//! Finds the addresses in a list as `bootstrap.servers` has it.

fn main() -> Result<(), kafka_net::AddressError> {
    for address in kafka_net::parse_bootstrap_servers("localhost:9092,[::1]:9092")? {
        println!("{address}");
    }
    Ok(())
}
