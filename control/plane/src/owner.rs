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
use gate_auth::seal::{KEY_BYTES, SealKey};
use gate_auth::sessions::{self, Arrival, Identity, Logins, Token};
use gate_auth::tickets::{self, Code, Kind, LOGON_RANDOM_BYTES, STA_RANDOM_BYTES, Tickets};
use gate_auth::users::{Check, Proven, Users, canonical};
use gate_proto::xml::sta::Value;
use secrecy::{ExposeSecret, SecretString};
use sluice_link::ask::{Closed, Opened};
use tokio::sync::mpsc;
use tracing::{error, info, warn};

use crate::PlaneFault;
use crate::action::{
    Action, Claim, Counts, FarmNumber, Found, LoginSeen, NotEntered, NotIssued, Person, ReplyTo, Tables, Tally, Trial,
    WantedLogins,
};
use crate::clock::Clock;
use crate::latency::{Latencies, Phase};
use crate::quiet::Quiet;
use crate::random;
use crate::running::{self, Launches};

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
    stas: HashMap<FarmNumber, Tickets<IpAddr, Vec<Value>>>,
    logon: Tickets<IpAddr, Arc<str>>,
    launches: Launches,
    latencies: Latencies,
    tally: Tally,
    /// The same, since an operator last began anew.
    times_shown: Latencies,
    quiet: Quiet,
}

impl Owner {
    /// Builds the tables.
    pub(crate) fn new(tables: Tables, clock: Clock) -> Result<Self, PlaneFault> {
        let key = || random::bytes::<KEY_BYTES>().map(SealKey::new).map_err(|_| PlaneFault::NoRandom);
        let session = sessions::Limits::default();
        let of_server = |(number, key, limits)| (number, Tickets::new(key, limits));
        let logon = tickets::Limits { once: LOGON_LIFE, ..tickets::Limits::default() };
        Ok(Self {
            clock,
            nt_domain: tables.nt_domain,
            users: tables.users,
            login_guard: LoginGuard::default(),
            proven: Proven::new(key()?, PROVEN_MAX, session.idle, session.absolute),
            logins: Logins::new(key()?, session),
            ticket_guard: TicketGuard::default(),
            stas: tables.farm.into_iter().map(of_server).collect(),
            logon: Tickets::new(key()?, logon),
            launches: Launches::default(),
            latencies: Latencies::new(),
            tally: Tally::default(),
            times_shown: Latencies::new(),
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
                self.count_try(&claim, person.is_some());
                give(reply, person);
            }
            Action::Enter { person, password, arrival, replaces, reply } => {
                if let Some(cookie) = replaces {
                    self.logins.end(&cookie);
                }
                give(reply, self.enter(&person, password, arrival, now));
            }
            Action::Who { cookie, reply } => {
                let login = self.logins.look_up(&cookie, now).cloned();
                give(reply, login.map(|login| (login, self.logins.form_token(&cookie))));
            }
            Action::Leave { cookie, form_token, reply } => {
                let left = self.logins.is_form_token(&cookie, &form_token) && self.logins.end(&cookie).is_some();
                self.tally.logins_left += u64::from(left);
                give(reply, left);
            }
            Action::IssueSta { sta, issuer, kind, values, reply } => {
                let Some(table) = self.stas.get_mut(&sta) else { return };
                let issued = random::bytes::<STA_RANDOM_BYTES>()
                    .map_err(Into::into)
                    .and_then(|random| Ok(table.issue(random, issuer, kind, values, now)?));
                self.tally.tickets_issued += u64::from(issued.is_ok());
                give(reply, issued);
            }
            Action::RedeemSta { sta, code, reply } => {
                let Some(table) = self.stas.get_mut(&sta) else { return };
                let redeemed = table.redeem(code.expose_secret(), now);
                self.tally.tickets_redeemed += u64::from(redeemed.is_ok());
                self.tally.tickets_refused += u64::from(redeemed.is_err());
                give(reply, redeemed);
            }
            Action::IssueLogon { issuer, user, is_reference, reply } => {
                give(reply, self.issue_logon(issuer, user, is_reference, now));
            }
            Action::MayPresent(source, reply) => give(reply, self.ticket_guard.may_try(source, now)),
            Action::PresentedBad(source) => {
                if self.ticket_guard.failed(source, now) {
                    self.tally.sources_banned += 1;
                    warn!(?source, "too many bad tickets: source is turned away for a while");
                }
            }
            Action::Launched(launch, reply) => {
                give(reply, self.launches.launched(*launch));
            }
            Action::Opened(opened) => self.opened(&opened, now),
            Action::Closed(closed) => self.closed(&closed),
            Action::Count(reply) => {
                let tickets = self.stas.values().map(Tickets::len).sum();
                let (logins, launches, connections) = (self.logins.len(), self.launches.len(), self.launches.running());
                give(reply, Counts { logins, tickets, launches, connections, tally: self.tally() });
            }
            Action::Times { listener, reply } => {
                let times = &self.times_shown;
                let of = |phase| listener.map_or_else(|| times.of_all(phase), |one| times.percentiles(one, phase));
                give(reply, Phase::ALL.map(|phase| (phase, of(phase))).to_vec());
            }
            Action::UpTo { listeners, bounds, reply } => {
                let of = |listener| Phase::ALL.map(|phase| self.latencies.up_to(listener, phase, bounds)).to_vec();
                give(reply, listeners.into_iter().map(|listener| (listener, of(listener))).collect());
            }
            Action::ClearTimes(reply) => {
                self.times_shown.reset_all();
                give(reply, ());
            }
            Action::Settle(tables, reply) => give(reply, self.settle(*tables)),
            Action::Connections { wanted, at_most, reply } => {
                let found = self.launches.find(&wanted, now);
                let (mut rows, mut total) = (Vec::new(), 0);
                for running in found {
                    if total < at_most {
                        rows.push(running.clone());
                    }
                    total += 1;
                }
                give(reply, Found { rows, total, now });
            }
            Action::Logins { wanted, at_most, reply } => {
                let mut rows: Vec<LoginSeen> = self.logins.iter(now).filter(|login| wants(&wanted, login)).map(seen).collect();
                rows.sort_by_key(|login| login.number);
                let total = rows.len();
                rows.truncate(at_most);
                give(reply, Found { rows, total, now });
            }
            Action::EndLogins { wanted, reply } => {
                let ended = self.logins.end_those(|login| wants(&wanted, login));
                self.tally.logins_killed += ended.len() as u64;
                give(reply, ended.iter().map(seen).collect());
            }
            Action::Latencies(reply) => give(reply, self.latencies.report()),
            Action::WorkerGone(worker, reply) => give(reply, self.launches.lost(worker)),
            Action::Sweep => {
                self.logins.sweep(now);
                self.logon.sweep(now);
                self.stas.values_mut().for_each(|table| table.sweep(now));
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
            self.count_try(claim, true);
            return Trial::Known(person);
        }
        match self.login_guard.begin(&name, claim.source, now) {
            Ok(()) => Trial::Work(check),
            Err(wait) => {
                self.tally.logins_held_back += 1;
                Trial::Wait(wait)
            }
        }
    }

    /// Browsers are counted apart from portals that ask for their users.
    fn count_try(&mut self, claim: &Claim, right: bool) {
        let tally = &mut self.tally;
        let (good, bad) = match claim.source {
            Some(_) => (&mut tally.logins_right, &mut tally.logins_wrong),
            None => (&mut tally.farm_right, &mut tally.farm_wrong),
        };
        *if right { good } else { bad } += 1;
    }

    fn end_try(&mut self, claim: &Claim, check: &Check, now: Duration) -> Option<Person> {
        let name = self.canonical(&claim.user, claim.domain.as_deref())?;
        // While the check was done, the user may have got another password: the one of before opens nothing any more.
        let person = self.person(&name).filter(|_| self.users.is_current(&name, check))?;
        self.login_guard.succeeded(&name, claim.source);
        self.proven.remember(&name, check, &claim.password, now);
        Some(person)
    }

    fn enter(&mut self, person: &Person, password: SecretString, arrival: Arrival, now: Duration) -> Result<Token, NotEntered> {
        let token = Token::new(random::bytes()?);
        let identity =
            Identity { user: person.name.clone(), domain: person.domain.clone(), groups: person.groups.clone(), password };
        let client = arrival.client.ip();
        self.logins.begin(&token, identity, arrival, now)?;
        info!(user = %person.name, %client, "login");
        Ok(token)
    }

    /// Takes over what the configuration says now. Tables of tickets that stay keep their tickets. Nothing in here can fail.
    fn settle(&mut self, tables: Tables) -> usize {
        let Tables { nt_domain, users, farm, listeners } = tables;
        for times in [&mut self.latencies, &mut self.times_shown] {
            times.retain(|listener| listeners.contains(&listener));
        }
        self.stas.retain(|number, _| farm.iter().any(|(kept, ..)| kept == number));
        for (number, key, limits) in farm {
            self.stas.entry(number).or_insert_with(|| Tickets::new(key, limits)).set_limits(limits);
        }
        let before = std::mem::replace(&mut self.users, users);
        self.nt_domain = nt_domain;
        let is_stale = |login: &sessions::Login| !before.agree_about(&self.users, &running::name(&login.identity.user));
        let ended = self.logins.end_those(is_stale);
        for login in &ended {
            info!(user = %login.identity.user, client = %login.arrival.client, "login ended: the user is gone or has another password");
        }
        self.tally.logins_killed += ended.len() as u64;
        ended.len()
    }

    fn tally(&self) -> Tally {
        Tally {
            logins_begun: self.logins.begun(),
            logins_expired: self.logins.expired(),
            connections: self.launches.opened_ever(),
            ..self.tally
        }
    }

    fn issue_logon(&mut self, issuer: IpAddr, user: Arc<str>, is_reference: bool, now: Duration) -> Result<Code, NotIssued> {
        // A reference is base64 to those who carry it, and as many digits as this are.
        Ok(if is_reference {
            self.logon.issue(random::bytes::<STA_RANDOM_BYTES>()?, issuer, Kind::Once, user, now)?
        } else {
            self.logon.issue(random::bytes::<LOGON_RANDOM_BYTES>()?, issuer, Kind::Once, user, now)?
        })
    }

    fn opened(&mut self, opened: &Opened, now: Duration) {
        self.latencies.record(opened);
        self.times_shown.record(opened);
        let Some(launch) = self.launches.opened(opened.launch, opened.key, now) else { return };
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

    fn closed(&mut self, closed: &Closed) {
        let launch = closed.launch.and_then(|id| self.launches.closed(id));
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

fn seen(login: &sessions::Login) -> LoginSeen {
    let identity = &login.identity;
    LoginSeen {
        number: login.number,
        user: identity.user.clone(),
        domain: identity.domain.clone(),
        groups: identity.groups.clone(),
        arrival: login.arrival.clone(),
        began: login.began,
        seen: login.seen,
    }
}

fn wants(wanted: &WantedLogins, login: &sessions::Login) -> bool {
    wanted.number.is_none_or(|number| number == login.number)
        && wanted.user.as_deref().is_none_or(|user| running::name(user) == running::name(&login.identity.user))
        && wanted.group.as_ref().is_none_or(|group| login.identity.groups.contains(group))
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
