//! Answers: whether they are the server's, and what they say.
//!
//! ```text
//!   datagram ─ length ─ code ─ number ─ attributes ─ no Proxy-State ─ digest of RFC 2865 ─ Message-Authenticator ─► Reply
//!                 └──────┴───────┴─────────┴─────────────┴──────────────────┴──────────────────────┴─► Strange, and which
//! ```
//!
//! Unknown attributes are skipped (RFC 2865 §5), and so is what stands behind the packet's own length (§3).

use thiserror::Error;
use zeroize::Zeroizing;

use super::attribute::{Attribute, Attributes, Malformed, number};
use super::digest::{hmac_md5, md5, same};
use super::{DIGEST_BYTES, HEADER_BYTES, PACKET_BYTES_MAX, Request, TEXT_BYTES_MAX, VALUE_BYTES_MAX, mschap};

/// What a server decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// He may pass.
    Accept,
    /// He may not.
    Reject,
    /// He is asked something else.
    Challenge,
}

impl Verdict {
    const fn from_code(code: u8) -> Option<Self> {
        match code {
            2 => Some(Self::Accept),
            3 => Some(Self::Reject),
            11 => Some(Self::Challenge),
            _ => None,
        }
    }
}

/// Why a datagram is no answer to a request. The fault of the server, of its operator, or of somebody in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Strange {
    /// It is shorter than a packet, or than it says.
    #[error("it is cut off")]
    Cut,
    /// It says that it is longer than a packet, or shorter than a header.
    #[error("it has a length that no packet has")]
    Length,
    /// It is no answer to the question whether somebody may pass.
    #[error("it is of a kind that was not asked for (code {0})")]
    Code(u8),
    /// It has another number than the request.
    #[error("it answers another request")]
    Number,
    /// An attribute does not fit.
    #[error("its attributes cannot be read")]
    Malformed,
    /// What may be there once is there twice.
    #[error("it has attribute {0} twice")]
    Twice(u8),
    /// It brings back what was never sent: a proxy that is broken, or room that somebody made to forge a digest (CVE-2024-3596).
    #[error("it brings a Proxy-State that was not sent")]
    ProxyState,
    /// The digest of RFC 2865 is wrong.
    #[error("its Response Authenticator is wrong: forged, or the server has another key")]
    Authenticator,
    /// There is no Message-Authenticator.
    #[error("it has no Message-Authenticator, so anybody in between could have made it")]
    Unsigned,
    /// The Message-Authenticator is wrong.
    #[error("its Message-Authenticator is wrong")]
    Signature,
    /// A server that agrees without knowing the password (RFC 2759 §5).
    #[error("the server agrees and does not know the password")]
    Unproven,
}

impl From<Malformed> for Strange {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// An answer that is the server's.
#[derive(Clone)]
pub struct Reply {
    /// What it decides.
    pub verdict: Verdict,
    /// What it wants to have back; empty if nothing.
    pub state: Zeroizing<Vec<u8>>,
    /// What the user is to read, in the order in which it came.
    pub message: String,
    /// What Windows says is wrong, if it does.
    pub error: Option<MsChapError>,
    attributes: Vec<u8>,
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reply").field("verdict", &self.verdict).field("error", &self.error).finish_non_exhaustive()
    }
}

/// What an `MS-CHAP-Error` says (RFC 2433 §9, RFC 2759 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MsChapError {
    /// 646: not at this time.
    Hours,
    /// 647: the account is disabled.
    Disabled,
    /// 648: the password has expired.
    Expired,
    /// 649: this user may not come in this way.
    NotPermitted,
    /// 691 and all others.
    Failure,
}

impl Request {
    /// Whether `datagram` is the answer to this request, and what it says. `unsigned`: one without a Message-Authenticator is believed,
    /// too.
    ///
    /// # Errors
    /// [`Strange`]: it is not. The right one may still come.
    pub fn judge(&self, datagram: &[u8], unsigned: bool) -> Result<Reply, Strange> {
        let packet = whole(datagram)?;
        let verdict = Verdict::from_code(packet[0]).ok_or(Strange::Code(packet[0]))?;
        if packet[1] != self.number() {
            return Err(Strange::Number);
        }
        let (header, attributes) = packet.split_at(HEADER_BYTES);
        let found = Found::read(attributes)?;
        let digest = md5(&[&header[..4], self.authenticator(), attributes, self.key()]);
        if !same(&digest, &header[4..]) {
            return Err(Strange::Authenticator);
        }
        match found.signature {
            None if unsigned => {}
            None => return Err(Strange::Unsigned),
            Some(signature) => {
                let (before, behind) = (&attributes[..signature.at], &attributes[signature.at + DIGEST_BYTES..]);
                let digest = hmac_md5(self.key(), &[&header[..4], self.authenticator(), before, &[0; DIGEST_BYTES], behind]);
                if !same(&digest, signature.value) {
                    return Err(Strange::Signature);
                }
            }
        }
        if let (Verdict::Accept, Some(wanted), Some(said)) = (verdict, &self.proof_wanted, found.server_proof)
            && !same(wanted, said.get(..wanted.len()).unwrap_or_default())
        {
            return Err(Strange::Unproven);
        }
        Ok(Reply {
            verdict,
            state: Zeroizing::new(found.state.map_or(&[][..], |state| state.value).to_vec()),
            message: message(attributes),
            error: found.error.map(MsChapError::read),
            attributes: attributes.to_vec(),
        })
    }
}

/// A packet without what stands behind it.
fn whole(datagram: &[u8]) -> Result<&[u8], Strange> {
    let &[_, _, high, low, ..] = datagram else { return Err(Strange::Cut) };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if !(HEADER_BYTES..=PACKET_BYTES_MAX).contains(&length) {
        return Err(Strange::Length);
    }
    datagram.get(..length).ok_or(Strange::Cut)
}

/// What an answer is judged by.
#[derive(Default)]
struct Found<'p> {
    signature: Option<Attribute<'p>>,
    state: Option<Attribute<'p>>,
    server_proof: Option<&'p [u8]>,
    error: Option<&'p [u8]>,
}

impl<'p> Found<'p> {
    fn read(attributes: &'p [u8]) -> Result<Self, Strange> {
        let mut found = Self::default();
        for attribute in Attributes::new(attributes) {
            let attribute = attribute?;
            match attribute.kind {
                number::PROXY_STATE => return Err(Strange::ProxyState),
                number::MESSAGE_AUTHENTICATOR if attribute.value.len() != DIGEST_BYTES => return Err(Strange::Signature),
                number::MESSAGE_AUTHENTICATOR => once(&mut found.signature, attribute)?,
                number::STATE => once(&mut found.state, attribute)?,
                number::VENDOR_SPECIFIC => found.read_vendor(attribute),
                _ => {}
            }
        }
        Ok(found)
    }

    fn read_vendor(&mut self, attribute: Attribute<'p>) {
        let Some((mschap::VENDOR, inner)) = attribute.of_vendor() else { return };
        for attribute in inner {
            match attribute.kind {
                mschap::SUCCESS_2 => self.server_proof = Some(attribute.value),
                mschap::ERROR => self.error = Some(attribute.value),
                _ => {}
            }
        }
    }
}

fn once<'p>(place: &mut Option<Attribute<'p>>, attribute: Attribute<'p>) -> Result<(), Strange> {
    if place.replace(attribute).is_some() { Err(Strange::Twice(attribute.kind)) } else { Ok(()) }
}

impl Reply {
    /// The values of an attribute: of `vendor`, or of RADIUS itself for vendor 0.
    pub fn values(&self, vendor: u32, kind: u8) -> impl Iterator<Item = &[u8]> {
        let all = Attributes::new(&self.attributes).map_while(Result::ok);
        all.flat_map(move |attribute| {
            let plain = (vendor == 0 && attribute.kind == kind).then_some(attribute.value);
            let inner = attribute.of_vendor().filter(|(found, _)| vendor != 0 && *found == vendor).map(|(_, inner)| inner);
            let inner = inner.into_iter().flatten().filter(move |inner| inner.kind == kind).map(|inner| inner.value);
            plain.into_iter().chain(inner)
        })
    }

    /// The user's name as the server spells it, if it says it.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        let name = self.values(0, number::USER_NAME).next()?;
        std::str::from_utf8(name).ok().filter(|name| !name.is_empty())
    }
}

impl MsChapError {
    /// A number of the response, then `E=691 R=1 …`.
    fn read(value: &[u8]) -> Self {
        let text = std::str::from_utf8(value.get(1..).unwrap_or_default()).unwrap_or_default();
        match text.split(' ').find_map(|word| word.strip_prefix("E=")) {
            Some("646") => Self::Hours,
            Some("647") => Self::Disabled,
            Some("648") => Self::Expired,
            Some("649") => Self::NotPermitted,
            Some(_) | None => Self::Failure,
        }
    }
}

/// All texts for the user in some attributes, with at most 1,024 bytes. One that fills its attribute goes on in the next; others are lines of their own. What acts on a screen instead
/// of standing there is a space.
#[must_use]
pub fn message(attributes: &[u8]) -> String {
    let texts = Attributes::new(attributes).map_while(Result::ok).filter(|a| a.kind == number::REPLY_MESSAGE);
    let mut bytes = Vec::new();
    let mut is_full = true;
    for text in texts {
        if !is_full {
            bytes.push(b'\n');
        }
        bytes.extend_from_slice(text.value);
        is_full = text.value.len() == VALUE_BYTES_MAX;
    }
    let mut text: String = String::from_utf8_lossy(&bytes).chars().map(seen).collect();
    if text.len() > TEXT_BYTES_MAX {
        let end = (0..=TEXT_BYTES_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        text.truncate(end);
    }
    text.trim().to_owned()
}

const fn seen(letter: char) -> char {
    match letter {
        '\n' => '\n',
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' => ' ',
        // Direction, joiners, marks of order: they change how what follows is read.
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => ' ',
        seen => seen,
    }
}
