//! A thousand devices before three real servers, on one thread: nothing of them is left out but the kernel's device.
//!
//! No time is asserted, for this may be a busy machine; how long devices waited is printed (`--nocapture`).

use std::cell::Cell;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use chunk_backend::{FarmId, NoPeers, Progress, RawFile, Store};
use ed25519_dalek::SigningKey;
use failover::Counters;
use rustix::process::{Resource, getrlimit, setrlimit};
use stream_server::{
    Access, Address, Export, Limits, Listener, Settings as ServerSettings, StreamServer,
};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::*;
use crate::worker;

const DEVICES: usize = 1000;
const SERVERS: [&str; 3] = ["a", "b", "c"];
const EXPORT: &str = "golden/1";
/// What a device reads at once, and the time it takes before it reads again.
const READ_BYTES: usize = 4096;
const THINKS_FOR: Duration = Duration::from_millis(250);
/// Reads of each device before the drain, and again after it has moved.
const READS: u64 = 8;
/// Both ends of up to three connections of each device, and what else a process has open.
const OPEN_FILES: u64 = 2 * 3 * DEVICES as u64 + 500;
const LOOKS_EVERY: Duration = Duration::from_millis(50);
/// Longer than anything here takes, on a machine that has other things to do: a wait that comes here hangs.
const HANGS_AFTER: Duration = Duration::from_mins(5);

/// Nobody takes a server for lost because it is slow: with a thousand devices on the same machine they all are. So only the
/// drain moves anybody.
fn patient() -> Settings {
    let mut settings = Settings::default();
    settings.silence = HANGS_AFTER;
    settings.hedge_min = HANGS_AFTER;
    settings.hedge_max = HANGS_AFTER;
    settings.heartbeat_timeout = HANGS_AFTER;
    settings.read_timeout = HANGS_AFTER;
    settings.connect_timeout = HANGS_AFTER;
    settings.connect_patience = HANGS_AFTER;
    settings.dwell = HANGS_AFTER;
    settings
}

fn allow_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    assert!(
        limit.maximum.is_none_or(|most| most >= OPEN_FILES),
        "{OPEN_FILES} open files are needed, and no more than {:?} allowed",
        limit.maximum
    );
    if limit.current.is_some_and(|current| current < OPEN_FILES) {
        limit.current = Some(OPEN_FILES);
        setrlimit(Resource::Nofile, limit).unwrap();
    }
}

/// Bytes of which no two blocks are alike.
fn content() -> Vec<u8> {
    let mut state = 7_u64;
    let mut word = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..1 << 20).flat_map(|_| word().to_le_bytes()).collect()
}

/// A server with a store of its own, and the root of what it serves.
fn serve(folder: &Path, name: &str, disk: &Path) -> (StreamServer, String) {
    let path = folder.join(name);
    fs::create_dir(&path).unwrap();
    let farm: FarmId = "6f1d4a3e-6f0a-4f4e-9d53-0c7f3f1f7f10".parse().unwrap();
    let store = Store::create(&path, farm).unwrap();
    let mut source = RawFile::open(disk).unwrap();
    let root = store.import(&mut source, &Progress::new()).unwrap().root;
    let key = SigningKey::from_bytes(&[7; 32]).verifying_key();
    let limits = Limits {
        // On a busy machine a handshake may take longer than its turn, and would not be among those that are counted.
        handshake_turn: HANGS_AFTER,
        handshake_for: HANGS_AFTER,
        ..Limits::default()
    };
    let server = StreamServer::start(ServerSettings {
        listeners: vec![Listener {
            address: Address::Tcp(([127, 0, 0, 1], 0).into()),
            access: Access::Open,
            requires_tls: false,
        }],
        chunk_http: None,
        chunk_tls: false,
        farm_public_key: key.to_bytes(),
        limits,
        reactors: Some(1),
    })
    .unwrap();
    let version = store.serve(root, Arc::new(NoPeers)).unwrap();
    server.apply(vec![Export::version(EXPORT, version)]);
    (server, root.to_string())
}

/// What a device is told: these servers, in this order.
fn answer(ranked: &[usize], root: &str, size: usize, servers: &[StreamServer]) -> LoginAnswer {
    let servers: Vec<_> = ranked
        .iter()
        .map(|&at| match &servers[at].addresses()[0] {
            Address::Tcp(address) => {
                serde_json::json!({"name": SERVERS[at], "addresses": [address.to_string()]})
            }
            Address::Unix(path) => panic!("{} is no TCP address", path.display()),
        })
        .collect();
    let answer = serde_json::json!({
        "format": 1, "export": EXPORT, "root": root, "size_bytes": size, "servers": servers,
    });
    serde_json::from_value(answer).unwrap()
}

struct Device {
    client: Rc<Client>,
    /// Its servers, best first.
    ranked: [usize; 3],
    /// Whether it knows another server before its own drains.
    has_spare: bool,
    reads: Cell<u64>,
    /// The longest since the drain.
    longest: Cell<Duration>,
    is_done: Cell<bool>,
}

impl Device {
    /// Reads block after block, beginning somewhere else than others, and compares each with what it should be.
    async fn read_on(self: Rc<Self>, number: usize, content: Rc<Vec<u8>>) {
        let blocks = content.len() / READ_BYTES;
        let length = u32::try_from(READ_BYTES).unwrap();
        for block in (number * 37..).map(|block| block % blocks) {
            let at = block * READ_BYTES;
            let asked_at = clock::now();
            let read = self.client.read(at as u64, length).await;
            let took = clock::now().saturating_duration_since(asked_at);
            assert_eq!(read.as_deref(), Ok(&content[at..at + READ_BYTES]));
            self.reads.set(self.reads.get() + 1);
            self.longest.set(self.longest.get().max(took));
            if self.is_done.get() {
                return;
            }
            sleep(THINKS_FOR).await;
        }
    }

    /// Where reads go, if as many servers are ready as there should be.
    fn place(&self) -> Option<String> {
        let (view, names) = self.client.view();
        let current = view.servers.iter().position(|server| server.is_current)?;
        (self.client.footing() == Footing::Firm).then(|| names[current].clone())
    }
}

/// Looks again and again; ends at once if a device ended, which none should yet.
async fn eventually(what: &str, readers: &mut JoinSet<()>, is_so: impl Fn() -> bool) {
    let began_at = clock::now();
    while !is_so() {
        if let Some(ended) = readers.try_join_next() {
            panic!("a device ended before {what}: {ended:?}");
        }
        let waited = clock::now().saturating_duration_since(began_at);
        assert!(waited < HANGS_AFTER, "{what} never came");
        sleep(LOOKS_EVERY).await;
    }
}

/// Every device reads from the first server until that drains, and then from another.
async fn leave(content: Vec<u8>, root: String, servers: &[StreamServer]) -> Vec<Rc<Device>> {
    let content = Rc::new(content);
    let mut readers = JoinSet::new();
    let devices: Vec<_> = (0..DEVICES)
        .map(|number| {
            let ranked = [[0, 1, 2], [0, 2, 1]][number % 2];
            // Whoever answers first is read from, so that in the beginning there is one only.
            let answer = answer(&ranked[..1], &root, content.len(), servers);
            let device = Rc::new(Device {
                client: Client::start(&answer, patient()),
                ranked,
                has_spare: number % 5 != 4,
                reads: Cell::new(0),
                longest: Cell::new(Duration::ZERO),
                is_done: Cell::new(false),
            });
            readers.spawn_local(Rc::clone(&device).read_on(number, Rc::clone(&content)));
            device
        })
        .collect();
    let all = |is_so: &dyn Fn(&Device) -> bool| devices.iter().all(|device| is_so(device));
    eventually("the start", &mut readers, || {
        all(&|device| device.reads.get() > 0)
    })
    .await;
    for device in &devices {
        let answer = answer(&device.ranked, &root, content.len(), servers);
        let client = Rc::clone(&device.client);
        if device.has_spare {
            client.follow(&answer);
        } else {
            tokio::task::spawn_local(async move {
                client.login_wanted().await;
                client.follow(&answer);
            });
        }
    }
    eventually("the spares", &mut readers, || {
        all(&|device| {
            let is_placed = device.place().as_deref() == Some("a") || !device.has_spare;
            is_placed && device.reads.get() >= READS
        })
    })
    .await;
    for device in &devices {
        device.reads.set(0);
        device.longest.set(Duration::ZERO);
    }
    servers[0].drain();
    eventually("the move", &mut readers, || {
        let is_served = |device: &Device| device.client.without_server_for().is_none();
        assert!(all(&is_served), "a device left before it was taken in");
        all(&|device| device.place().is_some_and(|place| place != "a"))
            && servers
                .iter()
                .map(|server| server.sessions().len())
                .eq([0, DEVICES, DEVICES])
    })
    .await;
    for device in &devices {
        device.reads.set(0);
    }
    eventually("reads from elsewhere", &mut readers, || {
        all(&|device| device.reads.get() >= READS)
    })
    .await;
    for device in &devices {
        device.is_done.set(true);
    }
    while let Some(ended) = readers.join_next().await {
        ended.unwrap();
    }
    devices
}

#[test]
fn a_thousand_devices_leave_a_drained_server_at_the_pace_of_those_that_take_them_in() {
    allow_open_files();
    let folder = tempfile::tempdir().unwrap();
    let content = content();
    let disk = folder.path().join("disk.raw");
    File::create(&disk).unwrap().write_all(&content).unwrap();
    let (servers, roots): (Vec<_>, Vec<_>) = SERVERS
        .iter()
        .map(|name| serve(folder.path(), name, &disk))
        .unzip();
    let devices = worker::run(async {
        let devices = leave(content, roots[0].clone(), &servers).await;
        for device in &devices {
            // Who knew nobody else reads from whoever took it in first.
            let told = Some(SERVERS[device.ranked[1]]);
            assert!(!device.has_spare || device.place().as_deref() == told);
            let Counters { moves, losses, .. } = device.client.view().0.counters;
            assert_eq!((moves, losses), (1, 0));
        }
        for server in &servers {
            let counters = server.counters();
            assert_eq!(counters.logins, DEVICES as u64, "nobody comes twice");
            let most = Limits::default().handshakes as u64;
            assert!(counters.most_handshakes <= most, "{counters:?}");
        }
        devices
    })
    .unwrap();
    // All knocked here in the same instant.
    assert!(servers[0].counters().waited_handshakes > 0);
    let mut longest: Vec<_> = devices.iter().map(|device| device.longest.get()).collect();
    longest.sort_unstable();
    println!(
        "drain of {DEVICES} devices: longest read of one {:?}, at the median {:?}",
        longest[DEVICES - 1],
        longest[DEVICES / 2],
    );
}
