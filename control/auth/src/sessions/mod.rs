//! Portal logins: who is in, since when, until when, and why not any more.
//!
//! ```text
//!   form   ── pre-login cookie + form token (sealed, stateless) ──► POST with both or not at all
//!   begin  ── 256 random bits ──► the browser's cookie;    the table keeps only its seal
//!   look up ── cookie ──► the login, if it is neither idle too long nor too old
//!   sweep  ── those whose time is up, at a cost of as many as there are
//!   over   ── every end is told once to whoever owns what hangs on the login; its seal and reason are remembered for a while
//!   form token of a login = a seal of its cookie: it needs no storage and dies with the login
//! ```
//!
//! The password is kept with the login, in memory that is wiped, because the XML Service wants it with every request.

mod end;
mod form;
mod login;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

pub use self::end::{End, Ended, IcaPolicy};
pub use self::form::{FORM_LIFE, LoginForm};
pub use self::login::{Arrival, Entry, Identity, Login, Sso, TOKEN_RANDOM_BYTES, Times, Token};
use crate::Now;
use crate::oldest::OldestOut;
use crate::seal::{Seal, SealKey};
use crate::users::canonical;

/// Logins remembered after their end.
const ENDED_MAX: usize = 10_000;
/// How long they are.
pub const ENDED_LIFE: Duration = Duration::from_secs(3600);

/// How many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Logins in the table.
    pub logins_max: usize,
    /// Logins of one user; a further one ends the oldest.
    pub logins_per_user_max: usize,
    /// Logins of nobody in particular from one address; likewise.
    pub logins_per_source_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { logins_max: 50_000, logins_per_user_max: 32, logins_per_source_max: 1024 }
    }
}

/// The table is full of living logins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("too many logins")]
pub struct TooManyLogins;

/// Whose logins are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Whose {
    /// A user's, by canonical name.
    User(String),
    /// Nobody's, from one address.
    Source(IpAddr),
}

impl Whose {
    fn of(entry: &Entry) -> Self {
        match &entry.identity {
            Some(identity) => Self::User(plain(&identity.user)),
            None => Self::Source(entry.arrival.client.ip().to_canonical()),
        }
    }
}

/// A user's name without regard to domain and spelling. What cannot be a name is compared as it is.
#[must_use]
pub fn plain(user: &str) -> String {
    canonical(user).map_or_else(|| user.to_owned(), |(name, _)| name)
}

/// A login in the table.
#[derive(Debug)]
struct Held {
    login: Login,
    /// Under which time it stands in [`Logins::by_end`]; its real end may be later.
    looked_at: Now,
}

/// All logins.
#[derive(Debug)]
pub struct Logins {
    key: SealKey,
    limits: Limits,
    table: HashMap<Seal, Held>,
    by_number: HashMap<u64, Seal>,
    by_whose: HashMap<Whose, VecDeque<Seal>>,
    by_vserver: HashMap<Arc<str>, usize>,
    /// When to look at which login again. Never later than its end.
    by_end: BTreeSet<(Now, Seal)>,
    /// Ends that nobody was told of yet.
    untold: Vec<(Login, End)>,
    ended: OldestOut<Seal, Ended>,
    begun: u64,
}

impl Logins {
    /// An empty table.
    #[must_use]
    pub fn new(key: SealKey, limits: Limits) -> Self {
        Self {
            key,
            limits,
            table: HashMap::new(),
            by_number: HashMap::new(),
            by_whose: HashMap::new(),
            by_vserver: HashMap::new(),
            by_end: BTreeSet::new(),
            untold: Vec::new(),
            ended: OldestOut::new(ENDED_MAX),
            begun: 0,
        }
    }

    /// Begins a login under a `token` that was never shown to anybody before (against fixation), and gives its number.
    ///
    /// # Errors
    /// [`TooManyLogins`].
    pub fn begin(&mut self, token: &Token, entry: Entry, now: Now) -> Result<u64, TooManyLogins> {
        if self.table.len() >= self.limits.logins_max {
            self.sweep(now);
        }
        if self.table.len() >= self.limits.logins_max {
            return Err(TooManyLogins);
        }
        let whose = Whose::of(&entry);
        let own_max = match whose {
            Whose::User(_) => self.limits.logins_per_user_max,
            Whose::Source(_) => self.limits.logins_per_source_max,
        };
        if let Some(own) = self.by_whose.get(&whose)
            && own.len() >= own_max
            && let Some(oldest) = own.front().copied()
        {
            self.take(oldest, End::Crowded, now);
        }
        let seal = self.seal(token.expose());
        self.begun += 1;
        let number = self.begun;
        *self.by_vserver.entry(entry.arrival.vserver.clone()).or_default() += 1;
        let login = Login { number, entry, began: now, seen: now };
        let looked_at = login.ends();
        self.by_end.insert((looked_at, seal));
        self.by_number.insert(number, seal);
        self.by_whose.entry(whose).or_default().push_back(seal);
        self.table.insert(seal, Held { login, looked_at });
        Ok(number)
    }

    /// The login behind a cookie. Using it keeps it from becoming idle.
    pub fn look_up(&mut self, token: &str, now: Now) -> Option<&Login> {
        let seal = self.seal(token);
        if let Some(end) = self.table.get(&seal).and_then(|held| over(&held.login, now)) {
            self.take(seal, end, now);
            return None;
        }
        let held = self.table.get_mut(&seal)?;
        held.login.seen = now;
        Some(&held.login)
    }

    /// Why the login behind a cookie is over, if there was one and it is remembered.
    #[must_use]
    pub fn why_over(&self, token: &str, now: Now) -> Option<&Ended> {
        self.ended.peek(&self.seal(token)).filter(|ended| now.saturating_sub(ended.at) < ENDED_LIFE)
    }

    /// The login of that number.
    #[must_use]
    pub fn numbered(&self, number: u64, now: Now) -> Option<&Login> {
        let held = self.table.get(self.by_number.get(&number)?)?;
        over(&held.login, now).is_none().then_some(&held.login)
    }

    /// Ends the login behind a cookie; whether there was one.
    pub fn end(&mut self, token: &str, end: End, now: Now) -> bool {
        let seal = self.seal(token);
        self.take(seal, end, now)
    }

    /// Ends the login of that number; whether there was one.
    pub fn end_numbered(&mut self, number: u64, end: End, now: Now) -> bool {
        self.by_number.get(&number).copied().is_some_and(|seal| self.take(seal, end, now))
    }

    /// Ends those that `fits` wants; how many those were.
    pub fn end_those(&mut self, end: End, now: Now, fits: impl Fn(&Login) -> bool) -> usize {
        let seals: Vec<Seal> = self.table.iter().filter(|(_, held)| fits(&held.login)).map(|(seal, _)| *seal).collect();
        seals.into_iter().filter(|seal| self.take(*seal, end, now)).count()
    }

    /// Ends the user's other logins through a virtual server: the one numbered `but` stays.
    pub fn end_others(&mut self, user: &str, vserver: &str, but: u64, now: Now) -> usize {
        let own = self.by_whose.get(&Whose::User(plain(user)));
        let others = own.into_iter().flatten().filter(|seal| {
            let login = self.table.get(seal).map(|held| &held.login);
            login.is_some_and(|login| login.number != but && &*login.entry.arrival.vserver == vserver)
        });
        let others: Vec<Seal> = others.copied().collect();
        others.into_iter().filter(|seal| self.take(*seal, End::Replaced, now)).count()
    }

    /// Ends those whose time is up. Costs as much as there are of those and of logins that were used since they were last looked
    /// at.
    pub fn sweep(&mut self, now: Now) {
        while let Some((at, seal)) = self.by_end.first().copied()
            && at <= now
        {
            self.by_end.remove(&(at, seal));
            let Some(held) = self.table.get_mut(&seal) else { continue };
            match over(&held.login, now) {
                Some(end) => drop(self.take(seal, end, now)),
                None => {
                    held.looked_at = held.login.ends();
                    self.by_end.insert((held.looked_at, seal));
                }
            }
        }
    }

    /// Ends of logins that were not told yet.
    pub fn take_ends(&mut self) -> Vec<(Login, End)> {
        std::mem::take(&mut self.untold)
    }

    /// The form token that belongs to a cookie: every form of that login carries it.
    #[must_use]
    pub fn form_token(&self, token: &str) -> String {
        self.key.seal("form", &[token.as_bytes()]).to_text()
    }

    /// Whether `presented` is the form token of this cookie.
    #[must_use]
    pub fn is_form_token(&self, token: &str, presented: &str) -> bool {
        self.key.seal("form", &[token.as_bytes()]).is_text(presented)
    }

    /// All that are not over, in no order.
    pub fn iter(&self, now: Now) -> impl Iterator<Item = &Login> {
        self.table.values().map(|held| &held.login).filter(move |login| over(login, now).is_none())
    }

    /// Those that ended within [`ENDED_LIFE`], the last one first.
    pub fn ended(&self, now: Now) -> impl Iterator<Item = &Ended> {
        self.ended.youngest_first().take_while(move |ended| now.saturating_sub(ended.at) < ENDED_LIFE)
    }

    /// How many have begun since the start.
    #[must_use]
    pub fn begun(&self) -> u64 {
        self.begun
    }

    /// How many there are, those whose time is up and that were not yet swept included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// How many there are through a virtual server, likewise.
    #[must_use]
    pub fn at(&self, vserver: &str) -> usize {
        self.by_vserver.get(vserver).copied().unwrap_or_default()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    fn seal(&self, token: &str) -> Seal {
        self.key.seal("login", &[token.as_bytes()])
    }

    fn take(&mut self, seal: Seal, end: End, now: Now) -> bool {
        let Some(Held { login, looked_at }) = self.table.remove(&seal) else { return false };
        self.by_end.remove(&(looked_at, seal));
        self.by_number.remove(&login.number);
        let whose = Whose::of(&login.entry);
        if let Some(own) = self.by_whose.get_mut(&whose) {
            own.retain(|other| *other != seal);
            if own.is_empty() {
                self.by_whose.remove(&whose);
            }
        }
        let vserver = &login.entry.arrival.vserver;
        if let Some(count) = self.by_vserver.get_mut(vserver) {
            *count -= 1;
            if *count == 0 {
                self.by_vserver.remove(vserver);
            }
        }
        self.ended.touch(&seal, || Ended {
            number: login.number,
            user: login.user().into(),
            arrival: login.entry.arrival.clone(),
            began: login.began,
            at: now,
            end,
        });
        self.untold.push((login, end));
        true
    }
}

/// Why a login's time is up, if it is.
fn over(login: &Login, now: Now) -> Option<End> {
    let times = login.entry.times;
    if now.saturating_sub(login.began) >= times.absolute {
        return Some(End::Absolute);
    }
    (now.saturating_sub(login.seen) >= times.idle).then_some(End::Idle)
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Now = Now::from_secs(77);
    const IDLE: Duration = Duration::from_secs(1800);

    fn arrival() -> Arrival {
        Arrival { client: "192.0.2.1:9".parse().unwrap(), vserver: "gw".into() }
    }

    fn nobody() -> Entry {
        Entry { identity: None, groups: Arc::new([]), sso: None, arrival: arrival(), times: Times::default() }
    }

    fn entry(user: &str) -> Entry {
        let identity = Identity { user: user.into(), domain: "DEMO".into(), is_local: true };
        let sso = Sso { user: user.into(), domain: "DEMO".into(), password: "pw".into() };
        Entry { identity: Some(identity), sso: Some(sso), ..nobody() }
    }

    fn token(n: u8) -> Token {
        Token::new([n; TOKEN_RANDOM_BYTES])
    }

    fn logins() -> Logins {
        Logins::new(SealKey::new([1; 32]), Limits { logins_max: 4, logins_per_user_max: 2, logins_per_source_max: 2 })
    }

    fn ends(logins: &mut Logins) -> Vec<(u64, End)> {
        logins.take_ends().into_iter().map(|(login, end)| (login.number, end)).collect()
    }

    /// Nothing is left of what is gone.
    fn is_whole(logins: &Logins) -> bool {
        let own: usize = logins.by_whose.values().map(VecDeque::len).sum();
        let at: usize = logins.by_vserver.values().sum();
        [own, at, logins.by_number.len(), logins.by_end.len()] == [logins.table.len(); 4]
    }

    #[test]
    fn a_login_lives_while_it_is_used_and_not_for_ever() {
        let mut logins = logins();
        logins.begin(&token(1), entry("alice"), T0).unwrap();
        let mut now = T0;
        while now + Duration::from_secs(1799) < T0 + Duration::from_secs(12 * 3600) {
            now += Duration::from_secs(1799);
            logins.sweep(now);
            assert!(logins.look_up(token(1).expose(), now).is_some());
            assert!(is_whole(&logins));
        }
        logins.sweep(T0 + Duration::from_secs(12 * 3600));
        assert!(logins.is_empty() && is_whole(&logins));
        assert_eq!(ends(&mut logins), [(1, End::Absolute)]);
        assert_eq!(ends(&mut logins), [], "told once");
    }

    #[test]
    fn an_idle_login_is_over_and_its_user_can_be_told_for_a_while() {
        let mut logins = logins();
        logins.begin(&token(1), entry("alice"), T0).unwrap();
        assert!(logins.why_over(token(1).expose(), T0).is_none(), "it is not");
        assert!(logins.numbered(1, T0).is_some());
        assert!(logins.numbered(1, T0 + IDLE).is_none());
        assert!(logins.look_up(token(1).expose(), T0 + IDLE).is_none());
        assert!(logins.look_up(token(2).expose(), T0).is_none());
        let ended = logins.why_over(token(1).expose(), T0 + IDLE).unwrap();
        assert_eq!((ended.number, ended.end, &*ended.user), (1, End::Idle, "alice"));
        assert!(logins.why_over(token(1).expose(), T0 + IDLE + ENDED_LIFE).is_none());
        assert!(logins.why_over(token(2).expose(), T0).is_none());
    }

    #[test]
    fn times_are_those_of_the_login() {
        let mut logins = logins();
        let times = Times { idle: Duration::from_secs(60), absolute: Duration::from_secs(90) };
        logins.begin(&token(1), Entry { times, ..entry("alice") }, T0).unwrap();
        logins.begin(&token(2), entry("bob"), T0).unwrap();
        assert!(logins.look_up(token(1).expose(), T0 + Duration::from_secs(59)).is_some());
        logins.sweep(T0 + Duration::from_secs(60));
        assert_eq!(logins.len(), 2, "it was used");
        logins.sweep(T0 + Duration::from_secs(90));
        assert_eq!(ends(&mut logins), [(1, End::Absolute)]);
        assert!(is_whole(&logins));
    }

    #[test]
    fn ended_is_ended() {
        let mut logins = logins();
        logins.begin(&token(1), entry("alice"), T0).unwrap();
        assert!(logins.end(token(1).expose(), End::LoggedOut, T0));
        assert!(!logins.end(token(1).expose(), End::Killed, T0));
        assert!(logins.look_up(token(1).expose(), T0).is_none());
        assert_eq!(ends(&mut logins), [(1, End::LoggedOut)]);
        assert!(is_whole(&logins));
    }

    #[test]
    fn the_table_is_bounded_per_user_and_altogether() {
        let mut logins = logins();
        for (n, user) in [(1, "alice"), (2, "DEMO\\Alice"), (3, "ALICE")] {
            logins.begin(&token(n), entry(user), T0).unwrap();
        }
        assert!(logins.look_up(token(1).expose(), T0).is_none(), "the oldest made room");
        assert_eq!(ends(&mut logins), [(1, End::Crowded)]);
        assert!(logins.look_up(token(3).expose(), T0).is_some());
        logins.begin(&token(4), entry("bob"), T0).unwrap();
        logins.begin(&token(5), entry("carol"), T0).unwrap();
        assert_eq!((logins.at("gw"), logins.at("other")), (4, 0));
        assert_eq!(logins.begin(&token(6), entry("dave"), T0), Err(TooManyLogins));
        logins.begin(&token(7), entry("dave"), T0 + IDLE).unwrap();
        assert_eq!((logins.len(), logins.at("gw")), (1, 1));
        assert!(is_whole(&logins));
    }

    #[test]
    fn logins_of_nobody_are_counted_by_where_they_come_from() {
        let mut logins = logins();
        for n in 1..=3 {
            logins.begin(&token(n), nobody(), T0).unwrap();
        }
        assert_eq!(ends(&mut logins), [(1, End::Crowded)]);
        let arrival = Arrival { client: "192.0.2.2:9".parse().unwrap(), ..arrival() };
        logins.begin(&token(4), Entry { arrival, ..nobody() }, T0).unwrap();
        assert_eq!(logins.len(), 3);
        assert_eq!(logins.look_up(token(4).expose(), T0).unwrap().user(), "");
        assert!(is_whole(&logins));
    }

    #[test]
    fn where_one_login_is_allowed_the_others_of_this_user_go() {
        let mut logins = logins();
        let elsewhere = Arrival { vserver: "other".into(), ..arrival() };
        logins.begin(&token(1), entry("Alice"), T0).unwrap();
        logins.begin(&token(2), entry("bob"), T0).unwrap();
        logins.begin(&token(3), Entry { arrival: elsewhere, ..entry("alice") }, T0).unwrap();
        assert_eq!(logins.end_others("ALICE", "gw", 3, T0), 1);
        assert_eq!(ends(&mut logins), [(1, End::Replaced)]);
        assert_eq!(logins.end_others("alice", "other", 3, T0), 0, "not itself");
    }

    #[test]
    fn operators_see_and_end_logins_by_what_they_are() {
        let mut logins = logins();
        for (n, user) in [(1, "alice"), (2, "alice"), (3, "bob")] {
            logins.begin(&token(n), entry(user), T0).unwrap();
        }
        let later = T0 + Duration::from_secs(1000);
        assert!(logins.look_up(token(3).expose(), later).is_some());
        assert!(logins.end_numbered(1, End::Killed, later));
        assert!(!logins.end_numbered(1, End::Killed, later));
        assert!(logins.look_up(token(1).expose(), later).is_none());
        let over = T0 + IDLE;
        assert_eq!(logins.iter(over).map(|login| login.number).collect::<Vec<_>>(), [3], "one that is over is not shown");
        logins.sweep(over);
        assert_eq!((logins.begun(), logins.len()), (3, 1));
        assert_eq!(logins.end_those(End::UserGone, over, |login| login.user() == "bob"), 1);
        assert_eq!(ends(&mut logins), [(1, End::Killed), (2, End::Idle), (3, End::UserGone)]);
        assert_eq!(logins.ended(over).map(|ended| ended.number).collect::<Vec<_>>(), [3, 2, 1]);
        assert!(logins.is_empty() && is_whole(&logins));
    }

    #[test]
    fn form_tokens_belong_to_one_cookie() {
        let logins = logins();
        let form = logins.form_token(token(1).expose());
        assert!(logins.is_form_token(token(1).expose(), &form));
        assert!(!logins.is_form_token(token(2).expose(), &form));
        assert!(!logins.is_form_token(token(1).expose(), ""));
        assert_ne!(form, token(1).expose());
    }

    #[test]
    fn a_dump_of_the_table_holds_no_secret() {
        let mut logins = logins();
        logins.begin(&token(0xab), entry("alice"), T0).unwrap();
        let dump = format!("{logins:?}");
        assert!(dump.contains("alice"));
        assert!(!dump.contains("abab"));
        assert!(!dump.contains("pw"));
    }
}
