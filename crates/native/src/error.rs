//! From each crate's errors to Python's exceptions: the one place.
//!
//! Every exception has `code` (kebab case, stable) and `fields` (a dict of what the message names). Which class it has says
//! what the caller can do about it, which code says exactly what happened.

mod collection;
mod overlays;

use chunk_backend::{
    CollectError, CreateError, CreateOverlayError, FetchError, FolderError, HealError, ImportError,
    IoFailure, NoSpace, OpenError, OpenOverlayError, ReadError, ReplicateError, SealError,
    VerifyError, WriteError,
};
use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use stream_server::{CertificateError, ServeStoreError, StartError as StreamStartError};

pub(crate) use overlays::{
    OverlayExistsError, OverlayInUseError, OverlaySealedError, UnknownOverlayError,
};

create_exception!(
    corral_native,
    NativeError,
    PyException,
    "Something that the data plane could not do."
);
create_exception!(
    corral_native,
    NotAStoreError,
    NativeError,
    "The folder is no store."
);
create_exception!(
    corral_native,
    StoreExistsError,
    NativeError,
    "The folder is a store already."
);
create_exception!(
    corral_native,
    FolderNotEmptyError,
    NativeError,
    "The folder has other things in it."
);
create_exception!(
    corral_native,
    OtherFarmError,
    NativeError,
    "The store belongs to another farm."
);
create_exception!(
    corral_native,
    NewerFormatError,
    NativeError,
    "A newer release has written it."
);
create_exception!(
    corral_native,
    NoSpaceError,
    NativeError,
    "The store's file system is full."
);
create_exception!(
    corral_native,
    TooLargeError,
    NativeError,
    "The disk is larger than the store can hold."
);
create_exception!(
    corral_native,
    SourceError,
    NativeError,
    "The disk to import cannot be read."
);
create_exception!(
    corral_native,
    UnknownVersionError,
    NativeError,
    "The version is not here."
);
create_exception!(
    corral_native,
    DamagedError,
    NativeError,
    "Bytes are not what their name says, and nobody has better."
);
create_exception!(
    corral_native,
    PeersError,
    NativeError,
    "The other servers did not give what was asked."
);
create_exception!(
    corral_native,
    CancelledError,
    NativeError,
    "The progress was cancelled."
);
create_exception!(
    corral_native,
    StorageError,
    NativeError,
    "The operating system refused to read or write the store."
);
create_exception!(
    corral_native,
    StartError,
    NativeError,
    "The stream server cannot start."
);

/// What a function of this package can fail with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{what} is not {rule}: {text:?}")]
    Argument {
        what: &'static str,
        rule: &'static str,
        text: String,
    },
    #[error(transparent)]
    Create(#[from] CreateError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Import(#[from] ImportError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Replicate(#[from] ReplicateError),
    #[error(transparent)]
    Verify(#[from] VerifyError),
    #[error(transparent)]
    Heal(#[from] HealError),
    #[error(transparent)]
    Collect(#[from] CollectError),
    #[error(transparent)]
    CreateOverlay(#[from] CreateOverlayError),
    #[error(transparent)]
    OpenOverlay(#[from] OpenOverlayError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    Start(#[from] StreamStartError),
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    #[error(transparent)]
    ServeStore(#[from] ServeStoreError),
    #[error(transparent)]
    Io(#[from] IoFailure),
}

/// An exception before there is an interpreter to make it.
struct Raised {
    class: fn(String) -> PyErr,
    code: &'static str,
    fields: Vec<(&'static str, Field)>,
}

enum Field {
    Text(String),
    Number(u64),
}

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        if matches!(failure, Failure::Argument { .. }) {
            return PyValueError::new_err(failure.to_string());
        }
        let message = failure.to_string();
        let raised = raised(&failure);
        Python::attach(|py| {
            let error = (raised.class)(message);
            // Failing to decorate the error must not hide it.
            let decorated = decorate(error.value(py).as_any(), raised.code, raised.fields);
            decorated.err().unwrap_or(error)
        })
    }
}

fn decorate(
    error: &Bound<'_, PyAny>,
    code: &str,
    fields: Vec<(&'static str, Field)>,
) -> PyResult<()> {
    let named = PyDict::new(error.py());
    for (name, field) in fields {
        match field {
            Field::Text(text) => named.set_item(name, text)?,
            Field::Number(number) => named.set_item(name, number)?,
        }
    }
    error.setattr("code", code)?;
    error.setattr("fields", named)
}

fn raised(failure: &Failure) -> Raised {
    match failure {
        Failure::Argument { .. } => {
            Raised::new(PyValueError::new_err::<String>, "argument-invalid")
        }
        Failure::Create(error) => create(error),
        Failure::Open(error) => open(error),
        Failure::Import(error) => import(error),
        Failure::Read(error) => read(error),
        Failure::Replicate(error) => replicate(error),
        Failure::Verify(error) => verify(error),
        Failure::Heal(error) => heal(error),
        Failure::Collect(error) => collection::collect(error),
        Failure::CreateOverlay(error) => overlays::create(error),
        Failure::OpenOverlay(error) => overlays::open(error),
        Failure::Write(error) => overlays::write(error),
        Failure::Seal(error) => overlays::seal(error),
        Failure::Start(error) => start(error),
        Failure::Certificate(_) => {
            Raised::new(StartError::new_err::<String>, "certificate-unusable")
        }
        Failure::ServeStore(_) => {
            Raised::new(StartError::new_err::<String>, "chunk-service-failed")
        }
        Failure::Io(error) => io(error),
    }
}

fn create(error: &CreateError) -> Raised {
    match error {
        CreateError::AlreadyAStore { path, farm } => {
            Raised::new(StoreExistsError::new_err::<String>, "store-exists")
                .path(path)
                .text("farm", farm)
        }
        CreateError::NotEmpty { path } => {
            Raised::new(FolderNotEmptyError::new_err::<String>, "folder-not-empty").path(path)
        }
        CreateError::Io(error) => io(error),
        _ => Raised::unknown(),
    }
}

fn open(error: &OpenError) -> Raised {
    match error {
        OpenError::NotAStore { path } => {
            Raised::new(NotAStoreError::new_err::<String>, "not-a-store").path(path)
        }
        OpenError::OtherFarm {
            path,
            found,
            expected,
        } => Raised::new(OtherFarmError::new_err::<String>, "other-farm")
            .path(path)
            .text("found", found)
            .text("expected", expected),
        OpenError::NewerFormat { path, found } => {
            Raised::new(NewerFormatError::new_err::<String>, "newer-format")
                .path(path)
                .number("found", *found)
        }
        OpenError::Unreadable(FolderError::DamagedDescription { path, reason }) => {
            Raised::new(DamagedError::new_err::<String>, "store-description-damaged")
                .path(path)
                .text("reason", reason)
        }
        OpenError::Unreadable(FolderError::Io(error)) => io(error),
        _ => Raised::unknown(),
    }
}

fn import(error: &ImportError) -> Raised {
    match error {
        ImportError::Empty => Raised::new(SourceError::new_err::<String>, "source-empty"),
        ImportError::BeyondMaximum { size_bytes } => {
            Raised::new(TooLargeError::new_err::<String>, "source-beyond-maximum")
                .number("size_bytes", *size_bytes)
                .number("limit_bytes", chunk_store::MAXIMUM_IMAGE_BYTES)
        }
        ImportError::LargerThanStore {
            store,
            data_bytes,
            capacity_bytes,
        } => Raised::new(TooLargeError::new_err::<String>, "larger-than-store")
            .path(store)
            .number("size_bytes", *data_bytes)
            .number("limit_bytes", *capacity_bytes),
        ImportError::NoSpace(error) => no_space(error),
        ImportError::Source { offset, source } => {
            Raised::new(SourceError::new_err::<String>, "source-unreadable")
                .number("offset", *offset)
                .text("reason", source)
        }
        ImportError::Cancelled => Raised::cancelled(),
        ImportError::Io(error) => io(error),
        _ => Raised::unknown(),
    }
}

fn read(error: &ReadError) -> Raised {
    match error {
        ReadError::UnknownVersion { root, .. } => {
            Raised::new(UnknownVersionError::new_err::<String>, "version-unknown")
                .text("root", root)
        }
        ReadError::DamagedRoot { root, .. } => {
            Raised::new(DamagedError::new_err::<String>, "root-damaged").text("root", root)
        }
        ReadError::UnusableRoot { root, .. } => unusable_root(root),
        ReadError::ChunkUnavailable { name, .. } => {
            Raised::new(DamagedError::new_err::<String>, "chunk-unavailable").text("chunk", name)
        }
        ReadError::MisshapenPage { root, .. } => misshapen(root),
        ReadError::BeyondEnd { size, .. } => {
            Raised::new(NativeError::new_err::<String>, "beyond-end").number("size_bytes", *size)
        }
        ReadError::Io(error) => io(error),
        _ => Raised::unknown(),
    }
}

fn replicate(error: &ReplicateError) -> Raised {
    match error {
        ReplicateError::Peers { root, source } => fetch(source).text("root", root),
        ReplicateError::UnusableRoot { root, .. } => unusable_root(root),
        ReplicateError::MisshapenPage { root, .. } => misshapen(root),
        ReplicateError::NoSpace(error) => no_space(error),
        ReplicateError::Cancelled => Raised::cancelled(),
        ReplicateError::Io(error) => io(error),
        _ => Raised::unknown(),
    }
}

fn verify(error: &VerifyError) -> Raised {
    match error {
        VerifyError::Cancelled => Raised::cancelled(),
        VerifyError::Io(error) => io(error),
        _ => Raised::unknown(),
    }
}

fn heal(error: &HealError) -> Raised {
    match error {
        HealError::Verify(error) => verify(error),
        HealError::Cancelled => Raised::cancelled(),
        HealError::NoSpace(error) => no_space(error),
        HealError::Io(error) => io(error),
        _ => Raised::unknown(),
    }
}

fn start(error: &StreamStartError) -> Raised {
    match error {
        StreamStartError::BadKey => Raised::new(StartError::new_err::<String>, "farm-key-bad"),
        StreamStartError::Listen { address, source } => {
            Raised::new(StartError::new_err::<String>, "address-unusable")
                .text("address", &crate::stream::shown(address))
                .text("reason", source)
        }
        _ => Raised::new(StartError::new_err::<String>, "start-failed"),
    }
}

fn fetch(error: &FetchError) -> Raised {
    match error {
        FetchError::Cancelled => Raised::cancelled(),
        FetchError::NoPeers => Raised::new(PeersError::new_err::<String>, "no-peers"),
        FetchError::Missing { missing, .. } => {
            Raised::new(PeersError::new_err::<String>, "peers-lack-chunks")
                .number("missing", u64::try_from(*missing).unwrap_or(u64::MAX))
        }
        FetchError::NoRoot { .. } => {
            Raised::new(PeersError::new_err::<String>, "peers-lack-version")
        }
        _ => Raised::new(PeersError::new_err::<String>, "peers-failed"),
    }
}

fn no_space(error: &NoSpace) -> Raised {
    Raised::new(NoSpaceError::new_err::<String>, "no-space")
        .path(&error.store)
        .number("free_bytes", error.free_bytes)
        .number(
            "missing_bytes",
            error.missing_bytes.saturating_sub(error.free_bytes),
        )
        .number(
            "at_most_bytes",
            error.at_most_bytes.saturating_sub(error.free_bytes),
        )
}

fn io(error: &IoFailure) -> Raised {
    let raised = if error.is_no_space() {
        Raised::new(NoSpaceError::new_err::<String>, "no-space")
    } else {
        Raised::new(StorageError::new_err::<String>, "storage")
    };
    raised.path(&error.path).text("reason", &error.source)
}

fn unusable_root(root: &chunk_store::RootHash) -> Raised {
    Raised::new(NewerFormatError::new_err::<String>, "root-unusable").text("root", root)
}

fn misshapen(root: &chunk_store::RootHash) -> Raised {
    Raised::new(DamagedError::new_err::<String>, "page-misshapen").text("root", root)
}

impl Raised {
    fn new(class: fn(String) -> PyErr, code: &'static str) -> Self {
        Self {
            class,
            code,
            fields: Vec::new(),
        }
    }

    fn cancelled() -> Self {
        Self::new(CancelledError::new_err::<String>, "cancelled")
    }

    /// For a variant that was added to a crate and not yet here.
    fn unknown() -> Self {
        Self::new(NativeError::new_err::<String>, "native")
    }

    fn text(mut self, name: &'static str, value: &impl ToString) -> Self {
        self.fields.push((name, Field::Text(value.to_string())));
        self
    }

    fn number(mut self, name: &'static str, value: u64) -> Self {
        self.fields.push((name, Field::Number(value)));
        self
    }

    fn path(self, path: &std::path::Path) -> Self {
        self.text("path", &path.display())
    }
}
