//! What an overlay's files say: its head, the slots of its block map, and the states that outlive a killed process.
//!
//! Drawn byte by byte in `docs/formats/overlay.md`.

mod head;
mod live;
mod slot;

pub use head::{DecodeHeadError, OVERLAY_FORMAT, OVERLAY_HEAD_BYTES, OverlayHead};
pub use live::{LIVE_STATES_OFFSET, live_header};
pub use slot::{
    BLOCK_BYTES, BlockState, DecodeSlotError, LEAF_BLOCKS, LEAF_STATE_BYTES, LeafStates,
    SLOT_BYTES, Slot, choose_slot,
};

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}
