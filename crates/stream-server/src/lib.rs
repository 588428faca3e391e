//! The stream server: NBD on TCP and unix sockets, on threads of its own.
//!
//! It decides nothing about the farm. Python says which exports there are and holds the key that signs tickets; this
//! moves bytes, bounds what strangers can make it hold, and counts.
//!
//! A connection is one task on one of a few single-threaded reactors and is never moved. A read whose bytes are verified
//! and in the page cache is answered where it was received; every other goes to a bounded pool of threads, so that a cold
//! chunk holds up nobody else. What is served is a [`Version`], the store's or a test's, which any number of
//! clients read, or a [`Disk`], which one client reads and writes.

mod admission;
pub mod chunk_http;
mod chunk_service;
mod clock;
mod cold;
mod connection;
mod counters;
mod disk;
mod export;
mod flat;
mod input;
mod listener;
mod login;
mod output;
mod overlay_disk;
mod pool;
mod reactor;
mod residency;
mod seat;
mod server;
mod session;
mod settings;
mod shared;
mod socket;
mod ticket;
mod tls;
mod transmission;

pub use counters::{Counters, LATENCY_BUCKETS_MICROSECONDS};
pub use disk::{Disk, DiskError, Zeroing};
pub use export::{Content, Export, Version, VersionError};
pub use server::{ServeStoreError, StartError, StreamServer};
pub use session::SessionView;
pub use settings::{Access, Address, Limits, Listener, Settings};
pub use ticket::{Purpose, TICKET_BYTES, Ticket, TicketError, TicketKey};
pub use tls::CertificateError;
