//! `sluicegate diff running FILE`: what the gateway beside it runs, against what a file says. As `sluicectl diff running`, for where that
//! is not installed.

use std::io::{self, Read as _, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use gate_config::compare::{Compared, NotComparable, QUESTION};
use gate_config::model::Model;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::files;

/// For the gateway to take the question, and for each piece of its answer.
const ANSWER_TIME: Duration = Duration::from_secs(30);
/// Longest answer: a configuration of the largest size, with what JSON says around each line.
const ANSWER_BYTES_MAX: u64 = 8 * files::CONFIGURATION_BYTES_MAX;

/// Why they cannot be compared.
#[derive(Debug, Error)]
enum NotCompared {
    /// The gateway cannot be asked.
    #[error("no gateway answers at {}", .at.display())]
    Gateway { at: PathBuf, source: io::Error },
    /// It does not tell.
    #[error("the gateway does not say what runs: {0}")]
    Refused(String),
    /// The file cannot be read.
    #[error("{}", .file.display())]
    Unreadable { file: PathBuf, source: io::Error },
    /// What one of them says.
    #[error(transparent)]
    Content(#[from] NotComparable),
}

/// Compares and prints to `out`. Exit code 0: they are equal; 1: they differ; 2: the file cannot be read; 3: no gateway.
pub fn running(file: &Path, socket: Option<&Path>, json: bool, out: &mut impl Write) -> ExitCode {
    let usual = Model::default().paths.control_socket;
    let compared = match compare(file, socket.unwrap_or(&usual)) {
        Ok(compared) => compared,
        Err(why) => {
            let _ = writeln!(io::stderr(), "sluicegate: {}", crate::chain(&why));
            return ExitCode::from(match why {
                NotCompared::Unreadable { .. } | NotCompared::Content(NotComparable::File(_)) => 2,
                NotCompared::Gateway { .. } | NotCompared::Refused(_) | NotCompared::Content(NotComparable::Running(_)) => 3,
            });
        }
    };
    let name = file.display().to_string();
    let shown = if json { compared.json() } else { compared.text(&name, |_, text| text.to_owned()) };
    // A reader that has gone away has seen enough.
    let _ = out.write_all(shown.as_bytes()).and_then(|()| out.flush());
    ExitCode::from(u8::from(!compared.changes.is_empty()))
}

fn compare(file: &Path, socket: &Path) -> Result<Compared, NotCompared> {
    let text = files::read_configuration(file).map_err(|source| NotCompared::Unreadable { file: file.to_path_buf(), source })?;
    let text = Zeroizing::new(text);
    let answer = ask(socket).map_err(|source| NotCompared::Gateway { at: socket.to_path_buf(), source })?;
    // One line of JSON, then ` Done`; or an error, or a refusal at the door.
    let first = answer.lines().next().unwrap_or_default();
    if !first.starts_with('{') {
        return Err(NotCompared::Refused(gate_config::text::visible::visible(first).into_owned()));
    }
    Ok(Compared::answer_with_file(first, &file.display().to_string(), &text)?)
}

/// Asks in plain lines, and ends.
fn ask(socket: &Path) -> io::Result<Zeroizing<String>> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(ANSWER_TIME))?;
    stream.set_write_timeout(Some(ANSWER_TIME))?;
    stream.write_all(format!("{QUESTION}\n").as_bytes())?;
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut answer = Zeroizing::new(String::new());
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    Ok(answer)
}
