//! Where io_uring is denied, as container runtimes do by seccomp: `auto` takes mio and says so, `uring` is fatal.
#![expect(unsafe_code, reason = "std cannot install a seccomp filter")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, and the line says where")]

use std::thread;
use std::time::Duration;

use sluice_engine::{AnyEngine, Choice, EngineSettings, Outcome, SocketSettings, open};
use sluice_flow::port::{Engine as _, EngineFault};

/// From now on `io_uring_setup` answers with `errno` on this thread and its children.
fn deny_io_uring(errno: i32) {
    let errno = u32::try_from(errno).unwrap();
    let setup = u32::try_from(libc::SYS_io_uring_setup).unwrap();
    let step = |code: u32, yes: u8, no: u8, k: u32| libc::sock_filter { code: u16::try_from(code).unwrap(), jt: yes, jf: no, k };
    let mut program = [
        // The number of the call stands first in what a filter sees.
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, setup),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | errno),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let filter = libc::sock_fprog { len: 4, filter: program.as_mut_ptr() };
    // SAFETY: PR_SET_NO_NEW_PRIVS takes numbers and no pointer.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
    // SAFETY: PR_SET_SECCOMP with a filter demands a pointer to a program, which points to as many steps as it says; the kernel
    // copies both during the call.
    let answer = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter) };
    assert_eq!(answer, 0, "{}", std::io::Error::last_os_error());
}

/// On a thread of its own, since a filter stays until the thread ends.
fn where_denied<T: Send + 'static>(errno: i32, test: impl FnOnce() -> T + Send + 'static) -> T {
    thread::spawn(move || {
        deny_io_uring(errno);
        test()
    })
    .join()
    .unwrap()
}

#[test]
fn auto_takes_mio_and_says_why() {
    for (errno, word) in [(libc::EPERM, "denied"), (libc::ENOSYS, "not in this kernel"), (libc::EACCES, "denied")] {
        let (name, report) = where_denied(errno, || {
            let (mut engine, report) = open(Choice::Auto, &EngineSettings::default()).unwrap();
            assert!(matches!(engine, AnyEngine::Poll(_)));
            engine.turn(Some(Duration::ZERO), &mut Vec::new()).unwrap();
            (engine.name().to_owned(), report)
        });
        assert_eq!(name, "mio (epoll)");
        let why = report.fallback.unwrap();
        assert!(why.starts_with("io_uring_setup: ") && why.contains(word), "{why}");
        // A denial is not tried again on a lower rung.
        let rungs: Vec<_> = report.items.iter().filter(|i| i.subject.contains("rung")).map(|i| (i.subject, i.outcome)).collect();
        assert_eq!(rungs, [("io_uring rung A", Outcome::Fails)]);
    }
}

#[test]
fn uring_is_fatal() {
    let fault = where_denied(libc::EPERM, || open(Choice::Uring, &EngineSettings::default()).unwrap_err());
    let EngineFault::System { call: "io_uring_setup", source } = fault else { panic!("{fault}") };
    assert_eq!(source.raw_os_error(), Some(libc::EPERM));
}

#[test]
fn mio_does_not_ask() {
    let report = where_denied(libc::EPERM, || open(Choice::Mio, &EngineSettings::default()).unwrap().1);
    assert_eq!(report.fallback, None);
    assert!(report.items.iter().all(|i| i.outcome == Outcome::Works), "{:?}", report.items);
}

#[test]
fn auto_takes_the_ring_where_it_works() {
    if std::env::var_os("SLUICE_NO_URING").is_some_and(|v| v == "1") {
        return;
    }
    let (engine, report) = open(Choice::Auto, &EngineSettings::default()).unwrap();
    assert!(matches!(engine, AnyEngine::Ring(_)), "{:?}", report.fallback);
    assert!(engine.name().starts_with("io_uring"));
    for subject in ["restrictions", "restrictions hold", "operations", "wake-up by eventfd"] {
        assert_eq!(report.items.iter().filter(|i| i.subject == subject).count(), 1, "{subject}: {:#?}", report.items);
    }
}

#[test]
fn unknown_congestion_control_is_refused_at_once() {
    let sockets = SocketSettings { congestion: Some("carrier-pigeon".to_owned()), ..SocketSettings::default() };
    let fault = open(Choice::Mio, &EngineSettings { sockets, ..EngineSettings::default() }).unwrap_err();
    assert!(matches!(fault, EngineFault::System { call: "setsockopt(TCP_CONGESTION)", .. }), "{fault}");
}
