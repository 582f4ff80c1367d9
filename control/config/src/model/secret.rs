//! Passwords as the configuration knows them.
//!
//! ```text
//!   -password open                                        ─► Plain ──seal──┐
//!   -password $argon2id$… -encrypted -hashmethod ARGON2ID ─► Hashed ◄──────┘ ──print──► the same words
//!   -password 3f9a… -encrypted -encryptmethod ENCMTHD_3   ─► Unavailable     ──print──► the same words
//! ```
//!
//! An open password is accepted in the file and never comes out again: printing knows hashes only.
//!
//! Secrets that the gateway itself presents to others — to a directory, a RADIUS server, an identity provider — must be recovered, so
//! they are not hashed but sealed, under a key that is not in the configuration:
//!
//! ```text
//!   -radKey open                                          ─► Plain ──seal──┐
//!   -radKey 9c41… -encrypted -encryptmethod ENCMTHD_SG1   ─► Sealed ◄──────┘ ──print──► the same words, ──open──► the secret
//!   -radKey 3f9a… -encrypted -encryptmethod ENCMTHD_3     ─► Unavailable     ──print──► the same words
//! ```

use std::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

/// A secret that somebody wrote down openly. It is wiped when dropped, is never printed and has no `Debug` of its own.
#[derive(Clone, PartialEq, Eq)]
#[expect(missing_debug_implementations, reason = "a secret")]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a copy of `text`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    /// The secret itself, for the one who hashes or compares it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// How a local user proves who he is.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// No password was given: this user cannot log in with one.
    None,
    /// Written openly. Only [`Model::seal`](super::Model::seal) leads on from here.
    Plain(Secret),
    /// A PHC string of Argon2id, `$argon2id$v=19$…`.
    Hashed(Box<str>),
    /// Encrypted under a key that is not ours: kept for printing back; nobody can log in with it.
    Unavailable(Foreign),
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Plain(_) => "Plain(…)",
            Self::Hashed(_) => "Hashed(…)",
            Self::Unavailable(_) => "Unavailable(…)",
        })
    }
}

/// A secret as another product saved it.
#[derive(Clone, PartialEq, Eq)]
#[expect(missing_debug_implementations, reason = "a secret, though under lock")]
pub struct Foreign {
    /// `-encryptmethod`, if it was encrypted.
    pub encrypt_method: Option<Box<str>>,
    /// `-hashmethod`, if it was hashed.
    pub hash_method: Option<Box<str>>,
    /// The value.
    pub value: Box<str>,
    /// `-kek` was given.
    pub kek: bool,
    /// `-suffix`, the date of the key.
    pub suffix: Option<Box<str>>,
}

/// Makes a PHC string of an open password. The login machine's crate does this; configuration has no cryptography.
pub trait Hasher {
    /// Hashes `password` with a fresh salt.
    ///
    /// # Errors
    /// [`HashFailed`] if the machine could not do it.
    fn hash(&self, password: &Secret) -> Result<String, HashFailed>;
}

/// A secret that the gateway presents to others, and must therefore be able to recover.
#[derive(Clone, PartialEq, Eq)]
pub enum Recoverable {
    /// Written openly. Only [`Model::seal_secrets`](super::Model::seal_secrets) leads on from here.
    Plain(Secret),
    /// Sealed under our own key. A [`Sealer`] recovers it.
    Sealed(Box<str>),
    /// Encrypted under a key that is not ours: kept for printing back; whoever needs it cannot work.
    Unavailable(Foreign),
}

impl fmt::Debug for Recoverable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Plain(…)",
            Self::Sealed(_) => "Sealed(…)",
            Self::Unavailable(_) => "Unavailable(…)",
        })
    }
}

/// Seals secrets and recovers them. The login machine's crate does this; configuration has no cryptography.
pub trait Sealer {
    /// Seals `secret` for `purpose`, the keyword at which it stands; the result is at most [`SEALED_CHARS_MAX`] lower-case hexadecimal
    /// digits.
    ///
    /// # Errors
    /// [`SealFailed`] if the machine could not do it.
    fn seal(&self, purpose: &str, secret: &Secret) -> Result<String, SealFailed>;

    /// Recovers what was sealed for the same `purpose`.
    ///
    /// # Errors
    /// [`NotOpened`] if it was sealed under another key or for another purpose, or has been changed since.
    fn open(&self, purpose: &str, sealed: &str) -> Result<Secret, NotOpened>;
}

/// Longest secret that can be sealed, in bytes.
pub const SEALABLE_BYTES_MAX: usize = 256;
/// What a seal adds, in bytes: nonce and tag of AES-GCM.
pub const SEAL_EXTRA_BYTES: usize = 28;
/// Longest sealed secret, in hexadecimal digits.
pub const SEALED_CHARS_MAX: usize = 2 * (SEALABLE_BYTES_MAX + SEAL_EXTRA_BYTES);

/// The machine could not seal: no key, or no memory.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("cannot seal a secret: {cause}")]
pub struct SealFailed {
    /// In the words of the one who tried.
    pub cause: String,
}

/// A sealed secret does not open. The operator has to enter it again.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("a sealed secret does not open: it was sealed under another key, or has been changed")]
pub struct NotOpened;

/// The machine could not hash: no memory, or no random numbers.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("cannot hash a password: {cause}")]
pub struct HashFailed {
    /// In the words of the one who tried.
    pub cause: String,
}
