//! A server with a disk whose cache can be lost, a network before it, and a device that knows what it has written: in
//! simulated time, from one seed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::time::{Duration, Instant};

use failover::writable::{
    Action, Kind, Notice, Operation, OperationId, Settings, SubmitError, Verdict, Writable,
};
use failover::{Answer, ConnectionId, Cookie, Loss, Refusal};

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);
const BLOCK: u32 = 4096;
const BLOCKS: u64 = 24;
const EIO: u32 = 5;
const ENOSPC: u32 = 28;

/// What can be wrong with the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Its process is killed; what it wrote is with its kernel.
    Kill,
    /// Its machine loses power: of what was not flushed, anything may be gone.
    PowerLoss,
    /// It says nothing.
    Hang,
    /// The network swallows everything and forgets the connection that there was. Nobody is told, not even when all is well again.
    Cut,
    /// It answers everything with ESHUTDOWN.
    Stop,
    /// It admits nobody, and closes.
    Refuse,
    /// The connection is reset, once.
    Reset,
    /// No write finds room.
    Full,
    /// Flushes fail.
    FlushFails,
    /// All is well again.
    Heal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    AtServer(ConnectionId, Cookie),
    Beat(ConnectionId, Cookie),
    Connected(ConnectionId),
    Refused(ConnectionId),
    Lost(ConnectionId),
    Answer(ConnectionId, Cookie, u32),
    AskMore,
}

/// What the device wants, with the value that a write brings.
#[derive(Clone, Copy, Debug)]
struct Wish {
    operation: Operation,
    value: u64,
}

pub(crate) struct World {
    pub(crate) client: Writable,
    pub(crate) now: Instant,
    settings: Settings,
    random: u64,
    queue: BinaryHeap<Reverse<(Instant, u64, Event)>>,
    order: u64,
    pub(crate) fault: Option<Fault>,
    /// How late the client's timers go off.
    pub(crate) late_by: Duration,
    connection: Option<ConnectionId>,
    /// Requests of the connection that are not carried out yet.
    at_server: BTreeMap<Cookie, Wish>,
    read_values: BTreeMap<Cookie, Vec<u64>>,
    content: Vec<u64>,
    safe: Vec<u64>,
    /// The caller's bytes.
    held: BTreeMap<OperationId, Wish>,
    /// What the device waits for.
    waiting: BTreeMap<OperationId, Instant>,
    /// What each block must read as; several values while a change of it is under way or has failed.
    expected: Vec<BTreeSet<u64>>,
    busy: BTreeSet<u64>,
    next_value: u64,
    depth: usize,
    pub(crate) notices: Vec<Notice>,
    pub(crate) finished: u64,
    pub(crate) failures: Vec<u32>,
    pub(crate) longest_wait: Duration,
    pub(crate) stuck: u64,
    events: u64,
}

impl World {
    pub(crate) fn new(settings: Settings, seed: u64) -> Self {
        #[allow(
            clippy::disallowed_methods,
            reason = "an Instant has no other source; only differences matter"
        )]
        let now = Instant::now();
        let blocks = usize::try_from(BLOCKS).unwrap();
        let mut world = Self {
            client: Writable::new(settings.clone(), seed, now),
            now,
            settings,
            random: seed | 1,
            queue: BinaryHeap::new(),
            order: 0,
            fault: None,
            late_by: Duration::ZERO,
            connection: None,
            at_server: BTreeMap::new(),
            read_values: BTreeMap::new(),
            content: vec![0; blocks],
            safe: vec![0; blocks],
            held: BTreeMap::new(),
            waiting: BTreeMap::new(),
            expected: vec![BTreeSet::from([0]); blocks],
            busy: BTreeSet::new(),
            next_value: 0,
            depth: 0,
            notices: Vec::new(),
            finished: 0,
            failures: Vec::new(),
            longest_wait: Duration::ZERO,
            stuck: 0,
            events: 0,
        };
        world.carry_out();
        world
    }

    /// From now on keeps so many operations under way.
    pub(crate) fn load(&mut self, depth: usize) {
        self.depth = depth;
        self.schedule(Duration::ZERO, Event::AskMore);
    }

    pub(crate) fn inflict(&mut self, fault: Fault) {
        self.fault = Some(fault).filter(|fault| !matches!(fault, Fault::Heal | Fault::Reset));
        let breaks = matches!(
            fault,
            Fault::Kill | Fault::PowerLoss | Fault::Reset | Fault::Refuse
        );
        if breaks && let Some(connection) = self.connection {
            self.leave_undecided();
            self.schedule(MS / 10, Event::Lost(connection));
        }
        if fault == Fault::Cut {
            self.leave_undecided();
        }
        if fault == Fault::PowerLoss {
            for at in 0..self.content.len() {
                if self.chance(2) {
                    self.content[at] = self.safe[at];
                } else {
                    self.safe[at] = self.content[at];
                }
            }
        }
    }

    /// Of what the server was asked on the connection that ends, some was carried out.
    fn leave_undecided(&mut self) {
        for (_, wish) in std::mem::take(&mut self.at_server) {
            if self.chance(2) && wish.operation.kind != Kind::Read {
                self.apply(wish);
            }
        }
        self.connection = None;
    }

    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let event = self.queue.peek().map(|Reverse((at, ..))| *at);
            let deadline = self.client.next_deadline().map(|at| at + self.late_by);
            let next = event.into_iter().chain(deadline).min().unwrap_or(end);
            if next > end {
                self.now = end;
                return;
            }
            self.now = self.now.max(next);
            self.events += 1;
            assert!(self.events < 5_000_000, "the client is busy with itself");
            if event == Some(next) {
                let Some(Reverse((_, _, event))) = self.queue.pop() else {
                    return;
                };
                self.happen(event);
            } else {
                self.client.tick(self.now);
                let is_ahead = self.client.next_deadline().is_none_or(|at| at > self.now);
                assert!(
                    is_ahead,
                    "a deadline that is not ahead makes its caller spin"
                );
            }
            self.carry_out();
        }
    }

    /// Until nothing waits; it must come to that.
    pub(crate) fn settle(&mut self) {
        self.depth = 0;
        for _ in 0..200 {
            if self.waiting.is_empty() && self.client.view().journal_changes == 0 {
                return;
            }
            self.run(SECOND);
        }
        panic!(
            "{} operations wait, {:?}",
            self.waiting.len(),
            self.client.view()
        );
    }

    /// Asks for every block.
    pub(crate) fn read_everything(&mut self) {
        for block in 0..BLOCKS {
            self.ask(Kind::Read, block, 1);
            self.run(SECOND);
        }
        self.settle();
    }

    /// What is safe on the server, were its power to go now, is what the device believes.
    pub(crate) fn assert_everything_is_safe(&self) {
        for (at, expected) in self.expected.iter().enumerate() {
            assert!(expected.contains(&self.safe[at]), "block {at}");
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Connected(connection) => {
                if matches!(
                    self.fault,
                    None | Some(Fault::Full | Fault::FlushFails | Fault::Stop)
                ) {
                    self.leave_undecided();
                    self.connection = Some(connection);
                    self.client.connected(self.now, connection);
                } else if !matches!(self.fault, Some(Fault::Hang | Fault::Cut)) {
                    self.client.lost(self.now, connection, Loss::Unreachable);
                }
            }
            Event::Refused(connection) => {
                self.client
                    .refused(self.now, connection, Refusal::NotAdmitted);
            }
            Event::Lost(connection) => self.client.lost(self.now, connection, Loss::Closed),
            Event::Beat(connection, cookie) => {
                let is_silent = matches!(self.fault, Some(Fault::Hang));
                if self.connection == Some(connection) && !is_silent {
                    self.client.heard(self.now, connection);
                    let answer = Answer::Alive {
                        draining: false,
                        asked_to_move: false,
                    };
                    self.client.answered(self.now, connection, cookie, answer);
                }
            }
            Event::AtServer(connection, cookie) => self.serve(connection, cookie),
            Event::Answer(connection, cookie, error) => {
                if self.connection == Some(connection) {
                    self.take_answer(connection, cookie, error);
                }
            }
            Event::AskMore => {
                self.ask_more();
                if self.depth > 0 {
                    self.schedule(3 * MS, Event::AskMore);
                }
            }
        }
    }

    fn serve(&mut self, connection: ConnectionId, cookie: Cookie) {
        if self.connection != Some(connection) {
            return;
        }
        if self.fault == Some(Fault::Hang) {
            // TCP loses nothing: it is read when the server goes on.
            self.schedule(20 * MS, Event::AtServer(connection, cookie));
            return;
        }
        let Some(wish) = self.at_server.remove(&cookie) else {
            return;
        };
        let kind = wish.operation.kind;
        let error = match self.fault {
            Some(Fault::Stop) => 108,
            Some(Fault::Full) if kind == Kind::Write => ENOSPC,
            Some(Fault::FlushFails) if kind == Kind::Flush => EIO,
            _ => 0,
        };
        if error == 0 {
            if kind == Kind::Read {
                let values = blocks(&wish.operation).map(|at| self.content[at]).collect();
                self.read_values.insert(cookie, values);
            } else {
                self.apply(wish);
            }
        }
        let delay = self.delay();
        self.schedule(delay, Event::Answer(connection, cookie, error));
    }

    fn apply(&mut self, wish: Wish) {
        if wish.operation.kind == Kind::Flush {
            self.safe.clone_from(&self.content);
        }
        for at in blocks(&wish.operation) {
            self.content[at] = wish.value;
        }
    }

    fn take_answer(&mut self, connection: ConnectionId, cookie: Cookie, error: u32) {
        let values = self.read_values.remove(&cookie);
        let answer = match error {
            0 => Answer::Data,
            108 => Answer::ShuttingDown,
            error => Answer::Failed { error },
        };
        self.client.heard(self.now, connection);
        match self.client.answered(self.now, connection, cookie, answer) {
            Verdict::Deliver(id) => {
                let wish = self.held[&id];
                for (at, value) in blocks(&wish.operation).zip(values.unwrap_or_default()) {
                    assert!(
                        self.expected[at].contains(&value),
                        "block {at} reads {value} instead of {:?}",
                        self.expected[at]
                    );
                }
            }
            Verdict::Noted => {}
            Verdict::Unasked => panic!("cookies are never used twice"),
        }
    }

    fn carry_out(&mut self) {
        while let Some(action) = self.client.next_action() {
            match action {
                Action::Connect { connection } => {
                    let delay = self.delay();
                    let event = if self.fault == Some(Fault::Refuse) {
                        Event::Refused(connection)
                    } else {
                        Event::Connected(connection)
                    };
                    self.schedule(delay, event);
                }
                Action::Close { connection } if self.connection == Some(connection) => {
                    self.leave_undecided();
                }
                Action::Send {
                    connection,
                    cookie,
                    id,
                    operation,
                } => {
                    let wish = self.held.get(&id).copied().unwrap_or(Wish {
                        operation,
                        value: 0,
                    });
                    assert_eq!(wish.operation, operation);
                    assert!(
                        self.held.contains_key(&id) || operation.kind == Kind::Flush,
                        "bytes that were forgotten are sent"
                    );
                    if self.connection == Some(connection) {
                        self.at_server.insert(cookie, wish);
                        let delay = self.delay();
                        self.schedule(delay, Event::AtServer(connection, cookie));
                    }
                }
                Action::Heartbeat { connection, cookie } => {
                    let delay = self.delay();
                    self.schedule(delay, Event::Beat(connection, cookie));
                }
                Action::Finish { id, result } => self.finish(id, result),
                Action::Forget { id } => {
                    assert!(self.held.remove(&id).is_some(), "forgotten twice");
                    assert!(!self.waiting.contains_key(&id), "forgotten unfinished");
                }
                Action::Report(notice) => self.notices.push(notice),
                _ => {}
            }
        }
        let bytes = self.client.view().journal_bytes;
        assert!(bytes <= self.settings.journal_bytes.max(300_000), "{bytes}");
    }

    fn finish(&mut self, id: OperationId, result: Result<(), u32>) {
        let since = self.waiting.remove(&id).expect("finished exactly once");
        self.longest_wait = self.longest_wait.max(self.now - since);
        let wish = self.held[&id];
        match result {
            Ok(()) => self.finished += 1,
            Err(error) => self.failures.push(error),
        }
        for at in blocks(&wish.operation) {
            if wish.operation.kind != Kind::Read {
                if result.is_ok() {
                    self.expected[at].clear();
                }
                self.expected[at].insert(wish.value);
            }
            self.busy.remove(&u64::try_from(at).unwrap());
        }
    }

    fn ask_more(&mut self) {
        for _ in self.waiting.len()..self.depth {
            let (kind, first) = match self.draw(20) {
                0 => (Kind::Flush, 0),
                1..=8 => (Kind::Read, self.draw(BLOCKS)),
                9..=10 => (Kind::Clear, self.draw(BLOCKS)),
                _ => (Kind::Write, self.draw(BLOCKS)),
            };
            let count = (1 + self.draw(4)).min(BLOCKS - first);
            if !self.ask(kind, first, count) {
                return;
            }
        }
    }

    /// Asks, unless something of the same range is under way: what that leaves is nobody's promise.
    fn ask(&mut self, kind: Kind, first: u64, count: u64) -> bool {
        let operation = if kind == Kind::Flush {
            Operation::flush()
        } else {
            Operation {
                kind,
                offset: first * u64::from(BLOCK),
                length: u32::try_from(count).unwrap() * BLOCK,
            }
        };
        let range: Vec<u64> = (first..first + count).collect();
        if kind != Kind::Flush && range.iter().any(|block| self.busy.contains(block)) {
            return false;
        }
        let id = match self.client.submit(self.now, operation) {
            Ok(id) => id,
            Err(SubmitError::NoRoom) => return false,
            Err(_) => {
                self.stuck += 1;
                return false;
            }
        };
        self.next_value += 1;
        let value = if kind == Kind::Clear {
            0
        } else {
            self.next_value
        };
        self.held.insert(id, Wish { operation, value });
        self.waiting.insert(id, self.now);
        if kind != Kind::Flush {
            self.busy.extend(range);
        }
        self.carry_out();
        true
    }

    fn delay(&mut self) -> Duration {
        MS / 10 + MS * u32::try_from(self.draw(4)).unwrap() / 2
    }

    fn schedule(&mut self, delay: Duration, event: Event) {
        self.order += 1;
        self.queue
            .push(Reverse((self.now + delay, self.order, event)));
    }

    fn chance(&mut self, of: u64) -> bool {
        self.draw(of) == 0
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 20) % below
    }
}

fn blocks(operation: &Operation) -> std::ops::Range<usize> {
    let block = |bytes: u64| usize::try_from(bytes / u64::from(BLOCK)).unwrap();
    block(operation.offset)..block(operation.offset + u64::from(operation.length))
}
