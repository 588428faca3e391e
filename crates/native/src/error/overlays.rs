//! Errors of overlays.

use chunk_backend::{CreateOverlayError, OpenOverlayError, SealError, WriteError};
use chunk_store::{DecodeHeadError, DecodeSlotError};
use pyo3::create_exception;

use super::{
    DamagedError, NativeError, NewerFormatError, NoSpaceError, Raised, SourceError, StorageError,
    UnknownVersionError, io, no_space, read,
};

create_exception!(
    corral_native,
    UnknownOverlayError,
    NativeError,
    "The overlay is not here."
);
create_exception!(
    corral_native,
    OverlayExistsError,
    NativeError,
    "There is an overlay with this id already."
);
create_exception!(
    corral_native,
    OverlayInUseError,
    NativeError,
    "A process has the overlay open."
);
create_exception!(
    corral_native,
    OverlaySealedError,
    NativeError,
    "The overlay is sealed, or being sealed, and takes no changes."
);

pub(super) fn create(error: &CreateOverlayError) -> Raised {
    match error {
        CreateOverlayError::AlreadyExists { path } => {
            Raised::new(OverlayExistsError::new_err::<String>, "overlay-exists").path(path)
        }
        CreateOverlayError::Open(error) => open(error),
        CreateOverlayError::Io(error) => io(error),
        _ => Raised::unknown(),
    }
}

pub(super) fn open(error: &OpenOverlayError) -> Raised {
    let damaged = || Raised::new(DamagedError::new_err::<String>, "overlay-damaged");
    let newer = |found: u16| {
        Raised::new(NewerFormatError::new_err::<String>, "overlay-newer-format")
            .number("found", u64::from(found))
    };
    match error {
        OpenOverlayError::Unknown { id, .. } => {
            Raised::new(UnknownOverlayError::new_err::<String>, "overlay-unknown").text("id", id)
        }
        OpenOverlayError::InUse { path } => {
            Raised::new(OverlayInUseError::new_err::<String>, "overlay-in-use").path(path)
        }
        OpenOverlayError::UnusableHead { path, source } => match source {
            DecodeHeadError::NewerFormat { found } => newer(*found).path(path),
            _ => damaged().path(path),
        },
        OpenOverlayError::UnusableMap { path, source } => match source {
            DecodeSlotError::NewerFormat { found } => newer(*found).path(path),
            _ => damaged().path(path),
        },
        OpenOverlayError::WrongLength { path, .. } => damaged().path(path),
        OpenOverlayError::OtherBase { path, found, given } => {
            Raised::new(NativeError::new_err::<String>, "overlay-other-base")
                .path(path)
                .text("found", found)
                .text("given", given)
        }
        OpenOverlayError::Io(error) => io(error),
        _ => Raised::unknown(),
    }
}

pub(super) fn write(error: &WriteError) -> Raised {
    match error {
        WriteError::LimitReached { path, limit_bytes } => {
            Raised::new(NoSpaceError::new_err::<String>, "overlay-full")
                .path(path)
                .number("limit_bytes", *limit_bytes)
        }
        WriteError::Sealed => sealed(),
        WriteError::Failed(error) => Raised::new(StorageError::new_err::<String>, "overlay-failed")
            .path(&error.path)
            .text("reason", &error.source),
        WriteError::Base(error) => read(error),
        WriteError::Io(error) => io(error),
        _ => Raised::unknown(),
    }
}

fn sealed() -> Raised {
    Raised::new(OverlaySealedError::new_err::<String>, "overlay-sealed")
}

pub(super) fn seal(error: &SealError) -> Raised {
    match error {
        SealError::Already { root } => sealed().text("root", root),
        SealError::UnderWay => sealed(),
        SealError::OtherStore { store } => {
            Raised::new(UnknownOverlayError::new_err::<String>, "overlay-elsewhere").path(store)
        }
        SealError::BaseIncomplete { root, .. } => {
            Raised::new(UnknownVersionError::new_err::<String>, "version-incomplete")
                .text("root", root)
        }
        SealError::Flush(error) => write(error),
        SealError::Unreadable { offset, source } => {
            Raised::new(SourceError::new_err::<String>, "overlay-unreadable")
                .number("offset", *offset)
                .text("reason", source)
        }
        SealError::Base(error) => read(error),
        SealError::NoSpace(error) => no_space(error),
        SealError::Cancelled => Raised::cancelled(),
        SealError::Io(error) => io(error),
        _ => Raised::unknown(),
    }
}
