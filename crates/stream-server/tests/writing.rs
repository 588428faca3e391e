//! Disks that a client changes: what it may do, in which order it is done, and who may be that client.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod common;

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::plain_disk::PlainDisk;
use common::{Client, TestServer, connect, eventually, farm_key, ticket, wanted, write_ticket};
use nbd_proto::client::Wanted;
use nbd_proto::{Command, CommandFlags, Cookie, ErrorCode, Request, TransmissionFlags};
use stream_server::{Disk as _, DiskError, Export, Limits, Zeroing};

const SIZE: u64 = 4 << 20;
const NAME: &str = "debian/1@pc9";
const SUBJECT: u8 = 9;

struct Scene {
    server: TestServer,
    disk: Arc<PlainDisk>,
}

impl Scene {
    fn with(limits: Limits) -> Self {
        let server = TestServer::start(limits);
        let disk = PlainDisk::new(SIZE, 5);
        server.server.apply(vec![
            Export::version("debian/1", server.version.clone()),
            Export::disk(NAME, disk.clone(), [SUBJECT; 16]),
        ]);
        Self { server, disk }
    }

    fn new() -> Self {
        Self::with(Limits::default())
    }

    fn client(&self) -> Client<TcpStream> {
        Client::open(self.server.connect(), wanted(NAME)).unwrap()
    }

    /// With a ticket, over the network.
    fn device(&self, ticket: &str) -> Option<Client<TcpStream>> {
        let name = format!("{NAME};{ticket}");
        Client::open(connect(self.server.address(1)), wanted(&name)).ok()
    }
}

fn request(
    cookie: u64,
    command: Command,
    flags: CommandFlags,
    offset: u64,
    length: u32,
) -> Request {
    Request {
        cookie: Cookie(cookie),
        command,
        flags,
        offset,
        length,
    }
}

fn pattern(length: usize, seed: u8) -> Vec<u8> {
    (0..length)
        .map(|at| u8::try_from((at / 3 + at) % 251).unwrap() ^ seed)
        .collect()
}

#[test]
fn the_plain_disk_of_these_tests_keeps_to_the_promises_of_disks() {
    let disk = PlainDisk::new(1 << 20, 1);
    disk.write(5, b"corral", false).unwrap();
    disk.write_zeroes(7, 2, Zeroing::default()).unwrap();
    let mut place = [0; 8];
    disk.read(4, &mut place).unwrap();
    assert_eq!(&place, b"\0co\0\0al\0");
    disk.limit_bytes.store(4096, Ordering::SeqCst);
    let full = disk.write(4090, &[1; 10], false);
    assert!(matches!(full, Err(DiskError::NoSpace(_))), "{full:?}");
}

#[test]
fn what_is_written_is_read_whatever_its_length_and_over_every_form_of_reply() {
    let scene = Scene::new();
    for structured_replies in [true, false] {
        let contexts = Vec::new();
        let wanted = Wanted {
            structured_replies,
            contexts,
            ..wanted(NAME)
        };
        let mut client = Client::open(scene.server.connect(), wanted).unwrap();
        for (offset, length) in [(0, 1), (511, 4098), (65_530, 40_000), (70_000, 3_000_001)] {
            let bytes = pattern(length, u8::from(structured_replies) + 1);
            client.write(offset, &bytes).unwrap();
            let length = u32::try_from(length).unwrap();
            assert!(
                client.read(offset, length).unwrap() == bytes,
                "{length} at {offset}"
            );
        }
    }
    let whole = scene.disk.content();
    assert!(
        scene
            .client()
            .read(0, u32::try_from(SIZE).unwrap())
            .unwrap()
            == whole
    );
    let counters = scene.server.server.counters();
    assert_eq!(counters.writes, 8);
    assert_eq!(counters.written_bytes, 2 * (1 + 4098 + 40_000 + 3_000_001));
}

#[test]
fn a_disk_offers_what_it_keeps_and_no_second_connection() {
    let scene = Scene::new();
    let flags = scene.client().negotiated.flags;
    let offered = TransmissionFlags::SEND_FLUSH
        | TransmissionFlags::SEND_FUA
        | TransmissionFlags::SEND_TRIM
        | TransmissionFlags::SEND_WRITE_ZEROES
        | TransmissionFlags::SEND_FAST_ZERO;
    assert!(flags.contains(offered), "{flags:?}");
    let denied = TransmissionFlags::READ_ONLY | TransmissionFlags::CAN_MULTI_CONN;
    assert!(!flags.intersects(denied), "{flags:?}");
}

#[test]
fn trims_and_zeroes_are_carried_out_and_slow_zeroes_refused_where_only_fast_ones_are_wanted() {
    let scene = Scene::new();
    let mut client = scene.client();
    client.write(0, &vec![7; 300_000]).unwrap();
    assert!(client.call(Command::Trim, 4096, 4096).result.is_ok());
    assert!(
        client
            .call(Command::WriteZeroes, 100_000, 100_000)
            .result
            .is_ok()
    );
    let fast = CommandFlags::FAST_ZERO;
    client.send(request(1, Command::WriteZeroes, fast, 250_000, 1000));
    assert!(client.reply().result.is_ok());
    let slow = fast | CommandFlags::NO_HOLE;
    client.send(request(2, Command::WriteZeroes, slow, 260_000, 1000));
    assert_eq!(
        client.reply().result.unwrap_err().0,
        ErrorCode::NotSupported
    );
    let content = scene.disk.content();
    assert!(content[4096..8192].iter().all(|byte| *byte == 0));
    assert!(content[100_000..200_000].iter().all(|byte| *byte == 0));
    assert!(content[250_000..251_000].iter().all(|byte| *byte == 0));
    assert!(content[260_000..261_000].iter().all(|byte| *byte == 7));
    let extents = client.call(Command::BlockStatus, 0, 12_288).extents;
    let flags: Vec<u32> = extents.iter().map(|(.., flags)| *flags).collect();
    assert_eq!(flags, [0, 3, 0]);
}

#[test]
fn a_flush_and_a_write_with_fua_reach_the_medium_before_their_replies() {
    let scene = Scene::new();
    let mut client = scene.client();
    client.write(0, b"x").unwrap();
    assert_eq!(scene.disk.flushes.load(Ordering::SeqCst), 0);
    assert!(client.call(Command::Flush, 0, 0).result.is_ok());
    assert_eq!(scene.disk.flushes.load(Ordering::SeqCst), 1);
    client.send_write(1, 0, b"y", true);
    assert!(client.reply().result.is_ok());
    assert_eq!(scene.disk.flushes.load(Ordering::SeqCst), 2);
}

#[test]
fn no_space_fails_that_write_only_and_another_disk_not_at_all() {
    let scene = Scene::new();
    let other = PlainDisk::new(SIZE, 6);
    scene.server.server.apply(vec![
        Export::disk(NAME, scene.disk.clone(), [SUBJECT; 16]),
        Export::disk("debian/1@pc8", other.clone(), [8; 16]),
    ]);
    scene.disk.limit_bytes.store(100_000, Ordering::SeqCst);
    let mut client = scene.client();
    let mut neighbour = Client::open(scene.server.connect(), wanted("debian/1@pc8")).unwrap();
    client.write(0, &[1; 4096]).unwrap();
    client.send_write(1, 99_000, &[2; 4096], false);
    let (code, message) = client.reply().result.unwrap_err();
    assert_eq!(code, ErrorCode::NoSpace);
    assert!(message.contains("no space"), "{message}");
    client.write(50_000, &[3; 4096]).unwrap();
    neighbour.write(99_000, &[4; 4096]).unwrap();
    assert_eq!(client.read(0, 4096).unwrap(), [1; 4096]);
    assert!(client.call(Command::Flush, 0, 0).result.is_ok());
    assert_eq!(client.write(SIZE - 1, b"xy"), Err(ErrorCode::NoSpace));
    assert_eq!(scene.server.server.counters().no_space, 1);
}

#[test]
fn a_broken_disk_answers_errors_and_the_connection_goes_on() {
    let scene = Scene::new();
    let mut client = scene.client();
    scene.disk.is_broken.store(true, Ordering::SeqCst);
    assert_eq!(client.write(0, b"x"), Err(ErrorCode::InputOutput));
    assert_eq!(client.read(0, 1).unwrap_err().0, ErrorCode::InputOutput);
    scene.disk.is_broken.store(false, Ordering::SeqCst);
    assert_eq!(client.write(0, b"x"), Ok(()));
}

#[test]
fn slow_writes_hold_up_neither_reads_of_the_same_client_nor_other_clients() {
    let scene = Scene::new();
    let mut client = scene.client();
    scene.disk.shut_gate();
    client.send_write(1, 0, &[1; 4096], false);
    client.ask(2, Command::Read, 8192, 4096);
    assert_eq!(client.reply().cookie, 2);
    assert!(scene.server.client().read(0, 4096).is_ok());
    scene.disk.open_gate();
    assert_eq!(client.reply().cookie, 1);
}

#[test]
fn no_more_bytes_are_taken_than_may_wait() {
    let waiting_bytes = 256 * 1024;
    let scene = Scene::with(Limits {
        waiting_bytes,
        ..Limits::default()
    });
    let client = scene.client();
    scene.disk.shut_gate();
    let mut stream = client.stream.try_clone().unwrap();
    stream
        .set_write_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let payload = vec![9; 65_536];
    let is_held_back = (0..1000_u64).any(|cookie| {
        let header = request(cookie, Command::Write, CommandFlags::empty(), 0, 65_536).encode();
        let result = stream
            .write_all(&header)
            .and_then(|()| stream.write_all(&payload));
        result.is_err()
    });
    assert!(
        is_held_back,
        "64 MB were taken while nothing could be written"
    );
    assert!(scene.server.server.counters().writes <= waiting_bytes / 65_536 + 1);
    scene.disk.open_gate();
    client.stream.shutdown(std::net::Shutdown::Both).unwrap();
}

#[test]
fn who_leaves_a_write_half_sent_is_closed_in_the_end() {
    let scene = Scene::with(Limits {
        stalled_for: Duration::from_millis(100),
        ..Limits::default()
    });
    let mut client = scene.client();
    let header = request(1, Command::Write, CommandFlags::empty(), 0, 65_536).encode();
    client.stream.write_all(&header).unwrap();
    client.stream.write_all(&[1; 1000]).unwrap();
    client.wait_for_end();
    eventually("the count", || scene.server.server.counters().stalled == 1);
    assert!(scene.disk.content().iter().all(|byte| *byte == 0));
}

#[test]
fn only_the_device_opens_its_disk_and_only_with_a_ticket_for_writing() {
    let scene = Scene::new();
    let (key, root) = (farm_key(), scene.disk.root());
    let mut device = scene.device(&write_ticket(&key, root, SUBJECT)).unwrap();
    device.write(0, b"mine").unwrap();
    let view = scene.server.server.sessions().pop().unwrap();
    assert_eq!(
        (view.export.as_str(), view.subject),
        (NAME, Some([SUBJECT; 16]))
    );
    assert_eq!(view.written_bytes, 4);
    for (why, bad) in [
        ("another device", write_ticket(&key, root, 8)),
        ("for reading", ticket(&key, root, u64::MAX)),
        (
            "another root",
            write_ticket(&key, scene.server.version.content_root(), SUBJECT),
        ),
    ] {
        assert!(scene.device(&bad).is_none(), "{why}");
    }
    // Nor does a ticket for writing open the version.
    let name = format!(
        "debian/1;{}",
        write_ticket(&key, scene.server.version.content_root(), SUBJECT)
    );
    assert!(Client::open(connect(scene.server.address(1)), wanted(&name)).is_err());
    // None of them disturbed the one who writes.
    device.write(4, b" still").unwrap();
    assert_eq!(scene.server.server.counters().taken_over, 0);
}

#[test]
fn a_device_that_comes_again_takes_over_when_what_it_began_before_is_done() {
    let scene = Scene::new();
    let mut before = scene.client();
    scene.disk.shut_gate();
    before.send_write(1, 0, b"before", false);
    eventually("the write", || scene.disk.waiting() == 1);
    std::thread::scope(|scope| {
        let after = scope.spawn(|| {
            let mut after = scene.client();
            let seen = after.read(0, 6).unwrap();
            after.write(0, b"after!").unwrap();
            seen
        });
        before.wait_for_end();
        assert!(
            !after.is_finished(),
            "a write of the one before is still going on"
        );
        scene.disk.open_gate();
        assert_eq!(after.join().unwrap(), b"before");
    });
    assert!(scene.disk.content().starts_with(b"after!"));
    assert_eq!(scene.server.server.counters().taken_over, 1);
}

#[test]
fn of_many_who_come_at_once_one_is_in_and_each_gives_way_to_a_newer_one() {
    let scene = Scene::new();
    let mut first = scene.client();
    scene.disk.shut_gate();
    first.send_write(1, 0, b"x", false);
    eventually("the write", || scene.disk.waiting() == 1);
    std::thread::scope(|scope| {
        let others: Vec<_> = (0..5)
            .map(|_| scope.spawn(|| wait_in_line(scene.server.connect())))
            .collect();
        first.wait_for_end();
        scene.disk.open_gate();
        // Whoever of them is in gives way to who comes now, and so do those that are in line; one of them that comes later than
        // this one sends it away in turn.
        eventually("all others to be sent away", || {
            let _ = Client::open_unless_sent_away(scene.server.connect(), wanted(NAME));
            others
                .iter()
                .all(std::thread::ScopedJoinHandle::is_finished)
        });
    });
    let mut last = scene.client();
    last.write(0, b"last").unwrap();
    eventually("the others' end", || {
        scene.server.server.sessions().len() == 1
    });
    assert!(scene.disk.content().starts_with(b"last"));
}

/// Asks for the disk and stays until the server closes, let in or not.
fn wait_in_line(mut stream: TcpStream) {
    stream.write_all(&3_u32.to_be_bytes()).unwrap();
    let length = |length: usize| u32::try_from(length).unwrap().to_be_bytes();
    let mut go = b"IHAVEOPT\0\0\0\x07".to_vec();
    go.extend_from_slice(&length(NAME.len() + 6));
    go.extend_from_slice(&length(NAME.len()));
    go.extend_from_slice(NAME.as_bytes());
    go.extend_from_slice(&[0, 0]);
    stream.write_all(&go).unwrap();
    common::wait_for_end(&mut stream);
}

#[test]
fn while_the_server_drains_a_device_may_come_back_to_its_disk() {
    let scene = Scene::new();
    scene.server.server.drain();
    assert!(Client::open(scene.server.connect(), wanted("debian/1")).is_err());
    assert!(scene.client().write(0, b"x").is_ok());
}

#[test]
fn a_disk_that_is_taken_away_ends_its_session_and_is_let_go() {
    let scene = Scene::new();
    let mut client = scene.client();
    client.write(0, b"x").unwrap();
    let version = Export::version("debian/1", scene.server.version.clone());
    scene.server.server.apply(vec![version]);
    client.wait_for_end();
    eventually("the disk to be let go", || {
        Arc::strong_count(&scene.disk) == 1
    });
}
