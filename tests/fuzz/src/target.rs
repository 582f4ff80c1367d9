//! The targets: one line in the table, a few lines of code.

use std::collections::BTreeMap;
use std::path::PathBuf;

use gate_config::expr::{self, Facts, Method, Names, Person, Typed, Wanted};
use gate_config::model::authentication::{ClientExpression, Expression};
use gate_config::{Strictness, check, order};
use gate_proto::certificate::{Owner, VALUE_BYTES_MAX, VALUES_MAX, issuer_name};
use gate_proto::cookie::Cookies;
use gate_proto::epa::envelope::Envelope;
use gate_proto::epa::{self, ClientString, Question};
use gate_proto::form::{self, Form};
use gate_proto::forms::announced::Announced;
use gate_proto::forms::compose::{Notice, Reader};
use gate_proto::forms::language::Language;
use gate_proto::forms::schema::Schema;
use gate_proto::forms::state::State;
use gate_proto::forms::{Answer, CAPS, shipped};
use gate_proto::frame::{self, Ask, Frames, HELLO, LINE_BYTES_MAX, Line, Lines, Request, Requests};
use gate_proto::ica_file::read::LaunchFile;
use gate_proto::ldap::{self, Caps, Guard, Hostile, Reply};
use gate_proto::otp::{DeviceName, Devices, base32};
use gate_proto::path::Path;
use gate_proto::radius::{self, Attributes};
use gate_proto::xml::encoding::Encoding;
use gate_proto::xml::nfuse::Kind;
use gate_proto::xml::nfuse::answer::Answer as NfuseAnswer;
use gate_proto::xml::nfuse::request::Request as NfuseRequest;
use gate_proto::xml::sta::{IssuedTicket, Redeemed, StaRequest};
use sluice_proto::cgp::TicketFinder;
use sluice_proto::hello::{self, HelloStop};
use sluice_proto::preface;
use sluice_proto::proxy::{HEADER_BYTES_MAX, Header};
use sluice_proto::reader::{Need, Stop};
use sluice_proto::socks5::{Opening, Step};
use sluice_proto::ticket::Ticket;

/// One codec.
#[derive(Debug)]
pub(crate) struct Target {
    /// Its name, and that of its folder in `tests/corpus`.
    pub(crate) name: &'static str,
    /// Must return for any bytes.
    pub(crate) run: fn(&[u8]),
    /// Words of its language, which chance would take long to find.
    #[cfg_attr(fuzzing, expect(dead_code, reason = "libFuzzer finds words by coverage"))]
    pub(crate) words: &'static [&'static [u8]],
}

/// All of them. A new codec adds a line, a function and a corpus folder.
pub(crate) const TARGETS: &[Target] = &[
    Target { name: "hello", run: hello, words: &[b"\x16\x03\x01", b"\x01\0", b"\0\0\0\x05", b"\0\x10", b"\0\x2b", b"\0\x0a"] },
    Target { name: "preface", run: preface, words: &[b"\x1aCGP/01", b"\x05", b"GET "] },
    Target {
        name: "socks5",
        run: socks5,
        words: &[b"\x05\x01\0", b"\x05\x01\0\x03", b"\x05\x02\0\x02", b";40;STA01;", b"\x05\xd6"],
    },
    Target { name: "cgp", run: cgp, words: &[b"\x1aCGP/01", b";40;", b";42;", b"STA01;", b"0123456789ABCDEF"] },
    Target {
        name: "proxy",
        run: proxy,
        words: &[b"\r\n\r\n\0\r\nQUIT\n", b"\x21\x11", b"\x21\x21", b"\x02\0", b"\x20\0", b"\x05\0", b"\x01\0", b"\xe0\0"],
    },
    Target { name: "ticket", run: ticket, words: &[b";40;", b";42;", b";10;", b"STA01;", b"0123456789ABCDEF"] },
    Target { name: "sta", run: sta, words: XML_WORDS },
    Target { name: "nfuse", run: nfuse, words: XML_WORDS },
    Target {
        name: "ica_file",
        run: ica_file,
        words: &[b"[ApplicationServers]\r\n", b"Address=;40;", b"SSLProxyHost=", b"SSLEnable=On\n", b"\xff\xfe"],
    },
    Target { name: "form", run: form, words: &[b"&", b"=", b"%00", b"%2", b"%C3%A4", b"+", b"a=b&"] },
    Target { name: "answer", run: answer, words: FORMS_WORDS },
    Target { name: "schema", run: schema, words: FORMS_WORDS },
    Target {
        name: "epa",
        run: epa,
        words: &[
            b"proc_2_",
            b"device-cert_0_0",
            b"[COMMENT: ",
            b";",
            b"CLIENT.",
            b"APPLICATION.PROCESS(",
            b") EXISTS",
            b" -frequency ",
            b"AAAA",
        ],
    },
    Target { name: "cookie", run: cookie, words: &[b"; ", b"=", b"\"", b"__Host-"] },
    Target { name: "nsconf", run: nsconf, words: NSCONF_WORDS },
    Target { name: "control_line", run: control_line, words: CONTROL_WORDS },
    Target {
        name: "ber",
        run: ber,
        words: &[
            b"\x30\x84\0\0\0",
            b"\x30\x80",
            b"\x02\x01\x01",
            b"\x61\x07\x0a\x01\0\x04\0\x04\0",
            b"\x64\x04\x04\0\x30\0",
            b"\xa0\0",
            b", data 52e, v",
            b"(-222)",
            b"cn=\\2c,ou=",
        ],
    },
    Target {
        name: "radius",
        run: radius,
        words: &[b"\x02\x07\0\x26", b"\x0b\x07", b"\x50\x12", b"\x12\x03a", b"\x1a\x08\0\0\x01\x37", b"\x18\x03s", b"\x12\xff"],
    },
    Target {
        name: "otp",
        run: otp,
        words: &[b"#@", b"=", b"&,", b"SG1.", b"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", b"{", b"\xe6\x97\xa5"],
    },
    Target {
        name: "certificate",
        run: certificate,
        words: &[b"\x06\x03\x55\x04\x03", b"\x06\x03\x55\x1d\x11", b"\xa0\x0f\x0c\x0d", b"\x1e\x02", b"\x30\x82", b"\x30\x80"],
    },
    Target { name: "path", run: path, words: &[b"/../", b"%2e", b"%2f", b"%25", b"//", b";", b"?", b"%C3%A4"] },
    Target { name: "expression", run: expression, words: EXPRESSION_WORDS },
];

const XML_WORDS: &[&[u8]] = &[
    b"<!DOCTYPE x [",
    b"<!ENTITY a \"b\">",
    b"]>",
    b"&a;",
    b"&#0;",
    b"&#x10FFFF;",
    b"&lt;",
    b"<![CDATA[",
    b"]]>",
    b"<!--",
    b"-->",
    b"<?xml ",
    b"?>",
    b"encoding=\"UTF-16\"",
    b"encoding=\"ISO-8859-1\"",
    b"\xff\xfe",
    b"\xfe\xff",
    b"\xef\xbb\xbf",
    b"<a>",
    b"</a>",
    b"<a/>",
    b" a=\"b\"",
    b"<ErrorId>",
    b"<Value name=\"ICAAddress\">",
    b"<Ticket>",
];

const FORMS_WORDS: &[&[u8]] = &[
    b"<Requirement><Credential><ID>a</ID><Type>none</Type></Credential>",
    b"</Requirement>",
    b"<Label><Type>error</Type><Text>",
    b"<Input><Text><Secret>true</Secret></Text></Input>",
    b"<ComboBox><DisplayValues><DisplayValue>",
    b"<Binary>data:image/png;base64,",
    b"<InitialValue>${AAA.USER.NAME}</InitialValue>",
    b"<Result>update-credentials</Result>",
    b"<StateContext/>",
    b"<PostBack>//",
    b"errorMessageLabel4001",
    b"xmlns:e=\"x\"",
    b"&#39;",
    b"<![CDATA[",
    b"<!DOCTYPE x [",
    b"\xff\xfe",
];

const NSCONF_WORDS: &[&[u8]] = &[
    b"add ",
    b"set ",
    b"bind ",
    b"unset ",
    b"rm ",
    b"vpn vserver ",
    b"ssl certKey ",
    b"farm ",
    b"\n",
    b" -",
    b"\"",
    b"'",
    b"q/",
    b"\\",
    b"#",
    b"(",
    b")",
    b"192.0.2.1",
    b"2001:db8::1",
    b"443",
    b"65536",
    b"-1",
    b"18446744073709551616",
    b"\xc2\x85",
    b"\xe3\x80\x80",
    b"\xef\xbb\xbf",
];

const EXPRESSION_WORDS: &[&[u8]] = &[
    b"HTTP.REQ.",
    b"AAA.USER.",
    b"HEADER(\"",
    b"COOKIE.VALUE(\"",
    b"URL.PATH.GET(",
    b"BODY(500)",
    b"CLIENT.IP.SRC.IN_SUBNET(10.0.0.0/8)",
    b"SYS.TIME.BETWEEN(GMT 2026 Jan,GMT 2026 Dec)",
    b".AFTER_STR(\"",
    b".TYPECAST_LIST_T(',')",
    b".REGEX_MATCH(re/",
    b".SET_TEXT_MODE(IGNORECASE)",
    b".NOT",
    b"sys.client_expr(\"",
    b"REQ.HTTP.HEADER A CONTAINS b",
    b"\")",
    b"&&",
    b"||",
    b"==",
    b"!",
    b"(",
    b")",
    b"true",
    b"9223372036854775807",
];

const CONTROL_WORDS: &[&[u8]] = &[
    b"#sluicectl 1\n",
    b"run 12\n",
    b"batch 131072\n",
    b"go 0\n",
    b"show ",
    b"stat ",
    b"kill ",
    b"set ",
    b"add ",
    b"clear ns config -force basic",
    b"vpn icaConnection",
    b" -format json",
    b" -",
    b"; ",
    b"\"",
    b"\\\"",
    b"q/",
    b"(",
    b"\r\n",
    b"\0",
    b"\xff",
    b"\x1b[2J",
    b"\xe2\x80\xae",
];

/// The target that libFuzzer runs: named by the environment variable `SLUICE_FUZZ_TARGET`.
#[cfg(fuzzing)]
pub(crate) fn chosen() -> &'static Target {
    static CHOSEN: std::sync::OnceLock<&Target> = std::sync::OnceLock::new();
    CHOSEN.get_or_init(|| {
        let name = std::env::var("SLUICE_FUZZ_TARGET").unwrap_or_default();
        let found = TARGETS.iter().find(|target| target.name == name);
        assert!(found.is_some(), "SLUICE_FUZZ_TARGET names no target");
        found.unwrap_or(&TARGETS[0])
    })
}

/// A beginning of `data`, of a length that `data` itself decides.
fn beginning(data: &[u8]) -> &[u8] {
    let at = data.iter().fold(data.len(), |sum, &byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    &data[..at.checked_rem(data.len()).unwrap_or_default()]
}

fn hello(data: &[u8]) {
    let whole = hello::scan(data);
    let early = hello::scan(beginning(data));
    assert!(matches!(early, Err(HelloStop::Need(Need(1..)))) || early == whole);
    if let Ok(hello) = whole {
        assert!(hello.bytes <= data.len());
        hello.details.map(|d| d.alpn().count() + d.versions().count() + d.groups().count() + d.suites().count());
    }
}

fn preface(data: &[u8]) {
    let (whole, early) = (preface::read(data), preface::read(beginning(data)));
    assert!(matches!(early, Err(Need(1..))) || early == whole);
}

fn socks5(data: &[u8]) {
    assert_eq!(last_step(&[beginning(data), data]), last_step(&[data]));
}

/// What the opening comes to if it is shown `views`, each longer than the one before; greetings are answered at once.
fn last_step(views: &[&[u8]]) -> String {
    let (mut opening, mut from) = (Opening::new(), 0);
    let mut last = String::new();
    for view in views {
        loop {
            let step = opening.read(&view[from..]);
            last = format!("{from} {step:?}");
            match step {
                Ok(Step::Greeting { consumed, .. }) => from += consumed,
                Ok(Step::Request { consumed, request }) => {
                    assert!(from + consumed <= view.len());
                    request.ticket().map(|ticket| ticket.pairs().count()).ok();
                    return last;
                }
                Ok(Step::Need(_) | Step::Ambiguous) => break,
                Err(_) => return last,
            }
        }
    }
    last
}

fn cgp(data: &[u8]) {
    let whole = TicketFinder::default().read(data);
    let mut finder = TicketFinder::default();
    let early = finder.read(beginning(data));
    assert!(matches!(early, Err(Stop::Need(Need(1..)))) || early == whole);
    assert_eq!(finder.read(data), whole);
}

fn proxy(data: &[u8]) {
    let (whole, early) = (Header::read(data), Header::read(beginning(data)));
    assert!(matches!(early, Err(Stop::Need(Need(1..)))) || early == whole);
    if let Ok((header, bytes)) = whole {
        assert!(bytes <= data.len());
        let mut room = [0; HEADER_BYTES_MAX];
        let written = header.write(&mut room);
        let behind = header.certificates.map_or(&[][..], |certificates| certificates.as_bytes());
        let whole = written.map(|written| [written, behind].concat());
        assert!(whole.is_ok_and(|whole| Header::read(&whole) == Ok((header, whole.len()))));
    }
}

fn ticket(data: &[u8]) {
    if let Ok(ticket) = Ticket::parse(data) {
        assert_eq!(ticket.expose().as_bytes(), data);
        assert_eq!(ticket.pairs().count(), if ticket.is_dual() { 2 } else { 1 });
    }
}

fn sta(data: &[u8]) {
    if let Ok((StaRequest::Issue(request), _)) = StaRequest::read(data) {
        let written = request.write();
        let again = StaRequest::read(&written);
        assert!(matches!(again, Ok((StaRequest::Issue(again), _)) if again.write() == written));
    }
    IssuedTicket::read(data).map(|issued| issued.client_string()).ok();
    Redeemed::read(data, "STA02005E10A1B2", "0F1E2D3C4B5A69788796A5B4C3D2E1F0").map(|redeemed| redeemed.connection()).ok();
}

fn nfuse(data: &[u8]) {
    if let Ok((request, encoding)) = NfuseRequest::read(data) {
        let written = request.write(encoding);
        let again = NfuseRequest::read(&written);
        assert!(again.is_ok_and(|(again, _)| again.write(encoding) == written));
    }
    for kind in Kind::ALL {
        if let Ok(answer) = NfuseAnswer::read(data, kind) {
            let written = answer.write(Encoding::Utf8);
            let again = NfuseAnswer::read(&written, kind);
            assert!(again.is_ok_and(|again| again.write(Encoding::Utf8) == written));
        }
    }
}

fn ica_file(data: &[u8]) {
    if let Ok(file) = LaunchFile::read(data) {
        assert!(file.ticket.expose().starts_with(';') && !file.application.is_empty());
    }
}

fn form(data: &[u8]) {
    if let Ok(form) = Form::parse(data) {
        let fields: Vec<_> = form.names().map(|name| (name, form.text(name).unwrap_or_default())).collect();
        let again = Form::parse(form::encode(&fields).as_bytes());
        // Escapes may triple a text, and thus break the cap on the whole.
        assert!(again.map_or(data.len() > form::BODY_BYTES_MAX / 3, |again| {
            fields.iter().all(|(name, text)| again.text(name).unwrap_or_default() == *text)
        }));
    }
}

fn answer(data: &[u8]) {
    if let Ok(answer) = Answer::read(data) {
        reads_back(&answer);
        assert!(State::read(&answer.state).is_none_or(|state| !state.factor.is_empty()));
    }
    // Two headers of a request, and then a form for whoever sent them.
    let text = String::from_utf8_lossy(data);
    let (credentials, labels) = text.split_once('\n').unwrap_or((&text, ""));
    let announced = Announced::read(Some(credentials), Some(labels));
    let form = shipped::names()
        .filter_map(shipped::schema)
        .map(|schema| announced.fit(schema.fill(&text), Language::accepted(Some(labels))));
    for form in form.flatten() {
        assert!(form.all.iter().all(|line| announced.takes(&line.credential.kind)));
    }
    if let Some(state) = State::read(&text) {
        assert_eq!(State::read(&state.write()).as_ref(), Some(&state));
    }
}

/// What was read is written so that it reads the same. References may make a text longer, and thus break the cap on the whole.
fn reads_back(answer: &Answer) {
    let written = answer.write();
    assert!(written.len() > CAPS.document_bytes || Answer::read(&written).as_ref() == Ok(answer));
}

fn schema(data: &[u8]) {
    match Schema::parse(data) {
        Ok(schema) => {
            let reader = Reader::default();
            let name = String::from_utf8_lossy(beginning(data)).chars().filter(|c| !c.is_control()).take(64).collect::<String>();
            if let Ok(answer) = reader.form(&schema, &name, &State::first(), Some(&Notice::error(4001))) {
                let shown = answer.requirements.as_ref().map_or(0, |form| form.all.len());
                let most = schema.form().all.len() + 1;
                assert!((1..=most).contains(&shown) && !answer.write().is_empty());
            }
        }
        Err(bad) => assert!(bad.line > 0 && bad.column > 0 && bad.line <= data.len() + 1 && bad.column <= data.len() + 1),
    }
}

fn epa(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(string) = ClientString::parse(&text) {
        let question = Question::new([&string, &string]);
        assert!(question.sent() == 2 && question.is_whole());
        assert_eq!(epa::question::read_question(question.as_str().as_bytes()), Some(vec![string.to_string().as_str(); 2]));
    }
    if let Ok(epa::classic::Converted::Asked(expression)) = epa::classic::convert(&text) {
        let asked = expression.matches("sys.client_expr(\"").count();
        assert!(asked > 0 && expression.matches('"').count() == 2 * asked);
    }
    if let Some(strings) = epa::question::read_question(data) {
        assert!(strings.len() <= epa::STRINGS_MAX && strings.iter().all(|string| !string.contains(';')));
    }
    for asked in 0..4 {
        let passed = epa::judge(asked, Some(data));
        assert!(
            passed.len() == asked
                && passed.iter().filter(|passed| **passed).count() <= data.iter().filter(|byte| **byte == b'0').count()
        );
    }
    let Some(envelope) = Envelope::derive("981005eef29ce34c80f535f9e78f4b4d", beginning(data), b"vpn.example.test") else {
        return;
    };
    if let Ok(opened) = envelope.open(data) {
        let again = envelope.seal(&opened).map(|sealed| envelope.open(sealed.as_bytes()));
        assert!(matches!(again, Ok(Ok(again)) if again == opened));
    }
}

fn cookie(data: &[u8]) {
    if let Ok(cookies) = Cookies::parse(data) {
        let session = cookies.value("__Host-session").unwrap_or_default();
        assert!(
            session.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' '),
            "a value that could break a header: {session:?}"
        );
    }
}

fn otp(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(mut devices) = Devices::read(&text) {
        let written = devices.write();
        assert!(written.is_empty() || *written == *text, "what is not touched stays as it stood");
        let before = devices.iter().len();
        if let Ok(name) = DeviceName::parse("new one")
            && devices.add(&name, &base32::encode(&[7; 20]), 255).is_ok()
        {
            let read = Devices::read(&devices.write());
            assert_eq!(read.map(|read| read.iter().len()), Ok(before + 1));
        }
        devices.seal(|secret| Some(format!("{:02x}", secret.len())));
        Devices::read(&devices.write()).ok();
    }
    if let Some(bytes) = base32::decode(&text) {
        assert_eq!(base32::decode(&base32::encode(&bytes)), Some(bytes));
    }
    if let Ok(name) = DeviceName::parse(&text) {
        assert!(!name.as_str().contains(['=', '&', ',', '"', '<']));
    }
}

fn path(data: &[u8]) {
    if let Some(path) = str::from_utf8(data).ok().and_then(|target| Path::parse(target).ok()) {
        let text = path.as_str();
        assert!(text.starts_with('/') && !text.contains("//"));
        assert!(!text.split('/').any(|segment| segment == "." || segment == ".."));
        assert!(!text.chars().any(char::is_control) && !text.contains(['%', '\\', ';']));
    }
}

/// What a directory says: its messages, and the texts in them.
fn ber(data: &[u8]) {
    let cut = beginning(data).len();
    let whole = messages(&[data]);
    assert_eq!(messages(&[&data[..cut], &data[cut..]]), whole);
    let text = String::from_utf8_lossy(data);
    let _name = ldap::dn::first(&text, "cn");
    assert!(!ldap::filter::escape(&text).contains(['*', '(', ')', '\0']));
}

/// What a client's certificate says: text that may be shown, and no more of it than there may be.
fn certificate(data: &[u8]) {
    let Ok(owner) = Owner::read(data) else { return };
    let attributes = owner.subject.iter().chain(&owner.issuer).map(|attribute| &attribute.value);
    let names = owner.principal_names.iter().chain(&owner.emails).chain(&owner.dns);
    let all: Vec<_> = attributes.chain(names).collect();
    assert!(all.len() <= 5 * VALUES_MAX);
    assert!(all.iter().all(|value| !value.is_empty() && value.len() <= VALUE_BYTES_MAX && !value.chars().any(char::is_control)));
    assert!(issuer_name(data).is_some());
}

/// The messages of a stream that comes in these pieces, and how it ends.
fn messages(pieces: &[&[u8]]) -> (Vec<ldap::Message>, Result<bool, Hostile>) {
    let (mut guard, mut found) = (Guard::new(Caps { messages: 100, bytes: 1 << 20 }), Vec::new());
    for piece in pieces {
        if let Err(fault) = guard.push(piece) {
            return (found, Err(fault));
        }
        loop {
            match guard.take() {
                Ok(Some(message)) => {
                    if let Some(reply) = Reply::read(&message) {
                        let text = reply.diagnostic;
                        let _codes =
                            (ldap::code::of_active_directory(text), ldap::code::of_change(text), ldap::code::of_edirectory(text));
                    }
                    found.push(message);
                }
                Ok(None) => break,
                Err(fault) => return (found, Err(fault)),
            }
        }
    }
    (found, Ok(guard.is_empty()))
}

/// The key is not known here, so of what is not in the corpus nothing is believed; what is believed is read all the same.
fn radius(data: &[u8]) {
    let random = radius::Random::new(&std::array::from_fn(|at| u8::try_from(7 + at).unwrap_or_default()));
    let (proof, nas_id) = (radius::Proof::Pap("secret"), Some("gateway"));
    let ask = radius::Access { user: "ann", proof, state: &[], nas_ip: None, nas_id, calling_station: None };
    let request = radius::Request::access(&radius::Key::new(b"xyzzy5461 and more"), &random, &ask);
    let request = request.unwrap_or_else(|bad| panic!("{bad}"));
    let (strict, lax) = (request.judge(data, false), request.judge(data, true));
    assert!(strict.is_err() || lax.is_ok());
    if let (Ok(_), [_, _, high, low, ..]) = (&strict, data) {
        let said = usize::from(u16::from_be_bytes([*high, *low]));
        assert_eq!(request.judge(beginning(data), false).is_ok(), beginning(data).len() >= said);
    }
    if let Ok(reply) = &lax {
        let _values = (reply.user(), reply.values(66, 6).count(), reply.values(0, 25).count());
    }
    let text = radius::message(data);
    assert!(text.len() <= radius::TEXT_BYTES_MAX && !text.chars().any(|letter| letter.is_control() && letter != '\n'));
    let whole: Vec<_> = Attributes::new(data).filter_map(Result::ok).collect();
    let early: Vec<_> = Attributes::new(beginning(data)).filter_map(Result::ok).collect();
    assert!(whole.starts_with(&early));
    let _inner = whole.iter().filter_map(radius::Attribute::of_vendor).map(|(_, inner)| inner.count()).sum::<usize>();
}

fn nsconf(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let pem = |label: &str| format!("-----BEGIN {label}-----\n-----END {label}-----\n").into_bytes();
    let files: BTreeMap<PathBuf, Vec<u8>> =
        [("demo.pem", "CERTIFICATE"), ("demo.key", "PRIVATE KEY")].map(|(path, label)| (path.into(), pem(label))).into();
    for mode in [Strictness::Strict, Strictness::Lenient] {
        let checked = check("ns.conf", &text, mode, &files);
        assert_eq!(checked.model.is_some(), checked.errors().next().is_none());
        assert!(checked.problems.iter().all(|problem| !problem.to_string().is_empty() && !problem.to_json().is_empty()));
        if let Some(model) = checked.model {
            // As it is saved, that is below a comment: a byte order mark of old may stand in front of a kept line.
            let again = check("saved", &model.print_saved("today"), Strictness::Lenient, &files).model;
            assert_eq!(again.map(|again| again.print()), Some(model.print()));
        }
    }
}

/// A rule is understood or says what is wrong and where; either way asking it ends.
fn expression(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (request, names) = (asked(&text), Names::default());
    let (typed, person) = (Typed::default(), Person::default());
    let facts = Facts { request: &request, typed: &typed, person: &person, names: &names };
    for rule in [Expression::parse(&text), Expression::parse_rule(&text)].into_iter().flatten() {
        if let Err(fault) = rule.judge(Wanted::Truth, &names) {
            assert!(text.get(fault.at.clone()).is_some() && !fault.to_string().is_empty());
        }
        let (truth, made, number) = (rule.is_true(&facts), rule.text(&facts), rule.number(&facts));
        assert!([truth.is_some(), made.is_some(), number.is_some()].into_iter().filter(|some| *some).count() <= 1);
    }
    if let Ok(client) = ClientExpression::parse(&text) {
        let mut places = 0;
        client.holds(
            &mut |place| {
                places = place + 1;
                true
            },
            &names,
        );
        assert_eq!(places, client.asked(&names).len());
    }
}

/// A request that says the text everywhere.
fn asked(text: &str) -> expr::Request {
    let address = std::net::SocketAddr::from(([192, 0, 2, 1], 443));
    expr::Request {
        method: Method::Post,
        host: text.to_owned(),
        target: text.to_owned(),
        headers: vec![("Cookie".to_owned(), text.to_owned())],
        body: text.as_bytes().to_vec().into(),
        client: address,
        server: address,
        tls: None,
        certificate: None,
        wall: std::time::SystemTime::UNIX_EPOCH,
    }
}

/// A conversation on the control socket: in lines, and in frames.
fn control_line(data: &[u8]) {
    let whole = lines(&[data]);
    let cut = beginning(data).len();
    assert_eq!(lines(&[&data[..cut], &data[cut..]]), whole);
    whole.iter().flatten().for_each(|line| said(line));

    let framed = data.strip_prefix(HELLO.as_bytes()).unwrap_or(data);
    let (mut frames, mut requests, mut rest) = (Frames::<Ask>::default(), Requests::default(), framed);
    let mut again = Vec::new();
    while let Ok(Some(frame)) = frames.next(&mut rest) {
        frame::write(frame.kind, &frame.payload, &mut again);
        match requests.take(frame) {
            Ok(Some(Request::Run(line))) => said(&line),
            Ok(Some(Request::Batch(lines))) => lines.lines().for_each(said),
            Ok(None) | Err(_) => {}
        }
    }
    assert!(framed.starts_with(&again), "a frame has one spelling");
}

/// The lines of a stream that comes in these pieces; `None` for one that is none.
fn lines(pieces: &[&[u8]]) -> Vec<Option<String>> {
    let (mut lines, mut found) = (Lines::default(), Vec::new());
    let text = |line| match line {
        Line::Text(text) => Some(text.to_string()),
        Line::TooLong | Line::NotText => None,
    };
    for piece in pieces {
        let mut rest = *piece;
        while let Some(line) = lines.next(&mut rest) {
            found.push(text(line));
        }
        assert!(rest.is_empty());
    }
    found.extend(lines.rest().map(text));
    assert!(found.iter().flatten().all(|line| line.len() <= LINE_BYTES_MAX && !line.contains('\n')));
    found
}

/// A line is understood, or every complaint about it says something.
fn said(line: &str) {
    for part in order::split(line) {
        if let Err(problems) = order::read(part) {
            assert!(!problems.is_empty() && problems.iter().all(|problem| !problem.reply(false).is_empty()));
        }
    }
}
