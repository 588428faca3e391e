//! What the keeper knows: which requests the kernel sent, and how much of each answer it has got.
//!
//! A worker may die at any instruction: with requests taken and not yet sent on, or in the middle of an answer. The
//! kernel's socket is a stream in which neither side may repeat or lose a byte, so the one process that must not die
//! copies it, and keeps for each request the header and the number of answer bytes the kernel already has. A new
//! worker is given every unanswered request again; of an answer that was begun, the bytes the kernel has are skipped.
//! That is sound because a version never changes: the bytes come out the same. Of a disk that is written, a read that was begun may
//! come out half as it was and half as it is now only where the kernel wrote to the range while it read it, and then anything is
//! right. A change that is asked for twice is as good as one.
//!
//! No I/O here: bytes in, bytes out.

mod hello;
mod request;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::mem;

use nbd_proto::REQUEST_BYTES;
use nbd_proto::server::SIMPLE_REPLY_BYTES;

pub(crate) use self::hello::{HELLO_BYTES, Hello};
use self::request::{DISCONNECT, Request, command, cookie, number, payload_bytes};

const REQUEST_MAGIC: [u8; 4] = 0x2560_9513_u32.to_be_bytes();
const REPLY_MAGIC: [u8; 4] = 0x6744_6698_u32.to_be_bytes();
/// Bytes for the kernel that are held before no more are taken from the worker.
pub(crate) const REPLY_BUFFER_BYTES: usize = 512 * 1024;

/// Why the relay cannot go on with one of its sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RelayError {
    #[error("the kernel's requests are out of step")]
    Kernel,
    #[error("the worker serves another disk")]
    OtherDisk,
    #[error("the worker's answers are out of step, or to requests that nobody sent")]
    Worker,
}

/// Where in the worker's stream we are.
#[derive(Clone, Copy, Debug)]
enum Reading {
    /// A worker first says which disk it has.
    Hello,
    Header,
    /// In the data of this request's answer; `position` counts from the start of the answer.
    Data {
        cookie: u64,
        position: usize,
    },
}

/// The state between the kernel and one worker after another.
#[derive(Debug)]
pub(crate) struct Relay {
    hello: Hello,
    requests: BTreeMap<u64, Request>,
    next_order: u64,
    kernel_part: Vec<u8>,
    /// The write whose payload comes next from the kernel.
    incoming: Option<u64>,
    worker_part: Vec<u8>,
    reading: Reading,
    /// The answer that a worker died in the middle of. Nothing else may be sent to the kernel before its end, so the
    /// new worker is asked for nothing else.
    broken_off: Option<u64>,
    is_disconnected: bool,
    /// To be written to the kernel's socket.
    pub(crate) to_kernel: VecDeque<u8>,
    /// To be written to the worker's socket.
    pub(crate) to_worker: VecDeque<u8>,
}

impl Relay {
    /// Before the first byte, with a worker that has said nothing yet.
    pub(crate) fn new(hello: Hello) -> Self {
        Self {
            hello,
            requests: BTreeMap::new(),
            next_order: 0,
            kernel_part: Vec::new(),
            incoming: None,
            worker_part: Vec::new(),
            reading: Reading::Hello,
            broken_off: None,
            is_disconnected: false,
            to_kernel: VecDeque::new(),
            to_worker: VecDeque::new(),
        }
    }

    /// The kernel said farewell.
    pub(crate) fn is_disconnected(&self) -> bool {
        self.is_disconnected
    }

    /// Whether there is room for what the worker sends.
    pub(crate) fn wants_answers(&self) -> bool {
        self.to_kernel.len() < REPLY_BUFFER_BYTES
    }

    /// Requests that have no whole answer.
    pub(crate) fn unanswered(&self) -> usize {
        self.requests.len()
    }

    /// Bytes from the kernel.
    pub(crate) fn take_requests(&mut self, mut input: &[u8]) -> Result<(), RelayError> {
        loop {
            if let Some(cookie) = self.incoming {
                if !self.take_payload(cookie, &mut input) {
                    return Ok(());
                }
                continue;
            }
            let Some(header) = fill::<REQUEST_BYTES>(&mut self.kernel_part, &mut input) else {
                return Ok(());
            };
            if !header.starts_with(&REQUEST_MAGIC) {
                return Err(RelayError::Kernel);
            }
            if command(&header) == DISCONNECT {
                self.is_disconnected = true;
                return Ok(());
            }
            let request = Request {
                header,
                payload: Vec::new(),
                order: self.next_order,
                forwarded: 0,
            };
            self.next_order += 1;
            let is_whole = request.is_whole();
            if self.requests.insert(cookie(&header), request).is_some() {
                return Err(RelayError::Kernel);
            }
            if !is_whole {
                self.incoming = Some(cookie(&header));
            } else if self.broken_off.is_none() {
                self.to_worker.extend(header);
            }
        }
    }

    /// Takes more of a write's payload, and says whether that was the last of it.
    fn take_payload(&mut self, cookie: u64, input: &mut &[u8]) -> bool {
        let Some(request) = self.requests.get_mut(&cookie) else {
            self.incoming = None;
            return true;
        };
        let missing = payload_bytes(&request.header) - request.payload.len();
        let (piece, rest) = input.split_at(missing.min(input.len()));
        request.payload.extend_from_slice(piece);
        *input = rest;
        if !request.is_whole() {
            return false;
        }
        self.incoming = None;
        if self.broken_off.is_none() {
            self.to_worker.extend(request.header);
            self.to_worker.extend(&request.payload);
        }
        true
    }

    /// Bytes from the worker.
    pub(crate) fn take_answers(&mut self, mut input: &[u8]) -> Result<(), RelayError> {
        loop {
            match self.reading {
                Reading::Hello => {
                    let Some(hello) = fill::<HELLO_BYTES>(&mut self.worker_part, &mut input) else {
                        return Ok(());
                    };
                    if Hello::from_bytes(hello) != self.hello {
                        return Err(RelayError::OtherDisk);
                    }
                    self.reading = Reading::Header;
                }
                Reading::Header => {
                    let Some(header) =
                        fill::<SIMPLE_REPLY_BYTES>(&mut self.worker_part, &mut input)
                    else {
                        return Ok(());
                    };
                    self.begin_answer(&header)?;
                }
                Reading::Data { cookie, position } => {
                    if input.is_empty() {
                        return Ok(());
                    }
                    let taken = self.continue_answer(cookie, position, input)?;
                    input = input.get(taken..).unwrap_or_default();
                }
            }
        }
    }

    /// The worker is gone; what it did not finish is queued for the next one.
    pub(crate) fn worker_lost(&mut self) {
        self.worker_part.clear();
        self.to_worker.clear();
        if let Reading::Data { cookie, .. } = self.reading {
            self.broken_off = Some(cookie);
        }
        self.reading = Reading::Hello;
        match self
            .broken_off
            .and_then(|cookie| self.requests.get(&cookie))
        {
            Some(request) => self.to_worker.extend(request.header),
            None => self.ask_for_all(),
        }
    }

    fn ask_for_all(&mut self) {
        let whole = self.requests.values().filter(|request| request.is_whole());
        let mut requests: Vec<_> = whole.collect();
        requests.sort_by_key(|request| request.order);
        for request in requests {
            self.to_worker.extend(request.header);
            self.to_worker.extend(&request.payload);
        }
    }

    fn begin_answer(&mut self, header: &[u8; SIMPLE_REPLY_BYTES]) -> Result<(), RelayError> {
        let cookie = cookie(header);
        let request = self
            .requests
            .get_mut(&cookie)
            .filter(|_| header.starts_with(&REPLY_MAGIC));
        let request = request.ok_or(RelayError::Worker)?;
        let is_error = number(header, 4) != 0;
        if is_error && request.forwarded > 0 {
            // The kernel has been told that it goes well, which cannot be taken back: ask again.
            self.to_worker.extend(request.header);
            return Ok(());
        }
        if request.forwarded == 0 {
            self.to_kernel.extend(header);
            request.forwarded = SIMPLE_REPLY_BYTES;
        }
        if is_error || request.answer_bytes() == SIMPLE_REPLY_BYTES {
            self.end_answer(cookie);
        } else {
            self.reading = Reading::Data {
                cookie,
                position: SIMPLE_REPLY_BYTES,
            };
        }
        Ok(())
    }

    fn continue_answer(
        &mut self,
        cookie: u64,
        position: usize,
        input: &[u8],
    ) -> Result<usize, RelayError> {
        let request = self.requests.get_mut(&cookie).ok_or(RelayError::Worker)?;
        let taken = input.len().min(request.answer_bytes() - position);
        let known = taken.min(request.forwarded.saturating_sub(position));
        self.to_kernel
            .extend(input.get(known..taken).unwrap_or_default());
        let position = position + taken;
        request.forwarded = request.forwarded.max(position);
        if position == request.answer_bytes() {
            self.end_answer(cookie);
        } else {
            self.reading = Reading::Data { cookie, position };
        }
        Ok(taken)
    }

    fn end_answer(&mut self, cookie: u64) {
        self.reading = Reading::Header;
        self.requests.remove(&cookie);
        if self
            .broken_off
            .take_if(|broken_off| *broken_off == cookie)
            .is_some()
        {
            self.ask_for_all();
        }
    }
}

/// Moves bytes from `input` to `part` until it is whole, and gives it out.
fn fill<const N: usize>(part: &mut Vec<u8>, input: &mut &[u8]) -> Option<[u8; N]> {
    let taken = input.len().min(N - part.len());
    let (head, rest) = input.split_at(taken);
    part.extend_from_slice(head);
    *input = rest;
    let whole = <[u8; N]>::try_from(part.as_slice()).ok()?;
    mem::take(part);
    Some(whole)
}
