//! Logins: how they go, why they went so, how one would go; who is locked out.

use crate::answer::{Field, Layout};
use crate::catalog::{Argument, Kind, Origin};

use super::{ASK, Ask, Level, What};

const VSERVER: Argument =
    Argument::required("name", Kind::Name, "The authentication virtual server.").names("authentication vserver");

/// A policy of a factor, as `show authentication flow` says it.
const POLICIES: &[Field] = &[
    Field::number("priority", "Priority", "", "Its place in the factor."),
    Field::text("policy", "Policy", "The policy."),
    Field::text("rule", "Rule", "When it applies."),
    Field::text("action", "Action", "What it does then."),
    Field::text("proof", "Proof", "IDENTITY, CODE, LOOKUP, SCAN, NOTHING, or UNSERVED: what a success says about the user."),
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

/// Most groups, headers or fields that a dry run is given.
const GIVEN_MAX: usize = 64;

/// A decision, as a dry run and a trace say it.
const DECISION: &[Field] = &[
    Field::text("factor", "Factor", "Where it was decided."),
    Field::text("policy", "Policy", "About which policy, if about one."),
    Field::text("rule", "Rule", "TRUE, FALSE or UNDEFINED, if it was looked at."),
    Field::text("decision", "Decision", "What was decided, and why."),
];

pub(super) const TEST: Ask = Ask {
    verb: "test",
    group: "authentication",
    words: "test authentication",
    title: "authenticationTest",
    summary: "A login that nobody makes: factor by factor, what would be decided.",
    notes: "The machine that decides logins is told what the arguments say, and nothing else happens: no directory is asked, nothing is counted, \
            no session is made. Directories and local users answer as `-answer` says, with the groups of `-groups`; a password is not \
            needed. `-epa` is what the client answers to each scan, the last one to all that follow: `pass`, `fail`, `skip`, or a digit for \
            each of its strings, 0 for yes.",
    origin: Origin::Sluicegate,
    positionals: &[VSERVER],
    keywords: &[
        Argument::required("user", Kind::Text, "The name that is typed."),
        Argument::optional("groups", Kind::List(&Kind::Text, GIVEN_MAX), "Groups that a directory knows of him."),
        Argument::optional(
            "answer",
            Kind::Choice(&["right", "wrong", "outage", "challenge"]),
            "What servers and local users say; with challenge, a RADIUS server asks back once.",
        )
        .or("right"),
        Argument::optional("epa", Kind::List(&Kind::Word(256, ""), GIVEN_MAX), "What the client answers to scans.").or("skip"),
        Argument::optional("url", Kind::Text, "Path and query of the requests.").or("/nf/auth/doAuthentication.do"),
        Argument::optional("header", Kind::List(&Kind::Text, GIVEN_MAX), "Headers of the requests: \"Name: value\"."),
        Argument::optional("field", Kind::List(&Kind::Text, GIVEN_MAX), "More fields of forms: name=value."),
        Argument::optional("address", Kind::Ip, "Where the client is.").or("192.0.2.1"),
    ],
    fields: DECISION,
    layout: Layout::Table,
    what: What::TestLogin,
    example: "test authentication MFA_AAA_vserver -user ann -groups staff -epa pass",
    ..ASK
};

pub(super) const TRACE: Ask = Ask {
    verb: "show",
    group: "authentication",
    object: "trace",
    words: "show authentication trace",
    title: "authenticationTrace",
    summary: "Why logins went as they did: the last ones, each with its decisions.",
    notes: "Those under way, and the last 200 that are over; the latest first. Nothing that was typed is in it, and a name stands there once somebody \
            has proven to have it.",
    origin: Origin::Sluicegate,
    keywords: &[
        Argument::optional("number", Kind::Number { min: 0, max: u64::MAX, unit: "login" }, "The one with this number."),
        Argument::optional("userName", Kind::Name, "Those of this user."),
        Argument::optional("vserver", Kind::Name, "Those at this virtual server.").names("vpn vserver"),
    ],
    fields: &[
        Field::number("number", "Number", "", "Counted up with every login that begins."),
        Field::text("began", "Began", "When, UTC."),
        Field::number("ageSeconds", "Age", "seconds", "Since then."),
        Field::number("lastedMillis", "Lasted", "milliseconds", "Until it was over."),
        Field::text("vserver", "Vserver", "The virtual server."),
        Field::text("client", "Client", "Address and port of the client."),
        Field::text("userName", "User name", "Who has proven to be."),
        Field::text("outcome", "Outcome", "UNDER WAY, GRANTED, NOT ENTERED, REFUSED, EXPIRED or DISPLACED."),
        Field::text("reason", "Reason", "Why it was refused."),
        Field::number("sessionNumber", "Session number", "", "Of the session that was granted."),
        Field::text("sessionEnd", "Session end", "Why that session ended, if it has."),
        Field::number("leftOut", "Left out", "", "Decisions that are not kept, just before the last."),
        Field::lines("decisions", "Decisions", TRACED, "What was decided, in order."),
    ],
    what: What::ShowTrace,
    example: "show authentication trace -userName ann",
    ..ASK
};

const TRACED: &[Field] = &[
    Field::number("afterMillis", "After", "milliseconds", "Since it began."),
    Field::text("factor", "Factor", "Where it was decided."),
    Field::text("policy", "Policy", "About which policy, if about one."),
    Field::text("rule", "Rule", "TRUE, FALSE or UNDEFINED, if it was looked at."),
    Field::text("decision", "Decision", "What was decided, and why."),
];

pub(super) const UNLOCK: Ask = Ask {
    verb: "unlock",
    group: "aaa",
    object: "user",
    words: "unlock aaa user",
    title: "aaaUser",
    summary: "Lets a user try again who is locked out after too many failures.",
    notes: "At every virtual server. It is no error if he was not locked out.",
    positionals: &[Argument::required("userName", Kind::Text, "His name, as he types it.")],
    fields: &[Field::number("unlocked", "Unlocked", "", "At how many virtual servers he was locked out.")],
    layout: Layout::Single,
    level: Level::Change,
    what: What::UnlockUser,
    example: "unlock aaa user ann",
    ..ASK
};
