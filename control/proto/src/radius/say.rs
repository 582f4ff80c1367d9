//! Requests: what is asked, hidden and signed.
//!
//! ```text
//!   code 1 │ number │ length │ authenticator (random) │ Message-Authenticator │ User-Name │ proof │ State │ who asks, for whom
//!                                                        first: nothing that was put in front could be signed with it
//! ```

use std::fmt;
use std::net::IpAddr;

use thiserror::Error;
use zeroize::{Zeroize as _, Zeroizing};

use super::attribute::{HEAD_BYTES, number};
use super::digest::{hmac_md5, md5};
use super::{DIGEST_BYTES, HEADER_BYTES, PACKET_BYTES_MAX, PASSWORD_BYTES_MAX, VALUE_BYTES_MAX, mschap};

/// `Access-Request`
const ACCESS_REQUEST: u8 = 1;
/// Where the value of the Message-Authenticator stands in a request.
const SIGNATURE_AT: usize = HEADER_BYTES + HEAD_BYTES;
/// `Virtual`: no line and no radio of ours (RFC 2865 §5.41).
const VIRTUAL: u32 = 5;

/// The key that is shared with a server.
#[derive(Clone)]
pub struct Key(Zeroizing<Vec<u8>>);

impl Key {
    /// Takes a copy.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(***)")
    }
}

/// What must be new, and beyond anybody's guess, in each request.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "what is not to be guessed is not to be shown")]
pub struct Random {
    /// The number of the request, and of a response to a challenge.
    pub number: u8,
    /// Its authenticator: the answer is bound to it, and passwords are hidden with it.
    pub authenticator: [u8; DIGEST_BYTES],
    /// The challenge of CHAP and its relatives.
    pub challenge: [u8; 16],
    /// The other challenge of MS-CHAP version 2.
    pub peer: [u8; 16],
}

impl Random {
    /// As many random bytes as it takes.
    pub const BYTES: usize = 1 + DIGEST_BYTES + 16 + 16;

    /// Divides random bytes.
    #[must_use]
    pub fn new(bytes: &[u8; Self::BYTES]) -> Self {
        let mut random = Self { number: bytes[0], authenticator: [0; DIGEST_BYTES], challenge: [0; 16], peer: [0; 16] };
        random.authenticator.copy_from_slice(&bytes[1..17]);
        random.challenge.copy_from_slice(&bytes[17..33]);
        random.peer.copy_from_slice(&bytes[33..]);
        random
    }
}

/// How a user proves who he is.
#[derive(Clone, Copy)]
pub enum Proof<'a> {
    /// His password, or his reply to a challenge, hidden under the key (RFC 2865 §5.2).
    Pap(&'a str),
    /// A digest of it (RFC 2865 §5.3).
    Chap(&'a str),
    /// As Windows did first (RFC 2433).
    MsChap1(&'a str),
    /// As Windows does (RFC 2759): the server proves that it knows the password, too.
    MsChap2(&'a str),
}

/// Says how, and not what.
impl fmt::Debug for Proof<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pap(_) => "Pap(***)",
            Self::Chap(_) => "Chap(***)",
            Self::MsChap1(_) => "MsChap1(***)",
            Self::MsChap2(_) => "MsChap2(***)",
        })
    }
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Access<'a> {
    /// Whom it is about.
    pub user: &'a str,
    /// How he proves it.
    pub proof: Proof<'a>,
    /// What a server's challenge wants to have back; empty if this answers none, or one without.
    pub state: &'a [u8],
    /// Our address.
    pub nas_ip: Option<IpAddr>,
    /// Our name. RFC 2865 §4.1 wants this or the address.
    pub nas_id: Option<&'a str>,
    /// From where the user comes.
    pub calling_station: Option<&'a str>,
}

/// Why something cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unsayable {
    /// A password of more than 128 bytes, or one with a zero byte, which would be taken for its end.
    #[error("this password cannot be sent by RADIUS")]
    Password,
    /// A value that is empty and must not be, or has more than 253 bytes.
    #[error("a value has no bytes, or more than {VALUE_BYTES_MAX}")]
    Value,
}

/// A request, and what its answer is judged by.
pub struct Request {
    bytes: Zeroizing<Vec<u8>>,
    key: Key,
    /// What a server has to say that knows the password (MS-CHAP version 2).
    pub(super) proof_wanted: Option<mschap::ServerProof>,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

impl Request {
    /// Asks whether somebody may pass.
    ///
    /// # Errors
    /// [`Unsayable`]: nothing of the kind can be asked.
    pub fn access(key: &Key, random: &Random, ask: &Access<'_>) -> Result<Self, Unsayable> {
        // In one piece from the start, so that nothing is left behind where it stood before.
        let mut bytes = Zeroizing::new(Vec::with_capacity(PACKET_BYTES_MAX));
        bytes.extend_from_slice(&[ACCESS_REQUEST, random.number, 0, 0]);
        bytes.extend_from_slice(&random.authenticator);
        let mut request = Self { bytes, key: key.clone(), proof_wanted: None };
        request.add(number::MESSAGE_AUTHENTICATOR, &[&[0; DIGEST_BYTES]])?;
        request.add(number::USER_NAME, &[ask.user.as_bytes()])?;
        request.prove(random, ask)?;
        if !ask.state.is_empty() {
            request.add(number::STATE, &[ask.state])?;
        }
        match ask.nas_ip.map(|address| address.to_canonical()) {
            Some(IpAddr::V4(address)) => request.add(number::NAS_IP_ADDRESS, &[&address.octets()])?,
            Some(IpAddr::V6(address)) => request.add(number::NAS_IPV6_ADDRESS, &[&address.octets()])?,
            None => {}
        }
        if let Some(name) = ask.nas_id {
            request.add(number::NAS_IDENTIFIER, &[name.as_bytes()])?;
        }
        request.add(number::NAS_PORT_TYPE, &[&VIRTUAL.to_be_bytes()])?;
        if let Some(station) = ask.calling_station {
            request.add(number::CALLING_STATION_ID, &[station.as_bytes()])?;
        }
        request.sign();
        Ok(request)
    }

    /// As it is sent, each time it is sent.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn key(&self) -> &[u8] {
        self.key.bytes()
    }

    pub(super) fn number(&self) -> u8 {
        self.bytes[1]
    }

    pub(super) fn authenticator(&self) -> &[u8] {
        &self.bytes[4..HEADER_BYTES]
    }

    fn prove(&mut self, random: &Random, ask: &Access<'_>) -> Result<(), Unsayable> {
        let Random { number: identifier, challenge, peer, .. } = random;
        match ask.proof {
            Proof::Pap(password) => {
                let hidden = hidden(password.as_bytes(), self.key(), self.authenticator())?;
                self.add(number::USER_PASSWORD, &[&hidden])
            }
            Proof::Chap(password) => {
                let digest = md5(&[&[*identifier], password.as_bytes(), challenge]);
                self.add(number::CHAP_PASSWORD, &[&[*identifier], &digest])?;
                self.add(number::CHAP_CHALLENGE, &[challenge])
            }
            Proof::MsChap1(password) => {
                let (short, _) = challenge.split_at(mschap::CHALLENGE_1_BYTES);
                let response = mschap::response_1(*identifier, short, password);
                self.add_of_microsoft(mschap::CHALLENGE, short)?;
                self.add_of_microsoft(mschap::RESPONSE_1, &response)
            }
            Proof::MsChap2(password) => {
                let (response, wanted) = mschap::response_2(*identifier, challenge, peer, ask.user, password);
                self.proof_wanted = Some(wanted);
                self.add_of_microsoft(mschap::CHALLENGE, challenge)?;
                self.add_of_microsoft(mschap::RESPONSE_2, &response)
            }
        }
    }

    fn add(&mut self, kind: u8, parts: &[&[u8]]) -> Result<(), Unsayable> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let counted = u8::try_from(length + HEAD_BYTES).map_err(|_| Unsayable::Value)?;
        if length == 0 || length > VALUE_BYTES_MAX || self.bytes.len() + length + HEAD_BYTES > PACKET_BYTES_MAX {
            return Err(Unsayable::Value);
        }
        self.bytes.extend_from_slice(&[kind, counted]);
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        Ok(())
    }

    fn add_of_microsoft(&mut self, kind: u8, value: &[u8]) -> Result<(), Unsayable> {
        let counted = u8::try_from(value.len() + HEAD_BYTES).map_err(|_| Unsayable::Value)?;
        self.add(number::VENDOR_SPECIFIC, &[&mschap::VENDOR.to_be_bytes(), &[kind, counted], value])
    }

    fn sign(&mut self) {
        // No request can be longer than a packet: see `add`.
        let length = u16::try_from(self.bytes.len()).unwrap_or(u16::MAX);
        self.bytes[2..4].copy_from_slice(&length.to_be_bytes());
        let signature = hmac_md5(self.key.bytes(), &[&self.bytes]);
        self.bytes[SIGNATURE_AT..SIGNATURE_AT + DIGEST_BYTES].copy_from_slice(&signature);
    }
}

/// A password that is hidden under the key and the authenticator of its request (RFC 2865 §5.2).
pub(super) fn hidden(password: &[u8], key: &[u8], authenticator: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unsayable> {
    if password.len() > PASSWORD_BYTES_MAX || password.contains(&0) {
        return Err(Unsayable::Password);
    }
    let padded = password.len().div_ceil(DIGEST_BYTES).max(1) * DIGEST_BYTES;
    let mut hidden = Zeroizing::new(vec![0; padded]);
    hidden[..password.len()].copy_from_slice(password);
    let mut before: [u8; DIGEST_BYTES] = md5(&[key, authenticator]);
    for block in hidden.chunks_exact_mut(DIGEST_BYTES) {
        block.iter_mut().zip(before).for_each(|(byte, mask)| *byte ^= mask);
        before = md5(&[key, block]);
    }
    before.zeroize();
    Ok(hidden)
}
