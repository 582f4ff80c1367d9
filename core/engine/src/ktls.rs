//! Keys of TLS in the kernel (kTLS): which it takes here, how it gets one, and when what it has sealed is out.
//!
//! ```text
//!   HandOver ─► known to work here? ─► TCP_ULP ─► TLS_TX or TLS_RX ─► taken
//!                                                    │ TLS_TX: how much TCP had by then
//!   Finish ──► all that was sealed with TCP? ── yes ─┴──────► FIN
//!                        └─ no: asked again, and again ─► Finishing
//! ```
//!
//! The kernel takes plaintext, seals it, and if the socket has no room for the whole record keeps the rest where no call tells of it; a
//! FIN said then overtakes it, and the bytes are lost. But what must have gone out can be worked out: what TCP had when it took the key,
//! what it was given since, and a known overhead for each record, of which the sequence number that it tells is the count. Once TCP has
//! had as much, FIN is safe. Nothing wakes us then, so that we ask: at once, which mostly is enough, and then less and less often.
//!
//! What works is tried once in the life of the process, and only when somebody wants it, mostly control for a configuration that does:
//! asking for it may load the kernel's module. Each version and cipher, and each direction, is tried with a connection of its own over loopback, on which bytes are sealed and opened.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::fmt;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::OnceLock;
use std::time::Duration;

use sluice_flow::event::{ControlRecord, Doing, Event, Fault, Leg, Way};
use sluice_flow::port::{Moment, SlotKey};
use sluice_flow::tls::{Cipher, CryptoInfo, RecordFault, TrafficKeys, Version};

use crate::sock::Half;
use crate::{errno, sock};

/// Longest that a probe may wait for its own bytes.
const PROBE_TIME_MAX: Duration = Duration::from_secs(1);
/// Times that TCP's numbers are read before it is given up that they agree: they do unless an acknowledgement comes between two calls.
const READS_MAX: u32 = 16;
/// How long until it is asked a second time whether all is out; then twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
/// And the longest.
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// What the kernel's TLS can do here.
#[derive(Debug)]
pub struct KernelTls {
    /// Version, cipher, whether it seals, whether it opens.
    cans: Vec<(Version, Cipher, bool, bool)>,
    /// Why it can do nothing.
    why_not: Option<io::Error>,
}

/// What the kernel's TLS can do here. The first call tries it, which takes some milliseconds where it is there.
pub fn kernel_tls() -> &'static KernelTls {
    static FOUND: OnceLock<KernelTls> = OnceLock::new();
    FOUND.get_or_init(KernelTls::probe)
}

impl KernelTls {
    /// Whether records of this kind can be left to it to seal.
    #[must_use]
    pub fn seals(&self, version: Version, cipher: Cipher) -> bool {
        self.cans.iter().any(|can| (can.0, can.1) == (version, cipher) && can.2)
    }

    /// Whether records of this kind can be left to it to open.
    #[must_use]
    pub fn opens(&self, version: Version, cipher: Cipher) -> bool {
        self.cans.iter().any(|can| (can.0, can.1) == (version, cipher) && can.3)
    }

    /// Whether it can do anything.
    #[must_use]
    pub fn any(&self) -> bool {
        self.cans.iter().any(|can| can.2 || can.3)
    }

    fn can(&self, way: Way, keys: &TrafficKeys) -> bool {
        match way {
            Way::Transmit => self.seals(keys.version(), keys.cipher()),
            Way::Receive => self.opens(keys.version(), keys.cipher()),
        }
    }

    fn probe() -> Self {
        let mut found = Self { cans: Vec::new(), why_not: None };
        for version in [Version::Tls13, Version::Tls12] {
            for cipher in Cipher::ALL {
                match try_both(version, cipher) {
                    Ok((seals, opens)) => found.cans.push((version, cipher, seals, opens)),
                    Err(e) => {
                        // Without the layer, or a socket, no other will fare better.
                        found.why_not = Some(e);
                        return found;
                    }
                }
            }
        }
        found
    }
}

impl fmt::Display for KernelTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.any() {
            return match &self.why_not {
                Some(why) if why.raw_os_error() == Some(libc::ENOENT) => f.write_str("the module tls is not loaded"),
                Some(why) => write!(f, "{why}"),
                None => f.write_str("no version and cipher passes its test here"),
            };
        }
        let able = self.cans.iter().filter(|can| can.2 || can.3);
        for (n, (version, cipher, seals, opens)) in able.enumerate() {
            let version = match version {
                Version::Tls12 => "TLS 1.2",
                Version::Tls13 => "TLS 1.3",
            };
            let cipher = match cipher {
                Cipher::Aes128Gcm => "AES-128-GCM",
                Cipher::Aes256Gcm => "AES-256-GCM",
                Cipher::Chacha20Poly1305 => "ChaCha20-Poly1305",
            };
            let does = match (seals, opens) {
                (true, true) => "seals and opens",
                (true, false) => "seals",
                (false, _) => "opens",
            };
            write!(f, "{}{version} {cipher} {does}", if n == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// Whether the kernel seals and opens records of this kind: one end of a connection seals what the other opens.
///
/// # Errors
/// If there is no connection, or the layer cannot be put on it.
fn try_both(version: Version, cipher: Cipher) -> io::Result<(bool, bool)> {
    let listener = TcpListener::bind("127.0.0.1:0").or_else(|_| TcpListener::bind("[::1]:0"))?;
    let near = TcpStream::connect(listener.local_addr()?)?;
    let (far, _) = listener.accept()?;
    near.set_nodelay(true)?;
    far.set_read_timeout(Some(PROBE_TIME_MAX))?;
    for end in [&near, &far] {
        sock::attach_tls(end.as_fd())?;
    }
    let keys = || TrafficKeys::to_try(version, cipher);
    let mut sealing = Kernel::default();
    let seals = sealing.take(near.as_fd(), Way::Transmit, &keys()).is_ok();
    let mut opening = Kernel::default();
    let opens = opening.take(far.as_fd(), Way::Receive, &keys()).is_ok();
    if !(seals && opens) {
        return Ok((seals, opens));
    }
    Ok(match meet(near.as_fd(), far.as_fd(), &mut sealing) {
        Ok(true) => (true, true),
        Ok(false) | Err(_) => (false, false),
    })
}

/// Whether bytes that one end seals come out of the other, a record without data as such, and both ends can tell what they must.
fn meet(near: BorrowedFd<'_>, far: BorrowedFd<'_>, sealing: &mut Kernel) -> io::Result<bool> {
    const WORDS: [u8; 5] = *b"probe";
    let mut came = [0; WORDS.len()];
    let sent = sock::send_typed(near, &WORDS, None)?;
    sealing.gave(sent);
    let data = sent == WORDS.len() && sock::receive(far, &mut came)? == WORDS.len() && came == WORDS;
    let sent = sock::send_typed(near, &[1, 0], Some(ALERT))?;
    sealing.gave(sent);
    let strange = sock::receive(far, &mut came);
    let control = receive_control(far)?;
    let told = strange.is_err_and(|e| e.raw_os_error() == Some(libc::EIO)) && control == ControlRecord::new(ALERT, &[1, 0]);
    Ok(data && told && sealing.is_out(near)?)
}

/// Content type.
const ALERT: u8 = 21;

/// What the kernel does for one leg: nothing for most.
#[derive(Debug, Default)]
pub(crate) struct Keys(Option<Box<Kernel>>);

impl Keys {
    /// Lets the kernel work on one direction, and says whether it does. If not, everything is as it was.
    pub(crate) fn hand_over(&mut self, fd: BorrowedFd<'_>, way: Way, keys: &TrafficKeys) -> bool {
        if !kernel_tls().can(way, keys) {
            return false;
        }
        // The layer alone changes nothing.
        if self.0.is_none() && sock::attach_tls(fd).is_err() {
            return false;
        }
        self.0.get_or_insert_default().take(fd, way, keys).is_ok()
    }

    /// Whether the kernel seals what is sent.
    pub(crate) fn seals(&self) -> bool {
        self.0.as_ref().is_some_and(|kernel| kernel.sealing.is_some())
    }

    /// Whether it opens what is received.
    pub(crate) fn opens(&self) -> bool {
        self.0.as_ref().is_some_and(|kernel| kernel.opens)
    }

    /// Notes that `n` bytes were sent.
    pub(crate) fn gave(&mut self, n: usize) {
        if let Some(kernel) = &mut self.0 {
            kernel.gave(n);
        }
    }

    /// Says FIN if everything before it is with TCP. None if it is not, and may be later.
    pub(crate) fn finish(&self, fd: BorrowedFd<'_>) -> Option<Finished> {
        match self.0.as_ref().map_or(Ok(true), |kernel| kernel.is_out(fd)) {
            Ok(true) => {
                // Refused only if it is not connected any more, and then there is nobody to tell.
                let _ = sock::shutdown(fd, Half::Sending);
                Some(Finished::Said)
            }
            Ok(false) => None,
            Err(_) => Some(Finished::Lost),
        }
    }
}

/// The same, for one leg for which it does something.
#[derive(Debug, Default)]
struct Kernel {
    opens: bool,
    sealing: Option<Sealing>,
}

/// What it needs to be known when all that the kernel sealed is out.
#[derive(Debug)]
struct Sealing {
    cipher: Cipher,
    /// Bytes that each record has more than its plaintext.
    overhead: u64,
    /// Number of the first record.
    first: u64,
    /// Bytes that TCP had before that.
    before: u64,
    /// Plaintext given to the kernel since.
    given: u64,
}

impl Kernel {
    /// Notes that it took `n` bytes of plaintext.
    fn gave(&mut self, n: usize) {
        if let Some(sealing) = &mut self.sealing {
            sealing.given += n as u64;
        }
    }

    /// Whether everything that it has sealed is with TCP, so that a FIN stands behind it.
    ///
    /// # Errors
    /// Those of the calls; [`io::ErrorKind::NotConnected`] if the connection is gone, so that it never will be.
    fn is_out(&self, fd: BorrowedFd<'_>) -> io::Result<bool> {
        let Some(sealing) = &self.sealing else { return Ok(true) };
        let mut info = CryptoInfo::blank(sealing.cipher);
        sock::tls_sending_key(fd, info.bytes_mut())?;
        let records = info.seq().wrapping_sub(sealing.first);
        let wanted = sealing.before + sealing.given + records * sealing.overhead;
        // Acknowledged first: what moves from one number to the other between the calls is then missing, and not counted twice.
        let acknowledged = sock::acknowledged(fd)?;
        Ok(acknowledged + sock::unacknowledged(fd)? >= wanted)
    }

    /// Gives the key of one direction to a socket that has the layer.
    fn take(&mut self, fd: BorrowedFd<'_>, way: Way, keys: &TrafficKeys) -> io::Result<()> {
        match way {
            Way::Transmit => {
                let before = written(fd)?;
                sock::set_tls_key(fd, way, keys.crypto_info().bytes())?;
                let overhead = keys.record_overhead() as u64;
                self.sealing = Some(Sealing { cipher: keys.cipher(), overhead, first: keys.seq(), before, given: 0 });
            }
            Way::Receive => {
                sock::set_tls_key(fd, way, keys.crypto_info().bytes())?;
                self.opens = true;
            }
        }
        Ok(())
    }
}

/// Bytes that TCP has been given so far.
fn written(fd: BorrowedFd<'_>) -> io::Result<u64> {
    let mut acknowledged = sock::acknowledged(fd)?;
    for _ in 0..READS_MAX {
        let more = sock::unacknowledged(fd)?;
        let again = sock::acknowledged(fd)?;
        if again == acknowledged {
            return Ok(acknowledged + more);
        }
        acknowledged = again;
    }
    Err(io::ErrorKind::TimedOut.into())
}

/// How a leg was finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finished {
    /// FIN was said behind everything.
    Said,
    /// The connection is gone; what was not out never will be.
    Lost,
}

impl Finished {
    /// The answer to the send that FIN goes with, if one is owed.
    pub(crate) fn answer(self, leg: Leg, owes: bool) -> Option<Event> {
        let event = match self {
            Self::Said => Event::Sent { leg },
            Self::Lost => Event::Failed { leg, during: Doing::Sending, fault: Fault::Reset },
        };
        owes.then_some(event)
    }
}

/// What came instead of data, on a leg that the kernel opens: why a receive failed with `errno`.
pub(crate) fn instead_of_data(fd: BorrowedFd<'_>, errno: i32) -> Result<ControlRecord, Fault> {
    let fault = match errno {
        // A record that is no data lies in front, and stays until somebody asks for its type.
        libc::EIO => return receive_control(fd).map_err(|e| errno::of(&e)),
        libc::EBADMSG => Fault::Record(RecordFault::BadMac),
        libc::EMSGSIZE => Fault::Record(RecordFault::Overflow),
        // A version that has no place here.
        libc::EINVAL => Fault::Record(RecordFault::Decode),
        other => return Err(errno::fault(other)),
    };
    // The kernel keeps it as the socket's error as well, and would answer our alert with it.
    let _ = sock::take_error(fd);
    Err(fault)
}

/// Takes a record that is no data.
fn receive_control(fd: BorrowedFd<'_>) -> io::Result<ControlRecord> {
    let mut room = [0; ControlRecord::MAX];
    let (n, typ) = sock::receive_typed(fd, &mut room)?;
    let (Some(typ), Some(content)) = (typ, room.get(..n)) else { return Err(io::ErrorKind::InvalidData.into()) };
    Ok(ControlRecord::new(typ, content))
}

/// Legs that say FIN as soon as everything is out: the next to be asked about first. One whose session is gone stays until its time comes,
/// [`PAUSE_MAX`] at most; besides those there is at most one for each leg.
#[derive(Debug, Default)]
pub(crate) struct Finishing {
    waiting: BinaryHeap<Wait>,
}

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    pub(crate) key: SlotKey,
    pub(crate) leg: Leg,
    /// The send that FIN goes with has not been answered.
    pub(crate) owes: bool,
    at: Moment,
    pause: Duration,
}

/// The earlier, the greater: a heap has its greatest at the top.
impl Ord for Wait {
    fn cmp(&self, other: &Self) -> Ordering {
        other.at.cmp(&self.at)
    }
}

impl PartialOrd for Wait {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Wait {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Wait {}

impl Finishing {
    /// Not all is out yet.
    pub(crate) fn wait(&mut self, key: SlotKey, leg: Leg, owes: bool, now: Moment) {
        self.waiting.push(Wait { key, leg, owes, at: now + FIRST_PAUSE, pause: FIRST_PAUSE });
    }

    /// Asks about those whose time has come, and says when the next one's time will be.
    pub(crate) fn press(&mut self, now: Moment, mut is_over: impl FnMut(&Wait) -> bool) -> Option<Moment> {
        while self.waiting.peek().is_some_and(|wait| wait.at <= now)
            && let Some(wait) = self.waiting.pop()
        {
            if !is_over(&wait) {
                let pause = (wait.pause * 2).min(PAUSE_MAX);
                self.waiting.push(Wait { at: now + pause, pause, ..wait });
            }
        }
        self.waiting.peek().map(|wait| wait.at)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}
