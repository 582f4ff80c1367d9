//! Puts the control plane together, runs it, takes it down.

use std::collections::HashMap;
use std::fmt::Display;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gate_auth::seal::{KEY_BYTES, SealKey};
use gate_auth::sessions::LoginForm;
use gate_config::files::Loaded;
use gate_config::model::{self, FarmServer, Model};
use gate_proto::xml::sta::STA_PATH;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sluice_link::port::Sluice;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsAcceptor;
use tracing::info;

use crate::action::{ACTIONS_MAX, Owned};
use crate::clock::Clock;
use crate::door::inside::Inside;
use crate::door::portal::{Portal, Site, inner};
use crate::door::{sta, xml};
use crate::helpers::{self, Helpers};
use crate::owner::Owner;
use crate::reach::post::Endpoint;
use crate::reach::sta::Sta;
use crate::reach::xml::XmlService;
use crate::redeem::{Desk, Vserver};
use crate::turn::Turn;
use crate::{Command, PlaneFault, PlaneSettings, random};

/// For requests under way to be answered after the doors were closed.
const CLOSE_TIME: Duration = Duration::from_secs(1);
/// For helper threads; a resolver that hangs is left behind.
const HELPERS_TIME: Duration = Duration::from_millis(100);

/// See [`crate::run`].
pub(crate) fn run(
    settings: PlaneSettings,
    sluice: Box<dyn Sluice>,
    commands: mpsc::Receiver<Command>,
    ready: impl FnOnce(),
) -> Result<(), PlaneFault> {
    if settings.farm_servers.len() != settings.model.farm.servers.len() {
        return Err(PlaneFault::Settings("one bound listener is needed for each farm server"));
    }
    if settings.listening.len() != settings.snapshot.listeners.len() {
        return Err(PlaneFault::Settings("one address is needed for each listener of the snapshot"));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_blocking_threads(helpers::THREADS_MAX)
        .thread_name("gate-helper")
        .build()
        .map_err(PlaneFault::Runtime)?;
    let ran = runtime.block_on(live(settings, sluice, commands, ready));
    runtime.shutdown_timeout(HELPERS_TIME);
    ran
}

async fn live(
    settings: PlaneSettings,
    sluice: Box<dyn Sluice>,
    commands: mpsc::Receiver<Command>,
    ready: impl FnOnce(),
) -> Result<(), PlaneFault> {
    let PlaneSettings { model, files, snapshot, listening, inner, farm_servers, state, origin } = settings;
    let clock = Clock::new(origin);
    let helpers = Arc::new(Helpers::new());
    let (queue, actions) = mpsc::channel(ACTIONS_MAX);
    let owned = Owned::new(queue);
    tokio::spawn(Owner::new(&model, clock)?.serve(actions));

    let farm = Farm::open(&model, &files, farm_servers, state.as_deref(), &owned, &helpers)?;
    let build = Build { model: &model, files: &files, farm: &farm, owned: &owned, helpers: &helpers };
    let stas = build.stas()?;
    let xml_service = Arc::new(build.xml_service()?);

    let mut allowed = model.allow_list();
    listening.iter().chain(farm.addresses()).for_each(|address| allowed.refuse(*address));
    let (mut vservers, mut sites) = (HashMap::new(), Vec::new());
    for (listener, listens) in snapshot.listeners.iter().zip(&listening) {
        let vserver = model.vservers.find(&listener.name);
        let vserver = vserver.ok_or(PlaneFault::Settings("the snapshot has a listener that is no virtual server"))?;
        let name: Arc<str> = listener.name.as_str().into();
        let stas = stas.get(listener.name.as_str()).cloned().unwrap_or_default();
        vservers.insert(listener.id, Vserver { name: name.clone(), stas: stas.clone() });
        sites.push(Site { listens: *listens, vserver: name, fqdn: vserver.fqdn.clone(), stas });
    }
    watch_stas(&stas);
    let desk = Desk { model, vservers, allowed, xml: xml_service.clone(), owner: owned.clone(), helpers: helpers.clone() };
    let mut turn = Turn::new(sluice, Arc::new(desk), clock)?;

    let (stop, stopped) = watch::channel(false);
    farm.serve(&stopped);
    let key = || random::bytes::<KEY_BYTES>().map(SealKey::new).map_err(|_| PlaneFault::NoRandom);
    let (login_form, names) = (LoginForm::new(key()?), key()?);
    let portal = Portal { sites, owner: owned, helpers, xml: xml_service, clock, login_form, names };
    tokio::spawn(inner::serve(Arc::new(portal), inner_listener(inner)?, stopped));
    info!("control plane is ready");
    ready();
    turn.run(commands).await;

    // Doors close; connections end after the answer that is under way. Each holds a receiver, so the last one tells.
    let _ = stop.send(true);
    if tokio::time::timeout(CLOSE_TIME, stop.closed()).await.is_err() {
        info!("requests that are still under way are cut");
    }
    Ok(())
}

fn inner_listener(inner: std::os::unix::net::UnixListener) -> Result<UnixListener, PlaneFault> {
    let watch = |source| PlaneFault::Watch { what: "the inner listener".to_owned(), source };
    inner.set_nonblocking(true).map_err(watch)?;
    UnixListener::from_std(inner).map_err(watch)
}

/// Starts a monitor for each authority.
fn watch_stas(of_vserver: &HashMap<&str, Vec<Arc<Sta>>>) {
    let mut watched: Vec<Arc<Sta>> = Vec::new();
    for sta in of_vserver.values().flatten() {
        if watched.iter().any(|one| Arc::ptr_eq(one, sta)) {
            continue;
        }
        watched.push(sta.clone());
        let beside = of_vserver.values().filter(|stas| stas.iter().any(|one| Arc::ptr_eq(one, sta)));
        let (sta, others) = (sta.clone(), beside.flatten().cloned().collect::<Vec<_>>());
        tokio::spawn(async move { sta.monitor(&others).await });
    }
}

/// The embedded farm: its listeners, ready to be served.
struct Farm {
    servers: Vec<Served>,
    addresses: Vec<SocketAddr>,
    xml: Arc<xml::Service>,
}

struct Served {
    inside: Arc<Inside>,
    listener: Arc<TcpListener>,
    tls: Option<TlsAcceptor>,
}

impl Farm {
    fn open(
        model: &Arc<Model>,
        files: &Loaded,
        listeners: Vec<std::net::TcpListener>,
        state: Option<&Path>,
        owner: &Owned,
        helpers: &Arc<Helpers>,
    ) -> Result<Self, PlaneFault> {
        let xml = Arc::new(xml::Service { model: model.clone(), owner: owner.clone(), helpers: helpers.clone() });
        let mut farm = Self { servers: Vec::new(), addresses: Vec::new(), xml };
        for (number, (listener, (name, server))) in listeners.into_iter().zip(model.farm.servers.iter()).enumerate() {
            let watch = |source| PlaneFault::Watch { what: format!("farm server {name}"), source };
            listener.set_nonblocking(true).map_err(watch)?;
            let listener = TcpListener::from_std(listener).map_err(watch)?;
            farm.addresses.push(listener.local_addr().map_err(watch)?);
            let id = match &server.authority_id {
                Some(id) => Arc::from(&**id),
                None => authority_id(name.as_str(), state)?,
            };
            info!(farm = %name, %id, address = %listener.local_addr().map_err(watch)?, "embedded ticket authority and XML Service");
            let tls = acceptor(model, files, server).map_err(|why| unusable(format!("farm server {name}"), why))?;
            let sta = sta::Service { number, id, owner: owner.clone() };
            let inside = Inside { name: name.as_str().to_owned(), server: server.clone(), sta, xml: farm.xml.clone() };
            farm.servers.push(Served { inside: Arc::new(inside), listener: Arc::new(listener), tls });
        }
        Ok(farm)
    }

    fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    fn serve(self, stopped: &watch::Receiver<bool>) {
        for Served { inside, listener, tls } in self.servers {
            tokio::spawn(inside.serve(listener, tls, stopped.clone()));
        }
    }

    /// The embedded authority that answers at `url`, with its number. Its address may be given as it is or as it is configured:
    /// they differ where port 0 lets the system choose.
    fn at(&self, url: &model::Url) -> Option<(usize, &Arc<Inside>)> {
        let asked = url.at.address()?;
        let is_here = |own: SocketAddr| {
            let ip = asked.ip().to_canonical();
            own.port() == asked.port() && (own.ip().to_canonical() == ip || (own.ip().is_unspecified() && ip.is_loopback()))
        };
        let mut both = self.addresses.iter().zip(&self.servers);
        let number = both.position(|(actual, served)| is_here(*actual) || is_here(served.inside.server.address))?;
        Some((number, &self.servers.get(number)?.inside))
    }
}

/// What is needed to build the things that reach out.
struct Build<'b> {
    model: &'b Model,
    files: &'b Loaded,
    farm: &'b Farm,
    owned: &'b Owned,
    helpers: &'b Arc<Helpers>,
}

impl<'b> Build<'b> {
    /// The authorities of every virtual server. One that is bound to several is one.
    fn stas(&self) -> Result<HashMap<&'b str, Vec<Arc<Sta>>>, PlaneFault> {
        let mut built: Vec<(&model::Sta, Arc<Sta>)> = Vec::new();
        let mut of_vserver = HashMap::new();
        for (name, vserver) in self.model.vservers.iter() {
            let mut stas = Vec::new();
            for bound in &vserver.stas {
                let known = built.iter().find(|(before, _)| *before == bound).map(|(_, sta)| sta.clone());
                let sta = match known {
                    Some(sta) => sta,
                    None => Arc::new(self.sta(bound).map_err(|why| unusable(format!("STA {}", bound.url), why))?),
                };
                built.push((bound, sta.clone()));
                stas.push(sta);
            }
            of_vserver.insert(name.as_str(), stas);
        }
        Ok(of_vserver)
    }

    fn sta(&self, bound: &model::Sta) -> Result<Sta, String> {
        if let Some((number, inside)) = self.farm.at(&bound.url) {
            return Ok(Sta::embedded(&bound.url, number, inside.sta.id.clone(), self.owned.clone()));
        }
        if bound.url.at.port == 0 {
            return Err("no farm server has this address".to_owned());
        }
        let roots = self.roots(bound.roots.as_deref())?;
        let endpoint = Endpoint::new(&bound.url, STA_PATH, roots, self.helpers.clone()).map_err(|bad| bad.to_string())?;
        Ok(Sta::remote(&bound.url, endpoint))
    }

    fn xml_service(&self) -> Result<XmlService, PlaneFault> {
        let Some(service) = &self.model.farm.xml_service else {
            return Ok(XmlService::Embedded(self.farm.xml.clone()));
        };
        let roots = self.roots(service.roots.as_deref()).map_err(|why| unusable("the XML Service".to_owned(), why))?;
        XmlService::new(&service.url, service.insecure, roots, self.helpers.clone())
            .map_err(|why| unusable(format!("the XML Service {}", service.url), why))
    }

    fn roots(&self, path: Option<&Path>) -> Result<Option<&'b [u8]>, String> {
        let Some(path) = path else { return Ok(None) };
        match self.files.certificate(path) {
            Some(pem) => Ok(Some(pem)),
            None => Err(format!("{} was not loaded", path.display())),
        }
    }
}

fn unusable(what: String, why: impl Display) -> PlaneFault {
    PlaneFault::Unusable { what, why: why.to_string() }
}

/// TLS for an inside listener, if it has a certificate.
fn acceptor(model: &Model, files: &Loaded, server: &FarmServer) -> Result<Option<TlsAcceptor>, String> {
    let Some(name) = &server.certificate else { return Ok(None) };
    let pair = model.certificates.find(name.as_str()).ok_or("its certificate does not exist")?;
    let chain = files.certificate(&pair.certificate).ok_or("its certificate was not loaded")?;
    let key = pair.key.as_ref().and_then(|key| files.key(key)).ok_or("its key was not loaded")?;
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(chain).collect::<Result<_, _>>().map_err(|_| "its certificate is not PEM")?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| "its key is not PEM")?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().map_err(|bad| bad.to_string())?;
    let config = builder.with_no_client_auth().with_single_cert(chain, key).map_err(|bad| bad.to_string())?;
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

/// `STA` and twelve digits like those of a hardware address that is locally administered: made up once, and remembered.
fn authority_id(farm_server: &str, state: Option<&Path>) -> Result<Arc<str>, PlaneFault> {
    let is_id = |text: &str| text.strip_prefix("STA").is_some_and(|d| d.len() == 12 && d.bytes().all(|b| b.is_ascii_hexdigit()));
    let file = state.map(|state| state.join(format!("sta-id-{farm_server}")));
    let trouble = |source| PlaneFault::State { file: file.clone().unwrap_or_default(), source };
    if let Some(file) = &file {
        match std::fs::read_to_string(file) {
            Ok(text) if is_id(text.trim()) => return Ok(text.trim().into()),
            Ok(_) => return Err(trouble(io::Error::new(io::ErrorKind::InvalidData, "holds no authority id"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(trouble(error)),
        }
    }
    let mut random = random::bytes::<6>().map_err(|_| PlaneFault::NoRandom)?;
    random[0] = (random[0] & !1) | 2;
    let id = random.iter().fold("STA".to_owned(), |id, b| format!("{id}{b:02X}"));
    if let Some(file) = &file {
        std::fs::write(file, &id).map_err(trouble)?;
    }
    Ok(id.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_up_id_is_remembered() {
        let state = tempfile::tempdir().unwrap();
        let first = authority_id("farm1", Some(state.path())).unwrap();
        assert_eq!(first.len(), 15);
        assert!(u8::from_str_radix(&first[3..5], 16).unwrap() & 3 == 2, "{first}");
        assert_eq!(authority_id("farm1", Some(state.path())).unwrap(), first);
        assert_ne!(authority_id("farm2", Some(state.path())).unwrap(), first);
        std::fs::write(state.path().join("sta-id-farm1"), "rubbish").unwrap();
        assert!(matches!(authority_id("farm1", Some(state.path())), Err(PlaneFault::State { .. })));
        assert!(matches!(authority_id("farm1", Some(Path::new("/nonexistent"))), Err(PlaneFault::State { .. })));
    }
}
