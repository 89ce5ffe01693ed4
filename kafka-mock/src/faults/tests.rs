use super::*;

fn subject(targets: &[(&str, i32)]) -> Subject {
    Subject {
        api: ApiKey::PRODUCE,
        broker: BrokerId(1),
        connection: ConnectionId(1),
        targets: targets.iter().map(|(topic, index)| ((*topic).to_owned(), Some(*index))).collect(),
    }
}

#[test]
fn the_first_rule_covers_everything_if_it_names_nothing() {
    let mut faults = Faults::default();
    faults.add(FaultRule::new(FaultAction::Swallow));
    faults.add(FaultRule::new(FaultAction::CloseAfter).topic("a"));
    let verdict = faults.judge(&subject(&[("a", 0)]));
    assert!(verdict.swallow && !verdict.close_after);
    assert_eq!(faults.len(), 1);
}

#[test]
fn a_rule_without_names_covers_what_others_left() {
    let mut faults = Faults::default();
    let error = |code| FaultRule::new(FaultAction::Error(code));
    faults.add(error(ErrorCode(1)).topic("a"));
    faults.add(error(ErrorCode(2)));
    let verdict = faults.judge(&subject(&[("a", 0), ("b", 0)]));
    assert_eq!(verdict.error("a", Some(0)).map(|fault| fault.code), Some(ErrorCode(1)));
    assert_eq!(verdict.error("b", Some(0)).map(|fault| fault.code), Some(ErrorCode(2)));
    assert!(faults.is_empty());
}

#[test]
fn a_rule_that_is_skipped_covers_nothing() {
    let mut faults = Faults::default();
    faults.add(FaultRule::new(FaultAction::Swallow).skip(1));
    faults.add(FaultRule::new(FaultAction::CloseAfter));
    let verdict = faults.judge(&subject(&[]));
    assert!(!verdict.swallow && verdict.close_after);
    assert!(faults.judge(&subject(&[])).swallow);
}

#[test]
fn the_longest_delay_counts() {
    let mut faults = Faults::default();
    for (partition, ms) in [(0, 5), (1, 9), (2, 7)] {
        let delay = FaultAction::Delay(Duration::from_millis(ms));
        faults.add(FaultRule::new(delay).partition(partition));
    }
    let verdict = faults.judge(&subject(&[("a", 0), ("a", 1), ("a", 2)]));
    assert_eq!(verdict.delay, Duration::from_millis(9));
}
