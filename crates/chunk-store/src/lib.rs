//! What an image version is made of: names of chunks, pages of names, the root record, and how each is written as bytes.
//!
//! Pure: bytes in, values out. Files, sockets, clocks and threads do not belong here; `chunk-backend` has them. Every
//! layout is drawn byte by byte in `docs/formats/store.md`.

mod chunk;
mod collection;
mod difference;
mod entry;
mod name;
mod overlay;
mod pack;
mod page;
mod rewrite;
mod root;

pub use chunk::{ChunkDecoder, ChunkEncoder, decode_chunk, encode_chunk};
pub use collection::{PackFate, PackShare, plan_packs};
pub use difference::{Changed, PageSource, walk_difference, walk_names};
pub use entry::{
    DecodeEntryError, ENTRY_HEADER_BYTES, ENTRY_MAGIC, Encoding, Entry, EntryHeader,
    MAXIMUM_ENTRY_BYTES, encode_missing,
};
pub use name::{ChunkName, HASH_BYTES, ParseHashError, RootHash};
pub use overlay::{
    BLOCK_BYTES, BlockState, DecodeHeadError, DecodeSlotError, LEAF_BLOCKS, LEAF_STATE_BYTES,
    LIVE_STATES_OFFSET, LeafStates, OVERLAY_FORMAT, OVERLAY_HEAD_BYTES, OverlayHead, SLOT_BYTES,
    Slot, choose_slot, live_header,
};
pub use pack::{
    DecodePackError, MAXIMUM_PACK_BYTES, MAXIMUM_PACK_ENTRIES, PACK_FORMAT, PACK_HEADER_BYTES,
    PACK_RECORD_BYTES, PACK_TRAILER_BYTES, PackIndex, PackRecord, PackTrailer, check_pack_header,
    pack_header,
};
pub use page::{DecodePageError, PAGE_NAMES, Page, PageBuilder, RootHasher};
pub use rewrite::rewrite_names;
pub use root::{
    DecodeRootError, HASH_ALGORITHM_BLAKE3, MAXIMUM_IMAGE_BYTES, ROOT_FORMAT, ROOT_RECORD_BYTES,
    RootRecord, chunk_count, depth_for,
};

/// Bytes of a chunk; the last one of an image may be shorter. Chosen by measurement: ADR 0007.
pub const CHUNK_SIZE: usize = 65_536;

/// [`CHUNK_SIZE`] where offsets of an image are computed.
pub const CHUNK_BYTES: u64 = CHUNK_SIZE as u64;
