//! Which worker runs on which processor.
//!
//! ```text
//!   allowed processors (cpuset, affinity)  0 1 2 3        unless told otherwise: all but the first, which is left to control and interrupts
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
pub struct Placement {
    /// So many, 1 to [`WORKERS_MAX`]; if there are more than processors, several share one. `None`: one for each of `cores`, or
    /// if there are none given, for each processor that this process may use but the first; with two or fewer, for each.
    pub count: Option<u16>,
    /// Processors to use, in this order. Empty: those that this process may use, the last ones first to be taken.
    pub cores: Vec<u16>,
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
    let named: Vec<usize> = wish.cores.iter().copied().map(usize::from).collect();
    if let Some(&core) = named.iter().find(|core| !allowed.contains(core)) {
        return Err(Misplaced::Core { core, allowed: allowed.to_vec() });
    }
    let count = match wish.count {
        Some(count) => usize::from(count),
        None if !named.is_empty() => named.len(),
        None if allowed.len() <= 2 => allowed.len().max(1),
        None => (allowed.len() - 1).min(usize::from(WORKERS_MAX)),
    };
    if !(1..=usize::from(WORKERS_MAX)).contains(&count) {
        return Err(Misplaced::Count(count));
    }
    let over = if named.is_empty() { &allowed[allowed.len().saturating_sub(count)..] } else { &named };
    Ok((0..count).map(|i| over.get(i % over.len().max(1)).copied()).collect())
}

/// Ties the calling thread to `core`. `false` if the system refuses, which costs speed and nothing else.
pub(crate) fn pin(core: usize) -> bool {
    core_affinity::set_for_current(CoreId { id: core })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(count: Option<u16>, cores: &[u16]) -> Placement {
        Placement { count, cores: cores.to_vec() }
    }

    fn placed(wish: &Placement, allowed: &[usize]) -> Vec<usize> {
        place(wish, allowed).unwrap().into_iter().flatten().collect()
    }

    #[test]
    fn one_processor_is_left_to_control_where_there_are_more_than_two() {
        assert_eq!(placed(&wish(None, &[]), &[3]), [3]);
        assert_eq!(placed(&wish(None, &[]), &[0, 1]), [0, 1]);
        assert_eq!(placed(&wish(None, &[]), &[4, 6, 8]), [6, 8]);
        assert_eq!(place(&wish(None, &[]), &[]), Ok(vec![None]));
    }

    #[test]
    fn wishes_are_taken_by_number_and_refused_by_name() {
        assert_eq!(placed(&wish(Some(1), &[]), &[0, 1, 2]), [2]);
        assert_eq!(placed(&wish(Some(5), &[]), &[0, 1]), [0, 1, 0, 1, 0]);
        assert_eq!(placed(&wish(None, &[7, 5]), &[5, 6, 7]), [7, 5]);
        assert_eq!(placed(&wish(Some(3), &[7, 5]), &[5, 6, 7]), [7, 5, 7]);
        assert_eq!(place(&wish(Some(0), &[]), &[0]), Err(Misplaced::Count(0)));
        assert_eq!(place(&wish(Some(513), &[0]), &[0]), Err(Misplaced::Count(513)));
        assert_eq!(place(&wish(None, &[1]), &[0]), Err(Misplaced::Core { core: 1, allowed: vec![0] }));
    }

    #[test]
    fn a_thread_can_be_pinned_to_a_processor_that_it_may_use() {
        let core = *allowed().last().unwrap();
        let seen = std::thread::spawn(move || (pin(core), allowed())).join().unwrap();
        assert_eq!(seen, (true, vec![core]));
    }
}
