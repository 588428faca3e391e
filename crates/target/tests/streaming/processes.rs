//! Real processes: stream servers with a store each, a client before them, a reader before the client.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chunk_backend::{FarmId, NoPeers, Progress, RawFile, Store};
use chunk_store::RootHash;
use rustix::process::{Pid, Signal, kill_process};
use stream_server::{Access, Address, Export, Limits, Listener, Settings, StreamServer};

const FARM: &str = "6f1d4a3e-6f0a-4f4e-9d53-0c7f3f1f7f10";
pub(crate) const EXPORT: &str = "golden/1";
const STORE: &str = "CORRAL_TEST_STORE";
const ADDRESS: &str = "CORRAL_TEST_ADDRESS";
const ACCESS: &str = "CORRAL_TEST_ACCESS";
pub(crate) const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// Longer than anything here takes: a wait that comes here hangs.
pub(crate) const HANGS_AFTER: Duration = Duration::from_mins(1);

/// A store with one version.
pub(crate) struct Image {
    pub(crate) store: PathBuf,
    pub(crate) root: RootHash,
    pub(crate) size_bytes: u64,
}

/// Imports a disk whose bytes depend on `seed`, a quarter of it a hole, into a new store.
pub(crate) fn image(folder: &Path, name: &str, seed: u64) -> Image {
    let size_bytes: u64 = 24 * 1024 * 1024 + 4096;
    let disk = folder.join(format!("{name}.raw"));
    let file = File::create(&disk).unwrap();
    file.set_len(size_bytes).unwrap();
    let mut state = seed | 1;
    let mut block = vec![0; 65_536];
    for index in (0..size_bytes / 65_536).filter(|index| index % 4 != 3) {
        for byte in &mut block {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *byte = (state >> 24) as u8;
        }
        file.write_all_at(&block, index * 65_536).unwrap();
    }
    let path = folder.join(format!("{name}.store"));
    fs::create_dir(&path).unwrap();
    let store = Store::create(&path, farm()).unwrap();
    let mut source = RawFile::open(&disk).unwrap();
    let imported = store.import(&mut source, &Progress::new()).unwrap();
    Image {
        store: path,
        root: imported.root,
        size_bytes,
    }
}

fn farm() -> FarmId {
    FARM.parse().unwrap()
}

/// A stream server in a process of its own, so that it can be killed as a process.
pub(crate) struct Server {
    process: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    pub(crate) address: SocketAddr,
}

impl Server {
    pub(crate) fn start(image: &Image) -> Self {
        Self::start_at(image, ANY_PORT)
    }

    pub(crate) fn start_at(image: &Image, address: SocketAddr) -> Self {
        Self::run(image, address, "open")
    }

    /// One that opens its export to tickets of the farm that tests play only.
    pub(crate) fn start_for_tickets(image: &Image, address: SocketAddr) -> Self {
        Self::run(image, address, "ticket")
    }

    /// This test program again, as [`be_a_server`].
    fn run(image: &Image, address: SocketAddr, access: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "serves_when_a_test_starts_it",
                "--ignored",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(STORE, &image.store)
            .env(ADDRESS, address.to_string())
            .env(ACCESS, access)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let orders = process.stdin.take().unwrap();
        let mut answers = BufReader::new(process.stdout.take().unwrap());
        let address = wait_for(&mut answers, "serving ").parse().unwrap();
        Self {
            process,
            orders,
            answers,
            address,
        }
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.process);
        kill_process(pid, signal).unwrap();
    }

    /// `drain` or `undrain`; comes back when it is done.
    pub(crate) fn order(&mut self, order: &str) {
        writeln!(self.orders, "{order}").unwrap();
        wait_for(&mut self.answers, "done ");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn wait_for(output: &mut impl BufRead, beginning: &str) -> String {
    loop {
        let mut line = String::new();
        assert!(
            output.read_line(&mut line).unwrap() > 0,
            "the process ended before it said {beginning:?}"
        );
        if let Some((_, rest)) = line.split_once(beginning) {
            return rest.trim().to_owned();
        }
    }
}

/// The life of a server process; ends with its standard input.
pub(crate) fn be_a_server() {
    let Some(path) = std::env::var_os(STORE) else {
        return;
    };
    let address = std::env::var(ADDRESS).unwrap().parse().unwrap();
    let store = Store::open(Path::new(&path), farm()).unwrap();
    let root = store.versions().unwrap()[0];
    let version = store.serve(root, Arc::new(NoPeers)).unwrap();
    let server = StreamServer::start(Settings {
        listeners: vec![Listener {
            address: Address::Tcp(address),
            access: match std::env::var(ACCESS).unwrap().as_str() {
                "ticket" => Access::Ticket,
                _ => Access::Open,
            },
        }],
        chunk_http: None,
        farm_public_key: crate::farm::public_key(),
        limits: Limits::default(),
        reactors: Some(1),
    })
    .unwrap();
    server.apply(vec![Export::version(EXPORT, version)]);
    let Address::Tcp(address) = &server.addresses()[0] else {
        panic!("a TCP listener was asked for")
    };
    println!("serving {address}");
    for order in std::io::stdin().lines() {
        let order = order.unwrap();
        match order.as_str() {
            "drain" => server.drain(),
            "undrain" => server.undrain(),
            other => panic!("unknown order {other}"),
        }
        println!("done {order}");
    }
}

/// `corral-target serve`, and what it is asked.
pub(crate) struct Client {
    process: Child,
    folder: PathBuf,
}

impl Client {
    /// Before these servers, in this order, called `a`, `b` and so on.
    pub(crate) fn start(
        folder: &Path,
        root: RootHash,
        size_bytes: u64,
        servers: &[SocketAddr],
    ) -> Self {
        let servers: Vec<_> = ('a'..)
            .zip(servers)
            .map(|(name, address)| serde_json::json!({"name": name.to_string(), "addresses": [address.to_string()]}))
            .collect();
        let answer = serde_json::json!({
            "format": 1, "device": "pc1", "export": EXPORT, "root": root.to_string(), "size_bytes": size_bytes,
            "ticket": null, "expires_at": null, "write_cache": "device-ram", "servers": servers,
        });
        let client = Self::spawn(folder, &answer, Stdio::inherit());
        client.wait(|status| status.is_some());
        client
    }

    /// With this configuration. Does not wait until the client has logged in.
    pub(crate) fn spawn(folder: &Path, config: &serde_json::Value, log: Stdio) -> Self {
        let folder = folder.to_owned();
        let mut file = File::create(folder.join("login.json")).unwrap();
        file.write_all(config.to_string().as_bytes()).unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_corral-target"))
            .current_dir(&folder)
            .args([
                "serve",
                "--config",
                "login.json",
                "--unix",
                "disk.sock",
                "--control",
                "control.sock",
            ])
            .stderr(log)
            .spawn()
            .unwrap();
        Self { process, folder }
    }

    /// Reads the log, which must have been asked for, up to a line that holds `words`.
    pub(crate) fn wait_for_log(&mut self, words: &str) -> String {
        wait_for(
            &mut BufReader::new(self.process.stderr.take().unwrap()),
            words,
        )
    }

    /// A reader that verifies the whole disk for so many seconds, and then to the end of its pass.
    pub(crate) fn reader(&self, root: RootHash, seconds: u32) -> Reader {
        let process = Command::new(env!("CARGO_BIN_EXE_corral-target"))
            .current_dir(&self.folder)
            .args(["verify", "--unix", "disk.sock", "--root", &root.to_string()])
            .args(["--seconds", &seconds.to_string(), "--read-size", "65536"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Reader(process)
    }

    pub(crate) fn status(&self) -> Option<serde_json::Value> {
        let asked = Command::new(env!("CARGO_BIN_EXE_corral-target"))
            .current_dir(&self.folder)
            .args(["status", "--control", "control.sock"])
            .stderr(Stdio::null())
            .output()
            .unwrap();
        serde_json::from_slice(&asked.stdout).ok()
    }

    /// Until the status is as it should be. Each question starts a process, which keeps this from spinning.
    pub(crate) fn wait(&self, is_so: impl Fn(Option<&serde_json::Value>) -> bool) {
        #[allow(clippy::disallowed_methods, reason = "only to end a test that hangs")]
        let began_at = Instant::now();
        loop {
            let status = self.status();
            if is_so(status.as_ref()) {
                return;
            }
            assert!(
                began_at.elapsed() < HANGS_AFTER,
                "the status never came: {status:?}"
            );
        }
    }

    pub(crate) fn wait_for_state(&self, server: usize, state: &str) {
        self.wait(|status| {
            status.is_some_and(|status| status["servers"][server]["state"] == state)
        });
    }

    /// Until so many more reads were answered.
    pub(crate) fn wait_for_reads(&self, more: u64) {
        let delivered = |status: &serde_json::Value| status["delivered"].as_u64().unwrap();
        let before = self.status().as_ref().map_or(0, delivered);
        self.wait(|status| status.is_some_and(|status| delivered(status) >= before + more));
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// `corral-target verify` under way.
pub(crate) struct Reader(Child);

impl Reader {
    /// Its end: no error, and the right root in every pass. Prints the longest stall.
    pub(crate) fn finish_satisfied(mut self, what: &str) {
        let mut output = String::new();
        self.0
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut output)
            .unwrap();
        let status = self.0.wait().unwrap();
        let last = output.lines().last().unwrap_or_default();
        println!("{what}: {last}");
        assert!(status.success(), "{output}");
        assert!(
            last.contains(" root=ok ") && last.contains(" errors=0 "),
            "{output}"
        );
    }
}
