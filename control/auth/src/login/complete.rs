//! All factors are passed: what has to be true of the whole login.
//!
//! ```text
//!   what was merely looked up is forgotten ─► session settings ─► -clientSecurity: look at the client, once
//!        ─► -allowedLoginGroups ─► Granted
//! ```
//!
//! A login in which nobody proved who he is becomes a session of nobody: groups and settings, but no name, no password.

use gate_config::expr::GroupOrigin;
use gate_config::model::Asked;
use gate_config::model::session::{SessionSettings, WhichCredential};

use super::code::Code;
use super::event::{Denial, Step, Why};
use super::gathered::WhichSso;
use super::grant::{Grant, Identity};
use super::orders::Orders;
use super::path::Outcome;
use super::place::Place;
use super::state::{Purpose, State};
use super::walk::{Move, Walk};

impl Walk<'_> {
    pub(super) fn complete(&mut self) -> Move {
        if self.core.for_devices {
            return self.deny(Denial::of(Why::NoDevices, Code::Unprocessable));
        }
        if self.core.gathered.settle() {
            self.note(None, None, Outcome::LookUpDropped);
        }
        let settings = self.settings();
        if let Some(wanted) = settings.client_security.as_ref().filter(|_| !self.core.looked_at) {
            self.core.looked_at = true;
            match wanted.asked() {
                Asked::Client(expression) => {
                    let expression = expression.clone();
                    let strings = expression.asked(&self.core.setting.model.names).into_iter().map(Into::into).collect();
                    return self.ask_client(strings, Orders::default(), Purpose::Session { expression });
                }
                Asked::Always(complies) => return self.looked(*complies),
                Asked::Cannot(_) => {
                    self.note(None, None, Outcome::ClientSecurityUnreadable);
                    return self.looked(false);
                }
            }
        }
        if let Some(allowed) = &settings.allowed_login_groups
            && !self.is_in_one_of(allowed)
        {
            self.note(None, None, Outcome::NotAllowed);
            return self.deny(Denial::of(Why::Groups, Code::NoPermission));
        }
        self.note(None, None, Outcome::Granted);
        let grant = self.grant(settings);
        self.core.gathered.wipe();
        let denial = Denial::of(Why::Finished, Code::Unprocessable);
        Move::Rest(State::Over(denial), Step::Granted(Box::new(grant)))
    }

    /// The client was looked at since session settings want it.
    pub(super) fn looked(&mut self, complies: bool) -> Move {
        let settings = self.settings();
        let log = settings.client_security_log.unwrap_or_default();
        self.note(None, None, Outcome::ClientSecurity { complies, log });
        if complies {
            if let Some(group) = &settings.smart_group {
                self.core.gathered.add_group(group, GroupOrigin::Epa);
            }
            return Move::Complete;
        }
        let Some(group) = &settings.client_security_group else {
            let (message, lack) = (settings.client_security_message, self.core.lack.take());
            return self.deny(Denial { message, lack, ..Denial::of(Why::Scan, Code::Device) });
        };
        self.core.gathered.quarantined = true;
        self.core.gathered.add_group(group, GroupOrigin::Quarantine);
        self.note(None, None, Outcome::Quarantined(group.clone()));
        Move::Complete
    }

    /// What holds for the session, as far as is known now.
    fn settings(&self) -> SessionSettings {
        let facts = self.core.facts(self.request);
        let gathered = &self.core.gathered;
        let user = gathered.identity.as_ref().map(|identity| &*identity.user);
        let setting = &self.core.setting;
        setting.model.session_settings(&setting.vserver, user, &gathered.person.groups, &facts)
    }

    fn is_in_one_of(&self, allowed: &str) -> bool {
        let groups = &self.core.gathered.person.groups;
        allowed
            .split(',')
            .map(str::trim)
            .any(|allowed| groups.iter().any(|group| group.name.to_lowercase() == allowed.to_lowercase()))
    }

    fn grant(&mut self, settings: SessionSettings) -> Grant {
        let which = match (self.core.cascade || matches!(self.core.setting.first(), Place::Classic(_)), settings.sso_credential) {
            (false, _) => WhichSso::Last,
            (true, None | Some(WhichCredential::Primary)) => WhichSso::First,
            (true, Some(WhichCredential::Secondary)) => WhichSso::Second,
        };
        let periodic = self.core.periodic.take();
        let gathered = &mut self.core.gathered;
        let identity = gathered.identity.clone().map(|identity| {
            let domain = Some(&*identity.domain).filter(|domain| !domain.is_empty());
            let domain = domain.or(settings.nt_domain.as_deref()).unwrap_or_default().into();
            Identity { domain, ..identity }
        });
        let sso = gathered.sso(which).filter(|_| identity.is_some());
        Grant {
            identity,
            groups: std::mem::take(&mut gathered.person.groups),
            attributes: gathered.take_attributes(),
            strength: gathered.person.strength,
            sso,
            periodic,
            quarantined: gathered.quarantined,
            settings,
        }
    }
}
