//! Received bytes that are not decoded yet.

use std::io;
use std::mem;

use nbd_proto::REQUEST_BYTES;

use crate::pool::Buffer;
use crate::socket::Socket;

/// What is received at once.
const RECEIVED_BYTES: usize = 64 * 1024;

/// Bytes of requests. A part of one request is kept here; more than that is in a buffer from the pool, which an idle
/// connection does not have.
pub(crate) struct Input {
    buffer: Option<Buffer>,
    start: usize,
    end: usize,
    part: [u8; REQUEST_BYTES],
    part_length: usize,
}

impl Input {
    /// With what was received behind a handshake.
    pub(crate) fn holding(received: &[u8]) -> Self {
        let mut input = Self {
            buffer: None,
            start: 0,
            end: 0,
            part: [0; REQUEST_BYTES],
            part_length: 0,
        };
        if !received.is_empty() {
            let mut buffer = Buffer::take();
            if let Some(place) = buffer.get_mut(..received.len()) {
                place.copy_from_slice(received);
                input.end = received.len();
            }
            input.buffer = Some(buffer);
        }
        input
    }

    /// What is there to be decoded.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.buffer
            .as_deref()
            .and_then(|buffer| buffer.get(self.start..self.end))
            .unwrap_or_default()
    }

    /// Says that all but the last `left` bytes are decoded.
    pub(crate) fn keep_last(&mut self, left: usize) {
        self.start = self.end - left;
    }

    /// Receives more behind what is left; zero at the end of the stream. To be called when no whole request is left.
    pub(crate) fn receive(&mut self, socket: &Socket) -> io::Result<usize> {
        let mut buffer = if let Some(mut buffer) = self.buffer.take() {
            buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            buffer
        } else {
            let mut buffer = Buffer::take();
            if let Some((place, part)) = buffer
                .get_mut(..self.part_length)
                .zip(self.part.get(..self.part_length))
            {
                place.copy_from_slice(part);
            }
            self.end = mem::take(&mut self.part_length);
            buffer
        };
        self.start = 0;
        let place = buffer.get_mut(self.end..RECEIVED_BYTES).unwrap_or_default();
        let result = socket.receive(place);
        if let Ok(received) = result {
            self.end += received;
            self.buffer = Some(buffer);
        } else if let Some((place, rest)) =
            self.part.get_mut(..self.end).zip(buffer.get(..self.end))
        {
            // Nothing came: the buffer goes back to the pool and the part of a request stays here.
            place.copy_from_slice(rest);
            self.part_length = mem::take(&mut self.end);
        } else {
            self.buffer = Some(buffer);
        }
        result
    }
}
