//! Logins that end, and what ends with them.

use std::time::Duration;

use gate_auth::sessions::{End, Login};
use gate_proto::audit::{Entry, Value};
use sluice_link::id::SessionKey;
use sluice_link::reason::Reason;
use tracing::info;

use super::Owner;
use crate::action::{LoginSeen, Took, WantedLogins};
use crate::running::Wanted;
use gate_auth::sessions::{Ended, plain};

impl Owner {
    /// Ends those logins, for an operator.
    pub(super) fn end_logins(&mut self, wanted: &WantedLogins, now: Duration) -> Took {
        self.logins.end_those(End::Killed, now, |login| wants(wanted, login));
        self.follow_ends(now)
    }

    /// Does what is to be done about logins that have ended since it was last called: nothing hangs on one that is over. Cheap if
    /// there are none.
    pub(super) fn follow_ends(&mut self, now: Duration) -> Took {
        let mut took = Took::default();
        for (login, end) in self.logins.take_ends() {
            took.logins += 1;
            took.connections += self.follow(&login, end, now);
        }
        took
    }

    fn follow(&mut self, login: &Login, end: End, now: Duration) -> usize {
        if let Some(count) = self.tally.logins_ended.get_mut(end.index()) {
            *count += 1;
        }
        self.watches.end(login.number);
        self.traces.session_ended(login.number, end);
        self.forget_guest(login);
        let mut keys = Vec::new();
        if end.ends_ica(self.rules.ica) {
            keys = self.launches.doom(login.number);
        }
        if end == End::Killed {
            keys.extend(self.unattached(login, now));
        }
        let reason = match end {
            End::Killed => Reason::Killed,
            End::LoggedOut
            | End::Renewed
            | End::Crowded
            | End::Idle
            | End::Absolute
            | End::ScanFailed
            | End::ScanMissing
            | End::UserGone
            | End::Replaced => Reason::LoginOver,
        };
        let connections = keys.len();
        self.doomed.extend(keys.into_iter().map(|key| (key, reason)));
        let (number, user, arrival) = (login.number, login.user(), &login.entry.arrival);
        let lasted = now.saturating_sub(login.began).as_secs();
        info!(login = number, user, client = %arrival.client, vserver = %arrival.vserver, reason = end.word(), connections, lasted_s = lasted, "login ended");
        let fields = vec![
            ("login", Value::Number(number)),
            ("user", Value::Text(user.to_owned())),
            ("client", Value::Text(arrival.client.to_string())),
            ("vserver", Value::Text(arrival.vserver.to_string())),
            ("reason", Value::Text(end.word().to_owned())),
            ("connections", Value::Number(connections as u64)),
        ];
        self.audit.note(Entry { event: "login-end", fields });
        connections
    }

    /// Running connections of the same user from the same address whose tickets somebody else got. An operator who ends a login means
    /// the user.
    fn unattached(&self, login: &Login, now: Duration) -> Vec<SessionKey> {
        if login.entry.identity.is_none() {
            return Vec::new();
        }
        let client = Some(login.entry.arrival.client.ip());
        let wanted = Wanted { user: Some(login.user().to_owned()), client, ..Wanted::default() };
        let found = self.launches.find(&wanted, now).filter(|running| running.launch.login.is_none());
        found.map(|running| running.key).filter(|key| !self.doomed.iter().any(|(other, _)| other == key)).collect()
    }

    pub(super) fn seen(&self, login: &Login) -> LoginSeen {
        let (user, domain) = match &login.entry.identity {
            Some(identity) => (identity.user.clone(), identity.domain.clone()),
            None => ("".into(), "".into()),
        };
        LoginSeen {
            number: login.number,
            user,
            domain,
            groups: login.entry.groups.clone(),
            arrival: login.entry.arrival.clone(),
            began: login.began,
            seen: login.seen,
            ends: login.ends(),
            connections: self.launches.running_of(login.number),
        }
    }
}

/// Whether it is one of the wanted.
pub(super) fn wants(wanted: &WantedLogins, login: &Login) -> bool {
    wanted.number.is_none_or(|number| number == login.number)
        && wanted.user.as_deref().is_none_or(|user| plain(user) == plain(login.user()))
        && wanted.group.as_ref().is_none_or(|group| login.is_in(group))
}

/// Whether it was. Groups are not remembered.
pub(super) fn wanted_ended(wanted: &WantedLogins, ended: &Ended) -> bool {
    wanted.number.is_none_or(|number| number == ended.number)
        && wanted.user.as_deref().is_none_or(|user| plain(user) == plain(&ended.user))
        && wanted.group.is_none()
}
