//! The first plaintext bytes: which protocol is inside.
//!
//! ```text
//!   05                    SOCKS5: an ICA client without session reliability      [vendor documentation, RFC 1928 §3]
//!   1A 'CGP/01'           CGP: an ICA client with session reliability            [seen in public code]
//!   'A'..'Z'              HTTP/1.x: portal, logon                                [RFC 9112 §3]
//!   anything else         unknown: closed without an answer, and counted
//! ```
//!
//! The first byte decides; those of CGP are then confirmed one by one, as far as they have come. Nothing is consumed.

use crate::cgp;
use crate::reader::Need;

/// Which protocol an opening belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Preface {
    /// Read on with [`crate::socks5::Opening`].
    Socks5,
    /// The signature of CGP is complete. Read on with [`crate::cgp::TicketFinder`], or refuse.
    Cgp,
    /// A request line begins. Control's business.
    Http,
    /// None of these.
    Unknown,
}

/// Decides on the first bytes.
///
/// # Errors
/// [`Need`]: nothing has come, or a signature that fits so far is not complete.
pub fn read(bytes: &[u8]) -> Result<Preface, Need> {
    match bytes.first().ok_or(Need(1))? {
        0x05 => Ok(Preface::Socks5),
        b'A'..=b'Z' => Ok(Preface::Http),
        0x1a => {
            let there = bytes.len().min(cgp::SIGNATURE.len());
            if bytes[..there] != cgp::SIGNATURE[..there] {
                return Ok(Preface::Unknown);
            }
            match cgp::SIGNATURE.len() - there {
                0 => Ok(Preface::Cgp),
                missing => Err(Need(missing)),
            }
        }
        0x00..=0x04 | 0x06..=0x19 | 0x1b..=0x40 | 0x5b..=0xff => Ok(Preface::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_first_byte_is_decided_as_soon_as_it_can_be() {
        assert_eq!(read(&[]), Err(Need(1)));
        for first in 0..=u8::MAX {
            let wanted = match first {
                0x05 => Ok(Preface::Socks5),
                0x1a => Err(Need(6)),
                b'A'..=b'Z' => Ok(Preface::Http),
                _ => Ok(Preface::Unknown),
            };
            assert_eq!(read(&[first]), wanted, "{first:#04x}");
        }
    }

    #[test]
    fn the_signature_of_cgp_is_confirmed_byte_by_byte() {
        let whole = b"\x1aCGP/01";
        for n in 1..whole.len() {
            assert_eq!(read(&whole[..n]), Err(Need(whole.len() - n)));
            let mut wrong = whole[..=n].to_vec();
            wrong[n] ^= 0x20;
            assert_eq!(read(&wrong), Ok(Preface::Unknown), "wrong at {n}");
        }
        assert_eq!(read(whole), Ok(Preface::Cgp));
        assert_eq!(read(b"\x1aCGP/01 and what follows"), Ok(Preface::Cgp));
    }

    proptest! {
        #[test]
        fn a_split_never_changes_the_verdict(bytes in proptest::collection::vec(any::<u8>(), 1..16), cgp in any::<bool>()) {
            let bytes = if cgp { [cgp::SIGNATURE, &bytes].concat() } else { bytes };
            let mut decided = None;
            for n in 0..=bytes.len() {
                match (read(&bytes[..n]), decided) {
                    (Ok(now), None) => decided = Some(now),
                    (now, Some(before)) => prop_assert_eq!(now, Ok(before)),
                    (Err(Need(more)), None) => prop_assert!(more >= 1),
                }
            }
        }
    }
}
