//! Where chunks come from that the store lacks.

use std::sync::Arc;

use chunk_store::{ChunkName, Entry, RootHash};

use crate::progress::is_called_off;
use crate::{FetchError, PeerFailure, Progress, Store};

/// Names in one request to a peer.
pub const MAXIMUM_BATCH_NAMES: usize = 1_024;

/// Peers that can be asked for chunks.
pub trait ChunkSource: Send + Sync {
    /// Ask for the chunks `names` and hand what comes to `accept`, in any order.
    ///
    /// The entries are unverified: `accept` checks each against its name and returns true if it keeps it. What one peer
    /// lacks, or sends damaged, is asked of the next one. Any number of names may be given. When `work` is cancelled this
    /// returns soon, however silent a peer is.
    ///
    /// # Errors
    /// Some were not accepted from anybody, or `work` was cancelled. Those that were accepted are the caller's all the same.
    fn fetch(
        &self,
        names: &[ChunkName],
        work: Option<&Progress>,
        accept: &mut dyn FnMut(Entry) -> bool,
    ) -> Result<(), FetchError>;

    /// Hand what is at hand of `names` to `accept`, as [`ChunkSource::fetch`] does, and give the names that are left. It takes
    /// nobody's line, so that no rate holds for it.
    fn take_at_hand(
        &self,
        names: &[ChunkName],
        _work: Option<&Progress>,
        _accept: &mut dyn FnMut(Entry) -> bool,
    ) -> Vec<ChunkName> {
        names.to_vec()
    }

    /// The bytes of the root record whose hash is `root`; checked to have that hash.
    ///
    /// # Errors
    /// Nobody has it, or `work` was cancelled.
    fn fetch_root(&self, root: RootHash, work: Option<&Progress>) -> Result<Vec<u8>, FetchError>;
}

/// Nobody to ask.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPeers;

impl ChunkSource for NoPeers {
    fn fetch(
        &self,
        _names: &[ChunkName],
        _work: Option<&Progress>,
        _accept: &mut dyn FnMut(Entry) -> bool,
    ) -> Result<(), FetchError> {
        Err(FetchError::NoPeers)
    }

    fn fetch_root(&self, _root: RootHash, _work: Option<&Progress>) -> Result<Vec<u8>, FetchError> {
        Err(FetchError::NoPeers)
    }
}

/// Another store that is mounted here, such as one on a disk that was carried: a peer without a network.
impl ChunkSource for Store {
    fn fetch(
        &self,
        names: &[ChunkName],
        work: Option<&Progress>,
        accept: &mut dyn FnMut(Entry) -> bool,
    ) -> Result<(), FetchError> {
        let left = give(self, names, work, accept);
        if left.is_empty() {
            Ok(())
        } else if is_called_off(work) {
            Err(FetchError::Cancelled)
        } else {
            Err(lacking(self, left.len(), names.len(), 1))
        }
    }

    fn fetch_root(&self, root: RootHash, _work: Option<&Progress>) -> Result<Vec<u8>, FetchError> {
        let record = self.root_record(root).ok().flatten();
        record.ok_or_else(|| FetchError::NoRoot {
            root,
            peers: 1,
            last: absent(self),
        })
    }
}

/// Stores that are at hand, and behind them others, who are asked only for what those do not have in a sound copy.
pub struct Nearest {
    stores: Vec<Store>,
    others: Arc<dyn ChunkSource>,
}

impl Nearest {
    /// `stores` in their order, then `others`.
    pub fn new(stores: Vec<Store>, others: Arc<dyn ChunkSource>) -> Self {
        Self { stores, others }
    }
}

impl ChunkSource for Nearest {
    fn fetch(
        &self,
        names: &[ChunkName],
        work: Option<&Progress>,
        accept: &mut dyn FnMut(Entry) -> bool,
    ) -> Result<(), FetchError> {
        let left = self.take_at_hand(names, work, accept);
        if left.is_empty() {
            return Ok(());
        }
        if is_called_off(work) {
            return Err(FetchError::Cancelled);
        }
        match (self.others.fetch(&left, work, accept), self.stores.last()) {
            (Err(FetchError::NoPeers), Some(store)) => {
                Err(lacking(store, left.len(), names.len(), self.stores.len()))
            }
            (fetched, _) => fetched,
        }
    }

    fn take_at_hand(
        &self,
        names: &[ChunkName],
        work: Option<&Progress>,
        accept: &mut dyn FnMut(Entry) -> bool,
    ) -> Vec<ChunkName> {
        self.stores.iter().fold(names.to_vec(), |left, store| {
            give(store, &left, work, accept)
        })
    }

    fn fetch_root(&self, root: RootHash, work: Option<&Progress>) -> Result<Vec<u8>, FetchError> {
        for store in &self.stores {
            if let Ok(record) = store.fetch_root(root, work) {
                return Ok(record);
            }
        }
        match (self.others.fetch_root(root, work), self.stores.last()) {
            (Err(FetchError::NoPeers), Some(store)) => Err(FetchError::NoRoot {
                root,
                peers: self.stores.len(),
                last: absent(store),
            }),
            (fetched, _) => fetched,
        }
    }
}

/// Hand what `store` has of `names` to `accept`, until `work` is called off; gives the rest. A store that cannot be read has
/// nothing to give.
fn give(
    store: &Store,
    names: &[ChunkName],
    work: Option<&Progress>,
    accept: &mut dyn FnMut(Entry) -> bool,
) -> Vec<ChunkName> {
    let is_left = |name: &&ChunkName| {
        is_called_off(work) || !store.entry(**name).ok().flatten().is_some_and(&mut *accept)
    };
    names.iter().filter(is_left).copied().collect()
}

fn lacking(store: &Store, missing: usize, asked: usize, peers: usize) -> FetchError {
    FetchError::Missing {
        missing,
        asked,
        peers,
        last: absent(store),
    }
}

fn absent(store: &Store) -> PeerFailure {
    PeerFailure::Absent {
        url: store.path().display().to_string(),
    }
}
