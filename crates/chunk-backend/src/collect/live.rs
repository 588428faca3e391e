//! Which chunks and pages are needed.

use std::collections::HashSet;

use chunk_store::{ChunkName, PAGE_NAMES, Page, RootHash, RootRecord};

use crate::catalogue::Found;
use crate::folder::read_if_there;
use crate::{CollectError, Overlay, Progress, Store};

/// The names that the versions of a store need. It only ever grows.
#[derive(Debug, Default)]
pub(super) struct Live {
    names: HashSet<ChunkName>,
    /// Pages whose names are all in: most versions share most of their pages. With their level, because the same bytes are
    /// names of pages on one and names of chunks on another.
    walked: HashSet<(u8, ChunkName)>,
    roots: HashSet<RootHash>,
    /// Versions that are wanted here, complete or not.
    named: HashSet<RootHash>,
    bases: HashSet<RootHash>,
}

impl Live {
    pub(super) fn of(named: &[RootHash]) -> Self {
        Self {
            named: named.iter().copied().collect(),
            ..Self::default()
        }
    }

    pub(super) fn is_named(&self, root: RootHash) -> bool {
        self.named.contains(&root)
    }

    pub(super) fn contains(&self, name: ChunkName) -> bool {
        self.names.contains(&name)
    }

    /// The versions below overlays, here or not.
    pub(super) fn bases(&self) -> &HashSet<RootHash> {
        &self.bases
    }

    /// True if a walk through them would take no time.
    pub(super) fn has_walked(&self, versions: &[RootHash]) -> bool {
        versions.iter().all(|root| self.roots.contains(root))
    }

    /// Add whatever is needed now. Versions that were walked before take no time.
    pub(super) fn walk_all(
        &mut self,
        store: &Store,
        progress: &Progress,
    ) -> Result<(), CollectError> {
        for id in Overlay::list(store)? {
            match Overlay::head(store, id) {
                Ok(head) => _ = self.bases.insert(head.base),
                // Removed since the listing.
                Err(crate::OpenOverlayError::Unknown { .. }) => {}
                // What lies below it is not known, and so nothing can be said to be dead.
                Err(error) => return Err(CollectError::UnusableOverlay(Box::new(error))),
            }
        }
        for root in store.versions()? {
            if self.roots.contains(&root) {
                continue;
            }
            if progress.is_cancelled() {
                return Err(CollectError::Cancelled);
            }
            // Removed since the listing: then nobody needs it, unless another version does.
            let Some(bytes) = read_if_there(&store.folder().manifest(root))? else {
                continue;
            };
            let record = checked(&bytes, root)
                .ok_or_else(|| CollectError::DamagedRoot {
                    root,
                    store: store.path().to_owned(),
                })?
                .map_err(|source| CollectError::UnusableRoot { root, source })?;
            self.walk(store, root, &record, Missing::IsDamage)?;
            self.roots.insert(root);
        }
        let mut incomplete = store.folder().incomplete_roots()?;
        incomplete.retain(|root| self.named.contains(root));
        for root in incomplete {
            let bytes = read_if_there(&store.folder().incomplete(root))?;
            if let Some(Some(Ok(record))) = bytes.map(|bytes| checked(&bytes, root)) {
                self.walk(store, root, &record, Missing::IsToCome)?;
            }
        }
        Ok(())
    }

    fn walk(
        &mut self,
        store: &Store,
        root: RootHash,
        record: &RootRecord,
        missing: Missing,
    ) -> Result<(), CollectError> {
        let mut level_names = vec![(record.top(), 0)];
        level_names.retain(|(name, _)| !name.is_zero());
        for level in (0..record.depth()).rev() {
            let mut below = Vec::new();
            for (name, position) in level_names {
                self.names.insert(name);
                if self.walked.contains(&(level, name)) {
                    continue;
                }
                let names = record.page_names(level, position);
                let page = match store.read_chunk(name)? {
                    Found::Sound(_, plain) => Page::decode(plain, names).ok(),
                    Found::Damaged | Found::Absent => None,
                };
                let page = match (page, missing) {
                    (Some(page), _) => page,
                    (None, Missing::IsToCome) => continue,
                    (None, Missing::IsDamage) => {
                        let store = store.path().to_owned();
                        return Err(CollectError::PageUnavailable { name, root, store });
                    }
                };
                let first = position * PAGE_NAMES as u64;
                for (child, name) in (first..).zip(page.names()) {
                    if name.is_zero() {
                        continue;
                    }
                    if level == 0 {
                        self.names.insert(name);
                    } else {
                        below.push((name, child));
                    }
                }
                // The pages below one are walked after it: if one of them may be missing, it is looked into again.
                if level == 0 || matches!(missing, Missing::IsDamage) {
                    self.walked.insert((level, name));
                }
            }
            level_names = below;
        }
        Ok(())
    }
}

/// What it means if a page of a version is not here.
#[derive(Clone, Copy)]
enum Missing {
    IsDamage,
    IsToCome,
}

/// The record in `bytes`; `None` if they are not those of `root`.
fn checked(
    bytes: &[u8],
    root: RootHash,
) -> Option<Result<RootRecord, chunk_store::DecodeRootError>> {
    (RootRecord::hash_bytes(bytes) == root).then(|| RootRecord::decode(bytes))
}
