//! A device that keeps running gets new tickets for what it runs, and uses them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::SystemTime;

use chunk_store::RootHash;
use nbd_proto::Refusal;
use nbd_proto::server::{Event, Handshake};

use crate::farm::{Farm, answer, ticket};
use crate::processes::{ANY_PORT, Client, EXPORT, HANGS_AFTER, Port, Server, image};

const FAR: u64 = 4_000_000_000;

#[allow(
    clippy::disallowed_methods,
    reason = "tickets end at a time of the real clock"
)]
fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

fn running(root: RootHash) -> serde_json::Value {
    serde_json::json!({"format": 1, "running": root.to_string()})
}

/// A server that admits nobody, and says which names it was asked for.
fn refusing_server() -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind(ANY_PORT).unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, names) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let asked = asked.clone();
            thread::spawn(move || refuse(stream.unwrap(), &asked));
        }
    });
    (address, names)
}

fn refuse(mut stream: TcpStream, asked: &Sender<String>) {
    let mut output = Vec::new();
    let mut handshake = Handshake::new(&mut output);
    let mut received = Vec::new();
    loop {
        let mut input: &[u8] = &received;
        let event = handshake.next_event(&mut input, &mut output).unwrap();
        received.drain(..received.len() - input.len());
        let why = "an unknown name or ticket";
        let is_idle = event.is_none();
        match event {
            Some(Event::Open(question)) => {
                let _ = asked.send(question.export().to_owned());
                let _ = handshake.refuse(question, Refusal::UnknownExport, why, &mut output);
            }
            Some(Event::Contexts(question)) => {
                let _ = asked.send(question.export().to_owned());
                let _ = handshake.refuse(question, Refusal::UnknownExport, why, &mut output);
            }
            Some(Event::List(question)) => handshake.list(question, [], &mut output),
            Some(Event::Abort | Event::StartTls) => return,
            None => {}
        }
        if stream.write_all(&output).is_err() {
            return;
        }
        output.clear();
        let mut chunk = [0; 4096];
        match is_idle.then(|| stream.read(&mut chunk)) {
            None => {}
            Some(Ok(count)) if count > 0 => received.extend_from_slice(&chunk[..count]),
            Some(_) => return,
        }
    }
}

#[test]
fn a_client_whose_ticket_is_refused_renews_it_for_what_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let root = RootHash::from_bytes([0xab; 32]);
    let (server, names) = refusing_server();
    let farm = Farm::start(move |login| {
        let ticket = if login == 0 { "FIRST" } else { "SECOND" };
        ("200 OK", answer(root, ticket, FAR, server))
    });
    let _client = Client::spawn(
        folder.path(),
        &farm.configuration(folder.path()),
        Stdio::inherit(),
    );
    assert_eq!(farm.next_login(), None);
    assert_eq!(
        names.recv_timeout(HANGS_AFTER).unwrap(),
        format!("{EXPORT};FIRST")
    );
    assert_eq!(farm.next_login(), Some(running(root)));
    loop {
        if names.recv_timeout(HANGS_AFTER).unwrap() == format!("{EXPORT};SECOND") {
            break;
        }
    }
}

#[test]
fn a_client_keeps_its_ticket_when_the_farm_has_none_for_what_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let root = RootHash::from_bytes([0xab; 32]);
    let (server, names) = refusing_server();
    let farm = Farm::start(move |login| {
        if login == 0 {
            let soon = unix_seconds() + 3;
            return ("200 OK", answer(root, "FIRST", soon, server));
        }
        let problem = serde_json::json!({"code": "running-version-unknown", "detail": "no"});
        ("404 Not Found", problem)
    });
    let configuration = farm.configuration(folder.path());
    let mut client = Client::spawn(folder.path(), &configuration, Stdio::piped());
    assert_eq!(farm.next_login(), None);
    assert_eq!(farm.next_login(), Some(running(root)));
    let line = client.wait_for_log("the farm does not know golden/1");
    assert!(line.ends_with("the old ticket is kept"), "{line}");
    assert!(
        names
            .try_iter()
            .all(|name| name == format!("{EXPORT};FIRST"))
    );
}

#[test]
fn a_client_without_a_server_asks_the_farm_until_there_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let image = image(folder.path(), "golden", 7);
    let (root, dead, live) = (image.root, Port::reserve(), Port::reserve());
    let _server = Server::start_for_tickets(&image, &live);
    let (nobody, somebody) = (dead.address, live.address);
    let farm = Farm::start(move |login| {
        let server = if login < 2 { nobody } else { somebody };
        ("200 OK", answer(root, &ticket(root, FAR), FAR, server))
    });
    let configuration = farm.configuration(folder.path());
    let client = Client::spawn(folder.path(), &configuration, Stdio::inherit());
    assert_eq!(farm.next_login(), None);
    for _ in 0..2 {
        assert_eq!(farm.next_login(), Some(running(root)));
    }
    client.verify_once(root);
}

#[test]
fn the_farm_is_told_how_full_the_devices_own_write_cache_is() {
    let folder = tempfile::tempdir().unwrap();
    let image = image(folder.path(), "a", 3);
    let (root, port) = (image.root, Port::reserve());
    let _server = Server::start_for_tickets(&image, &port);
    let ends = unix_seconds() + 24 * 3600;
    let good = answer(root, &ticket(root, ends), ends, port.address);
    let farm = Farm::start(move |_| ("200 OK", good.clone()));
    let mut configuration = farm.configuration(folder.path());
    configuration["login"]["write_cache"] = serde_json::json!(folder.path());
    let _client = Client::spawn(folder.path(), &configuration, Stdio::inherit());
    assert_eq!(farm.next_login(), None, "a device that starts says nothing");
    let told = farm.next_login().unwrap();
    assert_eq!(told["running"], root.to_string());
    let bytes = |field: &str| told["write_cache"][field].as_u64().unwrap();
    assert!(bytes("limit_bytes") > 0 && bytes("used_bytes") <= bytes("limit_bytes"));
}

#[test]
fn a_read_goes_on_when_the_first_ticket_has_ended_and_the_server_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let image = image(folder.path(), "golden", 7);
    let (root, port) = (image.root, Port::reserve());
    let address = port.address;
    let mut server = Server::start_for_tickets(&image, &port);
    let first_ends = Arc::new(AtomicU64::new(0));
    let ends = Arc::clone(&first_ends);
    let farm = Farm::start(move |login| {
        let expires_at = if login == 0 { unix_seconds() + 4 } else { FAR };
        if login == 0 {
            ends.store(expires_at, Ordering::SeqCst);
        }
        let ticket = ticket(root, expires_at);
        ("200 OK", answer(root, &ticket, expires_at, address))
    });
    let configuration = farm.configuration(folder.path());
    let client = Client::spawn(folder.path(), &configuration, Stdio::inherit());
    assert_eq!(farm.next_login(), None);
    client.wait_for_state(0, "warm");
    assert_eq!(farm.next_login(), Some(running(root)));

    server.kill();
    let reader = client.reader(root);
    client.wait(|status| status.is_some_and(|status| status["unanswered"].as_u64() > Some(0)));
    let first_ends = first_ends.load(Ordering::SeqCst);
    client.wait(|_| unix_seconds() > first_ends);
    let _server = Server::start_for_tickets(&image, &port);
    reader.finish_satisfied("a ticket that ended");

    // The first ticket would not have done.
    let stale = tempfile::tempdir().unwrap();
    let with_first = answer(root, &ticket(root, first_ends), first_ends, address);
    let mut stale = Client::spawn(stale.path(), &with_first, Stdio::piped());
    stale.wait_for_log("server a is not used: it does not admit this device");
}
