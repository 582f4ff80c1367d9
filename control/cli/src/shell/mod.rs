//! The conversation: a prompt, a line that is edited, an answer, and again.
//!
//! ```text
//!   history ─► editor (rustyline) ◄─ helper: completion, hints, colours ◄─ catalogue, names from the gateway
//!                │ line
//!                ▼
//!   aliases ─► carry ─► gateway ─► answer ─► pager ─► terminal
//! ```
//!
//! A connection that is lost is made anew with the next line.

pub mod alias;
pub mod answer;
pub mod helper;
pub mod history;
pub mod mark;
pub mod mode;
pub mod pager;
pub mod watch;

use std::cell::RefCell;
use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gate_config::catalog::What;
use gate_config::order::AskOrder;
use gate_config::order::{Order, read, split};
use gate_config::text::visible::visible;
use rustyline::config::{BellStyle, Builder, CompletionType, Configurer as _};
use rustyline::error::ReadlineError;
use rustyline::history::{History as _, MemHistory, SearchDirection};
use rustyline::{ColorMode, Editor};
use serde_json::Value;
use signal_hook::consts::SIGINT;

use self::alias::Aliases;
use self::answer::Collected;
use self::helper::Helper;
use self::history::File as HistoryFile;
use self::mode::Mode;
use self::watch::Watch;
use crate::console::carry::{Carried, Format, carry};
use crate::console::fault::Fault;
use crate::console::gateway::Level;
use crate::console::paint::{Ink, Paint};
use crate::console::talk::Talk;

/// Candidates that are listed without asking.
const CANDIDATES_ASKED: usize = 100;
/// How long a question about names or the host's own name may take.
const SMALL_WAIT: Duration = Duration::from_secs(2);

/// Why a conversation could not be held.
#[derive(Debug, thiserror::Error)]
pub enum NoShell {
    /// The terminal does not do what is needed.
    #[error("cannot use this terminal: {0}")]
    Terminal(#[from] ReadlineError),
    /// The system gives no thread or handler.
    #[error("cannot set up: {0}")]
    System(#[from] io::Error),
}

/// A conversation.
#[expect(missing_debug_implementations, reason = "the editor has none")]
pub struct Shell {
    talk: Rc<RefCell<Talk>>,
    interrupt: Arc<AtomicBool>,
    editor: Editor<Helper, MemHistory>,
    file: Option<HistoryFile>,
    aliases: Aliases,
    mode: Mode,
    format: Format,
    watch: Watch,
    /// Of the gateway, and asked for anew when it may have changed.
    host_name: Option<String>,
}

impl Shell {
    /// One with the gateway at `path`.
    ///
    /// # Errors
    /// [`NoShell`].
    pub fn new(path: PathBuf, format: Format, colors: bool) -> Result<Self, NoShell> {
        let interrupt = Arc::new(AtomicBool::new(false));
        // The editor reads ctrl-C as a key; this is for the time in which an answer is awaited.
        signal_hook::flag::register(SIGINT, Arc::clone(&interrupt))?;
        let talk = Rc::new(RefCell::new(Talk::new(path, Arc::clone(&interrupt))));
        let config = Builder::new()
            .completion_type(CompletionType::List)
            .completion_prompt_limit(CANDIDATES_ASKED)
            .bell_style(BellStyle::None)
            .max_history_size(history::LINES_MAX)?
            .auto_add_history(false)
            .color_mode(if colors { ColorMode::Forced } else { ColorMode::Disabled })
            .build();
        let history = MemHistory::with_config(&config);
        let mut editor = Editor::with_history(config, history)?;
        let paint = Paint { colors, terminal: true };
        editor.set_helper(Some(Helper::new(Rc::clone(&talk), paint)));
        let file = HistoryFile::usual();
        for line in file.as_ref().map(HistoryFile::read).unwrap_or_default() {
            editor.add_history_entry(line)?;
        }
        let watch = Watch::start()?;
        Ok(Self {
            talk,
            interrupt,
            editor,
            file,
            aliases: Aliases::default(),
            mode: Mode::new(colors),
            format,
            watch,
            host_name: None,
        })
    }

    /// Talks until the operator leaves.
    ///
    /// # Errors
    /// [`NoShell`].
    pub fn run(&mut self) -> Result<(), NoShell> {
        self.welcome();
        loop {
            self.interrupt.store(false, Ordering::Relaxed);
            let prompt = self.prompt();
            let paint = self.paint();
            if let Some(helper) = self.editor.helper_mut() {
                helper.next_line(paint);
            }
            self.watch.wait(self.mode.timeout);
            let line = self.editor.readline(&prompt.plain);
            self.watch.rest();
            match line {
                Ok(line) if line.trim().is_empty() => {}
                Ok(line) => {
                    // What was pasted may have several lines.
                    for line in line.lines().filter(|line| !line.trim().is_empty()) {
                        self.remember(line);
                        if self.line(line, prompt.width).is_break() {
                            return Ok(());
                        }
                    }
                }
                Err(ReadlineError::Interrupted) => {}
                Err(ReadlineError::Eof) => return Ok(()),
                Err(ReadlineError::Io(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(other) => return Err(other.into()),
            }
        }
    }

    const fn paint(&self) -> Paint {
        Paint { colors: self.mode.colors, terminal: true }
    }

    fn welcome(&mut self) {
        let greeting = self.talk.borrow_mut().greeting();
        let words = match greeting {
            Ok(greeting) => {
                let level = match greeting.level {
                    Level::Read => "You may look, and change nothing.",
                    Level::Change => "You may look and change.",
                };
                format!("Sluicegate {}. {level} `help` helps, `exit` or ctrl-D leaves.", greeting.version)
            }
            Err(fault) => fault.in_words(),
        };
        say(&format!("{words}\n"));
    }

    /// `gw1> `, or why there is more to it than that.
    fn prompt(&mut self) -> Prompt {
        let greeting = self.talk.borrow_mut().greeting();
        let level = match greeting {
            Ok(greeting) => {
                if self.host_name.is_none() {
                    self.host_name = Some(self.ask_host_name());
                }
                match greeting.level {
                    Level::Read => Some("read"),
                    Level::Change => None,
                }
            }
            Err(_) => {
                self.host_name = None;
                Some("no gateway")
            }
        };
        let name = self.host_name.as_deref().unwrap_or_default();
        let plain = match (name, level) {
            ("", None) => "> ".to_owned(),
            ("", Some(level)) => format!("({level})> "),
            (name, None) => format!("{name}> "),
            (name, Some(level)) => format!("{name} ({level})> "),
        };
        Prompt { width: plain.chars().count(), plain }
    }

    fn ask_host_name(&self) -> String {
        let answer = self.talk.borrow_mut().small("show ns info -format json", SMALL_WAIT);
        let host_name = |json: String| {
            let whole: Value = serde_json::from_str(&json).ok()?;
            let name = whole.get("nsInfo")?.get(0)?.get("hostName")?.as_str()?;
            Some(visible(name).chars().take(64).collect())
        };
        answer.ok().and_then(Result::ok).and_then(host_name).unwrap_or_default()
    }

    /// Keeps a line for another time, unless it holds a secret: what is typed once more must be what was typed.
    fn remember(&mut self, line: &str) {
        if history::is_secret(line) {
            return;
        }
        let last = self.editor.history().len().checked_sub(1).and_then(|at| self.entry(at));
        if last.as_deref() == Some(line) {
            return;
        }
        // A history that cannot be kept is no reason to stop.
        let _ = self.editor.add_history_entry(line);
        if let Some(file) = &self.file {
            let _ = file.append(line);
        }
    }

    fn entry(&self, at: usize) -> Option<String> {
        let found = self.editor.history().get(at, SearchDirection::Forward).ok()??;
        Some(found.entry.into_owned())
    }

    /// Carries out a line and shows its answer.
    fn line(&mut self, typed: &str, prompt_width: usize) -> ControlFlow<()> {
        let line = self.aliases.expand(typed);
        let mut collected = Collected::new(self.paint());
        if split(&line).iter().any(|part| is_prose(part)) {
            collected.break_at(pager::size().0);
        }
        let carried = {
            let mut talk = self.talk.borrow_mut();
            carry(&mut talk, &line, self.format, &mut |kind, said| collected.hear(kind, said))
        };
        collected.wipe();
        match carried {
            Ok(Carried::Number(number)) => {
                let under = if collected.has_failed() && line == *typed {
                    mark::under(typed, collected.complaint(), prompt_width, pager::size().0)
                } else {
                    None
                };
                let done = number == 0 && !line.trim_start().starts_with('#');
                let text = collected.finish(under.as_deref(), done && self.format == Format::Text);
                pager::show(&text, self.mode.page);
                // Another name may have been given.
                if split(&line).iter().any(|part| matches!(read(part), Ok(Order::Change(_)))) {
                    self.host_name = None;
                }
                ControlFlow::Continue(())
            }
            Ok(Carried::Leave) => ControlFlow::Break(()),
            Ok(Carried::Own(order)) => {
                self.own(&order);
                ControlFlow::Continue(())
            }
            Err(fault) => {
                self.complain(&fault, &collected);
                ControlFlow::Continue(())
            }
        }
    }

    fn complain(&mut self, fault: &Fault, collected: &Collected) {
        let text = format!("{}{}\n", collected.so_far(), self.paint().ink(Ink::Bad, &fault.in_words()));
        say(&text);
        self.host_name = None;
    }

    /// Commands about this conversation.
    fn own(&mut self, order: &AskOrder) {
        let text = match order.ask.words {
            "history" => (0..self.editor.history().len())
                .filter_map(|at| Some(format!("{:>5}  {}\n", at + 1, visible(&self.entry(at)?))))
                .collect::<String>(),
            "alias" => self.aliases.order(order.text("pattern"), &order.texts("replacement").collect::<Vec<_>>()),
            "unalias" => self.aliases.forget(order.text("pattern").unwrap_or_default()),
            "set cli mode" => {
                self.mode.order(order);
                let colors = if self.mode.colors { ColorMode::Forced } else { ColorMode::Disabled };
                self.editor.set_color_mode(colors);
                String::new()
            }
            "cls" => {
                // If it cannot be cleared, it stays as it is.
                let _ = self.editor.clear_screen();
                return;
            }
            _ => "ERROR: Operation not permitted\n".to_owned(),
        };
        let end = if text.starts_with("ERROR: ") { "" } else { " Done\n" };
        pager::show(&format!("{text}{end}"), self.mode.page);
    }
}

/// Whether a command's answer is meant to be read as text.
fn is_prose(command: &str) -> bool {
    match read(command) {
        Ok(Order::Ask(order)) => matches!(order.ask.what, What::Help | What::Man),
        Ok(Order::Nothing | Order::Change(_) | Order::Show(_)) | Err(_) => false,
    }
}

struct Prompt {
    plain: String,
    width: usize,
}

/// Writes to the terminal. If it is gone, the next line says so.
fn say(text: &str) {
    let mut out = io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
