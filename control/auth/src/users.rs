//! Local users: their names, groups and passwords.
//!
//! A look-up always yields a [`Check`], for unknown users one against a password that nobody has, so that the work done (and
//! the time taken) is the same. The check is a value that can be carried to another thread: Argon2 takes tens of milliseconds
//! and 19 MiB on purpose.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use argon2::{Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier};
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

use crate::Now;
use crate::oldest::OldestOut;
use crate::seal::{Seal, SealKey};

/// Longest user name accepted, in bytes.
pub const NAME_BYTES_MAX: usize = 128;
/// Longest password accepted, in bytes.
pub const PASSWORD_BYTES_MAX: usize = 512;
/// Random bytes of salt.
pub const SALT_BYTES: usize = 16;
/// Most memory that a stored hash may ask for, in KiB.
pub const ARGON2_KIB_MAX: u32 = 256 * 1024;
/// Most passes that a stored hash may ask for.
pub const ARGON2_PASSES_MAX: u32 = 16;

/// A stored password that cannot be used. The operator's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadPassword {
    /// Nobody may have an empty password.
    #[error("the password is empty")]
    Empty,
    /// Longer than [`PASSWORD_BYTES_MAX`].
    #[error("the password has more than {PASSWORD_BYTES_MAX} bytes")]
    Long,
    /// Not a hash in PHC form, or not one of Argon2.
    #[error("the password hash is not an Argon2 hash in PHC form ($argon2id$v=19$m=…,t=…,p=…$salt$hash)")]
    NotArgon2,
    /// It asks for more memory or passes than [`ARGON2_KIB_MAX`] and [`ARGON2_PASSES_MAX`].
    #[error("the password hash asks for too much memory or too many passes")]
    Costly,
}

/// What is kept of a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier(Arc<str>);

impl Verifier {
    /// Hashes a password with Argon2id and this crate's costs. Slow on purpose.
    ///
    /// # Errors
    /// [`BadPassword::Empty`], [`BadPassword::Long`].
    pub fn of_password(password: &SecretString, salt: [u8; SALT_BYTES]) -> Result<Self, BadPassword> {
        let password = password.expose_secret().as_bytes();
        if password.is_empty() {
            return Err(BadPassword::Empty);
        }
        if password.len() > PASSWORD_BYTES_MAX {
            return Err(BadPassword::Long);
        }
        let hash: PasswordHash =
            Argon2::default().hash_password_with_salt(password, &salt).map_err(|_| BadPassword::NotArgon2)?;
        Ok(Self(hash.to_string().into()))
    }

    /// Takes a hash in PHC form.
    ///
    /// # Errors
    /// [`BadPassword::NotArgon2`], [`BadPassword::Costly`].
    pub fn of_phc(text: &str) -> Result<Self, BadPassword> {
        let hash = PasswordHash::new(text).map_err(|_| BadPassword::NotArgon2)?;
        argon2::Algorithm::try_from(hash.algorithm.as_str()).map_err(|_| BadPassword::NotArgon2)?;
        let params = Params::try_from(&hash).map_err(|_| BadPassword::NotArgon2)?;
        if hash.salt.is_none() || hash.hash.is_none() {
            return Err(BadPassword::NotArgon2);
        }
        if params.m_cost() > ARGON2_KIB_MAX || params.t_cost() > ARGON2_PASSES_MAX {
            return Err(BadPassword::Costly);
        }
        Ok(Self(text.into()))
    }

    /// The hash in PHC form.
    #[must_use]
    pub fn phc(&self) -> &str {
        &self.0
    }

    /// Whether this is the hash of `password`. Takes as long as a login.
    #[must_use]
    pub fn is_of(&self, password: &SecretString) -> bool {
        Check { verifier: self.clone(), known: true }.run(password)
    }

    /// Memory times passes.
    fn cost(&self) -> u64 {
        let params = PasswordHash::new(&self.0).ok().and_then(|hash| Params::try_from(&hash).ok());
        params.map_or(0, |p| u64::from(p.m_cost()) * u64::from(p.t_cost()))
    }

    /// A verifier that costs as much as this one and that no password satisfies: its stored hash is not the hash of anything
    /// that anybody knows, since its salt is another.
    fn dummy_like(&self) -> Self {
        let phc = &self.0;
        let mut fields: Vec<&str> = phc.split('$').collect();
        let nobody = "bm9ib2R5IGhhcyB0aGlz";
        if let [_, _, .., salt, _hash] = fields.as_mut_slice() {
            *salt = nobody;
        }
        Self(fields.join("$").into())
    }
}

/// Hashes are no passwords, but they are not for logs either.
impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(***)")
    }
}

/// One local user.
#[derive(Clone, Debug)]
pub struct User {
    /// As the operator wrote it.
    pub name: Arc<str>,
    /// Groups.
    pub groups: Arc<[String]>,
    /// The password.
    pub verifier: Verifier,
}

/// All local users.
#[derive(Clone, Debug)]
pub struct Users {
    by_name: HashMap<String, User>,
    dummy: Verifier,
}

/// The spelling of a user name under which it is looked up and counted, and the domain that came with it: `DEMO\Alice`,
/// `alice@demo`, ` ALICE `, `Ａｌｉｃｅ` all are `alice`. `None` for what cannot be a name: empty, too long, or with control
/// characters in it.
#[must_use]
pub fn canonical(typed: &str) -> Option<(String, Option<String>)> {
    if typed.len() > NAME_BYTES_MAX || typed.chars().any(char::is_control) {
        return None;
    }
    let narrow: String = typed.chars().map(narrowed).collect();
    let whole = narrow.trim();
    let (domain, name) = match (whole.split_once('\\'), whole.rsplit_once('@')) {
        (Some((domain, name)), _) | (None, Some((name, domain))) => (Some(domain.trim()), name.trim()),
        (None, None) => (None, whole),
    };
    let name = name.to_lowercase();
    (!name.is_empty()).then(|| (name, domain.filter(|d| !d.is_empty()).map(str::to_lowercase)))
}

/// Full-width forms of ASCII as Japanese input methods produce them, and the ideographic space, as ASCII.
fn narrowed(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        '\u{3000}' | '\u{a0}' => ' ',
        other => other,
    }
}

impl Users {
    /// Builds the table. `spare` stands in for unknown users if there is no user to copy the costs from.
    #[must_use]
    pub fn new(users: impl IntoIterator<Item = User>, spare: Verifier) -> Self {
        let by_name: HashMap<String, User> =
            users.into_iter().filter_map(|user| Some((canonical(&user.name)?.0, user))).collect();
        let costliest = by_name.values().map(|user| &user.verifier).max_by_key(|v| v.cost()).unwrap_or(&spare);
        Self { dummy: costliest.dummy_like(), by_name }
    }

    /// The user of that canonical name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&User> {
        self.by_name.get(name)
    }

    /// What there is to do to see whether `name` (canonical) is who they say. The same for users that do not exist.
    #[must_use]
    pub fn check(&self, name: &str) -> Check {
        let user = self.by_name.get(name);
        Check { verifier: user.map_or(&self.dummy, |u| &u.verifier).clone(), known: user.is_some() }
    }

    /// Whether `check` is still the one for `name`: the user is there and has no other password by now.
    #[must_use]
    pub fn is_current(&self, name: &str, check: &Check) -> bool {
        self.by_name.get(name).is_some_and(|user| user.verifier == check.verifier)
    }

    /// Whether `other` has the user of that canonical name with the same password, too.
    #[must_use]
    pub fn agree_about(&self, other: &Self, name: &str) -> bool {
        self.by_name.get(name).map(|user| &user.verifier) == other.by_name.get(name).map(|user| &user.verifier)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }
}

/// A password check that has not yet been done.
#[derive(Clone, Debug)]
pub struct Check {
    verifier: Verifier,
    known: bool,
}

impl Check {
    /// Does it. Takes tens of milliseconds: not for a thread on which others wait. Empty and over-long passwords are refused
    /// at once, for everybody alike.
    #[must_use]
    pub fn run(&self, password: &SecretString) -> bool {
        let password = password.expose_secret().as_bytes();
        if password.is_empty() || password.len() > PASSWORD_BYTES_MAX {
            return false;
        }
        let right =
            PasswordHash::new(self.verifier.phc()).is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok());
        right & self.known
    }
}

/// Passwords that were found right lately, as seals, so that a launch with its four requests to the XML Service does not pay
/// for Argon2 four times, and so that a lock on a user name does not disturb who is already in.
#[derive(Debug)]
pub struct Proven {
    key: SealKey,
    idle: Duration,
    absolute: Duration,
    seen: OldestOut<Seal, (Now, Now)>,
}

impl Proven {
    /// An empty memory for `entries_max` users, each for `idle` after its last use and never longer than `absolute`.
    #[must_use]
    pub fn new(key: SealKey, entries_max: usize, idle: Duration, absolute: Duration) -> Self {
        Self { key, idle, absolute, seen: OldestOut::new(entries_max) }
    }

    /// `password` was found right for `name` under `verifier`.
    pub fn remember(&mut self, name: &str, check: &Check, password: &SecretString, now: Now) {
        let seal = self.seal(name, check, password);
        *self.seen.touch(&seal, || (now, now)) = (now, now);
    }

    /// Whether that is known already.
    pub fn knows(&mut self, name: &str, check: &Check, password: &SecretString, now: Now) -> bool {
        let seal = self.seal(name, check, password);
        let Some((began, used)) = self.seen.peek(&seal).copied() else { return false };
        if now.saturating_sub(used) >= self.idle || now.saturating_sub(began) >= self.absolute {
            self.seen.remove(&seal);
            return false;
        }
        self.seen.touch(&seal, || (began, now)).1 = now;
        true
    }

    /// The verifier is part of the seal: a changed password or a removed user is forgotten at once.
    fn seal(&self, name: &str, check: &Check, password: &SecretString) -> Seal {
        let parts = [name.as_bytes(), check.verifier.phc().as_bytes(), password.expose_secret().as_bytes()];
        self.key.seal("proven", &parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: [u8; SALT_BYTES] = [3; SALT_BYTES];

    /// Cheap costs, so that the tests are quick.
    fn cheap(password: &str) -> Verifier {
        let argon = Argon2::from(Params::new(8, 1, 1, None).unwrap());
        let hash: PasswordHash = argon.hash_password_with_salt(password.as_bytes(), &SALT).unwrap();
        Verifier::of_phc(&hash.to_string()).unwrap()
    }

    fn user(name: &str, password: &str) -> User {
        User { name: name.into(), groups: Arc::new(["Staff".to_owned()]), verifier: cheap(password) }
    }

    #[test]
    fn a_check_is_current_until_the_password_changes_or_the_user_goes() {
        let before = Users::new([user("Alice", "s3cret"), user("bob", "other")], cheap("x"));
        let after = Users::new([user("Alice", "changed"), user("cid", "new")], cheap("x"));
        let check = before.check("alice");
        assert!(before.is_current("alice", &check));
        assert!(!after.is_current("alice", &check));
        assert!(!after.is_current("bob", &before.check("bob")));
        assert!(!before.is_current("nobody", &before.check("nobody")), "nobody is not a user whose password is unchanged");
        for (name, agree) in [("alice", false), ("bob", false), ("cid", false), ("nobody", true)] {
            assert_eq!(before.agree_about(&after, name), agree, "{name}");
        }
    }

    #[test]
    fn right_wrong_unknown_and_empty() {
        let users = Users::new([user("Alice", "s3cret"), user("bob", "other")], cheap("x"));
        assert!(users.check("alice").run(&"s3cret".into()));
        assert!(!users.check("alice").run(&"S3cret".into()));
        assert!(!users.check("alice").run(&"".into()));
        assert!(!users.check("alice").run(&"x".repeat(PASSWORD_BYTES_MAX + 1).into()));
        assert!(!users.check("nobody").run(&"s3cret".into()));
        assert!(!users.check("nobody").run(&"other".into()));
        assert_eq!(&*users.find("alice").unwrap().name, "Alice");
    }

    #[test]
    fn unknown_users_cost_the_same() {
        let users = Users::new([user("alice", "s3cret")], cheap("x"));
        let (known, unknown) = (users.check("alice"), users.check("nobody"));
        assert_eq!(known.verifier.cost(), unknown.verifier.cost());
        assert_ne!(known.verifier, unknown.verifier);
        PasswordHash::new(unknown.verifier.phc()).unwrap();
        assert!(Users::new([], cheap("x")).check("nobody").verifier.cost() > 0);
    }

    #[test]
    fn ten_spellings_are_one_user() {
        for spelling in [
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
        ] {
            assert_eq!(canonical(spelling).unwrap().0, "alice", "{spelling}");
        }
        assert_eq!(canonical("DEMO\\alice").unwrap().1.as_deref(), Some("demo"));
        assert_eq!(canonical("alice@demo.example.test").unwrap().1.as_deref(), Some("demo.example.test"));
        for junk in ["", "  ", "DEMO\\", "@demo", "a\nb", "a\0", &"x".repeat(NAME_BYTES_MAX + 1)] {
            assert_eq!(canonical(junk), None, "{junk:?}");
        }
    }

    #[test]
    fn stored_hashes_are_looked_at_before_they_are_trusted() {
        let good = cheap("x");
        assert_eq!(Verifier::of_phc(good.phc()).unwrap(), good);
        for (text, why) in [
            ("", BadPassword::NotArgon2),
            ("plain", BadPassword::NotArgon2),
            ("$2b$12$abcdefghijklmnopqrstuv", BadPassword::NotArgon2),
            ("$argon2id$v=19$m=8,t=1,p=1", BadPassword::NotArgon2),
        ] {
            assert_eq!(Verifier::of_phc(text), Err(why), "{text}");
        }
        for costly in ["m=1048576,t=1,", "m=8,t=99,"] {
            assert_eq!(Verifier::of_phc(&good.phc().replace("m=8,t=1,", costly)), Err(BadPassword::Costly));
        }
        assert_eq!(Verifier::of_password(&"".into(), SALT), Err(BadPassword::Empty));
        assert_eq!(format!("{good:?}"), "Verifier(***)");
    }

    #[test]
    fn a_password_hashed_here_is_found_right_here() {
        let verifier = Verifier::of_password(&"pässwörd".into(), SALT).unwrap();
        assert!(verifier.phc().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        let users = Users::new([User { name: "a".into(), groups: Arc::new([]), verifier }], cheap("x"));
        assert!(users.check("a").run(&"pässwörd".into()));
        assert!(!users.check("a").run(&"passwort".into()));
    }

    #[test]
    fn what_was_proven_is_known_for_a_while() {
        let users = Users::new([user("alice", "s3cret")], cheap("x"));
        let check = users.check("alice");
        let minute = Duration::from_secs(60);
        let mut proven = Proven::new(SealKey::new([5; 32]), 10, 30 * minute, 60 * minute);
        let t0 = Now::from_secs(1);
        assert!(!proven.knows("alice", &check, &"s3cret".into(), t0));
        proven.remember("alice", &check, &"s3cret".into(), t0);
        assert!(proven.knows("alice", &check, &"s3cret".into(), t0 + 29 * minute));
        assert!(!proven.knows("alice", &check, &"other".into(), t0));
        assert!(!proven.knows("bob", &check, &"s3cret".into(), t0));
        let changed = Users::new([user("alice", "s3cret2")], cheap("x")).check("alice");
        assert!(!proven.knows("alice", &changed, &"s3cret".into(), t0));
        assert!(proven.knows("alice", &check, &"s3cret".into(), t0 + 58 * minute));
        assert!(!proven.knows("alice", &check, &"s3cret".into(), t0 + 60 * minute), "not for ever");
    }
}
