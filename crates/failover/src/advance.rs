//! What follows: after each event everything that is due is decided here, in one fixed order.

use std::time::{Duration, Instant};

use crate::action::Notice;
use crate::failover::Failover;
use crate::link::{Link, Phase};
use crate::server::{Server, State};
use crate::view::Footing;

impl Failover {
    pub(crate) fn advance(&mut self, now: Instant) {
        self.allow_for_sleep(now);
        self.judge_silence(now);
        self.retry_troubled(now);
        self.leave(now);
        self.connect(now);
        self.elect(now);
        self.dispatch(now);
        self.hedge(now);
        self.send_heartbeats(now);
        self.note_presence(now);
        // The floor keeps a caller from spinning, should a deadline ever stay behind.
        let floor = now + Duration::from_millis(1);
        self.deadline = self.earliest(now).map(|at| at.max(floor));
    }

    /// A caller that comes late was not looking: it cannot know that a server was silent.
    pub(crate) fn allow_for_sleep(&mut self, now: Instant) {
        let Some(promised) = self.deadline else {
            return;
        };
        let slept = now.saturating_duration_since(promised);
        if slept < self.settings.overslept {
            return;
        }
        self.deadline = Some(now);
        for link in self.servers.iter_mut().filter_map(Server::link_mut) {
            link.grow_younger(slept, now);
        }
    }

    fn note_presence(&mut self, now: Instant) {
        let is_served = self
            .servers
            .iter()
            .any(|server| server.link().and_then(Link::fitness).is_some());
        match (is_served, self.no_server_since) {
            (true, Some(since)) => {
                self.no_server_since = None;
                self.report(Notice::Resumed {
                    after: now.saturating_duration_since(since),
                });
            }
            (false, None) => {
                self.no_server_since = Some(now);
                self.report(Notice::NoServer);
            }
            _ => {}
        }
        let is_cornered = is_served && self.footing() == Footing::Lost;
        if is_cornered && !self.is_cornered {
            self.report(Notice::Cornered);
        }
        self.is_cornered = is_cornered;
    }

    fn earliest(&self, now: Instant) -> Option<Instant> {
        let lacks_servers = self.hoped_for(now) < self.settings.warm || !self.troubled.is_empty();
        let of_servers =
            self.servers
                .iter()
                .enumerate()
                .filter_map(|(index, server)| match &server.state {
                    State::Waiting { until } => lacks_servers.then_some(*until),
                    State::Connecting { since, .. } => {
                        let patience = *since + self.settings.connect_patience;
                        Some(if patience > now {
                            patience
                        } else {
                            *since + self.settings.connect_timeout
                        })
                    }
                    State::Ready(link) => self.earliest_of(index, link, now),
                    State::Refused => None,
                });
        of_servers
            .chain(self.retries.first().map(|(at, _)| *at))
            .min()
    }

    fn earliest_of(&self, index: usize, link: &Link, now: Instant) -> Option<Instant> {
        let settings = &self.settings;
        let silence = link.silent_since().filter(|_| !link.is_silent);
        let silence = silence.map(|since| since + link.late_after(settings).max(settings.silence));
        let heartbeat = match link.heartbeat {
            Some(heartbeat) => heartbeat.sent_at.max(link.last_heard) + settings.heartbeat_timeout,
            None => link.next_heartbeat,
        };
        let overdue = link.attempts.values().next().map(|attempt| {
            let timeout = settings.read_timeout;
            attempt.sent_at
                + if self.another_is_good(index) {
                    timeout
                } else {
                    timeout * 4
                }
        });
        let hedge = self.next_hedge(index, now).map(|(due, ..)| due);
        let probation = Some(link.ready_at + settings.connect_patience)
            .filter(|at| link.phase == Phase::Probing && *at > now);
        [Some(heartbeat), silence, overdue, hedge, probation]
            .into_iter()
            .flatten()
            .min()
    }
}
