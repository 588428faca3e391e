//! Kills and losses of power at every step of every operation, on files that forget what they were not told to keep.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use chunk_store::{BLOCK_BYTES, LEAF_BLOCKS, live_header};
use proptest::prelude::*;

use super::cow::{Below, Cow, Files, Live, Parts};
use super::medium::Medium;
use crate::{ReadError, WriteError};

const PAGE: usize = 4_096;
const SECTOR: usize = 512;
const ID: [u8; 16] = [3; 16];
/// Two leaves and a little, and a short last block.
const SIZE: u64 = 2 * LEAF_BLOCKS * BLOCK_BYTES + 5 * BLOCK_BYTES + 700;

type Page = [u8; PAGE];

/// Chance that is the same each time the test runs.
#[derive(Debug)]
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

/// What all files of a machine share.
#[derive(Debug)]
struct Machine {
    chance: Chance,
    /// Steps until it is dead; then nothing works.
    steps: Option<u64>,
    /// Pages that can still be allocated.
    free_pages: Option<u64>,
}

/// A file: what its readers see, and of each page all that a disk may have of it.
#[derive(Debug, Default)]
struct Content {
    seen: BTreeMap<u64, Page>,
    /// The last one is what is seen; the first was there at the last sync.
    versions: BTreeMap<u64, Vec<Page>>,
    reserved: std::collections::BTreeSet<u64>,
}

#[derive(Debug, Clone)]
struct Frail {
    machine: Arc<Mutex<Machine>>,
    content: Arc<Mutex<Content>>,
}

fn dead() -> io::Error {
    io::Error::other("the machine is dead")
}

impl Frail {
    fn new(machine: &Arc<Mutex<Machine>>) -> Self {
        Self {
            machine: Arc::clone(machine),
            content: Arc::default(),
        }
    }

    /// One step; false if the machine dies in it.
    fn step(&self) -> io::Result<bool> {
        let mut machine = self.machine.lock().unwrap();
        match &mut machine.steps {
            Some(0) => Err(dead()),
            Some(steps) => {
                *steps -= 1;
                Ok(*steps > 0)
            }
            None => Ok(true),
        }
    }

    fn allocate(&self, content: &Content, page: u64) -> bool {
        let is_allocated = content.seen.contains_key(&page) || content.reserved.contains(&page);
        match &mut self.machine.lock().unwrap().free_pages {
            Some(0) => is_allocated,
            Some(free) => {
                *free -= u64::from(!is_allocated);
                true
            }
            None => true,
        }
    }

    fn put(content: &mut Content, page: u64, bytes: &Page) {
        let before = content.seen.insert(page, *bytes).unwrap_or([0; PAGE]);
        let versions = content.versions.entry(page).or_insert_with(|| vec![before]);
        versions.push(*bytes);
    }

    /// The power goes: each page is one of what it has been since the last sync; in the map each sector is.
    fn lose_power(&self, is_torn: bool) {
        let mut content = self.content.lock().unwrap();
        let mut machine = self.machine.lock().unwrap();
        for (page, versions) in std::mem::take(&mut content.versions) {
            let mut kept = versions[machine.chance.below(versions.len())];
            if is_torn {
                for sector in kept.chunks_mut(SECTOR).enumerate() {
                    let (number, sector) = sector;
                    let from = &versions[machine.chance.below(versions.len())];
                    sector.copy_from_slice(&from[number * SECTOR..(number + 1) * SECTOR]);
                }
            }
            content.seen.insert(page, kept);
        }
    }
}

impl Medium for Frail {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let content = self.content.lock().unwrap();
        let mut position = offset;
        let mut rest = buffer;
        while !rest.is_empty() {
            let within = usize::try_from(position % PAGE as u64).unwrap();
            let (part, behind) = rest.split_at_mut(rest.len().min(PAGE - within));
            match content.seen.get(&(position / PAGE as u64)) {
                Some(page) => part.copy_from_slice(&page[within..within + part.len()]),
                None => part.fill(0),
            }
            position += part.len() as u64;
            rest = behind;
        }
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let is_alive = self.step()?;
        let mut content = self.content.lock().unwrap();
        let pages = offset / PAGE as u64..(offset + bytes.len() as u64).div_ceil(PAGE as u64);
        // Who dies in it has written some of the pages.
        let last = if is_alive {
            pages.end
        } else {
            let count = usize::try_from(pages.end - pages.start).unwrap();
            pages.start + self.machine.lock().unwrap().chance.below(count + 1) as u64
        };
        for page in pages.start..last {
            if !self.allocate(&content, page) {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            let mut after = content.seen.get(&page).copied().unwrap_or([0; PAGE]);
            let start = offset.max(page * PAGE as u64);
            let end = (offset + bytes.len() as u64).min((page + 1) * PAGE as u64);
            let within = |place: u64| usize::try_from(place - page * PAGE as u64).unwrap();
            let part = |place: u64| usize::try_from(place - offset).unwrap();
            after[within(start)..within(end)].copy_from_slice(&bytes[part(start)..part(end)]);
            Self::put(&mut content, page, &after);
        }
        if is_alive { Ok(()) } else { Err(dead()) }
    }

    fn punch(&self, offset: u64, length: u64) -> io::Result<()> {
        let is_alive = self.step()?;
        let mut content = self.content.lock().unwrap();
        let end = (offset + length).min(SIZE);
        let pages: Vec<u64> = (offset / PAGE as u64..end.div_ceil(PAGE as u64))
            .filter(|page| content.seen.contains_key(page))
            .collect();
        for page in pages {
            if is_alive || self.machine.lock().unwrap().chance.below(2) == 0 {
                Self::put(&mut content, page, &[0; PAGE]);
            }
        }
        if is_alive { Ok(()) } else { Err(dead()) }
    }

    fn reserve(&self, offset: u64, length: u64) -> io::Result<()> {
        self.step()?;
        let mut content = self.content.lock().unwrap();
        for page in offset / PAGE as u64..(offset + length).div_ceil(PAGE as u64) {
            if !self.allocate(&content, page) {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            content.reserved.insert(page);
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let is_alive = self.step()?;
        let mut content = self.content.lock().unwrap();
        let chance = &mut self.machine.lock().unwrap().chance;
        content
            .versions
            .retain(|_, _| !is_alive && chance.below(2) == 0);
        if is_alive { Ok(()) } else { Err(dead()) }
    }

    fn next_data(&self, size: u64, from: u64) -> io::Result<Option<(u64, u64)>> {
        let content = self.content.lock().unwrap();
        let next = content.seen.range(from / PAGE as u64..).next();
        let extent = next.map(|(page, _)| {
            let start = (page * PAGE as u64).max(from);
            (start, ((page + 1) * PAGE as u64).min(size))
        });
        Ok(extent
            .filter(|(start, end)| start < end)
            .map(|(start, end)| (start, end - start)))
    }
}

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
    #![proptest_config(ProptestConfig::with_cases(96))]
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
