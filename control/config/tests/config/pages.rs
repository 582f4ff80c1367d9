//! The pages below `docs/config/` are what the catalogue says, and the examples on them load.

use gate_config::catalog::{Op, commands, pages};

use crate::kit::{compare, root, strict, told};

#[test]
fn the_pages_are_those_of_the_catalogue() {
    let folder = root().join("docs/config");
    let pages = pages();
    for (name, text) in &pages {
        compare(&folder.join(name), text);
    }
    for entry in std::fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        assert!(pages.iter().any(|(page, _)| *page == name), "docs/config/{name} is nobody's page");
    }
}

/// All examples, with what takes away in its place behind what makes.
#[test]
fn the_examples_load() {
    for (at, command) in commands().iter().enumerate() {
        for form in command.forms {
            // What is referred to stands before who refers to it, and while somebody does, it cannot be removed, nor renamed
            // before he has been read.
            let others = if matches!(form.op, Op::Rm | Op::Rename) { &commands()[..at] } else { commands() };
            let others = others.iter().filter(|other| other.words != command.words);
            let makes = others.flat_map(|other| other.forms).filter(|form| form.op == Op::Add);
            let setting: String = makes.map(|form| format!("{}\n", form.example)).collect();
            let before = command.forms.iter().take_while(|other| other.op != form.op);
            // `rm` of an example would leave nothing to bind, and a binding is untied once only.
            let before = before.filter(|other| matches!(other.op, Op::Add | Op::Bind | Op::Link));
            let before: String = before.map(|other| format!("{}\n", other.example)).collect();
            let checked = strict(&format!("{setting}{before}{}\n", form.example));
            assert!(checked.model.is_some(), "{}\n{}", form.example, told(&checked));
        }
    }
}

/// A form that nothing prints would be lost when a configuration is saved.
#[test]
fn what_makes_something_shows_in_the_printed_text() {
    let everything: String = commands().iter().flat_map(|command| command.forms).fold(String::new(), |mut text, form| {
        if matches!(form.op, Op::Add | Op::Set | Op::Bind | Op::Enable) {
            text.push_str(form.example);
            text.push('\n');
        }
        text
    });
    let checked = strict(&everything);
    let model = checked.model.as_ref().unwrap_or_else(|| panic!("{}", told(&checked)));
    let printed = model.print();
    for command in commands() {
        assert!(printed.contains(command.words), "nothing of `{}` is printed:\n{printed}", command.words);
    }
    assert_eq!(strict(&printed).model.map(|again| again.print()), Some(printed));
}
