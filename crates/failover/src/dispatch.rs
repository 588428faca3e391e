//! Reads on their way out: which connection is asked, when a second one is, and what happens after an error.

use std::ops::Bound;
use std::time::Instant;

use crate::action::{Action, ConnectionId, Notice, ReadId};
use crate::backoff::doubled;
use crate::failover::Failover;
use crate::link::{Attempt, Fitness, Link};
use crate::read::{Read, Trouble};
use crate::server::Server;

/// Rounds that a read is tried on every server before it may fail, however short the patience.
const LEAST_ROUNDS: u32 = 3;

impl Failover {
    pub(crate) fn retry_troubled(&mut self, now: Instant) {
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

    pub(crate) fn dispatch(&mut self, now: Instant) {
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
                .range((Bound::Excluded(after), Bound::Unbounded))
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

    fn send(&mut self, now: Instant, id: ReadId, connection: ConnectionId, is_hedge: bool) {
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
    pub(crate) fn hedge(&mut self, now: Instant) {
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
    pub(crate) fn next_hedge(
        &self,
        index: usize,
        now: Instant,
    ) -> Option<(Instant, ReadId, ConnectionId)> {
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

    /// Puts the reads that only this connection was asked for back in the queue.
    pub(crate) fn ask_again(&mut self, link: &Link) {
        for attempt in link.attempts.values() {
            self.take_back(link.connection, *attempt);
        }
    }

    pub(crate) fn take_back(&mut self, connection: ConnectionId, attempt: Attempt) {
        let Some(read) = self.reads.get_mut(&attempt.read) else {
            return;
        };
        read.no_longer_on(connection);
        if read.under_way.is_empty() {
            self.pending.insert(attempt.read);
            self.counters.resent += 1;
        }
    }

    pub(crate) fn forget(&mut self, read: ReadId) -> Option<Read> {
        self.pending.remove(&read);
        if self.troubled.remove(&read) {
            self.retries.retain(|(_, waiting)| *waiting != read);
        }
        self.reads.remove(&read)
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
