//! Every figure of the decision, in one place.

use std::time::Duration;

/// Figures; the defaults are for a root disk on a local network and explained in `docs/explanation/failover.md`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// Connections to keep ready, each to another server.
    pub warm: usize,
    /// Requests in flight on one connection; more wait here.
    pub window: usize,
    /// Reads known at once, waiting ones included.
    pub max_reads: usize,
    /// Lower bound of the time after which a read counts as late.
    pub hedge_min: Duration,
    /// Upper bound of the same, however slow the server has been.
    pub hedge_max: Duration,
    /// The same while too few answers were seen to know what is usual.
    pub hedge_unknown: Duration,
    /// Silence on a connection that owes an answer, after which everything it owes is asked of another server and
    /// new reads go there. Never less than the time after which a read is late.
    pub silence: Duration,
    /// Late reads asked of a second server at once, as long as the first still answers others.
    pub max_hedges: usize,
    /// Time between two heartbeats on one connection.
    pub heartbeat_every: Duration,
    /// Silence, counted from an unanswered heartbeat, after which a connection is given up.
    pub heartbeat_timeout: Duration,
    /// Age of an unanswered read at which the connection is given up, if another one is ready. Four times this
    /// even if none is.
    pub read_timeout: Duration,
    /// Time for connecting and shaking hands.
    pub connect_timeout: Duration,
    /// A connection attempt older than this no longer keeps us from trying a further server beside it.
    pub connect_patience: Duration,
    /// First delay before connecting again; doubles with each failure, and is spread by ±50 %.
    pub backoff_min: Duration,
    /// Longest delay before connecting again, before spreading.
    pub backoff_max: Duration,
    /// Delay before asking again a server that drains or does not admit us.
    pub backoff_refused: Duration,
    /// Time after which the caller is told once more that the farm wants us on another server.
    pub ask_again: Duration,
    /// A connection that was ready for this long wipes out earlier failures.
    pub forgive_after: Duration,
    /// Least time between two changes of server that nothing forced.
    pub dwell: Duration,
    /// A server is preferred only if it is quicker by a third and by this much.
    pub rtt_margin: Duration,
    /// If the caller comes this much later than the deadline it was given, the machine was asleep or overloaded and
    /// no server is blamed for the silence.
    pub overslept: Duration,
    /// First delay before a read that every server answered with an error is tried again; doubles each round.
    pub error_retry_min: Duration,
    /// Longest delay of the same.
    pub error_retry_max: Duration,
    /// How long a read is tried though every server that can be reached answers an error; then it fails. `None`:
    /// for ever.
    pub error_patience: Option<Duration>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            warm: 2,
            window: 64,
            max_reads: 1024,
            hedge_min: Duration::from_millis(50),
            hedge_max: Duration::from_secs(1),
            hedge_unknown: Duration::from_millis(250),
            silence: Duration::from_millis(200),
            max_hedges: 8,
            heartbeat_every: Duration::from_secs(1),
            heartbeat_timeout: Duration::from_secs(2),
            read_timeout: Duration::from_secs(15),
            connect_timeout: Duration::from_secs(4),
            connect_patience: Duration::from_millis(500),
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(2),
            backoff_refused: Duration::from_secs(5),
            ask_again: Duration::from_secs(30),
            forgive_after: Duration::from_secs(30),
            dwell: Duration::from_secs(10),
            rtt_margin: Duration::from_millis(2),
            overslept: Duration::from_millis(50),
            error_retry_min: Duration::from_millis(200),
            error_retry_max: Duration::from_secs(5),
            error_patience: Some(Duration::from_hours(1)),
        }
    }
}
