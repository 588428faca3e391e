//! A version that is being served: a flat file whose chunks are checked before anybody reads them.

use std::fs::File;
use std::ops::ControlFlow;

use chunk_store::RootHash;

use crate::{Progress, ReadError};

/// A run of the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Where, in bytes.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
    /// True if it reads as zeros.
    pub is_hole: bool,
}

/// What was counted since the version is served.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ServedCounters {
    /// Chunks of the image.
    pub chunks: u64,
    /// Chunks that are checked and can be read from the file.
    pub ready_chunks: u64,
    /// Chunks found sound in the flat file at their first read.
    pub found_chunks: u64,
    /// Chunks put into the flat file from packs.
    pub from_packs_chunks: u64,
    /// Chunks put into the flat file from peers.
    pub from_peers_chunks: u64,
    /// Their bytes on the wire.
    pub from_peers_bytes: u64,
    /// Chunks whose bytes in the flat file were neither sound nor a hole, and were put right.
    pub repaired_chunks: u64,
    /// Requests that waited for a chunk which somebody else was already getting.
    pub shared_waits: u64,
}

/// A version in service. Any thread may ask.
#[derive(Debug)]
pub struct ServedVersion;

#[expect(
    unused_variables,
    clippy::todo,
    clippy::missing_errors_doc,
    clippy::unused_self
)]
impl ServedVersion {
    pub fn root(&self) -> RootHash {
        todo!()
    }
    pub fn size(&self) -> u64 {
        todo!()
    }
    /// Lock-free: true if every chunk touched is checked in the flat file.
    pub fn is_ready(&self, offset: u64, length: u32) -> bool {
        todo!()
    }
    /// Blocks until [`ServedVersion::is_ready`]; each chunk is fetched once, however many ask.
    pub fn make_ready(&self, offset: u64, length: u32) -> Result<(), ReadError> {
        todo!()
    }
    /// The flat file: ready ranges may be read from it.
    pub fn file(&self) -> &File {
        todo!()
    }
    /// The runs of data and of zeros in a range, in order, neighbours merged.
    pub fn extents(
        &self,
        offset: u64,
        length: u64,
        visit: &mut dyn FnMut(Extent) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        todo!()
    }
    /// Make all of it ready, in the order of the image; for a thread of its own.
    pub fn materialise(&self, progress: &Progress) -> Result<(), ReadError> {
        todo!()
    }
    pub fn counters(&self) -> ServedCounters {
        todo!()
    }
}
