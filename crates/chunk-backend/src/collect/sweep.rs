//! The moment in which packs go: short, and while no writer lives.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use chunk_store::{PackIndex, RootHash};

use super::live::Live;
use super::{Homes, allocated, record_bytes};
use crate::catalogue::PackFile;
use crate::folder::{mark_changed, sync_folder};
use crate::pack_writer::{Writers, shut_out_writers};
use crate::{CollectError, IoFailure, Progress, Store};

/// So often it lets writers begin again, because versions came while it waited for those before.
const MOST_WALKS: usize = 5;

/// What a sweep did.
#[derive(Debug, Default)]
pub(super) struct Gone {
    /// Bytes of each pack that is gone.
    pub(super) packs: Vec<u64>,
    /// Bytes of each flat file that is gone.
    pub(super) flats: Vec<u64>,
    /// Packs that had to stay.
    pub(super) spared: Vec<String>,
}

/// Remove packs, all of whose needed chunks are safe in their `homes`, and flat files that nobody serves from.
pub(super) fn sweep(
    store: &Store,
    files: &[String],
    flats: &[RootHash],
    by_file: &HashMap<PackFile, PackIndex>,
    homes: &Homes,
    live: &mut Live,
    progress: &Progress,
) -> Result<Gone, CollectError> {
    // What came since, and what is published while writers are waited for, is walked before others have to wait.
    let mut walks = 0;
    let _nobody_writes = loop {
        live.walk_all(store, progress)?;
        let nobody_writes = wait_for_writers(store, progress)?;
        walks += 1;
        if walks >= MOST_WALKS || live.has_walked(&store.versions()?) {
            break nobody_writes;
        }
    };
    // Whoever was writing has published by now, and whoever begins looks at the packs that are left.
    live.walk_all(store, progress)?;
    store.catalogue().refresh()?;
    // That a version was removed is seen at once, and safe on the disk a moment later. It must be before its chunks go: else a
    // power cut brings it back without them.
    sync_folder(&store.folder().manifests())?;
    let mut gone = Gone::default();
    for file in files.iter().filter(|file| !homes.copies.contains(*file)) {
        let Some(index) = by_file.get(&**file) else {
            continue;
        };
        let mut is_needed = false;
        for record in index.records() {
            if !live.contains(record.name) {
                progress.add_done(record_bytes(*record));
                continue;
            }
            let packs = store.catalogue().packs_with(record.name)?;
            is_needed |= !homes.is_safe(record.name, &packs);
        }
        let path = store.folder().packs().join(file);
        if is_needed {
            gone.spared.push(file.clone());
        } else {
            gone.packs.extend(remove(&path)?);
        }
    }
    if !gone.packs.is_empty() {
        sync_folder(&store.folder().packs())?;
        mark_changed(&store.folder().packs());
        store.catalogue().refresh()?;
    }
    for root in flats {
        let path = store.folder().flat(*root);
        let is_wanted_now = store.folder().manifest(*root).exists();
        progress.add_done(allocated(&path));
        if !is_wanted_now && !is_served(&path) {
            gone.flats.extend(remove(&path)?);
        }
    }
    Ok(gone)
}

/// Wait until nobody writes, and let nobody begin as long as what is given lives.
fn wait_for_writers(store: &Store, progress: &Progress) -> Result<(File, File), CollectError> {
    loop {
        if progress.is_cancelled() {
            progress.set_awaited(0);
            return Err(CollectError::Cancelled);
        }
        // Not only while it writes: a healing counts on copies that it saw.
        if let Some(healing) = store.folder().try_lock("heal")? {
            match shut_out_writers(store.folder())? {
                Writers::ShutOut(lock) => {
                    progress.set_awaited(0);
                    return Ok((healing, lock));
                }
                Writers::Alive(count) => progress.set_awaited(count),
            }
        } else {
            progress.set_awaited(1);
        }
        progress.rest();
    }
}

/// True if a process holds the flat file to serve from it, or that cannot be found out.
fn is_served(path: &Path) -> bool {
    // For writing, because network file systems lock nothing exclusively otherwise.
    match OpenOptions::new().write(true).open(path) {
        Ok(file) => file.try_lock().is_err(),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

/// Remove a file, and give the bytes that it took.
fn remove(path: &Path) -> Result<Option<u64>, IoFailure> {
    let bytes = allocated(path);
    match fs::remove_file(path) {
        Ok(()) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(IoFailure::new("remove", path, error)),
    }
}
