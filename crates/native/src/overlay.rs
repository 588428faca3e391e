//! Overlays: disks over a version that one process may change.

use std::sync::Arc;

use chunk_backend::OverlayId;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::error::Failure;
use crate::served::ServedVersion;
use crate::store::{Store, parsed};

/// An overlay that this process has opened. Others cannot before the last reference to it is gone.
#[pyclass(frozen, module = "corral_native")]
pub(crate) struct Overlay {
    pub(crate) inner: Arc<chunk_backend::Overlay>,
}

/// How full an overlay is.
#[pyclass(frozen, get_all, module = "corral_native")]
pub(crate) struct OverlayUsage {
    size_bytes: u64,
    changed_bytes: u64,
    allocated_bytes: u64,
    limit_bytes: u64,
    is_full: bool,
    failure: Option<String>,
}

/// What an overlay says of itself, whoever has it open.
#[pyclass(frozen, get_all, module = "corral_native")]
pub(crate) struct OverlayHead {
    id: String,
    base: String,
    size_bytes: u64,
    limit_bytes: u64,
    sealed_root: Option<String>,
}

#[pymethods]
impl Overlay {
    #[staticmethod]
    fn create(
        py: Python<'_>,
        store: &Store,
        overlay: &str,
        base: &ServedVersion,
        limit_bytes: u64,
    ) -> Result<Self, Failure> {
        let id = overlay_id(overlay)?;
        let made = py.detach(|| {
            chunk_backend::Overlay::create(&store.inner, id, &base.inner, limit_bytes)
        })?;
        Ok(Self {
            inner: Arc::new(made),
        })
    }

    #[staticmethod]
    fn open(
        py: Python<'_>,
        store: &Store,
        overlay: &str,
        base: &ServedVersion,
    ) -> Result<Self, Failure> {
        let id = overlay_id(overlay)?;
        let opened = py.detach(|| chunk_backend::Overlay::open(&store.inner, id, &base.inner))?;
        Ok(Self {
            inner: Arc::new(opened),
        })
    }

    /// Take an overlay away; one that is not there is no error.
    #[staticmethod]
    fn remove(py: Python<'_>, store: &Store, overlay: &str) -> Result<(), Failure> {
        let id = overlay_id(overlay)?;
        py.detach(|| chunk_backend::Overlay::remove(&store.inner, id))
            .map_err(Failure::from)
    }

    #[staticmethod]
    fn list(py: Python<'_>, store: &Store) -> Result<Vec<String>, Failure> {
        let ids = py.detach(|| chunk_backend::Overlay::list(&store.inner))?;
        Ok(ids.iter().map(ToString::to_string).collect())
    }

    #[staticmethod]
    fn head(py: Python<'_>, store: &Store, overlay: &str) -> Result<OverlayHead, Failure> {
        let id = overlay_id(overlay)?;
        let head = py.detach(|| chunk_backend::Overlay::head(&store.inner, id))?;
        Ok(OverlayHead {
            id: id.to_string(),
            base: head.base.to_string(),
            size_bytes: head.size,
            limit_bytes: head.limit,
            sealed_root: head.sealed.map(|root| root.to_string()),
        })
    }

    #[getter]
    fn id(&self) -> String {
        self.inner.id().to_string()
    }

    /// The root of the version below.
    #[getter]
    fn base(&self) -> String {
        self.inner.base().root().to_string()
    }

    #[getter]
    fn size_bytes(&self) -> u64 {
        self.inner.size()
    }

    #[getter]
    fn sealed_root(&self) -> Option<String> {
        self.inner.sealed_root().map(|root| root.to_string())
    }

    fn usage(&self, py: Python<'_>) -> OverlayUsage {
        let usage = py.detach(|| self.inner.usage());
        OverlayUsage {
            size_bytes: usage.size_bytes,
            changed_bytes: usage.changed_bytes,
            allocated_bytes: usage.allocated_bytes,
            limit_bytes: usage.limit_bytes,
            is_full: usage.is_full,
            failure: usage.failure.map(|failure| failure.to_string()),
        }
    }

    fn set_limit(&self, py: Python<'_>, limit_bytes: u64) -> Result<(), Failure> {
        py.detach(|| self.inner.set_limit(limit_bytes))
            .map_err(Failure::from)
    }

    fn read_at(&self, py: Python<'_>, offset: u64, length: usize) -> Result<Py<PyBytes>, Failure> {
        let bytes = py.detach(|| {
            let mut bytes = vec![0; length];
            self.inner.read_at(offset, &mut bytes).map(|()| bytes)
        })?;
        Ok(PyBytes::new(py, &bytes).unbind())
    }

    fn write_at(&self, py: Python<'_>, offset: u64, data: &[u8]) -> Result<(), Failure> {
        py.detach(|| self.inner.write_at(offset, data))
            .map_err(Failure::from)
    }

    /// Make safe what was written.
    fn flush(&self, py: Python<'_>) -> Result<(), Failure> {
        py.detach(|| self.inner.flush()).map_err(Failure::from)
    }
}

fn overlay_id(text: &str) -> Result<OverlayId, Failure> {
    parsed(text, "overlay id", "a UUID")
}
