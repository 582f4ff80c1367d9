//! The allow-list of a ring.
//!
//! A filter of system calls (seccomp) does not see what is submitted to a ring: a worker that has been taken over could open
//! files through it. So each ring is restricted, while it is still disabled, to the operations that the engine uses. The self-test
//! tries one that is not among them; if it is not refused, the ring is not used.

use std::io;

use io_uring::register::Restriction;
use io_uring::{IoUring, opcode, squeue};

use super::sys::{REGISTER_ENABLE_RINGS, UNREGISTER_RING_FDS};

/// All operations that the engine ever starts, with their names for the report.
pub(crate) const OPERATIONS: [(&str, u8); 7] = [
    ("ACCEPT", opcode::Accept::CODE),
    ("CONNECT", opcode::Connect::CODE),
    ("RECV", opcode::Recv::CODE),
    ("SEND", opcode::Send::CODE),
    ("SENDMSG", opcode::SendMsg::CODE),
    // Of the wake descriptor.
    ("READ", opcode::Read::CODE),
    ("ASYNC_CANCEL", opcode::AsyncCancel::CODE),
];

/// Restricts a disabled ring to what the engine needs from now on.
pub(crate) fn restrict(ring: &IoUring) -> io::Result<()> {
    let mut list: Vec<_> = OPERATIONS.iter().map(|(_, code)| Restriction::sqe_op(*code)).collect();
    list.push(Restriction::sqe_flags_allowed(squeue::Flags::BUFFER_SELECT.bits()));
    list.push(Restriction::register_op(REGISTER_ENABLE_RINGS));
    list.push(Restriction::register_op(UNREGISTER_RING_FDS));
    ring.submitter().register_restrictions(&mut list)
}
