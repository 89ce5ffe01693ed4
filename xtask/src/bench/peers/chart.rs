//! The chart: a block for each row, in it a line for each client, with two bars.

use std::fmt::Write as _;

use super::clients::{self, FLOOR, OURS};
use super::figures::{Figures, Outcome};
use super::rows::Measure;
use super::spoken;

/// A picture that follows the reader's choice of light or dark.
pub(super) fn svg(outcomes: &[Outcome]) -> String {
    let blocks: Vec<Block<'_>> = outcomes.iter().map(Block::new).collect();
    let height = MARGIN * 2.0 + blocks.iter().map(Block::height).sum::<f64>();
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" role=\"img\">\n\
         <title>Our producer beside all others</title>\n\
         <style>{STYLE}</style>\n\
         <rect class=\"page\" width=\"{WIDTH}\" height=\"{height}\" rx=\"6\"/>\n"
    );
    let mut top = MARGIN;
    for block in &blocks {
        block.draw(top, &mut out);
        top += block.height();
    }
    out + "</svg>\n"
}

struct Block<'o> {
    title: &'o str,
    panels: [Panel; 2],
    /// The best first.
    lines: Vec<(&'o str, Figures)>,
}

struct Panel {
    left: f64,
    measure: Measure,
    name: &'static str,
}

impl<'o> Block<'o> {
    fn new(outcome: &'o Outcome) -> Self {
        let first = outcome.row.targets.first().map_or(Measure::Rate, |target| target.measure);
        let (one, other) = match first {
            Measure::P50 | Measure::P99 => (Measure::P50, Measure::P99),
            Measure::Rate | Measure::Cpu | Measure::PeakRss => (Measure::Rate, Measure::Cpu),
        };
        let panels = [Panel::new(LEFT[0], one), Panel::new(LEFT[1], other)];
        let entries = outcome.entries.iter();
        let mut lines: Vec<(&str, Figures)> =
            entries.filter_map(|entry| Some((entry.client.as_str(), entry.medians()?))).collect();
        lines.sort_by(|(_, a), (_, b)| a.get(one).total_cmp(&b.get(one)));
        if one == Measure::Rate {
            lines.reverse();
        }
        Self { title: outcome.row.title, panels, lines }
    }

    fn height(&self) -> f64 {
        HEAD + self.lines.len() as f64 * PITCH + GAP
    }

    fn draw(&self, top: f64, out: &mut String) {
        text(out, "title", MARGIN, top + 14.0, self.title);
        for panel in &self.panels {
            text(out, "unit", panel.left, top + 34.0, panel.name);
        }
        for (index, (client, figures)) in self.lines.iter().enumerate() {
            let y = top + HEAD + index as f64 * PITCH;
            let class = match *client {
                OURS => "ours",
                FLOOR => "floor",
                _ => "peer",
            };
            let label = if class == "ours" { "label us" } else { "label" };
            text(out, label, LABELS, y + 11.0, clients::title(client));
            for panel in &self.panels {
                panel.draw(&self.lines, *figures, class, y, out);
            }
        }
    }
}

impl Panel {
    fn new(left: f64, measure: Measure) -> Self {
        let name = match measure {
            Measure::Rate => "records a second: more is better",
            Measure::Cpu => "CPU a record: less is better",
            Measure::P50 => "latency, median: less is better",
            Measure::P99 => "latency, 99th percentile: less is better",
            Measure::PeakRss => "peak memory: less is better",
        };
        Self { left, measure, name }
    }

    /// The longest bar of the block is as long as there is room.
    fn draw(&self, all: &[(&str, Figures)], own: Figures, class: &str, y: f64, out: &mut String) {
        let figures = all.iter().map(|(_, figures)| figures.get(self.measure));
        let largest = figures.fold(f64::MIN_POSITIVE, f64::max);
        let figure = own.get(self.measure);
        let width = (figure / largest * BAR_MAX).max(1.0);
        // Writing to a string does not fail.
        let _ = writeln!(
            out,
            "<rect class=\"{class}\" x=\"{}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{BAR}\" rx=\"1.5\"/>",
            self.left
        );
        let spoken = match self.measure {
            Measure::Rate => spoken::rate(figure),
            Measure::PeakRss => spoken::bytes(figure),
            Measure::Cpu | Measure::P50 | Measure::P99 => spoken::micros(figure),
        };
        text(out, "value", self.left + width + 5.0, y + 11.0, &spoken);
    }
}

fn text(out: &mut String, class: &str, x: f64, y: f64, words: &str) {
    let words = escaped(words);
    let _ = writeln!(out, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{words}</text>");
}

fn escaped(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

const WIDTH: f64 = 860.0;
const MARGIN: f64 = 20.0;
/// Where the names of clients end.
const LABELS: f64 = 118.0;
/// Where bars begin, on the left and on the right.
const LEFT: [f64; 2] = [128.0, 500.0];
const BAR_MAX: f64 = 275.0;
const BAR: f64 = 13.0;
const PITCH: f64 = 18.0;
/// Title and units.
const HEAD: f64 = 42.0;
const GAP: f64 = 22.0;

const STYLE: &str = "\
text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;font-size:12px;fill:#24292f}\
.page{fill:#fff}.title{font-size:14px;font-weight:600}.unit{fill:#57606a;font-size:11px}\
.label{text-anchor:end}.us{font-weight:600}.ours{fill:#d4551e}.peer{fill:#8c9bab}.floor{fill:#d0d7de}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.page{fill:#0d1117}.unit{fill:#9aa4ae}\
.ours{fill:#f0803c}.peer{fill:#5b6878}.floor{fill:#30363d}}";

#[cfg(test)]
mod tests {
    use super::super::figures::tests::outcome;
    use super::*;

    #[test]
    fn names_cannot_break_the_picture() {
        assert_eq!(escaped("a<b> & c"), "a&lt;b&gt; &amp; c");
    }

    #[test]
    fn a_line_for_each_that_did_not_fail() {
        let svg = svg(&[outcome()]);
        assert_eq!(svg.matches("class=\"peer\"").count(), 4);
        assert_eq!(svg.matches("class=\"ours\"").count(), 2);
        assert!(svg.contains("<text class=\"label us\""), "{svg}");
        // The floor is the fastest here.
        assert!(svg.contains("class=\"floor\" x=\"128\" y=\"62.0\" width=\"275.0\""), "{svg}");
        assert!(!svg.contains("kacrab"));
    }
}
