//! What a door says in a login, and what it hears.
//!
//! ```text
//!   door ─ Said ─► converse ─► owner ─► Turn ─► door
//!                                └─ asks outside by itself: a door that goes away loses nothing
//! ```

use std::sync::Arc;
use std::time::Duration;

use gate_auth::login::scan::{ScanNoted, ScanQuestion};
use gate_auth::login::{CertificateView, Denial, Event, ScanView, View};
use gate_auth::sessions::{Arrival, Token};
use gate_config::expr::Request;
use gate_config::model::Model;
use secrecy::zeroize::Zeroizing;

use crate::action::{Action, NoOwner, NotEntered, Owned};

/// Something that happened in a login.
pub(crate) struct Said {
    /// The cookie of the login under way, if the browser has one.
    pub(crate) token: Option<String>,
    /// What the page for a certificate led the browser on with. Set: what happened counts only if that page was this login's, and once.
    pub(crate) ticket: Option<String>,
    /// What happened.
    pub(crate) event: Event,
    /// The request that is being answered; rules look at it.
    pub(crate) request: Arc<Request>,
    /// Who it is, and where.
    pub(crate) arrival: Arrival,
    /// The cookie of the login that a new one takes the place of.
    pub(crate) replaces: Option<String>,
    /// The configuration with which a login begins now; one under way keeps its own.
    pub(crate) model: Arc<Model>,
}

/// What comes of it. The token is always the one that the browser must have from now on.
#[derive(Debug)]
pub(crate) enum Turn {
    /// This form is to be shown.
    Show {
        /// For the browser.
        token: Token,
        /// Which.
        view: View,
    },
    /// The client is to be looked at.
    Scan {
        /// For the browser, and for whoever looks.
        token: Token,
        /// Where in the login.
        view: ScanView,
    },
    /// The client is to show a certificate.
    Certificate {
        /// For the browser.
        token: Token,
        /// Where in the login, and where it is asked.
        view: CertificateView,
        /// Goes there with it, and is good once.
        ticket: String,
    },
    /// There is a login.
    Granted {
        /// For the browser: a cookie that nobody has seen before.
        login: Token,
        /// The client will be looked at again and again, under the token that it has.
        watched: bool,
    },
    /// There is none.
    Over(Denial),
    /// The user wanted no more.
    Cancelled,
    /// The machine would let the user in, but nobody can be let in.
    NotEntered(NotEntered),
    /// No login under way has this token: it was never there, is over, or is another virtual server's.
    Unknown,
    /// Another request of the same login is being answered.
    Conflict,
    /// Too many log in at the same time.
    Busy,
}

/// How far a look at a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScanState {
    /// Whoever looks has not come yet.
    Waiting,
    /// It has come, and has not answered.
    Begun,
    /// It has answered.
    Done,
    /// Nothing is asked of it.
    Idle,
}

/// What a client is asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ScanAsked {
    /// This.
    Now(ScanQuestion),
    /// Nothing yet: the login goes on, and whoever has looked may have to look again once it is complete.
    Later(Duration),
}

/// One step of a login.
pub(crate) async fn converse(owner: &Owned, said: Said) -> Result<Turn, NoOwner> {
    let said = Box::new(said);
    owner.ask(|reply| Action::Say { said, reply }).await
}

/// How far the look at a client is. `None`: nothing is known under this token.
pub(crate) async fn scan_state(owner: &Owned, vserver: &str, token: &str) -> Result<Option<ScanState>, NoOwner> {
    let at = Scanner::new(vserver, token);
    owner.ask(|reply| Action::ScanState { at, begins: false, reply }).await
}

/// The same, asked by whoever looks at the client and thereby has come.
pub(crate) async fn scan_begins(owner: &Owned, vserver: &str, token: &str) -> Result<Option<ScanState>, NoOwner> {
    let at = Scanner::new(vserver, token);
    owner.ask(|reply| Action::ScanState { at, begins: true, reply }).await
}

/// What the client is asked: in a login under way, or again after it. `None`: nothing is known under this token, or nothing is to be asked.
pub(crate) async fn epa_question(owner: &Owned, vserver: &str, token: &str) -> Result<Option<ScanAsked>, NoOwner> {
    let at = Scanner::new(vserver, token);
    owner.ask(|reply| Action::ScanQuestion { at, reply }).await
}

/// What the client says: a digit for each thing that it was asked. `None` for what could not be read. `repeats`: it will look again by
/// itself. The answer is `None` if nothing is known under this token.
pub(crate) async fn epa_answer(
    owner: &Owned,
    vserver: &str,
    token: &str,
    digits: Option<Zeroizing<Vec<u8>>>,
    repeats: bool,
) -> Result<Option<ScanNoted>, NoOwner> {
    let at = Scanner::new(vserver, token);
    owner.ask(|reply| Action::ScanAnswer { at, digits, repeats, reply }).await
}

/// The certificate of the client's machine was judged. Whether it counts; `None` if nothing is known under this token.
pub(crate) async fn epa_device(owner: &Owned, vserver: &str, token: &str, good: bool) -> Result<Option<bool>, NoOwner> {
    let at = Scanner::new(vserver, token);
    owner.ask(|reply| Action::ScanDevice { at, good, reply }).await
}

/// Who looks at a client.
pub(crate) struct Scanner {
    /// Where it has come in.
    pub(crate) vserver: String,
    /// What it shows.
    pub(crate) token: Zeroizing<String>,
}

impl Scanner {
    fn new(vserver: &str, token: &str) -> Self {
        Self { vserver: vserver.to_owned(), token: Zeroizing::new(token.to_owned()) }
    }
}
