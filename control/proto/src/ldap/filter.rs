//! Search filters (RFC 4515): the one place where a text from outside gets into one.

use std::fmt::Write as _;

/// `text` as a value in a filter: it stands for itself, whatever it holds.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '*' | '(' | ')' | '\\' | '\0'..='\x1f' | '\x7f' => {
                let _ = write!(escaped, "\\{:02x}", u32::from(character));
            }
            other => escaped.push(other),
        }
    }
    escaped
}

/// The filter `attribute` equals `value`. The attribute is the operator's, the value anybody's.
#[must_use]
pub fn equals(attribute: &str, value: &str) -> String {
    format!("({attribute}={})", escape(value))
}

/// Both must hold; `more` is the operator's, whose outer parentheses may be missing.
#[must_use]
pub fn and(filter: &str, more: Option<&str>) -> String {
    match more {
        None => filter.to_owned(),
        Some(more) => format!("(&{filter}{})", enclosed(more)),
    }
}

/// One of them must hold.
#[must_use]
pub fn or(filters: &[String]) -> String {
    format!("(|{})", filters.concat())
}

/// An operator's filter with its outer parentheses.
#[must_use]
pub fn enclosed(filter: &str) -> String {
    let filter = filter.trim();
    if filter.starts_with('(') { filter.to_owned() } else { format!("({filter})") }
}

/// Whether a text can be the name of an attribute (RFC 4512 §2.5): letters, digits, hyphens; or numbers with points.
#[must_use]
pub fn is_attribute(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 256
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b';'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads a value back, as RFC 4515 says: a backslash and two digits are a byte.
    fn unescape(text: &str) -> Vec<u8> {
        let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
        while let Some((&byte, behind)) = rest.split_first() {
            if byte == b'\\' {
                bytes.push(u8::from_str_radix(str::from_utf8(&behind[..2]).unwrap(), 16).unwrap());
                rest = &behind[2..];
            } else {
                bytes.push(byte);
                rest = behind;
            }
        }
        bytes
    }

    #[test]
    fn what_means_something_is_escaped() {
        assert_eq!(equals("uid", "*)(uid=*))(|(uid=*"), r"(uid=\2a\29\28uid=\2a\29\29\28|\28uid=\2a)");
        assert_eq!(escape("a\\b\0c"), r"a\5cb\00c");
        assert_eq!(escape("jürgen"), "jürgen");
    }

    #[test]
    fn outer_parentheses_may_be_missing() {
        let user = equals("uid", "ann");
        assert_eq!(and(&user, None), "(uid=ann)");
        assert_eq!(and(&user, Some("objectClass=person")), "(&(uid=ann)(objectClass=person))");
        assert_eq!(and(&user, Some(" (&(a=b)(c=d)) ")), "(&(uid=ann)(&(a=b)(c=d)))");
        assert_eq!(or(&[equals("cn", "a"), equals("cn", "b")]), "(|(cn=a)(cn=b))");
    }

    #[test]
    fn attributes_are_names() {
        for name in ["sAMAccountName", "memberOf", "2.5.4.3", "userCertificate;binary"] {
            assert!(is_attribute(name), "{name}");
        }
        for name in ["", "uid)(a", "u=id", "uid*", "jür", "a b"] {
            assert!(!is_attribute(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn a_value_reads_back_and_holds_nothing_that_means_something(text in any::<String>()) {
            let escaped = escape(&text);
            prop_assert!(!escaped.contains(['*', '(', ')']) && !escaped.chars().any(|c| c.is_ascii_control()));
            prop_assert_eq!(unescape(&escaped), text.into_bytes());
        }
    }
}
