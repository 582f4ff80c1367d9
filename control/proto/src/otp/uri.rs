//! The address that a QR code holds: `otpauth://totp/Issuer:user?secret=…`, as authenticator apps read it.

use zeroize::Zeroizing;

/// Longest issuer and user in it, in bytes; a code with more is hard to read with a telephone.
pub const LABEL_BYTES_MAX: usize = 64;

/// The address for the secret `base32` of `user` at `issuer`. Algorithm, digits and time are those that every app takes for granted; they
/// are named all the same.
#[must_use]
pub fn totp(issuer: &str, user: &str, base32: &str) -> Zeroizing<String> {
    let (issuer, user) = (encoded(short(issuer)), encoded(short(user)));
    let parts =
        ["otpauth://totp/", &issuer, ":", &user, "?secret=", base32, "&issuer=", &issuer, "&algorithm=SHA1&digits=6&period=30"];
    let mut uri = Zeroizing::new(String::with_capacity(parts.iter().map(|part| part.len()).sum()));
    parts.iter().for_each(|part| uri.push_str(part));
    uri
}

fn short(text: &str) -> &str {
    let end = (0..=LABEL_BYTES_MAX.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    end.and_then(|end| text.get(..end)).unwrap_or_default()
}

/// What is not unreserved (RFC 3986 §2.3) is escaped: a colon would end the issuer.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(3 * text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_apps_read() {
        assert_eq!(
            totp("gw.example.com", "ann", "GEZDGNBV").as_str(),
            "otpauth://totp/gw.example.com:ann?secret=GEZDGNBV&issuer=gw.example.com&algorithm=SHA1&digits=6&period=30"
        );
        let odd = totp("a:b", "ü&x=1 #", "AA");
        assert!(odd.starts_with("otpauth://totp/a%3Ab:%C3%BC%26x%3D1%20%23?secret=AA&issuer=a%3Ab&"), "{}", odd.as_str());
        assert!(totp(&"日".repeat(99), &"x".repeat(999), "AA").len() < 700);
    }
}
