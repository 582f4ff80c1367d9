//! TLS against rustls's buffered connections as oracle, over memory.
//!
//! Here is the kit: certificates, snapshots, and the two drivers that carry a handshake from one side to the other.

mod clients;
mod engines;
mod handshakes;
mod keys;
mod offers;
mod oracle;
mod records;

use std::io::{Read, Write};
use std::sync::{Arc, LazyLock};

use rustls::crypto::aws_lc_rs::{ALL_CIPHER_SUITES, ALL_KX_GROUPS, default_provider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, ConnectionCommon, RootCertStore, ServerConfig, ServerConnection, SideData};
use rustls::{SupportedCipherSuite, SupportedProtocolVersion};
use sluice_link::id::{ListenerId, SnapshotId};
use sluice_link::snapshot::{
    CertKey, Cgp, HostTlsProfile, KeyGroup, Limits, Listener, Rates, RecordEngine, Snapshot, Suite, Tls,
};
use sluice_link::time::Moment;
use zeroize::Zeroizing;

use super::*;
use crate::buf::{Buf, Class, Pool, PoolSizes};

const NAME: &str = "gate.example";
const START: Moment = Moment(1_000_000_000);
/// What is promised holds for both.
const ENGINES: [RecordEngine; 2] = [RecordEngine::Own, RecordEngine::Rustls];

/// A certificate chain and its key, as PEM.
#[derive(Clone)]
struct Pair {
    chain: String,
    key: String,
}

impl Pair {
    fn ecdsa(name: &str) -> Self {
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        Self { chain: made.cert.pem(), key: made.signing_key.serialize_pem() }
    }

    fn rsa() -> Self {
        Self {
            chain: include_str!("../../../testdata/rsa.cert.pem").to_owned(),
            key: include_str!("../../../testdata/rsa.key.pem").to_owned(),
        }
    }

    fn certkey(&self) -> CertKey {
        CertKey {
            name: "pair".into(),
            chain_pem: self.chain.as_bytes().into(),
            key_pem: Arc::new(Zeroizing::new(self.key.clone().into_bytes())),
        }
    }

    fn chain_der(&self) -> Vec<CertificateDer<'static>> {
        CertificateDer::pem_slice_iter(self.chain.as_bytes()).map(Result::unwrap).collect()
    }
}

static ECDSA: LazyLock<Pair> = LazyLock::new(|| Pair::ecdsa(NAME));
static RSA: LazyLock<Pair> = LazyLock::new(Pair::rsa);

fn tls(pairs: &[&Pair]) -> Tls {
    Tls {
        certificates: pairs.iter().map(|pair| pair.certkey()).collect(),
        tls12: true,
        tls13: true,
        post_quantum: false,
        resumption: true,
        ..Tls::default()
    }
}

fn listener(id: u32, tls: Tls) -> Listener {
    Listener {
        id: ListenerId(id),
        name: format!("vs{id}"),
        address: ([127, 0, 0, 1], 0).into(),
        tls,
        cgp: Cgp::Reject,
        rates: Rates::default(),
    }
}

fn snapshot(listeners: Vec<Listener>, roots: &[&Pair]) -> Arc<Snapshot> {
    let host_tls = roots.iter().map(|pair| HostTlsProfile { id: "hosts".into(), roots_pem: pair.chain.as_bytes().into() });
    Arc::new(Snapshot {
        id: SnapshotId(1),
        listeners,
        inner: "/nowhere".into(),
        host_tls: host_tls.collect(),
        limits: Limits::default(),
    })
}

fn ticket_keys() -> Arc<TicketKeys> {
    Arc::new(TicketKeys::new(START).unwrap())
}

/// One virtual server.
fn serve(tls: Tls) -> ServedListener {
    let served = Served::build(snapshot(vec![listener(1, tls)], &[]), &ticket_keys()).unwrap();
    let listener = Arc::clone(served.listener(ListenerId(1)).unwrap());
    drop(served);
    Arc::into_inner(listener).unwrap()
}

/// One virtual server whose records are `engine`'s.
fn serve_by(engine: RecordEngine, pair: &Pair) -> ServedListener {
    serve(Tls { engine, ..tls(&[pair]) })
}

/// A profile that trusts `root`.
fn hosts(root: &Pair) -> Arc<HostProfile> {
    Arc::clone(Served::build(snapshot(vec![], &[root]), &ticket_keys()).unwrap().host_profile(&"hosts".into()).unwrap())
}

fn client_config(
    trust: &[&Pair],
    suites: &[SupportedCipherSuite],
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for cert in trust.iter().flat_map(|pair| pair.chain_der()) {
        roots.add(cert).unwrap();
    }
    let provider = rustls::crypto::CryptoProvider { cipher_suites: suites.to_vec(), ..default_provider() };
    ClientConfig::builder_with_provider(provider.into())
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// A client that can do everything and trusts our two certificates.
fn any_client() -> ClientConfig {
    client_config(&[&ECDSA, &RSA], ALL_CIPHER_SUITES, rustls::ALL_VERSIONS)
}

fn server_config(pair: &Pair, suites: &[SupportedCipherSuite], versions: &[&'static SupportedProtocolVersion]) -> ServerConfig {
    let provider = rustls::crypto::CryptoProvider {
        cipher_suites: suites.to_vec(),
        kx_groups: ALL_KX_GROUPS.to_vec(),
        ..default_provider()
    };
    let mut config = ServerConfig::builder_with_provider(provider.into())
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(pair.chain_der(), PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap())
        .unwrap();
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().unwrap();
    config
}

fn client(config: &Arc<ClientConfig>, name: &str) -> ClientConnection {
    ClientConnection::new(Arc::clone(config), ServerName::try_from(name.to_owned()).unwrap()).unwrap()
}

fn buf(class: Class) -> Buf {
    Pool::new(PoolSizes { small: 1, large: 1, bulk: 1 }).take(class).unwrap()
}

fn filled(bytes: &[u8]) -> Buf {
    let mut buf = buf(Class::Bulk);
    assert_eq!(buf.append(bytes), bytes.len());
    buf
}

/// What `from` wants to send.
fn pull<D: SideData>(from: &mut ConnectionCommon<D>) -> Vec<u8> {
    let mut bytes = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut bytes).unwrap();
    }
    bytes
}

/// Gives `bytes` to `to`, and returns what it makes of them.
#[expect(clippy::unwrap_in_result, reason = "reading from memory does not fail")]
fn push<D: SideData>(to: &mut ConnectionCommon<D>, mut bytes: &[u8]) -> Result<Vec<u8>, rustls::Error> {
    let mut plain = Vec::new();
    while !bytes.is_empty() {
        to.read_tls(&mut bytes).unwrap();
        let state = to.process_new_packets()?;
        let mut part = vec![0; state.plaintext_bytes_to_read()];
        to.reader().read_exact(&mut part).unwrap();
        plain.extend(part);
    }
    Ok(plain)
}

/// What a driver leaves behind.
struct Met {
    established: Established,
    /// Bytes that came behind the handshake.
    rest: Vec<u8>,
}

/// Carries `ours` through a handshake with `theirs`, at most `step` bytes at a time, and with buffers for output of class `out`.
fn meet<D: SideData>(ours: Handshake, theirs: &mut ConnectionCommon<D>, step: usize, out: Class) -> Result<Met, TlsFault> {
    let mut ours = ours;
    let mut coming: Vec<u8> = pull(theirs);
    for _ in 0..10_000 {
        let n = coming.len().min(step);
        let mut incoming = filled(&coming[..n]);
        coming.drain(..n);
        let mut progress;
        loop {
            let mut out = buf(out);
            let outcome = ours.advance(&mut incoming, &mut out);
            let heard = push(theirs, out.filled());
            progress = outcome?;
            if let Err(error) = heard {
                return Err(TlsFault::Refused(Cause(error)));
            }
            if progress != Progress::Flush {
                break;
            }
        }
        coming.extend(pull(theirs));
        match progress {
            Progress::Flush => unreachable!(),
            Progress::Waiting => assert!(incoming.is_empty()),
            Progress::Done => {
                let mut rest = incoming.filled().to_vec();
                rest.extend(coming);
                return Ok(Met { established: ours.finish()?, rest });
            }
        }
    }
    panic!("no end of the handshake");
}

fn meet_client(served: &ServedListener, theirs: &mut ClientConnection) -> Result<Met, TlsFault> {
    meet(Handshake::accept(served), theirs, usize::MAX, Class::Large)
}

fn meet_host(profile: &HostProfile, name: &str, theirs: &mut ServerConnection) -> Result<Met, TlsFault> {
    meet_host_by(RecordEngine::Own, profile, name, theirs)
}

fn meet_host_by(engine: RecordEngine, profile: &HostProfile, name: &str, theirs: &mut ServerConnection) -> Result<Met, TlsFault> {
    meet(Handshake::connect(profile, name, engine)?, theirs, usize::MAX, Class::Large)
}

/// Both sides ours: the client's records by our own engine, the server's as `served` says.
fn meet_ourselves(served: &ServedListener, profile: &HostProfile) -> (Established, Established) {
    let mut server = Handshake::accept(served);
    let mut client = Handshake::connect(profile, NAME, RecordEngine::Own).unwrap();
    let (mut to_server, mut to_client) = (buf(Class::Bulk), buf(Class::Bulk));
    let (mut client_done, mut server_done) = (false, false);
    while !(client_done && server_done) {
        if !client_done {
            client_done = client.advance(&mut to_client, &mut to_server).unwrap() == Progress::Done;
        }
        if !server_done {
            server_done = server.advance(&mut to_server, &mut to_client).unwrap() == Progress::Done;
        }
    }
    let (server, mut client) = (server.finish().unwrap(), client.finish().unwrap());
    // Session tickets come behind the handshake.
    open_all(&mut client.records, to_client.filled()).unwrap();
    (server, client)
}

/// Opens a stream that came whole.
fn open_all(records: &mut Records, bytes: &[u8]) -> Result<(Vec<u8>, Opened), RecordFault> {
    open_at(records, bytes, START)
}

fn open_at(records: &mut Records, bytes: &[u8], now: Moment) -> Result<(Vec<u8>, Opened), RecordFault> {
    let (mut buf, mut parts) = (filled(bytes), Parts::new());
    let opened = records.open(&mut buf, &mut parts, now)?;
    let plain: Vec<u8> = parts.slices().iter().flat_map(|&(at, n)| buf.filled()[at..at + n].to_vec()).collect();
    assert_eq!(plain.len(), opened.bytes);
    assert_eq!(crate::buf::Chain::of(buf, parts.slices()).bytes(), opened.bytes);
    Ok((plain, opened))
}

/// Seals `plain` where it lies.
fn sealed(records: &mut Records, plain: &[u8]) -> Vec<u8> {
    let mut buf = buf(if plain.len() > Class::Small.payload() { Class::Large } else { Class::Small });
    assert_eq!(buf.append(plain), plain.len());
    records.seal_in_place(&mut buf).unwrap();
    buf.filled().to_vec()
}

/// What `from` sends for `plain`.
fn theirs_sealed<D: SideData>(from: &mut ConnectionCommon<D>, plain: &[u8]) -> Vec<u8> {
    from.writer().write_all(plain).unwrap();
    pull(from)
}

/// Bytes that are not all alike.
fn noise(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|i| u8::try_from((i * 31 + seed * 17 + i / 251) % 256).unwrap()).collect()
}
