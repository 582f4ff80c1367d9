//! A look at the ClientHello before rustls gets it: the name asked for, and whether `http/1.1` is among the protocols offered.
//!
//! This judges nothing. Whatever it cannot read it reports as absent; refusing a hello, with the right alert, is for rustls.

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hello {
    /// The DNS name asked for (SNI), in lower case.
    pub(super) sni: Option<Box<str>>,
    /// ALPN offers `http/1.1`.
    pub(super) http11: bool,
}

/// Extension numbers (IANA).
const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;
/// Most bytes of a DNS name.
const NAME_MAX: usize = 255;

impl Hello {
    /// Reads a whole ClientHello message, its four-byte header included.
    pub(super) fn read(message: &[u8]) -> Self {
        Self::extensions(message).unwrap_or_default()
    }

    fn extensions(message: &[u8]) -> Option<Self> {
        let mut r = Reader(message);
        r.take(4 + 2 + 32)?; // message header, version, random
        r.short_vector()?; // session id
        r.vector()?; // cipher suites
        r.short_vector()?; // compression methods
        let mut extensions = Reader(r.vector()?);
        let mut found = Self::default();
        while !extensions.0.is_empty() {
            let (kind, body) = (extensions.number()?, extensions.vector()?);
            match kind {
                SERVER_NAME => found.sni = server_name(body),
                ALPN => found.http11 = offers_http11(body).unwrap_or(false),
                _ => {}
            }
        }
        Some(found)
    }
}

fn server_name(body: &[u8]) -> Option<Box<str>> {
    let mut names = Reader(Reader(body).vector()?);
    let [kind] = *names.take(1)? else { return None };
    let name = names.vector()?;
    let fits = !name.is_empty() && name.len() <= NAME_MAX;
    let plain = name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    (kind == 0 && fits && plain).then(|| String::from_utf8_lossy(name).to_ascii_lowercase().into_boxed_str())
}

fn offers_http11(body: &[u8]) -> Option<bool> {
    let mut offered = Reader(Reader(body).vector()?);
    while !offered.0.is_empty() {
        if offered.short_vector()? == b"http/1.1" {
            return Some(true);
        }
    }
    Some(false)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(head)
    }

    fn number(&mut self) -> Option<u16> {
        let bytes = self.take(2)?;
        Some(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// With a length of one byte before it.
    fn short_vector(&mut self) -> Option<&'a [u8]> {
        let [len] = *self.take(1)? else { return None };
        self.take(usize::from(len))
    }

    /// With a length of two bytes before it.
    fn vector(&mut self) -> Option<&'a [u8]> {
        let len = self.number()?;
        self.take(usize::from(len))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn vector(body: &[u8]) -> Vec<u8> {
        let mut out = u16::try_from(body.len()).unwrap().to_be_bytes().to_vec();
        out.extend_from_slice(body);
        out
    }

    fn hello(extensions: &[(u16, Vec<u8>)]) -> Vec<u8> {
        let mut message = vec![1, 0, 0, 0, 3, 3];
        message.extend([7; 32]);
        message.extend([2, 9, 9]); // session id
        message.extend(vector(&[0x13, 0x01]));
        message.extend([1, 0]);
        let body: Vec<u8> =
            extensions.iter().flat_map(|(kind, body)| kind.to_be_bytes().into_iter().chain(vector(body))).collect();
        message.extend(vector(&body));
        message
    }

    fn sni(name: &[u8]) -> (u16, Vec<u8>) {
        let mut entry = vec![0];
        entry.extend(vector(name));
        (SERVER_NAME, vector(&entry))
    }

    fn alpn(protocols: &[&str]) -> (u16, Vec<u8>) {
        let list: Vec<u8> =
            protocols.iter().flat_map(|p| std::iter::once(u8::try_from(p.len()).unwrap()).chain(p.bytes())).collect();
        (ALPN, vector(&list))
    }

    #[test]
    fn reads_name_and_protocols() {
        let found = Hello::read(&hello(&[(43, vec![2, 3, 4]), sni(b"Gate.Example"), alpn(&["h2", "http/1.1"])]));
        assert_eq!(found, Hello { sni: Some("gate.example".into()), http11: true });
        assert_eq!(Hello::read(&hello(&[alpn(&["h2"])])), Hello::default());
        assert_eq!(Hello::read(&hello(&[])), Hello::default());
    }

    #[test]
    fn names_that_are_none_are_absent() {
        for name in [&b""[..], b"a b", b"\xff", b"x\0y", &[b'a'; 256]] {
            assert_eq!(Hello::read(&hello(&[sni(name)])).sni, None);
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300), cut in 0usize..200, flip in any::<u8>()) {
            Hello::read(&bytes);
            let mut message = hello(&[sni(b"gate.example"), alpn(&["http/1.1"])]);
            let at = cut % message.len();
            message[at] ^= flip;
            Hello::read(&message);
            Hello::read(&message[..at]);
        }
    }
}
