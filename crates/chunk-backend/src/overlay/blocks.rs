//! Where the bytes of each block are: two bits a block, in memory, in leaves that come when a block of them changes.
//!
//! Reading takes no lock. A block never goes back to the version below.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use chunk_store::{BlockState, LEAF_BLOCKS, LEAF_STATE_BYTES, LeafStates};

const WORD_BLOCKS: u64 = 32;
const WORDS: usize = LEAF_STATE_BYTES / 8;
/// One in the lower bit of every pair.
const PAIRS: u64 = 0x5555_5555_5555_5555;

#[derive(Debug)]
struct Leaf {
    words: [AtomicU64; WORDS],
    /// Held by who changes the words; whether they changed since they were taken last.
    is_dirty: Mutex<bool>,
}

/// A leaf that changed, as it was at one moment.
#[derive(Debug)]
pub(super) struct Changed {
    pub(super) leaf: u64,
    pub(super) states: Box<LeafStates>,
}

/// The states of all blocks of a disk.
#[derive(Debug)]
pub(super) struct Blocks {
    leaves: Box<[OnceLock<Box<Leaf>>]>,
    /// Leaves that are dirty. Taken after a leaf's own lock, never before.
    dirty: Mutex<Vec<u64>>,
}

/// The number of leaves for a disk of `blocks` blocks.
pub(super) const fn leaf_count(blocks: u64) -> u64 {
    blocks.div_ceil(LEAF_BLOCKS)
}

impl Blocks {
    pub(super) fn new(blocks: u64) -> Self {
        let leaves = (0..leaf_count(blocks)).map(|_| OnceLock::new()).collect();
        Self {
            leaves,
            dirty: Mutex::default(),
        }
    }

    fn leaf(&self, leaf: u64) -> Option<&Leaf> {
        let place = usize::try_from(leaf).unwrap_or(usize::MAX);
        Some(self.leaves.get(place)?.get()?)
    }

    fn make_leaf(&self, leaf: u64) -> &Leaf {
        let place = usize::try_from(leaf).unwrap_or(usize::MAX);
        self.leaves[place].get_or_init(|| {
            Box::new(Leaf {
                words: [const { AtomicU64::new(0) }; WORDS],
                is_dirty: Mutex::new(false),
            })
        })
    }

    pub(super) fn has_leaf(&self, leaf: u64) -> bool {
        self.leaf(leaf).is_some()
    }

    /// Take the states of a whole leaf from a file.
    pub(super) fn load(&self, leaf: u64, states: &LeafStates) {
        let made = self.make_leaf(leaf);
        for (word, bytes) in made.words.iter().zip(states.chunks_exact(8)) {
            let mut value = [0; 8];
            value.copy_from_slice(bytes);
            word.store(u64::from_le_bytes(value), Ordering::Relaxed);
        }
    }

    /// The states of a whole leaf.
    pub(super) fn states(&self, leaf: u64) -> Box<LeafStates> {
        let mut states = Box::new([0; LEAF_STATE_BYTES]);
        if let Some(leaf) = self.leaf(leaf) {
            copy(leaf, &mut states);
        }
        states
    }

    pub(super) fn state(&self, block: u64) -> BlockState {
        let Some(leaf) = self.leaf(block / LEAF_BLOCKS) else {
            return BlockState::Base;
        };
        let (word, shift) = place(block % LEAF_BLOCKS);
        BlockState::from_bits(leaf.words[word].load(Ordering::Acquire) >> shift)
    }

    /// The state of the first block of a range, and the end of the run of blocks in the same state.
    pub(super) fn run(&self, range: Range<u64>) -> (BlockState, u64) {
        let state = self.state(range.start);
        let whole = state.bits() * PAIRS;
        let mut block = range.start + 1;
        while block < range.end {
            let Some(leaf) = self.leaf(block / LEAF_BLOCKS) else {
                if state != BlockState::Base {
                    break;
                }
                block = (block / LEAF_BLOCKS + 1) * LEAF_BLOCKS;
                continue;
            };
            let (word, shift) = place(block % LEAF_BLOCKS);
            let bits = leaf.words[word].load(Ordering::Acquire);
            if shift == 0 && bits == whole {
                block += WORD_BLOCKS;
            } else if BlockState::from_bits(bits >> shift) == state {
                block += 1;
            } else {
                break;
            }
        }
        (state, block.min(range.end))
    }

    /// All runs of a range, in order.
    pub(super) fn runs(&self, range: Range<u64>) -> impl Iterator<Item = (BlockState, Range<u64>)> {
        let mut block = range.start;
        std::iter::from_fn(move || {
            (block < range.end).then(|| {
                let (state, end) = self.run(block..range.end);
                (state, std::mem::replace(&mut block, end)..end)
            })
        })
    }

    /// How many blocks of a range are in `state`.
    pub(super) fn count(&self, range: Range<u64>, state: BlockState) -> u64 {
        self.runs(range)
            .filter(|(found, _)| *found == state)
            .map(|(_, run)| run.end - run.start)
            .sum()
    }

    /// Put all blocks of a range into `state`. For each leaf, `note` is given its number, a place in its states and the bytes that are
    /// going to be there; what it refuses does not happen, nor what is behind it.
    pub(super) fn set<E>(
        &self,
        range: Range<u64>,
        state: BlockState,
        note: &mut impl FnMut(u64, usize, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut start = range.start;
        while start < range.end {
            let number = start / LEAF_BLOCKS;
            let end = ((number + 1) * LEAF_BLOCKS).min(range.end);
            self.set_in_leaf(
                number,
                start % LEAF_BLOCKS..end - number * LEAF_BLOCKS,
                state,
                note,
            )?;
            start = end;
        }
        Ok(())
    }

    fn set_in_leaf<E>(
        &self,
        number: u64,
        blocks: Range<u64>,
        state: BlockState,
        note: &mut impl FnMut(u64, usize, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let leaf = self.make_leaf(number);
        let mut is_dirty = leaf.is_dirty.lock().unwrap_or_else(PoisonError::into_inner);
        let first = place(blocks.start).0;
        let last = place(blocks.end - 1).0;
        let changed: Vec<u64> = (first..=last)
            .map(|word| {
                let before = leaf.words[word].load(Ordering::Relaxed);
                let mask = mask(&blocks, word);
                (before & !mask) | ((state.bits() * PAIRS) & mask)
            })
            .collect();
        let bytes: Vec<u8> = changed.iter().flat_map(|word| word.to_le_bytes()).collect();
        note(number, first * 8, &bytes)?;
        for (word, value) in leaf.words[first..].iter().zip(changed) {
            word.store(value, Ordering::Release);
        }
        self.mark(number, &mut is_dirty);
        Ok(())
    }

    fn mark(&self, leaf: u64, is_dirty: &mut bool) {
        if !*is_dirty {
            *is_dirty = true;
            self.dirty
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(leaf);
        }
    }

    /// Have a leaf taken the next time, changed or not.
    pub(super) fn mark_dirty(&self, leaf: u64) {
        if let Some(found) = self.leaf(leaf) {
            let is_dirty = &mut found
                .is_dirty
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            self.mark(leaf, is_dirty);
        }
    }

    /// The leaves that changed since this was called last.
    pub(super) fn take_changed(&self) -> Vec<Changed> {
        let dirty = std::mem::take(&mut *self.dirty.lock().unwrap_or_else(PoisonError::into_inner));
        let mut changed = Vec::with_capacity(dirty.len());
        for number in dirty {
            if let Some(leaf) = self.leaf(number) {
                let mut states = Box::new([0; LEAF_STATE_BYTES]);
                let mut is_dirty = leaf.is_dirty.lock().unwrap_or_else(PoisonError::into_inner);
                copy(leaf, &mut states);
                *is_dirty = false;
                changed.push(Changed {
                    leaf: number,
                    states,
                });
            }
        }
        changed
    }
}

fn copy(leaf: &Leaf, states: &mut LeafStates) {
    for (word, bytes) in leaf.words.iter().zip(states.chunks_exact_mut(8)) {
        bytes.copy_from_slice(&word.load(Ordering::Acquire).to_le_bytes());
    }
}

/// The word of a block within its leaf, and where in the word.
fn place(within: u64) -> (usize, u64) {
    let word = usize::try_from(within / WORD_BLOCKS).unwrap_or(usize::MAX);
    (word, within % WORD_BLOCKS * 2)
}

/// The bits of `word` that belong to `blocks` of its leaf.
fn mask(blocks: &Range<u64>, word: usize) -> u64 {
    let first = word as u64 * WORD_BLOCKS;
    let start = blocks.start.max(first) - first;
    let end = blocks.end.min(first + WORD_BLOCKS) - first;
    let below = |count: u64| {
        if count == WORD_BLOCKS {
            u64::MAX
        } else {
            (1 << (count * 2)) - 1
        }
    };
    below(end) & !below(start)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    const BLOCKS: u64 = 3 * LEAF_BLOCKS + 100;

    fn set(blocks: &Blocks, range: Range<u64>, state: BlockState) {
        let Ok(()) = blocks.set(range, state, &mut |_, _, _| Ok::<_, Infallible>(()));
    }

    fn state() -> impl Strategy<Value = BlockState> {
        prop_oneof![Just(BlockState::Data), Just(BlockState::Zero)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_block_has_the_state_it_was_given_last(
            sets in prop::collection::vec((0..BLOCKS, 1_u64..9_000, state()), 1..20)
        ) {
            let blocks = Blocks::new(BLOCKS);
            let mut model = vec![BlockState::Base; usize::try_from(BLOCKS).unwrap()];
            let mut noted = vec![0; usize::try_from(leaf_count(BLOCKS)).unwrap() * LEAF_STATE_BYTES];
            for (start, length, state) in sets {
                let end = (start + length).min(BLOCKS);
                let Ok(()) = blocks.set(start..end, state, &mut |leaf, place, bytes| {
                    let place = usize::try_from(leaf).unwrap() * LEAF_STATE_BYTES + place;
                    noted[place..place + bytes.len()].copy_from_slice(bytes);
                    Ok::<_, Infallible>(())
                });
                model[usize::try_from(start).unwrap()..usize::try_from(end).unwrap()].fill(state);
            }
            for (block, state) in model.iter().enumerate() {
                prop_assert_eq!(blocks.state(block as u64), *state);
            }
            let mut runs = Vec::new();
            for (state, run) in blocks.runs(0..BLOCKS) {
                prop_assert!(run.clone().all(|block| blocks.state(block) == state));
                prop_assert!(runs.last() != Some(&state));
                runs.push(state);
            }
            let data = model.iter().filter(|state| **state == BlockState::Data).count();
            prop_assert_eq!(blocks.count(0..BLOCKS, BlockState::Data), data as u64);
            for changed in blocks.take_changed() {
                let place = usize::try_from(changed.leaf).unwrap() * LEAF_STATE_BYTES;
                prop_assert_eq!(&changed.states[..], &noted[place..place + LEAF_STATE_BYTES]);
            }
            prop_assert!(blocks.take_changed().is_empty());
        }
    }

    #[test]
    fn what_is_not_noted_does_not_happen() {
        let blocks = Blocks::new(BLOCKS);
        let range = LEAF_BLOCKS - 1..LEAF_BLOCKS + 1;
        let refused = blocks.set(range, BlockState::Data, &mut |leaf, _, _| {
            if leaf == 0 { Ok(()) } else { Err("full") }
        });
        assert_eq!(refused, Err("full"));
        assert_eq!(blocks.state(LEAF_BLOCKS - 1), BlockState::Data);
        assert_eq!(blocks.state(LEAF_BLOCKS), BlockState::Base);
    }

    #[test]
    fn a_leaf_is_taken_once_for_each_time_it_changed() {
        let blocks = Blocks::new(BLOCKS);
        set(&blocks, 5..6, BlockState::Data);
        set(&blocks, 6..7, BlockState::Zero);
        let taken = blocks.take_changed();
        assert_eq!((taken.len(), taken[0].states[1]), (1, 0b0010_0100));
        set(&blocks, LEAF_BLOCKS..LEAF_BLOCKS + 1, BlockState::Data);
        assert_eq!(blocks.take_changed()[0].leaf, 1);
        blocks.mark_dirty(0);
        assert_eq!(blocks.take_changed()[0].states, taken[0].states);
    }
}
