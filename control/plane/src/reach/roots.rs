//! TLS towards inner servers: whom to trust, and the name to insist on.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ConfigBuilder, DigitallySignedStruct, RootCertStore, SignatureScheme, WantsVerifier};
use thiserror::Error;
use tokio_rustls::TlsConnector;

/// Where systems keep their trust anchors; the first that exists counts.
const SYSTEM_FILES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem"];

/// Why TLS towards a server cannot be set up. The operator's fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum BadRoots {
    /// No certificate in the file, or one that cannot be read.
    #[error("holds no usable CA certificate")]
    Unusable,
    /// No file was named and the system has none either.
    #[error("no trust anchors were named and the system has none")]
    NoSystem,
    /// The server's name cannot stand in a certificate.
    #[error("the server's name cannot stand in a certificate")]
    Name,
    /// The crypto library refuses. Ours.
    #[error("the TLS library refuses its settings")]
    Library,
}

/// TLS to one server.
#[derive(Clone)]
pub(crate) struct Tls {
    pub(crate) connector: TlsConnector,
    pub(crate) name: ServerName<'static>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Tls {
    /// To a server that must prove to be `host`, to the anchors in `roots_pem`, or those of the system.
    pub(crate) fn new(host: &str, roots_pem: Option<&[u8]>) -> Result<Self, BadRoots> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| BadRoots::Name)?;
        let roots = match roots_pem {
            Some(pem) => anchors(pem)?,
            None => system()?,
        };
        let config = builder()?.with_root_certificates(roots).with_no_client_auth();
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), name })
    }

    /// To a server of which nothing need be proven: who listens learns nothing, but who stands between is not noticed. For an
    /// operator who said so.
    pub(crate) fn unchecked(host: &str) -> Result<Self, BadRoots> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| BadRoots::Name)?;
        let anyone = Anyone(rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms);
        let builder = builder()?.dangerous().with_custom_certificate_verifier(Arc::new(anyone));
        Ok(Self { connector: TlsConnector::from(Arc::new(builder.with_no_client_auth())), name })
    }
}

fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, BadRoots> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(|_| BadRoots::Library)
}

/// Believes every certificate, but not every signature: who answers at least has the key of the certificate that he shows.
#[derive(Debug)]
struct Anyone(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

/// Every certificate must be readable: an anchor that is silently left out is found out at the worst time.
fn anchors(pem: &[u8]) -> Result<RootCertStore, BadRoots> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate.map_err(|_| BadRoots::Unusable)?).map_err(|_| BadRoots::Unusable)?;
    }
    if roots.is_empty() { Err(BadRoots::Unusable) } else { Ok(roots) }
}

/// Systems ship anchors that this library cannot read; those are skipped.
fn system() -> Result<RootCertStore, BadRoots> {
    let pem = SYSTEM_FILES.iter().find_map(|file| std::fs::read(file).ok()).ok_or(BadRoots::NoSystem)?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok));
    if roots.is_empty() { Err(BadRoots::NoSystem) } else { Ok(roots) }
}
