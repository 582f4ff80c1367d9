//! The client's leg between its handshake and the splice: opens what comes, keeps what is not for us, answers shortly.
//!
//! ```text
//!   receive ─► raw (part of a record) ─► open ─► plain ─► the opening is read from its front
//!                                                  │      what is behind it belongs to the host, and waits
//!                                                  └─► over (what does not fit) ─► nothing more is received
//! ```

use crate::buf::{Buf, Chain, Class, Pool};
use crate::event::Leg;
use crate::half::{Broken, fit, open, take};
use crate::intent::{Intent, Into};
use crate::limits::PIPELINED_BYTES_MAX;
use crate::outgoing::Outgoing;
use crate::tls::{Parts, Records};

use super::Turn;

pub(super) struct Client {
    pub(super) records: Records,
    pub(super) out: Outgoing,
    /// A receive is armed.
    pub(super) receiving: bool,
    /// The beginning of a record, when it is not lent to a receive.
    pub(super) raw: Option<Buf>,
    /// Part of a record is waiting for its rest, here or lent to a receive.
    pub(super) partial: bool,
    /// Plaintext from the front of the stream on, never larger than a large buffer.
    pub(super) plain: Option<Buf>,
    /// Plaintext behind that.
    pub(super) over: Option<Chain>,
    /// The client said that it will send no more, in TLS.
    pub(super) closed: bool,
}

impl Client {
    pub(super) fn new(records: Records, out: Outgoing, receiving: bool) -> Self {
        Self { records, out, receiving, raw: None, partial: false, plain: None, over: None, closed: false }
    }

    /// Opens what came, and keeps it.
    pub(super) fn take_in(&mut self, buf: Buf, turn: &mut Turn<'_>) -> Result<(), Broken> {
        if self.closed {
            turn.pool.give(buf);
            return Ok(());
        }
        let mut parts = Parts::new();
        let opened = open(buf, &mut self.records, &mut parts, Class::Small, turn)?;
        self.partial = opened.tail.is_some();
        self.raw = opened.tail;
        self.closed = opened.closed;
        let Some(chain) = opened.plain else { return Ok(()) };
        self.keep(chain, turn.pool)
    }

    fn keep(&mut self, mut chain: Chain, pool: &mut Pool) -> Result<(), Broken> {
        let had = self.plain.as_ref().map_or(0, Buf::len);
        let wanted = fit(had + chain.bytes()).unwrap_or(Class::Large).min(Class::Large);
        if self.plain.as_ref().is_none_or(|plain| plain.spare() < chain.bytes() && plain.class() < wanted) {
            let Some(mut larger) = take(pool, wanted) else {
                pool.give(chain.into_buf());
                return Err(Broken::Exhausted);
            };
            if let Some(plain) = self.plain.take() {
                larger.append(plain.filled());
                pool.give(plain);
            }
            self.plain = Some(larger);
        }
        if let Some(plain) = &mut self.plain {
            let mut taken = 0;
            for slice in chain.slices() {
                let n = plain.append(slice);
                taken += n;
                if n < slice.len() {
                    break;
                }
            }
            chain.taken(taken);
        }
        if chain.bytes() == 0 {
            pool.give(chain.into_buf());
        } else {
            self.over = Some(chain);
        }
        Ok(())
    }

    /// Asks for more, unless enough is kept or nothing will come.
    pub(super) fn arm(&mut self, turn: &mut Turn<'_>) {
        if self.receiving || self.closed || self.is_full() {
            return;
        }
        self.receiving = true;
        let into = self.raw.take().map_or(Into::Any(Class::Small), Into::Behind);
        turn.out.push(Intent::Receive { leg: Leg::Client, into });
    }

    /// As much is kept as may be.
    pub(super) fn is_full(&self) -> bool {
        self.over.is_some() || self.plain().len() >= PIPELINED_BYTES_MAX
    }

    /// What has come and was not dropped yet, but for what is over.
    pub(super) fn plain(&self) -> &[u8] {
        self.plain.as_ref().map_or(&[], Buf::filled)
    }

    /// Drops the first `n` bytes of the plaintext: they were for us.
    pub(super) fn advance(&mut self, n: usize, pool: &mut Pool) {
        if let Some(mut plain) = self.plain.take() {
            plain.advance(n);
            if plain.is_empty() {
                pool.give(plain);
            } else {
                self.plain = Some(plain);
            }
        }
    }

    /// Seals and sends something short.
    pub(super) fn say(&mut self, plain: &[u8], turn: &mut Turn<'_>) -> Result<(), Broken> {
        let buf = seal_short(&mut self.records, plain, turn)?;
        self.out.push(Chain::whole(buf), turn.out);
        Ok(())
    }

    /// Gives back what was kept.
    pub(super) fn give_back(&mut self, pool: &mut Pool) {
        for buf in [self.raw.take(), self.plain.take(), self.over.take().map(Chain::into_buf)].into_iter().flatten() {
            pool.give(buf);
        }
    }

    /// Gives back what was kept, also what waits to be sent: the leg is lost.
    pub(super) fn give_up(&mut self, pool: &mut Pool) {
        self.out.give_up(pool);
        self.give_back(pool);
    }
}

/// A few bytes, sealed.
pub(super) fn seal_short(records: &mut Records, plain: &[u8], turn: &mut Turn<'_>) -> Result<Buf, Broken> {
    let mut buf = take(turn.pool, Class::Small).ok_or(Broken::Exhausted)?;
    buf.append(plain);
    turn.count.records_sealed.one();
    match records.seal_in_place(&mut buf) {
        Ok(()) => Ok(buf),
        Err(fault) => {
            turn.pool.give(buf);
            Err(Broken::Seal(fault))
        }
    }
}
