//! A disk that one device may change.

use std::ops::ControlFlow;

use chunk_backend::Extent;
use chunk_store::RootHash;

use crate::export::VersionError;

/// Why a disk did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiskError {
    /// There is no room for these bytes: the disk's limit is reached or its file system is full. The range may hold some of them. What
    /// was written before stands, and what needs no room still succeeds.
    #[error("no space is left for the write: {0}")]
    NoSpace(#[source] VersionError),
    /// Zeroes were wanted only if that is faster than writing them, and it is not. Nothing was done.
    #[error("zeroes would not be faster here than a write of them")]
    NotFast,
    /// It went wrong; what the range holds is not known.
    #[error(transparent)]
    Failed(VersionError),
}

/// How zeroes are to be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Zeroing {
    /// They are to be safe when the call returns.
    pub fua: bool,
    /// Room for the range is to be kept, so that a later write to it does not find the disk full.
    pub no_hole: bool,
    /// Only if it is faster than a write; otherwise [`DiskError::NotFast`] at once.
    pub only_if_fast: bool,
}

/// A disk over a version, written by one client at a time.
///
/// Every operation may block and is called on threads of the pool, several of them at once. Ranges lie within the disk; the server
/// sees to that. Two calls at once whose ranges overlap leave, for each byte, what one of them wrote.
///
/// What returned is seen by every read that begins later. It is *safe*, that is, survives the loss of power, when a
/// [`Disk::flush`] that began after it returned has returned, or when it was called with `fua`. A killed process loses nothing
/// that returned, whether it was flushed or not, as long as the system goes on.
pub trait Disk: Send + Sync + 'static {
    /// The version that shows wherever nothing was written.
    fn root(&self) -> RootHash;

    /// What tells this disk from every other over the same version, as the bytes of a UUID. A client that comes back asks for the
    /// disk that it knows: another one does not hold what it wrote.
    fn identity(&self) -> [u8; 16];

    /// The size, in bytes; it is the version's.
    fn size_bytes(&self) -> u64;

    /// Whether a read of the range needs no peer and no verification. Does not block.
    fn is_ready(&self, offset: u64, length: u32) -> bool;

    /// Makes the range ready.
    ///
    /// # Errors
    /// If no disk and no peer has the bytes, verified.
    fn make_ready(&self, offset: u64, length: u32) -> Result<(), DiskError>;

    /// Reads the range into `place`, making it ready if it is not.
    ///
    /// # Errors
    /// If the bytes cannot be had.
    fn read(&self, offset: u64, place: &mut [u8]) -> Result<(), DiskError>;

    /// Writes `bytes`; with `fua` they are safe when this returns.
    ///
    /// # Errors
    /// If there is no room, or it cannot be written.
    fn write(&self, offset: u64, bytes: &[u8], fua: bool) -> Result<(), DiskError>;

    /// Says that the range is not needed any more. It reads as zeroes from then on, or as before, but never as the version where
    /// something was written over it.
    ///
    /// # Errors
    /// If it cannot be noted.
    fn trim(&self, offset: u64, length: u64, fua: bool) -> Result<(), DiskError>;

    /// Makes the range read as zeroes.
    ///
    /// # Errors
    /// If there is no room, it would not be fast where that was wanted, or it cannot be written.
    fn write_zeroes(&self, offset: u64, length: u64, how: Zeroing) -> Result<(), DiskError>;

    /// Makes safe whatever returned before this was called.
    ///
    /// # Errors
    /// If it cannot be made safe. It must not be reported as safe by a later flush either.
    fn flush(&self) -> Result<(), DiskError>;

    /// Visits the extents of the range in order, neighbours merged, until told to break. A hole reads as zeroes.
    ///
    /// # Errors
    /// If what the disk holds cannot be told.
    fn extents(
        &self,
        offset: u64,
        length: u64,
        visit: &mut dyn FnMut(Extent) -> ControlFlow<()>,
    ) -> Result<(), DiskError>;
}
