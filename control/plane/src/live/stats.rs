//! Counts and times: of virtual servers, logins, TLS, workers, the whole.

use std::collections::HashMap;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use gate_auth::sessions::End;
use gate_config::answer::{Answer, Datum, Row};
use gate_config::code::Code;
use gate_config::order::AskOrder;
use gate_config::problem::Problem;
use sluice_link::count::{ListenerTotals, Totals};
use sluice_link::id::ListenerId;
use sluice_link::reason::{Blame, Reason};

use super::Live;
use crate::action::{Action, Counts, Tally};
use crate::change::problem;
use crate::turn::Look;
use crate::world::World;

/// What had been counted when an operator last began anew. Workers' counters are never touched, so monitoring goes on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Base {
    workers: Vec<Totals>,
    listeners: HashMap<ListenerId, ListenerTotals>,
    tally: Tally,
    login_pages: u64,
    tickets: Tickets,
}

/// What became of tickets at authorities.
#[derive(Clone, Copy, Debug, Default)]
struct Tickets {
    asked: u64,
    answered: u64,
    refused: u64,
    unreached: u64,
}

impl Live {
    fn base(&self) -> Base {
        self.base.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Begins anew, if the order says so.
    async fn clear(&self, order: &AskOrder, look: &Look) -> Result<(), Problem> {
        if !order.has("clearstats") {
            return Ok(());
        }
        let tally = self.counts().await?.tally;
        self.owner.ask(Action::ClearTimes).await.map_err(|gone| problem(Code::InUse, "", gone.to_string()))?;
        let base = Base {
            workers: look.workers.iter().map(|worker| worker.totals.clone()).collect(),
            listeners: look.listeners.iter().cloned().collect(),
            tally,
            login_pages: self.login_pages.load(Relaxed),
            tickets: self.tickets(),
        };
        *self.base.lock().unwrap_or_else(PoisonError::into_inner) = base;
        Ok(())
    }

    async fn counts(&self) -> Result<Counts, Problem> {
        self.owner.ask(Action::Count).await.map_err(|gone| problem(Code::InUse, "", gone.to_string()))
    }

    fn tickets(&self) -> Tickets {
        let read = |count: &AtomicU64| count.load(Relaxed);
        let all = &self.tickets;
        let (redeemed, refused) = (read(&all.redeemed), read(&all.refused));
        Tickets { asked: read(&all.asked), answered: redeemed + refused, refused, unreached: read(&all.unreached) }
    }

    async fn times(&self, listener: Option<ListenerId>) -> Result<Vec<Row>, Problem> {
        let asked = self.owner.ask(|reply| Action::Times { listener, reply }).await;
        let times = asked.map_err(|gone| problem(Code::InUse, "", gone.to_string()))?;
        let micros = |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let row = |(phase, shape): (crate::latency::Phase, sluice_link::spread::Percentiles)| {
            Row::new()
                .text("step", phase.word())
                .number("count", shape.count)
                .number("p50Micros", micros(shape.p50))
                .number("p90Micros", micros(shape.p90))
                .number("p99Micros", micros(shape.p99))
                .number("p999Micros", micros(shape.p999))
                .number("maxMicros", micros(shape.max))
        };
        Ok(times.into_iter().map(row).collect())
    }

    pub(super) async fn workers(&self, order: &AskOrder) -> Result<Answer, Problem> {
        let (world, look) = (self.world()?, self.look().await?);
        let mut answer = Answer::of(order.ask);
        for (number, worker) in (0_u64..).zip(&look.workers) {
            if order.number("worker").is_some_and(|wanted| wanted != number) {
                continue;
            }
            let totals = &worker.totals;
            let mut row = Row::new()
                .number("worker", number)
                .text("state", if worker.is_alive { "UP" } else { "DEAD" })
                .number("snapshot", world.snapshot.id.0)
                .number("sessions", totals.sessions)
                .number("spliced", totals.spliced)
                .number("portal", totals.portal)
                .number("askQueue", totals.asks_queued)
                .number("buffersLent", totals.buffers_lent)
                .number("busyPercent", worker.busy_percent)
                .number("turnP99Micros", u64::try_from(worker.turns.percentiles().p99.as_micros()).unwrap_or(u64::MAX))
                .number("upBytes", totals.up_bytes)
                .number("downBytes", totals.down_bytes);
            if let Some(report) = &worker.report {
                row = row.text("engine", report.engine.to_uppercase()).number("sessionsMax", report.sessions);
                row = row.number("askQueueMax", report.asks).number("buffersMax", report.buffers);
                if let Some(core) = report.core {
                    row = row.count("core", core);
                }
            }
            answer.push(row);
        }
        found(order, "worker", answer)
    }

    pub(super) async fn stat_workers(&self, order: &AskOrder) -> Result<Answer, Problem> {
        let (look, base) = (self.look().await?, self.base());
        let mut answer = Answer::of(order.ask);
        for (at, worker) in look.workers.iter().enumerate() {
            let number = u64::try_from(at).unwrap_or(u64::MAX);
            if order.number("worker").is_some_and(|wanted| wanted != number) {
                continue;
            }
            let totals = base.workers.get(at).map_or_else(|| worker.totals.clone(), |before| worker.totals.since(before));
            let mut row = Row::new().number("worker", number).counters(&totals);
            if let Some(core) = worker.report.as_ref().and_then(|report| report.core) {
                row = row.count("core", core);
            }
            answer.push(row);
        }
        self.clear(order, &look).await?;
        found(order, "worker", answer)
    }

    pub(super) fn stas(&self, order: &AskOrder) -> Result<Answer, Problem> {
        let world = self.world()?;
        let mut answer = Answer::of(order.ask);
        for (sta, vservers) in world.authorities() {
            let (state, fault) = sta.state();
            let read = |count: &AtomicU64| count.load(Relaxed);
            let counts = &sta.counts;
            answer.push(
                Row::new()
                    .text("staServer", sta.url.as_str())
                    .maybe("staAuthId", sta.id().as_deref())
                    .list("vservers", vservers)
                    .text("staState", state)
                    .maybe("fault", fault.as_deref())
                    .number("asked", read(&counts.asked))
                    .number("redeemed", read(&counts.redeemed))
                    .number("refused", read(&counts.refused))
                    .number("failed", read(&counts.failed))
                    .number("lastMillis", read(&counts.last_us).div_ceil(1000)),
            );
        }
        Ok(answer)
    }

    pub(super) async fn stat_vservers(&self, order: &AskOrder) -> Result<Answer, Problem> {
        let (world, look, base) = (self.world()?, self.look().await?, self.base());
        let mut answer = Answer::of(order.ask);
        for (name, vserver) in world.model.vservers.iter() {
            if order.text("name").is_some_and(|wanted| wanted != name.as_str()) {
                continue;
            }
            let place = world.listener(name.as_str());
            let address = place.map_or(vserver.address, |(_, address)| address);
            let mut row = Row::new()
                .text("name", name.as_str())
                .text("primaryIpAddress", address.ip().to_string())
                .number("primaryPort", address.port())
                .text("type", "SSL")
                .text("state", if place.is_some() { "UP" } else { "DOWN" });
            if let Some((id, _)) = place {
                let now = totals_of(&look, id);
                let totals = base.listeners.get(&id).map_or_else(|| now.clone(), |before| now.since(before));
                row = row
                    .number("curSessions", totals.sessions)
                    .number("curIcaConnections", totals.spliced)
                    .number("totSessions", totals.accepted)
                    .number("totIcaConnections", totals.launches)
                    .number("handshakes", totals.handshakes)
                    .number("handshakesFailed", totals.handshakes_failed)
                    .number("upBytes", totals.up_bytes)
                    .number("downBytes", totals.down_bytes)
                    .rows("times", self.times(Some(id)).await?);
                if order.has("detail") {
                    row = row.rows("reasons", reasons(|reason| totals.ended(reason), false, |_| true));
                }
            }
            answer.push(row);
        }
        self.clear(order, &look).await?;
        found(order, "name", answer)
    }

    pub(super) async fn stat_vpn(&self, order: &AskOrder) -> Result<Answer, Problem> {
        let (look, base, counts) = (self.look().await?, self.base(), self.counts().await?);
        let totals = sum(&look, &base);
        let (now, before) = (self.tickets(), base.tickets);
        let row = Row::new()
            .number("curIcaConnections", totals.spliced)
            .number("totIcaConnections", counts.tally.connections.saturating_sub(base.tally.connections))
            .number("loginPageHits", self.login_pages.load(Relaxed).saturating_sub(base.login_pages))
            .number("staConnSucc", (now.asked - now.unreached).saturating_sub(before.asked - before.unreached))
            .number("staConnFail", now.unreached.saturating_sub(before.unreached))
            .number("staReqSent", now.asked.saturating_sub(before.asked))
            .number("staRespRecvd", now.answered.saturating_sub(before.answered))
            .number("ticketsRefused", now.refused.saturating_sub(before.refused))
            .number("hostsConnected", totals.hosts_connected)
            .number("hostsFailed", totals.hosts_failed)
            .rows("times", self.times(None).await?);
        self.clear(order, &look).await?;
        Ok(Answer::of(order.ask).row(row))
    }

    pub(super) async fn stat_aaa(&self, order: &AskOrder) -> Result<Answer, Problem> {
        let (look, base, counts) = (self.look().await?, self.base().tally, self.counts().await?);
        let tally = counts.tally;
        let since = |ends: &[End]| tally.ended(ends).saturating_sub(base.ended(ends));
        let row = Row::new()
            .number("authSucc", tally.logins_right.saturating_sub(base.logins_right))
            .number("authFails", tally.logins_wrong.saturating_sub(base.logins_wrong))
            .number("authThrottled", tally.logins_held_back.saturating_sub(base.logins_held_back))
            .count("totCurSess", counts.logins)
            .number("totSess", tally.logins_begun.saturating_sub(base.logins_begun))
            .number("totSessTo", since(&[End::Idle, End::Absolute]))
            .number("logouts", since(&[End::LoggedOut]))
            .number("killed", since(&[End::Killed, End::UserGone]))
            .number("replaced", since(&[End::Renewed, End::Crowded, End::Replaced]))
            .number("scansFailed", since(&[End::ScanFailed, End::ScanMissing]))
            .number("launchesTooLate", tally.launches_too_late.saturating_sub(base.launches_too_late))
            .count("curIcaConn", counts.connections);
        self.clear(order, &look).await?;
        Ok(Answer::of(order.ask).row(row))
    }

    pub(super) async fn stat_ssl(&self, order: &AskOrder) -> Result<Answer, Problem> {
        let look = self.look().await?;
        let totals = sum(&look, &self.base());
        let is_tls = |reason: Reason| {
            matches!(
                reason,
                Reason::ClientGone
                    | Reason::NotTls
                    | Reason::BadHello
                    | Reason::TlsRefused
                    | Reason::TlsTimeout
                    | Reason::TlsBroken
                    | Reason::TlsAlert
            )
        };
        let row = Row::new()
            .number("handshakes", totals.handshakes)
            .number("handshakesPerSecond", look.rates.handshakes)
            .number("handshakesFailed", totals.handshakes_failed)
            .number("resumed", totals.resumed)
            .number("postQuantum", totals.post_quantum)
            .number("recordsOpened", totals.records_opened)
            .number("recordsSealed", totals.records_sealed)
            .number("keyUpdates", totals.key_updates)
            .number("kernelSealing", totals.kernel_sealing)
            .number("kernelOpening", totals.kernel_opening)
            .number("kernelRefused", totals.kernel_refused)
            .number("upBytes", totals.up_bytes)
            .number("downBytes", totals.down_bytes)
            .rows("reasons", reasons(|reason| totals.ended(reason), order.has("detail"), is_tls));
        self.clear(order, &look).await?;
        Ok(Answer::of(order.ask).row(row))
    }

    pub(super) async fn stat_ns(&self, order: &AskOrder) -> Result<Answer, Problem> {
        let (look, book) = (self.look().await?, self.changes.book());
        let totals = sum(&look, &self.base());
        let room = look.workers.iter().filter_map(|worker| worker.report.as_ref()).map(|report| u64::from(report.sessions));
        let mut row = Row::new()
            .number("uptimeSeconds", look.up.as_secs())
            .number("uptimeMillis", u64::try_from(look.up.as_millis()).unwrap_or(u64::MAX))
            .number("sessions", totals.sessions)
            .number("sessionsMax", room.sum::<u64>())
            .number("rxBytesPerSecond", look.rates.up_bytes)
            .number("txBytesPerSecond", look.rates.down_bytes)
            .number("changes", book.done)
            .number("changesFailed", book.failed)
            .rows("reasons", reasons(|reason| totals.ended(reason), order.has("detail"), |_| true));
        if let Ok((memory, descriptors)) = self.helpers.change(process).await {
            row.set("memoryBytes", memory.map_or(Datum::None, Datum::Number));
            row.set("descriptors", descriptors.map_or(Datum::None, Datum::Number));
        }
        self.clear(order, &look).await?;
        Ok(Answer::of(order.ask).row(row))
    }
}

/// What `show vpn vserver` says about one beside its settings.
pub(super) fn vserver_live(row: &mut Row, world: &World, look: &Look) {
    let Datum::Text(name) = row.find("name") else { return };
    let Some((name, vserver)) = world.model.vservers.row(name) else { return };
    match world.listener(name.as_str()) {
        Some((id, address)) => {
            let totals = totals_of(look, id);
            row.set("curState", Datum::Text("UP".to_owned()));
            row.set("address", Datum::Text(address.to_string()));
            row.set("curSessions", Datum::Number(totals.sessions));
            row.set("curIcaConnections", Datum::Number(totals.spliced));
            row.set("totSessions", Datum::Number(totals.accepted));
        }
        None => {
            let why = if !world.model.features.ssl_vpn {
                "the feature SSLVPN is off"
            } else if !vserver.enabled {
                "it is disabled"
            } else {
                "it has no certificate"
            };
            row.set("curState", Datum::Text("DOWN".to_owned()));
            row.set("stateReason", Datum::Text(why.to_owned()));
        }
    }
}

fn totals_of(look: &Look, id: ListenerId) -> ListenerTotals {
    look.listeners.iter().find(|(listener, _)| *listener == id).map(|(_, totals)| totals.clone()).unwrap_or_default()
}

/// All workers together, since an operator last began anew.
fn sum(look: &Look, base: &Base) -> Totals {
    let mut sum = Totals::default();
    for (at, worker) in look.workers.iter().enumerate() {
        match base.workers.get(at) {
            Some(before) => sum.add(&worker.totals.since(before)),
            None => sum.add(&worker.totals),
        }
    }
    sum
}

/// Ends of sessions by reason: those that occurred, or all of them.
fn reasons(ended: impl Fn(Reason) -> u64, all: bool, wanted: impl Fn(Reason) -> bool) -> Vec<Row> {
    let row = |reason: Reason| {
        let blame = match reason.blame() {
            Blame::Nobody => "nobody",
            Blame::Client => "client",
            Blame::Host => "host",
            Blame::Sta => "sta",
            Blame::Operator => "operator",
            Blame::Gateway => "gateway",
        };
        Row::new()
            .text("code", format!("SG-{}", reason as u16))
            .text("reason", reason.word())
            .text("blame", blame)
            .number("sessions", ended(reason))
            .text("meaning", reason.meaning())
    };
    let shown = Reason::ALL.iter().copied().filter(|reason| wanted(*reason) && (all || ended(*reason) > 0));
    shown.map(row).collect()
}

/// An answer about one thing must have it.
fn found(order: &AskOrder, name: &str, answer: Answer) -> Result<Answer, Problem> {
    if answer.rows.is_empty() && order.has(name) {
        return Err(order.problem(name, Code::NoSuchResource, "there is none"));
    }
    Ok(answer)
}

/// Resident memory in bytes and open descriptors of this process, if the system says so.
fn process() -> (Option<u64>, Option<u64>) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    let descriptors = std::fs::read_dir("/proc/self/fd").ok().map(|all| all.count() as u64);
    (resident.map(|kib| kib * 1024), descriptors)
}
