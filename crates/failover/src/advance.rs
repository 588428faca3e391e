//! What follows: after each event everything that is due is decided here, in one fixed order.

use std::time::Instant;

use crate::action::{Action, ConnectionId, Loss, Notice, ReadId, ServerId};
use crate::backoff::doubled;
use crate::failover::Failover;
use crate::link::{Attempt, Fitness, Link, Phase};
use crate::read::{Read, Trouble};
use crate::server::{Server, State};

/// Rounds that a read is tried on every server before it may fail, however short the patience.
const LEAST_ROUNDS: u32 = 3;

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
        let floor = now + std::time::Duration::from_millis(1);
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

    fn judge_silence(&mut self, now: Instant) {
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

    fn retry_troubled(&mut self, now: Instant) {
        while let Some(&(at, read)) = self.retries.first() {
            if at > now {
                break;
            }
            self.retries.pop_first();
            if self.reads.contains_key(&read) {
                self.pending.insert(read);
            }
        }
    }

    /// Closes what is to be left and what is more than needed.
    fn leave(&mut self, now: Instant) {
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
        let old = std::mem::replace(&mut server.state, State::Waiting { until: again_at });
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
    fn hoped_for(&self, now: Instant) -> usize {
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

    fn connect(&mut self, now: Instant) {
        let mut have = self.hoped_for(now);
        for index in 0..self.servers.len() {
            // A read that every connected server fails may still be served by one we never needed so far.
            if have >= self.settings.warm && self.troubled.is_empty() {
                return;
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

    /// Chooses where new reads go. Stays where it is unless something forces a move, or a long look says so.
    fn elect(&mut self, now: Instant) {
        let best = self
            .servers
            .iter()
            .filter_map(|server| server.link().map(|link| (server, link)))
            .filter_map(|(server, link)| Some((link.fitness()?, link.is_beaten(), server.id)))
            .enumerate()
            .min_by_key(|(rank, (fitness, is_beaten, _))| (*fitness, *is_beaten, *rank))
            .map(|(_, (fitness, _, id))| (fitness, id));
        let Some((best_fitness, best)) = best else {
            return; // `current` stays: it is where reads went, and will tell whether they move
        };
        let current = self
            .current
            .and_then(|id| self.link_of(id))
            .and_then(|link| Some((link.fitness()?, link)));
        let chosen = match current {
            Some((fitness, link)) if fitness == best_fitness => match self.better_than(link, now) {
                Some(better) => better,
                None => return,
            },
            _ => best,
        };
        if self.current == Some(chosen) {
            return;
        }
        if self.current.is_some() {
            self.counters.moves += 1;
        }
        self.current = Some(chosen);
        self.current_since = now;
        if let Some(link) = self
            .servers
            .iter_mut()
            .find(|server| server.id == chosen)
            .and_then(Server::link_mut)
        {
            link.forget_defeats();
        }
        self.report(Notice::ReadsGoTo(chosen));
    }

    /// A good server worth an unforced move: this one loses too many reads to hedges, or is clearly farther away.
    fn better_than(&self, current: &Link, now: Instant) -> Option<ServerId> {
        if !current.is_good()
            || now.saturating_duration_since(self.current_since) < self.settings.dwell
        {
            return None;
        }
        self.servers
            .iter()
            .filter_map(|server| server.link().map(|link| (server.id, link)))
            .filter(|(_, link)| {
                link.is_good() && link.connection != current.connection && !link.is_beaten()
            })
            .find(|(_, link)| {
                let is_nearer = match (link.round_trips.distance(), current.round_trips.distance())
                {
                    (Some(there), Some(here)) => {
                        there + there / 3 + self.settings.rtt_margin < here
                    }
                    _ => false,
                };
                current.is_beaten() || is_nearer
            })
            .map(|(id, _)| id)
    }

    fn dispatch(&mut self, now: Instant) {
        let mut from = None;
        while let Some(id) = self.next_pending(from) {
            from = Some(id);
            let Some(read) = self.reads.get(&id) else {
                self.pending.remove(&id);
                continue;
            };
            match self.place(read) {
                Place::On(connection) => {
                    self.pending.remove(&id);
                    self.send(now, id, connection, false);
                }
                Place::Wait => {}
                Place::Nobody => return,
                Place::EveryoneFailed => {
                    self.pending.remove(&id);
                    self.every_server_failed(now, id);
                }
            }
        }
    }

    fn next_pending(&self, after: Option<ReadId>) -> Option<ReadId> {
        match after {
            None => self.pending.first().copied(),
            Some(after) => self
                .pending
                .range((std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded))
                .next()
                .copied(),
        }
    }

    fn place(&self, read: &Read) -> Place {
        let mut best: Option<(Fitness, bool, usize, &Link)> = None;
        let mut anyone = false;
        let mut anyone_has_room = false;
        for (rank, server) in self.servers.iter().enumerate() {
            let Some(link) = server.link() else { continue };
            let Some(fitness) = link.fitness() else {
                continue;
            };
            anyone = true;
            anyone_has_room |= link.has_room(&self.settings);
            if read.failed_on.contains(&server.id) {
                continue;
            }
            let key = (fitness, self.current != Some(server.id), rank);
            if best.is_none_or(|(fitness, other, rank, _)| key < (fitness, other, rank)) {
                best = Some((key.0, key.1, key.2, link));
            }
        }
        match best {
            _ if !anyone || !anyone_has_room => Place::Nobody,
            None => Place::EveryoneFailed,
            Some((.., link)) if link.has_room(&self.settings) => Place::On(link.connection),
            Some(_) => Place::Wait,
        }
    }

    fn every_server_failed(&mut self, now: Instant, id: ReadId) {
        let Some(read) = self.reads.get_mut(&id) else {
            return;
        };
        read.failed_on.clear();
        let trouble = read.trouble.get_or_insert(Trouble {
            since: now,
            rounds: 0,
        });
        trouble.rounds = trouble.rounds.saturating_add(1);
        let (offset, error, trouble) = (read.offset, read.last_error, *trouble);
        let lasted = now.saturating_duration_since(trouble.since);
        let is_over = self
            .settings
            .error_patience
            .is_some_and(|patience| lasted >= patience);
        if is_over && trouble.rounds >= LEAST_ROUNDS {
            self.forget(id);
            self.counters.failed += 1;
            self.actions.push_back(Action::Fail { read: id, error });
            return;
        }
        if trouble.rounds == 1 {
            self.report(Notice::EveryServerFails { offset, error });
        }
        self.troubled.insert(id);
        let delay = doubled(
            self.settings.error_retry_min,
            trouble.rounds - 1,
            self.settings.error_retry_max,
        );
        self.retries.insert((now + self.jitter.spread(delay), id));
        self.connect(now);
    }

    pub(crate) fn send(
        &mut self,
        now: Instant,
        id: ReadId,
        connection: ConnectionId,
        is_hedge: bool,
    ) {
        let cookie = self.new_cookie();
        let Some(index) = self.index_of(connection) else {
            return;
        };
        let link = self.servers.get_mut(index).and_then(Server::link_mut);
        let (Some(link), Some(read)) = (link, self.reads.get_mut(&id)) else {
            return;
        };
        link.attempts.insert(
            cookie,
            Attempt {
                read: id,
                sent_at: now,
                is_hedge,
            },
        );
        read.under_way.push((connection, cookie));
        let (offset, length) = (read.offset, read.length);
        self.actions.push_back(Action::Send {
            connection,
            cookie,
            offset,
            length,
        });
    }

    /// Asks a second server for what is late, and for everything that a silent one owes.
    fn hedge(&mut self, now: Instant) {
        for index in 0..self.servers.len() {
            while let Some((due, read, target)) = self.next_hedge(index, now) {
                if due > now {
                    break;
                }
                self.counters.hedged += 1;
                self.send(now, read, target, true);
            }
        }
    }

    /// The oldest request of this server that another one could be asked for too, when, and whom.
    fn next_hedge(&self, index: usize, now: Instant) -> Option<(Instant, ReadId, ConnectionId)> {
        let link = self.servers.get(index)?.link()?;
        if link.attempts.is_empty() {
            return None;
        }
        let late_after = link.late_after(&self.settings);
        if !link.is_silent && self.hedges_under_way() >= self.settings.max_hedges {
            return None;
        }
        link.attempts.values().find_map(|attempt| {
            let read = self
                .reads
                .get(&attempt.read)
                .filter(|read| read.under_way.len() == 1)?;
            let target = self.hedge_target(link, read)?;
            Some((
                if link.is_silent {
                    now
                } else {
                    attempt.sent_at + late_after
                },
                attempt.read,
                target,
            ))
        })
    }

    fn hedges_under_way(&self) -> usize {
        let links = self.servers.iter().filter_map(Server::link);
        let hedges = links
            .flat_map(|link| link.attempts.values())
            .filter(|attempt| attempt.is_hedge);
        hedges
            .filter(|attempt| self.reads.contains_key(&attempt.read))
            .count()
    }

    fn hedge_target(&self, asked: &Link, read: &Read) -> Option<ConnectionId> {
        self.servers
            .iter()
            .filter(|server| !read.failed_on.contains(&server.id))
            .filter_map(Server::link)
            .filter(|link| !read.is_on(link.connection) && link.has_room(&self.settings))
            .filter_map(|link| Some((link.fitness()?, link.connection)))
            .filter(|(fitness, _)| match fitness {
                Fitness::Good | Fitness::Leaving => true,
                Fitness::Probing => asked.is_silent,
                Fitness::Silent => false,
            })
            .min_by_key(|(fitness, _)| *fitness)
            .map(|(_, connection)| connection)
    }

    fn send_heartbeats(&mut self, now: Instant) {
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

    fn another_is_good(&self, index: usize) -> bool {
        self.servers
            .iter()
            .enumerate()
            .any(|(at, server)| at != index && server.link().is_some_and(Link::is_good))
    }

    fn link_of(&self, id: ServerId) -> Option<&Link> {
        self.servers.iter().find(|server| server.id == id)?.link()
    }
}

enum Place {
    On(ConnectionId),
    /// The right server has no room just now.
    Wait,
    /// No server at all can take a read.
    Nobody,
    EveryoneFailed,
}

fn must_end(
    link: &Link,
    now: Instant,
    has_other: bool,
    settings: &crate::settings::Settings,
) -> Option<Loss> {
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
