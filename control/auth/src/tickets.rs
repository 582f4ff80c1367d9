//! Tickets: issued once, redeemed once, or gone. Used for the tickets of the ticket authority and for logon tickets.
//!
//! ```text
//!            issue                    redeem (Once)
//!   ────────► stored ───────────────────────────────► gone, value handed out
//!               │  ▲                  redeem (Refreshable)
//!               │  └── value handed out, life restarts, never beyond the cap
//!               └──── expired ──► gone
//! ```
//!
//! The table holds keyed hashes: whoever reads it cannot use a single ticket. Unknown, expired and used are one answer.
//!
//! A ticket is redeemed seconds after its issue, when nothing of it is in a cache any more, so redeeming touches as little as it can: the
//! ends of lives are in a heap that is not told, and that passes over what is gone.

use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{BinaryHeap, HashMap};
use std::fmt;
use std::hash::Hash;
use std::time::Duration;

use thiserror::Error;

use crate::Now;
use crate::seal::{Seal, SealKey, hex};

/// Random bytes of an authority's ticket: 32 digits.
pub const STA_RANDOM_BYTES: usize = 16;
/// Random bytes of a logon ticket: 30 digits, since clients cut it into 14 and 16.
pub const LOGON_RANDOM_BYTES: usize = 15;

/// Ends of lives that are kept though their tickets are gone, beside one for each that is left.
const GONE_MAX: usize = 1024;

/// How often a ticket may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The first redemption deletes it.
    Once,
    /// Until it expires; every redemption restarts its life.
    Refreshable,
}

/// How long and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Life of a [`Kind::Once`] ticket.
    pub once: Duration,
    /// Life of a [`Kind::Refreshable`] ticket after its issue or last use.
    pub refreshable: Duration,
    /// Life of any ticket, however often it is used.
    pub absolute: Duration,
    /// Tickets in the table.
    pub tickets_max: usize,
    /// Tickets in the table that one issuer may own.
    pub tickets_per_issuer_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            once: Duration::from_secs(100),
            refreshable: Duration::from_secs(500),
            absolute: Duration::from_secs(12 * 3600),
            tickets_max: 100_000,
            tickets_per_issuer_max: 50_000,
        }
    }
}

/// No room, even after the expired ones were thrown out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the ticket table is full")]
pub struct TableFull;

/// Never issued, expired or used up: nobody can tell which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("no such ticket")]
pub struct NoSuchTicket;

/// A ticket as its owner gets it, once. Upper-case hexadecimal digits.
#[derive(PartialEq, Eq)]
pub struct Code(String);

impl Code {
    /// The secret itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// The last four digits.
impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "…{}", &self.0[self.0.len().saturating_sub(4)..])
    }
}

#[derive(Debug)]
struct Stored<I, T> {
    issuer: I,
    kind: Kind,
    issued: Now,
    ends: Now,
    value: T,
}

/// The table: tickets of issuers `I`, each worth a `T`.
#[derive(Debug)]
pub struct Tickets<I, T> {
    key: SealKey,
    limits: Limits,
    stored: HashMap<Seal, Stored<I, T>>,
    /// The earliest first. Those of tickets that are gone or live longer by now are among them.
    ends: BinaryHeap<Reverse<(Now, Seal)>>,
    by_issuer: HashMap<I, usize>,
}

impl<I: Clone + Eq + Hash, T: Clone> Tickets<I, T> {
    /// An empty table.
    #[must_use]
    pub fn new(key: SealKey, limits: Limits) -> Self {
        Self { key, limits, stored: HashMap::new(), ends: BinaryHeap::new(), by_issuer: HashMap::new() }
    }

    /// Other limits from now on. Tickets that are out keep the life that they were given.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Makes a ticket worth `value` out of `random`, which must come from the system's generator.
    ///
    /// # Errors
    /// [`TableFull`].
    pub fn issue<const N: usize>(
        &mut self,
        random: [u8; N],
        issuer: I,
        kind: Kind,
        value: T,
        now: Now,
    ) -> Result<Code, TableFull> {
        self.sweep(now);
        let owned = self.by_issuer.get(&issuer).copied().unwrap_or_default();
        if self.stored.len() >= self.limits.tickets_max || owned >= self.limits.tickets_per_issuer_max {
            return Err(TableFull);
        }
        let code = Code(hex(&random, b"0123456789ABCDEF"));
        let seal = self.seal(&code.0);
        let ends = now + self.life(kind).min(self.limits.absolute);
        self.take(seal); // the same 128 random bits twice: the older one has no right to the newer one's value
        self.note_end(ends, seal);
        *self.by_issuer.entry(issuer.clone()).or_default() += 1;
        self.stored.insert(seal, Stored { issuer, kind, issued: now, ends, value });
        Ok(code)
    }

    /// Uses `code`. One call decides and changes, so of two users of a [`Kind::Once`] ticket one comes second.
    ///
    /// # Errors
    /// [`NoSuchTicket`].
    pub fn redeem(&mut self, code: &str, now: Now) -> Result<T, NoSuchTicket> {
        let seal = self.seal(code);
        let Entry::Occupied(mut found) = self.stored.entry(seal) else { return Err(NoSuchTicket) };
        let ticket = found.get_mut();
        match ticket.kind {
            Kind::Refreshable if ticket.ends > now => {
                ticket.ends = (now + self.limits.refreshable).min(ticket.issued + self.limits.absolute);
                let (ends, value) = (ticket.ends, ticket.value.clone());
                self.note_end(ends, seal);
                Ok(value)
            }
            Kind::Once | Kind::Refreshable => {
                let ticket = found.remove();
                self.disown(&ticket.issuer);
                if ticket.ends > now { Ok(ticket.value) } else { Err(NoSuchTicket) }
            }
        }
    }

    /// Throws out what has expired.
    pub fn sweep(&mut self, now: Now) {
        while let Some(&Reverse((ends, seal))) = self.ends.peek()
            && ends <= now
        {
            self.ends.pop();
            if self.stored.get(&seal).is_some_and(|ticket| ticket.ends == ends) {
                self.take(seal);
            }
        }
    }

    /// How many there are, expired ones that were not yet swept included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.stored.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stored.is_empty()
    }

    fn seal(&self, code: &str) -> Seal {
        self.key.seal("ticket", &[code.as_bytes()])
    }

    fn life(&self, kind: Kind) -> Duration {
        match kind {
            Kind::Once => self.limits.once,
            Kind::Refreshable => self.limits.refreshable,
        }
    }

    /// Notes when a life ends. There are never many more of these than tickets.
    fn note_end(&mut self, ends: Now, seal: Seal) {
        if self.ends.len() >= 2 * self.stored.len() + GONE_MAX {
            self.ends = self.stored.iter().map(|(seal, ticket)| Reverse((ticket.ends, *seal))).collect();
        }
        self.ends.push(Reverse((ends, seal)));
    }

    fn take(&mut self, seal: Seal) {
        if let Some(taken) = self.stored.remove(&seal) {
            self.disown(&taken.issuer);
        }
    }

    fn disown(&mut self, issuer: &I) {
        if let Some(owned) = self.by_issuer.get_mut(issuer) {
            *owned -= 1;
            if *owned == 0 {
                self.by_issuer.remove(issuer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    const T0: Now = Now::from_secs(50);

    fn table(limits: Limits) -> Tickets<u8, u32> {
        Tickets::new(SealKey::new([1; 32]), limits)
    }

    fn random(n: u32) -> [u8; STA_RANDOM_BYTES] {
        (u128::from(n) | 0xabcd << 64).to_be_bytes()
    }

    #[test]
    fn codes_have_the_form_that_clients_expect() {
        let mut table = table(Limits::default());
        let sta = table.issue([0xa5; STA_RANDOM_BYTES], 0, Kind::Once, 1, T0).unwrap();
        assert_eq!(sta.expose(), "A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5A5");
        let logon = table.issue([0x0f; LOGON_RANDOM_BYTES], 0, Kind::Once, 1, T0).unwrap();
        assert_eq!(logon.expose(), "0F0F0F0F0F0F0F0F0F0F0F0F0F0F0F");
        assert_eq!(format!("{sta:?}"), "…A5A5");
    }

    #[test]
    fn other_limits_leave_tickets_alone_that_are_out() {
        let mut table = table(Limits::default());
        let before = table.issue(random(1), 0, Kind::Once, 1, T0).unwrap();
        table.set_limits(Limits { once: Duration::from_secs(10), ..Limits::default() });
        let after = table.issue(random(2), 0, Kind::Once, 2, T0).unwrap();
        let later = T0 + Duration::from_secs(50);
        assert_eq!(table.redeem(before.expose(), later), Ok(1));
        assert_eq!(table.redeem(after.expose(), later), Err(NoSuchTicket));
    }

    #[test]
    fn once_is_once() {
        let mut table = table(Limits::default());
        let code = table.issue(random(1), 0, Kind::Once, 7, T0).unwrap();
        assert_eq!(table.redeem(&code.expose().to_lowercase(), T0).unwrap_err(), NoSuchTicket, "compared byte for byte");
        assert_eq!(table.redeem(code.expose(), T0), Ok(7));
        assert_eq!(table.redeem(code.expose(), T0), Err(NoSuchTicket));
        assert!(table.is_empty());
    }

    #[test]
    fn life_ends_at_its_end() {
        let mut table = table(Limits::default());
        let (a, b) =
            (table.issue(random(1), 0, Kind::Once, 1, T0).unwrap(), table.issue(random(2), 0, Kind::Once, 2, T0).unwrap());
        let end = T0 + Duration::from_secs(100);
        assert_eq!(table.redeem(a.expose(), end - Duration::from_nanos(1)), Ok(1));
        assert_eq!(table.redeem(b.expose(), end), Err(NoSuchTicket));
        assert!(table.is_empty());
    }

    #[test]
    fn a_refreshable_one_lives_on_but_not_for_ever() {
        let limits = Limits { absolute: Duration::from_secs(1200), ..Limits::default() };
        let mut table = table(limits);
        let code = table.issue(random(1), 0, Kind::Refreshable, 1, T0).unwrap();
        for at in [499, 998, 1199] {
            assert_eq!(table.redeem(code.expose(), T0 + Duration::from_secs(at)), Ok(1));
        }
        assert_eq!(table.redeem(code.expose(), T0 + Duration::from_secs(1200)), Err(NoSuchTicket));
    }

    #[test]
    fn what_is_gone_leaves_little_behind() {
        let mut table = table(Limits::default());
        let kept = table.issue(random(0), 0, Kind::Refreshable, 0, T0).unwrap();
        for n in 1..10_000 {
            let code = table.issue(random(n), 0, Kind::Once, n, T0).unwrap();
            assert_eq!((table.redeem(code.expose(), T0), table.redeem(kept.expose(), T0)), (Ok(n), Ok(0)));
            assert!(table.ends.len() <= 2 * table.len() + GONE_MAX + 2);
        }
        table.sweep(T0 + Duration::from_secs(500));
        assert_eq!((table.len(), table.ends.len()), (0, 0));
    }

    #[test]
    fn full_is_full_for_one_issuer_and_for_all() {
        let mut table = table(Limits { tickets_max: 3, tickets_per_issuer_max: 2, ..Limits::default() });
        let first = table.issue(random(1), 0, Kind::Once, 1, T0).unwrap();
        table.issue(random(2), 0, Kind::Once, 2, T0).unwrap();
        assert_eq!(table.issue(random(3), 0, Kind::Once, 3, T0).unwrap_err(), TableFull);
        table.issue(random(4), 1, Kind::Once, 4, T0).unwrap();
        assert_eq!(table.issue(random(5), 1, Kind::Once, 5, T0).unwrap_err(), TableFull);
        table.redeem(first.expose(), T0).unwrap();
        table.issue(random(6), 0, Kind::Once, 6, T0).unwrap();
        table.issue(random(7), 1, Kind::Once, 7, T0 + Duration::from_secs(100)).unwrap();
        assert_eq!(table.len(), 1, "expired ones make room");
    }

    #[derive(Clone, Debug)]
    enum Step {
        Issue(u8, bool),
        Redeem(prop::sample::Index),
        Pass(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        proptest::collection::vec(
            prop_oneof![
                (0u8..3, any::<bool>()).prop_map(|(i, r)| Step::Issue(i, r)),
                any::<prop::sample::Index>().prop_map(Step::Redeem),
                (0u64..300).prop_map(Step::Pass),
            ],
            0..150,
        )
    }

    proptest! {
        #[test]
        fn the_table_agrees_with_a_naive_one(steps in steps()) {
            let limits = Limits {
                absolute: Duration::from_secs(900), tickets_max: 12, tickets_per_issuer_max: 6, ..Limits::default()
            };
            let mut table = table(limits);
            let mut codes: Vec<String> = Vec::new();
            let mut naive: HashMap<String, (u8, Kind, Now, Now, u32)> = HashMap::new();
            let mut now = T0;
            for (n, step) in steps.into_iter().enumerate() {
                let n = u32::try_from(n).unwrap();
                match step {
                    Step::Pass(seconds) => now += Duration::from_secs(seconds),
                    Step::Issue(issuer, refreshable) => {
                        naive.retain(|_, t| t.3 > now);
                        let room = naive.len() < 12 && naive.values().filter(|t| t.0 == issuer).count() < 6;
                        let kind = if refreshable { Kind::Refreshable } else { Kind::Once };
                        let got = table.issue(random(n), issuer, kind, n, now);
                        prop_assert_eq!(got.is_ok(), room);
                        if let Ok(code) = got {
                            let life = if refreshable { limits.refreshable } else { limits.once };
                            naive.insert(code.expose().to_owned(), (issuer, kind, now, now + life, n));
                            codes.push(code.expose().to_owned());
                        }
                    }
                    Step::Redeem(which) => {
                        if codes.is_empty() {
                            continue;
                        }
                        let code = which.get(&codes).clone();
                        let expected = match naive.get_mut(&code) {
                            Some(t) if t.3 > now => {
                                let value = t.4;
                                t.3 = (now + limits.refreshable).min(t.2 + limits.absolute);
                                if t.1 == Kind::Once {
                                    naive.remove(&code);
                                }
                                Ok(value)
                            }
                            _ => Err(NoSuchTicket),
                        };
                        prop_assert_eq!(table.redeem(&code, now), expected);
                    }
                }
                prop_assert!(table.stored.iter().all(|(seal, ticket)| table.ends.iter().any(|end| end.0 == (ticket.ends, *seal))));
                prop_assert_eq!(table.by_issuer.values().sum::<usize>(), table.stored.len());
            }
        }
    }
}
