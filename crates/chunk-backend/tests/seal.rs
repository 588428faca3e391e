//! Sealing an overlay: the version that an import of the same bytes makes, by what was written alone.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chunk_backend::{
    NoPeers, Overlay, OverlayId, Progress, SealError, Sealed, Store, WriteError, Zeroing,
};
use chunk_store::{CHUNK_BYTES, RootHash};
use proptest::prelude::*;
use support::{Bench, content, files, import, packs, read_all, root_of};

const ID: OverlayId = OverlayId::from_bytes([2; 16]);
const BLOCK: u64 = 4_096;

fn overlay(store: &Store, root: RootHash) -> Overlay {
    let base = store.serve(root, Arc::new(NoPeers)).unwrap();
    Overlay::create(store, ID, &base, u64::MAX).unwrap()
}

fn seal(store: &Store, overlay: &Overlay) -> Sealed {
    store.seal(overlay, &Progress::new()).unwrap()
}

/// A disk of `size` bytes that is written to in an overlay and in a plain file.
struct Twins {
    bench: Bench,
    store: Store,
    overlay: Overlay,
    file: PathBuf,
    size: u64,
}

impl Twins {
    fn new(size: u64, chunks: &[(u64, u64)]) -> Self {
        let bench = Bench::new();
        let store = bench.store("store");
        let file = bench.image("image", size, chunks);
        let root = import(&store, &file).root;
        let overlay = overlay(&store, root);
        Self {
            bench,
            store,
            overlay,
            file,
            size,
        }
    }

    fn plain(&self) -> fs::File {
        fs::OpenOptions::new().write(true).open(&self.file).unwrap()
    }

    fn write(&self, offset: u64, bytes: &[u8]) {
        self.overlay.write_at(offset, bytes).unwrap();
        self.plain().write_all_at(bytes, offset).unwrap();
    }

    fn zero(&self, offset: u64, length: u64) {
        self.overlay
            .write_zeroes(offset, length, Zeroing::MayPunch)
            .unwrap();
        let zeros = vec![0; usize::try_from(length).unwrap()];
        self.plain().write_all_at(&zeros, offset).unwrap();
    }
}

#[test]
fn a_sealed_overlay_is_the_version_that_an_import_of_its_bytes_is() {
    let twins = Twins::new(5 * CHUNK_BYTES + 100, &[(0, 1), (2, 2), (3, 3), (5, 5)]);
    twins.write(10, b"within one block");
    twins.write(2 * CHUNK_BYTES, &content(9));
    twins.zero(3 * CHUNK_BYTES, CHUNK_BYTES);
    twins.write(5 * CHUNK_BYTES + 50, &[1; 50]);
    let sealed = seal(&twins.store, &twins.overlay);
    assert_eq!(sealed.root, root_of(&twins.file));
    assert_eq!(
        (sealed.read_chunks, sealed.changed_chunks, sealed.new_chunks),
        (3, 4, 3)
    );
    let read = read_all(&twins.store, sealed.root, Arc::new(NoPeers));
    assert!(read == fs::read(&twins.file).unwrap());
    assert!(twins.store.verify(&Progress::new()).unwrap().is_sound());
    assert!(files(&twins.store.path().join("incoming")).is_empty());
    // Another store, to which only the version is replicated, has all of it.
    let elsewhere = twins.bench.store("elsewhere");
    elsewhere
        .replicate(sealed.root, &twins.store, &Progress::new())
        .unwrap();
    assert!(read_all(&elsewhere, sealed.root, Arc::new(NoPeers)) == read);
}

#[test]
fn what_is_read_and_stored_is_what_was_written_however_large_the_disk() {
    // 40 GiB: 640 pages in two levels, of which one of each is made anew.
    let size = 40 << 30;
    let bench = Bench::new();
    let store = bench.store("store");
    let far = size / CHUNK_BYTES - 3;
    let file = bench.image("image", size, &[(0, 1), (700, 2), (far, 3)]);
    let root = import(&store, &file).root;
    let overlay = overlay(&store, root);
    overlay
        .write_at(far * CHUNK_BYTES + 5, b"a little")
        .unwrap();
    overlay.trim(1_000 * CHUNK_BYTES, 20 << 30).unwrap();
    let progress = Progress::new();
    let sealed = store.seal(&overlay, &progress).unwrap();
    assert_eq!(
        (sealed.read_chunks, sealed.changed_chunks, sealed.new_chunks),
        (1, 1, 1)
    );
    let values = progress.values();
    assert_eq!(
        (values.total_bytes, values.done_bytes),
        (CHUNK_BYTES, CHUNK_BYTES)
    );
    // A chunk, and the two pages above it.
    assert!(sealed.stored_bytes < 3 * CHUNK_BYTES, "{sealed:?}");
    let difference = store.difference(root, sealed.root).unwrap();
    assert_eq!(difference.changed_chunks, 1);
}

#[test]
fn an_overlay_without_changes_seals_as_its_own_base() {
    let twins = Twins::new(3 * CHUNK_BYTES, &[(0, 1)]);
    let before = packs(&twins.store);
    // The same bytes again, and zeros over zeros, are no change.
    twins.write(BLOCK, &content(1)[4_096..8_192]);
    twins.zero(CHUNK_BYTES, CHUNK_BYTES);
    let sealed = seal(&twins.store, &twins.overlay);
    assert_eq!(sealed.root, twins.overlay.base().root());
    assert_eq!(
        (
            sealed.changed_chunks,
            sealed.new_chunks,
            sealed.stored_bytes
        ),
        (0, 0, 0)
    );
    assert_eq!(packs(&twins.store), before);
}

#[test]
fn a_sealed_overlay_takes_no_changes_and_says_what_it_became() {
    let twins = Twins::new(3 * CHUNK_BYTES, &[(0, 1)]);
    twins.write(0, b"last words");
    let root = seal(&twins.store, &twins.overlay).root;
    let refused = |overlay: &Overlay| {
        for refused in [
            overlay.write_at(0, b"more"),
            overlay.trim(0, CHUNK_BYTES),
            overlay.write_zeroes(0, 5, Zeroing::MayPunch),
        ] {
            assert!(matches!(refused, Err(WriteError::Sealed)), "{refused:?}");
        }
        overlay.flush().unwrap();
        assert_eq!(overlay.sealed_root(), Some(root));
    };
    refused(&twins.overlay);
    let again = twins.store.seal(&twins.overlay, &Progress::new());
    assert!(matches!(again, Err(SealError::Already { root: found }) if found == root));
    let Twins {
        store,
        overlay,
        bench,
        ..
    } = twins;
    let base = Arc::clone(overlay.base());
    drop(overlay);
    refused(&Overlay::open(&store, ID, &base).unwrap());
    assert_eq!(Overlay::head(&store, ID).unwrap().sealed, Some(root));
    Overlay::remove(&store, ID).unwrap();
    assert!(store.holds(root));
    drop(bench);
}

#[test]
fn a_cancelled_sealing_publishes_nothing_and_the_overlay_goes_on() {
    let twins = Twins::new(3 * CHUNK_BYTES, &[(0, 1)]);
    twins.write(0, b"first");
    let progress = Progress::new();
    progress.cancel();
    let cancelled = twins.store.seal(&twins.overlay, &progress);
    assert!(
        matches!(cancelled, Err(SealError::Cancelled)),
        "{cancelled:?}"
    );
    assert_eq!(twins.store.versions().unwrap().len(), 1);
    assert!(files(&twins.store.path().join("incoming")).is_empty());
    twins.write(BLOCK, b"second");
    assert_eq!(
        seal(&twins.store, &twins.overlay).root,
        root_of(&twins.file)
    );
}

#[test]
fn a_version_is_made_only_over_one_that_is_here_as_a_whole() {
    let bench = Bench::new();
    let from = bench.store("from");
    let image = bench.image("image", 3 * CHUNK_BYTES, &[(0, 1), (1, 2)]);
    let root = import(&from, &image).root;
    let store = bench.store("store");
    let base = store.serve(root, Arc::new(from.clone())).unwrap();
    let overlay = Overlay::create(&store, ID, &base, u64::MAX).unwrap();
    overlay.write_at(5, b"changed").unwrap();
    let refused = store.seal(&overlay, &Progress::new());
    assert!(
        matches!(refused, Err(SealError::BaseIncomplete { .. })),
        "{refused:?}"
    );
    let refused = from.seal(&overlay, &Progress::new());
    assert!(
        matches!(refused, Err(SealError::OtherStore { .. })),
        "{refused:?}"
    );
    store.replicate(root, &from, &Progress::new()).unwrap();
    overlay.write_at(50, b"and again").unwrap();
    let sealed = seal(&store, &overlay);
    let mut expected = fs::read(&image).unwrap();
    expected[5..12].copy_from_slice(b"changed");
    expected[50..59].copy_from_slice(b"and again");
    assert!(read_all(&store, sealed.root, Arc::new(NoPeers)) == expected);
}

#[derive(Debug, Clone)]
enum Change {
    Write(u64, u64, u8),
    Zero(u64, u64),
}

fn change() -> impl Strategy<Value = Change> {
    let place = 0..6 * CHUNK_BYTES;
    prop_oneof![
        3 => (place.clone(), 1_u64..100_000, any::<u8>()).prop_map(|(at, length, seed)| Change::Write(at, length, seed)),
        2 => (place, 1..3 * CHUNK_BYTES).prop_map(|(at, length)| Change::Zero(at, length)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn whatever_was_written_the_root_is_that_of_the_same_bytes(
        size in 6 * CHUNK_BYTES..7 * CHUNK_BYTES,
        changes in prop::collection::vec(change(), 0..12),
    ) {
        let twins = Twins::new(size, &[(0, 1), (2, 2), (3, 1), (5, 3)]);
        for change in changes {
            let within = |at: u64, length: u64| length.min(twins.size - at);
            match change {
                Change::Write(at, length, seed) => {
                    let length = usize::try_from(within(at, length)).unwrap();
                    twins.write(at, &vec![seed; length]);
                }
                Change::Zero(at, length) => twins.zero(at, within(at, length)),
            }
        }
        prop_assert_eq!(seal(&twins.store, &twins.overlay).root, root_of(&twins.file));
        prop_assert!(is_sound(twins.store.path()));
    }
}

fn is_sound(path: &Path) -> bool {
    let store = Store::open(path, support::FARM).unwrap();
    store.verify(&Progress::new()).unwrap().is_sound()
}
