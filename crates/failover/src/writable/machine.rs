//! What happened: every event the caller reports.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use super::journal::Journal;
use super::line::{Line, Ready};
use super::{Action, Counters, Notice, Operation, OperationId, Settings, Verdict, View};
use crate::action::{Answer, ConnectionId, Cookie, Loss, Refusal};
use crate::backoff::Jitter;

/// The NBD error number for "it went wrong".
pub(crate) const EIO: u32 = 5;

/// Why an operation is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// Too much is under way: try again when something has finished or was forgotten.
    #[error("as much is under way as the settings allow: wait until something is finished")]
    NoRoom,
    /// The journal is full and cannot be made safe.
    #[error("the server does not make safe what was written, and no more can be kept here")]
    JournalStuck,
}

/// An operation that is not forgotten yet.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) operation: Operation,
    pub(crate) asked_at: Instant,
    /// Of the flush that the journal makes for itself.
    pub(crate) is_own: bool,
    pub(crate) was_sent: bool,
    pub(crate) failing_since: Option<Instant>,
    /// Of a flush that was sent: what it covers.
    pub(crate) mark: u64,
}

/// The decision. See the module's documentation for how to drive it.
#[derive(Clone, Debug)]
pub struct Writable {
    pub(crate) settings: Settings,
    pub(crate) jitter: Jitter,
    pub(crate) line: Line,
    pub(crate) failures: u32,
    pub(crate) last_refusal: Option<Refusal>,
    pub(crate) away_since: Option<Instant>,
    pub(crate) is_given_up: bool,
    pub(crate) known: BTreeMap<OperationId, Known>,
    /// Not in flight, not finished.
    pub(crate) waiting: BTreeSet<OperationId>,
    /// What is to be carried out again before anything else is asked, and has not been sent yet.
    pub(crate) replay: BTreeSet<OperationId>,
    pub(crate) in_flight: BTreeMap<Cookie, OperationId>,
    pub(crate) in_flight_bytes: u64,
    pub(crate) retries: BTreeSet<(Instant, OperationId)>,
    pub(crate) replay_paused_until: Option<Instant>,
    pub(crate) journal: Journal,
    /// What all known changes cost.
    pub(crate) held_bytes: u64,
    pub(crate) flush_not_before: Option<Instant>,
    pub(crate) is_replaying: bool,
    pub(crate) wants_room: bool,
    pub(crate) actions: VecDeque<Action>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) counters: Counters,
    next_connection: u64,
    next_cookie: u64,
    next_operation: u64,
}

impl Writable {
    /// Begins to connect. `seed` spreads the delays of many clients.
    pub fn new(settings: Settings, seed: u64, now: Instant) -> Self {
        let mut new = Self {
            settings,
            jitter: Jitter::new(seed),
            line: Line::Waiting { until: now },
            failures: 0,
            last_refusal: None,
            away_since: Some(now),
            is_given_up: false,
            known: BTreeMap::new(),
            waiting: BTreeSet::new(),
            replay: BTreeSet::new(),
            in_flight: BTreeMap::new(),
            in_flight_bytes: 0,
            retries: BTreeSet::new(),
            replay_paused_until: None,
            journal: Journal::default(),
            held_bytes: 0,
            flush_not_before: None,
            is_replaying: false,
            wants_room: false,
            actions: VecDeque::new(),
            deadline: None,
            counters: Counters::default(),
            next_connection: 0,
            next_cookie: 0,
            next_operation: 0,
        };
        new.advance(now);
        new
    }

    /// The device wants something.
    ///
    /// # Errors
    ///
    /// If there is no room for it now, or will be none.
    pub fn submit(
        &mut self,
        now: Instant,
        operation: Operation,
    ) -> Result<OperationId, SubmitError> {
        let unfinished = self.known.len() - self.journal.len();
        if unfinished >= self.settings.max_operations {
            return Err(SubmitError::NoRoom);
        }
        if operation.is_change() {
            let is_full = self.held_bytes > 0
                && self.held_bytes + operation.cost() > self.settings.journal_bytes;
            if is_full {
                if self.flush_not_before.is_some() {
                    return Err(SubmitError::JournalStuck);
                }
                self.wants_room = true;
                self.advance(now);
                return Err(SubmitError::NoRoom);
            }
            self.counters.changes += 1;
        } else if operation.kind == super::Kind::Read {
            self.counters.reads += 1;
        } else {
            self.counters.flushes += 1;
        }
        let id = self.begin(now, operation, false);
        self.advance(now);
        Ok(id)
    }

    /// Nobody waits for it any more. A change is carried out all the same.
    pub fn abandon(&mut self, now: Instant, id: OperationId) {
        let is_read = self
            .known
            .get(&id)
            .is_some_and(|known| known.operation.kind == super::Kind::Read);
        if is_read {
            self.forget(id);
        }
        self.advance(now);
    }

    /// The connection shook hands, and it is the right disk.
    pub fn connected(&mut self, now: Instant, connection: ConnectionId) {
        if !matches!(self.line, Line::Connecting { connection: known, .. } if known == connection) {
            return;
        }
        let heartbeat = now + self.settings.heartbeat_every;
        self.line = Line::Ready(Ready::new(connection, now, heartbeat));
        self.failures = 0;
        self.last_refusal = None;
        self.counters.connections += 1;
        self.begin_replay(now);
        self.advance(now);
    }

    /// The handshake ended in a refusal. The connection is over.
    pub fn refused(&mut self, now: Instant, connection: ConnectionId, refusal: Refusal) {
        if self.line.connection() != Some(connection) {
            return;
        }
        let delay = self.jitter.spread(self.settings.backoff_refused);
        self.line = Line::Waiting { until: now + delay };
        if self.last_refusal.replace(refusal) != Some(refusal) {
            self.actions
                .push_back(Action::Report(Notice::Refused(refusal)));
        }
        self.advance(now);
    }

    /// The connection is gone, or never came to be.
    pub fn lost(&mut self, now: Instant, connection: ConnectionId, loss: Loss) {
        if self.line.connection() == Some(connection) {
            self.end(now, loss);
            self.advance(now);
        }
    }

    /// There may be another address or another ticket: whoever waits to connect does so now.
    pub fn try_again(&mut self, now: Instant) {
        if let Line::Waiting { until } = &mut self.line {
            *until = now;
        }
        self.advance(now);
    }

    /// Bytes came in, be it a part of an answer: the peer lives.
    pub fn heard(&mut self, now: Instant, connection: ConnectionId) {
        self.allow_for_sleep(now);
        if let Some(ready) = self.line.ready_mut()
            && ready.connection == connection
        {
            ready.hear(now);
        }
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
        if self.line.connection() != Some(connection) {
            return Verdict::Noted;
        }
        let verdict = self.take_answer(now, cookie, answer);
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

    /// How long the server has been away, if it is.
    pub fn away_for(&self, now: Instant) -> Option<Duration> {
        self.away_since
            .map(|since| now.saturating_duration_since(since))
    }

    /// What people may see.
    pub fn view(&self) -> View {
        View {
            state: match &self.line {
                Line::Waiting { .. } => "waiting",
                Line::Connecting { .. } => "connecting",
                Line::Ready(_) if self.is_replaying => "replaying",
                Line::Ready(_) => "ready",
            },
            unanswered: self.known.len() - self.journal.len(),
            journal_changes: self.journal.len(),
            journal_bytes: self.held_bytes,
            counters: self.counters,
        }
    }

    pub(crate) fn begin(
        &mut self,
        now: Instant,
        operation: Operation,
        is_own: bool,
    ) -> OperationId {
        self.next_operation += 1;
        let id = OperationId(self.next_operation);
        if operation.is_change() {
            self.held_bytes += operation.cost();
        }
        self.known.insert(
            id,
            Known {
                operation,
                asked_at: now,
                is_own,
                was_sent: false,
                failing_since: None,
                mark: 0,
            },
        );
        self.waiting.insert(id);
        id
    }

    /// Removes every trace of it.
    pub(crate) fn forget(&mut self, id: OperationId) {
        let Some(known) = self.known.remove(&id) else {
            return;
        };
        self.waiting.remove(&id);
        self.replay.remove(&id);
        self.retries.retain(|(_, waiting)| *waiting != id);
        if known.operation.is_change() {
            self.held_bytes -= known.operation.cost();
        }
        if !known.is_own {
            self.actions.push_back(Action::Forget { id });
        }
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
