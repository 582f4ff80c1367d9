//! Records that the kernel shall seal and open (`-recordEngine KERNEL`): where it can it has the keys, and where it cannot our own engine
//! serves, which is said and counted. Which of the two is to be seen, the machine's kernel decides, not the test.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use sluicegate_tests::client::{Client, request};
use sluicegate_tests::deadline::until;
use sluicegate_tests::gateway::{Gateway, NAME};
use sluicegate_tests::host::Host;
use sluicegate_tests::tools::Running;

use crate::{Pattern, wish};

on_each_engine!(
    the_kernel_has_the_keys_or_it_is_said_that_it_has_not,
    it_is_switched_on_and_off_while_sessions_go_on,
    openssl_does_not_notice,
    a_key_that_must_be_changed_ends_the_session_where_the_kernel_has_it,
);

const CANNOT: &str = "TLS of the kernel is not to be had, our own record engine serves instead";
const CAN: &str = "the kernel is given the keys of new sessions";

/// Whether this machine's kernel takes keys.
fn kernel_can() -> bool {
    sluice_worker::kernel_tls().any()
}

/// Sessions for which the kernel seals, for which it opens, and keys that it did not take.
fn keys(gateway: &Gateway) -> [u64; 3] {
    let counters = gateway.counters();
    ["kernel_sealing", "kernel_opening", "kernel_refused"].map(|name| counters[name])
}

/// What these are after so many sessions that want the kernel for both.
fn keys_of(sessions: u64) -> [u64; 3] {
    if kernel_can() { [sessions, sessions, 0] } else { [0, 0, 2 * sessions] }
}

fn keys_become(gateway: &Gateway, wanted: [u64; 3]) {
    until("both keys of each session to be offered", || (keys(gateway) == wanted).then_some(()));
}

/// Bytes there and back, in pieces of every size.
fn exchange(client: &mut Client, seed: u64) {
    for len in [1, 64, 1_460, 16_384, 16_385, 300_000] {
        let sent = Pattern::new(seed).bytes(len);
        client.stream.write_all(&sent).unwrap();
        comes_back(&mut client.stream, &sent);
    }
}

fn comes_back(from: &mut impl Read, sent: &[u8]) {
    let mut back = vec![0; sent.len()];
    from.read_exact(&mut back).unwrap();
    assert!(back == sent, "{} bytes differ", sent.len());
}

/// How often each of the two is in the log: that it can, and that it cannot, with the cure.
fn told(gateway: &Gateway) -> (usize, usize) {
    let log = gateway.log();
    let lines = |level: &str, words: &str| log.lines().filter(|line| line.contains(level) && line.contains(words)).count();
    assert_eq!(lines("WARN", CANNOT), lines("modprobe tls", CANNOT), "{log}");
    (lines("INFO", CAN), lines("WARN", CANNOT))
}

fn the_kernel_has_the_keys_or_it_is_said_that_it_has_not(engine: &'static str) {
    let gateway = wish(engine).line("set ssl vserver vpn1 -recordEngine KERNEL").start();
    let host = Host::echo();
    for session in 1..=3 {
        let mut client = gateway.launch(host.address);
        exchange(&mut client, session);
        keys_become(&gateway, keys_of(session));
        exchange(&mut client, session);
        client.finish().unwrap();
        assert_eq!(client.rest().unwrap(), b"", "the end is an orderly one");
    }
    assert_eq!(told(&gateway), if kernel_can() { (1, 0) } else { (0, 1) });
    let _ = gateway.quiet();
    let counters = gateway.counters();
    let orderly: u64 = ["closed_finished", "closed_client_closed", "closed_host_closed"].iter().map(|name| counters[*name]).sum();
    assert_eq!((orderly, counters["buffers_lent"]), (3, 0), "{counters:?}");
}

/// Somebody else's TLS, whose records are sealed and opened by the kernel at our end: both versions and all ciphers.
fn openssl_does_not_notice(engine: &'static str) {
    let gateway = wish(engine).line("set ssl vserver vpn1 -recordEngine KERNEL").start();
    let host = Host::echo();
    let ciphers = [
        ["-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256"],
        ["-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384"],
        ["-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"],
        ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"],
        ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"],
        ["-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"],
    ];
    for (sessions, args) in (1..).zip(ciphers) {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-quiet", "-verify_return_error", "-servername", NAME]).args(args);
        command.args(["-connect", &gateway.public().to_string(), "-CAfile"]).arg(&gateway.ca_file);
        let mut running = Running::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()));
        let (mut to, mut from) = (running.0.stdin.take().unwrap(), running.0.stdout.take().unwrap());
        to.write_all(&[&[5, 1, 0], request(gateway.ticket(host.address).single().as_bytes()).as_slice()].concat()).unwrap();
        let mut answer = [0; 12];
        from.read_exact(&mut answer).unwrap_or_else(|e| panic!("{args:?}: {e}\n{}", gateway.log()));
        assert_eq!(answer[..4], [5, 0, 5, 0], "{args:?}");
        // Once before the kernel has the key for what comes in, and then with it. A pipe holds 64 KiB.
        for round in 0..2 {
            for len in [1, 1_460, 16_385, 60_000] {
                let sent = Pattern::new(sessions + round).bytes(len);
                to.write_all(&sent).unwrap();
                comes_back(&mut from, &sent);
            }
            keys_become(&gateway, keys_of(sessions));
        }
        drop(to);
    }
}

fn it_is_switched_on_and_off_while_sessions_go_on(engine: &'static str) {
    let (gateway, host) = (wish(engine).start(), Host::echo());
    let mut console = gateway.console();
    let mut say = |line: &str| console.run(line).done();
    let mut before = gateway.launch(host.address);
    exchange(&mut before, 1);
    assert_eq!((keys(&gateway), told(&gateway)), ([0; 3], (0, 0)));

    let _ = say("set ssl vserver vpn1 -recordEngine KERNEL");
    assert!(say("show ssl vserver vpn1").contains("KERNEL"));
    let once = if kernel_can() { (1, 0) } else { (0, 1) };
    until("the log to tell of it", || (told(&gateway) == once).then_some(()));
    let mut during = begins_with(&gateway, &host, keys_of(1));

    // What has nothing to do with it is no reason to say it again.
    let _ = say("set vpn vserver vpn1 -sessionRateUp 0");
    let _ = say("unset ssl vserver vpn1 -recordEngine");
    let mut after = begins_with(&gateway, &host, [0; 3]);
    let now = keys(&gateway);
    for client in [&mut before, &mut during, &mut after] {
        exchange(client, 4);
    }
    assert_eq!((keys(&gateway), told(&gateway)), (now, once), "those that were there go on as they began");
    let ssl = console.run("stat ssl -format json").json();
    let shown = ["kernelSealing", "kernelOpening", "kernelRefused"].map(|name| ssl["ssl"][0][name].as_u64());
    assert_eq!(shown, now.map(Some), "{ssl}");
}

/// The first session that is counted as `wanted`: a worker may let in a few more with the settings that it had.
fn begins_with(gateway: &Gateway, host: &Host, wanted: [u64; 3]) -> Client {
    until("a session with the new setting", || {
        let before = keys(gateway);
        let mut client = gateway.launch(host.address);
        exchange(&mut client, 2);
        let after = keys(gateway);
        let counted = [after[0] - before[0], after[1] - before[1], after[2] - before[2]];
        (counted == wanted).then_some(client)
    })
}

fn a_key_that_must_be_changed_ends_the_session_where_the_kernel_has_it(engine: &'static str) {
    let gateway = wish(engine).line("set ssl vserver vpn1 -recordEngine KERNEL").start();
    let host = Host::echo();
    let (mut witness, mut client) = (gateway.launch(host.address), gateway.launch(host.address));
    // The key for what comes in is offered behind what has come.
    for one in [&mut witness, &mut client] {
        exchange(one, 1);
    }
    keys_become(&gateway, keys_of(2));
    client.stream.conn.refresh_traffic_keys().unwrap();
    if kernel_can() {
        client.stream.write_all(b"sealed with a key that the kernel does not have").unwrap();
        // In whatever way it learns of it: it gets nothing that was not said.
        let mut rest = Vec::new();
        let _ = client.stream.read_to_end(&mut rest);
        assert_eq!(rest, b"");
        until("the end to be counted", || (gateway.count("closed_key_spent") == 1).then_some(()));
    } else {
        exchange(&mut client, 2);
        assert!(gateway.count("key_updates") >= 1);
    }
    exchange(&mut witness, 3);
}
