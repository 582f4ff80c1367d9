//! A running gateway is changed, with real workers, sessions and files.
#![expect(clippy::unwrap_used, reason = "what fails here has failed the test")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::process::Command;

use sluicegate_tests::certs::write;
use sluicegate_tests::client::{Client, Opening};
use sluicegate_tests::deadline::{Deadline, until};
use sluicegate_tests::gateway::{Gateway, NAME, Wish};
use sluicegate_tests::host::Host;
use sluicegate_tests::sta;

fn start() -> Gateway {
    Wish::new(env!("CARGO_BIN_EXE_sluicegate"), "AUTO").start()
}

/// Lines at the control socket, as `socat` would say them, and all that comes back.
fn say(gateway: &Gateway, lines: &str) -> String {
    let mut socket = UnixStream::connect(gateway.dir().join("control.sock")).unwrap();
    socket.set_read_timeout(Some(Deadline::patient().left())).unwrap();
    socket.write_all(format!("{lines}\nexit\n").as_bytes()).unwrap();
    let mut back = String::new();
    socket.read_to_string(&mut back).unwrap();
    back
}

/// The same, and it must be right.
#[track_caller]
fn done(gateway: &Gateway, lines: &str) -> String {
    let back = say(gateway, lines);
    assert!(!back.contains("ERROR"), "{lines}: {back}");
    back
}

#[track_caller]
fn value(answer: &str, label: &str) -> String {
    let start = format!("{label}: ");
    let found = answer.lines().find_map(|line| line.split_once(&start).map(|(_, value)| value.to_owned()));
    found.unwrap_or_else(|| panic!("no {label} in {answer}"))
}

/// A session through the virtual server at `address` to `host`.
fn session(gateway: &Gateway, address: SocketAddr, host: &Host) -> Client {
    let ticket = sta::issue(gateway.address("inside"), &host.address.to_string()).single();
    let mut client = Client::connect(address, NAME, &gateway.tls).unwrap();
    assert_eq!(client.present(&ticket, Opening::Negotiated).unwrap(), 0);
    client
}

/// Whether bytes go there and back.
fn echoes(client: &mut Client, text: &[u8]) {
    client.stream.write_all(text).unwrap();
    let mut back = vec![0; text.len()];
    client.stream.read_exact(&mut back).unwrap();
    assert_eq!(back, text);
}

#[test]
fn a_virtual_server_comes_and_goes_and_sessions_flow_on() {
    let (gateway, host) = (start(), Host::echo());
    let mut old = session(&gateway, gateway.public(), &host);
    echoes(&mut old, b"before");
    done(&gateway, "add vpn vserver two SSL 127.0.0.1 0\nbind ssl vserver two -certkeyName gw");
    let sta = gateway.address("inside");
    done(&gateway, &format!("bind vpn vserver two -staServer http://{sta}"));
    let shown = done(&gateway, "show vpn vserver two");
    assert_eq!(value(&shown, "Cur state"), "UP");
    let address: SocketAddr = value(&shown, "Address").parse().unwrap();
    let mut new = session(&gateway, address, &host);
    echoes(&mut new, b"new");
    echoes(&mut old, b"old");
    until("the counters", || (value(&done(&gateway, "stat vpn vserver two"), "Cur ICA connections") == "1").then_some(()));
    done(&gateway, "rm vpn vserver two");
    until("the listener's end", || TcpStream::connect(address).err());
    echoes(&mut new, b"still there");
    echoes(&mut old, b"nothing happened here");
    assert_eq!(value(&done(&gateway, "show vpn icaConnection -vserver two"), "Vserver"), "two");
}

#[test]
fn an_address_that_is_taken_leaves_all_as_it_was() {
    let (gateway, host) = (start(), Host::echo());
    let mut client = session(&gateway, gateway.public(), &host);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    done(&gateway, &format!("add vpn vserver two SSL 127.0.0.1 {port}"));
    let before = done(&gateway, "show ns runningConfig");
    let refused = say(&gateway, "bind ssl vserver two -certkeyName gw");
    assert!(refused.contains("Address already in use") && refused.contains("vpn vserver two"), "{refused}");
    assert_eq!(done(&gateway, "show ns runningConfig"), before);
    echoes(&mut client, b"flows");
    echoes(&mut session(&gateway, gateway.public(), &host), b"new ones, too");
    drop(taken);
    done(&gateway, "bind ssl vserver two -certkeyName gw");
}

#[test]
fn a_certificate_is_swapped_between_two_handshakes() {
    let (gateway, host) = (start(), Host::echo());
    let mut client = session(&gateway, gateway.public(), &host);
    let serial = value(&done(&gateway, "show ssl certKey gw"), "Serial");
    let (chain, key) = gateway.ca.server(&[NAME]);
    let _ = write(gateway.dir(), "gw.pem", &chain);
    let _ = write(gateway.dir(), "gw.key", &key);
    done(&gateway, "update ssl certKey gw -cert gw.pem -key gw.key -noDomainCheck");
    assert_ne!(value(&done(&gateway, "show ssl certKey gw"), "Serial"), serial);
    echoes(&mut session(&gateway, gateway.public(), &host), b"new");
    echoes(&mut client, b"old");
}

#[test]
fn what_is_saved_is_read_again_on_sighup() {
    let gateway = start();
    done(&gateway, "add aaa group g\nsave ns config");
    let file = gateway.dir().join("ns.conf");
    let saved = fs::read_to_string(&file).unwrap();
    assert!(saved.starts_with("#SG") && saved.contains("add aaa group g"), "{saved}");
    assert!(fs::read_to_string(gateway.dir().join("ns.conf.0")).unwrap().contains("enable ns feature"));
    fs::write(&file, saved.clone() + "add aaa group h\n").unwrap();
    let hup = || assert!(Command::new("kill").args(["-HUP", &gateway.pid().to_string()]).status().unwrap().success());
    hup();
    until("the group", || done(&gateway, "show ns runningConfig").contains("add aaa group h").then_some(()));
    fs::write(&file, "add nonsense\n").unwrap();
    hup();
    until("the refusal", || gateway.log().contains("ns.conf:1:").then_some(()));
    assert!(done(&gateway, "show ns runningConfig").contains("add aaa group h"));
    fs::write(&file, saved).unwrap();
    assert!(value(&done(&gateway, "reload"), "Removed") == "1");
}

/// As published, quotes and all, with what the listing leaves out; each line is a change of its own.
#[test]
fn a_scan_behind_a_directory_is_typed_line_by_line_and_its_secret_is_sealed() {
    let gateway = start();
    let mut told = String::new();
    for line in [
        "add authentication epaAction EPA-client-scan -csecexpr \"sys.client_expr(\"proc_2_firefox\")\"",
        "add authentication Policy EPA-check -rule true -action EPA-client-scan",
        "add authentication policylabel post-ldap-epa-scan -loginSchema LSCHEMA_INT",
        "bind authentication policylabel post-ldap-epa-scan -policyName EPA-check -priority 100 -gotoPriorityExpression END",
        "add authentication ldapAction ldap_server1 -serverIP 192.0.2.7 -secType SSL -ldapBindDnPassword hunter2",
        "add authentication Policy ldap-auth -rule true -action ldap_server1",
        "add authentication vserver MFA_AAA_vserver SSL 0.0.0.0",
        "bind authentication vserver MFA_AAA_vserver -policy ldap-auth -priority 100 -nextFactor post-ldap-epa-scan \
         -gotoPriorityExpression NEXT",
        "rename authentication policylabel post-ldap-epa-scan scan",
    ] {
        told.push_str(&done(&gateway, line));
    }
    assert!(!told.contains("339:"), "nothing of it rests: {told}");
    let shown = done(&gateway, "show authentication epaAction EPA-client-scan");
    assert!(shown.contains("sys.client_expr(\"proc_2_firefox\")"), "{shown}");
    let refused = say(&gateway, "bind authentication policylabel scan -policyName ldap-auth -priority 200");
    assert!(refused.contains("ERROR: Policy cannot be bound to specified policy label"), "{refused}");
    let running = done(&gateway, "show ns runningConfig");
    assert!(running.contains("-policy ldap-auth -priority 100 -gotoPriorityExpression NEXT -nextFactor scan"), "{running}");
    done(&gateway, "save ns config");
    let saved = fs::read_to_string(gateway.dir().join("ns.conf")).unwrap();
    assert!(saved.contains(" -encrypted -encryptmethod ENCMTHD_SG1") && !saved.contains("hunter2"), "{saved}");
    let key = gateway.dir().join("sluicegate.key");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let differences = done(&gateway, "diff ns config");
    assert!(!differences.contains("ldap_server1"), "{differences}");
    // What was open in a file that is read again is what it was.
    let at = saved.lines().find(|line| line.contains("ldap_server1 -serverIP")).unwrap();
    let open = "add authentication ldapAction ldap_server1 -serverIP 192.0.2.7 -secType SSL -ldapBindDnPassword hunter2";
    fs::write(gateway.dir().join("ns.conf"), saved.replace(at, open)).unwrap();
    assert!(!done(&gateway, "diff ns config").contains("ldap_server1"));
}

#[test]
fn sessions_are_ended_and_a_drain_ends_the_process() {
    let (gateway, host) = (start(), Host::echo());
    let mut client = session(&gateway, gateway.public(), &host);
    echoes(&mut client, b"here");
    until("the session", || (value(&done(&gateway, "stat vpn"), "Cur ICA connections") == "1").then_some(()));
    assert_eq!(value(&done(&gateway, "kill vpn icaConnection -all"), "Killed"), "1");
    let mut rest = Vec::new();
    let _ = client.stream.read_to_end(&mut rest);
    let mut last = session(&gateway, gateway.public(), &host);
    let told = {
        let mut socket = UnixStream::connect(gateway.dir().join("control.sock")).unwrap();
        socket.write_all(b"drain -within 3600\n").unwrap();
        until("the listener's end", || TcpStream::connect(gateway.public()).err());
        echoes(&mut last, b"still here");
        assert_eq!(value(&done(&gateway, "show ns drain"), "State"), "DRAINING");
        drop(last);
        let mut told = String::new();
        let _ = socket.read_to_string(&mut told);
        told
    };
    assert!(told.contains("DRAINING"), "{told}");
    // Ended, and not yet waited for by whoever started it.
    let stat = format!("/proc/{}/stat", gateway.pid());
    until("the end of the process", || fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") Z ")).then_some(()));
}
