//! Another version by what changed: pages without a change are taken as they are, and not looked into.

use crate::difference::PageSource;
use crate::{ChunkName, HASH_BYTES, PAGE_NAMES, RootRecord};

/// The record of the image of `record` in which the chunks of `changes`, pairs of an index and a name in the order of the
/// image, have these names. Pages that come about go to `keep`.
///
/// It reads and makes pages by what changed, not by the size of the image.
///
/// # Errors
/// Those of `source` and `keep`.
///
/// # Panics
/// In debug builds, if `changes` are not in order or go beyond the image.
pub fn rewrite_names<S: PageSource>(
    record: &RootRecord,
    source: &mut S,
    changes: &[(u64, ChunkName)],
    keep: &mut impl FnMut(ChunkName, &[u8]) -> Result<(), S::Error>,
) -> Result<RootRecord, S::Error> {
    debug_assert!(changes.windows(2).all(|pair| pair[0].0 < pair[1].0));
    debug_assert!(
        changes
            .last()
            .is_none_or(|(index, _)| *index < record.chunks())
    );
    let top = Part {
        name: record.top(),
        level: record.depth() - 1,
        position: 0,
    };
    let top = rewrite(record, top, source, changes, keep)?;
    Ok(RootRecord::new(record.image_size(), top))
}

/// The page `name` at `level` (0 names chunks) and `position` within the level.
#[derive(Clone, Copy)]
struct Part {
    name: ChunkName,
    level: u8,
    position: u64,
}

impl Part {
    /// Which of its names stands for the chunk `index`, or for the page that it is under.
    fn place(&self, index: u64) -> u64 {
        let fan = PAGE_NAMES as u64;
        index / fan.saturating_pow(u32::from(self.level)) - self.position * fan
    }
}

fn rewrite<S: PageSource>(
    record: &RootRecord,
    part: Part,
    source: &mut S,
    changes: &[(u64, ChunkName)],
    keep: &mut impl FnMut(ChunkName, &[u8]) -> Result<(), S::Error>,
) -> Result<ChunkName, S::Error> {
    if changes.is_empty() {
        return Ok(part.name);
    }
    let count = record.page_names(part.level, part.position);
    let mut names: Vec<ChunkName> = if part.name.is_zero() {
        vec![ChunkName::ZERO; count]
    } else {
        source.page(part.name, count)?.names().collect()
    };
    for changes in changes.chunk_by(|one, next| part.place(one.0) == part.place(next.0)) {
        let place = part.place(changes[0].0);
        let name = &mut names[usize::try_from(place).unwrap_or(usize::MAX)];
        *name = if part.level == 0 {
            changes[0].1
        } else {
            let below = Part {
                name: *name,
                level: part.level - 1,
                position: part.position * PAGE_NAMES as u64 + place,
            };
            rewrite(record, below, source, changes, keep)?
        };
    }
    let mut bytes = Vec::with_capacity(count * HASH_BYTES);
    for name in &names {
        bytes.extend_from_slice(name.as_bytes());
    }
    let name = ChunkName::of(&bytes);
    if name != part.name && !name.is_zero() {
        keep(name, &bytes)?;
    }
    Ok(name)
}
