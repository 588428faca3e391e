//! A server on real sockets, a version whose chunks can be held back, and a client that says what it is told to.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub(crate) mod plain_disk;

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt as _;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use base64::Engine as _;
use chunk_backend::Extent;
use chunk_store::RootHash;
use ed25519_dalek::{Signer as _, SigningKey};
use nbd_proto::client::{
    Event, Handshake, HandshakeError, Negotiated, Outstanding, ReadAssembly, ReplyDecoder,
    ReplyForm, Wanted,
};
use nbd_proto::{Command, CommandFlags, Cookie, ErrorCode, Request};
use stream_server::{
    Access, Address, Export, Limits, Listener, SessionView, Settings, StreamServer, Version,
    VersionError,
};

pub(crate) const CHUNK: u64 = 65_536;
/// Longer than anything here takes, however busy the machine is: a test that comes here hangs.
pub(crate) const HANGS_AFTER: Duration = Duration::from_mins(1);
const LOOKS_EVERY: Duration = Duration::from_millis(5);

/// A version in a temporary file. Its chunks are ready unless they are made cold, which is until they are released.
pub(crate) struct TestVersion {
    pub(crate) content: Vec<u8>,
    root: RootHash,
    file: File,
    cold: Mutex<HashSet<u64>>,
    broken: Mutex<HashSet<u64>>,
    released: Condvar,
}

impl TestVersion {
    /// `chunks` chunks and seven bytes of a pattern that depends on `seed`; every fourth chunk is a hole.
    pub(crate) fn new(chunks: u64, seed: u8) -> Arc<Self> {
        let length = usize::try_from(chunks * CHUNK + 7).unwrap();
        let byte = |at: usize| {
            if (at >> 16) % 4 == 3 {
                0
            } else {
                u8::try_from((at / 7 + at) % 251).unwrap() ^ seed
            }
        };
        let content: Vec<u8> = (0..length).map(byte).collect();
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&content, 0).unwrap();
        let root = RootHash::from_bytes([seed; 32]);
        let (cold, broken, released) = (Mutex::default(), Mutex::default(), Condvar::new());
        Arc::new(Self {
            content,
            root,
            file,
            cold,
            broken,
            released,
        })
    }

    /// The root that tickets for it name.
    pub(crate) fn content_root(&self) -> RootHash {
        self.root
    }

    pub(crate) fn bytes(&self, offset: u64, length: u32) -> &[u8] {
        let start = usize::try_from(offset).unwrap();
        &self.content[start..start + usize::try_from(length).unwrap()]
    }

    /// Has reads of this chunk wait until it is released.
    pub(crate) fn make_cold(&self, chunk: u64) {
        self.cold.lock().unwrap().insert(chunk);
    }

    pub(crate) fn release(&self, chunk: u64) {
        self.cold.lock().unwrap().remove(&chunk);
        self.released.notify_all();
    }

    /// Has reads of this chunk fail.
    pub(crate) fn break_chunk(&self, chunk: u64) {
        self.make_cold(chunk);
        self.broken.lock().unwrap().insert(chunk);
    }
}

fn chunks_of(offset: u64, length: u32) -> std::ops::Range<u64> {
    offset / CHUNK..(offset + u64::from(length)).div_ceil(CHUNK)
}

impl Version for TestVersion {
    fn root(&self) -> RootHash {
        self.root
    }

    fn size_bytes(&self) -> u64 {
        u64::try_from(self.content.len()).unwrap()
    }

    fn is_ready(&self, offset: u64, length: u32) -> bool {
        let cold = self.cold.lock().unwrap();
        !chunks_of(offset, length).any(|chunk| cold.contains(&chunk))
    }

    fn make_ready(&self, offset: u64, length: u32) -> Result<(), VersionError> {
        let mut cold = self.cold.lock().unwrap();
        for chunk in chunks_of(offset, length) {
            if self.broken.lock().unwrap().contains(&chunk) {
                return Err(format!("chunk {chunk} is damaged and no peer has it").into());
            }
            cold = self
                .released
                .wait_while(cold, |cold| cold.contains(&chunk))
                .unwrap();
        }
        Ok(())
    }

    fn file(&self) -> &File {
        &self.file
    }

    fn extents(
        &self,
        offset: u64,
        length: u64,
        visit: &mut dyn FnMut(Extent) -> ControlFlow<()>,
    ) -> Result<(), VersionError> {
        let end = offset + length;
        let mut at = offset;
        while at < end {
            let is_hole = (at / CHUNK) % 4 == 3;
            let border = if is_hole {
                (at / CHUNK + 1) * CHUNK
            } else {
                (at / CHUNK / 4 * 4 + 3) * CHUNK
            };
            let length = border.min(end) - at;
            if visit(Extent {
                offset: at,
                length,
                is_hole,
            })
            .is_break()
            {
                break;
            }
            at += length;
        }
        Ok(())
    }
}

pub(crate) fn farm_key() -> SigningKey {
    SigningKey::from_bytes(&[42; 32])
}

/// A ticket for streaming `root` as device 9.
pub(crate) fn ticket(key: &SigningKey, root: RootHash, expires_at: u64) -> String {
    signed(key, 1, root, expires_at)
}

/// A ticket for trying a server, good for ever.
pub(crate) fn trying_ticket(key: &SigningKey, root: RootHash) -> String {
    signed(key, 5, root, u64::MAX)
}

/// A ticket for fetching chunks, good for ever.
pub(crate) fn replication_ticket(key: &SigningKey) -> String {
    signed(key, 2, RootHash::from_bytes([0; 32]), u64::MAX)
}

/// A ticket for writing to the disk of `subject` over `root`, good for ever.
pub(crate) fn write_ticket(key: &SigningKey, root: RootHash, subject: u8) -> String {
    signed_for(key, 3, root, u64::MAX, subject)
}

fn signed(key: &SigningKey, purpose: u8, root: RootHash, expires_at: u64) -> String {
    signed_for(key, purpose, root, expires_at, 9)
}

fn signed_for(
    key: &SigningKey,
    purpose: u8,
    root: RootHash,
    expires_at: u64,
    subject: u8,
) -> String {
    let mut bytes = vec![1, purpose];
    bytes.extend_from_slice(root.as_bytes());
    bytes.extend_from_slice(&expires_at.to_le_bytes());
    bytes.extend_from_slice(&[subject; 16]);
    let signature = key.sign(&[b"corral ticket v1\0", bytes.as_slice()].concat());
    bytes.extend_from_slice(&signature.to_bytes());
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// A server with an open TCP listener, one for tickets, and an open unix socket.
pub(crate) struct TestServer {
    pub(crate) server: StreamServer,
    pub(crate) version: Arc<TestVersion>,
    pub(crate) socket_path: std::path::PathBuf,
    _folder: tempfile::TempDir,
}

impl TestServer {
    /// Serves `debian/1`, 40 chunks.
    pub(crate) fn start(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket_path = folder.path().join("nbd.sock");
        let loopback = Address::Tcp(([127, 0, 0, 1], 0).into());
        let listeners = vec![
            Listener {
                address: loopback.clone(),
                access: Access::Open,
                requires_tls: false,
            },
            Listener {
                address: loopback,
                access: Access::Ticket,
                requires_tls: false,
            },
            Listener {
                address: Address::Unix(socket_path.clone()),
                access: Access::Open,
                requires_tls: false,
            },
        ];
        let farm_public_key = farm_key().verifying_key().to_bytes();
        let settings = Settings {
            listeners,
            chunk_http: None,
            chunk_tls: false,
            farm_public_key,
            limits,
            reactors: None,
        };
        let server = StreamServer::start(settings).unwrap();
        let version = TestVersion::new(40, 1);
        server.apply(vec![Export::version("debian/1", version.clone())]);
        Self {
            server,
            version,
            socket_path,
            _folder: folder,
        }
    }

    /// The sessions, oldest first, as soon as there are `count`: a client that is let in knows it before its session is
    /// among them.
    pub(crate) fn sessions(&self, count: usize) -> Vec<SessionView> {
        eventually(&format!("session {count}"), || {
            self.server.sessions().len() == count
        });
        self.server.sessions()
    }

    pub(crate) fn address(&self, index: usize) -> SocketAddr {
        match &self.server.addresses()[index] {
            Address::Tcp(address) => *address,
            Address::Unix(path) => panic!("{} is no TCP address", path.display()),
        }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        connect(self.address(0))
    }

    /// A client of `debian/1` that asked for nothing special.
    pub(crate) fn client(&self) -> Client<TcpStream> {
        Client::open(self.connect(), wanted("debian/1")).unwrap()
    }

    /// A Corral client of `debian/1`.
    pub(crate) fn corral_client(&self) -> Client<TcpStream> {
        let contexts = vec![format!("corral:root/{}", self.version.root())];
        Client::open(
            self.connect(),
            Wanted {
                contexts,
                ..wanted("debian/1")
            },
        )
        .unwrap()
    }

    pub(crate) fn unix_client(&self) -> Client<UnixStream> {
        let stream = UnixStream::connect(&self.socket_path).unwrap();
        stream.set_read_timeout(Some(HANGS_AFTER)).unwrap();
        Client::open(stream, wanted("debian/1")).unwrap()
    }
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(HANGS_AFTER)).unwrap();
    stream.set_write_timeout(Some(HANGS_AFTER)).unwrap();
    stream
}

pub(crate) fn wanted(export: &str) -> Wanted {
    Wanted {
        export: export.to_owned(),
        contexts: vec!["base:allocation".to_owned()],
        structured_replies: true,
    }
}

/// A whole reply.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) cookie: u64,
    pub(crate) result: Result<Vec<u8>, (ErrorCode, String)>,
    /// Context, length and flags of each extent.
    pub(crate) extents: Vec<(String, u32, u32)>,
}

pub(crate) struct Client<S> {
    pub(crate) stream: S,
    pub(crate) negotiated: Negotiated,
    decoder: ReplyDecoder,
    received: Vec<u8>,
    asked: Vec<Request>,
}

impl<S: Read + Write> Client<S> {
    pub(crate) fn open(stream: S, wanted: Wanted) -> Result<Self, HandshakeError> {
        let Some(opened) = Self::open_unless_sent_away(stream, wanted)? else {
            panic!("the server closed in the handshake");
        };
        Ok(opened)
    }

    /// Gives none if the server closes before it has answered.
    pub(crate) fn open_unless_sent_away(
        mut stream: S,
        wanted: Wanted,
    ) -> Result<Option<Self>, HandshakeError> {
        let mut handshake = Handshake::new(wanted)?;
        let mut received = Vec::new();
        let negotiated = loop {
            if receive(&mut stream, &mut received) == 0 {
                return Ok(None);
            }
            let (mut input, mut output) = (received.as_slice(), Vec::new());
            let result = handshake.advance(&mut input, &mut output);
            received = input.to_vec();
            stream.write_all(&output).unwrap();
            if let Some(negotiated) = result? {
                break negotiated;
            }
        };
        let form = if negotiated.structured_replies {
            ReplyForm::Structured
        } else {
            ReplyForm::Simple
        };
        Ok(Some(Self {
            stream,
            negotiated,
            decoder: ReplyDecoder::new(form),
            received,
            asked: Vec::new(),
        }))
    }

    pub(crate) fn send(&mut self, request: Request) {
        self.stream.write_all(&request.encode()).unwrap();
        self.asked.push(request);
    }

    /// Sends a write with its payload.
    pub(crate) fn send_write(&mut self, cookie: u64, offset: u64, bytes: &[u8], fua: bool) {
        self.send(Request {
            cookie: Cookie(cookie),
            command: Command::Write,
            flags: if fua {
                CommandFlags::FUA
            } else {
                CommandFlags::empty()
            },
            offset,
            length: u32::try_from(bytes.len()).unwrap(),
        });
        self.stream.write_all(bytes).unwrap();
    }

    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), ErrorCode> {
        self.send_write(78, offset, bytes, false);
        self.reply().result.map(|_| ()).map_err(|(code, _)| code)
    }

    /// Asks for `command` with a cookie.
    pub(crate) fn ask(&mut self, cookie: u64, command: Command, offset: u64, length: u32) {
        self.send(Request {
            cookie: Cookie(cookie),
            command,
            flags: CommandFlags::empty(),
            offset,
            length,
        });
    }

    /// The next whole reply, whichever request it is for.
    pub(crate) fn reply(&mut self) -> Reply {
        let mut reply: Option<(Cookie, ReadAssembly, Reply)> = None;
        loop {
            let mut input = self.received.as_slice();
            let outstanding = |cookie| {
                let request = self.asked.iter().find(|request| request.cookie == cookie)?;
                let data_bytes = if request.command == Command::Read {
                    request.length
                } else {
                    0
                };
                Some(Outstanding {
                    offset: request.offset,
                    data_bytes,
                })
            };
            while let Some(event) = self.decoder.next_event(&mut input, outstanding).unwrap() {
                let (Event::Data { cookie, .. }
                | Event::Hole { cookie, .. }
                | Event::Extent { cookie, .. }
                | Event::Failed { cookie, .. }
                | Event::Done { cookie }) = event;
                let (_, assembly, reply) = reply.get_or_insert_with(|| {
                    let asked = outstanding(cookie).unwrap();
                    let reply = Reply {
                        cookie: cookie.0,
                        result: Ok(Vec::new()),
                        extents: Vec::new(),
                    };
                    (
                        cookie,
                        ReadAssembly::new(asked.offset, asked.data_bytes),
                        reply,
                    )
                });
                assert_eq!(
                    reply.cookie, cookie.0,
                    "this server does not interleave replies"
                );
                match event {
                    Event::Data { offset, bytes, .. } => assembly.data(offset, bytes).unwrap(),
                    Event::Hole { offset, length, .. } => assembly.hole(offset, length).unwrap(),
                    Event::Failed { code, message, .. } => reply.result = Err((code, message)),
                    Event::Extent {
                        context, extent, ..
                    } => {
                        let mut contexts = self.negotiated.contexts.iter();
                        let name = contexts
                            .find(|known| known.id == context)
                            .unwrap()
                            .name
                            .clone();
                        reply.extents.push((name, extent.length, extent.flags));
                    }
                    Event::Done { .. } => {
                        let done = std::mem::replace(assembly, ReadAssembly::new(0, 0));
                        if let Ok(data) = &mut reply.result {
                            *data = done.finish().unwrap();
                        }
                        let reply = std::mem::replace(
                            reply,
                            Reply {
                                cookie: 0,
                                result: Ok(Vec::new()),
                                extents: Vec::new(),
                            },
                        );
                        self.received = input.to_vec();
                        self.asked.retain(|request| request.cookie != cookie);
                        return reply;
                    }
                }
            }
            self.received = input.to_vec();
            assert!(
                receive(&mut self.stream, &mut self.received) > 0,
                "the server closed"
            );
        }
    }

    /// One request and its reply.
    pub(crate) fn call(&mut self, command: Command, offset: u64, length: u32) -> Reply {
        self.ask(77, command, offset, length);
        self.reply()
    }

    pub(crate) fn read(
        &mut self,
        offset: u64,
        length: u32,
    ) -> Result<Vec<u8>, (ErrorCode, String)> {
        self.call(Command::Read, offset, length).result
    }

    /// Waits until the server closes; what came before is lost.
    pub(crate) fn wait_for_end(&mut self) {
        wait_for_end(&mut self.stream);
    }
}

pub(crate) fn wait_for_end(stream: &mut impl Read) {
    let mut buffer = vec![0; 1 << 16];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return,
            Err(error) => panic!("the server did not close: {error}"),
        }
    }
}

fn receive(stream: &mut impl Read, received: &mut Vec<u8>) -> usize {
    let mut buffer = vec![0; 1 << 18];
    let count = stream.read(&mut buffer).unwrap();
    received.extend_from_slice(&buffer[..count]);
    count
}

/// Waits for what another thread is about to do.
pub(crate) fn eventually(what: &str, condition: impl Fn() -> bool) {
    let (_keep, never) = std::sync::mpsc::channel::<()>();
    for _ in 0..HANGS_AFTER.as_millis() / LOOKS_EVERY.as_millis() {
        if condition() {
            return;
        }
        let _ = never.recv_timeout(LOOKS_EVERY);
    }
    panic!("{what} did not happen");
}
