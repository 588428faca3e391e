//! A request of the kernel's, as far as a copier must understand it.

use nbd_proto::REQUEST_BYTES;
use nbd_proto::server::SIMPLE_REPLY_BYTES;

const READ: u16 = 0;
const WRITE: u16 = 1;
pub(super) const DISCONNECT: u16 = 2;

#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) header: [u8; REQUEST_BYTES],
    /// Of a write, as far as it has come.
    pub(super) payload: Vec<u8>,
    pub(super) order: u64,
    /// Answer bytes, header included, that the kernel has or will get.
    pub(super) forwarded: usize,
}

impl Request {
    /// Whether all of it has come from the kernel.
    pub(super) fn is_whole(&self) -> bool {
        self.payload.len() == payload_bytes(&self.header)
    }

    /// Bytes of a good answer.
    pub(super) fn answer_bytes(&self) -> usize {
        let data = if command(&self.header) == READ {
            number(&self.header, 24) as usize
        } else {
            0
        };
        SIMPLE_REPLY_BYTES + data
    }
}

/// Bytes that follow a request's header.
pub(super) fn payload_bytes(header: &[u8; REQUEST_BYTES]) -> usize {
    if command(header) == WRITE {
        number(header, 24) as usize
    } else {
        0
    }
}

pub(super) fn command(header: &[u8; REQUEST_BYTES]) -> u16 {
    match header {
        [_, _, _, _, _, _, high, low, ..] => u16::from_be_bytes([*high, *low]),
    }
}

/// The cookie, which requests and answers have at the same place.
pub(super) fn cookie(header: &[u8]) -> u64 {
    header
        .get(8..16)
        .and_then(|bytes| bytes.try_into().ok())
        .map_or(0, u64::from_be_bytes)
}

pub(super) fn number(header: &[u8], at: usize) -> u32 {
    header
        .get(at..at + 4)
        .and_then(|bytes| bytes.try_into().ok())
        .map_or(0, u32::from_be_bytes)
}
