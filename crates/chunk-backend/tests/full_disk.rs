//! A store whose file system is full: nothing half-published, and a message that says how much is missing.
//!
//! These need a small file system of their own, and so the right to mount one.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a test may panic, and says why it was skipped"
)]

mod support;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use chunk_backend::{ImportError, NoPeers, Progress, RawFile, ReadError, ReplicateError, Store};
use chunk_store::CHUNK_BYTES;
use support::{Bench, FARM, Mounted, files, import, packs, read_all};

const MEBIBYTE: u64 = 1 << 20;

fn noise(path: &Path, mebibytes: u64, seed: &[u8]) {
    let mut file = fs::File::create(path).unwrap();
    let mut reader = blake3::Hasher::new().update(seed).finalize_xof();
    let mut bytes = vec![0; usize::try_from(MEBIBYTE).unwrap()];
    for _ in 0..mebibytes {
        reader.fill(&mut bytes);
        file.write_all(&bytes).unwrap();
    }
}

fn try_import(store: &Store, image: &Path) -> Result<chunk_backend::Imported, ImportError> {
    store.import(&mut RawFile::open(image).unwrap(), &Progress::new())
}

#[test]
fn a_full_store_publishes_nothing_and_says_how_much_is_missing() {
    let bench = Bench::new();
    let Some(small) = Mounted::tmpfs(bench.path("small"), 40 * MEBIBYTE) else {
        return;
    };
    let store = Store::create(&small.path.join("store"), FARM).unwrap();
    let filler = small.path.join("filler");
    noise(&filler, 25, b"filler");
    let image = bench.path("image");
    noise(&image, 30, b"image");
    let error = try_import(&store, &image).unwrap_err();
    let ImportError::NoSpace(report) = &error else {
        panic!("{error}")
    };
    // Noise does not compress: all 30 MiB and a little more are needed, and some 15 are free.
    assert!(
        (30 * MEBIBYTE..31 * MEBIBYTE).contains(&report.missing_bytes),
        "{report:?}"
    );
    assert!(
        (14 * MEBIBYTE..16 * MEBIBYTE).contains(&report.free_bytes),
        "{report:?}"
    );
    let message = error.to_string();
    assert!(
        message.contains("no space left") && message.contains("nothing was published"),
        "{message}"
    );
    assert!(packs(&store).is_empty() && store.versions().unwrap().is_empty());
    assert!(files(&store.path().join("incoming")).is_empty());
    fs::remove_file(filler).unwrap();
    let imported = try_import(&store, &image).unwrap();
    assert!(store.verify(&Progress::new()).unwrap().is_sound() && store.holds(imported.root));

    // The packs fit, the flat file does not: what fits is served, and the rest says why it is not.
    let served = store.serve(imported.root, Arc::new(NoPeers)).unwrap();
    let error = served.materialise(&Progress::new()).unwrap_err();
    assert!(
        matches!(&error, ReadError::Io(failure) if failure.is_no_space()),
        "{error}"
    );
    let ready = served.counters().ready_chunks;
    assert!((100..480).contains(&ready), "{ready}");
    let mut bytes = vec![0; usize::try_from(CHUNK_BYTES).unwrap()];
    served.read_at(0, &mut bytes).unwrap();
    assert!(bytes == fs::read(&image).unwrap()[..bytes.len()]);
}

#[test]
fn more_data_than_the_whole_store_is_refused_before_anything_is_written() {
    let bench = Bench::new();
    let Some(small) = Mounted::tmpfs(bench.path("small"), 8 * MEBIBYTE) else {
        return;
    };
    let store = Store::create(&small.path.join("store"), FARM).unwrap();
    let image = bench.path("image");
    noise(&image, 9, b"image");
    let error = try_import(&store, &image).unwrap_err();
    let ImportError::LargerThanStore {
        data_bytes,
        capacity_bytes,
        ..
    } = error
    else {
        panic!("{error}")
    };
    assert_eq!((data_bytes, capacity_bytes), (9 * MEBIBYTE, 8 * MEBIBYTE));
    assert!(error.to_string().contains("use a larger store"), "{error}");
    // A large disk with little on it is no large image.
    let sparse = bench.image("sparse", 1_000 * MEBIBYTE, &[(0, 1)]);
    let imported = try_import(&store, &sparse).unwrap();
    assert_eq!(imported.size_bytes, 1_000 * MEBIBYTE);
}

#[test]
fn a_full_replica_keeps_the_packs_that_are_complete_and_goes_on_when_there_is_space() {
    let bench = Bench::new();
    let Some(small) = Mounted::tmpfs(bench.path("small"), 100 * MEBIBYTE) else {
        return;
    };
    let from = bench.store("from");
    let image = bench.path("image");
    noise(&image, 90, b"image");
    let root = import(&from, &image).root;
    let store = Store::create(&small.path.join("store"), FARM).unwrap();
    let filler = small.path.join("filler");
    noise(&filler, 20, b"filler");
    let error = store.replicate(root, &from, &Progress::new()).unwrap_err();
    assert!(matches!(error, ReplicateError::NoSpace(_)), "{error}");
    assert!(!store.holds(root) && packs(&store).len() == 1);
    fs::remove_file(filler).unwrap();
    let rest = store.replicate(root, &from, &Progress::new()).unwrap();
    assert!(rest.already_chunks > 1_000 && store.holds(root), "{rest:?}");
    assert!(store.verify(&Progress::new()).unwrap().is_sound());
    drop(store);
    assert!(read_all(&from, root, Arc::new(NoPeers)) == fs::read(&image).unwrap());
}
