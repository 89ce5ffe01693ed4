//! Figures as people read them: three digits, and a unit.

/// `2.48 M`, `610 k`: records a second.
pub(super) fn rate(rate: f64) -> String {
    if rate >= 1e6 {
        format!("{} M", digits(rate / 1e6))
    } else {
        format!("{} k", digits(rate / 1e3))
    }
}

/// `0.53 µs`, `3.20 ms`.
pub(super) fn micros(micros: f64) -> String {
    if micros >= 1e6 {
        format!("{} s", digits(micros / 1e6))
    } else if micros >= 1e3 {
        format!("{} ms", digits(micros / 1e3))
    } else {
        format!("{} µs", digits(micros))
    }
}

/// `35.1 MB`.
pub(super) fn bytes(bytes: f64) -> String {
    format!("{} MB", digits(bytes / 1e6))
}

/// How many times as much; cut off where rounding would say that a target is reached.
pub(super) fn ratio(ratio: f64, is_more_better: bool) -> String {
    let hundredths = ratio * 100.0;
    let hundredths = if is_more_better { hundredths.floor() } else { hundredths.ceil() };
    format!("{:.2}×", hundredths / 100.0)
}

fn digits(number: f64) -> String {
    match number {
        100.0.. => format!("{number:.0}"),
        10.0.. => format!("{number:.1}"),
        0.1.. => format!("{number:.2}"),
        _ => format!("{number:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits() {
        assert_eq!([rate(2_481_000.0), rate(61_000.0)], ["2.48 M", "61.0 k"]);
        assert_eq!(
            [micros(0.071), micros(0.53), micros(356_000.0)],
            ["0.071 µs", "0.53 µs", "356 ms"]
        );
        assert_eq!(bytes(974e6), "974 MB");
    }

    #[test]
    fn a_ratio_never_looks_better_than_it_is() {
        assert_eq!(ratio(2.999, true), "2.99×");
        assert_eq!(ratio(0.2501, false), "0.26×");
    }
}
