//! Chunks on their way from a disk into packs.
//!
//! One thread reads, some hash and compress, and the caller's thread puts the results in order and writes them.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use chunk_store::{
    CHUNK_BYTES, CHUNK_SIZE, ChunkEncoder, ChunkName, Entry, RootRecord, chunk_count,
};

use crate::pack_writer::{PackWriter, Pending, salvage};
use crate::{DiskSource, ImportError, IoFailure, NoSpace, Progress, Store};

/// Chunks that are read, and hashed, in one go: 1 MiB.
const BATCH_CHUNKS: u64 = 16;
/// Batches that wait for a worker; with those being worked on, what an import takes of memory.
const QUEUED_BATCHES: usize = 4;
/// More threads than this are faster than any disk the chunks are written to.
const MAXIMUM_WORKERS: usize = 8;

/// A batch for a worker.
struct Batch {
    sequence: u64,
    bytes: Vec<u8>,
}

/// What became of the chunks of a batch, or of a run that was not read.
enum Outcome {
    Skipped(u64),
    Chunks(Vec<(ChunkName, u32, Option<Entry>)>),
}

type Ordered = (u64, Result<Outcome, ImportError>);

/// What comes out, in the order of the disk.
#[derive(Clone, Copy)]
pub(crate) enum Named {
    /// So many chunks that were not in the runs to be read.
    Skipped(u64),
    /// A chunk, which is kept.
    Chunk(ChunkName),
}

/// Writes what is new to the store, where nobody sees it before it is published.
pub(crate) struct Keeper<'a> {
    store: &'a Store,
    writer: PackWriter,
    pending: &'a Pending,
    encoder: ChunkEncoder,
    pub(crate) new_chunks: u64,
    pub(crate) new_bytes: u64,
    done_bytes: u64,
}

impl<'a> Keeper<'a> {
    /// A keeper, after what killed writers left was taken over.
    pub(crate) fn create(store: &'a Store, pending: &'a Pending) -> Result<Self, IoFailure> {
        // First of all, so that no pack goes that this one sees from now on.
        let writer = PackWriter::create(store.folder())?;
        salvage(store.folder())?;
        store.catalogue().refresh()?;
        Ok(Self {
            store,
            writer,
            pending,
            encoder: ChunkEncoder::new(),
            new_chunks: 0,
            new_bytes: 0,
            done_bytes: 0,
        })
    }

    /// Plain bytes of chunks that were taken so far, and the bytes that were written for them.
    pub(crate) fn done_and_stored(&self) -> (u64, u64) {
        (self.done_bytes, self.writer.stored_bytes())
    }

    /// Keep a page, unless somebody has it.
    pub(crate) fn keep_page(&mut self, page: ChunkName, bytes: &[u8]) -> Result<(), IoFailure> {
        if !self.store.catalogue().contains(page)? && self.pending.claim(page) {
            self.writer.append(&self.encoder.encode(page, bytes))?;
        }
        Ok(())
    }

    /// Publish the version of `record`, all of whose chunks and pages are kept. The manifest last: whoever sees it finds every
    /// chunk of it.
    pub(crate) fn publish_version(self, record: &RootRecord) -> Result<(), IoFailure> {
        let store = self.store;
        self.writer.publish(|area| {
            store.publish_root(record.hash(), &record.encode(), &area.file("root"))
        })?;
        store.catalogue().refresh()
    }

    /// Read, name and keep the chunks of `runs`, and give all names in the order of the disk to `take`.
    pub(crate) fn ingest(
        &mut self,
        source: &mut dyn DiskSource,
        runs: Vec<Range<u64>>,
        progress: &Progress,
        take: &mut dyn FnMut(&mut Self, Named) -> Result<(), IoFailure>,
    ) -> Result<(), ImportError> {
        let workers = thread::available_parallelism()
            .map_or(1, NonZeroUsize::get)
            .min(MAXIMUM_WORKERS);
        let (store, pending) = (self.store, self.pending);
        let (batch_sender, batch_receiver) = sync_channel::<Batch>(QUEUED_BATCHES);
        let (outcome_sender, outcome_receiver) = sync_channel::<Ordered>(QUEUED_BATCHES * 2);
        let batch_receiver = Arc::new(Mutex::new(batch_receiver));
        thread::scope(|scope| {
            for _ in 0..workers {
                let (batches, outcomes) = (Arc::clone(&batch_receiver), outcome_sender.clone());
                scope.spawn(move || digest(store, pending, &batches, &outcomes));
            }
            // From here only the workers hold the receiver, so that the reader is told when the last one has gone.
            drop(batch_receiver);
            scope.spawn(move || read(source, runs, &batch_sender, &outcome_sender, progress));
            // The receiver is gone at the end of this, also after an error: that is what stops the other threads.
            self.write(outcome_receiver, progress, take)
        })
    }

    /// Take the outcomes in their order, whatever order they come in.
    fn write(
        &mut self,
        outcomes: Receiver<Ordered>,
        progress: &Progress,
        take: &mut dyn FnMut(&mut Self, Named) -> Result<(), IoFailure>,
    ) -> Result<(), ImportError> {
        let mut early = BTreeMap::new();
        let mut next = 0;
        for (sequence, outcome) in outcomes {
            early.insert(sequence, outcome);
            while let Some(outcome) = early.remove(&next) {
                if progress.is_cancelled() {
                    return Err(ImportError::Cancelled);
                }
                match outcome? {
                    Outcome::Skipped(count) => take(self, Named::Skipped(count))?,
                    Outcome::Chunks(chunks) => {
                        for (name, length, entry) in chunks {
                            self.keep(u64::from(length), entry, progress)?;
                            take(self, Named::Chunk(name))?;
                            progress.add_done(u64::from(length));
                        }
                    }
                }
                next += 1;
            }
        }
        Ok(())
    }

    fn keep(
        &mut self,
        length: u64,
        entry: Option<Entry>,
        progress: &Progress,
    ) -> Result<(), IoFailure> {
        if let Some(entry) = entry {
            self.writer.append(&entry)?;
            self.new_chunks += 1;
            self.new_bytes += length;
            progress.add_new(length, entry.length() as u64);
        }
        self.done_bytes += length;
        Ok(())
    }
}

/// How much an operation that wrote `stored` bytes for `done` of `total` plain bytes would have needed in all.
pub(crate) fn estimate(
    store: &Store,
    free_bytes: u64,
    total: u64,
    done: u64,
    stored: u64,
) -> NoSpace {
    let left = total.saturating_sub(done);
    let scaled = u128::from(left) * u128::from(stored) / u128::from(done.max(1));
    let left_packed = if done == 0 {
        left
    } else {
        u64::try_from(scaled).unwrap_or(left).min(left)
    };
    // It did not fit, so at least one more chunk than what is free is needed, whatever the estimate says.
    let at_least = free_bytes.saturating_add(CHUNK_BYTES);
    NoSpace {
        store: store.path().to_owned(),
        free_bytes,
        missing_bytes: stored.saturating_add(left_packed).max(at_least),
        at_most_bytes: stored.saturating_add(left).max(at_least),
    }
}

/// Read the source and give batches to the workers; what lies between the runs goes straight to the writer.
fn read(
    source: &mut dyn DiskSource,
    runs: Vec<Range<u64>>,
    batches: &SyncSender<Batch>,
    outcomes: &SyncSender<Ordered>,
    progress: &Progress,
) {
    let size = source.size();
    let chunks = chunk_count(size);
    let mut sequence = 0;
    let mut position = 0;
    for run in runs.into_iter().chain(std::iter::once(chunks..chunks)) {
        if run.start > position {
            if outcomes
                .send((sequence, Ok(Outcome::Skipped(run.start - position))))
                .is_err()
            {
                return;
            }
            sequence += 1;
        }
        position = run.start;
        while position < run.end {
            let offset = position * CHUNK_BYTES;
            let end = (position + BATCH_CHUNKS).min(run.end);
            let length = (end * CHUNK_BYTES).min(size) - offset;
            let mut bytes = vec![0; usize::try_from(length).unwrap_or(CHUNK_SIZE)];
            let error = if progress.is_cancelled() {
                Some(ImportError::Cancelled)
            } else {
                let result = source.read_at(offset, &mut bytes);
                result.err().map(|error| ImportError::Source {
                    offset,
                    source: Arc::new(error),
                })
            };
            if let Some(error) = error {
                // The writer is told in turn; if it has gone, it has its own reason.
                _ = outcomes.send((sequence, Err(error)));
                return;
            }
            if batches.send(Batch { sequence, bytes }).is_err() {
                return;
            }
            sequence += 1;
            position = end;
        }
    }
}

/// Name the chunks of batches, and compress those that nobody has.
fn digest(
    store: &Store,
    pending: &Pending,
    batches: &Mutex<Receiver<Batch>>,
    outcomes: &SyncSender<Ordered>,
) {
    let mut encoder = ChunkEncoder::new();
    loop {
        let batch = batches
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv();
        let Ok(batch) = batch else { return };
        let mut digest = |plain: &[u8]| -> Result<(ChunkName, u32, Option<Entry>), IoFailure> {
            let name = ChunkName::of(plain);
            let is_new =
                !name.is_zero() && !store.catalogue().contains(name)? && pending.claim(name);
            let length = u32::try_from(plain.len()).unwrap_or(u32::MAX);
            Ok((name, length, is_new.then(|| encoder.encode(name, plain))))
        };
        let chunks: Result<Vec<_>, IoFailure> =
            batch.bytes.chunks(CHUNK_SIZE).map(&mut digest).collect();
        if outcomes
            .send((
                batch.sequence,
                chunks.map(Outcome::Chunks).map_err(ImportError::from),
            ))
            .is_err()
        {
            return;
        }
    }
}
