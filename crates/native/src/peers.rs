//! Where else chunks can be had.

use std::sync::{Arc, PoisonError, RwLock};

use chunk_backend::{ChunkSource, FetchError, HttpPeer, HttpPeers, NoPeers};
use chunk_store::{ChunkName, Entry, RootHash};
use pyo3::prelude::*;

/// Other servers, which may change while versions are served from them.
#[pyclass(frozen, module = "corral_native")]
pub(crate) struct Peers {
    pub(crate) inner: Arc<ChangingPeers>,
}

#[pymethods]
impl Peers {
    #[new]
    #[pyo3(signature = (urls = Vec::new(), ticket = ""))]
    fn new(urls: Vec<String>, ticket: &str) -> Self {
        Self {
            inner: Arc::new(ChangingPeers(RwLock::new(source(urls, ticket)))),
        }
    }

    /// Ask these from now on; what is being asked goes on with the ones before.
    fn set(&self, urls: Vec<String>, ticket: &str) {
        *self.inner.0.write().unwrap_or_else(PoisonError::into_inner) = source(urls, ticket);
    }
}

fn source(urls: Vec<String>, ticket: &str) -> Arc<dyn ChunkSource> {
    if urls.is_empty() {
        return Arc::new(NoPeers);
    }
    let peers = urls.into_iter().map(|url| HttpPeer {
        url,
        ticket: ticket.to_owned(),
    });
    Arc::new(HttpPeers::new(peers.collect()))
}

/// A version in service keeps one source for good; this one can be pointed elsewhere.
pub(crate) struct ChangingPeers(RwLock<Arc<dyn ChunkSource>>);

impl ChangingPeers {
    fn now(&self) -> Arc<dyn ChunkSource> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ChunkSource for ChangingPeers {
    fn fetch(
        &self,
        names: &[ChunkName],
        accept: &mut dyn FnMut(Entry) -> bool,
    ) -> Result<(), FetchError> {
        self.now().fetch(names, accept)
    }

    fn fetch_root(&self, root: RootHash) -> Result<Vec<u8>, FetchError> {
        self.now().fetch_root(root)
    }
}
