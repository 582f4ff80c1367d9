//! Both directions of one established connection, whichever engine opens and seals.
//!
//! ```text
//!                       ┌─► Own: our engine, in place                  what is served unless an operator says otherwise
//!                       │    └─ offer, settle ─► the kernel            either direction, of its own, if an operator wants it
//!   open, seal, alert ──┤
//!                       └─► Kept: the connection stays with rustls     copies and allocates; to fall back on
//! ```
//!
//! Which one it is was decided when the handshake ended, and nobody outside can tell but by the cost.

use std::fmt;
use std::ops::Range;

use sluice_link::time::Moment;

use super::RECORD_MAX;
use super::alert::{Alert, RecordFault, SealFault};
use super::handshake::Version;
use super::kept::Kept;
use super::own::{Lent, Own};
use super::rekey::Rekey;
use super::secret::{OpeningKey, SealingKey, content};
use super::traffic::TrafficKeys;
use crate::buf::{Buf, Chain, Class, PARTS_MAX};
use crate::event::{ControlRecord, Way};

/// Pieces up to this long are moved next to the piece before them, which is cheaper than one more slice for the kernel.
const JOIN_MAX: usize = 512;
// Two connections of a session at most, for hours.
const _: () = assert!(size_of::<Body>() <= 208);

/// Both directions of one established connection: keys, sequence numbers, key changes. Not clonable: two copies would use a
/// nonce twice. Small to move: what it holds is on the heap.
pub struct Records(Box<Body>);

struct Body {
    engine: Engine,
    /// Most plaintext bytes in a record that is sealed.
    record_max: usize,
    /// A fault was found: keys are of no use any more.
    broken: bool,
}

enum Engine {
    Own(Own),
    Kept(Kept),
}

impl Records {
    /// Opened and sealed by us, with keys that rustls has let go of; and by the kernel, as far as there is something to lend.
    pub(super) fn own(version: Version, opening: OpeningKey, sealing: SealingKey, rekey: Rekey, lent: Option<Lent>) -> Self {
        Self::new(Engine::Own(Own::new(version, opening, sealing, rekey, lent)))
    }

    /// Opened and sealed by rustls, which keeps the connection.
    pub(super) fn kept(kept: Kept) -> Self {
        Self::new(Engine::Kept(kept))
    }

    fn new(engine: Engine) -> Self {
        Self(Box::new(Body { engine, record_max: RECORD_MAX, broken: false }))
    }

    /// Opens, where they lie, all whole records in `buf`, whose filled part begins with a record's first byte. The plaintext is
    /// then at `parts` (offsets into the filled part), ready for [`crate::buf::Chain::of`]. Bytes from [`Opened::rest`] on are the
    /// beginning of a record: copy them to a fresh buffer and receive behind them; or, if there are no parts, drop what is before
    /// them ([`Buf::advance`]) and receive behind them in this one, if it has room for what the record lacks.
    ///
    /// Key updates are followed, and answered with the next record that is sealed.
    ///
    /// # Errors
    /// [`RecordFault`]: nothing of this buffer may be passed on; send [`RecordFault::alert`], close. Every later call fails.
    pub fn open(&mut self, buf: &mut Buf, parts: &mut Parts, now: Moment) -> Result<Opened, RecordFault> {
        parts.clear();
        let body = &mut *self.0;
        if body.broken {
            return Err(RecordFault::Never);
        }
        let opened = match &mut body.engine {
            Engine::Own(own) => own.open(buf.filled_mut(), parts, now),
            Engine::Kept(kept) => kept.open(buf.filled_mut(), parts, now),
        };
        if opened.is_err() {
            body.broken = true;
            parts.clear();
        }
        opened
    }

    /// Seals at most `bytes` of plaintext in a record from now on; 1 to [`RECORD_MAX`], what is outside is taken to its end.
    pub fn cut_at(&mut self, bytes: usize) {
        self.0.record_max = bytes.clamp(1, RECORD_MAX);
    }

    /// Most plaintext bytes that [`Records::seal_in_place`] takes.
    #[must_use]
    pub fn in_place_max(&self) -> usize {
        Class::Large.payload().min(2 * self.0.record_max)
    }

    /// How many records `bytes` of plaintext become.
    #[must_use]
    pub fn records_for(&self, bytes: usize) -> usize {
        bytes.div_ceil(self.0.record_max)
    }

    /// Seals everything in `buf` where it lies, using head room and tail room; afterwards `buf` holds what must be sent. The
    /// filled part must begin behind the whole head room and be at most [`Records::in_place_max`] long. If it is longer
    /// than one record may be ([`Records::cut_at`]) it becomes two. An empty payload becomes nothing.
    ///
    /// # Errors
    /// [`SealFault`]; what is in `buf` is then of no use.
    pub fn seal_in_place(&mut self, buf: &mut Buf) -> Result<(), SealFault> {
        let Body { engine, record_max, broken } = &mut *self.0;
        let sealed = match engine {
            Engine::Own(own) => own.seal_in_place(buf, *record_max),
            Engine::Kept(kept) => kept.seal_in_place(buf, *record_max),
        };
        sealed.inspect_err(|fault| *broken |= *fault == SealFault::Never)
    }

    /// Seals `plain` into the spare room of `out`, in records as long as they may be (the last may be shorter), in one pass. Returns how
    /// many bytes of `plain` were taken: whole records as long as they fit, and only if not even one does, a shorter one. An empty
    /// [`Class::Bulk`] buffer takes at least 512 KiB, if records may have [`RECORD_MAX`].
    ///
    /// # Errors
    /// [`SealFault`]. What was appended before stays valid and must be sent before anything else.
    pub fn seal_into(&mut self, plain: &[u8], out: &mut Buf) -> Result<usize, SealFault> {
        let Body { engine, record_max, broken } = &mut *self.0;
        let taken = match engine {
            Engine::Own(own) => own.seal_into(plain, out, *record_max),
            Engine::Kept(kept) => kept.seal_into(plain, out, *record_max),
        };
        taken.inspect_err(|fault| *broken |= *fault == SealFault::Never)
    }

    /// The key of one direction, for the kernel, if it shall have it and it has not been changed since the handshake. Until
    /// [`Records::settle`] says what came of it, nothing of that direction can be opened or sealed: two who seal would use a nonce twice.
    /// [`Way::Transmit`] is to be offered when all that was sealed is with the kernel, and [`Way::Receive`] when all that was received
    /// has been opened and no record has begun.
    pub fn offer(&mut self, way: Way) -> Option<Box<TrafficKeys>> {
        match &mut self.0.engine {
            Engine::Own(own) => own.offer(way).map(Box::new),
            Engine::Kept(_) => None,
        }
    }

    /// What came of an offer: the kernel has the key from now on, or we go on with it. Does nothing without an offer.
    pub fn settle(&mut self, way: Way, taken: bool) {
        if let Engine::Own(own) = &mut self.0.engine {
            own.settle(way, taken);
        }
    }

    /// Whether the kernel has the key of this direction.
    #[must_use]
    pub fn is_kernels(&self, way: Way) -> bool {
        match &self.0.engine {
            Engine::Own(own) => own.is_kernels(way),
            Engine::Kept(_) => false,
        }
    }

    /// Counts `bytes` of plaintext that are about to be given to the kernel to be sealed.
    ///
    /// # Errors
    /// [`SealFault::KeySpent`] if they may not be: the key has to be changed first, and the kernel cannot; and the rest.
    pub fn passes(&mut self, bytes: usize) -> Result<(), SealFault> {
        match &mut self.0.engine {
            Engine::Own(own) => own.passes(bytes),
            Engine::Kept(_) => Err(SealFault::Never),
        }
    }

    /// Judges a record without data that the kernel has opened, and says whether it was a `close_notify`.
    ///
    /// # Errors
    /// [`RecordFault`], as of [`Records::open`].
    pub fn control(&mut self, record: ControlRecord) -> Result<bool, RecordFault> {
        let body = &mut *self.0;
        let judged = match &mut body.engine {
            Engine::Own(own) if !body.broken => own.control(record),
            Engine::Own(_) | Engine::Kept(_) => Err(RecordFault::Never),
        };
        judged.inspect_err(|_| body.broken = true)
    }

    /// What [`Records::alert`] has written, as it is to be sent.
    #[must_use]
    pub fn said(&self, words: Buf) -> Chain {
        let chain = Chain::whole(words);
        if self.is_kernels(Way::Transmit) { chain.as_type(content::ALERT) } else { chain }
    }

    /// Appends a `close_notify` to `out`. Nothing can be sealed after it. Does nothing if an alert has been sent already.
    ///
    /// # Errors
    /// [`SealFault::NoRoom`] if `out` has not.
    pub fn close_notify(&mut self, out: &mut Buf) -> Result<(), SealFault> {
        self.alert(Alert::CLOSE_NOTIFY, out)
    }

    /// Appends an alert to `out`. Nothing can be sealed after it. Does nothing if an alert has been sent already. Where rustls seals,
    /// it is the one that rustls wants to send: after a fault that it found its own, or none, else `close_notify`.
    ///
    /// # Errors
    /// [`SealFault::NoRoom`] if `out` has not.
    pub fn alert(&mut self, alert: Alert, out: &mut Buf) -> Result<(), SealFault> {
        let Body { engine, broken, .. } = &mut *self.0;
        let said = match engine {
            Engine::Own(own) => own.alert(alert, out),
            Engine::Kept(kept) => kept.last_words(out),
        };
        said.inspect_err(|fault| *broken |= *fault == SealFault::Never)
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (engine, version) = match &self.0.engine {
            Engine::Own(own) => ("own", own.version()),
            Engine::Kept(kept) => ("rustls", kept.version()),
        };
        f.debug_struct("Records").field("engine", &engine).field("version", &version).finish_non_exhaustive()
    }
}

/// What [`Records::open`] found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// Plaintext bytes, over all parts.
    pub bytes: usize,
    /// Records opened, of any type.
    pub records: usize,
    /// Where, in the filled part, the record begins that is not complete; the length of the filled part if there is none.
    pub rest: usize,
    /// How many bytes this record (or its header) lacks at least; 0 if there is none.
    pub lacks: usize,
    /// The other side sent `close_notify`: it will send no more, and whatever follows is ignored.
    pub closed: bool,
    /// Key updates followed.
    pub key_updates: usize,
}

/// Where the plaintext lies: at most [`PARTS_MAX`] slices as offset and length, in order.
#[derive(Clone, Copy, Debug)]
pub struct Parts {
    slices: [(usize, usize); PARTS_MAX],
    len: usize,
}

impl Parts {
    /// None yet. [`Records::open`] forgets what was there before.
    #[must_use]
    pub const fn new() -> Self {
        Self { slices: [(0, 0); PARTS_MAX], len: 0 }
    }

    /// The slices, none of them empty.
    #[must_use]
    pub fn slices(&self) -> &[(usize, usize)] {
        &self.slices[..self.len]
    }

    fn clear(&mut self) {
        self.len = 0;
    }

    /// Adds `piece` of `bytes`. Short ones, and those for which no slice is left, are moved to the end of the one before: it has
    /// been there that a header and a tag were.
    pub(super) fn push(&mut self, bytes: &mut [u8], piece: Range<usize>) {
        if piece.is_empty() {
            return;
        }
        let len = piece.len();
        let full = self.len == PARTS_MAX;
        match self.slices[..self.len].last_mut() {
            Some((start, before)) if full || len <= JOIN_MAX => {
                bytes.copy_within(piece, *start + *before);
                *before += len;
            }
            Some(_) | None => {
                self.slices[self.len] = (piece.start, len);
                self.len += 1;
            }
        }
    }
}

impl Default for Parts {
    fn default() -> Self {
        Self::new()
    }
}

/// What only tests may do, with our own engine.
#[cfg(test)]
mod hooks {
    use super::{Engine, Own, Records};
    use crate::tls::rekey::KeyLimits;

    impl Records {
        /// Lets our engine's keys protect no more than so many records and blocks.
        pub(crate) fn spend_after(&mut self, records: u64, blocks: u64) {
            self.inner().limit(KeyLimits { records, blocks });
        }

        /// Our engine.
        pub(in crate::tls) fn inner(&mut self) -> &mut Own {
            let Engine::Own(own) = &mut self.0.engine else { panic!("these records are rustls's") };
            own
        }
    }
}
