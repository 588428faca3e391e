//! `nbd-load`: random reads from an NBD server, light enough to see the server behind it.
//!
//! One thread and one socket for each connection, a fixed number of requests in flight on it, one `read` for as many
//! replies as have arrived and one `write` for as many requests as that frees. It shares no code with Corral, so that a
//! mistake in Corral's protocol crate cannot hide in the tool that measures it, and it has no dependency.
//!
//! Prints one line of JSON: requests done, seconds, and percentiles of the latency in microseconds.

mod connection;
mod histogram;
mod protocol;

use std::process::ExitCode;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use connection::{Load, LoadError, Outcome, Target};
use histogram::Histogram;

const USAGE: &str = "usage: nbd-load (unix PATH | tcp HOST:PORT) EXPORT CONNECTIONS DEPTH SECONDS \
(batched | single) (stamped | unchecked) (structured | simple)

  batched     requests that become possible together are sent with one write
  single      each request is sent with a write of its own, as the Linux kernel and libnbd do
  stamped     every 4 KiB block of the image must begin with its own offset (64 bits, little-endian)
  structured  ask for structured replies, as QEMU and libnbd do; simple: as the Linux kernel does";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((target, load, connections)) = parse(&arguments) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match run(&target, &load, connections) {
        Ok(outcome) => {
            println!("{}", to_json(&outcome));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("nbd-load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(arguments: &[String]) -> Option<(Target, Load, usize)> {
    let [
        kind,
        address,
        export,
        connections,
        depth,
        seconds,
        writes,
        check,
        replies,
    ] = arguments
    else {
        return None;
    };
    let target = match kind.as_str() {
        "unix" => Target::Unix(address.into()),
        "tcp" => Target::Tcp(address.clone()),
        _ => return None,
    };
    let choose = |word: &str, yes: &str, no: &str| match word {
        _ if word == yes => Some(true),
        _ if word == no => Some(false),
        _ => None,
    };
    let load = Load {
        export: export.clone(),
        depth: depth
            .parse()
            .ok()
            .filter(|depth| (1..=1024).contains(depth))?,
        duration: Duration::try_from_secs_f64(seconds.parse().ok()?).ok()?,
        batched: choose(writes, "batched", "single")?,
        stamped: choose(check, "stamped", "unchecked")?,
        structured: choose(replies, "structured", "simple")?,
    };
    let connections = connections
        .parse()
        .ok()
        .filter(|n| (1..=1024).contains(n))?;
    Some((target, load, connections))
}

/// Opens every connection, then starts all of them at once.
fn run(target: &Target, load: &Load, connections: usize) -> Result<Outcome, LoadError> {
    let opened = (0..connections)
        .map(|index| connection::open(target, load, index as u64))
        .collect::<Result<Vec<_>, _>>()?;
    let start = Arc::new(Barrier::new(connections));
    let threads: Vec<_> = opened
        .into_iter()
        .map(|connection| {
            let (start, load) = (Arc::clone(&start), load.clone());
            thread::spawn(move || {
                start.wait();
                connection.run(&load)
            })
        })
        .collect();
    let mut total = Outcome {
        requests: 0,
        elapsed: Duration::ZERO,
        latency: Histogram::default(),
    };
    for thread in threads {
        let one = thread.join().map_err(|_| LoadError::ThreadLost)??;
        total.requests += one.requests;
        total.elapsed = total.elapsed.max(one.elapsed);
        total.latency.merge(&one.latency);
    }
    Ok(total)
}

fn to_json(outcome: &Outcome) -> String {
    format!(
        "{{\"requests\":{},\"seconds\":{:.6},\"p50_us\":{:.1},\"p99_us\":{:.1},\"max_us\":{:.1}}}",
        outcome.requests,
        outcome.elapsed.as_secs_f64(),
        outcome.latency.quantile_us(0.50),
        outcome.latency.quantile_us(0.99),
        outcome.latency.quantile_us(1.0),
    )
}
