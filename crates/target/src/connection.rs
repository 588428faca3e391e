//! One upstream connection: shake hands with a server, then carry requests there and answers back.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use failover::{Answer, Cookie, Loss, Refusal};
use nbd_proto::client::{
    AssembleError, Event, Handshake, HandshakeError, Outstanding, ReadAssembly, ReplyDecoder,
    ReplyForm, Wanted,
};
use nbd_proto::{Command, CommandFlags, ErrorCode, Request, TransmissionFlags};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

/// Bytes that a heartbeat asks about: one small read from a server that knows no session flags.
const HEARTBEAT_BYTES: u32 = 4096;
const RECEIVE_BYTES: usize = 256 * 1024;
/// Each of several addresses gets only so long, so that a dead one does not use up the time of the next.
const ADDRESS_TIMEOUT: Duration = Duration::from_millis(1500);
/// Unacknowledged bytes for so long mean that the path is gone, whatever the retransmission timer thinks.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(8);
const DRAINING: u32 = 1;
const MOVE: u32 = 2;
/// The metadata context whose name tells one writable disk from another.
const DISK_PREFIX: &str = "corral:disk/";

/// What to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) export: String,
    pub(crate) root: Option<String>,
    /// What the other servers said, or the farm.
    pub(crate) size_bytes: Option<u64>,
    /// Of a disk that can be written.
    pub(crate) disk: Option<DiskWish>,
}

/// Which disk, once it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DiskWish(pub(crate) Option<String>);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Handshake(#[from] HandshakeError),
    #[error("it does not have root {root}")]
    WrongRoot { root: String },
    #[error("it serves {found} bytes instead of {expected}")]
    WrongSize { found: u64, expected: u64 },
    #[error("its disk is another one than this device has been writing to")]
    OtherDisk,
    #[error("it does not let this device write")]
    ReadOnly,
    #[error("it has no numeric address")]
    NoAddress,
}

impl ConnectError {
    /// `None`: not refused, just not reached.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::WrongRoot { .. } | Self::WrongSize { .. } | Self::OtherDisk | Self::ReadOnly => {
                Some(Refusal::WrongRoot)
            }
            Self::Handshake(HandshakeError::Refused { refusal, .. }) => Some(match refusal {
                nbd_proto::Refusal::Shutdown => Refusal::Draining,
                _ => Refusal::NotAdmitted,
            }),
            _ => None,
        }
    }
}

/// A connection after its handshake. Shared by its task, which receives, and by whoever sends.
pub(crate) struct Connection {
    stream: TcpStream,
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

enum Asked {
    Read {
        outstanding: Outstanding,
        pieces: ReadAssembly,
    },
    /// A change or a flush: nothing comes but how it went.
    Change { failed: Option<ErrorCode> },
    SessionFlags {
        flags: Option<u32>,
        failed: Option<ErrorCode>,
    },
    HeartbeatRead {
        outstanding: Outstanding,
        failed: Option<ErrorCode>,
    },
}

/// An answer in full, with its bytes if it was a read.
pub(crate) struct Answered {
    pub(crate) cookie: Cookie,
    pub(crate) answer: Answer,
    pub(crate) bytes: Vec<u8>,
}

impl Connection {
    /// Tries the addresses in order.
    pub(crate) async fn open(addresses: &[SocketAddr], wish: &Wish) -> Result<Self, ConnectError> {
        let mut last = ConnectError::NoAddress;
        for (index, address) in addresses.iter().enumerate() {
            let is_last = index + 1 == addresses.len();
            let opened = if is_last {
                open_one(*address, wish).await
            } else {
                let late = || io::Error::from(ErrorKind::TimedOut).into();
                timeout(ADDRESS_TIMEOUT, open_one(*address, wish))
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

    /// Sends what the socket takes; the connection's task sends the rest. Errors show there too.
    pub(crate) fn flush(&self) {
        let mut outgoing = self.outgoing.borrow_mut();
        while !outgoing.is_empty() {
            let Ok(sent) = self.stream.try_write(&outgoing) else {
                self.wake.notify_one();
                return;
            };
            outgoing.advance(sent);
        }
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
            let is_sending = !self.outgoing.borrow().is_empty();
            let interest = if is_sending {
                Interest::READABLE | Interest::WRITABLE
            } else {
                Interest::READABLE
            };
            tokio::select! {
                biased;
                ready = self.stream.ready(interest) => {
                    let ready = ready.map_err(|_| Loss::Closed)?;
                    if ready.is_writable() {
                        self.flush();
                    }
                    if ready.is_readable() || ready.is_error() {
                        received.reserve(RECEIVE_BYTES / 2);
                        match self.stream.try_read_buf(received) {
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
            let answered = self.note(&event)?;
            let taken = before - input.len();
            received.advance(taken);
            if let Some(answered) = answered {
                take(answered)?;
            }
        }
    }

    fn note(&self, event: &Event<'_>) -> Result<Option<Answered>, Loss> {
        let mut all = self.asked.borrow_mut();
        let unasked = Err(Loss::Protocol);
        match *event {
            Event::Data {
                cookie,
                offset,
                bytes,
            } => match all.get_mut(&cookie.0) {
                Some(Asked::Read { pieces, .. }) => {
                    pieces.data(offset, bytes).map_err(|_| Loss::Protocol)?;
                }
                Some(Asked::HeartbeatRead { .. }) => {}
                _ => return unasked,
            },
            Event::Hole {
                cookie,
                offset,
                length,
            } => match all.get_mut(&cookie.0) {
                Some(Asked::Read { pieces, .. }) => {
                    pieces.hole(offset, length).map_err(|_| Loss::Protocol)?;
                }
                Some(Asked::HeartbeatRead { .. }) => {}
                _ => return unasked,
            },
            Event::Extent {
                cookie,
                context,
                extent,
            } => match all.get_mut(&cookie.0) {
                Some(Asked::SessionFlags { flags, .. })
                    if self.session_context == Some(context) =>
                {
                    flags.get_or_insert(extent.flags);
                }
                Some(Asked::SessionFlags { .. }) => {}
                _ => return unasked,
            },
            Event::Failed { cookie, code, .. } => match all.get_mut(&cookie.0) {
                Some(Asked::Read { pieces, .. }) => pieces.failed(code),
                Some(
                    Asked::Change { failed }
                    | Asked::SessionFlags { failed, .. }
                    | Asked::HeartbeatRead { failed, .. },
                ) => {
                    failed.get_or_insert(code);
                }
                None => return unasked,
            },
            Event::Done { cookie } => {
                let Some(asked) = all.remove(&cookie.0) else {
                    return unasked;
                };
                return asked.finish(Cookie(cookie.0)).map(Some);
            }
        }
        Ok(None)
    }
}

impl Asked {
    fn outstanding(&self) -> Outstanding {
        match self {
            Self::Read { outstanding, .. } | Self::HeartbeatRead { outstanding, .. } => {
                *outstanding
            }
            Self::Change { .. } | Self::SessionFlags { .. } => Outstanding {
                offset: 0,
                data_bytes: 0,
            },
        }
    }

    fn finish(self, cookie: Cookie) -> Result<Answered, Loss> {
        let (answer, bytes) = match self {
            Self::Read { pieces, .. } => match pieces.finish() {
                Ok(bytes) => (Answer::Data, bytes),
                Err(AssembleError::Failed(code)) => (failed(code), Vec::new()),
                Err(_) => return Err(Loss::Protocol),
            },
            Self::Change { failed: None } => (Answer::Data, Vec::new()),
            Self::Change { failed: Some(code) }
            | Self::SessionFlags {
                failed: Some(code), ..
            }
            | Self::HeartbeatRead {
                failed: Some(code), ..
            } => (failed(code), Vec::new()),
            Self::SessionFlags { flags, .. } => (
                Answer::Alive {
                    draining: flags.is_some_and(|flags| flags & DRAINING != 0),
                    asked_to_move: flags.is_some_and(|flags| flags & MOVE != 0),
                },
                Vec::new(),
            ),
            Self::HeartbeatRead { .. } => (
                Answer::Alive {
                    draining: false,
                    asked_to_move: false,
                },
                Vec::new(),
            ),
        };
        Ok(Answered {
            cookie,
            answer,
            bytes,
        })
    }
}

fn failed(code: ErrorCode) -> Answer {
    match code {
        ErrorCode::Shutdown => Answer::ShuttingDown,
        other => Answer::Failed {
            error: other.number(),
        },
    }
}

fn to_wire(cookie: Cookie) -> nbd_proto::Cookie {
    nbd_proto::Cookie(cookie.0)
}

/// The metadata context that a server grants if, and only if, the export has this root.
fn root_context(root: &str) -> String {
    format!("corral:root/{root}")
}

async fn open_one(address: SocketAddr, wish: &Wish) -> Result<Connection, ConnectError> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let socket = SockRef::from(&stream);
    socket.set_tcp_keepalive(
        &TcpKeepalive::new()
            .with_time(Duration::from_secs(5))
            .with_interval(Duration::from_secs(2)),
    )?;
    socket.set_tcp_user_timeout(Some(TCP_USER_TIMEOUT))?;

    let contexts: Vec<_> = wish.root.iter().map(|root| root_context(root)).collect();
    let disk = wish.disk.iter().map(|_| DISK_PREFIX.to_owned());
    let wanted = Wanted {
        export: wish.export.clone(),
        contexts: contexts.iter().cloned().chain(disk).collect(),
        structured_replies: true,
    };
    let mut handshake = Handshake::new(wanted)?;
    let mut received = BytesMut::with_capacity(RECEIVE_BYTES);
    let mut output = Vec::new();
    let negotiated = loop {
        let mut input: &[u8] = &received;
        let step = handshake.advance(&mut input, &mut output);
        let taken = received.len() - input.len();
        received.advance(taken);
        if !output.is_empty() {
            let sent = stream.write_all(&output).await;
            output.clear();
            // A refusal says more than the peer's hanging up after it.
            if step.is_ok() {
                sent?;
            }
        }
        if let Some(negotiated) = step? {
            break negotiated;
        }
        if stream.read_buf(&mut received).await? == 0 {
            return Err(io::Error::from(ErrorKind::UnexpectedEof).into());
        }
    };

    let granted = negotiated
        .contexts
        .iter()
        .find(|context| contexts.contains(&context.name));
    if let (Some(root), None) = (&wish.root, granted) {
        return Err(ConnectError::WrongRoot { root: root.clone() });
    }
    if let Some(expected) = wish
        .size_bytes
        .filter(|expected| *expected != negotiated.size_bytes)
    {
        return Err(ConnectError::WrongSize {
            found: negotiated.size_bytes,
            expected,
        });
    }
    let disk = negotiated
        .contexts
        .iter()
        .find(|context| context.name.starts_with(DISK_PREFIX))
        .map(|context| context.name.clone());
    if let Some(DiskWish(known)) = &wish.disk {
        if negotiated.flags.contains(TransmissionFlags::READ_ONLY) {
            return Err(ConnectError::ReadOnly);
        }
        if known.is_some() && *known != disk {
            return Err(ConnectError::OtherDisk);
        }
    }
    Ok(Connection {
        stream,
        disk,
        size_bytes: negotiated.size_bytes,
        form: if negotiated.structured_replies {
            ReplyForm::Structured
        } else {
            ReplyForm::Simple
        },
        session_context: granted.map(|context| context.id),
        outgoing: RefCell::default(),
        wake: Notify::new(),
        asked: RefCell::default(),
        received: RefCell::new(received),
    })
}
