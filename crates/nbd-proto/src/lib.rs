//! The NBD protocol with no I/O in it: bytes in, events out.
//!
//! Both halves live here: [`server`] answers handshakes, decodes requests and encodes replies; [`client`] asks,
//! encodes requests and decodes replies. Every decoder takes what it can from the front of a `&mut &[u8]` and
//! says `None` when it needs more, so that it gives the same events however the bytes arrive.
//!
//! What must not be here: sockets, clocks, threads, async, and any notion of Corral's farm. The crate is `no_std`
//! to prove the first four. Which exports exist and who may open them is the caller's business; the handshake asks.
//!
//! The subset of NBD that is spoken is in `docs/formats/nbd.md`; why this subset, in `docs/adr/0008-subset-of-nbd.md`.

#![no_std]
#![forbid(unsafe_code)]
// Everything here reads bytes that a stranger sent.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions
    )
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod client;
mod command;
mod error_code;
mod export;
mod limits;
mod option;
pub mod server;
mod wire;

pub use command::{Command, CommandFlags, Cookie, REQUEST_BYTES, Request};
pub use error_code::ErrorCode;
pub use export::{AllocationFlags, BlockSizes, Extent, MetaContext, TransmissionFlags};
pub use limits::{
    MAX_BLOCK_STATUS_EXTENTS, MAX_ERROR_PAYLOAD_BYTES, MAX_NAME_BYTES, MAX_OPTION_BYTES,
    MAX_OPTIONS, MAX_PAYLOAD_BYTES, MAX_SKIPPED_BYTES,
};
pub use option::{OptionCode, Refusal};
