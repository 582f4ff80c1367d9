//! A line said on the control socket, read and judged before anything is done.
//!
//! ```text
//!   line ─lex─► words ─resolve─► Order ─┬─ Change: goes to an Editor
//!                                       ├─ Show: answered from the model, live fields joined
//!                                       └─ Ask: carried out by whoever runs the gateway
//! ```

use std::net::IpAddr;

use zeroize::Zeroizing;

use crate::catalog::resolve::{Grammar, Place as At, Target, arguments, find, span};
use crate::catalog::{Ask, Command, Form, Given, Level, Note, Value};
use crate::code::Code;
use crate::mask;
use crate::problem::{Masked, Problem, Severity};
use crate::text::lex::{Kind as TokenKind, Span, Token, lex};
use crate::text::line::not_a_line;
use crate::text::word::word;

pub use crate::text::split::split;

/// How an answer is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// What a line wants.
#[expect(missing_debug_implementations, reason = "may hold a secret")]
pub enum Order {
    /// A blank line or a comment.
    Nothing,
    /// To change the configuration.
    Change(ChangeOrder),
    /// To see objects of the configuration.
    Show(ShowOrder),
    /// Anything else.
    Ask(AskOrder),
}

/// To change the configuration.
#[expect(missing_debug_implementations, reason = "may hold a secret")]
pub struct ChangeOrder {
    /// What about and how; `None` for a command of the wider product, which is kept for printing back.
    pub known: Option<(&'static Command, &'static Form)>,
    /// The line as said, for an [`Editor`](crate::edit::Editor).
    pub line: Zeroizing<String>,
    /// The line with its secrets masked, for the audit log.
    pub shown: String,
}

/// To see objects of the configuration.
#[derive(Clone, Debug)]
pub struct ShowOrder {
    /// Of which kind.
    pub command: &'static Command,
    /// Only the one of this name.
    pub name: Option<Box<str>>,
    /// A line for each.
    pub summary: bool,
    /// How it is written.
    pub format: Format,
    /// Where the name stands, for a complaint about it.
    pub(crate) at: Span,
    /// The line.
    pub(crate) line: Box<str>,
}

/// Anything that neither changes the configuration nor shows it.
#[expect(missing_debug_implementations, reason = "values have none")]
pub struct AskOrder {
    /// What.
    pub ask: &'static Ask,
    /// With which arguments.
    pub given: Vec<Given>,
    /// How the answer is written.
    pub format: Format,
    /// A line for each.
    pub summary: bool,
    /// The line, for the audit log. No ask takes a secret.
    pub shown: String,
}

impl Order {
    /// What one must be allowed to say this.
    #[must_use]
    pub fn level(&self) -> Level {
        match self {
            Self::Nothing | Self::Show(_) => Level::Read,
            Self::Change(_) => Level::Change,
            Self::Ask(order) => order.level(),
        }
    }

    /// How the answer is written.
    #[must_use]
    pub const fn format(&self) -> Format {
        match self {
            Self::Nothing | Self::Change(_) => Format::Text,
            Self::Show(order) => order.format,
            Self::Ask(order) => order.format,
        }
    }
}

impl AskOrder {
    /// What one must be allowed to say this. To clear what others count is a change.
    #[must_use]
    pub fn level(&self) -> Level {
        if self.has("clearstats") { Level::Change } else { self.ask.level }
    }

    /// Whether an argument is there.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.given(name).is_some()
    }

    /// A text, a name, a word, or one of several words in the catalogue's spelling.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values(name).next()?.as_text()
    }

    /// All texts of a list.
    pub fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.values(name).filter_map(Value::as_text)
    }

    /// A number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        if let Value::Number(number) = self.values(name).next()? { Some(*number) } else { None }
    }

    /// An address.
    #[must_use]
    pub fn ip(&self, name: &str) -> Option<IpAddr> {
        if let Value::Ip(address) = self.values(name).next()? { Some(*address) } else { None }
    }

    fn given(&self, name: &str) -> Option<&Given> {
        debug_assert!(
            self.ask.positionals.iter().chain(self.ask.keywords).any(|a| a.name == name) || name == "clearstats",
            "{} has no argument {name}",
            self.ask.words
        );
        self.given.iter().find(|given| given.argument.name == name)
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &Value> {
        self.given(name).into_iter().flat_map(|given| given.values.iter().map(|(value, _)| value))
    }

    /// A complaint about argument `name` of this line: what a running gateway finds wrong with an ask.
    #[must_use]
    pub fn problem(&self, name: &str, code: Code, cause: impl Into<String>) -> Problem {
        let given = self.given.iter().find(|given| given.argument.name == name);
        let at = given.map_or_else(start, |g| g.values.first().map_or(g.span, |(_, span)| *span));
        let about = given.and_then(|g| g.values.first()).and_then(|(value, _)| value.as_text()).unwrap_or_default();
        problem(&Masked::of(&self.shown, &[]), Severity::Error, Note::new(code, at, about, cause))
    }
}

impl ShowOrder {
    pub(crate) fn problem(&self, note: Note) -> Problem {
        problem(&Masked::of(&self.line, &[]), Severity::Error, note)
    }
}

/// Reads one line.
///
/// # Errors
/// All that is wrong with it.
pub fn read(line: &str) -> Result<Order, Vec<Problem>> {
    if let Some(cause) = not_a_line(line) {
        let note = Note::new(Code::InvalidArgument, start(), "", cause);
        return Err(vec![problem(&Masked::of("", &[]), Severity::Error, note)]);
    }
    let lexed = crate::paste::words(line);
    if lexed.tokens.is_empty() && lexed.fault.is_none() {
        return Ok(Order::Nothing);
    }
    if let Some(meant) = stat_of(&lexed.tokens).or_else(|| sessions_of(&lexed.tokens)) {
        return read(&meant);
    }
    let found = find(&lexed.tokens, At::Console, true);
    let form = found.as_ref().ok().and_then(|found| found.target.form());
    let masked = Masked::of(line, &mask::secrets(line, &lexed, form, mask::For::Showing));
    let wrong = |note: Note| problem(&masked, Severity::Error, note);
    if let Some(fault) = lexed.fault {
        return Err(vec![wrong(crate::lower::unreadable(fault))]);
    }
    let change = |known| {
        let (line, shown) = (Zeroizing::new(line.to_owned()), masked.shown.to_string());
        Order::Change(ChangeOrder { known, line, shown })
    };
    let found = match found {
        Ok(found) => found,
        Err(not) if not.recognised.is_some() => return Ok(change(None)),
        Err(not) => return Err(vec![wrong(*not.note)]),
    };
    let read = arguments(&Grammar::of(&found.target), found.rest, span(&lexed.tokens), true);
    let errors: Vec<Problem> = read.errors.into_iter().chain(read.unknown).map(wrong).collect();
    if !errors.is_empty() {
        return Err(errors);
    }
    if let Target::Ask(ask) = found.target
        && ask.needs_one()
        && !read.given.iter().any(|given| ask.keywords.iter().any(|a| a.name == given.argument.name))
    {
        let names: Vec<_> = ask.keywords.iter().map(|argument| format!("-{}", argument.name)).collect();
        let cause = format!("`{}` says which by at least one of {}", ask.words, names.join(", "));
        return Err(vec![wrong(Note::new(Code::ArgumentMissing, span(&lexed.tokens), "", cause))]);
    }
    let has = |name: &str| read.given.iter().find(|given| given.argument.name == name);
    let text = |name: &str| has(name).and_then(|given| given.values.first()).and_then(|(value, _)| value.as_text());
    let format = if text("format") == Some("json") { Format::Json } else { Format::Text };
    let summary = has("summary").is_some();
    let shown = masked.shown.to_string();
    Ok(match found.target {
        Target::Form(command, form) => change(Some((command, form))),
        Target::Show(command) => {
            let at = has("name").map_or_else(start, |given| given.span);
            Order::Show(ShowOrder { command, name: text("name").map(Into::into), summary, format, at, line: shown.into() })
        }
        Target::Ask(ask) => Order::Ask(AskOrder { ask, given: read.given, format, summary, shown }),
    })
}

pub(crate) fn problem(masked: &Masked, severity: Severity, note: Note) -> Problem {
    let place = Some(masked.place(1, note.at));
    Problem { severity, code: note.code, about: note.about, cause: note.cause, cure: note.cure, file: "".into(), place }
}

/// `show vpn vserver gw stats` is `stat vpn vserver gw`. A name in quotes is a name.
fn stat_of(tokens: &[Token]) -> Option<String> {
    let words = tokens.iter().take_while(|token| token.kind == TokenKind::Word).count();
    let last = tokens.get(..words)?.last()?;
    let bare = last.span.width == last.value.chars().count();
    if !(bare && last.value.eq_ignore_ascii_case("stats")) {
        return None;
    }
    let shown = find(tokens.get(..words - 1)?, At::Console, false);
    let (verb, group, object) = match (shown.ok().map(|found| found.target), tokens.get(..words - 1)?) {
        (Some(Target::Show(command)), _) => ("stat", command.group, command.object),
        (Some(Target::Form(..) | Target::Ask(_)), _) => return None,
        // `show aaa stats`: a group by itself is counted and not shown.
        (None, [show, group]) if "show".starts_with(&show.value.to_lowercase()) => ("stat", group.value.as_str(), ""),
        (None, _) => return None,
    };
    let mut line = format!("{verb} {group} {object}");
    let name = if object.is_empty() { words - 1 } else { 3 };
    for token in tokens.iter().enumerate().filter(|(at, _)| *at >= name && *at != words - 1).map(|(_, token)| token) {
        line.push(' ');
        match token.kind {
            TokenKind::Keyword => line.push_str(&format!("-{}", token.value.as_str())),
            TokenKind::Word => line.push_str(&word(&token.value)),
        }
    }
    find(&lex(&line).tokens, At::Console, false).is_ok().then_some(line)
}

/// `show aaa user [NAME] -loggedIn` is `show aaa session [-userName NAME]`.
fn sessions_of(tokens: &[Token]) -> Option<String> {
    const LOGGED_IN: &str = "loggedIn";
    let is_it = |token: &Token| {
        let said = token.value.as_str();
        let begins = LOGGED_IN.get(..said.len()).is_some_and(|head| head.eq_ignore_ascii_case(said));
        token.kind == TokenKind::Keyword && !said.is_empty() && begins
    };
    let at = tokens.iter().position(is_it)?;
    let Ok(Target::Show(command)) = find(tokens, At::Console, false).map(|found| found.target) else { return None };
    if command.words != "aaa user" {
        return None;
    }
    let mut line = "show aaa session".to_owned();
    for (_, token) in tokens.iter().enumerate().skip(3).filter(|(place, _)| *place != at) {
        match token.kind {
            TokenKind::Keyword => line.push_str(&format!(" -{}", token.value.as_str())),
            TokenKind::Word if line.ends_with("session") => line.push_str(&format!(" -userName {}", word(&token.value))),
            TokenKind::Word => line.push_str(&format!(" {}", word(&token.value))),
        }
    }
    Some(line)
}

/// The start of the line.
fn start() -> Span {
    Span { column: 1, ..Span::default() }
}
