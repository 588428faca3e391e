//! Decoding the requests of the transmission phase.

use alloc::vec::Vec;

use crate::wire::{take, take_up_to};
use crate::{Command, MAX_PAYLOAD_BYTES, REQUEST_BYTES, Request};

/// What is reserved for a payload when its first byte comes; a longer one must show that it comes.
const RESERVED_BYTES: usize = 1024 * 1024;

/// Why the transmission cannot go on. In every case the connection must be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The magic number is wrong: the stream is out of step.
    #[error("request starts with {0:#010x} and not with the request magic number")]
    BadMagic(u32),
    /// A write brings more bytes than anybody may send.
    #[error("write of {0} bytes is longer than {MAX_PAYLOAD_BYTES}")]
    PayloadTooLong(u32),
}

/// A request as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// What is asked.
    pub request: Request,
    /// The bytes of a write, if they are kept; empty for everything else.
    pub payload: Vec<u8>,
}

/// A write whose payload is still coming.
#[derive(Debug)]
struct Coming {
    request: Request,
    left: usize,
    payload: Vec<u8>,
}

/// Takes requests from the received bytes of a connection.
///
/// A write is given out only after the last byte of its payload, when it can be carried out, or refused without losing step. The
/// payload is kept where writes are possible, and thrown away as it arrives where they are not.
#[derive(Debug, Default)]
pub struct RequestDecoder {
    keeps_payloads: bool,
    coming: Option<Coming>,
}

impl RequestDecoder {
    /// A decoder at the beginning of a transmission that is read-only: payloads are thrown away.
    pub fn new() -> Self {
        Self::default()
    }

    /// A decoder at the beginning of a transmission in which the client may write. It holds one payload while that is coming, and of
    /// that no more than has come.
    pub fn keeping_payloads() -> Self {
        Self {
            keeps_payloads: true,
            coming: None,
        }
    }

    /// Whether a write has begun whose payload is not there yet.
    pub fn is_within_payload(&self) -> bool {
        self.coming.is_some()
    }

    /// Takes the next request from the front of `input`. `Ok(None)` means that more bytes are needed; what is left in
    /// `input` is then less than a header.
    ///
    /// # Errors
    /// When the connection must be closed.
    pub fn next_request(&mut self, input: &mut &[u8]) -> Result<Option<Received>, DecodeError> {
        loop {
            if let Some(mut coming) = self.coming.take() {
                coming.take_from(input, self.keeps_payloads);
                if coming.left > 0 {
                    self.coming = Some(coming);
                    return Ok(None);
                }
                return Ok(Some(Received {
                    request: coming.request,
                    payload: coming.payload,
                }));
            }
            let Some(header) = take::<REQUEST_BYTES>(input) else {
                return Ok(None);
            };
            let request = Request::decode(&header).map_err(DecodeError::BadMagic)?;
            if request.command != Command::Write {
                return Ok(Some(Received {
                    request,
                    payload: Vec::new(),
                }));
            }
            if request.length > MAX_PAYLOAD_BYTES {
                return Err(DecodeError::PayloadTooLong(request.length));
            }
            self.coming = Some(Coming {
                request,
                left: usize::try_from(request.length).unwrap_or(usize::MAX),
                payload: Vec::new(),
            });
        }
    }
}

impl Coming {
    fn take_from(&mut self, input: &mut &[u8], keeps: bool) {
        let piece = take_up_to(input, self.left);
        self.left = self.left.saturating_sub(piece.len());
        if keeps {
            if self.payload.is_empty() {
                let announced = piece.len().saturating_add(self.left);
                self.payload.reserve_exact(announced.min(RESERVED_BYTES));
            }
            self.payload.extend_from_slice(piece);
        }
    }
}
