//! Addresses and what is made of them, as operators write them: networks, ranges of ports, hosts, URLs.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use thiserror::Error;

/// Longest URL, in bytes.
pub const URL_BYTES_MAX: usize = 1024;
/// Longest name of a host, in bytes (RFC 1035).
pub const HOST_BYTES_MAX: usize = 253;

/// Why a text is not what it should be. All are the operator's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotAnAddress {
    /// Neither an IPv4 nor an IPv6 address.
    #[error("this is not an IP address")]
    Ip,
    /// A prefix that is no number or longer than the address.
    #[error("a prefix is a number from 0 to 32 for IPv4 and to 128 for IPv6")]
    Prefix,
    /// Bits behind the prefix: usually a host was written where a network was meant.
    #[error("there are bits behind the prefix; the network is {0}")]
    HostBits(Cidr),
    /// Not a number from 1 to 65535.
    #[error("a port is a number from 1 to 65535")]
    Port,
    /// A range that ends before it begins.
    #[error("a range of ports goes from the lower to the higher one")]
    PortOrder,
    /// Neither an IP address nor a DNS name.
    #[error("a host is an IP address or a DNS name")]
    Host,
    /// Neither `http://` nor `https://`.
    #[error("a URL begins with http:// or https://")]
    Scheme,
    /// A URL with a user, a query, a fragment, a blank or a control character, or one that is too long.
    #[error("a URL has a host, perhaps a port and a path, and nothing else")]
    Url,
}

/// A network: address and length of its prefix, no bits behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cidr {
    address: IpAddr,
    prefix: u8,
}

impl Cidr {
    /// The network of one address.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        let prefix = if address.is_ipv4() { 32 } else { 128 };
        Self { address, prefix }
    }

    /// Reads `192.0.2.0/24`, `2001:db8::/32` or a bare address.
    ///
    /// # Errors
    /// [`NotAnAddress`] says what is wrong.
    pub fn parse(text: &str) -> Result<Self, NotAnAddress> {
        let Some((address, prefix)) = text.split_once('/') else {
            return Ok(Self::of(text.parse().map_err(|_| NotAnAddress::Ip)?));
        };
        let address: IpAddr = address.parse().map_err(|_| NotAnAddress::Ip)?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = digits(prefix).and_then(|n| u8::try_from(n).ok()).filter(|n| *n <= longest).ok_or(NotAnAddress::Prefix)?;
        let network = Self { address: mask(address, prefix), prefix };
        if network.address == address { Ok(network) } else { Err(NotAnAddress::HostBits(network)) }
    }

    /// Its first address.
    #[must_use]
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// Bits that all its addresses share.
    #[must_use]
    pub const fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Whether `address` is in it. IPv4 and IPv6 never meet here: give canonical addresses.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.address.is_ipv4() && mask(address, self.prefix) == self.address
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

fn mask(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let kept = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & kept))
        }
        IpAddr::V6(v6) => {
            let kept = u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & kept))
        }
    }
}

/// Ports from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortRange {
    first: u16,
    last: u16,
}

impl PortRange {
    /// Reads `1494` or `1494-1500`.
    ///
    /// # Errors
    /// [`NotAnAddress::Port`] or [`NotAnAddress::PortOrder`].
    pub fn parse(text: &str) -> Result<Self, NotAnAddress> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let range = Self { first: port(first)?, last: port(last)? };
        if range.first <= range.last { Ok(range) } else { Err(NotAnAddress::PortOrder) }
    }

    /// Whether `port` is one of them.
    #[must_use]
    pub const fn contains(&self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { write!(f, "{}", self.first) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

/// A host: address or DNS name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Host {
    /// Written as an address.
    Ip(IpAddr),
    /// To be resolved when it is needed.
    Name(Box<str>),
}

impl Host {
    /// Reads an address (IPv6 without brackets) or a DNS name.
    ///
    /// # Errors
    /// [`NotAnAddress::Host`]; also for text that looks like an address but is none, such as `10.0.0.256`, `0x7f.1` or `2130706433`:
    /// resolvers read some of these as addresses, and then the check of the address would have been fooled.
    pub fn parse(text: &str) -> Result<Self, NotAnAddress> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Ip(address));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        let label = |l: &str| {
            !l.is_empty()
                && l.len() <= 63
                && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
                && !l.starts_with('-')
                && !l.ends_with('-')
        };
        // The last label of a name is never a number in any base (URL standard, "ends in a number").
        let numeric = |l: &str| l.bytes().all(|b| b.is_ascii_digit()) || l.get(..2).is_some_and(|x| x.eq_ignore_ascii_case("0x"));
        let last_is_word = name.rsplit('.').next().is_some_and(|l| !numeric(l));
        if name.len() <= HOST_BYTES_MAX && name.split('.').all(label) && last_is_word {
            Ok(Self::Name(text.into()))
        } else {
            Err(NotAnAddress::Host)
        }
    }

    /// Whether it is this machine for certain: a loopback address, or `localhost`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Ip(address) => address.to_canonical().is_loopback(),
            Self::Name(name) => {
                let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
                name == "localhost" || name.ends_with(".localhost")
            }
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => write!(f, "{address}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// A host with a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostPort {
    /// Who.
    pub host: Host,
    /// Where there.
    pub port: u16,
}

impl HostPort {
    /// Reads `host`, `host:port`, `[ipv6]:port` or a bare IPv6 address.
    ///
    /// # Errors
    /// [`NotAnAddress::Host`] or [`NotAnAddress::Port`].
    pub fn parse(text: &str, port_default: u16) -> Result<Self, NotAnAddress> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return if address.port() == 0 { Err(NotAnAddress::Port) } else { Ok(address.into()) };
        }
        let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
        if let Ok(address) = bare.unwrap_or(text).parse::<Ipv6Addr>() {
            return Ok(Self { host: Host::Ip(address.into()), port: port_default });
        }
        match text.split_once(':') {
            Some((host, after)) => Ok(Self { host: Host::parse(host)?, port: port(after)? }),
            None => Ok(Self { host: Host::parse(text)?, port: port_default }),
        }
    }

    /// The address, if no name has to be resolved first.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match self.host {
            Host::Ip(address) => Some(SocketAddr::new(address, self.port)),
            Host::Name(_) => None,
        }
    }
}

impl From<SocketAddr> for HostPort {
    fn from(address: SocketAddr) -> Self {
        Self { host: Host::Ip(address.ip()), port: address.port() }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Ip(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
            Host::Ip(IpAddr::V4(_)) | Host::Name(_) => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// A network, with a port or for all ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CidrPort {
    /// Which addresses.
    pub network: Cidr,
    /// Which port; `None` is every port.
    pub port: Option<u16>,
}

impl CidrPort {
    /// Reads `10.0.0.0/8`, `10.0.0.7:1494`, `10.0.0.0/8:1494`, `2001:db8::/32` or `[2001:db8::/32]:1494`.
    ///
    /// # Errors
    /// [`NotAnAddress`] says what is wrong.
    pub fn parse(text: &str) -> Result<Self, NotAnAddress> {
        if let Some(rest) = text.strip_prefix('[') {
            let (network, after) = rest.split_once(']').ok_or(NotAnAddress::Ip)?;
            let port = match after.strip_prefix(':') {
                Some(after) => Some(port(after)?),
                None if after.is_empty() => None,
                None => return Err(NotAnAddress::Port),
            };
            return Ok(Self { network: Cidr::parse(network)?, port });
        }
        match text.split_once(':') {
            Some((network, after)) if !after.contains(':') => {
                Ok(Self { network: Cidr::parse(network)?, port: Some(port(after)?) })
            }
            Some(_) | None => Ok(Self { network: Cidr::parse(text)?, port: None }),
        }
    }

    /// Whether `address` is meant.
    #[must_use]
    pub fn contains(&self, address: SocketAddr) -> bool {
        self.port.is_none_or(|port| port == address.port()) && self.network.contains(address.ip().to_canonical())
    }
}

impl fmt::Display for CidrPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            None => write!(f, "{}", self.network),
            Some(port) if self.network.address().is_ipv4() => write!(f, "{}:{port}", self.network),
            Some(port) => write!(f, "[{}]:{port}", self.network),
        }
    }
}

/// How a URL is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS with a verified name.
    Https,
}

/// The address of an STA or an XML Service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Url {
    /// In the clear or over TLS.
    pub scheme: Scheme,
    /// Whom to connect to, with the scheme's port if none was written.
    pub at: HostPort,
    /// Begins with `/`, or is empty: then the protocol's own path is meant.
    pub path: Box<str>,
    written: Box<str>,
}

impl Url {
    /// Reads `http://host[:port][/path]` or the same with `https`. Port 0 is allowed for a loopback address only.
    ///
    /// # Errors
    /// [`NotAnAddress`] says what is wrong.
    pub fn parse(text: &str) -> Result<Self, NotAnAddress> {
        let plain = |b: u8| b.is_ascii_graphic() && !b"@?#\\\"<>".contains(&b);
        let cut = |scheme: &str| {
            let (head, rest) = text.split_at_checked(scheme.len())?;
            head.eq_ignore_ascii_case(scheme).then_some(rest)
        };
        let (scheme, port_default, rest) = match (cut("http://"), cut("https://")) {
            (Some(rest), _) => (Scheme::Http, 80, rest),
            (_, Some(rest)) => (Scheme::Https, 443, rest),
            (None, None) => return Err(NotAnAddress::Scheme),
        };
        if text.len() > URL_BYTES_MAX || !text.bytes().all(plain) {
            return Err(NotAnAddress::Url);
        }
        let (at, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let path = if path == "/" { "" } else { path };
        // A farm server that lets the system choose its port is named by the address that it was given, port 0 and all.
        let at = match at.parse::<SocketAddr>() {
            Ok(own) if own.port() == 0 && own.ip().is_loopback() => own.into(),
            Ok(_) | Err(_) => HostPort::parse(at, port_default)?,
        };
        Ok(Self { scheme, at, path: path.into(), written: text.into() })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

fn port(text: &str) -> Result<u16, NotAnAddress> {
    digits(text).and_then(|n| u16::try_from(n).ok()).filter(|n| *n != 0).ok_or(NotAnAddress::Port)
}

/// Digits only: `u64::from_str` would also take a sign.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn networks() {
        assert_eq!(Cidr::parse("10.0.0.0/8").map(|c| c.to_string()), Ok("10.0.0.0/8".into()));
        assert_eq!(Cidr::parse("192.0.2.7").map(|c| c.to_string()), Ok("192.0.2.7/32".into()));
        assert_eq!(Cidr::parse("0.0.0.0/0").map(|c| c.contains([203, 0, 113, 9].into())), Ok(true));
        assert_eq!(Cidr::parse("2001:db8::/32").map(|c| c.contains("2001:db8:1::1".parse().unwrap())), Ok(true));
        assert_eq!(Cidr::parse("10.0.0.1/8"), Err(NotAnAddress::HostBits(Cidr::parse("10.0.0.0/8").unwrap())));
        for wrong in ["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "10.0.0.0/-1", "10.0.0.0/8/8"] {
            assert_eq!(Cidr::parse(wrong), Err(NotAnAddress::Prefix), "{wrong}");
        }
        for wrong in ["", "10", "010.0.0.1", "10.0.0.256", "fe80::1%eth0", "localhost"] {
            assert_eq!(Cidr::parse(wrong), Err(NotAnAddress::Ip), "{wrong}");
        }
    }

    #[test]
    fn hosts_that_only_look_like_addresses_are_refused() {
        for wrong in ["10.0.0.256", "2130706433", "0x7f000001", "0x7f.1", "127.1", "017700000001", "a.1", "a..b", "-a", "a b", ""]
        {
            assert_eq!(Host::parse(wrong), Err(NotAnAddress::Host), "{wrong}");
        }
        for good in ["localhost", "a1.example", "vda_7.corp.example.", "2001:db8::1", "7zip.example"] {
            assert_eq!(Host::parse(good).map(|h| h.to_string()), Ok(good.to_owned()));
        }
    }

    #[test]
    fn hosts_with_ports() {
        for (text, read) in [
            ("192.0.2.1", "192.0.2.1:1494"),
            ("192.0.2.1:1500", "192.0.2.1:1500"),
            ("vda.example:1500", "vda.example:1500"),
            ("2001:db8::1", "[2001:db8::1]:1494"),
            ("[2001:db8::1]", "[2001:db8::1]:1494"),
            ("[2001:db8::1]:9", "[2001:db8::1]:9"),
        ] {
            assert_eq!(HostPort::parse(text, 1494).map(|h| h.to_string()), Ok(read.to_owned()));
        }
        for wrong in ["a:0", "a:", "a:65536", "a:+1", ":1", "192.0.2.1:0", "a:1:2"] {
            assert!(HostPort::parse(wrong, 1494).is_err(), "{wrong}");
        }
    }

    #[test]
    fn networks_with_ports() {
        for (text, read) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.0.0.7:1494", "10.0.0.7/32:1494"),
            ("10.0.0.0/8:1494", "10.0.0.0/8:1494"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("[2001:db8::/32]:1494", "[2001:db8::/32]:1494"),
            ("[2001:db8::1]", "2001:db8::1/128"),
        ] {
            assert_eq!(CidrPort::parse(text).map(|n| n.to_string()), Ok(read.to_owned()));
        }
        assert_eq!(CidrPort::parse("[2001:db8::1]9"), Err(NotAnAddress::Port));
    }

    #[test]
    fn urls() {
        let url = Url::parse("http://sta.example").unwrap();
        assert_eq!((url.scheme, url.at.to_string().as_str(), &*url.path), (Scheme::Http, "sta.example:80", ""));
        let url = Url::parse("HTTPS://[2001:db8::1]:8443/scripts/ctxsta.dll").unwrap();
        assert_eq!((url.scheme, url.at.to_string().as_str()), (Scheme::Https, "[2001:db8::1]:8443"));
        assert_eq!(&*url.path, "/scripts/ctxsta.dll");
        for wrong in ["sta.example", "ftp://x", "http://", "http://u@x", "http://x?q", "http://x/a b", "http://x:0", "http://x#"]
        {
            assert!(Url::parse(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(text in "\\PC{0,40}") {
            if let Ok(it) = Cidr::parse(&text) { prop_assert_eq!(Cidr::parse(&it.to_string()), Ok(it)); }
            if let Ok(it) = CidrPort::parse(&text) { prop_assert_eq!(CidrPort::parse(&it.to_string()), Ok(it)); }
            if let Ok(it) = PortRange::parse(&text) { prop_assert_eq!(PortRange::parse(&it.to_string()), Ok(it)); }
            if let Ok(it) = HostPort::parse(&text, 7) { prop_assert_eq!(HostPort::parse(&it.to_string(), 8), Ok(it)); }
            if let Ok(it) = Url::parse(&text) { prop_assert_eq!(Url::parse(&it.to_string()), Ok(it)); }
        }

        #[test]
        fn any_network_reads_back(bits: u128, prefix in 0_u8..=128) {
            let network = Cidr { address: mask(IpAddr::V6(Ipv6Addr::from_bits(bits)), prefix), prefix };
            prop_assert_eq!(Cidr::parse(&network.to_string()), Ok(network));
        }
    }
}
