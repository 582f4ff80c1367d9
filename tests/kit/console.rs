//! The control socket as an operator's program speaks to it, in frames.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::Value;

use crate::deadline::PATIENCE;

/// What became of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// What was shown.
    pub text: String,
    /// Warnings, in order.
    pub warnings: Vec<String>,
    /// Errors, in order.
    pub errors: Vec<String>,
    /// How far it was, while it lasted.
    pub progress: Vec<String>,
    /// The number of its error; 0 is done.
    pub code: u16,
}

impl Said {
    /// The text, if it was done.
    ///
    /// # Panics
    /// If there was an error.
    #[must_use]
    pub fn done(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.text
    }

    /// The answer as JSON, if it was done.
    ///
    /// # Panics
    /// If there was an error, or it is not JSON.
    #[must_use]
    pub fn json(self) -> Value {
        let text = self.done();
        serde_json::from_str(&text).unwrap_or_else(|bad| panic!("{bad}: {text}"))
    }
}

/// A connection.
#[derive(Debug)]
pub struct Console {
    stream: BufReader<UnixStream>,
    /// What the gateway said first.
    pub greeting: String,
}

impl Console {
    /// Connects to the socket at `path`.
    ///
    /// # Errors
    /// If there is none, or the gateway refuses: then its words.
    pub fn connect(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut console = Self { stream: BufReader::new(stream), greeting: String::new() };
        console.stream.get_mut().write_all(b"#sluicectl 1\n")?;
        console.greeting = console.answer()?.text;
        Ok(console)
    }

    /// Says one line, or several commands with `;` between.
    ///
    /// # Panics
    /// If the connection breaks.
    pub fn run(&mut self, line: &str) -> Said {
        self.send("run", line).and_then(|()| self.answer()).unwrap_or_else(|bad| panic!("{line}: {bad}"))
    }

    /// Says many lines as one batch.
    ///
    /// # Panics
    /// If the connection breaks.
    pub fn batch(&mut self, lines: &str) -> Said {
        self.try_batch(lines).unwrap_or_else(|bad| panic!("batch: {bad}"))
    }

    fn try_batch(&mut self, lines: &str) -> io::Result<Said> {
        let mut rest = lines;
        while !rest.is_empty() {
            let end = (0..=rest.len().min(100_000)).rev().find(|at| rest.is_char_boundary(*at)).unwrap_or(rest.len());
            let (part, more) = rest.split_at(end);
            self.send("batch", part)?;
            rest = more;
        }
        self.send("go", "")?;
        self.answer()
    }

    fn send(&mut self, kind: &str, payload: &str) -> io::Result<()> {
        self.stream.get_mut().write_all(format!("{kind} {}\n{payload}", payload.len()).as_bytes())
    }

    fn answer(&mut self) -> io::Result<Said> {
        let mut said = Said::default();
        loop {
            let mut header = String::new();
            if self.stream.read_line(&mut header)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let not_a_frame = || io::Error::other(header.clone());
            let (kind, length) = header.trim_end().split_once(' ').ok_or_else(not_a_frame)?;
            let mut payload = vec![0; length.parse().map_err(|_| not_a_frame())?];
            self.stream.read_exact(&mut payload)?;
            let payload = String::from_utf8(payload).map_err(io::Error::other)?;
            match kind {
                "text" => said.text.push_str(&payload),
                "warning" => said.warnings.push(payload),
                "error" => said.errors.push(payload),
                "progress" => said.progress.push(payload),
                "end" => {
                    said.code = payload.parse().map_err(io::Error::other)?;
                    return Ok(said);
                }
                _ => return Err(not_a_frame()),
            }
        }
    }
}
