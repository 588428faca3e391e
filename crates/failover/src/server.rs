//! A server of the list and how we stand with it.

use std::time::Instant;

use crate::action::{ConnectionId, Refusal, ServerId};
use crate::link::{Link, Phase};

#[derive(Clone, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "a handful of servers; most of them hold a link"
)]
pub(crate) enum State {
    Waiting {
        until: Instant,
    },
    Connecting {
        connection: ConnectionId,
        since: Instant,
    },
    Ready(Link),
    Refused,
}

#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) id: ServerId,
    pub(crate) state: State,
    pub(crate) failures: u32,
    /// Must answer a heartbeat before it counts again, because it hung.
    pub(crate) needs_probe: bool,
    /// In the present ranking; otherwise it is being left.
    pub(crate) is_listed: bool,
    /// So that a refusal repeated every few seconds is reported once.
    pub(crate) last_refusal: Option<Refusal>,
}

impl Server {
    pub(crate) fn new(id: ServerId, now: Instant) -> Self {
        Self {
            id,
            state: State::Waiting { until: now },
            failures: 0,
            needs_probe: false,
            is_listed: true,
            last_refusal: None,
        }
    }

    pub(crate) fn link(&self) -> Option<&Link> {
        match &self.state {
            State::Ready(link) => Some(link),
            _ => None,
        }
    }

    pub(crate) fn link_mut(&mut self) -> Option<&mut Link> {
        match &mut self.state {
            State::Ready(link) => Some(link),
            _ => None,
        }
    }

    pub(crate) fn connection(&self) -> Option<ConnectionId> {
        match &self.state {
            State::Connecting { connection, .. } => Some(*connection),
            State::Ready(link) => Some(link.connection),
            _ => None,
        }
    }

    pub(crate) fn state_name(&self) -> &'static str {
        match &self.state {
            State::Waiting { .. } => "waiting",
            State::Connecting { .. } => "connecting",
            State::Refused => "refused",
            State::Ready(link) => match link.phase {
                _ if link.is_silent => "silent",
                Phase::Probing => "probing",
                Phase::Warm => "warm",
                Phase::Leaving | Phase::Stopping => "draining",
            },
        }
    }
}
