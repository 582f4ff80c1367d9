//! Session actions and policies, and the settings that they share with `vpn parameter`.

use std::time::Duration;

use crate::code::Code;
use crate::expr::Wanted;
use crate::model::authentication::{Choice, Expression};
use crate::model::session::{Authorization, IcaOnLogout, SessionPolicy, SessionSettings};
use crate::model::{ClientCheck, Model, PolicyName, SessionActionName};
use crate::print::{LineWriter, Writer};

use super::express::judge;
use super::ns::something;
use super::site::{Note, Refused, Site, in_use, incomplete, missing, taken};
use super::{Argument, Command, Effect, Feature, Form, Kind, Op, Origin, Rank, Said};

const ON_OFF: Kind = Kind::Choice(&["ON", "OFF"]);
const ENABLED: Kind = Kind::Choice(&["ENABLED", "DISABLED"]);
const UPGRADE: Kind = Kind::Choice(&["Always", "Essential", "Never"]);
const ALLOW_DENY: Kind = Kind::Choice(<Authorization as Choice>::WORDS);
const PORTS: Kind = Kind::List(&Kind::Number { min: 1, max: 65_535, unit: "ports" }, 64);
/// Longest name of a group that a session is given, in characters.
const GROUP_CHARS_MAX: usize = 64;
const MINUTE: Duration = Duration::from_secs(60);

const fn minutes(max: u64) -> Kind {
    Kind::Number { min: 1, max, unit: "minutes" }
}

/// The keywords of a source of settings. In an action what is not said is left open; in `vpn parameter` it has a default.
const fn keywords(parameter: bool) -> [Argument; 67] {
    const fn held(name: &'static str, kind: Kind, default: &'static str, help: &'static str, parameter: bool) -> Argument {
        let argument = Argument::held(name, kind, help);
        if parameter { argument.or(default) } else { argument }
    }
    const fn live(name: &'static str, kind: Kind, default: &'static str, help: &'static str, parameter: bool) -> Argument {
        let argument = Argument::optional(name, kind, help);
        if parameter { argument.or(default) } else { argument }
    }
    const fn kept(name: &'static str, kind: Kind, default: &'static str, help: &'static str, parameter: bool) -> Argument {
        let argument = Argument::kept(name).takes(kind).means(help);
        if parameter { argument.or(default) } else { argument }
    }
    let p = parameter;
    [
        Argument::optional("ntDomain", Kind::Word(255, "-_."), "The domain of users who name none."),
        Argument::always("icaProxy", "ON", "Only ICA sessions are carried; there is no tunnel.").takes(ON_OFF),
        live("sessTimeout", minutes(65_535), "30", "Ends a login that has been without traffic so long.", p),
        held("clientIdleTimeout", minutes(9_999), "", "Ends a login whose user has not moved so long.", p),
        live("forcedTimeout", minutes(65_535), "", "Ends a login so long after it began.", p),
        held("forcedTimeoutWarning", minutes(255), "", "How long before that the user is told.", p),
        held("defaultAuthorizationAction", ALLOW_DENY, "DENY", "For requests of which no authorization policy speaks.", p),
        held("SSO", ON_OFF, "OFF", "Whether name and password are passed on to the store.", p),
        live(
            "ssoCredential",
            Kind::Choice(&["PRIMARY", "SECONDARY"]),
            "PRIMARY",
            "Which of two passwords is the one for resources, at a virtual server without an authentication profile.",
            p,
        ),
        held("wihome", Kind::Text, "", "The store behind the gateway: its page.", p),
        held("wihomeAddressType", Kind::Choice(&["IPV4", "IPV6"]), "", "To which kind of address that resolves.", p),
        held("storefronturl", Kind::Text, "", "The store behind the gateway: where native clients find it.", p),
        held("citrixReceiverHome", Kind::Text, "", "The page for native clients.", p),
        held("homePage", Kind::Text, "", "The page after the login.", p),
        held(
            "sfGatewayAuthType",
            Kind::Choice(&["domain", "RSA", "domainAndRSA", "SMS", "smartCard", "sfAuth", "sfAuthAndRSA"]),
            "",
            "What the store expects its users to log in with.",
            p,
        ),
        held("ClientChoices", ON_OFF, "OFF", "Whether users are asked what they want to open.", p),
        held("authorizationGroup", Kind::Text, "", "Groups for authorization.", p),
        live("Smartgroup", Kind::Word(GROUP_CHARS_MAX, "_-.# @=:"), "", "The group of those whose machine was looked at.", p),
        live("allowedLoginGroups", Kind::Text, "", "Groups that may log in, divided by commas.", p),
        live("clientSecurity", Kind::Text, "", "What the client's machine must be like.", p),
        live("clientSecurityGroup", Kind::Word(GROUP_CHARS_MAX, "_-.# @=:"), "", "The group of those whose machine is not.", p),
        live("clientSecurityMessage", Kind::Text, "", "What those are told.", p),
        live("clientSecurityLog", ON_OFF, "OFF", "Whether what came of it is in the audit log.", p),
        held("epaClientType", Kind::Choice(&["AGENT", "PLUGIN"]), "", "Which program looks at the client's machine.", p),
        // Clientless access.
        kept("clientlessVpnMode", Kind::Choice(&["ON", "OFF", "DISABLED"]), "OFF", "Web applications without a tunnel.", p),
        kept(
            "clientlessModeUrlEncoding",
            Kind::Choice(&["TRANSPARENT", "OPAQUE", "ENCRYPT"]),
            "OPAQUE",
            "How their URLs look.",
            p,
        ),
        kept(
            "clientlessPersistentCookie",
            Kind::Choice(&["ALLOW", "DENY", "PROMPT"]),
            "DENY",
            "Whether cookies outlive them.",
            p,
        ),
        kept("emailHome", Kind::Text, "", "The mail application.", p),
        kept("SecureBrowse", ENABLED, "ENABLED", "Browsing inside from mobile devices.", p),
        kept("wiPortalMode", Kind::Choice(&["NORMAL", "COMPACT"]), "", "Layout of the old store's page.", p),
        kept("iconWithReceiver", ON_OFF, "OFF", "Whether the plug-in has an icon of its own.", p),
        kept("kcdAccount", Kind::Text, "", "Account for Kerberos delegation.", p),
        kept("rdpClientProfileName", Kind::Text, "", "Settings of remote desktops.", p),
        kept("pcoipProfileName", Kind::Text, "", "Settings of PCoIP.", p),
        // The tunnel.
        kept("transparentInterception", ON_OFF, "OFF", "Whether the tunnel takes all traffic.", p),
        kept("splitTunnel", Kind::Choice(&["ON", "OFF", "REVERSE"]), "OFF", "Which traffic goes into the tunnel.", p),
        kept("splitDns", Kind::Choice(&["LOCAL", "REMOTE", "BOTH"]), "", "Where names are asked for.", p),
        kept(
            "localLanAccess",
            Kind::Choice(&["ON", "OFF", "FORCED"]),
            "OFF",
            "Whether the client's own network stays reachable.",
            p,
        ),
        kept("rfc1918", ON_OFF, "OFF", "Whether only private addresses of it do.", p),
        kept("killConnections", ON_OFF, "OFF", "Whether the client's other connections end.", p),
        kept("winsIP", Kind::Ip, "", "WINS server of the tunnel.", p),
        kept("dnsVserverName", Kind::Text, "", "DNS server of the tunnel.", p),
        kept("iipDnsSuffix", Kind::Text, "", "DNS suffix of the tunnel.", p),
        kept("useMIP", Kind::Choice(&["NS", "OFF"]), "NS", "Whether the tunnel comes from a mapped address.", p),
        kept(
            "useIIP",
            Kind::Choice(&["NOSPILLOVER", "SPILLOVER", "OFF"]),
            "NOSPILLOVER",
            "Whether it comes from an intranet address.",
            p,
        ),
        kept("httpPort", PORTS, "", "Ports of web traffic in the tunnel.", p),
        kept("proxy", Kind::Choice(&["BROWSER", "NS", "OFF"]), "", "Where the client's proxy is set.", p),
        kept("allProtocolProxy", Kind::Text, "", "Proxy for everything.", p),
        kept("httpProxy", Kind::Text, "", "Proxy for HTTP.", p),
        kept("ftpProxy", Kind::Text, "", "Proxy for FTP.", p),
        kept("socksProxy", Kind::Text, "", "Proxy for SOCKS.", p),
        kept("gopherProxy", Kind::Text, "", "Proxy for Gopher.", p),
        kept("sslProxy", Kind::Text, "", "Proxy for HTTPS.", p),
        kept("proxyException", Kind::Text, "", "What goes without a proxy.", p),
        kept("proxyLocalBypass", ENABLED, "DISABLED", "Whether local names do.", p),
        kept("autoProxyUrl", Kind::Text, "", "Where the client finds its proxy's script.", p),
        kept("clientCleanupPrompt", ON_OFF, "ON", "Whether the client offers to clean up.", p),
        kept("forceCleanup", Kind::Anything, "", "What the client cleans up unasked.", p),
        kept("clientConfiguration", Kind::Anything, "", "What users may change in their client.", p),
        kept("windowsAutoLogon", ON_OFF, "OFF", "Whether the login of Windows is used.", p),
        kept("loginScript", Kind::Text, "", "What the client runs after the login.", p),
        kept("logoutScript", Kind::Text, "", "What it runs at the end.", p),
        kept("WindowsPluginUpgrade", UPGRADE, "Always", "When the plug-in of Windows is renewed.", p),
        kept("MacPluginUpgrade", UPGRADE, "Always", "When that of macOS is.", p),
        kept("LinuxPluginUpgrade", UPGRADE, "Always", "When that of Linux is.", p),
        kept("alwaysONProfileName", Kind::Text, "", "Settings of the tunnel that is always on.", p),
        kept("userAccounting", Kind::Text, "", "Server to which sessions are accounted.", p),
    ]
}

const ACTION: [Argument; 67] = keywords(false);

/// The same with what only `vpn parameter` has; the array is as long as both together.
pub(super) const PARAMETER: [Argument; 76] = {
    let shared = keywords(true);
    let mut all =
        [Argument::kept("icaUserAccounting").takes(Kind::Text).means("Server to which ICA sessions are accounted."); 76];
    let mut at = 0;
    while at < shared.len() {
        all[at] = shared[at];
        at += 1;
    }
    all[at] = Argument::optional(
        "encryptCsecExp",
        ENABLED,
        "Whether what a client is asked about itself, and what it answers, goes in an envelope inside TLS.",
    )
    .or("ENABLED");
    all[at + 1] = Argument::kept("appTokenTimeout").takes(seconds(255)).or("100").means("Life of tokens of mobile applications.");
    all[at + 2] =
        Argument::kept("mdxTokenTimeout").takes(minutes(1_440)).or("10").means("Life of tokens of managed applications.");
    all[at + 3] =
        Argument::kept("UITHEME").takes(Kind::Choice(&["DEFAULT", "GREENBUBBLE", "CUSTOM"])).means("Look of the old pages.");
    all[at + 4] = Argument::kept("clientversions").takes(Kind::Text).means("Least versions of the plug-in.");
    all[at + 5] = Argument::optional(
        "icaSessionTimeout",
        ON_OFF,
        "Whether a login that ends because its time is up ends the ICA sessions that were launched with it.",
    )
    .or("OFF");
    all[at + 6] = Argument::optional(
        "icaOnLogout",
        Kind::Choice(<IcaOnLogout as Choice>::WORDS),
        "What becomes of the ICA sessions of a login whose user logs out or logs in anew: they go on, or end with it. Ours.",
    )
    .or("KEEP");
    all[at + 7] = Argument::optional(
        "epaAgentFolder",
        Kind::File,
        "The folder with the endpoint agent for users who lack it: `nsepa.deb`, `sluice-epa`, `sluice-epa.tar.gz`, at most 32 MiB \
         each. Read with the configuration. Ours.",
    );
    all
};

const fn seconds(max: u64) -> Kind {
    Kind::Number { min: 1, max, unit: "seconds" }
}

/// Takes what a line says about settings.
///
/// # Errors
/// One needs another, or an expression is none. Nothing has changed then.
pub(super) fn change(said: &Said<'_>, settings: &mut SessionSettings) -> Result<(), Refused> {
    let mut s = settings.clone();
    let time = |name: &'static str| {
        move |said: &Said<'_>| said.number::<u64>(name).map(|n| Some(MINUTE * u32::try_from(n).unwrap_or(u32::MAX)))
    };
    let text = |name: &'static str| move |said: &Said<'_>| said.text(name).map(|text| Some(Box::from(text)));
    let flag = |name: &'static str| move |said: &Said<'_>| said.flag(name).map(Some);
    said.put("sessTimeout", &mut s.session_timeout, None, time("sessTimeout"));
    said.put("clientIdleTimeout", &mut s.idle_timeout, None, time("clientIdleTimeout"));
    said.put("forcedTimeout", &mut s.forced_timeout, None, time("forcedTimeout"));
    said.put("forcedTimeoutWarning", &mut s.forced_timeout_warning, None, time("forcedTimeoutWarning"));
    said.put("defaultAuthorizationAction", &mut s.authorization, None, |said| choice(said, "defaultAuthorizationAction"));
    said.put("SSO", &mut s.single_sign_on, None, flag("SSO"));
    said.put("ssoCredential", &mut s.sso_credential, None, |said| choice(said, "ssoCredential"));
    said.put("wihome", &mut s.store_page, None, text("wihome"));
    said.put("wihomeAddressType", &mut s.store_page_family, None, |said| choice(said, "wihomeAddressType"));
    said.put("storefronturl", &mut s.store, None, text("storefronturl"));
    said.put("citrixReceiverHome", &mut s.receiver_home, None, text("citrixReceiverHome"));
    said.put("homePage", &mut s.home_page, None, text("homePage"));
    said.put("sfGatewayAuthType", &mut s.store_auth, None, |said| choice(said, "sfGatewayAuthType"));
    said.put("ClientChoices", &mut s.client_choices, None, flag("ClientChoices"));
    said.put("authorizationGroup", &mut s.authorization_group, None, text("authorizationGroup"));
    said.put("Smartgroup", &mut s.smart_group, None, text("Smartgroup"));
    said.put("allowedLoginGroups", &mut s.allowed_login_groups, None, text("allowedLoginGroups"));
    said.put("clientSecurity", &mut s.client_security, None, |said| said.text("clientSecurity").map(ClientCheck::read).map(Some));
    said.put("clientSecurityGroup", &mut s.client_security_group, None, text("clientSecurityGroup"));
    said.put("clientSecurityMessage", &mut s.client_security_message, None, text("clientSecurityMessage"));
    said.put("clientSecurityLog", &mut s.client_security_log, None, flag("clientSecurityLog"));
    said.put("epaClientType", &mut s.epa_client, None, |said| choice(said, "epaClientType"));
    needs(said, "forcedTimeoutWarning", s.forced_timeout_warning.is_some(), "forcedTimeout", s.forced_timeout.is_some())?;
    let asked = s.client_security.is_some();
    needs(said, "clientSecurityGroup", s.client_security_group.is_some(), "clientSecurity", asked)?;
    needs(said, "clientSecurityMessage", s.client_security_message.is_some(), "clientSecurity", asked)?;
    *settings = s;
    Ok(())
}

/// Warns of a check of the client's machine that cannot be put to a client.
pub(super) fn warn_of_check(said: &Said<'_>, site: &mut Site<'_>) {
    if said.form.op != Op::Unset {
        super::preauthentication::check(said, site, "clientSecurity");
    }
}

/// Refuses `name` if it is there without `other`.
pub(super) fn needs(said: &Said<'_>, name: &str, there: bool, other: &str, other_there: bool) -> Result<(), Refused> {
    if !there || other_there {
        return Ok(());
    }
    let at = if said.has(name) { name } else { other };
    let note = Note::new(Code::PrerequisiteMissing, said.place(at), format!("-{name}"), format!("it needs -{other}"));
    Err(note.cure(format!("give -{other}, too, or leave -{name} out")).into())
}

/// The value of an enumerated argument.
pub(super) fn choice<C: Choice>(said: &Said<'_>, name: &str) -> Option<Option<C>> {
    said.text(name).and_then(C::of).map(Some)
}

/// The rule of a policy, in either language, if the argument is there.
fn rule(said: &Said<'_>, site: &mut Site<'_>) -> Result<Option<Expression>, Refused> {
    let Some(rule) = said.text("rule").and_then(|text| Expression::parse_rule(text).ok()) else { return Ok(None) };
    judge(said, site, "rule", &rule, Wanted::Truth)?;
    Ok(Some(rule))
}

/// Writes settings, all but the domain.
pub(super) fn write<'w, 'm>(line: LineWriter<'w, 'm>, s: &SessionSettings) -> LineWriter<'w, 'm> {
    let time = |time: Option<Duration>| time.map(|time| time.as_secs() / 60);
    let flag = |on: Option<bool>| on.map(|on| if on { "ON" } else { "OFF" });
    // Taken apart, so that a new setting is not forgotten here.
    let SessionSettings {
        session_timeout,
        idle_timeout,
        forced_timeout,
        forced_timeout_warning,
        authorization,
        single_sign_on,
        sso_credential,
        nt_domain: _, // `vpn parameter` has its own
        store_page,
        store_page_family,
        store,
        receiver_home,
        home_page,
        store_auth,
        client_choices,
        authorization_group,
        smart_group,
        allowed_login_groups,
        client_security,
        client_security_group,
        client_security_message,
        client_security_log,
        epa_client,
    } = s;
    line.keyword_if("sessTimeout", time(*session_timeout))
        .keyword_if("clientIdleTimeout", time(*idle_timeout))
        .keyword_if("forcedTimeout", time(*forced_timeout))
        .keyword_if("forcedTimeoutWarning", time(*forced_timeout_warning))
        .keyword_if("defaultAuthorizationAction", authorization.map(Choice::word))
        .keyword_if("SSO", flag(*single_sign_on))
        .keyword_if("ssoCredential", sso_credential.map(Choice::word))
        .keyword_if("wihome", store_page.as_deref())
        .keyword_if("wihomeAddressType", store_page_family.map(Choice::word))
        .keyword_if("storefronturl", store.as_deref())
        .keyword_if("citrixReceiverHome", receiver_home.as_deref())
        .keyword_if("homePage", home_page.as_deref())
        .keyword_if("sfGatewayAuthType", store_auth.map(Choice::word))
        .keyword_if("ClientChoices", flag(*client_choices))
        .keyword_if("authorizationGroup", authorization_group.as_deref())
        .keyword_if("Smartgroup", smart_group.as_deref())
        .keyword_if("allowedLoginGroups", allowed_login_groups.as_deref())
        .keyword_if("clientSecurity", client_security.as_ref())
        .keyword_if("clientSecurityGroup", client_security_group.as_deref())
        .keyword_if("clientSecurityMessage", client_security_message.as_deref())
        .keyword_if("clientSecurityLog", flag(*client_security_log))
        .keyword_if("epaClientType", epa_client.map(Choice::word))
}

/// `add vpn sessionAction`
pub(super) const SESSION_ACTION: Command = Command {
    group: "vpn",
    object: "sessionAction",
    words: "vpn sessionAction",
    summary: "Settings of sessions, which a session policy gives to those for whom its rule is true.",
    notes: "What an action does not say is left to the next matching policy, and at last to `set vpn parameter`.",
    origin: Origin::NetScaler,
    feature: Some(Feature::SslVpn),
    effect: Effect::NewSessions,
    forms: &[
        Form {
            op: Op::Add,
            positionals: &[ACTION_NAME],
            keywords: &ACTION,
            example: "add vpn sessionAction web -SSO ON -wihome https://store.example.com/Citrix/StoreWeb -ntDomain DEMO",
            apply: add_action,
            print: Some((Rank::VpnSessionAction, print_actions)),
        },
        Form {
            op: Op::Set,
            positionals: &[ACTION_NAME],
            keywords: &ACTION,
            example: "set vpn sessionAction web -sessTimeout 60",
            apply: set_action,
            print: None,
        },
        Form {
            op: Op::Unset,
            positionals: &[ACTION_NAME],
            keywords: &ACTION,
            example: "unset vpn sessionAction web -ntDomain",
            apply: set_action,
            print: None,
        },
        Form {
            op: Op::Rm,
            positionals: &[ACTION_NAME],
            keywords: &[],
            example: "add vpn sessionAction old\nrm vpn sessionAction old",
            apply: rm_action,
            print: None,
        },
    ],
};

const ACTION_NAME: Argument = Argument::required("name", Kind::Name, "Name of the action.");

fn action(said: &Said<'_>, settings: &mut SessionSettings) -> Result<(), Refused> {
    change(said, settings)?;
    said.put("ntDomain", &mut settings.nt_domain, None, |s| s.text("ntDomain").map(|domain| Some(domain.into())));
    Ok(())
}

fn add_action(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let Some(name) = said.name::<SessionActionName>("name") else { return Err(incomplete(said)) };
    let mut settings = SessionSettings::default();
    action(said, &mut settings)?;
    let added = site.model.sessions.actions.add(name.clone(), settings);
    added.map_err(|there| taken(said, "name", Code::AlreadyExists, "session action", there.0.as_str()))?;
    site.keep_arguments(said, name.as_str());
    warn_of_check(said, site);
    Ok(())
}

fn set_action(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    something(said)?;
    let name = said.text("name").unwrap_or_default();
    let Some(settings) = site.model.sessions.actions.find_mut(name) else { return Err(no_action(said, "name", site.model)) };
    action(said, settings)?;
    site.keep_arguments(said, name);
    warn_of_check(said, site);
    Ok(())
}

fn rm_action(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("name").unwrap_or_default();
    let sessions = &mut site.model.sessions;
    if !sessions.actions.has(name) {
        return Err(no_action(said, "name", site.model));
    }
    if let Some((policy, _)) = sessions.policies.iter().find(|(_, policy)| policy.action.as_str() == name) {
        return Err(in_use(said, "name", Code::InUse, &format!("session policy {policy}")));
    }
    sessions.actions.remove(name);
    site.forget_arguments(said, name);
    Ok(())
}

fn no_action(said: &Said<'_>, argument: &str, model: &Model) -> Refused {
    let known = model.sessions.actions.names().map(SessionActionName::as_str);
    missing(said, argument, Code::NoSuchResource, "session action", known)
}

fn print_actions(model: &Model, out: &mut Writer<'_>) {
    for (name, settings) in model.sessions.actions.iter() {
        let line = out.line(Op::Add, &SESSION_ACTION, name.as_str()).word(name);
        write(line, settings).keyword_if("ntDomain", settings.nt_domain.as_deref()).end();
    }
}

/// `add vpn sessionPolicy`
pub(super) const SESSION_POLICY: Command = Command {
    group: "vpn",
    object: "sessionPolicy",
    words: "vpn sessionPolicy",
    summary: "A rule, and the settings of sessions for which it is true.",
    notes: "It is looked at where it is bound: to a user, a group, a virtual server, or for all. Of several the one with the lowest \
            priority is first.",
    origin: Origin::NetScaler,
    feature: Some(Feature::SslVpn),
    effect: Effect::NewSessions,
    forms: &[
        Form {
            op: Op::Add,
            positionals: &[
                POLICY_NAME,
                Argument::required("rule", Kind::Expression, "When it applies; stands in quotes if it has blanks."),
                Argument::required("action", Kind::Name, "What holds then: a session action.").names("vpn sessionAction"),
            ],
            keywords: &[],
            example: "add vpn sessionPolicy web_policy true web",
            apply: add_policy,
            print: Some((Rank::VpnSessionPolicy, print_policies)),
        },
        Form {
            op: Op::Set,
            positionals: &[POLICY_NAME],
            keywords: &[
                Argument::optional("rule", Kind::Expression, "When it applies."),
                Argument::optional("action", Kind::Name, "What holds then: a session action.").names("vpn sessionAction"),
            ],
            example: "set vpn sessionPolicy web_policy -rule \"HTTP.REQ.HEADER(\\\"User-Agent\\\").CONTAINS(\\\"CitrixReceiver\\\").NOT\"",
            apply: set_policy,
            print: None,
        },
        Form {
            op: Op::Rm,
            positionals: &[POLICY_NAME],
            keywords: &[],
            example: "rm vpn sessionPolicy web_policy",
            apply: rm_policy,
            print: None,
        },
    ],
};

const POLICY_NAME: Argument = Argument::required("name", Kind::Name, "Name of the policy.");

fn policy_action(said: &Said<'_>, site: &Site<'_>) -> Result<Option<SessionActionName>, Refused> {
    let Some(name) = said.name::<SessionActionName>("action") else { return Ok(None) };
    if site.model.sessions.actions.has(name.as_str()) { Ok(Some(name)) } else { Err(no_action(said, "action", site.model)) }
}

fn add_policy(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let Some(name) = said.name::<PolicyName>("name") else { return Err(incomplete(said)) };
    let (Some(rule), Some(action)) = (rule(said, site)?, policy_action(said, site)?) else {
        return Err(incomplete(said));
    };
    let added = site.model.sessions.policies.add(name, SessionPolicy { rule, action });
    added.map_err(|there| taken(said, "name", Code::AlreadyExists, "session policy", there.0.as_str()))
}

fn set_policy(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    something(said)?;
    let (rule, action) = (rule(said, site)?, policy_action(said, site)?);
    let name = said.text("name").unwrap_or_default();
    let Some(policy) = site.model.sessions.policies.find_mut(name) else { return Err(no_policy(said, site.model)) };
    policy.rule = rule.unwrap_or_else(|| policy.rule.clone());
    policy.action = action.unwrap_or_else(|| policy.action.clone());
    Ok(())
}

fn rm_policy(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("name").unwrap_or_default();
    if !site.model.sessions.policies.has(name) {
        return Err(no_policy(said, site.model));
    }
    if let Some(by) = super::bound::bound_to(site.model, name) {
        return Err(in_use(said, "name", Code::BoundPolicy, &by));
    }
    site.model.sessions.policies.remove(name);
    Ok(())
}

fn no_policy(said: &Said<'_>, model: &Model) -> Refused {
    let known = model.sessions.policies.names().map(PolicyName::as_str);
    missing(said, "name", Code::NoSuchResource, "session policy", known)
}

fn print_policies(model: &Model, out: &mut Writer<'_>) {
    for (name, policy) in model.sessions.policies.iter() {
        out.line(Op::Add, &SESSION_POLICY, name.as_str()).word(name).word(&policy.rule).word(&policy.action).end();
    }
}
