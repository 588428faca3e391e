//! What a running client knows, as JSON over its control socket.

use std::fmt::Write as _;
use std::io::{self, Read};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixListener;

use crate::cache::CacheUse;
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
    #[serde(skip_serializing_if = "Option::is_none")]
    write_cache: Option<CacheUse>,
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
        Upstream::Version(client) => of_version(client, None),
        Upstream::Cached(disk) => of_version(&disk.client, Some(disk.use_now())),
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

fn of_version(client: &Client, write_cache: Option<CacheUse>) -> String {
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
        write_cache,
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

/// What only rises, so that Prometheus may take rates of it.
const COUNTERS: [&str; 16] = [
    "changes",
    "connections",
    "delivered",
    "duplicates",
    "ejections",
    "failed",
    "finished",
    "flushes",
    "hedged",
    "hedges_won",
    "losses",
    "moves",
    "own_flushes",
    "reads",
    "replayed",
    "resent",
];

/// A status as Prometheus reads it, such as from a file that its node exporter collects.
pub(crate) fn to_prometheus(json: &str) -> serde_json::Result<String> {
    let status: Map<String, Value> = serde_json::from_str(json)?;
    let mut text = String::new();
    for (name, value) in &status {
        match value {
            _ if name == "format" => {}
            Value::Array(servers) => {
                for server in servers.iter().filter_map(Value::as_object) {
                    let who = server
                        .get("name")
                        .and_then(Value::as_str)
                        .unwrap_or_default();
                    of_server(&mut text, who, server);
                }
            }
            Value::Object(parts) => {
                for (part, value) in parts {
                    sample(&mut text, &format!("{name}_{part}"), "", value);
                }
            }
            // Nothing that lasts now: no time has passed.
            Value::Null => sample(&mut text, name, "", &Value::from(0)),
            _ => sample(&mut text, name, "", value),
        }
    }
    Ok(text)
}

fn of_server(text: &mut String, name: &str, facts: &Map<String, Value>) {
    for (fact, value) in facts {
        let labels = format!("{{server=\"{name}\"}}");
        match value {
            Value::String(state) if fact == "state" => {
                let labels = format!("{{server=\"{name}\",state=\"{state}\"}}");
                sample(text, "server_state", &labels, &Value::from(1));
            }
            _ => sample(text, &format!("server_{fact}"), &labels, value),
        }
    }
}

/// One line, times in seconds; nothing for what is no number.
fn sample(text: &mut String, name: &str, labels: &str, value: &Value) {
    let number = match value {
        Value::Bool(is_so) => f64::from(u8::from(*is_so)),
        _ => match value.as_f64() {
            Some(number) => number,
            None => return,
        },
    };
    let (name, number) = if let Some(name) = name.strip_suffix("_ms") {
        (format!("{name}_seconds"), number / 1e3)
    } else if let Some(name) = name.strip_suffix("_us") {
        (format!("{name}_seconds"), number / 1e6)
    } else if COUNTERS.contains(&name) {
        (format!("{name}_total"), number)
    } else {
        (name.to_owned(), number)
    };
    let _ = writeln!(text, "corral_target_{name}{labels} {number}");
}

const PATIENCE: Duration = Duration::from_secs(10);

/// Asks a running client.
pub(crate) fn ask(control: &Path) -> io::Result<String> {
    let mut text = String::new();
    let mut stream = StdUnixStream::connect(control)?;
    // One that has not logged in yet answers nobody.
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::to_prometheus;

    #[test]
    fn numbers_have_names_and_units_that_prometheus_is_used_to() {
        let status = r#"{"format":1,"reads":7,"unanswered":2,"without_server_ms":null,
            "longest_wait_ms":250,"write_cache":{"kind":"device-ram","used_bytes":9},
            "servers":[{"name":"s1","state":"warm","is_current":true,"rtt_us":1500,"late_after_ms":null}]}"#;
        let text = to_prometheus(status).expect("a status");
        let mut lines: Vec<_> = text.lines().collect();
        lines.sort_unstable();
        assert_eq!(
            lines,
            [
                "corral_target_longest_wait_seconds 0.25",
                "corral_target_reads_total 7",
                "corral_target_server_is_current{server=\"s1\"} 1",
                "corral_target_server_rtt_seconds{server=\"s1\"} 0.0015",
                "corral_target_server_state{server=\"s1\",state=\"warm\"} 1",
                "corral_target_unanswered 2",
                "corral_target_without_server_seconds 0",
                "corral_target_write_cache_used_bytes 9",
            ]
        );
    }

    #[test]
    fn what_is_no_status_is_refused() {
        assert!(to_prometheus("").is_err());
    }
}
