//! Whether a range of a file is in the page cache, so that sending it will not wait for a disk.

#![allow(
    unsafe_code,
    reason = "mincore has no safe form; the mapping is never read through"
)]

use std::fs::File;
use std::os::fd::AsFd;
use std::ptr::{self, NonNull};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// Pages that one call asks about.
const PAGES_AT_ONCE: usize = 512;

/// A mapping of a whole file that nothing is ever read through: it only gives the file's pages addresses to ask about.
pub(crate) struct Residency {
    mapping: Option<Mapping>,
    page_bytes: u64,
}

struct Mapping {
    address: NonNull<std::ffi::c_void>,
    length: usize,
}

// SAFETY: the mapping is PROT_NONE and belongs to this value alone; the kernel may be asked about it from any thread.
unsafe impl Send for Mapping {}
// SAFETY: as above; asking changes nothing.
unsafe impl Sync for Mapping {}

impl Residency {
    /// Of the first `size_bytes` of `file`.
    pub(crate) fn of(file: &File, size_bytes: u64) -> Self {
        let page_bytes = u64::try_from(rustix::param::page_size()).unwrap_or(4096);
        let mapping = usize::try_from(size_bytes)
            .ok()
            .filter(|length| *length > 0)
            .and_then(|length| {
                // SAFETY: a fresh mapping at an address of the kernel's choice that cannot be read or written.
                let mapped = unsafe {
                    mmap(
                        ptr::null_mut(),
                        length,
                        ProtFlags::empty(),
                        MapFlags::SHARED | MapFlags::NORESERVE,
                        file.as_fd(),
                        0,
                    )
                };
                mapped
                    .ok()
                    .and_then(NonNull::new)
                    .map(|address| Mapping { address, length })
            });
        Self {
            mapping,
            page_bytes,
        }
    }

    /// Whether every page of the range is in memory at this moment. `false` where that cannot be told.
    pub(crate) fn is_resident(&self, offset: u64, length: u32) -> bool {
        let Some(mapping) = &self.mapping else {
            return false;
        };
        let first = offset / self.page_bytes;
        let end = (offset + u64::from(length)).div_ceil(self.page_bytes);
        let (Ok(first), Ok(end), Ok(page_bytes)) = (
            usize::try_from(first),
            usize::try_from(end),
            usize::try_from(self.page_bytes),
        ) else {
            return false;
        };
        if end > mapping.length.div_ceil(page_bytes) {
            return false;
        }
        let mut states = [0_u8; PAGES_AT_ONCE];
        let mut page = first;
        while page < end {
            let pages = (end - page).min(PAGES_AT_ONCE);
            // SAFETY: the pages lie within the mapping, as checked above, and `states` has a byte for each of them.
            let answer = unsafe {
                libc::mincore(
                    mapping.address.as_ptr().byte_add(page * page_bytes),
                    pages * page_bytes,
                    states.as_mut_ptr(),
                )
            };
            if answer != 0 || states.iter().take(pages).any(|state| state & 1 == 0) {
                return false;
            }
            page += pages;
        }
        true
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: this is the mapping that `Residency::of` made, and nothing refers to it any more.
        let _ = unsafe { munmap(self.address.as_ptr(), self.length) };
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn what_was_just_written_is_resident_and_what_lies_behind_the_end_is_not() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![7; 100_000]).unwrap();
        let residency = Residency::of(&file, 100_000);
        assert!(residency.is_resident(0, 100_000));
        assert!(residency.is_resident(99_999, 1));
        assert!(!residency.is_resident(99_999, 5000));
    }

    #[test]
    fn a_hole_that_was_never_read_is_not_resident() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(1 << 20).unwrap();
        assert!(!Residency::of(&file, 1 << 20).is_resident(0, 65_536));
    }
}
