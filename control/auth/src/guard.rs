//! Brakes on guessing: failed logins per user and per source, failed tickets per source.
//!
//! ```text
//!  login    begin ─► counted as a failure at once ─► succeeded: taken back          (parallel guesses gain nothing)
//!           after the free ones each failure doubles the time until the next try, up to a cap
//!  ticket   failed ─► 11th within a minute ─► the source is banned for five minutes
//! ```
//!
//! Locks are soft: they delay a new login and never touch a running one. Every table is bounded, oldest out, and a caller
//! who owns a whole IPv6 network counts as one.

use std::net::IpAddr;
use std::time::Duration;

use crate::Now;
use crate::oldest::OldestOut;

/// Entries in each table.
pub const TABLE_ENTRIES_MAX: usize = 65_536;
/// Failures of one user name that cost nothing.
pub const USER_FREE: u32 = 4;
/// Failures from one source that cost nothing.
pub const SOURCE_FREE: u32 = 20;
/// The first delay; each further failure doubles it.
pub const DELAY_FIRST: Duration = Duration::from_secs(1);
/// The longest delay.
pub const DELAY_MAX: Duration = Duration::from_secs(300);
/// After this long without a failure all is forgotten.
pub const FORGET_AFTER: Duration = Duration::from_secs(900);
/// Failed tickets of one source within [`TICKET_WINDOW`] that are borne.
pub const TICKET_FAILURES_MAX: u32 = 10;
/// The window in which failed tickets are counted.
pub const TICKET_WINDOW: Duration = Duration::from_secs(60);
/// How long a source with too many failed tickets is turned away.
pub const TICKET_BAN: Duration = Duration::from_secs(300);

/// Who counts as one: an IPv4 address, or an IPv6 /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source(IpAddr);

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(v4) => v4.into(),
            IpAddr::V6(v6) => (u128::from(v6) >> 64 << 64).to_be_bytes().into(),
        })
    }
}

/// Come back later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// How long.
    pub time: Duration,
}

#[derive(Clone, Copy, Debug, Default)]
struct Failures {
    count: u32,
    last: Now,
    open_from: Now,
}

impl Failures {
    fn wait(&self, now: Now) -> Option<Wait> {
        (self.open_from > now).then(|| Wait { time: self.open_from - now })
    }

    fn add(&mut self, free: u32, now: Now) {
        if now.saturating_sub(self.last) > FORGET_AFTER {
            self.count = 0;
        }
        self.count = self.count.saturating_add(1);
        self.last = now;
        if let Some(over) = self.count.checked_sub(free + 1) {
            let delay = DELAY_FIRST.saturating_mul(1 << over.min(16)).min(DELAY_MAX);
            self.open_from = now + delay;
        }
    }

    fn take_back(&mut self) {
        self.count = self.count.saturating_sub(1);
        self.open_from = Now::ZERO;
    }
}

/// The brake on passwords.
#[derive(Debug)]
pub struct LoginGuard {
    users: OldestOut<String, Failures>,
    sources: OldestOut<Source, Failures>,
}

impl Default for LoginGuard {
    fn default() -> Self {
        Self { users: OldestOut::new(TABLE_ENTRIES_MAX), sources: OldestOut::new(TABLE_ENTRIES_MAX) }
    }
}

impl LoginGuard {
    /// Somebody at `source` wants to try a password for `user` (the canonical spelling, see [`crate::users::canonical`]).
    /// The try is counted as failed until [`LoginGuard::succeeded`] says otherwise. A caller that is trusted to guard its own
    /// users passes no source.
    ///
    /// # Errors
    /// [`Wait`]: not now. A refused try is not counted.
    pub fn begin(&mut self, user: &str, source: Option<Source>, now: Now) -> Result<(), Wait> {
        let user = user.to_owned();
        let of_source = source.and_then(|s| self.sources.peek(&s)?.wait(now));
        let of_user = self.users.peek(&user).and_then(|f| f.wait(now));
        if let Some(wait) = of_user.max_by_time(of_source) {
            return Err(wait);
        }
        self.users.touch(&user, Failures::default).add(USER_FREE, now);
        if let Some(source) = source {
            self.sources.touch(&source, Failures::default).add(SOURCE_FREE, now);
        }
        Ok(())
    }

    /// The password was right: the user starts afresh, the source is given this one try back (and no more, or one good
    /// account would be a licence to guess at the others).
    pub fn succeeded(&mut self, user: &str, source: Option<Source>) {
        self.users.remove(&user.to_owned());
        if let Some(failures) = source.and_then(|s| self.sources.peek_mut(&s)) {
            failures.take_back();
        }
    }
}

impl LoginGuard {
    /// Nobody could be asked whether it was right: it was no try.
    pub fn spared(&mut self, user: &str, source: Option<Source>) {
        if let Some(failures) = self.users.peek_mut(&user.to_owned()) {
            failures.take_back();
        }
        if let Some(failures) = source.and_then(|s| self.sources.peek_mut(&s)) {
            failures.take_back();
        }
    }
}

trait Longer: Sized {
    fn max_by_time(self, other: Self) -> Self;
}

impl Longer for Option<Wait> {
    fn max_by_time(self, other: Self) -> Self {
        match (self, other) {
            (Some(a), Some(b)) => Some(if a.time >= b.time { a } else { b }),
            (a, b) => a.or(b),
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    began: Now,
    failures: u32,
    banned_until: Now,
}

/// The brake on tickets.
#[derive(Debug)]
pub struct TicketGuard {
    sources: OldestOut<Source, Window>,
}

impl Default for TicketGuard {
    fn default() -> Self {
        Self { sources: OldestOut::new(TABLE_ENTRIES_MAX) }
    }
}

impl TicketGuard {
    /// Whether `source` may present a ticket.
    #[must_use]
    pub fn may_try(&self, source: Source, now: Now) -> bool {
        self.sources.peek(&source).is_none_or(|w| w.banned_until <= now)
    }

    /// A ticket from `source` was bad. Returns whether that was one too many: `source` is banned from now on.
    pub fn failed(&mut self, source: Source, now: Now) -> bool {
        let window = self.sources.touch(&source, Window::default);
        if window.failures == 0 || now.saturating_sub(window.began) >= TICKET_WINDOW {
            window.began = now;
            window.failures = 0;
        }
        window.failures += 1;
        if window.failures <= TICKET_FAILURES_MAX {
            return false;
        }
        window.failures = 0;
        window.banned_until = now + TICKET_BAN;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Now = Now::from_secs(1000);

    fn source(text: &str) -> Source {
        text.parse::<IpAddr>().unwrap().into()
    }

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_network_counts_as_one() {
        assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:2"));
        assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
    }

    #[test]
    fn delays_double_up_to_the_cap_and_are_forgotten() {
        let mut guard = LoginGuard::default();
        let mut now = T0;
        for _ in 0..USER_FREE {
            guard.begin("alice", None, now).unwrap();
        }
        for expected in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            guard.begin("alice", None, now).unwrap();
            assert_eq!(guard.begin("alice", None, now), Err(Wait { time: secs(expected) }));
            guard.begin("bob", None, now).unwrap();
            guard.succeeded("bob", None);
            now += secs(expected);
        }
        now += FORGET_AFTER + secs(1);
        for _ in 0..USER_FREE {
            guard.begin("alice", None, now).unwrap();
        }
    }

    #[test]
    fn what_nobody_could_judge_was_no_try() {
        let mut guard = LoginGuard::default();
        for _ in 0..100 {
            guard.begin("alice", Some(source("192.0.2.1")), T0).unwrap();
            guard.spared("alice", Some(source("192.0.2.1")));
        }
        for _ in 0..=USER_FREE {
            guard.begin("alice", None, T0).unwrap();
        }
        assert!(guard.begin("alice", None, T0).is_err());
    }

    #[test]
    fn parallel_guesses_gain_nothing() {
        let mut guard = LoginGuard::default();
        let let_in = (0..100).filter(|_| guard.begin("alice", Some(source("192.0.2.1")), T0).is_ok()).count();
        assert_eq!(let_in, usize::try_from(USER_FREE).unwrap() + 1);
    }

    #[test]
    fn one_source_cannot_try_every_user_once() {
        let mut guard = LoginGuard::default();
        let bad = Some(source("192.0.2.1"));
        let let_in = (0..1000).filter(|n| guard.begin(&format!("u{n}"), bad, T0).is_ok()).count();
        assert_eq!(let_in, usize::try_from(SOURCE_FREE).unwrap() + 1);
        guard.begin("u1", Some(source("192.0.2.2")), T0).unwrap();
    }

    #[test]
    fn a_good_account_does_not_pay_for_guesses_at_others() {
        let mut guard = LoginGuard::default();
        let bad = Some(source("192.0.2.1"));
        let mut tried = 0;
        for n in 0..1000 {
            if guard.begin("mine", bad, T0).is_err() {
                break;
            }
            guard.succeeded("mine", bad);
            if guard.begin(&format!("u{n}"), bad, T0).is_err() {
                break;
            }
            tried += 1;
        }
        assert!(tried <= SOURCE_FREE + 1, "{tried}");
    }

    #[test]
    fn bad_tickets_earn_a_ban_that_ends() {
        let mut guard = TicketGuard::default();
        let (bad, good) = (source("192.0.2.1"), source("192.0.2.2"));
        for _ in 0..TICKET_FAILURES_MAX {
            assert!(!guard.failed(bad, T0));
            assert!(guard.may_try(bad, T0));
        }
        assert!(guard.failed(bad, T0));
        assert!(!guard.may_try(bad, T0));
        assert!(guard.may_try(good, T0));
        assert!(!guard.may_try(bad, T0 + TICKET_BAN - secs(1)));
        assert!(guard.may_try(bad, T0 + TICKET_BAN));
        assert!(!guard.failed(bad, T0 + TICKET_BAN));
    }

    #[test]
    fn slow_failures_are_borne() {
        let mut guard = TicketGuard::default();
        for n in 0..100 {
            assert!(!guard.failed(source("192.0.2.1"), T0 + secs(7 * n)));
        }
    }

    #[test]
    fn the_table_stays_small() {
        let mut guard = TicketGuard::default();
        for n in 0..u32::try_from(TABLE_ENTRIES_MAX).unwrap() + 100 {
            guard.failed(Source::from(IpAddr::from(n.to_be_bytes())), T0);
        }
        assert_eq!(guard.sources.len(), TABLE_ENTRIES_MAX);
    }
}
