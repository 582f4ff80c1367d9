//! The look at a client before anything is asked of its user: classic preauthentication, at virtual servers without a profile.
//!
//! ```text
//!   policies bound to the virtual server, then to all, then `set aaa preauthenticationparameter`: all are asked about at once
//!     the first whose rule is true decides ─┬─ ALLOW ─► its group; the login begins
//!                                           └─ DENY ──► no login
//!     none is true ─┬─ one of them would have allowed it, or the client has not answered ─► no login
//!                   └─ otherwise ─► the login begins
//! ```
//!
//! A factor can do all of this and more, so where there are factors there is no preauthentication.

use std::sync::Arc;

use gate_config::expr::{GroupOrigin, Names};
use gate_config::model::authentication::ClientExpression;
use gate_config::model::{Asked, ClientCheck, Model, PreauthAction, SessionGroup, Verdict};

use super::code::Code;
use super::event::{Denial, Why};
use super::judge::{holds, lacking};
use super::orders::Orders;
use super::path::{Failure, Outcome, Rule};
use super::place::{Place, Setting};
use super::state::Purpose;
use super::view::ViewKind;
use super::walk::{Move, Walk, built_in};

/// What decisions call the rule that is bound to nothing.
const PARAMETER: &str = "preauthenticationparameter";

/// One rule, and what follows if it is true.
pub(super) struct Wanted {
    name: Box<str>,
    check: Check,
    verdict: Verdict,
    group: Option<SessionGroup>,
}

enum Check {
    /// It is known without asking. What cannot be put to a client is not true.
    Known(bool),
    /// The client is asked; its strings begin at this position of the question.
    Asked(ClientExpression, usize),
}

/// Reads rules, and gathers what the client is asked for them.
struct Gathering<'m> {
    names: &'m Names,
    wanted: Vec<Wanted>,
    strings: Vec<Box<str>>,
    orders: Orders,
    refused: usize,
}

impl Gathering<'_> {
    fn add(&mut self, name: &str, rule: &ClientCheck, action: &PreauthAction) {
        let check = match rule.asked() {
            Asked::Always(known) => Check::Known(*known),
            Asked::Cannot(_) => Check::Known(false),
            Asked::Client(expression) => {
                let first = self.strings.len();
                self.strings.extend(expression.asked(self.names).into_iter().map(Into::into));
                Check::Asked(expression.clone(), first)
            }
        };
        self.refused += self.orders.add(action.kill_process.as_deref(), action.delete_files.as_deref());
        self.wanted.push(Wanted { name: name.into(), check, verdict: action.verdict, group: action.default_group.clone() });
    }
}

/// All rules that hold for logins here, in their order.
fn gather(setting: &Setting) -> Gathering<'_> {
    let model: &Model = &setting.model;
    let mut all =
        Gathering { names: &model.names, wanted: Vec::new(), strings: Vec::new(), orders: Orders::default(), refused: 0 };
    let Some(vserver) = model.vservers.find(setting.vserver.as_str()) else { return all };
    for (name, policy) in model.preauthentication.met(&vserver.admission.policies) {
        all.add(name.as_str(), &policy.rule, &model.preauthentication.action_of(policy));
    }
    let parameter = &model.preauthentication.parameter;
    if let (Some(verdict), Some(rule)) = (parameter.verdict, &parameter.rule) {
        let (kill_process, delete_files) = (parameter.kill_process.clone(), parameter.delete_files.clone());
        all.add(PARAMETER, rule, &PreauthAction { verdict, kill_process, delete_files, default_group: None });
    }
    all
}

impl Setting {
    /// The form with which every login here begins. `None`: that depends on who comes, since the login has factors or the client is looked
    /// at first; [`Event::Asked`](super::Event::Asked) tells.
    #[must_use]
    pub fn first_form(&self) -> Option<ViewKind> {
        match self.first() {
            Place::Factor(_) => None,
            first @ Place::Classic(_) => gather(self).wanted.is_empty().then(|| built_in(&first, self)),
        }
    }
}

impl Walk<'_> {
    /// Asks the client, if there is something to ask before a login here.
    pub(super) fn preauthenticate(&mut self) -> Option<Move> {
        let Place::Classic(_) = self.core.setting.first() else { return None };
        let setting = self.core.setting.clone();
        let all = gather(&setting);
        if all.wanted.is_empty() {
            return None;
        }
        self.core.factor = format!("{} (preauthentication)", self.core.setting.vserver).into();
        if all.strings.is_empty() {
            return Some(self.judge_before(&all.wanted, Some(&[]), false));
        }
        if all.refused > 0 {
            self.note(None, None, Outcome::OrdersRefused(all.refused));
        }
        Some(self.ask_client(all.strings, all.orders, Purpose::Before(all.wanted)))
    }

    /// Whether the login may begin. No `claim`: the client has not answered.
    pub(super) fn judge_before(&mut self, wanted: &[Wanted], claim: Option<&[bool]>, announced: bool) -> Move {
        let names = Arc::clone(&self.core.setting.model);
        let (decides, allowed) = decide(wanted, claim, &names.names);
        if let Some(first) = decides {
            self.note(Some(&first.name), Some(Rule::True), Outcome::Before(allowed));
        }
        if !allowed {
            self.note(None, None, Outcome::Failed("preauthentication".into(), Failure::Scan));
            if let (None, Some(claim)) = (decides, claim) {
                let lack =
                    wanted.iter().filter(|one| one.verdict == Verdict::Allow).flat_map(|one| one.lacking(claim, &names.names));
                self.lacks(lack.collect());
            }
            let lack = self.core.lack.take();
            return self.deny(Denial { lack, ..Denial::of(Why::Scan, Code::Device) });
        }
        self.core.lack = None;
        if let Some(first) = decides {
            if let Some(group) = &first.group
                && self.core.gathered.add_group(group.as_str(), GroupOrigin::Epa)
            {
                self.note(Some(&first.name), None, Outcome::Groups(1, GroupOrigin::Epa));
            }
            if let (Check::Asked(expression, at), Some(claim)) = (&first.check, claim) {
                let len = expression.asked(&names.names).len();
                let found = (*at..*at + len).map(|at| claim.get(at) == Some(&true)).collect();
                self.repeat(expression.clone(), found, announced);
            }
        }
        Move::Enter(self.core.setting.first(), None)
    }
}

/// The rule that decides, if one is true, and whether the login may begin.
pub(super) fn decide<'w>(wanted: &'w [Wanted], claim: Option<&[bool]>, names: &Names) -> (Option<&'w Wanted>, bool) {
    let allows = |wanted: &Wanted| wanted.verdict == Verdict::Allow;
    match wanted.iter().find(|wanted| wanted.holds(claim, names)) {
        Some(first) => (Some(first), allows(first)),
        None => (None, claim.is_some() && !wanted.iter().any(allows)),
    }
}

impl Wanted {
    /// The strings on whose account the rule is not true.
    fn lacking<'w>(&'w self, claim: &[bool], names: &'w Names) -> Vec<&'w str> {
        match &self.check {
            Check::Known(_) => Vec::new(),
            Check::Asked(expression, first) => lacking(expression, claim.get(*first..).unwrap_or_default(), names),
        }
    }

    /// Whether the rule is true.
    fn holds(&self, claim: Option<&[bool]>, names: &Names) -> bool {
        match &self.check {
            Check::Known(known) => *known,
            Check::Asked(expression, first) => {
                claim.is_some_and(|claim| holds(expression, claim.get(*first..).unwrap_or_default(), names))
            }
        }
    }
}
