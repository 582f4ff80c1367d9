//! `farm`: the embedded farm — ticket authority and XML Service, published resources, demonstration hosts — and TLS towards hosts.

use std::net::SocketAddr;
use std::time::Duration;

use crate::code::Code;
use crate::files::Purpose;
use crate::model::{
    Access, FarmHost, FarmHostName, FarmServer, FarmServerName, GroupName, HostPort, HostTls, HostTlsName, ICA_PORT, Model,
    Resource, ResourceKind, ResourceName, UserName, XmlService,
};
use crate::print::Writer;

use super::ns::something;
use super::site::{Note, Refused, Site, incomplete, missing, taken};
use super::ssl::served_certificate;
use super::vpn::{free_address, judge_url};
use super::{Argument, Command, Effect, Form, Kind, Op, Origin, Rank, Said, Value};

/// Port of session reliability.
const CGP_PORT: u16 = 2598;
const TICKET_LIFETIME: Duration = Duration::from_secs(100);
const REFRESHABLE_LIFETIME: Duration = Duration::from_secs(500);
/// Most networks in one list.
const NETWORKS_MAX: usize = 64;
/// Most profiles for TLS towards hosts; their number fits the message to the workers.
const HOST_TLS_MAX: usize = 1024;
const _: () = assert!(HOST_TLS_MAX <= u16::MAX as usize);

const PORT: Argument =
    Argument::required("port", Kind::Number { min: 0, max: 65_535, unit: "port" }, "Port there; 0 lets the system choose.");

/// `set farm parameter`
pub(super) const PARAMETER: Command = Command {
    group: "farm",
    object: "parameter",
    words: "farm parameter",
    summary: "Where the portal's resources come from.",
    notes: "Without it, the portal asks the embedded farm. Passwords travel to an XML Service hardly hidden. One on another machine is \
            therefore spoken to with `https`, or the line says `-xmlInsecure YES`.",
    origin: Origin::Sluicegate,
    feature: None,
    effect: Effect::AtOnce,
    forms: &[
        Form {
            op: Op::Set,
            positionals: &[],
            keywords: &[
                Argument::required("xmlService", Kind::Url, "An external XML Service.").or("the embedded one"),
                Argument::optional(
                    "xmlInsecure",
                    Kind::Choice(&["YES", "NO"]),
                    "Passwords may travel in the clear to another machine.",
                )
                .or("NO"),
                Argument::optional("CACert", Kind::File, "Trust anchors for https, PEM.").or("those of the system"),
            ],
            example: "set farm parameter -xmlService https://xml.example.com -CACert xml-ca.pem",
            apply: set_parameter,
            print: Some((Rank::FarmParameter, print_parameter)),
        },
        Form {
            op: Op::Unset,
            positionals: &[],
            keywords: &[Argument::required("xmlService", Kind::Url, "Back to the embedded one.")],
            example: "unset farm parameter -xmlService",
            apply: unset_parameter,
            print: None,
        },
    ],
};

fn set_parameter(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let Some(url) = said.url("xmlService") else { return Err(incomplete(said)) };
    let insecure = said.flag("xmlInsecure").unwrap_or_default();
    judge_url(said, site, url, "xmlService", "xmlInsecure", insecure, "passwords")?;
    site.load(said, "CACert", Purpose::Roots)?;
    site.model.farm.xml_service = Some(XmlService { url: url.clone(), insecure, roots: said.text("CACert").map(Into::into) });
    Ok(())
}

fn unset_parameter(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    something(said)?;
    site.model.farm.xml_service = None;
    Ok(())
}

fn print_parameter(model: &Model, out: &mut Writer<'_>) {
    if let Some(service) = &model.farm.xml_service {
        out.line(Op::Set, &PARAMETER, "")
            .keyword("xmlService", &service.url)
            .keyword_if("xmlInsecure", service.insecure.then_some("YES"))
            .keyword_if("CACert", service.roots.as_ref().map(|roots| roots.display()))
            .end();
    }
}

/// `add farm server`
pub(super) const SERVER: Command = Command {
    group: "farm",
    object: "server",
    words: "farm server",
    summary: "An inside listener that serves the embedded ticket authority and XML Service.",
    notes: "It must not be reachable from where the clients are: whoever may call it can have tickets issued. Only this machine may, \
            unless networks are listed.",
    origin: Origin::Sluicegate,
    feature: None,
    effect: Effect::AtOnce,
    forms: &[
        Form {
            op: Op::Add,
            positionals: &[SERVER_NAME, Argument::required("IPAddress", Kind::Ip, "Where it listens."), PORT],
            keywords: &[
                Argument::optional(
                    "authorityID",
                    Kind::Word(sluice_proto::ticket::STA_ID_BYTES_MAX, "_-"),
                    "What it calls itself in tickets. Must differ between all ticket authorities.",
                )
                .or("made up once and remembered"),
                Argument::optional(
                    "ticketLifetime",
                    Kind::Number { min: 1, max: 86_400, unit: "seconds" },
                    "Life of a ticket that may be used once.",
                )
                .or("100"),
                Argument::optional(
                    "refreshableLifetime",
                    Kind::Number { min: 1, max: 43_200, unit: "seconds" },
                    "Life of a ticket that may be used again, counted from its last use.",
                )
                .or("500"),
                Argument::optional(
                    "allowFrom",
                    Kind::List(&Kind::Cidr, NETWORKS_MAX),
                    "Networks that may call, beside this machine.",
                ),
                Argument::optional("certkeyName", Kind::Name, "Certificate for HTTPS.").names("ssl certKey").or("HTTP"),
            ],
            example: "add farm server sta1 127.0.0.1 8080 -authorityID STA01",
            apply: add_server,
            print: Some((Rank::FarmServer, print_servers)),
        },
        Form {
            op: Op::Rm,
            positionals: &[SERVER_NAME],
            keywords: &[],
            example: "rm farm server sta1",
            apply: rm_server,
            print: None,
        },
    ],
};

const SERVER_NAME: Argument = Argument::required("name", Kind::Name, "Name of the listener.");

fn add_server(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let (Some(name), Some(ip), Some(port)) = (said.name::<FarmServerName>("name"), said.ip("IPAddress"), said.number("port"))
    else {
        return Err(incomplete(said));
    };
    let address = SocketAddr::new(ip, port);
    free_address(said, "IPAddress", address, site.model)?;
    let authority_id: Option<Box<str>> = said.text("authorityID").map(Into::into);
    let same_id = |s: &FarmServer| s.authority_id.is_some() && s.authority_id == authority_id;
    if let Some((other, _)) = site.model.farm.servers.iter().find(|(_, s)| same_id(s)) {
        let cause = format!("farm server {other} has this id already, and tickets are sent to whom their id names");
        let about = authority_id.as_deref().unwrap_or_default();
        return Err(Note::new(Code::AlreadyExists, said.place("authorityID"), about, cause).into());
    }
    let certificate = match said.has("certkeyName") {
        true => Some(served_certificate(said, "certkeyName", site.model)?),
        false => None,
    };
    let network = |value: &Value| if let Value::Cidr(network) = value { Some(*network) } else { None };
    let seconds = |name: &str, default: Duration| said.number(name).map_or(default, Duration::from_secs);
    let server = FarmServer {
        address,
        authority_id,
        ticket_lifetime: seconds("ticketLifetime", TICKET_LIFETIME),
        refreshable_lifetime: seconds("refreshableLifetime", REFRESHABLE_LIFETIME),
        allow_from: said.values("allowFrom").filter_map(network).collect(),
        certificate,
    };
    let added = site.model.farm.servers.add(name, server);
    added.map_err(|there| taken(said, "name", Code::AlreadyExists, "farm server", there.0.as_str()))
}

fn rm_server(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("name").unwrap_or_default();
    match site.model.farm.servers.remove(name) {
        Some(_) => Ok(()),
        None => {
            let known = site.model.farm.servers.names().map(FarmServerName::as_str);
            Err(missing(said, "name", Code::NoSuchResource, "farm server", known))
        }
    }
}

fn print_servers(model: &Model, out: &mut Writer<'_>) {
    let seconds = |time: &Duration| time.as_secs().to_string();
    for (name, server) in model.farm.servers.iter() {
        out.line(Op::Add, &SERVER, name.as_str())
            .word(name)
            .word(server.address.ip())
            .word(server.address.port())
            .keyword_if("authorityID", server.authority_id.as_deref())
            .differs("ticketLifetime", &server.ticket_lifetime, &TICKET_LIFETIME, seconds)
            .differs("refreshableLifetime", &server.refreshable_lifetime, &REFRESHABLE_LIFETIME, seconds)
            .list("allowFrom", &server.allow_from)
            .keyword_if("certkeyName", server.certificate.as_ref())
            .end();
    }
}

/// `add farm host`
pub(super) const HOST: Command = Command {
    group: "farm",
    object: "host",
    words: "farm host",
    summary: "A demonstration ICA host inside the process: it says the ICA hello and echoes.",
    notes: "To be connected to, it must be in the list of allowed hosts like any other.",
    origin: Origin::Sluicegate,
    feature: None,
    effect: Effect::AtOnce,
    forms: &[
        Form {
            op: Op::Add,
            positionals: &[HOST_NAME, Argument::required("IPAddress", Kind::Ip, "Where it listens."), PORT],
            keywords: &[],
            example: "add farm host echo 127.0.0.1 1494",
            apply: add_host,
            print: Some((Rank::FarmHost, print_hosts)),
        },
        Form { op: Op::Rm, positionals: &[HOST_NAME], keywords: &[], example: "rm farm host echo", apply: rm_host, print: None },
    ],
};

const HOST_NAME: Argument = Argument::required("name", Kind::Name, "Name of the host.");

fn add_host(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let (Some(name), Some(ip), Some(port)) = (said.name::<FarmHostName>("name"), said.ip("IPAddress"), said.number("port"))
    else {
        return Err(incomplete(said));
    };
    let address = SocketAddr::new(ip, port);
    free_address(said, "IPAddress", address, site.model)?;
    let added = site.model.farm.hosts.add(name, FarmHost { address });
    added.map_err(|there| taken(said, "name", Code::AlreadyExists, "farm host", there.0.as_str()))
}

fn rm_host(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("name").unwrap_or_default();
    match site.model.farm.hosts.remove(name) {
        Some(_) => Ok(()),
        None => {
            let known = site.model.farm.hosts.names().map(FarmHostName::as_str);
            Err(missing(said, "name", Code::NoSuchResource, "farm host", known))
        }
    }
}

fn print_hosts(model: &Model, out: &mut Writer<'_>) {
    for (name, host) in model.farm.hosts.iter() {
        let line = out.line(Op::Add, &HOST, name.as_str()).word(name);
        line.word(host.address.ip()).word(host.address.port()).end();
    }
}

/// `add farm resource`, `bind farm resource`
pub(super) const RESOURCE: Command = Command {
    group: "farm",
    object: "resource",
    words: "farm resource",
    summary: "A published application or desktop.",
    notes: "Nobody may use it until it is bound to users, groups or everyone. Users never see its host.",
    origin: Origin::Sluicegate,
    feature: None,
    effect: Effect::AtOnce,
    forms: &[
        Form {
            op: Op::Add,
            positionals: &[RESOURCE_NAME],
            keywords: &[
                Argument::required(
                    "host",
                    Kind::HostPort(ICA_PORT),
                    "Where its ICA host listens: an address or a name, with a port if it is not 1494.",
                ),
                RESOURCE_KEYWORDS[1],
                RESOURCE_KEYWORDS[2],
                RESOURCE_KEYWORDS[3],
                RESOURCE_KEYWORDS[4],
                RESOURCE_KEYWORDS[5],
            ],
            example: "add farm resource Notepad -host 10.20.0.5 -displayName \"Notepad\" -folder Office",
            apply: add_resource,
            print: Some((Rank::FarmResource, print_resources)),
        },
        Form {
            op: Op::Set,
            positionals: &[RESOURCE_NAME],
            keywords: RESOURCE_KEYWORDS,
            example: "set farm resource Notepad -description \"Plain text\"",
            apply: set_resource,
            print: None,
        },
        Form {
            op: Op::Unset,
            positionals: &[RESOURCE_NAME],
            keywords: RESOURCE_UNSET,
            example: "unset farm resource Notepad -description",
            apply: set_resource,
            print: None,
        },
        Form {
            op: Op::Rm,
            positionals: &[RESOURCE_NAME],
            keywords: &[],
            example: "rm farm resource Notepad",
            apply: rm_resource,
            print: None,
        },
        Form {
            op: Op::Bind,
            positionals: &[RESOURCE_NAME],
            keywords: ACCESS_KEYWORDS,
            example: "bind farm resource Notepad -groupName staff",
            apply: bind_resource,
            print: Some((Rank::FarmResourceBind, print_access)),
        },
        Form {
            op: Op::Unbind,
            positionals: &[RESOURCE_NAME],
            keywords: ACCESS_KEYWORDS,
            example: "unbind farm resource Notepad -groupName staff",
            apply: bind_resource,
            print: None,
        },
    ],
};

const RESOURCE_NAME: Argument = Argument::required("name", Kind::Name, "Its internal name.");

const RESOURCE_KEYWORDS: &[Argument] = &[
    Argument::optional("host", Kind::HostPort(ICA_PORT), "Where its ICA host listens."),
    Argument::optional("cgpHost", Kind::HostPort(CGP_PORT), "Where the same host listens for session reliability.").or("nowhere"),
    Argument::optional("displayName", Kind::Text, "What users read.").or("its internal name"),
    Argument::optional("description", Kind::Text, "What users read below."),
    Argument::optional("type", Kind::Choice(&["APPLICATION", "DESKTOP"]), "What it is.").or("APPLICATION"),
    Argument::optional("folder", Kind::Text, "In which folder users find it; parts are divided by a backslash."),
];

const RESOURCE_UNSET: &[Argument] =
    &[RESOURCE_KEYWORDS[1], RESOURCE_KEYWORDS[2], RESOURCE_KEYWORDS[3], RESOURCE_KEYWORDS[4], RESOURCE_KEYWORDS[5]];

const ACCESS_KEYWORDS: &[Argument] = &[
    Argument::optional("userName", Kind::Name, "This user may use it.").names("aaa user"),
    Argument::optional("groupName", Kind::Name, "Users of this group may use it.").names("aaa group"),
    Argument::optional("everyone", Kind::Switch, "Everybody who can log in may use it."),
];

fn host_port(said: &Said<'_>, name: &str) -> Option<HostPort> {
    if let Value::HostPort(host) = said.value(name)? { Some(host.clone()) } else { None }
}

fn add_resource(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let (Some(name), Some(host)) = (said.name::<ResourceName>("name"), host_port(said, "host")) else {
        return Err(incomplete(said));
    };
    let mut resource = Resource {
        host,
        cgp_host: None,
        display_name: None,
        description: None,
        kind: ResourceKind::default(),
        folder: None,
        access: Access::default(),
    };
    change_resource(said, &mut resource);
    let added = site.model.farm.resources.add(name, resource);
    added.map_err(|there| taken(said, "name", Code::AlreadyExists, "resource", there.0.as_str()))
}

fn set_resource(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    something(said)?;
    let name = said.text("name").unwrap_or_default();
    let Some(resource) = site.model.farm.resources.find_mut(name) else { return Err(no_resource(said, site.model)) };
    if let Some(host) = host_port(said, "host") {
        resource.host = host;
    }
    change_resource(said, resource);
    Ok(())
}

fn change_resource(said: &Said<'_>, resource: &mut Resource) {
    said.put("cgpHost", &mut resource.cgp_host, None, |s| host_port(s, "cgpHost").map(Some));
    said.put("displayName", &mut resource.display_name, None, |s| s.text("displayName").map(|text| Some(text.into())));
    said.put("description", &mut resource.description, None, |s| s.text("description").map(|text| Some(text.into())));
    said.put("folder", &mut resource.folder, None, |s| s.text("folder").map(|text| Some(text.into())));
    said.put("type", &mut resource.kind, ResourceKind::default(), |s| match s.text("type")? {
        "DESKTOP" => Some(ResourceKind::Desktop),
        _ => Some(ResourceKind::Application),
    });
}

fn rm_resource(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("name").unwrap_or_default();
    match site.model.farm.resources.remove(name) {
        Some(_) => Ok(()),
        None => Err(no_resource(said, site.model)),
    }
}

fn no_resource(said: &Said<'_>, model: &Model) -> Refused {
    missing(said, "name", Code::NoSuchResource, "resource", model.farm.resources.names().map(ResourceName::as_str))
}

fn bind_resource(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("name").unwrap_or_default();
    let named: Vec<_> = ["userName", "groupName", "everyone"].into_iter().filter(|argument| said.has(argument)).collect();
    let [which] = named.as_slice() else {
        let cause = "a line binds exactly one of -userName, -groupName and -everyone";
        let code = if named.is_empty() { Code::ArgumentMissing } else { Code::BothSpecified };
        return Err(Note::new(code, said.span, name, cause).into());
    };
    if !site.model.farm.resources.has(name) {
        return Err(no_resource(said, site.model));
    }
    let (user, group) = (said.name::<UserName>("userName"), said.name::<GroupName>("groupName"));
    if user.as_ref().is_some_and(|user| !site.model.users.has(user.as_str())) {
        return Err(super::aaa::no_user(said, "userName", site.model));
    }
    if group.as_ref().is_some_and(|group| !site.model.groups.has(group.as_str())) {
        return Err(super::aaa::no_group(said, "groupName", site.model));
    }
    let Some(resource) = site.model.farm.resources.find_mut(name) else { return Err(incomplete(said)) };
    let access = &mut resource.access;
    let bind = said.form.op == Op::Bind;
    let changed = match (user, group) {
        (Some(user), _) if bind => access.users.insert(user),
        (Some(user), _) => access.users.remove(&user),
        (None, Some(group)) if bind => access.groups.insert(group),
        (None, Some(group)) => access.groups.remove(&group),
        (None, None) => std::mem::replace(&mut access.everyone, bind) != bind,
    };
    if changed {
        return Ok(());
    }
    let (code, cause) = match bind {
        true => (Code::BindingExists, "it is bound already"),
        false => (Code::NoSuchResource, "it is not bound"),
    };
    Err(Note::new(code, said.place(which), said.text(which).unwrap_or("everyone"), cause).into())
}

fn print_resources(model: &Model, out: &mut Writer<'_>) {
    for (name, resource) in model.farm.resources.iter() {
        let kind = match resource.kind {
            ResourceKind::Application => None,
            ResourceKind::Desktop => Some("DESKTOP"),
        };
        out.line(Op::Add, &RESOURCE, name.as_str())
            .word(name)
            .keyword("host", &resource.host)
            .keyword_if("cgpHost", resource.cgp_host.as_ref())
            .keyword_if("displayName", resource.display_name.as_deref())
            .keyword_if("description", resource.description.as_deref())
            .keyword_if("type", kind)
            .keyword_if("folder", resource.folder.as_deref())
            .end();
    }
}

fn print_access(model: &Model, out: &mut Writer<'_>) {
    for (name, resource) in model.farm.resources.iter() {
        let access = &resource.access;
        if access.everyone {
            out.line(Op::Bind, &RESOURCE, name.as_str()).word(name).switch("everyone").end();
        }
        for user in &access.users {
            out.line(Op::Bind, &RESOURCE, name.as_str()).word(name).keyword("userName", user).end();
        }
        for group in &access.groups {
            out.line(Op::Bind, &RESOURCE, name.as_str()).word(name).keyword("groupName", group).end();
        }
    }
}

/// `add farm hostTls`
pub(super) const HOST_TLS: Command = Command {
    group: "farm",
    object: "hostTls",
    words: "farm hostTls",
    summary: "TLS towards hosts. Off, except for hosts that a profile covers.",
    notes: "The longest prefix wins; with equal ones a named port beats all ports. The host's certificate is always verified.",
    origin: Origin::Sluicegate,
    feature: None,
    effect: Effect::NewSessions,
    forms: &[
        Form {
            op: Op::Add,
            positionals: &[HOST_TLS_NAME],
            keywords: &[
                Argument::required(
                    "address",
                    Kind::List(&Kind::CidrPort, NETWORKS_MAX),
                    "Which hosts: networks or addresses, each perhaps with a port.",
                ),
                Argument::required("CACert", Kind::File, "Trust anchors, PEM."),
                Argument::optional("serverName", Kind::DnsName, "The name that the host's certificate must be valid for.")
                    .or("the host's address"),
            ],
            example: "add farm hostTls vdas -address 10.20.0.0/16:443 -CACert vda-ca.pem",
            apply: add_host_tls,
            print: Some((Rank::FarmHostTls, print_host_tls)),
        },
        Form {
            op: Op::Rm,
            positionals: &[HOST_TLS_NAME],
            keywords: &[],
            example: "rm farm hostTls vdas",
            apply: rm_host_tls,
            print: None,
        },
    ],
};

const HOST_TLS_NAME: Argument = Argument::required("name", Kind::Name, "Name of the profile.");

fn add_host_tls(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let (Some(name), Some(roots)) = (said.name::<HostTlsName>("name"), said.text("CACert")) else {
        return Err(incomplete(said));
    };
    if site.model.farm.host_tls.len() >= HOST_TLS_MAX {
        let cause = format!("there are at most {HOST_TLS_MAX} profiles");
        return Err(Note::new(Code::TooManyValues, said.place("name"), name.as_str(), cause).into());
    }
    let network = |value: &Value| if let Value::CidrPort(network) = value { Some(*network) } else { None };
    let profile = HostTls {
        addresses: said.values("address").filter_map(network).collect(),
        roots: roots.into(),
        server_name: said.text("serverName").map(Into::into),
    };
    site.load(said, "CACert", Purpose::Roots)?;
    let added = site.model.farm.host_tls.add(name, profile);
    added.map_err(|there| taken(said, "name", Code::AlreadyExists, "profile", there.0.as_str()))?;
    Ok(())
}

fn rm_host_tls(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let name = said.text("name").unwrap_or_default();
    match site.model.farm.host_tls.remove(name) {
        Some(_) => Ok(()),
        None => {
            let known = site.model.farm.host_tls.names().map(HostTlsName::as_str);
            Err(missing(said, "name", Code::NoSuchResource, "profile", known))
        }
    }
}

fn print_host_tls(model: &Model, out: &mut Writer<'_>) {
    for (name, profile) in model.farm.host_tls.iter() {
        out.line(Op::Add, &HOST_TLS, name.as_str())
            .word(name)
            .list("address", &profile.addresses)
            .keyword("CACert", profile.roots.display())
            .keyword_if("serverName", profile.server_name.as_deref())
            .end();
    }
}
