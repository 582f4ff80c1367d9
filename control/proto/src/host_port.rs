//! `host:port` as STA, XML Service and ICA file write it.
//!
//! ```text
//! host-port = ( name / IPv4 / "[" IPv6 "]" ) [ ":" port ]
//! ```
//!
//! Strict on purpose: what one resolver takes for a name and another for an address (`127.1`, `0x7f000001`,
//! `017700000001`) is neither here.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use thiserror::Error;

/// Longest host name, in bytes.
pub const NAME_BYTES_MAX: usize = 253;
/// Longest part between two dots of a host name, in bytes.
pub const LABEL_BYTES_MAX: usize = 63;

/// Why a text is no `host:port`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotHostPort {
    /// Neither a host name nor an address in its canonical form.
    #[error("not a host name, IPv4 address or [IPv6] address")]
    Host,
    /// Not 1 to 65535.
    #[error("port is not a number from 1 to 65535")]
    Port,
}

/// A host in one of its three forms.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// A DNS name, as written, without a dot at its end.
    Name(String),
    /// An address.
    Address(IpAddr),
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// The host.
    pub host: Host,
    /// The port, never 0.
    pub port: u16,
}

impl HostPort {
    /// Reads `text`; without a port in it, `port_default` counts.
    ///
    /// # Errors
    /// [`NotHostPort`].
    pub fn parse(text: &str, port_default: u16) -> Result<Self, NotHostPort> {
        if let Some(bracketed) = text.strip_prefix('[') {
            let (address, rest) = bracketed.split_once(']').ok_or(NotHostPort::Host)?;
            let address: Ipv6Addr = address.parse().map_err(|_| NotHostPort::Host)?;
            let port = match rest.strip_prefix(':') {
                Some(port) => parse_port(port)?,
                None if rest.is_empty() => port_default,
                None => return Err(NotHostPort::Host),
            };
            return Ok(Self { host: Host::Address(address.into()), port });
        }
        let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
        Ok(Self { host: Host::parse(host)?, port: port.map_or(Ok(port_default), parse_port)? })
    }
}

impl Host {
    /// Reads a name or an IPv4 address; an IPv6 address needs the brackets of [`HostPort::parse`].
    fn parse(text: &str) -> Result<Self, NotHostPort> {
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Ok(Self::Address(address.into()));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        let in_alphabet = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        let is_label = |label: &str| {
            (1..=LABEL_BYTES_MAX).contains(&label.len())
                && label.bytes().all(in_alphabet)
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let last = name.rsplit('.').next().unwrap_or_default();
        let last_is_number = last.bytes().all(|b| b.is_ascii_digit())
            || last.get(..2).is_some_and(|two| two.eq_ignore_ascii_case("0x"))
                && last.bytes().skip(2).all(|b| b.is_ascii_hexdigit());
        if name.len() > NAME_BYTES_MAX || !name.split('.').all(is_label) || last_is_number {
            return Err(NotHostPort::Host);
        }
        Ok(Self::Name(name.to_owned()))
    }
}

fn parse_port(text: &str) -> Result<u16, NotHostPort> {
    let digits = (1..=5).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let port = if digits { text.parse().ok() } else { None };
    port.filter(|&port| port != 0).ok_or(NotHostPort::Port)
}

/// Without brackets around an IPv6 address: the form that a name check or a resolver wants.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// With brackets around an IPv6 address: the form that [`HostPort::parse`] reads.
impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        match host {
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]:{port}"),
            Host::Address(IpAddr::V4(_)) | Host::Name(_) => write!(f, "{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_three_forms() {
        for (text, printed) in [
            ("gw.example.test:443", "gw.example.test:443"),
            ("gw.example.test.", "gw.example.test:1494"),
            ("srv_a", "srv_a:1494"),
            ("192.0.2.20:1494", "192.0.2.20:1494"),
            ("192.0.2.20", "192.0.2.20:1494"),
            ("[2001:db8::1]:2598", "[2001:db8::1]:2598"),
            ("[2001:db8::1]", "[2001:db8::1]:1494"),
        ] {
            assert_eq!(HostPort::parse(text, 1494).unwrap().to_string(), printed);
        }
    }

    #[test]
    fn doubtful_forms_are_refused() {
        for text in [
            "",
            ":443",
            ".",
            "a..b",
            "-a",
            "a-:1",
            "a b",
            "a/b",
            "a@b",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0X7F.0.0.0x1",
            "127.0.0.01",
            "0177.0.0.1",
            "1.2.3.4.5",
            "2001:db8::1",
            "[2001:db8::1",
            "[::1]x",
            "[fe80::1%eth0]:1",
            "[127.0.0.1]:1",
            "ü.example.test",
        ] {
            assert_eq!(HostPort::parse(text, 1494), Err(NotHostPort::Host), "{text:?}");
        }
        for text in ["a:", "a:0", "a:65536", "a:+1", "a: 1", "a:1:2", "a:000001", "[::1]:"] {
            assert_eq!(HostPort::parse(text, 1494), Err(NotHostPort::Port), "{text:?}");
        }
        let long_label = "a".repeat(LABEL_BYTES_MAX + 1);
        assert_eq!(HostPort::parse(&long_label, 1), Err(NotHostPort::Host));
        let long_name = ["a"; 128].join(".");
        assert_eq!(HostPort::parse(&long_name, 1), Err(NotHostPort::Host));
    }

    proptest! {
        #[test]
        fn what_is_read_prints_back(text in "[a-f0-9.:\\[\\]x_-]{0,24}") {
            if let Ok(read) = HostPort::parse(&text, 1494) {
                prop_assert_eq!(HostPort::parse(&read.to_string(), 1), Ok(read));
            }
        }
    }
}
