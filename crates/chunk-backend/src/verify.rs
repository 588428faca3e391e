//! Verification: is everything in the store what its name says?

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;

use chunk_store::{CHUNK_BYTES, CHUNK_SIZE, ChunkName, Page, RootHash, RootRecord};

use crate::catalogue::{Found, PackFile, decode, is_pack, read_entry, read_index};
use crate::disk::next_data;
use crate::folder::{Folder, file_names};
use crate::manifest::Manifest;
use crate::{IoFailure, Progress, ReadError, Store, VerifyError};

/// How often what is missing is looked for again, while others change the store.
const LOOKS_AGAIN: usize = 3;

/// A pack with damage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedPack {
    /// Its file name.
    pub file: String,
    /// Chunks in it that are not what their names say.
    pub damaged: Vec<ChunkName>,
    /// Set if its index is gone, damaged, or of a later format, so that nothing in it can be used: what is wrong.
    pub unusable: Option<chunk_store::DecodePackError>,
}

/// A flat file with damage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedFlat {
    /// Its version.
    pub root: RootHash,
    /// Which chunks of the image.
    pub chunks: Vec<u64>,
}

/// What a verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Packs that were read.
    pub packs: u64,
    /// Chunks in them that were checked.
    pub checked_chunks: u64,
    /// Plain bytes that were checked, in packs and flat files.
    pub checked_bytes: u64,
    /// Packs with damage.
    pub damaged_packs: Vec<DamagedPack>,
    /// Flat files with damage. No reader sees it: a chunk is checked before it is first served.
    pub damaged_flats: Vec<DamagedFlat>,
    /// Versions whose root record is damaged.
    pub damaged_roots: Vec<RootHash>,
    /// Chunks and pages of which no sound copy is in any pack, though a version needs them.
    pub unavailable: Vec<ChunkName>,
    /// Versions that cannot be read in full without a peer.
    pub affected_roots: Vec<RootHash>,
}

impl VerifyReport {
    /// True if nothing at all is wrong.
    pub fn is_sound(&self) -> bool {
        self.damaged_packs.is_empty()
            && self.damaged_flats.is_empty()
            && self.damaged_roots.is_empty()
            && self.unavailable.is_empty()
    }
}

pub(crate) fn verify(store: &Store, progress: &Progress) -> Result<VerifyReport, VerifyError> {
    store.catalogue().reload()?;
    let mut report = VerifyReport::default();
    progress.set_total(total_bytes(store)?);
    verify_packs(store, progress, &mut report)?;
    let needs = find_missing(store, &report.damaged_packs, progress)?;
    report.unavailable = needs.unavailable;
    report.affected_roots = needs.affected_roots;
    report.damaged_roots = needs.damaged_roots;
    for root in Folder::roots_in(&store.folder().flats())? {
        let damaged = verify_flat(store, root, progress, &mut report)?;
        if !damaged.is_empty() {
            report.damaged_flats.push(DamagedFlat {
                root,
                chunks: damaged,
            });
        }
    }
    Ok(report)
}

/// Bytes of all files that are going to be read.
pub(crate) fn total_bytes(store: &Store) -> Result<u64, IoFailure> {
    use std::os::unix::fs::MetadataExt;
    let mut total = 0;
    for folder in [store.folder().packs(), store.folder().flats()] {
        for name in file_names(&folder)? {
            // Blocks, not length: holes of a flat file are not read.
            total += fs::metadata(folder.join(name))
                .map_or(0, |found| (found.blocks() * 512).min(found.len()));
        }
    }
    Ok(total)
}

fn verify_packs(
    store: &Store,
    progress: &Progress,
    report: &mut VerifyReport,
) -> Result<(), VerifyError> {
    let folder = store.folder().packs();
    let mut files = file_names(&folder)?;
    files.retain(|name| is_pack(name));
    files.sort_unstable();
    for file in files {
        let path = folder.join(&file);
        let index = match read_index(&path) {
            Ok(Ok(index)) => index,
            Ok(Err(problem)) => {
                report.damaged_packs.push(DamagedPack {
                    file,
                    damaged: Vec::new(),
                    unusable: Some(problem),
                });
                continue;
            }
            // Healed or collected by another process since the listing.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(IoFailure::new("read", &path, error).into()),
        };
        let pack = match File::open(&path) {
            Ok(pack) => pack,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(IoFailure::new("open", &path, error).into()),
        };
        report.packs += 1;
        let mut records = index.records().to_vec();
        records.sort_unstable_by_key(|record| record.offset);
        let mut damaged = Vec::new();
        for record in records {
            if progress.is_cancelled() {
                return Err(VerifyError::Cancelled);
            }
            // A sector that cannot be read is damage too.
            let entry = read_entry(&pack, u64::from(record.offset)).ok().flatten();
            let plain = entry
                .filter(|entry| entry.header.name == record.name)
                .and_then(|entry| decode(&entry));
            report.checked_chunks += 1;
            match plain {
                Some(plain) => report.checked_bytes += plain.len() as u64,
                None => damaged.push(record.name),
            }
            progress.add_done(u64::from(record.stored_length));
        }
        if !damaged.is_empty() {
            report.damaged_packs.push(DamagedPack {
                file,
                damaged,
                unusable: None,
            });
        }
    }
    Ok(())
}

/// What versions need and the packs do not have.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    pub(crate) unavailable: Vec<ChunkName>,
    pub(crate) affected_roots: Vec<RootHash>,
    pub(crate) damaged_roots: Vec<RootHash>,
}

/// Walk all versions and look for names that no pack has but those known as damaged.
fn find_unavailable(
    store: &Store,
    damaged_packs: &[DamagedPack],
    progress: &Progress,
) -> Result<Needs, VerifyError> {
    let damaged: HashSet<(&str, ChunkName)> = damaged_packs
        .iter()
        .flat_map(|pack| pack.damaged.iter().map(|name| (&*pack.file, *name)))
        .collect();
    let suspects: HashSet<ChunkName> = damaged.iter().map(|(_, name)| *name).collect();
    let is_available = |name: ChunkName| -> Result<bool, IoFailure> {
        if !suspects.contains(&name) {
            return store.catalogue().contains(name);
        }
        let packs = store.catalogue().packs_with(name)?;
        Ok(packs
            .iter()
            .any(|file: &PackFile| !damaged.contains(&(&**file, name))))
    };
    let mut needs = Needs::default();
    let mut seen = HashMap::new();
    for root in store.versions()? {
        let record = store
            .root_record(root)?
            .and_then(|bytes| RootRecord::decode(&bytes).ok());
        let Some(record) = record else {
            needs.damaged_roots.push(root);
            needs.affected_roots.push(root);
            continue;
        };
        let before = needs.unavailable.len();
        let mut is_affected = false;
        let mut failure = None;
        let mut check = |name: ChunkName| -> bool {
            let available = match seen.get(&name) {
                Some(available) => *available,
                None => match is_available(name) {
                    Ok(available) => {
                        seen.insert(name, available);
                        if !available {
                            needs.unavailable.push(name);
                        }
                        available
                    }
                    Err(error) => {
                        failure = Some(error);
                        false
                    }
                },
            };
            is_affected |= !available;
            available
        };
        let mut level_names = if record.top().is_zero() {
            vec![]
        } else {
            vec![(record.top(), 0)]
        };
        for level in (0..record.depth()).rev() {
            let mut below = Vec::new();
            for (name, position) in level_names {
                if progress.is_cancelled() {
                    return Err(VerifyError::Cancelled);
                }
                if !check(name) {
                    continue;
                }
                let names = record.page_names(level, position);
                let page = match store.catalogue().read(name)? {
                    Found::Sound(_, plain) => Page::decode(plain, names).ok(),
                    Found::Damaged | Found::Absent => None,
                };
                // Between the check and now it was damaged or removed: the next verification will say so.
                let Some(page) = page else { continue };
                let first = position * chunk_store::PAGE_NAMES as u64;
                for (child, name) in page.names().enumerate().filter(|(_, name)| !name.is_zero()) {
                    if level == 0 {
                        check(name);
                    } else {
                        below.push((name, first + child as u64));
                    }
                }
            }
            level_names = below;
        }
        if let Some(error) = failure {
            return Err(error.into());
        }
        if is_affected || needs.unavailable.len() > before {
            needs.affected_roots.push(root);
        }
    }
    Ok(needs)
}

/// [`find_unavailable`] beside others who import, collect and remove: what is not found is looked for again, until the same
/// is missing from a listing of the packs that is younger than the version.
pub(crate) fn find_missing(
    store: &Store,
    damaged_packs: &[DamagedPack],
    progress: &Progress,
) -> Result<Needs, VerifyError> {
    store.catalogue().refresh_if_changed()?;
    let mut needs = find_unavailable(store, damaged_packs, progress)?;
    for _ in 0..LOOKS_AGAIN {
        if needs.affected_roots.is_empty() {
            break;
        }
        store.catalogue().refresh()?;
        let again = find_unavailable(store, damaged_packs, progress)?;
        let is_settled = again.affected_roots == needs.affected_roots;
        needs = again;
        if is_settled {
            break;
        }
    }
    Ok(needs)
}

/// The chunks of a flat file that hold something else than their names say. Holes are chunks that nobody has read yet.
fn verify_flat(
    store: &Store,
    root: RootHash,
    progress: &Progress,
    report: &mut VerifyReport,
) -> Result<Vec<u64>, VerifyError> {
    let path = store.folder().flat(root);
    // Without its manifest (removed, or not here yet) nothing can be said of a flat file; it is checked when it is read.
    let Ok(manifest) = store.manifest(root) else {
        return Ok(Vec::new());
    };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(IoFailure::new("open", &path, error).into()),
    };
    let size = manifest
        .image_size()
        .min(file.metadata().map_or(0, |found| found.len()));
    let chunks = chunk_store::chunk_count(size);
    let mut damaged = Vec::new();
    let mut buffer = vec![0; CHUNK_SIZE];
    let mut index = 0;
    while index < chunks {
        let data = next_data(&file, size, index * CHUNK_BYTES);
        match data.map_err(|error| IoFailure::new("read", &path, error))? {
            None => break,
            Some((start, _)) => index = index.max(start / CHUNK_BYTES),
        }
        if progress.is_cancelled() {
            return Err(VerifyError::Cancelled);
        }
        // A page that cannot be had is in the report already; what it names cannot be judged.
        if let Ok(name) = manifest.name(index) {
            // Again, because a process that serves the version may have been writing this very chunk.
            let is_sound =
                (0..3).any(|_| is_sound_in_flat(&file, &manifest, index, name, &mut buffer));
            if !is_sound {
                damaged.push(index);
            }
        }
        report.checked_bytes += manifest.record().chunk_length(index) as u64;
        progress.add_done(CHUNK_BYTES);
        index += 1;
    }
    Ok(damaged)
}

fn is_sound_in_flat(
    file: &File,
    manifest: &Manifest,
    index: u64,
    name: ChunkName,
    buffer: &mut [u8],
) -> bool {
    let buffer = &mut buffer[..manifest.record().chunk_length(index)];
    if file.read_exact_at(buffer, index * CHUNK_BYTES).is_err() {
        return false;
    }
    let found = ChunkName::of(buffer);
    found == name || found.is_zero()
}

/// Where each of some chunks is in the image of a version that is here: for looking into its flat file.
pub(crate) fn places_in(
    manifest: &Manifest,
    wanted: &HashSet<ChunkName>,
) -> HashMap<ChunkName, u64> {
    let mut places = HashMap::new();
    // Parts that cannot be walked have no places; whoever asks has other ways.
    let _: Result<(), ReadError> = manifest.walk(&mut |index, name| {
        if wanted.contains(&name) {
            places.entry(name).or_insert(index);
        }
        ControlFlow::Continue(())
    });
    places
}
