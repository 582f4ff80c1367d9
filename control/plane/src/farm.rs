//! The embedded farm: its inside listeners, opened before a configuration is in force and closed after it is not.
//!
//! ```text
//!   model ─plan─► listeners: kept by address, or bound ─┬─ refused ─► the change is dropped, its new listeners close
//!                                                       └─ in force ─► Doors::change: new ones accept, old ones close
//! ```
//!
//! A listener belongs to an address, not to a name: two servers may swap their addresses in one change. A farm server keeps its
//! number, and with it its tickets, as long as its name lives.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use gate_config::files::Loaded;
use gate_config::model::{self, Model};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tracing::info;

use crate::action::FarmNumber;
use crate::door::inside::Inside;
use crate::http::AbortOnDrop;
use crate::world::{Culprit, Current, Unfit};
use crate::{PlaneFault, random};

/// A farm server as the configuration wants it.
pub(crate) struct Served {
    /// Its table of tickets.
    pub(crate) number: FarmNumber,
    /// Its name in the configuration.
    pub(crate) name: Arc<str>,
    /// What is configured.
    pub(crate) server: model::FarmServer,
    /// Where it really listens.
    pub(crate) address: SocketAddr,
    /// What it calls itself in tickets.
    pub(crate) id: Arc<str>,
    /// For HTTPS.
    pub(crate) tls: Option<TlsAcceptor>,
}

/// A listener with what was asked for and what came of it.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    /// Name in the configuration.
    pub(crate) name: Arc<str>,
    /// As configured; the port may be 0.
    pub(crate) wanted: SocketAddr,
    /// As bound.
    pub(crate) address: SocketAddr,
    /// It closes when the last who has it is gone.
    pub(crate) listener: Arc<std::net::TcpListener>,
}

impl Bound {
    /// Binds `wanted` for `name`, unless one of `there` is it.
    pub(crate) fn take_or_bind(name: &str, wanted: SocketAddr, there: &[Self]) -> io::Result<Self> {
        let fits = |one: &&Self| one.wanted == wanted && (wanted.port() != 0 || &*one.name == name);
        if let Some(one) = there.iter().find(fits) {
            return Ok(Self { name: name.into(), ..one.clone() });
        }
        Self::of(name, wanted, std::net::TcpListener::bind(wanted)?)
    }

    /// One that is bound already.
    pub(crate) fn of(name: &str, wanted: SocketAddr, listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self { name: name.into(), wanted, address: listener.local_addr()?, listener: Arc::new(listener) })
    }
}

/// The numbers of farm servers. A name keeps its number while it is configured; none is given twice.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers {
    by_name: BTreeMap<Arc<str>, FarmNumber>,
    given: u32,
}

impl Numbers {
    fn of(&mut self, name: &str) -> FarmNumber {
        if let Some(number) = self.by_name.get(name) {
            return *number;
        }
        let number = FarmNumber(self.given);
        // 2³² farm servers are not made in the life of a process.
        self.given = self.given.saturating_add(1);
        self.by_name.insert(name.into(), number);
        number
    }
}

/// The farm servers of `model` with their numbers and listeners. Nothing accepts yet.
pub(crate) fn plan(
    model: &Model,
    files: &Loaded,
    there: &[Bound],
    before: &[Arc<Served>],
    numbers: &mut Numbers,
    state: Option<&Path>,
) -> Result<(Vec<Arc<Served>>, Vec<Bound>), Unfit> {
    let (mut servers, mut listeners) = (Vec::new(), Vec::new());
    for (name, server) in model.farm.servers.iter() {
        let name = name.as_str();
        let unfit = |why: String| Unfit::Object { what: format!("farm server {name}"), why };
        let bound = Bound::take_or_bind(name, server.address, there).map_err(|source| Unfit::Bind {
            what: Culprit::new("farm server", name),
            address: server.address,
            source,
        })?;
        let number = numbers.of(name);
        let kept = before.iter().find(|one| one.number == number);
        let id = match (&server.authority_id, kept.filter(|kept| kept.server.authority_id.is_none())) {
            (Some(id), _) => Arc::from(&**id),
            (None, Some(kept)) => kept.id.clone(),
            (None, None) => authority_id(name, state).map_err(|fault| unfit(crate::world::chain(&fault)))?,
        };
        let tls = acceptor(model, files, server).map_err(unfit)?;
        servers.push(Arc::new(Served { number, name: name.into(), server: server.clone(), address: bound.address, id, tls }));
        listeners.push(bound);
    }
    numbers.by_name.retain(|name, _| model.farm.servers.has(name));
    Ok((servers, listeners))
}

/// The listeners that accept.
#[derive(Default)]
pub(crate) struct Doors {
    open: Vec<Door>,
}

/// A listener for which nothing can fail any more.
pub(crate) struct Ready {
    bound: Bound,
    /// `None`: it accepts already.
    fresh: Option<TcpListener>,
}

struct Door {
    number: FarmNumber,
    bound: Bound,
    _accepting: AbortOnDrop<()>,
}

impl Doors {
    /// Those that there are.
    pub(crate) fn bound(&self) -> Vec<Bound> {
        self.open.iter().map(|door| door.bound.clone()).collect()
    }

    /// Takes all that can fail about listeners: those that do not accept yet are made known to the runtime.
    pub(crate) fn ready(&self, servers: &[Arc<Served>], listeners: Vec<Bound>) -> io::Result<Vec<Ready>> {
        let one = |(served, bound): (&Arc<Served>, Bound)| {
            let is_it = |door: &&Door| door.number == served.number && Arc::ptr_eq(&door.bound.listener, &bound.listener);
            let fresh = match self.open.iter().find(is_it) {
                Some(_) => None,
                // The runtime wants a descriptor of its own; the two share one queue of connections.
                None => Some(TcpListener::from_std(bound.listener.try_clone()?)?),
            };
            Ok(Ready { bound, fresh })
        };
        servers.iter().zip(listeners).map(one).collect()
    }

    /// Opens what is new and closes what is gone. Connections end after the answer that is under way, since their server is no
    /// longer found.
    pub(crate) fn change(
        &mut self,
        servers: &[Arc<Served>],
        ready: Vec<Ready>,
        current: &Current,
        stopped: &watch::Receiver<bool>,
    ) {
        let mut open = Vec::new();
        for (served, Ready { bound, fresh }) in servers.iter().zip(ready) {
            let Some(listener) = fresh else {
                let same = |door: &mut Door| Arc::ptr_eq(&door.bound.listener, &bound.listener);
                open.extend(self.open.extract_if(.., same).next());
                continue;
            };
            info!(farm = %served.name, id = %served.id, address = %bound.address, "embedded ticket authority and XML Service");
            let inside = Arc::new(Inside { number: served.number, name: served.name.clone(), current: current.clone() });
            let accepting = AbortOnDrop(tokio::spawn(inside.serve(listener, stopped.clone())));
            open.push(Door { number: served.number, bound, _accepting: accepting });
        }
        for door in &self.open {
            info!(farm = %door.bound.name, address = %door.bound.address, "inside listener closed");
        }
        self.open = open;
    }
}

/// TLS for an inside listener, if it has a certificate.
fn acceptor(model: &Model, files: &Loaded, server: &model::FarmServer) -> Result<Option<TlsAcceptor>, String> {
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

    #[test]
    fn a_listener_belongs_to_its_address_and_one_that_the_system_chose_to_its_name() {
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let a = Bound::take_or_bind("a", any, &[]).unwrap();
        let fixed = Bound { wanted: a.address, ..a.clone() };
        let taken = Bound::take_or_bind("b", fixed.address, &[fixed]).unwrap();
        assert_eq!((&*taken.name, taken.address), ("b", a.address));
        assert!(Arc::ptr_eq(&taken.listener, &a.listener));
        assert!(Arc::ptr_eq(&Bound::take_or_bind("a", any, std::slice::from_ref(&a)).unwrap().listener, &a.listener));
        let other = Bound::take_or_bind("b", any, std::slice::from_ref(&a)).unwrap();
        assert_ne!(other.address, a.address);
        assert_eq!(Bound::take_or_bind("c", a.address, &[]).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn numbers_are_kept_and_never_given_twice() {
        let mut numbers = Numbers::default();
        let (a, b) = (numbers.of("a"), numbers.of("b"));
        assert_eq!((numbers.of("a"), numbers.of("b")), (a, b));
        numbers.by_name.remove("a");
        assert!(numbers.of("a") != a && numbers.of("a") != b);
    }
}
