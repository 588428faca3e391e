//! The one connection, from the first attempt to its end.

use std::time::{Duration, Instant};

use crate::action::{ConnectionId, Cookie};

#[derive(Clone, Debug)]
pub(crate) enum Line {
    /// Connect again at that time.
    Waiting {
        until: Instant,
    },
    Connecting {
        connection: ConnectionId,
        since: Instant,
    },
    Ready(Ready),
}

#[derive(Clone, Debug)]
pub(crate) struct Ready {
    pub(crate) connection: ConnectionId,
    last_heard: Instant,
    /// A silence was put down to ourselves; nothing was heard since.
    is_excused: bool,
    pub(crate) heartbeat: Option<(Cookie, Instant)>,
    pub(crate) next_heartbeat: Instant,
}

impl Line {
    pub(crate) fn ready(&self) -> Option<&Ready> {
        match self {
            Self::Ready(ready) => Some(ready),
            Self::Waiting { .. } | Self::Connecting { .. } => None,
        }
    }

    pub(crate) fn ready_mut(&mut self) -> Option<&mut Ready> {
        match self {
            Self::Ready(ready) => Some(ready),
            Self::Waiting { .. } | Self::Connecting { .. } => None,
        }
    }

    pub(crate) fn connection(&self) -> Option<ConnectionId> {
        match self {
            Self::Waiting { .. } => None,
            Self::Connecting { connection, .. } => Some(*connection),
            Self::Ready(ready) => Some(ready.connection),
        }
    }

    /// Takes a time in which nobody was looking out of every age. What came meanwhile may wait to be read, so the silence begins
    /// anew; but only once, because on a machine that is always late no silence would ever end.
    pub(crate) fn grow_younger(&mut self, slept: Duration, now: Instant) {
        match self {
            Self::Waiting { .. } => {}
            Self::Connecting { since, .. } => *since += slept,
            Self::Ready(ready) => {
                ready.last_heard = if ready.is_excused {
                    now.min(ready.last_heard + slept)
                } else {
                    now
                };
                ready.is_excused = true;
                if let Some((_, sent_at)) = &mut ready.heartbeat {
                    *sent_at += slept;
                }
            }
        }
    }
}

impl Ready {
    pub(crate) fn new(connection: ConnectionId, now: Instant, first_heartbeat: Instant) -> Self {
        Self {
            connection,
            last_heard: now,
            is_excused: false,
            heartbeat: None,
            next_heartbeat: first_heartbeat,
        }
    }

    /// Bytes came in.
    pub(crate) fn hear(&mut self, now: Instant) {
        self.last_heard = now;
        self.is_excused = false;
    }

    /// The instant from which the present silence counts, if an answer is owed.
    pub(crate) fn silent_since(&self) -> Option<Instant> {
        self.heartbeat
            .map(|(_, sent_at)| sent_at.max(self.last_heard))
    }
}
