//! The basic encoding rules as LDAP uses them (RFC 4511 §5.1): tag, definite length, contents.
//!
//! ```text
//!   30 0c 02 01 01 61 07 …          30 84 00 00 00 0c 02 …
//!   │  └ length below 128            │  └ 84: the length is in the next four bytes, leading zeros allowed (Active Directory)
//!   └ tag: class, constructed or not, number below 31
//! ```

use super::guard::Hostile;

/// `SEQUENCE`
pub(super) const SEQUENCE: u8 = 0x30;
/// `SET`
pub(super) const SET: u8 = 0x31;
/// `INTEGER`
pub(super) const INTEGER: u8 = 0x02;
/// `OCTET STRING`
pub(super) const OCTETS: u8 = 0x04;
/// `ENUMERATED`
pub(super) const ENUMERATED: u8 = 0x0a;
/// Bit of a tag: the contents are elements themselves.
const CONSTRUCTED: u8 = 0x20;
/// Bits of a tag: its number, or all ones for one that does not fit.
const NUMBER: u8 = 0x1f;
/// Bit of a first length byte: the length stands in as many bytes behind it as the other bits say.
const LONG: u8 = 0x80;
/// Bytes of the longest length that is read: what does not fit is far beyond every cap.
const LENGTH_BYTES_MAX: usize = 4;

/// What stands before contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Class, constructed or not, number.
    pub(super) tag: u8,
    /// Bytes of the header itself.
    pub(super) bytes: usize,
    /// Bytes of the contents.
    pub(super) length: usize,
}

impl Header {
    /// Whether the contents are elements themselves.
    pub(super) const fn is_constructed(self) -> bool {
        self.tag & CONSTRUCTED != 0
    }

    /// Reads the header at the front of `bytes`. `None`: it is not complete.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<Self>, Hostile> {
        let Some(&tag) = bytes.first() else { return Ok(None) };
        if tag & NUMBER == NUMBER {
            return Err(Hostile::Tag);
        }
        let Some(&first) = bytes.get(1) else { return Ok(None) };
        if first & LONG == 0 {
            return Ok(Some(Self { tag, bytes: 2, length: first.into() }));
        }
        let count = usize::from(first & !LONG);
        if count == 0 || count > LENGTH_BYTES_MAX {
            return Err(Hostile::Length);
        }
        let Some(digits) = bytes.get(2..2 + count) else { return Ok(None) };
        let length = digits.iter().fold(0usize, |sum, &digit| (sum << 8) | usize::from(digit));
        Ok(Some(Self { tag, bytes: 2 + count, length }))
    }
}

const _: () = assert!(LENGTH_BYTES_MAX < size_of::<usize>());

/// Takes element after element off the front of contents that are known to be whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Elements<'b>(pub(super) &'b [u8]);

impl<'b> Elements<'b> {
    /// The next element: its tag and contents. `None`: there is none, or what follows is none.
    pub(super) fn next(&mut self) -> Option<(u8, &'b [u8])> {
        let header = Header::read(self.0).ok()??;
        let whole = self.0.get(..header.bytes.checked_add(header.length)?)?;
        self.0 = &self.0[whole.len()..];
        Some((header.tag, &whole[header.bytes..]))
    }

    /// The next element, if it has this tag.
    pub(super) fn take(&mut self, tag: u8) -> Option<&'b [u8]> {
        let mut ahead = *self;
        let (found, contents) = ahead.next()?;
        (found == tag).then(|| {
            *self = ahead;
            contents
        })
    }
}

/// A number of at most 31 bits, not negative, as all those of LDAP are.
pub(super) fn number(contents: &[u8]) -> Option<u32> {
    let is_short = !contents.is_empty() && contents.len() <= 4;
    let value = contents.iter().fold(0u32, |sum, &byte| (sum << 8) | u32::from(byte));
    (is_short && contents[0] & 0x80 == 0).then_some(value)
}
