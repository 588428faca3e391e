//! Real processes: stream servers with a store each, a client before them, a reader before the client.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use chunk_backend::{FarmId, NoPeers, OpenOverlayError, Overlay, Progress, RawFile, Store};
use chunk_store::RootHash;
use rustix::process::{Pid, Signal, kill_process};
use socket2::{Domain, Socket, Type};
use stream_server::{Access, Address, Export, Limits, Listener, Settings, StreamServer};

const FARM: &str = "6f1d4a3e-6f0a-4f4e-9d53-0c7f3f1f7f10";
pub(crate) const EXPORT: &str = "golden/1";
const STORE: &str = "CORRAL_TEST_STORE";
const ADDRESS: &str = "CORRAL_TEST_ADDRESS";
const ACCESS: &str = "CORRAL_TEST_ACCESS";
/// The id of the overlay that a server has, and the bytes it may hold.
const OVERLAY: &str = "CORRAL_TEST_OVERLAY";
const OVERLAY_LIMIT: &str = "CORRAL_TEST_OVERLAY_LIMIT";
pub(crate) const WRITABLE_EXPORT: &str = "golden/1@pc1";
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

/// A port of a server that goes and comes back. A socket that is bound and does not listen keeps it from being given
/// to anybody else meanwhile, and is in no server's way.
#[derive(Clone)]
pub(crate) struct Port {
    pub(crate) address: SocketAddr,
    /// Where nobody else takes ports.
    namespace: Option<String>,
    _held: Option<Arc<Socket>>,
}

impl Port {
    pub(crate) fn reserve() -> Self {
        let held = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        held.set_reuse_address(true).unwrap();
        held.bind(&ANY_PORT.into()).unwrap();
        Self {
            address: held.local_addr().unwrap().as_socket().unwrap(),
            namespace: None,
            _held: Some(Arc::new(held)),
        }
    }

    /// One in a network namespace of the test's own.
    pub(crate) fn within(namespace: &str, address: SocketAddr) -> Self {
        Self {
            address,
            namespace: Some(namespace.to_owned()),
            _held: None,
        }
    }
}

/// A program, started in a network namespace if there is one.
fn program(namespace: Option<&str>, path: impl AsRef<OsStr>) -> Command {
    let Some(namespace) = namespace else {
        return Command::new(path);
    };
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace]).arg(path);
    command
}

/// A stream server in a process of its own, so that it can be killed as a process.
pub(crate) struct Server {
    process: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    pub(crate) port: Port,
}

impl Server {
    pub(crate) fn start(image: &Image) -> Self {
        Self::start_at(image, &Port::reserve())
    }

    pub(crate) fn start_at(image: &Image, port: &Port) -> Self {
        Self::run(image, port, "open", &[])
    }

    /// One that has a disk of the device's over the version; made if it is not there.
    pub(crate) fn start_writable(image: &Image, port: &Port, overlay: &str, limit: u64) -> Self {
        let limit = limit.to_string();
        let more = [(OVERLAY, overlay), (OVERLAY_LIMIT, limit.as_str())];
        Self::run(image, port, "open", &more)
    }

    /// One that opens its export to tickets of the farm that tests play only.
    pub(crate) fn start_for_tickets(image: &Image, port: &Port) -> Self {
        Self::run(image, port, "ticket", &[])
    }

    /// This test program again, as [`be_a_server`].
    fn run(image: &Image, port: &Port, access: &str, more: &[(&str, &str)]) -> Self {
        let mut process = program(port.namespace.as_deref(), std::env::current_exe().unwrap())
            .args([
                "--exact",
                "serves_when_a_test_starts_it",
                "--ignored",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(STORE, &image.store)
            .env(ADDRESS, port.address.to_string())
            .env(ACCESS, access)
            .envs(more.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let orders = process.stdin.take().unwrap();
        let mut answers = BufReader::new(process.stdout.take().unwrap());
        wait_for(&mut answers, "serving ");
        Self {
            process,
            orders,
            answers,
            port: port.clone(),
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
            requires_tls: false,
            access: match std::env::var(ACCESS).unwrap().as_str() {
                "ticket" => Access::Ticket,
                _ => Access::Open,
            },
        }],
        chunk_http: None,
        chunk_tls: false,
        farm_public_key: crate::farm::public_key(),
        limits: Limits::default(),
        reactors: Some(1),
    })
    .unwrap();
    let mut exports = vec![Export::version(EXPORT, version.clone())];
    if let Ok(id) = std::env::var(OVERLAY) {
        let id = id.parse().unwrap();
        let limit = std::env::var(OVERLAY_LIMIT).unwrap().parse().unwrap();
        let overlay = match Overlay::open(&store, id, &version) {
            Err(OpenOverlayError::Unknown { .. }) => {
                Overlay::create(&store, id, &version, limit).unwrap()
            }
            opened => opened.unwrap(),
        };
        exports.push(Export::disk(WRITABLE_EXPORT, Arc::new(overlay), [9; 16]));
    }
    server.apply(exports);
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

/// What a device is told that reads a version: servers called `a`, `b` and so on, with their addresses.
pub(crate) fn reading(
    root: RootHash,
    size_bytes: u64,
    servers: &[&[SocketAddr]],
) -> serde_json::Value {
    let servers: Vec<_> = ('a'..)
        .zip(servers)
        .map(|(name, addresses)| serde_json::json!({"name": name.to_string(), "addresses": addresses}))
        .collect();
    serde_json::json!({
        "format": 1, "device": "pc1", "export": EXPORT, "root": root.to_string(), "size_bytes": size_bytes,
        "ticket": null, "expires_at": null, "write_cache": "device-ram", "servers": servers,
    })
}

/// What a device is told that writes to a disk of its own.
pub(crate) fn writing(image: &Image, server: SocketAddr) -> serde_json::Value {
    serde_json::json!({
        "format": 1, "device": "pc1", "export": WRITABLE_EXPORT, "root": image.root.to_string(),
        "size_bytes": image.size_bytes, "write_cache": "server", "writable": true,
        "servers": [{"name": "a", "addresses": [server]}],
    })
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
        let servers: Vec<_> = servers.iter().map(std::slice::from_ref).collect();
        Self::start_at(folder, &reading(root, size_bytes, &servers), None)
    }

    /// Of the device's own disk, which this server has.
    pub(crate) fn start_writing(folder: &Path, image: &Image, server: SocketAddr) -> Self {
        Self::start_at(folder, &writing(image, server), None)
    }

    /// With this login answer, in a network namespace if there is one; waits until it can be asked.
    pub(crate) fn start_at(
        folder: &Path,
        answer: &serde_json::Value,
        namespace: Option<&str>,
    ) -> Self {
        let client = Self::spawn_at(folder, answer, Stdio::inherit(), &[], namespace);
        client.wait(|status| status.is_some());
        client
    }

    /// With this configuration. Does not wait until the client has logged in.
    pub(crate) fn spawn(folder: &Path, config: &serde_json::Value, log: Stdio) -> Self {
        Self::spawn_with(folder, config, log, &[])
    }

    /// With this configuration and these options.
    pub(crate) fn spawn_with(
        folder: &Path,
        config: &serde_json::Value,
        log: Stdio,
        options: &[&str],
    ) -> Self {
        Self::spawn_at(folder, config, log, options, None)
    }

    fn spawn_at(
        folder: &Path,
        config: &serde_json::Value,
        log: Stdio,
        options: &[&str],
        namespace: Option<&str>,
    ) -> Self {
        let folder = folder.to_owned();
        let mut file = File::create(folder.join("login.json")).unwrap();
        file.write_all(config.to_string().as_bytes()).unwrap();
        let process = program(namespace, env!("CARGO_BIN_EXE_corral-target"))
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
            .args(options)
            .stderr(log)
            .spawn()
            .unwrap();
        Self { process, folder }
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Until it ends by itself; whether it was satisfied, and what it said.
    pub(crate) fn end(&mut self) -> (bool, String) {
        let mut said = String::new();
        let mut log = self.process.stderr.take().unwrap();
        std::io::Read::read_to_string(&mut log, &mut said).unwrap();
        (self.process.wait().unwrap().success(), said)
    }

    /// Reads the log, which must have been asked for, up to a line that holds `words`.
    pub(crate) fn wait_for_log(&mut self, words: &str) -> String {
        wait_for(
            &mut BufReader::new(self.process.stderr.take().unwrap()),
            words,
        )
    }

    /// A reader that verifies the whole disk over and over until it is told to finish.
    pub(crate) fn reader(&self, root: RootHash) -> Reader {
        let mut process = self.verify(root, &[]).spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (said, lines) = channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let _ = said.send(line);
            }
        });
        Reader { process, lines }
    }

    /// Verifies the whole disk once; it must have this root.
    pub(crate) fn verify_once(&self, root: RootHash) {
        let done = self.verify(root, &["--passes", "1"]).output().unwrap();
        let output = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success(), "{output}");
        assert!(is_good(output.lines().last().unwrap()), "{output}");
    }

    fn verify(&self, root: RootHash, until: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_corral-target"));
        command
            .current_dir(&self.folder)
            .args(["verify", "--unix", "disk.sock", "--root", &root.to_string()])
            .args(["--read-size", "65536"])
            .args(until)
            .stdout(Stdio::piped());
        command
    }

    /// The socket, as QEMU's tools name it.
    pub(crate) fn url(&self) -> String {
        format!(
            "nbd+unix:///?socket={}",
            self.folder.join("disk.sock").display()
        )
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
pub(crate) struct Reader {
    process: Child,
    lines: Receiver<String>,
}

impl Reader {
    /// Ends it after a pass that has begun since: no error, and the right root in every pass. Prints the longest stall.
    pub(crate) fn finish_satisfied(self, what: &str) {
        let mut output: Vec<String> = self.lines.try_iter().collect();
        let mut passes = 0;
        while passes < 2 {
            let line = self.lines.recv_timeout(HANGS_AFTER).unwrap();
            passes += usize::from(line.starts_with(PASS));
            output.push(line);
        }
        println!("{what}: {}", output.last().unwrap());
        assert!(
            output
                .iter()
                .all(|line| line.starts_with("verify stall_ms=") || is_good(line)),
            "{output:#?}"
        );
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const PASS: &str = "verify pass=";

/// Whether this is what a reader says of a pass in which all was right.
fn is_good(line: &str) -> bool {
    line.starts_with(PASS) && line.contains(" root=ok ") && line.contains(" errors=0 ")
}
