//! Copy on write: what was written is in the overlay, everything else in what lies below.
//!
//! Three rules make it safe, whatever happens when:
//!
//! 1. A block is said to be in the overlay only after its bytes are there. In memory, for readers; in the file of live states,
//!    for who opens the overlay after a kill; in the map's slots after a sync of the data, for who opens it after a loss of power.
//! 2. What is said in the slots stays true: a block that is in the overlay is overwritten in its place or becomes zeros.
//! 3. What could fail for lack of space is done before anything is changed.
//!
//! Here is reading and writing; `opening`, `zeros` and `flushing` are what their names say.

mod flushing;
mod opening;
mod zeros;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};

use chunk_store::{
    BLOCK_BYTES, BlockState, LEAF_BLOCKS, LEAF_STATE_BYTES, LIVE_STATES_OFFSET, SLOT_BYTES,
};

use super::blocks::Blocks;
use super::medium::Medium;
use super::ranges::{HeldRange, Ranges};
use crate::{IoFailure, ReadError, WriteError};

const BLOCK: usize = 4_096;
const SLOTS_BYTES: u64 = 2 * SLOT_BYTES as u64;

/// What lies below.
pub(super) trait Below: Send + Sync {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError>;
}

/// The file in which states outlive a kill.
#[derive(Debug)]
pub(super) enum Live<M> {
    /// A process that was killed, or ended, since the system started has left its states in it.
    Current(M),
    /// It has no states yet; once it has, it begins with these bytes.
    Empty(M, [u8; 48]),
}

/// The files of an overlay.
#[derive(Debug)]
pub(super) struct Files<M> {
    pub(super) data: M,
    pub(super) map: M,
    /// Without it every change of a state is made safe at once.
    pub(super) live: Option<Live<M>>,
}

/// An overlay that is not concerned with where its files come from.
#[derive(Debug)]
pub(super) struct Cow<B, M> {
    id: [u8; 16],
    size: u64,
    limit: AtomicU64,
    path: PathBuf,
    below: B,
    data: M,
    map: M,
    live: Option<M>,
    blocks: Blocks,
    ranges: Ranges,
    allocated_blocks: AtomicU64,
    is_full: AtomicBool,
    is_unsynced: AtomicBool,
    sequences: Box<[AtomicU64]>,
    begun_flushes: AtomicU64,
    /// The number of the last flush that succeeded; held while one is under way.
    flushing: Mutex<u64>,
    failed: OnceLock<IoFailure>,
}

/// What an overlay is made of, to open it.
#[derive(Debug)]
pub(super) struct Parts<B, M> {
    pub(super) id: [u8; 16],
    pub(super) size: u64,
    pub(super) limit: u64,
    pub(super) path: PathBuf,
    pub(super) below: B,
    pub(super) files: Files<M>,
}

impl<B: Below, M: Medium> Cow<B, M> {
    pub(super) fn below(&self) -> &B {
        &self.below
    }

    pub(super) fn blocks(&self) -> &Blocks {
        &self.blocks
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit.load(Ordering::Relaxed)
    }

    pub(super) fn set_limit(&self, bytes: u64) {
        self.limit.store(bytes, Ordering::Relaxed);
    }

    pub(super) fn allocated_bytes(&self) -> u64 {
        self.allocated_blocks.load(Ordering::Relaxed) * BLOCK_BYTES
    }

    pub(super) fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    pub(super) fn failed(&self) -> Option<&IoFailure> {
        self.failed.get()
    }

    /// Let nothing be changed from now on, and wait for what is under way. False if it was so already.
    pub(super) fn freeze(&self) -> bool {
        self.ranges.freeze()
    }

    pub(super) fn thaw(&self) {
        self.ranges.thaw();
    }

    fn failure(&self, operation: &'static str, file: &str, error: std::io::Error) -> IoFailure {
        IoFailure::new(operation, &self.path.join(file), error)
    }

    fn check(&self, offset: u64, length: u64) -> Result<(), ReadError> {
        match offset.checked_add(length) {
            Some(end) if end <= self.size => Ok(()),
            _ => Err(ReadError::BeyondEnd {
                offset,
                length,
                size: self.size,
            }),
        }
    }

    /// The end of a block, which for the last one may be the disk's.
    fn end_of(&self, block: u64) -> u64 {
        ((block + 1) * BLOCK_BYTES).min(self.size)
    }

    pub(super) fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        self.check(offset, buffer.len() as u64)?;
        let mut rest = buffer;
        let mut position = offset;
        for (state, run) in self.blocks.runs(touched(offset, rest.len() as u64)) {
            let end = self.end_of(run.end - 1).min(position + rest.len() as u64);
            let length = usize::try_from(end - position).unwrap_or(usize::MAX);
            let (part, behind) = rest.split_at_mut(length);
            match state {
                BlockState::Base => self.below.read_at(position, part)?,
                BlockState::Data => self
                    .data
                    .read_at(part, position)
                    .map_err(|error| self.failure("read", "data", error))?,
                BlockState::Zero => part.fill(0),
            }
            position = end;
            rest = behind;
        }
        Ok(())
    }

    pub(super) fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), WriteError> {
        self.check(offset, bytes.len() as u64)?;
        self.check_health()?;
        if bytes.is_empty() {
            return Ok(());
        }
        let blocks = touched(offset, bytes.len() as u64);
        let _held = self.hold(blocks.clone())?;
        let count = blocks.end - blocks.start;
        let fresh = count - self.blocks.count(blocks.clone(), BlockState::Data);
        if fresh == 0 {
            return Ok(self.noticed(self.write_data(offset, bytes))?);
        }
        self.noticed(self.make_leaves(&blocks))?;
        self.allocate(fresh)?;
        let written = self
            .write_whole_blocks(offset, bytes, &blocks)
            .and_then(|()| Ok(self.set(blocks.clone(), BlockState::Data)?));
        if let Err(error) = written {
            self.take_back(&blocks, fresh, count);
            self.is_full
                .fetch_or(error.is_no_space(), Ordering::Relaxed);
            return Err(error);
        }
        self.is_full.store(false, Ordering::Relaxed);
        self.flush_without_live()
    }

    fn check_health(&self) -> Result<(), WriteError> {
        self.failed
            .get()
            .map_or(Ok(()), |failure| Err(WriteError::Failed(failure.clone())))
    }

    fn hold(&self, blocks: Range<u64>) -> Result<HeldRange<'_>, WriteError> {
        self.ranges.hold(blocks).ok_or(WriteError::Sealed)
    }

    fn noticed<T>(&self, result: Result<T, IoFailure>) -> Result<T, IoFailure> {
        if let Err(error) = &result
            && error.is_no_space()
        {
            self.is_full.store(true, Ordering::Relaxed);
        }
        result
    }

    /// Make room for what the states of these blocks need in the files, so that no flush finds the disk full.
    fn make_leaves(&self, blocks: &Range<u64>) -> Result<(), IoFailure> {
        let leaves = blocks.start / LEAF_BLOCKS..(blocks.end - 1) / LEAF_BLOCKS + 1;
        for leaf in leaves.filter(|leaf| !self.blocks.has_leaf(*leaf)) {
            self.map
                .reserve(leaf * SLOTS_BYTES, SLOTS_BYTES)
                .map_err(|error| self.failure("write", "map", error))?;
            if let Some(live) = &self.live {
                live.reserve(live_place(leaf), LEAF_STATE_BYTES as u64)
                    .map_err(|error| self.failure("write", "live", error))?;
            }
        }
        Ok(())
    }

    fn allocate(&self, blocks: u64) -> Result<(), WriteError> {
        let limit = self.limit();
        let fits = |allocated: u64| {
            let after = allocated + blocks;
            (after * BLOCK_BYTES <= limit).then_some(after)
        };
        self.allocated_blocks
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits)
            .map(|_| ())
            .map_err(|_| {
                self.is_full.store(true, Ordering::Relaxed);
                WriteError::LimitReached {
                    path: self.path.clone(),
                    limit_bytes: limit,
                }
            })
    }

    /// Write bytes, and of blocks that are not here yet also what the bytes leave of them.
    fn write_whole_blocks(
        &self,
        offset: u64,
        bytes: &[u8],
        blocks: &Range<u64>,
    ) -> Result<(), WriteError> {
        let (mut start, mut end) = (offset, offset + bytes.len() as u64);
        let last = blocks.end - 1;
        if self.is_cut(blocks.start, start, end) {
            self.write_completed(blocks.start, offset, bytes)?;
            start = self.end_of(blocks.start);
        }
        if start < end && last > blocks.start && self.is_cut(last, start, end) {
            self.write_completed(last, offset, bytes)?;
            end = last * BLOCK_BYTES;
        }
        if start < end {
            let part = |place: u64| usize::try_from(place - offset).unwrap_or(usize::MAX);
            self.write_data(start, &bytes[part(start)..part(end)])?;
        }
        Ok(())
    }

    /// True if a block that is not here yet is written only in part.
    fn is_cut(&self, block: u64, start: u64, end: u64) -> bool {
        (start > block * BLOCK_BYTES || end < self.end_of(block))
            && self.blocks.state(block) != BlockState::Data
    }

    /// Write a whole block: `bytes` where they are, and what was there before.
    fn write_completed(&self, block: u64, offset: u64, bytes: &[u8]) -> Result<(), WriteError> {
        let start = block * BLOCK_BYTES;
        let end = self.end_of(block);
        let mut whole = [0; BLOCK];
        let whole = &mut whole[..usize::try_from(end - start).unwrap_or(BLOCK)];
        self.read_at(start, whole)?;
        let from = offset.max(start);
        let to = (offset + bytes.len() as u64).min(end);
        let in_block = |place: u64| usize::try_from(place - start).unwrap_or(usize::MAX);
        let in_bytes = |place: u64| usize::try_from(place - offset).unwrap_or(usize::MAX);
        whole[in_block(from)..in_block(to)].copy_from_slice(&bytes[in_bytes(from)..in_bytes(to)]);
        Ok(self.write_data(start, whole)?)
    }

    fn write_data(&self, offset: u64, bytes: &[u8]) -> Result<(), IoFailure> {
        let written = self.data.write_at(bytes, offset);
        // Also if it failed: some of it may be there and be read. And before any state says so: a flush that sees the states must
        // see this.
        self.is_unsynced.store(true, Ordering::SeqCst);
        written.map_err(|error| self.failure("write", "data", error))
    }

    /// After a write that failed: what it did not finish is not here, and takes no space.
    fn take_back(&self, blocks: &Range<u64>, fresh: u64, count: u64) {
        let now = count - self.blocks.count(blocks.clone(), BlockState::Data);
        self.allocated_blocks
            .fetch_sub(now.min(fresh), Ordering::Relaxed);
        for (state, run) in self.blocks.runs(blocks.clone()) {
            if state != BlockState::Data {
                _ = self.punch(&run);
            }
        }
    }

    fn punch(&self, blocks: &Range<u64>) -> Result<(), IoFailure> {
        let offset = blocks.start * BLOCK_BYTES;
        self.data
            .punch(offset, self.end_of(blocks.end - 1) - offset)
            .map_err(|error| self.failure("trim", "data", error))
    }

    /// Say where blocks are, in memory and for who comes after a kill.
    fn set(&self, blocks: Range<u64>, state: BlockState) -> Result<(), IoFailure> {
        self.blocks.set(blocks, state, &mut |leaf, place, bytes| {
            self.live.as_ref().map_or(Ok(()), |live| {
                live.write_at(bytes, live_place(leaf) + place as u64)
                    .map_err(|error| self.failure("write", "live", error))
            })
        })
    }
}

fn live_place(leaf: u64) -> u64 {
    LIVE_STATES_OFFSET + leaf * LEAF_STATE_BYTES as u64
}

/// The blocks that a range touches.
fn touched(offset: u64, length: u64) -> Range<u64> {
    if length == 0 {
        return 0..0;
    }
    offset / BLOCK_BYTES..(offset + length).div_ceil(BLOCK_BYTES)
}
