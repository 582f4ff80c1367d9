//! The examples of the RFCs, each clause broken once, and every cut.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::attribute::{Attributes, number};
use super::digest::{hmac_md5, md5};
use super::say::hidden;
use super::*;

const KEY: &[u8] = b"xyzzy5461";

fn random() -> Random {
    let mut bytes = [0; Random::BYTES];
    bytes.iter_mut().zip(7_u8..).for_each(|(byte, value)| *byte = value);
    Random::new(&bytes)
}

/// RFC 2865 §7.1: number 0 and this authenticator.
fn of_the_rfc(number: u8, authenticator: &str) -> Request {
    let mut random = random();
    random.number = number;
    random.authenticator.copy_from_slice(&hex(authenticator));
    Request::access(&Key::new(KEY), &random, &ask(Proof::Pap("arctangent"))).unwrap()
}

fn ask(proof: Proof<'_>) -> Access<'_> {
    Access { user: "nemo", proof, state: &[], nas_ip: None, nas_id: Some("gw"), calling_station: None }
}

fn request(proof: Proof<'_>) -> Request {
    Request::access(&Key::new(KEY), &random(), &ask(proof)).unwrap()
}

fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// What an answer is made of; everything can be broken.
struct Answer {
    code: u8,
    number: u8,
    attributes: Vec<u8>,
    /// Where in the attributes a Message-Authenticator is put.
    signed_at: Option<usize>,
    key: &'static [u8],
}

impl Answer {
    fn new(code: u8, attributes: &[&[u8]]) -> Self {
        Self { code, number: random().number, attributes: attributes.concat(), signed_at: Some(0), key: KEY }
    }

    fn to(&self, request: &Request) -> Vec<u8> {
        let authenticator = request.authenticator().to_vec();
        let mut attributes = self.attributes.clone();
        if let Some(at) = self.signed_at {
            attributes.splice(at..at, [&[80, 18][..], &[0; 16]].concat());
        }
        let length = u16::try_from(HEADER_BYTES + attributes.len()).unwrap().to_be_bytes();
        let head = [&[self.code, self.number][..], &length].concat();
        if let Some(at) = self.signed_at {
            let signature = hmac_md5(self.key, &[&head, &authenticator, &attributes]);
            attributes[at + 2..at + 18].copy_from_slice(&signature);
        }
        let digest = md5(&[&head, &authenticator, &attributes, self.key]);
        [&head[..], &digest, &attributes].concat()
    }
}

fn attribute(kind: u8, value: &[u8]) -> Vec<u8> {
    [&[kind, u8::try_from(value.len() + 2).unwrap()][..], value].concat()
}

fn vendor(vendor: u32, kind: u8, value: &[u8]) -> Vec<u8> {
    attribute(26, &[&vendor.to_be_bytes()[..], &attribute(kind, value)].concat())
}

#[test]
fn passwords_are_hidden_as_in_rfc_2865() {
    // §7.1, §7.3
    for (authenticator, password, wanted) in [
        ("0f403f9473978057bd83d5cb98f4227a", "arctangent", "0dbe708d93d413ce3196e43f782a0aee"),
        ("f3a47a1f6a6d76710b947ab93041a039", "challenge", "3365757377828 9b570885e15084825c5"),
        ("b122556d428a13d0d6253807c457ecf0", "99101462", "692c1f205fc081b919b95195f561a581"),
    ] {
        assert_eq!(*hidden(password.as_bytes(), KEY, &hex(authenticator)).unwrap(), hex(wanted), "{password}");
    }
    for (length, blocks) in [(0, 1), (1, 1), (15, 1), (16, 1), (17, 2), (128, 8)] {
        assert_eq!(hidden(&vec![b'x'; length], KEY, &[0; 16]).unwrap().len(), 16 * blocks, "{length}");
    }
    assert_eq!(hidden(&[b'x'; 129], KEY, &[0; 16]), Err(Unsayable::Password));
    assert_eq!(hidden(b"secret\0", KEY, &[0; 16]), Err(Unsayable::Password));
}

#[test]
fn a_digest_is_that_of_rfc_2865() {
    // §7.2, where the challenge is the authenticator.
    let challenge = hex("2aee86f08d0d55969ca5978e0d3367a2");
    assert_eq!(md5(&[b"\x16", b"arctangent", &challenge]).to_vec(), hex("e97557c316185895f293ff6344077275"));
}

#[test]
fn the_answers_of_rfc_2865_are_believed_where_unsigned_ones_are() {
    let accept = hex("02000026 86fe220e7624ba2a1005f6bf9b55e0b2 060600000001 0f0600000000 0e06c0a80103");
    let request = of_the_rfc(0, "0f403f9473978057bd83d5cb98f4227a");
    assert_eq!(request.judge(&accept, true).unwrap().verdict, Verdict::Accept);
    assert_eq!(request.judge(&accept, false).unwrap_err(), Strange::Unsigned);
    let text =
        [&hex("0b02004e 36f3c8764ae8c71157403c0c71ff9c45 1230")[..], b"Challenge 32769430.  Enter response at prompt."].concat();
    let challenge = [&text[..], &hex("180a"), b"32769430"].concat();
    let reply = of_the_rfc(2, "f3a47a1f6a6d76710b947ab93041a039").judge(&challenge, true).unwrap();
    assert_eq!((reply.verdict, &**reply.state), (Verdict::Challenge, &b"32769430"[..]));
    assert_eq!(reply.message, "Challenge 32769430.  Enter response at prompt.");
    let reject = hex("03030014 a42f4fca45916c4e09c8340f9e746aa0");
    assert_eq!(of_the_rfc(3, "b122556d428a13d0d6253807c457ecf0").judge(&reject, true).unwrap().verdict, Verdict::Reject);
}

#[test]
fn a_request_is_signed_first_of_all_and_says_what_was_asked() {
    let ask = Access {
        state: b"state",
        nas_ip: Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1))),
        calling_station: Some("192.0.2.7"),
        ..ask(Proof::Pap("arctangent"))
    };
    let request = Request::access(&Key::new(KEY), &random(), &ask).unwrap();
    let bytes = request.bytes();
    assert_eq!(bytes[..2], [1, random().number]);
    assert_eq!(usize::from(u16::from_be_bytes([bytes[2], bytes[3]])), bytes.len());
    let all: Vec<_> = Attributes::new(&bytes[HEADER_BYTES..]).collect::<Result<_, _>>().unwrap();
    let kinds: Vec<u8> = all.iter().map(|attribute| attribute.kind).collect();
    assert_eq!(kinds, [80, 1, 2, 24, 4, 32, 61, 31]);
    let value = |kind: u8| all.iter().find(|attribute| attribute.kind == kind).unwrap().value;
    assert_eq!((value(number::USER_NAME), value(number::STATE)), (&b"nemo"[..], &b"state"[..]));
    assert_eq!((value(number::NAS_IP_ADDRESS), value(number::NAS_IDENTIFIER)), (&[10, 0, 0, 1][..], &b"gw"[..]));
    assert_eq!((value(number::NAS_PORT_TYPE), value(number::CALLING_STATION_ID)), (&[0, 0, 0, 5][..], &b"192.0.2.7"[..]));
    let mut unsigned = bytes.to_vec();
    unsigned[22..38].fill(0);
    assert_eq!(value(number::MESSAGE_AUTHENTICATOR), hmac_md5(KEY, &[&unsigned]));

    let six = Access { nas_ip: Some(IpAddr::V6(Ipv6Addr::LOCALHOST)), ..ask };
    let six = Request::access(&Key::new(KEY), &random(), &six).unwrap();
    let all: Vec<_> =
        Attributes::new(&six.bytes()[HEADER_BYTES..]).map(Result::unwrap).map(|a| (a.kind, a.value.len())).collect();
    assert!(all.contains(&(number::NAS_IPV6_ADDRESS, 16)) && !all.contains(&(number::NAS_IP_ADDRESS, 4)), "{all:?}");
    let mapped = Access { nas_ip: Some(Ipv4Addr::LOCALHOST.to_ipv6_mapped().into()), ..ask };
    let mapped = Request::access(&Key::new(KEY), &random(), &mapped).unwrap();
    assert!(Attributes::new(&mapped.bytes()[HEADER_BYTES..]).map(Result::unwrap).any(|a| a.kind == number::NAS_IP_ADDRESS));
}

#[test]
fn each_proof_has_its_attributes_and_no_other() {
    let kinds = |proof| -> Vec<(u8, usize)> {
        let request = request(proof);
        Attributes::new(&request.bytes()[HEADER_BYTES..])
            .map(Result::unwrap)
            .map(|attribute| (attribute.kind, attribute.value.len()))
            .filter(|(kind, _)| ![80, 1, 32, 61].contains(kind))
            .collect()
    };
    assert_eq!(kinds(Proof::Pap("arctangent")), [(2, 16)]);
    assert_eq!(kinds(Proof::Chap("arctangent")), [(3, 17), (60, 16)]);
    assert_eq!(kinds(Proof::MsChap1("arctangent")), [(26, 4 + 2 + 8), (26, 4 + 2 + 50)]);
    assert_eq!(kinds(Proof::MsChap2("arctangent")), [(26, 4 + 2 + 16), (26, 4 + 2 + 50)]);
    assert!(!format!("{:?}", ask(Proof::Chap("arctangent"))).contains("arctangent"));
}

#[test]
fn what_does_not_fit_is_not_asked() {
    let key = Key::new(KEY);
    let long = "x".repeat(254);
    let try_to = |ask: &Access<'_>| Request::access(&key, &random(), ask).map(|request| request.bytes().len());
    assert_eq!(try_to(&Access { user: "", ..ask(Proof::Pap("x")) }), Err(Unsayable::Value));
    assert_eq!(try_to(&Access { user: &long, ..ask(Proof::Pap("x")) }), Err(Unsayable::Value));
    assert_eq!(try_to(&Access { nas_id: Some(""), ..ask(Proof::Pap("x")) }), Err(Unsayable::Value));
    assert_eq!(try_to(&Access { state: long.as_bytes(), ..ask(Proof::Pap("x")) }), Err(Unsayable::Value));
    assert_eq!(try_to(&ask(Proof::Pap(&"x".repeat(129)))), Err(Unsayable::Password));
    let most = Access {
        user: &long[1..],
        state: &long.as_bytes()[1..],
        nas_ip: Some(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        nas_id: Some(&long[1..]),
        calling_station: Some(&long[1..]),
        ..ask(Proof::Pap(""))
    };
    assert!(try_to(&most).unwrap() <= PACKET_BYTES_MAX);
}

#[test]
fn a_reply_says_what_is_in_it() {
    let request = request(Proof::Pap("arctangent"));
    let groups =
        [vendor(66, 6, b"CTXSUserGroups=a;b"), vendor(66, 7, b"other"), vendor(67, 6, b"of another"), attribute(25, b"class")];
    let attributes = [
        &attribute(1, b"Nemo")[..],
        &attribute(18, b"Hello"),
        &groups.concat(),
        &attribute(201, b"unknown"),
        &attribute(18, b"you"),
    ];
    let reply = request.judge(&Answer::new(2, &attributes).to(&request), false).unwrap();
    assert_eq!((reply.verdict, reply.user(), &*reply.message), (Verdict::Accept, Some("Nemo"), "Hello\nyou"));
    assert!(reply.state.is_empty());
    let values = |vendor, kind| reply.values(vendor, kind).map(<[u8]>::to_vec).collect::<Vec<_>>();
    assert_eq!(values(66, 6), [b"CTXSUserGroups=a;b"]);
    assert_eq!(values(0, 25), [b"class"]);
    assert!(values(66, 9).is_empty() && values(0, 6).is_empty());
    let state = Answer::new(11, &[&attribute(24, b"\x00\xff")]).to(&request);
    assert_eq!(**request.judge(&state, false).unwrap().state, [0, 255]);
    // What a vendor writes in its own way is that vendor's.
    let odd =
        Answer::new(2, &[&attribute(26, b"\0\0\0\x42\x06\xff"), &attribute(26, b"\0"), &vendor(66, 6, b"fine")]).to(&request);
    let odd = request.judge(&odd, false).unwrap();
    assert_eq!(odd.values(66, 6).collect::<Vec<_>>(), [b"fine"]);
}

#[test]
fn texts_are_joined_and_cannot_act() {
    let request = request(Proof::Pap("arctangent"));
    let text = |texts: &[&[u8]]| {
        let attributes: Vec<u8> = texts.iter().flat_map(|text| attribute(18, text)).collect();
        request.judge(&Answer::new(11, &[&attributes]).to(&request), false).unwrap().message
    };
    assert_eq!(text(&[]), "");
    let full = [b'a'; VALUE_BYTES_MAX];
    assert_eq!(text(&[&full, b"b"]), format!("{}b", "a".repeat(253)));
    // A letter may be cut in two by the border between them.
    assert_eq!(
        text(&[&[&full[1..], "ü".as_bytes().split_at(1).0].concat(), "ü".as_bytes().split_at(1).1]),
        format!("{}ü", "a".repeat(252))
    );
    assert_eq!(text(&["code\u{202e}\r\u{1b}[31m<b>\0".as_bytes()]), "code   [31m<b>");
    assert_eq!(text(&[b"\xff!"]), "\u{fffd}!");
    let much = text(&[full.as_slice(); 10]);
    assert_eq!(much.len(), TEXT_BYTES_MAX);
    assert!(text(&["ü".repeat(126).as_bytes(); 10]).len() <= TEXT_BYTES_MAX);
}

#[test]
fn every_clause_that_is_broken_has_a_word_of_its_own() {
    let request = request(Proof::Pap("arctangent"));
    let judged = |answer: &Answer| request.judge(&answer.to(&request), false).map(|reply| reply.verdict);
    let good = || Answer::new(2, &[&attribute(18, b"hello")]);
    assert_eq!(judged(&good()), Ok(Verdict::Accept));
    assert_eq!(judged(&Answer { number: 1, ..good() }), Err(Strange::Number));
    for code in [0, 1, 4, 5, 12, 13, 255] {
        assert_eq!(judged(&Answer { code, ..good() }), Err(Strange::Code(code)));
    }
    assert_eq!(judged(&Answer { key: b"another", ..good() }), Err(Strange::Authenticator));
    assert_eq!(judged(&Answer { signed_at: None, ..good() }), Err(Strange::Unsigned));
    assert_eq!(judged(&Answer::new(2, &[&attribute(33, b"collide")])), Err(Strange::ProxyState));
    assert_eq!(judged(&Answer::new(11, &[&attribute(24, b"a"), &attribute(24, b"b")])), Err(Strange::Twice(24)));
    assert_eq!(judged(&Answer::new(2, &[&attribute(80, &[0; 16])])), Err(Strange::Twice(80)));
    assert_eq!(judged(&Answer { signed_at: None, ..Answer::new(2, &[&attribute(80, &[0; 15])]) }), Err(Strange::Signature));
    assert_eq!(judged(&Answer { signed_at: None, ..Answer::new(2, &[&attribute(80, &[0; 16])]) }), Err(Strange::Signature));
    for broken in [&b"\x12"[..], b"\x12\0", b"\x12\x01", b"\x12\x03", b"\x12\xff"] {
        assert_eq!(judged(&Answer::new(2, &[broken])), Err(Strange::Malformed), "{broken:?}");
    }
    // Anywhere is as good: it covers everything.
    let last = good().attributes.len();
    assert_eq!(judged(&Answer { signed_at: Some(last), ..good() }), Ok(Verdict::Accept));
    // Without the demand, one that is there must still be right.
    let forged = Answer { signed_at: None, ..Answer::new(2, &[&attribute(80, &[0; 16])]) }.to(&request);
    assert_eq!(request.judge(&forged, true).unwrap_err(), Strange::Signature);
    // The answer to another request of the same number.
    let other = Request::access(&Key::new(KEY), &Random { authenticator: [1; 16], ..random() }, &ask(Proof::Pap("x"))).unwrap();
    assert_eq!(request.judge(&good().to(&other), false).unwrap_err(), Strange::Authenticator);
}

#[test]
fn lengths_are_what_they_say() {
    let request = request(Proof::Pap("arctangent"));
    let good = Answer::new(2, &[&attribute(18, b"hello")]).to(&request);
    let with_length = |length: u16| {
        let mut bytes = good.clone();
        bytes[2..4].copy_from_slice(&length.to_be_bytes());
        bytes.resize(8192, 0);
        request.judge(&bytes, false).unwrap_err()
    };
    for length in [0, 19, 4097, u16::MAX] {
        assert_eq!(with_length(length), Strange::Length, "{length}");
    }
    // Padding is no part of it (RFC 2865 §3).
    assert_eq!(request.judge(&[&good[..], b"padding"].concat(), false).unwrap().verdict, Verdict::Accept);
}

#[test]
fn cut_at_every_byte_it_is_cut_off() {
    let request = request(Proof::Pap("arctangent"));
    let whole = Answer::new(11, &[&attribute(18, b"hello"), &attribute(24, b"state")]).to(&request);
    for length in 0..whole.len() {
        assert_eq!(request.judge(&whole[..length], false).unwrap_err(), Strange::Cut, "{length}");
    }
}

#[test]
fn every_bit_counts() {
    let request = request(Proof::Pap("arctangent"));
    let whole = Answer::new(11, &[&attribute(18, b"hello"), &attribute(24, b"state")]).to(&request);
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(request.judge(&flipped, true).is_err(), "bit {bit}");
    }
}

#[test]
fn a_server_that_agrees_must_know_the_password_if_it_says_so() {
    let request = request(Proof::MsChap2("arctangent"));
    let wanted = request.proof_wanted.unwrap();
    let answer = |code, said: &[u8]| request.judge(&Answer::new(code, &[&vendor(311, 26, said)]).to(&request), false);
    assert_eq!(answer(2, &wanted).unwrap().verdict, Verdict::Accept);
    assert_eq!(answer(2, &[&wanted[..], b" M=welcome"].concat()).unwrap().verdict, Verdict::Accept);
    assert_eq!(answer(2, b"\0S=0000000000000000000000000000000000000000").unwrap_err(), Strange::Unproven);
    assert_eq!(answer(2, &wanted[..20]).unwrap_err(), Strange::Unproven);
    assert_eq!(request.judge(&Answer::new(2, &[]).to(&request), false).unwrap().verdict, Verdict::Accept);
    for (text, wanted) in [
        (&b"\x09E=646 R=0"[..], MsChapError::Hours),
        (b"\x09E=647 R=0", MsChapError::Disabled),
        (b"\x09E=648 R=0 V=3", MsChapError::Expired),
        (b"\x09E=649 R=0", MsChapError::NotPermitted),
        (b"\x09E=691 R=1 C=00 V=3 M=no", MsChapError::Failure),
        (b"", MsChapError::Failure),
    ] {
        // An empty attribute cannot be made; one byte is as little as there is.
        let text = if text.is_empty() { &b"\x09"[..] } else { text };
        let reply = request.judge(&Answer::new(3, &[&vendor(311, 2, text)]).to(&request), false).unwrap();
        assert_eq!((reply.verdict, reply.error), (Verdict::Reject, Some(wanted)), "{text:?}");
    }
}

#[test]
fn secrets_are_not_shown() {
    let request = request(Proof::Pap("arctangent"));
    let reply = request.judge(&Answer::new(11, &[&attribute(24, b"my state"), &attribute(18, b"text")]).to(&request), false);
    let shown = format!("{request:?} {:?} {reply:?}", Key::new(KEY));
    assert!(!shown.contains("xyzzy") && !shown.contains("my state") && !shown.contains("arctangent"), "{shown}");
}

proptest! {
    #[test]
    fn whatever_is_hidden_can_be_found_again(password in "[^\0]{0,32}", key in prop::collection::vec(any::<u8>(), 1..40), authenticator: [u8; 16]) {
        let hidden = hidden(password.as_bytes(), &key, &authenticator).unwrap();
        let mut before = authenticator.to_vec();
        let mut found = Vec::new();
        for block in hidden.chunks(16) {
            found.extend(block.iter().zip(md5(&[&key, &before])).map(|(byte, mask)| byte ^ mask));
            before = block.to_vec();
        }
        let end = found.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
        prop_assert_eq!(&found[..end], password.as_bytes());
    }

    #[test]
    fn nothing_panics_and_nothing_strange_is_believed(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let request = request(Proof::MsChap2("arctangent"));
        prop_assert!(request.judge(&bytes, true).is_err());
        let read = Attributes::new(&bytes).filter_map(Result::ok).count();
        prop_assert!(read <= bytes.len() / 2);
    }
}
