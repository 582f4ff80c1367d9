//! Puts the control plane together, runs it, takes it down.

use std::sync::Arc;
use std::time::Duration;

use gate_auth::seal::{KEY_BYTES, SealKey};
use gate_auth::sessions::LoginForm;
use sluice_link::port::Sluice;
use tokio::net::UnixListener;
use tokio::sync::{mpsc, watch};
use tracing::{info, warn};

use crate::action::{ACTIONS_MAX, Owned};
use crate::change::{Changer, Changes};
use crate::clock::Clock;
use crate::console::Console;
use crate::door::portal::{Portal, inner};
use crate::door::socket;
use crate::farm::{Bound, Doors, Numbers};
use crate::farm_host::Hosts;
use crate::helpers::{self, Helpers};
use crate::kernel;
use crate::live::Live;
use crate::live::figures::Place;
use crate::login::{Outside, Whom};
use crate::owner::Owner;
use crate::passwords;
use crate::redeem::Desk;
use crate::secrets::Secrets;
use crate::turn::{ORDERS_MAX, Turn};
use crate::world::{Before, Current, Plan, Tools};
use crate::{Command, ControlSocket, PlaneFault, PlaneSettings, random, used};

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
    let model = &settings.model;
    if settings.farm_servers.len() != model.farm.servers.len() || settings.farm_hosts.len() != model.farm.hosts.len() {
        return Err(PlaneFault::Settings("one bound listener is needed for each farm server and farm host"));
    }
    if settings.listening.len() != settings.snapshot.listeners.len() {
        return Err(PlaneFault::Settings("one address is needed for each listener of the snapshot"));
    }
    let known = |name: &str| model.vservers.has(name) || model.authentication.vservers.has(name);
    if settings.snapshot.listeners.iter().any(|listener| !known(&listener.name)) {
        return Err(PlaneFault::Settings("the snapshot has a listener that is no virtual server"));
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
    let PlaneSettings { mut model, files, snapshot, listening, inner, farm_servers, farm_hosts, state, origin, .. } = settings;
    let clock = Clock::new(origin);
    let helpers = Arc::new(Helpers::new());
    let (queue, actions) = mpsc::channel(ACTIONS_MAX);
    let back = queue.downgrade();
    let owner = Owned::new(queue);
    let (in_force, current) = Current::new();
    let tickets = Arc::default();
    let secrets = Arc::new(Secrets::beside(settings.file.clone()));
    let known = Arc::new(passwords::Known::new().map_err(|_| PlaneFault::NoRandom)?);
    let tools = Tools {
        owner: owner.clone(),
        helpers: helpers.clone(),
        current: current.clone(),
        tickets: Arc::clone(&tickets),
        state,
        secrets: Arc::clone(&secrets),
        passwords: Arc::clone(&known),
    };

    passwords::seal(Arc::make_mut(&mut model), &known).map_err(crate::world::Unfit::from)?;
    if let Err(why) = secrets.seal(Arc::make_mut(&mut model)) {
        warn!(%why, "secrets stay open in memory, and nothing can be saved");
    }
    for (action, keyword) in secrets.unreadable(&model) {
        warn!(action, keyword, "a secret does not open: it was sealed under another key; set it anew");
    }
    let servers = model.farm.servers.iter().map(|(name, server)| (name.as_str(), server.address));
    let listeners = bound("farm server", servers.zip(farm_servers))?;
    let hosts = model.farm.hosts.iter().map(|(name, host)| (name.as_str(), host.address));
    let hosts = bound("farm host", hosts.zip(farm_hosts))?;
    let before = Before { world: None, listeners: &listeners, hosts: &hosts, metrics: None, numbers: &Numbers::default() };
    let plan = Plan::make(model.clone(), files, &before, &tools)?;
    let watch = |what: &'static str| move |source| PlaneFault::Watch { what: what.to_owned(), source };
    let (mut doors, mut hosts) = (Doors::default(), Hosts::default());
    let ready_doors = doors.ready(plan.farm(), plan.listeners.clone()).map_err(watch("an inside listener"))?;
    hosts.ready(&plan.hosts).map_err(watch("the demonstration hosts"))?;
    if let Some(news) = kernel::News::of(&[], &snapshot.listeners, settings.kernel_tls) {
        news.tell();
    }
    let (world, placed) = plan.world(snapshot, listening, &current);
    let world = Arc::new(world);
    let (orders, waiting) = mpsc::channel(ORDERS_MAX);
    let asked = current.clone();
    let find = move |action: &_| {
        let world = asked.now()?;
        let directory = world.directories.find(action).map(Whom::Directory);
        directory.or_else(|| world.servers.find(action).map(Whom::Radius))
    };
    let outside = Outside::new(Box::new(find), helpers.clone(), back);
    let used = used::beside(settings.file.as_deref());
    tokio::spawn(Owner::new(placed.tables, clock, settings.audit.clone(), orders.clone(), outside, used)?.serve(actions));
    in_force.send_replace(Some(world.clone()));
    let (stop, stopped) = watch::channel(false);
    doors.change(&world.farm, ready_doors, &current, &stopped);
    hosts.change(placed.hosts);

    let changes = Changes::new(model.clone());
    let (operators, operators_now) = watch::channel(model.operators.clone());
    let login_pages = Arc::default();
    let live = Live {
        current: current.clone(),
        owner: owner.clone(),
        orders: orders.clone(),
        changes: changes.clone(),
        helpers: helpers.clone(),
        files: settings.reader.clone(),
        file: settings.file.clone(),
        strictness: settings.strictness,
        login_pages: Arc::clone(&login_pages),
        tickets,
        secrets,
        passwords: known,
        started: crate::change::now(),
        base: std::sync::Mutex::default(),
    };
    let console = Arc::new(Console { changes: changes.clone(), live, audit: settings.audit });
    let mut metrics = Place::new(console.clone());
    let fresh = metrics.ready(placed.metrics.as_ref()).map_err(watch("the listener for figures"))?;
    metrics.change(placed.metrics, fresh, &stopped);
    let changer = Changer {
        changes,
        tools,
        in_force,
        orders,
        doors,
        hosts,
        metrics,
        numbers: placed.numbers,
        ids: settings.ids,
        files: settings.reader,
        file: settings.file,
        strictness: settings.strictness,
        set_log: settings.set_log,
        kernel_tls: settings.kernel_tls,
        operators,
        stopped: stopped.clone(),
    };
    tokio::spawn(changer.serve());

    let desk = Desk { current: current.clone(), owner: owner.clone(), helpers: helpers.clone() };
    let mut turn = Turn::new(sluice, desk, console.clone(), clock)?;
    let key = || random::bytes::<KEY_BYTES>().map(SealKey::new).map_err(|_| PlaneFault::NoRandom);
    let (login_form, names) = (LoginForm::new(key()?), key()?);
    let portal = Portal { current, owner, clock, login_form, login_pages, names };
    tokio::spawn(inner::serve(Arc::new(portal), unix_listener(inner, "the inner listener")?, stopped.clone()));
    if let Some(ControlSocket { listener, path, system }) = settings.control {
        let door = socket::Settings { path, system, operators: operators_now, clock };
        let listener = unix_listener(listener, "the control socket")?;
        tokio::spawn(socket::Door::new(door, console).serve(listener, stopped));
    }
    info!("control plane is ready");
    ready();
    turn.run(commands, waiting).await;

    // Doors close; connections end after the answer that is under way. Each holds a receiver, so the last one tells.
    let _ = stop.send(true);
    if tokio::time::timeout(CLOSE_TIME, stop.closed()).await.is_err() {
        info!("requests that are still under way are cut");
    }
    Ok(())
}

fn unix_listener(listener: std::os::unix::net::UnixListener, what: &'static str) -> Result<UnixListener, PlaneFault> {
    let watch = |source| PlaneFault::Watch { what: what.to_owned(), source };
    listener.set_nonblocking(true).map_err(watch)?;
    UnixListener::from_std(listener).map_err(watch)
}

type Handed<'n> = ((&'n str, std::net::SocketAddr), std::net::TcpListener);

/// Listeners that the caller has bound.
fn bound<'n>(what: &str, handed: impl Iterator<Item = Handed<'n>>) -> Result<Vec<Bound>, PlaneFault> {
    let one = |((name, wanted), listener): Handed<'n>| {
        Bound::of(name, wanted, listener).map_err(|source| PlaneFault::Watch { what: format!("{what} {name}"), source })
    };
    handed.map(one).collect()
}
