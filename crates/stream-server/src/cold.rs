//! What may wait for a disk or a peer: done on the pool's threads, one request at a time.

use std::ops::ControlFlow;
use std::os::unix::fs::FileExt as _;
use std::time::Instant;

use nbd_proto::{
    AllocationFlags, Command, CommandFlags, Extent, MAX_BLOCK_STATUS_EXTENTS, Request,
};

use crate::export::{OpenExport, VersionError};
use crate::pool::Buffer;

/// A request that was worked on.
pub(crate) struct Finished {
    pub(crate) request: Request,
    pub(crate) received_at: Instant,
    pub(crate) outcome: Result<Outcome, VersionError>,
}

/// What there is to reply.
pub(crate) enum Outcome {
    /// The range is verified and in the page cache.
    Ready,
    /// The extents of the range; never empty.
    Extents(Vec<Extent>),
}

/// How many bytes a request waits for.
pub(crate) fn bytes_of(request: &Request) -> u64 {
    if request.command == Command::BlockStatus {
        0
    } else {
        u64::from(request.length)
    }
}

/// Does what a request needs. Blocks.
pub(crate) fn work(export: &OpenExport, request: Request, received_at: Instant) -> Finished {
    let outcome = if request.command == Command::BlockStatus {
        extents(export, &request).map(Outcome::Extents)
    } else {
        make_resident(export, &request).map(|()| Outcome::Ready)
    };
    Finished {
        request,
        received_at,
        outcome,
    }
}

fn make_resident(export: &OpenExport, request: &Request) -> Result<(), VersionError> {
    let Request { offset, length, .. } = *request;
    if !export.version.is_ready(offset, length) {
        export.version.make_ready(offset, length)?;
    }
    if export.residency.is_resident(offset, length) {
        return Ok(());
    }
    let mut buffer = Buffer::take();
    let end = offset + u64::from(length);
    let mut at = offset;
    while at < end {
        let wanted = usize::try_from(end - at)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let place = buffer.get_mut(..wanted).unwrap_or_default();
        export.version.file().read_exact_at(place, at)?;
        at += u64::try_from(wanted).unwrap_or(u64::MAX);
    }
    Ok(())
}

fn extents(export: &OpenExport, request: &Request) -> Result<Vec<Extent>, VersionError> {
    let limit = if request.flags.contains(CommandFlags::REQ_ONE) {
        1
    } else {
        MAX_BLOCK_STATUS_EXTENTS
    };
    let mut extents = Vec::new();
    let mut left = u64::from(request.length);
    export
        .version
        .extents(request.offset, left, &mut |extent| {
            let length = extent.length.min(left);
            left -= length;
            let hole = (AllocationFlags::HOLE | AllocationFlags::ZERO).bits();
            if let Ok(length) = u32::try_from(length)
                && length > 0
            {
                extents.push(Extent {
                    length,
                    flags: if extent.is_hole { hole } else { 0 },
                });
            }
            if left == 0 || extents.len() >= limit {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
    if extents.is_empty() {
        // A reply must say something; "may hold anything" is always true.
        extents.push(Extent {
            length: request.length,
            flags: 0,
        });
    }
    Ok(extents)
}
