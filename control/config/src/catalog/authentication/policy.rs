//! `authentication Policy`, the classic policies that became one, and `loginSchemaPolicy`.

use crate::code::Code;
use crate::expr::Wanted;
use crate::model::authentication::{
    Action, Authentication, Choice, ClassicKind, ClassicRule, Expression, LOCAL, Policy, SchemaPolicy,
};
use crate::model::{ActionName, Model, PolicyName, SchemaName};
use crate::print::{LineWriter, Writer};
use crate::text::word::word;

use super::super::bound::bound_to;
use super::super::express::judge;
use super::super::ns::something;
use super::super::rename::{Renaming, rename};
use super::super::site::{Note, Refused, Site, incomplete, missing, taken};
use super::super::{Argument, Command, Effect, Feature, Form, Kind, Op, Origin, Rank, Said};
use super::action::{not_built_in, what};
use super::bind::{bound_in, exclusive, rests};
use super::schema::no_schema;

/// Most policies of a configuration, of either kind.
const POLICIES_MAX: usize = 4096;

const NAME: Argument =
    Argument::required("name", Kind::Name, "Name of the policy. Policies and login schema policies share their names.");
const NEW_NAME: Argument = Argument::required("newName", Kind::Name, "Its new name.");

const UNDEFINED: Argument =
    Argument::optional("undefAction", Kind::Word(127, "_-"), "What happens if the rule can be neither true nor false.")
        .or("the policy does not apply");
const COMMENT: Argument = Argument::optional("comment", Kind::Text, "For people.");
const LOG_ACTION: Argument = Argument::optional("logAction", Kind::Name, "What would be logged; kept without effect.");

/// `add authentication Policy`
pub(in super::super) const POLICY: Command = Command {
    group: "authentication",
    object: "Policy",
    words: "authentication Policy",
    summary: "A policy of a factor: a rule, and the action that is tried when the rule is true.",
    notes: "The kind of the action makes the kind of the policy. Two actions are built in: `NO_AUTHN` always succeeds, `LOCAL` asks the \
            local users. A policy `NO_AUTHN` is built in, too.",
    origin: Origin::NetScaler,
    feature: Some(Feature::Aaa),
    effect: Effect::NewSessions,
    forms: &[
        Form {
            op: Op::Add,
            positionals: &[NAME],
            keywords: &[
                Argument::required("rule", Kind::Expression, "When the policy applies."),
                Argument::required("action", Kind::Name, "The action.").names("authentication *Action"),
                UNDEFINED,
                COMMENT,
                LOG_ACTION,
            ],
            example: "add authentication Policy ldap-auth -rule true -action ldap_server1",
            apply: add_policy,
            print: Some((Rank::AuthnPolicy, print_policies)),
        },
        Form {
            op: Op::Set,
            positionals: &[NAME],
            keywords: &[
                Argument::optional("rule", Kind::Expression, "When the policy applies."),
                Argument::optional("action", Kind::Name, "The action.").names("authentication *Action"),
                UNDEFINED,
                COMMENT,
                LOG_ACTION,
            ],
            example: "set authentication Policy ldap-auth -rule \"CLIENT.IP.SRC.IN_SUBNET(10.0.0.0/8)\"",
            apply: set_policy,
            print: None,
        },
        Form {
            op: Op::Unset,
            positionals: &[NAME],
            keywords: &[UNDEFINED, COMMENT, LOG_ACTION],
            example: "unset authentication Policy ldap-auth -comment",
            apply: set_policy,
            print: None,
        },
        Form {
            op: Op::Rm,
            positionals: &[NAME],
            keywords: &[],
            example: "rm authentication Policy ldap-auth",
            apply: rm_policy,
            print: None,
        },
        Form {
            op: Op::Rename,
            positionals: &[NAME, NEW_NAME],
            keywords: &[],
            example: "rename authentication Policy ldap-auth ldap-first",
            apply: rename_policy,
            print: None,
        },
    ],
};

fn add_policy(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let rule = said.text("rule").and_then(|rule| Expression::parse(rule).ok());
    let (Some(name), Some(rule)) = (said.name::<PolicyName>("name"), rule) else { return Err(incomplete(said)) };
    free_name(said, &name, &site.model.authentication, |_| true)?;
    if rests(said, site, "action", "action") {
        return Ok(());
    }
    let mut policy = Policy::always(action(said, "action", site.model)?);
    judge(said, site, "rule", &rule, Wanted::Truth)?;
    policy.rule = rule;
    details(said, &mut policy.undefined, &mut policy.comment, &mut policy.log_action);
    let added = site.model.authentication.policies.add(name.clone(), policy);
    added.map_err(|there| taken(said, "name", Code::AlreadyExists, "policy", there.0.as_str()))?;
    site.keep_arguments(said, name.as_str());
    Ok(())
}

fn set_policy(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    something(said)?;
    let name = said.text("name").unwrap_or_default();
    let Some(mut policy) = site.model.authentication.policies.find(name).cloned() else {
        return Err(no_policy(said, "name", site.model));
    };
    not_built_in(said, "name")?;
    if let Some(rule) = said.text("rule").and_then(|rule| Expression::parse(rule).ok()) {
        judge(said, site, "rule", &rule, Wanted::Truth)?;
        policy.rule = rule;
    }
    if said.has("action") {
        policy.action = action(said, "action", site.model)?;
        exclusive_everywhere(said, site.model, name, &policy.action)?;
    }
    details(said, &mut policy.undefined, &mut policy.comment, &mut policy.log_action);
    if policy.classic.take().is_some() {
        let cause = "from now on this is no classic policy any more: it stays with what its rule means";
        site.warn(Note::new(Code::InvalidArgument, said.place("name"), name, cause));
    }
    if let Some(there) = site.model.authentication.policies.find_mut(name) {
        *there = policy;
    }
    site.keep_arguments(said, name);
    Ok(())
}

fn details(said: &Said<'_>, undefined: &mut Option<Box<str>>, comment: &mut Option<Box<str>>, log_action: &mut Option<Box<str>>) {
    said.put("undefAction", undefined, None, |s| s.text("undefAction").map(|text| Some(text.into())));
    said.put("comment", comment, None, |s| s.text("comment").map(|text| Some(text.into())));
    said.put("logAction", log_action, None, |s| s.text("logAction").map(|text| Some(text.into())));
}

fn rm_policy(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("name").unwrap_or_default();
    if !site.model.authentication.policies.has(name) {
        return Err(no_policy(said, "name", site.model));
    }
    not_built_in(said, "name")?;
    not_bound(said, site.model)?;
    site.model.authentication.policies.remove(name);
    site.forget_arguments(said, name);
    Ok(())
}

fn rename_policy(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let (old, new) = (said.text("name").unwrap_or_default(), said.text("newName").unwrap_or_default());
    let authentication = &site.model.authentication;
    if !authentication.policies.has(old) {
        return Err(no_policy(said, "name", site.model));
    }
    not_built_in(said, "name")?;
    if let Some((there, _)) = authentication.schema_policies.like(new) {
        return Err(taken(said, "newName", Code::PolicyNameTaken, "login schema policy", there.as_str()));
    }
    rename(said, site, &POLICY_RENAMING)
}

const POLICY_RENAMING: Renaming<PolicyName> = Renaming {
    what: "policy",
    no_such: Code::NoSuchResource,
    taken: Code::AlreadyExists,
    commands: &["authentication Policy"],
    names: |model| model.authentication.policies.names().map(PolicyName::as_str).collect(),
    table: |model, old, new| model.authentication.policies.rename(old, new),
    references: |model, show| {
        let made = &mut model.authentication;
        let banks = made.vservers.iter_mut().flat_map(|(_, v)| [&mut v.primary, &mut v.secondary, &mut v.group_extraction]);
        for bank in banks.chain(made.labels.iter_mut().map(|(_, label)| &mut label.bank)) {
            bank.iter_mut().for_each(|binding| show(&mut binding.policy));
        }
        // What is bound outside of factors by this name is a policy of sessions, if there is one.
        let sessions = &model.sessions.policies;
        let vservers = model.vservers.iter_mut().map(|(_, vserver)| &mut vserver.admission.policies);
        let users = model.users.iter_mut().map(|(_, user)| &mut user.policies);
        let groups = model.groups.iter_mut().map(|(_, group)| &mut group.policies);
        for binding in vservers.chain(users).chain(groups).chain([&mut model.sessions.global]).flatten() {
            if !sessions.has(binding.policy.as_str()) {
                show(&mut binding.policy);
            }
        }
    },
};

/// Refuses because `argument` names no policy.
pub(super) fn no_policy(said: &Said<'_>, argument: &str, model: &Model) -> Refused {
    missing(said, argument, Code::NoSuchResource, "policy", model.authentication.policies.names().map(PolicyName::as_str))
}

/// The action that `argument` names, which must exist.
fn action(said: &Said<'_>, argument: &str, model: &Model) -> Result<ActionName, Refused> {
    let actions = &model.authentication.actions;
    let name = said.text(argument).unwrap_or_default();
    match actions.row(name) {
        Some((name, _)) => Ok(name.clone()),
        None => Err(missing(said, argument, Code::NoSuchResource, "action", actions.names().map(ActionName::as_str))),
    }
}

/// A policy with another action may not be what its factors can hold any more.
fn exclusive_everywhere(said: &Said<'_>, model: &Model, policy: &str, action: &ActionName) -> Result<(), Refused> {
    let authentication = &model.authentication;
    let Some(action) = authentication.actions.find(action.as_str()) else { return Err(incomplete(said)) };
    for factor in bound_in(authentication, policy) {
        if let Some(bank) = authentication.bank(&factor) {
            exclusive(authentication, bank, policy, action).map_err(|cause| {
                Note::new(Code::CannotBind, said.place("action"), said.text("action").unwrap_or_default(), cause)
                    .cure(format!("unbind {policy} first"))
            })?;
        }
    }
    Ok(())
}

/// Refuses a name that a policy of either kind has. `same` says which policies are made by the same command.
fn free_name(said: &Said<'_>, name: &PolicyName, made: &Authentication, same: fn(&Policy) -> bool) -> Result<(), Refused> {
    if made.policies.len() + made.schema_policies.len() >= POLICIES_MAX {
        let cause = format!("there are at most {POLICIES_MAX} policies");
        return Err(Note::new(Code::TooManyValues, said.place("name"), name.as_str(), cause).into());
    }
    let schema_command = said.command.object == LOGIN_SCHEMA_POLICY.object;
    if let Some((there, policy)) = made.policies.like(name.as_str()) {
        let code = if !schema_command && same(policy) { Code::AlreadyExists } else { Code::PolicyNameTaken };
        return Err(taken(said, "name", code, "policy", there.as_str()));
    }
    if let Some((there, _)) = made.schema_policies.like(name.as_str()) {
        let code = if schema_command { Code::AlreadyExists } else { Code::PolicyNameTaken };
        return Err(taken(said, "name", code, "login schema policy", there.as_str()));
    }
    Ok(())
}

/// Refuses to remove a policy that is bound somewhere.
fn not_bound(said: &Said<'_>, model: &Model) -> Result<(), Refused> {
    let name = said.text("name").unwrap_or_default();
    let made = &model.authentication;
    let elsewhere = || if model.sessions.policies.has(name) { None } else { bound_to(model, name) };
    let bound = made.vservers.iter().find(|(_, vserver)| vserver.schemas.iter().any(|binding| binding.policy.as_str() == name));
    let by = match (bound_in(made, name).first(), bound) {
        (Some(factor), _) => super::bind::called(factor),
        (None, Some((vserver, _))) => format!("authentication vserver {vserver}"),
        (None, None) => match elsewhere() {
            Some(by) => by,
            None => return Ok(()),
        },
    };
    let note = Note::new(Code::BoundPolicy, said.place("name"), name, format!("{name:?} is bound to {by}"));
    Err(note.cure("unbind it there first").into())
}

/// All policies, in the order in which they were made, each as it was written.
fn print_policies(model: &Model, out: &mut Writer<'_>) {
    for (name, policy) in model.authentication.policies.iter().filter(|(name, _)| !Authentication::is_built_in(name.as_str())) {
        let line = match &policy.classic {
            None => {
                let line = out.line(Op::Add, &POLICY, name.as_str()).word(name);
                line.keyword("rule", &policy.rule).keyword("action", &policy.action)
            }
            Some(ClassicRule { kind: ClassicKind::Local, text }) => {
                out.line(Op::Add, classic_command(ClassicKind::Local), name.as_str()).word(name).word(text)
            }
            Some(ClassicRule { kind, text }) => {
                out.line(Op::Add, classic_command(*kind), name.as_str()).word(name).word(text).word(&policy.action)
            }
        };
        print_details(line, policy.undefined.as_deref(), policy.comment.as_deref(), policy.log_action.as_deref()).end();
    }
}

fn print_details<'w, 'm>(
    line: LineWriter<'w, 'm>,
    undefined: Option<&str>,
    comment: Option<&str>,
    log_action: Option<&str>,
) -> LineWriter<'w, 'm> {
    line.keyword_if("undefAction", undefined).keyword_if("comment", comment).keyword_if("logAction", log_action)
}

macro_rules! classic_policies {
    ($($constant:ident, $kind:ident, $object:literal, $words:literal, $action:literal, $positionals:expr, $add:literal, $set:literal, $rm:literal;)+) => {
        $(
            #[doc = concat!("`add ", $words, "`")]
            pub(in super::super) const $constant: Command = Command {
                group: "authentication",
                object: $object,
                words: $words,
                summary: concat!("A classic policy of ", $action, ". It is understood and kept; use `add authentication Policy` for new ones."),
                notes: "It means what `add authentication Policy` with the same rule in the new language means, with one difference: if it \
                        fails and its binding does not say where to go on, the next policy is tried. Rules can have `ns_true`, `ns_false`, \
                        `REQ.HTTP.HEADER … EXISTS|NOTEXISTS|CONTAINS|NOTCONTAINS …`, `REQ.IP.SOURCEIP == … [-netmask …]`, `&&`, `||`, `!` and \
                        parentheses.",
                origin: Origin::NetScaler,
                feature: Some(Feature::Aaa),
                effect: Effect::NewSessions,
                forms: &[
                    Form { op: Op::Add, positionals: $positionals, keywords: &[], example: $add, apply: add_classic, print: None },
                    Form { op: Op::Set, positionals: &[NAME], keywords: CLASSIC_KEYWORDS, example: $set, apply: set_classic, print: None },
                    Form { op: Op::Rm, positionals: &[NAME], keywords: &[], example: $rm, apply: rm_classic, print: None },
                ],
            };
        )+

        fn classic_command(kind: ClassicKind) -> &'static Command {
            match kind {
                $(ClassicKind::$kind => &$constant,)+
            }
        }
    };
}

const CLASSIC_RULE: Argument = Argument::required("rule", Kind::ClassicRule, "When the policy applies, in the old language.");
const CLASSIC_ACTION: Argument = Argument::required("reqAction", Kind::Name, "The action, of the kind of the policy.");
const CLASSIC: &[Argument] = &[NAME, CLASSIC_RULE, CLASSIC_ACTION];
const CLASSIC_LOCAL: &[Argument] = &[NAME, CLASSIC_RULE];
const CLASSIC_KEYWORDS: &[Argument] = &[
    Argument::optional("rule", Kind::ClassicRule, "When the policy applies, in the old language."),
    Argument::optional("reqAction", Kind::Name, "The action, of the kind of the policy."),
];

classic_policies! {
    LDAP_POLICY, Ldap, "ldapPolicy", "authentication ldapPolicy", "a directory", CLASSIC,
        "add authentication ldapPolicy old_ldap ns_true ldap_server1",
        "set authentication ldapPolicy old_ldap -rule \"REQ.HTTP.HEADER User-Agent CONTAINS CitrixReceiver\"",
        "rm authentication ldapPolicy old_ldap";
    RADIUS_POLICY, Radius, "radiusPolicy", "authentication radiusPolicy", "a RADIUS server", CLASSIC,
        "add authentication radiusPolicy old_radius ns_true otp_server",
        "set authentication radiusPolicy old_radius -rule ns_false",
        "rm authentication radiusPolicy old_radius";
    LOCAL_POLICY, Local, "localPolicy", "authentication localPolicy", "local users", CLASSIC_LOCAL,
        "add authentication localPolicy old_local \"REQ.IP.SOURCEIP == 10.0.0.0 -netmask 255.0.0.0\"",
        "set authentication localPolicy old_local -rule ns_true",
        "rm authentication localPolicy old_local";
    CERT_POLICY, Cert, "certPolicy", "authentication certPolicy", "certificates", CLASSIC,
        "add authentication certPolicy old_cert ns_true smartcard",
        "set authentication certPolicy old_cert -rule ns_false",
        "rm authentication certPolicy old_cert";
    SAML_POLICY, Saml, "samlPolicy", "authentication samlPolicy", "a SAML identity provider", CLASSIC,
        "add authentication samlPolicy old_saml ns_true idp",
        "set authentication samlPolicy old_saml -rule ns_false",
        "rm authentication samlPolicy old_saml";
}

fn kind_of(said: &Said<'_>) -> Result<ClassicKind, Refused> {
    ClassicKind::of(said.command.object).ok_or_else(|| incomplete(said))
}

const fn fits(kind: ClassicKind, action: &Action) -> bool {
    match kind {
        ClassicKind::Ldap => matches!(action, Action::Ldap(_)),
        ClassicKind::Radius => matches!(action, Action::Radius(_)),
        ClassicKind::Local => matches!(action, Action::Local),
        ClassicKind::Cert => matches!(action, Action::Cert(_)),
        ClassicKind::Saml => matches!(action, Action::Saml(_)),
    }
}

fn add_classic(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let kind = kind_of(said)?;
    let Some(name) = said.name::<PolicyName>("name") else { return Err(incomplete(said)) };
    free_name(said, &name, &site.model.authentication, |policy| policy.classic.is_some())?;
    let text = said.text("rule").unwrap_or_default();
    let action = classic_action(said, kind, site.model)?;
    let mut policy = Policy::always(action);
    policy.rule = converted(said, text)?;
    policy.classic = Some(ClassicRule { kind, text: text.into() });
    let now = format!("add authentication Policy {name} -rule {} -action {}", word(policy.rule.as_str()), policy.action);
    let added = site.model.authentication.policies.add(name.clone(), policy);
    added.map_err(|there| taken(said, "name", Code::AlreadyExists, "policy", there.0.as_str()))?;
    let cause = "classic policies are understood and kept, but not what new ones are written in";
    site.warn(Note::new(Code::Deprecated, said.place("name"), name.as_str(), cause).cure(now));
    site.keep_arguments(said, name.as_str());
    Ok(())
}

fn set_classic(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    something(said)?;
    let kind = kind_of(said)?;
    let name = said.text("name").unwrap_or_default();
    let Some(mut policy) = find_classic(&site.model.authentication, name, kind).cloned() else {
        return Err(no_classic(said, kind, site.model));
    };
    if let Some(text) = said.text("rule") {
        policy.rule = converted(said, text)?;
        policy.classic = Some(ClassicRule { kind, text: text.into() });
    }
    if said.has("reqAction") {
        policy.action = classic_action(said, kind, site.model)?;
    }
    if let Some(there) = site.model.authentication.policies.find_mut(name) {
        *there = policy;
    }
    Ok(())
}

fn rm_classic(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let kind = kind_of(said)?;
    let name = said.text("name").unwrap_or_default();
    if find_classic(&site.model.authentication, name, kind).is_none() {
        return Err(no_classic(said, kind, site.model));
    }
    not_bound(said, site.model)?;
    site.model.authentication.policies.remove(name);
    Ok(())
}

fn find_classic<'m>(made: &'m Authentication, name: &str, kind: ClassicKind) -> Option<&'m Policy> {
    made.policies.find(name).filter(|policy| policy.classic.as_ref().is_some_and(|classic| classic.kind == kind))
}

fn no_classic(said: &Said<'_>, kind: ClassicKind, model: &Model) -> Refused {
    let policies = &model.authentication.policies;
    let known = policies.iter().filter(|(_, policy)| policy.classic.as_ref().is_some_and(|classic| classic.kind == kind));
    missing(said, "name", Code::NoSuchResource, said.command.object, known.map(|(name, _)| name.as_str()))
}

/// The action of a classic policy: of its own kind.
fn classic_action(said: &Said<'_>, kind: ClassicKind, model: &Model) -> Result<ActionName, Refused> {
    if kind == ClassicKind::Local {
        return ActionName::parse(LOCAL).map_err(|_| incomplete(said));
    }
    let name = action(said, "reqAction", model)?;
    match model.authentication.actions.find(name.as_str()) {
        Some(action) if !fits(kind, action) => {
            let cause = format!("{:?} is of the kind {}, which no {} can have", name.as_str(), what(action), kind.word());
            Err(Note::new(Code::InvalidArgument, said.place("reqAction"), name.as_str(), cause).into())
        }
        Some(_) | None => Ok(name),
    }
}

fn converted(said: &Said<'_>, text: &str) -> Result<Expression, Refused> {
    Expression::convert(text).map_err(|not| {
        let note =
            Note::new(Code::InvalidExpression, said.place("rule"), text, format!("this classic rule has no counterpart: {not}"));
        note.cure("write it as `add authentication Policy NAME -rule EXPRESSION -action ACTION`").into()
    })
}

/// `add authentication loginSchemaPolicy`
pub(in super::super) const LOGIN_SCHEMA_POLICY: Command = Command {
    group: "authentication",
    object: "loginSchemaPolicy",
    words: "authentication loginSchemaPolicy",
    summary: "Chooses the form of the first factor.",
    notes: "Bound to an authentication virtual server; the first one whose rule is true gives the form.",
    origin: Origin::NetScaler,
    feature: Some(Feature::Aaa),
    effect: Effect::NewSessions,
    forms: &[
        Form {
            op: Op::Add,
            positionals: &[NAME],
            keywords: &[
                Argument::required("rule", Kind::Expression, "When the policy applies."),
                Argument::required("action", Kind::Name, "The login schema.").names("authentication loginSchema"),
                UNDEFINED,
                COMMENT,
                LOG_ACTION,
            ],
            example: "add authentication loginSchemaPolicy one_form -rule true -action SingleAuth",
            apply: add_schema_policy,
            print: Some((Rank::AuthnSchemaPolicy, print_schema_policies)),
        },
        Form {
            op: Op::Set,
            positionals: &[NAME],
            keywords: &[
                Argument::optional("rule", Kind::Expression, "When the policy applies."),
                Argument::optional("action", Kind::Name, "The login schema.").names("authentication loginSchema"),
                UNDEFINED,
                COMMENT,
                LOG_ACTION,
            ],
            example: "set authentication loginSchemaPolicy one_form -comment \"for everybody\"",
            apply: set_schema_policy,
            print: None,
        },
        Form {
            op: Op::Unset,
            positionals: &[NAME],
            keywords: &[UNDEFINED, COMMENT, LOG_ACTION],
            example: "unset authentication loginSchemaPolicy one_form -comment",
            apply: set_schema_policy,
            print: None,
        },
        Form {
            op: Op::Rm,
            positionals: &[NAME],
            keywords: &[],
            example: "rm authentication loginSchemaPolicy one_form",
            apply: rm_schema_policy,
            print: None,
        },
        Form {
            op: Op::Rename,
            positionals: &[NAME, NEW_NAME],
            keywords: &[],
            example: "rename authentication loginSchemaPolicy one_form first_form",
            apply: rename_schema_policy,
            print: None,
        },
    ],
};

fn add_schema_policy(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let rule = said.text("rule").and_then(|rule| Expression::parse(rule).ok());
    let (Some(name), Some(rule)) = (said.name::<PolicyName>("name"), rule) else { return Err(incomplete(said)) };
    free_name(said, &name, &site.model.authentication, |_| false)?;
    let schema = schema(said, site.model)?;
    judge(said, site, "rule", &rule, Wanted::Truth)?;
    let mut policy = SchemaPolicy { rule, schema, undefined: None, comment: None, log_action: None };
    details(said, &mut policy.undefined, &mut policy.comment, &mut policy.log_action);
    let added = site.model.authentication.schema_policies.add(name.clone(), policy);
    added.map_err(|there| taken(said, "name", Code::AlreadyExists, "login schema policy", there.0.as_str()))?;
    site.keep_arguments(said, name.as_str());
    Ok(())
}

fn set_schema_policy(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    something(said)?;
    let name = said.text("name").unwrap_or_default();
    let Some(mut policy) = site.model.authentication.schema_policies.find(name).cloned() else {
        return Err(no_schema_policy(said, site.model));
    };
    if let Some(rule) = said.text("rule").and_then(|rule| Expression::parse(rule).ok()) {
        judge(said, site, "rule", &rule, Wanted::Truth)?;
        policy.rule = rule;
    }
    if said.has("action") {
        policy.schema = schema(said, site.model)?;
    }
    details(said, &mut policy.undefined, &mut policy.comment, &mut policy.log_action);
    if let Some(there) = site.model.authentication.schema_policies.find_mut(name) {
        *there = policy;
    }
    site.keep_arguments(said, name);
    Ok(())
}

fn rm_schema_policy(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("name").unwrap_or_default();
    if !site.model.authentication.schema_policies.has(name) {
        return Err(no_schema_policy(said, site.model));
    }
    not_bound(said, site.model)?;
    site.model.authentication.schema_policies.remove(name);
    site.forget_arguments(said, name);
    Ok(())
}

fn rename_schema_policy(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let (old, new) = (said.text("name").unwrap_or_default(), said.text("newName").unwrap_or_default());
    let made = &site.model.authentication;
    if !made.schema_policies.has(old) {
        return Err(no_schema_policy(said, site.model));
    }
    if let Some((there, _)) = made.policies.like(new) {
        return Err(taken(said, "newName", Code::PolicyNameTaken, "policy", there.as_str()));
    }
    rename(said, site, &SCHEMA_POLICY_RENAMING)
}

const SCHEMA_POLICY_RENAMING: Renaming<PolicyName> = Renaming {
    what: "login schema policy",
    no_such: Code::NoSuchResource,
    taken: Code::AlreadyExists,
    commands: &["authentication loginSchemaPolicy"],
    names: |model| model.authentication.schema_policies.names().map(PolicyName::as_str).collect(),
    table: |model, old, new| model.authentication.schema_policies.rename(old, new),
    references: |model, show| {
        for (_, vserver) in model.authentication.vservers.iter_mut() {
            vserver.schemas.iter_mut().for_each(|binding| show(&mut binding.policy));
        }
    },
};

fn schema(said: &Said<'_>, model: &Model) -> Result<SchemaName, Refused> {
    let name = said.text("action").unwrap_or_default();
    let found = model.authentication.schemas.row(name).map(|(name, _)| name.clone());
    found.ok_or_else(|| no_schema(said, "action", model))
}

fn no_schema_policy(said: &Said<'_>, model: &Model) -> Refused {
    let known = model.authentication.schema_policies.names().map(PolicyName::as_str);
    missing(said, "name", Code::NoSuchResource, "login schema policy", known)
}

fn print_schema_policies(model: &Model, out: &mut Writer<'_>) {
    for (name, policy) in model.authentication.schema_policies.iter() {
        let line = out.line(Op::Add, &LOGIN_SCHEMA_POLICY, name.as_str()).word(name);
        let line = line.keyword("rule", &policy.rule).keyword("action", &policy.schema);
        print_details(line, policy.undefined.as_deref(), policy.comment.as_deref(), policy.log_action.as_deref()).end();
    }
}
