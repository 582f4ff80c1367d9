//! Whether the ring does here what it does elsewhere. Asked once, when the engine is opened.
//!
//! Kernels lie by omission: an operation may exist and yet behave differently under a sandbox, on an old stable branch, or on a
//! kernel that is not Linux. So, besides asking which operations there are, the whole engine is run on a small ring of its own:
//! over a Unix pair, which always exists, and over loopback TCP. If any step fails, the ring is not used.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use io_uring::{IoUring, Probe};
use sluice_flow::buf::{Chain, Class, PoolSizes};
use sluice_flow::event::{Doing, Event, Fault, Leg};
use sluice_flow::intent::{Intent, Into};
use sluice_flow::port::{Engine as _, EngineFault, Generation, Happening, ListenerId, Slot, SlotKey};

use super::RingEngine;
use super::ladder::Rung;
use super::op::Op;
use super::restrict::OPERATIONS;
use crate::give_back::give_back_event;
use crate::machine::now;
use crate::report::{Outcome, Report};
use crate::{EngineSettings, SocketSettings, eventfd, listen};

/// After so much time a step has failed.
const STEP_MAX: Duration = Duration::from_secs(2);

/// Whether the kernel has the features and operations that the engine needs.
pub(crate) fn operations(ring: &IoUring, report: &mut Report) -> Result<(), EngineFault> {
    let params = ring.params();
    let features = [
        ("completions are never dropped", params.is_feature_nodrop()),
        ("waiting with a timeout", params.is_feature_ext_arg()),
        ("waiting without threads", params.is_feature_fast_poll()),
        ("entries are read when submitted", params.is_feature_submit_stable()),
    ];
    for (feature, there) in features {
        if !there {
            report.note(feature, Outcome::Fails, "");
            return Err(EngineFault::SelfTest(feature));
        }
    }
    let mut probe = Probe::new();
    ring.submitter()
        .register_probe(&mut probe)
        .map_err(|source| EngineFault::System { call: "io_uring_register(PROBE)", source })?;
    for (name, code) in OPERATIONS {
        if !probe.is_supported(code) {
            report.note("operations", Outcome::Fails, name);
            return Err(EngineFault::SelfTest(name));
        }
    }
    report.note("operations", Outcome::Works, "");
    Ok(())
}

/// Runs the engine on a small ring. Answers with the rung that held.
pub(crate) fn behaviour(rungs: &[Rung], report: &mut Report) -> Result<Rung, EngineFault> {
    let settings = EngineSettings {
        pool: PoolSizes { small: 16, large: 4, bulk: 2 },
        sessions: 4,
        busy_poll: None,
        sockets: SocketSettings::default(),
    };
    // Of what works in setting up, the real ring will speak again.
    let mut heard = Report::default();
    let engine = RingEngine::new(rungs, &settings, &mut heard);
    report.items.extend(heard.items.into_iter().filter(|i| i.outcome != Outcome::Works));
    let engine = engine?;
    let rung = engine.rung;
    let mut bench = Bench { engine, happened: VecDeque::new(), next: 0 };
    bench.step("restrictions hold", report, Bench::restrictions_hold)?;
    bench.step("waiting ends in time", report, Bench::waiting_ends)?;
    bench.step("wake-up by eventfd", report, Bench::wakes)?;
    bench.step("Unix: receive and send", report, |bench| bench.unix().and_then(|(key, far)| bench.talk(key, far)))?;
    bench.step("Unix: cancel while armed", report, |bench| {
        bench.unix().and_then(|(key, far)| bench.leave_armed(key, far, true))
    })?;
    bench.step("Unix: shut down while armed", report, |bench| {
        bench.unix().and_then(|(key, far)| bench.leave_armed(key, far, false))
    })?;
    match listen::bind(([127, 0, 0, 1], 0).into()) {
        Err(e) => report.note("TCP", Outcome::Without, format!("no loopback to test it on: {e}")),
        Ok(listener) => {
            let at = listener.local_addr().map_err(|_| EngineFault::SelfTest("TCP: listening"))?;
            bench.engine.listen(ListenerId(0), listener)?;
            bench.step("TCP: accept, receive and send", report, |bench| {
                bench.tcp(at).and_then(|(key, far)| bench.talk(key, far))
            })?;
            bench.step("TCP: cancel while armed", report, |bench| {
                bench.tcp(at).and_then(|(key, far)| bench.leave_armed(key, far, true))
            })?;
            bench.step("TCP: shut down while armed", report, |bench| {
                bench.tcp(at).and_then(|(key, far)| bench.leave_armed(key, far, false))
            })?;
            bench.step("TCP: connect", report, |bench| bench.connects(at))?;
        }
    }
    for class in Class::ALL {
        if bench.engine.pool.lent(class) > 0 {
            return Err(EngineFault::SelfTest("giving all buffers back"));
        }
    }
    Ok(rung)
}

/// What the refused operation is reported as: something that nothing else is.
pub(super) fn forbidden(result: i32) -> Happening {
    let event = Event::Failed { leg: Leg::Host, during: Doing::Connecting, fault: Fault::Other(-result) };
    Happening::Session { key: NOBODY, event }
}

/// No session has this key.
const NOBODY: SlotKey = SlotKey { slot: Slot(u32::MAX), generation: Generation(u32::MAX) };

struct Bench {
    engine: RingEngine,
    happened: VecDeque<Happening>,
    next: u32,
}

/// A step of the test: what it gives, or nothing if it failed.
type Step<T> = Option<T>;

impl Bench {
    fn step(
        &mut self,
        name: &'static str,
        report: &mut Report,
        test: impl FnOnce(&mut Self) -> Step<()>,
    ) -> Result<(), EngineFault> {
        let begin = now();
        let works = test(self).is_some();
        let outcome = if works { Outcome::Works } else { Outcome::Fails };
        report.note(name, outcome, format!("{} µs", now().since(begin).as_micros()));
        if works { Ok(()) } else { Err(EngineFault::SelfTest(name)) }
    }

    /// Turns until something fits, and takes it out. What came before it was not asked for and is dropped.
    fn until<T>(&mut self, mut fits: impl FnMut(Happening) -> Result<T, Happening>) -> Step<T> {
        let end = now() + STEP_MAX;
        loop {
            while let Some(happening) = self.happened.pop_front() {
                match fits(happening) {
                    Ok(found) => return Some(found),
                    Err(Happening::Session { event, .. }) => give_back_event(&mut self.engine.pool, event),
                    Err(Happening::Accepted { .. } | Happening::Released(_) | Happening::Woken) => {}
                }
            }
            if now() >= end {
                return None;
            }
            self.turn(Duration::from_millis(20))?;
        }
    }

    fn turn(&mut self, wait: Duration) -> Step<()> {
        let mut happened = Vec::new();
        self.engine.turn(Some(wait), &mut happened).ok()?;
        self.happened.extend(happened);
        Some(())
    }

    fn event(&mut self, key: SlotKey) -> Step<Event> {
        self.until(|happening| match happening {
            Happening::Session { key: whose, event } if whose == key => Ok(event),
            other @ (Happening::Session { .. } | Happening::Accepted { .. } | Happening::Released(_) | Happening::Woken) => {
                Err(other)
            }
        })
    }

    fn fresh_key(&mut self) -> SlotKey {
        self.next += 1;
        SlotKey { slot: Slot(self.next % 4), generation: Generation(self.next) }
    }

    fn unix(&mut self) -> Step<(SlotKey, UnixStream)> {
        let (near, far) = UnixStream::pair().ok()?;
        far.set_read_timeout(Some(STEP_MAX)).ok()?;
        let key = self.fresh_key();
        self.engine.open(key, Some(OwnedFd::from(near)));
        Some((key, far))
    }

    fn tcp(&mut self, at: std::net::SocketAddr) -> Step<(SlotKey, TcpStream)> {
        let far = TcpStream::connect(at).ok()?;
        far.set_read_timeout(Some(STEP_MAX)).ok()?;
        let door = self.until(|happening| match happening {
            Happening::Accepted { door, .. } => Ok(door),
            other @ (Happening::Session { .. } | Happening::Released(_) | Happening::Woken) => Err(other),
        })?;
        let key = self.fresh_key();
        self.engine.adopt(door, key);
        Some((key, far))
    }

    /// An operation that is not on the list.
    fn restrictions_hold(&mut self) -> Step<()> {
        let somewhere = std::fs::File::open("/").ok()?;
        self.engine.queue.start(somewhere.as_fd(), Op::Forbidden);
        let refused = matches!(self.event(NOBODY)?, Event::Failed { fault: Fault::Other(libc::EACCES), .. });
        refused.then_some(())
    }

    fn waiting_ends(&mut self) -> Step<()> {
        let (begin, wait) = (now(), Duration::from_millis(5));
        self.turn(wait)?;
        (self.happened.is_empty() && now().since(begin) >= wait).then_some(())
    }

    fn wakes(&mut self) -> Step<()> {
        let (near, far) = eventfd().ok()?;
        self.engine.wake_on(near).ok()?;
        for _ in 0..2 {
            far.wake().ok()?;
            self.until(|happening| match happening {
                Happening::Woken => Ok(()),
                other @ (Happening::Session { .. } | Happening::Accepted { .. } | Happening::Released(_)) => Err(other),
            })?;
        }
        Some(())
    }

    /// Bytes in, alone and behind others, and bytes out, in one piece and in several.
    fn talk(&mut self, key: SlotKey, mut far: impl std::io::Read + std::io::Write) -> Step<()> {
        let leg = Leg::Client;
        for (class, text) in [(Class::Small, "select"), (Class::Large, "buffers"), (Class::Bulk, "provided")] {
            self.engine.act(key, Intent::Receive { leg, into: Into::Any(class) });
            far.write_all(text.as_bytes()).ok()?;
            let Event::Received { buf, .. } = self.event(key)? else { return None };
            if buf.filled() != text.as_bytes() || buf.class() != class {
                return None;
            }
            self.engine.act(key, Intent::Receive { leg, into: Into::Behind(buf) });
            far.write_all(b"!").ok()?;
            let Event::Received { buf, .. } = self.event(key)? else { return None };
            if buf.len() != text.len() + 1 {
                return None;
            }
            let several = [(0, 2), (3, buf.len() - 3)];
            let chain = if class == Class::Small { Chain::whole(buf) } else { Chain::of(buf, &several) };
            let mut answer = vec![0; chain.bytes()];
            self.engine.act(key, Intent::Send { leg, chain });
            let Event::Sent { .. } = self.event(key)? else { return None };
            far.read_exact(&mut answer).ok()?;
            let want = if class == Class::Small { text.to_owned() } else { format!("{}{}", &text[..2], &text[3..]) };
            if answer != format!("{want}!").as_bytes() {
                return None;
            }
        }
        self.engine.release(key);
        self.released(key)
    }

    fn released(&mut self, key: SlotKey) -> Step<()> {
        self.until(|happening| match happening {
            Happening::Released(whose) if whose == key => Ok(()),
            other @ (Happening::Session { .. } | Happening::Accepted { .. } | Happening::Released(_) | Happening::Woken) => {
                Err(other)
            }
        })
    }

    /// Releases a session while a receive waits. It must end at once, not when it is cancelled for taking too long.
    fn leave_armed(&mut self, key: SlotKey, mut far: impl std::io::Read, reset: bool) -> Step<()> {
        let leg = Leg::Client;
        self.engine.act(key, Intent::Receive { leg, into: Into::Any(Class::Large) });
        // To the kernel with it.
        self.turn(Duration::ZERO)?;
        if reset {
            self.engine.act(key, Intent::Abort(leg));
        }
        let begin = now();
        self.engine.release(key);
        self.released(key)?;
        if now().since(begin) >= super::close::CANCEL_AFTER {
            return None;
        }
        match far.read(&mut [0]) {
            Ok(0) => Some(()),
            Err(e) if reset && e.kind() == ErrorKind::ConnectionReset => Some(()),
            Ok(_) | Err(_) => None,
        }
    }

    /// The engine as its own host.
    fn connects(&mut self, at: std::net::SocketAddr) -> Step<()> {
        let (key, far) = self.tcp(at)?;
        let host = listen::bind(([127, 0, 0, 1], 0).into()).ok()?;
        let peer = sluice_flow::intent::Peer::Host(host.local_addr().ok()?);
        self.engine.act(key, Intent::Connect(peer));
        let Event::Connected = self.event(key)? else { return None };
        drop(host.accept().ok()?);
        self.engine.act(key, Intent::Receive { leg: Leg::Host, into: Into::Any(Class::Small) });
        let Event::Eof { leg: Leg::Host, kept: None } = self.event(key)? else { return None };
        self.engine.release(key);
        drop(far);
        self.released(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::kernel_version;
    use crate::report::Item;

    fn is_known(rung: Rung) -> bool {
        let since = match rung {
            Rung::A => (6, 6),
            Rung::B => (6, 1),
            Rung::C => (5, 19),
        };
        kernel_version() >= since
    }

    fn unwanted() -> bool {
        std::env::var_os("SLUICE_NO_URING").is_some_and(|v| v == "1")
    }

    /// What did not work, with its reason.
    fn without(report: &Report) -> Vec<(&str, Outcome, &str)> {
        let items = report.items.iter().filter(|i| i.outcome != Outcome::Works);
        items.map(|i: &Item| (i.subject, i.outcome, i.detail.as_str())).collect()
    }

    fn unknown(rung: Rung) -> (&'static str, Outcome, &'static str) {
        (rung.subject(), Outcome::Without, "not known to this kernel")
    }

    #[test]
    fn every_rung_that_this_kernel_has_behaves_and_no_other_is_had() {
        if unwanted() {
            return;
        }
        for rung in Rung::ALL {
            let mut report = Report::default();
            let held = behaviour(&[rung], &mut report);
            if is_known(rung) {
                assert_eq!(held.unwrap_or_else(|e| panic!("{rung:?}: {e}: {:#?}", report.items)), rung);
                assert!(report.items.iter().all(|i| i.outcome != Outcome::Fails), "{:#?}", report.items);
                assert!(report.items.iter().any(|i| i.subject == "restrictions hold" && i.outcome == Outcome::Works));
            } else {
                let fault = held.unwrap_err();
                let EngineFault::System { call: "io_uring_setup", source } = fault else { panic!("{rung:?}: {fault}") };
                assert_eq!(source.raw_os_error(), Some(libc::EINVAL), "{rung:?}");
                assert_eq!(without(&report), [unknown(rung)]);
            }
        }
    }

    #[test]
    fn the_best_rung_that_this_kernel_has_is_taken() {
        if unwanted() {
            return;
        }
        let mut report = Report::default();
        let held = behaviour(&Rung::ALL, &mut report).unwrap_or_else(|e| panic!("{e}: {:#?}", report.items));
        assert_eq!(Rung::ALL.into_iter().find(|rung| is_known(*rung)), Some(held));
        let above: Vec<_> = Rung::ALL.into_iter().take_while(|rung| *rung != held).map(unknown).collect();
        let tried: Vec<_> = without(&report).into_iter().filter(|(subject, ..)| subject.contains("rung")).collect();
        assert_eq!(tried, above);
    }
}
