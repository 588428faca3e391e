//! What follows from an event or from the passing of time.

use std::time::{Duration, Instant};

use super::line::Line;
use super::machine::{EIO, Writable};
use super::{Action, Kind, Notice, Operation, OperationId, Verdict};
use crate::action::{Answer, Cookie, Loss};
use crate::backoff::doubled;

impl Writable {
    pub(crate) fn advance(&mut self, now: Instant) {
        self.allow_for_sleep(now);
        self.watch_line(now);
        self.flush_journal(now);
        while let Some(&(at, id)) = self.retries.first() {
            if at > now {
                break;
            }
            self.retries.pop_first();
            self.waiting.insert(id);
        }
        self.give_up(now);
        self.dispatch(now);
        self.deadline = self.earliest(now);
    }

    /// If the caller comes late, nobody was there to hear the server.
    pub(crate) fn allow_for_sleep(&mut self, now: Instant) {
        let late = self
            .deadline
            .map_or(Duration::ZERO, |due| now.saturating_duration_since(due));
        if late > self.settings.overslept {
            self.line.grow_younger(late, now);
            self.deadline = Some(now);
        }
    }

    fn watch_line(&mut self, now: Instant) {
        match &self.line {
            Line::Waiting { until } if *until <= now => {
                let connection = self.new_connection();
                self.line = Line::Connecting {
                    connection,
                    since: now,
                };
                self.actions.push_back(Action::Connect { connection });
            }
            Line::Connecting { connection, since }
                if now.saturating_duration_since(*since) >= self.settings.connect_timeout =>
            {
                let connection = *connection;
                self.actions.push_back(Action::Close { connection });
                self.end(now, Loss::Unreachable);
            }
            Line::Ready(ready) => {
                let connection = ready.connection;
                let is_hung = ready.silent_since().is_some_and(|since| {
                    now.saturating_duration_since(since) >= self.settings.heartbeat_timeout
                });
                let is_due = ready.heartbeat.is_none() && ready.next_heartbeat <= now;
                if is_hung {
                    self.actions.push_back(Action::Close { connection });
                    self.end(now, Loss::Hung);
                } else if is_due {
                    let cookie = self.new_cookie();
                    if let Some(ready) = self.line.ready_mut() {
                        ready.heartbeat = Some((cookie, now));
                    }
                    self.actions
                        .push_back(Action::Heartbeat { connection, cookie });
                }
            }
            Line::Waiting { .. } | Line::Connecting { .. } => {}
        }
    }

    /// The connection is over: what was in flight waits again.
    pub(crate) fn end(&mut self, now: Instant, loss: Loss) {
        let was_ready = self.line.ready().is_some();
        let delay = doubled(
            self.settings.backoff_min,
            self.failures,
            self.settings.backoff_max,
        );
        self.failures = self.failures.saturating_add(1);
        let delay = self.jitter.spread(delay);
        self.line = Line::Waiting { until: now + delay };
        self.away_since.get_or_insert(now);
        if was_ready {
            self.counters.losses += 1;
        }
        if was_ready || self.failures == 1 {
            self.actions.push_back(Action::Report(Notice::Lost(loss)));
        }
        let in_flight = std::mem::take(&mut self.in_flight);
        self.in_flight_bytes = 0;
        self.is_replaying = false;
        self.replay_paused_until = None;
        let replay = std::mem::take(&mut self.replay);
        for id in in_flight.into_values().chain(replay) {
            if self.known.contains_key(&id) && !self.journal.holds(id) {
                self.waiting.insert(id);
            }
        }
        for (_, id) in std::mem::take(&mut self.retries) {
            self.waiting.insert(id);
        }
    }

    /// Everything that was finished and is not safe, and, so that the order stays what it was, unfinished changes that were asked
    /// for before the last of those.
    pub(crate) fn begin_replay(&mut self, now: Instant) {
        let Some(last) = self.journal.last_asked() else {
            self.is_back(now);
            return;
        };
        self.replay = self.journal.ids().collect();
        let earlier: Vec<OperationId> = self
            .waiting
            .range(..last)
            .copied()
            .filter(|id| {
                self.known
                    .get(id)
                    .is_some_and(|known| known.operation.is_change())
            })
            .collect();
        for id in earlier {
            self.waiting.remove(&id);
            self.replay.insert(id);
        }
        self.is_replaying = true;
        let changes = self.replay.len();
        self.actions
            .push_back(Action::Report(Notice::Replaying { changes }));
    }

    /// Everything that the server may have lost is there again.
    fn is_back(&mut self, now: Instant) {
        self.is_replaying = false;
        self.is_given_up = false;
        let after = self
            .away_since
            .take()
            .map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        self.actions
            .push_back(Action::Report(Notice::Ready { after }));
    }

    /// Fails what waits, once the server has been away for too long.
    fn give_up(&mut self, now: Instant) {
        let (Some(limit), Some(since)) = (self.settings.outage_limit, self.away_since) else {
            return;
        };
        if now.saturating_duration_since(since) < limit {
            return;
        }
        if !self.is_given_up && !self.waiting.is_empty() {
            self.is_given_up = true;
            self.actions
                .push_back(Action::Report(Notice::OutageTooLong));
        }
        for id in std::mem::take(&mut self.waiting) {
            self.finish(now, id, Err(EIO));
        }
    }

    /// Sends a flush when the journal is old or full, unless one is on its way.
    fn flush_journal(&mut self, now: Instant) {
        let Some(oldest) = self.journal.oldest() else {
            return;
        };
        let is_old = now.saturating_duration_since(oldest) >= self.settings.flush_after;
        let is_large = self.held_bytes >= self.settings.journal_bytes / 4;
        if !(is_old || is_large || self.wants_room)
            || self.line.ready().is_none()
            || self.is_replaying
            || self.flush_not_before.is_some_and(|at| at > now)
        {
            return;
        }
        let is_under_way = self
            .known
            .values()
            .any(|known| known.operation.kind == Kind::Flush);
        if !is_under_way {
            self.wants_room = false;
            self.counters.own_flushes += 1;
            self.begin(now, Operation::flush(), true);
        }
    }

    fn dispatch(&mut self, now: Instant) {
        let Some(connection) = self.line.ready().map(|ready| ready.connection) else {
            return;
        };
        if self.is_replaying {
            if self.replay_paused_until.is_some_and(|until| until > now) {
                return;
            }
            self.replay_paused_until = None;
            while let Some(id) = self.replay.first().copied() {
                // In order where order matters: a server carries out side by side what it is asked at once.
                if !self.has_window(id) || self.overlaps_in_flight(id) {
                    return;
                }
                self.replay.pop_first();
                self.send(connection, id);
            }
            if !self.in_flight.is_empty() {
                return;
            }
            self.is_back(now);
        }
        while let Some(id) = self.waiting.first().copied() {
            if !self.has_window(id) {
                return;
            }
            self.waiting.pop_first();
            self.send(connection, id);
        }
    }

    fn has_window(&self, id: OperationId) -> bool {
        let bytes = self
            .known
            .get(&id)
            .map_or(0, |known| known.operation.length);
        self.in_flight.is_empty()
            || (self.in_flight.len() < self.settings.window
                && self.in_flight_bytes + u64::from(bytes) <= self.settings.window_bytes)
    }

    fn overlaps_in_flight(&self, id: OperationId) -> bool {
        let Some(known) = self.known.get(&id) else {
            return false;
        };
        let mut others = self
            .in_flight
            .values()
            .filter_map(|other| self.known.get(other));
        others.any(|other| other.operation.overlaps(&known.operation))
    }

    fn send(&mut self, connection: crate::ConnectionId, id: OperationId) {
        let cookie = self.new_cookie();
        let is_finished = self.journal.holds(id);
        let mark = self.journal.mark();
        let Some(known) = self.known.get_mut(&id) else {
            return;
        };
        if is_finished {
            self.counters.replayed += 1;
        } else if known.was_sent {
            self.counters.resent += 1;
        }
        known.was_sent = true;
        known.mark = mark;
        let operation = known.operation;
        self.in_flight.insert(cookie, id);
        self.in_flight_bytes += u64::from(operation.length);
        self.actions.push_back(Action::Send {
            connection,
            cookie,
            id,
            operation,
        });
    }

    pub(crate) fn take_answer(&mut self, now: Instant, cookie: Cookie, answer: Answer) -> Verdict {
        let every = self.settings.heartbeat_every;
        if let Some(ready) = self.line.ready_mut() {
            ready.hear(now);
            if let Some((_, sent_at)) = ready.heartbeat.take_if(|(known, _)| *known == cookie) {
                ready.next_heartbeat = sent_at + every;
                return Verdict::Noted;
            }
        }
        let Some(id) = self.in_flight.remove(&cookie) else {
            return Verdict::Unasked;
        };
        let Some(known) = self.known.get(&id) else {
            // A read that was abandoned; its length is not known any more.
            self.in_flight_bytes = self
                .in_flight
                .values()
                .filter_map(|id| self.known.get(id))
                .map(|known| u64::from(known.operation.length))
                .sum();
            return Verdict::Noted;
        };
        let (operation, mark) = (known.operation, known.mark);
        self.in_flight_bytes = self
            .in_flight_bytes
            .saturating_sub(u64::from(operation.length));
        match answer {
            Answer::ShuttingDown => {
                // It will not answer anything any more; what it did is done again elsewhere in time.
                self.put_back(id);
                if let Some(connection) = self.line.connection() {
                    self.actions.push_back(Action::Close { connection });
                }
                self.end(now, Loss::Closed);
                Verdict::Noted
            }
            Answer::Failed { error } => {
                self.failed(now, id, operation, error);
                Verdict::Noted
            }
            Answer::Data if operation.kind == Kind::Read => {
                self.finish(now, id, Ok(()));
                Verdict::Deliver(id)
            }
            Answer::Data if operation.kind == Kind::Flush => {
                self.flush_not_before = None;
                self.finish(now, id, Ok(()));
                for safe in self.journal.made_safe(mark) {
                    self.forget(safe);
                }
                Verdict::Noted
            }
            Answer::Data => {
                if !self.journal.holds(id) {
                    self.finish(now, id, Ok(()));
                } else if let Some(known) = self.known.get_mut(&id) {
                    known.failing_since = None;
                }
                Verdict::Noted
            }
            Answer::Alive { .. } => {
                self.put_back(id);
                Verdict::Unasked
            }
        }
    }

    fn put_back(&mut self, id: OperationId) {
        if !self.journal.holds(id) {
            self.waiting.insert(id);
        }
    }

    fn failed(&mut self, now: Instant, id: OperationId, operation: Operation, error: u32) {
        let again_at = now + self.jitter.spread(self.settings.retry_after);
        if self.journal.holds(id) {
            // It was finished once and must become true again.
            self.replay.insert(id);
            self.replay_paused_until = Some(again_at);
            let is_first = self.known.get_mut(&id).is_some_and(|known| {
                let is_first = known.failing_since.is_none();
                known.failing_since.get_or_insert(now);
                is_first
            });
            if is_first {
                let offset = operation.offset;
                self.actions
                    .push_back(Action::Report(Notice::ReplayFails { offset, error }));
            }
            return;
        }
        let is_own = self.known.get(&id).is_some_and(|known| known.is_own);
        match operation.kind {
            Kind::Read => self.read_failed(now, id, operation, error, again_at),
            Kind::Flush if is_own => {
                if self.flush_not_before.replace(again_at).is_none() {
                    self.actions
                        .push_back(Action::Report(Notice::FlushFails { error }));
                }
                self.forget(id);
            }
            Kind::Flush | Kind::Write | Kind::Clear => self.finish(now, id, Err(error)),
        }
    }

    fn read_failed(
        &mut self,
        now: Instant,
        id: OperationId,
        operation: Operation,
        error: u32,
        again_at: Instant,
    ) {
        let Some(known) = self.known.get_mut(&id) else {
            return;
        };
        let is_first = known.failing_since.is_none();
        let since = *known.failing_since.get_or_insert(now);
        let is_over = self
            .settings
            .error_patience
            .is_some_and(|patience| now.saturating_duration_since(since) >= patience);
        if is_over {
            self.finish(now, id, Err(error));
            return;
        }
        if is_first {
            let offset = operation.offset;
            self.actions
                .push_back(Action::Report(Notice::ReadFails { offset, error }));
        }
        self.retries.insert((again_at, id));
    }

    fn finish(&mut self, now: Instant, id: OperationId, result: Result<(), u32>) {
        let Some(known) = self.known.get(&id) else {
            return;
        };
        let (operation, is_own) = (known.operation, known.is_own);
        let waited = now.saturating_duration_since(known.asked_at);
        if !is_own {
            self.counters.longest_wait = self.counters.longest_wait.max(waited);
            match result {
                Ok(()) => self.counters.finished += 1,
                Err(_) => self.counters.failed += 1,
            }
            self.actions.push_back(Action::Finish { id, result });
        }
        if result.is_ok() && operation.is_change() {
            self.journal.add(id, now);
        } else {
            self.forget(id);
        }
    }

    fn earliest(&self, now: Instant) -> Option<Instant> {
        let line = match &self.line {
            Line::Waiting { until } => Some(*until),
            Line::Connecting { since, .. } => Some(*since + self.settings.connect_timeout),
            Line::Ready(ready) => Some(match ready.silent_since() {
                Some(since) => since + self.settings.heartbeat_timeout,
                None => ready.next_heartbeat,
            }),
        };
        let outage = match (self.settings.outage_limit, self.away_since) {
            (Some(limit), Some(since)) if !self.waiting.is_empty() => Some(since + limit),
            _ => None,
        };
        let is_ready = self.line.ready().is_some() && !self.is_replaying;
        let flush = self
            .journal
            .oldest()
            .filter(|_| is_ready)
            .filter(|_| {
                !self
                    .known
                    .values()
                    .any(|known| known.operation.kind == Kind::Flush)
            })
            .map(|oldest| {
                let due = oldest + self.settings.flush_after;
                self.flush_not_before.map_or(due, |at| at.max(due))
            });
        let retry = self.retries.first().map(|(at, _)| *at);
        let replay = self.replay_paused_until;
        [line, outage, flush, retry, replay]
            .into_iter()
            .flatten()
            .min()
            .map(|at| at.max(now))
    }
}
