//! Setting up a ring: the best that this kernel has, rung by rung.
//!
//! | rung | flags                                                                                    | kernel |
//! |------|------------------------------------------------------------------------------------------|--------|
//! | A    | `SINGLE_ISSUER DEFER_TASKRUN SUBMIT_ALL TASKRUN_FLAG CQSIZE CLAMP NO_SQARRAY R_DISABLED` | 6.6    |
//! | B    | A without `NO_SQARRAY`                                                                   | 6.1    |
//! | C    | `COOP_TASKRUN SUBMIT_ALL TASKRUN_FLAG CQSIZE CLAMP R_DISABLED`                           | 5.19   |
//!
//! The ring is made disabled, so that it can be restricted before anything can be submitted to it. `SUBMIT_ALL`: one bad entry
//! must not strand the rest of a batch. `TASKRUN_FLAG`: it tells without a system call that completions wait inside the kernel.

use std::io;

use io_uring::IoUring;
use sluice_flow::port::EngineFault;

use crate::report::{Outcome, Report};

/// Entries of the submission queue: when it is full it is submitted, so this bounds a batch and nothing else.
pub(crate) const SUBMISSIONS: u32 = 1024;
/// Most entries of the completion queue.
const COMPLETIONS_MAX: u32 = 65_536;
/// Below this, halving for want of memory gives up.
const COMPLETIONS_MIN: u32 = 512;
/// Operations that a session may have under way, and so completions that may come at once.
pub(crate) const OPERATIONS_PER_SESSION: u32 = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rung {
    A,
    B,
    C,
}

impl Rung {
    pub(crate) const ALL: [Self; 3] = [Self::A, Self::B, Self::C];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::A => "io_uring (deferred, no index array)",
            Self::B => "io_uring (deferred)",
            Self::C => "io_uring (cooperative)",
        }
    }

    pub(crate) fn subject(self) -> &'static str {
        match self {
            Self::A => "io_uring rung A",
            Self::B => "io_uring rung B",
            Self::C => "io_uring rung C",
        }
    }

    fn build(self, submissions: u32, completions: u32) -> io::Result<IoUring> {
        let mut builder = IoUring::builder();
        builder.setup_r_disabled().setup_submit_all().setup_taskrun_flag().setup_cqsize(completions).setup_clamp().dontfork();
        match self {
            Self::A => builder.setup_single_issuer().setup_defer_taskrun().setup_no_sqarray(),
            Self::B => builder.setup_single_issuer().setup_defer_taskrun(),
            Self::C => builder.setup_coop_taskrun(),
        };
        builder.build(submissions)
    }
}

/// Completions to make room for, with so many sessions.
pub(crate) fn completions(sessions: u32) -> u32 {
    sessions
        .saturating_mul(OPERATIONS_PER_SESSION)
        .checked_next_power_of_two()
        .unwrap_or(COMPLETIONS_MAX)
        .clamp(SUBMISSIONS * 2, COMPLETIONS_MAX)
}

/// The ring on the first of `rungs` that holds.
///
/// # Errors
/// If none does, or the kernel denies io_uring altogether.
pub(crate) fn climb(rungs: &[Rung], sessions: u32, report: &mut Report) -> Result<(IoUring, Rung), EngineFault> {
    let setup = |source| EngineFault::System { call: "io_uring_setup", source };
    let mut last = io::Error::from_raw_os_error(libc::EINVAL);
    for rung in rungs {
        let (mut submissions, mut room) = (SUBMISSIONS, completions(sessions));
        loop {
            let error = match rung.build(submissions, room) {
                Ok(ring) => {
                    let params = ring.params();
                    let detail = format!("{} submissions, {} completions", params.sq_entries(), params.cq_entries());
                    report.note(rung.subject(), Outcome::Works, detail);
                    return Ok((ring, *rung));
                }
                Err(e) => e,
            };
            match error.raw_os_error() {
                Some(libc::ENOMEM) if room > COMPLETIONS_MIN => {
                    let detail = format!("not enough memory for {room} completions; RLIMIT_MEMLOCK may be low; trying half");
                    report.note(rung.subject(), Outcome::Without, detail);
                    room /= 2;
                    submissions = submissions.min(room / 2);
                }
                // This kernel does not know one of the flags.
                Some(libc::EINVAL) => {
                    report.note(rung.subject(), Outcome::Without, "not known to this kernel");
                    last = error;
                    break;
                }
                // Denied, or no memory even for little: lower rungs would meet the same.
                _ => {
                    report.note(rung.subject(), Outcome::Fails, why(&error));
                    return Err(setup(error));
                }
            }
        }
    }
    Err(setup(last))
}

/// What a failed set-up most likely means to an operator.
pub(crate) fn why(error: &io::Error) -> String {
    let sysctl = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled").unwrap_or_default();
    let hint = match error.raw_os_error() {
        Some(libc::EPERM) if sysctl.trim() == "2" => "the sysctl kernel.io_uring_disabled is 2: off for everybody",
        Some(libc::EPERM) if sysctl.trim() == "1" => "the sysctl kernel.io_uring_disabled is 1: off without CAP_SYS_ADMIN",
        Some(libc::EPERM | libc::EACCES) => "denied, most likely by a seccomp profile such as those of container runtimes",
        Some(libc::ENOSYS) => "not in this kernel, or hidden by a seccomp profile",
        Some(libc::ENOMEM) => "no memory; RLIMIT_MEMLOCK may be low",
        Some(libc::EINVAL) => "this kernel is older than 5.19",
        _ => return error.to_string(),
    };
    format!("{error}; {hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_completion_queue_has_room_for_all_sessions_at_once() {
        assert_eq!(completions(0), 2048);
        assert_eq!(completions(4096), 16_384);
        assert_eq!(completions(5000), 32_768);
        assert_eq!(completions(u32::MAX), COMPLETIONS_MAX);
    }
}
