//! The certificate of this machine, shown to a gateway that wants to see it: on a connection of its own, to whoever the gateway says may have
//! issued it.
//!
//! ```text
//!   /epaq asks device-cert ─► a connection that offers sluicegate-epadc/1 ─► asked? ─► the one of an issuer that is named ─► GET /epadc ─► 0 or 3
//! ```
//!
//! The key stays here and is used by the handshake alone. It is read when it is wanted, and wiped when that is over.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gate_proto::certificate::issuer_name;
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::crypto::aws_lc_rs::sign;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Where machines keep theirs, if nothing else is said: each `device….crt` with a `.key` beside it.
pub const FOLDER: &str = "/etc/sluicegate";
/// Most certificates of a machine that are looked at.
pub const CERTIFICATES_MAX: usize = 16;

/// The certificates that a machine has.
#[derive(Debug, Default)]
pub struct Certificates(Vec<Arc<CertifiedKey>>);

impl Certificates {
    /// Those in `files`, each with its key beside it under the ending `.key`; or those that the machine keeps, if there are none. What cannot
    /// be read is passed over: this user may not read the keys of all of them.
    #[must_use]
    pub fn of(files: &[PathBuf]) -> Self {
        let own = if files.is_empty() { listed(Path::new(FOLDER)) } else { files.to_vec() };
        Self(own.iter().take(CERTIFICATES_MAX).filter_map(|file| read(file)).map(Arc::new).collect())
    }

    /// Whether there is none that could be shown.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn listed(folder: &Path) -> Vec<PathBuf> {
    let names = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    let is_one = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("device") && name.ends_with(".crt")
    };
    let mut all: Vec<PathBuf> = names.filter(is_one).take(CERTIFICATES_MAX).collect();
    all.sort();
    all
}

fn read(file: &Path) -> Option<CertifiedKey> {
    let chain: Vec<_> = CertificateDer::pem_file_iter(file).ok()?.collect::<Result<_, _>>().ok()?;
    let key = PrivateKeyDer::from_pem_file(file.with_extension("key")).ok()?;
    let made = CertifiedKey::new(chain, sign::any_supported_type(&key).ok()?);
    let is_pair = !made.cert.is_empty() && made.keys_match().is_ok();
    is_pair.then_some(made)
}

impl ResolvesClientCert for Certificates {
    /// The first that one of those has issued whom the gateway names; any, if it names none.
    fn resolve(&self, issuers: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let is_of = |made: &CertifiedKey| {
            let names: Vec<Vec<u8>> = made.cert.iter().filter_map(|der| issuer_name(der)).collect();
            issuers.is_empty() || issuers.iter().any(|issuer| names.iter().any(|name| name == issuer))
        };
        self.0.iter().find(|made| is_of(made) && made.key.choose_scheme(schemes).is_some()).cloned()
    }

    fn has_certs(&self) -> bool {
        !self.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

    use super::*;

    const SCHEMES: &[SignatureScheme] = &[SignatureScheme::ECDSA_NISTP256_SHA256];

    fn authority(name: &str) -> Issuer<'static, KeyPair> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Issuer::new(params, KeyPair::generate().unwrap())
    }

    fn put(folder: &Path, name: &str, issuer: &Issuer<'_, KeyPair>) -> Vec<u8> {
        let key = KeyPair::generate().unwrap();
        let made = CertificateParams::default().signed_by(&key, issuer).unwrap();
        fs::write(folder.join(format!("{name}.crt")), made.pem()).unwrap();
        fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
        made.der().to_vec()
    }

    #[test]
    fn of_several_the_one_that_is_wanted_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (authority("one"), authority("other"));
        let (first, second) = (put(folder.path(), "device", &one), put(folder.path(), "device2", &other));
        put(folder.path(), "user", &other);
        let own = Certificates::of(&listed(folder.path()));
        let name = |der: &[u8]| issuer_name(der).unwrap();
        let shown = |issuers: &[&[u8]]| own.resolve(issuers, SCHEMES).map(|made| made.cert[0].to_vec());
        assert_eq!(shown(&[]), Some(first.clone()));
        assert_eq!(shown(&[&name(&first)]), Some(first));
        assert_eq!(shown(&[b"somebody", &name(&second)]), Some(second));
        assert_eq!(shown(&[b"somebody"]), None);
    }

    #[test]
    fn what_is_no_pair_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let ca = authority("one");
        put(folder.path(), "device1", &ca);
        put(folder.path(), "device2", &ca);
        fs::copy(folder.path().join("device1.key"), folder.path().join("device2.key")).unwrap();
        fs::write(folder.path().join("device3.crt"), "no PEM").unwrap();
        assert_eq!(Certificates::of(&listed(folder.path())).0.len(), 1);
        assert!(Certificates::of(&[folder.path().join("none.crt")]).is_empty());
    }
}
