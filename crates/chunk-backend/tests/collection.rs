//! Collections free what nobody needs and nothing else, beside writers and readers.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use chunk_backend::{
    CollectError, Collected, DiskSource, NoPeers, Overlay, OverlayId, Progress, RawFile,
    ReplicateError, SealError, Store,
};
use chunk_store::{CHUNK_BYTES, ChunkName, Entry, RootHash};
use support::{Bench, FARM, content, damage_in_packs, files, flip, import, packs, read_all};

fn collect(store: &Store) -> Collected {
    let plan = store.plan_collection(&store.versions().unwrap()).unwrap();
    store.collect(&plan, &Progress::new()).unwrap()
}

fn pack_bytes(store: &Store) -> u64 {
    let length = |path: &PathBuf| fs::metadata(path).unwrap().len();
    packs(store).iter().map(length).sum()
}

/// Chunks `from..to` of content, one after the other.
fn run(from: u64, to: u64) -> Vec<(u64, u64)> {
    (from..to).map(|seed| (seed - from, seed)).collect()
}

fn image(bench: &Bench, name: &str, from: u64, to: u64) -> PathBuf {
    bench.image(name, (to - from) * CHUNK_BYTES, &run(from, to))
}

fn check(store: &Store, root: RootHash, image: &Path) {
    assert!(read_all(store, root, Arc::new(NoPeers)) == fs::read(image).unwrap());
}

fn is_sound(store: &Store) -> bool {
    store.verify(&Progress::new()).unwrap().is_sound()
}

#[test]
fn what_only_a_removed_version_had_is_freed_and_shared_chunks_stay() {
    let bench = Bench::new();
    let store = bench.store("store");
    let (old, new) = (image(&bench, "old", 1, 41), image(&bench, "new", 31, 61));
    let (gone, kept) = (import(&store, &old).root, import(&store, &new).root);
    assert!(
        store
            .plan_collection(&[gone, kept])
            .unwrap()
            .delete
            .is_empty()
    );
    store.remove_version(gone).unwrap();
    let before = pack_bytes(&store);
    let plan = store.plan_collection(&[kept]).unwrap();
    assert_eq!(pack_bytes(&store), before, "a plan changes nothing");
    assert_eq!(
        (plan.rewrite.len(), plan.unnamed_roots.len()),
        (1, 0),
        "{plan:?}"
    );
    let done = store.collect(&plan, &Progress::new()).unwrap();
    assert_eq!(done.removed_packs, 1);
    // 30 of 70 chunks, of which half does not compress, and their page.
    assert!(
        plan.freed_bytes > 30 * CHUNK_BYTES / 2,
        "{}",
        plan.freed_bytes
    );
    assert!(pack_bytes(&store) <= before - plan.freed_bytes);
    assert_eq!(done.copied_bytes, plan.copied_bytes - 40 * 10);
    check(&store, kept, &new);
    fs::remove_dir_all(store.path().join("flat")).unwrap();
    let other = Store::open(store.path(), FARM).unwrap();
    check(&other, kept, &new);
    assert!(is_sound(&other));
    let again = collect(&store);
    assert!(again.plan.is_empty(), "{again:?}");
    assert_eq!(again.plan.dead_bytes, 0);
}

#[test]
fn a_pack_in_which_little_is_dead_stays() {
    let bench = Bench::new();
    let store = bench.store("store");
    let (long, short) = (image(&bench, "long", 1, 41), image(&bench, "short", 1, 38));
    let (gone, kept) = (import(&store, &long).root, import(&store, &short).root);
    store.remove_version(gone).unwrap();
    let done = collect(&store);
    assert!(done.plan.dead_bytes > 3 * CHUNK_BYTES / 2);
    assert!(done.plan.is_empty());
    assert_eq!((done.removed_packs, packs(&store).len()), (0, 2));
    check(&store, kept, &short);
}

#[test]
fn versions_that_nobody_named_are_kept_and_told() {
    let bench = Bench::new();
    let store = bench.store("store");
    let image = image(&bench, "image", 1, 9);
    let root = import(&store, &image).root;
    let plan = store.plan_collection(&[]).unwrap();
    assert_eq!(
        (plan.kept_roots, plan.unnamed_roots.clone()),
        (vec![root], vec![root])
    );
    store
        .collect(&store.plan_collection(&[]).unwrap(), &Progress::new())
        .unwrap();
    check(&store, root, &image);
    assert!(is_sound(&store));
}

/// A source that, in the midst of its reading, has another thread collect, and goes on once that waits.
struct Meanwhile {
    file: RawFile,
    store: Store,
    progress: Progress,
    begun: Option<thread::JoinHandle<Collected>>,
}

fn wait_until(mut is_so: impl FnMut() -> bool) {
    let mut looks = 0;
    while !is_so() {
        assert!(looks < 6_000, "it did not come to it in a minute");
        looks += 1;
        thread::park_timeout(Duration::from_millis(10));
    }
}

impl DiskSource for Meanwhile {
    fn size(&self) -> u64 {
        self.file.size()
    }

    fn next_data(&mut self, from: u64) -> io::Result<Option<(u64, u64)>> {
        self.file.next_data(from)
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        // Behind the first MiB: chunks were looked up, and found, by then or soon.
        if offset > 0 && self.begun.is_none() {
            let (store, progress) = (self.store.clone(), self.progress.clone());
            self.begun = Some(thread::spawn(move || {
                let plan = store.plan_collection(&[]).unwrap();
                assert!(!plan.delete.is_empty(), "the chunks seem dead");
                store.collect(&plan, &progress).unwrap()
            }));
            wait_until(|| self.progress.values().awaited > 0);
        }
        self.file.read_at(offset, buffer)
    }
}

#[test]
fn chunks_that_an_import_found_here_stay_although_no_version_had_them_when_it_began() {
    let bench = Bench::new();
    let (store, collector) = (bench.store("store"), Progress::new());
    let image = image(&bench, "image", 1, 65);
    let root = import(&store, &image).root;
    store.remove_version(root).unwrap();
    let other = Store::open(store.path(), FARM).unwrap();
    let mut source = Meanwhile {
        file: RawFile::open(&image).unwrap(),
        store,
        progress: collector.clone(),
        begun: None,
    };
    let imported = other.import(&mut source, &Progress::new()).unwrap();
    assert_eq!((imported.root, imported.new_chunks), (root, 0));
    let done = source.begun.unwrap().join().unwrap();
    assert_eq!((done.removed_packs, done.spared_packs.len()), (0, 1));
    assert_eq!(collector.values().awaited, 0);
    check(&other, root, &image);
    assert!(is_sound(&other));
}

#[test]
fn a_sound_copy_that_an_import_found_stays_although_a_damaged_one_is_in_a_pack_that_stays() {
    let bench = Bench::new();
    let (store, other) = (bench.store("store"), bench.store("other"));
    let mut chunks = run(1, 41);
    chunks.push((40, 50));
    let long = bench.image("long", 41 * CHUNK_BYTES, &chunks);
    let gone = import(&store, &long).root;
    import(&store, &image(&bench, "short", 1, 41));
    store.remove_version(gone).unwrap();
    damage_in_packs(&store, ChunkName::of(&content(50)));
    import(&other, &image(&bench, "alone", 50, 51));
    let pack = &packs(&other)[0];
    let beside = store.path().join("packs").join(pack.file_name().unwrap());
    fs::copy(pack, beside).unwrap();
    let mut source = Meanwhile {
        file: RawFile::open(&long).unwrap(),
        store: store.clone(),
        progress: Progress::new(),
        begun: None,
    };
    let again = open_again(&store);
    let imported = again.import(&mut source, &Progress::new()).unwrap();
    assert_eq!((imported.root, imported.new_chunks), (gone, 0));
    let done = source.begun.unwrap().join().unwrap();
    assert_eq!(done.spared_packs.len(), 1);
    check(&again, gone, &long);
}

/// One imports and removes the same image over and over, so that all of its chunks are dead whenever the other one looks.
#[test]
fn an_import_that_begins_in_the_moment_in_which_packs_go_loses_nothing() {
    let bench = Bench::new();
    let store = bench.store("store");
    let small = image(&bench, "small", 1, 4);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let own = open_again(&store);
            for _ in 0..200 {
                let root = import(&own, &small).root;
                let fresh = open_again(&store);
                let manifest = fresh.manifest(root).unwrap();
                for index in 0..3 {
                    let name = manifest.name(index).unwrap();
                    assert!(fresh.entry(name).unwrap().is_some(), "chunk {index}");
                }
                own.remove_version(root).unwrap();
            }
        });
        let (collector, is_over) = (open_again(&store), &is_over);
        scope.spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                collect(&collector);
            }
        });
        let result = writer.join();
        is_over.store(true, Ordering::Relaxed);
        result.unwrap();
    });
}

#[test]
fn a_collection_that_waits_can_be_cancelled() {
    let bench = Bench::new();
    let store = bench.store("store");
    let first = image(&bench, "image", 1, 9);
    let root = import(&store, &first).root;
    store.remove_version(root).unwrap();
    // A writer that does not end: its folder and its lock.
    let area = store.path().join("incoming/writer");
    fs::create_dir(&area).unwrap();
    let lock = fs::File::create(area.join("lock")).unwrap();
    lock.lock().unwrap();
    let progress = Progress::new();
    thread::scope(|scope| {
        let collecting = scope.spawn(|| {
            let plan = store.plan_collection(&[]).unwrap();
            store.collect(&plan, &progress)
        });
        wait_until(|| progress.values().awaited == 1);
        progress.cancel();
        let result = collecting.join().unwrap();
        assert!(matches!(result, Err(CollectError::Cancelled)), "{result:?}");
    });
    assert_eq!(packs(&store).len(), 1);
    drop(lock);
    assert_eq!(collect(&store).removed_packs, 1);
}

#[test]
fn a_reader_that_knows_the_old_packs_goes_on() {
    let bench = Bench::new();
    let store = bench.store("store");
    let (old, new) = (image(&bench, "old", 1, 41), image(&bench, "new", 31, 61));
    let (gone, kept) = (import(&store, &old).root, import(&store, &new).root);
    let reader = Store::open(store.path(), FARM).unwrap();
    let served = reader.serve(kept, Arc::new(NoPeers)).unwrap();
    let mut bytes = vec![0; served.size().try_into().unwrap()];
    // It knows both packs, and has only that one open which stays.
    let last = served.size() - CHUNK_BYTES;
    let chunk = usize::try_from(CHUNK_BYTES).unwrap();
    served.read_at(last, &mut bytes[..chunk]).unwrap();
    let free = reader.free_space().unwrap();
    store.remove_version(gone).unwrap();
    assert_eq!(collect(&store).removed_packs, 1);
    // One way round what is kept open, and one past the flat file.
    served.read_past_file(0, &mut bytes).unwrap();
    assert!(bytes == fs::read(&new).unwrap());
    served.read_at(0, &mut bytes).unwrap();
    assert!(bytes == fs::read(&new).unwrap());
    assert!(reader.free_space().is_ok_and(|now| now > 0 && free > 0));
    assert!(
        open_files()
            .iter()
            .all(|path| !path.contains("(deleted)") || !path.contains(".pack")),
        "{:?}",
        open_files()
    );
}

fn open_files() -> Vec<String> {
    let here = files(Path::new("/proc/self/fd"));
    let target = |path: PathBuf| fs::read_link(path).ok();
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    here.into_iter().filter_map(target).map(text).collect()
}

#[test]
fn nothing_goes_while_it_is_not_known_what_a_version_needs() {
    let bench = Bench::new();
    let store = bench.store("store");
    let first = image(&bench, "first", 1, 21);
    let second = image(&bench, "second", 21, 41);
    let (gone, kept) = (import(&store, &first).root, import(&store, &second).root);
    store.remove_version(gone).unwrap();
    let manifest = store.path().join("manifests").join(kept.to_string());
    flip(&manifest, 30);
    let refused = store.plan_collection(&[]);
    assert!(
        matches!(&refused, Err(CollectError::DamagedRoot { root, .. }) if *root == kept),
        "{refused:?}"
    );
    flip(&manifest, 30);
    let top = store.manifest(kept).unwrap().record().top();
    damage_in_packs(&store, top);
    let fresh = Store::open(store.path(), FARM).unwrap();
    let refused = fresh.plan_collection(&[]);
    assert!(
        matches!(&refused, Err(CollectError::PageUnavailable { name, root, .. })
            if (*name, *root) == (top, kept)),
        "{refused:?}"
    );
    let overlays = store.path().join("overlays");
    damage_in_packs(&store, top);
    let id = OverlayId::from_bytes([3; 16]);
    let base = store.serve(kept, Arc::new(NoPeers)).unwrap();
    drop(Overlay::create(&store, id, &base, 1 << 20).unwrap());
    flip(&overlays.join(id.to_string()).join("head"), 20);
    let refused = store.plan_collection(&[]);
    assert!(
        matches!(refused, Err(CollectError::UnusableOverlay(_))),
        "{refused:?}"
    );
    assert_eq!(packs(&store).len(), 2);
}

#[test]
fn a_pack_whose_needed_chunk_is_damaged_is_left_for_healing() {
    let bench = Bench::new();
    let (store, peer) = (bench.store("store"), bench.store("peer"));
    let (old, new) = (image(&bench, "old", 1, 41), image(&bench, "new", 31, 61));
    let (gone, kept) = (import(&store, &old).root, import(&store, &new).root);
    import(&peer, &new);
    store.remove_version(gone).unwrap();
    damage_in_packs(&store, ChunkName::of(&content(35)));
    let done = collect(&store);
    assert_eq!(
        (done.removed_packs, done.spared_packs.len()),
        (0, 1),
        "{done:?}"
    );
    assert!(store.heal(&peer, &Progress::new()).unwrap().is_sound());
    assert_eq!(collect(&store).spared_packs.len(), 0);
    check(&store, kept, &new);
    assert!(is_sound(&store));
}

#[test]
fn the_only_sound_copy_of_a_chunk_stays_although_a_damaged_one_is_in_a_pack_that_stays() {
    let bench = Bench::new();
    let (store, other) = (bench.store("store"), bench.store("other"));
    let (old, new) = (image(&bench, "old", 1, 41), image(&bench, "new", 31, 61));
    let kept = import(&store, &new).root;
    damage_in_packs(&store, ChunkName::of(&content(35)));
    let gone = import(&other, &old).root;
    // As two writers that find a chunk missing at the same time leave it: in a pack of each.
    for pack in packs(&other) {
        fs::copy(
            &pack,
            store.path().join("packs").join(pack.file_name().unwrap()),
        )
        .unwrap();
    }
    assert_ne!(gone, kept);
    let done = collect(&store);
    assert!(done.removed_packs > 0, "{done:?}");
    check(&Store::open(store.path(), FARM).unwrap(), kept, &new);
}

#[test]
fn a_sound_copy_that_would_be_written_again_as_the_pack_that_it_is_stays() {
    let mut deleted = 0;
    // Of two packs in which all is needed the first by name counts; so this comes to both.
    for seed in (0..12).map(|attempt| 100 * attempt) {
        let bench = Bench::new();
        let (store, other) = (bench.store("store"), bench.store("other"));
        let both = image(&bench, "both", seed + 1, seed + 3);
        let root = import(&store, &both).root;
        damage_in_packs(&store, ChunkName::of(&content(seed + 1)));
        // A killed writer had got as far as one chunk.
        import(&other, &both);
        let pack = fs::read(&packs(&other)[0]).unwrap();
        let entry = Entry::decode(&pack[16..]).unwrap().unwrap();
        let area = store.path().join("incoming/killed");
        fs::create_dir(&area).unwrap();
        fs::File::create(area.join("lock")).unwrap();
        support::replace(&area.join("1.part"), &pack[..16 + entry.length()]);
        deleted += collect(&open_again(&store)).plan.delete.len();
        check(&open_again(&store), root, &both);
    }
    assert!(deleted > 0);
}

#[test]
fn what_a_broken_off_replication_brought_stays_until_it_is_not_wanted_any_more() {
    let bench = Bench::new();
    let (store, from) = (bench.store("store"), bench.store("from"));
    let image = image(&bench, "image", 1, 41);
    let root = import(&from, &image).root;
    damage_in_packs(&from, ChunkName::of(&content(30)));
    let broken_off = store.replicate(root, &from, &Progress::new());
    assert!(
        matches!(broken_off, Err(ReplicateError::Peers { .. })),
        "{broken_off:?}"
    );
    let before = pack_bytes(&store);
    assert!(before > 10 * CHUNK_BYTES);
    let plan = store.plan_collection(&[root]).unwrap();
    assert_eq!(
        (plan.incomplete_roots.clone(), plan.given_up_roots.clone()),
        (vec![root], vec![])
    );
    store.collect(&plan, &Progress::new()).unwrap();
    assert_eq!(pack_bytes(&store), before);
    let given_up = store.plan_collection(&[]).unwrap();
    assert_eq!(
        (
            given_up.incomplete_roots.clone(),
            given_up.given_up_roots.clone()
        ),
        (vec![], vec![root])
    );
    store.collect(&given_up, &Progress::new()).unwrap();
    assert_eq!(pack_bytes(&store), 0);
    assert!(files(&store.path().join("manifests")).is_empty());
}

#[test]
fn a_version_is_not_called_incomplete_because_a_replication_was_killed_after_publishing_it() {
    let bench = Bench::new();
    let store = bench.store("store");
    let root = import(&store, &image(&bench, "image", 1, 41)).root;
    let manifest = store.path().join("manifests").join(root.to_string());
    fs::copy(&manifest, manifest.with_extension("incomplete")).unwrap();
    for named in [&[root][..], &[]] {
        let plan = store.plan_collection(named).unwrap();
        assert_eq!(
            (plan.incomplete_roots, plan.given_up_roots),
            (vec![], vec![])
        );
        assert_eq!(plan.kept_roots, [root]);
    }
    store.remove_version(root).unwrap();
    assert!(files(&store.path().join("manifests")).is_empty());
}

#[test]
fn the_version_below_an_overlay_stays_and_the_overlay_can_be_sealed_after() {
    let bench = Bench::new();
    let store = bench.store("store");
    let base_image = image(&bench, "base", 1, 21);
    let base = store
        .serve(import(&store, &base_image).root, Arc::new(NoPeers))
        .unwrap();
    let id = OverlayId::from_bytes([4; 16]);
    let overlay = Overlay::create(&store, id, &base, 1 << 20).unwrap();
    overlay.write_at(3 * CHUNK_BYTES, &[7; 4096]).unwrap();
    collect(&store);
    let sealed = store.seal(&overlay, &Progress::new()).unwrap();
    store.remove_version(base.root()).unwrap();
    collect(&store);
    let mut expected = fs::read(&base_image).unwrap();
    let start = usize::try_from(3 * CHUNK_BYTES).unwrap();
    expected[start..start + 4096].fill(7);
    assert!(read_all(&store, sealed.root, Arc::new(NoPeers)) == expected);
    assert!(is_sound(&store));
}

#[test]
fn a_sealing_looks_for_the_version_below_once_no_pack_of_it_can_go_any_more() {
    let bench = Bench::new();
    let store = bench.store("store");
    let root = import(&store, &image(&bench, "base", 1, 21)).root;
    let base = store.serve(root, Arc::new(NoPeers)).unwrap();
    let id = OverlayId::from_bytes([4; 16]);
    let overlay = Overlay::create(&store, id, &base, 1 << 20).unwrap();
    overlay.write_at(0, &[7; 4096]).unwrap();
    // As a collection holds it: no writer begins.
    let shut = fs::File::create(store.path().join("locks/writers")).unwrap();
    shut.lock().unwrap();
    thread::scope(|scope| {
        let sealing = scope.spawn(|| store.seal(&overlay, &Progress::new()));
        wait_until(|| overlay.write_at(0, &[8; 4096]).is_err());
        store.remove_version(root).unwrap();
        drop(shut);
        let result = sealing.join().unwrap();
        assert!(
            matches!(result, Err(SealError::BaseIncomplete { .. })),
            "{result:?}"
        );
    });
}

#[test]
fn flat_files_of_versions_that_nobody_has_any_more_go_unless_they_are_served() {
    let bench = Bench::new();
    let (store, peer) = (bench.store("store"), bench.store("peer"));
    let (one, two) = (image(&bench, "one", 1, 9), image(&bench, "two", 9, 17));
    let (served, left) = (import(&peer, &one).root, import(&peer, &two).root);
    for root in [served, left] {
        read_all(&store, root, Arc::new(peer.clone()));
    }
    assert_eq!(files(&store.path().join("flat")).len(), 2);
    let named = store.plan_collection(&[served, left]).unwrap();
    assert!(named.flats.is_empty());
    let serving = Store::open(store.path(), FARM).unwrap();
    let disk = serving.serve(served, Arc::new(peer.clone())).unwrap();
    let plan = store.plan_collection(&[]).unwrap();
    assert_eq!(plan.flats.len(), 2);
    let done = store.collect(&plan, &Progress::new()).unwrap();
    assert_eq!(done.removed_flats, 1);
    assert!(done.freed_bytes >= 8 * CHUNK_BYTES, "{done:?}");
    assert!(store.path().join("flat").join(served.to_string()).exists());
    drop(disk);
    assert_eq!(collect(&store).removed_flats, 1);
}

#[test]
fn what_killed_writers_left_is_freed() {
    let bench = Bench::new();
    let (store, other) = (bench.store("store"), bench.store("other"));
    let image = image(&bench, "image", 1, 9);
    import(&other, &image);
    let area = store.path().join("incoming/killed");
    fs::create_dir(&area).unwrap();
    fs::File::create(area.join("lock")).unwrap();
    fs::copy(&packs(&other)[0], area.join("1.part")).unwrap();
    let plan = store.plan_collection(&[]).unwrap();
    assert!(plan.abandoned_bytes > 4 * CHUNK_BYTES && !plan.is_empty());
    let done = store.collect(&plan, &Progress::new()).unwrap();
    assert_eq!(done.removed_packs, 1, "{done:?}");
    assert!(files(&store.path().join("incoming")).is_empty());
    assert!(packs(&store).is_empty());
}

/// Four threads import, replicate and remove, one seals, one reads, one verifies and two collect, each with a store of its own as processes have: all
/// that is published can be read in full at any time.
#[test]
fn nothing_is_lost_while_all_is_done_at_once() {
    const ROUNDS: u64 = 12;
    let bench = Bench::new();
    let store = bench.store("store");
    let peer = bench.store("peer");
    let stays = image(&bench, "stays", 5, 45);
    let kept = import(&store, &stays).root;
    let images: Vec<PathBuf> = (0..4)
        .map(|at| image(&bench, &format!("image {at}"), 1 + 10 * at, 31 + 10 * at))
        .collect();
    let roots: Vec<RootHash> = images
        .iter()
        .map(|image| import(&peer, image).root)
        .collect();
    let below = image(&bench, "below", 60, 80);
    let is_over = AtomicBool::new(false);
    let open = || Store::open(store.path(), FARM).unwrap();
    thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|at| {
                let (store, peer, image, root) = (open(), &peer, &images[at], roots[at]);
                scope.spawn(move || {
                    for round in 0..ROUNDS {
                        if round % 2 == 0 {
                            assert_eq!(import(&store, image).root, root);
                        } else {
                            store.replicate(root, peer, &Progress::new()).unwrap();
                        }
                        check(&open_again(&store), root, image);
                        store.remove_version(root).unwrap();
                    }
                })
            })
            .collect();
        for _ in 0..2 {
            let (store, is_over) = (open(), &is_over);
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    collect(&store);
                }
            });
        }
        let (store, is_over_now) = (open(), &is_over);
        scope.spawn(move || {
            while !is_over_now.load(Ordering::Relaxed) {
                let report = store.verify(&Progress::new()).unwrap();
                assert!(report.damaged_packs.is_empty(), "{report:?}");
                assert!(!report.affected_roots.contains(&kept), "{report:?}");
            }
        });
        let (store, is_over_now) = (open(), &is_over);
        let below = &below;
        scope.spawn(move || {
            for turn in 1..=u8::MAX {
                if is_over_now.load(Ordering::Relaxed) {
                    return;
                }
                seal_while_the_base_is_removed(&store, below, turn);
            }
        });
        let (store, is_over, stays) = (open(), &is_over, &stays);
        scope.spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                // Past the flat file, so that each turn reads packs.
                let served = store.serve(kept, Arc::new(NoPeers)).unwrap();
                let mut bytes = vec![0; served.size().try_into().unwrap()];
                served.read_past_file(0, &mut bytes).unwrap();
                assert!(bytes == fs::read(stays).unwrap());
            }
        });
        let results: Vec<_> = writers
            .into_iter()
            .map(thread::ScopedJoinHandle::join)
            .collect();
        is_over.store(true, Ordering::Relaxed);
        for result in results {
            result.unwrap();
        }
    });
    collect(&store);
    assert_eq!(store.versions().unwrap(), [kept]);
    assert!(is_sound(&store));
    check(&store, kept, &stays);
    let again = store.plan_collection(&[kept]).unwrap();
    assert_eq!(again.dead_bytes, 0);
}

/// Either the sealing finds that it comes too late, or what it makes is whole.
fn seal_while_the_base_is_removed(store: &Store, image: &Path, turn: u8) {
    let root = import(store, image).root;
    let id = OverlayId::from_bytes([turn; 16]);
    let overlay = {
        let base = store.serve(root, Arc::new(NoPeers)).unwrap();
        Overlay::create(store, id, &base, 1 << 20).unwrap()
    };
    overlay.write_at(CHUNK_BYTES, &[turn; 4096]).unwrap();
    let sealed = thread::scope(|scope| {
        scope.spawn(|| open_again(store).remove_version(root).unwrap());
        store.seal(&overlay, &Progress::new())
    });
    match sealed {
        Ok(sealed) => {
            let mut expected = fs::read(image).unwrap();
            let start = usize::try_from(CHUNK_BYTES).unwrap();
            expected[start..start + 4096].fill(turn);
            assert!(read_all(&open_again(store), sealed.root, Arc::new(NoPeers)) == expected);
            store.remove_version(sealed.root).unwrap();
        }
        Err(SealError::BaseIncomplete { .. } | SealError::Base(_)) => {}
        Err(error) => unreachable!("{error}"),
    }
    drop(overlay);
    Overlay::remove(store, id).unwrap();
}

fn open_again(store: &Store) -> Store {
    Store::open(store.path(), FARM).unwrap()
}
