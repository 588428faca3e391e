//! A disk that is a plain file, with a bound on the bytes it takes and a way to make it fail or wait.

use std::fs::File;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use chunk_backend::Extent;
use chunk_store::RootHash;
use stream_server::{Disk, DiskError, Zeroing};

const BLOCK: u64 = 4096;

/// A disk over a version of zeroes.
pub(crate) struct PlainDisk {
    pub(crate) file: File,
    root: RootHash,
    size_bytes: u64,
    /// Writes that end behind this find no room.
    pub(crate) limit_bytes: AtomicU64,
    /// Everything fails.
    pub(crate) is_broken: AtomicBool,
    pub(crate) flushes: AtomicU64,
    gate: Gate,
}

/// Holds calls back until it is opened.
#[derive(Default)]
struct Gate {
    is_shut: Mutex<bool>,
    opened: Condvar,
    waiting: AtomicU64,
}

impl PlainDisk {
    pub(crate) fn new(size_bytes: u64, seed: u8) -> Arc<Self> {
        let file = tempfile::tempfile().unwrap();
        file.set_len(size_bytes).unwrap();
        Arc::new(Self {
            file,
            root: RootHash::from_bytes([seed; 32]),
            size_bytes,
            limit_bytes: AtomicU64::new(u64::MAX),
            is_broken: AtomicBool::new(false),
            flushes: AtomicU64::new(0),
            gate: Gate::default(),
        })
    }

    /// Has whatever changes the disk wait until [`PlainDisk::open_gate`].
    pub(crate) fn shut_gate(&self) {
        *self.gate.is_shut.lock().unwrap() = true;
    }

    pub(crate) fn open_gate(&self) {
        *self.gate.is_shut.lock().unwrap() = false;
        self.gate.opened.notify_all();
    }

    /// How many calls wait at the gate.
    pub(crate) fn waiting(&self) -> u64 {
        self.gate.waiting.load(Ordering::SeqCst)
    }

    pub(crate) fn content(&self) -> Vec<u8> {
        let mut content = vec![0; usize::try_from(self.size_bytes).unwrap()];
        self.file.read_exact_at(&mut content, 0).unwrap();
        content
    }

    fn pass(&self) -> Result<(), DiskError> {
        self.gate.waiting.fetch_add(1, Ordering::SeqCst);
        let is_shut = self.gate.is_shut.lock().unwrap();
        let open = self.gate.opened.wait_while(is_shut, |is_shut| *is_shut);
        drop(open.unwrap());
        self.gate.waiting.fetch_sub(1, Ordering::SeqCst);
        if self.is_broken.load(Ordering::SeqCst) {
            Err(DiskError::Failed("the disk is broken".into()))
        } else {
            Ok(())
        }
    }

    fn put(&self, offset: u64, bytes: &[u8], fua: bool) -> Result<(), DiskError> {
        self.pass()?;
        let end = offset + u64::try_from(bytes.len()).unwrap();
        if end > self.limit_bytes.load(Ordering::SeqCst) {
            return Err(DiskError::NoSpace("the disk's limit is reached".into()));
        }
        self.file.write_all_at(bytes, offset).map_err(failed)?;
        if fua {
            self.flush()?;
        }
        Ok(())
    }
}

fn failed(error: std::io::Error) -> DiskError {
    DiskError::Failed(error.into())
}

impl Disk for PlainDisk {
    fn identity(&self) -> [u8; 16] {
        [*self.root.as_bytes().first().unwrap(); 16]
    }

    fn root(&self) -> RootHash {
        self.root
    }

    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn is_ready(&self, _offset: u64, _length: u32) -> bool {
        true
    }

    fn make_ready(&self, _offset: u64, _length: u32) -> Result<(), DiskError> {
        Ok(())
    }

    fn read(&self, offset: u64, place: &mut [u8]) -> Result<(), DiskError> {
        if self.is_broken.load(Ordering::SeqCst) {
            return Err(DiskError::Failed("the disk is broken".into()));
        }
        self.file.read_exact_at(place, offset).map_err(failed)
    }

    fn write(&self, offset: u64, bytes: &[u8], fua: bool) -> Result<(), DiskError> {
        self.put(offset, bytes, fua)
    }

    fn trim(&self, offset: u64, length: u64, fua: bool) -> Result<(), DiskError> {
        let zeroes = vec![0; usize::try_from(length).unwrap()];
        self.put(offset, &zeroes, fua)
    }

    fn write_zeroes(&self, offset: u64, length: u64, how: Zeroing) -> Result<(), DiskError> {
        if how.only_if_fast && how.no_hole {
            return Err(DiskError::NotFast);
        }
        let zeroes = vec![0; usize::try_from(length).unwrap()];
        self.put(offset, &zeroes, how.fua)
    }

    fn flush(&self) -> Result<(), DiskError> {
        self.flushes.fetch_add(1, Ordering::SeqCst);
        self.file.sync_data().map_err(failed)
    }

    fn extents(
        &self,
        offset: u64,
        length: u64,
        visit: &mut dyn FnMut(Extent) -> ControlFlow<()>,
    ) -> Result<(), DiskError> {
        let (mut at, end) = (offset, offset + length);
        while at < end {
            let next = ((at / BLOCK + 1) * BLOCK).min(end);
            let mut block = vec![0; usize::try_from(next - at).unwrap()];
            self.read(at, &mut block)?;
            let extent = Extent {
                offset: at,
                length: next - at,
                is_hole: block.iter().all(|byte| *byte == 0),
            };
            if visit(extent).is_break() {
                break;
            }
            at = next;
        }
        Ok(())
    }
}
