//! Whether a client's certificate is good: one judge, asked in a handshake by a worker and behind it by control.
//!
//! ```text
//!   authorities, lists of what was revoked ─► Judge ◄─ certificates, time
//!                                               │
//!                     each says yes or no ──────┴─► one yes, and no veto ─► good
//! ```
//!
//! Authorities with the same word about revocation have a say of their own. A no that is about revocation is a veto: who was revoked by
//! the authority that issued its certificate does not come in by a longer way, through one that nobody asks about that. Each knows the
//! certificates of all of them, so that no client shortens the way by keeping one back.
//!
//! That whoever shows a certificate has its key is not looked at here; a handshake proves that.
#![forbid(unsafe_code)]

use std::fmt;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs::default_provider};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{CertificateError, DistinguishedName, Error, RootCertStore};
use sluice_link::snapshot::{Authority, Revocation};
use thiserror::Error as Fault;
use webpki::BorrowedCertRevocationList;

/// Most authorities of one judge.
pub const AUTHORITIES_MAX: usize = 32;
/// Most bytes of names that clients are told. If there are more, they are told none, which means all.
pub const NAMES_BYTES_MAX: usize = 16 * 1024;

/// Why a certificate is not good. The client's fault, or of whoever gave it to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Fault)]
pub enum Refusal {
    /// It is valid no more.
    #[error("it has expired")]
    Expired,
    /// It is not valid yet.
    #[error("it is not yet valid")]
    NotYet,
    /// It leads to no authority that is trusted.
    #[error("no authority that is trusted has issued it")]
    UnknownAuthority,
    /// It was revoked.
    #[error("it was revoked")]
    Revoked,
    /// There is no list in which it would stand if it was revoked, or that list is not its authority's.
    #[error("nobody knows whether it was revoked: there is no list of its authority")]
    NoList,
    /// The list in which it would stand is out of date.
    #[error("nobody knows whether it was revoked: the list of its authority is out of date")]
    OldList,
    /// The server that would have to be asked is not.
    #[error("nobody knows whether it was revoked: the server of its authority is not asked")]
    NotAsked,
    /// It is for something else than to prove who a client is.
    #[error("it is not for clients")]
    Purpose,
    /// It is broken, or uses what is not supported.
    #[error("it is broken, or of a kind that is not supported")]
    Broken,
}

impl Refusal {
    /// Nobody's yes counts against it.
    const fn is_veto(self) -> bool {
        match self {
            Self::Revoked | Self::NoList | Self::OldList | Self::NotAsked => true,
            Self::Expired | Self::NotYet | Self::UnknownAuthority | Self::Purpose | Self::Broken => false,
        }
    }

    /// How much it says about the certificate: an authority that does not know it says least.
    const fn weight(self) -> u8 {
        match self {
            Self::UnknownAuthority => 0,
            Self::Broken => 1,
            Self::Purpose | Self::NotYet | Self::Expired => 2,
            Self::NoList | Self::OldList | Self::NotAsked => 3,
            Self::Revoked => 4,
        }
    }

    fn of(error: &Error) -> Self {
        #[expect(clippy::wildcard_enum_match_arm, reason = "errors of another crate, which may get more")]
        match error {
            Error::InvalidCertificate(why) => match why {
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::NotYet,
                CertificateError::UnknownIssuer => Self::UnknownAuthority,
                CertificateError::Revoked => Self::Revoked,
                CertificateError::UnknownRevocationStatus => Self::NoList,
                CertificateError::ExpiredRevocationList | CertificateError::ExpiredRevocationListContext { .. } => Self::OldList,
                CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => Self::Purpose,
                _ => Self::Broken,
            },
            Error::InvalidCertRevocationList(_) => Self::NoList,
            _ => Self::Broken,
        }
    }
}

/// What cannot be used. The operator's fault.
#[derive(Clone, Debug, PartialEq, Eq, Fault)]
pub enum Unusable {
    /// An authority's certificate.
    #[error("the certificate of authority {0} cannot be used")]
    Authority(String),
    /// More authorities than are asked.
    #[error("there are more than {AUTHORITIES_MAX} authorities")]
    Authorities,
    /// A list of what was revoked.
    #[error("a list of revoked certificates cannot be read")]
    List,
}

/// See the module.
pub struct Judge {
    voices: Vec<Voice>,
    /// Their certificates.
    authorities: Vec<CertificateDer<'static>>,
    names: Vec<DistinguishedName>,
}

impl Judge {
    /// One that trusts these. With none it trusts nobody.
    ///
    /// # Errors
    /// [`Unusable`].
    pub fn build(authorities: &[Authority], revoked: &[Arc<[u8]>]) -> Result<Self, Unusable> {
        if authorities.len() > AUTHORITIES_MAX {
            return Err(Unusable::Authorities);
        }
        let lists = revoked.iter().map(|list| read_list(list)).collect::<Result<Vec<_>, _>>()?.concat();
        let provider = Arc::new(default_provider());
        let (mut voices, mut known, mut names) = (Vec::new(), Vec::new(), Vec::new());
        for revocation in [Revocation::Ignored, Revocation::Optional, Revocation::Mandatory, Revocation::Unanswered] {
            let mut roots = RootCertStore::empty();
            for authority in authorities.iter().filter(|authority| authority.revocation == revocation) {
                let (own, certificates) = roots_of(authority).ok_or_else(|| Unusable::Authority(authority.name.clone()))?;
                // None of its certificates would be good.
                if authority.named && revocation != Revocation::Unanswered {
                    names.extend(own.subjects());
                }
                roots.extend(own.roots);
                known.extend(certificates);
            }
            if !roots.is_empty() {
                voices.push(Voice::of(roots, revocation, &lists, &provider).ok_or(Unusable::List)?);
            }
        }
        // Each has two bytes of length before it.
        if names.iter().map(|name| 2 + name.as_ref().len()).sum::<usize>() > NAMES_BYTES_MAX {
            names.clear();
        }
        Ok(Self { voices, authorities: known, names })
    }

    /// Whether `certificates`, the client's own first, are good.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn judge(&self, certificates: &[CertificateDer<'_>], now: UnixTime) -> Result<(), Refusal> {
        let (own, issuers) = certificates.split_first().ok_or(Refusal::Broken)?;
        let authorities = self.authorities.iter().map(|known| CertificateDer::from(&**known));
        let issuers: Vec<CertificateDer<'_>> =
            issuers.iter().map(|shown| CertificateDer::from(&**shown)).chain(authorities).collect();
        let (mut good, mut worst) = (false, Refusal::UnknownAuthority);
        for voice in &self.voices {
            match voice.judge(own, &issuers, now) {
                Ok(()) => good = true,
                Err(refusal) if refusal.weight() > worst.weight() => worst = refusal,
                Err(_) => {}
            }
        }
        if good && !worst.is_veto() { Ok(()) } else { Err(worst) }
    }

    /// What clients are told of whose certificates are wanted. Empty: of anybody's.
    #[must_use]
    pub fn names(&self) -> &[DistinguishedName] {
        &self.names
    }
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Judge").field("names", &self.names.len()).finish_non_exhaustive()
    }
}

/// Authorities with the same word about revocation.
struct Voice {
    verifier: Arc<dyn ClientCertVerifier>,
    /// They want to know about revocation, and this is why nobody can say anything.
    speechless: Option<Refusal>,
}

impl Voice {
    fn of(
        roots: RootCertStore,
        revocation: Revocation,
        lists: &[CertificateRevocationListDer<'static>],
        provider: &Arc<CryptoProvider>,
    ) -> Option<Self> {
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
        let builder = match revocation {
            Revocation::Ignored | Revocation::Unanswered => builder,
            Revocation::Optional => builder.with_crls(lists.iter().cloned()).allow_unknown_revocation_status(),
            Revocation::Mandatory => builder.with_crls(lists.iter().cloned()).enforce_revocation_expiration(),
        };
        let speechless = match revocation {
            // Without any list the verifier would not look.
            Revocation::Mandatory if lists.is_empty() => Some(Refusal::NoList),
            Revocation::Unanswered => Some(Refusal::NotAsked),
            Revocation::Ignored | Revocation::Optional | Revocation::Mandatory => None,
        };
        Some(Self { verifier: builder.build().ok()?, speechless })
    }

    fn judge(&self, own: &CertificateDer<'_>, issuers: &[CertificateDer<'_>], now: UnixTime) -> Result<(), Refusal> {
        self.verifier.verify_client_cert(own, issuers, now).map_err(|error| Refusal::of(&error))?;
        self.speechless.map_or(Ok(()), Err)
    }
}

/// What is trusted for an authority, and its certificates.
fn roots_of(authority: &Authority) -> Option<(RootCertStore, Vec<CertificateDer<'static>>)> {
    let certificates = CertificateDer::pem_slice_iter(&authority.pem).collect::<Result<Vec<_>, _>>().ok()?;
    let mut roots = RootCertStore::empty();
    for root in &certificates {
        roots.add(root.clone()).ok()?;
    }
    (!roots.is_empty()).then_some((roots, certificates))
}

/// Whether a list of what was revoked can be used, in PEM or DER.
///
/// # Errors
/// [`Unusable::List`].
pub fn check_list(list: &[u8]) -> Result<(), Unusable> {
    read_list(list).map(drop)
}

fn read_list(list: &[u8]) -> Result<Vec<CertificateRevocationListDer<'static>>, Unusable> {
    const SEQUENCE: u8 = 0x30;
    let lists = if list.first() == Some(&SEQUENCE) {
        vec![CertificateRevocationListDer::from(list.to_vec())]
    } else {
        CertificateRevocationListDer::pem_slice_iter(list).collect::<Result<Vec<_>, _>>().map_err(|_| Unusable::List)?
    };
    let readable = lists.iter().all(|list| BorrowedCertRevocationList::from_der(list).is_ok());
    if lists.is_empty() || !readable { Err(Unusable::List) } else { Ok(lists) }
}

#[cfg(test)]
mod tests;
