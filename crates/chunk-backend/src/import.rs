//! Import: a disk becomes a version.
//!
//! One thread reads, some hash and compress, and the caller's thread puts the results in order and writes them.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use chunk_store::{
    CHUNK_BYTES, CHUNK_SIZE, ChunkEncoder, ChunkName, Entry, MAXIMUM_IMAGE_BYTES, PageBuilder,
    RootHash, chunk_count,
};

use crate::pack_writer::{PackWriter, Pending, salvage};
use crate::{DiskSource, ImportError, IoFailure, NoSpace, Progress, Store};

/// What an import made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    /// The version.
    pub root: RootHash,
    /// Bytes of the image.
    pub size_bytes: u64,
    /// Chunks of the image.
    pub chunks: u64,
    /// Those of only zeros, which are not stored.
    pub zero_chunks: u64,
    /// Chunks that the store did not have before.
    pub new_chunks: u64,
    /// Their plain bytes.
    pub new_bytes: u64,
    /// Bytes written to packs, pages included.
    pub stored_bytes: u64,
}

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

/// What became of the chunks of a batch, or of a run of holes.
enum Outcome {
    Zeros(u64),
    Chunks(Vec<(ChunkName, u32, Option<Entry>)>),
}

type Ordered = (u64, Result<Outcome, ImportError>);

pub(crate) fn import(
    store: &Store,
    source: &mut dyn DiskSource,
    progress: &Progress,
) -> Result<Imported, ImportError> {
    let size = source.size();
    if size == 0 {
        return Err(ImportError::Empty);
    }
    if size > MAXIMUM_IMAGE_BYTES {
        return Err(ImportError::BeyondMaximum { size_bytes: size });
    }
    let runs = data_runs(source)?;
    let data_bytes = runs
        .iter()
        .map(|run| run.end - run.start)
        .sum::<u64>()
        .saturating_mul(CHUNK_BYTES)
        .min(size);
    let capacity_bytes = store.capacity()?;
    if data_bytes > capacity_bytes {
        return Err(ImportError::LargerThanStore {
            store: store.path().to_owned(),
            data_bytes,
            capacity_bytes,
        });
    }
    progress.set_total(size);
    salvage(store.folder())?;
    store.catalogue().refresh()?;
    let pending = Pending::default();
    let mut work = Work {
        store,
        progress,
        writer: PackWriter::create(store.folder())?,
        pages: PageBuilder::new(),
        pending: &pending,
        encoder: ChunkEncoder::new(),
        zero_chunks: 0,
        new_chunks: 0,
        new_bytes: 0,
        done_data_bytes: 0,
    };
    let result = work.run(source, runs);
    let (done_data_bytes, stored_bytes) = (work.done_data_bytes, work.writer.stored_bytes());
    // Either way the writer is gone after this, and with it what it did not publish: the space below is free again.
    let result = result.and_then(|()| work.finish(size));
    result.map_err(|error| match error {
        ImportError::Io(error) if error.is_no_space() => {
            let free_bytes = store.free_space().unwrap_or(0);
            estimate(store, free_bytes, data_bytes, done_data_bytes, stored_bytes).into()
        }
        error => error,
    })
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

/// The runs of chunks that hold data, in order and apart.
fn data_runs(source: &mut dyn DiskSource) -> Result<Vec<Range<u64>>, ImportError> {
    let mut runs: Vec<Range<u64>> = Vec::new();
    let mut offset = 0;
    loop {
        let next = source.next_data(offset);
        let next = next.map_err(|error| ImportError::Source {
            offset,
            source: Arc::new(error),
        })?;
        let Some((start, length)) = next else {
            return Ok(runs);
        };
        let end = start.saturating_add(length).min(source.size());
        if end <= offset {
            return Ok(runs);
        }
        offset = end;
        let run = start / CHUNK_BYTES..chunk_count(end);
        match runs.last_mut() {
            Some(last) if last.end >= run.start => last.end = run.end,
            _ => runs.push(run),
        }
    }
}

/// Read the source and give batches to the workers; runs of holes go straight to the writer.
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
                .send((sequence, Ok(Outcome::Zeros(run.start - position))))
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

struct Work<'a> {
    store: &'a Store,
    progress: &'a Progress,
    writer: PackWriter,
    pages: PageBuilder,
    pending: &'a Pending,
    encoder: ChunkEncoder,
    zero_chunks: u64,
    new_chunks: u64,
    new_bytes: u64,
    done_data_bytes: u64,
}

impl Work<'_> {
    fn run(
        &mut self,
        source: &mut dyn DiskSource,
        runs: Vec<Range<u64>>,
    ) -> Result<(), ImportError> {
        let workers = thread::available_parallelism()
            .map_or(1, NonZeroUsize::get)
            .min(MAXIMUM_WORKERS);
        let (store, progress, pending) = (self.store, self.progress, self.pending);
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
            self.write(outcome_receiver)
        })
    }

    /// Take the outcomes in their order, whatever order they come in.
    fn write(&mut self, outcomes: Receiver<Ordered>) -> Result<(), ImportError> {
        let mut early = BTreeMap::new();
        let mut next = 0;
        for (sequence, outcome) in outcomes {
            early.insert(sequence, outcome);
            while let Some(outcome) = early.remove(&next) {
                if self.progress.is_cancelled() {
                    return Err(ImportError::Cancelled);
                }
                self.take(outcome?)?;
                next += 1;
            }
        }
        Ok(())
    }

    fn take(&mut self, outcome: Outcome) -> Result<(), IoFailure> {
        match outcome {
            Outcome::Zeros(count) => {
                for _ in 0..count {
                    self.name(ChunkName::ZERO)?;
                }
                self.progress.add_done(count * CHUNK_BYTES);
            }
            Outcome::Chunks(chunks) => {
                for (name, length, entry) in chunks {
                    if let Some(entry) = entry {
                        self.writer.append(&entry)?;
                        self.new_chunks += 1;
                        self.new_bytes += u64::from(length);
                        self.progress
                            .add_new(u64::from(length), entry.length() as u64);
                    }
                    self.name(name)?;
                    self.done_data_bytes += u64::from(length);
                    self.progress.add_done(u64::from(length));
                }
            }
        }
        Ok(())
    }

    fn name(&mut self, name: ChunkName) -> Result<(), IoFailure> {
        self.zero_chunks += u64::from(name.is_zero());
        let (store, writer, pending, encoder) = (
            self.store,
            &mut self.writer,
            self.pending,
            &mut self.encoder,
        );
        self.pages.push(name, &mut |page, bytes| {
            keep_page(store, writer, pending, encoder, page, bytes)
        })
    }

    fn finish(mut self, size: u64) -> Result<Imported, ImportError> {
        let chunks = self.pages.chunks();
        let record = self.pages.finish(size, &mut |page, bytes| {
            keep_page(
                self.store,
                &mut self.writer,
                self.pending,
                &mut self.encoder,
                page,
                bytes,
            )
        })?;
        let stored_bytes = self.writer.stored_bytes();
        let root = record.hash();
        let store = self.store;
        // The manifest last: whoever sees it finds every chunk of it.
        self.writer
            .publish(|area| store.publish_root(root, &record.encode(), &area.file("root")))?;
        store.catalogue().refresh()?;
        Ok(Imported {
            root,
            size_bytes: size,
            chunks,
            zero_chunks: self.zero_chunks,
            new_chunks: self.new_chunks,
            new_bytes: self.new_bytes,
            stored_bytes,
        })
    }
}

fn keep_page(
    store: &Store,
    writer: &mut PackWriter,
    pending: &Pending,
    encoder: &mut ChunkEncoder,
    page: ChunkName,
    bytes: &[u8],
) -> Result<(), IoFailure> {
    if !store.catalogue().contains(page)? && pending.claim(page) {
        writer.append(&encoder.encode(page, bytes))?;
    }
    Ok(())
}
