//! A made-up control plane: a thread that sleeps and wakes as a real one does, and redeems from a table.

use std::collections::HashMap;
use std::io::{ErrorKind, Read as _};
use std::net::SocketAddr;
use std::os::fd::AsRawFd as _;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use sluice_link::ask::{Ask, Closed, Redeem};
use sluice_link::id::{LaunchId, SessionKey};
use sluice_link::port::Sluice as _;
use sluice_link::tell::{Refusal, Target, Tell};
use sluice_worker::Post;

use crate::until;

/// What a ticket is worth.
#[derive(Clone, Copy)]
pub(crate) enum Verdict {
    /// This host.
    Go(SocketAddr),
    /// This host, but nobody is told before [`Control::release_held`].
    Hold(SocketAddr),
    /// Nothing.
    No(Refusal),
}

#[derive(Default)]
struct Books {
    tickets: HashMap<String, Verdict>,
    opened: Vec<(SessionKey, LaunchId)>,
    closed: Vec<Closed>,
    /// How many of `closed` have been looked at.
    seen: usize,
    held: Vec<(SessionKey, Target)>,
    launches: u64,
    issued: u64,
}

type Job = Box<dyn FnOnce(&mut Post) + Send>;

pub(crate) struct Control {
    books: Arc<Mutex<Books>>,
    jobs: Option<Sender<Job>>,
    waker: Arc<Waker>,
    thread: Option<JoinHandle<()>>,
}

/// Control does nothing at all while this lives.
pub(crate) struct Stall {
    _until: Sender<()>,
}

impl Control {
    pub(crate) fn start(post: Post) -> Self {
        let poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(1)).unwrap());
        let books = Arc::<Mutex<Books>>::default();
        let (jobs, waiting) = channel();
        let thread = thread::spawn({
            let books = books.clone();
            move || run(post, poll, &books, &waiting)
        });
        Self { books, jobs: Some(jobs), waker, thread: Some(thread) }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap()
    }

    /// A new ticket.
    pub(crate) fn issue(&self, verdict: Verdict) -> String {
        let mut books = self.books();
        books.issued += 1;
        let ticket = format!(";40;STA01;{:032X}", books.issued);
        books.tickets.insert(ticket.clone(), verdict);
        ticket
    }

    /// Runs `job` on the control thread.
    pub(crate) fn with<T: Send + 'static>(&self, job: impl FnOnce(&mut Post) -> T + Send + 'static) -> T {
        let (done, result) = channel();
        self.hand(Box::new(move |post| done.send(job(post)).unwrap()));
        result.recv().unwrap()
    }

    fn hand(&self, job: Job) {
        self.jobs.as_ref().unwrap().send(job).unwrap();
        self.waker.wake().unwrap();
    }

    /// Stalls the control thread; returns when it does.
    pub(crate) fn stall(&self) -> Stall {
        let (end, wait) = channel();
        let (begun, stalled) = channel();
        self.hand(Box::new(move |_| {
            begun.send(()).unwrap();
            let _ = wait.recv();
        }));
        stalled.recv().unwrap();
        Stall { _until: end }
    }

    /// Ends the control thread and drops its end of the queues.
    pub(crate) fn quit(&mut self) {
        self.jobs = None;
        let _ = self.waker.wake();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    /// Launches reported open, in order.
    pub(crate) fn opened(&self) -> Vec<LaunchId> {
        self.books().opened.iter().map(|(_, launch)| *launch).collect()
    }

    pub(crate) fn opened_keys(&self) -> Vec<SessionKey> {
        until("a session is reported open", || (!self.books().opened.is_empty()).then_some(()));
        self.books().opened.iter().map(|(key, _)| *key).collect()
    }

    /// The next end of a session that was reported.
    pub(crate) fn closed(&self) -> Closed {
        until("the end of a session is reported", || {
            let mut books = self.books();
            let closed = books.closed.get(books.seen).cloned();
            books.seen += usize::from(closed.is_some());
            closed
        })
    }

    pub(crate) fn closed_so_far(&self) -> usize {
        self.books().closed.len()
    }

    pub(crate) fn held(&self) -> usize {
        self.books().held.len()
    }

    /// Answers what was held back; gives the launches.
    pub(crate) fn release_held(&self) -> Vec<LaunchId> {
        let held = std::mem::take(&mut self.books().held);
        let launches = held.iter().map(|(_, target)| target.launch).collect();
        self.with(move |post| {
            for (key, target) in held {
                post.tell(key.worker, Tell::Redeemed { key, verdict: Ok(target) }).unwrap();
            }
        });
        launches
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.quit();
    }
}

fn run(mut post: Post, mut poll: Poll, books: &Mutex<Books>, jobs: &Receiver<Job>) {
    let wake = post.wake().as_raw_fd();
    poll.registry().register(&mut SourceFd(&wake), Token(0), Interest::READABLE).unwrap();
    let mut wake = std::fs::File::from(post.wake().try_clone_to_owned().unwrap());
    let mut events = Events::with_capacity(8);
    loop {
        while let Some(ask) = post.next_ask() {
            answer(&mut post, ask, &mut books.lock().unwrap());
        }
        loop {
            match jobs.try_recv() {
                Ok(job) => job(&mut post),
                Err(std::sync::mpsc::TryRecvError::Empty) => break,
                Err(std::sync::mpsc::TryRecvError::Disconnected) => return,
            }
        }
        // No limit on the sleep: a lost wake-up must show.
        if post.may_sleep() {
            poll.poll(&mut events, None).unwrap();
            if let Err(error) = wake.read(&mut [0; 8]) {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
            }
        }
    }
}

fn answer(post: &mut Post, ask: Ask, books: &mut Books) {
    match ask {
        Ask::Redeem(Redeem { key, ticket, .. }) => {
            let verdict = books.tickets.remove(ticket.expose()).unwrap_or(Verdict::No(Refusal::Ticket));
            let mut target = |address| {
                books.launches += 1;
                Target { address, launch: LaunchId(books.launches), tls: None }
            };
            let verdict = match verdict {
                Verdict::Go(address) => Ok(target(address)),
                Verdict::No(refusal) => Err(refusal),
                Verdict::Hold(address) => {
                    let target = target(address);
                    books.held.push((key, target));
                    return;
                }
            };
            post.tell(key.worker, Tell::Redeemed { key, verdict }).unwrap();
        }
        Ask::Opened(opened) => books.opened.push((opened.key, opened.launch)),
        Ask::Closed(closed) => books.closed.push(closed),
    }
}
