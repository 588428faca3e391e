//! The decision for a disk that is written, with the socket, the timer, the bytes and those who wait around it.
//!
//! Like [`Client`](crate::client::Client) on one thread, with state borrowed for the length of an event.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use failover::writable::{
    Action, Kind, Notice, Operation, OperationId, Settings, SubmitError, Verdict, View, Writable,
};
use failover::{ConnectionId, Cookie, Loss, Refusal};
use nbd_proto::{Command, CommandFlags, ErrorCode, Request};
use tokio::sync::{Notify, oneshot};

use crate::client::{describe, why};
use crate::clock;
use crate::config::LoginAnswer;
use crate::connection::{Answered, Connection, DiskWish, Wish};
use crate::journal::note;
use crate::pacing::{Link, Size, Timer};

/// A disk that one server has.
pub(crate) struct Writer {
    state: RefCell<State>,
    timer: Timer,
    /// Something was finished or forgotten: there may be room.
    room: Notify,
    size_bytes: Size,
    login_wanted: Notify,
    connect_timeout: Duration,
}

struct State {
    writable: Writable,
    server: String,
    addresses: Vec<SocketAddr>,
    wish: Wish,
    link: Option<Link<ConnectionId>>,
    /// What may have to be sent, perhaps again.
    orders: HashMap<OperationId, Order>,
    waiting: HashMap<OperationId, oneshot::Sender<Result<Vec<u8>, ErrorCode>>>,
}

/// An operation as it goes on the wire.
struct Order {
    command: Command,
    flags: CommandFlags,
    payload: Bytes,
}

impl Writer {
    /// Begins to connect. Must run inside a `LocalSet`.
    pub(crate) fn start(answer: &LoginAnswer, settings: Settings) -> Rc<Self> {
        let seed = RandomState::new().hash_one(std::process::id());
        let writer = Rc::new(Self {
            connect_timeout: settings.connect_timeout,
            state: RefCell::new(State {
                writable: Writable::new(settings, seed, clock::now()),
                server: String::new(),
                addresses: Vec::new(),
                wish: Wish {
                    export: String::new(),
                    root: None,
                    size_bytes: None,
                    disk: Some(DiskWish(None)),
                    trust: None,
                },
                link: None,
                orders: HashMap::new(),
                waiting: HashMap::new(),
            }),
            timer: Timer::default(),
            room: Notify::new(),
            size_bytes: Size::new(answer.size_bytes),
            login_wanted: Notify::new(),
        });
        writer.follow(answer);
        tokio::task::spawn_local(Rc::clone(&writer).keep_time());
        writer
    }

    /// Takes a new login answer: its ticket, and where the server is. There is one server; of a longer list, the first.
    pub(crate) fn follow(self: &Rc<Self>, answer: &LoginAnswer) {
        self.with(|state| {
            state.wish.export = answer.export_name();
            state.wish.root.clone_from(&answer.root);
            if let Some(size) = answer.size_bytes {
                state.wish.size_bytes = Some(size);
            }
            if let Some(server) = answer.servers.first() {
                state.server.clone_from(&server.name);
                state.addresses = server.parsed().unwrap_or_default();
                // Checked when the answer came.
                let trust = answer.trust().ok().flatten();
                state.wish.trust = trust.filter(|_| server.tls);
                if server.tls && state.wish.trust.is_none() {
                    // Never in the clear, whatever became of the root certificate.
                    state.addresses.clear();
                }
            }
            state.writable.try_again(clock::now());
        });
    }

    /// The disk's size, when the server or the farm has said it.
    pub(crate) async fn size_bytes(&self) -> u64 {
        self.size_bytes.get().await
    }

    /// Carries a request out, with the bytes of a write; gives the bytes of a read. Waits as long as the server is away, up to the
    /// configured limit.
    ///
    /// # Errors
    ///
    /// What the server answered, or that it is away for too long.
    pub(crate) async fn ask(
        self: &Rc<Self>,
        request: Request,
        payload: Bytes,
    ) -> Result<Vec<u8>, ErrorCode> {
        let operation = match request.command {
            Command::Read => Operation {
                kind: Kind::Read,
                offset: request.offset,
                length: request.length,
            },
            Command::Flush => Operation::flush(),
            command => Operation {
                kind: if command == Command::Write {
                    Kind::Write
                } else {
                    Kind::Clear
                },
                offset: request.offset,
                length: request.length,
            },
        };
        let (sender, receiver) = oneshot::channel();
        let mut order = Some((
            Order {
                command: request.command,
                flags: request.flags,
                payload,
            },
            sender,
        ));
        let id = loop {
            let mut room = std::pin::pin!(self.room.notified());
            room.as_mut().enable();
            let submitted = self.with(|state| {
                let id = state.writable.submit(clock::now(), operation)?;
                if let Some((order, sender)) = order.take() {
                    state.orders.insert(id, order);
                    state.waiting.insert(id, sender);
                }
                Ok(id)
            });
            match submitted {
                Ok(id) => break id,
                Err(SubmitError::NoRoom) => room.await,
                Err(_) => return Err(ErrorCode::InputOutput),
            }
        };
        let mut guard = Guard {
            writer: self,
            id: Some(id),
        };
        let answer = receiver.await;
        guard.id = None;
        answer.unwrap_or(Err(ErrorCode::InputOutput))
    }

    /// Waits until a new login would help.
    pub(crate) async fn login_wanted(&self) {
        self.login_wanted.notified().await;
    }

    pub(crate) fn away_for(&self) -> Option<Duration> {
        self.state.borrow().writable.away_for(clock::now())
    }

    /// What people may see, with the server's name.
    pub(crate) fn view(&self) -> (View, String) {
        let state = self.state.borrow();
        (state.writable.view(), state.server.clone())
    }

    /// Does something with the state, then all that follows from it.
    fn with<T>(self: &Rc<Self>, event: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.borrow_mut();
        let result = event(&mut state);
        self.carry_out(&mut state);
        result
    }

    fn carry_out(self: &Rc<Self>, state: &mut State) {
        while let Some(action) = state.writable.next_action() {
            match action {
                Action::Connect { connection } => self.connect(state, connection),
                Action::Close { connection } => state.close(connection),
                Action::Send {
                    cookie,
                    id,
                    operation,
                    ..
                } => state.send(cookie, id, operation),
                Action::Heartbeat { cookie, .. } => {
                    state.on_link(|link| link.ask_heartbeat(cookie));
                }
                Action::Finish { id, result } => {
                    if let Some(order) = state.orders.get_mut(&id) {
                        // What was done once is done again however long that takes.
                        order.flags.remove(CommandFlags::FAST_ZERO);
                    }
                    if let Some(waiting) = state.waiting.remove(&id) {
                        let result = result.map(|()| Vec::new()).map_err(ErrorCode::from_number);
                        let _ = waiting.send(result);
                    }
                    self.room.notify_waiters();
                }
                Action::Forget { id } => {
                    state.orders.remove(&id);
                    self.room.notify_waiters();
                }
                Action::Report(notice) => {
                    if matches!(notice, Notice::Lost(_) | Notice::Refused(_)) {
                        self.login_wanted.notify_one();
                    }
                    state.report(notice);
                }
                _ => {}
            }
        }
        if let Some(link) = &mut state.link {
            link.flush();
        }
        self.timer.arm(state.writable.next_deadline());
    }

    fn connect(self: &Rc<Self>, state: &mut State, id: ConnectionId) {
        let run = Rc::clone(self).run(id, state.addresses.clone(), state.wish.clone());
        let task = tokio::task::spawn_local(run);
        state.link = Some(Link::new(id, task.abort_handle()));
    }

    async fn run(self: Rc<Self>, id: ConnectionId, addresses: Vec<SocketAddr>, wish: Wish) {
        let connection = match Connection::open(&addresses, &wish, self.connect_timeout).await {
            Ok(connection) => Rc::new(connection),
            Err(error) => {
                self.with(|state| {
                    let now = clock::now();
                    match error.refusal() {
                        Some(refusal) => {
                            note!("server {} refused: {error}", state.server);
                            state.writable.refused(now, id, refusal);
                        }
                        None => state.writable.lost(now, id, Loss::Unreachable),
                    }
                    state.close(id);
                });
                return;
            }
        };
        let size = connection.size_bytes;
        self.with(|state| {
            state.wish.size_bytes = Some(size);
            state.wish.disk = Some(DiskWish(connection.disk.clone()));
            if let Some(link) = state.link.as_mut().filter(|link| link.key == id) {
                link.connection = Some(Rc::clone(&connection));
            }
            state.writable.connected(clock::now(), id);
        });
        self.size_bytes.set(size);
        let loss = connection
            .receive(
                || self.state.borrow_mut().writable.heard(clock::now(), id),
                |answered| self.take(id, answered),
                || self.with(|_| ()),
            )
            .await;
        self.with(|state| {
            state.writable.lost(clock::now(), id, loss);
            state.close(id);
        });
    }

    fn take(&self, id: ConnectionId, answered: Answered) -> Result<(), Loss> {
        let mut state = self.state.borrow_mut();
        let Answered {
            cookie,
            answer,
            bytes,
        } = answered;
        match state.writable.answered(clock::now(), id, cookie, answer) {
            Verdict::Deliver(read) => {
                if let Some(waiting) = state.waiting.remove(&read) {
                    let _ = waiting.send(Ok(bytes));
                }
                Ok(())
            }
            Verdict::Noted => Ok(()),
            Verdict::Unasked => Err(Loss::Protocol),
        }
    }

    async fn keep_time(self: Rc<Self>) {
        let deadline = || self.state.borrow().writable.next_deadline();
        let tick = || self.with(|state| state.writable.tick(clock::now()));
        self.timer.run(deadline, tick).await;
    }
}

impl State {
    /// A connection of an earlier attempt is closed already.
    fn close(&mut self, connection: ConnectionId) {
        self.link.take_if(|link| link.key == connection);
    }

    fn on_link(&mut self, ask: impl FnOnce(&Connection)) {
        if let Some(link) = &mut self.link {
            link.ask(ask);
        }
    }

    fn send(&mut self, cookie: Cookie, id: OperationId, operation: Operation) {
        let Operation {
            kind,
            offset,
            length,
        } = operation;
        // The journal's own flush has no order.
        let order = self.orders.get(&id);
        let (command, flags, payload) = order.map_or(
            (Command::Flush, CommandFlags::empty(), Bytes::new()),
            |order| (order.command, order.flags, order.payload.clone()),
        );
        let request = Request {
            cookie: nbd_proto::Cookie(cookie.0),
            command,
            flags,
            offset,
            length,
        };
        self.on_link(|link| {
            if kind == Kind::Read {
                link.ask_read(cookie, offset, length);
            } else {
                link.ask_change(request, &payload);
            }
        });
    }

    fn report(&self, notice: Notice) {
        let name = &self.server;
        match notice {
            Notice::Ready { after } => {
                note!("server {name} has the disk, after {} ms", after.as_millis());
            }
            Notice::Lost(loss) => note!("server {name} lost: {}; writes wait", describe(loss)),
            Notice::Refused(refusal @ Refusal::WrongRoot) => note!(
                "server {name} has not the disk that this device wrote to: {}",
                why(refusal)
            ),
            Notice::Refused(refusal) => note!("server {name} is not used: {}", why(refusal)),
            Notice::Replaying { changes } => {
                note!("{changes} changes are sent again to server {name}");
            }
            Notice::ReplayFails { offset, error } => note!(
                "server {name} does not take again what was written at {offset} (error {error}); it is tried again"
            ),
            Notice::FlushFails { error } => note!(
                "server {name} cannot make safe what was written (error {error}); it is tried again"
            ),
            Notice::OutageTooLong => {
                note!("server {name} is away for too long; operations fail from now on");
            }
            Notice::ReadFails { offset, error } => {
                note!("the read at {offset} fails with error {error}; it is tried again");
            }
            _ => {}
        }
    }
}

/// Says that nobody waits any more when who asked goes away.
struct Guard<'a> {
    writer: &'a Rc<Writer>,
    id: Option<OperationId>,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.writer.with(|state| {
                state.waiting.remove(&id);
                state.writable.abandon(clock::now(), id);
            });
        }
    }
}
