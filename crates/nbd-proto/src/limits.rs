//! Bounds on what a peer can make this side hold or do. All are generous against every known client.

/// The longest string the protocol allows: an export name, a metadata query, an error message.
pub const MAX_NAME_BYTES: usize = 4096;

/// The longest option data, and the longest option reply, that is held in memory. A longer option is skipped and refused.
pub const MAX_OPTION_BYTES: usize = 16 * 1024;

/// Options one handshake may have. A client that lists some hundred exports and asks about each stays far below.
pub const MAX_OPTIONS: u32 = 4096;

/// Bytes of over-long options that one handshake may make the server skip.
pub const MAX_SKIPPED_BYTES: usize = 1024 * 1024;

/// The largest read, and the largest write payload, in one request: what the protocol asks of everybody, 32 MiB.
pub const MAX_PAYLOAD_BYTES: u32 = 32 * 1024 * 1024;

/// Extents that one block status reply of this server holds at most.
pub const MAX_BLOCK_STATUS_EXTENTS: usize = 4096;

/// The longest payload of an error chunk that the client half holds: a full-length message and some fields to come.
pub const MAX_ERROR_PAYLOAD_BYTES: u32 = 8 * 1024;
