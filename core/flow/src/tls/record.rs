//! Opens and seals records.

use sluice_link::time::Moment;

use super::alert::{Alert, RecordFault, SealFault};
use crate::buf::{Buf, PARTS_MAX};

/// Most plaintext bytes in one record.
pub const RECORD_MAX: usize = 16 * 1024;

/// Both directions of one established connection: keys, sequence numbers, key changes. Not clonable: two copies would use a
/// nonce twice.
pub struct Records(Box<()>);

impl Records {
    /// Opens, where they lie, all whole records in `buf`, whose filled part begins with a record's first byte. The plaintext is
    /// then at `parts` (offsets into the filled part), ready for [`crate::buf::Chain::of`]. Bytes from [`Opened::rest`] on are the
    /// beginning of a record: copy them to a fresh buffer (or keep this one if there are no parts) and receive behind them.
    ///
    /// Key updates are followed, and answered with the next record that is sealed.
    ///
    /// # Errors
    /// [`RecordFault`]: nothing of this buffer may be passed on; send [`RecordFault::alert`], close. `self` is of no further use
    /// but for [`Records::alert`].
    pub fn open(&mut self, buf: &mut Buf, parts: &mut Parts, now: Moment) -> Result<Opened, RecordFault> {
        let _ = (buf, parts, now);
        todo!()
    }

    /// Seals everything in `buf` where it lies, using head room and tail room; afterwards `buf` holds what must be sent. The
    /// filled part must begin behind the whole head room and be at most [`crate::buf::Class::Large`]'s payload long. If it is longer
    /// than [`RECORD_MAX`] it becomes two records. An empty payload becomes nothing.
    ///
    /// # Errors
    /// [`SealFault`]; `buf` is then of no use.
    pub fn seal_in_place(&mut self, buf: &mut Buf) -> Result<(), SealFault> {
        let _ = buf;
        todo!()
    }

    /// Seals `plain` into the spare room of `out`, in records of [`RECORD_MAX`] (the last may be shorter), in one pass. Returns how
    /// many bytes of `plain` were taken: as many as fit. An empty [`crate::buf::Class::Bulk`] buffer takes at least 256 KiB.
    ///
    /// # Errors
    /// [`SealFault`]. What was appended before stays valid and must be sent before anything else.
    pub fn seal_into(&mut self, plain: &[u8], out: &mut Buf) -> Result<usize, SealFault> {
        let _ = (plain, out);
        todo!()
    }

    /// Appends a `close_notify` to `out`. Nothing can be sealed after it.
    ///
    /// # Errors
    /// [`SealFault::NoRoom`].
    pub fn close_notify(&mut self, out: &mut Buf) -> Result<(), SealFault> {
        let _ = out;
        todo!()
    }

    /// Appends an alert to `out`. Nothing can be sealed after it.
    ///
    /// # Errors
    /// [`SealFault::NoRoom`].
    pub fn alert(&mut self, alert: Alert, out: &mut Buf) -> Result<(), SealFault> {
        let _ = (alert, out);
        todo!()
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

    /// The slices.
    #[must_use]
    pub fn slices(&self) -> &[(usize, usize)] {
        &self.slices[..self.len]
    }
}

impl Default for Parts {
    fn default() -> Self {
        Self::new()
    }
}
