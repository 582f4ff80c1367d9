//! `authentication policylabel`: a factor that is entered when a policy of another one has succeeded.

use crate::code::Code;
use crate::model::authentication::{Bank, Binding, Factor, Label, LabelKind, PRIORITY_MAX};
use crate::model::{LabelName, Model, SchemaName};
use crate::print::Writer;

use super::super::ns::something;
use super::super::rename::{Renaming, rename};
use super::super::site::{Note, Refused, Site, in_use, incomplete, missing, taken};
use super::super::{Argument, Command, Effect, Feature, Form, Kind, Op, Origin, Rank, Said};
use super::bind::{self, GOTO, NEXT_FACTOR, called, ends, print_ends, rests};
use super::schema::no_schema;

const NAME: Argument = Argument::required("labelName", Kind::Name, "Name of the label.");
const SCHEMA: Argument = Argument::optional("loginSchema", Kind::Name, "Its form.")
    .names("authentication loginSchema")
    .or("none: it goes on with the credentials that are there");
const POLICY: Argument = Argument::required("policyName", Kind::Name, "The policy.").names("authentication Policy");
const PRIORITY: Kind = Kind::Number { min: 1, max: PRIORITY_MAX as u64, unit: "priority" };

/// `add authentication policylabel`, `bind authentication policylabel`
pub(in super::super) const LABEL: Command = Command {
    group: "authentication",
    object: "policylabel",
    words: "authentication policylabel",
    summary: "A factor behind the first: a form, and the policies that are tried with what was typed.",
    notes: "Policies are tried by ascending priority; the first whose rule is true and whose action succeeds ends the factor, and the login \
            goes on in its next factor. Type and comment stay as they are made.",
    origin: Origin::NetScaler,
    feature: Some(Feature::Aaa),
    effect: Effect::NewSessions,
    forms: &[
        Form {
            op: Op::Add,
            positionals: &[NAME],
            keywords: &[
                Argument::optional(
                    "type",
                    Kind::Choice(&["AAATM_REQ", "RBA_REQ"]),
                    "Logins of users, or of administrators; the latter is kept without effect.",
                )
                .or("AAATM_REQ"),
                Argument::optional("comment", Kind::Text, "For people."),
                SCHEMA,
            ],
            example: "add authentication policylabel post-ldap-epa-scan -loginSchema LSCHEMA_INT",
            apply: add,
            print: Some((Rank::AuthnLabel, print)),
        },
        Form {
            op: Op::Set,
            positionals: &[NAME],
            keywords: &[SCHEMA],
            example: "set authentication policylabel post-ldap-epa-scan -loginSchema noschema",
            apply: set,
            print: None,
        },
        Form {
            op: Op::Unset,
            positionals: &[NAME],
            keywords: &[SCHEMA],
            example: "unset authentication policylabel post-ldap-epa-scan -loginSchema",
            apply: set,
            print: None,
        },
        Form {
            op: Op::Rm,
            positionals: &[NAME],
            keywords: &[],
            example: "rm authentication policylabel post-ldap-epa-scan",
            apply: rm,
            print: None,
        },
        Form {
            op: Op::Bind,
            positionals: &[NAME],
            keywords: &[
                POLICY,
                Argument::required("priority", PRIORITY, "Its place: the lowest is tried first."),
                GOTO,
                NEXT_FACTOR,
            ],
            example: "bind authentication policylabel post-ldap-epa-scan -policyName NO_AUTHN -priority 100 -gotoPriorityExpression END",
            apply: bind_policy,
            print: Some((Rank::AuthnLabelBind, print_bindings)),
        },
        Form {
            op: Op::Unbind,
            positionals: &[NAME],
            keywords: &[POLICY, Argument::optional("priority", PRIORITY, "Its place, to be sure.")],
            example: "unbind authentication policylabel post-ldap-epa-scan -policyName NO_AUTHN",
            apply: unbind_policy,
            print: None,
        },
        Form {
            op: Op::Rename,
            positionals: &[
                Argument::required("name", Kind::Name, "Name of the label."),
                Argument::required("newName", Kind::Name, "Its new name."),
            ],
            keywords: &[],
            example: "rename authentication policylabel post-ldap-epa-scan scan-last",
            apply: |said, site| rename(said, site, &RENAMING),
            print: None,
        },
    ],
};

const RENAMING: Renaming<LabelName> = Renaming {
    what: "policy label",
    no_such: Code::NoSuchLabel,
    taken: Code::AlreadyExists,
    commands: &["authentication policylabel"],
    names: |model| model.authentication.labels.names().map(LabelName::as_str).collect(),
    table: |model, old, new| model.authentication.labels.rename(old, new),
    references: |model, show| {
        let made = &mut model.authentication;
        let banks = made.vservers.iter_mut().flat_map(|(_, v)| [&mut v.primary, &mut v.secondary, &mut v.group_extraction]);
        for bank in banks.chain(made.labels.iter_mut().map(|(_, label)| &mut label.bank)) {
            bank.iter_mut().filter_map(|binding| binding.next.as_mut()).for_each(&mut *show);
        }
    },
};

fn add(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let Some(name) = said.name::<LabelName>("labelName") else { return Err(incomplete(said)) };
    let kind = match said.text("type") {
        Some("RBA_REQ") => LabelKind::Administration,
        _ => LabelKind::Login,
    };
    let schema = schema(said, site.model)?;
    let label = Label { kind, comment: said.text("comment").map(Into::into), schema, bank: Bank::default() };
    let added = site.model.authentication.labels.add(name.clone(), label);
    added.map_err(|there| taken(said, "labelName", Code::AlreadyExists, "policy label", there.0.as_str()))?;
    if kind == LabelKind::Administration {
        let cause = "administrators do not log in through factors here: kept for printing back, without effect";
        site.warn(Note::new(Code::NotImplemented, said.place("type"), "RBA_REQ", cause));
    }
    site.keep_arguments(said, name.as_str());
    Ok(())
}

/// The login schema that a line names, which must exist.
fn schema(said: &Said<'_>, model: &Model) -> Result<Option<SchemaName>, Refused> {
    let Some(name) = said.text("loginSchema") else { return Ok(None) };
    match model.authentication.schemas.row(name) {
        Some((name, _)) => Ok(Some(name.clone())),
        None => Err(no_schema(said, "loginSchema", model)),
    }
}

fn set(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    something(said)?;
    let name = said.text("labelName").unwrap_or_default();
    if !site.model.authentication.labels.has(name) {
        return Err(no_label(said, site.model));
    }
    let schema = schema(said, site.model)?;
    if let Some(label) = site.model.authentication.labels.find_mut(name) {
        said.put("loginSchema", &mut label.schema, None, |_| Some(schema));
    }
    site.keep_arguments(said, name);
    Ok(())
}

fn rm(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("labelName").unwrap_or_default();
    let made = &mut site.model.authentication;
    if !made.labels.has(name) {
        return Err(no_label(said, site.model));
    }
    let leads = |bank: &Bank| bank.iter().any(|binding| binding.next.as_ref().is_some_and(|next| next.as_str() == name));
    let labels = made.labels.names().filter(|label| label.as_str() != name).cloned().map(Factor::Label);
    let vservers = made.vservers.names().flat_map(|vserver| {
        [Factor::Primary(vserver.clone()), Factor::Secondary(vserver.clone()), Factor::GroupExtraction(vserver.clone())]
    });
    if let Some(factor) = labels.chain(vservers).find(|factor| made.bank(factor).is_some_and(leads)) {
        return Err(in_use(said, "labelName", Code::InUse, &format!("a policy of {}, as its next factor", called(&factor))));
    }
    made.labels.remove(name);
    site.forget_arguments(said, name);
    Ok(())
}

fn no_label(said: &Said<'_>, model: &Model) -> Refused {
    let known = model.authentication.labels.names().map(LabelName::as_str);
    missing(said, "labelName", Code::NoSuchLabel, "policy label", known)
}

fn bind_policy(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("labelName").unwrap_or_default();
    let made = &site.model.authentication;
    let Some((label, _)) = made.labels.row(name) else { return Err(no_label(said, site.model)) };
    let factor = Factor::Label(label.clone());
    if made.schema_policies.has(said.text("policyName").unwrap_or_default()) {
        let cause = "a login schema policy chooses the form of a first factor; a label has its form with -loginSchema";
        let about = said.text("policyName").unwrap_or_default();
        return Err(Note::new(Code::CannotBind, said.place("policyName"), about, cause).into());
    }
    if rests(said, site, "policyName", "policy") {
        return Ok(());
    }
    let policy = bind::policy(said, "policyName", site.model)?;
    let ends = ends(said, site)?;
    let Some(priority) = said.number("priority") else { return Err(incomplete(said)) };
    let binding = Binding { policy, priority, goto: ends.goto, next: ends.next };
    let bank = bind::bind(said, "policyName", &site.model.authentication, &factor, binding)?;
    if let Some(label) = site.model.authentication.labels.find_mut(name) {
        label.bank = bank;
    }
    Ok(())
}

fn unbind_policy(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("labelName").unwrap_or_default();
    let Some((label, _)) = site.model.authentication.labels.row(name) else { return Err(no_label(said, site.model)) };
    let factor = Factor::Label(label.clone());
    let Some(label) = site.model.authentication.labels.find_mut(name) else { return Err(incomplete(said)) };
    bind::unbind(said, "policyName", &factor, &mut label.bank)
}

fn print(model: &Model, out: &mut Writer<'_>) {
    for (name, label) in model.authentication.labels.iter() {
        out.line(Op::Add, &LABEL, name.as_str())
            .word(name)
            .keyword_if(
                "type",
                match label.kind {
                    LabelKind::Login => None,
                    LabelKind::Administration => Some("RBA_REQ"),
                },
            )
            .keyword_if("comment", label.comment.as_deref())
            .keyword_if("loginSchema", label.schema.as_ref())
            .end();
    }
}

fn print_bindings(model: &Model, out: &mut Writer<'_>) {
    for (name, label) in model.authentication.labels.iter() {
        for binding in label.bank.iter() {
            let line = out.line(Op::Bind, &LABEL, name.as_str()).word(name);
            let line = line.keyword("policyName", &binding.policy).keyword("priority", binding.priority);
            print_ends(line, binding).end();
        }
    }
}
