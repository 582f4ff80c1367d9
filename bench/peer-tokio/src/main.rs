//! `sluice-peer-tokio`: a TLS-to-TCP proxy as one would write it in an afternoon, to compare the gateway with.
//!
//! ```text
//!   client ──TLS──► accept ─► handshake (tokio-rustls) ─► connect ─► copy both ways, 64 KiB a buffer ──TCP──► host
//! ```
//!
//! One thread, one task a connection, tokio's own copy loop, the same rustls and AWS-LC as the gateway: what differs is the design.
//! It has no limits, no time-outs and no tickets. That makes it cheaper than anything that could be run in earnest.
#![forbid(unsafe_code)]

use std::error::Error;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncWriteExt as _, copy_bidirectional_with_sizes};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{CipherSuite, NamedGroup, ServerConfig, crypto::aws_lc_rs, version};

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
    #[arg(long)]
    cert: PathBuf,
    /// Its key, PEM.
    #[arg(long)]
    key: PathBuf,
    /// Bytes of a copy buffer; each connection has two.
    #[arg(long, default_value_t = 64 * 1024)]
    buffer: usize,
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
    let acceptor = TlsAcceptor::from(Arc::new(tls(&arguments)?));
    let listener = TcpListener::bind(arguments.listen).await?;
    let mut out = std::io::stdout();
    writeln!(out, "listening {}", listener.local_addr()?)?;
    out.flush()?;
    loop {
        let (client, _) = listener.accept().await?;
        let acceptor = acceptor.clone();
        let (host, buffer) = (arguments.host, arguments.buffer);
        // A connection that fails ends, and nobody is told: the load generator notices.
        tokio::spawn(async move { drop(carry(client, &acceptor, host, buffer).await) });
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

/// TLS 1.3 with AES-128-GCM and X25519 only: what the comparison's clients offer.
fn tls(arguments: &Arguments) -> Result<ServerConfig, Box<dyn Error>> {
    let chain = CertificateDer::pem_file_iter(&arguments.cert)?.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(&arguments.key)?;
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites.retain(|suite| suite.suite() == CipherSuite::TLS13_AES_128_GCM_SHA256);
    provider.kx_groups.retain(|group| group.name() == NamedGroup::X25519);
    let builder = ServerConfig::builder_with_provider(Arc::new(provider)).with_protocol_versions(&[&version::TLS13])?;
    Ok(builder.with_no_client_auth().with_single_cert(chain, key)?)
}
