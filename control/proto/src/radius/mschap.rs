//! MS-CHAP, versions 1 and 2 (RFC 2433, 2759), in attributes of Microsoft's (RFC 2548).
//!
//! ```text
//!   password ─► MD4 of its UTF-16 ─► three keys of DES ─► each encrypts the 8 bytes of a challenge ─► response
//!                     │ version 2: the challenge is SHA-1 of both sides' challenges and the name
//!                     └─► MD4, SHA-1 twice ─► what a server has to say that knows the password, too
//! ```
//!
//! All of that is broken: who has seen a response finds the password's digest for the price of one search through DES. It is here for
//! servers that have nothing else, and goes over no network that is not trusted with the digest itself.

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use des::Des;
use des::cipher::{BlockCipherEncrypt as _, KeyInit as _};
use md4::{Digest as _, Md4};
use zeroize::Zeroizing;

/// Microsoft's number among vendors.
pub(super) const VENDOR: u32 = 311;
/// `MS-CHAP-Response`
pub(super) const RESPONSE_1: u8 = 1;
/// `MS-CHAP-Error`
pub(super) const ERROR: u8 = 2;
/// `MS-CHAP-Challenge`
pub(super) const CHALLENGE: u8 = 11;
/// `MS-CHAP2-Response`
pub(super) const RESPONSE_2: u8 = 25;
/// `MS-CHAP2-Success`
pub(super) const SUCCESS_2: u8 = 26;
/// A challenge of version 1, in bytes.
pub(super) const CHALLENGE_1_BYTES: usize = 8;
/// Number, flags, two responses of 24 bytes; or, in version 2, a challenge, nothing, and one response.
const RESPONSE_BYTES: usize = 50;
/// Of SHA-1.
const SHA1_BYTES: usize = 20;

/// What a server says in an `MS-CHAP2-Success`: the number of the request, `S=` and 40 hexadecimal digits.
pub(super) type ServerProof = [u8; 1 + 2 + 2 * SHA1_BYTES];

/// An `MS-CHAP-Response`, without the response of LAN Manager.
pub(super) fn response_1(identifier: u8, challenge: &[u8], password: &str) -> [u8; RESPONSE_BYTES] {
    const USE_NT_RESPONSE: u8 = 1;
    let mut response = [0; RESPONSE_BYTES];
    response[0] = identifier;
    response[1] = USE_NT_RESPONSE;
    response[26..].copy_from_slice(&encrypted(challenge, &nt_hash(password)));
    response
}

/// An `MS-CHAP2-Response`, and what a server has to say to it. The name counts without a domain in front of it (RFC 2759 §4).
pub(super) fn response_2(
    identifier: u8,
    challenge: &[u8; 16],
    peer: &[u8; 16],
    user: &str,
    password: &str,
) -> ([u8; RESPONSE_BYTES], ServerProof) {
    const MAGIC: [&[u8]; 2] = [b"Magic server to client signing constant", b"Pad to make it do more than one iteration"];
    let user = user.rsplit_once('\\').map_or(user, |(_, user)| user);
    let hash = nt_hash(password);
    let short = &sha1(&[peer, challenge, user.as_bytes()])[..CHALLENGE_1_BYTES];
    let nt_response = encrypted(short, &hash);
    let mut response = [0; RESPONSE_BYTES];
    response[0] = identifier;
    response[2..18].copy_from_slice(peer);
    response[26..].copy_from_slice(&nt_response);
    let hash_of_hash: Zeroizing<[u8; 16]> = Zeroizing::new(Md4::digest(*hash).into());
    let digest = sha1(&[&*hash_of_hash, &nt_response, MAGIC[0]]);
    let digest = sha1(&[&digest, short, MAGIC[1]]);
    let mut proof: ServerProof = [0; _];
    proof[0] = identifier;
    proof[1..3].copy_from_slice(b"S=");
    for (digits, byte) in proof[3..].chunks_exact_mut(2).zip(digest) {
        const HEX: &[u8; 16] = b"0123456789ABCDEF";
        digits.copy_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
    (response, proof)
}

fn sha1(parts: &[&[u8]]) -> [u8; SHA1_BYTES] {
    let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    parts.iter().for_each(|part| context.update(part));
    let mut digest = [0; SHA1_BYTES];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

fn nt_hash(password: &str) -> Zeroizing<[u8; 16]> {
    let mut hash = Md4::new();
    password.encode_utf16().for_each(|unit| hash.update(unit.to_le_bytes()));
    Zeroizing::new(hash.finalize().into())
}

/// `ChallengeResponse` of RFC 2433 §A.5.
fn encrypted(challenge: &[u8], hash: &[u8; 16]) -> [u8; 24] {
    let mut padded = Zeroizing::new([0; 21]);
    padded[..16].copy_from_slice(hash);
    let mut response = [0; 24];
    for (part, block) in padded.chunks_exact(7).zip(response.chunks_exact_mut(CHALLENGE_1_BYTES)) {
        let mut one = [0; 8];
        one.copy_from_slice(challenge);
        let mut one = one.into();
        Des::new(&(*spread(part)).into()).encrypt_block(&mut one);
        block.copy_from_slice(&one);
    }
    response
}

/// A key of DES has seven bits in each of its eight bytes, and one that does not matter.
fn spread(part: &[u8]) -> Zeroizing<[u8; 8]> {
    let bits = part.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    Zeroizing::new(std::array::from_fn(|at| {
        let seven = bits >> (7 * (7 - at)) & 0x7f;
        u8::try_from(seven << 1).unwrap_or_default()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes<const N: usize>(hex: &str) -> [u8; N] {
        let digits: Vec<u8> = hex.bytes().collect();
        let byte = |at: usize| u8::from_str_radix(std::str::from_utf8(&digits[2 * at..2 * at + 2]).unwrap(), 16).unwrap();
        assert_eq!(digits.len(), 2 * N);
        std::array::from_fn(byte)
    }

    #[test]
    fn version_1_is_that_of_rfc_2433() {
        // §B.2
        assert_eq!(*nt_hash("MyPw"), bytes::<16>("FC156AF7EDCD6C0EDDE3337D427F4EAC"));
        let response = response_1(7, &bytes::<8>("102DB5DF085D3041"), "MyPw");
        assert_eq!((response[0], response[1], &response[2..26]), (7, 1, &[0; 24][..]));
        assert_eq!(response[26..], bytes::<24>("4E9D3C8F9CFD385D5BF4D3246791956CA4C351AB409A3D61"));
    }

    #[test]
    fn version_2_is_that_of_rfc_2759() {
        // §9.2
        let challenge = bytes("5B5D7C7D7B3F2F3E3C2C602132262628");
        let peer = bytes("21402324255E262A28295F2B3A337C7E");
        for user in ["User", "DOMAIN\\User"] {
            let (response, proof) = response_2(9, &challenge, &peer, user, "clientPass");
            assert_eq!((response[0], response[1], &response[2..18], &response[18..26]), (9, 0, &peer[..], &[0; 8][..]));
            assert_eq!(response[26..], bytes::<24>("82309ECD8D708B5EA08FAA3981CD83544233114A3D85D6DF"));
            assert_eq!(&proof, b"\x09S=407A5589115FD0D6209F510FE9C04566932CDA56");
        }
    }
}
