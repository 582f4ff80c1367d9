//! Looks at every byte that a directory sends before anything else does, and lets whole, well-formed messages through.
//!
//! ```text
//!   bytes, as they come ─► push ─► buffer, one message and a read long ─► take ─► Message { id, op, bytes }
//!                           │                                              │
//!                           └ length of the message over its cap           └ nesting, lengths, envelope; too many of them
//! ```
//!
//! A message's length is judged as soon as its first bytes are there, so nothing is waited for, or kept, that would be
//! refused. After a fault there is nothing to be read any more: nobody can tell where the next message begins.

use thiserror::Error;

use super::ber::{Elements, Header, INTEGER, SEQUENCE, number};

/// Longest message, in bytes, its header included.
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024;
/// Deepest nesting: an element within an element within …. A search's entry has five.
pub const DEPTH_MAX: usize = 32;
/// Most elements in an envelope: number, operation, controls.
const ENVELOPE_MAX: usize = 3;
/// Bits of a tag that tell class and form of an operation: application, constructed.
const OPERATION: u8 = 0x60;
/// Class and number bits for controls.
const CONTROLS: u8 = 0xa0;
/// Where Active Directory puts the name of a notice of disconnection: outside of the operation.
const STRAY_NAME: u8 = 0x8a;

/// How much one conversation may bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Messages.
    pub messages: usize,
    /// Bytes of all messages.
    pub bytes: usize,
}

/// Why a directory is not listened to any longer. The directory's fault, or of who speaks in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Hostile {
    /// A tag of several bytes, which LDAP does not have.
    #[error("an element has a tag that LDAP does not have")]
    Tag,
    /// A length that is indefinite, or of more than four bytes.
    #[error("an element has a length that LDAP does not have")]
    Length,
    /// Longer than [`MESSAGE_BYTES_MAX`].
    #[error("a message is longer than {MESSAGE_BYTES_MAX} bytes")]
    TooLong,
    /// Nested deeper than [`DEPTH_MAX`].
    #[error("a message is nested deeper than {DEPTH_MAX} levels")]
    TooDeep,
    /// An element ends behind the end of the one that holds it.
    #[error("an element is longer than the one that holds it")]
    Overrun,
    /// Not a sequence of a number, an operation and perhaps controls.
    #[error("a message is not a sequence of a number and an operation")]
    Envelope,
    /// More than [`Caps::messages`].
    #[error("more messages than any answer has")]
    TooMany,
    /// More than [`Caps::bytes`].
    #[error("more bytes than any answer has")]
    TooMuch,
}

/// What a message is (RFC 4511 §4). Those that a directory does not send are not told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `BindResponse`
    Bound,
    /// `SearchResultEntry`
    Entry,
    /// `SearchResultReference`
    Reference,
    /// `SearchResultDone`
    Done,
    /// `ModifyResponse`
    Modified,
    /// `ExtendedResponse`
    Extended,
    /// Anything else, by its number.
    Other(u8),
}

impl Op {
    const fn from_tag(tag: u8) -> Self {
        match tag & 0x1f {
            1 => Self::Bound,
            4 => Self::Entry,
            5 => Self::Done,
            7 => Self::Modified,
            19 => Self::Reference,
            24 => Self::Extended,
            other => Self::Other(other),
        }
    }
}

/// A message that is whole and well-formed. Whether its operation holds what it should is not known yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Of the request that it answers; 0 for what nobody asked.
    pub id: u32,
    /// What it is.
    pub op: Op,
    bytes: Vec<u8>,
    /// Bytes before the contents of the operation, and of them.
    at: (usize, usize),
}

impl Message {
    /// The message as it came.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Contents of the operation.
    #[must_use]
    pub fn contents(&self) -> &[u8] {
        &self.bytes[self.at.0..self.at.0 + self.at.1]
    }

    /// What stands behind the operation: controls.
    #[must_use]
    pub fn behind(&self) -> &[u8] {
        &self.bytes[self.at.0 + self.at.1..]
    }
}

/// Cuts a stream into messages. Holds at most one message and what was pushed behind it.
#[derive(Debug)]
pub struct Guard {
    buffer: Vec<u8>,
    left: Caps,
    fault: Option<Hostile>,
}

impl Guard {
    /// For a conversation that may bring so much.
    #[must_use]
    pub const fn new(caps: Caps) -> Self {
        Self { buffer: Vec::new(), left: caps, fault: None }
    }

    /// Whether every byte that came belonged to a message that was taken.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Takes bytes as they came.
    ///
    /// # Errors
    /// [`Hostile`], as soon as it can be known; the same for ever after.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Hostile> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        if bytes.len() > self.left.bytes {
            return self.ends(Hostile::TooMuch);
        }
        self.left.bytes -= bytes.len();
        self.buffer.extend_from_slice(bytes);
        self.whole().map(|_| ()).or_else(|fault| self.ends(fault))
    }

    /// The next message. `None`: more bytes are needed.
    ///
    /// # Errors
    /// [`Hostile`]; the same for ever after.
    pub fn take(&mut self) -> Result<Option<Message>, Hostile> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        match self.cut_off() {
            Ok(message) => Ok(message),
            Err(fault) => self.ends(fault),
        }
    }

    fn cut_off(&mut self) -> Result<Option<Message>, Hostile> {
        let Some(length) = self.whole()?.filter(|&length| length <= self.buffer.len()) else { return Ok(None) };
        self.left.messages = self.left.messages.checked_sub(1).ok_or(Hostile::TooMany)?;
        let rest = self.buffer.split_off(length);
        let bytes = std::mem::replace(&mut self.buffer, rest);
        nested(&bytes)?;
        envelope(bytes).map(Some)
    }

    /// How long the message at the front of the buffer is, if that can be told.
    fn whole(&self) -> Result<Option<usize>, Hostile> {
        if self.buffer.first().is_some_and(|&tag| tag != SEQUENCE) {
            return Err(Hostile::Envelope);
        }
        let Some(header) = Header::read(&self.buffer)? else { return Ok(None) };
        let length = header.bytes + header.length;
        if length > MESSAGE_BYTES_MAX { Err(Hostile::TooLong) } else { Ok(Some(length)) }
    }

    fn ends<T>(&mut self, fault: Hostile) -> Result<T, Hostile> {
        self.fault = Some(fault);
        self.buffer = Vec::new();
        Err(fault)
    }
}

/// Every element lies within the one that holds it, and none too deep. Without recursion: what is checked here is the depth.
fn nested(bytes: &[u8]) -> Result<(), Hostile> {
    let mut ends = [0; DEPTH_MAX];
    let (mut depth, mut at) = (0usize, 0);
    let mut end = bytes.len();
    loop {
        while at == end {
            let Some(above) = depth.checked_sub(1) else { return Ok(()) };
            depth = above;
            end = ends[depth];
        }
        let header = Header::read(&bytes[at..end])?.ok_or(Hostile::Overrun)?;
        at += header.bytes;
        if header.length > end - at {
            return Err(Hostile::Overrun);
        }
        if !header.is_constructed() {
            at += header.length;
            continue;
        }
        *ends.get_mut(depth).ok_or(Hostile::TooDeep)? = end;
        depth += 1;
        end = at + header.length;
    }
}

fn envelope(bytes: Vec<u8>) -> Result<Message, Hostile> {
    let mut outer = Elements(&bytes);
    let mut inner = Elements(outer.take(SEQUENCE).ok_or(Hostile::Envelope)?);
    let id = inner.take(INTEGER).and_then(number).ok_or(Hostile::Envelope)?;
    let (tag, contents) = inner.next().ok_or(Hostile::Envelope)?;
    if tag & 0xe0 != OPERATION {
        return Err(Hostile::Envelope);
    }
    let behind = inner.0.len();
    let is_fine = match inner.next() {
        None => true,
        Some((CONTROLS | STRAY_NAME, _)) => inner.0.is_empty(),
        Some(_) => false,
    };
    if !is_fine {
        return Err(Hostile::Envelope);
    }
    let at = (bytes.len() - behind - contents.len(), contents.len());
    Ok(Message { id, op: Op::from_tag(tag), bytes, at })
}

const _: () = assert!(ENVELOPE_MAX == 3 && DEPTH_MAX > ENVELOPE_MAX);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CAPS: Caps = Caps { messages: 100, bytes: 1 << 20 };

    fn all(pieces: &[&[u8]]) -> (Vec<Message>, Option<Hostile>, bool) {
        let (mut guard, mut found) = (Guard::new(CAPS), Vec::new());
        for piece in pieces {
            if let Err(fault) = guard.push(piece) {
                return (found, Some(fault), guard.is_empty());
            }
            loop {
                match guard.take() {
                    Ok(Some(message)) => found.push(message),
                    Ok(None) => break,
                    Err(fault) => return (found, Some(fault), guard.is_empty()),
                }
            }
        }
        let rest = guard.is_empty();
        (found, None, rest)
    }

    fn fault(bytes: &[u8]) -> Option<Hostile> {
        all(&[bytes]).1
    }

    /// `SEQUENCE { 5, BindResponse { 0, "", "" } }`
    const BOUND: &[u8] = b"\x30\x0c\x02\x01\x05\x61\x07\x0a\x01\x00\x04\x00\x04\x00";

    #[test]
    fn a_message_passes_with_its_number_and_operation() {
        let (found, fault, is_empty) = all(&[BOUND]);
        assert_eq!((fault, is_empty), (None, true));
        let [message] = &found[..] else { panic!("{found:?}") };
        assert_eq!((message.id, message.op, message.bytes()), (5, Op::Bound, BOUND));
        assert_eq!((message.contents(), message.behind()), (&BOUND[7..], &b""[..]));
    }

    #[test]
    fn lengths_may_be_longer_than_needed_as_active_directory_writes_them() {
        let long = b"\x30\x84\x00\x00\x00\x10\x02\x01\x05\x61\x84\x00\x00\x00\x07\x0a\x01\x00\x04\x00\x04\x00";
        let (found, fault, _) = all(&[long]);
        assert_eq!((fault, found[0].op, found[0].contents()), (None, Op::Bound, &BOUND[7..]));
    }

    #[test]
    fn controls_stand_behind_the_operation() {
        let with = b"\x30\x0e\x02\x01\x05\x61\x07\x0a\x01\x00\x04\x00\x04\x00\xa0\x00";
        assert_eq!(all(&[with]).0[0].behind(), b"\xa0\x00");
        let strange = b"\x30\x0e\x02\x01\x05\x61\x07\x0a\x01\x00\x04\x00\x04\x00\xa1\x00";
        assert_eq!(fault(strange), Some(Hostile::Envelope));
        let more = b"\x30\x10\x02\x01\x05\x61\x07\x0a\x01\x00\x04\x00\x04\x00\xa0\x00\xa0\x00";
        assert_eq!(fault(more), Some(Hostile::Envelope));
    }

    #[test]
    fn each_clause_when_broken_has_its_fault() {
        for (bytes, wanted) in [
            (&b"\x04\x00"[..], Hostile::Envelope),
            (b"\x30\x00", Hostile::Envelope),
            (b"\x30\x03\x02\x01\x05", Hostile::Envelope),
            (b"\x30\x05\x02\x01\xff\x61\x00", Hostile::Envelope),
            (b"\x30\x04\x02\x00\x61\x00", Hostile::Envelope),
            (b"\x30\x09\x02\x05\x00\x00\x00\x00\x01\x61\x00", Hostile::Envelope),
            (b"\x30\x05\x02\x01\x05\x04\x00", Hostile::Envelope),
            (b"\x30\x05\x02\x01\x05\x41\x00", Hostile::Envelope),
            (b"\x30\x80\x02\x01", Hostile::Length),
            (b"\x30\x85\x00\x00\x00\x00\x01", Hostile::Length),
            (b"\x30\x84\x80\x00\x00\x00", Hostile::TooLong),
            (b"\x30\x83\x04\x00\x00", Hostile::TooLong),
            (b"\x30\x06\x02\x01\x05\x61\x02\x00", Hostile::Overrun),
            (b"\x30\x07\x02\x01\x05\x61\x02\x04\x01", Hostile::Overrun),
            (b"\x30\x08\x02\x01\x05\x61\x03\x3f\x81\x01", Hostile::Tag),
            (b"HTTP/1.1 400", Hostile::Envelope),
            (b"\x16\x03\x01\x02\x00\x01", Hostile::Envelope),
        ] {
            assert_eq!(fault(bytes), Some(wanted), "{bytes:02x?}");
        }
    }

    /// A message whose operation has elements nested so deep that the innermost is on level `levels`.
    fn deep(levels: usize) -> Vec<u8> {
        let mut inner = Vec::new();
        for level in (1..=levels).rev() {
            let tag = match level {
                1 => SEQUENCE,
                2 => 0x64,
                _ => 0x30,
            };
            let mut contents = if level == 1 { vec![INTEGER, 1, 1] } else { Vec::new() };
            contents.append(&mut inner);
            inner = vec![tag, 0x82];
            inner.extend_from_slice(&u16::try_from(contents.len()).unwrap().to_be_bytes());
            inner.append(&mut contents);
        }
        inner
    }

    #[test]
    fn depth_is_bounded_exactly() {
        assert_eq!(fault(&deep(DEPTH_MAX)), None);
        assert_eq!(fault(&deep(DEPTH_MAX + 1)), Some(Hostile::TooDeep));
        assert_eq!(fault(&deep(10_000)), Some(Hostile::TooDeep));
    }

    #[test]
    fn a_message_is_bounded_exactly() {
        let message = |length: usize| {
            let mut bytes = vec![0x30, 0x83];
            bytes.extend_from_slice(&u32::try_from(length - 5).unwrap().to_be_bytes()[1..]);
            bytes.extend_from_slice(&[INTEGER, 1, 1, 0x64]);
            bytes.push(0x83);
            bytes.extend_from_slice(&u32::try_from(length - 13).unwrap().to_be_bytes()[1..]);
            bytes.resize(length, 0);
            // One octet string fills the operation.
            bytes[13] = 0x04;
            bytes[14] = 0x83;
            bytes[15..18].copy_from_slice(&u32::try_from(length - 18).unwrap().to_be_bytes()[1..]);
            bytes
        };
        assert_eq!(fault(&message(MESSAGE_BYTES_MAX)), None);
        assert_eq!(fault(&message(MESSAGE_BYTES_MAX + 1)), Some(Hostile::TooLong));
    }

    #[test]
    fn endless_messages_and_bytes_end() {
        let mut guard = Guard::new(Caps { messages: 2, bytes: 1 << 20 });
        guard.push(&BOUND.repeat(3)).unwrap();
        assert!(guard.take().unwrap().is_some() && guard.take().unwrap().is_some());
        assert_eq!(guard.take(), Err(Hostile::TooMany));
        assert_eq!((guard.push(BOUND), guard.take()), (Err(Hostile::TooMany), Err(Hostile::TooMany)));
        let mut guard = Guard::new(Caps { messages: 100, bytes: BOUND.len() });
        guard.push(BOUND).unwrap();
        assert_eq!(guard.push(b"\x30"), Err(Hostile::TooMuch));
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged_and_any_cut_says_the_same(
            bytes in proptest::collection::vec(prop_oneof![Just(0x30u8), Just(2), Just(1), Just(0x61), Just(0x64), any::<u8>()], 0..200),
            cut in any::<prop::sample::Index>(),
        ) {
            let cut = cut.index(bytes.len() + 1);
            prop_assert_eq!(all(&[&bytes[..cut], &bytes[cut..]]), all(&[&bytes]));
        }

        #[test]
        fn messages_come_out_as_they_went_in(count in 1usize..20, cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6)) {
            let bytes = BOUND.repeat(count);
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            let (found, fault, is_empty) = all(&pieces);
            prop_assert_eq!((found.len(), fault, is_empty), (count, None, true));
            prop_assert!(found.iter().all(|message| message.bytes() == BOUND));
        }
    }
}
