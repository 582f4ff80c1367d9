//! Secrets are planted everywhere, and everything that can be made to speak is asked (threat T85). What a flood of strangers leaves
//! of the log and of the audit log (T91).

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Command;

use gate_config::catalog::{What, asks, commands};
use sluicegate_tests::browser::Browser;
use sluicegate_tests::client::Opening;
use sluicegate_tests::deadline::until;
use sluicegate_tests::gateway::Gateway;
use sluicegate_tests::host::Host;

use crate::wish;

/// Whatever is said to the control socket in plain lines, as it came back.
fn plainly(gateway: &Gateway, lines: &str) -> String {
    let mut stream = std::os::unix::net::UnixStream::connect(gateway.dir().join("control.sock")).unwrap();
    stream.set_read_timeout(Some(sluicegate_tests::deadline::PATIENCE)).unwrap();
    let mut back = stream.try_clone().unwrap();
    let lines = lines.to_owned();
    let saying = std::thread::spawn(move || {
        stream.write_all(lines.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
    });
    let mut said = String::new();
    back.read_to_string(&mut said).unwrap();
    saying.join().unwrap();
    said
}

fn tool(arguments: &[&str], file: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_sluicegate")).args(arguments).arg(file).output().unwrap();
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

#[test]
fn no_planted_secret_is_ever_told() {
    let host = Host::echo();
    let gateway = wish("AUTO")
        .line("set ns auditParam -file audit.log")
        .line("set ns logParam -level DEBUG")
        .line("add aaa user ann -password planted-open-1")
        .line("add authentication radiusAction rad -serverIP 192.0.2.1 -radKey planted-radius-2")
        .line("add authentication ldapAction dir -serverIP 192.0.2.2 -ldapBindDn cn=gw -ldapBindDnPassword planted-directory-3")
        .line("add farm resource pad -host 127.0.0.1")
        .line("bind farm resource pad -everyone")
        .start();
    let key = fs::read_to_string(gateway.dir().join("gw.key")).unwrap();
    let mut planted: Vec<String> = ["open-1", "radius-2", "directory-3", "changed-4", "mistyped-5", "unfinished-6", "typed-7"]
        .iter()
        .map(|word| format!("planted-{word}"))
        .collect();
    planted.extend(key.lines().filter(|line| !line.starts_with('-')).map(str::to_owned));
    // A session whose ticket was good, one whose ticket was not, a login that was right and one that was wrong.
    let ticket = gateway.ticket(host.address);
    let mut running = gateway.connect();
    assert_eq!(running.present(&ticket.single(), Opening::Bare).unwrap(), 0);
    assert_ne!(gateway.connect().present(&ticket.single(), Opening::Bare).ok(), Some(0), "it is spent");
    planted.push(ticket.code);
    assert!(Browser::new(&gateway).log_in("ann", "planted-open-1").body.contains("pad"));
    let wrong = Browser::new(&gateway);
    let form = wrong.get("/vpn/index.html", &[]);
    let answer = wrong.post("/cgi/login", &[("login", "ann"), ("passwd", "planted-typed-7"), ("csrf", &form.hidden("csrf"))]);
    assert_eq!(answer.status, 403);
    // Changes with secrets in them: right, mistyped, unfinished, of the wrong kind, and saved.
    let mut told = plainly(
        &gateway,
        "set aaa user ann -password planted-changed-4\nadd aaa user bob -pasword planted-mistyped-5\n\
         add aaa user cid -password \"planted-unfinished-6\nset authentication radiusAction rad -radKey planted-mistyped-5 -x y\n\
         save ns config\nset ns hostName planted\n",
    );
    let sealed = fs::read_to_string(gateway.dir().join("sluicegate.key")).unwrap();
    planted.push(sealed.trim().to_owned());
    // Everything that shows, in every way that it can be shown.
    let mut questions = String::new();
    for command in commands() {
        for how in ["", " -format json", " -summary"] {
            questions.push_str(&format!("show {}{how}\n", command.words));
        }
        questions.push_str(&format!("man {}\nshow names {} {}\n", command.words, command.group, command.object));
    }
    for ask in asks() {
        let changes = matches!(
            ask.what,
            What::KillIcaConnections
                | What::KillAaaSessions
                | What::SaveConfig
                | What::ClearConfig
                | What::Reload
                | What::Drain
                | What::Client
                | What::Exit
        );
        if !changes {
            questions.push_str(&format!("{0}\n{0} -format json\n", ask.words));
        }
    }
    let answers = plainly(&gateway, &questions);
    assert!(answers.matches("planted").count() > 2, "nothing was shown:\n{answers}");
    assert!(answers.contains("******"), "no secret was there to be hidden:\n{answers}");
    told.push_str(&answers);
    told.push_str(&tool(&["check"], &gateway.dir().join("ns.conf")));
    told.push_str(&tool(&["check", "--json"], &gateway.dir().join("ns.conf")));
    told.push_str(&tool(&["import"], &gateway.dir().join("ns.conf")));
    told.push_str(&tool(
        &["diff", "running", "--socket", &gateway.dir().join("control.sock").display().to_string()],
        &gateway.dir().join("ns.conf"),
    ));
    told.push_str(&fs::read_to_string(gateway.dir().join("ns.conf")).unwrap());
    told.push_str(&fs::read_to_string(gateway.dir().join("audit.log")).unwrap());
    let _ = gateway.counters();
    told.push_str(&gateway.log());
    for secret in planted {
        if let Some(at) = told.find(&secret) {
            let line = told[..at].lines().count();
            panic!("{secret} is told: {:?}", told.lines().nth(line.saturating_sub(1)));
        }
    }
}

#[test]
fn a_flood_is_counted_in_the_log_and_leaves_the_audit_whole() {
    const FLOOD: u64 = 400;
    let gateway = wish("AUTO").line("set ns auditParam -file audit.log").line("set ns limits -unprovenPerSource 1000").start();
    let bad = || {
        let mut client = gateway.connect();
        assert_ne!(client.present(";40;STANOBODY;0123456789ABCDEF0123456789ABCDEF", Opening::Bare).ok(), Some(0));
    };
    let mut console = gateway.console();
    for n in 0..FLOOD {
        bad();
        if n % 10 == 0 {
            assert_eq!(console.run(&format!("set ns hostName flood{n}")).code, 0);
        }
    }
    // One line a second about a source, each with the number of those left out: together they are all that there were.
    let lines = || -> Vec<u64> {
        let log = gateway.log();
        let of = |line: &str| line.split("unsaid=").nth(1)?.split(' ').next()?.trim_matches('"').parse().ok();
        log.lines().filter(|line| line.contains("ticket led nowhere")).filter_map(of).collect()
    };
    let mut sent = FLOOD;
    // What comes behind a line is counted in the next, a second later, and there is one only if somebody comes. So they go on coming until
    // a line is seen before the next of them.
    until("all of it to be counted", || {
        let said = lines();
        if said.len() as u64 + said.iter().sum::<u64>() == sent {
            return Some(());
        }
        bad();
        sent += 1;
        None
    });
    assert!((lines().len() as u64) < FLOOD / 2, "{:?}", lines());
    // What operators do is not left out, whatever strangers do.
    let audit = fs::read_to_string(gateway.dir().join("audit.log")).unwrap();
    let missing = (0..FLOOD).step_by(10).find(|n| audit.matches(&format!("set ns hostName flood{n}\"")).count() != 1);
    assert_eq!(missing, None, "{audit}");
}
