//! A running gateway: made in order, taken down in the opposite order.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gate_config::model::{Engine, Model};
use gate_config::{ListenerIds, Strictness};
use gate_plane::audit::{Audit, FileAudit, NoAudit, OnFailure};
use gate_plane::files::ConfigFile;
use gate_plane::{Command, ControlSocket, PlaneSettings};
use sluice_link::count::Totals;
use sluice_link::id::SnapshotId;
use sluice_link::reason::Reason;
use sluice_worker::{Buffers, Choice, Placement, SocketSettings, WorkerSettings, Workers};
use thiserror::Error;
use tokio::sync::mpsc as channel;

use crate::credentials::System;
use crate::files::Disk;
use crate::saved::Saved;
use crate::unix::OwnSocket;

/// By how much the control thread, and those that it starts, are nicer than the workers: where they share a core, a login or a record of
/// the audit log waits until a worker sleeps or has had its time, three times as long as theirs. Whoever types does not wait for those. 1 to 19;
/// with more than this, tickets would be redeemed late while workers are full.
const CONTROL_NICER: i32 = 5;

/// How a gateway is to be started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Files that the configuration names are below this folder.
    pub base: PathBuf,
    /// What happens with commands that are not known.
    pub strictness: Strictness,
    /// Whether to write the log; a program that embeds a gateway may have its own.
    pub log: bool,
    /// The file that the configuration came from: it is read again on request, and saved to.
    pub file: Option<PathBuf>,
    /// Whether to listen at the control socket. Without it the configuration stays as it is.
    pub control: bool,
}

impl Options {
    /// Files are below `base`, unknown commands are errors, nothing is logged, nothing can be changed.
    #[must_use]
    pub fn below(base: &Path) -> Self {
        Self { base: base.to_path_buf(), strictness: Strictness::Strict, log: false, file: None, control: false }
    }
}

/// Why a gateway did not start. Nothing of it is left running.
#[derive(Debug, Error)]
pub enum StartProblem {
    /// The operator's: the configuration has errors. The text lists all of them, with line and column.
    #[error("{0}")]
    Configuration(String),
    /// The machine's: it refused something.
    #[error("cannot {doing}")]
    Machine {
        /// What was tried.
        doing: String,
        /// What it said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl StartProblem {
    pub(crate) fn machine<E: Into<Box<dyn std::error::Error + Send + Sync>>>(doing: impl Into<String>) -> impl FnOnce(E) -> Self {
        let doing = doing.into();
        move |source| Self::Machine { doing, source: source.into() }
    }
}

/// Where something listens, by its name in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedAddress {
    /// As configured.
    pub name: String,
    /// The actual address.
    pub address: SocketAddr,
}

/// Where everything listens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// Virtual servers.
    pub listeners: Vec<NamedAddress>,
    /// Farm servers: the inside listeners of STA and XML Service.
    pub farm: Vec<NamedAddress>,
    /// Demonstration hosts.
    pub hosts: Vec<NamedAddress>,
}

/// A running gateway. Dropping it stops it.
pub struct Gateway {
    addresses: Addresses,
    workers: Option<Workers>,
    commands: channel::Sender<Command>,
    control: Option<JoinHandle<()>>,
    inner: OwnSocket,
    control_socket: Option<OwnSocket>,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

impl Gateway {
    /// Starts the gateway that `text` describes; `name` is what problems call it. Returns once everything listens and tickets
    /// are redeemed.
    ///
    /// # Errors
    /// [`StartProblem`]; nothing is left running or bound.
    pub fn start(name: &str, text: &str, options: &Options) -> Result<Self, StartProblem> {
        let checked = gate_config::check(name, text, options.strictness, &Disk::below(&options.base));
        let report = |only_errors: bool| -> String {
            checked.problems.iter().filter(|p| p.is_error() || !only_errors).map(|p| format!("{p}\n")).collect()
        };
        let Some(model) = checked.model else { return Err(StartProblem::Configuration(report(true))) };
        if options.log {
            crate::log::start(model.log);
        }
        for problem in &checked.problems {
            tracing::warn!(message = "configuration", problem = %problem);
        }
        let model = Arc::new(model);
        let inner = OwnSocket::prepare(&model.paths.inner_socket)?;
        let control_socket = match options.control {
            true => Some(OwnSocket::prepare(&model.paths.control_socket)?),
            false => None,
        };
        let audit = audit(&model, &options.base)?;
        let mut ids = ListenerIds::default();
        let snapshot = gate_config::snapshot(&model, &checked.files, SnapshotId(1), &mut ids);
        let snapshot = Arc::new(snapshot.map_err(|problem| StartProblem::machine("put the configuration together")(problem))?);

        let farm_servers = bind_all(model.farm.servers.iter().map(|(name, one)| (name.to_string(), one.address)))?;
        let farm_hosts = bind_all(model.farm.hosts.iter().map(|(name, one)| (name.to_string(), one.address)))?;
        let (workers, post) = Workers::start(&worker_settings(&model), Arc::clone(&snapshot))
            .map_err(|problem| StartProblem::machine("start the workers")(problem))?;
        log_workers(&workers);
        let actual = workers.addresses();
        let listeners = snapshot.listeners.iter().filter_map(|one| {
            let (_, address) = actual.iter().find(|(id, _)| *id == one.id)?;
            Some(NamedAddress { name: one.name.clone(), address: *address })
        });
        let addresses = Addresses { listeners: listeners.collect(), farm: named(&farm_servers)?, hosts: named(&farm_hosts)? };

        let settings = PlaneSettings {
            listening: addresses.listeners.iter().map(|one| one.address).collect(),
            model: Arc::clone(&model),
            snapshot,
            inner: inner.listener()?,
            farm_servers: farm_servers.into_iter().map(|(_, listener)| listener).collect(),
            farm_hosts: farm_hosts.into_iter().map(|(_, listener)| listener).collect(),
            files: Arc::new(checked.files),
            state: None,
            origin: origin(),
            ids,
            reader: Arc::new(Disk::below(&options.base)),
            file: options.file.as_deref().map(|file| Arc::new(Saved::at(file)) as Arc<dyn ConfigFile>),
            strictness: options.strictness,
            audit,
            set_log: Box::new(if options.log { crate::log::set } else { |_| {} }),
            kernel_tls,
            control: control_socket.as_ref().map(|socket| control(&model, socket)).transpose()?,
        };
        let (commands, told) = channel::channel(gate_plane::COMMANDS_MAX);
        let (ready, is_ready) = mpsc::sync_channel(1);
        let control = spawn("control", move || {
            // If it may not be changed it stays as it is.
            let _ = rustix::process::nice(CONTROL_NICER);
            let came_up = ready.clone();
            let ended = gate_plane::run(settings, Box::new(post), told, move || drop(came_up.send(Ok(()))));
            if let Err(fault) = ended {
                drop(ready.send(Err(fault)));
            }
        })?;
        // From here on a return takes everything down again.
        let gateway = Self { addresses, workers: Some(workers), commands, control: Some(control), inner, control_socket };
        match is_ready.recv() {
            Ok(Ok(())) => Ok(gateway),
            Ok(Err(fault)) => Err(StartProblem::machine("start the control thread")(fault)),
            Err(_) => Err(StartProblem::machine("start the control thread")("it died while it started")),
        }
    }

    /// Where everything listens.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The counters, summed over all workers. It does not need the control thread.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut sum = Totals::default();
        for one in self.workers.iter().flat_map(Workers::totals) {
            sum.add(&one);
        }
        sum
    }

    /// The counters by name; ends of sessions by reason as `closed_…`.
    #[must_use]
    pub fn counters(&self) -> BTreeMap<String, u64> {
        let totals = self.totals();
        let ends = Reason::ALL.iter().map(|reason| (format!("closed_{}", reason.word()), totals.ended(*reason)));
        totals.list().into_iter().map(|(name, _, _, value)| (name.to_owned(), value)).chain(ends).collect()
    }

    /// Writes to the log what has gone wrong at workers since the last call.
    pub fn log_troubles(&self) {
        for (worker, fault) in self.workers.iter().flat_map(Workers::troubles) {
            tracing::error!(message = "trouble at a worker, which goes on", worker = worker.0, why = %crate::chain(&fault));
        }
    }

    /// Whether there is anything left that serves: a drain that an operator began ends with the last session.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.control.as_ref().is_some_and(|control| !control.is_finished())
    }

    /// Reads the file again that the configuration came from and applies the difference. What came of it is in the log.
    pub fn reload(&self) {
        if self.commands.try_send(Command::Reload).is_err() {
            tracing::error!(message = "the control thread is gone or too busy: the configuration was not read again");
        }
    }

    /// Takes no new connections; sessions run on until they end or `within` has passed.
    pub fn drain(&self, within: Duration) {
        // A control thread that is gone drains nothing; then the caller's own deadline ends the sessions.
        let _ = self.commands.try_send(Command::Drain { within });
    }

    /// Ends all sessions, telling clients by close_notify, and joins all threads.
    pub fn stop(mut self) {
        self.halt();
    }

    fn halt(&mut self) {
        // Workers first: they tell their clients. Control hears of the ends, then it goes with the demonstration hosts.
        if let Some(Err(end)) = self.workers.take().map(Workers::stop) {
            tracing::error!(message = "a worker had ended", why = %crate::chain(&end));
        }
        let _ = self.commands.try_send(Command::Stop);
        if self.control.take().map(JoinHandle::join).is_some_and(|ended| ended.is_err()) {
            tracing::error!(message = "the control thread had panicked");
        }
        self.inner.remove();
        if let Some(socket) = &mut self.control_socket {
            socket.remove();
        }
        crate::log::flush();
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.halt();
    }
}

/// The audit log that the configuration wants.
fn audit(model: &Model, base: &Path) -> Result<Arc<dyn Audit>, StartProblem> {
    let Some(file) = &model.audit.file else { return Ok(Arc::new(NoAudit)) };
    let on_failure = if model.audit.refuse { OnFailure::Refuse } else { OnFailure::Continue };
    let log = FileAudit::open(&base.join(file), on_failure).map_err(StartProblem::machine("open the audit log"))?;
    Ok(Arc::new(log))
}

fn control(model: &Model, socket: &OwnSocket) -> Result<ControlSocket, StartProblem> {
    let path = model.paths.control_socket.clone();
    Ok(ControlSocket { listener: socket.listener()?, path, system: Arc::new(System) })
}

/// The control plane counts from an origin, the workers read the monotonic clock as it is: this origin makes them agree.
fn origin() -> Instant {
    let since_boot = Duration::from_nanos(sluice_worker::now().0);
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the two ways to read the monotonic clock are tied together"
    )]
    let now = Instant::now();
    now.checked_sub(since_boot).unwrap_or(now)
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StartProblem> {
    std::thread::Builder::new().name(name.to_owned()).spawn(body).map_err(StartProblem::machine(format!("start thread {name}")))
}

fn bind_all(wanted: impl Iterator<Item = (String, SocketAddr)>) -> Result<Vec<(String, TcpListener)>, StartProblem> {
    wanted
        .map(|(name, address)| {
            let listener =
                TcpListener::bind(address).map_err(StartProblem::machine(format!("listen on {address} for {name}")))?;
            Ok((name, listener))
        })
        .collect()
}

fn named(listeners: &[(String, TcpListener)]) -> Result<Vec<NamedAddress>, StartProblem> {
    let one = |(name, listener): &(String, TcpListener)| {
        let address = listener.local_addr().map_err(StartProblem::machine("learn an address"))?;
        Ok(NamedAddress { name: name.clone(), address })
    };
    listeners.iter().map(one).collect()
}

/// What the kernel's TLS can do here, in words.
fn kernel_tls() -> Result<String, String> {
    let found = sluice_worker::kernel_tls();
    if found.any() { Ok(found.to_string()) } else { Err(found.to_string()) }
}

fn worker_settings(model: &Model) -> WorkerSettings {
    let worker = &model.worker;
    WorkerSettings {
        placement: Placement { count: worker.count, cores: worker.cores.clone() },
        engine: match worker.engine {
            Engine::Auto => Choice::Auto,
            Engine::Uring => Choice::Uring,
            Engine::Mio => Choice::Mio,
        },
        buffers: Buffers { small: worker.small_buffers, large: worker.large_buffers, bulk: worker.bulk_buffers },
        busy_poll: worker.busy_poll,
        sockets: SocketSettings { congestion: worker.congestion.clone().map(String::from), ..SocketSettings::default() },
    }
}

/// One line per worker and per thing that its engine found out; loudly, if it is not the engine hoped for.
fn log_workers(workers: &Workers) {
    for started in workers.reports() {
        let report = &started.report;
        let worker = report.worker.0;
        for item in &started.found.items {
            tracing::debug!(message = "engine", worker, subject = item.subject, outcome = ?item.outcome, detail = %item.detail);
        }
        if let Some(why) = &report.fallback {
            tracing::warn!(message = "io_uring is not to be had, mio serves instead", worker, why = %why);
        }
        tracing::info!(message = "worker", worker, engine = %report.engine, core = ?report.core, pinned = report.pinned);
    }
}
