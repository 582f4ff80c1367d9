//! The messages that are written here: those that carry a password, and the few around them.
//!
//! ```text
//!   start_tls ─► ExtendedRequest 1.3.6.1.4.1.1466.20037     RFC 4511 §4.14
//!   bind      ─► BindRequest, simple                        RFC 4511 §4.2, asks for the password policy's word
//!   change    ─► ExtendedRequest 1.3.6.1.4.1.4203.1.11.1    RFC 3062
//!   change_in_active_directory ─► ModifyRequest: delete unicodePwd old, add unicodePwd new
//!   replace_value ─► ModifyRequest: delete the old value, add the new one
//!   unbind    ─► UnbindRequest                              RFC 4511 §4.3
//! ```
//!
//! Every buffer is made as large as it gets before anything is put in, so that nothing is left behind where it grew from, and is
//! wiped on drop.

use zeroize::Zeroizing;

use super::ber::{ENUMERATED, INTEGER, OCTETS, SEQUENCE, SET};

/// Bytes of one message.
pub type Bytes = Zeroizing<Vec<u8>>;

/// Name of the control with which a password policy speaks (draft-behera-ldap-password-policy-10 §6.1).
pub(super) const PASSWORD_POLICY: &[u8] = b"1.3.6.1.4.1.42.2.27.8.5.1";
/// Name of StartTLS.
const START_TLS: &[u8] = b"1.3.6.1.4.1.1466.20037";
/// Name of a change of password.
const CHANGE: &[u8] = b"1.3.6.1.4.1.4203.1.11.1";
/// `[APPLICATION 0]`
const BIND: u8 = 0x60;
/// `[APPLICATION 2]`
const UNBIND: u8 = 0x42;
/// `[APPLICATION 6]`
const MODIFY: u8 = 0x66;
/// `[APPLICATION 23]`
const EXTENDED: u8 = 0x77;
/// `[0]` of an extended request: its name; of a bind: the password; of a change: whose.
const FIRST: u8 = 0x80;
/// `[1]` of an extended request: its value; of a change: the old password.
const SECOND: u8 = 0x81;
/// `[2]` of a change: the new password.
const THIRD: u8 = 0x82;
/// `[0]`: controls.
const CONTROLS: u8 = 0xa0;
/// Modify: add a value.
const ADD: &[u8] = &[0];
/// Modify: take a value away.
const DELETE: &[u8] = &[1];

/// Asks for TLS.
#[must_use]
pub fn start_tls(id: u32) -> Bytes {
    message(id, &element(EXTENDED, &[&element(FIRST, &[START_TLS])]), &[])
}

/// Says who we are. Neither an empty name nor an empty password is for this: a directory takes either for nobody, and says yes.
#[must_use]
pub fn bind(id: u32, name: &str, password: &str) -> Bytes {
    let request = element(
        BIND,
        &[&element(INTEGER, &[&[3]]), &element(OCTETS, &[name.as_bytes()]), &element(FIRST, &[password.as_bytes()])],
    );
    let policy = element(CONTROLS, &[&element(SEQUENCE, &[&element(OCTETS, &[PASSWORD_POLICY])])]);
    message(id, &request, &policy)
}

/// Changes the password of the object `name`.
#[must_use]
pub fn change(id: u32, name: &str, old: &str, new: &str) -> Bytes {
    let (name, old, new) =
        (element(FIRST, &[name.as_bytes()]), element(SECOND, &[old.as_bytes()]), element(THIRD, &[new.as_bytes()]));
    let value = element(SECOND, &[&element(SEQUENCE, &[&name, &old, &new])]);
    let policy = element(CONTROLS, &[&element(SEQUENCE, &[&element(OCTETS, &[PASSWORD_POLICY])])]);
    message(id, &element(EXTENDED, &[&element(FIRST, &[CHANGE]), &value]), &policy)
}

/// Changes the password of the user `name` of an Active Directory, as the user would: who knows the old one may.
#[must_use]
pub fn change_in_active_directory(id: u32, name: &str, old: &str, new: &str) -> Bytes {
    let one = |operation: &[u8], password: &str| {
        let values = element(SET, &[&element(OCTETS, &[&quoted(password)])]);
        let attribute = element(SEQUENCE, &[&element(OCTETS, &[b"unicodePwd"]), &values]);
        element(SEQUENCE, &[&element(ENUMERATED, &[operation]), &attribute])
    };
    let changes = element(SEQUENCE, &[&one(DELETE, old), &one(ADD, new)]);
    message(id, &element(MODIFY, &[&element(OCTETS, &[name.as_bytes()]), &changes]), &[])
}

/// Puts a value of an attribute of the object `name` in the place of another one, both at once or not at all: the directory refuses it if the
/// old value is not there any more. Without an old one it is added, without a new one it is taken away.
#[must_use]
pub fn replace_value(id: u32, name: &str, attribute: &str, old: Option<&str>, new: Option<&str>) -> Bytes {
    let one = |operation: &[u8], value: &str| {
        let values = element(SET, &[&element(OCTETS, &[value.as_bytes()])]);
        let attribute = element(SEQUENCE, &[&element(OCTETS, &[attribute.as_bytes()]), &values]);
        element(SEQUENCE, &[&element(ENUMERATED, &[operation]), &attribute])
    };
    let (old, new) = (old.map(|value| one(DELETE, value)), new.map(|value| one(ADD, value)));
    let all: Vec<&[u8]> = [&old, &new].into_iter().flatten().map(|change| change.as_slice()).collect();
    let changes = element(SEQUENCE, &all);
    message(id, &element(MODIFY, &[&element(OCTETS, &[name.as_bytes()]), &changes]), &[])
}

/// Says good-bye.
#[must_use]
pub fn unbind(id: u32) -> Bytes {
    message(id, &element(UNBIND, &[]), &[])
}

fn message(id: u32, request: &[u8], controls: &[u8]) -> Bytes {
    debug_assert!(id <= i32::MAX.unsigned_abs(), "numbers of messages have 31 bits");
    let digits = id.to_be_bytes();
    // As short as it can be, but never with a sign.
    let sign = digits.windows(2).take_while(|pair| pair[0] == 0 && pair[1] < 0x80).count();
    element(SEQUENCE, &[&element(INTEGER, &[&digits[sign..]]), request, controls])
}

/// A password as Active Directory takes it: in quotes, in UTF-16, low byte first.
fn quoted(password: &str) -> Bytes {
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * (password.len() + 2)));
    for unit in std::iter::once(u16::from(b'"')).chain(password.encode_utf16()).chain([u16::from(b'"')]) {
        bytes.extend_from_slice(&unit.to_le_bytes());
    }
    bytes
}

/// An element with these contents.
fn element(tag: u8, contents: &[&[u8]]) -> Bytes {
    let length: usize = contents.iter().map(|part| part.len()).sum();
    let digits = length.to_be_bytes();
    let digits = &digits[digits.iter().take_while(|&&digit| digit == 0).count()..];
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 + digits.len() + length));
    bytes.push(tag);
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => bytes.push(short),
        _ => {
            bytes.push(0x80 | u8::try_from(digits.len()).unwrap_or(u8::MAX));
            bytes.extend_from_slice(digits);
        }
    }
    contents.iter().for_each(|part| bytes.extend_from_slice(part));
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::ber::Elements;
    use super::super::guard::{Caps, Guard};
    use super::*;

    #[test]
    fn a_bind_is_written_as_the_rfc_says() {
        let written = bind(7, "cn=a", "pw");
        let (front, control) = written.split_at(written.len() - 31);
        assert_eq!(front, b"\x30\x31\x02\x01\x07\x60\x0d\x02\x01\x03\x04\x04cn=a\x80\x02pw");
        assert_eq!(control, b"\xa0\x1d\x30\x1b\x04\x191.3.6.1.4.1.42.2.27.8.5.1");
    }

    #[test]
    fn the_others_are_written_as_they_should() {
        assert_eq!(&start_tls(1)[..], b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037");
        assert_eq!(&unbind(0x80)[..], b"\x30\x06\x02\x02\x00\x80\x42\x00");
        let changed = change(2, "cn=a", "o", "n");
        assert!(changed.windows(14).any(|part| part == b"\x81\x0e\x30\x0c\x80\x04cn=a\x81\x01o\x82"), "{changed:02x?}");
        let changed = change_in_active_directory(2, "cn=a", "o", "é");
        let wanted = b"\x30\x1b\x0a\x01\x00\x30\x16\x04\x0aunicodePwd\x31\x08\x04\x06\"\0\xe9\0\"\0";
        assert!(changed.ends_with(wanted), "{changed:02x?}");
    }

    #[test]
    fn a_value_takes_the_place_of_another_in_one_request() {
        let written = replace_value(2, "cn=a", "up", Some("o"), Some("né"));
        let shown = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert!(shown(&written).contains(&shown(b"\x0a\x01\x01\x30\x09\x04\x02up\x31\x03\x04\x01o")), "{}", shown(&written));
        assert!(
            shown(&written).ends_with(&shown("\x0a\x01\0\x30\x0b\x04\x02up\x31\x05\x04\x03né".as_bytes())),
            "{}",
            shown(&written)
        );
        let added = replace_value(2, "cn=a", "up", None, Some("n"));
        assert!(
            shown(&added).ends_with(&shown(b"\x30\x10\x30\x0e\x0a\x01\0\x30\x09\x04\x02up\x31\x03\x04\x01n")),
            "{}",
            shown(&added)
        );
        let removed = replace_value(2, "cn=a", "up", Some("o"), None);
        assert!(
            shown(&removed).ends_with(&shown(b"\x30\x10\x30\x0e\x0a\x01\x01\x30\x09\x04\x02up\x31\x03\x04\x01o")),
            "{}",
            shown(&removed)
        );
        let long = "x".repeat(70_000);
        let written = replace_value(1, &long, "up", Some(&long), Some(&long));
        assert_eq!(written.len(), written.capacity(), "nothing grows while it is written");
    }

    #[test]
    fn nothing_grows_while_it_is_written() {
        let long = "x".repeat(70_000);
        for bytes in
            [bind(1, "cn=a", &long), change(1, "cn=a", &long, &long), change_in_active_directory(1, "cn=a", "ü€𝄞", &long)]
        {
            assert_eq!(bytes.len(), bytes.capacity());
        }
    }

    proptest! {
        #[test]
        fn what_is_written_passes_the_guard(id in 0u32..1 << 31, name in any::<String>(), password in ".{0,300}") {
            for bytes in [bind(id, &name, &password), change(id, &name, &password, &name), change_in_active_directory(id, &name, &password, &name)] {
                let mut guard = Guard::new(Caps { messages: 1, bytes: 1 << 20 });
                guard.push(&bytes).unwrap();
                let message = guard.take().unwrap().unwrap();
                prop_assert_eq!((message.id, guard.is_empty()), (id, true));
            }
            let bytes = bind(id, &name, &password);
            let mut fields = Elements(Elements(&bytes).take(SEQUENCE).unwrap());
            fields.take(INTEGER).unwrap();
            let mut request = Elements(fields.take(BIND).unwrap());
            prop_assert_eq!(request.take(INTEGER), Some(&[3][..]));
            prop_assert_eq!(request.take(OCTETS), Some(name.as_bytes()));
            prop_assert_eq!(request.take(FIRST), Some(password.as_bytes()));
        }
    }
}
