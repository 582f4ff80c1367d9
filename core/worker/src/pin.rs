//! Which worker runs on which processor.
//!
//! ```text
//!   allowed processors (cpuset, affinity)  0 1 2 3        Auto: all but the first, which is left to control and interrupts
//!   workers                                  0 1 2        of two or fewer: all of them
//! ```
//!
//! Pinning is by the numbers of the processors that this process may use, never by counting from zero: in a container they are
//! others.

use core_affinity::CoreId;
use thiserror::Error;

/// Most workers of one gateway.
pub const WORKERS_MAX: u16 = 512;

/// How many workers there are, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Placement {
    /// One for each processor that this process may use, but one left over for control; with two or fewer processors, one on
    /// each.
    #[default]
    Auto,
    /// So many, 1 to [`WORKERS_MAX`]. If there are more than processors, several share one.
    Count(u16),
    /// One on each of these processors, in this order.
    Cores(Vec<usize>),
}

/// A wish that cannot be had on this machine. The operator's fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Misplaced {
    /// No workers, or more than [`WORKERS_MAX`].
    #[error("{0} workers are wanted, 1 to {WORKERS_MAX} are possible")]
    Count(usize),
    /// A processor that does not exist or that this process may not use.
    #[error("processor {core} is not among those that may be used here: {allowed:?}")]
    Core {
        /// The one that is wanted.
        core: usize,
        /// Those that there are.
        allowed: Vec<usize>,
    },
}

/// The processors that the calling thread may use, in ascending order. Empty if the system does not say.
pub(crate) fn allowed() -> Vec<usize> {
    core_affinity::get_core_ids().unwrap_or_default().into_iter().map(|core| core.id).collect()
}

/// The processor of each worker; `None` where there is nothing to choose from.
pub(crate) fn place(wish: &Placement, allowed: &[usize]) -> Result<Vec<Option<usize>>, Misplaced> {
    let spread = |count: usize, over: &[usize]| (0..count).map(|i| over.get(i % over.len().max(1)).copied()).collect();
    match wish {
        Placement::Auto if allowed.len() <= 2 => Ok(spread(allowed.len().max(1), allowed)),
        Placement::Auto => {
            let own = &allowed[1..];
            Ok(spread(own.len().min(usize::from(WORKERS_MAX)), own))
        }
        Placement::Count(count) if (1..=WORKERS_MAX).contains(count) => {
            let count = usize::from(*count);
            Ok(spread(count, &allowed[allowed.len().saturating_sub(count)..]))
        }
        Placement::Count(count) => Err(Misplaced::Count(usize::from(*count))),
        Placement::Cores(cores) if (1..=usize::from(WORKERS_MAX)).contains(&cores.len()) => cores
            .iter()
            .map(|core| match allowed.contains(core) {
                true => Ok(Some(*core)),
                false => Err(Misplaced::Core { core: *core, allowed: allowed.to_vec() }),
            })
            .collect(),
        Placement::Cores(cores) => Err(Misplaced::Count(cores.len())),
    }
}

/// Ties the calling thread to `core`. `false` if the system refuses, which costs speed and nothing else.
pub(crate) fn pin(core: usize) -> bool {
    core_affinity::set_for_current(CoreId { id: core })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(wish: &Placement, allowed: &[usize]) -> Vec<usize> {
        place(wish, allowed).unwrap().into_iter().flatten().collect()
    }

    #[test]
    fn one_processor_is_left_to_control_where_there_are_more_than_two() {
        assert_eq!(placed(&Placement::Auto, &[3]), [3]);
        assert_eq!(placed(&Placement::Auto, &[0, 1]), [0, 1]);
        assert_eq!(placed(&Placement::Auto, &[4, 6, 8]), [6, 8]);
        assert_eq!(place(&Placement::Auto, &[]), Ok(vec![None]));
    }

    #[test]
    fn wishes_are_taken_by_number_and_refused_by_name() {
        assert_eq!(placed(&Placement::Count(1), &[0, 1, 2]), [2]);
        assert_eq!(placed(&Placement::Count(5), &[0, 1]), [0, 1, 0, 1, 0]);
        assert_eq!(placed(&Placement::Cores(vec![7, 5]), &[5, 6, 7]), [7, 5]);
        assert_eq!(place(&Placement::Count(0), &[0]), Err(Misplaced::Count(0)));
        assert_eq!(place(&Placement::Cores(vec![]), &[0]), Err(Misplaced::Count(0)));
        assert_eq!(place(&Placement::Cores(vec![1]), &[0]), Err(Misplaced::Core { core: 1, allowed: vec![0] }));
    }

    #[test]
    fn a_thread_can_be_pinned_to_a_processor_that_it_may_use() {
        let core = *allowed().last().unwrap();
        let seen = std::thread::spawn(move || (pin(core), allowed())).join().unwrap();
        assert_eq!(seen, (true, vec![core]));
    }
}
