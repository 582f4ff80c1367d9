//! Settings that hold for all logins and all virtual servers.

use std::path::PathBuf;
use std::time::Duration;

use super::authentication::Lockout;
use super::session::{IcaOnLogout, SessionSettings};
use super::{Sta, Url};

/// Settings of all virtual servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VpnParameter {
    /// The domain of users who name none.
    pub nt_domain: Option<Box<str>>,
    /// What holds for sessions if no policy says more. Its own domain is never set; that is [`nt_domain`](Self::nt_domain).
    pub session: SessionSettings,
    /// Whether a login whose time is up ends its ICA sessions.
    pub ica_session_timeout: bool,
    /// What becomes of them when a user logs out.
    pub ica_on_logout: IcaOnLogout,
    /// Whether what a client is asked about itself, and what it answers, goes without an envelope.
    pub scans_in_clear: bool,
    /// Where the packages of the endpoint agent are that users are offered.
    pub agents: Option<PathBuf>,
    /// Ticket authorities of virtual servers that have none of their own, in order.
    pub stas: Vec<Sta>,
}

/// Whether one of `stas` answers at `url`.
#[must_use]
pub fn is_bound(stas: &[Sta], url: &Url) -> bool {
    stas.iter().any(|sta| sta.url.at == url.at && sta.url.scheme == url.scheme)
}

/// Settings of all logins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AaaParameter {
    /// Most users at a time. `None`: as many as there come.
    pub users_max: Option<u32>,
    /// When a user who fails is locked out.
    pub lockout: Option<Lockout>,
    /// How many days before its end a user is told that a password will expire. `None`: never.
    pub password_expiry_notice: Option<Duration>,
    /// How many questions a user is asked who has forgotten a password. `None`: two.
    pub questions_max: Option<u8>,
    /// Whether a failed login says why: locked, expired, unknown. If not, everything is a wrong name or password.
    pub enhanced_feedback: bool,
    /// How the scan of a client is repeated after the login.
    pub periodic_scan: PeriodicScan,
}

/// How the scan of a client is repeated after the login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeriodicScan {
    /// How long the minute is in which intervals of client security expressions are counted. Shorter ones are for laboratories.
    pub minute: Duration,
    /// How long after its interval an answer may still come.
    pub grace: Duration,
    /// Whether a client that never said that it will repeat the scan is held to it, too.
    pub strict: bool,
}

impl PeriodicScan {
    /// Longest minute, in seconds: the real one.
    pub const MINUTE_SECONDS_MAX: u64 = 60;
    /// Longest grace, in seconds.
    pub const GRACE_SECONDS_MAX: u64 = 600;
    /// The grace if nobody says, in seconds.
    pub const GRACE_SECONDS_DEFAULT: u64 = 30;
}

impl Default for PeriodicScan {
    fn default() -> Self {
        Self {
            minute: Duration::from_secs(Self::MINUTE_SECONDS_MAX),
            grace: Duration::from_secs(Self::GRACE_SECONDS_DEFAULT),
            strict: true,
        }
    }
}

/// Settings of one-time passwords.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtpParameter {
    /// Whether secrets of devices are kept encrypted.
    pub encryption: bool,
    /// How many devices a user may have.
    pub devices_max: u8,
}

impl Default for OtpParameter {
    fn default() -> Self {
        Self { encryption: false, devices_max: Self::DEVICES_DEFAULT }
    }
}

impl OtpParameter {
    /// How many devices a user may have if nobody says.
    pub const DEVICES_DEFAULT: u8 = 4;
}
