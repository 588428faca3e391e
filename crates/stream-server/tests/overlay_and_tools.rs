//! A store's overlay behind the server, written by what others wrote: it holds what a plain file that was written alike holds.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use chunk_backend::{NoPeers, Overlay, OverlayId, Progress, RawFile, ServedVersion, Store};
use common::{CHUNK, farm_key};
use stream_server::{Access, Address, Export, Limits, Listener, Settings, StreamServer};

const FARM: &str = "6f1de1c0-94c1-4a7e-8a3a-0f5d1f0b2a11";
const ID: OverlayId = OverlayId::from_bytes([8; 16]);
const SIZE: u64 = 40 * CHUNK;

/// A server with an overlay over a version of noise, and a plain copy of it.
struct Setting {
    server: StreamServer,
    store: Store,
    base: Arc<ServedVersion>,
    uri: String,
    plain: PathBuf,
    _folder: tempfile::TempDir,
}

impl Setting {
    fn new(limit_bytes: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let plain = folder.path().join("plain");
        let noise: Vec<u8> = (0..SIZE)
            .map(|at| u8::try_from((at * 7 + at / 253) % 251).unwrap())
            .collect();
        write_file(&plain, &noise);
        let store = Store::create(&folder.path().join("store"), FARM.parse().unwrap()).unwrap();
        let mut source = RawFile::open(&plain).unwrap();
        let root = store.import(&mut source, &Progress::new()).unwrap().root;
        let base = store.serve(root, Arc::new(NoPeers)).unwrap();
        let overlay = Overlay::create(&store, ID, &base, limit_bytes).unwrap();
        let socket = folder.path().join("nbd.sock");
        let server = StreamServer::start(Settings {
            listeners: vec![Listener {
                address: Address::Unix(socket.clone()),
                access: Access::Open,
                requires_tls: false,
            }],
            chunk_http: None,
            chunk_tls: false,
            farm_public_key: farm_key().verifying_key().to_bytes(),
            limits: Limits::default(),
            reactors: None,
        })
        .unwrap();
        server.apply(vec![Export::disk(
            "debian/1@pc1",
            Arc::new(overlay),
            [1; 16],
        )]);
        let uri = format!("nbd+unix:///debian%2F1%40pc1?socket={}", socket.display());
        Self {
            server,
            store,
            base,
            uri,
            plain,
            _folder: folder,
        }
    }

    fn qemu_io(target: &str, commands: &[&str]) -> Output {
        let mut command = Command::new("qemu-io");
        command.args(["-f", "raw", "--discard=unmap"]);
        for text in commands {
            command.args(["-c", text]);
        }
        command.arg(target).output().unwrap()
    }

    /// The overlay, once the server has let go of it.
    fn overlay(&self) -> Overlay {
        self.server.apply(Vec::new());
        let opened = std::cell::RefCell::new(None);
        common::eventually("the server lets go of the overlay", || {
            opened.replace(Overlay::open(&self.store, ID, &self.base).ok());
            opened.borrow().is_some()
        });
        opened.into_inner().unwrap()
    }
}

fn write_file(path: &Path, bytes: &[u8]) {
    use std::io::Write as _;
    fs::File::create(path).unwrap().write_all(bytes).unwrap();
}

fn succeeded(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && !said.contains("failed"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    said
}

#[test]
fn what_qemu_writes_is_what_a_plain_file_would_hold() {
    let setting = Setting::new(u64::MAX);
    let commands = [
        "write -P 17 0 64k",
        "write -P 18 70001 5",
        "write -P 19 65024 512",
        "write -f -P 20 131072 4k",
        "write -z 200704 100k",
        "write -z 400001 9000",
        "write -P 21 2621000 440",
        "aio_write -P 22 524288 128k",
        "aio_write -P 23 655360 1M",
        "aio_flush",
        "flush",
        "read -P 19 65024 512",
        "read -P 0 200704 100k",
        "read -P 23 655360 1M",
    ];
    succeeded(&Setting::qemu_io(&setting.uri, &commands));
    succeeded(&Setting::qemu_io(
        setting.plain.to_str().unwrap(),
        &commands,
    ));
    let compared = Command::new("qemu-img")
        .args(["compare", "-f", "raw", "-F", "raw"])
        .args([setting.plain.to_str().unwrap(), &setting.uri])
        .output()
        .unwrap();
    succeeded(&compared);
    let overlay = setting.overlay();
    let sealed = setting.store.seal(&overlay, &Progress::new()).unwrap();
    let mut plain = RawFile::open(&setting.plain).unwrap();
    let imported = setting.store.import(&mut plain, &Progress::new()).unwrap();
    assert_eq!((sealed.root, imported.new_chunks), (imported.root, 0));
    assert_eq!(setting.server.counters().failed_requests, 0);
}

#[test]
fn what_is_discarded_reads_as_zeros_and_shows_as_a_hole() {
    let setting = Setting::new(u64::MAX);
    let commands = [
        "write -P 5 0 128k",
        "discard 64k 64k",
        "read -P 0 64k 64k",
        "read -P 5 0 64k",
    ];
    succeeded(&Setting::qemu_io(&setting.uri, &commands));
    let map = Command::new("nbdinfo")
        .args(["--map", &setting.uri])
        .output();
    let map = succeeded(&map.unwrap());
    let holes: Vec<&str> = map.lines().filter(|line| line.contains("zero")).collect();
    assert_eq!(holes.len(), 1, "{map}");
    let fields: Vec<&str> = holes[0].split_whitespace().collect();
    assert_eq!(&fields[..2], ["65536", "65536"], "{map}");
    let overlay = setting.overlay();
    assert_eq!(overlay.usage().allocated_bytes, CHUNK);
}

#[test]
fn a_full_overlay_refuses_that_write_with_the_reason_and_goes_on() {
    let setting = Setting::new(CHUNK);
    let output = Setting::qemu_io(
        &setting.uri,
        &[
            "write -P 1 0 64k",
            "write -P 2 64k 4k",
            "write -P 3 0 64k",
            "flush",
            "read -P 3 0 64k",
        ],
    );
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.matches("No space left on device").count(), 1, "{said}");
    assert_eq!(said.matches("failed").count(), 1, "{said}");
    let overlay = setting.overlay();
    let mut found = vec![0; 65_536];
    overlay.read_at(0, &mut found).unwrap();
    assert!(found == vec![3; 65_536]);
}
