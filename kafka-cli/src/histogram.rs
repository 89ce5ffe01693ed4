//! A histogram drawn with characters: how long it took, how often.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::numbers;

/// Most rows.
const ROWS_MAX: usize = 16;
/// Width of the longest bar.
const BAR_WIDTH: usize = 40;

/// Steps in each power of ten, in tenths: the first of these that does not make too many rows.
const SERIES: [&[u64]; 3] = [&[10, 15, 20, 30, 40, 50, 70], &[10, 20, 50], &[10]];

/// A row for each step from the least to the largest value; values are microseconds.
pub(crate) fn draw(histogram: &Histogram<u64>) -> String {
    let rows = rows(histogram);
    let most = rows.iter().map(|row| row.count).max().unwrap_or(0);
    let name = |micros| numbers::step(Duration::from_micros(micros));
    let width = rows.iter().map(|row| name(row.end).chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for row in &rows {
        let share = 100.0 * row.count as f64 / histogram.len().max(1) as f64;
        let bar = bar(row.count, most);
        let line = format!("  < {:>width$}  {bar:BAR_WIDTH$}  {share:5.1} %", name(row.end));
        out += line.trim_end();
        out.push('\n');
    }
    out
}

/// How many values are less than `end`, and not less than the row before.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    end: u64,
    count: u64,
}

fn rows(histogram: &Histogram<u64>) -> Vec<Row> {
    let choices = SERIES.iter().map(|series| rows_of(histogram, series));
    let mut choices = choices.skip_while(|rows| rows.len() > ROWS_MAX);
    choices.next().unwrap_or_default()
}

fn rows_of(histogram: &Histogram<u64>, series: &'static [u64]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut ends = steps(series);
    let mut end = 0;
    for value in histogram.iter_recorded() {
        while value.value_iterated_to() >= end {
            let Some(next) = ends.next() else { break };
            end = next;
            // The first row is the first one with a value in it.
            if !rows.is_empty() {
                rows.push(Row { end, count: 0 });
            }
        }
        match rows.last_mut() {
            Some(row) => row.count += value.count_at_value(),
            None => rows.push(Row { end, count: value.count_at_value() }),
        }
    }
    rows
}

/// Ascending, as far as the numbers go.
fn steps(series: &'static [u64]) -> impl Iterator<Item = u64> {
    let powers = (0..u64::MAX.ilog10() - 1).map(|power| 10_u64.pow(power));
    let steps = powers.flat_map(|power| series.iter().map(move |tenths| (power, *tenths)));
    // One and a half microseconds are no step.
    steps.filter(|(power, tenths)| power * tenths % 10 == 0).map(|(p, tenths)| p * tenths / 10)
}

/// Anything but nothing shows at least the thinnest piece.
fn bar(count: u64, most: u64) -> String {
    const PIECES: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = BAR_WIDTH as u64 * 8;
    let len = (u128::from(count) * u128::from(eighths)).div_ceil(u128::from(most.max(1)));
    let len = usize::try_from(len).unwrap_or(0);
    let piece = PIECES.get(len % 8).copied().unwrap_or("");
    format!("{}{piece}", "█".repeat(len / 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[(u64, u64)]) -> Histogram<u64> {
        let mut histogram = Histogram::new(3).unwrap();
        for (value, count) in values {
            histogram.record_n(*value, *count).unwrap();
        }
        histogram
    }

    #[test]
    fn a_bar_is_as_long_as_its_share_of_the_longest() {
        let histogram = of(&[(1_500, 100), (3_000, 50), (12_000, 1)]);
        let row = |end: &str, bar: &str, share: &str| format!("  < {end}  {bar:40}  {share} %\n");
        let expected = [
            row(" 2 ms", &"█".repeat(40), " 66.2"),
            row(" 3 ms", "", "  0.0"),
            row(" 4 ms", &"█".repeat(20), " 33.1"),
            row(" 5 ms", "", "  0.0"),
            row(" 7 ms", "", "  0.0"),
            row("10 ms", "", "  0.0"),
            row("15 ms", "▌", "  0.7"),
        ];
        assert_eq!(draw(&histogram), expected.concat());
        assert_eq!(draw(&of(&[])), "");
    }

    #[test]
    fn rows_cover_everything_once_and_are_not_too_many() {
        for powers in 1..40 {
            let values: Vec<(u64, u64)> = (0..powers).map(|p| (1_u64 << p, 1 + p)).collect();
            let histogram = of(&values);
            let rows = rows(&histogram);
            assert!((1..=ROWS_MAX).contains(&rows.len()), "{powers}: {rows:?}");
            assert_eq!(rows.iter().map(|row| row.count).sum::<u64>(), histogram.len());
            assert!(rows.is_sorted_by_key(|row| row.end));
            assert!(rows.first().is_some_and(|row| row.count > 0));
            assert!(rows.last().is_some_and(|row| row.count > 0));
        }
    }

    #[test]
    fn a_value_on_a_step_is_not_below_it() {
        let row = |end, count| Row { end, count };
        let histogram = of(&[(0, 1), (1, 2), (2, 3), (15, 4)]);
        let ends = [1, 2, 3, 4, 5, 7, 10, 15, 20];
        let counts = [1, 2, 3, 0, 0, 0, 0, 0, 4];
        let expected: Vec<Row> = ends.into_iter().zip(counts).map(|(e, c)| row(e, c)).collect();
        assert_eq!(rows(&histogram), expected);
    }

    #[test]
    fn the_smallest_share_can_be_seen() {
        assert_eq!(bar(0, 1_000_000), "");
        assert_eq!(bar(1, 1_000_000), "▏");
        assert_eq!(bar(1_000_000, 1_000_000), "█".repeat(40));
        assert_eq!(bar(0, 0), "");
    }
}
