//! Making safe what was written.

use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use chunk_store::Slot;

use super::{Below, Cow};
use crate::overlay::blocks::Changed;
use crate::overlay::medium::Medium;
use crate::{IoFailure, WriteError};

impl<B: Below, M: Medium> Cow<B, M> {
    /// Make safe what was answered before this was called. Who waits for another's flush that began later than that is done with
    /// it.
    pub(in crate::overlay) fn flush(&self) -> Result<(), WriteError> {
        let begun = self.begun_flushes.load(Ordering::SeqCst);
        let mut succeeded = self.flushing.lock().unwrap_or_else(PoisonError::into_inner);
        if *succeeded > begun {
            return Ok(());
        }
        self.check_health()?;
        let number = self.begun_flushes.fetch_add(1, Ordering::SeqCst) + 1;
        // The states first: the bytes of every block they speak of are in the file by now, and so in the sync.
        let changed = self.blocks.take_changed();
        if self.is_unsynced.swap(false, Ordering::SeqCst)
            && let Err(error) = self.data.sync()
        {
            return Err(self.fail(self.failure("sync", "data", error)));
        }
        if let Err(error) = self.write_slots(&changed) {
            for leaf in &changed {
                self.blocks.mark_dirty(leaf.leaf);
            }
            return Err(error);
        }
        *succeeded = number;
        Ok(())
    }

    fn write_slots(&self, changed: &[Changed]) -> Result<(), WriteError> {
        if changed.is_empty() {
            return Ok(());
        }
        for leaf in changed {
            let slot = Slot {
                overlay: self.id,
                leaf: leaf.leaf,
                sequence: self.sequence(leaf.leaf).load(Ordering::Relaxed) + 1,
                states: leaf.states.clone(),
            };
            let written = self.map.write_at(&slot.encode()[..], slot.place());
            self.noticed(written.map_err(|error| self.failure("write", "map", error)))?;
        }
        if let Err(error) = self.map.sync() {
            return Err(self.fail(self.failure("sync", "map", error)));
        }
        for leaf in changed {
            self.sequence(leaf.leaf).fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// After a sync that failed, the kernel may have given up pages and will not say so again: nothing that is not safe yet ever
    /// will be, and nobody may be told otherwise, nor the next process believe the live states.
    fn fail(&self, failure: IoFailure) -> WriteError {
        if let Some(live) = &self.live {
            _ = live.write_at(&[0; 48], 0);
        }
        WriteError::Failed(self.failed.get_or_init(|| failure).clone())
    }

    /// What has no live states is made safe at once, lest a kill undo it.
    pub(super) fn flush_without_live(&self) -> Result<(), WriteError> {
        if self.live.is_some() {
            Ok(())
        } else {
            self.flush()
        }
    }

    /// How often a slot of the leaf was written.
    pub(super) fn sequence(&self, leaf: u64) -> &AtomicU64 {
        &self.sequences[usize::try_from(leaf).unwrap_or(usize::MAX)]
    }
}
