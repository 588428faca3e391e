//! How many clients are let in at once.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod common;

use std::io::{ErrorKind, Read as _};
use std::net::TcpStream;
use std::time::Duration;

use common::{Client, HANGS_AFTER, TestServer, eventually, wanted};
use stream_server::Limits;

fn one_at_a_time(handshake_turn: Duration) -> TestServer {
    TestServer::start(Limits {
        handshakes: 1,
        handshake_turn,
        handshake_for: HANGS_AFTER,
        ..Limits::default()
    })
}

/// A client whom the server has greeted, and who says nothing.
fn greeted(server: &TestServer) -> TcpStream {
    let stream = server.connect();
    let mut greeting = [0; 18];
    stream.peek(&mut greeting).unwrap();
    stream
}

fn has_heard_nothing(stream: &mut TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let heard = stream.read(&mut [0; 1]);
    stream.set_nonblocking(false).unwrap();
    heard.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

#[test]
fn a_client_waits_for_its_turn_and_those_that_are_in_are_served() {
    let server = one_at_a_time(HANGS_AFTER);
    let mut inside = server.client();
    let first = greeted(&server);
    let mut second = server.connect();
    eventually("the wait", || {
        server.server.counters().waited_handshakes == 1
    });
    assert!(inside.read(0, 4096).is_ok());
    assert!(has_heard_nothing(&mut second));
    drop(first);
    let mut second = Client::open(second, wanted("debian/1")).unwrap();
    assert!(second.read(0, 4096).is_ok());
    assert_eq!(server.server.counters().most_handshakes, 1);
}

#[test]
fn who_goes_while_it_waits_keeps_nobody_out() {
    let server = one_at_a_time(HANGS_AFTER);
    let first = greeted(&server);
    drop(server.connect());
    let third = server.connect();
    eventually("the wait", || {
        server.server.counters().waited_handshakes == 2
    });
    drop(first);
    assert!(Client::open(third, wanted("debian/1")).is_ok());
}

#[test]
fn who_says_nothing_keeps_nobody_out_and_may_still_come_in() {
    let server = one_at_a_time(Duration::from_millis(50));
    let silent = greeted(&server);
    let mut quick = server.client();
    assert!(quick.read(0, 4096).is_ok());
    let mut late = Client::open(silent, wanted("debian/1")).unwrap();
    assert!(late.read(0, 4096).is_ok());
}
