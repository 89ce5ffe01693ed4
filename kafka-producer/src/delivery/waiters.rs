//! The wakers of a cell: a list with holes, so that a delivery finds its own without a search.

use std::num::NonZeroU32;
use std::ops::Range;
use std::task::Waker;

/// Wakers of the deliveries that wait. As large as the most that waited at once, and gone when none
/// does.
#[derive(Default)]
pub(super) struct Waiters {
    /// Index of the record, and who is to be woken.
    entries: Vec<Option<(u32, Waker)>>,
    holes: Vec<Slot>,
}

/// A place among the wakers. It may be another's by now: whoever uses it says which record it is for,
/// and a record that was woken never waits again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot(NonZeroU32);

impl Waiters {
    /// Keeps the waker of this record, in the place of the one that it had in `slot`, which is returned.
    pub(super) fn register(
        &mut self,
        slot: Option<Slot>,
        index: u32,
        waker: Waker,
    ) -> (Slot, Option<Waker>) {
        if let Some((slot, old)) = slot.and_then(|slot| Some((slot, self.entry(slot, index)?))) {
            return (slot, Some(std::mem::replace(old, waker)));
        }
        let slot = self.holes.pop().unwrap_or_else(|| {
            self.entries.push(None);
            Slot::at(self.entries.len() - 1)
        });
        if let Some(hole) = self.entries.get_mut(slot.position()) {
            *hole = Some((index, waker));
        }
        (slot, None)
    }

    /// Takes out the waker of this record, if it is still in this slot.
    pub(super) fn remove(&mut self, slot: Slot, index: u32) -> Option<Waker> {
        let waker = self.vacate(slot, |owner| owner == index);
        self.shrink();
        waker
    }

    /// Takes out the wakers of all these records.
    pub(super) fn take(&mut self, records: &Range<u32>, into: &mut Vec<Waker>) {
        for position in 0..self.entries.len() {
            into.extend(self.vacate(Slot::at(position), |owner| records.contains(&owner)));
        }
        self.shrink();
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.entries.len()
    }

    fn entry(&mut self, slot: Slot, index: u32) -> Option<&mut Waker> {
        match self.entries.get_mut(slot.position()) {
            Some(Some((owner, waker))) if *owner == index => Some(waker),
            _ => None,
        }
    }

    fn vacate(&mut self, slot: Slot, is_owner: impl FnOnce(u32) -> bool) -> Option<Waker> {
        let entry = self.entries.get_mut(slot.position())?;
        let (_, waker) = entry.take_if(|(owner, _)| is_owner(*owner))?;
        self.holes.push(slot);
        Some(waker)
    }

    fn shrink(&mut self) {
        if self.holes.len() == self.entries.len() {
            *self = Self::default();
        }
    }
}

impl Slot {
    fn at(position: usize) -> Self {
        // A batch has fewer than 2^31 records, and each has at most one slot.
        let position = u32::try_from(position).unwrap_or(u32::MAX);
        Self(NonZeroU32::MIN.saturating_add(position))
    }

    fn position(self) -> usize {
        self.0.get() as usize - 1
    }
}
