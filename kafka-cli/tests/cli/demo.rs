//! `kafka demo`.

use crate::fixture::kafka;

#[test]
fn every_record_is_checked() {
    let ran = kafka(&["demo", "--records", "5000", "--size", "40", "--partitions", "4"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    for line in [
        "sent        5,000 records, 200.0 kB, in ",
        "read back   5,000 records over the wire in ",
        "          5,000  acknowledged",
        "              0  lost",
        "              0  doubled",
        "              0  reordered",
        "Every record is in the log exactly once, unchanged, in order, at the offset that its",
    ] {
        assert!(ran.out.lines().any(|told| told.starts_with(line)), "{line} in {}", ran.out);
    }
}

#[test]
fn the_lines_of_a_file_are_checked_as_well() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let lines = std::fs::read_to_string(file).unwrap().lines().count();
    let ran = kafka(&["demo", "--file", file]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    assert!(ran.out.contains(&format!("{lines:>15}  acknowledged\n")), "{}", ran.out);
}
