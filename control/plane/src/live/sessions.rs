//! Who is in: ICA connections and portal logins, shown and ended.

use std::time::Duration;

use gate_config::answer::{Answer, Row};
use gate_config::code::Code;
use gate_config::order::AskOrder;
use gate_config::problem::Problem;
use sluice_link::id::{LaunchId, SessionKey};
use sluice_link::reason::Reason;

use super::{Live, ROWS_MAX, more};
use crate::action::{Action, Took, WantedLogins};
use crate::change::problem;
use crate::running::Wanted;
use crate::turn::Order;

impl Live {
    pub(super) async fn ica_connections(&self, order: &AskOrder, warnings: &mut Vec<Problem>) -> Result<Answer, Problem> {
        let mut answer = Answer::of(order.ask);
        // Nothing here runs over UDP, nor on another node.
        let Some(wanted) = wanted(order)? else { return Ok(answer) };
        let found = self.owner.ask(|reply| Action::Connections { wanted, at_most: ROWS_MAX, reply }).await.map_err(no_owner)?;
        let keys: Vec<SessionKey> = found.rows.iter().map(|running| running.key).collect();
        let traffic = self.order(|reply| Order::Traffic { keys, reply }).await?;
        warnings.extend(more(found.rows.len(), found.total));
        for (running, traffic) in found.rows.into_iter().zip(traffic) {
            let launch = running.launch;
            let mut row = Row::new()
                .text("id", running.id.0.to_string())
                .text("userName", launch.user)
                .text("domain", launch.domain)
                .text("vserver", &*launch.vserver)
                .text("srcIp", launch.client.ip().to_canonical().to_string())
                .number("srcPort", launch.client.port())
                .text("destIp", launch.host.ip().to_canonical().to_string())
                .number("destPort", launch.host.port())
                .text("transProto", "TCP")
                .number("worker", running.key.worker.0)
                .text("sta", launch.sta)
                .maybe("sessionKey", launch.login.map(|login| login.to_string()).as_deref())
                .number("ageSeconds", found.now.saturating_sub(running.since).as_secs());
            if let Some(secured) = running.secured {
                row = row
                    .text("tlsVersion", if secured.tls13 { "TLSv1.3" } else { "TLSv1.2" })
                    .text("cipherSuite", secured.suite)
                    .flag("postQuantum", secured.post_quantum);
            }
            if let Some(traffic) = traffic {
                let idle = found.now.saturating_sub(Duration::from_nanos(traffic.last.0));
                row = row
                    .number("idleSeconds", idle.as_secs())
                    .number("upBytes", traffic.up_bytes)
                    .number("downBytes", traffic.down_bytes);
            }
            answer.push(row);
        }
        Ok(answer)
    }

    pub(super) async fn kill_ica_connections(&self, order: &AskOrder) -> Result<Answer, Problem> {
        some_argument(order, &["userName", "TransProto", "nodeId", "id", "vserver", "olderThan", "all"])?;
        let killed = match wanted(order)? {
            Some(wanted) => self.kill(wanted).await?,
            None => 0,
        };
        if killed == 0 && order.has("id") {
            return Err(order.problem("id", Code::NoSuchResource, "no ICA connection has this id"));
        }
        Ok(Answer::of(order.ask).row(Row::new().count("killed", killed)))
    }

    /// Ends the ICA connections that are wanted; how many those were.
    async fn kill(&self, wanted: Wanted) -> Result<usize, Problem> {
        let all = usize::MAX;
        let found = self.owner.ask(|reply| Action::Connections { wanted, at_most: all, reply }).await.map_err(no_owner)?;
        let keys = found.rows.iter().map(|running| (running.key, Reason::Killed)).collect();
        self.order(|reply| Order::Kill { keys, reply }).await
    }

    pub(super) async fn aaa_sessions(&self, order: &AskOrder, warnings: &mut Vec<Problem>) -> Result<Answer, Problem> {
        let mut answer = Answer::of(order.ask);
        if is_elsewhere(order) {
            return Ok(answer);
        }
        let wanted = wanted_logins(order, false)?;
        if order.has("ended") {
            return self.ended_sessions(wanted, answer, warnings).await;
        }
        let found = self.owner.ask(|reply| Action::Logins { wanted, at_most: ROWS_MAX, reply }).await.map_err(no_owner)?;
        warnings.extend(more(found.rows.len(), found.total));
        for login in found.rows {
            let (age, idle) = (found.now.saturating_sub(login.began), found.now.saturating_sub(login.seen));
            let left = login.ends.saturating_sub(found.now);
            answer.push(
                Row::new()
                    .text("sessionKey", login.number.to_string())
                    .text("userName", &*login.user)
                    .text("domain", &*login.domain)
                    .list("groups", login.groups.iter().map(|group| group.name.clone()))
                    .text("publicIp", login.arrival.client.ip().to_canonical().to_string())
                    .number("publicPort", login.arrival.client.port())
                    .text("vserver", &*login.arrival.vserver)
                    .number("ageSeconds", age.as_secs())
                    .number("idleSeconds", idle.as_secs())
                    .number("expiresSeconds", left.as_secs())
                    .count("icaConnections", login.connections),
            );
        }
        Ok(answer)
    }

    /// Those that are over, and why.
    async fn ended_sessions(
        &self,
        wanted: WantedLogins,
        mut answer: Answer,
        warnings: &mut Vec<Problem>,
    ) -> Result<Answer, Problem> {
        let asked = self.owner.ask(|reply| Action::EndedLogins { wanted, at_most: ROWS_MAX, reply }).await;
        let found = asked.map_err(no_owner)?;
        warnings.extend(more(found.rows.len(), found.total));
        for ended in found.rows {
            answer.push(
                Row::new()
                    .text("sessionKey", ended.number.to_string())
                    .text("userName", &*ended.user)
                    .text("publicIp", ended.arrival.client.ip().to_canonical().to_string())
                    .number("publicPort", ended.arrival.client.port())
                    .text("vserver", &*ended.arrival.vserver)
                    .number("ageSeconds", found.now.saturating_sub(ended.began).as_secs())
                    .number("endedSeconds", found.now.saturating_sub(ended.at).as_secs())
                    .text("endReason", ended.end.word())
                    .text("endMeaning", ended.end.meaning()),
            );
        }
        Ok(answer)
    }

    /// Ends logins, and with them the ICA connections that were launched with them.
    pub(super) async fn kill_aaa_sessions(&self, order: &AskOrder) -> Result<Answer, Problem> {
        some_argument(order, &["userName", "groupName", "sessionKey", "nodeId", "all"])?;
        let took = if is_elsewhere(order) {
            Took::default()
        } else {
            let wanted = wanted_logins(order, true)?;
            self.owner.ask(|reply| Action::EndLogins { wanted, reply }).await.map_err(no_owner)?
        };
        if took.logins == 0 && order.has("sessionKey") {
            return Err(order.problem("sessionKey", Code::NoSuchResource, "no session has this key"));
        }
        Ok(Answer::of(order.ask).row(Row::new().count("killed", took.logins).count("icaConnectionsKilled", took.connections)))
    }
}

pub(super) fn no_owner(gone: crate::action::NoOwner) -> Problem {
    problem(Code::InUse, "", gone.to_string())
}

/// Which ICA connections; `None` if there can be none.
fn wanted(order: &AskOrder) -> Result<Option<Wanted>, Problem> {
    if is_elsewhere(order) || order.text("TransProto") == Some("UDP") {
        return Ok(None);
    }
    let id = match order.text("id").map(str::parse) {
        Some(Ok(number)) => Some(LaunchId(number)),
        Some(Err(_)) => return Err(order.problem("id", Code::NoSuchResource, "ids are numbers")),
        None => None,
    };
    Ok(Some(Wanted {
        id,
        user: order.text("userName").map(str::to_owned),
        vserver: order.text("vserver").map(str::to_owned),
        client: None,
        login: None,
        older_than: order.number("olderThan").map(Duration::from_secs),
    }))
}

fn wanted_logins(order: &AskOrder, by_key: bool) -> Result<WantedLogins, Problem> {
    let number = match by_key.then(|| order.text("sessionKey")).flatten().map(str::parse) {
        Some(Ok(number)) => Some(number),
        Some(Err(_)) => return Err(order.problem("sessionKey", Code::NoSuchResource, "no session has this key")),
        None => None,
    };
    let (user, group) = (order.text("userName").map(str::to_owned), order.text("groupName").map(str::to_owned));
    Ok(WantedLogins { number, user, group })
}

/// There is one node, 0.
fn is_elsewhere(order: &AskOrder) -> bool {
    order.number("nodeId").is_some_and(|node| node != 0)
}

/// A `kill` that names nothing is a slip, not a wish to end everything.
fn some_argument(order: &AskOrder, names: &[&str]) -> Result<(), Problem> {
    if names.iter().any(|name| order.has(name)) {
        return Ok(());
    }
    let mut slip = problem(Code::ArgumentMissing, order.ask.words, "nothing says which".to_owned());
    slip.cure = Some(format!("{} -all ends all of them", order.ask.words));
    Err(slip)
}
