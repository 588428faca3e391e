//! Replication: a version that another server has comes here.

use chunk_store::RootHash;

/// What a replication did. Pages and chunks of data are counted alike; zero chunks are nothing and not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replicated {
    /// The version.
    pub root: RootHash,
    /// Bytes of the image.
    pub size_bytes: u64,
    /// Chunks and pages that came from peers.
    pub fetched_chunks: u64,
    /// Their bytes on the wire, entry headers included.
    pub fetched_bytes: u64,
    /// Chunks and pages that the store had before.
    pub already_chunks: u64,
}
