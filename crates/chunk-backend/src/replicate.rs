//! Replication: a version that another server has comes here.
//!
//! Top down: the root record, the pages level by level, then the chunks they name. Only what is missing is fetched, each
//! thing is checked against its name before it is written, and what has come stays, so that a replication that was
//! broken off goes on where it was.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::os::unix::fs::FileExt;

use chunk_store::{
    CHUNK_BYTES, ChunkEncoder, ChunkName, Entry, PAGE_NAMES, Page, RootHash, RootRecord,
};

use crate::catalogue::{Found, decode};
use crate::folder::{remove_if_there, write_whole};
use crate::ingest::estimate;
use crate::pack_writer::{PackWriter, salvage};
use crate::{
    ChunkSource, FetchError, IoFailure, MAXIMUM_BATCH_NAMES, Progress, ReplicateError, Store,
};

/// Pages that are fetched, and looked into, in one go: 8 MiB.
const PAGES_AT_ONCE: usize = 256;

/// What a replication did. Pages and chunks of data are counted alike, each name once; zero chunks are nothing and not
/// counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replicated {
    /// The version.
    pub root: RootHash,
    /// Bytes of the image.
    pub size_bytes: u64,
    /// Chunks and pages that came from peers.
    pub fetched_chunks: u64,
    /// Their bytes on the wire, entry headers included.
    pub fetched_bytes: u64,
    /// Chunks and pages that came from stores at hand.
    pub carried_chunks: u64,
    /// Their bytes, likewise.
    pub carried_bytes: u64,
    /// Chunks and pages that the store had before.
    pub already_chunks: u64,
}

pub(crate) fn replicate(
    store: &Store,
    root: RootHash,
    peers: &dyn ChunkSource,
    progress: &Progress,
) -> Result<Replicated, ReplicateError> {
    // First of all, so that no pack goes that this one sees from now on.
    let writer = PackWriter::create(store.folder())?;
    salvage(store.folder())?;
    store.catalogue().refresh()?;
    let bytes = match store.root_record(root)? {
        Some(bytes) => bytes,
        None => peers
            .fetch_root(root, Some(progress))
            .map_err(|source| unfetched(root, source))?,
    };
    let record = RootRecord::decode(&bytes)
        .map_err(|source| ReplicateError::UnusableRoot { root, source })?;
    progress.set_total(record.image_size());
    if !store.holds(root) {
        // So that a collection leaves what came of it, should this be broken off.
        let beside = writer.area().file("incomplete");
        write_whole(&beside, &store.folder().incomplete(root), &bytes)?;
    }
    let mut work = Work {
        store,
        root,
        record,
        peers,
        progress,
        writer,
        flat: File::open(store.folder().flat(root)).ok(),
        encoder: ChunkEncoder::new(),
        seen: HashSet::new(),
        written: HashSet::new(),
        wanted: Vec::new(),
        fetched_chunks: 0,
        fetched_bytes: 0,
        carried_chunks: 0,
        carried_bytes: 0,
        already_chunks: 0,
    };
    match work.run() {
        Ok(()) => work.finish(&bytes),
        Err(error) => Err(work.keep_what_came(error)),
    }
}

struct Work<'a> {
    store: &'a Store,
    root: RootHash,
    record: RootRecord,
    peers: &'a dyn ChunkSource,
    progress: &'a Progress,
    writer: PackWriter,
    /// What was served of the version before it was complete is in its flat file: it is not fetched a second time.
    flat: Option<File>,
    encoder: ChunkEncoder,
    /// Names that were looked at, so that each is asked for and counted once.
    seen: HashSet<ChunkName>,
    /// Names that came. A page that is in the version twice may be fetched twice, but is written once.
    written: HashSet<ChunkName>,
    wanted: Vec<ChunkName>,
    fetched_chunks: u64,
    fetched_bytes: u64,
    carried_chunks: u64,
    carried_bytes: u64,
    already_chunks: u64,
}

impl Work<'_> {
    fn run(&mut self) -> Result<(), ReplicateError> {
        let mut level_names = vec![(self.record.top(), 0)];
        level_names.retain(|(name, _)| !name.is_zero());
        if level_names.is_empty() {
            self.progress.add_done(self.record.image_size());
        }
        for level in (0..self.record.depth()).rev() {
            let mut below = Vec::new();
            // In batches, so that many pages are few requests, and few of them are in memory.
            for batch in level_names.chunks(PAGES_AT_ONCE) {
                let pages = self.obtain_pages(batch)?;
                for (name, position) in batch {
                    let plain = pages.get(name).cloned().unwrap_or_default();
                    let page = Page::decode(plain, self.record.page_names(level, *position));
                    let page = page.map_err(|_| ReplicateError::MisshapenPage {
                        name: *name,
                        root: self.root,
                    })?;
                    let first = position * PAGE_NAMES as u64;
                    for (index, name) in (first..).zip(page.names()) {
                        match level {
                            0 => self.want_chunk(name, index)?,
                            _ if name.is_zero() => self.skip_zero(level, index),
                            _ => below.push((name, index)),
                        }
                    }
                }
            }
            level_names = below;
        }
        self.fetch_wanted()
    }

    /// Count the bytes under a page of zeros at `position` of the level below `level` as done.
    fn skip_zero(&self, level: u8, position: u64) {
        let chunks = (PAGE_NAMES as u64).saturating_pow(u32::from(level));
        let start = position.saturating_mul(chunks).saturating_mul(CHUNK_BYTES);
        let length = chunks.saturating_mul(CHUNK_BYTES);
        self.progress
            .add_done(self.record.image_size().saturating_sub(start).min(length));
    }

    fn check_cancelled(&self) -> Result<(), ReplicateError> {
        if self.progress.is_cancelled() {
            Err(ReplicateError::Cancelled)
        } else {
            Ok(())
        }
    }

    fn obtain_pages(
        &mut self,
        batch: &[(ChunkName, u64)],
    ) -> Result<HashMap<ChunkName, Vec<u8>>, ReplicateError> {
        let mut pages = HashMap::new();
        let mut missing = Vec::new();
        for (name, _) in batch {
            if pages.contains_key(name) {
                continue;
            }
            if let Found::Sound(_, plain) = self.store.catalogue().read(*name)? {
                self.already_chunks += u64::from(self.seen.insert(*name));
                pages.insert(*name, plain);
            } else {
                missing.push(*name);
            }
        }
        self.fetch(&missing, &mut |name, plain| {
            pages.insert(name, plain);
        })?;
        Ok(pages)
    }

    /// Have the chunk, or put it on the list of those that are fetched together.
    fn want_chunk(&mut self, name: ChunkName, index: u64) -> Result<(), ReplicateError> {
        let length = self.record.chunk_length(index);
        let is_had = name.is_zero() || !self.is_wanted(name, index, length)?;
        if is_had {
            self.progress.add_done(length as u64);
            return Ok(());
        }
        self.wanted.push(name);
        if self.wanted.len() >= MAXIMUM_BATCH_NAMES {
            self.fetch_wanted()
        } else {
            Ok(())
        }
    }

    fn is_wanted(
        &mut self,
        name: ChunkName,
        index: u64,
        length: usize,
    ) -> Result<bool, ReplicateError> {
        if !self.seen.insert(name) {
            return Ok(false);
        }
        if self.store.catalogue().contains(name)? {
            self.already_chunks += 1;
            return Ok(false);
        }
        if let Some(flat) = &self.flat {
            let mut plain = vec![0; length];
            if flat.read_exact_at(&mut plain, index * CHUNK_BYTES).is_ok()
                && ChunkName::of(&plain) == name
            {
                self.writer.append(&self.encoder.encode(name, &plain))?;
                self.already_chunks += 1;
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn fetch_wanted(&mut self) -> Result<(), ReplicateError> {
        let names = std::mem::take(&mut self.wanted);
        let progress = self.progress;
        self.fetch(&names, &mut |_, plain| {
            progress.add_done(plain.len() as u64);
        })
    }

    /// Get `names` from stores at hand, then from peers at the pace that is allowed, write what is sound, and give its plain
    /// bytes to `visit`.
    fn fetch(
        &mut self,
        names: &[ChunkName],
        visit: &mut dyn FnMut(ChunkName, Vec<u8>),
    ) -> Result<(), ReplicateError> {
        let names = self.take_at_hand(names, visit)?;
        let mut left = &names[..];
        while !left.is_empty() {
            self.check_cancelled()?;
            let at_once = self.progress.batch(CHUNK_BYTES, left.len());
            let (batch, rest) = left.split_at(at_once);
            let before = self.fetched_bytes;
            self.fetch_batch(batch, visit)?;
            self.progress.give_way(self.fetched_bytes - before);
            left = rest;
        }
        Ok(())
    }

    /// Gives the names that are left.
    fn take_at_hand(
        &mut self,
        names: &[ChunkName],
        visit: &mut dyn FnMut(ChunkName, Vec<u8>),
    ) -> Result<Vec<ChunkName>, ReplicateError> {
        let (peers, progress) = (self.peers, self.progress);
        let mut failure = None;
        let left = peers.take_at_hand(names, Some(progress), &mut |entry| {
            let kept = self.keep(&entry, visit, &mut failure);
            if kept {
                self.carried_chunks += 1;
                self.carried_bytes += entry.length() as u64;
            }
            kept
        });
        failure.map_or(Ok(left), |error: IoFailure| Err(error.into()))
    }

    fn fetch_batch(
        &mut self,
        names: &[ChunkName],
        visit: &mut dyn FnMut(ChunkName, Vec<u8>),
    ) -> Result<(), ReplicateError> {
        let (root, peers, progress) = (self.root, self.peers, self.progress);
        let mut failure = None;
        let fetched = peers.fetch(names, Some(progress), &mut |entry| {
            let kept = self.keep(&entry, visit, &mut failure);
            if kept {
                self.fetched_chunks += 1;
                self.fetched_bytes += entry.length() as u64;
            }
            kept
        });
        match failure {
            Some(error) => Err(error.into()),
            None => fetched.map_err(|source| unfetched(root, source)),
        }
    }

    /// Write an entry that came if it is sound; after a `failure` nothing more is taken.
    fn keep(
        &mut self,
        entry: &Entry,
        visit: &mut dyn FnMut(ChunkName, Vec<u8>),
        failure: &mut Option<IoFailure>,
    ) -> bool {
        let name = entry.header.name;
        // The rest of an answer is read to its end and dropped.
        let Some(plain) = failure.is_none().then(|| decode(entry)).flatten() else {
            return false;
        };
        if self.written.insert(name)
            && let Err(error) = self.writer.append(entry)
        {
            *failure = Some(error);
            return false;
        }
        self.progress
            .add_new(plain.len() as u64, entry.length() as u64);
        visit(name, plain);
        true
    }

    fn finish(self, record: &[u8]) -> Result<Replicated, ReplicateError> {
        let (store, root) = (self.store, self.root);
        let done = self.progress.values().done_bytes;
        let stored = self.writer.stored_bytes();
        let total = self.record.image_size();
        let published = self.writer.publish(|area| {
            store.publish_root(root, record, &area.file("root"))?;
            remove_if_there(&store.folder().incomplete(root))
        });
        published.map_err(|error| explain(store, error, total, done, stored))?;
        store.catalogue().refresh()?;
        Ok(Replicated {
            root,
            size_bytes: total,
            fetched_chunks: self.fetched_chunks,
            fetched_bytes: self.fetched_bytes,
            carried_chunks: self.carried_chunks,
            carried_bytes: self.carried_bytes,
            already_chunks: self.already_chunks,
        })
    }

    /// After a failure: publish the chunks that came, so that they are not fetched again.
    fn keep_what_came(mut self, error: ReplicateError) -> ReplicateError {
        let (store, total) = (self.store, self.record.image_size());
        let (done, stored) = (
            self.progress.values().done_bytes,
            self.writer.stored_bytes(),
        );
        let is_full = matches!(&error, ReplicateError::Io(error) if error.is_no_space());
        // A full disk takes no more: the pack that is open is given up, and its space is free again. If keeping fails
        // otherwise, the chunks are fetched once more; the first error is the one to tell.
        _ = if is_full {
            self.writer.publish_sealed()
        } else {
            self.writer.publish(|_| Ok(()))
        };
        match error {
            ReplicateError::Io(error) => explain(store, error, total, done, stored),
            error => error,
        }
    }
}

fn unfetched(root: RootHash, source: FetchError) -> ReplicateError {
    match source {
        FetchError::Cancelled => ReplicateError::Cancelled,
        source => ReplicateError::Peers { root, source },
    }
}

fn explain(store: &Store, error: IoFailure, total: u64, done: u64, stored: u64) -> ReplicateError {
    if !error.is_no_space() {
        return error.into();
    }
    let free_bytes = store.free_space().unwrap_or(0);
    estimate(store, free_bytes, total, done, stored).into()
}
