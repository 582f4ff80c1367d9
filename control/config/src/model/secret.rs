//! Passwords as the configuration knows them.
//!
//! ```text
//!   -password open                                        ─► Plain ──seal──┐
//!   -password $argon2id$… -encrypted -hashmethod ARGON2ID ─► Hashed ◄──────┘ ──print──► the same words
//!   -password 3f9a… -encrypted -encryptmethod ENCMTHD_3   ─► Unavailable     ──print──► the same words
//! ```
//!
//! An open password is accepted in the file and never comes out again: printing knows hashes only.

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

/// The machine could not hash: no memory, or no random numbers.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("cannot hash a password: {cause}")]
pub struct HashFailed {
    /// In the words of the one who tried.
    pub cause: String,
}
