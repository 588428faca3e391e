//! A connection to a peer whose URL says https: under TLS, believed by the farm's root certificate and nothing else.

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use trust::{Trust, TrustError, distrust};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
    TransportAdapter,
};

use super::READ_TIMEOUT;

/// Why there is nobody to believe.
#[derive(Debug, thiserror::Error)]
enum NoTrust {
    #[error("no root certificate is known that it could be believed by: give that of the farm")]
    Unknown,
    #[error("the root certificate that it could be believed by: {0}")]
    Unusable(#[from] TrustError),
}

/// Puts what goes to https URLs under TLS, or nowhere: it is never tried in the clear.
#[derive(Debug)]
pub(super) struct Securing(Result<Trust, NoTrust>);

impl Securing {
    /// Believes in the root certificate `authority`, in PEM; in nobody if it is empty.
    pub(super) fn by(authority: &str) -> Self {
        Self(if authority.is_empty() {
            Err(NoTrust::Unknown)
        } else {
            Trust::in_roots(authority).map_err(NoTrust::from)
        })
    }

    fn config(&self) -> io::Result<Arc<ClientConfig>> {
        match &self.0 {
            Ok(trust) => Ok(trust.config()),
            Err(reason) => Err(io::Error::other(reason.to_string())),
        }
    }
}

impl<In: Transport> Connector<In> for Securing {
    type Out = Either<In, Secured<In>>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        plain: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        let Some(plain) = plain else {
            return Ok(None);
        };
        if !details.needs_tls() {
            return Ok(Some(Either::A(plain)));
        }
        let host = details.uri.host().unwrap_or_default();
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned());
        let session = ClientConnection::new(self.config()?, name.map_err(io::Error::other)?);
        let mut session = session.map_err(io::Error::other)?;
        let mut wire = TransportAdapter::new(plain, Arc::clone(&details.current_time));
        // Longer than a connection takes: the peer may have much to do, and has to do something for this.
        wire.set_timeout(NextTimeout {
            after: READ_TIMEOUT.into(),
            ..details.timeout
        });
        session.complete_io(&mut wire).map_err(explained)?;
        let buffers = LazyBuffers::new(
            details.config.input_buffer_size(),
            details.config.output_buffer_size(),
        );
        Ok(Some(Either::B(Secured {
            buffers,
            stream: StreamOwned::new(session, wire),
        })))
    }
}

/// Why there was no handshake, and the way out.
fn explained(error: io::Error) -> io::Error {
    let hung_up = matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
    );
    if hung_up {
        return io::Error::other(
            "it hung up instead of beginning TLS: it has no certificate yet, or is overrun; it is asked again",
        );
    }
    distrust(&error).map_or(error, io::Error::other)
}

/// A connection under TLS.
pub(super) struct Secured<In: Transport> {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter<In>>,
}

impl<In: Transport> fmt::Debug for Secured<In> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Secured").finish_non_exhaustive()
    }
}

impl<In: Transport> Transport for Secured<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.stream.sock.set_timeout(timeout);
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        self.stream.write_all(output)?;
        self.stream.flush()?;
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.stream.sock.set_timeout(timeout);
        let amount = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.sock.get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}
