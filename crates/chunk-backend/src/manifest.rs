//! Manifests: which chunk is where in a version.

/// What changed between two versions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Difference {
    /// Chunks of the new version that are not the old one's at their place.
    pub changed_chunks: u64,
    /// Their bytes.
    pub changed_bytes: u64,
    /// Those of them that became zeros.
    pub zeroed_chunks: u64,
    /// Chunks of the old version behind the end of the new one.
    pub removed_chunks: u64,
}

/// The manifest of a version; its pages are read when they are needed.
#[derive(Debug, Clone)]
pub struct Manifest;
