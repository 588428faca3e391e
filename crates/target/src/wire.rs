//! The bytes of one connection to a server: plain, or under TLS.

use std::cell::RefCell;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::IpAddr;

use bytes::BytesMut;
use rustls::ClientConnection;
use tokio::io::{Interest, Ready};
use tokio::net::TcpStream;
use trust::{Trust, name_of};

/// Ciphertext that is received at once.
const RECEIVED_BYTES: usize = 256 * 1024;
/// Ciphertext that may wait for a socket that is full.
const WAITING_BYTES: usize = 1024 * 1024;

pub(crate) struct Wire {
    stream: TcpStream,
    tls: Option<Box<RefCell<Tls>>>,
}

struct Tls {
    session: ClientConnection,
    received: Vec<u8>,
}

impl Wire {
    pub(crate) fn plain(stream: TcpStream) -> Self {
        Self { stream, tls: None }
    }

    /// Shakes hands as TLS does. Everything is under TLS afterwards.
    pub(crate) async fn secure(&mut self, trust: &Trust, address: IpAddr) -> io::Result<()> {
        let session = ClientConnection::new(trust.config(), name_of(address));
        let mut session = session.map_err(io::Error::other)?;
        session.set_buffer_limit(Some(WAITING_BYTES));
        let tls = RefCell::new(Tls {
            session,
            received: Vec::new(),
        });
        self.tls = Some(Box::new(tls));
        let mut early = BytesMut::new();
        loop {
            self.flush().await?;
            if !self.is_handshaking() {
                break;
            }
            self.stream.readable().await?;
            match self.try_read_buf(&mut early) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => {
                    // Why, for the server's log; whether it hears it is its own affair.
                    let _ = self.try_flush();
                    return Err(error);
                }
                // An NBD server says nothing before it is asked.
                Ok(_) => return Err(ErrorKind::InvalidData.into()),
            }
        }
        Ok(())
    }

    fn is_handshaking(&self) -> bool {
        let tls = self.tls.as_ref();
        tls.is_some_and(|tls| tls.borrow().session.is_handshaking())
    }

    pub(crate) async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        self.stream.ready(interest).await
    }

    /// Takes bytes to be sent, as many as there is room for. Under TLS some may wait for [`Wire::try_flush`].
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let Some(tls) = &self.tls else {
            return self.stream.try_write(bytes);
        };
        let mut taken = tls.borrow_mut().session.writer().write(bytes)?;
        if taken == 0 {
            self.try_flush()?;
            taken = tls.borrow_mut().session.writer().write(bytes)?;
        }
        if taken == 0 && !bytes.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(taken)
    }

    /// Whether TLS holds bytes back that the socket did not take.
    pub(crate) fn holds_back(&self) -> bool {
        let tls = self.tls.as_ref();
        tls.is_some_and(|tls| tls.borrow().session.wants_write())
    }

    /// Gives the socket what TLS holds back; `WouldBlock` if it does not take everything.
    pub(crate) fn try_flush(&self) -> io::Result<()> {
        if let Some(tls) = &self.tls {
            let session = &mut tls.borrow_mut().session;
            while session.wants_write() {
                session.write_tls(&mut Sink(&self.stream))?;
            }
        }
        Ok(())
    }

    /// Adds what has arrived; zero at the end of the stream, `WouldBlock` if nothing whole has.
    pub(crate) fn try_read_buf(&self, into: &mut BytesMut) -> io::Result<usize> {
        let Some(tls) = &self.tls else {
            return self.stream.try_read_buf(into);
        };
        let Tls { session, received } = &mut *tls.borrow_mut();
        received.clear();
        received.reserve(RECEIVED_BYTES);
        if self.stream.try_read_buf(received)? == 0 {
            return Ok(0);
        }
        let before = into.len();
        let mut rest = received.as_slice();
        while !rest.is_empty() {
            session.read_tls(&mut rest)?;
            let state = session
                .process_new_packets()
                .map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
            let start = into.len();
            into.resize(start + state.plaintext_bytes_to_read(), 0);
            if let Some(place) = into.get_mut(start..) {
                session.reader().read_exact(place)?;
            }
            if state.peer_has_closed() {
                return Ok(into.len() - before);
            }
        }
        match into.len() - before {
            0 => Err(ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }

    /// Sends all of it.
    pub(crate) async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.try_write(bytes) {
                Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.stream.writable().await?;
                }
                Err(error) => return Err(error),
            }
        }
        self.flush().await
    }

    /// Waits for bytes and adds them; zero at the end of the stream.
    pub(crate) async fn read_buf(&self, into: &mut BytesMut) -> io::Result<usize> {
        loop {
            match self.try_read_buf(into) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.stream.readable().await?;
                }
                result => return result,
            }
        }
    }

    async fn flush(&self) -> io::Result<()> {
        loop {
            match self.try_flush() {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.stream.writable().await?;
                }
                result => return result,
            }
        }
    }
}

/// The socket as TLS wants it.
struct Sink<'a>(&'a TcpStream);

impl io::Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, pieces: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(pieces)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
