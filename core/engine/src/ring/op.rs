//! Operations that own what the kernel works on.

use std::ptr::null_mut;

use io_uring::{opcode, squeue, types};
use sluice_flow::buf::{Buf, Chain, Class, PARTS_MAX};
use sluice_flow::event::Leg;
use sluice_flow::port::SlotKey;

use super::group;
use super::sys::POLL_FIRST;
use crate::sock::{self, Address, RecordType};

/// For whom an operation was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) key: SlotKey,
    pub(crate) leg: Leg,
}

/// Whether a receive expects to find something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hint {
    /// Nothing is known to be there: wait for the socket first, rather than try in vain.
    Quiet,
    /// The last receive left something.
    More,
}

/// An operation with all that it points to.
#[derive(Debug)]
pub(crate) enum Op {
    /// Accept at the listener with this index.
    Accept { listener: usize },
    /// Receive into whichever buffer of that class is ready. The wish may have been for a larger one.
    ReceiveAny { at: Place, class: Class, wanted: Class, hint: Hint },
    /// Receive into this one. `fed`: it is the pool's, given after waiting for one; else the session has lent it.
    ReceiveInto { at: Place, buf: Buf, fed: bool, hint: Hint },
    /// Send.
    Send { at: Place, outgoing: Box<Outgoing> },
    /// Connect the host leg.
    Connect { key: SlotKey, to: Box<Address> },
    /// Read the wake descriptor.
    Wake { count: Box<[u8; 8]> },
    /// Open a file: what the allow-list must refuse. For the self-test.
    Forbidden,
}

/// A send under way. These are kept and used again, since iovecs of a long chain have no room in a slot.
pub(crate) struct Outgoing {
    /// None only while it is kept for the next send.
    chain: Option<Chain>,
    message: libc::msghdr,
    slices: [libc::iovec; PARTS_MAX],
    /// The kernel seals it.
    sealed: bool,
    /// As a record of this type, if it is not data.
    typ: RecordType,
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outgoing").field("left", &self.left()).finish_non_exhaustive()
    }
}

impl Outgoing {
    pub(crate) fn new(chain: Chain) -> Self {
        Self {
            chain: Some(chain),
            message: sock::empty_message(),
            slices: [sock::io_slice(&[]); PARTS_MAX],
            sealed: false,
            typ: RecordType::new(0),
        }
    }

    pub(crate) fn load(&mut self, chain: Chain) {
        self.chain = Some(chain);
    }

    /// Says whether the kernel seals it.
    pub(crate) fn sealed(&mut self, sealed: bool) {
        self.sealed = sealed;
    }

    pub(crate) fn unload(&mut self) -> Option<Chain> {
        self.chain.take()
    }

    /// Bytes still to be sent.
    pub(crate) fn left(&self) -> usize {
        self.chain.as_ref().map_or(0, Chain::bytes)
    }

    /// Notes that the kernel has taken `n` bytes.
    pub(crate) fn taken(&mut self, n: usize) {
        if let Some(chain) = &mut self.chain {
            chain.taken(n);
        }
    }

    /// The entry that sends what is left. It points into `self`, which is boxed and must stay where it is until the completion.
    fn entry(&mut self, fd: types::Fd) -> squeue::Entry {
        let typ = self.chain.as_ref().and_then(Chain::typed).filter(|_| self.sealed);
        // All of it in one completion, if possible: the kernel goes on by itself after a short send. Where it seals it refuses that, and keeps
        // a record open until more comes if it is told that more will.
        let flags =
            libc::MSG_NOSIGNAL | if self.sealed { 0 } else { libc::MSG_WAITALL | self.chain.as_ref().map_or(0, sock::more) };
        let mut n = 0;
        for (to, slice) in self.slices.iter_mut().zip(self.chain.iter().flat_map(Chain::slices)) {
            *to = sock::io_slice(slice);
            n += 1;
        }
        if n == 1 && typ.is_none() {
            let only = &self.slices[0];
            return opcode::Send::new(fd, only.iov_base.cast(), length(only.iov_len)).flags(flags).build();
        }
        self.message.msg_iov = self.slices.as_mut_ptr();
        self.message.msg_iovlen = n;
        (self.message.msg_control, self.message.msg_controllen) = (null_mut(), 0);
        if let Some(typ) = typ {
            self.typ = RecordType::new(typ);
            self.typ.go_with(&mut self.message);
        }
        opcode::SendMsg::new(fd, &raw const self.message).flags(flags.cast_unsigned()).build()
    }
}

impl Op {
    /// The entry for the kernel. It points to what `self` owns on the heap, and which must stay there until the completion.
    pub(super) fn entry(&mut self, fd: types::Fd) -> squeue::Entry {
        match self {
            Self::Accept { .. } => opcode::Accept::new(fd, null_mut(), null_mut()).flags(libc::SOCK_CLOEXEC).build(),
            Self::ReceiveAny { class, hint, .. } => opcode::Recv::new(fd, null_mut(), length(class.payload()))
                .buf_group(group::number(*class))
                .ioprio(priority(*hint))
                .build()
                .flags(squeue::Flags::BUFFER_SELECT),
            Self::ReceiveInto { buf, hint, .. } => {
                let room = buf.spare_mut();
                opcode::Recv::new(fd, room.as_mut_ptr(), length(room.len())).ioprio(priority(*hint)).build()
            }
            Self::Send { outgoing, .. } => outgoing.entry(fd),
            Self::Connect { to, .. } => opcode::Connect::new(fd, to.pointer(), to.len()).build(),
            Self::Wake { count } => opcode::Read::new(fd, count.as_mut_ptr(), 8).build(),
            Self::Forbidden => opcode::OpenAt::new(fd, c"/".as_ptr()).build(),
        }
    }
}

fn priority(hint: Hint) -> u16 {
    match hint {
        Hint::Quiet => POLL_FIRST,
        Hint::More => 0,
    }
}

fn length(bytes: usize) -> u32 {
    // No buffer comes near; if one did, a short operation would be the result, which is always allowed.
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
