//! Who is let in, who is told to move, and who is sent away.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod common;

use std::io::Read as _;
use std::io::Write as _;

use chunk_store::RootHash;
use common::{
    CHUNK, Client, TestServer, TestVersion, connect, eventually, farm_key, ticket, trying_ticket,
    wanted,
};
use ed25519_dalek::SigningKey;
use nbd_proto::client::{HandshakeError, Wanted};
use nbd_proto::{Command, ErrorCode, Refusal};
use stream_server::{Export, Limits, Version as _};

const NEVER: u64 = 1 << 40;

fn refusal(server: &TestServer, export: &str) -> Refusal {
    match Client::open(connect(server.address(1)), wanted(export)) {
        Err(HandshakeError::Refused { refusal, .. }) => refusal,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("{export} was opened"),
    }
}

#[test]
fn a_ticket_of_the_farm_opens_its_export_and_names_the_device() {
    let server = TestServer::start(Limits::default());
    let ticket = ticket(&farm_key(), server.version.root(), NEVER);
    let mut client = Client::open(
        connect(server.address(1)),
        wanted(&format!("debian/1;{ticket}")),
    )
    .unwrap();
    assert!(client.read(0, 4096).unwrap() == server.version.bytes(0, 4096));
    let sessions = server.sessions(1);
    let session = &sessions[0];
    assert_eq!(session.subject, Some([9; 16]));
    assert_eq!(session.export, "debian/1", "the ticket is not shown");
    assert_eq!((session.bytes, session.requests), (4096, 1));
    assert!(session.address.starts_with("127.0.0.1:"));
}

#[test]
fn whatever_is_wrong_with_a_login_it_sounds_the_same() {
    let server = TestServer::start(Limits::default());
    let root = server.version.root();
    let good = ticket(&farm_key(), root, NEVER);
    let forged = ticket(&SigningKey::from_bytes(&[1; 32]), root, NEVER);
    let expired = ticket(&farm_key(), root, 1_000_000);
    let other = ticket(&farm_key(), RootHash::from_bytes([0xff; 32]), NEVER);
    let asked = [
        "debian/1".to_owned(),
        "debian/1;".to_owned(),
        format!("debian/1;{forged}"),
        format!("debian/1;{expired}"),
        format!("debian/1;{other}"),
        format!("debian/2;{good}"),
        String::new(),
    ];
    for export in &asked {
        assert_eq!(refusal(&server, export), Refusal::UnknownExport, "{export}");
    }
    let counters = server.server.counters();
    // Each login asks twice: for contexts, then for the export.
    assert_eq!(counters.refused_no_ticket, 4);
    assert_eq!(counters.refused_bad_ticket, 4);
    assert_eq!(counters.refused_expired_ticket, 2);
    assert_eq!(counters.refused_wrong_ticket, 2);
    assert_eq!(counters.refused_unknown_export, 2);
    assert_eq!(counters.logins, 0);
}

#[test]
fn exports_are_listed_only_where_no_ticket_is_needed() {
    let server = TestServer::start(Limits::default());
    for (listener, reply_type) in [(0, 2), (1, Refusal::Policy.number())] {
        let mut stream = connect(server.address(listener));
        stream
            .write_all(b"\0\0\0\x03IHAVEOPT\0\0\0\x03\0\0\0\0")
            .unwrap();
        let mut answer = [0; 18 + 20];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer[18 + 12..18 + 16], u32::to_be_bytes(reply_type));
    }
}

#[test]
fn the_root_is_compared_in_the_handshake() {
    let server = TestServer::start(Limits::default());
    let client = server.corral_client();
    assert_eq!(client.negotiated.contexts.len(), 1);
    assert!(server.sessions(1)[0].is_corral_client);
    let contexts = vec![format!("corral:root/{}", RootHash::from_bytes([0xff; 32]))];
    let other = Client::open(
        server.connect(),
        Wanted {
            contexts,
            ..wanted("debian/1")
        },
    )
    .unwrap();
    assert!(other.negotiated.contexts.is_empty());
    assert!(!server.sessions(2)[1].is_corral_client);
}

#[test]
fn a_drain_is_seen_by_corral_clients_and_refuses_new_ones_and_serves_on() {
    let server = TestServer::start(Limits::default());
    let mut client = server.corral_client();
    let flags = |client: &mut Client<_>| client.call(Command::BlockStatus, 0, 1).extents[0].2;
    assert_eq!(flags(&mut client), 0);

    server.server.drain();
    assert_eq!(flags(&mut client), 1);
    assert!(client.read(CHUNK, 4096).is_ok());
    let refused = Client::open(server.connect(), wanted("debian/1"))
        .map(|_| ())
        .unwrap_err();
    assert!(matches!(
        refused,
        HandshakeError::Refused {
            refusal: Refusal::Shutdown,
            ..
        }
    ));
    assert!(server.server.counters().refused_draining > 0);
    let root = server.version.root();
    let shows =
        |ticket| Client::open(server.connect(), wanted(&format!("debian/1;{ticket}"))).map(|_| ());
    assert!(shows(ticket(&farm_key(), root, NEVER)).is_err());
    assert!(shows(trying_ticket(&farm_key(), root)).is_ok());

    server.server.undrain();
    assert_eq!(flags(&mut client), 0);
    assert!(server.client().read(0, 1).is_ok());
}

#[test]
fn a_device_that_is_asked_to_move_sees_it_and_another_does_not() {
    let server = TestServer::start(Limits::default());
    let ticket = ticket(&farm_key(), server.version.root(), NEVER);
    let contexts = vec![format!("corral:root/{}", server.version.root())];
    let mut asked = Client::open(
        server.connect(),
        Wanted {
            contexts,
            ..wanted(&format!("debian/1;{ticket}"))
        },
    )
    .unwrap();
    let mut other = server.corral_client();
    let flags = |client: &mut Client<_>| client.call(Command::BlockStatus, 0, 1).extents[0].2;

    server.server.ask_to_move([[9; 16]]);
    assert_eq!((flags(&mut asked), flags(&mut other)), (2, 0));
    assert!(asked.read(CHUNK, 4096).is_ok());
    server.server.drain();
    assert_eq!((flags(&mut asked), flags(&mut other)), (3, 1));
    server.server.undrain();
    server.server.ask_to_move([]);
    assert_eq!((flags(&mut asked), flags(&mut other)), (0, 0));
}

#[test]
fn sessions_of_an_export_that_is_gone_or_changed_are_ended_and_others_are_not() {
    let server = TestServer::start(Limits::default());
    let export =
        |name: &str, version: &std::sync::Arc<TestVersion>| Export::version(name, version.clone());
    let (second, third) = (TestVersion::new(2, 2), TestVersion::new(2, 3));
    server.server.apply(vec![
        export("debian/1", &server.version),
        export("debian/2", &second),
        export("debian/3", &second),
    ]);
    let mut kept = server.client();
    let mut gone = Client::open(server.connect(), wanted("debian/2")).unwrap();
    let mut changed = Client::open(server.connect(), wanted("debian/3")).unwrap();
    server.server.apply(vec![
        export("debian/1", &server.version),
        export("debian/3", &third),
    ]);
    gone.wait_for_end();
    changed.wait_for_end();
    assert!(kept.read(0, 4096).is_ok());
    server.sessions(1);
}

#[test]
fn a_stop_finishes_what_is_being_answered_and_sends_away_what_comes() {
    let server = TestServer::start(Limits::default());
    server.version.make_cold(3);
    let mut busy = server.client();
    let mut idle = server.unix_client();
    busy.ask(1, Command::Read, 3 * CHUNK, 4096);
    eventually("the request", || server.server.counters().reads == 1);
    let version = server.version.clone();
    std::thread::scope(|scope| {
        let stop = scope.spawn(|| server.server.stop());
        idle.wait_for_end();
        busy.ask(2, Command::Read, 0, 4096);
        let late = busy.reply();
        assert_eq!(
            (late.cookie, late.result.unwrap_err().0),
            (2, ErrorCode::Shutdown)
        );
        version.release(3);
        assert_eq!(busy.reply().result.unwrap(), version.bytes(3 * CHUNK, 4096));
        busy.wait_for_end();
        stop.join().unwrap();
    });
    assert!(!server.socket_path.exists());
}

#[test]
fn a_socket_left_by_a_killed_server_is_replaced_but_a_living_one_is_not() {
    use stream_server::{Access, Address, Listener, Settings, StartError, StreamServer};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nbd.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let settings = Settings {
        listeners: vec![Listener {
            address: Address::Unix(path.clone()),
            access: Access::Open,
            requires_tls: false,
        }],
        chunk_http: None,
        chunk_tls: false,
        farm_public_key: farm_key().verifying_key().to_bytes(),
        limits: Limits::default(),
        reactors: Some(1),
    };
    let first = StreamServer::start(settings.clone()).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert!(matches!(
        StreamServer::start(settings),
        Err(StartError::Listen { .. })
    ));
    drop(first);
}
