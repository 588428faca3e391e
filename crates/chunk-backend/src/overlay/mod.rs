//! Overlays: disks that begin as a version and may be changed.
//!
//! `place` knows the folder, `cow` what is read and written where, `blocks` the states of blocks, `ranges` who changes which, and
//! `medium` what is asked of files. The bytes are drawn in `docs/formats/overlay.md`; ADR 14 says why they are so.

mod blocks;
mod cow;
mod error;
mod medium;
mod place;
#[cfg(test)]
mod power;
mod ranges;
mod seal;

use std::fs::File;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use chunk_store::{BLOCK_BYTES, BlockState, OverlayHead, RootHash};

use crate::{Extent, IoFailure, OverlayId, ReadError, ServedVersion, Store};

use cow::{Below, Cow, Parts};
use place::{Locked, Place};

pub use error::{CreateOverlayError, OpenOverlayError, SealError, WriteError};
pub use seal::Sealed;
pub(crate) use seal::seal;

/// Whether zeros may be made by giving space back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Zeroing {
    /// They may, and take none then.
    #[default]
    MayPunch,
    /// They keep their space, so that a later write to them finds it.
    KeepAllocated,
}

/// How full an overlay is.
#[derive(Debug, Clone)]
pub struct OverlayUsage {
    /// Bytes of the disk.
    pub size_bytes: u64,
    /// Bytes that are not the version's any more, zeros among them.
    pub changed_bytes: u64,
    /// Bytes that are kept for them.
    pub allocated_bytes: u64,
    /// As many of those as there may be.
    pub limit_bytes: u64,
    /// True if the last write that needed room found none.
    pub is_full: bool,
    /// Why nothing is written any more.
    pub failure: Option<IoFailure>,
}

/// A disk over a version, opened by this process. Any thread may use it; operations on different blocks run side by side.
///
/// What was answered is seen by all that comes later, also after the process was killed. It is safe from a loss of power once
/// a [`Overlay::flush`] that began later has succeeded. After such a loss each block is as safe or as any later write made it.
#[derive(Debug)]
pub struct Overlay {
    cow: Cow<Arc<ServedVersion>, File>,
    head: Mutex<OverlayHead>,
    locked: Locked,
    id: OverlayId,
}

impl Below for Arc<ServedVersion> {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        ServedVersion::read_at(self, offset, buffer)
    }
}

impl Overlay {
    /// Make an overlay over `base` that holds up to `limit_bytes` of its own.
    ///
    /// # Errors
    /// There is one of this id, or it cannot be written.
    pub fn create(
        store: &Store,
        id: OverlayId,
        base: &Arc<ServedVersion>,
        limit_bytes: u64,
    ) -> Result<Self, CreateOverlayError> {
        let head = OverlayHead {
            id: id.to_bytes(),
            base: base.root(),
            size: base.size(),
            limit: limit_bytes,
            sealed: None,
        };
        let locked = Place::new(store, id).create(&head)?;
        Self::take_up(locked, id, head, base).map_err(|error| match error {
            OpenOverlayError::Io(error) => error.into(),
            error => CreateOverlayError::Open(Box::new(error)),
        })
    }

    /// Open an overlay over `base`, which must be the version that it was made over.
    ///
    /// # Errors
    /// There is none of this id, a process has it open, it lies over another version, or cannot be used.
    pub fn open(
        store: &Store,
        id: OverlayId,
        base: &Arc<ServedVersion>,
    ) -> Result<Self, OpenOverlayError> {
        let place = Place::new(store, id);
        let locked = place.lock(id)?;
        let head = place.head(id)?;
        if head.base != base.root() || head.size != base.size() {
            return Err(OpenOverlayError::OtherBase {
                path: place.path().to_owned(),
                found: head.base,
                given: base.root(),
            });
        }
        Self::take_up(locked, id, head, base)
    }

    fn take_up(
        locked: Locked,
        id: OverlayId,
        head: OverlayHead,
        base: &Arc<ServedVersion>,
    ) -> Result<Self, OpenOverlayError> {
        let cow = Cow::open(Parts {
            id: head.id,
            size: head.size,
            limit: head.limit,
            path: locked.place.path().to_owned(),
            below: Arc::clone(base),
            files: locked.files(&head)?,
        })?;
        if head.sealed.is_some() {
            cow.freeze();
        }
        Ok(Self {
            cow,
            head: Mutex::new(head),
            locked,
            id,
        })
    }

    /// Take an overlay away, with all that was written to it. One that is not there is no error.
    ///
    /// # Errors
    /// A process has it open, or it cannot be removed.
    pub fn remove(store: &Store, id: OverlayId) -> Result<(), OpenOverlayError> {
        match Place::new(store, id).lock(id) {
            Ok(locked) => Ok(locked.remove()?),
            Err(OpenOverlayError::Unknown { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// All overlays of a store, whoever has them open.
    ///
    /// # Errors
    /// The folder cannot be listed.
    pub fn list(store: &Store) -> Result<Vec<OverlayId>, IoFailure> {
        Place::list(store)
    }

    /// What an overlay says of itself, whoever has it open. The version below it is in use as long as it is there.
    ///
    /// # Errors
    /// There is none of this id, or its head cannot be used.
    pub fn head(store: &Store, id: OverlayId) -> Result<OverlayHead, OpenOverlayError> {
        Place::new(store, id).head(id)
    }

    fn own_head(&self) -> OverlayHead {
        *self.head.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which one it is.
    pub fn id(&self) -> OverlayId {
        self.id
    }

    /// The version below.
    pub fn base(&self) -> &Arc<ServedVersion> {
        self.cow.below()
    }

    /// Bytes of the disk.
    pub fn size(&self) -> u64 {
        self.cow.size()
    }

    /// The version that it was sealed as.
    pub fn sealed_root(&self) -> Option<RootHash> {
        self.own_head().sealed
    }

    fn mark_sealed(&self, root: RootHash) -> Result<(), IoFailure> {
        let mut head = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        let sealed = OverlayHead {
            sealed: Some(root),
            ..*head
        };
        self.locked.write_head(&sealed)?;
        *head = sealed;
        Ok(())
    }

    /// How full it is.
    pub fn usage(&self) -> OverlayUsage {
        let all = 0..self.size().div_ceil(BLOCK_BYTES);
        let zero_blocks = self.cow.blocks().count(all, BlockState::Zero);
        let allocated_bytes = self.cow.allocated_bytes();
        OverlayUsage {
            size_bytes: self.size(),
            changed_bytes: allocated_bytes + zero_blocks * BLOCK_BYTES,
            allocated_bytes,
            limit_bytes: self.cow.limit(),
            is_full: self.cow.is_full(),
            failure: self.cow.failed().cloned(),
        }
    }

    /// Let it hold more, or less; what it holds already it keeps.
    ///
    /// # Errors
    /// The head cannot be written.
    pub fn set_limit(&self, limit_bytes: u64) -> Result<(), IoFailure> {
        let mut head = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = OverlayHead {
            limit: limit_bytes,
            ..*head
        };
        self.locked.write_head(&changed)?;
        *head = changed;
        self.cow.set_limit(limit_bytes);
        Ok(())
    }

    /// True if a read of the range needs nothing from packs or peers. Takes no lock.
    pub fn is_ready(&self, offset: u64, length: u32) -> bool {
        self.base().is_ready(offset, length) || !self.shows_base(offset, u64::from(length))
    }

    fn shows_base(&self, offset: u64, length: u64) -> bool {
        let blocks = offset / BLOCK_BYTES..offset.saturating_add(length).div_ceil(BLOCK_BYTES);
        let mut runs = self.cow.blocks().runs(blocks);
        runs.any(|(state, _)| state == BlockState::Base)
    }

    /// Wait until [`Overlay::is_ready`].
    ///
    /// # Errors
    /// The range is not within the disk, or a chunk of the version below cannot be had sound.
    pub fn make_ready(&self, offset: u64, length: u32) -> Result<(), ReadError> {
        if self.is_ready(offset, length) {
            return Ok(());
        }
        self.base().make_ready(offset, length)
    }

    /// Fill `buffer` with the disk's bytes at `offset`.
    ///
    /// # Errors
    /// The range is not within the disk, or it cannot be read.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        self.cow.read_at(offset, buffer)
    }

    /// Write `bytes` at `offset`; for bytes that must be safe, flush after it.
    ///
    /// # Errors
    /// [`WriteError::is_no_space`] if there is no room: the range may hold some of the bytes then, and everything else is as
    /// it was.
    pub fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), WriteError> {
        self.cow.write_at(offset, bytes)
    }

    /// Give back the space of a range. Blocks that lie in it as a whole read as zeros then, the others as before.
    ///
    /// # Errors
    /// It cannot be noted.
    pub fn trim(&self, offset: u64, length: u64) -> Result<(), WriteError> {
        self.cow.trim(offset, length)
    }

    /// Have a range read as zeros.
    ///
    /// # Errors
    /// Those of [`Overlay::write_at`].
    pub fn write_zeroes(&self, offset: u64, length: u64, how: Zeroing) -> Result<(), WriteError> {
        let is_kept = how == Zeroing::KeepAllocated;
        self.cow.write_zeroes(offset, length, is_kept)
    }

    /// Make safe what was answered before this was called. Several at once share the work.
    ///
    /// # Errors
    /// It is not safe. After [`WriteError::Failed`] nothing is taken any more; otherwise it may be tried again.
    pub fn flush(&self) -> Result<(), WriteError> {
        self.cow.flush()
    }

    /// Call `visit` with the runs of data and of zeros in a range, in order, neighbours of a kind merged.
    ///
    /// # Errors
    /// The range is not within the disk, or a page of the manifest below cannot be had.
    pub fn extents(
        &self,
        offset: u64,
        length: u64,
        visit: &mut dyn FnMut(Extent) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        let end = offset.checked_add(length).filter(|end| *end <= self.size());
        let end = end.ok_or(ReadError::BeyondEnd {
            offset,
            length,
            size: self.size(),
        })?;
        let mut merged = Merged { last: None, visit };
        let blocks = offset / BLOCK_BYTES..end.div_ceil(BLOCK_BYTES);
        for (state, run) in self.cow.blocks().runs(blocks) {
            let start = (run.start * BLOCK_BYTES).max(offset);
            let length = (run.end * BLOCK_BYTES).min(end) - start;
            let own = |is_hole| Extent {
                offset: start,
                length,
                is_hole,
            };
            let flow = match state {
                BlockState::Data => merged.push(own(false)),
                BlockState::Zero => merged.push(own(true)),
                BlockState::Base => {
                    let mut flow = ControlFlow::Continue(());
                    self.base().extents(start, length, &mut |extent| {
                        flow = merged.push(extent);
                        flow
                    })?;
                    flow
                }
            };
            if flow.is_break() {
                return Ok(());
            }
        }
        merged.finish();
        Ok(())
    }
}

impl Drop for Overlay {
    fn drop(&mut self) {
        // So that an orderly end of the system loses nothing. If it does not succeed, the next process still finds the live states.
        _ = self.cow.flush();
    }
}

/// Extents with neighbours of a kind made one.
struct Merged<'a> {
    last: Option<Extent>,
    visit: &'a mut dyn FnMut(Extent) -> ControlFlow<()>,
}

impl Merged<'_> {
    fn push(&mut self, extent: Extent) -> ControlFlow<()> {
        match &mut self.last {
            Some(last) if last.is_hole == extent.is_hole => {
                last.length += extent.length;
                ControlFlow::Continue(())
            }
            last => last
                .replace(extent)
                .map_or(ControlFlow::Continue(()), |done| (self.visit)(done)),
        }
    }

    fn finish(self) {
        if let Some(last) = self.last {
            _ = (self.visit)(last);
        }
    }
}
