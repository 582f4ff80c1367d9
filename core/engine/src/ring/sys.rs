//! The calls that the io-uring crate lacks or does not offer in the form that is needed here.
//!
//! The crate remembers a registered ring descriptor only in a borrowed `Submitter`, and sets `GETEVENTS` by rules of its own. The
//! engine needs both under its control: with `DEFER_TASKRUN`, completions come only out of an enter that carries `GETEVENTS`, and
//! forgetting it once means to wait for ever.

use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};
use std::time::Duration;

use libc::{c_int, c_long, c_uint, c_void};

const ENTER_GETEVENTS: c_uint = 1 << 0;
const ENTER_EXT_ARG: c_uint = 1 << 3;
const ENTER_REGISTERED_RING: c_uint = 1 << 4;

/// `io_uring_register` opcodes used after set-up; the allow-list names them.
pub(crate) const REGISTER_ENABLE_RINGS: u8 = 12;
pub(crate) const REGISTER_RING_FDS: u8 = 20;
pub(crate) const UNREGISTER_RING_FDS: u8 = 21;

/// `IORING_RECVSEND_POLL_FIRST`: wait for the socket before trying it.
pub(crate) const POLL_FIRST: u16 = 1 << 0;

#[repr(C)]
struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}
const _: () = assert!(size_of::<Timespec>() == 16, "struct __kernel_timespec");

#[repr(C)]
struct GeteventsArg {
    sigmask: u64,
    sigmask_bytes: u32,
    min_wait_usec: u32,
    timespec: u64,
}
const _: () = assert!(size_of::<GeteventsArg>() == 24, "struct io_uring_getevents_arg");

#[repr(C)]
struct RsrcUpdate {
    offset: u32,
    reserved: u32,
    data: u64,
}
const _: () = assert!(size_of::<RsrcUpdate>() == 16, "struct io_uring_rsrc_update");

/// How long an enter waits for a completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    No,
    UpTo(Duration),
    Forever,
}

/// How the ring is named in an enter.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Name {
    Descriptor(RawFd),
    /// An index into this thread's table of registered rings: it spares the look-up of the descriptor.
    Registered(u32),
}

/// Submits `count` entries, lets the kernel post completions, and waits for one as told. Answers with how many it took.
///
/// # Safety
/// Every entry in the submission queue points only to memory that stays valid until its completion has been seen.
pub(crate) unsafe fn enter(ring: Name, count: u32, wait: Wait) -> io::Result<u32> {
    let (fd, named) = match ring {
        Name::Descriptor(fd) => (c_long::from(fd), 0),
        Name::Registered(index) => (c_long::from(index), ENTER_REGISTERED_RING),
    };
    let flags = ENTER_GETEVENTS | named;
    let want = c_uint::from(wait != Wait::No);
    let answer = match wait {
        Wait::No | Wait::Forever => {
            let none = std::ptr::null::<c_void>();
            // SAFETY: without EXT_ARG the fifth argument is a signal mask, and null means none; of the entries the caller
            // promises what the kernel demands.
            unsafe { libc::syscall(libc::SYS_io_uring_enter, fd, count, want, flags, none, 0usize) }
        }
        Wait::UpTo(time) => {
            let time = Timespec {
                seconds: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
                nanoseconds: i64::from(time.subsec_nanos()),
            };
            let arg = GeteventsArg { sigmask: 0, sigmask_bytes: 0, min_wait_usec: 0, timespec: address(&time) };
            let (flags, bytes) = (flags | ENTER_EXT_ARG, size_of::<GeteventsArg>());
            // SAFETY: with EXT_ARG the fifth argument points to an argument block of the size in the sixth, which is `arg`; that
            // points to a timespec, which is `time`; both live on this stack until the call returns. Of the entries the caller
            // promises what the kernel demands.
            unsafe { libc::syscall(libc::SYS_io_uring_enter, fd, count, want, flags, &raw const arg, bytes) }
        }
    };
    u32::try_from(answer).map_err(|_| io::Error::last_os_error())
}

/// Enters the ring into this thread's table. Answers with its index there.
pub(crate) fn register_ring_fd(ring: RawFd) -> io::Result<u32> {
    // All ones: the kernel chooses the place.
    let mut update = RsrcUpdate { offset: u32::MAX, reserved: 0, data: u64::try_from(ring).unwrap_or_default() };
    register_ring(ring, REGISTER_RING_FDS, &mut update)?;
    Ok(update.offset)
}

/// Takes it out again. Without this a ring lives until its thread ends, even when its descriptor has been closed.
pub(crate) fn unregister_ring_fd(ring: RawFd, index: u32) -> io::Result<()> {
    register_ring(ring, UNREGISTER_RING_FDS, &mut RsrcUpdate { offset: index, reserved: 0, data: 0 })
}

fn register_ring(ring: RawFd, opcode: u8, update: &mut RsrcUpdate) -> io::Result<()> {
    let (opcode, one) = (c_uint::from(opcode), 1 as c_uint);
    // SAFETY: both opcodes demand a pointer to as many io_uring_rsrc_update as the last argument says, which may be written; that
    // is `update`, for the time of the call.
    let answer: c_long = unsafe { libc::syscall(libc::SYS_io_uring_register, c_long::from(ring), opcode, &raw mut *update, one) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The descriptor that a completed accept brought.
///
/// # Safety
/// `raw` is the result of a completed accept on a ring of this process, and this is called once for it.
pub(crate) unsafe fn accepted(raw: c_int) -> OwnedFd {
    // SAFETY: from_raw_fd demands an open descriptor that nobody else owns; the kernel installed it for that completion, and the
    // caller promises to claim it only once.
    unsafe { OwnedFd::from_raw_fd(raw) }
}

fn address<T>(of: &T) -> u64 {
    std::ptr::from_ref(of).expose_provenance() as u64
}
