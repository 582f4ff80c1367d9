//! A flow as an answer: a drawing, a picture, or rows for programs.

use crate::answer::{Answer, Layout, Row};
use crate::catalog::asks::LINES;
use crate::code::Code;
use crate::model::Model;
use crate::order::{AskOrder, Format};
use crate::problem::Problem;

use super::{Called, Failure, Flow, Node, Proof, Rule, To};

/// The answer to `show authentication flow`.
#[expect(clippy::result_large_err, reason = "a problem is told once per line, and callers keep many of them in a list")]
pub(crate) fn answer(model: &Model, order: &AskOrder) -> Result<Answer, Problem> {
    let made = &model.authentication;
    let Some(flow) = Flow::of(made, order.text("name").unwrap_or_default()) else {
        return Err(order.problem("name", Code::NoSuchResource, "there is no authentication virtual server of this name"));
    };
    let findings = flow.findings();
    if order.format == Format::Json {
        let mut answer = Answer::of(order.ask);
        for node in &flow.nodes {
            let of_node = findings.iter().filter(|finding| finding.factor() == Some(&node.factor));
            let row = Row::new()
                .text("factor", Called(&node.factor).to_string())
                .text("form", node.form.to_string())
                .rows("policies", (0..node.edges.len()).filter_map(|at| policy(&flow, node, at)).collect());
            answer.push(row.list("findings", of_node.map(ToString::to_string)));
        }
        return Ok(answer);
    }
    let text = if order.text("format") == Some("dot") {
        flow.dot()
    } else {
        let mut text = flow.draw();
        for finding in &findings {
            text.extend([String::new(), format!("Warning: {finding}")]);
        }
        text
    };
    let rows = text.into_iter().map(|line| Row::new().text("line", line)).collect();
    Ok(Answer { layout: Layout::Lines, fields: LINES.to_vec(), rows, ..Answer::of(order.ask) })
}

/// A policy of a factor.
fn policy(flow: &Flow, node: &Node, at: usize) -> Option<Row> {
    let edge = node.edges.get(at)?;
    let to = |to: To| match to {
        To::Node(at) => flow.node(at).map(|node| Called(&node.factor).to_string()),
        To::LoggedIn => Some("LOGGED IN".to_owned()),
    };
    let rule = match &edge.rule {
        Rule::Always => "true",
        Rule::Never => "false",
        Rule::If(rule) => rule.as_str(),
    };
    let proof = match edge.proof {
        Proof::Identity => "IDENTITY",
        Proof::LookUp => "LOOKUP",
        Proof::Code => "CODE",
        Proof::Scan => "SCAN",
        Proof::Nothing => "NOTHING",
        Proof::Unserved(_) => "UNSERVED",
    };
    let failure = match &edge.failure {
        Failure::Never => None,
        Failure::Quarantine(..) | Failure::Next => Some("NEXT".to_owned()),
        other @ (Failure::End | Failure::Priority(_) | Failure::Says(_)) => Some(other.to_string()),
    };
    let row = Row::new()
        .number("priority", edge.priority)
        .text("policy", edge.policy.as_str())
        .text("rule", rule)
        .text("action", edge.action.as_str())
        .text("proof", proof)
        .maybe("group", edge.group.as_ref().map(|group| group.as_str()))
        .maybe("onSuccess", to(edge.success))
        .maybe("onFailure", failure)
        .maybe("quarantineGroup", node.quarantine(at).map(|(group, _)| group.as_str()));
    Some(row.flag("reached", edge.reached))
}
