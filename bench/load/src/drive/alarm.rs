//! An alarm that goes off when it should: a poll's own wait is rounded up to whole milliseconds, which is ten times as long as what a
//! message takes there and back.

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Interest, Poll, Token};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime};

use crate::fault::{Fault, machine};

/// Its events carry this, as those of no connection do.
pub(crate) const ALARM: Token = Token(usize::MAX);
/// The shortest wait: an alarm of nothing would be none.
const SHORTEST: Duration = Duration::from_nanos(1);

/// Wakes a poll.
#[derive(Debug)]
pub(crate) struct Alarm(OwnedFd);

impl Alarm {
    /// One that wakes `poll`.
    pub(crate) fn of(poll: &Poll) -> Result<Self, Fault> {
        let made = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC);
        let timer = made.map_err(|fault| machine("make a timer")(fault.into()))?;
        let watched = poll.registry().register(&mut SourceFd(&timer.as_raw_fd()), ALARM, Interest::READABLE);
        watched.map_err(machine("watch a timer"))?;
        Ok(Self(timer))
    }

    /// Goes off after so long, once. What it was set to before is forgotten.
    pub(crate) fn set(&self, wait: Duration) -> Result<(), Fault> {
        let wait = Timespec::try_from(wait.max(SHORTEST)).map_err(|_| Fault::Nothing("nobody waits for so long"))?;
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: wait };
        // Readiness is told by edges: each time it goes off is one, whether or not the number of times is read.
        timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &once)
            .map(drop)
            .map_err(|fault| machine("set a timer")(fault.into()))
    }
}

#[cfg(test)]
mod tests {
    use mio::Events;

    use super::*;
    use crate::clock::now;

    #[test]
    fn it_wakes_each_time_and_never_early() {
        let mut poll = Poll::new().unwrap();
        let alarm = Alarm::of(&poll).unwrap();
        let mut events = Events::with_capacity(4);
        for wait in [Duration::ZERO, Duration::from_micros(150), Duration::from_micros(2500)] {
            let begun = now();
            alarm.set(wait).unwrap();
            poll.poll(&mut events, None).unwrap();
            assert!(begun.elapsed() >= wait);
            assert_eq!(events.iter().map(mio::event::Event::token).collect::<Vec<_>>(), [ALARM]);
        }
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        assert!(events.is_empty(), "once");
    }
}
