//! A store of chunks.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use chunk_backend::{DiskSource, FarmId, ImportError, NbdDisk, RawFile};
use chunk_store::RootHash;
use pyo3::prelude::*;

use crate::collection::{Collected, CollectionPlan};
use crate::error::Failure;
use crate::overlay::Overlay;
use crate::peers::Peers;
use crate::progress::Progress;
use crate::reports::{Difference, HealReport, Imported, Replicated, Sealed, VerifyReport};
use crate::served::ServedVersion;

/// An open store. Any thread may use it.
#[pyclass(frozen, module = "corral_native")]
pub(crate) struct Store {
    pub(crate) inner: chunk_backend::Store,
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "PyO3 gives paths away, it does not lend them"
)]
#[pymethods]
impl Store {
    #[staticmethod]
    fn create(py: Python<'_>, path: PathBuf, farm: &str) -> Result<Self, Failure> {
        let farm = farm_id(farm)?;
        py.detach(|| chunk_backend::Store::create(&path, farm))
            .map(|inner| Self { inner })
            .map_err(Failure::from)
    }

    #[staticmethod]
    fn open(py: Python<'_>, path: PathBuf, farm: &str) -> Result<Self, Failure> {
        let farm = farm_id(farm)?;
        py.detach(|| chunk_backend::Store::open(&path, farm))
            .map(|inner| Self { inner })
            .map_err(Failure::from)
    }

    /// Open without writing anything.
    #[staticmethod]
    fn open_to_read(py: Python<'_>, path: PathBuf, farm: &str) -> Result<Self, Failure> {
        let farm = farm_id(farm)?;
        py.detach(|| chunk_backend::Store::open_to_read(&path, farm))
            .map(|inner| Self { inner })
            .map_err(Failure::from)
    }

    #[getter]
    fn id(&self) -> String {
        self.inner.id().to_string()
    }

    #[getter]
    fn path(&self) -> PathBuf {
        self.inner.path().to_owned()
    }

    fn free_bytes(&self, py: Python<'_>) -> Result<u64, Failure> {
        py.detach(|| self.inner.free_space()).map_err(Failure::from)
    }

    fn capacity_bytes(&self, py: Python<'_>) -> Result<u64, Failure> {
        py.detach(|| self.inner.capacity()).map_err(Failure::from)
    }

    /// Import a raw disk: a file or a block device.
    fn import_raw(
        &self,
        py: Python<'_>,
        path: PathBuf,
        progress: &Progress,
    ) -> Result<Imported, Failure> {
        py.detach(|| {
            let mut source = RawFile::open(&path).map_err(unreadable)?;
            self.import(&mut source, progress)
        })
    }

    /// Import a disk that somebody serves over NBD on a unix socket.
    fn import_nbd(
        &self,
        py: Python<'_>,
        socket: PathBuf,
        export: &str,
        progress: &Progress,
    ) -> Result<Imported, Failure> {
        py.detach(|| {
            let mut source = NbdDisk::connect(&socket, export).map_err(unreadable)?;
            self.import(&mut source, progress)
        })
    }

    /// Make a version of what an overlay of this store holds.
    fn seal(
        &self,
        py: Python<'_>,
        overlay: &Overlay,
        progress: &Progress,
    ) -> Result<Sealed, Failure> {
        py.detach(|| self.inner.seal(&overlay.inner, &progress.inner))
            .map(Sealed::from)
            .map_err(Failure::from)
    }

    fn holds(&self, py: Python<'_>, root: &str) -> Result<bool, Failure> {
        let root = root_hash(root)?;
        Ok(py.detach(|| self.inner.holds(root)))
    }

    fn versions(&self, py: Python<'_>) -> Result<Vec<String>, Failure> {
        let roots = py.detach(|| self.inner.versions())?;
        Ok(roots.iter().map(ToString::to_string).collect())
    }

    fn difference(&self, py: Python<'_>, old: &str, new: &str) -> Result<Difference, Failure> {
        let (old, new) = (root_hash(old)?, root_hash(new)?);
        py.detach(|| self.inner.difference(old, new))
            .map(Difference::from)
            .map_err(Failure::from)
    }

    fn verify(&self, py: Python<'_>, progress: &Progress) -> Result<VerifyReport, Failure> {
        py.detach(|| self.inner.verify(&progress.inner))
            .map(VerifyReport::from)
            .map_err(Failure::from)
    }

    fn heal(
        &self,
        py: Python<'_>,
        peers: &Peers,
        progress: &Progress,
    ) -> Result<HealReport, Failure> {
        py.detach(|| self.inner.heal(peers.inner.as_ref(), &progress.inner))
            .map(HealReport::from)
            .map_err(Failure::from)
    }

    /// Find out what a collection would free; nothing is changed.
    fn plan_collection(
        &self,
        py: Python<'_>,
        named: Vec<String>,
    ) -> Result<CollectionPlan, Failure> {
        let named = named.iter().map(|root| root_hash(root));
        let named = named.collect::<Result<Vec<_>, _>>()?;
        py.detach(|| self.inner.plan_collection(&named))
            .map(CollectionPlan::from)
            .map_err(Failure::from)
    }

    /// Free what no version needs.
    fn collect(
        &self,
        py: Python<'_>,
        plan: &CollectionPlan,
        progress: &Progress,
    ) -> Result<Collected, Failure> {
        py.detach(|| self.inner.collect(&plan.inner, &progress.inner))
            .map(Collected::from)
            .map_err(Failure::from)
    }

    fn replicate(
        &self,
        py: Python<'_>,
        root: &str,
        peers: &Peers,
        progress: &Progress,
    ) -> Result<Replicated, Failure> {
        let root = root_hash(root)?;
        py.detach(|| {
            self.inner
                .replicate(root, peers.inner.as_ref(), &progress.inner)
        })
        .map(Replicated::from)
        .map_err(Failure::from)
    }

    fn serve(&self, py: Python<'_>, root: &str, peers: &Peers) -> Result<ServedVersion, Failure> {
        let root = root_hash(root)?;
        let peers = Arc::clone(&peers.inner);
        py.detach(|| self.inner.serve(root, peers))
            .map(|inner| ServedVersion { inner })
            .map_err(Failure::from)
    }

    /// Forget a version; its chunks stay for the collector.
    fn remove_version(&self, py: Python<'_>, root: &str) -> Result<(), Failure> {
        let root = root_hash(root)?;
        py.detach(|| self.inner.remove_version(root))
            .map_err(Failure::from)
    }
}

impl Store {
    fn import(
        &self,
        source: &mut dyn DiskSource,
        progress: &Progress,
    ) -> Result<Imported, Failure> {
        self.inner
            .import(source, &progress.inner)
            .map(Imported::from)
            .map_err(Failure::from)
    }
}

fn unreadable(error: std::io::Error) -> Failure {
    Failure::Import(ImportError::Source {
        offset: 0,
        source: Arc::new(error),
    })
}

pub(crate) fn root_hash(text: &str) -> Result<RootHash, Failure> {
    parsed(text, "root hash", "64 lower-case hexadecimal digits")
}

fn farm_id(text: &str) -> Result<FarmId, Failure> {
    parsed(text, "farm id", "a UUID")
}

pub(crate) fn parsed<T: FromStr>(
    text: &str,
    what: &'static str,
    rule: &'static str,
) -> Result<T, Failure> {
    text.parse().map_err(|_| Failure::Argument {
        what,
        rule,
        text: text.to_owned(),
    })
}
