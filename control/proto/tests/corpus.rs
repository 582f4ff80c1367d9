//! Every file of the corpora through its reader: whole, and cut off at every byte.
#![expect(clippy::unwrap_used, reason = "a helper of tests fails loudly")]

#[path = "common/corpus.rs"]
mod corpus;

use gate_proto::certificate::Owner;
use gate_proto::epa::ClientString;
use gate_proto::epa::classic;
use gate_proto::epa::envelope::Envelope;
use gate_proto::epa::question::read_question;
use gate_proto::form::Form;
use gate_proto::forms::Answer as LoginAnswer;
use gate_proto::forms::schema::Schema;
use gate_proto::frame::{Ask, BadFrame, Frames, HELLO, Line, Lines};
use gate_proto::ica_file::read::LaunchFile;
use gate_proto::ldap::{Caps, Guard, Hostile};
use gate_proto::otp::Devices;
use gate_proto::radius;
use gate_proto::xml::nfuse::Kind;
use gate_proto::xml::nfuse::answer::{Answer, NoAnswer};
use gate_proto::xml::nfuse::request::Request;
use gate_proto::xml::sta::{IssuedTicket, Redeemed, StaRequest};

const AUTHORITY: &str = "STA02005E10A1B2";
const TICKET: &str = "0F1E2D3C4B5A69788796A5B4C3D2E1F0";

#[test]
fn nfuse() {
    for input in corpus::inputs("nfuse") {
        let is_request = |bytes: &[u8]| Request::read(bytes).is_ok();
        let is_refusal =
            |bytes: &[u8]| Kind::ALL.iter().any(|&kind| matches!(Answer::read(bytes, kind), Err(NoAnswer::Refused(_))));
        let is_answer = |bytes: &[u8]| Kind::ALL.iter().any(|&kind| Answer::read(bytes, kind).is_ok());
        match input.name.as_str() {
            name if name.starts_with("ok-request-") => input.holds(is_request),
            name if name.starts_with("bad-request-") => input.holds(|bytes| !is_request(bytes)),
            name if name.starts_with("ok-refusal-") => input.holds(|bytes| is_refusal(bytes) && !is_answer(bytes)),
            name if name.starts_with("ok-answer-") => input.holds(is_answer),
            name => panic!("no rule for {name}"),
        }
    }
}

/// What is read is written so that it reads the same: compared as bytes, for secrets have no equality.
#[test]
fn nfuse_requests_and_answers_survive_a_round_trip() {
    for input in corpus::inputs("nfuse") {
        if let Ok((request, encoding)) = Request::read(&input.bytes) {
            let written = request.write(encoding);
            let (again, encoding_again) = Request::read(&written).unwrap();
            assert_eq!((encoding_again, again.write(encoding)), (encoding, written), "{}", input.name);
        }
        for kind in Kind::ALL {
            if let Ok(answer) = Answer::read(&input.bytes, kind) {
                let written = answer.write(Default::default());
                let again = Answer::read(&written, kind).unwrap();
                assert_eq!(again.write(Default::default()), written, "{}", input.name);
                for other in Kind::ALL.into_iter().filter(|&other| other != kind) {
                    assert!(Answer::read(&written, other).is_err(), "{} taken for {other:?}", input.name);
                }
            }
        }
    }
}

/// Scanners parse with patterns, not with an XML parser: these answers are written byte for byte as they stand.
#[test]
fn nfuse_answers_have_the_form_that_patterns_find() {
    for (file, kind) in [
        ("ok-answer-app-data.xml", Kind::AppData),
        ("ok-answer-server-data.xml", Kind::ServerData),
        ("ok-answer-validate-credentials.xml", Kind::ValidateCredentials),
        ("ok-answer-capabilities.xml", Kind::Capabilities),
        ("ok-answer-address.xml", Kind::Address),
        ("ok-answer-ticket.xml", Kind::Ticket),
    ] {
        let input = corpus::inputs("nfuse").into_iter().find(|input| input.name == file).unwrap();
        let written = Answer::read(&input.bytes, kind).unwrap().write(Default::default());
        assert_eq!(String::from_utf8(written).unwrap(), String::from_utf8_lossy(&input.bytes).trim_end());
    }
}

#[test]
fn sta() {
    for input in corpus::inputs("sta") {
        match input.name.as_str() {
            name if name.starts_with("ok-request-") => input.holds(|bytes| StaRequest::read(bytes).is_ok()),
            name if name.starts_with("bad-request-") => input.holds(|bytes| StaRequest::read(bytes).is_err()),
            name if name.starts_with("ok-issued") => input.holds(|bytes| IssuedTicket::read(bytes).is_ok()),
            name if name.starts_with("ok-redeemed") => input.holds(|bytes| Redeemed::read(bytes, AUTHORITY, TICKET).is_ok()),
            name if name.starts_with("bad-redeemed") => {
                input.holds(|bytes| Redeemed::read(bytes, AUTHORITY, TICKET).is_err());
            }
            name => panic!("no rule for {name}"),
        }
    }
}

#[test]
fn ica_files() {
    for input in corpus::inputs("ica_file") {
        let wanted = input.name.starts_with("ok-");
        input.holds(|bytes| LaunchFile::read(bytes).is_ok() == wanted);
    }
}

#[test]
fn forms() {
    for input in corpus::inputs("form") {
        let wanted = input.name.starts_with("ok-");
        input.holds(|bytes| Form::parse(bytes).is_ok() == wanted);
    }
}

#[test]
fn answers_of_logins() {
    for input in corpus::inputs("answer") {
        let wanted = input.name.starts_with("ok-");
        input.holds(|bytes| LoginAnswer::read(bytes).is_ok() == wanted);
        for end in 0..input.bytes.len() {
            assert!(LoginAnswer::read(&input.bytes[..end]).is_err(), "{} cut at {end} is whole", input.name);
        }
        if let Ok(answer) = LoginAnswer::read(&input.bytes) {
            assert_eq!(LoginAnswer::read(&answer.write()), Ok(answer), "{}", input.name);
        }
    }
}

/// As the gateway writes them, byte for byte: scripts search the text.
#[test]
fn answers_of_logins_have_the_form_that_scripts_find() {
    let ours = ["ok-first-form.xml", "ok-wrong-password.xml", "ok-scan.xml", "ok-success.xml", "ok-fail.xml", "ok-cancelled.xml"];
    for input in corpus::inputs("answer").into_iter().filter(|input| ours.contains(&input.name.as_str())) {
        let written = LoginAnswer::read(&input.bytes).unwrap().write();
        assert_eq!(String::from_utf8(written).unwrap(), String::from_utf8_lossy(&input.bytes), "{}", input.name);
    }
}

#[test]
fn login_schemas() {
    for input in corpus::inputs("schema") {
        let wanted = input.name.starts_with("ok-");
        input.holds(|bytes| Schema::parse(bytes).is_ok() == wanted);
    }
}

#[test]
fn endpoint_analysis() {
    let envelope = Envelope::derive("981005eef29ce34c80f535f9e78f4b4d", b"1498797356", b"vpn.example.com").unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    for input in corpus::inputs("epa") {
        let (wanted, kind) = input.name.split_once('-').map(|(verdict, rest)| (verdict == "ok", rest)).unwrap();
        match kind.split('-').next() {
            Some("string") => input.holds(|bytes| ClientString::parse(&text(bytes)).is_ok() == wanted),
            Some("classic") => input.holds(|bytes| classic::convert(&text(bytes)).is_ok() == wanted),
            Some("question") => input.holds(|bytes| read_question(bytes).is_some() == wanted),
            Some("payload") => input.holds(|bytes| envelope.open(bytes).is_ok() == wanted),
            _ => panic!("no rule for {}", input.name),
        }
    }
}

/// Reads frames behind the first line to the end, or to what is broken.
fn frames(bytes: &[u8]) -> Result<bool, BadFrame> {
    let mut rest = bytes.get(HELLO.len() + 1..).unwrap_or_default();
    let mut frames = Frames::<Ask>::default();
    while frames.next(&mut rest)?.is_some() {}
    Ok(frames.is_between())
}

fn lines(bytes: &[u8]) -> Vec<Line> {
    let (mut reader, mut rest) = (Lines::default(), bytes);
    let mut all: Vec<Line> = std::iter::from_fn(|| reader.next(&mut rest)).collect();
    all.extend(reader.rest());
    all
}

#[test]
fn control_line() {
    for input in corpus::inputs("control_line") {
        match input.name.as_str() {
            name if name.starts_with("ok-frames-") => input.holds(|bytes| frames(bytes) == Ok(true)),
            name if name.starts_with("bad-frames-") => input.holds(|bytes| frames(bytes).is_err()),
            name if name.starts_with("ok-lines-") => {
                input.holds(|bytes| lines(bytes).iter().all(|line| matches!(line, Line::Text(_))));
            }
            name if name.starts_with("bad-lines-") => {
                input.holds(|bytes| lines(bytes).iter().any(|line| !matches!(line, Line::Text(_))));
            }
            name => panic!("no rule for {name}"),
        }
    }
}

/// Reads messages to the end, or to what is broken: whether the end was one of a message.
fn messages(bytes: &[u8]) -> Result<bool, Hostile> {
    let mut guard = Guard::new(Caps { messages: 1000, bytes: 1 << 20 });
    guard.push(bytes)?;
    while guard.take()?.is_some() {}
    Ok(guard.is_empty())
}

#[test]
fn certificate() {
    for input in corpus::inputs("certificate") {
        match input.name.as_str() {
            name if name.starts_with("ok-") => input.holds(|bytes| Owner::read(bytes).is_ok()),
            name if name.starts_with("bad-") => input.holds(|bytes| Owner::read(bytes).is_err()),
            name => panic!("no rule for {name}"),
        }
    }
}

#[test]
fn ber() {
    for input in corpus::inputs("ber") {
        match input.name.as_str() {
            name if name.starts_with("ok-") => input.holds(|bytes| messages(bytes) == Ok(true)),
            name if name.starts_with("cut-") => input.holds(|bytes| messages(bytes) == Ok(false)),
            name if name.starts_with("bad-") => input.holds(|bytes| messages(bytes).is_err()),
            name => panic!("no rule for {name}"),
        }
    }
}

#[test]
fn radius() {
    // The answers are for this request.
    let random = radius::Random::new(&std::array::from_fn(|at| u8::try_from(7 + at).unwrap()));
    let ask = radius::Access {
        user: "ann",
        proof: radius::Proof::Pap("secret"),
        state: &[],
        nas_ip: None,
        nas_id: Some("gateway"),
        calling_station: None,
    };
    let request = radius::Request::access(&radius::Key::new(b"xyzzy5461 and more"), &random, &ask).unwrap();
    let judged = |bytes: &[u8]| request.judge(bytes, false).map(|_| ());
    for input in corpus::inputs("radius") {
        match input.name.as_str() {
            // A packet says itself how long it is; shorter, it is none.
            name if name.starts_with("ok-") => {
                assert_eq!(judged(&input.bytes), Ok(()), "{name}");
                let said = usize::from(u16::from_be_bytes([input.bytes[2], input.bytes[3]]));
                assert!((0..said).all(|cut| judged(&input.bytes[..cut]) == Err(radius::Strange::Cut)), "{name}");
            }
            name if name.starts_with("cut-") => input.holds(|bytes| judged(bytes) == Err(radius::Strange::Cut)),
            name if name.starts_with("bad-") => {
                input.holds(|bytes| judged(bytes).is_err());
                assert_ne!(judged(&input.bytes), Err(radius::Strange::Cut), "{name}");
            }
            name => panic!("no rule for {name}"),
        }
    }
}

#[test]
fn devices_of_users() {
    for input in corpus::inputs("otp") {
        let wanted = input.name.starts_with("ok-");
        input.holds(|bytes| std::str::from_utf8(bytes).is_ok_and(|text| Devices::read(text).is_ok()) == wanted);
    }
}
