//! What holds for every plan of a collection.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{HashMap, HashSet};

use chunk_store::{ChunkName, PackFate, PackIndex, PackRecord, PackShare, plan_packs};
use proptest::prelude::*;

fn name(seed: u8) -> ChunkName {
    ChunkName::of(&[seed])
}

fn index(chunks: &[(u8, u32)]) -> PackIndex {
    let record = |&(seed, stored_length): &(u8, u32)| PackRecord {
        name: name(seed),
        offset: 16,
        stored_length,
    };
    PackIndex::new(chunks.iter().map(record).collect())
}

fn bytes(record: &PackRecord) -> u64 {
    u64::from(record.stored_length) + 88
}

/// A chunk is of the same length wherever it lies.
fn length(seed: u8) -> u32 {
    u32::from(seed) * 251 + 1
}

fn packs() -> impl Strategy<Value = Vec<PackIndex>> {
    let pack = prop::collection::vec(0_u8..60, 0..30);
    let to_index = |seeds: Vec<u8>| {
        let chunks: Vec<_> = seeds.iter().map(|seed| (*seed, length(*seed))).collect();
        index(&chunks)
    };
    prop::collection::vec(pack.prop_map(to_index), 0..8)
}

fn live() -> impl Strategy<Value = HashSet<ChunkName>> {
    prop::collection::hash_set((0_u8..60).prop_map(name), 0..60)
}

fn names(pack: &PackIndex) -> impl Iterator<Item = ChunkName> + '_ {
    pack.records().iter().map(|record| record.name)
}

fn plan(packs: &[PackIndex], is_live: &dyn Fn(ChunkName) -> bool, percent: u8) -> Vec<PackShare> {
    plan_packs(&packs.iter().collect::<Vec<_>>(), is_live, percent)
}

/// The packs as they are once the plan is carried out.
fn carry_out(
    packs: &[PackIndex],
    shares: &[PackShare],
    live: &HashSet<ChunkName>,
) -> Vec<PackIndex> {
    let (mut left, mut copied, mut written) = (Vec::new(), Vec::new(), HashSet::new());
    let is_kept = |share: &PackShare| share.fate == PackFate::Keep;
    for (pack, _) in packs.iter().zip(shares).filter(|(_, share)| is_kept(share)) {
        written.extend(names(pack));
        left.push(pack.clone());
    }
    for (pack, _) in packs
        .iter()
        .zip(shares)
        .filter(|(_, share)| !is_kept(share))
    {
        for record in pack.records() {
            if live.contains(&record.name) && written.insert(record.name) {
                copied.push(*record);
            }
        }
    }
    if !copied.is_empty() {
        left.push(PackIndex::new(copied));
    }
    left
}

fn all_bytes(packs: &[PackIndex]) -> u64 {
    packs.iter().flat_map(PackIndex::records).map(bytes).sum()
}

proptest! {
    #[test]
    fn nothing_that_is_needed_is_only_in_packs_that_are_deleted(
        packs in packs(), live in live(), percent in 0_u8..=100
    ) {
        let shares = plan(&packs, &|name| live.contains(&name), percent);
        prop_assert_eq!(shares.len(), packs.len());
        let stays: HashSet<ChunkName> = packs.iter().zip(&shares)
            .filter(|(_, share)| share.fate != PackFate::Delete)
            .flat_map(|(pack, _)| names(pack)).collect();
        for name in packs.iter().flat_map(names).filter(|name| live.contains(name)) {
            prop_assert!(stays.contains(&name));
        }
    }

    #[test]
    fn each_needed_chunk_counts_once_and_every_byte_is_counted(
        packs in packs(), live in live(), percent in 0_u8..=100
    ) {
        let shares = plan(&packs, &|name| live.contains(&name), percent);
        let needed: HashMap<ChunkName, u64> = packs.iter().flat_map(PackIndex::records)
            .filter(|record| live.contains(&record.name))
            .map(|record| (record.name, bytes(record))).collect();
        let live_bytes: u64 = shares.iter().map(|share| share.live_bytes).sum();
        prop_assert_eq!(live_bytes, needed.values().sum::<u64>());
        for (pack, share) in packs.iter().zip(&shares) {
            let all: u64 = pack.records().iter().map(bytes).sum();
            prop_assert_eq!(share.live_bytes + share.dead_bytes, all);
        }
    }

    #[test]
    fn it_frees_what_it_says_and_a_second_one_finds_nothing_to_do(
        packs in packs(), live in live(), percent in 1_u8..=100
    ) {
        let shares = plan(&packs, &|name| live.contains(&name), percent);
        let after = carry_out(&packs, &shares, &live);
        let freed: u64 = shares.iter().map(PackShare::freed_bytes).sum();
        prop_assert_eq!(all_bytes(&packs) - all_bytes(&after), freed);
        let again = plan(&after, &|name| live.contains(&name), percent);
        prop_assert!(again.iter().all(|share| share.fate == PackFate::Keep), "{:?}", again);
    }

    #[test]
    fn what_is_left_in_place_is_less_dead_than_the_threshold(
        packs in packs(), live in live(), percent in 1_u8..=100
    ) {
        for share in plan(&packs, &|name| live.contains(&name), percent) {
            let all = share.live_bytes + share.dead_bytes;
            let is_over = share.dead_bytes > 0 && share.dead_bytes * 100 >= all * u64::from(percent);
            prop_assert_eq!(share.fate == PackFate::Keep, !is_over && share.live_bytes > 0);
        }
    }
}

#[test]
fn a_copy_is_needed_where_most_else_is() {
    let packs = [
        index(&[(1, 100), (2, 100), (9, 100)]),
        index(&[(1, 100), (2, 100), (3, 100)]),
    ];
    let shares = plan(&packs, &|found| found != name(9), 50);
    assert_eq!(shares[0].fate, PackFate::Delete);
    assert_eq!(shares[0].freed_bytes(), 3 * 188);
    assert_eq!(shares[1].fate, PackFate::Keep);
}
