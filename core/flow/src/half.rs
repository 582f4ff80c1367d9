//! One direction of a splice: from the leg where bytes come in to the leg where they go out.
//!
//! ```text
//!              ┌ tail: the beginning of a record; the next receive goes behind it
//!   receive ─► open ─► held ─► seal ─► Outgoing (next, flying) ─► send
//!      ▲        in place        │ in place, or into one buffer if it becomes several records
//!      └── armed only when nothing is held and little is on its way out
//! ```
//!
//! Either side may be plaintext, or sealed and opened by the kernel; opening or sealing then falls away. Nothing is copied but the tail of a record that was cut
//! by the end of a buffer, and nothing is allocated. An idle direction holds no buffer.

use sluice_link::count::Counters;
use sluice_link::reason::Reason;
use sluice_link::snapshot::RecordSizes;
use sluice_link::time::Moment;

use crate::buf::{Buf, Chain, Class, Pool, Then};
use crate::event::{Leg, Way};
use crate::intent::{Intent, Into};
use crate::limits::{
    BULK_RECORD_BYTES_MIN, FULL_READS_TO_GROW, INTERACTIVE_BYTES_MAX, QUIET, RECORD_TIME_MAX, SMALL_READS_TO_SHRINK,
};
use crate::outgoing::Outgoing;
use crate::pace::Pace;
use crate::session::Turn;
use crate::tls::{Parts, RecordFault, Records, SealFault};

/// Why a direction cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// A record of the source leg is wrong.
    Record(RecordFault),
    /// Nothing can be sealed for the destination leg.
    Seal(SealFault),
    /// No buffer was to be had for something that cannot wait.
    Exhausted,
}

impl Broken {
    pub(crate) fn reason(self, source: Leg) -> Reason {
        match self {
            Self::Record(fault) => fault.reason(source),
            Self::Seal(fault) => fault.reason(),
            Self::Exhausted => Reason::Exhausted,
        }
    }
}

/// Whether the kernel is to have the key with which the client's records of a direction are opened or sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// That has been decided.
    Settled,
    /// It shall, as soon as nothing is half way.
    ForKernel,
    /// It has been asked to take it.
    Offered,
}

/// The kernel has answered for a key of the client's leg.
pub(crate) fn settle(records: &mut Records, way: Way, taken: bool, count: &Counters) {
    records.settle(way, taken);
    let counter = match (taken, way) {
        (false, Way::Transmit | Way::Receive) => &count.kernel_refused,
        (true, Way::Transmit) => &count.kernel_sealing,
        (true, Way::Receive) => &count.kernel_opening,
    };
    counter.one();
}

/// One direction.
#[derive(Debug)]
pub(crate) struct Half {
    source: Leg,
    /// A receive is armed.
    pub(crate) receiving: bool,
    /// Part of a record, when it is not lent to a receive.
    pub(crate) tail: Option<Buf>,
    /// Since when the rest of a record that has begun is waited for; never if none has.
    pub(crate) tail_since: Moment,
    /// Nothing is received since the destination is slow: the source cannot be blamed for what does not come.
    held_back: bool,
    /// Plaintext that is not on its way yet.
    held: Option<Chain>,
    /// Plaintext behind that. Only when a splice begins with more than one piece.
    behind: Option<Chain>,
    pub(crate) appetite: Appetite,
    /// The source will send no more.
    pub(crate) ended: bool,
    /// The destination has been told so in TLS.
    said: bool,
    /// The destination has been told so altogether, or cannot be told anything any more. This direction is over.
    pub(crate) passed: bool,
    /// A buffer was wanted and not to be had: try again soon.
    pub(crate) starved: bool,
    /// What is to become of the client's key of this direction.
    pub(crate) key: Key,
    /// Plaintext bytes received.
    pub(crate) bytes: u64,
    /// How they are cut into records.
    sizes: RecordSizes,
    /// How fast they may be passed on; none if as fast as it goes.
    pace: Option<Box<Pace>>,
}

impl Half {
    pub(crate) fn new(source: Leg) -> Self {
        Self {
            source,
            receiving: false,
            tail: None,
            tail_since: Moment::NEVER,
            held_back: false,
            held: None,
            behind: None,
            appetite: Appetite::new(),
            ended: false,
            said: false,
            passed: false,
            starved: false,
            key: Key::Settled,
            bytes: 0,
            sizes: RecordSizes { ramp_bytes: 0, ..RecordSizes::default() },
            pace: None,
        }
    }

    /// Seals records of these sizes. Without this, as large as they come.
    pub(crate) fn cut(&mut self, sizes: RecordSizes) {
        self.sizes = sizes;
    }

    /// Whether nothing of this direction is half way at the leg where it comes in: no receive is armed and no record has begun.
    pub(crate) fn is_between_records(&self) -> bool {
        !self.receiving && self.tail.is_none() && !self.ended && !self.passed
    }

    /// Passes bytes on only as fast as `pace` says.
    pub(crate) fn paced(&mut self, pace: Option<Box<Pace>>) {
        if let Some(pace) = &pace {
            self.appetite.most = pace.most();
        }
        self.pace = pace;
    }

    /// Takes what a receive brought. `opener` are the keys of the source leg, if it is TLS.
    pub(crate) fn take_in(
        &mut self,
        buf: Buf,
        more: bool,
        opener: Option<&mut Records>,
        turn: &mut Turn<'_>,
    ) -> Result<(), Broken> {
        self.receiving = false;
        if self.passed || self.ended {
            turn.pool.give(buf);
            return Ok(());
        }
        self.appetite.had(buf.len(), buf.spare() == 0 || more, turn.now);
        let Some(records) = opener.filter(|records| !records.is_kernels(Way::Receive)) else {
            self.count(buf.len(), turn);
            self.hold(Chain::whole(buf));
            return Ok(());
        };
        let (mut parts, took) = (Parts::new(), buf.len());
        let opened = open(buf, records, &mut parts, self.appetite.class(), turn)?;
        if opened.tail.is_none() {
            self.tail_since = Moment::NEVER;
        } else if opened.records > 0 || self.tail_since == Moment::NEVER {
            self.tail_since = turn.now;
        }
        self.appetite.opened(took, opened.records);
        self.tail = opened.tail;
        self.ended = opened.closed;
        if let Some(chain) = opened.plain {
            self.count(chain.bytes(), turn);
            self.hold(chain);
        }
        Ok(())
    }

    /// Counts plaintext bytes that came in on the source leg.
    pub(crate) fn count(&mut self, bytes: usize, turn: &Turn<'_>) {
        let n = bytes as u64;
        self.bytes += n;
        match self.source {
            Leg::Client => {
                turn.count.up_bytes.add(n);
                turn.listener.up_bytes.add(n);
            }
            Leg::Host => {
                turn.count.down_bytes.add(n);
                turn.listener.down_bytes.add(n);
            }
        }
        if let Some(pace) = &mut self.pace {
            pace.charge(bytes, turn.now);
        }
    }

    /// The source says that it will send no more, on the transport. `false` if that cuts a record in two or, on a TLS leg, was
    /// not announced: somebody may have cut the stream.
    pub(crate) fn end(&mut self, kept: Option<Buf>, tls: bool, pool: &mut Pool) -> bool {
        self.receiving = false;
        for buf in [kept, self.tail.take()].into_iter().flatten() {
            pool.give(buf);
        }
        self.tail_since = Moment::NEVER;
        let orderly = self.ended || !tls;
        self.ended = true;
        orderly
    }

    /// What is to go out next: plaintext received, or what the gateway itself has to say first.
    pub(crate) fn hold(&mut self, chain: Chain) {
        if self.held.is_none() {
            self.held = Some(chain);
        } else {
            assert!(self.behind.is_none(), "received while something was held");
            self.behind = Some(chain);
        }
    }

    /// Moves on whatever can move: seals and sends, passes the end on, asks for more.
    pub(crate) fn pump(
        &mut self,
        mut sealer: Option<&mut Records>,
        out: &mut Outgoing,
        turn: &mut Turn<'_>,
    ) -> Result<(), Broken> {
        self.starved = false;
        if self.passed || (self.source == Leg::Host && self.key != Key::Settled) {
            return Ok(());
        }
        let may_go = self.held.is_some() && self.pace.as_mut().is_none_or(|pace| pace.may_go(turn.now));
        while may_go
            && out.has_room()
            && let Some(chain) = self.held.take()
        {
            if let Some(records) = sealer.as_deref_mut().filter(|records| records.is_kernels(Way::Transmit)) {
                if let Err(fault) = records.passes(chain.bytes()) {
                    turn.pool.give(chain.into_buf());
                    return Err(Broken::Seal(fault));
                }
                out.push(chain, turn.out);
            } else if let Some(records) = sealer.as_deref_mut() {
                records.cut_at(self.appetite.record_max(self.sizes));
                let (ready, rest) = seal(chain, records, turn.pool, turn.count).map_err(Broken::Seal)?;
                self.held = rest;
                let Some(ready) = ready else {
                    self.starved = true;
                    break;
                };
                out.push(Chain::whole(ready), turn.out);
            } else {
                out.push(chain, turn.out);
            }
            if self.held.is_none() {
                self.held = self.behind.take();
            }
        }
        if self.ended {
            return self.pass_end(sealer, out, turn);
        }
        if self.receiving || self.key == Key::Offered {
            return Ok(());
        }
        if self.held.is_none() && out.wants_more() {
            if std::mem::take(&mut self.held_back) && self.tail.is_some() {
                self.tail_since = turn.now;
            }
            self.receiving = true;
            let into = match self.tail.take() {
                Some(tail) => Into::Behind(tail),
                None => Into::Any(self.appetite.class()),
            };
            turn.out.push(Intent::Receive { leg: self.source, into });
        } else {
            self.held_back = true;
        }
        Ok(())
    }

    /// Until when what is held waits for its pace; long ago if nothing does.
    pub(crate) fn paced_until(&self) -> Moment {
        match &self.pace {
            Some(pace) if self.held.is_some() && !self.passed => pace.until(),
            Some(_) | None => Moment(0),
        }
    }

    /// Until when the rest of a record must have come.
    pub(crate) fn record_due(&self) -> Moment {
        if self.held_back { Moment::NEVER } else { self.tail_since + RECORD_TIME_MAX }
    }

    fn pass_end(&mut self, sealer: Option<&mut Records>, out: &mut Outgoing, turn: &mut Turn<'_>) -> Result<(), Broken> {
        if self.held.is_some() {
            return Ok(());
        }
        if let Some(records) = sealer
            && !self.said
        {
            if !out.has_room() {
                return Ok(());
            }
            let Some(mut buf) = take(turn.pool, Class::Small) else {
                self.starved = true;
                return Ok(());
            };
            if let Err(fault) = records.close_notify(&mut buf) {
                turn.pool.give(buf);
                return Err(Broken::Seal(fault));
            }
            self.said = true;
            out.push(records.said(buf).then(Then::Fin), turn.out);
        }
        if out.is_idle() {
            self.passed = true;
            if !out.says_fin() {
                turn.out.push(Intent::Finish(self.destination()));
            }
        }
        Ok(())
    }

    /// A `close_notify` went, or will go, out in front of whatever follows.
    pub(crate) fn said_goodbye(&self) -> bool {
        self.said
    }

    /// The destination takes no more: this direction is over, and what it holds is given back.
    pub(crate) fn give_up(&mut self, out: &mut Outgoing, pool: &mut Pool) {
        self.passed = true;
        self.starved = false;
        self.tail_since = Moment::NEVER;
        out.give_up(pool);
        self.give_back(pool);
    }

    /// Gives back what is held. What is lent comes back by itself.
    pub(crate) fn give_back(&mut self, pool: &mut Pool) {
        if let Some(buf) = self.tail.take() {
            pool.give(buf);
        }
        for chain in [self.held.take(), self.behind.take()].into_iter().flatten() {
            pool.give(chain.into_buf());
        }
    }

    fn destination(&self) -> Leg {
        match self.source {
            Leg::Client => Leg::Host,
            Leg::Host => Leg::Client,
        }
    }
}

/// What a received buffer became.
pub(crate) struct Opening {
    /// The plaintext in it, if any.
    pub(crate) plain: Option<Chain>,
    /// The beginning of a record that is not complete, in a buffer with room for the rest of it.
    pub(crate) tail: Option<Buf>,
    /// Records opened.
    pub(crate) records: usize,
    /// The other side said that it will send no more.
    pub(crate) closed: bool,
}

/// Opens all whole records in `buf` where they lie, and sees to the one that is cut. `least` is the class in which the next
/// receive is wanted.
pub(crate) fn open(
    mut buf: Buf,
    records: &mut Records,
    parts: &mut Parts,
    least: Class,
    turn: &mut Turn<'_>,
) -> Result<Opening, Broken> {
    let opened = match records.open(&mut buf, parts, turn.now) {
        Ok(opened) => opened,
        Err(fault) => {
            turn.pool.give(buf);
            return Err(Broken::Record(fault));
        }
    };
    turn.count.records_opened.add(opened.records as u64);
    turn.count.key_updates.add(opened.key_updates as u64);
    let mut done = Opening { plain: None, tail: None, records: opened.records, closed: opened.closed };
    let rest = buf.len() - opened.rest;
    if rest > 0 && !opened.closed {
        if opened.bytes == 0 && buf.class() >= least && buf.spare() >= opened.lacks {
            buf.advance(opened.rest);
            done.tail = Some(buf);
            return Ok(done);
        }
        // `least` is what is wanted, not what is needed: many who are held back may have all bulk buffers.
        let fitting = fit(rest + opened.lacks);
        let Some(mut fresh) = fitting.and_then(|class| take(turn.pool, class.max(least)).or_else(|| take(turn.pool, class)))
        else {
            turn.pool.give(buf);
            return Err(Broken::Exhausted);
        };
        fresh.append(&buf.filled()[opened.rest..]);
        done.tail = Some(fresh);
    }
    if opened.bytes == 0 {
        turn.pool.give(buf);
    } else {
        done.plain = Some(Chain::of(buf, parts.slices()));
    }
    Ok(done)
}

/// Seals as much of `chain` as one send can carry: the sealed bytes, and what is left. No sealed bytes means that there was
/// no buffer.
fn seal(
    chain: Chain,
    records: &mut Records,
    pool: &mut Pool,
    count: &Counters,
) -> Result<(Option<Buf>, Option<Chain>), SealFault> {
    let mut chain = match chain.into_one(records.in_place_max()) {
        Ok(mut buf) => {
            count.records_sealed.add(records.records_for(buf.len()) as u64);
            return match records.seal_in_place(&mut buf) {
                Ok(()) => Ok((Some(buf), None)),
                Err(fault) => {
                    pool.give(buf);
                    Err(fault)
                }
            };
        }
        Err(chain) => chain,
    };
    let wanted = if chain.bytes() + SEALED_SLACK <= Class::Large.payload() { Class::Large } else { Class::Bulk };
    let Some(mut sealed) = take(pool, wanted).or_else(|| pool.take(Class::Large)).or_else(|| pool.take(Class::Small)) else {
        return Ok((None, Some(chain)));
    };
    let taken = seal_slices(&chain, records, &mut sealed, count);
    match taken {
        Ok(taken) => chain.taken(taken),
        Err(fault) => {
            pool.give(sealed);
            pool.give(chain.into_buf());
            return Err(fault);
        }
    }
    if chain.bytes() == 0 {
        pool.give(chain.into_buf());
        return Ok((Some(sealed), None));
    }
    Ok((Some(sealed), Some(move_to_small(chain, pool))))
}

/// Seals from the front of `chain` what fits into `sealed`, and says how many bytes that were.
fn seal_slices(chain: &Chain, records: &mut Records, sealed: &mut Buf, count: &Counters) -> Result<usize, SealFault> {
    let mut taken = 0;
    for slice in chain.slices() {
        let n = records.seal_into(slice, sealed)?;
        count.records_sealed.add(records.records_for(n) as u64);
        taken += n;
        if n < slice.len() {
            break;
        }
    }
    Ok(taken)
}

/// Room for the overhead of the records that a large buffer's worth of plaintext may become.
const SEALED_SLACK: usize = 512;

/// A few bytes that did not fit into a send should not hold a bulk buffer until it is done.
fn move_to_small(chain: Chain, pool: &mut Pool) -> Chain {
    if chain.bytes() > Class::Small.payload() {
        return chain;
    }
    let Some(mut small) = pool.take(Class::Small) else { return chain };
    for slice in chain.slices() {
        small.append(slice);
    }
    pool.give(chain.into_buf());
    Chain::whole(small)
}

/// The smallest class that holds `n` bytes.
pub(crate) fn fit(n: usize) -> Option<Class> {
    Class::ALL.into_iter().find(|class| class.payload() >= n)
}

/// A buffer of `class`, or of a larger one if the pool has none of that left.
pub(crate) fn take(pool: &mut Pool, class: Class) -> Option<Buf> {
    Class::ALL.into_iter().filter(|larger| *larger >= class).find_map(|class| pool.take(class))
}

/// Which class the next receive asks for, by what the last ones brought.
#[derive(Debug)]
pub(crate) struct Appetite {
    class: Class,
    /// No larger one is asked for.
    most: Class,
    full: u8,
    small: u8,
    last: Moment,
    /// Bytes since the last pause.
    since_quiet: u32,
}

impl Appetite {
    pub(crate) fn new() -> Self {
        Self { class: Class::Small, most: Class::Bulk, full: 0, small: 0, last: Moment(0), since_quiet: 0 }
    }

    pub(crate) fn class(&self) -> Class {
        self.class
    }

    /// How long records should be: short ones until so much has come after a pause that it is no answer to somebody who types.
    pub(crate) fn record_max(&self, sizes: RecordSizes) -> usize {
        let most = usize::from(sizes.most);
        if self.since_quiet <= sizes.ramp_bytes && sizes.ramp_bytes > 0 { most.min(INTERACTIVE_BYTES_MAX) } else { most }
    }

    /// In `n` bytes received there were so many records. Who fills large buffers with tiny ones gets small buffers from now on.
    pub(crate) fn opened(&mut self, n: usize, records: usize) {
        if n > Class::Small.payload() && records * BULK_RECORD_BYTES_MIN > n {
            self.most = Class::Small;
            self.class = Class::Small;
            self.full = 0;
        }
    }

    /// A receive brought `n` bytes, and `filled` its buffer or left some for the next.
    pub(crate) fn had(&mut self, n: usize, filled: bool, now: Moment) {
        let quiet = now.since(self.last) >= QUIET;
        self.last = now;
        let n32 = u32::try_from(n).unwrap_or(u32::MAX);
        self.since_quiet = if quiet { n32 } else { self.since_quiet.saturating_add(n32) };
        if filled {
            self.small = 0;
            self.full += 1;
            if self.full >= FULL_READS_TO_GROW {
                self.full = 0;
                self.class = larger(self.class).min(self.most);
            }
            return;
        }
        self.full = 0;
        if quiet {
            self.small = 0;
            self.class = Class::Small;
        } else if n > smaller(self.class).payload() {
            self.small = 0;
        } else {
            self.small += 1;
            if self.small >= SMALL_READS_TO_SHRINK {
                self.small = 0;
                self.class = smaller(self.class);
            }
        }
    }
}

fn larger(class: Class) -> Class {
    match class {
        Class::Small => Class::Large,
        Class::Large | Class::Bulk => Class::Bulk,
    }
}

fn smaller(class: Class) -> Class {
    match class {
        Class::Small | Class::Large => Class::Small,
        Class::Bulk => Class::Large,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const AT: Moment = Moment(5_000_000_000);

    #[test]
    fn appetite_grows_with_full_reads_and_shrinks_with_small_ones_or_after_a_pause() {
        let mut appetite = Appetite::new();
        let mut seen = Vec::new();
        for _ in 0..5 {
            appetite.had(appetite.class().payload(), true, AT);
            seen.push(appetite.class());
        }
        assert_eq!(seen, [Class::Small, Class::Large, Class::Large, Class::Bulk, Class::Bulk]);
        for _ in 0..SMALL_READS_TO_SHRINK - 1 {
            appetite.had(100, false, AT);
        }
        assert_eq!(appetite.class(), Class::Bulk);
        appetite.had(100, false, AT);
        assert_eq!(appetite.class(), Class::Large);
        appetite.had(100, false, AT + Duration::from_millis(999));
        assert_eq!(appetite.class(), Class::Large);
        appetite.had(100, false, AT + Duration::from_millis(1_999));
        assert_eq!(appetite.class(), Class::Small);
    }

    #[test]
    fn who_fills_large_buffers_with_tiny_records_gets_small_ones_for_good() {
        let mut appetite = Appetite::new();
        let grown = |appetite: &mut Appetite| {
            for _ in 0..10 {
                appetite.had(appetite.class().payload(), true, AT);
            }
            appetite.class()
        };
        appetite.opened(2_000, 87);
        assert_eq!(grown(&mut appetite), Class::Bulk, "somebody who types quickly");
        appetite.opened(262_144, 16);
        appetite.opened(262_144, 262_144 / 86);
        assert_eq!(appetite.class(), Class::Bulk, "keystrokes that had to wait");
        appetite.opened(262_144, 262_144 / 23);
        assert_eq!((appetite.class(), grown(&mut appetite)), (Class::Small, Class::Small));
    }

    #[test]
    fn a_read_that_needed_its_class_keeps_it() {
        let mut appetite = Appetite::new();
        for _ in 0..4 {
            appetite.had(appetite.class().payload(), true, AT);
        }
        for n in 0..100 {
            appetite.had(if n % 5 == 0 { 100_000 } else { 100 }, false, AT);
            assert_eq!(appetite.class(), Class::Bulk);
        }
    }
}
