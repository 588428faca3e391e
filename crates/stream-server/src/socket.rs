//! One stream socket of either kind, asked without waiting.

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendFlags};
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream};

/// After this long without a sign of life, a TCP peer is asked for one; and after this long without an answer to anything
/// sent, it is given up.
const PEER_IS_SILENT: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_PROBES: u32 = 3;

#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
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
                TcpStream::from_std(stream).map(Socket::Tcp)
            }
            Self::Unix(stream) => UnixStream::from_std(stream).map(Socket::Unix),
        }
    }
}

impl Socket {
    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_read_ready(context),
            Self::Unix(stream) => stream.poll_read_ready(context),
        }
    }

    pub(crate) fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_write_ready(context),
            Self::Unix(stream) => stream.poll_write_ready(context),
        }
    }

    pub(crate) async fn readable(&self) -> io::Result<()> {
        std::future::poll_fn(|context| self.poll_readable(context)).await
    }

    pub(crate) async fn writable(&self) -> io::Result<()> {
        std::future::poll_fn(|context| self.poll_writable(context)).await
    }

    /// What has arrived; zero at the end of the stream.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len();
        self.attempt(Interest::READABLE, wanted, |socket| {
            Ok(rustix::io::read(socket, &mut *buffer)?)
        })
    }

    /// Sends what the socket takes. `more` says that something follows at once.
    pub(crate) fn send(&self, bytes: &[u8], more: bool) -> io::Result<usize> {
        let mut flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        flags.set(SendFlags::MORE, more);
        self.attempt(Interest::WRITABLE, bytes.len(), |socket| {
            let sent = rustix::net::sendmsg(
                socket,
                &[IoSlice::new(bytes)],
                &mut SendAncillaryBuffer::default(),
                flags,
            );
            Ok(sent?)
        })
    }

    /// Sends what the socket takes of a range of `file`, without copying it through this process.
    ///
    /// Unlike [`Socket::send`] this cannot keep the kernel from raising SIGPIPE when the peer is gone: the process must ignore
    /// that signal, as Rust's and Python's do from their start.
    pub(crate) fn send_file(&self, file: &File, offset: u64, length: usize) -> io::Result<usize> {
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
            Self::Tcp(stream) => stream.try_io(interest, || once(stream.as_fd())),
            Self::Unix(stream) => stream.try_io(interest, || once(stream.as_fd())),
        };
        match result {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && done > 0 => Ok(done),
            result => result.map(|()| done),
        }
    }
}
