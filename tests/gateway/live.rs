//! Changes while sessions run: no byte of theirs is lost, and what cannot be put into force changes nothing.
#![expect(clippy::print_stdout, reason = "figures for whoever runs these with --nocapture")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::ScopedJoinHandle;

use serde_json::Value;
use sluicegate_tests::certs::write;
use sluicegate_tests::client::{Client, Opening};
use sluicegate_tests::console::Said;
use sluicegate_tests::deadline::{timed, until};
use sluicegate_tests::gateway::NAME;
use sluicegate_tests::host::Host;

use crate::{Pattern, wish};

/// How much more memory a second round of reloads may leave than the first did, in KiB: what the allocator rounds up, in the arenas
/// of fourteen helper threads. A configuration that stayed behind each time would be many times this.
const MEMORY_KIB_MORE: u64 = 8 << 10;

on_each_engine!(
    reloads_touch_no_stream,
    certificates_are_swapped_without_a_failed_handshake,
    a_virtual_server_comes_and_goes,
    what_cannot_be_put_into_force_changes_nothing,
    a_session_is_ended_by_name_and_only_that,
);

/// A number of something that can be asked for from outside: `SLUICE_RELOADS=1000 SLUICE_STREAMS=200 SLUICE_KBITS=1000`.
fn wanted(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// One row of an answer in JSON: what stands beside the number and text of the error.
fn rows(said: Said) -> Vec<Value> {
    let answer = said.json();
    let rows = answer.as_object().unwrap().values().find_map(Value::as_array);
    rows.unwrap_or_else(|| panic!("no rows: {answer}")).clone()
}

/// Sends bytes through `client` and takes them back until told to stop; says how many rounds that were.
fn stream(client: &mut Client, seed: u64, stop: &AtomicBool, rounds: &AtomicU64) -> u64 {
    let mut pattern = Pattern::new(seed);
    let mut mine = 0;
    while !stop.load(Relaxed) || mine == 0 {
        let sent = pattern.bytes(1 + usize::try_from((seed * 977 + mine * 331) % 20_000).unwrap());
        client.stream.write_all(&sent).unwrap();
        let mut back = vec![0; sent.len()];
        client.stream.read_exact(&mut back).unwrap();
        assert!(back == sent, "stream {seed}, round {mine}");
        mine += 1;
        rounds.fetch_add(1, Relaxed);
    }
    client.finish().unwrap();
    assert_eq!(client.rest().unwrap(), b"", "stream {seed}");
    mine
}

/// Puts `text` in the place of the file at once, as an editor does.
fn replace(file: &Path, text: &str) {
    let beside = file.with_extension("new");
    fs::write(&beside, text).unwrap();
    fs::rename(beside, file).unwrap();
}

fn reloads_touch_no_stream(engine: &'static str) {
    let (reloads, streams) = (wanted("SLUICE_RELOADS", 60), wanted("SLUICE_STREAMS", 24));
    // Each stream is as fast as it can be; or the gateway itself holds it to so much each way, as a session's screen would be.
    let kbits = wanted("SLUICE_KBITS", 0);
    let gateway = wish(engine)
        .line("set ns limits -unprovenPerSource 1000")
        .line("add farm resource app -host a.test")
        .line(format!("set vpn vserver vpn1 -sessionRateUp {kbits} -sessionRateDown {kbits}"))
        .start();
    let (host, file) = (Host::echo(), gateway.dir().join("ns.conf"));
    let plain = fs::read_to_string(&file).unwrap();
    let mut console = gateway.console();
    // What the file can become: something of every kind that takes effect at once or with new sessions.
    let variants = [
        "".to_owned(),
        "set ns hostName other\nset ns limits -idleTimeoutMs 600000\nset ns logParam -level WARNING\n".to_owned(),
        "add vpn vserver vpn2 SSL 127.0.0.1 0\nbind ssl vserver vpn2 -certkeyName gw\n".to_owned(),
        "add vpn allowedHost more 192.0.2.0/24 -port 1494\nadd farm host demo 127.0.0.1 0\n".to_owned(),
        "set ssl vserver vpn1 -tls12 DISABLED\nset vpn parameter -ntDomain EXAMPLE\n".to_owned(),
        "add farm server second 127.0.0.1 0 -authorityID STA99\n".to_owned(),
    ];
    let mut reload = |n: u64| {
        replace(&file, &format!("{plain}{}", variants[usize::try_from(n).unwrap() % variants.len()]));
        let said = console.run("reload");
        assert_eq!(said.code, 0, "reload {n}: {said:?}\n{}", gateway.log());
    };
    let mut round = |reloads: u64| {
        let (stop, rounds, ready) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            let (gateway, host, stop, rounds, ready) = (&gateway, &host, &stop, &rounds, &ready);
            let running: Vec<ScopedJoinHandle<'_, u64>> = (0..streams)
                .map(|seed| {
                    scope.spawn(move || {
                        let mut client = gateway.launch_with(host.address, Opening::Bare);
                        ready.fetch_add(1, Relaxed);
                        stream(&mut client, seed, stop, rounds)
                    })
                })
                .collect();
            until("all streams to flow", || (ready.load(Relaxed) == streams).then_some(()));
            let mut reload_all = || {
                let time = timed(|| (0..reloads).for_each(&mut reload));
                println!("{reloads} reloads in {time:?} beside {streams} streams, {} rounds of theirs", rounds.load(Relaxed));
            };
            let reloading = std::panic::catch_unwind(std::panic::AssertUnwindSafe(&mut reload_all));
            stop.store(true, Relaxed);
            let each: Vec<u64> = running.into_iter().map(|one| one.join().unwrap()).collect();
            reloading.unwrap();
            assert_eq!(each.len() as u64, streams);
        });
        reload(0);
        (gateway.quiet(), gateway.memory_kib())
    };
    // Tables and buffers come to the size that this load needs.
    let (descriptors, memory) = round(variants.len() as u64 * 2);
    let (_, grown) = round(reloads);
    gateway.settles_at(descriptors);
    println!("{memory} KiB have become {grown} KiB");
    assert!(grown < memory + MEMORY_KIB_MORE, "{memory} KiB have become {grown} KiB");
    assert_eq!(gateway.count("closed_never"), 0);
    // A signal does the same.
    replace(&file, &format!("{plain}{}", variants[1]));
    gateway.signal("HUP");
    until("the signal to be obeyed", || console.run("show ns runningConfig").done().contains("hostName other").then_some(()));
    // A broken file changes nothing, and the log says where it is broken.
    replace(&file, &format!("{plain}add vpn vserver\n"));
    let before = console.run("show ns runningConfig").done();
    gateway.signal("HUP");
    until("the refusal to be logged", || gateway.log().contains("ns.conf:").then_some(()));
    assert_ne!(console.run("reload").code, 0);
    assert_eq!(console.run("show ns runningConfig").done(), before);
}

fn certificates_are_swapped_without_a_failed_handshake(engine: &'static str) {
    let swaps = wanted("SLUICE_SWAPS", 30);
    let gateway = wish(engine).line("set ns limits -unprovenPerSource 1000").start();
    let mut console = gateway.console();
    let (stop, shaken) = (AtomicBool::new(false), AtomicU64::new(0));
    let serial = |client: &Client| client.stream.conn.peer_certificates().unwrap()[0].to_vec();
    std::thread::scope(|scope| {
        let (gateway, stop, shaken) = (&gateway, &stop, &shaken);
        let running: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(move || {
                    while !stop.load(Relaxed) {
                        let _ = gateway.connect(); // fails the test if the handshake fails
                        shaken.fetch_add(1, Relaxed);
                    }
                })
            })
            .collect();
        let swapping = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for n in 0..swaps {
                let before = shaken.load(Relaxed);
                let old = serial(&gateway.connect());
                let (chain, key) = if n % 3 == 0 { gateway.ca.rsa_server(&[NAME]) } else { gateway.ca.server(&[NAME]) };
                let _ = write(gateway.dir(), "gw.pem", &chain);
                let _ = write(gateway.dir(), "gw.key", &key);
                let said = console.run("update ssl certKey gw");
                assert_eq!(said.code, 0, "{said:?}");
                until("the new certificate to be shown", || (serial(&gateway.connect()) != old).then_some(()));
                until("handshakes to go on", || (shaken.load(Relaxed) > before).then_some(()));
            }
        }));
        stop.store(true, Relaxed);
        running.into_iter().for_each(|one| one.join().unwrap());
        swapping.unwrap();
    });
    assert!(shaken.load(Relaxed) >= swaps);
    // A key that does not belong to the certificate is refused, and the old pair stays.
    let old = serial(&gateway.connect());
    let (chain, _) = gateway.ca.server(&[NAME]);
    let _ = write(gateway.dir(), "gw.pem", &chain);
    let said = console.run("update ssl certKey gw");
    assert_ne!(said.code, 0, "{said:?}");
    assert!(said.errors[0].contains("does not belong to the certificate"), "{said:?}");
    assert_eq!(serial(&gateway.connect()), old);
}

fn a_virtual_server_comes_and_goes(engine: &'static str) {
    let (gateway, host) = (wish(engine).start(), Host::echo());
    let mut console = gateway.console();
    let mut old = gateway.launch(host.address);
    let before = console.run("show ns runningConfig").done();
    let said = console.batch(
        "add vpn vserver vpn2 SSL 127.0.0.1 0 -vserverFqdn gw.example.test\n\
         bind ssl vserver vpn2 -certkeyName gw\n\
         bind vpn vserver vpn2 -staServer http://127.0.0.1:0\n",
    );
    assert_eq!(said.code, 0, "{said:?}");
    let row = rows(console.run("show vpn vserver vpn2 -format json")).remove(0);
    let at = row["address"].as_str().and_then(|at| at.parse().ok()).unwrap_or_else(|| panic!("{row}"));
    let connect = || Client::connect(at, NAME, &gateway.tls);
    let mut young = connect().unwrap();
    assert_eq!(young.present(&gateway.ticket(host.address).single(), Opening::Pipelined).unwrap(), 0);
    let said = console.run("disable vpn vserver vpn2");
    assert_eq!(said.code, 0, "{said:?}");
    until("the listener to be gone", || connect().err());
    assert_eq!(console.run("enable vpn vserver vpn2").code, 0);
    assert_eq!(console.run("rm vpn vserver vpn2").code, 0);
    until("the listener to be gone", || connect().err());
    // Both go on: the one of the server that stayed, and the one of the server that is no more.
    for client in [&mut old, &mut young] {
        client.stream.write_all(b"still here").unwrap();
        let mut back = [0; 10];
        client.stream.read_exact(&mut back).unwrap();
        assert_eq!(&back, b"still here");
    }
    assert_eq!(console.run("show ns runningConfig").done(), before);
}

/// A configuration as large as they come: users, groups, resources, hosts, bindings. What it takes is printed; no verdict hangs on it.
#[test]
fn ten_thousand_lines_are_one_change() {
    const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$UtZEz+BWHC0WlJmqT+7JZIGfdVZuDoQEmUbiCLh7qvY";
    let gateway = wish("AUTO").start();
    let lines: String = (0..2000)
        .map(|n| {
            format!(
                "add aaa user u{n} -password \"{HASH}\" -encrypted -hashmethod ARGON2ID\nadd aaa group g{n}\n\
                 bind aaa group g{n} -userName u{n}\nadd farm resource r{n} -host 10.{}.{}.1\nbind farm resource r{n} -groupName g{n}\n",
                n / 250,
                n % 250
            )
        })
        .collect();
    assert_eq!(lines.lines().count(), 10_000);
    let (file, mut console) = (gateway.dir().join("ns.conf"), gateway.console());
    let plain = fs::read_to_string(&file).unwrap();
    let running = || gateway.console().run("show ns runningConfig").done().lines().count();
    let before = running();
    replace(&file, &format!("{plain}{lines}"));
    let check = timed(|| {
        let checked = std::process::Command::new(crate::binary()).arg("check").arg(&file).output().unwrap();
        assert!(checked.status.success(), "{checked:?}");
    });
    let batch = timed(|| assert_eq!(console.batch(&lines).code, 0));
    assert_eq!(running(), before + 10_000);
    replace(&file, &plain);
    let away = timed(|| assert_eq!(console.run("reload").code, 0));
    assert_eq!(running(), before);
    replace(&file, &format!("{plain}{lines}"));
    let reload = timed(|| assert_eq!(console.run("reload").code, 0));
    assert_eq!(running(), before + 10_000);
    println!("10,000 lines: check {check:?}, batch {batch:?}, reload {reload:?}, and away {away:?}");
}

fn what_cannot_be_put_into_force_changes_nothing(engine: &'static str) {
    let (gateway, host) = (wish(engine).start(), Host::echo());
    let mut console = gateway.console();
    let mut client = gateway.launch(host.address);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    // Right in itself, and the machine refuses: a listener costs its own lines, not those beside them.
    let said = console.batch(&format!(
        "set ns hostName new\nadd vpn vserver vpn2 SSL 127.0.0.1 {port}\nbind ssl vserver vpn2 -certkeyName gw\n"
    ));
    assert_eq!(said.code, 1059, "{said:?}");
    assert!(said.errors.iter().any(|error| error.starts_with("line 2") && error.contains("vpn2")), "{said:?}");
    let after = console.run("show ns runningConfig").done();
    assert!(after.contains("hostName new") && !after.contains("vpn2"), "{after}");
    // By itself it fails by itself.
    let said = console.run(&format!("add vpn vserver vpn2 SSL 127.0.0.1 {port}\n"));
    assert_eq!(said.code, 0, "without a certificate it is not served: {said:?}");
    assert_eq!(console.run("bind ssl vserver vpn2 -certkeyName gw").code, 304);
    assert_eq!(console.run("rm vpn vserver vpn2").code, 0);
    assert_eq!(console.run("show ns runningConfig").done(), after);
    // A line that is wrong does not stop the others.
    let said = console
        .batch("set ns hostName new\nadd vpn vserver vpn2 SSL 127.0.0.1 99999\nbanana\nset ns limits -lingerTimeoutMs 1000\n");
    assert_eq!(said.code, 1059, "{said:?}");
    let of_lines: Vec<_> = said.errors.iter().filter(|error| error.starts_with("line ")).collect();
    assert_eq!(of_lines.len(), 2, "{said:?}");
    let after = console.run("show ns runningConfig").done();
    assert!(after.contains("hostName new") && after.contains("-lingerTimeoutMs 1000") && !after.contains("vpn2"), "{after}");
    let said = console.run("set ns limits -lingerTimeoutMs 1");
    assert_eq!(said.code, 508, "{said:?}");
    assert!(said.errors[0].contains("from 10 to"), "{said:?}");
    client.stream.write_all(b"x").unwrap();
    client.stream.read_exact(&mut [0]).unwrap();
}

fn a_session_is_ended_by_name_and_only_that(engine: &'static str) {
    let (gateway, host) = (wish(engine).start(), Host::echo());
    let mut console = gateway.console();
    let mut clients: Vec<Client> = (0..3).map(|_| gateway.launch(host.address)).collect();
    clients[1].stream.write_all(&[7; 1000]).unwrap();
    clients[1].stream.read_exact(&mut [0; 1000]).unwrap();
    let shown = until("three connections to be shown", || {
        let rows = rows(console.run("show vpn icaConnection -format json"));
        let moved = rows.iter().any(|row| row["upBytes"] == 1000 && row["downBytes"] == 1000);
        (rows.len() == 3 && moved).then_some(rows)
    });
    for row in &shown {
        let suite = row["cipherSuite"].as_str().unwrap_or_default();
        assert!(row["tlsVersion"] == "TLSv1.3" && suite.starts_with("TLS_") && row["postQuantum"].is_boolean(), "{row}");
    }
    let second = shown.iter().find(|row| row["upBytes"] == 1000).unwrap();
    let id = second["id"].as_str().unwrap().to_owned();
    assert_eq!(console.run(&format!("kill vpn icaConnection -id {id}")).code, 0);
    assert_eq!(clients[1].rest().unwrap(), b"");
    until("two to be left", || (rows(console.run("show vpn icaConnection -format json")).len() == 2).then_some(()));
    for at in [0, 2] {
        clients[at].stream.write_all(b"x").unwrap();
        clients[at].stream.read_exact(&mut [0]).unwrap();
    }
    assert_ne!(console.run("kill vpn icaConnection -id 4711").code, 0);
    assert_eq!(console.run("kill vpn icaConnection -all").code, 0);
    assert_eq!(clients[0].rest().unwrap(), b"");
    assert_eq!(clients[2].rest().unwrap(), b"");
    until("all three to be counted", || (gateway.count("closed_killed") == 3).then_some(()));
}

#[test]
fn who_changed_what_is_written_down_and_tampering_shows() {
    let mut gateway = wish("AUTO").line("set ns auditParam -file audit.log").start();
    let file = gateway.dir().join("audit.log");
    let mut console = gateway.console();
    assert_eq!(console.run("set ns hostName other").code, 0);
    assert_ne!(console.run("rm vpn vserver nobody").code, 0);
    drop(console);
    gateway.signal("TERM");
    assert!(gateway.wait().success());
    let text = fs::read_to_string(&file).unwrap();
    let change = text.lines().find(|line| line.contains("set ns hostName other")).unwrap();
    let record: Value = serde_json::from_str(change).unwrap();
    assert_eq!((&record["event"], &record["result"], &record["uid"]), (&"change".into(), &"done".into(), &0.into()));
    assert_eq!(record["pid"], std::process::id());
    assert!(text.contains("rm vpn vserver nobody"), "what was tried, too: {text}");
    let verify = || crate::tools::sluicectl().args(["audit", "verify"]).arg(&file).output().unwrap();
    let whole = verify();
    assert!(whole.status.success() && String::from_utf8_lossy(&whole.stdout).starts_with("whole: records 1 to "), "{whole:?}");
    fs::write(&file, text.replacen("hostName other", "hostName 0ther", 1)).unwrap();
    let edited = verify();
    assert_eq!(edited.status.code(), Some(1), "{edited:?}");
}
