//! Jobs that wait for the one who carries them out: bounded, in order for each peer, and in turns between peers.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// Jobs that may wait.
pub(crate) const JOBS_WAITING_MAX: usize = 64;
/// Jobs of one peer that may wait.
pub(crate) const JOBS_OF_A_PEER_MAX: usize = 32;

const _: () = assert!(JOBS_OF_A_PEER_MAX < JOBS_WAITING_MAX);

/// Jobs `J` of peers `P`.
#[derive(Debug)]
pub(crate) struct Queue<P, J> {
    /// Peers with their jobs; whose turn is next stands first. None is without a job.
    turns: Mutex<VecDeque<(P, VecDeque<J>)>>,
    came: Notify,
}

impl<P, J> Default for Queue<P, J> {
    fn default() -> Self {
        Self { turns: Mutex::new(VecDeque::new()), came: Notify::new() }
    }
}

impl<P: PartialEq, J> Queue<P, J> {
    /// Puts a job in; gives it back if there is no room.
    pub(crate) fn put(&self, peer: P, job: J) -> Result<(), J> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if turns.iter().map(|(_, jobs)| jobs.len()).sum::<usize>() >= JOBS_WAITING_MAX {
            return Err(job);
        }
        match turns.iter_mut().find(|(known, _)| *known == peer) {
            Some((_, jobs)) if jobs.len() >= JOBS_OF_A_PEER_MAX => return Err(job),
            Some((_, jobs)) => jobs.push_back(job),
            None => turns.push_back((peer, VecDeque::from([job]))),
        }
        self.came.notify_one();
        Ok(())
    }

    /// The next job; waits for one.
    pub(crate) async fn next(&self) -> J {
        loop {
            if let Some(job) = self.take() {
                return job;
            }
            self.came.notified().await;
        }
    }

    fn take(&self) -> Option<J> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let (peer, mut jobs) = turns.pop_front()?;
        let job = jobs.pop_front();
        if !jobs.is_empty() {
            turns.push_back((peer, jobs));
        }
        job
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn peers_take_turns_and_each_has_its_order() {
        let queue = Queue::default();
        for job in ["a1", "a2", "a3"] {
            queue.put('a', job).unwrap();
        }
        queue.put('b', "b1").unwrap();
        queue.put('c', "c1").unwrap();
        let mut order = vec![queue.next().await, queue.next().await];
        queue.put('b', "b2").unwrap();
        for _ in 0..4 {
            order.push(queue.next().await);
        }
        assert_eq!(order, ["a1", "b1", "c1", "a2", "b2", "a3"]);
        assert!(queue.take().is_none());
    }

    #[test]
    fn what_waits_is_bounded_for_one_and_for_all() {
        let queue = Queue::default();
        for job in 0..JOBS_OF_A_PEER_MAX {
            queue.put(0, job).unwrap();
        }
        assert_eq!(queue.put(0, 99), Err(99));
        for peer in 1..=JOBS_WAITING_MAX - JOBS_OF_A_PEER_MAX {
            queue.put(peer, 0).unwrap();
        }
        assert_eq!(queue.put(1, 99), Err(99), "full for all");
        queue.take().unwrap();
        queue.put(1, 99).unwrap();
    }

    #[tokio::test(flavor = "current_thread")]
    async fn whoever_waits_is_woken() {
        let queue = std::sync::Arc::new(Queue::default());
        let waiting = tokio::spawn({
            let queue = queue.clone();
            async move { queue.next().await }
        });
        tokio::task::yield_now().await;
        queue.put((), 7).unwrap();
        assert_eq!(waiting.await.unwrap(), 7);
    }
}
