//! What is said about an export: transmission flags, block sizes, metadata contexts and their extents.

use alloc::string::String;

bitflags::bitflags! {
    /// What a server offers for an export. A bit that this crate does not name is kept and ignored.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct TransmissionFlags: u16 {
        /// Always set.
        const HAS_FLAGS = 1 << 0;
        /// Writes are refused.
        const READ_ONLY = 1 << 1;
        /// FLUSH is understood.
        const SEND_FLUSH = 1 << 2;
        /// The FUA command flag is understood.
        const SEND_FUA = 1 << 3;
        /// The medium turns.
        const ROTATIONAL = 1 << 4;
        /// TRIM is understood.
        const SEND_TRIM = 1 << 5;
        /// `WRITE_ZEROES` is understood.
        const SEND_WRITE_ZEROES = 1 << 6;
        /// The DF command flag is understood; only with structured replies.
        const SEND_DF = 1 << 7;
        /// Several connections to the export see the same bytes.
        const CAN_MULTI_CONN = 1 << 8;
        /// CACHE is understood.
        const SEND_CACHE = 1 << 10;
        /// The `FAST_ZERO` command flag is understood; only with `WRITE_ZEROES`.
        const SEND_FAST_ZERO = 1 << 11;
        const _ = !0;
    }
}

bitflags::bitflags! {
    /// The flags of an extent in the context `base:allocation`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct AllocationFlags: u32 {
        /// Not allocated.
        const HOLE = 1 << 0;
        /// Reads as zeroes.
        const ZERO = 1 << 1;
        const _ = !0;
    }
}

/// The sizes, in bytes, that requests to an export should keep to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockSizes {
    /// Offsets and lengths must be multiples of this power of two.
    pub minimum: u32,
    /// Aligned requests of this size are efficient.
    pub preferred: u32,
    /// No read or write may be longer.
    pub maximum_payload: u32,
}

/// A metadata context as one connection knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaContext {
    /// The number that block status replies of this connection carry.
    pub id: u32,
    /// `namespace:leaf`.
    pub name: String,
}

/// A run of bytes that share their flags in one metadata context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// How many bytes; never zero.
    pub length: u32,
    /// The context's own flags.
    pub flags: u32,
}
