//! `authentication authnProfile`: what ties a virtual server to an authentication virtual server.

use crate::code::Code;
use crate::model::authentication::AuthnProfile;
use crate::model::{AuthnProfileName, AuthnVserverName, Model};
use crate::print::Writer;

use super::super::ns::something;
use super::super::site::{Refused, Site, in_use, incomplete, missing, taken};
use super::super::{Argument, Command, Effect, Feature, Form, Kind, Op, Origin, Rank, Said};
use super::setting::{self, Configured, Setting, Settings, change, keywords, setting};
use super::vserver::no_vserver;

const NAME: Argument = Argument::required("name", Kind::Name, "Name of the profile.");

/// `add authentication authnProfile`
pub(in super::super) const PROFILE: Command = Command {
    group: "authentication",
    object: "authnProfile",
    words: "authentication authnProfile",
    summary: "Ties a virtual server to an authentication virtual server.",
    notes: "`set vpn vserver gw -authnProfile NAME` uses it. Host, domain and level matter to other products' load balancers only.",
    origin: Origin::NetScaler,
    feature: Some(Feature::Aaa),
    effect: Effect::NewSessions,
    forms: &[
        Form {
            op: Op::Add,
            positionals: &[NAME],
            keywords: keywords!(Op::Add, AuthnProfile::SETTINGS, &[]),
            example: "add authentication authnProfile nfactor -authnVsName MFA_AAA_vserver",
            apply: add,
            print: Some((Rank::AuthnProfile, print)),
        },
        Form {
            op: Op::Set,
            positionals: &[NAME],
            keywords: keywords!(Op::Set, AuthnProfile::SETTINGS, &[]),
            example: "set authentication authnProfile nfactor -AuthenticationLevel 10",
            apply: set,
            print: None,
        },
        Form {
            op: Op::Unset,
            positionals: &[NAME],
            keywords: keywords!(Op::Unset, AuthnProfile::SETTINGS, &[]),
            example: "unset authentication authnProfile nfactor -AuthenticationLevel",
            apply: set,
            print: None,
        },
        Form {
            op: Op::Rm,
            positionals: &[NAME],
            keywords: &[],
            example: "rm authentication authnProfile nfactor",
            apply: rm,
            print: None,
        },
    ],
};

const VSERVER: &[Setting<AuthnProfile>] = &[Setting {
    argument: Argument::required("authnVsName", Kind::Name, "The authentication virtual server.").names("authentication vserver"),
    change: |argument, said, site, profile, _| {
        if said.has(argument.name) {
            profile.vserver = vserver(said, site.model)?;
        }
        Ok(())
    },
    print: |argument, line, profile, _| line.keyword(argument.name, &profile.vserver),
}];

impl Configured for AuthnProfile {
    const SETTINGS: Settings<Self> = &[
        VSERVER,
        &[
            setting!(Argument::optional("AuthenticationHost", Kind::Text, "Host to which users would be sent."), host),
            setting!(Argument::optional("AuthenticationDomain", Kind::Text, "Domain of the cookie."), domain),
            setting!(
                Argument::optional(
                    "AuthenticationLevel",
                    Kind::Number { min: 0, max: 255, unit: "level" },
                    "Strength that is asked for.",
                ),
                level
            ),
        ],
    ];

    fn plain(&self) -> Self {
        Self { vserver: self.vserver.clone(), host: None, domain: None, level: None }
    }
}

fn vserver(said: &Said<'_>, model: &Model) -> Result<AuthnVserverName, Refused> {
    let found = model.authentication.vservers.row(said.text("authnVsName").unwrap_or_default());
    found.map(|(name, _)| name.clone()).ok_or_else(|| no_vserver(said, "authnVsName", model))
}

fn add(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let Some(name) = said.name::<AuthnProfileName>("name") else { return Err(incomplete(said)) };
    let plain = AuthnProfile { vserver: vserver(said, site.model)?, host: None, domain: None, level: None };
    let mut profile = plain.clone();
    change(AuthnProfile::SETTINGS, said, site, &mut profile, &plain)?;
    let added = site.model.authentication.profiles.add(name, profile);
    added.map_err(|there| taken(said, "name", Code::AlreadyExists, "authentication profile", there.0.as_str()))?;
    site.keep_arguments(said, said.text("name").unwrap_or_default());
    Ok(())
}

fn set(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    something(said)?;
    let name = said.text("name").unwrap_or_default();
    let Some(mut profile) = site.model.authentication.profiles.find(name).cloned() else {
        return Err(no_profile(said, "name", site.model));
    };
    let plain = profile.plain();
    change(AuthnProfile::SETTINGS, said, site, &mut profile, &plain)?;
    if let Some(there) = site.model.authentication.profiles.find_mut(name) {
        *there = profile;
    }
    site.keep_arguments(said, name);
    Ok(())
}

fn rm(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("name").unwrap_or_default();
    if !site.model.authentication.profiles.has(name) {
        return Err(no_profile(said, "name", site.model));
    }
    let uses = |profile: &Option<AuthnProfileName>| profile.as_ref().is_some_and(|profile| profile.as_str() == name);
    if let Some((vserver, _)) = site.model.vservers.iter().find(|(_, vserver)| uses(&vserver.authn_profile)) {
        return Err(in_use(said, "name", Code::InUse, &format!("vpn vserver {vserver}")));
    }
    site.model.authentication.profiles.remove(name);
    site.forget_arguments(said, name);
    Ok(())
}

/// Refuses because `argument` names no authentication profile.
pub(in super::super) fn no_profile(said: &Said<'_>, argument: &str, model: &Model) -> Refused {
    let known = model.authentication.profiles.names().map(AuthnProfileName::as_str);
    missing(said, argument, Code::NoSuchResource, "authentication profile", known)
}

fn print(model: &Model, out: &mut Writer<'_>) {
    for (name, profile) in model.authentication.profiles.iter() {
        setting::print(out.line(Op::Add, &PROFILE, name.as_str()).word(name), profile).end();
    }
}
