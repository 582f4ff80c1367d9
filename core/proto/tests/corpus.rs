//! Every file of `tests/corpus` whose protocol is read here goes through its reader: whole, and cut off at every byte.
//!
//! A file's name says what must come out: `ok-…` is read, `cut-…` wants more bytes, `bad-…` is refused, `crash-…` once did
//! harm and must do none.

use std::fs;
use std::path::PathBuf;

use sluice_proto::cgp::TicketFinder;
use sluice_proto::hello::{self, HelloStop};
use sluice_proto::preface;
use sluice_proto::proxy::Header;
use sluice_proto::reader::{Need, Stop};
use sluice_proto::socks5::{Answer, Opening, Step};
use sluice_proto::ticket::Ticket;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Read,
    More,
    Refused,
}

fn of<T>(result: Result<T, Stop>) -> Verdict {
    match result {
        Ok(_) => Verdict::Read,
        Err(Stop::Need(Need(more))) => {
            assert!(more > 0);
            Verdict::More
        }
        Err(Stop::Malformed(_)) => Verdict::Refused,
    }
}

#[expect(clippy::unwrap_used, reason = "a test's helper: a file that cannot be read fails the test")]
fn check(protocol: &str, read: impl Fn(&[u8]) -> Verdict) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus").join(protocol);
    let mut kinds = [0; 4];
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let bytes = fs::read(&path).unwrap();
        let whole = read(&bytes);
        for (count, (prefix, wanted)) in kinds.iter_mut().zip([
            ("ok-", Some(Verdict::Read)),
            ("cut-", Some(Verdict::More)),
            ("bad-", Some(Verdict::Refused)),
            ("crash-", None),
        ]) {
            if name.starts_with(prefix) {
                *count += 1;
                assert!(wanted.is_none_or(|wanted| wanted == whole), "{protocol}/{name}: {whole:?}");
            }
        }
        for n in 0..bytes.len() {
            let early = read(&bytes[..n]);
            assert!(early == Verdict::More || early == whole || protocol == "ticket", "{protocol}/{name} cut at {n}: {early:?}");
        }
    }
    let files = fs::read_dir(&folder).unwrap().count();
    assert!(files > 0 && kinds.iter().sum::<usize>() == files, "{protocol}: a file's name does not say what must come out");
}

#[test]
fn hello() {
    check("hello", |bytes| match hello::scan(bytes) {
        Ok(_) => Verdict::Read,
        Err(HelloStop::Need(_)) => Verdict::More,
        Err(HelloStop::NotTls(_) | HelloStop::TooLarge | HelloStop::Malformed(_)) => Verdict::Refused,
    });
}

#[test]
fn preface() {
    check("preface", |bytes| of(preface::read(bytes).map_err(Stop::Need)));
}

#[test]
fn socks5() {
    check("socks5", |mut bytes| {
        let mut opening = Opening::new();
        loop {
            match opening.read(bytes) {
                Ok(Step::Greeting { consumed, answer: Answer::NoneNeeded }) => bytes = &bytes[consumed..],
                Ok(Step::Greeting { answer: Answer::NoneAcceptable, .. } | Step::Request { .. }) => return Verdict::Read,
                Ok(Step::Need(_) | Step::Ambiguous) => return Verdict::More,
                Err(_) => return Verdict::Refused,
            }
        }
    });
}

#[test]
fn cgp() {
    check("cgp", |bytes| of(TicketFinder::default().read(bytes)));
}

#[test]
fn proxy() {
    check("proxy", |bytes| of(Header::read(bytes)));
}

#[test]
fn ticket() {
    check("ticket", |bytes| if Ticket::parse(bytes).is_ok() { Verdict::Read } else { Verdict::Refused });
}

/// What real clients say, read in full.
#[test]
fn hellos_of_real_clients() {
    let read =
        |name: &str| fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus/hello").join(name)).unwrap();
    let openssl = read("ok-openssl-sni-alpn.bin");
    let details = hello::scan(&openssl).unwrap().details.unwrap();
    assert_eq!(details.server_name, Some("gw.example.test"));
    assert_eq!(details.alpn().collect::<Vec<_>>(), [b"http/1.1"]);
    assert!(details.versions().any(|version| version == 0x0304));
    assert!(details.groups().any(|group| group == 0x001d));

    let old = read("ok-openssl-tls12.bin");
    let details = hello::scan(&old).unwrap().details.unwrap();
    assert_eq!((details.server_name, details.alpn().count(), details.versions().count()), (None, 0, 0));

    let curl = read("ok-curl.bin");
    let details = hello::scan(&curl).unwrap().details.unwrap();
    assert_eq!(details.server_name, Some("gw.example.test"));
    assert_eq!(details.alpn().collect::<Vec<_>>(), [&b"h2"[..], b"http/1.1"]);

    let three = read("ok-three-records.bin");
    let hello = hello::scan(&three).unwrap();
    assert_eq!((hello.bytes, hello.details), (three.len(), None));
}
