//! What a connection still has to send: gathered bytes, then perhaps a range of a flat file or the bytes of a long read.

use std::io;
use std::sync::Arc;

use crate::export::Version;
use crate::pool::{BUFFER_BYTES, Buffer};
use crate::socket::Socket;

/// When this much is gathered it is sent, so that the client can work on it while more is gathered. The rest of the buffer
/// is room for one more reply of any kind that is copied.
const GATHERED_ENOUGH: usize = 64 * 1024;

#[derive(Default)]
pub(crate) struct Output {
    buffer: Option<Buffer>,
    start: usize,
    end: usize,
    /// Goes out behind the gathered bytes. Nothing is added while there is one.
    tail: Option<Tail>,
    /// Everything was taken, but TLS holds some of it back until the socket takes more.
    is_held_back: bool,
}

/// What is sent from where it is.
enum Tail {
    /// A range of a version's flat file.
    File(Arc<dyn Version>, u64, u64),
    /// Bytes, of which so many are sent.
    Bytes(Vec<u8>, usize),
}

/// How far a sending got.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Everything is with the kernel.
    Everything,
    /// The socket is full; perhaps it took some.
    Blocked { took_some: bool },
}

impl Output {
    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end && self.tail.is_none() && !self.is_held_back
    }

    /// Whether another reply can be added.
    pub(crate) fn has_room(&self) -> bool {
        self.tail.is_none() && self.end < GATHERED_ENOUGH
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) {
        let length = bytes.len();
        let place = self.room().get_mut(..length);
        debug_assert!(place.is_some(), "`has_room` is asked before each reply");
        if let Some(place) = place {
            place.copy_from_slice(bytes);
            self.commit(length);
        }
    }

    /// Where the next bytes go.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        let end = self.end;
        self.buffer
            .get_or_insert_with(Buffer::take)
            .get_mut(end..)
            .unwrap_or_default()
    }

    /// Says that the first `length` bytes of [`Output::room`] are to be sent.
    pub(crate) fn commit(&mut self, length: usize) {
        self.end = (self.end + length).min(BUFFER_BYTES);
    }

    pub(crate) fn append_file(&mut self, version: Arc<dyn Version>, offset: u64, length: u32) {
        self.tail = Some(Tail::File(version, offset, offset + u64::from(length)));
    }

    /// Adds bytes that are sent from where they are.
    pub(crate) fn append_bytes(&mut self, bytes: Vec<u8>) {
        self.tail = Some(Tail::Bytes(bytes, 0));
    }

    /// Sends until everything is sent or the socket is full.
    pub(crate) fn send(&mut self, socket: &Socket) -> io::Result<Progress> {
        let mut took_some = false;
        while self.start < self.end {
            let gathered = self
                .buffer
                .as_deref()
                .and_then(|buffer| buffer.get(self.start..self.end))
                .unwrap_or_default();
            match socket.send(gathered, self.tail.is_some()) {
                Ok(sent) => self.start += sent,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Progress::Blocked { took_some });
                }
                Err(error) => return Err(error),
            }
            took_some = true;
        }
        self.buffer = None;
        (self.start, self.end) = (0, 0);
        while let Some(tail) = &mut self.tail {
            match tail.send(socket) {
                Ok(is_sent) => {
                    if is_sent {
                        self.tail = None;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Progress::Blocked { took_some });
                }
                Err(error) => return Err(error),
            }
            took_some = true;
        }
        match socket.flush() {
            Ok(()) => {
                self.is_held_back = false;
                Ok(Progress::Everything)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.is_held_back = true;
                Ok(Progress::Blocked { took_some })
            }
            Err(error) => Err(error),
        }
    }
}

impl Tail {
    /// Sends some, and says whether that was the last of it.
    fn send(&mut self, socket: &Socket) -> io::Result<bool> {
        match self {
            Self::File(version, offset, end) => {
                let left = usize::try_from(*end - *offset).unwrap_or(usize::MAX);
                let sent = socket.send_file(version.file(), *offset, left)?;
                if sent == 0 {
                    // The header is out already, so that a file that is too short can only be answered by closing.
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                *offset += u64::try_from(sent).unwrap_or(u64::MAX);
                Ok(offset >= end)
            }
            Self::Bytes(bytes, start) => {
                *start += socket.send(bytes.get(*start..).unwrap_or_default(), false)?;
                Ok(*start >= bytes.len())
            }
        }
    }
}
