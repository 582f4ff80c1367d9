//! SHA-256 of a file, as `sha256sum` prints it.

use aws_lc_rs::digest;

/// The 64 hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    digest::digest(&digest::SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_published_example_comes_out() {
        // FIPS 180-2, B.1.
        assert_eq!(super::hex(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
