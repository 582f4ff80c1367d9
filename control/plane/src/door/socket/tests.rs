//! Both ends in one runtime whose clock stands still until nobody has anything to do: deadlines pass at once, and never early.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use gate_proto::frame::{self, Ask, Frames, HELLO, PAYLOAD_BYTES_MAX, Say};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Notify;

use super::talk::{BATCH_TIME, IDLE_TIME};
use super::wire::WRITE_TIME;
use super::*;
use crate::reply::Said;

/// The user that whoever connects next is.
struct System(AtomicU32);

const CHANGES: u32 = 1;
const READS: u32 = 2;
const STRANGER: u32 = 3;

impl Credentials for System {
    fn peer(&self, _: std::os::fd::BorrowedFd<'_>) -> std::io::Result<Peer> {
        let uid = self.0.load(Relaxed);
        Ok(Peer { pid: 77, uid, gid: uid, groups: Vec::new() })
    }

    fn group(&self, name: &str) -> Option<u32> {
        (name == "readers").then_some(READS)
    }

    fn own_uid(&self) -> u32 {
        500
    }
}

/// Does what the tests say.
#[derive(Default)]
struct Console {
    heard: Mutex<Vec<String>>,
    go_on: Notify,
}

impl Console {
    fn hear(&self, what: impl Into<String>) {
        self.heard.lock().unwrap().push(what.into());
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

impl Obey for Console {
    async fn line(self: Arc<Self>, by: Operator, line: Zeroizing<String>, reply: Reply) -> u16 {
        self.hear(format!("{}: {}", by.peer.uid, *line));
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["show", what] => reply.say(Said::Text(format!("1)\tName: {what}\n"))),
            ["two"] => {
                reply.say(Said::Text("one\n".to_owned()));
                reply.say(Said::Done);
                reply.say(Said::Warning("careful".to_owned()));
            }
            ["set", ..] if by.level < Level::Change => {
                reply.say(Said::Error("Permission denied".to_owned()));
                return 269;
            }
            ["big", bytes] => {
                let line = format!("{}\n", "x".repeat(1023));
                (0..bytes.parse::<usize>().unwrap() / 1024).for_each(|_| reply.say(Said::Text(line.clone())));
            }
            ["watch"] => {
                reply.say(Said::Progress("2 left".to_owned()));
                reply.gone().await;
                self.hear("nobody watches");
            }
            ["change"] => {
                self.go_on.notified().await;
                self.hear("changed");
            }
            ["break"] => panic!("on purpose"),
            _ => {}
        }
        0
    }

    async fn batch(self: Arc<Self>, _: Operator, lines: Zeroizing<String>, reply: Reply) -> u16 {
        self.hear(format!("batch of {} lines, {} bytes", lines.lines().count(), lines.len()));
        if lines.starts_with("wait") {
            self.go_on.notified().await;
        }
        reply.say(Said::Error("line 2: No such resource".to_owned()));
        1059
    }
}

struct Rig {
    console: Arc<Console>,
    system: Arc<System>,
    operators: watch::Sender<Operators>,
    stop: watch::Sender<bool>,
    path: PathBuf,
    _dir: tempfile::TempDir,
}

fn rig() -> Rig {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let system = Arc::new(System(AtomicU32::new(0)));
    let console = Arc::<Console>::default();
    let groups = Operators { read_group: Some("readers".into()), change_group: Some("1".into()) };
    let (operators, configured) = watch::channel(groups);
    let (stop, stopped) = watch::channel(false);
    let clock = Clock::new(tokio::time::Instant::now().into_std());
    let settings = Settings { path: path.clone(), system: system.clone(), operators: configured, clock };
    tokio::spawn(Door::new(settings, console.clone()).serve(listener, stopped));
    Rig { console, system, operators, stop, path, _dir: dir }
}

impl Rig {
    async fn connect(&self, uid: u32) -> UnixStream {
        self.system.0.store(uid, Relaxed);
        let stream = UnixStream::connect(&self.path).await.unwrap();
        // Until it was asked who it is.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        stream
    }

    /// Everything that is answered to `said`, after which nothing more is said.
    async fn answer(&self, said: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect(0).await;
        stream.write_all(said.as_ref()).await.unwrap();
        stream.shutdown().await.unwrap();
        rest(stream).await
    }

    async fn framed(&self, uid: u32) -> Framed {
        let mut stream = self.connect(uid).await;
        stream.write_all(format!("{HELLO}\n").as_bytes()).await.unwrap();
        let mut framed = Framed { stream, frames: Frames::default(), unread: Vec::new() };
        let word = if uid == READS { "read" } else { "change" };
        let greeting = format!("Sluicegate {} {word}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!(framed.answer().await, [(Say::Text, greeting), (Say::End, "0".to_owned())]);
        framed
    }

    async fn wait_for(&self, what: &str) {
        while !self.console.heard().iter().any(|heard| heard == what) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

async fn rest(mut stream: UnixStream) -> String {
    let mut text = String::new();
    match stream.read_to_string(&mut text).await {
        Ok(_) => text,
        Err(error) => format!("{text}{error}"),
    }
}

async fn line(stream: &mut UnixStream) -> String {
    let mut text = Vec::new();
    while text.last() != Some(&b'\n') {
        text.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(text).unwrap()
}

struct Framed {
    stream: UnixStream,
    frames: Frames<Say>,
    unread: Vec<u8>,
}

impl Framed {
    async fn say(&mut self, kind: Ask, text: &str) {
        let mut out = Vec::new();
        frame::write(kind, text, &mut out);
        self.stream.write_all(&out).await.unwrap();
    }

    async fn next(&mut self) -> Option<(Say, String)> {
        loop {
            let mut rest = self.unread.as_slice();
            let found = self.frames.next(&mut rest).unwrap();
            self.unread = rest.to_vec();
            if let Some(frame) = found {
                return Some((frame.kind, frame.payload.to_string()));
            }
            if self.stream.read_buf(&mut self.unread).await.unwrap() == 0 {
                return None;
            }
        }
    }

    async fn answer(&mut self) -> Vec<(Say, String)> {
        let mut all = Vec::new();
        while let Some(said) = self.next().await {
            let is_end = said.0 == Say::End;
            all.push(said);
            if is_end {
                break;
            }
        }
        all
    }

    async fn run(&mut self, line: &str) -> Vec<(Say, String)> {
        self.say(Ask::Run, line).await;
        self.answer().await
    }
}

fn said<const N: usize>(all: [(Say, &str); N]) -> Vec<(Say, String)> {
    all.map(|(kind, text)| (kind, text.to_owned())).to_vec()
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn lines_are_answered_as_people_read_them() {
    let rig = rig();
    assert_eq!(
        rig.answer("show a\r\n# nothing\n\n  \nset b\ntwo\nshow c").await,
        "1)\tName: a\n Done\n Done\none\n Done\nWarning: careful\n Done\n1)\tName: c\n Done\n"
    );
    assert_eq!(rig.console.heard(), ["0: show a", "0: set b", "0: two", "0: show c"]);
    assert_eq!(rig.answer("show a\nexit\nshow b\n").await, "1)\tName: a\n Done\n");
    assert_eq!(rig.answer("").await, "");
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_bad_line_costs_itself_only() {
    let rig = rig();
    let long = "x".repeat(frame::LINE_BYTES_MAX + 1);
    let mut bytes = format!("{long}\nshow a\0b\n").into_bytes();
    bytes.extend_from_slice(b"show \xff\nshow c\nsho");
    assert_eq!(
        rig.answer(bytes).await,
        "ERROR: Invalid argument [a line has at most 16384 bytes]\n1)\tName: a\0b\n Done\n\
         ERROR: Invalid argument [a line is UTF-8]\n1)\tName: c\n Done\n Done\n"
    );
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn frames_are_answered_in_frames() {
    let rig = rig();
    let mut framed = rig.framed(CHANGES).await;
    assert_eq!(framed.run("show a").await, said([(Say::Text, "1)\tName: a\n"), (Say::End, "0")]));
    assert_eq!(framed.run("two").await, said([(Say::Text, "one\n"), (Say::Warning, "careful"), (Say::End, "0")]));
    framed.say(Ask::Batch, "set a\nse").await;
    framed.say(Ask::Batch, "t b\n").await;
    framed.say(Ask::Go, "").await;
    assert_eq!(framed.answer().await, said([(Say::Error, "line 2: No such resource"), (Say::End, "1059")]));
    assert_eq!(rig.console.heard().last().unwrap(), "batch of 2 lines, 12 bytes");
    // The next may be said before the last was answered.
    for line in ["show a", "set b", "show c"] {
        framed.say(Ask::Run, line).await;
    }
    assert_eq!(framed.answer().await[0].1, "1)\tName: a\n");
    assert_eq!(framed.answer().await, said([(Say::End, "0")]));
    assert_eq!(framed.answer().await[0].1, "1)\tName: c\n");
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_bad_request_costs_itself_and_a_bad_frame_the_connection() {
    let rig = rig();
    let mut framed = rig.framed(CHANGES).await;
    framed.say(Ask::Go, "x").await;
    let bad = said([(Say::Error, "Invalid argument [go has no payload]"), (Say::End, "278")]);
    assert_eq!(framed.answer().await, bad);
    assert_eq!(framed.run("show a").await.len(), 2);
    framed.stream.write_all(b"run 3\nabcrubbish\nrun 3\nabc").await.unwrap();
    assert_eq!(framed.answer().await, said([(Say::End, "0")]));
    let broken = said([(Say::Error, "Invalid syntax in term [the header of a frame is not KIND LENGTH]"), (Say::End, "278")]);
    assert_eq!(framed.answer().await, broken);
    assert_eq!(framed.next().await, None);
    let mut stream = rig.connect(0).await;
    stream.write_all(b"#sluicectl 2\nshow a\n").await.unwrap();
    assert_eq!(rest(stream).await, "ERROR: Invalid argument [this gateway speaks #sluicectl 1]\n");
    assert_eq!(rig.console.heard(), ["1: show a", "1: abc"]);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn everybody_gets_the_level_of_who_they_are() {
    let rig = rig();
    assert_eq!(rig.framed(READS).await.run("set a").await, said([(Say::Error, "Permission denied"), (Say::End, "269")]));
    assert_eq!(rig.framed(CHANGES).await.run("set a").await, said([(Say::End, "0")]));
    assert_eq!(rig.framed(500).await.run("set a").await, said([(Say::End, "0")]));
    let mut stranger = rig.connect(STRANGER).await;
    let _ = stranger.write_all(b"show a\n").await;
    assert_eq!(line(&mut stranger).await, "ERROR: Permission denied [uid 3]\n");
    rig.operators.send_modify(|operators| operators.read_group = Some("3".into()));
    let mut known = rig.connect(STRANGER).await;
    known.write_all(b"show a\n").await.unwrap();
    assert_eq!(line(&mut known).await, "1)\tName: a\n");
    assert_eq!(rest(rig.connect(READS).await).await, "ERROR: Permission denied [uid 2]\n");
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn the_socket_belongs_to_the_group_that_may_connect() {
    use std::os::unix::fs::MetadataExt as _;
    let rig = rig();
    let facts = || std::fs::metadata(&rig.path).map(|facts| (facts.mode() & 0o777, facts.gid())).unwrap();
    let own = std::fs::metadata(rig.path.parent().unwrap()).unwrap().gid();
    rig.connect(0).await;
    // Only root may give files away.
    let read = if own == 0 { READS } else { own };
    assert_eq!(facts(), (0o660, read));
    rig.operators.send_replace(Operators { read_group: None, change_group: None });
    rig.connect(0).await;
    assert_eq!(facts(), (0o600, own));
    rig.operators
        .send_replace(Operators { read_group: Some("no-such-group".into()), change_group: Some(own.to_string().into()) });
    rig.connect(0).await;
    assert_eq!(facts(), (0o660, own));
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn one_connection_too_many_is_told_so() {
    let rig = rig();
    let mut all = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        all.push(rig.connect(CHANGES).await);
    }
    assert_eq!(rest(rig.connect(CHANGES).await).await, "ERROR: Session limit exceeded [32 connections]\n");
    assert_eq!(rest(rig.connect(STRANGER).await).await, "ERROR: Permission denied [uid 3]\n");
    all.pop();
    let mut stream = rig.connect(CHANGES).await;
    stream.write_all(b"show a\n").await.unwrap();
    assert_eq!(line(&mut stream).await, "1)\tName: a\n");
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn who_says_nothing_whole_for_too_long_must_go() {
    let rig = rig();
    let begun = tokio::time::Instant::now();
    let mut stream = rig.connect(CHANGES).await;
    stream.write_all(b"show a\n").await.unwrap();
    assert_eq!(line(&mut stream).await + &line(&mut stream).await, "1)\tName: a\n Done\n");
    let (mut reading, mut writing) = stream.into_split();
    let trickle = tokio::spawn(async move {
        while writing.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
    });
    let mut text = String::new();
    let _ = reading.read_to_string(&mut text).await;
    assert_eq!(text, "ERROR: Session expired or killed. Please login again [no whole request in time]\n");
    let took = begun.elapsed();
    assert!(took >= IDLE_TIME && took < IDLE_TIME + Duration::from_secs(5), "{took:?}");
    trickle.await.unwrap();

    let begun = tokio::time::Instant::now();
    let mut framed = rig.framed(CHANGES).await;
    framed.say(Ask::Batch, "set a\n").await;
    assert_eq!(framed.answer().await[1], (Say::End, "444".to_owned()));
    let took = begun.elapsed();
    assert!(took >= BATCH_TIME && took < BATCH_TIME + Duration::from_secs(5), "{took:?}");
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn who_does_not_read_delays_nobody_and_must_go() {
    let rig = rig();
    let mut slow = rig.connect(CHANGES).await;
    slow.write_all(b"big 67000000\n").await.unwrap();
    rig.wait_for("1: big 67000000").await;
    let begun = tokio::time::Instant::now();
    assert_eq!(rig.answer("show a\n").await, "1)\tName: a\n Done\n");
    assert!(begun.elapsed() < Duration::from_secs(1));
    tokio::time::sleep(WRITE_TIME).await;
    let text = rest(slow).await;
    assert!(!text.contains("Done") && text.len() < 1 << 20, "{} bytes", text.len());
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn an_answer_that_is_too_long_says_so() {
    let rig = rig();
    let mut framed = rig.framed(CHANGES).await;
    let all = framed.run("big 70000000").await;
    let bytes: usize = all.iter().filter(|(kind, _)| *kind == Say::Text).map(|(_, text)| text.len()).sum();
    assert!(bytes > 60_000_000 && bytes < 70_000_000 - 1024, "{bytes}");
    assert_eq!(all[all.len() - 1], (Say::End, "278".to_owned()));
    assert_eq!(framed.run("show a").await.len(), 2);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn who_leaves_ends_what_it_watched_and_nothing_else() {
    let rig = rig();
    let mut watching = rig.connect(CHANGES).await;
    watching.write_all(b"watch\n").await.unwrap();
    assert_eq!(line(&mut watching).await, "2 left\n");
    // Its own direction ended: it still waits for the answer.
    watching.shutdown().await.unwrap();
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(!rig.console.heard().contains(&"nobody watches".to_owned()));
    drop(watching);
    rig.wait_for("nobody watches").await;

    let mut changing = rig.connect(CHANGES).await;
    changing.write_all(b"change\n").await.unwrap();
    rig.wait_for("1: change").await;
    drop(changing);
    tokio::time::sleep(Duration::from_secs(5)).await;
    rig.console.go_on.notify_one();
    rig.wait_for("changed").await;
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_request_under_way_keeps_its_place_when_its_client_leaves() {
    let rig = rig();
    for _ in 0..CONNECTIONS_MAX {
        let mut changing = rig.connect(CHANGES).await;
        changing.write_all(b"change\n").await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(rig.console.heard().len(), CONNECTIONS_MAX);
    assert_eq!(rest(rig.connect(CHANGES).await).await, "ERROR: Session limit exceeded [32 connections]\n");
    rig.console.go_on.notify_waiters();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(rig.framed(CHANGES).await.run("show a").await.len(), 2);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn batches_are_large_and_few() {
    let rig = rig();
    let part = "set ns hostName a-name-that-is-31x\n".repeat(PAYLOAD_BYTES_MAX / 36);
    let mut holding = Vec::new();
    for _ in 0..BATCHES_MAX {
        let mut framed = rig.framed(CHANGES).await;
        framed.say(Ask::Batch, "wait\n").await;
        for _ in 0..frame::BATCH_BYTES_MAX / PAYLOAD_BYTES_MAX {
            framed.say(Ask::Batch, &part).await;
        }
        framed.say(Ask::Go, "").await;
        holding.push(framed);
    }
    rig.wait_for(&format!("batch of {} lines, {} bytes", 1 + part.lines().count() * 128, 5 + part.len() * 128)).await;
    let mut third = rig.framed(CHANGES).await;
    third.say(Ask::Batch, "set a\n").await;
    third.say(Ask::Go, "").await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(rig.console.heard().len(), BATCHES_MAX);
    rig.console.go_on.notify_one();
    rig.wait_for("batch of 1 lines, 6 bytes").await;
    assert_eq!(third.answer().await.len(), 2);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_broken_console_answers_and_goes_on() {
    let rig = rig();
    let mut framed = rig.framed(CHANGES).await;
    assert_eq!(framed.run("break").await, said([(Say::Error, "Internal error"), (Say::End, "1")]));
    assert_eq!(framed.run("show a").await.len(), 2);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn when_the_gateway_stops_answers_are_finished() {
    let rig = rig();
    let idle = rig.connect(CHANGES).await;
    let mut busy = rig.connect(CHANGES).await;
    busy.write_all(b"change\n").await.unwrap();
    rig.wait_for("1: change").await;
    rig.stop.send_replace(true);
    assert_eq!(rest(idle).await, "");
    rig.console.go_on.notify_one();
    assert_eq!(rest(busy).await, " Done\n");
    let _ = UnixStream::connect(&rig.path).await.unwrap_err();
}
