//! A flat file starts as a clone of its nearest relative, where the file system can share blocks.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs;
use std::sync::Arc;

use chunk_backend::{NoPeers, Progress, Store};
use chunk_store::CHUNK_BYTES;
use support::{Bench, FARM, Mounted, import, read_all};

#[test]
fn a_new_version_is_cloned_from_its_nearest_relative_and_checked_all_the_same() {
    let bench = Bench::new();
    let device = bench.path("device");
    let Some(disk) = Mounted::btrfs(bench.path("disk"), &device, 256 << 20) else {
        return;
    };
    let store = Store::create(&disk.path.join("store"), FARM).unwrap();
    let size = 200 * CHUNK_BYTES;
    let chunks = |changed: &[(u64, u64)]| {
        let mut chunks: Vec<(u64, u64)> = (0..100).map(|index| (index, index + 1)).collect();
        for (index, seed) in changed {
            chunks.retain(|(known, _)| known != index);
            chunks.push((*index, *seed));
        }
        chunks
    };
    let far = import(&store, &bench.image("far", size, &[(0, 9_000), (1, 9_001)])).root;
    let old = import(&store, &bench.image("old", size, &chunks(&[]))).root;
    for root in [far, old] {
        let served = store.serve(root, Arc::new(NoPeers)).unwrap();
        served.materialise(&Progress::new()).unwrap();
    }
    let image = bench.image("new", size + CHUNK_BYTES, &chunks(&[(5, 500), (150, 600)]));
    let new = import(&store, &image).root;
    let served = store.serve(new, Arc::new(NoPeers)).unwrap();
    assert!(read_all(&store, new, Arc::new(NoPeers)) == fs::read(&image).unwrap());
    // All but two chunks came with the clone: one differed, one was a hole.
    let counters = served.counters();
    assert_eq!(
        (
            counters.from_packs_chunks,
            counters.replaced_chunks,
            counters.found_chunks
        ),
        (2, 1, 199)
    );
    // The relative did not change.
    assert!(store.verify(&Progress::new()).unwrap().is_sound());
}
