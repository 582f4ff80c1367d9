//! A search: written and read by the client library, which never meets the directory itself.
//!
//! ```text
//!   Question ─► library, a task ══ pair of sockets ══ relay ─► Talk ─► directory
//!   Answer   ◄─────┘       ▲                            │ guard, number of the question, kind, how many
//!                          └──── whole messages only ◄──┘
//! ```
//!
//! The library is new for each search, knows nothing but this one, and ends with it. If it panics, the task does, and the search has
//! no answer.

use std::collections::HashMap;
use std::os::unix::net;

use gate_proto::ldap::{Caps, Guard, Message, Op, Reply};
use ldap3::{LdapConnAsync, LdapConnSettings, Scope, SearchEntry, SearchOptions, SearchResult, StdStream};
use secrecy::zeroize::Zeroizing;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::line::{Stream, Talk};
use super::outcome::Outage;
use crate::http::AbortOnDrop;

/// References to other directories that a search may bring; they are not followed. Active Directory brings three.
const REFERENCES_MAX: usize = 64;
/// What the library may say: one request.
const REQUEST: Caps = Caps { messages: 1, bytes: 256 * 1024 };
/// What it is told to connect to; it is given the socket.
const ADDRESS: &str = "ldapi:///";
/// Asks for no attributes (RFC 4511 §4.5.1.8).
const NO_ATTRIBUTES: &str = "1.1";

/// What is searched, in the whole tree below `base`.
pub(super) struct Question {
    pub(super) base: String,
    pub(super) filter: String,
    pub(super) attributes: Vec<String>,
    /// Entries that are wanted at most.
    pub(super) entries_max: i32,
}

/// What was found.
pub(super) struct Answer {
    pub(super) entries: Vec<Entry>,
    /// The directory's result.
    pub(super) code: u32,
}

/// One object.
pub(super) struct Entry {
    /// Its name, as the directory gave it.
    pub(super) dn: String,
    /// By the name of the attribute in lower case, without options.
    values: HashMap<String, Vec<String>>,
}

impl Entry {
    /// The values of an attribute; none if one of them is not text.
    pub(super) fn values(&self, attribute: &str) -> &[String] {
        self.values.get(&plain(attribute)).map(Vec::as_slice).unwrap_or_default()
    }
}

/// Searches. Nothing else may be under way on `line`.
pub(super) async fn search<S: Stream>(line: &mut Talk<S>, question: Question) -> Result<Answer, Outage> {
    let entries_max = usize::try_from(question.entries_max).unwrap_or_default();
    let (ours, theirs) = net::UnixStream::pair().map_err(|error| Outage::Connect(error.kind()))?;
    let connect = |error: std::io::Error| Outage::Connect(error.kind());
    ours.set_nonblocking(true).map_err(connect)?;
    let mut ours = UnixStream::from_std(ours).map_err(connect)?;
    let library = AbortOnDrop(tokio::spawn(question.ask(theirs)));
    let mut code = None;
    if let Some(request) = request(&mut ours).await {
        line.send(request.bytes()).await?;
        code = Some(relay(line, request.id, &mut ours, entries_max).await?);
    }
    match (library.await, code) {
        (Ok(Some(entries)), Some(code)) => Ok(Answer { entries, code }),
        (Ok(Some(_) | None) | Err(_), _) => Err(Outage::Library),
    }
}

/// What the library wants to say. `None`: it has nothing to say, and its task tells why.
async fn request(library: &mut UnixStream) -> Option<Message> {
    let (mut guard, mut room) = (Guard::new(REQUEST), vec![0; 4096]);
    loop {
        if let Some(message) = guard.take().ok()? {
            return Some(message);
        }
        let count = library.read(&mut room).await.ok().filter(|&count| count > 0)?;
        guard.push(&room[..count]).ok()?;
    }
}

/// Passes messages on, up to the last one of this search; gives its result.
async fn relay<S: Stream>(line: &mut Talk<S>, id: u32, library: &mut UnixStream, entries_max: usize) -> Result<u32, Outage> {
    let (mut entries, mut references) = (0, 0);
    loop {
        let message = line.receive(id).await?;
        let done = match message.op {
            Op::Entry => {
                entries += 1;
                None
            }
            Op::Reference => {
                references += 1;
                None
            }
            Op::Done => Some(Reply::read(&message).ok_or(Outage::Nonsense)?.code),
            Op::Bound | Op::Modified | Op::Extended | Op::Other(_) => return Err(Outage::Nonsense),
        };
        if entries > entries_max || references > REFERENCES_MAX {
            return Err(Outage::Hostile(gate_proto::ldap::Hostile::TooMany));
        }
        // A library that has ended does not read any more; its task tells why.
        let passed = library.write_all(message.bytes()).await;
        match (done, passed) {
            (Some(code), _) => return Ok(code),
            (None, Ok(())) => {}
            (None, Err(_)) => return Err(Outage::Library),
        }
    }
}

impl Question {
    /// The library's part. `None`: it failed.
    async fn ask(self, socket: net::UnixStream) -> Option<Vec<Entry>> {
        let settings = LdapConnSettings::new().set_std_stream(StdStream::Unix(socket));
        let (connection, mut library) = LdapConnAsync::with_settings(settings, ADDRESS).await.ok()?;
        let attributes = if self.attributes.is_empty() { vec![NO_ATTRIBUTES.to_owned()] } else { self.attributes };
        library.with_search_options(SearchOptions::new().sizelimit(self.entries_max));
        let search = library.search(&self.base, Scope::Subtree, &self.filter, attributes);
        let SearchResult(found, _) = tokio::select! {
            found = search => found.ok()?,
            _ended = connection.drive() => return None,
        };
        let entries = found.into_iter().filter(|found| !found.is_ref() && !found.is_intermediate());
        Some(entries.map(|found| SearchEntry::construct(found).into()).collect())
    }
}

impl Entry {
    /// Takes the values of an attribute out of it, to be wiped.
    pub(super) fn take(&mut self, attribute: &str) -> Vec<Zeroizing<String>> {
        self.values.remove(&plain(attribute)).unwrap_or_default().into_iter().map(Zeroizing::new).collect()
    }
}

impl From<SearchEntry> for Entry {
    fn from(found: SearchEntry) -> Self {
        let mut values: HashMap<String, Vec<String>> = HashMap::new();
        for (name, more) in found.attrs {
            values.entry(plain(&name)).or_default().extend(more);
        }
        Self { dn: found.dn, values }
    }
}

/// The name of an attribute in lower case, without options: Active Directory gives long lists as `memberOf;range=0-1499`.
fn plain(name: &str) -> String {
    name.split(';').next().unwrap_or_default().to_ascii_lowercase()
}
