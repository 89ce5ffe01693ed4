//! What programs told, and what follows from it: medians, ratios, whether a target is met.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::clients::{FLOOR, OURS};
use super::rows::{Measure, Row, Target};

/// One run of a program, in its own words.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Run {
    pub(super) client: String,
    pub(super) version: String,
    pub(super) settings: String,
    records: u64,
    /// All that it sent, if that is more than one record before the clocks were started.
    sent_total: Option<u64>,
    pub(super) seconds: f64,
    cpu_seconds: f64,
    peak_rss_bytes: u64,
    latency_us: Latency,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Latency {
    p50: f64,
    p99: f64,
    p999: f64,
}

impl Run {
    pub(super) fn parse(output: &str) -> Result<Self> {
        let run: Self = serde_json::from_str(output.trim())
            .with_context(|| format!("this is no result: {}", output.trim()))?;
        ensure!(run.records > 0 && run.seconds > 0.0, "nothing was measured: {}", output.trim());
        Ok(run)
    }

    /// How many records its broker has to have.
    pub(super) fn sent(&self) -> u64 {
        self.sent_total.unwrap_or(self.records + 1)
    }

    pub(super) fn figures(&self) -> Figures {
        let records = self.records as f64;
        Figures {
            rate: records / self.seconds,
            cpu_us: self.cpu_seconds * 1e6 / records,
            rss: self.peak_rss_bytes as f64,
            p50: self.latency_us.p50,
            p99: self.latency_us.p99,
            p999: self.latency_us.p999,
        }
    }
}

/// Of one run, or the medians of some.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Figures {
    /// Records a second.
    pub(super) rate: f64,
    /// Microseconds of CPU a record.
    pub(super) cpu_us: f64,
    /// Bytes.
    pub(super) rss: f64,
    /// Microseconds.
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) p999: f64,
}

impl Figures {
    /// Each figure's own median.
    fn medians(all: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| median(all.iter().map(figure).collect());
        Self {
            rate: of(|it| it.rate),
            cpu_us: of(|it| it.cpu_us),
            rss: of(|it| it.rss),
            p50: of(|it| it.p50),
            p99: of(|it| it.p99),
            p999: of(|it| it.p999),
        }
    }

    pub(super) fn get(&self, measure: Measure) -> f64 {
        match measure {
            Measure::Rate => self.rate,
            Measure::Cpu => self.cpu_us,
            Measure::P50 => self.p50,
            Measure::P99 => self.p99,
            Measure::PeakRss => self.rss,
        }
    }
}

/// What a client did in the rounds of a row.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) client: String,
    pub(super) version: String,
    pub(super) settings: String,
    pub(super) rounds: Vec<Figures>,
    /// What it says about itself instead of figures.
    pub(super) failure: Option<String>,
}

impl Entry {
    /// `None` if it failed.
    pub(super) fn medians(&self) -> Option<Figures> {
        let is_whole = self.failure.is_none() && !self.rounds.is_empty();
        is_whole.then(|| Figures::medians(&self.rounds))
    }

    /// The median of the ratios to another client, round by round.
    pub(super) fn ratio_to(&self, other: &Self, measure: Measure) -> f64 {
        let pairs = self.rounds.iter().zip(&other.rounds);
        median(pairs.map(|(one, other)| one.get(measure) / other.get(measure)).collect())
    }
}

/// A row with what came of it.
pub(super) struct Outcome {
    pub(super) row: &'static Row,
    pub(super) entries: Vec<Entry>,
}

/// A target with what came of it.
pub(super) struct Verdict {
    pub(super) target: Target,
    /// Ours.
    pub(super) figure: f64,
    /// Who is the best by this measure, and its figure; none where the target is a number.
    pub(super) best: Option<(String, f64)>,
    /// To the best peer, or our figure itself.
    pub(super) reached: f64,
    pub(super) is_met: bool,
}

impl Outcome {
    pub(super) fn ours(&self) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.client == OURS)
    }

    /// One for each target that can be judged.
    pub(super) fn verdicts(&self) -> Vec<Verdict> {
        self.row.targets.iter().filter_map(|target| self.verdict(*target)).collect()
    }

    fn verdict(&self, target: Target) -> Option<Verdict> {
        let ours = self.ours()?;
        let figure = ours.medians()?.get(target.measure);
        if target.measure == Measure::PeakRss {
            let is_met = figure <= target.bound;
            return Some(Verdict { target, figure, best: None, reached: figure, is_met });
        }
        let (best, theirs) = self.best(target.measure)?;
        let reached = ours.ratio_to(best, target.measure);
        let is_met = match target.measure {
            Measure::Rate => reached >= target.bound,
            _ => reached <= target.bound,
        };
        Some(Verdict { target, figure, best: Some((best.client.clone(), theirs)), reached, is_met })
    }

    /// The peer that is the best by its median.
    pub(super) fn best(&self, measure: Measure) -> Option<(&Entry, f64)> {
        let is_peer = |entry: &&Entry| entry.client != OURS && entry.client != FLOOR;
        let peers = self.entries.iter().filter(is_peer);
        let figures = peers.filter_map(|peer| Some((peer, peer.medians()?.get(measure))));
        if measure == Measure::Rate {
            figures.max_by(|one, other| one.1.total_cmp(&other.1))
        } else {
            figures.min_by(|one, other| one.1.total_cmp(&other.1))
        }
    }
}

/// The middle one, or between the two in the middle. NaN of nothing.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.as_slice() {
        [] => f64::NAN,
        values if values.len() % 2 == 1 => values[middle],
        values => f64::midpoint(values[middle - 1], values[middle]),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::rows::ROWS;
    use super::*;

    /// Rounds with these rates, and a microsecond of CPU for each million of them.
    pub(in super::super) fn entry(client: &str, rates: &[f64]) -> Entry {
        let figures = |rate: &f64| Figures {
            rate: *rate,
            cpu_us: 1e6 / rate,
            rss: 50e6,
            p50: 100.0,
            p99: 2_000.0,
            p999: 30_000.0,
        };
        Entry {
            client: client.to_owned(),
            version: "1.2".to_owned(),
            settings: "linger 5 ms".to_owned(),
            rounds: rates.iter().map(figures).collect(),
            failure: None,
        }
    }

    pub(in super::super) fn outcome() -> Outcome {
        let mut failed = entry("kacrab", &[9e9]);
        failed.failure = Some("it <broke>".to_owned());
        let entries = vec![
            entry("ours", &[6e6, 7e6, 8e6]),
            entry("floor", &[15e6, 15e6, 15e6]),
            entry("librdkafka", &[1e6, 2e6, 3e6]),
            entry("java", &[1e6, 1e6, 1e6]),
            failed,
        ];
        Outcome { row: &ROWS[0], entries }
    }

    #[test]
    fn a_run_is_what_a_program_says() {
        let run = Run::parse(
            r#"{"client":"x","version":"1","records":2000000,"seconds":2.0,
            "cpu_seconds":1.0,"peak_rss_bytes":5,"latency_us":{"count":9,"p50":1,"p99":2,"p999":3},
            "settings":"none"}"#,
        );
        let run = run.unwrap();
        assert_eq!(run.sent(), 2_000_001);
        let figures = run.figures();
        assert_eq!((figures.rate, figures.cpu_us, figures.p999), (1e6, 0.5, 3.0));
        assert!(Run::parse("Usage: x").is_err());
    }

    #[test]
    fn medians() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn the_best_peer_is_neither_the_floor_nor_one_that_failed() {
        let verdicts = outcome().verdicts();
        let [rate, cpu, rss] = verdicts.as_slice() else { panic!("{} verdicts", verdicts.len()) };
        assert_eq!(rate.best, Some(("librdkafka".to_owned(), 2e6)));
        // 6, 3.5 and 2.67 times.
        assert_eq!((rate.reached, rate.is_met), (3.5, true));
        assert!((cpu.reached - 1.0 / 3.5).abs() < 1e-9 && !cpu.is_met);
        assert_eq!((rss.reached, rss.is_met), (50e6, false));
    }
}
