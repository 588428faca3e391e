//! Strangers and the dead: what they can make the server do is bounded, and others do not notice.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use common::{CHUNK, TestServer, eventually, wait_for_end};
use nbd_proto::{Command, Cookie, Request};
use stream_server::Limits;

const SHORT: Duration = Duration::from_millis(150);

#[test]
fn garbage_is_closed_and_counted_and_others_are_served() {
    let server = TestServer::start(Limits::default());
    let mut good = server.client();
    for garbage in [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".as_slice(),
        &[0xff; 5000],
        b"\0\0\0\x03IHAVEOPX\0\0\0\0\0\0\0\0",
    ] {
        let mut stream = server.connect();
        stream.write_all(garbage).unwrap();
        wait_for_end(&mut stream);
    }
    let mut late = server.client();
    late.stream.write_all(&[0xff; 100]).unwrap();
    late.wait_for_end();
    assert!(good.read(0, 4096).is_ok());
    // Each refusal is counted before its connection is closed, the end of a session after.
    eventually("the count", || {
        server.server.counters().protocol_errors == 1
    });
    assert_eq!(server.server.counters().refused_protocol, 3);
}

#[test]
fn a_handshake_that_is_not_finished_is_ended() {
    let server = TestServer::start(Limits {
        handshake_for: SHORT,
        ..Limits::default()
    });
    let mut silent = server.connect();
    let mut slow = server.connect();
    slow.write_all(b"\0\0\0\x03IHAVE").unwrap();
    wait_for_end(&mut silent);
    wait_for_end(&mut slow);
    eventually("the count", || {
        server.server.counters().refused_timeout == 2
    });
}

#[test]
fn a_session_may_be_idle_for_longer_than_a_handshake() {
    let limits = Limits {
        handshake_for: SHORT,
        stalled_for: SHORT,
        ..Limits::default()
    };
    let server = TestServer::start(limits);
    // On a busy machine a login itself may take longer than it is allowed to here.
    let mut idle = std::iter::repeat_with(|| log_in_the_oldest_way(&server))
        .find_map(Result::ok)
        .unwrap();
    let mut silent = server.connect();
    wait_for_end(&mut silent);
    idle.write_all(&Request::read(Cookie(1), 0, 4096).encode())
        .unwrap();
    let mut reply = [0; 16 + 4096];
    idle.read_exact(&mut reply).unwrap();
    assert!(reply[16..] == *server.version.bytes(0, 4096));
}

/// Logs in with a single message, whose answer is `EXPORT_NAME`'s.
fn log_in_the_oldest_way(server: &TestServer) -> std::io::Result<TcpStream> {
    let mut stream = server.connect();
    stream.write_all(b"\0\0\0\x03IHAVEOPT\0\0\0\x01\0\0\0\x08debian/1")?;
    stream.read_exact(&mut [0; 18 + 10])?;
    Ok(stream)
}

#[test]
fn a_client_that_stops_reading_is_ended_and_others_are_served() {
    let server = TestServer::start(Limits {
        stalled_for: SHORT,
        ..Limits::default()
    });
    let mut client = server.client();
    let request = Request::read(Cookie(1), 0, 2_000_000).encode();
    // The server stops taking requests, then gives the client up; nothing of what it sends is ever read.
    let ended = std::iter::repeat(()).find_map(|()| client.stream.write_all(&request).err());
    assert!(ended.is_some());
    eventually("the count", || server.server.counters().stalled == 1);
    assert!(server.server.sessions().is_empty());
    assert!(server.client().read(0, 4096).is_ok());
}

#[test]
fn a_client_that_asks_for_more_than_it_may_wait_for_is_read_later() {
    let limits = Limits {
        waiting_requests: 8,
        ..Limits::default()
    };
    let server = TestServer::start(limits);
    server.version.make_cold(0);
    let mut client = server.client();
    for cookie in 0..100 {
        client.ask(cookie, Command::Read, 0, 512);
    }
    eventually("the first requests", || server.server.counters().reads >= 8);
    assert_eq!(server.server.counters().reads, 8, "no more are taken");
    server.version.release(0);
    for _ in 0..100 {
        assert!(client.reply().result.is_ok());
    }
}

#[test]
fn there_are_no_more_connections_than_allowed() {
    let server = TestServer::start(Limits {
        connections: 2,
        ..Limits::default()
    });
    let first = server.client();
    let mut second = server.client();
    let mut third = server.connect();
    wait_for_end(&mut third);
    assert_eq!(server.server.counters().refused_too_many, 1);
    drop(first);
    eventually("room", || {
        let mut stream = server.connect();
        let mut greeting = [0; 18];
        stream.read_exact(&mut greeting).is_ok()
    });
    assert!(second.read(CHUNK, 100).is_ok());
}

#[test]
fn a_client_that_vanishes_is_forgotten() {
    let server = TestServer::start(Limits::default());
    server.version.make_cold(0);
    let mut client = server.client();
    client.ask(1, Command::Read, 0, 512);
    eventually("the request", || server.server.counters().reads == 1);
    drop(client);
    eventually("the loss", || server.server.counters().lost == 1);
    assert!(server.server.sessions().is_empty());
    server.version.release(0);
}
