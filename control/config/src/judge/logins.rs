//! Logins with factors: what in them is right by the letter but hardly meant.

use crate::catalog::Note;
use crate::code::Code;
use crate::flow::{Called, Finding, Flow, unused};
use crate::lower::Origins;
use crate::model::Model;
use crate::model::authentication::{
    Action, Authentication, CLIENT_STRINGS_MAX, Choice as _, Factor, Ldap, LdapSecurity, Radius, Served,
};
use crate::problem::Place;
use crate::text::lex::Span;

use super::{Report, warn};

/// How many factors of flows are looked at. A factor counts for each authentication virtual server from which it is reached.
const FACTORS_MAX: usize = 20_000;

pub(super) fn judge(model: &Model, origins: &Origins, report: Report<'_>) {
    let made = &model.authentication;
    if made.is_empty() {
        return;
    }
    flows(made, origins, report);
    for label in unused(made) {
        let cause = "no login comes here: no authentication vserver leads to it";
        let note = Note::new(Code::InvalidArgument, Span::default(), label.as_str(), cause);
        let place = origins.object("authentication policylabel", label.as_str());
        warn(report, place, note.cure(format!("bind authentication vserver NAME -policy POLICY -nextFactor {label}")));
    }
    strings(model, origins, report);
    directories(made, origins, report);
    radius_servers(made, origins, report);
    groups(made, origins, report);
}

/// Where a factor was made.
fn place(origins: &Origins, factor: &Factor) -> Option<Place> {
    match factor {
        Factor::Label(name) => origins.object("authentication policylabel", name.as_str()),
        Factor::Primary(name) | Factor::Secondary(name) | Factor::GroupExtraction(name) => {
            origins.object("authentication vserver", name.as_str())
        }
    }
}

/// What is wrong with the graphs. A factor that several share is told of once.
fn flows(made: &Authentication, origins: &Origins, report: Report<'_>) {
    let mut told: Vec<Finding> = Vec::new();
    let mut seen = 0;
    for vserver in made.vservers.names() {
        let Some(flow) = Flow::of(made, vserver.as_str()) else { continue };
        seen += flow.nodes.len();
        for finding in flow.findings() {
            // Said of each action where it is made.
            if matches!(finding, Finding::Unserved { .. }) || told.contains(&finding) {
                continue;
            }
            let code = match &finding {
                Finding::Unproven { .. } => Code::PrerequisiteMissing,
                Finding::Loop { .. }
                | Finding::Empty { .. }
                | Finding::Dead { .. }
                | Finding::Hidden { .. }
                | Finding::Unserved { .. } => Code::InvalidArgument,
            };
            let factor = finding.factor();
            let about = factor.map(|factor| Called(factor).to_string()).unwrap_or_default();
            let mut note = Note::new(code, Span::default(), about, finding.to_string());
            note.cure = finding.cure().map(str::to_owned);
            warn(report, factor.and_then(|factor| place(origins, factor)), note);
            told.push(finding);
        }
        if seen > FACTORS_MAX {
            let cause =
                format!("the flows of logins have more than {FACTORS_MAX} factors; those behind this one were not looked at");
            let note = Note::new(Code::InvalidArgument, Span::default(), vserver.as_str(), cause);
            warn(report, origins.object("authentication vserver", vserver.as_str()), note);
            return;
        }
    }
}

/// Factors that ask a client more than reaches it.
fn strings(model: &Model, origins: &Origins, report: Report<'_>) {
    let made = &model.authentication;
    let factors = made.labels.names().cloned().map(Factor::Label).chain(made.vservers.names().cloned().map(Factor::Primary));
    for factor in factors {
        let policies = made.bank(&factor).into_iter().flat_map(|bank| bank.iter());
        let actions = policies.filter_map(|binding| made.policies.find(binding.policy.as_str()).and_then(|p| made.action_of(p)));
        let strings = |action: &Action| if let Action::Epa(epa) = action { epa.expression.asked(&model.names).len() } else { 0 };
        let asked: usize = actions.map(strings).sum();
        if asked > CLIENT_STRINGS_MAX {
            let cause = format!(
                "its policies ask a client {asked} things at once; only {CLIENT_STRINGS_MAX} reach it, and to the others the answer is no"
            );
            let note = Note::new(Code::InvalidArgument, Span::default(), Called(&factor).to_string(), cause);
            warn(report, place(origins, &factor), note);
        }
    }
}

/// Directories that find nobody, or of which anybody could take the place.
fn directories(made: &Authentication, origins: &Origins, report: Report<'_>) {
    for (name, action) in made.actions.iter() {
        let Action::Ldap(ldap) = action else { continue };
        let mut tell = |cause: &str, cure: &str| {
            let note = Note::new(Code::PrerequisiteMissing, Span::default(), name.as_str(), cause);
            warn(report, origins.object("authentication ldapAction", name.as_str()), note.cure(cure));
        };
        if ldap.login_name.is_none() {
            tell(
                "without the attribute that is compared with the name that was typed nobody is found",
                "-ldapLoginName sAMAccountName",
            );
        }
        if ldap.base.is_none() {
            tell(
                "without a base the search begins at the root of the directory, where most directories find nothing",
                "-ldapBase dc=example,dc=com",
            );
        }
        if impersonable(ldap) {
            let cause =
                "the directory's certificate is not checked: whoever gets between reads passwords and says yes to all of them";
            tell(cause, "-validateServerCert YES");
        }
    }
}

fn impersonable(ldap: &Ldap) -> bool {
    match ldap.security {
        // That is told where it is said.
        LdapSecurity::Plaintext => false,
        LdapSecurity::StartTls | LdapSecurity::Tls => !ldap.validate_certificate && !ldap.server.is_loopback(),
    }
}

/// RADIUS servers that are not asked, or of which anybody could take the place.
fn radius_servers(made: &Authentication, origins: &Origins, report: Report<'_>) {
    for (name, action) in made.actions.iter() {
        let Action::Radius(radius) = action else { continue };
        let mut tell = |code: Code, cause: String, cure: &str| {
            let note = Note::new(code, Span::default(), name.as_str(), cause);
            warn(report, origins.object("authentication radiusAction", name.as_str()), note.cure(cure));
        };
        match radius.served() {
            Served::Now => {}
            Served::Later | Served::Never => {
                let cause = format!("nothing is asked over {}: a login that comes to it fails", radius.transport.word());
                tell(Code::NotImplemented, cause, "-transport UDP, on a network that is trusted or through a tunnel");
            }
        }
        if !radius.authentication {
            let cause = "with -authentication OFF nobody is asked: a login that comes to it fails";
            tell(Code::PrerequisiteMissing, cause.to_owned(), "-authentication ON");
        }
        if let Some(bytes) = radius.key_bytes().filter(|bytes| *bytes < Radius::KEY_BYTES_MIN && !radius.allow_short_key) {
            let cause = format!(
                "its -radKey has {bytes} bytes; whoever records an answer finds one of fewer than {}, so nobody is asked, and a login that \
                 comes to it fails",
                Radius::KEY_BYTES_MIN
            );
            tell(Code::PrerequisiteMissing, cause, "a longer one, there and here; or -allowShortKey YES");
        }
        if !radius.message_authenticator && !radius.server.is_loopback() {
            let cause = "whoever gets between can make an answer that says yes (CVE-2024-3596)";
            tell(Code::PrerequisiteMissing, cause.to_owned(), "-messageauthenticator ON, once the server sends it");
        }
        if radius.accounting {
            let cause = "begin and end of sessions are told to nobody: accounting is not sent";
            tell(Code::NotImplemented, cause.to_owned(), "-accounting OFF");
        }
    }
}

/// Groups that say "its machine was looked at, and is as it must be", given to those whose machine was not.
fn groups(made: &Authentication, origins: &Origins, report: Report<'_>) {
    let passed = made.actions.iter().filter_map(|(name, action)| {
        let Action::Epa(epa) = action else { return None };
        epa.default_group.as_ref().map(|group| (name, group))
    });
    let passed: Vec<_> = passed.collect();
    for (name, action) in made.actions.iter().filter(|(_, action)| !action.is_epa()) {
        let Some(group) = action.default_group() else { continue };
        let Some((scan, _)) = passed.iter().find(|(_, passed)| *passed == group) else { continue };
        let cause = format!(
            "{name} gives group {group} to users whose machine was not looked at, and {scan} gives it to those that passed"
        );
        let note = Note::new(Code::InvalidArgument, Span::default(), name.as_str(), cause);
        let made_by = ["ldapAction", "noAuthAction", "radiusAction", "certAction"];
        let place = made_by.into_iter().find_map(|kind| origins.object(command(kind), name.as_str()));
        warn(report, place, note.cure("give them two groups"));
    }
}

/// The words of a command of this group.
fn command(object: &'static str) -> &'static str {
    let all = crate::catalog::commands().iter().find(|command| command.group == "authentication" && command.object == object);
    all.map_or("", |command| command.words)
}
