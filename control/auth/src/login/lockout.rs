//! Users who fail too often are locked out for a while: `-maxLoginAttempts` and `-failedLoginTimeout`.
//!
//! ```text
//!   a guess ─► begin: counted as a failure at once ─┬─ right ─► succeeded: the count is gone      (parallel guesses gain nothing)
//!                 │                                 └─ nobody could be asked ─► spared: taken back
//!                 └─ so many failures ─► Locked, until the time is over or an operator unlocks
//! ```
//!
//! The count goes by virtual server and user, in the spelling of [`crate::users::canonical`], so that all spellings of one name share one.
//! A lock refuses new logins and never ends a session. Names that belong to nobody are counted as well: a lock does not tell who exists.
//! The table is bounded; who was touched longest ago makes room.

use std::time::Duration;

use gate_config::model::authentication::Lockout;

use super::place::Realm;
use crate::Now;
use crate::oldest::OldestOut;

/// Users who are counted.
pub const LOCKOUT_ENTRIES_MAX: usize = 65_536;
/// After this long without a failure the count of somebody who is not locked is forgotten.
pub const FORGET_AFTER: Duration = Duration::from_secs(3600);

/// The account is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Locked {
    /// For so long.
    pub remaining: Duration,
}

type Key = (Realm, Box<str>);

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    failures: u8,
    /// As many lock.
    attempts: u8,
    last: Now,
    locked_until: Option<Now>,
}

/// All counts.
#[derive(Debug)]
pub struct Lockouts {
    counts: OldestOut<Key, Count>,
}

impl Default for Lockouts {
    fn default() -> Self {
        Self::new(LOCKOUT_ENTRIES_MAX)
    }
}

impl Lockouts {
    /// For at most so many users.
    #[must_use]
    pub fn new(entries_max: usize) -> Self {
        Self { counts: OldestOut::new(entries_max) }
    }

    /// Somebody guesses at the secret of `user` (canonical). It counts as a failure until [`succeeded`](Self::succeeded) or
    /// [`spared`](Self::spared) says otherwise. Nothing is counted where nobody is locked out, or not for a time.
    ///
    /// # Errors
    /// [`Locked`]: nobody may be asked. A refused guess is not counted and does not make the lock longer.
    pub fn begin(&mut self, realm: &Realm, user: &str, limits: Option<Lockout>, now: Now) -> Result<(), Locked> {
        let Some((attempts, time)) = limits.and_then(|limits| Some((limits.attempts, limits.time?))) else { return Ok(()) };
        let key = (realm.clone(), user.into());
        if let Some(remaining) = self.counts.peek(&key).and_then(|count| count.remaining(now)) {
            return Err(Locked { remaining });
        }
        let count = self.counts.touch(&key, Count::default);
        if count.locked_until.is_some() || now.saturating_sub(count.last) > FORGET_AFTER {
            *count = Count::default();
        }
        count.failures = count.failures.saturating_add(1);
        (count.last, count.attempts) = (now, attempts);
        if count.failures >= attempts {
            count.locked_until = Some(now.saturating_add(time));
        }
        Ok(())
    }

    /// The guess was right: the user starts afresh.
    pub fn succeeded(&mut self, realm: &Realm, user: &str) {
        self.counts.remove(&(realm.clone(), user.into()));
    }

    /// The guess was none, since nobody could be asked; or it was right, and the login goes on to another secret: who knows one of two must
    /// not start afresh with each try at the other. A lock that others have earned stays.
    pub fn spared(&mut self, realm: &Realm, user: &str) {
        if let Some(count) = self.counts.peek_mut(&(realm.clone(), user.into())) {
            count.failures = count.failures.saturating_sub(1);
            if count.failures < count.attempts {
                count.locked_until = None;
            }
        }
    }

    /// How long `user` is locked yet.
    #[must_use]
    pub fn locked(&self, realm: &Realm, user: &str, now: Now) -> Option<Duration> {
        self.counts.peek(&(realm.clone(), user.into()))?.remaining(now)
    }

    /// An operator unlocks a user (canonical) in each of `realms`. In how many of them he was locked.
    pub fn unlock<'r>(&mut self, realms: impl IntoIterator<Item = &'r Realm>, user: &str, now: Now) -> usize {
        let gone = realms.into_iter().filter_map(|realm| self.counts.remove(&(realm.clone(), user.into())));
        gone.filter(|count| count.remaining(now).is_some()).count()
    }

    /// How many users are counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether nobody is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }
}

impl Count {
    fn remaining(&self, now: Now) -> Option<Duration> {
        self.locked_until?.checked_sub(now).filter(|remaining| !remaining.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::users::canonical;

    const T0: Now = Now::from_secs(1000);
    const MINUTE: Duration = Duration::from_secs(60);
    const LIMITS: Option<Lockout> = Some(Lockout { attempts: 3, time: Some(Duration::from_secs(300)) });

    fn realm(name: &str) -> Realm {
        Realm::Authentication(name.into())
    }

    #[test]
    fn the_third_failure_locks_and_time_or_an_operator_unlocks() {
        let mut lockouts = Lockouts::default();
        for _ in 0..3 {
            assert_eq!(lockouts.begin(&realm("av"), "ann", LIMITS, T0), Ok(()));
        }
        let later = T0 + MINUTE;
        assert_eq!(lockouts.begin(&realm("av"), "ann", LIMITS, later), Err(Locked { remaining: 4 * MINUTE }));
        assert_eq!(lockouts.locked(&realm("av"), "ann", later), Some(4 * MINUTE), "a refused guess does not make it longer");
        assert_eq!(lockouts.begin(&realm("av"), "bob", LIMITS, later), Ok(()), "others are not locked");
        assert_eq!(lockouts.begin(&realm("other"), "ann", LIMITS, later), Ok(()), "nor is she elsewhere");
        assert_eq!(lockouts.begin(&realm("av"), "ann", LIMITS, T0 + 5 * MINUTE), Ok(()), "until the time is over");
        assert_eq!(lockouts.locked(&realm("av"), "ann", T0 + 5 * MINUTE), None, "and then there are three tries again");

        for _ in 0..2 {
            lockouts.begin(&realm("av"), "ann", LIMITS, T0 + 5 * MINUTE).unwrap();
        }
        assert!(lockouts.begin(&realm("av"), "ann", LIMITS, T0 + 5 * MINUTE).is_err());
        assert_eq!(lockouts.unlock(&[realm("av"), realm("other")], "ann", T0 + 5 * MINUTE), 1);
        assert_eq!(lockouts.begin(&realm("av"), "ann", LIMITS, T0 + 5 * MINUTE), Ok(()));
    }

    #[test]
    fn a_right_password_forgives_and_an_outage_is_nobodys_fault() {
        let mut lockouts = Lockouts::default();
        for _ in 0..20 {
            lockouts.begin(&realm("av"), "ann", LIMITS, T0).unwrap();
            lockouts.begin(&realm("av"), "ann", LIMITS, T0).unwrap();
            lockouts.succeeded(&realm("av"), "ann");
        }
        for _ in 0..20 {
            lockouts.begin(&realm("av"), "ann", LIMITS, T0).unwrap();
            lockouts.spared(&realm("av"), "ann");
        }
        for _ in 0..3 {
            lockouts.begin(&realm("av"), "ann", LIMITS, T0).unwrap();
        }
        lockouts.spared(&realm("av"), "ann");
        assert_eq!(lockouts.locked(&realm("av"), "ann", T0), None, "not even the one that would have locked");
    }

    #[test]
    fn guesses_at_the_same_time_gain_nothing() {
        let mut lockouts = Lockouts::default();
        let let_through = (0..100).filter(|_| lockouts.begin(&realm("av"), "ann", LIMITS, T0).is_ok()).count();
        assert_eq!(let_through, 3);
    }

    #[test]
    fn ten_spellings_of_one_name_share_one_count() {
        let mut lockouts = Lockouts::default();
        let spellings = [
            "alice",
            "ALICE",
            " alice ",
            "DEMO\\alice",
            "demo\\Alice",
            "alice@demo",
            "Ａｌｉｃｅ",
            "\u{3000}alice",
            "alice\u{a0}",
            "\\alice",
        ];
        let limits = Some(Lockout { attempts: 10, time: Some(MINUTE) });
        for spelling in spellings {
            lockouts.begin(&realm("av"), &canonical(spelling).unwrap().0, limits, T0).unwrap();
        }
        assert_eq!(lockouts.len(), 1);
        assert_eq!(lockouts.begin(&realm("av"), "alice", limits, T0), Err(Locked { remaining: MINUTE }));
    }

    #[test]
    fn nobody_is_locked_without_a_time_and_the_table_is_bounded() {
        let mut lockouts = Lockouts::new(10);
        for limits in [None, Some(Lockout { attempts: 1, time: None })] {
            for _ in 0..50 {
                lockouts.begin(&realm("av"), "ann", limits, T0).unwrap();
            }
        }
        assert!(lockouts.is_empty());
        for number in 0..1000 {
            lockouts.begin(&realm("av"), &format!("user{number}"), LIMITS, T0).unwrap();
        }
        assert_eq!(lockouts.len(), 10);
    }

    #[test]
    fn a_count_is_forgotten_when_nothing_happens() {
        let mut lockouts = Lockouts::default();
        for n in 0..30_u32 {
            lockouts.begin(&realm("av"), "ann", LIMITS, T0 + n * (FORGET_AFTER + MINUTE)).unwrap();
        }
    }
}
