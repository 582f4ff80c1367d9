//! Who is in: ICA connections and portal logins, shown and ended.

use std::time::Duration;

use gate_auth::sessions::Limits;
use gate_config::answer::{Answer, Row};
use gate_config::code::Code;
use gate_config::order::AskOrder;
use gate_config::problem::Problem;
use sluice_link::id::{LaunchId, SessionKey};

use super::{Live, ROWS_MAX, more};
use crate::action::{Action, LoginSeen, WantedLogins};
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
                .number("ageSeconds", found.now.saturating_sub(running.since).as_secs());
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
        let keys = found.rows.iter().map(|running| running.key).collect();
        self.order(|reply| Order::Kill { keys, reply }).await
    }

    pub(super) async fn aaa_sessions(&self, order: &AskOrder, warnings: &mut Vec<Problem>) -> Result<Answer, Problem> {
        let mut answer = Answer::of(order.ask);
        if is_elsewhere(order) {
            return Ok(answer);
        }
        let wanted = wanted_logins(order, false)?;
        let found = self.owner.ask(|reply| Action::Logins { wanted, at_most: ROWS_MAX, reply }).await.map_err(no_owner)?;
        warnings.extend(more(found.rows.len(), found.total));
        let limits = Limits::default();
        for login in found.rows {
            let (age, idle) = (found.now.saturating_sub(login.began), found.now.saturating_sub(login.seen));
            let left = limits.idle.saturating_sub(idle).min(limits.absolute.saturating_sub(age));
            answer.push(
                Row::new()
                    .text("sessionKey", login.number.to_string())
                    .text("userName", &*login.user)
                    .text("domain", &*login.domain)
                    .list("groups", login.groups.iter().cloned())
                    .text("publicIp", login.arrival.client.ip().to_canonical().to_string())
                    .number("publicPort", login.arrival.client.port())
                    .text("vserver", &*login.arrival.vserver)
                    .number("ageSeconds", age.as_secs())
                    .number("idleSeconds", idle.as_secs())
                    .number("expiresSeconds", left.as_secs()),
            );
        }
        Ok(answer)
    }

    /// Ends logins, and with them the ICA connections of the same users from the same addresses. A user who logs out ends the
    /// login only.
    pub(super) async fn kill_aaa_sessions(&self, order: &AskOrder) -> Result<Answer, Problem> {
        some_argument(order, &["userName", "groupName", "sessionKey", "nodeId", "all"])?;
        let ended = if is_elsewhere(order) {
            Vec::new()
        } else {
            let wanted = wanted_logins(order, true)?;
            self.owner.ask(|reply| Action::EndLogins { wanted, reply }).await.map_err(no_owner)?
        };
        if ended.is_empty() && order.has("sessionKey") {
            return Err(order.problem("sessionKey", Code::NoSuchResource, "no session has this key"));
        }
        let mut connections = 0;
        let mut seen: Vec<(&str, std::net::IpAddr)> = Vec::new();
        for LoginSeen { user, arrival, .. } in &ended {
            let whose = (&**user, arrival.client.ip());
            if !seen.contains(&whose) {
                seen.push(whose);
                let wanted = Wanted { user: Some(user.to_string()), client: Some(arrival.client.ip()), ..Wanted::default() };
                connections += self.kill(wanted).await?;
            }
        }
        Ok(Answer::of(order.ask).row(Row::new().count("killed", ended.len()).count("icaConnectionsKilled", connections)))
    }
}

fn no_owner(gone: crate::action::NoOwner) -> Problem {
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
