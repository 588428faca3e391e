//! Who changes which blocks: at most one operation each. Operations on other blocks do not wait.

use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

#[derive(Debug, Default)]
struct Held {
    /// As many as there are operations under way, which is a handful: a list is quicker than any tree.
    ranges: Vec<Range<u64>>,
    is_frozen: bool,
}

/// The ranges of blocks that are being changed.
#[derive(Debug, Default)]
pub(super) struct Ranges {
    held: Mutex<Held>,
    freed: Condvar,
}

/// The right to change a range, given back at its end.
#[derive(Debug)]
pub(super) struct HeldRange<'a> {
    ranges: &'a Ranges,
    range: Range<u64>,
}

impl Ranges {
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wait until nobody else changes a block of `range`; `None` if nothing may be changed any more.
    pub(super) fn hold(&self, range: Range<u64>) -> Option<HeldRange<'_>> {
        let overlaps = |held: &Held| {
            let overlap = |other: &Range<u64>| other.start < range.end && range.start < other.end;
            !held.is_frozen && held.ranges.iter().any(overlap)
        };
        let mut held = self
            .freed
            .wait_while(self.lock(), |held| overlaps(held))
            .unwrap_or_else(PoisonError::into_inner);
        if held.is_frozen {
            return None;
        }
        held.ranges.push(range.clone());
        Some(HeldRange {
            ranges: self,
            range,
        })
    }

    /// Let nobody change anything from now on, and wait for those who do. False if it was so already.
    pub(super) fn freeze(&self) -> bool {
        let mut held = self.lock();
        if held.is_frozen {
            return false;
        }
        held.is_frozen = true;
        self.freed.notify_all();
        let held = self.freed.wait_while(held, |held| !held.ranges.is_empty());
        drop(held.unwrap_or_else(PoisonError::into_inner));
        true
    }

    pub(super) fn thaw(&self) {
        self.lock().is_frozen = false;
    }
}

impl Drop for HeldRange<'_> {
    fn drop(&mut self) {
        let mut held = self.ranges.lock();
        if let Some(place) = held.ranges.iter().position(|range| *range == self.range) {
            held.ranges.swap_remove(place);
        }
        drop(held);
        self.ranges.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;

    #[test]
    fn an_overlapping_range_waits_and_another_does_not() {
        let ranges = Ranges::default();
        let (sender, receiver) = channel();
        thread::scope(|scope| {
            let first = ranges.hold(10..20).unwrap();
            drop(ranges.hold(20..30).unwrap());
            scope.spawn(|| {
                let second = ranges.hold(19..21).unwrap();
                sender.send("second").unwrap();
                drop(second);
            });
            // Until it is given back the other one has sent nothing, whenever it is looked at.
            assert!(receiver.try_recv().is_err());
            drop(first);
            assert_eq!(receiver.recv().unwrap(), "second");
        });
        assert!(ranges.lock().ranges.is_empty());
    }

    #[test]
    fn a_freeze_waits_for_changes_under_way_and_refuses_new_ones() {
        let ranges = Ranges::default();
        let (sender, receiver) = channel();
        thread::scope(|scope| {
            let held = ranges.hold(0..1).unwrap();
            scope.spawn(|| {
                assert!(ranges.freeze());
                sender.send(()).unwrap();
            });
            assert!(receiver.try_recv().is_err());
            drop(held);
            receiver.recv().unwrap();
        });
        assert!(ranges.hold(5..6).is_none() && !ranges.freeze());
        ranges.thaw();
        assert!(ranges.hold(5..6).is_some());
    }
}
