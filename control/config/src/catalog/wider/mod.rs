//! The rest of NetScaler's commands: recognised by name, so that a whole `ns.conf` can be read, kept and printed back.
//!
//! ```text
//!   add lb vserver web HTTP 192.0.2.7 80 ─► recognised: kept as written, one warning for its kind, with the reason
//!   add lb vsrever …                     ─► not: an error, with the word that was perhaps meant
//! ```
//!
//! Nothing is known about their arguments. The catalogue's own commands come first; a word that stands in both is the catalogue's.

use crate::code::Code;
use crate::text::lex::{Kind, Span, Token};

use super::near::nearest;
use super::resolve::span;
use super::site::Note;
use super::{Op, Rank};

use table::GROUPS;

mod table;

/// Commands that begin with the same word behind the verb.
struct Group {
    /// That word; empty for commands that have only one.
    word: &'static str,
    /// Why they mean nothing here.
    why: &'static str,
    /// Where their lines stand in a saved file.
    rank: Rank,
    /// `object/verbs`, see the table.
    objects: &'static str,
}

impl Group {
    fn objects(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.objects.split_whitespace().filter_map(|entry| entry.split_once('/'))
    }
}

/// Verbs, with their letters in the table.
const VERBS: &[(&str, char)] = &[
    ("add", 'a'),
    ("rm", 'r'),
    ("set", 's'),
    ("unset", 'u'),
    ("bind", 'b'),
    ("unbind", 'b'),
    ("enable", 'e'),
    ("disable", 'e'),
    ("rename", 'n'),
    ("import", 'i'),
    ("apply", 'p'),
    ("update", 'f'),
    ("link", 'l'),
    ("unlink", 'l'),
];

/// A command of the wider product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recognised {
    /// `lb vserver`, as the reference writes it.
    pub(crate) words: String,
    /// Why it means nothing here.
    pub(crate) why: &'static str,
    /// Where its lines stand in a saved file.
    pub(crate) rank: Rank,
    /// The verb and these words.
    pub(crate) at: Span,
}

/// Finds the command that a line begins with. Words may be in any case; they are not shortened.
pub(crate) fn find(line: &[Token]) -> Option<Recognised> {
    let (verb, group, object) = (word(line, 0)?, word(line, 1)?, word(line, 2));
    let letter = VERBS.iter().find(|(known, _)| known.eq_ignore_ascii_case(verb)).map(|(_, letter)| *letter)?;
    let at = |words: usize| span(line.get(..words).unwrap_or_default());
    for known in GROUPS {
        let (said, words) = if known.word.is_empty() { (group, 2) } else { (object.unwrap_or_default(), 3) };
        if !known.word.is_empty() && !known.word.eq_ignore_ascii_case(group) {
            continue;
        }
        let found = known.objects().find(|(name, verbs)| name.eq_ignore_ascii_case(said) && verbs.contains(letter));
        if let Some((name, _)) = found {
            let words_said = if known.word.is_empty() { name.to_owned() } else { format!("{} {name}", known.word) };
            return Some(Recognised { words: words_said, why: known.why, rank: known.rank, at: at(words) });
        }
    }
    None
}

/// What was perhaps meant by a line that begins with words of the wider product, or nearly so.
pub(crate) fn near(line: &[Token], hints: bool) -> Option<Note> {
    let (verb, group) = (word(line, 0)?, word(line, 1)?);
    VERBS.iter().find(|(known, _)| known.eq_ignore_ascii_case(verb))?;
    let (known, object) = (GROUPS.iter().find(|g| !g.word.is_empty() && g.word.eq_ignore_ascii_case(group))?, line.get(2)?);
    let mut note = Note::new(
        Code::NoSuchCommand,
        object.span,
        object.value.as_str(),
        format!("no command begins `{verb} {} {}`", known.word, object.value.as_str()),
    );
    if hints {
        note.cure = nearest(&object.value, known.objects().map(|(name, _)| name)).map(|near| format!("did you mean `{near}`?"));
    }
    Some(note)
}

/// All commands, for the pages: words, verbs and reason, in the order of the table.
pub(crate) fn all() -> impl Iterator<Item = (String, Vec<&'static str>, &'static str)> {
    GROUPS.iter().flat_map(|group| {
        group.objects().map(|(object, letters)| {
            let words = if group.word.is_empty() { object.to_owned() } else { format!("{} {object}", group.word) };
            let verbs = VERBS.iter().filter(|(_, letter)| letters.contains(*letter)).map(|(verb, _)| *verb).collect();
            (words, verbs, group.why)
        })
    })
}

/// Whether the catalogue has a verb under the same words, which then is the catalogue's.
pub(crate) fn is_ours(words: &str, verb: &str) -> bool {
    let op = Op::ALL.iter().find(|op| op.word() == verb);
    let same = |c: &&&super::Command| c.words.eq_ignore_ascii_case(words);
    op.is_some_and(|op| super::commands().iter().find(same).is_some_and(|command| command.form(*op).is_some()))
}

fn word(line: &[Token], at: usize) -> Option<&str> {
    line.get(at).filter(|token| token.kind == Kind::Word).map(|token| token.value.as_str())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::text::lex::lex;

    #[test]
    fn the_table_is_well_formed() {
        let letters: BTreeSet<char> = VERBS.iter().map(|(_, letter)| *letter).collect();
        let mut seen = BTreeSet::new();
        for group in GROUPS {
            let entries = group.objects.split_whitespace().count();
            assert_eq!(entries, group.objects().count(), "{}", group.word);
            for (object, verbs) in group.objects() {
                assert!(!verbs.is_empty() && verbs.chars().all(|c| letters.contains(&c)), "{object}/{verbs}");
                assert!(
                    seen.insert((group.word.to_lowercase(), object.to_lowercase())),
                    "{} {object} is there twice",
                    group.word
                );
            }
        }
        assert!(seen.len() > 350, "only {} commands", seen.len());
    }

    #[test]
    fn knows_what_stands_in_saved_files() {
        for (line, words) in [
            ("add lb vserver web HTTP 192.0.2.7 80", "lb vserver"),
            ("ADD LB VSERVER web HTTP 192.0.2.7 80", "lb vserver"),
            ("add server ddc1 10.0.0.1", "server"),
            ("bind serviceGroup sg 10.0.0.1 80", "serviceGroup"),
            ("set ns rpcNode 10.0.0.1 -password x", "ns rpcNode"),
            ("add rewrite policy p true a", "rewrite policy"),
            ("set rnat 10.0.0.0 255.0.0.0", "rnat"),
            ("set lacp -sysPriority 32768 -mac 0a:0b", "lacp"),
            ("bind cmp global ns_adv_nocmp_xml_ie -priority 8700", "cmp global"),
            ("set HA node -haStatus ENABLED", "HA node"),
            ("apply ns acls", "ns acls"),
        ] {
            assert_eq!(find(&lex(line).tokens).map(|found| found.words).as_deref(), Some(words), "{line}");
        }
        for line in
            ["", "add", "add lb", "add lb vsrever x", "add nothing", "show lb vserver", "add -lb vserver", "bind lb parameter"]
        {
            assert_eq!(find(&lex(line).tokens), None, "{line}");
        }
        let note = near(&lex("add lb vsrever x").tokens, true).unwrap();
        assert_eq!(note.cure.as_deref(), Some("did you mean `vserver`?"));
    }
}
