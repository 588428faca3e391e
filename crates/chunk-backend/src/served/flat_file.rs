//! The file that a version is served from: opened as it is, or made.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use chunk_store::RootHash;

use crate::folder::Folder;
use crate::manifest::Manifest;
use crate::pack_writer::WorkArea;
use crate::{IoFailure, ReadError};

/// The flat file at `path`, as long as the image, with whatever is in it.
pub(super) fn open(manifest: &Manifest, path: &Path) -> Result<File, ReadError> {
    let file = match open_flat(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => create_flat(manifest, path)?,
        Err(error) => return Err(IoFailure::new("open", path, error).into()),
    };
    let size = manifest.image_size();
    let set_size = || {
        if file.metadata()?.len() == size {
            Ok(())
        } else {
            file.set_len(size)
        }
    };
    set_size().map_err(|error| IoFailure::new("set the size of", path, error))?;
    // Says that it is served from. Where it cannot be said, a collection may remove it, which harms nobody who has it open.
    _ = file.try_lock_shared();
    Ok(file)
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
        // A file system without links. Two processes that start at once might then serve from a file each; both are right.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied
            ) =>
        {
            fs::rename(&beside, path).map_err(|error| IoFailure::new("create", path, error))?;
            Ok(file)
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
    let flats = Folder::roots_in(&store.folder().flats()).ok()?;
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
