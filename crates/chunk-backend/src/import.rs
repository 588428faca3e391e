//! Import: a disk becomes a version.

use chunk_store::RootHash;

/// What an import made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    /// The version.
    pub root: RootHash,
    /// Bytes of the image.
    pub size_bytes: u64,
    /// Chunks of the image.
    pub chunks: u64,
    /// Those of only zeros, which are not stored.
    pub zero_chunks: u64,
    /// Chunks that the store did not have before.
    pub new_chunks: u64,
    /// Their plain bytes.
    pub new_bytes: u64,
    /// Bytes written to packs, pages included.
    pub stored_bytes: u64,
}
