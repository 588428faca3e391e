//! Finished changes that no flush has made safe yet, in the order in which they were finished.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::OperationId;

#[derive(Clone, Debug, Default)]
pub(crate) struct Journal {
    /// By the number of their finish.
    entries: BTreeMap<u64, (OperationId, Instant)>,
    ids: BTreeSet<OperationId>,
    finishes: u64,
}

impl Journal {
    pub(crate) fn add(&mut self, id: OperationId, now: Instant) {
        self.finishes += 1;
        self.entries.insert(self.finishes, (id, now));
        self.ids.insert(id);
    }

    /// What a flush that is sent now covers.
    pub(crate) fn mark(&self) -> u64 {
        self.finishes
    }

    /// Gives out what a flush with this mark has made safe.
    pub(crate) fn made_safe(&mut self, mark: u64) -> Vec<OperationId> {
        let later = self.entries.split_off(&(mark + 1));
        let safe = std::mem::replace(&mut self.entries, later);
        let safe: Vec<OperationId> = safe.into_values().map(|(id, _)| id).collect();
        for id in &safe {
            self.ids.remove(id);
        }
        safe
    }

    pub(crate) fn holds(&self, id: OperationId) -> bool {
        self.ids.contains(&id)
    }

    /// In the order in which they were asked for.
    pub(crate) fn ids(&self) -> impl Iterator<Item = OperationId> + '_ {
        self.ids.iter().copied()
    }

    pub(crate) fn last_asked(&self) -> Option<OperationId> {
        self.ids.last().copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Since when the oldest has been waiting for a flush.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.entries.values().next().map(|(_, since)| *since)
    }
}
