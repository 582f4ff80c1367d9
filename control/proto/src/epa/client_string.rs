//! One thing that a client's machine is asked.
//!
//! ```text
//!   proc_2_firefox[COMMENT: the browser]
//!   │    │ └ body: the client's business          └ for people; is not sent
//!   │    └ minutes until it is asked again; 0: once
//!   └ kind
//! ```

use std::fmt;

use thiserror::Error;

/// Longest string as it is sent, in bytes. One of the lists of MAC addresses with 70 entries has about 1,000.
pub const CLIENT_STRING_BYTES_MAX: usize = 4096;
/// Longest kind, in bytes.
pub const KIND_BYTES_MAX: usize = 32;
/// Longest interval, in minutes: a week.
pub const INTERVAL_MINUTES_MAX: u16 = 7 * 24 * 60;

/// What is asked about. The set is open: a kind that we do not know is passed on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `proc`: a process runs.
    Process,
    /// `file`: a file is there.
    File,
    /// `reg`: a value of the registry.
    Registry,
    /// `svc`: a service runs.
    Service,
    /// `sys`: the system, its addresses, its domain.
    System,
    /// `app`: a product.
    Application,
    /// `device-cert`: the machine's certificate.
    DeviceCertificate,
    /// Another, as written.
    Other(String),
}

impl Kind {
    /// As it stands in a string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Process => "proc",
            Self::File => "file",
            Self::Registry => "reg",
            Self::Service => "svc",
            Self::System => "sys",
            Self::Application => "app",
            Self::DeviceCertificate => "device-cert",
            Self::Other(word) => word,
        }
    }

    fn of(word: &str) -> Self {
        let known =
            [Self::Process, Self::File, Self::Registry, Self::Service, Self::System, Self::Application, Self::DeviceCertificate];
        known.into_iter().find(|kind| kind.as_str() == word).unwrap_or_else(|| Self::Other(word.to_owned()))
    }
}

/// A checked string.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientString {
    kind: Kind,
    interval_minutes: u16,
    body: String,
}

/// Why a text is no client string. The operator's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadClientString {
    /// Without its comment it is longer than [`CLIENT_STRING_BYTES_MAX`].
    #[error("client string has more than {CLIENT_STRING_BYTES_MAX} bytes")]
    TooLong,
    /// Not `type_interval_body`.
    #[error("client string is not type_interval_body")]
    Shape,
    /// Letters, digits and `-`, up to [`KIND_BYTES_MAX`].
    #[error("type of a client string is letters, digits and -, at most {KIND_BYTES_MAX}")]
    Kind,
    /// Not a number of minutes up to [`INTERVAL_MINUTES_MAX`].
    #[error("interval of a client string is 0 to {INTERVAL_MINUTES_MAX} minutes")]
    Interval,
    /// `;` ends a string in the list, and a control character could end a header.
    #[error("client string holds ; or a control character")]
    Character,
}

impl ClientString {
    /// Reads a string as it stands in an expression. A comment at its end is dropped.
    ///
    /// # Errors
    /// [`BadClientString`], naming the first rule that is broken.
    pub fn parse(text: &str) -> Result<Self, BadClientString> {
        let text = without_comment(text);
        if text.len() > CLIENT_STRING_BYTES_MAX {
            return Err(BadClientString::TooLong);
        }
        if text.contains(|c: char| c == ';' || c.is_control()) {
            return Err(BadClientString::Character);
        }
        let (kind, rest) = text.split_once('_').ok_or(BadClientString::Shape)?;
        let (interval, body) = rest.split_once('_').ok_or(BadClientString::Shape)?;
        if body.is_empty() {
            return Err(BadClientString::Shape);
        }
        let is_kind = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if kind.is_empty() || kind.len() > KIND_BYTES_MAX || !kind.bytes().all(is_kind) {
            return Err(BadClientString::Kind);
        }
        Self::new(Kind::of(kind), minutes(interval)?, body)
    }

    /// A string of its parts.
    ///
    /// # Errors
    /// [`BadClientString`], naming the first rule that is broken.
    pub(super) fn new(kind: Kind, interval_minutes: u16, body: &str) -> Result<Self, BadClientString> {
        let made = Self { kind, interval_minutes, body: body.to_owned() };
        if body.is_empty() {
            return Err(BadClientString::Shape);
        }
        if body.contains(|c: char| c == ';' || c.is_control()) {
            return Err(BadClientString::Character);
        }
        if made.to_string().len() > CLIENT_STRING_BYTES_MAX { Err(BadClientString::TooLong) } else { Ok(made) }
    }

    /// What is asked about.
    #[must_use]
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Minutes until it is asked again; `None` if it is asked once.
    #[must_use]
    pub fn interval_minutes(&self) -> Option<u16> {
        Some(self.interval_minutes).filter(|minutes| *minutes > 0)
    }

    /// What the client is to look for. Only the client understands it.
    #[must_use]
    pub fn body(&self) -> &str {
        &self.body
    }
}

/// As it is sent.
impl fmt::Display for ClientString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}_{}", self.kind.as_str(), self.interval_minutes, self.body)
    }
}

/// `text` without a `[COMMENT: …]` at its end and the white space in front of that.
pub(super) fn without_comment(text: &str) -> &str {
    let tail = text.trim_end();
    match tail.find("[COMMENT:") {
        Some(at) if tail.ends_with(']') => tail[..at].trim_end(),
        _ => text,
    }
}

/// A number of minutes in decimal digits.
pub(super) fn minutes(text: &str) -> Result<u16, BadClientString> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let minutes = text.parse().ok().filter(|minutes| digits && *minutes <= INTERVAL_MINUTES_MAX);
    minutes.ok_or(BadClientString::Interval)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn published_strings_are_read() {
        for (text, kind, interval, body) in [
            ("proc_2_firefox", Kind::Process, Some(2), "firefox"),
            ("proc_0_notepad.exe", Kind::Process, None, "notepad.exe"),
            ("device-cert_0_0", Kind::DeviceCertificate, None, "0"),
            (
                "sys_0_MAC_ADDR_anyof_1AC89C83B0F7,0250F20A777C[COMMENT: MAC Address]",
                Kind::System,
                None,
                "MAC_ADDR_anyof_1AC89C83B0F7,0250F20A777C",
            ),
            ("app_0_MAC-BROWSER_1001_VERSION_<=_10.0.3", Kind::Application, None, "MAC-BROWSER_1001_VERSION_<=_10.0.3"),
            ("file_5_C:\\x y.txt [COMMENT: [a] b]", Kind::File, Some(5), "C:\\x y.txt"),
            ("new-kind_10080_x", Kind::Other("new-kind".into()), Some(10080), "x"),
        ] {
            let read = ClientString::parse(text).unwrap();
            assert_eq!((read.kind(), read.interval_minutes(), read.body()), (&kind, interval, body), "{text}");
        }
        assert_eq!(ClientString::parse("proc_007_x[COMMENT: y]").unwrap().to_string(), "proc_7_x");
        assert_eq!(ClientString::parse("proc_0_a[COMMENT: b").unwrap().body(), "a[COMMENT: b");
    }

    #[test]
    fn each_broken_clause_has_its_name() {
        let long = |bytes: usize| format!("proc_0_{}", "x".repeat(bytes - "proc_0_".len()));
        ClientString::parse(&long(CLIENT_STRING_BYTES_MAX)).unwrap();
        ClientString::parse(&format!("{}[COMMENT: c]", long(CLIENT_STRING_BYTES_MAX))).unwrap();
        for (text, why) in [
            (long(CLIENT_STRING_BYTES_MAX + 1), BadClientString::TooLong),
            (String::new(), BadClientString::Shape),
            ("proc".into(), BadClientString::Shape),
            ("proc_2".into(), BadClientString::Shape),
            ("proc_2_".into(), BadClientString::Shape),
            ("proc_2_[COMMENT: all of it]".into(), BadClientString::Shape),
            ("_2_x".into(), BadClientString::Kind),
            ("pro c_2_x".into(), BadClientString::Kind),
            (format!("{}_2_x", "k".repeat(KIND_BYTES_MAX + 1)), BadClientString::Kind),
            ("proc__x".into(), BadClientString::Interval),
            ("proc_-1_x".into(), BadClientString::Interval),
            ("proc_+1_x".into(), BadClientString::Interval),
            ("proc_10081_x".into(), BadClientString::Interval),
            ("proc_99999999999_x".into(), BadClientString::Interval),
            ("proc_2_a;proc_0_b".into(), BadClientString::Character),
            ("proc_2_a\r\nb".into(), BadClientString::Character),
        ] {
            assert_eq!(ClientString::parse(&text), Err(why), "{text:.40}");
        }
    }

    proptest! {
        #[test]
        fn what_is_sent_reads_back(text in "[a-z-]{1,8}_[0-9]{1,4}_[ -:<-~ü]{1,40}") {
            if let Ok(read) = ClientString::parse(&text) {
                let again = ClientString::parse(&read.to_string());
                prop_assert!(again.as_ref() == Ok(&read) || read.body().contains("[COMMENT:"));
            }
        }

        #[test]
        fn arbitrary_text_is_answered(text in any::<String>()) {
            let _answered = ClientString::parse(&text);
        }
    }
}
