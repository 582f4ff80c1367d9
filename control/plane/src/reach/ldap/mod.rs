//! Directories: who is this user, is this his password, which groups has he.
//!
//! ```text
//!   ask ─► place ─► Line: connect ─► (StartTLS) ─► bind the service account ─► search ─┬─ one ─► bind as him ─► his groups' groups ─► Found
//!         64 run,   └ TLS, guard: ours                        │                        ├─ none, several ─► bind as nobody ─► Wrong
//!         512 wait                                            └ client library         └─ no ─► Wrong, MustChange
//!                          5 s for everything; anything else that happens ─► Outage, never Wrong
//! ```
//!
//! Every login has a connection of its own, which ends with it: what a connection was bound as, and what is still to come on it,
//! can reach nobody else. An outage says nothing about a user, and is never taken for a wrong password.
//!
//! What is sent and read with a password in it, and everything that decides, is ours; the client library writes searches and reads
//! their entries, behind the guard of [`gate_proto::ldap`], and a panic in it costs one login.

mod devices;
mod judge;
mod line;
mod outcome;
mod plan;
mod search;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use gate_auth::users::canonical;
use gate_config::model::authentication::Ldap;
use gate_proto::ldap::{Op, Reply, code, dn, filter, say};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;
use tracing::{info, warn};

pub(crate) use self::devices::{Held, NotWritten, Text};
use self::judge::Bound;
use self::line::{Reach, Talk};
pub(crate) use self::outcome::{Changed, Found, MustChange, NotChanged, Outage, Outcome, Wrong};
pub(crate) use self::plan::BadSetting;
use self::plan::{Groups, Nested, Plan};
use self::search::{Answer, Entry, Question};
use crate::helpers::{Counted, Helpers};

/// From the question to the answer, waiting included.
pub(crate) const TOTAL_TIME: Duration = Duration::from_secs(5);
/// Dialogues with one directory at the same time.
pub(crate) const RUNNING_MAX: usize = 64;
/// Questions that may wait for that; beyond, the directory counts as busy.
pub(crate) const WAITING_MAX: usize = 512;
/// Longest name of a user that is asked for, in bytes.
pub(crate) const USER_BYTES_MAX: usize = 256;
/// Most groups that a user may have, found on all levels.
pub(crate) const GROUPS_MAX: usize = 4096;
/// Longest value of an attribute that a session remembers, in bytes.
pub(crate) const VALUE_BYTES_MAX: usize = 4096;
/// Groups that are searched with one filter.
const BATCH: usize = 50;
/// Entries that such a search may bring: groups of one name in several places.
const BATCH_ENTRIES_MAX: i32 = 500;

/// One directory, as an action describes it.
pub(crate) struct Directory {
    name: String,
    plan: Plan,
    reach: Reach,
    service: Option<Service>,
    places: Semaphore,
    waiting: AtomicUsize,
    is_up: AtomicBool,
}

/// The account that searches.
struct Service {
    name: String,
    password: SecretString,
}

/// Without secrets.
impl std::fmt::Debug for Directory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Directory").field("name", &self.name).field("reach", &self.reach).finish_non_exhaustive()
    }
}

impl Directory {
    /// The directory of the action `name`. Its certificate, if it is checked, must lead to the anchors in `roots_pem`, or to those of
    /// the system. Reads files.
    ///
    /// # Errors
    /// [`BadSetting`]: the operator's fault.
    pub(crate) fn new(
        name: &str,
        settings: &Ldap,
        service_password: Option<SecretString>,
        roots_pem: Option<&[u8]>,
        helpers: Arc<Helpers>,
    ) -> Result<Self, BadSetting> {
        let service = match (&settings.bind_dn, service_password) {
            (None, _) => None,
            (Some(dn), Some(password)) if judge::is_sendable(password.expose_secret()) => {
                Some(Service { name: dn.to_string(), password })
            }
            (Some(_), _) => return Err(BadSetting::ServicePassword),
        };
        Ok(Self {
            name: name.to_owned(),
            plan: Plan::new(settings)?,
            reach: Reach::new(settings, roots_pem, helpers)?,
            service,
            places: Semaphore::new(RUNNING_MAX),
            waiting: AtomicUsize::new(0),
            is_up: AtomicBool::new(true),
        })
    }

    /// Who `user` is, if `password` is his. Without a check of passwords (`-authentication DISABLED`), `password` is not looked at.
    pub(crate) async fn ask(&self, user: &str, password: Option<&SecretString>) -> Outcome {
        if user.is_empty() || user.len() > USER_BYTES_MAX {
            return Outcome::Wrong(Wrong::Unknown);
        }
        let password = match (self.plan.is_password_checked, password.map(ExposeSecret::expose_secret)) {
            (false, _) => None,
            (true, Some(password)) if judge::is_sendable(password) => Some(password),
            // A directory would take it for nobody's, and say yes.
            (true, _) => return Outcome::Wrong(Wrong::Password),
        };
        self.within_limits(self.look_up(user, password)).await.unwrap_or_else(Outcome::Outage)
    }

    /// Replaces the password of `user`, who knows the old one.
    pub(crate) async fn change_password(&self, user: &str, old: &SecretString, new: &SecretString) -> Changed {
        let (old, new) = (old.expose_secret(), new.expose_secret());
        if !self.plan.may_change_passwords || !self.reach.is_private() {
            return Changed::Refused(NotChanged::NotOffered);
        }
        if user.is_empty() || user.len() > USER_BYTES_MAX || !judge::is_sendable(old) {
            return Changed::Wrong(Wrong::Password);
        }
        if !judge::is_sendable(new) {
            return Changed::Refused(NotChanged::Rules);
        }
        self.within_limits(self.replace(user, old, new)).await.unwrap_or_else(Changed::Outage)
    }

    /// Whether users may change passwords here: it was allowed, and nobody can listen.
    pub(crate) fn changes_passwords(&self) -> bool {
        self.plan.may_change_passwords && self.reach.is_private()
    }

    /// Runs a dialogue within the bounds of number and time.
    async fn within_limits<T>(&self, dialogue: impl Future<Output = Result<T, Outage>>) -> Result<T, Outage> {
        let waiting = Counted::new(&self.waiting);
        if waiting.before >= WAITING_MAX {
            return Err(Outage::Busy);
        }
        let placed = async {
            let _place = self.places.acquire().await.map_err(|_| Outage::Busy)?;
            drop(waiting);
            dialogue.await
        };
        let done = tokio::time::timeout(TOTAL_TIME, placed).await.unwrap_or(Err(Outage::Time));
        self.note(done.as_ref().err().filter(|why| why.is_of_the_directory()));
        done
    }

    /// Tells the operator, once, that a directory went away or came back.
    fn note(&self, outage: Option<&Outage>) {
        let was_up = self.is_up.swap(outage.is_none(), Relaxed);
        match outage {
            Some(why) if was_up => warn!(directory = %self.name, %why, "directory cannot be asked"),
            None if !was_up => info!(directory = %self.name, "directory can be asked again"),
            Some(_) | None => {}
        }
    }

    async fn look_up(&self, user: &str, password: Option<&str>) -> Result<Outcome, Outage> {
        let mut line = self.reach.open().await?;
        self.serve(&mut line).await?;
        let mut entries = self.find(&mut line, user).await?;
        let (Some(entry), true) = (entries.pop(), entries.is_empty()) else {
            let is_unknown = entries.is_empty();
            if let Some(password) = password {
                self.bind_as_nobody(&mut line, password).await?;
            }
            line.leave().await;
            return Ok(match (is_unknown, self.plan.is_user_required) {
                (false, _) => Outcome::Wrong(Wrong::Ambiguous),
                (true, true) => Outcome::Wrong(Wrong::Unknown),
                (true, false) => Outcome::Absent,
            });
        };
        if let Some(password) = password {
            match self.bind(&mut line, &entry.dn, password).await? {
                Bound::Yes => {}
                Bound::Wrong(wrong) => return Ok(Outcome::Wrong(wrong)),
                Bound::MustChange(why) => return Ok(Outcome::MustChange(why)),
            }
        }
        let found = self.describe(&mut line, user, &entry, password.is_some()).await?;
        line.leave().await;
        Ok(Outcome::Found(Box::new(found)))
    }

    /// Binds as the account that searches, or as nobody in particular.
    async fn serve(&self, line: &mut Talk) -> Result<(), Outage> {
        let Some(service) = &self.service else { return Ok(()) };
        let message = line.exchange(Op::Bound, |id| say::bind(id, &service.name, service.password.expose_secret())).await?;
        let reply = Reply::read(&message).ok_or(Outage::Nonsense)?;
        match reply.code {
            code::SUCCESS => Ok(()),
            code::REFERRAL => Err(Outage::Referral),
            refused => Err(Outage::Service(refused)),
        }
    }

    async fn find(&self, line: &mut Talk, user: &str) -> Result<Vec<Entry>, Outage> {
        let question = Question {
            base: self.plan.base.clone(),
            filter: filter::and(&filter::equals(&self.plan.login, user), self.plan.filter.as_deref()),
            attributes: self.plan.wanted.clone(),
            // One more than there may be.
            entries_max: 2,
        };
        let Answer { mut entries, code } = search::search(line, question).await?;
        match code {
            code::SUCCESS | code::SIZE_LIMIT => {}
            code::REFERRAL => return Err(Outage::Referral),
            refused => return Err(Outage::Search(refused)),
        }
        // Guesses are counted by the name as the gateway spells it. What a directory alone takes for the same, as letters without their
        // accents or out of another alphabet, would have a count of its own, and there are thousands of them.
        if let [entry] = entries.as_slice()
            && !is_called(entry.values(&self.plan.login), user)
        {
            entries.clear();
        }
        // To bind with an empty name is to bind as nobody, which succeeds.
        if entries.iter().any(|entry| entry.dn.is_empty()) { Err(Outage::Nonsense) } else { Ok(entries) }
    }

    async fn bind(&self, line: &mut Talk, name: &str, password: &str) -> Result<Bound, Outage> {
        let message = line.exchange(Op::Bound, |id| say::bind(id, name, password)).await?;
        judge::bound(self.plan.kind, Reply::read(&message).ok_or(Outage::Nonsense)?)
    }

    /// The same work as for a user who is there: time must not tell who is. No real password is shown to the directory for it.
    async fn bind_as_nobody(&self, line: &mut Talk, password: &str) -> Result<(), Outage> {
        let password = "x".repeat(password.len());
        line.exchange(Op::Bound, |id| say::bind(id, &self.plan.nobody, &password)).await.map(|_| ())
    }

    async fn describe(&self, line: &mut Talk, user: &str, entry: &Entry, is_proven: bool) -> Result<Found, Outage> {
        let plan = &self.plan;
        let text = |attribute: &str| -> Option<String> {
            let text = entry.values(attribute).join(",");
            (!text.is_empty() && text.len() <= VALUE_BYTES_MAX).then_some(text)
        };
        // As the directory spells it, so that one user has one name however he types it.
        let names = entry.values(&plan.login);
        let spelled = names.iter().find(|name| same(name, user)).or_else(|| names.first());
        Ok(Found {
            name: spelled.map_or_else(|| user.to_owned(), Clone::clone),
            sso_name: plan.sso_name.as_deref().and_then(|attribute| entry.values(attribute).first().cloned()),
            groups: self.groups(line, entry, is_proven).await?,
            numbered: std::array::from_fn(|at| plan.numbered[at].as_deref().and_then(text)),
            named: plan.named.iter().filter_map(|name| Some((name.clone(), text(name)?))).collect::<BTreeMap<_, _>>(),
            is_password_checked: is_proven,
        })
    }

    /// The user's groups, and their groups, level by level; a group that was met before is not looked at again.
    async fn groups(&self, line: &mut Talk, entry: &Entry, is_rebound: bool) -> Result<Vec<String>, Outage> {
        let Some(Groups { attribute, part, nested }) = &self.plan.groups else { return Ok(Vec::new()) };
        let mut known = Known::default();
        let mut level = known.take(entry.values(attribute), part.as_deref())?;
        let Some(Nested { levels, identifier, attribute, part, filter: more }) = nested else { return Ok(known.names) };
        if is_rebound && !level.is_empty() {
            // The user himself need not be allowed to search.
            self.serve(line).await?;
        }
        for _ in 1..*levels {
            let mut next = Vec::new();
            for batch in level.chunks(BATCH) {
                let any: Vec<_> = batch.iter().map(|name| filter::equals(identifier, name)).collect();
                let question = Question {
                    base: self.plan.base.clone(),
                    filter: filter::and(&filter::or(&any), more.as_deref()),
                    attributes: vec![attribute.clone()],
                    entries_max: BATCH_ENTRIES_MAX,
                };
                let Answer { entries, code } = search::search(line, question).await?;
                match code {
                    code::SUCCESS => {}
                    code::SIZE_LIMIT => return Err(Outage::TooManyGroups),
                    code::REFERRAL => return Err(Outage::Referral),
                    refused => return Err(Outage::Search(refused)),
                }
                for entry in &entries {
                    next.extend(known.take(entry.values(attribute), part.as_deref())?);
                }
            }
            if next.is_empty() {
                break;
            }
            level = next;
        }
        Ok(known.names)
    }

    async fn replace(&self, user: &str, old: &str, new: &str) -> Result<Changed, Outage> {
        let mut line = self.reach.open().await?;
        self.serve(&mut line).await?;
        let mut entries = self.find(&mut line, user).await?;
        let (Some(entry), true) = (entries.pop(), entries.is_empty()) else {
            self.bind_as_nobody(&mut line, old).await?;
            line.leave().await;
            return Ok(Changed::Wrong(if entries.is_empty() { Wrong::Unknown } else { Wrong::Ambiguous }));
        };
        let message = if judge::is_active_directory(self.plan.kind) {
            // It compares the old password itself; one that has expired could not be bound with.
            line.exchange(Op::Modified, |id| say::change_in_active_directory(id, &entry.dn, old, new)).await?
        } else {
            match self.bind(&mut line, &entry.dn, old).await? {
                Bound::Yes | Bound::MustChange(MustChange::Reset) => {}
                Bound::MustChange(MustChange::Expired) => self.serve(&mut line).await?,
                Bound::Wrong(wrong) => return Ok(Changed::Wrong(wrong)),
            }
            line.exchange(Op::Extended, |id| say::change(id, &entry.dn, old, new)).await?
        };
        let changed = judge::changed(self.plan.kind, Reply::read(&message).ok_or(Outage::Nonsense)?);
        line.leave().await;
        changed
    }
}

/// Group names without regard to case, in the order in which they were met.
#[derive(Default)]
struct Known {
    names: Vec<String>,
    seen: HashSet<String>,
}

impl Known {
    /// Takes names out of values, and gives those that are new.
    fn take(&mut self, values: &[String], part: Option<&str>) -> Result<Vec<String>, Outage> {
        let names = values.iter().filter_map(|value| part.map_or_else(|| Some(value.clone()), |part| dn::first(value, part)));
        let fresh: Vec<_> = names.filter(|name| self.seen.insert(name.to_lowercase())).collect();
        self.names.extend(fresh.iter().cloned());
        if self.names.len() > GROUPS_MAX { Err(Outage::TooManyGroups) } else { Ok(fresh) }
    }
}

/// Whether one of the names is what was typed. A directory that shows none is believed.
fn is_called(names: &[String], typed: &str) -> bool {
    let plain = |name: &str| canonical(name).map(|(name, _)| name);
    names.is_empty() || names.iter().any(|name| plain(name) == plain(typed))
}

fn same(one: &str, other: &str) -> bool {
    one == other || one.to_lowercase() == other.to_lowercase()
}
