//! The data plane's counters: the list, once.
//!
//! Each worker owns one [`Counters`] and is its only writer, so an increment is a load and a store, not a locked
//! instruction. Anybody may read at any time; a read is not a consistent cut across counters.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::reason::Reason;

/// How a number behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// One number that only its worker writes.
#[derive(Debug, Default)]
pub struct Cell(AtomicU64);

impl Cell {
    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    /// Adds one.
    pub fn one(&self) {
        self.add(1);
    }

    /// Takes one away.
    pub fn less(&self) {
        self.0.store(self.0.load(Relaxed).saturating_sub(1), Relaxed);
    }

    /// Sets it.
    pub fn set(&self, n: u64) {
        self.0.store(n, Relaxed);
    }

    /// Reads it.
    #[must_use]
    pub fn read(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident: $kind:ident;)+) => {
        /// What one worker counts.
        #[derive(Debug)]
        pub struct Counters {
            $($(#[doc = $doc])+ pub $name: Cell,)+
            closed: Box<[Cell]>,
        }

        impl Default for Counters {
            fn default() -> Self {
                Self { $($name: Cell::default(),)+ closed: Reason::ALL.iter().map(|_| Cell::default()).collect() }
            }
        }

        impl Counters {
            /// All numbers as they are now.
            #[must_use]
            pub fn read(&self) -> Totals {
                Totals {
                    $($name: self.$name.read(),)+
                    closed: self.closed.iter().map(Cell::read).collect(),
                }
            }
        }

        /// Numbers read from [`Counters`].
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Totals {
            $($(#[doc = $doc])+ pub $name: u64,)+
            /// Sessions ended, by [`Reason::index`].
            pub closed: Vec<u64>,
        }

        impl Totals {
            /// Names, kinds, help texts and values, for whoever prints them. [`Totals::closed`] is not among them.
            #[must_use]
            pub fn list(&self) -> Vec<(&'static str, Kind, &'static str, u64)> {
                vec![$((stringify!($name), Kind::$kind, concat!($($doc),+).trim_ascii(), self.$name),)+]
            }

            /// Adds the numbers of another worker.
            pub fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)+
                self.closed.resize(Reason::ALL.len(), 0);
                for (mine, theirs) in self.closed.iter_mut().zip(&other.closed) {
                    *mine += theirs;
                }
            }
        }
    };
}

counters! {
    /// Connections accepted.
    accepted: Counter;
    /// Sessions in any state, from accept to freed slot.
    sessions: Gauge;
    /// Sessions whose bytes flow between a client and a host.
    spliced: Gauge;
    /// Connections being carried to the portal.
    portal: Gauge;
    /// TLS handshakes completed with clients.
    handshakes: Counter;
    /// Of those, resumed by a session ticket.
    resumed: Counter;
    /// Of those, with a post-quantum key exchange.
    post_quantum: Counter;
    /// SOCKS5 greetings received.
    socks_greetings: Counter;
    /// SOCKS5 connect requests received.
    socks_requests: Counter;
    /// SOCKS5 connect requests answered with success.
    socks_connected: Counter;
    /// SOCKS5 connect requests answered with a failure.
    socks_refused: Counter;
    /// Openings that were CGP.
    cgp_openings: Counter;
    /// Openings that were HTTP.
    http_openings: Counter;
    /// Tickets handed to control.
    tickets_asked: Counter;
    /// Answers that came for a session that was already gone.
    stale_answers: Counter;
    /// Sessions refused since the queue to control was full.
    control_queue_full: Counter;
    /// Connections made to hosts.
    hosts_connected: Counter;
    /// Connections to hosts that failed.
    hosts_failed: Counter;
    /// Plaintext bytes from clients to hosts.
    up_bytes: Counter;
    /// Plaintext bytes from hosts to clients.
    down_bytes: Counter;
    /// TLS records opened.
    records_opened: Counter;
    /// TLS records sealed.
    records_sealed: Counter;
    /// Key updates sent or received.
    key_updates: Counter;
    /// Turns of the loop.
    turns: Counter;
    /// Completions or readiness events handled.
    completions: Counter;
    /// Completions that belonged to an earlier tenant of their slot.
    stale_completions: Counter;
    /// Times the completion queue overflowed. Should stay zero.
    queue_overflows: Counter;
    /// Times a receive found no buffer.
    starved: Counter;
    /// Buffers out of the pool.
    buffers_lent: Gauge;
    /// Connections refused since no slot or descriptor was free.
    accept_refused: Counter;
}

impl Counters {
    /// Counts the end of a session.
    pub fn closed(&self, reason: Reason) {
        self.closed[reason.index()].one();
    }
}

impl Totals {
    /// Sessions ended for `reason`.
    #[must_use]
    pub fn ended(&self, reason: Reason) -> u64 {
        self.closed.get(reason.index()).copied().unwrap_or_default()
    }
}
