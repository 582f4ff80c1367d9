//! `vpn`: virtual servers, their ticket authorities, and which hosts may be connected to.

use std::net::SocketAddr;
use std::num::NonZeroU64;

use sluice_link::snapshot::{Cgp, Rates};

use crate::code::Code;
use crate::files::Purpose;
use crate::model::{
    AllowedHost, AllowedHostName, KeptFor, Model, Scheme, Sta, Url, VpnParameter, Vserver, VserverName, VserverTls,
};
use crate::print::Writer;

use super::ns::something;
use super::site::{Note, Refused, Site, incomplete, missing, taken};
use super::{Argument, Command, Effect, Feature, Form, Kind, Op, Origin, Rank, Said, Value};

const YES_NO: Kind = Kind::Choice(&["YES", "NO"]);
/// Most ticket authorities of one virtual server.
const STAS_MAX: usize = 32;
/// A rate: 1 kbit/s to 100 Gbit/s.
const KBITS: Kind = Kind::Number { min: 0, max: 100_000_000, unit: "kbit/s" };
/// Bytes per second in a kilobit per second.
const BYTES_PER_KBIT: u64 = 125;
/// Most ranges of ports in one entry.
const PORT_RANGES_MAX: usize = 64;

/// `add vpn vserver`, `bind vpn vserver`
pub(super) const VSERVER: Command = Command {
    group: "vpn",
    object: "vserver",
    words: "vpn vserver",
    summary: "A virtual server: the address to which clients connect.",
    notes: "It is served once `SSLVPN` is enabled and a certificate is bound with `bind ssl vserver`. Tickets are redeemed by the \
            secure ticket authorities bound here, each found by the id that it gives itself.\n\n\
            Tickets in the clear can be read and used by whoever watches the line. An STA on another machine is therefore spoken to \
            with `https`, or the line says `-staInsecure YES`.\n\n\
            Rates count what is inside TLS. After a pause 50 ms' worth may pass at once, and whatever is in hand then. Bytes beyond a rate \
            are not dropped: they are not read from the socket, so TCP slows their sender down. `-rateUp` and `-rateDown` hold over all \
            workers, and whoever waits is served in turn. A running session keeps the rate with which it began; the portal's connections \
            are not slowed down.",
    origin: Origin::Extended,
    feature: Some(Feature::SslVpn),
    effect: Effect::NewSessions,
    forms: &[
        Form {
            op: Op::Add,
            positionals: &[
                VSERVER_NAME,
                Argument::required("serviceType", Kind::Choice(&["SSL"]), "Always SSL."),
                Argument::required("IPAddress", Kind::Ip, "Where it listens; 0.0.0.0 or :: for all addresses of the machine."),
                Argument::required(
                    "port",
                    Kind::Number { min: 0, max: 65_535, unit: "port" },
                    "Port there; 0 lets the system choose.",
                ),
            ],
            keywords: VSERVER_KEYWORDS,
            example: "add vpn vserver gw SSL 192.0.2.1 443 -vserverFqdn gateway.example.com",
            apply: add_vserver,
            print: Some((Rank::VpnVserver, print_vservers)),
        },
        Form {
            op: Op::Set,
            positionals: &[VSERVER_NAME],
            keywords: VSERVER_KEYWORDS,
            example: "set vpn vserver gw -cgp RELAY",
            apply: set_vserver,
            print: None,
        },
        Form {
            op: Op::Unset,
            positionals: &[VSERVER_NAME],
            keywords: VSERVER_KEYWORDS,
            example: "unset vpn vserver gw -cgp",
            apply: set_vserver,
            print: None,
        },
        Form {
            op: Op::Rm,
            positionals: &[VSERVER_NAME],
            keywords: &[],
            example: "rm vpn vserver gw",
            apply: rm_vserver,
            print: None,
        },
        Form {
            op: Op::Enable,
            positionals: &[VSERVER_NAME],
            keywords: &[],
            example: "enable vpn vserver gw",
            apply: switch_vserver,
            print: None,
        },
        Form {
            op: Op::Disable,
            positionals: &[VSERVER_NAME],
            keywords: &[],
            example: "disable vpn vserver gw",
            apply: switch_vserver,
            print: None,
        },
        Form {
            op: Op::Bind,
            positionals: &[VSERVER_NAME],
            keywords: BIND_KEYWORDS,
            example: "bind vpn vserver gw -staServer https://sta.example.com -CACert sta-ca.pem",
            apply: bind_sta,
            print: Some((Rank::VpnVserverBind, print_stas)),
        },
        Form {
            op: Op::Unbind,
            positionals: &[VSERVER_NAME],
            keywords: BIND_KEYWORDS,
            example: "unbind vpn vserver gw -staServer https://sta.example.com",
            apply: unbind_sta,
            print: None,
        },
    ],
};

const VSERVER_NAME: Argument = Argument::required("name", Kind::Name, "Name of the virtual server.");

const VSERVER_KEYWORDS: &[Argument] = &[
    Argument::optional("vserverFqdn", Kind::DnsName, "The name by which clients reach it; it goes into ICA files.")
        .or("the name that the client asked for, if the certificate has it"),
    Argument::optional("state", Kind::Choice(&["ENABLED", "DISABLED"]), "Whether it listens.").or("ENABLED"),
    Argument::optional(
        "cgp",
        Kind::Choice(&["REJECT", "RELAY"]),
        "What happens to clients that ask for session reliability. REJECT closes, counts and logs with the cure. RELAY is \
         experimental: it finds the ticket in the opening and passes that on unchanged. Ours.",
    )
    .or("REJECT"),
    Argument::optional(
        "sessionRateUp",
        KBITS,
        "Most that one session may send from its client to its host; 0 is no limit. Ours.",
    )
    .or("0"),
    Argument::optional(
        "sessionRateDown",
        KBITS,
        "Most that one session may send from its host to its client; 0 is no limit. Ours.",
    )
    .or("0"),
    Argument::optional("rateUp", KBITS, "Most that all sessions together may send from clients to hosts; 0 is no limit. Ours.")
        .or("0"),
    Argument::optional("rateDown", KBITS, "Most that all sessions together may send from hosts to clients; 0 is no limit. Ours.")
        .or("0"),
    Argument::always("icaOnly", "ON", "Only ICA sessions are carried; there is no tunnel."),
    Argument::always("authentication", "ON", "Users always log in."),
    Argument::always("doubleHop", "DISABLED", "One gateway only."),
    Argument::always("dtls", "OFF", "Not spoken."),
    Argument::always("deviceCert", "OFF", "Not asked for."),
    Argument::always("downStateFlush", "DISABLED", "Sessions outlive a change of state."),
    Argument::always("tcpProfileName", "nstcp_default_profile", "One profile."),
    Argument::always("httpProfileName", "nshttp_default_profile", "One profile."),
    Argument::kept("maxAAAUsers"),
    Argument::kept("icaProxySessionMigration"),
    Argument::kept("loginOnce"),
    Argument::kept("certkeyNames"),
    Argument::kept("Listenpolicy"),
    Argument::kept("Listenpriority"),
    Argument::kept("comment"),
    Argument::kept("appflowLog"),
    Argument::kept("icmpVsrResponse"),
    Argument::kept("RHIstate"),
    Argument::kept("netProfile"),
    Argument::kept("cginfraHomePageRedirect"),
    Argument::kept("maxLoginAttempts"),
    Argument::kept("failedLoginTimeout"),
    Argument::kept("l2Conn"),
    Argument::kept("deploymentType"),
    Argument::kept("rdpServerProfileName"),
    Argument::kept("WindowsEPAPluginUpgrade"),
    Argument::kept("LinuxEPAPluginUpgrade"),
    Argument::kept("MacEPAPluginUpgrade"),
    Argument::kept("logoutOnSmartcardRemoval"),
    Argument::kept("authnProfile"),
    Argument::kept("sameSite"),
    Argument::kept("devicePosture"),
    Argument::kept("secureprivateaccess"),
    Argument::kept("range"),
    Argument::kept("td"),
];

const BIND_KEYWORDS: &[Argument] = &[
    Argument::optional("staServer", Kind::Url, "A secure ticket authority. The path is the protocol's own if none is written."),
    Argument::optional("staAddressType", Kind::Choice(&["IPV4", "IPV6"]), "Accepted; a name may resolve to either."),
    Argument::optional("staInsecure", YES_NO, "Tickets may travel in the clear to an STA on another machine. Ours.").or("NO"),
    Argument::optional("CACert", Kind::File, "Trust anchors for https, PEM. Ours.").or("those of the system"),
    Argument::kept("policy"),
    Argument::kept("priority"),
    Argument::kept("secondary"),
    Argument::kept("groupExtraction"),
    Argument::kept("gotoPriorityExpression"),
    Argument::kept("type"),
    Argument::kept("portaltheme"),
    Argument::kept("eula"),
    Argument::kept("urlName"),
    Argument::kept("intranetApplication"),
    Argument::kept("intranetIP"),
    Argument::kept("nextHopServer"),
    Argument::kept("appController"),
    Argument::kept("sharefile"),
];

fn add_vserver(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let (Some(name), Some(ip), Some(port)) = (said.name::<VserverName>("name"), said.ip("IPAddress"), said.number("port")) else {
        return Err(incomplete(said));
    };
    let address = SocketAddr::new(ip, port);
    free_address(said, "IPAddress", address, site.model)?;
    let mut vserver = Vserver {
        address,
        enabled: true,
        fqdn: None,
        cgp: Cgp::Reject,
        rates: Rates::default(),
        tls: VserverTls::default(),
        certificate: None,
        sni_certificates: Vec::new(),
        stas: Vec::new(),
        authn_profile: None,
    };
    change_vserver(said, &mut vserver);
    let added = site.model.vservers.add(name.clone(), vserver);
    added.map_err(|there| taken(said, "name", Code::AlreadyExists, "virtual server", there.0.as_str()))?;
    site.keep_arguments(said, name.as_str());
    Ok(())
}

fn set_vserver(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    something(said)?;
    let name = said.text("name").unwrap_or_default();
    let Some(vserver) = site.model.vservers.find_mut(name) else { return Err(no_vserver(said, "name", site.model)) };
    change_vserver(said, vserver);
    site.keep_arguments(said, name);
    Ok(())
}

fn change_vserver(said: &Said<'_>, vserver: &mut Vserver) {
    said.put("vserverFqdn", &mut vserver.fqdn, None, |s| s.text("vserverFqdn").map(|fqdn| Some(fqdn.into())));
    let rates = &mut vserver.rates;
    for (keyword, rate) in [
        ("sessionRateUp", &mut rates.session.up),
        ("sessionRateDown", &mut rates.session.down),
        ("rateUp", &mut rates.together.up),
        ("rateDown", &mut rates.together.down),
    ] {
        said.put(keyword, rate, None, |s| s.number(keyword).map(|kbits: u64| NonZeroU64::new(kbits * BYTES_PER_KBIT)));
    }
    said.put("state", &mut vserver.enabled, true, |s| s.flag("state"));
    said.put("cgp", &mut vserver.cgp, Cgp::Reject, |s| match s.text("cgp")? {
        "RELAY" => Some(Cgp::Relay),
        _ => Some(Cgp::Reject),
    });
}

fn rm_vserver(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("name").unwrap_or_default();
    if site.model.vservers.remove(name).is_none() {
        return Err(no_vserver(said, "name", site.model));
    }
    for command in ["vpn vserver", "ssl vserver"] {
        site.model.kept_arguments.remove(&KeptFor { command, object: name.into() });
    }
    Ok(())
}

fn switch_vserver(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("name").unwrap_or_default();
    let Some(vserver) = site.model.vservers.find_mut(name) else { return Err(no_vserver(said, "name", site.model)) };
    vserver.enabled = said.form.op == Op::Enable;
    Ok(())
}

/// Refuses because there is no such virtual server.
pub(super) fn no_vserver(said: &Said<'_>, argument: &str, model: &Model) -> Refused {
    missing(said, argument, Code::NoSuchResource, "virtual server", model.vservers.names().map(VserverName::as_str))
}

/// Refuses an address on which something else listens already. Port 0 is never taken.
pub(super) fn free_address(said: &Said<'_>, argument: &str, address: SocketAddr, model: &Model) -> Result<(), Refused> {
    let vservers = model.vservers.iter().map(|(name, v)| (v.address, "virtual server", name.as_str()));
    let servers = model.farm.servers.iter().map(|(name, s)| (s.address, "farm server", name.as_str()));
    let hosts = model.farm.hosts.iter().map(|(name, h)| (h.address, "farm host", name.as_str()));
    let clash = |other: SocketAddr| {
        let everywhere = other.ip().is_unspecified() || address.ip().is_unspecified();
        let same_family = other.is_ipv4() == address.is_ipv4();
        address.port() != 0 && other.port() == address.port() && (other.ip() == address.ip() || (everywhere && same_family))
    };
    match vservers.chain(servers).chain(hosts).find(|(other, ..)| clash(*other)) {
        Some((other, what, name)) => {
            let cause = format!("{what} {name} listens on {other}");
            Err(Note::new(Code::AddressInUse, said.place(argument), address.to_string(), cause).into())
        }
        None => Ok(()),
    }
}

fn print_vservers(model: &Model, out: &mut Writer<'_>) {
    for (name, vserver) in model.vservers.iter() {
        let line = out.line(Op::Add, &VSERVER, name.as_str()).word(name).word("SSL");
        let line = line.word(vserver.address.ip()).word(vserver.address.port());
        line.keyword_if("vserverFqdn", vserver.fqdn.as_deref())
            .keyword_if("state", (!vserver.enabled).then_some("DISABLED"))
            .keyword_if(
                "cgp",
                match vserver.cgp {
                    Cgp::Reject => None,
                    Cgp::Relay => Some("RELAY"),
                },
            )
            .keyword_if("sessionRateUp", kbits(vserver.rates.session.up))
            .keyword_if("sessionRateDown", kbits(vserver.rates.session.down))
            .keyword_if("rateUp", kbits(vserver.rates.together.up))
            .keyword_if("rateDown", kbits(vserver.rates.together.down))
            .end();
    }
}

fn kbits(rate: Option<NonZeroU64>) -> Option<u64> {
    rate.map(|bytes| bytes.get() / BYTES_PER_KBIT)
}

fn bind_sta(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("name").unwrap_or_default();
    if !site.model.vservers.has(name) {
        return Err(no_vserver(said, "name", site.model));
    }
    let Some(url) = said.url("staServer") else {
        if said.kept.is_empty() {
            return Err(Note::new(Code::ArgumentMissing, said.span, "-staServer", "what shall be bound?").into());
        }
        site.keep_line(said);
        return Ok(());
    };
    if let Some(other) = said.kept.first() {
        let cause = format!("-staServer and -{} are two bindings", other.keyword);
        return Err(Note::new(Code::BothSpecified, said.span, format!("-{}", other.keyword), cause)
            .cure("write two lines")
            .into());
    }
    let insecure = said.flag("staInsecure").unwrap_or_default();
    judge_url(said, site, url, "staServer", "staInsecure", insecure, "tickets")?;
    let sta = Sta { url: url.clone(), insecure, roots: said.text("CACert").map(Into::into) };
    let place = said.place("staServer");
    let Some(vserver) = site.model.vservers.find(name) else { return Err(incomplete(said)) };
    if vserver.stas.iter().any(|other| other.url.at == url.at && other.url.scheme == url.scheme) {
        return Err(Note::new(Code::BindingExists, place, url.to_string(), "this STA is bound here already").into());
    }
    if vserver.stas.len() >= STAS_MAX {
        let cause = format!("a virtual server has at most {STAS_MAX} ticket authorities");
        return Err(Note::new(Code::TooManyValues, place, url.to_string(), cause).into());
    }
    site.load(said, "CACert", Purpose::Roots)?;
    if let Some(vserver) = site.model.vservers.find_mut(name) {
        vserver.stas.push(sta);
    }
    Ok(())
}

/// What travels to `url` must not be readable on the way, unless somebody said so.
pub(super) fn judge_url(
    said: &Said<'_>,
    site: &mut Site<'_>,
    url: &Url,
    argument: &str,
    consent: &str,
    insecure: bool,
    what: &str,
) -> Result<(), Refused> {
    if url.scheme == Scheme::Https {
        return Ok(());
    }
    if said.has("CACert") {
        let note = Note::new(Code::BothSpecified, said.place("CACert"), "-CACert", "trust anchors have no meaning with http");
        return Err(note.cure("write https, or leave -CACert out").into());
    }
    if url.at.host.is_loopback() {
        return Ok(());
    }
    let place = said.place(argument);
    let cause = format!("{what} would travel in the clear to another machine, and {} could be impersonated", url.at.host);
    if insecure {
        site.warn(Note::new(Code::InvalidArgument, place, url.to_string(), cause).cure("use https as soon as it is there"));
        return Ok(());
    }
    let note = Note::new(Code::PrerequisiteMissing, place, url.to_string(), cause);
    Err(note.cure(format!("use https, or accept the risk with -{consent} YES")).into())
}

fn unbind_sta(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("name").unwrap_or_default();
    let Some(url) = said.url("staServer") else { return Err(incomplete(said)) };
    let Some(vserver) = site.model.vservers.find_mut(name) else { return Err(no_vserver(said, "name", site.model)) };
    let before = vserver.stas.len();
    vserver.stas.retain(|sta| sta.url.at != url.at || sta.url.scheme != url.scheme);
    if vserver.stas.len() < before {
        return Ok(());
    }
    Err(Note::new(Code::NoSuchResource, said.place("staServer"), url.to_string(), "this STA is not bound here").into())
}

fn print_stas(model: &Model, out: &mut Writer<'_>) {
    for (name, vserver) in model.vservers.iter() {
        for sta in &vserver.stas {
            out.line(Op::Bind, &VSERVER, name.as_str())
                .word(name)
                .keyword("staServer", &sta.url)
                .keyword_if("staInsecure", sta.insecure.then_some("YES"))
                .keyword_if("CACert", sta.roots.as_ref().map(|roots| roots.display()))
                .end();
        }
    }
}

/// `set vpn parameter`
pub(super) const PARAMETER: Command = Command {
    group: "vpn",
    object: "parameter",
    words: "vpn parameter",
    summary: "Settings of all virtual servers.",
    notes: "",
    origin: Origin::NetScaler,
    feature: None,
    effect: Effect::AtOnce,
    forms: &[
        Form {
            op: Op::Set,
            positionals: &[],
            keywords: PARAMETER_KEYWORDS,
            example: "set vpn parameter -ntDomain DEMO",
            apply: parameter,
            print: Some((Rank::VpnParameter, print_parameter)),
        },
        Form {
            op: Op::Unset,
            positionals: &[],
            keywords: PARAMETER_KEYWORDS,
            example: "unset vpn parameter -ntDomain",
            apply: parameter,
            print: None,
        },
    ],
};

const PARAMETER_KEYWORDS: &[Argument] = &[
    Argument::optional("ntDomain", Kind::Word(255, "-_."), "The domain of users who name none."),
    Argument::always("icaProxy", "ON", "Only ICA sessions are carried; there is no tunnel."),
    Argument::kept("sessTimeout"),
    Argument::kept("clientIdleTimeout"),
    Argument::kept("forcedTimeout"),
    Argument::kept("forcedTimeoutWarning"),
    Argument::kept("defaultAuthorizationAction"),
    Argument::kept("SSO"),
    Argument::kept("ssoCredential"),
    Argument::kept("wihome"),
    Argument::kept("homePage"),
    Argument::kept("citrixReceiverHome"),
    Argument::kept("clientlessVpnMode"),
    Argument::kept("encryptCsecExp"),
    Argument::kept("icaSessionTimeout"),
    Argument::kept("clientSecurityLog"),
    Argument::kept("ClientChoices"),
    Argument::kept("transparentInterception"),
    Argument::kept("UITHEME"),
];

fn parameter(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    something(said)?;
    let VpnParameter { nt_domain } = &mut site.model.vpn;
    said.put("ntDomain", nt_domain, None, |s| s.text("ntDomain").map(|domain| Some(domain.into())));
    site.keep_arguments(said, "");
    Ok(())
}

fn print_parameter(model: &Model, out: &mut Writer<'_>) {
    out.line(Op::Set, &PARAMETER, "").keyword_if("ntDomain", model.vpn.nt_domain.as_deref()).end();
}

/// `add vpn allowedHost`
pub(super) const ALLOWED_HOST: Command = Command {
    group: "vpn",
    object: "allowedHost",
    words: "vpn allowedHost",
    summary: "Hosts that may be connected to.",
    notes: "A ticket that leads to an address outside this list leads nowhere. The list is empty by default, and then nothing may be \
            connected to.\n\n\
            Whatever the list says, these are refused: loopback, link-local (with the metadata services of clouds), multicast, \
            unspecified and reserved addresses, IPv6 forms that carry an IPv4 address, and the gateway's own listeners and ticket \
            authorities. A name is resolved once, and the resolved address is what is checked and used.\n\n\
            `-allowLoopback YES` opens the loopback addresses of one entry, for demonstrations and tests in which the host runs beside the \
            gateway. The risk: whatever listens on loopback at the entry's ports — databases, management doors — trusts its own \
            machine, and whoever can have a ticket issued for such an address reaches it. Name single ports.",
    origin: Origin::Sluicegate,
    feature: None,
    effect: Effect::NewSessions,
    forms: &[
        Form {
            op: Op::Add,
            positionals: &[ALLOWED_NAME, Argument::required("network", Kind::Cidr, "The addresses: a network, or one address.")],
            keywords: &[
                Argument::required(
                    "port",
                    Kind::List(&Kind::Ports, PORT_RANGES_MAX),
                    "Ports and ranges of ports: 1494,2598 or 1494-1500.",
                ),
                Argument::optional(
                    "allowLoopback",
                    YES_NO,
                    "Loopback addresses among them may be connected to. See the risk above.",
                )
                .or("NO"),
            ],
            example: "add vpn allowedHost vdas 10.20.0.0/16 -port 1494,2598",
            apply: add_allowed,
            print: Some((Rank::VpnAllowedHost, print_allowed)),
        },
        Form {
            op: Op::Rm,
            positionals: &[ALLOWED_NAME],
            keywords: &[],
            example: "rm vpn allowedHost vdas",
            apply: rm_allowed,
            print: None,
        },
    ],
};

const ALLOWED_NAME: Argument = Argument::required("name", Kind::Name, "Name of the entry.");

fn add_allowed(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let (Some(name), Some(Value::Cidr(network))) = (said.name::<AllowedHostName>("name"), said.value("network")) else {
        return Err(incomplete(said));
    };
    let range = |value: &Value| if let Value::Ports(range) = value { Some(*range) } else { None };
    let ports: Vec<_> = said.values("port").filter_map(range).collect();
    let allow_loopback = said.flag("allowLoopback").unwrap_or_default();
    let entry = AllowedHost { network: *network, ports, allow_loopback };
    let added = site.model.allowed_hosts.add(name, entry);
    added.map_err(|there| taken(said, "name", Code::AlreadyExists, "allowed host", there.0.as_str()))?;
    let place = said.place("network");
    if allow_loopback {
        let cause = "whoever can have a ticket issued for a loopback address reaches what listens there at these ports";
        let note = Note::new(Code::InvalidArgument, said.place("allowLoopback"), "-allowLoopback", cause);
        site.warn(note.cure("leave it out where users are real"));
    } else if network.address().to_canonical().is_loopback() {
        let cause = "loopback addresses are refused, so this entry allows nothing";
        site.warn(Note::new(Code::InvalidArgument, place, network.to_string(), cause).cure("see -allowLoopback, and its risk"));
    }
    if network.prefix() == 0 {
        let cause = "this lets tickets lead to every address at these ports";
        site.warn(Note::new(Code::InvalidArgument, place, network.to_string(), cause).cure("name the networks of the hosts"));
    }
    Ok(())
}

fn rm_allowed(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("name").unwrap_or_default();
    match site.model.allowed_hosts.remove(name) {
        Some(_) => Ok(()),
        None => {
            let known = site.model.allowed_hosts.names().map(AllowedHostName::as_str);
            Err(missing(said, "name", Code::NoSuchResource, "allowed host", known))
        }
    }
}

fn print_allowed(model: &Model, out: &mut Writer<'_>) {
    for (name, entry) in model.allowed_hosts.iter() {
        out.line(Op::Add, &ALLOWED_HOST, name.as_str())
            .word(name)
            .word(entry.network)
            .list("port", &entry.ports)
            .keyword_if("allowLoopback", entry.allow_loopback.then_some("YES"))
            .end();
    }
}
