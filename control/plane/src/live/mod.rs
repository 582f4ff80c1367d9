//! Answers about what runs: asked of the world in force, of the owner's tables and of the workers, joined into rows.
//!
//! ```text
//!   show, stat, kill ─► Live ─┬─ World: configuration, addresses, authorities
//!                             ├─ owner: logins, ICA connections, times, tallies
//!                             └─ turn:  counters, traffic, workers, drain
//! ```
//!
//! Nothing in here waits for a change, and nothing holds up the workers.

#![expect(clippy::result_large_err, reason = "a problem is told once for each line, and kept in lists beside others")]

pub(crate) mod certificate;
mod dry;
pub(crate) mod figures;
mod logins;
mod sessions;
mod stats;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use gate_config::answer::{Answer, Datum, Row};
use gate_config::catalog::{Effect, What};
use gate_config::code::Code;
use gate_config::order::{self, AskOrder, Order as Said, ShowOrder};
use gate_config::problem::{Problem, Severity};
use gate_config::text::time::Utc;
use gate_config::{ChangeKind, Strictness, check, diff, show};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use self::stats::Base;
use crate::action::Owned;
use crate::change::{Changes, Done, problem};
use crate::door::socket::Operator;
use crate::files::{ConfigFile, ReadFiles};
use crate::helpers::Helpers;
use crate::passwords;
use crate::peer::Level;
use crate::reach::sta::Counts;
use crate::secrets::Secrets;
use crate::turn::{Look, Order};
use crate::world::{Current, World};

/// Rows of one answer; what is beyond is said in a warning, with how to ask for less.
pub(crate) const ROWS_MAX: usize = 10_000;

/// An answer or all that is wrong, and what is to be told beside that.
pub(crate) type Told = (Result<Option<Answer>, Vec<Problem>>, Vec<Problem>);

/// See the module.
pub(crate) struct Live {
    pub(crate) current: Current,
    pub(crate) owner: Owned,
    pub(crate) orders: mpsc::Sender<Order>,
    pub(crate) changes: Changes,
    pub(crate) helpers: Arc<Helpers>,
    pub(crate) files: ReadFiles,
    pub(crate) file: Option<Arc<dyn ConfigFile>>,
    pub(crate) strictness: Strictness,
    /// Times that the login form was shown.
    pub(crate) login_pages: Arc<AtomicU64>,
    /// What became of tickets at all authorities.
    pub(crate) tickets: Arc<Counts>,
    /// Seals secrets that must be recovered.
    pub(crate) secrets: Arc<Secrets>,
    /// What is known about passwords.
    pub(crate) passwords: Arc<passwords::Known>,
    pub(crate) started: SystemTime,
    /// What is taken away from what is counted, since an operator began anew.
    pub(crate) base: Mutex<Base>,
}

impl Live {
    /// The objects of a kind, with what only the running gateway knows.
    pub(crate) async fn configured(&self, order: &ShowOrder) -> Result<Answer, Problem> {
        let world = self.world()?;
        let mut answer = show::configured(&world.model, order)?;
        match order.command.words {
            "vpn vserver" => {
                let look = self.look().await?;
                answer.rows.iter_mut().for_each(|row| stats::vserver_live(row, &world, &look));
            }
            "farm server" => {
                let at = |name: &str| world.farm.iter().find(|served| &*served.name == name).map(|served| served.address);
                answer.rows.iter_mut().for_each(|row| listens(row, at));
            }
            "farm host" => {
                let at = |name: &str| world.hosts.iter().find(|(host, _)| &**host == name).map(|(_, address)| *address);
                answer.rows.iter_mut().for_each(|row| listens(row, at));
            }
            "ns config" => {
                let facts = self.facts(&world);
                answer.rows.iter_mut().for_each(|row| {
                    facts.iter().for_each(|(name, datum)| row.set(*name, datum.clone()));
                });
            }
            "ssl certKey" => {
                let now = now();
                answer.rows.iter_mut().for_each(|row| certificate::live(row, &world, now));
            }
            _ => {}
        }
        Ok(answer)
    }

    /// What an ask wants to know, or to have done.
    pub(crate) async fn answer(&self, by: &Operator, order: &AskOrder) -> Told {
        let mut warnings = Vec::new();
        let answer = match order.ask.what {
            What::ShowIcaConnections => self.ica_connections(order, &mut warnings).await,
            What::KillIcaConnections => self.kill_ica_connections(order).await,
            What::ShowAaaSessions => self.aaa_sessions(order, &mut warnings).await,
            What::KillAaaSessions => self.kill_aaa_sessions(order).await,
            What::ShowWorkers => self.workers(order).await,
            What::ShowStas => self.stas(order),
            What::StatVservers => self.stat_vservers(order).await,
            What::StatVpn => self.stat_vpn(order).await,
            What::StatAaa => self.stat_aaa(order).await,
            What::StatSsl => self.stat_ssl(order).await,
            What::StatWorkers => self.stat_workers(order).await,
            What::StatNs => self.stat_ns(order).await,
            What::RunningConfig => self.running(by, order),
            What::SavedConfig => self.saved(order).await,
            What::DiffConfig => self.differences(order).await,
            What::Info => self.info(order).await,
            What::TestLogin => self.world().and_then(|world| dry::run(&world.model, order, now())),
            What::ShowTrace => self.traces(order, &mut warnings).await,
            What::UnlockUser => self.unlock_user(order).await,
            What::Version => Ok(Answer::of(order.ask).row(Row::new().text("version", version()))),
            What::Drain | What::ShowDrain => self.drain(order).await,
            What::WhoAmI => Ok(who(by, order)),
            What::ShowFlow | What::Features | What::Help | What::Man | What::Names => match self.world() {
                Ok(world) => match show::ask(&world.model, order) {
                    Some(answer) => answer,
                    None => Err(problem(Code::NotImplemented, order.ask.words, "nobody answers this".to_owned())),
                },
                Err(problem) => Err(problem),
            },
            What::Exit => return (Ok(None), warnings),
            What::Client | What::SaveConfig | What::ClearConfig | What::Reload => {
                let cause = "this is a command of the client; sluicectl carries it out by itself".to_owned();
                Err(problem(Code::NotPermitted, order.ask.words, cause))
            }
        };
        (answer.map(Some).map_err(|problem| vec![problem]), warnings)
    }

    /// What `save` and `reload` say about what they did.
    pub(crate) fn of_change(order: &AskOrder, done: &Done) -> Answer {
        let row = match &done.saved {
            Some((file, lines)) => Row::new().text("file", file.display().to_string()).count("lines", *lines),
            None => {
                let count = |kind: ChangeKind| done.changes.iter().filter(|change| change.kind == kind).count();
                let restart = done.changes.iter().filter(|change| change.effect == Effect::Restart);
                Row::new()
                    .count("added", count(ChangeKind::Added))
                    .count("removed", count(ChangeKind::Removed))
                    .count("changed", count(ChangeKind::Changed))
                    .list("restart", restart.map(object))
            }
        };
        Answer::of(order.ask).row(row)
    }

    fn world(&self) -> Result<Arc<World>, Problem> {
        self.current.now().ok_or_else(|| problem(Code::InUse, "", "nothing is in force yet".to_owned()))
    }

    pub(crate) async fn look(&self) -> Result<Box<Look>, Problem> {
        self.order(Order::Look).await
    }

    /// Has an order carried out by the one who has the workers.
    pub(super) async fn order<T>(&self, make: impl FnOnce(crate::action::ReplyTo<T>) -> Order) -> Result<T, Problem> {
        let (reply, answer) = tokio::sync::oneshot::channel();
        let gone = || problem(Code::InUse, "", "the gateway stops".to_owned());
        self.orders.send(make(reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }

    /// The running configuration. Hashes are for those who may change.
    fn running(&self, by: &Operator, order: &AskOrder) -> Result<Answer, Problem> {
        let world = self.world()?;
        let mut answer = Answer::of(order.ask);
        for line in world.model.print().lines() {
            let line = if by.level == Level::Change { line.to_owned() } else { masked(line) };
            answer.push(Row::new().text("line", line));
        }
        Ok(answer)
    }

    async fn read_file(&self) -> Result<(PathBuf, Zeroizing<String>), Problem> {
        let Some(file) = self.file.clone() else {
            return Err(problem(Code::NoSuchFile, "", "this gateway was not started from a file".to_owned()));
        };
        let path = file.path().to_path_buf();
        let read = self.helpers.change(move || file.read()).await;
        let cannot = |why: String| problem(Code::NoSuchFile, &path.display().to_string(), why);
        match read {
            Ok(Ok(text)) => Ok((path, text)),
            Ok(Err(source)) => Err(cannot(format!("cannot be read: {source}"))),
            Err(busy) => Err(cannot(busy.to_string())),
        }
    }

    /// The file as it is, but for its secrets.
    async fn saved(&self, order: &AskOrder) -> Result<Answer, Problem> {
        let (_, text) = self.read_file().await?;
        let mut answer = Answer::of(order.ask);
        text.lines().for_each(|line| answer.push(Row::new().text("line", masked(line))));
        Ok(answer)
    }

    /// What runs against what is in the file.
    async fn differences(&self, order: &AskOrder) -> Result<Answer, Problem> {
        let (path, text) = self.read_file().await?;
        let world = self.world()?;
        let (files, strictness, secrets) = (self.files.clone(), self.strictness, self.secrets.clone());
        let passwords = self.passwords.clone();
        let compared = self.helpers.change(move || {
            let checked = check(&path.display().to_string(), &text, strictness, &*files);
            let Some(mut saved) = checked.model else { return Err(checked.problems.into_iter().find(Problem::is_error)) };
            passwords::keep(&mut saved, &world.model, &passwords);
            secrets.seal_as_before(&mut saved);
            Ok(diff(&saved, &world.model))
        });
        let changes = match compared.await {
            Ok(Ok(changes)) => changes,
            Ok(Err(Some(problem))) => return Err(problem),
            Ok(Err(None)) | Err(_) => return Err(problem(Code::InUse, "", "too much to do".to_owned())),
        };
        let mut answer = Answer::of(order.ask);
        for change in changes {
            let effect = match change.effect {
                Effect::AtOnce => "AT ONCE",
                Effect::NewSessions => "NEW SESSIONS",
                Effect::Restart => "RESTART",
                Effect::Never(_) => "NEVER",
            };
            let kind = match change.kind {
                ChangeKind::Added => "ADDED",
                ChangeKind::Removed => "REMOVED",
                ChangeKind::Changed => "CHANGED",
            };
            let row = Row::new().text("object", object(&change)).text("change", kind).text("effect", effect);
            answer.push(row.list("saved", change.before).list("running", change.after));
        }
        Ok(answer)
    }

    async fn info(&self, order: &AskOrder) -> Result<Answer, Problem> {
        let (world, look, book) = (self.world()?, self.look().await?, self.changes.book());
        let restart = diff(&book.boot, &world.model).into_iter().filter(|change| change.effect == Effect::Restart);
        let mut row = Row::new()
            .text("version", version())
            .maybe("hostName", world.model.host_name.as_deref())
            .number("pid", std::process::id())
            .text("started", Utc::from(self.started).to_string())
            .number("uptimeSeconds", look.up.as_secs())
            .number("snapshot", world.snapshot.id.0)
            .list("restart", restart.map(|change| object(&change)))
            .count("workers", look.workers.len())
            .text("state", if look.draining.is_some() { "DRAINING" } else { "RUNNING" });
        for (name, datum) in self.facts(&world) {
            row.set(name, datum);
        }
        Ok(Answer::of(order.ask).row(row))
    }

    /// About the file and the last changes.
    fn facts(&self, world: &World) -> [(&'static str, Datum); 4] {
        let book = self.changes.book();
        let time = |at: Option<SystemTime>| at.map_or(Datum::None, |at| Datum::Text(Utc::from(at).to_string()));
        let file = self.file.as_ref().map_or(Datum::None, |file| Datum::Text(file.path().display().to_string()));
        [
            ("configFile", file),
            ("configChanged", Datum::Flag(*book.saved != *world.model)),
            ("lastChange", time(book.changed_at)),
            ("lastSaved", time(book.saved_at)),
        ]
    }

    async fn drain(&self, order: &AskOrder) -> Result<Answer, Problem> {
        let begins = order.ask.what == What::Drain;
        let draining = if begins && order.has("cancel") {
            match self.order(Order::Resume).await? {
                Ok(true) => None,
                Ok(false) => return Err(order.problem("cancel", Code::PrerequisiteMissing, "no drain is under way")),
                Err(refused) => return Err(crate::change::refused(&refused)),
            }
        } else if begins {
            let within = Duration::from_secs(order.number("within").unwrap_or(DRAIN_SECONDS));
            Some(self.order(|reply| Order::Drain { within, reply }).await?)
        } else {
            self.look().await?.draining
        };
        let row = match draining {
            Some(drain) => Row::new()
                .text("state", if drain.sessions == 0 { "DRAINED" } else { "DRAINING" })
                .number("sessions", drain.sessions)
                .number("ended", drain.sessions_before.saturating_sub(drain.sessions))
                .number("elapsedSeconds", drain.elapsed.as_secs())
                .number("remainingSeconds", drain.remaining.as_secs()),
            None => {
                let sessions: u64 = self.look().await?.workers.iter().map(|worker| worker.totals.sessions).sum();
                Row::new().text("state", "RUNNING").number("sessions", sessions)
            }
        };
        Ok(Answer::of(order.ask).row(row))
    }
}

/// How long a drain waits if nobody says.
const DRAIN_SECONDS: u64 = 300;

/// As the catalogue's own answer to `show ns version` has it.
fn version() -> String {
    let version = env!("CARGO_PKG_VERSION");
    let (release, build) = version.rsplit_once('.').unwrap_or((version, "0"));
    format!("Sluicegate SG{release}: Build {build}")
}

fn now() -> SystemTime {
    #[expect(clippy::disallowed_methods, reason = "wall clock: whether a certificate is valid, what rules say of the time")]
    SystemTime::now()
}

/// A line with all its secrets masked, hashes, too.
fn masked(line: &str) -> String {
    match order::read(line) {
        Ok(Said::Change(change)) => change.shown,
        Ok(Said::Nothing | Said::Show(_) | Said::Ask(_)) => line.to_owned(),
        // What cannot be read may hold anything.
        Err(problems) => {
            problems.first().and_then(|problem| problem.place.as_ref()).map_or_else(String::new, |at| at.shown.to_string())
        }
    }
}

fn object(change: &gate_config::Change) -> String {
    format!("{} {}", change.command, change.object).trim().to_owned()
}

fn who(by: &Operator, order: &AskOrder) -> Answer {
    let row = Row::new()
        .number("uid", by.peer.uid)
        .number("gid", by.peer.gid)
        .number("pid", by.peer.pid)
        .text("level", by.level.word());
    Answer::of(order.ask).row(row)
}

/// Where something listens.
fn listens(row: &mut Row, at: impl Fn(&str) -> Option<SocketAddr>) {
    let address = if let Datum::Text(name) = row.find("name") { at(name) } else { None };
    if let Some(address) = address {
        row.set("address", Datum::Text(address.to_string()));
    }
}

/// That there is more than is shown.
fn more(shown: usize, total: usize) -> Option<Problem> {
    (total > shown).then(|| {
        let mut told = problem(Code::TooManyValues, "", format!("these are {shown} of {total}"));
        told.cure = Some("ask for less: by user, by virtual server, by age".to_owned());
        Problem { severity: Severity::Warning, ..told }
    })
}
