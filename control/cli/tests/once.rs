//! Commands without a conversation, with the real program and a gateway's double.
#![expect(clippy::unwrap_used, reason = "a helper of tests fails loudly")]

mod double;

use std::io::Write as _;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use gate_proto::frame::Say;

use double::{Double, done, error, stranger, text};

/// One that may change, and answers most lines with what they were.
fn usual() -> Double {
    Double::start("Sluicegate 0.1.0 change", |line| match line {
        "show nothing" => done(),
        "rm vpn vserver gone" => error(258, "No such resource [gone]"),
        "warn" => (vec![(Say::Text, "text\n".into()), (Say::Warning, "careful".into())], 0),
        "some" => error(1059, "Some commands failed"),
        "bye" => (vec![], u16::MAX),
        other => text(&format!("{other}\n")),
    })
}

/// A file beside the socket.
fn file(double: &Double, name: &str, content: &str) -> PathBuf {
    let path = double.folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    path
}

fn sluicectl(double: &Double, arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluicectl"));
    command.arg("--socket").arg(&double.socket).args(arguments);
    finish(&mut command, input)
}

fn finish(command: &mut Command, input: &str) -> (i32, String, String) {
    let mut child = command
        .env_remove("SLUICEGATE_SOCKET")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    told(&child.wait_with_output().unwrap())
}

fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn is(code: i32, out: &str, talk: &str) -> (i32, String, String) {
    (code, out.to_owned(), talk.to_owned())
}

#[test]
fn words_of_the_shell_are_words_of_the_gateway() {
    let double = usual();
    assert_eq!(sluicectl(&double, &["show", "vpn", "vserver"], ""), is(0, "show vpn vserver\n", ""));
    sluicectl(&double, &["add", "aaa", "user", "Ann Lee", "-password", "a\"b c", "-n", "-5"], "");
    sluicectl(&double, &["show worker; show sta"], "");
    sluicectl(&double, &["show", "worker", "-format", "json"], "");
    sluicectl(&double, &["diff", "ns", "config", "-format", "json"], "");
    assert_eq!(
        double.heard(),
        [
            "run show vpn vserver",
            r#"run add aaa user "Ann Lee" -password "a\"b c" -n "-5""#,
            "run show worker; show sta",
            "run show worker -format json",
            "run diff ns config -format json",
        ]
    );
}

#[test]
fn exit_codes_and_where_things_are_printed() {
    let double = usual();
    assert_eq!(sluicectl(&double, &["show", "nothing"], ""), is(0, "", ""));
    assert_eq!(sluicectl(&double, &["rm", "vpn", "vserver", "gone"], ""), is(1, "", "ERROR: No such resource [gone]\n"));
    assert_eq!(sluicectl(&double, &["warn"], ""), is(0, "text\n", "Warning: careful\n"));
    assert_eq!(sluicectl(&double, &["some"], ""), is(4, "", "ERROR: Some commands failed\n"));
    let (code, out, talk) = sluicectl(&double, &["bye"], "");
    assert_eq!((code, &*out), (3, ""));
    assert!(talk.contains("was lost before it had answered"), "{talk}");
    assert_eq!(
        sluicectl(&double, &["-c", "show a\nshow b", "-c", "rm vpn vserver gone"], ""),
        is(4, "show a\nshow b\n", "ERROR: No such resource [gone]\n")
    );
    assert_eq!(sluicectl(&double, &["-c", "show a", "show", "b"], "").0, 2);
    assert_eq!(sluicectl(&double, &["--nonsense"], "").0, 2);
}

#[test]
fn lines_of_standard_input() {
    let double = usual();
    let input = "# a comment\nshow a\n\nrm vpn vserver gone\nshow b; show c\nexit\nshow never\n";
    assert_eq!(sluicectl(&double, &[], input), is(4, "show a\nshow b; show c\n", "ERROR: No such resource [gone]\n"));
    assert_eq!(double.heard(), ["run show a", "run rm vpn vserver gone", "run show b; show c"]);
    assert_eq!(sluicectl(&double, &[], ""), is(0, "", ""));
    assert_eq!(sluicectl(&double, &[], "rm vpn vserver gone\nrm vpn vserver gone\n").0, 1);
}

#[test]
fn json_is_asked_for_where_it_can_be() {
    let double = usual();
    sluicectl(&double, &["--format", "json", "show worker; set ns hostName gw2"], "");
    sluicectl(&double, &["--format", "json"], "stat ns\n");
    assert_eq!(double.heard(), ["run show worker -format json; set ns hostName gw2", "run stat ns -format json"]);
}

#[test]
fn a_file_is_read_here_and_carried_out_there() {
    let double = usual();
    let lines = "set ns hostName gw2\n# why\nrm vpn vserver x\n";
    let file = file(&double, "changes.conf", lines);
    let out = double.folder.path().join("out.txt");
    let (file, out_path) = (file.to_str().unwrap(), out.to_str().unwrap());
    assert_eq!(sluicectl(&double, &["batch", "-fileName", file], ""), is(0, "batch\n", ""));
    assert_eq!(sluicectl(&double, &["source", file], ""), is(0, "batch\n", ""));
    assert_eq!(sluicectl(&double, &["batch", "-fileName", file, "-outfile", out_path, "-ntimes", "2"], ""), is(0, "", ""));
    assert_eq!(double.heard(), vec![format!("batch {lines}"); 4]);
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "batch\nbatch\n");
    let (code, _, talk) = sluicectl(&double, &["batch", "-fileName", "/nonexistent/file"], "");
    assert_eq!(code, 1);
    assert!(talk.starts_with("ERROR: No such file [/nonexistent/file: "), "{talk}");
    let (code, _, talk) = sluicectl(&double, &["batch", "-fileName", file, "-outfile", "/nonexistent/out"], "");
    assert_eq!(code, 1);
    assert!(talk.starts_with("ERROR: No such file [/nonexistent/out: "), "{talk}");
}

#[test]
fn a_batch_longer_than_a_frame_arrives_whole() {
    let double = usual();
    let lines: String = (0..20_000).map(|n| format!("set vpn vserver gw -comment \"line {n} ä\"\n")).collect();
    let file = file(&double, "long.conf", &lines);
    assert_eq!(sluicectl(&double, &["source", file.to_str().unwrap()], "").0, 0);
    assert_eq!(double.heard(), [format!("batch {lines}")]);
}

#[test]
fn no_gateway_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    let run = |path: &std::path::Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sluicectl"));
        finish(command.arg("--socket").arg(path).arg("whoami"), "")
    };
    let (code, _, talk) = run(&path);
    assert_eq!(code, 3);
    assert!(talk.contains("there is no such socket\ncure: "), "{talk}");
    drop(UnixListener::bind(&path).unwrap());
    let (code, _, talk) = run(&path);
    assert_eq!(code, 3);
    assert!(talk.contains("the gateway is not running\ncure: "), "{talk}");
    for (said, expected) in [
        (
            &b"ERROR: Permission denied [uid 1001]\n"[..],
            "the gateway refused: Permission denied [uid 1001]\ncure: who may connect is said by `set ns config -readGroup`",
        ),
        (b"ERROR: \x1b[2J\n", "refused: \\u{1b}[2J\n"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "this is not the control socket of a gateway of this version"),
        (b"text 5\nhelloend 1\n0", "this is not the control socket"),
        (b"", "was lost before it had answered"),
    ] {
        std::fs::remove_file(&path).unwrap();
        let thread = stranger(&path, said);
        let (code, _, talk) = run(&path);
        assert_eq!(code, 3);
        assert!(talk.contains(expected), "{talk}");
        thread.join().unwrap();
    }
}

#[test]
fn the_environment_says_where() {
    let double = usual();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluicectl"));
    let output = command.arg("whoami").env("SLUICEGATE_SOCKET", &double.socket).output().unwrap();
    assert_eq!(told(&output), is(0, "whoami\n", ""));
}

#[test]
fn colours_only_where_they_are_wanted() {
    let double = usual();
    let (_, _, talk) = sluicectl(&double, &["--color", "always", "rm", "vpn", "vserver", "gone"], "");
    assert_eq!(talk, "\x1b[31mERROR:\x1b[0m No such resource [gone]\n");
    assert_eq!(sluicectl(&double, &["rm", "vpn", "vserver", "gone"], "").2, "ERROR: No such resource [gone]\n");
}

#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let double = Double::start("Sluicegate 0.1.0 read", |_| text(&"x\n".repeat(1_000_000)));
    let mut child = Command::new(env!("CARGO_BIN_EXE_sluicectl"))
        .arg("--socket")
        .arg(&double.socket)
        .arg("x")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(told(&child.wait_with_output().unwrap()), is(0, "", ""));
}

#[test]
fn a_snapshot_of_the_live_view() {
    let double = Double::start("Sluicegate 0.1.0 read", |line| match line {
        "stat ns -format json" => text(r#"{"errorcode":0,"ns":[{"sessions":7,"sessionsMax":100}]}"#),
        "show sta -format json" => error(1088, "No such command [sta]"),
        _ => text(r#"{"errorcode":0}"#),
    });
    let (code, out, _) = sluicectl(&double, &["top", "--once", "--interval", "1"], "");
    assert_eq!(code, 0);
    assert!(out.contains(" Sessions         7 / 100"), "{out}");
    assert!(out.lines().all(|line| line.chars().count() <= 80));
    let (code, out, _) = sluicectl(&double, &["top", "--once", "--interval", "1", "--format", "json"], "");
    assert_eq!(code, 0);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&out).unwrap()["sessions"], 7);
    let (code, _, talk) = sluicectl(&double, &["top"], "");
    assert_eq!((code, &*talk), (2, "sluicectl: the live view needs a terminal; without one, use --once\n"));
}

#[test]
fn what_runs_against_a_file() {
    let double = Double::start("Sluicegate 0.1.0 read", |line| match line {
        "show ns runningConfig -format json" => text(r#"{"nsRunningConfig":[{"line":"set ns hostName gw1"}]}"#),
        other => panic!("{other}"),
    });
    let diff = |content: &str, more: &[&str]| {
        let file = file(&double, "ns.conf", content);
        sluicectl(&double, &[&["diff", "running", file.to_str().unwrap()], more].concat(), "")
    };
    assert_eq!(diff("set ns hostName gw1\n", &[]), is(0, "", ""));
    let (code, out, _) = diff("set ns hostName gw2\n", &[]);
    assert_eq!(code, 1);
    assert!(out.ends_with("- set ns hostName gw1\n+ set ns hostName gw2\n"), "{out}");
    let (code, out, _) = diff("set ns hostName gw2\n", &["--json"]);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &json["equal"]), (1, &serde_json::json!(false)));
    assert_eq!(json["changes"][0]["file"][0], "set ns hostName gw2");
    let (code, _, talk) = diff("add aaa user\n", &[]);
    assert_eq!(code, 2);
    assert!(talk.contains("error 1094: Too few arguments"), "{talk}");
    let (code, _, talk) = sluicectl(&double, &["diff", "running", "/nonexistent"], "");
    assert_eq!(code, 2);
    assert!(talk.contains("/nonexistent: "), "{talk}");
}
