//! The store: a folder with packs, manifests, flat files and unfinished work.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use chunk_store::{ChunkName, Entry, RootHash, RootRecord};
use uuid::Uuid;

use crate::catalogue::{Catalogue, Found};
use crate::folder::{Folder, remove_if_there, sync_folder, write_whole};
use crate::manifest::PageCache;
use crate::{
    ChunkSource, CollectError, Collected, CollectionPlan, CreateError, Difference, DiskSource,
    FolderError, HealError, HealReport, ImportError, Imported, IoFailure, Manifest, NoPeers,
    OpenError, Overlay, Progress, ReadError, ReplicateError, Replicated, SealError, Sealed,
    ServedVersion, VerifyError, VerifyReport,
};

/// The store format that this code reads and writes.
pub const STORE_FORMAT: u64 = 1;

macro_rules! id_type {
    ($(#[$documentation:meta])* $name:ident) => {
        $(#[$documentation])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// The id with these bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// Its bytes.
            pub const fn to_bytes(self) -> [u8; 16] {
                self.0.into_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                text.parse().map(Self)
            }
        }
    };
}

id_type! {
    /// Which farm a store belongs to.
    FarmId
}

id_type! {
    /// Which store a folder is, wherever it is mounted.
    StoreId
}

id_type! {
    /// Which overlay of a store.
    OverlayId
}

/// `store.json`.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Description {
    format: u64,
    farm: FarmId,
    store: StoreId,
}

/// A store. Clones are the same store; any thread may use it, and several processes may use one folder at a time.
#[derive(Debug, Clone)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: Folder,
    id: StoreId,
    farm: FarmId,
    catalogue: Catalogue,
    pages: PageCache,
    served: Mutex<HashMap<RootHash, Weak<ServedVersion>>>,
}

impl Store {
    /// Make a store for `farm` of the folder `path`, which must be empty or not exist.
    ///
    /// # Errors
    /// The folder is in use, or cannot be written.
    pub fn create(path: &Path, farm: FarmId) -> Result<Self, CreateError> {
        let folder = Folder {
            path: path.to_owned(),
        };
        fs::create_dir_all(path).map_err(|error| IoFailure::new("create", path, error))?;
        match read_description(&folder) {
            Ok(found) => {
                return Err(CreateError::AlreadyAStore {
                    path: path.to_owned(),
                    farm: found.farm,
                });
            }
            Err(OpenError::NotAStore { .. }) => {}
            // A store that cannot be opened is somebody's all the same.
            Err(_) => {
                return Err(CreateError::NotEmpty {
                    path: path.to_owned(),
                });
            }
        }
        refuse_strange_content(&folder)?;
        for part in Folder::PARTS {
            let part = path.join(part);
            match create_private(&part) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(IoFailure::new("create", &part, error).into());
                }
                _ => {}
            }
        }
        // Last, because it is what makes the folder a store; under a lock, because two may create at once.
        let _creation = folder.lock("creation")?;
        if let Ok(found) = read_description(&folder) {
            return Err(CreateError::AlreadyAStore {
                path: path.to_owned(),
                farm: found.farm,
            });
        }
        let description = Description {
            format: STORE_FORMAT,
            farm,
            store: StoreId(Uuid::new_v4()),
        };
        let text = serde_json::to_string(&description).map_err(io::Error::from);
        let text = text.map_err(|error| IoFailure::new("write", path, error))? + "\n";
        write_whole(
            &folder.incoming().join("store.json"),
            &folder.description(),
            text.as_bytes(),
        )?;
        Ok(Self::assemble(folder, &description))
    }

    /// Open the store of `farm` in the folder `path`.
    ///
    /// # Errors
    /// It is no store, another farm's, of a later format, or cannot be read.
    pub fn open(path: &Path, farm: FarmId) -> Result<Self, OpenError> {
        let store = Self::open_to_read(path, farm)?;
        // A folder of the layout that a copy or a restore left out was empty, or is missed when it is needed.
        for part in Folder::PARTS {
            let part = path.join(part);
            match create_private(&part) {
                Err(error) if !part.is_dir() => {
                    return Err(FolderError::Io(IoFailure::new("create", &part, error)).into());
                }
                _ => {}
            }
        }
        Ok(store)
    }

    /// Open the store of `farm` in the folder `path` without writing anything, such as one on a medium that was carried and
    /// may be mounted to be read only. It gives chunks and versions; whatever has to write fails there.
    ///
    /// # Errors
    /// It is no store, another farm's, of a later format, or cannot be read.
    pub fn open_to_read(path: &Path, farm: FarmId) -> Result<Self, OpenError> {
        let folder = Folder {
            path: path.to_owned(),
        };
        let description = read_description(&folder)?;
        if description.farm == farm {
            Ok(Self::assemble(folder, &description))
        } else {
            Err(OpenError::OtherFarm {
                path: path.to_owned(),
                found: description.farm,
                expected: farm,
            })
        }
    }

    fn assemble(folder: Folder, description: &Description) -> Self {
        let catalogue = Catalogue::new(folder.packs());
        Self(Arc::new(Inner {
            folder,
            id: description.store,
            farm: description.farm,
            catalogue,
            pages: PageCache::default(),
            served: Mutex::default(),
        }))
    }

    pub(crate) fn folder(&self) -> &Folder {
        &self.0.folder
    }

    pub(crate) fn catalogue(&self) -> &Catalogue {
        &self.0.catalogue
    }

    pub(crate) fn pages(&self) -> &PageCache {
        &self.0.pages
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.0.folder.path
    }

    /// Which store it is.
    pub fn id(&self) -> StoreId {
        self.0.id
    }

    /// Which farm it belongs to.
    pub fn farm(&self) -> FarmId {
        self.0.farm
    }

    /// Bytes free on the file system for this process. What it holds open of packs that are gone is let go before.
    ///
    /// # Errors
    /// The file system cannot be asked.
    pub fn free_space(&self) -> Result<u64, IoFailure> {
        self.0.catalogue.let_go()?;
        self.file_system()
            .map(|found| found.f_bavail.saturating_mul(found.f_frsize))
    }

    /// Bytes of the file system, used ones included.
    ///
    /// # Errors
    /// The file system cannot be asked.
    pub fn capacity(&self) -> Result<u64, IoFailure> {
        self.file_system()
            .map(|found| found.f_blocks.saturating_mul(found.f_frsize))
    }

    fn file_system(&self) -> Result<rustix::fs::StatVfs, IoFailure> {
        rustix::fs::statvfs(self.path())
            .map_err(|error| IoFailure::new("ask for the space of", self.path(), error))
    }

    /// Cut `source` into chunks, keep those that are new, and publish the version they make.
    ///
    /// Several imports may run at once, here and in other processes. What a killed one left is taken over, so that
    /// importing the same source again goes on where it was.
    ///
    /// # Errors
    /// In every case nothing is published, and nothing that was written for it stays.
    pub fn import(
        &self,
        source: &mut dyn DiskSource,
        progress: &Progress,
    ) -> Result<Imported, ImportError> {
        crate::import::import(self, source, progress)
    }

    /// Make a version of what `overlay`, which is in this store, holds. Only chunks that were written to are read; all other
    /// names are taken from the version below it. The overlay takes no changes from the beginning on.
    ///
    /// # Errors
    /// The overlay may be written to again, if it was not sealed before.
    pub fn seal(&self, overlay: &Overlay, progress: &Progress) -> Result<Sealed, SealError> {
        crate::overlay::seal(self, overlay, progress)
    }

    /// True if the version is here, complete.
    pub fn holds(&self, root: RootHash) -> bool {
        matches!(self.root_record(root), Ok(Some(_)))
    }

    /// All versions that are here.
    ///
    /// # Errors
    /// The folder cannot be listed.
    pub fn versions(&self) -> Result<Vec<RootHash>, IoFailure> {
        Folder::roots_in(&self.0.folder.manifests())
    }

    /// The bytes of a root record, checked against `root`; `None` if the version is not here, or the record is damaged.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn root_record(&self, root: RootHash) -> Result<Option<Vec<u8>>, IoFailure> {
        let path = self.0.folder.manifest(root);
        match fs::read(&path) {
            Ok(bytes) => Ok((RootRecord::hash_bytes(&bytes) == root).then_some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(IoFailure::new("read", &path, error)),
        }
    }

    /// The manifest of a version that is here.
    ///
    /// # Errors
    /// It is not here, or its root record is damaged.
    pub fn manifest(&self, root: RootHash) -> Result<Manifest, ReadError> {
        Manifest::open(self, root, Arc::new(NoPeers))
    }

    /// What changed from the version `old` to the version `new`, both here.
    ///
    /// # Errors
    /// One is not here, or a page that differs cannot be read.
    pub fn difference(&self, old: RootHash, new: RootHash) -> Result<Difference, ReadError> {
        crate::manifest::difference(&self.manifest(old)?, &self.manifest(new)?)
    }

    /// Read everything and check it against its name: packs, root records, manifests, flat files.
    ///
    /// # Errors
    /// The folder cannot be listed, or the verification was cancelled. Damage is not an error but in the report.
    pub fn verify(&self, progress: &Progress) -> Result<VerifyReport, VerifyError> {
        crate::verify::verify(self, progress)
    }

    /// Verify, and make good what can be made good from other copies and from `peers`.
    ///
    /// # Errors
    /// The store cannot be read or written, or the healing was cancelled.
    pub fn heal(
        &self,
        peers: &dyn ChunkSource,
        progress: &Progress,
    ) -> Result<HealReport, HealError> {
        crate::heal::heal(self, peers, progress)
    }

    /// Find out what a collection would free, and change nothing. All versions that are here are kept; `named` are those that
    /// the caller knows of, here or not.
    ///
    /// # Errors
    /// What is needed cannot be found out, because something is damaged.
    pub fn plan_collection(&self, named: &[RootHash]) -> Result<CollectionPlan, CollectError> {
        crate::collect::plan(self, named)
    }

    /// Free what no version needs. It is looked at again what that is; of `plan` it is taken what the caller named. Packs go
    /// only while nobody writes: it waits for those who do, and others begin a moment later.
    ///
    /// # Errors
    /// Nothing that a version needs is gone, and what became free is free.
    pub fn collect(
        &self,
        plan: &CollectionPlan,
        progress: &Progress,
    ) -> Result<Collected, CollectError> {
        crate::collect::collect(self, plan, progress)
    }

    /// Fetch what is missing of the version `root` from `peers`, and publish it when it is complete.
    ///
    /// # Errors
    /// The version is not complete; what was fetched stays, so that the next call fetches only the rest.
    pub fn replicate(
        &self,
        root: RootHash,
        peers: &dyn ChunkSource,
        progress: &Progress,
    ) -> Result<Replicated, ReplicateError> {
        crate::replicate::replicate(self, root, peers, progress)
    }

    /// Serve a version. It need not be complete, or here at all, if `peers` have it: what is missing is fetched when it is
    /// read. Serving one that is served already gives the same [`ServedVersion`], which asks the new `peers` from then on.
    ///
    /// # Errors
    /// Nobody has its root record, or the flat file cannot be made.
    pub fn serve(
        &self,
        root: RootHash,
        peers: Arc<dyn ChunkSource>,
    ) -> Result<Arc<ServedVersion>, ReadError> {
        if let Some(version) = self.served(root) {
            version.set_peers(peers);
            return Ok(version);
        }
        // Without the lock: a peer may take its time to give the root record, and other versions are served meanwhile.
        let version = Arc::new(ServedVersion::open(self, root, Arc::clone(&peers))?);
        let mut served = self.0.served.lock().unwrap_or_else(PoisonError::into_inner);
        served.retain(|_, version| version.strong_count() > 0);
        if let Some(faster) = served.get(&root).and_then(Weak::upgrade) {
            faster.set_peers(peers);
            return Ok(faster);
        }
        served.insert(root, Arc::downgrade(&version));
        Ok(version)
    }

    pub(crate) fn served(&self, root: RootHash) -> Option<Arc<ServedVersion>> {
        let served = self.0.served.lock().unwrap_or_else(PoisonError::into_inner);
        served.get(&root).and_then(Weak::upgrade)
    }

    /// Forget a version: its manifest and its flat file. Who reads it at the moment keeps the open file. Its chunks stay
    /// until a collection finds that no version needs them.
    ///
    /// # Errors
    /// A file cannot be removed.
    pub fn remove_version(&self, root: RootHash) -> Result<(), IoFailure> {
        self.0
            .served
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&root);
        let folder = &self.0.folder;
        for path in [
            folder.manifest(root),
            folder.incomplete(root),
            folder.flat(root),
        ] {
            remove_if_there(&path)?;
        }
        sync_folder(&self.0.folder.manifests())
    }

    /// A chunk (or page) as packs keep it, checked against its name; `None` if no sound copy is here.
    ///
    /// # Errors
    /// The packs cannot be listed.
    pub fn entry(&self, name: ChunkName) -> Result<Option<Entry>, IoFailure> {
        Ok(match self.read_chunk(name)? {
            Found::Sound(entry, _) => Some(entry),
            Found::Damaged | Found::Absent => None,
        })
    }

    /// [`Catalogue::read`], with the packs listed again if the chunk is not found at first.
    pub(crate) fn read_chunk(&self, name: ChunkName) -> Result<Found, IoFailure> {
        match self.0.catalogue.read(name)? {
            found @ Found::Sound(..) => Ok(found),
            Found::Damaged | Found::Absent => {
                self.0.catalogue.refresh_if_changed()?;
                self.0.catalogue.read(name)
            }
        }
    }

    /// Publish a version whose pages and chunks are all in packs. `beside` is a free path on the same file system.
    pub(crate) fn publish_root(
        &self,
        root: RootHash,
        record: &[u8],
        beside: &Path,
    ) -> Result<(), IoFailure> {
        write_whole(beside, &self.0.folder.manifest(root), record)
    }
}

fn read_description(folder: &Folder) -> Result<Description, OpenError> {
    let path = folder.description();
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Err(OpenError::NotAStore {
                path: folder.path.clone(),
            });
        }
        Err(error) => return Err(FolderError::Io(IoFailure::new("read", &path, error)).into()),
    };
    let damaged = |error: serde_json::Error| -> OpenError {
        FolderError::DamagedDescription {
            path: path.clone(),
            reason: error.to_string(),
        }
        .into()
    };
    // The format first: a later one may have other fields, and its number is what tells.
    let value: serde_json::Value = serde_json::from_str(&text).map_err(damaged)?;
    match value.get("format").and_then(serde_json::Value::as_u64) {
        Some(found) if found != STORE_FORMAT => Err(OpenError::NewerFormat {
            path: folder.path.clone(),
            found,
        }),
        _ => serde_json::from_value(value).map_err(damaged),
    }
}

/// Refuse a folder with anything in it but what a creation that was killed may have left.
fn refuse_strange_content(folder: &Folder) -> Result<(), CreateError> {
    let not_empty = || CreateError::NotEmpty {
        path: folder.path.clone(),
    };
    let list = |path: &PathBuf| -> Result<Vec<fs::DirEntry>, IoFailure> {
        let entries = fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        entries.map_err(|error| IoFailure::new("list", path, error))
    };
    for entry in list(&folder.path)? {
        let name = entry.file_name();
        // A file system's own folder, on a disk that is mounted as the store.
        if name == "lost+found" {
            continue;
        }
        if !Folder::PARTS.iter().any(|part| name == *part) {
            return Err(not_empty());
        }
        let is_ours = |inner: &fs::DirEntry| {
            inner.file_name() == "store.json" || inner.file_name() == "creation"
        };
        if !list(&entry.path())?.iter().all(is_ours) {
            return Err(not_empty());
        }
    }
    Ok(())
}

/// Make a folder that only this user may look into: images hold whatever their disks held.
fn create_private(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(path)
}
