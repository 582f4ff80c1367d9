//! The files that a configuration names: read through a trait, so that nothing here touches a disk.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::code::Code;

/// Longest file, in bytes.
pub const PEM_BYTES_MAX: usize = 1 << 20;
/// Longest file with the form of a login schema, in bytes.
pub const FORM_BYTES_MAX: usize = 64 << 10;

/// Longest package of the endpoint agent, in bytes.
pub const AGENT_BYTES_MAX: usize = 32 << 20;
/// What packages of the endpoint agent are called in their folder: for Debian, the program alone, and with desktop file and icon.
pub const AGENT_FILES: [&str; 3] = ["nsepa.deb", "sluice-epa", "sluice-epa.tar.gz"];
/// Longest list of revoked certificates, in bytes: about 200,000 of them.
pub const LIST_BYTES_MAX: usize = 8 << 20;

/// What a file is read for; a reader may be stricter about keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A certificate with its chain.
    Certificate,
    /// A private key.
    Key,
    /// Trust anchors.
    Roots,
    /// The form of a login schema.
    Form,
    /// A package of the endpoint agent, which users run on their machines.
    Agent,
    /// A list of revoked certificates, PEM or DER.
    Revoked,
}

impl Purpose {
    /// Longest file, in bytes.
    #[must_use]
    pub const fn bytes_max(self) -> usize {
        match self {
            Self::Certificate | Self::Key | Self::Roots => PEM_BYTES_MAX,
            Self::Form => FORM_BYTES_MAX,
            Self::Agent => AGENT_BYTES_MAX,
            Self::Revoked => LIST_BYTES_MAX,
        }
    }
}

/// Reads the files that a configuration names.
pub trait Files {
    /// The whole file. A relative path is below the configuration's own directory. The reader opens once, follows no last symbolic link and
    /// looks at permissions of what it opened.
    ///
    /// A form is below the directory of forms, wherever that is; if it is not there, the one that comes with the gateway under that name is
    /// meant. The reader knows how a form is written, and refuses one that is not written so.
    ///
    /// # Errors
    /// [`FileError`] says why not.
    fn read(&self, path: &Path, purpose: Purpose) -> Result<Zeroizing<Vec<u8>>, FileError>;

    /// Looks into the first certificate of a file, and whether `key` is its key. Both are PEM of the right kind. This crate reads neither:
    /// whoever knows certificates and the time does. Where nobody does, since the files are not the real ones, all is well.
    ///
    /// # Errors
    /// [`Useless`] says what is wrong with which.
    fn examine(&self, certificate: &[u8], key: Option<&[u8]>) -> Result<Life, Useless> {
        let _ = (certificate, key);
        Ok(Life::Current)
    }

    /// Looks into a list of revoked certificates, in the same way.
    ///
    /// # Errors
    /// [`Useless`] says what is wrong with it.
    fn examine_list(&self, list: &[u8]) -> Result<Life, Useless> {
        let _ = list;
        Ok(Life::Current)
    }
}

/// How a certificate stands to the time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It is valid now.
    Current,
    /// It will be, from then on.
    NotYet(SystemTime),
    /// It was, until then.
    Over(SystemTime),
}

/// Why a certificate or its key is of no use. All are the operator's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Useless {
    /// The certificate.
    #[error("the certificate cannot be used: {0}")]
    Certificate(String),
    /// What stands where the key should be.
    #[error("the private key cannot be read, or is of no kind that is supported: RSA, ECDSA, Ed25519")]
    Key,
    /// A list of revoked certificates.
    #[error("it is no list of revoked certificates")]
    List,
    /// They are no pair.
    #[error("the private key does not belong to the certificate")]
    Strangers,
}

impl Useless {
    pub(crate) const fn code(&self) -> Code {
        match self {
            Self::Certificate(_) | Self::List => Code::InvalidCertificate,
            Self::Key => Code::InvalidKey,
            Self::Strangers => Code::KeyMismatch,
        }
    }

    pub(crate) const fn cure(&self) -> &'static str {
        match self {
            Self::Certificate(_) => "the server's own certificate comes first in its file: openssl x509 -in FILE -noout -text",
            Self::Key => "convert it: openssl pkey -in FILE -out key.pem",
            Self::List => "openssl crl -in FILE -noout -text",
            Self::Strangers => {
                "both must show the same key: openssl x509 -in CERT -noout -pubkey, and openssl pkey -in KEY -pubout"
            }
        }
    }
}

/// Why a file was not read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FileError {
    /// There is none.
    #[error("there is no such file")]
    Missing,
    /// We may not read it.
    #[error("the gateway may not read this file")]
    Denied,
    /// A key that others may read, too.
    #[error("others than the owner may read this private key")]
    Exposed,
    /// A program for users that others may change.
    #[error("others than the owner may change this file, which users run")]
    Loose,
    /// More than [`Purpose::bytes_max`].
    #[error(
        "the file is too long: PEM has at most {PEM_BYTES_MAX} bytes, a form {FORM_BYTES_MAX}, an agent {AGENT_BYTES_MAX}, a list of revoked certificates {LIST_BYTES_MAX}"
    )]
    TooLong,
    /// A form whose path leads out of the directory of forms.
    #[error("its path leads out of the directory of forms")]
    Outside,
    /// A form that is not written as forms are.
    #[error("line {line}, column {column}: {cause}")]
    Malformed {
        /// Where, from 1.
        line: usize,
        /// Where in that line, in characters from 1.
        column: usize,
        /// What is wrong there.
        cause: String,
    },
    /// The system said something else.
    #[error("{0}")]
    Other(String),
}

/// Files held in memory, for tests and for configurations that come with their files.
impl Files for BTreeMap<PathBuf, Vec<u8>> {
    fn read(&self, path: &Path, _: Purpose) -> Result<Zeroizing<Vec<u8>>, FileError> {
        self.get(path).cloned().map(Zeroizing::new).ok_or(FileError::Missing)
    }
}

/// The files of one configuration, each read once and seen to be of the right kind.
#[derive(Clone, Default)]
#[expect(missing_debug_implementations, reason = "holds private keys")]
pub struct Loaded {
    certificates: BTreeMap<PathBuf, Arc<[u8]>>,
    keys: BTreeMap<PathBuf, Arc<Zeroizing<Vec<u8>>>>,
    forms: BTreeMap<PathBuf, Arc<[u8]>>,
    agents: BTreeMap<PathBuf, Arc<[u8]>>,
    lists: BTreeMap<PathBuf, Arc<[u8]>>,
    /// Files that were read before and may have changed since: they are read again when a line names them.
    stale: BTreeSet<(Shelf, PathBuf)>,
}

/// Where a file is kept: one file may be both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Shelf {
    Certificates,
    Keys,
    Forms,
    Agents,
    Lists,
}

impl Loaded {
    /// A certificate chain or trust anchors.
    #[must_use]
    pub fn certificate(&self, path: &Path) -> Option<&Arc<[u8]>> {
        self.certificates.get(path)
    }

    /// A private key.
    #[must_use]
    pub fn key(&self, path: &Path) -> Option<&Arc<Zeroizing<Vec<u8>>>> {
        self.keys.get(path)
    }

    /// The form of a login schema, by the path that the schema names.
    #[must_use]
    pub fn form(&self, path: &Path) -> Option<&Arc<[u8]>> {
        self.forms.get(path)
    }

    /// A package of the endpoint agent, by its path.
    #[must_use]
    pub fn agent(&self, path: &Path) -> Option<&Arc<[u8]>> {
        self.agents.get(path)
    }

    /// A list of revoked certificates.
    #[must_use]
    pub fn list(&self, path: &Path) -> Option<&Arc<[u8]>> {
        self.lists.get(path)
    }

    /// Reads the packages of the endpoint agent that are in `folder`, and forgets all others. At least one must be there.
    pub(crate) fn load_agents(&mut self, files: &dyn Files, folder: Option<&Path>) -> Result<(), NotLoaded> {
        let Some(folder) = folder else {
            self.agents.clear();
            return Ok(());
        };
        let mut found = Vec::new();
        for path in AGENT_FILES.map(|name| folder.join(name)) {
            match self.load(files, &path, Purpose::Agent) {
                Ok(()) => found.push(path),
                Err(NotLoaded::File(FileError::Missing)) => {}
                Err(other) => return Err(other),
            }
        }
        if found.is_empty() {
            return Err(FileError::Missing.into());
        }
        self.agents.retain(|path, _| found.contains(path));
        Ok(())
    }

    /// The same, for lines to come: each file is read again when a line names it.
    pub(crate) fn stale(&self) -> Self {
        Self { stale: self.shelves().collect(), ..self.clone() }
    }

    fn shelves(&self) -> impl Iterator<Item = (Shelf, PathBuf)> {
        let certificates = self.certificates.keys().map(|path| (Shelf::Certificates, path.clone()));
        let keys = self.keys.keys().map(|path| (Shelf::Keys, path.clone()));
        let agents = self.agents.keys().map(|path| (Shelf::Agents, path.clone()));
        let lists = self.lists.keys().map(|path| (Shelf::Lists, path.clone()));
        let forms = self.forms.keys().map(|path| (Shelf::Forms, path.clone()));
        certificates.chain(keys).chain(forms).chain(agents).chain(lists)
    }

    /// Takes the place of what was read before.
    pub(crate) fn renew(&mut self, renewed: Self) {
        for here in renewed.shelves() {
            self.stale.remove(&here);
        }
        let Self { certificates, keys, forms, agents, lists, stale: _ } = renewed;
        self.certificates.extend(certificates);
        self.keys.extend(keys);
        self.forms.extend(forms);
        self.agents.extend(agents);
        self.lists.extend(lists);
    }

    /// Reads `path` unless it has been read. If it cannot be used, what was read of it before stays.
    pub(crate) fn load(&mut self, files: &dyn Files, path: &Path, purpose: Purpose) -> Result<(), NotLoaded> {
        let (shelf, known) = match purpose {
            Purpose::Key => (Shelf::Keys, self.keys.contains_key(path)),
            Purpose::Certificate | Purpose::Roots => (Shelf::Certificates, self.certificates.contains_key(path)),
            Purpose::Form => (Shelf::Forms, self.forms.contains_key(path)),
            Purpose::Agent => (Shelf::Agents, self.agents.contains_key(path)),
            Purpose::Revoked => (Shelf::Lists, self.lists.contains_key(path)),
        };
        let here = (shelf, path.to_owned());
        if known && !self.stale.contains(&here) {
            return Ok(());
        }
        let bytes = files.read(path, purpose)?;
        if bytes.len() > purpose.bytes_max() {
            return Err(FileError::TooLong.into());
        }
        match purpose {
            Purpose::Key => {
                look_for_key(&bytes)?;
                self.keys.insert(path.to_owned(), Arc::new(bytes));
            }
            Purpose::Certificate | Purpose::Roots => {
                if !blocks(&bytes).any(|block| block == "CERTIFICATE") {
                    return Err(NotLoaded::NoCertificate);
                }
                self.certificates.insert(path.to_owned(), Arc::from(bytes.as_slice()));
            }
            Purpose::Form => {
                self.forms.insert(path.to_owned(), Arc::from(bytes.as_slice()));
            }
            Purpose::Agent => {
                self.agents.insert(path.to_owned(), Arc::from(bytes.as_slice()));
            }
            Purpose::Revoked => {
                self.lists.insert(path.to_owned(), Arc::from(bytes.as_slice()));
            }
        }
        self.stale.remove(&here);
        Ok(())
    }
}

/// Why a file is of no use. All are the operator's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum NotLoaded {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("the file has no certificate in PEM")]
    NoCertificate,
    #[error("the file has no private key in PEM (PKCS#8, PKCS#1 or SEC1)")]
    NoKey,
    #[error("the private key is locked with a pass phrase")]
    Locked,
}

impl NotLoaded {
    pub(crate) const fn code(&self) -> Code {
        match self {
            Self::File(FileError::Exposed) | Self::NoKey => Code::InvalidKey,
            Self::File(
                FileError::Missing
                | FileError::Denied
                | FileError::Loose
                | FileError::TooLong
                | FileError::Outside
                | FileError::Malformed { .. }
                | FileError::Other(_),
            ) => Code::NoSuchFile,
            Self::NoCertificate => Code::InvalidCertificate,
            Self::Locked => Code::KeyPassword,
        }
    }

    pub(crate) const fn cure(&self, purpose: Purpose) -> &'static str {
        match self {
            Self::File(FileError::Missing | FileError::Outside) if matches!(purpose, Purpose::Form) => {
                "forms are in the folder loginschema beside the configuration, which stands for /nsconfig/loginschema; is the name spelled right?"
            }
            Self::File(FileError::Missing) if matches!(purpose, Purpose::Agent) => {
                "put nsepa.deb, sluice-epa or sluice-epa.tar.gz there; a relative folder is below the configuration's own directory"
            }
            Self::File(FileError::Loose) => "chmod go-w",
            Self::File(FileError::Malformed { .. }) => "compare it with what other forms say, such as SingleAuth.xml",
            Self::File(FileError::Missing) => {
                "a relative path is below the configuration's own directory; is the name spelled right?"
            }
            Self::File(FileError::Denied) => "let the gateway's user read it",
            Self::File(FileError::Exposed) => "chmod 600, or 640 with the gateway's own group",
            Self::File(FileError::TooLong | FileError::Outside | FileError::Other(_)) => "is this the right file?",
            Self::NoCertificate => "convert it: openssl x509 -in FILE -out cert.pem",
            Self::NoKey => "convert it: openssl pkey -in FILE -out key.pem",
            Self::Locked => "unlock it: openssl pkey -in FILE -out key.pem, and keep that file for the gateway only",
        }
    }
}

fn look_for_key(bytes: &[u8]) -> Result<(), NotLoaded> {
    if blocks(bytes).any(|b| matches!(b, "PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY")) {
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        // The old way of OpenSSL to lock a key: a header inside the block.
        return if text.contains("Proc-Type: 4,ENCRYPTED") { Err(NotLoaded::Locked) } else { Ok(()) };
    }
    Err(if blocks(bytes).any(|b| b == "ENCRYPTED PRIVATE KEY") { NotLoaded::Locked } else { NotLoaded::NoKey })
}

/// The labels of complete blocks. What is in them is judged by those who use it.
fn blocks(bytes: &[u8]) -> impl Iterator<Item = &str> {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let label = |line: &'_ str, word: &str| -> Option<usize> {
        let inner = line.trim_end().strip_prefix("-----")?.strip_prefix(word)?.strip_suffix("-----")?;
        Some(inner.len())
    };
    let mut open: Option<&str> = None;
    text.lines().filter_map(move |line| {
        if let Some(length) = label(line, "BEGIN ") {
            open = line.get("-----BEGIN ".len()..).and_then(|rest| rest.get(..length));
            return None;
        }
        let length = label(line, "END ")?;
        let closed = line.get("-----END ".len()..).and_then(|rest| rest.get(..length));
        open.take().filter(|begun| Some(*begun) == closed)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pem(label: &str) -> String {
        format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n")
    }

    fn load(text: &str, purpose: Purpose) -> Result<(), NotLoaded> {
        let files = BTreeMap::from([(PathBuf::from("f"), text.as_bytes().to_vec())]);
        Loaded::default().load(&files, Path::new("f"), purpose)
    }

    #[test]
    fn takes_pem_of_the_right_kind() {
        for label in ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"] {
            assert_eq!(load(&pem(label), Purpose::Key), Ok(()));
        }
        assert_eq!(load(&format!("{}{}", pem("EC PARAMETERS"), pem("EC PRIVATE KEY")), Purpose::Key), Ok(()));
        assert_eq!(load(&pem("ENCRYPTED PRIVATE KEY"), Purpose::Key), Err(NotLoaded::Locked));
        assert_eq!(load(&pem("CERTIFICATE"), Purpose::Key), Err(NotLoaded::NoKey));
        let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n-----END RSA PRIVATE KEY-----\n";
        assert_eq!(load(old, Purpose::Key), Err(NotLoaded::Locked));
        assert_eq!(load(&pem("CERTIFICATE").replace('\n', "\r\n"), Purpose::Certificate), Ok(()));
        assert_eq!(load("", Purpose::Certificate), Err(NotLoaded::NoCertificate));
        assert_eq!(load("-----BEGIN CERTIFICATE-----\nAAAA\n", Purpose::Roots), Err(NotLoaded::NoCertificate));
        assert_eq!(load(&"x".repeat(PEM_BYTES_MAX + 1), Purpose::Roots), Err(NotLoaded::File(FileError::TooLong)));
    }

    #[test]
    fn forms_are_kept_by_the_path_that_names_them_and_no_longer_than_forms_are() {
        assert_eq!(load(&"x".repeat(FORM_BYTES_MAX), Purpose::Form), Ok(()));
        assert_eq!(load(&"x".repeat(FORM_BYTES_MAX + 1), Purpose::Form), Err(NotLoaded::File(FileError::TooLong)));
        let files = BTreeMap::from([(PathBuf::from("LoginSchema/a.xml"), b"<a/>".to_vec())]);
        let mut loaded = Loaded::default();
        loaded.load(&files, Path::new("LoginSchema/a.xml"), Purpose::Form).unwrap();
        assert_eq!(loaded.form(Path::new("LoginSchema/a.xml")).map(|form| &**form), Some(&b"<a/>"[..]));
        assert_eq!(loaded.certificate(Path::new("LoginSchema/a.xml")), None);
        // Who names it again has it read again; until then it stays.
        let nothing: BTreeMap<PathBuf, Vec<u8>> = BTreeMap::new();
        let mut later = loaded.stale();
        let _ = later.load(&nothing, Path::new("LoginSchema/a.xml"), Purpose::Form).unwrap_err();
        assert!(later.form(Path::new("LoginSchema/a.xml")).is_some());
    }

    #[test]
    fn packages_of_the_agent_come_from_one_folder_by_their_names() {
        let file = |path: &str, bytes: &[u8]| (PathBuf::from(path), bytes.to_vec());
        let mut files = BTreeMap::from([file("epa/sluice-epa", b"elf"), file("epa/other", b"x"), file("new/nsepa.deb", b"deb")]);
        let mut loaded = Loaded::default();
        loaded.load_agents(&files, Some(Path::new("epa"))).unwrap();
        assert_eq!(loaded.agent(Path::new("epa/sluice-epa")).map(|bytes| &**bytes), Some(&b"elf"[..]));
        assert_eq!((loaded.agents.len(), loaded.agent(Path::new("epa/nsepa.deb"))), (1, None));
        // Read once, until a line names the folder again.
        files.insert("epa/sluice-epa".into(), b"newer".to_vec());
        loaded.load_agents(&files, Some(Path::new("epa"))).unwrap();
        assert_eq!(loaded.agent(Path::new("epa/sluice-epa")).map(|bytes| &**bytes), Some(&b"elf"[..]));
        let mut later = loaded.stale();
        later.load_agents(&files, Some(Path::new("epa"))).unwrap();
        assert_eq!(later.agent(Path::new("epa/sluice-epa")).map(|bytes| &**bytes), Some(&b"newer"[..]));
        later.load_agents(&files, Some(Path::new("new"))).unwrap();
        assert!(later.agents.keys().eq([Path::new("new/nsepa.deb")]), "those of another folder are forgotten");
        assert_eq!(later.load_agents(&files, Some(Path::new("none"))), Err(NotLoaded::File(FileError::Missing)));
        files.insert("new/sluice-epa".into(), vec![0; AGENT_BYTES_MAX + 1]);
        assert_eq!(later.load_agents(&files, Some(Path::new("new"))), Err(NotLoaded::File(FileError::TooLong)));
        later.load_agents(&files, None).unwrap();
        assert!(later.agents.is_empty());
    }

    #[test]
    fn a_missing_file_is_missing() {
        let nothing: BTreeMap<PathBuf, Vec<u8>> = BTreeMap::new();
        let refused = Loaded::default().load(&nothing, Path::new("f"), Purpose::Key).unwrap_err();
        assert_eq!(refused.code(), Code::NoSuchFile);
    }
}
