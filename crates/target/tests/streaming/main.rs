//! The client against real stream servers that are killed, stopped, drained, taken away and wrong.
//!
//! No time is asserted, for this may be a busy machine; the stalls are printed (`--nocapture`).
#![allow(
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::needless_pass_by_value,
    clippy::unwrap_used,
    reason = "a test from end to end"
)]

mod caching;
mod farm;
mod network;
mod processes;
mod renewal;
mod swallowing;
mod writing;

use processes::{Client, Image, Server, be_a_server, image};
use rustix::process::Signal;
use tempfile::TempDir;

/// Two servers with a replica each, a client before them, both warm.
struct Setting {
    images: [Image; 2],
    servers: [Server; 2],
    client: Client,
    _folder: TempDir,
}

fn setting() -> Setting {
    let folder = tempfile::tempdir().unwrap();
    let images = ["a", "b"].map(|name| image(folder.path(), name, 7));
    let servers = [Server::start(&images[0]), Server::start(&images[1])];
    let addresses = [&servers[0], &servers[1]].map(|server| server.port.address);
    let client = Client::start(
        folder.path(),
        images[0].root,
        images[0].size_bytes,
        &addresses,
    );
    client.wait_for_state(0, "warm");
    client.wait_for_state(1, "warm");
    Setting {
        images,
        servers,
        client,
        _folder: folder,
    }
}

impl Setting {
    /// Where reads go now.
    fn current(&self) -> usize {
        let status = self.client.status().unwrap();
        usize::from(status["servers"][1]["is_current"] == true)
    }

    fn restart(&mut self, server: usize) {
        let port = self.servers[server].port.clone();
        self.servers[server] = Server::start_at(&self.images[server], &port);
    }
}

/// Not a test: the process that the others start as a server.
#[test]
#[ignore = "started by the other tests"]
fn serves_when_a_test_starts_it() {
    be_a_server();
}

#[test]
fn a_server_is_killed_under_load_and_comes_back() {
    let mut it = setting();
    let reader = it.client.reader(it.images[0].root);
    it.client.wait_for_reads(100);
    let current = it.current();
    it.servers[current].kill();
    it.client.wait_for_reads(100);
    it.restart(current);
    it.client.wait_for_state(current, "warm");
    reader.finish_satisfied("kill -9");
}

#[test]
fn a_server_hangs_under_load_and_wakes_up() {
    let it = setting();
    let reader = it.client.reader(it.images[0].root);
    it.client.wait_for_reads(100);
    let current = it.current();
    it.servers[current].signal(Signal::STOP);
    it.client.wait_for_reads(100);
    it.client
        .wait(|status| status.is_some_and(|status| status["ejections"].as_u64() >= Some(1)));
    it.servers[current].signal(Signal::CONT);
    it.client.wait_for_state(current, "warm");
    reader.finish_satisfied("SIGSTOP");
}

#[test]
fn a_server_drains_and_takes_clients_again() {
    let mut it = setting();
    let reader = it.client.reader(it.images[0].root);
    it.client.wait_for_reads(100);
    let current = it.current();
    it.servers[current].order("drain");
    it.client.wait_for_state(current, "waiting");
    it.client.wait(|status| {
        status.is_some_and(|status| status["servers"][1 - current]["is_current"] == true)
    });
    it.servers[current].order("undrain");
    it.client.wait_for_state(current, "warm");
    reader.finish_satisfied("drain");
}

#[test]
fn both_servers_go_and_come_back() {
    let mut it = setting();
    let reader = it.client.reader(it.images[0].root);
    it.client.wait_for_reads(100);
    it.servers[0].kill();
    it.servers[1].kill();
    it.client
        .wait(|status| status.is_some_and(|status| !status["without_server_ms"].is_null()));
    it.restart(1);
    it.client.wait_for_reads(100);
    reader.finish_satisfied("both away");
}

#[test]
fn a_server_with_another_root_is_refused_and_never_asked() {
    let folder = tempfile::tempdir().unwrap();
    let right = image(folder.path(), "right", 7);
    let wrong = image(folder.path(), "wrong", 8);
    let servers = [Server::start(&wrong), Server::start(&right)];
    let addresses = [&servers[0], &servers[1]].map(|server| server.port.address);
    let client = Client::start(folder.path(), right.root, right.size_bytes, &addresses);
    client.wait_for_state(0, "refused");
    client.verify_once(right.root);
    client.wait_for_state(0, "refused");
}
