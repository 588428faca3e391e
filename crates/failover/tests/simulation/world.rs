//! Servers, a network between, and a client that reads without rest: all in simulated time, from one seed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::time::{Duration, Instant};

use failover::{
    Action, Answer, ConnectionId, Cookie, Failover, Loss, Notice, ReadId, Refusal, ServerId,
    Settings, Verdict, View,
};

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);
const EIO: u32 = 5;

/// What can be wrong with a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Its process is killed: connections are reset, connecting is refused.
    Kill,
    /// It takes connections and requests and says nothing: SIGSTOP, or a network that swallows everything.
    Hang,
    /// It asks its clients to move and admits nobody.
    Drain,
    /// It passes on that the farm wants this client on another server.
    AskToMove,
    /// It answers every request with ESHUTDOWN.
    Stop,
    /// It answers every read with EIO.
    Fail,
    /// Every connection to it is reset, once.
    Reset,
    /// The network swallows everything and forgets the connections that there were. Nobody is told, not even when all is well
    /// again: whatever was connected stays half open.
    Cut,
    /// Each message takes ten times as long.
    Slow,
    /// All is well again. Messages that a hanging server swallowed are answered now.
    Heal,
}

#[derive(Clone, Debug)]
pub(crate) struct SimServer {
    pub(crate) id: ServerId,
    pub(crate) latency: Duration,
    pub(crate) has_right_root: bool,
    pub(crate) fault: Option<Fault>,
    held: Vec<Message>,
    /// Connections that only the client believes in.
    half_open: BTreeSet<ConnectionId>,
}

impl SimServer {
    pub(crate) fn new(id: u32, latency: Duration) -> Self {
        Self {
            id: ServerId(id),
            latency,
            has_right_root: true,
            fault: None,
            held: Vec::new(),
            half_open: BTreeSet::new(),
        }
    }

    pub(crate) fn with_wrong_root(mut self) -> Self {
        self.has_right_root = false;
        self
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Message {
    Hello(ConnectionId),
    Read(ConnectionId, Cookie),
    Heartbeat(ConnectionId, Cookie),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    AtServer(usize, Message),
    Connected(ConnectionId),
    Refused(ConnectionId, u8),
    Lost(ConnectionId, u8),
    Answer(ConnectionId, Cookie, u8),
    AskMore,
}

struct Connection {
    server: usize,
    is_ready: bool,
    in_flight: BTreeSet<Cookie>,
}

/// Everything, and what it has seen.
pub(crate) struct World {
    pub(crate) client: Failover,
    pub(crate) servers: Vec<SimServer>,
    pub(crate) now: Instant,
    settings: Settings,
    random: u64,
    queue: BinaryHeap<Reverse<(Instant, u64, Event)>>,
    order: u64,
    connections: BTreeMap<ConnectionId, Connection>,
    asked: BTreeMap<Cookie, (u64, u32)>,
    waiting: BTreeMap<ReadId, (u64, u32, Instant)>,
    /// Reads kept under way at once, and the pause before each new one.
    depth: usize,
    pause: Duration,
    is_asking: bool,
    /// Of a thousand messages, those that are lost once and sent again by TCP.
    pub(crate) lost_per_mille: u64,
    /// How late the client's timers go off.
    pub(crate) late_by: Duration,
    pub(crate) notices: Vec<Notice>,
    pub(crate) answered: u64,
    pub(crate) failed: u64,
    pub(crate) longest_wait: Duration,
    events: u64,
}

impl World {
    pub(crate) fn new(servers: Vec<SimServer>, settings: Settings, seed: u64) -> Self {
        #[allow(
            clippy::disallowed_methods,
            reason = "an Instant has no other source; only differences matter"
        )]
        let now = Instant::now();
        let ranked: Vec<_> = servers.iter().map(|server| server.id).collect();
        let client = Failover::new(settings.clone(), &ranked, seed, now);
        let mut world = Self {
            client,
            servers,
            now,
            settings,
            random: seed | 1,
            queue: BinaryHeap::new(),
            order: 0,
            connections: BTreeMap::new(),
            asked: BTreeMap::new(),
            waiting: BTreeMap::new(),
            depth: 0,
            pause: Duration::ZERO,
            is_asking: false,
            lost_per_mille: 0,
            late_by: Duration::ZERO,
            notices: Vec::new(),
            answered: 0,
            failed: 0,
            longest_wait: Duration::ZERO,
            events: 0,
        };
        world.carry_out();
        world
    }

    /// From now on keeps `depth` reads under way, a new one `pause` after each answer.
    pub(crate) fn load(&mut self, depth: usize, pause: Duration) {
        (self.depth, self.pause) = (depth, pause);
        self.ask_soon();
    }

    pub(crate) fn inflict(&mut self, server: usize, fault: Fault) {
        let old = self.servers[server].fault;
        self.servers[server].fault =
            Some(fault).filter(|fault| !matches!(fault, Fault::Heal | Fault::Reset));
        let ids: Vec<_> = self
            .connections
            .iter()
            .filter(|(_, c)| c.server == server)
            .map(|(id, _)| *id)
            .collect();
        if fault == Fault::Cut {
            self.servers[server].held.clear();
            self.servers[server].half_open.extend(ids);
        } else if matches!(fault, Fault::Kill | Fault::Reset) {
            self.servers[server].held.clear();
            for id in ids {
                if !self.servers[server].half_open.contains(&id) {
                    self.schedule(MS / 10, Event::Lost(id, 0));
                }
            }
        } else if old == Some(Fault::Hang) {
            for message in std::mem::take(&mut self.servers[server].held) {
                self.schedule(MS / 10, Event::AtServer(server, message));
            }
        }
    }

    /// Lets time pass.
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
            assert!(self.events < 20_000_000, "the client is busy with itself");
            if event == Some(next) {
                let Some(Reverse((_, _, event))) = self.queue.pop() else {
                    return;
                };
                self.happen(event);
            } else {
                self.client.tick(self.now);
                let is_ahead = self
                    .client
                    .next_deadline()
                    .is_none_or(|deadline| deadline > self.now);
                assert!(
                    is_ahead,
                    "a deadline that is not ahead makes its caller spin"
                );
            }
            self.carry_out();
        }
    }

    /// As if the machine had been asleep: nobody looks at anything meanwhile.
    pub(crate) fn sleep(&mut self, time: Duration) {
        self.now += time;
    }

    /// As the farm's next login answer says: the server at this place is the first one now.
    pub(crate) fn move_to(&mut self, server: usize) {
        let first = self.servers[server].id;
        let others = self.servers.iter().map(|known| known.id);
        let ranked: Vec<_> = [first]
            .into_iter()
            .chain(others.filter(|id| *id != first))
            .collect();
        self.client.set_servers(self.now, &ranked);
        self.client.move_to(self.now, first);
        self.carry_out();
    }

    pub(crate) fn unanswered(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn view(&self) -> View {
        self.client.view()
    }

    pub(crate) fn warm(&self) -> usize {
        self.view()
            .servers
            .iter()
            .filter(|server| server.state == "warm")
            .count()
    }

    pub(crate) fn current(&self) -> Option<ServerId> {
        self.view()
            .servers
            .iter()
            .find(|server| server.is_current)
            .map(|server| server.server)
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::AtServer(server, message) => self.arrive(server, message),
            Event::AskMore => {
                self.is_asking = false;
                self.ask();
            }
            Event::Connected(id) => {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.is_ready = true;
                    self.client.connected(self.now, id);
                }
            }
            Event::Refused(id, refusal) => {
                if self.connections.remove(&id).is_some() {
                    let refusal = if refusal == 0 {
                        Refusal::Draining
                    } else {
                        Refusal::WrongRoot
                    };
                    self.client.refused(self.now, id, refusal);
                }
            }
            Event::Lost(id, loss) => {
                if self.connections.remove(&id).is_some() {
                    let loss = if loss == 0 {
                        Loss::Closed
                    } else {
                        Loss::Unreachable
                    };
                    self.client.lost(self.now, id, loss);
                }
            }
            Event::Answer(id, cookie, answer) => self.take_answer(id, cookie, answer),
        }
    }

    fn take_answer(&mut self, id: ConnectionId, cookie: Cookie, answer: u8) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.in_flight.remove(&cookie);
        let answer = match answer {
            0 => Answer::Data,
            1 => Answer::Alive {
                draining: false,
                asked_to_move: false,
            },
            2 => Answer::Alive {
                draining: true,
                asked_to_move: false,
            },
            5 => Answer::Alive {
                draining: false,
                asked_to_move: true,
            },
            3 => Answer::ShuttingDown,
            _ => Answer::Failed { error: EIO },
        };
        self.client.heard(self.now, id);
        match self.client.answered(self.now, id, cookie, answer) {
            Verdict::Deliver(read) => {
                assert_eq!(answer, Answer::Data, "only data answers a read");
                let (offset, length, since) =
                    self.waiting.remove(&read).expect("a read is answered once");
                assert_eq!(
                    self.asked[&cookie],
                    (offset, length),
                    "a read gets the bytes it asked for"
                );
                self.longest_wait = self.longest_wait.max(self.now - since);
                self.answered += 1;
                self.ask_soon();
            }
            Verdict::Discard => {}
            Verdict::Unasked => panic!("the client forgot that it asked {cookie:?}"),
        }
    }

    fn ask_soon(&mut self) {
        if !self.is_asking && self.waiting.len() < self.depth {
            self.is_asking = true;
            self.schedule(self.pause, Event::AskMore);
        }
    }

    fn ask(&mut self) {
        while self.waiting.len() < self.depth {
            let offset = self.draw() % (1 << 30);
            let length = 4096;
            let read = self
                .client
                .read(self.now, offset, length)
                .expect("the depth is below the limit");
            self.waiting.insert(read, (offset, length, self.now));
            self.carry_out();
            if self.pause > Duration::ZERO {
                self.ask_soon();
                return;
            }
        }
    }

    fn carry_out(&mut self) {
        while let Some(action) = self.client.next_action() {
            match action {
                Action::Connect { connection, server } => {
                    let at = self
                        .servers
                        .iter()
                        .position(|known| known.id == server)
                        .expect("a server of the list");
                    let is_double = self.connections.values().any(|other| other.server == at);
                    assert!(!is_double, "two connections to one server");
                    let new = Connection {
                        server: at,
                        is_ready: false,
                        in_flight: BTreeSet::new(),
                    };
                    self.connections.insert(connection, new);
                    self.travel(at, Message::Hello(connection));
                }
                Action::Close { connection } => {
                    assert!(
                        self.connections.remove(&connection).is_some(),
                        "closed what was not open"
                    );
                }
                Action::Send {
                    connection,
                    cookie,
                    offset,
                    length,
                } => {
                    self.asked.insert(cookie, (offset, length));
                    let at = self.sendable(connection, cookie);
                    self.travel(at, Message::Read(connection, cookie));
                }
                Action::Heartbeat { connection, cookie } => {
                    let at = self.sendable(connection, cookie);
                    self.travel(at, Message::Heartbeat(connection, cookie));
                }
                Action::Fail { read, .. } => {
                    self.waiting
                        .remove(&read)
                        .expect("a read fails once, and not after its answer");
                    self.failed += 1;
                    self.ask_soon();
                }
                Action::Report(notice) => self.notices.push(notice),
                _ => {}
            }
        }
    }

    fn sendable(&mut self, connection: ConnectionId, cookie: Cookie) -> usize {
        let connection = self
            .connections
            .get_mut(&connection)
            .expect("sent on a connection that is gone");
        assert!(connection.is_ready, "sent before the handshake was over");
        assert!(
            self.servers[connection.server].has_right_root,
            "asked a server with other bytes"
        );
        connection.in_flight.insert(cookie);
        assert!(
            connection.in_flight.len() <= self.settings.window + 1,
            "more in flight than the window"
        );
        connection.server
    }

    fn travel(&mut self, server: usize, message: Message) {
        let time = self.one_way(server);
        self.schedule(time, Event::AtServer(server, message));
    }

    fn arrive(&mut self, at: usize, message: Message) {
        let back = self.one_way(at);
        let server = &mut self.servers[at];
        let (id, cookie) = match message {
            Message::Hello(id) => (id, None),
            Message::Read(id, cookie) | Message::Heartbeat(id, cookie) => (id, Some(cookie)),
        };
        if server.fault == Some(Fault::Cut) {
            server.half_open.insert(id);
        }
        if server.half_open.contains(&id) {
            return;
        }
        match server.fault {
            Some(Fault::Kill) => {
                let loss = u8::from(cookie.is_none());
                return self.schedule(back, Event::Lost(id, loss));
            }
            Some(Fault::Hang) => return server.held.push(message),
            _ => {}
        }
        let event = match (message, cookie) {
            (Message::Hello(_), _) if !server.has_right_root => Event::Refused(id, 1),
            (Message::Hello(_), _) if matches!(server.fault, Some(Fault::Drain | Fault::Stop)) => {
                Event::Refused(id, 0)
            }
            (Message::Heartbeat(_, cookie), _) => Event::Answer(
                id,
                cookie,
                match server.fault {
                    Some(Fault::Drain) => 2,
                    Some(Fault::AskToMove) => 5,
                    _ => 1,
                },
            ),
            (Message::Read(_, cookie), _) => match server.fault {
                Some(Fault::Stop) => Event::Answer(id, cookie, 3),
                Some(Fault::Fail) => Event::Answer(id, cookie, 4),
                _ => Event::Answer(id, cookie, 0),
            },
            (Message::Hello(_), _) => Event::Connected(id),
        };
        self.schedule(back, event);
    }

    /// The latency with jitter, and a retransmission if the message is lost.
    fn one_way(&mut self, server: usize) -> Duration {
        let jitter = 0.5 + (self.draw() % 1000) as f64 / 1000.0;
        let lost = if self.draw() % 1000 < self.lost_per_mille {
            200 * MS
        } else {
            Duration::ZERO
        };
        let server = &self.servers[server];
        let factor = if server.fault == Some(Fault::Slow) {
            10.0
        } else {
            1.0
        };
        (server.latency / 2).mul_f64(jitter * factor) + lost
    }

    fn schedule(&mut self, after: Duration, event: Event) {
        self.order += 1;
        self.queue
            .push(Reverse((self.now + after, self.order, event)));
    }

    fn draw(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random >> 11
    }
}
