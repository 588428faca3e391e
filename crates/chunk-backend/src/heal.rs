//! Healing: what a verification found is made good, from other copies here and from peers.

use chunk_store::{ChunkName, RootHash};

/// What healing did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HealReport {
    /// Chunks and pages that are sound again.
    pub healed_chunks: u64,
    /// Those of them that came from peers.
    pub fetched_chunks: u64,
    /// Their bytes on the wire.
    pub fetched_bytes: u64,
    /// Chunks put right in flat files.
    pub healed_flat_chunks: u64,
    /// Versions whose root record was put right.
    pub healed_roots: Vec<RootHash>,
    /// Chunks and pages that nobody could give.
    pub unhealed: Vec<ChunkName>,
    /// Versions that still cannot be read in full without a peer.
    pub affected_roots: Vec<RootHash>,
}

impl HealReport {
    /// True if nothing is wrong any more.
    pub fn is_sound(&self) -> bool {
        self.unhealed.is_empty() && self.affected_roots.is_empty()
    }
}
