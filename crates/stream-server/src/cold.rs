//! What may wait for a disk or a peer: done on the pool's threads, one request at a time.

use std::ops::ControlFlow;
use std::os::unix::fs::FileExt as _;
use std::time::Instant;

use nbd_proto::server::Received;
use nbd_proto::{
    AllocationFlags, Command, CommandFlags, ErrorCode, Extent, MAX_BLOCK_STATUS_EXTENTS, Request,
};

use crate::disk::{Disk, DiskError, Zeroing};
use crate::export::{OpenContent, OpenExport, OpenVersion, VersionError};
use crate::pool::Buffer;

/// A request that was worked on.
pub(crate) struct Finished {
    pub(crate) request: Request,
    pub(crate) received_at: Instant,
    pub(crate) outcome: Result<Outcome, Failure>,
}

/// What there is to reply.
pub(crate) enum Outcome {
    /// The range is verified and in the page cache.
    Ready,
    /// It was done.
    Done,
    /// The bytes of a read.
    Bytes(Vec<u8>),
    /// The extents of the range; never empty.
    Extents(Vec<Extent>),
}

/// Why a request failed.
pub(crate) struct Failure {
    pub(crate) code: ErrorCode,
    /// For people.
    pub(crate) message: String,
}

impl From<VersionError> for Failure {
    fn from(error: VersionError) -> Self {
        Self {
            code: ErrorCode::InputOutput,
            message: error.to_string(),
        }
    }
}

impl From<DiskError> for Failure {
    fn from(error: DiskError) -> Self {
        let code = match &error {
            DiskError::NoSpace(_) => ErrorCode::NoSpace,
            DiskError::NotFast => ErrorCode::NotSupported,
            DiskError::Failed(_) => ErrorCode::InputOutput,
        };
        Self {
            code,
            message: error.to_string(),
        }
    }
}

/// How many bytes are held, or made ready, for a request.
pub(crate) fn bytes_of(request: &Request) -> u64 {
    match request.command {
        Command::Read | Command::Write | Command::Cache => u64::from(request.length),
        _ => 0,
    }
}

/// Does what a request needs. Blocks.
pub(crate) fn work(export: &OpenExport, received: &Received, received_at: Instant) -> Finished {
    let request = received.request;
    let outcome = match &export.content {
        OpenContent::Version(open) => work_on_version(open, &request),
        OpenContent::Disk(open) => work_on_disk(&*open.disk, &request, &received.payload),
    };
    Finished {
        request,
        received_at,
        outcome,
    }
}

fn work_on_version(open: &OpenVersion, request: &Request) -> Result<Outcome, Failure> {
    if request.command == Command::BlockStatus {
        let mut found = Extents::new(request);
        open.version
            .extents(request.offset, found.left, &mut |extent| found.add(extent))?;
        return Ok(Outcome::Extents(found.finish(request)));
    }
    match make_resident(open, request) {
        Ok(()) => Ok(Outcome::Ready),
        // A full store is no reason not to be read.
        Err(error) if request.command == Command::Read => {
            let mut bytes = vec![0; usize::try_from(request.length).unwrap_or(usize::MAX)];
            open.version
                .read_past_file(request.offset, &mut bytes)
                .map_err(|_| error)?;
            Ok(Outcome::Bytes(bytes))
        }
        Err(error) => Err(error.into()),
    }
}

fn work_on_disk(disk: &dyn Disk, request: &Request, payload: &[u8]) -> Result<Outcome, Failure> {
    let Request {
        offset,
        length,
        flags,
        ..
    } = *request;
    let fua = flags.contains(CommandFlags::FUA);
    match request.command {
        Command::Read => {
            let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
            disk.read(offset, &mut bytes)?;
            return Ok(Outcome::Bytes(bytes));
        }
        Command::BlockStatus => {
            let mut found = Extents::new(request);
            disk.extents(offset, found.left, &mut |extent| found.add(extent))?;
            return Ok(Outcome::Extents(found.finish(request)));
        }
        Command::Write => disk.write(offset, payload, fua)?,
        Command::Trim => disk.trim(offset, u64::from(length), fua)?,
        Command::WriteZeroes => {
            let how = Zeroing {
                fua,
                no_hole: flags.contains(CommandFlags::NO_HOLE),
                only_if_fast: flags.contains(CommandFlags::FAST_ZERO),
            };
            disk.write_zeroes(offset, u64::from(length), how)?;
        }
        Command::Flush => disk.flush()?,
        Command::Cache => {
            if !disk.is_ready(offset, length) {
                disk.make_ready(offset, length)?;
            }
        }
        Command::Disconnect | _ => {}
    }
    Ok(Outcome::Done)
}

fn make_resident(open: &OpenVersion, request: &Request) -> Result<(), VersionError> {
    let Request { offset, length, .. } = *request;
    if !open.version.is_ready(offset, length) {
        open.version.make_ready(offset, length)?;
    }
    if open.residency.is_resident(offset, length) {
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
        open.version.file().read_exact_at(place, at)?;
        at += u64::try_from(wanted).unwrap_or(u64::MAX);
    }
    Ok(())
}

/// The extents of a range as they are told.
struct Extents {
    found: Vec<Extent>,
    limit: usize,
    left: u64,
}

impl Extents {
    fn new(request: &Request) -> Self {
        let limit = if request.flags.contains(CommandFlags::REQ_ONE) {
            1
        } else {
            MAX_BLOCK_STATUS_EXTENTS
        };
        Self {
            found: Vec::new(),
            limit,
            left: u64::from(request.length),
        }
    }

    fn add(&mut self, extent: chunk_backend::Extent) -> ControlFlow<()> {
        let length = extent.length.min(self.left);
        self.left -= length;
        let hole = (AllocationFlags::HOLE | AllocationFlags::ZERO).bits();
        if let Ok(length) = u32::try_from(length)
            && length > 0
        {
            self.found.push(Extent {
                length,
                flags: if extent.is_hole { hole } else { 0 },
            });
        }
        if self.left == 0 || self.found.len() >= self.limit {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn finish(mut self, request: &Request) -> Vec<Extent> {
        if self.found.is_empty() {
            // A reply must say something; "may hold anything" is always true.
            self.found.push(Extent {
                length: request.length,
                flags: 0,
            });
        }
        self.found
    }
}
