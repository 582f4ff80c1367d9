//! What somebody outside is asked about a user: local users, a directory, a RADIUS server.
//!
//! ```text
//!   machine ── Question { number, action, ask, guess } ──► owner: brake and lock-out, if it is a guess ──► outside
//!           ◄─ Event::Answered { number, answer } ──────────────────────────────────────────────────────────┘
//! ```

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use gate_config::model::ActionName;
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::code::Code;
use super::devices::{NotDone, UserDevices};
use super::grant::NumberedAttributes;
use crate::totp::{SECRET_BYTES, Step};

/// A question. Exactly one is outstanding in a conversation, and an answer counts only with its number.
#[derive(Debug)]
pub struct Question {
    /// Counted up from 1 in each conversation.
    pub number: u64,
    /// Which action is carried out; for local users where no policy says anything, [`LOCAL`](gate_config::model::authentication::LOCAL).
    pub action: ActionName,
    /// What is asked.
    pub ask: Ask,
    /// Set if this is a new guess at a secret of this user (canonical name): the one to whose count it goes. Further questions about the
    /// same guess, to a second directory, have none.
    pub guess: Option<Box<str>>,
}

/// What is asked.
pub enum Ask {
    /// Whether the password of a local user is right.
    Local {
        /// Canonical name, as [`crate::users::canonical`] spells it.
        user: Box<str>,
        /// The domain that was typed; may be empty.
        domain: Box<str>,
        /// The password; never empty.
        password: SecretString,
    },
    /// What a directory knows of a user.
    Ldap {
        /// As it was typed, without blanks at its ends.
        user: Box<str>,
        /// To be checked; never empty. `None`: he is only looked up.
        password: Option<SecretString>,
    },
    /// Whether a directory takes a new password.
    LdapChange {
        /// As in [`Ldap`](Self::Ldap).
        user: Box<str>,
        /// The password until now; never empty.
        old: SecretString,
        /// The new one; never empty.
        new: SecretString,
    },
    /// Whether a RADIUS server lets a user in.
    Radius {
        /// As in [`Ldap`](Self::Ldap).
        user: Box<str>,
        /// Never empty.
        password: SecretString,
    },
    /// The user's reply to a server that asked back with [`Answer::Challenge`].
    Reply {
        /// As in [`Ldap`](Self::Ldap).
        user: Box<str>,
        /// What was typed; may be empty.
        reply: SecretString,
        /// The server's state, to be given back as it came.
        state: Zeroizing<Vec<u8>>,
    },
    /// Whether a code is one of the user's devices', and has not been used.
    Code {
        /// As in [`Ldap`](Self::Ldap).
        user: Box<str>,
        /// As it was typed; never empty.
        code: SecretString,
        /// What time it is for codes.
        now: Step,
    },
    /// Which devices for codes a user has.
    Devices {
        /// As in [`Ldap`](Self::Ldap).
        user: Box<str>,
    },
    /// A secret for a new device. Nobody outside is asked.
    NewSecret {
        /// What the user wants to call it.
        name: Box<str>,
    },
    /// A device is to be added.
    DeviceAdd {
        /// As in [`Ldap`](Self::Ldap).
        user: Box<str>,
        /// What it is called.
        name: Box<str>,
        /// Its secret.
        secret: DeviceSecret,
        /// The step of the code that has confirmed it: that one is used now.
        used: Step,
        /// Only if the user has none.
        first_only: bool,
    },
    /// A device is to be removed.
    DeviceRemove {
        /// As in [`Ldap`](Self::Ldap).
        user: Box<str>,
        /// What it is called.
        name: Box<str>,
    },
}

/// The secret of a device.
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceSecret(pub Zeroizing<[u8; SECRET_BYTES]>);

impl fmt::Debug for DeviceSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceSecret(***)")
    }
}

/// Says which, and nothing that was typed.
impl fmt::Debug for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Local { .. } => "Local(***)",
            Self::Ldap { password: Some(_), .. } => "Ldap(***)",
            Self::Ldap { password: None, .. } => "Ldap(***, looked up)",
            Self::LdapChange { .. } => "LdapChange(***)",
            Self::Radius { .. } => "Radius(***)",
            Self::Reply { .. } => "Reply(***)",
            Self::Code { .. } => "Code(***)",
            Self::Devices { .. } => "Devices(***)",
            Self::NewSecret { .. } => "NewSecret(***)",
            Self::DeviceAdd { .. } => "DeviceAdd(***)",
            Self::DeviceRemove { .. } => "DeviceRemove(***)",
        })
    }
}

/// What was said.
#[derive(Debug)]
pub enum Answer {
    /// It is right; or, if he was only to be looked up, there he is. To [`Ask::LdapChange`]: it is changed.
    Proven(Box<Proven>),
    /// It is wrong.
    Wrong(Code),
    /// It was right, but must be changed first; said only where the action lets users change it.
    MustChange(Code),
    /// A server asks back.
    Challenge(Challenge),
    /// The code is none, and why.
    NotCode(NotCode),
    /// The user's devices, as they are now.
    Devices(UserDevices),
    /// A secret for a new device.
    Secret(DeviceSecret),
    /// What was to be done about a device was not.
    NotDone(NotDone),
    /// Nobody could be asked, and why, for the operator. It is not the user's fault and counts as no guess.
    Outage(Code, Cow<'static, str>),
    /// Too many guesses lately: nobody was asked, and nobody will be for so long.
    Held(Duration),
    /// The account is locked after too many failures: nobody was asked.
    Locked,
}

/// Why a code does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotCode {
    /// It is none of this user's devices', or not of this time.
    Wrong,
    /// It was used before.
    Used,
    /// The user has no device, or there is no such user.
    NoDevice,
    /// His devices stand in the directory in a way that cannot be read.
    Unreadable,
}

/// What an answer says of a user.
#[derive(Clone, Default)]
pub struct Proven {
    /// His name, as the one who was asked spells it.
    pub user: String,
    /// His domain; may be empty.
    pub domain: String,
    /// His groups.
    pub groups: Vec<String>,
    /// Attributes 1 to 16.
    pub numbered: NumberedAttributes,
    /// Attributes under their own names.
    pub named: BTreeMap<String, Zeroizing<String>>,
    /// The name for single sign-on, if it is another one.
    pub sso_user: Option<String>,
}

/// Attributes of people are not for logs.
impl fmt::Debug for Proven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proven").field("user", &self.user).field("groups", &self.groups.len()).finish_non_exhaustive()
    }
}

/// A server asks back.
#[derive(Clone)]
pub struct Challenge {
    /// What the user reads.
    pub text: Box<str>,
    /// What the server wants to have back.
    pub state: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Challenge(***)")
    }
}
