//! The PROXY v2 header in front of a portal connection: who the client is, told to the control plane's inner listener.
//!
//! ```text
//!   0   signature      0D 0A 0D 0A 00 0D 0A 51 55 49 54 0A
//!  12   21             version 2, command PROXY
//!  13   11 | 21        TCP over IPv4 | IPv6
//!  14   length         of all that follows, big-endian
//!  16   source, destination, source port, destination port       12 or 36 bytes
//!       type length value …       01 application protocol     02 authority (server name)    20 TLS (with 21: version)
//!                                 05 unique id (session)      E0 certificates, always last
//! ```
//!
//! Clause numbers are those of "The PROXY protocol, versions 1 & 2" (haproxy.org), §2.2. Only what the data plane itself
//! writes is accepted: the listener is not for others. Fields of unknown types are skipped, as the protocol asks.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use thiserror::Error;

use crate::certificates::{CERTIFICATES_BYTES_MAX, Certificates};
use crate::error::Malformed;
use crate::name::{HOST_NAME_BYTES_MAX, host_name};
use crate::reader::{Reader, Stop};

/// How a header begins.
pub const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Longest header without certificates, in bytes, signature included.
pub const HEADER_BYTES_MAX: usize = 512;
/// Longest header accepted, in bytes.
pub const WHOLE_BYTES_MAX: usize = HEADER_BYTES_MAX + CERTIFICATES_BYTES_MAX;
/// Longest name of an application protocol, in bytes.
pub const ALPN_BYTES_MAX: usize = 32;
/// Longest unique id, in bytes (PROXY §2.2.5).
pub const UNIQUE_ID_BYTES_MAX: usize = 128;
/// Longest text of a TLS version, in bytes.
pub const TLS_VERSION_BYTES_MAX: usize = 16;

/// Bytes up to and including the length.
const FIXED_BYTES: usize = 16;
const VERSION_2_PROXY: u8 = 0x21;
const TCP_OVER_V4: u8 = 0x11;
const TCP_OVER_V6: u8 = 0x21;
const ADDRESS_BYTES_MAX: usize = 36;
/// A field's type and length.
const FIELD_HEAD_BYTES: usize = 3;
/// Client flags and the result of verification, before the inner fields of the TLS field.
const TLS_HEAD_BYTES: usize = 5;
/// The connection came over TLS.
const CLIENT_TLS: u8 = 0x01;
/// Anything but zero: the client has shown no certificate that was verified.
const NOT_VERIFIED: u32 = 1;

mod field {
    pub(super) const ALPN: u8 = 0x01;
    /// Of those that the protocol leaves to applications.
    pub(super) const CERTIFICATES: u8 = 0xe0;
    pub(super) const AUTHORITY: u8 = 0x02;
    pub(super) const UNIQUE_ID: u8 = 0x05;
    pub(super) const TLS: u8 = 0x20;
    pub(super) const TLS_VERSION: u8 = 0x21;
}

// Whatever passes the checks of `Header::write` fits.
const _: () = assert!(
    FIXED_BYTES
        + ADDRESS_BYTES_MAX
        + FIELD_HEAD_BYTES
        + HOST_NAME_BYTES_MAX
        + FIELD_HEAD_BYTES
        + TLS_HEAD_BYTES
        + FIELD_HEAD_BYTES
        + TLS_VERSION_BYTES_MAX
        + FIELD_HEAD_BYTES
        + UNIQUE_ID_BYTES_MAX
        + FIELD_HEAD_BYTES
        + ALPN_BYTES_MAX
        + FIELD_HEAD_BYTES
        <= HEADER_BYTES_MAX
);
// Its length is a number of two bytes.
const _: () = assert!(WHOLE_BYTES_MAX <= u16::MAX as usize);

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'h> {
    /// The client's address.
    pub source: SocketAddr,
    /// The address that it connected to.
    pub destination: SocketAddr,
    /// The server name in its ClientHello.
    pub authority: Option<&'h str>,
    /// The version of TLS that it speaks, as `TLSv1.3`; none if it came without TLS.
    pub tls: Option<&'h str>,
    /// Names the session in logs.
    pub unique_id: Option<&'h str>,
    /// The application protocol that was agreed on (ALPN), if control is to know of it.
    pub alpn: Option<&'h str>,
    /// The certificates that the client has shown, and of whose first it has the key. Nobody has judged them.
    pub certificates: Option<Certificates<'h>>,
}

/// Why a header cannot be written. The caller's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unwritable {
    /// The authority is not a host name.
    #[error("authority is not a host name")]
    Authority,
    /// The TLS version is not 1 to 16 printable characters.
    #[error("TLS version is not 1 to {TLS_VERSION_BYTES_MAX} printable characters")]
    Tls,
    /// The unique id is not 1 to 128 printable characters.
    #[error("unique id is not 1 to {UNIQUE_ID_BYTES_MAX} printable characters")]
    UniqueId,
    /// The application protocol is not 1 to 32 printable characters.
    #[error("application protocol is not 1 to {ALPN_BYTES_MAX} printable characters")]
    Alpn,
}

impl<'h> Header<'h> {
    /// Writes the header into `room` and returns the part that it fills. If the two addresses differ in family, the IPv4 one
    /// is written as an IPv6 one that maps it.
    ///
    /// The certificates, which come last, are not copied: [`Certificates::as_bytes`] is to be sent right behind what is returned.
    ///
    /// # Errors
    /// [`Unwritable`], naming the field.
    pub fn write<'r>(&self, room: &'r mut [u8; HEADER_BYTES_MAX]) -> Result<&'r [u8], Unwritable> {
        if self.authority.is_some_and(|name| host_name(name.as_bytes()).is_none()) {
            return Err(Unwritable::Authority);
        }
        if self.tls.is_some_and(|version| printable(version.as_bytes(), TLS_VERSION_BYTES_MAX).is_none()) {
            return Err(Unwritable::Tls);
        }
        if self.unique_id.is_some_and(|id| printable(id.as_bytes(), UNIQUE_ID_BYTES_MAX).is_none()) {
            return Err(Unwritable::UniqueId);
        }
        if self.alpn.is_some_and(|protocol| printable(protocol.as_bytes(), ALPN_BYTES_MAX).is_none()) {
            return Err(Unwritable::Alpn);
        }
        let mut pen = Pen { room, at: 0 };
        pen.put(&SIGNATURE);
        match (self.source.ip(), self.destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                pen.put(&[VERSION_2_PROXY, TCP_OVER_V4, 0, 0]);
                pen.put(&source.octets());
                pen.put(&destination.octets());
            }
            (source, destination) => {
                pen.put(&[VERSION_2_PROXY, TCP_OVER_V6, 0, 0]);
                pen.put(&as_v6(source).octets());
                pen.put(&as_v6(destination).octets());
            }
        }
        pen.put(&self.source.port().to_be_bytes());
        pen.put(&self.destination.port().to_be_bytes());
        if let Some(name) = self.authority {
            pen.field(field::AUTHORITY, |pen| pen.put(name.as_bytes()));
        }
        if let Some(version) = self.tls {
            pen.field(field::TLS, |pen| {
                pen.put(&[CLIENT_TLS]);
                pen.put(&NOT_VERIFIED.to_be_bytes());
                pen.field(field::TLS_VERSION, |pen| pen.put(version.as_bytes()));
            });
        }
        if let Some(id) = self.unique_id {
            pen.field(field::UNIQUE_ID, |pen| pen.put(id.as_bytes()));
        }
        if let Some(protocol) = self.alpn {
            pen.field(field::ALPN, |pen| pen.put(protocol.as_bytes()));
        }
        let mut behind = 0;
        if let Some(certificates) = self.certificates {
            behind = certificates.as_bytes().len();
            pen.put(&[field::CERTIFICATES, 0, 0]);
            pen.length_at(pen.at - 2, behind);
        }
        pen.length_at(FIXED_BYTES - 2, behind);
        let Pen { room, at } = pen;
        Ok(&room[..at])
    }

    /// Reads a header from the front of `bytes`, and says how long it was; what follows is the client's.
    ///
    /// # Errors
    /// [`Stop`]: not yet complete, or a clause broken. A wrong byte is told as soon as it is there.
    pub fn read(bytes: &'h [u8]) -> Result<(Self, usize), Stop> {
        let confirmed = bytes.len().min(SIGNATURE.len());
        if bytes[..confirmed] != SIGNATURE[..confirmed] {
            return Err(Malformed::ProxySignature.into());
        }
        let mut reader = Reader::new(bytes);
        reader.take(SIGNATURE.len())?;
        let command = reader.u8()?;
        if command != VERSION_2_PROXY {
            return Err(Malformed::ProxyCommand(command).into());
        }
        let family = reader.u8()?;
        let address_bytes = match family {
            TCP_OVER_V4 => 12,
            TCP_OVER_V6 => ADDRESS_BYTES_MAX,
            other => return Err(Malformed::ProxyFamily(other).into()),
        };
        let length = reader.u16()?;
        if usize::from(length) < address_bytes || usize::from(length) > WHOLE_BYTES_MAX - FIXED_BYTES {
            return Err(Malformed::ProxyLength(length).into());
        }
        let mut rest = Reader::new(reader.take(usize::from(length))?);
        let (source, destination): (IpAddr, IpAddr) = if family == TCP_OVER_V4 {
            (rest.array::<4>()?.into(), rest.array::<4>()?.into())
        } else {
            (rest.array::<16>()?.into(), rest.array::<16>()?.into())
        };
        let (source, destination) = (SocketAddr::new(source, rest.u16()?), SocketAddr::new(destination, rest.u16()?));
        let mut header =
            Self { source, destination, authority: None, tls: None, unique_id: None, alpn: None, certificates: None };
        while !rest.is_empty() {
            header.take_field(&mut rest)?;
        }
        Ok((header, reader.at()))
    }

    fn take_field(&mut self, rest: &mut Reader<'h>) -> Result<(), Malformed> {
        let (kind, value) = field_of(rest)?;
        if kind == field::CERTIFICATES {
            if self.certificates.is_some() {
                return Err(Malformed::ProxyFieldTwice(kind));
            }
            self.certificates = Some(Certificates::read(value).map_err(|_| Malformed::ProxyCertificates)?);
            return Ok(());
        }
        let slot = match kind {
            field::AUTHORITY => &mut self.authority,
            field::TLS => &mut self.tls,
            field::UNIQUE_ID => &mut self.unique_id,
            field::ALPN => &mut self.alpn,
            _ => return Ok(()),
        };
        if slot.is_some() {
            return Err(Malformed::ProxyFieldTwice(kind));
        }
        *slot = match kind {
            field::AUTHORITY => Some(host_name(value).ok_or(Malformed::ProxyAuthority)?),
            field::TLS => Some(tls_version(value)?),
            field::ALPN => Some(printable(value, ALPN_BYTES_MAX).ok_or(Malformed::ProxyAlpn)?),
            _ => Some(printable(value, UNIQUE_ID_BYTES_MAX).ok_or(Malformed::ProxyUniqueId)?),
        };
        Ok(())
    }
}

/// The version inside a TLS field. A field without one, or one that says "not over TLS", is never written here.
fn tls_version(value: &[u8]) -> Result<&str, Malformed> {
    let mut reader = Reader::new(value);
    let head: [u8; TLS_HEAD_BYTES] = reader.array().map_err(|_| Malformed::ProxyTls)?;
    if head[0] & CLIENT_TLS == 0 {
        return Err(Malformed::ProxyTls);
    }
    let mut version = None;
    while !reader.is_empty() {
        let (kind, value) = field_of(&mut reader)?;
        if kind == field::TLS_VERSION {
            let text = printable(value, TLS_VERSION_BYTES_MAX).ok_or(Malformed::ProxyTls)?;
            if version.replace(text).is_some() {
                return Err(Malformed::ProxyFieldTwice(kind));
            }
        }
    }
    version.ok_or(Malformed::ProxyTls)
}

/// One type-length-value field.
fn field_of<'h>(reader: &mut Reader<'h>) -> Result<(u8, &'h [u8]), Malformed> {
    let beyond = |_| Malformed::ProxyField;
    let kind = reader.u8().map_err(beyond)?;
    let length = reader.u16().map_err(beyond)?;
    Ok((kind, reader.take(usize::from(length)).map_err(beyond)?))
}

/// `bytes` as text if they are 1 to `max` printable ASCII characters: such text may stand in a log.
fn printable(bytes: &[u8], max: usize) -> Option<&str> {
    let fits = (1..=max).contains(&bytes.len()) && bytes.iter().all(|b| (b' '..=b'~').contains(b));
    str::from_utf8(bytes).ok().filter(|_| fits)
}

fn as_v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}

/// Writes behind what it has written. The assertion above makes the room large enough.
struct Pen<'r> {
    room: &'r mut [u8; HEADER_BYTES_MAX],
    at: usize,
}

impl Pen<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.room[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    fn field(&mut self, kind: u8, value: impl FnOnce(&mut Self)) {
        self.put(&[kind, 0, 0]);
        let length_at = self.at - 2;
        value(self);
        self.length_at(length_at, 0);
    }

    /// Writes at `at` how many bytes follow those two, `behind` of which are not written here.
    fn length_at(&mut self, at: usize, behind: usize) {
        let length = u16::try_from(self.at - at - 2 + behind).unwrap_or(u16::MAX);
        self.room[at..at + 2].copy_from_slice(&length.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::reader::Need;

    fn portal() -> Header<'static> {
        Header {
            source: "198.51.100.7:50000".parse().unwrap(),
            destination: "203.0.113.1:443".parse().unwrap(),
            authority: Some("gw.example.test"),
            tls: Some("TLSv1.3"),
            unique_id: Some("0-12-3"),
            alpn: None,
            certificates: None,
        }
    }

    #[test]
    fn certificates_stand_behind_a_header_that_counts_them() {
        let mut room = [0; HEADER_BYTES_MAX];
        let list = crate::certificates::write([&b"own"[..], b"issuer"].into_iter()).unwrap();
        let shown = Header { alpn: Some("a/1"), certificates: Some(Certificates::read(&list).unwrap()), ..portal() };
        let written = shown.write(&mut room).unwrap();
        assert!(written.ends_with(b"\x05\0\x060-12-3\x01\0\x03a/1\xe0\0\x0d"));
        let whole = [written, &list].concat();
        assert_eq!(&whole[14..16], &u16::try_from(whole.len() - 16).unwrap().to_be_bytes());
        assert_eq!(Header::read(&whole), Ok((shown, whole.len())));
        let at_most = crate::certificates::write([&[1; CERTIFICATES_BYTES_MAX - 2][..]].into_iter()).unwrap();
        let long = Header { certificates: Some(Certificates::read(&at_most).unwrap()), ..portal() };
        let whole = [long.write(&mut room).unwrap(), &at_most].concat();
        assert_eq!(Header::read(&whole), Ok((long, whole.len())));
    }

    #[test]
    fn a_header_has_these_bytes() {
        let mut room = [0; HEADER_BYTES_MAX];
        let written = portal().write(&mut room).unwrap();
        let wanted = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x39\
            \xc6\x33\x64\x07\xcb\x00\x71\x01\xc3\x50\x01\xbb\
            \x02\x00\x0fgw.example.test\
            \x20\x00\x0f\x01\x00\x00\x00\x01\x21\x00\x07TLSv1.3\
            \x05\x00\x060-12-3";
        assert_eq!(written, wanted);
        let behind = [written, b"GET / HTTP/1.1\r\n"].concat();
        assert_eq!(Header::read(&behind), Ok((portal(), wanted.len())));
    }

    #[test]
    fn addresses_of_two_families_become_v6() {
        let mut room = [0; HEADER_BYTES_MAX];
        let mixed = Header { destination: "[2001:db8::1]:443".parse().unwrap(), ..portal() };
        let (read, _) = Header::read(mixed.write(&mut room).unwrap()).unwrap();
        assert_eq!(read.source, "[::ffff:198.51.100.7]:50000".parse().unwrap());
        assert_eq!(read.destination, mixed.destination);
    }

    #[test]
    fn what_would_not_read_back_is_not_written() {
        let mut room = [0; HEADER_BYTES_MAX];
        let long = "x".repeat(UNIQUE_ID_BYTES_MAX + 1);
        for (header, why) in [
            (Header { authority: Some("no host name"), ..portal() }, Unwritable::Authority),
            (Header { tls: Some(""), ..portal() }, Unwritable::Tls),
            (Header { tls: Some("a version too long"), ..portal() }, Unwritable::Tls),
            (Header { unique_id: Some("line\nbreak"), ..portal() }, Unwritable::UniqueId),
            (Header { unique_id: Some(&long), ..portal() }, Unwritable::UniqueId),
            (Header { alpn: Some(&long), ..portal() }, Unwritable::Alpn),
            (Header { alpn: Some("a\tb"), ..portal() }, Unwritable::Alpn),
        ] {
            assert_eq!(header.write(&mut room), Err(why));
        }
    }

    #[test]
    fn each_broken_clause_has_its_name() {
        use Malformed as M;
        let with = |fields: &[u8]| {
            let length = u16::try_from(12 + fields.len()).unwrap().to_be_bytes();
            [&SIGNATURE[..], &[0x21, 0x11], &length, &[0; 12], fields].concat()
        };
        for (bytes, why) in [
            (b"GET / HTTP/1.1".to_vec(), M::ProxySignature),
            ([&SIGNATURE[..], &[0x20]].concat(), M::ProxyCommand(0x20)),
            ([&SIGNATURE[..], &[0x21, 0x12]].concat(), M::ProxyFamily(0x12)),
            ([&SIGNATURE[..], &[0x21, 0x11, 0, 11]].concat(), M::ProxyLength(11)),
            ([&SIGNATURE[..], &[0x21, 0x21, 0, 35]].concat(), M::ProxyLength(35)),
            ([&SIGNATURE[..], &[0x21, 0x11, 0x41, 0xf1]].concat(), M::ProxyLength(0x41f1)),
            (with(&[2]), M::ProxyField),
            (with(&[2, 0, 1]), M::ProxyField),
            (with(b"\x02\0\x01a\x02\0\x01a"), M::ProxyFieldTwice(2)),
            (with(b"\x02\0\x01 "), M::ProxyAuthority),
            (with(b"\x20\0\x04\x01\0\0\0"), M::ProxyTls),
            (with(b"\x20\0\x05\x01\0\0\0\0"), M::ProxyTls),
            (with(b"\x20\0\x09\0\0\0\0\0\x21\0\x01x"), M::ProxyTls),
            (with(b"\x20\0\x08\x01\0\0\0\0\x21\0\x01"), M::ProxyField),
            (with(b"\x20\0\x0d\x01\0\0\0\0\x21\0\x01x\x21\0\x01x"), M::ProxyFieldTwice(0x21)),
            (with(b"\x05\0\0"), M::ProxyUniqueId),
            (with(b"\x05\0\x01\x7f"), M::ProxyUniqueId),
            (with(b"\x01\0\0"), M::ProxyAlpn),
            (with(b"\x01\0\x01\n"), M::ProxyAlpn),
            (with(b"\xe0\0\0"), M::ProxyCertificates),
            (with(b"\xe0\0\x03\0\x02a"), M::ProxyCertificates),
            (with(b"\xe0\0\x03\0\x01a\xe0\0\x03\0\x01a"), M::ProxyFieldTwice(0xe0)),
        ] {
            assert_eq!(Header::read(&bytes), Err(Stop::Malformed(why)), "{bytes:02x?}");
        }
        assert_eq!(Header::read(&with(b"\x04\0\x02\0\0\xe1\0\0")).unwrap().0.unique_id, None, "unknown fields are skipped");
    }

    fn header() -> impl Strategy<Value = (SocketAddr, SocketAddr, Option<String>, Option<String>, Option<String>)> {
        let address =
            prop_oneof![any::<([u8; 4], u16)>().prop_map(SocketAddr::from), any::<([u8; 16], u16)>().prop_map(SocketAddr::from)];
        let name = "[a-z0-9_]{1,63}(\\.[a-z0-9_]{1,63}){0,2}\\.[a-z]{1,60}";
        let text = |max: usize| {
            proptest::option::of(proptest::collection::vec(b' '..=b'~', 1..=max).prop_map(|b| String::from_utf8(b).unwrap()))
        };
        (address.clone(), address, proptest::option::of(name), text(TLS_VERSION_BYTES_MAX), text(UNIQUE_ID_BYTES_MAX))
    }

    proptest! {
        #[test]
        fn a_header_reads_back((source, destination, authority, tls, unique_id) in header(), behind in any::<[u8; 3]>()) {
            let header = Header { source, destination, authority: authority.as_deref(), tls: tls.as_deref(), unique_id: unique_id.as_deref(), ..portal() };
            let mut room = [0; HEADER_BYTES_MAX];
            let written = header.write(&mut room).unwrap().to_vec();
            let mut wanted = header;
            if source.is_ipv4() != destination.is_ipv4() {
                wanted.source.set_ip(as_v6(source.ip()).into());
                wanted.destination.set_ip(as_v6(destination.ip()).into());
            }
            let bytes = [&written[..], &behind].concat();
            prop_assert_eq!(Header::read(&bytes), Ok((wanted, written.len())));
            for n in 0..written.len() {
                match Header::read(&written[..n]) {
                    Err(Stop::Need(Need(more))) => prop_assert!(more >= 1 && n + more <= written.len()),
                    early => prop_assert!(false, "{:?} at {}", early, n),
                }
            }
        }

        #[test]
        fn nothing_panics_and_a_split_gives_the_same(mut bytes in proptest::collection::vec(any::<u8>(), 0..80), length in 12u8..64) {
            bytes.splice(0..0, [&SIGNATURE[..], &[0x21, 0x11, 0, length]].concat());
            let whole = Header::read(&bytes);
            for n in 0..bytes.len() {
                let early = Header::read(&bytes[..n]);
                prop_assert!(matches!(early, Err(Stop::Need(Need(1..)))) || early == whole);
            }
        }
    }
}
