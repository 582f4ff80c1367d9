//! What somebody outside has said, and what it does to the round that waits for it.
//!
//! ```text
//!   Proven ─┬─ with a secret ─► he is the user, with his groups and attributes ─┬─► the factor is passed
//!           └─ looked up ─────► what is known of him counts if he is proven ────┘
//!   Wrong, Outage ───────────────► as any failure: perhaps the next policy
//!   MustChange, Challenge ───────► a dialogue with the user (dialogue.rs)
//!   Held, Locked ────────────────► the factor has failed, whoever else could be asked
//! ```

use gate_config::expr::GroupOrigin;
use gate_config::model::authentication::Action;

use super::code::Code;
use super::gathered::{Noted, Reserved, is_empty};
use super::grant::Sso;
use super::path::{Failure, Outcome};
use super::place::Tried;
use super::question::{Answer, Proven};
use super::state::{About, Asking, Round};
use super::walk::{Move, Walk};

impl Walk<'_> {
    /// Somebody has answered.
    pub(super) fn heard(&mut self, asking: Asking, answer: Answer) -> Move {
        let Asking { about, mut round, .. } = asking;
        let setting = self.core.setting.clone();
        let tried = round.place.tried(&setting);
        let Some(one) = tried.get(round.at) else { return self.failed(round) };
        let failure = match (answer, about) {
            (answer, About::Managing(doing)) => return self.managed(round, one, *doing, answer),
            (Answer::Devices(devices), About::Devices) => return self.show_devices(round, one, devices),
            (Answer::Proven(proven), About::Code) => return self.code_is_right(round, one, &proven),
            (Answer::NotCode(why), About::Code) => Failure::Code(why),
            // Answers to something that was not asked.
            (Answer::Devices(_) | Answer::Secret(_) | Answer::NotDone(_) | Answer::NotCode(_), _)
            | (Answer::Proven(_) | Answer::MustChange(_) | Answer::Challenge(_), About::Devices)
            | (Answer::MustChange(_) | Answer::Challenge(_), About::Code) => Failure::Said(Code::Unprocessable),
            (Answer::Proven(proven), About::Change(new)) => {
                drop(proven);
                return self.changed(round, one, new);
            }
            (Answer::Proven(proven), about @ (About::Secret | About::LookUp)) => {
                return self.proven(round, one, &proven, matches!(about, About::Secret));
            }
            (Answer::Outage(code, why), About::Change(_)) => {
                let failure = Failure::Outage(code, why);
                self.note(Some(one.name()), None, Outcome::Failed(one.action_name.as_str().into(), failure));
                return self.not_changed(round, one, code);
            }
            (Answer::Wrong(code) | Answer::MustChange(code), About::Change(_)) => return self.not_changed(round, one, code),
            (Answer::Challenge(_), About::Change(_)) => return self.not_changed(round, one, Code::NotChanged),
            (Answer::Challenge(challenge), About::Secret) => return self.challenged(round, one, challenge),
            (Answer::MustChange(code), About::Secret) => {
                if matches!(one.action, Action::Ldap(ldap) if ldap.password_change) {
                    return self.must_change(round, one, code);
                }
                Failure::ChangeNotAllowed
            }
            (Answer::MustChange(_) | Answer::Challenge(_), About::LookUp) => Failure::Said(Code::Unprocessable),
            (Answer::Wrong(code), About::Secret | About::LookUp | About::Code | About::Devices) => Failure::Said(code),
            (Answer::Outage(code, why), About::Secret | About::LookUp | About::Code | About::Devices) => {
                Failure::Outage(code, why)
            }
            // Who is held back or locked is so whoever would be asked.
            (Answer::Held(time), _) => {
                self.note(Some(one.name()), None, Outcome::Failed(one.action_name.as_str().into(), Failure::Held(time)));
                round.failure = Some(Code::TryLater);
                return self.failed_for(round, Some(time));
            }
            (Answer::Locked, _) => {
                self.note(Some(one.name()), None, Outcome::Failed(one.action_name.as_str().into(), Failure::Locked));
                round.failure = Some(Code::Locked);
                return self.failed(round);
            }
        };
        if self.after(&mut round, &tried, one, None, failure) { Move::Try(Box::new(round)) } else { self.failed(round) }
    }

    /// A user has proven who he is, or was looked up.
    fn proven(&mut self, round: Round, one: &Tried<'_>, proven: &Proven, secret: bool) -> Move {
        self.note(Some(one.name()), None, Outcome::Succeeded(one.action_name.as_str().into()));
        let origin = if matches!(one.action, Action::Local) { GroupOrigin::Local } else { GroupOrigin::Directory };
        let model = &self.core.setting.model;
        let reserved =
            if proven.groups.is_empty() { Reserved::default() } else { Reserved::of(&model.authentication, &model.sessions) };
        let asked = &round.input.user;
        if secret {
            let noted = self.core.gathered.prove(asked, proven, origin, &reserved);
            self.core.code_was_right &= !noted.identity_changed;
            self.identified(one, noted);
        } else {
            let noted = self.core.gathered.look_up(asked, proven, origin, &reserved);
            self.found(noted, origin);
        }
        self.passed(round, one, Some(proven))
    }

    /// A code was right. Where somebody has proven who he is, it is his, and says no more of who he is; else it is what proves it.
    fn code_is_right(&mut self, round: Round, one: &Tried<'_>, proven: &Proven) -> Move {
        self.core.code_was_right = true;
        let confirms = self.core.gathered.identity.is_some();
        self.proven(round, one, proven, !confirms)
    }

    /// Writes down who it is now.
    pub(super) fn identified(&mut self, one: &Tried<'_>, noted: Noted) {
        let identity = self.core.gathered.identity.as_ref().map(|identity| (identity.user.clone(), identity.is_local));
        let Some((user, is_local)) = identity else { return };
        let outcome = if noted.identity_changed { Outcome::IdentityChanged(user) } else { Outcome::Identified(user) };
        self.note(Some(one.name()), None, outcome);
        self.found(noted, if is_local { GroupOrigin::Local } else { GroupOrigin::Directory });
    }

    /// Writes down what came of what was said about a user.
    pub(super) fn found(&mut self, noted: Noted, origin: GroupOrigin) {
        if noted.look_up_dropped {
            self.note(None, None, Outcome::LookUpDropped);
        }
        if noted.groups.added > 0 {
            self.note(None, None, Outcome::Groups(noted.groups.added, origin));
        }
        for group in noted.groups.reserved {
            self.note(None, None, Outcome::GroupReserved(group));
        }
        if noted.groups.dropped > 0 {
            self.note(None, None, Outcome::GroupsDropped(noted.groups.dropped));
        }
    }

    /// The factor is passed.
    pub(super) fn passed(&mut self, round: Round, one: &Tried<'_>, proven: Option<&Proven>) -> Move {
        if let Some(group) = one.action.default_group()
            && self.core.gathered.add_group(group.as_str(), GroupOrigin::Default)
        {
            self.note(Some(one.name()), None, Outcome::Groups(1, GroupOrigin::Default));
        }
        let schemas = &self.core.setting.model.authentication.schemas;
        let schema = round.schema.as_ref().and_then(|name| schemas.find(name.as_str()));
        let (strength, wanted) = schema.map_or((0, false), |schema| (schema.strength, schema.sso_credentials));
        let gathered = &mut self.core.gathered;
        gathered.person.strength = gathered.person.strength.max(strength);
        // A factor that looks somebody up, or goes on with a form's password without checking it, has no credentials of its own; and a code
        // is good once, so that nobody can use it again.
        let checks_codes = matches!(one.action, Action::Ldap(ldap) if ldap.codes().is_some());
        if (round.guessed || round.form.is_some()) && !checks_codes && !is_empty(&round.input.password) {
            let said = proven.and_then(|proven| proven.sso_user.clone().or_else(|| Some(proven.user.clone())));
            let user = said.filter(|user| !user.is_empty()).unwrap_or_else(|| round.input.user.clone());
            let said = proven.map(|proven| proven.domain.clone()).filter(|domain| !domain.is_empty());
            let domain = said.unwrap_or_else(|| round.input.domain.clone());
            let credentials = Sso { user: user.into(), domain: domain.into(), password: round.input.password.clone() };
            gathered.use_for_sso(credentials, wanted);
        }
        Self::onward(one.next.clone())
    }
}
