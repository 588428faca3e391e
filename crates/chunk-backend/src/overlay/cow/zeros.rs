//! Blocks that become zeros.

use std::ops::Range;
use std::sync::atomic::Ordering;

use chunk_store::{BLOCK_BYTES, BlockState};

use super::{Below, Cow};
use crate::WriteError;
use crate::overlay::medium::Medium;

/// Zeros that have to be written are written in pieces of this many bytes.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

impl<B: Below, M: Medium> Cow<B, M> {
    /// Forget the whole blocks of a range; they are zeros from then on. What is cut at the ends stays as it is.
    pub(in crate::overlay) fn trim(&self, offset: u64, length: u64) -> Result<(), WriteError> {
        self.check(offset, length)?;
        self.check_health()?;
        match self.discard(self.whole(offset, length)) {
            // It gives space back if it can. Where a note of that finds none, the bytes stay.
            Err(error) if error.is_no_space() => Ok(()),
            result => result,
        }
    }

    /// The blocks that lie in a range as a whole.
    fn whole(&self, offset: u64, length: u64) -> Range<u64> {
        let end = offset + length;
        let last = if end == self.size {
            end.div_ceil(BLOCK_BYTES)
        } else {
            end / BLOCK_BYTES
        };
        offset.div_ceil(BLOCK_BYTES)..last
    }

    fn discard(&self, blocks: Range<u64>) -> Result<(), WriteError> {
        if blocks.is_empty() {
            return Ok(());
        }
        let _held = self.hold(blocks.clone())?;
        let count = blocks.end - blocks.start;
        if self.blocks.count(blocks.clone(), BlockState::Zero) == count {
            return Ok(());
        }
        self.noticed(self.make_leaves(&blocks))?;
        let before = self.blocks.count(blocks.clone(), BlockState::Data);
        let set = self.set(blocks.clone(), BlockState::Zero);
        let after = self.blocks.count(blocks.clone(), BlockState::Data);
        self.allocated_blocks
            .fetch_sub(before - after, Ordering::Relaxed);
        set?;
        if before > 0 {
            self.is_full.store(false, Ordering::Relaxed);
            self.is_unsynced.store(true, Ordering::SeqCst);
            // The states say that these are zeros: what is left in the file, if it cannot be given back, nobody reads.
            _ = self.punch(&blocks);
        }
        self.flush_without_live()
    }

    /// Have a range read as zeros. With `is_kept` it takes its space as if it had been written.
    pub(in crate::overlay) fn write_zeroes(
        &self,
        offset: u64,
        length: u64,
        is_kept: bool,
    ) -> Result<(), WriteError> {
        self.check(offset, length)?;
        self.check_health()?;
        let end = offset + length;
        let whole = self.whole(offset, length);
        if is_kept || whole.is_empty() {
            return self.write_zero_bytes(offset, end);
        }
        self.write_zero_bytes(offset, whole.start * BLOCK_BYTES)?;
        let rest = self.end_of(whole.end - 1);
        self.discard(whole)?;
        self.write_zero_bytes(rest, end)
    }

    fn write_zero_bytes(&self, start: u64, end: u64) -> Result<(), WriteError> {
        let mut start = start;
        while start < end {
            // Pieces end at blocks' ends, so that no block is completed twice.
            let piece = (start / BLOCK_BYTES * BLOCK_BYTES + ZEROS.len() as u64).min(end) - start;
            self.write_at(start, &ZEROS[..usize::try_from(piece).unwrap_or(0)])?;
            start += piece;
        }
        Ok(())
    }
}
