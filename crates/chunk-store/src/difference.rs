//! Walks over manifests: every name of a version, and what changed between two.
//!
//! Pages come from a [`PageSource`], so that nothing here knows where they are kept.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::{ChunkName, PAGE_NAMES, Page, RootRecord};

/// Where a walk gets its pages.
pub trait PageSource {
    /// Why a page cannot be had.
    type Error;

    /// The page `name`, which has `names` names. Never called for the zero name.
    ///
    /// # Errors
    /// The page cannot be had, or is not sound.
    fn page(&mut self, name: ChunkName, names: usize) -> Result<Arc<Page>, Self::Error>;
}

/// A chunk that differs between two versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changed {
    /// Which chunk of the image.
    pub index: u64,
    /// Its name in the old version; `None` where that one had ended.
    pub old: Option<ChunkName>,
    /// Its name in the new version; `None` where this one has ended.
    pub new: Option<ChunkName>,
}

/// A part of the tree: the page `name` at `level` (0 names chunks) and `position` within the level.
#[derive(Clone, Copy)]
struct Node {
    name: ChunkName,
    level: u8,
    position: u64,
}

impl Node {
    /// The first chunk behind this part, were it full.
    fn end(&self) -> u64 {
        let reach = (PAGE_NAMES as u64).saturating_pow(u32::from(self.level) + 1);
        (self.position + 1).saturating_mul(reach)
    }

    fn child(&self, index: usize, name: ChunkName) -> Self {
        Self {
            name,
            level: self.level - 1,
            position: self.position * PAGE_NAMES as u64 + index as u64,
        }
    }

    /// The names right below. A level above the version's own top has one: the smaller of two versions is looked at as if
    /// it hung under pages of its own.
    fn names<S: PageSource>(
        &self,
        record: &RootRecord,
        source: &mut S,
    ) -> Result<Vec<ChunkName>, S::Error> {
        if self.level >= record.depth() {
            return Ok(vec![self.name]);
        }
        let names = record.page_names(self.level, self.position);
        if self.name.is_zero() {
            return Ok(vec![ChunkName::ZERO; names]);
        }
        Ok(source.page(self.name, names)?.names().collect())
    }
}

/// Call `visit` for every chunk whose name differs between the versions, in the order of the image. Parts that the two
/// share are not looked into: it takes time by what changed, not by the size.
///
/// # Errors
/// Those of `source`.
pub fn walk_difference<S: PageSource>(
    old: &RootRecord,
    new: &RootRecord,
    source: &mut S,
    visit: &mut impl FnMut(Changed) -> ControlFlow<()>,
) -> Result<(), S::Error> {
    let level = old.depth().max(new.depth()) - 1;
    let top = |record: &RootRecord| {
        Some(Node {
            name: record.top(),
            level,
            position: 0,
        })
    };
    descend([old, new], [top(old), top(new)], source, visit).map(|_| ())
}

fn descend<S: PageSource>(
    records: [&RootRecord; 2],
    nodes: [Option<Node>; 2],
    source: &mut S,
    visit: &mut impl FnMut(Changed) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, S::Error> {
    let Some(place) = nodes[0].or(nodes[1]) else {
        return Ok(ControlFlow::Continue(()));
    };
    // The same name is the same content only where both have the same chunks below it: two images that end in zeros may
    // have the same pages and another size.
    let [old_chunks, new_chunks] = records.map(RootRecord::chunks);
    let has_same_shape = old_chunks == new_chunks || place.end() <= old_chunks.min(new_chunks);
    if let [Some(old), Some(new)] = nodes
        && old.name == new.name
        && has_same_shape
        && records.iter().all(|record| place.level < record.depth())
    {
        return Ok(ControlFlow::Continue(()));
    }
    let mut names = [Vec::new(), Vec::new()];
    for side in 0..2 {
        if let Some(node) = nodes[side] {
            names[side] = node.names(records[side], source)?;
        }
    }
    for index in 0..names[0].len().max(names[1].len()) {
        let [old, new] = [names[0].get(index).copied(), names[1].get(index).copied()];
        let flow = if place.level > 0 {
            let below = [old, new].map(|name| name.map(|name| place.child(index, name)));
            descend(records, below, source, visit)?
        } else if old == new {
            ControlFlow::Continue(())
        } else {
            visit(Changed {
                index: place.position * PAGE_NAMES as u64 + index as u64,
                old,
                new,
            })
        };
        if flow.is_break() {
            return Ok(flow);
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Call `visit` with the index and name of every chunk that is not all zeros, in the order of the image.
///
/// # Errors
/// Those of `source`.
pub fn walk_names<S: PageSource>(
    record: &RootRecord,
    source: &mut S,
    visit: &mut impl FnMut(u64, ChunkName) -> ControlFlow<()>,
) -> Result<(), S::Error> {
    let mut stack = vec![Node {
        name: record.top(),
        level: record.depth() - 1,
        position: 0,
    }];
    while let Some(node) = stack.pop() {
        if node.name.is_zero() {
            continue;
        }
        let page = source.page(node.name, record.page_names(node.level, node.position))?;
        if node.level > 0 {
            stack.extend(
                page.names()
                    .enumerate()
                    .rev()
                    .map(|(index, name)| node.child(index, name)),
            );
            continue;
        }
        let first = node.position * PAGE_NAMES as u64;
        for (child, name) in page.names().enumerate() {
            if !name.is_zero() && visit(first + child as u64, name).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}
