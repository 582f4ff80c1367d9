//! What the engines and the workers ask of the machine besides sockets: the time, the kernel's version, the limit of descriptors, and
//! what becomes of memory that was needed for a moment.

use std::io;
use std::time::Duration;

use sluice_flow::port::Moment;

/// The monotonic clock, read through the vDSO: no system call. A worker reads it twice a turn.
#[must_use]
pub fn now() -> Moment {
    Moment(read(libc::CLOCK_MONOTONIC))
}

/// Processor time that the calling thread has used until now, what the kernel did for it included. A system call.
#[must_use]
pub fn used() -> Duration {
    Duration::from_nanos(read(libc::CLOCK_THREAD_CPUTIME_ID))
}

/// Nanoseconds on one of the clocks that every thread has.
fn read(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: clock_gettime demands a pointer to a timespec that may be written; `time` is one, on this stack. It cannot fail
    // for these clocks; if it did, `time` would still hold the zeroes from above.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    let whole = u64::try_from(time.tv_sec).unwrap_or_default().saturating_mul(1_000_000_000);
    whole.saturating_add(u64::try_from(time.tv_nsec).unwrap_or_default())
}

/// Raises the soft limit of open descriptors to `want`, or to the hard limit if that is lower. Answers with the limit that
/// holds afterwards. A process that may raise its hard limit (root) gets `want` in any case.
///
/// # Errors
/// Those of `getrlimit`. Not being allowed to raise it is not an error: compare what comes back.
pub fn raise_descriptor_limit(want: u64) -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: getrlimit demands a pointer to an rlimit that may be written; `limit` is one, on this stack.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    if limit.rlim_cur >= want {
        return Ok(limit.rlim_cur);
    }
    for hard in [limit.rlim_max.max(want), limit.rlim_max] {
        let wish = libc::rlimit { rlim_cur: want.min(hard), rlim_max: hard };
        // SAFETY: setrlimit demands a pointer to an rlimit that may be read; `wish` is one, on this stack.
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const wish) } == 0 {
            return Ok(wish.rlim_cur);
        }
    }
    Ok(limit.rlim_cur)
}

/// Blocks of this many bytes and more are mapped by themselves and go back to the system when they are freed. Larger than every buffer
/// of a worker, which would otherwise be mapped anew each time; smaller than the 19 MiB of a password check.
#[cfg(target_env = "gnu")]
const MAPPED_BYTES_MIN: libc::c_int = 2 * 1024 * 1024;
/// So much free memory at its end an arena keeps: enough that a busy thread does not ask the system again and again.
#[cfg(target_env = "gnu")]
const KEPT_BYTES_MAX: libc::c_int = 4 * 1024 * 1024;
#[cfg(target_env = "gnu")]
const _: () = assert!(sluice_flow::buf::Class::Bulk.payload() < MAPPED_BYTES_MIN as usize / 2);

/// Lets the allocator give large blocks back to the system as soon as they are freed. For a process of our own, before its first thread.
///
/// Left to itself, glibc takes the first large block that is freed as a sign that more will come, and keeps such blocks from then on, in
/// the arena of each thread that ever had one. A password check takes 19 MiB on whichever helper thread is free, so a process would grow
/// by that for each of them and never shrink. It costs a check the pages of its block, a few milliseconds in some tens.
///
/// Allocators other than glibc's are left as they are.
pub fn give_large_memory_back() {
    #[cfg(target_env = "gnu")]
    for (what, value) in [(libc::M_MMAP_THRESHOLD, MAPPED_BYTES_MIN), (libc::M_TRIM_THRESHOLD, KEPT_BYTES_MAX)] {
        // SAFETY: mallopt takes two numbers and no pointer, and refuses those that it does not know, which leaves things as they were.
        unsafe { libc::mallopt(what, value) };
    }
}

/// Major and minor number of the running kernel; zeroes if it does not say. For tests of what must be known to it: the engines do not ask for
/// a number, they try.
#[cfg(test)]
pub(crate) fn kernel_version() -> (u32, u32) {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    parse_version(&release)
}

#[cfg(test)]
fn parse_version(release: &str) -> (u32, u32) {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse().unwrap_or_default());
    (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_distributions_write_them() {
        assert_eq!(parse_version("6.1.0-28-amd64\n"), (6, 1));
        assert_eq!(parse_version("5.15.167.4-microsoft-standard-WSL2"), (5, 15));
        assert_eq!(parse_version("7.0\n"), (7, 0));
        assert_eq!(parse_version(""), (0, 0));
        assert_ne!(kernel_version(), (0, 0));
    }

    #[test]
    fn the_clock_goes_forward() {
        let first = now();
        assert!(first.0 > 0);
        assert!(now() >= first);
    }

    #[test]
    fn a_thread_is_charged_for_what_it_does() {
        let before = used();
        let mut sum = 0_u64;
        // However coarse the clock: it moves in the end.
        while used() == before {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        let elsewhere = std::thread::spawn(used).join().unwrap();
        assert!(elsewhere < Duration::from_secs(1), "another thread's time: {elsewhere:?}");
    }

    #[test]
    fn the_limit_is_never_lowered() {
        let before = raise_descriptor_limit(0).unwrap();
        assert!(raise_descriptor_limit(before.saturating_sub(1)).unwrap() >= before);
    }
}
