//! What can be said, from the catalogue.
//!
//! ```text
//!   help                       groups, and words that stand alone
//!   help vpn                   a line for each command of the group
//!   help add vpn vserver       one command: how it is written, and its arguments
//! ```

use crate::catalog::asks::Ask;
use crate::catalog::resolve::{Grammar, Place, Target, Way, ways};
use crate::catalog::{Argument, Kind, Support, asks, synopsis, takes};

/// The lines that `help` shows about `words`.
///
/// # Errors
/// Why there is nothing to show.
pub(crate) fn help(words: &[&str], all: bool) -> Result<Vec<String>, String> {
    if all {
        return Ok(said().map(|way| line(&way)).collect());
    }
    if words.is_empty() {
        return Ok(overview());
    }
    let found = matching(words)?;
    match found.as_slice() {
        [one] => Ok(described(one, false)),
        several => Ok(several.iter().map(line).collect()),
    }
}

/// The lines that `man` shows about `words`.
///
/// # Errors
/// Why there is nothing to show.
pub(crate) fn man(words: &[&str]) -> Result<Vec<String>, String> {
    let mut text = Vec::new();
    for way in matching(words)? {
        if !text.is_empty() {
            text.push(String::new());
        }
        text.extend(described(&way, true));
    }
    Ok(text)
}

/// All that can be said, each once.
fn said() -> impl Iterator<Item = Way> {
    ways(Place::Console).iter().filter(|way| !way.short).copied()
}

/// Commands whose words begin as `words` do. The verb may be left out.
fn matching(words: &[&str]) -> Result<Vec<Way>, String> {
    let begins = |full: &str, short: &str| full.get(..short.len()).is_some_and(|head| head.eq_ignore_ascii_case(short));
    let fits = |own: &[&str], test: &dyn Fn(&str, &str) -> bool| {
        words.len() <= own.len() && words.iter().zip(own).all(|(said, own)| !own.is_empty() && test(own, said))
    };
    let named = |way: &Way, test: &dyn Fn(&str, &str) -> bool| {
        fits(&[way.verb, way.group, way.object], test) || fits(&[way.group, way.object], test)
    };
    let exact: Vec<Way> = said().filter(|way| named(way, &|own, said| own.eq_ignore_ascii_case(said))).collect();
    let found = if exact.is_empty() { said().filter(|way| named(way, &begins)).collect() } else { exact };
    if found.is_empty() { Err(format!("nothing is called {}", words.join(" "))) } else { Ok(found) }
}

fn overview() -> Vec<String> {
    let mut text = vec!["Groups, for `help <group>`:".to_owned()];
    let mut groups: Vec<&str> = Vec::new();
    for way in said().filter(|way| !way.object.is_empty()) {
        if !groups.contains(&way.group) {
            groups.push(way.group);
        }
    }
    for group in groups {
        let mut objects: Vec<&str> = Vec::new();
        for way in said().filter(|way| way.group == group && !way.object.is_empty()) {
            if !objects.contains(&way.object) {
                objects.push(way.object);
            }
        }
        text.push(format!("\t{group}: {}", objects.join(", ")));
    }
    text.push("By themselves:".to_owned());
    text.extend(asks().iter().filter(|ask| ask.object.is_empty()).map(|ask| format!("\t{}: {}", ask.words, ask.summary)));
    text
}

fn line(way: &Way) -> String {
    format!("{}: {}", called(way), summary(way))
}

fn called(way: &Way) -> String {
    [way.verb, way.group, way.object].into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn summary(way: &Way) -> &'static str {
    match way.target {
        Target::Form(command, _) | Target::Show(command) => command.summary,
        Target::Ask(Ask { summary, .. }) => summary,
    }
}

/// All about one command; `whole` with what one should know and an example.
fn described(way: &Way, whole: bool) -> Vec<String> {
    let grammar = Grammar::of(&way.target);
    let mut text = vec![synopsis(&grammar), format!("\t{}", summary(way))];
    let arguments = grammar.positionals.iter().map(|argument| (false, argument));
    for (dash, argument) in arguments.chain(grammar.all_keywords().map(|argument| (true, argument))) {
        text.extend(explained(argument, dash, grammar.unset));
    }
    let (notes, example) = match way.target {
        Target::Form(command, form) => (command.notes, form.example),
        Target::Show(command) => (command.notes, ""),
        Target::Ask(ask) => (ask.notes, ask.example),
    };
    if whole {
        text.extend(notes.lines().map(|line| format!("\t{line}")));
    }
    if !example.is_empty() {
        text.push(format!("\tExample: {example}"));
    }
    text
}

fn explained(argument: &Argument, dash: bool, unset: bool) -> Option<String> {
    let name = if dash { format!("-{}", argument.name) } else { format!("<{}>", argument.name) };
    match argument.support {
        Support::Full | Support::Held => {}
        Support::Always(value) => return Some(format!("\t{name}: always as with {value}. {}", argument.help)),
        Support::Kept => return (!argument.help.is_empty()).then(|| format!("\t{name}: kept without effect. {}", argument.help)),
    }
    let mut text = format!("\t{name}: {}", argument.help);
    if !matches!(argument.kind, Kind::Switch) && !unset {
        text.push_str(&format!(" Takes {}.", takes(&argument.kind)));
    }
    if !argument.default.is_empty() {
        text.push_str(&format!(" Default: {}.", argument.default));
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::commands;

    #[test]
    fn everything_that_can_be_said_is_explained() {
        let all = help(&[], true).unwrap();
        for way in said() {
            let words: Vec<&str> = [way.verb, way.group, way.object].into_iter().filter(|word| !word.is_empty()).collect();
            assert!(all.contains(&line(&way)), "{words:?}");
            let text = man(&words).unwrap().join("\n");
            assert!(text.contains(summary(&way)), "{words:?}: {text}");
        }
        for command in commands() {
            assert!(help(&[], false).unwrap().iter().any(|line| line.contains(command.object)), "{}", command.words);
        }
    }

    #[test]
    fn words_may_be_short_and_the_verb_left_out() {
        let text = help(&["add", "vpn", "vs"], false).unwrap();
        assert!(
            text[0].starts_with("add vpn vserver <name> <serviceType> <IPAddress> <port> [-vserverFqdn <dns name>]"),
            "{text:?}"
        );
        assert!(help(&["vpn", "vserver"], false).unwrap().len() > 5);
        assert_eq!(help(&["drain"], false).unwrap()[0], "drain [-within <number>] [-cancel] [-format text|json]");
        assert_eq!(help(&["banana"], false), Err("nothing is called banana".to_owned()));
        assert_eq!(help(&["add", "vpn", "vserver", "x"], false).ok(), None);
    }
}
