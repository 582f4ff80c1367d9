//! `sluicectl audit verify`: whether an audit log is what the gateway wrote.
//!
//! ```text
//!   audit.log.4711, audit.log.9001 … by number, then audit.log ─► Verifier ◄─ audit.log.key, audit.log.head
//! ```

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use gate_proto::audit::{Fault, Key, LINE_BYTES_MAX, Verified, Verifier};
use thiserror::Error;

/// Longest key or head file, in bytes.
const SMALL_BYTES_MAX: u64 = 4096;

/// Look after the audit log.
#[derive(Debug, Args)]
pub struct Audit {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tell whether records were edited, dropped, moved or cut off. Exit code 0: they were not; 1: they were; 2: cannot be told.
    Verify(Verify),
}

#[derive(Debug, Args)]
struct Verify {
    /// The log that is being written. Files of its that were set aside are found beside it.
    file: PathBuf,
    /// The key of its stamps, if it is not beside it in FILE.key.
    #[arg(long, value_name = "PATH")]
    key: Option<PathBuf>,
    /// Look at the chain only, which whoever may write the file can make anew.
    #[arg(long, conflicts_with = "key")]
    no_key: bool,
}

/// Why it cannot be told, or that it is not whole.
#[derive(Debug, Error)]
pub enum NotVerified {
    /// A file cannot be read.
    #[error("{}: {source}", .file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The key file holds none.
    #[error("{} holds no key", .0.display())]
    NoKey(PathBuf),
    /// The log was tampered with.
    #[error("{}:{line}: {fault}", .file.display())]
    Tampered {
        /// In which file.
        file: PathBuf,
        /// In which line, from 1.
        line: usize,
        /// How it shows.
        fault: Fault,
    },
}

impl NotVerified {
    /// 1 if it was tampered with, 2 if that cannot be told.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Tampered { .. } => 1,
            Self::File { .. } | Self::NoKey(_) => 2,
        }
    }
}

impl Audit {
    /// Does what was asked.
    ///
    /// # Errors
    /// [`NotVerified`].
    pub fn run(&self, out: &mut impl Write) -> Result<(), NotVerified> {
        let Command::Verify(verify) = &self.command;
        let (verified, files) = verify.run()?;
        // If nobody reads it, the exit code still says it.
        let _ = writeln!(out, "{}", in_words(&verified, files, verify.no_key));
        Ok(())
    }
}

fn in_words(verified: &Verified, files: usize, no_key: bool) -> String {
    let Verified { first, last, stamps, stamped } = *verified;
    let several = if files == 1 { "1 file".to_owned() } else { format!("{files} files") };
    let mut words = format!("whole: records {first} to {last} in {several}");
    if first > 1 {
        words.push_str("; older files are not here");
    }
    if no_key {
        words.push_str("; no key: a chain made anew by somebody else would look the same");
    } else {
        words.push_str(&format!("; {stamps} stamps, good up to record {stamped}"));
    }
    words
}

impl Verify {
    fn run(&self) -> Result<(Verified, usize), NotVerified> {
        let key = if self.no_key { None } else { Some(self.key()?) };
        let mut files = set_aside(&self.file)?;
        files.push(self.file.clone());
        let mut verifier = Verifier::default();
        let (mut number, mut last) = (0, &self.file);
        for file in &files {
            let failed = |source| NotVerified::File { file: file.clone(), source };
            let mut reader = BufReader::new(File::open(file).map_err(failed)?);
            (number, last) = (0, file);
            while let Some(line) = line(&mut reader).map_err(failed)? {
                number += 1;
                let taken = verifier.take(&line, key.as_ref());
                taken.map_err(|fault| NotVerified::Tampered { file: file.clone(), line: number, fault })?;
            }
        }
        let head = beside(&self.file, ".head");
        let head = match small(&head) {
            Ok(text) => Some(text),
            Err(NotVerified::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => None,
            Err(other) => return Err(other),
        };
        let verified = verifier.finish(head.as_deref(), key.as_ref());
        let verified = verified.map_err(|fault| NotVerified::Tampered { file: last.clone(), line: number, fault })?;
        Ok((verified, files.len()))
    }

    fn key(&self) -> Result<Key, NotVerified> {
        let path = self.key.clone().unwrap_or_else(|| beside(&self.file, ".key"));
        Key::parse(&small(&path)?).ok_or(NotVerified::NoKey(path))
    }
}

fn beside(file: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(end);
    name.into()
}

/// The files that were set aside, by the number of their last record.
fn set_aside(file: &Path) -> Result<Vec<PathBuf>, NotVerified> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let failed = |source| NotVerified::File { file: folder.to_path_buf(), source };
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut found: Vec<(u64, PathBuf)> = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let other = entry.file_name();
        let number = other.to_str().and_then(|other| other.strip_prefix(&name)?.strip_prefix('.')?.parse().ok());
        found.extend(number.map(|number| (number, entry.path())));
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

fn small(path: &Path) -> Result<String, NotVerified> {
    let failed = |source| NotVerified::File { file: path.to_path_buf(), source };
    let mut text = String::new();
    File::open(path).map_err(failed)?.take(SMALL_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

/// The next line without its end. One that is longer than any of the gateway's comes in parts, none of which is a record.
fn line(reader: &mut impl io::BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    if reader.take(LINE_BYTES_MAX as u64 + 1).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    Ok(Some(String::from_utf8_lossy(&line).into_owned()))
}

#[cfg(test)]
mod tests {
    use gate_proto::audit::{Chain, Entry};

    use super::*;

    fn verify(file: &Path) -> Result<String, NotVerified> {
        let audit = Audit { command: Command::Verify(Verify { file: file.to_path_buf(), key: None, no_key: false }) };
        let mut said = Vec::new();
        audit.run(&mut said)?;
        Ok(String::from_utf8(said).unwrap_or_default())
    }

    /// 6 records in two files, the last a stamp.
    fn log(folder: &Path) -> PathBuf {
        let file = folder.join("audit.log");
        let key = Key::new([3; 32]);
        let mut chain = Chain::default();
        let mut lines: Vec<String> = (0..5).map(|_| chain.line("t", &Entry { event: "change", fields: vec![] }) + "\n").collect();
        lines.push(chain.stamp("t", &key) + "\n");
        fs::write(beside(&file, ".3"), lines[..3].concat()).unwrap();
        fs::write(&file, lines[3..].concat()).unwrap();
        fs::write(beside(&file, ".key"), key.digits().as_bytes()).unwrap();
        fs::write(beside(&file, ".head"), chain.head(&key)).unwrap();
        file
    }

    #[test]
    fn says_what_is_there_and_what_was_done_to_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = log(dir.path());
        assert_eq!(verify(&file).unwrap(), "whole: records 1 to 6 in 2 files; 1 stamps, good up to record 5\n");

        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replacen("change", "kill", 1)).unwrap();
        let tampered = verify(&file).unwrap_err();
        assert_eq!(tampered.exit_code(), 1);
        assert!(tampered.to_string().contains("audit.log:1: the chain does not hold"), "{tampered}");

        fs::write(&file, text.split_inclusive('\n').take(1).collect::<String>()).unwrap();
        assert!(verify(&file).unwrap_err().to_string().contains("ends at record 4, and its head file says 6"));

        fs::write(&file, &text).unwrap();
        fs::remove_file(beside(&file, ".3")).unwrap();
        assert!(verify(&file).unwrap().contains("records 4 to 6 in 1 file; older files are not here"));
        fs::write(beside(&file, ".key"), "x").unwrap();
        assert_eq!(verify(&file).unwrap_err().exit_code(), 2);
        assert_eq!(verify(Path::new("/nonexistent/audit.log")).unwrap_err().exit_code(), 2);
    }
}
