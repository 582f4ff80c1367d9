//! What becomes of a question to a directory: about the user, or about the directory, and never one for the other.

use std::collections::BTreeMap;
use std::io;

use gate_proto::ldap::Hostile;
use thiserror::Error;

/// What a directory said of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// He is there, and, where passwords are checked, it is his.
    Found(Box<Found>),
    /// He is not there, and need not be. Nothing is known of him.
    Absent,
    /// No.
    Wrong(Wrong),
    /// It is his password, but he must have another one first.
    MustChange(MustChange),
    /// It cannot be asked. This says nothing about the user.
    Outage(Outage),
}

/// A user. Neither the password nor where he stands in the directory.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// His name as the directory spells it.
    pub(crate) name: String,
    /// His name for single sign-on, where that is another one.
    pub(crate) sso_name: Option<String>,
    /// His groups, on all levels that were asked for; each once.
    pub(crate) groups: Vec<String>,
    /// What the session remembers under a number; several values are joined with commas.
    pub(crate) numbered: [Option<String>; 16],
    /// What it remembers under a name.
    pub(crate) named: BTreeMap<String, String>,
    /// Whether a password was checked. If not, nobody has proven anything.
    pub(crate) is_password_checked: bool,
}

/// Numbers of things only: attributes are the user's own affair.
impl std::fmt::Debug for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Found")
            .field("name", &self.name)
            .field("groups", &self.groups.len())
            .field("named", &self.named.len())
            .field("is_password_checked", &self.is_password_checked)
            .finish_non_exhaustive()
    }
}

/// Why a user does not get in. His fault, or his account's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum Wrong {
    /// Nobody has that name.
    #[error("no such user")]
    Unknown,
    /// Several have it; nobody can tell whose password it should be.
    #[error("several users have that name")]
    Ambiguous,
    /// Another password.
    #[error("wrong password")]
    Password,
    /// Not at this time.
    #[error("not permitted at this time")]
    NotNow,
    /// Not from here, or not in this way.
    #[error("not permitted here")]
    NotHere,
    /// The account is switched off.
    #[error("account disabled")]
    Disabled,
    /// The account has ended.
    #[error("account expired")]
    Expired,
    /// Too many wrong passwords.
    #[error("account locked")]
    Locked,
}

/// Why a password must be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum MustChange {
    /// It was his for too long.
    #[error("password expired")]
    Expired,
    /// Somebody else gave it to him.
    #[error("password was reset")]
    Reset,
}

/// What becomes of a new password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    /// It counts.
    Done,
    /// The user is not there, or the old one is not his.
    Wrong(Wrong),
    /// It does not count.
    Refused(NotChanged),
    /// The directory cannot be asked. Whether it counts is not known if the change had been sent.
    Outage(Outage),
}

/// Why a new password does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum NotChanged {
    /// This action does not offer it, or would do it in the clear.
    #[error("passwords cannot be changed here")]
    NotOffered,
    /// It breaks the directory's rules: length, quality, age, history.
    #[error("the new password breaks the directory's rules")]
    Rules,
    /// This user may not.
    #[error("the user may not change the password")]
    NotAllowed,
}

/// Why there is no answer. The directory's fault, its network's, or the operator's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Outage {
    /// Too many questions wait for it already.
    #[error("too many questions wait for it")]
    Busy,
    /// Its name does not resolve.
    #[error("name does not resolve")]
    Name,
    /// It cannot be connected to.
    #[error("cannot connect: {0}")]
    Connect(io::ErrorKind),
    /// Its certificate is not trusted, or not for this name.
    #[error("certificate refused: {0}")]
    Certificate(String),
    /// The handshake failed.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// It will not begin TLS; its result code.
    #[error("StartTLS refused with result {0}")]
    NoTls(u32),
    /// It spoke before TLS was there: somebody else may have.
    #[error("bytes came in the clear before TLS began")]
    Early,
    /// It did not answer in time.
    #[error("no answer in time")]
    Time,
    /// It closed the connection.
    #[error("connection ended without an answer")]
    Ended,
    /// It does not speak LDAP within its bounds.
    #[error("answered outside the protocol: {0}")]
    Hostile(#[from] Hostile),
    /// Its answer is well-formed and means nothing.
    #[error("answer makes no sense")]
    Nonsense,
    /// It answered another question.
    #[error("answer to another question")]
    Crossed,
    /// The client library could not read the answer.
    #[error("the client library could not read the answer")]
    Library,
    /// The service account is refused; the result code.
    #[error("service account refused with result {0}")]
    Service(u32),
    /// The search is refused; the result code.
    #[error("search refused with result {0}")]
    Search(u32),
    /// The bind of a user failed for a reason that is not the user's; the result code.
    #[error("bind refused with result {0}")]
    Bind(u32),
    /// A change failed for a reason that is not the user's; the result code.
    #[error("change of password refused with result {0}")]
    Change(u32),
    /// A value cannot be written, or others wrote it each time; the result code.
    #[error("change of the user's devices refused with result {0}")]
    Write(u32),
    /// It sends us elsewhere. Referrals are not followed.
    #[error("answered with a referral, which is not followed")]
    Referral,
    /// The user has more groups than are read.
    #[error("more groups than are read")]
    TooManyGroups,
}

impl Outage {
    /// Whether others meet it, too: not what comes of one user's groups.
    pub(super) const fn is_of_the_directory(&self) -> bool {
        !matches!(self, Self::TooManyGroups)
    }
}
