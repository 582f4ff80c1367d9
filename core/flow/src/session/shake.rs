//! A TLS handshake over one leg: the same dance for the client's leg and for a host's.
//!
//! ```text
//!   received ─► advance ─┬─ Waiting ─► send what there is, receive more
//!      ▲                 ├─ Flush ───► send, and again when there is room
//!      └── Sent ─────────┴─ Done ────► send, take the keys over; what is left in the buffer is for them
//! ```

use crate::buf::{Buf, Chain, Class, Then};
use crate::event::Leg;
use crate::half::take;
use crate::intent::{Intent, Into};
use crate::outgoing::Outgoing;
use crate::tls::{Established, Handshake, Progress, TlsFault, Version};

use super::Turn;

pub(super) struct Shake {
    tls: Handshake,
    leg: Leg,
    pub(super) out: Outgoing,
    pub(super) receiving: bool,
    /// What is to be looked at next; kept while there is no room to send.
    incoming: Option<Buf>,
}

/// How far it has come.
pub(super) enum Shaken {
    /// Something must be received or sent first.
    On(Shake),
    /// Keys are there.
    Done {
        established: Established,
        out: Outgoing,
        receiving: bool,
        /// Received behind the handshake.
        left: Option<Buf>,
    },
    /// It failed. `alert` is to be sent before closing.
    Failed { fault: TlsFault, out: Outgoing, receiving: bool, alert: Option<Buf> },
    /// No buffer was to be had.
    Exhausted { out: Outgoing },
}

impl Shake {
    pub(super) fn new(tls: Handshake, leg: Leg) -> Self {
        Self { tls, leg, out: Outgoing::new(leg), receiving: false, incoming: None }
    }

    /// Bytes came, or are there from before.
    pub(super) fn received(mut self, buf: Buf, turn: &mut Turn<'_>) -> Shaken {
        self.receiving = false;
        self.incoming = Some(buf);
        self.advance(turn)
    }

    /// What was flying has been taken by the kernel.
    pub(super) fn sent(mut self, turn: &mut Turn<'_>) -> Shaken {
        self.out.sent(turn.out);
        if self.receiving { Shaken::On(self) } else { self.advance(turn) }
    }

    /// Goes on as far as it can. To be called at the start by the side that speaks first.
    pub(super) fn advance(mut self, turn: &mut Turn<'_>) -> Shaken {
        while self.out.has_room() {
            let Some(mut incoming) = self.incoming.take().or_else(|| take(turn.pool, Class::Small)) else {
                return Shaken::Exhausted { out: self.out };
            };
            let Some(mut out) = take(turn.pool, Class::Large) else {
                turn.pool.give(incoming);
                return Shaken::Exhausted { out: self.out };
            };
            let progress = self.tls.advance(&mut incoming, &mut out);
            let speaks = !out.is_empty();
            let out = if speaks {
                Some(out)
            } else {
                turn.pool.give(out);
                None
            };
            let incoming = if incoming.is_empty() {
                turn.pool.give(incoming);
                None
            } else {
                Some(incoming)
            };
            let progress = match progress {
                Ok(progress) => progress,
                Err(fault) => {
                    if let Some(buf) = incoming {
                        turn.pool.give(buf);
                    }
                    return Shaken::Failed { fault, out: self.out, receiving: self.receiving, alert: out };
                }
            };
            if let Progress::Done = progress {
                return self.finish(out, incoming, turn);
            }
            if let Some(out) = out {
                self.out.push(Chain::whole(out), turn.out);
            }
            match progress {
                Progress::Done | Progress::Flush => self.incoming = incoming,
                Progress::Waiting => {
                    if let Some(buf) = incoming {
                        turn.pool.give(buf);
                    }
                    self.receiving = true;
                    turn.out.push(Intent::Receive { leg: self.leg, into: Into::Any(Class::Small) });
                    return Shaken::On(self);
                }
            }
        }
        Shaken::On(self)
    }

    /// The keys are there. `last` is what we have to say in the handshake still, `left` what came behind it.
    fn finish(self, last: Option<Buf>, left: Option<Buf>, turn: &mut Turn<'_>) -> Shaken {
        let Self { tls, leg, mut out, receiving, .. } = self;
        let finished = tls.finish();
        if let Some(last) = last {
            // Behind a client's last flight of TLS 1.3 we have nothing to say but a ticket, which nobody waits for: it goes with our first answer.
            let is_ticket =
                leg == Leg::Client && finished.as_ref().is_ok_and(|established| established.facts.version == Version::Tls13);
            out.push(Chain::whole(last).then(if is_ticket { Then::More } else { Then::Open }), turn.out);
        }
        match finished {
            Ok(established) => Shaken::Done { established, out, receiving, left },
            Err(fault) => {
                if let Some(buf) = left {
                    turn.pool.give(buf);
                }
                Shaken::Failed { fault, out, receiving, alert: None }
            }
        }
    }

    /// Gives back what it holds: the leg is lost or given up.
    pub(super) fn give_up(&mut self, turn: &mut Turn<'_>) {
        self.out.give_up(turn.pool);
        if let Some(buf) = self.incoming.take() {
            turn.pool.give(buf);
        }
    }
}
