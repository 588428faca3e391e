//! What a collection does with each pack, decided from names and sizes alone.

use std::cmp::Ordering;
use std::collections::HashSet;

use crate::{ChunkName, ENTRY_HEADER_BYTES, PACK_RECORD_BYTES, PackIndex, PackRecord};

/// What becomes of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackFate {
    /// It stays as it is, with whatever in it nobody needs.
    Keep,
    /// What is needed of it is written again elsewhere; then it goes.
    Rewrite,
    /// Nothing in it is needed, or all that is lies in other packs too; it goes.
    Delete,
}

/// A pack, weighed. Bytes are those of entries and of their index records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackShare {
    /// What becomes of it.
    pub fate: PackFate,
    /// Bytes that are needed and that this pack answers for.
    pub live_bytes: u64,
    /// The others: of chunks that nobody needs, and of those that another pack answers for.
    pub dead_bytes: u64,
}

impl PackShare {
    /// Bytes that its fate makes free.
    pub fn freed_bytes(&self) -> u64 {
        match self.fate {
            PackFate::Keep => 0,
            PackFate::Rewrite | PackFate::Delete => self.dead_bytes,
        }
    }

    /// Bytes that its fate has written again.
    pub fn copied_bytes(&self) -> u64 {
        match self.fate {
            PackFate::Rewrite => self.live_bytes,
            PackFate::Keep | PackFate::Delete => 0,
        }
    }
}

/// Decide for each of `packs`, given in this order, what becomes of it. `is_live` says which chunks and pages are needed. A pack
/// of which `rewrite_percent` or more is dead is rewritten; so the price of a byte freed is at most
/// `(100 - rewrite_percent) / rewrite_percent` bytes copied.
///
/// Of a chunk that lies in several packs one copy counts as live, in the pack that has most other reason to stay.
pub fn plan_packs(
    packs: &[&PackIndex],
    is_live: &dyn Fn(ChunkName) -> bool,
    rewrite_percent: u8,
) -> Vec<PackShare> {
    let mut order: Vec<(usize, u64, u64)> = packs
        .iter()
        .enumerate()
        .map(|(number, pack)| {
            let live = pack.records().iter().filter(|record| is_live(record.name));
            let all = pack.records().iter().map(record_bytes).sum();
            (number, live.map(record_bytes).sum(), all)
        })
        .collect();
    order.sort_by(|left, right| by_live_share(right, left).then(left.0.cmp(&right.0)));
    let order: Vec<usize> = order.into_iter().map(|(number, ..)| number).collect();
    let first = weigh(packs, &order, is_live, rewrite_percent);
    // What lies in a pack that stays need not be copied from one that goes. Those that stay thereby have more reason to, and
    // the others less, so that nothing changes any more after this.
    let is_kept = |number: &usize| first[*number].fate == PackFate::Keep;
    let (mut kept_first, others): (Vec<usize>, Vec<usize>) = order.into_iter().partition(is_kept);
    kept_first.extend(others);
    weigh(packs, &kept_first, is_live, rewrite_percent)
}

/// Weigh each pack; the first in `order` that has a chunk answers for it.
fn weigh(
    packs: &[&PackIndex],
    order: &[usize],
    is_live: &dyn Fn(ChunkName) -> bool,
    rewrite_percent: u8,
) -> Vec<PackShare> {
    let nothing = PackShare {
        fate: PackFate::Delete,
        live_bytes: 0,
        dead_bytes: 0,
    };
    let mut answered_for = HashSet::new();
    let mut shares = vec![nothing; packs.len()];
    for &number in order {
        let (mut live_bytes, mut dead_bytes) = (0, 0);
        for record in packs[number].records() {
            if is_live(record.name) && answered_for.insert(record.name) {
                live_bytes += record_bytes(record);
            } else {
                dead_bytes += record_bytes(record);
            }
        }
        let all = u128::from(live_bytes + dead_bytes);
        let is_mostly_dead = u128::from(dead_bytes) * 100 >= all * u128::from(rewrite_percent);
        let fate = match (live_bytes, dead_bytes) {
            (0, _) => PackFate::Delete,
            (_, 0) => PackFate::Keep,
            _ if is_mostly_dead => PackFate::Rewrite,
            _ => PackFate::Keep,
        };
        shares[number] = PackShare {
            fate,
            live_bytes,
            dead_bytes,
        };
    }
    shares
}

fn record_bytes(record: &PackRecord) -> u64 {
    u64::from(record.stored_length) + (ENTRY_HEADER_BYTES + PACK_RECORD_BYTES) as u64
}

fn by_live_share(left: &(usize, u64, u64), right: &(usize, u64, u64)) -> Ordering {
    // An empty pack has no share; as one of nothing it has an order all the same.
    let cross = |live: u64, all: u64| u128::from(live) * u128::from(all.max(1));
    cross(left.1, right.2).cmp(&cross(right.1, left.2))
}
