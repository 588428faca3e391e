//! A version in service.

use std::sync::Arc;

use pyo3::prelude::*;

use crate::error::Failure;
use crate::progress::Progress;

/// A version whose chunks are checked before anybody reads them.
#[pyclass(frozen, module = "corral_native")]
pub(crate) struct ServedVersion {
    pub(crate) inner: Arc<chunk_backend::ServedVersion>,
}

/// What was counted since the version is served.
#[pyclass(frozen, get_all, module = "corral_native")]
pub(crate) struct ServedCounters {
    chunks: u64,
    ready_chunks: u64,
    found_chunks: u64,
    from_packs_chunks: u64,
    from_peers_chunks: u64,
    from_peers_bytes: u64,
    replaced_chunks: u64,
    shared_waits: u64,
}

#[pymethods]
impl ServedVersion {
    #[getter]
    fn root(&self) -> String {
        self.inner.root().to_string()
    }

    #[getter]
    fn size_bytes(&self) -> u64 {
        self.inner.size()
    }

    /// Make all of it ready in the flat file; for a thread of its own.
    fn materialise(&self, py: Python<'_>, progress: &Progress) -> Result<(), Failure> {
        py.detach(|| self.inner.materialise(&progress.inner))
            .map_err(Failure::from)
    }

    fn counters(&self) -> ServedCounters {
        let counters = self.inner.counters();
        ServedCounters {
            chunks: counters.chunks,
            ready_chunks: counters.ready_chunks,
            found_chunks: counters.found_chunks,
            from_packs_chunks: counters.from_packs_chunks,
            from_peers_chunks: counters.from_peers_chunks,
            from_peers_bytes: counters.from_peers_bytes,
            replaced_chunks: counters.replaced_chunks,
            shared_waits: counters.shared_waits,
        }
    }
}
