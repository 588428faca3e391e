//! How a connection comes about, and why it may not.

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use failover::Refusal;
use nbd_proto::TransmissionFlags;
use nbd_proto::client::{Handshake, HandshakeError, ReplyForm, Wanted};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use trust::distrust;

use super::{Connection, DiskWish, RECEIVE_BYTES, Wish};
use crate::wire::Wire;

/// Unacknowledged bytes for so long mean that the path is gone, whatever the retransmission timer thinks.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(8);
/// The metadata context whose name tells one writable disk from another.
const DISK_PREFIX: &str = "corral:disk/";

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Handshake(#[from] HandshakeError),
    #[error("it does not have root {root}")]
    WrongRoot { root: String },
    #[error("it serves {found} bytes instead of {expected}")]
    WrongSize { found: u64, expected: u64 },
    #[error("its disk is another one than this device has been writing to")]
    OtherDisk,
    #[error("it does not let this device write")]
    ReadOnly,
    #[error("{0}")]
    Untrusted(String),
    #[error("it sent something before TLS had begun")]
    Unasked,
    #[error("it has no numeric address")]
    NoAddress,
}

impl ConnectError {
    /// `None`: not refused, just not reached.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::WrongRoot { .. } | Self::WrongSize { .. } | Self::OtherDisk | Self::ReadOnly => {
                Some(Refusal::WrongRoot)
            }
            Self::Untrusted(_) | Self::Unasked => Some(Refusal::NotAdmitted),
            Self::Handshake(HandshakeError::Refused { refusal, .. }) => Some(match refusal {
                nbd_proto::Refusal::Shutdown => Refusal::Draining,
                _ => Refusal::NotAdmitted,
            }),
            _ => None,
        }
    }
}

/// The metadata context that a server grants if, and only if, the export has this root.
fn root_context(root: &str) -> String {
    format!("corral:root/{root}")
}

async fn connect(address: SocketAddr) -> io::Result<Wire> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let socket = SockRef::from(&stream);
    socket.set_tcp_keepalive(
        &TcpKeepalive::new()
            .with_time(Duration::from_secs(5))
            .with_interval(Duration::from_secs(2)),
    )?;
    socket.set_tcp_user_timeout(Some(TCP_USER_TIMEOUT))?;
    Ok(Wire::plain(stream))
}

/// Shakes hands with the server at an address.
pub(super) async fn open_one(address: SocketAddr, wish: &Wish) -> Result<Connection, ConnectError> {
    let mut wire = connect(address).await?;
    let contexts: Vec<_> = wish.root.iter().map(|root| root_context(root)).collect();
    let disk = wish.disk.iter().map(|_| DISK_PREFIX.to_owned());
    let wanted = Wanted {
        export: wish.export.clone(),
        contexts: contexts.iter().cloned().chain(disk).collect(),
        structured_replies: true,
    };
    let mut handshake = Handshake::new(wanted)?;
    if wish.trust.is_some() {
        handshake = handshake.under_tls();
    }
    let mut received = BytesMut::with_capacity(RECEIVE_BYTES);
    let mut output = Vec::new();
    let negotiated = loop {
        let mut input: &[u8] = &received;
        let step = handshake.advance(&mut input, &mut output);
        let taken = received.len() - input.len();
        received.advance(taken);
        if !output.is_empty() {
            let sent = wire.write_all(&output).await;
            output.clear();
            // A refusal says more than the peer's hanging up after it.
            if step.is_ok() {
                sent?;
            }
        }
        if let Some(negotiated) = step? {
            break negotiated;
        }
        if let (true, Some(trust)) = (handshake.awaits_tls(), &wish.trust) {
            if !received.is_empty() {
                return Err(ConnectError::Unasked);
            }
            let secured = wire.secure(trust, address.ip()).await;
            secured.map_err(|error| match distrust(&error) {
                Some(reason) => ConnectError::Untrusted(reason),
                None => error.into(),
            })?;
            handshake.secured(&mut output);
            wire.write_all(&output).await?;
            output.clear();
        }
        if wire.read_buf(&mut received).await? == 0 {
            return Err(io::Error::from(ErrorKind::UnexpectedEof).into());
        }
    };

    let granted = negotiated
        .contexts
        .iter()
        .find(|context| contexts.contains(&context.name));
    if let (Some(root), None) = (&wish.root, granted) {
        return Err(ConnectError::WrongRoot { root: root.clone() });
    }
    if let Some(expected) = wish
        .size_bytes
        .filter(|expected| *expected != negotiated.size_bytes)
    {
        return Err(ConnectError::WrongSize {
            found: negotiated.size_bytes,
            expected,
        });
    }
    let disk = negotiated
        .contexts
        .iter()
        .find(|context| context.name.starts_with(DISK_PREFIX))
        .map(|context| context.name.clone());
    if let Some(DiskWish(known)) = &wish.disk {
        if negotiated.flags.contains(TransmissionFlags::READ_ONLY) {
            return Err(ConnectError::ReadOnly);
        }
        if known.is_some() && *known != disk {
            return Err(ConnectError::OtherDisk);
        }
    }
    Ok(Connection {
        wire,
        disk,
        size_bytes: negotiated.size_bytes,
        form: if negotiated.structured_replies {
            ReplyForm::Structured
        } else {
            ReplyForm::Simple
        },
        session_context: granted.map(|context| context.id),
        outgoing: RefCell::default(),
        wake: Notify::new(),
        asked: RefCell::default(),
        received: RefCell::new(received),
    })
}
