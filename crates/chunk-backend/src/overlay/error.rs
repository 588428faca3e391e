//! What can go wrong with overlays, by operation.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use chunk_store::{DecodeHeadError, DecodeSlotError, RootHash};

use crate::error::Size;
use crate::{IoFailure, NoSpace, ReadError};

/// Why an overlay was not made.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CreateOverlayError {
    /// There is one with this id.
    #[error("{} exists already; open it, or remove it first", path.display())]
    AlreadyExists {
        /// Its folder.
        path: PathBuf,
    },
    /// It was made, and then could not be opened.
    #[error(transparent)]
    Open(Box<OpenOverlayError>),
    /// The operating system refused something; [`IoFailure::is_no_space`] tells a full disk.
    #[error(transparent)]
    Io(#[from] IoFailure),
}

/// Why an overlay cannot be opened or removed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum OpenOverlayError {
    /// There is none with this id.
    #[error("overlay {id} is not in the store {}; create it, or look on the server that has it", store.display())]
    Unknown {
        /// The overlay.
        id: crate::OverlayId,
        /// The store's folder.
        store: PathBuf,
    },
    /// A process has it open.
    #[error("{} is in use by a process; one at a time may have an overlay", path.display())]
    InUse {
        /// Its folder.
        path: PathBuf,
    },
    /// Its head cannot be used.
    #[error("{}: {source}", path.display())]
    UnusableHead {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: DecodeHeadError,
    },
    /// Its map of blocks cannot be used.
    #[error("{}: {source}", path.display())]
    UnusableMap {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: DecodeSlotError,
    },
    /// One of its files was cut or is another overlay's.
    #[error("{} has {found} bytes, not {expected}; restore the overlay from a copy, or remove it", path.display())]
    WrongLength {
        /// The file.
        path: PathBuf,
        /// Its bytes.
        found: u64,
        /// Those that it must have.
        expected: u64,
    },
    /// It lies over another version.
    #[error("{} lies over version {found}, not over version {given}; open it over that one", path.display())]
    OtherBase {
        /// Its folder.
        path: PathBuf,
        /// The version below it.
        found: RootHash,
        /// The version that was given.
        given: RootHash,
    },
    /// The operating system refused something.
    #[error(transparent)]
    Io(#[from] IoFailure),
}

/// Why an overlay did not take a change. What it held before is sound in every case, and so is what others hold.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// It holds as much as it may.
    #[error("{} holds as much as it may ({}); raise its limit, or free space on its disk", path.display(), Size(*limit_bytes))]
    LimitReached {
        /// Its folder.
        path: PathBuf,
        /// Its limit.
        limit_bytes: u64,
    },
    /// It is being sealed, or was.
    #[error("the overlay is sealed and takes no changes; start a new one over the sealed version")]
    Sealed,
    /// Its file system did not keep what it was given. What was not safe by then may be lost: nothing more is taken.
    #[error(
        "the overlay takes no changes any more: {0}; check the disk, then start the server again"
    )]
    Failed(IoFailure),
    /// What lies below a block that is written in part cannot be read; or the range is not within the disk.
    #[error(transparent)]
    Base(#[from] ReadError),
    /// The operating system refused something.
    #[error(transparent)]
    Io(#[from] IoFailure),
}

impl WriteError {
    /// True if there is no room for the bytes: the overlay's limit, or a full file system. Changes that need none succeed.
    pub fn is_no_space(&self) -> bool {
        match self {
            Self::LimitReached { .. } => true,
            Self::Io(failure) | Self::Base(ReadError::Io(failure)) => failure.is_no_space(),
            Self::Sealed | Self::Failed(_) | Self::Base(_) => false,
        }
    }
}

/// Why an overlay was not sealed. It may be written on, except where it is sealed already.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// It is.
    #[error("the overlay is sealed already, as version {root}")]
    Already {
        /// The version.
        root: RootHash,
    },
    /// Somebody else is sealing it.
    #[error("the overlay is being sealed; wait for that")]
    UnderWay,
    /// It is not in this store.
    #[error("the overlay is not in the store {}; seal it in its own", store.display())]
    OtherStore {
        /// The folder of the store that was given.
        store: PathBuf,
    },
    /// The version below is not here as a whole, so that a version made of it would not be either.
    #[error("version {root} below the overlay is not complete in the store {}; replicate it, then seal", store.display())]
    BaseIncomplete {
        /// The version.
        root: RootHash,
        /// The store's folder.
        store: PathBuf,
    },
    /// What was written could not be made safe first.
    #[error(transparent)]
    Flush(#[from] WriteError),
    /// The disk could not be read.
    #[error("cannot read the overlay at byte {offset}: {source}")]
    Unreadable {
        /// Where, in bytes.
        offset: u64,
        /// Why.
        source: Arc<io::Error>,
    },
    /// The manifest below could not be read.
    #[error(transparent)]
    Base(#[from] ReadError),
    /// The store filled up.
    #[error(transparent)]
    NoSpace(#[from] NoSpace),
    /// [`crate::Progress::cancel`] was called.
    #[error("the sealing was cancelled; nothing was published, and the overlay is as it was")]
    Cancelled,
    /// The store could not be read or written.
    #[error(transparent)]
    Io(#[from] IoFailure),
}
