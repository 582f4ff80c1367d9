//! The ticket string that a client presents instead of a server address.
//!
//! ```text
//! single = ";" version ";" sta-id ";" ticket                          version: two digits, 10 or 40 in practice
//! dual   = ";42;" sta-id ";" ticket ";" sta-id ";" ticket             two authorities, tried in this order
//! sta-id = 1*64( ALPHA / DIGIT / "_" / "-" )     ticket = 16*64( ALPHA / DIGIT )
//! ```
//!
//! A [`Ticket`] holds its text inline, so that it crosses the queues as a plain value, and prints masked: the
//! authority's id and the last four characters, never the secret.

use std::fmt;

use thiserror::Error;

/// Longest ticket string accepted, in bytes. A dual ticket of the usual form has 101.
pub const TICKET_BYTES_MAX: usize = 192;
/// Longest authority id, in bytes.
pub const STA_ID_BYTES_MAX: usize = 64;
/// Shortest and longest ticket code, in bytes.
pub const CODE_BYTES: std::ops::RangeInclusive<usize> = 16..=64;

/// Why a string is not a ticket. The sender's fault, always.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotATicket {
    /// Longer than [`TICKET_BYTES_MAX`], or empty.
    #[error("ticket string has {0} bytes, 1 to {TICKET_BYTES_MAX} are allowed")]
    Length(usize),
    /// It does not begin with `;NN;`.
    #[error("ticket string does not begin with a version")]
    Version,
    /// An authority id is empty, too long or holds a byte outside its alphabet.
    #[error("authority id in ticket string is malformed")]
    StaId,
    /// A ticket code is too short, too long or holds a byte outside its alphabet.
    #[error("ticket code is malformed")]
    Code,
    /// More or fewer fields than its version has.
    #[error("ticket string has the wrong number of fields")]
    Fields,
}

/// One authority's part of a ticket string.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Pair<'t> {
    /// Which authority issued it.
    pub sta_id: &'t str,
    /// The secret. Never log it whole.
    pub code: &'t str,
}

/// A ticket string whose form has been checked. Whether it is worth anything only its authority can say.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    text: [u8; TICKET_BYTES_MAX],
    len: u8,
    dual: bool,
}

impl Ticket {
    /// Checks `text` against the grammar above.
    ///
    /// # Errors
    /// [`NotATicket`], naming the first clause that is broken.
    pub fn parse(text: &[u8]) -> Result<Self, NotATicket> {
        if text.is_empty() || text.len() > TICKET_BYTES_MAX {
            return Err(NotATicket::Length(text.len()));
        }
        let rest = text.strip_prefix(b";").ok_or(NotATicket::Version)?;
        let mut fields = rest.split(|&b| b == b';');
        let version = fields.next().unwrap_or_default();
        if version.len() != 2 || !version.iter().all(u8::is_ascii_digit) {
            return Err(NotATicket::Version);
        }
        let dual = version == b"42";
        let wanted = if dual { 2 } else { 1 };
        for _ in 0..wanted {
            let sta_id = fields.next().ok_or(NotATicket::Fields)?;
            let in_alphabet = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_' || *b == b'-';
            if sta_id.is_empty() || sta_id.len() > STA_ID_BYTES_MAX || !sta_id.iter().all(in_alphabet) {
                return Err(NotATicket::StaId);
            }
            let code = fields.next().ok_or(NotATicket::Fields)?;
            if !CODE_BYTES.contains(&code.len()) || !code.iter().all(u8::is_ascii_alphanumeric) {
                return Err(NotATicket::Code);
            }
        }
        if fields.next().is_some() {
            return Err(NotATicket::Fields);
        }
        let mut held = [0; TICKET_BYTES_MAX];
        held[..text.len()].copy_from_slice(text);
        let len = u8::try_from(text.len()).map_err(|_| NotATicket::Length(text.len()))?;
        Ok(Self { text: held, len, dual })
    }

    /// The whole string as the client sent it. A secret.
    #[must_use]
    pub fn expose(&self) -> &str {
        // Every byte was checked to be ASCII by `parse`.
        str::from_utf8(&self.text[..usize::from(self.len)]).unwrap_or_default()
    }

    /// The two digits after the first semicolon: `40` for current authorities, `42` for a dual ticket.
    #[must_use]
    pub fn version(&self) -> &str {
        self.expose().get(1..3).unwrap_or_default()
    }

    /// The pairs in the order in which they are to be tried: one, or two for a dual ticket.
    pub fn pairs(&self) -> impl Iterator<Item = Pair<'_>> {
        let mut fields = self.expose().split(';').skip(2);
        std::iter::from_fn(move || Some(Pair { sta_id: fields.next()?, code: fields.next()? }))
    }

    /// Whether it carries tickets of two authorities.
    #[must_use]
    pub fn is_dual(&self) -> bool {
        self.dual
    }
}

impl fmt::Debug for Pair<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tail = self.code.get(self.code.len().saturating_sub(4)..).unwrap_or_default();
        write!(f, "{};…{tail}", self.sta_id)
    }
}

/// Masked: authority ids and the last four characters of each code.
impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ";{}", self.version())?;
        self.pairs().try_for_each(|pair| write!(f, ";{pair:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_and_dual_are_read() {
        let single = Ticket::parse(b";40;STA02005E10A1B2;0F1E2D3C4B5A69788796A5B4C3D2E1F0").unwrap();
        assert_eq!(single.version(), "40");
        assert!(!single.is_dual());
        let pairs: Vec<_> = single.pairs().map(|p| (p.sta_id, p.code)).collect();
        assert_eq!(pairs, [("STA02005E10A1B2", "0F1E2D3C4B5A69788796A5B4C3D2E1F0")]);
        assert_eq!(format!("{single:?}"), ";40;STA02005E10A1B2;…E1F0");

        let dual = Ticket::parse(b";42;STA01;AAAAAAAAAAAAAAAA;STA02;BBBBBBBBBBBBBBBB").unwrap();
        assert!(dual.is_dual());
        assert_eq!(dual.pairs().map(|p| p.sta_id).collect::<Vec<_>>(), ["STA01", "STA02"]);
    }

    #[test]
    fn each_broken_clause_has_its_name() {
        for (text, why) in [
            (&b""[..], NotATicket::Length(0)),
            (&[b';'; 200][..], NotATicket::Length(200)),
            (b"10.0.0.1", NotATicket::Version),
            (b";4;STA01;AAAAAAAAAAAAAAAA", NotATicket::Version),
            (b";40", NotATicket::Fields),
            (b";40;;AAAAAAAAAAAAAAAA", NotATicket::StaId),
            (b";40;STA 1;AAAAAAAAAAAAAAAA", NotATicket::StaId),
            (b";40;STA01;AAAA", NotATicket::Code),
            (b";40;STA01;AAAAAAAAAAAAAAA\n", NotATicket::Code),
            (b";40;STA01;AAAAAAAAAAAAAAAA;x", NotATicket::Fields),
            (b";42;STA01;AAAAAAAAAAAAAAAA", NotATicket::Fields),
        ] {
            assert_eq!(Ticket::parse(text).unwrap_err(), why, "{}", String::from_utf8_lossy(text));
        }
    }
}
