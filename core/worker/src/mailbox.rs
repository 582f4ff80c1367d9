//! The queues between a worker and the control thread, and who may wait for whom: nobody.
//!
//! ```text
//!   worker 0 ─┐ Mailbox::redeem, report, mention            ┌─► Letter ring of worker 0 ─► Mailbox::next
//!   worker 1 ─┼─► Asks: ArrayQueue, 4096 ─► Post ──tell───► ┤   rtrb, one producer, one consumer, 4096
//!   worker n ─┘        bell: control's eventfd              └─► … bell: the worker's eventfd
//! ```
//!
//! * **To control** crossbeam's array queue serves: many producers, one consumer. A producer that loses its processor between
//!   claiming a place and filling it makes *the consumer* spin, which here is control and may. A producer can in turn meet a
//!   half-taken place once the queue is full, so a worker takes half full for full.
//! * **To a worker** the queue must never make the consumer wait on control, least of all with both on one processor. So it is
//!   a ring with a single producer, wait-free at both ends.
//!
//! # Why an answer always finds room
//! A worker has at most [`TELL_CREDIT`] questions open; an answer is owed to each, once. Everything else that control has to say
//! is refused when [`TELL_RESERVE`] letters lie in the ring already, so there are never more than that many of the rest in it.
//! The ring holds both together.
//!
//! # What is never lost
//! Control's table of launches lives from the reports of their end. Reports about sessions with a launch therefore wait here
//! ([`Mailbox::owed`]) if the queue is full, in order, and while any waits no new ticket is asked about: so there are never more
//! of them than two for each session that could have one.

use std::collections::VecDeque;
use std::sync::Arc;

use crossbeam_queue::ArrayQueue;
use crossbeam_utils::CachePadded;
use sluice_engine::Waker;
use sluice_flow::tls::Served;
use sluice_link::ask::{Ask, Closed, Redeem};
use sluice_link::count::{Cell, Counters};
use sluice_link::id::ListenerId;
use sluice_link::port::TellRefused;
use sluice_link::tell::Tell;

use crate::counted::Share;
use crate::wake::{Bell, Rouse};

/// Messages that the queue to control holds.
pub const ASK_CAPACITY: usize = 4096;
/// Messages in it from which on a worker takes it for full.
pub const ASK_FULL: usize = ASK_CAPACITY / 2;
/// Tickets of one worker that may be with control at a time.
pub const TELL_CREDIT: usize = 3840;
/// Letters to one worker that are no answers and may lie in its ring at a time.
pub const TELL_RESERVE: usize = 256;
/// Letters that the ring of a worker holds.
pub const TELL_CAPACITY: usize = TELL_CREDIT + TELL_RESERVE;

const _: () = assert!(TELL_CAPACITY == 4096);

/// What lies in a worker's ring.
pub(crate) enum Letter {
    /// A message of control.
    Tell(Tell),
    /// New settings.
    Publish(Publication),
}

/// New settings for one worker.
pub(crate) struct Publication {
    /// In force for sessions that begin from now on.
    pub(crate) served: Arc<Served>,
    /// Virtual servers that are gone or listen elsewhere now.
    pub(crate) close: Vec<ListenerId>,
    /// This worker's own counters of all virtual servers that there are now.
    pub(crate) shares: Vec<Share>,
    /// This worker's own sockets of those that are new or listen elsewhere now.
    pub(crate) open: Vec<(ListenerId, std::net::TcpListener)>,
    /// A drain is over before its time: new clients are taken again.
    pub(crate) resumes: bool,
}

/// Wakes through an eventfd.
#[derive(Debug)]
pub(crate) struct Eventfd(pub(crate) Waker);

impl Rouse for Eventfd {
    fn rouse(&self) {
        // It can fail only if 2⁶⁴-2 earlier wake-ups were never read: then the descriptor is readable, which is all we want.
        let _ = self.0.wake();
    }
}

/// The queue from all workers to control.
#[derive(Debug)]
pub(crate) struct Asks {
    queue: ArrayQueue<Ask>,
    /// Wakes control.
    pub(crate) bell: Bell<Eventfd>,
}

impl Asks {
    pub(crate) fn new(waker: Waker) -> Self {
        Self { queue: ArrayQueue::new(ASK_CAPACITY), bell: Bell::new(Eventfd(waker)) }
    }

    /// A worker's end. Gives the message back if the queue is to be taken for full. Control learns of it when its bell is rung.
    #[expect(clippy::result_large_err, reason = "giving the message back is the point, and a box would be an allocation each")]
    fn push(&self, ask: Ask) -> Result<(), Ask> {
        if self.queue.len() >= ASK_FULL {
            return Err(ask);
        }
        self.queue.push(ask)
    }

    /// Control's end.
    pub(crate) fn pop(&self) -> Option<Ask> {
        self.bell.awake();
        self.queue.pop()
    }

    /// Control's end: whether it may sleep.
    pub(crate) fn may_sleep(&self) -> bool {
        self.bell.may_sleep(|| self.queue.is_empty())
    }
}

/// Control's end of one worker's ring.
pub(crate) struct Slit {
    ring: rtrb::Producer<Letter>,
    bell: Arc<Bell<Eventfd>>,
    /// Letters put in, for whoever counts what lies in the ring.
    put: Arc<CachePadded<Cell>>,
}

impl Slit {
    /// Puts in an answer that is owed to a question of this worker, once each.
    pub(crate) fn answer(&mut self, tell: Tell) -> Result<(), TellRefused> {
        if self.ring.is_abandoned() {
            return Err(TellRefused::Gone);
        }
        self.push(Letter::Tell(tell))
    }

    /// Whether there is room for a letter that is no answer.
    pub(crate) fn has_room(&self) -> Result<(), TellRefused> {
        if self.ring.is_abandoned() {
            return Err(TellRefused::Gone);
        }
        let lying = TELL_CAPACITY - self.ring.slots();
        if lying >= TELL_RESERVE { Err(TellRefused::Full) } else { Ok(()) }
    }

    /// Puts in a letter that is no answer.
    pub(crate) fn put(&mut self, letter: Letter) -> Result<(), TellRefused> {
        self.has_room()?;
        self.push(letter)
    }

    fn push(&mut self, letter: Letter) -> Result<(), TellRefused> {
        self.ring.push(letter).map_err(|_| TellRefused::Full)?;
        self.put.one();
        self.bell.ring();
        Ok(())
    }

    /// Whether somebody is left who takes letters.
    pub(crate) fn is_read(&self) -> bool {
        !self.ring.is_abandoned()
    }

    /// Letters put in until now; written by control alone.
    pub(crate) fn letters(&self) -> Arc<CachePadded<Cell>> {
        self.put.clone()
    }
}

/// A ticket cannot be asked about now: control is behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ControlBehind;

/// A worker's end of all queues.
pub(crate) struct Mailbox {
    asks: Arc<Asks>,
    ring: rtrb::Consumer<Letter>,
    bell: Arc<Bell<Eventfd>>,
    /// Tickets with control.
    open: usize,
    /// Messages sent to control, and letters taken.
    sent: u64,
    taken: u64,
    /// Reports that control must get and that have not found room yet.
    owed: VecDeque<Ask>,
    /// Something was sent since the bell was rung last.
    unheard: bool,
}

/// Makes the ring of one worker: control's end and the worker's.
pub(crate) fn ring(asks: Arc<Asks>, waker: Waker) -> (Slit, Mailbox, Arc<Bell<Eventfd>>) {
    let (producer, consumer) = rtrb::RingBuffer::new(TELL_CAPACITY);
    let bell = Arc::new(Bell::new(Eventfd(waker)));
    let mailbox =
        Mailbox { asks, ring: consumer, bell: bell.clone(), open: 0, sent: 0, taken: 0, owed: VecDeque::new(), unheard: false };
    (Slit { ring: producer, bell: bell.clone(), put: Arc::default() }, mailbox, bell)
}

impl Mailbox {
    /// Asks about a ticket. If this says no, nothing was sent and no answer will come.
    pub(crate) fn redeem(&mut self, redeem: Redeem) -> Result<(), ControlBehind> {
        if self.open >= TELL_CREDIT || !self.owed.is_empty() {
            return Err(ControlBehind);
        }
        self.asks.push(Ask::Redeem(redeem)).map_err(|_| ControlBehind)?;
        self.unheard = true;
        self.sent += 1;
        self.open += 1;
        Ok(())
    }

    /// An answer to a question of this worker was taken: it may ask about one ticket more.
    pub(crate) fn answered(&mut self) {
        self.open = self.open.saturating_sub(1);
    }

    /// Reports what control must know. Kept here if the queue is full.
    pub(crate) fn report(&mut self, ask: Ask) {
        let unsent = if self.owed.is_empty() { self.push(ask) } else { Some(ask) };
        self.owed.extend(unsent);
    }

    /// Gives back what found no room.
    fn push(&mut self, ask: Ask) -> Option<Ask> {
        let unsent = self.asks.push(ask).err();
        self.sent += u64::from(unsent.is_none());
        self.unheard |= unsent.is_none();
        unsent
    }

    /// Reports what control likes to know. Dropped if the queue is full.
    pub(crate) fn mention(&mut self, closed: Closed) {
        if self.owed.is_empty() {
            let _ = self.push(Ask::Closed(closed));
        }
    }

    /// Wakes control if there is something for it: once for all that a turn has sent, so that the two do not take the processor from each
    /// other for every word.
    pub(crate) fn ring(&mut self) {
        if std::mem::take(&mut self.unheard) {
            self.asks.bell.ring();
        }
    }

    /// Tries again to send what is owed; says whether nothing is left.
    pub(crate) fn settle(&mut self) -> bool {
        while let Some(ask) = self.owed.pop_front() {
            if let Some(ask) = self.push(ask) {
                self.owed.push_front(ask);
                return false;
            }
        }
        true
    }

    /// The next letter from control.
    pub(crate) fn next(&mut self) -> Option<Letter> {
        let letter = self.ring.pop().ok();
        self.taken += u64::from(letter.is_some());
        letter
    }

    /// Tells what it has done so far, and what is under way.
    pub(crate) fn count(&self, count: &Counters) {
        count.asks.set(self.sent);
        count.tells.set(self.taken);
        count.tickets_open.set(self.open as u64);
        count.reports_owed.set(self.owed.len() as u64);
    }

    /// Declares that the worker is about to sleep; if this says no, it must not. `also` is asked behind the fence, too.
    pub(crate) fn may_sleep(&self, also: impl FnOnce() -> bool) -> bool {
        self.bell.may_sleep(|| self.ring.is_empty() && also())
    }

    /// The worker has woken.
    pub(crate) fn awake(&self) {
        self.bell.awake();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sluice_engine::eventfd;
    use sluice_link::id::{Generation, LaunchId, SessionKey, Slot, SlotKey, WorkerId};
    use sluice_link::reason::Reason;
    use sluice_link::tell::Refusal;
    use sluice_proto::ticket::Ticket;

    use super::*;
    use sluice_link::ask::{Phases, Wanted};

    fn key(slot: u32) -> SessionKey {
        SessionKey { worker: WorkerId(0), at: SlotKey { slot: Slot(slot), generation: Generation(0) } }
    }

    fn question(slot: u32) -> Redeem {
        Redeem {
            key: key(slot),
            listener: ListenerId(1),
            client: "192.0.2.1:1".parse().unwrap(),
            ticket: Ticket::parse(b";40;STA01;AAAAAAAAAAAAAAAA").unwrap(),
            wanted: Wanted::Ica,
        }
    }

    fn closed(slot: u32) -> Closed {
        Closed {
            key: key(slot),
            listener: ListenerId(1),
            client: "192.0.2.1:1".parse().unwrap(),
            launch: Some(LaunchId(u64::from(slot))),
            reason: Reason::Finished,
            up_bytes: 0,
            down_bytes: 0,
            lived: Duration::ZERO,
            phases: Phases::default(),
        }
    }

    fn answer(slot: u32) -> Tell {
        Tell::Redeemed { key: key(slot), verdict: Err(Refusal::Ticket) }
    }

    fn both() -> (Arc<Asks>, Slit, Mailbox) {
        let asks = Arc::new(Asks::new(eventfd().unwrap().1));
        let (slit, mail, _) = ring(asks.clone(), eventfd().unwrap().1);
        (asks, slit, mail)
    }

    #[test]
    fn every_question_has_room_for_its_answer_whatever_else_is_said() {
        let (asks, mut slit, mut mail) = both();
        let mut asked = 0;
        while mail.redeem(question(asked)).is_ok() {
            asked += 1;
            asks.pop();
        }
        assert_eq!(asked as usize, TELL_CREDIT);
        let mut said = 0;
        while slit.put(Letter::Tell(Tell::Stop)).is_ok() {
            said += 1;
        }
        assert_eq!(said, TELL_RESERVE);
        (0..asked).for_each(|slot| slit.answer(answer(slot)).unwrap());
        assert_eq!(slit.answer(answer(0)), Err(TellRefused::Full));
        assert_eq!(std::iter::from_fn(|| mail.next()).count(), TELL_CAPACITY);
        assert!(mail.redeem(question(0)).is_err());
        mail.answered();
        mail.redeem(question(0)).unwrap();
    }

    #[test]
    fn a_queue_half_full_refuses_tickets_and_drops_remarks_but_keeps_reports_in_order() {
        let (asks, _slit, mut mail) = both();
        for slot in 0..u32::try_from(ASK_FULL).unwrap() {
            mail.mention(closed(slot));
        }
        assert!(mail.redeem(question(0)).is_err());
        mail.mention(closed(9000));
        mail.report(Ask::Closed(closed(9001)));
        mail.report(Ask::Closed(closed(9002)));
        assert!(!mail.settle());
        asks.pop();
        // A ticket must not overtake a report, and a remark takes no room from one.
        assert!(mail.redeem(question(0)).is_err());
        mail.mention(closed(9003));
        assert!(!mail.settle());
        asks.pop();
        assert!(mail.settle());
        let slots: Vec<u32> = std::iter::from_fn(|| asks.pop())
            .map(|ask| match ask {
                Ask::Closed(closed) => closed.key.at.slot.0,
                Ask::Redeem(_) | Ask::Opened(_) => 0,
            })
            .collect();
        assert_eq!(slots.len(), ASK_FULL);
        assert_eq!(slots[ASK_FULL - 2..], [9001, 9002]);
    }

    #[test]
    fn a_letter_to_a_dead_worker_is_refused() {
        let (_asks, mut slit, mail) = both();
        drop(mail);
        assert_eq!(slit.answer(answer(0)), Err(TellRefused::Gone));
        assert_eq!(slit.put(Letter::Tell(Tell::Stop)), Err(TellRefused::Gone));
    }
}
