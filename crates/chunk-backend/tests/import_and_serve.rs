//! A disk comes in, and the same bytes come out.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::ops::ControlFlow;
use std::sync::Arc;

use chunk_backend::{Difference, Extent, ImportError, NoPeers, Progress, RawFile, ReadError};
use chunk_store::{CHUNK_BYTES, CHUNK_SIZE};
use support::{Bench, allocated_bytes, files, import, packs, read_all, root_of};

#[test]
fn an_image_is_served_as_it_was_imported() {
    let bench = Bench::new();
    let store = bench.store("store");
    // Over 64 MiB, so that the manifest has two levels; a short last chunk; the same content twice; holes.
    let size = 1_500 * CHUNK_BYTES + 777;
    let image = bench.image(
        "image",
        size,
        &[(0, 1), (1, 2), (500, 1), (1_200, 3), (1_500, 4)],
    );
    let progress = Progress::new();
    let imported = store
        .import(&mut RawFile::open(&image).unwrap(), &progress)
        .unwrap();
    assert_eq!(imported.root, root_of(&image));
    assert_eq!(
        (imported.chunks, imported.zero_chunks, imported.new_chunks),
        (1_501, 1_496, 4)
    );
    assert_eq!(imported.new_bytes, 3 * CHUNK_BYTES + 777);
    assert!(
        imported.stored_bytes < 3 * CHUNK_BYTES,
        "half of each chunk compresses"
    );
    let values = progress.values();
    assert!(values.done_bytes >= values.total_bytes && values.total_bytes == size);
    assert_eq!(
        read_all(&store, imported.root, Arc::new(NoPeers)),
        std::fs::read(&image).unwrap()
    );
    assert_eq!(store.versions().unwrap(), [imported.root]);
    assert!(
        files(&store.path().join("incoming"))
            .iter()
            .all(|path| !path.is_dir())
    );
}

#[test]
fn the_same_image_again_stores_nothing() {
    let bench = Bench::new();
    let store = bench.store("store");
    let image = bench.image("image", 3 << 20, &[(0, 1), (40, 2)]);
    let first = import(&store, &image);
    let before = packs(&store);
    let again = import(&store, &image);
    assert_eq!(
        (again.root, again.new_chunks, again.stored_bytes),
        (first.root, 0, 0)
    );
    assert_eq!(packs(&store), before);
}

#[test]
fn an_image_of_zeros_is_nothing_but_a_root() {
    let bench = Bench::new();
    let store = bench.store("store");
    let image = bench.image("image", 200 << 20, &[]);
    let imported = import(&store, &image);
    assert_eq!(
        (imported.new_chunks, imported.stored_bytes, imported.root),
        (0, 0, root_of(&image))
    );
    let served = store.serve(imported.root, Arc::new(NoPeers)).unwrap();
    served.materialise(&Progress::new()).unwrap();
    assert_eq!(served.counters().ready_chunks, 3_200);
    assert_eq!(allocated_bytes(served.file()), 0);
}

#[test]
fn what_changed_between_versions_is_counted() {
    let bench = Bench::new();
    let store = bench.store("store");
    let size = 2_100 * CHUNK_BYTES;
    let old = import(
        &store,
        &bench.image("old", size, &[(0, 1), (10, 2), (2_000, 3)]),
    );
    let new = import(
        &store,
        &bench.image("new", size + 100, &[(0, 1), (10, 9), (2_001, 4)]),
    );
    assert_eq!(new.new_chunks, 2);
    let difference = store.difference(old.root, new.root).unwrap();
    // 10 changed, 2,000 became zeros, 2,001 came, and a short chunk of zeros at the end.
    let expected = Difference {
        changed_chunks: 4,
        changed_bytes: 3 * CHUNK_BYTES + 100,
        zeroed_chunks: 2,
        removed_chunks: 0,
    };
    assert_eq!(difference, expected);
    assert_eq!(
        store.difference(new.root, old.root).unwrap().removed_chunks,
        1
    );
    assert_eq!(
        store.difference(new.root, new.root).unwrap(),
        Difference::default()
    );
}

#[test]
fn extents_merge_and_are_clipped_to_the_range() {
    let bench = Bench::new();
    let store = bench.store("store");
    let image = bench.image("image", 1_100 * CHUNK_BYTES, &[(1, 1), (2, 2), (1_050, 3)]);
    let served = store
        .serve(import(&store, &image).root, Arc::new(NoPeers))
        .unwrap();
    let extents = |offset: u64, length: u64| {
        let mut seen = Vec::new();
        served
            .extents(offset, length, &mut |extent| {
                seen.push((extent.offset, extent.length, extent.is_hole));
                ControlFlow::Continue(())
            })
            .unwrap();
        seen
    };
    let chunk = CHUNK_BYTES;
    assert_eq!(
        extents(0, 1_100 * chunk),
        [
            (0, chunk, true),
            (chunk, 2 * chunk, false),
            (3 * chunk, 1_047 * chunk, true),
            (1_050 * chunk, chunk, false),
            (1_051 * chunk, 49 * chunk, true)
        ]
    );
    assert_eq!(extents(chunk + 5, 10), [(chunk + 5, 10, false)]);
    assert_eq!(
        extents(3 * chunk - 1, 2),
        [(3 * chunk - 1, 1, false), (3 * chunk, 1, true)]
    );
    let mut first: Option<Extent> = None;
    served
        .extents(0, 1_100 * chunk, &mut |extent| {
            first = Some(extent);
            ControlFlow::Break(())
        })
        .unwrap();
    assert_eq!(first.map(|extent| extent.length), Some(chunk));
    let beyond = served.extents(chunk, 1_100 * chunk, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(beyond, Err(ReadError::BeyondEnd { .. })));
}

#[test]
fn a_range_is_ready_only_after_it_was_made_so() {
    let bench = Bench::new();
    let store = bench.store("store");
    let image = bench.image("image", 10 * CHUNK_BYTES, &[(0, 1), (1, 2), (2, 3)]);
    let served = store
        .serve(import(&store, &image).root, Arc::new(NoPeers))
        .unwrap();
    assert!(!served.is_ready(0, 1));
    served.make_ready(CHUNK_BYTES - 1, 2).unwrap();
    assert!(served.is_ready(0, 2 * 65_536) && !served.is_ready(0, 2 * 65_536 + 1));
    assert!(matches!(
        served.make_ready(10 * CHUNK_BYTES - 1, 2),
        Err(ReadError::BeyondEnd { .. })
    ));
    let counters = served.counters();
    assert_eq!((counters.ready_chunks, counters.from_packs_chunks), (2, 2));
}

#[test]
fn a_source_without_bytes_is_refused() {
    let bench = Bench::new();
    let store = bench.store("store");
    let image = bench.image("image", 0, &[]);
    let error = store
        .import(&mut RawFile::open(&image).unwrap(), &Progress::new())
        .unwrap_err();
    assert!(matches!(error, ImportError::Empty), "{error}");
}

#[test]
fn a_cancelled_import_leaves_nothing() {
    let bench = Bench::new();
    let store = bench.store("store");
    let image = bench.image("image", 1 << 20, &[(0, 1)]);
    let progress = Progress::new();
    progress.cancel();
    let error = store
        .import(&mut RawFile::open(&image).unwrap(), &progress)
        .unwrap_err();
    assert!(matches!(error, ImportError::Cancelled));
    assert!(packs(&store).is_empty() && store.versions().unwrap().is_empty());
    assert!(files(&store.path().join("incoming")).is_empty());
}

#[test]
fn a_source_that_breaks_off_leaves_nothing() {
    struct Broken;
    impl chunk_backend::DiskSource for Broken {
        fn size(&self) -> u64 {
            64 << 20
        }
        fn next_data(&mut self, from: u64) -> std::io::Result<Option<(u64, u64)>> {
            Ok((from < self.size()).then(|| (from, self.size() - from)))
        }
        fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> std::io::Result<()> {
            if offset > 40 << 20 {
                return Err(std::io::Error::other("bad sector"));
            }
            buffer.fill(u8::try_from(offset >> 20).unwrap() + 1);
            Ok(())
        }
    }
    let bench = Bench::new();
    let store = bench.store("store");
    let error = store.import(&mut Broken, &Progress::new()).unwrap_err();
    assert!(
        matches!(error, ImportError::Source { offset, .. } if offset > 40 << 20),
        "{error}"
    );
    assert!(packs(&store).is_empty() && store.versions().unwrap().is_empty());
    assert!(files(&store.path().join("incoming")).is_empty());
}

#[test]
fn a_removed_version_is_gone_but_its_readers_go_on() {
    let bench = Bench::new();
    let store = bench.store("store");
    let image = bench.image("image", 1 << 20, &[(0, 1), (3, 2)]);
    let root = import(&store, &image).root;
    let served = store.serve(root, Arc::new(NoPeers)).unwrap();
    store.remove_version(root).unwrap();
    assert!(!store.holds(root) && store.versions().unwrap().is_empty());
    let mut bytes = vec![0; 4 * CHUNK_SIZE];
    served.read_at(0, &mut bytes).unwrap();
    assert_eq!(bytes, std::fs::read(&image).unwrap()[..4 * CHUNK_SIZE]);
    assert!(matches!(
        store.serve(root, Arc::new(NoPeers)),
        Err(ReadError::UnknownVersion { .. })
    ));
    // Its chunks are still there: the same image is back at once.
    assert_eq!(import(&store, &image).new_chunks, 0);
}
