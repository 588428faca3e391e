//! A process that writes to an overlay, or seals it, is killed with -9: every change that was answered is there, and of the one
//! that was not each block is as before or as after.
//!
//! The test starts itself again as the process that dies: `writer` and `sealer` below are those processes.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use chunk_backend::{NoPeers, Overlay, OverlayId, Progress, ServedVersion, Store, Zeroing};
use chunk_store::{CHUNK_BYTES, RootHash};
use support::{Bench, FARM, alone, files, import, read_all, root_of};

const ID: OverlayId = OverlayId::from_bytes([4; 16]);
const BLOCK: u64 = 4_096;
/// Two leaves of the map and a bit, and a short last block.
const SIZE: u64 = 70 * (1 << 20) + 1_234;

/// Numbers that are the same in both processes.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

#[derive(Debug, Clone)]
enum Change {
    Write(Range<u64>, u8),
    Zero(Range<u64>),
    Trim(Range<u64>),
    Flush,
}

fn changes(seed: u64) -> impl Iterator<Item = Change> {
    let mut numbers = Numbers(seed | 1);
    std::iter::repeat_with(move || {
        // Mostly in a few places, so that blocks are changed again and again.
        let start = match numbers.below(4) {
            0 => numbers.below(SIZE),
            place => (place * 23 * (1 << 20) + numbers.below(40 * BLOCK)).min(SIZE - 1),
        };
        let start = if numbers.below(2) == 0 {
            start
        } else {
            start / BLOCK * BLOCK
        };
        let longest = if numbers.below(8) == 0 {
            400_000
        } else {
            20_000
        };
        let length = 1 + numbers.below(longest);
        let range = start..(start + length).min(SIZE);
        match numbers.below(10) {
            0 => Change::Flush,
            1 => Change::Trim(range),
            2 => Change::Zero(range),
            _ => Change::Write(range, u8::try_from(1 + numbers.below(255)).unwrap()),
        }
    })
}

fn bytes_of(range: &Range<u64>, seed: u8) -> Vec<u8> {
    range
        .clone()
        .map(|at| {
            (at / 512).to_le_bytes()[0]
                .wrapping_mul(7)
                .wrapping_add(seed)
        })
        .collect()
}

fn make(overlay: &Overlay, change: &Change) {
    let length = |range: &Range<u64>| range.end - range.start;
    match change {
        Change::Write(range, seed) => overlay.write_at(range.start, &bytes_of(range, *seed)),
        Change::Zero(range) => overlay.write_zeroes(range.start, length(range), Zeroing::MayPunch),
        Change::Trim(range) => overlay.trim(range.start, length(range)),
        Change::Flush => overlay.flush(),
    }
    .unwrap();
}

/// What a change makes of a plain disk.
fn make_plain(disk: &mut [u8], change: &Change) {
    let place = |at: u64| usize::try_from(at).unwrap();
    match change {
        Change::Write(range, seed) => {
            disk[place(range.start)..place(range.end)].copy_from_slice(&bytes_of(range, *seed));
        }
        Change::Zero(range) => disk[place(range.start)..place(range.end)].fill(0),
        Change::Trim(range) => {
            let end = if range.end == SIZE {
                SIZE
            } else {
                range.end / BLOCK * BLOCK
            };
            let start = range.start.div_ceil(BLOCK) * BLOCK;
            if start < end {
                disk[place(start)..place(end)].fill(0);
            }
        }
        Change::Flush => {}
    }
}

fn base(store: &Store) -> Arc<ServedVersion> {
    let root: RootHash = std::env::var("CORRAL_TEST_ROOT").unwrap().parse().unwrap();
    store.serve(root, Arc::new(NoPeers)).unwrap()
}

fn ordered() -> Option<Store> {
    let store = std::env::var("CORRAL_TEST_STORE").ok()?;
    Some(Store::open(Path::new(&store), FARM).unwrap())
}

/// Not a test: the process that makes changes and says after each that it was answered.
#[test]
#[ignore = "started by the other tests"]
fn writer() {
    let Some(store) = ordered() else { return };
    let overlay = Overlay::open(&store, ID, &base(&store)).unwrap();
    let seed = std::env::var("CORRAL_TEST_SEED").unwrap().parse().unwrap();
    // Not the standard output, where the test harness says something, too.
    let mut answers = std::io::stderr();
    for change in changes(seed) {
        make(&overlay, &change);
        answers.write_all(b"answered\n").unwrap();
    }
}

/// Not a test: the process that seals.
#[test]
#[ignore = "started by the other tests"]
fn sealer() {
    let Some(store) = ordered() else { return };
    let overlay = Overlay::open(&store, ID, &base(&store)).unwrap();
    let seen = std::env::var("CORRAL_TEST_SEEN").unwrap();
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        let (store, is_done, seen) = (&store, &is_done, &seen);
        scope.spawn(move || {
            let before = matches(store.path(), seen);
            while !is_done.load(Ordering::Relaxed) {
                if matches(store.path(), seen) != before {
                    rustix::process::kill_process(
                        rustix::process::getpid(),
                        rustix::process::Signal::KILL,
                    )
                    .unwrap();
                }
            }
        });
        store.seal(&overlay, &Progress::new()).unwrap();
        is_done.store(true, Ordering::Relaxed);
    });
}

/// The paths below `folder` with `text` in them.
fn matches(folder: &Path, text: &str) -> Vec<std::path::PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found: Vec<_> = entries
        .filter_map(Result::ok)
        .flat_map(|entry| {
            let path = entry.path();
            let mut below = matches(&path, text);
            if path.to_string_lossy().contains(text) {
                below.push(path);
            }
            below
        })
        .collect();
    found.sort();
    found
}

fn child(name: &str, store: &Store, root: RootHash) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([name, "--exact", "--ignored", "--quiet", "--nocapture"]);
    command
        .env("CORRAL_TEST_STORE", store.path())
        .env("CORRAL_TEST_ROOT", root.to_string())
        .stdout(Stdio::null());
    command
}

/// Start a writer, kill it after `answers` changes, and give how many were answered when it died.
fn write_and_kill(store: &Store, root: RootHash, seed: u64, answers: usize) -> usize {
    let mut writer = child("writer", store, root)
        .env("CORRAL_TEST_SEED", seed.to_string())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(writer.stderr.take().unwrap()).lines();
    let mut count = lines.by_ref().take(answers).count();
    writer.kill().unwrap();
    count += lines.count();
    assert_eq!(writer.wait().unwrap().signal(), Some(9));
    assert!(count >= answers);
    count
}

#[test]
fn a_killed_writer_loses_nothing_that_was_answered() {
    let _alone = alone();
    let bench = Bench::new();
    let store = bench.store("store");
    let chunks: Vec<(u64, u64)> = (0..SIZE / CHUNK_BYTES)
        .step_by(3)
        .map(|index| (index, index))
        .collect();
    let image = bench.image("image", SIZE, &chunks);
    let root = import(&store, &image).root;
    let base = store.serve(root, Arc::new(NoPeers)).unwrap();
    drop(Overlay::create(&store, ID, &base, u64::MAX).unwrap());
    let mut disk = fs::read(&image).unwrap();
    for (round, answers) in [0, 1, 5, 40, 90, 17, 200].into_iter().enumerate() {
        let seed = 1_000 + round as u64;
        let answered = write_and_kill(&store, root, seed, answers);
        let mut changes = changes(seed);
        for change in changes.by_ref().take(answered) {
            make_plain(&mut disk, &change);
        }
        let mut after = disk.clone();
        make_plain(&mut after, &changes.next().unwrap());
        let overlay = Overlay::open(&store, ID, &base).unwrap();
        let mut found = vec![0; disk.len()];
        overlay.read_at(0, &mut found).unwrap();
        let block = usize::try_from(BLOCK).unwrap();
        for (number, found) in found.chunks(block).enumerate() {
            let part = number * block..number * block + found.len();
            assert!(
                *found == disk[part.clone()] || *found == after[part],
                "round {round}, block {number}: neither as before nor as after"
            );
        }
        // It goes on from what is there.
        disk = found;
        overlay.flush().unwrap();
    }
    let plain = bench.path("plain");
    fs::File::create(&plain)
        .unwrap()
        .write_all_at(&disk, 0)
        .unwrap();
    let overlay = Overlay::open(&store, ID, &base).unwrap();
    let sealed = store.seal(&overlay, &Progress::new()).unwrap();
    assert_eq!(sealed.root, root_of(&plain));
}

#[test]
fn a_killed_sealing_is_done_again_or_was_done() {
    let _alone = alone();
    let bench = Bench::new();
    let store = bench.store("store");
    let image = bench.image("image", SIZE, &[(0, 1), (5, 2)]);
    let root = import(&store, &image).root;
    let base = store.serve(root, Arc::new(NoPeers)).unwrap();
    for seen in [".part", "packs/", "/root", "manifests/", "head.new"] {
        let overlay = Overlay::create(&store, ID, &base, u64::MAX).unwrap();
        let mut disk = fs::read(&image).unwrap();
        for change in changes(seen.len() as u64 * 77).take(60) {
            make(&overlay, &change);
            make_plain(&mut disk, &change);
        }
        drop(overlay);
        let plain = bench.path("plain");
        fs::File::create(&plain)
            .unwrap()
            .write_all_at(&disk, 0)
            .unwrap();
        let expected = root_of(&plain);
        let status = child("sealer", &store, root)
            .env("CORRAL_TEST_SEEN", seen)
            .stderr(Stdio::null())
            .status()
            .unwrap();
        // What is there only for a moment may be seen too late: then it ends well.
        assert!(
            status.signal() == Some(9) || status.success(),
            "{seen}: {status}"
        );
        let overlay = Overlay::open(&store, ID, &base).unwrap();
        let versions = store.versions().unwrap();
        assert!(
            versions
                .iter()
                .all(|found| *found == root || *found == expected),
            "{seen}"
        );
        let sealed = overlay.sealed_root().unwrap_or_else(|| {
            let sealed = store.seal(&overlay, &Progress::new()).unwrap();
            sealed.root
        });
        assert_eq!(sealed, expected, "{seen}");
        assert!(
            read_all(&store, expected, Arc::new(NoPeers)) == disk,
            "{seen}"
        );
        assert!(store.verify(&Progress::new()).unwrap().is_sound(), "{seen}");
        drop(overlay);
        Overlay::remove(&store, ID).unwrap();
        store.remove_version(expected).unwrap();
        for pack in support::packs(&store) {
            // So that the next round finds nothing of this one: what the base needs is imported again.
            fs::remove_file(pack).unwrap();
        }
        import(&store, &image);
        assert!(files(&store.path().join("incoming")).is_empty(), "{seen}");
    }
}
