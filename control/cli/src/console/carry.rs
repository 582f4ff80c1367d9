//! Carries out a line: most are the gateway's, some are our own.
//!
//! ```text
//!   line ─order::read─┬─ help, man ─────────► the catalogue, without a gateway
//!                     ├─ batch, source ─────► a file of this machine, streamed to the gateway
//!                     ├─ exit, quit, history, alias, cls, set cli mode ─► whoever called
//!                     └─ anything else ─────► the gateway, which also says what is wrong with it
//! ```

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::ops::ControlFlow;
use std::os::unix::fs::OpenOptionsExt as _;

use clap::ValueEnum;
use gate_config::catalog::What;
use gate_config::model::Model;
use gate_config::order::{AskOrder, Format as Written, Order, read, split};
use gate_config::show;
use gate_proto::frame::{BATCH_BYTES_MAX, Say};
use zeroize::Zeroizing;

use super::fault::Fault;
use super::gateway::Hear;
use super::talk::Talk;

/// The number of a line of which some commands failed.
pub const SOME_FAILED: u16 = 1059;
/// The number of a line of which all commands failed.
pub const ALL_FAILED: u16 = 1060;
/// The number of a file that cannot be read or written.
const NO_SUCH_FILE: u16 = 1155;

/// How answers are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs: JSON.
    Json,
}

/// What became of a line.
#[expect(missing_debug_implementations, reason = "values have none")]
pub enum Carried {
    /// It was carried out, with this error number; 0: done.
    Number(u16),
    /// It wants to leave.
    Leave,
    /// It is about whoever shows the answers: `history`, `alias`, `cls`, `set cli mode`.
    Own(AskOrder),
}

/// Carries out one line, which may hold several commands with `;` between.
///
/// # Errors
/// [`Fault`].
pub fn carry(talk: &mut Talk, line: &str, format: Format, hear: Hear<'_>) -> Result<Carried, Fault> {
    let parts = split(line);
    if parts.iter().any(|part| ours(part).is_some()) {
        return each(talk, &parts, format, hear);
    }
    match format {
        Format::Text => talk.run(line, hear),
        Format::Json => talk.run(&in_json(&parts), hear),
    }
    .map(Carried::Number)
}

/// A command that the gateway has no part in, or not alone.
fn ours(command: &str) -> Option<AskOrder> {
    match read(command) {
        Ok(Order::Ask(order)) => matches!(order.ask.what, What::Client | What::Exit | What::Help | What::Man).then_some(order),
        Ok(Order::Nothing | Order::Change(_) | Order::Show(_)) | Err(_) => None,
    }
}

/// One command after the other.
fn each(talk: &mut Talk, commands: &[&str], format: Format, hear: Hear<'_>) -> Result<Carried, Fault> {
    let (mut done, mut failed, mut last) = (0_usize, 0_usize, 0);
    for command in commands {
        let carried = match ours(command) {
            Some(order) => own(talk, order, format, hear)?,
            None => carry(talk, command, format, hear)?,
        };
        match carried {
            Carried::Number(0) => done += 1,
            Carried::Number(number) => {
                failed += 1;
                last = number;
            }
            leaves @ (Carried::Leave | Carried::Own(_)) => return Ok(leaves),
        }
    }
    Ok(Carried::Number(match (done, failed) {
        (_, 0) => 0,
        (0, 1) => last,
        (0, _) => ALL_FAILED,
        (_, _) => SOME_FAILED,
    }))
}

fn own(talk: &mut Talk, order: AskOrder, format: Format, hear: Hear<'_>) -> Result<Carried, Fault> {
    match (order.ask.what, order.ask.verb) {
        (What::Exit, _) => Ok(Carried::Leave),
        (What::Help | What::Man, _) => {
            let json = format == Format::Json || order.format == Written::Json;
            let (kind, text, number) = match show::ask(&Model::default(), &order) {
                Some(Ok(answer)) => (Say::Text, if json { answer.json() + "\n" } else { answer.text() }, 0),
                Some(Err(problem)) => (Say::Error, problem.code.text().to_owned(), problem.code.number()),
                None => return talk.run(&order.shown, hear).map(Carried::Number),
            };
            if hear(kind, &text).is_break() { Err(Fault::Unread) } else { Ok(Carried::Number(number)) }
        }
        (_, "batch" | "source") => batch(talk, &order, hear).map(Carried::Number),
        (_, _) => Ok(Carried::Own(order)),
    }
}

/// Streams a file to the gateway.
fn batch(talk: &mut Talk, order: &AskOrder, hear: Hear<'_>) -> Result<u16, Fault> {
    let has = |name: &str| order.ask.keywords.iter().any(|argument| argument.name == name);
    let times = if has("ntimes") { order.number("ntimes").unwrap_or(1) } else { 1 };
    let outfile = if has("outfile") { order.text("outfile") } else { None };
    let path = order.text("fileName").unwrap_or_default();
    let lines = match read_file(path) {
        Ok(lines) => lines,
        Err(error) => return complain(hear, path, &error),
    };
    let mut file = match outfile.map(write_file).transpose() {
        Ok(file) => file,
        Err(error) => return complain(hear, outfile.unwrap_or_default(), &error),
    };
    let (mut done, mut failed, mut some) = (0_u64, 0_u64, false);
    for _ in 0..times {
        let mut broken = None;
        let number = talk.batch(&lines, &mut |kind, said| {
            let Some(file) = file.as_mut().filter(|_| kind != Say::Progress) else { return hear(kind, said) };
            let written = match kind {
                Say::Warning => writeln!(file, "Warning: {said}"),
                Say::Error => writeln!(file, "ERROR: {said}"),
                Say::Text | Say::Progress | Say::End => file.write_all(said.as_bytes()),
            };
            // What the gateway still says belongs to this batch: it is heard to its end.
            broken = broken.take().or_else(|| written.err());
            ControlFlow::Continue(())
        })?;
        if let Some(error) = broken {
            return complain(hear, outfile.unwrap_or_default(), &error);
        }
        match number {
            0 => done += 1,
            SOME_FAILED => some = true,
            _ => failed += 1,
        }
    }
    Ok(match (done, failed, some) {
        (_, 0, false) => 0,
        (0, _, false) => ALL_FAILED,
        (_, _, _) => SOME_FAILED,
    })
}

fn complain(hear: Hear<'_>, path: &str, error: &io::Error) -> Result<u16, Fault> {
    match hear(Say::Error, &format!("No such file [{path}: {error}]")) {
        ControlFlow::Continue(()) => Ok(NO_SUCH_FILE),
        ControlFlow::Break(()) => Err(Fault::Unread),
    }
}

/// The lines of a file, at most as many as one batch may hold. They may hold passwords.
///
/// # Errors
/// If it cannot be read, is too long, or is not UTF-8.
pub fn read_file(path: &str) -> io::Result<Zeroizing<String>> {
    let file = File::open(path)?;
    let most = u64::try_from(BATCH_BYTES_MAX).unwrap_or(u64::MAX);
    if file.metadata()?.len() > most {
        return Err(io::Error::other(format!("it has more than {BATCH_BYTES_MAX} bytes")));
    }
    // At once, so that nothing is copied, and left behind unwiped, while it grows.
    let mut bytes = Zeroizing::new(Vec::with_capacity(BATCH_BYTES_MAX.min(1 << 20)));
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() > BATCH_BYTES_MAX {
        return Err(io::Error::other(format!("it has more than {BATCH_BYTES_MAX} bytes")));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| io::Error::other("it is not UTF-8"))?;
    Ok(Zeroizing::new(text.strip_prefix('\u{feff}').unwrap_or(text).to_owned()))
}

/// Answers may hold hashes of passwords, so nobody else reads the file.
fn write_file(path: &str) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// Asks for JSON where that can be asked for, unless a format is asked for already.
fn in_json(commands: &[&str]) -> String {
    let one = |command: &&str| {
        let asks = |text: &str| matches!(read(text), Ok(order) if order.format() == Written::Json);
        let longer = format!("{command} -format json");
        if asks(&longer) { longer } else { (*command).to_owned() }
    };
    commands.iter().map(one).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_bounds() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("mark"), "\u{feff}show worker\n").unwrap();
        assert_eq!(*read_file(&path("mark")).unwrap(), "show worker\n");
        std::fs::write(path("bytes"), b"\xff").unwrap();
        assert_eq!(read_file(&path("bytes")).unwrap_err().to_string(), "it is not UTF-8");
        let long = File::create(path("long")).unwrap();
        long.set_len(u64::try_from(BATCH_BYTES_MAX).unwrap() + 1).unwrap();
        assert!(read_file(&path("long")).unwrap_err().to_string().contains("more than"));
        assert_eq!(read_file(&path("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
        // A device says that it is empty, and is not.
        assert!(read_file("/dev/zero").unwrap_err().to_string().contains("more than"));
    }

    #[test]
    fn json_is_asked_for_where_that_is_possible() {
        assert_eq!(in_json(&["show worker", "stat ns"]), "show worker -format json; stat ns -format json");
        assert_eq!(in_json(&["show worker -format text"]), "show worker -format text");
        assert_eq!(in_json(&["set ns hostName gw"]), "set ns hostName gw");
        assert_eq!(in_json(&["nonsense"]), "nonsense");
    }
}
