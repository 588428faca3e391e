//! Disks to import from.

mod nbd;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::SeekFrom;
use rustix::io::Errno;

pub use nbd::NbdDisk;

/// A disk that can be read, and that knows where it has data.
pub trait DiskSource: Send {
    /// Bytes of the disk.
    fn size(&self) -> u64;

    /// The next range that may hold data, as (offset, length) in bytes, at or behind `from`; `None` if only zeros follow.
    ///
    /// # Errors
    /// The disk cannot be asked.
    fn next_data(&mut self, from: u64) -> io::Result<Option<(u64, u64)>>;

    /// Fill `buffer` with the bytes at `offset`; the range lies within the disk.
    ///
    /// # Errors
    /// The disk cannot be read, or has become shorter.
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
}

/// A raw image in a file, or a block device.
#[derive(Debug)]
pub struct RawFile {
    file: File,
    size: u64,
}

impl RawFile {
    /// Open the file at `path` for reading.
    ///
    /// # Errors
    /// It cannot be opened, or its size cannot be found.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        if file.metadata()?.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory));
        }
        // Seeking to the end tells the size of block devices too.
        let size = rustix::fs::seek(&file, SeekFrom::End(0))?;
        Ok(Self { file, size })
    }
}

impl DiskSource for RawFile {
    fn size(&self) -> u64 {
        self.size
    }

    fn next_data(&mut self, from: u64) -> io::Result<Option<(u64, u64)>> {
        next_data(&self.file, self.size, from)
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }
}

/// The next range of `file` that is not a hole, within its first `size` bytes. All of it, where holes cannot be seen.
pub(crate) fn next_data(file: &File, size: u64, from: u64) -> io::Result<Option<(u64, u64)>> {
    if from >= size {
        return Ok(None);
    }
    match rustix::fs::seek(file, SeekFrom::Data(from)) {
        Ok(start) if start >= size => Ok(None),
        Ok(start) => {
            let end = rustix::fs::seek(file, SeekFrom::Hole(start))?.min(size);
            Ok(Some((start, end.saturating_sub(start))))
        }
        Err(Errno::NXIO) => Ok(None),
        Err(Errno::INVAL | Errno::OPNOTSUPP) => Ok(Some((from, size - from))),
        Err(error) => Err(error.into()),
    }
}
