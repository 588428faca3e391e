//! What people may see.

use std::time::Duration;

use crate::action::ServerId;

/// Counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Reads that were asked for.
    pub reads: u64,
    /// Reads that were answered with data.
    pub delivered: u64,
    /// Reads that failed.
    pub failed: u64,
    /// Requests sent again because their connection was lost, shut down or answered an error.
    pub resent: u64,
    /// Requests sent to a second server because the first was late.
    pub hedged: u64,
    /// Hedges that were answered before the first request.
    pub hedges_won: u64,
    /// Answers that nobody waited for any more.
    pub duplicates: u64,
    /// Connections that became ready.
    pub connections: u64,
    /// Ready connections that ended without our doing.
    pub losses: u64,
    /// Ready connections that were given up because they hung.
    pub ejections: u64,
    /// Changes of the server that new reads go to, the first choice not counted.
    pub moves: u64,
    /// Longest time from asking to data.
    pub longest_wait: Duration,
}

/// How well reads are provided for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Footing {
    /// As many servers are ready as the settings want warm.
    Firm,
    /// Reads are served, and there is no spare.
    Alone,
    /// Nobody serves, or only servers that are to be left.
    Lost,
}

/// One server of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerView {
    /// Which.
    pub server: ServerId,
    /// `waiting`, `connecting`, `probing`, `warm`, `silent`, `draining` or `refused`.
    pub state: &'static str,
    /// New reads go here.
    pub is_current: bool,
    /// Smoothed round trip of heartbeats on the idle connection, once known.
    pub rtt: Option<Duration>,
    /// When a read here counts as late.
    pub late_after: Option<Duration>,
    /// Requests in flight.
    pub in_flight: usize,
    /// Failures in a row.
    pub failures: u32,
}

/// Everything at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct View {
    /// In the order of the ranking; servers that are being left come last.
    pub servers: Vec<ServerView>,
    /// Reads nobody has answered yet.
    pub unanswered: usize,
    /// The counters.
    pub counters: Counters,
}
