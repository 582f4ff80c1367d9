//! Each element of each message, removed, doubled and emptied: what is required is missed, what is single is not
//! guessed between, and nothing that was not said is made up.
//!
//! The table says what each element is. The generator makes one changed document per element and change, and the
//! reader's answer must be the one that follows from the table.
#![expect(clippy::unwrap_used, reason = "a helper of tests fails loudly")]

use gate_proto::xml::BadMessage;
use gate_proto::xml::nfuse::Kind;
use gate_proto::xml::nfuse::answer::{Answer, NoAnswer};
use gate_proto::xml::nfuse::request::Request;
use gate_proto::xml::sta::{IssuedTicket, NotIssued, StaRequest};

/// How often an element may occur.
#[derive(Clone, Copy, PartialEq)]
enum Rule {
    /// Once, with a text.
    Text,
    /// Once, with elements in it of which at least one is required.
    Parent,
    /// Once, and may be empty.
    Once,
    /// At most once.
    Optional,
    /// At most once; if it is there it must not be empty.
    OptionalText,
    /// Any number.
    Many,
    /// At least one, with a text.
    Some,
}
use Rule::{Many, Once, Optional, OptionalText, Parent, Some, Text};

type Reader = fn(&[u8]) -> Result<(), BadMessage>;
type Rules = &'static [(&'static str, Rule)];

const CREDENTIALS: [(&str, Rule); 3] = [("UserName", Text), ("Password", Once), ("Domain", Optional)];

#[test]
fn nfuse_requests() {
    let read: Reader = |bytes| Request::read(bytes).map(drop).map_err(|bad| bad.why);
    let types: Rules = &[("ServerType", Many), ("ClientType", Many), ("SessionType", Many)];
    let table: &[(&str, Rules)] = &[
        ("validate-credentials", &[("Credentials", Parent), ("DesiredInfo", Many)]),
        (
            "app-data",
            &[
                ("Scope", Optional),
                ("DesiredDetails", Many),
                ("Credentials", OptionalText),
                ("ClientName", Optional),
                ("ClientAddress", Optional),
            ],
        ),
        (
            "address",
            &[
                ("Name", Parent),
                ("AppName", Text),
                ("ClientName", Optional),
                ("ClientAddress", Optional),
                ("ServerAddress", Optional),
                ("Flags", Many),
                ("Credentials", OptionalText),
                ("ClientType", Optional),
                ("DeviceId", Optional),
            ],
        ),
        ("ticket", &[("Credentials", Parent), ("TicketType", Text), ("TicketTag", Optional), ("TimetoLive", OptionalText)]),
        (
            "launch-ref",
            &[
                ("LaunchRefType", Text),
                ("TicketTag", Optional),
                ("DeviceId", Optional),
                ("SessionSharingKey", Optional),
                ("Credentials", OptionalText),
                ("TimeToLive", OptionalText),
            ],
        ),
        ("server-data", &[]),
        ("protocol-info", &[("ServerAddress", Optional)]),
        ("reconnect-sessions", &[("Credentials", OptionalText), ("ClientName", Optional)]),
    ];
    for (file, rules) in table {
        let rules: Vec<_> = rules.iter().chain(&CREDENTIALS).chain(types).copied().collect();
        check(&format!("nfuse/ok-request-{file}.xml"), &rules, read);
    }
}

#[test]
fn nfuse_answers() {
    fn read(bytes: &[u8], kind: Kind) -> Result<(), BadMessage> {
        match Answer::read(bytes, kind) {
            Ok(_) => Ok(()),
            Err(NoAnswer::Malformed(bad)) => Err(bad),
            Err(NoAnswer::Refused(id)) => panic!("refused: {id}"),
        }
    }
    check(
        "nfuse/ok-answer-address.xml",
        &[
            ("ServerAddress", Text),
            ("ServerType", Optional),
            ("ConnectionType", Many),
            ("ClientType", Optional),
            ("TicketTag", Optional),
            ("FarmLoadHint", OptionalText),
            ("SSLRelayAddress", Optional),
            ("CGPAddress", OptionalText),
        ],
        |bytes| read(bytes, Kind::Address),
    );
    check("nfuse/ok-answer-ticket.xml", &[("Ticket", Text)], |bytes| read(bytes, Kind::Ticket));
    check("nfuse/ok-answer-launch-ref.xml", &[("LaunchRef", Text)], |bytes| read(bytes, Kind::LaunchRef));
    check(
        "nfuse/ok-answer-server-data.xml",
        &[("ServerData", Many), ("ServerName", Text), ("ServerType", Optional), ("ClientType", Many)],
        |bytes| read(bytes, Kind::ServerData),
    );
    let single = ["Details", "Settings", "Folder", "Description", "WinWidth", "WinHeight", "WinColor", "WinType", "WinScale"];
    let single = single.into_iter().chain([
        "SoundType",
        "Encryption",
        "AppOnDesktop",
        "AppInStartmenu",
        "PublisherName",
        "SSLEnabled",
        "RemoteAccessEnabled",
        "AccessList",
        "Domain",
    ]);
    let mut rules: Vec<_> = single.map(|name| (name, Optional)).collect();
    rules.extend([("AppDataSet", Optional), ("InName", Text), ("FName", Text), ("UserName", Text), ("GroupName", Text)]);
    rules.extend(["AppData", "Scope", "VideoType", "ServerType", "ClientType"].map(|name| (name, Many)));
    rules.retain(|(name, _)| *name != "ServerType");
    rules.extend([("ServerType", Optional), ("SeqNo", OptionalText)]);
    // An empty entry of a list lacks the name in it.
    rules.extend([("User", Many), ("Group", Many)]);
    check("nfuse/ok-answer-app-data.xml", &rules, |bytes| read(bytes, Kind::AppData));
}

#[test]
fn sta_messages() {
    let read: Reader = |bytes| StaRequest::read(bytes).map(drop);
    check(
        "sta/ok-request-ticket.xml",
        &[
            ("AllowedTicketType", Some),
            ("AllowedAuthorityIDType", Some),
            ("TicketData", Parent),
            ("Value", Many),
            ("Control", Optional),
            ("Refreshable", OptionalText),
        ],
        read,
    );
    check("sta/ok-request-data.xml", &[("Ticket", Text), ("AuthorityID", Optional), ("TicketVersion", Optional)], read);
    check("sta/ok-issued.xml", &[("AuthorityID", Text), ("Ticket", Text), ("TicketVersion", Text)], |bytes| {
        match IssuedTicket::read(bytes) {
            Ok(_) => Ok(()),
            Err(NotIssued::Malformed(bad)) => Err(bad),
            Err(NotIssued::Refused(id)) => panic!("refused: {id}"),
        }
    });
}

fn check(file: &str, rules: &[(&'static str, Rule)], read: impl Fn(&[u8]) -> Result<(), BadMessage>) {
    let path = format!("{}/../../tests/corpus/{file}", env!("CARGO_MANIFEST_DIR"));
    let document = std::fs::read_to_string(path).unwrap();
    read(document.as_bytes()).unwrap();
    let mut seen = Vec::new();
    for element in elements(&document) {
        let name = element.name;
        // The envelope and the message itself are judged by their own tests.
        if element.depth < 2 {
            continue;
        }
        let Option::Some((known, rule)) = rules.iter().find(|(known, _)| *known == name).copied() else {
            panic!("{file}: no rule for {name}");
        };
        seen.push(known);
        let whole = &document[element.start..element.end];
        let swap = |with: &str| [&document[..element.start], with, &document[element.end..]].concat();
        let removed = read(swap("").as_bytes());
        let doubled = read(swap(&whole.repeat(2)).as_bytes());
        let emptied = read(swap(&format!("{}</{name}>", element.start_tag)).as_bytes());
        // An entry that stands twice in a list is no mistake of form, except where entries have names of their own.
        let many = |outcome: &Result<(), BadMessage>| matches!(outcome, Ok(()) | Err(BadMessage::Duplicate("Value")));
        match rule {
            Text | Once | Parent | Some => assert_eq!(removed, Err(BadMessage::Missing(known)), "{file}: {name} removed"),
            Optional | OptionalText => assert_eq!(removed, Ok(()), "{file}: {name} removed"),
            Many => assert!(matches!(removed, Ok(()) | Err(BadMessage::Missing(_))), "{file}: {name} removed: {removed:?}"),
        }
        match rule {
            Text | Once | Parent | Optional | OptionalText => {
                assert_eq!(doubled, Err(BadMessage::Duplicate(known)), "{file}: {name} doubled");
            }
            Many | Some => assert!(many(&doubled), "{file}: {name} doubled: {doubled:?}"),
        }
        match rule {
            Text | Some => assert_eq!(emptied, Err(BadMessage::Empty(known)), "{file}: {name} emptied"),
            Parent | OptionalText => assert!(emptied.is_err(), "{file}: {name} emptied"),
            Once | Optional => assert_eq!(emptied, Ok(()), "{file}: {name} emptied"),
            Many => assert!(matches!(emptied, Ok(()) | Err(BadMessage::Missing(_))), "{file}: {name} emptied: {emptied:?}"),
        }
    }
    assert!(!seen.is_empty(), "{file}: nothing was tried");
}

struct Element<'d> {
    name: &'d str,
    /// `<name …>`, not self-closed.
    start_tag: String,
    start: usize,
    end: usize,
    depth: usize,
}

/// Where each element of a simple document begins and ends. No comments, no CDATA.
fn elements(document: &str) -> Vec<Element<'_>> {
    let mut done: Vec<Element<'_>> = Vec::new();
    let mut open: Vec<Element<'_>> = Vec::new();
    let mut at = 0;
    while let Option::Some(start) = document[at..].find('<').map(|found| at + found) {
        let end = start + document[start..].find('>').unwrap() + 1;
        let tag = &document[start..end];
        at = end;
        if tag.starts_with("<?") || tag.starts_with("<!") {
            continue;
        }
        if tag.starts_with("</") {
            let mut element = open.pop().unwrap();
            element.end = end;
            done.push(element);
            continue;
        }
        let inner = tag.trim_matches(['<', '>', '/']);
        let name = inner.split(' ').next().unwrap();
        let element = Element { name, start_tag: format!("<{inner}>"), start, end, depth: open.len() };
        if tag.ends_with("/>") { done.push(element) } else { open.push(element) }
    }
    done
}
