//! What the kernel's own TLS (kTLS) does on Linux 6.1: the facts on which `ktls.rs` rests, and why it is off unless an operator wants it.
//!
//! ```text
//!   rustls ◄── handshake ──► rustls, whose secrets are taken out ──► setsockopt(TLS_TX or TLS_RX) ──► the kernel seals or opens
//!     └──────────────── every byte compared ──────────────────────────────┘
//! ```
//!
//! Facts differ from kernel to kernel, so that these run only where `make old-kernel` says that they are to hold, by
//! `SLUICE_KERNEL_TLS=1`; there the module must be.
#![expect(unsafe_code, reason = "std sets no option of TLS and sends no control messages")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, and the line says where")]

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::mem;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{
    CipherSuite, ClientConfig, ClientConnection, ConnectionTrafficSecrets, RootCertStore, ServerConfig, ServerConnection,
    SupportedCipherSuite, SupportedProtocolVersion,
};
use sluice_flow::buf::{Buf, Class, Pool, PoolSizes};
use sluice_flow::tls::{Handshake, Progress, Records, Served, TicketKeys};
use sluice_link::id::{ListenerId, SnapshotId};
use sluice_link::snapshot::{CertKey, Cgp, Limits, Listener, Rates, Snapshot, Tls};
use sluice_link::time::Moment;

/// Longest that a read may take.
const PATIENCE: Duration = Duration::from_secs(60);
const NAME: &str = "gateway.test";
/// Every suite of ours, with its version; the key exchange's part is of no matter here.
const SUITES: [CipherSuite; 6] = [
    CipherSuite::TLS13_AES_128_GCM_SHA256,
    CipherSuite::TLS13_AES_256_GCM_SHA384,
    CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
];
const CLOSE_NOTIFY: [u8; 2] = [1, 0];
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;

#[expect(clippy::print_stderr, reason = "a test that does not test says so")]
fn is_wanted() -> bool {
    let wanted = std::env::var_os("SLUICE_KERNEL_TLS").is_some_and(|v| v == "1");
    if !wanted {
        eprintln!("not run: only make old-kernel says SLUICE_KERNEL_TLS=1");
    }
    wanted
}

/// Bytes that are nowhere the same twice in a row, so that one which is lost or doubled is seen.
fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut step = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    (0..len).map(|_| step()).collect()
}

/// A connection whose near end has shaken hands as the server and can be given to the kernel.
struct Pair {
    near: TcpStream,
    secrets: rustls::ExtractedSecrets,
    far: rustls::StreamOwned<ClientConnection, TcpStream>,
}

impl Pair {
    fn new(suite: SupportedCipherSuite) -> Self {
        let certified = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
        let certificate: CertificateDer<'static> = certified.cert.der().clone();
        let key = PrivateKeyDer::Pkcs8(certified.signing_key.serialize_der().into());
        let mut provider = rustls::crypto::aws_lc_rs::default_provider();
        provider.cipher_suites = vec![suite];
        let provider = Arc::new(provider);
        let version: &'static SupportedProtocolVersion = suite.version();
        let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        server.enable_secret_extraction = true;
        // Tickets would come behind the handshake, and so would have to be opened by whoever has the keys then.
        server.send_tls13_tickets = 0;
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        let client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();

        let (mut near, mut far) = sockets();
        let mut ours = ServerConnection::new(Arc::new(server)).unwrap();
        let mut theirs = ClientConnection::new(Arc::new(client), NAME.try_into().unwrap()).unwrap();
        let shaken = thread::spawn(move || {
            while theirs.is_handshaking() {
                theirs.complete_io(&mut far).unwrap();
            }
            rustls::StreamOwned::new(theirs, far)
        });
        while ours.is_handshaking() || ours.wants_write() {
            ours.complete_io(&mut near).unwrap();
        }
        Self { near, secrets: ours.dangerous_extract_secrets().unwrap(), far: shaken.join().unwrap() }
    }

    fn of(suite: CipherSuite) -> Self {
        let all = rustls::crypto::aws_lc_rs::ALL_CIPHER_SUITES;
        Self::new(*all.iter().find(|known| known.suite() == suite).unwrap())
    }
}

/// Gives the key of one direction to the kernel.
fn hand_over(near: &TcpStream, secrets: &rustls::ExtractedSecrets, way: Way, suite: CipherSuite) -> io::Result<()> {
    set(near, libc::IPPROTO_TCP, libc::TCP_ULP, b"tls")?;
    install(near, secrets, way, suite)
}

fn install(near: &TcpStream, secrets: &rustls::ExtractedSecrets, way: Way, suite: CipherSuite) -> io::Result<()> {
    let (option, (seq, secrets)) = match way {
        Way::Transmit => (TLS_TX, &secrets.tx),
        Way::Receive => (TLS_RX, &secrets.rx),
    };
    // The suites of TLS 1.3 come first in their list.
    let tls13 = SUITES[..3].contains(&suite);
    set(near, SOL_TLS, option, &crypto_info(tls13, *seq, secrets))
}

fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let near = listener.accept().unwrap().0;
    for end in [&near, &far] {
        end.set_read_timeout(Some(PATIENCE)).unwrap();
        end.set_write_timeout(Some(PATIENCE)).unwrap();
        end.set_nodelay(true).unwrap();
    }
    (near, far)
}

/// From linux/tls.h.
const SOL_TLS: libc::c_int = 282;
const TLS_TX: libc::c_int = 1;
const TLS_RX: libc::c_int = 2;
const SET_RECORD_TYPE: libc::c_int = 1;
const GET_RECORD_TYPE: libc::c_int = 2;

#[derive(Clone, Copy, Debug)]
enum Way {
    Transmit,
    Receive,
}

/// `struct tls12_crypto_info_…`: version and cipher, then initialisation vector, key, salt, number of the next record.
fn crypto_info(tls13: bool, seq: u64, secrets: &ConnectionTrafficSecrets) -> Vec<u8> {
    let version: u16 = if tls13 { 0x304 } else { 0x303 };
    let (cipher, key, iv, salt): (u16, _, _, usize) = match secrets {
        ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (51, &key.as_ref()[..16], iv.as_ref(), 4),
        ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (52, key.as_ref(), iv.as_ref(), 4),
        ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (54, key.as_ref(), iv.as_ref(), 0),
        _ => unreachable!("no suite of ours"),
    };
    let mut vector = iv[salt..].to_vec();
    if !tls13 && salt > 0 {
        // The kernel counts on from here as one number, rustls took vector XOR sequence number. With the highest bit turned and
        // nothing below it, neither meets the other's within 2⁶³ records: no nonce is used twice.
        let high = (vector[0] & 0x80) ^ 0x80;
        vector = [high, 0, 0, 0, 0, 0, 0, 0].to_vec();
    }
    [&version.to_ne_bytes(), &cipher.to_ne_bytes(), &vector[..], key, &iv[..salt], &seq.to_be_bytes()].concat()
}

fn set(socket: &TcpStream, level: libc::c_int, option: libc::c_int, value: &[u8]) -> io::Result<()> {
    let Ok(len) = libc::socklen_t::try_from(value.len()) else { panic!("an option of {} bytes", value.len()) };
    // SAFETY: setsockopt demands a pointer to `len` bytes that may be read; they are those of `value`.
    let answer = unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, value.as_ptr().cast(), len) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// A message with room for one control message that holds one byte. It points into itself and must not be moved once it does.
struct Message {
    header: libc::msghdr,
    slice: libc::iovec,
    control: [u64; 4],
}

impl Message {
    /// # Panics
    /// Never: the room is more than the control message takes.
    fn around(bytes: &mut [u8]) -> Box<Self> {
        // SAFETY: zeroed demands that all zeroes are a valid value; a msghdr is numbers and pointers that may be null.
        let header = unsafe { mem::zeroed() };
        let slice = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
        let mut message = Box::new(Self { header, slice, control: [0; 4] });
        message.header.msg_iov = &raw mut message.slice;
        message.header.msg_iovlen = 1;
        message.header.msg_control = (&raw mut message.control).cast();
        message.header.msg_controllen = size_of_val(&message.control);
        message
    }

    /// Says of which type the record is to be.
    fn say(&mut self, typ: u8) {
        // SAFETY: CMSG_SPACE computes with a number.
        self.header.msg_controllen = unsafe { libc::CMSG_SPACE(1) } as usize;
        // SAFETY: CMSG_FIRSTHDR demands a header whose control points to `controllen` bytes; 24 of the 32 in `control`.
        let first = unsafe { libc::CMSG_FIRSTHDR(&raw const self.header) };
        // SAFETY: CMSG_LEN computes with a number.
        let len = unsafe { libc::CMSG_LEN(1) } as usize;
        // SAFETY: write demands room for a cmsghdr, which `control` has from its start on, aligned as a u64.
        unsafe { first.write(libc::cmsghdr { cmsg_len: len, cmsg_level: SOL_TLS, cmsg_type: SET_RECORD_TYPE }) };
        // SAFETY: CMSG_DATA demands a pointer to a cmsghdr; `first` is one.
        let data = unsafe { libc::CMSG_DATA(first) };
        // SAFETY: write demands room for a byte; it is the 17th of the 32 in `control`.
        unsafe { data.write(typ) };
    }

    /// Of which type the record was, after a receive.
    fn said(&self) -> Option<u8> {
        // SAFETY: CMSG_FIRSTHDR demands a header whose control points to `controllen` bytes; the kernel sets it to what it wrote.
        let first = unsafe { libc::CMSG_FIRSTHDR(&raw const self.header) };
        if first.is_null() {
            return None;
        }
        // SAFETY: read demands a cmsghdr behind the pointer, which CMSG_FIRSTHDR has found to be there.
        let head = unsafe { first.read() };
        assert_eq!((head.cmsg_level, head.cmsg_type), (SOL_TLS, GET_RECORD_TYPE));
        // SAFETY: CMSG_DATA demands a pointer to a cmsghdr; `first` is one.
        let data = unsafe { libc::CMSG_DATA(first) };
        // SAFETY: read demands a byte behind the pointer: the kernel wrote one with this type.
        Some(unsafe { data.read() })
    }
}

/// Sends one record of a type that is not data.
fn send_record(socket: &TcpStream, typ: u8, content: &[u8]) -> io::Result<usize> {
    let mut bytes = content.to_vec();
    let mut message = Message::around(&mut bytes);
    message.say(typ);
    // SAFETY: sendmsg demands a message whose pointers are valid; they point to `bytes` and into the box.
    counted(unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message.header, libc::MSG_NOSIGNAL) })
}

/// Receives one record, or part of it, of whatever type.
fn receive_record(socket: &TcpStream) -> io::Result<(Option<u8>, Vec<u8>)> {
    let mut bytes = vec![0; 32 * 1024];
    let mut message = Message::around(&mut bytes);
    // SAFETY: recvmsg demands a message whose pointers are valid and may be written; they point to `bytes` and into the box.
    let n = counted(unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message.header, 0) })?;
    bytes.truncate(n);
    Ok((message.said(), bytes))
}

fn send(socket: &TcpStream, bytes: &[u8], flags: libc::c_int) -> io::Result<usize> {
    // SAFETY: send demands a pointer to as many bytes as it is told; they are those of `bytes`.
    counted(unsafe { libc::send(socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), flags | libc::MSG_NOSIGNAL) })
}

fn counted(answer: isize) -> io::Result<usize> {
    usize::try_from(answer).map_err(|_| io::Error::last_os_error())
}

#[test]
fn every_suite_is_sealed_and_opened_byte_for_byte() {
    if !is_wanted() {
        return;
    }
    let plain = noise(300_001, 7);
    for suite in SUITES {
        let Pair { mut near, secrets, mut far } = Pair::of(suite);
        hand_over(&near, &secrets, Way::Transmit, suite).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                near.write_all(&plain).unwrap();
                assert_eq!(send_record(&near, ALERT, &CLOSE_NOTIFY).unwrap(), CLOSE_NOTIFY.len());
            });
            let mut came = Vec::new();
            // Without a close_notify rustls would call this end a cut.
            far.read_to_end(&mut came).unwrap();
            assert!(came == plain, "{suite:?}: {} of {} bytes", came.len(), plain.len());
        });

        let Pair { mut near, secrets, mut far } = Pair::of(suite);
        hand_over(&near, &secrets, Way::Receive, suite).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                far.write_all(&plain).unwrap();
                far.conn.send_close_notify();
                far.flush().unwrap();
            });
            let mut came = vec![0; plain.len()];
            near.read_exact(&mut came).unwrap();
            assert!(came == plain, "{suite:?}");
            // A record that is no data is an error for who does not ask for its type, and stays.
            assert_eq!(near.read(&mut [0; 16]).unwrap_err().raw_os_error(), Some(libc::EIO), "{suite:?}");
            assert_eq!(receive_record(&near).unwrap(), (Some(ALERT), CLOSE_NOTIFY.to_vec()), "{suite:?}");
        });
        eprintln!("{suite:?}: sealed by the kernel, opened by the kernel");
    }
}

/// Our ring asks for all of a chain in one completion.
#[test]
fn sending_all_or_waiting_is_refused() {
    if !is_wanted() {
        return;
    }
    let Pair { near, secrets, far: _far } = Pair::of(SUITES[0]);
    hand_over(&near, &secrets, Way::Transmit, SUITES[0]).unwrap();
    let refused = send(&near, b"x", libc::MSG_WAITALL).unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(libc::EOPNOTSUPP));
    assert_eq!(send(&near, b"x", 0).unwrap(), 1);
}

/// Alerts are sent by a control message. Through the ring?
#[test]
fn the_ring_sends_alerts() {
    if !is_wanted() {
        return;
    }
    let Pair { near, secrets, mut far } = Pair::of(SUITES[0]);
    hand_over(&near, &secrets, Way::Transmit, SUITES[0]).unwrap();
    let mut ring = io_uring::IoUring::new(4).unwrap();
    let mut bytes = CLOSE_NOTIFY;
    let mut message = Message::around(&mut bytes);
    message.say(ALERT);
    let entry = io_uring::opcode::SendMsg::new(io_uring::types::Fd(near.as_raw_fd()), &raw const message.header).build();
    // SAFETY: demanded is that what the entry points to is valid until its completion; both live until after the wait.
    unsafe { ring.submission().push(&entry) }.unwrap();
    ring.submit_and_wait(1).unwrap();
    let result = ring.completion().next().unwrap().result();
    assert_eq!(result, 2, "{}", io::Error::from_raw_os_error(-result));
    assert_eq!(far.read(&mut [0]).unwrap(), 0);
}

#[test]
fn keys_cannot_be_changed() {
    if !is_wanted() {
        return;
    }
    let Pair { near, secrets, far: _far } = Pair::of(SUITES[0]);
    hand_over(&near, &secrets, Way::Transmit, SUITES[0]).unwrap();
    let again = install(&near, &secrets, Way::Transmit, SUITES[0]).unwrap_err();
    assert_eq!(again.raw_os_error(), Some(libc::EBUSY));

    let Pair { near, secrets, mut far } = Pair::of(SUITES[0]);
    hand_over(&near, &secrets, Way::Receive, SUITES[0]).unwrap();
    far.conn.refresh_traffic_keys().unwrap();
    far.write_all(b"behind the new key").unwrap();
    let (typ, message) = receive_record(&near).unwrap();
    assert_eq!((typ, message.first()), (Some(HANDSHAKE), Some(&24)), "a KeyUpdate");
    let lost = receive_record(&near).unwrap_err();
    assert_eq!(lost.raw_os_error(), Some(libc::EBADMSG));
}

/// A record that the kernel has taken and sealed may have found no room in the socket. Its last bytes then wait where no call
/// tells of them, and a FIN goes out in front of them.
#[test]
fn an_end_of_stream_overtakes_what_was_taken() {
    if !is_wanted() {
        return;
    }
    let mut lost = Vec::new();
    for trial in 0..24 {
        let Pair { near, secrets, mut far } = Pair::of(SUITES[0]);
        socket2::SockRef::from(&near).set_send_buffer_size(30_000 + 5_000 * trial).unwrap();
        hand_over(&near, &secrets, Way::Transmit, SUITES[0]).unwrap();
        near.set_nonblocking(true).unwrap();
        let plain = noise(48 * 1024 + 1000 * trial, 9);
        let mut taken = 0;
        loop {
            match send(&near, &plain, 0) {
                Ok(n) => taken += n,
                Err(e) => {
                    assert_eq!(e.kind(), ErrorKind::WouldBlock);
                    break;
                }
            }
        }
        near.shutdown(Shutdown::Write).unwrap();
        let (mut came, mut room) = (0, vec![0; 64 * 1024]);
        while let Ok(n @ 1..) = far.read(&mut room) {
            came += n;
        }
        eprintln!("{taken} bytes were taken, {came} came");
        lost.extend((came < taken).then_some(trial));
    }
    assert!(!lost.is_empty(), "nothing was lost: FIN need not wait any more");
}

/// Processor time of the calling thread in nanoseconds, which are instructions where the clock counts those, as `make old-kernel` has it.
fn used() -> u64 {
    u64::try_from(sluice_engine::used().as_nanos()).unwrap()
}

/// Our record engine at the near end of `sockets`, with rustls at the far one.
fn ours(near: &mut TcpStream, far: &TcpStream) -> Records {
    let certified = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
    let certificate = CertKey {
        name: "c".into(),
        chain_pem: certified.cert.pem().into_bytes().into(),
        key_pem: Arc::new(certified.signing_key.serialize_pem().into_bytes().into()),
    };
    let snapshot = Snapshot {
        id: SnapshotId(1),
        listeners: vec![Listener {
            id: ListenerId(1),
            name: "vs".into(),
            address: ([127, 0, 0, 1], 0).into(),
            tls: Tls { certificates: vec![certificate], resumption: false, ..Tls::default() },
            cgp: Cgp::Reject,
            rates: Rates::default(),
        }],
        inner: "/nowhere".into(),
        host_tls: vec![],
        limits: Limits::default(),
    };
    let served = Served::build(Arc::new(snapshot), &Arc::new(TicketKeys::new(Moment(0)).unwrap())).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certified.cert.der().clone()).unwrap();
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.cipher_suites.retain(|suite| suite.suite() == SUITES[0]);
    let client = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut theirs = ClientConnection::new(Arc::new(client), NAME.try_into().unwrap()).unwrap();
    let mut far = far.try_clone().unwrap();
    let shaken = thread::spawn(move || {
        while theirs.is_handshaking() || theirs.wants_write() {
            theirs.complete_io(&mut far).unwrap();
        }
    });
    let mut pool = Pool::new(PoolSizes::default());
    let (mut incoming, mut out) = (pool.take(Class::Large).unwrap(), pool.take(Class::Large).unwrap());
    let mut handshake = Handshake::accept(served.listener(ListenerId(1)).unwrap());
    loop {
        let progress = handshake.advance(&mut incoming, &mut out).unwrap();
        near.write_all(out.filled()).unwrap();
        out.clear();
        match progress {
            Progress::Waiting => {
                incoming.clear();
                let n = near.read(incoming.spare_mut()).unwrap();
                incoming.commit(n);
            }
            Progress::Flush => {}
            Progress::Done => break,
        }
    }
    shaken.join().unwrap();
    handshake.finish().unwrap().records
}

/// What it costs the sender to send so many messages of some length, a record each, once sealed by us and once by the kernel. Who
/// receives throws it away unopened.
#[test]
fn what_sealing_costs() {
    if !is_wanted() {
        return;
    }
    const ROUNDS: usize = 5;
    for (bytes, messages) in [(64, 500_u64), (1024, 500), (16 * 1024, 200)] {
        let plain = noise(bytes, 3);
        let mut costs = Vec::new();
        for _ in 0..ROUNDS {
            let (mut near, far) = sockets();
            let mut records = ours(&mut near, &far);
            let drain = thread::spawn(move || io::copy(&mut { far }, &mut io::sink()).unwrap());
            let mut pool = Pool::new(PoolSizes::default());
            let mut buf: Buf = pool.take(Class::Large).unwrap();
            let begin = used();
            for _ in 0..messages {
                // Whatever lies there is as good as what a host would have sent, and was not copied there either.
                buf.clear();
                buf.commit(bytes);
                records.seal_in_place(&mut buf).unwrap();
                near.write_all(buf.filled()).unwrap();
            }
            let own = used() - begin;
            drop(near);
            drain.join().unwrap();

            let Pair { mut near, secrets, far } = Pair::of(SUITES[0]);
            hand_over(&near, &secrets, Way::Transmit, SUITES[0]).unwrap();
            let drain = thread::spawn(move || io::copy(&mut { far.sock }, &mut io::sink()).unwrap());
            let begin = used();
            for _ in 0..messages {
                near.write_all(&plain).unwrap();
            }
            let kernel = used() - begin;
            drop(near);
            drain.join().unwrap();
            costs.push((own / messages, kernel / messages));
        }
        let middle = |mut all: Vec<u64>| {
            all.sort_unstable();
            all[all.len() / 2]
        };
        let (own, kernel) = (middle(costs.iter().map(|c| c.0).collect()), middle(costs.iter().map(|c| c.1).collect()));
        eprintln!("{bytes} bytes: sealed by us {own}, by the kernel {kernel} a message; all: {costs:?}");
        // What an interactive session sends is cheaper when we seal it.
        assert!(kernel > own || bytes > 1024, "the kernel is cheaper for {bytes} bytes: the reason to leave it off is gone");
    }
}
