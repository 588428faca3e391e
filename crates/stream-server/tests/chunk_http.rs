//! Chunks between servers: the service and the client that another server uses, over real sockets.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod common;

use std::collections::{HashMap, HashSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use chunk_backend::{
    ChunkSource, FetchError, HttpPeer, HttpPeers, IoFailure, PeerFailure, Progress,
};
use chunk_store::{ChunkName, Entry, RootHash, RootRecord, decode_chunk, encode_chunk};
use common::eventually;
use stream_server::chunk_http::{ChunkHttp, Gatekeeper, Scope, Shelf};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// A shelf in memory: what a store is to the service.
#[derive(Default)]
struct Memory {
    entries: HashMap<ChunkName, Entry>,
    records: HashMap<RootHash, Vec<u8>>,
}

impl Memory {
    fn with(chunks: &[&[u8]]) -> Self {
        let entries = chunks
            .iter()
            .map(|chunk| (ChunkName::of(chunk), encode_chunk(chunk)))
            .collect();
        Self {
            entries,
            records: HashMap::new(),
        }
    }
}

impl Shelf for Memory {
    fn entry(&self, name: ChunkName) -> Result<Option<Entry>, IoFailure> {
        Ok(self.entries.get(&name).cloned())
    }

    fn root_record(&self, root: RootHash) -> Result<Option<Vec<u8>>, IoFailure> {
        Ok(self.records.get(&root).cloned())
    }
}

/// `sesame` opens everything, `sesame:ROOT` one root record.
struct Password(&'static str);

impl Gatekeeper for Password {
    fn admits(&self, ticket: &str) -> Option<Scope> {
        match ticket.strip_prefix(self.0)?.strip_prefix(':') {
            Some(root) => Some(Scope::Version(root.parse().ok()?)),
            None => (ticket == self.0).then_some(Scope::Everything),
        }
    }
}

struct Running {
    address: SocketAddr,
    service: Arc<ChunkHttp>,
    _stop: watch::Sender<bool>,
    _runtime: tokio::runtime::Runtime,
}

/// How long servers wait for each other; a client that asks one after another gets nothing then.
const PATIENCE: Duration = Duration::from_secs(10);

fn serve(shelf: impl Shelf + 'static) -> Running {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let service = Arc::new(ChunkHttp::new(
        Arc::new(shelf),
        Arc::new(Password("sesame")),
    ));
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    runtime.spawn(Arc::clone(&service).serve(listener, stopped));
    Running {
        address,
        service,
        _stop: stop,
        _runtime: runtime,
    }
}

fn peers(servers: &[&Running], ticket: &str) -> HttpPeers {
    let peer = |server: &&Running| HttpPeer {
        url: format!("http://{}", server.address),
        ticket: ticket.into(),
    };
    HttpPeers::new(servers.iter().map(peer).collect())
}

/// What `client` gives for `names`, kept if sound, with how it ended.
fn fetch(client: &HttpPeers, names: &[ChunkName]) -> (HashSet<ChunkName>, Result<(), FetchError>) {
    let mut kept = HashSet::new();
    let outcome = client.fetch(names, None, &mut |entry| {
        decode_chunk(&entry).is_ok() && kept.insert(entry.header.name)
    });
    (kept, outcome)
}

#[test]
fn what_is_there_comes_and_what_is_not_is_said_to_be_missing() {
    let server = serve(Memory::with(&[b"one", b"two", b"three"]));
    let names = [b"three".as_slice(), b"nowhere", b"one"].map(ChunkName::of);
    let (kept, outcome) = fetch(&peers(&[&server], "sesame"), &names);
    assert_eq!(kept, HashSet::from([names[0], names[2]]));
    assert!(matches!(
        outcome,
        Err(FetchError::Missing {
            missing: 1,
            asked: 3,
            last: PeerFailure::Absent { .. },
            ..
        })
    ));
    // What is sent is counted after it has gone out.
    eventually("the count of what was missing", || {
        server.service.counters().read().missing_entries == 1
    });
    let counts = server.service.counters().read();
    assert_eq!((counts.sent_entries, counts.refused), (2, 0));
}

#[test]
fn more_than_a_batch_of_full_chunks_arrives_whole() {
    let chunks: Vec<Vec<u8>> = (0..1_100_u32)
        .map(|seed| {
            (0..65_536_u32)
                .map(|byte| (byte.wrapping_mul(seed * 2 + 1) >> 7).to_le_bytes()[0])
                .collect()
        })
        .collect();
    let slices: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
    let names: Vec<ChunkName> = slices.iter().map(|chunk| ChunkName::of(chunk)).collect();
    let server = serve(Memory::with(&slices));
    let client = peers(&[&server], "sesame");
    let (kept, outcome) = fetch(&client, &names);
    outcome.unwrap();
    assert_eq!(kept, names.iter().copied().collect());
    eventually("the count of what was sent", || {
        server.service.counters().read().sent_bytes == client.received_bytes()
    });
}

#[test]
fn what_one_server_lacks_or_has_damaged_comes_from_the_next() {
    let mut damaged = Memory::with(&[b"one", b"two"]);
    if let Some(entry) = damaged.entries.get_mut(&ChunkName::of(b"one")) {
        entry.stored[0] ^= 1;
    }
    let (first, second) = (serve(damaged), serve(Memory::with(&[b"one", b"three"])));
    let names = [b"one".as_slice(), b"two", b"three"].map(ChunkName::of);
    let client = peers(&[&first, &second], "sesame");
    for _ in 0..2 {
        let (kept, outcome) = fetch(&client, &names);
        outcome.unwrap();
        assert_eq!(kept, HashSet::from(names));
    }
    let alone = fetch(&peers(&[&first], "sesame"), &names[..1]).1;
    assert!(matches!(
        alone,
        Err(FetchError::Missing {
            last: PeerFailure::Damaged { .. },
            ..
        })
    ));
}

/// A shelf that gives nothing before as many others as `all` are being asked, too; nothing ever if they are not.
struct Meeting {
    shelf: Memory,
    all: usize,
    here: Arc<(Mutex<Present>, Condvar)>,
    me: usize,
}

#[derive(Default)]
struct Present {
    who: HashSet<usize>,
    in_vain: bool,
}

impl Shelf for Meeting {
    fn entry(&self, name: ChunkName) -> Result<Option<Entry>, IoFailure> {
        let (here, changed) = &*self.here;
        let mut present = here.lock().unwrap();
        present.who.insert(self.me);
        changed.notify_all();
        let is_alone = |present: &mut Present| !present.in_vain && present.who.len() < self.all;
        let (mut present, waited) = changed
            .wait_timeout_while(present, PATIENCE, is_alone)
            .unwrap();
        present.in_vain |= waited.timed_out();
        if present.in_vain {
            return Ok(None);
        }
        self.shelf.entry(name)
    }

    fn root_record(&self, root: RootHash) -> Result<Option<Vec<u8>>, IoFailure> {
        self.shelf.root_record(root)
    }
}

#[test]
fn all_servers_are_asked_at_once_and_each_chunk_of_one_only() {
    let chunks: Vec<[u8; 4]> = (0..400_u32).map(u32::to_le_bytes).collect();
    let slices: Vec<&[u8]> = chunks.iter().map(<[u8; 4]>::as_slice).collect();
    let names: Vec<ChunkName> = slices.iter().map(|chunk| ChunkName::of(chunk)).collect();
    let here = Arc::default();
    let servers: Vec<Running> = (0..3)
        .map(|me| {
            serve(Meeting {
                shelf: Memory::with(&slices),
                all: 3,
                here: Arc::clone(&here),
                me,
            })
        })
        .collect();
    let servers: Vec<&Running> = servers.iter().collect();
    let (kept, outcome) = fetch(&peers(&servers, "sesame"), &names);
    outcome.unwrap();
    assert_eq!(kept, names.iter().copied().collect());
    let sent = |server: &&Running| server.service.counters().read().sent_entries;
    eventually("the count of what was sent", || {
        servers.iter().map(sent).sum::<u64>() == 400
    });
}

#[test]
fn a_server_that_is_dead_or_lacks_much_leaves_its_part_to_the_others() {
    let chunks: Vec<[u8; 4]> = (0..400_u32).map(u32::to_le_bytes).collect();
    let slices: Vec<&[u8]> = chunks.iter().map(<[u8; 4]>::as_slice).collect();
    let names: Vec<ChunkName> = slices.iter().map(|chunk| ChunkName::of(chunk)).collect();
    let (half, other) = (
        serve(Memory::with(&slices[..200])),
        serve(Memory::with(&slices[150..])),
    );
    let dead = serve(Memory::default());
    let client = peers(&[&half, &dead, &other], "sesame");
    drop(dead);
    let (kept, outcome) = fetch(&client, &names);
    outcome.unwrap();
    assert_eq!(kept, names.iter().copied().collect());
    let (kept, outcome) = fetch(&peers(&[&half, &half], "sesame"), &names);
    assert_eq!(kept, names[..200].iter().copied().collect());
    assert!(matches!(
        outcome,
        Err(FetchError::Missing {
            missing: 200,
            asked: 400,
            ..
        })
    ));
}

#[test]
fn a_dead_server_does_not_matter_while_another_answers() {
    let alive = serve(Memory::with(&[b"one"]));
    // Bound and not listening: refuses connections, and nobody else gets the port meanwhile.
    let dead = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    dead.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    let address = dead.local_addr().unwrap().as_socket().unwrap();
    let peer = |address: SocketAddr| HttpPeer {
        url: format!("http://{address}"),
        ticket: "sesame".into(),
    };
    let client = HttpPeers::new(vec![peer(address), peer(alive.address)]);
    for _ in 0..3 {
        fetch(&client, &[ChunkName::of(b"one")]).1.unwrap();
    }
    let nobody = fetch(
        &HttpPeers::new(vec![peer(address)]),
        &[ChunkName::of(b"one")],
    )
    .1;
    assert!(matches!(
        nobody,
        Err(FetchError::Missing {
            last: PeerFailure::Transport { .. },
            ..
        })
    ));
    assert!(matches!(
        fetch(&HttpPeers::new(vec![]), &[ChunkName::of(b"one")]).1,
        Err(FetchError::NoPeers)
    ));
}

#[test]
fn a_wrong_ticket_gets_nothing() {
    let server = serve(Memory::with(&[b"one"]));
    let (kept, outcome) = fetch(&peers(&[&server], "open"), &[ChunkName::of(b"one")]);
    assert!(kept.is_empty());
    assert!(matches!(
        outcome,
        Err(FetchError::Missing {
            last: PeerFailure::Status { status: 401, .. },
            ..
        })
    ));
    assert_eq!(server.service.counters().read().refused, 1);
}

#[test]
fn a_root_record_is_taken_only_under_its_own_hash() {
    let record = RootRecord::new(65_536, ChunkName::of(b"page"));
    let (root, other) = (record.hash(), RootRecord::new(1, ChunkName::ZERO).hash());
    let records = HashMap::from([
        (root, record.encode().to_vec()),
        (other, b"not that".to_vec()),
    ]);
    let server = serve(Memory {
        records,
        ..Memory::default()
    });
    let client = peers(&[&server], "sesame");
    assert_eq!(client.fetch_root(root, None).unwrap(), record.encode());
    assert!(matches!(
        client.fetch_root(other, None),
        Err(FetchError::NoRoot {
            last: PeerFailure::Garbage { .. },
            ..
        })
    ));
    let absent = RootRecord::new(2, ChunkName::ZERO).hash();
    assert!(matches!(
        client.fetch_root(absent, None),
        Err(FetchError::NoRoot {
            last: PeerFailure::Absent { .. },
            ..
        })
    ));
}

#[test]
fn who_may_fetch_one_version_gets_its_root_record_and_chunks_by_name() {
    let mine = RootRecord::new(65_536, ChunkName::of(b"mine"));
    let others = RootRecord::new(65_536, ChunkName::of(b"others"));
    let records = [&mine, &others].map(|record| (record.hash(), record.encode().to_vec()));
    let server = serve(Memory {
        records: HashMap::from(records),
        ..Memory::with(&[b"one"])
    });
    let client = peers(&[&server], &format!("sesame:{}", mine.hash()));
    assert_eq!(client.fetch_root(mine.hash(), None).unwrap(), mine.encode());
    fetch(&client, &[ChunkName::of(b"one")]).1.unwrap();
    // Nobody can tell a version that is here from one that is nowhere.
    let absent = RootRecord::new(2, ChunkName::ZERO);
    let said = [others.hash(), absent.hash()].map(|root| {
        let ticket = format!("authorization: Bearer sesame:{}", mine.hash());
        let request = format!(
            "GET /v1/roots/{root} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{ticket}\r\n\r\n"
        );
        let answer = whole(server.address, request.as_bytes());
        answer
            .lines()
            .filter(|line| !line.starts_with("date:"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    });
    assert!(said[0][0].contains(" 404 "), "{said:?}");
    assert_eq!(said[0], said[1]);
    assert_eq!(server.service.counters().read().refused, 0);
}

/// Takes one connection and what is asked on it, says nothing, and calls `work` off. Gives the connection.
fn hear_and_call_off(silent: &std::net::TcpListener, work: &Progress) -> TcpStream {
    let (mut connection, _) = silent.accept().unwrap();
    let mut head = [0; 4];
    connection.read_exact(&mut head).unwrap();
    work.cancel();
    connection
}

type Ask<'a> = &'a (dyn Fn(&Progress) -> Result<(), FetchError> + Sync);

/// Whether the other end has not hung up.
fn is_open(connection: &mut TcpStream) -> bool {
    connection.set_nonblocking(true).unwrap();
    loop {
        match connection.read(&mut [0; 1024]) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == std::io::ErrorKind::WouldBlock,
        }
    }
}

#[test]
fn who_calls_it_off_does_not_wait_for_a_silent_server() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = HttpPeer {
        url: format!("http://{}", silent.local_addr().unwrap()),
        ticket: "sesame".into(),
    };
    let client = HttpPeers::new(vec![peer.clone(), peer]);
    let names: Vec<ChunkName> = (0..200_u32)
        .map(|number| ChunkName::of(&number.to_le_bytes()))
        .collect();
    let ask_for_chunks = |work: &Progress| client.fetch(&names, Some(work), &mut |_| true);
    let ask_for_one = |work: &Progress| client.fetch(&names[..1], Some(work), &mut |_| true);
    let root = RootRecord::new(1, ChunkName::ZERO).hash();
    let ask_for_root = |work: &Progress| client.fetch_root(root, Some(work)).map(|_| ());
    let asks: [Ask<'_>; 3] = [&ask_for_chunks, &ask_for_one, &ask_for_root];
    for ask in asks {
        let work = Progress::new();
        let (outcome, mut connection) = std::thread::scope(|scope| {
            let asking = scope.spawn(|| ask(&work));
            let connection = hear_and_call_off(&silent, &work);
            (asking.join().unwrap(), connection)
        });
        assert!(matches!(outcome, Err(FetchError::Cancelled)));
        // Whoever had waited for the answer would have hung up by now.
        assert!(is_open(&mut connection));
    }
    let work = Progress::new();
    work.cancel();
    assert!(matches!(ask_for_chunks(&work), Err(FetchError::Cancelled)));
}

/// Send `request` as it stands and give the first line of the answer.
fn raw(address: SocketAddr, request: &[u8]) -> String {
    let answer = whole(address, request);
    answer.lines().next().unwrap_or_default().to_owned()
}

fn whole(address: SocketAddr, request: &[u8]) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    let _ = socket.write_all(request);
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn garbage_and_oversized_requests_are_refused() {
    let server = serve(Memory::default());
    let head = "host: x\r\nconnection: close\r\nauthorization: Bearer sesame\r\n";
    let too_long = [
        format!("POST /v1/chunks HTTP/1.1\r\n{head}content-length: 32800\r\n\r\n").into_bytes(),
        vec![1; 32_800],
    ]
    .concat();
    assert!(raw(server.address, &too_long).contains(" 413 "));
    let torn = [
        format!("POST /v1/chunks HTTP/1.1\r\n{head}content-length: 33\r\n\r\n").into_bytes(),
        vec![1; 33],
    ]
    .concat();
    assert!(raw(server.address, &torn).contains(" 400 "));
    assert!(
        raw(
            server.address,
            format!("GET /v1/roots/../../etc/passwd HTTP/1.1\r\n{head}\r\n").as_bytes()
        )
        .contains(" 404 ")
    );
    assert!(
        raw(
            server.address,
            b"\x16\x03\x01\x02\x00 this is not HTTP\r\n\r\n"
        )
        .contains(" 400 ")
    );
    let endless = [b"GET / HTTP/1.1\r\nx: ".to_vec(), vec![b'a'; 64 << 10]].concat();
    assert!(raw(server.address, &endless).contains(" 431 "));
}
