//! From the first byte to keys of our own.
//!
//! ```text
//!   incoming ──record by record──► gather ──► rustls (unbuffered) ──► out, or pending if `out` is full
//!                                                  │ traffic may be written
//!                                                  ▼
//!                                     secrets + KernelConnection ──► Records
//! ```
//!
//! rustls is shown one record after the other, so that it never sees, and never opens, one that comes after the handshake: those
//! stay in `incoming` for the record engine. What belongs to the handshake is copied into `gather`, so that a slow or hostile
//! client never holds a buffer of the pool; and nothing of rustls is made before a whole ClientHello is there.

use std::fmt;
use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncodeTlsData, UnbufferedStatus};
use rustls::{AlertDescription, CommonState, Error, ExtractedSecrets, HandshakeKind, NamedGroup, ProtocolVersion};
use sluice_link::ask::Secured;
use sluice_link::snapshot::{DEVICE_ALPN, RecordEngine};
use sluice_proto::hello::{self, HELLO_BYTES_MAX};

use super::alert::{Cause, TlsFault};
use super::clients;
use super::kept::{Connection, Kept};
use super::own::Lent;
use super::record::Records;
use super::rekey::Rekey;
use super::secret::{HEADER, KeyFault, OpeningKey, SealingKey, content};
use super::serve::{HostProfile, ServedListener, ServerConfigs};
use super::traffic::Material;
use crate::buf::Buf;

/// Most bytes that one handshake may receive.
const HANDSHAKE_MAX: usize = 64 * 1024;
/// Most bytes behind the header of a record, as in TLS 1.2.
const RECORD_BODY_MAX: usize = 16 * 1024 + 2048;
/// Handshake message.
const CLIENT_HELLO: u8 = 1;
/// Alert.
const DECODE_ERROR: u8 = 50;

/// A handshake under way, with a client or with a host. It copies what it needs out of the buffers that it is shown, so that
/// no buffer of the pool is held while it waits.
pub struct Handshake(Box<Inner>);

struct Inner {
    stage: Stage,
    /// Records that rustls has not let go of, then one that is not complete.
    gather: Vec<u8>,
    /// How much of `gather` are whole records.
    whole: usize,
    /// Bytes received so far.
    received: usize,
    /// What had no room in `out`.
    pending: Vec<u8>,
    /// rustls has said something, so that the hello was one.
    answered: bool,
    sni: Option<Box<str>>,
    /// Who opens and seals afterwards.
    engine: RecordEngine,
}

enum Stage {
    /// A client's hello is not complete; here is what there is of the message.
    Hello {
        configs: ServerConfigs,
        message: Vec<u8>,
    },
    Server(UnbufferedServerConnection),
    Client(UnbufferedClientConnection),
    /// A fault was reported.
    Failed,
}

/// What a handshake wants next. Whatever it is: if `out` has something in it, that is to be sent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// More must be received. `incoming` has been consumed entirely.
    Waiting,
    /// `out` is full and there is more to send: send it, then call again with an empty one and the same `incoming`, whether or not
    /// something was received meanwhile.
    Flush,
    /// Finished: send `out`, then [`Handshake::finish`]. What is left in `incoming` is for [`Records::open`].
    Done,
}

impl Handshake {
    /// With a client that arrived at `listener`.
    #[must_use]
    pub fn accept(listener: &ServedListener) -> Self {
        Self::new(Stage::Hello { configs: listener.configs.clone(), message: Vec::new() }, listener.engine)
    }

    /// With a host whose certificate must be valid for `name`, a DNS name or an IP address; its records are then `engine`'s. Call
    /// [`Handshake::advance`] with an empty `incoming` to get the first flight.
    ///
    /// # Errors
    /// [`TlsFault::BadName`] if `name` is neither.
    pub fn connect(profile: &HostProfile, name: &str, engine: RecordEngine) -> Result<Self, TlsFault> {
        let name = ServerName::try_from(name).map_err(|_| TlsFault::BadName)?.to_owned();
        let client = UnbufferedClientConnection::new(Arc::clone(&profile.config), name).map_err(|e| fault(e, false))?;
        Ok(Self::new(Stage::Client(client), engine))
    }

    fn new(stage: Stage, engine: RecordEngine) -> Self {
        Self(Box::new(Inner {
            stage,
            gather: Vec::new(),
            whole: 0,
            received: 0,
            pending: Vec::new(),
            answered: false,
            sni: None,
            engine,
        }))
    }

    /// Takes received bytes from `incoming` and appends what must be sent to `out`. A buffer of [`crate::buf::Class::Large`] holds
    /// any flight of ours but one with a certificate chain of many kilobytes, for which there is [`Progress::Flush`].
    ///
    /// # Errors
    /// [`TlsFault`]; `out` may hold an alert that should be sent before closing.
    pub fn advance(&mut self, incoming: &mut Buf, out: &mut Buf) -> Result<Progress, TlsFault> {
        let inner = &mut *self.0;
        inner.flush(out);
        if !inner.pending.is_empty() {
            return Ok(Progress::Flush);
        }
        inner.advance(incoming, out).inspect_err(|fault| {
            // rustls has said its own; for what it never saw, these seven bytes are the whole record.
            if matches!(fault, TlsFault::BadHello | TlsFault::HelloTooLong) {
                out.append(&[content::ALERT, 3, 3, 0, 2, 2, DECODE_ERROR]);
            }
            inner.stage = Stage::Failed;
        })
    }

    /// Takes the keys over. To be called after [`Progress::Done`] and once what was appended to `out` has been handed to the sender
    /// (which keeps the order: records sealed from now on come behind it).
    ///
    /// # Errors
    /// [`TlsFault::Never`] if called too early.
    pub fn finish(self) -> Result<Established, TlsFault> {
        let Inner { stage, sni, pending, engine, .. } = *self.0;
        if !pending.is_empty() {
            return Err(TlsFault::Never);
        }
        match stage {
            Stage::Hello { .. } | Stage::Failed => Err(TlsFault::Never),
            Stage::Server(server) => {
                let mut facts = Facts::of(&server, sni)?;
                if let Some(shown) = server.peer_certificates() {
                    // The handshake went through because this can be done.
                    facts.certificates = Some(clients::list(shown).map_err(|_| TlsFault::Never)?);
                }
                if engine == RecordEngine::Rustls {
                    return Ok(Established::kept(facts, Connection::Server(Box::new(server))));
                }
                let (secrets, kernel) = server.dangerous_into_kernel_connection().map_err(|_| TlsFault::Never)?;
                let lent = lent(engine, &secrets);
                Established::new(facts, secrets, || Rekey::Server(kernel), lent)
            }
            Stage::Client(client) => {
                let facts = Facts::of(&client, sni)?;
                if engine == RecordEngine::Rustls {
                    return Ok(Established::kept(facts, Connection::Client(Box::new(client))));
                }
                let (secrets, kernel) = client.dangerous_into_kernel_connection().map_err(|_| TlsFault::Never)?;
                Established::new(facts, secrets, || Rekey::Client { kernel, tickets: 0 }, None)
            }
        }
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake").field("received", &self.0.received).finish_non_exhaustive()
    }
}

/// What one step of rustls came to.
enum Step {
    Again,
    Blocked,
    Done,
    /// By rustls.
    Refused(Error),
    /// By us.
    Failed(TlsFault),
}

impl Inner {
    fn advance(&mut self, incoming: &mut Buf, out: &mut Buf) -> Result<Progress, TlsFault> {
        loop {
            let step = match &mut self.stage {
                Stage::Hello { .. } => Step::Blocked,
                Stage::Server(server) => {
                    let UnbufferedStatus { discard, state } = server.process_tls_records(&mut self.gather[..self.whole]);
                    let step = step(state, out, &mut self.pending);
                    self.drop_front(discard);
                    step
                }
                Stage::Client(client) => {
                    let UnbufferedStatus { discard, state } = client.process_tls_records(&mut self.gather[..self.whole]);
                    let step = step(state, out, &mut self.pending);
                    self.drop_front(discard);
                    step
                }
                Stage::Failed => return Err(TlsFault::Never),
            };
            match step {
                Step::Again => self.answered = true,
                Step::Blocked => {
                    if !self.pending.is_empty() {
                        return Ok(Progress::Flush);
                    }
                    let Some(start) = self.take_record(incoming)? else { return Ok(Progress::Waiting) };
                    self.hello(start)?;
                }
                // A message that goes on after the handshake's end.
                Step::Done if !self.gather.is_empty() => return Err(TlsFault::TooLong),
                Step::Done if !self.pending.is_empty() => return Ok(Progress::Flush),
                Step::Done => return Ok(Progress::Done),
                Step::Failed(fault) => {
                    self.last_words(out);
                    return Err(fault);
                }
                Step::Refused(error) => {
                    self.last_words(out);
                    return Err(fault(error, self.answered));
                }
            }
        }
    }

    fn flush(&mut self, out: &mut Buf) {
        let n = out.append(&self.pending);
        self.pending.drain(..n);
        if self.pending.is_empty() {
            self.pending = Vec::new();
        }
    }

    fn drop_front(&mut self, n: usize) {
        self.gather.drain(..n);
        self.whole -= n;
    }

    /// Moves bytes from `incoming` to `gather` until one more record is complete there, and says where that begins.
    fn take_record(&mut self, incoming: &mut Buf) -> Result<Option<usize>, TlsFault> {
        loop {
            let have = &self.gather[self.whole..];
            let hello = matches!(self.stage, Stage::Hello { .. });
            // A server may refuse with an alert. Anything else is somebody who does not speak TLS, and would never end a record.
            let begins = |b: &u8| *b == content::HANDSHAKE || (*b == content::ALERT && !hello);
            let first = self.received <= HEADER;
            if first && (have.first().is_some_and(|b| !begins(b)) || have.get(1).is_some_and(|b| *b != 3)) {
                return Err(TlsFault::NotTls);
            }
            let wanted = match *have {
                [_, _, _, hi, lo, ..] => HEADER + usize::from(u16::from_be_bytes([hi, lo])),
                _ => HEADER,
            };
            if wanted > HEADER + RECORD_BODY_MAX {
                return Err(if first && hello { TlsFault::HelloTooLong } else { TlsFault::TooLong });
            }
            if have.len() == wanted {
                return Ok(Some(std::mem::replace(&mut self.whole, self.gather.len())));
            }
            let n = (wanted - have.len()).min(incoming.len());
            if n == 0 {
                return Ok(None);
            }
            self.received += n;
            if self.received > HANDSHAKE_MAX {
                return Err(TlsFault::TooLong);
            }
            self.gather.extend_from_slice(&incoming.filled()[..n]);
            incoming.advance(n);
        }
    }

    /// Looks at the hello as far as it has come, the newest record of which begins at `start`; makes the server once it is there.
    fn hello(&mut self, start: usize) -> Result<(), TlsFault> {
        let Stage::Hello { configs, message } = &mut self.stage else { return Ok(()) };
        let (header, body) = self.gather[start..self.whole].split_at_checked(HEADER).ok_or(TlsFault::Never)?;
        message.extend_from_slice(body);
        if header[0] != content::HANDSHAKE || message.first().is_some_and(|typ| *typ != CLIENT_HELLO) {
            return Err(TlsFault::BadHello);
        }
        let Some([_, a, b, c]) = message.first_chunk() else { return Ok(()) };
        let len = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        if len > HELLO_BYTES_MAX {
            return Err(TlsFault::HelloTooLong);
        }
        if let Some(message) = message.get(..4 + len) {
            // What cannot be read says nothing here; refusing it, with the right alert, is for rustls.
            let hello = hello::read(message).unwrap_or_default();
            let offers = |wanted: &[u8]| hello.alpn().any(|protocol| protocol == wanted);
            let config = match &configs.device {
                Some(device) if offers(DEVICE_ALPN.as_bytes()) => device,
                Some(_) | None if offers(b"http/1.1") => &configs.http11,
                Some(_) | None => &configs.silent,
            };
            let sni = hello.server_name.map(|name| name.to_ascii_lowercase().into_boxed_str());
            let server = UnbufferedServerConnection::new(Arc::clone(config)).map_err(|_| TlsFault::Never)?;
            self.stage = Stage::Server(server);
            self.sni = sni;
        }
        Ok(())
    }

    /// After a fault: lets rustls say why it is angry. It must not be asked for more than it has queued: it would look at the same
    /// records again.
    fn last_words(&mut self, out: &mut Buf) {
        let gather = &mut self.gather[..self.whole];
        let mut lost = Vec::new();
        match &mut self.stage {
            Stage::Server(server) => {
                while server.wants_write() {
                    let UnbufferedStatus { state, .. } = server.process_tls_records(gather);
                    let Ok(ConnectionState::EncodeTlsData(chunk)) = state else { return };
                    encode(chunk, out, &mut lost);
                }
            }
            Stage::Client(client) => {
                while client.wants_write() {
                    let UnbufferedStatus { state, .. } = client.process_tls_records(gather);
                    let Ok(ConnectionState::EncodeTlsData(chunk)) = state else { return };
                    encode(chunk, out, &mut lost);
                }
            }
            Stage::Hello { .. } | Stage::Failed => {}
        }
    }
}

/// Does what rustls asks for.
fn step<Data>(state: Result<ConnectionState<'_, '_, Data>, Error>, out: &mut Buf, pending: &mut Vec<u8>) -> Step {
    match state {
        Ok(ConnectionState::EncodeTlsData(chunk)) => {
            if encode(chunk, out, pending) {
                Step::Again
            } else {
                Step::Failed(TlsFault::Never)
            }
        }
        Ok(ConnectionState::TransmitTlsData(sent)) => {
            // `out` and `pending` are sent before anything else; see `Handshake::finish`.
            sent.done();
            Step::Again
        }
        Ok(ConnectionState::BlockedHandshake) => Step::Blocked,
        Ok(ConnectionState::WriteTraffic(_)) => Step::Done,
        Ok(ConnectionState::PeerClosed | ConnectionState::Closed) => Step::Failed(TlsFault::Closed),
        // rustls is never shown a record of application data, and no early data is allowed.
        Ok(_) => Step::Failed(TlsFault::Never),
        Err(error) => Step::Refused(error),
    }
}

/// Puts a chunk into `out`, or behind `pending` if there is no room (or something waits there already).
fn encode<Data>(mut chunk: EncodeTlsData<'_, Data>, out: &mut Buf, pending: &mut Vec<u8>) -> bool {
    let room = if pending.is_empty() { out.spare_mut() } else { &mut [] };
    match chunk.encode(room) {
        Ok(n) => {
            out.commit(n);
            true
        }
        Err(EncodeError::InsufficientSize(_)) => encode_behind(chunk, pending),
        Err(EncodeError::AlreadyEncoded) => false,
    }
}

/// Puts a chunk behind `pending`; false if it has been put somewhere already.
pub(super) fn encode_behind<Data>(mut chunk: EncodeTlsData<'_, Data>, pending: &mut Vec<u8>) -> bool {
    match chunk.encode(&mut []) {
        Ok(_) => true,
        Err(EncodeError::InsufficientSize(size)) => {
            let at = pending.len();
            pending.resize(at + size.required_size, 0);
            chunk.encode(&mut pending[at..]).is_ok()
        }
        Err(EncodeError::AlreadyEncoded) => false,
    }
}

/// Whose fault it was. `answered`: we have sent something, so that the hello was one.
fn fault(error: Error, answered: bool) -> TlsFault {
    if let Error::AlertReceived(alert) = error {
        if alert == AlertDescription::CloseNotify { TlsFault::Closed } else { TlsFault::Alerted(alert.into()) }
    } else if matches!(error, Error::InvalidCertificate(_) | Error::NoCertificatesPresented) {
        TlsFault::Certificate(Cause(error))
    } else if matches!(error, Error::InvalidMessage(_)) {
        if answered { TlsFault::Malformed(Cause(error)) } else { TlsFault::MalformedHello(Cause(error)) }
    } else {
        TlsFault::Refused(Cause(error))
    }
}

/// What the kernel shall have, if it shall have anything.
fn lent(engine: RecordEngine, secrets: &ExtractedSecrets) -> Option<Lent> {
    if !engine.kernel_seals() && !engine.kernel_opens() {
        return None;
    }
    let material = |wanted: bool, secrets| wanted.then(|| Material::of(secrets)).flatten();
    Some(Lent::new(material(engine.kernel_seals(), &secrets.tx.1), material(engine.kernel_opens(), &secrets.rx.1)))
}

/// A connection whose handshake is complete.
#[derive(Debug)]
pub struct Established {
    /// Opens and seals.
    pub records: Records,
    /// What was agreed on.
    pub facts: Facts,
}

impl Established {
    fn new(facts: Facts, secrets: ExtractedSecrets, rekey: impl FnOnce() -> Rekey, lent: Option<Lent>) -> Result<Self, TlsFault> {
        let version = facts.version;
        let opening = OpeningKey::new(version, secrets.rx).map_err(|KeyFault| TlsFault::Never)?;
        let sealing = SealingKey::new(version, secrets.tx).map_err(|KeyFault| TlsFault::Never)?;
        // TLS 1.2 changes no keys and takes its tickets within the handshake: nothing of rustls is kept.
        let rekey = if version == Version::Tls13 { rekey() } else { Rekey::Never };
        Ok(Self { records: Records::own(version, opening, sealing, rekey, lent), facts })
    }

    fn kept(facts: Facts, connection: Connection) -> Self {
        Self { records: Records::kept(Kept::new(connection, facts.version)), facts }
    }
}

/// Versions of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

/// What was agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Version of the protocol.
    pub version: Version,
    /// Cipher suite, by its IANA name.
    pub suite: &'static str,
    /// Resumed by a session ticket.
    pub resumed: bool,
    /// The key exchange was a post-quantum hybrid.
    pub post_quantum: bool,
    /// The name that the client asked for (SNI), in lower case. Any name may be here, not only those of our certificates.
    pub sni: Option<Box<str>>,
    /// `http/1.1` was agreed on by ALPN.
    pub http11: bool,
    /// [`DEVICE_ALPN`] was agreed on. Nothing else ever is.
    pub device: bool,
    /// Certificates that the client has shown, of whose first it has the key, as [`sluice_proto::certificates`] writes them.
    pub certificates: Option<Box<[u8]>>,
}

impl Facts {
    /// What of it control is told.
    #[must_use]
    pub fn secured(&self) -> Secured {
        Secured { tls13: self.version == Version::Tls13, suite: self.suite, post_quantum: self.post_quantum }
    }

    fn of(common: &CommonState, sni: Option<Box<str>>) -> Result<Self, TlsFault> {
        let version = match common.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => Version::Tls13,
            Some(ProtocolVersion::TLSv1_2) => Version::Tls12,
            Some(_) | None => return Err(TlsFault::Never),
        };
        let suite = common.negotiated_cipher_suite().ok_or(TlsFault::Never)?;
        let group = common.negotiated_key_exchange_group().map(|group| group.name());
        Ok(Self {
            version,
            suite: suite_name(suite.suite().into()),
            resumed: common.handshake_kind() == Some(HandshakeKind::Resumed),
            post_quantum: group == Some(NamedGroup::X25519MLKEM768),
            sni,
            http11: common.alpn_protocol() == Some(b"http/1.1"),
            device: common.alpn_protocol() == Some(DEVICE_ALPN.as_bytes()),
            certificates: None,
        })
    }
}

fn suite_name(number: u16) -> &'static str {
    match number {
        0x1301 => "TLS_AES_128_GCM_SHA256",
        0x1302 => "TLS_AES_256_GCM_SHA384",
        0x1303 => "TLS_CHACHA20_POLY1305_SHA256",
        0xc02b => "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        0xc02c => "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        0xc02f => "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        0xc030 => "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        0xcca8 => "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        0xcca9 => "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        _ => "unknown",
    }
}
