//! The chunk service on a thread of its own, so that replication and streaming share no reactor.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use chunk_backend::Store;
use tokio::runtime::Builder;
use tokio::sync::watch;

use crate::chunk_http::{ChunkHttp, ChunkHttpCounters, ChunkHttpCounts, Gatekeeper, Scope};
use crate::clock;
use crate::listener;
use crate::ticket::{Purpose, TicketKey};
use crate::tls::Shown;

/// Threads that read packs for peers. Few: a replica may wait, a device may not.
const READING_THREADS: usize = 4;
/// How long they are waited for at the end.
const READERS_END_WITHIN: Duration = Duration::from_millis(200);

/// A socket that peers can connect to, and what answers them once there is a store.
pub(crate) enum ChunkService {
    Bound(TcpListener, Option<Arc<Shown>>),
    Running {
        address: SocketAddr,
        counters: Arc<ChunkHttpCounters>,
        stop: watch::Sender<bool>,
        thread: JoinHandle<()>,
    },
}

struct TicketGate(TicketKey);

impl Gatekeeper for TicketGate {
    fn admits(&self, ticket: &str) -> Option<Scope> {
        let ticket = self.0.read(ticket, clock::unix_seconds()).ok()?;
        match ticket.purpose {
            Purpose::Replicate => Some(Scope::Everything),
            Purpose::Fetch => Some(Scope::Version(ticket.root)),
            Purpose::Stream | Purpose::Write | Purpose::Try => None,
        }
    }
}

impl ChunkService {
    /// Takes the address. With a certificate to show, or one that is to come, it speaks TLS only.
    pub(crate) fn bind(address: SocketAddr, shown: Option<Arc<Shown>>) -> io::Result<Self> {
        Ok(Self::Bound(listener::bind_tcp(address)?, shown))
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Bound(listener, _) => listener.local_addr(),
            Self::Running { address, .. } => Ok(*address),
        }
    }

    pub(crate) fn counters(&self) -> ChunkHttpCounts {
        match self {
            Self::Bound(..) => ChunkHttpCounts::default(),
            Self::Running { counters, .. } => counters.read(),
        }
    }

    /// Answers peers that bring a ticket for replication or for fetching out of `store`. A service that runs already goes on as it is.
    pub(crate) fn serve(self, store: Store, key: TicketKey) -> io::Result<Self> {
        let Self::Bound(listener, shown) = self else {
            return Ok(self);
        };
        let address = listener.local_addr()?;
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(READING_THREADS)
            .build()?;
        let service = ChunkHttp::new(Arc::new(store), Arc::new(TicketGate(key)));
        let service = Arc::new(match shown {
            Some(shown) => service.under_tls(shown),
            None => service,
        });
        let counters = service.counters();
        let listener = {
            let _entered = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let (stop, stopped) = watch::channel(false);
        let thread = thread::Builder::new()
            .name("chunk-http".to_owned())
            .spawn(move || {
                runtime.block_on(service.serve(listener, stopped));
                runtime.shutdown_timeout(READERS_END_WITHIN);
            })?;
        Ok(Self::Running {
            address,
            counters,
            stop,
            thread,
        })
    }

    pub(crate) fn stop(self) {
        if let Self::Running { stop, thread, .. } = self {
            let _ = stop.send(true);
            let _ = thread.join();
        }
    }
}
