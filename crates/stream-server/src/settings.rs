//! How a stream server is to run.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Where a listener listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// TCP; port 0 takes a free one.
    Tcp(SocketAddr),
    /// A unix socket, made with mode 0600. A socket that nobody listens on any more is replaced.
    Unix(PathBuf),
}

/// Who may open exports through a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Whoever reaches it.
    Open,
    /// Who brings a ticket of the farm for the export's root.
    Ticket,
}

/// A place to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Where.
    pub address: Address,
    /// For whom.
    pub access: Access,
    /// Whether nothing is said here but under TLS. On other TCP listeners TLS is offered; on unix sockets there is none.
    pub requires_tls: bool,
}

/// Bounds on what clients can make the server hold or do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once; more are closed as they come.
    pub connections: usize,
    /// How long a handshake may take, from the connection on.
    pub handshake_for: Duration,
    /// Handshakes at once; more wait for their turn.
    pub handshakes: usize,
    /// How long a handshake counts as one of these.
    pub handshake_turn: Duration,
    /// How long a client may take nothing of what is ready for it.
    pub stalled_for: Duration,
    /// Requests of one connection that wait for cold chunks at once. More are not read from its socket.
    pub waiting_requests: usize,
    /// Bytes of such requests.
    pub waiting_bytes: u64,
    /// How many of one connection's cold requests are worked on at once.
    pub cold_requests: usize,
    /// Threads in all that may wait for disks and peers.
    pub blocking_threads: usize,
    /// How long a stop waits for what is being answered.
    pub stop_for: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            handshake_for: Duration::from_secs(10),
            handshakes: 64,
            handshake_turn: Duration::from_millis(250),
            stalled_for: Duration::from_secs(30),
            waiting_requests: 1024,
            waiting_bytes: 64 * 1024 * 1024,
            cold_requests: 16,
            blocking_threads: 64,
            stop_for: Duration::from_secs(2),
        }
    }
}

/// How a stream server is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where to listen for NBD.
    pub listeners: Vec<Listener>,
    /// Where to serve chunks over HTTP to other servers of the farm; answered from [`StreamServer::serve_store`] on.
    ///
    /// [`StreamServer::serve_store`]: crate::StreamServer::serve_store
    pub chunk_http: Option<SocketAddr>,
    /// Whether nothing is said there but under TLS; without it, nothing but in the clear.
    pub chunk_tls: bool,
    /// The Ed25519 key that tickets are checked with.
    pub farm_public_key: [u8; 32],
    /// Bounds.
    pub limits: Limits,
    /// Reactor threads; by default one for each processor.
    pub reactors: Option<usize>,
}
