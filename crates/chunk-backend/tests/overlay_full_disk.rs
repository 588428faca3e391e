//! An overlay whose file system is full: the write that needs room is refused, everything else goes on.
//!
//! These need a small file system of their own, and so the right to mount one.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a test may panic, and says why it was skipped"
)]

mod support;

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, MutexGuard};

use chunk_backend::{
    NoPeers, Overlay, OverlayId, Progress, SealError, ServedVersion, Store, Zeroing,
};
use chunk_store::CHUNK_BYTES;
use support::{Bench, FARM, Mounted, alone, files, import, root_of};

const MEBIBYTE: u64 = 1 << 20;
const BLOCK: u64 = 4_096;
const SIZE: u64 = 64 * MEBIBYTE;
const IDS: [OverlayId; 2] = [
    OverlayId::from_bytes([5; 16]),
    OverlayId::from_bytes([6; 16]),
];

/// Write to a file until the disk is full.
fn fill(path: &Path) {
    let mut file = fs::File::create(path).unwrap();
    for piece in [65_536, 4_096, 1] {
        let bytes = vec![0xEE; piece];
        loop {
            match file.write_all(&bytes) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull => break,
                Err(error) => unreachable!("{error}"),
            }
        }
    }
    _ = file.sync_all();
}

fn sparse_copy(from: &Path, to: &Path) {
    let copied = Command::new("cp")
        .args(["--recursive", "--sparse=always"])
        .args([from, to])
        .status();
    assert!(copied.unwrap().success());
}

struct Setting {
    bench: Bench,
    small: Mounted,
    store: Store,
    base: Arc<ServedVersion>,
    /// Until the others have gone: to unmount is to start a process.
    _alone: MutexGuard<'static, ()>,
}

impl Setting {
    fn new() -> Option<Self> {
        let alone = alone();
        let bench = Bench::new();
        let small = Mounted::tmpfs(bench.path("small"), 16 * MEBIBYTE)?;
        let store = Store::create(&small.path.join("store"), FARM).unwrap();
        let image = bench.image("image", SIZE, &[(0, 1), (900, 2)]);
        let root = import(&store, &image).root;
        let base = store.serve(root, Arc::new(NoPeers)).unwrap();
        base.make_ready(0, u32::try_from(SIZE).unwrap()).unwrap();
        Some(Self {
            bench,
            small,
            store,
            base,
            _alone: alone,
        })
    }

    fn filler(&self) -> std::path::PathBuf {
        self.small.path.join("filler")
    }
}

fn read(overlay: &Overlay, offset: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    overlay.read_at(offset, &mut bytes).unwrap();
    bytes
}

#[test]
fn a_full_disk_refuses_the_write_that_needs_room_and_no_other() {
    let Some(setting) = Setting::new() else {
        return;
    };
    let create = |id| Overlay::create(&setting.store, id, &setting.base, u64::MAX).unwrap();
    let [one, other] = IDS.map(create);
    one.write_at(0, &[1; 8_192]).unwrap();
    other.write_at(0, &[2; 8_192]).unwrap();
    fill(&setting.filler());
    for overlay in [&one, &other] {
        for place in [2 * BLOCK, 40 * MEBIBYTE] {
            let before = read(overlay, place, 100_000);
            let refused = overlay.write_at(place, &vec![9; 100_000]).unwrap_err();
            assert!(refused.is_no_space(), "{refused}");
            assert!(read(overlay, place, 100_000) == before);
        }
        assert!(overlay.usage().is_full);
        assert_eq!(overlay.usage().allocated_bytes, 2 * BLOCK);
    }
    // What is there is written again and flushed; nothing of that needs room.
    one.write_at(100, &[3; 5_000]).unwrap();
    one.flush().unwrap();
    let zeroes = one
        .write_zeroes(40 * MEBIBYTE, BLOCK, Zeroing::MayPunch)
        .unwrap_err();
    assert!(zeroes.is_no_space(), "{zeroes}");
    one.trim(41 * MEBIBYTE, MEBIBYTE).unwrap();
    // What is trimmed makes room, for others too.
    one.trim(BLOCK, BLOCK).unwrap();
    other.write_at(2 * BLOCK, &[4; 4_096]).unwrap();
    assert!(!other.usage().is_full);
    other.flush().unwrap();
    one.flush().unwrap();
    drop((one, other));
    let open = |id| Overlay::open(&setting.store, id, &setting.base).unwrap();
    let [one, other] = IDS.map(open);
    assert_eq!(
        (read(&one, 200, 2), read(&one, BLOCK, 2)),
        (vec![3; 2], vec![0; 2])
    );
    assert_eq!(
        (read(&other, BLOCK, 2), read(&other, 2 * BLOCK, 2)),
        (vec![2; 2], vec![4; 2])
    );
    fs::remove_file(setting.filler()).unwrap();
    one.write_at(40 * MEBIBYTE, &vec![5; 100_000]).unwrap();
    assert!(!one.usage().is_full);
}

#[test]
fn an_overlay_opens_on_a_full_disk_and_keeps_what_it_takes() {
    let Some(setting) = Setting::new() else {
        return;
    };
    let open = || Overlay::open(&setting.store, IDS[0], &setting.base).unwrap();
    let overlay = Overlay::create(&setting.store, IDS[0], &setting.base, u64::MAX).unwrap();
    overlay.write_at(0, &[1; 8_192]).unwrap();
    drop(overlay);
    let folder = setting
        .store
        .path()
        .join("overlays")
        .join(IDS[0].to_string());
    // As after a restart of the system; and there is no room for the live states.
    fs::remove_file(folder.join("live")).unwrap();
    fill(&setting.filler());
    let overlay = open();
    assert!(
        overlay
            .write_at(2 * BLOCK, &[2; 4_096])
            .unwrap_err()
            .is_no_space()
    );
    overlay.write_at(5, &[3; 5]).unwrap();
    overlay.trim(BLOCK, BLOCK).unwrap();
    // Killed, and nothing is known of it but what is safe.
    std::mem::forget(overlay);
    let copy = setting.bench.path("copy");
    sparse_copy(&folder, &copy);
    fs::remove_file(setting.filler()).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    sparse_copy(&copy, &folder);
    _ = fs::remove_file(folder.join("live"));
    let overlay = open();
    assert_eq!(
        (read(&overlay, 5, 5), read(&overlay, BLOCK, 4)),
        (vec![3; 5], vec![0; 4])
    );
}

#[test]
fn a_sealing_that_finds_no_room_publishes_nothing_and_can_be_done_later() {
    let Some(setting) = Setting::new() else {
        return;
    };
    let overlay = Overlay::create(&setting.store, IDS[0], &setting.base, u64::MAX).unwrap();
    let mut noise = vec![0; 2 << 20];
    blake3::Hasher::new()
        .update(b"noise")
        .finalize_xof()
        .fill(&mut noise);
    overlay.write_at(CHUNK_BYTES, &noise).unwrap();
    fill(&setting.filler());
    let error = setting.store.seal(&overlay, &Progress::new()).unwrap_err();
    assert!(matches!(error, SealError::NoSpace(_)), "{error}");
    assert_eq!(setting.store.versions().unwrap().len(), 1);
    assert!(files(&setting.store.path().join("incoming")).is_empty());
    fs::remove_file(setting.filler()).unwrap();
    overlay.write_at(0, b"later").unwrap();
    let sealed = setting.store.seal(&overlay, &Progress::new()).unwrap();
    let image = setting.bench.path("image");
    let file = fs::OpenOptions::new().write(true).open(&image).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &noise, CHUNK_BYTES).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"later", 0).unwrap();
    assert_eq!(sealed.root, root_of(&image));
}
