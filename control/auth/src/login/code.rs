//! What a login that does not go on says, in the numbers that clients and pages of this protocol know.

/// Why a login did not go on. The numbers are those of the cookie `NSC_VPNERR` and of the texts `errorMessageLabel…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// 4001: wrong user name or password.
    Credentials,
    /// 4002: this user may not log in here.
    NoPermission,
    /// 4003: a server cannot be reached, or there are too many users; later it may be different.
    TryLater,
    /// 4004: no connection.
    NoConnection,
    /// 4005: no connection.
    NoConnectionHere,
    /// 4006: wrong user name.
    UserName,
    /// 4007: wrong password.
    Password,
    /// 4008: the two new passwords differ.
    Mismatch,
    /// 4009: there is no such user.
    NoSuchUser,
    /// 4010: not at this time.
    NotNow,
    /// 4011: the account is disabled.
    Disabled,
    /// 4012: the password has expired.
    Expired,
    /// 4013: no permission.
    NotPermitted,
    /// 4014: the password could not be changed.
    NotChanged,
    /// 4015: the account is locked.
    Locked,
    /// 4016: the new password breaks the rules of the domain.
    NewPassword,
    /// 4017: the request cannot be processed.
    Unprocessable,
    /// 4018: the device does not comply.
    Device,
    /// 4019: the device is not managed.
    Unmanaged,
    /// 4101, ours: no certificate was shown.
    NoCertificate,
    /// 4102, ours: the certificate is not good.
    BadCertificate,
}

impl Code {
    /// All, by ascending number.
    pub const ALL: [Self; 21] = [
        Self::Credentials,
        Self::NoPermission,
        Self::TryLater,
        Self::NoConnection,
        Self::NoConnectionHere,
        Self::UserName,
        Self::Password,
        Self::Mismatch,
        Self::NoSuchUser,
        Self::NotNow,
        Self::Disabled,
        Self::Expired,
        Self::NotPermitted,
        Self::NotChanged,
        Self::Locked,
        Self::NewPassword,
        Self::Unprocessable,
        Self::Device,
        Self::Unmanaged,
        Self::NoCertificate,
        Self::BadCertificate,
    ];

    /// The number: 4001 to 4019, which all clients know, and those of ours.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::Credentials => 4001,
            Self::NoPermission => 4002,
            Self::TryLater => 4003,
            Self::NoConnection => 4004,
            Self::NoConnectionHere => 4005,
            Self::UserName => 4006,
            Self::Password => 4007,
            Self::Mismatch => 4008,
            Self::NoSuchUser => 4009,
            Self::NotNow => 4010,
            Self::Disabled => 4011,
            Self::Expired => 4012,
            Self::NotPermitted => 4013,
            Self::NotChanged => 4014,
            Self::Locked => 4015,
            Self::NewPassword => 4016,
            Self::Unprocessable => 4017,
            Self::Device => 4018,
            Self::Unmanaged => 4019,
            Self::NoCertificate => 4101,
            Self::BadCertificate => 4102,
        }
    }

    /// Whether it says something about an account to somebody who has not proven that it is theirs.
    #[must_use]
    pub const fn reveals_account(self) -> bool {
        match self {
            Self::UserName
            | Self::Password
            | Self::NoSuchUser
            | Self::NotNow
            | Self::Disabled
            | Self::Expired
            | Self::NotPermitted
            | Self::Locked => true,
            Self::Credentials
            | Self::NoPermission
            | Self::TryLater
            | Self::NoConnection
            | Self::NoConnectionHere
            | Self::Mismatch
            | Self::NotChanged
            | Self::NewPassword
            | Self::Unprocessable
            | Self::Device
            | Self::Unmanaged
            | Self::NoCertificate
            | Self::BadCertificate => false,
        }
    }

    /// What a user is told: itself with `-enableEnhancedAuthFeedback YES`; otherwise one word, [`Code::Credentials`], for all that
    /// would [reveal](Self::reveals_account) the state of an account.
    #[must_use]
    pub const fn shown(self, enhanced: bool) -> Self {
        if self.reveals_account() && !enhanced { Self::Credentials } else { self }
    }

    /// The key of its text in the string tables of pages and native clients.
    #[must_use]
    pub fn text_key(self) -> String {
        format!("errorMessageLabel{}", self.number())
    }

    /// What it means, for operators.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Credentials => "wrong user name or password",
            Self::NoPermission => "this user may not log in here",
            Self::TryLater => "a server cannot be reached, or is busy",
            Self::NoConnection | Self::NoConnectionHere => "no connection",
            Self::UserName => "wrong user name",
            Self::Password => "wrong password",
            Self::Mismatch => "the two new passwords differ",
            Self::NoSuchUser => "there is no such user",
            Self::NotNow => "not permitted at this time",
            Self::Disabled => "the account is disabled",
            Self::Expired => "the password has expired",
            Self::NotPermitted => "no permission",
            Self::NotChanged => "the password could not be changed",
            Self::Locked => "the account is locked",
            Self::NewPassword => "the new password breaks the rules of the domain",
            Self::Unprocessable => "the request cannot be processed",
            Self::Device => "the device does not comply",
            Self::Unmanaged => "the device is not managed",
            Self::NoCertificate => "no certificate was shown",
            Self::BadCertificate => "the certificate is not good",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_that_clients_know_and_each_stands_once() {
        let numbers: Vec<u16> = Code::ALL.iter().map(|code| code.number()).collect();
        assert_eq!(numbers, (4001..=4019).chain([4101, 4102]).collect::<Vec<_>>());
        assert_eq!(Code::Device.text_key(), "errorMessageLabel4018");
    }

    #[test]
    fn the_state_of_an_account_is_told_with_enhanced_feedback_only() {
        let plain: Vec<u16> = Code::ALL.iter().map(|code| code.shown(false).number()).filter(|n| *n != 4001).collect();
        assert_eq!(plain, [4002, 4003, 4004, 4005, 4008, 4014, 4016, 4017, 4018, 4019, 4101, 4102]);
        assert!(Code::ALL.iter().all(|code| code.shown(true) == *code));
    }
}
