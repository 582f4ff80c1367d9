//! Conversations on a real pseudo-terminal, with the real program and a gateway's double.
#![expect(clippy::unwrap_used, reason = "a helper of tests fails loudly")]

mod double;
mod terminal;

use std::os::unix::fs::PermissionsExt as _;

use double::{Answer, Double, done, error, text};
use terminal::Terminal;

const INFO: &str = r#"{"errorcode":0,"nsInfo":[{"hostName":"gw1"}]}"#;

fn answer(line: &str) -> Answer {
    match line {
        "show ns info -format json" => text(INFO),
        "show names vpn vserver" => text("gw.example.com\npartners\ntwo words\n"),
        "show long" => text(&(0..100).map(|n| format!("line {n}\n")).collect::<String>()),
        "rm vpn vserver gone" => error(258, "No such resource [gone]"),
        "show slow" => loop {
            std::thread::park();
        },
        "show bye" => (vec![], u16::MAX),
        "show hostile" => text("1)\tName: \u{1b}]0;owned\u{7}\u{202e}\n"),
        other if other.starts_with("set ") => done(),
        other => text(&format!("{other}!\n")),
    }
}

fn usual() -> Double {
    Double::start("Sluicegate 0.1.0 change", answer)
}

fn talk(double: &Double, more: &[&str], variables: &[(&str, &str)]) -> Terminal {
    let arguments = [&["--socket", double.socket.to_str().unwrap()], more].concat();
    Terminal::start(100, 24, double.folder.path(), &arguments, variables)
}

fn history(double: &Double) -> String {
    std::fs::read_to_string(double.folder.path().join("sluicectl/history")).unwrap_or_default()
}

#[test]
fn a_conversation() {
    let double = usual();
    let mut terminal = talk(&double, &[], &[]);
    let welcome = terminal.wait("gw1> ");
    assert!(welcome.contains("Sluicegate 0.1.0. You may look and change."), "{welcome}");
    terminal.press("show worker\r");
    let shown = terminal.wait(" Done\n");
    assert!(shown.contains("show worker!\n"), "{shown}");
    terminal.wait("gw1> ");
    terminal.press("rm vpn vserver gone\r");
    let shown = terminal.wait("ERROR: No such resource [gone]\n");
    assert!(shown.contains("\n                    ^^^^\n"), "{shown}");
    terminal.wait("gw1> ");
    // ctrl-C drops the line, ctrl-D leaves.
    terminal.press("rm everything\x03");
    terminal.wait("gw1> ");
    terminal.press("\x04");
    let (status, _) = terminal.end();
    assert_eq!(status.code(), Some(0));
    let heard = double.heard();
    assert!(!heard.iter().any(|line| line.contains("everything")), "{heard:?}");
}

#[test]
fn what_is_typed_ahead_or_pasted_is_not_lost() {
    let double = usual();
    let mut terminal = talk(&double, &[], &[]);
    terminal.wait("gw1> ");
    terminal.press("show one\rshow two\r");
    terminal.wait("show one!\n");
    terminal.wait("show two!\n");
    terminal.wait("gw1> ");
    terminal.press("\x1b[200~show three\nshow four\x1b[201~");
    terminal.wait("show four");
    terminal.press("\r");
    terminal.wait("show three!\n");
    terminal.wait("show four!\n");
    terminal.wait("gw1> ");
    terminal.press("\x04");
    assert_eq!(terminal.end().0.code(), Some(0));
}

#[test]
fn an_answer_need_not_be_waited_for() {
    let double = usual();
    let mut terminal = talk(&double, &[], &[]);
    terminal.wait("gw1> ");
    terminal.press("show slow\r");
    let deadline = terminal::deadline();
    while !double.heard().contains(&"run show slow".to_owned()) {
        assert!(terminal::now() < deadline);
        std::thread::yield_now();
    }
    terminal.press("\x03");
    terminal.wait("interrupted; what the gateway had accepted, it carries through");
    terminal.wait("gw1> ");
    terminal.press("show worker\r");
    terminal.wait("show worker!\n");
    terminal.wait("gw1> ");
    terminal.press("\x04");
    assert_eq!(terminal.end().0.code(), Some(0));
}

#[test]
fn read_level_is_shown() {
    let double = Double::start("Sluicegate 0.1.0 read", answer);
    let mut terminal = talk(&double, &[], &[]);
    let welcome = terminal.wait("gw1 (read)> ");
    assert!(welcome.contains("You may look, and change nothing."), "{welcome}");
    terminal.press("exit\r");
    assert_eq!(terminal.end().0.code(), Some(0));
}

#[test]
fn history_keeps_no_secrets() {
    let double = usual();
    let mut terminal = talk(&double, &[], &[]);
    for line in ["show one", "set aaa user ann -password hunter2", "show two", "show two"] {
        terminal.wait("gw1> ");
        terminal.press(&format!("{line}\r"));
        terminal.wait(" Done\n");
    }
    terminal.wait("gw1> ");
    terminal.press("history\r");
    let shown = terminal.wait(" Done\n");
    assert!(shown.contains("1  show one\n") && shown.contains("2  show two\n") && shown.contains("3  history\n"), "{shown}");
    terminal.wait("gw1> ");
    // The line before the last.
    terminal.press("\x1b[A\x1b[A\r");
    terminal.wait("show two!\n");
    terminal.wait("gw1> ");
    terminal.press("quit\r");
    terminal.end();
    assert_eq!(history(&double), "show one\nshow two\nhistory\nshow two\nquit\n");
    let path = double.folder.path().join("sluicectl/history");
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    // It is there the next time.
    let mut terminal = talk(&double, &[], &[]);
    terminal.wait("gw1> ");
    terminal.press("\x1b[A\x1b[A\r");
    terminal.wait("show two!\n");
    terminal.wait("gw1> ");
    terminal.press("\x04");
    terminal.end();
}

#[test]
fn words_and_names_are_completed() {
    let double = usual();
    let mut terminal = talk(&double, &[], &[]);
    terminal.wait("gw1> ");
    terminal.press("sho\tvpn vser\tgw\t\r");
    terminal.wait("show vpn vserver gw.example.com !\n");
    terminal.wait("gw1> ");
    terminal.press("rm vpn vserver \t\t");
    let shown = terminal.wait("partners");
    assert!(shown.contains("gw.example.com"), "{shown}");
    let shown = terminal.wait("gw1> rm vpn vserver ");
    assert!(shown.contains("\"two words\""), "{shown}");
    terminal.press("\x03");
    terminal.wait("gw1> ");
    terminal.press("\x04");
    terminal.end();
}

#[test]
fn long_answers_stop_at_the_page() {
    let double = usual();
    let mut terminal = talk(&double, &[], &[]);
    terminal.wait("gw1> ");
    terminal.press("show long\r");
    let page = terminal.wait("enough --");
    assert!(page.contains("line 22\n") && !page.contains("line 23\n"), "{page}");
    terminal.press("\r");
    let line = terminal.wait("enough --");
    assert!(line.contains("line 23\n") && !line.contains("line 24\n"), "{line}");
    terminal.press(" ");
    let page = terminal.wait("enough --");
    assert!(page.contains("line 46\n") && !page.contains("line 47\n"), "{page}");
    terminal.press("q");
    terminal.wait("gw1> ");
    terminal.press("set cli mode -page OFF\r");
    terminal.wait(" Done\n");
    terminal.wait("gw1> ");
    terminal.press("show long\r");
    let all = terminal.wait(" Done\n");
    assert!(all.contains("line 99\n") && !all.contains("enough"), "{all}");
    terminal.wait("gw1> ");
    terminal.press("\x04");
    terminal.end();
}

#[test]
fn another_pager_is_used_if_there_is_one() {
    let double = usual();
    let mut terminal = talk(&double, &[], &[("PAGER", "sed s/^/paged./")]);
    terminal.wait("gw1> ");
    terminal.press("show long\r");
    terminal.wait("paged.line 99\n");
    terminal.wait("gw1> ");
    terminal.press("\x04");
    terminal.end();
    // One that is not there is no loss.
    let mut terminal = talk(&double, &[], &[("PAGER", "/nonexistent/pager")]);
    terminal.wait("gw1> ");
    terminal.press("show long\r");
    terminal.wait("enough --");
    terminal.press("q");
    terminal.wait("gw1> ");
    terminal.press("\x04");
    terminal.end();
}

#[test]
fn what_a_stranger_chose_does_not_act_on_the_terminal() {
    let double = usual();
    let mut terminal = talk(&double, &[], &[]);
    terminal.wait("gw1> ");
    terminal.press("show hostile\r");
    terminal.wait("\\u{1b}]0;owned\\u{7}\\u{202e}\n");
    terminal.wait("gw1> ");
    terminal.press("\x04");
    let (_, shown) = terminal.end();
    assert!(!shown.contains('\u{7}') && !shown.contains('\u{202e}'));
}

#[test]
fn colours_obey() {
    let double = usual();
    let coloured = |more: &[&str], variables: &[(&str, &str)]| {
        let mut terminal = talk(&double, more, variables);
        terminal.wait("gw1> ");
        terminal.press("rm vpn vserver gone\r");
        terminal.wait("[gone]\n");
        terminal.wait("gw1> ");
        let raw = terminal.raw.clone();
        terminal.press("\x04");
        terminal.end();
        raw.contains("\x1b[31mERROR:")
    };
    assert!(coloured(&[], &[]));
    assert!(!coloured(&[], &[("NO_COLOR", "1")]));
    assert!(!coloured(&["--color", "never"], &[]));
    assert!(coloured(&["--color", "always"], &[("NO_COLOR", "1")]));
}

#[test]
fn aliases_last_as_long_as_the_conversation() {
    let double = usual();
    let mut terminal = talk(&double, &[], &[]);
    terminal.wait("gw1> ");
    terminal.press("alias w show worker\r");
    terminal.wait(" Done\n");
    terminal.wait("gw1> ");
    terminal.press("w -summary\r");
    terminal.wait("show worker -summary!\n");
    terminal.wait("gw1> ");
    terminal.press("unalias w\r");
    terminal.wait(" Done\n");
    terminal.wait("gw1> ");
    terminal.press("\x04");
    terminal.end();
}

#[test]
fn a_connection_that_is_lost_is_made_anew() {
    let double = usual();
    let mut terminal = talk(&double, &[], &[]);
    terminal.wait("gw1> ");
    terminal.press("show bye\r");
    terminal.wait("was lost before it had answered");
    terminal.wait("gw1> ");
    terminal.press("show worker\r");
    terminal.wait("show worker!\n");
    terminal.wait("gw1> ");
    terminal.press("\x04");
    assert_eq!(terminal.end().0.code(), Some(0));
}

#[test]
fn without_a_gateway_help_is_there_and_the_next_line_tries_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    let mut terminal = Terminal::start(100, 24, folder.path(), &["--socket", path.to_str().unwrap()], &[]);
    let welcome = terminal.wait("(no gateway)> ");
    assert!(welcome.contains("there is no such socket"), "{welcome}");
    terminal.press("show worker\r");
    terminal.wait("there is no such socket");
    terminal.wait("(no gateway)> ");
    terminal.press("help vpn\r");
    let help = terminal.wait("enough --");
    assert!(help.contains("add vpn vserver"), "{help}");
    terminal.press("q");
    terminal.wait("(no gateway)> ");
    let _stranger = double::stranger(&path, b"text 24\nSluicegate 0.1.0 change\nend 1\n0");
    terminal.press("\r");
    // The stranger greets, and goes away.
    terminal.wait("> ");
    terminal.press("\x04");
    assert_eq!(terminal.end().0.code(), Some(0));
}

#[test]
fn nothing_said_for_too_long_ends_it() {
    let double = usual();
    let mut terminal = talk(&double, &[], &[]);
    terminal.wait("gw1> ");
    terminal.press("set cli mode -timeout 1\r");
    terminal.wait("Nothing was said for too long");
    assert_eq!(terminal.end().0.code(), Some(0));
}

#[test]
fn the_live_view_on_a_terminal() {
    let double = Double::start("Sluicegate 0.1.0 read", |line| match line {
        "show ns info -format json" => text(r#"{"nsInfo":[{"hostName":"gw1","state":"RUNNING","version":"0.1.0"}]}"#),
        "stat ns -format json" => text(r#"{"ns":[{"sessions":7,"sessionsMax":100}]}"#),
        _ => text(r#"{"errorcode":0}"#),
    });
    let socket = double.socket.to_str().unwrap();
    let mut terminal = Terminal::start(80, 24, double.folder.path(), &["top", "--socket", socket, "--interval", "1"], &[]);
    // The first picture may have the answers already, or be drawn before they come; what is drawn later is only what has changed.
    terminal.wait("gw1");
    terminal.press("h");
    terminal.wait("scroll");
    terminal.press("q");
    let raw = terminal.raw.clone();
    assert!(terminal::plain(&raw).contains("quit"), "{raw:?}");
    let (status, _) = terminal.end();
    assert_eq!(status.code(), Some(0));
    assert!(raw.contains("\x1b[?1049h"), "{raw:?}");
}
