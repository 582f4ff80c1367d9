//! Portal logins: who is in, since when, until when.
//!
//! ```text
//!   form   ── pre-login cookie + form token (sealed, stateless) ──► POST with both or not at all
//!   begin  ── 256 random bits ──► the browser's cookie;    the table keeps only its seal
//!   look up ── cookie ──► the login, if it is neither idle too long nor too old
//!   form token of a login = a seal of its cookie: it needs no storage and dies with the login
//! ```
//!
//! The password is kept with the login, in memory that is wiped, because the XML Service wants it with every request.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use thiserror::Error;

use crate::Now;
use crate::seal::{Seal, SealKey, hex};

/// Random bytes in a cookie: 64 digits.
pub const TOKEN_RANDOM_BYTES: usize = 32;
/// How long a login page may lie open before its form is refused.
pub const FORM_LIFE: Duration = Duration::from_secs(600);

/// How long and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Without a request.
    pub idle: Duration,
    /// Altogether.
    pub absolute: Duration,
    /// Logins in the table.
    pub logins_max: usize,
    /// Logins of one user; a further one ends the oldest.
    pub logins_per_user_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(30 * 60),
            absolute: Duration::from_secs(12 * 3600),
            logins_max: 50_000,
            logins_per_user_max: 32,
        }
    }
}

/// The table is full of living logins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("too many logins")]
pub struct TooManyLogins;

/// What a browser is given. It is the login: never log it, never put it into a URL.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Makes one out of `random`, which must come from the system's generator.
    #[must_use]
    pub fn new(random: [u8; TOKEN_RANDOM_BYTES]) -> Self {
        Self(hex(&random, b"0123456789abcdef"))
    }

    /// The secret itself, for the cookie.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

/// Who somebody is, after a factor has said so.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Canonical name, as [`crate::users::canonical`] spells it.
    pub user: Arc<str>,
    /// The domain the user belongs to, as shown to the farm; may be empty.
    pub domain: Arc<str>,
    /// Groups, each once.
    pub groups: Arc<[String]>,
    /// For the XML Service. Wiped with the login.
    pub password: SecretString,
}

/// How a login began: from where, and through which virtual server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The client.
    pub client: SocketAddr,
    /// The virtual server.
    pub vserver: Arc<str>,
}

/// One login.
#[derive(Clone, Debug)]
pub struct Login {
    /// Names it to operators; counted up from 1, no secret.
    pub number: u64,
    /// Who.
    pub identity: Identity,
    /// How it began.
    pub arrival: Arrival,
    /// When it began.
    pub began: Now,
    /// When it was last used.
    pub seen: Now,
}

/// All logins.
#[derive(Debug)]
pub struct Logins {
    key: SealKey,
    limits: Limits,
    table: HashMap<Seal, Login>,
    by_user: HashMap<Arc<str>, VecDeque<Seal>>,
    begun: u64,
    expired: u64,
}

impl Logins {
    /// An empty table.
    #[must_use]
    pub fn new(key: SealKey, limits: Limits) -> Self {
        Self { key, limits, table: HashMap::new(), by_user: HashMap::new(), begun: 0, expired: 0 }
    }

    /// Begins a login under a `token` that was never shown to anybody before (against fixation).
    ///
    /// # Errors
    /// [`TooManyLogins`].
    pub fn begin(&mut self, token: &Token, identity: Identity, arrival: Arrival, now: Now) -> Result<(), TooManyLogins> {
        if self.table.len() >= self.limits.logins_max {
            self.sweep(now);
        }
        if self.table.len() >= self.limits.logins_max {
            return Err(TooManyLogins);
        }
        let user = identity.user.clone();
        if let Some(own) = self.by_user.get(&user)
            && own.len() >= self.limits.logins_per_user_max
            && let Some(oldest) = own.front().copied()
        {
            self.take(oldest);
        }
        let seal = self.seal(token.expose());
        self.begun += 1;
        self.table.insert(seal, Login { number: self.begun, identity, arrival, began: now, seen: now });
        self.by_user.entry(user).or_default().push_back(seal);
        Ok(())
    }

    /// The login behind a cookie. Using it keeps it from becoming idle.
    pub fn look_up(&mut self, token: &str, now: Now) -> Option<&Login> {
        let seal = self.seal(token);
        let login = self.table.get(&seal)?;
        if self.is_over(login, now) {
            self.expired += 1;
            self.take(seal);
            return None;
        }
        let login = self.table.get_mut(&seal)?;
        login.seen = now;
        Some(login)
    }

    /// Ends the login behind a cookie.
    pub fn end(&mut self, token: &str) -> Option<Login> {
        let seal = self.seal(token);
        self.take(seal)
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

    /// Throws out what is over.
    pub fn sweep(&mut self, now: Now) {
        let over: Vec<Seal> = self.table.iter().filter(|(_, login)| self.is_over(login, now)).map(|(seal, _)| *seal).collect();
        for seal in over {
            self.expired += 1;
            self.take(seal);
        }
    }

    /// All that are not over, in no order.
    pub fn iter(&self, now: Now) -> impl Iterator<Item = &Login> {
        self.table.values().filter(move |login| !self.is_over(login, now))
    }

    /// Ends those that `fits` wants, and gives them back.
    pub fn end_those(&mut self, fits: impl Fn(&Login) -> bool) -> Vec<Login> {
        let seals: Vec<Seal> = self.table.iter().filter(|(_, login)| fits(login)).map(|(seal, _)| *seal).collect();
        seals.into_iter().filter_map(|seal| self.take(seal)).collect()
    }

    /// How many have begun since the start.
    #[must_use]
    pub fn begun(&self) -> u64 {
        self.begun
    }

    /// How many of them ended because their time was up.
    #[must_use]
    pub fn expired(&self) -> u64 {
        self.expired
    }

    /// How many there are, idle ones that were not yet swept included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    fn seal(&self, token: &str) -> Seal {
        self.key.seal("login", &[token.as_bytes()])
    }

    fn is_over(&self, login: &Login, now: Now) -> bool {
        now.saturating_sub(login.seen) >= self.limits.idle || now.saturating_sub(login.began) >= self.limits.absolute
    }

    fn take(&mut self, seal: Seal) -> Option<Login> {
        let login = self.table.remove(&seal)?;
        if let Some(own) = self.by_user.get_mut(&login.identity.user) {
            own.retain(|s| *s != seal);
            if own.is_empty() {
                self.by_user.remove(&login.identity.user);
            }
        }
        Some(login)
    }
}

/// Guards the login form itself, before there is a login: whoever posts it must hold the cookie that came with it.
#[derive(Clone, Debug)]
pub struct LoginForm {
    key: SealKey,
}

impl LoginForm {
    /// Nothing is stored.
    #[must_use]
    pub fn new(key: SealKey) -> Self {
        Self { key }
    }

    /// The token for a form that is shown now to the holder of `cookie`.
    #[must_use]
    pub fn token(&self, cookie: &Token, now: Now) -> String {
        let seconds = now.as_secs();
        format!("{seconds:x}-{}", self.seal(cookie.expose(), seconds).to_text())
    }

    /// Whether `presented` came with a form that was shown to the holder of `cookie` within [`FORM_LIFE`].
    #[must_use]
    pub fn is_token(&self, cookie: &str, presented: &str, now: Now) -> bool {
        let Some((seconds, seal)) = presented.split_once('-') else { return false };
        let Ok(seconds) = u64::from_str_radix(seconds, 16) else { return false };
        let shown = Duration::from_secs(seconds);
        self.seal(cookie, seconds).is_text(seal) && shown <= now && now - shown <= FORM_LIFE
    }

    fn seal(&self, cookie: &str, seconds: u64) -> Seal {
        self.key.seal("login form", &[cookie.as_bytes(), &seconds.to_le_bytes()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Now = Now::from_secs(77);

    fn arrival() -> Arrival {
        Arrival { client: "192.0.2.1:9".parse().unwrap(), vserver: "gw".into() }
    }

    fn identity(user: &str) -> Identity {
        Identity { user: user.into(), domain: "DEMO".into(), groups: Arc::new([]), password: "pw".into() }
    }

    fn token(n: u8) -> Token {
        Token::new([n; TOKEN_RANDOM_BYTES])
    }

    fn logins() -> Logins {
        Logins::new(SealKey::new([1; 32]), Limits { logins_max: 4, logins_per_user_max: 2, ..Limits::default() })
    }

    #[test]
    fn a_login_lives_while_it_is_used_and_not_for_ever() {
        let mut logins = logins();
        logins.begin(&token(1), identity("alice"), arrival(), T0).unwrap();
        let mut now = T0;
        while now + Duration::from_secs(1799) < T0 + Duration::from_secs(12 * 3600) {
            now += Duration::from_secs(1799);
            assert!(logins.look_up(token(1).expose(), now).is_some());
        }
        assert!(logins.look_up(token(1).expose(), T0 + Duration::from_secs(12 * 3600)).is_none());
        assert!(logins.is_empty());
    }

    #[test]
    fn an_idle_login_is_over() {
        let mut logins = logins();
        logins.begin(&token(1), identity("alice"), arrival(), T0).unwrap();
        assert!(logins.look_up(token(1).expose(), T0 + Duration::from_secs(1800)).is_none());
        assert!(logins.look_up(token(2).expose(), T0).is_none());
    }

    #[test]
    fn ended_is_ended() {
        let mut logins = logins();
        logins.begin(&token(1), identity("alice"), arrival(), T0).unwrap();
        assert_eq!(&*logins.end(token(1).expose()).unwrap().identity.user, "alice");
        assert!(logins.look_up(token(1).expose(), T0).is_none());
        assert!(logins.by_user.is_empty());
    }

    #[test]
    fn the_table_is_bounded_per_user_and_altogether() {
        let mut logins = logins();
        for n in 1..=3 {
            logins.begin(&token(n), identity("alice"), arrival(), T0).unwrap();
        }
        assert!(logins.look_up(token(1).expose(), T0).is_none(), "the oldest made room");
        assert!(logins.look_up(token(3).expose(), T0).is_some());
        logins.begin(&token(4), identity("bob"), arrival(), T0).unwrap();
        logins.begin(&token(5), identity("carol"), arrival(), T0).unwrap();
        assert_eq!(logins.begin(&token(6), identity("dave"), arrival(), T0), Err(TooManyLogins));
        logins.begin(&token(7), identity("dave"), arrival(), T0 + Duration::from_secs(1800)).unwrap();
        assert_eq!(logins.len(), 1);
    }

    #[test]
    fn operators_see_and_end_logins_by_what_they_are() {
        let mut logins = logins();
        for (n, user) in [(1, "alice"), (2, "alice"), (3, "bob")] {
            logins.begin(&token(n), identity(user), arrival(), T0).unwrap();
        }
        let later = T0 + Duration::from_secs(1000);
        assert!(logins.look_up(token(3).expose(), later).is_some());
        let ended = logins.end_those(|login| login.number == 1);
        assert_eq!(ended.iter().map(|login| &*login.identity.user).collect::<Vec<_>>(), ["alice"]);
        assert!(logins.look_up(token(1).expose(), later).is_none());
        let over = T0 + Duration::from_secs(1800);
        assert_eq!(logins.iter(over).map(|login| login.number).collect::<Vec<_>>(), [3], "one that is over is not shown");
        logins.sweep(over);
        assert_eq!((logins.begun(), logins.expired(), logins.len()), (3, 1, 1));
        assert_eq!(logins.end_those(|login| &*login.identity.user == "bob").len(), 1);
        assert!(logins.is_empty() && logins.by_user.is_empty());
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
    fn the_login_form_needs_its_cookie_and_is_not_valid_for_ever() {
        let form = LoginForm::new(SealKey::new([2; 32]));
        let shown = form.token(&token(1), T0);
        assert!(form.is_token(token(1).expose(), &shown, T0));
        assert!(form.is_token(token(1).expose(), &shown, T0 + FORM_LIFE));
        assert!(!form.is_token(token(1).expose(), &shown, T0 + FORM_LIFE + Duration::from_secs(1)));
        assert!(!form.is_token(token(2).expose(), &shown, T0));
        assert!(!form.is_token(token(1).expose(), &shown.replace("4d-", "4e-"), T0 + FORM_LIFE));
        for junk in ["", "-", "4d", "zz-00", "ffffffffffffffffff-00"] {
            assert!(!form.is_token(token(1).expose(), junk, T0));
        }
    }

    #[test]
    fn a_dump_of_the_table_holds_no_secret() {
        let mut logins = logins();
        logins.begin(&token(0xab), identity("alice"), arrival(), T0).unwrap();
        let dump = format!("{logins:?}");
        assert!(dump.contains("alice"));
        assert!(!dump.contains("abab"));
        assert!(!dump.contains("pw"));
    }
}
