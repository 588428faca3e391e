//! What is served: named versions.

use std::collections::HashMap;
use std::fs::File;
use std::ops::ControlFlow;
use std::sync::Arc;

use chunk_backend::{Extent, ServedVersion};
use chunk_store::RootHash;

use crate::residency::Residency;

/// Why a version's bytes cannot be had now.
pub type VersionError = Box<dyn std::error::Error + Send + Sync>;

/// An image version whose bytes become readable in a flat file, chunk by chunk. What the server needs of the store.
pub trait Version: Send + Sync + 'static {
    /// The identity of the version.
    fn root(&self) -> RootHash;

    /// Its size.
    fn size_bytes(&self) -> u64;

    /// Whether the range can be read from the file as it is. Does not block.
    fn is_ready(&self, offset: u64, length: u32) -> bool;

    /// Makes the range readable from the file. Blocks.
    ///
    /// # Errors
    /// If no disk and no peer has the bytes, verified.
    fn make_ready(&self, offset: u64, length: u32) -> Result<(), VersionError>;

    /// The flat file. Only ready ranges of it may be read.
    fn file(&self) -> &File;

    /// Visits the extents of the range in order, neighbours merged, until told to break. May block.
    ///
    /// # Errors
    /// If the version's manifest cannot be read.
    fn extents(
        &self,
        offset: u64,
        length: u64,
        visit: &mut dyn FnMut(Extent) -> ControlFlow<()>,
    ) -> Result<(), VersionError>;
}

impl Version for ServedVersion {
    fn root(&self) -> RootHash {
        self.root()
    }

    fn size_bytes(&self) -> u64 {
        self.size()
    }

    fn is_ready(&self, offset: u64, length: u32) -> bool {
        self.is_ready(offset, length)
    }

    fn make_ready(&self, offset: u64, length: u32) -> Result<(), VersionError> {
        Ok(self.make_ready(offset, length)?)
    }

    fn file(&self) -> &File {
        self.file()
    }

    fn extents(
        &self,
        offset: u64,
        length: u64,
        visit: &mut dyn FnMut(Extent) -> ControlFlow<()>,
    ) -> Result<(), VersionError> {
        Ok(self.extents(offset, length, visit)?)
    }
}

/// A version under the name that clients ask for.
#[derive(Clone)]
pub struct Export {
    /// `image/number`.
    pub name: String,
    /// What is behind it.
    pub version: Arc<dyn Version>,
}

/// An export with what the server keeps beside it.
pub(crate) struct OpenExport {
    pub(crate) name: String,
    pub(crate) root: RootHash,
    pub(crate) version: Arc<dyn Version>,
    pub(crate) residency: Residency,
}

/// The exports of a moment. Replaced as a whole.
#[derive(Default)]
pub(crate) struct ExportTable {
    by_name: HashMap<String, Arc<OpenExport>>,
}

impl ExportTable {
    /// The table of these exports; one that `self` has already is kept as it is.
    pub(crate) fn replaced_by(&self, exports: Vec<Export>) -> Self {
        let by_name = exports
            .into_iter()
            .map(|export| {
                let root = export.version.root();
                let known = self.by_name.get(&export.name);
                let known = known.filter(|known| Arc::ptr_eq(&known.version, &export.version));
                let open = known.cloned().unwrap_or_else(|| {
                    let residency =
                        Residency::of(export.version.file(), export.version.size_bytes());
                    Arc::new(OpenExport {
                        name: export.name.clone(),
                        root,
                        version: export.version,
                        residency,
                    })
                });
                (export.name, open)
            })
            .collect();
        Self { by_name }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Arc<OpenExport>> {
        self.by_name.get(name)
    }

    /// Whether a session with this export may go on.
    pub(crate) fn still_has(&self, name: &str, root: RootHash) -> bool {
        self.by_name
            .get(name)
            .is_some_and(|export| export.root == root)
    }

    /// The names, in order.
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.by_name.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }
}
