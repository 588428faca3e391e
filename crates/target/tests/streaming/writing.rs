//! A disk that is written, through `corral-target`, by QEMU's tools, on a server that is killed.

use std::process::{Child, Command, Output, Stdio};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::network::Network;
use crate::processes::{Client, HANGS_AFTER, Image, Port, Server, image, writing};

pub(crate) const OVERLAY: &str = "5c1a9a0e-8d1f-4a59-9f0f-3c2b1a000001";
const ENOUGH: u64 = 1 << 30;
const BLOCK: u64 = 4096;

pub(crate) struct Scene {
    image: Image,
    server: Server,
    pub(crate) client: Client,
    folder: TempDir,
}

impl Scene {
    fn new(limit: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let image = image(folder.path(), "a", 11);
        let server = Server::start_writable(&image, &Port::reserve(), OVERLAY, limit);
        let client = Client::start_writing(folder.path(), &image, server.port.address);
        Self {
            image,
            server,
            client,
            folder,
        }
    }

    /// With a network between the two.
    pub(crate) fn across(network: &Network) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let image = image(folder.path(), "a", 11);
        let server = Server::start_writable(&image, &network.port(), OVERLAY, ENOUGH);
        let answer = writing(&image, server.port.address);
        let client = Client::start_at(folder.path(), &answer, Some(network.device()));
        Self {
            image,
            server,
            client,
            folder,
        }
    }

    /// Kills the server and starts it again where it was.
    pub(crate) fn restart(&mut self, overlay: &str) {
        self.server.kill();
        let port = self.server.port.clone();
        self.server = Server::start_writable(&self.image, &port, overlay, ENOUGH);
    }

    fn qemu_io(&self, commands: &[String]) -> Command {
        let mut command = Command::new("timeout");
        command
            .arg(HANGS_AFTER.as_secs().to_string())
            .args(["qemu-io", "-f", "raw"]);
        for one in commands {
            command.args(["-c", one]);
        }
        command.arg(self.client.url());
        command
    }

    pub(crate) fn run(&self, commands: &[String]) -> Output {
        self.qemu_io(commands).output().unwrap()
    }

    pub(crate) fn start(&self, commands: &[String]) -> Child {
        let mut command = self.qemu_io(commands);
        command.stdout(Stdio::piped()).spawn().unwrap()
    }
}

/// Writes of a block each, to other places and with other patterns in each round; a flush now and then.
pub(crate) fn writes(round: u64) -> Vec<String> {
    let mut commands = Vec::new();
    for at in 0..120 {
        let pattern = (round * 31 + at) % 250 + 1;
        commands.push(format!("write -P {pattern} {} {BLOCK}", at * 17 * BLOCK));
        if at % 40 == 39 {
            commands.push("flush".to_owned());
        }
    }
    commands
}

/// The same blocks, read with the patterns that they must have.
pub(crate) fn reads(round: u64) -> Vec<String> {
    let changes = writes(round).into_iter();
    let changes = changes.filter(|command| command.starts_with("write"));
    changes
        .map(|command| command.replacen("write", "read", 1))
        .collect()
}

pub(crate) fn assert_good(output: &Output) {
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(!text.contains("failed"), "{text}");
}

#[test]
fn what_qemu_writes_it_reads_again_and_the_journal_is_flushed() {
    let scene = Scene::new(ENOUGH);
    assert_good(&scene.run(&writes(1)));
    assert_good(&scene.run(&reads(1)));
    let clears = [
        "write -z 0 64k",
        "discard 1M 64k",
        "read -P 0 0 64k",
        "flush",
    ];
    assert_good(&scene.run(&clears.map(str::to_owned)));
    scene.client.wait(|status| {
        status.is_some_and(|status| status["journal_changes"] == 0 && status["state"] == "ready")
    });
}

#[test]
fn a_server_killed_in_the_middle_of_writes_loses_none_and_nobody_sees_an_error() {
    let mut scene = Scene::new(ENOUGH);
    for round in 1..=3 {
        let writer = scene.start(&writes(round));
        let changes = scene.client.status().unwrap()["changes"].as_u64().unwrap();
        scene.client.wait(|status| {
            status.is_some_and(|status| status["changes"].as_u64().unwrap() > changes)
        });
        scene.restart(OVERLAY);
        assert_good(&writer.wait_with_output().unwrap());
        assert_good(&scene.run(&reads(round)));
    }
    let status = scene.client.status().unwrap();
    assert_eq!(status["failed"], 0);
    assert!(status["losses"].as_u64().unwrap() >= 3, "{status}");
}

#[test]
fn a_server_that_hangs_makes_writes_wait() {
    let scene = Scene::new(ENOUGH);
    assert_good(&scene.run(&writes(1)));
    scene.server.signal(Signal::STOP);
    let writer = scene.start(&writes(2));
    scene
        .client
        .wait(|status| status.is_some_and(|status| status["state"] != "ready"));
    scene.server.signal(Signal::CONT);
    assert_good(&writer.wait_with_output().unwrap());
    assert_good(&scene.run(&reads(2)));
}

#[test]
fn a_full_disk_fails_the_write_that_finds_no_room_and_no_other() {
    let scene = Scene::new(64 * 1024);
    let commands = [
        "write -P 1 0 64k",
        "write -P 2 1M 64k",
        "write -P 3 4k 8k",
        "read -P 3 4k 8k",
    ];
    let output = scene.run(&commands.map(str::to_owned));
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(text.matches("No space left on device").count(), 1, "{text}");
    assert_eq!(text.matches("wrote ").count(), 2, "{text}");
    assert!(!text.contains("verification failed"), "{text}");
}

#[test]
fn another_disk_under_the_same_name_is_not_written_to() {
    let mut scene = Scene::new(ENOUGH);
    assert_good(&scene.run(&writes(1)));
    scene.restart("5c1a9a0e-8d1f-4a59-9f0f-3c2b1a000002");
    // Asked again and again, and never taken for the one that was written to.
    scene.client.wait(|status| {
        status.is_some_and(|status| status["state"] == "waiting" && status["away_ms"].is_u64())
    });
    scene.restart(OVERLAY);
    assert_good(&scene.run(&reads(1)));
}

/// Reads a block's bytes, which must be all the same.
fn byte_of(disk: &[u8], block: u64) -> u8 {
    let at = usize::try_from(block * BLOCK).unwrap();
    let bytes = &disk[at..at + usize::try_from(BLOCK).unwrap()];
    assert!(
        bytes.iter().all(|byte| *byte == bytes[0]),
        "block {block} is torn"
    );
    bytes[0]
}

/// The client and the server are killed together, as if the device had lost its power: what a flush had covered is there, and what
/// came after it is as it was before or after, block by block.
#[test]
fn a_client_killed_with_writes_that_nothing_flushed_is_a_disk_that_lost_its_power() {
    let mut scene = Scene::new(ENOUGH);
    assert_good(&scene.run(&writes(1)));
    assert_good(&scene.run(&["flush".to_owned()]));
    let unflushed = writes(2).into_iter().filter(|command| command != "flush");
    let mut writer = scene.start(&unflushed.collect::<Vec<_>>());
    let changes = scene.client.status().unwrap()["changes"].as_u64().unwrap();
    scene.client.wait(|status| {
        status.is_some_and(|status| status["changes"].as_u64().unwrap() > changes + 20)
    });
    scene.client.kill();
    scene.restart(OVERLAY);
    let _ = writer.wait();
    scene.client =
        Client::start_writing(scene.folder.path(), &scene.image, scene.server.port.address);
    let copy = scene.folder.path().join("copy");
    let read = Command::new("timeout")
        .arg(HANGS_AFTER.as_secs().to_string())
        .args([
            "qemu-img",
            "convert",
            "-f",
            "raw",
            "-O",
            "raw",
            &scene.client.url(),
        ])
        .arg(&copy)
        .status()
        .unwrap();
    assert!(read.success());
    let disk = std::fs::read(copy).unwrap();
    for at in 0..120 {
        let [flushed, later] =
            [1, 2].map(|round| u8::try_from((round * 31 + at) % 250 + 1).unwrap());
        let found = byte_of(&disk, at * 17);
        assert!(
            found == flushed || found == later,
            "block {}: {found}",
            at * 17
        );
    }
}
