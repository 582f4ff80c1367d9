//! Policies bound to a virtual server, a user, a group, or for all: one way to read, tie, untie and print them.

use crate::code::Code;
use crate::model::authentication::{Choice, Goto, PRIORITY_MAX};
use crate::model::session::{BindPoint, PolicyBinding};
use crate::model::{Model, PolicyName};
use crate::print::LineWriter;

use super::session::choice;
use super::site::{Note, Refused, Site, missing};
use super::{Argument, Kind, Said};

/// Most policies bound to one object.
const BINDINGS_MAX: usize = 1024;

pub(super) const POLICY: Argument =
    Argument::optional("policy", Kind::Name, "A policy: one of sessions, or one of logins.").names("vpn sessionPolicy");
pub(super) const POLICY_NAME: Argument =
    Argument::optional("policyName", Kind::Name, "A policy: one of sessions, or one of logins.").names("vpn sessionPolicy");
pub(super) const PRIORITY: Argument = Argument::optional(
    "priority",
    Kind::Number { min: 0, max: PRIORITY_MAX as u64, unit: "place" },
    "Its place: the lowest is looked at first.",
)
.or("0");
pub(super) const GOTO: Argument =
    Argument::optional("gotoPriorityExpression", Kind::Text, "Where it goes on after a match: NEXT, END, or a priority.")
        .or("NEXT");
pub(super) const TYPE: Argument =
    Argument::optional("type", Kind::Choice(<BindPoint as Choice>::WORDS), "When in a request's way it is looked at.")
        .or("REQUEST");
pub(super) const SECONDARY: Argument =
    Argument::optional("secondary", Kind::Switch, "It is a login policy of the second factor.");
pub(super) const GROUP_EXTRACTION: Argument =
    Argument::optional("groupExtraction", Kind::Switch, "It is a login policy that only looks for groups.");

/// The binding that a line speaks of; `policy` is what its policy is called there. `None`: it speaks of something else.
///
/// # Errors
/// What belongs to a policy is there without one, or there is no such policy.
pub(super) fn read(said: &Said<'_>, policy: &str) -> Result<Option<PolicyBinding>, Refused> {
    let known = |name: &&str| said.form.keywords.iter().any(|a| a.name == *name);
    let switch = |name: &str| known(&name) && said.has(name);
    let Some(name) = said.name::<PolicyName>(policy) else {
        let of_policy = ["priority", "gotoPriorityExpression", "type", "secondary", "groupExtraction"];
        return match of_policy.into_iter().filter(known).find(|name| said.has(name)) {
            Some(alone) => {
                let cause = format!("it needs -{policy}");
                Err(Note::new(Code::PrerequisiteMissing, said.place(alone), format!("-{alone}"), cause).into())
            }
            None => Ok(None),
        };
    };
    let goto = match said.text("gotoPriorityExpression").map(Goto::parse) {
        None => None,
        Some(Ok(goto)) => Some(goto),
        Some(Err(why)) => {
            let at = said.place("gotoPriorityExpression");
            return Err(Note::new(Code::InvalidValue, at, "-gotoPriorityExpression", why.to_string()).into());
        }
    };
    Ok(Some(PolicyBinding {
        policy: name,
        priority: said.number("priority"),
        goto,
        point: if switch("type") { choice(said, "type").flatten() } else { None },
        secondary: switch("secondary"),
        group_extraction: switch("groupExtraction"),
    }))
}

/// A line ties one thing: one of `these`, or an argument without effect.
///
/// # Errors
/// It names none or several.
pub(super) fn one_binding(said: &Said<'_>, these: &[&'static str]) -> Result<(), Refused> {
    let typed = these.iter().copied().filter(|name| said.has(name));
    let names: Vec<&str> = typed.chain(said.kept.iter().map(|kept| &*kept.keyword)).collect();
    match names.as_slice() {
        [] => {
            let first = these.first().copied().unwrap_or_default();
            Err(Note::new(Code::ArgumentMissing, said.span, format!("-{first}"), "what shall be bound?").into())
        }
        [_] => Ok(()),
        [one, other, ..] => {
            let cause = format!("-{one} and -{other} are two bindings");
            let note = Note::new(Code::BothSpecified, said.span, format!("-{other}"), cause);
            Err(note.cure("write two lines").into())
        }
    }
}

/// Whether it is a policy that decides about logins, or about the client before them.
pub(super) fn is_of_logins(model: &Model, name: &str) -> bool {
    model.authentication.policies.has(name) || model.preauthentication.policies.has(name)
}

/// Waits for a policy that a later line may make. One that nobody makes belongs to a part of NetScaler that is not here: it is kept.
///
/// # Errors
/// There is no such policy yet.
pub(super) fn known(said: &Said<'_>, site: &mut Site<'_>, policy: &str, binding: &PolicyBinding) -> Result<(), Refused> {
    let (model, name) = (&*site.model, binding.policy.as_str());
    if model.sessions.policies.has(name) {
        return Ok(());
    }
    if is_of_logins(model, name) {
        let cause = "a login looks at what is bound to virtual servers; this binding is kept for printing back";
        let note = Note::new(Code::NotImplemented, said.place(policy), name, cause);
        site.warn(note.cure("bind vpn vserver NAME -policy POLICY"));
        return Ok(());
    }
    if said.may_wait {
        let known = model.sessions.policies.names().map(PolicyName::as_str);
        return Err(missing(said, policy, Code::NoSuchResource, "policy", known));
    }
    let cause = format!("{name} is no policy of sessions or logins; its binding is kept for printing back");
    site.warn(
        Note::new(Code::NotImplemented, said.place(policy), format!("-{policy}"), cause).cure("is the name spelled right?"),
    );
    Ok(())
}

/// Ties.
///
/// # Errors
/// It is tied already, or there are too many.
pub(super) fn bind(said: &Said<'_>, bindings: &mut Vec<PolicyBinding>, binding: PolicyBinding) -> Result<(), Refused> {
    let name = binding.policy.as_str();
    if bindings.iter().any(|other| other.is_same(&binding)) {
        return Err(Note::new(Code::BindingExists, said.span, name, "this policy is bound here already").into());
    }
    if bindings.len() >= BINDINGS_MAX {
        let cause = format!("at most {BINDINGS_MAX} policies are bound to one object");
        return Err(Note::new(Code::TooManyValues, said.span, name, cause).into());
    }
    bindings.push(binding);
    Ok(())
}

/// Unties.
///
/// # Errors
/// It is not tied.
pub(super) fn unbind(said: &Said<'_>, bindings: &mut Vec<PolicyBinding>, binding: &PolicyBinding) -> Result<(), Refused> {
    match bindings.iter().position(|other| other.is_same(binding)) {
        Some(at) => {
            bindings.remove(at);
            Ok(())
        }
        None => {
            let name = binding.policy.as_str();
            Err(Note::new(Code::NoSuchResource, said.span, name, "this policy is not bound here").into())
        }
    }
}

/// Writes a binding; `policy` is what its policy is called there.
pub(super) fn write<'w, 'm>(line: LineWriter<'w, 'm>, policy: &str, binding: &PolicyBinding) -> LineWriter<'w, 'm> {
    let line = line.keyword(policy, &binding.policy).keyword_if("priority", binding.priority);
    let line = if binding.secondary { line.switch("secondary") } else { line };
    let line = if binding.group_extraction { line.switch("groupExtraction") } else { line };
    line.keyword_if("gotoPriorityExpression", binding.goto.as_ref()).keyword_if("type", binding.point.map(Choice::word))
}

/// Who has a policy bound to him, for a message.
pub(super) fn bound_to(model: &Model, policy: &str) -> Option<String> {
    let has = |bindings: &[PolicyBinding]| bindings.iter().any(|binding| binding.policy.as_str() == policy);
    let vserver =
        model.vservers.iter().find(|(_, v)| has(&v.admission.policies)).map(|(name, _)| format!("virtual server {name}"));
    let user = || model.users.iter().find(|(_, u)| has(&u.policies)).map(|(name, _)| format!("user {name}"));
    let group = || model.groups.iter().find(|(_, g)| has(&g.policies)).map(|(name, _)| format!("group {name}"));
    vserver.or_else(user).or_else(group).or_else(|| has(&model.sessions.global).then(|| "all".to_owned()))
}
