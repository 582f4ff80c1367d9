//! A table of named objects in the order in which they were made.
//!
//! Names are compared with case. Two names that differ in nothing but case are never both in a table, since nobody could
//! tell them apart in a ticket or over the phone.

use std::collections::BTreeMap;
use std::fmt;

use super::name::Name;

/// Objects by name, in order of creation.
#[derive(Clone)]
pub struct Table<N, T> {
    /// By age. A long list of removals must not move all that is left for each.
    rows: BTreeMap<u64, (N, T)>,
    /// Lower-cased name to place in `rows`.
    places: BTreeMap<String, u64>,
    /// Place of the next object.
    next: u64,
}

/// Why an object was not added: there is one with this name, perhaps in another case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken<N>(pub N);

impl<N: Name, T> Table<N, T> {
    /// Adds an object.
    ///
    /// # Errors
    /// [`Taken`] with the name that is there already; the new object is dropped.
    pub fn add(&mut self, name: N, object: T) -> Result<(), Taken<N>> {
        let folded = name.as_str().to_lowercase();
        if let Some((taken, _)) = self.places.get(&folded).and_then(|at| self.rows.get(at)) {
            return Err(Taken(taken.clone()));
        }
        self.places.insert(folded, self.next);
        self.rows.insert(self.next, (name, object));
        self.next += 1;
        Ok(())
    }

    /// Removes an object, keeping the order of the others.
    pub fn remove(&mut self, name: &str) -> Option<T> {
        let at = self.place(name)?;
        let (_, object) = self.rows.remove(&at)?;
        self.places.remove(&name.to_lowercase());
        Some(object)
    }

    /// The object with exactly this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&T> {
        self.row(name).map(|(_, object)| object)
    }

    /// The object with exactly this name, to be changed.
    #[must_use]
    pub fn find_mut(&mut self, name: &str) -> Option<&mut T> {
        let at = self.place(name)?;
        self.rows.get_mut(&at).map(|(_, object)| object)
    }

    /// The name as the table holds it, with its object.
    #[must_use]
    pub fn row(&self, name: &str) -> Option<(&N, &T)> {
        let at = self.place(name)?;
        self.rows.get(&at).map(|(name, object)| (name, object))
    }

    /// Whether there is an object with exactly this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.place(name).is_some()
    }

    /// The object whose name is this but for case.
    #[must_use]
    pub fn like(&self, name: &str) -> Option<(&N, &T)> {
        let at = self.places.get(&name.to_lowercase())?;
        self.rows.get(at).map(|(name, object)| (name, object))
    }

    /// How many objects there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Names and objects, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&N, &T)> + ExactSizeIterator {
        self.rows.values().map(|(name, object)| (name, object))
    }

    /// Names and objects, oldest first, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&N, &mut T)> {
        self.rows.values_mut().map(|(name, object)| (&*name, object))
    }

    /// Names, oldest first.
    pub fn names(&self) -> impl Iterator<Item = &N> {
        self.rows.values().map(|(name, _)| name)
    }

    /// Objects, oldest first.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.rows.values().map(|(_, object)| object)
    }

    /// Gives an object another name; it keeps its place. Nothing happens if there is no object `old`.
    ///
    /// # Errors
    /// [`Taken`] with the name that is there already, unless it is that of the object itself in another case.
    pub fn rename(&mut self, old: &str, new: N) -> Result<(), Taken<N>> {
        let Some(at) = self.place(old) else { return Ok(()) };
        let folded = new.as_str().to_lowercase();
        if let Some((taken, _)) = self.places.get(&folded).filter(|there| **there != at).and_then(|there| self.rows.get(there)) {
            return Err(Taken(taken.clone()));
        }
        self.places.remove(&old.to_lowercase());
        self.places.insert(folded, at);
        if let Some((name, _)) = self.rows.get_mut(&at) {
            *name = new;
        }
        Ok(())
    }

    fn place(&self, name: &str) -> Option<u64> {
        let at = *self.places.get(&name.to_lowercase())?;
        self.rows.get(&at).is_some_and(|(found, _)| found.as_str() == name).then_some(at)
    }
}

/// Of objects with the same name the first stays.
impl<N: Name, T> FromIterator<(N, T)> for Table<N, T> {
    fn from_iter<I: IntoIterator<Item = (N, T)>>(rows: I) -> Self {
        let mut table = Self::default();
        for (name, object) in rows {
            let _: Result<(), Taken<N>> = table.add(name, object);
        }
        table
    }
}

impl<N, T> Default for Table<N, T> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), places: BTreeMap::new(), next: 0 }
    }
}

impl<N: PartialEq, T: PartialEq> PartialEq for Table<N, T> {
    fn eq(&self, other: &Self) -> bool {
        self.rows.values().eq(other.rows.values())
    }
}

impl<N: Eq, T: Eq> Eq for Table<N, T> {}

impl<N: fmt::Debug, T: fmt::Debug> fmt::Debug for Table<N, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.rows.values().map(|(name, object)| (name, object))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::name::UserName;

    fn name(text: &str) -> UserName {
        UserName::parse(text).unwrap()
    }

    #[test]
    fn finds_by_exact_name_and_refuses_other_case() {
        let mut table = Table::default();
        assert_eq!(table.add(name("Alice"), 1), Ok(()));
        assert_eq!(table.add(name("alice"), 2), Err(Taken(name("Alice"))));
        assert_eq!(table.find("Alice"), Some(&1));
        assert_eq!(table.find("alice"), None);
        assert_eq!(table.like("ALICE"), Some((&name("Alice"), &1)));
    }

    #[test]
    fn a_new_name_keeps_the_place() {
        let mut table: Table<_, _> = [(name("a"), 1), (name("b"), 2), (name("c"), 3)].into_iter().collect();
        assert_eq!(table.rename("a", name("B")), Err(Taken(name("b"))));
        assert_eq!(table.rename("a", name("x")), Ok(()));
        assert_eq!(table.rename("x", name("X")), Ok(()));
        assert_eq!(table.names().map(UserName::as_str).collect::<Vec<_>>(), ["X", "b", "c"]);
        assert_eq!((table.find("a"), table.find("x"), table.find("X")), (None, None, Some(&1)));
        assert_eq!(table.add(name("a"), 4), Ok(()));
        assert_eq!(table.rename("nobody", name("n")), Ok(()));
    }

    #[test]
    fn removal_keeps_order_and_places() {
        let mut table = Table::default();
        for (number, text) in ["a", "b", "c"].into_iter().enumerate() {
            table.add(name(text), number).unwrap();
        }
        assert_eq!(table.remove("A"), None);
        assert_eq!(table.remove("a"), Some(0));
        assert_eq!(table.find("c"), Some(&2));
        assert_eq!(table.names().map(UserName::as_str).collect::<Vec<_>>(), ["b", "c"]);
        assert_eq!(table.add(name("A"), 9), Ok(()));
    }
}
