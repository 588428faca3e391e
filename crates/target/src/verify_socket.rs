//! A disk read over NBD on a unix socket, one request at a time.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use nbd_proto::client::{
    Event, Handshake, Negotiated, Outstanding, ReadAssembly, ReplyDecoder, ReplyForm, Wanted,
};
use nbd_proto::{Cookie, Request};

const RECEIVE_BYTES: usize = 256 * 1024;

/// An export that is being read.
pub(crate) struct NbdDisk {
    stream: UnixStream,
    negotiated: Negotiated,
    decoder: ReplyDecoder,
    received: Vec<u8>,
    buffer: Vec<u8>,
    next_cookie: u64,
}

impl NbdDisk {
    pub(crate) fn connect(path: &Path) -> io::Result<Self> {
        let mut stream = UnixStream::connect(path)?;
        let wanted = Wanted {
            export: String::new(),
            contexts: Vec::new(),
            structured_replies: true,
        };
        let mut handshake = Handshake::new(wanted).map_err(io::Error::other)?;
        let mut received = Vec::new();
        let mut buffer = vec![0; RECEIVE_BYTES];
        let mut output = Vec::new();
        let negotiated = loop {
            let mut input = received.as_slice();
            let step = handshake.advance(&mut input, &mut output);
            let taken = received.len() - input.len();
            received.drain(..taken);
            stream.write_all(&output)?;
            output.clear();
            if let Some(negotiated) = step.map_err(io::Error::other)? {
                break negotiated;
            }
            receive(&mut stream, &mut buffer, &mut received)?;
        };
        let form = if negotiated.structured_replies {
            ReplyForm::Structured
        } else {
            ReplyForm::Simple
        };
        Ok(Self {
            stream,
            negotiated,
            decoder: ReplyDecoder::new(form),
            received,
            buffer,
            next_cookie: 0,
        })
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        self.negotiated.size_bytes
    }

    pub(crate) fn read(&mut self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        self.next_cookie += 1;
        let cookie = Cookie(self.next_cookie);
        self.stream
            .write_all(&Request::read(cookie, offset, length).encode())?;
        let mut pieces = ReadAssembly::new(offset, length);
        loop {
            let mut input = self.received.as_slice();
            let asked = |got| {
                (got == cookie).then_some(Outstanding {
                    offset,
                    data_bytes: length,
                })
            };
            let mut is_done = false;
            while let Some(event) = self
                .decoder
                .next_event(&mut input, asked)
                .map_err(io::Error::other)?
            {
                match event {
                    Event::Data { offset, bytes, .. } => {
                        pieces.data(offset, bytes).map_err(io::Error::other)?;
                    }
                    Event::Hole { offset, length, .. } => {
                        pieces.hole(offset, length).map_err(io::Error::other)?;
                    }
                    Event::Failed { code, .. } => pieces.failed(code),
                    Event::Extent { .. } => {}
                    Event::Done { .. } => {
                        is_done = true;
                        break;
                    }
                }
            }
            let taken = self.received.len() - input.len();
            self.received.drain(..taken);
            if is_done {
                bytes.copy_from_slice(&pieces.finish().map_err(io::Error::other)?);
                return Ok(());
            }
            receive(&mut self.stream, &mut self.buffer, &mut self.received)?;
        }
    }
}

impl Drop for NbdDisk {
    fn drop(&mut self) {
        let _ = self.stream.write_all(&Request::disconnect().encode());
    }
}

fn receive(stream: &mut UnixStream, buffer: &mut [u8], received: &mut Vec<u8>) -> io::Result<()> {
    match stream.read(buffer)? {
        0 => Err(ErrorKind::UnexpectedEof.into()),
        count => {
            received.extend_from_slice(buffer.get(..count).unwrap_or_default());
            Ok(())
        }
    }
}
