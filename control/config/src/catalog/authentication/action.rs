//! What all actions have in common: one table, one way to be made, changed, removed and printed.

use crate::code::Code;
use crate::model::authentication::{Action, Authentication};
use crate::model::{ActionName, Host, Model};
use crate::print::Writer;

use super::super::ns::something;
use super::super::site::{Note, Refused, Site, in_use, incomplete, missing, taken};
use super::super::{Argument, Command, Kind, Op, Said};
use super::setting::{self, Configured, change};

/// Most actions of a configuration; policies find theirs by name.
const ACTIONS_MAX: usize = 4096;

pub(super) const NAME: Argument =
    Argument::required("name", Kind::Name, "Name of the action. Actions of all kinds share their names.");

/// A kind of actions.
pub(super) trait Kinded: Configured {
    const COMMAND: &'static Command;

    /// What `add` must say, with everything else at its default.
    fn make(said: &Said<'_>, site: &mut Site<'_>) -> Result<Self, Refused>;

    /// Whether it makes sense as a whole.
    fn judge(&self, said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
        let (_, _, _) = (self, said, site);
        Ok(())
    }

    fn wrap(self) -> Action;

    fn find(action: &Action) -> Option<&Self>;
}

/// Connects a kind with its variant of [`Action`].
macro_rules! variant {
    ($variant:ident) => {
        fn wrap(self) -> Action {
            Action::$variant(self)
        }

        fn find(action: &Action) -> Option<&Self> {
            if let Action::$variant(action) = action { Some(action) } else { None }
        }
    };
    (Box $variant:ident) => {
        fn wrap(self) -> Action {
            Action::$variant(Box::new(self))
        }

        fn find(action: &Action) -> Option<&Self> {
            if let Action::$variant(action) = action { Some(action) } else { None }
        }
    };
}
pub(super) use variant;

/// The forms of a kind: add, set, unset, rm.
macro_rules! forms {
    ($type:ty, $kept:expr, $add:literal, $set:literal, $unset:literal, $rm:literal, $print:expr) => {
        &[
            Form {
                op: Op::Add,
                positionals: &[$crate::catalog::authentication::action::NAME],
                keywords: $crate::catalog::authentication::setting::keywords!(Op::Add, <$type as Configured>::SETTINGS, $kept),
                example: $add,
                apply: $crate::catalog::authentication::action::add::<$type>,
                print: $print,
            },
            Form {
                op: Op::Set,
                positionals: &[$crate::catalog::authentication::action::NAME],
                keywords: $crate::catalog::authentication::setting::keywords!(Op::Set, <$type as Configured>::SETTINGS, $kept),
                example: $set,
                apply: $crate::catalog::authentication::action::set::<$type>,
                print: None,
            },
            Form {
                op: Op::Unset,
                positionals: &[$crate::catalog::authentication::action::NAME],
                keywords: $crate::catalog::authentication::setting::keywords!(Op::Unset, <$type as Configured>::SETTINGS, $kept),
                example: $unset,
                apply: $crate::catalog::authentication::action::set::<$type>,
                print: None,
            },
            Form {
                op: Op::Rm,
                positionals: &[$crate::catalog::authentication::action::NAME],
                keywords: &[],
                example: $rm,
                apply: $crate::catalog::authentication::action::rm::<$type>,
                print: None,
            },
        ]
    };
}
pub(super) use forms;

pub(super) fn add<T: Kinded>(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let Some(name) = said.name::<ActionName>("name") else { return Err(incomplete(said)) };
    let actions = &site.model.authentication.actions;
    if actions.len() >= ACTIONS_MAX {
        let cause = format!("there are at most {ACTIONS_MAX} actions");
        return Err(Note::new(Code::TooManyValues, said.place("name"), name.as_str(), cause).into());
    }
    if let Some((there, action)) = actions.like(name.as_str()) {
        let code = if T::find(action).is_some() { Code::AlreadyExists } else { Code::ActionNameTaken };
        return Err(taken(said, "name", code, what(action), there.as_str()));
    }
    let mut action = T::make(said, site)?;
    let plain = action.plain();
    change(T::SETTINGS, said, site, &mut action, &plain)?;
    action.judge(said, site)?;
    let added = site.model.authentication.actions.add(name.clone(), action.wrap());
    added.map_err(|there| taken(said, "name", Code::AlreadyExists, "action", there.0.as_str()))?;
    site.keep_arguments(said, name.as_str());
    Ok(())
}

pub(super) fn set<T: Kinded>(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    something(said)?;
    let name = said.text("name").unwrap_or_default();
    let Some(mut action) = site.model.authentication.actions.find(name).and_then(T::find).cloned() else {
        return Err(no_action::<T>(said, site.model));
    };
    not_built_in(said, "name")?;
    let plain = action.plain();
    change(T::SETTINGS, said, site, &mut action, &plain)?;
    action.judge(said, site)?;
    if let Some(there) = site.model.authentication.actions.find_mut(name) {
        *there = action.wrap();
    }
    site.keep_arguments(said, name);
    Ok(())
}

pub(super) fn rm<T: Kinded>(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("name").unwrap_or_default();
    let authentication = &mut site.model.authentication;
    if authentication.actions.find(name).and_then(T::find).is_none() {
        return Err(no_action::<T>(said, site.model));
    }
    not_built_in(said, "name")?;
    if let Some((policy, _)) = authentication.policies.iter().find(|(_, policy)| policy.action.as_str() == name) {
        return Err(in_use(said, "name", Code::InUse, &format!("policy {policy}")));
    }
    authentication.actions.remove(name);
    site.forget_arguments(said, name);
    Ok(())
}

fn no_action<T: Kinded>(said: &Said<'_>, model: &Model) -> Refused {
    let known = model.authentication.actions.iter().filter(|(_, action)| T::find(action).is_some());
    missing(said, "name", Code::NoSuchResource, T::COMMAND.object, known.map(|(name, _)| name.as_str()))
}

/// Refuses to touch what is built in.
pub(super) fn not_built_in(said: &Said<'_>, argument: &str) -> Result<(), Refused> {
    let name = said.text(argument).unwrap_or_default();
    if Authentication::is_built_in(name) {
        let note = Note::new(Code::NotPermitted, said.place(argument), name, "this is built in and stays as it is");
        return Err(note.cure("make one of your own under another name").into());
    }
    Ok(())
}

/// The command that makes such an action, by its last word.
pub(super) fn what(action: &Action) -> &'static str {
    match action {
        Action::NoAuth(_) => "noAuthAction",
        Action::Local => "built-in action",
        Action::Epa(_) => "epaAction",
        Action::Ldap(_) => "ldapAction",
        Action::Radius(_) => "radiusAction",
        Action::Cert(_) => "certAction",
        Action::Saml(_) => "samlAction",
        Action::OAuth(_) => "OAuthAction",
        Action::Email(_) => "emailAction",
        Action::Captcha(_) => "captchaAction",
        Action::Negotiate(_) => "negotiateAction",
        Action::WebAuth(_) => "webAuthAction",
        Action::Storefront(_) => "storefrontAuthAction",
        Action::Dfa(_) => "dfaAction",
        Action::Tacacs(_) => "tacacsAction",
    }
}

/// All actions, in the order in which they were made. One function for all kinds, so that this order survives.
pub(super) fn print(model: &Model, out: &mut Writer<'_>) {
    use crate::model::authentication as made;
    fn one<T: Kinded>(name: &ActionName, action: &T, out: &mut Writer<'_>) {
        setting::print(out.line(Op::Add, T::COMMAND, name.as_str()).word(name), action).end();
    }
    for (name, action) in model.authentication.actions.iter().filter(|(name, _)| !Authentication::is_built_in(name.as_str())) {
        match action {
            Action::Local => {}
            Action::NoAuth(action) => one::<made::NoAuth>(name, action, out),
            Action::Epa(action) => one::<made::Epa>(name, action, out),
            Action::Ldap(action) => one::<made::Ldap>(name, action, out),
            Action::Radius(action) => one::<made::Radius>(name, action, out),
            Action::Cert(action) => one::<made::Cert>(name, action, out),
            Action::Saml(action) => one::<made::Saml>(name, action, out),
            Action::OAuth(action) => one::<made::OAuth>(name, action, out),
            Action::Email(action) => one::<made::Email>(name, action, out),
            Action::Captcha(action) => one::<made::Captcha>(name, action, out),
            Action::Negotiate(action) => one::<made::Negotiate>(name, action, out),
            Action::WebAuth(action) => one::<made::WebAuth>(name, action, out),
            Action::Storefront(action) => one::<made::Storefront>(name, action, out),
            Action::Dfa(action) => one::<made::Dfa>(name, action, out),
            Action::Tacacs(action) => one::<made::Tacacs>(name, action, out),
        }
    }
}

/// The server of an action: exactly one of `-serverIP` and `-serverName`.
pub(super) fn server_of(said: &Said<'_>) -> Result<Host, Refused> {
    match (said.ip("serverIP"), said.text("serverName")) {
        (Some(address), None) => Ok(Host::Ip(address)),
        (None, Some(name)) => Ok(Host::Name(name.into())),
        (Some(_), Some(_)) => Err(both(said, "serverIP", "serverName")),
        (None, None) => {
            let cause = format!("`add {}` needs -serverIP or -serverName", said.command.words);
            Err(Note::new(Code::ArgumentMissing, said.span, "-serverIP", cause).into())
        }
    }
}

/// Refuses two arguments that exclude each other.
pub(super) fn both(said: &Said<'_>, one: &str, other: &str) -> Refused {
    let cause = format!("-{one} and -{other} exclude each other");
    Note::new(Code::BothSpecified, said.place(other), format!("-{other}"), cause).cure("leave one out").into()
}

/// Refuses an argument that has no meaning without another one.
pub(super) fn needs(said: &Said<'_>, one: &str, cause: impl Into<String>) -> Refused {
    Note::new(Code::PrerequisiteMissing, said.place(one), format!("-{one}"), cause).into()
}
