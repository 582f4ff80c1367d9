//! What can go wrong in a measurement. None of it is retried: a figure with a fault in it is none.

use std::io;

use thiserror::Error;

/// Why there is no result.
#[derive(Debug, Error)]
pub(crate) enum Fault {
    /// The machine refused something.
    #[error("{doing}")]
    Machine {
        /// What was tried.
        doing: String,
        /// What it said.
        source: io::Error,
    },
    /// TLS settings do not hold together.
    #[error("TLS settings")]
    Tls(#[from] rustls::Error),
    /// The peer under load did something that it must not.
    #[error("connection {connection}: {what}")]
    Peer {
        /// Which connection.
        connection: usize,
        /// What.
        what: String,
    },
    /// The ticket authority did not give a ticket.
    #[error("no ticket: {0}")]
    Ticket(String),
    /// A tool that the comparison needs failed.
    #[error("{tool}: {said}")]
    Tool {
        /// Which.
        tool: String,
        /// Its last words.
        said: String,
    },
    /// The process under load ended.
    #[error("process {0} is not there")]
    Gone(u32),
    /// Another thread of the generator gave up; it says why.
    #[error("another thread gave up")]
    Another,
    /// Nothing was done in the window.
    #[error("nothing was measured: {0}")]
    Nothing(&'static str),
}

/// For `map_err`: what was being done when the machine refused.
pub(crate) fn machine(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Fault {
    let doing = doing.into();
    move |source| Fault::Machine { doing, source }
}
