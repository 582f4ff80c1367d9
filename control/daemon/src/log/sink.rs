//! Where lines go, without anybody waiting for it.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Lines that may wait for the writer.
const LINES_MAX: usize = 4096;
/// How long an end waits for what has been logged; a reader that takes nothing for so long gets nothing.
const FLUSH_TIME: Duration = Duration::from_secs(1);
/// How long the writer lets lines gather when many come, so that one wake-up and one write serve all of them.
const GATHER_TIME: Duration = Duration::from_millis(10);
/// Pieces written at once within such a time, before lines are left to gather: whoever looks for a line that is one of few finds it.
const PIECES_AT_ONCE: u32 = 32;
/// Bytes from which on a piece is written though more wait.
const WRITE_BYTES: usize = 64 * 1024;

/// What waits, held only to move lines in or out, never while writing.
#[derive(Default)]
struct Waiting {
    lines: VecDeque<String>,
    /// Lines that found no room since the last one that did.
    lost: u64,
    /// The writer has taken lines that it has not written yet.
    writing: bool,
    /// The writer has nothing to do, and wants to be woken.
    idle: bool,
    /// Somebody waits for what there is.
    hurry: bool,
    /// No more will come.
    closed: bool,
}

#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    /// Something waits, or no more will come, and the writer is idle.
    put: Condvar,
    /// Somebody cannot wait until lines have gathered.
    hurry: Condvar,
    /// Nothing waits and nothing is being written.
    written: Condvar,
}

impl Queue {
    /// A panic under this lock leaves a queue that is whole: each change is one call.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end at which lines are put in.
pub(super) struct Sink(Arc<Queue>);

impl Sink {
    /// Standard error, with a thread of its own.
    pub(super) fn stderr() -> Self {
        Self::new(std::io::stderr())
    }

    fn new(to: impl Write + Send + 'static) -> Self {
        let queue = Arc::<Queue>::default();
        let end = Arc::clone(&queue);
        // Without the thread nobody takes lines out; they are lost, and nothing else happens.
        let _ = std::thread::Builder::new().name("log".to_owned()).spawn(move || write_all(to, &end));
        Self(queue)
    }

    /// Puts in a line; if there is no room, it is counted as lost.
    pub(super) fn line(&self, line: String) {
        let mut waiting = self.0.lock();
        if waiting.lines.len() >= LINES_MAX {
            waiting.lost += 1;
            return;
        }
        match std::mem::take(&mut waiting.lost) {
            0 => {}
            lost => waiting.lines.push_back(format!("… {lost} log lines were lost here: nobody read them in time\n")),
        }
        waiting.lines.push_back(line);
        let wake = std::mem::take(&mut waiting.idle);
        drop(waiting);
        if wake {
            self.0.put.notify_one();
        }
    }

    /// Waits, up to a bound, until everything before has been written.
    pub(super) fn flush(&self) {
        let busy = |waiting: &mut Waiting| {
            waiting.hurry = waiting.writing || !waiting.lines.is_empty();
            waiting.hurry
        };
        self.0.lock().hurry = true;
        self.0.hurry.notify_one();
        let waited = self.0.written.wait_timeout_while(self.0.lock(), FLUSH_TIME, busy);
        waited.unwrap_or_else(PoisonError::into_inner).0.hurry = false;
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.put.notify_one();
        self.0.hurry.notify_one();
    }
}

/// The writer thread. An error of the reader's is nobody's here: there is no one left to tell.
fn write_all(mut to: impl Write, queue: &Queue) {
    let mut piece = String::new();
    let (mut since, mut pieces) = (now(), 0);
    loop {
        let nothing = |waiting: &mut Waiting| {
            waiting.idle = waiting.lines.is_empty() && !waiting.closed;
            waiting.idle
        };
        let mut waiting = queue.put.wait_while(queue.lock(), nothing).unwrap_or_else(PoisonError::into_inner);
        let lines = std::mem::take(&mut waiting.lines);
        if lines.is_empty() {
            return;
        }
        waiting.writing = true;
        drop(waiting);
        for line in lines {
            piece.push_str(&line);
            if piece.len() >= WRITE_BYTES {
                let _ = to.write_all(piece.as_bytes());
                piece.clear();
            }
        }
        let _ = to.write_all(piece.as_bytes()).and_then(|()| to.flush());
        piece.clear();
        let mut waiting = queue.lock();
        waiting.writing = false;
        queue.written.notify_all();
        pieces += 1;
        if pieces == PIECES_AT_ONCE && since.elapsed() < GATHER_TIME {
            let patient = |waiting: &mut Waiting| !waiting.hurry && !waiting.closed;
            drop(queue.hurry.wait_timeout_while(waiting, GATHER_TIME, patient));
        }
        if pieces == PIECES_AT_ONCE || since.elapsed() >= GATHER_TIME {
            (since, pieces) = (now(), 0);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "how many pieces were written in a time, of the writer's thread alone")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn who_flushes_does_not_wait_for_others_to_come() {
        let (reader, writer) = UnixStream::pair().unwrap();
        let sink = Sink::new(writer);
        for n in 0..100 {
            sink.line(format!("{n}\n"));
            sink.flush();
            let waiting = sink.0.lock();
            assert!(waiting.lines.is_empty() && !waiting.writing && !waiting.hurry, "{n}");
        }
        drop(sink);
        assert_eq!(io::read_to_string(reader).unwrap(), (0..100).map(|n| format!("{n}\n")).collect::<String>());
    }

    #[test]
    fn a_stuck_reader_costs_lines_and_no_waiting() {
        let (reader, writer) = UnixStream::pair().unwrap();
        let sink = Sink::new(writer);
        let (line, lines) = ("x".repeat(1024) + "\n", 4 * LINES_MAX);
        for _ in 0..lines {
            sink.line(line.clone());
        }
        let reading = std::thread::spawn(move || io::read_to_string(reader).unwrap());
        while !sink.0.lock().lines.is_empty() {
            sink.flush();
        }
        sink.line("last\n".to_owned());
        sink.flush();
        drop(sink);
        let text = reading.join().unwrap();
        let said = text.lines().filter_map(|l| l.strip_prefix("… ")?.split(' ').next()?.parse::<u64>().ok()).sum::<u64>();
        assert!(said > 0, "more was put in than fits anywhere");
        assert_eq!(text.matches(&line).count() as u64 + said, lines as u64);
        assert!(text.ends_with("last\n"));
    }
}
