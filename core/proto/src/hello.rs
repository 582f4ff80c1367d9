//! Enough of a ClientHello to filter before any key work. It never decrypts and never answers.
//!
//! ```text
//!   16 03 vv  length   01 length24  03 03 random session suites compressions extensions
//!   ─ record header ─  ─ message ─  ───────────────── body ─────────────────────────────
//!   └──────────── may be cut into several records, each with its own header ───────────┘
//! ```
//!
//! The first byte decides whether this is TLS at all, so that a scanner is told from a slow client at once. Then the records
//! are walked: headers only, nothing is copied or allocated. A hello in one record, the usual case even with post-quantum key
//! shares, is also read: server name, ALPN, versions, groups. One that is cut into several records is only known to be complete;
//! the TLS library reads it anyway, and judges what is inside.
//!
//! RFC 8446 §4.1.2, §5.1; RFC 6066 §3 (server_name); RFC 7301 §3.1 (ALPN).

use crate::error::Malformed;
use crate::name::host_name;
use crate::reader::{Need, Reader};

/// Longest hello accepted, in bytes, record headers included.
pub const HELLO_BYTES_MAX: usize = 16 * 1024;
/// Most records that a hello may be cut into. It bounds the walk for senders that put one byte into each.
pub const HELLO_RECORDS_MAX: usize = 64;

const RECORD_HEADER_BYTES: usize = 5;
const RECORD_BYTES_MAX: u16 = 1 << 14;
const MESSAGE_HEADER_BYTES: usize = 4;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SESSION_ID_BYTES_MAX: u8 = 32;

/// What the sender of the first bytes seems to speak, if it is not TLS. Told by the first byte alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NotTls {
    /// The length field of an SSLv2 hello.
    Sslv2,
    /// A letter: HTTP or another text protocol without encryption.
    Text,
    /// Anything else: ICA, RDP, SOCKS, noise.
    Other,
}

/// Why there is no hello yet, or never will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelloStop {
    /// More bytes are needed; never more than the hello has.
    Need(Need),
    /// Not TLS. There is nothing that could be answered.
    NotTls(NotTls),
    /// The hello has, or announces, more than [`HELLO_BYTES_MAX`].
    TooLarge,
    /// TLS, but wrong.
    Malformed(Malformed),
}

impl From<Need> for HelloStop {
    fn from(need: Need) -> Self {
        Self::Need(need)
    }
}

impl From<Malformed> for HelloStop {
    fn from(why: Malformed) -> Self {
        Self::Malformed(why)
    }
}

/// A complete ClientHello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello<'h> {
    /// Bytes of the records that hold it.
    pub bytes: usize,
    /// What it says, if it lies in one record.
    pub details: Option<Details<'h>>,
}

/// What a hello in one record says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Details<'h> {
    /// The server name, if one was sent that is a host name: an address or other nonsense counts as none.
    pub server_name: Option<&'h str>,
    suites: &'h [u8],
    alpn: &'h [u8],
    versions: &'h [u8],
    groups: &'h [u8],
}

impl<'h> Details<'h> {
    /// Cipher suites offered, by number, in the client's order.
    pub fn suites(&self) -> impl Iterator<Item = u16> + 'h {
        pairs(self.suites)
    }

    /// Application protocols offered, in the client's order. Empty if the extension was not sent.
    pub fn alpn(&self) -> impl Iterator<Item = &'h [u8]> + 'h {
        let mut left = Reader::new(self.alpn);
        std::iter::from_fn(move || {
            let len = left.u8().ok()?;
            left.take(usize::from(len)).ok()
        })
    }

    /// Versions in `supported_versions`, e.g. `0x0304`. Empty before TLS 1.3.
    pub fn versions(&self) -> impl Iterator<Item = u16> + 'h {
        pairs(self.versions)
    }

    /// Named groups offered, by number, in the client's order: `0x11ec` is X25519MLKEM768.
    pub fn groups(&self) -> impl Iterator<Item = u16> + 'h {
        pairs(self.groups)
    }
}

fn pairs(bytes: &[u8]) -> impl Iterator<Item = u16> + '_ {
    bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
}

/// Looks for a complete ClientHello at the front of `bytes`. Each call sees the bytes of the one before, and perhaps more.
///
/// # Errors
/// [`HelloStop`].
pub fn scan(bytes: &[u8]) -> Result<Hello<'_>, HelloStop> {
    let mut message = Message::default();
    let mut at = 0;
    for count in 1..=HELLO_RECORDS_MAX {
        let record = bytes.get(at..).unwrap_or_default();
        let length = usize::from(record_length(record, count == 1)?);
        let end = at + RECORD_HEADER_BYTES + length;
        if end > HELLO_BYTES_MAX {
            return Err(HelloStop::TooLarge);
        }
        let there = &bytes[at + RECORD_HEADER_BYTES..end.min(bytes.len())];
        let whole = message.add(there, length)?;
        if there.len() < length {
            return Err(Need(length - there.len()).into());
        }
        if whole {
            let details = if count == 1 { Some(details(&there[MESSAGE_HEADER_BYTES..])?) } else { None };
            return Ok(Hello { bytes: end, details });
        }
        at = end;
    }
    Err(Malformed::RecordCount.into())
}

/// Checks a record's header, each byte as soon as it is there, and says how long the record is.
fn record_length(record: &[u8], first: bool) -> Result<u16, HelloStop> {
    let mut reader = Reader::new(record);
    match reader.u8().map_err(|_| Need(RECORD_HEADER_BYTES))? {
        HANDSHAKE => {}
        other if !first => return Err(Malformed::RecordType(other).into()),
        0x80.. => return Err(HelloStop::NotTls(NotTls::Sslv2)),
        letter if letter.is_ascii_alphabetic() => return Err(HelloStop::NotTls(NotTls::Text)),
        _ => return Err(HelloStop::NotTls(NotTls::Other)),
    }
    match reader.u8().map_err(|_| Need(RECORD_HEADER_BYTES - 1))? {
        3 => {}
        _ if first => return Err(HelloStop::NotTls(NotTls::Other)),
        other => return Err(Malformed::RecordVersion(other).into()),
    }
    // The minor version is frozen history (RFC 8446 §5.1): it must be ignored.
    reader.u8().map_err(|_| Need(RECORD_HEADER_BYTES - 2))?;
    let length = reader.u16()?;
    if length == 0 || length > RECORD_BYTES_MAX { Err(Malformed::RecordLength(length).into()) } else { Ok(length) }
}

/// How much of the handshake message has been seen. Only its header is kept.
#[derive(Default)]
struct Message {
    header: [u8; MESSAGE_HEADER_BYTES],
    seen: usize,
}

impl Message {
    /// Takes note of those bytes of a record that are there, of `length`. Says whether the message ends with that record.
    fn add(&mut self, there: &[u8], length: usize) -> Result<bool, HelloStop> {
        for (&byte, place) in there.iter().zip(self.header.iter_mut().skip(self.seen)) {
            *place = byte;
        }
        let known = self.seen + there.len();
        if known > 0 && self.header[0] != CLIENT_HELLO {
            return Err(Malformed::HelloType(self.header[0]).into());
        }
        self.seen += length;
        if known < MESSAGE_HEADER_BYTES {
            return Ok(false);
        }
        let [_, a, b, c] = self.header;
        let whole = MESSAGE_HEADER_BYTES + usize::from(a) * 0x1_0000 + usize::from(b) * 0x100 + usize::from(c);
        if whole > HELLO_BYTES_MAX - RECORD_HEADER_BYTES {
            return Err(HelloStop::TooLarge);
        }
        if self.seen > whole { Err(Malformed::HelloTrailing.into()) } else { Ok(self.seen == whole) }
    }
}

/// Extensions that are read (IANA, TLS ExtensionType values).
mod extension {
    pub(super) const SERVER_NAME: u16 = 0;
    pub(super) const GROUPS: u16 = 10;
    pub(super) const ALPN: u16 = 16;
    pub(super) const VERSIONS: u16 = 43;
}

/// Reads a complete ClientHello's body.
fn details(body: &[u8]) -> Result<Details<'_>, Malformed> {
    let mut reader = Inside(Reader::new(body));
    reader.take(2 + 32)?; // legacy version and random
    let session_id = reader.u8()?;
    if session_id > SESSION_ID_BYTES_MAX {
        return Err(Malformed::HelloSessionId(session_id));
    }
    reader.take(usize::from(session_id))?;
    let mut details = Details { suites: reader.numbers()?, ..Details::default() };
    let compressions = reader.u8()?;
    if compressions == 0 {
        return Err(Malformed::HelloLength);
    }
    reader.take(usize::from(compressions))?;
    if reader.0.is_empty() {
        return Ok(details); // no extensions at all, as TLS 1.2 allows
    }
    let mut extensions = Inside(Reader::new(reader.block()?));
    reader.must_end()?;
    let mut seen = [false; 4];
    while !extensions.0.is_empty() {
        let kind = extensions.u16()?;
        let mut inner = Inside(Reader::new(extensions.block()?));
        let place = match kind {
            extension::SERVER_NAME => 0,
            extension::GROUPS => 1,
            extension::ALPN => 2,
            extension::VERSIONS => 3,
            _ => continue,
        };
        if std::mem::replace(&mut seen[place], true) {
            return Err(Malformed::HelloExtensionTwice(kind));
        }
        match kind {
            extension::SERVER_NAME => details.server_name = server_name(inner.block()?)?,
            extension::GROUPS => details.groups = inner.numbers()?,
            extension::ALPN => details.alpn = protocols(inner.block()?)?,
            _ => {
                let length = inner.u8()?;
                details.versions = even(inner.take(usize::from(length))?)?;
            }
        }
        inner.must_end()?;
    }
    Ok(details)
}

/// The host name in a list of names; none if it is no host name that could be configured here.
fn server_name(list: &[u8]) -> Result<Option<&str>, Malformed> {
    const HOST_NAME: u8 = 0;
    let mut names = Inside(Reader::new(list));
    let mut host = None;
    while !names.0.is_empty() {
        let kind = names.u8()?;
        let name = names.block()?;
        if kind == HOST_NAME && host.replace(name).is_some() {
            return Err(Malformed::HelloServerName);
        }
    }
    host.map(host_name).ok_or(Malformed::HelloServerName)
}

/// A list of protocols after its form was checked.
fn protocols(list: &[u8]) -> Result<&[u8], Malformed> {
    let mut left = Inside(Reader::new(list));
    while !left.0.is_empty() {
        let length = left.u8()?;
        if length == 0 {
            return Err(Malformed::HelloLength);
        }
        left.take(usize::from(length))?;
    }
    if list.is_empty() { Err(Malformed::HelloLength) } else { Ok(list) }
}

fn even(bytes: &[u8]) -> Result<&[u8], Malformed> {
    if bytes.is_empty() || bytes.len() % 2 != 0 { Err(Malformed::HelloLength) } else { Ok(bytes) }
}

/// A cursor inside something complete, where bytes that are missing will never come.
struct Inside<'b>(Reader<'b>);

impl<'b> Inside<'b> {
    fn take(&mut self, n: usize) -> Result<&'b [u8], Malformed> {
        self.0.take(n).map_err(|_| Malformed::HelloLength)
    }

    fn u8(&mut self) -> Result<u8, Malformed> {
        self.0.u8().map_err(|_| Malformed::HelloLength)
    }

    fn u16(&mut self) -> Result<u16, Malformed> {
        self.0.u16().map_err(|_| Malformed::HelloLength)
    }

    /// As many bytes as the two before them say.
    fn block(&mut self) -> Result<&'b [u8], Malformed> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }

    /// A block of two-byte numbers, one at least.
    fn numbers(&mut self) -> Result<&'b [u8], Malformed> {
        even(self.block()?)
    }

    fn must_end(&self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed::HelloLength) }
    }
}
