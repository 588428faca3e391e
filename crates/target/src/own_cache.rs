//! The write cache that this program keeps itself: what it has for one, and which one the farm's answer makes of it.
//!
//! Everything is opened before the disk is up. The memory is nameless files, which a worker finds as the last one left them.

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use chunk_store::RootHash;
use write_cache::{Cache, CacheDisk, Kind, Memory, Plan};

use crate::config::LoginAnswer;
use crate::journal::note;

/// Part of the machine's memory that a cache may take if nothing is said.
const MEMORY_PART: u64 = 2;
/// The least that it may take then.
const LEAST_MEMORY_BYTES: u64 = 64 << 20;

/// What there is for a write cache.
pub(crate) struct OwnCache {
    memory: Memory,
    memory_bytes: u64,
    disk: RefCell<Result<CacheDisk, String>>,
}

/// A cache, and what is wrong with it in words for people.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) cache: Arc<Cache>,
    pub(crate) problem: String,
}

/// Why there is no cache.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OwnCacheError {
    /// Another answer may be had without the disk.
    #[error("{0}")]
    Disk(String),
    #[error("{0}")]
    Other(String),
}

impl OwnCache {
    /// Looks at the disk, if one is named. That it cannot be used is said to the farm, which knows what is to be done then.
    pub(crate) fn open(disk: Option<&Path>, memory_bytes: Option<u64>) -> std::io::Result<Self> {
        let disk = match disk {
            Some(path) => CacheDisk::open(path).map_err(|error| {
                note!("{error}");
                error.to_string()
            }),
            None => Err("it has no cache disk".to_owned()),
        };
        Ok(Self {
            memory: Memory::new()?,
            memory_bytes: memory_bytes.unwrap_or_else(|| {
                let machine = machine_bytes();
                (machine / MEMORY_PART).max(LEAST_MEMORY_BYTES.min(machine))
            }),
            disk: RefCell::new(disk),
        })
    }

    pub(crate) fn has_disk(&self) -> bool {
        self.disk.borrow().is_ok()
    }

    /// From now on there is no disk.
    pub(crate) fn give_up_disk(&self, problem: &str) {
        note!("{problem}");
        *self.disk.borrow_mut() = Err(problem.to_owned());
    }

    /// Makes what the answer says, or goes on with what an earlier worker made. `None` if a server keeps the writes.
    pub(crate) fn set_up(&self, answer: &LoginAnswer) -> Result<Option<Kept>, OwnCacheError> {
        if answer.writable {
            return Ok(None);
        }
        let other = |why: String| OwnCacheError::Other(why);
        let disk = self.disk.borrow();
        let mut problem = disk.as_ref().err().cloned().unwrap_or_default();
        let kind = match (Kind::from_name(&answer.write_cache), &*disk) {
            (None, _) => {
                let why = format!(
                    "the farm wants an unknown write cache {}",
                    answer.write_cache
                );
                return Err(other(why));
            }
            (Some(kind), Ok(_)) => kind,
            (Some(kind), Err(problem)) if kind.needs_disk() => answer.without_disk(problem)?,
            (Some(kind), Err(_)) => {
                // Nobody asked for the disk.
                if answer.cache_fallback.is_none() && answer.write_cache == Kind::Ram.name() {
                    problem.clear();
                }
                kind
            }
        };
        let (Some(root), Some(size_bytes)) = (&answer.root, answer.size_bytes) else {
            let why = "a login answer without root and size cannot have a write cache";
            return Err(other(why.to_owned()));
        };
        let root: RootHash = root
            .parse()
            .map_err(|_| other(format!("root {root} is none")))?;
        let plan = Plan {
            kind,
            root: *root.as_bytes(),
            size_bytes,
            limit_bytes: answer.cache_limit_bytes,
            memory_bytes: self.memory_bytes,
        };
        let system = |error: std::io::Error| other(error.to_string());
        let memory = self.memory.try_clone().map_err(system)?;
        let disk = disk.as_ref().ok().map(CacheDisk::try_clone);
        let disk = disk.transpose().map_err(system)?;
        let cache = Cache::open(memory, disk, &plan).map_err(|error| {
            if kind.needs_disk() {
                OwnCacheError::Disk(error.to_string())
            } else {
                other(error.to_string())
            }
        })?;
        if let Some(limit) = plan.limit_bytes
            && cache.limit_bytes() < limit.min(size_bytes)
            && problem.is_empty()
        {
            let found = cache.limit_bytes();
            problem = format!("there is room for {found} of {limit} bytes");
        }
        Ok(Some(Kept {
            cache: Arc::new(cache),
            problem,
        }))
    }
}

impl LoginAnswer {
    /// What the image says for a device without its disk, from a farm that could not ask its database.
    fn without_disk(&self, problem: &str) -> Result<Kind, OwnCacheError> {
        match self.cache_fallback.as_deref() {
            Some("device-ram") => Ok(Kind::Ram),
            _ => Err(OwnCacheError::Disk(format!(
                "{problem}, and the farm wants {}",
                self.write_cache
            ))),
        }
    }
}

/// Bytes of memory that this machine has.
fn machine_bytes() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.map_or(LEAST_MEMORY_BYTES * MEMORY_PART, |kib| kib * 1024)
}
