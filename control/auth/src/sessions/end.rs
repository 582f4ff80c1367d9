//! Why a login is over, and what becomes of the ICA sessions that were launched with it.
//!
//! | the login ended because | its ICA sessions |
//! | --- | --- |
//! | an operator killed it, a periodic scan failed or did not come, the user is gone, a further login replaced it | end |
//! | its time was up | end with `-icaSessionTimeout ON` |
//! | the user logged out, logged in anew, or had too many | end with `-icaOnLogout END` |

use crate::Now;

/// Why a login is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// The user logged out.
    LoggedOut,
    /// The same browser logged in again.
    Renewed,
    /// The user had too many logins; the oldest made room.
    Crowded,
    /// Nobody used it for too long.
    Idle,
    /// It lasted as long as a login may.
    Absolute,
    /// An operator ended it.
    Killed,
    /// A periodic scan of the client failed.
    ScanFailed,
    /// A periodic scan of the client did not come in time.
    ScanMissing,
    /// The configuration does not have the user any more, or has another password.
    UserGone,
    /// The user logged in somewhere else, where only one login is allowed.
    Replaced,
}

/// What is wanted of ICA sessions when their login ends otherwise than by force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IcaPolicy {
    /// They end when its time is up.
    pub on_timeout: bool,
    /// They end when its user logs out.
    pub on_logout: bool,
}

impl End {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::LoggedOut,
        Self::Renewed,
        Self::Crowded,
        Self::Idle,
        Self::Absolute,
        Self::Killed,
        Self::ScanFailed,
        Self::ScanMissing,
        Self::UserGone,
        Self::Replaced,
    ];

    /// Place in [`End::ALL`], for tables of counters.
    #[must_use]
    pub fn index(self) -> usize {
        Self::ALL.iter().position(|end| *end == self).unwrap_or_default()
    }

    /// In a word, for logs, audit and figures. Stable.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::LoggedOut => "logout",
            Self::Renewed => "renewed",
            Self::Crowded => "crowded",
            Self::Idle => "idle",
            Self::Absolute => "forced",
            Self::Killed => "killed",
            Self::ScanFailed => "scan-failed",
            Self::ScanMissing => "scan-missing",
            Self::UserGone => "user-gone",
            Self::Replaced => "replaced",
        }
    }

    /// In a sentence, for operators.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::LoggedOut => "the user logged out",
            Self::Renewed => "the same browser logged in again",
            Self::Crowded => "the user had too many sessions; the oldest made room",
            Self::Idle => "nobody used it for too long",
            Self::Absolute => "it lasted as long as a session may",
            Self::Killed => "an operator ended it",
            Self::ScanFailed => "a repeated scan of the client's machine failed",
            Self::ScanMissing => "the client did not repeat the scan of its machine in time",
            Self::UserGone => "the user was removed or has another password",
            Self::Replaced => "the user logged in again, and only one session is allowed",
        }
    }

    /// Whether ICA sessions that were launched with the login end with it.
    #[must_use]
    pub const fn ends_ica(self, policy: IcaPolicy) -> bool {
        match self {
            Self::Killed | Self::ScanFailed | Self::ScanMissing | Self::UserGone | Self::Replaced => true,
            Self::Idle | Self::Absolute => policy.on_timeout,
            Self::LoggedOut | Self::Renewed | Self::Crowded => policy.on_logout,
        }
    }
}

/// A login that is over, as it is remembered for a while: for its user's next page, and for operators. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its number.
    pub number: u64,
    /// Whose it was; empty if nobody's.
    pub user: std::sync::Arc<str>,
    /// How it had begun.
    pub arrival: super::Arrival,
    /// When it began.
    pub began: Now,
    /// When it ended.
    pub at: Now,
    /// Why.
    pub end: End,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_ica_sessions() {
        let policies = [(false, false), (true, false), (false, true)];
        let expected = |end| match end {
            End::LoggedOut | End::Renewed | End::Crowded => [false, false, true],
            End::Idle | End::Absolute => [false, true, false],
            End::Killed | End::ScanFailed | End::ScanMissing | End::UserGone | End::Replaced => [true; 3],
        };
        for end in End::ALL {
            let ends = policies.map(|(on_timeout, on_logout)| end.ends_ica(IcaPolicy { on_timeout, on_logout }));
            assert_eq!(ends, expected(end), "{end:?}");
        }
    }

    #[test]
    fn every_end_has_a_word_of_its_own() {
        let words: std::collections::BTreeSet<&str> = End::ALL.iter().map(|end| end.word()).collect();
        assert_eq!(words.len(), End::ALL.len());
        assert!(End::ALL.iter().all(|end| end.meaning().len() > end.word().len()));
    }
}
