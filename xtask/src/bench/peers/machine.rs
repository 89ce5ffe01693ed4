//! The machine and what is installed on it, as far as figures depend on them.

use std::fs;
use std::process::Command;

use anyhow::Result;

use crate::bench::report;

/// A line on cores, processor and kernel. Nothing in it tells whose machine it is.
pub(super) fn hardware() -> Result<String> {
    let cores = std::thread::available_parallelism()?;
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu_model(&cpuinfo).map(|model| format!(" of {model}")).unwrap_or_default();
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    Ok(format!("{cores} cores{model}, {os} {} on {arch}", numbers(&release)))
}

/// Compilers and runtimes that are here.
pub(super) fn tools() -> Result<String> {
    let mut tools = vec![format!("rustc {}", report::compiler()?)];
    let said = |program: &str, argument: &str| {
        let output = Command::new(program).arg(argument).output().ok()?;
        let output = String::from_utf8(output.stdout).ok()?;
        output.lines().next().map(str::to_owned)
    };
    if let Some(version) = said("go", "version") {
        tools.extend(version.split(' ').nth(2).map(|it| it.replacen("go", "Go ", 1)));
    }
    if let Some(version) = said("java", "--version") {
        tools.extend(version.split(' ').nth(1).map(|it| format!("Java {it}")));
    }
    Ok(tools.join(", "))
}

/// Says so if others are at work here.
pub(super) fn warn_if_busy() {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().and_then(|load| load.parse::<f64>().ok());
    if let Some(load) = load.filter(|load| *load > BUSY) {
        println!("the machine is busy (a load of {load}): the figures will suffer");
    }
}

fn cpu_model(cpuinfo: &str) -> Option<&str> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    line.split_once(": ").map(|(_, model)| model.trim())
}

/// `6.1` of `6.1.0-13-somebody`: what comes behind may be a name.
fn numbers(release: &str) -> String {
    let parts = release.trim().split(['.', '-', '+']);
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|it| it.is_ascii_digit());
    parts.take_while(is_number).take(2).collect::<Vec<_>>().join(".")
}

const BUSY: f64 = 0.7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_names_of_machines() {
        assert_eq!(numbers("6.1.0-13-somebody\n"), "6.1");
        assert_eq!(numbers("5.15+cloud"), "5.15");
        assert_eq!(numbers(""), "");
        assert_eq!(cpu_model("processor: 0\nmodel name\t: A CPU @ 2 GHz\n"), Some("A CPU @ 2 GHz"));
    }
}
