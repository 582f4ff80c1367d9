//! The side of a virtual server that clients meet: its TLS, and whose certificates it asks for.

use std::net::SocketAddr;
use std::path::PathBuf;

use sluice_link::snapshot::{KeyGroup, Suite};

use super::authentication::AuthnVserver;
use super::{AuthnVserverName, CertKeyName, Model, Vserver, VserverTls};

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Front {
    /// TLS towards clients.
    pub tls: VserverTls,
    /// Cipher suites that are offered; empty: all.
    pub ciphers: Vec<Suite>,
    /// Groups for the key exchange, best first; empty: all.
    pub curves: Vec<KeyGroup>,
    /// Shown to clients that send no name or an unknown one. `None`: not served.
    pub certificate: Option<CertKeyName>,
    /// Shown to clients that ask for one of their names.
    pub sni_certificates: Vec<CertKeyName>,
    /// Whose certificates are asked for.
    pub clients: ClientCertificates,
}

/// Whose certificates are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientCertificates {
    /// Whether any are.
    pub asked: bool,
    /// Whether somebody without one may come in. `None`: nothing was said, and nobody may.
    pub need: Option<Need>,
    /// Who may have issued them.
    pub authorities: Vec<IssuerBinding>,
}

/// Whether something must be, or may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// It must.
    Mandatory,
    /// It may.
    Optional,
}

impl Need {
    pub(crate) const WORDS: &'static [&'static str] = &["Mandatory", "Optional"];

    pub(crate) fn of(word: &str) -> Option<Self> {
        match word {
            "Mandatory" => Some(Self::Mandatory),
            "Optional" => Some(Self::Optional),
            _ => None,
        }
    }

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Mandatory => "Mandatory",
            Self::Optional => "Optional",
        }
    }
}

/// Somebody who issues certificates of clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerBinding {
    /// Its certificate.
    pub certificate: CertKeyName,
    /// Whether its lists of what was revoked are looked at.
    pub lists: Option<Need>,
    /// Whether a server is to be asked, which this gateway does not do.
    pub ocsp: Option<Need>,
    /// Clients are not told of it.
    pub unnamed: bool,
}

/// The certificates of machines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceCertificates {
    /// As the other product says it; a scan decides whether one is wanted.
    pub on: bool,
    /// Who may have issued them.
    pub authorities: Vec<CertKeyName>,
}

/// A list of revoked certificates, by its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crl {
    /// PEM or DER. A relative path is below the configuration's own directory.
    pub file: PathBuf,
    /// Whose it is, for people.
    pub authority: Option<CertKeyName>,
}

/// Where the users of a virtual server are asked for certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskedAt {
    /// On their own connection to it.
    Itself,
    /// At the address of the authentication virtual server where their logins begin.
    Authentication(AuthnVserverName, SocketAddr),
}

impl Model {
    /// What clients meet at the virtual server of this name: of the gateway's own, or one for logins that has an address.
    #[must_use]
    pub fn front(&self, name: &str) -> Option<&Front> {
        let own = self.vservers.find(name).map(|vserver| &vserver.front);
        let of_logins = || self.authentication.vservers.find(name).filter(|v| v.address.is_some()).map(|v| &v.front);
        own.or_else(of_logins)
    }

    /// The same, to be changed.
    pub(crate) fn front_mut(&mut self, name: &str) -> Option<&mut Front> {
        if self.vservers.has(name) {
            return self.vservers.find_mut(name).map(|vserver| &mut vserver.front);
        }
        self.authentication.vservers.find_mut(name).filter(|v| v.address.is_some()).map(|v| &mut v.front)
    }

    /// All of them, by name.
    pub(crate) fn fronts(&self) -> impl Iterator<Item = (&str, &Front)> {
        let own = self.vservers.iter().map(|(name, vserver)| (name.as_str(), &vserver.front));
        let of_logins = self.authentication.vservers.iter().filter(|(_, vserver)| vserver.address.is_some());
        own.chain(of_logins.map(|(name, vserver)| (name.as_str(), &vserver.front)))
    }

    /// Where an authentication virtual server listens. It does only to ask for certificates, so only if it asks for some, and if no
    /// virtual server of the gateway has its name.
    #[must_use]
    pub fn listens(&self, name: &str, vserver: &AuthnVserver) -> Option<SocketAddr> {
        let may = self.features.ssl_vpn && vserver.enabled && vserver.front.certificate.is_some();
        vserver.address.filter(|_| may && vserver.front.clients.asked && !self.vservers.has(name))
    }

    /// Where users of `vserver` are asked for certificates; `None`: nowhere, so that they cannot prove who they are with one.
    #[must_use]
    pub fn asked_at(&self, vserver: &Vserver) -> Option<AskedAt> {
        if vserver.front.clients.asked {
            return Some(AskedAt::Itself);
        }
        let profile = self.authentication.profiles.find(vserver.authn_profile.as_ref()?.as_str())?;
        let (name, of_logins) = self.authentication.vservers.row(profile.vserver.as_str())?;
        self.listens(name.as_str(), of_logins).map(|address| AskedAt::Authentication(name.clone(), address))
    }
}
