//! A screen that nobody looks at: an X server in memory, whose windows are found by their titles, and pressed as a person presses them.
//!
//! ```text
//!   test ── keys, clicks (xdotool) ──► Xvfb ──► a program's window
//! ```
//!
//! There is no window manager: a window has the focus once it is given it.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Output, Stdio};

use crate::deadline::until;
use crate::tools::Running;

/// A screen.
#[derive(Debug)]
pub struct Screen {
    server: Running,
    display: String,
}

/// How a window is answered.
#[derive(Clone, Copy, Debug)]
pub enum Press {
    /// With these keys, as xdotool calls them.
    Keys(&'static [&'static str]),
    /// With a click on the so-manieth button from the left, in a window whose buttons are windows themselves.
    Button(usize),
}

impl Screen {
    /// Starts one. It chooses its number itself.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start() -> Self {
        let mut command = Command::new("Xvfb");
        // With a reset whenever its last client leaves, the next one may come into it.
        command.args(["-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp", "-noreset"]);
        let mut server = Running::start(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()));
        let mut number = String::new();
        let said = BufReader::new(server.0.stdout.take().expect("a pipe")).read_line(&mut number);
        assert!(said.is_ok_and(|bytes| bytes > 1), "no screen");
        Self { server, display: format!(":{}", number.trim()) }
    }

    /// Where it is, for the environment of programs.
    #[must_use]
    pub fn display(&self) -> &str {
        &self.display
    }

    /// Answers the window of this title, once it is there, and waits until it is gone.
    ///
    /// The next program's windows have the identifiers of this one's, so that a window is gone when none of this title has its identifier:
    /// two that come one right after the other must differ in their titles.
    pub fn press(&self, title: &str, press: Press) {
        let window = until(title, || self.windows(title).pop());
        match press {
            Press::Keys(keys) => self.act(&[&["windowfocus", "--sync", &window, "key"], keys].concat()),
            Press::Button(at) => {
                let (x, y) = self.button(&window, at);
                self.act(&["mousemove", &x, &y, "click", "1"]);
            }
        }
        until("the window to close", || (!self.windows(title).contains(&window)).then_some(()));
    }

    /// The windows of this title that can be seen.
    #[must_use]
    pub fn windows(&self, title: &str) -> Vec<String> {
        // It fails where there is none, or where one goes while it looks.
        let found = self.run("xdotool", &["search", "--onlyvisible", "--name", title]);
        String::from_utf8_lossy(&found.stdout).lines().map(str::to_owned).collect()
    }

    fn act(&self, args: &[&str]) {
        let done = self.run("xdotool", args);
        assert!(done.status.success(), "xdotool {args:?}: {done:?}");
    }

    fn run(&self, tool: &str, args: &[&str]) -> Output {
        let mut command = Command::new(tool);
        command.args(args).env("DISPLAY", &self.display).stdin(Stdio::null());
        command.output().unwrap_or_else(|e| panic!("{tool}: {e}"))
    }

    /// Somewhere on a button. They stand in the lowest row of what the window is made of.
    fn button(&self, window: &str, at: usize) -> (String, String) {
        let tree = self.run("xwininfo", &["-tree", "-id", window]);
        let tree = String::from_utf8_lossy(&tree.stdout);
        // 0x20003e (has no name): ()  44x17+4+44  +200+395
        let place = |line: &str| {
            let (x, y) = line.trim().strip_prefix("0x")?.rsplit_once(' ')?.1.strip_prefix('+')?.split_once('+')?;
            Some((y.parse::<u32>().ok()?, x.parse::<u32>().ok()?))
        };
        let mut parts: Vec<(u32, u32)> = tree.lines().filter_map(place).collect();
        parts.sort_unstable();
        let lowest = parts.last().map_or(0, |(y, _)| *y);
        let (y, x) = parts.into_iter().filter(|(y, _)| *y == lowest).nth(at).unwrap_or_else(|| panic!("no button {at}: {tree}"));
        ((x + 4).to_string(), (y + 4).to_string())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // It takes its socket and its lock away, if it ends by itself.
        let asked = Command::new("kill").arg(self.server.0.id().to_string()).status();
        if asked.is_ok_and(|asked| asked.success()) {
            let _ended = self.server.wait();
        }
    }
}
