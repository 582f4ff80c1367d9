//! The control socket from outside: who may use it, what bad input does, who is delayed.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use sluicegate_tests::client::Opening;
use sluicegate_tests::deadline::{PATIENCE, until};
use sluicegate_tests::gateway::Gateway;
use sluicegate_tests::host::Host;

use crate::{Pattern, wish};

/// Numbers that no system gives to anybody.
const SOMEBODY: u32 = 61_000;
const READERS: u32 = 61_001;
const CHANGERS: u32 = 61_002;

/// A connection for lines.
fn connect(path: &Path) -> UnixStream {
    let stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// All that is answered to `said`.
fn answer(path: &Path, said: impl AsRef<[u8]>) -> String {
    let mut stream = connect(path);
    stream.write_all(said.as_ref()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    rest(stream)
}

fn rest(mut stream: UnixStream) -> String {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        // Whoever is refused may have unread words of its own.
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    String::from_utf8(bytes).unwrap()
}

fn socket(gateway: &Gateway) -> PathBuf {
    gateway.dir().join("control.sock")
}

/// The running configuration.
fn running(path: &Path) -> String {
    answer(path, "show ns runningConfig\n")
}

/// Whether this test runs as root, who alone can be somebody else.
fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    status.lines().any(|line| line.split_whitespace().take(3).eq(["Uid:", "0", "0"]))
}

/// What `said` is answered with if a process of another user and other groups says it; if nothing, what socat complained of.
fn as_other(path: &Path, gid: u32, groups: &[u32], said: &str) -> String {
    let groups: Vec<String> = groups.iter().map(u32::to_string).collect();
    let groups = if groups.is_empty() { "--clear-groups".to_owned() } else { format!("--groups={}", groups.join(",")) };
    let mut child = Command::new("setpriv")
        .args([format!("--reuid={SOMEBODY}"), format!("--regid={gid}"), groups])
        .args(["socat", "-t20", "-", &format!("UNIX-CONNECT:{}", path.display())])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One that is refused may be gone before it is spoken to.
    let _ = child.stdin.take().unwrap().write_all(said.as_bytes());
    let done = child.wait_with_output().unwrap();
    let out = String::from_utf8(done.stdout).unwrap();
    if out.is_empty() { String::from_utf8_lossy(&done.stderr).into_owned() } else { out }
}

#[test]
fn the_socket_speaks_to_whom_it_is_for() {
    if !is_root() {
        return say("left out: only root can be somebody else");
    }
    let gateway = wish("AUTO").line(format!("set ns config -readGroup {READERS} -changeGroup {CHANGERS}")).start();
    // The kit's folder is its own alone; a real one is for the group.
    fs::set_permissions(gateway.dir(), fs::Permissions::from_mode(0o711)).unwrap();
    let path = socket(&gateway);
    until("the socket to belong to its group", || {
        use std::os::unix::fs::MetadataExt as _;
        let facts = fs::metadata(&path).unwrap();
        ((facts.gid(), facts.mode() & 0o777) == (READERS, 0o660)).then_some(())
    });
    let many: Vec<u32> = (62_000..62_100).chain([READERS, CHANGERS]).collect();
    let (look, change) = ("show ns hostName\n", "set ns hostName changed-by-somebody\n");
    let is_done = |said: String| said.ends_with(" Done\n");
    let is_refused = |said: &str| said.starts_with("ERROR: Permission denied");
    for (gid, groups) in [(READERS, &[][..]), (SOMEBODY, &[READERS]), (READERS, &[SOMEBODY])] {
        assert!(is_done(as_other(&path, gid, groups, look)), "{gid} {groups:?}");
        let said = as_other(&path, gid, groups, change);
        assert!(said.starts_with("ERROR: Operation not permitted") && !said.contains(" Done"), "{said}");
        for line in ["kill vpn icaConnection -all\n", "save ns config\n", "clear ns config -force basic\n", "drain\n", "reload\n"]
        {
            let said = as_other(&path, gid, groups, line);
            assert!(said.starts_with("ERROR: Operation not permitted"), "{line}: {said}");
        }
    }
    assert!(!running(&path).contains("changed-by-somebody"));
    for (n, (gid, groups)) in
        [(READERS, &[CHANGERS][..]), (CHANGERS, &[READERS]), (SOMEBODY, &[READERS, CHANGERS]), (SOMEBODY, &many)]
            .into_iter()
            .enumerate()
    {
        let name = format!("changed-{n}");
        assert!(is_done(as_other(&path, gid, groups, &format!("set ns hostName {name}\n"))), "{gid} {groups:?}");
        assert!(running(&path).contains(&name));
    }
    // Others do not come as far as the door.
    for (gid, groups) in [(SOMEBODY, &[][..]), (SOMEBODY, &[0]), (CHANGERS, &[])] {
        let said = as_other(&path, gid, groups, look);
        assert!(said.contains("socat[") && said.contains("Permission denied"), "{said}");
    }
    // And if somebody has opened the file to all, the door itself refuses them.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    for (gid, groups) in [(SOMEBODY, &[][..]), (SOMEBODY, &[0, 1, 2]), (0, &[])] {
        let said = as_other(&path, gid, groups, change);
        assert!(is_refused(&said), "{gid} {groups:?}: {said}");
    }
    assert!(is_done(as_other(&path, CHANGERS, &[], change)));
    until("the refusal to be logged", || gateway.log().contains("may not use it").then_some(()));
    assert!(
        gateway.log().contains(&format!("uid={SOMEBODY}")) || gateway.log().contains(&format!("uid\":{SOMEBODY}")),
        "{}",
        gateway.log()
    );
    // Other groups hold from the next connection on.
    answer(&path, "unset ns config -changeGroup -readGroup\n");
    let said = as_other(&path, CHANGERS, &[READERS], look);
    assert!(is_refused(&said) || said.contains("socat["), "{said}");
}

#[test]
fn bad_lines_cost_themselves_only() {
    let gateway = wish("AUTO").start();
    let path = socket(&gateway);
    let before = running(&path);
    let long = "x".repeat(16 * 1024 + 1);
    for (bytes, wanted) in [
        (format!("set ns hostName {long}\nshow ns version\n").into_bytes(), &["ERROR: ", " Done\n"][..]),
        (b"set ns hostName a\0b\nshow ns version\n".to_vec(), &["ERROR: ", " Done\n"]),
        (b"set ns hostName \xff\xfe\nshow ns version\n".to_vec(), &["ERROR: ", " Done\n"]),
        (b"set ns hostName \"unfinished\nshow ns version\n".to_vec(), &["ERROR: ", " Done\n"]),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\nshow ns version\n".to_vec(), &["ERROR: ", " Done\n"]),
        (b"show ns ver".to_vec(), &[" Done\n"]),
        (b"".to_vec(), &[]),
        (b"#sluicectl 1\nrun 5\nsho".to_vec(), &["text ", "end 1\n0"]),
        (b"#sluicectl 1\nrun five\nshow\n".to_vec(), &["text ", "end 1\n0", "error ", "end 3\n278"]),
        (b"#sluicectl 2\nset ns hostName x\n".to_vec(), &["ERROR: "]),
        (b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(), &["ERROR: "]),
    ] {
        let said = answer(&path, &bytes);
        let mut rest = said.as_str();
        for word in wanted {
            let at =
                rest.find(word).unwrap_or_else(|| panic!("{}: {word:?} is not in {said:?}", String::from_utf8_lossy(&bytes)));
            rest = &rest[at + word.len()..];
        }
        assert!(!wanted.is_empty() || said.is_empty());
    }
    assert_eq!(running(&path), before);
}

#[test]
fn half_a_line_waits_for_its_other_half() {
    let gateway = wish("AUTO").start();
    let mut stream = connect(&socket(&gateway));
    let mut first = [0; 1];
    for piece in ["sho", "w ns ver", "sion", "\n"] {
        stream.set_nonblocking(true).unwrap();
        assert_eq!(stream.read(&mut first).unwrap_err().kind(), ErrorKind::WouldBlock);
        stream.set_nonblocking(false).unwrap();
        stream.write_all(piece.as_bytes()).unwrap();
    }
    stream.shutdown(Shutdown::Write).unwrap();
    assert!(rest(stream).ends_with(" Done\n"));
}

#[test]
fn connections_are_few_and_who_leaves_makes_room() {
    let gateway = wish("AUTO").start();
    let path = socket(&gateway);
    let descriptors = gateway.descriptors();
    let mut all: Vec<UnixStream> = (0..32).map(|_| connect(&path)).collect();
    // Each has its place when it has its answer.
    for stream in &mut all {
        stream.write_all(b"show ns version\n").unwrap();
        assert!(stream.read(&mut [0; 1024]).unwrap() > 0);
    }
    assert_eq!(rest(connect(&path)), "ERROR: Session limit exceeded [32 connections]\n");
    all.truncate(31);
    until("a place to be free", || answer(&path, "show ns version\n").ends_with(" Done\n").then_some(()));
    drop(all);
    until("no descriptor to be left over", || (gateway.descriptors() <= descriptors).then_some(()));
}

#[test]
fn who_does_not_read_delays_nobody() {
    let gateway = wish("AUTO").start();
    let path = socket(&gateway);
    let mut deaf = connect(&path);
    deaf.set_nonblocking(true).unwrap();
    // Requests and their answers fill the socket in both directions.
    let mut asked = 0;
    until("the socket to be full", || match deaf.write(b"show ns runningConfig; show ns version; show ns limits\n") {
        Ok(_) => {
            asked += 1;
            None
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            Some(())
        }
    });
    assert!(asked > 100, "{asked}");
    for n in 0..20 {
        assert!(answer(&path, format!("set ns hostName name-{n}\nshow ns version\n")).ends_with(" Done\n"));
    }
    assert!(running(&path).contains("name-19"));
}

/// One frame.
fn frame(kind: &str, payload: &str) -> String {
    format!("{kind} {}\n{payload}", payload.len())
}

#[test]
fn sixteen_megabytes_are_a_batch_and_one_byte_more_is_none() {
    let gateway = wish("AUTO").start();
    let path = socket(&gateway);
    let part = |n: usize| {
        let begin = format!("set ns hostName batch-{n}\n#");
        let rest = "x".repeat(16_000);
        let mut part = begin;
        while part.len() + 16_002 < 131_072 {
            part.push_str(&rest);
            part.push_str("\n#");
        }
        part.push_str(&"y".repeat(131_071 - part.len()));
        part.push('\n');
        part
    };
    for (more, code, name) in [("", "0", "batch-127"), ("#", "278", "after")] {
        let mut stream = connect(&path);
        stream.write_all(b"#sluicectl 1\n").unwrap();
        for n in 0..128 {
            stream.write_all(frame("batch", &part(n)).as_bytes()).unwrap();
        }
        if !more.is_empty() {
            stream.write_all(frame("batch", more).as_bytes()).unwrap();
        }
        stream.write_all((frame("go", "") + &frame("run", "set ns hostName after")).as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let said = rest(stream);
        let ends: Vec<&str> = said.split("end ").skip(1).map(|end| end.lines().nth(1).unwrap_or_default()).collect();
        let is = |end: &str, wanted: &str| {
            end == wanted || end.strip_prefix(wanted).is_some_and(|more| !more.starts_with(|c: char| c.is_ascii_digit()))
        };
        assert!(ends.len() == 3 && is(ends[0], "0") && is(ends[1], code) && is(ends[2], "0"), "{said}");
        assert!(running(&path).contains("hostName after"));
        assert!(!running(&path).contains(name) || name == "after");
    }
}

/// Lines from which others are made.
const SEEDS: &[&str] = &[
    "show ns runningConfig",
    "show vpn icaConnection -format json",
    "show ns limits; show ns hostName",
    "stat vpn vserver vpn1",
    "stat ssl -format json",
    "show worker",
    "help set vpn vserver",
    "set ns limits -idleTimeoutMs 600000 -lingerTimeoutMs 2000",
    "set ns hostName \"gate way\"",
    "set vpn parameter -ntDomain EXAMPLE",
    "add aaa user mallory -password \"a b\\\"c\"",
    "add vpn allowedHost more 192.0.2.0/24 -port 1494-1500",
    "unset ns hostName",
    "rm vpn allowedHost more",
    "add ssl certKey other -cert gw.pem -key gw.key",
    "bind ssl vserver vpn1 -certkeyName gw",
    "set ns logParam -level WARNING",
    "diff ns config",
];

/// Words that chance would take long to find.
const WORDS: &[&str] = &[
    "-",
    ";",
    "\"",
    "'",
    "q/",
    "\\",
    "(",
    ")",
    "\0",
    "\u{1b}[2J",
    "\u{202e}",
    "\u{85}",
    "65536",
    "-1",
    "18446744073709551616",
    "#",
    "\t",
    "=",
    "\r",
];

/// One of the seeds with a few things changed. It never says `kill`, `drain` or `clear`, but may say anything else.
fn mutated(chance: &mut Pattern) -> Vec<u8> {
    let mut pick = |most: usize| {
        let mut bytes = [0; 8];
        chance.fill(&mut bytes);
        usize::try_from(u64::from_le_bytes(bytes) >> 33).unwrap() % most
    };
    let mut line = SEEDS[pick(SEEDS.len())].as_bytes().to_vec();
    for _ in 0..=pick(4) {
        let at = pick(line.len() + 1);
        match pick(6) {
            0 => line.insert(at, u8::try_from(pick(256)).unwrap()),
            1 if at < line.len() => drop(line.remove(at)),
            2 if at < line.len() => line[at] = u8::try_from(pick(256)).unwrap(),
            3 => drop(line.splice(at..at, WORDS[pick(WORDS.len())].bytes())),
            4 => line.truncate(at),
            _ => {
                let other = SEEDS[pick(SEEDS.len())].as_bytes();
                let from = pick(other.len());
                drop(line.splice(at..at, other[from..].iter().copied()));
            }
        }
    }
    line.retain(|byte| *byte != b'\n');
    line
}

#[test]
fn ten_thousand_mutated_lines_touch_no_stream() {
    let gateway = wish("AUTO").start();
    let (path, host) = (socket(&gateway), Host::echo());
    let (stop, rounds) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let (gateway, host, stop, rounds) = (&gateway, &host, &stop, &rounds);
        let streaming = scope.spawn(move || {
            let mut client = gateway.launch_with(host.address, Opening::Bare);
            let mut pattern = Pattern::new(5);
            while !stop.load(Relaxed) {
                let sent = pattern.bytes(4000);
                client.stream.write_all(&sent).unwrap();
                let mut back = vec![0; sent.len()];
                client.stream.read_exact(&mut back).unwrap();
                assert!(back == sent);
                rounds.fetch_add(1, Relaxed);
            }
            client.finish().unwrap();
            assert_eq!(client.rest().unwrap(), b"");
        });
        let talking = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            until("bytes to flow", || (rounds.load(Relaxed) > 0).then_some(()));
            let mut chance = Pattern::new(7);
            let mut stream = connect(&path);
            let reading = stream.try_clone().unwrap();
            let heard = scope.spawn(move || rest(reading));
            let before = rounds.load(Relaxed);
            for _ in 0..10_000 {
                let mut line = mutated(&mut chance);
                // `exit` would end the conversation.
                if line.trim_ascii().eq_ignore_ascii_case(b"exit") || line.trim_ascii().eq_ignore_ascii_case(b"quit") {
                    continue;
                }
                line.push(b'\n');
                stream.write_all(&line).unwrap();
            }
            stream.write_all(b"show ns version\n").unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            let heard = heard.join().unwrap();
            assert!(heard.ends_with(" Done\n") && heard.contains("ERROR: "), "{}", &heard[heard.len().saturating_sub(500)..]);
            assert!(!heard.contains("Internal error"), "a line broke the console");
            assert!(!heard.chars().any(|c| c.is_control() && c != '\n' && c != '\t'), "something acts on the terminal");
            assert!(rounds.load(Relaxed) > before);
        }));
        stop.store(true, Relaxed);
        streaming.join().unwrap();
        talking.unwrap();
    });
    assert_eq!(gateway.count("closed_never"), 0);
    // What runs reads back.
    let text = running(&path);
    assert!(text.ends_with(" Done\n"));
}

#[test]
fn ten_thousand_mutated_lines_of_a_reader_change_nothing() {
    if !is_root() {
        return say("left out: only root can be somebody else");
    }
    let gateway = wish("AUTO").line(format!("set ns config -readGroup {READERS}")).start();
    fs::set_permissions(gateway.dir(), fs::Permissions::from_mode(0o711)).unwrap();
    let (path, host) = (socket(&gateway), Host::echo());
    let mut client = gateway.launch_with(host.address, Opening::Bare);
    let before = running(&path);
    let mut chance = Pattern::new(11);
    let fatal = [
        "kill vpn icaConnection -all",
        "kill aaa session -all",
        "drain",
        "clear ns config -force full",
        "reload",
        "save ns config",
        "rm vpn vserver vpn1",
    ];
    let mut lines = Vec::new();
    for n in 0..10_000 {
        if n % 10 == 0 {
            lines.extend_from_slice(fatal[n / 10 % fatal.len()].as_bytes());
        } else {
            lines.extend(mutated(&mut chance));
        }
        lines.push(b'\n');
    }
    let file = gateway.dir().join("lines");
    fs::write(&file, &lines).unwrap();
    let done = Command::new("setpriv")
        .args([format!("--reuid={SOMEBODY}"), format!("--regid={READERS}"), "--clear-groups".to_owned()])
        .args(["socat", "-t60", "-", &format!("UNIX-CONNECT:{}", path.display())])
        .stdin(fs::File::open(&file).unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8(done.stdout).unwrap();
    assert!(
        said.matches("ERROR: Operation not permitted").count() >= 1000,
        "{} {}",
        said.len(),
        String::from_utf8_lossy(&done.stderr)
    );
    assert_eq!(running(&path), before);
    let sent = Pattern::new(3).bytes(100_000);
    client.stream.write_all(&sent).unwrap();
    let mut back = vec![0; sent.len()];
    client.stream.read_exact(&mut back).unwrap();
    assert!(back == sent);
}

/// A word to whoever reads the output of tests.
pub(crate) fn say(words: &str) {
    #[expect(clippy::print_stderr, reason = "a test that leaves something out says so")]
    {
        eprintln!("{words}");
    }
}
