//! The data plane's counters: the list, once.
//!
//! ```text
//!   worker ──► Counters ─────────────────────┐
//!          ──► ListenerCounters (each vserver) ├─ read ─► Totals, ListenerTotals ─► sums, pages, commands
//!   control, worker: how much each put in or took out ─┘  (worked out: what lies in a queue now)
//! ```
//!
//! Each worker owns one [`Counters`], and one [`ListenerCounters`] for each virtual server, and is their only writer, so an
//! increment is a load and a store, not a locked instruction. Anybody may read at any time; a read is not a consistent cut
//! across counters. What is worked out is filled in by whoever has both ends of it.

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
    (
        $(#[doc = $cells_doc:literal])+ cells $Cells:ident;
        $(#[doc = $totals_doc:literal])+ totals $Totals:ident;
        counted { $($(#[doc = $doc:literal])+ $name:ident: $kind:ident;)+ }
        worked_out { $($(#[doc = $late_doc:literal])+ $late:ident: $late_kind:ident;)* }
    ) => {
        $(#[doc = $cells_doc])+
        #[derive(Debug)]
        pub struct $Cells {
            $($(#[doc = $doc])+ pub $name: Cell,)+
            /// Here and not on the heap beside those of another worker, who writes his.
            closed: [Cell; Reason::ALL.len()],
        }

        impl Default for $Cells {
            fn default() -> Self {
                Self { $($name: Cell::default(),)+ closed: std::array::from_fn(|_| Cell::default()) }
            }
        }

        impl $Cells {
            /// All numbers as they are now.
            #[must_use]
            pub fn read(&self) -> $Totals {
                $Totals {
                    $($name: self.$name.read(),)+
                    $($late: 0,)*
                    closed: self.closed.iter().map(Cell::read).collect(),
                }
            }

            /// Counts the end of a session.
            pub fn closed(&self, reason: Reason) {
                self.closed[reason.index()].one();
            }

            /// The worker is gone: nothing is there any more of what its gauges counted.
            pub fn rest(&self) {
                $(if Kind::$kind == Kind::Gauge { self.$name.set(0); })+
            }
        }

        $(#[doc = $totals_doc])+
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $Totals {
            $($(#[doc = $doc])+ pub $name: u64,)+
            $($(#[doc = $late_doc])+ pub $late: u64,)*
            /// Sessions ended, by [`Reason::index`].
            pub closed: Vec<u64>,
        }

        impl $Totals {
            /// Names, kinds, help texts and values, for whoever prints them. Ends by reason are not among them: [`Self::ended`].
            #[must_use]
            pub fn list(&self) -> Vec<(&'static str, Kind, &'static str, u64)> {
                vec![
                    $((stringify!($name), Kind::$kind, concat!($($doc),+).trim_ascii(), self.$name),)+
                    $((stringify!($late), Kind::$late_kind, concat!($($late_doc),+).trim_ascii(), self.$late),)*
                ]
            }

            /// What was counted since `earlier`; gauges stay as they are.
            #[must_use]
            pub fn since(&self, earlier: &Self) -> Self {
                let counted = |kind: Kind, now: u64, before: u64| match kind {
                    Kind::Counter => now.saturating_sub(before),
                    Kind::Gauge => now,
                };
                Self {
                    $($name: counted(Kind::$kind, self.$name, earlier.$name),)+
                    $($late: counted(Kind::$late_kind, self.$late, earlier.$late),)*
                    closed: (self.closed.iter().enumerate())
                        .map(|(at, now)| now.saturating_sub(earlier.closed.get(at).copied().unwrap_or_default()))
                        .collect(),
                }
            }

            /// Adds the numbers of another worker.
            pub fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)+
                $(self.$late += other.$late;)*
                self.closed.resize(Reason::ALL.len(), 0);
                for (mine, theirs) in self.closed.iter_mut().zip(&other.closed) {
                    *mine += theirs;
                }
            }

            /// Sessions ended for `reason`.
            #[must_use]
            pub fn ended(&self, reason: Reason) -> u64 {
                self.closed.get(reason.index()).copied().unwrap_or_default()
            }
        }
    };
}

counters! {
    /// What one worker counts.
    cells Counters;
    /// Numbers of one worker, read from [`Counters`], or the sum over several.
    totals Totals;
    counted {
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
        /// Connections let in that ended before their TLS handshake was complete.
        handshakes_failed: Counter;
        /// Of the completed handshakes, those resumed by a session ticket.
        resumed: Counter;
        /// Of the completed handshakes, those with a post-quantum key exchange.
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
        /// Tickets that are with control now, not answered yet.
        tickets_open: Gauge;
        /// Answers that came for a session that was already gone.
        stale_answers: Counter;
        /// Sessions refused since the queue to control was full.
        control_queue_full: Counter;
        /// Messages put into the queue to control.
        asks: Counter;
        /// Reports for control that wait at the worker since the queue to control is full.
        reports_owed: Gauge;
        /// Messages taken from control.
        tells: Counter;
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
        /// Sessions whose records to the client the kernel took over to seal. They are not in `records_sealed` from then on.
        kernel_sealing: Counter;
        /// Sessions whose records from the client the kernel took over to open. They are not in `records_opened` from then on.
        kernel_opening: Counter;
        /// Keys that the kernel was to take over and did not. We go on with them.
        kernel_refused: Counter;
        /// Turns of the loop.
        turns: Counter;
        /// Completions or readiness events handled.
        completions: Counter;
        /// Completions that belonged to an earlier tenant of their slot.
        stale_completions: Counter;
        /// Times the completion queue overflowed. Should stay zero.
        queue_overflows: Counter;
        /// Handshake steps and long reads that wait for a later turn, so that short ones go first.
        events_waiting: Gauge;
        /// Processor time used by the worker, in nanoseconds, the kernel's work for it included; taken ten times a second.
        /// With busy polling, looking for work counts as well.
        busy_ns: Counter;
        /// Times a receive found no buffer.
        starved: Counter;
        /// Buffers out of the pool.
        buffers_lent: Gauge;
        /// Of those, small ones (2 KiB).
        buffers_lent_small: Gauge;
        /// Of those, large ones (17 KiB).
        buffers_lent_large: Gauge;
        /// Of those, bulk ones (514 KiB).
        buffers_lent_bulk: Gauge;
        /// Sessions that could be let in beside those that there are.
        slots_free: Gauge;
        /// Workers that take new clients. One that does not, since slots or buffers are short, lets them wait in the kernel.
        accepting: Gauge;
        /// Connections refused since no slot or descriptor was free.
        accept_refused: Counter;
        /// Connections accepted here and handed to a worker with much less to do.
        handed_over: Counter;
        /// Connections taken from workers with much more to do.
        taken_over: Counter;
    }
    worked_out {
        /// Messages that wait in the queue to control.
        asks_queued: Gauge;
        /// Messages of control that wait for the worker.
        tells_queued: Gauge;
        /// Time since the worker was started that is not in `busy_ns`, in nanoseconds: it slept, or others had its processor.
        idle_ns: Counter;
    }
}

counters! {
    /// What one worker counts for one virtual server. It has the same single writer.
    cells ListenerCounters;
    /// Numbers of one virtual server, read from [`ListenerCounters`], or the sum over several workers.
    totals ListenerTotals;
    counted {
        /// Connections accepted.
        accepted: Counter;
        /// Connections refused before a byte was read: limits, no slot, or the gateway was draining.
        accept_refused: Counter;
        /// Sessions in any state, from accept to freed slot.
        sessions: Gauge;
        /// Sessions whose bytes flow between a client and a host.
        spliced: Gauge;
        /// Connections being carried to the portal.
        portal: Gauge;
        /// TLS handshakes completed with clients.
        handshakes: Counter;
        /// Connections let in that ended before their TLS handshake was complete.
        handshakes_failed: Counter;
        /// Of the completed handshakes, those resumed by a session ticket.
        resumed: Counter;
        /// Tickets handed to control.
        tickets_asked: Counter;
        /// Launches: sessions whose bytes began to flow between a client and a host.
        launches: Counter;
        /// Connections to hosts that failed.
        hosts_failed: Counter;
        /// Plaintext bytes from clients to hosts.
        up_bytes: Counter;
        /// Plaintext bytes from hosts to clients.
        down_bytes: Counter;
    }
    worked_out {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_is_gone_leaves_its_counters_and_no_gauges() {
        let count = Counters::default();
        count.accepted.add(3);
        count.sessions.set(2);
        count.closed(Reason::Killed);
        count.rest();
        let totals = count.read();
        assert_eq!((totals.accepted, totals.sessions, totals.ended(Reason::Killed)), (3, 0, 1));
    }

    #[test]
    fn sums_take_in_everything_that_is_listed() {
        let mut one = ListenerTotals { up_bytes: 1, ..ListenerTotals::default() };
        let count = ListenerCounters::default();
        count.up_bytes.add(4);
        count.closed(Reason::Idle);
        one.add(&count.read());
        one.add(&count.read());
        assert_eq!((one.up_bytes, one.ended(Reason::Idle), one.ended(Reason::Killed)), (9, 2, 0));
        let mut late = Totals { idle_ns: 5, ..Totals::default() };
        late.add(&late.clone());
        assert!(late.list().iter().any(|(name, kind, _, value)| *name == "idle_ns" && *kind == Kind::Counter && *value == 10));
    }

    #[test]
    fn no_name_is_given_twice_and_every_number_is_explained() {
        for list in [Totals::default().list(), ListenerTotals::default().list()] {
            let mut names: Vec<_> = list.iter().map(|(name, ..)| *name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), list.len());
            assert!(list.iter().all(|(_, _, help, _)| help.ends_with('.')));
        }
    }
}
