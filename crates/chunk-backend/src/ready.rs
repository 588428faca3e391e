//! Which chunks of a flat file are checked: a bit each, set once and never cleared but by a scrub.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bits that any thread may set and read without a lock.
#[derive(Debug)]
pub(crate) struct ReadyBits(Box<[AtomicU64]>);

impl ReadyBits {
    pub(crate) fn new(chunks: u64) -> Self {
        let words = usize::try_from(chunks.div_ceil(64)).unwrap_or(usize::MAX);
        Self((0..words).map(|_| AtomicU64::new(0)).collect())
    }

    /// The word and bit of a chunk.
    fn place(index: u64) -> (usize, u64) {
        (
            usize::try_from(index / 64).unwrap_or(usize::MAX),
            1 << (index % 64),
        )
    }

    /// What was written to the file before is seen by whoever sees the bit.
    pub(crate) fn set(&self, index: u64) {
        let (word, bit) = Self::place(index);
        self.0[word].fetch_or(bit, Ordering::Release);
    }

    pub(crate) fn clear(&self, index: u64) {
        let (word, bit) = Self::place(index);
        self.0[word].fetch_and(!bit, Ordering::Release);
    }

    pub(crate) fn is_set(&self, index: u64) -> bool {
        let (word, bit) = Self::place(index);
        self.0
            .get(word)
            .is_some_and(|word| word.load(Ordering::Acquire) & bit != 0)
    }

    pub(crate) fn are_set(&self, range: Range<u64>) -> bool {
        let mut index = range.start;
        while index < range.end {
            let (word, _) = Self::place(index);
            let end = (index / 64 * 64 + 64).min(range.end);
            let count = end - index;
            let mask = (u64::MAX >> (64 - count)) << (index % 64);
            if self
                .0
                .get(word)
                .is_none_or(|word| word.load(Ordering::Acquire) & mask != mask)
            {
                return false;
            }
            index = end;
        }
        true
    }

    pub(crate) fn count(&self) -> u64 {
        self.0
            .iter()
            .map(|word| u64::from(word.load(Ordering::Relaxed).count_ones()))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_ready_when_every_bit_of_it_is() {
        let bits = ReadyBits::new(200);
        (60..140).for_each(|index| bits.set(index));
        assert!(
            bits.are_set(60..140)
                && bits.are_set(64..128)
                && bits.are_set(60..60)
                && bits.are_set(63..65)
        );
        assert!(!bits.are_set(59..140) && !bits.are_set(60..141) && !bits.are_set(190..300));
        bits.clear(100);
        assert!(!bits.are_set(60..140) && bits.are_set(101..140) && !bits.is_set(100));
        assert_eq!(bits.count(), 79);
    }
}
