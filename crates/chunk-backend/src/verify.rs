//! Verification: is everything in the store what its name says?

use chunk_store::{ChunkName, RootHash};

/// A pack with damage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedPack {
    /// Its file name.
    pub file: String,
    /// Chunks in it that are not what their names say.
    pub damaged: Vec<ChunkName>,
    /// True if its index is gone or damaged too, so that it can give nothing before it is healed.
    pub is_unreadable: bool,
}

/// A flat file with damage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedFlat {
    /// Its version.
    pub root: RootHash,
    /// Which chunks of the image.
    pub chunks: Vec<u64>,
}

/// What a verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Packs that were read.
    pub packs: u64,
    /// Chunks in them that were checked.
    pub checked_chunks: u64,
    /// Plain bytes that were checked, in packs and flat files.
    pub checked_bytes: u64,
    /// Packs with damage.
    pub damaged_packs: Vec<DamagedPack>,
    /// Flat files with damage. No reader ever sees it: a chunk is checked before it is first served.
    pub damaged_flats: Vec<DamagedFlat>,
    /// Versions whose root record is damaged.
    pub damaged_roots: Vec<RootHash>,
    /// Chunks and pages of which no sound copy is in any pack, though a version needs them.
    pub unavailable: Vec<ChunkName>,
    /// Versions that cannot be read in full without a peer.
    pub affected_roots: Vec<RootHash>,
}

impl VerifyReport {
    /// True if nothing at all is wrong.
    pub fn is_sound(&self) -> bool {
        self.damaged_packs.is_empty()
            && self.damaged_flats.is_empty()
            && self.damaged_roots.is_empty()
            && self.unavailable.is_empty()
    }
}
