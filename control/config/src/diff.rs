//! Model against model: which objects a change adds, removes and changes, and when that takes effect.
//!
//! Two objects are the same if they print the same lines, so nothing that can be configured is ever left out of a comparison.

use std::collections::BTreeMap;
use std::fmt;

use crate::catalog::resolve::{Place, find};
use crate::catalog::{Effect, commands};
use crate::mask;
use crate::model::Model;
use crate::print::lines;
use crate::problem::Masked;
use crate::text::lex::lex;

/// A change of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What kind of object: `vpn vserver`. Empty for lines without effect.
    pub command: &'static str,
    /// Its name; empty if there is only one of its kind.
    pub object: Box<str>,
    /// What happened to it.
    pub kind: ChangeKind,
    /// When that takes effect.
    pub effect: Effect,
    /// Lines that are no more, secrets and hashes masked.
    pub before: Vec<String>,
    /// Lines that are new, likewise.
    pub after: Vec<String>,
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It is no more.
    Removed,
    /// Something about it.
    Changed,
}

/// Lines with `-` before what goes and `+` before what comes; no line end at the end.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = self.before.iter().map(|line| ('-', line));
        let after = self.after.iter().map(|line| ('+', line));
        for (at, (sign, line)) in before.chain(after).enumerate() {
            write!(f, "{}{sign} {line}", if at > 0 { "\n" } else { "" })?;
        }
        Ok(())
    }
}

/// What leads from `before` to `after`, in the order of a saved file.
#[must_use]
pub fn diff(before: &Model, after: &Model) -> Vec<Change> {
    type Objects = BTreeMap<(usize, &'static str, Box<str>), Vec<String>>;
    let ranks: BTreeMap<&str, usize> = commands().iter().enumerate().map(|(at, command)| (command.words, at)).collect();
    let group = |model: &Model| {
        let mut objects = Objects::new();
        for line in lines(model) {
            let rank = ranks.get(line.command).copied().unwrap_or(usize::MAX);
            objects.entry((rank, line.command, line.object)).or_default().push(line.text);
        }
        objects
    };
    let (old, new) = (group(before), group(after));
    let mut changes = Vec::new();
    for key in old.keys().chain(new.keys().filter(|key| !old.contains_key(*key))) {
        let empty = Vec::new();
        let (was, is) = (old.get(key).unwrap_or(&empty), new.get(key).unwrap_or(&empty));
        if was == is {
            continue;
        }
        let kind = match (was.is_empty(), is.is_empty()) {
            (true, _) => ChangeKind::Added,
            (_, true) => ChangeKind::Removed,
            (false, false) => ChangeKind::Changed,
        };
        let (_, command, object) = key;
        let mut effect = commands().iter().find(|c| c.words == *command).map_or(Effect::AtOnce, |c| c.effect);
        // Who may use the control socket is asked at every connection; only where it is needs a start.
        if *command == "ns config" && before.paths == after.paths {
            effect = Effect::AtOnce;
        }
        changes
            .push((key, Change { command, object: object.clone(), kind, effect, before: only(was, is), after: only(is, was) }));
    }
    changes.sort_by_key(|(key, _)| *key);
    changes.into_iter().map(|(_, change)| change).collect()
}

/// Lines of `these` that are not among `those`. If only their order differs, all of them.
fn only(these: &[String], those: &[String]) -> Vec<String> {
    let mut different: Vec<&String> = these.iter().filter(|line| !those.contains(line)).collect();
    if different.is_empty() && these.len() == those.len() {
        different = these.iter().collect();
    }
    different.into_iter().map(|line| masked(line)).collect()
}

/// A hash is no password, and a seal no secret, but they are nobody's business in a list of changes.
fn masked(line: &str) -> String {
    let lexed = lex(line);
    let form = find(&lexed.tokens, Place::File, false).ok().and_then(|found| found.target.form());
    Masked::of(line, &mask::secrets(line, &lexed, form, mask::For::Showing)).shown.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_operators_need_no_start_and_paths_do() {
        let (before, mut after) = (Model::default(), Model::default());
        after.operators.read_group = Some("adm".into());
        assert_eq!(diff(&before, &after).iter().map(|change| change.effect).collect::<Vec<_>>(), [Effect::AtOnce]);
        after.paths.control_socket = "/run/other.sock".into();
        assert_eq!(diff(&before, &after).iter().map(|change| change.effect).collect::<Vec<_>>(), [Effect::Restart]);
    }

    use crate::model::{Credential, User, UserName, Worker};

    fn user(model: &mut Model, name: &str, hash: &str) {
        let user = User { credential: Credential::Hashed(hash.into()), policies: Vec::new() };
        model.users.add(UserName::parse(name).unwrap(), user).unwrap();
    }

    #[test]
    fn tells_what_came_what_went_and_what_changed() {
        let (mut before, mut after) = (Model::default(), Model::default());
        user(&mut before, "ann", "old-hash");
        user(&mut before, "bob", "x");
        user(&mut after, "ann", "new-hash");
        user(&mut after, "cid", "x");
        after.worker = Worker { count: Some(2), ..Worker::default() };
        let changes = diff(&before, &after);
        let told: Vec<_> = changes.iter().map(|c| (c.command, &*c.object, c.kind, c.effect)).collect();
        assert_eq!(
            told,
            [
                ("ns worker", "", ChangeKind::Added, Effect::Restart),
                ("aaa user", "ann", ChangeKind::Changed, Effect::AtOnce),
                ("aaa user", "bob", ChangeKind::Removed, Effect::AtOnce),
                ("aaa user", "cid", ChangeKind::Added, Effect::AtOnce),
            ]
        );
        let text = changes.iter().map(Change::to_string).collect::<Vec<_>>().join("\n");
        assert!(text.contains("- add aaa user ann -password ******** -encrypted"), "{text}");
        assert!(!text.contains("hash ") && !text.contains("new-hash"), "{text}");
        assert!(diff(&after, &after).is_empty());
    }
}
