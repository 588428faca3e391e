//! One stream socket of either kind, asked without waiting.

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendFlags};
use rustls::ServerConfig;
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream};

use crate::pool::Buffer;
use crate::tls::Session;

/// After this long without a sign of life, a TCP peer is asked for one; and after this long without an answer to anything
/// sent, it is given up.
const PEER_IS_SILENT: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_PROBES: u32 = 3;
/// Reads of the wire in which plain bytes must come: a record takes five. Whoever sends records with nothing in them, without end and
/// before it has logged in, must not keep the reactor from all others.
const READS_AT_ONCE: usize = 8;
/// Bytes of a file that are encrypted at a time.
const ENCRYPTED_BYTES: usize = 64 * 1024;

#[derive(Debug)]
enum Wire {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A connection: plain, or under TLS.
#[derive(Debug)]
pub(crate) struct Socket {
    wire: Wire,
    tls: Option<Box<Session>>,
}

/// A socket that no reactor has taken yet.
#[derive(Debug)]
pub(crate) enum Accepted {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

impl Accepted {
    /// Gives the socket to the reactor of the current thread.
    pub(crate) fn register(self) -> io::Result<Socket> {
        match self {
            Self::Tcp(stream) => {
                stream.set_nodelay(true)?;
                let socket = socket2::SockRef::from(&stream);
                let keepalive = socket2::TcpKeepalive::new()
                    .with_time(PEER_IS_SILENT)
                    .with_interval(KEEPALIVE_INTERVAL)
                    .with_retries(KEEPALIVE_PROBES);
                socket.set_tcp_keepalive(&keepalive)?;
                socket.set_tcp_user_timeout(Some(PEER_IS_SILENT))?;
                TcpStream::from_std(stream).map(|stream| Socket::plain(Wire::Tcp(stream)))
            }
            Self::Unix(stream) => {
                UnixStream::from_std(stream).map(|stream| Socket::plain(Wire::Unix(stream)))
            }
        }
    }
}

impl Socket {
    fn plain(wire: Wire) -> Self {
        Self { wire, tls: None }
    }

    /// Whether it is one of the machine's own, which nobody listens in on.
    pub(crate) fn is_unix(&self) -> bool {
        matches!(self.wire, Wire::Unix(_))
    }

    /// Shakes hands as TLS does; `received` is what came in advance. Everything is under TLS afterwards.
    pub(crate) async fn secure(
        &mut self,
        config: Arc<ServerConfig>,
        received: &[u8],
    ) -> io::Result<()> {
        let session = Session::begin(config, received)?;
        loop {
            loop {
                match session.put_out(&mut WireBytes(&self.wire)) {
                    Ok(()) => break,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        self.writable().await?;
                    }
                    Err(error) => return Err(error),
                }
            }
            if !session.is_handshaking() {
                break;
            }
            match session.take_in(&mut WireBytes(&self.wire)) {
                Ok(true) => {}
                Ok(false) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable().await?,
                Err(error) => {
                    // Why, for the other side; whether it hears it is its own affair.
                    let _ = session.put_out(&mut WireBytes(&self.wire));
                    return Err(error);
                }
            }
        }
        self.tls = Some(Box::new(session));
        Ok(())
    }

    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.wire {
            Wire::Tcp(stream) => stream.poll_read_ready(context),
            Wire::Unix(stream) => stream.poll_read_ready(context),
        }
    }

    pub(crate) fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.wire {
            Wire::Tcp(stream) => stream.poll_write_ready(context),
            Wire::Unix(stream) => stream.poll_write_ready(context),
        }
    }

    /// Waits for bytes on the wire. Only after [`Socket::receive`] would have blocked: TLS may hold some already.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        std::future::poll_fn(|context| self.poll_readable(context)).await
    }

    pub(crate) async fn writable(&self) -> io::Result<()> {
        std::future::poll_fn(|context| self.poll_writable(context)).await
    }

    /// What has arrived; zero at the end of the stream.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(session) = &self.tls else {
            return self.wire.receive(buffer);
        };
        for _ in 0..READS_AT_ONCE {
            match session.receive(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
            session.take_in(&mut WireBytes(&self.wire))?;
        }
        session.receive(buffer)
    }

    /// Sends what the socket takes. `more` says that something follows at once. Under TLS some of it may wait for
    /// [`Socket::flush`].
    pub(crate) fn send(&self, bytes: &[u8], more: bool) -> io::Result<usize> {
        let Some(session) = &self.tls else {
            return self.wire.send(bytes, more);
        };
        let taken = match session.send(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                session.put_out(&mut WireBytes(&self.wire))?;
                session.send(bytes)?
            }
            result => result?,
        };
        if !more {
            match self.flush() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => result?,
            }
        }
        Ok(taken)
    }

    /// Puts on the wire what TLS holds back; `WouldBlock` if the wire is full before that is done.
    pub(crate) fn flush(&self) -> io::Result<()> {
        match &self.tls {
            Some(session) => session.put_out(&mut WireBytes(&self.wire)),
            None => Ok(()),
        }
    }

    /// Sends what the socket takes of a range of `file`: without copying it through this process, unless TLS must see it.
    ///
    /// Unlike [`Socket::send`] this cannot keep the kernel from raising SIGPIPE when the peer is gone: the process must ignore
    /// that signal, as Rust's and Python's do from their start.
    pub(crate) fn send_file(&self, file: &File, offset: u64, length: usize) -> io::Result<usize> {
        if self.tls.is_none() {
            return self.wire.send_file(file, offset, length);
        }
        let mut buffer = Buffer::take();
        let place = buffer
            .get_mut(..length.min(ENCRYPTED_BYTES))
            .unwrap_or_default();
        let read = rustix::io::pread(file, &mut *place, offset)?;
        if read == 0 {
            return Ok(0);
        }
        self.send(place.get(..read).unwrap_or_default(), read < length)
    }
}

/// The wire as TLS wants it.
struct WireBytes<'a>(&'a Wire);

impl io::Read for WireBytes<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.receive(buffer)
    }
}

impl io::Write for WireBytes<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes, false)
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.send_pieces(pieces, false)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Wire {
    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len();
        self.attempt(Interest::READABLE, wanted, |socket| {
            Ok(rustix::io::read(socket, &mut *buffer)?)
        })
    }

    fn send(&self, bytes: &[u8], more: bool) -> io::Result<usize> {
        self.send_pieces(&[IoSlice::new(bytes)], more)
    }

    fn send_pieces(&self, pieces: &[IoSlice<'_>], more: bool) -> io::Result<usize> {
        let mut flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        flags.set(SendFlags::MORE, more);
        let length = pieces.iter().map(|piece| piece.len()).sum();
        self.attempt(Interest::WRITABLE, length, |socket| {
            let sent =
                rustix::net::sendmsg(socket, pieces, &mut SendAncillaryBuffer::default(), flags);
            Ok(sent?)
        })
    }

    fn send_file(&self, file: &File, offset: u64, length: usize) -> io::Result<usize> {
        self.attempt(Interest::WRITABLE, length, |socket| {
            let mut offset = offset;
            Ok(rustix::fs::sendfile(
                socket,
                file,
                Some(&mut offset),
                length,
            )?)
        })
    }

    /// Does `operation` if the socket is ready for it.
    ///
    /// When less was done than wanted, the socket is known to be drained or full, and the next attempt waits for the reactor
    /// instead of asking the kernel again only to be told so.
    fn attempt(
        &self,
        interest: Interest,
        wanted: usize,
        mut operation: impl FnMut(BorrowedFd<'_>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let mut done = 0;
        let mut once = |socket: BorrowedFd<'_>| {
            done = loop {
                match operation(socket) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    result => break result?,
                }
            };
            if 0 < done && done < wanted {
                Err(io::ErrorKind::WouldBlock.into())
            } else {
                Ok(())
            }
        };
        let result = match self {
            Wire::Tcp(stream) => stream.try_io(interest, || once(stream.as_fd())),
            Wire::Unix(stream) => stream.try_io(interest, || once(stream.as_fd())),
        };
        match result {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && done > 0 => Ok(done),
            result => result.map(|()| done),
        }
    }
}
