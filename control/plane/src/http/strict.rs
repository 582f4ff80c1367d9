//! The one strict reading of HTTP/1: which bytes are a head, which a body, and whether both are beyond doubt.
//!
//! ```text
//!   socket ─► raw ─► Framing: head, body of n bytes, chunks ─► cleared bytes ─► hyper
//!                       │ anything doubtful
//!                       └─► one synthetic request that carries [`FAULT_FIELD`], then nothing more
//! ```
//!
//! Two readers that disagree about where a request ends are how requests are smuggled. This reader is narrower than hyper's, so
//! whatever it lets through has one meaning only: lines end with CR LF and nothing else, no folding, no blank before a colon,
//! one `Host`, one `Content-Length` of digits, never together with `Transfer-Encoding`, which must be `chunked` alone.

/// Longest head of a request, in bytes.
pub(crate) const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Most fields in a head.
pub(crate) const FIELDS_MAX: usize = 64;
/// Longest request target, in bytes.
pub(crate) const TARGET_BYTES_MAX: usize = 4096;
/// Longest `Host`, in bytes.
pub(crate) const HOST_BYTES_MAX: usize = 255;
/// Carries a [`Fault`] to the service, inside the process. A request that brings it along is refused.
pub(crate) const FAULT_FIELD: &str = "x-sluicegate-fault";

/// Longest line with the size of a chunk: eight digits.
const CHUNK_DIGITS_MAX: usize = 8;

/// Why a request is not read. The client's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Its grammar is broken or its length doubtful.
    Malformed,
    /// The head has more bytes or fields than allowed.
    HeadTooLarge,
    /// The target is too long.
    TargetTooLong,
    /// Neither HTTP/1.1 nor 1.0.
    Version,
}

impl Fault {
    /// The status to answer with.
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::HeadTooLarge => 431,
            Self::TargetTooLong => 414,
            Self::Version => 505,
        }
    }

    /// The request that stands in for the one that was not read.
    pub(crate) fn stand_in(self) -> Vec<u8> {
        let status = self.status();
        format!("GET / HTTP/1.1\r\nhost: -\r\nconnection: close\r\n{FAULT_FIELD}: {status}\r\n\r\n").into_bytes()
    }
}

/// How long the body is that a head announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// That many bytes, perhaps none.
    Bytes(u64),
    /// Chunks tell.
    Chunked,
}

/// Where in the stream of requests we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Before or in a head, in that many bytes of which there is no end.
    Head(usize),
    /// That many bytes of a body are still to come.
    Body(u64),
    /// Before or in the line with a chunk's size.
    ChunkSize,
    /// That many bytes of a chunk, its line end included, are still to come; `true` for all but the last one.
    Chunk(u64, bool),
    /// A fault was found: nothing that follows is read.
    Refused,
}

/// What [`Framing::clear`] found at the front of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cleared {
    /// More bytes are needed.
    Need,
    /// A head of `bytes` bytes, announcing a body of `length`.
    Head {
        /// Of the head.
        bytes: usize,
        /// Of the body.
        length: Length,
    },
    /// That many bytes of a body or its framing.
    Body(usize),
}

impl Framing {
    /// Before a head.
    pub(crate) const HEAD: Self = Self::Head(0);

    /// Looks at `raw`, the bytes not yet cleared, and moves on.
    pub(crate) fn clear(&mut self, raw: &[u8]) -> Result<Cleared, Fault> {
        match *self {
            Self::Refused => Ok(Cleared::Need),
            Self::Head(seen) => self.clear_head(raw, seen),
            Self::Body(_) | Self::Chunk(..) if raw.is_empty() => Ok(Cleared::Need),
            Self::Body(left) => {
                let taken = at_most(raw.len(), left);
                let left = left - as_u64(taken);
                *self = if left == 0 { Self::HEAD } else { Self::Body(left) };
                Ok(Cleared::Body(taken))
            }
            Self::ChunkSize => self.clear_chunk_size(raw),
            Self::Chunk(left, more) => self.clear_chunk(raw, left, more),
        }
    }

    /// `seen` bytes of `raw` were looked at before: a head that comes byte by byte is not searched from its begin each time.
    fn clear_head(&mut self, raw: &[u8], seen: usize) -> Result<Cleared, Fault> {
        let from = seen.saturating_sub(3);
        let end = raw.windows(4).take(HEAD_BYTES_MAX).skip(from).position(|four| four == b"\r\n\r\n");
        let Some(end) = end.map(|end| from + end) else {
            // A bare line feed can never become right: say so at once instead of waiting for an end that will not come.
            let mut fresh = raw.iter().enumerate().skip(seen);
            let doubtful = fresh.any(|(at, b)| *b == b'\n' && (at == 0 || raw[at - 1] != b'\r'));
            *self = Self::Head(raw.len());
            return match raw.len() >= HEAD_BYTES_MAX {
                true => Err(Fault::HeadTooLarge),
                false if doubtful => Err(Fault::Malformed),
                false => Ok(Cleared::Need),
            };
        };
        let length = read_head(&raw[..end])?;
        *self = match length {
            Length::Bytes(0) => Self::HEAD,
            Length::Bytes(bytes) => Self::Body(bytes),
            Length::Chunked => Self::ChunkSize,
        };
        Ok(Cleared::Head { bytes: end + 4, length })
    }

    fn clear_chunk_size(&mut self, raw: &[u8]) -> Result<Cleared, Fault> {
        let line = &raw[..raw.len().min(CHUNK_DIGITS_MAX + 2)];
        let Some(end) = line.windows(2).position(|two| two == b"\r\n") else {
            let digits = line.iter().take_while(|b| b.is_ascii_hexdigit()).count();
            let may_end = line.len() == digits || (line.len() == digits + 1 && line.ends_with(b"\r"));
            return if may_end && line.len() < CHUNK_DIGITS_MAX + 2 { Ok(Cleared::Need) } else { Err(Fault::Malformed) };
        };
        let digits = str::from_utf8(&line[..end]).ok().filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        let size = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()).ok_or(Fault::Malformed)?;
        *self = Self::Chunk(size + 2, size > 0);
        Ok(Cleared::Body(end + 2))
    }

    /// A chunk's bytes and its line end; after the last chunk the line end alone, since trailers are not accepted.
    fn clear_chunk(&mut self, raw: &[u8], left: u64, more: bool) -> Result<Cleared, Fault> {
        let taken = at_most(raw.len(), left);
        let after = left - as_u64(taken);
        for (at, wanted) in [(2, b'\r'), (1, b'\n')] {
            // The byte that is `at` bytes before the chunk's end, if it is among those at hand.
            if left >= at
                && let Some(found) = usize::try_from(left - at).ok().and_then(|offset| raw.get(offset))
                && *found != wanted
            {
                return Err(Fault::Malformed);
            }
        }
        *self = match (after, more) {
            (0, true) => Self::ChunkSize,
            (0, false) => Self::HEAD,
            (after, more) => Self::Chunk(after, more),
        };
        Ok(Cleared::Body(taken))
    }
}

/// Reads a head without its last two line ends.
fn read_head(head: &[u8]) -> Result<Length, Fault> {
    // Every CR is followed by LF and every LF preceded by CR: then splitting at CR LF has one meaning.
    let bare_cr = head.iter().enumerate().any(|(at, b)| *b == b'\r' && head.get(at + 1) != Some(&b'\n'));
    let bare_lf = head.iter().enumerate().any(|(at, b)| *b == b'\n' && (at == 0 || head[at - 1] != b'\r'));
    if bare_cr || bare_lf {
        return Err(Fault::Malformed);
    }
    let mut lines = head.split(|b| *b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let at_least_1_1 = read_request_line(lines.next().unwrap_or_default())?;
    let (mut fields, mut hosts, mut length, mut chunked) = (0usize, 0usize, None, false);
    for line in lines {
        fields += 1;
        if fields > FIELDS_MAX {
            return Err(Fault::HeadTooLarge);
        }
        let (name, value) = read_field(line)?;
        if name.eq_ignore_ascii_case(b"host") {
            hosts += 1;
            if value.is_empty() || value.len() > HOST_BYTES_MAX || !value.iter().all(u8::is_ascii_graphic) {
                return Err(Fault::Malformed);
            }
        } else if name.eq_ignore_ascii_case(b"content-length") {
            let digits = str::from_utf8(value).ok().filter(|v| !v.is_empty() && v.bytes().all(|b| b.is_ascii_digit()));
            let bytes = digits.and_then(|digits| digits.parse().ok()).ok_or(Fault::Malformed)?;
            if length.replace(bytes).is_some() {
                return Err(Fault::Malformed);
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if chunked || !value.eq_ignore_ascii_case(b"chunked") || !at_least_1_1 {
                return Err(Fault::Malformed);
            }
            chunked = true;
        } else if name.eq_ignore_ascii_case(FAULT_FIELD.as_bytes()) {
            return Err(Fault::Malformed);
        }
    }
    if hosts > 1 || (hosts == 0 && at_least_1_1) {
        return Err(Fault::Malformed);
    }
    match (length, chunked) {
        (Some(_), true) => Err(Fault::Malformed),
        (None, true) => Ok(Length::Chunked),
        (length, false) => Ok(Length::Bytes(length.unwrap_or(0))),
    }
}

/// `METHOD SP target SP HTTP/1.x`; whether x is 1.
fn read_request_line(line: &[u8]) -> Result<bool, Fault> {
    let mut words = line.split(|b| *b == b' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next()) else {
        return Err(Fault::Malformed);
    };
    if target.len() > TARGET_BYTES_MAX {
        return Err(Fault::TargetTooLong);
    }
    let is_method = (1..=16).contains(&method.len()) && method.iter().all(u8::is_ascii_uppercase);
    if !is_method || target.is_empty() || !target.iter().all(u8::is_ascii_graphic) {
        return Err(Fault::Malformed);
    }
    match version {
        b"HTTP/1.1" => Ok(true),
        b"HTTP/1.0" => Ok(false),
        other if other.starts_with(b"HTTP/") => Err(Fault::Version),
        _ => Err(Fault::Malformed),
    }
}

/// `name ":" blanks value blanks`
fn read_field(line: &[u8]) -> Result<(&[u8], &[u8]), Fault> {
    let colon = line.iter().position(|b| *b == b':').ok_or(Fault::Malformed)?;
    let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
    let is_token = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b);
    let may_stand = |b: &u8| *b == b'\t' || (*b >= b' ' && *b != 0x7f);
    if name.is_empty() || !name.iter().all(is_token) || !line[colon + 1..].iter().all(may_stand) {
        return Err(Fault::Malformed);
    }
    Ok((name, value))
}

fn at_most(have: usize, wanted: u64) -> usize {
    usize::try_from(wanted).map_or(have, |wanted| wanted.min(have))
}

fn as_u64(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `bytes` in pieces of `piece` and returns what was cleared, or the fault.
    fn feed(bytes: &[u8], piece: usize) -> Result<Vec<Cleared>, Fault> {
        let (mut framing, mut raw, mut found) = (Framing::HEAD, Vec::new(), Vec::new());
        for part in bytes.chunks(piece) {
            raw.extend_from_slice(part);
            loop {
                let taken = match framing.clear(&raw)? {
                    Cleared::Need => break,
                    Cleared::Head { bytes, length } => {
                        found.push(Cleared::Head { bytes, length });
                        bytes
                    }
                    Cleared::Body(bytes) => {
                        if let Some(Cleared::Body(before)) = found.last_mut() {
                            *before += bytes;
                        } else {
                            found.push(Cleared::Body(bytes));
                        }
                        bytes
                    }
                };
                raw.drain(..taken);
            }
        }
        assert!(raw.is_empty() || matches!(framing, Framing::Head(_)) || framing == Framing::ChunkSize, "{raw:?}");
        Ok(found)
    }

    #[test]
    fn good_requests_have_one_meaning_however_they_are_cut() {
        let get = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let post = b"POST /x HTTP/1.1\r\nHost: a:443\r\nContent-Length: 5\r\n\r\nhello";
        let chunked = b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\na\r\n\r\n\r\n\r\n\r\n\r\n\r\n0\r\n\r\n";
        let old = b"GET /y?q HTTP/1.0\r\nX-Empty:\r\nX-Tab: \ta\tb \r\n\r\n";
        let all = [&get[..], post, chunked, old].concat();
        let whole = feed(&all, all.len()).unwrap();
        let heads = whole.iter().filter(|c| matches!(c, Cleared::Head { .. })).count();
        assert_eq!(heads, 4);
        assert_eq!(whole[0], Cleared::Head { bytes: get.len(), length: Length::Bytes(0) });
        assert_eq!(whole[2], Cleared::Body(5));
        assert!(matches!(whole[3], Cleared::Head { length: Length::Chunked, .. }));
        for piece in 1..40 {
            assert_eq!(feed(&all, piece).unwrap(), whole, "{piece}");
        }
    }

    #[test]
    fn doubt_is_refused_however_it_is_cut() {
        let long = "x".repeat(TARGET_BYTES_MAX + 1);
        let host = |rest: &str| format!("GET / HTTP/1.1\r\nHost: a\r\n{rest}\r\n\r\n").into_bytes();
        for (bytes, fault) in [
            (b"GET / HTTP/1.1\nHost: a\n\n".to_vec(), Fault::Malformed),
            (b"GET / HTTP/1.1\r\nHost: a\n\r\n\r\n".to_vec(), Fault::Malformed),
            (b"GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n".to_vec(), Fault::Malformed),
            (b"GET / HTTP/1.1\r\n\r\n".to_vec(), Fault::Malformed),
            (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), Fault::Malformed),
            (b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n".to_vec(), Fault::Malformed),
            (b"get / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), Fault::Malformed),
            (b"GET /\xc3\xbc HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), Fault::Malformed),
            (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n".to_vec(), Fault::Version),
            (b"GET /\r\nHost: a\r\n\r\n".to_vec(), Fault::Malformed),
            (format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes(), Fault::TargetTooLong),
            (host("Host: b"), Fault::Malformed),
            (host("Content-Length: 1\r\nContent-Length: 1"), Fault::Malformed),
            (host("Content-Length: 1\r\nTransfer-Encoding: chunked"), Fault::Malformed),
            (host("Transfer-Encoding: chunked\r\nContent-Length: 1"), Fault::Malformed),
            (host("Transfer-Encoding: gzip, chunked"), Fault::Malformed),
            (host("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), Fault::Malformed),
            (host("Transfer-Encoding: identity"), Fault::Malformed),
            (host("Content-Length: +1"), Fault::Malformed),
            (host("Content-Length: 1, 1"), Fault::Malformed),
            (host("Content-Length:"), Fault::Malformed),
            (host("Content-Length: 99999999999999999999"), Fault::Malformed),
            (host("A : b"), Fault::Malformed),
            (host(": b"), Fault::Malformed),
            (host("A\0: b"), Fault::Malformed),
            (host("A: b\0"), Fault::Malformed),
            (host("A: b\r\n folded"), Fault::Malformed),
            (host("nocolon"), Fault::Malformed),
            (host("X-Sluicegate-Fault: 200"), Fault::Malformed),
            (host(&"A: b\r\n".repeat(70)), Fault::HeadTooLarge),
            (host(&format!("A: {}", "b".repeat(HEAD_BYTES_MAX))), Fault::HeadTooLarge),
            (format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", "h".repeat(256)).into_bytes(), Fault::Malformed),
            (b"GET / HTTP/1.1\r\nHost: \r\n\r\n".to_vec(), Fault::Malformed),
            (b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec(), Fault::Malformed),
        ] {
            for piece in [1, 2, 3, 7, bytes.len()] {
                let text = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]);
                assert_eq!(feed(&bytes, piece).unwrap_err(), fault, "{piece}: {text}");
            }
        }
    }

    #[test]
    fn doubtful_chunks_are_refused() {
        for body in [
            "5\r\nhelloX\r\n",
            "5\nhello",
            "5;ext=1\r\nhello",
            " 5\r\n",
            "0x5\r\n",
            "123456789\r\n",
            "\r\n",
            "0\r\nTrailer: x\r\n\r\n",
            "5\r\nhello\rX",
        ] {
            let bytes = format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}").into_bytes();
            for piece in [1, 2, 3, bytes.len()] {
                assert_eq!(feed(&bytes, piece).unwrap_err(), Fault::Malformed, "{piece}: {body:?}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300), piece in 1usize..50) {
            let _ = feed(&bytes, piece);
        }
    }
}
