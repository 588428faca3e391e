//! Decoding the requests of the transmission phase.

use crate::wire::{skip, take};
use crate::{Command, MAX_PAYLOAD_BYTES, REQUEST_BYTES, Request};

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

/// Takes requests from the received bytes of a connection.
///
/// Exports are read-only, so a write's payload is thrown away as it arrives; the write itself is given out only after the
/// last byte of it, when it can be refused without losing step.
#[derive(Debug, Default)]
pub struct RequestDecoder {
    write: Option<(Request, usize)>,
}

impl RequestDecoder {
    /// A decoder at the beginning of the transmission.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next request from the front of `input`. `Ok(None)` means that more bytes are needed; what is left in
    /// `input` is then less than a header.
    ///
    /// # Errors
    /// When the connection must be closed.
    pub fn next_request(&mut self, input: &mut &[u8]) -> Result<Option<Request>, DecodeError> {
        loop {
            if let Some((write, left)) = self.write {
                let left = left.saturating_sub(skip(input, left));
                self.write = (left > 0).then_some((write, left));
                return Ok((left == 0).then_some(write));
            }
            let Some(header) = take::<REQUEST_BYTES>(input) else {
                return Ok(None);
            };
            let request = Request::decode(&header).map_err(DecodeError::BadMagic)?;
            if request.command != Command::Write {
                return Ok(Some(request));
            }
            if request.length > MAX_PAYLOAD_BYTES {
                return Err(DecodeError::PayloadTooLong(request.length));
            }
            self.write = Some((
                request,
                usize::try_from(request.length).unwrap_or(usize::MAX),
            ));
        }
    }
}
