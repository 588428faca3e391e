//! A version that is being served: a flat file whose chunks are checked before anybody reads them.
//!
//! The file is a cache. What is in it, from an earlier run or from another version it was cloned from, counts for nothing
//! until a chunk of it was read and has its name; what has not is put right from packs, or else from peers.

mod extents;
mod flat_file;
mod flight;

use std::collections::HashMap;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use chunk_store::{CHUNK_BYTES, CHUNK_SIZE, ChunkName, PAGE_NAMES, RootHash};

use crate::catalogue::{Found, decode};
use crate::disk::next_data;
use crate::manifest::Manifest;
use crate::ready::ReadyBits;
use crate::{ChunkSource, IoFailure, Progress, ReadError, Store};

use extents::ZeroBits;
use flight::{Claim, Flights};

pub use extents::Extent;

/// Chunks that are made ready in one go: 4 MiB, so that long reads ask peers in few requests and use little memory.
const GROUP_CHUNKS: u64 = 64;

/// What was counted since the version is served.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ServedCounters {
    /// Chunks of the image.
    pub chunks: u64,
    /// Chunks that are checked and can be read from the file.
    pub ready_chunks: u64,
    /// Chunks found sound in the flat file at their first read.
    pub found_chunks: u64,
    /// Chunks put into the flat file from packs.
    pub from_packs_chunks: u64,
    /// Chunks put into the flat file from peers.
    pub from_peers_chunks: u64,
    /// Their bytes on the wire.
    pub from_peers_bytes: u64,
    /// Chunks whose bytes in the flat file were neither sound nor zeros, and were replaced: damage, or another version's
    /// content where the file was cloned.
    pub replaced_chunks: u64,
    /// Requests that waited for a chunk which somebody else was already getting.
    pub shared_waits: u64,
}

#[derive(Debug, Default)]
struct Counters {
    found: AtomicU64,
    from_packs: AtomicU64,
    from_peers: AtomicU64,
    from_peers_bytes: AtomicU64,
    replaced: AtomicU64,
    shared_waits: AtomicU64,
}

/// A version in service. Any thread may ask.
#[derive(Debug)]
pub struct ServedVersion {
    manifest: Manifest,
    file: File,
    path: PathBuf,
    ready: ReadyBits,
    zeros: Box<[OnceLock<Option<ZeroBits>>]>,
    flights: Flights,
    counters: Counters,
}

/// A chunk that is to be made ready.
#[derive(Clone, Copy)]
struct Wanted {
    index: u64,
    name: ChunkName,
    is_dirty: bool,
    is_damaged_in_packs: bool,
}

impl ServedVersion {
    pub(crate) fn open(
        store: &Store,
        root: RootHash,
        peers: Arc<dyn ChunkSource>,
    ) -> Result<Self, ReadError> {
        let manifest = Manifest::open(store, root, peers)?;
        let path = store.folder().flat(root);
        let file = flat_file::open(&manifest, &path)?;
        let chunks = manifest.record().chunks();
        let leaves = chunks.div_ceil(PAGE_NAMES as u64);
        Ok(Self {
            manifest,
            file,
            path,
            ready: ReadyBits::new(chunks),
            zeros: (0..leaves).map(|_| OnceLock::new()).collect(),
            flights: Flights::default(),
            counters: Counters::default(),
        })
    }

    pub(crate) fn set_peers(&self, peers: Arc<dyn ChunkSource>) {
        self.manifest.set_peers(peers);
    }

    /// The version.
    pub fn root(&self) -> RootHash {
        self.manifest.root()
    }

    /// Bytes of the image.
    pub fn size(&self) -> u64 {
        self.manifest.image_size()
    }

    /// The manifest that it is checked against.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The flat file. Ranges that are ready may be read from it, or sent with `sendfile`; no other.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// True if every chunk that the range touches is checked and may be read from the file. Takes no lock.
    pub fn is_ready(&self, offset: u64, length: u32) -> bool {
        self.ready.are_set(chunks_of(offset, u64::from(length)))
    }

    /// Wait until [`ServedVersion::is_ready`]. Blocks on disks and peers; each chunk is got once, however many ask.
    ///
    /// # Errors
    /// The range is not within the image, or a chunk of it cannot be had sound.
    pub fn make_ready(&self, offset: u64, length: u32) -> Result<(), ReadError> {
        self.check_range(offset, u64::from(length))?;
        let chunks = chunks_of(offset, u64::from(length));
        let mut start = chunks.start;
        while start < chunks.end {
            let end = (start + GROUP_CHUNKS).min(chunks.end);
            self.make_group_ready(start..end)?;
            start = end;
        }
        Ok(())
    }

    /// Fill `buffer` with the image's bytes at `offset`, made ready first; if there is no room for that, without.
    ///
    /// # Errors
    /// Those of [`ServedVersion::make_ready`].
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        let mut position = offset;
        for part in buffer.chunks_mut(CHUNK_SIZE) {
            let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
            if !self.is_ready(position, length) || position + u64::from(length) > self.size() {
                match self.make_ready(position, length) {
                    Err(ReadError::Io(error)) if error.is_no_space() => {
                        self.read_past_file(position, part)?;
                        position += u64::from(length);
                        continue;
                    }
                    result => result?,
                }
            }
            let read = self.file.read_exact_at(part, position);
            read.map_err(|error| IoFailure::new("read", &self.path, error))?;
            position += u64::from(length);
        }
        Ok(())
    }

    /// Fill `buffer` with the image's bytes at `offset` and keep nothing, for a store that is full: what is not ready comes from
    /// packs, checked.
    ///
    /// # Errors
    /// The range is not the image's, or a chunk of it is neither ready nor sound in the packs.
    pub fn read_past_file(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        self.check_range(offset, buffer.len() as u64)?;
        let mut position = offset;
        let mut rest = buffer;
        while !rest.is_empty() {
            let (index, start) = (position / CHUNK_BYTES, position % CHUNK_BYTES);
            let in_chunk = usize::try_from(CHUNK_BYTES - start).unwrap_or(CHUNK_SIZE);
            let (part, behind) = rest.split_at_mut(in_chunk.min(rest.len()));
            self.read_in_chunk(index, start, part)?;
            position += part.len() as u64;
            rest = behind;
        }
        Ok(())
    }

    fn read_in_chunk(&self, index: u64, start: u64, part: &mut [u8]) -> Result<(), ReadError> {
        if self.ready.is_set(index) {
            let read = self.file.read_exact_at(part, index * CHUNK_BYTES + start);
            return Ok(read.map_err(|error| IoFailure::new("read", &self.path, error))?);
        }
        let name = self.manifest.name(index)?;
        if name.is_zero() {
            part.fill(0);
            return Ok(());
        }
        let store = self.manifest.store();
        let found = store.read_chunk(name)?;
        let is_damaged = matches!(found, Found::Damaged);
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        if let Found::Sound(_, plain) = found
            && let Some(wanted) = plain.get(start..start + part.len())
        {
            part.copy_from_slice(wanted);
            return Ok(());
        }
        Err(ReadError::ChunkUnavailable {
            name,
            is_damaged,
            store: store.path().to_owned(),
            peers: None,
        })
    }

    fn check_range(&self, offset: u64, length: u64) -> Result<(), ReadError> {
        let size = self.size();
        match offset.checked_add(length) {
            Some(end) if end <= size => Ok(()),
            _ => Err(ReadError::BeyondEnd {
                offset,
                length,
                size,
            }),
        }
    }

    fn make_group_ready(&self, chunks: Range<u64>) -> Result<(), ReadError> {
        let is_ready = |index| self.ready.is_set(index);
        while !self.ready.are_set(chunks.clone()) {
            match self.flights.claim(chunks.clone(), is_ready) {
                Claim::Mine(indexes, landing) => {
                    let result = self.obtain(&indexes);
                    landing.land(&result);
                    result?;
                }
                Claim::Others(flight) => {
                    self.counters.shared_waits.fetch_add(1, Relaxed);
                    let result = flight.wait();
                    // It may have failed for a chunk that is not ours.
                    if self.flights.is_any_free(chunks.clone(), is_ready) {
                        result?;
                    }
                }
                Claim::Nothing => {}
            }
        }
        Ok(())
    }

    /// Make chunks ready that are this thread's to get: from the flat file, else from packs, else from peers.
    fn obtain(&self, indexes: &[u64]) -> Result<(), ReadError> {
        let mut missing = Vec::new();
        let mut buffer = vec![0; CHUNK_SIZE];
        for &index in indexes {
            let mut wanted = Wanted {
                index,
                name: self.manifest.name(index)?,
                is_dirty: false,
                is_damaged_in_packs: false,
            };
            if self.is_sound_in_file(&mut wanted, &mut buffer) {
                self.counters.found.fetch_add(1, Relaxed);
                self.ready.set(index);
            } else if wanted.name.is_zero() {
                self.write(&wanted, &vec![0; self.length(index)])?;
            } else if !self.obtain_from_packs(&mut wanted)? {
                missing.push(wanted);
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        // Another process may have brought packs since they were listed; once for all of them.
        self.manifest.store().catalogue().refresh_if_changed()?;
        let mut still = Vec::new();
        for mut wanted in missing {
            if !self.obtain_from_packs(&mut wanted)? {
                still.push(wanted);
            }
        }
        if still.is_empty() {
            Ok(())
        } else {
            self.obtain_from_peers(still)
        }
    }

    fn length(&self, index: u64) -> usize {
        self.manifest.record().chunk_length(index)
    }

    fn is_sound_in_file(&self, wanted: &mut Wanted, buffer: &mut [u8]) -> bool {
        let buffer = &mut buffer[..self.length(wanted.index)];
        if self
            .file
            .read_exact_at(buffer, wanted.index * CHUNK_BYTES)
            .is_err()
        {
            // A sector that cannot be read, or a file cut short by hand: written again it may be sound.
            wanted.is_dirty = true;
            return false;
        }
        let found = ChunkName::of(buffer);
        wanted.is_dirty = !found.is_zero();
        found == wanted.name
    }

    fn obtain_from_packs(&self, wanted: &mut Wanted) -> Result<bool, ReadError> {
        match self.manifest.store().catalogue().read(wanted.name)? {
            Found::Sound(_, plain) if plain.len() == self.length(wanted.index) => {
                self.write(wanted, &plain)?;
                self.counters.from_packs.fetch_add(1, Relaxed);
                Ok(true)
            }
            Found::Sound(..) | Found::Damaged => {
                wanted.is_damaged_in_packs = true;
                Ok(false)
            }
            Found::Absent => Ok(false),
        }
    }

    fn obtain_from_peers(&self, wanted: Vec<Wanted>) -> Result<(), ReadError> {
        let mut places: HashMap<ChunkName, Vec<Wanted>> = HashMap::new();
        for wanted in wanted {
            places.entry(wanted.name).or_default().push(wanted);
        }
        let names: Vec<ChunkName> = places.keys().copied().collect();
        let mut failure = None;
        let fetched = self.manifest.peers().fetch(&names, None, &mut |entry| {
            let name = entry.header.name;
            let Some(at) = places.get(&name) else {
                return false;
            };
            let Some(plain) = decode(&entry) else {
                return false;
            };
            if at
                .iter()
                .any(|wanted| self.length(wanted.index) != plain.len())
            {
                return false;
            }
            for wanted in at {
                if let Err(error) = self.write(wanted, &plain) {
                    failure = Some(error);
                }
                self.counters.from_peers.fetch_add(1, Relaxed);
            }
            self.counters
                .from_peers_bytes
                .fetch_add(entry.length() as u64, Relaxed);
            places.remove(&name);
            true
        });
        if let Some(error) = failure {
            return Err(error);
        }
        match places
            .into_values()
            .flatten()
            .min_by_key(|wanted| wanted.index)
        {
            None => Ok(()),
            Some(wanted) => Err(ReadError::ChunkUnavailable {
                name: wanted.name,
                is_damaged: wanted.is_damaged_in_packs,
                store: self.manifest.store().path().to_owned(),
                peers: fetched.err().map(Box::new),
            }),
        }
    }

    /// Put verified bytes into the file, and only then say that they are there.
    fn write(&self, wanted: &Wanted, plain: &[u8]) -> Result<(), ReadError> {
        let written = self.file.write_all_at(plain, wanted.index * CHUNK_BYTES);
        written.map_err(|error| IoFailure::new("write", &self.path, error))?;
        if wanted.is_dirty {
            self.counters.replaced.fetch_add(1, Relaxed);
        }
        self.ready.set(wanted.index);
        Ok(())
    }

    /// Make all of it ready, in the order of the image: for a thread of its own, at its leisure.
    ///
    /// # Errors
    /// A chunk cannot be had; what is behind it was not tried.
    pub fn materialise(&self, progress: &Progress) -> Result<(), ReadError> {
        let fan = PAGE_NAMES as u64;
        let chunks = self.manifest.record().chunks();
        progress.set_total(self.size());
        for leaf in 0..chunks.div_ceil(fan) {
            let range = leaf * fan..((leaf + 1) * fan).min(chunks);
            if self.zero_bits(leaf)?.is_none() && self.is_hole_in_file(&range) {
                range.clone().for_each(|index| self.ready.set(index));
            }
            let mut start = range.start;
            while start < range.end && !progress.is_cancelled() {
                let end = (start + GROUP_CHUNKS).min(range.end);
                self.make_group_ready(start..end)?;
                progress.add_done((end * CHUNK_BYTES).min(self.size()) - start * CHUNK_BYTES);
                start = end;
            }
        }
        Ok(())
    }

    fn is_hole_in_file(&self, chunks: &Range<u64>) -> bool {
        let start = chunks.start * CHUNK_BYTES;
        match next_data(&self.file, self.size(), start) {
            Ok(None) => true,
            Ok(Some((data, _))) => data >= chunks.end * CHUNK_BYTES,
            Err(_) => false,
        }
    }

    /// Check chunks again that were ready, for damage that came later, and put them right. Gives how many were damaged.
    ///
    /// # Errors
    /// A damaged chunk cannot be had; it is not served any more.
    pub fn scrub(&self, progress: &Progress) -> Result<u64, ReadError> {
        let mut damaged = 0;
        let mut buffer = vec![0; CHUNK_SIZE];
        progress.set_total(self.size());
        for index in 0..self.manifest.record().chunks() {
            if progress.is_cancelled() {
                break;
            }
            if self.ready.is_set(index) {
                let name = self.manifest.name(index)?;
                let mut wanted = Wanted {
                    index,
                    name,
                    is_dirty: false,
                    is_damaged_in_packs: false,
                };
                if !self.is_sound_in_file(&mut wanted, &mut buffer) {
                    damaged += 1;
                    self.put_right(index)?;
                }
            }
            progress.add_done(self.length(index) as u64);
        }
        Ok(damaged)
    }

    /// True if the chunk may be read from the file: if it is not, what the file has there is nobody's.
    pub(crate) fn is_chunk_ready(&self, index: u64) -> bool {
        self.ready.is_set(index)
    }

    /// Serve the chunk no more from the file before it was put right.
    pub(crate) fn put_right(&self, index: u64) -> Result<(), ReadError> {
        self.ready.clear(index);
        self.make_group_ready(index..index + 1)
    }

    /// What was counted so far.
    pub fn counters(&self) -> ServedCounters {
        let counters = &self.counters;
        ServedCounters {
            chunks: self.manifest.record().chunks(),
            ready_chunks: self.ready.count(),
            found_chunks: counters.found.load(Relaxed),
            from_packs_chunks: counters.from_packs.load(Relaxed),
            from_peers_chunks: counters.from_peers.load(Relaxed),
            from_peers_bytes: counters.from_peers_bytes.load(Relaxed),
            replaced_chunks: counters.replaced.load(Relaxed),
            shared_waits: counters.shared_waits.load(Relaxed),
        }
    }
}

/// The chunks that a range of bytes touches.
fn chunks_of(offset: u64, length: u64) -> Range<u64> {
    if length == 0 {
        return 0..0;
    }
    offset / CHUNK_BYTES..offset.saturating_add(length).div_ceil(CHUNK_BYTES)
}
