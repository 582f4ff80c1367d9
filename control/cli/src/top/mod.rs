//! The live view: what the gateway does right now.
//!
//! ```text
//!   gateway ◄─asks─ sampling thread ─Sample─► view thread ◄─ keys
//!                                               │ rates: two samples over the gateway's own time
//!                                               └─► draw ─► terminal, or text and JSON with --once
//! ```
//!
//! The gateway is asked on a thread of its own, so that keys work however long it takes to answer.

pub mod draw;
pub mod json;
pub mod pen;
pub mod rates;
pub mod sample;
pub mod table;
pub mod units;

use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, TryRecvError, channel, sync_channel};
use std::thread;
use std::time::Duration;

use clap::{Args, ValueEnum};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::terminal::{self, Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen};
use ratatui::crossterm::{cursor, execute};
use ratatui::layout::Rect;
use ratatui::text::Line;
use signal_hook::consts::{SIGHUP, SIGTERM};

use self::draw::{Focus, Scene, View};
use self::pen::Pen;
use self::rates::{Pair, Past, Rates};
use self::sample::Sample;
use crate::clock::now;
use crate::console::fault::Fault;
use crate::console::talk::{Talk, socket};

/// Longest time between two samples, in seconds.
const INTERVAL_S_MAX: u64 = 3600;
/// Times between which the keys `+` and `-` choose, in seconds.
const INTERVALS_S: &[u64] = &[1, 2, 5, 10, 30, 60, 300, INTERVAL_S_MAX];
/// How long a key may wait at most.
const GLANCE: Duration = Duration::from_millis(100);
/// Columns of a picture that goes to no terminal.
const WIDTH: u16 = 80;
/// Samples that may wait to be shown.
const SAMPLES_MAX: usize = 4;

/// Show what the gateway does right now: sessions, throughput, handshakes, refusals, latencies, workers.
///
/// Keys: q quit, h help, tab next table, s sort, r reverse, p pause, + and - interval. Exit code 3: no gateway.
#[derive(Clone, Debug, Args)]
pub struct Top {
    /// Where the gateway listens. Without it, SLUICEGATE_SOCKET, or /run/sluicegate/control.sock.
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// How often to look, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=INTERVAL_S_MAX))]
    pub interval: u64,
    /// Look twice, print what was seen, and end.
    #[arg(long)]
    pub once: bool,
    /// How to print it.
    #[arg(long, value_enum, default_value_t, requires = "once")]
    pub format: Format,
}

/// How a snapshot is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// As the live view looks.
    #[default]
    Text,
    /// One JSON object on one line.
    Json,
}

/// Why a view ended.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// The gateway cannot be asked.
    #[error("{}", .0.in_words())]
    Gateway(Fault),
    /// The terminal cannot be drawn on.
    #[error("cannot draw on this terminal: {0}")]
    Terminal(io::Error),
    /// There is none.
    #[error("the live view needs a terminal; without one, use --once")]
    NoTerminal,
}

impl Top {
    /// Shows it until the operator has seen enough.
    ///
    /// # Errors
    /// [`Ended`].
    pub fn run(&self, at: Option<&Path>, colors: bool, out: &mut dyn Write) -> Result<(), Ended> {
        let talk = Talk::new(socket(self.socket.as_deref().or(at)), Arc::default());
        if self.once {
            return self.once(talk, out);
        }
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Err(Ended::NoTerminal);
        }
        live(talk, self.interval, colors)
    }

    fn once(&self, mut talk: Talk, out: &mut dyn Write) -> Result<(), Ended> {
        let before = Sample::take(&mut talk).map_err(Ended::Gateway)?;
        let began = now();
        // Nobody ever sends: this is a wait.
        let (_never, wait): (Sender<()>, _) = channel();
        let _waited = wait.recv_timeout(Duration::from_secs(self.interval));
        let sample = Sample::take(&mut talk).map_err(Ended::Gateway)?;
        let pair = Pair::new(Some(&before), &sample, began.elapsed().as_secs_f64());
        let rates = pair.rates();
        let mut past = Past::default();
        past.push(&sample, &rates);
        let text = match self.format {
            Format::Json => json::snapshot(&sample, &pair),
            Format::Text => {
                let width = terminal::size().ok().filter(|_| io::stdout().is_terminal()).map_or(WIDTH, |(width, _)| width);
                snapshot(
                    &Scene {
                        now: &sample,
                        pair,
                        rates,
                        past: &past,
                        view: &View::default(),
                        interval_s: self.interval,
                        trouble: None,
                        live: false,
                    },
                    width,
                )
            }
        };
        // A reader that has gone away has seen enough.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        Ok(())
    }
}

/// The whole picture as text, as high as it needs to be.
#[must_use]
pub fn snapshot(scene: &Scene<'_>, width: u16) -> String {
    let width = width.clamp(draw::WIDTH_MIN, 400);
    // A buffer has at most 65,535 cells.
    let height = draw::height_of_all(scene, width).clamp(24, u16::MAX / width);
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    draw::draw(scene, &mut Pen::new(&mut buffer, false));
    let text = text_of(&buffer);
    format!("{}\n", text.trim_end())
}

/// The characters of a buffer, without blanks at the ends of lines.
#[must_use]
pub fn text_of(buffer: &Buffer) -> String {
    let mut text = String::new();
    for y in 0..buffer.area.height {
        let mut line = String::new();
        let mut x = 0;
        while let Some(cell) = buffer.cell((x, y)).filter(|_| x < buffer.area.width) {
            line.push_str(cell.symbol());
            // A wide character lies over the next cell.
            x += u16::try_from(Line::raw(cell.symbol()).width()).unwrap_or(1).max(1);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// What the sampling thread says.
enum Told {
    /// A sample, and how long after the last one by our own clock.
    Sample(Box<Sample>, Duration),
    /// There is none.
    Trouble(String),
}

/// Asks until nobody listens any more. `pace` brings new intervals.
fn sampling(mut talk: Talk, mut interval: Duration, pace: &Receiver<Duration>, told: &SyncSender<Told>) {
    let mut last = now();
    loop {
        let taken = Sample::take(&mut talk);
        let waited = last.elapsed();
        last = now();
        let news = match taken {
            Ok(sample) => Told::Sample(Box::new(sample), waited),
            Err(fault) => Told::Trouble(fault.to_string()),
        };
        if told.send(news).is_err() {
            return;
        }
        match pace.recv_timeout(interval) {
            Ok(new) => interval = new,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// A terminal that is given back as it was found, however this ends.
struct Screen(Terminal<CrosstermBackend<io::Stdout>>);

impl Screen {
    fn take() -> io::Result<Self> {
        terminal::enable_raw_mode()?;
        // From here on, whatever fails, it is given back.
        let mut screen = Terminal::new(CrosstermBackend::new(io::stdout())).map(Self).inspect_err(|_| give_back())?;
        execute!(screen.0.backend_mut(), EnterAlternateScreen, cursor::Hide, Clear(ClearType::All))?;
        Ok(screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn give_back() {
    // If the terminal is gone, there is nothing to give back.
    let _ = execute!(io::stdout(), cursor::Show, LeaveAlternateScreen);
    let _ = terminal::disable_raw_mode();
}

fn live(mut talk: Talk, interval_s: u64, colors: bool) -> Result<(), Ended> {
    // Before the screen changes: what is wrong now is better read in the shell.
    talk.greeting().map_err(Ended::Gateway)?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(Ended::Terminal)?;
    }
    let (pace_to, pace) = channel();
    let (told_by, told) = sync_channel(SAMPLES_MAX);
    thread::Builder::new()
        .name("sampling".into())
        .spawn(move || sampling(talk, Duration::from_secs(interval_s), &pace, &told_by))
        .map_err(Ended::Terminal)?;
    let mut screen = Screen::take().map_err(Ended::Terminal)?;
    let mut model = Model { interval_s, ..Model::default() };
    while !model.over && !stop.load(Ordering::Relaxed) {
        let mut dirty = model.hear(&told);
        if event::poll(GLANCE).map_err(Ended::Terminal)? {
            dirty = true;
            match event::read().map_err(Ended::Terminal)? {
                Event::Key(key) if key.kind != KeyEventKind::Release => {
                    let before = model.interval_s;
                    model.key(key);
                    if model.interval_s != before {
                        // If the thread is gone, the picture stands still, and says why.
                        let _ = pace_to.send(Duration::from_secs(model.interval_s));
                    }
                }
                Event::Key(_) | Event::Resize(..) | Event::FocusGained | Event::FocusLost | Event::Mouse(_) | Event::Paste(_) => {
                }
            }
        }
        if dirty {
            screen.0.draw(|frame| model.draw(frame.buffer_mut(), colors)).map_err(Ended::Terminal)?;
        }
    }
    // The thread may be waiting for the gateway; the process does not wait for it.
    Ok(())
}

/// What the view knows.
#[derive(Debug, Default)]
pub struct Model {
    before: Option<Box<Sample>>,
    now: Option<Box<Sample>>,
    waited: Duration,
    past: Past,
    view: View,
    interval_s: u64,
    trouble: Option<String>,
    over: bool,
}

impl Model {
    /// One that looks every so many seconds.
    #[must_use]
    pub fn every(interval_s: u64) -> Self {
        Self { interval_s, ..Self::default() }
    }

    /// Whether the operator has seen enough.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.over
    }

    /// Takes what has been told. True: there is something new.
    fn hear(&mut self, told: &Receiver<Told>) -> bool {
        let mut new = self.now.is_none() && self.trouble.is_none();
        loop {
            match told.try_recv() {
                Ok(Told::Sample(sample, waited)) => {
                    new = true;
                    self.take(sample, waited);
                }
                Ok(Told::Trouble(why)) => {
                    new = true;
                    self.trouble = Some(format!("{why}; trying again"));
                }
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return new,
            }
        }
    }

    /// A new moment, `waited` after the last one.
    pub fn take(&mut self, sample: Box<Sample>, waited: Duration) {
        if self.view.paused {
            return;
        }
        self.trouble = None;
        self.before = self.now.take();
        self.waited = waited;
        let rates = Pair::new(self.before.as_deref(), &sample, waited.as_secs_f64()).rates();
        self.past.push(&sample, &rates);
        self.now = Some(sample);
    }

    /// A key was pressed.
    pub fn key(&mut self, key: KeyEvent) {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let look = &mut self.view.looks[self.view.focus.at()];
        #[expect(clippy::wildcard_enum_match_arm, reason = "any other key of any terminal does nothing")]
        match key.code {
            KeyCode::Char('c' | 'd') if control => self.over = true,
            KeyCode::Char('q' | 'Q') | KeyCode::Esc => self.over = true,
            KeyCode::Char('h' | 'H' | '?') => self.view.help = !self.view.help,
            KeyCode::Char('p' | 'P' | ' ') => self.view.paused = !self.view.paused,
            KeyCode::Char('r' | 'R') => look.reversed = !look.reversed,
            KeyCode::Char('s' | 'S') => {
                let next = look.sort.map_or(0, |at| at + 1);
                look.sort = (next < self.view.focus.columns().len()).then_some(next);
            }
            KeyCode::Tab => self.view.focus = Focus::ALL[(self.view.focus.at() + 1) % Focus::ALL.len()],
            KeyCode::BackTab => self.view.focus = Focus::ALL[(self.view.focus.at() + Focus::ALL.len() - 1) % Focus::ALL.len()],
            KeyCode::Down => look.scrolled = look.scrolled.saturating_add(1),
            KeyCode::Up => look.scrolled = look.scrolled.saturating_sub(1),
            KeyCode::Char('+' | '=') => {
                self.interval_s = INTERVALS_S.iter().copied().find(|s| *s > self.interval_s).unwrap_or(self.interval_s);
            }
            KeyCode::Char('-' | '_') => {
                self.interval_s = INTERVALS_S.iter().copied().rev().find(|s| *s < self.interval_s).unwrap_or(self.interval_s);
            }
            _ => {}
        }
        // Nobody scrolls past the end only to have to come back.
        let rows = self.now.as_deref().map_or([0; 3], |now| [now.vservers.len(), now.workers.len(), now.stas.len()]);
        for (look, rows) in self.view.looks.iter_mut().zip(rows) {
            look.scrolled = look.scrolled.min(rows.saturating_sub(1));
        }
    }

    /// Draws it.
    pub fn draw(&self, buffer: &mut Buffer, colors: bool) {
        let empty = Sample::default();
        let now = self.now.as_deref().unwrap_or(&empty);
        let pair = Pair::new(self.before.as_deref(), now, self.waited.as_secs_f64());
        let rates = if self.now.is_some() { pair.rates() } else { Rates::default() };
        let scene = Scene {
            now,
            pair,
            rates,
            past: &self.past,
            view: &self.view,
            interval_s: self.interval_s,
            trouble: self.trouble.as_deref(),
            live: true,
        };
        draw::draw(&scene, &mut Pen::new(buffer, colors));
    }
}
