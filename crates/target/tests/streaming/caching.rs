//! Devices that keep themselves what they write: `corral-target serve` with a cache disk, QEMU's tools, and a farm that is told.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::farm::{self, Farm, Reply};
use crate::processes::{Client, HANGS_AFTER, Image, Port, Server, image};

const LONG: u64 = 4_000_000_000;
const MIB: u64 = 1 << 20;
/// Where the images of tests have bytes that are not zero, and a quarter that is.
const DATA: u64 = 5 * 4096 + 512;

struct Scene {
    folder: TempDir,
    image: Image,
    server: Server,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let image = image(folder.path(), "a", 11);
        let server = Server::start_for_tickets(&image, &Port::reserve());
        File::create(folder.path().join("cache"))
            .unwrap()
            .set_len(16 * MIB)
            .unwrap();
        Self {
            folder,
            image,
            server,
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn answer(&self, kind: &str, limit: u64, fallback: &str) -> Value {
        let root = self.image.root;
        let ticket = farm::ticket(root, LONG);
        let mut answer = farm::answer(root, &ticket, LONG, self.server.port.address);
        answer["size_bytes"] = self.image.size_bytes.into();
        answer["write_cache"] = kind.into();
        answer["cache_limit_bytes"] = limit.into();
        answer["cache_fallback"] = fallback.into();
        answer
    }

    /// A farm that says the same each time.
    fn farm(&self, kind: &str, limit: u64) -> Farm {
        let answer = self.answer(kind, limit, "refuse");
        Farm::start(move |_| ("200 OK", answer.clone()))
    }

    fn client(&self, farm: &Farm, options: &[&str]) -> Client {
        let client = Client::spawn_with(
            self.path(),
            &farm.configuration(self.path()),
            Stdio::inherit(),
            options,
        );
        client.wait(|status| status.is_some());
        client
    }

    /// The bytes of the version.
    fn below(&self) -> Vec<u8> {
        std::fs::read(self.path().join("a.raw")).unwrap()
    }
}

fn qemu_io(client: &Client, commands: &[String]) -> Output {
    let mut command = Command::new("timeout");
    command
        .arg(HANGS_AFTER.as_secs().to_string())
        .args(["qemu-io", "-f", "raw"]);
    for one in commands {
        command.args(["-c", one]);
    }
    command.arg(client.url()).output().unwrap()
}

fn assert_good(output: &Output) {
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && !text.contains("failed"),
        "{text}"
    );
}

/// All that a client gives, by another program.
fn copied(client: &Client, folder: &Path) -> Vec<u8> {
    let copy = folder.join("copy");
    let done = Command::new("timeout")
        .arg(HANGS_AFTER.as_secs().to_string())
        .args(["qemu-img", "convert", "-f", "raw", "-O", "raw"])
        .arg(client.url())
        .arg(&copy)
        .output()
        .unwrap();
    assert_good(&done);
    std::fs::read(copy).unwrap()
}

/// Writes that overlap, of whole blocks and of parts, zeros and discards; and the same in a vector.
fn change(client: &Client, model: &mut [u8]) {
    let mut commands = Vec::new();
    let mut state = 7_u64;
    for step in 0..150 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(step);
        let sectors = model.len() as u64 / 512;
        let offset = (state >> 20) % sectors * 512;
        let length = ((state >> 8) % 60 + 1) * 512;
        let length = length.min(model.len() as u64 - offset);
        let place = &mut model[offset as usize..(offset + length) as usize];
        if step % 5 == 0 {
            commands.push(format!("write -z {offset} {length}"));
            place.fill(0);
        } else {
            let pattern = step as u8 + 1;
            commands.push(format!("write -P {pattern} {offset} {length}"));
            place.fill(pattern);
        }
        if step % 40 == 0 {
            commands.push("flush".to_owned());
        }
    }
    assert_good(&qemu_io(client, &commands));
}

#[test]
fn what_a_device_writes_is_kept_on_its_disk_and_read_again_like_a_plain_file() {
    let scene = Scene::new();
    for (kind, options) in [
        ("device-disk", &["--cache-disk", "cache"][..]),
        (
            "device-ram-overflow",
            &["--cache-disk", "cache", "--cache-memory", "1048576"],
        ),
        ("device-ram", &["--cache-memory", "16777216"]),
    ] {
        let farm = scene.farm(kind, 16 * MIB);
        let client = scene.client(&farm, options);
        let first = farm.next_login().unwrap();
        assert_eq!(first["cache_disk"], kind != "device-ram", "{kind}");
        let mut model = scene.below();
        change(&client, &mut model);
        assert!(copied(&client, scene.path()) == model, "{kind}");
        let status = client.status().unwrap();
        assert_eq!(status["write_cache"]["kind"], kind);
        assert!(
            status["write_cache"]["used_bytes"].as_u64() >= Some(MIB),
            "{status}"
        );
        // And the farm hears of it, without being asked.
        let told = farm.next_login().unwrap();
        assert_eq!(told["write_cache"]["kind"], kind);
        assert_eq!(told["running"], scene.image.root.to_string());
    }
}

#[test]
fn a_cache_in_memory_takes_no_more_of_it_than_was_said() {
    let scene = Scene::new();
    let farm = scene.farm("device-ram", 16 * MIB);
    let client = scene.client(&farm, &["--cache-memory", "1048576"]);
    let status = client.status().unwrap();
    assert_eq!(status["write_cache"]["limit_bytes"], MIB, "{status}");
}

#[test]
fn a_cache_begins_clean_after_a_kill_unless_it_is_persistent() {
    let scene = Scene::new();
    for (kind, is_kept) in [("device-disk", false), ("device-disk-persistent", true)] {
        let farm = scene.farm(kind, 16 * MIB);
        let mut client = scene.client(&farm, &["--cache-disk", "cache"]);
        let mut model = scene.below();
        change(&client, &mut model);
        assert_good(&qemu_io(&client, &["flush".to_owned()]));
        client.kill();
        let client = scene.client(&farm, &["--cache-disk", "cache"]);
        let expected = if is_kept { model } else { scene.below() };
        assert!(copied(&client, scene.path()) == expected, "{kind}");
    }
}

#[test]
fn a_full_cache_fails_the_write_that_finds_no_room_and_the_farm_is_warned_before() {
    let scene = Scene::new();
    let farm = scene.farm("device-disk", MIB);
    let client = scene.client(&farm, &["--cache-disk", "cache"]);
    assert!(farm.next_login().unwrap()["write_cache"].is_null());
    assert_eq!(farm.next_login().unwrap()["write_cache"]["used_bytes"], 0);
    assert_good(&qemu_io(&client, &["write -P 1 0 900k".to_owned()]));
    let warned = farm.next_login().unwrap();
    assert_eq!(warned["write_cache"]["used_bytes"], 900 * 1024);
    assert_eq!(warned["write_cache"]["limit_bytes"], MIB);
    let commands = [
        "write -P 2 2M 200k",
        "write -P 3 4k 8k",
        "write -P 4 2M 64k",
        "read -P 3 4k 8k",
        "read -P 4 2M 64k",
        "discard 0 512k",
        "write -P 5 3M 200k",
        "read -P 5 3M 200k",
    ];
    let output = qemu_io(&client, &commands.map(str::to_owned));
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(text.matches("No space left on device").count(), 1, "{text}");
    assert_eq!(text.matches("wrote ").count(), 3, "{text}");
    assert!(!text.contains("verification failed"), "{text}");
}

/// A farm that plays an image whose setting is `device-disk`: what it answers depends on what it is told.
fn farm_with_fallback(scene: &Scene, fallback: &'static str) -> Farm {
    let without = scene.answer(fallback, MIB, fallback);
    Farm::start(move |_| -> Reply {
        if fallback == "refuse" {
            let code = "cache-disk-missing";
            return (
                "409 Conflict",
                json!({"code": code, "detail": "it found no disk"}),
            );
        }
        ("200 OK", without.clone())
    })
}

#[test]
fn a_device_without_its_disk_says_so_and_does_what_it_is_told() {
    let scene = Scene::new();
    let foreign = scene.path().join("foreign");
    File::create(&foreign)
        .unwrap()
        .write_all(&vec![0x5a; 2 * MIB as usize])
        .unwrap();
    for disk in ["nowhere", "foreign"] {
        let farm = farm_with_fallback(&scene, "device-ram");
        let client = scene.client(&farm, &["--cache-disk", disk]);
        assert_eq!(
            farm.next_login().unwrap(),
            json!({"format": 1, "cache_disk": false})
        );
        assert_good(&qemu_io(
            &client,
            &[
                format!("write -P 9 {DATA} 64k"),
                format!("read -P 9 {DATA} 64k"),
            ],
        ));
        let told = farm.next_login().unwrap();
        assert_eq!(told["write_cache"]["kind"], "device-ram");
        let problem = told["write_cache"]["problem"].as_str().unwrap();
        assert!(problem.contains(disk), "{problem}");
    }
    assert!(
        std::fs::read(&foreign)
            .unwrap()
            .iter()
            .all(|byte| *byte == 0x5a)
    );
    let farm = farm_with_fallback(&scene, "refuse");
    let mut client = Client::spawn_with(
        scene.path(),
        &farm.configuration(scene.path()),
        Stdio::piped(),
        &["--cache-disk", "nowhere"],
    );
    for _ in 0..2 {
        assert_eq!(farm.next_login().unwrap()["cache_disk"], false);
    }
    client.wait_for_log("cache-disk-missing");
}

#[test]
fn an_answer_from_a_file_whose_disk_is_missing_is_refused_at_once() {
    let scene = Scene::new();
    let answer = scene.answer("device-disk", MIB, "server");
    let options = ["--cache-disk", "nowhere"];
    let mut client = Client::spawn_with(scene.path(), &answer, Stdio::piped(), &options);
    let (is_satisfied, said) = client.end();
    assert!(
        !is_satisfied && said.contains("nowhere") && said.contains("device-disk"),
        "{said}"
    );
    // With the fallback that needs nobody, it is carried out.
    let answer = scene.answer("device-disk", MIB, "device-ram");
    let client = Client::spawn_with(scene.path(), &answer, Stdio::inherit(), &options);
    client
        .wait(|status| status.is_some_and(|status| status["write_cache"]["kind"] == "device-ram"));
}
