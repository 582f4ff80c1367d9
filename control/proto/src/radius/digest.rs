//! The digests of RADIUS, and how two of them are compared.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::{Digest as _, Md5};
use zeroize::Zeroizing;

use super::DIGEST_BYTES;

/// MD5 over all of `parts`, one behind the other.
pub(super) fn md5(parts: &[&[u8]]) -> [u8; DIGEST_BYTES] {
    let mut hash = Md5::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

/// HMAC-MD5 over all of `parts` (RFC 2104).
pub(super) fn hmac_md5(key: &[u8], parts: &[&[u8]]) -> [u8; DIGEST_BYTES] {
    // A longer key stands for its digest; padding with zeros changes nothing. So no key has a length that the code could refuse.
    let mut block = Zeroizing::new([0; 64]);
    if let Some(start) = block.get_mut(..key.len()) {
        start.copy_from_slice(key);
    } else {
        block[..DIGEST_BYTES].copy_from_slice(&md5(&[key]));
    }
    let mut mac = Hmac::<Md5>::new(&(*block).into());
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// In a time that says nothing of where they differ.
pub(super) fn same(one: &[u8], other: &[u8]) -> bool {
    verify_slices_are_equal(one, other).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_is_that_of_rfc_2202() {
        let hex = |bytes: [u8; 16]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(hex(hmac_md5(&[0x0b; 16], &[b"Hi ", b"There"])), "9294727a3638bb1c13f48ef8158bfc9d");
        assert_eq!(hex(hmac_md5(b"Jefe", &[b"what do ya want for nothing?"])), "750c783e6ab0b503eaa86e310a5db738");
        let long = b"Test Using Larger Than Block-Size Key - Hash Key First";
        assert_eq!(hex(hmac_md5(&[0xaa; 80], &[long])), "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd");
        assert!(same(b"ab", b"ab") && !same(b"ab", b"ac") && !same(b"ab", b"abc") && same(b"", b""));
    }
}
