//! A real store behind the server, read by what others wrote, and copied by a second server.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod common;

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use chunk_backend::{HttpPeer, HttpPeers, NoPeers, Progress, RawFile, ServedVersion, Store};
use chunk_store::RootHash;
use common::{CHUNK, farm_key, replication_ticket};
use stream_server::{Access, Address, Export, Limits, Listener, Settings, StreamServer};

const FARM: &str = "6f1de1c0-94c1-4a7e-8a3a-0f5d1f0b2a11";

/// An image of 12 MiB and 300 bytes with data, repeated data and holes.
fn make_image(path: &Path) {
    let image = fs::File::create(path).unwrap();
    image.set_len(192 * CHUNK + 300).unwrap();
    for (chunk, seed) in [(0_u64, 3_u64), (1, 5), (7, 3), (90, 11), (191, 13)] {
        let bytes: Vec<u8> = (0..CHUNK)
            .map(|at| u8::try_from((at * seed + at / 251) % 253).unwrap())
            .collect();
        image.write_all_at(&bytes, chunk * CHUNK).unwrap();
    }
    image.write_all_at(b"the end", 192 * CHUNK + 293).unwrap();
}

fn start(socket: &Path) -> StreamServer {
    let listener = Listener {
        address: Address::Unix(socket.to_owned()),
        access: Access::Open,
        requires_tls: false,
    };
    StreamServer::start(Settings {
        listeners: vec![listener],
        chunk_tls: false,
        chunk_http: Some(([127, 0, 0, 1], 0).into()),
        farm_public_key: farm_key().verifying_key().to_bytes(),
        limits: Limits::default(),
        reactors: None,
    })
    .unwrap()
}

fn export(version: Arc<ServedVersion>) -> Vec<Export> {
    vec![Export::version("debian/1", version)]
}

fn import(store: &Store, image: &Path) -> RootHash {
    store
        .import(&mut RawFile::open(image).unwrap(), &Progress::new())
        .unwrap()
        .root
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn other_peoples_clients_read_back_what_was_imported() {
    let folder = tempfile::tempdir().unwrap();
    let (image, socket) = (folder.path().join("image"), folder.path().join("nbd.sock"));
    make_image(&image);
    let store = Store::create(&folder.path().join("store"), FARM.parse().unwrap()).unwrap();
    let root = import(&store, &image);
    let server = start(&socket);
    server.apply(export(store.serve(root, Arc::new(NoPeers)).unwrap()));

    let uri = format!("nbd+unix:///debian%2F1?socket={}", socket.display());
    let copy = folder.path().join("copy");
    for flags in [
        [].as_slice(),
        &["--no-extents", "--connections=4", "--request-size=65536"],
    ] {
        run(
            "nbdcopy",
            &[flags, &[uri.as_str(), copy.to_str().unwrap()]].concat(),
        );
        assert!(fs::read(&copy).unwrap() == fs::read(&image).unwrap());
        fs::remove_file(&copy).unwrap();
    }
    run(
        "qemu-img",
        &[
            "compare",
            "-f",
            "raw",
            "-F",
            "raw",
            image.to_str().unwrap(),
            &uri,
        ],
    );
    run(
        "qemu-io",
        &[
            "-r",
            "-f",
            "raw",
            "-c",
            "read -P 0 131072 65536",
            "-c",
            "read 0 16k",
            &uri,
        ],
    );
    let counters = server.counters();
    assert!(
        counters.made_ready_reads > 0 && counters.ready_reads > 0 && counters.block_statuses > 0
    );
    assert_eq!(
        (
            counters.failed_requests,
            counters.refused_requests,
            counters.protocol_errors
        ),
        (0, 0, 0)
    );
}

#[test]
fn a_second_server_serves_what_it_fetches_from_the_first_while_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image");
    make_image(&image);
    let first_store = Store::create(&folder.path().join("first"), FARM.parse().unwrap()).unwrap();
    let root = import(&first_store, &image);
    let first = start(&folder.path().join("first.sock"));
    first.serve_store(first_store).unwrap();

    let url = format!("http://{}", first.chunk_address().unwrap());
    let peers = HttpPeers::new(vec![HttpPeer {
        url,
        ticket: replication_ticket(&farm_key()),
    }]);
    let second_store = Store::create(&folder.path().join("second"), FARM.parse().unwrap()).unwrap();
    let socket = folder.path().join("second.sock");
    let second = start(&socket);
    second.apply(export(second_store.serve(root, Arc::new(peers)).unwrap()));

    let uri = format!("nbd+unix:///debian%2F1?socket={}", socket.display());
    let copy = folder.path().join("copy");
    run("nbdcopy", &[uri.as_str(), copy.to_str().unwrap()]);
    assert!(fs::read(&copy).unwrap() == fs::read(&image).unwrap());
    common::eventually("the count of what was sent", || {
        first.chunk_counters().sent_entries > 0
    });
    assert_eq!(first.chunk_counters().refused, 0);
}
