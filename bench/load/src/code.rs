//! One-time codes of the users of a load (RFC 6238), on our own: a fault of the gateway's must not hide in its copy.
//!
//! ```text
//!   number of a user ─► secret: its twenty digits ─┬─► Base32, for the directory
//!                                                  └─► code at a time, for the form
//! ```

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;

/// How long a code is shown, in seconds.
const STEP_SECONDS: u64 = 30;
const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

fn secret(user: usize) -> String {
    format!("{user:020}")
}

/// The secret of a user in Base32.
pub(crate) fn base32(user: usize) -> String {
    let secret = secret(user);
    let bits: String = secret.bytes().map(|byte| format!("{byte:08b}")).collect();
    let digit = |five: &[u8]| five.iter().fold(0_usize, |value, bit| value * 2 + usize::from(*bit == b'1'));
    bits.as_bytes().chunks(5).map(|five| char::from(DIGITS[digit(five)])).collect()
}

/// The code that the device of a user shows now.
pub(crate) fn now(user: usize) -> String {
    #[expect(clippy::disallowed_methods, reason = "codes are of a time of day")]
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    at(user, seconds)
}

fn at(user: usize, seconds: u64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret(user).as_bytes());
    let tag = hmac::sign(&key, &(seconds / STEP_SECONDS).to_be_bytes());
    let tag = tag.as_ref();
    let offset = usize::from(tag[19] & 15);
    let four = [tag[offset] & 0x7f, tag[offset + 1], tag[offset + 2], tag[offset + 3]];
    format!("{:06}", u32::from_be_bytes(four) % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with `oathtool --totp -b GAYDAMBQGAYDAMBQGAYDAMBQGAYDAMBX -N @59`.
    #[test]
    fn codes_are_those_of_another_program() {
        assert_eq!(base32(7), "GAYDAMBQGAYDAMBQGAYDAMBQGAYDAMBX");
        assert_eq!(at(7, 59), "830363");
    }
}
