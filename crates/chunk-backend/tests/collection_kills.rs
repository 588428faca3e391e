//! Processes that import, replicate, remove and collect are killed with -9 at any moment: no published version is ever lost.
//!
//! The test starts itself again as the process that dies: `child` below is that process.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;

use chunk_backend::{Collected, NoPeers, Progress, Store};
use chunk_store::{CHUNK_BYTES, RootHash};
use proptest::prelude::*;
use support::{Bench, FARM, files, import, packs, read_all, root_of};

fn collect(store: &Store) -> Collected {
    let plan = store.plan_collection(&[]).unwrap();
    store.collect(&plan, &Progress::new()).unwrap()
}

fn die() -> ! {
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)
        .unwrap();
    unreachable!("killed")
}

/// What is true at the moment in which the child dies.
fn is_seen(what: &str, store: &Path, packs_before: &BTreeSet<PathBuf>) -> bool {
    let packs = || files_or_none(&store.join("packs"));
    match what {
        "part" => files_or_none(&store.join("incoming")).iter().any(|area| {
            files_or_none(area)
                .iter()
                .any(|file| file.ends_with("1.part"))
        }),
        "published" => !packs().is_subset(packs_before),
        "removed" => !packs_before.is_subset(&packs()),
        _ => false,
    }
}

fn files_or_none(folder: &Path) -> BTreeSet<PathBuf> {
    fs::read_dir(folder).map_or_else(
        |_| BTreeSet::new(),
        |entries| {
            entries
                .filter_map(|entry| Some(entry.ok()?.path()))
                .collect()
        },
    )
}

/// Not a test: the process that dies, started by the tests with its orders in the environment.
#[test]
#[ignore = "started by the other tests"]
fn child() {
    let Ok(path) = std::env::var("CORRAL_TEST_STORE") else {
        return;
    };
    let path = PathBuf::from(path);
    let store = Store::open(&path, FARM).unwrap();
    let order = std::env::var("CORRAL_TEST_ORDER").unwrap();
    let moment = std::env::var("CORRAL_TEST_MOMENT").unwrap();
    let before = files_or_none(&path.join("packs"));
    thread::spawn(move || {
        let turns: u64 = moment.parse().unwrap_or(u64::MAX);
        let mut turn = 0;
        while turn < turns && !is_seen(&moment, &path, &before) {
            turn += 1;
            std::hint::spin_loop();
        }
        die();
    });
    let (verb, object) = order.split_once(' ').unwrap();
    match verb {
        "import" => _ = import(&store, Path::new(object)),
        "replicate" => {
            let (root, from) = object.split_once(' ').unwrap();
            let from = Store::open(Path::new(from), FARM).unwrap();
            store
                .replicate(root.parse().unwrap(), &from, &Progress::new())
                .unwrap();
        }
        "remove" => store.remove_version(object.parse().unwrap()).unwrap(),
        "collect" => _ = collect(&store),
        _ => unreachable!("{order}"),
    }
}

fn start_child(store: &Store, order: &str, moment: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["child", "--exact", "--ignored", "--quiet"]);
    command
        .env("CORRAL_TEST_STORE", store.path())
        .env("CORRAL_TEST_ORDER", order)
        .env("CORRAL_TEST_MOMENT", moment)
        .stdout(Stdio::null());
    command.spawn().unwrap()
}

fn was_killed(status: ExitStatus) -> bool {
    let killed = std::os::unix::process::ExitStatusExt::signal(&status) == Some(9);
    assert!(killed || status.success(), "{status:?}");
    killed
}

fn image(bench: &Bench, name: &str, from: u64, to: u64) -> PathBuf {
    let chunks: Vec<_> = (from..to).map(|seed| (seed - from, seed)).collect();
    bench.image(name, (to - from) * CHUNK_BYTES, &chunks)
}

/// Read with what this process knows of the store, and anew with nothing of it but its folder.
fn check_all(store: &Store, roots: &BTreeSet<RootHash>) {
    for store in [store, &Store::open(store.path(), FARM).unwrap()] {
        let report = store.verify(&Progress::new()).unwrap();
        assert!(report.is_sound(), "{report:?}");
        let found: BTreeSet<RootHash> = store.versions().unwrap().into_iter().collect();
        assert_eq!(&found, roots);
    }
}

#[test]
fn a_collection_that_is_killed_at_any_step_loses_nothing_and_the_next_one_ends_it() {
    for moment in ["part", "published", "removed", "0", "1000", "20000"] {
        let bench = Bench::new();
        let store = bench.store("store");
        // Twelve packs, each with a part that stays and a part that goes.
        let mut kept = BTreeSet::new();
        let mut gone = Vec::new();
        for at in 0..12 {
            let first = 1 + 40 * at;
            let whole = import(&store, &image(&bench, "image", first, first + 40)).root;
            kept.insert(import(&store, &image(&bench, "image", first, first + 20)).root);
            gone.push(whole);
        }
        for root in gone {
            store.remove_version(root).unwrap();
        }
        let before = packs(&store).len();
        let status = start_child(&store, "collect ", moment).wait().unwrap();
        let is_done = packs(&store).len() < before - 11;
        assert!(was_killed(status) || is_done, "{moment}");
        check_all(&store, &kept);
        collect(&store);
        check_all(&store, &kept);
        let plan = store.plan_collection(&[]).unwrap();
        assert!(
            plan.is_empty() && plan.dead_bytes == 0,
            "{moment}: {plan:?}"
        );
        assert!(files(&store.path().join("incoming")).is_empty(), "{moment}");
        for root in kept {
            read_all(&store, root, Arc::new(NoPeers));
        }
    }
}

/// One thing that is done to a store.
#[derive(Debug, Clone)]
enum Step {
    Import(usize),
    Replicate(usize),
    Remove(usize),
    Collect,
}

#[derive(Debug, Clone)]
struct Turn {
    step: Step,
    /// After so many turns of a loop the process is killed.
    kill_after: Option<u32>,
    /// A collection, in a process of its own, goes on beside it.
    beside_collection: bool,
}

const IMAGES: usize = 4;

fn turn() -> impl Strategy<Value = Turn> {
    let which = 0..IMAGES;
    let step = prop_oneof![
        3 => which.clone().prop_map(Step::Import),
        2 => which.clone().prop_map(Step::Replicate),
        3 => which.prop_map(Step::Remove),
        3 => Just(Step::Collect),
    ];
    // Some kills come before anything is done, most in the midst of it, some after.
    let kill_after = prop::option::weighted(0.6, 0_u32..400_000);
    (step, kill_after, any::<bool>()).prop_map(|(step, kill_after, beside_collection)| Turn {
        step,
        kill_after,
        beside_collection,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn after_any_history_with_kills_all_that_is_published_is_whole(
        turns in prop::collection::vec(turn(), 1..12)
    ) {
        let bench = Bench::new();
        let (store, peer) = (bench.store("store"), bench.store("peer"));
        // Each shares two thirds with its neighbours.
        let images: Vec<PathBuf> = (0..IMAGES as u64)
            .map(|at| image(&bench, &format!("image {at}"), 1 + 10 * at, 31 + 10 * at)).collect();
        let roots: Vec<RootHash> = images.iter().map(|image| root_of(image)).collect();
        for image in &images {
            import(&peer, image);
        }
        let mut published: BTreeSet<RootHash> = BTreeSet::new();
        for Turn { step, kill_after, beside_collection } in turns {
            let (order, root) = match step {
                Step::Import(at) => (format!("import {}", images[at].display()), Some(roots[at])),
                Step::Replicate(at) => {
                    (format!("replicate {} {}", roots[at], peer.path().display()), Some(roots[at]))
                }
                Step::Remove(at) => (format!("remove {}", roots[at]), Some(roots[at])),
                Step::Collect => ("collect ".to_owned(), None),
            };
            let beside = beside_collection.then(|| start_child(&store, "collect ", "never"));
            let moment = kill_after.map_or("never".to_owned(), |turns| turns.to_string());
            let killed = was_killed(start_child(&store, &order, &moment).wait().unwrap());
            if let Some(mut beside) = beside {
                prop_assert!(!was_killed(beside.wait().unwrap()));
            }
            if let Some(root) = root {
                let is_here = store.holds(root);
                let is_removal = matches!(step, Step::Remove(_));
                // Nobody was told that a step which was killed is done; it may be, or may not.
                prop_assert!(killed || is_here != is_removal, "{:?}", step);
                prop_assert!(is_here || is_removal || !published.contains(&root), "{:?}", step);
                if is_here {
                    published.insert(root);
                } else {
                    published.remove(&root);
                }
            }
            check_all(&store, &published);
        }
        for (root, image) in roots.iter().zip(&images).filter(|(root, _)| published.contains(root)) {
            prop_assert!(read_all(&store, *root, Arc::new(NoPeers)) == fs::read(image).unwrap());
        }
        collect(&store);
        check_all(&store, &published);
    }
}
