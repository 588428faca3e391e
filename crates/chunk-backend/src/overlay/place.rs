//! An overlay's folder: made whole or not at all, opened by one process, removed whole.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};

use chunk_store::{
    BLOCK_BYTES, LEAF_STATE_BYTES, LIVE_STATES_OFFSET, OverlayHead, SLOT_BYTES, live_header,
};
use uuid::Uuid;

use super::OverlayId;
use super::blocks::leaf_count;
use super::cow::{Files, Live};
use crate::folder::{file_names, sync_folder, write_whole};
use crate::pack_writer::WorkArea;
use crate::{CreateOverlayError, IoFailure, OpenOverlayError, Store};

/// The kernel gives this another value each time the system starts.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The folder of one overlay.
#[derive(Debug, Clone)]
pub(super) struct Place {
    store: Store,
    path: PathBuf,
}

/// A place that is this process's, until it is dropped.
#[derive(Debug)]
pub(super) struct Locked {
    pub(super) place: Place,
    _lock: File,
}

impl Place {
    pub(super) fn new(store: &Store, id: OverlayId) -> Self {
        Self {
            store: store.clone(),
            path: store.folder().overlays().join(id.to_string()),
        }
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// All overlays of a store.
    pub(super) fn list(store: &Store) -> Result<Vec<OverlayId>, IoFailure> {
        let names = match file_names(&store.folder().overlays()) {
            Err(error) if error.source.kind() == io::ErrorKind::NotFound => Vec::new(),
            names => names?,
        };
        let id_of = |name: &String| {
            let id: OverlayId = name.parse().ok()?;
            (id.to_string() == *name).then_some(id)
        };
        let mut ids: Vec<OverlayId> = names.iter().filter_map(id_of).collect();
        ids.sort_unstable_by_key(|id| id.to_bytes());
        Ok(ids)
    }

    /// Make the folder of an overlay that nothing was written to yet.
    pub(super) fn create(&self, head: &OverlayHead) -> Result<Locked, CreateOverlayError> {
        let exists = || CreateOverlayError::AlreadyExists {
            path: self.path.clone(),
        };
        if self.path.exists() {
            return Err(exists());
        }
        let overlays = self.store.folder().overlays();
        match DirBuilder::new().mode(0o700).create(&overlays) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(IoFailure::new("create", &overlays, error).into());
            }
            Ok(()) => sync_folder(self.store.path())?,
            _ => {}
        }
        // Where a writer works that may be killed: then the next writer clears it away.
        let area = WorkArea::create(self.store.folder())?;
        let path = area.file("overlay");
        let fill = || -> io::Result<File> {
            DirBuilder::new().mode(0o700).create(&path)?;
            let lock = File::create_new(path.join("lock"))?;
            lock.lock()?;
            let map_bytes = leaf_count(head.size.div_ceil(BLOCK_BYTES)) * 2 * SLOT_BYTES as u64;
            for (name, bytes) in [("data", head.size), ("map", map_bytes)] {
                let file = File::create_new(path.join(name))?;
                file.set_len(bytes)?;
                file.sync_all()?;
            }
            Ok(lock)
        };
        let lock = fill().map_err(|error| IoFailure::new("create", &path, error))?;
        write_whole(&path.join("head.new"), &path.join("head"), &head.encode())?;
        fs::rename(&path, &self.path).map_err(|error| match error.kind() {
            io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists => exists(),
            _ => IoFailure::new("rename", &self.path, error).into(),
        })?;
        sync_folder(&overlays)?;
        Ok(Locked {
            place: self.clone(),
            _lock: lock,
        })
    }

    fn is_absent(&self) -> bool {
        !self.path.join("head").exists()
    }

    /// What it is. Takes no lock.
    pub(super) fn head(&self, id: OverlayId) -> Result<OverlayHead, OpenOverlayError> {
        let path = self.path.join("head");
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(OpenOverlayError::Unknown {
                    id,
                    store: self.store.path().to_owned(),
                });
            }
            Err(error) => return Err(IoFailure::new("read", &path, error).into()),
        };
        let head = OverlayHead::decode(&bytes).map_err(|source| {
            let path = path.clone();
            OpenOverlayError::UnusableHead { path, source }
        })?;
        if head.id != id.to_bytes() {
            return Err(OpenOverlayError::UnusableHead {
                path,
                source: chunk_store::DecodeHeadError::Damaged,
            });
        }
        Ok(head)
    }

    /// Make it this process's; nobody else can have it then.
    pub(super) fn lock(&self, id: OverlayId) -> Result<Locked, OpenOverlayError> {
        if self.is_absent() {
            return Err(OpenOverlayError::Unknown {
                id,
                store: self.store.path().to_owned(),
            });
        }
        let path = self.path.join("lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|error| IoFailure::new("open", &path, error))?;
        match lock.try_lock() {
            Ok(()) if self.is_absent() => Err(OpenOverlayError::Unknown {
                id,
                store: self.store.path().to_owned(),
            }),
            Ok(()) => Ok(Locked {
                place: self.clone(),
                _lock: lock,
            }),
            Err(fs::TryLockError::WouldBlock) => Err(OpenOverlayError::InUse {
                path: self.path.clone(),
            }),
            Err(fs::TryLockError::Error(error)) => Err(IoFailure::new("lock", &path, error).into()),
        }
    }
}

impl Locked {
    /// Put another head in the place of the one that is there.
    pub(super) fn write_head(&self, head: &OverlayHead) -> Result<(), IoFailure> {
        let path = &self.place.path;
        write_whole(&path.join("head.new"), &path.join("head"), &head.encode())
    }

    /// Its files.
    pub(super) fn files(&self, head: &OverlayHead) -> Result<Files<File>, OpenOverlayError> {
        let leaves = leaf_count(head.size.div_ceil(BLOCK_BYTES));
        Ok(Files {
            data: self.open("data", head.size)?,
            map: self.open("map", leaves * 2 * SLOT_BYTES as u64)?,
            live: self.live(head, leaves)?,
        })
    }

    fn open(&self, name: &str, expected: u64) -> Result<File, OpenOverlayError> {
        let path = self.place.path.join(name);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .map_err(|error| IoFailure::new("open", &path, error))?;
        let metadata = file.metadata();
        let found = metadata
            .map_err(|error| IoFailure::new("read", &path, error))?
            .len();
        if found == expected {
            Ok(file)
        } else {
            Err(OpenOverlayError::WrongLength {
                path,
                found,
                expected,
            })
        }
    }

    fn live(
        &self,
        head: &OverlayHead,
        leaves: u64,
    ) -> Result<Option<Live<File>>, OpenOverlayError> {
        let path = self.place.path.join("live");
        let header = boot().map(|boot| live_header(head.id, boot));
        let size = LIVE_STATES_OFFSET + leaves * LEAF_STATE_BYTES as u64;
        match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => {
                let mut found = [0; 48];
                let is_read = file.read_exact_at(&mut found, 0).is_ok();
                let is_whole = file.metadata().is_ok_and(|found| found.len() == size);
                if is_read && is_whole && header == Some(found) {
                    return Ok(Some(Live::Current(file)));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(IoFailure::new("open", &path, error).into()),
        }
        // Nobody may believe it later, after states were changed that are not in it.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(IoFailure::new("remove", &path, error).into());
            }
            _ => {}
        }
        let make = || -> io::Result<File> {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create_new(true)
                .open(&path)?;
            file.set_len(size)?;
            Ok(file)
        };
        // Where it cannot be made, as on a full disk, the overlay works without: slower, but no less safe.
        Ok(header.and_then(|header| Some(Live::Empty(make().ok()?, header))))
    }

    /// Take the folder away, whole.
    pub(super) fn remove(self) -> Result<(), IoFailure> {
        let area = WorkArea::create(self.place.store.folder())?;
        let path = &self.place.path;
        fs::rename(path, area.file("overlay"))
            .map_err(|error| IoFailure::new("remove", path, error))?;
        sync_folder(&self.place.store.folder().overlays())
    }
}

fn boot() -> Option<[u8; 16]> {
    let text = fs::read_to_string(BOOT_ID).ok()?;
    Some(Uuid::parse_str(text.trim()).ok()?.into_bytes())
}
