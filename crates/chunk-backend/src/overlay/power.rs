//! Kills and losses of power at every step of every operation, on files that forget what they were not told to keep.

mod frail;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use chunk_store::{BLOCK_BYTES, LEAF_BLOCKS, live_header};
use proptest::prelude::*;

use super::cow::{Below, Cow, Files, Live, Parts};
use crate::{ReadError, WriteError};

use frail::{Chance, Content, Frail, Machine};

const ID: [u8; 16] = [3; 16];
/// Two leaves and a little, and a short last block.
const SIZE: u64 = 2 * LEAF_BLOCKS * BLOCK_BYTES + 5 * BLOCK_BYTES + 700;

/// A version in which every block is another one.
#[derive(Debug)]
struct Golden;

fn golden(at: u64) -> u8 {
    (at / 512 * 31 + 7).to_le_bytes()[0] | 1
}

impl Below for Golden {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        for (place, byte) in buffer.iter_mut().enumerate() {
            *byte = golden(offset + place as u64);
        }
        Ok(())
    }
}

type Disk = Cow<Golden, Frail>;

#[derive(Debug, Clone)]
enum Step {
    Write(Range<u64>, u8),
    Trim(Range<u64>),
    Zero(Range<u64>, bool),
    Flush,
    Reopen,
    /// The next operation is the last one, so many steps into it.
    Kill(u64),
    PowerLoss(u64),
    /// So many pages are left.
    Full(u64),
    Roomy,
}

/// Ranges near the beginning, across the leaves' border and at the end, so that operations meet.
fn range() -> impl Strategy<Value = Range<u64>> {
    let border = LEAF_BLOCKS * BLOCK_BYTES;
    let near = prop_oneof![
        Just(0),
        Just(border - 5 * BLOCK_BYTES),
        Just(SIZE - 9 * BLOCK_BYTES)
    ];
    let aligned = (near.clone(), 0_u64..9, 1_u64..6).prop_map(|(near, block, count)| {
        let start = (near + block * BLOCK_BYTES) / BLOCK_BYTES * BLOCK_BYTES;
        start..(start + count * BLOCK_BYTES).min(SIZE)
    });
    let bytes = (near, 0_u64..9 * BLOCK_BYTES - 1, 1_u64..3 * BLOCK_BYTES)
        .prop_map(|(near, start, length)| near + start..(near + start + length).min(SIZE));
    let large = Just(3 * BLOCK_BYTES..SIZE - 2 * BLOCK_BYTES);
    prop_oneof![6 => aligned, 5 => bytes, 1 => large]
}

fn small_range() -> impl Strategy<Value = Range<u64>> {
    range().prop_filter("a write", |range| {
        range.end - range.start < 64 * BLOCK_BYTES
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (small_range(), 1_u8..=255).prop_map(|(range, seed)| Step::Write(range, seed)),
        2 => range().prop_map(Step::Trim),
        2 => range().prop_map(|range| Step::Zero(range, false)),
        1 => small_range().prop_map(|range| Step::Zero(range, true)),
        3 => Just(Step::Flush),
        1 => Just(Step::Reopen),
        2 => (1_u64..8).prop_map(Step::Kill),
        3 => (1_u64..8).prop_map(Step::PowerLoss),
        1 => (0_u64..6).prop_map(Step::Full),
        1 => Just(Step::Roomy),
    ]
}

type Block = Vec<u8>;

/// The disk, its files, and what each block may be.
struct Bench {
    machine: Arc<Mutex<Machine>>,
    files: [Frail; 3],
    boot: u8,
    disk: Option<Disk>,
    /// What each block that was written is; the others are the version's.
    now: BTreeMap<u64, Block>,
    /// What it was at the last flush and at every moment since.
    since_flush: BTreeMap<u64, Vec<Block>>,
    crash: Option<Step>,
    limit: u64,
}

fn block_range(block: u64) -> Range<u64> {
    block * BLOCK_BYTES..((block + 1) * BLOCK_BYTES).min(SIZE)
}

/// The blocks that are looked at: all that operations can change but for the midst of the largest range.
fn watched() -> impl Iterator<Item = u64> {
    let last = SIZE.div_ceil(BLOCK_BYTES);
    (0..16)
        .chain(LEAF_BLOCKS - 6..LEAF_BLOCKS + 12)
        .chain(last - 12..last)
}

impl Bench {
    fn new(seed: u64, limit: u64) -> Self {
        let machine = Arc::new(Mutex::new(Machine {
            chance: Chance(seed | 1),
            steps: None,
            free_pages: None,
        }));
        let files = [(); 3].map(|()| Frail::new(&machine));
        let mut bench = Self {
            machine,
            files,
            boot: 0,
            disk: None,
            now: BTreeMap::new(),
            since_flush: BTreeMap::new(),
            crash: None,
            limit,
        };
        bench.open(false);
        bench
    }

    fn open(&mut self, is_current: bool) {
        let [data, map, live] = self.files.clone();
        let live = if is_current {
            Live::Current(live)
        } else {
            self.boot += 1;
            *live.content.lock().unwrap() = Content::default();
            Live::Empty(live, live_header(ID, [self.boot; 16]))
        };
        let parts = Parts {
            id: ID,
            size: SIZE,
            limit: self.limit,
            path: "overlay".into(),
            below: Golden,
            files: Files {
                data,
                map,
                live: Some(live),
            },
        };
        self.disk = Some(Cow::open(parts).unwrap());
    }

    fn read(&self, block: u64) -> Block {
        let range = block_range(block);
        let mut bytes = vec![0; usize::try_from(range.end - range.start).unwrap()];
        let disk = self.disk.as_ref().unwrap();
        disk.read_at(range.start, &mut bytes).unwrap();
        bytes
    }

    fn model(&self, block: u64) -> Block {
        let of_version = || block_range(block).map(golden).collect();
        self.now.get(&block).cloned().unwrap_or_else(of_version)
    }

    /// What the blocks of `range` will be if the bytes of it become those of `fill`, and the blocks that are looked at.
    fn after(&self, range: &Range<u64>, fill: impl Fn(u64) -> u8) -> BTreeMap<u64, Block> {
        let blocks = range.start / BLOCK_BYTES..range.end.div_ceil(BLOCK_BYTES);
        watched()
            .filter(|block| blocks.contains(block))
            .map(|block| {
                let mut bytes = self.model(block);
                for (at, byte) in block_range(block).zip(&mut bytes) {
                    if range.contains(&at) {
                        *byte = fill(at);
                    }
                }
                (block, bytes)
            })
            .collect()
    }

    fn run(&mut self, step: Step) {
        let disk = self.disk.as_ref().unwrap();
        let (result, after) = match &step {
            Step::Write(range, seed) => {
                let fill = |at: u64| (at / 256).to_le_bytes()[0].wrapping_add(*seed);
                let bytes: Vec<u8> = range.clone().map(fill).collect();
                (disk.write_at(range.start, &bytes), self.after(range, fill))
            }
            Step::Trim(range) => {
                let end = if range.end == SIZE {
                    SIZE
                } else {
                    range.end / BLOCK_BYTES * BLOCK_BYTES
                };
                let whole = range.start.div_ceil(BLOCK_BYTES) * BLOCK_BYTES..end;
                let trimmed = disk.trim(range.start, range.end - range.start);
                let after = if whole.is_empty() {
                    BTreeMap::new()
                } else {
                    self.after(&whole, |_| 0)
                };
                (trimmed, after)
            }
            Step::Zero(range, is_kept) => (
                disk.write_zeroes(range.start, range.end - range.start, *is_kept),
                self.after(range, |_| 0),
            ),
            Step::Flush => (disk.flush(), BTreeMap::new()),
            Step::Reopen => return self.reopen(),
            Step::Kill(steps) | Step::PowerLoss(steps) => {
                self.machine.lock().unwrap().steps = Some(*steps);
                self.crash = Some(step);
                return;
            }
            Step::Full(pages) => {
                self.machine.lock().unwrap().free_pages = Some(*pages);
                return;
            }
            Step::Roomy => {
                self.machine.lock().unwrap().free_pages = None;
                return;
            }
        };
        let is_dead = self.machine.lock().unwrap().steps == Some(0);
        if is_dead {
            return self.crash(&after);
        }
        // One that survives is not followed by another that dies: the steps are counted within one operation.
        self.machine.lock().unwrap().steps = None;
        self.crash = None;
        match (result, &step) {
            (Ok(()), Step::Flush) => self.since_flush.clear(),
            (Ok(()), Step::Trim(_)) if self.is_untrimmed(&after) => {}
            (Ok(()), _) => self.take(after),
            (Err(error), _) => {
                assert!(error.is_no_space(), "{error}");
                self.take_what_is_there(&after);
            }
        }
        self.check();
    }

    /// A trim on a full disk may do nothing.
    fn is_untrimmed(&self, after: &BTreeMap<u64, Block>) -> bool {
        let is_full = self.machine.lock().unwrap().free_pages.is_some();
        is_full
            && after
                .keys()
                .all(|block| self.read(*block) == self.model(*block))
    }

    fn take(&mut self, after: BTreeMap<u64, Block>) {
        self.allow(&after);
        self.now.extend(after);
    }

    /// After an operation that failed: each of its blocks is as it was or as it would have become.
    fn take_what_is_there(&mut self, after: &BTreeMap<u64, Block>) {
        let found: BTreeMap<u64, Block> = after
            .iter()
            .map(|(block, new)| {
                let found = self.read(*block);
                assert!(
                    found == *new || found == self.model(*block),
                    "block {block}"
                );
                (*block, found)
            })
            .collect();
        // Its bytes may have reached the disk where an older state, that a loss of power brings back, has them read.
        self.allow(after);
        self.take(found);
    }

    /// What blocks may be after a loss of power, too.
    fn allow(&mut self, after: &BTreeMap<u64, Block>) {
        for (block, bytes) in after {
            let before = self.model(*block);
            let versions = self
                .since_flush
                .entry(*block)
                .or_insert_with(|| vec![before]);
            versions.push(bytes.clone());
        }
    }

    fn crash(&mut self, under_way: &BTreeMap<u64, Block>) {
        drop(self.disk.take());
        {
            let mut machine = self.machine.lock().unwrap();
            machine.steps = None;
            machine.free_pages = None;
        }
        if matches!(self.crash.take(), Some(Step::PowerLoss(_))) {
            let [data, map, _] = &self.files;
            data.lose_power(false);
            map.lose_power(true);
            self.open(false);
            self.allow(under_way);
            for block in watched() {
                let found = self.read(block);
                let allowed = self.since_flush.get(&block);
                let is_allowed = allowed.map_or(found == self.model(block), |versions| {
                    versions.contains(&found)
                });
                assert!(
                    is_allowed,
                    "block {block} is none of what it was since the flush"
                );
                self.now.insert(block, found);
            }
            // What was found is what the disk has now: nothing older may come back.
            self.since_flush.clear();
        } else {
            self.open(true);
            self.take_what_is_there(under_way);
        }
        self.check();
    }

    fn reopen(&mut self) {
        if self.crash.is_some() {
            return;
        }
        drop(self.disk.take());
        self.open(true);
        self.check();
    }

    fn check(&self) {
        for block in watched() {
            assert!(self.read(block) == self.model(block), "block {block}");
        }
        let disk = self.disk.as_ref().unwrap();
        assert!(disk.allocated_bytes() <= self.limit);
        let blocks = disk.blocks();
        let data = blocks.count(0..SIZE.div_ceil(BLOCK_BYTES), chunk_store::BlockState::Data);
        assert_eq!(disk.allocated_bytes(), data * BLOCK_BYTES);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_was_flushed_is_there_and_every_block_is_one_that_was_written(
        seed in any::<u64>(),
        limit in prop_oneof![3 => Just(u64::MAX), 1 => (4_u64..40).prop_map(|blocks| blocks * BLOCK_BYTES)],
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let mut bench = Bench::new(seed, limit);
        for step in steps {
            bench.run(step);
        }
    }
}

#[test]
fn after_a_sync_that_failed_nothing_is_taken_and_the_live_states_do_not_count() {
    let mut bench = Bench::new(1, u64::MAX);
    bench.run(Step::Write(0..BLOCK_BYTES, 9));
    bench.machine.lock().unwrap().steps = Some(1);
    let disk = bench.disk.as_ref().unwrap();
    assert!(matches!(disk.flush(), Err(WriteError::Failed(_))));
    bench.machine.lock().unwrap().steps = None;
    for refused in [disk.flush(), disk.write_at(0, b"more"), disk.trim(0, SIZE)] {
        assert!(matches!(refused, Err(WriteError::Failed(_))));
    }
    assert!(disk.failed().is_some());
}

#[test]
fn slots_that_a_killed_flush_wrote_are_safe_before_the_next_flush_is_answered() {
    for seed in 1..60 {
        let mut bench = Bench::new(seed, u64::MAX);
        let steps = [
            Step::Write(0..1, 1),
            Step::Flush,
            Step::Trim(0..2 * BLOCK_BYTES),
            // In the sync of the map: what it wrote is seen, and perhaps on no disk.
            Step::Kill(3),
            Step::Flush,
            Step::Flush,
            Step::PowerLoss(1),
            Step::Write(SIZE - 1..SIZE, 2),
        ];
        for step in steps {
            bench.run(step);
        }
    }
}

#[test]
fn what_a_refused_write_changed_is_safe_once_a_flush_is_answered() {
    for seed in 1..60 {
        let mut bench = Bench::new(seed, u64::MAX);
        let steps = [
            Step::Write(0..BLOCK_BYTES, 1),
            Step::Flush,
            Step::Full(0),
            Step::Write(0..2 * BLOCK_BYTES, 2),
            Step::Flush,
            Step::PowerLoss(1),
            Step::Write(SIZE - 1..SIZE, 3),
        ];
        for step in steps {
            bench.run(step);
        }
    }
}
