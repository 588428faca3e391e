//! One upstream connection: shake hands with a server, then carry requests there and answers back.

mod asked;
mod opening;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use failover::{Cookie, Loss};
use nbd_proto::client::{Outstanding, ReadAssembly, ReplyDecoder, ReplyForm};
use nbd_proto::{Command, CommandFlags, Request};
use tokio::io::Interest;
use tokio::sync::Notify;
use tokio::task::coop::consume_budget;
use tokio::time::timeout;

pub(crate) use self::asked::Answered;
use self::asked::{Asked, note};
pub(crate) use self::opening::ConnectError;
use self::opening::open_one;
use crate::wire::Wire;
use trust::Trust;

/// Bytes that a heartbeat asks about: one small read from a server that knows no session flags.
const HEARTBEAT_BYTES: u32 = 4096;
const RECEIVE_BYTES: usize = 256 * 1024;
/// Each of several addresses gets only so long, and no more than its share, so that dead ones leave the last one two of them.
const ADDRESS_TIMEOUT: Duration = Duration::from_millis(1500);

/// What to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) export: String,
    pub(crate) root: Option<String>,
    /// What the other servers said, or the farm.
    pub(crate) size_bytes: Option<u64>,
    /// Of a disk that can be written.
    pub(crate) disk: Option<DiskWish>,
    /// By whose word the server is believed; TLS or nothing. `None`: in the clear.
    pub(crate) trust: Option<Trust>,
}

/// Which disk, once it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DiskWish(pub(crate) Option<String>);

/// A connection after its handshake. Shared by its task, which receives, and by whoever sends.
pub(crate) struct Connection {
    wire: Wire,
    pub(crate) size_bytes: u64,
    /// The name of the disk, if it can be written and has one.
    pub(crate) disk: Option<String>,
    form: ReplyForm,
    /// Number of the metadata context whose extents are session flags.
    session_context: Option<u32>,
    outgoing: RefCell<BytesMut>,
    wake: Notify,
    asked: RefCell<HashMap<u64, Asked>>,
    received: RefCell<BytesMut>,
}

impl Connection {
    /// Tries the addresses in order. `within` is when whoever asks gives up.
    pub(crate) async fn open(
        addresses: &[SocketAddr],
        wish: &Wish,
        within: Duration,
    ) -> Result<Self, ConnectError> {
        let mut last = ConnectError::NoAddress;
        let shares = u32::try_from(addresses.len() + 1).unwrap_or(u32::MAX);
        let share = ADDRESS_TIMEOUT.min(within / shares);
        for (index, address) in addresses.iter().enumerate() {
            let is_last = index + 1 == addresses.len();
            let opened = if is_last {
                open_one(*address, wish).await
            } else {
                let late = || io::Error::from(ErrorKind::TimedOut).into();
                timeout(share, open_one(*address, wish))
                    .await
                    .unwrap_or_else(|_| Err(late()))
            };
            match opened {
                Ok(connection) => return Ok(connection),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Puts a read in the queue; `flush` sends it.
    pub(crate) fn ask_read(&self, cookie: Cookie, offset: u64, length: u32) {
        let outstanding = Outstanding {
            offset,
            data_bytes: length,
        };
        let pieces = ReadAssembly::new(offset, length);
        self.ask(
            cookie,
            Asked::Read {
                outstanding,
                pieces,
            },
            Request::read(to_wire(cookie), offset, length),
        );
    }

    /// Puts a change or a flush in the queue, with the bytes of a write.
    pub(crate) fn ask_change(&self, request: Request, payload: &[u8]) {
        let cookie = Cookie(request.cookie.0);
        self.ask(cookie, Asked::Change { failed: None }, request);
        self.outgoing.borrow_mut().extend_from_slice(payload);
    }

    /// Puts a heartbeat in the queue.
    pub(crate) fn ask_heartbeat(&self, cookie: Cookie) {
        let length = u32::try_from(self.size_bytes)
            .unwrap_or(u32::MAX)
            .min(HEARTBEAT_BYTES);
        let mut request = Request::read(to_wire(cookie), 0, length);
        let asked = if self.session_context.is_some() {
            request.command = Command::BlockStatus;
            request.flags = CommandFlags::REQ_ONE;
            Asked::SessionFlags {
                flags: None,
                failed: None,
            }
        } else {
            Asked::HeartbeatRead {
                outstanding: Outstanding {
                    offset: 0,
                    data_bytes: length,
                },
                failed: None,
            }
        };
        self.ask(cookie, asked, request);
    }

    fn ask(&self, cookie: Cookie, asked: Asked, request: Request) {
        self.asked.borrow_mut().insert(cookie.0, asked);
        self.outgoing
            .borrow_mut()
            .extend_from_slice(&request.encode());
    }

    /// Sends what the socket takes; the connection's task sends the rest, and ends if that cannot be.
    pub(crate) fn flush(&self) {
        if self.send().is_err() {
            self.wake.notify_one();
        }
    }

    /// Sends everything; `WouldBlock` if the socket does not take all of it now.
    fn send(&self) -> io::Result<()> {
        let mut outgoing = self.outgoing.borrow_mut();
        while !outgoing.is_empty() {
            let sent = self.wire.try_write(&outgoing)?;
            outgoing.advance(sent);
        }
        self.wire.try_flush()
    }

    /// Waits for bytes, and gives each whole answer in them to `take`. `heard` is called first.
    pub(crate) async fn receive(
        &self,
        mut heard: impl FnMut(),
        mut take: impl FnMut(Answered) -> Result<(), Loss>,
        mut settle: impl FnMut(),
    ) -> Loss {
        let mut decoder = ReplyDecoder::new(self.form);
        let mut received = self.received.take();
        loop {
            if !received.is_empty() {
                heard();
                if let Err(loss) = self.decode(&mut decoder, &mut received, &mut take) {
                    return loss;
                }
                settle();
            }
            if let Err(loss) = self.wait(&mut received).await {
                return loss;
            }
        }
    }

    /// Until there are new bytes in `received`.
    async fn wait(&self, received: &mut BytesMut) -> Result<(), Loss> {
        loop {
            // A socket that is ready does not make its task pause, and everything else here is on the same thread.
            consume_budget().await;
            let is_sending = !self.outgoing.borrow().is_empty() || self.wire.holds_back();
            let interest = if is_sending {
                Interest::READABLE | Interest::WRITABLE
            } else {
                Interest::READABLE
            };
            tokio::select! {
                biased;
                ready = self.wire.ready(interest) => {
                    let ready = ready.map_err(|_| Loss::Closed)?;
                    if ready.is_writable() {
                        match self.send() {
                            // Known before the reactor knows it, which has no turn as long as this task goes on.
                            Err(error) if error.kind() != ErrorKind::WouldBlock => {
                                return Err(Loss::Closed);
                            }
                            _ => {}
                        }
                    }
                    if ready.is_readable() || ready.is_error() {
                        received.reserve(RECEIVE_BYTES / 2);
                        match self.wire.try_read_buf(received) {
                            Ok(0) => return Err(Loss::Closed),
                            Ok(_) => return Ok(()),
                            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                            Err(_) => return Err(Loss::Closed),
                        }
                    }
                }
                () = self.wake.notified(), if !is_sending => {}
            }
        }
    }

    fn decode(
        &self,
        decoder: &mut ReplyDecoder,
        received: &mut BytesMut,
        take: &mut impl FnMut(Answered) -> Result<(), Loss>,
    ) -> Result<(), Loss> {
        loop {
            let mut input: &[u8] = received;
            let before = input.len();
            let event = {
                let asked = self.asked.borrow();
                decoder.next_event(&mut input, |cookie| {
                    asked.get(&cookie.0).map(Asked::outstanding)
                })
            };
            let event = event.map_err(|_| Loss::Protocol)?;
            let Some(event) = event else {
                let taken = before - input.len();
                received.advance(taken);
                return Ok(());
            };
            let answered = note(&mut self.asked.borrow_mut(), self.session_context, &event)?;
            let taken = before - input.len();
            received.advance(taken);
            if let Some(answered) = answered {
                take(answered)?;
            }
        }
    }
}

fn to_wire(cookie: Cookie) -> nbd_proto::Cookie {
    nbd_proto::Cookie(cookie.0)
}
