//! Draft to model: the one place that judges. It reports every problem, not the first.
//!
//! ```text
//!   line ─lex─► words ─find─► command ─arguments─► said ─apply─► model
//!                                                         │
//!                       refers to something not yet made ─┴─► again, when all other lines have been carried out
//! ```
//!
//! So lines may stand in any order in which their references resolve at last; those that take something away mean what stands
//! above them. A line that was not carried out has changed nothing.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use crate::catalog::resolve::{Grammar, NotFound, Place as At, Target, arguments, find, span};
use crate::catalog::{Effect, Feature, Note, Op, Rank, Said, Site, Support, namesake};
use crate::code::Code;
use crate::draft::Draft;
use crate::edit::Touched;
use crate::expr::NAMES_DEPTH_MAX;
use crate::files::{Files, Loaded};
use crate::mask;
use crate::model::{KeptLine, Model};
use crate::paste;
use crate::problem::{MASK, Masked, PROBLEMS_MAX, Place, Problem, Severity};
use crate::text::lex::{Fault, FaultKind, Span};
use crate::text::line::{FILE_BYTES_MAX, Line, not_a_line};
use crate::text::visible::is_unseen;

/// How often lines that refer to something not yet made are tried again. Objects refer to objects three deep at most, and named
/// expressions to others [`NAMES_DEPTH_MAX`] deep.
const PASSES_MAX: usize = NAMES_DEPTH_MAX + 4;

/// What happens to commands and arguments that nobody knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strictness {
    /// They are errors.
    #[default]
    Strict,
    /// They are kept for printing back, with a warning.
    Lenient,
}

/// What came of a configuration.
#[expect(missing_debug_implementations, reason = "holds private keys")]
pub struct Checked {
    /// What it means; `None` if there is an error.
    pub model: Option<Model>,
    /// The files that it names.
    pub files: Loaded,
    /// What is wrong, by line.
    pub problems: Vec<Problem>,
}

impl Checked {
    /// Problems for which there is no configuration.
    pub fn errors(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter().filter(|problem| problem.is_error())
    }
}

/// Reads a configuration. `name` is how messages call the file. `files` reads those that it names.
#[must_use]
pub fn check(name: &str, text: &str, mode: Strictness, files: &dyn Files) -> Checked {
    let mut lowering = Lowering::new(name, mode);
    if text.len() > FILE_BYTES_MAX {
        let cause = format!("a configuration has at most {FILE_BYTES_MAX} bytes");
        lowering.report(Severity::Error, Note::new(Code::InvalidArgument, Span::default(), "", cause), None);
    } else {
        lowering.all(&Draft::read(text), files);
    }
    lowering.finish()
}

/// Where objects were made, for what is found out when all lines have been read.
#[derive(Default)]
pub(crate) struct Origins {
    objects: BTreeMap<(&'static str, Box<str>), Place>,
    features: BTreeMap<Feature, Place>,
}

impl Origins {
    /// Where an object was made.
    pub(crate) fn object(&self, command: &'static str, name: &str) -> Option<Place> {
        self.objects.get(&(command, name.into())).cloned()
    }

    /// Where something first needed a feature.
    pub(crate) fn features(&self) -> impl Iterator<Item = (Feature, Place)> {
        self.features.iter().map(|(feature, place)| (*feature, place.clone()))
    }
}

/// Lines on their way into a model.
pub(crate) struct Lowering {
    file: Arc<str>,
    mode: Strictness,
    /// See [`Site::firm`].
    firm: bool,
    pub(crate) model: Model,
    pub(crate) loaded: Loaded,
    problems: Vec<Problem>,
    /// Problems that have been handed out. Looking for what was perhaps meant costs time, which is bounded.
    told: usize,
    origins: Origins,
    /// What lines that were carried out are about; empty for a file, which is in force as a whole or not at all.
    pub(crate) touched: Vec<Touched>,
    /// Kinds of lines that are kept without effect: where in `problems` the first one is, and how many others there are.
    accepted: BTreeMap<String, (usize, usize)>,
}

/// What became of a line.
pub(crate) enum Done {
    /// Carried out, or reported.
    Yes,
    /// It refers to something that does not exist yet.
    Later,
}

impl Lowering {
    /// From nothing, for a file.
    fn new(file: &str, mode: Strictness) -> Self {
        Self { file: file.into(), firm: false, ..Self::onto(Model::default(), Loaded::default(), mode) }
    }

    /// From what there is. A line with a file that cannot be used is refused.
    pub(crate) fn onto(model: Model, loaded: Loaded, mode: Strictness) -> Self {
        Self {
            file: "".into(),
            mode,
            firm: true,
            model,
            loaded,
            problems: Vec::new(),
            told: 0,
            origins: Origins::default(),
            touched: Vec::new(),
            accepted: BTreeMap::new(),
        }
    }

    /// The same for a file that messages call so.
    pub(crate) fn called(mut self, file: &str) -> Self {
        self.file = file.into();
        self
    }

    fn all(&mut self, draft: &Draft<'_>, files: &dyn Files) {
        let mut waiting: Vec<Line<'_>> = Vec::new();
        for line in &draft.lines {
            if matches!(self.line(line, files, true), Done::Later) {
                waiting.push(*line);
            }
        }
        for line in self.again(waiting, |line| *line, files) {
            self.line(&line, files, false);
        }
        // What a refused line would have made is missing everywhere else; there is no use in saying so.
        if !self.problems.iter().any(Problem::is_error) {
            self.judge();
        }
    }

    /// Tries lines that wait again as long as that helps, and gives those back that still wait.
    pub(crate) fn again<L>(&mut self, mut waiting: Vec<L>, line: impl Fn(&L) -> Line<'_>, files: &dyn Files) -> Vec<L> {
        for _ in 0..PASSES_MAX {
            let before = waiting.len();
            waiting.retain(|waits| matches!(self.line(&line(waits), files, true), Done::Later));
            if waiting.is_empty() || waiting.len() == before {
                break;
            }
        }
        waiting
    }

    /// What has been reported since the last time.
    pub(crate) fn told(&mut self) -> Vec<Problem> {
        self.accepted.clear();
        self.told += self.problems.len();
        std::mem::take(&mut self.problems)
    }

    /// Reports what only shows when all lines have been read.
    pub(crate) fn judge(&mut self) {
        crate::judge::whole(&self.model, &self.origins, &mut |severity, note, place| {
            report(&mut self.problems, &self.file, severity, note, place);
        });
    }

    /// Carries out a line, or reports what is wrong with it and changes nothing.
    pub(crate) fn line(&mut self, line: &Line<'_>, files: &dyn Files, may_wait: bool) -> Done {
        if let Some(cause) = not_a_line(line.text) {
            let place = Place { line: line.number, column: 1, width: 1, shown: "".into() };
            self.report(Severity::Error, Note::new(Code::InvalidArgument, Span::default(), "", cause), Some(place));
            return Done::Yes;
        }
        let lexed = paste::words(line.text);
        let hints = self.told + self.problems.len() < PROBLEMS_MAX;
        let found = find(&lexed.tokens, At::File, hints);
        let form = found.as_ref().ok().and_then(|found| found.target.form());
        let masked = Masked::of(line.text, &mask::secrets(line.text, &lexed, form, mask::For::Showing));
        let kept = paste::kept(line.text, &lexed, form);
        let place = |span: Span| Some(masked.place(line.number, span));
        if let Some(fault) = lexed.fault {
            self.report(Severity::Error, unreadable(fault), place(fault.span));
            return Done::Yes;
        }
        let whole = span(&lexed.tokens);
        let pasted = paste::notes(&lexed);
        if found.is_err() {
            for note in &pasted {
                self.report(Severity::Warning, note.clone(), place(note.at));
            }
        }
        let found = match found {
            Ok(found) => found,
            // What is kept is printed as it was written, so whatever nobody sees would come back to a terminal.
            Err(not)
                if (not.recognised.is_some() || not.unknown && self.mode == Strictness::Lenient) && holds_unseen(line.text) =>
            {
                let cause = "a command without effect is kept as it is, and may not hold characters that nobody sees".to_owned();
                self.report(Severity::Error, Note::new(Code::InvalidSyntax, whole, "", cause), place(whole));
                return Done::Yes;
            }
            Err(NotFound { recognised: Some(known), .. }) => {
                self.model.keep_line(KeptLine::new(known.rank, &kept));
                let mut note = accepted(known.at, &known.words, known.why);
                if kept.contains(MASK) && !line.text.contains(MASK) {
                    note.cause.push_str(", without the secret that stands in it openly");
                }
                let at = place(known.at);
                self.accept(known.words, note, at);
                return Done::Yes;
            }
            Err(not) if not.unknown && self.mode == Strictness::Lenient => {
                self.keep(line, &masked, &kept, *not.note);
                return Done::Yes;
            }
            Err(not) => {
                let at = place(not.note.at);
                self.report(Severity::Error, *not.note, at);
                return Done::Yes;
            }
        };
        let Target::Form(command, form) = found.target else { return Done::Yes };
        let mut read = arguments(&Grammar::of(&found.target), found.rest, whole, hints);
        let mut notes: Vec<(Severity, Note)> = pasted.into_iter().map(|note| (Severity::Warning, note)).collect();
        notes.extend(read.errors.drain(..).map(|note| (Severity::Error, note)));
        for mut note in read.unknown.drain(..) {
            if self.mode == Strictness::Strict {
                notes.push((Severity::Error, note));
                continue;
            }
            note.cause.push_str("; it is kept for printing back");
            notes.push((Severity::Warning, note));
        }
        let wrong = notes.iter().any(|(severity, _)| *severity == Severity::Error);
        let open_secret = !wrong && !lexed.tokens.iter().any(|token| mask::is_encrypted(&token.value));
        for argument in read.kept.extract_if(.., |a| open_secret && !a.values.is_empty() && mask::is_secret_name(&a.keyword)) {
            let cause = "an open secret without effect is not kept: it will be missing from the printed configuration";
            notes.push((Severity::Warning, Note::new(Code::NotImplemented, whole, format!("-{}", argument.keyword), cause)));
        }
        let mut rests = None;
        if let Effect::Never(why) = command.effect {
            let words = lexed.tokens.get(..3).unwrap_or(&lexed.tokens);
            rests = Some(accepted(span(words), command.words, why));
        } else if let Some((_, at)) = read.without_effect.first() {
            let names: Vec<_> = read.without_effect.iter().map(|(argument, _)| format!("-{}", argument.name)).collect();
            let always = read.without_effect.iter().filter_map(|(argument, _)| match argument.support {
                Support::Always(value) => Some(format!("-{} {value}", argument.name)),
                Support::Full | Support::Held | Support::Kept => None,
            });
            let always: Vec<_> = always.collect();
            let mut cause = "kept for printing back, without effect in this gateway".to_owned();
            if !always.is_empty() {
                cause.push_str(&format!("; it always behaves as with {}", always.join(" ")));
            }
            notes.push((Severity::Warning, Note::new(Code::NotImplemented, *at, names.join(" "), cause)));
        }
        let may_wait = may_wait && form.op.may_precede();
        let said = Said { command, form, given: read.given, kept: read.kept, text: &kept, span: whole, may_wait, hints };
        if !wrong {
            match self.apply(&said, files) {
                Ok(more) => {
                    notes.extend(more);
                    if let Some(note) = rests {
                        let at = place(note.at);
                        self.accept(said.command.words.to_owned(), note, at);
                    }
                    self.remember(&said, &masked, line.number);
                }
                Err(refused) if refused.missing && said.may_wait => return Done::Later,
                Err(refused) => notes.push((Severity::Error, *refused.note)),
            }
        }
        for (severity, note) in notes {
            let at = place(note.place(line.text));
            self.report(severity, note, at);
        }
        Done::Yes
    }

    fn apply(&mut self, said: &Said<'_>, files: &dyn Files) -> Result<Vec<(Severity, Note)>, crate::catalog::Refused> {
        let (model, loaded, firm) = (&mut self.model, &mut self.loaded, self.firm);
        let lenient = self.mode == Strictness::Lenient;
        let mut site = Site { model, loaded, files, notes: Vec::new(), firm, lenient };
        (said.form.apply)(said, &mut site)?;
        Ok(site.notes)
    }

    fn remember(&mut self, said: &Said<'_>, masked: &Masked, line: usize) {
        if let Some(feature) = said.command.feature {
            self.origins.features.entry(feature).or_insert_with(|| masked.place(line, said.span));
        }
        let first = said.form.positionals.first();
        if self.firm {
            let kind = namesake(said.command);
            let is_own = kind == said.command.words && !matches!(said.form.op, Op::Bind | Op::Unbind | Op::Link | Op::Unlink);
            let object = first.and_then(|argument| said.text(argument.name)).unwrap_or_default().into();
            self.touched.push(Touched { line, kind, object, is_own });
        }
        if let (Op::Add, Some(name)) = (said.form.op, first.and_then(|argument| said.text(argument.name))) {
            let place = masked.place(line, said.place(first.map_or("", |argument| argument.name)));
            self.origins.objects.insert((said.command.words, name.into()), place);
        }
    }

    /// Keeps a line that nobody knows.
    fn keep(&mut self, line: &Line<'_>, masked: &Masked, kept: &str, mut note: Note) {
        let at = note.at;
        note.cause.push_str("; the line is kept for printing back");
        if kept.contains(MASK) && !line.text.contains(MASK) {
            note.cause.push_str(", without the secret that stands in it openly");
        }
        self.model.keep_line(KeptLine::new(Rank::Unknown, kept));
        self.report(Severity::Warning, note, Some(masked.place(line.number, at)));
    }

    /// Says once of each kind of line that it is kept without effect, and counts the others.
    fn accept(&mut self, words: String, note: Note, place: Option<Place>) {
        let at = self.problems.len();
        match self.accepted.entry(words) {
            Entry::Occupied(mut there) => there.get_mut().1 += 1,
            Entry::Vacant(first) => {
                first.insert((at, 0));
                self.report(Severity::Warning, note, place);
            }
        }
    }

    fn report(&mut self, severity: Severity, note: Note, place: Option<Place>) {
        report(&mut self.problems, &self.file, severity, note, place);
    }

    fn finish(mut self) -> Checked {
        for (first, others) in self.accepted.values().filter(|(_, others)| *others > 0) {
            if let Some(problem) = self.problems.get_mut(*first).filter(|problem| problem.place.is_some()) {
                problem.cause.push_str(&match others {
                    1 => "; so is another line of this kind".to_owned(),
                    others => format!("; so are {others} more lines of this kind"),
                });
            }
        }
        // Problems of lines that waited come late; a reader goes from top to bottom.
        self.problems.sort_by_key(|problem| problem.place.as_ref().map_or(usize::MAX, |place| place.line));
        let right = !self.problems.iter().any(Problem::is_error);
        Checked { model: right.then_some(self.model), files: self.loaded, problems: self.problems }
    }
}

/// Adds a problem, as long as there is room. What says that there is none is an error if what it swallows is one.
fn report(problems: &mut Vec<Problem>, file: &Arc<str>, severity: Severity, note: Note, place: Option<Place>) {
    let file = Arc::clone(file);
    if problems.len() < PROBLEMS_MAX {
        problems.push(Problem { severity, code: note.code, about: note.about, cause: note.cause, cure: note.cure, file, place });
        return;
    }
    let full = Problem {
        severity,
        code: Code::InvalidArgument,
        about: String::new(),
        cause: format!("there are more problems than the {PROBLEMS_MAX} shown"),
        cure: None,
        file,
        place: None,
    };
    match problems.get_mut(PROBLEMS_MAX) {
        None => problems.push(full),
        Some(last) => last.severity = last.severity.max(severity),
    }
}

/// What is said about a command that means something in the other product only.
fn accepted(at: Span, words: &str, why: &str) -> Note {
    Note::new(Code::NotImplemented, at, words, format!("accepted, not implemented: {why}; kept for printing back"))
}

/// Whether a line holds characters that nobody sees, tabs apart.
fn holds_unseen(text: &str) -> bool {
    text.chars().any(|c| c != '\t' && is_unseen(c))
}

pub(crate) fn unreadable(fault: Fault) -> Note {
    let cause = fault.kind.to_string();
    match fault.kind {
        FaultKind::UnmatchedQuote => Note::new(Code::UnmatchedQuote, fault.span, "", cause),
        FaultKind::UnbalancedParenthesis => Note::new(Code::InvalidSyntax, fault.span, "", cause),
        FaultKind::AfterQuote => Note::new(Code::InvalidSyntax, fault.span, "", cause).cure(
            "an expression with quotes in it is written in one of three ways: \"sys.client_expr(\\\"proc_2_firefox\\\")\", \
             q/sys.client_expr(\"proc_2_firefox\")/ or sys.client_expr(\"proc_2_firefox\")",
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    const BEFORE: &str = "\
        add vpn vserver gw SSL 192.0.2.1 443\nadd vpn vserver gw2 SSL 192.0.2.2 443\nbind vpn vserver gw -staServer https://a\n\
        add aaa user ann\nadd aaa group g\nbind aaa group g -userName ann\nadd farm resource r -host a.example\n\
        bind farm resource r -everyone\nadd vpn allowedHost h 10.0.0.0/8 -port 1\nadd farm server s 127.0.0.1 8080 -authorityID A\n\
        add farm host e 127.0.0.1 1494\nset ns worker -count 3\n";

    fn lowered(text: &str) -> (Model, usize) {
        let files: BTreeMap<PathBuf, Vec<u8>> = BTreeMap::new();
        let mut lowering = Lowering::new("f", Strictness::Strict);
        lowering.all(&Draft::read(text), &files);
        (lowering.model, lowering.problems.iter().filter(|problem| problem.is_error()).count())
    }

    #[test]
    fn a_refused_line_changes_nothing() {
        let (before, 0) = lowered(BEFORE) else { panic!("the lines before are right") };
        for line in [
            "add vpn vserver gw SSL 192.0.2.9 443 -cgp RELAY",
            "add vpn vserver new SSL 192.0.2.1 443 -comment x",
            "set vpn vserver gw -cgp RELAY -state BOTH",
            "set ssl vserver gw -tls12 DISABLED -tls13 DISABLED -loginOnce ON",
            "set ssl vserver gw -sessReuse DISABLED -tls12 DISABLED -tls13 DISABLED",
            "bind vpn vserver gw -staServer https://a",
            "bind vpn vserver gw -staServer http://b",
            "bind vpn vserver gw -staServer https://b -policy p",
            "bind ssl vserver gw -certkeyName none",
            "add aaa user ANN -password x",
            "add aaa user bob -password x -kek",
            "set aaa user ann -password x -hashmethod ARGON2ID",
            "bind aaa group g -userName bob",
            "bind aaa group g -userName ann",
            "unbind aaa group g -userName bob",
            "bind farm resource r -everyone",
            "bind farm resource r -userName ann -groupName g",
            "bind farm resource r -groupName none",
            "unbind farm resource r -userName ann",
            "set farm resource r -host b.example -type NEITHER",
            "unset farm resource r -host",
            "add farm server t 127.0.0.1 8081 -authorityID A",
            "add farm server t 127.0.0.1 8081 -certkeyName none",
            "add farm host f 127.0.0.1 1494",
            "add vpn allowedHost h 10.0.0.0/8 -port 2",
            "set farm parameter -xmlService http://b",
            "set ns worker -count 2 -engine NONE",
            "unset ns worker -count 3",
            "enable ns feature SSLVPN NONE",
            "rm vpn vserver none",
        ] {
            let (after, errors) = lowered(&format!("{BEFORE}{line}\n"));
            assert_eq!(errors, 1, "{line}");
            assert_eq!(after, before, "{line}");
        }
    }
}
