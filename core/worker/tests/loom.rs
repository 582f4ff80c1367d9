//! The wake protocol, every interleaving of it: no item is ever left in a queue whose consumer sleeps for good.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test -p sluice-worker --test loom --release --target-dir target/loom
//! ```
//!
//! loom sees neither into crossbeam nor into rtrb nor into the kernel, so a stand-in queue (each item published by one atomic,
//! as both do) and a stand-in eventfd (a counter under a mutex with a condition, as the kernel has) take their places. What is
//! under test is the product's own [`sluice_worker::wake::Bell`]. A lost wake-up shows as loom's report of a deadlock.
#![cfg(loom)]

use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;
use sluice_worker::wake::{Bell, Rouse};

/// An eventfd: writes are counted, a read takes them all and waits if there are none.
#[derive(Default)]
struct Eventfd {
    count: Mutex<u64>,
    readable: Condvar,
}

impl Eventfd {
    fn wait(&self) {
        let mut count = self.count.lock().unwrap();
        while *count == 0 {
            count = self.readable.wait(count).unwrap();
        }
        *count = 0;
    }
}

impl Rouse for Eventfd {
    fn rouse(&self) {
        *self.count.lock().unwrap() += 1;
        self.readable.notify_one();
    }
}

/// A queue without content: items are published by a release, seen by an acquire. Only numbers matter here.
#[derive(Default)]
struct Queue {
    pushed: AtomicUsize,
    popped: AtomicUsize,
}

impl Queue {
    fn push(&self) {
        self.pushed.fetch_add(1, Ordering::Release);
    }

    fn pop(&self) -> bool {
        let some = !self.is_empty();
        if some {
            self.popped.store(self.popped.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
        some
    }

    fn is_empty(&self) -> bool {
        self.pushed.load(Ordering::Acquire) == self.popped.load(Ordering::Relaxed)
    }
}

struct Shared {
    queue: Queue,
    stop: AtomicBool,
    bell: Bell<Eventfd>,
}

impl Shared {
    fn new() -> Arc<Self> {
        Arc::new(Self { queue: Queue::default(), stop: AtomicBool::new(false), bell: Bell::new(Eventfd::default()) })
    }

    fn send(&self) {
        self.queue.push();
        self.bell.ring();
    }

    fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.bell.ring();
    }

    /// A consumer's turns as in the worker: awake, drain up to `bound`, then sleep if nothing is left; until `enough` says so.
    fn consume(&self, bound: usize, mut enough: impl FnMut(usize, bool) -> bool) -> usize {
        let mut taken = 0;
        loop {
            self.bell.awake();
            let stop = self.stop.load(Ordering::Acquire);
            taken += (0..bound).take_while(|_| self.queue.pop()).count();
            if enough(taken, stop) {
                return taken;
            }
            let idle = || self.queue.is_empty() && !self.stop.load(Ordering::Acquire);
            if self.bell.may_sleep(idle) {
                self.bell.rouse().wait();
            }
        }
    }
}

/// At most three forced switches per run keep this to seconds; a lost wake-up needs two.
fn model(run: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(run);
}

#[test]
fn no_item_is_left_behind_a_sleeping_consumer() {
    model(|| {
        let shared = Shared::new();
        let producer = {
            let shared = shared.clone();
            thread::spawn(move || {
                shared.send();
                shared.send();
            })
        };
        assert_eq!(shared.consume(2, |taken, _| taken == 2), 2);
        producer.join().unwrap();
    });
}

#[test]
fn a_bounded_drain_comes_back_for_the_rest() {
    model(|| {
        let shared = Shared::new();
        let producer = {
            let shared = shared.clone();
            thread::spawn(move || {
                shared.send();
                shared.send();
            })
        };
        assert_eq!(shared.consume(1, |taken, _| taken == 2), 2);
        producer.join().unwrap();
    });
}

#[test]
fn of_two_producers_none_relies_on_the_other_in_vain() {
    model(|| {
        let shared = Shared::new();
        let producers = [(); 2].map(|()| {
            let shared = shared.clone();
            thread::spawn(move || shared.send())
        });
        assert_eq!(shared.consume(2, |taken, _| taken == 2), 2);
        producers.into_iter().for_each(|p| p.join().unwrap());
    });
}

/// Without the fences the model must find the lost wake-up, or it would prove nothing about the bell.
#[test]
#[should_panic(expected = "deadlock")]
fn the_model_sees_a_missing_fence() {
    model(|| {
        let asleep = Arc::new(AtomicBool::new(false));
        let queue = Arc::new(Queue::default());
        let eventfd = Arc::new(Eventfd::default());
        let producer = {
            let (asleep, queue, eventfd) = (asleep.clone(), queue.clone(), eventfd.clone());
            thread::spawn(move || {
                queue.push();
                if asleep.load(Ordering::Relaxed) {
                    eventfd.rouse();
                }
            })
        };
        asleep.swap(true, Ordering::Relaxed);
        if queue.is_empty() {
            eventfd.wait();
        }
        producer.join().unwrap();
    });
}

#[test]
fn shutdown_reaches_a_consumer_that_has_just_gone_to_sleep() {
    model(|| {
        let shared = Shared::new();
        let producer = {
            let shared = shared.clone();
            thread::spawn(move || {
                shared.send();
                shared.stop();
            })
        };
        // What was sent before the stop is seen with it, since the stop is a release behind it.
        shared.consume(1, |taken, stop| stop && taken == 1);
        producer.join().unwrap();
    });
}
