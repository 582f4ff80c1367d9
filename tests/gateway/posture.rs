//! TLS as others see it: versions, suites, groups, resumption, what is not offered.

use std::process::{Command, Stdio};

use sluicegate_tests::gateway::{Gateway, NAME};

use crate::wish;

/// What `openssl s_client` says about a handshake with `args`.
fn handshake(gateway: &Gateway, args: &[&str]) -> String {
    let done = Command::new("openssl")
        .args(["s_client", "-connect", &gateway.public().to_string(), "-servername", NAME, "-verify_return_error"])
        .arg("-CAfile")
        .arg(&gateway.ca_file)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned()
}

#[test]
fn versions_and_suites_are_the_modern_ones() {
    for rsa in [false, true] {
        let gateway = if rsa { wish("AUTO").rsa() } else { wish("AUTO") }.start();
        assert!(handshake(&gateway, &["-tls1_3"]).contains("New, TLSv1.3"));
        assert!(handshake(&gateway, &["-tls1_2"]).contains("New, TLSv1.2"));
        for old in [&["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"][..], &["-tls1", "-cipher", "ALL:@SECLEVEL=0"]] {
            let said = handshake(&gateway, old);
            assert!(said.contains("SSL alert number") && !said.contains("New, TLS"), "{said}");
        }
        // Neither CBC nor key exchange without forward secrecy.
        for weak in ["ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES128-SHA", "AES128-GCM-SHA256", "DHE-RSA-AES128-GCM-SHA256"] {
            let said = handshake(&gateway, &["-tls1_2", "-cipher", weak]);
            assert!(said.contains("alert handshake failure"), "{weak}: {said}");
        }
    }
}

#[test]
fn neither_h2_nor_early_data_nor_renegotiation_is_offered() {
    let gateway = wish("AUTO").start();
    assert!(handshake(&gateway, &["-alpn", "h2,http/1.1"]).contains("ALPN protocol: http/1.1"));
    let said = handshake(&gateway, &["-tls1_3"]);
    assert!(!said.contains("Max Early Data: 1"), "{said}");
    let said = handshake(&gateway, &["-tls1_2"]);
    assert!(said.contains("Secure Renegotiation IS supported"), "the extension that protects against renegotiation: {said}");
}

#[test]
fn sessions_resume_by_ticket_over_all_workers() {
    let gateway = wish("AUTO").line("set ns worker -count 2").start();
    for version in ["-tls1_3", "-tls1_2"] {
        let file = gateway.dir().join("session").display().to_string();
        // Something must be asked so that TLS 1.3's ticket, which comes after the handshake, is read.
        let first = request_with(&gateway, &[version, "-sess_out", &file]);
        assert!(first.contains("New, TLSv1."), "{first}");
        for _ in 0..8 {
            let again = request_with(&gateway, &[version, "-sess_in", &file]);
            assert!(again.contains("Reused, TLSv1."), "{version}: {again}");
        }
    }
    assert!(gateway.count("resumed") >= 16);
}

/// A handshake with a small HTTP request inside.
fn request_with(gateway: &Gateway, args: &[&str]) -> String {
    use std::io::Write as _;
    let mut child = Command::new("openssl")
        .args(["s_client", "-connect", &gateway.public().to_string(), "-servername", NAME, "-ign_eof", "-CAfile"])
        .arg(&gateway.ca_file)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let request = format!("GET / HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n");
    child.stdin.as_mut().unwrap().write_all(request.as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned()
}

#[test]
fn resumption_and_versions_can_be_switched_off() {
    let gateway = wish("AUTO").line("set ssl vserver vpn1 -tls12 DISABLED -sessReuse DISABLED -postQuantum DISABLED").start();
    assert!(handshake(&gateway, &["-tls1_2"]).contains("alert protocol version"));
    let file = gateway.dir().join("session").display().to_string();
    let _ = request_with(&gateway, &["-tls1_3", "-sess_out", &file]);
    let again = request_with(&gateway, &["-tls1_3", "-sess_in", &file]);
    assert!(!again.contains("Reused"), "{again}");
}

#[test]
fn post_quantum_is_on_and_can_be_switched_off() {
    let on = wish("AUTO").start();
    drop(on.connect());
    assert_eq!(on.count("post_quantum"), 1);
    let off = wish("AUTO").line("set ssl vserver vpn1 -postQuantum DISABLED").start();
    drop(off.connect());
    assert_eq!((off.count("handshakes"), off.count("post_quantum")), (1, 0));
}
