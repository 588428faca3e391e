//! Disks that QEMU reads: imported over NBD, with their holes seen as holes.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may panic, and says why it was skipped"
)]

mod support;

use std::io;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use chunk_backend::{DiskSource, ImportError, NbdDisk, Progress};
use chunk_store::{CHUNK_BYTES, CHUNK_SIZE};
use support::{Bench, content, root_of};

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

fn has_qemu() -> bool {
    let found = Command::new("qemu-nbd")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("skipped: qemu-nbd is not installed");
    }
    found
}

/// qemu-nbd with a pid file: it is written once the socket listens.
fn serve(bench: &Bench, format: &str, image: &Path) -> (Server, std::path::PathBuf) {
    let socket = bench.path("nbd.sock");
    let child = Command::new("qemu-nbd")
        .args([
            "--read-only",
            "--shared=0",
            "--persistent",
            "--format",
            format,
            "--socket",
        ])
        .arg(&socket)
        .arg(image)
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    while std::os::unix::net::UnixStream::connect(&socket).is_err() {
        thread::yield_now();
    }
    (Server(child), socket)
}

fn run(program: &str, arguments: &[&str], paths: &[&Path]) {
    let output = Command::new(program)
        .args(arguments)
        .args(paths)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_qcow2_image_gives_the_version_that_its_raw_form_gives() {
    if !has_qemu() {
        return;
    }
    let bench = Bench::new();
    let raw = bench.image(
        "raw",
        300 * CHUNK_BYTES + 512,
        &[(0, 1), (17, 2), (18, 3), (299, 4), (300, 5)],
    );
    let qcow2 = bench.path("qcow2");
    run(
        "qemu-img",
        &["convert", "-f", "raw", "-O", "qcow2"],
        &[&raw, &qcow2],
    );
    let (_server, socket) = serve(&bench, "qcow2", &qcow2);
    let mut disk = NbdDisk::connect(&socket, "").unwrap();
    assert_eq!(disk.size(), 300 * CHUNK_BYTES + 512);
    assert_eq!(
        disk.next_data(CHUNK_BYTES).unwrap().unwrap().0,
        17 * CHUNK_BYTES
    );
    assert_eq!(
        disk.next_data(19 * CHUNK_BYTES).unwrap().unwrap().0,
        299 * CHUNK_BYTES
    );
    let mut bytes = vec![0; CHUNK_SIZE];
    disk.read_at(17 * CHUNK_BYTES, &mut bytes).unwrap();
    assert!(bytes == content(2));
    let imported = bench
        .store("store")
        .import(&mut disk, &Progress::new())
        .unwrap();
    assert_eq!(imported.root, root_of(&raw));
    assert_eq!((imported.new_chunks, imported.zero_chunks), (5, 296));
}

#[test]
fn an_export_that_does_not_exist_is_refused() {
    if !has_qemu() {
        return;
    }
    let bench = Bench::new();
    let raw = bench.image("raw", CHUNK_BYTES, &[(0, 1)]);
    let (_server, socket) = serve(&bench, "raw", &raw);
    let error = NbdDisk::connect(&socket, "nothing").unwrap_err();
    assert!(error.to_string().contains("refused"), "{error}");
}

/// Kills its server in the midst.
struct Dying(NbdDisk, Option<Server>);
impl DiskSource for Dying {
    fn size(&self) -> u64 {
        self.0.size()
    }
    fn next_data(&mut self, from: u64) -> io::Result<Option<(u64, u64)>> {
        self.0.next_data(from)
    }
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        if offset > 0 {
            self.1 = None;
        }
        self.0.read_at(offset, buffer)
    }
}

#[test]
fn a_server_that_dies_ends_the_import_with_the_place() {
    if !has_qemu() {
        return;
    }
    let bench = Bench::new();
    let raw = bench.image(
        "raw",
        64 * CHUNK_BYTES,
        &(0..64).map(|index| (index, index)).collect::<Vec<_>>(),
    );
    let (server, socket) = serve(&bench, "raw", &raw);
    let disk = NbdDisk::connect(&socket, "").unwrap();
    let store = bench.store("store");
    let error = store
        .import(&mut Dying(disk, Some(server)), &Progress::new())
        .unwrap_err();
    assert!(
        matches!(error, ImportError::Source { offset, .. } if offset > 0),
        "{error}"
    );
    assert!(store.versions().unwrap().is_empty());
}

#[test]
fn what_is_no_nbd_server_is_refused() {
    let bench = Bench::new();
    let socket = bench.path("socket");
    let listener = UnixListener::bind(&socket).unwrap();
    let talker = thread::spawn(move || {
        use io::Write;
        let (mut stream, _) = listener.accept().unwrap();
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .unwrap();
    });
    let error = NbdDisk::connect(&socket, "").unwrap_err();
    assert!(
        error.to_string().contains("not as an NBD server's"),
        "{error}"
    );
    talker.join().unwrap();
}
