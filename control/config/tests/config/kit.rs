//! Files that exist in memory only, and comparison with files that are written anew with `UPDATE=1`.

use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use gate_config::files::{FileError, Files, Life, Purpose, Useless};
use gate_config::model::{HashFailed, Hasher, NotOpened, SEAL_EXTRA_BYTES, SealFailed, Sealer, Secret};
use gate_config::{Checked, Strictness, check};

/// Serves a certificate for every `*.pem` and a key for every `*.key`, unless the name says otherwise.
pub(crate) struct Paper;

impl Files for Paper {
    fn read(&self, path: &Path, _: Purpose) -> Result<zeroize::Zeroizing<Vec<u8>>, FileError> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let block = |label: &str| Ok(format!("-----BEGIN {label}-----\n{name}\n-----END {label}-----\n").into_bytes().into());
        match name.as_str() {
            "exposed.key" => Err(FileError::Exposed),
            "denied.pem" => Err(FileError::Denied),
            "locked.key" => block("ENCRYPTED PRIVATE KEY"),
            "empty.pem" => Ok(Vec::new().into()),
            "outside.xml" => Err(FileError::Outside),
            "malformed.xml" => {
                Err(FileError::Malformed { line: 3, column: 7, cause: "an end tag that nothing began".to_owned() })
            }
            name if name.starts_with("missing") => Err(FileError::Missing),
            name if name.ends_with(".pem") => block("CERTIFICATE"),
            name if name.ends_with(".key") => block("PRIVATE KEY"),
            name if name.ends_with(".crl") => block("X509 CRL"),
            name if name.ends_with(".xml") => Ok(b"<AuthenticateResponse/>".to_vec().into()),
            _ => Err(FileError::Missing),
        }
    }

    /// What the name says, too: `expired.pem`, `future.pem`, `junk.pem`; `other.key` belongs to none, and `odd.key` is no key.
    fn examine(&self, certificate: &[u8], key: Option<&[u8]>) -> Result<Life, Useless> {
        let says = |pem: &[u8], name: &str| String::from_utf8_lossy(pem).lines().any(|line| line == name);
        let day = |number: u64| UNIX_EPOCH + Duration::from_secs(number * 86_400);
        match key {
            _ if says(certificate, "junk.pem") => Err(Useless::Certificate("BadEncoding".to_owned())),
            Some(key) if says(key, "odd.key") => Err(Useless::Key),
            Some(key) if says(key, "other.key") => Err(Useless::Strangers),
            _ if says(certificate, "expired.pem") => Ok(Life::Over(day(20_000))),
            _ if says(certificate, "future.pem") => Ok(Life::NotYet(day(40_000))),
            Some(_) | None => Ok(Life::Current),
        }
    }

    /// Likewise: `old.crl`, `junk.crl`.
    fn examine_list(&self, list: &[u8]) -> Result<Life, Useless> {
        let says = |name: &str| String::from_utf8_lossy(list).lines().any(|line| line == name);
        if says("junk.crl") {
            Err(Useless::List)
        } else if says("old.crl") {
            Ok(Life::Over(UNIX_EPOCH + Duration::from_secs(20_000 * 86_400)))
        } else {
            Ok(Life::Current)
        }
    }
}

/// Seals so that everybody could open it again.
pub(crate) struct Lead;

impl Hasher for Lead {
    fn hash(&self, _: &Secret) -> Result<String, HashFailed> {
        Ok("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g".to_owned())
    }
}

impl Sealer for Lead {
    fn seal(&self, purpose: &str, secret: &Secret) -> Result<String, SealFailed> {
        let digits: String = secret.expose().bytes().map(|byte| format!("{byte:02x}")).collect();
        Ok(format!("{}{:02x}{digits}", "00".repeat(SEAL_EXTRA_BYTES - 1), purpose.len()))
    }

    fn open(&self, purpose: &str, sealed: &str) -> Result<Secret, NotOpened> {
        let digits = sealed.get(2 * SEAL_EXTRA_BYTES - 2..).ok_or(NotOpened)?;
        let bytes: Vec<u8> =
            (0..digits.len()).step_by(2).filter_map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()).collect();
        let (length, text) = bytes.split_first().ok_or(NotOpened)?;
        if usize::from(*length) != purpose.len() {
            return Err(NotOpened);
        }
        String::from_utf8(text.to_vec()).map(|text| Secret::new(&text)).map_err(|_| NotOpened)
    }
}

pub(crate) fn strict(text: &str) -> Checked {
    check("ns.conf", text, Strictness::Strict, &Paper)
}

pub(crate) fn lenient(text: &str) -> Checked {
    check("ns.conf", text, Strictness::Lenient, &Paper)
}

/// All problems, as people read them.
pub(crate) fn told(checked: &Checked) -> String {
    checked.problems.iter().map(|problem| format!("{problem}\n")).collect()
}

/// Repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Compares with the file at `path`, or writes it.
pub(crate) fn compare(path: &Path, text: &str) {
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, text).expect("the repository can be written");
        return;
    }
    let there = std::fs::read_to_string(path).unwrap_or_default();
    assert!(there == text, "{} differs; UPDATE=1 writes it anew\n--- there\n{there}\n--- now\n{text}", path.display());
}
