//! What a cache consists of, and the memory that outlives the process that uses it.

use std::fs::File;
use std::io;

use rustix::fs::{MemfdFlags, memfd_create};

use crate::BLOCK_BYTES;

/// Where what is written goes, in the words of the farm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Memory only.
    Ram,
    /// Memory, and the cache disk for what finds no room there.
    RamOverflow,
    /// The cache disk; given up at the next start.
    Disk,
    /// The cache disk; kept for the next start of the same version.
    DiskPersistent,
}

impl Kind {
    /// The kind that the farm calls so, if a device can have it.
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::Ram,
            Self::RamOverflow,
            Self::Disk,
            Self::DiskPersistent,
        ]
        .into_iter()
        .find(|kind| kind.name() == name)
    }

    /// What the farm calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ram => "device-ram",
            Self::RamOverflow => "device-ram-overflow",
            Self::Disk => "device-disk",
            Self::DiskPersistent => "device-disk-persistent",
        }
    }

    /// Whether it cannot be without a cache disk.
    pub fn needs_disk(self) -> bool {
        self != Self::Ram
    }

    pub(crate) fn needs_memory(self) -> bool {
        matches!(self, Self::Ram | Self::RamOverflow)
    }
}

/// What is to be made.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where writes go.
    pub kind: Kind,
    /// The version below.
    pub root: [u8; 32],
    /// The size of the disk.
    pub size_bytes: u64,
    /// The most that may be kept in all; without it, what there is room for.
    pub limit_bytes: Option<u64>,
    /// The most that may be kept in memory.
    pub memory_bytes: u64,
}

/// Nameless files in memory: a process that is started by who holds them goes on where the last one was killed.
#[derive(Debug)]
pub struct Memory {
    pub(crate) index: File,
    pub(crate) blocks: File,
}

impl Memory {
    /// Takes no memory before something is written.
    ///
    /// # Errors
    /// The system's.
    pub fn new() -> io::Result<Self> {
        let file = |name| {
            memfd_create(name, MemfdFlags::CLOEXEC)
                .map(File::from)
                .map_err(io::Error::from)
        };
        Ok(Self {
            index: file("corral-cache-index")?,
            blocks: file("corral-cache-blocks")?,
        })
    }

    /// The same memory again.
    ///
    /// # Errors
    /// The system's.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            index: self.index.try_clone()?,
            blocks: self.blocks.try_clone()?,
        })
    }

    /// What blocks take of the system's memory now.
    ///
    /// # Errors
    /// The system's.
    pub fn used_bytes(&self) -> io::Result<u64> {
        let about = rustix::fs::fstat(&self.blocks)?;
        Ok(u64::try_from(about.st_blocks).unwrap_or(0) * 512)
    }
}

/// How many slots there are, and where: those in memory come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) kind: Kind,
    /// The version below.
    pub(crate) root: [u8; 32],
    pub(crate) size_bytes: u64,
    pub(crate) memory_slots: u32,
    pub(crate) disk_slots: u32,
    pub(crate) epoch: u64,
}

const NUMBERS_BYTES: usize = 48;
pub(crate) const LAYOUT_BYTES: usize = NUMBERS_BYTES + 32;
const MADE: u64 = 0xc0_4a_a1_ca_c4_e0_00_01;

impl Layout {
    pub(crate) fn slots(&self) -> u32 {
        self.memory_slots.saturating_add(self.disk_slots)
    }

    pub(crate) fn blocks(&self) -> u64 {
        self.size_bytes.div_ceil(BLOCK_BYTES)
    }

    pub(crate) fn to_bytes(self) -> [u8; LAYOUT_BYTES] {
        let numbers = [
            MADE,
            self.kind as u64,
            self.size_bytes,
            u64::from(self.memory_slots),
            u64::from(self.disk_slots),
            self.epoch,
        ];
        let mut bytes = [0; LAYOUT_BYTES];
        for (place, number) in bytes.chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        if let Some(root) = bytes.last_chunk_mut() {
            *root = self.root;
        }
        bytes
    }

    /// `None` if nothing has been made yet.
    pub(crate) fn from_bytes(bytes: [u8; LAYOUT_BYTES]) -> Option<Self> {
        let mut numbers = bytes
            .chunks_exact(8)
            .map(|place| place.try_into().map_or(0, u64::from_le_bytes));
        let mut next = || numbers.next();
        if next()? != MADE {
            return None;
        }
        let kinds = [
            Kind::Ram,
            Kind::RamOverflow,
            Kind::Disk,
            Kind::DiskPersistent,
        ];
        let kind = next()?;
        Some(Self {
            root: *bytes.last_chunk()?,
            kind: kinds.into_iter().find(|known| *known as u64 == kind)?,
            size_bytes: next()?,
            memory_slots: next()?.try_into().ok()?,
            disk_slots: next()?.try_into().ok()?,
            epoch: next()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_is_read_as_it_was_written() {
        for kind in [
            Kind::Ram,
            Kind::RamOverflow,
            Kind::Disk,
            Kind::DiskPersistent,
        ] {
            let layout = Layout {
                kind,
                root: [9; 32],
                size_bytes: 5,
                memory_slots: 6,
                disk_slots: 7,
                epoch: 8,
            };
            assert_eq!(Layout::from_bytes(layout.to_bytes()), Some(layout));
            assert_eq!(Kind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(Layout::from_bytes([0; LAYOUT_BYTES]), None);
        assert_eq!(Kind::from_name("server"), None);
    }
}
