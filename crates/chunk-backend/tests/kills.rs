//! A process that writes is killed with -9 at many moments: nothing half-done is seen, and the next one goes on.
//!
//! The test starts itself again as the process that dies: `child` below is that process.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use chunk_backend::{DiskSource, NoPeers, Progress, RawFile, Store};
use chunk_store::RootHash;
use support::{Bench, FARM, files, import, read_all, root_of};

const MEBIBYTE: u64 = 1 << 20;
/// More than a pack holds, of bytes that do not compress: the import seals one pack and begins another.
const IMAGE_BYTES: u64 = 80 * MEBIBYTE;

/// When the child dies.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// At a read of the source, after so many reads.
    Read(u64),
    /// At a read of the source, after so many reads and once a file is there whose path contains this.
    ReadAndSeen(u64, &'static str),
    /// As soon as a file is seen whose path contains this. It may be seen too late: then the child ends well.
    Seen(&'static str),
}

impl Moment {
    fn text(self) -> String {
        match self {
            Self::Read(count) => format!("{count} "),
            Self::ReadAndSeen(count, text) => format!("{count} {text}"),
            Self::Seen(text) => format!("never {text}"),
        }
    }
}

fn die() -> ! {
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)
        .unwrap();
    unreachable!("killed")
}

/// A raw file that kills the process at a read.
struct Deadly<'a> {
    file: RawFile,
    left: u64,
    store: &'a Path,
    seen: &'a str,
}

impl DiskSource for Deadly<'_> {
    fn size(&self) -> u64 {
        self.file.size()
    }

    fn next_data(&mut self, from: u64) -> io::Result<Option<(u64, u64)>> {
        self.file.next_data(from)
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        if self.left == 0 {
            // The writer works on what was read so far, so that the file comes.
            while !exists_below(self.store, self.store, self.seen) {
                thread::yield_now();
            }
            die();
        }
        self.left -= 1;
        self.file.read_at(offset, buffer)
    }
}

fn exists_below(store: &Path, folder: &Path, text: &str) -> bool {
    let Ok(entries) = fs::read_dir(folder) else {
        return false;
    };
    entries.filter_map(Result::ok).any(|entry| {
        let path = entry.path();
        let within = path.strip_prefix(store).unwrap().to_string_lossy();
        within.contains(text) || (path.is_dir() && exists_below(store, &path, text))
    })
}

/// Not a test: the process that dies, started by the tests with its orders in the environment.
#[test]
#[ignore = "started by the other tests"]
fn child() {
    let Ok(store) = std::env::var("CORRAL_TEST_STORE") else {
        return;
    };
    let store = Store::open(Path::new(&store), FARM).unwrap();
    let source = PathBuf::from(std::env::var("CORRAL_TEST_SOURCE").unwrap());
    let moment = std::env::var("CORRAL_TEST_MOMENT").unwrap();
    let done = AtomicBool::new(false);
    let path = store.path().to_owned();
    thread::scope(|scope| {
        let (reads, seen) = moment.split_once(' ').unwrap();
        let reads = reads.parse().ok();
        if reads.is_none() {
            let (path, done) = (&path, &done);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    if exists_below(path, path, seen) {
                        die();
                    }
                }
            });
        }
        if let Ok(root) = std::env::var("CORRAL_TEST_ROOT") {
            let from = Store::open(&source, FARM).unwrap();
            let root = root.parse().unwrap();
            store.replicate(root, &from, &Progress::new()).unwrap();
        } else {
            let file = RawFile::open(&source).unwrap();
            let mut source = Deadly {
                file,
                left: reads.unwrap_or(u64::MAX),
                store: &path,
                seen,
            };
            store.import(&mut source, &Progress::new()).unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
}

fn run_child(store: &Store, source: &Path, moment: Moment, root: Option<RootHash>) -> ExitStatus {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["child", "--exact", "--ignored", "--quiet"]);
    command
        .env("CORRAL_TEST_STORE", store.path())
        .env("CORRAL_TEST_SOURCE", source);
    command.env("CORRAL_TEST_MOMENT", moment.text());
    if let Some(root) = root {
        command.env("CORRAL_TEST_ROOT", root.to_string());
    }
    command.output().unwrap().status
}

fn noise(path: &Path) {
    use std::io::Write;
    let mut file = fs::File::create(path).unwrap();
    let mut reader = blake3::Hasher::new().update(b"noise").finalize_xof();
    let mut bytes = vec![0; usize::try_from(MEBIBYTE).unwrap()];
    for _ in 0..IMAGE_BYTES / MEBIBYTE {
        reader.fill(&mut bytes);
        file.write_all(&bytes).unwrap();
    }
}

fn was_killed(status: ExitStatus) -> bool {
    std::os::unix::process::ExitStatusExt::signal(&status) == Some(9)
}

/// Nothing half-done may be seen after a kill; a version is there whole or not at all.
fn check_after_kill(path: &Path, root: RootHash) {
    let store = Store::open(path, FARM).unwrap();
    assert!(store.versions().unwrap().iter().all(|found| *found == root));
    let report = store.verify(&Progress::new()).unwrap();
    assert!(report.is_sound(), "{report:?}");
}

#[test]
fn a_killed_import_leaves_no_damage_and_the_next_one_goes_on() {
    let bench = Bench::new();
    let image = bench.path("image");
    noise(&image);
    let root = root_of(&image);
    let moments = [
        Moment::Read(0),
        Moment::Read(1),
        Moment::Read(30),
        Moment::Read(79),
        Moment::ReadAndSeen(2, ".part"),
        Moment::ReadAndSeen(79, "2.part"),
        Moment::Seen("packs/"),
        Moment::Seen("/root"),
        Moment::Seen("manifests/"),
    ];
    for moment in moments {
        let store = bench.store("store");
        let killed = was_killed(run_child(&store, &image, moment, None));
        let may_end_well = matches!(moment, Moment::Seen(_)) && store.holds(root);
        assert!(killed || may_end_well, "{moment:?}");
        check_after_kill(store.path(), root);
        let imported = import(&store, &image);
        assert_eq!(imported.root, root);
        let had_whole_pack = matches!(moment, Moment::ReadAndSeen(79, _) | Moment::Seen(_));
        if had_whole_pack {
            let message = format!(
                "{moment:?}: a whole pack was salvaged, but {} were new",
                imported.new_chunks
            );
            assert!(imported.new_chunks < 1_280 - 1_000, "{message}");
        }
        check_after_kill(store.path(), root);
        assert!(
            files(&store.path().join("incoming")).is_empty(),
            "{moment:?}"
        );
        assert!(
            read_all(&store, root, Arc::new(NoPeers)) == fs::read(&image).unwrap(),
            "{moment:?}"
        );
        fs::remove_dir_all(store.path()).unwrap();
    }
}

#[test]
fn a_killed_replication_goes_on_where_it_was() {
    let bench = Bench::new();
    let image = bench.path("image");
    noise(&image);
    let from = bench.store("from");
    let root = import(&from, &image).root;
    for moment in [
        Moment::Seen(".part"),
        Moment::Seen("2.part"),
        Moment::Seen("manifests/"),
    ] {
        let store = bench.store("to");
        let killed = was_killed(run_child(&store, from.path(), moment, Some(root)));
        assert!(killed || store.holds(root), "{moment:?}");
        check_after_kill(store.path(), root);
        let rest = store.replicate(root, &from, &Progress::new()).unwrap();
        assert_eq!(
            rest.fetched_chunks + rest.already_chunks,
            1_280 + 3,
            "{moment:?}"
        );
        if matches!(moment, Moment::Seen("2.part")) {
            assert!(rest.already_chunks > 1_000, "{moment:?}: {rest:?}");
        }
        check_after_kill(store.path(), root);
        fs::remove_dir_all(store.path()).unwrap();
    }
}

#[test]
fn a_live_writer_is_left_alone_by_the_next_one() {
    /// A source that, in the midst of an import, imports another image into the same store.
    struct Nested<'a> {
        file: RawFile,
        store: &'a Store,
        other: &'a Path,
        is_done: bool,
    }
    impl DiskSource for Nested<'_> {
        fn size(&self) -> u64 {
            self.file.size()
        }
        fn next_data(&mut self, from: u64) -> io::Result<Option<(u64, u64)>> {
            self.file.next_data(from)
        }
        fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
            if offset > 0 && !self.is_done {
                self.is_done = true;
                import(self.store, self.other);
            }
            self.file.read_at(offset, buffer)
        }
    }
    let bench = Bench::new();
    let store = bench.store("store");
    let image = bench.image(
        "image",
        4 * MEBIBYTE,
        &(0..64).map(|index| (index, index)).collect::<Vec<_>>(),
    );
    let other = bench.image(
        "other",
        2 * MEBIBYTE,
        &(0..32).map(|index| (index, index + 40)).collect::<Vec<_>>(),
    );
    let file = RawFile::open(&image).unwrap();
    let mut nested = Nested {
        file,
        store: &store,
        other: &other,
        is_done: false,
    };
    let imported = store.import(&mut nested, &Progress::new()).unwrap();
    let mut expected = [imported.root, root_of(&other)];
    expected.sort_unstable();
    assert_eq!(store.versions().unwrap(), expected);
    assert!(store.verify(&Progress::new()).unwrap().is_sound());
    assert!(read_all(&store, imported.root, Arc::new(NoPeers)) == fs::read(&image).unwrap());
}
