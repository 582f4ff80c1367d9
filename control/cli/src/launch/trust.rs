//! Whom a client believes when a gateway says who it is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::fault::Fault;

/// Where Debian keeps the authorities that the machine trusts.
pub const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Whom to believe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The machine's authorities.
    System,
    /// The authorities in this PEM file, and no others.
    File(PathBuf),
    /// Anybody. Whoever is in between reads and changes everything, the ticket first.
    Nobody,
}

impl Trust {
    /// TLS as a client: 1.2 and 1.3, no ALPN, no client certificate.
    ///
    /// # Errors
    /// [`Fault::Trust`] if the file holds no certificate, [`Fault::Setup`] if TLS cannot be set up.
    pub fn client_config(&self) -> Result<Arc<ClientConfig>, Fault> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(Fault::Setup)?;
        let config = match self {
            Self::System => builder.with_root_certificates(authorities(Path::new(SYSTEM_AUTHORITIES))?),
            Self::File(path) => builder.with_root_certificates(authorities(path)?),
            Self::Nobody => builder.dangerous().with_custom_certificate_verifier(Arc::new(AcceptAnybody { provider })),
        };
        Ok(Arc::new(config.with_no_client_auth()))
    }
}

fn authorities(path: &Path) -> Result<RootCertStore, Fault> {
    let unusable = |source| Fault::Trust { path: path.to_owned(), source };
    let certificates: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(|error| unusable(Some(error)));
    let mut store = RootCertStore::empty();
    let (added, _ignored) = store.add_parsable_certificates(certificates?);
    if added == 0 { Err(unusable(None)) } else { Ok(store) }
}

/// Checks that the other side holds the key of the certificate it shows, and nothing about the certificate.
#[derive(Debug)]
struct AcceptAnybody {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AcceptAnybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
