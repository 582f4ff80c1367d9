//! Our record engine: both directions of one established connection.
//!
//! ```text
//!   received   | head | payload | tail | head | payload | tail | head | pay
//!   open              '--part--'              '--part--'       ^rest
//!
//!   to send    head room | payload | tail room            seal_in_place: the record grows around its payload
//!   or         payload ──► | head | sealed | tail | …     seal_into: one pass from one buffer to another
//! ```
//!
//! Either direction can be handed over to the kernel, which then works on the same keys. What is left here is to count what the
//! kernel seals, and to judge the records without data that it opens.
//!
//! TLS 1.3 keys are changed here and nowhere else: a KeyUpdate of the other side is followed at once and answered, if it asks,
//! in front of the next record that we seal; ours goes there, too, when a key has protected enough.

use sluice_link::time::Moment;

use super::RECORD_MAX;
use super::alert::{Alert, RecordFault, SealFault};
use super::handshake::Version;
use super::record::{Opened, Parts};
use super::rekey::{Flood, KeyLimits, Rekey};
use super::secret::{HEAD_MAX, HEADER, KeyFault, OpeningKey, SealingKey, TAIL_MAX, content};
use super::traffic::{Material, TrafficKeys};
use crate::buf::{Buf, Class, HEADROOM, TAILROOM};
use crate::event::{ControlRecord, Way};

/// Most empty records in a row.
const EMPTY_MAX: u8 = 32;
/// Most warnings that are ignored.
const WARNINGS_MAX: u8 = 4;
/// Most bytes of a handshake message that comes in several records. Only hosts' session tickets may; real ones have under 2 KiB.
const MESSAGE_MAX: usize = 16 * 1024;
/// Handshake messages.
mod message {
    pub(super) const HELLO_REQUEST: u8 = 0;
    pub(super) const CLIENT_HELLO: u8 = 1;
    pub(super) const NEW_SESSION_TICKET: u8 = 4;
    pub(super) const KEY_UPDATE: u8 = 24;
}
/// The kernel makes no longer records, and shorter ones only where a page of its memory ends.
const KERNEL_PAGE: usize = 4096;
/// A KeyUpdate message that asks for none in return.
const KEY_UPDATE: [u8; 5] = [message::KEY_UPDATE, 0, 0, 1, 0];
/// The record with it, sealed: TLS 1.3 has one layout only.
pub(super) const KEY_UPDATE_RECORD: usize = HEADER + KEY_UPDATE.len() + TAIL_MAX;
// Two sealed connections of a session at most, for hours.
const _: () = assert!(size_of::<Own>() <= 200);

/// Alerts.
mod alert {
    pub(super) const CLOSE_NOTIFY: u8 = 0;
    pub(super) const USER_CANCELED: u8 = 90;
}

// A KeyUpdate and the payload's own head fit into the head room; what one more record between them needs, into the tail room.
const _: () = assert!(KEY_UPDATE_RECORD + HEAD_MAX <= HEADROOM);
const _: () = assert!(HEAD_MAX + TAIL_MAX + TAIL_MAX <= TAILROOM);
const _: () = assert!(Class::Large.payload() <= 2 * RECORD_MAX);
// As many full records as a long read may bring, and a KeyUpdate among them, fit into a bulk buffer.
const _: () =
    assert!(Class::Bulk.reads() / RECORD_MAX * (RECORD_MAX + HEAD_MAX + TAIL_MAX) + KEY_UPDATE_RECORD <= Class::Bulk.payload());

/// Keys, sequence numbers, key changes. Not clonable: two copies would use a nonce twice.
pub(super) struct Own {
    version: Version,
    opening: OpeningKey,
    sealing: SealingKey,
    /// None for TLS 1.2, whose keys cannot be changed. In a box: rustls keeps more for it than everything else here takes.
    rekey: Option<Box<Rekey>>,
    limits: KeyLimits,
    flood: Flood,
    /// The beginning of a handshake message that continues in the next record.
    message: Vec<u8>,
    empty: u8,
    warnings: u8,
    /// The other side asked for a KeyUpdate that it has not got yet.
    owed: bool,
    /// `close_notify` came: what follows is ignored.
    closed: bool,
    /// An alert was sent: nothing may follow.
    silent: bool,
    /// What has to do with the kernel, if an operator wants it to have keys.
    lent: Option<Box<Lent>>,
}

/// Who has the keys.
pub(super) struct Lent {
    sealing: Custody,
    opening: Custody,
}

/// Who has the key of one direction.
enum Custody {
    /// We, for good.
    Ours,
    /// We, and the kernel may have it.
    Spare(Material),
    /// Nobody knows: the kernel has been asked.
    Asked,
    /// The kernel.
    Kernels,
}

impl Lent {
    /// Material for the kernel, of each direction that it shall have.
    pub(super) fn new(sealing: Option<Material>, opening: Option<Material>) -> Self {
        let custody = |material: Option<Material>| material.map_or(Custody::Ours, Custody::Spare);
        Self { sealing: custody(sealing), opening: custody(opening) }
    }

    fn way(&mut self, way: Way) -> &mut Custody {
        match way {
            Way::Transmit => &mut self.sealing,
            Way::Receive => &mut self.opening,
        }
    }
}

impl Own {
    pub(super) fn new(version: Version, opening: OpeningKey, sealing: SealingKey, rekey: Rekey, lent: Option<Lent>) -> Self {
        let rekey = match rekey {
            Rekey::Never => None,
            rekey @ (Rekey::Server(_) | Rekey::Client { .. }) => Some(Box::new(rekey)),
        };
        Self {
            version,
            opening,
            sealing,
            rekey,
            limits: KeyLimits::STANDARD,
            flood: Flood::default(),
            message: Vec::new(),
            empty: 0,
            warnings: 0,
            owed: false,
            closed: false,
            silent: false,
            lent: lent.map(Box::new),
        }
    }

    /// See [`super::record::Records::offer`].
    pub(super) fn offer(&mut self, way: Way) -> Option<TrafficKeys> {
        // The other side waits for this key to be changed, which the kernel could not: it would be of no use there.
        let stays = way == Way::Transmit && self.owed;
        let seq = match way {
            Way::Transmit => self.sealing.seq(),
            Way::Receive => self.opening.seq(),
        };
        let custody = self.lent.as_deref_mut()?.way(way);
        match std::mem::replace(custody, Custody::Asked) {
            Custody::Spare(_) if stays => {
                *custody = Custody::Ours;
                None
            }
            Custody::Spare(material) => Some(TrafficKeys::new(self.version, material, seq)),
            other @ (Custody::Ours | Custody::Asked | Custody::Kernels) => {
                *custody = other;
                None
            }
        }
    }

    /// See [`super::record::Records::settle`].
    pub(super) fn settle(&mut self, way: Way, taken: bool) {
        if let Some(custody @ Custody::Asked) = self.lent.as_deref_mut().map(|lent| lent.way(way)) {
            *custody = if taken { Custody::Kernels } else { Custody::Ours };
        }
    }

    /// See [`super::record::Records::is_kernels`].
    pub(super) fn is_kernels(&self, way: Way) -> bool {
        matches!(self.custody(way), Some(Custody::Kernels))
    }

    /// Whether we may use the key of this direction.
    fn is_ours(&self, way: Way) -> bool {
        matches!(self.custody(way), None | Some(Custody::Ours | Custody::Spare(_)))
    }

    fn custody(&self, way: Way) -> Option<&Custody> {
        let lent = self.lent.as_deref()?;
        Some(match way {
            Way::Transmit => &lent.sealing,
            Way::Receive => &lent.opening,
        })
    }

    /// See [`super::record::Records::passes`].
    pub(super) fn passes(&mut self, bytes: usize) -> Result<(), SealFault> {
        if self.silent {
            return Err(SealFault::Closed);
        }
        if self.owed || self.limits.spent(&self.sealing) {
            return Err(SealFault::KeySpent);
        }
        // A record may end wherever a page does if memory is short. What it is sent in beside that is not known here, but one more for each call.
        let records = bytes.div_ceil(KERNEL_PAGE);
        self.sealing.spent(bytes as u64, records as u64);
        Ok(())
    }

    /// See [`super::record::Records::control`].
    pub(super) fn control(&mut self, record: ControlRecord) -> Result<bool, RecordFault> {
        match (record.typ, record.content()) {
            (content::ALERT, content) => self.alerted(content)?,
            (content::HANDSHAKE, [message::HELLO_REQUEST | message::CLIENT_HELLO, ..]) if self.version == Version::Tls12 => {
                return Err(RecordFault::Renegotiation);
            }
            (content::HANDSHAKE, [message::KEY_UPDATE, ..]) if self.version == Version::Tls13 => {
                return Err(RecordFault::KernelKey);
            }
            _ => return Err(RecordFault::Unexpected),
        }
        Ok(self.closed)
    }

    pub(super) fn version(&self) -> Version {
        self.version
    }

    /// See [`super::record::Records::seal_in_place`]. A record has at most `most` bytes of plaintext.
    pub(super) fn seal_in_place(&mut self, buf: &mut Buf, most: usize) -> Result<(), SealFault> {
        self.may_seal()?;
        let len = buf.len();
        let (head, tail) = (self.sealing.head(), self.sealing.tail());
        let more = len.div_ceil(most).saturating_sub(1);
        if len == 0 {
            return Ok(());
        }
        if more > 1 || buf.head_room() < KEY_UPDATE_RECORD + head || buf.tail_room() < more * (head + tail) + tail {
            return Err(SealFault::NoRoom);
        }
        let mut update = [0; KEY_UPDATE_RECORD];
        let lead = self.key_update_if_due(&mut update)?;
        let bytes = buf.widen(lead + head, more * (head + tail) + tail);
        bytes[..lead].copy_from_slice(&update[..lead]);
        let bytes = &mut bytes[lead..];
        let second = head + len.min(most) + tail;
        if more == 1 {
            // Out of the way of the first record's tail.
            bytes.copy_within(head + most..head + len, second + head);
        }
        let (first, second) = bytes.split_at_mut_checked(second).ok_or(SealFault::Never)?;
        self.seal(|key| key.seal_in_place(content::DATA, first))?;
        if more == 1 { self.seal(|key| key.seal_in_place(content::DATA, second)) } else { Ok(()) }
    }

    /// See [`super::record::Records::seal_into`].
    pub(super) fn seal_into(&mut self, plain: &[u8], out: &mut Buf, most: usize) -> Result<usize, SealFault> {
        let mut taken = 0;
        while taken < plain.len() {
            match self.may_seal() {
                Err(_) if taken > 0 => break,
                checked => checked?,
            }
            let frame = self.sealing.head() + self.sealing.tail();
            let room = out.room().saturating_sub(frame + self.key_update_len());
            let wanted = (plain.len() - taken).min(most);
            let len = wanted.min(room);
            if len == 0 || (len < wanted && taken > 0) {
                break;
            }
            let mut update = [0; KEY_UPDATE_RECORD];
            let lead = self.key_update_if_due(&mut update)?;
            out.append(&update[..lead]);
            let piece = &plain[taken..taken + len];
            let record = out.room_mut().get_mut(..frame + len).ok_or(SealFault::Never)?;
            self.seal(|key| key.seal_to(content::DATA, piece, record))?;
            out.commit(frame + len);
            taken += len;
        }
        Ok(taken)
    }

    /// See [`super::record::Records::alert`].
    pub(super) fn alert(&mut self, alert: Alert, out: &mut Buf) -> Result<(), SealFault> {
        if self.silent {
            return Ok(());
        }
        let plain = [alert.level, alert.description];
        if self.is_kernels(Way::Transmit) {
            if out.append(&plain) < plain.len() {
                return Err(SealFault::NoRoom);
            }
            self.silent = true;
            return Ok(());
        }
        if !self.is_ours(Way::Transmit) {
            return Err(self.never());
        }
        let len = self.sealing.head() + plain.len() + self.sealing.tail();
        let Some(record) = out.room_mut().get_mut(..len) else { return Err(SealFault::NoRoom) };
        self.seal(|key| key.seal_to(content::ALERT, &plain, record))?;
        out.commit(len);
        self.silent = true;
        Ok(())
    }

    /// See [`super::record::Records::open`].
    pub(super) fn open(&mut self, bytes: &mut [u8], parts: &mut Parts, now: Moment) -> Result<Opened, RecordFault> {
        let mut opened = Opened::default();
        let mut at = 0;
        if !self.is_ours(Way::Receive) {
            return Err(RecordFault::Never);
        }
        while !self.closed {
            let rest = &mut bytes[at..];
            let Some(header) = rest.first_chunk::<HEADER>() else {
                opened.lacks = if rest.is_empty() { 0 } else { HEADER - rest.len() };
                break;
            };
            let whole = self.opening.measure(*header)?;
            let Some(record) = rest.get_mut(..whole) else {
                opened.lacks = whole - rest.len();
                break;
            };
            let (typ, place) = self.opening.open(record)?;
            opened.records += 1;
            // RFC 8446, section 5.1: a message in several records is not interrupted by other records.
            if typ != content::HANDSHAKE && !self.message.is_empty() {
                return Err(RecordFault::Unexpected);
            }
            match typ {
                content::DATA => {
                    opened.bytes += place.len();
                    self.count_empty(place.is_empty())?;
                    parts.push(bytes, at + place.start..at + place.end);
                }
                content::HANDSHAKE => self.handshake(&record[place], now, &mut opened)?,
                content::ALERT => self.alerted(&record[place])?,
                _ => return Err(RecordFault::Unexpected),
            }
            at += whole;
        }
        opened.closed = self.closed;
        opened.rest = if self.closed { bytes.len() } else { at };
        Ok(opened)
    }

    fn count_empty(&mut self, empty: bool) -> Result<(), RecordFault> {
        if !empty {
            self.empty = 0;
            self.flood.data();
        } else if self.empty == EMPTY_MAX {
            return Err(RecordFault::TooManyEmpty);
        } else {
            self.empty += 1;
        }
        Ok(())
    }

    fn alerted(&mut self, content: &[u8]) -> Result<(), RecordFault> {
        match *content {
            [_, alert::CLOSE_NOTIFY] => self.closed = true,
            [_, alert::USER_CANCELED] if self.warnings < WARNINGS_MAX => self.warnings += 1,
            [_, alert::USER_CANCELED] => return Err(RecordFault::TooManyWarnings),
            [_, description] => return Err(RecordFault::Alerted(description)),
            // Empty ones and those in pieces are forbidden.
            _ => return Err(RecordFault::Decode),
        }
        Ok(())
    }

    /// What one handshake record holds: for TLS 1.3 whole messages, of which the last may continue in the next record.
    fn handshake(&mut self, content: &[u8], now: Moment, opened: &mut Opened) -> Result<(), RecordFault> {
        let Some(&first) = content.first() else { return Err(RecordFault::Unexpected) };
        if self.version == Version::Tls12 {
            return Err(match first {
                message::HELLO_REQUEST | message::CLIENT_HELLO => RecordFault::Renegotiation,
                _ => RecordFault::Unexpected,
            });
        }
        if self.message.is_empty() {
            let used = self.messages(content, now, opened)?;
            self.message.extend_from_slice(&content[used..]);
        } else {
            let mut whole = std::mem::take(&mut self.message);
            whole.extend_from_slice(content);
            let used = self.messages(&whole, now, opened)?;
            whole.drain(..used);
            whole.shrink_to_fit();
            self.message = whole;
        }
        Ok(())
    }

    /// Handles all whole messages in `content`, and says how many bytes they were.
    fn messages(&mut self, content: &[u8], now: Moment, opened: &mut Opened) -> Result<usize, RecordFault> {
        let mut at = 0;
        while let Some(&typ) = content.get(at) {
            let rest = &content[at..];
            match typ {
                message::KEY_UPDATE => {
                    self.key_update(rest, now)?;
                    opened.key_updates += 1;
                    return Ok(content.len());
                }
                message::NEW_SESSION_TICKET if matches!(self.rekey.as_deref(), Some(Rekey::Client { .. })) => {
                    let Some(&[_, a, b, c]) = rest.first_chunk::<4>() else { return Ok(at) };
                    let len = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
                    if len > MESSAGE_MAX {
                        return Err(RecordFault::Decode);
                    }
                    let Some(body) = rest.get(4..4 + len) else { return Ok(at) };
                    self.flood.ticket()?;
                    if let Some(rekey) = self.rekey.as_deref_mut() {
                        rekey.keep_ticket(body)?;
                    }
                    at += 4 + len;
                }
                _ => return Err(RecordFault::Unexpected),
            }
        }
        Ok(at)
    }

    /// Follows a KeyUpdate. It must end its record, since the next one is sealed with another key; that it also fits into one
    /// record is our rule: nobody cuts five bytes.
    fn key_update(&mut self, message: &[u8], now: Moment) -> Result<(), RecordFault> {
        let asked = match *message {
            [_, 0, 0, 1, 0] => false,
            [_, 0, 0, 1, 1] => true,
            [_, 0, 0, 1, _] => return Err(RecordFault::IllegalParameter),
            _ => return Err(RecordFault::Unexpected),
        };
        self.flood.key_update(now)?;
        self.opening =
            self.rekey.as_deref_mut().ok_or(KeyFault).and_then(Rekey::opening).map_err(|KeyFault| RecordFault::Never)?;
        self.keep(Way::Receive);
        self.owed |= asked;
        Ok(())
    }

    /// The key is another one than that of which there is material, and stays here.
    fn keep(&mut self, way: Way) {
        if let Some(lent) = self.lent.as_deref_mut() {
            *lent.way(way) = Custody::Ours;
        }
    }

    /// Whether application data may be sealed at all.
    fn may_seal(&self) -> Result<(), SealFault> {
        if self.silent {
            return Err(SealFault::Closed);
        }
        if !self.is_ours(Way::Transmit) {
            return Err(SealFault::Never);
        }
        if self.version == Version::Tls12 && self.limits.reached(self.version, &self.sealing) {
            return Err(SealFault::KeySpent);
        }
        Ok(())
    }

    fn key_update_due(&self) -> bool {
        self.version == Version::Tls13 && (self.owed || self.limits.reached(self.version, &self.sealing))
    }

    /// What [`Self::key_update_if_due`] will write.
    fn key_update_len(&self) -> usize {
        if self.key_update_due() { KEY_UPDATE_RECORD } else { 0 }
    }

    /// Changes the sealing key if it is time to, and says how many bytes of `record` announce that: they must be sent first.
    fn key_update_if_due(&mut self, record: &mut [u8; KEY_UPDATE_RECORD]) -> Result<usize, SealFault> {
        if !self.key_update_due() {
            return Ok(0);
        }
        self.seal(|key| key.seal_to(content::HANDSHAKE, &KEY_UPDATE, record))?;
        match self.rekey.as_deref_mut().ok_or(KeyFault).and_then(Rekey::sealing) {
            Ok(key) => self.sealing = key,
            Err(KeyFault) => return Err(self.never()),
        }
        self.keep(Way::Transmit);
        self.owed = false;
        Ok(KEY_UPDATE_RECORD)
    }

    fn seal(&mut self, act: impl FnOnce(&mut SealingKey) -> Result<(), KeyFault>) -> Result<(), SealFault> {
        act(&mut self.sealing).map_err(|KeyFault| self.never())
    }

    /// A key must not be used again after an error.
    fn never(&mut self) -> SealFault {
        self.silent = true;
        SealFault::Never
    }
}

/// What only tests may do.
#[cfg(test)]
mod hooks {
    use super::{KEY_UPDATE, KeyLimits, Own, message};
    use crate::buf::Buf;

    impl Own {
        /// Sets other bounds for keys.
        pub(in crate::tls) fn limit(&mut self, limits: KeyLimits) {
            self.limits = limits;
        }

        /// Seals `plain` as one record of type `typ`, whatever that is.
        pub(in crate::tls) fn seal_raw(&mut self, typ: u8, plain: &[u8], out: &mut Buf) {
            let len = self.sealing.head() + plain.len() + self.sealing.tail();
            self.sealing.seal_to(typ, plain, &mut out.room_mut()[..len]).unwrap();
            out.commit(len);
        }

        /// Sends a KeyUpdate, asking for one in return or not, and changes the key.
        pub(in crate::tls) fn update_key(&mut self, ask: bool, out: &mut Buf) {
            let mut update = KEY_UPDATE;
            assert_eq!(update[0], message::KEY_UPDATE);
            update[4] = u8::from(ask);
            self.seal_raw(super::content::HANDSHAKE, &update, out);
            self.sealing = self.rekey.as_deref_mut().unwrap().sealing().unwrap();
        }

        /// Whether its keys may protect a limited amount only.
        pub(in crate::tls) fn wears_off(&self) -> bool {
            self.sealing.wears_off()
        }

        /// Blocks sealed with the present key, as they are counted.
        pub(in crate::tls) fn blocks(&self) -> u64 {
            self.sealing.blocks()
        }

        /// Records sealed with the present key.
        pub(in crate::tls) fn sealed_with_this_key(&self) -> u64 {
            self.sealing.records()
        }
    }
}
