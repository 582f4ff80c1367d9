//! The queue to the kernel: the only place that puts an entry into it, and the owner of everything that entries point to.
//!
//! ```text
//!   start(op) ─► table[index] = op ─► entry pointing to what it owns ─► submission queue ─► kernel
//!                                                                                             │
//!   op is handed back ◄── finish(token) ◄── completion with index and sequence ◄──────────────┘
//! ```
//!
//! An operation comes in by value and goes out by value, once its completion has been seen. In between it lies in a table where
//! nobody can reach it. Entries point only to memory on the heap that their operation owns, and which stays where it is. That is
//! the whole argument for soundness: whoever calls this module cannot hold, change or free what the kernel works on.
//!
//! When the queue is full it is submitted; what the kernel does not take waits in a backlog. No operation is ever lost.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};
use std::time::Duration;

use io_uring::{IoUring, cqueue, opcode, squeue, types};
use sluice_flow::buf::{Buf, Class};
use sluice_flow::port::EngineFault;

use super::group::{self, Group};
use super::op::Op;
use super::sys::{self, Name, Wait};
use super::token::{CANCEL, Token};

/// How long a dropped queue waits for the kernel to let go of what it holds, in rounds of [`DROP_ROUND`].
const DROP_ROUNDS: u32 = 20;
const DROP_ROUND: Duration = Duration::from_millis(100);

/// A completion. It exists once, since it may stand for a descriptor.
#[derive(Debug)]
pub(crate) struct Completion {
    pub(crate) user_data: u64,
    /// Bytes, a descriptor or nothing; below zero the negated errno.
    pub(crate) result: i32,
    flags: u32,
}

impl Completion {
    /// The socket had more.
    pub(crate) fn left_some(&self) -> bool {
        cqueue::sock_nonempty(self.flags)
    }
}

/// What the completion of an accept brought.
#[derive(Debug)]
pub(crate) struct Accepted {
    /// Index of the listener.
    pub(crate) listener: usize,
    pub(crate) socket: Result<OwnedFd, i32>,
}

#[derive(Debug)]
struct Entry {
    sequence: u32,
    op: Option<Op>,
}

// Two of an idle session are in the table, a receive for each leg.
const _: () = assert!(size_of::<Entry>() <= 40);

/// The numbers of groups are their places here.
type Groups = [Group; 3];

pub(crate) struct Queue {
    /// Dropped first: what follows is memory that the kernel might still write to.
    ring: IoUring,
    name: Name,
    table: Vec<Entry>,
    /// Places of the table that are free; the last one was used last and is warm.
    free: Vec<u32>,
    in_flight: usize,
    backlog: VecDeque<squeue::Entry>,
    groups: Option<Groups>,
    overflows: u64,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("name", &self.name).field("in_flight", &self.in_flight).finish_non_exhaustive()
    }
}

impl Queue {
    /// A queue for at most `operations` at a time, over a ring that is still disabled.
    ///
    /// # Errors
    /// Those of registering the groups.
    pub(crate) fn new(ring: IoUring, operations: usize) -> Result<Self, EngineFault> {
        let system = |call| move |source| EngineFault::System { call, source };
        let mut groups = Vec::with_capacity(3);
        for class in Class::ALL {
            let group = Group::new(class).map_err(system("mmap"))?;
            let (address, entries, number) = (group.address(), group::entries(class), group::number(class));
            // SAFETY: demanded is that the address stays valid, for that many entries, until the ring is destroyed. A group's
            // mapping is of that size and lives as long as the group, which is dropped behind the ring or leaked.
            unsafe { ring.submitter().register_buf_ring_with_flags(address, entries, number, 0) }
                .map_err(system("io_uring_register(PBUF_RING)"))?;
            groups.push(group);
        }
        let name = Name::Descriptor(ring.as_raw_fd());
        Ok(Self {
            ring,
            name,
            table: Vec::with_capacity(operations),
            free: Vec::new(),
            in_flight: 0,
            backlog: VecDeque::new(),
            groups: groups.try_into().ok(),
            overflows: 0,
        })
    }

    pub(crate) fn ring(&self) -> &IoUring {
        &self.ring
    }

    /// Spares the kernel the look-up of the ring's descriptor at each enter. For the thread that will use it.
    pub(crate) fn register_name(&mut self) -> io::Result<()> {
        self.name = Name::Registered(sys::register_ring_fd(self.ring.as_raw_fd())?);
        Ok(())
    }

    /// Starts `op` on `fd`. It goes to the kernel with the next enter; `fd` must be open until then.
    ///
    /// # Panics
    /// If more operations are under way than the queue was made for.
    pub(crate) fn start(&mut self, fd: BorrowedFd<'_>, op: Op) -> Token {
        let index = self.free.pop().unwrap_or_else(|| {
            assert!(self.table.len() < self.table.capacity(), "more than {} operations", self.table.len());
            self.table.push(Entry { sequence: 0, op: None });
            u32::try_from(self.table.len() - 1).unwrap_or(u32::MAX)
        });
        let place = &mut self.table[index as usize];
        place.sequence = place.sequence.wrapping_add(1);
        let token = Token { index, sequence: place.sequence };
        let entry = place.op.insert(op).entry(types::Fd(fd.as_raw_fd())).user_data(token.bits());
        self.in_flight += 1;
        self.push(entry);
        token
    }

    /// Asks the kernel to give up an operation. Its completion comes all the same.
    pub(crate) fn cancel(&mut self, token: Token) {
        self.push(opcode::AsyncCancel::new(token.bits()).build().user_data(CANCEL));
    }

    /// What was accepted, if the completion is that of an accept under way. The descriptor is handed out once.
    pub(crate) fn claim(&self, completion: &mut Completion) -> Option<Accepted> {
        let token = Token::of(completion.user_data);
        let entry = self.table.get(token.index as usize).filter(|e| e.sequence == token.sequence)?;
        let Some(Op::Accept { listener }) = &entry.op else { return None };
        let result = std::mem::replace(&mut completion.result, -libc::EBADF);
        let socket = if result < 0 {
            Err(-result)
        } else {
            // SAFETY: demanded is the result of an accept on a ring of this process, claimed once. The token says that it is that of
            // an accept on this ring; completions are made by `reap` only, of what the kernel posted, cannot be copied, and the
            // result has just been replaced.
            Ok(unsafe { sys::accepted(result) })
        };
        Some(Accepted { listener: *listener, socket })
    }

    /// The operation that has come to its end: what it owned is the caller's again. None if the token is an old one.
    pub(crate) fn finish(&mut self, token: Token) -> Option<Op> {
        let entry = self.table.get_mut(token.index as usize).filter(|e| e.sequence == token.sequence)?;
        let op = entry.op.take()?;
        self.free.push(token.index);
        self.in_flight -= 1;
        Some(op)
    }

    fn push(&mut self, entry: squeue::Entry) {
        if !self.backlog.is_empty() {
            self.backlog.push_back(entry);
            return;
        }
        if self.ring.submission().is_full() {
            // Should the kernel not take any, it says so again at the end of the turn, where it is handled.
            let _ = self.enter_once(Wait::No);
        }
        if self.push_if_room(&entry).is_err() {
            self.backlog.push_back(entry);
        }
    }

    fn push_if_room(&mut self, entry: &squeue::Entry) -> Result<(), squeue::PushError> {
        // SAFETY: demanded is that what the entry points to stays valid until the operation has completed. An entry comes from
        // `start`, where it points to memory on the heap owned by the operation in the table; the table keeps it, untouched, until
        // `finish`, which is called for a completion that ends it, and is leaked if the ring goes earlier. Or it is a cancel, which
        // points to nothing.
        unsafe { self.ring.submission().push(entry) }
    }

    /// Whether an enter would bring completions without waiting.
    pub(crate) fn has_news(&mut self) -> bool {
        let submission = self.ring.submission();
        let more_inside = submission.taskrun() || submission.cq_overflow();
        drop(submission);
        more_inside || !self.ring.completion().is_empty()
    }

    /// Submits everything and waits for a completion, as told.
    ///
    /// # Errors
    /// If the ring is broken. That the kernel is short of something for the moment is no error: what it did not take stays.
    pub(crate) fn enter(&mut self, wait: Wait) -> Result<(), EngineFault> {
        loop {
            while let Some(entry) = self.backlog.front().cloned() {
                if self.push_if_room(&entry).is_err() {
                    break;
                }
                self.backlog.pop_front();
            }
            let last = self.backlog.is_empty();
            match self.enter_once(if last { wait } else { Wait::No }) {
                Ok(true) if !last => {}
                Ok(_) => return Ok(()),
                Err(source) => return Err(EngineFault::System { call: "io_uring_enter", source }),
            }
        }
    }

    /// One system call, or none if it would do nothing. Answers whether the kernel took what there was.
    fn enter_once(&mut self, wait: Wait) -> io::Result<bool> {
        let submission = self.ring.submission();
        let count = u32::try_from(submission.len()).unwrap_or(u32::MAX);
        let overflow = submission.cq_overflow();
        let work = overflow || submission.taskrun();
        drop(submission);
        self.overflows += u64::from(overflow);
        if count == 0 && wait == Wait::No && !work {
            return Ok(true);
        }
        // SAFETY: demanded is that every entry in the queue points to memory that stays valid until its completion has been seen;
        // entries get there only through `push_if_room`, see there.
        match unsafe { sys::enter(self.name, count, wait) } {
            Ok(taken) => Ok(taken == count),
            Err(e) => match e.raw_os_error() {
                // Time is up, or a signal came: what was to be submitted has been.
                Some(libc::ETIME | libc::EINTR) => Ok(true),
                // Completions must be reaped first, or memory is short: later again.
                Some(libc::EBUSY | libc::EAGAIN) => Ok(false),
                _ => Err(e),
            },
        }
    }

    /// Moves up to `max` completions behind those in `into`.
    pub(crate) fn reap(&mut self, into: &mut Vec<Completion>, max: usize) {
        let found = self.ring.completion();
        into.extend(found.take(max).map(|c| Completion { user_data: c.user_data(), result: c.result(), flags: c.flags() }));
    }

    /// Times that completions had to wait outside of their queue, since the last call.
    pub(crate) fn take_overflows(&mut self) -> u64 {
        std::mem::take(&mut self.overflows)
    }

    /// The buffer that the kernel chose for a receive of `class`, if it chose one.
    pub(crate) fn chosen(&mut self, class: Class, completion: &Completion) -> Option<Buf> {
        let number = cqueue::buffer_select(completion.flags)?;
        Some(self.group(class).take(number))
    }

    pub(crate) fn group(&mut self, class: Class) -> &mut Group {
        let Some(groups) = &mut self.groups else { unreachable!("they are leaked only by the drop of the queue") };
        &mut groups[usize::from(group::number(class))]
    }

    /// Cancels everything and waits for it. Answers whether the kernel has let go of all.
    fn settle(&mut self) -> bool {
        if self.in_flight == 0 {
            return true;
        }
        let everything = types::CancelBuilder::any().all();
        self.push(opcode::AsyncCancel2::new(everything).build().user_data(CANCEL));
        let mut completions = Vec::new();
        for _ in 0..DROP_ROUNDS {
            if self.enter(Wait::UpTo(DROP_ROUND)).is_err() {
                return false;
            }
            self.reap(&mut completions, usize::MAX);
            for completion in completions.drain(..) {
                self.settle_one(completion);
            }
            if self.in_flight == 0 {
                return true;
            }
        }
        false
    }

    fn settle_one(&mut self, mut completion: Completion) {
        if completion.user_data == CANCEL {
            return;
        }
        // Whoever came in at the last moment is let out at once.
        drop(self.claim(&mut completion));
        self.finish(Token::of(completion.user_data));
    }
}

impl Drop for Queue {
    /// Takes back what the kernel holds. If it does not give it back in time, the memory is leaked: better some memory less for
    /// the rest of the process than bytes from the network where something else lies by then.
    fn drop(&mut self) {
        let settled = self.settle();
        if let Name::Registered(index) = self.name {
            // Should it fail, the ring lives on until the thread ends, with nothing in it.
            let _ = sys::unregister_ring_fd(self.ring.as_raw_fd(), index);
        }
        if !settled {
            std::mem::forget(std::mem::take(&mut self.table));
            for group in self.groups.take().into_iter().flatten() {
                group.leak();
            }
        }
    }
}
