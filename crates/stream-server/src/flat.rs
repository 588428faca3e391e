//! Reading verified ranges of a version's flat file.

use std::io::{self, IoSliceMut};

use rustix::io::{Errno, ReadWriteFlags, preadv2};

use crate::export::OpenVersion;

/// What came of copying a range.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Copied {
    Whole,
    /// A disk would have to be waited for.
    WouldWait,
}

/// Copies the range at `offset` into `place`; waits for a disk only if it may.
pub(crate) fn copy(
    open: &OpenVersion,
    offset: u64,
    place: &mut [u8],
    may_wait: bool,
) -> io::Result<Copied> {
    if may_wait {
        return copy_waiting(open, offset, place);
    }
    let wanted = place.len();
    match preadv2(
        open.version.file(),
        &mut [IoSliceMut::new(place)],
        offset,
        ReadWriteFlags::NOWAIT,
    ) {
        Ok(count) if count == wanted => Ok(Copied::Whole),
        Ok(_) | Err(Errno::AGAIN | Errno::INTR) => Ok(Copied::WouldWait),
        // The file system cannot be asked so; it can be asked what it has in memory.
        Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) => {
            let length = u32::try_from(wanted).unwrap_or(u32::MAX);
            if open.residency.is_resident(offset, length) {
                copy_waiting(open, offset, place)
            } else {
                Ok(Copied::WouldWait)
            }
        }
        Err(error) => Err(error.into()),
    }
}

fn copy_waiting(open: &OpenVersion, offset: u64, place: &mut [u8]) -> io::Result<Copied> {
    use std::os::unix::fs::FileExt as _;
    open.version.file().read_exact_at(place, offset)?;
    Ok(Copied::Whole)
}
