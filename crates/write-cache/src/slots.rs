//! Which slots are taken.

use std::collections::BTreeSet;

/// The lowest free ones are given first, so that memory fills before the disk does.
#[derive(Debug)]
pub(crate) struct Slots {
    total: u32,
    /// From here on none was ever taken.
    next: u32,
    free: BTreeSet<u32>,
    /// Given back, but the cache disk still says that they are in use.
    held: Vec<u32>,
}

impl Slots {
    /// With these taken, each of which must be below `total`.
    pub(crate) fn with_taken(total: u32, taken: &BTreeSet<u32>) -> Self {
        let next = taken.last().map_or(0, |last| last + 1);
        Self {
            total,
            next,
            free: (0..next).filter(|slot| !taken.contains(slot)).collect(),
            held: Vec::new(),
        }
    }

    pub(crate) fn total(&self) -> u32 {
        self.total
    }

    /// Those held count: they cannot be had.
    pub(crate) fn taken(&self) -> u32 {
        self.next - u32::try_from(self.free.len()).unwrap_or(self.next)
    }

    /// All of them or none.
    pub(crate) fn take(&mut self, count: usize) -> Option<Vec<u32>> {
        let left = (self.total - self.taken()) as usize;
        if count > left {
            return None;
        }
        let mut taken = Vec::with_capacity(count);
        while taken.len() < count {
            let slot = self.free.pop_first().unwrap_or_else(|| {
                self.next += 1;
                self.next - 1
            });
            taken.push(slot);
        }
        Some(taken)
    }

    pub(crate) fn give_back(&mut self, slots: impl IntoIterator<Item = u32>) {
        self.free.extend(slots);
    }

    /// Gives back what may be used again only after a checkpoint.
    pub(crate) fn hold(&mut self, slots: impl IntoIterator<Item = u32>) {
        self.held.extend(slots);
    }

    pub(crate) fn held(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_lowest_free_ones_all_or_none() {
        let mut slots = Slots::with_taken(6, &BTreeSet::from([1, 3]));
        assert_eq!(slots.taken(), 2);
        assert_eq!(slots.take(5), None);
        assert_eq!(slots.take(3), Some(vec![0, 2, 4]));
        slots.give_back([2]);
        assert_eq!(slots.take(2), Some(vec![2, 5]));
        assert_eq!(slots.take(1), None);
        assert_eq!(slots.take(0), Some(vec![]));
        assert_eq!((slots.taken(), slots.total()), (6, 6));
    }

    #[test]
    fn what_is_held_is_not_given_again_before_it_is_given_back() {
        let mut slots = Slots::with_taken(2, &BTreeSet::from([0, 1]));
        slots.hold([1]);
        assert_eq!(slots.take(1), None);
        let held = slots.held();
        slots.give_back(held);
        assert_eq!(slots.take(1), Some(vec![1]));
    }
}
