//! Users whom a directory knows, at the embedded farm: it takes the credentials of those who are logged in.
//!
//! ```text
//!   login of a directory's user ─► seal of name and password ─► its number
//!   XML Service: is this the password? ─► not a local user ─► logged in now with just that? ─► yes, with the groups of that login
//! ```

use std::collections::HashMap;
use std::time::Duration;

use gate_auth::seal::{Seal, SealKey};
use gate_auth::sessions::{Entry, Login, plain};
use secrecy::{ExposeSecret, SecretString};

use super::Owner;
use crate::action::{Claim, Person};

/// Who they are.
#[derive(Debug)]
pub(super) struct Guests {
    key: SealKey,
    /// Numbers of logins, the last one last.
    logins: HashMap<Seal, Vec<u64>>,
}

impl Guests {
    pub(super) fn new(key: SealKey) -> Self {
        Self { key, logins: HashMap::new() }
    }

    /// Under which seal a login stands here. `None`: a local user's, or nobody's.
    pub(super) fn seal_of(&self, entry: &Entry) -> Option<Seal> {
        let (identity, sso) = (entry.identity.as_ref()?, entry.sso.as_ref()?);
        (!identity.is_local).then(|| self.seal(&sso.user, &sso.password))
    }

    pub(super) fn begin(&mut self, seal: Seal, login: u64) {
        self.logins.entry(seal).or_default().push(login);
    }

    fn end(&mut self, seal: Seal, login: u64) {
        if let Some(logins) = self.logins.get_mut(&seal) {
            logins.retain(|other| *other != login);
            if logins.is_empty() {
                self.logins.remove(&seal);
            }
        }
    }

    fn seal(&self, user: &str, password: &SecretString) -> Seal {
        self.key.seal("guest", &[plain(user).as_bytes(), password.expose_secret().as_bytes()])
    }
}

impl Owner {
    /// The user who is logged in now with just that name and password.
    pub(super) fn guest(&self, claim: &Claim, now: Duration) -> Option<Person> {
        let seal = self.guests.seal(&claim.user, &claim.password);
        let login = self.logins.numbered(*self.guests.logins.get(&seal)?.last()?, now)?;
        let identity = login.entry.identity.as_ref()?;
        let groups = login.entry.groups.iter().map(|group| group.name.clone()).collect();
        Some(Person { name: identity.user.clone(), domain: identity.domain.clone(), groups })
    }

    pub(super) fn forget_guest(&mut self, login: &Login) {
        if let Some(seal) = self.guests.seal_of(&login.entry) {
            self.guests.end(seal, login.number);
        }
    }
}
