//! Sessions that begin and end, as the log and the audit log have them.

use std::time::Duration;

use gate_proto::audit::{Entry, Value};
use sluice_link::ask::{Closed, Opened};
use sluice_link::reason::Reason;
use tracing::info;

use super::Owner;

impl Owner {
    pub(super) fn opened(&mut self, opened: &Opened, now: Duration) {
        self.latencies.record(opened);
        self.times_shown.record(opened);
        let Some(begun) = self.launches.opened(opened, now) else { return };
        let launch = begun.launch;
        info!(
            event = "ICASTART",
            connection = opened.launch.0,
            session = %opened.key,
            login = launch.login,
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
        let fields = vec![
            ("connection", Value::Number(opened.launch.0)),
            ("login", Value::Number(launch.login.unwrap_or_default())),
            ("user", Value::Text(launch.user.clone())),
            ("client", Value::Text(launch.client.to_string())),
            ("vserver", Value::Text(launch.vserver.to_string())),
            ("host", Value::Text(launch.host.to_string())),
            ("resource", Value::Text(launch.resource.clone())),
        ];
        self.audit.note(Entry { event: "session", fields });
        if begun.is_doomed {
            self.doomed.push((opened.key, Reason::LoginOver));
        }
    }

    pub(super) fn closed(&mut self, closed: &Closed) {
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
            login = launch.login,
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
        let fields = vec![
            ("connection", Value::Number(closed.launch.map_or(0, |id| id.0))),
            ("login", Value::Number(launch.login.unwrap_or_default())),
            ("user", Value::Text(launch.user)),
            ("client", Value::Text(launch.client.to_string())),
            ("reason", Value::Text(closed.reason.word().to_owned())),
            ("upBytes", Value::Number(closed.up_bytes)),
            ("downBytes", Value::Number(closed.down_bytes)),
            ("seconds", Value::Number(closed.lived.as_secs())),
        ];
        self.audit.note(Entry { event: "session-end", fields });
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The enum's representation is its stable code.
fn code(reason: Reason) -> u16 {
    reason as u16
}
