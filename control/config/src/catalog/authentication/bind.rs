//! Bindings: which policies go together in a factor, and where they stand in it.

use crate::code::Code;
use crate::model::authentication::{Action, Authentication, Bank, Binding, Factor, Goto, PRIORITY_MAX};
use crate::model::{KeptLine, LabelName, Model, PolicyName};
use crate::print::LineWriter;
use crate::text::lex::lex;

use super::super::express;
use super::super::site::{Note, Refused, Site, incomplete, missing};
use super::super::{Argument, Kind, Said};

/// Most policies in one factor.
const BINDINGS_MAX: usize = 1024;
/// Between priorities that nobody gave.
const PRIORITY_STEP: u32 = 100;

pub(super) const GOTO: Argument = Argument::optional(
    "gotoPriorityExpression",
    Kind::Goto,
    "Where the factor goes on if the rule was true and the action has failed.",
)
.or("END; NEXT for a classic policy");
pub(super) const NEXT_FACTOR: Argument =
    Argument::optional("nextFactor", Kind::Name, "The policy label that is entered when the policy has succeeded.")
        .names("authentication policylabel")
        .or("the login is complete");

/// The arguments of a binding that say where it stands and where it leads.
pub(super) struct Ends {
    pub(super) goto: Option<Goto>,
    pub(super) next: Option<LabelName>,
}

/// Reads them. A label that is named must exist.
pub(super) fn ends(said: &Said<'_>, site: &mut Site<'_>) -> Result<Ends, Refused> {
    let labels = &site.model.authentication.labels;
    let next = match said.text("nextFactor") {
        None => None,
        Some(name) => match labels.row(name) {
            Some((name, _)) => Some(name.clone()),
            None => {
                let known = labels.names().map(LabelName::as_str);
                return Err(missing(said, "nextFactor", Code::NoSuchResource, "policy label", known));
            }
        },
    };
    let goto = said.text("gotoPriorityExpression").and_then(|text| Goto::parse(text).ok());
    express::judge_goto(said, site, goto.as_ref())?;
    Ok(Ends { goto, next })
}

/// The policy that `argument` names, of those that are tried in factors.
pub(super) fn policy(said: &Said<'_>, argument: &str, model: &Model) -> Result<PolicyName, Refused> {
    let made = &model.authentication;
    let name = said.text(argument).unwrap_or_default();
    if let Some((name, _)) = made.policies.row(name) {
        return Ok(name.clone());
    }
    let known = made.policies.names().chain(made.schema_policies.names()).map(PolicyName::as_str);
    let mut refused = missing(said, argument, Code::NoSuchResource, "policy", known);
    if made.actions.has(name) {
        refused.note.code = Code::PolicyNameInvalid;
        refused.note.cause = format!("{name:?} is an action; a policy says when it is tried");
        refused.note.cure = Some(format!("add authentication Policy NAME -rule true -action {name}"));
    }
    Err(refused)
}

/// Keeps a line that refers to an object which is itself only kept for printing back, and says so. `kind` is how the names of commands
/// end that make such objects.
pub(super) fn rests(said: &Said<'_>, site: &mut Site<'_>, argument: &str, kind: &str) -> bool {
    let name = said.text(argument).unwrap_or_default();
    let made = &site.model.authentication;
    let makes = |line: &KeptLine| {
        if !line.text.contains(name) {
            return false;
        }
        let tokens = lex(&line.text).tokens;
        let word = |at: usize| tokens.get(at).map(|token| token.value.to_lowercase());
        word(0).is_some_and(|op| op == "add")
            && word(2).is_some_and(|object| object.ends_with(kind))
            && tokens.get(3).is_some_and(|there| *there.value == name)
    };
    // Whatever is ours may still come.
    let ours = said.may_wait || made.policies.has(name) || made.schema_policies.has(name) || made.actions.has(name);
    if ours || !site.model.kept_lines.iter().any(makes) {
        return false;
    }
    let cause = format!("{name:?} is kept for printing back, without effect in this gateway, and so is this line");
    site.warn(Note::new(Code::NotImplemented, said.place(argument), name, cause));
    site.keep_line(said);
    true
}

/// The priority that a line gives, or the next one behind `highest`.
pub(super) fn priority(said: &Said<'_>, highest: Option<u32>) -> Result<u32, Refused> {
    if let Some(priority) = said.number("priority") {
        return Ok(priority);
    }
    let behind = highest.map_or(0, |highest| highest - highest % PRIORITY_STEP).saturating_add(PRIORITY_STEP);
    if behind > PRIORITY_MAX {
        let cause = format!("there is no priority behind {}", highest.unwrap_or_default());
        return Err(Note::new(Code::AboveMaximum, said.span, "-priority", cause).cure("give one").into());
    }
    Ok(behind)
}

/// Adds a binding to what `factor` tries, if it goes together with what is bound there.
pub(super) fn bind(
    said: &Said<'_>,
    argument: &str,
    made: &Authentication,
    factor: &Factor,
    binding: Binding,
) -> Result<Bank, Refused> {
    let Some(bank) = made.bank(factor) else { return Err(incomplete(said)) };
    let policy = binding.policy.clone();
    let place = said.place(argument);
    if bank.iter().len() >= BINDINGS_MAX {
        let cause = format!("a factor has at most {BINDINGS_MAX} policies");
        return Err(Note::new(Code::TooManyValues, place, policy.as_str(), cause).into());
    }
    let action = made.policies.find(policy.as_str()).and_then(|policy| made.action_of(policy));
    let Some(action) = action else { return Err(incomplete(said)) };
    exclusive(made, bank, policy.as_str(), action).map_err(|cause| {
        Note::new(Code::CannotBind, place, policy.as_str(), cause)
            .cure("put it into a policy label of its own, and name that as -nextFactor")
    })?;
    let mut bank = bank.clone();
    let priority = binding.priority;
    match bank.add(binding) {
        Ok(()) => Ok(bank),
        Err(there) if there.policy == policy => {
            let cause = format!("this policy is bound to {} already, with priority {}", called(factor), there.priority);
            Err(Note::new(Code::BindingExists, place, policy.as_str(), cause).into())
        }
        Err(there) => {
            let cause = format!("{} has priority {priority} already", there.policy);
            let note = Note::new(Code::BindingExists, said.place("priority"), priority.to_string(), cause);
            Err(note.cure("priorities are unique in a factor").into())
        }
    }
}

/// Whether `action` goes together with the other policies of a bank. A factor that asks the client about itself is shown to the user in
/// another way than one that asks him, so it is the one or the other; only what always succeeds may stand in both.
pub(super) fn exclusive(made: &Authentication, bank: &Bank, policy: &str, action: &Action) -> Result<(), String> {
    if action.always_succeeds() {
        return Ok(());
    }
    for other in bank.iter().filter(|other| other.policy.as_str() != policy) {
        let Some(there) = made.policies.find(other.policy.as_str()).and_then(|policy| made.action_of(policy)) else { continue };
        if !there.always_succeeds() && there.is_epa() != action.is_epa() {
            let (asks, one) = if action.is_epa() { (policy, other.policy.as_str()) } else { (other.policy.as_str(), policy) };
            return Err(format!(
                "{asks} asks the client about itself and {one} does not: in one factor only policies that always succeed may stand beside \
                 such a one"
            ));
        }
    }
    Ok(())
}

/// The factors in which a policy is tried.
pub(super) fn bound_in(made: &Authentication, policy: &str) -> Vec<Factor> {
    let vservers = made
        .vservers
        .names()
        .flat_map(|name| [Factor::Primary(name.clone()), Factor::Secondary(name.clone()), Factor::GroupExtraction(name.clone())]);
    let factors = vservers.chain(made.labels.names().cloned().map(Factor::Label));
    factors.filter(|factor| made.bank(factor).is_some_and(|bank| bank.of(policy).is_some())).collect()
}

/// How messages call a factor.
pub(super) fn called(factor: &Factor) -> String {
    match factor {
        Factor::Primary(vserver) => format!("authentication vserver {vserver}"),
        Factor::Secondary(vserver) => format!("authentication vserver {vserver} (-secondary)"),
        Factor::GroupExtraction(vserver) => format!("authentication vserver {vserver} (-groupExtraction)"),
        Factor::Label(label) => format!("policylabel {label}"),
    }
}

/// Takes a policy out of a bank.
pub(super) fn unbind(said: &Said<'_>, argument: &str, factor: &Factor, bank: &mut Bank) -> Result<(), Refused> {
    let name = said.text(argument).unwrap_or_default();
    let at = bank.of(name).map(|binding| binding.priority);
    let meant = said.number::<u32>("priority");
    if at.is_none() || meant.is_some_and(|meant| Some(meant) != at) {
        return Err(not_bound(said, argument, factor, at));
    }
    bank.remove(name);
    Ok(())
}

/// Refuses because a policy is not bound, or with another priority.
pub(super) fn not_bound(said: &Said<'_>, argument: &str, factor: &Factor, at: Option<u32>) -> Refused {
    let name = said.text(argument).unwrap_or_default();
    let cause = match at {
        None => format!("{name:?} is not bound to {}", called(factor)),
        Some(priority) => format!("{name:?} is bound to {} with priority {priority}", called(factor)),
    };
    Note::new(Code::NotBound, said.place(argument), name, cause).into()
}

/// Where a binding stands, and where it leads.
pub(super) fn print_ends<'w, 'm>(line: LineWriter<'w, 'm>, binding: &Binding) -> LineWriter<'w, 'm> {
    line.keyword_if("gotoPriorityExpression", binding.goto.as_ref()).keyword_if("nextFactor", binding.next.as_ref())
}
