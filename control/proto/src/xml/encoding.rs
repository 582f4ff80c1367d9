//! Which bytes mean which characters: byte order mark and declaration, before any markup is read.
//!
//! UTF-8, ISO-8859-1, US-ASCII, and UTF-16 with a byte order mark. The declaration must agree with the mark; an
//! answer goes out in the encoding in which its request came.

use zeroize::Zeroizing;

use super::BadXml;

/// How far into a document its declaration must have ended, in bytes.
const DECLARATION_BYTES_MAX: usize = 256;

/// A document's encoding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// The default, with or without a byte order mark.
    #[default]
    Utf8,
    /// ISO-8859-1: one byte is one character.
    Latin1,
    /// US-ASCII: a byte above `7F` is an error.
    Ascii,
    /// UTF-16, low byte first, with a byte order mark.
    Utf16Le,
    /// UTF-16, high byte first, with a byte order mark.
    Utf16Be,
}

impl Encoding {
    /// The name for the XML declaration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Latin1 => "ISO-8859-1",
            Self::Ascii => "US-ASCII",
            Self::Utf16Le | Self::Utf16Be => "UTF-16",
        }
    }

    /// Whether `c` can be written as itself; otherwise it becomes a decimal reference.
    pub(crate) fn holds(self, c: char) -> bool {
        match self {
            Self::Utf8 | Self::Utf16Le | Self::Utf16Be => true,
            Self::Latin1 => u32::from(c) <= 0xFF,
            Self::Ascii => c.is_ascii(),
        }
    }

    /// Encodes `text`, whose characters this encoding must hold; others become `?`.
    pub(crate) fn encode(self, text: &str) -> Vec<u8> {
        match self {
            Self::Utf8 => text.as_bytes().to_vec(),
            Self::Latin1 => text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect(),
            Self::Ascii => text.chars().map(|c| u8::try_from(c).ok().filter(u8::is_ascii).unwrap_or(b'?')).collect(),
            Self::Utf16Le => [0xFF, 0xFE].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect(),
            Self::Utf16Be => [0xFE, 0xFF].into_iter().chain(text.encode_utf16().flat_map(u16::to_be_bytes)).collect(),
        }
    }
}

/// Finds the encoding of `bytes` and decodes them, without the byte order mark.
pub(crate) fn decode(bytes: &[u8]) -> Result<(Encoding, Zeroizing<String>), BadXml> {
    if let Some(rest) = bytes.strip_prefix(&[0xFF, 0xFE]) {
        return decode_utf16(Encoding::Utf16Le, rest, u16::from_le_bytes);
    }
    if let Some(rest) = bytes.strip_prefix(&[0xFE, 0xFF]) {
        return decode_utf16(Encoding::Utf16Be, rest, u16::from_be_bytes);
    }
    let (marked, rest) = match bytes.strip_prefix(&[0xEF, 0xBB, 0xBF]) {
        Some(rest) => (true, rest),
        None => (false, bytes),
    };
    let head = rest.get(..DECLARATION_BYTES_MAX).unwrap_or(rest);
    let declared = declared_encoding(head)?;
    let encoding = match declared {
        None | Some(Declared::Utf8) => Encoding::Utf8,
        Some(Declared::Latin1) if !marked => Encoding::Latin1,
        Some(Declared::Ascii) => Encoding::Ascii,
        Some(Declared::Latin1 | Declared::Utf16) => return Err(BadXml::Encoding),
    };
    let text = match encoding {
        Encoding::Latin1 => rest.iter().copied().map(char::from).collect(),
        Encoding::Ascii if !rest.is_ascii() => return Err(BadXml::Bytes),
        Encoding::Utf8 | Encoding::Ascii | Encoding::Utf16Le | Encoding::Utf16Be => {
            str::from_utf8(rest).map_err(|_| BadXml::Bytes)?.to_owned()
        }
    };
    Ok((encoding, Zeroizing::new(text)))
}

fn decode_utf16(
    encoding: Encoding,
    bytes: &[u8],
    unit: impl Fn([u8; 2]) -> u16,
) -> Result<(Encoding, Zeroizing<String>), BadXml> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(BadXml::Bytes);
    }
    let decoded: Result<String, _> = char::decode_utf16(pairs.iter().map(|&pair| unit(pair))).collect();
    let text = Zeroizing::new(decoded.map_err(|_| BadXml::Bytes)?);
    let end = text.char_indices().nth(DECLARATION_BYTES_MAX).map_or(text.len(), |(at, _)| at);
    match declared_encoding(&text.as_bytes()[..end])? {
        None | Some(Declared::Utf16) => Ok((encoding, text)),
        Some(Declared::Utf8 | Declared::Latin1 | Declared::Ascii) => Err(BadXml::Encoding),
    }
}

enum Declared {
    Utf8,
    Latin1,
    Ascii,
    Utf16,
}

/// What `<?xml … encoding="…"?>` says, if it is there. A name that we do not read is an error.
fn declared_encoding(head: &[u8]) -> Result<Option<Declared>, BadXml> {
    let Some(rest) = head.strip_prefix(b"<?xml") else { return Ok(None) };
    // `<?xml-stylesheet …?>` is another thing.
    if !rest.first().is_some_and(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let end = rest.windows(2).position(|two| two == b"?>").ok_or(BadXml::Encoding)?;
    let declaration = str::from_utf8(&rest[..end]).map_err(|_| BadXml::Encoding)?;
    let Some(at) = declaration.find("encoding") else { return Ok(None) };
    let value = declaration[at + "encoding".len()..].trim_start().strip_prefix('=').map(str::trim_start);
    let quoted = value.and_then(|value| {
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        value[1..].split_once(quote).map(|(name, _)| name)
    });
    let known = [
        ("UTF-8", Declared::Utf8),
        ("UTF8", Declared::Utf8),
        ("ISO-8859-1", Declared::Latin1),
        ("US-ASCII", Declared::Ascii),
        ("ASCII", Declared::Ascii),
        ("UTF-16", Declared::Utf16),
    ];
    let name = quoted.ok_or(BadXml::Encoding)?;
    known
        .into_iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, declared)| Some(declared))
        .ok_or(BadXml::Encoding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mark_and_declaration_must_agree() {
        let utf16 = |text: &str| Encoding::Utf16Le.encode(text);
        for (bytes, wanted) in [
            (b"<a/>".to_vec(), Ok(Encoding::Utf8)),
            (b"\xEF\xBB\xBF<a/>".to_vec(), Ok(Encoding::Utf8)),
            (b"<?xml version=\"1.0\" encoding='iso-8859-1'?><a>\xFC</a>".to_vec(), Ok(Encoding::Latin1)),
            (b"<?xml version=\"1.0\" encoding = \"US-ASCII\" ?><a/>".to_vec(), Ok(Encoding::Ascii)),
            (b"<?xml version=\"1.0\" encoding=\"US-ASCII\"?><a>\xFC</a>".to_vec(), Err(BadXml::Bytes)),
            (b"<?xml version=\"1.0\"?><a>\xFC</a>".to_vec(), Err(BadXml::Bytes)),
            (b"\xEF\xBB\xBF<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a/>".to_vec(), Err(BadXml::Encoding)),
            (b"<?xml version=\"1.0\" encoding=\"UTF-7\"?><a/>".to_vec(), Err(BadXml::Encoding)),
            (b"<?xml version=\"1.0\" encoding=\"UTF-16\"?><a/>".to_vec(), Err(BadXml::Encoding)),
            (b"<?xml version=\"1.0\" encoding=UTF-8?><a/>".to_vec(), Err(BadXml::Encoding)),
            (utf16("<a/>"), Ok(Encoding::Utf16Le)),
            (Encoding::Utf16Be.encode("<?xml version=\"1.0\" encoding=\"utf-16\"?><a/>"), Ok(Encoding::Utf16Be)),
            (utf16("<?xml version=\"1.0\" encoding=\"UTF-8\"?><a/>"), Err(BadXml::Encoding)),
            (b"\xFF\xFE<".to_vec(), Err(BadXml::Bytes)),
            (b"\xFF\xFE\x00\xD8<\x00".to_vec(), Err(BadXml::Bytes)),
        ] {
            let found = decode(&bytes).map(|(encoding, _)| encoding);
            assert_eq!(found, wanted, "{}", String::from_utf8_lossy(&bytes));
        }
    }
}
