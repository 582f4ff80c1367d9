//! Expressions in lines: whether they are understood and give what is wanted where they stand, told with the place in the line.

use crate::code::Code;
use crate::expr::{Fault, FaultKind, Wanted};
use crate::model::authentication::{ClientExpression, Expression, Goto};

use super::Said;
use super::site::{Note, Refused, Site};

/// Judges an expression that `argument` has given. One that is not understood, or does not give what is wanted, is refused; in a
/// lenient reading it is kept and undefined, with a warning.
///
/// # Errors
/// It does not fit, or names something that a later line may make.
pub(super) fn judge(
    said: &Said<'_>,
    site: &mut Site<'_>,
    argument: &str,
    rule: &Expression,
    wanted: Wanted,
) -> Result<(), Refused> {
    if !said.has(argument) {
        return Ok(());
    }
    match rule.judge(wanted, &site.model.names) {
        Ok(()) => {
            for (member, why, at) in rule.unsupported() {
                let cause = format!("{member} is always undefined here: {why}");
                site.warn(Note::new(Code::NotImplemented, said.place(argument), member, cause).within(at));
            }
            Ok(())
        }
        Err(fault) => refused(said, site, argument, fault),
    }
}

fn refused(said: &Said<'_>, site: &mut Site<'_>, argument: &str, fault: Fault) -> Result<(), Refused> {
    let missing = fault.is_missing();
    let about = said.text(argument).and_then(|text| text.get(fault.at.clone())).unwrap_or_default();
    let mut note = Note::new(code(&fault.kind), said.place(argument), about, fault.kind.to_string()).within(fault.at);
    note.cure = fault.hint;
    if site.lenient && !(missing && said.may_wait) {
        note.cause.push_str(if missing {
            "; the expression is kept, and undefined where it comes to that"
        } else {
            "; the expression is kept, and always undefined"
        });
        site.warn(note);
        return Ok(());
    }
    Err(Refused { note: Box::new(note), missing })
}

/// Judges what a client is asked about itself: all its names must be there.
///
/// # Errors
/// One is not, or asks the client nothing.
pub(super) fn judge_client(
    said: &Said<'_>,
    site: &mut Site<'_>,
    argument: &str,
    asked: &ClientExpression,
) -> Result<(), Refused> {
    use crate::model::authentication::BadClientNames as Bad;
    let Err(bad) = asked.judge(&site.model.names) else { return Ok(()) };
    let (code, about, missing) = match &bad {
        Bad::Missing(name) => (Code::NoSuchResource, name.to_string(), true),
        Bad::NotOfClients(name) => (Code::InvalidExpression, name.to_string(), false),
        Bad::TooDeep | Bad::TooMany => (Code::InvalidExpression, format!("-{argument}"), false),
    };
    let mut note = Note::new(code, said.place(argument), about, bad.to_string());
    if site.lenient && !(missing && said.may_wait) {
        note.cause.push_str("; it is kept, and never true");
        site.warn(note);
        return Ok(());
    }
    Err(Refused { note: Box::new(note), missing })
}

/// Judges the number to which a binding's `-gotoPriorityExpression` comes, unless it is said without an expression.
///
/// # Errors
/// As [`judge`].
pub(super) fn judge_goto(said: &Said<'_>, site: &mut Site<'_>, goto: Option<&Goto>) -> Result<(), Refused> {
    match goto {
        Some(Goto::Expression(expression)) => judge(said, site, "gotoPriorityExpression", expression, Wanted::Number),
        Some(Goto::Next | Goto::End | Goto::To(_) | Goto::UseInvocationResult) | None => Ok(()),
    }
}

const fn code(kind: &FaultKind) -> Code {
    match kind {
        FaultKind::NotTruth(_) => Code::NotBoolean,
        FaultKind::Client => Code::ClientExpressionUnsupported,
        FaultKind::MissingExpression(_) | FaultKind::MissingPatternSet(_) => Code::NoSuchResource,
        FaultKind::Unfinished(_)
        | FaultKind::Unexpected { .. }
        | FaultKind::Quote
        | FaultKind::Escape(_)
        | FaultKind::UnknownRoot(_)
        | FaultKind::UnknownMember { .. }
        | FaultKind::NoValue(_)
        | FaultKind::WrongKind { .. }
        | FaultKind::Operands { .. }
        | FaultKind::Number
        | FaultKind::Address(_)
        | FaultKind::Network { .. }
        | FaultKind::Moment(_)
        | FaultKind::Regex(_)
        | FaultKind::TooDeep
        | FaultKind::Variable(_)
        | FaultKind::Classic
        | FaultKind::NotConverted(_)
        | FaultKind::MemberOfName
        | FaultKind::NamesTooDeep => Code::InvalidExpression,
    }
}
