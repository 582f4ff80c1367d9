//! Codes that were used, on disk, so that none of them works again after a restart.
//!
//! ```text
//!   owner: Used::accept ─note─► queue (bounded) ─► thread "used-codes" ─► sluicegate.codes: one line each, synced
//!   start: the file ─► Used                              └─ written anew from what is still of use, once it has grown
//! ```
//!
//! A line is a mark of the device, which is a hash, and the step of the code: neither a name nor a secret. It is written at once, but a login
//! does not wait for the disk: a machine that loses its power within these milliseconds may take that one code again. Where the gateway has no
//! file of its own, codes are remembered in memory only.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::SystemTime;

use gate_auth::totp::{DeviceMark, Step, USED_MAX, Used};
use tracing::{error, warn};

use crate::files::ConfigFile;

/// Name of the file, beside the configuration.
pub(crate) const FILE: &str = "sluicegate.codes";
/// Its mode.
const MODE: u32 = 0o600;
/// Longest line, in bytes: a mark, a number, a blank and an end.
const LINE_BYTES_MAX: usize = 64 + 20 + 2;
/// Longest file that is read.
const FILE_BYTES_MAX: usize = 4 * USED_MAX * LINE_BYTES_MAX;
/// A file that has grown to this, and to twice what is of use in it, is written anew.
const WORTH_IT_BYTES: usize = 256 * 1024;
/// Codes that may wait for the disk.
const WAITING_MAX: usize = 4096;

type Entry = (DeviceMark, Step);

/// Writes used codes down. Dropping it writes what waits.
#[derive(Debug, Default)]
pub(crate) struct UsedFile {
    path: Option<PathBuf>,
    /// Begun with the first code: most gateways check none.
    thread: Option<(SyncSender<Entry>, JoinHandle<()>)>,
    /// It was said that codes are not written down.
    is_told: bool,
}

/// What was used before, and where more is written down. Reads a file: for the start.
pub(crate) fn beside(file: Option<&dyn ConfigFile>) -> (Used, UsedFile) {
    let path = file.map(|file| file.path().parent().unwrap_or_else(|| Path::new("")).join(FILE));
    #[expect(clippy::disallowed_methods, reason = "codes are of a time of day")]
    let now = Step::at(SystemTime::now());
    let mut used = Used::default();
    if let Some(path) = &path {
        match read(path) {
            Ok(entries) => {
                for (device, step) in entries.into_iter().filter(|(_, step)| step.is_live(now)) {
                    // One that is there already, or was used up by a later one.
                    let _: Result<(), gate_auth::totp::NotAccepted> = used.accept(device, step, now);
                }
            }
            Err(why) => warn!(file = %path.display(), %why, "used codes cannot be read: one that was just used may work again"),
        }
    }
    (used, UsedFile { path, thread: None, is_told: false })
}

fn read(path: &Path) -> io::Result<Vec<Entry>> {
    let mut text = String::new();
    match File::open(path) {
        Ok(file) => file.take(u64::try_from(FILE_BYTES_MAX).unwrap_or(u64::MAX)).read_to_string(&mut text)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    // A line that a crash has cut says nothing.
    let entry = |line: &str| -> Option<Entry> {
        let (device, step) = line.split_once(' ')?;
        Some((DeviceMark::parse(device)?, Step(step.parse().ok()?)))
    };
    Ok(text.split_inclusive('\n').filter_map(|line| entry(line.strip_suffix('\n')?)).collect())
}

impl UsedFile {
    /// A code of this step was used. Never waits.
    pub(crate) fn note(&mut self, device: DeviceMark, step: Step) {
        let Some(path) = &self.path else { return };
        if self.thread.is_none() {
            let (queue, entries) = sync_channel(WAITING_MAX);
            let mut log = Log { path: path.clone(), file: None, live: HashMap::new(), bytes: 0, is_broken: false };
            let thread = std::thread::Builder::new().name("used-codes".to_owned()).spawn(move || log.write_all(&entries));
            self.thread = thread.ok().map(|thread| (queue, thread));
        }
        let sent = self.thread.as_ref().map(|(queue, _)| queue.try_send((device, step)));
        match sent {
            Some(Ok(())) => self.is_told = false,
            Some(Err(TrySendError::Full(_) | TrySendError::Disconnected(_))) | None => {
                if !std::mem::replace(&mut self.is_told, true) {
                    error!("used codes are not written down: after a restart they may work again");
                }
            }
        }
    }
}

impl Drop for UsedFile {
    fn drop(&mut self) {
        let Some((queue, thread)) = self.thread.take() else { return };
        drop(queue);
        if thread.join().is_err() {
            error!("the thread for used codes had panicked");
        }
    }
}

/// The thread's side.
struct Log {
    path: PathBuf,
    file: Option<File>,
    /// What is in the file and may be of use.
    live: HashMap<DeviceMark, Step>,
    bytes: usize,
    is_broken: bool,
}

impl Log {
    fn write_all(&mut self, entries: &Receiver<Entry>) {
        while let Ok(first) = entries.recv() {
            let batch: Vec<Entry> = std::iter::once(first).chain(entries.try_iter().take(WAITING_MAX)).collect();
            let written = self.write(&batch);
            match written {
                Ok(()) if std::mem::take(&mut self.is_broken) => warn!("used codes are written down again"),
                Ok(()) => {}
                Err(why) => {
                    self.file = None;
                    if !std::mem::replace(&mut self.is_broken, true) {
                        error!(file = %self.path.display(), %why, "used codes cannot be written down: after a restart they may work again");
                    }
                }
            }
        }
    }

    fn write(&mut self, batch: &[Entry]) -> io::Result<()> {
        self.live.extend(batch.iter().copied());
        let mut text = String::with_capacity(batch.len() * LINE_BYTES_MAX);
        batch.iter().for_each(|entry| text.push_str(&line(*entry)));
        if self.file.is_none() {
            // What an earlier process wrote is kept as far as it is of use.
            for (device, step) in read(&self.path).unwrap_or_default() {
                let known = self.live.entry(device).or_insert(step);
                *known = (*known).max(step);
            }
            return self.anew(batch);
        }
        if self.bytes + text.len() > WORTH_IT_BYTES.max(2 * self.live.len() * LINE_BYTES_MAX) {
            return self.anew(batch);
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        file.write_all(text.as_bytes())?;
        self.bytes += text.len();
        file.sync_data()
    }

    /// Puts a file in its place with what is of use.
    fn anew(&mut self, batch: &[Entry]) -> io::Result<()> {
        if let Some(now) = batch.iter().map(|(_, step)| *step).max() {
            self.live.retain(|_, step| step.is_live(now));
        }
        let new = self.path.with_extension("codes.new");
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let text: String = self.live.iter().map(|(device, step)| line((*device, *step))).collect();
        let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        fs::rename(&new, &self.path)?;
        (self.file, self.bytes) = (Some(file), text.len());
        Ok(())
    }
}

fn line((device, step): Entry) -> String {
    format!("{} {}\n", device.to_text(), step.0)
}

#[cfg(test)]
mod tests {
    use gate_auth::totp::NotAccepted;

    use super::*;

    fn at(path: &Path) -> UsedFile {
        UsedFile { path: Some(path.to_owned()), thread: None, is_told: false }
    }

    fn mark(n: u32) -> DeviceMark {
        DeviceMark::of(&n.to_be_bytes())
    }

    #[test]
    fn what_was_used_is_there_after_a_restart_and_what_is_old_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let mut file = at(&path);
        file.note(mark(1), Step(1000));
        file.note(mark(2), Step(1001));
        drop(file);
        assert_eq!(std::os::unix::fs::MetadataExt::mode(&fs::metadata(&path).unwrap()) & 0o777, MODE);
        let mut file = at(&path);
        file.note(mark(1), Step(1002));
        drop(file);
        let mut entries = read(&path).unwrap();
        entries.sort_by_key(|(_, step)| *step);
        assert_eq!(entries, [(mark(2), Step(1001)), (mark(1), Step(1002))]);
        let mut used = Used::default();
        for (device, step) in entries {
            used.accept(device, step, Step(1002)).unwrap();
        }
        assert_eq!(used.accept(mark(1), Step(1002), Step(1002)), Err(NotAccepted::Again));
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{text}0123 7\n{} 9", mark(3).to_text())).unwrap();
        assert_eq!(read(&path).unwrap().len(), 2, "a line that was cut, and one that is none");
        assert!(read(&folder.path().join("none")).unwrap().is_empty());
    }

    #[test]
    fn the_file_does_not_grow_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let mut log = Log { path: path.clone(), file: None, live: HashMap::new(), bytes: 0, is_broken: false };
        for round in 0..40 {
            let batch: Vec<Entry> = (0..500).map(|n| (mark(n), Step(1000 + 3 * round))).collect();
            log.write(&batch).unwrap();
        }
        let bytes = fs::metadata(&path).unwrap().len();
        assert!(bytes <= u64::try_from(WORTH_IT_BYTES).unwrap(), "{bytes}");
        assert!(read(&path).unwrap().iter().any(|entry| *entry == (mark(0), Step(1117))));
    }

    #[test]
    fn without_a_file_nothing_is_written() {
        let (mut used, mut file) = beside(None);
        file.note(mark(1), Step(1));
        assert!(file.thread.is_none());
        assert_eq!(used.accept(mark(1), Step(1), Step(1)), Ok(()));
    }
}
