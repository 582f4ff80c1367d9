//! The way through the factors.
//!
//! ```text
//!   event ─► go ─► ┌─► enter ──► a scan is asked for ──────────────► Scan
//!                  │     ├─────► a form is shown ───────────────────► Form
//!                  │     └─────► no form ─► try policies (round.rs) ─► Asking
//!                  └── next factor ◄── success ┤
//!                                              ├── no next factor ─► complete (complete.rs) ─► Granted
//!                                              └── failure ─► Form again, or Over
//! ```
//!
//! - The client is looked at before any form of the factor is shown, and is asked about all policies of the factor at once.
//! - A factor is entered at most [`FACTORS_MAX`] times in a conversation, so every way ends.
//! - A rule that is neither true nor false is false.

use std::sync::Arc;

use gate_config::expr::{Request, Typed};
use gate_config::model::SchemaName;
use gate_config::model::authentication::{Action, CLIENT_STRINGS_MAX, Factor, SchemaBinding, View as Drawn};

use super::certificate::Certificate;
use super::code::Code;
use super::conversation::{Core, FACTORS_MAX};
use super::event::{Denial, Event, Step, Why};
use super::orders::Orders;
use super::path::{Outcome, Rule};
use super::place::{Cascade, Place, Setting, Tried};
use super::question::Answer;
use super::scan::Exchange;
use super::state::{Asked, Form, Purpose, Round, Scanning, State};
use super::view::{ScanView, ViewKind};
use crate::Now;

/// One event, carried out.
pub(super) struct Walk<'w> {
    pub(super) core: &'w mut Core,
    pub(super) request: &'w Request,
    pub(super) now: Now,
}

/// What follows.
pub(super) enum Move {
    /// Enter a factor, perhaps with what was posted before anything was shown.
    Enter(Place, Option<Box<Typed>>),
    /// Try the policies of a factor, from where the round stands.
    Try(Box<Round>),
    /// All factors are passed.
    Complete,
    /// Wait.
    Rest(State, Step),
}

/// What stands before a factor.
enum Before {
    /// A form.
    Form(ViewKind, Option<SchemaName>),
    /// Nothing; perhaps a login schema says where user and password are.
    Nothing(Option<SchemaName>),
}

impl Walk<'_> {
    pub(super) fn go(mut self, state: State, event: Event) -> (State, Step) {
        let first = match event {
            Event::Asked => self.asked(state),
            Event::Posted { step, typed } => self.posted(state, step, typed),
            Event::Answered { question, answer } => self.answered(state, question, answer),
            Event::Scanned { step } => self.scanned(state, step, false),
            Event::Skipped { step } => self.scanned(state, step, true),
            Event::Certificate { step, shown } => self.certificate(state, step, shown),
            Event::Cancelled => match state {
                State::Over(denial) => over(denial),
                State::Fresh
                | State::Form(_)
                | State::Scan(_)
                | State::Certificate(_)
                | State::Asking(_)
                | State::Change(_)
                | State::Challenged(_)
                | State::Managing(_) => self.deny(Denial::of(Why::Cancelled, Code::Unprocessable)),
            },
        };
        self.run(first)
    }

    /// Goes on until something is to be waited for.
    fn run(mut self, first: Move) -> (State, Step) {
        let mut next = first;
        loop {
            next = match next {
                Move::Enter(place, early) => self.enter(place, early),
                Move::Try(round) => self.try_policies(round),
                Move::Complete => self.complete(),
                Move::Rest(state, step) => return (state, step),
            };
        }
    }

    fn asked(&mut self, state: State) -> Move {
        match state {
            State::Fresh => self.begin(None),
            State::Form(form) => {
                let view = form.view.clone();
                Move::Rest(State::Form(form), Step::Show(view))
            }
            State::Change(change) => {
                let view = change.view.clone();
                Move::Rest(State::Change(change), Step::Show(view))
            }
            State::Challenged(challenged) => {
                let view = challenged.view.clone();
                Move::Rest(State::Challenged(challenged), Step::Show(view))
            }
            State::Managing(managing) => {
                let view = managing.view.clone();
                Move::Rest(State::Managing(managing), Step::Show(view))
            }
            State::Scan(scanning) => {
                let view = scanning.view.clone();
                Move::Rest(State::Scan(scanning), Step::Scan(view))
            }
            State::Certificate(mut showing) => {
                // It has come back without one, or was here before.
                showing.view.again = true;
                let view = showing.view.clone();
                Move::Rest(State::Certificate(showing), Step::Certificate(view))
            }
            State::Asking(asking) => Move::Rest(State::Asking(asking), Step::Busy),
            State::Over(denial) => over(denial),
        }
    }

    fn certificate(&mut self, state: State, step: Option<u32>, shown: Certificate) -> Move {
        let stale = step.is_some_and(|step| state.step() != Some(step));
        match state {
            State::Fresh => self.begin(None),
            State::Certificate(showing) if !stale => self.shown(*showing, shown),
            State::Certificate(_)
            | State::Scan(_)
            | State::Form(_)
            | State::Change(_)
            | State::Challenged(_)
            | State::Managing(_) => self.stale(state),
            State::Asking(asking) => Move::Rest(State::Asking(asking), Step::Busy),
            State::Over(denial) => over(denial),
        }
    }

    fn posted(&mut self, state: State, step: Option<u32>, typed: Box<Typed>) -> Move {
        let stale = step.is_some_and(|step| state.step() != Some(step));
        match state {
            // Scripts post at once. A form of a conversation that is gone is taken only if it was its first.
            State::Fresh => self.begin(step.is_none_or(|step| step == 1).then_some(typed)),
            State::Form(form) if !stale => Move::Try(Box::new(self.round_of(form, *typed))),
            State::Change(change) if !stale => self.new_password(*change, &typed),
            State::Challenged(challenged) if !stale => self.reply(*challenged, *typed),
            State::Managing(managing) if !stale => self.manage(*managing, &typed),
            State::Form(_)
            | State::Change(_)
            | State::Challenged(_)
            | State::Managing(_)
            | State::Scan(_)
            | State::Certificate(_) => self.stale(state),
            State::Asking(asking) => Move::Rest(State::Asking(asking), Step::Busy),
            State::Over(denial) => over(denial),
        }
    }

    fn answered(&mut self, state: State, question: u64, answer: Answer) -> Move {
        match state {
            State::Asking(asking) if asking.question == question => self.heard(*asking, answer),
            State::Fresh
            | State::Form(_)
            | State::Scan(_)
            | State::Certificate(_)
            | State::Asking(_)
            | State::Change(_)
            | State::Challenged(_)
            | State::Managing(_)
            | State::Over(_) => self.stale(state),
        }
    }

    fn scanned(&mut self, state: State, step: Option<u32>, skipped: bool) -> Move {
        let stale = step.is_some_and(|step| state.step() != Some(step));
        match state {
            State::Fresh => self.begin(None),
            State::Scan(scanning) if !stale => self.judge(*scanning, skipped),
            State::Scan(_)
            | State::Form(_)
            | State::Certificate(_)
            | State::Change(_)
            | State::Challenged(_)
            | State::Managing(_) => self.stale(state),
            State::Asking(asking) => Move::Rest(State::Asking(asking), Step::Busy),
            State::Over(denial) => over(denial),
        }
    }

    fn begin(&mut self, early: Option<Box<Typed>>) -> Move {
        if !self.core.setting.is_on() {
            return self.deny(Denial::of(Why::Off, Code::TryLater));
        }
        match self.preauthenticate() {
            Some(before) => before,
            None => Move::Enter(self.core.setting.first(), early),
        }
    }

    /// Nothing has changed.
    fn stale(&mut self, state: State) -> Move {
        self.note(None, None, Outcome::Stale);
        let shown = state.shown();
        Move::Rest(state, Step::Stale(shown))
    }

    /// Arrives at a factor.
    fn enter(&mut self, place: Place, early: Option<Box<Typed>>) -> Move {
        self.core.goes_to(&place);
        self.core.entered += 1;
        if self.core.entered > FACTORS_MAX {
            return self.deny(Denial::of(Why::Steps, Code::Unprocessable));
        }
        self.note(None, None, Outcome::Entered(self.core.entered));
        let setting = self.core.setting.clone();
        let tried = place.tried(&setting);
        if let Some(scan) = self.look(&place, &setting, &tried) {
            return scan;
        }
        match self.before(&place, &setting, &tried) {
            Before::Nothing(schema) => {
                self.note(None, None, Outcome::PassedThrough);
                Move::Try(Box::new(self.round_without_form(place, schema, early)))
            }
            Before::Form(kind, schema) => {
                if !self.core.may_show() {
                    return self.deny(Denial::of(Why::Steps, Code::Unprocessable));
                }
                self.note(None, None, Outcome::Form(kind.word().into()));
                let view = self.core.view(kind, None);
                let form = Box::new(Form { place, schema, view, from: 0 });
                match early {
                    Some(typed) => Move::Try(Box::new(self.round_of(form, *typed))),
                    None => {
                        let view = form.view.clone();
                        Move::Rest(State::Form(form), Step::Show(view))
                    }
                }
            }
        }
    }

    /// The look at the client that the factor wants, if it wants one.
    ///
    /// What stands behind an action that always succeeds is never reached, so it is not asked about: such a policy in front keeps clients
    /// away that cannot be looked at.
    fn look(&mut self, place: &Place, setting: &Setting, tried: &[Tried<'_>]) -> Option<Move> {
        let mut strings: Vec<Box<str>> = Vec::new();
        let mut orders = Orders::default();
        let mut refused = 0;
        let mut asked = Vec::new();
        for (at, one) in tried.iter().enumerate() {
            let epa = if let Action::Epa(epa) = one.action { Some(epa) } else { None };
            if epa.is_none() && !one.action.always_succeeds() {
                continue;
            }
            let rule = self.rule(one);
            match (rule, epa) {
                (Rule::True, Some(epa)) => {
                    let of_policy = epa.expression.asked(&setting.model.names);
                    asked.push(Asked { at, first: strings.len(), len: of_policy.len() });
                    strings.extend(of_policy.into_iter().map(Into::into));
                    refused += orders.add(epa.kill_process.as_deref(), epa.delete_files.as_deref());
                }
                (Rule::True, None) => break,
                (Rule::False | Rule::Undefined, Some(_)) => self.note(Some(one.name()), Some(rule), Outcome::NotApplicable),
                (Rule::False | Rule::Undefined, None) => {}
            }
        }
        if asked.is_empty() {
            return None;
        }
        if refused > 0 {
            self.note(None, None, Outcome::OrdersRefused(refused));
        }
        Some(self.ask_client(strings, orders, Purpose::Factor { place: place.clone(), asked }))
    }

    /// Has the client looked at.
    pub(super) fn ask_client(&mut self, mut strings: Vec<Box<str>>, orders: Orders, purpose: Purpose) -> Move {
        if !self.core.may_show() {
            return self.deny(Denial::of(Why::Steps, Code::Unprocessable));
        }
        let left_out = strings.len().saturating_sub(CLIENT_STRINGS_MAX);
        strings.truncate(CLIENT_STRINGS_MAX);
        self.note(None, None, Outcome::ScanAsked { strings: strings.len(), left_out });
        let view = ScanView { factor: Arc::clone(&self.core.factor), step: self.core.next_step() };
        let scanning = Scanning { view: view.clone(), exchange: Exchange::new(strings, orders), announced: false, purpose };
        Move::Rest(State::Scan(Box::new(scanning)), Step::Scan(view))
    }

    /// What stands before the policies of a factor.
    fn before(&mut self, place: &Place, setting: &Setting, tried: &[Tried<'_>]) -> Before {
        match place {
            Place::Factor(Factor::Label(name)) => {
                let label = setting.model.authentication.labels.find(name.as_str());
                self.drawn(setting, label.and_then(|label| label.schema.as_ref()))
            }
            Place::Factor(Factor::Primary(name)) => {
                let bound = setting.model.authentication.vservers.find(name.as_str()).map(|vserver| vserver.schemas.as_slice());
                if let Some(chosen) = self.chosen(setting, bound.unwrap_or_default()) {
                    return self.drawn(setting, Some(&chosen));
                }
                let first = tried.iter().find(|one| self.rule(one) == Rule::True);
                if first.is_some_and(|one| !needs_form(one.action)) {
                    Before::Nothing(None)
                } else {
                    Before::Form(built_in(place, setting), None)
                }
            }
            Place::Classic(Cascade::Primary) => Before::Form(built_in(place, setting), None),
            Place::Factor(Factor::Secondary(_) | Factor::GroupExtraction(_))
            | Place::Classic(Cascade::Secondary | Cascade::GroupExtraction) => Before::Nothing(None),
        }
    }

    /// The form that a login schema draws.
    fn drawn(&self, setting: &Setting, schema: Option<&SchemaName>) -> Before {
        let found = schema.and_then(|name| Some((name, setting.model.authentication.schemas.find(name.as_str())?)));
        match found {
            Some((name, schema)) => match &schema.view {
                Drawn::File(_) => Before::Form(ViewKind::Schema(name.clone()), Some(name.clone())),
                Drawn::None => Before::Nothing(Some(name.clone())),
            },
            None => Before::Nothing(None),
        }
    }

    /// The login schema that the first policy wants whose rule is true.
    fn chosen(&self, setting: &Setting, bound: &[SchemaBinding]) -> Option<SchemaName> {
        let policies =
            bound.iter().filter_map(|binding| setting.model.authentication.schema_policies.find(binding.policy.as_str()));
        let mut policies = policies.map(|policy| (policy.rule.is_true(&self.core.facts(self.request)), policy));
        policies.find(|(value, _)| *value == Some(true)).map(|(_, policy)| policy.schema.clone())
    }

    /// What the rule of a policy says now.
    pub(super) fn rule(&self, one: &Tried<'_>) -> Rule {
        one.rule.map_or(Rule::True, |rule| Rule::of(rule.is_true(&self.core.facts(self.request))))
    }

    /// Where a success goes.
    pub(super) fn onward(next: Option<Place>) -> Move {
        next.map_or(Move::Complete, |place| Move::Enter(place, None))
    }

    /// Ends it without a login.
    pub(super) fn deny(&mut self, denial: Denial) -> Move {
        self.note(None, None, Outcome::Denied(denial.why, denial.code));
        self.core.gathered.wipe();
        over(denial)
    }

    pub(super) fn note(&mut self, policy: Option<&str>, rule: Option<Rule>, outcome: Outcome) {
        self.core.note(self.now, policy, rule, outcome);
    }
}

fn over(denial: Denial) -> Move {
    Move::Rest(State::Over(denial.clone()), Step::Over(denial))
}

/// The form for a first factor that has none: one password, or two if a second factor checks another one.
pub(super) fn built_in(place: &Place, setting: &Setting) -> ViewKind {
    if place.is_followed_by_secondary(setting) { ViewKind::Dual } else { ViewKind::Single }
}

/// Whether an action has something to ask a user in a form.
pub(super) const fn needs_form(action: &Action) -> bool {
    match action {
        Action::NoAuth(_) | Action::Epa(_) | Action::Cert(_) | Action::Saml(_) | Action::OAuth(_) | Action::Negotiate(_) => false,
        Action::Local
        | Action::Ldap(_)
        | Action::Radius(_)
        | Action::Email(_)
        | Action::Captcha(_)
        | Action::WebAuth(_)
        | Action::Storefront(_)
        | Action::Dfa(_)
        | Action::Tacacs(_) => true,
    }
}
