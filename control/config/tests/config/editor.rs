//! Lines applied to a running configuration: what is right takes effect, what is wrong changes nothing and stops nothing.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use gate_config::catalog::{Op, commands};
use gate_config::code::Code;
use gate_config::edit::{Applied, Edited, Editor};
use gate_config::files::{FileError, Files, Loaded, Purpose};
use gate_config::model::{CertKey, Model, Name};
use gate_config::{Strictness, check};
use proptest::prelude::*;

use crate::kit::{Paper, strict, told};

fn editor(model: &Model) -> Editor {
    Editor::new(model, &Loaded::default(), Strictness::Strict)
}

fn edited(model: &Model, lines: &[&str]) -> (Vec<Applied>, Edited) {
    let mut editor = editor(model);
    let applied = lines.iter().map(|line| editor.line(line, &Paper)).collect();
    (applied, editor.finish(&Paper))
}

/// A configuration with something of everything.
fn rich() -> Model {
    let text: String = commands().iter().flat_map(|command| command.forms).fold(String::new(), |mut text, form| {
        if matches!(form.op, Op::Add | Op::Set | Op::Bind | Op::Enable) {
            text.push_str(form.example);
            text.push('\n');
        }
        text
    });
    let checked = strict(&text);
    checked.model.as_ref().unwrap_or_else(|| panic!("{}", told(&checked))).clone()
}

#[test]
fn a_wrong_line_stops_nothing() {
    let (applied, edited) = edited(
        &Model::default(),
        &[
            "add aaa user ann",
            "add aaa usr bob",
            "",
            "# a comment",
            "add aaa user ANN",
            "add aaa user cid -password x -bogus",
            "add aaa user dan",
        ],
    );
    let codes: Vec<Vec<Code>> = applied.iter().map(|a| a.problems.iter().map(|p| p.code).collect()).collect();
    assert_eq!(
        codes,
        [vec![], vec![Code::NoSuchCommand], vec![], vec![], vec![Code::UserExists], vec![Code::NoSuchArgument], vec![]]
    );
    assert_eq!(applied.iter().map(|a| a.number).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(edited.model.users.names().map(Name::as_str).collect::<Vec<_>>(), ["ann", "dan"]);
    assert_eq!(applied[1].problems[0].place.as_ref().map(|place| (place.line, place.column)), Some((2, 9)));
}

#[test]
fn a_line_may_refer_to_a_later_one() {
    let (applied, edited) = edited(
        &Model::default(),
        &["bind aaa group staff -userName ann", "bind aaa group staff -userName bob", "add aaa user ann", "add aaa group staff"],
    );
    assert_eq!(applied.iter().map(|a| a.waits).collect::<Vec<_>>(), [true, true, false, false]);
    let late: Vec<_> = edited.late.iter().map(|a| (a.number, a.is_done(), a.problems.len())).collect();
    assert_eq!(late, [(1, true, 0), (2, false, 1)]);
    assert_eq!(edited.late[1].problems[0].code, Code::NoSuchUser);
    assert_eq!(edited.model.groups.find("staff").unwrap().users.len(), 1);
}

#[test]
fn warnings_are_about_what_was_changed() {
    let model = strict("enable ns feature SSLVPN\nadd vpn vserver old SSL 192.0.2.1 443\n").model.unwrap();
    let (_, edited) = edited(&model, &["add vpn vserver new SSL 192.0.2.2 443"]);
    let about: Vec<_> = edited.whole.iter().map(|p| (p.code, p.about.as_str())).collect();
    assert_eq!(about, [(Code::NoCertificate, "new"), (Code::PrerequisiteMissing, "new")]);
}

#[test]
fn what_editing_makes_is_what_a_file_says() {
    let rich = rich();
    let printed = rich.print();
    let lines: Vec<&str> = printed.lines().collect();
    let (applied, edited) = edited(&Model::default(), &lines);
    assert!(applied.iter().all(|a| !a.problems.iter().any(gate_config::problem::Problem::is_error)));
    assert_eq!(edited.model.print(), printed);
    assert_eq!(strict(&printed).model, Some(edited.model));
}

/// Files, until they are lost.
struct Lost(AtomicBool);

impl Files for Lost {
    fn read(&self, path: &Path, purpose: Purpose) -> Result<zeroize::Zeroizing<Vec<u8>>, FileError> {
        if self.0.load(Ordering::Relaxed) { Err(FileError::Missing) } else { Paper.read(path, purpose) }
    }
}

/// Also one that names a file that cannot be read: nothing of it takes effect.
#[test]
fn a_refused_example_changes_nothing() {
    let rich = rich();
    let lost = Lost(AtomicBool::new(true));
    let mut refused = 0;
    for form in commands().iter().flat_map(|command| command.forms) {
        for line in [
            form.example.to_owned(),
            renamed(form.example),
            format!("{} -bogus x", form.example),
            form.example.replace(' ', "  "),
        ] {
            let mut editor = editor(&rich);
            let applied = editor.line(&line, &lost);
            let edited = editor.finish(&lost);
            let wrong = applied.problems.iter().chain(edited.late.iter().flat_map(|late| &late.problems)).any(|p| p.is_error());
            if wrong {
                refused += 1;
                assert_eq!(edited.model, rich, "{line}");
            }
        }
    }
    assert!(refused > commands().len(), "{refused}");
}

/// The same about an object that is not there.
fn renamed(example: &str) -> String {
    let words: Vec<&str> = example.splitn(5, ' ').collect();
    match words.as_slice() {
        [op, group, object, name, rest] => format!("{op} {group} {object} {name}2 {rest}"),
        [op, group, object, name] => format!("{op} {group} {object} {name}2"),
        _ => example.to_owned(),
    }
}

/// Files whose content changes.
struct Changing(std::cell::Cell<u8>);

impl Files for Changing {
    fn read(&self, _: &Path, _: Purpose) -> Result<zeroize::Zeroizing<Vec<u8>>, FileError> {
        let block = |label: &str| format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", self.0.get());
        match self.0.get() {
            0 => Err(FileError::Missing),
            _ => Ok((block("CERTIFICATE") + &block("PRIVATE KEY")).into_bytes().into()),
        }
    }
}

#[test]
fn files_are_read_anew_when_a_line_names_them() {
    let files = Changing(std::cell::Cell::new(1));
    let content =
        |loaded: &Loaded| loaded.certificate(Path::new("a.pem")).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let mut first = Editor::new(&Model::default(), &Loaded::default(), Strictness::Strict);
    assert!(first.line("add ssl certKey a -cert a.pem -key a.pem", &files).is_done());
    let first = first.finish(&files);
    files.0.set(2);
    let mut second = Editor::new(&first.model, &first.files, Strictness::Strict);
    assert!(second.line("add ssl certKey b -cert a.pem -key a.pem", &files).is_done());
    let second = second.finish(&files);
    assert!(content(&first.files).unwrap().contains("\n1\n"));
    assert!(content(&second.files).unwrap().contains("\n2\n"));
    files.0.set(0);
    let mut third = Editor::new(&second.model, &second.files, Strictness::Strict);
    assert!(!third.line("add ssl certKey c -cert a.pem -key a.pem", &files).is_done());
    let third = third.finish(&files);
    assert!(content(&third.files).unwrap().contains("\n2\n"));
    let pair = |key: &CertKey| key.certificate.clone();
    assert_eq!(third.model.certificates.values().map(pair).collect::<Vec<_>>().len(), 2);
}

/// Ten thousand lines, each of which refers to the ones before.
#[test]
fn ten_thousand_lines_are_applied_one_by_one() {
    let mut lines = vec!["enable ns feature SSLVPN AAA".to_owned()];
    for at in 0..1_000 {
        let (b, c) = (at / 250, at % 250);
        lines.push(format!("bind farm resource app{at} -userName user{at}"));
        lines.push(format!("add aaa user user{at}"));
        lines.push(format!("add aaa group group{at}"));
        lines.push(format!("bind aaa group group{at} -userName user{at}"));
        lines.push(format!("add ssl certKey cert{at} -cert c{at}.pem -key c{at}.key"));
        lines.push(format!("add vpn vserver gw{at} SSL 10.0.{b}.{c} 443 -comment \"number {at}\""));
        lines.push(format!("bind ssl vserver gw{at} -certkeyName cert{at}"));
        lines.push(format!("bind vpn vserver gw{at} -staServer https://sta{at}.example.com"));
        lines.push(format!("add vpn allowedHost host{at} 172.16.{b}.{c} -port 1494"));
        lines.push(format!("add farm resource app{at} -host 172.16.{b}.{c}:1494"));
    }
    let mut all = editor(&Model::default());
    let waits = lines.iter().filter(|line| all.line(line, &Paper).waits).count();
    assert_eq!(waits, 1_000);
    let made = all.finish(&Paper);
    assert!(made.late.iter().all(Applied::is_done));
    assert_eq!(check("f", &lines.join("\n"), Strictness::Strict, &Paper).model.as_ref(), Some(&made.model));

    let mut away = editor(&made.model);
    for at in 0..1_000 {
        for object in [
            "farm resource app",
            "vpn vserver gw",
            "ssl certKey cert",
            "aaa group group",
            "aaa user user",
            "vpn allowedHost host",
        ] {
            assert!(away.line(&format!("rm {object}{at}"), &Paper).is_done(), "{object}");
        }
        assert!(!away.line(&format!("rm vpn vserver gw{at}"), &Paper).is_done());
    }
    assert_eq!(away.finish(&Paper).model, strict("enable ns feature SSLVPN AAA\n").model.unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever was refused on the way: what is left prints, and reads back equal.
    #[test]
    fn whatever_is_left_reads_back(picks in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 1..60)) {
        let examples: Vec<&str> = commands().iter().flat_map(|command| command.forms).flat_map(|form| form.example.lines()).collect();
        let mut editor = editor(&Model::default());
        for (pick, other) in picks {
            let example = pick.get(&examples);
            editor.line(&if other { renamed(example) } else { (*example).to_owned() }, &Paper);
        }
        let model = editor.finish(&Paper).model;
        let printed = model.print();
        let again = strict(&printed);
        prop_assert_eq!(again.model.map(|again| again.print()), Some(printed));
    }
}
