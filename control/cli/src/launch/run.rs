//! The command `sluicectl launch`.

use std::fs;
use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use gate_proto::ica_file::read::{FILE_BYTES_MAX, LaunchFile};

use super::fault::Fault;
use super::open::{Opening, Plan, Session};
use super::relay::{self, Broken, Carried, Sink};
use super::trust::Trust;

/// Longest wait for a connected session, in seconds.
const WAIT_S_MAX: u64 = 600;

/// Start the session of an ICA file and hand it out as a local port or a pipe.
///
/// The session is connected at once, since a ticket is good for a hundred seconds or so and for one use; the local
/// end may take its time. With --listen, one local connection is served, and what the host has said meanwhile is
/// waiting for it. The command ends with the session.
///
/// Exit codes: 0 the session ended in order; 10 the ICA file; 11 local end or certificates; 12 no way to the
/// gateway; 13 certificate not trusted; 14 certificate for another name; 15 TLS refused; 16 deadline passed; 17
/// closed without a reply; 18, 19 not a gateway's answer; 21 to 29 refused (22: ticket refused); 30 cut off by the
/// gateway, 31 by the local end.
#[derive(Clone, Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Launch {
    /// The ICA file. It is left alone; its ticket is worth nothing afterwards.
    pub file: PathBuf,
    /// Serve the session at this local address, such as 127.0.0.1:0. The address is printed, alone, on a line.
    #[arg(long, value_name = "ADDRESS:PORT", required_unless_present = "stdio", conflicts_with = "stdio")]
    pub listen: Option<SocketAddr>,
    /// Serve the session on standard input and output.
    #[arg(long)]
    pub stdio: bool,
    /// Trust the certificate authorities in this PEM file, and no others.
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    pub ca: Option<PathBuf>,
    /// Trust anybody who answers at the gateway's address. For laboratories.
    #[arg(long)]
    pub insecure: bool,
    /// How long it may take until the session is connected, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=WAIT_S_MAX))]
    pub timeout: u64,
    /// Connect to this address instead of resolving the gateway's name; its certificate must still be for the name.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub at: Option<SocketAddr>,
    /// How to begin with the gateway.
    #[arg(long, value_enum, default_value_t)]
    pub opening: Opening,
}

impl Launch {
    /// Runs the command. Messages for people go to `talk`, the local address to `out`.
    ///
    /// # Errors
    /// [`Fault`], with its exit code.
    pub fn run(&self, talk: &mut dyn Write, out: &mut dyn Write) -> Result<(), Fault> {
        let file = read_file(&self.file)?;
        let trust = match (&self.ca, self.insecure) {
            (_, true) => {
                warn(talk, &file);
                Trust::Nobody
            }
            (Some(path), false) => Trust::File(path.clone()),
            (None, false) => Trust::System,
        };
        let plan = Plan {
            gateway: file.gateway.clone(),
            at: self.at,
            tls: trust.client_config()?,
            opening: self.opening,
            wait: Duration::from_secs(self.timeout),
        };
        match self.listen {
            // First the port, then the ticket: a port that is taken must not cost one.
            Some(address) => {
                let local = |source| Fault::Local { address: address.to_string(), source };
                let listener = TcpListener::bind(address).map_err(local)?;
                let session = plan.open(&file.ticket)?;
                say_connected(talk, &file, &session);
                let bound = listener.local_addr().map_err(local)?;
                writeln!(out, "{bound}").and_then(|()| out.flush()).map_err(local)?;
                let (client, _) = listener.accept().map_err(local)?;
                drop(listener);
                serve_socket(session, client).map_err(local).and_then(|carried| finish(talk, carried))
            }
            None => {
                let session = plan.open(&file.ticket)?;
                say_connected(talk, &file, &session);
                serve_pipe(session)
            }
        }
    }
}

/// Reads an ICA file, as long as it can be one.
///
/// # Errors
/// [`Fault::FileUnreadable`], [`Fault::File`].
pub fn read_file(path: &Path) -> Result<LaunchFile, Fault> {
    let unreadable = |source| Fault::FileUnreadable { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let limit = u64::try_from(FILE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    fs::File::open(path)
        .and_then(|file| io::Read::read_to_end(&mut io::Read::take(file, limit), &mut bytes))
        .map_err(unreadable)?;
    LaunchFile::read(&bytes).map_err(|source| Fault::File { path: path.to_owned(), source })
}

/// Serves a session to one local connection until both directions have ended.
///
/// # Errors
/// If the machine gives no thread or descriptor.
pub fn serve_socket(session: Session, client: TcpStream) -> io::Result<Carried> {
    client.set_nodelay(true)?;
    let (up, down) = relay::start(session, client.try_clone()?)?;
    let down = down.carry(client.try_clone()?);
    if down.end.is_err() {
        // The up thread may be waiting for this client; nothing can be done for it any more.
        let _closed = client.shutdown(Shutdown::Both);
    }
    Ok(Carried { up: up.wait(), down })
}

/// Serves a session on standard input and output until the host has said all. A pipe cannot be closed halfway by
/// its user, so the end of the down direction is the end of the command.
fn serve_pipe(session: Session) -> Result<(), Fault> {
    let local = |source| Fault::Local { address: "standard input and output".to_owned(), source };
    let (_up, down) = relay::start(session, io::stdin()).map_err(local)?;
    down.carry(Pipe(io::stdout().lock())).end.map_err(Fault::CutOff)
}

struct Pipe<W>(W);

impl<W: Write> Write for Pipe<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<W: Write> Sink for Pipe<W> {
    fn finish(&mut self) -> io::Result<()> {
        self.flush()
    }
}

/// What cannot be said on standard error cannot be said: the command goes on.
fn say_connected(talk: &mut dyn Write, file: &LaunchFile, session: &Session) {
    let title = file.title.as_deref().unwrap_or(&file.application);
    let shown: String = title.chars().filter(|c| !c.is_control()).collect();
    let _said = writeln!(talk, "sluicectl: connected to {shown} through {} ({})", file.gateway, session.tls_in_words());
}

fn warn(talk: &mut dyn Write, file: &LaunchFile) {
    let _said = writeln!(
        talk,
        "sluicectl: WARNING: --insecure: the certificate of {} is NOT checked.\n\
         sluicectl: WARNING: whoever is in between can read and change the whole session.",
        file.gateway
    );
}

fn finish(talk: &mut dyn Write, carried: Carried) -> Result<(), Fault> {
    let Carried { up, down } = carried;
    let _said = writeln!(talk, "sluicectl: session ended, {} bytes up, {} bytes down", up.bytes, down.bytes);
    down.end.map_err(Fault::CutOff)?;
    match up.end {
        // A host that closes both ways while the local end is still talking: it has said goodbye.
        Err(Broken::Gateway(error)) if is_gone(&error) => Ok(()),
        end => end.map_err(Fault::CutOff),
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::NotConnected)
}
