//! What comes back: bytes, errors, signs of life.

use std::mem;
use std::time::Instant;

use crate::action::{Action, Answer, ConnectionId, Cookie, Notice, Verdict};
use crate::failover::Failover;
use crate::link::{Attempt, Phase};
use crate::server::{Server, State};

impl Failover {
    pub(crate) fn note_heard(&mut self, now: Instant, index: usize) {
        let Some(server) = self.servers.get_mut(index) else {
            return;
        };
        let id = server.id;
        if let Some(link) = server.link_mut() {
            link.hear(now);
            if mem::take(&mut link.is_silent) {
                self.report(Notice::HeardAgain(id));
            }
        }
    }

    pub(crate) fn take_answer(
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
            self.heartbeat_answered(now, index, answer);
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

    fn heartbeat_answered(&mut self, now: Instant, index: usize, answer: Answer) {
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
            (Answer::Alive { draining: true, .. }, Phase::Warm) => {
                link.phase = Phase::Leaving;
                self.report(Notice::Draining(id));
            }
            (
                Answer::Alive {
                    draining: false, ..
                },
                Phase::Leaving,
            ) if is_listed => {
                link.phase = Phase::Warm;
                self.report(Notice::Ready(id));
            }
            _ => {}
        }
        if let Answer::Alive { asked_to_move, .. } = answer {
            self.note_wish_to_move(now, index, asked_to_move);
        }
    }

    /// The server where reads go passes on that the farm wants them elsewhere. Said of a spare it means nothing.
    fn note_wish_to_move(&mut self, now: Instant, index: usize, is_asked: bool) {
        let Some(server) = self.servers.get_mut(index) else {
            return;
        };
        let id = server.id;
        let Some(link) = server.link_mut() else {
            return;
        };
        if !is_asked || self.current != Some(id) {
            link.moving_since = None;
            return;
        }
        let again_after = self.settings.ask_again;
        let is_news = link
            .moving_since
            .is_none_or(|since| now.saturating_duration_since(since) >= again_after);
        if is_news {
            link.moving_since = Some(now);
            self.report(Notice::AskedToMove(id));
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
