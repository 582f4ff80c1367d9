//! What is asked of a user in the middle of an action: a new password, or a reply to a server.
//!
//! ```text
//!   MustChange ─► form ─► the two differ, or there is none ─► form again
//!                      └► LdapChange ─┬─ refused ───────────► form again
//!                                     └─ changed ─► the same policy is asked with the new password, which proves the user
//!   Challenge ──► form ─► Reply ─► as any other answer, perhaps the next challenge
//! ```
//!
//! Each time a form is shown again counts as a failed try.

use gate_config::expr::Typed;
use secrecy::SecretString;

use super::code::Code;
use super::event::{Denial, Step, Why};
use super::gathered::{is_empty, open};
use super::path::Outcome;
use super::place::Tried;
use super::question::{Ask, Challenge};
use super::state::{About, Challenged, Change, Round, State};
use super::view::{AGAIN, NEW, OLD, ViewKind};
use super::walk::{Move, Walk};

impl Walk<'_> {
    /// The password was right and must be changed.
    pub(super) fn must_change(&mut self, round: Round, one: &Tried<'_>, code: Code) -> Move {
        self.note(Some(one.name()), None, Outcome::PasswordAsked);
        if !self.core.may_show() {
            return self.deny(Denial::of(Why::Steps, Code::Unprocessable));
        }
        self.ask_new_password(round, code)
    }

    fn ask_new_password(&mut self, round: Round, code: Code) -> Move {
        let kind = ViewKind::ChangePassword { user: round.input.user.as_str().into() };
        let view = self.core.view(kind, Some(code));
        let shown = view.clone();
        Move::Rest(State::Change(Box::new(Change { view, round })), Step::Show(shown))
    }

    /// The form for a new password came back.
    pub(super) fn new_password(&mut self, change: Change, typed: &Typed) -> Move {
        let Change { round, .. } = change;
        let field = |wanted: &str| {
            let found = typed.fields.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| SecretString::from(value.as_str())).unwrap_or_default()
        };
        let (old, new, again) = (field(OLD), field(NEW), field(AGAIN));
        if open(&new) != open(&again) {
            return self.new_password_again(round, Code::Mismatch);
        }
        if is_empty(&new) {
            return self.new_password_again(round, Code::NewPassword);
        }
        let old = if is_empty(&old) { round.input.password.clone() } else { old };
        let setting = self.core.setting.clone();
        let tried = round.place.tried(&setting);
        let Some(one) = tried.get(round.at) else { return self.failed(round) };
        self.note(Some(one.name()), None, Outcome::Asked(one.action_name.as_str().into()));
        let ask = Ask::LdapChange { user: round.input.user.as_str().into(), old, new: new.clone() };
        self.ask(round, one, ask, About::Change(new))
    }

    /// The new password was not taken.
    pub(super) fn not_changed(&mut self, round: Round, one: &Tried<'_>, code: Code) -> Move {
        self.note(Some(one.name()), None, Outcome::PasswordRefused(code));
        self.new_password_again(round, code)
    }

    fn new_password_again(&mut self, round: Round, code: Code) -> Move {
        self.core.tries += 1;
        self.core.gathered.person.attempts = self.core.tries;
        if self.core.tries >= self.core.tries_max() {
            return self.deny(Denial::of(Why::Tries, code));
        }
        self.ask_new_password(round, code)
    }

    /// The new password was taken: from here on it is the password, and the directory is asked who that is.
    pub(super) fn changed(&mut self, mut round: Round, one: &Tried<'_>, new: SecretString) -> Move {
        self.note(Some(one.name()), None, Outcome::PasswordChanged);
        let user = round.input.user.as_str().into();
        round.input.password = new.clone();
        if !round.input.second {
            self.core.gathered.at_hand.password = new.clone();
        }
        self.note(Some(one.name()), None, Outcome::Asked(one.action_name.as_str().into()));
        self.ask(round, one, Ask::Ldap { user, password: Some(new) }, About::Secret)
    }

    /// A server asks back.
    pub(super) fn challenged(&mut self, round: Round, one: &Tried<'_>, challenge: Challenge) -> Move {
        self.note(Some(one.name()), None, Outcome::Challenged);
        if !self.core.may_show() {
            return self.deny(Denial::of(Why::Steps, Code::Unprocessable));
        }
        let view = self.core.view(ViewKind::Challenge { text: challenge.text.clone() }, None);
        let shown = view.clone();
        Move::Rest(State::Challenged(Box::new(Challenged { view, challenge, round })), Step::Show(shown))
    }

    /// The user has replied. That is a guess of its own.
    pub(super) fn reply(&mut self, challenged: Challenged, typed: Typed) -> Move {
        let Challenged { challenge, mut round, .. } = challenged;
        let setting = self.core.setting.clone();
        let tried = round.place.tried(&setting);
        let Some(one) = tried.get(round.at) else { return self.failed(round) };
        self.note(Some(one.name()), None, Outcome::Asked(one.action_name.as_str().into()));
        round.guessed = false;
        let ask = Ask::Reply { user: round.input.user.as_str().into(), reply: typed.password, state: challenge.state };
        self.ask(round, one, ask, About::Secret)
    }
}
