//! Where each block is, in a file in memory.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use crate::layout::{LAYOUT_BYTES, Layout};

/// Where the entries begin; before them stands the layout.
const ENTRIES_AT: u64 = 4096;
pub(crate) const ENTRY_BYTES: usize = 4;
/// Entries looked at in one go.
const STRIDE: u64 = 64 * 1024;

/// Where a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// In the version. No block ever comes back here.
    Below,
    Zero,
    Kept(u32),
}

impl Entry {
    /// The most slots that can be told apart.
    pub(crate) const MOST_SLOTS: u32 = u32::MAX - 2;

    pub(crate) fn to_number(self) -> u32 {
        match self {
            Self::Below => 0,
            Self::Zero => 1,
            Self::Kept(slot) => slot.saturating_add(2),
        }
    }

    pub(crate) fn from_number(number: u32) -> Self {
        match number {
            0 => Self::Below,
            1 => Self::Zero,
            kept => Self::Kept(kept - 2),
        }
    }
}

/// The entries of all blocks.
#[derive(Debug)]
pub(crate) struct Index {
    file: File,
}

impl Index {
    pub(crate) fn new(file: File) -> Self {
        Self { file }
    }

    /// What an earlier process made.
    pub(crate) fn layout(&self) -> io::Result<Option<Layout>> {
        if self.file.metadata()?.len() < ENTRIES_AT {
            return Ok(None);
        }
        let mut bytes = [0; LAYOUT_BYTES];
        self.file.read_exact_at(&mut bytes, 0)?;
        Ok(Layout::from_bytes(bytes))
    }

    /// All blocks are below.
    pub(crate) fn clear(&self, layout: &Layout) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file
            .set_len(ENTRIES_AT + layout.blocks() * ENTRY_BYTES as u64)
    }

    /// From now on a process that follows believes the entries.
    pub(crate) fn seal(&self, layout: &Layout) -> io::Result<()> {
        self.file.write_all_at(&layout.to_bytes(), 0)
    }

    /// For every process that follows: the cache disk has lost what it had taken.
    pub(crate) fn note_loss(&self) -> io::Result<()> {
        self.file.write_all_at(&[1], LAYOUT_BYTES as u64)
    }

    pub(crate) fn knows_of_loss(&self) -> io::Result<bool> {
        let mut noted = [0];
        self.file.read_exact_at(&mut noted, LAYOUT_BYTES as u64)?;
        Ok(noted != [0])
    }

    pub(crate) fn entries(&self, blocks: Range<u64>) -> io::Result<Vec<Entry>> {
        let count = usize::try_from(blocks.end.saturating_sub(blocks.start)).unwrap_or(0);
        let mut bytes = vec![0; count * ENTRY_BYTES];
        self.file.read_exact_at(&mut bytes, at(blocks.start))?;
        Ok(bytes
            .chunks_exact(ENTRY_BYTES)
            .map(|entry| Entry::from_number(entry.try_into().map_or(0, u32::from_le_bytes)))
            .collect())
    }

    pub(crate) fn set(&self, first: u64, entries: &[Entry]) -> io::Result<()> {
        let numbers = entries
            .iter()
            .flat_map(|entry| entry.to_number().to_le_bytes());
        self.file
            .write_all_at(&numbers.collect::<Vec<_>>(), at(first))
    }

    /// Shows each stretch of blocks in which something may not be below.
    pub(crate) fn scan(&self, blocks: u64, mut take: impl FnMut(u64, &[Entry])) -> io::Result<()> {
        let mut first = 0;
        while first < blocks {
            // Holes are skipped: most of a disk was never written to.
            first = match rustix::fs::seek(&self.file, rustix::fs::SeekFrom::Data(at(first))) {
                Ok(found) => first.max(found.saturating_sub(ENTRIES_AT) / ENTRY_BYTES as u64),
                Err(rustix::io::Errno::NXIO) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            let end = (first + STRIDE).min(blocks);
            if first < end {
                take(first, &self.entries(first..end)?);
            }
            first = end;
        }
        Ok(())
    }
}

fn at(block: u64) -> u64 {
    ENTRIES_AT + block * ENTRY_BYTES as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kind, Memory};

    #[test]
    fn entries_are_found_again_and_holes_are_skipped() {
        let layout = Layout {
            kind: Kind::Ram,
            root: [1; 32],
            size_bytes: 1 << 40,
            memory_slots: 9,
            disk_slots: 0,
            epoch: 1,
        };
        let index = Index::new(Memory::new().unwrap().index);
        assert_eq!(index.layout().unwrap(), None);
        index.clear(&layout).unwrap();
        assert_eq!(index.layout().unwrap(), None);
        index.seal(&layout).unwrap();
        assert_eq!(index.layout().unwrap(), Some(layout));
        let last = layout.blocks() - 1;
        index.set(3, &[Entry::Zero, Entry::Kept(0)]).unwrap();
        index.set(last, &[Entry::Kept(8)]).unwrap();
        let mut seen = Vec::new();
        let mut looked_at = 0;
        index
            .scan(layout.blocks(), |first, entries| {
                looked_at += entries.len();
                let kept = (first..)
                    .zip(entries)
                    .filter(|(_, entry)| **entry != Entry::Below);
                seen.extend(kept.map(|(block, entry)| (block, *entry)));
            })
            .unwrap();
        assert_eq!(
            seen,
            [
                (3, Entry::Zero),
                (4, Entry::Kept(0)),
                (last, Entry::Kept(8))
            ]
        );
        assert!(looked_at < 1 << 20, "{looked_at} of {last}");
    }
}
