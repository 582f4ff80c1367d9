//! A fixed table of tenants, each named by place and generation.
//!
//! ```text
//!   reserve ─► SlotKey ─► put ⇄ take (a step by value) ─► free ─► generation + 1 ─► end of the free list
//! ```
//!
//! Freed places are given away again in the order in which they were freed, and only once [`RESTING`] of them rest, so that a
//! generation lasts 2³² lives of that many places. Before that a place is taken that nobody had yet: a table is as large as the most
//! tenants that it had at a time, and not as it may become. A key whose generation is not the tenant's finds nothing: that is an
//! error path, never somebody else's session.

use std::collections::VecDeque;

use sluice_link::id::{Generation, Slot, SlotKey};

/// Places that rest, if the table has so many, before one of them is given away again.
const RESTING: usize = 64;

#[derive(Debug)]
struct Place<T> {
    generation: Generation,
    let_out: bool,
    tenant: Option<T>,
}

/// A table of at most `capacity` tenants.
#[derive(Debug)]
pub struct Slots<T> {
    /// Those that somebody had. Room for the rest is set aside, but no memory is behind it yet.
    places: Vec<Place<T>>,
    capacity: usize,
    free: VecDeque<Slot>,
    let_out: usize,
}

impl<T> Slots<T> {
    /// A table with `capacity` places, all free.
    #[must_use]
    pub fn new(capacity: u32) -> Self {
        let capacity = capacity as usize;
        Self { places: Vec::with_capacity(capacity), capacity, free: VecDeque::with_capacity(capacity), let_out: 0 }
    }

    /// Lets out a place that has been free longest. It is empty until [`Slots::put`].
    pub fn reserve(&mut self) -> Option<SlotKey> {
        if self.free.len() < RESTING && self.places.len() < self.capacity {
            self.free.push_front(Slot(u32::try_from(self.places.len()).ok()?));
            self.places.push(Place { generation: Generation(0), let_out: false, tenant: None });
        }
        let slot = self.free.pop_front()?;
        let place = &mut self.places[slot.0 as usize];
        place.let_out = true;
        self.let_out += 1;
        Some(SlotKey { slot, generation: place.generation })
    }

    /// Reserves a place and puts `tenant` there, or gives it back if none is free.
    ///
    /// # Errors
    /// The tenant, if the table is full.
    pub fn insert(&mut self, tenant: T) -> Result<SlotKey, T> {
        let Some(key) = self.reserve() else { return Err(tenant) };
        self.put(key, tenant);
        Ok(key)
    }

    /// The tenant that `key` names, unless it is away ([`Slots::take`]) or gone.
    #[must_use]
    pub fn get(&self, key: SlotKey) -> Option<&T> {
        self.place(key)?.tenant.as_ref()
    }

    /// As [`Slots::get`], to change it.
    pub fn get_mut(&mut self, key: SlotKey) -> Option<&mut T> {
        self.place_mut(key)?.tenant.as_mut()
    }

    /// Takes the tenant out for a step by value. The place stays its own.
    pub fn take(&mut self, key: SlotKey) -> Option<T> {
        self.place_mut(key)?.tenant.take()
    }

    /// Puts a tenant into its place.
    ///
    /// # Panics
    /// If the place is not let out under this key, or somebody is in it: two sessions would meet in one place.
    pub fn put(&mut self, key: SlotKey, tenant: T) {
        let place = self.place_mut(key);
        assert!(place.is_some(), "a place is filled that is not let out");
        if let Some(place) = place {
            assert!(place.tenant.is_none(), "a place is filled twice");
            place.tenant = Some(tenant);
        }
    }

    /// Ends the tenancy: from here on `key` finds nothing. Gives back what was there. A stale key changes nothing.
    pub fn free(&mut self, key: SlotKey) -> Option<T> {
        let place = self.place_mut(key)?;
        place.let_out = false;
        place.generation = Generation(place.generation.0.wrapping_add(1));
        let tenant = place.tenant.take();
        self.free.push_back(key.slot);
        self.let_out -= 1;
        tenant
    }

    /// Whether `key` names the present tenancy of its place, empty or not.
    #[must_use]
    pub fn holds(&self, key: SlotKey) -> bool {
        self.place(key).is_some()
    }

    /// Places let out.
    #[must_use]
    pub fn len(&self) -> usize {
        self.let_out
    }

    /// Whether no place is let out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.let_out == 0
    }

    /// Places in all.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Places that somebody has or had: those that take memory.
    #[must_use]
    pub fn used(&self) -> usize {
        self.places.len()
    }

    /// All keys that are let out, in order of place.
    pub fn keys(&self) -> impl Iterator<Item = SlotKey> {
        (0_u32..)
            .zip(&self.places)
            .filter(|(_, place)| place.let_out)
            .map(|(at, place)| SlotKey { slot: Slot(at), generation: place.generation })
    }

    fn place(&self, key: SlotKey) -> Option<&Place<T>> {
        self.places.get(key.slot.0 as usize).filter(|place| place.let_out && place.generation == key.generation)
    }

    fn place_mut(&mut self, key: SlotKey) -> Option<&mut Place<T>> {
        self.places.get_mut(key.slot.0 as usize).filter(|place| place.let_out && place.generation == key.generation)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_freed_key_finds_nothing_and_places_rest_before_reuse() {
        let mut slots = Slots::new(2);
        let a = slots.insert("a").unwrap();
        let b = slots.insert("b").unwrap();
        assert_eq!(slots.insert("c"), Err("c"));
        assert_eq!(slots.free(a), Some("a"));
        assert_eq!(slots.free(b), Some("b"));
        assert!(slots.is_empty());
        let c = slots.insert("c").unwrap();
        assert_eq!((c.slot, c.generation), (a.slot, Generation(1)));
        assert_eq!(slots.get(a), None);
        assert_eq!(slots.take(a), None);
        assert_eq!(slots.free(a), None);
        assert_eq!(slots.get(c), Some(&"c"));
    }

    #[test]
    fn a_table_is_as_large_as_its_tenants_were_many_and_places_rest_all_the_same() {
        let mut slots = Slots::new(1_000_000);
        let mut seen = HashMap::new();
        for n in 0..1_000 {
            let key = slots.insert(n).unwrap();
            *seen.entry(key.slot).or_insert(0) += 1;
            slots.free(key);
        }
        assert_eq!((slots.used(), slots.capacity(), seen.len()), (RESTING, 1_000_000, RESTING));
        assert!(seen.values().all(|lives| *lives <= 1_000_usize.div_ceil(RESTING)), "{seen:?}");
    }

    #[test]
    fn a_tenant_taken_for_a_step_keeps_its_place() {
        let mut slots = Slots::new(1);
        let key = slots.insert(1).unwrap();
        assert_eq!(slots.take(key), Some(1));
        assert!(slots.holds(key));
        assert_eq!(slots.reserve(), None);
        slots.put(key, 2);
        assert_eq!(slots.get(key), Some(&2));
    }

    #[test]
    #[should_panic(expected = "not let out")]
    fn a_stale_key_cannot_fill_a_place() {
        let mut slots = Slots::new(1);
        let key = slots.insert(1).unwrap();
        slots.free(key);
        slots.reserve().unwrap();
        slots.put(key, 2);
    }

    proptest! {
        /// Whatever is done in whatever order, a key finds its own tenant or nothing.
        #[test]
        fn a_key_never_finds_another_tenant(acts in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 0..200)) {
            let mut slots = Slots::new(5);
            let mut model: HashMap<SlotKey, u32> = HashMap::new();
            let mut gone: Vec<SlotKey> = Vec::new();
            let mut next = 0;
            for (add, pick) in acts {
                if add {
                    match slots.insert(next) {
                        Ok(key) => prop_assert!(model.insert(key, next).is_none()),
                        Err(_) => prop_assert_eq!(model.len(), 5),
                    }
                    next += 1;
                } else if !model.is_empty() {
                    let mut keys: Vec<_> = model.keys().copied().collect();
                    keys.sort();
                    let key = *pick.get(&keys);
                    prop_assert_eq!(slots.free(key), model.remove(&key));
                    gone.push(key);
                }
                prop_assert_eq!(slots.len(), model.len());
                prop_assert!(model.iter().all(|(key, tenant)| slots.get(*key) == Some(tenant)));
                prop_assert!(gone.iter().all(|key| slots.get(*key).is_none()));
            }
        }
    }
}
