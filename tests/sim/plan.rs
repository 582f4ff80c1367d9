//! What one session's neighbours are going to do: everything about them is decided before it begins.

use sluice_flow::event::Fault;
use sluice_link::id::ListenerId;
use sluice_link::snapshot::RecordEngine;
use sluice_link::tell::Refusal;

use crate::chance::{Chance, Stream};

/// The virtual server that closes CGP clients, and the one that relays them.
pub(crate) const REJECTS: ListenerId = ListenerId(1);
pub(crate) const RELAYS: ListenerId = ListenerId(2);
/// Like [`REJECTS`], but its sessions have a rate each way.
pub(crate) const PACED: ListenerId = ListenerId(3);
/// Who has the records. There is each virtual server with each of them.
pub(crate) const ENGINES: [RecordEngine; 5] =
    [RecordEngine::Own, RecordEngine::Rustls, RecordEngine::KernelTx, RecordEngine::KernelRx, RecordEngine::Kernel];
/// The rate of [`PACED`].
pub(crate) const PACED_BYTES_PER_SECOND: u64 = 200_000;

/// The virtual server that is like `kind`, with the record engine `ENGINES[engine]`.
pub(crate) fn with_engine(kind: ListenerId, engine: usize) -> ListenerId {
    ListenerId(kind.0 + 10 * u32::try_from(engine).unwrap())
}

/// How the client opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// SOCKS5: greeting, wait, request.
    Negotiated,
    /// SOCKS5: greeting and request at once.
    Pipelined,
    /// SOCKS5: request only.
    Bare,
    /// CGP, with the ticket somewhere in it.
    Cgp,
    /// HTTP.
    Http,
    /// A SOCKS5 request for the host's own address.
    Address,
    /// Bytes that mean nothing.
    Noise,
    /// Not even TLS.
    Plaintext,
}

/// How a neighbour ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It says what it has to say and closes its direction; then it listens until the other side ends, too.
    First,
    /// It closes when the other side has.
    Second,
    /// It closes its socket without a word in TLS, at this step.
    Cut(usize),
    /// It resets its connection at this step.
    Reset(usize),
    /// It does nothing more from this step on.
    Silent(usize),
    /// The first that it sends behind its handshake from this step on is changed on the way. Only clients: of a host's plaintext nobody
    /// can tell.
    Forged(usize),
}

impl Ending {
    pub(crate) fn is_orderly(self) -> bool {
        matches!(self, Self::First | Self::Second)
    }
}

/// What becomes of dialling the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dial {
    Connects,
    Fails(Fault),
    Silent,
}

/// What control answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Good,
    Bad(Refusal),
    /// After the session has given up.
    Late,
    /// Not at all.
    Never,
    /// Twice, and the second time with other content.
    Twice,
}

/// One session's neighbours.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) id: usize,
    pub(crate) listener: ListenerId,
    /// What of the virtual server is not its record engine.
    pub(crate) kind: ListenerId,
    pub(crate) engine: RecordEngine,
    pub(crate) opening: Opening,
    pub(crate) tls12: bool,
    pub(crate) host_tls: bool,
    pub(crate) answer: Answer,
    pub(crate) dial: Dial,
    pub(crate) client: Ending,
    pub(crate) host: Ending,
    /// What the host is to get, from its first byte on, and what the client is to get behind the reply.
    pub(crate) up: Stream,
    pub(crate) down: Stream,
    /// Somebody ends it from outside at this step of the world.
    pub(crate) killed: Option<usize>,
    /// Somebody ends it from outside when a key has been offered and nobody knows who has it.
    pub(crate) killed_at_offer: bool,
    /// Bytes of one write: small ones make many small records.
    pub(crate) write_max: usize,
    /// What the client sends behind its `close_notify`, which means nothing.
    pub(crate) babble: &'static [u8],
    /// How often the client changes its key, at most, and asks for a change of ours.
    pub(crate) key_updates: usize,
}

impl Plan {
    /// `most` is how many bytes each side says at most, as a rule.
    pub(crate) fn new(id: usize, most: usize, chance: &mut Chance) -> Self {
        let clean = chance.percent(60);
        let opening = match chance.below(20) {
            0..6 => Opening::Negotiated,
            6..10 => Opening::Pipelined,
            10..14 => Opening::Bare,
            14..16 => Opening::Http,
            16 | 17 => Opening::Cgp,
            _ if clean => Opening::Bare,
            _ => chance.pick(&[Opening::Address, Opening::Noise, Opening::Plaintext]),
        };
        let trouble = |chance: &mut Chance, orderly| {
            let step = chance.size(60);
            match chance.below(6) {
                0 => Ending::Cut(step),
                1 => Ending::Reset(step),
                2 => Ending::Silent(step),
                _ => orderly,
            }
        };
        let engine = chance.below(ENGINES.len());
        // rustls asserts, where assertions are compiled in, that no record is wrong once it has said goodbye itself.
        let forged =
            (!clean && ENGINES[engine] != RecordEngine::Rustls && chance.percent(10)).then(|| Ending::Forged(chance.size(60)));
        let (mut client, mut host) =
            chance.pick(&[(Ending::First, Ending::Second), (Ending::Second, Ending::First), (Ending::First, Ending::First)]);
        let (mut answer, mut dial, mut killed) = (Answer::Good, Dial::Connects, None);
        if !clean {
            client = forged.unwrap_or_else(|| trouble(chance, client));
            host = trouble(chance, host);
            answer = match chance.below(12) {
                0 => Answer::Late,
                1 => Answer::Never,
                2 => Answer::Twice,
                3 => Answer::Bad(chance.pick(&[
                    Refusal::Ticket,
                    Refusal::UnknownSta,
                    Refusal::Address,
                    Refusal::Throttled,
                    Refusal::StaOutage,
                    Refusal::Unresolved,
                    Refusal::Busy,
                ])),
                _ => Answer::Good,
            };
            dial = match chance.below(10) {
                0 => Dial::Silent,
                1 => Dial::Fails(chance.pick(&[
                    Fault::Refused,
                    Fault::HostUnreachable,
                    Fault::NetUnreachable,
                    Fault::TimedOut,
                    Fault::Exhausted,
                    Fault::Other(5),
                ])),
                _ => Dial::Connects,
            };
            killed = chance.percent(5).then(|| chance.size(2_000));
        }
        let first = match opening {
            Opening::Cgp => [b"\x1aCGP/01\x02Citrix.TcpProxyService\0", ticket(id).as_bytes(), b"\0"].concat(),
            Opening::Http => b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            Opening::Negotiated | Opening::Pipelined | Opening::Bare | Opening::Address | Opening::Noise | Opening::Plaintext => {
                Vec::new()
            }
        };
        let write_max = chance.pick(&[1, 40, 1_500, 16_000, 60_000]);
        let most = match write_max {
            1 | 40 => most.min(1_000),
            _ if chance.percent(5) => most * 50,
            _ => most,
        };
        let kind = if opening == Opening::Cgp && chance.percent(80) {
            RELAYS
        } else if chance.percent(25) {
            PACED
        } else {
            REJECTS
        };
        let tls12 = chance.percent(20);
        Self {
            id,
            listener: with_engine(kind, engine),
            kind,
            engine: ENGINES[engine],
            opening,
            tls12,
            host_tls: opening != Opening::Http && chance.percent(15),
            answer,
            dial,
            client,
            host,
            up: Stream::new(chance.next(), first, chance.size(most)),
            down: Stream::new(chance.next(), Vec::new(), chance.size(most)),
            killed,
            killed_at_offer: clean && chance.percent(5),
            write_max,
            babble: if chance.percent(10) { chance.pick(&BABBLE) } else { &[] },
            key_updates: if !tls12 && chance.percent(20) { 1 + chance.below(3) } else { 0 },
        }
    }

    /// Nothing stands between this session and an orderly end with every byte delivered.
    pub(crate) fn is_clean(&self) -> bool {
        let welcome = match self.opening {
            Opening::Negotiated | Opening::Pipelined | Opening::Bare | Opening::Http => true,
            Opening::Cgp => self.kind == RELAYS,
            Opening::Address | Opening::Noise | Opening::Plaintext => false,
        };
        let answered = matches!(self.answer, Answer::Good | Answer::Twice) || self.opening == Opening::Http;
        welcome
            && answered
            && self.dial == Dial::Connects
            && self.client.is_orderly()
            && self.host.is_orderly()
            && self.killed.is_none()
    }

    /// The plan's whole request, or what stands in its place.
    pub(crate) fn request(&self) -> Vec<u8> {
        let ticket = ticket(self.id);
        let bare = [&[5, 1, 0, 3, u8::try_from(ticket.len()).unwrap()], ticket.as_bytes(), &[5, 0xd6]].concat();
        match self.opening {
            Opening::Negotiated | Opening::Bare => bare,
            Opening::Pipelined => [&[5, 1, 0][..], &bare].concat(),
            Opening::Cgp | Opening::Http => Vec::new(),
            Opening::Address => vec![5, 1, 0, 1, 10, 0, 0, 1, 5, 0xd6],
            Opening::Noise => vec![0x42 | 0x80, 1, 2, 3],
            Opening::Plaintext => b"GET / HTTP/1.0\r\n\r\n".to_vec(),
        }
    }
}

/// No record, one that is too long, and one that does not open.
const BABBLE: [&[u8]; 3] =
    [&[0x17; 300], b"\x17\x03\x03\xff\xff and so on", b"\x17\x03\x03\x00\x20 nobody has sealed this, it is text"];

/// The ticket of session `id`: control finds the plan by it.
pub(crate) fn ticket(id: usize) -> String {
    format!(";40;STA01;{id:032X}")
}
