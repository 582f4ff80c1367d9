//! What an expression can be asked about: the request that is there now, what was typed, and who it is so far.
//!
//! ```text
//!   door ──► Request ─┐
//!   form ──► Typed ───┼─► Facts ─► Expression::is_true, ::text
//!   login ─► Person ──┤
//!   model ─► Names ───┘
//! ```
//!
//! Nothing in it is looked up, and the time is a field: the same facts always give the same answer.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::SystemTime;

use secrecy::SecretString;
use zeroize::Zeroizing;

use super::Names;

/// Longest body that is looked at, in bytes. Whoever makes a [`Request`] keeps no more.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// How many numbered attributes a user has; the first has the number 1.
pub const ATTRIBUTES: usize = 16;

/// The HTTP request that is being answered.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "holds cookies and what was typed")]
pub struct Request {
    /// What is wanted.
    pub method: Method,
    /// The `Host` header as it was sent, perhaps with a port.
    pub host: String,
    /// Path and query as they were sent, still encoded.
    pub target: String,
    /// Headers in the order in which they came. Names are compared without regard to case.
    pub headers: Vec<(String, String)>,
    /// The body as it was sent, at most [`BODY_BYTES_MAX`]; a form in it is still encoded.
    pub body: Zeroizing<Vec<u8>>,
    /// Where the client is.
    pub client: SocketAddr,
    /// Where it came in.
    pub server: SocketAddr,
    /// Its TLS. `None`: there was none.
    pub tls: Option<Tls>,
    /// The certificate that the client has shown and proven. `None`: it has shown none.
    pub certificate: Option<Certificate>,
    /// What time it is.
    pub wall: SystemTime,
}

/// What a request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `GET`.
    Get,
    /// `POST`.
    Post,
    /// Anything else.
    Other,
}

impl Method {
    /// Takes the word of a request line.
    #[must_use]
    pub fn of(word: &str) -> Self {
        match word {
            "GET" => Self::Get,
            "POST" => Self::Post,
            _ => Self::Other,
        }
    }
}

/// What was agreed in the TLS handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The version as it stands on the wire: 0x0303 for TLS 1.2, 0x0304 for TLS 1.3.
    pub version: u16,
    /// Name of the cipher suite.
    pub suite: String,
}

/// A client certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Whose it is, as a distinguished name: `CN=ann,O=Example`. No value holds a comma or `=` as it is.
    pub subject: String,
    /// Who says so, likewise.
    pub issuer: String,
    /// Serial number, hexadecimal.
    pub serial: String,
    /// From when it is valid.
    pub not_before: SystemTime,
    /// Until when.
    pub not_after: SystemTime,
}

/// What the last form brought. Whatever it did not bring is empty.
#[derive(Clone, Default)]
#[expect(missing_debug_implementations, reason = "holds passwords")]
pub struct Typed {
    /// The user's name.
    pub username: String,
    /// The password.
    pub password: SecretString,
    /// The second password, often a one-time code.
    pub password2: SecretString,
    /// The domain.
    pub domain: String,
    /// All fields, the above among them, in the order in which they came.
    pub fields: Vec<(String, Zeroizing<String>)>,
}

/// Who it is, as far as is known: of the login that is under way, or of a session.
#[derive(Clone, Default)]
#[expect(missing_debug_implementations, reason = "an attribute may be a password that was typed")]
pub struct Person {
    /// The name that was typed.
    pub login_name: String,
    /// The name by which the user is known now; a directory may have said another one.
    pub name: String,
    /// The domain.
    pub domain: String,
    /// All groups, in the order in which they came.
    pub groups: Vec<Group>,
    /// Numbered attributes: number 1 is at 0. What was typed may be among them: `-passwordCredentialIndex`.
    pub attributes: [Option<Zeroizing<String>>; ATTRIBUTES],
    /// Attributes by name.
    pub named: BTreeMap<String, Zeroizing<String>>,
    /// The number by which operators know the login or session; no secret.
    pub session: String,
    /// How strong the login is: the highest of the forms that were passed.
    pub strength: u16,
    /// How many times it was tried.
    pub attempts: u32,
}

/// A group of a user.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Who says that the user is in it.
    pub origin: GroupOrigin,
}

/// Who says that a user is in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GroupOrigin {
    /// The configuration: a member of a local group.
    Local,
    /// A directory or another server that was asked.
    Directory,
    /// A look at the client's machine.
    Epa,
    /// A look at the client's machine that ended badly.
    Quarantine,
    /// The action that succeeded.
    Default,
}

/// All that an expression can be asked about.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "holds what was typed")]
pub struct Facts<'f> {
    /// What is being answered.
    pub request: &'f Request,
    /// What the last form brought.
    pub typed: &'f Typed,
    /// Who it is so far.
    pub person: &'f Person,
    /// Named expressions and pattern sets: those of the model.
    pub names: &'f Names,
}
