//! What holds for every image, every pack and every run of bytes.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test may panic")]

use std::collections::HashMap;
use std::convert::Infallible;
use std::ops::ControlFlow;
use std::sync::Arc;

use chunk_store::{
    CHUNK_BYTES, CHUNK_SIZE, Changed, ChunkName, ENTRY_HEADER_BYTES, Encoding, Entry, EntryHeader,
    LEAF_STATE_BYTES, OverlayHead, PackIndex, PackRecord, PackTrailer, Page, PageBuilder,
    PageSource, RootHasher, RootRecord, SLOT_BYTES, Slot, choose_slot, decode_chunk, encode_chunk,
    rewrite_names, walk_difference, walk_names,
};
use proptest::prelude::*;

/// Pages in memory, and how many were asked for.
#[derive(Default)]
struct Pages {
    kept: HashMap<ChunkName, Vec<u8>>,
    reads: usize,
}

impl PageSource for Pages {
    type Error = Infallible;

    fn page(&mut self, name: ChunkName, names: usize) -> Result<Arc<Page>, Infallible> {
        self.reads += 1;
        Ok(Arc::new(
            Page::decode(self.kept[&name].clone(), names).unwrap(),
        ))
    }
}

fn build(pages: &mut Pages, names: &[ChunkName], size: u64) -> RootRecord {
    let mut keep = |name: ChunkName, bytes: &[u8]| {
        assert_eq!(ChunkName::of(bytes), name);
        pages.kept.insert(name, bytes.to_vec());
        Ok::<_, Infallible>(())
    };
    let mut builder = PageBuilder::new();
    for name in names {
        builder.push(*name, &mut keep).unwrap();
    }
    builder.finish(size, &mut keep).unwrap()
}

fn name(seed: u16) -> ChunkName {
    // One in four is zero, so that whole pages of zeros come about in short runs of them.
    if seed.is_multiple_of(4) {
        ChunkName::ZERO
    } else {
        ChunkName::of(&seed.to_le_bytes())
    }
}

/// Names of up to some three thousand chunks: stretches of one content each, so that levels, zeros and ends all vary.
fn names() -> impl Strategy<Value = Vec<ChunkName>> {
    prop::collection::vec((0_u16..40, 1_usize..900), 1..6).prop_map(|stretches| {
        let stretch = |(seed, length): (u16, usize)| std::iter::repeat_n(name(seed), length);
        stretches.into_iter().flat_map(stretch).collect()
    })
}

fn size_of(names: &[ChunkName], last: u64) -> u64 {
    (names.len() as u64 - 1) * CHUNK_BYTES + last
}

fn difference(old: &[ChunkName], new: &[ChunkName]) -> Vec<Changed> {
    let at = |names: &[ChunkName], index: usize| names.get(index).copied();
    (0..old.len().max(new.len()))
        .map(|index| Changed {
            index: index as u64,
            old: at(old, index),
            new: at(new, index),
        })
        .filter(|changed| changed.old != changed.new)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_version_made_of_its_changes_is_the_one_made_of_all_its_names(
        names in names(),
        last in 1..=CHUNK_BYTES,
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0_u16..60), 0..12),
    ) {
        let mut pages = Pages::default();
        let size = size_of(&names, last);
        let old = build(&mut pages, &names, size);
        let changes: std::collections::BTreeMap<u64, ChunkName> = changes
            .into_iter()
            .map(|(index, seed)| (index.index(names.len()) as u64, name(seed)))
            .collect();
        let mut changed = names.clone();
        for (index, name) in &changes {
            changed[usize::try_from(*index).unwrap()] = *name;
        }
        let new = build(&mut Pages::default(), &changed, size);
        let changes: Vec<(u64, ChunkName)> = changes.into_iter().collect();
        let mut made = HashMap::new();
        let rewritten = rewrite_names(&old, &mut pages, &changes, &mut |name, bytes| {
            made.insert(name, bytes.to_vec());
            Ok(())
        });
        prop_assert_eq!(rewritten.unwrap().hash(), new.hash());
        // One page a level and change at most, and what is made is enough to find every name.
        prop_assert!(pages.reads <= changes.len() * usize::from(old.depth()));
        pages.kept.extend(made);
        let mut found = Vec::new();
        walk_names(&new, &mut pages, &mut |index, name| {
            found.push((index, name));
            ControlFlow::Continue(())
        })
        .unwrap();
        let expected: Vec<(u64, ChunkName)> = (0..)
            .zip(changed)
            .filter(|(_, name)| !name.is_zero())
            .collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn a_walk_gives_back_the_names_that_were_put_in(names in names(), last in 1..=CHUNK_BYTES) {
        let mut pages = Pages::default();
        let record = build(&mut pages, &names, size_of(&names, last));
        prop_assert_eq!(record.chunks(), names.len() as u64);
        let mut walked = vec![ChunkName::ZERO; names.len()];
        walk_names(&record, &mut pages, &mut |index, name| {
            walked[usize::try_from(index).unwrap()] = name;
            ControlFlow::Continue(())
        }).unwrap();
        prop_assert_eq!(walked, names);
    }

    #[test]
    fn a_difference_is_what_comparing_all_names_gives(old in names(), new in names(), changes in prop::collection::vec((0_usize..3_000, 0_u16..40), 0..4), share: bool) {
        let new = if share {
            let mut new = old.clone();
            for (index, seed) in changes {
                let index = index % new.len();
                new[index] = name(seed);
            }
            new
        } else {
            new
        };
        let mut pages = Pages::default();
        let old_record = build(&mut pages, &old, size_of(&old, 5));
        let new_record = build(&mut pages, &new, size_of(&new, 5));
        let mut walked = Vec::new();
        walk_difference(&old_record, &new_record, &mut pages, &mut |changed| {
            walked.push(changed);
            ControlFlow::Continue(())
        }).unwrap();
        prop_assert_eq!(&walked, &difference(&old, &new));
        if walked.is_empty() && old.len() == new.len() {
            prop_assert_eq!(pages.reads, 0, "what is shared is not read");
        }
    }

    #[test]
    fn a_root_does_not_depend_on_how_the_bytes_come(length in 0_usize..300_000, cuts in prop::collection::vec(0_usize..300_000, 0..6), seed: u8) {
        let image: Vec<u8> = (0..length).map(|index| if index / 100_000 == 1 { 0 } else { seed ^ u8::try_from(index % 251).unwrap() }).collect();
        let mut whole = RootHasher::new();
        whole.update(&image);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(length)).chain([0, length]).collect();
        cuts.sort_unstable();
        let mut pieces = RootHasher::new();
        for piece in cuts.windows(2) {
            pieces.update(&image[piece[0]..piece[1]]);
        }
        prop_assert_eq!(pieces.finish(), whole.finish());
        let names: Vec<ChunkName> = image.chunks(CHUNK_SIZE).map(ChunkName::of).collect();
        let mut hasher = RootHasher::new();
        hasher.update(&image);
        prop_assert_eq!(hasher.finish(), build(&mut Pages::default(), &names, length as u64).hash());
    }

    #[test]
    fn an_entry_gives_back_its_chunk(plain in prop::collection::vec(any::<u8>(), 1..2_000), repeat in 1_usize..33) {
        let plain = plain.repeat(repeat);
        let plain = &plain[..plain.len().min(CHUNK_SIZE)];
        let entry = encode_chunk(plain);
        let mut bytes = Vec::new();
        entry.encode_into(&mut bytes);
        prop_assert_eq!(bytes.len(), entry.length());
        prop_assert!(entry.stored.len() <= plain.len());
        for cut in [0, 1, ENTRY_HEADER_BYTES - 1, ENTRY_HEADER_BYTES, bytes.len() - 1] {
            prop_assert_eq!(Entry::decode(&bytes[..cut]), Ok(None));
        }
        bytes.extend_from_slice(b"what follows");
        let decoded = Entry::decode(&bytes).unwrap().unwrap();
        prop_assert_eq!(decode_chunk(&decoded).unwrap(), plain);
    }

    #[test]
    fn a_flipped_bit_anywhere_in_an_entry_is_found(plain in prop::collection::vec(any::<u8>(), 1..500), at: prop::sample::Index, bit in 0_u8..8) {
        let plain = plain.repeat(20);
        let entry = encode_chunk(&plain);
        let mut bytes = Vec::new();
        entry.encode_into(&mut bytes);
        bytes[at.index(entry.length())] ^= 1 << bit;
        // It may be refused, ask for bytes that are not there, or be another, sound, name for nothing: never the same chunk
        // with other bytes.
        if let Ok(Some(decoded)) = Entry::decode(&bytes)
            && let Ok(found) = decode_chunk(&decoded)
        {
            prop_assert_eq!(found, plain);
        }
    }

    #[test]
    fn any_bytes_are_refused_or_read_but_never_break_a_decoder(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        _ = Entry::decode(&bytes);
        _ = RootRecord::decode(&bytes);
        _ = PackIndex::decode(&bytes);
        if let Some(trailer) = bytes.first_chunk() {
            _ = PackTrailer::decode(trailer);
        }
        if let Some(header) = bytes.first_chunk() {
            _ = EntryHeader::decode(header);
        }
        _ = OverlayHead::decode(&bytes);
        let (even, odd) = bytes.split_at(bytes.len() / 2);
        _ = choose_slot([0; 16], 0, [even, odd]);
    }

    #[test]
    fn a_flipped_bit_in_a_slot_of_an_overlay_brings_back_the_slot_before(
        states in prop::collection::vec(any::<u8>(), LEAF_STATE_BYTES),
        place in 0..SLOT_BYTES,
        bit in 0_u8..8,
    ) {
        let slot = |sequence: u64, states: &[u8]| Slot {
            overlay: [7; 16],
            leaf: 5,
            sequence,
            states: Box::new(states.try_into().unwrap()),
        };
        let [before, after] = [slot(3, &states), slot(4, &[2; LEAF_STATE_BYTES])];
        let [odd, mut even] = [before.encode(), after.encode()];
        let chosen = choose_slot([7; 16], 5, [&even[..], &odd[..]]).unwrap();
        prop_assert_eq!(chosen, Some(after));
        even[place] ^= 1 << bit;
        let chosen = choose_slot([7; 16], 5, [&even[..], &odd[..]]).unwrap();
        prop_assert_eq!(chosen, Some(before));
    }

    #[test]
    fn garbage_behind_a_good_header_is_damage(stored in prop::collection::vec(any::<u8>(), 1..500), plain_length in 500_u32..65_536) {
        let stored_length = u32::try_from(stored.len()).unwrap();
        let header = EntryHeader { encoding: Encoding::Zstd, plain_length, stored_length, name: ChunkName::of(b"other") };
        let entry = Entry { header, stored };
        prop_assert!(decode_chunk(&entry).is_err());
    }

    #[test]
    fn an_index_is_read_back_sorted_and_any_change_is_found(seeds in prop::collection::vec(any::<u32>(), 1..50), at: prop::sample::Index, bit in 0_u8..8) {
        let record = |(place, seed): (usize, &u32)| PackRecord {
            name: ChunkName::of(&seed.to_le_bytes()),
            offset: 16 + u32::try_from(place).unwrap() * 100,
            stored_length: 52,
        };
        let records: Vec<PackRecord> = seeds.iter().enumerate().map(record).collect();
        let index = PackIndex::new(records);
        prop_assert!(index.records().is_sorted());
        let (mut bytes, identity) = index.encode(16 + 100 * seeds.len() as u64);
        prop_assert_eq!(PackIndex::decode(&bytes), Ok(index));
        let trailer = PackTrailer::decode(bytes.last_chunk().unwrap()).unwrap();
        prop_assert_eq!((trailer.identity, trailer.entries as usize), (identity, seeds.len()));
        let place = at.index(bytes.len());
        bytes[place] ^= 1 << bit;
        prop_assert!(PackIndex::decode(&bytes).is_err());
    }

    #[test]
    fn a_root_record_is_read_back_and_any_change_is_another_version(size in 1_u64..(1 << 44) - CHUNK_BYTES, at in 0_usize..56, bit in 0_u8..8) {
        let record = RootRecord::new(size, ChunkName::of(b"top"));
        let mut bytes = record.encode();
        prop_assert_eq!(RootRecord::decode(&bytes), Ok(record));
        bytes[at] ^= 1 << bit;
        prop_assert_ne!(RootRecord::hash_bytes(&bytes), record.hash());
        if let Ok(other) = RootRecord::decode(&bytes) {
            prop_assert_ne!(other, record);
        }
    }
}

#[test]
fn a_chunk_that_gains_less_than_five_percent_is_stored_raw() {
    let mut noise: Vec<u8> = (0_u32..16_384)
        .flat_map(|word| ChunkName::of(&word.to_le_bytes()).as_bytes()[..4].to_vec())
        .collect();
    assert_eq!(encode_chunk(&noise).header.encoding, Encoding::Raw);
    noise[..CHUNK_SIZE / 25].fill(b'a');
    assert_eq!(encode_chunk(&noise).header.encoding, Encoding::Raw);
    noise[..CHUNK_SIZE / 10].fill(b'a');
    assert_eq!(encode_chunk(&noise).header.encoding, Encoding::Zstd);
}

#[test]
fn an_entry_that_unpacks_to_more_than_it_says_is_damage() {
    let honest = encode_chunk(&vec![b'a'; 60_000]);
    let mut liar = honest.clone();
    liar.header.plain_length = 1_000;
    assert!(decode_chunk(&liar).is_err());
    liar.header.plain_length = 65_536;
    assert!(decode_chunk(&liar).is_err());
}

#[test]
fn the_difference_of_two_versions_of_100_gib_reads_only_the_pages_that_differ() {
    let count = 100 * 1_024 * 16;
    let mut names: Vec<ChunkName> = (0..count)
        .map(|index: u32| ChunkName::of(&index.to_le_bytes()))
        .collect();
    let size = u64::from(count) * CHUNK_BYTES;
    let mut pages = Pages::default();
    let old = build(&mut pages, &names, size);
    names[777_777] = ChunkName::of(b"changed");
    let new = build(&mut pages, &names, size);
    let mut changed = Vec::new();
    walk_difference(&old, &new, &mut pages, &mut |change| {
        changed.push(change.index);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(changed, [777_777]);
    // Three levels, in both versions.
    assert_eq!(pages.reads, 6);
}
