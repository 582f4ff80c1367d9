//! Writing a launch file from a fixed list of keys.
//!
//! A value comes from a server-side record, and even so may hold what somebody typed as the name of an
//! application. A line end in it would add a key of their choosing, so such a value is refused, not repaired.

use thiserror::Error;

use super::{CLEAR_PASSWORD_CHARS, is_ticket_string};
use crate::host_port::HostPort;
use crate::secret::Secret;

/// Longest value, in bytes.
pub const VALUE_BYTES_MAX: usize = 2048;

/// Why a launch file cannot be written. The fault of whoever filled the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// The value for this key holds CR, LF, NUL or another control character, or begins with `[`.
    #[error("value for {0} would break out of its line")]
    Injection(&'static str),
    /// The value for this key is longer than [`VALUE_BYTES_MAX`].
    #[error("value for {0} is too long")]
    TooLong(&'static str),
    /// The value for this key is empty and must not be.
    #[error("value for {0} is empty")]
    Empty(&'static str),
    /// What should be a ticket is something else: an address, perhaps.
    #[error("address is not a ticket string")]
    NotATicket,
    /// A logon ticket is 16 to 64 letters and digits.
    #[error("logon ticket is malformed")]
    LogonTicket,
}

/// Everything that varies in a launch file through a gateway.
#[derive(Clone, Debug)]
pub struct Launch<'a> {
    /// The published application's internal name.
    pub application: &'a str,
    /// What the window is called.
    pub title: &'a str,
    /// The ticket string that stands in for the host's address: `;40;STA…;…`.
    pub ticket: &'a Secret,
    /// The gateway. Its certificate must be for this name.
    pub gateway: &'a HostPort,
    /// What logs the user on at the host.
    pub logon_ticket: Option<&'a Secret>,
    /// Who the user is.
    pub user: &'a str,
    /// What the client's machine is to be called.
    pub client_name: &'a str,
    /// Colours: 1, 2, 4 or 8.
    pub colors: u32,
    /// Width and height in pixels.
    pub size: (u32, u32),
    /// Whether the application's windows stand alone, without a desktop around them.
    pub seamless: bool,
    /// Whether sound is wanted.
    pub sound: bool,
    /// `Basic`, or what the application demands.
    pub encryption: &'a str,
    /// Launches with equal keys share one host session. Must not be made from host addresses.
    pub session_sharing_key: &'a str,
    /// A launch reference, if the XML Service gave one.
    pub launch_reference: Option<&'a str>,
    /// Two letters: the language of the client's messages.
    pub language: &'a str,
    /// Whether the client is to ask for session reliability, which changes what it says to the gateway first.
    pub session_reliability: bool,
}

impl Launch<'_> {
    /// The file, with CRLF line ends.
    ///
    /// # Errors
    /// [`Refused`], for the first value that cannot be written.
    pub fn write(&self) -> Result<Secret, Refused> {
        let mut file = Ini { text: String::with_capacity(2048) };
        self.check()?;
        file.section("Encoding").line("InputEncoding", "UTF8")?;
        self.write_client(&mut file)?;
        let section = section_name(self.application);
        file.section("ApplicationServers").line_as(section, "ApplicationServers", "")?;
        self.write_application(&mut file, section)?;
        for (section, suffix) in COMPRESSION {
            file.section(section);
            file.line("DriverNameWin16", &format!("pdc{suffix}w.dll"))?;
            file.line("DriverNameWin32", &format!("pdc{suffix}n.dll"))?;
        }
        Ok(Secret::new(file.text))
    }

    fn check(&self) -> Result<(), Refused> {
        if !is_ticket_string(self.ticket.expose()) {
            return Err(Refused::NotATicket);
        }
        if self.application.is_empty() {
            return Err(Refused::Empty("InitialProgram"));
        }
        let is_logon_ticket = |ticket: &&Secret| {
            let text = ticket.expose();
            (16..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
        };
        if !self.logon_ticket.iter().all(is_logon_ticket) {
            return Err(Refused::LogonTicket);
        }
        Ok(())
    }

    fn write_client(&self, file: &mut Ini) -> Result<(), Refused> {
        file.section("WFClient")
            .line("CPMAllowed", "On")?
            .line("ClientName", self.client_name)?
            .line("ProxyFavorIEConnectionSetting", "Yes")?
            .line("ProxyTimeout", "30000")?
            .line("ProxyType", "Auto")?
            .line("ProxyUseFQDN", "Off")?
            .line("RemoveICAFile", "yes")?
            .line("TransportReconnectEnabled", "Off")?
            .line("VSLAllowed", "On")?
            .line("Version", "2")?
            .line("VirtualCOMPortEmulation", "Off")?;
        Ok(())
    }

    fn write_application(&self, file: &mut Ini, section: &str) -> Result<(), Refused> {
        let on = |value| if value { "On" } else { "Off" };
        file.section(section)
            .line("Address", self.ticket.expose())?
            .line("AutologonAllowed", if self.logon_ticket.is_some() { "ON" } else { "OFF" })?
            .line("BrowserProtocol", "HTTPonTCP")?;
        if self.session_reliability {
            // The literal form without an address; its number is the protocol's, not the host's.
            file.line("CGPAddress", "*:2598")?;
        }
        file.line("ClientAudio", on(self.sound))?;
        if let Some(ticket) = self.logon_ticket.map(Secret::expose) {
            let (first, rest) = ticket.split_at(CLEAR_PASSWORD_CHARS);
            file.line("ClearPassword", first)?.line("Domain", &format!("\\{rest}"))?;
        }
        file.line("DesiredColor", &self.colors.to_string())?
            .line("DesiredHRES", &self.size.0.to_string())?
            .line("DesiredVRES", &self.size.1.to_string())?
            .line("DoNotUseDefaultCSL", "On")?
            .line("EncryptionLevelSession", self.encryption)?
            .line("HDXoverUDP", "Off")?
            .line("HTTPBrowserAddress", "!")?
            .line("InitialProgram", &format!("#{}", self.application))?;
        if let Some(reference) = self.launch_reference {
            file.line("LaunchReference", reference)?;
        }
        file.line("Launcher", "WI")?.line("LocHttpBrowserAddress", "!")?;
        if let Some(ticket) = self.logon_ticket {
            file.line("LogonTicket", ticket.expose())?.line("LogonTicketType", "CTXS1")?;
        }
        file.line("LongCommandLine", "")?
            .line("ProxyTimeout", "30000")?
            .line("ProxyType", "Auto")?
            .line("SFRAllowed", "Off")?
            .line("SSLCiphers", "all")?
            .line("SSLEnable", "On")?
            .line("SSLProxyHost", &self.gateway.to_string())?
            .line("SecureChannelProtocol", "Detect")?
            .line("SessionsharingKey", self.session_sharing_key)?
            .line("TWIMode", on(self.seamless))?
            .line("Title", self.title)?
            .line("TransportDriver", "TCP/IP")?
            .line("UILocale", self.language)?
            .line("Username", self.user)?
            .line("WinStationDriver", "ICA 3.0")?;
        Ok(())
    }
}

/// Makes any text fit for a key that is only displayed, such as the title: control characters become blanks, and
/// what would begin a section goes.
#[must_use]
pub fn displayable(text: &str) -> String {
    let blanked: String = text.chars().map(|c| if is_forbidden(c) { ' ' } else { c }).collect();
    let mut shown = blanked.trim_start_matches(['[', ' ']).trim_end().to_owned();
    while shown.len() > VALUE_BYTES_MAX {
        shown.pop();
    }
    shown
}

const COMPRESSION: [(&str, &str); 5] =
    [("Compress", "omp"), ("EncRC5-0", "0"), ("EncRC5-40", "40"), ("EncRC5-56", "56"), ("EncRC5-128", "128")];

/// Sections whose names an application must not take.
const RESERVED: [&str; 8] =
    ["Encoding", "WFClient", "ApplicationServers", "Compress", "EncRC5-0", "EncRC5-40", "EncRC5-56", "EncRC5-128"];

/// The application's own name where it can be one; it is the same for the host either way.
fn section_name(application: &str) -> &str {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b' ');
    let reserved = RESERVED.iter().any(|name| name.eq_ignore_ascii_case(application));
    let trimmed = application.trim() == application;
    if trimmed && !reserved && !application.is_empty() && application.bytes().all(plain) { application } else { "Application" }
}

fn is_forbidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

struct Ini {
    text: String,
}

impl Ini {
    fn section(&mut self, name: &str) -> &mut Self {
        if !self.text.is_empty() {
            self.text.push_str("\r\n");
        }
        self.push(&["[", name, "]"]);
        self
    }

    fn line(&mut self, key: &'static str, value: &str) -> Result<&mut Self, Refused> {
        self.line_as(key, key, value)
    }

    /// `written` is the key in the file, `key` the one to name in an error.
    fn line_as(&mut self, written: &str, key: &'static str, value: &str) -> Result<&mut Self, Refused> {
        if value.len() > VALUE_BYTES_MAX {
            return Err(Refused::TooLong(key));
        }
        if value.starts_with('[') || value.chars().any(is_forbidden) {
            return Err(Refused::Injection(key));
        }
        self.push(&[written, "=", value]);
        Ok(self)
    }

    fn push(&mut self, pieces: &[&str]) {
        pieces.iter().for_each(|piece| self.text.push_str(piece));
        self.text.push_str("\r\n");
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::super::read::LaunchFile;
    use super::*;
    use crate::host_port::Host;

    pub(in super::super) fn example(application: &str, title: &str) -> Result<Secret, Refused> {
        let ticket = Secret::new(";40;STA02005E10A1B2;0F1E2D3C4B5A69788796A5B4C3D2E1F0");
        let logon_ticket = Secret::new("234E9D1E6F9AE50D98AF5A063D28AF");
        let gateway = HostPort { host: Host::Name("gw.example.test".to_owned()), port: 443 };
        let launch = Launch {
            application,
            title,
            ticket: &ticket,
            gateway: &gateway,
            logon_ticket: Some(&logon_ticket),
            user: "alice",
            client_name: "WR_abc",
            colors: 8,
            size: (1024, 768),
            seamless: true,
            sound: true,
            encryption: "Basic",
            session_sharing_key: "kJ2opaque",
            launch_reference: None,
            language: "en",
            session_reliability: false,
        };
        launch.write()
    }

    #[test]
    fn the_file_is_the_documented_one() {
        let wanted = include_str!("../../../../tests/corpus/ica_file/ok-gateway-launch.ica").replace('\n', "\r\n");
        assert_eq!(example("Notepad", "Notepad").unwrap().expose(), wanted);
    }

    #[test]
    fn values_that_break_out_of_their_line_are_refused() {
        for evil in ["a\r\nAddress=192.0.2.20", "a\nb", "a\rb", "a\0b", "[WFClient]", "a\u{2028}b", "a\u{1b}[2J"] {
            assert_eq!(example("Notepad", evil).unwrap_err(), Refused::Injection("Title"), "{evil:?}");
        }
        assert_eq!(example("a\r\nb", "t").unwrap_err(), Refused::Injection("InitialProgram"));
        assert_eq!(example("", "t").unwrap_err(), Refused::Empty("InitialProgram"));
        assert_eq!(example("a", &"x".repeat(VALUE_BYTES_MAX + 1)).unwrap_err(), Refused::TooLong("Title"));
        assert_eq!(displayable("[Beta] R&D\r\nAddress=x"), "Beta] R&D  Address=x");
    }

    #[test]
    fn an_address_is_not_a_ticket() {
        for address in ["192.0.2.20:1494", "srv-a.example.test", "", ";40;x", ";40;a;b.c"] {
            assert!(!is_ticket_string(address), "{address}");
        }
    }

    proptest! {
        /// Whatever the names are: refused, or read back with the keys that were meant.
        #[test]
        fn hostile_names_change_no_key(application in "[ -~\r\n\0ü]{0,24}", title in "[\\[\\]=;#a-z\r\n ]{0,24}") {
            if let Ok(text) = example(&application, &title) {
                let file = LaunchFile::read(text.expose().as_bytes()).unwrap();
                let program = format!("#{application}");
                prop_assert_eq!(file.initial_program.as_deref(), Some(program.trim_end()));
                prop_assert_eq!(file.title.as_deref().unwrap_or_default(), title.trim());
                prop_assert_eq!(file.gateway.to_string(), "gw.example.test:443");
                prop_assert!(file.ticket.expose().starts_with(";40;STA"));
            }
        }

        #[test]
        fn what_is_displayable_is_written(title in any::<String>()) {
            prop_assert!(example("Notepad", &displayable(&title)).is_ok());
        }
    }
}
