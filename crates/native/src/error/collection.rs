//! Failures of collections.

use chunk_backend::CollectError;

use super::{DamagedError, Raised, io, no_space, overlays, unusable_root};

pub(super) fn collect(error: &CollectError) -> Raised {
    match error {
        CollectError::DamagedRoot { root, .. } => {
            Raised::new(DamagedError::new_err::<String>, "root-damaged").text("root", root)
        }
        CollectError::UnusableRoot { root, .. } => unusable_root(root),
        CollectError::PageUnavailable { name, root, .. } => {
            Raised::new(DamagedError::new_err::<String>, "chunk-unavailable")
                .text("chunk", name)
                .text("root", root)
        }
        CollectError::UnusableOverlay(error) => overlays::open(error),
        CollectError::NoSpace(error) => no_space(error),
        CollectError::Cancelled => Raised::cancelled(),
        CollectError::Io(error) => io(error),
        _ => Raised::unknown(),
    }
}
