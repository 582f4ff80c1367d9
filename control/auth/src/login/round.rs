//! One round through the policies of a factor, with one set of credentials.
//!
//! ```text
//!   policy ─ rule false or undefined ─────────────────────► the next policy
//!          ─ rule true ─► action ─┬─ success ─────────────► the factor is passed; what is behind is not looked at
//!                                 ├─ somebody is asked ───► Asking, and then one of the others
//!                                 └─ failure ─ goto ─┬────► another policy
//!                                                    └────► the factor has failed
//!   no rule was true ─────────────────────────────────────► the factor has failed
//! ```

use gate_config::expr::{GroupOrigin, Typed};
use gate_config::model::authentication::{Action, Factor, Goto, Ldap, LoginSchema, Served};
use gate_config::model::{AskedAt, SchemaName};
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::code::Code;
use super::event::{Denial, Step, Why};
use super::gathered::{self, Reserved, is_empty};
use super::path::{Failure, Outcome, Rule, Where};
use super::place::{Place, Tried};
use super::question::{Ask, NotCode, Proven, Question};
use super::state::{About, Asking, Form, Input, Round, State};
use super::walk::{Move, Walk, built_in, needs_form};
use crate::totp;
use crate::users::canonical;

/// What an action came to.
enum Ran {
    /// It succeeded; nobody had to be asked.
    Succeeded,
    /// It succeeded, and this is known of a user who was looked up.
    Found(Box<Proven>),
    /// Somebody is to be asked.
    Ask(Ask, About),
    /// The client is to show a certificate, there.
    Certificate(AskedAt),
    /// It failed.
    Failed(Failure),
}

impl Walk<'_> {
    /// A form came back.
    pub(super) fn round_of(&mut self, form: Box<Form>, typed: Typed) -> Round {
        let (place, schema) = (form.place.clone(), form.schema.clone());
        self.round(place, schema, Some(form), Some(typed))
    }

    /// A factor without a form goes on with what is there, or with what was posted before anything was shown.
    pub(super) fn round_without_form(&mut self, place: Place, schema: Option<SchemaName>, early: Option<Box<Typed>>) -> Round {
        self.round(place, schema, None, early.map(|typed| *typed))
    }

    fn round(&mut self, place: Place, schema: Option<SchemaName>, form: Option<Box<Form>>, typed: Option<Typed>) -> Round {
        let setting = self.core.setting.clone();
        let drawn = schema.as_ref().and_then(|name| setting.model.authentication.schemas.find(name.as_str()));
        let input = match typed {
            Some(typed) => self.entered(drawn, typed),
            None => self.at_hand(drawn, &place),
        };
        let at = form.as_ref().map_or(0, |form| form.from);
        Round { place, at, form, schema, input, failure: None, applied: false, guessed: false }
    }

    /// What was entered, where the login schema says that it is.
    fn entered(&mut self, schema: Option<&LoginSchema>, typed: Typed) -> Input {
        self.core.gathered.form = typed;
        let facts = self.core.facts(self.request);
        let typed = facts.typed;
        let user = match schema.and_then(|schema| schema.user.as_ref()) {
            Some(expression) => expression.text(&facts).unwrap_or_default().trim().to_owned(),
            None if typed.username.trim().is_empty() => self.core.gathered.user_at_hand().to_owned(),
            None => typed.username.trim().to_owned(),
        };
        let password = match schema.and_then(|schema| schema.password.as_ref()) {
            Some(expression) => secret(expression.text(&facts)),
            None => typed.password.clone(),
        };
        let (domain, second) = (typed.domain.trim().to_owned(), typed.password2.clone());
        let gathered = &mut self.core.gathered;
        gathered.person.login_name.clone_from(&user);
        if !domain.is_empty() {
            gathered.person.domain.clone_from(&domain);
        }
        if let Some(number) = schema.and_then(|schema| schema.user_index) {
            gathered.set_attribute(number, &user);
        }
        if let Some(number) = schema.and_then(|schema| schema.password_index) {
            gathered.set_attribute(number, gathered::open(&password));
        }
        gathered.at_hand = gathered::AtHand { user: user.clone(), domain: domain.clone(), password: password.clone(), second };
        Input { user, domain, password, second: false }
    }

    /// What is there without a form. The second password of a form with two belongs to the next factor that checks one.
    fn at_hand(&self, schema: Option<&LoginSchema>, place: &Place) -> Input {
        let facts = self.core.facts(self.request);
        let there = &self.core.gathered.at_hand;
        let user = match schema.and_then(|schema| schema.user.as_ref()) {
            Some(expression) => expression.text(&facts).unwrap_or_default().trim().to_owned(),
            None => self.core.gathered.user_at_hand().to_owned(),
        };
        let (password, second) = match schema.and_then(|schema| schema.password.as_ref()) {
            Some(expression) => (secret(expression.text(&facts)), false),
            None if place.is_secondary() || !is_empty(&there.second) => (there.second.clone(), true),
            None => (there.password.clone(), false),
        };
        Input { user, domain: there.domain.clone(), password, second }
    }

    /// Tries policies until one of them has succeeded, somebody must be asked, or the factor has failed.
    pub(super) fn try_policies(&mut self, mut round: Box<Round>) -> Move {
        let setting = self.core.setting.clone();
        let tried = round.place.tried(&setting);
        while let Some(one) = tried.get(round.at) {
            let rule = self.rule(one);
            match rule {
                Rule::True => {}
                Rule::False | Rule::Undefined => {
                    self.note(Some(one.name()), Some(rule), Outcome::NotApplicable);
                    round.at += 1;
                    continue;
                }
            }
            round.applied = true;
            if self.lacks_form(&round, one) {
                return self.show_form(*round);
            }
            match self.carry_out(one, &round) {
                Ran::Succeeded => {
                    self.note(Some(one.name()), Some(rule), Outcome::Succeeded(one.action_name.as_str().into()));
                    return self.passed(*round, one, None);
                }
                Ran::Found(proven) => {
                    self.note(Some(one.name()), Some(rule), Outcome::Succeeded(one.action_name.as_str().into()));
                    let noted = self.core.gathered.look_up(&round.input.user, &proven, GroupOrigin::Local, &Reserved::default());
                    self.found(noted, GroupOrigin::Local);
                    return self.passed(*round, one, Some(&proven));
                }
                Ran::Ask(ask, about) => {
                    self.note(Some(one.name()), Some(rule), Outcome::Asked(one.action_name.as_str().into()));
                    return self.ask(*round, one, ask, about);
                }
                Ran::Certificate(at) => {
                    self.note(Some(one.name()), Some(rule), Outcome::CertificateAsked);
                    return self.ask_certificate(*round, at);
                }
                Ran::Failed(failure) => {
                    if !self.after(&mut round, &tried, one, Some(rule), failure) {
                        break;
                    }
                }
            }
        }
        self.failed(*round)
    }

    /// Whether a first factor has come to a policy that asks for something, behind one that asks for nothing and has failed.
    fn lacks_form(&self, round: &Round, one: &Tried<'_>) -> bool {
        let first = matches!(round.place, Place::Factor(Factor::Primary(_)));
        first && round.form.is_none() && round.at > 0 && is_empty(&round.input.password) && needs_form(one.action)
    }

    /// Shows the form of a first factor before the policies that are left.
    fn show_form(&mut self, round: Round) -> Move {
        if !self.core.may_show() {
            return self.deny(Denial::of(Why::Steps, Code::Unprocessable));
        }
        let kind = built_in(&round.place, &self.core.setting);
        self.note(None, None, Outcome::Form(kind.word().into()));
        // That there was no certificate is no mistake of whoever may do without.
        let view = self.core.view(kind, round.failure.filter(|code| *code != Code::NoCertificate));
        let shown = view.clone();
        let form = Form { place: round.place, schema: None, view, from: round.at };
        Move::Rest(State::Form(Box::new(form)), Step::Show(shown))
    }

    /// What an action does by itself, or whom it asks.
    fn carry_out(&self, one: &Tried<'_>, round: &Round) -> Ran {
        let input = &round.input;
        let groups_only = round.place.is_group_extraction();
        match one.action {
            Action::NoAuth(_) => Ran::Succeeded,
            Action::Epa(_) => Ran::Failed(Failure::NotScanned),
            Action::Local => match canonical(&input.user) {
                None => Ran::Failed(Failure::NoUser),
                Some((user, _)) if groups_only => Ran::Found(Box::new(self.local_groups(&user))),
                Some(_) if is_empty(&input.password) => Ran::Failed(Failure::NoPassword),
                Some((user, own)) => {
                    let domain = if input.domain.is_empty() { own.unwrap_or_default() } else { input.domain.clone() };
                    let ask = Ask::Local { user: user.into(), domain: domain.into(), password: input.password.clone() };
                    Ran::Ask(ask, About::Secret)
                }
            },
            // A password where a code is meant to be asked for, too, is not enough.
            Action::Ldap(_) if one.action.served() != Served::Now => Ran::Failed(Failure::NotBuilt),
            Action::Ldap(ldap) if ldap.codes().is_some() && !groups_only => self.about_codes(ldap, input),
            Action::Ldap(ldap) => {
                if canonical(&input.user).is_none() {
                    return Ran::Failed(Failure::NoUser);
                }
                let user = input.user.as_str().into();
                if groups_only || !ldap.authentication {
                    Ran::Ask(Ask::Ldap { user, password: None }, About::LookUp)
                } else if is_empty(&input.password) {
                    Ran::Failed(Failure::NoPassword)
                } else {
                    Ran::Ask(Ask::Ldap { user, password: Some(input.password.clone()) }, About::Secret)
                }
            }
            Action::Radius(radius) => match radius.served() {
                Served::Later | Served::Never => Ran::Failed(Failure::NotBuilt),
                Served::Now if groups_only || !radius.authentication => Ran::Failed(Failure::NoLookUp),
                Served::Now if canonical(&input.user).is_none() => Ran::Failed(Failure::NoUser),
                Served::Now if is_empty(&input.password) => Ran::Failed(Failure::NoPassword),
                Served::Now => {
                    let user = input.user.as_str().into();
                    Ran::Ask(Ask::Radius { user, password: input.password.clone() }, About::Secret)
                }
            },
            Action::Cert(cert) => self.where_to_ask(one, cert).map_or_else(Ran::Failed, Ran::Certificate),
            Action::Saml(_)
            | Action::OAuth(_)
            | Action::Email(_)
            | Action::Captcha(_)
            | Action::Negotiate(_)
            | Action::WebAuth(_)
            | Action::Storefront(_)
            | Action::Dfa(_)
            | Action::Tacacs(_) => Ran::Failed(Failure::NotBuilt),
        }
    }

    /// An action about one-time codes: the page of the user's devices where that is what he came for, else the check of a code.
    fn about_codes(&self, ldap: &Ldap, input: &Input) -> Ran {
        let proven = self.core.gathered.identity.as_ref().map(|identity| &identity.user);
        if self.core.for_devices && !ldap.only_checks_codes() {
            return match proven {
                Some(user) => Ran::Ask(Ask::Devices { user: (**user).into() }, About::Devices),
                None => Ran::Failed(Failure::NotProven),
            };
        }
        let name = |text: &str| canonical(text).map(|(name, _)| name);
        let user: Box<str> = match proven {
            Some(user) if name(user) != name(&input.user) => return Ran::Failed(Failure::OtherUser),
            Some(user) => (**user).into(),
            None if name(&input.user).is_none() => return Ran::Failed(Failure::NoUser),
            None => input.user.as_str().into(),
        };
        if is_empty(&input.password) {
            return Ran::Failed(Failure::NoPassword);
        }
        let now = totp::Step::at(self.request.wall);
        Ran::Ask(Ask::Code { user, code: input.password.clone(), now }, About::Code)
    }

    /// The local groups of a user, by his canonical name. Nobody is asked: they stand in the configuration.
    fn local_groups(&self, user: &str) -> Proven {
        let model = &self.core.setting.model;
        let known = model.users.iter().find(|(name, _)| canonical(name.as_str()).is_some_and(|(known, _)| known == user));
        let groups = known.map(|(name, _)| model.groups_of(name).map(ToString::to_string).collect());
        Proven { user: user.to_owned(), groups: groups.unwrap_or_default(), ..Proven::default() }
    }

    /// Asks somebody outside. The first question of a round about a secret is a guess; others are about the same one.
    pub(super) fn ask(&mut self, mut round: Round, one: &Tried<'_>, ask: Ask, about: About) -> Move {
        let guess = match about {
            About::Secret | About::Code if !round.guessed => canonical(&round.input.user).map(|(user, _)| user.into()),
            About::Secret | About::Code | About::LookUp | About::Change(_) | About::Devices | About::Managing(_) => None,
        };
        round.guessed |= guess.is_some();
        if round.input.second && matches!(about, About::Secret | About::Code) {
            self.core.gathered.at_hand.second = SecretString::default();
        }
        self.core.questions += 1;
        let number = self.core.questions;
        let question = Question { number, action: one.action_name.clone(), ask, guess };
        Move::Rest(State::Asking(Box::new(Asking { question: number, about, round })), Step::Ask(question))
    }

    /// The action has failed: whether another policy is tried.
    pub(super) fn after(
        &mut self,
        round: &mut Round,
        tried: &[Tried<'_>],
        one: &Tried<'_>,
        rule: Option<Rule>,
        failure: Failure,
    ) -> bool {
        round.failure = Some(failure.code());
        self.note(Some(one.name()), rule, Outcome::Failed(one.action_name.as_str().into(), failure));
        let to = match one.goto {
            Goto::Next => Where::Next,
            // There is nobody who was called and could have a result.
            Goto::End | Goto::UseInvocationResult => Where::End,
            Goto::To(priority) => where_is(tried, one.priority, Some(*priority)),
            Goto::Expression(expression) => {
                let number = expression.number(&self.core.facts(self.request));
                where_is(tried, one.priority, number.and_then(|number| u32::try_from(number).ok()))
            }
        };
        self.note(Some(one.name()), None, Outcome::Goto(to));
        let at = match to {
            Where::Next => Some(round.at + 1),
            Where::To(priority) => tried.iter().position(|other| other.priority == priority),
            Where::End | Where::Undefined => None,
        };
        at.map(|at| round.at = at).is_some()
    }

    /// The factor has failed.
    pub(super) fn failed(&mut self, round: Round) -> Move {
        self.failed_for(round, None)
    }

    /// The factor has failed, and will for so long.
    pub(super) fn failed_for(&mut self, round: Round, wait: Option<std::time::Duration>) -> Move {
        if !round.applied {
            self.note(None, None, Outcome::NoPolicy);
        }
        let code = round.failure.unwrap_or(Code::Unprocessable);
        self.note(None, None, Outcome::FactorFailed(code));
        self.core.tries += 1;
        self.core.gathered.person.attempts = self.core.tries;
        let Some(form) = round.form else { return self.deny(Denial { wait, ..Denial::of(Why::Factor, code) }) };
        if self.core.tries >= self.core.tries_max() {
            return self.deny(Denial { wait, ..Denial::of(Why::Tries, code) });
        }
        let Form { place, schema, view, from } = *form;
        let mut view = self.core.view(view.kind, Some(code));
        view.wait = wait;
        let shown = view.clone();
        Move::Rest(State::Form(Box::new(Form { place, schema, view, from })), Step::Show(shown))
    }
}

/// Where a number leads: to that priority if it is ahead, to the next policy if it is this one, out of the factor if it is behind the last.
fn where_is(tried: &[Tried<'_>], current: u32, wanted: Option<u32>) -> Where {
    let Some(wanted) = wanted else { return Where::Undefined };
    let last = tried.iter().map(|one| one.priority).max().unwrap_or_default();
    if wanted == current {
        Where::Next
    } else if wanted > last {
        Where::End
    } else if wanted > current && tried.iter().any(|one| one.priority == wanted) {
        Where::To(wanted)
    } else {
        Where::Undefined
    }
}

impl Failure {
    /// What a user is told.
    const fn code(&self) -> Code {
        match self {
            Self::Said(code) | Self::Outage(code, _) => *code,
            Self::Held(_) => Code::TryLater,
            Self::Locked => Code::Locked,
            Self::NoUser | Self::NoPassword => Code::Credentials,
            Self::Scan | Self::NotScanned => Code::Device,
            Self::NoCertificate => Code::NoCertificate,
            Self::BadCertificate(_) | Self::NoName => Code::BadCertificate,
            Self::NotBuilt | Self::NoLookUp | Self::NobodyAsks | Self::Alone => Code::Unprocessable,
            Self::ChangeNotAllowed => Code::Expired,
            Self::Code(NotCode::Wrong | NotCode::Used | NotCode::NoDevice) | Self::OtherUser => Code::Credentials,
            Self::Code(NotCode::Unreadable) => Code::TryLater,
            Self::NotProven => Code::Unprocessable,
        }
    }
}

fn secret(text: Option<Zeroizing<String>>) -> SecretString {
    text.map_or_else(SecretString::default, |text| SecretString::from(text.as_str()))
}
