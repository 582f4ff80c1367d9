//! Changes of the running configuration: one after the other, each whole or not at all.
//!
//! ```text
//!   console, SIGHUP ─► queue ─► Changer
//!                                 │ helper thread: lines applied to a copy, passwords sealed, snapshot, plan of the world
//!                                 │ control thread: workers take the snapshot ── refuse ──► nothing has changed
//!                                 └─ owner's tables, listeners, world in force ── none of these can fail any more
//! ```
//!
//! A virtual server keeps its [`ListenerId`](sluice_link::id::ListenerId) while it is configured. One that is removed and made anew
//! later gets a new one, so that what workers still say about the old one is never taken for the new one's.

mod queue;
mod work;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use gate_config::catalog::Effect;
use gate_config::code::Code;
use gate_config::edit::Touched;
use gate_config::model::{Log, Model, Operators};
use gate_config::problem::{Problem, Severity};
use gate_config::{Change, ListenerIds, Strictness};
use sluice_link::id::SnapshotId;
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{error, info, warn};
use zeroize::Zeroizing;

use self::queue::Queue;
use self::work::{Made, Material};
use crate::action::Action;
use crate::farm::{Doors, Numbers};
use crate::farm_host::Hosts;
use crate::files::{ConfigFile, ReadFiles};
use crate::live::figures::Place;
use crate::turn::{NotTaken, Order};
use crate::world::{self, Culprit, Tools, World};

pub(crate) use self::work::{Depth, refused};

/// Objects of one batch that cannot be had and cost their own lines only; with more of them, nothing of it takes effect. Each is
/// found out by trying, so this is how often a batch is made.
const CULPRITS_MAX: usize = 8;

/// What is to be done.
pub(crate) enum Work {
    /// Lines are applied, each by itself.
    Lines(Vec<Zeroizing<String>>),
    /// The file takes the place of the configuration.
    Reload,
    /// Much of the configuration is taken away.
    Clear(Depth),
    /// The configuration goes into the file.
    Save,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// For each line what is wrong with it, in their order; one that is an error has changed nothing.
    pub(crate) lines: Vec<Vec<Problem>>,
    /// What is to be told beside that: warnings.
    pub(crate) warnings: Vec<Problem>,
    /// Why nothing at all has changed.
    pub(crate) failed: Vec<Problem>,
    /// What has changed.
    pub(crate) changes: Vec<Change>,
    /// What was written, and how many lines it has.
    pub(crate) saved: Option<(PathBuf, usize)>,
    /// On whose account nothing has changed, if it is one object's.
    pub(crate) culprit: Option<Culprit>,
    /// What the lines are about, if there is one.
    pub(crate) touched: Vec<Touched>,
}

/// Nobody carries out changes now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotDone {
    /// Too many wait already.
    #[error("too many changes wait already")]
    Full,
    /// The gateway stops, or broke on this very change.
    #[error("the change was not carried out to its end: see the log")]
    Broke,
}

struct Job {
    work: Work,
    reply: oneshot::Sender<Done>,
}

/// The way to the one who carries out changes.
#[derive(Clone)]
pub(crate) struct Changes {
    queue: Arc<Queue<Option<u32>, Job>>,
    book: Arc<Mutex<Book>>,
}

/// What is known about changes.
#[derive(Clone)]
pub(crate) struct Book {
    /// The configuration with which the process began: what needs a restart is measured against it.
    pub(crate) boot: Arc<Model>,
    /// The configuration that is in the file, as far as we know.
    pub(crate) saved: Arc<Model>,
    /// When the last change was, and the last save.
    pub(crate) changed_at: Option<SystemTime>,
    pub(crate) saved_at: Option<SystemTime>,
    /// Configurations put into force since the start.
    pub(crate) done: u64,
    /// Those that could not be.
    pub(crate) failed: u64,
}

impl Changes {
    pub(crate) fn new(boot: Arc<Model>) -> Self {
        let saved = boot.clone();
        let book = Book { boot, saved, changed_at: None, saved_at: None, done: 0, failed: 0 };
        Self { queue: Arc::default(), book: Arc::new(Mutex::new(book)) }
    }

    /// Has `work` done for the user `uid`, or for the process itself.
    pub(crate) async fn have_done(&self, uid: Option<u32>, work: Work) -> Result<Done, NotDone> {
        let (reply, done) = oneshot::channel();
        self.queue.put(uid, Job { work, reply }).map_err(|_| NotDone::Full)?;
        done.await.map_err(|_| NotDone::Broke)
    }

    /// What is known about changes.
    pub(crate) fn book(&self) -> Book {
        self.book.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What changes are carried out with.
pub(crate) struct Changer {
    pub(crate) changes: Changes,
    pub(crate) tools: Tools,
    pub(crate) in_force: watch::Sender<Option<Arc<World>>>,
    pub(crate) orders: mpsc::Sender<Order>,
    pub(crate) doors: Doors,
    pub(crate) hosts: Hosts,
    pub(crate) metrics: Place,
    pub(crate) numbers: Numbers,
    pub(crate) ids: ListenerIds,
    pub(crate) files: ReadFiles,
    pub(crate) file: Option<Arc<dyn ConfigFile>>,
    pub(crate) strictness: Strictness,
    pub(crate) set_log: Box<dyn Fn(Log) + Send + Sync>,
    pub(crate) kernel_tls: fn() -> Result<String, String>,
    /// Tells the control socket who may use it.
    pub(crate) operators: watch::Sender<Operators>,
    pub(crate) stopped: watch::Receiver<bool>,
}

impl Changer {
    /// Carries out jobs until everything stops. One that breaks is logged; the next is carried out all the same.
    pub(crate) async fn serve(self) {
        let mut stopped = self.stopped.clone();
        let queue = self.changes.queue.clone();
        let changer = Arc::new(tokio::sync::Mutex::new(self));
        loop {
            let job = tokio::select! {
                job = queue.next() => job,
                _ = stopped.wait_for(|stop| *stop) => return,
            };
            let changer = changer.clone();
            let ran = tokio::spawn(async move {
                let done = changer.lock().await.work(job.work).await;
                // Whoever asked may be gone.
                let _ = job.reply.send(done);
            });
            if ran.await.is_err() {
                error!("a change of the configuration broke; what was in force before it still is");
            }
        }
    }

    async fn work(&mut self, work: Work) -> Done {
        match work {
            Work::Save => self.save().await,
            Work::Lines(lines) => self.change(Material::Lines(lines.into(), BTreeMap::new())).await,
            Work::Clear(depth) => self.change(Material::Clear(depth)).await,
            Work::Reload => match self.file.clone() {
                Some(file) => {
                    let mut done = self.change(Material::File(file)).await;
                    if done.failed.is_empty() {
                        self.now_saved();
                    } else {
                        for problem in &done.failed {
                            error!(%problem, "the configuration file was not taken; what was in force before still is");
                        }
                    }
                    done.warnings.iter().for_each(|problem| warn!(%problem, "configuration"));
                    done.lines.clear();
                    done
                }
                None => no_file(),
            },
        }
    }

    async fn change(&mut self, mut material: Material) -> Done {
        let Some(before) = self.tools.current.now() else { return broke("nothing is in force yet") };
        let count = material.lines();
        let mut done = self.try_to_change(&before, material.clone()).await;
        // A listener that cannot be had costs its own lines, not those beside them: these are tried without it.
        for _ in 0..CULPRITS_MAX {
            let (Some(culprit), [why]) = (&done.culprit, done.failed.as_slice()) else { break };
            let Material::Lines(_, refused) = &mut material else { break };
            let guilty = work::lines_of(culprit, &done.touched);
            if guilty.is_empty() {
                break;
            }
            refused.extend(guilty.into_iter().map(|line| (line, why.clone())));
            done = self.try_to_change(&before, material.clone()).await;
        }
        // Every line is told why nothing has come of it.
        if !done.failed.is_empty() {
            done.lines.resize(count, Vec::new());
            for line in done.lines.iter_mut().filter(|problems| !problems.iter().any(Problem::is_error)) {
                line.extend(done.failed.iter().cloned());
            }
        }
        let mut book = self.changes.book.lock().unwrap_or_else(PoisonError::into_inner);
        if done.failed.is_empty() && !done.changes.is_empty() {
            book.done += 1;
            book.changed_at = Some(now());
        } else if !done.failed.is_empty() {
            book.failed += 1;
        }
        done
    }

    /// All of it or nothing.
    async fn try_to_change(&mut self, before: &Arc<World>, material: Material) -> Done {
        match self.make(before, material).await {
            Ok(made) => self.put_into_force(before, *made).await,
            Err(done) => *done,
        }
    }

    /// Everything that takes its time, on a helper thread.
    async fn make(&self, before: &Arc<World>, material: Material) -> Result<Box<Made>, Box<Done>> {
        let bench = work::Bench {
            before: before.clone(),
            tools: self.tools.clone(),
            files: self.files.clone(),
            strictness: self.strictness,
            ids: self.ids.clone(),
            numbers: self.numbers.clone(),
            listeners: self.doors.bound(),
            hosts: self.hosts.bound().to_vec(),
            metrics: self.metrics.bound().cloned(),
            kernel_tls: self.kernel_tls,
            inner: before.snapshot.inner.clone(),
            id: SnapshotId(before.snapshot.id.0.saturating_add(1)),
        };
        match self.tools.helpers.change(move || bench.make(material)).await {
            Ok(made) => made,
            Err(_) => Err(Box::new(broke("it broke while it was being prepared: see the log"))),
        }
    }

    /// Everything that changes something. What can fail comes first.
    async fn put_into_force(&mut self, before: &Arc<World>, made: Made) -> Done {
        let Made { lines, warnings, changes, plan, snapshot, ids, touched, kernel } = made;
        let mut done = Done { lines, warnings, ..Done::default() };
        let Some(plan) = plan else { return done };
        let ready = self.doors.ready(plan.farm(), plan.listeners.clone());
        let metrics = self.metrics.ready(plan.metrics.as_ref());
        let ready = match (ready, metrics, self.hosts.ready(&plan.hosts)) {
            (Ok(ready), Ok(metrics), Ok(())) => (ready, metrics),
            (Err(source), ..) | (_, Err(source), _) | (.., Err(source)) => {
                return Done { failed: vec![problem(Code::InvalidArgument, "", source.to_string())], ..done };
            }
        };
        let (reply, published) = oneshot::channel();
        let order = Order::Publish { snapshot: snapshot.clone(), reply };
        let published = match self.orders.send(order).await {
            Ok(()) => published.await.ok(),
            Err(_) => None,
        };
        let listening = match published {
            Some(Ok(listening)) => listening,
            Some(Err(NotTaken::Problem(refused))) => {
                let culprit = work::culprit_of_workers(&refused);
                return Done { failed: vec![work::refused(&refused)], culprit, touched, ..done };
            }
            Some(Err(NotTaken::Draining)) => {
                let cause = "the gateway drains and takes no new sessions: nothing can be changed any more".to_owned();
                return Done { failed: vec![problem(Code::InUse, "drain", cause)], ..done };
            }
            None => return broke("the workers cannot be reached"),
        };
        let (model, current) = (plan.model.clone(), self.tools.current.clone());
        let (world, placed) = plan.world(snapshot, listening, &current);
        let world = Arc::new(world);
        // From here on nothing can fail. The owner first: whoever finds the new world finds its tables, too.
        let settled = self.tools.owner.ask(|reply| Action::Settle(Box::new(placed.tables), reply)).await;
        if settled.is_err() {
            error!("the owner of control state did not take its new tables");
        }
        self.in_force.send_replace(Some(world.clone()));
        let (ready, metrics) = ready;
        self.doors.change(&world.farm, ready, &self.tools.current, &self.stopped);
        self.metrics.change(placed.metrics, metrics, &self.stopped);
        self.hosts.change(placed.hosts);
        self.numbers = placed.numbers;
        self.ids = ids;
        if model.operators != before.model.operators {
            self.operators.send_replace(model.operators.clone());
        }
        if model.log != before.model.log {
            (self.set_log)(model.log);
        }
        if let Some(news) = kernel {
            news.tell();
        }
        let number = world.snapshot.id.0;
        for change in &changes {
            info!(snapshot = number, object = %format!("{} {}", change.command, change.object).trim(), change = ?change.kind, "configuration changed");
        }
        let restart: Vec<&Change> = changes.iter().filter(|change| change.effect == Effect::Restart).collect();
        for change in restart {
            let about = format!("{} {}", change.command, change.object).trim().to_owned();
            let warning = problem(Code::NotImplemented, &about, "this takes effect with the next start".to_owned());
            done.warnings.push(Problem { severity: Severity::Warning, ..warning });
        }
        done.changes = changes;
        done
    }

    async fn save(&mut self) -> Done {
        let Some(file) = self.file.clone() else { return no_file() };
        let Some(world) = self.tools.current.now() else { return broke("nothing is in force yet") };
        let path = file.path().to_path_buf();
        let mut model = world.model.clone();
        let secrets = Arc::clone(&self.tools.secrets);
        let written = self.tools.helpers.change(move || {
            // What could not be sealed when it came would be missing from the file.
            secrets.seal(Arc::make_mut(&mut model)).map_err(std::io::Error::other)?;
            let text = Zeroizing::new(model.print_saved(&gate_config::text::time::Utc::from(now()).ctime()));
            file.write(&text).map(|()| text.lines().count())
        });
        match written.await {
            Ok(Ok(lines)) => {
                self.now_saved();
                info!(file = %path.display(), lines, "configuration saved");
                Done { saved: Some((path, lines)), ..Done::default() }
            }
            Ok(Err(source)) => {
                error!(file = %path.display(), %source, "the configuration was not saved");
                let about = path.display().to_string();
                Done {
                    failed: vec![problem(Code::InvalidArgument, &about, format!("cannot be written: {source}"))],
                    ..Done::default()
                }
            }
            Err(_) => broke("saving broke: see the log"),
        }
    }

    /// What is in force is in the file.
    fn now_saved(&self) {
        let Some(world) = self.tools.current.now() else { return };
        let mut book = self.changes.book.lock().unwrap_or_else(PoisonError::into_inner);
        book.saved = world.model.clone();
        book.saved_at = Some(now());
    }
}

/// The time of day, for those who read when something was.
pub(crate) fn now() -> SystemTime {
    #[expect(clippy::disallowed_methods, reason = "wall clock for people; nothing is decided by it")]
    SystemTime::now()
}

fn no_file() -> Done {
    let cause = "this gateway was not started from a file".to_owned();
    Done { failed: vec![problem(Code::NoSuchFile, "", cause)], ..Done::default() }
}

fn broke(cause: &str) -> Done {
    Done { failed: vec![problem(Code::InvalidArgument, "", cause.to_owned())], ..Done::default() }
}

/// An error that stands nowhere in a line.
pub(crate) fn problem(code: Code, about: &str, cause: String) -> Problem {
    Problem { severity: Severity::Error, code, about: about.to_owned(), cause, cure: None, file: "".into(), place: None }
}

impl From<world::Unfit> for Problem {
    fn from(unfit: world::Unfit) -> Self {
        work::unfit(&unfit)
    }
}
