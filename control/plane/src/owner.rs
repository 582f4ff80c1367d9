//! The one task that owns control state: it takes actions one by one and is the only one to touch the tables.
//!
//! An action that breaks the owner (a bug of ours) ends that action, is logged and counted, and its door sees no reply; the
//! tables are pure, and each call on them leaves them whole or is not made.

use std::collections::HashMap;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use gate_auth::guard::{LoginGuard, TicketGuard};
use gate_auth::oldest::OldestOut;
use gate_auth::seal::{KEY_BYTES, SealKey};
use gate_auth::sessions::{self, Identity, Logins, Token};
use gate_auth::tickets::{self, Code, Kind, LOGON_RANDOM_BYTES, STA_RANDOM_BYTES, Tickets};
use gate_auth::users::{Check, Proven, SALT_BYTES, User, Users, Verifier, canonical};
use gate_config::model::{Credential, Model};
use gate_proto::xml::sta::Value;
use secrecy::{ExposeSecret, SecretString};
use sluice_link::ask::{Closed, Opened};
use sluice_link::id::LaunchId;
use tokio::sync::mpsc;
use tracing::{error, info, warn};

use crate::PlaneFault;
use crate::action::{Action, Claim, Counts, Launch, NotEntered, NotIssued, Person, ReplyTo, Trial};
use crate::clock::Clock;
use crate::quiet::Quiet;
use crate::random;

/// Launches remembered for their log lines.
const LAUNCHES_MAX: usize = 200_000;
/// Users whose password was found right and is remembered as a seal.
const PROVEN_MAX: usize = 50_000;
/// Life of a logon ticket.
const LOGON_LIFE: Duration = Duration::from_secs(200);
/// Time between two sweeps.
const SWEEP_EVERY: Duration = Duration::from_secs(30);

/// The state.
pub(crate) struct Owner {
    clock: Clock,
    nt_domain: Arc<str>,
    users: Users,
    login_guard: LoginGuard,
    proven: Proven,
    logins: Logins,
    ticket_guard: TicketGuard,
    /// One table for each embedded authority.
    stas: Vec<Tickets<IpAddr, Vec<Value>>>,
    logon: Tickets<IpAddr, Arc<str>>,
    launches: OldestOut<u64, Launch>,
    launch_last: u64,
    quiet: Quiet,
}

impl Owner {
    /// Builds the tables for `model`. Open passwords are hashed here, which takes its time.
    pub(crate) fn new(model: &Model, clock: Clock) -> Result<Self, PlaneFault> {
        let key = || random::bytes::<KEY_BYTES>().map(SealKey::new).map_err(|_| PlaneFault::NoRandom);
        let session = sessions::Limits::default();
        let of_server = |server: &gate_config::model::FarmServer| {
            let limits = tickets::Limits {
                once: server.ticket_lifetime,
                refreshable: server.refreshable_lifetime,
                ..tickets::Limits::default()
            };
            Ok(Tickets::new(key()?, limits))
        };
        let logon = tickets::Limits { once: LOGON_LIFE, ..tickets::Limits::default() };
        Ok(Self {
            clock,
            nt_domain: model.vpn.nt_domain.as_deref().unwrap_or_default().into(),
            users: users_of(model)?,
            login_guard: LoginGuard::default(),
            proven: Proven::new(key()?, PROVEN_MAX, session.idle, session.absolute),
            logins: Logins::new(key()?, session),
            ticket_guard: TicketGuard::default(),
            stas: model.farm.servers.values().map(of_server).collect::<Result<_, PlaneFault>>()?,
            logon: Tickets::new(key()?, logon),
            launches: OldestOut::new(LAUNCHES_MAX),
            launch_last: 0,
            quiet: Quiet::default(),
        })
    }

    /// Takes actions until every door is gone.
    pub(crate) async fn serve(mut self, mut actions: mpsc::Receiver<Action>) {
        let mut sweep = tokio::time::interval(SWEEP_EVERY);
        sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let action = tokio::select! {
                action = actions.recv() => match action {
                    Some(action) => action,
                    None => return,
                },
                _ = sweep.tick() => Action::Sweep,
            };
            // The panic itself is reported by the process's panic hook.
            if catch_unwind(AssertUnwindSafe(|| self.act(action))).is_err() {
                error!("the owner of control state broke on an action");
            }
        }
    }

    fn act(&mut self, action: Action) {
        let now = self.clock.now();
        match action {
            Action::Try(claim, reply) => give(reply, self.begin_try(&claim, now)),
            Action::Tried { claim, check, right, reply } => {
                let person = if right { self.end_try(&claim, &check, now) } else { None };
                give(reply, person);
            }
            Action::Enter { person, password, client, replaces, reply } => {
                if let Some(cookie) = replaces {
                    self.logins.end(&cookie);
                }
                give(reply, self.enter(&person, password, client, now));
            }
            Action::Who { cookie, reply } => {
                let login = self.logins.look_up(&cookie, now).cloned();
                give(reply, login.map(|login| (login, self.logins.form_token(&cookie))));
            }
            Action::Leave { cookie, form_token, reply } => {
                let left = self.logins.is_form_token(&cookie, &form_token) && self.logins.end(&cookie).is_some();
                give(reply, left);
            }
            Action::IssueSta { sta, issuer, kind, values, reply } => {
                let Some(table) = self.stas.get_mut(sta) else { return };
                let issued = random::bytes::<STA_RANDOM_BYTES>()
                    .map_err(Into::into)
                    .and_then(|random| Ok(table.issue(random, issuer, kind, values, now)?));
                give(reply, issued);
            }
            Action::RedeemSta { sta, code, reply } => {
                let Some(table) = self.stas.get_mut(sta) else { return };
                give(reply, table.redeem(code.expose_secret(), now));
            }
            Action::IssueLogon { issuer, user, is_reference, reply } => {
                give(reply, self.issue_logon(issuer, user, is_reference, now));
            }
            Action::MayPresent(source, reply) => give(reply, self.ticket_guard.may_try(source, now)),
            Action::PresentedBad(source) => {
                if self.ticket_guard.failed(source, now) {
                    warn!(?source, "too many bad tickets: source is turned away for a while");
                }
            }
            Action::Launched(launch, reply) => {
                self.launch_last += 1;
                let id = self.launch_last;
                self.launches.touch(&id, || *launch);
                give(reply, LaunchId(id));
            }
            Action::Opened(opened) => self.log_opened(&opened),
            Action::Closed(closed) => self.log_closed(&closed),
            Action::Count(reply) => {
                let tickets = self.stas.iter().map(Tickets::len).sum();
                give(reply, Counts { logins: self.logins.len(), tickets, launches: self.launches.len() });
            }
            Action::Sweep => {
                self.logins.sweep(now);
                self.logon.sweep(now);
                self.stas.iter_mut().for_each(|table| table.sweep(now));
            }
        }
    }

    /// The name under which a user is looked up. `None` if the domain is not the one that local users are in, or if it cannot
    /// be a name at all.
    fn canonical(&self, user: &str, domain: Option<&str>) -> Option<String> {
        let (name, typed) = canonical(user)?;
        let named = domain.filter(|d| !d.is_empty()).map(str::to_lowercase).or(typed);
        let ours = self.nt_domain.to_lowercase();
        let is_ours =
            |named: String| ours.is_empty() || named == ours || named.strip_prefix(&ours).is_some_and(|r| r.starts_with('.'));
        named.is_none_or(is_ours).then_some(name)
    }

    fn person(&self, name: &str) -> Option<Person> {
        let user = self.users.find(name)?;
        Some(Person { name: user.name.clone(), domain: self.nt_domain.clone(), groups: user.groups.clone() })
    }

    fn begin_try(&mut self, claim: &Claim, now: Duration) -> Trial {
        // What cannot be a name is counted under one name that nobody has, and costs the same work.
        let name = self.canonical(&claim.user, claim.domain.as_deref()).unwrap_or_default();
        let check = self.users.check(&name);
        if self.proven.knows(&name, &check, &claim.password, now)
            && let Some(person) = self.person(&name)
        {
            return Trial::Known(person);
        }
        match self.login_guard.begin(&name, claim.source, now) {
            Ok(()) => Trial::Work(check),
            Err(wait) => Trial::Wait(wait),
        }
    }

    fn end_try(&mut self, claim: &Claim, check: &Check, now: Duration) -> Option<Person> {
        let name = self.canonical(&claim.user, claim.domain.as_deref())?;
        let person = self.person(&name)?;
        self.login_guard.succeeded(&name, claim.source);
        self.proven.remember(&name, check, &claim.password, now);
        Some(person)
    }

    fn enter(&mut self, person: &Person, password: SecretString, client: IpAddr, now: Duration) -> Result<Token, NotEntered> {
        let token = Token::new(random::bytes()?);
        let identity =
            Identity { user: person.name.clone(), domain: person.domain.clone(), groups: person.groups.clone(), password };
        self.logins.begin(&token, identity, client, now)?;
        info!(user = %person.name, %client, "login");
        Ok(token)
    }

    fn issue_logon(&mut self, issuer: IpAddr, user: Arc<str>, is_reference: bool, now: Duration) -> Result<Code, NotIssued> {
        // A reference is base64 to those who carry it, and as many digits as this are.
        Ok(if is_reference {
            self.logon.issue(random::bytes::<STA_RANDOM_BYTES>()?, issuer, Kind::Once, user, now)?
        } else {
            self.logon.issue(random::bytes::<LOGON_RANDOM_BYTES>()?, issuer, Kind::Once, user, now)?
        })
    }

    fn log_opened(&mut self, opened: &Opened) {
        let Some(launch) = self.launches.peek(&opened.launch.0) else { return };
        info!(
            event = "ICASTART",
            connection = opened.launch.0,
            session = %opened.key,
            vserver = %launch.vserver,
            client = %launch.client,
            host = %launch.host,
            user = launch.user,
            domain = launch.domain,
            resource = launch.resource,
            ticket = %launch.ticket,
            connect_us = micros(opened.took),
            "session started"
        );
    }

    fn log_closed(&mut self, closed: &Closed) {
        let launch = closed.launch.and_then(|id| self.launches.remove(&id.0));
        let Some(launch) = launch else {
            let Some(unsaid) = self.quiet.may_say(closed.client.ip().into(), self.clock.now()) else { return };
            info!(
                event = "CLOSED",
                session = %closed.key,
                client = %closed.client,
                reason = closed.reason.word(),
                code = code(closed.reason),
                meaning = closed.reason.meaning(),
                lived_ms = millis(closed.lived),
                unsaid,
                "connection ended without a launch"
            );
            return;
        };
        info!(
            event = "ICAEND_CONNSTAT",
            connection = closed.launch.map(|id| id.0),
            session = %closed.key,
            vserver = %launch.vserver,
            client = %launch.client,
            host = %launch.host,
            user = launch.user,
            domain = launch.domain,
            resource = launch.resource,
            reason = closed.reason.word(),
            code = code(closed.reason),
            up_bytes = closed.up_bytes,
            down_bytes = closed.down_bytes,
            lived_ms = millis(closed.lived),
            "session ended"
        );
    }
}

/// A reply that nobody waits for is dropped.
fn give<T>(reply: ReplyTo<T>, value: T) {
    let _ = reply.send(value);
}

/// Local users, with their passwords as hashes.
fn users_of(model: &Model) -> Result<Users, PlaneFault> {
    let salt = || random::bytes::<SALT_BYTES>().map_err(|_| PlaneFault::NoRandom);
    let mut of_user: HashMap<&str, Vec<String>> = HashMap::new();
    for (group, members) in model.groups.iter() {
        for user in &members.users {
            of_user.entry(user.as_str()).or_default().push(group.as_str().to_owned());
        }
    }
    let mut users = Vec::new();
    for (name, user) in model.users.iter() {
        let bad = |why| PlaneFault::User { user: name.as_str().to_owned(), why };
        let verifier = match &user.credential {
            Credential::Plain(secret) => Verifier::of_password(&secret.expose().to_owned().into(), salt()?).map_err(bad)?,
            Credential::Hashed(phc) => Verifier::of_phc(phc).map_err(bad)?,
            Credential::None | Credential::Unavailable(_) => continue,
        };
        let groups = of_user.remove(name.as_str()).unwrap_or_default().into();
        users.push(User { name: name.as_str().into(), groups, verifier });
    }
    let spare = match users.first() {
        Some(user) => user.verifier.clone(),
        None => {
            Verifier::of_password(&hex(&salt()?).into(), salt()?).map_err(|why| PlaneFault::User { user: String::new(), why })?
        }
    };
    Ok(Users::new(users, spare))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The enum's representation is its stable code.
fn code(reason: sluice_link::reason::Reason) -> u16 {
    reason as u16
}
