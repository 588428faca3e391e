//! A version that is being served: a flat file whose chunks are checked before anybody reads them.
//!
//! The file is a cache. What is in it, from an earlier run or from another version it was cloned from, counts for nothing
//! until a chunk of it was read and has its name; what has not is put right from packs, or else from peers.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::ops::{ControlFlow, Range};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};

use chunk_store::{CHUNK_BYTES, CHUNK_SIZE, ChunkName, PAGE_NAMES, RootHash};

use crate::catalogue::{Found, decode};
use crate::disk::next_data;
use crate::manifest::Manifest;
use crate::pack_writer::WorkArea;
use crate::ready::ReadyBits;
use crate::{ChunkSource, IoFailure, Progress, ReadError, Store};

/// Chunks that are made ready in one go: 4 MiB, so that long reads ask peers in few requests and use little memory.
const GROUP_CHUNKS: u64 = 64;

/// A run of the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Where, in bytes.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
    /// True if it reads as zeros.
    pub is_hole: bool,
}

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

/// Somebody is getting some chunks; the others wait here.
#[derive(Debug, Default)]
struct Flight {
    result: Mutex<Option<Result<(), ReadError>>>,
    landed: Condvar,
}

impl Flight {
    fn land(&self, result: Result<(), ReadError>) {
        *self.result.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        self.landed.notify_all();
    }

    fn wait(&self) -> Result<(), ReadError> {
        let result = self.result.lock().unwrap_or_else(PoisonError::into_inner);
        let landed = self
            .landed
            .wait_while(result, |result| result.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        landed.clone().unwrap_or(Ok(()))
    }
}

/// Which leaf of the manifest has which zero chunks: a bit for each of its 1,024 names.
type ZeroBits = Box<[u64; PAGE_NAMES / 64]>;

/// A version in service. Any thread may ask.
#[derive(Debug)]
pub struct ServedVersion {
    manifest: Manifest,
    file: File,
    path: PathBuf,
    ready: ReadyBits,
    zeros: Box<[OnceLock<Option<ZeroBits>>]>,
    flights: Mutex<HashMap<u64, Arc<Flight>>>,
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
        let size = manifest.image_size();
        let path = store.folder().flat(root);
        let file = match open_flat(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => create_flat(&manifest, &path)?,
            Err(error) => return Err(IoFailure::new("open", &path, error).into()),
        };
        let set_size = || {
            if file.metadata()?.len() == size {
                Ok(())
            } else {
                file.set_len(size)
            }
        };
        set_size().map_err(|error| IoFailure::new("set the size of", &path, error))?;
        let chunks = manifest.record().chunks();
        let leaves = chunks.div_ceil(PAGE_NAMES as u64);
        Ok(Self {
            manifest,
            file,
            path,
            ready: ReadyBits::new(chunks),
            zeros: (0..leaves).map(|_| OnceLock::new()).collect(),
            flights: Mutex::default(),
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

    /// Fill `buffer` with the image's bytes at `offset`, made ready first.
    ///
    /// # Errors
    /// Those of [`ServedVersion::make_ready`].
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        let mut position = offset;
        for part in buffer.chunks_mut(CHUNK_SIZE) {
            let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
            if !self.is_ready(position, length) || position + u64::from(length) > self.size() {
                self.make_ready(position, length)?;
            }
            let read = self.file.read_exact_at(part, position);
            read.map_err(|error| IoFailure::new("read", &self.path, error))?;
            position += u64::from(length);
        }
        Ok(())
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
        while !self.ready.are_set(chunks.clone()) {
            let flight = Arc::new(Flight::default());
            let mut claimed = Vec::new();
            let mut other = None;
            {
                let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
                // A bit is set before its flight is taken out, so under this lock a chunk is ready, in flight, or free.
                for index in chunks.clone().filter(|index| !self.ready.is_set(*index)) {
                    if let Some(flight) = flights.get(&index) {
                        other.get_or_insert_with(|| Arc::clone(flight));
                    } else {
                        flights.insert(index, Arc::clone(&flight));
                        claimed.push(index);
                    }
                }
            }
            if claimed.is_empty() {
                let Some(other) = other else { continue };
                self.counters.shared_waits.fetch_add(1, Relaxed);
                let result = other.wait();
                // The flight may have failed for a chunk that is not ours.
                if !self.ready.are_set(chunks.clone()) {
                    self.check_landed(&chunks, result)?;
                }
            } else {
                let landing = Landing {
                    version: self,
                    flight: &flight,
                    claimed: &claimed,
                };
                let result = self.obtain(&claimed);
                landing.land(&result);
                result?;
            }
        }
        Ok(())
    }

    /// After a flight of somebody else failed: go on if all that it had of ours is ready, else share its error.
    fn check_landed(
        &self,
        chunks: &Range<u64>,
        result: Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        let flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        let is_free = |index: &u64| !self.ready.is_set(*index) && !flights.contains_key(index);
        if chunks.clone().any(|index| is_free(&index)) {
            result
        } else {
            Ok(())
        }
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
        let fetched = self.manifest.peers().fetch(&names, &mut |entry| {
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

    /// Call `visit` with the runs of data and of zeros in a range, in order, neighbours of a kind merged. It looks only at
    /// the manifest.
    ///
    /// # Errors
    /// The range is not within the image, or a page of the manifest cannot be had.
    pub fn extents(
        &self,
        offset: u64,
        length: u64,
        visit: &mut dyn FnMut(Extent) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        self.check_range(offset, length)?;
        let end = offset + length;
        let mut run: Option<Extent> = None;
        for index in chunks_of(offset, length) {
            let is_hole = self.is_zero(index)?;
            let start = (index * CHUNK_BYTES).max(offset);
            let length = ((index + 1) * CHUNK_BYTES).min(end) - start;
            match &mut run {
                Some(extent) if extent.is_hole == is_hole => extent.length += length,
                _ => {
                    if let Some(extent) = run.replace(Extent {
                        offset: start,
                        length,
                        is_hole,
                    }) && visit(extent).is_break()
                    {
                        return Ok(());
                    }
                }
            }
        }
        if let Some(extent) = run {
            // The last one: whether to go on is no longer a question.
            _ = visit(extent);
        }
        Ok(())
    }

    fn is_zero(&self, index: u64) -> Result<bool, ReadError> {
        let fan = PAGE_NAMES as u64;
        let (leaf, within) = (index / fan, index % fan);
        let Some(bits) = self.zero_bits(leaf)? else {
            return Ok(true);
        };
        let word = usize::try_from(within / 64).unwrap_or(usize::MAX);
        Ok(bits[word] & (1 << (within % 64)) != 0)
    }

    /// The zero chunks under a leaf; `None` if all are.
    fn zero_bits(&self, leaf: u64) -> Result<Option<&ZeroBits>, ReadError> {
        let slot = &self.zeros[usize::try_from(leaf).unwrap_or(usize::MAX)];
        if let Some(bits) = slot.get() {
            return Ok(bits.as_ref());
        }
        let bits = self.manifest.leaf(leaf)?.map(|page| {
            let mut bits: ZeroBits = Box::new([0; PAGE_NAMES / 64]);
            for (within, name) in page.names().enumerate() {
                if name.is_zero() {
                    bits[within / 64] |= 1 << (within % 64);
                }
            }
            bits
        });
        Ok(slot.get_or_init(|| bits).as_ref())
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
                    self.ready.clear(index);
                    self.make_group_ready(index..index + 1)?;
                }
            }
            progress.add_done(self.length(index) as u64);
        }
        Ok(damaged)
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

/// Ends a flight however the thread that flies it ends.
struct Landing<'a> {
    version: &'a ServedVersion,
    flight: &'a Flight,
    claimed: &'a [u64],
}

impl Landing<'_> {
    fn land(self, result: &Result<(), ReadError>) {
        self.take_out();
        self.flight.land(result.clone());
        std::mem::forget(self);
    }

    fn take_out(&self) {
        let mut flights = self
            .version
            .flights
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for index in self.claimed {
            flights.remove(index);
        }
    }
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        // Only after a panic: those who wait look again and get the chunks themselves.
        self.take_out();
        self.flight.land(Ok(()));
    }
}

fn open_flat(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

/// Make the flat file: a clone of the one that shares most with the version, where the file system can share; else all
/// holes. It appears under its name when it is complete, because another process may serve from it at once.
fn create_flat(manifest: &Manifest, path: &Path) -> Result<File, IoFailure> {
    let store = manifest.store();
    let area = WorkArea::create(store.folder())?;
    let beside = area.file("flat");
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&beside);
    let file = file.map_err(|error| IoFailure::new("create", &beside, error))?;
    if let Some(parent) = nearest_flat(manifest) {
        // Not possible on this file system, or not any more: the file is filled from packs instead.
        _ = rustix::fs::ioctl_ficlone(&file, &parent);
    }
    file.set_len(manifest.image_size())
        .map_err(|error| IoFailure::new("set the size of", &beside, error))?;
    match fs::hard_link(&beside, path) {
        Ok(()) => Ok(file),
        // Another process was faster: its file is as good.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            open_flat(path).map_err(|error| IoFailure::new("open", path, error))
        }
        Err(error) => Err(IoFailure::new("create", path, error)),
    }
}

/// The flat file of the version that differs least.
fn nearest_flat(manifest: &Manifest) -> Option<File> {
    let store = manifest.store();
    let here: HashSet<RootHash> = store.versions().ok()?.into_iter().collect();
    if !here.contains(&manifest.root()) {
        // Its pages are with peers: looking for a parent would fetch all that differ before the first read.
        return None;
    }
    let flats = crate::folder::Folder::roots_in(&store.folder().flats()).ok()?;
    let candidates = flats
        .into_iter()
        .filter(|root| here.contains(root) && *root != manifest.root());
    let changed = |root: RootHash| {
        Some((
            store.difference(root, manifest.root()).ok()?.changed_chunks,
            root,
        ))
    };
    let (_, nearest) = candidates.filter_map(changed).min()?;
    File::open(store.folder().flat(nearest)).ok()
}
