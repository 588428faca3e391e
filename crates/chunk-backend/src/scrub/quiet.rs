//! Reading without pushing what others read out of memory.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{Advice, fadvise};
use rustix::io::{Errno, ReadWriteFlags, preadv2};

/// A file of which what was not in memory before it was read is not in memory afterwards.
///
/// What is in memory is what readers get, and is checked there. The disk below it is checked once the kernel has dropped it.
#[derive(Debug)]
pub(super) struct QuietFile {
    file: File,
    /// Ranges that came from the disk for us alone.
    ours: Vec<Range<u64>>,
}

impl QuietFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        // Nothing read ahead: it would look as if somebody else had it in memory.
        _ = fadvise(&file, 0, None, Advice::Random);
        Ok(Self {
            file,
            ours: Vec::new(),
        })
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn read(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let length = buffer.len() as u64;
        // Gives only what is in memory. The kernel may begin to read the rest, and no more than that.
        let flags = ReadWriteFlags::NOWAIT;
        match preadv2(&self.file, &mut [IoSliceMut::new(buffer)], offset, flags) {
            Ok(read) if read as u64 == length => return Ok(()),
            Ok(_) | Err(Errno::AGAIN) => match self.ours.last_mut() {
                Some(last) if last.end == offset => last.end = offset + length,
                _ => self.ours.push(offset..offset + length),
            },
            // A file system that does not tell. The kernel drops first what was read once.
            Err(_) => {}
        }
        self.file.read_exact_at(buffer, offset)
    }

    /// Let the kernel drop what nobody but us has read.
    pub(super) fn forget(&mut self) {
        for range in self.ours.drain(..) {
            let length = NonZeroU64::new(range.end - range.start);
            _ = fadvise(&self.file, range.start, length, Advice::DontNeed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const LENGTH: usize = 1 << 20;

    /// Whether all of the file is in memory. If not it will be soon: asking has the kernel begin to read.
    fn is_cached(file: &File) -> bool {
        let mut buffer = vec![0; LENGTH];
        let mut buffers = [IoSliceMut::new(&mut buffer)];
        preadv2(file, &mut buffers, 0, ReadWriteFlags::NOWAIT).is_ok_and(|read| read == LENGTH)
    }

    #[test]
    fn what_others_have_in_memory_stays_there_and_nothing_else_comes() {
        let path = std::env::temp_dir().join(format!("corral-quiet-{}", std::process::id()));
        let mut file = File::create_new(&path).unwrap();
        file.write_all(&vec![7; LENGTH]).unwrap();
        file.sync_all().unwrap();
        let file = File::open(&path).unwrap();
        let mut quiet = QuietFile::open(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        let mut buffer = vec![0; LENGTH];
        assert!(is_cached(&file), "it was just written");
        quiet.read(&mut buffer, 0).unwrap();
        quiet.forget();
        assert!(is_cached(&file) && buffer == vec![7; LENGTH]);
        _ = fadvise(&file, 0, None, Advice::DontNeed);
        for part in buffer.chunks_mut(LENGTH / 4) {
            part.fill(0);
        }
        for (index, part) in buffer.chunks_mut(LENGTH / 4).enumerate() {
            quiet.read(part, (index * LENGTH / 4) as u64).unwrap();
        }
        assert!(buffer == vec![7; LENGTH]);
        if quiet.ours.is_empty() {
            // A file system in memory.
            return;
        }
        assert_eq!((quiet.ours.len(), quiet.ours[0].end), (1, LENGTH as u64));
        quiet.forget();
        assert!(!is_cached(&file));
    }
}
