//! The fuzz target's rules hold for some random inputs as well.

use fastrand::Rng;

use super::sender_events;

/// The shortest way to an answer, then whatever the letters say.
const BEGINNINGS: [&str; 4] = ["", "x0g", "x0x1x2ga00a40ega00", "x2gfa20a30a20fe"];
const LETTERS: &[u8] = b"aaaaebyxfspngrocwwiiiidjultAEIW";

#[test]
fn whatever_happens_in_whatever_order_the_senders_rules_hold() {
    for seed in 0..300 {
        let rng = &mut Rng::with_seed(seed);
        let mut input: Vec<u8> = (0..10).map(|_| b'0' + rng.u8(..16)).collect();
        input.extend_from_slice(BEGINNINGS[rng.usize(..BEGINNINGS.len())].as_bytes());
        for _ in 0..rng.usize(..200) {
            input.push(LETTERS[rng.usize(..LETTERS.len())]);
            input.extend((0..rng.usize(..4)).map(|_| b'0' + rng.u8(..10)));
        }
        let _named = Named(&input);
        sender_events(&input);
    }
}

/// Shows the input of a run that panics.
struct Named<'a>(&'a [u8]);

impl Drop for Named<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("input: {:?}", String::from_utf8_lossy(self.0));
        }
    }
}
