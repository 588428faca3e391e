//! Where chunks are kept and how they are had: a store in a folder, what reads disks into it, and what fetches from peers.
//!
//! Everything here blocks and may be used from any thread. It decides nothing about the farm (which version is whose, who
//! may read what), knows no NBD server and no HTTP server: those are `stream-server`'s. Formats are `chunk-store`'s, drawn
//! in `docs/formats/store.md`.

mod catalogue;
mod collect;
mod disk;
mod error;
mod folder;
mod heal;
mod http_peers;
mod import;
mod ingest;
mod manifest;
mod overlay;
mod pace;
mod pack_writer;
mod progress;
mod ready;
mod replicate;
mod scrub;
mod served;
mod source;
mod store;
mod verify;

pub use collect::{Collected, CollectionPlan, REWRITE_PERCENT};
pub use disk::{DiskSource, NbdDisk, RawFile};
pub use error::{
    CollectError, CreateError, FetchError, FolderError, HealError, ImportError, IoFailure, NoSpace,
    OpenError, PeerFailure, ReadError, ReplicateError, VerifyError,
};
pub use heal::HealReport;
pub use http_peers::{HttpPeer, HttpPeers};
pub use import::Imported;
pub use manifest::{Difference, Manifest};
pub use overlay::{
    CreateOverlayError, OpenOverlayError, Overlay, OverlayUsage, SealError, Sealed, WriteError,
    Zeroing,
};
pub use pace::Pace;
pub use progress::{Progress, ProgressValues};
pub use replicate::Replicated;
pub use scrub::{Scrub, ScrubPass, ScrubState, ScrubStep};
pub use served::{Extent, ServedCounters, ServedVersion};
pub use source::{ChunkSource, MAXIMUM_BATCH_NAMES, Nearest, NoPeers};
pub use store::{FarmId, OverlayId, STORE_FORMAT, Store, StoreId};
pub use verify::{DamagedFlat, DamagedPack, VerifyReport};
