//! Which server answers a device's reads, and when to ask another one.
//!
//! This crate decides and does nothing else: it opens no socket, reads no clock and spawns no task. The owner of
//! the sockets reports what happened (`connected`, `answered`, `lost` …) together with the present instant, then
//! drains [`Failover::next_action`] and sleeps until [`Failover::next_deadline`] or the next event. The same
//! events at the same instants with the same seed give the same actions, which is how the tests can run years of
//! trouble in seconds.
//!
//! What it promises, in order:
//!
//! 1. A read is answered exactly once, with the bytes of the first server that answers.
//! 2. No read fails while any server can serve; with no server at all it waits, for ever.
//! 3. Two connections to two different servers are kept warm wherever two exist.
//! 4. Memory is bounded by [`Settings::max_reads`] and [`Settings::window`].
//!
//! `docs/explanation/failover.md` draws the states and gives the reason for each figure in [`Settings`].

mod action;
mod advance;
mod answers;
mod backoff;
mod choice;
mod connections;
mod dispatch;
mod failover;
mod latency;
mod link;
mod read;
mod server;
mod settings;
mod view;
pub mod writable;

pub use action::{
    Action, Answer, ConnectionId, Cookie, Loss, Notice, ReadId, Refusal, ServerId, Verdict,
};
pub use failover::{Failover, TooManyReads};
pub use settings::Settings;
pub use view::{Counters, Footing, ServerView, View};
