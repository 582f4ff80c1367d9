//! `sluice-peer-tokio`: a TLS-to-TCP proxy as one would write it in an afternoon, to compare the gateway with.
//!
//! ```text
//!   client ──TLS──► accept ─► handshake (tokio-rustls) ─► connect ─► copy both ways, 64 KiB a buffer ──TCP──► host
//! ```
//!
//! One thread, one task a connection, tokio's own copy loop, the same rustls and AWS-LC as the gateway: what differs is the design.
//! It has no limits, no time-outs and no tickets. That makes it cheaper than anything that could be run in earnest.
//!
//! With `--floor` it is no proxy but what every proxy must do at least:
//!
//! ```text
//!   client ──TCP──► receive into a buffer ─► AES-128-GCM over it where it lies, 16 KiB at a time ─► send ──TCP──► host
//! ```
//!
//! No handshake, no records, no copy: what the kernel and the cipher cost on this machine.
#![forbid(unsafe_code)]

use std::error::Error;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use clap::Parser;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional_with_sizes};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::{CipherSuite, NamedGroup, ServerConfig, version};

/// Bytes under one tag: a record of the largest size.
const RECORD_BYTES: usize = 16 * 1024;

/// A TLS-to-TCP proxy on tokio and tokio-rustls, one thread.
#[derive(Debug, Parser)]
#[command(name = "sluice-peer-tokio", version, about)]
struct Arguments {
    /// Where to listen; port 0 lets the system choose. The address is printed once it is ready.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The host that every connection is carried to.
    #[arg(long)]
    host: SocketAddr,
    /// Certificate chain, PEM.
    #[arg(long, required_unless_present = "floor")]
    cert: Option<PathBuf>,
    /// Its key, PEM.
    #[arg(long, required_unless_present = "floor")]
    key: Option<PathBuf>,
    /// No TLS: receive, encrypt, send, and nothing else. What arrives behind the first bytes means nothing.
    #[arg(long)]
    floor: bool,
    /// Bytes of a copy buffer; each connection has two.
    #[arg(long, default_value_t = 64 * 1024)]
    buffer: usize,
    /// With `--floor`: bytes that a connection may have in a row before it is the turn of others that have something. Without it tokio
    /// stays with a connection for 64 buffers.
    #[arg(long)]
    turn: Option<usize>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(serve(arguments)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            let _ = writeln!(std::io::stderr(), "sluice-peer-tokio: {fault}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let acceptor = match (&arguments.cert, &arguments.key) {
        (Some(cert), Some(key)) if !arguments.floor => Some(TlsAcceptor::from(Arc::new(tls(cert, key)?))),
        _ => None,
    };
    let listener = TcpListener::bind(arguments.listen).await?;
    let mut out = std::io::stdout();
    writeln!(out, "listening {}", listener.local_addr()?)?;
    out.flush()?;
    loop {
        let (client, _) = listener.accept().await?;
        let acceptor = acceptor.clone();
        let (host, buffer, turn) = (arguments.host, arguments.buffer, arguments.turn);
        // A connection that fails ends, and nobody is told: the load generator notices.
        tokio::spawn(async move {
            drop(match acceptor {
                Some(acceptor) => carry(client, &acceptor, host, buffer).await,
                None => least(client, host, buffer, turn).await,
            });
        });
    }
}

async fn carry(client: TcpStream, acceptor: &TlsAcceptor, host: SocketAddr, buffer: usize) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    let mut client = acceptor.accept(client).await?;
    let mut host = TcpStream::connect(host).await?;
    host.set_nodelay(true)?;
    copy_bidirectional_with_sizes(&mut client, &mut host, buffer, buffer).await?;
    client.shutdown().await
}

/// What must be done at least, both ways.
async fn least(client: TcpStream, host: SocketAddr, buffer: usize, turn: Option<usize>) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    let host = TcpStream::connect(host).await?;
    host.set_nodelay(true)?;
    let ((from_client, to_client), (from_host, to_host)) = (client.into_split(), host.into_split());
    tokio::try_join!(one_way(from_client, to_host, buffer, turn), one_way(from_host, to_client, buffer, turn))?;
    Ok(())
}

async fn one_way(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, buffer: usize, turn: Option<usize>) -> std::io::Result<()> {
    let broken = |_| std::io::Error::other("AES-128-GCM");
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &[7; 16]).map_err(broken)?);
    let mut buf = vec![0; buffer];
    let (mut record, mut in_a_row) = (0_u64, 0);
    loop {
        let n = from.read(&mut buf).await?;
        if n == 0 {
            return to.shutdown().await;
        }
        // What comes first tells the load generator's host what to do.
        let from = if record == 0 { n } else { 0 };
        record += 1;
        for part in buf[from..n].chunks_mut(RECORD_BYTES) {
            record += 1;
            let mut nonce = [0; 12];
            nonce[4..].copy_from_slice(&record.to_be_bytes());
            let nonce = Nonce::assume_unique_for_key(nonce);
            // Nobody is there to whom the tag could be sent.
            let _tag = key.seal_in_place_separate_tag(nonce, Aad::empty(), part).map_err(broken)?;
        }
        to.write_all(&buf[..n]).await?;
        in_a_row += n;
        if turn.is_some_and(|turn| in_a_row >= turn) {
            in_a_row = 0;
            tokio::task::yield_now().await;
        }
    }
}

/// TLS 1.3 with AES-128-GCM and X25519 only: what the comparison's clients offer.
fn tls(cert: &Path, key: &Path) -> Result<ServerConfig, Box<dyn Error>> {
    let chain = CertificateDer::pem_file_iter(cert)?.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let mut provider = default_provider();
    provider.cipher_suites.retain(|suite| suite.suite() == CipherSuite::TLS13_AES_128_GCM_SHA256);
    provider.kx_groups.retain(|group| group.name() == NamedGroup::X25519);
    let builder = ServerConfig::builder_with_provider(Arc::new(provider)).with_protocol_versions(&[&version::TLS13])?;
    Ok(builder.with_no_client_auth().with_single_cert(chain, key)?)
}
