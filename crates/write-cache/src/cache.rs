//! Reading, writing, clearing, flushing.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::BLOCK_BYTES;
use crate::checkpoint::{self, Checkpoint};
use crate::disk::{CacheDisk, HEAD_BYTES, LEAST_SLOTS};
use crate::header::Header;
use crate::index::{Entry, Index};
use crate::layout::{Kind, Layout, Memory, Plan};
use crate::medium::Medium;
use crate::slots::Slots;

/// Why there is no cache.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The kind needs what was not given.
    #[error("a write cache of kind {0} needs a cache disk")]
    NoDisk(&'static str),
    /// The index of a cache that is kept takes room too.
    #[error(
        "a cache disk of {found} bytes is too small for {kind} of a disk of {size_bytes} bytes"
    )]
    TooSmall {
        /// Which kind.
        kind: &'static str,
        /// What the cache disk has.
        found: u64,
        /// The streamed disk.
        size_bytes: u64,
    },
    /// The system's.
    #[error("the write cache cannot be set up: {0}")]
    Io(#[from] io::Error),
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// Nothing was changed.
    #[error("the write cache is full")]
    Full,
    /// Of memory or of the cache disk.
    #[error("the write cache fails: {0}")]
    Io(#[from] io::Error),
}

/// A piece of a whole block that is below, which a write of a part of it needs.
pub type Edge = (u64, Vec<u8>);

/// What a device wrote.
#[derive(Debug)]
pub struct Cache {
    layout: Layout,
    index: Index,
    medium: Medium,
    allocation: Mutex<Allocation>,
    /// Held by the one that writes the index to the disk.
    checkpoint: Mutex<()>,
    /// The kernel reports once that bytes could not be written, then it forgets them: after a sync that failed nothing is taken any more.
    has_lost_bytes: AtomicBool,
}

#[derive(Debug)]
struct Allocation {
    slots: Slots,
    /// Sectors of the index on the disk that are behind the one in memory; of a cache that is kept.
    dirty: BTreeSet<u64>,
    /// Whether something went to the disk that may not be safe there.
    needs_sync: bool,
}

impl Cache {
    /// Goes on with what an earlier process made in this memory; otherwise with what a persistent cache disk has over the same root;
    /// otherwise begins anew.
    ///
    /// # Errors
    /// Why there is none.
    pub fn open(memory: Memory, disk: Option<CacheDisk>, plan: &Plan) -> Result<Self, OpenError> {
        let index = Index::new(memory.index);
        let earlier = index.layout()?;
        // One that was killed before anybody had the disk may have been told of another version.
        let is_for_this =
            |layout: &Layout| layout.root == plan.root && layout.size_bytes == plan.size_bytes;
        if let Some(layout) = earlier.filter(is_for_this) {
            let disk = disk.filter(|_| layout.kind.needs_disk());
            let cache = Self::with(layout, index, memory.blocks, disk)?;
            if cache.check_disk().is_ok() {
                cache.catch_up()?;
            }
            return Ok(cache);
        }
        let disk = disk.filter(|_| plan.kind.needs_disk());
        if plan.kind.needs_disk() && disk.is_none() {
            return Err(OpenError::NoDisk(plan.kind.name()));
        }
        let known = disk.as_ref().and_then(|disk| disk.header);
        let mut layout = plan.layout(disk.as_ref())?;
        // Those that are in use stay usable, also if the limit has been lowered.
        if let Some(known) = known.filter(|known| plan.goes_on_with(known)) {
            layout.disk_slots = layout.disk_slots.max(known.slots);
            if let Some(disk) = &disk {
                let most = disk.file_bytes()?.saturating_sub(slots_at(&layout)) / BLOCK_BYTES;
                layout.disk_slots = layout
                    .disk_slots
                    .min(u32::try_from(most).unwrap_or(u32::MAX));
            }
            layout.epoch = known.epoch;
            index.clear(&layout)?;
            if let Some(disk) = &disk
                && restore(&index, disk, &layout)?
            {
                disk.write_header(&layout, plan)?;
                index.seal(&layout)?;
                return Self::with(layout, index, memory.blocks, Some(disk.try_clone()?));
            }
        }
        layout = plan.layout(disk.as_ref())?;
        index.clear(&layout)?;
        memory.blocks.set_len(0)?;
        memory
            .blocks
            .set_len(u64::from(layout.memory_slots) * BLOCK_BYTES)?;
        if let Some(disk) = &disk {
            disk.write_header(&layout, plan)?;
            disk.give_up_contents();
        }
        index.seal(&layout)?;
        Self::with(layout, index, memory.blocks, disk)
    }

    fn with(
        layout: Layout,
        index: Index,
        memory: std::fs::File,
        disk: Option<CacheDisk>,
    ) -> Result<Self, OpenError> {
        let mut taken = BTreeSet::new();
        index.scan(layout.blocks(), |_, entries| {
            taken.extend(entries.iter().filter_map(|entry| match entry {
                Entry::Kept(slot) => Some(*slot),
                _ => None,
            }));
        })?;
        Ok(Self {
            medium: Medium::new(memory, layout.memory_slots, disk, slots_at(&layout)),
            allocation: Mutex::new(Allocation {
                slots: Slots::with_taken(layout.slots(), &taken),
                dirty: BTreeSet::new(),
                needs_sync: false,
            }),
            checkpoint: Mutex::new(()),
            has_lost_bytes: AtomicBool::new(index.knows_of_loss()?),
            layout,
            index,
        })
    }

    /// What is not safe on the disk was known to the earlier process only: before any slot is used again, all of the index is written.
    fn catch_up(&self) -> io::Result<()> {
        if self.layout.kind != Kind::DiskPersistent {
            return Ok(());
        }
        let mut dirty = BTreeSet::new();
        self.index.scan(self.layout.blocks(), |first, entries| {
            let changed = (first..)
                .zip(entries)
                .filter(|(_, entry)| **entry != Entry::Below);
            dirty.extend(changed.map(|(block, _)| checkpoint::sector_of(block)));
        })?;
        self.allocation().dirty = dirty;
        self.allocation().needs_sync = true;
        self.flush()
    }

    /// Where writes go.
    pub fn kind(&self) -> Kind {
        self.layout.kind
    }

    /// Whether calls may wait for a disk.
    pub fn is_on_disk(&self) -> bool {
        self.layout.disk_slots > 0
    }

    /// Bytes that are kept.
    pub fn used_bytes(&self) -> u64 {
        u64::from(self.allocation().slots.taken()) * BLOCK_BYTES
    }

    /// The most that can be kept.
    pub fn limit_bytes(&self) -> u64 {
        u64::from(self.allocation().slots.total()) * BLOCK_BYTES
    }

    /// What must be read below before [`read`](Self::read): one stretch that holds all of it, or nothing.
    ///
    /// # Errors
    /// The system's.
    pub fn below(&self, offset: u64, length: u64) -> io::Result<Option<Range<u64>>> {
        let blocks = blocks(offset, length);
        let entries = self.index.entries(blocks.clone())?;
        let is_below = |entry: &Entry| *entry == Entry::Below;
        let Some(first) = entries.iter().position(is_below) else {
            return Ok(None);
        };
        let last = entries.iter().rposition(is_below).unwrap_or(first);
        let start = (blocks.start + first as u64) * BLOCK_BYTES;
        let end = (blocks.start + last as u64 + 1) * BLOCK_BYTES;
        Ok(Some(start.max(offset)..end.min(offset + length)))
    }

    /// Puts what is kept, and zeros, where they belong in `bytes`, which begin at `offset`. What is below is left alone.
    ///
    /// # Errors
    /// The system's.
    pub fn read(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let end = offset + bytes.len() as u64;
        let all = blocks(offset, bytes.len() as u64);
        let entries = self.index.entries(all.clone())?;
        let mut rest = entries.as_slice();
        let mut block = all.start;
        while let [entry, ..] = rest {
            let run = self.run(rest);
            let start = (block * BLOCK_BYTES).max(offset);
            let stop = ((block + run as u64) * BLOCK_BYTES).min(end);
            let piece = slice(bytes, start - offset..stop - offset);
            match entry {
                Entry::Below => {}
                Entry::Zero => piece.fill(0),
                Entry::Kept(slot) => self
                    .medium
                    .read(*slot, start - block * BLOCK_BYTES, piece)?,
            }
            block += run as u64;
            rest = rest.get(run..).unwrap_or_default();
        }
        Ok(())
    }

    /// How many blocks from the first on can be had in one go.
    fn run(&self, entries: &[Entry]) -> usize {
        let continues = |pair: &&[Entry]| match pair {
            [Entry::Below, Entry::Below] | [Entry::Zero, Entry::Zero] => true,
            [Entry::Kept(slot), Entry::Kept(next)] => self.medium.are_neighbours(*slot, *next),
            _ => false,
        };
        entries.windows(2).take_while(continues).count() + 1
    }

    /// What must be read below for a write of these bytes: whole blocks of which it covers a part.
    ///
    /// # Errors
    /// The system's.
    pub fn edges(&self, offset: u64, length: u64) -> io::Result<Vec<Range<u64>>> {
        let all = blocks(offset, length);
        let mut edges = Vec::new();
        for block in [all.start, all.end - 1] {
            let whole = self.bytes_of(block);
            let is_covered = offset <= whole.start && offset + length >= whole.end;
            if !is_covered
                && edges.last() != Some(&whole)
                && self.index.entries(block..block + 1)? == [Entry::Below]
            {
                edges.push(whole);
            }
        }
        Ok(edges)
    }

    /// Keeps `bytes`; `edges` are what [`edges`](Self::edges) asked for.
    ///
    /// # Errors
    /// [`CacheError::Full`], with nothing changed; otherwise the system's, after which what was written over is of either age.
    pub fn write(&self, offset: u64, bytes: &[u8], edges: &[Edge]) -> Result<(), CacheError> {
        self.check_disk()?;
        let end = offset + bytes.len() as u64;
        let all = blocks(offset, bytes.len() as u64);
        let before = self.index.entries(all.clone())?;
        let missing = before
            .iter()
            .filter(|entry| !matches!(entry, Entry::Kept(_)))
            .count();
        let new = self
            .allocation()
            .slots
            .take(missing)
            .ok_or(CacheError::Full)?;
        let mut unused = new.iter();
        let after: Vec<_> = before
            .iter()
            .map(|entry| match entry {
                Entry::Kept(slot) => Some(Entry::Kept(*slot)),
                _ => unused.next().map(|slot| Entry::Kept(*slot)),
            })
            .collect::<Option<_>>()
            .ok_or(CacheError::Full)?;
        let written = || -> io::Result<()> {
            let mut rest = after.as_slice();
            let mut block = all.start;
            while let [Entry::Kept(slot), ..] = rest {
                let at = usize::try_from(block - all.start).unwrap_or(0);
                let whole = self.bytes_of(block);
                let is_partial = offset > whole.start || end < whole.end;
                let run = if is_partial {
                    1
                } else {
                    self.whole_run(rest, block, end)
                };
                let start = whole.start.max(offset);
                let stop = ((block + run as u64) * BLOCK_BYTES).min(end);
                let piece = part(bytes, start - offset..stop - offset);
                if is_partial && !matches!(before.get(at), Some(Entry::Kept(_))) {
                    let is_zero = before.get(at) == Some(&Entry::Zero);
                    let mut filled = Self::filled(&whole, edges, is_zero)?;
                    slice(&mut filled, start - whole.start..stop - whole.start)
                        .copy_from_slice(piece);
                    self.medium.write(*slot, 0, &filled)?;
                } else {
                    self.medium.write(*slot, start - whole.start, piece)?;
                }
                block += run as u64;
                rest = rest.get(run..).unwrap_or_default();
            }
            Ok(())
        };
        if let Err(error) = written() {
            // None of them is in the index yet.
            self.allocation().slots.give_back(new);
            return Err(match error.raw_os_error() {
                // The cache disk is a file, and its file system has been filled by somebody else.
                Some(ENOSPC) => CacheError::Full,
                _ => error.into(),
            });
        }
        if missing > 0 {
            self.index.set(all.start, &after)?;
        }
        let mut allocation = self.allocation();
        allocation.needs_sync |= self.is_on_disk();
        if missing > 0 {
            self.note_change(&mut allocation, &all);
        }
        Ok(())
    }

    /// Like [`run`](Self::run), but without a last block that is written in part.
    fn whole_run(&self, entries: &[Entry], block: u64, end: u64) -> usize {
        let mut run = self.run(entries);
        while run > 1 && self.bytes_of(block + run as u64 - 1).end > end {
            run -= 1;
        }
        run
    }

    /// A whole block as it is below, with zeros behind the end of the disk.
    fn filled(whole: &Range<u64>, edges: &[Edge], is_zero: bool) -> io::Result<Vec<u8>> {
        let mut filled = if is_zero {
            Vec::new()
        } else {
            let edge = edges.iter().find(|(at, _)| *at == whole.start);
            edge.map(|(_, bytes)| bytes.clone())
                .filter(|bytes| bytes.len() as u64 == whole.end - whole.start)
                .ok_or_else(|| io::Error::other("a block's other part was not given"))?
        };
        filled.resize(usize::try_from(BLOCK_BYTES).unwrap_or(0), 0);
        Ok(filled)
    }

    /// Makes blocks zero that lie in the range as a whole, and gives their slots back. Says which parts of blocks are left.
    ///
    /// # Errors
    /// The system's.
    pub fn clear(&self, offset: u64, length: u64) -> io::Result<Vec<Range<u64>>> {
        let end = offset + length;
        let first = offset.div_ceil(BLOCK_BYTES);
        let last = if end >= self.layout.size_bytes {
            self.layout.blocks()
        } else {
            end / BLOCK_BYTES
        };
        if first >= last {
            return Ok(std::iter::once(offset..end).collect());
        }
        let mut block = first;
        while block < last {
            let stop = last.min(block + CLEAR_BLOCKS);
            self.clear_blocks(block..stop)?;
            block = stop;
        }
        let left = [offset..first * BLOCK_BYTES, last * BLOCK_BYTES..end];
        Ok(left
            .into_iter()
            .filter(|range| range.start < range.end)
            .collect())
    }

    fn clear_blocks(&self, range: Range<u64>) -> io::Result<()> {
        let before = self.index.entries(range.clone())?;
        if before.iter().all(|entry| *entry == Entry::Zero) {
            return Ok(());
        }
        self.index
            .set(range.start, &vec![Entry::Zero; before.len()])?;
        let freed: Vec<_> = before
            .iter()
            .filter_map(|entry| match entry {
                Entry::Kept(slot) => Some(*slot),
                _ => None,
            })
            .collect();
        let is_kept = self.layout.kind == Kind::DiskPersistent;
        if !is_kept {
            self.medium.punch(&freed);
        }
        let mut allocation = self.allocation();
        if is_kept {
            allocation.slots.hold(freed);
        } else {
            allocation.slots.give_back(freed);
        }
        self.note_change(&mut allocation, &range);
        Ok(())
    }

    fn note_change(&self, allocation: &mut Allocation, blocks: &Range<u64>) {
        if self.layout.kind == Kind::DiskPersistent && blocks.start < blocks.end {
            let sectors =
                checkpoint::sector_of(blocks.start)..=checkpoint::sector_of(blocks.end - 1);
            allocation.dirty.extend(sectors);
        }
    }

    /// Makes safe what was written before: as safe as the kind is.
    ///
    /// # Errors
    /// The cache disk's.
    pub fn flush(&self) -> io::Result<()> {
        let _alone = self
            .checkpoint
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.check_disk()?;
        let (dirty, held, needs_sync) = {
            let mut allocation = self.allocation();
            let needs_sync = std::mem::take(&mut allocation.needs_sync);
            let dirty = std::mem::take(&mut allocation.dirty);
            (dirty, allocation.slots.held(), needs_sync)
        };
        let done = self.write_checkpoint(&dirty, needs_sync);
        let mut allocation = self.allocation();
        if done.is_ok() {
            self.medium.punch(&held);
            allocation.slots.give_back(held);
        } else {
            allocation.dirty.extend(dirty);
            allocation.slots.hold(held);
            allocation.needs_sync = true;
            self.note_loss();
        }
        done
    }

    fn write_checkpoint(&self, dirty: &BTreeSet<u64>, needs_sync: bool) -> io::Result<()> {
        let blocks = self.layout.blocks();
        // As it is before the sync: what it points to is on the disk after it.
        let taken = Checkpoint::take(&self.index, dirty, self.layout.epoch, blocks)?;
        // A write that is under way may be in the index already, and not in what is known to need a sync.
        if needs_sync || !dirty.is_empty() {
            self.medium.sync()?;
        }
        if let (false, Some(disk)) = (dirty.is_empty(), self.medium.disk()) {
            taken.write(&disk.file)?;
            self.medium.sync()?;
        }
        Ok(())
    }

    /// Neither this process nor one that follows it takes anything more.
    fn note_loss(&self) {
        self.has_lost_bytes.store(true, Ordering::Relaxed);
        // That fails only without memory, of which this takes none: the page is there.
        _ = self.index.note_loss();
    }

    fn check_disk(&self) -> io::Result<()> {
        if self.has_lost_bytes.load(Ordering::Relaxed) {
            let why =
                "the cache disk lost what it had taken; it takes nothing more until the next start";
            return Err(io::Error::other(why));
        }
        Ok(())
    }

    /// What a block covers of the disk, whose end may be in the middle of the last one.
    fn bytes_of(&self, block: u64) -> Range<u64> {
        block * BLOCK_BYTES..((block + 1) * BLOCK_BYTES).min(self.layout.size_bytes)
    }

    fn allocation(&self) -> MutexGuard<'_, Allocation> {
        self.allocation
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

const ENOSPC: i32 = 28;
/// Blocks cleared in one go.
const CLEAR_BLOCKS: u64 = 64 * 1024;

/// Reads the index from the disk. `false` if it cannot be right.
fn restore(index: &Index, disk: &CacheDisk, layout: &Layout) -> io::Result<bool> {
    let mut seen = BTreeSet::new();
    let mut is_sound = true;
    checkpoint::load(
        &disk.file,
        layout.epoch,
        layout.blocks(),
        |first, entries| {
            for entry in entries {
                if let Entry::Kept(slot) = entry {
                    is_sound &= *slot < layout.disk_slots && seen.insert(*slot);
                }
            }
            index.set(first, entries)
        },
    )?;
    Ok(is_sound)
}

impl Plan {
    /// Whether what is on a disk is what this device wrote over what it starts.
    fn goes_on_with(&self, known: &Header) -> bool {
        self.kind == Kind::DiskPersistent
            && known.is_persistent
            && known.root == self.root
            && known.size_bytes == self.size_bytes
    }

    fn layout(&self, disk: Option<&CacheDisk>) -> Result<Layout, OpenError> {
        let most = |bytes: u64| {
            u32::try_from(bytes / BLOCK_BYTES)
                .unwrap_or(u32::MAX)
                .min(Entry::MOST_SLOTS / 2)
        };
        let limit = self.limit_bytes.unwrap_or(u64::MAX);
        let memory_slots = if self.kind.needs_memory() {
            most(
                limit
                    .min(self.memory_bytes)
                    .min(self.size_bytes.next_multiple_of(BLOCK_BYTES)),
            )
        } else {
            0
        };
        let mut layout = Layout {
            kind: self.kind,
            root: self.root,
            size_bytes: self.size_bytes,
            memory_slots,
            disk_slots: 0,
            epoch: RandomState::new().hash_one(std::process::id()),
        };
        if let Some(disk) = disk {
            let room = disk.capacity.saturating_sub(slots_at(&layout));
            let left = limit.saturating_sub(u64::from(memory_slots) * BLOCK_BYTES);
            layout.disk_slots = most(left.min(room));
            if room < u64::from(LEAST_SLOTS) * BLOCK_BYTES {
                return Err(OpenError::TooSmall {
                    kind: self.kind.name(),
                    found: disk.capacity,
                    size_bytes: self.size_bytes,
                });
            }
        }
        Ok(layout)
    }
}

impl CacheDisk {
    /// From now on nothing of an earlier epoch is believed.
    fn write_header(&self, layout: &Layout, plan: &Plan) -> io::Result<()> {
        let header = Header {
            epoch: layout.epoch,
            root: plan.root,
            size_bytes: layout.size_bytes,
            slots: layout.disk_slots,
            is_persistent: layout.kind == Kind::DiskPersistent,
        };
        self.file.write_all_at(&header.to_bytes(), 0)?;
        self.file.sync_data()
    }

    fn file_bytes(&self) -> io::Result<u64> {
        Ok(rustix::fs::seek(&self.file, rustix::fs::SeekFrom::End(0))?)
    }
}

/// Where slots begin on the disk: behind the index, if one is kept there.
fn slots_at(layout: &Layout) -> u64 {
    let index = if layout.kind == Kind::DiskPersistent {
        checkpoint::index_bytes(layout.blocks())
    } else {
        0
    };
    HEAD_BYTES + index
}

fn blocks(offset: u64, length: u64) -> Range<u64> {
    offset / BLOCK_BYTES..(offset + length).div_ceil(BLOCK_BYTES)
}

fn slice(bytes: &mut [u8], range: Range<u64>) -> &mut [u8] {
    let range = usize::try_from(range.start).unwrap_or(0)..usize::try_from(range.end).unwrap_or(0);
    bytes.get_mut(range).unwrap_or_default()
}

fn part(bytes: &[u8], range: Range<u64>) -> &[u8] {
    let range = usize::try_from(range.start).unwrap_or(0)..usize::try_from(range.end).unwrap_or(0);
    bytes.get(range).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_lost_bytes_takes_nothing_from_the_next_process_either() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk");
        std::fs::File::create(&path)
            .and_then(|file| file.set_len(8 << 20))
            .unwrap();
        let memory = Memory::new().unwrap();
        for kind in [Kind::Disk, Kind::DiskPersistent] {
            let plan = Plan {
                kind,
                root: [kind as u8; 32],
                size_bytes: 1 << 20,
                limit_bytes: None,
                memory_bytes: 0,
            };
            let open = || {
                let disk = CacheDisk::open(&path).unwrap();
                Cache::open(memory.try_clone().unwrap(), Some(disk), &plan).unwrap()
            };
            let cache = open();
            cache.write(0, &[7; 4096], &[]).unwrap();
            cache.flush().unwrap();
            cache.note_loss();
            assert!(cache.write(0, &[8; 4096], &[]).is_err());
            drop(cache);
            let next = open();
            assert!(next.write(0, &[8; 4096], &[]).is_err());
            assert!(next.flush().is_err());
            let mut bytes = [0; 4096];
            next.read(0, &mut bytes).unwrap();
            assert_eq!(bytes, [7; 4096]);
        }
    }
}
