//! The states of blocks as the last process left them, which count only as long as the system has not restarted.

use super::head::OVERLAY_FORMAT;

/// Where the states begin in the file; those of leaf n are at n × [`super::LEAF_STATE_BYTES`] behind.
pub const LIVE_STATES_OFFSET: u64 = 4_096;

/// What the file begins with, if it is the overlay `id`'s and was written since the system's start `boot`.
pub fn live_header(id: [u8; 16], boot: [u8; 16]) -> [u8; 48] {
    let mut bytes = [0; 48];
    bytes[..8].copy_from_slice(b"CORLOLIV");
    bytes[8..10].copy_from_slice(&OVERLAY_FORMAT.to_le_bytes());
    bytes[16..32].copy_from_slice(&id);
    bytes[32..].copy_from_slice(&boot);
    bytes
}
