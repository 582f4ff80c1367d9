//! Result codes (RFC 4511 appendix A), and what Active Directory and eDirectory say in the text beside them.
//!
//! ```text
//!   Active Directory   80090308: LdapErr: DSID-0C090447, comment: AcceptSecurityContext error, data 52e, v3839
//!                                                              code of the bind, hexadecimal ────┘
//!                      0000052D: Constraint violation - check_password_restrictions: …
//!                      └ code of a change, hexadecimal
//!   eDirectory         NDS error: bad password (-222)
//! ```
//!
//! These texts are part of those directories' protocols: there is no other place where they say it.

/// `success`
pub const SUCCESS: u32 = 0;
/// `sizeLimitExceeded`
pub const SIZE_LIMIT: u32 = 4;
/// `referral`
pub const REFERRAL: u32 = 10;
/// `noSuchAttribute`: the value that was to be taken away is not there.
pub const NO_SUCH_VALUE: u32 = 16;
/// `constraintViolation`
pub const CONSTRAINT: u32 = 19;
/// `attributeOrValueExists`: where one may be, there is one.
pub const VALUE_EXISTS: u32 = 20;
/// `noSuchObject`
pub const NO_SUCH_OBJECT: u32 = 32;
/// `inappropriateAuthentication`: the object has no password.
pub const INAPPROPRIATE: u32 = 48;
/// `invalidCredentials`
pub const INVALID_CREDENTIALS: u32 = 49;
/// `insufficientAccessRights`
pub const NO_ACCESS: u32 = 50;
/// `unwillingToPerform`
pub const UNWILLING: u32 = 53;

/// Longest code in a text, in digits.
const DIGITS_MAX: usize = 8;

/// Active Directory's code behind `data` in the answer to a bind.
#[must_use]
pub fn of_active_directory(diagnostic: &[u8]) -> Option<u32> {
    let text = str::from_utf8(diagnostic).ok()?;
    let (_, behind) = text.split_once(", data ")?;
    hexadecimal(behind.split([',', ' ', '\0']).next()?)
}

/// Active Directory's code at the front of the answer to a change: an error of Windows.
#[must_use]
pub fn of_change(diagnostic: &[u8]) -> Option<u32> {
    let text = str::from_utf8(diagnostic).ok()?;
    hexadecimal(text.split_once(':')?.0)
}

/// eDirectory's code in parentheses at the end, without its sign.
#[must_use]
pub fn of_edirectory(diagnostic: &[u8]) -> Option<u32> {
    let text = str::from_utf8(diagnostic).ok()?;
    let digits = text.trim_end_matches(['\0', ' ']).strip_suffix(')')?.rsplit_once("(-")?.1;
    let is_number = !digits.is_empty() && digits.len() <= DIGITS_MAX && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok())?
}

fn hexadecimal(digits: &str) -> Option<u32> {
    let is_number = !digits.is_empty() && digits.len() <= DIGITS_MAX && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_number.then(|| u32::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn active_directory_says_it_behind_data() {
        let text = b"80090308: LdapErr: DSID-0C090447, comment: AcceptSecurityContext error, data 52e, v3839\0";
        assert_eq!(of_active_directory(text), Some(0x52e));
        assert_eq!(
            of_active_directory(b"80090308: LdapErr: DSID-0C09030B, comment: AcceptSecurityContext error, data 775, vece"),
            Some(0x775)
        );
        for nothing in [&b"invalid credentials"[..], b", data , v", b", data zz, v", b", data 123456789, v", b"\xff, data 52e"] {
            assert_eq!(of_active_directory(nothing), None);
        }
    }

    #[test]
    fn and_of_a_change_in_front() {
        assert_eq!(of_change(b"0000052D: Constraint violation - check_password_restrictions"), Some(0x52d));
        assert_eq!(of_change(b"00000056: AtrErr: DSID-03191083, #1:"), Some(0x56));
        assert_eq!(of_change(b"Password fails quality checking policy"), None);
        assert_eq!(of_change(b"note: it fails"), None);
    }

    #[test]
    fn edirectory_says_it_in_parentheses() {
        assert_eq!(of_edirectory(b"NDS error: bad password (-222)"), Some(222));
        assert_eq!(of_edirectory(b"NDS error: login lockout (-197)\0"), Some(197));
        for nothing in [&b"NDS error"[..], b"(-)", b"(-x1)", b"(222)"] {
            assert_eq!(of_edirectory(nothing), None);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(bytes in proptest::collection::vec(any::<u8>(), 0..80), text in "[ -~]{0,20}(, data |\\(-)?[0-9a-f]{0,9}[:,)]?") {
            for text in [&bytes[..], text.as_bytes()] {
                let _ = (of_active_directory(text), of_change(text), of_edirectory(text));
            }
        }
    }
}
