//! It lasts: nothing is left over, and streams do not notice what happens to the control side.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use sluicegate_tests::client::Opening;
use sluicegate_tests::gateway::Gateway;
use sluicegate_tests::host::Host;
use sluicegate_tests::tools::Running;

use crate::{Pattern, wish};

on_each_engine!(ten_thousand_sessions_leave_nothing, streams_flow_while_control_is_stalled, stop_is_orderly);

fn ten_thousand_sessions_leave_nothing(engine: &'static str) {
    let (gateway, host) = (wish(engine).start(), Host::echo());
    let mut before = 0;
    for n in 0..10_000_u64 {
        if n == 100 {
            before = gateway.quiet();
        }
        let mut client = gateway.connect();
        // The negotiated opening costs a pause of 50 ms each: three bytes might become a request without greeting.
        let opening = match n % 100 {
            0 => Opening::Negotiated,
            odd if odd % 2 == 1 => Opening::Pipelined,
            _ => Opening::Bare,
        };
        assert_eq!(client.present(&gateway.ticket(host.address).single(), opening).unwrap(), 0, "session {n}");
        let sent = Pattern::new(n).bytes(64 + usize::try_from(n % 4000).unwrap());
        client.stream.write_all(&sent).unwrap();
        let mut back = vec![0; sent.len()];
        client.stream.read_exact(&mut back).unwrap();
        assert!(back == sent, "session {n}");
        client.finish().unwrap();
        assert_eq!(client.rest().unwrap(), b"", "session {n}");
    }
    let after = gateway.quiet();
    assert_eq!(after, before, "descriptors");
    let counters = gateway.counters();
    assert_eq!((counters["buffers_lent"], counters["sessions"], counters["spliced"]), (0, 0, 0));
    assert_eq!(counters["socks_connected"], 10_000);
    assert_eq!(host.accepted(), 10_000);
}

/// Stops one thread of the gateway, and only that, as a debugger would; it goes on when this is dropped.
fn freeze(gateway: &Gateway, thread: &str) -> Running {
    let tasks = format!("/proc/{}/task", gateway.pid());
    let task = std::fs::read_dir(&tasks)
        .unwrap()
        .map(|task| task.unwrap().path())
        .find(|task| std::fs::read_to_string(task.join("comm")).unwrap().trim() == thread)
        .unwrap_or_else(|| panic!("no thread {thread}"));
    let freezer = gateway.dir().join("freeze");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/gateway/freeze.c");
    let _ = sluicegate_tests::tools::output("gcc", &["-O1", "-o", freezer.to_str().unwrap(), source]);
    let id = task.file_name().unwrap().to_str().unwrap().to_owned();
    let mut running = Running::start(Command::new(freezer).arg(id).stdin(Stdio::piped()).stdout(Stdio::piped()));
    // It says one byte once the thread has stopped.
    running.0.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    running
}

fn streams_flow_while_control_is_stalled(engine: &'static str) {
    let (gateway, host) = (wish(engine).start(), Host::echo());
    let mut client = gateway.launch(host.address);
    let late = gateway.ticket(host.address).single();
    let mut waiting = gateway.connect();
    {
        let _frozen = freeze(&gateway, "control");
        // Control is stopped for as long as three seconds' worth of bytes take; the stream does not notice.
        let pause = sluicegate_tests::deadline::Deadline::after(std::time::Duration::from_secs(3));
        waiting.stream.write_all(&[&[5, 1, 0], sluicegate_tests::client::request(late.as_bytes()).as_slice()].concat()).unwrap();
        let mut rounds = 0_u64;
        while !pause.passed() || rounds < 100 {
            let sent = Pattern::new(rounds).bytes(50_000);
            client.stream.write_all(&sent).unwrap();
            let mut back = vec![0; sent.len()];
            client.stream.read_exact(&mut back).unwrap();
            assert!(back == sent);
            rounds += 1;
        }
    }
    // Once it goes on, the one that waited for its ticket is served.
    waiting.stream.read_exact(&mut [0; 2]).unwrap();
    assert_eq!(waiting.reply().unwrap(), 0);
}

#[test]
fn without_io_uring_mio_serves_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let denier = dir.path().join("deny_rings");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/gateway/deny_rings.c");
    let _ = sluicegate_tests::tools::output("gcc", &["-O1", "-o", denier.to_str().unwrap(), source]);
    let (gateway, host) = (wish("AUTO").through(denier).start(), Host::echo());
    let mut client = gateway.launch(host.address);
    client.stream.write_all(b"without a ring").unwrap();
    client.stream.read_exact(&mut [0; 14]).unwrap();
    let log = gateway.log();
    let said = log.lines().find(|line| line.contains("WARN") && line.contains("io_uring is not to be had"));
    assert!(
        said.is_some_and(|line| line.contains("EPERM") || line.contains("denied") || line.contains("not permitted")),
        "{log}"
    );
}

fn stop_is_orderly(engine: &'static str) {
    let (mut gateway, host) = (wish(engine).start(), Host::echo());
    let mut client = gateway.launch(host.address);
    gateway.signal("TERM");
    // The client is told by close_notify, not by a reset.
    assert_eq!(client.rest().unwrap(), b"");
    assert!(gateway.wait().success());
}
