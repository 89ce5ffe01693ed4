//! `cargo xtask kafka`: a real Kafka cluster on this machine, to test against and to try things on.
//!
//! Kafka comes from Maven and runs as it is published; each broker is a controller too. What belongs
//! to a cluster is in its folder, which a fresh start empties:
//!
//! ```text
//! target/kafka/<name>/cluster.txt          how many brokers, from which port on
//! target/kafka/<name>/broker-<id>/pid      what `process` knows it by
//!                                 server.properties  log4j2.properties
//!                                 server.log         everything that it prints
//!                                 data/              its logs: topics and metadata
//! ```

mod borrowed;
mod cluster;
mod probe;
mod process;
mod settings;

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

pub(crate) use borrowed::{Running, with_cluster, with_fast_broker};
use cluster::Cluster;
use settings::Layout;

/// `up`, `down` or `restart`, with their options.
pub(crate) fn run(root: &Path, args: &[&str]) -> Result<()> {
    let options = Options::parse(args)?;
    let cluster = Cluster::new(root, options.name);
    match options.action {
        Action::Up(layout) => {
            if cluster.up(layout)? {
                println!("Kafka is up in {}", cluster.folder().display());
            } else {
                println!("Kafka was up already in {}", cluster.folder().display());
            }
            println!("bootstrap.servers={}", layout.bootstrap_servers());
        }
        Action::Restart(id) => {
            cluster.restart(id)?;
            println!("broker {id} was killed and is up again");
        }
        Action::Down => match cluster.down()? {
            0 => println!("no broker was running"),
            count => println!("stopped {count} of the brokers in {}", cluster.folder().display()),
        },
    }
    Ok(())
}

struct Options<'a> {
    action: Action,
    name: &'a str,
}

#[derive(Clone, Copy)]
enum Action {
    Up(Layout),
    Restart(u16),
    Down,
}

impl<'a> Options<'a> {
    fn parse(args: &[&'a str]) -> Result<Self> {
        let (mut action, mut rest) = match args {
            ["up", rest @ ..] => (Action::Up(Layout { brokers: 1, port: DEFAULT_PORT }), rest),
            ["down", rest @ ..] => (Action::Down, rest),
            ["restart", id, rest @ ..] => (Action::Restart(number(id)?), rest),
            _ => bail!("`cargo xtask kafka` is to be told one of `up`, `down`, `restart BROKER`"),
        };
        let mut name = DEFAULT_NAME;
        loop {
            rest = match (rest, &mut action) {
                ([], _) => break,
                (["--name", value, rest @ ..], _) => {
                    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
                    let is_name = !value.is_empty() && value.chars().all(is_plain);
                    ensure!(is_name, "`--name {value}` has more than letters, digits and `-`");
                    name = *value;
                    rest
                }
                (["--brokers", value, rest @ ..], Action::Up(layout)) => {
                    layout.brokers = number(value)?;
                    rest
                }
                (["--port", value, rest @ ..], Action::Up(layout)) => {
                    layout.port = number(value)?;
                    rest
                }
                ([other, ..], _) => {
                    bail!(
                        "`cargo xtask kafka {}` has no option `{other}`, or it lacks a value",
                        args[0]
                    )
                }
            };
        }
        if let Action::Up(layout) = action {
            layout.check()?;
        }
        Ok(Self { action, name })
    }
}

fn number(text: &str) -> Result<u16> {
    text.parse().with_context(|| format!("`{text}` is not a number from 0 to 65535"))
}

const DEFAULT_NAME: &str = "default";
const DEFAULT_PORT: u16 = 9092;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_each_action() {
        let Ok(Options { action: Action::Up(layout), name }) =
            Options::parse(&["up", "--brokers", "3", "--name", "a-1", "--port", "2000"])
        else {
            panic!("refused");
        };
        assert_eq!((layout, name), (Layout { brokers: 3, port: 2000 }, "a-1"));
        for bad in [
            &["up", "--brokers"][..],
            &["up", "--brokers", "2"],
            &["up", "--port", "65535"],
            &["up", "--name", "../x"],
            &["up", "--name", ""],
            &["down", "--port", "1"],
            &["restart"],
            &["restart", "one"],
            &[],
        ] {
            assert!(Options::parse(bad).is_err(), "{bad:?}");
        }
    }
}
