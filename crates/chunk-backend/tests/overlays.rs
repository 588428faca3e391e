//! Overlays in a store: what one process wrote the next one finds, and nobody gets in another's way.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs;
use std::ops::ControlFlow;
use std::sync::Arc;

use chunk_backend::{
    CreateOverlayError, Extent, NoPeers, OpenOverlayError, Overlay, OverlayId, ServedVersion,
    Store, WriteError, Zeroing,
};
use chunk_store::CHUNK_BYTES;
use support::{Bench, allocated_bytes, content, files, flip, import};

const BLOCK: u64 = 4_096;
const SIZE: u64 = 4 * CHUNK_BYTES + 1_000;
const ID: OverlayId = OverlayId::from_bytes([1; 16]);

/// A store with a version of five chunks, the second of them zeros.
struct Setting {
    bench: Bench,
    store: Store,
    base: Arc<ServedVersion>,
}

impl Setting {
    fn new() -> Self {
        let bench = Bench::new();
        let store = bench.store("store");
        let image = bench.image("image", SIZE, &[(0, 1), (2, 2), (3, 3), (4, 4)]);
        let root = import(&store, &image).root;
        let base = store.serve(root, Arc::new(NoPeers)).unwrap();
        Self { bench, store, base }
    }

    fn create(&self, limit_bytes: u64) -> Overlay {
        Overlay::create(&self.store, ID, &self.base, limit_bytes).unwrap()
    }

    fn open(&self) -> Overlay {
        Overlay::open(&self.store, ID, &self.base).unwrap()
    }

    /// The system restarts without having written anything that was not flushed.
    fn forget_live_states(&self) {
        fs::remove_file(self.folder().join("live")).unwrap();
    }

    fn folder(&self) -> std::path::PathBuf {
        self.store.path().join("overlays").join(ID.to_string())
    }
}

fn read(overlay: &Overlay, offset: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    overlay.read_at(offset, &mut bytes).unwrap();
    bytes
}

#[test]
fn what_is_written_is_read_and_the_version_stays_as_it_is() {
    let setting = Setting::new();
    let overlay = setting.create(u64::MAX);
    assert!(read(&overlay, 0, 65_536) == content(1));
    overlay.write_at(100, b"changed").unwrap();
    let mut expected = content(1);
    expected[100..107].copy_from_slice(b"changed");
    assert!(read(&overlay, 0, 65_536) == expected);
    overlay
        .write_zeroes(2 * CHUNK_BYTES, CHUNK_BYTES, Zeroing::MayPunch)
        .unwrap();
    assert!(read(&overlay, 2 * CHUNK_BYTES, 65_536) == vec![0; 65_536]);
    let mut below = vec![0; 65_536];
    setting.base.read_at(0, &mut below).unwrap();
    assert!(below == content(1));
    let usage = overlay.usage();
    assert_eq!(
        (usage.allocated_bytes, usage.changed_bytes),
        (BLOCK, BLOCK + CHUNK_BYTES)
    );
}

#[test]
fn what_was_written_outlives_the_process_and_what_was_flushed_the_system() {
    let setting = Setting::new();
    let overlay = setting.create(u64::MAX);
    overlay.write_at(0, b"flushed").unwrap();
    overlay.flush().unwrap();
    let kept: Vec<_> = ["data", "map"]
        .map(|name| fs::read(setting.folder().join(name)).unwrap())
        .into();
    overlay.write_at(BLOCK, b"written").unwrap();
    overlay.trim(3 * CHUNK_BYTES, CHUNK_BYTES).unwrap();
    drop(overlay);
    let overlay = setting.open();
    assert_eq!(read(&overlay, 0, 7), b"flushed");
    assert_eq!(read(&overlay, BLOCK, 7), b"written");
    assert_eq!(read(&overlay, 3 * CHUNK_BYTES, 7), [0; 7]);
    drop(overlay);
    // The disk has no more than what was flushed first.
    for (name, bytes) in ["data", "map"].iter().zip(kept) {
        let file = fs::OpenOptions::new()
            .write(true)
            .open(setting.folder().join(name));
        std::os::unix::fs::FileExt::write_all_at(&file.unwrap(), &bytes, 0).unwrap();
    }
    setting.forget_live_states();
    let overlay = setting.open();
    assert_eq!(read(&overlay, 0, 7), b"flushed");
    assert!(read(&overlay, BLOCK, 7) == content(1)[4_096..4_103]);
    assert!(read(&overlay, 3 * CHUNK_BYTES, 7) == content(3)[..7]);
    assert_eq!(overlay.usage().allocated_bytes, BLOCK);
}

#[test]
fn an_overlay_has_one_process_at_a_time() {
    let setting = Setting::new();
    let overlay = setting.create(u64::MAX);
    let opened = Overlay::open(&setting.store, ID, &setting.base);
    assert!(
        matches!(opened, Err(OpenOverlayError::InUse { .. })),
        "{opened:?}"
    );
    let removed = Overlay::remove(&setting.store, ID);
    assert!(matches!(removed, Err(OpenOverlayError::InUse { .. })));
    let created = Overlay::create(&setting.store, ID, &setting.base, 1);
    assert!(matches!(
        created,
        Err(CreateOverlayError::AlreadyExists { .. })
    ));
    drop(overlay);
    drop(setting.open());
}

#[test]
fn a_removed_overlay_is_gone_and_removing_it_again_is_no_error() {
    let setting = Setting::new();
    assert_eq!(Overlay::list(&setting.store).unwrap(), []);
    drop(setting.create(u64::MAX));
    assert_eq!(Overlay::list(&setting.store).unwrap(), [ID]);
    Overlay::remove(&setting.store, ID).unwrap();
    Overlay::remove(&setting.store, ID).unwrap();
    assert_eq!(Overlay::list(&setting.store).unwrap(), []);
    assert!(files(&setting.store.path().join("incoming")).is_empty());
    let opened = Overlay::open(&setting.store, ID, &setting.base);
    assert!(
        matches!(opened, Err(OpenOverlayError::Unknown { .. })),
        "{opened:?}"
    );
}

#[test]
fn an_overlay_opens_only_over_its_own_version() {
    let setting = Setting::new();
    drop(setting.create(u64::MAX));
    let image = setting.bench.image("other", SIZE, &[(0, 9)]);
    let other = import(&setting.store, &image).root;
    let other = setting.store.serve(other, Arc::new(NoPeers)).unwrap();
    let opened = Overlay::open(&setting.store, ID, &other);
    assert!(
        matches!(opened, Err(OpenOverlayError::OtherBase { .. })),
        "{opened:?}"
    );
    let head = Overlay::head(&setting.store, ID).unwrap();
    assert_eq!((head.base, head.size), (setting.base.root(), SIZE));
}

#[test]
fn what_is_damaged_cut_or_newer_is_refused_and_left_alone() {
    let setting = Setting::new();
    let overlay = setting.create(u64::MAX);
    for _ in 0..3 {
        overlay.write_at(0, b"x").unwrap();
        overlay.trim(0, BLOCK).unwrap();
        overlay.flush().unwrap();
    }
    drop(overlay);
    setting.forget_live_states();
    let open = || {
        Overlay::open(&setting.store, ID, &setting.base)
            .unwrap_err()
            .to_string()
    };
    let map = setting.folder().join("map");
    for slot in [0, 4_096] {
        flip(&map, slot + 70);
    }
    assert!(
        open().contains("the map of blocks is damaged at leaf 0"),
        "{}",
        open()
    );
    for slot in [0, 4_096] {
        flip(&map, slot + 70);
    }
    let head = setting.folder().join("head");
    let kept = fs::read(&head).unwrap();
    flip(&head, 70);
    assert!(
        open().contains("not an overlay's head, or damaged"),
        "{}",
        open()
    );
    let mut newer = kept.clone();
    newer[8] = 9;
    support::replace(&head, &newer);
    assert!(
        open().contains("has format 9, but this release reads format 1; upgrade this server"),
        "{}",
        open()
    );
    support::replace(&head, &kept);
    let data = setting.folder().join("data");
    fs::OpenOptions::new()
        .write(true)
        .open(&data)
        .unwrap()
        .set_len(5)
        .unwrap();
    assert!(open().contains("has 5 bytes, not 263144"), "{}", open());
}

#[test]
fn a_reached_limit_refuses_that_write_only() {
    let setting = Setting::new();
    let overlay = setting.create(2 * BLOCK);
    overlay.write_at(0, &[1; 4_096]).unwrap();
    let refused = overlay.write_at(BLOCK, &[2; 8_192]).unwrap_err();
    assert!(
        refused.is_no_space() && matches!(refused, WriteError::LimitReached { .. }),
        "{refused}"
    );
    assert!(overlay.usage().is_full);
    assert!(read(&overlay, BLOCK, 8_192) == content(1)[4_096..12_288]);
    // What is there can be changed; trimmed space can be used again; and one more block still fits.
    overlay.write_at(0, &[3; 4_096]).unwrap();
    overlay.write_at(BLOCK, &[4; 4_096]).unwrap();
    assert!(!overlay.usage().is_full);
    overlay.trim(0, BLOCK).unwrap();
    overlay.write_at(2 * BLOCK, &[5; 4_096]).unwrap();
    assert!(overlay.write_at(3 * BLOCK, &[6]).unwrap_err().is_no_space());
    overlay.set_limit(3 * BLOCK).unwrap();
    overlay.write_at(3 * BLOCK, &[6]).unwrap();
    drop(overlay);
    let usage = setting.open().usage();
    assert_eq!(
        (usage.allocated_bytes, usage.limit_bytes),
        (3 * BLOCK, 3 * BLOCK)
    );
}

#[test]
fn trimmed_and_zeroed_blocks_give_their_space_back() {
    let setting = Setting::new();
    let overlay = setting.create(u64::MAX);
    overlay.write_at(0, &vec![7; 131_072]).unwrap();
    let data = fs::File::open(setting.folder().join("data")).unwrap();
    overlay.flush().unwrap();
    assert!(allocated_bytes(&data) >= 131_072);
    overlay.trim(0, 65_536).unwrap();
    overlay
        .write_zeroes(65_536, 65_536, Zeroing::MayPunch)
        .unwrap();
    assert_eq!(
        (allocated_bytes(&data), overlay.usage().allocated_bytes),
        (0, 0)
    );
    overlay
        .write_zeroes(0, 65_536, Zeroing::KeepAllocated)
        .unwrap();
    assert_eq!(overlay.usage().allocated_bytes, 65_536);
    assert!(read(&overlay, 0, 131_072) == vec![0; 131_072]);
}

#[test]
fn extents_show_what_is_zeros_below_and_in_the_overlay() {
    let setting = Setting::new();
    let overlay = setting.create(u64::MAX);
    overlay.write_at(CHUNK_BYTES + BLOCK, &[1]).unwrap();
    overlay.trim(3 * CHUNK_BYTES, 2 * BLOCK).unwrap();
    let mut found = Vec::new();
    overlay
        .extents(10, SIZE - 10, &mut |extent: Extent| {
            found.push((extent.offset, extent.length, extent.is_hole));
            ControlFlow::Continue(())
        })
        .unwrap();
    let expected = [
        (10, CHUNK_BYTES - 10, false),
        (CHUNK_BYTES, BLOCK, true),
        (CHUNK_BYTES + BLOCK, BLOCK, false),
        (CHUNK_BYTES + 2 * BLOCK, CHUNK_BYTES - 2 * BLOCK, true),
        (2 * CHUNK_BYTES, CHUNK_BYTES, false),
        (3 * CHUNK_BYTES, 2 * BLOCK, true),
        (
            3 * CHUNK_BYTES + 2 * BLOCK,
            SIZE - 3 * CHUNK_BYTES - 2 * BLOCK,
            false,
        ),
    ];
    assert_eq!(found, expected);
    let mut count = 0;
    overlay
        .extents(0, SIZE, &mut |_| {
            count += 1;
            ControlFlow::Break(())
        })
        .unwrap();
    assert_eq!(count, 1);
    assert!(
        overlay
            .extents(1, SIZE, &mut |_| ControlFlow::Continue(()))
            .is_err()
    );
}

#[test]
fn ranges_beyond_the_end_are_refused() {
    let setting = Setting::new();
    let overlay = setting.create(u64::MAX);
    assert!(overlay.write_at(SIZE - 1, b"xy").is_err());
    assert!(overlay.write_at(u64::MAX, b"xy").is_err());
    assert!(overlay.trim(SIZE, 1).is_err());
    assert!(
        overlay
            .write_zeroes(0, SIZE + 1, Zeroing::MayPunch)
            .is_err()
    );
    assert!(overlay.read_at(SIZE, &mut [0]).is_err());
    overlay.write_at(SIZE - 2, b"xy").unwrap();
    assert_eq!(read(&overlay, SIZE - 2, 2), b"xy");
}

#[test]
fn writers_of_one_block_keep_each_others_bytes() {
    let setting = Setting::new();
    let overlay = setting.create(u64::MAX);
    // Eight write every eighth byte of the same blocks, none of which is in the overlay yet.
    std::thread::scope(|scope| {
        for writer in 0_u8..8 {
            let overlay = &overlay;
            scope.spawn(move || {
                for place in (u64::from(writer)..3 * BLOCK).step_by(8) {
                    overlay.write_at(place, &[writer + 1]).unwrap();
                    if place % 512 == u64::from(writer) {
                        overlay.flush().unwrap();
                    }
                }
            });
        }
    });
    let expected: Vec<u8> = (0..3 * BLOCK)
        .map(|place| (place % 8).to_le_bytes()[0] + 1)
        .collect();
    assert!(read(&overlay, 0, 12_288) == expected);
    drop(overlay);
    setting.forget_live_states();
    assert!(read(&setting.open(), 0, 12_288) == expected);
}
