//! A login: who, from where, since when, with what; and the token that stands for it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gate_config::expr::Group;
use secrecy::SecretString;

use crate::Now;
use crate::seal::hex;

/// Random bytes in a cookie: 64 digits.
pub const TOKEN_RANDOM_BYTES: usize = 32;

/// What a browser is given. It is the login: never log it, never put it into a URL.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Makes one out of `random`, which must come from the system's generator.
    #[must_use]
    pub fn new(random: [u8; TOKEN_RANDOM_BYTES]) -> Self {
        Self(hex(&random, b"0123456789abcdef"))
    }

    /// One that a browser has brought back and that was found in a table.
    #[must_use]
    pub const fn returned(text: String) -> Self {
        Self(text)
    }

    /// The secret itself, for the cookie.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

/// Who somebody is, after a factor has said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The name as whoever established it writes it.
    pub user: Arc<str>,
    /// The domain the user belongs to, as shown to the farm; may be empty.
    pub domain: Arc<str>,
    /// The user is one of ours, so that the login ends when the user goes or gets another password.
    pub is_local: bool,
}

/// What the XML Service is told with every request. Wiped with the login.
#[derive(Clone)]
pub struct Sso {
    /// The user's name.
    pub user: Arc<str>,
    /// The domain; may be empty.
    pub domain: Arc<str>,
    /// The password.
    pub password: SecretString,
}

/// Nothing of it is for logs.
impl fmt::Debug for Sso {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sso(***)")
    }
}

/// How a login began: from where, and through which virtual server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The client.
    pub client: SocketAddr,
    /// The virtual server.
    pub vserver: Arc<str>,
}

/// How long a login lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// Without a request.
    pub idle: Duration,
    /// Altogether.
    pub absolute: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self { idle: Duration::from_secs(30 * 60), absolute: Duration::from_secs(12 * 3600) }
    }
}

/// What a login begins with.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Who it is. `None`: nobody has proven who they are; such a login has nothing that belongs to users.
    pub identity: Option<Identity>,
    /// Groups, each once, with where they come from.
    pub groups: Arc<[Group]>,
    /// For single sign-on.
    pub sso: Option<Sso>,
    /// How it began.
    pub arrival: Arrival,
    /// How long it lasts.
    pub times: Times,
}

/// One login.
#[derive(Clone, Debug)]
pub struct Login {
    /// Names it to operators; counted up from 1, no secret.
    pub number: u64,
    /// What it began with.
    pub entry: Entry,
    /// When it began.
    pub began: Now,
    /// When it was last used.
    pub seen: Now,
}

impl Login {
    /// Who it is, as far as that was established; empty for nobody.
    #[must_use]
    pub fn user(&self) -> &str {
        self.entry.identity.as_ref().map_or("", |identity| &identity.user)
    }

    /// Whether it is in a group.
    #[must_use]
    pub fn is_in(&self, group: &str) -> bool {
        self.entry.groups.iter().any(|one| one.name == group)
    }

    /// When it ends by itself if it is not used any more.
    #[must_use]
    pub fn ends(&self) -> Now {
        (self.seen + self.entry.times.idle).min(self.began + self.entry.times.absolute)
    }
}
