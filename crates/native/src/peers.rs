//! Where else chunks can be had.

use std::sync::{Arc, PoisonError, RwLock};

use chunk_backend::{ChunkSource, FetchError, HttpPeer, HttpPeers, Nearest, NoPeers, Progress};
use chunk_store::{ChunkName, Entry, RootHash};
use pyo3::prelude::*;

use crate::store::Store;

/// Other servers, and stores at hand, which may change while versions are served from them.
#[pyclass(frozen, module = "corral_native")]
pub(crate) struct Peers {
    pub(crate) inner: Arc<ChangingPeers>,
}

#[pymethods]
impl Peers {
    #[new]
    #[pyo3(signature = (urls = Vec::new(), ticket = "", authority = "", stores = Vec::new()))]
    fn new(
        urls: Vec<String>,
        ticket: &str,
        authority: &str,
        stores: Vec<PyRef<'_, Store>>,
    ) -> Self {
        let source = source(urls, ticket, authority, stores);
        Self {
            inner: Arc::new(ChangingPeers(RwLock::new(source))),
        }
    }

    /// Ask these from now on; what is being asked goes on with the ones before.
    #[pyo3(signature = (urls, ticket, authority = "", stores = Vec::new()))]
    fn set(&self, urls: Vec<String>, ticket: &str, authority: &str, stores: Vec<PyRef<'_, Store>>) {
        let source = source(urls, ticket, authority, stores);
        *self.inner.0.write().unwrap_or_else(PoisonError::into_inner) = source;
    }
}

fn source(
    urls: Vec<String>,
    ticket: &str,
    authority: &str,
    stores: Vec<PyRef<'_, Store>>,
) -> Arc<dyn ChunkSource> {
    let peers = urls.into_iter().map(|url| HttpPeer {
        url,
        ticket: ticket.to_owned(),
    });
    let peers: Vec<HttpPeer> = peers.collect();
    let others: Arc<dyn ChunkSource> = if peers.is_empty() {
        Arc::new(NoPeers)
    } else {
        Arc::new(HttpPeers::believed_by(peers, authority))
    };
    if stores.is_empty() {
        return others;
    }
    let stores = stores.into_iter().map(|store| store.inner.clone());
    Arc::new(Nearest::new(stores.collect(), others))
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
        work: Option<&Progress>,
        accept: &mut dyn FnMut(Entry) -> bool,
    ) -> Result<(), FetchError> {
        self.now().fetch(names, work, accept)
    }

    fn take_at_hand(
        &self,
        names: &[ChunkName],
        work: Option<&Progress>,
        accept: &mut dyn FnMut(Entry) -> bool,
    ) -> Vec<ChunkName> {
        self.now().take_at_hand(names, work, accept)
    }

    fn fetch_root(&self, root: RootHash, work: Option<&Progress>) -> Result<Vec<u8>, FetchError> {
        self.now().fetch_root(root, work)
    }
}
