//! A store's overlay as the disk of a device.

use std::ops::ControlFlow;

use chunk_backend::{Extent, Overlay, ReadError, WriteError};
use chunk_store::RootHash;

use crate::disk::{Disk, DiskError, Zeroing};

impl From<WriteError> for DiskError {
    fn from(error: WriteError) -> Self {
        if error.is_no_space() {
            Self::NoSpace(error.into())
        } else {
            Self::Failed(error.into())
        }
    }
}

impl From<ReadError> for DiskError {
    fn from(error: ReadError) -> Self {
        Self::Failed(error.into())
    }
}

impl Disk for Overlay {
    fn identity(&self) -> [u8; 16] {
        self.id().to_bytes()
    }

    fn root(&self) -> RootHash {
        self.base().root()
    }

    fn size_bytes(&self) -> u64 {
        self.size()
    }

    fn is_ready(&self, offset: u64, length: u32) -> bool {
        self.is_ready(offset, length)
    }

    fn make_ready(&self, offset: u64, length: u32) -> Result<(), DiskError> {
        Ok(self.make_ready(offset, length)?)
    }

    fn read(&self, offset: u64, place: &mut [u8]) -> Result<(), DiskError> {
        Ok(self.read_at(offset, place)?)
    }

    fn write(&self, offset: u64, bytes: &[u8], fua: bool) -> Result<(), DiskError> {
        self.write_at(offset, bytes)?;
        flush_if(self, fua)
    }

    fn trim(&self, offset: u64, length: u64, fua: bool) -> Result<(), DiskError> {
        self.trim(offset, length)?;
        flush_if(self, fua)
    }

    fn write_zeroes(&self, offset: u64, length: u64, how: Zeroing) -> Result<(), DiskError> {
        let zeroing = match how {
            Zeroing {
                no_hole: true,
                only_if_fast: true,
                ..
            } => return Err(DiskError::NotFast),
            Zeroing { no_hole: true, .. } => chunk_backend::Zeroing::KeepAllocated,
            Zeroing { no_hole: false, .. } => chunk_backend::Zeroing::MayPunch,
        };
        self.write_zeroes(offset, length, zeroing)?;
        flush_if(self, how.fua)
    }

    fn flush(&self) -> Result<(), DiskError> {
        Ok(self.flush()?)
    }

    fn extents(
        &self,
        offset: u64,
        length: u64,
        visit: &mut dyn FnMut(Extent) -> ControlFlow<()>,
    ) -> Result<(), DiskError> {
        Ok(self.extents(offset, length, visit)?)
    }
}

fn flush_if(overlay: &Overlay, fua: bool) -> Result<(), DiskError> {
    if fua {
        overlay.flush()?;
    }
    Ok(())
}
