//! The words spoken over the border: ids, what happened, what to do.

use std::time::Duration;

/// A server of the ranked list, named by the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId(pub u32);

/// One attempt to connect and the connection it became. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// A read that somebody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReadId(pub u64);

/// Names one request on one connection; goes on the wire as the NBD cookie. Never used twice, on any connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cookie(pub u64);

/// What the caller must do next. Take them in order, all of them, after each event.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Connect to the server and shake hands; answer with `connected`, `refused` or `lost`.
    Connect {
        /// Name to report the outcome under.
        connection: ConnectionId,
        /// Where to connect to.
        server: ServerId,
    },
    /// Close the connection, or give up connecting. Nothing may be reported for it afterwards.
    Close {
        /// The connection.
        connection: ConnectionId,
    },
    /// Send a read request.
    Send {
        /// On which connection.
        connection: ConnectionId,
        /// Name of the request on the wire.
        cookie: Cookie,
        /// First byte of the disk.
        offset: u64,
        /// Number of bytes.
        length: u32,
    },
    /// Ask for the session flags (or, of a server that has none, for a few bytes): the liveness probe.
    Heartbeat {
        /// On which connection.
        connection: ConnectionId,
        /// Name of the request on the wire.
        cookie: Cookie,
    },
    /// Tell the reader that its read failed. Comes only after [`Settings::error_patience`](crate::Settings).
    Fail {
        /// The read.
        read: ReadId,
        /// The NBD error number that the last server gave.
        error: u32,
    },
    /// Tell people.
    Report(Notice),
}

/// What a server answered to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// All that was asked for: of a read, its bytes.
    Data,
    /// The session flags, or a heartbeat read that went well.
    Alive {
        /// The server asks its clients to move.
        draining: bool,
        /// The farm asks this client to log in again, and to move to the first server of the answer.
        asked_to_move: bool,
    },
    /// The server is stopping (`ESHUTDOWN`): ask elsewhere.
    ShuttingDown,
    /// Another NBD error number, such as `EIO`.
    Failed {
        /// The number.
        error: u32,
    },
}

/// What to do with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The first good answer to this read: hand its bytes to the reader.
    Deliver(ReadId),
    /// Nobody waits for these bytes (any more).
    Discard,
    /// The server answered what it was not asked: report the connection as lost.
    Unasked,
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Loss {
    /// Nobody listens there, or the handshake did not end in time.
    Unreachable,
    /// The peer closed the connection or it was reset.
    Closed,
    /// The peer broke the protocol.
    Protocol,
    /// Reported by this crate: neither the heartbeat nor anything else was heard in time.
    Hung,
    /// Reported by this crate: heartbeats were answered, a read was not.
    ReadOverdue,
}

/// Why a server did not let us in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// It serves other bytes under this name: never asked again until a new list comes.
    WrongRoot,
    /// It does not know the export or the ticket: asked again, slowly; a new login may help.
    NotAdmitted,
    /// It is being drained: asked again, slowly.
    Draining,
}

/// Something worth a line in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// A connection is ready to serve.
    Ready(ServerId),
    /// A ready connection ended, or connecting failed.
    Lost(ServerId, Loss),
    /// The server refused us.
    Refused(ServerId, Refusal),
    /// Nothing was heard for longer than is usual; its reads were given to another server.
    Silent(ServerId),
    /// A silent server was heard again.
    HeardAgain(ServerId),
    /// The server asks its clients to move.
    Draining(ServerId),
    /// The farm wants us elsewhere than on this server, where reads go: log in again, then say where with
    /// [`Failover::move_to`](crate::Failover::move_to). Repeated from time to time as long as it is so.
    AskedToMove(ServerId),
    /// Left on its request, or because it is no longer in the list.
    Left(ServerId),
    /// New reads go here now.
    ReadsGoTo(ServerId),
    /// No server can serve; reads wait.
    NoServer,
    /// Every server that still serves is to be left, and no other one of the list can serve: log in again, for a list
    /// that was made while others were away names too few.
    Cornered,
    /// A server can serve again.
    Resumed {
        /// How long there was none.
        after: Duration,
    },
    /// Every server that can be reached answers errors to this read; it is tried again and again.
    EveryServerFails {
        /// First byte of the read.
        offset: u64,
        /// The NBD error number of the last answer.
        error: u32,
    },
}
