//! A connection that shook hands.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::action::{ConnectionId, Cookie, ReadId};
use crate::latency::{Latencies, RoundTrips};
use crate::settings::Settings;

/// Hedges lost are worth this many usual answers …
const BEATEN_STEP: u32 = 4;
/// … and at this sum the other server is preferred: about every fourth read lost, for a while.
const BEATEN_LIMIT: u32 = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Was bad before: must answer a heartbeat first.
    Probing,
    Warm,
    /// The server asks us to move, or is no longer in the list.
    Leaving,
    /// The server answered that it stops: useless from now on.
    Stopping,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    pub(crate) read: ReadId,
    pub(crate) sent_at: Instant,
    pub(crate) is_hedge: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Heartbeat {
    pub(crate) cookie: Cookie,
    pub(crate) sent_at: Instant,
    was_idle: bool,
}

/// How good a connection is for reads, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fitness {
    Good,
    Leaving,
    Probing,
    Silent,
}

#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) connection: ConnectionId,
    pub(crate) phase: Phase,
    pub(crate) ready_at: Instant,
    pub(crate) last_heard: Instant,
    /// A silence was put down to ourselves; nothing was heard since.
    is_excused: bool,
    /// Nothing heard for longer than is usual while something was asked.
    pub(crate) is_silent: bool,
    /// Cookies grow, so the order is the order of sending.
    pub(crate) attempts: BTreeMap<Cookie, Attempt>,
    pub(crate) heartbeat: Option<Heartbeat>,
    pub(crate) next_heartbeat: Instant,
    pub(crate) round_trips: RoundTrips,
    /// When the caller was last told that the farm wants us elsewhere.
    pub(crate) moving_since: Option<Instant>,
    latencies: Latencies,
    beaten: u32,
}

impl Link {
    pub(crate) fn new(connection: ConnectionId, phase: Phase, now: Instant) -> Self {
        Self {
            connection,
            phase,
            ready_at: now,
            last_heard: now,
            is_excused: false,
            is_silent: false,
            attempts: BTreeMap::new(),
            heartbeat: None,
            next_heartbeat: now,
            round_trips: RoundTrips::default(),
            moving_since: None,
            latencies: Latencies::new(),
            beaten: 0,
        }
    }

    /// `None`: never send a read here.
    pub(crate) fn fitness(&self) -> Option<Fitness> {
        match self.phase {
            Phase::Stopping => None,
            _ if self.is_silent => Some(Fitness::Silent),
            Phase::Warm => Some(Fitness::Good),
            Phase::Leaving => Some(Fitness::Leaving),
            Phase::Probing => Some(Fitness::Probing),
        }
    }

    pub(crate) fn is_good(&self) -> bool {
        self.fitness() == Some(Fitness::Good)
    }

    pub(crate) fn has_room(&self, settings: &Settings) -> bool {
        self.attempts.len() < settings.window
    }

    /// When a read on this connection is late.
    pub(crate) fn late_after(&self, settings: &Settings) -> Duration {
        match self.latencies.high() {
            Some(high) => high
                .saturating_mul(3)
                .clamp(settings.hedge_min, settings.hedge_max),
            None => settings
                .hedge_unknown
                .clamp(settings.hedge_min, settings.hedge_max),
        }
    }

    /// The instant from which the present silence counts, if anything was asked and is unanswered.
    pub(crate) fn silent_since(&self) -> Option<Instant> {
        let read = self.attempts.values().next().map(|attempt| attempt.sent_at);
        let heartbeat = self.heartbeat.map(|heartbeat| heartbeat.sent_at);
        let asked = read.into_iter().chain(heartbeat).min()?;
        Some(asked.max(self.last_heard))
    }

    /// Bytes came in.
    pub(crate) fn hear(&mut self, now: Instant) {
        self.last_heard = self.last_heard.max(now);
        self.is_excused = false;
    }

    /// Takes a time in which nobody was looking out of every age. What came meanwhile may wait to be read, so the silence begins
    /// anew; but only once, because on a machine that is always late no silence would ever end.
    pub(crate) fn grow_younger(&mut self, slept: Duration, now: Instant) {
        self.last_heard = if self.is_excused {
            now.min(self.last_heard + slept)
        } else {
            self.last_heard.max(now)
        };
        self.is_excused = true;
        for attempt in self.attempts.values_mut() {
            attempt.sent_at += slept;
        }
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.sent_at += slept;
        }
    }

    pub(crate) fn begin_heartbeat(&mut self, cookie: Cookie, now: Instant) {
        self.heartbeat = Some(Heartbeat {
            cookie,
            sent_at: now,
            was_idle: self.attempts.is_empty(),
        });
    }

    /// Only the idle connection tells the distance: under load the answer waits behind our own data.
    pub(crate) fn end_heartbeat(&mut self, now: Instant, settings: &Settings) {
        if let Some(heartbeat) = self.heartbeat.take() {
            if heartbeat.was_idle {
                self.round_trips
                    .add(now.saturating_duration_since(heartbeat.sent_at));
            }
            self.next_heartbeat = heartbeat.sent_at + settings.heartbeat_every;
        }
    }

    pub(crate) fn answered_in(&mut self, latency: Duration) {
        self.latencies.add(latency);
        self.beaten = self.beaten.saturating_sub(1);
    }

    /// Another server answered first, or this one answered an error.
    pub(crate) fn was_beaten(&mut self) {
        self.beaten = self
            .beaten
            .saturating_add(BEATEN_STEP)
            .min(2 * BEATEN_LIMIT);
    }

    pub(crate) fn is_beaten(&self) -> bool {
        self.beaten >= BEATEN_LIMIT
    }

    pub(crate) fn forget_defeats(&mut self) {
        self.beaten = 0;
    }
}
