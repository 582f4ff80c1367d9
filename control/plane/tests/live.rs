//! A running gateway changed, shown and saved by operators at its control socket.
#![expect(clippy::unwrap_used, reason = "what fails here has failed the test")]

#[expect(dead_code, reason = "each test file uses its part of the kit")]
mod kit;

use std::collections::BTreeSet;
use std::io::Read as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use gate_config::model::LogLevel;
use gate_config::{ListenerIds, Strictness, check, snapshot};
use gate_plane::Command;
use kit::operator::{ADMIN, Live, Operator, READER, until};
use kit::{CLIENT, FakeSta, SOON, data, write_sta};
use sluice_link::ask::{Ask, Closed, Opened, Phases, Secured};
use sluice_link::id::{ListenerId, SessionKey, SnapshotId};
use sluice_link::live::Traffic;
use sluice_link::reason::Reason;
use sluice_link::tell::{Refusal, Tell};
use sluice_link::time::Moment;

const HOST: &str = "10.11.12.13:1494";
// s3cret and hunter2, at costs that are next to nothing.
const ALICE: &str = "$argon2id$v=19$m=8,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$UtZEz+BWHC0WlJmqT+7JZIGfdVZuDoQEmUbiCLh7qvY";
const BOB: &str = "$argon2id$v=19$m=8,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$X2GowFcIBjqaOkT9YxifAWkwSk5c0dvtvKHLkcfTBJQ";

/// A virtual server `gw` whose tickets the embedded farm issues, users, a resource.
fn config() -> String {
    format!(
        "enable ns feature SSLVPN AAA\nset ns config -readGroup readers\nset vpn parameter -ntDomain DEMO\n\
         add ssl certKey gw -cert gw.pem -key gw.key\n\
         add aaa user alice -password {ALICE} -encrypted -hashmethod ARGON2ID\n\
         add aaa user bob -password {BOB} -encrypted -hashmethod ARGON2ID\n\
         add vpn vserver gw SSL 192.0.2.1 443 -vserverFqdn gw.example.test\nbind ssl vserver gw -certkeyName gw\n\
         add vpn allowedHost all 0.0.0.0/0 -port 1494 -allowLoopback YES\n\
         add farm server farm 127.0.0.1 0 -authorityID STA01\nadd farm resource Notepad -host {HOST}\n\
         bind farm resource Notepad -everyone\n"
    )
}

fn live() -> (Live, Operator) {
    let live = Live::of(&config());
    let operator = live.operator(ADMIN);
    (live, operator)
}

/// Where a farm server or host listens.
fn address(operator: &mut Operator, kind: &str, name: &str) -> SocketAddr {
    operator.say(&format!("show {kind} {name}")).done().value("Address").parse().unwrap()
}

/// The listener ids that the workers have, by name.
fn listeners(live: &Live) -> Vec<(String, ListenerId)> {
    let published = live.house.workers.published().unwrap();
    published.listeners.iter().map(|one| (one.name.clone(), one.id)).collect()
}

/// A session of `user` that runs, from the embedded authority's ticket to its first byte.
fn run_session(live: &Live, farm: SocketAddr, user: &str, listener: ListenerId) -> SessionKey {
    let ticket = kit::issue_for(farm, HOST, user);
    let key = live.house.workers.present_at(listener, &ticket, CLIENT);
    let target = live.house.workers.verdict(key).unwrap();
    let phases = Phases::default();
    live.house.workers.set_traffic(key, Some(Traffic { up_bytes: 10, down_bytes: 20, last: Moment(0) }));
    let secured = Some(Secured { tls13: true, suite: "TLS_AES_256_GCM_SHA384", post_quantum: true });
    let (launch, took) = (target.launch, Duration::from_millis(3));
    live.house.workers.ask(Ask::Opened(Opened { key, listener, launch, took, phases, secured }));
    key
}

#[test]
fn virtual_servers_come_and_go_and_never_take_each_others_numbers() {
    let (live, mut operator) = live();
    let before = ListenerId(0);
    operator.batch("add vpn vserver two SSL 192.0.2.2 443\nbind ssl vserver two -certkeyName gw\n").done();
    assert_eq!(live.house.workers.publications(), 1, "one batch, one publication");
    let first = listeners(&live);
    assert_eq!(first.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["gw", "two"]);
    assert_eq!(first[0].1, before);
    let shown = operator.say("show vpn vserver two").done();
    assert_eq!((shown.value("Cur state"), shown.value("Address")), ("UP", "192.0.2.2:443"));
    operator.say("disable vpn vserver two").done();
    let shown = operator.say("show vpn vserver two").done();
    assert_eq!((shown.value("Cur state"), shown.value("State reason")), ("DOWN", "it is disabled"));
    operator.say("enable vpn vserver two").done();
    assert_eq!(listeners(&live), first, "it was there all the time");
    operator.say("rm vpn vserver two").done();
    assert_eq!(listeners(&live), first[..1]);
    // What was still said about the one before leads nowhere.
    operator.batch("add vpn vserver two SSL 192.0.2.2 443\nbind ssl vserver two -certkeyName gw\n").done();
    assert_ne!(listeners(&live)[1].1, first[1].1);
    let late = live.house.workers.present_at(first[1].1, ";40;STA01;0F1E2D3C4B5A69788796A5B4C3D2E1F0", CLIENT);
    assert_eq!(live.house.workers.verdict(late), Err(Refusal::UnknownSta));
}

#[test]
fn a_certificate_is_swapped_without_touching_anything_else() {
    let (live, mut operator) = live();
    operator.say("set vpn vserver gw -cgp RELAY").done();
    let before = live.house.workers.published().unwrap();
    live.disk.certificate("gw");
    operator.say("update ssl certKey gw -cert gw.pem -key gw.key -noDomainCheck").done();
    let after = live.house.workers.published().unwrap();
    assert!(after.id > before.id);
    assert_ne!(after.listeners[0].tls.certificates[0].chain_pem, before.listeners[0].tls.certificates[0].chain_pem);
    assert_eq!(after.listeners[0].id, before.listeners[0].id);
    assert_eq!(operator.say("show ssl certKey gw").done().value("Status"), "Valid");
}

#[test]
fn what_the_workers_refuse_costs_its_own_lines_only() {
    let (live, mut operator) = live();
    live.house.workers.refuse_next("two");
    let lines = "add vpn vserver two SSL 192.0.2.9 443\nbind ssl vserver two -certkeyName gw\nadd farm server more 127.0.0.1 0 -authorityID STA02\n\
                 rm aaa user bob\nadd nonsense\n";
    let told = operator.batch(lines);
    assert_eq!((told.number, told.errors.len()), (1059, 4), "{told:?}");
    assert!(told.errors[0].contains("line 1") && told.errors[0].contains("Address already in use"), "{told:?}");
    // What it is bound to is not there.
    assert!(told.errors[1].contains("line 2") && told.errors[1].contains("No such resource"), "{told:?}");
    assert!(told.errors[2].contains("line 5") && told.errors[2].contains("No such command"), "{told:?}");
    // The others have taken effect, together.
    assert_eq!(live.house.workers.publications(), 1);
    let after = operator.say("show ns runningConfig").done().text;
    assert!(after.contains("add farm server more") && !after.contains("two") && !after.contains("user bob"), "{after}");
    // Listeners of our own that cannot be bound are as good a reason; and one line by itself fails by itself.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let told = operator.batch(&format!(
        "add farm host h1 127.0.0.1 {port}\nadd farm server s1 127.0.0.1 {port} -authorityID STA03\nset ns metrics -address 127.0.0.1:{port}\nset ns hostName n1\n"
    ));
    assert_eq!((told.number, told.errors.len()), (1059, 4), "{told:?}");
    assert!(told.errors[..3].iter().all(|error| error.contains("already in use")), "{told:?}");
    let told = operator.say(&format!("add farm server s2 127.0.0.1 {port} -authorityID STA04"));
    assert_eq!(told.number, 304, "{told:?}");
    assert!(told.errors[0].contains("farm server s2"), "{told:?}");
    let after = operator.say("show ns runningConfig").done().text;
    assert!(after.contains("hostName n1") && !after.contains(&format!("{port}")), "{after}");
    // What hangs on an object that was there before: the line that ties to it.
    live.house.workers.refuse_next("gw");
    let told = operator.batch("set ssl vserver gw -tls12 DISABLED\nset ns hostName n2\n");
    assert_eq!((told.number, told.errors.len()), (1059, 2), "{told:?}");
    let after = operator.say("show ns runningConfig").done().text;
    assert!(after.contains("hostName n2") && !after.contains("-tls12 DISABLED"), "{after}");
    // On the account of nothing that was said: nothing of it takes effect.
    live.house.workers.refuse_next("gw");
    let told = operator.batch("set ns hostName n3\nrm farm server more\n");
    assert_eq!(told.number, 1060, "{told:?}");
    assert_eq!(operator.say("show ns runningConfig").done().text, after);
}

#[test]
fn a_wrong_line_stops_no_other_and_changes_nothing() {
    let (live, mut operator) = live();
    let told = operator
        .batch("add aaa user cid -password x1y2z3\nadd aaa user cid\nrm vpn vserver none\n# a remark\n\nadd aaa group g\n");
    assert_eq!((told.number, told.errors.len()), (1059, 3), "{told:?}");
    assert!(told.errors[0].starts_with("line 2: ") && told.errors[1].starts_with("line 3: "), "{told:?}");
    assert!(told.errors[2].contains("Some commands failed"), "{told:?}");
    assert_eq!(live.house.workers.publications(), 1);
    let shown = operator.say("show ns runningConfig").done().text;
    assert!(shown.contains("add aaa group g") && shown.contains("add aaa user cid -password $argon2id$"), "{shown}");
    assert!(!shown.contains("x1y2z3"));
    assert_eq!(live.house.try_login(CLIENT, "cid", "x1y2z3").status, 303);
    // Several commands in a line, and one that is only read.
    let told = operator.say("add aaa group h; show aaa group h; rm aaa group none");
    assert_eq!(told.number, 1059, "{told:?}");
    assert!(told.text.contains("Group name: h"), "{told:?}");
}

#[test]
fn who_may_only_look_changes_nothing_and_sees_no_hash() {
    let (live, mut admin) = live();
    let mut reader = live.operator(READER);
    live.notes.taken();
    for line in
        ["rm aaa user bob", "save ns config", "kill vpn icaConnection -all", "drain", "stat ns -clearstats basic", "reload"]
    {
        assert_eq!(reader.say(line).number, 257, "{line}");
    }
    let told = reader.batch("rm aaa user bob\nshow ns version\nadd aaa group g\n");
    assert_eq!(told.number, 1059, "{told:?}");
    assert_eq!(live.house.workers.publications(), 0);
    let shown = reader.say("show ns runningConfig").done().text;
    assert!(shown.contains("add aaa user alice") && !shown.contains("argon2id"), "{shown}");
    assert!(admin.say("show ns runningConfig").done().text.contains(ALICE));
    assert!(!reader.say("show ns savedConfig").done().text.contains("argon2id"));
    let notes = live.notes.taken();
    assert_eq!(notes.iter().filter(|note| note.starts_with("refused")).count(), 8, "{notes:#?}");
    assert!(notes[0].contains("Number(1000)") && notes[0].contains("4711") && notes[0].contains("rm aaa user bob"), "{notes:#?}");
    // The group may be taken away while they are connected; whoever connects then is a stranger.
    admin.say("unset ns config -readGroup").done();
    let notes = live.notes.taken();
    assert!(notes.iter().any(|note| note.starts_with("change") && note.contains("unset ns config")), "{notes:#?}");
}

#[test]
fn secrets_are_in_no_note_and_no_answer() {
    let (live, mut operator) = live();
    operator.say("set aaa user bob -password tr0ub4dor").done();
    operator.say("add aaa user tr0ub4dor-is-a-name -password x -nonsense tr0ub4dor");
    let notes = live.notes.taken().join("\n");
    assert!(notes.contains("set aaa user bob -password ********"), "{notes}");
    assert!(!notes.contains("-password tr0ub4dor"), "{notes}");
    assert!(!operator.say("show aaa user bob").done().text.contains("tr0ub4dor"));
}

#[test]
fn users_who_are_gone_or_have_another_password_are_out_at_once() {
    let (live, mut operator) = live();
    let (alice, bob) = (live.house.login("alice", "s3cret"), live.house.login("bob", "hunter2"));
    let is_in = |cookies: &str| live.house.get("/portal", cookies).status == 200;
    assert!(is_in(&alice) && is_in(&bob), "both are in");
    operator.say("add aaa group g").done();
    assert!(is_in(&alice) && is_in(&bob), "another change is none of theirs");
    operator.say("set aaa user alice -password another1").done();
    assert!(!is_in(&alice) && is_in(&bob));
    assert_ne!(live.house.try_login(CLIENT, "alice", "s3cret").status, 303, "what was found right before is not any more");
    assert_eq!(live.house.try_login(CLIENT, "alice", "another1").status, 303);
    operator.say("rm aaa user bob").done();
    assert!(!is_in(&bob));
    operator.say("disable ns feature AAA").done();
    assert_ne!(live.house.try_login(CLIENT, "alice", "another1").status, 303);
    operator.say("enable ns feature AAA").done();
    assert_eq!(live.house.try_login(CLIENT, "alice", "another1").status, 303);
}

#[test]
fn an_authority_that_is_configured_as_before_is_the_one_from_before() {
    let code = "0F1E2D3C4B5A69788796A5B4C3D2E1F0";
    let redeemed = |id: &'static str| FakeSta::new(id, move |_, stream| write_sta(stream, &data(HOST)));
    let (one, two) = (redeemed("STAONE"), redeemed("STATWO"));
    let live = Live::of(&format!("{}bind vpn vserver gw -staServer {} -staInsecure YES\n", config(), one.url()));
    let mut operator = live.operator(ADMIN);
    live.house.wait_status(|status| status.stas.iter().all(|sta| sta.authority_id.is_some()));
    let probes = one.probes.load(SeqCst);
    for n in 0..5 {
        operator.say(&format!("add aaa group g{n}")).done();
    }
    // One made anew would have to ask for its id before it could be asked about a ticket of that id.
    let gw = listeners(&live)[0].1;
    let key = live.house.workers.present_at(gw, &format!(";40;STAONE;{code}"), CLIENT);
    assert_eq!(live.house.workers.verdict(key).unwrap().address, HOST.parse().unwrap());
    assert_eq!(one.probes.load(SeqCst), probes);
    let shown = operator.say("show sta").done();
    assert_eq!((shown.value("Sta state"), shown.value("Asked"), shown.value("Redeemed")), ("UP", "1", "1"));
    operator.say(&format!("bind vpn vserver gw -staServer {} -staInsecure YES", two.url())).done();
    live.house.wait_status(|status| status.stas.len() == 2 && status.stas.iter().all(|sta| sta.authority_id.is_some()));
    operator.say(&format!("unbind vpn vserver gw -staServer {}", one.url())).done();
    assert_eq!(live.house.status().stas.len(), 1);
    let key = live.house.workers.present_at(gw, &format!(";40;STAONE;{code}"), CLIENT);
    assert_eq!(live.house.workers.verdict(key), Err(Refusal::UnknownSta));
}

#[test]
fn farm_servers_come_and_go_and_keep_their_tickets() {
    let (live, mut operator) = live();
    let farm = address(&mut operator, "farm server", "farm");
    operator.say(&format!("bind vpn vserver gw -staServer http://{farm}")).done();
    let gw = listeners(&live)[0].1;
    let ticket = kit::issue_for(farm, HOST, "alice");
    let again = "rm farm server farm\nadd farm server farm 127.0.0.1 0 -authorityID STA01 -ticketLifetime 50\n";
    operator.batch(again).done();
    operator.say("add farm server more 127.0.0.1 0 -authorityID STA02").done();
    assert_eq!(address(&mut operator, "farm server", "farm"), farm, "it still listens where it did");
    let key = live.house.workers.present_at(gw, &ticket, CLIENT);
    assert_eq!(live.house.workers.verdict(key).unwrap().address, HOST.parse().unwrap());
    let more = address(&mut operator, "farm server", "more");
    kit::issue_for(more, HOST, "bob");
    operator.say("rm farm server more").done();
    until("the listener's end", || TcpStream::connect(more).is_err());
    // Its own addresses stay closed to tickets while they are its own, and not a moment longer.
    let to_farm = kit::issue_for(farm, &farm.to_string(), "alice");
    let ports = format!("{},{}", farm.port(), more.port());
    operator.say(&format!("add vpn allowedHost inside 127.0.0.0/8 -port {ports} -allowLoopback YES")).done();
    let key = live.house.workers.present_at(gw, &to_farm, CLIENT);
    assert_eq!(live.house.workers.verdict(key), Err(Refusal::Address));
    let to_more = kit::issue_for(farm, &more.to_string(), "alice");
    let key = live.house.workers.present_at(gw, &to_more, CLIENT);
    assert_eq!(live.house.workers.verdict(key).unwrap().address, more);
}

#[test]
fn farm_servers_swap_their_addresses_in_one_change() {
    let (live, mut operator) = live();
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (a, b) = (free(), free());
    operator.say(&format!("add farm server a 127.0.0.1 {a} -authorityID STAA")).done();
    operator.say(&format!("add farm server b 127.0.0.1 {b} -authorityID STAB")).done();
    let text = operator.say("show ns runningConfig").done().text;
    let swapped =
        text.replace(&format!("127.0.0.1 {a} "), "127.0.0.1 X ").replace(&format!("127.0.0.1 {b} "), &format!("127.0.0.1 {a} "));
    live.disk.put("ns.conf", swapped.replace("127.0.0.1 X ", &format!("127.0.0.1 {b} ")));
    operator.say("reload").done();
    let at = |port: u16| format!("127.0.0.1:{port}").parse().unwrap();
    assert!(kit::issue_for(at(b), HOST, "x").contains(";STAA;"));
    assert!(kit::issue_for(at(a), HOST, "x").contains(";STAB;"));
}

#[test]
fn demonstration_hosts_come_and_go() {
    let (_live, mut operator) = live();
    operator.say("add farm host echo 127.0.0.1 0").done();
    let host = address(&mut operator, "farm host", "echo");
    let mut session = TcpStream::connect(host).unwrap();
    session.set_read_timeout(Some(SOON)).unwrap();
    let mut hello = [0; 6];
    session.read_exact(&mut hello).unwrap();
    assert_eq!(&hello, b"\x7f\x7fICA\0");
    operator.say("rm farm host echo").done();
    until("the host's end", || TcpStream::connect(host).is_err());
    session.read_exact(&mut hello).unwrap();
}

#[test]
fn sessions_are_shown_and_ended() {
    let (live, mut operator) = live();
    let farm = address(&mut operator, "farm server", "farm");
    operator.say(&format!("bind vpn vserver gw -staServer http://{farm}")).done();
    let gw = listeners(&live)[0].1;
    let keys = ["alice", "alice", "bob"].map(|user| run_session(&live, farm, user, gw));
    until("three sessions", || operator.say("show vpn icaConnection -format json").done().text.matches("userName").count() == 3);
    let shown = operator.say("show vpn icaConnection -userName bob").done();
    let secured = (shown.value("TLS version"), shown.value("Cipher suite"), shown.value("Post quantum"));
    assert_eq!(secured, ("TLSv1.3", "TLS_AES_256_GCM_SHA384", "YES"));
    assert_eq!((shown.value("User name"), shown.value("Vserver"), shown.value("Sta")), ("bob", "gw", "STA01"));
    assert_eq!((shown.value("Dest IP"), shown.value("Up"), shown.value("Down")), ("10.11.12.13", "10 bytes", "20 bytes"));
    let id = shown.value("Id").to_owned();
    assert_eq!(operator.say("kill vpn icaConnection").number, 1095, "which?");
    assert_eq!(operator.say("kill vpn icaConnection -id 999").number, 258);
    assert_eq!(operator.say("kill vpn icaConnection -olderThan 3600").done().value("Killed"), "0");
    let told = |wanted: SessionKey| {
        live.house
            .workers
            .wait(|_, tell| matches!(tell, Tell::Kill { key, reason: Reason::Killed } if *key == wanted).then_some(()));
    };
    assert_eq!(operator.say(&format!("kill vpn icaConnection -id {id}")).done().value("Killed"), "1");
    told(keys[2]);
    assert_eq!(operator.say("kill vpn icaConnection -userName ALICE@demo -vserver gw").done().value("Killed"), "2");
    told(keys[0]);
    told(keys[1]);
    for key in keys {
        live.house.workers.set_traffic(key, None);
        let launch = None;
        let phases = Phases::default();
        let client = CLIENT.parse().unwrap();
        let (reason, lived) = (Reason::Killed, Duration::from_secs(1));
        live.house.workers.ask(Ask::Closed(Closed {
            key,
            listener: gw,
            client,
            launch,
            reason,
            up_bytes: 0,
            down_bytes: 0,
            lived,
            phases,
        }));
    }
    let notes = live.notes.taken();
    assert_eq!(notes.iter().filter(|note| note.starts_with("kill")).count(), 4, "{notes:#?}");
}

#[test]
fn ending_a_login_ends_what_runs_through_it_and_logging_out_does_not() {
    let (live, mut operator) = live();
    let farm = address(&mut operator, "farm server", "farm");
    operator.say(&format!("bind vpn vserver gw -staServer http://{farm}")).done();
    let gw = listeners(&live)[0].1;
    let cookies = live.house.login("alice", "s3cret");
    let key = run_session(&live, farm, "alice", gw);
    until("the session", || operator.say("stat aaa").done().value("Cur ICA conn") == "1");
    let shown = operator.say("show aaa session").done();
    assert_eq!((shown.value("User name"), shown.value("Vserver"), shown.value("Public IP")), ("alice", "gw", "198.51.100.7"));
    let session_key = shown.value("Session key").to_owned();
    assert_eq!(operator.say("kill aaa session -sessionKey 99").number, 258);
    let told = operator.say(&format!("kill aaa session -sessionKey {session_key}")).done();
    assert_eq!((told.value("Killed"), told.value("ICA connections killed")), ("1", "1"));
    live.house.workers.wait(|_, tell| matches!(tell, Tell::Kill { key: killed, .. } if *killed == key).then_some(()));
    assert_ne!(live.house.get("/portal", &cookies).status, 200);
    let aaa = operator.say("stat aaa").done();
    assert_eq!((aaa.value("Auth succ"), aaa.value("Killed"), aaa.value("Tot cur sess")), ("1", "1", "0"));
    live.house.try_login(CLIENT, "alice", "wrong");
    assert_eq!(operator.say("stat aaa").done().value("Auth fails"), "1");
    operator.say("stat aaa -clearstats basic").done();
    let aaa = operator.say("stat aaa").done();
    assert_eq!((aaa.value("Auth succ"), aaa.value("Auth fails"), aaa.value("Cur ICA conn")), ("0", "0", "1"));
}

#[test]
fn what_is_saved_is_what_runs_and_a_reload_applies_the_difference_only() {
    let (live, mut operator) = live();
    assert_eq!(operator.say("show ns info").done().value("Config changed"), "NO");
    operator.say("add aaa group g").done();
    assert_eq!(operator.say("show ns info").done().value("Config changed"), "YES");
    let changed = operator.say("diff ns config").done();
    assert_eq!((changed.value("Object"), changed.value("Change")), ("aaa group g", "ADDED"));
    operator.say("save ns config").done();
    let saved = live.disk.text("ns.conf");
    assert!(
        saved.starts_with("#SG") && saved.lines().nth(1).unwrap().starts_with("# Last modified by `save config`, "),
        "{saved}"
    );
    let running = operator.say("show ns runningConfig").done().text;
    assert_eq!(saved.lines().skip(2).collect::<Vec<_>>(), running.lines().collect::<Vec<_>>());
    assert_eq!(operator.say("diff ns config").done().text, "");
    // An open password in the file that is the one of before is no change, and its user stays in.
    let alice = live.house.login("alice", "s3cret");
    let open = saved.replace(&format!("{ALICE} -encrypted -hashmethod ARGON2ID"), "s3cret");
    live.disk.put("ns.conf", open + "add aaa group h\n");
    let told = operator.say("reload").done();
    assert_eq!((told.value("Added"), told.value("Removed"), told.value("Changed")), ("1", "0", "0"));
    assert_eq!(live.house.get("/portal", &alice).status, 200);
    // A broken file changes nothing and says where it is broken.
    let publications = live.house.workers.publications();
    live.disk.put("ns.conf", "add aaa group i\nadd nonsense x\n");
    let told = operator.say("reload");
    assert_eq!(told.number, 1088, "{told:?}");
    assert!(operator.say("show ns runningConfig").done().text.contains("add aaa group h"));
    live.house.commands.blocking_send(Command::Reload).unwrap();
    until("the failed reload", || operator.say("stat ns").done().value("Changes failed") == "2");
    assert_eq!(live.house.workers.publications(), publications);
    // The signal does what the command does.
    live.disk.put("ns.conf", saved);
    live.house.commands.blocking_send(Command::Reload).unwrap();
    until("the reload", || !operator.say("show ns runningConfig").done().text.contains("add aaa group h"));
}

#[test]
fn clear_leaves_what_it_says() {
    let (live, mut operator) = live();
    operator.batch("set ns hostName gate1\nset ns limits -handshakeTimeout 4000\n").done();
    operator.say("clear ns config basic -force").done();
    let left = operator.say("show ns runningConfig").done().text;
    assert!(left.contains("hostName gate1") && left.contains("4000") && left.contains("enable ns feature"), "{left}");
    assert!(!left.contains("vserver") && !left.contains("aaa user"), "{left}");
    assert!(live.house.workers.published().unwrap().listeners.is_empty());
    operator.say("clear ns config full -force").done();
    let left = operator.say("show ns runningConfig").done().text;
    assert!(left.lines().all(|line| line.starts_with("set ns config")), "{left}");
}

#[test]
fn what_needs_a_restart_is_said() {
    let (live, mut operator) = live();
    let told = operator.say("set ns worker -count 3").done();
    assert!(told.warnings.iter().any(|warning| warning.contains("next start")), "{told:?}");
    assert_eq!(operator.say("show ns info").done().value("Restart"), "ns worker");
    // Where the inner socket is does not change under the workers.
    let before = live.house.workers.published().unwrap().inner.clone();
    operator.say("set ns config -innerSocket /tmp/elsewhere.sock").done();
    assert_eq!(live.house.workers.published().unwrap().inner, before);
}

#[test]
fn the_log_follows_its_settings() {
    let (live, mut operator) = live();
    operator.say("add aaa group g").done();
    assert_eq!(live.logs.lock().unwrap().len(), 0, "another change is none of its");
    operator.say("set ns logParam -level DEBUG").done();
    assert_eq!(live.logs.lock().unwrap().iter().map(|log| log.level).collect::<Vec<_>>(), [LogLevel::Debug]);
}

#[test]
fn what_is_kept_for_a_virtual_server_goes_with_it() {
    let (_live, mut operator) = live();
    let before = operator.say("show ns runningConfig").done().text;
    operator.batch("add vpn vserver two SSL 192.0.2.2 443 -maxAAAUsers 7\nbind vpn vserver two -policy p -priority 1\n");
    assert_ne!(operator.say("show ns runningConfig").done().text, before);
    operator.say("rm vpn vserver two").done();
    assert_eq!(operator.say("show ns runningConfig").done().text, before);
}

#[test]
fn ten_thousand_lines_are_one_change() {
    let (live, mut operator) = live();
    let lines: String = (0..10_000)
        .map(|n| match n % 4 {
            0 => format!("add vpn allowedHost a{n} 10.{}.{}.0/24 -port 1494\n", n / 256 % 256, n % 256),
            1 => format!("add aaa group g{n}\n"),
            2 => format!("add farm resource r{n} -host 10.0.0.{}:1494\n", n % 250 + 1),
            _ => format!("bind farm resource r{} -everyone\n", n - 1),
        })
        .collect();
    operator.batch(&lines).done();
    assert_eq!(live.house.workers.publications(), 1);
    assert_eq!(
        operator.say("show ns runningConfig").done().text.lines().filter(|line| line.starts_with("add aaa group")).count(),
        2500
    );
}

/// What a file becomes under somebody's hands.
fn nearly(text: &str, random: &mut impl FnMut(u32) -> u32) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..=random(3) {
        let (at, other) =
            (random(u32::try_from(lines.len()).unwrap()) as usize, random(u32::try_from(lines.len()).unwrap()) as usize);
        match random(6) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(other, lines[at].clone()),
            2 => lines.swap(at, other),
            3 => {
                let mut words: Vec<&str> = lines[at].split(' ').collect();
                words.remove(other % words.len());
                lines[at] = words.join(" ");
            }
            4 => {
                let mut end = other * 3 % (lines[at].len() + 1);
                while !lines[at].is_char_boundary(end) {
                    end -= 1;
                }
                lines[at].truncate(end);
            }
            _ => lines[at] = lines[at].replacen(['1', 'e', '-'], ["9", "\"", "x"][other % 3], 1),
        }
    }
    lines.join("\n") + "\n"
}

#[test]
fn a_file_that_is_nearly_right_is_in_force_as_a_whole_or_not_at_all() {
    let (live, mut operator) = live();
    let mut seed = 0x2026_1129_u32;
    let mut random = |below: u32| {
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        seed % below
    };
    let (mut taken, mut refused) = (0, 0);
    for round in 0..500 {
        let before = (operator.say("show ns runningConfig").done().text, live.house.workers.publications());
        let text = nearly(&config(), &mut random);
        live.disk.put("ns.conf", text.clone());
        let told = operator.say("reload");
        let after = (operator.say("show ns runningConfig").done().text, live.house.workers.publications());
        if told.number == 0 {
            taken += 1;
        } else {
            refused += 1;
            assert_eq!(after, before, "round {round}: {text}\n{told:?}");
        }
        assert!(!told.errors.iter().any(|error| error.contains("see the log")), "it broke: {text}{told:?}");
    }
    assert!(taken > 50 && refused > 50, "{taken} taken, {refused} refused");
    agrees(&live, &mut operator);
}

#[test]
fn a_drain_is_watched_and_ends_the_gateway() {
    let (live, mut operator) = live();
    live.house.workers.set_sessions(3);
    let mut other = live.operator(ADMIN);
    let draining = std::thread::spawn(move || operator.say("drain -within 3600"));
    until("the drain", || other.say("show ns drain").done().value("State") == "DRAINING");
    assert_eq!(other.say("show ns drain").done().value("Sessions"), "3");
    assert_ne!(other.say("add aaa group g").number, 0, "nothing can be changed any more");
    live.house.workers.set_sessions(1);
    let shown = other.say("show ns drain").done();
    assert_eq!((shown.value("Sessions"), shown.value("Ended")), ("1", "2"));
    // Taken back: not while an address is somebody else's, then it is, and whoever watched it is told no more.
    live.house.workers.refuse_next("gw");
    assert_eq!(other.say("drain -cancel").number, 304);
    assert_eq!(other.say("show ns drain").done().value("State"), "DRAINING");
    assert_eq!(other.say("drain -cancel").done().value("State"), "RUNNING");
    draining.join().unwrap().done();
    assert_eq!(other.say("drain -cancel").number, 1093, "there is none");
    other.say("add aaa group g").done();
    let mut operator = live.operator(ADMIN);
    let draining = std::thread::spawn(move || operator.say("drain -within 3600"));
    // Whoever watches looks at once, and after a second again.
    until("a second of the drain", || {
        let shown = other.say("show ns drain").done();
        shown.value("State") == "DRAINING" && !["0 seconds", "1 seconds"].contains(&shown.value("Elapsed"))
    });
    live.house.workers.set_sessions(0);
    let told = draining.join().unwrap();
    assert!(told.progress.iter().any(|line| line.starts_with("1 sessions left")), "{told:?}");
}

#[test]
fn a_dead_worker_is_shown() {
    let (live, mut operator) = live();
    assert_eq!(operator.say("show worker 1").done().value("State"), "UP");
    live.house.workers.kill(1);
    assert_eq!(operator.say("show worker 1").done().value("State"), "DEAD");
    assert_eq!(operator.say("show worker 9").number, 258);
}

/// A random line: mostly right, sometimes not.
fn random_line(random: &mut impl FnMut(u32) -> u32) -> String {
    let n = random(4);
    match random(19) {
        0 => format!("add vpn vserver v{n} SSL 192.0.2.{} 443", 10 + n),
        1 => format!("rm vpn vserver v{n}"),
        2 => format!("bind ssl vserver v{n} -certkeyName gw"),
        3 => format!("bind ssl vserver v{n} -certkeyName other -SNICert"),
        4 => format!("unbind ssl vserver v{n} -certkeyName gw"),
        5 => format!("set vpn vserver v{n} -cgp {}", ["REJECT", "RELAY"][random(2) as usize]),
        6 => format!("{} vpn vserver v{n}", ["enable", "disable"][random(2) as usize]),
        7 => format!("add aaa group g{n}"),
        8 => format!("rm aaa group g{n}"),
        9 => format!("bind aaa group g{n} -userName {}", ["alice", "bob"][random(2) as usize]),
        10 => format!("add farm server f{n} 127.0.0.1 0 -authorityID STAF{n}"),
        11 => format!("rm farm server f{n}"),
        12 => format!("add farm host h{n} 127.0.0.1 0"),
        13 => format!("rm farm host h{n}"),
        14 => format!("bind vpn vserver v{n} -staServer https://sta{}.example.test", random(3)),
        15 => format!("unbind vpn vserver v{n} -staServer https://sta{}.example.test", random(3)),
        16 => format!("add vpn allowedHost a{n} 10.{n}.0.0/16 -port 1494"),
        17 => format!("rm vpn allowedHost a{n}"),
        _ => [
            "add ssl certKey other -cert other.pem -key other.key",
            "rm ssl certKey other",
            "enable ns feature SSLVPN",
            "disable ns feature SSLVPN",
        ][random(4) as usize]
            .to_owned(),
    }
}

#[test]
fn after_a_thousand_random_changes_everything_still_agrees() {
    let (live, mut operator) = live();
    let mut seed = 0x9e37_79b9_u32;
    let mut random = |below: u32| {
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        seed % below
    };
    let (mut done, mut ids) = (0, BTreeSet::new());
    let mut before: Vec<(String, ListenerId)> = vec![("gw".to_owned(), ListenerId(0))];
    for round in 0..250 {
        if random(40) == 0 {
            live.house.workers.refuse_next("gw");
        }
        let lines: String = (0..4).map(|_| random_line(&mut random) + "\n").collect();
        let publications = live.house.workers.publications();
        let told = operator.batch(&lines);
        done += usize::from(live.house.workers.publications() > publications);
        assert!(matches!(told.number, 0 | 1059 | 1060), "{lines}{told:?}");
        assert!(!told.errors.iter().any(|error| error.contains("see the log")), "it broke: {lines}{told:?}");
        let Some(published) = live.house.workers.published() else { continue };
        let now: Vec<(String, ListenerId)> = published.listeners.iter().map(|one| (one.name.clone(), one.id)).collect();
        for (name, id) in &now {
            if !before.contains(&(name.clone(), *id)) && live.house.workers.publications() > publications {
                // A number that a virtual server has now was nobody else's before.
                let was_others = ids.iter().any(|(other, known): &(String, ListenerId)| known == id && other != name);
                assert!(!was_others, "round {round}: {id:?} is given again, to {name}");
            }
            ids.insert((name.clone(), *id));
        }
        before = now;
        if round % 10 == 0 {
            agrees(&live, &mut operator);
        }
    }
    agrees(&live, &mut operator);
    assert!(done > 150, "{done} of 250 batches changed something");
}

/// The running configuration reads back, and the workers have just what it says.
fn agrees(live: &Live, operator: &mut Operator) {
    let text = operator.say("show ns runningConfig").done().text;
    let checked = check("running", &text, Strictness::Strict, &live.disk);
    let problems: Vec<String> = checked.errors().map(ToString::to_string).collect();
    let model = checked.model.unwrap_or_else(|| panic!("{problems:#?} in {text}"));
    assert_eq!(model.print(), text);
    let Some(published) = live.house.workers.published() else { return };
    let said = snapshot(&model, &checked.files, SnapshotId(1), &mut ListenerIds::default()).unwrap();
    let plain = |listeners: &[sluice_link::snapshot::Listener]| -> Vec<_> {
        listeners.iter().map(|one| sluice_link::snapshot::Listener { id: ListenerId(0), ..one.clone() }).collect()
    };
    assert_eq!(plain(&published.listeners), plain(&said.listeners));
    assert_eq!(published.limits, said.limits);
    assert_eq!(published.host_tls, said.host_tls);
}
