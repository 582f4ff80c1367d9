//! `rename`, for objects of any kind: the name in its table, wherever others refer to it, and on the arguments that are kept for it.
//!
//! A command that can be renamed has a [`Renaming`] beside it that says where its name can stand, and a form whose `apply` calls
//! [`rename`].

use crate::code::Code;
use crate::model::{KeptFor, Model, Name, Taken};

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
        let key = |name: &N| KeptFor { command, object: name.as_str().into() };
        if let Some(arguments) = site.model.kept_arguments.remove(&key(&old)) {
            site.model.kept_arguments.insert(key(&new), arguments);
        }
    }
    Ok(())
}
