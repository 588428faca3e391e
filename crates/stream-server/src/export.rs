//! What is served: named versions.

use std::collections::HashMap;
use std::fs::File;
use std::ops::ControlFlow;
use std::sync::Arc;

use chunk_backend::{Extent, ServedVersion};
use chunk_store::RootHash;

use crate::disk::Disk;
use crate::residency::Residency;
use crate::seat::Seat;

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

    /// Reads a range that cannot be made ready because there is no room for that. Blocks.
    ///
    /// # Errors
    /// If the bytes cannot be had so.
    fn read_past_file(&self, offset: u64, place: &mut [u8]) -> Result<(), VersionError> {
        let _ = (offset, place);
        Err("there is no other place to read from".into())
    }

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

    fn read_past_file(&self, offset: u64, place: &mut [u8]) -> Result<(), VersionError> {
        Ok(self.read_past_file(offset, place)?)
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

/// What is behind an export's name.
#[derive(Clone)]
pub enum Content {
    /// A version: any number of clients read it.
    Version(Arc<dyn Version>),
    /// A disk over a version: one client reads and writes it.
    Disk {
        /// The disk.
        disk: Arc<dyn Disk>,
        /// The device it belongs to, as the bytes of a UUID. Where tickets are asked for, only one with this subject opens it.
        subject: [u8; 16],
    },
}

/// Something to serve, under the name that clients ask for.
#[derive(Clone)]
pub struct Export {
    /// `image/number`; for a disk, `image/number@device`.
    pub name: String,
    /// What is behind it.
    pub content: Content,
}

impl Export {
    /// A version for everybody who may read it.
    pub fn version(name: impl Into<String>, version: Arc<dyn Version>) -> Self {
        Self {
            name: name.into(),
            content: Content::Version(version),
        }
    }

    /// A disk for the device `subject`.
    pub fn disk(name: impl Into<String>, disk: Arc<dyn Disk>, subject: [u8; 16]) -> Self {
        Self {
            name: name.into(),
            content: Content::Disk { disk, subject },
        }
    }
}

/// An export with what the server keeps beside it.
pub(crate) struct OpenExport {
    pub(crate) name: String,
    pub(crate) root: RootHash,
    pub(crate) content: OpenContent,
}

pub(crate) enum OpenContent {
    Version(OpenVersion),
    Disk(OpenDisk),
}

/// A version in service.
pub(crate) struct OpenVersion {
    pub(crate) version: Arc<dyn Version>,
    pub(crate) residency: Residency,
}

/// A disk in service.
pub(crate) struct OpenDisk {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) subject: [u8; 16],
    /// Whoever may write.
    pub(crate) seat: Arc<Seat>,
}

impl OpenExport {
    fn of(export: Export) -> Self {
        let Export { name, content } = export;
        let (root, content) = match content {
            Content::Version(version) => {
                let residency = Residency::of(version.file(), version.size_bytes());
                let root = version.root();
                (
                    root,
                    OpenContent::Version(OpenVersion { version, residency }),
                )
            }
            Content::Disk { disk, subject } => {
                let seat = Arc::default();
                let root = disk.root();
                (
                    root,
                    OpenContent::Disk(OpenDisk {
                        disk,
                        subject,
                        seat,
                    }),
                )
            }
        };
        Self {
            name,
            root,
            content,
        }
    }

    /// Whether this serves `export` already.
    fn serves(&self, export: &Export) -> bool {
        self.name == export.name
            && match (&self.content, &export.content) {
                (OpenContent::Version(open), Content::Version(version)) => {
                    Arc::ptr_eq(&open.version, version)
                }
                (
                    OpenContent::Disk(open),
                    Content::Disk {
                        disk,
                        subject: device,
                    },
                ) => Arc::ptr_eq(&open.disk, disk) && open.subject == *device,
                _ => false,
            }
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        match &self.content {
            OpenContent::Version(open) => open.version.size_bytes(),
            OpenContent::Disk(open) => open.disk.size_bytes(),
        }
    }
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
                let known = self.by_name.get(&export.name);
                let known = known.filter(|known| known.serves(&export)).cloned();
                let open = known.unwrap_or_else(|| Arc::new(OpenExport::of(export)));
                (open.name.clone(), open)
            })
            .collect();
        Self { by_name }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Arc<OpenExport>> {
        self.by_name.get(name)
    }

    /// Whether a session with `export` may go on. A version may be replaced by the same one; a disk by no other.
    pub(crate) fn still_has(&self, export: &OpenExport) -> bool {
        self.by_name
            .get(&export.name)
            .is_some_and(|now| match (&now.content, &export.content) {
                (OpenContent::Version(_), OpenContent::Version(_)) => now.root == export.root,
                (OpenContent::Disk(now), OpenContent::Disk(then)) => {
                    Arc::ptr_eq(&now.seat, &then.seat)
                }
                _ => false,
            })
    }

    /// The names, in order.
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.by_name.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }
}
