//! Corral's data plane for Python. Converts, releases the interpreter, maps errors; decides nothing.
//!
//! One file for each subject, and `error` for all that can go wrong. What Python sees is written down by hand in
//! `python/corral_native/__init__.pyi`, and checked against this by `mypy.stubtest`.

mod collection;
mod error;
mod overlay;
mod peers;
mod progress;
mod reports;
mod scrub;
mod served;
mod store;
mod stream;

use pyo3::prelude::*;

/// Corral's chunk stores and stream server.
#[pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use super::collection::{Collected, CollectionPlan};
    #[pymodule_export]
    use super::error::{
        CancelledError, DamagedError, FolderNotEmptyError, NativeError, NewerFormatError,
        NoSpaceError, NotAStoreError, OtherFarmError, OverlayExistsError, OverlayInUseError,
        OverlaySealedError, PeersError, SourceError, StartError, StorageError, StoreExistsError,
        TooLargeError, UnknownOverlayError, UnknownVersionError,
    };
    #[pymodule_export]
    use super::overlay::{Overlay, OverlayHead, OverlayUsage};
    #[pymodule_export]
    use super::peers::Peers;
    #[pymodule_export]
    use super::progress::{Pace, Progress};
    #[pymodule_export]
    use super::reports::{Difference, HealReport, Imported, Replicated, Sealed, VerifyReport};
    #[pymodule_export]
    use super::scrub::{Scrub, ScrubPass, ScrubState};
    #[pymodule_export]
    use super::served::{ServedCounters, ServedVersion};
    #[pymodule_export]
    use super::store::Store;
    #[pymodule_export]
    use super::stream::{Session, StreamServer};
}
