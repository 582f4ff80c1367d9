//! Local users out of the configuration: open passwords become hashes, hashes become what logins are checked against.
//!
//! Argon2 takes tens of milliseconds and 19 MiB on purpose, so all of this is for the start or for a helper thread. What has been
//! found out once is [`Known`]: a file that is read again with the passwords that it had costs no Argon2 at all.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use gate_auth::seal::{KEY_BYTES, Seal, SealKey};
use gate_auth::users::{BadPassword, SALT_BYTES, User, Users, Verifier};
use gate_config::model::{Credential, Model, Secret, UserName};
use thiserror::Error;

use crate::random::{self, NoRandom};

/// Why a user's password is of no use.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Unusable {
    /// The operator's fault.
    #[error("user {user}: {why}")]
    Password {
        /// Whose.
        user: String,
        /// What is wrong.
        why: BadPassword,
    },
    /// The machine's.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
}

/// What has been found out about passwords since the start. It holds keyed seals, no passwords: at most one for each user of the
/// configuration that was looked at last.
pub(crate) struct Known {
    key: SealKey,
    /// The open password that a user's hash was made of or found to be of, with that hash.
    opened: Mutex<HashMap<UserName, Seal>>,
    /// See [`nobodys`]: what it costs is told by its text, and it is nobody's for ever.
    nobodys: OnceLock<Verifier>,
}

impl Known {
    /// Nothing yet.
    pub(crate) fn new() -> Result<Self, NoRandom> {
        Ok(Self { key: SealKey::new(random::bytes::<KEY_BYTES>()?), opened: Mutex::default(), nobodys: OnceLock::new() })
    }

    fn seal(&self, phc: &str, secret: &Secret) -> Seal {
        self.key.seal("opened", &[phc.as_bytes(), secret.expose().as_bytes()])
    }

    fn remember(&self, name: &UserName, phc: &str, secret: &Secret) {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), self.seal(phc, secret));
    }

    /// Whether `secret` is known to open the hash of `name`.
    fn opens(&self, name: &UserName, phc: &str, secret: &Secret) -> bool {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.get(name).is_some_and(|seal| *seal == self.seal(phc, secret))
    }

    fn keep_only(&self, model: &Model) {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).retain(|name, _| model.users.has(name.as_str()));
    }
}

/// Replaces every open password of `model` by its hash, so that the model can be shown and saved whole.
pub(crate) fn seal(model: &mut Model, known: &Known) -> Result<(), Unusable> {
    known.keep_only(model);
    for (name, user) in model.users.iter_mut() {
        if let Credential::Plain(secret) = &user.credential {
            let verifier = Verifier::of_password(&secret.expose().to_owned().into(), salt()?).map_err(bad(name))?;
            known.remember(name, verifier.phc(), secret);
            user.credential = Credential::Hashed(verifier.phc().into());
        }
    }
    Ok(())
}

/// Lets an open password of `model` be the hash that `before` has for it, if it opens that: a file with open passwords that is
/// read again changes nobody's password.
pub(crate) fn keep(model: &mut Model, before: &Model, known: &Known) {
    for (name, user) in model.users.iter_mut() {
        let Credential::Plain(secret) = &user.credential else { continue };
        let Some(Credential::Hashed(phc)) = before.users.find(name.as_str()).map(|user| &user.credential) else { continue };
        let opens = || Verifier::of_phc(phc).is_ok_and(|verifier| verifier.is_of(&secret.expose().to_owned().into()));
        if known.opens(name, phc, secret) || opens() {
            known.remember(name, phc, secret);
            user.credential = Credential::Hashed(phc.clone());
        }
    }
}

/// The users of a sealed `model`. Nobody can log in without a password, with one that only another machine can read, or while
/// the feature is off.
pub(crate) fn users(model: &Model, known: &Known) -> Result<Users, Unusable> {
    let mut of_user: HashMap<&str, Vec<String>> = HashMap::new();
    for (group, members) in model.groups.iter() {
        for user in &members.users {
            of_user.entry(user.as_str()).or_default().push(group.as_str().to_owned());
        }
    }
    let mut users = Vec::new();
    for (name, user) in model.users.iter().filter(|_| model.features.aaa) {
        let verifier = match &user.credential {
            Credential::Plain(secret) => Verifier::of_password(&secret.expose().to_owned().into(), salt()?).map_err(bad(name))?,
            Credential::Hashed(phc) => Verifier::of_phc(phc).map_err(bad(name))?,
            Credential::None | Credential::Unavailable(_) => continue,
        };
        let groups = of_user.remove(name.as_str()).unwrap_or_default().into();
        users.push(User { name: name.as_str().into(), groups, verifier });
    }
    let spare = match users.first() {
        Some(user) => user.verifier.clone(),
        None => match known.nobodys.get() {
            Some(verifier) => verifier.clone(),
            None => {
                let verifier = nobodys()?;
                known.nobodys.get_or_init(|| verifier).clone()
            }
        },
    };
    Ok(Users::new(users, spare))
}

/// A verifier of ordinary cost, for the checks of users that do not exist.
fn nobodys() -> Result<Verifier, Unusable> {
    let password: String = salt()?.iter().map(|b| format!("{b:02x}")).collect();
    Verifier::of_password(&password.into(), salt()?).map_err(|why| Unusable::Password { user: String::new(), why })
}

fn salt() -> Result<[u8; SALT_BYTES], NoRandom> {
    random::bytes::<SALT_BYTES>()
}

fn bad(name: &UserName) -> impl FnOnce(BadPassword) -> Unusable {
    let user = name.as_str().to_owned();
    move |why| Unusable::Password { user, why }
}

#[cfg(test)]
mod tests {
    use gate_config::model::User as ModelUser;

    use super::*;

    fn model(credentials: &[(&str, Credential)]) -> Model {
        let mut model = Model::default();
        model.features.aaa = true;
        for (name, credential) in credentials {
            model
                .users
                .add(UserName::parse(name).unwrap(), ModelUser { credential: credential.clone(), policies: Vec::new() })
                .unwrap();
        }
        model
    }

    #[test]
    fn an_open_password_becomes_a_hash_that_it_opens() {
        let mut model = model(&[("ann", Credential::Plain(Secret::new("s3cret"))), ("bob", Credential::None)]);
        let known = Known::new().unwrap();
        seal(&mut model, &known).unwrap();
        let Credential::Hashed(before) = model.users.find("ann").unwrap().credential.clone() else { panic!("sealed") };
        seal(&mut model, &known).unwrap();
        assert_eq!(model.users.find("ann").unwrap().credential, Credential::Hashed(before.clone()), "a hash stays as it is");
        for (password, is_kept) in [("s3cret", true), ("changed", false)] {
            let mut again = self::model(&[("ann", Credential::Plain(Secret::new(password)))]);
            keep(&mut again, &model, &known);
            assert_eq!(again.users.find("ann").unwrap().credential == Credential::Hashed(before.clone()), is_kept, "{password}");
        }
        let users = users(&model, &known).unwrap();
        assert!(users.check("ann").run(&"s3cret".into()));
        assert!(!users.check("ann").run(&"other".into()));
        assert!(users.find("bob").is_none(), "no password, no login");
        model.features.aaa = false;
        assert!(self::users(&model, &known).unwrap().is_empty(), "the feature is off");
    }

    #[test]
    fn a_password_that_is_known_is_not_hashed_again() {
        // A hash that no password opens: what is kept under it must be known, not computed.
        let known = Known::new().unwrap();
        let phc = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0$bm90IGEgaGFzaCBvZiBhbnl0aGluZyBhdCBhbGwh";
        let before = model(&[("ann", Credential::Hashed(phc.into())), ("bob", Credential::Hashed(phc.into()))]);
        let ann = UserName::parse("ann").unwrap();
        known.remember(&ann, phc, &Secret::new("s3cret"));
        for (user, password, is_kept) in [("ann", "s3cret", true), ("ann", "other", false), ("bob", "s3cret", false)] {
            let mut again = model(&[(user, Credential::Plain(Secret::new(password)))]);
            keep(&mut again, &before, &known);
            let kept = again.users.find(user).unwrap().credential == Credential::Hashed(phc.into());
            assert_eq!(kept, is_kept, "{user} {password}");
        }
        // Who is gone is forgotten, and who has another password is known by that one.
        seal(&mut model(&[]), &known).unwrap();
        assert!(!known.opens(&ann, phc, &Secret::new("s3cret")));
        // The verifier of nobody is made once.
        assert!(users(&model(&[]), &known).unwrap().is_empty());
        let made = known.nobodys.get().cloned();
        assert!(users(&model(&[]), &known).unwrap().is_empty() && made.is_some() && known.nobodys.get() == made.as_ref());
    }

    #[test]
    fn what_is_wrong_is_said_of_whom() {
        let long = Credential::Plain(Secret::new(&"x".repeat(513)));
        let refused = seal(&mut model(&[("ann", long)]), &Known::new().unwrap()).unwrap_err();
        assert!(matches!(refused, Unusable::Password { user, why: BadPassword::Long } if user == "ann"));
        let model = model(&[("ann", Credential::Hashed("$argon2id$rubbish".into()))]);
        let refused = users(&model, &Known::new().unwrap()).unwrap_err();
        assert!(matches!(refused, Unusable::Password { user, why: BadPassword::NotArgon2 } if user == "ann"));
    }
}
