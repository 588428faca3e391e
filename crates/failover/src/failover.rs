//! What happened: every event the caller reports.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem;
use std::time::{Duration, Instant};

use crate::action::{
    Action, Answer, ConnectionId, Cookie, Loss, Notice, ReadId, Refusal, ServerId, Verdict,
};
use crate::backoff::Jitter;
use crate::link::{Link, Phase};
use crate::read::Read;
use crate::server::{Server, State};
use crate::settings::Settings;
use crate::view::{Counters, Footing, ServerView, View};

/// More reads are under way than [`Settings::max_reads`]: take no more requests until one is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{limit} reads are under way, the most allowed: wait for an answer before asking again")]
pub struct TooManyReads {
    /// The limit.
    pub limit: usize,
}

/// The decision. See the crate's documentation for how to drive it.
#[derive(Clone, Debug)]
pub struct Failover {
    pub(crate) settings: Settings,
    pub(crate) jitter: Jitter,
    /// Best rank first; those being left are last.
    pub(crate) servers: Vec<Server>,
    pub(crate) reads: BTreeMap<ReadId, Read>,
    /// Reads with no request under way.
    pub(crate) pending: BTreeSet<ReadId>,
    /// Reads that every server answered with an error, and when to try again.
    pub(crate) retries: BTreeSet<(Instant, ReadId)>,
    /// The same reads until they are answered, waiting or not.
    pub(crate) troubled: BTreeSet<ReadId>,
    pub(crate) current: Option<ServerId>,
    pub(crate) current_since: Instant,
    /// Where reads are to go as soon as it is warm, because the farm wants it so.
    pub(crate) wanted: Option<ServerId>,
    pub(crate) no_server_since: Option<Instant>,
    /// All that serve are to be left.
    pub(crate) is_cornered: bool,
    pub(crate) actions: VecDeque<Action>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) counters: Counters,
    next_connection: u64,
    next_cookie: u64,
    next_read: u64,
}

impl Failover {
    /// Begins to connect to the first servers of the ranked list. `seed` spreads the delays of many clients.
    pub fn new(settings: Settings, ranked: &[ServerId], seed: u64, now: Instant) -> Self {
        let mut new = Self {
            settings,
            jitter: Jitter::new(seed),
            servers: Vec::new(),
            reads: BTreeMap::new(),
            pending: BTreeSet::new(),
            retries: BTreeSet::new(),
            troubled: BTreeSet::new(),
            current: None,
            current_since: now,
            wanted: None,
            no_server_since: Some(now),
            is_cornered: false,
            actions: VecDeque::new(),
            deadline: None,
            counters: Counters::default(),
            next_connection: 0,
            next_cookie: 0,
            next_read: 0,
        };
        new.set_servers(now, ranked);
        new
    }

    /// Takes a new ranking. Servers no longer in it are left as if they drained; a server that was refused for
    /// good is asked again, since whoever made the list may have seen to it.
    pub fn set_servers(&mut self, now: Instant, ranked: &[ServerId]) {
        self.wanted = None;
        let mut old = mem::take(&mut self.servers);
        for &id in ranked {
            if self.servers.iter().any(|server| server.id == id) {
                continue;
            }
            let mut server = match old.iter().position(|server| server.id == id) {
                Some(at) => old.remove(at),
                None => Server::new(id, now),
            };
            server.is_listed = true;
            if matches!(server.state, State::Refused) {
                server.state = State::Waiting { until: now };
            }
            self.servers.push(server);
        }
        for mut server in old {
            server.is_listed = false;
            match &mut server.state {
                State::Connecting { connection, .. } => {
                    self.actions.push_back(Action::Close {
                        connection: *connection,
                    });
                }
                State::Ready(link) => {
                    if link.phase != Phase::Stopping {
                        link.phase = Phase::Leaving;
                    }
                    self.servers.push(server);
                }
                State::Waiting { .. } | State::Refused => {}
            }
        }
        self.advance(now);
    }

    /// Connects to a server of the list, beside those that are warm, and sends reads there once it can serve. Nothing is
    /// given up before: if it cannot be reached, everything stays as it is.
    pub fn move_to(&mut self, now: Instant, server: ServerId) {
        let found = self.servers.iter_mut().find(|known| known.id == server);
        if let Some(found) = found.filter(|found| found.is_listed)
            && self.current != Some(server)
        {
            if matches!(found.state, State::Waiting { .. }) {
                found.state = State::Waiting { until: now };
            }
            self.wanted = Some(server);
        }
        self.advance(now);
    }

    /// Somebody wants bytes.
    ///
    /// # Errors
    ///
    /// [`TooManyReads`] when as many reads as the settings allow are under way.
    pub fn read(&mut self, now: Instant, offset: u64, length: u32) -> Result<ReadId, TooManyReads> {
        if self.reads.len() >= self.settings.max_reads {
            return Err(TooManyReads {
                limit: self.settings.max_reads,
            });
        }
        let id = ReadId(self.next_read);
        self.next_read += 1;
        self.reads.insert(id, Read::new(offset, length, now));
        self.pending.insert(id);
        self.counters.reads += 1;
        self.advance(now);
        Ok(id)
    }

    /// Nobody waits for the read any more.
    pub fn cancel(&mut self, now: Instant, read: ReadId) {
        self.forget(read);
        self.advance(now);
    }

    /// The connection shook hands, and serves the right root.
    pub fn connected(&mut self, now: Instant, connection: ConnectionId) {
        let Some(index) = self.index_of(connection) else {
            return;
        };
        let Some(server) = self.servers.get_mut(index) else {
            return;
        };
        if !matches!(server.state, State::Connecting { .. }) {
            return;
        }
        let phase = if server.needs_probe {
            Phase::Probing
        } else {
            Phase::Warm
        };
        server.last_refusal = None;
        server.state = State::Ready(Link::new(connection, phase, now));
        if phase == Phase::Warm {
            self.counters.connections += 1;
            let id = server.id;
            self.report(Notice::Ready(id));
        }
        self.advance(now);
    }

    /// The handshake ended in a refusal. The connection is over.
    pub fn refused(&mut self, now: Instant, connection: ConnectionId, refusal: Refusal) {
        let Some(index) = self.index_of(connection) else {
            return;
        };
        let delay = self.jitter.spread(self.settings.backoff_refused);
        let Some(server) = self.servers.get_mut(index) else {
            return;
        };
        if self.wanted == Some(server.id) {
            self.wanted = None;
        }
        server.state = match refusal {
            Refusal::WrongRoot => State::Refused,
            Refusal::NotAdmitted | Refusal::Draining => State::Waiting { until: now + delay },
        };
        if server.last_refusal.replace(refusal) != Some(refusal) {
            let id = server.id;
            self.report(Notice::Refused(id, refusal));
        }
        self.advance(now);
    }

    /// The connection is gone, or never came to be.
    pub fn lost(&mut self, now: Instant, connection: ConnectionId, loss: Loss) {
        let Some(index) = self.index_of(connection) else {
            return;
        };
        self.end(now, index, loss);
        self.advance(now);
    }

    /// Bytes came in, be it a part of an answer: the peer lives. Call it before `answered`, at each socket read.
    pub fn heard(&mut self, now: Instant, connection: ConnectionId) {
        self.allow_for_sleep(now);
        let Some(index) = self.index_of(connection) else {
            return;
        };
        self.note_heard(now, index);
    }

    /// A request was answered in full.
    pub fn answered(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        cookie: Cookie,
        answer: Answer,
    ) -> Verdict {
        self.allow_for_sleep(now);
        let Some(index) = self.index_of(connection) else {
            return Verdict::Discard;
        };
        let verdict = self.take_answer(now, index, cookie, answer);
        self.advance(now);
        verdict
    }

    /// The deadline has come.
    pub fn tick(&mut self, now: Instant) {
        self.advance(now);
    }

    /// When to call `tick` if nothing happens before.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The next thing to do. Take all of them after each event.
    pub fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Whether another read would be taken.
    pub fn has_room(&self) -> bool {
        self.reads.len() < self.settings.max_reads
    }

    /// How long no server has been able to serve, if none is.
    pub fn without_server_for(&self, now: Instant) -> Option<Duration> {
        self.no_server_since
            .map(|since| now.saturating_duration_since(since))
    }

    /// How well reads are provided for at this moment.
    pub fn footing(&self) -> Footing {
        let links = || self.servers.iter().filter_map(Server::link);
        let ready = links().filter(|link| link.is_good()).count();
        let stays = |link: &Link| link.fitness().is_some() && link.phase != Phase::Leaving;
        if ready >= self.settings.warm {
            Footing::Firm
        } else if links().any(stays) {
            Footing::Alone
        } else {
            Footing::Lost
        }
    }

    /// What people may see.
    pub fn view(&self) -> View {
        let servers = self
            .servers
            .iter()
            .map(|server| ServerView {
                server: server.id,
                state: server.state_name(),
                is_current: self.current == Some(server.id),
                rtt: server.link().and_then(|link| link.round_trips.smoothed()),
                late_after: server.link().map(|link| link.late_after(&self.settings)),
                in_flight: server.link().map_or(0, |link| link.attempts.len()),
                failures: server.failures,
            })
            .collect();
        View {
            servers,
            unanswered: self.reads.len(),
            counters: self.counters,
        }
    }

    pub(crate) fn report(&mut self, notice: Notice) {
        self.actions.push_back(Action::Report(notice));
    }

    pub(crate) fn index_of(&self, connection: ConnectionId) -> Option<usize> {
        self.servers
            .iter()
            .position(|server| server.connection() == Some(connection))
    }

    pub(crate) fn new_connection(&mut self) -> ConnectionId {
        self.next_connection += 1;
        ConnectionId(self.next_connection)
    }

    pub(crate) fn new_cookie(&mut self) -> Cookie {
        self.next_cookie += 1;
        Cookie(self.next_cookie)
    }
}
