//! Ends a conversation in which nothing is said any more: somebody else may sit down before it.
//!
//! The editor waits for keys and cannot be told to stop, so a thread of its own gives the terminal back as it was and ends the process.

use std::io::{self, Write as _};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

/// The watching thread. It ends with the conversation.
#[derive(Debug)]
pub struct Watch(Sender<Option<Duration>>);

impl Watch {
    /// Begins; until something is awaited, nothing happens.
    ///
    /// # Errors
    /// If there is no thread to be had.
    pub fn start() -> io::Result<Self> {
        let as_found = tcgetattr(io::stdin()).ok();
        let (to, news) = channel();
        thread::Builder::new().name("watch".into()).spawn(move || watch(&news, as_found.as_ref()))?;
        Ok(Self(to))
    }

    /// From now on a command is awaited, for so long at most.
    pub fn wait(&self, most: Option<Duration>) {
        self.tell(most);
    }

    /// A command has come.
    pub fn rest(&self) {
        self.tell(None);
    }

    fn tell(&self, most: Option<Duration>) {
        // If the thread is gone, nobody watches; that is no reason to stop talking.
        let _ = self.0.send(most);
    }
}

fn watch(news: &Receiver<Option<Duration>>, as_found: Option<&Termios>) {
    let mut most = None;
    loop {
        let told = match most {
            Some(most) => news.recv_timeout(most),
            None => news.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match told {
            Ok(new) => most = new,
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {
                if let Some(termios) = as_found {
                    // A terminal that is gone needs no giving back.
                    let _ = tcsetattr(io::stdin(), OptionalActions::Now, termios);
                }
                let mut out = io::stdout();
                let _ = out.write_all(b"\r\nNothing was said for too long; `set cli mode -timeout` says how long that is.\r\n");
                let _ = out.flush();
                #[expect(
                    clippy::exit,
                    reason = "the editor is waiting for a key on the main thread, and cannot be told to stop"
                )]
                std::process::exit(0);
            }
        }
    }
}
