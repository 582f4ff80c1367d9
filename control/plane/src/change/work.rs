//! The part of a change that takes its time: from what was said to what can be put into force. It touches nothing that is.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use gate_config::code::Code;
use gate_config::edit::{Editor, Touched};
use gate_config::model::Model;
use gate_config::problem::{Problem, Severity};
use gate_config::{Change, Checked, ListenerIds, Strictness, check, diff, snapshot};
use sluice_link::id::SnapshotId;
use sluice_link::port::PublishProblem;
use sluice_link::snapshot::Snapshot;
use zeroize::Zeroizing;

use super::{Done, problem};
use crate::farm::{Bound, Numbers};
use crate::files::{ConfigFile, ReadFiles};
use crate::kernel::News;
use crate::passwords;
use crate::world::{Before, Culprit, Plan, Tools, Unfit, World, chain};

/// How much `clear ns config` takes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// All but what `set ns` and `enable ns` have said.
    Basic,
    /// All but where the sockets are, the name of the host and the workers.
    Extended,
    /// All but where the sockets are and who may use them.
    Full,
}

/// What a change is made of.
#[derive(Clone)]
pub(super) enum Material {
    /// All but those that are refused already, with why.
    Lines(Arc<[Zeroizing<String>]>, BTreeMap<usize, Problem>),
    File(Arc<dyn ConfigFile>),
    Clear(Depth),
}

impl Material {
    pub(super) fn lines(&self) -> usize {
        match self {
            Self::Lines(lines, _) => lines.len(),
            Self::File(_) | Self::Clear(_) => 0,
        }
    }
}

/// A change that only waits to be put into force.
pub(super) struct Made {
    pub(super) lines: Vec<Vec<Problem>>,
    pub(super) warnings: Vec<Problem>,
    pub(super) changes: Vec<Change>,
    /// `None`: there is nothing to be put into force.
    pub(super) plan: Option<Plan>,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) ids: ListenerIds,
    /// What the lines are about that were carried out.
    pub(super) touched: Vec<Touched>,
    /// What is to be told of the kernel's TLS.
    pub(super) kernel: Option<News>,
}

/// What is needed to make it.
pub(super) struct Bench {
    pub(super) before: Arc<World>,
    pub(super) tools: Tools,
    pub(super) files: ReadFiles,
    pub(super) strictness: Strictness,
    pub(super) ids: ListenerIds,
    pub(super) numbers: Numbers,
    pub(super) listeners: Vec<Bound>,
    pub(super) hosts: Vec<Bound>,
    pub(super) metrics: Option<Bound>,
    pub(super) kernel_tls: fn() -> Result<String, String>,
    /// The inner socket stays where it is until the next start.
    pub(super) inner: PathBuf,
    pub(super) id: SnapshotId,
}

impl Bench {
    pub(super) fn make(self, material: Material) -> Result<Box<Made>, Box<Done>> {
        let (mut lines, mut touched) = (Vec::new(), Vec::new());
        let (mut model, files, mut warnings) = match material {
            Material::Lines(said, refused) => {
                let mut editor = Editor::new(&self.before.model, &self.before.files, self.strictness);
                let one = |(at, line): (usize, &Zeroizing<String>)| match refused.get(&at) {
                    Some(why) => {
                        // It counts as a line all the same, so that the others keep their numbers.
                        editor.line("", &*self.files);
                        vec![why.clone()]
                    }
                    None => editor.line(line, &*self.files).problems,
                };
                lines = said.iter().enumerate().map(one).collect::<Vec<_>>();
                drop(said);
                let edited = editor.finish(&*self.files);
                for late in edited.late {
                    if let Some(line) = late.number.checked_sub(1).and_then(|at| lines.get_mut(at)) {
                        line.extend(late.problems);
                    }
                }
                if lines.iter().all(|problems| problems.iter().any(Problem::is_error)) {
                    return Err(Box::new(Done { lines, ..Done::default() }));
                }
                touched = edited.touched;
                (edited.model, edited.files, edited.whole)
            }
            Material::File(file) => {
                let name = file.path().display().to_string();
                let text = file
                    .read()
                    .map_err(|source| failed(problem(Code::NoSuchFile, &name, format!("cannot be read: {source}"))))?;
                whole(check(&name, &text, self.strictness, &*self.files))?
            }
            Material::Clear(depth) => {
                let text = Zeroizing::new(left(&self.before.model, depth));
                whole(check("what is left", &text, Strictness::Lenient, &*self.files))?
            }
        };
        let fail = |why: Problem| Box::new(Done { lines: lines.clone(), ..*failed(why) });
        let fail_of = |why: &Unfit| Box::new(Done { culprit: culprit_of(why), touched: touched.clone(), ..*fail(unfit(why)) });
        passwords::keep(&mut model, &self.before.model, &self.tools.passwords);
        passwords::seal(&mut model, &self.tools.passwords).map_err(|why| fail_of(&Unfit::Password(why)))?;
        if let Err(why) = self.tools.secrets.seal(&mut model) {
            let cause = format!("{}; secrets stay open in memory, and nothing can be saved", chain(&why));
            warnings.push(Problem { severity: Severity::Warning, ..problem(Code::InvalidArgument, "", cause) });
        }
        // Of those that were there before, somebody was told when they came.
        let known = self.tools.secrets.unreadable(&self.before.model);
        let new = self.tools.secrets.unreadable(&model).into_iter().filter(|one| !known.contains(one));
        warnings.extend(new.map(|(action, keyword)| unreadable(&action, keyword)));
        let changes = diff(&self.before.model, &model);
        let mut ids = self.ids;
        ids.keep_only(&model);
        let mut snapshot = snapshot(&model, &files, self.id, &mut ids)
            .map_err(|missing| fail(problem(Code::NoSuchFile, &missing.name, missing.to_string())))?;
        snapshot.inner = self.inner;
        let before = Before {
            world: Some(&self.before),
            listeners: &self.listeners,
            hosts: &self.hosts,
            metrics: self.metrics.as_ref(),
            numbers: &self.numbers,
        };
        let plan = Plan::make(Arc::new(model), Arc::new(files), &before, &self.tools).map_err(|why| fail_of(&why))?;
        let kernel = News::of(&self.before.snapshot.listeners, &snapshot.listeners, self.kernel_tls);
        let (plan, snapshot) = (Some(plan), Arc::new(snapshot));
        Ok(Box::new(Made { lines, warnings, changes, plan, snapshot, ids, touched, kernel }))
    }
}

type Whole = (Model, gate_config::files::Loaded, Vec<Problem>);

/// A whole text's meaning, or all that is wrong with it.
fn whole(checked: Checked) -> Result<Whole, Box<Done>> {
    match checked.model {
        Some(model) => Ok((model, checked.files, checked.problems)),
        None => Err(Box::new(Done { failed: checked.problems, ..Done::default() })),
    }
}

fn failed(why: Problem) -> Box<Done> {
    Box::new(Done { failed: vec![why], ..Done::default() })
}

/// The lines that a `clear` leaves.
fn left(model: &Model, depth: Depth) -> String {
    let stays = |line: &&str| {
        let mut words = line.split(' ');
        let (verb, group, object) = (words.next(), words.next(), words.next());
        let is_own = matches!(verb, Some("set" | "enable")) && group == Some("ns");
        is_own
            && match depth {
                Depth::Basic => true,
                Depth::Extended => verb == Some("set") && matches!(object, Some("config" | "hostName" | "worker")),
                Depth::Full => verb == Some("set") && object == Some("config"),
            }
    };
    model.print().lines().filter(stays).map(|line| format!("{line}\n")).collect()
}

/// Why a configuration cannot be put into force, as the command line says it.
pub(super) fn unfit(why: &Unfit) -> Problem {
    match why {
        Unfit::Object { what, why } => problem(Code::InvalidArgument, what, why.clone()),
        Unfit::Bind { what, .. } => problem(Code::AddressInUse, &what.to_string(), chain(why)),
        Unfit::Password(passwords::Unusable::Password { user, why }) => {
            problem(Code::InvalidValue, &format!("aaa user {user}"), why.to_string())
        }

        Unfit::Password(passwords::Unusable::NoRandom(_)) | Unfit::NoRandom(_) => problem(Code::InvalidArgument, "", chain(why)),
    }
}

/// A secret that does not open.
fn unreadable(action: &str, keyword: &str) -> Problem {
    let cause = "this secret was sealed under another key, so the action fails".to_owned();
    let told = problem(Code::ValueMissing, &format!("{action} -{keyword}"), cause);
    Problem { severity: Severity::Warning, cure: Some("set it anew".to_owned()), ..told }
}

/// The object on whose account it cannot, if it is one.
pub(super) fn culprit_of(why: &Unfit) -> Option<Culprit> {
    match why {
        Unfit::Bind { what, .. } => Some(what.clone()),
        Unfit::Password(passwords::Unusable::Password { user, .. }) => Some(Culprit::new("aaa user", user.as_str())),
        Unfit::Object { .. } | Unfit::Password(passwords::Unusable::NoRandom(_)) | Unfit::NoRandom(_) => None,
    }
}

/// Likewise, if the workers did not take it.
pub(super) fn culprit_of_workers(why: &PublishProblem) -> Option<Culprit> {
    match why {
        PublishProblem::Listener { listener, .. } | PublishProblem::Bind { listener, .. } => {
            Some(Culprit::new("vpn vserver", listener.as_str()))
        }
        PublishProblem::HostTls { profile, .. } => Some(Culprit::new("farm hostTls", profile.as_str())),
        PublishProblem::Worker { .. } => None,
    }
}

/// The lines on whose account `culprit` is as it is: those that say how it shall be, or else whatever speaks of it.
pub(super) fn lines_of(culprit: &Culprit, touched: &[Touched]) -> Vec<usize> {
    let of = |own: bool| -> Vec<usize> {
        let about = touched.iter().filter(|one| one.kind == culprit.kind && *one.object == *culprit.object);
        about.filter(|one| one.is_own || !own).filter_map(|one| one.line.checked_sub(1)).collect()
    };
    let own = of(true);
    if own.is_empty() { of(false) } else { own }
}

/// Why the workers did not take it, likewise.
pub(crate) fn refused(why: &PublishProblem) -> Problem {
    let (code, about) = match why {
        PublishProblem::Listener { listener, .. } => (Code::InvalidArgument, format!("vpn vserver {listener}")),
        PublishProblem::Bind { listener, .. } => (Code::AddressInUse, format!("vpn vserver {listener}")),
        PublishProblem::HostTls { profile, .. } => (Code::InvalidArgument, format!("farm hostTls {profile}")),
        PublishProblem::Worker { .. } => (Code::InvalidArgument, String::new()),
    };
    problem(code, &about, chain(why))
}
