//! Objects that are known by name only: they are kept whole and have no effect.

use std::collections::BTreeMap;

use super::KeptArgument;
use super::name::RestingName;
use super::table::Table;

/// Objects without effect, by command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resting(BTreeMap<&'static str, Table<RestingName, RestingObject>>);

/// An object without effect. Its arguments are among the model's kept ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestingObject {
    /// It is part of the other product: it is changed there without having been added.
    pub built_in: bool,
    /// The words behind its name.
    pub words: Vec<Box<str>>,
    /// What is bound to it, in order.
    pub bindings: Vec<RestingBinding>,
}

/// Something bound to an object without effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestingBinding {
    /// The words behind the object's name.
    pub words: Vec<Box<str>>,
    /// The keywords. What is bound is the first word, or else the first keyword with its value.
    pub arguments: Vec<KeptArgument>,
}

impl RestingBinding {
    /// Whether both bind the same thing, whatever else they say.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (self.words.first(), other.words.first()) {
            (None, None) => self.arguments.first() == other.arguments.first(),
            (mine, others) => mine == others,
        }
    }
}

impl Resting {
    /// The objects of a command, oldest first.
    pub fn of(&self, command: &str) -> impl Iterator<Item = (&RestingName, &RestingObject)> {
        self.0.get(command).into_iter().flat_map(Table::iter)
    }

    /// One of them.
    #[must_use]
    pub fn find(&self, command: &str, name: &str) -> Option<&RestingObject> {
        self.0.get(command)?.find(name)
    }

    pub(crate) fn find_mut(&mut self, command: &str, name: &str) -> Option<&mut RestingObject> {
        self.0.get_mut(command)?.find_mut(name)
    }

    pub(crate) fn add(&mut self, command: &'static str, name: RestingName, object: RestingObject) -> Result<(), RestingName> {
        self.0.entry(command).or_default().add(name, object).map_err(|taken| taken.0)
    }

    /// An empty table is no table, so that two configurations without objects are equal.
    pub(crate) fn remove(&mut self, command: &str, name: &str) -> Option<RestingObject> {
        let table = self.0.get_mut(command)?;
        let removed = table.remove(name);
        if table.is_empty() {
            self.0.remove(command);
        }
        removed
    }

    pub(crate) fn names(&self, command: &str) -> impl Iterator<Item = &str> {
        self.of(command).map(|(name, _)| name.as_str())
    }
}
