//! A map of fixed size in which the entry that was touched longest ago makes room for a new one.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// See the module.
#[derive(Debug)]
pub struct OldestOut<K, V> {
    entries: HashMap<K, (u64, V)>,
    order: BTreeMap<u64, K>,
    touches: u64,
    entries_max: usize,
}

impl<K: Clone + Eq + Hash, V> OldestOut<K, V> {
    /// An empty map for at most `entries_max` entries; at least one.
    #[must_use]
    pub fn new(entries_max: usize) -> Self {
        Self { entries: HashMap::new(), order: BTreeMap::new(), touches: 0, entries_max: entries_max.max(1) }
    }

    /// The value of `key`, made by `fresh` if there is none, and from now on the youngest. The oldest is dropped if there is
    /// no room.
    pub fn touch(&mut self, key: &K, fresh: impl FnOnce() -> V) -> &mut V {
        self.touches += 1;
        let touched = self.touches;
        if let Some((before, _)) = self.entries.get(key) {
            self.order.remove(before);
        } else if self.entries.len() >= self.entries_max
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.entries.remove(&oldest);
        }
        self.order.insert(touched, key.clone());
        let entry = self.entries.entry(key.clone()).or_insert_with(|| (touched, fresh()));
        entry.0 = touched;
        &mut entry.1
    }

    /// The value of `key`, without making it younger.
    #[must_use]
    pub fn peek(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|(_, value)| value)
    }

    /// The value of `key`, for a change that does not make it younger.
    pub fn peek_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key).map(|(_, value)| value)
    }

    /// All values, the one touched last first.
    pub fn youngest_first(&self) -> impl Iterator<Item = &V> {
        self.order.values().rev().filter_map(|key| self.peek(key))
    }

    /// Puts `value` in as the youngest, in place of one of the same key, and gives back the oldest if that had to make room.
    pub fn put(&mut self, key: &K, value: V) -> Option<(K, V)> {
        self.remove(key);
        let full = self.entries.len() >= self.entries_max;
        let oldest = if full { self.order.first_key_value().map(|(_, key)| key.clone()) } else { None };
        let out = oldest.and_then(|oldest| Some((oldest.clone(), self.remove(&oldest)?)));
        self.touch(key, || value);
        out
    }

    /// Takes `key` out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let (touched, value) = self.entries.remove(key)?;
        self.order.remove(&touched);
        Some(value)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_one_touched_longest_ago_goes() {
        let mut map = OldestOut::new(2);
        *map.touch(&"a", || 1) += 10;
        map.touch(&"b", || 2);
        map.touch(&"a", || 99);
        map.touch(&"c", || 3);
        assert_eq!(map.peek(&"a"), Some(&11));
        assert_eq!(map.peek(&"b"), None);
        assert_eq!(map.peek(&"c"), Some(&3));
        assert_eq!(map.youngest_first().copied().collect::<Vec<_>>(), [3, 11]);
        assert_eq!(map.put(&"d", 4), Some(("a", 11)));
        assert_eq!(map.put(&"c", 5), None, "it took its own place");
        assert_eq!(map.youngest_first().copied().collect::<Vec<_>>(), [5, 4]);
        assert_eq!(map.remove(&"d"), Some(4));
        assert_eq!(map.len(), 1);
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_list(keys in proptest::collection::vec(0u8..12, 0..200), room in 1usize..8) {
            let mut map = OldestOut::new(room);
            let mut list: Vec<u8> = Vec::new();
            for key in keys {
                map.touch(&key, || key);
                list.retain(|k| *k != key);
                list.push(key);
                if list.len() > room {
                    list.remove(0);
                }
                prop_assert_eq!(map.len(), list.len());
                prop_assert_eq!(map.order.len(), list.len());
                for k in 0..12 {
                    prop_assert_eq!(map.peek(&k).is_some(), list.contains(&k));
                }
            }
        }
    }
}
