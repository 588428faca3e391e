//! Chunks for other servers, and for computers, over HTTP; under TLS where others could listen in.
//!
//! `GET /v1/roots/<root hash>` answers a version's root record; `POST /v1/chunks` takes up to [`MAXIMUM_BATCH_NAMES`] chunk names, 32
//! bytes each, and answers an entry for each in their order (`docs/formats/store.md`), missing ones marked. Nothing else is
//! there.
//!
//! Who may fetch one version gets the root record of that one alone. Chunks are not told apart by versions: they are named by
//! their content, and names are learned from the pages below a root record, so that only who could read those can ask.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use chunk_backend::{IoFailure, MAXIMUM_BATCH_NAMES, Store};
use chunk_store::{ChunkName, Entry, HASH_BYTES, RootHash, encode_missing};
use http_body_util::channel::{Channel, Sender};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Frame, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::tls::Shown;

/// Entries read from disk before the first of them is sent: a quarter of a second of a thin line, and little memory.
const GROUP: usize = 32;
/// Peers that may be connected at once; more wait in the listener's queue.
const MAXIMUM_CONNECTIONS: usize = 64;
/// A peer that takes no bytes for this long is given up.
const STALLED_AFTER: Duration = Duration::from_secs(30);
/// A peer that does not finish its handshake, or its request's head, in this time is given up.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

type Body = BoxBody<Bytes, io::Error>;

/// What there is to give. Both give only what is sound.
pub trait Shelf: Send + Sync {
    /// The chunk or page of that name as packs keep it, if it is here.
    ///
    /// # Errors
    /// The operating system refused something.
    fn entry(&self, name: ChunkName) -> Result<Option<Entry>, IoFailure>;

    /// The root record of that version, if it is here.
    ///
    /// # Errors
    /// The operating system refused something.
    fn root_record(&self, root: RootHash) -> Result<Option<Vec<u8>>, IoFailure>;
}

impl Shelf for Store {
    fn entry(&self, name: ChunkName) -> Result<Option<Entry>, IoFailure> {
        Self::entry(self, name)
    }

    fn root_record(&self, root: RootHash) -> Result<Option<Vec<u8>>, IoFailure> {
        Self::root_record(self, root)
    }
}

/// Which root records a ticket opens; each opens chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All, as for another server of the farm.
    Everything,
    /// That of one version.
    Version(RootHash),
}

impl Scope {
    fn has(self, root: RootHash) -> bool {
        match self {
            Self::Everything => true,
            Self::Version(own) => own == root,
        }
    }
}

/// Says what a ticket entitles its bearer to.
pub trait Gatekeeper: Send + Sync {
    /// What `ticket` opens; `None` unless it is one for replication or fetching, sound and not expired.
    fn admits(&self, ticket: &str) -> Option<Scope>;
}

/// What the chunk service has done since it started.
#[derive(Debug, Default)]
pub struct ChunkHttpCounters {
    requests: AtomicU64,
    refused: AtomicU64,
    sent_entries: AtomicU64,
    missing_entries: AtomicU64,
    sent_bytes: AtomicU64,
}

/// [`ChunkHttpCounters`] at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChunkHttpCounts {
    /// Requests taken, whatever their answer.
    pub requests: u64,
    /// Requests without a sound ticket.
    pub refused: u64,
    /// Entries sent.
    pub sent_entries: u64,
    /// Entries that were asked for and are not here.
    pub missing_entries: u64,
    /// Bytes of entries and root records sent.
    pub sent_bytes: u64,
}

impl ChunkHttpCounters {
    /// The counts now.
    pub fn read(&self) -> ChunkHttpCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ChunkHttpCounts {
            requests: read(&self.requests),
            refused: read(&self.refused),
            sent_entries: read(&self.sent_entries),
            missing_entries: read(&self.missing_entries),
            sent_bytes: read(&self.sent_bytes),
        }
    }
}

/// The service: who may ask, what there is, and what was done.
pub struct ChunkHttp {
    shelf: Arc<dyn Shelf>,
    gatekeeper: Arc<dyn Gatekeeper>,
    counters: Arc<ChunkHttpCounters>,
    /// What is shown to those who connect; in the clear without it.
    shown: Option<Arc<Shown>>,
}

impl ChunkHttp {
    /// A service that gives `shelf`'s chunks to whom `gatekeeper` admits.
    pub fn new(shelf: Arc<dyn Shelf>, gatekeeper: Arc<dyn Gatekeeper>) -> Self {
        Self {
            shelf,
            gatekeeper,
            counters: Arc::default(),
            shown: None,
        }
    }

    /// The same, under TLS only. Before there is a certificate, nobody is listened to.
    pub(crate) fn under_tls(self, shown: Arc<Shown>) -> Self {
        Self {
            shown: Some(shown),
            ..self
        }
    }

    /// The live counters.
    pub fn counters(&self) -> Arc<ChunkHttpCounters> {
        Arc::clone(&self.counters)
    }

    /// Serve `listener` until `stop` becomes true or its sender is gone; then running answers are cut off (their receivers
    /// ask another server, or again).
    pub async fn serve(self: Arc<Self>, listener: TcpListener, mut stop: watch::Receiver<bool>) {
        let places = Arc::new(Semaphore::new(MAXIMUM_CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            // Out of descriptors, or a peer that left before it was taken: neither ends the service.
            let Ok((socket, _)) = accepted else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let service = Arc::clone(&self);
            connections.spawn(async move {
                service.connection(socket).await;
                drop(place);
            });
        }
    }

    async fn connection(self: Arc<Self>, socket: TcpStream) {
        let _ = socket.set_nodelay(true);
        let Some(shown) = &self.shown else {
            return self.converse(socket).await;
        };
        let Some(config) = shown.now() else {
            return;
        };
        let handshake = TlsAcceptor::from(config).accept(socket);
        if let Ok(Ok(secured)) = timeout(HEAD_TIMEOUT, handshake).await {
            self.converse(secured).await;
        }
    }

    async fn converse(self: Arc<Self>, connection: impl AsyncRead + AsyncWrite + Unpin + 'static) {
        let service = service_fn(move |request| {
            let this = Arc::clone(&self);
            async move { Ok::<_, Infallible>(this.answer(request).await) }
        });
        // A peer that goes away in the middle is the peer's affair; it asks again.
        let _ = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_headers(32)
            .max_buf_size(16 << 10)
            .serve_connection(TokioIo::new(connection), service)
            .await;
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        self.counters.requests.fetch_add(1, Ordering::Relaxed);
        let Some(scope) = self.scope_of(&request) else {
            self.counters.refused.fetch_add(1, Ordering::Relaxed);
            return plain(
                StatusCode::UNAUTHORIZED,
                "a sound ticket for replication or for fetching is needed\n",
            );
        };
        let path = request.uri().path();
        match (request.method(), path) {
            (&Method::POST, "/v1/chunks") => self.chunks(request.into_body()).await,
            (&Method::GET, _) => match path.strip_prefix("/v1/roots/").map(str::parse) {
                Some(Ok(root)) if scope.has(root) => self.root_record(root).await,
                // The same words as for one that is not here: which versions there are is not everybody's to know.
                Some(Ok(_)) => no_such_version(),
                _ => plain(
                    StatusCode::NOT_FOUND,
                    "there is /v1/roots/<root hash> and /v1/chunks\n",
                ),
            },
            _ => plain(
                StatusCode::NOT_FOUND,
                "there is /v1/roots/<root hash> and /v1/chunks\n",
            ),
        }
    }

    fn scope_of(&self, request: &Request<Incoming>) -> Option<Scope> {
        let value = request
            .headers()
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        value
            .and_then(|value| value.strip_prefix("Bearer "))
            .and_then(|ticket| self.gatekeeper.admits(ticket))
    }

    async fn root_record(&self, root: RootHash) -> Response<Body> {
        let from = Arc::clone(&self.shelf);
        match spawn_blocking(move || from.root_record(root)).await {
            Ok(Ok(Some(record))) => {
                self.counters
                    .sent_bytes
                    .fetch_add(record.len() as u64, Ordering::Relaxed);
                octets(
                    Full::new(Bytes::from(record))
                        .map_err(|never| match never {})
                        .boxed(),
                )
            }
            Ok(Ok(None)) => no_such_version(),
            _ => plain(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the store could not be read\n",
            ),
        }
    }

    async fn chunks(&self, body: Incoming) -> Response<Body> {
        let body = timeout(
            STALLED_AFTER,
            Limited::new(body, MAXIMUM_BATCH_NAMES * HASH_BYTES).collect(),
        )
        .await;
        let Ok(Ok(body)) = body else {
            return plain(
                StatusCode::PAYLOAD_TOO_LARGE,
                "at most 1024 names of 32 bytes each\n",
            );
        };
        let body = body.to_bytes();
        let (names, rest) = body.as_chunks::<HASH_BYTES>();
        if names.is_empty() || !rest.is_empty() {
            return plain(
                StatusCode::BAD_REQUEST,
                "a body of names, 32 bytes each, is needed\n",
            );
        }
        let names = names
            .iter()
            .map(|name| ChunkName::from_bytes(*name))
            .collect();
        let (sender, answer) = Channel::<Bytes, io::Error>::new(2);
        tokio::spawn(send_entries(
            Arc::clone(&self.shelf),
            Arc::clone(&self.counters),
            names,
            sender,
        ));
        octets(answer.boxed())
    }
}

/// Read and send group by group, so that memory holds three groups whatever was asked for.
async fn send_entries(
    shelf: Arc<dyn Shelf>,
    counters: Arc<ChunkHttpCounters>,
    names: Vec<ChunkName>,
    mut sender: Sender<Bytes, io::Error>,
) {
    for group in names.chunks(GROUP) {
        let (shelf, group) = (Arc::clone(&shelf), group.to_vec());
        let read = spawn_blocking(move || {
            let mut bytes = Vec::new();
            let mut sent = 0;
            for name in &group {
                if let Some(entry) = shelf.entry(*name)? {
                    sent += 1;
                    entry.encode_into(&mut bytes);
                } else {
                    bytes.extend_from_slice(&encode_missing(*name));
                }
            }
            Ok::<_, IoFailure>((bytes, sent, group.len() as u64 - sent))
        });
        let Ok(Ok((bytes, sent, missing))) = read.await else {
            // Cut off in the middle: the receiver sees a broken answer and asks elsewhere.
            sender.abort(io::Error::other("the store could not be read"));
            return;
        };
        let length = bytes.len() as u64;
        if !matches!(
            timeout(STALLED_AFTER, sender.send(Frame::data(Bytes::from(bytes)))).await,
            Ok(Ok(()))
        ) {
            return;
        }
        counters.sent_entries.fetch_add(sent, Ordering::Relaxed);
        counters
            .missing_entries
            .fetch_add(missing, Ordering::Relaxed);
        counters.sent_bytes.fetch_add(length, Ordering::Relaxed);
    }
}

fn no_such_version() -> Response<Body> {
    plain(
        StatusCode::NOT_FOUND,
        "this server does not hold that version\n",
    )
}

fn octets(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    response
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(
        Full::new(Bytes::from_static(text.as_bytes()))
            .map_err(|never| match never {})
            .boxed(),
    );
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}
