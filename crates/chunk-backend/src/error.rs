//! What can go wrong, by operation. Every message names the thing, the rule, and the way out.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chunk_store::{ChunkName, DecodeRootError, MAXIMUM_IMAGE_BYTES, RootHash};

/// The operating system refused something: what, on which file, and why. Can be shared by all who waited for it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot {operation} {}: {source}", path.display())]
pub struct IoFailure {
    /// What was tried, as a verb.
    pub operation: &'static str,
    /// On which file or folder.
    pub path: PathBuf,
    /// Why not.
    pub source: Arc<io::Error>,
}

impl IoFailure {
    pub(crate) fn new(operation: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        Self {
            operation,
            path: path.to_owned(),
            source: Arc::new(source.into()),
        }
    }

    /// True if the file system is full.
    pub fn is_no_space(&self) -> bool {
        matches!(
            self.source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        )
    }
}

/// Bytes for a person.
pub(crate) struct Size(pub(crate) u64);

impl fmt::Display for Size {
    #[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = ["KiB", "MiB", "GiB", "TiB", "PiB"];
        let mut value = self.0 as f64;
        if value < 1024.0 {
            return write!(formatter, "{} bytes", self.0);
        }
        let mut unit = "";
        for next in units {
            if value < 1024.0 {
                break;
            }
            value /= 1024.0;
            unit = next;
        }
        write!(formatter, "{value:.1} {unit}")
    }
}

/// The store's file system is full. Nothing of the version was published, and what was written for it is gone again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no space left in the store {}: {} are free, and about {} more are needed (at most {}); nothing was published; \
     free some space or use a larger store",
    store.display(), Size(*free_bytes), Size(missing_bytes.saturating_sub(*free_bytes)),
    Size(at_most_bytes.saturating_sub(*free_bytes))
)]
pub struct NoSpace {
    /// The store's folder.
    pub store: PathBuf,
    /// Bytes free once the unfinished work was removed.
    pub free_bytes: u64,
    /// Bytes that the whole operation is expected to write, from how well the part that was done compressed.
    pub missing_bytes: u64,
    /// Bytes that it would write if nothing more compressed.
    pub at_most_bytes: u64,
}

/// What is wrong with a folder that should have been a store.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// Its `store.json` is not what Corral writes.
    #[error("{}: {reason}; restore the file from a copy, or create a new store and replicate into it", path.display())]
    DamagedDescription {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The operating system refused something.
    #[error(transparent)]
    Io(#[from] IoFailure),
}

/// Why a store cannot be created.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// It exists.
    #[error("{} is a store already, of farm {farm}; open it, or choose another folder", path.display())]
    AlreadyAStore {
        /// The folder.
        path: PathBuf,
        /// The farm it belongs to.
        farm: crate::FarmId,
    },
    /// Something else is in the folder.
    #[error("{} is not empty and not a store; a store needs an empty folder of its own", path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// The operating system refused something.
    #[error(transparent)]
    Io(#[from] IoFailure),
}

/// Why a store cannot be opened.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// No `store.json` there.
    #[error("{} is not a store: it has no store.json; create the store, or check the path and that its disk is mounted", path.display())]
    NotAStore {
        /// The folder.
        path: PathBuf,
    },
    /// It is another farm's.
    #[error("the store {} belongs to farm {found}, not to farm {expected}; use a folder of its own for each farm", path.display())]
    OtherFarm {
        /// The folder.
        path: PathBuf,
        /// The farm it belongs to.
        found: crate::FarmId,
        /// The farm that asked.
        expected: crate::FarmId,
    },
    /// Written by a later release.
    #[error("the store {} has format {found}, but this release reads format {}; upgrade this server", path.display(), crate::STORE_FORMAT)]
    NewerFormat {
        /// The folder.
        path: PathBuf,
        /// Its format number.
        found: u64,
    },
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] FolderError),
}

/// Why bytes of a version cannot be had. Cheap to clone: all who wait for a chunk get the same one.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// No such version here, and no peer has it.
    #[error("version {root} is not in the store {}{}", store.display(), because(peers.as_deref()))]
    UnknownVersion {
        /// The version.
        root: RootHash,
        /// The store's folder.
        store: PathBuf,
        /// What the peers said, if any were asked.
        peers: Option<Box<FetchError>>,
    },
    /// The file of its root record is not sound, and no peer has it.
    #[error("the root record of version {root} in the store {} is damaged; heal the store from a peer", store.display())]
    DamagedRoot {
        /// The version.
        root: RootHash,
        /// The store's folder.
        store: PathBuf,
    },
    /// The root record is of another release.
    #[error("version {root}: {source}")]
    UnusableRoot {
        /// The version.
        root: RootHash,
        /// Why.
        source: DecodeRootError,
    },
    /// The chunk is missing or damaged here, and no peer could give it.
    #[error("chunk {name} is {} in the store {}{}; heal the store from a server that has it",
        if *is_damaged { "damaged" } else { "missing" }, store.display(), because(peers.as_deref()))]
    ChunkUnavailable {
        /// The chunk (or page).
        name: ChunkName,
        /// True if there is a copy, but not a sound one.
        is_damaged: bool,
        /// The store's folder.
        store: PathBuf,
        /// What the peers said, if any were asked.
        peers: Option<Box<FetchError>>,
    },
    /// A sound chunk is not a page of the right length: the version was made wrong, and no copy of it is better.
    #[error(
        "page {name} of version {root} has the wrong length: the version is unusable; import it again"
    )]
    MisshapenPage {
        /// The page.
        name: ChunkName,
        /// The version.
        root: RootHash,
    },
    /// Behind the end of the image.
    #[error("{length} bytes at {offset} go beyond the image's end at {size}")]
    BeyondEnd {
        /// Where, in bytes.
        offset: u64,
        /// How many bytes.
        length: u64,
        /// Bytes of the image.
        size: u64,
    },
    /// The operating system refused something; [`IoFailure::is_no_space`] tells a full disk.
    #[error(transparent)]
    Io(#[from] IoFailure),
}

fn because(peers: Option<&FetchError>) -> String {
    peers.map_or_else(String::new, |error| {
        format!(", and peers did not help: {error}")
    })
}

/// Why a disk was not imported. In every case nothing was published.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// It has no bytes.
    #[error("the source has no bytes; give a disk image")]
    Empty,
    /// It is larger than any version can be.
    #[error("the source has {}, but an image has at most {}; shrink it first", Size(*size_bytes), Size(MAXIMUM_IMAGE_BYTES))]
    BeyondMaximum {
        /// Bytes of the source.
        size_bytes: u64,
    },
    /// Its data is more than the store's whole file system; checked before anything is written.
    #[error("the source holds {} of data, but the store {} is only {} large; use a larger store", Size(*data_bytes), store.display(), Size(*capacity_bytes))]
    LargerThanStore {
        /// The store's folder.
        store: PathBuf,
        /// Bytes of the source that are not holes.
        data_bytes: u64,
        /// Bytes of the store's file system, used ones included.
        capacity_bytes: u64,
    },
    /// The store filled up.
    #[error(transparent)]
    NoSpace(#[from] NoSpace),
    /// The source could not be read.
    #[error("cannot read the source at byte {offset}: {source}; check the image file")]
    Source {
        /// Where, in bytes.
        offset: u64,
        /// Why.
        source: Arc<io::Error>,
    },
    /// [`crate::Progress::cancel`] was called.
    #[error("the import was cancelled; nothing was published")]
    Cancelled,
    /// The store could not be read or written.
    #[error(transparent)]
    Io(#[from] IoFailure),
}

/// Why peers did not give what they were asked for.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// There is nobody to ask.
    #[error("no peer is known")]
    NoPeers,
    /// All were asked; some things none of them has in a sound copy.
    #[error(
        "{missing} of {asked} chunks could not be had from {peers} peers; the last one said: {last}"
    )]
    Missing {
        /// How many chunks no peer gave.
        missing: usize,
        /// How many were asked for.
        asked: usize,
        /// How many peers there are.
        peers: usize,
        /// What the last peer said.
        last: PeerFailure,
    },
    /// None has a sound root record of the version.
    #[error("no one of {peers} peers has version {root}; the last one said: {last}")]
    NoRoot {
        /// The version.
        root: RootHash,
        /// How many peers there are.
        peers: usize,
        /// What the last peer said.
        last: PeerFailure,
    },
    /// The work that it was for was cancelled.
    #[error("it was cancelled")]
    Cancelled,
}

/// What one peer did wrong.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum PeerFailure {
    /// It cannot be reached, or broke off.
    #[error("{url}: {reason}")]
    Transport {
        /// The peer.
        url: String,
        /// Why.
        reason: String,
    },
    /// It refuses us or does not understand us.
    #[error("{url} answered status {status}")]
    Status {
        /// The peer.
        url: String,
        /// HTTP's number.
        status: u16,
    },
    /// It answered something else than the protocol says.
    #[error("{url} answered bytes that are no chunk entries")]
    Garbage {
        /// The peer.
        url: String,
    },
    /// It does not have it.
    #[error("{url} does not have it")]
    Absent {
        /// The peer.
        url: String,
    },
    /// It sent other bytes than the name stands for.
    #[error("{url} sent a damaged chunk")]
    Damaged {
        /// The peer.
        url: String,
    },
}

/// Why a version was not replicated. What was fetched stays and is not fetched again.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ReplicateError {
    /// Peers did not give all of it.
    #[error(
        "version {root} is not complete: {source}; it goes on from there when a peer has the rest"
    )]
    Peers {
        /// The version.
        root: RootHash,
        /// What they said.
        source: FetchError,
    },
    /// The root record is of another release.
    #[error("version {root}: {source}")]
    UnusableRoot {
        /// The version.
        root: RootHash,
        /// Why.
        source: DecodeRootError,
    },
    /// A page is sound but of the wrong length.
    #[error("page {name} of version {root} has the wrong length: the version is unusable")]
    MisshapenPage {
        /// The page.
        name: ChunkName,
        /// The version.
        root: RootHash,
    },
    /// The store filled up.
    #[error(transparent)]
    NoSpace(#[from] NoSpace),
    /// [`crate::Progress::cancel`] was called.
    #[error("the replication was cancelled; what was fetched is kept")]
    Cancelled,
    /// The store could not be read or written.
    #[error(transparent)]
    Io(#[from] IoFailure),
}

/// Why a verification did not end.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// [`crate::Progress::cancel`] was called.
    #[error("the verification was cancelled")]
    Cancelled,
    /// The store could not be read.
    #[error(transparent)]
    Io(#[from] IoFailure),
}

/// Why a collection did not end. Nothing that a version needs is gone, and what became free is free.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CollectError {
    /// What a version needs is not known.
    #[error(
        "the root record of version {root} in {} is damaged, so that it is not known which chunks it needs; nothing is freed \
         before it is healed", store.display()
    )]
    DamagedRoot {
        /// The version.
        root: RootHash,
        /// The store's folder.
        store: PathBuf,
    },
    /// The root record is of another release.
    #[error("version {root}: {source}; nothing is freed before that")]
    UnusableRoot {
        /// The version.
        root: RootHash,
        /// Why.
        source: DecodeRootError,
    },
    /// What a version needs is not known.
    #[error(
        "page {name} of version {root} is damaged or missing in {}, so that it is not known which chunks the version needs; \
         nothing is freed before it is healed", store.display()
    )]
    PageUnavailable {
        /// The page.
        name: ChunkName,
        /// The version.
        root: RootHash,
        /// The store's folder.
        store: PathBuf,
    },
    /// What lies below an overlay is not known.
    #[error(
        "it is not known which version an overlay lies over: {0}; nothing is freed before it is removed or can be read"
    )]
    UnusableOverlay(#[source] Box<crate::OpenOverlayError>),
    /// The store filled up: what is needed of a pack is written again before the pack is removed.
    #[error(transparent)]
    NoSpace(#[from] NoSpace),
    /// [`crate::Progress::cancel`] was called.
    #[error("the collection was cancelled; what it freed so far is free")]
    Cancelled,
    /// The store could not be read or written.
    #[error(transparent)]
    Io(#[from] IoFailure),
}

/// Why healing did not end.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum HealError {
    /// The damage could not be looked for.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// [`crate::Progress::cancel`] was called.
    #[error("the healing was cancelled; what was healed so far is kept")]
    Cancelled,
    /// The store filled up: a healed pack is written before the damaged one is removed.
    #[error(transparent)]
    NoSpace(#[from] NoSpace),
    /// The store could not be written.
    #[error(transparent)]
    Io(#[from] IoFailure),
}
