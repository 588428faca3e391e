//! What an overlay needs of its files, so that tests can take their power away.

use std::fmt::Debug;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

/// A sparse file. What was written is seen by every later read, here and after the process was killed; it is safe from a loss
/// of power after [`Medium::sync`].
pub(super) trait Medium: Debug + Send + Sync {
    /// Fill `buffer`; holes are zeros.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Give the space of a range back; it reads as zeros then. Where that is not possible, nothing happens.
    fn punch(&self, offset: u64, length: u64) -> io::Result<()>;

    /// See to it that a later write to the range finds space. Where that is not possible, nothing happens.
    fn reserve(&self, offset: u64, length: u64) -> io::Result<()>;

    fn sync(&self) -> io::Result<()>;

    /// The next range that is not a hole, as (offset, length), at or behind `from`.
    fn next_data(&self, size: u64, from: u64) -> io::Result<Option<(u64, u64)>>;
}

impl Medium for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_exact_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn punch(&self, offset: u64, length: u64) -> io::Result<()> {
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        where_supported(fallocate(self, flags, offset, length))
    }

    fn reserve(&self, offset: u64, length: u64) -> io::Result<()> {
        where_supported(fallocate(self, FallocateFlags::KEEP_SIZE, offset, length))
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn next_data(&self, size: u64, from: u64) -> io::Result<Option<(u64, u64)>> {
        crate::disk::next_data(self, size, from)
    }
}

fn where_supported(result: Result<(), Errno>) -> io::Result<()> {
    match result {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        result => Ok(result?),
    }
}
