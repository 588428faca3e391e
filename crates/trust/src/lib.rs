//! Whom a device, a computer or a server believes: who shows a certificate of the farm's, and nobody else. No I/O here.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::TLS13;
use rustls::{CertificateError, ClientConfig, RootCertStore};

/// Why there is nobody to believe.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// The text holds none.
    #[error("there is no certificate in it: it must be the farm's root in PEM, its ca.pem")]
    Empty,
    /// One is damaged, or of a kind that cannot be used.
    #[error("a certificate in it cannot be used: {0}")]
    Certificate(String),
}

/// The farm's root certificate, ready for use.
#[derive(Clone, Debug)]
pub struct Trust(Arc<ClientConfig>);

impl PartialEq for Trust {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Trust {}

impl Trust {
    /// Believes in the certificates of `pem`, and in no others.
    ///
    /// # Errors
    /// There is none in it, or one that cannot be used.
    pub fn in_roots(pem: &str) -> Result<Self, TrustError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            certificate
                .map_err(|error| TrustError::Certificate(error.to_string()))
                .and_then(|certificate| {
                    roots
                        .add(certificate)
                        .map_err(|error| TrustError::Certificate(error.to_string()))
                })?;
        }
        if roots.is_empty() {
            return Err(TrustError::Empty);
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .map_err(|error| TrustError::Certificate(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        // A session that is resumed is not asked for its dates again.
        config.resumption = rustls::client::Resumption::disabled();
        Ok(Self(Arc::new(config)))
    }

    /// For a connection: TLS 1.3 only, and no session is resumed.
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.0)
    }
}

/// Certificates name addresses: there is no DNS here.
pub fn name_of(address: IpAddr) -> ServerName<'static> {
    ServerName::IpAddress(address.into())
}

/// Why the other side was not believed, and the way out; `None` if that was not the matter.
pub fn distrust(error: &io::Error) -> Option<String> {
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    let rustls::Error::InvalidCertificate(error) = error else {
        return Some(format!("TLS failed: {error}; is it plain, or a proxy?"));
    };
    let reason = match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired: restart that process, which renews it, or look at both clocks"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet: look at both clocks"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for other addresses: use one that it names, or start the API with --name and this one"
        }
        _ => {
            "its certificate is not of this farm: look who answers there; if it is the farm, give this machine its present ca.pem"
        }
    };
    Some(reason.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn believes_in_nothing_but_certificates() {
        assert!(matches!(Trust::in_roots("no PEM"), Err(TrustError::Empty)));
        let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(
            Trust::in_roots(damaged),
            Err(TrustError::Certificate(_))
        ));
    }
}
