//! TLS for those who connect: the certificate that the server shows, and one connection's end of it.

use std::cell::RefCell;
use std::io::{self, Read as _, Write as _};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::TLS13;
use rustls::{ServerConfig, ServerConnection};

/// Ciphertext that may wait for a socket that is full. A long reply is taken in pieces of no more than this.
const WAITING_BYTES: usize = 128 * 1024;

/// Why a certificate cannot be shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// The text holds none.
    #[error("there is no certificate in it")]
    Empty,
    /// A certificate or the key is no PEM.
    #[error("it is not PEM: {0}")]
    Pem(#[from] rustls::pki_types::pem::Error),
    /// The certificate and the key do not belong together, or are of a kind that cannot be used.
    #[error("certificate and key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// What the server shows; replaced while it runs. Connections go on with what they began with.
#[derive(Debug, Default)]
pub(crate) struct Shown(RwLock<Option<Arc<ServerConfig>>>);

impl Shown {
    pub(crate) fn now(&self) -> Option<Arc<ServerConfig>> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Shows this from now on; both in PEM.
    pub(crate) fn replace(
        &self,
        certificate: &str,
        private_key: &str,
    ) -> Result<(), CertificateError> {
        let chain: Vec<_> =
            CertificateDer::pem_slice_iter(certificate.as_bytes()).collect::<Result<_, _>>()?;
        if chain.is_empty() {
            return Err(CertificateError::Empty);
        }
        let key = PrivateKeyDer::from_pem_slice(private_key.as_bytes())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        // Nobody comes back often enough, and a session that is resumed is not asked for its dates again.
        config.send_tls13_tickets = 0;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(config));
        Ok(())
    }
}

/// One connection's TLS. Bytes of the wire go through `wire`, which does not wait.
#[derive(Debug)]
pub(crate) struct Session(RefCell<ServerConnection>);

impl Session {
    /// Begins a handshake, of which `received` is what has come already.
    pub(crate) fn begin(config: Arc<ServerConfig>, mut received: &[u8]) -> io::Result<Self> {
        let mut connection = ServerConnection::new(config).map_err(io::Error::other)?;
        connection.set_buffer_limit(Some(WAITING_BYTES));
        while !received.is_empty() {
            connection.read_tls(&mut received)?;
            connection
                .process_new_packets()
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        }
        Ok(Self(RefCell::new(connection)))
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        self.0.borrow().is_handshaking()
    }

    /// Takes what is on the wire; `false` at its end.
    pub(crate) fn take_in(&self, wire: &mut dyn io::Read) -> io::Result<bool> {
        let mut connection = self.0.borrow_mut();
        let count = connection.read_tls(wire)?;
        let processed = connection.process_new_packets();
        processed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Ok(count > 0)
    }

    /// Plain bytes; zero at the end of the stream, `WouldBlock` if the wire must bring more first.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.borrow_mut().reader().read(buffer)
    }

    /// Takes plain bytes to be sent, as many as there is room for; `WouldBlock` if there is none.
    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.0.borrow_mut().writer().write(bytes)?;
        if taken == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(taken)
    }

    /// Puts on the wire what waits; `WouldBlock` if it does not take everything.
    pub(crate) fn put_out(&self, wire: &mut dyn io::Write) -> io::Result<()> {
        let mut connection = self.0.borrow_mut();
        while connection.wants_write() {
            connection.write_tls(wire)?;
        }
        Ok(())
    }
}
