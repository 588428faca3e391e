//! The layout of a store's folder, and the few ways in which its files are locked and replaced.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chunk_store::RootHash;
use uuid::Uuid;

use crate::IoFailure;

/// How often a wait for a lock looks whether it was called off.
const LOOK: Duration = Duration::from_millis(100);
/// What the root record's name ends with as long as the version is not complete.
const INCOMPLETE: &str = ".incomplete";

/// The paths of a store.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
}

impl Folder {
    pub(crate) const PARTS: [&'static str; 5] = ["packs", "manifests", "flat", "incoming", "locks"];

    pub(crate) fn description(&self) -> PathBuf {
        self.path.join("store.json")
    }

    pub(crate) fn packs(&self) -> PathBuf {
        self.path.join("packs")
    }

    pub(crate) fn manifests(&self) -> PathBuf {
        self.path.join("manifests")
    }

    pub(crate) fn manifest(&self, root: RootHash) -> PathBuf {
        self.manifests().join(root.to_string())
    }

    /// The root record of a version of which a part is here.
    pub(crate) fn incomplete(&self, root: RootHash) -> PathBuf {
        self.manifests().join(format!("{root}{INCOMPLETE}"))
    }

    pub(crate) fn incomplete_roots(&self) -> Result<Vec<RootHash>, IoFailure> {
        let names = file_names(&self.manifests())?;
        let roots = names
            .iter()
            .filter_map(|name| name.strip_suffix(INCOMPLETE));
        let mut roots: Vec<RootHash> = roots.filter_map(|root| root.parse().ok()).collect();
        roots.sort_unstable();
        Ok(roots)
    }

    pub(crate) fn flats(&self) -> PathBuf {
        self.path.join("flat")
    }

    pub(crate) fn flat(&self, root: RootHash) -> PathBuf {
        self.flats().join(root.to_string())
    }

    pub(crate) fn incoming(&self) -> PathBuf {
        self.path.join("incoming")
    }

    /// How far the scrub is; made with the first one.
    pub(crate) fn scrub(&self) -> PathBuf {
        self.path.join("scrub.json")
    }

    /// Made with the first overlay.
    pub(crate) fn overlays(&self) -> PathBuf {
        self.path.join("overlays")
    }

    /// Take the lock `name`, waiting for whoever has it. It is released with the file, so a killed process holds none.
    pub(crate) fn lock(&self, name: &str) -> Result<File, IoFailure> {
        let (path, file) = self.lock_file(name)?;
        file.lock()
            .map_err(|error| IoFailure::new("lock", &path, error))?;
        Ok(file)
    }

    /// [`Folder::lock`], or `None` if somebody has it.
    pub(crate) fn try_lock(&self, name: &str) -> Result<Option<File>, IoFailure> {
        let (path, file) = self.lock_file(name)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(IoFailure::new("lock", &path, error)),
        }
    }

    fn lock_file(&self, name: &str) -> Result<(PathBuf, File), IoFailure> {
        let path = self.path.join("locks").join(name);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path);
        let file = file.map_err(|error| IoFailure::new("open", &path, error))?;
        Ok((path, file))
    }

    /// [`Folder::lock`], or `None` once the wait for it is called off.
    pub(crate) fn lock_unless(
        &self,
        name: &str,
        is_called_off: &dyn Fn() -> bool,
    ) -> Result<Option<File>, IoFailure> {
        while !is_called_off() {
            if let Some(file) = self.try_lock(name)? {
                return Ok(Some(file));
            }
            std::thread::park_timeout(LOOK);
        }
        Ok(None)
    }

    /// The names in one of the store's folders that are roots.
    pub(crate) fn roots_in(folder: &Path) -> Result<Vec<RootHash>, IoFailure> {
        let names = file_names(folder)?;
        let mut roots: Vec<RootHash> = names.iter().filter_map(|name| name.parse().ok()).collect();
        roots.sort_unstable();
        Ok(roots)
    }
}

/// The content of a file; `None` if it is not there.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, IoFailure> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(IoFailure::new("read", path, error)),
    }
}

/// Remove a file; one that is not there is no error.
pub(crate) fn remove_if_there(path: &Path) -> Result<(), IoFailure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(IoFailure::new("remove", path, error))
        }
        _ => Ok(()),
    }
}

/// The names in `folder`. Names that are not UTF-8 are none of ours and left out.
pub(crate) fn file_names(folder: &Path) -> Result<Vec<String>, IoFailure> {
    let list = || -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(folder)? {
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    };
    list().map_err(|error| IoFailure::new("list", folder, error))
}

/// Give `folder` a time of change that it never had, so that who knows the old one sees that there is something new. The
/// kernel's own times are some milliseconds apart on many systems: two changes in one of them look like one.
pub(crate) fn mark_changed(folder: &Path) {
    use rustix::fs::{Timespec, Timestamps, UTIME_OMIT};
    let mark = || -> io::Result<()> {
        let opened = File::open(folder)?;
        let (nanoseconds, _) = Uuid::new_v4().as_u64_pair();
        let times = Timestamps {
            last_access: Timespec {
                tv_sec: 0,
                tv_nsec: UTIME_OMIT,
            },
            last_modification: Timespec {
                tv_sec: opened.metadata()?.mtime(),
                tv_nsec: (nanoseconds % 1_000_000_000).try_into().unwrap_or(0),
            },
        };
        Ok(rustix::fs::futimens(&opened, &times)?)
    };
    // Only the folder's owner may. Then the kernel's times must do: a chunk may be found some milliseconds later.
    _ = mark();
}

/// Make the names in `folder` durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), IoFailure> {
    File::open(folder)
        .and_then(|file| file.sync_all())
        .map_err(|error| IoFailure::new("sync", folder, error))
}

/// Give `path` the content `bytes` so that it has all of them or does not change: written to `beside` (on the same file
/// system), synced, renamed.
pub(crate) fn write_whole(beside: &Path, path: &Path, bytes: &[u8]) -> Result<(), IoFailure> {
    let write = || -> io::Result<()> {
        let mut file = File::create(beside)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|error| IoFailure::new("write", beside, error))?;
    fs::rename(beside, path).map_err(|error| IoFailure::new("rename", path, error))?;
    path.parent().map_or(Ok(()), sync_folder)
}
