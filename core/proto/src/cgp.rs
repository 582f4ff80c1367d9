//! Common Gateway Protocol: what may be recognised of it, and no more.
//!
//! ```text
//!   1A 'CGP/01' · · · · · · ;40;STA02005E10A1B2;0F1E…E1F0 · · ·
//!   signature   unknown     ticket, as plain text         unknown: passed on unchanged
//! ```
//!
//! Public sources show the signature and that the ticket stands in the client's first bytes as text [seen in public code];
//! the framing between them is not public. So nothing is computed from the other bytes: the relay mode looks for the first
//! substring that is a ticket string ([`crate::ticket`]) and never changes a byte.
//!
//! A byte outside the alphabet ends a ticket. Since the byte behind it may happen to be a letter, the last code is also
//! ended at the length that codes have here, which is a setting ([`CODE_BYTES_USUAL`] by default).

use crate::error::Malformed;
use crate::reader::{Need, Stop};
use crate::ticket::{CODE_BYTES, STA_ID_BYTES_MAX, Ticket};

/// How an opening begins. The first byte is perhaps a length; nothing is computed from it.
pub const SIGNATURE: &[u8] = b"\x1aCGP/01";
/// Longest opening that is searched for a ticket, in bytes.
pub const OPENING_BYTES_MAX: usize = 8 * 1024;
/// Length of a ticket's code as authorities issue them, in bytes.
pub const CODE_BYTES_USUAL: usize = 32;

/// Looks for the ticket in an opening that arrives piece by piece. It remembers how far it has looked, so that an opening
/// sent one byte at a time costs no more than one that comes at once.
#[derive(Clone, Copy, Debug)]
pub struct TicketFinder {
    code_bytes: usize,
    /// No ticket begins before this place.
    from: usize,
}

/// What stands at a place where a ticket might begin.
enum Candidate {
    Not,
    Cut,
    Ticket(Ticket),
}

impl TicketFinder {
    /// A finder that ends the last code after `code_bytes` at the latest; brought into [`CODE_BYTES`] if it is outside.
    #[must_use]
    pub fn new(code_bytes: usize) -> Self {
        Self { code_bytes: code_bytes.clamp(*CODE_BYTES.start(), *CODE_BYTES.end()), from: 0 }
    }

    /// Looks at the opening so far, from its first byte on. Each call must see the bytes of the one before, and may see more.
    ///
    /// # Errors
    /// [`Stop::Need`] while a ticket may still come; [`Malformed`] if there is no signature, or no ticket within
    /// [`OPENING_BYTES_MAX`].
    pub fn read(&mut self, opening: &[u8]) -> Result<Ticket, Stop> {
        let confirmed = opening.len().min(SIGNATURE.len());
        if opening[..confirmed] != SIGNATURE[..confirmed] {
            return Err(Malformed::CgpSignature.into());
        }
        if confirmed < SIGNATURE.len() {
            return Err(Need(SIGNATURE.len() - confirmed).into());
        }
        self.from = self.from.max(SIGNATURE.len());
        let opening = &opening[..opening.len().min(OPENING_BYTES_MAX)];
        while let Some(ahead) = opening.get(self.from..).and_then(|left| left.iter().position(|&b| b == b';')) {
            self.from += ahead;
            match candidate(&opening[self.from..], self.code_bytes) {
                Candidate::Ticket(ticket) => return Ok(ticket),
                Candidate::Cut => break,
                Candidate::Not => self.from += 1,
            }
        }
        if opening.len() == OPENING_BYTES_MAX { Err(Malformed::CgpTicket.into()) } else { Err(Need(1).into()) }
    }
}

impl Default for TicketFinder {
    fn default() -> Self {
        Self::new(CODE_BYTES_USUAL)
    }
}

/// Whether a ticket string begins with the first byte of `text`, a semicolon.
fn candidate(text: &[u8], code_bytes: usize) -> Candidate {
    let in_id = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_' || *b == b'-';
    let Some(version) = text.get(1..4) else {
        let fits = text[1..].iter().all(u8::is_ascii_digit);
        return if fits { Candidate::Cut } else { Candidate::Not };
    };
    if !version[..2].iter().all(u8::is_ascii_digit) || version[2] != b';' {
        return Candidate::Not;
    }
    let pairs = if version.starts_with(b"42") { 2 } else { 1 };
    let mut at = 4;
    for pair in 1..=pairs {
        let id = text[at..].iter().take_while(|b| in_id(b)).count();
        at += id;
        match text.get(at) {
            None if id <= STA_ID_BYTES_MAX => return Candidate::Cut,
            Some(b';') if (1..=STA_ID_BYTES_MAX).contains(&id) => at += 1,
            Some(_) | None => return Candidate::Not,
        }
        let last = pair == pairs;
        let longest = if last { code_bytes } else { *CODE_BYTES.end() };
        let code = text[at..].iter().take(longest).take_while(|b| b.is_ascii_alphanumeric()).count();
        at += code;
        match text.get(at) {
            // The longest last code is complete whatever comes next; so is the end of the text then.
            _ if last && code == longest => {}
            None => return Candidate::Cut,
            Some(b';') if !last && code >= *CODE_BYTES.start() => at += 1,
            Some(_) if last && code >= *CODE_BYTES.start() => {}
            Some(_) => return Candidate::Not,
        }
    }
    Ticket::parse(&text[..at]).map_or(Candidate::Not, Candidate::Ticket)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TICKET: &str = ";40;STA02005E10A1B2;0F1E2D3C4B5A69788796A5B4C3D2E1F0";

    fn opening(before: &[u8], ticket: &str, behind: &[u8]) -> Vec<u8> {
        [SIGNATURE, before, ticket.as_bytes(), behind].concat()
    }

    fn find(opening: &[u8]) -> Result<Ticket, Stop> {
        TicketFinder::default().read(opening)
    }

    #[test]
    fn the_ticket_is_found_wherever_it_ends() {
        for behind in [&b""[..], b"\0", b"A", b";", b"ABCDEF0123", b"\xff\xfe"] {
            let found = find(&opening(b"\0\x02;9;Citrix.TcpProxyService\0;", TICKET, behind)).unwrap();
            assert_eq!(found.expose(), TICKET, "{behind:?}");
        }
        let dual = ";42;STA01;AAAAAAAAAAAAAAAA;STA02;BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB";
        assert_eq!(find(&opening(b"", dual, b"C")).unwrap().expose(), dual);
    }

    #[test]
    fn a_shorter_code_ends_with_a_byte_that_cannot_be_part_of_it() {
        let short = ";40;STA01;0123456789ABCDEF";
        assert_eq!(find(&opening(b"", short, b"")), Err(Stop::Need(Need(1))));
        assert_eq!(find(&opening(b"", short, b"\0")).unwrap().expose(), short);
        let mut sixteen = TicketFinder::new(16);
        assert_eq!(sixteen.read(&opening(b"", short, b"")).unwrap().expose(), short);
    }

    #[test]
    fn what_only_begins_like_a_ticket_is_passed_over() {
        for decoy in
            [";", ";4", ";40", ";40;", ";40;S", ";40;;", ";40;STA01;short;", ";42;STA01;AAAAAAAAAAAAAAAA;STA02;x;", ";xx;"]
        {
            assert_eq!(
                find(&opening(decoy.as_bytes(), TICKET, b"\0")).map(|t| t.expose().to_owned()),
                Ok(TICKET.to_owned()),
                "{decoy}"
            );
        }
    }

    #[test]
    fn a_flood_without_a_ticket_ends_at_the_cap() {
        let mut bytes = SIGNATURE.to_vec();
        bytes.resize(OPENING_BYTES_MAX - 1, b';');
        assert_eq!(find(&bytes), Err(Stop::Need(Need(1))));
        bytes.push(b';');
        assert_eq!(find(&bytes), Err(Stop::Malformed(Malformed::CgpTicket)));
        bytes.extend_from_slice(TICKET.as_bytes());
        assert_eq!(find(&bytes), Err(Stop::Malformed(Malformed::CgpTicket)), "beyond the cap nothing is looked at");
        assert_eq!(find(b"\x1aCGP/02"), Err(Stop::Malformed(Malformed::CgpSignature)));
        assert_eq!(find(b"\x1aCG"), Err(Stop::Need(Need(4))));
        assert_eq!(find(b""), Err(Stop::Need(Need(7))));
    }

    /// Bytes in which tickets, halves of tickets and noise meet.
    fn noise() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..8),
            "(;|;4|;40;|;42;STA01;|A{16}|A{32}|;40;STA-1;[0-9A-F]{14,34}|;42;A;B{16};C;D{15,33})".prop_map(String::into_bytes),
        ];
        proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn every_ticket_string_is_found(ticket in "(;[0-35-9][0-9]|;42;[A-Za-z0-9_-]{1,20};[A-Za-z0-9]{16,64});[A-Za-z0-9_-]{1,64};[A-Za-z0-9]{16,64}", before in "[^;]{0,20}") {
            prop_assume!(Ticket::parse(ticket.as_bytes()).is_ok());
            let mut longest = TicketFinder::new(64);
            let found = longest.read(&opening(before.as_bytes(), &ticket, b"\0"));
            prop_assert_eq!(found.map(|t| t.expose().to_owned()), Ok(ticket));
        }

        #[test]
        fn a_split_at_every_byte_finds_the_same(noise in noise()) {
            let whole = opening(b"", "", &noise);
            let mut stepwise = TicketFinder::default();
            let mut first = None;
            for n in 0..=whole.len() {
                let fresh = find(&whole[..n]);
                prop_assert_eq!(stepwise.read(&whole[..n]), fresh);
                match (first, fresh) {
                    (None, Ok(ticket)) => first = Some(ticket),
                    (None, Err(stop)) => prop_assert!(matches!(stop, Stop::Need(Need(1..)))),
                    (Some(before), now) => prop_assert_eq!(now, Ok(before)),
                }
            }
        }
    }
}
