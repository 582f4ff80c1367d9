//! What follows from a look at the client.
//!
//! ```text
//!   policies by priority:  EPA, its expression is true ──► its group; passed
//!                          always succeeds ──────────────► passed
//!   none of them:          the LAST EPA policy has a quarantine group ─► that group; goes on from that policy
//!                          it has none ──────────────────────────────────► no login
//! ```
//!
//! - Where a failure goes (`-gotoPriorityExpression`) does not matter here: all policies were asked about at once, and are looked at in
//!   their order.
//! - Without an answer that counts no expression is true, not even one that is true when everything has failed (`!…`): a client that says
//!   nothing has not shown the absence of anything. For the same reason an expression must be true whatever is assumed of strings that
//!   were left out of the question.

use gate_config::expr::{GroupOrigin, Names};
use gate_config::model::authentication::{Action, ClientExpression};

use super::before;
use super::code::Code;
use super::conversation::Core;
use super::event::{Denial, Why};
use super::grant::Periodic;
use super::path::{Failure, Outcome, Rule, Void};
use super::place::{Place, Setting, Tried};
use super::scan::{Lack, ScanNoted, interval_minutes};
use super::state::{Asked, Purpose, Scanning};
use super::walk::{Move, Walk};
use crate::Now;

impl Scanning {
    /// Takes down what the client claims, and says whether it would do.
    pub(super) fn note(&mut self, setting: &Setting, digits: Option<&[u8]>, now: Now) -> ScanNoted {
        let Self { exchange, purpose, .. } = self;
        let names = &setting.model.names;
        match exchange.answer(digits, now) {
            Err(noted) => noted,
            Ok(passed) => {
                let passed = match purpose {
                    Purpose::Before(wanted) => before::decide(wanted, Some(passed), names).1,
                    Purpose::Session { expression } => holds(expression, passed, names),
                    Purpose::Factor { place, asked } => {
                        let tried = place.tried(setting);
                        asked.iter().any(|one| tried.get(one.at).is_some_and(|tried| holds_of(tried.action, one, passed, names)))
                    }
                };
                ScanNoted::Taken { passed }
            }
        }
    }
}

impl Walk<'_> {
    /// The look is over.
    pub(super) fn judge(&mut self, scanning: Scanning, skipped: bool) -> Move {
        let Scanning { exchange, announced, purpose, .. } = scanning;
        let of = exchange.len();
        let claim = if skipped { Err(Void::Skipped) } else { exchange.take() };
        self.core.lack = claim.as_ref().err().map(|void| Lack::Void(*void));
        self.note(
            None,
            None,
            match &claim {
                Ok(passed) => Outcome::ScanAnswered { passed: passed.iter().filter(|passed| **passed).count(), of },
                Err(void) => Outcome::ScanVoid(*void),
            },
        );
        match purpose {
            Purpose::Before(wanted) => self.judge_before(&wanted, claim.ok().as_deref(), announced),
            Purpose::Factor { place, asked } => self.judge_factor(&place, &asked, claim.ok().as_deref(), announced),
            Purpose::Session { expression } => {
                let names = self.core.setting.clone();
                let names = &names.model.names;
                let Ok(passed) = claim else { return self.looked(false) };
                let complies = holds(&expression, &passed, names);
                if complies {
                    self.repeat(expression, passed, announced);
                } else {
                    self.lacks(lacking(&expression, &passed, names));
                }
                self.looked(complies)
            }
        }
    }

    fn judge_factor(&mut self, place: &Place, asked: &[Asked], claim: Option<&[bool]>, announced: bool) -> Move {
        let setting = self.core.setting.clone();
        let tried = place.tried(&setting);
        let mut last = None;
        let mut lack = Vec::new();
        for (at, one) in tried.iter().enumerate() {
            if let Action::Epa(epa) = one.action {
                let Some(of_policy) = asked.iter().find(|asked| asked.at == at) else { continue };
                if let Some(passed) = claim.filter(|passed| holds_of(one.action, of_policy, passed, &setting.model.names)) {
                    self.note(Some(one.name()), Some(Rule::True), Outcome::Succeeded(one.action_name.as_str().into()));
                    let found =
                        (of_policy.first..of_policy.first + of_policy.len).map(|at| passed.get(at) == Some(&true)).collect();
                    self.repeat(epa.expression.clone(), found, announced);
                    return self.scan_passed(one, GroupOrigin::Epa);
                }
                let failed = Outcome::Failed(one.action_name.as_str().into(), Failure::Scan);
                self.note(Some(one.name()), Some(Rule::True), failed);
                lack.extend(claim.map(|claim| lacking(&epa.expression, part(of_policy, claim), &setting.model.names)));
                last = Some((epa, one));
            } else if one.action.always_succeeds() {
                let rule = self.rule(one);
                match rule {
                    Rule::True => {
                        self.core.lack = None;
                        self.note(Some(one.name()), Some(rule), Outcome::Succeeded(one.action_name.as_str().into()));
                        return self.scan_passed(one, GroupOrigin::Default);
                    }
                    Rule::False | Rule::Undefined => self.note(Some(one.name()), Some(rule), Outcome::NotApplicable),
                }
            }
        }
        self.lacks(lack.into_iter().flatten().collect());
        match last.and_then(|(epa, one)| Some((epa.quarantine_group.as_ref()?, one))) {
            Some((group, one)) => {
                self.core.gathered.quarantined = true;
                self.core.gathered.add_group(group.as_str(), GroupOrigin::Quarantine);
                self.note(Some(one.name()), None, Outcome::Quarantined(group.as_str().into()));
                Self::onward(one.next.clone())
            }
            None => {
                self.note(None, None, Outcome::FactorFailed(Code::Device));
                let lack = self.core.lack.take();
                self.deny(Denial { lack, ..Denial::of(Why::Scan, Code::Device) })
            }
        }
    }

    /// These strings would have been answered otherwise by a client that complies.
    pub(super) fn lacks(&mut self, strings: Vec<&str>) {
        let Some(lack) = Lack::of_strings(strings) else { return };
        self.note(None, None, Outcome::Lacking(lack.clone()));
        self.core.lack = Some(lack);
    }

    fn scan_passed(&mut self, one: &Tried<'_>, origin: GroupOrigin) -> Move {
        if let Some(group) = one.action.default_group()
            && self.core.gathered.add_group(group.as_str(), origin)
        {
            self.note(Some(one.name()), None, Outcome::Groups(1, origin));
        }
        Self::onward(one.next.clone())
    }

    /// What has an interval is asked again after the login, in place of what an earlier factor wanted.
    pub(super) fn repeat(&mut self, expression: ClientExpression, found: Vec<bool>, announced: bool) {
        let asked = expression.asked(&self.core.setting.model.names);
        let intervals: Vec<u32> = asked.into_iter().map(interval_minutes).filter(|minutes| *minutes > 0).collect();
        let Some(shortest) = intervals.iter().min() else { return };
        self.note(None, None, Outcome::Periodic(intervals.len(), *shortest));
        let Core { factor, setting, .. } = &self.core;
        let (factor, model) = (factor.clone(), setting.model.clone());
        self.core.periodic = Some(Periodic { factor, expression, found, model, announced });
    }
}

/// Whether the strings of one policy in the question have the result that it wants.
fn holds_of(action: &Action, asked: &Asked, passed: &[bool], names: &Names) -> bool {
    let Action::Epa(epa) = action else { return false };
    holds(&epa.expression, part(asked, passed), names)
}

/// What the question has of one policy.
fn part<'p>(asked: &Asked, passed: &'p [bool]) -> &'p [bool] {
    let of_policy = passed.get(asked.first..).unwrap_or_default();
    of_policy.get(..asked.len).unwrap_or(of_policy)
}

/// The strings on whose account an expression is not true. What was left out of the question has failed.
pub(super) fn lacking<'e>(expression: &'e ClientExpression, passed: &[bool], names: &'e Names) -> Vec<&'e str> {
    expression.lacking(&mut |at| passed.get(at).copied().unwrap_or(false), names)
}

/// Whether an expression is true, whatever is assumed of strings that `passed` has nothing about.
pub(super) fn holds(expression: &ClientExpression, passed: &[bool], names: &Names) -> bool {
    [false, true].into_iter().all(|left_out| expression.holds(&mut |at| passed.get(at).copied().unwrap_or(left_out), names))
}
