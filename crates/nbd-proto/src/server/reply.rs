//! Encoding replies. Payloads are not touched: a header is given out and the caller sends the data behind it.

use alloc::vec::Vec;

use crate::wire::{
    CHUNK_BLOCK_STATUS, CHUNK_ERROR, CHUNK_ERROR_OFFSET, CHUNK_NONE, CHUNK_OFFSET_DATA,
    CHUNK_OFFSET_HOLE, Fields, REPLY_FLAG_DONE, SIMPLE_REPLY_MAGIC, STRUCTURED_REPLY_MAGIC,
    fitting, length_field,
};
use crate::{Cookie, ErrorCode, Extent};

/// Bytes of a simple reply without its data.
pub const SIMPLE_REPLY_BYTES: usize = 16;
const CHUNK_HEADER_BYTES: usize = 20;
/// Bytes in front of the data in a chunk of data.
pub const DATA_HEADER_BYTES: usize = CHUNK_HEADER_BYTES + 8;
/// Bytes of a chunk that says that a range is zeroes.
pub const HOLE_BYTES: usize = CHUNK_HEADER_BYTES + 12;

/// A simple reply. Without an error, the data of a read must follow.
pub fn simple_reply(cookie: Cookie, error: Option<ErrorCode>) -> [u8; SIMPLE_REPLY_BYTES] {
    Fields::new()
        .with(SIMPLE_REPLY_MAGIC.to_be_bytes())
        .with(error.map_or(0, ErrorCode::number).to_be_bytes())
        .with(cookie.0.to_be_bytes())
        .finish()
}

/// What goes in front of `length` bytes of the export from `offset` on. `is_last` ends the reply.
pub fn data_header(
    cookie: Cookie,
    offset: u64,
    length: u32,
    is_last: bool,
) -> [u8; DATA_HEADER_BYTES] {
    // A read is at most 32 MiB, so that the sum does not overflow.
    chunk(cookie, CHUNK_OFFSET_DATA, length.saturating_add(8), is_last)
        .with(offset.to_be_bytes())
        .finish()
}

/// Says that `length` bytes of the export from `offset` on are zeroes. `is_last` ends the reply.
pub fn hole_chunk(cookie: Cookie, offset: u64, length: u32, is_last: bool) -> [u8; HOLE_BYTES] {
    chunk(cookie, CHUNK_OFFSET_HOLE, 12, is_last)
        .with(offset.to_be_bytes())
        .with(length.to_be_bytes())
        .finish()
}

/// Ends a structured reply that says nothing more.
pub fn done_chunk(cookie: Cookie) -> [u8; CHUNK_HEADER_BYTES] {
    chunk(cookie, CHUNK_NONE, 0, true).finish()
}

/// Ends a structured reply with an error: at `offset`, if that is known.
pub fn error_chunk(
    cookie: Cookie,
    code: ErrorCode,
    message: &str,
    offset: Option<u64>,
    output: &mut Vec<u8>,
) {
    let message = fitting(message).as_bytes();
    let message_length = u16::try_from(message.len()).unwrap_or_default();
    let (chunk_type, fixed_bytes) = if offset.is_some() {
        (CHUNK_ERROR_OFFSET, 14)
    } else {
        (CHUNK_ERROR, 6)
    };
    push_chunk_header(
        cookie,
        chunk_type,
        u32::from(message_length).saturating_add(fixed_bytes),
        true,
        output,
    );
    output.extend_from_slice(&code.number().to_be_bytes());
    output.extend_from_slice(&message_length.to_be_bytes());
    output.extend_from_slice(message);
    if let Some(offset) = offset {
        output.extend_from_slice(&offset.to_be_bytes());
    }
}

/// Reports extents in one metadata context. `extents` must not be empty. `is_last` ends the reply.
pub fn block_status_chunk(
    cookie: Cookie,
    context: u32,
    extents: &[Extent],
    is_last: bool,
    output: &mut Vec<u8>,
) {
    let length = length_field(extents.len().saturating_mul(8).saturating_add(4));
    push_chunk_header(cookie, CHUNK_BLOCK_STATUS, length, is_last, output);
    output.extend_from_slice(&context.to_be_bytes());
    for extent in extents {
        output.extend_from_slice(&extent.length.to_be_bytes());
        output.extend_from_slice(&extent.flags.to_be_bytes());
    }
}

fn push_chunk_header(
    cookie: Cookie,
    chunk_type: u16,
    length: u32,
    is_last: bool,
    output: &mut Vec<u8>,
) {
    let header: [u8; CHUNK_HEADER_BYTES] = chunk(cookie, chunk_type, length, is_last).finish();
    output.extend_from_slice(&header);
}

/// The header of a chunk with `length` bytes of payload, with room behind it for what else has a fixed size.
fn chunk<const N: usize>(cookie: Cookie, chunk_type: u16, length: u32, is_last: bool) -> Fields<N> {
    Fields::new()
        .with(STRUCTURED_REPLY_MAGIC.to_be_bytes())
        .with(if is_last { REPLY_FLAG_DONE } else { 0 }.to_be_bytes())
        .with(chunk_type.to_be_bytes())
        .with(cookie.0.to_be_bytes())
        .with(length.to_be_bytes())
}
