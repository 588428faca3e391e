//! How far a long operation is.

use pyo3::prelude::*;

/// Shared between the thread that works and those that watch or cancel.
#[pyclass(frozen, module = "corral_native")]
#[derive(Default)]
pub(crate) struct Progress {
    pub(crate) inner: chunk_backend::Progress,
}

#[pymethods]
impl Progress {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    #[getter]
    fn total_bytes(&self) -> u64 {
        self.inner.values().total_bytes
    }

    #[getter]
    fn done_bytes(&self) -> u64 {
        self.inner.values().done_bytes
    }

    #[getter]
    fn new_chunks(&self) -> u64 {
        self.inner.values().new_chunks
    }

    #[getter]
    fn new_bytes(&self) -> u64 {
        self.inner.values().new_bytes
    }

    #[getter]
    fn stored_bytes(&self) -> u64 {
        self.inner.values().stored_bytes
    }

    #[getter]
    fn is_cancelled(&self) -> bool {
        self.inner.is_cancelled()
    }

    /// Take no more than so many bytes a second from elsewhere; none for as fast as it goes.
    #[pyo3(signature = (bytes_a_second=None))]
    fn set_rate(&self, bytes_a_second: Option<u64>) {
        self.inner.set_rate(bytes_a_second);
    }

    fn cancel(&self) {
        self.inner.cancel();
    }
}
