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
//! shares, is also read: server name, ALPN, versions, groups. One that is cut into several records is only known to be complete:
//! whoever puts its message together anyway, as a handshake does, has it read by [`read`].
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

/// Reads a complete ClientHello message, its header of four bytes included, without its records.
///
/// # Errors
/// [`Malformed`]; in the header, its length is all that is looked at.
pub fn read(message: &[u8]) -> Result<Details<'_>, Malformed> {
    details(message.get(MESSAGE_HEADER_BYTES..).ok_or(Malformed::HelloLength)?)
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
    if bytes.is_empty() || !bytes.len().is_multiple_of(2) { Err(Malformed::HelloLength) } else { Ok(bytes) }
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

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_hello_in_one_record_is_read() {
        let said = Said {
            session_id: vec![7; 32],
            suites: vec![0x1301, 0xc02f],
            extensions: vec![
                (0, sni(&[(0, b"gw.example.test")])),
                (16, block(b"\x08http/1.1\x02h2")),
                (43, vec![4, 3, 4, 3, 3]),
                (10, block(&[0x11, 0xec, 0, 0x1d])),
                (0xfe0d, vec![1, 2, 3]),
            ],
        };
        let bytes = said.record();
        let hello = scan(&bytes).unwrap();
        let details = hello.details.unwrap();
        assert_eq!(hello.bytes, bytes.len());
        assert_eq!(details.server_name, Some("gw.example.test"));
        assert_eq!(details.suites().collect::<Vec<_>>(), [0x1301, 0xc02f]);
        assert_eq!(details.alpn().collect::<Vec<_>>(), [&b"http/1.1"[..], b"h2"]);
        assert_eq!(details.versions().collect::<Vec<_>>(), [0x0304, 0x0303]);
        assert_eq!(details.groups().collect::<Vec<_>>(), [0x11ec, 0x001d]);
    }

    #[test]
    fn a_hello_without_extensions_is_one_of_old() {
        let mut body = Said::default().body();
        body.truncate(body.len() - 2);
        let bytes = cut(&message(&body), &[]);
        assert_eq!(scan(&bytes).unwrap().details.unwrap().server_name, None);
    }

    #[test]
    fn bytes_behind_the_hello_are_not_looked_at() {
        let mut bytes = Said::default().record();
        let whole = bytes.len();
        bytes.extend([0xff; 9]);
        assert_eq!(scan(&bytes).unwrap().bytes, whole);
    }

    #[test]
    fn the_first_byte_tells_what_is_not_tls() {
        for (bytes, what) in [
            (&b"\x80\x2e\x01\x03\x01"[..], NotTls::Sslv2),
            (b"GET / HTTP/1.1\r\n", NotTls::Text),
            (b"\x7f\x7fICA\0", NotTls::Other),
            (b"\x03\0\0\x13", NotTls::Other),
            (b"\x05\x01\0", NotTls::Other),
            (b"\x15\x03\x03\0\x02\x01\0", NotTls::Other),
        ] {
            for n in 1..=bytes.len() {
                assert_eq!(scan(&bytes[..n]), Err(HelloStop::NotTls(what)));
            }
        }
        assert_eq!(scan(b"\x16\x02"), Err(HelloStop::NotTls(NotTls::Other)));
    }

    #[test]
    fn each_broken_clause_has_its_name() {
        use Malformed as M;
        let twice = |kind, value: Vec<u8>| Said { extensions: vec![(kind, value.clone()), (kind, value)], ..Said::default() };
        let one = |kind, value: &[u8]| Said { extensions: vec![(kind, value.to_vec())], ..Said::default() }.record();
        let good = message(&Said::default().body());
        let long_id = Said { session_id: vec![0; 33], ..Said::default() }.record();
        let surplus = [&good[..], &[1]].concat();
        let mut alien = cut(&good, &[9]);
        alien[5 + 9] = 23;
        let mut old = cut(&good, &[9]);
        old[5 + 9 + 1] = 2;
        let cases: [(&[u8], M); 18] = [
            (b"\x16\x03\x01\0\0", M::RecordLength(0)),
            (b"\x16\x03\x01\x40\x01", M::RecordLength(16385)),
            (&alien, M::RecordType(23)),
            (&old, M::RecordVersion(2)),
            (b"\x16\x03\x01\0\x04\x02", M::HelloType(2)),
            (&cut(&surplus, &[]), M::HelloTrailing),
            (&cut(&surplus, &[2]), M::HelloTrailing),
            (&cut(&message(&[0; 20]), &[]), M::HelloLength),
            (&long_id, M::HelloSessionId(33)),
            (&twice(0, sni(&[(0, b"a.test")])).record(), M::HelloExtensionTwice(0)),
            (&twice(43, vec![2, 3, 4]).record(), M::HelloExtensionTwice(43)),
            (&one(0, &block(b"")), M::HelloServerName),
            (&one(0, &sni(&[(0, b"a.test"), (0, b"b.test")])), M::HelloServerName),
            (&one(0, &sni(&[(1, b"?")])), M::HelloServerName),
            (&one(10, &block(&[1, 2, 3])), M::HelloLength),
            (&one(16, &block(b"\0")), M::HelloLength),
            (&one(16, &block(b"\x09http/1.1")), M::HelloLength),
            (&one(43, &[2, 3, 4, 0]), M::HelloLength),
        ];
        for (bytes, why) in cases {
            assert_eq!(scan(bytes), Err(HelloStop::Malformed(why)), "{bytes:02x?}");
        }
    }

    #[test]
    fn an_address_or_other_nonsense_counts_as_no_name() {
        for name in [&b"192.0.2.1"[..], b"a.test.", b"", b"a b", b"\xff"] {
            let said = Said { extensions: vec![(0, sni(&[(0, name)]))], ..Said::default() };
            assert_eq!(scan(&said.record()).unwrap().details.unwrap().server_name, None, "{name:?}");
        }
    }

    #[test]
    fn size_and_count_are_capped_before_the_bytes_come() {
        assert_eq!(scan(b"\x16\x03\x01\x02\0\x01\x00\x40\x00"), Err(HelloStop::TooLarge), "announced by the message");
        assert_eq!(scan(b"\x16\x03\x01\x40\0"), Err(HelloStop::TooLarge), "announced by the record");
        let fits = Said { extensions: vec![(99, vec![0; 16_000])], ..Said::default() }.record();
        assert!(fits.len() > 16_000 && scan(&fits).is_ok());

        let long = message(&Said { extensions: vec![(99, vec![0; 100])], ..Said::default() }.body());
        let ones: Vec<usize> = (1..long.len()).collect();
        assert_eq!(scan(&cut(&long, &ones)), Err(HelloStop::Malformed(Malformed::RecordCount)));
        assert_eq!(scan(&cut(&long, &ones[..HELLO_RECORDS_MAX - 1])).unwrap().details, None);
    }

    proptest! {
        #[test]
        fn what_was_said_is_read(said in said()) {
            let bytes = said.record();
            let details = scan(&bytes).unwrap().details.unwrap();
            let message = message(&said.body());
            prop_assert_eq!(read(&message), Ok(details), "with and without its record");
            prop_assert_eq!(details.suites().collect::<Vec<_>>(), said.suites);
        }

        #[test]
        fn fragments_change_nothing_but_the_details(said in said(), cuts in vec(1usize..200, 0..8)) {
            let message = message(&said.body());
            let bytes = cut(&message, &cuts);
            let hello = scan(&bytes).unwrap();
            prop_assert_eq!(hello.bytes, bytes.len());
            prop_assert_eq!(hello.details.is_some(), bytes.len() == message.len() + 5);
        }

        #[test]
        fn a_split_at_every_byte_gives_the_same(said in said(), cuts in vec(1usize..200, 0..4), flip in any::<(usize, u8)>()) {
            let mut bytes = cut(&message(&said.body()), &cuts);
            let at = flip.0 % bytes.len();
            bytes[at] ^= flip.1;
            let whole = scan(&bytes);
            for n in 0..bytes.len() {
                match scan(&bytes[..n]) {
                    Err(HelloStop::Need(Need(more))) => {
                        prop_assert!(more >= 1);
                        let announced = whole.is_ok_and(|hello| n + more > hello.bytes);
                        prop_assert!(!announced, "asked for {} bytes at {} of a whole {:?}", more, n, whole);
                    }
                    early => prop_assert_eq!(early, whole),
                }
            }
        }

        #[test]
        fn nothing_panics(bytes in vec(any::<u8>(), 0..400), head in any::<bool>()) {
            let _ = read(&bytes);
            let bytes = if head { cut(&message(&bytes), &[]) } else { bytes };
            let _ = scan(&bytes);
        }
    }

    /// A hello as its sender means it.
    #[derive(Clone, Debug)]
    struct Said {
        session_id: Vec<u8>,
        suites: Vec<u16>,
        extensions: Vec<(u16, Vec<u8>)>,
    }

    impl Default for Said {
        fn default() -> Self {
            Self { session_id: Vec::new(), suites: vec![0x1301], extensions: Vec::new() }
        }
    }

    impl Said {
        fn body(&self) -> Vec<u8> {
            let mut body = [&[3, 3][..], &[0x5a; 32]].concat();
            body.push(self.session_id.len().try_into().unwrap());
            body.extend(&self.session_id);
            body.extend(block(&self.suites.iter().flat_map(|n| n.to_be_bytes()).collect::<Vec<_>>()));
            body.extend([1, 0]);
            let extensions = self.extensions.iter().flat_map(|(kind, value)| [&kind.to_be_bytes()[..], &block(value)].concat());
            body.extend(block(&extensions.collect::<Vec<_>>()));
            body
        }

        fn record(&self) -> Vec<u8> {
            cut(&message(&self.body()), &[])
        }
    }

    fn said() -> impl Strategy<Value = Said> {
        let extension = prop_oneof![
            "[a-z]{1,8}(\\.[a-z]{1,8}){0,3}".prop_map(|name| (0, sni(&[(0, name.as_bytes())]))),
            Just((16, block(b"\x08http/1.1"))),
            vec(any::<u16>(), 1..4).prop_map(|n| (10, block(&n.iter().flat_map(|n| n.to_be_bytes()).collect::<Vec<_>>()))),
            (100u16.., vec(any::<u8>(), 0..300)),
        ];
        let extensions = vec(extension, 0..6).prop_map(|mut all| {
            all.sort_by_key(|(kind, _)| *kind);
            all.dedup_by_key(|(kind, _)| *kind);
            all
        });
        (vec(any::<u8>(), 0..=32), vec(any::<u16>(), 1..20), extensions).prop_map(|(session_id, suites, extensions)| Said {
            session_id,
            suites,
            extensions,
        })
    }

    fn block(bytes: &[u8]) -> Vec<u8> {
        [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
    }

    fn sni(names: &[(u8, &[u8])]) -> Vec<u8> {
        block(&names.iter().flat_map(|(kind, name)| [&[*kind][..], &block(name)].concat()).collect::<Vec<_>>())
    }

    fn message(body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[CLIENT_HELLO][..], &length[1..], body].concat()
    }

    /// Puts `message` into records, a new one at each of `cuts` that lies inside.
    fn cut(message: &[u8], cuts: &[usize]) -> Vec<u8> {
        let mut ends: Vec<usize> = cuts.iter().copied().filter(|&at| at < message.len()).collect();
        ends.push(message.len());
        ends.sort_unstable();
        ends.dedup();
        let starts = [0].into_iter().chain(ends.clone());
        starts.zip(ends).flat_map(|(from, to)| [&[HANDSHAKE, 3, 1][..], &block(&message[from..to])].concat()).collect()
    }
}
