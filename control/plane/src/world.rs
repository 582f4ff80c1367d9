//! Everything that depends on the configuration, as one value: built beside the one in force, then put in its place.
//!
//! ```text
//!   Model, files ──plan (helper thread)──► Plan ──the workers took the snapshot──► World ──► Current
//!                    │ keeps what is unchanged: authorities with their ids, listeners, XML Service     │
//!                    └─ Unfit: dropped, nothing has changed                            doors ask it anew for each request
//! ```
//!
//! A request or redemption that has begun finishes with the world it began with.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use gate_auth::seal::{KEY_BYTES, SealKey};
use gate_auth::tickets;
use gate_auth::users::Users;
use gate_config::files::Loaded;
use gate_config::model::{self, AllowList, Denied, DeviceCertificates, Model};
use gate_proto::xml::sta::STA_PATH;
use sluice_link::id::ListenerId;
use sluice_link::snapshot::{Asked, Authority, Snapshot};
use sluice_trust::Judge;
use thiserror::Error;
use tokio::sync::watch;

use crate::StaStatus;
use crate::action::{FarmNumber, Owned, Rules, Tables};
use crate::door::portal::Site;
use crate::door::portal::agents::Agents;
use crate::door::{sta, xml};
use crate::farm::{self, Bound, Numbers, Served};
use crate::helpers::Helpers;
use crate::http::AbortOnDrop;
use crate::live::certificate;
use crate::login::directories::Directories;
use crate::login::servers::Servers;
use crate::passwords;
use crate::random;
use crate::reach::post::Endpoint;
use crate::reach::sta::Sta;
use crate::reach::xml::XmlService;
use crate::redeem::Vserver;

/// Why a configuration cannot be put into force. Nothing has changed.
#[derive(Debug, Error)]
pub(crate) enum Unfit {
    /// The operator's: something that it names cannot be used.
    #[error("{what}: {why}")]
    Object {
        /// The object.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// The operator's or the machine's: an address cannot be listened at.
    #[error("{what}: cannot listen on {address}")]
    Bind {
        /// The object.
        what: Culprit,
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// A user's password.
    #[error(transparent)]
    Password(#[from] passwords::Unusable),

    /// The machine's.
    #[error("the system's random generator does not answer")]
    NoRandom(#[from] random::NoRandom),
}

/// The object on whose account a configuration cannot be put into force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Culprit {
    /// What kind of object: `vpn vserver`.
    pub(crate) kind: &'static str,
    /// Its name; empty if there is only one of its kind.
    pub(crate) object: String,
}

impl Culprit {
    pub(crate) fn new(kind: &'static str, object: impl Into<String>) -> Self {
        Self { kind, object: object.into() }
    }
}

impl fmt::Display for Culprit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(format!("{} {}", self.kind, self.object).trim_end())
    }
}

/// What worlds are built with.
#[derive(Clone)]
pub(crate) struct Tools {
    pub(crate) owner: Owned,
    pub(crate) helpers: Arc<Helpers>,
    pub(crate) current: Current,
    /// What became of tickets at all authorities.
    pub(crate) tickets: Arc<crate::reach::sta::Counts>,
    /// Where things are kept that must survive a restart.
    pub(crate) state: Option<PathBuf>,
    /// Seals secrets that must be recovered.
    pub(crate) secrets: Arc<crate::secrets::Secrets>,
    /// What is known about passwords.
    pub(crate) passwords: Arc<passwords::Known>,
}

/// See the module.
pub(crate) struct World {
    pub(crate) model: Arc<Model>,
    pub(crate) files: Arc<Loaded>,
    pub(crate) snapshot: Arc<Snapshot>,
    /// Where the virtual servers really listen, in the order of `snapshot.listeners`.
    pub(crate) listening: Vec<SocketAddr>,
    pub(crate) vservers: HashMap<ListenerId, Vserver>,
    pub(crate) sites: Vec<Site>,
    pub(crate) xml: Arc<XmlService>,
    /// Asked who users are.
    pub(crate) directories: Directories,
    /// Asked whether they may pass.
    pub(crate) servers: Servers,
    pub(crate) farm: Vec<Arc<Served>>,
    /// Answers portals through the inside listeners.
    pub(crate) farm_xml: Arc<xml::Service>,
    /// Offered to users who lack one.
    pub(crate) agents: Agents,
    /// When certificates are valid no more, by name.
    pub(crate) expiries: Vec<(String, SystemTime)>,
    /// Where the demonstration hosts really listen, by name.
    pub(crate) hosts: Vec<(Arc<str>, SocketAddr)>,
    allowed: AllowList,
    /// Our listeners on all addresses of this machine.
    everywhere: Vec<SocketAddr>,
    stas: Vec<Arc<Watched>>,
}

/// An authority, watched as long as a world has it.
struct Watched {
    bound: model::Sta,
    roots: Option<Arc<[u8]>>,
    sta: Arc<Sta>,
    monitor: std::sync::OnceLock<AbortOnDrop<()>>,
}

/// The world in force.
#[derive(Clone)]
pub(crate) struct Current(watch::Receiver<Option<Arc<World>>>);

impl Current {
    /// One that nothing is in force in, with the end that changes it.
    pub(crate) fn new() -> (watch::Sender<Option<Arc<World>>>, Self) {
        let (set, current) = watch::channel(None);
        (set, Self(current))
    }

    /// The world in force. `None` before the first one is.
    pub(crate) fn now(&self) -> Option<Arc<World>> {
        self.0.borrow().clone()
    }
}

/// A world that is ready but for what only the workers know.
pub(crate) struct Plan {
    pub(crate) model: Arc<Model>,
    pub(crate) files: Arc<Loaded>,
    pub(crate) tables: Tables,
    pub(crate) listeners: Vec<Bound>,
    pub(crate) hosts: Vec<Bound>,
    pub(crate) metrics: Option<Bound>,
    pub(crate) numbers: Numbers,
    expiries: Vec<(String, SystemTime)>,
    farm: Vec<Arc<Served>>,
    farm_xml: Arc<xml::Service>,
    xml: Arc<XmlService>,
    directories: Directories,
    servers: Servers,
    agents: Agents,
    stas: Vec<Arc<Watched>>,
    of_vserver: HashMap<String, Vec<Arc<Sta>>>,
    judges: HashMap<String, Judges>,
}

/// Who judges certificates at one virtual server.
#[derive(Clone, Default)]
struct Judges {
    users: Option<Arc<Judge>>,
    devices: Option<Arc<Judge>>,
}

/// What there is when a plan is made.
pub(crate) struct Before<'b> {
    pub(crate) world: Option<&'b World>,
    pub(crate) listeners: &'b [Bound],
    pub(crate) hosts: &'b [Bound],
    pub(crate) metrics: Option<&'b Bound>,
    pub(crate) numbers: &'b Numbers,
}

impl Plan {
    /// Builds all that `model`, which is sealed, wants. Takes its time: for the start or a helper thread.
    pub(crate) fn make(model: Arc<Model>, files: Arc<Loaded>, before: &Before<'_>, tools: &Tools) -> Result<Self, Unfit> {
        let mut numbers = before.numbers.clone();
        let kept = before.world.map_or(&[][..], |world| &world.farm);
        let (farm, listeners) = farm::plan(&model, &files, before.listeners, kept, &mut numbers, tools.state.as_deref())?;
        let mut hosts = Vec::new();
        for (name, host) in model.farm.hosts.iter() {
            let bound = Bound::take_or_bind(name.as_str(), host.address, before.hosts).map_err(|source| Unfit::Bind {
                what: Culprit::new("farm host", name.as_str()),
                address: host.address,
                source,
            })?;
            hosts.push(bound);
        }
        let metrics = match model.metrics {
            None => None,
            Some(address) => {
                let bound = Bound::take_or_bind("metrics", address, before.metrics.map_or(&[], std::slice::from_ref));
                Some(bound.map_err(|source| Unfit::Bind { what: Culprit::new("ns metrics", ""), address, source })?)
            }
        };
        let expiries = certificate::expiries(&model, &files);
        let farm_xml =
            Arc::new(xml::Service { model: model.clone(), owner: tools.owner.clone(), helpers: tools.helpers.clone() });
        let xml = xml_service(&model, &files, before.world, &farm_xml, tools)?;
        let (stas, of_vserver) = stas(&model, &files, before.world, &farm, tools)?;
        let known = before.world.map(|world| &world.directories);
        let directories = Directories::of(&model, &files, known, &tools.secrets, &tools.helpers);
        let known = before.world.map(|world| &world.servers);
        let servers = Servers::of(&model, known, &tools.secrets, &tools.helpers);
        let agents = Agents::of(&model, &files, before.world.map(|world| &world.agents));
        let judges = judges(&model, &files)?;
        let users = passwords::users(&model, &tools.passwords)?;
        let tables = tables(&model, users, &farm)?;
        Ok(Self {
            model,
            files,
            tables,
            listeners,
            hosts,
            metrics,
            numbers,
            expiries,
            farm,
            farm_xml,
            xml,
            directories,
            servers,
            agents,
            stas,
            of_vserver,
            judges,
        })
    }

    /// The farm servers, in the order of `listeners`.
    pub(crate) fn farm(&self) -> &[Arc<Served>] {
        &self.farm
    }

    /// The world that this is once the workers run on `snapshot` and listen at `listening`, in the order of its listeners.
    pub(crate) fn world(self, snapshot: Arc<Snapshot>, listening: Vec<SocketAddr>, current: &Current) -> (World, Placed) {
        let Self {
            model,
            files,
            mut tables,
            listeners: _,
            hosts,
            metrics,
            numbers,
            expiries,
            farm,
            farm_xml,
            xml,
            directories,
            servers,
            agents,
            stas,
            mut of_vserver,
            mut judges,
        } = self;
        let (mut vservers, mut sites) = (HashMap::new(), Vec::new());
        for (listener, listens) in snapshot.listeners.iter().zip(&listening) {
            let name: Arc<str> = listener.name.as_str().into();
            let stas = of_vserver.remove(&listener.name).unwrap_or_default();
            let fqdn = model.vservers.find(&listener.name).and_then(|vserver| vserver.fqdn.clone());
            let Judges { users, devices } = judges.remove(&listener.name).unwrap_or_default();
            // Those of logins have no launches.
            let is_for_certificates = !model.vservers.has(&listener.name);
            if !is_for_certificates {
                vservers.insert(listener.id, Vserver { name: name.clone(), stas: stas.clone() });
            }
            sites.push(Site { listens: *listens, vserver: name, fqdn, stas, users, devices, is_for_certificates });
        }
        tables.listeners = snapshot.listeners.iter().map(|listener| listener.id).collect();
        let mut allowed = model.allow_list();
        let inside = farm.iter().map(|served| served.address).chain(metrics.as_ref().map(|bound| bound.address));
        let own: Vec<SocketAddr> = listening.iter().copied().chain(inside).collect();
        own.iter().for_each(|address| allowed.refuse(*address));
        let everywhere = own.into_iter().filter(|own| own.ip().is_unspecified()).collect();
        for watched in &stas {
            watched.monitor.get_or_init(|| {
                let (sta, current) = (watched.sta.clone(), current.clone());
                AbortOnDrop(tokio::spawn(async move { sta.monitor(&current).await }))
            });
        }
        let placed = hosts.iter().map(|host| (host.name.clone(), host.address)).collect();
        let world = World {
            model,
            files,
            snapshot,
            listening,
            vservers,
            sites,
            xml,
            directories,
            servers,
            agents,
            farm,
            farm_xml,
            expiries,
            hosts: placed,
            allowed,
            everywhere,
            stas,
        };
        (world, Placed { tables, hosts, metrics, numbers })
    }
}

/// What a plan leaves for others to put into force.
pub(crate) struct Placed {
    pub(crate) tables: Tables,
    pub(crate) hosts: Vec<Bound>,
    pub(crate) metrics: Option<Bound>,
    pub(crate) numbers: Numbers,
}

impl World {
    /// Whether `address` may be dialled.
    pub(crate) fn check(&self, address: SocketAddr) -> Result<(), Denied> {
        self.allowed.check(address)?;
        // What the names of our neighbours resolved to is known only now.
        let neighbours = self.stas.iter().flat_map(|watched| watched.sta.addresses()).chain(self.xml.addresses());
        let is_neighbour = neighbours.into_iter().any(|own| is_same(own, address));
        let is_here = || self.everywhere.iter().any(|own| own.port() == address.port()) && is_ours(address.ip());
        if is_neighbour || is_here() { Err(Denied::Own) } else { Ok(()) }
    }

    /// The farm server with that number.
    pub(crate) fn farm_server(&self, number: FarmNumber) -> Option<&Arc<Served>> {
        self.farm.iter().find(|served| served.number == number)
    }

    /// The listener of a virtual server and where it really is; `None` for one that is not served.
    pub(crate) fn listener(&self, name: &str) -> Option<(ListenerId, SocketAddr)> {
        let mut both = self.snapshot.listeners.iter().zip(&self.listening);
        both.find(|(listener, _)| listener.name == name).map(|(listener, address)| (listener.id, *address))
    }

    /// The authorities, each once, with the virtual servers to which they are bound.
    pub(crate) fn authorities(&self) -> Vec<(&Arc<Sta>, Vec<String>)> {
        let of = |watched: &'_ Arc<Watched>| {
            let bound = self.model.vservers.iter().filter(|(_, vserver)| vserver.stas.contains(&watched.bound));
            bound.map(|(name, _)| name.to_string()).collect()
        };
        self.stas.iter().map(|watched| (&watched.sta, of(watched))).collect()
    }

    /// How the authorities are, in order of virtual server and URL.
    pub(crate) fn stas(&self) -> Vec<StaStatus> {
        let mut all = Vec::new();
        for vserver in self.vservers.values() {
            for sta in &vserver.stas {
                let id = sta.id().filter(|_| sta.is_up());
                let has_id = |other: &&Arc<Sta>| id.as_deref().is_some_and(|id| other.is_called(id));
                all.push(StaStatus {
                    vserver: vserver.name.to_string(),
                    url: sta.url.clone(),
                    ambiguous: vserver.stas.iter().filter(has_id).count() > 1,
                    authority_id: id.map(|id| id.to_string()),
                    insecure: sta.insecure,
                });
            }
        }
        all.sort_by(|a, b| (&a.vserver, &a.url).cmp(&(&b.vserver, &b.url)));
        all
    }

    /// Another authority of a virtual server of `sta`'s that calls itself `id`, too.
    pub(crate) fn twin(&self, sta: &Sta, id: &str) -> Option<&Arc<Sta>> {
        let has = |vserver: &&Vserver| vserver.stas.iter().any(|one| std::ptr::eq(Arc::as_ptr(one), sta));
        let beside = self.vservers.values().filter(has).flat_map(|vserver| &vserver.stas);
        beside.into_iter().find(|other| !std::ptr::eq(Arc::as_ptr(other), sta) && other.is_called(id))
    }
}

fn is_same(a: SocketAddr, b: SocketAddr) -> bool {
    a.port() == b.port() && a.ip().to_canonical() == b.ip().to_canonical()
}

/// Whether this machine has that address: only then can it be bound. Where the system lets strangers' addresses be bound
/// (`ip_nonlocal_bind`), every address counts as ours, which refuses too much rather than too little.
fn is_ours(ip: IpAddr) -> bool {
    UdpSocket::bind(SocketAddr::new(ip.to_canonical(), 0)).is_ok()
}

fn tables(model: &Model, users: Users, farm: &[Arc<Served>]) -> Result<Tables, Unfit> {
    let of_server = |served: &Arc<Served>| {
        let limits = tickets::Limits {
            once: served.server.ticket_lifetime,
            refreshable: served.server.refreshable_lifetime,
            ..tickets::Limits::default()
        };
        Ok((served.number, SealKey::new(random::bytes::<KEY_BYTES>()?), limits))
    };
    let nt_domain = model.vpn.nt_domain.as_deref().unwrap_or_default().into();
    let farm = farm.iter().map(of_server).collect::<Result<_, Unfit>>()?;
    Ok(Tables { nt_domain, users, farm, listeners: Vec::new(), rules: Rules::of(model) })
}

/// Who judges certificates, by virtual server.
fn judges(model: &Model, files: &Loaded) -> Result<HashMap<String, Judges>, Unfit> {
    let mut all = HashMap::new();
    let of_logins =
        model.authentication.vservers.iter().filter(|(name, vserver)| model.listens(name.as_str(), vserver).is_some());
    let of_logins = of_logins.map(|(name, vserver)| (name.as_str(), &vserver.front, DeviceCertificates::default()));
    let own = model.vservers.iter().map(|(name, vserver)| (name.as_str(), &vserver.front, vserver.devices.clone()));
    for (name, front, devices) in own.chain(of_logins) {
        let unfit = |why: String| Unfit::Object { what: format!("ssl vserver {name}"), why };
        let clients = gate_config::clients(model, files, front, &devices).map_err(|missing| unfit(missing.to_string()))?;
        let judge = |wanted: bool, authorities: &[Authority]| {
            let built = wanted.then(|| Judge::build(authorities, &clients.revoked).map(Arc::new));
            built.transpose().map_err(|unusable| unfit(unusable.to_string()))
        };
        let users = judge(clients.asked != Asked::Nobody, &clients.authorities)?;
        let devices = judge(!clients.devices.is_empty(), &clients.devices)?;
        if users.is_some() || devices.is_some() {
            all.insert(name.to_owned(), Judges { users, devices });
        }
    }
    Ok(all)
}

/// The XML Service that the portal asks: the one there is, if it is configured the same.
fn xml_service(
    model: &Model,
    files: &Loaded,
    before: Option<&World>,
    embedded: &Arc<xml::Service>,
    tools: &Tools,
) -> Result<Arc<XmlService>, Unfit> {
    let Some(service) = &model.farm.xml_service else {
        return Ok(Arc::new(XmlService::Embedded(embedded.clone())));
    };
    let unfit = |why: String| Unfit::Object { what: format!("the XML Service {}", service.url), why };
    let roots = roots(files, service.roots.as_deref()).map_err(unfit)?;
    if let Some(before) = before
        && before.model.farm.xml_service.as_ref() == Some(service)
        && self::roots(&before.files, service.roots.as_deref()).is_ok_and(|had| had == roots)
    {
        return Ok(before.xml.clone());
    }
    let built = XmlService::new(&service.url, service.insecure, roots.as_deref(), tools.helpers.clone());
    Ok(Arc::new(built.map_err(|why| unfit(why.to_string()))?))
}

type Stas = (Vec<Arc<Watched>>, HashMap<String, Vec<Arc<Sta>>>);

/// The authorities of every virtual server. One that is bound to several is one, and one that is configured as before is the one
/// from before.
fn stas(model: &Model, files: &Loaded, before: Option<&World>, farm: &[Arc<Served>], tools: &Tools) -> Result<Stas, Unfit> {
    let mut all: Vec<Arc<Watched>> = Vec::new();
    let mut of_vserver = HashMap::new();
    for (name, vserver) in model.vservers.iter() {
        let mut stas = Vec::new();
        for bound in model.stas_of(vserver) {
            let unfit = |why: String| Unfit::Object { what: format!("vpn vserver {name}, STA {}", bound.url), why };
            if let Some(known) = all.iter().find(|known| known.bound == *bound) {
                stas.push(known.sta.clone());
                continue;
            }
            let roots = roots(files, bound.roots.as_deref()).map_err(unfit)?;
            let here = at(farm, &bound.url);
            let is_it = |known: &&Arc<Watched>| {
                let embedded = here.map(|served| (served.number, &*served.id));
                known.bound == *bound && known.roots == roots && known.sta.is_embedded_as(embedded)
            };
            let watched = match before.and_then(|before| before.stas.iter().find(is_it)) {
                Some(known) => known.clone(),
                None => {
                    let sta = Arc::new(sta(bound, roots.as_deref(), here, tools).map_err(unfit)?);
                    Arc::new(Watched { bound: bound.clone(), roots, sta, monitor: std::sync::OnceLock::new() })
                }
            };
            stas.push(watched.sta.clone());
            all.push(watched);
        }
        of_vserver.insert(name.to_string(), stas);
    }
    Ok((all, of_vserver))
}

fn sta(bound: &model::Sta, roots: Option<&[u8]>, here: Option<&Arc<Served>>, tools: &Tools) -> Result<Sta, String> {
    if let Some(served) = here {
        return Ok(Sta::embedded(&bound.url, served.number, served.id.clone(), tools.owner.clone(), tools.tickets.clone()));
    }
    if bound.url.at.port == 0 {
        return Err("no farm server has this address".to_owned());
    }
    let endpoint = Endpoint::new(&bound.url, STA_PATH, roots, tools.helpers.clone()).map_err(|bad| bad.to_string())?;
    Ok(Sta::remote(&bound.url, endpoint, tools.tickets.clone()))
}

/// The embedded authority that answers at `url`. Its address may be given as it is or as it is configured: they differ where
/// port 0 lets the system choose.
fn at<'f>(farm: &'f [Arc<Served>], url: &model::Url) -> Option<&'f Arc<Served>> {
    let asked = url.at.address()?;
    let is_here = |own: SocketAddr| {
        let ip = asked.ip().to_canonical();
        own.port() == asked.port() && (own.ip().to_canonical() == ip || (own.ip().is_unspecified() && ip.is_loopback()))
    };
    farm.iter().find(|served| is_here(served.address) || is_here(served.server.address))
}

fn roots(files: &Loaded, path: Option<&Path>) -> Result<Option<Arc<[u8]>>, String> {
    let Some(path) = path else { return Ok(None) };
    match files.certificate(path) {
        Some(pem) => Ok(Some(pem.clone())),
        None => Err(format!("{} was not loaded", path.display())),
    }
}

/// An error with its causes, in one line.
pub(crate) fn chain(problem: &dyn std::error::Error) -> String {
    let mut line = problem.to_string();
    let mut cause = problem.source();
    while let Some(inner) = cause {
        line.push_str(": ");
        line.push_str(&inner.to_string());
        cause = inner.source();
    }
    line
}

impl sta::Service {
    /// The authority of a farm server.
    pub(crate) fn of(served: &Served, owner: &Owned) -> Self {
        Self { number: served.number, id: served.id.clone(), owner: owner.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_machine_are_known_as_such() {
        for ours in ["127.0.0.1", "127.9.9.9", "::ffff:127.0.0.1"] {
            assert!(is_ours(ours.parse().unwrap()), "{ours}");
        }
        // Reserved for documentation (RFC 5737, RFC 3849): nobody's.
        for strange in ["192.0.2.77", "2001:db8::77"] {
            assert!(!is_ours(strange.parse().unwrap()), "{strange}");
        }
    }
}
