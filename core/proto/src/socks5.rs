//! SOCKS5 (RFC 1928) as ICA clients speak it: the "domain name" of the CONNECT request is a ticket.
//!
//! ```text
//!  greeting  05 n m1..mn              answer  05 00 | 05 FF
//!  request   05 01 00 03 L ticket port        reply   05 rep 00 01 00000000 0000  L+7 bytes | 10 bytes
//!
//!                ┌─ a  05 01 00 … pause ──► Ambiguous ─ pause_passed ─► Greeting ─► (answer) ─► Request
//!  Opening::read ┼─ b  05 01 00 05 …     ──────────────────────────► Greeting ─► (answer) ─► Request
//!                └─ c  05 01 00 03 L …   ─────────────────────────────────────────────────► Request
//! ```
//!
//! It is not publicly known which of the three forms each generation of clients uses, so all are taken. They part at the
//! fourth byte: an address type means that `05 01 00` was the head of a request, `05` that it was a greeting. If nothing
//! follows for [`GREETING_PAUSE`], it was a greeting, since nobody would pause inside a request head. Only `05 01 00` can be
//! read both ways; every other greeting is complete after 2+n bytes.
//!
//! No byte behind the request is consumed: it belongs to the host. An IP address is read to its end and refused; a gateway
//! that connected to addresses which clients name would be an open proxy.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use thiserror::Error;

use crate::error::Malformed;
use crate::reader::{Need, Reader, Stop};
use crate::ticket::{NotATicket, Ticket};

/// How long to wait behind `05 01 00` for a byte that tells a request from a greeting.
pub const GREETING_PAUSE: Duration = Duration::from_millis(50);
/// Longest greeting: two bytes and 255 methods.
pub const GREETING_BYTES_MAX: usize = 2 + 255;
/// Longest request: five bytes, a name of 255 and a port.
pub const REQUEST_BYTES_MAX: usize = 5 + 255 + 2;
/// The port that clients name with a ticket. It is ignored.
pub const ICA_PORT: u16 = 1494;

const VERSION: u8 = 5;

/// Reads an opening: the greeting, if there is one, and the request. What it consumed must be gone from the bytes that it is
/// shown next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opening {
    greeted: bool,
}

/// What an opening says so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'b> {
    /// More bytes are needed.
    Need(Need),
    /// Exactly `05 01 00` is there: a greeting, or the head of a request. Wait for [`GREETING_PAUSE`] or another byte,
    /// whichever comes first; then call [`Opening::pause_passed`] or [`Opening::read`].
    Ambiguous,
    /// A greeting. Drop the consumed bytes and send the answer; then close, or read on.
    Greeting {
        /// Bytes that the greeting had.
        consumed: usize,
        /// What to send.
        answer: Answer,
    },
    /// The request. The opening is over: what follows belongs to the host.
    Request {
        /// Bytes that the request had.
        consumed: usize,
        /// What is asked for.
        request: Request<'b>,
    },
}

impl Opening {
    /// An opening of which nothing has been read.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a greeting was read and answered. `false` at the end means a bare request.
    #[must_use]
    pub fn greeted(self) -> bool {
        self.greeted
    }

    /// Reads `bytes`, those not yet consumed.
    ///
    /// # Errors
    /// [`Malformed`], naming the clause that is broken.
    pub fn read<'b>(&mut self, bytes: &'b [u8]) -> Result<Step<'b>, Malformed> {
        self.read_as(bytes, Step::Ambiguous)
    }

    /// Reads `bytes` when [`GREETING_PAUSE`] has passed after [`Step::Ambiguous`]: `05 01 00` is a greeting now.
    ///
    /// # Errors
    /// As [`Opening::read`].
    pub fn pause_passed<'b>(&mut self, bytes: &'b [u8]) -> Result<Step<'b>, Malformed> {
        self.read_as(bytes, Step::Greeting { consumed: 3, answer: Answer::NoneNeeded })
    }

    fn read_as<'b>(&mut self, bytes: &'b [u8], ambiguous: Step<'b>) -> Result<Step<'b>, Malformed> {
        if let Some(&version) = bytes.first()
            && version != VERSION
        {
            return Err(Malformed::SocksVersion(version));
        }
        let step = match bytes {
            _ if self.greeted => request(bytes),
            [VERSION, 1, 0] => Ok(ambiguous),
            [VERSION, 1, 0, VERSION, ..] => greeting(bytes),
            [VERSION, 1, 0, kind::V4 | kind::NAME | kind::V6, ..] => request(bytes),
            [VERSION, 1, 0, other, ..] => return Err(Malformed::SocksOpening(*other)),
            _ => greeting(bytes),
        };
        let step = match step {
            Ok(step) => step,
            Err(Stop::Need(need)) => Step::Need(need),
            Err(Stop::Malformed(why)) => return Err(why),
        };
        self.greeted |= matches!(step, Step::Greeting { .. });
        Ok(step)
    }
}

fn greeting(bytes: &[u8]) -> Result<Step<'_>, Stop> {
    let mut reader = Reader::new(bytes);
    reader.u8()?;
    let count = reader.u8()?;
    let methods = reader.take(usize::from(count))?;
    let answer = if methods.contains(&Answer::NoneNeeded.code()) { Answer::NoneNeeded } else { Answer::NoneAcceptable };
    Ok(Step::Greeting { consumed: reader.at(), answer })
}

fn request(bytes: &[u8]) -> Result<Step<'_>, Stop> {
    let mut reader = Reader::new(bytes);
    let version = reader.u8()?;
    if version != VERSION {
        return Err(Malformed::SocksVersion(version).into());
    }
    let command = Command::from_code(reader.u8()?);
    let reserved = reader.u8()?;
    if reserved != 0 {
        return Err(Malformed::SocksReserved(reserved).into());
    }
    let (address, port) = match reader.u8()? {
        kind::V4 => (Address::V4(reader.array::<4>()?.into()), reader.u16()?),
        kind::V6 => (Address::V6(reader.array::<16>()?.into()), reader.u16()?),
        kind::NAME => {
            let len = reader.u8()?;
            // Asked for together, so that the need told is that of the whole rest.
            let rest = reader.take(usize::from(len) + 2)?;
            let (name, port) = rest.split_at(usize::from(len));
            (Address::Name(name), Reader::new(port).u16()?)
        }
        // Nobody knows how long it is, so the request ends here; it is refused anyway.
        other => (Address::Other(other), 0),
    };
    Ok(Step::Request { consumed: reader.at(), request: Request { command, address, port } })
}

/// Codes of address types (RFC 1928 §5).
mod kind {
    pub(super) const V4: u8 = 1;
    pub(super) const NAME: u8 = 3;
    pub(super) const V6: u8 = 4;
}

/// The answer to a greeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// `05 00`: no authentication. The ticket will do that.
    NoneNeeded,
    /// `05 FF`: the client did not offer "no authentication". Close behind it.
    NoneAcceptable,
}

impl Answer {
    /// The bytes to send.
    #[must_use]
    pub fn bytes(self) -> [u8; 2] {
        [VERSION, self.code()]
    }

    /// Reads an answer, for a client.
    ///
    /// # Errors
    /// [`Stop`]: not yet complete, or none that this gateway sends.
    pub fn read(bytes: &[u8]) -> Result<Self, Stop> {
        let answer = Reader::new(bytes).array()?;
        let known = [Self::NoneNeeded, Self::NoneAcceptable];
        known.into_iter().find(|known| known.bytes() == answer).ok_or(Stop::Malformed(Malformed::SocksAnswer))
    }

    const fn code(self) -> u8 {
        match self {
            Self::NoneNeeded => 0x00,
            Self::NoneAcceptable => 0xff,
        }
    }
}

/// What a client asks for. Its form is checked, its sense not yet: see [`Request::ticket`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'b> {
    /// What shall be done.
    pub command: Command,
    /// Where to.
    pub address: Address<'b>,
    /// The port, 1494 as a rule. Ignored.
    pub port: u16,
}

/// A command (RFC 1928 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// `01`: the only one served.
    Connect,
    /// `02`.
    Bind,
    /// `03`.
    UdpAssociate,
    /// Any other; never one of the codes above.
    Other(u8),
}

impl Command {
    fn from_code(code: u8) -> Self {
        match code {
            1 => Self::Connect,
            2 => Self::Bind,
            3 => Self::UdpAssociate,
            other => Self::Other(other),
        }
    }

    fn code(self) -> u8 {
        match self {
            Self::Connect => 1,
            Self::Bind => 2,
            Self::UdpAssociate => 3,
            Self::Other(code) => code,
        }
    }
}

/// An address as named by a client (RFC 1928 §5). Prints a name's length only, since it should be a ticket.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Address<'b> {
    /// Type `01`: refused.
    V4(Ipv4Addr),
    /// Type `03`, 0 to 255 bytes: hopefully a ticket.
    Name(&'b [u8]),
    /// Type `04`: refused.
    V6(Ipv6Addr),
    /// A type that does not exist; its value is unread. Refused.
    Other(u8),
}

impl fmt::Debug for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(address) => write!(f, "V4({address})"),
            Self::Name(name) => write!(f, "Name({} bytes)", name.len()),
            Self::V6(address) => write!(f, "V6({address})"),
            Self::Other(kind) => write!(f, "Other({kind:#04x})"),
        }
    }
}

/// Why a request that is complete cannot be served. The client's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unserved {
    /// It asks for another command than CONNECT.
    #[error("SOCKS5 request for {0:?}, only Connect is served")]
    Command(Command),
    /// It names an address instead of a ticket.
    #[error("SOCKS5 request names an address instead of a ticket")]
    Address,
    /// What it names is not a ticket.
    #[error("SOCKS5 request names something that is not a ticket")]
    NotATicket(#[source] NotATicket),
}

impl Unserved {
    /// What the client is told.
    #[must_use]
    pub fn reply(self) -> Reply {
        match self {
            Self::Command(_) => Reply::CommandNotSupported,
            Self::Address => Reply::AddressNotSupported,
            Self::NotATicket(_) => Reply::Refused,
        }
    }
}

impl<'b> Request<'b> {
    /// The request that a client makes with `ticket`.
    #[must_use]
    pub fn connect(ticket: &'b Ticket) -> Self {
        Self { command: Command::Connect, address: Address::Name(ticket.expose().as_bytes()), port: ICA_PORT }
    }

    /// The ticket in a request that can be served.
    ///
    /// # Errors
    /// [`Unserved`], which knows its reply. The command is judged first, then the kind of address.
    pub fn ticket(&self) -> Result<Ticket, Unserved> {
        match (self.command, self.address) {
            (Command::Connect, Address::Name(name)) => Ticket::parse(name).map_err(Unserved::NotATicket),
            (Command::Connect, Address::V4(_) | Address::V6(_) | Address::Other(_)) => Err(Unserved::Address),
            (command @ (Command::Bind | Command::UdpAssociate | Command::Other(_)), _) => Err(Unserved::Command(command)),
        }
    }

    /// Writes the request behind `out`, for a client. None if the name has more than 255 bytes, or the type is one that has
    /// no known form.
    #[must_use]
    pub fn write(&self, out: &mut Vec<u8>) -> Option<()> {
        let head = [VERSION, self.command.code(), 0];
        match self.address {
            Address::V4(address) => out.extend([&head[..], &[kind::V4], &address.octets()].concat()),
            Address::V6(address) => out.extend([&head[..], &[kind::V6], &address.octets()].concat()),
            Address::Name(name) => {
                let len = u8::try_from(name.len()).ok()?;
                out.extend([&head[..], &[kind::NAME, len], name].concat());
            }
            Address::Other(_) => return None,
        }
        out.extend(self.port.to_be_bytes());
        Some(())
    }
}

/// The answer to a request (RFC 1928 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Reply {
    /// The host is connected, and not earlier.
    Connected = 0x00,
    /// The ticket authority is out of order, or something within the gateway is.
    Failure = 0x01,
    /// Ticket, authority or policy say no, or the name was not a ticket. Clients show "the proxy denied access".
    Refused = 0x02,
    /// The host's network cannot be reached.
    NetUnreachable = 0x03,
    /// The host cannot be reached, or did not answer in time.
    HostUnreachable = 0x04,
    /// The host refused the connection.
    HostRefused = 0x05,
    /// Another command than CONNECT.
    CommandNotSupported = 0x07,
    /// An address where a ticket should be.
    AddressNotSupported = 0x08,
}

/// Length of every reply, in bytes.
pub const REPLY_BYTES: usize = 10;

impl Reply {
    /// All of them, in order of code.
    pub const ALL: [Self; 8] = [
        Self::Connected,
        Self::Failure,
        Self::Refused,
        Self::NetUnreachable,
        Self::HostUnreachable,
        Self::HostRefused,
        Self::CommandNotSupported,
        Self::AddressNotSupported,
    ];

    /// The code on the wire.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The bytes to send: the bound address is always `0.0.0.0:0`, since the host's stays hidden.
    #[must_use]
    pub const fn bytes(self) -> [u8; REPLY_BYTES] {
        [VERSION, self.code(), 0, kind::V4, 0, 0, 0, 0, 0, 0]
    }

    /// Reads a reply, for a client. It has [`REPLY_BYTES`] bytes; those behind are the host's.
    ///
    /// # Errors
    /// [`Stop`]: not yet complete, or none that this gateway sends.
    pub fn read(bytes: &[u8]) -> Result<Self, Stop> {
        let reply = Reader::new(bytes).array()?;
        Self::ALL.into_iter().find(|known| known.bytes() == reply).ok_or(Stop::Malformed(Malformed::SocksAnswer))
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const TICKET: &str = ";40;STA02005E10A1B2;0F1E2D3C4B5A69788796A5B4C3D2E1F0";

    /// The request of the worked example in docs/wire/client-opening.md, byte by byte.
    const LAUNCH: &[u8] = b"\x05\x01\x00\x03\x34\
        \x3b\x34\x30\x3b\x53\x54\x41\x30\x32\x30\x30\
        \x35\x45\x31\x30\x41\x31\x42\x32\x3b\x30\x46\x31\x45\x32\x44\x33\
        \x43\x34\x42\x35\x41\x36\x39\x37\x38\x38\x37\x39\x36\x41\x35\x42\
        \x34\x43\x33\x44\x32\x45\x31\x46\x30\x05\xd6";

    fn only_request(opening: &mut Opening, bytes: &[u8]) -> (usize, Ticket) {
        match opening.read(bytes).unwrap() {
            Step::Request { consumed, request } => (consumed, request.ticket().unwrap()),
            other @ (Step::Need(_) | Step::Ambiguous | Step::Greeting { .. }) => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_launch_byte_by_byte() {
        let mut opening = Opening::new();
        assert_eq!(opening.read(b""), Ok(Step::Need(Need(1))));
        assert_eq!(opening.read(b"\x05"), Ok(Step::Need(Need(1))));
        assert_eq!(opening.read(b"\x05\x01"), Ok(Step::Need(Need(1))));
        assert_eq!(opening.read(b"\x05\x01\x00"), Ok(Step::Ambiguous));
        assert_eq!(opening.pause_passed(b"\x05\x01\x00"), Ok(Step::Greeting { consumed: 3, answer: Answer::NoneNeeded }));
        assert_eq!(Answer::NoneNeeded.bytes(), *b"\x05\x00");
        for n in 0..LAUNCH.len() {
            assert!(matches!(opening.read(&LAUNCH[..n]), Ok(Step::Need(Need(more))) if more <= LAUNCH.len() - n), "{n}");
        }
        let (consumed, ticket) = only_request(&mut opening, LAUNCH);
        assert_eq!((consumed, ticket.expose()), (LAUNCH.len(), TICKET));
        assert!(opening.greeted());
        assert_eq!(Reply::Connected.bytes(), *b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00");
    }

    #[test]
    fn a_pipelined_opening_is_told_by_its_fourth_byte() {
        let bytes = [b"\x05\x01\x00", LAUNCH, b"for the host"].concat();
        let mut opening = Opening::new();
        assert_eq!(opening.read(&bytes), Ok(Step::Greeting { consumed: 3, answer: Answer::NoneNeeded }));
        assert_eq!(only_request(&mut opening, &bytes[3..]).0, LAUNCH.len());
    }

    #[test]
    fn a_bare_request_is_told_by_its_fourth_byte() {
        let bytes = [LAUNCH, b"for the host"].concat();
        let mut opening = Opening::new();
        assert_eq!(only_request(&mut opening, &bytes).0, LAUNCH.len());
        assert!(!opening.greeted());
        // A pause that ends when the fourth byte is there already changes nothing.
        assert!(matches!(Opening::new().pause_passed(&bytes), Ok(Step::Request { .. })));
    }

    #[test]
    fn greetings_of_every_length_are_complete_after_their_methods() {
        for (greeting, answer) in [
            (&b"\x05\x00"[..], Answer::NoneAcceptable),
            (b"\x05\x01\x02", Answer::NoneAcceptable),
            (b"\x05\x02\x00\x03", Answer::NoneNeeded),
            (b"\x05\x03\x02\x01\x00", Answer::NoneNeeded),
        ] {
            for n in 1..greeting.len() {
                assert!(matches!(Opening::new().read(&greeting[..n]), Ok(Step::Need(_))), "{greeting:?} at {n}");
            }
            let wanted = Step::Greeting { consumed: greeting.len(), answer };
            assert_eq!(Opening::new().read(greeting), Ok(wanted));
            assert_eq!(Opening::new().read(&[greeting, LAUNCH].concat()), Ok(wanted));
        }
    }

    #[test]
    fn what_cannot_be_served_is_read_to_its_end_and_has_its_reply() {
        let refused = |bytes: &[u8]| match (Opening { greeted: true }).read(bytes) {
            Ok(Step::Request { consumed, request }) => {
                assert_eq!(consumed, bytes.len());
                request.ticket().unwrap_err().reply()
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(refused(b"\x05\x01\0\x01\xc0\0\x02\x14\x05\xd6"), Reply::AddressNotSupported);
        assert_eq!(refused(b"\x05\x01\0\x04AAAABBBBCCCCDDDD\x05\xd6"), Reply::AddressNotSupported);
        assert_eq!(refused(b"\x05\x01\0\x02"), Reply::AddressNotSupported);
        assert_eq!(refused(b"\x05\x02\0\x01\xc0\0\x02\x14\x05\xd6"), Reply::CommandNotSupported);
        assert_eq!(refused(b"\x05\x03\0\x01\0\0\0\0\0\0"), Reply::CommandNotSupported);
        assert_eq!(refused(b"\x05\x09\0\x03\0\0\0"), Reply::CommandNotSupported);
        assert_eq!(refused(b"\x05\x01\0\x03\0\x05\xd6"), Reply::Refused);
        assert_eq!(refused(b"\x05\x01\0\x03\x09localhost\0\x50"), Reply::Refused);
        let longest = [&b"\x05\x01\0\x03\xff"[..], &[b';'; 255], b"\x05\xd6"].concat();
        assert_eq!(longest.len(), REQUEST_BYTES_MAX);
        assert_eq!(refused(&longest), Reply::Refused);
        let named = |code| Command::from_code(code);
        assert_eq!([1, 2, 3, 4].map(named), [Command::Connect, Command::Bind, Command::UdpAssociate, Command::Other(4)]);
        // An address needs no greeting to be refused.
        assert!(matches!(Opening::new().read(b"\x05\x01\0\x01\x7f\0\0\x01\0\x16"), Ok(Step::Request { consumed: 10, .. })));
    }

    #[test]
    fn each_broken_clause_has_its_name() {
        let greeted = |bytes| (Opening { greeted: true }).read(bytes);
        assert_eq!(Opening::new().read(b"\x04"), Err(Malformed::SocksVersion(4)));
        assert_eq!(Opening::new().read(b"\x05\x01\0\x02"), Err(Malformed::SocksOpening(2)));
        assert_eq!(greeted(b"GET"), Err(Malformed::SocksVersion(b'G')));
        assert_eq!(greeted(b"\x05\x01\x01"), Err(Malformed::SocksReserved(1)));
        assert_eq!(Answer::read(b"\x05\x02"), Err(Stop::Malformed(Malformed::SocksAnswer)));
        assert_eq!(Answer::read(b"\x05"), Err(Stop::Need(Need(1))));
        assert_eq!(Reply::read(b"\x05\x06\0\x01\0\0\0\0\0\0"), Err(Stop::Malformed(Malformed::SocksAnswer)));
        assert_eq!(Reply::read(b"\x05\0\0\x01\0\0\0\0\0"), Err(Stop::Need(Need(1))));
    }

    #[test]
    fn answers_and_replies_read_back() {
        for answer in [Answer::NoneNeeded, Answer::NoneAcceptable] {
            assert_eq!(Answer::read(&answer.bytes()), Ok(answer));
        }
        for (reply, code) in Reply::ALL.into_iter().zip([0, 1, 2, 3, 4, 5, 7, 8]) {
            assert_eq!(reply.code(), code);
            assert_eq!(Reply::read(&reply.bytes()), Ok(reply));
        }
    }

    #[test]
    fn a_ticket_is_never_printed() {
        let step = Opening { greeted: true }.read(LAUNCH).unwrap();
        let text = format!("{step:?}");
        assert!(text.contains("Name(52 bytes)") && !text.contains("STA"), "{text}");
    }

    #[derive(Clone, Debug)]
    enum Wanted {
        V4([u8; 4]),
        V6([u8; 16]),
        Name(Vec<u8>),
    }

    fn request_bytes() -> impl Strategy<Value = (u8, Wanted, u16)> {
        let address = prop_oneof![
            any::<[u8; 4]>().prop_map(Wanted::V4),
            any::<[u8; 16]>().prop_map(Wanted::V6),
            vec(any::<u8>(), 0..=255).prop_map(Wanted::Name),
            Just(Wanted::Name(TICKET.into())),
        ];
        (any::<u8>(), address, any::<u16>())
    }

    /// Everything that a sequence of reads says, and what is left for the host. Greetings are answered at once.
    fn said(mut deliver: impl FnMut(usize) -> usize, bytes: &[u8]) -> (Vec<String>, usize) {
        let (mut opening, mut said) = (Opening::new(), Vec::new());
        let (mut from, mut there) = (0, 0);
        loop {
            match opening.read(&bytes[from..there]) {
                Ok(Step::Greeting { consumed, answer }) => {
                    said.push(format!("{answer:?}"));
                    from += consumed;
                }
                Ok(Step::Request { consumed, request }) => {
                    said.push(format!("{request:?}"));
                    return (said, from + consumed);
                }
                Ok(Step::Need(_) | Step::Ambiguous) if there < bytes.len() => there = deliver(there),
                other => {
                    said.push(format!("{other:?}"));
                    return (said, from);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_request_reads_back((command, address, port) in request_bytes(), behind in vec(any::<u8>(), 0..20)) {
            let address = match &address {
                Wanted::V4(octets) => Address::V4((*octets).into()),
                Wanted::V6(octets) => Address::V6((*octets).into()),
                Wanted::Name(name) => Address::Name(name),
            };
            let request = Request { command: Command::from_code(command), address, port };
            let mut bytes = Vec::new();
            request.write(&mut bytes).unwrap();
            let consumed = bytes.len();
            bytes.extend(behind);
            prop_assert_eq!((Opening { greeted: true }).read(&bytes), Ok(Step::Request { consumed, request }));
        }

        #[test]
        fn a_split_at_every_byte_says_the_same(
            methods in proptest::option::of(vec(any::<u8>(), 0..5)),
            (command, address, port) in request_bytes(),
            noise in vec(any::<u8>(), 0..20),
        ) {
            let mut bytes = methods.map(|m| [&[5, u8::try_from(m.len()).unwrap()][..], &m].concat()).unwrap_or_default();
            let address = match &address {
                Wanted::V4(octets) => Address::V4((*octets).into()),
                Wanted::V6(octets) => Address::V6((*octets).into()),
                Wanted::Name(name) => Address::Name(name),
            };
            Request { command: Command::from_code(command), address, port }.write(&mut bytes).unwrap();
            bytes.extend(noise);
            let at_once = said(|_| bytes.len(), &bytes);
            prop_assert_eq!(&said(|there| there + 1, &bytes), &at_once);
            for n in 1..bytes.len() {
                let split = said(|there| if there < n { n } else { bytes.len() }, &bytes);
                prop_assert_eq!(&split, &at_once);
            }
        }

        #[test]
        fn nothing_panics_and_nothing_beyond_is_consumed(bytes in vec(any::<u8>(), 0..300), five in any::<bool>()) {
            let bytes = if five { [&[5][..], &bytes].concat() } else { bytes };
            let (_, consumed) = said(|there| there + 1, &bytes);
            prop_assert!(consumed <= bytes.len());
        }
    }
}
