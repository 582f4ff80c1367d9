//! A gateway made of a configuration text, and an operator at its control socket.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gate_config::files::{FileError, Files, Purpose};
use gate_config::model::{Log, Model};
use gate_config::{ListenerIds, Strictness, check, snapshot};
use gate_plane::audit::Audit;
use gate_plane::files::{ConfigFile, Key};
use gate_plane::peer::{Credentials, Peer};
use gate_plane::{ControlSocket, PlaneSettings};
use gate_proto::audit::Entry;
use gate_proto::frame::{self, Ask, Frame, Frames, HELLO, Say};
use sluice_link::id::SnapshotId;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use super::{House, SOON, Workers, now};

/// The user who may change; others may look.
pub(crate) const ADMIN: u32 = 0;
pub(crate) const READER: u32 = 1000;

/// What the test has put where files would be. Shared, so that it can change.
#[derive(Clone, Default)]
pub(crate) struct Disk(Arc<Mutex<BTreeMap<PathBuf, Vec<u8>>>>);

impl Disk {
    pub(crate) fn put(&self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.0.lock().unwrap().insert(path.into(), bytes.into());
    }

    pub(crate) fn text(&self, path: &str) -> String {
        String::from_utf8(self.0.lock().unwrap().get(Path::new(path)).unwrap().clone()).unwrap()
    }

    /// A certificate with its key as `NAME.pem` and `NAME.key`.
    pub(crate) fn certificate(&self, name: &str) {
        let made = rcgen::generate_simple_self_signed(vec![super::FQDN.to_owned()]).unwrap();
        self.put(&format!("{name}.pem"), made.cert.pem());
        self.put(&format!("{name}.key"), made.signing_key.serialize_pem());
    }
}

impl Files for Disk {
    fn read(&self, path: &Path, purpose: Purpose) -> Result<Zeroizing<Vec<u8>>, FileError> {
        let files = self.0.lock().unwrap();
        if purpose == Purpose::Form {
            gate_plane::files::form(path, |path| files.read(path, purpose))
        } else {
            files.read(path, purpose)
        }
    }
}

/// The configuration file, on that disk.
struct OnDisk(Disk);

const NAME: &str = "ns.conf";
const KEY_NAME: &str = "sluicegate.key";

impl ConfigFile for OnDisk {
    fn path(&self) -> &Path {
        Path::new(NAME)
    }

    fn read(&self) -> io::Result<Zeroizing<String>> {
        let bytes = self.0.0.lock().unwrap().get(self.path()).cloned().ok_or(io::ErrorKind::NotFound)?;
        String::from_utf8(bytes).map(Zeroizing::new).map_err(|_| io::ErrorKind::InvalidData.into())
    }

    fn write(&self, text: &str) -> io::Result<()> {
        self.0.put(NAME, text);
        Ok(())
    }

    fn key(&self) -> io::Result<Option<Key>> {
        let bytes = self.0.0.lock().unwrap().get(Path::new(KEY_NAME)).cloned();
        bytes.map(|bytes| bytes.try_into().map(Key::new).map_err(|_| io::ErrorKind::InvalidData.into())).transpose()
    }

    fn make_key(&self, key: &Key) -> io::Result<()> {
        self.0.put(KEY_NAME, &key[..]);
        Ok(())
    }
}

/// Who connects is whoever the test says.
#[derive(Default)]
struct System(Mutex<u32>);

impl Credentials for System {
    fn peer(&self, _: BorrowedFd<'_>) -> io::Result<Peer> {
        Ok(Peer { pid: 4711, uid: *self.0.lock().unwrap(), gid: 9, groups: vec![30] })
    }

    fn group(&self, name: &str) -> Option<u32> {
        (name == "readers").then_some(30)
    }

    fn own_uid(&self) -> u32 {
        500
    }
}

/// Keeps what is written down.
#[derive(Clone, Default)]
pub(crate) struct Notes {
    entries: Arc<Mutex<Vec<Entry>>>,
    is_broken: Arc<AtomicBool>,
}

impl Audit for Notes {
    fn note(&self, entry: Entry) {
        self.entries.lock().unwrap().push(entry);
    }

    fn may_act(&self) -> bool {
        !self.is_broken.load(SeqCst)
    }

    fn lost(&self) -> u64 {
        0
    }
}

impl Notes {
    /// Whether what must be written down may be done.
    pub(crate) fn set_may_act(&self, may: bool) {
        self.is_broken.store(!may, SeqCst);
    }

    pub(crate) fn taken(&self) -> Vec<String> {
        self.entries.lock().unwrap().drain(..).map(|entry| format!("{} {:?}", entry.event, entry.fields)).collect()
    }
}

/// A control plane of a configuration, with everything around it.
pub(crate) struct Live {
    pub(crate) house: House,
    pub(crate) disk: Disk,
    pub(crate) notes: Notes,
    /// Every setting of the log that was put into force.
    pub(crate) logs: Arc<Mutex<Vec<Log>>>,
    system: Arc<System>,
    socket: PathBuf,
}

impl Live {
    /// The text is in the file, too. It finds the certificates `gw` and `other` on its disk.
    pub(crate) fn of(text: &str) -> Self {
        let disk = Disk::default();
        disk.certificate("gw");
        disk.certificate("other");
        let directory = tempfile::tempdir().unwrap();
        let (inner, socket) = (directory.path().join("inner.sock"), directory.path().join("control.sock"));
        let text = format!("set ns config -innerSocket {}\n{text}", inner.display());
        disk.put(NAME, text.as_str());
        let checked = check(NAME, &text, Strictness::Strict, &disk);
        let problems: Vec<String> = checked.errors().map(ToString::to_string).collect();
        let model: Model = checked.model.unwrap_or_else(|| panic!("{problems:#?}"));
        let mut ids = ListenerIds::default();
        let snapshot = Arc::new(snapshot(&model, &checked.files, SnapshotId(1), &mut ids).unwrap());
        let listeners: Vec<_> = snapshot.listeners.iter().map(|one| (one.id, one.address)).collect();
        let bind = |address| std::net::TcpListener::bind(address).unwrap();
        let (system, notes) = (Arc::new(System::default()), Notes::default());
        let logs = Arc::new(Mutex::new(Vec::new()));
        let settings = PlaneSettings {
            listening: listeners.iter().map(|(_, address)| *address).collect(),
            inner: UnixListener::bind(&inner).unwrap(),
            farm_servers: model.farm.servers.values().map(|one| bind(one.address)).collect(),
            farm_hosts: model.farm.hosts.values().map(|one| bind(one.address)).collect(),
            model: Arc::new(model),
            files: Arc::new(checked.files),
            snapshot,
            state: None,
            origin: now(),
            ids,
            reader: Arc::new(disk.clone()),
            file: Some(Arc::new(OnDisk(disk.clone()))),
            strictness: Strictness::Strict,
            audit: Arc::new(notes.clone()),
            set_log: {
                let logs = logs.clone();
                Box::new(move |log| logs.lock().unwrap().push(log))
            },
            kernel_tls: || Err("there is none in tests".to_owned()),
            control: Some(ControlSocket {
                listener: UnixListener::bind(&socket).unwrap(),
                path: socket.clone(),
                system: system.clone(),
            }),
        };
        let (workers, sluice) = Workers::new();
        *workers.shared.addresses.lock().unwrap() = listeners;
        let (commands, waiting) = mpsc::channel(gate_plane::COMMANDS_MAX);
        let (ready, is_ready) = channel();
        let thread = std::thread::spawn(move || {
            gate_plane::run(settings, Box::new(sluice), waiting, || ready.send(()).unwrap()).unwrap();
        });
        is_ready.recv_timeout(SOON).expect("the control plane begins");
        let house = House { workers, commands, inner, _directory: directory, thread: Some(thread) };
        Self { house, disk, notes, logs, system, socket }
    }

    /// Somebody at the control socket.
    pub(crate) fn operator(&self, uid: u32) -> Operator {
        *self.system.0.lock().unwrap() = uid;
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream.write_all(format!("{HELLO}\n").as_bytes()).unwrap();
        let mut operator = Operator { stream, frames: Frames::default(), read: Vec::new() };
        // Once it greets, the socket knows who it is, and the next one may be somebody else.
        operator.hear();
        operator
    }
}

/// See [`Live::operator`].
pub(crate) struct Operator {
    stream: UnixStream,
    frames: Frames<Say>,
    read: Vec<u8>,
}

/// What an operator is told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Answers, one behind the other.
    pub(crate) text: String,
    pub(crate) warnings: Vec<String>,
    pub(crate) errors: Vec<String>,
    pub(crate) progress: Vec<String>,
    /// 0: done.
    pub(crate) number: u16,
}

impl Told {
    /// The answer of a command that must be right.
    #[track_caller]
    pub(crate) fn done(self) -> Self {
        assert_eq!(self.number, 0, "{self:?}");
        self
    }

    /// The value behind a label.
    #[track_caller]
    pub(crate) fn value(&self, label: &str) -> &str {
        let start = format!("{label}: ");
        let found = self
            .text
            .lines()
            .find_map(|line| line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ')' || c == '\t').strip_prefix(&start));
        found.unwrap_or_else(|| panic!("no {label} in {}", self.text))
    }
}

impl Operator {
    /// One line, and all that comes of it.
    pub(crate) fn say(&mut self, line: &str) -> Told {
        let mut bytes = Vec::new();
        frame::write(Ask::Run, line, &mut bytes);
        self.stream.write_all(&bytes).unwrap();
        self.hear()
    }

    /// Many lines, and all that comes of them.
    pub(crate) fn batch(&mut self, lines: &str) -> Told {
        let mut bytes = Vec::new();
        let mut rest = lines;
        while !rest.is_empty() {
            let mut end = rest.len().min(frame::PAYLOAD_BYTES_MAX);
            while !rest.is_char_boundary(end) {
                end -= 1;
            }
            let (part, more) = rest.split_at(end);
            frame::write(Ask::Batch, part, &mut bytes);
            rest = more;
        }
        frame::write(Ask::Go, "", &mut bytes);
        self.stream.write_all(&bytes).unwrap();
        self.hear()
    }

    fn hear(&mut self) -> Told {
        let mut told = Told::default();
        loop {
            let frame = self.frame();
            let text = frame.payload.to_string();
            match frame.kind {
                Say::Text => told.text.push_str(&text),
                Say::Warning => told.warnings.push(text),
                Say::Error => told.errors.push(text),
                Say::Progress => told.progress.push(text),
                Say::End => {
                    told.number = text.parse().unwrap();
                    return told;
                }
            }
        }
    }

    fn frame(&mut self) -> Frame<Say> {
        loop {
            let mut bytes = self.read.as_slice();
            let found = self.frames.next(&mut bytes).unwrap();
            self.read = bytes.to_vec();
            if let Some(frame) = found {
                return frame;
            }
            let mut room = [0; 16 * 1024];
            let count = self.stream.read(&mut room).unwrap();
            assert_ne!(count, 0, "the control socket was closed");
            self.read.extend_from_slice(&room[..count]);
        }
    }
}

/// Waits until `fits`.
#[track_caller]
pub(crate) fn until(what: &str, mut fits: impl FnMut() -> bool) {
    let by = now() + SOON;
    while !fits() {
        assert!(now() < by, "{what} does not come to be");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}
