//! The disk, or the file, that a device has for its write cache.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, FlockOperation, Mode, OFlags, SeekFrom};

use crate::BLOCK_BYTES;
use crate::header::{Found, HEADER_BYTES, Header};

/// What must be blank for a disk to count as nobody's: where partition tables and file systems have their marks.
const MARKS_BYTES: usize = 64 * 1024;
/// What comes before the index or the slots.
pub(crate) const HEAD_BYTES: u64 = 64 * 1024;
/// Smaller is not worth it.
pub(crate) const LEAST_SLOTS: u32 = 256;

/// Why a disk cannot be used, in words that the farm is told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheDiskError {
    /// Missing, most often.
    #[error("cache disk {} cannot be opened: {source}", path.display())]
    Open {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A folder, a pipe.
    #[error("cache disk {} is neither a disk nor a file", path.display())]
    NotADisk {
        /// Which.
        path: PathBuf,
    },
    /// Somebody else has it.
    #[error("cache disk {} is in use by another process", path.display())]
    InUse {
        /// Which.
        path: PathBuf,
    },
    /// Too few bytes.
    #[error("cache disk {} has {found} bytes, and a write cache needs {needed} at the least", path.display())]
    TooSmall {
        /// Which.
        path: PathBuf,
        /// What it has.
        found: u64,
        /// What it needs.
        needed: u64,
    },
    /// Somebody's data.
    #[error(
        "cache disk {} holds something that is not a write cache; if that may go, write zeros over its first 64 KiB", path.display()
    )]
    Foreign {
        /// Which.
        path: PathBuf,
    },
    /// Of a newer release.
    #[error(
        "cache disk {} is of format {format}, which this release does not know; upgrade it, or write zeros over the disk's first 64 KiB", path.display()
    )]
    Newer {
        /// Which.
        path: PathBuf,
        /// Its format.
        format: u32,
    },
    /// It takes no writes, or gives nothing.
    #[error("cache disk {} fails: {source}", path.display())]
    Fails {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A disk that is there, takes writes, and is nobody else's.
#[derive(Debug)]
pub struct CacheDisk {
    pub(crate) file: File,
    pub(crate) capacity: u64,
    is_file: bool,
    pub(crate) header: Option<Header>,
}

impl CacheDisk {
    /// Opens a block device or a file, whose length is the most that it will hold. Nothing on it is changed.
    ///
    /// # Errors
    /// Why it cannot be a cache.
    pub fn open(path: &Path) -> Result<Self, CacheDiskError> {
        let path = || path.to_owned();
        let fails = |source| CacheDiskError::Fails {
            path: path(),
            source,
        };
        let is_file = regular(&path())?;
        let mut flags = OFlags::RDWR | OFlags::CLOEXEC;
        // Of a block device: not while anybody has it mounted.
        flags.set(OFlags::EXCL, !is_file);
        let file = match rustix::fs::open(path(), flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(rustix::io::Errno::BUSY) => return Err(CacheDiskError::InUse { path: path() }),
            Err(error) => {
                return Err(CacheDiskError::Open {
                    path: path(),
                    source: error.into(),
                });
            }
        };
        if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(CacheDiskError::InUse { path: path() });
        }
        let length =
            rustix::fs::seek(&file, SeekFrom::End(0)).map_err(|error| fails(error.into()))?;
        let needed = HEAD_BYTES + u64::from(LEAST_SLOTS) * BLOCK_BYTES;
        if length < needed {
            return Err(CacheDiskError::TooSmall {
                path: path(),
                found: length,
                needed,
            });
        }
        let mut start = vec![0; MARKS_BYTES];
        file.read_exact_at(&mut start, 0).map_err(fails)?;
        let header = match Header::find(start.get(..HEADER_BYTES).unwrap_or_default()) {
            Found::Header(header) => Some(header),
            Found::Torn => None,
            Found::Blank if start.iter().all(|byte| *byte == 0) => None,
            Found::Newer { format } => {
                return Err(CacheDiskError::Newer {
                    path: path(),
                    format,
                });
            }
            Found::Blank | Found::Foreign => return Err(CacheDiskError::Foreign { path: path() }),
        };
        // What does not take back what it gave takes no writes.
        let first = start.get(..HEADER_BYTES).unwrap_or_default();
        file.write_all_at(first, 0)
            .and_then(|()| file.sync_data())
            .map_err(fails)?;
        let room = if is_file {
            room_for(&file).map_err(fails)?
        } else {
            u64::MAX
        };
        Ok(Self {
            file,
            capacity: length.min(room.max(needed)),
            is_file,
            header,
        })
    }

    /// The same disk again, as it was found.
    ///
    /// # Errors
    /// The system's.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            file: self.file.try_clone()?,
            capacity: self.capacity,
            is_file: self.is_file,
            header: self.header,
        })
    }

    /// Makes a file sparse again. A disk keeps what it has; nothing reads it.
    pub(crate) fn give_up_contents(&self) {
        let end = rustix::fs::seek(&self.file, SeekFrom::End(0)).unwrap_or(0);
        self.punch(HEAD_BYTES, end.saturating_sub(HEAD_BYTES));
    }

    /// Gives the bytes of a file back to its file system, if that can be.
    pub(crate) fn punch(&self, at: u64, length: u64) {
        if self.is_file && length > 0 {
            let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            let _ = rustix::fs::fallocate(&self.file, flags, at, length);
        }
    }
}

/// Whether it is a file rather than a block device.
fn regular(path: &Path) -> Result<bool, CacheDiskError> {
    let found = std::fs::metadata(path).map_err(|source| CacheDiskError::Open {
        path: path.to_owned(),
        source,
    })?;
    let kind = found.file_type();
    if kind.is_file() || kind.is_block_device() {
        return Ok(kind.is_file());
    }
    Err(CacheDiskError::NotADisk {
        path: path.to_owned(),
    })
}

/// What a file has by now, and what its file system could still give it.
fn room_for(file: &File) -> io::Result<u64> {
    let about = rustix::fs::fstat(file)?;
    let system = rustix::fs::fstatvfs(file)?;
    let allocated = u64::try_from(about.st_blocks).unwrap_or(0) * 512;
    Ok(allocated.saturating_add(system.f_bavail.saturating_mul(system.f_frsize)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(length: u64, start: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cache");
        let made = File::create(&path).unwrap();
        made.set_len(length).unwrap();
        made.write_all_at(start, 0).unwrap();
        (folder, path)
    }

    #[test]
    fn a_blank_file_is_taken_and_left_as_it_is() {
        let (_folder, path) = file(8 << 20, &[]);
        let disk = CacheDisk::open(&path).unwrap();
        assert_eq!((disk.capacity, disk.header), (8 << 20, None));
        assert!(std::fs::read(&path).unwrap().iter().all(|byte| *byte == 0));
    }

    #[test]
    fn what_is_not_there_is_too_small_or_holds_something_else_is_refused_with_the_reason() {
        let (folder, path) = file(1 << 20, &[]);
        let said = |path: &Path| CacheDisk::open(path).unwrap_err().to_string();
        assert!(said(&path).contains("1048576 bytes"), "{}", said(&path));
        assert!(said(folder.path()).contains("neither a disk nor a file"));
        assert!(said(&folder.path().join("none")).contains("No such file"));
        // An ext4 file system has nothing in its first sector.
        let (_folder, path) = file(8 << 20, &[&[0; 1080][..], &[0x53, 0xef]].concat());
        assert!(said(&path).contains("not a write cache"), "{}", said(&path));
        assert_eq!(std::fs::read(&path).unwrap()[1080], 0x53);
        let mut newer = b"corral-cache\n\x1a\0\0".to_vec();
        newer.extend_from_slice(&9_u32.to_le_bytes());
        let (_folder, path) = file(8 << 20, &newer);
        assert!(said(&path).contains("format 9"), "{}", said(&path));
    }

    #[test]
    fn two_cannot_have_one_disk() {
        let (_folder, path) = file(8 << 20, &[]);
        let first = CacheDisk::open(&path).unwrap();
        let refused = CacheDisk::open(&path).unwrap_err();
        assert!(matches!(refused, CacheDiskError::InUse { .. }), "{refused}");
        drop(first);
        CacheDisk::open(&path).unwrap();
    }
}
