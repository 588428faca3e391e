//! One connection that keeps a fixed number of reads in flight.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::histogram::Histogram;
use crate::protocol::{self, REQUEST_LENGTH};

const BLOCK_LENGTH: u32 = 4096;
const BLOCK_LENGTH_BYTES: usize = BLOCK_LENGTH as usize;
const READ_BUFFER_LENGTH: usize = 1 << 20;

/// Where the server listens.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    Unix(PathBuf),
    Tcp(String),
}

/// What every connection does.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    pub(crate) export: String,
    pub(crate) depth: usize,
    pub(crate) duration: Duration,
    pub(crate) batched: bool,
    pub(crate) stamped: bool,
    pub(crate) structured: bool,
}

/// What one connection, or all of them together, achieved.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) requests: u64,
    pub(crate) elapsed: Duration,
    pub(crate) latency: Histogram,
}

/// Why a run gave no figure.
#[derive(Debug)]
pub(crate) enum LoadError {
    Socket(io::Error),
    NotNbd,
    OptionRefused { option: u32, reply: u32 },
    ReadRefused { errno: u32 },
    TooSmall,
    WrongData { offset: u64 },
    ThreadLost,
}

impl std::fmt::Display for LoadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Socket(error) => write!(f, "the connection failed: {error}"),
            Self::NotNbd => write!(f, "the server does not speak newstyle NBD"),
            Self::OptionRefused { option, reply } => {
                write!(
                    f,
                    "the server answered option {option} with reply {reply:#x}"
                )
            }
            Self::ReadRefused { errno } => write!(f, "a read was refused with error {errno}"),
            Self::TooSmall => write!(f, "the export is smaller than one block"),
            Self::WrongData { offset } => {
                write!(f, "the block at {offset} does not hold its own offset")
            }
            Self::ThreadLost => write!(f, "a connection's thread was lost"),
        }
    }
}

impl From<io::Error> for LoadError {
    fn from(error: io::Error) -> Self {
        Self::Socket(error)
    }
}

trait Socket: Read + Write + Send {}
impl<T: Read + Write + Send> Socket for T {}

/// A connection that has finished its handshake.
pub(crate) struct Connection {
    socket: Box<dyn Socket>,
    blocks: u64,
    random: u64,
}

/// Connects and negotiates. `index` makes each connection's offsets its own.
pub(crate) fn open(target: &Target, load: &Load, index: u64) -> Result<Connection, LoadError> {
    let mut socket: Box<dyn Socket> = match target {
        Target::Unix(path) => Box::new(UnixStream::connect(path)?),
        Target::Tcp(address) => {
            let socket = TcpStream::connect(address.as_str())?;
            socket.set_nodelay(true)?;
            Box::new(socket)
        }
    };
    let size = protocol::handshake(&mut socket, &load.export, load.structured)?;
    let blocks = size / u64::from(BLOCK_LENGTH);
    if blocks == 0 {
        return Err(LoadError::TooSmall);
    }
    let random = (index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Ok(Connection {
        socket,
        blocks,
        random,
    })
}

/// A request in flight; its index is its cookie.
#[derive(Clone, Copy)]
struct Flight {
    offset: u64,
    sent: Instant,
}

impl Connection {
    /// Reads until the time is over and every reply is in.
    #[allow(
        clippy::disallowed_methods,
        reason = "measuring time is this program's purpose"
    )]
    pub(crate) fn run(mut self, load: &Load) -> Result<Outcome, LoadError> {
        let started = Instant::now();
        let mut outcome = Outcome {
            requests: 0,
            elapsed: Duration::ZERO,
            latency: Histogram::default(),
        };
        let mut requests = Vec::with_capacity(load.depth * REQUEST_LENGTH);
        let mut flights: Vec<_> = (0..load.depth)
            .map(|cookie| Flight {
                offset: self.push_read(&mut requests, cookie),
                sent: started,
            })
            .collect();
        self.send(&mut requests, load.batched)?;

        let mut in_flight = load.depth;
        let mut buffer = vec![0; READ_BUFFER_LENGTH];
        let mut filled = 0;
        while in_flight > 0 {
            let received = self.socket.read(&mut buffer[filled..])?;
            if received == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            filled += received;
            let now = Instant::now();
            let keep_going = now.duration_since(started) < load.duration;
            let mut taken = 0;
            while let Some(reply) =
                protocol::next_reply(&buffer[taken..filled], BLOCK_LENGTH_BYTES)?
            {
                taken += reply.consumed;
                let cookie = usize::try_from(reply.cookie).unwrap_or(usize::MAX);
                let flight = flights.get_mut(cookie).ok_or(LoadError::NotNbd)?;
                if load.stamped && !reply.data.is_empty() {
                    check_stamp(reply.data, flight.offset)?;
                }
                if !reply.done {
                    continue;
                }
                outcome.requests += 1;
                outcome.latency.record(now.duration_since(flight.sent));
                if keep_going {
                    flight.sent = now;
                    flights[cookie].offset = self.push_read(&mut requests, cookie);
                } else {
                    in_flight -= 1;
                }
            }
            buffer.copy_within(taken..filled, 0);
            filled -= taken;
            self.send(&mut requests, load.batched)?;
        }
        outcome.elapsed = started.elapsed();
        protocol::push_disconnect(&mut requests);
        self.send(&mut requests, true)?;
        Ok(outcome)
    }

    fn push_read(&mut self, requests: &mut Vec<u8>, cookie: usize) -> u64 {
        // xorshift64*: the same offsets in every run, for every server.
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        let draw = self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11;
        let offset = draw % self.blocks * u64::from(BLOCK_LENGTH);
        protocol::push_read(requests, cookie as u64, offset, BLOCK_LENGTH);
        offset
    }

    fn send(&mut self, requests: &mut Vec<u8>, batched: bool) -> io::Result<()> {
        if batched {
            self.socket.write_all(requests)?;
        } else {
            for request in requests.chunks(REQUEST_LENGTH) {
                self.socket.write_all(request)?;
            }
        }
        requests.clear();
        Ok(())
    }
}

/// The image's maker writes each block's offset at its start; a reply with another one is not the block that was asked for.
fn check_stamp(data: &[u8], offset: u64) -> Result<(), LoadError> {
    match data.first_chunk::<8>() {
        Some(stamp) if u64::from_le_bytes(*stamp) == offset => Ok(()),
        _ => Err(LoadError::WrongData { offset }),
    }
}
