//! A gateway that answers as a test tells it to, in frames over a Unix socket.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use gate_proto::frame::{self, Frames, HELLO, Request, Requests, Say};

/// What is said to a line, and the number at its end.
pub(crate) type Answer = (Vec<(Say, String)>, u16);

pub(crate) fn text(text: &str) -> Answer {
    (vec![(Say::Text, text.to_owned())], 0)
}

pub(crate) fn done() -> Answer {
    (vec![], 0)
}

pub(crate) fn error(number: u16, said: &str) -> Answer {
    (vec![(Say::Error, said.to_owned())], number)
}

/// Each request as it was heard: `run LINE` or `batch LINES`.
type Heard = Arc<Mutex<Vec<String>>>;

pub(crate) struct Double {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) socket: PathBuf,
    heard: Heard,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Double {
    /// Answers every line with what `answer` says, after having greeted so.
    pub(crate) fn start(greeting: &'static str, answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("control.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let (heard, stop) = (Heard::default(), Arc::new(AtomicBool::new(false)));
        let answer: Arc<dyn Fn(&str) -> Answer + Send + Sync> = Arc::new(answer);
        let thread = std::thread::spawn({
            let (heard, stop) = (Arc::clone(&heard), Arc::clone(&stop));
            move || {
                for stream in listener.incoming() {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let (heard, answer) = (Arc::clone(&heard), Arc::clone(&answer));
                    let _detached = std::thread::spawn(move || serve(stream.unwrap(), greeting, &heard, &*answer));
                }
            }
        });
        Self { folder, socket, heard, stop, thread: Some(thread) }
    }

    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = UnixStream::connect(&self.socket);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// Listens at `path` and says `said` to the first who comes, whatever he wants.
pub(crate) fn stranger(path: &Path, said: &'static [u8]) -> JoinHandle<()> {
    let listener = UnixListener::bind(path).unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(said).unwrap();
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    })
}

fn serve(mut stream: UnixStream, greeting: &str, heard: &Heard, answer: &dyn Fn(&str) -> Answer) {
    let mut hello = vec![0; HELLO.len() + 1];
    if stream.read_exact(&mut hello).is_err() {
        return;
    }
    assert_eq!(hello, format!("{HELLO}\n").as_bytes());
    say(&mut stream, &(vec![(Say::Text, format!("{greeting}\n"))], 0));
    let (mut frames, mut requests) = (Frames::default(), Requests::default());
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut bytes) {
        let mut rest = &bytes[..count];
        while let Some(frame) = frames.next(&mut rest).unwrap() {
            let said = match requests.take(frame).unwrap() {
                None => continue,
                Some(Request::Run(line)) => {
                    heard.lock().unwrap().push(format!("run {}", *line));
                    answer(&line)
                }
                Some(Request::Batch(lines)) => {
                    heard.lock().unwrap().push(format!("batch {}", *lines));
                    answer("batch")
                }
            };
            // The number of a gateway that goes away instead of answering.
            if said.1 == u16::MAX {
                return;
            }
            say(&mut stream, &said);
        }
    }
}

fn say(stream: &mut UnixStream, (said, number): &Answer) {
    let mut out = Vec::new();
    for (kind, text) in said {
        frame::write(*kind, text, &mut out);
    }
    frame::write(Say::End, &number.to_string(), &mut out);
    // A client that has gone away does not hear it.
    let _ = stream.write_all(&out);
}
