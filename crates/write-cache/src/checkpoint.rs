//! The index on the cache disk, of a cache that is kept for the next start.
//!
//! It is written in sectors, each with the epoch at its beginning: a sector of an earlier epoch says nothing, so that a cache begins anew
//! by one new header. An entry is never half written, since disks write sectors whole.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::disk::HEAD_BYTES;
use crate::index::{ENTRY_BYTES, Entry, Index};

const SECTOR_BYTES: usize = 512;
const EPOCH_BYTES: usize = 8;
const ENTRIES: u64 = ((SECTOR_BYTES - EPOCH_BYTES) / ENTRY_BYTES) as u64;
/// Sectors read in one go.
const STRIDE: u64 = 2048;

/// The bytes of the index of so many blocks, which slots follow.
pub(crate) fn index_bytes(blocks: u64) -> u64 {
    (sectors(blocks) * SECTOR_BYTES as u64).next_multiple_of(crate::BLOCK_BYTES)
}

fn sectors(blocks: u64) -> u64 {
    blocks.div_ceil(ENTRIES)
}

/// The sector that a block's entry is in.
pub(crate) fn sector_of(block: u64) -> u64 {
    block / ENTRIES
}

/// What is to be written, as it was at one moment.
pub(crate) struct Checkpoint {
    sectors: Vec<(u64, [u8; SECTOR_BYTES])>,
}

impl Checkpoint {
    /// Takes the sectors as they are now. What entries point to must be made safe before they are written.
    pub(crate) fn take(
        index: &Index,
        dirty: &BTreeSet<u64>,
        epoch: u64,
        blocks: u64,
    ) -> io::Result<Self> {
        let mut sectors = Vec::with_capacity(dirty.len());
        for sector in dirty {
            let first = sector * ENTRIES;
            let mut bytes = [0; SECTOR_BYTES];
            let (head, entries) = bytes.split_at_mut(EPOCH_BYTES);
            head.copy_from_slice(&epoch.to_le_bytes());
            let found = index.entries(first..(first + ENTRIES).min(blocks))?;
            for (place, entry) in entries.chunks_exact_mut(ENTRY_BYTES).zip(found) {
                place.copy_from_slice(&entry.to_number().to_le_bytes());
            }
            sectors.push((*sector, bytes));
        }
        Ok(Self { sectors })
    }

    pub(crate) fn write(&self, disk: &File) -> io::Result<()> {
        for (sector, bytes) in &self.sectors {
            disk.write_all_at(bytes, HEAD_BYTES + sector * SECTOR_BYTES as u64)?;
        }
        Ok(())
    }
}

/// Shows the entries that were written under this epoch, with the block that each stretch begins at.
pub(crate) fn load(
    disk: &File,
    epoch: u64,
    blocks: u64,
    mut take: impl FnMut(u64, &[Entry]) -> io::Result<()>,
) -> io::Result<()> {
    let all = sectors(blocks);
    let mut next = 0;
    while next < all {
        let count = STRIDE.min(all - next);
        let mut bytes = vec![0; usize::try_from(count).unwrap_or(0) * SECTOR_BYTES];
        disk.read_exact_at(&mut bytes, HEAD_BYTES + next * SECTOR_BYTES as u64)?;
        for (sector, bytes) in (next..).zip(bytes.chunks_exact(SECTOR_BYTES)) {
            let (head, entries) = bytes.split_at(EPOCH_BYTES);
            if head != epoch.to_le_bytes() {
                continue;
            }
            let first = sector * ENTRIES;
            let count = usize::try_from(ENTRIES.min(blocks - first)).unwrap_or(0);
            let entries = entries.chunks_exact(ENTRY_BYTES).take(count);
            let entries: Vec<_> = entries
                .map(|entry| Entry::from_number(entry.try_into().map_or(0, u32::from_le_bytes)))
                .collect();
            take(first, &entries)?;
        }
        next += count;
    }
    Ok(())
}
