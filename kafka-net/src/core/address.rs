//! Where a broker is: a host and a port, as people write them and as brokers announce them.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

use crate::AddressError;

/// A host and a port, such as `broker.example:9092` or `[::1]:9092`; not resolved.
///
/// ```
/// # use kafka_net::HostPort;
/// let address: HostPort = "SSL://[2001:db8::1]:9093".parse()?;
/// assert_eq!((address.host(), address.port()), ("2001:db8::1", 9093));
/// assert_eq!(address.to_string(), "[2001:db8::1]:9093");
/// # Ok::<(), kafka_net::AddressError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPort {
    /// Without brackets.
    host: Arc<str>,
    port: u16,
}

impl HostPort {
    /// From the parts of a broker's entry in a Metadata response: the host without brackets.
    ///
    /// # Errors
    /// A host that is no name and no address, or a port that is not 1 to 65535.
    pub fn new(host: &str, port: i32) -> Result<Self, AddressError> {
        let whole = || format!("{host}:{port}");
        let is_host = if host.contains(':') { is_ipv6(host) } else { is_name(host) };
        if !is_host {
            return Err(AddressError::Host { entry: whole() });
        }
        match u16::try_from(port) {
            Ok(port) if port > 0 => Ok(Self { host: host.into(), port }),
            _ => Err(AddressError::Port { entry: whole() }),
        }
    }

    /// The name or the IP address, an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, not 0.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The IP address, if the host is one and needs no resolving. An IPv6 address with a zone
    /// (`fe80::1%eth0`) does need it: only the system knows the number of that interface.
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

/// Reads `host:port`. A protocol in front (`SASL_SSL://host:port`), as in a broker's `listeners`, is
/// allowed as Kafka's clients allow it, and means nothing.
///
/// Stricter than Kafka's clients in one point: an IPv6 address needs its brackets.
impl FromStr for HostPort {
    type Err = AddressError;

    fn from_str(entry: &str) -> Result<Self, AddressError> {
        let owned = || entry.to_owned();
        let address = entry.split_once("://").map_or(entry, |(_protocol, address)| address);
        let (host, port) = match address.strip_prefix('[').map(|rest| rest.split_once(']')) {
            Some(Some((host, port))) => {
                if !is_ipv6(host) {
                    return Err(AddressError::Host { entry: owned() });
                }
                (host, port.strip_prefix(':').unwrap_or(""))
            }
            Some(None) => return Err(AddressError::Host { entry: owned() }),
            None if address.matches(':').count() > 1 => {
                return Err(AddressError::BareIpv6 { entry: owned() });
            }
            None => address.split_once(':').unwrap_or((address, "")),
        };
        if port.is_empty() {
            return Err(AddressError::NoPort { entry: owned() });
        }
        // The integer parser would take a sign.
        let digits = port.bytes().all(|byte| byte.is_ascii_digit());
        let Some(port) = port.parse().ok().filter(|_| digits) else {
            return Err(AddressError::Port { entry: owned() });
        };
        Self::new(host, port).map_err(|error| error.of(entry))
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// Reads `bootstrap.servers`: addresses with commas between them; spaces around them, and empty
/// entries, mean nothing.
///
/// # Errors
/// No entry at all, one that is no address (the error names it), or one that is there twice.
pub fn parse_bootstrap_servers(list: &str) -> Result<Vec<HostPort>, AddressError> {
    let mut servers: Vec<HostPort> = Vec::new();
    for entry in list.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        let server = entry.parse()?;
        if servers.contains(&server) {
            return Err(AddressError::Duplicate { entry: entry.to_owned() });
        }
        servers.push(server);
    }
    if servers.is_empty() { Err(AddressError::Empty) } else { Ok(servers) }
}

/// As strict as Kafka: what a name server would refuse is left to the name server.
fn is_name(host: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._%".contains(&byte);
    !host.is_empty() && host.len() <= HOST_LEN_MAX && host.bytes().all(is_allowed)
}

fn is_ipv6(host: &str) -> bool {
    let (address, zone) = host.split_once('%').unwrap_or((host, "0"));
    address.parse::<Ipv6Addr>().is_ok() && is_name(zone)
}

/// Longest name that DNS has, with some room for a zone or a trailing dot.
const HOST_LEN_MAX: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_and_what_is_wrong_with_others() {
        let cases = [
            ("localhost:9092", "localhost:9092"),
            ("PLAINTEXT://my_broker.example.:65535", "my_broker.example.:65535"),
            ("://kafka:1", "kafka:1"),
            ("[::1]:9092", "[::1]:9092"),
            ("SSL://[fe80::1%eth0]:9092", "[fe80::1%eth0]:9092"),
            ("localhost", "\"localhost\" has no port: write host:port"),
            ("localhost:", "\"localhost:\" has no port: write host:port"),
            ("[::1]", "\"[::1]\" has no port: write host:port"),
            (
                "::1:9092",
                "\"::1:9092\" is ambiguous: write an IPv6 address in brackets, [::1]:9092",
            ),
            ("localhost:0", "\"localhost:0\" has no valid port: 1 to 65535"),
            ("localhost:65536", "\"localhost:65536\" has no valid port: 1 to 65535"),
            ("localhost:+1", "\"localhost:+1\" has no valid port: 1 to 65535"),
            ("localhost:99999999999", "\"localhost:99999999999\" has no valid port: 1 to 65535"),
            (":9092", "\":9092\" has no valid host"),
            ("[::1:9092", "\"[::1:9092\" has no valid host"),
            ("[localhost]:9092", "\"[localhost]:9092\" has no valid host"),
            ("a b:9092", "\"a b:9092\" has no valid host"),
            ("http://a/b:9092", "\"http://a/b:9092\" has no valid host"),
        ];
        for (entry, expected) in cases {
            let told = match entry.parse::<HostPort>() {
                Ok(address) => address.to_string(),
                Err(error) => error.to_string(),
            };
            assert_eq!(told, expected);
        }
    }

    #[test]
    fn a_list_is_not_empty_and_has_no_entry_twice() {
        let hosts = |list: &str| -> Vec<String> {
            parse_bootstrap_servers(list).unwrap().iter().map(ToString::to_string).collect()
        };
        assert_eq!(hosts(" a:1 ,\tb:2,,"), ["a:1", "b:2"]);
        let error = |list| parse_bootstrap_servers(list).unwrap_err().to_string();
        assert_eq!(error(" , "), "no address is given");
        assert_eq!(error("a:1,SSL://a:1"), "\"SSL://a:1\" is given twice");
        assert_eq!(error("a:1,b"), "\"b\" has no port: write host:port");
    }

    #[test]
    fn what_a_broker_announces_is_checked_too() {
        assert_eq!(HostPort::new("::1", 9092).unwrap().to_string(), "[::1]:9092");
        assert_eq!(HostPort::new("::1", 9092).unwrap().ip(), Some("::1".parse().unwrap()));
        assert_eq!(HostPort::new("a", 9092).unwrap().ip(), None);
        let error = |host, port| HostPort::new(host, port).unwrap_err().to_string();
        assert_eq!(error("", -1), "\":-1\" has no valid host");
        assert_eq!(error("a", -1), "\"a:-1\" has no valid port: 1 to 65535");
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_reads_again_as_the_same(entry in "\\PC{0,40}|[a-f0-9:.%\\[\\]/]{0,40}") {
            if let Ok(address) = entry.parse::<HostPort>() {
                prop_assert_eq!(address.to_string().parse(), Ok(address));
            }
        }
    }
}
