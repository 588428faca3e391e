//! What a device writes over a version that it streams, kept by the device itself: in memory, on a disk of its own, or both.
//!
//! A disk is cut into blocks of [`BLOCK_BYTES`]. Each block is *below* (as in the version), *zero*, or *kept* in a slot of memory or of the
//! cache disk. Where is written down in a nameless file in memory, so that a process that follows another one finds all of it. The calls
//! block, and whoever calls them keeps apart those that touch the same block.
//!
//! Nothing on a cache disk is believed unless it was written under the epoch that stands in its header, over the root that stands there:
//! `docs/formats/cache-disk.md`.

mod cache;
mod checkpoint;
mod disk;
mod header;
mod index;
mod layout;
mod medium;
mod slots;

pub use cache::{Cache, CacheError, Edge, OpenError};
pub use disk::{CacheDisk, CacheDiskError};
pub use layout::{Kind, Memory, Plan};

/// Bytes of a block, and of a slot.
pub const BLOCK_BYTES: u64 = 4096;
