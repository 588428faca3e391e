//! Healing: what a verification found is made good, from other copies here and from peers.
//!
//! A damaged pack is replaced by one with its sound entries and those that were healed; then it is removed. Nothing that
//! can be read is removed before its copy is published.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;

use chunk_store::{CHUNK_BYTES, ChunkEncoder, ChunkName, DecodePackError, Entry, RootHash};

use crate::catalogue::{Found, decode, read_entry, read_index};
use crate::folder::{Folder, sync_folder};
use crate::pack_writer::{PackWriter, salvage, visit_entries};
use crate::verify::{DamagedFlat, DamagedPack, find_missing, places_in, verify};
use crate::{ChunkSource, HealError, IoFailure, NoSpace, Progress, Store};

/// Who replaces packs holds it.
const LOCK: &str = "heal";

/// What healing did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HealReport {
    /// Chunks and pages that are sound again.
    pub healed_chunks: u64,
    /// Those of them that came from peers.
    pub fetched_chunks: u64,
    /// Their bytes on the wire.
    pub fetched_bytes: u64,
    /// Chunks put right in flat files.
    pub healed_flat_chunks: u64,
    /// Versions whose root record was put right.
    pub healed_roots: Vec<RootHash>,
    /// Chunks and pages that nobody could give.
    pub unhealed: Vec<ChunkName>,
    /// Chunks and pages that versions needed and no pack had, healed by now or not.
    pub missing: Vec<ChunkName>,
    /// Versions whose root record nobody could give.
    pub unhealed_roots: Vec<RootHash>,
    /// Versions that still cannot be read in full without a peer.
    pub affected_roots: Vec<RootHash>,
}

impl HealReport {
    /// True if nothing that a version needs is wrong any more.
    pub fn is_sound(&self) -> bool {
        self.unhealed.is_empty() && self.affected_roots.is_empty()
    }
}

pub(crate) fn heal(
    store: &Store,
    peers: &dyn ChunkSource,
    progress: &Progress,
) -> Result<HealReport, HealError> {
    // One at a time: a second one would find the packs of the first gone, or do its work again.
    let _lock = store.folder().lock(LOCK)?;
    salvage(store.folder())?;
    let found = verify(store, progress)?;
    let damage = Damage {
        roots: found.damaged_roots,
        packs: found.damaged_packs,
        flats: found.damaged_flats,
    };
    make_good(store, peers, progress, &damage)
}

/// What was found damaged.
#[derive(Debug, Default)]
pub(crate) struct Damage {
    pub(crate) roots: Vec<RootHash>,
    pub(crate) packs: Vec<DamagedPack>,
    pub(crate) flats: Vec<DamagedFlat>,
}

/// Heal what somebody found who did not look at everything, and whatever versions lack.
pub(crate) fn heal_found(
    store: &Store,
    peers: &dyn ChunkSource,
    progress: &Progress,
    damage: &Damage,
) -> Result<HealReport, HealError> {
    let is_called_off = || progress.is_cancelled();
    let Some(_lock) = store.folder().lock_unless(LOCK, &is_called_off)? else {
        return Err(HealError::Cancelled);
    };
    make_good(store, peers, progress, damage)
}

/// With the lock held.
fn make_good(
    store: &Store,
    peers: &dyn ChunkSource,
    progress: &Progress,
    damage: &Damage,
) -> Result<HealReport, HealError> {
    let mut healing = Healing {
        store,
        peers,
        progress,
        report: HealReport::default(),
    };
    for root in &damage.roots {
        healing.heal_root(*root)?;
    }
    for pack in &damage.packs {
        healing.heal_pack(pack)?;
    }
    healing.fetch_unavailable()?;
    for flat in &damage.flats {
        healing.heal_flat(flat)?;
    }
    // What nobody was asked for any more is not what nobody has.
    healing.check_cancelled()?;
    let needs = find_missing(store, &[], progress)?;
    healing.report.unhealed = needs.unavailable;
    healing.report.unhealed_roots = needs.damaged_roots;
    healing.report.affected_roots = needs.affected_roots;
    Ok(healing.report)
}

struct Healing<'a> {
    store: &'a Store,
    peers: &'a dyn ChunkSource,
    progress: &'a Progress,
    report: HealReport,
}

impl Healing<'_> {
    fn check_cancelled(&self) -> Result<(), HealError> {
        if self.progress.is_cancelled() {
            Err(HealError::Cancelled)
        } else {
            Ok(())
        }
    }

    fn explain(&self, error: IoFailure) -> HealError {
        if !error.is_no_space() {
            return error.into();
        }
        let free_bytes = self.store.free_space().unwrap_or(0);
        let needed = free_bytes.saturating_add(64 << 20);
        let store = self.store.path().to_owned();
        HealError::NoSpace(NoSpace {
            store,
            free_bytes,
            missing_bytes: needed,
            at_most_bytes: needed,
        })
    }

    fn heal_root(&mut self, root: RootHash) -> Result<(), HealError> {
        let Ok(bytes) = self.peers.fetch_root(root, Some(self.progress)) else {
            return Ok(());
        };
        let writer = PackWriter::create(self.store.folder())?;
        // What was removed meanwhile must not come back, with all its chunks, because a peer still has it.
        if !self.store.folder().manifest(root).exists() {
            return Ok(());
        }
        let beside = writer.area().file("root");
        self.store
            .publish_root(root, &bytes, &beside)
            .map_err(|error| self.explain(error))?;
        self.report.healed_roots.push(root);
        Ok(())
    }

    fn heal_pack(&mut self, pack: &DamagedPack) -> Result<(), HealError> {
        self.check_cancelled()?;
        if matches!(pack.unusable, Some(DecodePackError::NewerFormat { .. })) {
            // Not damaged: a later release can read it.
            return Ok(());
        }
        let path = self.store.folder().packs().join(&pack.file);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(IoFailure::new("open", &path, error).into()),
        };
        let mut writer = PackWriter::create(self.store.folder())?;
        let copied = self.copy_sound(pack, &file, &mut writer);
        copied.map_err(|error| self.explain(error))?;
        let wanted: HashSet<ChunkName> = pack.damaged.iter().copied().collect();
        let got = self
            .obtain(&wanted, &mut writer)
            .map_err(|error| self.explain(error))?;
        self.report.healed_chunks += got;
        // The same entries in the same order make the same pack: it has then replaced the damaged one under its name.
        let published = writer
            .publish_names()
            .map_err(|error| self.explain(error))?;
        if !published.contains(&pack.file) {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(IoFailure::new("remove", &path, error).into());
                }
                _ => {}
            }
            sync_folder(&self.store.folder().packs())?;
        }
        self.store.catalogue().reload()?;
        Ok(())
    }

    /// Copy what is sound in a pack, through its index if it has one.
    fn copy_sound(
        &self,
        pack: &DamagedPack,
        file: &File,
        writer: &mut PackWriter,
    ) -> Result<(), IoFailure> {
        let path = self.store.folder().packs().join(&pack.file);
        let failed = |error: io::Error| IoFailure::new("read", &path, error);
        if pack.unusable.is_none()
            && let Ok(index) = read_index(&path).map_err(failed)?
        {
            let damaged: HashSet<ChunkName> = pack.damaged.iter().copied().collect();
            let mut records = index.records().to_vec();
            records.sort_unstable_by_key(|record| record.offset);
            for record in records
                .iter()
                .filter(|record| !damaged.contains(&record.name))
            {
                let entry = read_entry(file, u64::from(record.offset)).map_err(failed)?;
                if let Some(entry) = entry.filter(|entry| decode(entry).is_some()) {
                    writer.append(&entry)?;
                }
            }
            return Ok(());
        }
        let mut failure = None;
        let walked = visit_entries(file, true, &mut |_, entry| {
            writer.append(entry).map_err(|error| {
                let kind = error.source.kind();
                failure = Some(error);
                io::Error::from(kind)
            })
        });
        match failure {
            Some(error) => Err(error),
            None => walked.map_err(failed),
        }
    }

    /// Write sound copies of `wanted` to `writer`: from other packs, from flat files, from peers. Gives how many.
    fn obtain(
        &mut self,
        wanted: &HashSet<ChunkName>,
        writer: &mut PackWriter,
    ) -> Result<u64, IoFailure> {
        let mut left = HashSet::new();
        let mut healed = 0;
        for name in wanted {
            match self.store.catalogue().read(*name)? {
                // The other copy is enough.
                Found::Sound(..) => healed += 1,
                Found::Damaged | Found::Absent => _ = left.insert(*name),
            }
        }
        let in_flats = self.look_in_flats(&left)?;
        for entry in in_flats.values() {
            writer.append(entry)?;
            healed += 1;
        }
        left.retain(|name| !in_flats.contains_key(name));
        let names: Vec<ChunkName> = left.iter().copied().collect();
        let mut failure = None;
        let report = &mut self.report;
        // Those that nobody has are found by the last look over all versions.
        _ = self.peers.fetch(&names, Some(self.progress), &mut |entry| {
            let name = entry.header.name;
            if !left.contains(&name) || decode(&entry).is_none() || failure.is_some() {
                return false;
            }
            if let Err(error) = writer.append(&entry) {
                failure = Some(error);
                return false;
            }
            left.remove(&name);
            healed += 1;
            report.fetched_chunks += 1;
            report.fetched_bytes += entry.length() as u64;
            self.progress
                .add_new(u64::from(entry.header.plain_length), entry.length() as u64);
            true
        });
        failure.map_or(Ok(healed), Err)
    }

    fn look_in_flats(
        &self,
        wanted: &HashSet<ChunkName>,
    ) -> Result<HashMap<ChunkName, Entry>, IoFailure> {
        let mut found = HashMap::new();
        if wanted.is_empty() {
            return Ok(found);
        }
        let mut encoder = ChunkEncoder::new();
        for root in Folder::roots_in(&self.store.folder().flats())? {
            let Ok(manifest) = self.store.manifest(root) else {
                continue;
            };
            let Ok(file) = File::open(self.store.folder().flat(root)) else {
                continue;
            };
            for (name, index) in places_in(&manifest, wanted) {
                let mut plain = vec![0; manifest.record().chunk_length(index)];
                if !found.contains_key(&name)
                    && file.read_exact_at(&mut plain, index * CHUNK_BYTES).is_ok()
                    && ChunkName::of(&plain) == name
                {
                    found.insert(name, encoder.encode(name, &plain));
                }
            }
        }
        Ok(found)
    }

    /// Fetch what versions need and no pack has: once for each level, since a page must be here before what it names is
    /// known.
    fn fetch_unavailable(&mut self) -> Result<(), HealError> {
        loop {
            self.check_cancelled()?;
            let needs = find_missing(self.store, &[], self.progress)?;
            let wanted: HashSet<ChunkName> = needs.unavailable.into_iter().collect();
            if wanted.is_empty() {
                return Ok(());
            }
            let known: HashSet<ChunkName> = self.report.missing.iter().copied().collect();
            self.report.missing.extend(wanted.difference(&known));
            let mut writer = PackWriter::create(self.store.folder())?;
            let got = self
                .obtain(&wanted, &mut writer)
                .map_err(|error| self.explain(error))?;
            writer
                .publish_names()
                .map_err(|error| self.explain(error))?;
            self.store.catalogue().refresh()?;
            self.report.healed_chunks += got;
            if got == 0 {
                return Ok(());
            }
        }
    }

    fn heal_flat(&mut self, flat: &DamagedFlat) -> Result<(), HealError> {
        let path = self.store.folder().flat(flat.root);
        let Ok(manifest) = self.store.manifest(flat.root) else {
            return Ok(());
        };
        let file = match OpenOptions::new().write(true).open(&path) {
            Ok(file) => file,
            // Its version was removed in the meantime.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(IoFailure::new("open", &path, error).into()),
        };
        for index in &flat.chunks {
            self.check_cancelled()?;
            let Ok(name) = manifest.name(*index) else {
                continue;
            };
            let plain = if name.is_zero() {
                vec![0; manifest.record().chunk_length(*index)]
            } else {
                match self.store.catalogue().read(name)? {
                    Found::Sound(_, plain) => plain,
                    // Whoever reads it from the flat file will find it damaged and ask peers again.
                    Found::Damaged | Found::Absent => continue,
                }
            };
            let written = file.write_all_at(&plain, index * CHUNK_BYTES);
            written.map_err(|error| self.explain(IoFailure::new("write", &path, error)))?;
            self.report.healed_flat_chunks += 1;
        }
        file.sync_data()
            .map_err(|error| IoFailure::new("sync", &path, error))?;
        Ok(())
    }
}
