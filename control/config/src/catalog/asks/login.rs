//! Logins: how they go, why they went so, how one would go; who is locked out.

use crate::answer::Field;
use crate::catalog::{Argument, Kind, Origin};

use super::{ASK, Ask, What};

const VSERVER: Argument =
    Argument::required("name", Kind::Name, "The authentication virtual server.").names("authentication vserver");

/// A policy of a factor, as `show authentication flow` says it.
const POLICIES: &[Field] = &[
    Field::number("priority", "Priority", "", "Its place in the factor."),
    Field::text("policy", "Policy", "The policy."),
    Field::text("rule", "Rule", "When it applies."),
    Field::text("action", "Action", "What it does then."),
    Field::text("proof", "Proof", "IDENTITY, LOOKUP, SCAN, NOTHING, or UNSERVED: what a success says about the user."),
    Field::text("group", "Group", "Given to the session on success."),
    Field::text("onSuccess", "On success", "The next factor; LOGGED IN if there is none."),
    Field::text("onFailure", "On failure", "NEXT, END, a priority, or an expression."),
    Field::text(
        "quarantineGroup",
        "Quarantine group",
        "Given to the session if every scan of the factor fails and this is the last.",
    ),
    Field::flag("reached", "Reached", "Whether a login can come to it."),
];

pub(super) const FLOW: Ask = Ask {
    verb: "show",
    group: "authentication",
    object: "flow",
    words: "show authentication flow",
    title: "authenticationFlow",
    summary: "How logins go that begin at an authentication virtual server: a drawing of its factors.",
    notes: "What is wrong with it stands below the drawing, as `sluicegate check` says it. `-format dot` is for Graphviz: \
            `sluicectl show authentication flow V -format dot | dot -Tsvg`. In JSON there is a row for each factor.",
    origin: Origin::Sluicegate,
    positionals: &[VSERVER],
    keywords: &[Argument::optional("format", Kind::Choice(&["text", "json", "dot"]), "How the answer is written.").or("text")],
    fields: &[
        Field::text("factor", "Factor", "An authentication virtual server, or a policy label."),
        Field::text("form", "Form", "What its user sees."),
        Field::rows("policies", "Policies", POLICIES, "What is tried, in its order."),
        Field::list("findings", "Findings", "What is wrong with it."),
    ],
    what: What::ShowFlow,
    example: "show authentication flow MFA_AAA_vserver",
    ..ASK
};
