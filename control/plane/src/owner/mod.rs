//! The one task that owns control state: it takes actions one by one and is the only one to touch the tables.
//!
//! ```text
//!   doors ─► Action ─► act ─► tables ─► reply
//!                        └─ logins that ended ─► what hangs on them (ends.rs) ─► Order::Kill ─► workers
//!   every second ─► Action::Tick: what is due, at a cost of as much as is due
//! ```
//!
//! An action that breaks the owner (a bug of ours) ends that action, is logged and counted, and its door sees no reply; the
//! tables are pure, and each call on them leaves them whole or is not made.

mod ends;
mod guests;
mod log;
mod scans;
mod talk;

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use gate_auth::guard::{LoginGuard, TicketGuard};
use gate_auth::login::lockout::Lockouts;
use gate_auth::login::table::{self, Conversations};
use gate_auth::seal::{KEY_BYTES, Seal, SealKey};
use gate_auth::sessions::{self, End, Entry, Login, Logins, Times, Token, plain};
use gate_auth::tickets::{self, Code, Kind, LOGON_RANDOM_BYTES, STA_RANDOM_BYTES, Tickets};
use gate_auth::totp::Used;
use gate_auth::users::{Check, Proven, Users, canonical};
use gate_proto::audit::{Entry as Note, Value};
use gate_proto::xml::sta;
use secrecy::ExposeSecret;
use sluice_link::id::{LaunchId, SessionKey};
use sluice_link::reason::Reason;
use tokio::sync::mpsc;
use tracing::{error, info, warn};

use self::ends::{wanted_ended, wants};
use self::guests::Guests;
use self::scans::Watches;
use self::talk::{Kept, Talk};
use crate::PlaneFault;
use crate::action::{
    Action, Claim, Counts, FarmNumber, Found, LoginOver, LoginSeen, NotEntered, NotIssued, Person, Presented, ReplyTo, Rules,
    Tables, Tally, Trial, Whose,
};
use crate::audit::Audit;
use crate::clock::Clock;
use crate::latency::{Latencies, Phase};
use crate::login::Outside;
use crate::login::chain::Issued;
use crate::login::trace::{Trace, Traces, WantedTraces};
use crate::quiet::Quiet;
use crate::random;
use crate::running::{Launch, Launches};
use crate::turn::Order;
use crate::used::UsedFile;

/// Users whose password was found right and is remembered as a seal.
const PROVEN_MAX: usize = 50_000;
/// Life of a logon ticket.
const LOGON_LIFE: Duration = Duration::from_secs(200);
/// Time between two looks at what is due.
const TICK_EVERY: Duration = Duration::from_secs(1);
/// Looks at what is due between two sweeps.
const TICKS_PER_SWEEP: u32 = 30;

/// The state.
pub(crate) struct Owner {
    clock: Clock,
    nt_domain: Arc<str>,
    users: Users,
    login_guard: LoginGuard,
    proven: Proven,
    lockouts: Lockouts,
    logins: Logins,
    conversations: Conversations,
    /// Steps that are under way, by conversation: somebody outside is asked, or will be.
    talks: HashMap<u64, Talk>,
    kept: HashMap<u64, Kept>,
    /// Logins under way, by those who have looked at their clients.
    looked: HashMap<Seal, u64>,
    /// When conversations are over at the latest, in the order in which they began.
    expiring: VecDeque<(Duration, u64)>,
    traces: Traces,
    watches: Watches,
    scanner_key: SealKey,
    guests: Guests,
    outside: Outside,
    /// Codes that were used, and the file in which they are written down.
    used: Used,
    used_file: UsedFile,
    ticket_guard: TicketGuard,
    /// One table for each embedded authority.
    stas: HashMap<FarmNumber, Tickets<IpAddr, Vec<sta::Value>>>,
    logon: Tickets<IpAddr, Arc<str>>,
    rules: Rules,
    /// Tickets that the portal got.
    issued: Issued,
    launches: Launches,
    /// Sessions that are to be ended, until the workers' keeper takes the order.
    doomed: Vec<(SessionKey, Reason)>,
    orders: mpsc::Sender<Order>,
    audit: Arc<dyn Audit>,
    latencies: Latencies,
    tally: Tally,
    /// The same, since an operator last began anew.
    times_shown: Latencies,
    quiet: Quiet,
}

impl Owner {
    /// Builds the tables.
    pub(crate) fn new(
        tables: Tables,
        clock: Clock,
        audit: Arc<dyn Audit>,
        orders: mpsc::Sender<Order>,
        outside: Outside,
        (used, used_file): (Used, UsedFile),
    ) -> Result<Self, PlaneFault> {
        let key = || random::bytes::<KEY_BYTES>().map(SealKey::new).map_err(|_| PlaneFault::NoRandom);
        let times = Times::default();
        let of_server = |(number, key, limits)| (number, Tickets::new(key, limits));
        let logon = tickets::Limits { once: LOGON_LIFE, ..tickets::Limits::default() };
        Ok(Self {
            clock,
            nt_domain: tables.nt_domain,
            users: tables.users,
            login_guard: LoginGuard::default(),
            proven: Proven::new(key()?, PROVEN_MAX, times.idle, times.absolute),
            lockouts: Lockouts::default(),
            logins: Logins::new(key()?, sessions::Limits::default()),
            conversations: Conversations::new(key()?, table::Limits::default()),
            talks: HashMap::new(),
            kept: HashMap::new(),
            looked: HashMap::new(),
            expiring: VecDeque::new(),
            traces: Traces::default(),
            watches: Watches::default(),
            scanner_key: key()?,
            guests: Guests::new(key()?),
            outside,
            used,
            used_file,
            ticket_guard: TicketGuard::default(),
            stas: tables.farm.into_iter().map(of_server).collect(),
            logon: Tickets::new(key()?, logon),
            rules: tables.rules,
            issued: Issued::new(key()?),
            launches: Launches::default(),
            doomed: Vec::new(),
            orders,
            audit,
            latencies: Latencies::new(),
            tally: Tally::default(),
            times_shown: Latencies::new(),
            quiet: Quiet::default(),
        })
    }

    /// Takes actions until every door is gone.
    pub(crate) async fn serve(mut self, mut actions: mpsc::Receiver<Action>) {
        let mut tick = tokio::time::interval(TICK_EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut ticks = 0;
        let orders = self.orders.clone();
        loop {
            let action = tokio::select! {
                action = actions.recv() => match action {
                    Some(action) => action,
                    None => return,
                },
                // Waited for beside everything else: the keeper of the workers may be waiting for the owner at this moment.
                Ok(room) = orders.reserve(), if !self.doomed.is_empty() => {
                    let (reply, _) = tokio::sync::oneshot::channel();
                    room.send(Order::Kill { keys: std::mem::take(&mut self.doomed), reply });
                    continue;
                }
                _ = tick.tick() => {
                    ticks = (ticks + 1) % TICKS_PER_SWEEP;
                    if ticks == 0 { Action::Sweep } else { Action::Tick }
                }
            };
            // The panic itself is reported by the process's panic hook.
            if catch_unwind(AssertUnwindSafe(|| self.act(action, self.clock.now()))).is_err() {
                error!("the owner of control state broke on an action");
            }
        }
    }

    /// Does one thing at `now`, and what follows from it.
    fn act(&mut self, action: Action, now: Duration) {
        self.do_it(action, now);
        self.follow_ends(now);
    }

    fn do_it(&mut self, action: Action, now: Duration) {
        match action {
            Action::Try(claim, reply) => give(reply, self.begin_try(&claim, now)),
            Action::Tried { claim, check, right, reply } => {
                let person = if right { self.end_try(&claim, &check, now) } else { None };
                self.count_try(person.is_some());
                give(reply, person);
            }
            Action::Who { cookie, reply } => give(reply, self.whose(&cookie, now)),
            Action::Leave { cookie, form_token, reply } => {
                let left = self.logins.is_form_token(&cookie, &form_token) && self.logins.end(&cookie, End::LoggedOut, now);
                give(reply, left);
            }
            Action::Ticketed { login, ticket, resource, reply } => {
                give(reply, self.ticketed(login, &ticket, resource, now));
            }
            Action::Say { said, reply } => self.say(*said, reply, now),
            Action::Answered { conversation, question, came } => self.answered(conversation, question, came, now),
            Action::ScanState { at, begins, reply } => give(reply, self.scan_state(&at, begins, now)),
            Action::ScanQuestion { at, reply } => give(reply, self.scan_question(&at, now)),
            Action::ScanAnswer { at, digits, repeats, reply } => {
                give(reply, self.scan_answer(&at, digits.as_ref(), repeats, now));
            }
            Action::ScanDevice { at, good, reply } => give(reply, self.scan_device(&at, good, now)),
            Action::Traces { wanted, at_most, reply } => give(reply, self.traces(&wanted, at_most, now)),
            Action::Unlock { user, realms, reply } => give(reply, self.lockouts.unlock(&realms, &plain(&user), now)),
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
            Action::Launched(launch, ticket, reply) => give(reply, self.launched(*launch, &ticket, now)),
            Action::Opened(opened) => self.opened(&opened, now),
            Action::Closed(closed) => self.closed(&closed),
            Action::Count(reply) => {
                let tickets = self.stas.values().map(Tickets::len).sum();
                let (logins, launches, connections) = (self.logins.len(), self.launches.len(), self.launches.running());
                let (questions, questions_waiting) = self.conversations.questions();
                let conversations = self.conversations.len();
                let tally = self.tally();
                give(
                    reply,
                    Counts { logins, tickets, launches, connections, conversations, questions, questions_waiting, tally },
                );
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
            Action::Settle(tables, reply) => give(reply, self.settle(*tables, now)),
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
                let found = self.logins.iter(now).filter(|login| wants(&wanted, login));
                let mut rows: Vec<LoginSeen> = found.map(|login| self.seen(login)).collect();
                rows.sort_by_key(|login| login.number);
                let total = rows.len();
                rows.truncate(at_most);
                give(reply, Found { rows, total, now });
            }
            Action::EndedLogins { wanted, at_most, reply } => {
                let found = || self.logins.ended(now).filter(|ended| wanted_ended(&wanted, ended));
                give(reply, Found { rows: found().take(at_most).cloned().collect(), total: found().count(), now });
            }
            Action::EndLogins { wanted, reply } => give(reply, self.end_logins(&wanted, now)),
            Action::Latencies(reply) => give(reply, self.latencies.report()),
            Action::WorkerGone(worker, reply) => give(reply, self.launches.lost(worker)),
            Action::Tick => self.tick(now),
            #[cfg(test)]
            Action::Break(reply) => panic!("on purpose, while somebody waits: {}", !reply.is_closed()),
            Action::Sweep => {
                self.tick(now);
                self.logon.sweep(now);
                self.stas.values_mut().for_each(|table| table.sweep(now));
            }
        }
    }

    /// Ends what is due.
    fn tick(&mut self, now: Duration) {
        self.logins.sweep(now);
        self.look_at_watches(now);
        self.expire(now);
    }

    /// Logins that go on and those that are over.
    fn traces(&self, wanted: &WantedTraces, at_most: usize, now: Duration) -> Found<Trace> {
        let mut rows: Vec<Trace> = self.conversations.iter().map(|conversation| Trace::of(conversation, None)).collect();
        rows.sort_by_key(|trace| std::cmp::Reverse(trace.number));
        rows.extend(self.traces.latest_first().cloned());
        rows.retain(|trace| trace.is_wanted(wanted));
        let total = rows.len();
        rows.truncate(at_most);
        Found { rows, total, now }
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
            self.count_try(true);
            return Trial::Known(person);
        }
        if self.users.find(&name).is_none()
            && let Some(person) = self.guest(claim, now)
        {
            self.count_try(true);
            return Trial::Known(person);
        }
        match self.login_guard.begin(&name, None, now) {
            Ok(()) => Trial::Work(check),
            Err(wait) => {
                self.tally.logins_held_back += 1;
                Trial::Wait(wait)
            }
        }
    }

    fn count_try(&mut self, right: bool) {
        *if right { &mut self.tally.farm_right } else { &mut self.tally.farm_wrong } += 1;
    }

    fn end_try(&mut self, claim: &Claim, check: &Check, now: Duration) -> Option<Person> {
        let name = self.canonical(&claim.user, claim.domain.as_deref())?;
        // While the check was done, the user may have got another password: the one of before opens nothing any more.
        let person = self.person(&name).filter(|_| self.users.is_current(&name, check))?;
        self.login_guard.succeeded(&name, None);
        self.proven.remember(&name, check, &claim.password, now);
        Some(person)
    }

    /// Whose cookie that is. Of one that is over its user is told why, but not of one that the user ended.
    fn whose(&mut self, cookie: &str, now: Duration) -> Whose {
        if let Some(login) = self.logins.look_up(cookie, now).cloned() {
            return Whose::Login(Box::new(login), self.logins.form_token(cookie));
        }
        self.logins.why_over(cookie, now).map_or(Whose::Nobody, |ended| Whose::Over(ended.end))
    }

    /// Begins a login, under a token that nobody has seen.
    fn enter(&mut self, entry: Entry, now: Duration) -> Result<(Token, u64), NotEntered> {
        if !self.audit.may_act() {
            return Err(NotEntered::Unaudited);
        }
        let token = Token::new(random::bytes()?);
        let user: Option<Arc<str>> = entry.identity.as_ref().map(|identity| identity.user.clone());
        let arrival = entry.arrival.clone();
        let rules = self.rules.vservers.get(&arrival.vserver).copied().unwrap_or_default();
        let once = user.as_ref().filter(|_| rules.login_once);
        self.logins.sweep(now);
        if let Some(user) = once {
            self.logins.end_others(user, &arrival.vserver, 0, now);
        }
        let is_enough = |max: Option<u32>, now: usize| max.is_some_and(|max| now >= usize::try_from(max).unwrap_or(usize::MAX));
        if is_enough(self.rules.users_max, self.logins.len()) || is_enough(rules.users_max, self.logins.at(&arrival.vserver)) {
            return Err(NotEntered::Enough);
        }
        let guest = self.guests.seal_of(&entry);
        let number = self.logins.begin(&token, entry, now)?;
        guest.into_iter().for_each(|seal| self.guests.begin(seal, number));
        let user = user.as_deref().unwrap_or_default();
        info!(login = number, user, client = %arrival.client, vserver = %arrival.vserver, "login");
        let fields = vec![
            ("login", Value::Number(number)),
            ("user", Value::Text(user.to_owned())),
            ("client", Value::Text(arrival.client.to_string())),
            ("vserver", Value::Text(arrival.vserver.to_string())),
        ];
        self.audit.note(Note { event: "login", fields });
        Ok((token, number))
    }

    /// The portal got a ticket for a login; whether that is still there.
    fn ticketed(&mut self, login: u64, ticket: &Presented, resource: String, now: Duration) -> bool {
        let Some(found) = self.logins.numbered(login, now) else { return false };
        let fields = vec![
            ("login", Value::Number(login)),
            ("user", Value::Text(found.user().to_owned())),
            ("client", Value::Text(found.entry.arrival.client.to_string())),
            ("vserver", Value::Text(found.entry.arrival.vserver.to_string())),
            ("resource", Value::Text(resource)),
            ("authority", Value::Text(ticket.authority.clone())),
        ];
        self.audit.note(Note { event: "launch", fields });
        self.issued.remember(ticket, login, now);
        true
    }

    /// A ticket led to a host; of one that the portal got, the login must still be there.
    fn launched(&mut self, mut launch: Launch, ticket: &Presented, now: Duration) -> Result<LaunchId, LoginOver> {
        launch.login = self.issued.login_of(ticket, now);
        if launch.login.is_some_and(|login| self.logins.numbered(login, now).is_none()) {
            self.tally.launches_too_late += 1;
            return Err(LoginOver);
        }
        Ok(self.launches.launched(launch))
    }

    /// Takes over what the configuration says now. Tables of tickets that stay keep their tickets. Nothing in here can fail.
    fn settle(&mut self, tables: Tables, now: Duration) -> usize {
        let Tables { nt_domain, users, farm, listeners, rules } = tables;
        for times in [&mut self.latencies, &mut self.times_shown] {
            times.retain(|listener| listeners.contains(&listener));
        }
        self.stas.retain(|number, _| farm.iter().any(|(kept, ..)| kept == number));
        for (number, key, limits) in farm {
            self.stas.entry(number).or_insert_with(|| Tickets::new(key, limits)).set_limits(limits);
        }
        let before = std::mem::replace(&mut self.users, users);
        (self.nt_domain, self.rules) = (nt_domain, rules);
        let is_stale = |login: &Login| {
            let local = login.entry.identity.as_ref().filter(|identity| identity.is_local);
            local.is_some_and(|identity| !before.agree_about(&self.users, &plain(&identity.user)))
        };
        self.logins.end_those(End::UserGone, now, is_stale)
    }

    fn tally(&self) -> Tally {
        Tally { logins_begun: self.logins.begun(), connections: self.launches.opened_ever(), ..self.tally }
    }

    fn issue_logon(&mut self, issuer: IpAddr, user: Arc<str>, is_reference: bool, now: Duration) -> Result<Code, NotIssued> {
        // A reference is base64 to those who carry it, and as many digits as this are.
        Ok(if is_reference {
            self.logon.issue(random::bytes::<STA_RANDOM_BYTES>()?, issuer, Kind::Once, user, now)?
        } else {
            self.logon.issue(random::bytes::<LOGON_RANDOM_BYTES>()?, issuer, Kind::Once, user, now)?
        })
    }
}

/// A reply that nobody waits for is dropped.
fn give<T>(reply: ReplyTo<T>, value: T) {
    let _ = reply.send(value);
}

#[cfg(test)]
mod tests;
