//! Collection: chunks that no version needs give their space back.
//!
//! What is needed is found by walking every version that is here. Packs without anything needed go, and packs of which much
//! is dead are written again without it. Nothing goes before its copies are published, and only while no writer lives:
//! whoever writes relies on chunks that he found here, of versions that are not published yet. Why that is safe is told in
//! ADR 20.

mod live;
mod sweep;

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;

use chunk_store::{
    ChunkName, ENTRY_HEADER_BYTES, Entry, PACK_RECORD_BYTES, PackFate, PackIndex, PackRecord,
    PackShare, RootHash, plan_packs,
};

use crate::catalogue::{Found, PackFile, decode, is_pack, read_entry, read_index};
use crate::folder::{Folder, file_names, remove_if_there};
use crate::pack_writer::{PackWriter, abandoned_bytes, salvage};
use crate::{CollectError, IoFailure, NoSpace, Progress, Store};

use live::Live;
use sweep::{Gone, sweep};

/// A pack is written again when this much of it is dead: at most three bytes are copied for one that becomes free.
pub const REWRITE_PERCENT: u8 = 25;
/// After so much was copied, the packs that it came from go: so much more space is taken meanwhile, and no more.
const ROUND_BYTES: u64 = 256 << 20;

/// Who collects holds it.
const LOCK: &str = "collection";

/// What a collection would do. A value: made without changing anything, and refreshed before it is carried out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CollectionPlan {
    /// The versions that the caller names; their flat files stay.
    pub named: Vec<RootHash>,
    /// Versions that are here. All of them are kept.
    pub kept_roots: Vec<RootHash>,
    /// Those of them that the caller did not name.
    pub unnamed_roots: Vec<RootHash>,
    /// Versions that the caller names and of which a replication has brought a part; that part is kept.
    pub incomplete_roots: Vec<RootHash>,
    /// Those of which there is a part and that nobody names any more.
    pub given_up_roots: Vec<RootHash>,
    /// Packs that are here and can be read.
    pub packs: u64,
    /// Packs that cannot be read; they are left for healing.
    pub unusable_packs: Vec<String>,
    /// Bytes in packs that kept versions need.
    pub live_bytes: u64,
    /// Bytes in packs that nobody needs.
    pub dead_bytes: u64,
    /// Packs to be removed as they are.
    pub delete: Vec<String>,
    /// Packs to be written again without what is dead, the dearest last.
    pub rewrite: Vec<String>,
    /// Bytes that are written again.
    pub copied_bytes: u64,
    /// Bytes of dead chunks that become free.
    pub freed_bytes: u64,
    /// Flat files of versions that are not here and that nobody named.
    pub flats: Vec<RootHash>,
    /// Bytes they take.
    pub flat_bytes: u64,
    /// Bytes that killed writers left: what is sound in them is taken into packs first, and goes if no version needs it.
    pub abandoned_bytes: u64,
}

impl CollectionPlan {
    /// True if there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.delete.is_empty()
            && self.rewrite.is_empty()
            && self.flats.is_empty()
            && self.abandoned_bytes == 0
    }
}

/// What a collection did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collected {
    /// What was carried out: the plan as it was after what killed writers left was taken over.
    pub plan: CollectionPlan,
    /// Packs that are gone.
    pub removed_packs: u64,
    /// Bytes that were written again.
    pub copied_bytes: u64,
    /// Bytes of packs and flat files that are gone, less those written again.
    pub freed_bytes: u64,
    /// Flat files that are gone.
    pub removed_flats: u64,
    /// Packs that stay against the plan: a version that came meanwhile needs them, or a chunk in them is damaged.
    pub spared_packs: Vec<String>,
}

/// The packs of a store, weighed.
struct Survey {
    live: Live,
    packs: Vec<(PackFile, PackIndex)>,
    shares: Vec<PackShare>,
    plan: CollectionPlan,
}

impl Survey {
    fn of(store: &Store, named: &[RootHash], progress: &Progress) -> Result<Self, CollectError> {
        store.catalogue().refresh()?;
        // The packs before the versions: a version that is published between the two has its chunks in packs that are not
        // looked at, or in one that is, and then they count as needed.
        let (packs, unusable_packs) = read_packs(&store.folder().packs())?;
        let mut live = Live::of(named);
        live.walk_all(store, progress)?;
        let indexes: Vec<&PackIndex> = packs.iter().map(|(_, index)| index).collect();
        let shares = plan_packs(&indexes, &|name| live.contains(name), REWRITE_PERCENT);
        let mut rewrite: Vec<(&PackShare, &PackFile)> = Vec::new();
        let mut plan = CollectionPlan {
            named: named.to_vec(),
            packs: packs.len() as u64,
            unusable_packs,
            ..CollectionPlan::default()
        };
        for ((file, _), share) in packs.iter().zip(&shares) {
            plan.live_bytes += share.live_bytes;
            plan.dead_bytes += share.dead_bytes;
            plan.freed_bytes += share.freed_bytes();
            plan.copied_bytes += share.copied_bytes();
            match share.fate {
                PackFate::Delete => plan.delete.push(file.to_string()),
                PackFate::Rewrite => rewrite.push((share, file)),
                PackFate::Keep => {}
            }
        }
        rewrite.sort_by_key(|(share, _)| share.live_bytes * 1000 / share.dead_bytes.max(1));
        plan.rewrite = rewrite.iter().map(|(_, file)| file.to_string()).collect();
        plan.kept_roots = store.versions()?;
        let is_unnamed = |root: &RootHash| !live.is_named(*root);
        (plan.given_up_roots, plan.incomplete_roots) = store
            .folder()
            .incomplete_roots()?
            .into_iter()
            // A replication may have been killed after it had published the version.
            .filter(|root| !plan.kept_roots.contains(root))
            .partition(is_unnamed);
        let kept = plan.kept_roots.iter().copied();
        plan.unnamed_roots = kept.filter(is_unnamed).collect();
        for root in Folder::roots_in(&store.folder().flats())? {
            let is_here = plan.kept_roots.contains(&root) || plan.incomplete_roots.contains(&root);
            if !is_here && is_unnamed(&root) && !live.bases().contains(&root) {
                plan.flats.push(root);
                plan.flat_bytes += allocated(&store.folder().flat(root));
            }
        }
        plan.abandoned_bytes = abandoned_bytes(store.folder())?;
        Ok(Self {
            live,
            packs,
            shares,
            plan,
        })
    }
}

/// Make a plan. Nothing is changed.
pub(crate) fn plan(store: &Store, named: &[RootHash]) -> Result<CollectionPlan, CollectError> {
    Ok(Survey::of(store, named, &Progress::new())?.plan)
}

/// Carry a plan out.
pub(crate) fn collect(
    store: &Store,
    plan: &CollectionPlan,
    progress: &Progress,
) -> Result<Collected, CollectError> {
    // One at a time: two would each count on copies in packs that the other removes.
    let is_called_off = || progress.is_cancelled();
    let Some(_lock) = store.folder().lock_unless(LOCK, &is_called_off)? else {
        return Err(CollectError::Cancelled);
    };
    salvage(store.folder())?;
    let survey = Survey::of(store, &plan.named, progress)?;
    for root in &survey.plan.given_up_roots {
        // Should somebody want it again just now, he fetches what goes before he is through.
        remove_if_there(&store.folder().incomplete(*root))?;
    }
    let sizes: HashMap<&str, u64> = survey
        .packs
        .iter()
        .zip(&survey.shares)
        .map(|((file, _), share)| (&**file, share.live_bytes + share.dead_bytes))
        .collect();
    let doomed = survey.plan.delete.iter().chain(&survey.plan.rewrite);
    progress.set_total(
        doomed
            .filter_map(|file| sizes.get(&**file))
            .sum::<u64>()
            .saturating_add(survey.plan.flat_bytes),
    );
    let by_file: HashMap<PackFile, PackIndex> = survey.packs.into_iter().collect();
    let mut work = Work {
        store,
        progress,
        by_file,
        live: survey.live,
        done: Collected {
            plan: survey.plan,
            ..Collected::default()
        },
    };
    work.run()?;
    Ok(work.done)
}

/// Where needed chunks of packs that are to go were seen sound, or are written now.
#[derive(Debug, Default)]
struct Homes {
    of: HashMap<ChunkName, Home>,
    /// The packs with what was written. One of them may be a pack that was to go: the same entries make the same pack.
    copies: HashSet<String>,
}

#[derive(Debug)]
enum Home {
    In(PackFile),
    Copied,
}

impl Homes {
    /// True if the chunk is still where it is safe, given the packs that have it now.
    fn is_safe(&self, name: ChunkName, packs: &[PackFile]) -> bool {
        packs.iter().any(|pack| match self.of.get(&name) {
            Some(Home::In(home)) => home == pack,
            Some(Home::Copied) => self.copies.contains(&**pack),
            // What was not needed when the packs were copied is by now. Its other copies were not looked at.
            None => false,
        })
    }
}

struct Work<'a> {
    store: &'a Store,
    progress: &'a Progress,
    by_file: HashMap<PackFile, PackIndex>,
    live: Live,
    done: Collected,
}

impl Work<'_> {
    fn run(&mut self) -> Result<(), CollectError> {
        // What needs no room goes first: on a full store that makes room for the rest.
        let plan = self.done.plan.clone();
        self.round(&plan.delete, &plan.flats)?;
        let mut round = Vec::new();
        let mut copied = 0;
        for file in plan.rewrite {
            copied += self.live_bytes(&file);
            round.push(file);
            if copied >= ROUND_BYTES {
                self.round(&round, &[])?;
                round.clear();
                copied = 0;
            }
        }
        self.round(&round, &[])
    }

    fn live_bytes(&self, file: &str) -> u64 {
        let records = self.by_file.get(file).map_or(&[][..], PackIndex::records);
        let live = records
            .iter()
            .filter(|record| self.live.contains(record.name));
        live.map(|record| u64::from(record.stored_length)).sum()
    }

    /// Copy what is needed of the packs in `files`, and remove them and `flats`.
    fn round(&mut self, files: &[String], flats: &[RootHash]) -> Result<(), CollectError> {
        if files.is_empty() && flats.is_empty() {
            return Ok(());
        }
        let (copied, homes) = self.copy(files)?;
        let Gone {
            packs,
            flats,
            spared,
        } = sweep(
            self.store,
            files,
            flats,
            &self.by_file,
            &homes,
            &mut self.live,
            self.progress,
        )?;
        let freed: u64 = packs.iter().chain(&flats).sum();
        self.done.removed_packs += packs.len() as u64;
        self.done.removed_flats += flats.len() as u64;
        self.done.spared_packs.extend(spared);
        self.done.copied_bytes += copied;
        self.done.freed_bytes = (self.done.freed_bytes + freed).saturating_sub(copied);
        Ok(())
    }

    /// Write again what is needed of `files` and has no sound copy in a pack that stays. Gives the bytes, and where there is
    /// one now.
    fn copy(&mut self, files: &[String]) -> Result<(u64, Homes), CollectError> {
        let doomed: HashSet<&str> = files.iter().map(String::as_str).collect();
        let mut writer = PackWriter::create(self.store.folder())?;
        let mut homes = Homes::default();
        let mut opened = Opened::default();
        for file in files {
            let Some(index) = self.by_file.get(&**file) else {
                continue;
            };
            let mut records: Vec<PackRecord> = index.records().to_vec();
            records.retain(|record| self.live.contains(record.name));
            records.sort_unstable_by_key(|record| record.offset);
            for record in records {
                if self.progress.is_cancelled() {
                    return Err(CollectError::Cancelled);
                }
                self.progress.add_done(record_bytes(record));
                if homes.of.contains_key(&record.name) {
                    continue;
                }
                if let Some(home) = self.sound_elsewhere(record, &doomed, &mut opened)? {
                    homes.of.insert(record.name, Home::In(home));
                // From whichever pack has it sound. If none has, the sweep spares the pack.
                } else if let Some(entry) = self.read(file, record, &mut opened)? {
                    let appended = writer.append(&entry);
                    appended.map_err(|error| self.explain(error))?;
                    homes.of.insert(record.name, Home::Copied);
                }
            }
        }
        let copied = writer.stored_bytes();
        let published = writer.publish_names();
        homes.copies = published
            .map_err(|error| self.explain(error))?
            .into_iter()
            .collect();
        Ok((copied, homes))
    }

    fn read(
        &self,
        file: &str,
        record: PackRecord,
        opened: &mut Opened,
    ) -> Result<Option<Entry>, CollectError> {
        let path = self.store.folder().packs().join(file);
        let entry = opened.entry(&path, record);
        if entry.is_some() {
            return Ok(entry);
        }
        Ok(match self.store.read_chunk(record.name)? {
            Found::Sound(entry, _) => Some(entry),
            Found::Damaged | Found::Absent => None,
        })
    }

    /// A pack that stays and has the chunk sound.
    fn sound_elsewhere(
        &self,
        record: PackRecord,
        doomed: &HashSet<&str>,
        opened: &mut Opened,
    ) -> Result<Option<PackFile>, CollectError> {
        let others = self.store.catalogue().packs_with(record.name)?;
        for file in others.iter().filter(|file| !doomed.contains(&***file)) {
            let Some(index) = self.by_file.get(file) else {
                continue;
            };
            let records = index.records();
            let place = records.partition_point(|other| other.name < record.name);
            let path = self.store.folder().packs().join(&**file);
            if let Some(copy) = records.get(place)
                && copy.name == record.name
                && opened.entry(&path, *copy).is_some()
            {
                return Ok(Some(Arc::clone(file)));
            }
        }
        Ok(None)
    }

    fn explain(&self, error: IoFailure) -> CollectError {
        if !error.is_no_space() {
            return error.into();
        }
        let free_bytes = self.store.free_space().unwrap_or(0);
        let needed = free_bytes.saturating_add(ROUND_BYTES);
        CollectError::NoSpace(NoSpace {
            store: self.store.path().to_owned(),
            free_bytes,
            missing_bytes: needed,
            at_most_bytes: needed,
        })
    }
}

/// The pack that was read last, since most reads are of the same one.
#[derive(Default)]
struct Opened(Option<(std::path::PathBuf, File)>);

impl Opened {
    /// The entry, if it is what its name says.
    fn entry(&mut self, path: &Path, record: PackRecord) -> Option<Entry> {
        if self.0.as_ref().is_none_or(|(open, _)| open != path) {
            self.0 = Some((path.to_owned(), File::open(path).ok()?));
        }
        let (_, file) = self.0.as_ref()?;
        let entry = read_entry(file, u64::from(record.offset)).ok().flatten()?;
        (entry.header.name == record.name && decode(&entry).is_some()).then_some(entry)
    }
}

type Packs = Vec<(PackFile, PackIndex)>;

fn read_packs(folder: &Path) -> Result<(Packs, Vec<String>), IoFailure> {
    let mut files = file_names(folder)?;
    files.retain(|name| is_pack(name));
    files.sort_unstable();
    let (mut packs, mut unusable) = (Vec::new(), Vec::new());
    for file in files {
        let path = folder.join(&file);
        match read_index(&path) {
            Ok(Ok(index)) => packs.push((file.into(), index)),
            Ok(Err(_)) => unusable.push(file),
            // Healed by another process since the listing.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(IoFailure::new("read", &path, error)),
        }
    }
    Ok((packs, unusable))
}

fn record_bytes(record: PackRecord) -> u64 {
    u64::from(record.stored_length) + (ENTRY_HEADER_BYTES + PACK_RECORD_BYTES) as u64
}

/// Bytes that a file takes on the disk; none if it is gone.
fn allocated(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).map_or(0, |found| found.blocks() * 512)
}
