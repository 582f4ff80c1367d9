//! `system`: administrators.

use std::collections::BTreeMap;

use crate::code::Code;
use crate::model::{Administrator, Credential, Model, UserName};
use crate::print::Writer;

use super::aaa::{credential, write_credential};
use super::ns::something;
use super::site::{Note, Refused, Site, incomplete, missing, taken};
use super::{Argument, Command, Effect, Form, Kind, Op, Origin, Rank, Said};

const ENABLED: Kind = Kind::Choice(&["ENABLED", "DISABLED"]);

/// `add system user`
pub(super) const USER: Command = Command {
    group: "system",
    object: "user",
    words: "system user",
    summary: "An administrator.",
    notes: "The control socket asks the kernel who is at the other end, so nobody logs in there with a password; see `-readGroup` and \
            `-changeGroup` of `set ns config`. Passwords are hashed and printed as those of `aaa user`. One that another product has \
            hashed is kept for printing back.",
    origin: Origin::Extended,
    feature: None,
    effect: Effect::Never("who may use the control socket is said by `set ns config -readGroup -changeGroup`"),
    forms: &[
        Form {
            op: Op::Add,
            positionals: &[NAME, PASSWORD],
            keywords: KEYWORDS,
            example: "add system user operator \"correct horse\" -timeout 900",
            apply: add,
            print: Some((Rank::SystemUser, print)),
        },
        Form {
            op: Op::Set,
            positionals: &[NAME, PASSWORD],
            keywords: KEYWORDS,
            example: "set system user operator -timeout 300",
            apply: set,
            print: None,
        },
        Form {
            op: Op::Unset,
            positionals: &[NAME],
            keywords: KEYWORDS,
            example: "unset system user operator -timeout",
            apply: unset,
            print: None,
        },
        Form { op: Op::Rm, positionals: &[NAME], keywords: &[], example: "rm system user operator", apply: rm, print: None },
        Form {
            op: Op::Bind,
            positionals: BOUND,
            keywords: PARTITION,
            example: "bind system user operator superuser 100",
            apply: bind,
            print: Some((Rank::SystemUserBind, print_bound)),
        },
        Form {
            op: Op::Unbind,
            positionals: &[NAME, POLICY],
            keywords: PARTITION,
            example: "unbind system user operator superuser",
            apply: unbind,
            print: None,
        },
    ],
};

const PASSWORD: Argument = Argument::optional("password", Kind::Secret, "The password, or its hash with -encrypted.");
const NAME: Argument = Argument::required("userName", Kind::Name, "Name of the administrator.");
const POLICY: Argument =
    Argument::optional("policyName", Kind::Name, "A command policy: superuser, read-only, or one that was added.");
const BOUND: &[Argument] =
    &[NAME, POLICY, Argument::optional("priority", Kind::Number { min: 0, max: 999_999_999, unit: "place" }, "Its place.")];
const PARTITION: &[Argument] = &[Argument::kept("partitionName").takes(Kind::Text).means("A part of the machine.")];

const KEYWORDS: &[Argument] = &[
    PASSWORD,
    Argument::optional("encrypted", Kind::Switch, "The password is not written openly."),
    Argument::optional("hashmethod", Kind::Word(32, "_-"), "How it was hashed: ARGON2ID, a PHC string."),
    Argument::optional("encryptmethod", Kind::Word(32, "_-"), "How another product encrypted it."),
    Argument::optional("kek", Kind::Switch, "Another product used a key-encrypting key."),
    Argument::optional("suffix", Kind::Word(64, "_-"), "Which one."),
    Argument::kept("externalAuth").takes(ENABLED).or("ENABLED").means("Whether a directory is asked."),
    Argument::kept("promptString").takes(Kind::Text).means("What the command line shows."),
    Argument::kept("timeout")
        .takes(Kind::Number { min: 0, max: 100_000_000, unit: "seconds" })
        .means("Ends a command line that rests."),
    Argument::kept("logging").takes(ENABLED).or("DISABLED").means("Whether logs may be read by machine."),
    Argument::kept("maxsession").takes(Kind::Number { min: 1, max: 40, unit: "sessions" }).or("20").means("Sessions at a time."),
    Argument::kept("allowedManagementInterface").takes(Kind::Anything).means("Doors: command line, programs."),
];

fn add(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let Some(name) = said.name::<UserName>("userName") else { return Err(incomplete(said)) };
    let administrator = Administrator { credential: credential(said, site)?, policies: BTreeMap::new() };
    let added = site.model.administrators.add(name.clone(), administrator);
    added.map_err(|there| taken(said, "userName", Code::AlreadyExists, "administrator", there.0.as_str()))?;
    site.keep_arguments(said, name.as_str());
    Ok(())
}

/// The administrator that every machine of the other product begins with; saved files change him without adding him.
const FIRST: &str = "nsroot";

fn set(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let Some(name) = said.name::<UserName>("userName") else { return Err(incomplete(said)) };
    if !said.has("password") {
        something(said)?;
    }
    let there = site.model.administrators.has(name.as_str());
    if !there && name.as_str() != FIRST {
        return Err(nobody(said, site.model));
    }
    let credential = credential(said, site)?;
    if !there {
        let administrator = Administrator { credential: Credential::None, policies: BTreeMap::new() };
        let added = site.model.administrators.add(name.clone(), administrator);
        added.map_err(|there| taken(said, "userName", Code::AlreadyExists, "administrator", there.0.as_str()))?;
    }
    if let (true, Some(administrator)) = (said.has("password"), site.model.administrators.find_mut(name.as_str())) {
        administrator.credential = credential;
    }
    site.keep_arguments(said, name.as_str());
    Ok(())
}

fn unset(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    something(said)?;
    let name = said.text("userName").unwrap_or_default();
    let Some(administrator) = site.model.administrators.find_mut(name) else { return Err(nobody(said, site.model)) };
    if said.has("password") {
        administrator.credential = Credential::None;
    }
    site.keep_arguments(said, name);
    Ok(())
}

fn rm(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("userName").unwrap_or_default();
    if site.model.administrators.remove(name).is_none() {
        return Err(nobody(said, site.model));
    }
    site.forget_arguments(said, name);
    Ok(())
}

fn bind(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("userName").unwrap_or_default();
    let Some(administrator) = site.model.administrators.find_mut(name) else { return Err(nobody(said, site.model)) };
    let Some(policy) = said.text("policyName") else {
        if said.kept.is_empty() {
            return Err(Note::new(Code::ArgumentMissing, said.span, "policyName", "what shall be bound?").into());
        }
        site.keep_line(said);
        return Ok(());
    };
    let Some(priority) = said.number("priority") else {
        return Err(Note::new(Code::TooFewArguments, said.span, "priority", "a command policy is bound with its place").into());
    };
    if administrator.policies.contains_key(policy) {
        return Err(Note::new(Code::BindingExists, said.place("policyName"), policy, "this policy is bound here already").into());
    }
    administrator.policies.insert(policy.into(), priority);
    Ok(())
}

fn unbind(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("userName").unwrap_or_default();
    let Some(administrator) = site.model.administrators.find_mut(name) else { return Err(nobody(said, site.model)) };
    match said.text("policyName") {
        None => site.unkeep_line(said),
        Some(policy) if administrator.policies.remove(policy).is_some() => Ok(()),
        Some(policy) => {
            Err(Note::new(Code::NoSuchResource, said.place("policyName"), policy, "this policy is not bound here").into())
        }
    }
}

fn nobody(said: &Said<'_>, model: &Model) -> Refused {
    let known = model.administrators.names().map(UserName::as_str);
    missing(said, "userName", Code::NoSuchResource, "administrator", known)
}

fn print(model: &Model, out: &mut Writer<'_>) {
    for (name, administrator) in model.administrators.iter() {
        let line = match name.as_str() {
            FIRST => out.line(Op::Set, &USER, FIRST).word(FIRST).carrying(),
            name => out.line(Op::Add, &USER, name).word(name),
        };
        write_credential(line, &administrator.credential).end();
    }
}

fn print_bound(model: &Model, out: &mut Writer<'_>) {
    for (name, administrator) in model.administrators.iter() {
        for (policy, priority) in &administrator.policies {
            out.line(Op::Bind, &USER, name.as_str()).word(name).word(policy).word(priority).end();
        }
    }
}
