//! The stream server.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use pyo3::prelude::*;
use stream_server::{
    Access, Address, Export, LATENCY_BUCKETS_MICROSECONDS, Limits, Listener, SessionView, Settings,
};

use crate::error::Failure;
use crate::overlay::Overlay;
use crate::served::ServedVersion;
use crate::store::Store;

/// Serves NBD to devices and chunks to other servers and to computers, on threads of its own.
#[pyclass(frozen, module = "corral_native")]
pub(crate) struct StreamServer {
    inner: stream_server::StreamServer,
}

/// A connection that is being served.
#[pyclass(frozen, get_all, module = "corral_native")]
pub(crate) struct Session {
    id: u64,
    export: String,
    root: String,
    subject: Option<Vec<u8>>,
    address: String,
    connected_at: f64,
    is_corral_client: bool,
    sent_bytes: u64,
    requests: u64,
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "PyO3 gives lists away, it does not lend them"
)]
#[pymethods]
impl StreamServer {
    #[new]
    #[pyo3(signature = (listeners, chunk_http, farm_public_key, *, chunk_tls = false))]
    fn new(
        py: Python<'_>,
        listeners: Vec<(String, String)>,
        chunk_http: Option<&str>,
        farm_public_key: [u8; 32],
        chunk_tls: bool,
    ) -> Result<Self, Failure> {
        let listeners = listeners
            .iter()
            .map(|(address, access)| listener(address, access))
            .collect::<Result<_, _>>()?;
        let settings = Settings {
            listeners,
            chunk_http: chunk_http
                .map(|text| parsed(text, "HOST:PORT"))
                .transpose()?,
            chunk_tls,
            farm_public_key,
            limits: Limits::default(),
            reactors: None,
        };
        let inner = py.detach(|| stream_server::StreamServer::start(settings))?;
        Ok(Self { inner })
    }

    #[getter]
    fn addresses(&self) -> Vec<String> {
        self.inner.addresses().iter().map(shown).collect()
    }

    #[getter]
    fn is_draining(&self) -> bool {
        self.inner.is_draining()
    }

    /// Offer these and no others: versions to whoever may read them, and disks each to its device.
    #[pyo3(signature = (exports, disks = Vec::new()))]
    fn apply(
        &self,
        py: Python<'_>,
        exports: Vec<(String, PyRef<'_, ServedVersion>)>,
        disks: Vec<(String, PyRef<'_, Overlay>, [u8; 16])>,
    ) {
        let versions = exports
            .into_iter()
            .map(|(name, version)| Export::version(name, version.inner.clone()));
        let disks = disks
            .into_iter()
            .map(|(name, disk, subject)| Export::disk(name, disk.inner.clone(), subject));
        let exports: Vec<Export> = versions.chain(disks).collect();
        py.detach(|| self.inner.apply(exports));
    }

    /// Give this store's chunks to other servers.
    fn serve_store(&self, py: Python<'_>, store: &Store) -> Result<(), Failure> {
        let store = store.inner.clone();
        py.detach(|| self.inner.serve_store(store))
            .map_err(Failure::from)
    }

    /// Show this certificate from now on; it and its private key in PEM.
    fn show_certificate(&self, certificate: &str, private_key: &str) -> Result<(), Failure> {
        Ok(self.inner.show_certificate(certificate, private_key)?)
    }

    #[getter]
    fn chunk_address(&self) -> Option<String> {
        self.inner
            .chunk_address()
            .map(|address| address.to_string())
    }

    fn drain(&self, py: Python<'_>) {
        py.detach(|| self.inner.drain());
    }

    fn undrain(&self, py: Python<'_>) {
        py.detach(|| self.inner.undrain());
    }

    /// Ask these devices' clients to move, and no others.
    fn ask_to_move(&self, py: Python<'_>, devices: Vec<[u8; 16]>) {
        py.detach(|| self.inner.ask_to_move(devices));
    }

    fn sessions(&self, py: Python<'_>) -> Vec<Session> {
        py.detach(|| self.inner.sessions())
            .into_iter()
            .map(Session::from)
            .collect()
    }

    fn counters(&self, py: Python<'_>) -> HashMap<&'static str, u64> {
        let (streams, chunks) = py.detach(|| (self.inner.counters(), self.inner.chunk_counters()));
        let chunks = [
            ("chunk_requests", chunks.requests),
            ("chunk_refused", chunks.refused),
            ("chunk_sent_entries", chunks.sent_entries),
            ("chunk_missing_entries", chunks.missing_entries),
            ("chunk_sent_bytes", chunks.sent_bytes),
        ];
        streams.named().into_iter().chain(chunks).collect()
    }

    /// Pairs of an upper bound in seconds and the requests that took no longer, but longer than the bound before.
    #[expect(clippy::cast_precision_loss, reason = "the bounds are small")]
    fn latency(&self, py: Python<'_>) -> Vec<(f64, u64)> {
        let counts = py.detach(|| self.inner.counters()).latency;
        let bounds = LATENCY_BUCKETS_MICROSECONDS
            .iter()
            .map(|bound| *bound as f64 / 1e6);
        bounds.chain([f64::INFINITY]).zip(counts).collect()
    }

    fn stop(&self, py: Python<'_>) {
        py.detach(|| self.inner.stop());
    }
}

impl From<SessionView> for Session {
    fn from(view: SessionView) -> Self {
        Self {
            id: view.id,
            export: view.export,
            root: view.root.to_string(),
            subject: view.subject.map(Vec::from),
            address: view.address,
            connected_at: view
                .connected_at
                .duration_since(UNIX_EPOCH)
                .map_or(0.0, |since| since.as_secs_f64()),
            is_corral_client: view.is_corral_client,
            sent_bytes: view.bytes,
            requests: view.requests,
        }
    }
}

fn listener(address: &str, access: &str) -> Result<Listener, Failure> {
    let (access, requires_tls) = match access {
        "open" => (Access::Open, false),
        "ticket" => (Access::Ticket, false),
        "ticket-tls" => (Access::Ticket, true),
        _ => {
            return Err(Failure::Argument {
                what: "access",
                rule: "'open', 'ticket' or 'ticket-tls'",
                text: access.to_owned(),
            });
        }
    };
    let address = match address.strip_prefix("unix:") {
        Some(path) => Address::Unix(PathBuf::from(path)),
        None => Address::Tcp(parsed(address, "HOST:PORT or unix:PATH")?),
    };
    Ok(Listener {
        address,
        access,
        requires_tls,
    })
}

fn parsed(text: &str, rule: &'static str) -> Result<std::net::SocketAddr, Failure> {
    text.parse().map_err(|_| Failure::Argument {
        what: "address",
        rule,
        text: text.to_owned(),
    })
}

pub(crate) fn shown(address: &Address) -> String {
    match address {
        Address::Tcp(address) => address.to_string(),
        Address::Unix(path) => format!("unix:{}", path.display()),
    }
}
