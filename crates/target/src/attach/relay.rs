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

use std::collections::{BTreeMap, VecDeque};
use std::mem;

use nbd_proto::REQUEST_BYTES;
use nbd_proto::server::SIMPLE_REPLY_BYTES;

const REQUEST_MAGIC: [u8; 4] = 0x2560_9513_u32.to_be_bytes();
const REPLY_MAGIC: [u8; 4] = 0x6744_6698_u32.to_be_bytes();
const READ: u16 = 0;
const WRITE: u16 = 1;
const DISCONNECT: u16 = 2;
/// Bytes of a [`Hello`].
pub(crate) const HELLO_BYTES: usize = 9;
/// Bytes for the kernel that are held before no more are taken from the worker.
pub(crate) const REPLY_BUFFER_BYTES: usize = 512 * 1024;

/// What a worker says first: the disk that it serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    pub(crate) size_bytes: u64,
    pub(crate) is_writable: bool,
}

impl Hello {
    pub(crate) fn to_bytes(self) -> [u8; HELLO_BYTES] {
        let mut bytes = [u8::from(self.is_writable); HELLO_BYTES];
        if let Some(size) = bytes.first_chunk_mut::<8>() {
            *size = self.size_bytes.to_be_bytes();
        }
        bytes
    }

    pub(crate) fn from_bytes(bytes: [u8; HELLO_BYTES]) -> Self {
        let [size @ .., writable] = bytes;
        Self {
            size_bytes: u64::from_be_bytes(size),
            is_writable: writable != 0,
        }
    }
}

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

#[derive(Clone, Debug)]
struct Request {
    header: [u8; REQUEST_BYTES],
    /// Of a write, as far as it has come.
    payload: Vec<u8>,
    order: u64,
    /// Answer bytes, header included, that the kernel has or will get.
    forwarded: usize,
}

impl Request {
    /// Whether all of it has come from the kernel.
    fn is_whole(&self) -> bool {
        self.payload.len() == payload_bytes(&self.header)
    }

    /// Bytes of a good answer.
    fn answer_bytes(&self) -> usize {
        let data = if command(&self.header) == READ {
            number(&self.header, 24) as usize
        } else {
            0
        };
        SIMPLE_REPLY_BYTES + data
    }
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

/// Bytes that follow a request's header.
fn payload_bytes(header: &[u8; REQUEST_BYTES]) -> usize {
    if command(header) == WRITE {
        number(header, 24) as usize
    } else {
        0
    }
}

fn command(header: &[u8; REQUEST_BYTES]) -> u16 {
    match header {
        [_, _, _, _, _, _, high, low, ..] => u16::from_be_bytes([*high, *low]),
    }
}

/// The cookie, which requests and answers have at the same place.
fn cookie(header: &[u8]) -> u64 {
    header
        .get(8..16)
        .and_then(|bytes| bytes.try_into().ok())
        .map_or(0, u64::from_be_bytes)
}

fn number(header: &[u8], at: usize) -> u32 {
    header
        .get(at..at + 4)
        .and_then(|bytes| bytes.try_into().ok())
        .map_or(0, u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use nbd_proto::server::simple_reply;
    use nbd_proto::{Cookie, ErrorCode, Request};

    use super::*;

    const HELLO: Hello = Hello {
        size_bytes: 1 << 20,
        is_writable: true,
    };

    fn disk(offset: u64, length: u32) -> Vec<u8> {
        (offset..offset + u64::from(length))
            .map(|at| (at % 251) as u8)
            .collect()
    }

    fn answer(cookie: u64, offset: u64, length: u32) -> Vec<u8> {
        [
            simple_reply(Cookie(cookie), None).to_vec(),
            disk(offset, length),
        ]
        .concat()
    }

    fn drain(bytes: &mut VecDeque<u8>) -> Vec<u8> {
        bytes.drain(..).collect()
    }

    fn started() -> Relay {
        let mut relay = Relay::new(HELLO);
        relay.take_answers(&HELLO.to_bytes()).unwrap();
        relay
    }

    #[test]
    fn copies_requests_and_answers_however_they_are_cut() {
        let mut relay = started();
        let requests = [
            Request::read(Cookie(7), 0, 600).encode(),
            Request::read(Cookie(8), 4096, 512).encode(),
        ]
        .concat();
        for byte in &requests {
            relay.take_requests(&[*byte]).unwrap();
        }
        assert_eq!(drain(&mut relay.to_worker), requests);
        let answers = [answer(8, 4096, 512), answer(7, 0, 600)].concat();
        for byte in &answers {
            relay.take_answers(&[*byte]).unwrap();
        }
        assert_eq!(drain(&mut relay.to_kernel), answers);
        assert_eq!(relay.unanswered(), 0);
    }

    /// The kernel must see one whole answer to each request, wherever the worker's stream breaks off.
    #[test]
    fn a_worker_may_die_at_any_byte_of_its_answers() {
        let requests = [(1, 0, 300), (2, 1000, 200), (3, 5000, 100)];
        let answers = requests
            .map(|(cookie, offset, length)| answer(cookie, offset, length))
            .concat();
        for cut in 0..answers.len() {
            let mut relay = started();
            for (cookie, offset, length) in requests {
                relay
                    .take_requests(&Request::read(Cookie(cookie), offset, length).encode())
                    .unwrap();
            }
            relay.take_answers(&answers[..cut]).unwrap();
            relay.worker_lost();
            let mut seen = drain(&mut relay.to_kernel);
            relay.take_answers(&HELLO.to_bytes()).unwrap();
            // The next worker answers what it is asked, last asked first.
            while relay.unanswered() > 0 {
                let asked = drain(&mut relay.to_worker);
                assert!(
                    !asked.is_empty(),
                    "cut at {cut}: nothing is asked, {} unanswered",
                    relay.unanswered()
                );
                for request in asked.chunks(REQUEST_BYTES).rev() {
                    let offset = u64::from_be_bytes(request[16..24].try_into().unwrap());
                    relay
                        .take_answers(&answer(cookie(request), offset, number(request, 24)))
                        .unwrap();
                }
            }
            seen.extend(drain(&mut relay.to_kernel));
            let mut rest = seen.as_slice();
            let mut answered = Vec::new();
            while !rest.is_empty() {
                let (cookie, offset, length) = *requests
                    .iter()
                    .find(|(cookie, ..)| rest[8..16] == cookie.to_be_bytes())
                    .unwrap();
                let expected = answer(cookie, offset, length);
                assert_eq!(rest[..expected.len()], expected, "cut at {cut}");
                answered.push(cookie);
                rest = &rest[expected.len()..];
            }
            answered.sort_unstable();
            assert_eq!(answered, [1, 2, 3], "cut at {cut}");
        }
    }

    #[test]
    fn an_error_after_a_good_beginning_is_asked_again() {
        let mut relay = started();
        let request = Request::read(Cookie(5), 0, 100).encode();
        relay.take_requests(&request).unwrap();
        relay.take_answers(&answer(5, 0, 100)[..50]).unwrap();
        relay.worker_lost();
        drain(&mut relay.to_worker);
        relay.take_answers(&HELLO.to_bytes()).unwrap();
        relay
            .take_answers(&simple_reply(Cookie(5), Some(ErrorCode::InputOutput)))
            .unwrap();
        assert_eq!(drain(&mut relay.to_worker), request);
        relay.take_answers(&answer(5, 0, 100)).unwrap();
        assert_eq!(drain(&mut relay.to_kernel), answer(5, 0, 100));
    }

    #[test]
    fn an_error_is_passed_on() {
        let mut relay = started();
        relay
            .take_requests(&Request::read(Cookie(5), 0, 100).encode())
            .unwrap();
        let error = simple_reply(Cookie(5), Some(ErrorCode::InputOutput));
        relay.take_answers(&error).unwrap();
        assert_eq!(drain(&mut relay.to_kernel), error);
        assert_eq!(relay.unanswered(), 0);
    }

    #[test]
    fn refuses_what_is_out_of_step() {
        assert_eq!(
            started().take_requests(&[0; REQUEST_BYTES]),
            Err(RelayError::Kernel)
        );
        assert_eq!(
            started().take_answers(&answer(5, 0, 100)),
            Err(RelayError::Worker)
        );
        assert_eq!(
            Relay::new(HELLO).take_answers(
                &Hello {
                    is_writable: false,
                    ..HELLO
                }
                .to_bytes()
            ),
            Err(RelayError::OtherDisk)
        );
    }

    fn write(cookie: u64, payload: &[u8]) -> Vec<u8> {
        let request = Request {
            cookie: Cookie(cookie),
            command: nbd_proto::Command::Write,
            flags: nbd_proto::CommandFlags::FUA,
            offset: 4096,
            length: u32::try_from(payload.len()).unwrap(),
        };
        [request.encode().as_slice(), payload].concat()
    }

    #[test]
    fn a_write_goes_to_the_next_worker_with_its_payload_wherever_the_first_one_dies() {
        let requests = [
            write(1, &[7; 700]),
            Request::read(Cookie(2), 0, 16).encode().to_vec(),
            write(3, &[9; 300]),
        ]
        .concat();
        for cut in 0..=requests.len() {
            let mut relay = started();
            relay.take_requests(&requests[..cut]).unwrap();
            relay.worker_lost();
            relay.take_answers(&HELLO.to_bytes()).unwrap();
            for byte in &requests[cut..] {
                relay.take_requests(&[*byte]).unwrap();
            }
            assert_eq!(drain(&mut relay.to_worker), requests, "cut at {cut}");
            for answer in [
                simple_reply(Cookie(3), None).to_vec(),
                answer(2, 0, 16),
                simple_reply(Cookie(1), None).to_vec(),
            ] {
                relay.take_answers(&answer).unwrap();
            }
            assert_eq!(relay.unanswered(), 0);
        }
    }

    #[test]
    fn hears_the_farewell() {
        let mut relay = started();
        relay
            .take_requests(&Request::disconnect().encode())
            .unwrap();
        assert!(relay.is_disconnected());
    }
}
