//! The store: a folder with packs, manifests, flat files and unfinished work.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use chunk_store::RootHash;
use uuid::Uuid;

use crate::{
    ChunkSource, CreateError, Difference, DiskSource, HealError, HealReport, ImportError, Imported,
    IoFailure, Manifest, OpenError, Progress, ReadError, ReplicateError, Replicated, ServedVersion,
    VerifyError, VerifyReport,
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

/// A store. Clones are the same store; any thread may use it, and several processes may use one folder at a time.
#[derive(Debug, Clone)]
pub struct Store;

#[expect(
    unused_variables,
    clippy::todo,
    clippy::missing_errors_doc,
    clippy::needless_pass_by_value,
    clippy::unused_self
)]
impl Store {
    pub fn create(path: &Path, farm: FarmId) -> Result<Self, CreateError> {
        todo!()
    }
    pub fn open(path: &Path, farm: FarmId) -> Result<Self, OpenError> {
        todo!()
    }
    pub fn path(&self) -> &Path {
        todo!()
    }
    pub fn id(&self) -> StoreId {
        todo!()
    }
    pub fn farm(&self) -> FarmId {
        todo!()
    }
    /// Bytes free for Corral on the file system, now.
    pub fn free_space(&self) -> Result<u64, IoFailure> {
        todo!()
    }
    /// Bytes of the file system, used ones included.
    pub fn capacity(&self) -> Result<u64, IoFailure> {
        todo!()
    }
    pub fn import(
        &self,
        source: &mut dyn DiskSource,
        progress: &Progress,
    ) -> Result<Imported, ImportError> {
        todo!()
    }
    pub fn holds(&self, root: RootHash) -> bool {
        todo!()
    }
    pub fn versions(&self) -> Result<Vec<RootHash>, IoFailure> {
        todo!()
    }
    pub fn manifest(&self, root: RootHash) -> Result<Manifest, ReadError> {
        todo!()
    }
    pub fn difference(&self, old: RootHash, new: RootHash) -> Result<Difference, ReadError> {
        todo!()
    }
    pub fn verify(&self, progress: &Progress) -> Result<VerifyReport, VerifyError> {
        todo!()
    }
    pub fn heal(
        &self,
        peers: &dyn ChunkSource,
        progress: &Progress,
    ) -> Result<HealReport, HealError> {
        todo!()
    }
    pub fn replicate(
        &self,
        root: RootHash,
        peers: &dyn ChunkSource,
        progress: &Progress,
    ) -> Result<Replicated, ReplicateError> {
        todo!()
    }
    pub fn serve(
        &self,
        root: RootHash,
        peers: Arc<dyn ChunkSource>,
    ) -> Result<Arc<ServedVersion>, ReadError> {
        todo!()
    }
    pub fn remove_version(&self, root: RootHash) -> Result<(), IoFailure> {
        todo!()
    }
    /// A chunk (or page) as packs keep it, checked against its name; `None` if there is no sound copy here.
    pub fn entry(
        &self,
        name: chunk_store::ChunkName,
    ) -> Result<Option<chunk_store::Entry>, IoFailure> {
        todo!()
    }
    /// The bytes of a root record, checked; `None` if the version is not here.
    pub fn root_record(&self, root: RootHash) -> Result<Option<Vec<u8>>, IoFailure> {
        todo!()
    }
}
