//! `authentication vserver`: the first factor of a login.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::code::Code;
use crate::model::authentication::{
    AuthnVserver, Bank, Binding, Choice, Factor, Goto, Lockout, PRIORITY_MAX, SameSite, SchemaBinding, View,
};
use crate::model::{AuthnVserverName, Model, PolicyName};
use crate::print::{LineWriter, Writer};

use super::super::ns::something;
use super::super::rename::{Renaming, SSL_VSERVER, rename};
use super::super::site::{Note, Refused, Site, in_use, incomplete, missing, taken};
use super::super::{Argument, Command, Effect, Feature, Form, Kind, Op, Origin, Rank, Said};
use super::action::{both, needs};
use super::bind::{self, GOTO, NEXT_FACTOR, ends, not_bound, print_ends, rests};
use super::setting::{self, Configured, MINUTES, Setting, Settings, change, keywords, setting};
use super::{ENABLED, ON_OFF};

const NAME: Argument = Argument::required("name", Kind::Name, "Name of the authentication virtual server.");
const PRIORITY: Kind = Kind::Number { min: 0, max: PRIORITY_MAX as u64, unit: "priority" };
/// Most login schema policies of one server.
const SCHEMAS_MAX: usize = 1024;
/// Port of one that is given an address and no port.
const PORT: u16 = 443;

const KEPT: &[Argument] = &[Argument::kept("appflowLog"), Argument::kept("certkeyNames")];
const KEPT_ADD: &[Argument] =
    &[Argument::kept("appflowLog"), Argument::kept("certkeyNames"), Argument::kept("range"), Argument::kept("td")];

/// `add authentication vserver`, `bind authentication vserver`
pub(in super::super) const VSERVER: Command = Command {
    group: "authentication",
    object: "vserver",
    words: "authentication vserver",
    summary: "The first factor of a login: the forms that can begin it, and the policies that are tried with what was typed.",
    notes: "It is reached through virtual servers: `add authentication authnProfile`, `set vpn vserver … -authnProfile`. At an address of its \
            own it only asks browsers for certificates, if `set ssl vserver` says `-clientAuth ENABLED` and a certificate is bound to it.\n\n\
            `-secondary` and `-groupExtraction` are the classic cascade: when a policy without a next factor has succeeded, those are \
            factors of their own behind it, in this order.",
    origin: Origin::NetScaler,
    feature: Some(Feature::Aaa),
    effect: Effect::NewSessions,
    forms: &[
        Form {
            op: Op::Add,
            positionals: &[
                NAME,
                Argument::required("serviceType", Kind::Choice(&["SSL"]), "Always SSL."),
                Argument::optional(
                    "IPAddress",
                    Kind::Ip,
                    "Where it asks for certificates, if it does: an address of a virtual server.",
                )
                .or("0.0.0.0: reached through virtual servers"),
                Argument::optional("port", Kind::Number { min: 0, max: 65_535, unit: "port" }, "A port of its own there."),
            ],
            keywords: keywords!(Op::Add, AuthnVserver::SETTINGS, KEPT_ADD),
            example: "add authentication vserver MFA_AAA_vserver SSL 0.0.0.0",
            apply: add,
            print: Some((Rank::AuthnVserver, print)),
        },
        Form {
            op: Op::Set,
            positionals: &[NAME],
            keywords: keywords!(Op::Set, SET_SETTINGS, KEPT),
            example: "set authentication vserver MFA_AAA_vserver -maxLoginAttempts 5 -failedLoginTimeout 10",
            apply: set,
            print: None,
        },
        Form {
            op: Op::Unset,
            positionals: &[NAME],
            keywords: keywords!(Op::Unset, AuthnVserver::SETTINGS, KEPT),
            example: "unset authentication vserver MFA_AAA_vserver -maxLoginAttempts",
            apply: set,
            print: None,
        },
        Form {
            op: Op::Rm,
            positionals: &[NAME],
            keywords: &[],
            example: "rm authentication vserver MFA_AAA_vserver",
            apply: rm,
            print: None,
        },
        Form {
            op: Op::Enable,
            positionals: &[NAME],
            keywords: &[],
            example: "enable authentication vserver MFA_AAA_vserver",
            apply: switch,
            print: None,
        },
        Form {
            op: Op::Disable,
            positionals: &[NAME],
            keywords: &[],
            example: "disable authentication vserver MFA_AAA_vserver",
            apply: switch,
            print: None,
        },
        Form {
            op: Op::Bind,
            positionals: &[NAME],
            keywords: &[
                POLICY,
                Argument::optional("priority", PRIORITY, "Its place: the lowest is tried first.").or("behind all that are there"),
                SECONDARY,
                GROUP_EXTRACTION,
                NEXT_FACTOR,
                GOTO,
                TYPE,
                THEME,
            ],
            example: "bind authentication vserver MFA_AAA_vserver -policy NO_AUTHN -priority 100 -nextFactor post-ldap-epa-scan \
                      -gotoPriorityExpression NEXT",
            apply: bind_one,
            print: Some((Rank::AuthnVserverBind, print_bindings)),
        },
        Form {
            op: Op::Unbind,
            positionals: &[NAME],
            keywords: &[
                POLICY,
                Argument::optional("priority", PRIORITY, "Its place, to be sure."),
                SECONDARY,
                GROUP_EXTRACTION,
                TYPE,
                THEME,
            ],
            example: "unbind authentication vserver MFA_AAA_vserver -policy NO_AUTHN",
            apply: unbind_one,
            print: None,
        },
        Form {
            op: Op::Rename,
            positionals: &[NAME, Argument::required("newName", Kind::Name, "Its new name.")],
            keywords: &[],
            example: "rename authentication vserver MFA_AAA_vserver mfa",
            apply: |said, site| rename(said, site, &RENAMING),
            print: None,
        },
    ],
};

const POLICY: Argument =
    Argument::optional("policy", Kind::Name, "A policy, or a login schema policy.").names("authentication Policy");
const SECONDARY: Argument = Argument::optional("secondary", Kind::Switch, "In the second factor of the classic cascade.");
const GROUP_EXTRACTION: Argument = Argument::optional("groupExtraction", Kind::Switch, "In the last one, for groups only.");
const THEME: Argument = Argument::optional("portaltheme", Kind::Name, "Which forms and colours.");
const TYPE: Argument = Argument::optional(
    "type",
    Kind::Choice(&["REQUEST", "RESPONSE", "ICA_REQUEST", "OTHERTCP_REQUEST", "AAA_REQUEST", "AAA_RESPONSE"]),
    "When a policy of another group is looked at; those here are looked at when a user logs in.",
);

const RENAMING: Renaming<AuthnVserverName> = Renaming {
    what: "authentication virtual server",
    no_such: Code::NoSuchResource,
    taken: Code::AlreadyExists,
    commands: &["authentication vserver", SSL_VSERVER],
    names: |model| model.authentication.vservers.names().map(AuthnVserverName::as_str).collect(),
    table: |model, old, new| model.authentication.vservers.rename(old, new),
    references: |model, show| {
        model.authentication.profiles.iter_mut().for_each(|(_, profile)| show(&mut profile.vserver));
    },
};

const MAIN: &[Setting<AuthnVserver>] = &[
    setting!(Argument::optional("state", ENABLED, "Whether logins may begin here.").or("ENABLED"), enabled),
    setting!(Argument::optional("authentication", ON_OFF, "Whether it asks at all.").or("ON"), authentication),
    setting!(Argument::optional("AuthenticationDomain", Kind::Text, "Domain of its cookie."), domain),
    setting!(Argument::optional("comment", Kind::Text, "For people."), comment),
    Setting {
        argument: Argument::optional(
            "maxLoginAttempts",
            Kind::Number { min: 1, max: 255, unit: "attempts" },
            "After so many failures a user is locked out.",
        )
        .or("never"),
        change: |argument, said, _, vserver, _| {
            let time = vserver.lockout.and_then(|lockout| lockout.time);
            let read = |s: &Said<'_>| Some(s.number(argument.name).map(|attempts| Lockout { attempts, time }));
            said.put(argument.name, &mut vserver.lockout, None, read);
            Ok(())
        },
        print: |argument, line, vserver, _| line.keyword_if(argument.name, vserver.lockout.map(|lockout| lockout.attempts)),
    },
    Setting {
        argument: Argument::optional(
            "failedLoginTimeout",
            Kind::Number { min: 1, max: 525_600, unit: MINUTES },
            "For so long he is; it needs -maxLoginAttempts.",
        )
        .or("this login ends"),
        change: |argument, said, _, vserver, _| {
            if !said.has(argument.name) {
                return Ok(());
            }
            let minutes = said.number::<u64>(argument.name).map(|minutes| Duration::from_secs(60 * minutes));
            match &mut vserver.lockout {
                Some(lockout) => lockout.time = minutes,
                None if said.form.op == Op::Unset => {}
                None => return Err(needs(said, argument.name, "it needs -maxLoginAttempts")),
            }
            Ok(())
        },
        print: |argument, line, vserver, _| {
            let time = vserver.lockout.and_then(|lockout| lockout.time);
            line.keyword_if(argument.name, time.map(|time| time.as_secs() / 60))
        },
    },
    Setting {
        argument: Argument::optional("sameSite", Kind::Choice(SameSite::WORDS), "SameSite of its cookie.").or("left out"),
        change: |argument, said, _, vserver, _| {
            let read = |s: &Said<'_>| Some(s.text(argument.name).and_then(SameSite::of));
            said.put(argument.name, &mut vserver.same_site, None, read);
            Ok(())
        },
        print: |argument, line, vserver, _| line.keyword_if(argument.name, vserver.same_site.map(Choice::word)),
    },
];

/// What `set` can change beside: the address, which `add` has at its place.
const ADDRESS: &[Setting<AuthnVserver>] = &[Setting {
    argument: Argument::optional("IPAddress", Kind::Ip, "Where it asks for certificates, if it does."),
    change: |argument, said, _, vserver, _| {
        if let Some(ip) = said.ip(argument.name) {
            let port = vserver.address.map_or(PORT, |address| address.port());
            vserver.address = (!ip.is_unspecified()).then(|| SocketAddr::new(ip, port));
        }
        Ok(())
    },
    print: |_, line, _, _| line,
}];

const SET_SETTINGS: Settings<AuthnVserver> = &[MAIN, ADDRESS];

impl Configured for AuthnVserver {
    const SETTINGS: Settings<Self> = &[MAIN];

    /// What is bound stays.
    fn plain(&self) -> Self {
        Self {
            address: self.address,
            front: self.front.clone(),
            portal_theme: self.portal_theme.clone(),
            primary: self.primary.clone(),
            secondary: self.secondary.clone(),
            group_extraction: self.group_extraction.clone(),
            schemas: self.schemas.clone(),
            ..Self::default()
        }
    }
}

fn add(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let Some(name) = said.name::<AuthnVserverName>("name") else { return Err(incomplete(said)) };
    let address = match (said.ip("IPAddress"), said.number::<u16>("port")) {
        (None, _) => None,
        (Some(ip), None | Some(0)) if ip.is_unspecified() => None,
        (Some(_), None) => {
            let cause = "with an address there must be a port, and without one 0.0.0.0 is enough";
            return Err(Note::new(Code::TooFewArguments, said.place("IPAddress"), "port", cause).into());
        }
        (Some(ip), Some(port)) => Some(SocketAddr::new(ip, port)),
    };
    let plain = AuthnVserver { address, ..AuthnVserver::default() };
    let mut vserver = plain.clone();
    change(AuthnVserver::SETTINGS, said, site, &mut vserver, &plain)?;
    let added = site.model.authentication.vservers.add(name.clone(), vserver);
    added.map_err(|there| taken(said, "name", Code::AlreadyExists, "authentication virtual server", there.0.as_str()))?;
    site.keep_arguments(said, name.as_str());
    Ok(())
}

fn set(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    something(said)?;
    let name = said.text("name").unwrap_or_default();
    let Some(mut vserver) = site.model.authentication.vservers.find(name).cloned() else {
        return Err(no_vserver(said, "name", site.model));
    };
    let plain = vserver.plain();
    change(SET_SETTINGS, said, site, &mut vserver, &plain)?;
    if let Some(there) = site.model.authentication.vservers.find_mut(name) {
        *there = vserver;
    }
    site.keep_arguments(said, name);
    Ok(())
}

fn rm(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("name").unwrap_or_default();
    let made = &mut site.model.authentication;
    if !made.vservers.has(name) {
        return Err(no_vserver(said, "name", site.model));
    }
    if let Some((profile, _)) = made.profiles.iter().find(|(_, profile)| profile.vserver.as_str() == name) {
        return Err(in_use(said, "name", Code::InUse, &format!("authnProfile {profile}")));
    }
    made.vservers.remove(name);
    site.forget_arguments(said, name);
    // What was said of its TLS goes with it, unless there is another virtual server of this name.
    if !site.model.vservers.has(name) {
        site.forget("ssl vserver", name);
    }
    Ok(())
}

fn switch(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("name").unwrap_or_default();
    let Some(vserver) = site.model.authentication.vservers.find_mut(name) else {
        return Err(no_vserver(said, "name", site.model));
    };
    vserver.enabled = said.form.op == Op::Enable;
    Ok(())
}

/// Refuses because `argument` names no authentication virtual server.
pub(super) fn no_vserver(said: &Said<'_>, argument: &str, model: &Model) -> Refused {
    let known = model.authentication.vservers.names().map(AuthnVserverName::as_str);
    missing(said, argument, Code::NoSuchResource, "authentication virtual server", known)
}

/// What a line binds or unbinds.
enum Bound {
    Theme,
    Policy(Factor),
    SchemaPolicy,
}

/// Reads it: exactly one thing.
fn bound(said: &Said<'_>, model: &Model) -> Result<(AuthnVserverName, Bound), Refused> {
    let Some((vserver, _)) = model.authentication.vservers.row(said.text("name").unwrap_or_default()) else {
        return Err(no_vserver(said, "name", model));
    };
    match (said.text("policy"), said.has("portaltheme")) {
        (Some(_), true) => Err(both(said, "policy", "portaltheme")),
        (None, false) => {
            let cause = "a policy with -policy, or a theme with -portaltheme?";
            Err(Note::new(Code::ArgumentMissing, said.span, "-policy", cause).into())
        }
        (None, true) => {
            let more = ["priority", "secondary", "groupExtraction", "nextFactor", "gotoPriorityExpression", "type"];
            let known = |name: &&str| said.form.keywords.iter().any(|argument| argument.name == *name);
            match more.into_iter().filter(known).find(|name| said.has(name)) {
                Some(name) => Err(needs(said, name, "it needs -policy")),
                None => Ok((vserver.clone(), Bound::Theme)),
            }
        }
        (Some(policy), false) if model.authentication.schema_policies.has(policy) => Ok((vserver.clone(), Bound::SchemaPolicy)),
        (Some(_), false) => {
            let factor = match (said.has("secondary"), said.has("groupExtraction")) {
                (true, true) => return Err(both(said, "secondary", "groupExtraction")),
                (true, false) => Factor::Secondary(vserver.clone()),
                (false, true) => Factor::GroupExtraction(vserver.clone()),
                (false, false) => Factor::Primary(vserver.clone()),
            };
            Ok((vserver.clone(), Bound::Policy(factor)))
        }
    }
}

fn bind_one(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let (name, bound) = bound(said, site.model)?;
    match bound {
        Bound::Theme => {
            let theme = said.text("portaltheme").map(Into::into);
            let Some(vserver) = site.model.authentication.vservers.find_mut(name.as_str()) else { return Err(incomplete(said)) };
            vserver.portal_theme = theme;
            Ok(())
        }
        Bound::SchemaPolicy => bind_schema(said, site, &name),
        Bound::Policy(factor) => {
            if rests(said, site, "policy", "policy") {
                return Ok(());
            }
            let policy = bind::policy(said, "policy", site.model)?;
            of_login(said)?;
            let ends = ends(said, site)?;
            let highest =
                site.model.authentication.bank(&factor).and_then(|bank| bank.iter().next_back().map(|last| last.priority));
            let binding = Binding { policy, priority: bind::priority(said, highest)?, goto: ends.goto, next: ends.next };
            let bank = bind::bind(said, "policy", &site.model.authentication, &factor, binding)?;
            *bank_of(said, site.model, &factor)? = bank;
            Ok(())
        }
    }
}

/// Policies of logins are looked at when a user logs in, and at no other time.
fn of_login(said: &Said<'_>) -> Result<(), Refused> {
    match said.text("type") {
        None | Some("REQUEST" | "AAA_REQUEST") => Ok(()),
        Some(other) => {
            let cause = "this policy is looked at when a user logs in, and at no other time";
            Err(Note::new(Code::CannotBind, said.place("type"), other, cause).cure("leave -type out").into())
        }
    }
}

fn bank_of<'m>(said: &Said<'_>, model: &'m mut Model, factor: &Factor) -> Result<&'m mut Bank, Refused> {
    let made = &mut model.authentication;
    let bank = match factor {
        Factor::Primary(vserver) => made.vservers.find_mut(vserver.as_str()).map(|vserver| &mut vserver.primary),
        Factor::Secondary(vserver) => made.vservers.find_mut(vserver.as_str()).map(|vserver| &mut vserver.secondary),
        Factor::GroupExtraction(vserver) => made.vservers.find_mut(vserver.as_str()).map(|vserver| &mut vserver.group_extraction),
        Factor::Label(label) => made.labels.find_mut(label.as_str()).map(|label| &mut label.bank),
    };
    bank.ok_or_else(|| incomplete(said))
}

fn bind_schema(said: &Said<'_>, site: &mut Site<'_>, name: &AuthnVserverName) -> Result<(), Refused> {
    for other in ["secondary", "groupExtraction", "nextFactor"] {
        if said.has(other) {
            let cause = format!("-{other} is for policies that users prove themselves with; this one chooses a form");
            return Err(Note::new(Code::CannotBind, said.place(other), format!("-{other}"), cause).cure("leave it out").into());
        }
    }
    of_login(said)?;
    let made = &mut site.model.authentication;
    let Some((policy, chosen)) = made.schema_policies.row(said.text("policy").unwrap_or_default()) else {
        return Err(incomplete(said));
    };
    let (policy, schema) = (policy.clone(), chosen.schema.clone());
    let formless = made.schemas.find(schema.as_str()).is_some_and(|schema| schema.view == View::None);
    let Some(vserver) = made.vservers.find_mut(name.as_str()) else { return Err(incomplete(said)) };
    let priority = bind::priority(said, vserver.schemas.last().map(|last| last.priority))?;
    let place = said.place("policy");
    if let Some(there) = vserver.schemas.iter().find(|there| there.policy == policy || there.priority == priority) {
        let cause = format!("{} is bound with priority {} already", there.policy, there.priority);
        return Err(Note::new(Code::BindingExists, place, policy.as_str(), cause).into());
    }
    if vserver.schemas.len() >= SCHEMAS_MAX {
        let cause = format!("a server has at most {SCHEMAS_MAX} login schema policies");
        return Err(Note::new(Code::TooManyValues, place, policy.as_str(), cause).into());
    }
    let goto = said.text("gotoPriorityExpression").and_then(|text| Goto::parse(text).ok());
    let at = vserver.schemas.partition_point(|there| there.priority < priority);
    vserver.schemas.insert(at, SchemaBinding { policy: policy.clone(), priority, goto });
    if formless {
        let cause = format!("{schema} has no form, so a login that begins with it has nothing to go on with");
        site.warn(
            Note::new(Code::InvalidArgument, place, policy.as_str(), cause).cure("schemas without a form are for policy labels"),
        );
    }
    Ok(())
}

fn unbind_one(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let (name, bound) = bound(said, site.model)?;
    match bound {
        Bound::Policy(factor) => bind::unbind(said, "policy", &factor, bank_of(said, site.model, &factor)?),
        Bound::Theme => {
            let theme = said.text("portaltheme").unwrap_or_default();
            let Some(vserver) = site.model.authentication.vservers.find_mut(name.as_str()) else { return Err(incomplete(said)) };
            if vserver.portal_theme.as_deref() != Some(theme) {
                let cause = format!("theme {theme:?} is not bound to authentication vserver {name}");
                return Err(Note::new(Code::NoSuchResource, said.place("portaltheme"), theme, cause).into());
            }
            vserver.portal_theme = None;
            Ok(())
        }
        Bound::SchemaPolicy => {
            let policy = said.text("policy").unwrap_or_default();
            let Some(vserver) = site.model.authentication.vservers.find_mut(name.as_str()) else { return Err(incomplete(said)) };
            let is = |name: &PolicyName| name.as_str() == policy;
            let at = vserver.schemas.iter().position(|binding| is(&binding.policy));
            let priority = at.and_then(|at| vserver.schemas.get(at)).map(|binding| binding.priority);
            match at {
                Some(at) if said.number::<u32>("priority").is_none_or(|meant| Some(meant) == priority) => {
                    vserver.schemas.remove(at);
                    Ok(())
                }
                Some(_) | None => Err(not_bound(said, "policy", &Factor::Primary(name), priority)),
            }
        }
    }
}

fn print(model: &Model, out: &mut Writer<'_>) {
    for (name, vserver) in model.authentication.vservers.iter() {
        let line = out.line(Op::Add, &VSERVER, name.as_str()).word(name).word("SSL");
        let line = match vserver.address {
            None => line.word(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            Some(address) => line.word(address.ip()).word(address.port()),
        };
        setting::print(line, vserver).end();
    }
}

fn print_bindings(model: &Model, out: &mut Writer<'_>) {
    for (name, vserver) in model.authentication.vservers.iter() {
        if let Some(theme) = &vserver.portal_theme {
            out.line(Op::Bind, &VSERVER, name.as_str()).word(name).keyword("portaltheme", theme).end();
        }
        for binding in &vserver.schemas {
            let line = out.line(Op::Bind, &VSERVER, name.as_str()).word(name);
            let line = line.keyword("policy", &binding.policy).keyword("priority", binding.priority);
            line.keyword_if("gotoPriorityExpression", binding.goto.as_ref()).end();
        }
        let banks = [
            (&vserver.primary, None),
            (&vserver.secondary, Some("secondary")),
            (&vserver.group_extraction, Some("groupExtraction")),
        ];
        for (bank, switch) in banks {
            for binding in bank.iter() {
                let line = out.line(Op::Bind, &VSERVER, name.as_str()).word(name);
                let line = line.keyword("policy", &binding.policy).keyword("priority", binding.priority);
                let line: LineWriter<'_, '_> = if let Some(switch) = switch { line.switch(switch) } else { line };
                print_ends(line, binding).end();
            }
        }
    }
}
