//! How far a long operation is.

use pyo3::prelude::*;

/// A rate that several works keep to together.
#[pyclass(frozen, module = "corral_native")]
#[derive(Default)]
pub(crate) struct Pace {
    inner: chunk_backend::Pace,
}

#[pymethods]
impl Pace {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Let no more than so many bytes a second come from elsewhere; none for as fast as it goes.
    #[pyo3(signature = (bytes_a_second=None))]
    fn set_rate(&self, bytes_a_second: Option<u64>) {
        self.inner.set(bytes_a_second);
    }
}

/// Shared between the thread that works and those that watch or cancel.
#[pyclass(frozen, module = "corral_native")]
#[derive(Default)]
pub(crate) struct Progress {
    pub(crate) inner: chunk_backend::Progress,
}

#[pymethods]
impl Progress {
    #[new]
    #[pyo3(signature = (pace=None))]
    fn new(pace: Option<&Pace>) -> Self {
        pace.map_or_else(Self::default, |pace| Self {
            inner: chunk_backend::Progress::at(pace.inner.clone()),
        })
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

    /// Writers of the store whose end is waited for.
    #[getter]
    fn awaited_writers(&self) -> u64 {
        self.inner.values().awaited
    }

    #[getter]
    fn is_cancelled(&self) -> bool {
        self.inner.is_cancelled()
    }

    /// Take no more than so many bytes a second from elsewhere, with all at the same pace; none for as fast as it goes.
    #[pyo3(signature = (bytes_a_second=None))]
    fn set_rate(&self, bytes_a_second: Option<u64>) {
        self.inner.set_rate(bytes_a_second);
    }

    fn cancel(&self) {
        self.inner.cancel();
    }
}
