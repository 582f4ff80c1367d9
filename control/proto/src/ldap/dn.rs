//! Distinguished names (RFC 4514): the value of an attribute in the first component, which is how groups get their names.
//!
//! ```text
//!   cn=Admins\, first,ou=Groups,dc=example      cn ─► Admins, first
//!   cn=Ann+uid=ann,ou=People,dc=example         uid ─► ann
//! ```

/// The value of `attribute` in the first component of `dn`. `None`: it has no such part, is no name, or the value is not text.
#[must_use]
pub fn first(dn: &str, attribute: &str) -> Option<String> {
    let mut rest = dn;
    loop {
        let (kind, behind) = rest.split_once('=')?;
        let (value, end) = value(behind.trim_start_matches(' '))?;
        if kind.trim_matches(' ').eq_ignore_ascii_case(attribute) {
            return String::from_utf8(value).ok().filter(|value| !value.is_empty());
        }
        rest = end.strip_prefix('+')?;
    }
}

/// Reads a value, up to and without the character that ends it.
fn value(text: &str) -> Option<(Vec<u8>, &str)> {
    if let Some(hexadecimal) = text.strip_prefix('#') {
        // The value in BER: a string of some kind, short enough for a length of one byte.
        let end = hexadecimal.find([',', '+', ';']).unwrap_or(hexadecimal.len());
        let bytes = bytes(hexadecimal[..end].trim_end_matches(' '))?;
        let [_, length, contents @ ..] = &bytes[..] else { return None };
        return (usize::from(*length) == contents.len()).then(|| (contents.to_vec(), &hexadecimal[end..]));
    }
    let (mut value, mut kept, mut rest) = (Vec::new(), 0, text);
    while let Some(character) = rest.chars().next() {
        match character {
            ',' | '+' | ';' => break,
            '\\' => {
                let behind = &rest[1..];
                if let Some(byte) = behind.get(..2).and_then(bytes) {
                    value.extend(byte);
                    rest = &behind[2..];
                } else {
                    let escaped = behind.chars().next()?;
                    value.extend_from_slice(escaped.encode_utf8(&mut [0; 4]).as_bytes());
                    rest = &behind[escaped.len_utf8()..];
                }
                // A blank at the end counts if it was escaped.
                kept = value.len();
            }
            '\0' => return None,
            plain => {
                value.extend_from_slice(plain.encode_utf8(&mut [0; 4]).as_bytes());
                rest = &rest[plain.len_utf8()..];
                if plain != ' ' {
                    kept = value.len();
                }
            }
        }
    }
    value.truncate(kept);
    Some((value, rest))
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.as_bytes();
    let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_component_names_a_group() {
        for (dn, attribute, wanted) in [
            ("cn=Admins,ou=Groups,dc=example", "cn", Some("Admins")),
            ("CN=Admins,OU=Groups", "cn", Some("Admins")),
            ("cn = Admins , ou=Groups", "cn", Some("Admins")),
            ("cn=Ann+uid=ann,ou=People", "uid", Some("ann")),
            (r"cn=Sales\, North,ou=Groups", "cn", Some("Sales, North")),
            (r"cn=Sales\2c North,ou=Groups", "cn", Some("Sales, North")),
            (r"cn=J\c3\bcrgen,ou=Groups", "cn", Some("Jürgen")),
            (r"cn=blank\ ,ou=Groups", "cn", Some("blank ")),
            (r"cn=#04024869,ou=Groups", "cn", Some("Hi")),
            (r"cn=one two", "cn", Some("one two")),
            ("cn=Admins;ou=Groups", "cn", Some("Admins")),
            ("ou=Groups,cn=Admins", "cn", None),
            ("cn=,ou=Groups", "cn", None),
            ("Admins", "cn", None),
            ("", "cn", None),
            (r"cn=\ff,ou=Groups", "cn", None),
            (r"cn=#0409,ou=Groups", "cn", None),
            (r"cn=Admins\", "cn", None),
        ] {
            assert_eq!(first(dn, attribute).as_deref(), wanted, "{dn}");
        }
    }

    /// As RFC 4514 §2.4 says.
    fn write(value: &str) -> String {
        let mut written = String::new();
        for (at, character) in value.char_indices() {
            let is_edge = at == 0 || at + character.len_utf8() == value.len();
            match character {
                '\0' => written.push_str("\\00"),
                '"' | '+' | ',' | ';' | '<' | '>' | '\\' => written.extend(['\\', character]),
                '#' | ' ' if is_edge => written.extend(['\\', character]),
                plain => written.push(plain),
            }
        }
        written
    }

    proptest! {
        #[test]
        fn a_value_reads_back(value in "[^\0]{1,20}") {
            let dn = format!("cn={},ou=Groups", write(&value));
            prop_assert_eq!(first(&dn, "cn"), Some(value));
        }

        #[test]
        fn any_text_is_read(text in any::<String>(), odd in "[cn=\\\\#,+; 0-9a-f]{0,30}") {
            let _ = (first(&text, "cn"), first(&odd, "cn"));
        }
    }
}
