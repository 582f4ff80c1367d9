//! `authentication ldapAction`: asks a directory.

use crate::code::Code;
use crate::files::Purpose;
use crate::model::authentication::{Action, Choice, DnsLookup, Ldap, LdapSecurity, LdapServerType};

use super::super::site::{Note, Refused, Site};
use super::super::{Argument, Command, Effect, Feature, Form, Kind, Op, Origin, Said};
use super::action::{Kinded, forms, needs, server_of, variant};
use super::secret::{companions, secret};
use super::setting::{Configured, SECONDS, Setting, Settings, attributes, default_group, put, server, setting, show};
use super::{ENABLED, ON_OFF, PORT, YES_NO};

/// `add authentication ldapAction`
pub(in super::super) const LDAP: Command = Command {
    group: "authentication",
    object: "ldapAction",
    words: "authentication ldapAction",
    summary: "Asks a directory: Active Directory or another LDAP server.",
    notes: "The user is searched below `-ldapBase` by the service account, with the filter \
            `(&(<ldapLoginName>=<what was typed>)(<searchFilter>))`; then the gateway binds as the one that was found, with the password that \
            was typed. An empty password never reaches the server.\n\n\
            `-CACert` is read with the configuration; `reload` reads it again. Every certificate in it is trusted, and no other: the system's are not.\n\n\
            With `-authentication DISABLED` no password is checked: the user is looked up for his groups only.\n\n\
            With `-authentication DISABLED -OTPSecret ATTRIBUTE` a one-time code is checked in place of a password, against the devices that \
            the user has registered in that attribute; `-searchFilter \"ATTRIBUTE>=#@\"` finds only users who have one. Without that \
            filter, who came through `/manageotp` is shown the page of his devices instead, behind a factor that has proven who he is.",
    origin: Origin::Extended,
    feature: Some(Feature::Aaa),
    effect: Effect::NewSessions,
    forms: forms!(
        Ldap,
        &[Argument::kept("cloudAttributes")],
        "add authentication ldapAction ldap_server1 -serverName dc1.corp.example -serverPort 636 -ldapBase \"dc=corp,dc=example\" \
         -ldapBindDn svc_gw@corp.example -ldapBindDnPassword \"service secret\" -ldapLoginName sAMAccountName -groupAttrName memberOf \
         -subAttributeName cn -secType SSL -validateServerCert YES",
        "set authentication ldapAction ldap_server1 -passwdChange ENABLED -CACert corp-ca.pem",
        "unset authentication ldapAction ldap_server1 -searchFilter",
        "rm authentication ldapAction ldap_server1",
        None
    ),
};

const MAIN: &[Setting<Ldap>] = &[
    setting!(Argument::optional("serverPort", PORT, "Port there: 636 with -secType SSL.").or("389"), port),
    setting!(
        Argument::optional("authTimeout", Kind::Number { min: 1, max: 300, unit: SECONDS }, "For an answer.").or("3"),
        timeout
    ),
    setting!(Argument::optional("ldapBase", Kind::Text, "Below which users are searched."), base),
    setting!(Argument::optional("ldapBindDn", Kind::Text, "The service account: a distinguished name, or user@domain."), bind_dn),
    secret!(Argument::optional(Ldap::SECRET, Kind::Secret, "Its password."), bind_password),
];

const SEARCH: &[Setting<Ldap>] = &[
    setting!(
        Argument::optional(
            "ldapLoginName",
            Kind::Text,
            "Attribute that is compared with what the user typed: sAMAccountName, userPrincipalName.",
        ),
        login_name
    ),
    setting!(
        Argument::optional("searchFilter", Kind::Text, "What else must be true of the user; outer parentheses may be left out."),
        search_filter
    ),
    setting!(Argument::optional("groupAttrName", Kind::Text, "Attribute with the user's groups: memberOf."), group_attribute),
    setting!(
        Argument::optional("subAttributeName", Kind::Text, "Part of such a value that is the group's name: cn."),
        sub_attribute
    ),
    setting!(
        Argument::optional(
            "secType",
            Kind::Choice(LdapSecurity::WORDS),
            "How it is spoken to: in the clear, with StartTLS (TLS), with TLS from the first byte (SSL).",
        )
        .or("PLAINTEXT"),
        security
    ),
    setting!(
        Argument::optional("svrType", Kind::Choice(LdapServerType::WORDS), "Which kind of directory.").or("AD"),
        server_type
    ),
    setting!(Argument::optional("ssoNameAttribute", Kind::Text, "Attribute that becomes the name for single sign-on."), sso_name),
    setting!(Argument::optional("authentication", ENABLED, "Whether the password is checked.").or("ENABLED"), authentication),
    setting!(
        Argument::optional("requireUser", YES_NO, "Whether it is a failure if there is no such user.").or("YES"),
        require_user
    ),
    setting!(
        Argument::optional("passwdChange", ENABLED, "Whether a user may change a password that has expired; needs TLS.")
            .or("DISABLED"),
        password_change
    ),
    setting!(Argument::optional("nestedGroupExtraction", ON_OFF, "Whether groups of groups count.").or("OFF"), nested_groups),
    setting!(
        Argument::optional("maxNestingLevel", Kind::Number { min: 2, max: 99, unit: "levels" }, "How deep.").or("2"),
        nesting_level
    ),
    setting!(Argument::optional("groupNameIdentifier", Kind::Text, "Attribute that is a group's name."), group_identifier),
    setting!(
        Argument::optional("groupSearchAttribute", Kind::Text, "Attribute in which a group's groups are searched."),
        group_search_attribute
    ),
    setting!(
        Argument::optional("groupSearchSubAttribute", Kind::Text, "Part of such a value that is the group's name."),
        group_search_sub_attribute
    ),
    setting!(Argument::optional("groupSearchFilter", Kind::Text, "What else must be true of a group."), group_search_filter),
    setting!(Argument::optional("followReferrals", ON_OFF, "Whether referrals are followed.").or("OFF"), follow_referrals),
    setting!(
        Argument::optional("maxLDAPReferrals", Kind::Number { min: 1, max: 255, unit: "referrals" }, "How many.").or("1"),
        referrals
    ),
    setting!(
        Argument::optional("referralDNSLookup", Kind::Choice(DnsLookup::WORDS), "How their servers are found.").or("A-REC"),
        referral_lookup
    ),
    setting!(Argument::optional("mssrvrecordlocation", Kind::Text, "Where their service records are."), service_location),
    setting!(
        Argument::optional("validateServerCert", YES_NO, "Whether the server's certificate is checked.").or("NO"),
        validate_certificate
    ),
    setting!(Argument::optional("ldapHostname", Kind::DnsName, "Name for which it must be valid.").or("-serverName"), host_name),
    Setting {
        argument: Argument::optional("CACert", Kind::File, "Authorities that it must lead to, PEM. Ours.")
            .or("those of the system"),
        change: |argument, said, site, ldap: &mut Ldap, plain| {
            site.load(said, argument.name, Purpose::Roots)?;
            put(argument, said, &mut ldap.roots, &plain.roots);
            Ok(())
        },
        print: |argument, line, ldap, plain| show(argument, line, &ldap.roots, &plain.roots),
    },
    default_group!(),
];

const SPECIAL: &[Setting<Ldap>] = &[
    setting!(Argument::optional("sshPublicKey", Kind::Text, "Attribute with the user's SSH key."), ssh_public_key),
    setting!(Argument::optional("pushService", Kind::Text, "Name of a push service for codes."), push_service),
    setting!(
        Argument::optional("OTPSecret", Kind::Text, "Attribute with the secrets of one-time passwords; not itself a secret."),
        otp_secret
    ),
    setting!(Argument::optional("KBAttribute", Kind::Text, "Attribute with questions and answers."), knowledge),
    setting!(Argument::optional("email", Kind::Text, "Attribute with the user's mail address.").or("mail"), email),
    setting!(Argument::optional("alternateEmailAttr", Kind::Text, "Attribute with another one."), alternate_email),
];

impl Configured for Ldap {
    const SETTINGS: Settings<Self> =
        &[server!(Self, "the directory"), MAIN, &companions::<Self>(), SEARCH, attributes!(Ldap), SPECIAL];

    fn plain(&self) -> Self {
        Self::new(self.server.clone())
    }
}

impl Kinded for Ldap {
    const COMMAND: &'static Command = &LDAP;

    fn make(said: &Said<'_>, _: &mut Site<'_>) -> Result<Self, Refused> {
        server_of(said).map(Self::new)
    }

    fn judge(&self, said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
        if said.form.op != Op::Unset && said.has("pushService") {
            let cause = "devices are not asked to agree, so a login that comes to this action fails, and the log says so";
            site.warn(Note::new(Code::NotImplemented, said.place("pushService"), "-pushService", cause));
        }
        let touched = ["OTPSecret", "authentication"].into_iter().find(|name| said.has(name));
        if let (Some(name), true, true) = (touched, self.otp_secret.is_some(), self.authentication) {
            let cause = "codes are checked in place of a password, so a login that comes to this action fails as it stands";
            let note = Note::new(Code::PrerequisiteMissing, said.place(name), "-OTPSecret", cause);
            site.warn(note.cure("-authentication DISABLED"));
        }
        let clear = self.security == LdapSecurity::Plaintext;
        let said_of_codes = ["OTPSecret", "secType", "searchFilter"].into_iter().find(|name| said.has(name));
        if let (Some(name), true, true, false) = (said_of_codes, clear, self.codes().is_some(), self.only_checks_codes()) {
            let cause = "devices are not written to a directory in the clear: users can be checked, and cannot register";
            site.warn(
                Note::new(Code::PrerequisiteMissing, said.place(name), "-OTPSecret", cause).cure("-secType SSL -serverPort 636"),
            );
        }
        if clear && self.password_change {
            return Err(needs(said, "passwdChange", "a directory changes passwords over TLS only: it needs -secType TLS or SSL"));
        }
        if clear && self.validate_certificate {
            return Err(needs(said, "validateServerCert", "in the clear there is no certificate: it needs -secType TLS or SSL"));
        }
        if self.roots.is_some() && !self.validate_certificate {
            return Err(needs(said, "CACert", "no certificate is checked: it needs -validateServerCert YES"));
        }
        let told = said.has("secType") || said.has("serverIP") || said.has("serverName");
        if clear && told && !self.server.is_loopback() {
            let cause = "passwords of users travel to this directory in the clear";
            let told = ["secType", "serverIP", "serverName"].into_iter().find(|name| said.has(name)).unwrap_or("secType");
            site.warn(Note::new(Code::InvalidArgument, said.place(told), "-secType", cause).cure("-secType SSL -serverPort 636"));
        }
        Ok(())
    }

    variant!(Box Ldap);
}
