//! A throw-away certificate authority.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
};

use crate::tools;

/// An authority that lives as long as the test.
pub struct Ca {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate, PEM.
    pub pem: String,
}

impl std::fmt::Debug for Ca {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ca")
    }
}

impl Default for Ca {
    fn default() -> Self {
        Self::new()
    }
}

impl Ca {
    /// A new authority with a new key.
    ///
    /// # Panics
    /// If no key can be made.
    #[must_use]
    pub fn new() -> Self {
        Self::called("Sluicegate test authority")
    }

    /// The same under another name.
    ///
    /// # Panics
    /// If no key can be made.
    #[must_use]
    pub fn called(name: &str) -> Self {
        let key = KeyPair::generate().expect("a P-256 key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, name);
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A server certificate for `names` (DNS names or addresses) with a P-256 key: chain and key as PEM.
    ///
    /// # Panics
    /// If a name is none.
    #[must_use]
    pub fn server(&self, names: &[&str]) -> (String, String) {
        let key = KeyPair::generate().expect("a P-256 key");
        self.sign(names, key)
    }

    /// The same with an RSA key of 2048 bits, made by the `openssl` tool.
    ///
    /// # Panics
    /// If the tool is missing.
    #[must_use]
    pub fn rsa_server(&self, names: &[&str]) -> (String, String) {
        let args = ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];
        let key = KeyPair::from_pem(&tools::output("openssl", &args)).expect("an RSA key");
        self.sign(names, key)
    }

    fn sign(&self, names: &[&str], key: KeyPair) -> (String, String) {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.distinguished_name.push(DnType::CommonName, "Sluicegate test server");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        (certificate.pem(), key.serialize_pem())
    }

    /// A client's certificate, which `change` may make another one: chain and key as PEM.
    ///
    /// # Panics
    /// If it is none.
    #[must_use]
    pub fn client(&self, name: &str, serial: u64, change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
        let key = KeyPair::generate().expect("a P-256 key");
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.serial_number = Some(SerialNumber::from(serial));
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        (certificate.pem(), key.serialize_pem())
    }

    /// A list of what was revoked, as PEM, that is good from a day ago until `until`.
    ///
    /// # Panics
    /// If it is none.
    #[must_use]
    pub fn list(&self, serials: &[u64], until: SystemTime) -> String {
        let day = Duration::from_secs(24 * 3600);
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: (until - 2 * day).into(),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: (until - 2 * day).into(),
            next_update: until.into(),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).expect("a list").pem().expect("PEM")
    }

    /// Writes `ca.pem` into `dir` and says where it is.
    ///
    /// # Panics
    /// If it cannot be written.
    #[must_use]
    pub fn write(&self, dir: &Path) -> PathBuf {
        write(dir, "ca.pem", &self.pem)
    }
}

/// Writes a file that only its owner can read, as keys must be.
///
/// # Panics
/// If it cannot be written.
#[must_use]
pub fn write(dir: &Path, name: &str, text: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap_or(dir)).expect("a folder in the test's folder");
    fs::write(&path, text).expect("a file in the test's folder");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("permissions");
    path
}
