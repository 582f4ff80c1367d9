//! `vpn`: virtual servers, their ticket authorities, and which hosts may be connected to.

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::time::Duration;

use sluice_link::snapshot::{Cgp, Rates};

use crate::code::Code;
use crate::files::Purpose;
use crate::model::authentication::{Choice as _, Lockout};
use crate::model::session::{Admission, IcaOnLogout};
use crate::model::{
    AllowedHost, AllowedHostName, AuthnProfileName, CertKeyName, DeviceCertificates, Front, Model, Scheme, Sta, Url,
    VpnParameter, Vserver, VserverName, is_bound,
};
use crate::print::{LineWriter, Writer};

use super::authentication::no_profile;
use super::bound::{self, one_binding};
use super::express;
use super::ns::something;
use super::session::needs;
use super::site::{Note, Refused, Site, incomplete, missing, taken};
use super::ssl::AUTHORITIES_MAX;
use super::{Argument, Command, Effect, Feature, Form, Kind, Op, Origin, Rank, Said, Value};

const YES_NO: Kind = Kind::Choice(&["YES", "NO"]);
const ON_OFF: Kind = Kind::Choice(&["ON", "OFF"]);
const ENABLED: Kind = Kind::Choice(&["ENABLED", "DISABLED"]);
const UPGRADE: Kind = Kind::Choice(&["Always", "Essential", "Never"]);
/// How many failures lock a user out.
pub(super) const ATTEMPTS: Kind = Kind::Number { min: 1, max: 255, unit: "failures" };
/// For how long.
pub(super) const LOCKOUT: Kind = Kind::Number { min: 1, max: 10_080, unit: "minutes" };
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
            secure ticket authorities bound here, each found by the id that it gives itself; without any, by those of `bind vpn global`.\n\n\
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
            apply: bind_to,
            print: Some((Rank::VpnVserverBind, print_bound)),
        },
        Form {
            op: Op::Unbind,
            positionals: &[VSERVER_NAME],
            keywords: BIND_KEYWORDS,
            example: "unbind vpn vserver gw -staServer https://sta.example.com",
            apply: unbind_from,
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
    Argument::optional("maxAAAUsers", Kind::Number { min: 0, max: u32::MAX as u64, unit: "users" }, "Most users at a time.")
        .or("no limit"),
    Argument::optional("maxLoginAttempts", ATTEMPTS, "After so many failures a user is locked out."),
    Argument::optional("failedLoginTimeout", LOCKOUT, "For so long. Needs -maxLoginAttempts."),
    Argument::optional(
        "loginOnce",
        ON_OFF,
        "Whether a user is logged in once only: a further login here ends the earlier ones, and the ICA sessions launched with them.",
    )
    .or("OFF"),
    Argument::optional("authnProfile", Kind::Name, "How users log in: an authentication profile.")
        .names("authentication authnProfile")
        .or("as local users"),
    Argument::optional(
        "deviceCert",
        ON_OFF,
        "Accepted: a certificate of the machine is asked for wherever a scan wants `device-cert_0_0`, on or off.",
    )
    .or("OFF"),
    Argument::optional(
        "certkeyNames",
        Kind::Text,
        "Who issues the certificates of machines: names of `ssl certKey`, divided by commas. What `bind ssl vserver … -CA` says about \
         one of them and revocation holds here, too.",
    ),
    Argument::always("icaOnly", "ON", "Only ICA sessions are carried; there is no tunnel.").takes(ON_OFF),
    Argument::always("authentication", "ON", "Users always log in.").takes(ON_OFF),
    Argument::always("doubleHop", "DISABLED", "One gateway only.").takes(ENABLED),
    Argument::always("dtls", "OFF", "Not spoken.").takes(ON_OFF),
    Argument::always("downStateFlush", "DISABLED", "Sessions outlive a change of state.").takes(ENABLED),
    Argument::always("tcpProfileName", "nstcp_default_profile", "One profile.").takes(Kind::Text),
    Argument::always("httpProfileName", "nshttp_default_profile", "One profile.").takes(Kind::Text),
    Argument::always("icaProxySessionMigration", "OFF", "A session stays with the login that began it.").takes(ON_OFF),
    Argument::always("sameSite", "LAX", "`SameSite` of the login's cookie.").takes(Kind::Choice(&["None", "LAX", "STRICT"])),
    Argument::always("cginfraHomePageRedirect", "DISABLED", "Nobody is sent elsewhere after a login.").takes(ENABLED),
    Argument::always("appflowLog", "DISABLED", "The gateway writes its own log.").takes(ENABLED),
    Argument::always("icmpVsrResponse", "PASSIVE", "Pings are answered by the operating system.")
        .takes(Kind::Choice(&["PASSIVE", "ACTIVE"])),
    Argument::always("RHIstate", "PASSIVE", "Routes are announced by the operating system.")
        .takes(Kind::Choice(&["PASSIVE", "ACTIVE"])),
    Argument::always("l2Conn", "OFF", "A connection is known by its addresses and ports.").takes(ON_OFF),
    Argument::always("logoutOnSmartcardRemoval", "OFF", "Nobody tells the gateway.").takes(ON_OFF),
    Argument::always("devicePosture", "DISABLED", "Not asked for.").takes(ENABLED),
    Argument::always("secureprivateaccess", "DISABLED", "There is no tunnel.").takes(ENABLED),
    Argument::always("range", "1", "One address; add a virtual server for each.").takes(Kind::Number {
        min: 1,
        max: 254,
        unit: "addresses",
    }),
    Argument::always("td", "0", "One routing domain.").takes(Kind::Number { min: 0, max: 4094, unit: "traffic domain" }),
    Argument::kept("Listenpolicy").takes(Kind::Text).or("NONE").means("Which connections it listens to."),
    Argument::kept("Listenpriority")
        .takes(Kind::Number { min: 0, max: 101, unit: "place" })
        .or("101")
        .means("Its place among those."),
    Argument::kept("comment").takes(Kind::Text).means("For people."),
    Argument::kept("netProfile").takes(Kind::Text).means("Addresses from which hosts are connected to."),
    Argument::kept("deploymentType")
        .takes(Kind::Choice(&["NONE", "ICA_WEBINTERFACE", "ICA_STOREFRONT", "MOBILITY", "WIONNS"]))
        .or("NONE")
        .means("By which assistant it was set up."),
    Argument::kept("rdpServerProfileName").takes(Kind::Text).means("Settings of remote desktops."),
    Argument::kept("pcoipVserverProfileName").takes(Kind::Text).means("Settings of PCoIP."),
    Argument::kept("WindowsEPAPluginUpgrade")
        .takes(UPGRADE)
        .means("When the plug-in that looks at the client is renewed: Windows."),
    Argument::kept("LinuxEPAPluginUpgrade").takes(UPGRADE).means("Likewise: Linux."),
    Argument::kept("MacEPAPluginUpgrade").takes(UPGRADE).means("Likewise: macOS."),
];

const BIND_KEYWORDS: &[Argument] = &[
    Argument::optional("staServer", Kind::Url, "A secure ticket authority. The path is the protocol's own if none is written."),
    Argument::optional("staAddressType", Kind::Choice(&["IPV4", "IPV6"]), "Accepted; a name may resolve to either."),
    Argument::optional("staInsecure", YES_NO, "Tickets may travel in the clear to an STA on another machine. Ours.").or("NO"),
    Argument::optional("CACert", Kind::File, "Trust anchors for https, PEM. Ours.").or("those of the system"),
    bound::POLICY,
    bound::PRIORITY,
    bound::SECONDARY,
    bound::GROUP_EXTRACTION,
    bound::GOTO,
    bound::TYPE,
    Argument::kept("portaltheme").takes(Kind::Text).means("Look of the pages."),
    Argument::kept("eula").takes(Kind::Text).means("Terms that users accept."),
    Argument::kept("urlName").takes(Kind::Text).means("A bookmark."),
    Argument::kept("intranetApplication").takes(Kind::Text).means("What the tunnel reaches."),
    Argument::kept("intranetIP").means("Addresses of the tunnel's clients, with a mask."),
    Argument::kept("intranetIP6").means("Likewise, IPv6, with a number."),
    Argument::kept("nextHopServer").takes(Kind::Text).means("The second gateway of two."),
    Argument::kept("appController").takes(Kind::Text).means("Server of mobile applications."),
    Argument::kept("sharefile").takes(Kind::Text).means("Server of files."),
];

fn add_vserver(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let (Some(name), Some(ip), Some(port)) = (said.name::<VserverName>("name"), said.ip("IPAddress"), said.number("port")) else {
        return Err(incomplete(said));
    };
    let address = SocketAddr::new(ip, port);
    free_address(said, "IPAddress", address, site.model)?;
    let profile = profile(said, site.model)?;
    let mut vserver = Vserver {
        address,
        enabled: true,
        fqdn: None,
        cgp: Cgp::Reject,
        rates: Rates::default(),
        front: Front::default(),
        devices: DeviceCertificates::default(),
        stas: Vec::new(),
        authn_profile: None,
        admission: Admission::default(),
    };
    change_vserver(said, &mut vserver, profile)?;
    change_devices(said, &mut vserver.devices, site.model)?;
    let added = site.model.vservers.add(name.clone(), vserver);
    added.map_err(|there| taken(said, "name", Code::AlreadyExists, "virtual server", there.0.as_str()))?;
    site.keep_arguments(said, name.as_str());
    Ok(())
}

fn set_vserver(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    something(said)?;
    let name = said.text("name").unwrap_or_default();
    if !site.model.vservers.has(name) {
        return Err(no_vserver(said, "name", site.model));
    }
    let profile = profile(said, site.model)?;
    let Some(vserver) = site.model.vservers.find(name) else { return Err(incomplete(said)) };
    let mut devices = vserver.devices.clone();
    change_devices(said, &mut devices, site.model)?;
    let Some(vserver) = site.model.vservers.find_mut(name) else { return Err(incomplete(said)) };
    change_vserver(said, vserver, profile)?;
    vserver.devices = devices;
    site.keep_arguments(said, name);
    Ok(())
}

/// The authentication profile that a line names, which must exist.
fn profile(said: &Said<'_>, model: &Model) -> Result<Option<AuthnProfileName>, Refused> {
    let Some(name) = said.text("authnProfile") else { return Ok(None) };
    match model.authentication.profiles.row(name) {
        Some((name, _)) => Ok(Some(name.clone())),
        None => Err(no_profile(said, "authnProfile", model)),
    }
}

fn change_vserver(said: &Said<'_>, vserver: &mut Vserver, profile: Option<AuthnProfileName>) -> Result<(), Refused> {
    let mut lockout = vserver.admission.lockout;
    change_lockout(said, &mut lockout)?;
    vserver.admission.lockout = lockout;
    said.put("maxAAAUsers", &mut vserver.admission.users_max, None, |s| s.number("maxAAAUsers").map(Some));
    said.put("loginOnce", &mut vserver.admission.login_once, false, |s| s.flag("loginOnce"));
    said.put("authnProfile", &mut vserver.authn_profile, None, |_| Some(profile));
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
    Ok(())
}

/// Takes what a line says about certificates of machines.
fn change_devices(said: &Said<'_>, devices: &mut DeviceCertificates, model: &Model) -> Result<(), Refused> {
    said.put("deviceCert", &mut devices.on, false, |s| s.flag("deviceCert"));
    let mut authorities = Vec::new();
    for name in said.text("certkeyNames").unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let Some((name, _)) = model.certificates.row(name) else {
            let cause = format!("there is no certificate {name}");
            let note = Note::new(Code::NoCertificate, said.place("certkeyNames"), name, cause);
            return Err(Refused { note: Box::new(note.cure("add ssl certKey NAME -cert FILE")), missing: true });
        };
        if !authorities.contains(name) {
            authorities.push(name.clone());
        }
    }
    if authorities.len() > AUTHORITIES_MAX {
        let cause = format!("a virtual server trusts at most {AUTHORITIES_MAX} authorities");
        return Err(Note::new(Code::TooManyValues, said.place("certkeyNames"), "-certkeyNames", cause).into());
    }
    said.put("certkeyNames", &mut devices.authorities, Vec::new(), |_| Some(authorities));
    Ok(())
}

/// Takes what a line says about locking users out.
///
/// # Errors
/// A time without a number of failures.
pub(super) fn change_lockout(said: &Said<'_>, lockout: &mut Option<Lockout>) -> Result<(), Refused> {
    let (mut attempts, mut time) = (lockout.map(|l| l.attempts), lockout.and_then(|l| l.time));
    said.put("maxLoginAttempts", &mut attempts, None, |s| s.number("maxLoginAttempts").map(Some));
    said.put("failedLoginTimeout", &mut time, None, |s| {
        s.number("failedLoginTimeout").map(|minutes: u32| Some(Duration::from_secs(60 * u64::from(minutes))))
    });
    if attempts.is_none() && said.form.op == Op::Unset && !said.has("failedLoginTimeout") {
        time = None;
    }
    needs(said, "failedLoginTimeout", time.is_some(), "maxLoginAttempts", attempts.is_some())?;
    *lockout = attempts.map(|attempts| Lockout { attempts, time });
    Ok(())
}

/// Writes that.
pub(super) fn write_lockout<'w, 'm>(line: LineWriter<'w, 'm>, lockout: Option<Lockout>) -> LineWriter<'w, 'm> {
    line.keyword_if("maxLoginAttempts", lockout.map(|l| l.attempts))
        .keyword_if("failedLoginTimeout", lockout.and_then(|l| l.time).map(|time| time.as_secs() / 60))
}

fn rm_vserver(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("name").unwrap_or_default();
    if site.model.vservers.remove(name).is_none() {
        return Err(no_vserver(said, "name", site.model));
    }
    site.forget_arguments(said, name);
    // What was said of its TLS goes with it, unless there is another virtual server of this name.
    if !site.model.authentication.vservers.has(name) {
        site.forget("ssl vserver", name);
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
    let logins = model.authentication.vservers.iter().filter(|(_, v)| v.front.clients.asked);
    let logins = logins.filter_map(|(name, v)| Some((v.address?, "authentication virtual server", name.as_str())));
    match vservers.chain(servers).chain(hosts).chain(logins).find(|(other, ..)| clash(*other)) {
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
        let line = write_lockout(line.keyword_if("maxAAAUsers", vserver.admission.users_max), vserver.admission.lockout);
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
            .keyword_if("loginOnce", vserver.admission.login_once.then_some("ON"))
            .keyword_if("authnProfile", vserver.authn_profile.as_ref())
            .keyword_if("deviceCert", vserver.devices.on.then_some("ON"))
            .keyword_if("certkeyNames", names(&vserver.devices.authorities))
            .end();
    }
}

fn names(authorities: &[CertKeyName]) -> Option<String> {
    let names: Vec<&str> = authorities.iter().map(CertKeyName::as_str).collect();
    (!names.is_empty()).then(|| names.join(","))
}

fn kbits(rate: Option<NonZeroU64>) -> Option<u64> {
    rate.map(|bytes| bytes.get() / BYTES_PER_KBIT)
}

fn bind_to(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("name").unwrap_or_default();
    if !site.model.vservers.has(name) {
        return Err(no_vserver(said, "name", site.model));
    }
    one_binding(said, &["policy", "staServer"])?;
    if let Some(binding) = bound::read(said, "policy")? {
        express::judge_goto(said, site, binding.goto.as_ref())?;
        let of_logins = bound::is_of_logins(site.model, binding.policy.as_str());
        let has_factors = site.model.vservers.find(name).is_some_and(|vserver| vserver.authn_profile.is_some());
        if !of_logins {
            bound::known(said, site, "policy", &binding)?;
        } else if has_factors {
            let cause = "logins here go through the factors of -authnProfile; this binding is kept for printing back";
            let note = Note::new(Code::NotImplemented, said.place("policy"), binding.policy.as_str(), cause);
            site.warn(note.cure("bind authentication vserver NAME -policy POLICY, or unset vpn vserver NAME -authnProfile"));
        }
        let Some(vserver) = site.model.vservers.find_mut(name) else { return Err(incomplete(said)) };
        return bound::bind(said, &mut vserver.admission.policies, binding);
    }
    let Some(sta) = sta(said, site)? else {
        site.keep_line(said);
        return Ok(());
    };
    site.load(said, "CACert", Purpose::Roots)?;
    let Some(vserver) = site.model.vservers.find_mut(name) else { return Err(incomplete(said)) };
    tie(said, &mut vserver.stas, sta)
}

/// The ticket authority that a line speaks of.
///
/// # Errors
/// Tickets would travel in the clear to another machine, and nobody accepted that.
pub(super) fn sta(said: &Said<'_>, site: &mut Site<'_>) -> Result<Option<Sta>, Refused> {
    let Some(url) = said.url("staServer") else { return Ok(None) };
    let insecure = said.flag("staInsecure").unwrap_or_default();
    judge_url(said, site, url, "staServer", "staInsecure", insecure, "tickets")?;
    Ok(Some(Sta { url: url.clone(), insecure, roots: said.text("CACert").map(Into::into) }))
}

/// Ties a ticket authority.
///
/// # Errors
/// It is tied already, or there are too many.
pub(super) fn tie(said: &Said<'_>, stas: &mut Vec<Sta>, sta: Sta) -> Result<(), Refused> {
    let place = said.place("staServer");
    if is_bound(stas, &sta.url) {
        return Err(Note::new(Code::BindingExists, place, sta.url.to_string(), "this STA is bound here already").into());
    }
    if stas.len() >= STAS_MAX {
        let cause = format!("at most {STAS_MAX} ticket authorities are bound in one place");
        return Err(Note::new(Code::TooManyValues, place, sta.url.to_string(), cause).into());
    }
    stas.push(sta);
    Ok(())
}

/// Unties a ticket authority.
///
/// # Errors
/// It is not tied.
pub(super) fn untie(said: &Said<'_>, stas: &mut Vec<Sta>, url: &Url) -> Result<(), Refused> {
    if !is_bound(stas, url) {
        let note = Note::new(Code::NoSuchResource, said.place("staServer"), url.to_string(), "this STA is not bound here");
        return Err(note.into());
    }
    stas.retain(|sta| sta.url.at != url.at || sta.url.scheme != url.scheme);
    Ok(())
}

/// Writes a binding of a ticket authority.
pub(super) fn write_sta<'w, 'm>(line: LineWriter<'w, 'm>, sta: &Sta) -> LineWriter<'w, 'm> {
    line.keyword("staServer", &sta.url)
        .keyword_if("staInsecure", sta.insecure.then_some("YES"))
        .keyword_if("CACert", sta.roots.as_ref().map(|roots| roots.display()))
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

fn unbind_from(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("name").unwrap_or_default();
    one_binding(said, &["policy", "staServer"])?;
    let binding = bound::read(said, "policy")?;
    let url = said.url("staServer");
    let Some(vserver) = site.model.vservers.find_mut(name) else { return Err(no_vserver(said, "name", site.model)) };
    match (binding, url) {
        (Some(binding), _) => bound::unbind(said, &mut vserver.admission.policies, &binding),
        (None, Some(url)) => untie(said, &mut vserver.stas, url),
        (None, None) => site.unkeep_line(said),
    }
}

fn print_bound(model: &Model, out: &mut Writer<'_>) {
    for (name, vserver) in model.vservers.iter() {
        for sta in &vserver.stas {
            write_sta(out.line(Op::Bind, &VSERVER, name.as_str()).word(name), sta).end();
        }
        for binding in &vserver.admission.policies {
            bound::write(out.line(Op::Bind, &VSERVER, name.as_str()).word(name), "policy", binding).end();
        }
    }
}

/// `set vpn parameter`
pub(super) const PARAMETER: Command = Command {
    group: "vpn",
    object: "parameter",
    words: "vpn parameter",
    summary: "Settings of all virtual servers.",
    notes: "They hold where no session policy says more.",
    origin: Origin::NetScaler,
    feature: None,
    effect: Effect::AtOnce,
    forms: &[
        Form {
            op: Op::Set,
            positionals: &[],
            keywords: &super::session::PARAMETER,
            example: "set vpn parameter -ntDomain DEMO",
            apply: parameter,
            print: Some((Rank::VpnParameter, print_parameter)),
        },
        Form {
            op: Op::Unset,
            positionals: &[],
            keywords: &super::session::PARAMETER,
            example: "unset vpn parameter -ntDomain",
            apply: parameter,
            print: None,
        },
    ],
};

fn parameter(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    something(said)?;
    if said.has("epaAgentFolder") {
        site.load_agents(said, "epaAgentFolder")?;
    }
    let VpnParameter { nt_domain, session, ica_session_timeout, ica_on_logout, scans_in_clear, agents, stas: _ } =
        &mut site.model.vpn;
    super::session::change(said, session)?;
    said.put("icaSessionTimeout", ica_session_timeout, false, |s| s.flag("icaSessionTimeout"));
    said.put("icaOnLogout", ica_on_logout, IcaOnLogout::default(), |s| s.text("icaOnLogout").and_then(IcaOnLogout::of));
    said.put("encryptCsecExp", scans_in_clear, false, |s| s.flag("encryptCsecExp").map(|encrypts| !encrypts));
    said.put("epaAgentFolder", agents, None, |s| s.text("epaAgentFolder").map(|folder| Some(folder.into())));
    said.put("ntDomain", nt_domain, None, |s| s.text("ntDomain").map(|domain| Some(domain.into())));
    site.keep_arguments(said, "");
    super::session::warn_of_check(said, site);
    Ok(())
}

fn print_parameter(model: &Model, out: &mut Writer<'_>) {
    let line = out.line(Op::Set, &PARAMETER, "").keyword_if("ntDomain", model.vpn.nt_domain.as_deref());
    super::session::write(line, &model.vpn.session)
        .keyword_if("encryptCsecExp", model.vpn.scans_in_clear.then_some("DISABLED"))
        .keyword_if("epaAgentFolder", model.vpn.agents.as_ref().map(|folder| folder.display()))
        .keyword_if("icaSessionTimeout", model.vpn.ica_session_timeout.then_some("ON"))
        .differs("icaOnLogout", &model.vpn.ica_on_logout, &IcaOnLogout::default(), |what| what.word().to_owned())
        .end();
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
