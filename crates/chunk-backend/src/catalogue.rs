//! Which chunk lies where: the indexes of all packs in memory, and entries read through them.
//!
//! It takes 40 bytes a stored chunk (64 MB for 100 GiB of unique data) and is loaded when the first chunk is looked for.
//! Other processes add and remove packs at any time: what is not found, or turns out damaged, is looked for again after
//! the folder was listed anew.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use chunk_store::{
    ChunkDecoder, ChunkName, DecodePackError, ENTRY_HEADER_BYTES, Entry, PACK_HEADER_BYTES,
    PACK_TRAILER_BYTES, PackIndex, PackTrailer, check_pack_header,
};

use crate::IoFailure;
use crate::folder::file_names;

/// The extension of packs.
const EXTENSION: &str = ".pack";
/// Packs kept open; more are opened again when they are needed, so that a large store does not use up file descriptors.
const OPEN_PACKS: usize = 64;
/// Sorted runs that are searched one after the other before they are merged.
const MAXIMUM_RUNS: usize = 6;

/// A pack's file name: its identity in 64 digits and `.pack`.
pub(crate) type PackFile = Arc<str>;

/// True if a file in `packs/` is a pack by its name.
pub(crate) fn is_pack(name: &str) -> bool {
    name.strip_suffix(EXTENSION)
        .is_some_and(|identity| identity.parse::<ChunkName>().is_ok())
}

pub(crate) fn pack_file(identity: [u8; 32]) -> PackFile {
    format!("{}{EXTENSION}", ChunkName::from_bytes(identity)).into()
}

/// A folder's time of change: (seconds, nanoseconds).
type FolderTime = (i64, i64);

fn folder_time(folder: &Path) -> Result<FolderTime, IoFailure> {
    let found = std::fs::metadata(folder).map_err(|error| IoFailure::new("read", folder, error))?;
    Ok((found.mtime(), found.mtime_nsec()))
}

/// Where an entry lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    pack: u32,
    offset: u32,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    name: ChunkName,
    place: Place,
}

#[derive(Debug, Clone)]
struct Pack {
    file: PackFile,
    is_gone: bool,
}

#[derive(Debug, Default)]
struct State {
    is_loaded: bool,
    packs: Vec<Pack>,
    /// By file name; `None` for one that cannot be read and is left to `verify` and `heal`.
    known: HashMap<PackFile, Option<u32>>,
    runs: Vec<Vec<Slot>>,
    /// When the folder was changed last, as it said right before it was listed.
    changed_at: Option<FolderTime>,
}

impl State {
    /// Where `name` lies, the newest pack first.
    fn places(&self, name: ChunkName) -> Vec<Place> {
        let mut places: Vec<Place> = Vec::new();
        for run in &self.runs {
            let start = run.partition_point(|slot| slot.name < name);
            let same = run[start..]
                .iter()
                .take_while(|slot| slot.name == name)
                .map(|slot| slot.place);
            places.extend(same.filter(|place| !self.packs[place.pack as usize].is_gone));
        }
        places.sort_unstable_by_key(|place| std::cmp::Reverse(place.pack));
        places
    }

    fn add(&mut self, file: &PackFile, index: &PackIndex, run: &mut Vec<Slot>) {
        // Packs of 64 MiB: a number past 32 bits would be 256 PiB.
        let Ok(pack) = u32::try_from(self.packs.len()) else {
            return;
        };
        self.packs.push(Pack {
            file: Arc::clone(file),
            is_gone: false,
        });
        self.known.insert(Arc::clone(file), Some(pack));
        run.extend(index.records().iter().map(|record| Slot {
            name: record.name,
            place: Place {
                pack,
                offset: record.offset,
            },
        }));
    }

    fn push_run(&mut self, mut run: Vec<Slot>) {
        if run.is_empty() {
            return;
        }
        if self.runs.len() >= MAXIMUM_RUNS {
            let packs = &self.packs;
            run.extend(
                self.runs
                    .drain(..)
                    .flatten()
                    .filter(|slot| !packs[slot.place.pack as usize].is_gone),
            );
        }
        run.sort_unstable_by_key(|slot| slot.name);
        run.shrink_to_fit();
        self.runs.push(run);
    }
}

/// What a look for a chunk found.
#[derive(Debug)]
pub(crate) enum Found {
    /// A sound copy, and its plain bytes.
    Sound(Entry, Vec<u8>),
    /// Copies, none of them sound.
    Damaged,
    /// No copy.
    Absent,
}

/// The catalogue of a store's packs.
#[derive(Debug)]
pub(crate) struct Catalogue {
    folder: PathBuf,
    state: RwLock<State>,
    refreshing: Mutex<()>,
    open: Mutex<HashMap<PackFile, Arc<File>>>,
}

thread_local! {
    static DECODER: std::cell::RefCell<ChunkDecoder> = std::cell::RefCell::new(ChunkDecoder::new());
}

/// The plain bytes of `entry`, or `None` if it is damaged.
pub(crate) fn decode(entry: &Entry) -> Option<Vec<u8>> {
    DECODER.with_borrow_mut(|decoder| decoder.decode(entry).ok())
}

impl Catalogue {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            state: RwLock::default(),
            refreshing: Mutex::default(),
            open: Mutex::default(),
        }
    }

    /// [`Catalogue::refresh`], unless nothing was published since the last one: cheap enough for every chunk that is not
    /// found.
    pub(crate) fn refresh_if_changed(&self) -> Result<(), IoFailure> {
        let changed_at = folder_time(&self.folder)?;
        let known = self
            .state
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .changed_at;
        if known == Some(changed_at) {
            Ok(())
        } else {
            self.refresh()
        }
    }

    /// Close packs that others removed: as long as one is open it takes its space.
    pub(crate) fn let_go(&self) -> Result<(), IoFailure> {
        if self
            .state
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .is_loaded
        {
            self.refresh_if_changed()
        } else {
            Ok(())
        }
    }

    /// List the folder again: learn new packs, forget those that are gone.
    pub(crate) fn refresh(&self) -> Result<(), IoFailure> {
        let _one_at_a_time = self
            .refreshing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let changed_at = folder_time(&self.folder)?;
        let listed: Vec<PackFile> = file_names(&self.folder)?
            .into_iter()
            .filter(|name| is_pack(name))
            .map(Into::into)
            .collect();
        let fresh: Vec<PackFile> = {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            listed
                .iter()
                .filter(|file| !state.known.contains_key(*file))
                .cloned()
                .collect()
        };
        // Indexes are read without the lock, so that readers go on meanwhile.
        let mut indexes = Vec::with_capacity(fresh.len());
        for file in fresh {
            match read_index(&self.folder.join(&*file)) {
                Ok(index) => indexes.push((file, index.ok())),
                // Removed between the listing and now.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(IoFailure::new("read", &self.folder.join(&*file), error)),
            }
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let mut run = Vec::new();
        for (file, index) in indexes {
            match index {
                Some(index) => state.add(&file, &index, &mut run),
                None => _ = state.known.insert(file, None),
            }
        }
        state.push_run(run);
        let listed: std::collections::HashSet<PackFile> = listed.into_iter().collect();
        let gone: Vec<PackFile> = state
            .known
            .keys()
            .filter(|file| !listed.contains(*file))
            .cloned()
            .collect();
        for file in &gone {
            if let Some(Some(pack)) = state.known.remove(file) {
                state.packs[pack as usize].is_gone = true;
            }
            self.close(file);
        }
        state.is_loaded = true;
        state.changed_at = Some(changed_at);
        Ok(())
    }

    /// Read all indexes anew, as after healing, when a pack may have been replaced under its name.
    pub(crate) fn reload(&self) -> Result<(), IoFailure> {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = State::default();
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        self.refresh()
    }

    fn load(&self) -> Result<(), IoFailure> {
        if self
            .state
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .is_loaded
        {
            Ok(())
        } else {
            self.refresh()
        }
    }

    /// True if a pack that is known claims to have the chunk. The content is not looked at.
    pub(crate) fn contains(&self, name: ChunkName) -> Result<bool, IoFailure> {
        self.load()?;
        Ok(!self
            .state
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .places(name)
            .is_empty())
    }

    /// The packs that claim to have the chunk.
    pub(crate) fn packs_with(&self, name: ChunkName) -> Result<Vec<PackFile>, IoFailure> {
        self.load()?;
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        Ok(state
            .places(name)
            .iter()
            .map(|place| Arc::clone(&state.packs[place.pack as usize].file))
            .collect())
    }

    /// Read a chunk and check it against its name, from whichever pack has a sound copy. Packs that came since the last
    /// listing are not seen: on [`Found::Absent`] a caller with time calls [`Catalogue::refresh`] and asks again.
    pub(crate) fn read(&self, name: ChunkName) -> Result<Found, IoFailure> {
        self.load()?;
        let places: Vec<(Place, PackFile)> = {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            let file = |place: &Place| Arc::clone(&state.packs[place.pack as usize].file);
            state
                .places(name)
                .into_iter()
                .map(|place| (place, file(&place)))
                .collect()
        };
        let mut is_damaged = false;
        for (place, file) in places {
            // A second try with the file opened anew: healing replaces a damaged pack, perhaps under the same name.
            for _ in 0..2 {
                match self.read_entry(&file, place.offset) {
                    Ok(Some(entry)) if entry.header.name == name => {
                        if let Some(plain) = decode(&entry) {
                            return Ok(Found::Sound(entry, plain));
                        }
                        is_damaged = true;
                    }
                    Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                    // A sector that cannot be read is damage like any other: the next copy, or a peer, has the chunk.
                    Ok(_) | Err(_) => is_damaged = true,
                }
                self.close(&file);
            }
        }
        Ok(if is_damaged {
            Found::Damaged
        } else {
            Found::Absent
        })
    }

    fn read_entry(&self, file: &PackFile, offset: u32) -> io::Result<Option<Entry>> {
        read_entry(&*self.open(file)?, u64::from(offset))
    }

    fn open(&self, file: &PackFile) -> io::Result<Arc<File>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(opened) = open.get(file) {
            return Ok(Arc::clone(opened));
        }
        let opened = Arc::new(File::open(self.folder.join(&**file))?);
        if open.len() >= OPEN_PACKS
            && let Some(any) = open.keys().next().cloned()
        {
            open.remove(&any);
        }
        open.insert(Arc::clone(file), Arc::clone(&opened));
        Ok(opened)
    }

    fn close(&self, file: &PackFile) {
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(file);
    }
}

/// The entry at `offset` of a pack; `None` if no sound header is there or the file ends within it.
pub(crate) fn read_entry(pack: &File, offset: u64) -> io::Result<Option<Entry>> {
    let mut header = [0; ENTRY_HEADER_BYTES];
    if !read_fully(pack, &mut header, offset)? {
        return Ok(None);
    }
    let Ok(header) = chunk_store::EntryHeader::decode(&header) else {
        return Ok(None);
    };
    let mut stored = vec![0; header.stored_length as usize];
    Ok(
        read_fully(pack, &mut stored, offset + ENTRY_HEADER_BYTES as u64)?
            .then_some(Entry { header, stored }),
    )
}

/// Fill `buffer`; false if the file ends before.
fn read_fully(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<bool> {
    match file.read_exact_at(buffer, offset) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// The index of the pack at `path`, checked against its trailer and the file's name.
pub(crate) fn read_index(path: &Path) -> io::Result<Result<PackIndex, DecodePackError>> {
    let pack = File::open(path)?;
    let size = pack.metadata()?.len();
    let mut header = [0; PACK_HEADER_BYTES];
    if !read_fully(&pack, &mut header, 0)? {
        return Ok(Err(DecodePackError::NotAPack));
    }
    if let Err(error) = check_pack_header(&header) {
        return Ok(Err(error));
    }
    let Some(trailer_offset) = size.checked_sub(PACK_TRAILER_BYTES as u64) else {
        return Ok(Err(DecodePackError::NoTrailer));
    };
    let mut trailer = [0; PACK_TRAILER_BYTES];
    pack.read_exact_at(&mut trailer, trailer_offset)?;
    let trailer = match PackTrailer::decode(&trailer) {
        Ok(trailer) => trailer,
        Err(error) => return Ok(Err(error)),
    };
    let is_named_so =
        path.file_name().and_then(|name| name.to_str()) == Some(&*pack_file(trailer.identity));
    if trailer
        .index_offset
        .checked_add(trailer.index_bytes() as u64)
        != Some(trailer_offset)
        || !is_named_so
    {
        return Ok(Err(DecodePackError::DamagedIndex));
    }
    let mut bytes = vec![0; trailer.index_bytes() + PACK_TRAILER_BYTES];
    pack.read_exact_at(&mut bytes, trailer.index_offset)?;
    Ok(PackIndex::decode(&bytes))
}
