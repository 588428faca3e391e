//! A disk behind an NBD server on a unix socket, such as `qemu-nbd`, which reads every format that QEMU knows.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use nbd_proto::client::{
    Event, Handshake, Negotiated, Outstanding, ReadAssembly, ReplyDecoder, ReplyForm, Wanted,
};
use nbd_proto::{AllocationFlags, Command, CommandFlags, Cookie, Request};

use super::DiskSource;

/// A server that is silent for this long is taken for dead: an import must end, with an error if need be.
const SILENCE: Duration = Duration::from_mins(1);
const ALLOCATION: &str = "base:allocation";
/// What every server takes in one read, whatever it says of its block sizes.
const READ_BYTES: u32 = 1 << 20;
/// What one question about allocation covers. Below 4 GiB, and whole blocks of any size a server has.
const STATUS_BYTES: u64 = 2 << 30;
const RECEIVE_BYTES: usize = 256 << 10;

/// An export of an NBD server.
#[derive(Debug)]
pub struct NbdDisk {
    link: Link,
    negotiated: Negotiated,
    /// The number of `base:allocation`, if the server knows it. Without it all of the disk counts as data.
    allocation: Option<u32>,
    /// Runs of data that the server told of, in order: (start, end). They cover what lies before `known_until`.
    runs: Vec<(u64, u64)>,
    known_until: u64,
}

impl NbdDisk {
    /// Open the export `name` (often empty) of the server at the socket `path`.
    ///
    /// # Errors
    /// Nobody listens there, it is no NBD server, or it has no such export.
    pub fn connect(path: &Path, name: &str) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(SILENCE))?;
        stream.set_write_timeout(Some(SILENCE))?;
        let mut link = Link {
            stream,
            received: Received::default(),
            decoder: ReplyDecoder::new(ReplyForm::Simple),
            cookie: 0,
        };
        let negotiated = link.agree(Wanted {
            export: name.to_owned(),
            contexts: vec![ALLOCATION.to_owned()],
            structured_replies: true,
        })?;
        if negotiated.structured_replies {
            link.decoder = ReplyDecoder::new(ReplyForm::Structured);
        }
        let mut contexts = negotiated.contexts.iter();
        let allocation = contexts.find(|context| context.name == ALLOCATION);
        Ok(Self {
            allocation: allocation.map(|context| context.id),
            link,
            negotiated,
            runs: Vec::new(),
            known_until: 0,
        })
    }

    /// Ask what lies behind `known_until`.
    fn learn(&mut self, context: u32) -> io::Result<()> {
        let start = self.known_until;
        let asked = (self.negotiated.size_bytes - start).min(STATUS_BYTES);
        let request = Request {
            command: Command::BlockStatus,
            ..Request::read(self.link.next_cookie(), start, length_field(asked)?)
        };
        let mut position = start;
        let mut failure = None;
        let runs = &mut self.runs;
        self.link.ask(request, 0, &mut |event| match event {
            Event::Extent {
                context: of,
                extent,
                ..
            } if of == context => {
                // The last extent may go beyond what was asked for.
                let end = (position + u64::from(extent.length)).min(start + asked);
                // A hole without the promise of zeros may read as anything, so it is read.
                if !AllocationFlags::from_bits_retain(extent.flags).contains(AllocationFlags::ZERO)
                    && end > position
                {
                    match runs.last_mut() {
                        Some(last) if last.1 == position => last.1 = end,
                        _ => runs.push((position, end)),
                    }
                }
                position = end;
                Ok(())
            }
            Event::Failed { code, message, .. } => {
                failure.get_or_insert(format!("{code:?} {message}"));
                Ok(())
            }
            _ => Ok(()),
        })?;
        if let Some(failure) = failure {
            return Err(io::Error::other(format!(
                "the NBD server will not say where data is: {failure}"
            )));
        }
        if position == start {
            return Err(io::Error::other(
                "the NBD server gave no extent where one was asked for",
            ));
        }
        self.known_until = position;
        Ok(())
    }
}

fn length_field(length: u64) -> io::Result<u32> {
    u32::try_from(length).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))
}

impl DiskSource for NbdDisk {
    fn size(&self) -> u64 {
        self.negotiated.size_bytes
    }

    fn next_data(&mut self, from: u64) -> io::Result<Option<(u64, u64)>> {
        let size = self.size();
        let Some(context) = self.allocation else {
            return Ok((from < size).then(|| (from, size - from)));
        };
        loop {
            let run = self.runs.partition_point(|(_, end)| *end <= from);
            if let Some((start, end)) = self.runs.get(run) {
                // One that reaches the end of what is known may go on behind it; a shorter answer is right as well.
                let start = (*start).max(from);
                return Ok(Some((start, end - start)));
            }
            if self.known_until >= size {
                return Ok(None);
            }
            self.learn(context)?;
        }
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let largest = self
            .negotiated
            .block_sizes
            .map_or(READ_BYTES, |sizes| sizes.maximum_payload.min(READ_BYTES));
        let mut position = offset;
        for part in buffer.chunks_mut(usize::try_from(largest.max(1)).unwrap_or(usize::MAX)) {
            let length = length_field(part.len() as u64)?;
            let request = Request::read(self.link.next_cookie(), position, length);
            let mut assembly = ReadAssembly::new(position, length);
            self.link.ask(request, length, &mut |event| {
                match event {
                    Event::Data { offset, bytes, .. } => assembly.data(offset, bytes),
                    Event::Hole { offset, length, .. } => assembly.hole(offset, length),
                    Event::Failed { code, .. } => {
                        assembly.failed(code);
                        Ok(())
                    }
                    Event::Extent { .. } | Event::Done { .. } => Ok(()),
                }
                .map_err(io::Error::other)
            })?;
            part.copy_from_slice(&assembly.finish().map_err(io::Error::other)?);
            position += u64::from(length);
        }
        Ok(())
    }
}

impl Drop for NbdDisk {
    fn drop(&mut self) {
        // A courtesy: a server that does not hear it sees the end of the connection.
        _ = self.link.stream.write_all(&Request::disconnect().encode());
    }
}

#[derive(Debug)]
struct Link {
    stream: UnixStream,
    received: Received,
    decoder: ReplyDecoder,
    cookie: u64,
}

/// Bytes that came and were not taken yet.
#[derive(Debug, Default)]
struct Received(Vec<u8>);

impl Received {
    fn keep_last(&mut self, left: usize) {
        let taken = self.0.len() - left;
        self.0.drain(..taken);
    }

    fn receive(&mut self, stream: &mut UnixStream) -> io::Result<()> {
        let before = self.0.len();
        self.0.resize(before + RECEIVE_BYTES, 0);
        let read = stream.read(&mut self.0[before..]);
        self.0.truncate(before + *read.as_ref().unwrap_or(&0));
        match read {
            Ok(0) => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the NBD server closed the connection",
            )),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                ) =>
            {
                let message = format!(
                    "the NBD server did not answer for {} seconds",
                    SILENCE.as_secs()
                );
                Err(io::Error::new(io::ErrorKind::TimedOut, message))
            }
            Err(error) => Err(error),
        }
    }
}

impl Link {
    fn next_cookie(&mut self) -> Cookie {
        self.cookie += 1;
        Cookie(self.cookie)
    }

    fn agree(&mut self, wanted: Wanted) -> io::Result<Negotiated> {
        let mut handshake = Handshake::new(wanted).map_err(io::Error::other)?;
        loop {
            let mut input = &self.received.0[..];
            let mut output = Vec::new();
            let result = handshake.advance(&mut input, &mut output);
            let left = input.len();
            self.received.keep_last(left);
            self.stream.write_all(&output)?;
            match result.map_err(io::Error::other)? {
                Some(negotiated) => return Ok(negotiated),
                None => self.received.receive(&mut self.stream)?,
            }
        }
    }

    /// Send a request and give every piece of its reply to `take`.
    fn ask(
        &mut self,
        request: Request,
        data_bytes: u32,
        take: &mut dyn FnMut(Event<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let request = Request {
            flags: CommandFlags::empty(),
            ..request
        };
        self.stream.write_all(&request.encode())?;
        let outstanding = Outstanding {
            offset: request.offset,
            data_bytes,
        };
        loop {
            let mut input = &self.received.0[..];
            let mut is_done = false;
            while !is_done {
                let known = |cookie| (cookie == request.cookie).then_some(outstanding);
                match self
                    .decoder
                    .next_event(&mut input, known)
                    .map_err(io::Error::other)?
                {
                    Some(Event::Done { .. }) => is_done = true,
                    Some(event) => take(event)?,
                    None => break,
                }
            }
            let left = input.len();
            self.received.keep_last(left);
            if is_done {
                return Ok(());
            }
            self.received.receive(&mut self.stream)?;
        }
    }
}
