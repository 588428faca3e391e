//! Random requests to each kind of cache, beside a plain vector of bytes that is given the same ones.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test"
)]

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;
use write_cache::{BLOCK_BYTES, Cache, CacheDisk, CacheError, Kind, Memory, Plan};

const BLOCKS: usize = 90;
/// The last block is not whole.
const SIZE: usize = BLOCKS * BLOCK_BYTES as usize + 1536;
const MIB: u64 = 1 << 20;

fn below() -> Vec<u8> {
    (0..SIZE).map(|at| (at / 512 % 249 + 1) as u8).collect()
}

/// What carries a cache: it may be opened again, in the same memory or after the power was off.
struct Scene {
    folder: TempDir,
    memory: Memory,
    plan: Plan,
    cache: Option<Cache>,
}

impl Scene {
    fn new(kind: Kind, limit_blocks: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = File::create(folder.path().join("disk")).unwrap();
        file.set_len(4 * MIB).unwrap();
        let mut scene = Self {
            folder,
            memory: Memory::new().unwrap(),
            plan: Plan {
                kind,
                root: [3; 32],
                size_bytes: SIZE as u64,
                limit_bytes: Some(limit_blocks * BLOCK_BYTES),
                memory_bytes: if kind == Kind::RamOverflow {
                    7 * BLOCK_BYTES
                } else {
                    MIB
                },
            },
            cache: None,
        };
        scene.open();
        scene
    }

    fn disk(&self) -> &Path {
        self.folder.path()
    }

    fn open(&mut self) {
        self.cache = None;
        let disk = CacheDisk::open(&self.disk().join("disk")).unwrap();
        let memory = self.memory.try_clone().unwrap();
        self.cache = Some(Cache::open(memory, Some(disk), &self.plan).unwrap());
    }

    fn power_cycle(&mut self) {
        self.memory = Memory::new().unwrap();
        self.open();
    }

    fn cache(&self) -> &Cache {
        self.cache.as_ref().unwrap()
    }

    fn read(&self, base: &[u8], offset: usize, length: usize) -> Vec<u8> {
        // What is not asked for below must not be needed.
        let mut bytes = vec![0xee; length];
        if let Some(range) = self.cache().below(offset as u64, length as u64).unwrap() {
            let range = range.start as usize..range.end as usize;
            bytes[range.start - offset..range.end - offset].copy_from_slice(&base[range]);
        }
        self.cache().read(offset as u64, &mut bytes).unwrap();
        bytes
    }

    fn write(&self, base: &[u8], offset: usize, bytes: &[u8]) -> Result<(), CacheError> {
        let edges = self
            .cache()
            .edges(offset as u64, bytes.len() as u64)
            .unwrap();
        let edges: Vec<_> = edges
            .into_iter()
            .map(|range| {
                (
                    range.start,
                    base[range.start as usize..range.end as usize].to_vec(),
                )
            })
            .collect();
        self.cache().write(offset as u64, bytes, &edges)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Write {
        offset: usize,
        length: usize,
        value: u8,
    },
    Clear {
        offset: usize,
        length: usize,
    },
    Flush,
    NextProcess,
}

fn range() -> impl Strategy<Value = (usize, usize)> {
    // By sectors and by single bytes; short, and over several blocks.
    let by_sector = (0..SIZE / 512, 1..40_usize).prop_map(|(at, count)| (at * 512, count * 512));
    let by_byte = (0..SIZE, 1..9000_usize);
    prop_oneof![by_sector, by_byte].prop_map(|(offset, length)| (offset, length.min(SIZE - offset)))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (range(), 1..=255_u8).prop_map(|((offset, length), value)| Step::Write { offset, length, value }),
        2 => range().prop_map(|(offset, length)| Step::Clear { offset, length }),
        1 => Just(Step::Flush),
        1 => Just(Step::NextProcess),
    ]
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Ram),
        Just(Kind::RamOverflow),
        Just(Kind::Disk),
        Just(Kind::DiskPersistent)
    ]
}

/// Does a step to both; gives the range that changed.
fn take(scene: &mut Scene, base: &[u8], model: &mut [u8], step: &Step) -> std::ops::Range<usize> {
    match *step {
        Step::Write {
            offset,
            length,
            value,
        } => {
            let bytes: Vec<_> = (0..length)
                .map(|at| value.wrapping_add((at / 512) as u8))
                .collect();
            let used = scene.cache().used_bytes();
            match scene.write(base, offset, &bytes) {
                Ok(()) => model[offset..offset + length].copy_from_slice(&bytes),
                Err(CacheError::Full) => {
                    assert_eq!(
                        scene.cache().used_bytes(),
                        used,
                        "a refused write keeps nothing"
                    );
                }
                Err(error) => panic!("{error}"),
            }
            offset..offset + length
        }
        Step::Clear { offset, length } => {
            let left = scene.cache().clear(offset as u64, length as u64).unwrap();
            let mut cleared = vec![true; length];
            for part in left {
                cleared[part.start as usize - offset..part.end as usize - offset].fill(false);
            }
            for (at, is_cleared) in cleared.into_iter().enumerate() {
                if is_cleared {
                    model[offset + at] = 0;
                }
            }
            offset..offset + length
        }
        Step::Flush => {
            scene.cache().flush().unwrap();
            0..0
        }
        Step::NextProcess => {
            scene.open();
            0..0
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_was_written_is_read_and_the_rest_is_as_below(
        kind in kinds(),
        limit in 12..60_u64,
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let base = below();
        let mut model = base.clone();
        let mut scene = Scene::new(kind, limit);
        for step in &steps {
            let changed = take(&mut scene, &base, &mut model, step);
            let around = changed.start.saturating_sub(5000)..(changed.end + 5000).min(SIZE);
            let read = scene.read(&base, around.start, around.len());
            prop_assert_eq!(&read, &model[around], "after {:?}", step);
            prop_assert!(scene.cache().used_bytes() <= limit * BLOCK_BYTES);
        }
        prop_assert_eq!(scene.read(&base, 0, SIZE), model);
    }

    /// What a flush covered is there after the power was off; each block is as it was then or at a later moment.
    #[test]
    fn a_persistent_cache_keeps_what_was_flushed(
        steps in prop::collection::vec(step(), 1..40),
        more in prop::collection::vec(step(), 1..20),
    ) {
        let base = below();
        let mut model = base.clone();
        let mut scene = Scene::new(Kind::DiskPersistent, 60);
        let mut ages: BTreeMap<usize, Vec<Vec<u8>>> = BTreeMap::new();
        for steps in [&steps, &more] {
            for step in steps {
                if matches!(step, Step::Flush | Step::NextProcess) {
                    ages.clear();
                }
                let before = model.clone();
                let changed = take(&mut scene, &base, &mut model, step);
                for block in changed.start / 4096..changed.end.div_ceil(4096) {
                    let whole = block * 4096..(block * 4096 + 4096).min(SIZE);
                    let seen = ages.entry(block).or_insert_with(|| vec![before[whole.clone()].to_vec()]);
                    seen.push(model[whole].to_vec());
                }
            }
            scene.power_cycle();
            let found = scene.read(&base, 0, SIZE);
            for (block, (found, expected)) in found.chunks(4096).zip(model.chunks(4096)).enumerate() {
                match ages.get(&block) {
                    None => prop_assert!(found == expected, "block {} was flushed", block),
                    Some(ages) => prop_assert!(ages.iter().any(|age| age == found), "block {}", block),
                }
            }
            model = found;
            ages.clear();
        }
    }
}

#[test]
fn a_cache_that_is_not_kept_begins_anew_whatever_is_on_the_disk() {
    let base = below();
    for kind in [Kind::Disk, Kind::RamOverflow] {
        let mut scene = Scene::new(kind, 60);
        scene.write(&base, 0, &vec![9; 100_000]).unwrap();
        scene.cache().flush().unwrap();
        scene.power_cycle();
        assert_eq!(scene.read(&base, 0, SIZE), base);
        assert_eq!(scene.cache().used_bytes(), 0);
    }
}

#[test]
fn a_persistent_cache_is_for_one_root_and_one_size_and_no_other_kind_between() {
    let base = below();
    let changes: [fn(&mut Plan); 2] = [|plan| plan.root = [4; 32], |plan| plan.kind = Kind::Disk];
    for change in changes {
        let mut scene = Scene::new(Kind::DiskPersistent, 60);
        scene.write(&base, 4096, &vec![9; 50_000]).unwrap();
        scene.cache().flush().unwrap();
        let before = scene.plan.clone();
        change(&mut scene.plan);
        scene.power_cycle();
        assert_eq!(
            scene.read(&base, 0, SIZE),
            base,
            "the other one sees none of it"
        );
        scene.write(&base, 8192, &[7; 4096]).unwrap();
        scene.cache().flush().unwrap();
        scene.plan = before;
        scene.power_cycle();
        assert_eq!(
            scene.read(&base, 0, SIZE),
            base,
            "nor does the first one again"
        );
    }
}

#[test]
fn a_persistent_cache_with_an_index_that_cannot_be_right_begins_anew() {
    use std::os::unix::fs::FileExt;
    let base = below();
    let mut scene = Scene::new(Kind::DiskPersistent, 60);
    scene.write(&base, 0, &[9; 8192]).unwrap();
    scene.cache().flush().unwrap();
    // Two blocks in one slot.
    let path = scene.disk().join("disk");
    let file = File::options().read(true).write(true).open(path).unwrap();
    let mut entry = [0; 4];
    file.read_exact_at(&mut entry, 64 * 1024 + 8).unwrap();
    assert_eq!(entry, 2_u32.to_le_bytes());
    file.write_all_at(&entry, 64 * 1024 + 12).unwrap();
    scene.power_cycle();
    assert_eq!(scene.read(&base, 0, SIZE), base);
}

#[test]
fn memory_of_another_version_is_not_gone_on_with() {
    let base = below();
    let mut scene = Scene::new(Kind::Ram, 60);
    scene.write(&base, 0, &vec![9; 20_000]).unwrap();
    scene.open();
    assert_eq!(scene.cache().used_bytes(), 5 * BLOCK_BYTES);
    scene.plan.root = [4; 32];
    scene.open();
    assert_eq!(scene.read(&base, 0, SIZE), base);
}

#[test]
fn memory_is_filled_before_the_disk_and_given_back() {
    let base = below();
    let scene = Scene::new(Kind::RamOverflow, 60);
    scene.write(&base, 0, &vec![9; 40 * 4096]).unwrap();
    assert_eq!(scene.memory.used_bytes().unwrap(), 7 * BLOCK_BYTES);
    assert_eq!(scene.cache().used_bytes(), 40 * BLOCK_BYTES);
    assert_eq!(scene.cache().clear(0, 40 * BLOCK_BYTES).unwrap(), []);
    assert_eq!(scene.cache().used_bytes(), 0);
    assert_eq!(scene.memory.used_bytes().unwrap(), 0);
    assert_eq!(scene.cache().limit_bytes(), 60 * BLOCK_BYTES);
}
