//! What clients get: bytes, holes, errors, and in which order.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod common;

use common::{CHUNK, Client, TestServer, wait_for_end, wanted};
use nbd_proto::client::Wanted;
use nbd_proto::{Command, CommandFlags, Cookie, ErrorCode, Request, TransmissionFlags};
use std::io::{Read as _, Write as _};
use stream_server::Limits;

#[test]
fn every_byte_is_served_over_tcp_and_unix_in_reads_of_any_length() {
    let server = TestServer::start(Limits::default());
    let mut tcp = server.client();
    let mut unix = server.unix_client();
    let size = tcp.negotiated.size_bytes;
    assert_eq!(size, 40 * CHUNK + 7);
    for (offset, length) in [
        (0, 1),
        (1, 4096),
        (CHUNK - 3, 7),
        (5, 32_768),
        (5, 32_769),
        (0, 40 * 65_536 + 7),
        (size - 1, 1),
    ] {
        let expected = server.version.bytes(offset, length);
        assert!(
            tcp.read(offset, length).unwrap() == expected,
            "{length} bytes at {offset} over TCP"
        );
        assert!(
            unix.read(offset, length).unwrap() == expected,
            "{length} bytes at {offset} over unix"
        );
    }
}

#[test]
fn a_client_without_structured_replies_gets_simple_ones() {
    let server = TestServer::start(Limits::default());
    let simple = Wanted {
        structured_replies: false,
        contexts: Vec::new(),
        ..wanted("debian/1")
    };
    let mut client = Client::open(server.connect(), simple).unwrap();
    for length in [512, 200_000] {
        assert!(client.read(100, length).unwrap() == server.version.bytes(100, length));
    }
    assert_eq!(client.read(u64::MAX, 1).unwrap_err().0, ErrorCode::Invalid);
    server.version.break_chunk(5);
    assert_eq!(
        client.read(5 * CHUNK, 1).unwrap_err().0,
        ErrorCode::InputOutput
    );
    assert!(client.read(0, 512).is_ok());
}

#[test]
fn many_requests_at_once_are_all_answered() {
    let server = TestServer::start(Limits::default());
    let mut client = server.client();
    for cookie in 0..500 {
        client.ask(cookie, Command::Read, cookie * 4096, 4096);
    }
    for _ in 0..500 {
        let reply = client.reply();
        assert!(reply.result.unwrap() == server.version.bytes(reply.cookie * 4096, 4096));
    }
}

#[test]
fn a_cold_read_does_not_hold_up_a_hot_one() {
    let server = TestServer::start(Limits::default());
    server.version.make_cold(3);
    let mut client = server.client();
    client.ask(1, Command::Read, 3 * CHUNK, 4096);
    client.ask(2, Command::Read, 4 * CHUNK, 4096);
    assert_eq!(
        client.reply().cookie,
        2,
        "the hot read is answered while the cold one waits"
    );
    server.version.release(3);
    let late = client.reply();
    assert_eq!(late.cookie, 1);
    assert!(late.result.unwrap() == server.version.bytes(3 * CHUNK, 4096));
    let counters = server.server.counters();
    assert_eq!((counters.ready_reads, counters.made_ready_reads), (1, 1));
}

#[test]
fn cold_reads_of_one_client_do_not_hold_up_another() {
    let limits = Limits {
        cold_requests: 4,
        ..Limits::default()
    };
    let server = TestServer::start(limits);
    server.version.make_cold(3);
    let (mut patient, mut other) = (server.client(), server.client());
    for cookie in 0..200 {
        patient.ask(cookie, Command::Read, 3 * CHUNK, 4096);
    }
    assert!(other.read(0, 4096).is_ok());
    server.version.release(3);
    for _ in 0..200 {
        assert!(patient.reply().result.is_ok());
    }
}

#[test]
fn what_cannot_be_read_is_an_io_error_with_a_reason_and_the_connection_goes_on() {
    let server = TestServer::start(Limits::default());
    server.version.break_chunk(6);
    let mut client = server.client();
    let (code, message) = client.read(6 * CHUNK, 100).unwrap_err();
    assert_eq!(code, ErrorCode::InputOutput);
    assert!(message.contains("damaged"), "{message}");
    assert!(client.read(7 * CHUNK, 100).is_ok());
    assert_eq!(server.server.counters().failed_requests, 1);
}

#[test]
fn writes_are_not_permitted_and_the_connection_goes_on() {
    let server = TestServer::start(Limits::default());
    let mut client = server.client();
    assert!(
        client
            .negotiated
            .flags
            .contains(TransmissionFlags::READ_ONLY | TransmissionFlags::CAN_MULTI_CONN)
    );
    let before = server.version.bytes(0, 4096).to_vec();
    client.ask(1, Command::Write, 0, 100_000);
    client.stream.write_all(&vec![0xee; 100_000]).unwrap();
    assert_eq!(
        client.reply().result.unwrap_err().0,
        ErrorCode::NotPermitted
    );
    for command in [Command::Trim, Command::WriteZeroes] {
        assert_eq!(
            client.call(command, 0, 4096).result.unwrap_err().0,
            ErrorCode::NotPermitted
        );
    }
    assert_eq!(client.read(0, 4096).unwrap(), before);
    let counters = server.server.counters();
    assert_eq!(
        (counters.writes, counters.trims, counters.zeroings),
        (1, 1, 1)
    );
}

#[test]
fn flush_and_cache_succeed_and_nonsense_is_invalid() {
    let server = TestServer::start(Limits::default());
    server.version.make_cold(9);
    server.version.release(9);
    let mut client = server.client();
    assert!(client.call(Command::Flush, 0, 0).result.is_ok());
    assert!(client.call(Command::Cache, 9 * CHUNK, 4096).result.is_ok());
    assert_eq!(
        client
            .call(Command::Unknown(42), 0, 0)
            .result
            .unwrap_err()
            .0,
        ErrorCode::Invalid
    );
    assert_eq!(
        client.read(40 * CHUNK, 8).unwrap_err().0,
        ErrorCode::Invalid
    );
}

#[test]
fn block_status_tells_holes_from_data() {
    let server = TestServer::start(Limits::default());
    let mut client = server.client();
    let name = "base:allocation".to_owned();
    let extents = client.call(Command::BlockStatus, CHUNK, 4 * 65_536).extents;
    let expected = [
        (name.clone(), 131_072, 0),
        (name.clone(), 65_536, 3),
        (name.clone(), 65_536, 0),
    ];
    assert_eq!(extents, expected);
    client.send(Request {
        cookie: Cookie(1),
        command: Command::BlockStatus,
        flags: CommandFlags::REQ_ONE,
        offset: 3 * CHUNK + 5,
        length: 1000,
    });
    assert_eq!(client.reply().extents, [(name, 1000, 3)]);
}

#[test]
fn a_goodbye_is_answered_after_everything_else() {
    let server = TestServer::start(Limits::default());
    server.version.make_cold(3);
    let mut client = server.client();
    client.ask(1, Command::Read, 3 * CHUNK, 512);
    client.send(Request::disconnect());
    server.version.release(3);
    assert!(client.reply().result.is_ok());
    client.wait_for_end();
    common::eventually("the session's end", || server.server.sessions().is_empty());
    assert_eq!(server.server.counters().lost, 0);
}

#[test]
fn the_oldest_way_in_works() {
    let server = TestServer::start(Limits::default());
    let mut stream = server.connect();
    stream.write_all(&3_u32.to_be_bytes()).unwrap();
    stream
        .write_all(b"IHAVEOPT\0\0\0\x01\0\0\0\x08debian/1")
        .unwrap();
    stream
        .write_all(&Request::read(Cookie(5), 10, 20).encode())
        .unwrap();
    let mut answer = [0; 18 + 10 + 16 + 20];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer[18..26], (40 * CHUNK + 7).to_be_bytes());
    assert_eq!(answer[44..], *server.version.bytes(10, 20));
    stream.write_all(&Request::disconnect().encode()).unwrap();
    wait_for_end(&mut stream);
}
