//! Taking up an overlay: after an orderly end, a kill, or a loss of power.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};

use chunk_store::{
    BLOCK_BYTES, BlockState, LEAF_STATE_BYTES, LIVE_STATES_OFFSET, SLOT_BYTES, choose_slot,
};

use super::{Below, Cow, Live, Parts, SLOTS_BYTES, live_place};
use crate::OpenOverlayError;
use crate::overlay::blocks::{Blocks, leaf_count};
use crate::overlay::medium::Medium;
use crate::overlay::ranges::Ranges;

impl<B: Below, M: Medium> Cow<B, M> {
    /// Take up an overlay as its files have it.
    pub(in crate::overlay) fn open(parts: Parts<B, M>) -> Result<Self, OpenOverlayError> {
        let block_count = parts.size.div_ceil(BLOCK_BYTES);
        let leaves = leaf_count(block_count);
        let mut cow = Self {
            id: parts.id,
            size: parts.size,
            limit: AtomicU64::new(parts.limit),
            path: parts.path,
            below: parts.below,
            data: parts.files.data,
            map: parts.files.map,
            live: None,
            blocks: Blocks::new(block_count),
            ranges: Ranges::default(),
            allocated_blocks: AtomicU64::new(0),
            is_full: AtomicBool::new(false),
            // A process that was killed may have left pages that no disk has yet.
            is_unsynced: AtomicBool::new(true),
            sequences: (0..leaves).map(|_| AtomicU64::new(0)).collect(),
            begun_flushes: AtomicU64::new(0),
            flushing: Mutex::new(0),
            failed: OnceLock::new(),
        };
        // A flush that a kill cut short may have written slots that no disk has yet. They look like any other from here on; and the
        // slots before them, which are overwritten next, are all there is if the power goes.
        cow.map
            .sync()
            .map_err(|error| cow.failure("sync", "map", error))?;
        cow.load_map(leaves)?;
        cow.live = match parts.files.live {
            Some(Live::Current(live)) => {
                cow.load_live(&live, leaves)?;
                Some(live)
            }
            Some(Live::Empty(live, header)) => {
                cow.fill_live(&live, leaves, header).ok().map(|()| live)
            }
            None => None,
        };
        cow.give_back_leftovers(block_count);
        let allocated = cow.blocks.count(0..block_count, BlockState::Data);
        cow.allocated_blocks.store(allocated, Ordering::Relaxed);
        Ok(cow)
    }

    fn load_map(&self, leaves: u64) -> Result<(), OpenOverlayError> {
        let failure = |error| self.failure("read", "map", error);
        let mut next = 0;
        while let Some((offset, length)) = self
            .map
            .next_data(leaves * SLOTS_BYTES, next * SLOTS_BYTES)
            .map_err(failure)?
        {
            let last = (offset + length).div_ceil(SLOTS_BYTES).min(leaves);
            for leaf in next.max(offset / SLOTS_BYTES)..last {
                let mut slots = vec![0; 2 * SLOT_BYTES];
                self.map
                    .read_at(&mut slots, leaf * SLOTS_BYTES)
                    .map_err(failure)?;
                let (even, odd) = slots.split_at(SLOT_BYTES);
                let slot = choose_slot(self.id, leaf, [even, odd]).map_err(|source| {
                    OpenOverlayError::UnusableMap {
                        path: self.path.join("map"),
                        source,
                    }
                })?;
                if let Some(slot) = slot {
                    self.blocks.load(leaf, &slot.states);
                    self.sequence(leaf).store(slot.sequence, Ordering::Relaxed);
                }
            }
            next = last;
        }
        Ok(())
    }

    /// Take the states that a killed process left, which are at least as new as those of the map.
    fn load_live(&self, live: &M, leaves: u64) -> Result<(), OpenOverlayError> {
        let failure = |error| self.failure("read", "live", error);
        let size = live_place(leaves);
        let mut next = 0;
        while let Some((offset, length)) =
            live.next_data(size, live_place(next)).map_err(failure)?
        {
            let within = |place: u64| place.saturating_sub(LIVE_STATES_OFFSET);
            let last = within(offset + length)
                .div_ceil(LEAF_STATE_BYTES as u64)
                .min(leaves);
            for leaf in next.max(within(offset) / LEAF_STATE_BYTES as u64)..last {
                let mut states = Box::new([0; LEAF_STATE_BYTES]);
                live.read_at(&mut states[..], live_place(leaf))
                    .map_err(failure)?;
                if states != self.blocks.states(leaf) {
                    self.blocks.load(leaf, &states);
                    self.blocks.mark_dirty(leaf);
                }
            }
            next = last;
        }
        Ok(())
    }

    /// Write all states, and only then what makes them count.
    fn fill_live(&self, live: &M, leaves: u64, header: [u8; 48]) -> std::io::Result<()> {
        for leaf in (0..leaves).filter(|leaf| self.blocks.has_leaf(*leaf)) {
            live.write_at(&self.blocks.states(leaf)[..], live_place(leaf))?;
        }
        live.write_at(&header, 0)
    }

    /// Give back the space of blocks that were written but not safe when the power went. Nobody reads them; so if this does not
    /// succeed, nothing is lost but the space.
    fn give_back_leftovers(&self, blocks: u64) {
        let mut from = 0;
        while let Ok(Some((offset, length))) = self.data.next_data(self.size, from) {
            from = offset + length;
            let extent = offset / BLOCK_BYTES..from.div_ceil(BLOCK_BYTES).min(blocks);
            for (state, run) in self.blocks.runs(extent) {
                if state != BlockState::Data {
                    _ = self.punch(&run);
                }
            }
        }
    }
}
