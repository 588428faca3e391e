//! How full the device's own write cache is, and when the farm should hear of it.
//!
//! Either this program keeps the cache, or it is a file system in memory that the initramfs mounts. The folder of that is opened once, before
//! the disk is up, because later no path of the first root file system leads anywhere.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, fstatvfs, open};
use serde::Serialize;

use crate::cached_disk::CachedDisk;

/// Parts of a hundred at which the farm is told at once.
const LEVELS: [u64; 3] = [80, 90, 95];
/// Without news it is told after this.
const REPORT_EVERY: Duration = Duration::from_mins(15);

/// The folder of a write cache.
#[derive(Clone, Debug)]
pub(crate) struct CacheFolder(Arc<OwnedFd>);

/// How full it is, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct CacheUse {
    pub(crate) used_bytes: u64,
    pub(crate) limit_bytes: u64,
    /// In the words of the farm; memory if it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<&'static str>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) problem: String,
}

/// Where it is seen how full a cache is.
#[derive(Clone)]
pub(crate) enum Meter {
    Folder(CacheFolder),
    Disk(Rc<CachedDisk>),
}

impl Meter {
    /// `None` if the system does not say.
    pub(crate) fn use_now(&self) -> Option<CacheUse> {
        match self {
            Self::Folder(folder) => folder.use_now(),
            Self::Disk(disk) => Some(disk.use_now()),
        }
    }
}

impl CacheFolder {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(Arc::new(open(path, flags, Mode::empty())?)))
    }

    /// `None` if the system does not say.
    pub(crate) fn use_now(&self) -> Option<CacheUse> {
        let found = fstatvfs(&*self.0).ok()?;
        Some(CacheUse {
            used_bytes: found.f_blocks.saturating_sub(found.f_bfree) * found.f_frsize,
            limit_bytes: found.f_blocks * found.f_frsize,
            kind: None,
            problem: String::new(),
        })
    }
}

impl CacheUse {
    /// How many of [`LEVELS`] it has passed.
    fn level(&self) -> usize {
        let passed = |level: &&u64| {
            u128::from(self.used_bytes) * 100 >= u128::from(self.limit_bytes) * u128::from(**level)
        };
        LEVELS.iter().filter(passed).count()
    }
}

/// What the farm was told last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told(Option<(usize, String, Instant)>);

impl Told {
    /// Whether the farm should be told now.
    pub(crate) fn is_due(&self, cache: &CacheUse, now: Instant) -> bool {
        self.0.as_ref().is_none_or(|(level, problem, at)| {
            let present = cache.level();
            // Around a level it is not told again and again; that it has become empty, it is.
            present > *level
                || (present == 0 && *level > 0)
                || *problem != cache.problem
                || now.saturating_duration_since(*at) >= REPORT_EVERY
        })
    }

    pub(crate) fn told(&mut self, cache: &CacheUse, now: Instant) {
        self.0 = Some((cache.level(), cache.problem.clone(), now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(percent: u64) -> CacheUse {
        CacheUse {
            used_bytes: percent * 10,
            limit_bytes: 1000,
            kind: None,
            problem: String::new(),
        }
    }

    #[test]
    fn the_farm_is_told_first_then_at_each_level_and_when_it_has_become_empty() {
        let now = crate::clock::now();
        let mut told = Told::default();
        assert!(told.is_due(&used(1), now));
        told.told(&used(1), now);
        assert!(!told.is_due(&used(79), now));
        for percent in [80, 90, 95] {
            assert!(told.is_due(&used(percent), now), "{percent}");
            told.told(&used(percent), now);
            assert!(!told.is_due(&used(percent), now));
        }
        assert!(!told.is_due(&used(85), now), "a little less is no news");
        assert!(told.is_due(&used(10), now));
    }

    #[test]
    fn the_farm_is_told_at_once_of_a_problem_and_of_its_end() {
        let now = crate::clock::now();
        let mut told = Told::default();
        told.told(&used(1), now);
        let failing = CacheUse {
            problem: "it fails".to_owned(),
            ..used(1)
        };
        assert!(told.is_due(&failing, now));
        told.told(&failing, now);
        assert!(!told.is_due(&failing, now) && told.is_due(&used(1), now));
    }

    #[test]
    fn without_news_it_is_told_again_after_a_while() {
        let now = crate::clock::now();
        let mut told = Told::default();
        told.told(&used(5), now);
        assert!(!told.is_due(&used(5), now + REPORT_EVERY / 2));
        assert!(told.is_due(&used(5), now + REPORT_EVERY));
    }

    #[test]
    fn a_folder_says_what_its_file_system_has() {
        let folder = tempfile::tempdir().unwrap();
        let cache = CacheFolder::open(folder.path()).unwrap().use_now().unwrap();
        assert!(cache.used_bytes <= cache.limit_bytes && cache.limit_bytes > 0);
        assert!(CacheFolder::open(&folder.path().join("none")).is_err());
    }
}
