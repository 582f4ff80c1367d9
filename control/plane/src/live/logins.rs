//! Why logins went as they did, and who is locked out.

use std::collections::BTreeSet;
use std::time::Duration;

use gate_auth::login::Realm;
use gate_auth::sessions::End;
use gate_config::answer::{Answer, Datum, Row};
use gate_config::order::AskOrder;
use gate_config::problem::Problem;
use gate_config::text::time::Utc;

use super::sessions::no_owner;
use super::{Live, ROWS_MAX, dry, more, now};
use crate::action::Action;
use crate::login::trace::{Trace, TraceResult, WantedTraces};

impl Live {
    pub(super) async fn traces(&self, order: &AskOrder, warnings: &mut Vec<Problem>) -> Result<Answer, Problem> {
        let wanted = WantedTraces {
            number: order.number("number"),
            user: order.text("userName").map(str::to_owned),
            vserver: order.text("vserver").map(str::to_owned),
        };
        let found = self.owner.ask(|reply| Action::Traces { wanted, at_most: ROWS_MAX, reply }).await.map_err(no_owner)?;
        warnings.extend(more(found.rows.len(), found.total));
        let wall = now();
        let mut answer = Answer::of(order.ask);
        for trace in &found.rows {
            let age = found.now.saturating_sub(trace.began);
            let began = wall.checked_sub(age).map(|began| Utc::from(began).to_string());
            answer.push(row(trace).maybe("began", began).number("ageSeconds", age.as_secs()));
        }
        Ok(answer)
    }

    /// Wherever he may have failed: at authentication virtual servers, and at virtual servers without any.
    pub(super) async fn unlock_user(&self, order: &AskOrder) -> Result<Answer, Problem> {
        let world = self.world()?;
        let factors = world.model.authentication.vservers.names().map(|name| Realm::Authentication(name.as_str().into()));
        let own = world.model.vservers.names().map(|name| Realm::Vserver(name.as_str().into()));
        let realms: BTreeSet<Realm> = factors.chain(own).collect();
        let (user, realms) = (order.text("userName").unwrap_or_default().to_owned(), realms.into_iter().collect());
        let unlocked = self.owner.ask(|reply| Action::Unlock { user, realms, reply }).await.map_err(no_owner)?;
        Ok(Answer::of(order.ask).row(Row::new().count("unlocked", unlocked)))
    }
}

fn row(trace: &Trace) -> Row {
    let decisions = trace
        .decisions
        .iter()
        .map(|decision| dry::decided(decision).number("afterMillis", millis(decision.at.saturating_sub(trace.began))));
    let row = Row::new()
        .number("number", trace.number)
        .text("vserver", &*trace.vserver)
        .text("client", trace.client.to_string())
        .maybe("userName", trace.user.as_deref())
        .number("leftOut", trace.left_out)
        .with("lastedMillis", trace.ended.map_or(Datum::None, |ended| Datum::Number(millis(ended.saturating_sub(trace.began)))))
        .rows("decisions", decisions.collect());
    match trace.result {
        TraceResult::UnderWay => row.text("outcome", "UNDER WAY"),
        TraceResult::Granted(session) => row
            .text("outcome", "GRANTED")
            .number("sessionNumber", session)
            .maybe("sessionEnd", trace.session_end.map(End::meaning)),
        TraceResult::NotEntered => row.text("outcome", "NOT ENTERED"),
        TraceResult::Refused(why, code) => {
            row.text("outcome", "REFUSED").text("reason", format!("{why} ({} {})", code.number(), code.meaning()))
        }
        TraceResult::Expired => row.text("outcome", "EXPIRED"),
        TraceResult::Displaced => row.text("outcome", "DISPLACED"),
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
