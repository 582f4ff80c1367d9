//! What a conversation has found out about a user so far, and on whose word.
//!
//! ```text
//!   proven (a secret was right) ──► identity; its groups and attributes count at once
//!   looked up (no secret)       ──► groups and attributes count for rules, and for the session only if the same user is proven, too
//!   client, action              ──► groups count at once
//! ```
//!
//! Without that difference, whoever is looked up as an administrator by his mere name and then proves to be somebody else would keep the
//! administrator's groups.

use std::collections::HashSet;
use std::sync::Arc;

use gate_config::expr::{ATTRIBUTES, Group, GroupOrigin, Person, Typed};
use gate_config::model::authentication::{Action, Authentication};
use gate_config::model::session::Sessions;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::grant::{Attributes, Identity, Sso};
use super::question::Proven;
use crate::users::canonical;

/// Groups of one login.
pub const GROUPS_MAX: usize = 1024;
/// Longest name of a group that is taken over, in bytes.
pub const GROUP_BYTES_MAX: usize = 256;
/// Named attributes of one login.
pub const NAMED_MAX: usize = 64;
/// Longest attribute that is kept, in bytes.
pub const ATTRIBUTE_BYTES_MAX: usize = 4096;

/// What came of a user's groups.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    /// Taken over.
    pub(super) added: usize,
    /// Names that are kept for what is found at clients.
    pub(super) reserved: Vec<Box<str>>,
    /// Too many, or too long.
    pub(super) dropped: usize,
}

/// What came of what was said about a user.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Noted {
    /// Of his groups.
    pub(super) groups: Taken,
    /// Something about somebody else was dropped.
    pub(super) look_up_dropped: bool,
    /// There was another identity before.
    pub(super) identity_changed: bool,
}

/// Under which names somebody was asked about and answered for. People with one in common are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Whose([Option<(String, Option<String>)>; 2]);

impl Whose {
    fn of(asked: &str, proven: &Proven) -> Self {
        let domain = (!proven.domain.is_empty()).then(|| proven.domain.to_lowercase());
        let answered = canonical(&proven.user).map(|(user, own)| (user, own.or(domain)));
        Self([canonical(asked), answered])
    }

    fn is_same(&self, other: &Self) -> bool {
        self.0.iter().flatten().any(|name| other.0.iter().flatten().any(|others| others == name))
    }
}

/// See the module.
#[derive(Default)]
pub(super) struct Gathered {
    /// What rules see.
    pub(super) person: Person,
    /// Who it is.
    pub(super) identity: Option<Identity>,
    /// The client did not comply.
    pub(super) quarantined: bool,
    /// The last form that came back, for rules.
    pub(super) form: Typed,
    /// What was typed last: name, domain, password, and a second password until it is used.
    pub(super) at_hand: AtHand,
    sso: Signed,
    proven: Vec<Whose>,
    /// Of whom the groups and attributes are that were looked up only.
    looked_up: Vec<LookUp>,
}

/// Credentials at hand, for factors without a form.
#[derive(Clone, Default)]
pub(super) struct AtHand {
    pub(super) user: String,
    pub(super) domain: String,
    pub(super) password: SecretString,
    pub(super) second: SecretString,
}

#[derive(Default)]
struct Signed {
    first: Option<Sso>,
    second: Option<Sso>,
    last: Option<Sso>,
    wanted: Option<Sso>,
}

struct LookUp {
    whose: Whose,
    groups: Vec<Group>,
    numbered: Vec<usize>,
    named: Vec<String>,
}

impl Gathered {
    /// The name that a factor without a form goes on with.
    pub(super) fn user_at_hand(&self) -> &str {
        if self.person.name.is_empty() { &self.at_hand.user } else { &self.person.name }
    }

    /// A user has proven who he is to the one who was asked about `asked`.
    pub(super) fn prove(&mut self, asked: &str, proven: &Proven, origin: GroupOrigin, reserved: &Reserved) -> Noted {
        let whose = Whose::of(asked, proven);
        let look_up_dropped = self.forget_others_than(&whose);
        let before = self.identity.take();
        let identity = Self::identity(asked, &self.at_hand.domain, proven, origin);
        let identity_changed = match (&before, &identity) {
            (Some(before), Some(now)) => canonical(&before.user) != canonical(&now.user) || before.domain != now.domain,
            (None, _) | (Some(_), None) => false,
        };
        self.identity = identity.or(before);
        self.name(proven);
        let groups = self.add_groups(proven.groups.iter().map(String::as_str), origin, reserved).0;
        let _: Attributed = self.add_attributes(proven);
        self.proven.push(whose);
        Noted { groups, look_up_dropped, identity_changed }
    }

    /// A user was looked up by the name `asked` only.
    pub(super) fn look_up(&mut self, asked: &str, proven: &Proven, origin: GroupOrigin, reserved: &Reserved) -> Noted {
        let whose = Whose::of(asked, proven);
        if !self.proven.is_empty() {
            if !self.proven.iter().any(|known| known.is_same(&whose)) {
                return Noted { look_up_dropped: true, ..Noted::default() };
            }
            self.name(proven);
            let groups = self.add_groups(proven.groups.iter().map(String::as_str), origin, reserved).0;
            let _: Attributed = self.add_attributes(proven);
            return Noted { groups, ..Noted::default() };
        }
        let look_up_dropped = self.forget_others_than(&whose);
        self.name(proven);
        let (groups, added) = self.add_groups(proven.groups.iter().map(String::as_str), origin, reserved);
        let attributed = self.add_attributes(proven);
        self.looked_up.push(LookUp { whose, groups: added, numbered: attributed.numbered, named: attributed.named });
        Noted { groups, look_up_dropped, ..Noted::default() }
    }

    /// The login is complete: what was found about people who proved nothing is forgotten. Whether there was such a thing.
    pub(super) fn settle(&mut self) -> bool {
        if self.identity.is_some() {
            return false;
        }
        let strangers = std::mem::take(&mut self.looked_up);
        strangers.iter().for_each(|stranger| self.forget(stranger));
        !strangers.is_empty()
    }

    /// Adds one group.
    pub(super) fn add_group(&mut self, name: &str, origin: GroupOrigin) -> bool {
        let known = self.person.groups.iter().any(|group| group.name == name && group.origin == origin);
        if known || self.person.groups.len() >= GROUPS_MAX {
            return false;
        }
        self.person.groups.push(Group { name: name.to_owned(), origin });
        true
    }

    /// Keeps a value as attribute 1 to 16 of the session.
    pub(super) fn set_attribute(&mut self, number: u8, value: &str) {
        let at = usize::from(number).checked_sub(1);
        if let Some(kept) = at.and_then(|at| self.person.attributes.get_mut(at))
            && value.len() <= ATTRIBUTE_BYTES_MAX
        {
            *kept = Some(Zeroizing::new(value.to_owned()));
        }
    }

    /// The factor has succeeded with these credentials. `wanted`: its form says that they are those for single sign-on.
    pub(super) fn use_for_sso(&mut self, credentials: Sso, wanted: bool) {
        let sso = &mut self.sso;
        if wanted {
            sso.wanted = Some(credentials.clone());
        }
        if sso.first.is_none() {
            sso.first = Some(credentials.clone());
        } else {
            sso.second = Some(credentials.clone());
        }
        sso.last = Some(credentials);
    }

    /// Those for single sign-on: of the last factor whose form wants that, else of the factor that the settings name, else of the last.
    /// A classic cascade takes the first if nobody says anything.
    pub(super) fn sso(&mut self, which: WhichSso) -> Option<Sso> {
        let Signed { first, second, last, wanted } = std::mem::take(&mut self.sso);
        let named = match which {
            WhichSso::Last => last,
            WhichSso::First => first,
            WhichSso::Second => second.or(first),
        };
        wanted.or(named)
    }

    /// What the session remembers.
    pub(super) fn take_attributes(&mut self) -> Attributes {
        Attributes { numbered: std::mem::take(&mut self.person.attributes), named: std::mem::take(&mut self.person.named) }
    }

    /// Forgets who was looked up and is somebody else. Whether there was one.
    fn forget_others_than(&mut self, whose: &Whose) -> bool {
        let found = std::mem::take(&mut self.looked_up);
        let (same, others): (Vec<LookUp>, Vec<LookUp>) = found.into_iter().partition(|found| found.whose.is_same(whose));
        self.looked_up = same;
        others.iter().for_each(|other| self.forget(other));
        !others.is_empty()
    }

    /// It is over: secrets are forgotten, who it was is not.
    pub(super) fn wipe(&mut self) {
        let identity = self.identity.take();
        *self = Self { identity, ..Self::default() };
    }

    /// Who it is, in the words of the one who said so. What was typed, and the domain that was chosen, stand in for what was not said.
    fn identity(asked: &str, chosen: &str, proven: &Proven, origin: GroupOrigin) -> Option<Identity> {
        let (asked, typed) = canonical(asked)?;
        let (user, own) = match canonical(&proven.user) {
            Some((_, own)) => (proven.user.clone(), own),
            None => (asked, None),
        };
        let said = Some(proven.domain.as_str()).filter(|domain| !domain.is_empty()).map(str::to_owned);
        let domain = said.or(own).or(typed).unwrap_or_else(|| chosen.to_owned());
        Some(Identity { user: user.into(), domain: domain.into(), is_local: origin == GroupOrigin::Local })
    }

    fn name(&mut self, proven: &Proven) {
        if !proven.user.is_empty() {
            self.person.name.clone_from(&proven.user);
        }
        if !proven.domain.is_empty() {
            self.person.domain.clone_from(&proven.domain);
        }
    }

    fn add_groups<'g>(
        &mut self,
        names: impl Iterator<Item = &'g str>,
        origin: GroupOrigin,
        reserved: &Reserved,
    ) -> (Taken, Vec<Group>) {
        let mut taken = Taken::default();
        let mut known: HashSet<Group> = self.person.groups.iter().cloned().collect();
        let mut added = Vec::new();
        for name in names {
            let group = Group { name: name.to_owned(), origin };
            if origin == GroupOrigin::Directory && reserved.has(name) {
                if taken.reserved.len() < GROUPS_MAX {
                    taken.reserved.push(name.into());
                }
            } else if name.len() > GROUP_BYTES_MAX || self.person.groups.len() >= GROUPS_MAX {
                taken.dropped += 1;
            } else if known.insert(group.clone()) {
                self.person.groups.push(group.clone());
                added.push(group);
                taken.added += 1;
            }
        }
        (taken, added)
    }

    fn add_attributes(&mut self, proven: &Proven) -> Attributed {
        let mut attributed = Attributed::default();
        let person = &mut self.person;
        for (at, (kept, value)) in person.attributes.iter_mut().zip(&proven.numbered).enumerate() {
            if let Some(value) = value.as_ref().filter(|value| value.len() <= ATTRIBUTE_BYTES_MAX) {
                *kept = Some(value.clone());
                attributed.numbered.push(at);
            }
        }
        for (name, value) in &proven.named {
            let room = person.named.len() < NAMED_MAX || person.named.contains_key(name);
            if room && name.len() <= GROUP_BYTES_MAX && value.len() <= ATTRIBUTE_BYTES_MAX {
                person.named.insert(name.clone(), value.clone());
                attributed.named.push(name.clone());
            }
        }
        attributed
    }

    fn forget(&mut self, stranger: &LookUp) {
        self.person.groups.retain(|group| !stranger.groups.contains(group));
        for at in stranger.numbered.iter().filter(|at| **at < ATTRIBUTES) {
            self.person.attributes[*at] = None;
        }
        for name in &stranger.named {
            self.person.named.remove(name);
        }
    }
}

#[derive(Default)]
struct Attributed {
    numbered: Vec<usize>,
    named: Vec<String>,
}

/// Whose credentials are those for single sign-on, if no form says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WhichSso {
    Last,
    First,
    Second,
}

/// Names of groups that the configuration gives to what is found at clients. A directory that has a group of this name does not put
/// anybody there: quarantine must not become a way up.
#[derive(Clone, Debug, Default)]
pub(super) struct Reserved(Arc<HashSet<String>>);

impl Reserved {
    pub(super) fn of(made: &Authentication, sessions: &Sessions) -> Self {
        let of_actions = made.actions.values().filter_map(|action| if let Action::Epa(epa) = action { Some(epa) } else { None });
        let of_actions = of_actions.flat_map(|epa| [epa.default_group.as_ref(), epa.quarantine_group.as_ref()]).flatten();
        let of_sessions = sessions.actions.values();
        let of_sessions = of_sessions.flat_map(|s| [s.client_security_group.as_deref(), s.smart_group.as_deref()]).flatten();
        Self(Arc::new(of_actions.map(|group| group.as_str()).chain(of_sessions).map(str::to_lowercase).collect()))
    }

    fn has(&self, group: &str) -> bool {
        !self.0.is_empty() && self.0.contains(&group.to_lowercase())
    }
}

/// What is in it.
pub(super) fn open(secret: &SecretString) -> &str {
    secret.expose_secret()
}

/// Whether there is nothing in it.
pub(super) fn is_empty(secret: &SecretString) -> bool {
    secret.expose_secret().is_empty()
}
