//! Peers over HTTP.

use chunk_store::{ChunkName, Entry, RootHash};

use crate::{ChunkSource, FetchError};

/// A server with a chunk server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpPeer {
    /// Where, e.g. `http://127.0.0.1:10901`, without a path.
    pub url: String,
    /// The ticket that opens it (purpose: replicate).
    pub ticket: String,
}

/// Several chunk servers; what one cannot give is asked of the next.
#[derive(Debug)]
pub struct HttpPeers;

#[expect(unused_variables, clippy::todo, missing_docs)]
impl HttpPeers {
    pub fn new(peers: Vec<HttpPeer>) -> Self {
        todo!()
    }
}

#[expect(unused_variables, clippy::todo)]
impl ChunkSource for HttpPeers {
    fn fetch(&self, names: &[ChunkName], accept: &mut dyn FnMut(Entry) -> bool) -> Result<(), FetchError> {
        todo!()
    }

    fn fetch_root(&self, root: RootHash) -> Result<Vec<u8>, FetchError> {
        todo!()
    }
}
