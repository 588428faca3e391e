//! Where a version has data and where zeros: read from its manifest, never from the file.

use std::ops::ControlFlow;

use chunk_store::{CHUNK_BYTES, PAGE_NAMES};

use super::{ServedVersion, chunks_of};
use crate::ReadError;

/// A run of the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Where, in bytes.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
    /// True if it reads as zeros.
    pub is_hole: bool,
}

/// Which leaf of the manifest has which zero chunks: a bit for each of its 1,024 names.
pub(super) type ZeroBits = Box<[u64; PAGE_NAMES / 64]>;

impl ServedVersion {
    /// Call `visit` with the runs of data and of zeros in a range, in order, neighbours of a kind merged. It looks only at
    /// the manifest.
    ///
    /// # Errors
    /// The range is not within the image, or a page of the manifest cannot be had.
    pub fn extents(
        &self,
        offset: u64,
        length: u64,
        visit: &mut dyn FnMut(Extent) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        self.check_range(offset, length)?;
        let end = offset + length;
        let mut run: Option<Extent> = None;
        for index in chunks_of(offset, length) {
            let is_hole = self.is_zero(index)?;
            let start = (index * CHUNK_BYTES).max(offset);
            let length = ((index + 1) * CHUNK_BYTES).min(end) - start;
            match &mut run {
                Some(extent) if extent.is_hole == is_hole => extent.length += length,
                _ => {
                    if let Some(extent) = run.replace(Extent {
                        offset: start,
                        length,
                        is_hole,
                    }) && visit(extent).is_break()
                    {
                        return Ok(());
                    }
                }
            }
        }
        if let Some(extent) = run {
            // The last one: whether to go on is no longer a question.
            _ = visit(extent);
        }
        Ok(())
    }

    fn is_zero(&self, index: u64) -> Result<bool, ReadError> {
        let fan = PAGE_NAMES as u64;
        let (leaf, within) = (index / fan, index % fan);
        let Some(bits) = self.zero_bits(leaf)? else {
            return Ok(true);
        };
        let word = usize::try_from(within / 64).unwrap_or(usize::MAX);
        Ok(bits[word] & (1 << (within % 64)) != 0)
    }

    /// The zero chunks under a leaf; `None` if all are.
    pub(super) fn zero_bits(&self, leaf: u64) -> Result<Option<&ZeroBits>, ReadError> {
        let slot = &self.zeros[usize::try_from(leaf).unwrap_or(usize::MAX)];
        if let Some(bits) = slot.get() {
            return Ok(bits.as_ref());
        }
        let bits = self.manifest.leaf(leaf)?.map(|page| {
            let mut bits: ZeroBits = Box::new([0; PAGE_NAMES / 64]);
            for (within, name) in page.names().enumerate() {
                if name.is_zero() {
                    bits[within / 64] |= 1 << (within % 64);
                }
            }
            bits
        });
        Ok(slot.get_or_init(|| bits).as_ref())
    }
}
