//! What a directory answers to a bind, to StartTLS, to a changed password: `LDAPResult` (RFC 4511 §4.1.9), and whether a password
//! policy has more to say (draft-behera-ldap-password-policy-10 §6.2).
//!
//! ```text
//!   ENUMERATED code, OCTET STRING matched, OCTET STRING diagnostic, [3] referral, …     [0] controls
//!                                                └ code::of_…: what Active Directory, eDirectory mean
//! ```

use super::ber::{ENUMERATED, Elements, OCTETS, SEQUENCE, number};
use super::guard::Message;
use super::say::PASSWORD_POLICY;

/// Contents of the control, if a warning was given: `[0]`.
const WARNING: u8 = 0xa0;
/// Contents of the control, if something is wrong: `[1]`.
const ERROR: u8 = 0x81;
/// Controls of a message: `[0]`.
const CONTROLS: u8 = 0xa0;
/// `BOOLEAN`
const BOOLEAN: u8 = 0x01;

/// A result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply<'m> {
    /// Result code; [`code`](super::code) names those that matter.
    pub code: u32,
    /// What the directory says besides: text, as a rule; codes of its own, in the case of Active Directory and eDirectory.
    pub diagnostic: &'m [u8],
    /// What the password policy says.
    pub policy: Option<Policy>,
}

/// What a password policy holds against a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// The password has expired.
    Expired,
    /// Too many wrong tries.
    Locked,
    /// The password was given by somebody else and must be replaced.
    ChangeAfterReset,
    /// The user may not change it himself.
    MayNotChange,
    /// The new password does not please: quality, length, age, history.
    NewRefused,
}

impl<'m> Reply<'m> {
    /// Reads the result in `message`. `None`: it holds none.
    #[must_use]
    pub fn read(message: &'m Message) -> Option<Self> {
        let mut fields = Elements(message.contents());
        let code = fields.take(ENUMERATED).and_then(number)?;
        fields.take(OCTETS)?;
        let diagnostic = fields.take(OCTETS)?;
        Some(Self { code, diagnostic, policy: policy(message.behind()) })
    }
}

/// A control that cannot be read says nothing.
fn policy(behind: &[u8]) -> Option<Policy> {
    let mut controls = Elements(Elements(behind).take(CONTROLS)?);
    while let Some(control) = controls.take(SEQUENCE) {
        let mut fields = Elements(control);
        if fields.take(OCTETS)? != PASSWORD_POLICY {
            continue;
        }
        fields.take(BOOLEAN);
        let mut value = Elements(Elements(fields.take(OCTETS)?).take(SEQUENCE)?);
        value.take(WARNING);
        return match number(value.take(ERROR)?)? {
            0 => Some(Policy::Expired),
            1 => Some(Policy::Locked),
            2 => Some(Policy::ChangeAfterReset),
            3 => Some(Policy::MayNotChange),
            4..=8 => Some(Policy::NewRefused),
            _ => None,
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::guard::{Caps, Guard};
    use super::*;

    fn message(bytes: &[u8]) -> Message {
        let mut guard = Guard::new(Caps { messages: 1, bytes: 1 << 20 });
        guard.push(bytes).unwrap();
        guard.take().unwrap().unwrap()
    }

    #[test]
    fn a_result_is_read() {
        let bytes = b"\x30\x0f\x02\x01\x05\x61\x0a\x0a\x01\x31\x04\x00\x04\x03bad";
        let message = message(bytes);
        assert_eq!(Reply::read(&message), Some(Reply { code: 49, diagnostic: b"bad", policy: None }));
    }

    #[test]
    fn what_is_no_result_is_none() {
        for bytes in [
            &b"\x30\x05\x02\x01\x05\x61\x00"[..],
            b"\x30\x08\x02\x01\x05\x61\x03\x0a\x01\x00",
            b"\x30\x0c\x02\x01\x05\x61\x07\x02\x01\x00\x04\x00\x04\x00",
            b"\x30\x0c\x02\x01\x05\x61\x07\x0a\x01\xff\x04\x00\x04\x00",
        ] {
            assert_eq!(Reply::read(&message(bytes)), None, "{bytes:02x?}");
        }
    }

    #[test]
    fn a_policy_speaks_in_a_control() {
        let with = |value: &[u8]| {
            let mut control = vec![OCTETS, 25];
            control.extend_from_slice(PASSWORD_POLICY);
            control.extend_from_slice(&[OCTETS, u8::try_from(value.len()).unwrap()]);
            control.extend_from_slice(value);
            let size = u8::try_from(control.len()).unwrap();
            let mut bytes = vec![0x30, 12 + 4 + size];
            bytes.extend_from_slice(b"\x02\x01\x05\x61\x07\x0a\x01\x00\x04\x00\x04\x00");
            bytes.extend_from_slice(&[CONTROLS, size + 2, SEQUENCE, size]);
            bytes.extend_from_slice(&control);
            Reply::read(&message(&bytes)).unwrap().policy
        };
        assert_eq!(PASSWORD_POLICY.len(), 25);
        assert_eq!(with(b"\x30\x03\x81\x01\x02"), Some(Policy::ChangeAfterReset));
        assert_eq!(with(b"\x30\x03\x81\x01\x00"), Some(Policy::Expired));
        assert_eq!(with(b"\x30\x03\x81\x01\x01"), Some(Policy::Locked));
        assert_eq!(with(b"\x30\x08\xa0\x03\x80\x01\x05\x81\x01\x05"), Some(Policy::NewRefused));
        for nothing in [&b"\x30\x05\xa0\x03\x80\x01\x05"[..], b"\x30\x00", b"", b"\x30\x03\x81\x01\x63", b"\x31\x00"] {
            assert_eq!(with(nothing), None, "{nothing:02x?}");
        }
    }
}
