//! Against stand-ins that answer as no directory should. Each ends as an outage that says what was wrong; nobody gets in.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use gate_proto::ldap::{Caps, Guard, Hostile, Message, Op};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::super::{MustChange, Outage, Outcome, RUNNING_MAX, WAITING_MAX, Wrong};
use super::*;
use crate::http::AbortOnDrop;

/// What a stand-in says to a request. `None`: it closes the connection.
type Script = fn(&Message) -> Option<Vec<u8>>;

/// Numbers of the operations that are asked for.
const BIND: Op = Op::Other(0);
const SEARCH: Op = Op::Other(3);
const EXTENDED: Op = Op::Other(23);

struct Stub {
    at: SocketAddr,
    /// Connections so far.
    met: Arc<AtomicUsize>,
    _runs: AbortOnDrop<()>,
}

impl Stub {
    async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (at, met) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let counted = met.clone();
        let runs = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Relaxed);
                tokio::spawn(talk(stream, script));
            }
        });
        Self { at, met, _runs: AbortOnDrop(runs) }
    }
}

async fn talk(mut stream: TcpStream, script: Script) {
    let (mut guard, mut room) = (Guard::new(Caps { messages: 100, bytes: 1 << 20 }), vec![0; 4096]);
    loop {
        while let Ok(Some(request)) = guard.take() {
            let Some(answer) = script(&request) else { return };
            if stream.write_all(&answer).await.is_err() {
                return;
            }
        }
        match stream.read(&mut room).await {
            Ok(count @ 1..) if guard.push(&room[..count]).is_ok() => {}
            // What is no message (a TLS hello) is answered by silence, to see who waits how long.
            Ok(1..) => while stream.read(&mut room).await.is_ok_and(|count| count > 0) {},
            Ok(0) | Err(_) => return,
        }
    }
}

fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = u32::try_from(contents.len()).unwrap().to_be_bytes();
    [&[tag, 0x84], &length[..], contents].concat()
}

fn message(id: u32, operation: &[u8]) -> Vec<u8> {
    element(0x30, &[element(0x02, &id.to_be_bytes()), operation.to_vec()].concat())
}

fn result(tag: u8, code: u8) -> Vec<u8> {
    element(tag, &[0x0a, 1, code, 0x04, 0, 0x04, 0])
}

fn entry(dn: &str) -> Vec<u8> {
    element(0x64, &[element(0x04, dn.as_bytes()), element(0x30, &[])].concat())
}

/// Says yes to every bind, and finds one user whatever is searched.
fn yes(request: &Message) -> Option<Vec<u8>> {
    let done = |tag| message(request.id, &result(tag, 0));
    let says =
        [(SEARCH, [message(request.id, &entry("cn=ann")), done(0x65)].concat()), (EXTENDED, done(0x78)), (BIND, done(0x61))];
    says.into_iter().find(|(op, _)| *op == request.op).map(|(_, answer)| answer)
}

/// Answers searches with `answer`, and everything else with yes.
fn found(request: &Message, answer: impl FnOnce(u32) -> Vec<u8>) -> Option<Vec<u8>> {
    if request.op == SEARCH { Some(answer(request.id)) } else { yes(request) }
}

async fn outcome(script: Script, security: LdapSecurity) -> Outcome {
    let stub = Stub::start(script).await;
    directory(&settings(stub.at, security), None).ask("ann", Some(&secret("secret"))).await
}

/// The same where the answer to the search is what matters.
async fn searched(script: Script) -> Outcome {
    outcome(script, LdapSecurity::Plaintext).await
}

fn hostile(fault: Hostile) -> Outcome {
    Outcome::Outage(Outage::Hostile(fault))
}

#[tokio::test]
async fn the_stand_in_itself_lets_people_in() {
    assert!(matches!(searched(yes).await, Outcome::Found(_)));
}

#[tokio::test]
async fn a_password_that_means_nobody_never_leaves() {
    let stub = Stub::start(yes).await;
    let directory = directory(&settings(stub.at, LdapSecurity::Plaintext), None);
    for password in ["", "\0", "\0secret"] {
        assert_eq!(directory.ask("ann", Some(&secret(password))).await, Outcome::Wrong(Wrong::Password));
    }
    assert_eq!(directory.ask("", Some(&secret("secret"))).await, Outcome::Wrong(Wrong::Unknown));
    assert_eq!(stub.met.load(Relaxed), 0);
    assert!(matches!(directory.ask("ann", Some(&secret(" "))).await, Outcome::Found(_)));
    assert_eq!(stub.met.load(Relaxed), 1);
}

#[tokio::test]
async fn bytes_that_no_directory_sends_end_the_connection() {
    let two_gib = |_: &Message| Some(b"\x30\x84\x80\x00\x00\x00\x02\x01\x01".to_vec());
    assert_eq!(searched(two_gib).await, hostile(Hostile::TooLong));
    let empty = |_: &Message| Some(b"\x30\x00".to_vec());
    assert_eq!(searched(empty).await, hostile(Hostile::Envelope));
    let garbage = |_: &Message| Some(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec());
    assert_eq!(searched(garbage).await, hostile(Hostile::Envelope));
    let deep = |request: &Message| {
        let inner = (0..1000).fold(Vec::new(), |inner, _| element(0x30, &inner));
        Some(message(request.id, &element(0x64, &inner)))
    };
    assert_eq!(searched(deep).await, hostile(Hostile::TooDeep));
    let endless = |request: &Message| found(request, |id| message(id, &entry("cn=ann")).repeat(1000));
    assert_eq!(searched(endless).await, hostile(Hostile::TooMany));
    let references =
        |request: &Message| found(request, |id| message(id, &element(0x73, &element(0x04, b"ldap://x"))).repeat(1000));
    assert_eq!(searched(references).await, hostile(Hostile::TooMany));
}

#[tokio::test]
async fn a_library_that_panics_costs_one_login() {
    let hollow =
        |request: &Message| found(request, |id| [message(id, &element(0x64, &[])), message(id, &result(0x65, 0))].concat());
    assert_eq!(searched(hollow).await, Outcome::Outage(Outage::Library));
    let not_text = |request: &Message| {
        let odd = element(0x64, &[element(0x04, b"\xff\xfe"), element(0x30, &[])].concat());
        found(request, |id| [message(id, &odd), message(id, &result(0x65, 0))].concat())
    };
    assert_eq!(searched(not_text).await, Outcome::Outage(Outage::Library));
    assert!(matches!(searched(yes).await, Outcome::Found(_)));
}

#[tokio::test]
async fn answers_to_other_questions_are_nobodys() {
    let other = |request: &Message| Some(message(request.id + 1, &result(0x61, 0)));
    assert_eq!(searched(other).await, Outcome::Outage(Outage::Crossed));
    let twice = |request: &Message| Some(message(request.id, &result(0x61, 0)).repeat(2));
    assert_eq!(searched(twice).await, Outcome::Outage(Outage::Crossed));
    let wrong_kind = |request: &Message| Some(message(request.id, &result(0x65, 0)));
    assert_eq!(searched(wrong_kind).await, Outcome::Outage(Outage::Nonsense));
    let nameless = |request: &Message| found(request, |id| [message(id, &entry("")), message(id, &result(0x65, 0))].concat());
    assert_eq!(searched(nameless).await, Outcome::Outage(Outage::Nonsense));
    let no_result = |request: &Message| Some(message(request.id, &element(0x61, &[])));
    assert_eq!(searched(no_result).await, Outcome::Outage(Outage::Nonsense));
}

#[tokio::test]
async fn active_directory_says_in_the_answer_to_a_bind_what_is_wrong() {
    fn says(request: &Message, data: &str) -> Option<Vec<u8>> {
        let is_user = request.op == BIND && request.contents().ends_with(b"secret");
        let text = format!("80090308: LdapErr: DSID-0C090447, comment: AcceptSecurityContext error, data {data}, v3839\0");
        let refusal = [&[0x0a, 1, 49, 0x04, 0][..], &element(0x04, text.as_bytes())].concat();
        if is_user { Some(message(request.id, &element(0x61, &refusal))) } else { yes(request) }
    }
    let scripts: [(Script, Outcome); 4] = [
        (|request| says(request, "52e"), Outcome::Wrong(Wrong::Password)),
        (|request| says(request, "775"), Outcome::Wrong(Wrong::Locked)),
        (|request| says(request, "532"), Outcome::MustChange(MustChange::Expired)),
        (|request| says(request, "773"), Outcome::MustChange(MustChange::Reset)),
    ];
    for (script, wanted) in scripts {
        let stub = Stub::start(script).await;
        let settings = Ldap { server_type: LdapServerType::ActiveDirectory, ..settings(stub.at, LdapSecurity::Plaintext) };
        assert_eq!(directory(&settings, None).ask("ann", Some(&secret("secret"))).await, wanted);
    }
}

#[tokio::test]
async fn a_directory_that_will_not_is_out_of_order_and_nobody_is_wrong() {
    let closes = |_: &Message| None;
    assert_eq!(searched(closes).await, Outcome::Outage(Outage::Ended));
    let leaves = |_: &Message| Some(message(0, &result(0x78, 52)));
    assert_eq!(searched(leaves).await, Outcome::Outage(Outage::Ended));
    let elsewhere = |request: &Message| found(request, |id| message(id, &result(0x65, 10)));
    assert_eq!(searched(elsewhere).await, Outcome::Outage(Outage::Referral));
    let busy = |request: &Message| {
        let is_user = request.op == BIND && request.contents().ends_with(b"secret");
        if is_user { Some(message(request.id, &result(0x61, 51))) } else { yes(request) }
    };
    assert_eq!(searched(busy).await, Outcome::Outage(Outage::Bind(51)));
}

#[tokio::test(start_paused = true)]
async fn silence_ends_in_time() {
    let silent = |_: &Message| Some(Vec::new());
    let began = tokio::time::Instant::now();
    assert_eq!(searched(silent).await, Outcome::Outage(Outage::Time));
    assert!(began.elapsed() <= super::super::TOTAL_TIME + Duration::from_millis(1));
}

#[tokio::test]
async fn nothing_that_comes_before_tls_is_believed() {
    let early = |request: &Message| {
        let bound = message(request.id + 1, &result(0x61, 0));
        Some([message(request.id, &result(0x78, 0)), bound].concat())
    };
    assert_eq!(outcome(early, LdapSecurity::StartTls).await, Outcome::Outage(Outage::Early));
    let refuses = |request: &Message| Some(message(request.id, &result(0x78, 2)));
    assert_eq!(outcome(refuses, LdapSecurity::StartTls).await, Outcome::Outage(Outage::NoTls(2)));
    // It says yes and then nothing: the handshake never ends, and the password stays here.
    assert_eq!(outcome(yes, LdapSecurity::StartTls).await, Outcome::Outage(Outage::Time));
}

#[tokio::test]
async fn what_runs_and_what_waits_is_bounded() {
    let stub = Stub::start(|_| Some(Vec::new())).await;
    let directory = Arc::new(directory(&settings(stub.at, LdapSecurity::Plaintext), None));
    let asking: Vec<_> = (0..RUNNING_MAX + WAITING_MAX)
        .map(|_| {
            let directory = directory.clone();
            AbortOnDrop(tokio::spawn(async move { directory.ask("ann", Some(&secret("secret"))).await }))
        })
        .collect();
    while directory.waiting.load(Relaxed) < WAITING_MAX {
        tokio::task::yield_now().await;
    }
    assert_eq!(directory.ask("ann", Some(&secret("secret"))).await, Outcome::Outage(Outage::Busy));
    drop(asking);
    while directory.waiting.load(Relaxed) > 0 || directory.places.available_permits() < RUNNING_MAX {
        tokio::task::yield_now().await;
    }
}
