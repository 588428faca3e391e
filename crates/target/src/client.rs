//! The failover decision with sockets, timers and readers around it.
//!
//! Everything runs on one thread. State is borrowed for the length of an event and never over an `await`.

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use failover::{
    Action, ConnectionId, Failover, Footing, Loss, Notice, ReadId, Refusal, ServerId, Settings,
    Verdict, View,
};
use nbd_proto::ErrorCode;
use tokio::sync::{Notify, oneshot};

use crate::clock;
use crate::config::LoginAnswer;
use crate::connection::{Answered, Connection, Wish};
use crate::journal::note;
use crate::pacing::{Link, Size, Timer};

/// A disk that is served by whoever can.
pub(crate) struct Client {
    state: RefCell<State>,
    timer: Timer,
    room: Notify,
    size_bytes: Size,
    login_wanted: Notify,
    move_wanted: Notify,
    connect_timeout: Duration,
}

struct State {
    failover: Failover,
    servers: Vec<Server>,
    next_server: u32,
    wish: Wish,
    links: HashMap<ConnectionId, Link<ServerId>>,
    readers: HashMap<ReadId, oneshot::Sender<Result<Vec<u8>, ErrorCode>>>,
}

struct Server {
    id: ServerId,
    name: String,
    addresses: Vec<SocketAddr>,
    tls: bool,
}

impl Client {
    /// Begins to connect. Must run inside a `LocalSet`.
    pub(crate) fn start(answer: &LoginAnswer, settings: Settings) -> Rc<Self> {
        let seed = RandomState::new().hash_one(std::process::id());
        let client = Rc::new(Self {
            connect_timeout: settings.connect_timeout,
            state: RefCell::new(State {
                failover: Failover::new(settings, &[], seed, clock::now()),
                servers: Vec::new(),
                next_server: 0,
                wish: Wish {
                    export: String::new(),
                    root: None,
                    size_bytes: None,
                    disk: None,
                    trust: None,
                },
                links: HashMap::new(),
                readers: HashMap::new(),
            }),
            timer: Timer::default(),
            room: Notify::new(),
            size_bytes: Size::new(answer.size_bytes),
            login_wanted: Notify::new(),
            move_wanted: Notify::new(),
        });
        client.follow(answer);
        tokio::task::spawn_local(Rc::clone(&client).keep_time());
        client
    }

    /// Takes a new login answer: its ranking, its ticket.
    pub(crate) fn follow(self: &Rc<Self>, answer: &LoginAnswer) {
        self.with(|state| {
            state.wish = Wish {
                export: answer.export_name(),
                root: answer.root.clone(),
                size_bytes: answer.size_bytes.or(self.size_bytes.known()),
                disk: None,
                // Checked when the answer came.
                trust: answer.trust().ok().flatten(),
            };
            let mut ranked = Vec::new();
            let mut servers = Vec::new();
            for entry in &answer.servers {
                let addresses = entry.parsed().unwrap_or_default();
                let known = state.servers.iter().position(|old| {
                    old.name == entry.name && old.addresses == addresses && old.tls == entry.tls
                });
                let server = if let Some(known) = known {
                    state.servers.remove(known)
                } else {
                    state.next_server += 1;
                    Server {
                        id: ServerId(state.next_server),
                        name: entry.name.clone(),
                        addresses,
                        tls: entry.tls,
                    }
                };
                ranked.push(server.id);
                servers.push(server);
            }
            // Those being left still have a name to be reported by.
            let ready = |id: ServerId| state.links.values().any(|link| link.key == id);
            servers.extend(state.servers.drain(..).filter(|server| ready(server.id)));
            state.servers = servers;
            state.failover.set_servers(clock::now(), &ranked);
        });
    }

    /// The disk's size, when a server or the farm has said it.
    pub(crate) async fn size_bytes(&self) -> u64 {
        self.size_bytes.get().await
    }

    /// Reads. Waits as long as no server can serve.
    ///
    /// # Errors
    ///
    /// What every server has been answering for longer than the configured patience.
    pub(crate) async fn read(
        self: &Rc<Self>,
        offset: u64,
        length: u32,
    ) -> Result<Vec<u8>, ErrorCode> {
        let (sender, receiver) = oneshot::channel();
        let mut sender = Some(sender);
        let id = loop {
            let asked = self.with(|state| {
                let id = state.failover.read(clock::now(), offset, length).ok()?;
                state.readers.insert(id, sender.take()?);
                Some(id)
            });
            match asked {
                Some(id) => break id,
                None => self.room.notified().await,
            }
        };
        let mut guard = Guard {
            client: self,
            read: Some(id),
        };
        let answer = receiver.await;
        guard.read = None;
        self.room.notify_one();
        answer.unwrap_or(Err(ErrorCode::InputOutput))
    }

    /// Waits until a new login would help: no server left, none to move to, or one that does not admit us.
    pub(crate) async fn login_wanted(&self) {
        self.login_wanted.notified().await;
    }

    /// Waits until the farm asks for a login, after which this device is to read from another server.
    pub(crate) async fn move_wanted(&self) {
        self.move_wanted.notified().await;
    }

    /// Moves to the first server of the last answer, as soon as it can serve.
    pub(crate) fn move_to_first(self: &Rc<Self>) {
        self.with(|state| {
            if let Some(first) = state.servers.first().map(|server| server.id) {
                state.failover.move_to(clock::now(), first);
            }
        });
    }

    pub(crate) fn without_server_for(&self) -> Option<Duration> {
        self.state
            .borrow()
            .failover
            .without_server_for(clock::now())
    }

    pub(crate) fn footing(&self) -> Footing {
        self.state.borrow().failover.footing()
    }

    /// What people may see, with each server's name.
    pub(crate) fn view(&self) -> (View, Vec<String>) {
        let state = self.state.borrow();
        let view = state.failover.view();
        let names = view
            .servers
            .iter()
            .map(|server| state.name_of(server.server).to_owned())
            .collect();
        (view, names)
    }

    /// Does something with the state, then all that follows from it.
    fn with<T>(self: &Rc<Self>, event: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.borrow_mut();
        let result = event(&mut state);
        self.carry_out(&mut state);
        result
    }

    fn carry_out(self: &Rc<Self>, state: &mut State) {
        while let Some(action) = state.failover.next_action() {
            match action {
                Action::Connect { connection, server } => self.connect(state, connection, server),
                Action::Close { connection } => {
                    state.links.remove(&connection);
                }
                Action::Send {
                    connection,
                    cookie,
                    offset,
                    length,
                } => {
                    state.ask(connection, |link| link.ask_read(cookie, offset, length));
                }
                Action::Heartbeat { connection, cookie } => {
                    state.ask(connection, |link| link.ask_heartbeat(cookie));
                }
                Action::Fail { read, error } => {
                    if let Some(reader) = state.readers.remove(&read) {
                        let _ = reader.send(Err(ErrorCode::from_number(error)));
                    }
                }
                Action::Report(notice) => {
                    if matches!(
                        notice,
                        Notice::NoServer
                            | Notice::Cornered
                            | Notice::Refused(_, Refusal::NotAdmitted | Refusal::WrongRoot)
                    ) {
                        self.login_wanted.notify_one();
                    }
                    if let Notice::AskedToMove(_) = notice {
                        self.move_wanted.notify_one();
                    }
                    state.report(notice);
                }
                _ => {}
            }
        }
        for link in state.links.values_mut() {
            link.flush();
        }
        self.timer.arm(state.failover.next_deadline());
    }

    fn connect(self: &Rc<Self>, state: &mut State, id: ConnectionId, server: ServerId) {
        let known = state.servers.iter().find(|known| known.id == server);
        let addresses = known.map(|known| known.addresses.clone());
        let mut addresses = addresses.unwrap_or_default();
        let mut wish = state.wish.clone();
        if known.is_some_and(|known| !known.tls) {
            wish.trust = None;
        } else if wish.trust.is_none() {
            // Never in the clear, whatever became of the root certificate.
            addresses.clear();
        }
        let task = tokio::task::spawn_local(Rc::clone(self).run(id, server, addresses, wish));
        state
            .links
            .insert(id, Link::new(server, task.abort_handle()));
    }

    async fn run(
        self: Rc<Self>,
        id: ConnectionId,
        server: ServerId,
        addresses: Vec<SocketAddr>,
        wish: Wish,
    ) {
        let connection = match Connection::open(&addresses, &wish, self.connect_timeout).await {
            Ok(connection) => Rc::new(connection),
            Err(error) => {
                self.with(|state| {
                    let now = clock::now();
                    match error.refusal() {
                        Some(refusal) => {
                            note!("server {} refused: {error}", state.name_of(server));
                            state.failover.refused(now, id, refusal);
                        }
                        None => state.failover.lost(now, id, Loss::Unreachable),
                    }
                    state.links.remove(&id);
                });
                return;
            }
        };
        let size = connection.size_bytes;
        let is_same = self.with(|state| {
            // Two first connections may have come up at once, each without knowing the other's size.
            let is_same = state.wish.size_bytes.is_none_or(|known| known == size);
            if is_same {
                state.wish.size_bytes = Some(size);
                if let Some(link) = state.links.get_mut(&id) {
                    link.connection = Some(Rc::clone(&connection));
                }
                state.failover.connected(clock::now(), id);
            } else {
                state.failover.refused(clock::now(), id, Refusal::WrongRoot);
                state.links.remove(&id);
            }
            is_same
        });
        if !is_same {
            return;
        }
        self.size_bytes.set(size);
        let loss = connection
            .receive(
                || self.state.borrow_mut().failover.heard(clock::now(), id),
                |answered| self.take(id, answered),
                || self.with(|_| ()),
            )
            .await;
        self.with(|state| {
            state.failover.lost(clock::now(), id, loss);
            state.links.remove(&id);
        });
    }

    fn take(&self, id: ConnectionId, answered: Answered) -> Result<(), Loss> {
        let mut state = self.state.borrow_mut();
        match state
            .failover
            .answered(clock::now(), id, answered.cookie, answered.answer)
        {
            Verdict::Deliver(read) => {
                if let Some(reader) = state.readers.remove(&read) {
                    let _ = reader.send(Ok(answered.bytes));
                }
                Ok(())
            }
            Verdict::Discard => Ok(()),
            Verdict::Unasked => Err(Loss::Protocol),
        }
    }

    async fn keep_time(self: Rc<Self>) {
        let deadline = || self.state.borrow().failover.next_deadline();
        let tick = || self.with(|state| state.failover.tick(clock::now()));
        self.timer.run(deadline, tick).await;
    }
}

impl State {
    fn ask(&mut self, connection: ConnectionId, ask: impl FnOnce(&Connection)) {
        if let Some(link) = self.links.get_mut(&connection) {
            link.ask(ask);
        }
    }

    fn name_of(&self, server: ServerId) -> &str {
        self.servers
            .iter()
            .find(|known| known.id == server)
            .map_or("?", |known| &known.name)
    }

    fn report(&self, notice: Notice) {
        let name = |server| self.name_of(server);
        match notice {
            Notice::Ready(server) => note!("server {} is ready", name(server)),
            Notice::Lost(server, loss) => note!("server {} lost: {}", name(server), describe(loss)),
            Notice::Refused(server, refusal) => {
                note!("server {} is not used: {}", name(server), why(refusal));
            }
            Notice::Silent(server) => {
                note!("server {} is silent; its reads go to another", name(server));
            }
            Notice::HeardAgain(server) => note!("server {} is heard again", name(server)),
            Notice::Draining(server) => note!("server {} drains; moving", name(server)),
            Notice::AskedToMove(server) => {
                note!(
                    "the farm wants this device to leave server {}",
                    name(server)
                );
            }
            Notice::Left(server) => note!("left server {}", name(server)),
            Notice::ReadsGoTo(server) => note!("reads go to server {}", name(server)),
            Notice::NoServer => note!("no server can serve; reads wait"),
            Notice::Cornered => {
                note!("no server is left to move to; the farm is asked for others");
            }
            Notice::Resumed { after } => {
                note!("a server can serve, after {} ms", after.as_millis());
            }
            Notice::EveryServerFails { offset, error } => {
                note!(
                    "every server fails the read at {offset} with error {error}; it is tried again"
                );
            }
            _ => {}
        }
    }
}

pub(crate) fn describe(loss: Loss) -> &'static str {
    match loss {
        Loss::Unreachable => "cannot be reached",
        Loss::Closed => "the connection was closed",
        Loss::Protocol => "it broke the protocol",
        Loss::Hung => "it hangs",
        Loss::ReadOverdue => "it does not answer a read",
        _ => "for another reason",
    }
}

pub(crate) fn why(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::WrongRoot => "it serves other bytes; never asked again with this list",
        Refusal::NotAdmitted => "it does not admit this device",
        Refusal::Draining => "it is being drained",
        _ => "for another reason",
    }
}

/// Takes a read back when its reader goes away.
struct Guard<'a> {
    client: &'a Rc<Client>,
    read: Option<ReadId>,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if let Some(read) = self.read {
            self.client.with(|state| {
                state.readers.remove(&read);
                state.failover.cancel(clock::now(), read);
            });
            self.client.room.notify_one();
        }
    }
}
