//! What happened: every event the caller reports.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem;
use std::time::{Duration, Instant};

use crate::action::{
    Action, Answer, ConnectionId, Cookie, Loss, Notice, ReadId, Refusal, ServerId, Verdict,
};
use crate::backoff::{Jitter, doubled};
use crate::link::{Attempt, Link, Phase};
use crate::read::Read;
use crate::server::{Server, State};
use crate::settings::Settings;
use crate::view::{Counters, ServerView, View};

/// Failures a hung server starts with when it has none: it is not worth a quick second try.
const FAILURES_OF_A_HANG: u32 = 3;

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
    pub(crate) no_server_since: Option<Instant>,
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
            no_server_since: Some(now),
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

    pub(crate) fn forget(&mut self, read: ReadId) -> Option<Read> {
        self.pending.remove(&read);
        if self.troubled.remove(&read) {
            self.retries.retain(|(_, waiting)| *waiting != read);
        }
        self.reads.remove(&read)
    }

    /// Takes a connection away from its server, and asks for what it owed elsewhere.
    pub(crate) fn end(&mut self, now: Instant, index: usize, loss: Loss) {
        let Some(server) = self.servers.get_mut(index) else {
            return;
        };
        let id = server.id;
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

    /// Puts the reads that only this connection was asked for back in the queue.
    pub(crate) fn ask_again(&mut self, link: &Link) {
        for attempt in link.attempts.values() {
            self.take_back(link.connection, *attempt);
        }
    }

    fn take_back(&mut self, connection: ConnectionId, attempt: Attempt) {
        let Some(read) = self.reads.get_mut(&attempt.read) else {
            return;
        };
        read.no_longer_on(connection);
        if read.under_way.is_empty() {
            self.pending.insert(attempt.read);
            self.counters.resent += 1;
        }
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

    fn note_heard(&mut self, now: Instant, index: usize) {
        let Some(server) = self.servers.get_mut(index) else {
            return;
        };
        let id = server.id;
        if let Some(link) = server.link_mut() {
            link.last_heard = link.last_heard.max(now);
            if mem::take(&mut link.is_silent) {
                self.report(Notice::HeardAgain(id));
            }
        }
    }

    fn take_answer(
        &mut self,
        now: Instant,
        index: usize,
        cookie: Cookie,
        answer: Answer,
    ) -> Verdict {
        self.note_heard(now, index);
        let Some(link) = self.servers.get_mut(index).and_then(Server::link_mut) else {
            return Verdict::Unasked;
        };
        if link
            .heartbeat
            .is_some_and(|heartbeat| heartbeat.cookie == cookie)
        {
            link.end_heartbeat(now, &self.settings);
            self.heartbeat_answered(index, answer);
            return Verdict::Discard;
        }
        let connection = link.connection;
        let Some(attempt) = link.attempts.remove(&cookie) else {
            return Verdict::Unasked;
        };
        match answer {
            Answer::Data => {
                // No sample above what counts as late, so that one hang does not make the next one cost more; a
                // server that has become slower for good is still learnt, threefold each time.
                let latency = now.saturating_duration_since(attempt.sent_at);
                let late_after = link.late_after(&self.settings);
                link.answered_in(latency.min(late_after));
                self.deliver(now, connection, attempt)
            }
            Answer::Alive { .. } => Verdict::Unasked,
            Answer::ShuttingDown => {
                link.phase = Phase::Stopping;
                self.take_back(connection, attempt);
                Verdict::Discard
            }
            Answer::Failed { error } => {
                link.was_beaten();
                self.note_failure(index, attempt, error);
                self.take_back(connection, attempt);
                Verdict::Discard
            }
        }
    }

    fn heartbeat_answered(&mut self, index: usize, answer: Answer) {
        let Some(server) = self.servers.get_mut(index) else {
            return;
        };
        let (id, is_listed) = (server.id, server.is_listed);
        let State::Ready(link) = &mut server.state else {
            return;
        };
        if link.phase == Phase::Probing {
            link.phase = Phase::Warm;
            server.needs_probe = false;
            self.counters.connections += 1;
            self.actions.push_back(Action::Report(Notice::Ready(id)));
        }
        // An error still is a sign of life; only the reads tell whether the server can serve.
        match (answer, link.phase) {
            (Answer::ShuttingDown, _) => link.phase = Phase::Stopping,
            (Answer::Alive { draining: true }, Phase::Warm) => {
                link.phase = Phase::Leaving;
                self.report(Notice::Draining(id));
            }
            (Answer::Alive { draining: false }, Phase::Leaving) if is_listed => {
                link.phase = Phase::Warm;
                self.report(Notice::Ready(id));
            }
            _ => {}
        }
    }

    fn deliver(&mut self, now: Instant, connection: ConnectionId, attempt: Attempt) -> Verdict {
        let Some(read) = self.forget(attempt.read) else {
            self.counters.duplicates += 1;
            return Verdict::Discard;
        };
        self.counters.delivered += 1;
        self.counters.longest_wait = self.counters.longest_wait.max(read.waited(now));
        if attempt.is_hedge {
            self.counters.hedges_won += 1;
            for (other, _) in read.under_way.iter().filter(|(on, _)| *on != connection) {
                let beaten = self
                    .index_of(*other)
                    .and_then(|at| self.servers.get_mut(at));
                if let Some(link) = beaten.and_then(Server::link_mut) {
                    link.was_beaten();
                }
            }
        }
        Verdict::Deliver(attempt.read)
    }

    fn note_failure(&mut self, index: usize, attempt: Attempt, error: u32) {
        let (Some(server), Some(read)) =
            (self.servers.get(index), self.reads.get_mut(&attempt.read))
        else {
            return;
        };
        read.last_error = error;
        if !read.failed_on.contains(&server.id) {
            read.failed_on.push(server.id);
        }
    }
}
