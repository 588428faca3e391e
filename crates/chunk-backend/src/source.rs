//! Where chunks come from that the store lacks.

use chunk_store::{ChunkName, Entry, RootHash};

use crate::{FetchError, PeerFailure, Store};

/// Names in one request to a peer.
pub const MAXIMUM_BATCH_NAMES: usize = 1_024;

/// Peers that can be asked for chunks.
pub trait ChunkSource: Send + Sync {
    /// Ask for the chunks `names` and hand what comes to `accept`, in any order.
    ///
    /// The entries are unverified: `accept` checks each against its name and returns true if it keeps it. What one peer
    /// lacks, or sends damaged, is asked of the next one. Any number of names may be given.
    ///
    /// # Errors
    /// Some were not accepted from anybody. Those that were accepted are the caller's all the same.
    fn fetch(
        &self,
        names: &[ChunkName],
        accept: &mut dyn FnMut(Entry) -> bool,
    ) -> Result<(), FetchError>;

    /// The bytes of the root record whose hash is `root`; checked to have that hash.
    ///
    /// # Errors
    /// Nobody has it.
    fn fetch_root(&self, root: RootHash) -> Result<Vec<u8>, FetchError>;
}

/// Nobody to ask.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPeers;

impl ChunkSource for NoPeers {
    fn fetch(
        &self,
        _names: &[ChunkName],
        _accept: &mut dyn FnMut(Entry) -> bool,
    ) -> Result<(), FetchError> {
        Err(FetchError::NoPeers)
    }

    fn fetch_root(&self, _root: RootHash) -> Result<Vec<u8>, FetchError> {
        Err(FetchError::NoPeers)
    }
}

/// Another store that is mounted here, such as one on a disk that was carried: a peer without a network.
impl ChunkSource for Store {
    fn fetch(
        &self,
        names: &[ChunkName],
        accept: &mut dyn FnMut(Entry) -> bool,
    ) -> Result<(), FetchError> {
        let mut missing = 0;
        for name in names {
            // A store that cannot be read has nothing to give.
            let entry = self.entry(*name).ok().flatten();
            missing += usize::from(!entry.is_some_and(&mut *accept));
        }
        if missing == 0 {
            return Ok(());
        }
        let last = PeerFailure::Absent {
            url: self.path().display().to_string(),
        };
        Err(FetchError::Missing {
            missing,
            asked: names.len(),
            peers: 1,
            last,
        })
    }

    fn fetch_root(&self, root: RootHash) -> Result<Vec<u8>, FetchError> {
        let last = PeerFailure::Absent {
            url: self.path().display().to_string(),
        };
        self.root_record(root)
            .ok()
            .flatten()
            .ok_or(FetchError::NoRoot {
                root,
                peers: 1,
                last,
            })
    }
}
