//! What becomes of a question to a RADIUS server: about the user, or about the server, and never one for the other.

use std::io;
use std::time::Duration;

use gate_proto::radius::Strange;
use secrecy::zeroize::Zeroizing;
use thiserror::Error;

/// What a server said of a user.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// He may pass.
    Accepted(Accepted),
    /// He may not.
    Rejected(Rejected),
    /// He is asked something else.
    Challenge {
        /// In the server's words; may be empty.
        text: String,
        /// What it wants to have back; may be empty.
        state: Zeroizing<Vec<u8>>,
    },
    /// It cannot be asked. This says nothing about the user.
    Outage(Outage),
}

/// What somebody answers may open other doors; only which kind of answer it was is for logs and tests.
impl std::fmt::Debug for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Accepted(accepted) => accepted.fmt(f),
            Self::Rejected(rejected) => rejected.fmt(f),
            Self::Challenge { .. } => f.write_str("Challenge(***)"),
            Self::Outage(outage) => outage.fmt(f),
        }
    }
}

/// A user who may pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Accepted {
    /// His name as the server spells it, if it says it.
    pub(crate) user: Option<String>,
    /// His groups, each once.
    pub(crate) groups: Vec<String>,
}

/// Why a user does not get in. His fault, or his account's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum Rejected {
    /// What he typed is longer than a request can hold, or has a zero byte. Nobody was asked.
    #[error("a name or secret that cannot be sent")]
    Unsayable,
    /// Wrong name, password or code. RADIUS does not tell them apart.
    #[error("rejected")]
    Secret,
    /// Not at this time.
    #[error("not permitted at this time")]
    NotNow,
    /// Not in this way.
    #[error("not permitted here")]
    NotHere,
    /// The account is switched off.
    #[error("account disabled")]
    Disabled,
    /// The password has expired.
    #[error("password expired")]
    Expired,
}

/// Why a server cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum Outage {
    /// So many ask it already.
    #[error("too many questions are under way")]
    Busy,
    /// Its name has no address.
    #[error("its name has no address")]
    Name,
    /// The system does not let us send.
    #[error("cannot be reached: {0}")]
    Socket(io::ErrorKind),
    /// Nobody listens at that port.
    #[error("nobody listens there")]
    Closed,
    /// It said nothing. One that knows us under another key, or not at all, says nothing, too.
    #[error("no answer to {sent} requests in {} s; a server that has another -radKey for us, or none, does not answer either", .time.as_secs())]
    Silent {
        /// How often it was asked.
        sent: u32,
        /// In how much time.
        time: Duration,
    },
    /// What came was not its answer.
    #[error("{ignored} datagrams were ignored, and no other came; of the first one: {first}")]
    Strange {
        /// How many came.
        ignored: u32,
        /// What was wrong with the first.
        first: Strange,
    },
    /// The machine gave no random bytes.
    #[error("no random bytes")]
    NoRandom,
}
