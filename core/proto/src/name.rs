//! Host names as they may appear in a ClientHello.

/// Longest host name, in bytes: 255 on the wire of the DNS, less its framing.
pub const HOST_NAME_BYTES_MAX: usize = 253;
/// Longest label of a host name, in bytes (RFC 1035 §2.3.4).
pub const LABEL_BYTES_MAX: usize = 63;

/// `bytes` as text if they are a host name: labels of letters, digits, `-` and `_`, divided by single dots, without a dot at the
/// end (RFC 6066 §3) and not of the form of an IPv4 address, which is never a host name (RFC 1123 §2.1).
#[must_use]
pub fn host_name(bytes: &[u8]) -> Option<&str> {
    if bytes.is_empty() || bytes.len() > HOST_NAME_BYTES_MAX {
        return None;
    }
    let in_alphabet = |b: &u8| b.is_ascii_alphanumeric() || *b == b'-' || *b == b'_';
    let mut last: &[u8] = &[];
    for label in bytes.split(|&b| b == b'.') {
        let edges_hold = label.first() != Some(&b'-') && label.last() != Some(&b'-');
        if label.is_empty() || label.len() > LABEL_BYTES_MAX || !edges_hold || !label.iter().all(in_alphabet) {
            return None;
        }
        last = label;
    }
    // No top-level domain is all digits; every dotted address ends in such a label.
    if last.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_pass_and_all_else_does_not() {
        for good in ["gw.example.test", "localhost", "a-b.c_d.Example", "1.2.3.x4", &format!("{}.test", "a".repeat(63))] {
            assert_eq!(host_name(good.as_bytes()), Some(good));
        }
        let long_label = format!("{}.test", "a".repeat(64));
        let long_name = ["abcdefgh"; 32].join(".");
        assert!(long_name.len() > HOST_NAME_BYTES_MAX);
        for bad in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "-a.test",
            "a-.test",
            "192.0.2.1",
            "::1",
            "a b",
            "a\0b",
            "ü.test",
            &long_label,
            &long_name,
        ] {
            assert_eq!(host_name(bad.as_bytes()), None, "{bad:?}");
        }
    }
}
