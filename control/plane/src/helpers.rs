//! Work that would stop everybody else on the control thread: passwords, names, configurations. It goes to a few helper threads, through
//! lanes with a bound on what runs and on what waits.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use thiserror::Error;
use tokio::sync::Semaphore;

/// Passwords checked at the same time; each takes 19 MiB.
pub(crate) const PASSWORDS_RUNNING_MAX: usize = 2;
/// Passwords that may wait for that.
pub(crate) const PASSWORDS_WAITING_MAX: usize = 512;
/// Names being resolved at the same time.
pub(crate) const NAMES_RUNNING_MAX: usize = 8;
/// Names that may wait for that.
pub(crate) const NAMES_WAITING_MAX: usize = 1024;
/// Configurations being prepared, read or written at the same time.
pub(crate) const CHANGES_RUNNING_MAX: usize = 2;
/// Such work that may wait for that: one for each connection to the control socket, and some.
pub(crate) const CHANGES_WAITING_MAX: usize = 64;
/// Answers for monitoring being put together at the same time; more are refused.
pub(crate) const SCRAPES_MAX: usize = 2;
/// Helper threads: enough for all lanes, so that a resolver that hangs never keeps a password waiting.
pub(crate) const THREADS_MAX: usize = PASSWORDS_RUNNING_MAX + NAMES_RUNNING_MAX + CHANGES_RUNNING_MAX + SCRAPES_MAX;
/// Addresses of one name that are looked at.
const ADDRESSES_MAX: usize = 16;

/// Too much of this work waits already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("too much to do")]
pub(crate) struct Busy;

/// The lanes.
#[derive(Debug)]
pub(crate) struct Helpers {
    passwords: Lane,
    names: Lane,
    changes: Lane,
}

impl Helpers {
    pub(crate) fn new() -> Self {
        Self {
            passwords: Lane::new(PASSWORDS_RUNNING_MAX, PASSWORDS_WAITING_MAX),
            names: Lane::new(NAMES_RUNNING_MAX, NAMES_WAITING_MAX),
            changes: Lane::new(CHANGES_RUNNING_MAX, CHANGES_WAITING_MAX),
        }
    }

    /// Runs `check`.
    pub(crate) async fn password(&self, check: impl FnOnce() -> bool + Send + 'static) -> Result<bool, Busy> {
        self.passwords.run(check).await
    }

    /// Prepares, reads or writes a configuration.
    pub(crate) async fn change<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
        self.changes.run(work).await
    }

    /// Asks the system's resolver. No answer and an empty one are the same.
    pub(crate) async fn resolve(&self, name: String, port: u16) -> Result<Vec<SocketAddr>, Busy> {
        let ask = move || std::net::ToSocketAddrs::to_socket_addrs(&(name.as_str(), port));
        let found = self.names.run(move || ask().map(|all| all.take(ADDRESSES_MAX).collect::<Vec<_>>())).await?;
        Ok(found.unwrap_or_default())
    }
}

#[derive(Debug)]
struct Lane {
    running: Arc<Semaphore>,
    waiting: AtomicUsize,
    waiting_max: usize,
}

/// Counts one for as long as it lives.
pub(crate) struct Counted<'c> {
    count: &'c AtomicUsize,
    /// How many there were before.
    pub(crate) before: usize,
}

impl<'c> Counted<'c> {
    pub(crate) fn new(count: &'c AtomicUsize) -> Self {
        Self { before: count.fetch_add(1, Relaxed), count }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Relaxed);
    }
}

impl Lane {
    fn new(running_max: usize, waiting_max: usize) -> Self {
        Self { running: Arc::new(Semaphore::new(running_max)), waiting: AtomicUsize::new(0), waiting_max }
    }

    /// Runs `work` on a helper thread. If the caller gives up, what has begun still holds its place until it is done.
    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
        let waiting = Counted::new(&self.waiting);
        if waiting.before >= self.waiting_max {
            return Err(Busy);
        }
        let place = self.running.clone().acquire_owned().await.map_err(|_| Busy)?;
        drop(waiting);
        tokio::task::spawn_blocking(move || {
            let done = work();
            drop(place);
            done
        })
        .await
        .map_err(|_| Busy)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn what_runs_and_what_waits_is_bounded() {
        let lane = Arc::new(Lane::new(1, 2));
        let gate = Arc::new(Barrier::new(2));
        let hold = gate.clone();
        let first = tokio::spawn({
            let lane = lane.clone();
            async move { lane.run(move || hold.wait()).await.is_ok() }
        });
        tokio::task::yield_now().await;
        let more: Vec<_> = (0..2)
            .map(|n| {
                let lane = lane.clone();
                tokio::spawn(async move { lane.run(move || n).await })
            })
            .collect();
        tokio::task::yield_now().await;
        assert_eq!(lane.run(|| 9).await, Err(Busy));
        gate.wait();
        assert!(first.await.unwrap());
        for (n, one) in more.into_iter().enumerate() {
            assert_eq!(one.await.unwrap(), Ok(n));
        }
        assert_eq!(lane.run(|| 9).await, Ok(9));
        assert_eq!(lane.waiting.load(Relaxed), 0);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_panic_frees_its_place() {
        let lane = Lane::new(1, 1);
        assert_eq!(
            lane.run(|| if true {
                panic!("on purpose")
            })
            .await,
            Err(Busy)
        );
        assert_eq!(lane.run(|| 1).await, Ok(1));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn names_resolve_or_do_not() {
        let helpers = Helpers::new();
        let found = helpers.resolve("localhost".into(), 7).await.unwrap();
        assert!(found.iter().all(|a| a.ip().is_loopback() && a.port() == 7), "{found:?}");
        assert!(!found.is_empty());
        assert_eq!(helpers.resolve("no such name".into(), 7).await, Ok(Vec::new()));
    }
}
