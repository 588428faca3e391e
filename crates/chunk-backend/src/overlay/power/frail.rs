//! Files that forget what they were not told to keep, on a machine that dies or fills up.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex};

use super::SIZE;
use crate::overlay::medium::Medium;

const PAGE: usize = 4_096;
const SECTOR: usize = 512;

type Page = [u8; PAGE];

/// Chance that is the same each time the test runs.
#[derive(Debug)]
pub(super) struct Chance(pub(super) u64);

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
pub(super) struct Machine {
    pub(super) chance: Chance,
    /// Steps until it is dead; then nothing works.
    pub(super) steps: Option<u64>,
    /// Pages that can still be allocated.
    pub(super) free_pages: Option<u64>,
}

/// A file: what its readers see, and of each page all that a disk may have of it.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) seen: BTreeMap<u64, Page>,
    /// The last one is what is seen; the first was there at the last sync.
    pub(super) versions: BTreeMap<u64, Vec<Page>>,
    pub(super) reserved: BTreeSet<u64>,
}

#[derive(Debug, Clone)]
pub(super) struct Frail {
    pub(super) machine: Arc<Mutex<Machine>>,
    pub(super) content: Arc<Mutex<Content>>,
}

fn dead() -> io::Error {
    io::Error::other("the machine is dead")
}

impl Frail {
    pub(super) fn new(machine: &Arc<Mutex<Machine>>) -> Self {
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
    pub(super) fn lose_power(&self, is_torn: bool) {
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
