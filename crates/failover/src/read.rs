//! Reads that somebody waits for.

use std::time::{Duration, Instant};

use crate::action::{ConnectionId, Cookie, ServerId};

#[derive(Clone, Debug)]
pub(crate) struct Read {
    pub(crate) offset: u64,
    pub(crate) length: u32,
    pub(crate) asked_at: Instant,
    /// Requests under way for it: at most two.
    pub(crate) under_way: Vec<(ConnectionId, Cookie)>,
    /// Servers that answered an error in this round.
    pub(crate) failed_on: Vec<ServerId>,
    /// NBD error number of the last error answer.
    pub(crate) last_error: u32,
    pub(crate) trouble: Option<Trouble>,
}

/// Every server answers an error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trouble {
    pub(crate) since: Instant,
    pub(crate) rounds: u32,
}

impl Read {
    pub(crate) fn new(offset: u64, length: u32, now: Instant) -> Self {
        Self {
            offset,
            length,
            asked_at: now,
            under_way: Vec::new(),
            failed_on: Vec::new(),
            last_error: 0,
            trouble: None,
        }
    }

    pub(crate) fn is_on(&self, connection: ConnectionId) -> bool {
        self.under_way.iter().any(|(on, _)| *on == connection)
    }

    pub(crate) fn no_longer_on(&mut self, connection: ConnectionId) {
        self.under_way.retain(|(on, _)| *on != connection);
    }

    pub(crate) fn waited(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.asked_at)
    }
}
