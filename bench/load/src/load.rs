//! What every mode needs to be told: where the load goes, how much of it, and where the result goes.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

/// What every mode needs.
#[derive(Clone, Debug, Args)]
pub(crate) struct Load {
    /// The gateway or proxy.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) target: SocketAddr,
    /// The name in its certificate.
    #[arg(long, default_value = "gw.example.test")]
    pub(crate) name: String,
    /// Authority to trust, PEM.
    #[arg(long, value_name = "FILE", required_unless_present_any = ["plain", "any_certificate"])]
    pub(crate) ca: Option<PathBuf>,
    /// Trust whatever certificate the target shows. For laboratories: who sits between is not noticed.
    #[arg(long, conflicts_with = "ca")]
    pub(crate) any_certificate: bool,
    /// Speak no TLS: the target copies TCP.
    #[arg(long, conflicts_with_all = ["ca", "sta"])]
    pub(crate) plain: bool,
    /// The only cipher that is offered, so that every target does the same work.
    #[arg(long, value_enum, default_value_t = Cipher::Aes128)]
    pub(crate) cipher: Cipher,
    /// The only version of TLS that is offered.
    #[arg(long, value_enum, default_value_t = Version::Tls13)]
    pub(crate) tls: Version,
    /// Where to get tickets (an STA that speaks HTTP). Without it the target is a plain TLS proxy, and no SOCKS5 is spoken.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) sta: Option<SocketAddr>,
    /// The host to ask tickets for: the sink. Several, with commas between, get as many sessions each.
    #[arg(long, value_name = "ADDRESS:PORT", value_delimiter = ',')]
    pub(crate) host: Vec<SocketAddr>,
    /// From so many addresses of this machine in turn, 127.0.1.1 onwards; 0: from whatever address the system chooses. Default: 200 for
    /// logins, else 0.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) sources: Option<u32>,
    /// Connections at a time.
    #[arg(long, default_value_t = 8)]
    pub(crate) connections: usize,
    /// Length of the measured window, in seconds.
    #[arg(long, default_value_t = 3.0)]
    pub(crate) seconds: f64,
    /// Work before the window, in seconds, so that caches, pools and congestion windows are warm.
    #[arg(long, default_value_t = 0.4, value_name = "SECONDS")]
    pub(crate) warm_up: f64,
    /// Process whose CPU time and memory count, with all its threads and children.
    #[arg(long)]
    pub(crate) pid: Option<u32>,
    /// Threads that share the connections of a process.
    #[arg(long, default_value_t = 1)]
    pub(crate) threads: usize,
    /// Processes that share the connections: this program, begun again so many times. Their windows begin together.
    #[arg(long, default_value_t = 1)]
    pub(crate) processes: usize,
    /// Pin to this core; further threads and processes to those that follow it.
    #[arg(long)]
    pub(crate) core: Option<usize>,
    /// Congestion control of the connections, such as `cubic`. Default: the machine's own.
    #[arg(long)]
    pub(crate) congestion: Option<String>,
    /// Write the result as JSON to this file, `-` for standard output instead of the table.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write latencies to this file, as HdrHistogram's plotter reads them. Further kinds of latency get their name before the ending.
    #[arg(long, value_name = "FILE")]
    pub(crate) hgrm: Option<PathBuf>,
    /// Write a report with plots to this file, in one piece.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Which of several processes this is: NUMBER/OF.
    #[arg(long, hide = true, value_parser = Member::parse)]
    pub(crate) member: Option<Member>,
    /// Memory of the process under load before any of the processes began.
    #[arg(long, hide = true, value_name = "BYTES")]
    pub(crate) memory_before: Option<u64>,
}

impl Load {
    /// Work before the window.
    pub(crate) fn warm_up(&self) -> Duration {
        Duration::from_secs_f64(self.warm_up.clamp(0.0, 3600.0))
    }

    /// The window.
    pub(crate) fn window(&self) -> Duration {
        Duration::from_secs_f64(self.seconds.clamp(0.0, 86_400.0))
    }
}

/// A cipher of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Cipher {
    /// AES-128-GCM.
    Aes128,
    /// AES-256-GCM.
    Aes256,
    /// ChaCha20-Poly1305.
    Chacha20,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Version {
    /// 1.2.
    #[value(name = "1.2")]
    Tls12,
    /// 1.3.
    #[value(name = "1.3")]
    Tls13,
}

/// One of several processes that carry out a load together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// From 0.
    pub(crate) number: usize,
    /// How many there are.
    pub(crate) of: usize,
}

impl Member {
    fn parse(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((number, of)) if number < of => Ok(Self { number, of }),
            _ => Err("NUMBER/OF is wanted".to_owned()),
        }
    }
}

/// The address from which connection number `connection` comes, if there are `sources` of them.
pub(crate) fn source(sources: u32, connection: u64) -> Option<IpAddr> {
    let number = u32::try_from(connection.checked_rem(u64::from(sources))?).unwrap_or(0);
    let [_, _, high, low] = (number / 250 * 256 + number % 250 + 1 + 256).to_be_bytes();
    Some(IpAddr::from([127, 0, high, low]))
}

/// Share number `at` of `whole` among `shares`; the shares add up.
pub(crate) fn part(whole: usize, shares: usize, at: usize) -> usize {
    whole / shares + usize::from(at < whole % shares)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up() {
        for (whole, shares) in [(8, 1), (8, 3), (2, 2), (10_001, 7)] {
            assert_eq!((0..shares).map(|at| part(whole, shares, at)).sum::<usize>(), whole);
        }
    }

    #[test]
    fn a_member_is_one_of_them() {
        assert_eq!(Member::parse("2/3"), Ok(Member { number: 2, of: 3 }));
        for wrong in ["3/3", "", "1", "-1/2", "1/x"] {
            assert!(Member::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sources_are_as_many_as_wanted() {
        let of = |login| source(600, login).unwrap().to_string();
        assert_eq!(
            [of(0), of(249), of(250), of(599), of(600)],
            ["127.0.1.1", "127.0.1.250", "127.0.2.1", "127.0.3.100", "127.0.1.1"]
        );
        assert_eq!(source(0, 7), None);
    }
}
