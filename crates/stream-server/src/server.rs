//! The server as its owner sees it.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use chunk_backend::Store;

use crate::chunk_http::ChunkHttpCounts;
use crate::chunk_service::ChunkService;
use crate::counters::Counters;
use crate::export::Export;
use crate::listener::Bound;
use crate::reactor::{Inbox, Reactor};
use crate::session::SessionView;
use crate::settings::{Address, Settings};
use crate::shared::{Mood, Shared};
use crate::ticket::TicketKey;
use crate::tls::{CertificateError, Shown};

/// Why a server does not start. Nothing is left behind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The key for tickets is none.
    #[error("farm's public key is not an Ed25519 key")]
    BadKey,
    /// An address cannot be listened on.
    #[error("cannot listen on {address:?}: {source}")]
    Listen {
        /// Which.
        address: Address,
        /// Why.
        source: io::Error,
    },
    /// A thread cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] io::Error),
}

/// Why chunks are not served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeStoreError {
    /// The settings name no address for it.
    #[error("no address for chunk HTTP was given; start the server with one")]
    NoAddress,
    /// The service cannot be started.
    #[error("cannot start the chunk service: {0}")]
    Start(#[from] io::Error),
}

/// A running stream server. It stops when dropped.
pub struct StreamServer {
    shared: Arc<Shared>,
    addresses: Vec<Address>,
    reactors: Mutex<Vec<Reactor>>,
    chunk_service: Mutex<Option<ChunkService>>,
}

impl StreamServer {
    /// Listens and serves, at first no exports at all.
    ///
    /// # Errors
    /// If an address is taken, the key is bad, or the system gives no threads.
    pub fn start(settings: Settings) -> Result<Self, StartError> {
        let Settings {
            listeners,
            chunk_http,
            chunk_tls,
            farm_public_key,
            limits,
            reactors,
        } = settings;
        let key = TicketKey::from_bytes(&farm_public_key).ok_or(StartError::BadKey)?;
        let mut bound = Vec::new();
        for listener in &listeners {
            let refused = |source| StartError::Listen {
                address: listener.address.clone(),
                source,
            };
            let socket = Bound::bind(listener).map_err(refused)?;
            let address = socket.address().map_err(refused)?;
            bound.push((socket, address));
        }
        let certificate: Arc<Shown> = Arc::default();
        let chunk_service = chunk_http.map(|address| {
            let refused = |source| StartError::Listen {
                address: Address::Tcp(address),
                source,
            };
            let shown = chunk_tls.then(|| Arc::clone(&certificate));
            ChunkService::bind(address, shown).map_err(refused)
        });
        let chunk_service = chunk_service.transpose()?;
        let count = reactors
            .unwrap_or_else(|| thread::available_parallelism().map_or(2, usize::from))
            .max(1);
        let pool = limits.blocking_threads.div_ceil(count);
        let shared = Arc::new(Shared::new(limits, key, certificate, count));
        let reactors = shared
            .tallies
            .iter()
            .enumerate()
            .map(|(number, tally)| {
                Reactor::start(number, Arc::clone(&shared), Arc::clone(tally), pool)
            })
            .collect::<io::Result<Vec<Reactor>>>()?;
        let inboxes: Vec<Inbox> = reactors
            .iter()
            .map(|reactor| reactor.inbox.clone())
            .collect();
        let mut addresses = Vec::new();
        for ((socket, address), inbox) in bound.into_iter().zip(inboxes.iter().cycle()) {
            inbox.listen(socket, inboxes.clone());
            addresses.push(address);
        }
        Ok(Self {
            shared,
            addresses,
            reactors: Mutex::new(reactors),
            chunk_service: Mutex::new(chunk_service),
        })
    }

    /// Where it listens, in the order of the settings, with the ports that were taken.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// Answers other servers of the farm that ask for chunks of `store`. Asked again, it goes on with the first store.
    ///
    /// # Errors
    /// If the settings name no address for it, or the system gives no thread.
    pub fn serve_store(&self, store: Store) -> Result<(), ServeStoreError> {
        let mut service = self.lock_chunk_service();
        let bound = service.take().ok_or(ServeStoreError::NoAddress)?;
        *service = Some(bound.serve(store, self.shared.key.clone())?);
        Ok(())
    }

    /// Shows this certificate to whoever connects from now on; certificate and private key in PEM.
    ///
    /// # Errors
    /// If they cannot be used. What was shown before is shown on.
    pub fn show_certificate(
        &self,
        certificate: &str,
        private_key: &str,
    ) -> Result<(), CertificateError> {
        self.shared.certificate.replace(certificate, private_key)
    }

    /// Where chunks are served, with the port that was taken.
    pub fn chunk_address(&self) -> Option<SocketAddr> {
        self.lock_chunk_service()
            .as_ref()
            .and_then(|service| service.address().ok())
    }

    /// What the chunk service has counted.
    pub fn chunk_counters(&self) -> ChunkHttpCounts {
        self.lock_chunk_service()
            .as_ref()
            .map(ChunkService::counters)
            .unwrap_or_default()
    }

    fn lock_chunk_service(&self) -> MutexGuard<'_, Option<ChunkService>> {
        self.chunk_service
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the exports. Sessions of an export that is gone, or has another root now, are ended.
    pub fn apply(&self, exports: Vec<Export>) {
        self.shared.replace_exports(exports);
    }

    /// Lets nobody in any more and asks Corral clients to move; who is in is served on.
    pub fn drain(&self) {
        self.shared.set_mood(Mood::Draining);
    }

    /// Takes a drain back.
    pub fn undrain(&self) {
        self.shared.set_mood(Mood::Serving);
    }

    /// Asks the Corral clients of these devices, named as in their tickets, to log in again and to move to the server that
    /// they are sent to; takes it back of all others. Who is asked is served on, however long it takes.
    pub fn ask_to_move(&self, devices: impl IntoIterator<Item = [u8; 16]>) {
        self.shared.replace_movers(devices.into_iter().collect());
    }

    /// Whether a drain is on, or the server stops.
    pub fn is_draining(&self) -> bool {
        self.shared.mood() != Mood::Serving
    }

    /// Who streams what at this moment, oldest first.
    pub fn sessions(&self) -> Vec<SessionView> {
        self.shared.sessions.views()
    }

    /// What was counted since the start.
    pub fn counters(&self) -> Counters {
        let mut counters = Counters::default();
        for tally in &self.shared.tallies {
            counters.add(tally);
        }
        counters.sessions = u64::try_from(self.shared.sessions.len()).unwrap_or(u64::MAX);
        counters.most_handshakes = self.shared.admission.most();
        counters
    }

    /// Stops: what is being answered is finished, what still comes is told to go elsewhere, and after
    /// [`Limits::stop_for`](crate::Limits::stop_for) everything is closed. Returns when that is done.
    pub fn stop(&self) {
        self.shared.set_mood(Mood::Stopping);
        let reactors =
            std::mem::take(&mut *self.reactors.lock().unwrap_or_else(PoisonError::into_inner));
        for reactor in &reactors {
            reactor.stop();
        }
        self.shared.sessions.for_each(crate::session::Session::wake);
        if let Some(service) = self.lock_chunk_service().take() {
            service.stop();
        }
        for reactor in reactors {
            reactor.join();
        }
    }
}

impl Drop for StreamServer {
    fn drop(&mut self) {
        self.stop();
    }
}
