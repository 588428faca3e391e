//! A version comes from a peer, and only what was missing moves.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chunk_backend::{ChunkSource, FetchError, NoPeers, Progress, ReplicateError, Store};
use chunk_store::{CHUNK_BYTES, ChunkName, Entry, RootHash};
use support::{Bench, CountingPeer, DamagingPeer, files, import, packs, read_all};

const SIZE: u64 = 2_100 * CHUNK_BYTES;

/// Gives so many chunks and then nothing: a peer that is lost on the way.
struct BreakingPeer(Store, AtomicUsize);

impl ChunkSource for BreakingPeer {
    fn fetch(
        &self,
        names: &[ChunkName],
        work: Option<&Progress>,
        accept: &mut dyn FnMut(Entry) -> bool,
    ) -> Result<(), FetchError> {
        self.0.fetch(names, work, &mut |entry| {
            let is_left = self
                .1
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                    left.checked_sub(1)
                });
            is_left.is_ok() && accept(entry)
        })
    }

    fn fetch_root(&self, root: RootHash, work: Option<&Progress>) -> Result<Vec<u8>, FetchError> {
        self.0.fetch_root(root, work)
    }
}

#[test]
fn a_second_version_moves_only_what_changed() {
    let bench = Bench::new();
    let (from, to) = (bench.store("from"), bench.store("to"));
    let old = bench.image("old", SIZE, &[(0, 1), (1, 2), (1_100, 3), (2_099, 1)]);
    let new = bench.image("new", SIZE, &[(0, 1), (1, 9), (1_100, 3), (2_099, 1)]);
    let (old_root, new_root) = (import(&from, &old).root, import(&from, &new).root);
    let progress = Progress::new();
    let first = to.replicate(old_root, &from, &progress).unwrap();
    // Three different chunks and, of two levels of pages, one top and three leaves.
    assert_eq!(
        (first.fetched_chunks, first.already_chunks, first.size_bytes),
        (7, 0, SIZE)
    );
    assert_eq!(progress.values().done_bytes, SIZE);
    assert_eq!(progress.values().stored_bytes, first.fetched_bytes);
    assert!(read_all(&to, old_root, Arc::new(NoPeers)) == fs::read(&old).unwrap());

    let peer = CountingPeer::new(&from);
    let second = to.replicate(new_root, &peer, &Progress::new()).unwrap();
    // The chunk, its leaf, and the top.
    assert_eq!((second.fetched_chunks, second.already_chunks), (3, 4));
    assert_eq!(peer.asked.lock().unwrap().len(), 3);
    assert!(to.holds(new_root) && to.verify(&Progress::new()).unwrap().is_sound());
    assert!(read_all(&to, new_root, Arc::new(NoPeers)) == fs::read(&new).unwrap());

    let again = to.replicate(new_root, &NoPeers, &Progress::new()).unwrap();
    assert_eq!((again.fetched_chunks, again.already_chunks), (0, 7));
}

#[test]
fn a_replication_that_was_broken_off_goes_on_where_it_was() {
    let bench = Bench::new();
    let (from, to) = (bench.store("from"), bench.store("to"));
    let image = bench.image(
        "image",
        SIZE,
        &(0..40)
            .map(|index| (index * 50, index + 1))
            .collect::<Vec<_>>(),
    );
    let root = import(&from, &image).root;
    let breaking = BreakingPeer(from.clone(), AtomicUsize::new(25));
    let error = to.replicate(root, &breaking, &Progress::new()).unwrap_err();
    assert!(matches!(error, ReplicateError::Peers { .. }), "{error}");
    assert!(!to.holds(root) && to.versions().unwrap().is_empty());
    assert!(files(&to.path().join("incoming")).is_empty());
    let rest = to.replicate(root, &from, &Progress::new()).unwrap();
    assert_eq!((rest.fetched_chunks, rest.already_chunks), (43 - 25, 25));
    assert!(read_all(&to, root, Arc::new(NoPeers)) == fs::read(&image).unwrap());
}

#[test]
fn what_a_peer_sends_damaged_is_never_written() {
    let bench = Bench::new();
    let (from, to) = (bench.store("from"), bench.store("to"));
    let root = import(&from, &bench.image("image", SIZE, &[(0, 1), (1, 2)])).root;
    let error = to
        .replicate(root, &DamagingPeer(from), &Progress::new())
        .unwrap_err();
    assert!(matches!(error, ReplicateError::Peers { .. }));
    assert!(packs(&to).is_empty() && to.versions().unwrap().is_empty());
}

#[test]
fn a_version_that_no_peer_has_is_named() {
    let bench = Bench::new();
    let (from, to) = (bench.store("from"), bench.store("to"));
    let root = RootHash::from_bytes([5; 32]);
    let error = to.replicate(root, &from, &Progress::new()).unwrap_err();
    assert!(error.to_string().contains(&root.to_string()), "{error}");
}

#[test]
fn what_was_served_before_is_not_fetched_again() {
    let bench = Bench::new();
    let (from, to) = (bench.store("from"), bench.store("to"));
    let image = bench.image("image", SIZE, &[(0, 1), (1, 2), (1_100, 3)]);
    let root = import(&from, &image).root;
    // A cold server: it has nothing, and serves at once.
    let peer = Arc::new(CountingPeer::new(&from));
    let served = to.serve(root, peer.clone()).unwrap();
    let mut start = vec![0; 2 * 65_536];
    served.read_at(0, &mut start).unwrap();
    assert!(start == fs::read(&image).unwrap()[..start.len()]);
    assert!(!to.holds(root));
    let before = peer.asked.lock().unwrap().len();
    let replicated = to.replicate(root, &*peer, &Progress::new()).unwrap();
    assert_eq!(
        replicated.already_chunks, 2,
        "the two chunks that were read"
    );
    let asked = peer.asked.lock().unwrap()[before..].to_vec();
    assert_eq!(asked.len() as u64, replicated.fetched_chunks);
    assert!(read_all(&to, root, Arc::new(NoPeers)) == fs::read(&image).unwrap());
}

#[test]
fn a_cancelled_replication_keeps_what_came() {
    let bench = Bench::new();
    let (from, to) = (bench.store("from"), bench.store("to"));
    let root = import(&from, &bench.image("image", SIZE, &[(0, 1)])).root;
    let progress = Progress::new();
    progress.cancel();
    let error = to.replicate(root, &from, &progress).unwrap_err();
    assert!(matches!(error, ReplicateError::Cancelled) && !to.holds(root));
}

#[test]
fn a_version_of_only_zeros_is_replicated_by_its_root_alone() {
    let bench = Bench::new();
    let (from, to) = (bench.store("from"), bench.store("to"));
    let root = import(&from, &bench.image("image", SIZE, &[])).root;
    let replicated = to.replicate(root, &from, &Progress::new()).unwrap();
    assert_eq!(
        (replicated.fetched_chunks, replicated.already_chunks),
        (0, 0)
    );
    assert!(to.holds(root));
}
