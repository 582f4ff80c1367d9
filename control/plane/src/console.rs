//! What operators say: one line, a `;`-list, a batch, read and carried out for a peer of the control socket.
//!
//! ```text
//!   line ─► order::read ─► may they? ─┬─ show, stat, … ─► live: model, tables, workers ─► Answer
//!                                     ├─ kill, drain    ─► owner, workers                ─► audit log
//!                                     └─ add, set, rm … ─► change: a job, with its neighbours in a batch ─► audit log
//! ```
//!
//! Lines that only look never wait for a change; changes are carried out one after the other.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use gate_config::answer::{Answer, done_json};
use gate_config::catalog::What;
use gate_config::code::Code;
use gate_config::order::{self, AskOrder, ChangeOrder, Format, Order, ShowOrder};
use gate_config::problem::Problem;
use gate_proto::audit::{Entry, Value};
use tracing::info;
use zeroize::Zeroizing;

use crate::audit::Audit;
use crate::change::{Changes, Depth, Done, NotDone, Work, problem};
use crate::door::socket::{Obey, Operator};
use crate::live::{Live, Told};
use crate::peer::Level;
use crate::reply::{Reply, Said};

/// Lines of a batch that become one change; a longer run becomes several. A whole configuration of this many lines is put into
/// force at once.
pub(crate) const LINES_PER_CHANGE_MAX: usize = 100_000;
/// Time between two words about a drain.
const WATCH_EVERY: Duration = Duration::from_secs(1);
/// What a batch ends with if some of its commands failed, and if all did.
const SOME_FAILED: (u16, &str) = (1059, "Some commands failed");
const ALL_FAILED: (u16, &str) = (1060, "All commands failed");

/// See the module.
pub(crate) struct Console {
    pub(crate) changes: Changes,
    pub(crate) live: Live,
    pub(crate) audit: Arc<dyn Audit>,
}

/// What came of a line.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// An answer, if there is one to give, or all that is wrong.
    pub(crate) result: Result<Option<Answer>, Vec<Problem>>,
    /// What is to be told beside that.
    pub(crate) warnings: Vec<Problem>,
    /// How it is written.
    pub(crate) format: Format,
    /// A drain has begun that whoever asked may want to watch.
    drains: bool,
}

impl Outcome {
    fn of(result: Result<Option<Answer>, Vec<Problem>>, format: Format) -> Self {
        Self { result, warnings: Vec::new(), format, drains: false }
    }

    fn refused(problems: Vec<Problem>) -> Self {
        Self::of(Err(problems), Format::Text)
    }

    /// The number of its error; 0 if there is none.
    fn number(&self) -> u16 {
        match &self.result {
            Ok(_) => 0,
            Err(problems) => problems.iter().find(|p| p.is_error()).map_or(Code::InvalidArgument.number(), |p| p.code.number()),
        }
    }

    /// Tells whoever asked.
    fn say(self, reply: &Reply) {
        for warning in &self.warnings {
            reply.say(Said::Warning(told(warning)));
        }
        match (self.result, self.format) {
            (Ok(Some(answer)), Format::Text) => reply.say(Said::Text(answer.text())),
            (Ok(Some(answer)), Format::Json) => reply.say(Said::Text(format!("{}\n", answer.json()))),
            (Ok(None), Format::Json) => reply.say(Said::Text(format!("{}\n", done_json()))),
            (Ok(None), Format::Text) => {}
            (Err(problems), Format::Json) => {
                problems.iter().for_each(|problem| reply.say(Said::Text(format!("{}\n", problem.reply_json()))));
            }
            (Err(problems), Format::Text) => problems.iter().for_each(|problem| reply.say(Said::Error(told(problem)))),
        }
    }
}

/// A problem without the word before it and without the last line end.
fn told(problem: &Problem) -> String {
    let text = problem.reply(false);
    let text = text.strip_prefix("ERROR: ").or_else(|| text.strip_prefix("Warning: ")).unwrap_or(&text);
    text.trim_end().to_owned()
}

/// Changes that have come together, and lines between them that cannot be read, with their numbers.
type Run = Vec<(usize, Result<ChangeOrder, Vec<Problem>>)>;

/// What came of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Summary {
    right: usize,
    wrong: usize,
}

impl Summary {
    fn count(&mut self, outcome: &Outcome) {
        if outcome.result.is_ok() { self.right += 1 } else { self.wrong += 1 }
    }

    fn failed(self) -> Option<(u16, &'static str)> {
        match self {
            Self { wrong: 0, .. } => None,
            Self { right: 0, .. } => Some(ALL_FAILED),
            Self { .. } => Some(SOME_FAILED),
        }
    }
}

impl Obey for Console {
    async fn line(self: Arc<Self>, by: Operator, line: Zeroizing<String>, reply: Reply) -> u16 {
        let parts = order::split(&line);
        let count = parts.len();
        let mut summary = Summary::default();
        let mut number = 0;
        for (at, part) in parts.into_iter().enumerate() {
            let outcome = self.one(&by, part).await;
            if outcome.drains {
                self.watch_drain(&reply).await;
            }
            summary.count(&outcome);
            number = outcome.number();
            let is_right = outcome.result.is_ok();
            outcome.say(&reply);
            if is_right && at + 1 < count {
                reply.say(Said::Done);
            }
        }
        match summary.failed() {
            Some((failed, _)) if count > 1 => failed,
            Some(_) | None => number,
        }
    }

    async fn batch(self: Arc<Self>, by: Operator, lines: Zeroizing<String>, reply: Reply) -> u16 {
        let each = |number: usize, outcome: Outcome| {
            for problem in outcome.warnings.iter().filter(|_| outcome.result.is_ok()) {
                reply.say(Said::Warning(format!("line {number}: {}", told(problem))));
            }
            match &outcome.result {
                Ok(_) => Outcome { warnings: Vec::new(), ..outcome }.say(&reply),
                Err(problems) => {
                    problems.iter().for_each(|problem| reply.say(Said::Error(format!("line {number}: {}", told(problem)))));
                }
            }
        };
        let summary = self.many(&by, &lines, each).await;
        info!(by = %by.peer, right = summary.right, wrong = summary.wrong, "batch");
        match summary.failed() {
            Some((number, text)) => {
                reply.say(Said::Error(format!("{text} [{} of {}]", summary.wrong, summary.right + summary.wrong)));
                number
            }
            None => 0,
        }
    }
}

impl Console {
    /// One command.
    pub(crate) async fn one(&self, by: &Operator, text: &str) -> Outcome {
        match order::read(text) {
            Err(problems) => Outcome::refused(problems),
            Ok(order) => self.order(by, order).await,
        }
    }

    /// Many lines, each with one command: runs of changes become one change, asks between them are answered in order. `each`
    /// hears what came of every line that says something.
    async fn many(&self, by: &Operator, text: &str, each: impl Fn(usize, Outcome)) -> Summary {
        let mut summary = Summary::default();
        let mut run = Run::new();
        let mut tell = |number: usize, outcome: Outcome| {
            summary.count(&outcome);
            each(number, outcome);
        };
        for (number, line) in (1..).zip(text.lines()) {
            match order::read(line) {
                Ok(Order::Nothing) => {}
                Ok(Order::Change(change)) if self.may(by, Level::Change).is_ok() => {
                    run.push((number, Ok(change)));
                }
                Ok(order) => {
                    self.run(by, &mut run, &mut tell).await;
                    tell(number, self.order(by, order).await);
                }
                // What cannot be read is told in its turn, and does not cut a change in two.
                Err(problems) => run.push((number, Err(problems))),
            }
            if run.len() >= LINES_PER_CHANGE_MAX {
                self.run(by, &mut run, &mut tell).await;
            }
        }
        self.run(by, &mut run, &mut tell).await;
        summary
    }

    /// Carries out the changes that have come together.
    async fn run(&self, by: &Operator, run: &mut Run, tell: &mut impl FnMut(usize, Outcome)) {
        let (mut orders, mut told) = (Vec::new(), Vec::new());
        for (number, line) in run.drain(..) {
            told.push((number, line.map(|order| orders.push(order))));
        }
        let mut changed = if orders.is_empty() { Vec::new() } else { self.change(by, orders).await }.into_iter();
        for (number, line) in told {
            let outcome = match line {
                Ok(()) => changed.next().unwrap_or_else(|| Outcome::refused(vec![not_done(NotDone::Broke)])),
                Err(problems) => Outcome::refused(problems),
            };
            tell(number, outcome);
        }
    }

    async fn order(&self, by: &Operator, order: Order) -> Outcome {
        if let Err(refused) = self.may(by, order.level()) {
            let shown = match &order {
                Order::Change(order) => order.shown.as_str(),
                Order::Ask(order) => order.shown.as_str(),
                Order::Nothing | Order::Show(_) => "",
            };
            self.note("refused", by, shown, &refused.code.to_string());
            return Outcome::of(Err(vec![refused]), order.format());
        }
        match order {
            Order::Nothing => Outcome::of(Ok(None), Format::Text),
            Order::Change(change) => {
                let mut outcomes = self.change(by, vec![change]).await;
                outcomes.pop().unwrap_or_else(|| Outcome::refused(vec![not_done(NotDone::Broke)]))
            }
            Order::Show(show) => self.show(&show).await,
            Order::Ask(ask) => self.ask(by, &ask).await,
        }
    }

    #[expect(clippy::result_large_err, reason = "a problem is told once for each line, and kept in lists beside others")]
    fn may(&self, by: &Operator, wanted: Level) -> Result<(), Problem> {
        if by.level < wanted {
            let mut refused = problem(Code::NotPermitted, "", format!("this needs the level {}", wanted.word()));
            refused.cure = Some("set ns config -changeGroup GROUP gives a group that level".to_owned());
            return Err(refused);
        }
        if wanted == Level::Change && !self.audit.may_act() {
            let mut refused = problem(Code::NotPermitted, "audit", "the audit log cannot be written".to_owned());
            refused.cure = Some("see the log for its file and what is wrong with it".to_owned());
            return Err(refused);
        }
        Ok(())
    }

    /// Changes that belong together. One outcome for each, in their order.
    async fn change(&self, by: &Operator, orders: Vec<ChangeOrder>) -> Vec<Outcome> {
        let (lines, shown): (Vec<Zeroizing<String>>, Vec<String>) =
            orders.into_iter().map(|order| (order.line, order.shown)).unzip();
        let count = lines.len();
        let done = match self.changes.have_done(Some(by.peer.uid), Work::Lines(lines)).await {
            Ok(done) => done,
            Err(why) => Done { lines: vec![vec![not_done(why)]; count], ..Done::default() },
        };
        let mut outcomes: Vec<Outcome> = done.lines.into_iter().map(outcome).collect();
        for (outcome, shown) in outcomes.iter().zip(&shown) {
            let result = match &outcome.result {
                Ok(_) => "done".to_owned(),
                Err(problems) => problems.first().map_or_else(String::new, |problem| problem.code.to_string()),
            };
            self.note("change", by, shown, &result);
        }
        if let Some(last) = outcomes.iter_mut().rfind(|outcome| outcome.result.is_ok()) {
            last.warnings.extend(done.warnings);
        }
        outcomes
    }

    async fn show(&self, order: &ShowOrder) -> Outcome {
        let answer = self.live.configured(order).await.map(|answer| if order.summary { answer.summarised() } else { answer });
        Outcome::of(answer.map(Some).map_err(|problem| vec![problem]), order.format)
    }

    async fn ask(&self, by: &Operator, order: &AskOrder) -> Outcome {
        let (result, warnings) = match order.ask.what {
            What::SaveConfig => self.file(by, order, "save", Work::Save).await,
            What::ClearConfig => self.file(by, order, "clear", Work::Clear(depth(order.text("level")))).await,
            What::Reload => self.file(by, order, "reload", Work::Reload).await,
            What::KillIcaConnections | What::KillAaaSessions | What::UnlockUser | What::Drain => {
                let (result, warnings) = self.live.answer(by, order).await;
                let said = match &result {
                    Ok(Some(answer)) => answer.text().trim().replace('\n', ", "),
                    Ok(None) => "done".to_owned(),
                    Err(problems) => problems.first().map_or_else(String::new, |problem| problem.code.to_string()),
                };
                let event = if order.ask.what == What::Drain {
                    "drain"
                } else if order.ask.what == What::UnlockUser {
                    "unlock"
                } else {
                    "kill"
                };
                self.note(event, by, &order.shown, &said);
                (result, warnings)
            }
            What::ShowIcaConnections
            | What::ShowAaaSessions
            | What::ShowFlow
            | What::TestLogin
            | What::ShowTrace
            | What::ShowWorkers
            | What::ShowStas
            | What::StatVservers
            | What::StatVpn
            | What::StatAaa
            | What::StatSsl
            | What::StatWorkers
            | What::StatNs
            | What::RunningConfig
            | What::SavedConfig
            | What::DiffConfig
            | What::Info
            | What::Version
            | What::Features
            | What::ShowDrain
            | What::Help
            | What::Man
            | What::Names
            | What::WhoAmI
            | What::Client
            | What::Exit => self.live.answer(by, order).await,
        };
        let result = result.map(|answer| answer.map(|answer| if order.summary { answer.summarised() } else { answer }));
        let begins = order.ask.what == What::Drain && !order.has("cancel");
        let drains = begins && result.is_ok() && order.format == Format::Text;
        Outcome { result, warnings, format: order.format, drains }
    }

    /// `save`, `clear`, `reload`: changes, and what is written about them.
    async fn file(&self, by: &Operator, order: &AskOrder, event: &'static str, work: Work) -> Told {
        let done = match self.changes.have_done(Some(by.peer.uid), work).await {
            Ok(done) => done,
            Err(why) => Done { failed: vec![not_done(why)], ..Done::default() },
        };
        let result = done.failed.first().map_or_else(|| "done".to_owned(), |problem| problem.code.to_string());
        self.note(event, by, &order.shown, &result);
        if !done.failed.is_empty() {
            return (Err(done.failed), done.warnings);
        }
        let has_answer = !order.ask.fields.is_empty();
        (Ok(has_answer.then(|| Live::of_change(order, &done))), done.warnings)
    }

    /// Tells whoever began a drain how far it is, until it is over or nobody listens.
    async fn watch_drain(&self, reply: &Reply) {
        loop {
            let Ok(Some(draining)) = self.live.look().await.map(|look| look.draining) else { return };
            if draining.sessions == 0 {
                return;
            }
            let (left, seconds) = (draining.sessions, draining.remaining.as_secs());
            reply.say(Said::Progress(format!("{left} sessions left, {seconds} seconds until they are ended")));
            tokio::select! {
                () = tokio::time::sleep(WATCH_EVERY) => {}
                () = reply.gone() => return,
            }
        }
    }

    /// Writes down who did what.
    fn note(&self, event: &'static str, by: &Operator, line: &str, result: &str) {
        let fields = vec![
            ("uid", Value::Number(u64::from(by.peer.uid))),
            ("pid", Value::Number(u64::from(by.peer.pid))),
            ("line", Value::Text(line.to_owned())),
            ("result", Value::Text(result.to_owned())),
        ];
        self.audit.note(Entry { event, fields });
        info!(event, by = %by.peer, line, result, "operator");
    }

    /// Re-reads the file, since the process was told to. What came of it is in the log.
    pub(crate) async fn reload(&self) {
        let result = match self.changes.have_done(None, Work::Reload).await {
            Ok(done) => {
                let mut text = String::new();
                match done.failed.first() {
                    Some(problem) => drop(write!(text, "{}", problem.code)),
                    None => drop(write!(text, "done, {} objects changed", done.changes.len())),
                }
                text
            }
            Err(why) => why.to_string(),
        };
        self.audit.note(Entry {
            event: "reload",
            fields: vec![("line", Value::Text("signal HUP".to_owned())), ("result", Value::Text(result.clone()))],
        });
        info!(result, "reload");
    }
}

fn depth(said: Option<&str>) -> Depth {
    match said {
        Some("full") => Depth::Full,
        Some("extended") => Depth::Extended,
        Some(_) | None => Depth::Basic,
    }
}

fn outcome(problems: Vec<Problem>) -> Outcome {
    let (wrong, warnings): (Vec<Problem>, Vec<Problem>) = problems.into_iter().partition(Problem::is_error);
    let result = if wrong.is_empty() { Ok(None) } else { Err(wrong) };
    Outcome { warnings, ..Outcome::of(result, Format::Text) }
}

fn not_done(why: NotDone) -> Problem {
    problem(Code::InUse, "", why.to_string())
}
