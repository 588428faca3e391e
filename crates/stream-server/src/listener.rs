//! Binding sockets and accepting connections.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::connection::{Arrival, Place};
use crate::counters::{LoginRefusal, Tally};
use crate::reactor::Inbox;
use crate::settings::{Access, Address, Listener};
use crate::shared::Shared;
use crate::socket::Accepted;

/// Connections that wait to be accepted: a room of machines that start at once.
const BACKLOG: i32 = 1024;
/// How long to wait when the system has no more files to give.
const OUT_OF_FILES_PAUSE: Duration = Duration::from_millis(100);

/// A socket that listens.
pub(crate) struct Bound {
    socket: BoundSocket,
    access: Access,
    requires_tls: bool,
}

enum BoundSocket {
    Tcp(TcpListener),
    Unix(UnixListener, SocketFile),
}

/// The file of a unix socket; removed when nobody listens any more.
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Bound {
    pub(crate) fn bind(listener: &Listener) -> io::Result<Self> {
        let socket = match &listener.address {
            Address::Tcp(address) => BoundSocket::Tcp(bind_tcp(*address)?),
            Address::Unix(path) => BoundSocket::Unix(bind_unix(path)?, SocketFile(path.clone())),
        };
        Ok(Self {
            socket,
            access: listener.access,
            requires_tls: listener.requires_tls,
        })
    }

    /// Where it listens, with the port that was taken.
    pub(crate) fn address(&self) -> io::Result<Address> {
        match &self.socket {
            BoundSocket::Tcp(listener) => listener.local_addr().map(Address::Tcp),
            BoundSocket::Unix(_, file) => Ok(Address::Unix(file.0.clone())),
        }
    }
}

pub(crate) fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(
        socket2::Domain::for_address(address),
        socket2::Type::STREAM,
        None,
    )?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    if is_abandoned(path) {
        std::fs::remove_file(path)?;
    }
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
    socket.bind(&socket2::SockAddr::unix(path)?)?;
    // Nobody can connect before the socket listens, so that the mode is right for the first one.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Whether `path` is a socket that nobody listens on: one left behind by a server that was killed.
fn is_abandoned(path: &Path) -> bool {
    let is_socket =
        std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
    is_socket
        && UnixStream::connect(path)
            .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// Accepts connections and gives them to `inboxes` in turn, for ever.
pub(crate) async fn accept(
    bound: Bound,
    inboxes: Vec<Inbox>,
    shared: Arc<Shared>,
    tally: Arc<Tally>,
) {
    let door = Door {
        inboxes,
        shared,
        tally,
        access: bound.access,
        requires_tls: bound.requires_tls,
    };
    let result = match bound.socket {
        BoundSocket::Tcp(listener) => door.keep_tcp(listener).await,
        BoundSocket::Unix(listener, _file) => door.keep_unix(listener).await,
    };
    debug_assert!(result.is_ok(), "a listening socket can be registered");
}

struct Door {
    inboxes: Vec<Inbox>,
    shared: Arc<Shared>,
    tally: Arc<Tally>,
    access: Access,
    requires_tls: bool,
}

impl Door {
    async fn keep_tcp(self, listener: TcpListener) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        for turn in (0..self.inboxes.len()).cycle() {
            let accepted = listener.accept().await.and_then(|(stream, peer)| {
                Ok((Accepted::Tcp(stream.into_std()?), peer.to_string()))
            });
            self.hand_on(accepted, turn).await;
        }
        Ok(())
    }

    async fn keep_unix(self, listener: UnixListener) -> io::Result<()> {
        let listener = tokio::net::UnixListener::from_std(listener)?;
        for turn in (0..self.inboxes.len()).cycle() {
            let accepted = listener.accept().await;
            let accepted = accepted.and_then(|(stream, _)| {
                Ok((Accepted::Unix(stream.into_std()?), "unix".to_owned()))
            });
            self.hand_on(accepted, turn).await;
        }
        Ok(())
    }

    async fn hand_on(&self, accepted: io::Result<(Accepted, String)>, turn: usize) {
        match accepted {
            Ok((socket, address)) => match (Place::take(&self.shared), self.inboxes.get(turn)) {
                (Some(place), Some(inbox)) => {
                    inbox.deliver(Arrival {
                        socket,
                        access: self.access,
                        requires_tls: self.requires_tls,
                        address,
                        place,
                    });
                }
                _ => self.tally.count_refusal(LoginRefusal::TooMany),
            },
            Err(error) if is_the_clients(&error) => {}
            Err(_) => tokio::time::sleep(OUT_OF_FILES_PAUSE).await,
        }
    }
}

/// Whether only the connection that was to be accepted failed.
fn is_the_clients(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}
