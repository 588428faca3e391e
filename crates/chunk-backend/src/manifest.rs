//! Manifests: which chunk is where in a version.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use chunk_store::{
    CHUNK_BYTES, ChunkName, PAGE_NAMES, Page, PageSource, RootHash, RootRecord, walk_difference,
};

use crate::catalogue::{Found, decode};
use crate::{ChunkSource, ReadError, Store};

/// Pages kept in memory: 16 MiB of them, which is 32 GiB of image. All served versions share them.
const CACHED_PAGES: usize = 512;

/// Pages that were read lately.
#[derive(Debug, Default)]
pub(crate) struct PageCache(Mutex<Cached>);

#[derive(Debug, Default)]
struct Cached {
    pages: HashMap<ChunkName, (Arc<Page>, u64)>,
    uses: u64,
}

impl PageCache {
    fn get(&self, name: ChunkName) -> Option<Arc<Page>> {
        let mut cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cached.uses += 1;
        let uses = cached.uses;
        let (page, last_use) = cached.pages.get_mut(&name)?;
        *last_use = uses;
        Some(Arc::clone(page))
    }

    fn put(&self, name: ChunkName, page: &Arc<Page>) {
        let mut cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if cached.pages.len() >= CACHED_PAGES
            && let Some(oldest) = cached
                .pages
                .iter()
                .min_by_key(|(_, (_, last_use))| *last_use)
                .map(|(name, _)| *name)
        {
            cached.pages.remove(&oldest);
        }
        let uses = cached.uses;
        cached.pages.insert(name, (Arc::clone(page), uses));
    }
}

/// What changed between two versions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Difference {
    /// Chunks of the new version that are not the old one's at their place.
    pub changed_chunks: u64,
    /// Their bytes.
    pub changed_bytes: u64,
    /// Those of them that became zeros.
    pub zeroed_chunks: u64,
    /// Chunks of the old version behind the end of the new one.
    pub removed_chunks: u64,
}

/// The manifest of a version. Its pages are read when they are needed, from the store or else from peers.
#[derive(Clone)]
pub struct Manifest {
    store: Store,
    root: RootHash,
    record: RootRecord,
    peers: Arc<RwLock<Arc<dyn ChunkSource>>>,
}

impl std::fmt::Debug for Manifest {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Manifest")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}

impl Manifest {
    pub(crate) fn open(
        store: &Store,
        root: RootHash,
        peers: Arc<dyn ChunkSource>,
    ) -> Result<Self, ReadError> {
        let path = store.path().to_owned();
        let bytes = if let Some(bytes) = store.root_record(root)? {
            bytes
        } else {
            let is_here = store.folder().manifest(root).exists();
            peers.fetch_root(root, None).map_err(|error| {
                if is_here {
                    ReadError::DamagedRoot { root, store: path }
                } else {
                    ReadError::UnknownVersion {
                        root,
                        store: path,
                        peers: Some(Box::new(error)),
                    }
                }
            })?
        };
        let record = RootRecord::decode(&bytes)
            .map_err(|source| ReadError::UnusableRoot { root, source })?;
        Ok(Self {
            store: store.clone(),
            root,
            record,
            peers: Arc::new(RwLock::new(peers)),
        })
    }

    /// The version.
    pub fn root(&self) -> RootHash {
        self.root
    }

    /// Its root record.
    pub fn record(&self) -> &RootRecord {
        &self.record
    }

    /// Bytes of the image.
    pub fn image_size(&self) -> u64 {
        self.record.image_size()
    }

    /// The name of the chunk at `index`.
    ///
    /// # Errors
    /// A page cannot be read, or `index` is behind the end.
    pub fn name(&self, index: u64) -> Result<ChunkName, ReadError> {
        let fan = PAGE_NAMES as u64;
        let page = self.leaf(index / fan)?;
        page.map_or(Ok(ChunkName::ZERO), |page| {
            let within = usize::try_from(index % fan).unwrap_or(usize::MAX);
            page.name(within).ok_or_else(|| self.beyond(index))
        })
    }

    /// Call `visit` with the index and name of every chunk that is not all zeros, in the order of the image.
    ///
    /// # Errors
    /// A page cannot be read.
    pub fn walk(
        &self,
        visit: &mut impl FnMut(u64, ChunkName) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        chunk_store::walk_names(&self.record, &mut self.clone(), visit)
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn peers(&self) -> Arc<dyn ChunkSource> {
        Arc::clone(&self.peers.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set_peers(&self, peers: Arc<dyn ChunkSource>) {
        *self.peers.write().unwrap_or_else(PoisonError::into_inner) = peers;
    }

    /// The page with the names of the chunks from `position * PAGE_NAMES`; `None` if all of them are zero.
    pub(crate) fn leaf(&self, position: u64) -> Result<Option<Arc<Page>>, ReadError> {
        let fan = PAGE_NAMES as u64;
        let mut name = self.record.top();
        for level in (0..self.record.depth()).rev() {
            if name.is_zero() {
                return Ok(None);
            }
            let page_position = position / fan.saturating_pow(u32::from(level));
            let page = self.read_page(name, self.record.page_names(level, page_position))?;
            if level == 0 {
                return Ok(Some(page));
            }
            let child = position / fan.saturating_pow(u32::from(level) - 1) % fan;
            let child = usize::try_from(child).unwrap_or(usize::MAX);
            name = page
                .name(child)
                .ok_or_else(|| self.beyond(position * fan))?;
        }
        Ok(None)
    }

    fn beyond(&self, index: u64) -> ReadError {
        ReadError::BeyondEnd {
            offset: index.saturating_mul(CHUNK_BYTES),
            length: CHUNK_BYTES,
            size: self.record.image_size(),
        }
    }

    fn read_page(&self, name: ChunkName, names: usize) -> Result<Arc<Page>, ReadError> {
        if let Some(page) = self
            .store
            .pages()
            .get(name)
            .filter(|page| page.len() == names)
        {
            return Ok(page);
        }
        let plain = match self.store.read_chunk(name)? {
            Found::Sound(_, plain) => plain,
            found @ (Found::Damaged | Found::Absent) => {
                self.fetch_page(name, matches!(found, Found::Damaged))?
            }
        };
        let page = Page::decode(plain, names);
        let page = Arc::new(page.map_err(|_| ReadError::MisshapenPage {
            name,
            root: self.root,
        })?);
        self.store.pages().put(name, &page);
        Ok(page)
    }

    fn fetch_page(&self, name: ChunkName, is_damaged: bool) -> Result<Vec<u8>, ReadError> {
        let mut plain = None;
        let fetched = self.peers().fetch(&[name], None, &mut |entry| {
            plain = (entry.header.name == name)
                .then(|| decode(&entry))
                .flatten();
            plain.is_some()
        });
        plain.ok_or_else(|| ReadError::ChunkUnavailable {
            name,
            is_damaged,
            store: self.store.path().to_owned(),
            peers: fetched.err().map(Box::new),
        })
    }
}

impl PageSource for Manifest {
    type Error = ReadError;

    fn page(&mut self, name: ChunkName, names: usize) -> Result<Arc<Page>, ReadError> {
        self.read_page(name, names)
    }
}

pub(crate) fn difference(old: &Manifest, new: &Manifest) -> Result<Difference, ReadError> {
    let mut difference = Difference::default();
    walk_difference(&old.record, &new.record, &mut new.clone(), &mut |changed| {
        match changed.new {
            Some(name) => {
                difference.changed_chunks += 1;
                difference.changed_bytes += new.record.chunk_length(changed.index) as u64;
                difference.zeroed_chunks += u64::from(name.is_zero());
            }
            None => difference.removed_chunks += 1,
        }
        ControlFlow::Continue(())
    })?;
    Ok(difference)
}
