//! The one canonical path of a request: what policy checks and what the router follows are the same value.
//!
//! ```text
//! request target ─► split at '?' ─► decode once ─► refuse whatever a second reader could take for another path
//! ```

use thiserror::Error;

/// Longest request target, in bytes.
pub const TARGET_BYTES_MAX: usize = 4096;
/// Most segments of a path.
pub const SEGMENTS_MAX: usize = 32;

/// Why a request target is refused. The sender's fault; the answer is 400, or 414 for [`BadPath::TooLong`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadPath {
    /// Longer than [`TARGET_BYTES_MAX`], or more segments than [`SEGMENTS_MAX`].
    #[error("request target is too long")]
    TooLong,
    /// It does not begin with `/`, or holds a byte that a target cannot hold.
    #[error("request target is not an absolute path")]
    NotAPath,
    /// `%` without two hexadecimal digits, or an escape that hides `/`, `\`, `%` or a control character.
    #[error("escape in path is malformed or hides a special character")]
    Escape,
    /// Not UTF-8 once decoded, or not in its shortest form.
    #[error("path is not UTF-8")]
    Text,
    /// `.` or `..` or nothing between two slashes.
    #[error("path has an empty or dot segment")]
    Segment,
    /// `;` in a segment: some readers cut there.
    #[error("path has parameters")]
    Parameters,
}

/// A decoded path that has only one reading, and the query as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    decoded: String,
    query: Option<String>,
}

impl Path {
    /// Reads the target of a request line in origin form.
    ///
    /// # Errors
    /// [`BadPath`], naming the first clause that is broken.
    pub fn parse(target: &str) -> Result<Self, BadPath> {
        if target.len() > TARGET_BYTES_MAX {
            return Err(BadPath::TooLong);
        }
        let (raw, query) = target.split_once('?').map_or((target, None), |(raw, query)| (raw, Some(query)));
        let allowed = |b: u8| b.is_ascii_graphic() && b != b'#' && b != b'\\';
        if !raw.starts_with('/') || !target.bytes().all(allowed) {
            return Err(BadPath::NotAPath);
        }
        let decoded = decode(raw)?;
        // Those that take two bytes, U+0080 to U+009F: terminals obey them, too.
        if decoded.chars().any(char::is_control) {
            return Err(BadPath::Escape);
        }
        if decoded.contains(';') {
            return Err(BadPath::Parameters);
        }
        let inner = decoded.get(1..).unwrap_or_default();
        let segments = inner.strip_suffix('/').unwrap_or(inner);
        if segments.split('/').count() > SEGMENTS_MAX {
            return Err(BadPath::TooLong);
        }
        let root = inner.is_empty();
        if !root && segments.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            return Err(BadPath::Segment);
        }
        Ok(Self { decoded, query: query.map(str::to_owned) })
    }

    /// The decoded path, beginning with `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.decoded
    }

    /// The query as it came, to be read as a [`Form`](crate::form::Form).
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// Whether it is `path` but for the case of ASCII letters, as for the STA and the XML Service.
    #[must_use]
    pub fn is_any_case(&self, path: &str) -> bool {
        self.decoded.eq_ignore_ascii_case(path)
    }

    /// The segment that follows `prefix`, if it is the last one: `/portal/launch/` and `/portal/launch/Notepad`
    /// give `Notepad`.
    #[must_use]
    pub fn last_after(&self, prefix: &str) -> Option<&str> {
        self.decoded.strip_prefix(prefix).filter(|rest| !rest.is_empty() && !rest.contains('/'))
    }
}

fn decode(raw: &str) -> Result<String, BadPath> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let (digits, after) = after.split_first_chunk::<2>().ok_or(BadPath::Escape)?;
        rest = after;
        let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
        let (Some(high), Some(low)) = (value(digits[0]), value(digits[1])) else { return Err(BadPath::Escape) };
        let byte = high << 4 | low;
        if byte.is_ascii_control() || matches!(byte, b'/' | b'\\' | b'%') {
            return Err(BadPath::Escape);
        }
        bytes.push(byte);
    }
    // The decoder of the standard library refuses overlong forms and surrogates.
    String::from_utf8(bytes).map_err(|_| BadPath::Text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_paths_are_read() {
        for (target, path, query) in [
            ("/", "/", None),
            ("/vpn/index.html", "/vpn/index.html", None),
            ("/cgi/setclient?wica", "/cgi/setclient", Some("wica")),
            ("/portal/", "/portal/", None),
            ("/a%20b/%C3%BC?x=%2f..", "/a b/ü", Some("x=%2f..")),
            ("/a...b/.c", "/a...b/.c", None),
            ("/?", "/", Some("")),
        ] {
            let read = Path::parse(target).unwrap();
            assert_eq!((read.as_str(), read.query()), (path, query), "{target}");
        }
        assert!(Path::parse("/Scripts/CtxSTA.dll").unwrap().is_any_case("/scripts/ctxsta.dll"));
        assert_eq!(Path::parse("/launch/a%20b").unwrap().last_after("/launch/"), Some("a b"));
        assert_eq!(Path::parse("/launch/a/b").unwrap().last_after("/launch/"), None);
        assert_eq!(Path::parse("/launch/").unwrap().last_after("/launch/"), None);
    }

    #[test]
    fn whatever_has_two_readings_is_refused() {
        let long = format!("/{}", "a".repeat(TARGET_BYTES_MAX));
        let deep = "/a".repeat(SEGMENTS_MAX + 1);
        for (target, why) in [
            ("", BadPath::NotAPath),
            ("*", BadPath::NotAPath),
            ("a", BadPath::NotAPath),
            ("http://gw.example.test/", BadPath::NotAPath),
            ("/a b", BadPath::NotAPath),
            ("/a\tb", BadPath::NotAPath),
            ("/a\r\nb", BadPath::NotAPath),
            ("/ü", BadPath::NotAPath),
            ("/a#b", BadPath::NotAPath),
            ("/a\\b", BadPath::NotAPath),
            ("/a?\\", BadPath::NotAPath),
            ("/%", BadPath::Escape),
            ("/%2", BadPath::Escape),
            ("/%zz", BadPath::Escape),
            ("/%+1", BadPath::Escape),
            ("/a%2fb", BadPath::Escape),
            ("/a%2Fb", BadPath::Escape),
            ("/a%5cb", BadPath::Escape),
            ("/a%00", BadPath::Escape),
            ("/a%0d%0aSet-Cookie:x", BadPath::Escape),
            ("/%252e%252e/", BadPath::Escape),
            ("/%c2%8ae", BadPath::Escape),
            ("/%C2%9B2J", BadPath::Escape),
            ("/%c0%ae%c0%ae/", BadPath::Text),
            ("/%ff", BadPath::Text),
            ("/%ed%a0%80", BadPath::Text),
            ("/../a", BadPath::Segment),
            ("/a/..", BadPath::Segment),
            ("/a/%2e%2e/b", BadPath::Segment),
            ("/a/./b", BadPath::Segment),
            ("//", BadPath::Segment),
            ("//host/a", BadPath::Segment),
            ("/a//b", BadPath::Segment),
            ("/vpn/../vpns/", BadPath::Segment),
            ("/vpn;x/index.html", BadPath::Parameters),
            ("/vpn%3bx/index.html", BadPath::Parameters),
            (long.as_str(), BadPath::TooLong),
            (deep.as_str(), BadPath::TooLong),
        ] {
            assert_eq!(Path::parse(target), Err(why), "{target:.48}");
        }
    }

    proptest! {
        /// Escaping the result and reading it again changes nothing: there is no second decoding left to do.
        #[test]
        fn canonical_is_canonical(target in "/[a-c./%2eEfF5cC0;?]{0,24}") {
            if let Ok(path) = Path::parse(&target) {
                let plain = |b: u8| b.is_ascii_alphanumeric() || b"./_-".contains(&b);
                let escape = |b: u8| if plain(b) { char::from(b).to_string() } else { format!("%{b:02x}") };
                let escaped: String = path.as_str().bytes().map(escape).collect();
                let again = Path::parse(&escaped).unwrap();
                prop_assert_eq!(again.as_str(), path.as_str());
                prop_assert!(!path.as_str().contains("/../") && !path.as_str().contains("//"));
            }
        }

        #[test]
        fn arbitrary_text_is_answered(target in any::<String>()) {
            let _answered = Path::parse(&target);
        }
    }
}
