//! A disk that changes: one server has it, one connection reaches it, and nothing that was answered may be lost.
//!
//! There is nobody to move to and nothing to hedge with, because what was written is on that server only. What is left to decide is
//! when to connect again, and what to say then. The disk that a device sees has a volatile cache, as disks have; the server
//! keeps that cache, and a server that loses power loses it while the device goes on, which no disk does to its machine. So every
//! change is kept here, in a *journal*, until a flush that was sent after its answer has been answered. After each
//! reconnection the journal is replayed, in order, before anything else is asked. To carry out a change twice is to carry it out
//! once.
//!
//! What it promises:
//!
//! 1. An operation is finished exactly once. A change that was finished well is on the disk whenever something is read later,
//!    however often the connection or the server was lost in between.
//! 2. No operation fails for want of a server before [`Settings::outage_limit`].
//! 3. What the journal holds is bounded by [`Settings::journal_bytes`]; it is flushed by itself in time.
//!
//! As in the rest of this crate there is no socket, no clock and no payload here: the caller keeps the bytes of a write until it
//! is told to forget them.

mod advance;
mod journal;
mod line;
mod machine;

use std::time::Duration;

use crate::action::{ConnectionId, Cookie, Loss, Refusal};

pub use machine::{SubmitError, Writable};

/// Something that the device asked of its disk, or that the journal asks for itself. Later ones have higher numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationId(pub u64);

/// What is asked, as far as it matters here. Flags and bytes stay with the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Which kind.
    pub kind: Kind,
    /// First byte of the disk; 0 of a flush.
    pub offset: u64,
    /// Number of bytes; 0 of a flush.
    pub length: u32,
}

/// A kind of operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Bytes are wanted.
    Read,
    /// The caller holds `length` bytes for it.
    Write,
    /// A trim, or zeroes: a change without bytes.
    Clear,
    /// What was finished is to be safe.
    Flush,
}

impl Operation {
    /// A flush.
    pub const fn flush() -> Self {
        Self {
            kind: Kind::Flush,
            offset: 0,
            length: 0,
        }
    }

    pub(crate) fn is_change(&self) -> bool {
        matches!(self.kind, Kind::Write | Kind::Clear)
    }

    /// What the journal counts it as. Also what has no bytes takes room.
    pub(crate) fn cost(&self) -> u64 {
        let bytes = match self.kind {
            Kind::Write => u64::from(self.length),
            Kind::Read | Kind::Clear | Kind::Flush => 0,
        };
        bytes + OPERATION_COST
    }

    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        let end = |operation: &Self| operation.offset.saturating_add(u64::from(operation.length));
        self.offset < end(other) && other.offset < end(self)
    }
}

const OPERATION_COST: u64 = 256;

/// What the caller must do next. Take them in order, all of them, after each event.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Connect to the server and shake hands; answer with `connected`, `refused` or `lost`.
    Connect {
        /// Name to report the outcome under.
        connection: ConnectionId,
    },
    /// Close the connection, or give up connecting. Nothing may be reported for it afterwards.
    Close {
        /// The connection.
        connection: ConnectionId,
    },
    /// Send the operation, perhaps not for the first time.
    Send {
        /// On which connection.
        connection: ConnectionId,
        /// Name of the request on the wire.
        cookie: Cookie,
        /// Which.
        id: OperationId,
        /// What.
        operation: Operation,
    },
    /// Ask for the session flags: the liveness probe.
    Heartbeat {
        /// On which connection.
        connection: ConnectionId,
        /// Name of the request on the wire.
        cookie: Cookie,
    },
    /// Tell who waits for the operation that it is done, or the NBD error number that it failed with.
    Finish {
        /// Which.
        id: OperationId,
        /// How.
        result: Result<(), u32>,
    },
    /// The operation is never sent again: its bytes are not needed any more.
    Forget {
        /// Which.
        id: OperationId,
    },
    /// Tell people.
    Report(Notice),
}

/// What came of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The bytes of this read: hand them over.
    Deliver(OperationId),
    /// Whatever is to be done about it is among the actions.
    Noted,
    /// The server answered what it was not asked: report the connection as lost.
    Unasked,
}

/// Something worth a line in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// The server can be asked, after so long.
    Ready {
        /// How long it could not be.
        after: Duration,
    },
    /// The connection ended, or connecting failed.
    Lost(Loss),
    /// The server refused us.
    Refused(Refusal),
    /// So many changes are carried out again, because the server may have lost them.
    Replaying {
        /// How many.
        changes: usize,
    },
    /// A change that was finished cannot be carried out again; it is tried until it can be.
    ReplayFails {
        /// First byte of the change.
        offset: u64,
        /// The NBD error number.
        error: u32,
    },
    /// The journal cannot be made safe; it is tried again.
    FlushFails {
        /// The NBD error number.
        error: u32,
    },
    /// The server has been away for longer than the limit: operations fail from now on.
    OutageTooLong,
    /// A read fails on the server; it is tried again.
    ReadFails {
        /// First byte of the read.
        offset: u64,
        /// The NBD error number.
        error: u32,
    },
}

/// Figures; `docs/adr/0015-writes-go-to-one-server.md` gives the reasons.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// Operations known at once that are not finished.
    pub max_operations: usize,
    /// Requests in flight.
    pub window: usize,
    /// Bytes of them.
    pub window_bytes: u64,
    /// Bytes of changes kept, finished or not. Beyond it no change is taken until a flush has made room.
    pub journal_bytes: u64,
    /// How long a finished change may be in the journal before it is flushed.
    pub flush_after: Duration,
    /// Time between two heartbeats.
    pub heartbeat_every: Duration,
    /// Silence, counted from an unanswered heartbeat, after which the connection is given up.
    pub heartbeat_timeout: Duration,
    /// Time for connecting and shaking hands. The server may have to finish what it began for the connection before.
    pub connect_timeout: Duration,
    /// First delay before connecting again; doubles with each failure, and is spread by ±50 %.
    pub backoff_min: Duration,
    /// Longest delay before connecting again, before spreading.
    pub backoff_max: Duration,
    /// Delay before asking again a server that does not admit us.
    pub backoff_refused: Duration,
    /// If the caller comes this much later than its deadline, the machine was asleep, and the server is not blamed.
    pub overslept: Duration,
    /// Delay before something that the server failed is tried again.
    pub retry_after: Duration,
    /// How long a read that the server fails is tried before it fails. `None`: for ever.
    pub error_patience: Option<Duration>,
    /// How long operations wait for a server that is away before they fail. `None`: for ever.
    pub outage_limit: Option<Duration>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_operations: 1024,
            window: 64,
            window_bytes: 16 * 1024 * 1024,
            journal_bytes: 64 * 1024 * 1024,
            flush_after: Duration::from_secs(5),
            heartbeat_every: Duration::from_secs(1),
            heartbeat_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(12),
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(2),
            backoff_refused: Duration::from_secs(5),
            overslept: Duration::from_millis(50),
            retry_after: Duration::from_secs(1),
            error_patience: Some(Duration::from_hours(1)),
            outage_limit: None,
        }
    }
}

/// Counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Reads that were asked for.
    pub reads: u64,
    /// Changes that were asked for.
    pub changes: u64,
    /// Flushes that were asked for.
    pub flushes: u64,
    /// Flushes that the journal made by itself.
    pub own_flushes: u64,
    /// Operations that were finished well.
    pub finished: u64,
    /// Operations that failed.
    pub failed: u64,
    /// Unanswered operations sent again.
    pub resent: u64,
    /// Finished changes sent again.
    pub replayed: u64,
    /// Connections that became ready.
    pub connections: u64,
    /// Ready connections that ended.
    pub losses: u64,
    /// Longest time from asking to the end.
    pub longest_wait: Duration,
}

/// Everything at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct View {
    /// `waiting`, `connecting`, `replaying`, `ready`.
    pub state: &'static str,
    /// Operations that are not finished.
    pub unanswered: usize,
    /// Finished changes that are not known to be safe, and what they count.
    pub journal_changes: usize,
    /// See [`Settings::journal_bytes`].
    pub journal_bytes: u64,
    /// The counters.
    pub counters: Counters,
}
