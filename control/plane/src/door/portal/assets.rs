//! Files that pages load: compiled in, under a name that changes with what is in them, so that browsers may keep them.

use bytes::Bytes;
use http_body_util::Full;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};

use super::pages;
use crate::http::Reply;

/// Where the script of the page for a scan is. In its name are the first digits of its SHA-256.
pub(crate) const SCAN_SCRIPT: &str = "/logon/LogonPoint/sg/scan-d87bbd48.js";
const SCAN: &str = include_str!("../../../assets/scan.js");

/// The script of the page for a scan.
pub(super) fn scan_script() -> Reply {
    let mut reply = pages::bare(StatusCode::OK);
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/javascript; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    *reply.body_mut() = Full::new(Bytes::from_static(SCAN.as_bytes()));
    reply
}

#[cfg(test)]
mod tests {
    use rustls::SupportedCipherSuite::Tls13;
    use rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;

    use super::*;

    #[test]
    fn the_name_of_a_file_tells_what_is_in_it() {
        let Tls13(suite) = TLS13_AES_128_GCM_SHA256 else { panic!("a suite of TLS 1.3") };
        let hash = suite.common.hash_provider.hash(SCAN.as_bytes());
        let hash: String = hash.as_ref().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(SCAN_SCRIPT, format!("/logon/LogonPoint/sg/scan-{hash}.js"), "rename the file in assets.rs");
    }
}
