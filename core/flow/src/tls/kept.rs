//! The other record engine: the connection stays with rustls, which opens and seals as it did during the handshake.
//!
//! ```text
//!   received    | record | record | rec     a record ─copy─► gather ─► rustls opens it ─copy─► a vector of its own
//!   plaintext   |     part   part           where the record was ◄─────────────────────────copy──'
//!
//!   to send     | payload |                 a payload ─► rustls ─copy─► a vector of its own, sealed ─copy─► what is to be sent
//! ```
//!
//! It is there to fall back on, should a fault be found in ours: nothing that decides about records is shared with that one. It costs three
//! copies and two allocations for each record that is opened or sealed in place, and the memory of a whole rustls connection for as long as
//! the session lasts. What it cannot do, since rustls does not let it: choose the alert, and say what a record without data was.

use rustls::client::UnbufferedClientConnection;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncryptError, UnbufferedStatus};
use rustls::{Error, InvalidMessage, PeerMisbehaved};
use sluice_link::time::Moment;

use super::alert::{RecordFault, SealFault};
use super::handshake::{Version, encode_behind};
use super::own::KEY_UPDATE_RECORD;
use super::record::{Opened, Parts};
use super::rekey::Flood;
use super::secret::{HEAD_MAX, HEADER, TAIL_MAX};
use crate::buf::Buf;

/// Most bytes of a handshake message that comes in several records, with their headers and tags.
const GATHER_MAX: usize = 64 * 1024;
/// Bytes of an alert.
const ALERT: usize = 2;

/// A connection that rustls keeps.
pub(super) struct Kept {
    connection: Connection,
    version: Version,
    flood: Flood,
    /// What rustls is being shown, and, between calls, records of a handshake message that is not complete: it wants to see those again.
    gather: Vec<u8>,
    /// What rustls has to say before anything else, sealed.
    words: Vec<u8>,
    /// `close_notify` came: what follows is ignored.
    closed: bool,
    /// rustls has found a fault, and does nothing any more.
    failed: bool,
    /// An alert was sent: nothing may follow.
    silent: bool,
}

/// Boxed, since they are large and all of it is for few.
pub(super) enum Connection {
    /// With a client.
    Server(Box<UnbufferedServerConnection>),
    /// With a host.
    Client(Box<UnbufferedClientConnection>),
}

// What is called from `Records` is cold, so that who has our own engine does not walk round it.
impl Kept {
    /// `connection` has completed its handshake and has sent all that it had to say.
    pub(super) fn new(connection: Connection, version: Version) -> Self {
        Self {
            connection,
            version,
            flood: Flood::default(),
            gather: Vec::new(),
            words: Vec::new(),
            closed: false,
            failed: false,
            silent: false,
        }
    }

    pub(super) fn version(&self) -> Version {
        self.version
    }

    /// See [`super::record::Records::open`].
    #[cold]
    pub(super) fn open(&mut self, bytes: &mut [u8], parts: &mut Parts, now: Moment) -> Result<Opened, RecordFault> {
        let mut opened = Opened::default();
        let mut at = 0;
        while !self.closed {
            let rest = &mut bytes[at..];
            let Some(header) = rest.first_chunk::<HEADER>().copied() else {
                opened.lacks = if rest.is_empty() { 0 } else { HEADER - rest.len() };
                break;
            };
            let whole = HEADER + usize::from(u16::from_be_bytes([header[3], header[4]]));
            let Some(record) = rest.get_mut(..whole) else {
                opened.lacks = whole - rest.len();
                self.judge(header)?;
                break;
            };
            let len = self.open_record(record)?;
            opened.records += 1;
            opened.bytes += len;
            if len > 0 {
                self.flood.data();
            } else {
                self.without_data(whole, now, &mut opened)?;
            }
            parts.push(bytes, at + HEADER..at + HEADER + len);
            at += whole;
        }
        if self.gather.is_empty() {
            // Nobody who waits keeps room for a record.
            self.gather = Vec::new();
        }
        opened.closed = self.closed;
        opened.rest = if self.closed { bytes.len() } else { at };
        Ok(opened)
    }

    /// See [`super::record::Records::seal_in_place`].
    #[cold]
    pub(super) fn seal_in_place(&mut self, buf: &mut Buf, most: usize) -> Result<(), SealFault> {
        self.may_seal()?;
        let len = buf.len();
        let room = self.words.len() + KEY_UPDATE_RECORD + len.div_ceil(most) * (HEAD_MAX + TAIL_MAX);
        if len > 2 * most || buf.head_room() + buf.tail_room() < room {
            return Err(SealFault::NoRoom);
        }
        let mut sealed = vec![0; len + room];
        let mut n = 0;
        for piece in buf.filled().chunks(most) {
            n += self.write(Some(piece), &mut sealed[n..])?;
        }
        let more = n.checked_sub(len).ok_or(SealFault::Never)?;
        let before = more.min(buf.head_room());
        buf.widen(before, more - before).copy_from_slice(&sealed[..n]);
        Ok(())
    }

    /// See [`super::record::Records::seal_into`].
    #[cold]
    pub(super) fn seal_into(&mut self, plain: &[u8], out: &mut Buf, most: usize) -> Result<usize, SealFault> {
        self.may_seal()?;
        let mut taken = 0;
        while taken < plain.len() {
            let room = out.room().saturating_sub(self.words.len() + KEY_UPDATE_RECORD + HEAD_MAX + TAIL_MAX);
            let wanted = (plain.len() - taken).min(most);
            let len = wanted.min(room);
            if len == 0 || (len < wanted && taken > 0) {
                break;
            }
            match self.write(Some(&plain[taken..taken + len]), out.room_mut()) {
                Ok(n) => out.commit(n),
                Err(SealFault::KeySpent) if taken > 0 => break,
                Err(fault) => return Err(fault),
            }
            taken += len;
        }
        Ok(taken)
    }

    /// Appends to `out` what rustls has to say at the end: its alert, if it has found a fault, else `close_notify`.
    #[cold]
    pub(super) fn last_words(&mut self, out: &mut Buf) -> Result<(), SealFault> {
        if self.silent {
            return Ok(());
        }
        if out.room() < self.words.len() + KEY_UPDATE_RECORD + HEAD_MAX + ALERT + TAIL_MAX {
            return Err(SealFault::NoRoom);
        }
        self.silent = true;
        if self.failed {
            out.append(&std::mem::take(&mut self.words));
            return Ok(());
        }
        let n = self.write(None, out.room_mut())?;
        out.commit(n);
        Ok(())
    }

    fn may_seal(&self) -> Result<(), SealFault> {
        if self.silent || self.failed { Err(SealFault::Closed) } else { Ok(()) }
    }

    /// Lets rustls open the whole record in `record`, and says how many bytes of plaintext are behind its header now.
    fn open_record(&mut self, record: &mut [u8]) -> Result<usize, RecordFault> {
        if self.gather.len() > GATHER_MAX {
            return Err(RecordFault::Decode);
        }
        self.gather.extend_from_slice(record);
        let plain = record.get_mut(HEADER..).ok_or(RecordFault::Never)?;
        let mut len = 0;
        loop {
            let room = plain.get_mut(len..).ok_or(RecordFault::Never)?;
            match self.show(self.gather.len(), Act::Open(room)) {
                Seen::Plain(n) => len += n,
                Seen::More => {}
                Seen::Closed => {
                    self.closed = true;
                    self.gather.clear();
                    return Ok(len);
                }
                // The only thing that rustls answers at once is a wish for renegotiation.
                Seen::Idle if !self.words.is_empty() => {
                    self.failed = true;
                    return Err(RecordFault::Renegotiation);
                }
                Seen::Idle => return Ok(len),
                Seen::Fault(error) => return Err(self.fail(&error)),
                Seen::Wrote(_) | Seen::Spent | Seen::Never => return Err(RecordFault::Never),
            }
        }
    }

    /// Lets rustls look at the header of a record that is not there yet: one that may not be is refused at once.
    fn judge(&mut self, header: [u8; HEADER]) -> Result<(), RecordFault> {
        let had = self.gather.len();
        self.gather.extend_from_slice(&header);
        let seen = self.show(had + HEADER, Act::Open(&mut []));
        self.gather.truncate(had);
        match seen {
            Seen::Fault(error) => Err(self.fail(&error)),
            Seen::Idle => Ok(()),
            Seen::Plain(_) | Seen::More | Seen::Closed | Seen::Wrote(_) | Seen::Spent | Seen::Never => Err(RecordFault::Never),
        }
    }

    /// A record of `whole` bytes held no data. rustls does not say what it held; if it is long enough, it may have been a KeyUpdate,
    /// of which a client has few to send. What hosts give are mostly session tickets.
    fn without_data(&mut self, whole: usize, now: Moment, opened: &mut Opened) -> Result<(), RecordFault> {
        if self.version == Version::Tls12 || self.closed || whole < KEY_UPDATE_RECORD || !self.gather.is_empty() {
            return Ok(());
        }
        match &self.connection {
            Connection::Server(_) => {
                opened.key_updates += 1;
                self.flood.key_update(now)
            }
            Connection::Client(_) => self.flood.ticket(),
        }
    }

    /// Keeps what rustls has to say about `error`. It must not be asked for more than it has queued: it would look at the same records
    /// again.
    fn fail(&mut self, error: &Error) -> RecordFault {
        self.failed = true;
        while self.wants_write() && matches!(self.show(0, Act::Open(&mut [])), Seen::More) {}
        fault(error)
    }

    /// Writes what rustls has to say into `out`, which has room for it, and behind it `plain` as a record; if there is none, `close_notify`.
    /// Says how many bytes that were.
    fn write(&mut self, plain: Option<&[u8]>, out: &mut [u8]) -> Result<usize, SealFault> {
        loop {
            let (words, room) = out.split_at_mut_checked(self.words.len()).ok_or(SealFault::Never)?;
            words.copy_from_slice(&self.words);
            let said = words.len();
            let act = match plain {
                Some(plain) => Act::Seal(plain, room),
                None => Act::Close(room),
            };
            match self.show(self.gather.len(), act) {
                Seen::More => {}
                Seen::Wrote(n) => {
                    self.words = Vec::new();
                    return Ok(said + n);
                }
                Seen::Spent => return Err(SealFault::KeySpent),
                // Both have said goodbye: rustls did so by itself, when its key was spent.
                Seen::Closed if plain.is_none() => return Ok(said),
                Seen::Closed | Seen::Plain(_) | Seen::Idle | Seen::Fault(_) | Seen::Never => return Err(SealFault::Never),
            }
        }
    }

    fn wants_write(&self) -> bool {
        match &self.connection {
            Connection::Server(server) => server.wants_write(),
            Connection::Client(client) => client.wants_write(),
        }
    }

    /// Shows rustls the first `shown` bytes of what is gathered, drops those that it lets go of, and does `act` if it may be done now.
    fn show(&mut self, shown: usize, act: Act<'_>) -> Seen {
        let gather = &mut self.gather[..shown];
        let (discard, seen) = match &mut self.connection {
            Connection::Server(server) => {
                let UnbufferedStatus { discard, state } = server.process_tls_records(gather);
                (discard, see(state, act, &mut self.words))
            }
            Connection::Client(client) => {
                let UnbufferedStatus { discard, state } = client.process_tls_records(gather);
                (discard, see(state, act, &mut self.words))
            }
        };
        self.gather.drain(..discard);
        seen
    }
}

/// What is to be done, once rustls is ready for it.
enum Act<'a> {
    /// Put plaintext here.
    Open(&'a mut [u8]),
    /// Seal the former into the latter.
    Seal(&'a [u8], &'a mut [u8]),
    /// Say goodbye here.
    Close(&'a mut [u8]),
}

/// What rustls said to what it was shown.
enum Seen {
    /// So many bytes of plaintext.
    Plain(usize),
    /// There is more to come.
    More,
    /// Nothing more.
    Idle,
    /// The other side said goodbye.
    Closed,
    /// So many bytes were written.
    Wrote(usize),
    /// The key has protected as much as it may.
    Spent,
    /// The other side's fault.
    Fault(Error),
    /// What cannot be.
    Never,
}

fn see<Data>(state: Result<ConnectionState<'_, '_, Data>, Error>, act: Act<'_>, words: &mut Vec<u8>) -> Seen {
    match (state, act) {
        (Ok(ConnectionState::ReadTraffic(mut traffic)), Act::Open(room)) => {
            let mut len = 0;
            while let Some(Ok(record)) = traffic.next_record() {
                let Some(place) = room.get_mut(len..len + record.payload.len()) else { return Seen::Never };
                place.copy_from_slice(record.payload);
                len += record.payload.len();
            }
            Seen::Plain(len)
        }
        (Ok(ConnectionState::WriteTraffic(_)), Act::Open(_)) => Seen::Idle,
        (Ok(ConnectionState::WriteTraffic(mut traffic)), Act::Seal(plain, out)) => wrote(traffic.encrypt(plain, out)),
        (Ok(ConnectionState::WriteTraffic(mut traffic)), Act::Close(out)) => wrote(traffic.queue_close_notify(out)),
        (Ok(ConnectionState::EncodeTlsData(chunk)), _) => {
            if encode_behind(chunk, words) {
                Seen::More
            } else {
                Seen::Never
            }
        }
        (Ok(ConnectionState::TransmitTlsData(sent)), _) => {
            // The words are sent before anything else.
            sent.done();
            Seen::More
        }
        (Ok(ConnectionState::PeerClosed | ConnectionState::Closed), _) => Seen::Closed,
        // No handshake is under way, no early data is allowed, and whoever seals has read what there was.
        (Ok(_), _) => Seen::Never,
        (Err(error), _) => Seen::Fault(error),
    }
}

fn wrote(done: Result<usize, EncryptError>) -> Seen {
    match done {
        Ok(n) => Seen::Wrote(n),
        Err(EncryptError::EncryptExhausted) => Seen::Spent,
        // Room was made sure of.
        Err(EncryptError::InsufficientSize(_)) => Seen::Never,
    }
}

/// What the other side did wrong; the alert is rustls's own.
#[expect(clippy::wildcard_enum_match_arm, reason = "rustls's errors are open-ended, and most belong to handshakes")]
fn fault(error: &Error) -> RecordFault {
    match error {
        Error::DecryptError => RecordFault::BadMac,
        Error::PeerSentOversizedRecord | Error::InvalidMessage(InvalidMessage::MessageTooLarge) => RecordFault::Overflow,
        Error::InvalidMessage(InvalidMessage::InvalidKeyUpdate) => RecordFault::IllegalParameter,
        Error::InvalidMessage(_) => RecordFault::Decode,
        Error::AlertReceived(alert) => RecordFault::Alerted((*alert).into()),
        Error::PeerMisbehaved(PeerMisbehaved::TooManyEmptyFragments) => RecordFault::TooManyEmpty,
        Error::PeerMisbehaved(PeerMisbehaved::TooManyKeyUpdateRequests) => RecordFault::TooManyKeyUpdates,
        Error::PeerMisbehaved(PeerMisbehaved::TooManyWarningAlertsReceived) => RecordFault::TooManyWarnings,
        Error::PeerMisbehaved(PeerMisbehaved::TooManyRenegotiationRequests) => RecordFault::Renegotiation,
        // What else it finds is a record, or a message, that has no place.
        _ => RecordFault::Unexpected,
    }
}
