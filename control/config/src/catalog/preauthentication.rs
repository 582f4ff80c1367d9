//! Classic preauthentication: what is asked of a client before its user is asked anything.

use crate::code::Code;
use crate::model::authentication::Choice;
use crate::model::{
    Asked, ClientCheck, Model, PolicyName, PreauthAction, PreauthActionName, PreauthBinding, PreauthParameter, PreauthPolicy,
    SessionGroup, Verdict,
};
use crate::print::Writer;

use super::bound::{PRIORITY, bound_to};
use super::ns::something;
use super::site::{Note, Refused, Site, in_use, incomplete, missing, taken};
use super::{Argument, Command, Effect, Feature, Form, Kind, Op, Origin, Rank, Said, wishes};

const EFFECT: Effect = Effect::NewSessions;
const VERDICT: Kind = Kind::Choice(<Verdict as Choice>::WORDS);
const ACTION_NAME: Argument = Argument::required("name", Kind::Name, "Its name.");
const POLICY_NAME: Argument = Argument::required("name", Kind::Name, "Its name.");
const KILL: Argument = Argument::optional(
    "killProcess",
    Kind::Text,
    "Processes that the client is to end, commas between them. A client does so only where its user has agreed.",
);
const DELETE: Argument = Argument::optional(
    "deletefiles",
    Kind::Text,
    "Files that the client is to delete, commas between them. A client does so only where its user has agreed.",
);
const RULE_HELP: &str = "What the client's machine must be like; stands in quotes if it has blanks.";

const ACTION_KEYWORDS: &[Argument] = &[
    KILL,
    DELETE,
    Argument::optional("defaultEPAGroup", Kind::SessionGroup, "Group that the session gets if the rule is true."),
];

/// `add aaa preauthenticationaction`
pub(super) const ACTION: Command = Command {
    group: "aaa",
    object: "preauthenticationaction",
    words: "aaa preauthenticationaction",
    summary: "What follows from looking at the client before the login.",
    notes: "The first policy whose rule is true decides. If none is true, the login may begin unless one of them would have allowed it. \
            All this is for virtual servers without `-authnProfile`; the others ask the client in a factor of the login, see \
            `authentication epaAction`.",
    origin: Origin::NetScaler,
    feature: Some(Feature::Aaa),
    effect: EFFECT,
    forms: &[
        Form {
            op: Op::Add,
            positionals: &[
                ACTION_NAME,
                Argument::optional("preauthenticationaction", VERDICT, "Whether the login may begin.").or("ALLOW"),
            ],
            keywords: ACTION_KEYWORDS,
            example: "add aaa preauthenticationaction allow ALLOW",
            apply: add_action,
            print: Some((Rank::AaaPreauthenticationAction, print_actions)),
        },
        Form {
            op: Op::Set,
            positionals: &[ACTION_NAME],
            keywords: &[
                Argument::optional("preauthenticationaction", VERDICT, "Whether the login may begin."),
                KILL,
                DELETE,
                Argument::optional("defaultEPAGroup", Kind::SessionGroup, "Group that the session gets if the rule is true."),
            ],
            example: "set aaa preauthenticationaction allow -killProcess bad.exe",
            apply: set_action,
            print: None,
        },
        Form {
            op: Op::Unset,
            positionals: &[ACTION_NAME],
            keywords: ACTION_KEYWORDS,
            example: "unset aaa preauthenticationaction allow -killProcess",
            apply: set_action,
            print: None,
        },
        Form {
            op: Op::Rm,
            positionals: &[ACTION_NAME],
            keywords: &[],
            example: "add aaa preauthenticationaction old\nrm aaa preauthenticationaction old",
            apply: rm_action,
            print: None,
        },
    ],
};

fn change(said: &Said<'_>, action: &mut PreauthAction) {
    let text = |name: &'static str| move |s: &Said<'_>| s.text(name).map(|text| Some(Box::from(text)));
    // Only `add` and `set` have it.
    if said.form.op != Op::Unset
        && let Some(verdict) = said.text("preauthenticationaction").and_then(Verdict::of)
    {
        action.verdict = verdict;
    }
    said.put("killProcess", &mut action.kill_process, None, text("killProcess"));
    said.put("deletefiles", &mut action.delete_files, None, text("deletefiles"));
    said.put("defaultEPAGroup", &mut action.default_group, None, |s| s.name::<SessionGroup>("defaultEPAGroup").map(Some));
}

fn add_action(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let Some(name) = said.name::<PreauthActionName>("name") else { return Err(incomplete(said)) };
    wishes::judge(said)?;
    let mut action = PreauthAction::default();
    change(said, &mut action);
    let added = site.model.preauthentication.actions.add(name.clone(), action);
    added.map_err(|there| taken(said, "name", Code::AlreadyExists, "preauthentication action", there.0.as_str()))?;
    site.keep_arguments(said, name.as_str());
    Ok(())
}

fn set_action(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    something(said)?;
    wishes::judge(said)?;
    let name = said.text("name").unwrap_or_default();
    let Some(action) = site.model.preauthentication.actions.find_mut(name) else {
        return Err(no_action(said, "name", site.model));
    };
    change(said, action);
    site.keep_arguments(said, name);
    Ok(())
}

fn rm_action(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("name").unwrap_or_default();
    let made = &mut site.model.preauthentication;
    if !made.actions.has(name) {
        return Err(no_action(said, "name", site.model));
    }
    let uses = |policy: &PreauthPolicy| policy.action.as_ref().is_some_and(|action| action.as_str() == name);
    if let Some((policy, _)) = made.policies.iter().find(|(_, policy)| uses(policy)) {
        return Err(in_use(said, "name", Code::InUse, &format!("preauthentication policy {policy}")));
    }
    made.actions.remove(name);
    site.forget_arguments(said, name);
    Ok(())
}

fn no_action(said: &Said<'_>, argument: &str, model: &Model) -> Refused {
    let known = model.preauthentication.actions.names().map(PreauthActionName::as_str);
    missing(said, argument, Code::NoSuchResource, "preauthentication action", known)
}

fn print_actions(model: &Model, out: &mut Writer<'_>) {
    for (name, action) in model.preauthentication.actions.iter() {
        let PreauthAction { verdict, kill_process, delete_files, default_group } = action;
        out.line(Op::Add, &ACTION, name.as_str())
            .word(name)
            .word(verdict.word())
            .keyword_if("killProcess", kill_process.as_deref())
            .keyword_if("deletefiles", delete_files.as_deref())
            .keyword_if("defaultEPAGroup", default_group.as_ref())
            .end();
    }
}

/// `add aaa preauthenticationpolicy`
pub(super) const POLICY: Command = Command {
    group: "aaa",
    object: "preauthenticationpolicy",
    words: "aaa preauthenticationpolicy",
    summary: "What the client's machine must be like before the login.",
    notes: "It is looked at where it is bound: to a virtual server, or with `bind aaa global`. Tests of the client in the old language \
            (`CLIENT.APPLICATION.PROCESS(x) EXISTS -frequency 5`, and those of files, services, the registry, the system) are put to \
            the client as `sys.client_expr` would; what cannot be put to it counts as false.",
    origin: Origin::NetScaler,
    feature: Some(Feature::Aaa),
    effect: EFFECT,
    forms: &[
        Form {
            op: Op::Add,
            positionals: &[
                POLICY_NAME,
                Argument::required("rule", Kind::Text, RULE_HELP),
                Argument::optional("reqAction", Kind::Name, "What follows if it is.").names("aaa preauthenticationaction"),
            ],
            keywords: &[],
            example: "add aaa preauthenticationpolicy firewall \"CLIENT.SVC(svchost.exe) EXISTS\" allow",
            apply: add_policy,
            print: Some((Rank::AaaPreauthenticationPolicy, print_policies)),
        },
        Form {
            op: Op::Set,
            positionals: &[POLICY_NAME],
            keywords: &[
                Argument::optional("rule", Kind::Text, RULE_HELP),
                Argument::optional("reqAction", Kind::Name, "What follows if it is.").names("aaa preauthenticationaction"),
            ],
            example: "set aaa preauthenticationpolicy firewall -rule \"CLIENT.SVC(mpssvc) EXISTS\"",
            apply: set_policy,
            print: None,
        },
        Form {
            op: Op::Rm,
            positionals: &[POLICY_NAME],
            keywords: &[],
            example: "rm aaa preauthenticationpolicy firewall",
            apply: rm_policy,
            print: None,
        },
    ],
};

/// What a line says about the client's machine. What cannot be put to a client is warned of.
pub(super) fn check(said: &Said<'_>, site: &mut Site<'_>, name: &str) -> Option<ClientCheck> {
    let check = ClientCheck::read(said.text(name)?);
    if let Asked::Cannot(why) = check.asked() {
        let cause = format!("this cannot be put to a client, so its answer is always no: {why}");
        let note = Note::new(Code::InvalidExpression, said.place(name), check.as_str(), cause);
        site.warn(note.cure("write it with sys.client_expr, see `authentication epaAction`"));
    }
    Some(check)
}

fn action_of(said: &Said<'_>, site: &Site<'_>) -> Result<Option<PreauthActionName>, Refused> {
    let Some(name) = said.name::<PreauthActionName>("reqAction") else { return Ok(None) };
    if site.model.preauthentication.actions.has(name.as_str()) {
        Ok(Some(name))
    } else {
        Err(no_action(said, "reqAction", site.model))
    }
}

fn add_policy(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let Some(name) = said.name::<PolicyName>("name") else { return Err(incomplete(said)) };
    let action = action_of(said, site)?;
    let Some(rule) = check(said, site, "rule") else { return Err(incomplete(said)) };
    let added = site.model.preauthentication.policies.add(name, PreauthPolicy { rule, action });
    added.map_err(|there| taken(said, "name", Code::AlreadyExists, "preauthentication policy", there.0.as_str()))
}

fn set_policy(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    something(said)?;
    let name = said.text("name").unwrap_or_default();
    if !site.model.preauthentication.policies.has(name) {
        return Err(no_policy(said, "name", site.model));
    }
    let (action, rule) = (action_of(said, site)?, check(said, site, "rule"));
    if let Some(policy) = site.model.preauthentication.policies.find_mut(name) {
        policy.action = action.or_else(|| policy.action.clone());
        policy.rule = rule.unwrap_or_else(|| policy.rule.clone());
    }
    Ok(())
}

fn rm_policy(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("name").unwrap_or_default();
    if !site.model.preauthentication.policies.has(name) {
        return Err(no_policy(said, "name", site.model));
    }
    if site.model.preauthentication.global.iter().any(|binding| binding.policy.as_str() == name) {
        return Err(in_use(said, "name", Code::InUse, "`bind aaa global`"));
    }
    if let Some(by) = bound_to(site.model, name) {
        return Err(in_use(said, "name", Code::BoundPolicy, &by));
    }
    site.model.preauthentication.policies.remove(name);
    Ok(())
}

fn no_policy(said: &Said<'_>, argument: &str, model: &Model) -> Refused {
    let known = model.preauthentication.policies.names().map(PolicyName::as_str);
    missing(said, argument, Code::NoSuchResource, "preauthentication policy", known)
}

fn print_policies(model: &Model, out: &mut Writer<'_>) {
    for (name, policy) in model.preauthentication.policies.iter() {
        let line = out.line(Op::Add, &POLICY, name.as_str()).word(name).word(&policy.rule);
        let line = if let Some(action) = &policy.action { line.word(action) } else { line };
        line.end();
    }
}

/// `set aaa preauthenticationparameter`
pub(super) const PARAMETER: Command = Command {
    group: "aaa",
    object: "preauthenticationparameter",
    words: "aaa preauthenticationparameter",
    summary: "What the client's machine must be like before any login.",
    notes: "It is looked at behind all bound policies, at virtual servers without `-authnProfile`.",
    origin: Origin::NetScaler,
    feature: Some(Feature::Aaa),
    effect: EFFECT,
    forms: &[
        Form {
            op: Op::Set,
            positionals: &[],
            keywords: PARAMETER_KEYWORDS,
            example: "set aaa preauthenticationparameter -preauthenticationaction ALLOW -rule ns_true",
            apply: parameter,
            print: Some((Rank::AaaPreauthenticationParameter, print_parameter)),
        },
        Form {
            op: Op::Unset,
            positionals: &[],
            keywords: PARAMETER_KEYWORDS,
            example: "unset aaa preauthenticationparameter -preauthenticationaction",
            apply: parameter,
            print: None,
        },
    ],
};

const PARAMETER_KEYWORDS: &[Argument] = &[
    Argument::optional("preauthenticationaction", VERDICT, "Whether the login may begin if the rule is true."),
    Argument::optional("rule", Kind::Text, RULE_HELP),
    KILL,
    DELETE,
];

fn parameter(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    something(said)?;
    wishes::judge(said)?;
    let rule = if said.form.op == Op::Unset { None } else { check(said, site, "rule") };
    let text = |name: &'static str| move |s: &Said<'_>| s.text(name).map(|text| Some(Box::from(text)));
    let to = &mut site.model.preauthentication.parameter;
    said.put("preauthenticationaction", &mut to.verdict, None, |s| {
        s.text("preauthenticationaction").and_then(Verdict::of).map(Some)
    });
    said.put("rule", &mut to.rule, None, |_| rule.map(Some));
    said.put("killProcess", &mut to.kill_process, None, text("killProcess"));
    said.put("deletefiles", &mut to.delete_files, None, text("deletefiles"));
    site.keep_arguments(said, "");
    Ok(())
}

fn print_parameter(model: &Model, out: &mut Writer<'_>) {
    let PreauthParameter { verdict, rule, kill_process, delete_files } = &model.preauthentication.parameter;
    out.line(Op::Set, &PARAMETER, "")
        .keyword_if("preauthenticationaction", verdict.map(Choice::word))
        .keyword_if("rule", rule.as_ref())
        .keyword_if("killProcess", kill_process.as_deref())
        .keyword_if("deletefiles", delete_files.as_deref())
        .end();
}

/// `bind aaa global`
pub(super) const GLOBAL: Command = Command {
    group: "aaa",
    object: "global",
    words: "aaa global",
    summary: "Preauthentication policies for all logins.",
    notes: "They are looked at behind those of the virtual server, where that has no `-authnProfile`.",
    origin: Origin::NetScaler,
    feature: Some(Feature::Aaa),
    effect: EFFECT,
    forms: &[
        Form {
            op: Op::Bind,
            positionals: &[],
            keywords: GLOBAL_KEYWORDS,
            example: "bind aaa global -policy firewall -priority 10",
            apply: bind,
            print: Some((Rank::AaaGlobalBind, print_global)),
        },
        Form {
            op: Op::Unbind,
            positionals: &[],
            keywords: GLOBAL_KEYWORDS,
            example: "unbind aaa global -policy firewall",
            apply: unbind,
            print: None,
        },
    ],
};

const GLOBAL_KEYWORDS: &[Argument] =
    &[Argument::required("policy", Kind::Name, "A preauthentication policy.").names("aaa preauthenticationpolicy"), PRIORITY];

/// Most policies bound for all.
const BINDINGS_MAX: usize = 256;

fn bind(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let Some(policy) = said.name::<PolicyName>("policy") else { return Err(incomplete(said)) };
    let made = &mut site.model.preauthentication;
    if !made.policies.has(policy.as_str()) {
        return Err(no_policy(said, "policy", site.model));
    }
    let place = said.place("policy");
    if made.global.iter().any(|binding| binding.policy == policy) {
        return Err(Note::new(Code::BindingExists, place, policy.as_str(), "this policy is bound already").into());
    }
    if made.global.len() >= BINDINGS_MAX {
        let cause = format!("at most {BINDINGS_MAX} policies are bound for all");
        return Err(Note::new(Code::TooManyValues, place, policy.as_str(), cause).into());
    }
    made.global.push(PreauthBinding { policy, priority: said.number("priority") });
    Ok(())
}

fn unbind(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let policy = said.text("policy").unwrap_or_default();
    let global = &mut site.model.preauthentication.global;
    match global.iter().position(|binding| binding.policy.as_str() == policy) {
        Some(at) => {
            global.remove(at);
            Ok(())
        }
        None => Err(Note::new(Code::NoSuchResource, said.place("policy"), policy, "this policy is not bound").into()),
    }
}

fn print_global(model: &Model, out: &mut Writer<'_>) {
    for PreauthBinding { policy, priority } in &model.preauthentication.global {
        out.line(Op::Bind, &GLOBAL, "").keyword("policy", policy).keyword_if("priority", *priority).end();
    }
}
