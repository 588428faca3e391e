//! What a running client knows, as JSON over its control socket.

use std::io::{self, Read};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::Path;

use serde::Serialize;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixListener;

use crate::client::Client;
use crate::upstream::Upstream;
use crate::writer::Writer;

#[derive(Serialize)]
struct Status {
    format: u32,
    servers: Vec<ServerStatus>,
    without_server_ms: Option<u128>,
    unanswered: usize,
    reads: u64,
    delivered: u64,
    failed: u64,
    resent: u64,
    hedged: u64,
    hedges_won: u64,
    duplicates: u64,
    connections: u64,
    losses: u64,
    ejections: u64,
    moves: u64,
    longest_wait_ms: u128,
}

#[derive(Serialize)]
struct ServerStatus {
    name: String,
    state: &'static str,
    is_current: bool,
    rtt_us: Option<u128>,
    late_after_ms: Option<u128>,
    in_flight: usize,
    failures: u32,
}

#[derive(Serialize)]
struct WritableStatus {
    format: u32,
    server: String,
    state: &'static str,
    away_ms: Option<u128>,
    unanswered: usize,
    journal_changes: usize,
    journal_bytes: u64,
    reads: u64,
    changes: u64,
    flushes: u64,
    own_flushes: u64,
    finished: u64,
    failed: u64,
    resent: u64,
    replayed: u64,
    connections: u64,
    losses: u64,
    longest_wait_ms: u128,
}

/// The status at this instant, in one line.
pub(crate) fn to_json(upstream: &Upstream) -> String {
    match upstream {
        Upstream::Version(client) => of_version(client),
        Upstream::Disk(writer) => of_disk(writer),
    }
}

fn of_disk(writer: &Writer) -> String {
    let (view, server) = writer.view();
    let counters = view.counters;
    let status = WritableStatus {
        format: 1,
        server,
        state: view.state,
        away_ms: writer.away_for().map(|time| time.as_millis()),
        unanswered: view.unanswered,
        journal_changes: view.journal_changes,
        journal_bytes: view.journal_bytes,
        reads: counters.reads,
        changes: counters.changes,
        flushes: counters.flushes,
        own_flushes: counters.own_flushes,
        finished: counters.finished,
        failed: counters.failed,
        resent: counters.resent,
        replayed: counters.replayed,
        connections: counters.connections,
        losses: counters.losses,
        longest_wait_ms: counters.longest_wait.as_millis(),
    };
    serde_json::to_string(&status).unwrap_or_default()
}

fn of_version(client: &Client) -> String {
    let (view, names) = client.view();
    let counters = view.counters;
    let servers = view
        .servers
        .into_iter()
        .zip(names)
        .map(|(server, name)| ServerStatus {
            name,
            state: server.state,
            is_current: server.is_current,
            rtt_us: server.rtt.map(|rtt| rtt.as_micros()),
            late_after_ms: server.late_after.map(|late| late.as_millis()),
            in_flight: server.in_flight,
            failures: server.failures,
        });
    let status = Status {
        format: 1,
        servers: servers.collect(),
        without_server_ms: client.without_server_for().map(|time| time.as_millis()),
        unanswered: view.unanswered,
        reads: counters.reads,
        delivered: counters.delivered,
        failed: counters.failed,
        resent: counters.resent,
        hedged: counters.hedged,
        hedges_won: counters.hedges_won,
        duplicates: counters.duplicates,
        connections: counters.connections,
        losses: counters.losses,
        ejections: counters.ejections,
        moves: counters.moves,
        longest_wait_ms: counters.longest_wait.as_millis(),
    };
    serde_json::to_string(&status).unwrap_or_default()
}

/// Answers everybody who connects with the status, and hangs up.
pub(crate) async fn answer(listener: UnixListener, upstream: Upstream) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let line = to_json(&upstream);
        tokio::task::spawn_local(async move {
            let _ = stream.write_all(line.as_bytes()).await;
            let _ = stream.write_all(b"\n").await;
        });
    }
}

/// Asks a running client.
pub(crate) fn ask(control: &Path) -> io::Result<String> {
    let mut text = String::new();
    StdUnixStream::connect(control)?.read_to_string(&mut text)?;
    Ok(text)
}
