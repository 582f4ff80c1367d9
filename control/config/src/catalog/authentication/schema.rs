//! `authentication loginSchema`: a form, and what is read from it.

use crate::code::Code;
use crate::expr::Wanted;
use crate::files::Purpose;
use crate::model::authentication::{Authentication, LoginSchema, View};
use crate::model::{Model, SchemaName};
use crate::print::Writer;

use super::super::express::judge;
use super::super::ns::something;
use super::super::site::{Refused, Site, in_use, incomplete, missing, taken};
use super::super::{Argument, Command, Effect, Feature, Form, Kind, Op, Origin, Rank, Said};
use super::YES_NO;
use super::action::not_built_in;
use super::setting::{self, Configured, Setting, Settings, change, keywords, setting};

const NAME: Argument = Argument::required("name", Kind::Name, "Name of the login schema.");
/// The word for no form.
const NO_SCHEMA: &str = "noschema";

/// `add authentication loginSchema`
pub(in super::super) const LOGIN_SCHEMA: Command = Command {
    group: "authentication",
    object: "loginSchema",
    words: "authentication loginSchema",
    summary: "A form, and what is read from it.",
    notes: "`LSCHEMA_INT` and `noschema` are built in: no form, the factor goes on with the credentials that are there.\n\n\
            Files are in the folder `loginschema` beside the configuration: `LoginSchema/SingleAuth.xml` and \
            `/nsconfig/loginschema/LoginSchema/SingleAuth.xml` are both `loginschema/LoginSchema/SingleAuth.xml` there. If there is no such \
            file, the form of that name that comes with the gateway is shown: `SingleAuth.xml`, `DualAuth.xml`, `OnlyUsername.xml`, \
            `OnlyPassword.xml`, `PrefillUserFromExpr.xml`, `OnlyPasscode.xml`. Files are read with the configuration; after a change of one, \
            `reload`.",
    origin: Origin::NetScaler,
    feature: Some(Feature::Aaa),
    effect: Effect::NewSessions,
    forms: &[
        Form {
            op: Op::Add,
            positionals: &[NAME],
            keywords: keywords!(Op::Add, LoginSchema::SETTINGS, &[]),
            example: "add authentication loginSchema SingleAuth -authenticationSchema LoginSchema/SingleAuth.xml",
            apply: add,
            print: Some((Rank::AuthnSchema, print)),
        },
        Form {
            op: Op::Set,
            positionals: &[NAME],
            keywords: keywords!(Op::Set, LoginSchema::SETTINGS, &[]),
            example: "set authentication loginSchema SingleAuth -SSOCredentials YES",
            apply: set,
            print: None,
        },
        Form {
            op: Op::Unset,
            positionals: &[NAME],
            keywords: keywords!(Op::Unset, LoginSchema::SETTINGS, &[]),
            example: "unset authentication loginSchema SingleAuth -userExpression",
            apply: set,
            print: None,
        },
        Form {
            op: Op::Rm,
            positionals: &[NAME],
            keywords: &[],
            example: "rm authentication loginSchema SingleAuth",
            apply: rm,
            print: None,
        },
    ],
};

const INDEX: Kind = Kind::Number { min: 1, max: 16, unit: "attribute" };

const VIEW: &[Setting<LoginSchema>] = &[Setting {
    argument: Argument::required("authenticationSchema", Kind::File, "The file with the form, or noschema."),
    change: |argument, said, site, schema, _| {
        match said.text(argument.name) {
            Some(word) if word.eq_ignore_ascii_case(NO_SCHEMA) => schema.view = View::None,
            Some(file) => {
                site.load(said, argument.name, Purpose::Form)?;
                schema.view = View::File(file.into());
            }
            None => {}
        }
        Ok(())
    },
    print: |argument, line, schema, _| match &schema.view {
        View::None => line.keyword(argument.name, NO_SCHEMA),
        View::File(file) => line.keyword(argument.name, file.display()),
    },
}];

impl Configured for LoginSchema {
    const SETTINGS: Settings<Self> = &[
        VIEW,
        &[
            setting!(
                Argument::optional("userExpression", Kind::Expression, "Finds the user's name in the request.")
                    .or("the field login"),
                user
            ),
            setting!(
                Argument::optional("passwdExpression", Kind::Expression, "Finds the password in the request.")
                    .or("the field passwd"),
                password
            ),
            setting!(
                Argument::optional("userCredentialIndex", INDEX, "Under which attribute of the session the name is kept."),
                user_index
            ),
            setting!(
                Argument::optional(
                    "passwordCredentialIndex",
                    INDEX,
                    "Under which attribute of the session the password is kept."
                ),
                password_index
            ),
            setting!(
                Argument::optional(
                    "authenticationStrength",
                    Kind::Number { min: 0, max: 65_535, unit: "strength" },
                    "How strong a login with this form is.",
                )
                .or("0"),
                strength
            ),
            setting!(
                Argument::optional("SSOCredentials", YES_NO, "Whether its credentials are those for single sign-on.").or("NO"),
                sso_credentials
            ),
        ],
    ];

    fn plain(&self) -> Self {
        Self { view: self.view.clone(), ..Self::default() }
    }
}

fn add(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let Some(name) = said.name::<SchemaName>("name") else { return Err(incomplete(said)) };
    let mut schema = LoginSchema::default();
    change(LoginSchema::SETTINGS, said, site, &mut schema, &LoginSchema::default())?;
    judged(said, site, &schema)?;
    let added = site.model.authentication.schemas.add(name, schema);
    added.map_err(|there| taken(said, "name", Code::AlreadyExists, "login schema", there.0.as_str()))?;
    site.keep_arguments(said, said.text("name").unwrap_or_default());
    Ok(())
}

fn set(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    something(said)?;
    let name = said.text("name").unwrap_or_default();
    let Some(mut schema) = site.model.authentication.schemas.find(name).cloned() else {
        return Err(no_schema(said, "name", site.model));
    };
    not_built_in(said, "name")?;
    let plain = schema.plain();
    change(LoginSchema::SETTINGS, said, site, &mut schema, &plain)?;
    judged(said, site, &schema)?;
    if let Some(there) = site.model.authentication.schemas.find_mut(name) {
        *there = schema;
    }
    site.keep_arguments(said, name);
    Ok(())
}

/// Both expressions must give texts.
fn judged(said: &Said<'_>, site: &mut Site<'_>, schema: &LoginSchema) -> Result<(), Refused> {
    for (argument, expression) in [("userExpression", &schema.user), ("passwdExpression", &schema.password)] {
        if let Some(expression) = expression {
            judge(said, site, argument, expression, Wanted::Text)?;
        }
    }
    Ok(())
}

fn rm(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("name").unwrap_or_default();
    let made = &mut site.model.authentication;
    if !made.schemas.has(name) {
        return Err(no_schema(said, "name", site.model));
    }
    not_built_in(said, "name")?;
    let label = made.labels.iter().find(|(_, label)| label.schema.as_ref().is_some_and(|schema| schema.as_str() == name));
    if let Some((label, _)) = label {
        return Err(in_use(said, "name", Code::InUse, &format!("policylabel {label}")));
    }
    if let Some((policy, _)) = made.schema_policies.iter().find(|(_, policy)| policy.schema.as_str() == name) {
        return Err(in_use(said, "name", Code::InUse, &format!("loginSchemaPolicy {policy}")));
    }
    made.schemas.remove(name);
    site.forget_arguments(said, name);
    Ok(())
}

/// Refuses because `argument` names no login schema.
pub(super) fn no_schema(said: &Said<'_>, argument: &str, model: &Model) -> Refused {
    let known = model.authentication.schemas.names().map(SchemaName::as_str);
    missing(said, argument, Code::NoSuchResource, "login schema", known)
}

fn print(model: &Model, out: &mut Writer<'_>) {
    for (name, schema) in model.authentication.schemas.iter().filter(|(name, _)| !Authentication::is_built_in(name.as_str())) {
        setting::print(out.line(Op::Add, &LOGIN_SCHEMA, name.as_str()).word(name), schema).end();
    }
}
