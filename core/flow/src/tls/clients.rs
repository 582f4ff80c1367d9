//! Certificates of clients: asked for in the handshake, their keys proven there, their chains handed on.
//!
//! ```text
//!   everybody is asked:  Optional ─► whatever has its key is taken    Mandatory ─► judged at once; none or no good: an alert, the end
//!   a device's program:  offers our ALPN ─► asked, taken
//!                                             └─► Facts::certificates ─► behind the PROXY header ─► control judges
//! ```
//!
//! Whoever is asked is not resumed, and gets no ticket: each connection proves its key anew.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme};
use sluice_link::snapshot::{Asked, Authority, Clients};
use sluice_proto::certificates::{self, NotCertificates};
use sluice_trust::{Judge, Refusal};

/// Asks for a certificate.
#[derive(Debug)]
pub(super) struct Asking {
    judge: Judge,
    /// Nobody comes in without a good one.
    mandatory: bool,
    provider: Arc<CryptoProvider>,
}

impl Asking {
    /// For everybody; `None` if nobody is asked.
    pub(super) fn everybody(clients: &Clients, provider: &Arc<CryptoProvider>) -> Result<Option<Arc<Self>>, String> {
        match clients.asked {
            Asked::Nobody => Ok(None),
            Asked::Optional => Self::new(&clients.authorities, clients, false, provider).map(Some),
            Asked::Mandatory => Self::new(&clients.authorities, clients, true, provider).map(Some),
        }
    }

    /// For programs that have come to show their machine's; `None` if none is taken here.
    pub(super) fn devices(clients: &Clients, provider: &Arc<CryptoProvider>) -> Result<Option<Arc<Self>>, String> {
        if clients.devices.is_empty() {
            return Ok(None);
        }
        Self::new(&clients.devices, clients, false, provider).map(Some)
    }

    fn new(
        authorities: &[Authority],
        clients: &Clients,
        mandatory: bool,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Arc<Self>, String> {
        let judge = Judge::build(authorities, &clients.revoked).map_err(|unusable| unusable.to_string())?;
        Ok(Arc::new(Self { judge, mandatory, provider: Arc::clone(provider) }))
    }
}

impl ClientCertVerifier for Asking {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.judge.names()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn verify_client_cert(
        &self,
        own: &CertificateDer<'_>,
        issuers: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let all: Vec<_> = std::iter::once(own).chain(issuers).cloned().collect();
        // What cannot be handed on is as good as none.
        list(&all).map_err(|too_many| CertificateError::Other(OtherError(Arc::new(too_many))))?;
        if self.mandatory {
            self.judge.judge(&all, now).map_err(said)?;
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, own, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, own, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Certificates as they are handed on.
pub(super) fn list(all: &[CertificateDer<'_>]) -> Result<Box<[u8]>, NotCertificates> {
    certificates::write(all.iter().map(|one| &**one))
}

/// What a client hears of a refusal, as an alert (RFC 8446, section 6.2).
fn said(refusal: Refusal) -> CertificateError {
    match refusal {
        Refusal::Expired | Refusal::NotYet => CertificateError::Expired,
        Refusal::UnknownAuthority => CertificateError::UnknownIssuer,
        Refusal::Revoked => CertificateError::Revoked,
        Refusal::NoList | Refusal::OldList | Refusal::NotAsked => CertificateError::UnknownRevocationStatus,
        Refusal::Purpose => CertificateError::InvalidPurpose,
        Refusal::Broken => CertificateError::BadEncoding,
    }
}
