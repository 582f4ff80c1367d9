//! `rename`, for objects of any kind: the name in its table, wherever others refer to it, and on the arguments that are kept for it.
//!
//! A command that can be renamed has a [`Renaming`] beside it that says where its name can stand, and a form whose `apply` calls
//! [`rename`].

use crate::code::Code;
use crate::model::{KeptFor, Model, Name, Taken};
use crate::text::lex::lex_pasted;
use crate::text::word::word;

use super::said::Said;
use super::site::{Refused, Site, incomplete, missing, taken};

/// Where the name of a kind of objects stands.
pub(super) struct Renaming<N: 'static> {
    /// How messages call such an object.
    pub(super) what: &'static str,
    /// What is said if there is no object of the old name.
    pub(super) no_such: Code,
    /// What is said if there is one of the new name.
    pub(super) taken: Code,
    /// Commands whose arguments are kept for such an object.
    pub(super) commands: &'static [&'static str],
    /// All names in its table.
    pub(super) names: fn(&Model) -> Vec<&str>,
    /// Changes the name in its table.
    pub(super) table: fn(&mut Model, &str, N) -> Result<(), Taken<N>>,
    /// Shows every name by which others refer to such an object, to be changed.
    pub(super) references: References<N>,
}

/// Shows every name to a visitor that may change it.
pub(super) type References<N> = fn(&mut Model, &mut dyn FnMut(&mut N));

/// Gives the object that the form's `name` names the name that its `newName` gives. On refusal nothing has changed.
pub(super) fn rename<N: Name>(said: &Said<'_>, site: &mut Site<'_>, of: &Renaming<N>) -> Result<(), Refused> {
    let (Some(old), Some(new)) = (said.name::<N>("name"), said.name::<N>("newName")) else { return Err(incomplete(said)) };
    if !(of.names)(site.model).contains(&old.as_str()) {
        return Err(missing(said, "name", of.no_such, of.what, (of.names)(site.model)));
    }
    let renamed = (of.table)(site.model, old.as_str(), new.clone());
    renamed.map_err(|there| taken(said, "newName", of.taken, of.what, there.0.as_str()))?;
    (of.references)(site.model, &mut |name| {
        if *name == old {
            *name = new.clone();
        }
    });
    for command in of.commands {
        // Virtual servers of another kind may have had the same name; then what is kept for TLS is theirs.
        if *command == SSL_VSERVER && site.model.front(old.as_str()).is_some() {
            continue;
        }
        let key = |name: &N| KeptFor { command, object: name.as_str().into() };
        if let Some(arguments) = site.model.kept_arguments.remove(&key(&old)) {
            site.model.kept_arguments.insert(key(&new), arguments);
        }
        for line in site.model.kept_lines.iter_mut().filter(|line| line.of.as_ref() == Some(&key(&old))) {
            if let Some(text) = with_name(&line.text, command, new.as_str()) {
                line.text = text.into();
                line.of = Some(key(&new));
            }
        }
    }
    Ok(())
}

/// Lines about TLS of a virtual server, of whichever kind.
pub(super) const SSL_VSERVER: &str = "ssl vserver";

/// A line that was kept as it stood, with another name behind its command.
fn with_name(line: &str, command: &str, name: &str) -> Option<String> {
    let at = 1 + command.split(' ').count();
    let span = lex_pasted(line).tokens.get(at)?.span;
    Some([line.get(..span.start)?, &word(name), line.get(span.end..)?].concat())
}

#[cfg(test)]
mod tests {
    use super::with_name;

    #[test]
    fn a_line_names_something_else_and_is_otherwise_the_same() {
        let line = "bind ssl vserver  one -policyName one -priority 10 # one";
        let wanted = "bind ssl vserver  \"Two words\" -policyName one -priority 10 # one";
        assert_eq!(with_name(line, "ssl vserver", "Two words").as_deref(), Some(wanted));
        assert_eq!(with_name("bind ssl vserver", "ssl vserver", "two"), None);
    }
}
