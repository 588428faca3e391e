//! The scrub of a store.

use std::sync::{Mutex, PoisonError};

use chunk_backend::ScrubStep;
use pyo3::prelude::*;

use crate::error::Failure;
use crate::peers::Peers;
use crate::progress::Progress;
use crate::store::Store;

/// The scrub of one store, as one process sees it. For one thread: others wait for its step.
#[pyclass(frozen, module = "corral_native")]
pub(crate) struct Scrub {
    inner: Mutex<chunk_backend::Scrub>,
}

/// One reading of all that a store keeps.
#[pyclass(frozen, get_all, module = "corral_native")]
pub(crate) struct ScrubPass {
    started_at: u64,
    finished_at: Option<u64>,
    total_bytes: u64,
    checked_bytes: u64,
    damaged_chunks: u64,
    healed_chunks: u64,
}

/// What is known of the scrub of a store, whichever process did it.
#[pyclass(frozen, get_all, module = "corral_native")]
pub(crate) struct ScrubState {
    under_way: Option<Py<ScrubPass>>,
    last: Option<Py<ScrubPass>>,
    passes: u64,
    checked_bytes: u64,
    damaged_chunks: u64,
    healed_chunks: u64,
    unhealed_chunks: u64,
    affected_roots: Vec<String>,
}

#[pymethods]
impl Scrub {
    #[staticmethod]
    fn in_background(py: Python<'_>, store: &Store) -> Result<Self, Failure> {
        py.detach(|| chunk_backend::Scrub::in_background(&store.inner))
            .map(Self::from)
            .map_err(Failure::from)
    }

    #[staticmethod]
    fn at_once(py: Python<'_>, store: &Store) -> Result<Self, Failure> {
        py.detach(|| chunk_backend::Scrub::at_once(&store.inner))
            .map(Self::from)
            .map_err(Failure::from)
    }

    fn begin(&self, py: Python<'_>, progress: &Progress, now: u64) -> Result<bool, Failure> {
        py.detach(|| self.with(|scrub| scrub.begin(&progress.inner, now)))
            .map_err(Failure::from)
    }

    fn step(
        &self,
        py: Python<'_>,
        peers: &Peers,
        progress: &Progress,
        now: u64,
    ) -> Result<&'static str, Failure> {
        py.detach(|| self.with(|scrub| scrub.step(peers.inner.as_ref(), &progress.inner, now)))
            .map(|step| match step {
                ScrubStep::Busy => "busy",
                ScrubStep::Resting => "resting",
                ScrubStep::Working => "working",
                ScrubStep::Finished => "finished",
            })
            .map_err(Failure::from)
    }

    fn tend(
        &self,
        py: Python<'_>,
        peers: &Peers,
        progress: &Progress,
        now: u64,
    ) -> Result<(), Failure> {
        py.detach(|| self.with(|scrub| scrub.tend(peers.inner.as_ref(), &progress.inner, now)))
            .map_err(Failure::from)
    }

    fn pause(&self, py: Python<'_>, now: u64) -> Result<(), Failure> {
        py.detach(|| self.with(|scrub| scrub.pause(now)))
            .map_err(Failure::from)
    }

    fn state(&self, py: Python<'_>) -> PyResult<ScrubState> {
        let state = py.detach(|| self.with(|scrub| scrub.state().clone()));
        let pass = |pass: Option<chunk_backend::ScrubPass>| {
            pass.map(|pass| Py::new(py, ScrubPass::from(pass)))
                .transpose()
        };
        Ok(ScrubState {
            passes: state.passes,
            checked_bytes: state.checked_bytes,
            damaged_chunks: state.damaged_chunks,
            healed_chunks: state.healed_chunks,
            unhealed_chunks: state.outstanding(),
            affected_roots: state
                .affected_roots
                .iter()
                .map(ToString::to_string)
                .collect(),
            under_way: pass(state.pass)?,
            last: pass(state.last)?,
        })
    }
}

impl Scrub {
    fn with<T>(&self, act: impl FnOnce(&mut chunk_backend::Scrub) -> T) -> T {
        act(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl From<chunk_backend::Scrub> for Scrub {
    fn from(scrub: chunk_backend::Scrub) -> Self {
        Self {
            inner: Mutex::new(scrub),
        }
    }
}

impl From<chunk_backend::ScrubPass> for ScrubPass {
    fn from(pass: chunk_backend::ScrubPass) -> Self {
        Self {
            started_at: pass.started_at,
            finished_at: pass.finished_at,
            total_bytes: pass.total_bytes,
            checked_bytes: pass.checked_bytes,
            damaged_chunks: pass.damaged_chunks,
            healed_chunks: pass.healed_chunks,
        }
    }
}
