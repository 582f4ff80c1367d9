//! Form bodies, `application/x-www-form-urlencoded`.
//!
//! A field that is absent, one without `=`, one with nothing after it and one with a text are four different
//! things, and a field given twice is an error: answers built from a value that was not there have leaked memory
//! and let people in elsewhere. Values may be passwords, so they are cleared on drop and never shown.

use std::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// Longest body, in bytes.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// Most fields of one form.
pub const FIELDS_MAX: usize = 32;
/// Longest name of a field, in bytes after decoding.
pub const NAME_BYTES_MAX: usize = 128;

/// Why a body is not a form. The sender's fault; the answer is 400, or 413 for [`BadForm::TooLong`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadForm {
    /// Longer than [`BODY_BYTES_MAX`].
    #[error("form has {0} bytes, {BODY_BYTES_MAX} are allowed")]
    TooLong(usize),
    /// More fields than [`FIELDS_MAX`].
    #[error("form has more than {FIELDS_MAX} fields")]
    TooManyFields,
    /// A field without a name, or with one longer than [`NAME_BYTES_MAX`].
    #[error("name of a form field is empty or too long")]
    Name,
    /// `%` without two hexadecimal digits, or a byte that must be escaped.
    #[error("form is not urlencoded")]
    Escape,
    /// A value that is not UTF-8 or holds NUL.
    #[error("form field is not text")]
    Text,
    /// The same name twice.
    #[error("form field is given twice")]
    Repeated,
}

/// What a form says about one field.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Field<'f> {
    /// Nothing.
    Absent,
    /// `name` without `=`.
    Bare,
    /// `name=` with nothing behind it.
    Empty,
    /// `name=text`
    Text(&'f str),
}

/// A form whose fields have been decoded and counted.
pub struct Form {
    fields: Vec<(String, Option<Zeroizing<String>>)>,
}

impl Form {
    /// Reads a body, or the query of a URL, which has the same form.
    ///
    /// # Errors
    /// [`BadForm`], naming the first clause that is broken.
    pub fn parse(body: &[u8]) -> Result<Self, BadForm> {
        if body.len() > BODY_BYTES_MAX {
            return Err(BadForm::TooLong(body.len()));
        }
        let mut fields: Vec<(String, Option<Zeroizing<String>>)> = Vec::new();
        for piece in body.split(|&b| b == b'&').filter(|piece| !piece.is_empty()) {
            if fields.len() >= FIELDS_MAX {
                return Err(BadForm::TooManyFields);
            }
            let (name, value) = match piece.iter().position(|&b| b == b'=') {
                Some(at) => (&piece[..at], Some(decode(&piece[at + 1..])?)),
                None => (piece, None),
            };
            let name = decode(name)?;
            if name.is_empty() || name.len() > NAME_BYTES_MAX {
                return Err(BadForm::Name);
            }
            if fields.iter().any(|(held, _)| *held == *name) {
                return Err(BadForm::Repeated);
            }
            fields.push((name.to_string(), value));
        }
        Ok(Self { fields })
    }

    /// What is said about `name`.
    #[must_use]
    pub fn field(&self, name: &str) -> Field<'_> {
        match self.fields.iter().find(|(held, _)| held == name) {
            None => Field::Absent,
            Some((_, None)) => Field::Bare,
            Some((_, Some(value))) if value.is_empty() => Field::Empty,
            Some((_, Some(value))) => Field::Text(value),
        }
    }

    /// The text of `name`, if there is one.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.field(name) {
            Field::Text(text) => Some(text),
            Field::Absent | Field::Bare | Field::Empty => None,
        }
    }

    /// The text of `name` as a secret, if there is one.
    #[must_use]
    pub fn secret(&self, name: &str) -> Option<Secret> {
        self.text(name).map(Secret::from)
    }

    /// The names of all fields, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|(name, _)| name.as_str())
    }
}

/// Names only.
impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

/// Shows which of the four it is, not the text.
impl fmt::Debug for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "Absent",
            Self::Bare => "Bare",
            Self::Empty => "Empty",
            Self::Text(_) => "Text(…)",
        })
    }
}

/// Writes a body of `fields`.
#[must_use]
pub fn encode(fields: &[(&str, &str)]) -> String {
    let pieces: Vec<_> = fields.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
    pieces.join("&")
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => escaped.push('+'),
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => escaped.push(char::from(byte)),
            _ => {
                escaped.push('%');
                escaped.push(char::from(hex_digit(byte >> 4)));
                escaped.push(char::from(hex_digit(byte & 0x0F)));
            }
        }
    }
    escaped
}

fn hex_digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 }
}

fn decode(raw: &[u8]) -> Result<Zeroizing<String>, BadForm> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(raw.len()));
    let mut rest = raw;
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        bytes.push(match first {
            b'+' => b' ',
            b'%' => {
                let (digits, after) = after.split_first_chunk::<2>().ok_or(BadForm::Escape)?;
                rest = after;
                hex_value(digits[0])? << 4 | hex_value(digits[1])?
            }
            // Browsers escape these; what arrives raw was not made by one, or is half of something else.
            0x00..=0x20 | 0x7F => return Err(BadForm::Escape),
            other => other,
        });
    }
    let text = str::from_utf8(&bytes).map_err(|_| BadForm::Text)?;
    if text.contains('\0') { Err(BadForm::Text) } else { Ok(Zeroizing::new(text.to_owned())) }
}

fn hex_value(digit: u8) -> Result<u8, BadForm> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(BadForm::Escape),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_four_states_of_a_field() {
        let form = Form::parse(b"login=alice%40demo&passwd=a+b%26c&&bare&empty=").unwrap();
        assert_eq!(form.field("login"), Field::Text("alice@demo"));
        assert_eq!(form.secret("passwd").unwrap().expose(), "a b&c");
        assert_eq!(form.field("bare"), Field::Bare);
        assert_eq!(form.field("empty"), Field::Empty);
        assert_eq!(form.field("Login"), Field::Absent);
        assert_eq!(form.text("empty"), None);
        assert_eq!(format!("{form:?}"), r#"["login", "passwd", "bare", "empty"]"#);
        assert_eq!(format!("{:?}", form.field("passwd")), "Text(…)");
    }

    #[test]
    fn each_broken_clause_has_its_name() {
        let many = |count: usize| (0..count).map(|n| format!("f{n}=1")).collect::<Vec<_>>().join("&");
        Form::parse(many(FIELDS_MAX).as_bytes()).unwrap();
        Form::parse(format!("{}=", "n".repeat(NAME_BYTES_MAX)).as_bytes()).unwrap();
        for (body, why) in [
            (many(FIELDS_MAX + 1), BadForm::TooManyFields),
            ("x".repeat(BODY_BYTES_MAX + 1), BadForm::TooLong(BODY_BYTES_MAX + 1)),
            ("n".repeat(NAME_BYTES_MAX + 1), BadForm::Name),
            ("=x".into(), BadForm::Name),
            ("login=a&login=b".into(), BadForm::Repeated),
            ("login=a&%6cogin".into(), BadForm::Repeated),
            ("a=%".into(), BadForm::Escape),
            ("a=%4".into(), BadForm::Escape),
            ("a=%+1".into(), BadForm::Escape),
            ("a=b\r\nc".into(), BadForm::Escape),
            ("a=%00".into(), BadForm::Text),
            ("a=%FF".into(), BadForm::Text),
            ("a=%C0%AF".into(), BadForm::Text),
        ] {
            assert_eq!(Form::parse(body.as_bytes()).unwrap_err(), why, "{body:.32}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(values in prop::collection::vec("[^\0]{0,32}", 0..8)) {
            let names: Vec<_> = (0..values.len()).map(|n| format!("feld ü{n}")).collect();
            let fields: Vec<_> = names.iter().map(String::as_str).zip(values.iter().map(String::as_str)).collect();
            let form = Form::parse(encode(&fields).as_bytes()).unwrap();
            for (name, value) in fields {
                prop_assert_eq!(form.text(name).unwrap_or_default(), value);
                prop_assert_ne!(form.field(name), Field::Absent);
            }
        }

        #[test]
        fn arbitrary_bytes_are_answered(body in prop::collection::vec(any::<u8>(), 0..256)) {
            let _answered = Form::parse(&body);
        }
    }
}
