//! The bytes of slots: those in memory come first, then those of the cache disk.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rustix::fs::FallocateFlags;

use crate::BLOCK_BYTES;
use crate::disk::CacheDisk;

#[derive(Debug)]
pub(crate) struct Medium {
    memory: File,
    memory_slots: u32,
    disk: Option<CacheDisk>,
    /// Where the slots begin on the disk.
    slots_at: u64,
}

impl Medium {
    pub(crate) fn new(
        memory: File,
        memory_slots: u32,
        disk: Option<CacheDisk>,
        slots_at: u64,
    ) -> Self {
        Self {
            memory,
            memory_slots,
            disk,
            slots_at,
        }
    }

    pub(crate) fn disk(&self) -> Option<&CacheDisk> {
        self.disk.as_ref()
    }

    /// Whether two slots lie side by side in one file.
    pub(crate) fn are_neighbours(&self, slot: u32, next: u32) -> bool {
        slot.checked_add(1) == Some(next) && next != self.memory_slots
    }

    pub(crate) fn read(&self, slot: u32, within: u64, bytes: &mut [u8]) -> io::Result<()> {
        let (file, at) = self.place(slot)?;
        file.read_exact_at(bytes, at + within)
    }

    pub(crate) fn write(&self, slot: u32, within: u64, bytes: &[u8]) -> io::Result<()> {
        let (file, at) = self.place(slot)?;
        file.write_all_at(bytes, at + within)
    }

    /// Gives back the room of slots that nobody reads any more, where that is possible.
    pub(crate) fn punch(&self, slots: &[u32]) {
        let mut rest = slots;
        while let [first, ..] = rest {
            let pairs = rest.windows(2);
            let more =
                pairs.take_while(|pair| matches!(pair, [a, b] if self.are_neighbours(*a, *b)));
            let run = more.count() + 1;
            let length = run as u64 * BLOCK_BYTES;
            if *first < self.memory_slots {
                let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
                let at = u64::from(*first) * BLOCK_BYTES;
                let _ = rustix::fs::fallocate(&self.memory, flags, at, length);
            } else if let (Some(disk), Ok((_, at))) = (&self.disk, self.place(*first)) {
                disk.punch(at, length);
            }
            rest = rest.get(run..).unwrap_or_default();
        }
    }

    /// Makes sure that what was written to the disk is on it.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.disk
            .as_ref()
            .map_or(Ok(()), |disk| disk.file.sync_data())
    }

    fn place(&self, slot: u32) -> io::Result<(&File, u64)> {
        if slot < self.memory_slots {
            return Ok((&self.memory, u64::from(slot) * BLOCK_BYTES));
        }
        let disk = self.disk.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let on_disk = u64::from(slot - self.memory_slots);
        Ok((&disk.file, self.slots_at + on_disk * BLOCK_BYTES))
    }
}
