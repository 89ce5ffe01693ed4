//! What a sender holds, for those who check that it is not too much: the simulation and the fuzzer.

use crate::sender::Sender;

impl Sender {
    /// Most batches of one partition that are unanswered.
    pub(crate) fn partition_in_flight_max(&self) -> usize {
        self.partitions
            .iter()
            .flatten()
            .map(|partition| partition.in_flight.len())
            .max()
            .unwrap_or(0)
    }

    /// What a sender that has nothing to do should not have.
    pub(crate) fn leftovers(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut check = |name: &str, count: usize| {
            if count > 0 {
                found.push(format!("{count} {name}"));
            }
        };
        check("with records", self.nonempty.len());
        check("lingering", self.lingering.len());
        check("sealing", self.seals.len());
        check("incomplete", self.incomplete.len());
        check("unwritten", self.unanswered.len());
        check("flushes", self.flushes.len());
        check("questions", self.questions.len());
        let partitions = self.partitions.iter().flatten();
        check("gone", partitions.clone().filter(|partition| partition.is_gone).count());
        check("waiting", partitions.clone().map(|partition| partition.waiting.len()).sum());
        check("in flight", partitions.map(|partition| partition.in_flight.len()).sum());
        check("bytes", self.accumulator.budget().used() - self.reserved());
        found
    }

    /// Memory that is kept for splits and seals.
    pub(crate) fn reserved(&self) -> usize {
        self.split_reserve.bytes() + self.seals.reserve.bytes()
    }
}
