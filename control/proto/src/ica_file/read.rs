//! Reading a launch file: enough to start, strict where two readings would be possible.

use std::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

use super::is_ticket_string;
use crate::host_port::{HostPort, NotHostPort};
use crate::secret::Secret;

/// Longest file, in bytes.
pub const FILE_BYTES_MAX: usize = 64 * 1024;
/// Most lines.
pub const LINES_MAX: usize = 2048;
/// The port of a gateway that names none.
pub const GATEWAY_PORT: u16 = 443;

/// Why a file cannot be launched.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotLaunchable {
    /// Longer than [`FILE_BYTES_MAX`] or [`LINES_MAX`].
    #[error("file is too long for an ICA file")]
    TooLong,
    /// Binary, or in an encoding other than UTF-8, UTF-16 with byte order mark and ISO-8859-1.
    #[error("file is not text")]
    NotText,
    /// Neither a comment, a section nor `key=value`.
    #[error("line {0} is neither a comment, a section nor key=value")]
    Line(usize),
    /// A key that counts here is given twice in its section, with different values.
    #[error("key {0} is given twice")]
    Twice(&'static str),
    /// No `[ApplicationServers]`, or nothing in it.
    #[error("file names no application")]
    NoApplication,
    /// The application has no section of its own.
    #[error("file has no section for application {0}")]
    NoSection(String),
    /// The key is absent or empty.
    #[error("key {0} is missing")]
    Missing(&'static str),
    /// The file is for a direct connection: `SSLEnable` is off, or `Address` is an address.
    #[error("file is for a direct connection, not for one through a gateway")]
    Direct,
    /// `SSLProxyHost` is not `host:port`.
    #[error("SSLProxyHost is not host:port")]
    Gateway(#[source] NotHostPort),
    /// `Address` begins like a ticket and is none.
    #[error("Address is not a ticket string")]
    Ticket,
}

/// What a client needs to start.
#[derive(Clone, Debug)]
pub struct LaunchFile {
    /// The application's section.
    pub application: String,
    /// The gateway; its certificate must be for this name.
    pub gateway: HostPort,
    /// The ticket string to present there.
    pub ticket: Secret,
    /// What the window is called.
    pub title: Option<String>,
    /// `#` and the internal name.
    pub initial_program: Option<String>,
    /// The user, for display.
    pub user: Option<String>,
    /// The logon ticket for the host.
    pub logon_ticket: Option<Secret>,
    /// Whether session reliability is asked for.
    pub session_reliability: bool,
    /// Whether the file asks to be deleted once read.
    pub remove_after_reading: bool,
}

impl LaunchFile {
    /// Reads a file.
    ///
    /// # Errors
    /// [`NotLaunchable`].
    pub fn read(bytes: &[u8]) -> Result<Self, NotLaunchable> {
        let text = decode(bytes)?;
        let ini = Ini::read(&text)?;
        let application = ini.first_key("ApplicationServers").ok_or(NotLaunchable::NoApplication)?;
        if !ini.has_section(application) {
            return Err(NotLaunchable::NoSection(application.to_owned()));
        }
        let value = |key| ini.value(application, key);
        let required = |key| value(key)?.filter(|value| !value.is_empty()).ok_or(NotLaunchable::Missing(key));
        let address = required("Address")?;
        let is_on = |text: &str| ["on", "yes", "true", "1"].iter().any(|on| on.eq_ignore_ascii_case(text));
        if !address.starts_with(';') || !value("SSLEnable")?.is_some_and(is_on) {
            return Err(NotLaunchable::Direct);
        }
        if !is_ticket_string(address) {
            return Err(NotLaunchable::Ticket);
        }
        let gateway = required("SSLProxyHost")?;
        Ok(Self {
            application: application.to_owned(),
            gateway: HostPort::parse(gateway, GATEWAY_PORT).map_err(NotLaunchable::Gateway)?,
            ticket: address.into(),
            title: value("Title")?.map(str::to_owned),
            initial_program: value("InitialProgram")?.map(str::to_owned),
            user: value("Username")?.map(str::to_owned),
            logon_ticket: value("LogonTicket")?.map(Secret::from),
            session_reliability: value("CGPAddress")?.is_some_and(|address| !address.is_empty()),
            remove_after_reading: ini.value("WFClient", "RemoveICAFile")?.is_some_and(is_on),
        })
    }
}

/// The file as sections of keys, in order, names as written.
struct Ini<'t> {
    sections: Vec<(&'t str, Vec<(&'t str, &'t str)>)>,
}

impl<'t> Ini<'t> {
    fn read(text: &'t str) -> Result<Self, NotLaunchable> {
        let mut sections: Vec<(&str, Vec<(&str, &str)>)> = Vec::new();
        for (at, line) in text.lines().enumerate() {
            if at >= LINES_MAX {
                return Err(NotLaunchable::TooLong);
            }
            let line = line.trim();
            let malformed = NotLaunchable::Line(at + 1);
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(name) = line.strip_prefix('[') {
                sections.push((name.strip_suffix(']').ok_or(malformed)?.trim(), Vec::new()));
                continue;
            }
            let (key, value) = line.split_once('=').ok_or_else(|| malformed.clone())?;
            let (_, keys) = sections.last_mut().ok_or(malformed)?;
            keys.push((key.trim(), value.trim()));
        }
        Ok(Self { sections })
    }

    fn keys(&self, section: &str) -> impl Iterator<Item = (&'t str, &'t str)> {
        let of = move |(name, _): &&(&str, Vec<_>)| name.eq_ignore_ascii_case(section);
        self.sections.iter().filter(of).flat_map(|(_, keys)| keys.iter().copied())
    }

    fn first_key(&self, section: &str) -> Option<&'t str> {
        self.keys(section).map(|(key, _)| key).find(|key| !key.is_empty())
    }

    fn has_section(&self, section: &str) -> bool {
        self.sections.iter().any(|(name, _)| name.eq_ignore_ascii_case(section))
    }

    /// The value of a key. Given twice with one value is harmless; with two, nobody knows which one counts.
    fn value(&self, section: &str, key: &'static str) -> Result<Option<&'t str>, NotLaunchable> {
        let mut found = self.keys(section).filter(|(held, _)| held.eq_ignore_ascii_case(key)).map(|(_, value)| value);
        let first = found.next();
        if found.all(|other| Some(other) == first) { Ok(first) } else { Err(NotLaunchable::Twice(key)) }
    }
}

impl fmt::Debug for Ini<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.sections.iter().map(|(name, _)| name)).finish()
    }
}

fn decode(bytes: &[u8]) -> Result<Zeroizing<String>, NotLaunchable> {
    if bytes.len() > FILE_BYTES_MAX {
        return Err(NotLaunchable::TooLong);
    }
    let utf16 = |rest: &[u8], unit: fn([u8; 2]) -> u16| {
        let (pairs, odd) = rest.as_chunks::<2>();
        let units = pairs.iter().map(|&pair| unit(pair));
        let text: Result<String, _> = char::decode_utf16(units).collect();
        if odd.is_empty() { text.ok() } else { None }
    };
    let text = match bytes {
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes).ok_or(NotLaunchable::NotText)?,
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes).ok_or(NotLaunchable::NotText)?,
        [0xEF, 0xBB, 0xBF, rest @ ..] => str::from_utf8(rest).map_err(|_| NotLaunchable::NotText)?.to_owned(),
        // Files of old portals announce no encoding and are ISO-8859-1 where they are not ASCII.
        _ => match str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => bytes.iter().copied().map(char::from).collect(),
        },
    };
    let is_text = |c: char| !c.is_control() || matches!(c, '\r' | '\n' | '\t') || c >= '\u{80}';
    if text.chars().all(is_text) { Ok(Zeroizing::new(text)) } else { Err(NotLaunchable::NotText) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FILE: &str = include_str!("../../../../tests/corpus/ica_file/ok-gateway-launch.ica");

    #[test]
    fn the_documented_file_is_read() {
        let file = LaunchFile::read(FILE.as_bytes()).unwrap();
        assert_eq!(file.application, "Notepad");
        assert_eq!(file.gateway.to_string(), "gw.example.test:443");
        assert_eq!(file.ticket.expose(), ";40;STA02005E10A1B2;0F1E2D3C4B5A69788796A5B4C3D2E1F0");
        assert_eq!(file.title.as_deref(), Some("Notepad"));
        assert_eq!(file.initial_program.as_deref(), Some("#Notepad"));
        assert_eq!(file.user.as_deref(), Some("alice"));
        assert_eq!(file.logon_ticket.unwrap().expose(), "234E9D1E6F9AE50D98AF5A063D28AF");
        assert!(file.remove_after_reading && !file.session_reliability);
    }

    #[test]
    fn forms_that_other_portals_write() {
        let utf16: Vec<u8> = [0xFF, 0xFE].into_iter().chain(FILE.encode_utf16().flat_map(u16::to_le_bytes)).collect();
        let marked = [b"\xEF\xBB\xBF", FILE.as_bytes()].concat();
        let crlf = FILE.replace('\n', "\r\n").into_bytes();
        let shouted = FILE.replace("Address=;", "ADDRESS = ;").replace("[Notepad]", "[ notepad ]").into_bytes();
        let commented = format!("; old style\n# new style\n\n{FILE}").into_bytes();
        let no_port = FILE.replace("test:443", "test").into_bytes();
        let latin1 = [b"# M\xFCller\n", FILE.as_bytes()].concat();
        for bytes in [utf16, marked, crlf, shouted, commented, no_port, latin1] {
            let file = LaunchFile::read(&bytes).unwrap();
            assert_eq!(file.gateway.to_string(), "gw.example.test:443");
        }
    }

    #[test]
    fn each_fault_has_its_name() {
        let swap = |from: &str, to: &str| FILE.replace(from, to).into_bytes();
        for (bytes, why) in [
            (vec![b' '; FILE_BYTES_MAX + 1], NotLaunchable::TooLong),
            (vec![b'\n'; LINES_MAX + 1], NotLaunchable::TooLong),
            (b"\x7fELF\0\0".to_vec(), NotLaunchable::NotText),
            (b"\xFF\xFE[".to_vec(), NotLaunchable::NotText),
            (b"".to_vec(), NotLaunchable::NoApplication),
            (b"<html>".to_vec(), NotLaunchable::Line(1)),
            (b"Address=x".to_vec(), NotLaunchable::Line(1)),
            (b"[a\n".to_vec(), NotLaunchable::Line(1)),
            (swap("Notepad=\n", ""), NotLaunchable::NoApplication),
            (swap("[Notepad]", "[Wordpad]"), NotLaunchable::NoSection("Notepad".into())),
            (swap("Address=;40", "Adresse=;40"), NotLaunchable::Missing("Address")),
            (swap("SSLProxyHost=gw.example.test:443", "SSLProxyHost="), NotLaunchable::Missing("SSLProxyHost")),
            (swap("gw.example.test:443", "gw example"), NotLaunchable::Gateway(NotHostPort::Host)),
            (swap("gw.example.test:443", "gw.example.test:0"), NotLaunchable::Gateway(NotHostPort::Port)),
            (swap("SSLEnable=On", "SSLEnable=Off"), NotLaunchable::Direct),
            (swap("SSLEnable=On\n", ""), NotLaunchable::Direct),
            (swap(";40;STA02005E10A1B2;0F1E2D3C4B5A69788796A5B4C3D2E1F0", "192.0.2.20:1494"), NotLaunchable::Direct),
            (swap(";40;STA02005E10A1B2;", ";40;a.b;"), NotLaunchable::Ticket),
            (swap("Title=Notepad\n", "Title=Notepad\naddress=;40;STA01;AAAAAAAAAAAAAAAA\n"), NotLaunchable::Twice("Address")),
        ] {
            assert_eq!(LaunchFile::read(&bytes).unwrap_err(), why, "{}", String::from_utf8_lossy(&bytes[..bytes.len().min(48)]));
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
            let _answered = LaunchFile::read(&bytes);
        }

        #[test]
        fn arbitrary_lines_are_answered(text in "([\\[\\]=;# a-c\n]|Address|SSLEnable|ApplicationServers){0,48}") {
            let _answered = LaunchFile::read(text.as_bytes());
        }
    }
}
