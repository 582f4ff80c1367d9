//! What a result means: the user's fault, the account's, or nobody's but the directory's.
//!
//! ```text
//!   result 49 ─► Active Directory's data …  ─► unknown, wrong, not now, not here, expired, disabled, must change, locked
//!             ─► eDirectory's (-…)          ─► the same
//!             ─► policy control             ─► expired, locked
//!             ─► nothing more               ─► wrong password
//!   others    ─► outage: it says nothing about the password
//! ```

use gate_config::model::authentication::LdapServerType;
use gate_proto::ldap::reply::Policy;
use gate_proto::ldap::{Reply, code};

use super::outcome::{Changed, MustChange, NotChanged, Outage, Wrong};

/// What became of a bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    /// It is his password.
    Yes,
    /// No.
    Wrong(Wrong),
    /// It is, but.
    MustChange(MustChange),
}

/// Active Directory: the old password of a change is another one (`ERROR_INVALID_PASSWORD`).
const OLD_IS_WRONG: u32 = 0x56;
/// Active Directory: the new one breaks a rule (`ERROR_PASSWORD_RESTRICTION`).
const NEW_IS_REFUSED: u32 = 0x52d;

/// Whether a directory can tell this password from none: an empty one, and one that is empty for who reads up to the first NUL, are
/// taken for nobody's, and nobody may bind.
pub(super) fn is_sendable(password: &str) -> bool {
    !password.is_empty() && !password.starts_with('\0')
}

/// Whether passwords are changed as Active Directory wants it.
pub(super) const fn is_active_directory(kind: LdapServerType) -> bool {
    match kind {
        LdapServerType::ActiveDirectory => true,
        LdapServerType::Novell => false,
    }
}

/// The answer to the bind of a user.
pub(super) fn bound(kind: LdapServerType, reply: Reply<'_>) -> Result<Bound, Outage> {
    let by_policy = reply.policy.and_then(|policy| match policy {
        Policy::Expired => Some(Bound::MustChange(MustChange::Expired)),
        Policy::ChangeAfterReset => Some(Bound::MustChange(MustChange::Reset)),
        Policy::Locked => Some(Bound::Wrong(Wrong::Locked)),
        Policy::MayNotChange | Policy::NewRefused => None,
    });
    let by_code = match kind {
        LdapServerType::ActiveDirectory => code::of_active_directory(reply.diagnostic).and_then(active_directory),
        LdapServerType::Novell => code::of_edirectory(reply.diagnostic).and_then(edirectory),
    };
    match reply.code {
        code::SUCCESS => Ok(match by_policy {
            Some(more @ (Bound::MustChange(_) | Bound::Wrong(_))) => more,
            Some(Bound::Yes) | None => Bound::Yes,
        }),
        code::INVALID_CREDENTIALS => Ok(by_policy.or(by_code).unwrap_or(Bound::Wrong(Wrong::Password))),
        code::INAPPROPRIATE => Ok(Bound::Wrong(Wrong::Password)),
        // He was there a moment ago.
        code::NO_SUCH_OBJECT => Ok(Bound::Wrong(Wrong::Unknown)),
        // Some directories say with these that an account is locked or off.
        code::CONSTRAINT => Ok(by_policy.or(by_code).unwrap_or(Bound::Wrong(Wrong::Locked))),
        code::UNWILLING | code::NO_ACCESS => Ok(by_policy.or(by_code).unwrap_or(Bound::Wrong(Wrong::NotHere))),
        code::REFERRAL => Err(Outage::Referral),
        other => Err(Outage::Bind(other)),
    }
}

/// Active Directory's codes behind `data`, errors of Windows.
fn active_directory(data: u32) -> Option<Bound> {
    Some(match data {
        0x525 => Bound::Wrong(Wrong::Unknown),
        0x52e => Bound::Wrong(Wrong::Password),
        0x530 => Bound::Wrong(Wrong::NotNow),
        0x531 => Bound::Wrong(Wrong::NotHere),
        0x532 => Bound::MustChange(MustChange::Expired),
        0x533 => Bound::Wrong(Wrong::Disabled),
        0x701 => Bound::Wrong(Wrong::Expired),
        0x773 => Bound::MustChange(MustChange::Reset),
        0x775 => Bound::Wrong(Wrong::Locked),
        _ => return None,
    })
}

/// eDirectory's codes, without their sign.
fn edirectory(number: u32) -> Option<Bound> {
    Some(match number {
        601 => Bound::Wrong(Wrong::Unknown),
        669 => Bound::Wrong(Wrong::Password),
        218 => Bound::Wrong(Wrong::NotNow),
        220 => Bound::Wrong(Wrong::Disabled),
        222 | 223 => Bound::MustChange(MustChange::Expired),
        197 => Bound::Wrong(Wrong::Locked),
        _ => return None,
    })
}

/// The answer to a change of password.
pub(super) fn changed(kind: LdapServerType, reply: Reply<'_>) -> Result<Changed, Outage> {
    let more = if is_active_directory(kind) { code::of_change(reply.diagnostic) } else { None };
    let rules = Changed::Refused(NotChanged::Rules);
    Ok(match (reply.code, more, reply.policy) {
        (code::SUCCESS, _, _) => Changed::Done,
        (_, Some(OLD_IS_WRONG), _) => Changed::Wrong(Wrong::Password),
        (_, Some(NEW_IS_REFUSED), _) | (_, _, Some(Policy::NewRefused)) => rules,
        (_, _, Some(Policy::MayNotChange)) => Changed::Refused(NotChanged::NotAllowed),
        (code::CONSTRAINT, _, _) => rules,
        (code::NO_ACCESS | code::UNWILLING, _, _) => Changed::Refused(NotChanged::NotAllowed),
        (code::REFERRAL, _, _) => return Err(Outage::Referral),
        (other, _, _) => return Err(Outage::Change(other)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const AD: LdapServerType = LdapServerType::ActiveDirectory;
    const OTHER: LdapServerType = LdapServerType::Novell;

    fn reply(code: u32, diagnostic: &str, policy: Option<Policy>) -> Reply<'_> {
        Reply { code, diagnostic: diagnostic.as_bytes(), policy }
    }

    #[test]
    fn each_code_of_active_directory_means_something_of_its_own() {
        for (data, wanted) in [
            ("525", Bound::Wrong(Wrong::Unknown)),
            ("52e", Bound::Wrong(Wrong::Password)),
            ("530", Bound::Wrong(Wrong::NotNow)),
            ("531", Bound::Wrong(Wrong::NotHere)),
            ("532", Bound::MustChange(MustChange::Expired)),
            ("533", Bound::Wrong(Wrong::Disabled)),
            ("701", Bound::Wrong(Wrong::Expired)),
            ("773", Bound::MustChange(MustChange::Reset)),
            ("775", Bound::Wrong(Wrong::Locked)),
            ("57", Bound::Wrong(Wrong::Password)),
        ] {
            let text = format!("80090308: LdapErr: DSID-0C090447, comment: AcceptSecurityContext error, data {data}, v3839");
            assert_eq!(bound(AD, reply(49, &text, None)), Ok(wanted), "{data}");
            // The words of one directory mean nothing from another.
            assert_eq!(bound(OTHER, reply(49, &text, None)), Ok(Bound::Wrong(Wrong::Password)), "{data}");
        }
    }

    #[test]
    fn edirectory_and_policies_say_it_in_their_own_ways() {
        assert_eq!(bound(OTHER, reply(49, "NDS error: failed authentication (-669)", None)), Ok(Bound::Wrong(Wrong::Password)));
        assert_eq!(bound(OTHER, reply(53, "NDS error: login lockout (-197)", None)), Ok(Bound::Wrong(Wrong::Locked)));
        assert_eq!(bound(OTHER, reply(49, "NDS error: bad password (-222)", None)), Ok(Bound::MustChange(MustChange::Expired)));
        assert_eq!(bound(OTHER, reply(49, "", Some(Policy::Locked))), Ok(Bound::Wrong(Wrong::Locked)));
        assert_eq!(bound(OTHER, reply(49, "", Some(Policy::Expired))), Ok(Bound::MustChange(MustChange::Expired)));
        assert_eq!(bound(OTHER, reply(0, "", Some(Policy::ChangeAfterReset))), Ok(Bound::MustChange(MustChange::Reset)));
        assert_eq!(bound(OTHER, reply(0, "", Some(Policy::NewRefused))), Ok(Bound::Yes));
    }

    #[test]
    fn only_what_is_about_the_user_is_a_no() {
        assert_eq!(bound(AD, reply(0, "", None)), Ok(Bound::Yes));
        for code in [1, 2, 8, 11, 13, 34, 51, 52, 80, 12345] {
            assert_eq!(bound(AD, reply(code, "", None)), Err(Outage::Bind(code)), "{code}");
        }
        assert_eq!(bound(AD, reply(10, "", None)), Err(Outage::Referral));
    }

    #[test]
    fn a_change_is_done_refused_or_unknown() {
        assert_eq!(changed(AD, reply(0, "", None)), Ok(Changed::Done));
        let old = "00000056: AtrErr: DSID-03191083, #1:";
        assert_eq!(changed(AD, reply(19, old, None)), Ok(Changed::Wrong(Wrong::Password)));
        assert_eq!(changed(OTHER, reply(19, old, None)), Ok(Changed::Refused(NotChanged::Rules)));
        let new = "0000052D: Constraint violation";
        assert_eq!(changed(AD, reply(53, new, None)), Ok(Changed::Refused(NotChanged::Rules)));
        assert_eq!(changed(OTHER, reply(19, "", Some(Policy::NewRefused))), Ok(Changed::Refused(NotChanged::Rules)));
        assert_eq!(changed(OTHER, reply(50, "", Some(Policy::MayNotChange))), Ok(Changed::Refused(NotChanged::NotAllowed)));
        assert_eq!(changed(OTHER, reply(50, "", None)), Ok(Changed::Refused(NotChanged::NotAllowed)));
        assert_eq!(changed(OTHER, reply(80, "", None)), Err(Outage::Change(80)));
    }

    #[test]
    fn nobodys_passwords_are_never_sent() {
        assert!(is_sendable(" ") && is_sendable("a\0"));
        assert!(!is_sendable("") && !is_sendable("\0") && !is_sendable("\0secret"));
    }
}
