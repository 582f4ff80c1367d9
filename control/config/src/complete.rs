//! What could stand where the cursor is.
//!
//! ```text
//!   bind ssl vserver gw -certkeyName we|
//!   ──────────────────────────────── ──
//!   words that are there: which       the word's beginning: which of those
//!   words, arguments or names may     that may follow begin so
//!   follow
//! ```
//!
//! Only what stands before the cursor counts, and of several commands on the line only the last.

use crate::catalog::resolve::{Grammar, Picked, Place, Target, Way, find, pick, ways};
use crate::catalog::{Argument, Command, Kind, Op, Support, What, commands, namesake};
use crate::text::lex::{FaultKind, Kind as TokenKind, Token, is_blank, lex};
use crate::text::split::last_begin;
use crate::text::word::word;

/// Most candidates that are offered; nobody reads more.
pub const CANDIDATES_MAX: usize = 1024;

/// Something that could stand where the cursor is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The whole word, quoted if it must be.
    pub text: String,
    /// What it is, in a line.
    pub help: String,
    /// First byte of the word in the line that it takes the place of; that word ends at the cursor.
    pub start: usize,
}

/// What could stand in `line` at byte `cursor`, at most [`CANDIDATES_MAX`]. `names` tells the objects of a kind; it is asked only if
/// one of them may stand there.
#[must_use]
pub fn complete(line: &str, cursor: usize, names: &dyn Fn(&'static Command) -> Vec<String>) -> Vec<Candidate> {
    let cursor = (0..=cursor.min(line.len())).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
    let before = line.get(..cursor).unwrap_or_default();
    let begin = last_begin(before);
    let said = before.get(begin..).unwrap_or_default();
    let mut tokens = lex(said);
    let end = tokens.tokens.last().map_or(0, |token| token.span.end);
    let behind = said.get(end..).unwrap_or_default();
    let open = behind.trim_start_matches(is_blank);
    let (part, start) = match tokens.fault {
        // A quote that is still open is a word at work.
        Some(fault) if fault.kind == FaultKind::UnmatchedQuote && open.starts_with(['"', '\'']) => {
            (open.get(1..).unwrap_or_default().to_owned(), said.len() - open.len())
        }
        Some(_) => return Vec::new(),
        None if open.starts_with('#') => return Vec::new(),
        None if behind.is_empty() && !said.is_empty() => match tokens.tokens.pop() {
            Some(Token { kind: TokenKind::Keyword, value, span }) => (format!("-{}", value.as_str()), span.start),
            Some(Token { kind: TokenKind::Word, value, span }) => (value.as_str().to_owned(), span.start),
            None => (String::new(), said.len()),
        },
        None => (String::new(), said.len()),
    };
    let mut found = Offers { part: &part, start: begin + start, names, found: Vec::new() };
    found.line(&tokens.tokens);
    found.found.truncate(CANDIDATES_MAX);
    found.found
}

/// What is on offer for the word at work.
struct Offers<'a> {
    part: &'a str,
    start: usize,
    names: &'a dyn Fn(&'static Command) -> Vec<String>,
    found: Vec<Candidate>,
}

impl Offers<'_> {
    /// Offers a word of the catalogue, in any case.
    fn word(&mut self, text: &str, help: impl Into<String>) {
        let begins = text.get(..self.part.len()).is_some_and(|head| head.eq_ignore_ascii_case(self.part));
        if begins && !self.found.iter().any(|other| other.text == text) {
            self.found.push(Candidate { text: text.to_owned(), help: help.into(), start: self.start });
        }
    }

    fn line(&mut self, done: &[Token]) {
        self.words(done);
        if let Ok(Target::Ask(ask)) = find(done, Place::Console, false).map(|found| found.target)
            && matches!(ask.what, What::Help | What::Man)
        {
            let about = done.get(1..).unwrap_or_default();
            self.words(about);
            if about.is_empty() {
                for way in ways(Place::Console).iter().filter(|way| !way.short && !way.object.is_empty()) {
                    self.word(way.group, "");
                }
            }
            return;
        }
        if let Ok(found) = find(done, Place::Console, false) {
            self.arguments(&found.target, found.rest);
        }
    }

    /// Verb, group, object.
    fn words(&mut self, done: &[Token]) {
        let mut left: Vec<&Way> = ways(Place::Console).iter().collect();
        let parts: [fn(&Way) -> &'static str; 3] = [|way| way.verb, |way| way.group, |way| way.object];
        for (at, part) in parts.iter().enumerate() {
            let Some(said) = done.get(at) else {
                for way in left.iter().filter(|way| !part(way).is_empty()) {
                    self.word(part(way), help(way, at));
                }
                return;
            };
            let known = left.iter().map(|way| (part(way), part(way)));
            let known: Vec<_> = known.filter(|(word, _)| !word.is_empty()).collect();
            let mut distinct: Vec<(&str, &str)> = Vec::new();
            for entry in known {
                if !distinct.contains(&entry) {
                    distinct.push(entry);
                }
            }
            let Picked::One(word) = pick(&said.value, distinct.iter().copied()) else { return };
            left.retain(|way| part(way) == word);
        }
    }

    fn arguments(&mut self, target: &Target, rest: &[Token]) {
        let grammar = Grammar::of(target);
        let keyword = rest.iter().rposition(|token| token.kind == TokenKind::Keyword);
        if let Some((at, token)) = keyword.and_then(|at| rest.get(at).map(|token| (at, token))) {
            let known = grammar.all_keywords().map(|argument| (argument.name, argument));
            let Picked::One(argument) = pick(&token.value, known) else { return };
            let values = rest.len() - at - 1;
            let most = if grammar.unset || matches!(argument.kind, Kind::Switch) {
                0
            } else if let Kind::List(_, most) = argument.kind {
                most
            } else {
                1
            };
            if values < most {
                self.value(argument, target, false);
            }
            if values >= most.min(1) {
                self.keywords(&grammar, rest);
            }
            return;
        }
        let last = grammar.positionals.len().saturating_sub(1);
        let at = if grammar.positionals.last().is_some_and(|a| a.kind.is_list()) { rest.len().min(last) } else { rest.len() };
        let argument = grammar.positionals.get(at);
        if let Some(argument) = argument {
            self.value(argument, target, at == 0);
        }
        if argument.is_none_or(|argument| !argument.required || rest.len() > at) {
            self.keywords(&grammar, rest);
        }
    }

    /// Keywords that are not there yet.
    fn keywords(&mut self, grammar: &Grammar, rest: &[Token]) {
        let there: Vec<&str> = rest
            .iter()
            .filter(|token| token.kind == TokenKind::Keyword)
            .filter_map(|token| match pick(&token.value, grammar.all_keywords().map(|argument| (argument.name, argument.name))) {
                Picked::One(name) => Some(name),
                Picked::Several(_) | Picked::None => None,
            })
            .collect();
        for argument in grammar.all_keywords().filter(|a| a.support == Support::Full && !there.contains(&a.name)) {
            self.word(&format!("-{}", argument.name), argument.help);
        }
    }

    /// Values of an argument: words to choose from, names of objects. `first` if it stands where the object's own name does.
    fn value(&mut self, argument: &'static Argument, target: &Target, first: bool) {
        let kind = if let Kind::List(member, _) = argument.kind { member } else { &argument.kind };
        // Of a list divided by commas the last member is at work.
        let members = if argument.kind.is_list() { self.part.rfind(',').map_or(0, |comma| comma + 1) } else { 0 };
        let (before, part) = self.part.split_at(members);
        let mut offer = |text: &str, help: &str, begins: bool| {
            if begins {
                let text =
                    if before.is_empty() { word(text).into_owned() } else { word(&format!("{before}{text}")).into_owned() };
                self.found.push(Candidate { text, help: help.to_owned(), start: self.start });
            }
        };
        if let Kind::Choice(words) = kind {
            for text in *words {
                offer(text, "", text.get(..part.len()).is_some_and(|head| head.eq_ignore_ascii_case(part)));
            }
        }
        for command in named(argument, target, first) {
            for name in (self.names)(command) {
                offer(&name, command.words, name.starts_with(part));
            }
        }
    }
}

/// The commands whose objects an argument names.
fn named(argument: &Argument, target: &Target, first: bool) -> Vec<&'static Command> {
    let words = match target {
        _ if !argument.names.is_empty() => argument.names,
        Target::Form(command, form) if first && form.op != Op::Add && matches!(argument.kind, Kind::Name) => namesake(command),
        Target::Show(command) if first => namesake(command),
        Target::Form(..) | Target::Show(_) | Target::Ask(_) => return Vec::new(),
    };
    let (begin, end) = words.split_once('*').unwrap_or((words, ""));
    let is = |command: &&&Command| match words.contains('*') {
        true => command.words.starts_with(begin) && command.words.ends_with(end),
        false => command.words == words,
    };
    commands().iter().filter(is).copied().collect()
}

/// What a word of a command leads to.
fn help(way: &Way, at: usize) -> String {
    let ends = match at {
        0 => way.group.is_empty(),
        1 => way.object.is_empty(),
        _ => true,
    };
    if !ends {
        return String::new();
    }
    match way.target {
        Target::Form(command, _) | Target::Show(command) => command.summary.to_owned(),
        Target::Ask(ask) => ask.summary.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn offered(line: &str) -> Vec<String> {
        let names = |command: &'static Command| match command.words {
            "vpn vserver" => vec!["gw".to_owned(), "Demo vs".to_owned()],
            "ssl certKey" => vec!["web".to_owned()],
            _ => Vec::new(),
        };
        complete(line, line.len(), &names)
            .into_iter()
            .map(|candidate| format!("{}@{}", candidate.text, candidate.start))
            .collect()
    }

    fn has(line: &str, wanted: &[&str]) {
        let there = offered(line);
        for word in wanted {
            assert!(there.iter().any(|text| text == word), "{line}: {word} is not in {there:?}");
        }
    }

    #[test]
    fn offers_what_may_follow() {
        has("", &["add@0", "show@0", "drain@0", "help@0"]);
        assert_eq!(offered("dra"), ["drain@0"]);
        assert_eq!(offered("add vpn vs"), ["vserver@8"]);
        has("show ", &["vpn@5", "worker@5", "runningConfig@5"]);
        has("stat vpn ", &["vserver@9", "-detail@9", "-format@9"]);
        assert_eq!(offered("sh vpn ica"), ["icaConnection@7"]);
        assert_eq!(offered("show vpn vserver "), ["gw@17", "\"Demo vs\"@17", "-summary@17", "-format@17"]);
        assert_eq!(offered("rm vpn vserver De"), ["\"Demo vs\"@15"]);
        assert_eq!(offered("rm vpn vserver \"De"), ["\"Demo vs\"@15"]);
        assert_eq!(offered("add vpn vserver "), [] as [&str; 0]);
        assert_eq!(offered("add vpn vserver gw "), ["SSL@19"]);
        assert_eq!(offered("set ssl vserver g"), ["gw@16"]);
        assert_eq!(offered("set vpn vserver gw -cg"), ["-cgp@19"]);
        assert_eq!(offered("set vpn vserver gw -cgp "), ["REJECT@24", "RELAY@24"]);
        assert_eq!(offered("set vpn vserver gw -cgp rel"), ["RELAY@24"]);
        assert_eq!(offered("bind ssl vserver gw -certkeyName w"), ["web@33"]);
        assert!(!offered("set vpn vserver gw -cgp RELAY ").contains(&"-cgp@30".to_owned()));
        has("set vpn vserver gw -cgp RELAY ", &["-state@30"]);
        has("unset vpn vserver gw -cgp ", &["-state@26"]);
        assert_eq!(
            offered("enable ns feature SSLVPN A"),
            ["AAA@25", "AppFw@25", "AppFlow@25", "AppQoE@25", "AdaptiveTCP@25", "APIGateway@25"]
        );
        assert_eq!(offered("enable ns feature SSLVPN,AA"), ["SSLVPN,AAA@18"]);
        assert_eq!(offered("show ns version; rm vpn vserver g"), ["gw@32"]);
        assert_eq!(offered("show ns version -format "), ["text@24", "json@24"]);
        has("help v", &["vpn@5"]);
        has("help add v", &["vpn@9"]);
        for nothing in ["banana ", "# add ", "add \"x\"y", "rm vpn vserver gw ", "set ns hostName "] {
            assert_eq!(offered(nothing), [] as [&str; 0], "{nothing}");
        }
    }

    #[test]
    fn what_names_an_object_says_which_kind() {
        for way in ways(Place::Console) {
            let grammar = Grammar::of(&way.target);
            for argument in grammar.positionals.iter().chain(grammar.all_keywords()) {
                let known = argument.names.is_empty() || !named(argument, &way.target, false).is_empty();
                assert!(known, "{} -{}: {}", grammar.called(), argument.name, argument.names);
            }
        }
    }

    proptest! {
        #[test]
        fn any_line_is_completed(line in "\\PC{0,30}|(show|set|add|stat|help| |vpn|vserver|ns|-|\"|,|;|#|é){0,9}", cursor in 0_usize..40) {
            for candidate in complete(&line, cursor, &|_| vec!["ä b".to_owned()]) {
                prop_assert!(line.is_char_boundary(candidate.start) && candidate.start <= cursor);
                let line = format!("{}{}", &line[..candidate.start], candidate.text);
                prop_assert!(lex(&line[last_begin(&line)..]).fault.is_none(), "{}", line);
            }
        }
    }
}
