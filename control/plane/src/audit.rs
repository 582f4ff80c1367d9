//! The audit log's way to the disk: a thread of its own, so that a stuck disk stops nobody who carries bytes.
//!
//! ```text
//!   console         ─note─► queue (bounded) ─► thread "audit": chain ─► file, synced ─► head file
//!         │                                      └─ a stamp each 1,000 records or 60 s, and at the end
//!         └─ may_act? ── no, if what was noted could not be written and the operator wants it so
//! ```
//!
//! The lines are those of [`gate_proto::audit`]. A file that has grown to [`FILE_BYTES_MAX`] is set aside under the number of its
//! last record; the chain goes on in the next.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use gate_config::text::time::Utc;
use gate_proto::audit::{Chain, Entry, Key, LINE_BYTES_MAX, Value};
use secrecy::zeroize::Zeroizing;
use thiserror::Error;

use crate::random;

/// Records that may wait for the disk.
const WAITING_MAX: usize = 4096;
/// Records between two stamps.
const STAMP_RECORDS: u64 = 1000;
/// Time between two stamps, if there was a record.
const STAMP_TIME: Duration = Duration::from_secs(60);
/// Longest value of a field, in bytes.
const VALUE_BYTES_MAX: usize = 4096;
/// A file that has grown to this is set aside.
pub const FILE_BYTES_MAX: u64 = 64 << 20;

/// Where it is written down who did what. Called on the control thread; never waits.
pub trait Audit: Send + Sync {
    /// Writes down `entry`.
    fn note(&self, entry: Entry);

    /// Whether something that must be written down may be done now.
    fn may_act(&self) -> bool;

    /// Notes that were not written down since the start.
    fn lost(&self) -> u64;
}

/// For gateways without an audit log: what would be written down is logged, no more.
#[derive(Clone, Copy, Debug)]
pub struct NoAudit;

impl Audit for NoAudit {
    fn note(&self, _: Entry) {}

    fn may_act(&self) -> bool {
        true
    }

    fn lost(&self) -> u64 {
        0
    }
}

/// What happens when the log cannot be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// It is said, counted, and everything goes on.
    #[default]
    Continue,
    /// Changes and logins are refused until it can be written again. Who is in, and running sessions, go on.
    Refuse,
}

/// Why there is no audit log. The machine's fault or the operator's.
#[derive(Debug, Error)]
pub enum AuditFault {
    /// A file cannot be used.
    #[error("cannot use {}", .file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file is there and is no audit log.
    #[error("{} is no audit log: its last line cannot be read", .0.display())]
    NotALog(PathBuf),
    /// No random bytes for a key.
    #[error("the system's random generator does not answer")]
    NoRandom,
    /// No thread.
    #[error("cannot start the audit thread")]
    Thread(#[source] io::Error),
}

/// An audit log in a file. Dropping it writes what waits, and a last stamp.
pub struct FileAudit {
    queue: Option<SyncSender<Entry>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    on_failure: OnFailure,
    state: &'static State,
}

impl std::fmt::Debug for FileAudit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileAudit").field("on_failure", &self.on_failure).finish_non_exhaustive()
    }
}

/// What the thread lets others know.
#[derive(Debug, Default)]
struct State {
    /// The last write failed.
    broken: AtomicBool,
    lost: AtomicU64,
}

impl FileAudit {
    /// Opens or begins the log in `file`. Its key is beside it in `<file>.key` and made on first use; its head in `<file>.head`.
    ///
    /// # Errors
    /// [`AuditFault`].
    pub fn open(file: &Path, on_failure: OnFailure) -> Result<Self, AuditFault> {
        Self::over(Log::open(file)?, on_failure)
    }

    fn over(mut log: Log, on_failure: OnFailure) -> Result<Self, AuditFault> {
        // One for each audit log of the process, of which there is one.
        let state: &'static State = Box::leak(Box::default());
        let (queue, entries) = sync_channel(WAITING_MAX);
        let body = move || log.write_all(&entries, state);
        let thread = std::thread::Builder::new().name("audit".to_owned()).spawn(body).map_err(AuditFault::Thread)?;
        Ok(Self { queue: Some(queue), thread: Mutex::new(Some(thread)), on_failure, state })
    }
}

impl Audit for FileAudit {
    fn note(&self, entry: Entry) {
        if self.queue.as_ref().is_none_or(|queue| queue.try_send(entry).is_err()) {
            self.state.lost.fetch_add(1, Relaxed);
            self.state.broken.store(true, Relaxed);
        }
    }

    fn may_act(&self) -> bool {
        self.on_failure == OnFailure::Continue || !self.state.broken.load(Relaxed)
    }

    fn lost(&self) -> u64 {
        self.state.lost.load(Relaxed)
    }
}

impl Drop for FileAudit {
    fn drop(&mut self) {
        self.queue = None;
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the audit thread had panicked");
        }
    }
}

/// The thread's side.
struct Log {
    path: PathBuf,
    file: File,
    head: File,
    key: Key,
    chain: Chain,
    /// Bytes in the file.
    bytes: u64,
    /// It is set aside when it has so many.
    bytes_max: u64,
    /// Records since the last stamp.
    unstamped: u64,
    /// Lines that are chained and not written: the disk did not take them.
    unwritten: VecDeque<String>,
}

impl Log {
    fn open(path: &Path) -> Result<Self, AuditFault> {
        let failed = |file: &Path| {
            let file = file.to_path_buf();
            move |source| AuditFault::File { file, source }
        };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(failed(folder))?;
        }
        let beside = |end: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(end);
            PathBuf::from(name)
        };
        let (key_path, head_path) = (beside(".key"), beside(".head"));
        let key = key(&key_path)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).mode(0o640);
        let mut file = options.open(path).map_err(failed(path))?;
        let mut head = options.open(&head_path).map_err(failed(&head_path))?;
        let whole = drop_torn_line(&mut file).map_err(failed(path))?;
        let chain = match &whole.last {
            None => Chain::default(),
            Some(last) => Chain::after(last).map_err(|_| AuditFault::NotALog(path.to_path_buf()))?,
        };
        let mut said = String::new();
        head.read_to_string(&mut said).map_err(failed(&head_path))?;
        let mut log = Self {
            path: path.to_path_buf(),
            file,
            head,
            key,
            chain,
            bytes: whole.bytes,
            bytes_max: FILE_BYTES_MAX,
            unstamped: 0,
            unwritten: VecDeque::new(),
        };
        let expected: Option<u64> = said.split_ascii_whitespace().next().and_then(|n| n.parse().ok());
        if let Some(expected) = expected.filter(|expected| *expected > log.chain.length()) {
            // From the next head on nobody could see it; so it is written down.
            let found = log.chain.length();
            tracing::error!(expected, found, file = %path.display(), "the audit log's tail is missing");
            let fields = vec![("expected", Value::Number(expected)), ("found", Value::Number(found))];
            log.chain_on(Entry { event: "tail-missing", fields });
        }
        if whole.torn > 0 {
            log.chain_on(Entry { event: "torn-line-dropped", fields: vec![("bytes", Value::Number(whole.torn))] });
        }
        log.chain_on(Entry { event: "opened", fields: vec![("pid", Value::Number(u64::from(std::process::id())))] });
        log.settle().map_err(failed(path))?;
        Ok(log)
    }

    /// Takes entries until nobody is left to bring any.
    fn write_all(&mut self, entries: &Receiver<Entry>, state: &State) {
        let mut said = false;
        loop {
            let wait = if self.unwritten.is_empty() { STAMP_TIME } else { STAMP_TIME / 60 };
            match entries.recv_timeout(wait) {
                Ok(entry) => {
                    self.chain_on(entry);
                    while let Ok(entry) = entries.try_recv() {
                        self.chain_on(entry);
                        if self.unstamped >= STAMP_RECORDS {
                            self.stamp();
                        }
                    }
                }
                Err(RecvTimeoutError::Timeout) if self.unwritten.is_empty() => self.stamp(),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.chain_on(Entry { event: "closed", fields: vec![] });
                    self.stamp();
                    self.report(state, &mut said);
                    return;
                }
            }
            if self.unstamped >= STAMP_RECORDS {
                self.stamp();
            }
            self.report(state, &mut said);
        }
    }

    /// Writes what waits, and says so once if that fails and once when it works again.
    fn report(&mut self, state: &State, said: &mut bool) {
        let written = self.settle();
        state.broken.store(written.is_err(), Relaxed);
        match written {
            Ok(()) if *said => tracing::warn!(file = %self.path.display(), "the audit log is written again"),
            Err(source) if !*said => {
                tracing::error!(file = %self.path.display(), why = %source, waiting = self.unwritten.len(), "the audit log cannot be written");
                *said = true;
                return;
            }
            Ok(()) => {}
            Err(_) => {
                // What waits is kept in memory up to a bound; what is beyond it is lost, and the gap shows in the chain.
                while self.unwritten.len() > WAITING_MAX {
                    self.unwritten.pop_front();
                    state.lost.fetch_add(1, Relaxed);
                }
                return;
            }
        }
        *said = false;
    }

    fn chain_on(&mut self, mut entry: Entry) {
        for (_, value) in &mut entry.fields {
            if let Value::Text(text) = value
                && let Some(end) = cut(text)
            {
                text.truncate(end);
                text.push('…');
            }
        }
        let line = self.chain.line(&now(), &entry);
        self.unwritten.push_back(line);
        self.unstamped += 1;
    }

    fn stamp(&mut self) {
        if self.unstamped > 0 {
            let line = self.chain.stamp(&now(), &self.key);
            self.unwritten.push_back(line);
            self.unstamped = 0;
        }
    }

    /// Writes what waits, line by line, so that after an error it is known which of them are on the disk.
    fn settle(&mut self) -> io::Result<()> {
        if self.unwritten.is_empty() {
            return Ok(());
        }
        while let Some(line) = self.unwritten.front() {
            if self.bytes >= self.bytes_max {
                self.set_aside()?;
                continue;
            }
            let text = format!("{line}\n");
            if let Err(error) = self.file.write_all(text.as_bytes()) {
                // Half a line must not stay in front of the next one.
                self.file.set_len(self.bytes)?;
                self.file.seek(SeekFrom::Start(self.bytes))?;
                return Err(error);
            }
            self.bytes += text.len() as u64;
            self.unwritten.pop_front();
        }
        self.file.sync_data()?;
        let head = self.chain.head(&self.key);
        self.head.seek(SeekFrom::Start(0))?;
        self.head.write_all(head.as_bytes())?;
        self.head.set_len(head.len() as u64)
    }

    /// Renames the file to the number of its last record and begins the next.
    fn set_aside(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        let mut name = self.path.as_os_str().to_owned();
        name.push(format!(".{}", self.chain.length() - self.unwritten.len() as u64));
        fs::rename(&self.path, &name)?;
        self.file = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o640).open(&self.path)?;
        self.bytes = 0;
        Ok(())
    }
}

/// Where a text is to be cut, if it is too long.
fn cut(text: &str) -> Option<usize> {
    const _: () = assert!(16 * VALUE_BYTES_MAX <= LINE_BYTES_MAX);
    (text.len() > VALUE_BYTES_MAX).then(|| (0..=VALUE_BYTES_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default())
}

/// What was found in a file.
struct Whole {
    /// Bytes of whole lines.
    bytes: u64,
    /// Bytes of a line without end, which are no more.
    torn: u64,
    /// The last whole line.
    last: Option<String>,
}

/// Takes away a last line without end, which a crash leaves, and puts the place of writing behind the last whole one.
fn drop_torn_line(file: &mut File) -> io::Result<Whole> {
    let length = file.metadata()?.len();
    // The last line and a torn one behind it are in here, or it is no audit log.
    let tail_from = length.saturating_sub(2 * LINE_BYTES_MAX as u64);
    file.seek(SeekFrom::Start(tail_from))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let whole = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let lines = tail.get(..whole).unwrap_or_default();
    let torn = (tail.len() - whole) as u64;
    let bytes = length - torn;
    if torn > 0 {
        file.set_len(bytes)?;
    }
    file.seek(SeekFrom::Start(bytes))?;
    let last = lines.strip_suffix(b"\n").and_then(|lines| lines.rsplit(|byte| *byte == b'\n').next());
    Ok(Whole { bytes, torn, last: last.map(|line| String::from_utf8_lossy(line).into_owned()) })
}

/// Reads the key, or makes one.
fn key(path: &Path) -> Result<Key, AuditFault> {
    let failed = |source| AuditFault::File { file: path.to_path_buf(), source };
    match fs::read_to_string(path).map(Zeroizing::new) {
        Ok(digits) => Key::parse(&digits).ok_or_else(|| failed(io::Error::new(io::ErrorKind::InvalidData, "holds no key"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = Key::new(random::bytes().map_err(|_| AuditFault::NoRandom)?);
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
            file.write_all(key.digits().as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
            Ok(key)
        }
        Err(error) => Err(failed(error)),
    }
}

fn now() -> String {
    #[expect(clippy::disallowed_methods, reason = "records carry the time of day; nothing is decided by it")]
    let now = SystemTime::now();
    Utc::from(now).to_string()
}

#[cfg(test)]
mod tests {
    use gate_proto::audit::{Fault, Verified, Verifier};

    use super::*;

    fn entry(text: &str) -> Entry {
        Entry { event: "change", fields: vec![("uid", Value::Number(0)), ("line", Value::Text(text.to_owned()))] }
    }

    #[expect(clippy::unwrap_in_result, reason = "its error is that of the log, not of the test")]
    fn verify(files: &[PathBuf]) -> Result<Verified, Fault> {
        let last = files.last().unwrap();
        let beside = |end: &str| fs::read_to_string(format!("{}{end}", last.display())).unwrap();
        let (key, head) = (Key::parse(&beside(".key")).unwrap(), beside(".head"));
        let mut verifier = Verifier::default();
        for file in files {
            for line in fs::read_to_string(file).unwrap().lines() {
                verifier.take(line, Some(&key))?;
            }
        }
        verifier.finish(Some(&head), Some(&key))
    }

    #[test]
    fn goes_on_over_restarts_and_over_a_crash_within_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sub/audit.log");
        for restart in 1..4 {
            let log = FileAudit::open(&path, OnFailure::Refuse).unwrap();
            (0..10).for_each(|at| log.note(entry(&format!("line {at}"))));
            log.note(entry(&"日".repeat(VALUE_BYTES_MAX)));
            assert!(log.may_act());
            drop(log);
            // opened, 11, closed, stamp; from the second on the torn line, too
            let verified = verify(std::slice::from_ref(&path)).unwrap();
            assert_eq!((verified.first, verified.last), (1, 14 * restart + restart - 1));
            assert_eq!(verified.stamped, verified.last - 1);
            OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"n\":99,\"ti").unwrap();
        }
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.matches("torn-line-dropped").count(), 2);
        let mode = |end: &str| {
            use std::os::unix::fs::PermissionsExt as _;
            fs::metadata(format!("{}{end}", path.display())).unwrap().permissions().mode() & 0o777
        };
        assert_eq!(mode(".key"), 0o600);
        assert_eq!(mode("") & 0o007, 0);
    }

    #[test]
    fn a_tail_cut_off_between_two_runs_is_written_down() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.log");
        drop(FileAudit::open(&path, OnFailure::Continue).unwrap());
        let text = fs::read_to_string(&path).unwrap();
        let (kept, _) = text.split_at(text.find('\n').unwrap() + 1);
        fs::write(&path, kept).unwrap();
        assert_eq!(verify(std::slice::from_ref(&path)), Err(Fault::Tail { expected: 3, found: 1 }));
        drop(FileAudit::open(&path, OnFailure::Continue).unwrap());
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("\"event\":\"tail-missing\",\"expected\":3,\"found\":1"), "{text}");
        verify(&[path]).unwrap();
    }

    #[test]
    fn a_long_log_goes_on_in_the_next_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.log");
        let log = Log { bytes_max: 2000, ..Log::open(&path).unwrap() };
        let log = FileAudit::over(log, OnFailure::Continue).unwrap();
        (0..2 * STAMP_RECORDS).for_each(|at| log.note(entry(&at.to_string())));
        drop(log);
        let number = |path: &PathBuf| path.extension().and_then(|end| end.to_str()?.parse::<u64>().ok());
        let mut files: Vec<PathBuf> = fs::read_dir(dir.path()).unwrap().map(|found| found.unwrap().path()).collect();
        files.retain(|path| number(path).is_some());
        files.sort_by_key(number);
        assert!(files.len() > 10);
        files.push(path);
        let verified = verify(&files).unwrap();
        assert_eq!(verified.first, 1);
        assert!(verified.last >= 2 * STAMP_RECORDS && verified.stamps >= 2, "{verified:?}");
    }

    #[test]
    fn what_is_no_audit_log_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notes.txt");
        fs::write(&path, "milk\n").unwrap();
        assert!(matches!(FileAudit::open(&path, OnFailure::Continue), Err(AuditFault::NotALog(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "milk\n");
    }

    #[test]
    fn a_disk_that_refuses_stops_changes_only_if_the_operator_wants_it() {
        for (on_failure, may_act) in [(OnFailure::Continue, true), (OnFailure::Refuse, false)] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("audit.log");
            // Opened for reading only: every write fails.
            let log = Log::open(&path).unwrap();
            let log = Log { file: File::open(&path).unwrap(), ..log };
            let log = FileAudit::over(log, on_failure).unwrap();
            log.note(entry("x"));
            let by = tokio::time::Instant::now() + Duration::from_secs(20);
            while !log.state.broken.load(Relaxed) {
                assert!(tokio::time::Instant::now() < by, "the failure does not show");
                std::thread::yield_now();
            }
            assert_eq!(log.may_act(), may_act);
        }
    }
}
