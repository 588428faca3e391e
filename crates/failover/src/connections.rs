//! Connections: when one is opened, left, given up, and when a server counts as gone.

use std::mem;
use std::time::Instant;

use crate::action::{Action, Loss, Notice};
use crate::backoff::doubled;
use crate::failover::Failover;
use crate::link::{Link, Phase};
use crate::server::{Server, State};
use crate::settings::Settings;

/// Failures a hung server starts with when it has none: it is not worth a quick second try.
const FAILURES_OF_A_HANG: u32 = 3;

impl Failover {
    pub(crate) fn judge_silence(&mut self, now: Instant) {
        for index in (0..self.servers.len()).rev() {
            let has_other = self.another_is_good(index);
            let Some(server) = self.servers.get_mut(index) else {
                continue;
            };
            let id = server.id;
            match &mut server.state {
                State::Connecting { connection, since }
                    if now.saturating_duration_since(*since) >= self.settings.connect_timeout =>
                {
                    let connection = *connection;
                    self.actions.push_back(Action::Close { connection });
                    self.end(now, index, Loss::Unreachable);
                }
                State::Ready(link) => {
                    if let Some(loss) = must_end(link, now, has_other, &self.settings) {
                        let connection = link.connection;
                        self.actions.push_back(Action::Close { connection });
                        self.end(now, index, loss);
                        continue;
                    }
                    let limit = link.late_after(&self.settings).max(self.settings.silence);
                    let is_over = link
                        .silent_since()
                        .is_some_and(|since| now.saturating_duration_since(since) >= limit);
                    if is_over && !link.is_silent {
                        link.is_silent = true;
                        link.next_heartbeat = now;
                        self.report(Notice::Silent(id));
                    }
                }
                _ => {}
            }
        }
    }

    /// Takes a connection away from its server, and asks for what it owed elsewhere.
    pub(crate) fn end(&mut self, now: Instant, index: usize, loss: Loss) {
        let Some(server) = self.servers.get_mut(index) else {
            return;
        };
        let id = server.id;
        if self.wanted == Some(id) {
            self.wanted = None;
        }
        let old = mem::replace(&mut server.state, State::Waiting { until: now });
        match old {
            State::Ready(link) => {
                if now.saturating_duration_since(link.ready_at) >= self.settings.forgive_after {
                    server.failures = 0;
                }
                self.counters.losses += 1;
                if matches!(loss, Loss::Hung | Loss::ReadOverdue) {
                    self.counters.ejections += 1;
                    server.failures = server.failures.max(FAILURES_OF_A_HANG);
                }
                server.needs_probe |= !matches!(loss, Loss::Closed | Loss::Unreachable);
                self.report(Notice::Lost(id, loss));
                self.ask_again(&link);
            }
            State::Connecting { .. } => {
                // A server that is away is reported once, not at every try.
                if server.failures == 0 {
                    self.report(Notice::Lost(id, loss));
                }
            }
            State::Waiting { .. } | State::Refused => return,
        }
        self.wait_before_connecting(now, index);
    }

    fn wait_before_connecting(&mut self, now: Instant, index: usize) {
        let Some(server) = self.servers.get_mut(index) else {
            return;
        };
        if !server.is_listed {
            self.servers.remove(index);
            return;
        }
        let delay = doubled(
            self.settings.backoff_min,
            server.failures,
            self.settings.backoff_max,
        );
        server.failures = server.failures.saturating_add(1);
        server.state = State::Waiting {
            until: now + self.jitter.spread(delay),
        };
    }

    /// Closes what is to be left and what is more than needed.
    pub(crate) fn leave(&mut self, now: Instant) {
        for index in (0..self.servers.len()).rev() {
            let has_other = self.another_is_good(index);
            let Some(link) = self.servers.get(index).and_then(Server::link) else {
                continue;
            };
            let is_done = match link.phase {
                Phase::Stopping => link.attempts.is_empty(),
                Phase::Leaving => link.attempts.is_empty() && has_other,
                Phase::Probing | Phase::Warm => false,
            };
            if is_done {
                let delay = self.jitter.spread(self.settings.backoff_refused);
                self.close(index, now + delay);
            }
        }
        let good = self
            .servers
            .iter()
            .filter(|server| server.link().is_some_and(Link::is_good))
            .count();
        if good < self.settings.warm || !self.troubled.is_empty() {
            return;
        }
        let mut surplus = good - self.settings.warm;
        for index in (0..self.servers.len()).rev() {
            let Some(server) = self.servers.get(index) else {
                continue;
            };
            if self.wanted == Some(server.id) {
                continue;
            }
            match &server.state {
                State::Connecting { .. } => self.give_up_connecting(index, now),
                State::Ready(link)
                    if surplus > 0
                        && link.is_good()
                        && link.attempts.is_empty()
                        && self.current != Some(server.id) =>
                {
                    surplus -= 1;
                    self.close(index, now);
                }
                _ => {}
            }
        }
    }

    fn give_up_connecting(&mut self, index: usize, now: Instant) {
        let Some(server) = self.servers.get_mut(index) else {
            return;
        };
        if let State::Connecting { connection, .. } = server.state {
            server.state = State::Waiting { until: now };
            self.actions.push_back(Action::Close { connection });
        }
    }

    fn close(&mut self, index: usize, again_at: Instant) {
        let Some(server) = self.servers.get_mut(index) else {
            return;
        };
        let (id, is_listed) = (server.id, server.is_listed);
        let old = mem::replace(&mut server.state, State::Waiting { until: again_at });
        if let State::Ready(link) = old {
            self.actions.push_back(Action::Close {
                connection: link.connection,
            });
            self.ask_again(&link);
            if link.phase != Phase::Warm {
                self.report(Notice::Left(id));
            }
        }
        if !is_listed {
            self.servers.remove(index);
        }
    }

    /// Connections that serve, or will if all goes as it should.
    pub(crate) fn hoped_for(&self, now: Instant) -> usize {
        let patience = self.settings.connect_patience;
        let is_fresh = |since: Instant| now.saturating_duration_since(since) < patience;
        self.servers
            .iter()
            .filter(|server| match &server.state {
                State::Connecting { since, .. } => is_fresh(*since),
                State::Ready(link) => {
                    server.is_listed
                        && (link.is_good()
                            || (link.phase == Phase::Probing
                                && !link.is_silent
                                && is_fresh(link.ready_at)))
                }
                State::Waiting { .. } | State::Refused => false,
            })
            .count()
    }

    pub(crate) fn connect(&mut self, now: Instant) {
        let mut have = self.hoped_for(now);
        for index in 0..self.servers.len() {
            // A read that every connected server fails may still be served by one we never needed so far.
            let is_enough = have >= self.settings.warm && self.troubled.is_empty();
            let id = self.servers.get(index).map(|server| server.id);
            if is_enough && (self.wanted.is_none() || self.wanted != id) {
                continue;
            }
            let connection = match self.servers.get(index).map(|server| &server.state) {
                Some(State::Waiting { until }) if *until <= now => self.new_connection(),
                _ => continue,
            };
            if let Some(server) = self.servers.get_mut(index) {
                server.state = State::Connecting {
                    connection,
                    since: now,
                };
                have += 1;
                let server = server.id;
                self.actions
                    .push_back(Action::Connect { connection, server });
            }
        }
    }

    pub(crate) fn send_heartbeats(&mut self, now: Instant) {
        for index in 0..self.servers.len() {
            let is_due = self
                .servers
                .get(index)
                .and_then(Server::link)
                .is_some_and(|link| link.heartbeat.is_none() && link.next_heartbeat <= now);
            if !is_due {
                continue;
            }
            let cookie = self.new_cookie();
            if let Some(link) = self.servers.get_mut(index).and_then(Server::link_mut) {
                link.begin_heartbeat(cookie, now);
                let connection = link.connection;
                self.actions
                    .push_back(Action::Heartbeat { connection, cookie });
            }
        }
    }

    pub(crate) fn another_is_good(&self, index: usize) -> bool {
        self.servers
            .iter()
            .enumerate()
            .any(|(at, server)| at != index && server.link().is_some_and(Link::is_good))
    }
}

fn must_end(link: &Link, now: Instant, has_other: bool, settings: &Settings) -> Option<Loss> {
    let age = |since: Instant| now.saturating_duration_since(since);
    let heartbeat = link
        .heartbeat
        .map(|heartbeat| heartbeat.sent_at.max(link.last_heard));
    if heartbeat.is_some_and(|since| age(since) >= settings.heartbeat_timeout) {
        return Some(Loss::Hung);
    }
    let oldest = link.attempts.values().next()?;
    let timeout = if has_other {
        settings.read_timeout
    } else {
        settings.read_timeout * 4
    };
    (age(oldest.sent_at) >= timeout).then_some(Loss::ReadOverdue)
}
