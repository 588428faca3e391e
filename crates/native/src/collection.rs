//! What a collection would do and did, as values for Python.

use pyo3::prelude::*;

/// What a collection would do.
#[pyclass(frozen, module = "corral_native")]
pub(crate) struct CollectionPlan {
    pub(crate) inner: chunk_backend::CollectionPlan,
}

impl From<chunk_backend::CollectionPlan> for CollectionPlan {
    fn from(inner: chunk_backend::CollectionPlan) -> Self {
        Self { inner }
    }
}

#[pymethods]
impl CollectionPlan {
    #[getter]
    fn kept_roots(&self) -> Vec<String> {
        texts(&self.inner.kept_roots)
    }

    #[getter]
    fn unnamed_roots(&self) -> Vec<String> {
        texts(&self.inner.unnamed_roots)
    }

    #[getter]
    fn incomplete_roots(&self) -> Vec<String> {
        texts(&self.inner.incomplete_roots)
    }

    #[getter]
    fn given_up_roots(&self) -> Vec<String> {
        texts(&self.inner.given_up_roots)
    }

    #[getter]
    fn packs(&self) -> u64 {
        self.inner.packs
    }

    #[getter]
    fn unusable_packs(&self) -> Vec<String> {
        self.inner.unusable_packs.clone()
    }

    #[getter]
    fn live_bytes(&self) -> u64 {
        self.inner.live_bytes
    }

    #[getter]
    fn dead_bytes(&self) -> u64 {
        self.inner.dead_bytes
    }

    #[getter]
    fn deleted_packs(&self) -> usize {
        self.inner.delete.len()
    }

    #[getter]
    fn rewritten_packs(&self) -> usize {
        self.inner.rewrite.len()
    }

    #[getter]
    fn copied_bytes(&self) -> u64 {
        self.inner.copied_bytes
    }

    #[getter]
    fn freed_bytes(&self) -> u64 {
        self.inner.freed_bytes
    }

    #[getter]
    fn flat_files(&self) -> usize {
        self.inner.flats.len()
    }

    #[getter]
    fn flat_bytes(&self) -> u64 {
        self.inner.flat_bytes
    }

    #[getter]
    fn abandoned_bytes(&self) -> u64 {
        self.inner.abandoned_bytes
    }
}

/// What a collection did.
#[pyclass(frozen, module = "corral_native")]
pub(crate) struct Collected {
    inner: chunk_backend::Collected,
}

impl From<chunk_backend::Collected> for Collected {
    fn from(inner: chunk_backend::Collected) -> Self {
        Self { inner }
    }
}

#[pymethods]
impl Collected {
    /// What was carried out.
    #[getter]
    fn plan(&self) -> CollectionPlan {
        self.inner.plan.clone().into()
    }

    #[getter]
    fn removed_packs(&self) -> u64 {
        self.inner.removed_packs
    }

    #[getter]
    fn copied_bytes(&self) -> u64 {
        self.inner.copied_bytes
    }

    #[getter]
    fn freed_bytes(&self) -> u64 {
        self.inner.freed_bytes
    }

    #[getter]
    fn removed_flats(&self) -> u64 {
        self.inner.removed_flats
    }

    #[getter]
    fn spared_packs(&self) -> Vec<String> {
        self.inner.spared_packs.clone()
    }
}

fn texts(roots: &[chunk_store::RootHash]) -> Vec<String> {
    roots.iter().map(ToString::to_string).collect()
}
