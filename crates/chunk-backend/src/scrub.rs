//! The scrub: all that a store keeps is read again, slowly and for ever, and what has rotted is made good at once.
//!
//! A pass reads the root records, then the packs, then the flat files, each in the order of names, in small steps. How far
//! it is stands in `scrub.json`, so that whoever goes on, after a kill or in another process, goes on there. One process
//! scrubs a store at a time. Others import, collect and remove beside it: a file that goes from under a step is no damage.

mod quiet;
mod state;

use std::collections::HashSet;
use std::fs::File;
use std::io;

use chunk_store::{CHUNK_BYTES, ChunkName, DecodePackError, Entry, PackRecord, RootHash};

use crate::catalogue::{Found, decode, is_pack, read_entry, read_index};
use crate::disk::next_data;
use crate::folder::file_names;
use crate::heal::{Damage, heal_found};
use crate::manifest::Manifest;
use crate::verify::{DamagedFlat, DamagedPack, total_bytes};
use crate::{ChunkSource, HealError, IoFailure, MAXIMUM_BATCH_NAMES, Progress, Store, VerifyError};

use quiet::QuietFile;
use state::{Kept, Part};

pub use state::{ScrubPass, ScrubState};

/// Bytes that a step reads, but for a pack with damage, which is read to its end.
const STEP_BYTES: u64 = 1 << 20;
/// The lock of who scrubs.
const LOCK: &str = "scrub";
/// The lock of who wants to scrub at once; who does it in the background then lets go of the other one.
const URGENT_LOCK: &str = "scrub-urgent";
/// A kill costs what was read since the position was kept.
const KEEP_SECONDS: u64 = 30;
/// What nobody could give is asked for again after this.
const ASK_AGAIN_SECONDS: u64 = 20;

/// What a step of a scrub came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScrubStep {
    /// Somebody else scrubs this store now.
    Busy,
    /// No pass is under way.
    Resting,
    /// The pass goes on.
    Working,
    /// The pass ended with this step.
    Finished,
}

/// The scrub of one store, as one process sees it. For one thread.
#[derive(Debug)]
pub struct Scrub {
    store: Store,
    is_urgent: bool,
    locks: Option<Locks>,
    kept: Kept,
    reading: Option<Reading>,
    asked_again_at: u64,
}

/// Held while this process scrubs; released with the files.
#[derive(Debug)]
struct Locks(#[expect(dead_code, reason = "it is held, not read")] Vec<File>);

/// The file that is being read.
#[derive(Debug)]
enum Reading {
    Pack(PackReading),
    Flat(FlatReading),
}

#[derive(Debug)]
struct PackReading {
    file: String,
    quiet: QuietFile,
    /// In the order of the file.
    records: Vec<PackRecord>,
}

#[derive(Debug)]
struct FlatReading {
    root: RootHash,
    quiet: QuietFile,
    manifest: Manifest,
    size: u64,
}

impl Scrub {
    /// The scrub of `store` in the background: it gives way to whoever wants to scrub at once.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn in_background(store: &Store) -> Result<Self, IoFailure> {
        Self::new(store, false)
    }

    /// The scrub of `store` for somebody who waits for it.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn at_once(store: &Store) -> Result<Self, IoFailure> {
        Self::new(store, true)
    }

    fn new(store: &Store, is_urgent: bool) -> Result<Self, IoFailure> {
        Ok(Self {
            store: store.clone(),
            is_urgent,
            locks: None,
            kept: Kept::read(store.folder())?,
            reading: None,
            asked_again_at: 0,
        })
    }

    /// What is known of the scrub, by whoever did it.
    pub fn state(&self) -> &ScrubState {
        &self.kept.state
    }

    /// Begin a pass at `now`, in seconds since 1970, instead of the one that is under way. False if somebody else scrubs.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub fn begin(&mut self, progress: &Progress, now: u64) -> Result<bool, HealError> {
        if !self.take_turn(progress)? {
            return Ok(false);
        }
        self.reading = None;
        self.kept.state.pass = Some(ScrubPass {
            started_at: now,
            total_bytes: total_bytes(&self.store)?,
            ..ScrubPass::default()
        });
        self.kept.place = state::Place::default();
        self.kept.write(self.store.folder(), now)?;
        Ok(true)
    }

    /// Check a little more, and make good what is damaged. `now` is seconds since 1970.
    ///
    /// What is read counts against the rate of `progress`, which also calls the step off.
    ///
    /// # Errors
    /// The store cannot be read or written, or the step was called off. It is as if it had not begun.
    pub fn step(
        &mut self,
        peers: &dyn ChunkSource,
        progress: &Progress,
        now: u64,
    ) -> Result<ScrubStep, HealError> {
        if !self.take_turn(progress)? {
            return Ok(ScrubStep::Busy);
        }
        self.ask_again(peers, progress, now)?;
        let Some(pass) = &self.kept.state.pass else {
            return Ok(ScrubStep::Resting);
        };
        progress.set_total(pass.total_bytes.max(pass.checked_bytes));
        let before = pass.checked_bytes;
        // What an earlier run has read counts.
        progress.set_done(before);
        let is_over = self.check_more(peers, progress, now)?;
        if is_over {
            return Ok(ScrubStep::Finished);
        }
        let checked = self
            .kept
            .state
            .pass
            .as_ref()
            .map_or(0, |pass| pass.checked_bytes);
        let read = checked.saturating_sub(before);
        progress.add_done(read);
        if now >= self.kept.written_at + KEEP_SECONDS {
            self.kept.write(self.store.folder(), now)?;
        }
        progress.give_way(read);
        Ok(ScrubStep::Working)
    }

    /// Ask for what nobody could give, without reading anything else: for a store whose scrub is off.
    ///
    /// # Errors
    /// The store cannot be read or written, or the work was called off.
    pub fn tend(
        &mut self,
        peers: &dyn ChunkSource,
        progress: &Progress,
        now: u64,
    ) -> Result<(), HealError> {
        if self.locks.is_none() {
            self.kept = Kept::read(self.store.folder())?;
        }
        if self.kept.state.is_sound() || !self.take_turn(progress)? {
            return Ok(());
        }
        self.ask_again(peers, progress, now)
    }

    /// Keep the position and let others scrub.
    ///
    /// # Errors
    /// The position could not be kept: whoever goes on reads a little twice.
    pub fn pause(&mut self, now: u64) -> Result<(), IoFailure> {
        self.reading = None;
        let Some(_locks) = self.locks.take() else {
            return Ok(());
        };
        self.kept.write(self.store.folder(), now)
    }

    /// Be the one who scrubs; false if somebody else is. Who does it at once waits.
    fn take_turn(&mut self, progress: &Progress) -> Result<bool, HealError> {
        let folder = self.store.folder().clone();
        if self.locks.is_some() && (self.is_urgent || folder.try_lock(URGENT_LOCK)?.is_some()) {
            return Ok(true);
        }
        if self.locks.is_some() {
            self.pause(self.kept.written_at)?;
            return Ok(false);
        }
        let locks: Vec<File> = if self.is_urgent {
            let is_called_off = || progress.is_cancelled();
            let urgent = folder.lock_unless(URGENT_LOCK, &is_called_off)?;
            let scrub = folder.lock_unless(LOCK, &is_called_off)?;
            urgent.into_iter().chain(scrub).collect()
        } else if folder.try_lock(URGENT_LOCK)?.is_none() {
            Vec::new()
        } else {
            folder.try_lock(LOCK)?.into_iter().collect()
        };
        if self.is_urgent && progress.is_cancelled() {
            return Err(HealError::Cancelled);
        }
        // Whoever had it went on.
        self.kept = Kept::read(&folder)?;
        self.locks = (!locks.is_empty() && !self.kept.is_of_later_format).then_some(Locks(locks));
        Ok(self.locks.is_some())
    }

    /// Ask for what nobody could give; a peer that has it may be back, or somebody has healed it.
    fn ask_again(
        &mut self,
        peers: &dyn ChunkSource,
        progress: &Progress,
        now: u64,
    ) -> Result<(), HealError> {
        let is_due = now >= self.asked_again_at + ASK_AGAIN_SECONDS;
        if self.kept.state.is_sound() || !is_due {
            return Ok(());
        }
        self.asked_again_at = now;
        if !self.may_be_had(peers, progress)? {
            return Ok(());
        }
        let damage = Damage {
            roots: self.kept.state.unhealed_roots.clone(),
            ..Damage::default()
        };
        self.make_good(peers, progress, &damage, 0, now)
    }

    /// Whether a healing could do something now; a look, since a healing walks through all versions.
    fn may_be_had(&self, peers: &dyn ChunkSource, progress: &Progress) -> Result<bool, IoFailure> {
        let state = &self.kept.state;
        let folder = self.store.folder();
        if state
            .affected_roots
            .iter()
            .any(|root| !folder.manifest(*root).exists())
            || state
                .unhealed_roots
                .iter()
                .any(|root| peers.fetch_root(*root, Some(progress)).is_ok())
        {
            return Ok(true);
        }
        for name in &state.unhealed {
            if matches!(self.store.read_chunk(*name)?, Found::Sound(..)) {
                return Ok(true);
            }
        }
        let mut is_given = false;
        let asked = &state.unhealed[..state.unhealed.len().min(MAXIMUM_BATCH_NAMES)];
        // What comes is asked for again, by who writes it.
        _ = peers.fetch(asked, Some(progress), &mut |entry| {
            is_given |= decode(&entry).is_some();
            true
        });
        Ok(is_given)
    }

    /// Check what comes next; true once the pass is over.
    fn check_more(
        &mut self,
        peers: &dyn ChunkSource,
        progress: &Progress,
        now: u64,
    ) -> Result<bool, HealError> {
        loop {
            match self.kept.place.part {
                Part::Roots => {
                    self.check_roots(peers, progress, now)?;
                    self.kept.place.next_part(Part::Packs);
                }
                Part::Packs | Part::Flats => match self.reading.take() {
                    Some(Reading::Pack(reading)) => {
                        return self.check_pack(reading, peers, progress, now);
                    }
                    Some(Reading::Flat(reading)) => {
                        return self.check_flat(reading, peers, progress, now);
                    }
                    None if self.open_next(peers, progress, now)? => {}
                    None if self.kept.place.part == Part::Packs => {
                        self.kept.place.next_part(Part::Flats);
                    }
                    None => {
                        self.finish(peers, progress, now)?;
                        return Ok(true);
                    }
                },
            }
            if progress.is_cancelled() {
                return Err(HealError::Cancelled);
            }
        }
    }

    fn check_roots(
        &mut self,
        peers: &dyn ChunkSource,
        progress: &Progress,
        now: u64,
    ) -> Result<(), HealError> {
        let mut damage = Damage::default();
        for root in self.store.versions()? {
            let path = self.store.folder().manifest(root);
            let is_known = self.kept.state.unhealed_roots.contains(&root);
            if !is_known && self.store.root_record(root)?.is_none() && path.exists() {
                damage.roots.push(root);
            }
        }
        let count = damage.roots.len() as u64;
        if count > 0 {
            self.make_good(peers, progress, &damage, count, now)?;
        }
        Ok(())
    }

    /// Open the file at the position, or the one behind it; false if the part is over.
    fn open_next(
        &mut self,
        peers: &dyn ChunkSource,
        progress: &Progress,
        now: u64,
    ) -> Result<bool, HealError> {
        let place = &self.kept.place;
        let is_packs = place.part == Part::Packs;
        let folder = self.store.folder();
        let names = file_names(&if is_packs {
            folder.packs()
        } else {
            folder.flats()
        })?;
        let is_begun = place.offset > 0;
        let next = names
            .into_iter()
            .filter(|name| {
                if is_packs {
                    is_pack(name)
                } else {
                    name.parse::<RootHash>().is_ok()
                }
            })
            .filter(|name| *name > place.file || (is_begun && *name == place.file))
            .min();
        let Some(name) = next else {
            return Ok(false);
        };
        self.reading = if is_packs {
            let pack = self.open_pack(name.clone(), peers, progress, now)?;
            pack.map(Reading::Pack)
        } else {
            let root = name.parse().ok();
            root.and_then(|root| self.open_flat(root))
                .map(Reading::Flat)
        };
        if self.reading.is_none() {
            self.kept.place.set(&name, 0);
        }
        Ok(true)
    }

    /// `None` if it has gone, is a later release's, or was damaged so that nothing is left to check.
    fn open_pack(
        &mut self,
        file: String,
        peers: &dyn ChunkSource,
        progress: &Progress,
        now: u64,
    ) -> Result<Option<PackReading>, HealError> {
        let path = self.store.folder().packs().join(&file);
        let problem = match read_index(&path) {
            Ok(Ok(index)) => {
                let Ok(quiet) = QuietFile::open(&path) else {
                    return Ok(None);
                };
                let mut records = index.records().to_vec();
                records.sort_unstable_by_key(|record| record.offset);
                return Ok(Some(PackReading {
                    file,
                    quiet,
                    records,
                }));
            }
            Err(error) if is_gone(&error) => return Ok(None),
            Ok(Err(DecodePackError::NewerFormat { .. })) => return Ok(None),
            Ok(Err(problem)) => problem,
            // A sector that cannot be read is damage like any other.
            Err(_) => DecodePackError::DamagedIndex,
        };
        let mut damage = Damage::default();
        damage.packs.push(DamagedPack {
            file,
            damaged: Vec::new(),
            unusable: Some(problem),
        });
        self.make_good(peers, progress, &damage, 1, now)?;
        Ok(None)
    }

    fn check_pack(
        &mut self,
        mut reading: PackReading,
        peers: &dyn ChunkSource,
        progress: &Progress,
        now: u64,
    ) -> Result<bool, HealError> {
        let from = self.kept.place.offset_in(&reading.file);
        let first = reading
            .records
            .partition_point(|record| u64::from(record.offset) < from);
        let mut damaged = Vec::new();
        let mut read = 0;
        let mut next = first;
        for record in &reading.records[first..] {
            // With damage in it the pack is written anew: so find all of it.
            if read >= STEP_BYTES && damaged.is_empty() {
                break;
            }
            if progress.is_cancelled() {
                return Err(HealError::Cancelled);
            }
            let length = (chunk_store::ENTRY_HEADER_BYTES as u64) + u64::from(record.stored_length);
            if !is_sound_in_pack(&mut reading.quiet, record) {
                damaged.push(record.name);
            }
            read += length;
            next += 1;
        }
        reading.quiet.forget();
        let is_through = next >= reading.records.len();
        let end = reading
            .records
            .get(next)
            .map(|record| u64::from(record.offset));
        if !damaged.is_empty() {
            let pack = self.confirmed(DamagedPack {
                file: reading.file.clone(),
                damaged,
                unusable: None,
            });
            let count = pack.damaged.len() as u64;
            if count > 0 {
                let mut damage = Damage::default();
                damage.packs.push(pack);
                self.make_good(peers, progress, &damage, count, now)?;
            }
        }
        self.note_checked(read);
        self.kept.place.set(&reading.file, end.unwrap_or(0));
        if !is_through {
            self.reading = Some(Reading::Pack(reading));
        }
        Ok(false)
    }

    /// Leave out what another process has put right or away in the meantime: a pack that is gone has no damage.
    fn confirmed(&self, mut pack: DamagedPack) -> DamagedPack {
        let path = self.store.folder().packs().join(&pack.file);
        let index = match read_index(&path) {
            Ok(Ok(index)) => index,
            Err(error) if is_gone(&error) => {
                pack.damaged.clear();
                return pack;
            }
            Ok(Err(_)) | Err(_) => return pack,
        };
        let Ok(file) = File::open(&path) else {
            pack.damaged.clear();
            return pack;
        };
        let suspects: HashSet<ChunkName> = pack.damaged.drain(..).collect();
        let records = index.records().iter();
        let still = records
            .filter(|record| suspects.contains(&record.name))
            .filter(|record| {
                let entry = read_entry(&file, u64::from(record.offset)).ok().flatten();
                !entry.is_some_and(|entry| {
                    entry.header.name == record.name && decode(&entry).is_some()
                })
            });
        pack.damaged = still.map(|record| record.name).collect();
        pack
    }

    /// `None` if its version is not here: what nobody can judge is checked when it is served.
    fn open_flat(&self, root: RootHash) -> Option<FlatReading> {
        let manifest = self.store.manifest(root).ok()?;
        let quiet = QuietFile::open(&self.store.folder().flat(root)).ok()?;
        let size = manifest
            .image_size()
            .min(quiet.file().metadata().ok()?.len());
        Some(FlatReading {
            root,
            quiet,
            manifest,
            size,
        })
    }

    fn check_flat(
        &mut self,
        mut reading: FlatReading,
        peers: &dyn ChunkSource,
        progress: &Progress,
        now: u64,
    ) -> Result<bool, HealError> {
        let served = self.store.served(reading.root);
        let chunks = chunk_store::chunk_count(reading.size);
        let file = reading.root.to_string();
        let mut index = self.kept.place.offset_in(&file);
        let mut read = 0;
        let mut damaged = Vec::new();
        let mut hole_end = 0;
        while index < chunks && read < STEP_BYTES {
            if progress.is_cancelled() {
                return Err(HealError::Cancelled);
            }
            let is_ready = served.as_ref().map(|served| served.is_chunk_ready(index));
            if index >= hole_end {
                let data = next_data(reading.quiet.file(), reading.size, index * CHUNK_BYTES);
                hole_end = match data {
                    Ok(None) => chunks,
                    Ok(Some((start, _))) => start / CHUNK_BYTES,
                    Err(_) => index,
                };
            }
            if index < hole_end && is_ready.is_none() {
                // Nobody has read it yet, or it is zeros.
                index = hole_end;
                continue;
            }
            // What a server has not checked is nobody's: it is checked before it is served.
            if is_ready != Some(false)
                && let Ok(name) = reading.manifest.name(index)
                && !(index < hole_end && name.is_zero())
            {
                read += reading.manifest.record().chunk_length(index) as u64;
                let is_damaged = match look_in_flat(&mut reading, index, name) {
                    InFlat::Sound => false,
                    InFlat::Other(_) | InFlat::Unreadable if is_ready.is_some() => true,
                    // Another version's content, in a file that was cloned and is not filled yet: rot makes none such.
                    InFlat::Other(other) => {
                        !other.is_zero() && !self.store.catalogue().contains(other)?
                    }
                    InFlat::Unreadable => true,
                };
                if is_damaged {
                    damaged.push(index);
                }
            }
            index += 1;
        }
        reading.quiet.forget();
        // If it was removed while it was read there is nothing to put right.
        if !damaged.is_empty() && self.store.folder().flat(reading.root).exists() {
            let count = damaged.len() as u64;
            let mut damage = Damage::default();
            let mut is_left = true;
            if let Some(served) = &served {
                // A chunk that nobody can give is not served from the file any more.
                let indexes = damaged.iter();
                is_left = indexes.fold(false, |left, index| {
                    left | served.put_right(*index).is_err()
                });
            } else {
                damage.flats.push(DamagedFlat {
                    root: reading.root,
                    chunks: damaged,
                });
            }
            if is_left {
                self.make_good(peers, progress, &damage, count, now)?;
            } else {
                self.note(count, count);
            }
        }
        self.note_checked(read);
        let is_through = index >= chunks;
        self.kept
            .place
            .set(&file, if is_through { 0 } else { index });
        if !is_through {
            self.reading = Some(Reading::Flat(reading));
        }
        Ok(false)
    }

    /// Every file was read. What no file had is found last: a pack that was lost says nothing.
    fn finish(
        &mut self,
        peers: &dyn ChunkSource,
        progress: &Progress,
        now: u64,
    ) -> Result<(), HealError> {
        self.make_good(peers, progress, &Damage::default(), 0, now)?;
        let state = &mut self.kept.state;
        if let Some(mut pass) = state.pass.take() {
            pass.finished_at = Some(now);
            state.last = Some(pass);
            state.passes += 1;
        }
        self.kept.place = state::Place::default();
        self.kept.write(self.store.folder(), now)?;
        Ok(())
    }

    /// Heal, and note what came of it. `count` is how many were found damaged.
    fn make_good(
        &mut self,
        peers: &dyn ChunkSource,
        progress: &Progress,
        damage: &Damage,
        count: u64,
        now: u64,
    ) -> Result<(), HealError> {
        let healed =
            heal_found(&self.store, peers, progress, damage).map_err(|error| match error {
                HealError::Verify(VerifyError::Cancelled) => HealError::Cancelled,
                error => error,
            })?;
        let state = &mut self.kept.state;
        let known: HashSet<ChunkName> = state
            .unhealed
            .iter()
            .copied()
            .chain(
                damage
                    .packs
                    .iter()
                    .flat_map(|pack| pack.damaged.iter().copied()),
            )
            .collect();
        // What is missing without having been found damaged was in a pack that is gone.
        let vanished = healed
            .missing
            .iter()
            .filter(|name| !known.contains(*name))
            .count() as u64;
        let before = state.outstanding();
        state.unhealed = healed.unhealed;
        state.unhealed_roots = healed.unhealed_roots;
        state.affected_roots = healed.affected_roots;
        let (found, after) = (count + vanished, state.outstanding());
        self.note(found, (before + found).saturating_sub(after));
        if found > 0 || before != after {
            self.kept.write(self.store.folder(), now)?;
        }
        Ok(())
    }

    fn note(&mut self, damaged: u64, healed: u64) {
        let state = &mut self.kept.state;
        state.damaged_chunks += damaged;
        state.healed_chunks += healed;
        if let Some(pass) = &mut state.pass {
            pass.damaged_chunks += damaged;
            pass.healed_chunks += healed;
        }
    }

    fn note_checked(&mut self, bytes: u64) {
        let state = &mut self.kept.state;
        state.checked_bytes += bytes;
        if let Some(pass) = &mut state.pass {
            pass.checked_bytes += bytes;
        }
    }
}

/// A file that somebody removed or replaced under us, also on a server of files.
fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::StaleNetworkFileHandle
    )
}

fn is_sound_in_pack(quiet: &mut QuietFile, record: &PackRecord) -> bool {
    let mut bytes = vec![0; chunk_store::ENTRY_HEADER_BYTES + record.stored_length as usize];
    // A sector that cannot be read is damage too.
    quiet.read(&mut bytes, u64::from(record.offset)).is_ok()
        && matches!(Entry::decode(&bytes), Ok(Some(entry))
            if entry.header.name == record.name && decode(&entry).is_some())
}

/// What a flat file has where a chunk should be.
#[derive(Debug, PartialEq, Eq)]
enum InFlat {
    Sound,
    Other(ChunkName),
    Unreadable,
}

fn look_in_flat(reading: &mut FlatReading, index: u64, name: ChunkName) -> InFlat {
    let mut buffer = vec![0; reading.manifest.record().chunk_length(index)];
    let mut found = InFlat::Unreadable;
    // Again, because a process that serves the version may have been writing this very chunk.
    for _ in 0..3 {
        if reading
            .quiet
            .read(&mut buffer, index * CHUNK_BYTES)
            .is_err()
        {
            continue;
        }
        let this = ChunkName::of(&buffer);
        if this == name {
            return InFlat::Sound;
        }
        found = InFlat::Other(this);
    }
    found
}
