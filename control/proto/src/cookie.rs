//! Cookies: what a browser sends back, and the only two ways in which we set one.
//!
//! ```text
//! Cookie: __Host-SG=…; NSC_AAAC=…        ─► Cookies::parse     caps; a name sent twice has no value
//! Set-Cookie: __Host-SG=…; Path=/; Secure; HttpOnly; SameSite=Lax    ◄─ set, clear
//! ```

use std::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

/// Most cookies of one request.
pub const COOKIES_MAX: usize = 32;
/// Longest `Cookie` header, in bytes.
pub const HEADER_BYTES_MAX: usize = 8 * 1024;
/// Longest value that we set, in bytes. Browsers keep 4,096 for name, value and attributes.
pub const VALUE_BYTES_MAX: usize = 3072;
/// Longest name that we set, in bytes.
pub const NAME_BYTES_MAX: usize = 64;

/// Why a `Cookie` header is refused. The sender's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadCookies {
    /// Longer than [`HEADER_BYTES_MAX`].
    #[error("cookies have more than {HEADER_BYTES_MAX} bytes")]
    TooLong,
    /// More than [`COOKIES_MAX`].
    #[error("more than {COOKIES_MAX} cookies")]
    TooMany,
    /// Without `=`, without a name, or with a byte that cookies cannot hold.
    #[error("malformed cookie")]
    Malformed,
}

/// Why a cookie cannot be set. Our fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadSetCookie {
    /// Empty, too long, or not a token.
    #[error("cookie name is not a token of at most {NAME_BYTES_MAX} bytes")]
    Name,
    /// Too long, or with a byte that cookies cannot hold.
    #[error("cookie value holds a forbidden byte or has more than {VALUE_BYTES_MAX}")]
    Value,
}

/// The cookies of one request.
#[derive(Default)]
pub struct Cookies {
    all: Vec<(String, Zeroizing<String>)>,
}

impl Cookies {
    /// Reads the value of a `Cookie` header.
    ///
    /// # Errors
    /// [`BadCookies`].
    pub fn parse(header: &[u8]) -> Result<Self, BadCookies> {
        if header.len() > HEADER_BYTES_MAX {
            return Err(BadCookies::TooLong);
        }
        let mut all = Vec::new();
        for piece in header.split(|&b| b == b';').map(<[u8]>::trim_ascii).filter(|piece| !piece.is_empty()) {
            if all.len() >= COOKIES_MAX {
                return Err(BadCookies::TooMany);
            }
            let at = piece.iter().position(|&b| b == b'=').ok_or(BadCookies::Malformed)?;
            let (name, value) = (&piece[..at], &piece[at + 1..]);
            let value = value.strip_prefix(b"\"").and_then(|inner| inner.strip_suffix(b"\"")).unwrap_or(value);
            if name.is_empty() || !name.iter().copied().all(is_token) || !value.iter().copied().all(is_sent_value) {
                return Err(BadCookies::Malformed);
            }
            // Both are ASCII now.
            let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
            all.push((text(name), Zeroizing::new(text(value))));
        }
        Ok(Self { all })
    }

    /// The value of `name`. A name that was sent twice has none: a foreign cookie for the parent domain must not
    /// get a say, and there is no telling which is ours.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        let mut found = self.all.iter().filter(|(held, _)| held == name);
        let first = found.next();
        if found.next().is_some() { None } else { first.map(|(_, value)| value.as_str()) }
    }
}

/// Names only.
impl fmt::Debug for Cookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all.iter().map(|(name, _)| name)).finish()
    }
}

const ATTRIBUTES: &str = "; Path=/; Secure; HttpOnly; SameSite=Lax";

/// The value of a `Set-Cookie` header: for this host alone, over TLS alone, out of reach of scripts, until the
/// browser is closed. `name` gets the prefix `__Host-`, with which browsers enforce the first two.
///
/// # Errors
/// [`BadSetCookie`].
pub fn set(name: &str, value: &str) -> Result<String, BadSetCookie> {
    set_exact(&format!("__Host-{name}"), value)
}

/// The same without the prefix, for names that other programs look for.
///
/// # Errors
/// [`BadSetCookie`].
pub fn set_exact(name: &str, value: &str) -> Result<String, BadSetCookie> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(is_token) {
        return Err(BadSetCookie::Name);
    }
    if value.len() > VALUE_BYTES_MAX || !value.bytes().all(is_value) {
        return Err(BadSetCookie::Value);
    }
    Ok(format!("{name}={value}{ATTRIBUTES}"))
}

/// The same for so many seconds.
///
/// # Errors
/// [`BadSetCookie`].
pub fn set_exact_for(name: &str, value: &str, seconds: u32) -> Result<String, BadSetCookie> {
    Ok(format!("{}; Max-Age={seconds}", set_exact(name, value)?))
}

/// The value of a `Set-Cookie` header that makes the browser forget what [`set`] set.
///
/// # Errors
/// [`BadSetCookie::Name`].
pub fn clear(name: &str) -> Result<String, BadSetCookie> {
    set(name, "").map(|cookie| cookie + "; Max-Age=0")
}

/// The value of a `Set-Cookie` header that makes the browser forget what [`set_exact`] set.
///
/// # Errors
/// [`BadSetCookie::Name`].
pub fn clear_exact(name: &str) -> Result<String, BadSetCookie> {
    set_exact(name, "").map(|cookie| cookie + "; Max-Age=0")
}

/// Name and value of a `Set-Cookie` header, for a client of ours. `None` for the value means: forget it.
#[must_use]
pub fn read_set_cookie(header: &str) -> Option<(&str, Option<&str>)> {
    let mut pieces = header.split(';').map(str::trim);
    let (name, value) = pieces.next()?.split_once('=')?;
    let gone = pieces.any(|attribute| attribute.eq_ignore_ascii_case("max-age=0"));
    Some((name, (!gone).then_some(value)))
}

fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

/// cookie-octet of RFC 6265.
fn is_value(b: u8) -> bool {
    matches!(b, 0x21 | 0x23..=0x2B | 0x2D..=0x3A | 0x3C..=0x5B | 0x5D..=0x7E)
}

/// What other servers of the same name set is not ours to judge, as long as it is printable.
fn is_sent_value(b: u8) -> bool {
    matches!(b, 0x20..=0x7E)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_sent_twice_has_no_value() {
        let cookies = Cookies::parse(b"__Host-SG=abc; a=\"q\";b=x y; empty=; b=2;").unwrap();
        assert_eq!(cookies.value("__Host-SG"), Some("abc"));
        assert_eq!(cookies.value("a"), Some("q"));
        assert_eq!(cookies.value("b"), None);
        assert_eq!(cookies.value("empty"), Some(""));
        assert_eq!(cookies.value("absent"), None);
        assert_eq!(format!("{cookies:?}"), r#"["__Host-SG", "a", "b", "empty", "b"]"#);
    }

    #[test]
    fn each_broken_clause_has_its_name() {
        let many = |count: usize| vec!["a=1"; count].join("; ");
        Cookies::parse(many(COOKIES_MAX).as_bytes()).unwrap();
        for (header, why) in [
            (many(COOKIES_MAX + 1), BadCookies::TooMany),
            ("x".repeat(HEADER_BYTES_MAX + 1), BadCookies::TooLong),
            ("a".into(), BadCookies::Malformed),
            ("=a".into(), BadCookies::Malformed),
            ("a b=c".into(), BadCookies::Malformed),
            ("a=b\r\nc".into(), BadCookies::Malformed),
            ("a=ü".into(), BadCookies::Malformed),
        ] {
            assert_eq!(Cookies::parse(header.as_bytes()).unwrap_err(), why, "{header:.32}");
        }
    }

    #[test]
    fn what_is_set_is_locked_down() {
        assert_eq!(set("SG", "abc").unwrap(), "__Host-SG=abc; Path=/; Secure; HttpOnly; SameSite=Lax");
        assert_eq!(clear("SG").unwrap(), "__Host-SG=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0");
        assert_eq!(clear_exact("NSC_AAAC").unwrap(), "NSC_AAAC=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0");
        for value in ["a b", "a;b", "a,b", "a\r\nSet-Cookie: b=c", "a\"", "ü", &"x".repeat(VALUE_BYTES_MAX + 1)] {
            assert_eq!(set("SG", value), Err(BadSetCookie::Value), "{value:.16}");
        }
        for name in ["", "a b", "a=b", "a;b", &"n".repeat(NAME_BYTES_MAX + 1)] {
            assert_eq!(set_exact(name, "x"), Err(BadSetCookie::Name), "{name:.16}");
        }
        assert_eq!(read_set_cookie(&set("SG", "abc").unwrap()), Some(("__Host-SG", Some("abc"))));
        assert_eq!(read_set_cookie(&clear("SG").unwrap()), Some(("__Host-SG", None)));
    }

    proptest! {
        #[test]
        fn what_is_set_comes_back(name in "[A-Za-z_]{1,16}", value in "[A-Za-z0-9+/=_.-]{0,64}") {
            let set = set(&name, &value).unwrap();
            let (name, value_set) = read_set_cookie(&set).unwrap();
            let sent = format!("{name}={}", value_set.unwrap());
            let cookies = Cookies::parse(sent.as_bytes()).unwrap();
            prop_assert_eq!(cookies.value(name), Some(value.as_str()));
        }

        #[test]
        fn arbitrary_bytes_are_answered(header in prop::collection::vec(any::<u8>(), 0..256)) {
            let _answered = Cookies::parse(&header);
        }
    }
}
