//! Real-life files in; problems and printed models out. `NAME.conf` is read strictly, `NAME.lenient.conf` leniently.

use std::fmt::Write;
use std::path::Path;

use gate_config::Strictness;
use gate_config::catalog::{Op, commands};
use gate_config::check;

use crate::kit::{Paper, compare, lenient, strict, told};

#[test]
fn golden_files() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "conf") {
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let mode = if name.contains(".lenient.") { Strictness::Lenient } else { Strictness::Strict };
        let text = std::fs::read_to_string(&path).unwrap();
        let checked = check(&name, &text, mode, &Paper);
        let mut out = told(&checked);
        if let Some(model) = &checked.model {
            let printed = model.print();
            write!(out, "--- printed\n{printed}").unwrap();
            assert!(!printed.contains("hunter2"), "{name}: a secret is printed");
            let again = check(&name, &printed, mode, &Paper);
            assert_eq!(again.model.map(|m| m.print()).as_ref(), Some(&printed), "{name}\n{}", told(&checked));
        }
        assert!(!out.contains("hunter2"), "{name}: a secret is told:\n{out}");
        compare(&path.with_extension("out"), &out);
        seen += 1;
    }
    assert!(seen >= 8, "only {seen} golden files");
}

/// Everything that can be said stands in a golden file. `UPDATE=1` writes one from the examples of the catalogue: `every.conf` makes
/// everything, `every-after.conf` changes and takes away again. Read what becomes of a new command in their `.out`.
#[test]
fn every_form_of_every_command_stands_in_a_golden_file() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut makes = "# Written by UPDATE=1: the examples of the catalogue that make something.\n".to_owned();
    let mut takes = "# Written by UPDATE=1: everything is made, then changed and taken away.\n".to_owned();
    let forms = || commands().iter().flat_map(|command| command.forms.iter().map(move |form| (command, form)));
    let is_making = |op: Op| matches!(op, Op::Add | Op::Set | Op::Bind | Op::Enable | Op::Link);
    for (_, form) in forms().filter(|(_, form)| is_making(form.op)) {
        writeln!(makes, "{}", form.example).unwrap();
        writeln!(takes, "{}", form.example).unwrap();
    }
    // Of those that take away an example may also make what it needs; that is there already.
    let last = |example: &'static str| example.lines().last().unwrap_or_default();
    let undoing = |op: Op| match op {
        Op::Unset | Op::Disable | Op::Update => 0,
        Op::Unlink | Op::Unbind => 1,
        Op::Rm | Op::Rename => 2,
        Op::Add | Op::Set | Op::Bind | Op::Enable | Op::Link => 3,
    };
    for stage in 0..3 {
        let mut of_stage: Vec<&str> =
            forms().filter(|(_, form)| undoing(form.op) == stage).map(|(_, form)| last(form.example)).collect();
        // Who refers stands behind what is referred to, and goes first.
        of_stage.reverse();
        of_stage.iter().for_each(|example| writeln!(takes, "{example}").unwrap());
    }
    compare(&folder.join("every.conf"), &makes);
    compare(&folder.join("every-after.conf"), &takes);
    let mut said = String::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "conf") {
            said.push_str(&std::fs::read_to_string(&path).unwrap());
            said.push('\n');
        }
    }
    let lines: Vec<String> = said.lines().map(str::to_lowercase).collect();
    let missing: Vec<String> = forms()
        .map(|(command, form)| format!("{} {}", form.op.word(), command.words))
        .filter(|words| {
            !lines.iter().any(|line| line.starts_with(&format!("{} ", words.to_lowercase())) || *line == words.to_lowercase())
        })
        .collect();
    assert!(missing.is_empty(), "in no golden file: {missing:#?}");
}

#[test]
fn order_does_not_matter() {
    let text = include_str!("../golden/demo.conf");
    let mut lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    lines.reverse();
    let (forward, backward) = (strict(text), strict(&lines.join("\n")));
    assert_eq!(told(&backward).matches("error").count(), 0, "{}", told(&backward));
    // Objects of one kind keep the order in which they were made, so texts are compared as sets of lines.
    let sorted = |model: &gate_config::model::Model| {
        let mut lines: Vec<_> = model.print().lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&forward.model.unwrap()), sorted(&backward.model.unwrap()));
}

#[test]
fn words_may_be_short_and_in_any_case() {
    let long =
        strict("add vpn vserver gw SSL 192.0.2.1 443 -cgp RELAY -state DISABLED\nset ns worker -engine MIO -busyPollUs 50\n");
    let short = strict("ADD VPN VS gw ssl 192.0.2.1 443 -cgp rel -St dis\nset NS WORK -eng m -busyPoll 50\n");
    assert_eq!(long.model, short.model);
    assert!(long.model.is_some(), "{}", told(&short));
}

#[test]
fn a_file_that_was_saved_reads_back() {
    let model = strict(include_str!("../golden/demo.conf")).model.unwrap();
    let saved = model.print_saved("Mon Jan  2 15:04:05 2026");
    assert!(saved.starts_with("#SG0.1 Build 0\n# Last modified by `save config`, Mon Jan  2 15:04:05 2026\n"), "{saved}");
    assert_eq!(strict(&saved).model.unwrap().print(), model.print());
}

#[test]
fn sealed_passwords_read_back_and_open_ones_never_come_out() {
    use gate_config::model::{Credential, HashFailed, Hasher, Secret};
    struct Fake;
    impl Hasher for Fake {
        fn hash(&self, password: &Secret) -> Result<String, HashFailed> {
            assert_eq!(password.expose(), "hunter2");
            Ok("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g".to_owned())
        }
    }
    let mut model = strict("enable ns feature AAA\nadd aaa user ann -password hunter2\nadd aaa user bob\n").model.unwrap();
    assert!(!model.print().contains("hunter2"));
    assert!(!format!("{model:?}").contains("hunter2"));
    let unsealed = strict(&model.print());
    assert!(told(&unsealed).contains("password unavailable"), "{}", told(&unsealed));
    model.seal(&Fake).unwrap();
    let again = strict(&model.print()).model.unwrap();
    assert_eq!(again, model);
    assert!(matches!(&again.users.find("ann").unwrap().credential, Credential::Hashed(phc) if phc.starts_with("$argon2id$")));
    assert_eq!(again.users.find("bob").unwrap().credential, Credential::None);
}

#[test]
fn problems_are_many_but_not_without_end() {
    let checked = strict(&"bogus\n".repeat(5000));
    assert_eq!(checked.problems.len(), gate_config::problem::PROBLEMS_MAX + 1);
    assert!(checked.model.is_none());
    // A flood of warnings does not hide the error behind it.
    let checked = lenient(&format!("{}set ns worker -count 0\n", "bogus\n".repeat(5000)));
    assert!(checked.model.is_none());
    assert_eq!(checked.errors().count(), 1);
}

#[test]
fn lengths_are_bounded() {
    let long_line = format!("set ns hostName {}\n", "a".repeat(20_000));
    assert!(told(&strict(&long_line)).contains("a line has at most"), "{}", told(&strict(&long_line)));
    let long_file = "#\n".repeat((16 << 20) / 2 + 1);
    assert!(told(&strict(&long_file)).contains("a configuration has at most"));
}
