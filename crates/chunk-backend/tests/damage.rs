//! Damage is found, never served, and healed from whoever has the chunk.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use chunk_backend::{FetchError, NoPeers, Progress, ReadError, Store};
use chunk_store::{CHUNK_BYTES, ChunkName, RootHash};
use support::{
    Bench, CountingPeer, DamagingPeer, FARM, content, damage_in_packs, files, flip, import, packs,
    read_all,
};

const SIZE: u64 = 20 * CHUNK_BYTES;
const CHUNKS: [(u64, u64); 4] = [(0, 1), (1, 2), (7, 3), (19, 4)];

/// A store with one version, another one with the same, and the image.
fn two_stores(bench: &Bench) -> (Store, Store, RootHash, Vec<u8>) {
    let image = bench.image("image", SIZE, &CHUNKS);
    let (store, peer) = (bench.store("store"), bench.store("peer"));
    let root = import(&store, &image).root;
    assert_eq!(import(&peer, &image).root, root);
    (store, peer, root, fs::read(&image).unwrap())
}

fn flat(store: &Store, root: RootHash) -> std::path::PathBuf {
    store.path().join("flat").join(root.to_string())
}

fn reopen(store: Store) -> Store {
    let path = store.path().to_owned();
    drop(store);
    Store::open(&path, FARM).unwrap()
}

/// Fill the flat file as an earlier run of a server would have.
fn materialise(store: &Store, root: RootHash) {
    store
        .serve(root, Arc::new(NoPeers))
        .unwrap()
        .materialise(&Progress::new())
        .unwrap();
}

#[test]
fn damage_in_the_flat_file_is_put_right_from_packs_at_the_first_read() {
    let bench = Bench::new();
    let (store, _, root, image) = two_stores(&bench);
    materialise(&store, root);
    flip(&flat(&store, root), 7 * CHUNK_BYTES + 1_000);
    // In a chunk of zeros, too.
    flip(&flat(&store, root), 12 * CHUNK_BYTES);
    let store = reopen(store);
    let served = store.serve(root, Arc::new(NoPeers)).unwrap();
    let mut bytes = vec![0; image.len()];
    served.read_at(0, &mut bytes).unwrap();
    assert!(bytes == image);
    let counters = served.counters();
    assert_eq!(
        (
            counters.replaced_chunks,
            counters.from_packs_chunks,
            counters.found_chunks
        ),
        (2, 1, 18)
    );
    assert!(fs::read(flat(&store, root)).unwrap() == image);
}

#[test]
fn a_flat_file_is_only_read_not_fetched_when_it_is_sound() {
    let bench = Bench::new();
    let (store, _, root, image) = two_stores(&bench);
    materialise(&store, root);
    let store = reopen(store);
    let served = store.serve(root, Arc::new(NoPeers)).unwrap();
    assert!(read_all(&store, root, Arc::new(NoPeers)) == image);
    let counters = served.counters();
    assert_eq!(
        (
            counters.found_chunks,
            counters.from_packs_chunks,
            counters.replaced_chunks
        ),
        (20, 0, 0)
    );
}

#[test]
fn damage_in_a_pack_is_healed_from_a_peer_at_read() {
    let bench = Bench::new();
    let (store, peer, root, image) = two_stores(&bench);
    damage_in_packs(&store, ChunkName::of(&content(3)));
    let peer = Arc::new(CountingPeer::new(&peer));
    assert!(read_all(&store, root, peer.clone()) == image);
    assert_eq!(*peer.asked.lock().unwrap(), [ChunkName::of(&content(3))]);
}

#[test]
fn damage_everywhere_is_refused_with_the_chunks_name() {
    let bench = Bench::new();
    let (store, peer, root, image) = two_stores(&bench);
    materialise(&store, root);
    flip(&flat(&store, root), 7 * CHUNK_BYTES + 1_000);
    let name = ChunkName::of(&content(3));
    damage_in_packs(&store, name);
    let store = reopen(store);
    let served = store.serve(root, Arc::new(NoPeers)).unwrap();
    let error = served.make_ready(7 * CHUNK_BYTES, 4_096).unwrap_err();
    let is_so = matches!(&error, ReadError::ChunkUnavailable { name: found, is_damaged: true, .. } if *found == name);
    assert!(is_so, "{error}");
    assert!(
        error.to_string().contains(&name.to_string()) && error.to_string().contains("heal"),
        "{error}"
    );
    assert!(!served.is_ready(7 * CHUNK_BYTES, 1));
    // The others are served all the same, and a peer that sends damage is not believed.
    served.make_ready(0, 65_536).unwrap();
    let served = store
        .serve(root, Arc::new(DamagingPeer(peer.clone())))
        .unwrap();
    assert!(matches!(
        served.make_ready(7 * CHUNK_BYTES, 1),
        Err(ReadError::ChunkUnavailable { .. })
    ));
    assert!(!served.is_ready(7 * CHUNK_BYTES, 1));
    // A good peer heals it without a restart.
    assert!(read_all(&store, root, Arc::new(peer)) == image);
}

#[test]
fn a_chunk_is_fetched_once_however_many_ask() {
    let bench = Bench::new();
    let (_, peer, root, image) = two_stores(&bench);
    let cold = bench.store("cold");
    let peer = Arc::new(CountingPeer::new(&peer));
    let served = cold.serve(root, peer.clone()).unwrap();
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let mut bytes = vec![0; image.len()];
                served.read_at(0, &mut bytes).unwrap();
                assert!(bytes == image);
            });
        }
    });
    let mut asked = peer.asked.lock().unwrap().clone();
    asked.sort_unstable();
    let before = asked.len();
    asked.dedup();
    // The four chunks, and the page that names them.
    assert_eq!((before, asked.len()), (5, 5));
    assert_eq!(served.counters().from_peers_chunks, 4);
}

#[test]
fn all_who_wait_for_a_chunk_that_nobody_has_get_the_error() {
    let bench = Bench::new();
    let (store, _, root, _) = two_stores(&bench);
    damage_in_packs(&store, ChunkName::of(&content(2)));
    let served = store.serve(root, Arc::new(NoPeers)).unwrap();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let error = served.make_ready(0, 3 * 65_536).unwrap_err();
                let ReadError::ChunkUnavailable {
                    peers: Some(peers), ..
                } = error
                else {
                    panic!("{error}")
                };
                assert!(matches!(*peers, FetchError::NoPeers));
            });
        }
    });
    assert!(served.is_ready(0, 65_536) && !served.is_ready(CHUNK_BYTES, 1));
}

#[test]
fn a_scrub_finds_damage_that_came_after_the_first_read() {
    let bench = Bench::new();
    let (store, _, root, image) = two_stores(&bench);
    let served = store.serve(root, Arc::new(NoPeers)).unwrap();
    served.materialise(&Progress::new()).unwrap();
    assert_eq!(served.scrub(&Progress::new()).unwrap(), 0);
    flip(&flat(&store, root), CHUNK_BYTES);
    assert_eq!(served.scrub(&Progress::new()).unwrap(), 1);
    assert!(fs::read(flat(&store, root)).unwrap() == image);
}

#[test]
fn verification_finds_all_kinds_of_damage_and_healing_ends_them() {
    let bench = Bench::new();
    let (store, peer, root, image) = two_stores(&bench);
    materialise(&store, root);
    assert!(store.verify(&Progress::new()).unwrap().is_sound());
    let name = ChunkName::of(&content(1));
    damage_in_packs(&store, name);
    flip(&flat(&store, root), 0);
    flip(&flat(&store, root), 19 * CHUNK_BYTES + 5);
    let report = store.verify(&Progress::new()).unwrap();
    assert!(!report.is_sound());
    assert_eq!(report.damaged_packs.len(), 1);
    assert_eq!(
        (
            &report.damaged_packs[0].damaged[..],
            report.damaged_packs[0].unusable
        ),
        (&[name][..], None)
    );
    assert_eq!(report.damaged_flats.len(), 1);
    assert_eq!(report.damaged_flats[0].chunks, [0, 19]);
    assert_eq!(
        (&report.unavailable[..], &report.affected_roots[..]),
        (&[name][..], &[root][..])
    );
    // Without peers: the flat file's second damage is put right, the chunk is not.
    let healed = store.heal(&NoPeers, &Progress::new()).unwrap();
    assert_eq!(
        (&healed.unhealed[..], &healed.affected_roots[..]),
        (&[name][..], &[root][..])
    );
    assert_eq!(healed.healed_flat_chunks, 1);
    let healed = store.heal(&peer, &Progress::new()).unwrap();
    assert!(
        healed.is_sound() && healed.fetched_chunks == 1 && healed.healed_flat_chunks == 1,
        "{healed:?}"
    );
    let report = store.verify(&Progress::new()).unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert!(read_all(&reopen(store), root, Arc::new(NoPeers)) == image);
}

#[test]
fn a_damaged_pack_is_healed_from_the_flat_file_where_that_is_sound() {
    let bench = Bench::new();
    let (store, _, root, _) = two_stores(&bench);
    materialise(&store, root);
    damage_in_packs(&store, ChunkName::of(&content(4)));
    let healed = store.heal(&NoPeers, &Progress::new()).unwrap();
    assert!(
        healed.is_sound() && healed.healed_chunks == 1 && healed.fetched_chunks == 0,
        "{healed:?}"
    );
    assert!(store.verify(&Progress::new()).unwrap().is_sound());
}

fn heal_after(damage: impl Fn(&Store, RootHash)) {
    let bench = Bench::new();
    let (store, peer, root, image) = two_stores(&bench);
    damage(&store, root);
    let store = reopen(store);
    let report = store.verify(&Progress::new()).unwrap();
    assert!(!report.is_sound(), "{report:?}");
    let healed = store.heal(&peer, &Progress::new()).unwrap();
    assert!(healed.is_sound(), "{healed:?}");
    let report = store.verify(&Progress::new()).unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert!(read_all(&store, root, Arc::new(NoPeers)) == image);
}

fn only_pack(store: &Store) -> std::path::PathBuf {
    packs(store).into_iter().next().unwrap()
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len()
}

#[test]
fn a_pack_with_a_damaged_index_is_healed() {
    heal_after(|store, _| {
        let pack = only_pack(store);
        flip(&pack, length(&pack) - 60);
    });
}

#[test]
fn a_pack_that_was_cut_off_is_healed() {
    heal_after(|store, _| {
        let pack = only_pack(store);
        fs::OpenOptions::new()
            .write(true)
            .open(&pack)
            .unwrap()
            .set_len(length(&pack) / 2)
            .unwrap();
    });
}

#[test]
fn a_pack_with_a_damaged_header_and_index_gives_what_is_sound_behind_damage() {
    heal_after(|store, _| {
        let pack = only_pack(store);
        flip(&pack, 0);
        flip(&pack, 20);
        flip(&pack, length(&pack) - 60);
    });
}

#[test]
fn a_pack_that_is_gone_is_fetched_again() {
    heal_after(|store, _| fs::remove_file(only_pack(store)).unwrap());
}

#[test]
fn a_damaged_root_record_is_fetched_again() {
    heal_after(|store, root| flip(&store.path().join("manifests").join(root.to_string()), 20));
}

#[test]
fn a_pack_of_a_later_format_is_left_alone() {
    let bench = Bench::new();
    let (store, peer, root, image) = two_stores(&bench);
    let pack = only_pack(&store);
    let file = fs::OpenOptions::new().write(true).open(&pack).unwrap();
    file.write_all_at(&[2], 8).unwrap();
    let before = fs::read(&pack).unwrap();
    let store = reopen(store);
    let report = store.verify(&Progress::new()).unwrap();
    assert!(
        report.damaged_packs[0]
            .unusable
            .unwrap()
            .to_string()
            .contains("format 2"),
        "{report:?}"
    );
    assert!(store.heal(&peer, &Progress::new()).unwrap().is_sound());
    assert!(fs::read(&pack).unwrap() == before);
    assert!(read_all(&store, root, Arc::new(NoPeers)) == image);
}

#[test]
fn a_running_server_sees_what_another_process_healed() {
    let bench = Bench::new();
    let (store, peer, root, image) = two_stores(&bench);
    let running = Store::open(store.path(), FARM).unwrap();
    let served = running.serve(root, Arc::new(NoPeers)).unwrap();
    served.make_ready(0, 1).unwrap();
    damage_in_packs(&store, ChunkName::of(&content(3)));
    served.make_ready(7 * CHUNK_BYTES, 1).unwrap_err();
    assert!(store.heal(&peer, &Progress::new()).unwrap().is_sound());
    let mut bytes = vec![0; image.len()];
    served.read_at(0, &mut bytes).unwrap();
    assert!(bytes == image);
}

#[test]
fn a_running_server_sees_what_another_process_imported() {
    let bench = Bench::new();
    let (store, _, root, _) = two_stores(&bench);
    let running = Store::open(store.path(), FARM).unwrap();
    assert!(running.holds(root));
    running
        .serve(root, Arc::new(NoPeers))
        .unwrap()
        .make_ready(0, 1)
        .unwrap();
    let second = bench.image("second", SIZE, &[(3, 30), (4, 40)]);
    let new = import(&store, &second).root;
    assert!(running.holds(new));
    assert!(read_all(&running, new, Arc::new(NoPeers)) == fs::read(&second).unwrap());
    assert!(files(&store.path().join("incoming")).is_empty());
}
