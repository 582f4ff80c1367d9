//! CtxSTAProtocol: how session tickets are issued and redeemed.
//!
//! ```text
//!  portal  ── RequestTicket: values ─────────►  STA   StaRequest::read      IssueRequest::write
//!          ◄─ ResponseTicket: id, ticket ─────        write_issue_answer    IssuedTicket::read
//!  gateway ── RequestData: ticket ───────────►  STA   StaRequest::read      Template::render
//!          ◄─ ResponseData: values ───────────        write_redeem_answer   Redeemed::read
//! ```
//!
//! What an authority expects inside `RequestData` is not publicly known, so the gateway's question is a
//! [`Template`] that an operator can change, and its reading of the answer assumes as little as possible. The
//! values are opaque here: who may connect where is decided elsewhere.

use thiserror::Error;

use super::encoding::Encoding;
use super::read::{Document, Node};
use super::words::words;
use super::write::Writer;
use super::{BadMessage, REQUEST_CAPS};
use crate::secret::Secret;

/// Most values of one ticket.
pub const VALUES_MAX: usize = 16;
/// Longest name of a value, in bytes.
pub const VALUE_NAME_BYTES_MAX: usize = 64;
/// Longest text of a value, in bytes.
pub const VALUE_BYTES_MAX: usize = 16 * 1024;
/// Most ticket or authority id types in one request.
pub const TYPES_MAX: usize = 8;
/// Longest authority id, in bytes.
pub const AUTHORITY_ID_BYTES_MAX: usize = 64;
/// Shortest and longest ticket, in bytes.
pub const TICKET_BYTES: std::ops::RangeInclusive<usize> = 16..=64;
/// The path of the service. Compare without regard to case.
pub const STA_PATH: &str = "/scripts/ctxsta.dll";

const ROOT: &str = "CtxSTAProtocol";
const DTD: &str = "CtxSTA.dtd";
const VERSION: &str = "4.0";

words! {
    /// A ticket generation.
    TicketType {
        /// The current generation, ticket version `40`.
        StaV4 = "STA-v4",
        /// The first one, ticket version `10`.
        StaV1 = "STA-v1",
    }
}

words! {
    /// Why an authority said no.
    RefusalId {
        /// Unknown, expired or already used: the asker is not told which.
        InvalidTicket = "invalid-ticket",
        /// The ticket belongs to another authority.
        WrongAuthority = "wrong-authority",
        /// None of the wanted ticket types is supported.
        VersionMismatch = "version-mismatch",
    }
}

/// A name and a text that an authority keeps with a ticket and gives back unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// `ICAAddress`, `CGPAddress`, `XData` or anything else.
    pub name: String,
    /// For the first two, `host:port`.
    pub text: String,
}

/// What an authority is asked.
#[derive(Debug)]
pub enum StaRequest {
    /// A portal wants a ticket.
    Issue(IssueRequest),
    /// A gateway brings one back.
    Redeem(RedeemRequest),
}

/// `RequestTicket`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueRequest {
    /// Ticket generations that the asker can handle.
    pub ticket_types: Vec<TicketType>,
    /// `STA-v1`, in practice.
    pub authority_types: Vec<String>,
    /// What the ticket stands for.
    pub values: Vec<Value>,
    /// Whether it may be redeemed repeatedly, for session reliability.
    pub refreshable: bool,
}

/// `RequestData`.
#[derive(Clone, Debug)]
pub struct RedeemRequest {
    /// The ticket itself.
    pub ticket: Secret,
    /// If present it must be the authority's own, or the answer is [`RefusalId::WrongAuthority`].
    pub authority_id: Option<String>,
    /// If present it must be the version that was issued.
    pub ticket_version: Option<String>,
}

/// `ResponseTicket` of an authority that said yes. Checked: all three fit into a ticket string.
#[derive(Clone, Debug)]
pub struct IssuedTicket {
    /// Who issued it.
    pub authority_id: String,
    /// The ticket.
    pub ticket: Secret,
    /// Two digits.
    pub ticket_version: String,
}

/// `ResponseData` of an authority that said yes: at least one address among the values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redeemed {
    /// All of them, as they came.
    pub values: Vec<Value>,
}

/// Why there is no [`IssuedTicket`] in an answer with status 200.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotIssued {
    /// The authority said no.
    #[error("the authority refused to issue a ticket: {0}")]
    Refused(RefusalId),
    /// The authority broke the protocol.
    #[error("answer is not a ResponseTicket")]
    Malformed(#[source] BadMessage),
}

/// Why there is no [`Redeemed`] in an answer with status 200. All of these are refusals, never outages: the
/// ticket exists at this authority or nowhere.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotRedeemed {
    /// The authority said no.
    #[error("the authority refused the ticket: {0}")]
    Refused(RefusalId),
    /// No answer to our question, or no address in it.
    #[error("answer holds no address")]
    NoAddress,
    /// It names another ticket or authority than the one that was asked about: an answer that crossed.
    #[error("answer belongs to another ticket")]
    Crossed,
    /// Not a document of this dialect, or one that says something twice: we do not choose.
    #[error("answer is not a ResponseData")]
    Malformed(#[source] BadMessage),
}

impl StaRequest {
    /// Reads a request that reached an authority. The [`Encoding`] is the one to answer in.
    ///
    /// # Errors
    /// [`BadMessage`]; its [`http_status`](BadMessage::http_status) is the answer, with an empty body.
    pub fn read(body: &[u8]) -> Result<(Self, Encoding), BadMessage> {
        let document = Document::read(body, REQUEST_CAPS)?;
        let root = document.root(ROOT)?;
        let issue = root.optional("RequestTicket")?;
        let redeem = root.optional("RequestData")?;
        let request = match (issue, redeem) {
            (Some(issue), None) => Self::Issue(IssueRequest::from_node(issue)?),
            (None, Some(redeem)) => Self::Redeem(RedeemRequest::from_node(redeem)?),
            (None, None) | (Some(_), Some(_)) => return Err(BadMessage::NoMessage),
        };
        Ok((request, document.encoding()))
    }
}

impl IssueRequest {
    /// A request as our portal sends it: the current ticket generation, and `values`.
    #[must_use]
    pub fn new(values: Vec<Value>, refreshable: bool) -> Self {
        Self { ticket_types: vec![TicketType::StaV4], authority_types: vec!["STA-v1".to_owned()], values, refreshable }
    }

    /// The body to send.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut writer = envelope(Encoding::Utf8);
        writer.open("RequestTicket");
        for kind in &self.ticket_types {
            writer.leaf("AllowedTicketType", kind.as_str());
        }
        for kind in &self.authority_types {
            writer.leaf("AllowedAuthorityIDType", kind);
        }
        write_values(&mut writer, &self.values);
        writer.open("Control").leaf("Refreshable", if self.refreshable { "true" } else { "false" }).close("Control");
        writer.close("RequestTicket").close(ROOT);
        writer.finish()
    }

    fn from_node(node: Node<'_>) -> Result<Self, BadMessage> {
        let types = |name| {
            let texts = node.texts(name, TYPES_MAX)?;
            match texts.iter().any(|text| text.is_empty()) {
                _ if texts.is_empty() => Err(BadMessage::Missing(name)),
                true => Err(BadMessage::Empty(name)),
                false => Ok(texts),
            }
        };
        let ticket_types = types("AllowedTicketType")?.into_iter().map(TicketType::from).collect();
        let authority_types = types("AllowedAuthorityIDType")?.into_iter().map(str::to_owned).collect();
        let values = read_values(node.required("TicketData")?.each("Value"))?;
        if values.is_empty() {
            return Err(BadMessage::Missing("Value"));
        }
        let refreshable = match node.optional("Control")? {
            Some(control) => match control.optional_text("Refreshable")? {
                Some(text) if text.eq_ignore_ascii_case("true") => true,
                Some(text) if text.eq_ignore_ascii_case("false") => false,
                Some(_) => return Err(BadMessage::Value("Refreshable")),
                None => false,
            },
            None => false,
        };
        Ok(Self { ticket_types, authority_types, values, refreshable })
    }
}

impl RedeemRequest {
    /// Finds the three elements anywhere below, and takes apart a ticket that is a client's whole string.
    fn from_node(node: Node<'_>) -> Result<Self, BadMessage> {
        let ticket = only_descendant(node, "Ticket")?.ok_or(BadMessage::Missing("Ticket"))?;
        let mut authority_id = only_descendant(node, "AuthorityID")?.map(str::to_owned);
        let mut ticket_version = only_descendant(node, "TicketVersion")?.map(str::to_owned);
        let code = match ticket.strip_prefix(';') {
            None => ticket,
            Some(fields) => {
                let mut fields = fields.split(';');
                let (Some(version), Some(id), Some(code), None) = (fields.next(), fields.next(), fields.next(), fields.next())
                else {
                    return Err(BadMessage::Value("Ticket"));
                };
                if *authority_id.get_or_insert_with(|| id.to_owned()) != id {
                    return Err(BadMessage::Value("AuthorityID"));
                }
                if *ticket_version.get_or_insert_with(|| version.to_owned()) != version {
                    return Err(BadMessage::Value("TicketVersion"));
                }
                code
            }
        };
        if code.is_empty() {
            return Err(BadMessage::Empty("Ticket"));
        }
        if !is_ticket(code) {
            return Err(BadMessage::Value("Ticket"));
        }
        Ok(Self { ticket: Secret::new(code), authority_id, ticket_version })
    }
}

/// An authority's answer to [`StaRequest::Issue`].
#[must_use]
pub fn write_issue_answer(encoding: Encoding, answer: Result<&IssuedTicket, &RefusalId>) -> Vec<u8> {
    let mut writer = envelope(encoding);
    writer.open("ResponseTicket");
    match answer {
        Ok(issued) => {
            writer.leaf("AuthorityID", &issued.authority_id);
            writer.leaf("Ticket", issued.ticket.expose());
            writer.leaf("TicketVersion", &issued.ticket_version);
        }
        Err(refusal) => {
            writer.leaf("ErrorId", refusal.as_str());
        }
    }
    writer.close("ResponseTicket").close(ROOT);
    writer.finish()
}

/// An authority's answer to [`StaRequest::Redeem`].
#[must_use]
pub fn write_redeem_answer(encoding: Encoding, answer: Result<&[Value], &RefusalId>) -> Vec<u8> {
    let mut writer = envelope(encoding);
    writer.open("ResponseData");
    match answer {
        Ok(values) => write_values(&mut writer, values),
        Err(refusal) => {
            writer.leaf("ErrorId", refusal.as_str());
        }
    }
    writer.close("ResponseData").close(ROOT);
    writer.finish()
}

impl IssuedTicket {
    /// Reads an authority's answer with status 200 to [`IssueRequest::write`].
    ///
    /// # Errors
    /// [`NotIssued`].
    pub fn read(body: &[u8]) -> Result<Self, NotIssued> {
        let document = Document::read(body, REQUEST_CAPS).map_err(|bad| NotIssued::Malformed(bad.into()))?;
        let response = document.root(ROOT).and_then(|root| root.required("ResponseTicket")).map_err(NotIssued::Malformed)?;
        if let Some(id) = response.optional_text("ErrorId").map_err(NotIssued::Malformed)? {
            return Err(NotIssued::Refused(id.into()));
        }
        Self::from_node(response).map_err(NotIssued::Malformed)
    }

    /// The string that a client presents to the gateway: `;40;STA…;…`.
    #[must_use]
    pub fn client_string(&self) -> Secret {
        Secret::new(format!(";{};{};{}", self.ticket_version, self.authority_id, self.ticket.expose()))
    }

    fn from_node(node: Node<'_>) -> Result<Self, BadMessage> {
        let authority_id = node.required_text("AuthorityID")?;
        let ticket = node.required_text("Ticket")?;
        let ticket_version = node.required_text("TicketVersion")?;
        if !is_authority_id(authority_id) {
            return Err(BadMessage::Value("AuthorityID"));
        }
        if !is_ticket(ticket) {
            return Err(BadMessage::Value("Ticket"));
        }
        if ticket_version.len() != 2 || !ticket_version.bytes().all(|b| b.is_ascii_digit()) {
            return Err(BadMessage::Value("TicketVersion"));
        }
        Ok(Self { authority_id: authority_id.to_owned(), ticket: Secret::new(ticket), ticket_version: ticket_version.to_owned() })
    }
}

impl Redeemed {
    /// Reads an authority's answer with status 200 to [`Template::render`], asked about `ticket` of `authority_id`.
    ///
    /// Anywhere below the root a `ResponseData`, anywhere below it a `Value` named `ICAAddress` or `CGPAddress`:
    /// that is a yes, whatever else is there.
    ///
    /// # Errors
    /// [`NotRedeemed`]: everything else is a no.
    pub fn read(body: &[u8], authority_id: &str, ticket: &str) -> Result<Self, NotRedeemed> {
        let document = Document::read(body, REQUEST_CAPS).map_err(|bad| NotRedeemed::Malformed(bad.into()))?;
        let root = document.root(ROOT).map_err(NotRedeemed::Malformed)?;
        let mut responses = root.descendants().filter(|node| node.name() == "ResponseData");
        let response = responses.next().ok_or(NotRedeemed::NoAddress)?;
        if responses.next().is_some() {
            return Err(NotRedeemed::Malformed(BadMessage::Duplicate("ResponseData")));
        }
        // An authority need not repeat the question, but if it does it must be ours.
        let repeats = |name, ours: &str, same: fn(&str, &str) -> bool| {
            response.descendants().filter(|node| node.name() == name).all(|node| same(node.text(), ours))
        };
        if !repeats("AuthorityID", authority_id, str::eq_ignore_ascii_case) || !repeats("Ticket", ticket, |a, b| a == b) {
            return Err(NotRedeemed::Crossed);
        }
        if let Some(id) = response.descendants().find(|node| node.name() == "ErrorId") {
            return Err(NotRedeemed::Refused(id.text().into()));
        }
        let named = |node: &Node<'_>| node.name() == "Value" && node.attribute("name").is_some();
        let values = read_values(response.descendants().filter(named)).map_err(NotRedeemed::Malformed)?;
        let redeemed = Self { values };
        if redeemed.ica_address().is_none() && redeemed.cgp_address().is_none() {
            return Err(NotRedeemed::NoAddress);
        }
        Ok(redeemed)
    }

    /// Where the host speaks ICA: `host:port`, unchecked.
    #[must_use]
    pub fn ica_address(&self) -> Option<&str> {
        self.value("ICAAddress").filter(|text| !text.is_empty())
    }

    /// Where the host speaks the session-reliability protocol: `host:port`, unchecked.
    #[must_use]
    pub fn cgp_address(&self) -> Option<&str> {
        self.value("CGPAddress").filter(|text| !text.is_empty())
    }

    /// Who connects to what, for logs. Untrusted text; nothing depends on it.
    #[must_use]
    pub fn connection(&self) -> Option<Connection> {
        self.value("XData").and_then(Connection::read)
    }

    /// A value by its name, without regard to case.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|value| value.name.eq_ignore_ascii_case(name)).map(|value| value.text.as_str())
    }
}

/// The body of the gateway's `RequestData`, with places for the ticket.
///
/// `{ticket}`, `{authority_id}` and `{ticket_version}` are replaced by text, escaped. There is no other use of
/// braces in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Ticket,
    AuthorityId,
    TicketVersion,
}

/// Why a text is no template. The operator's fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadTemplate {
    /// A brace that belongs to no placeholder, or to one that we do not know.
    #[error("unknown placeholder {{{0}}}")]
    Placeholder(String),
    /// Without the ticket no question can be answered.
    #[error("placeholder {{ticket}} is missing")]
    NoTicket,
    /// With the places filled it would not be a document.
    #[error("template is not an XML document")]
    Xml(#[source] super::BadXml),
}

impl Template {
    /// The form that our own authority, and every other that we know of, understands.
    pub const DEFAULT: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
        <!DOCTYPE CtxSTAProtocol SYSTEM \"CtxSTA.dtd\">\n\
        <CtxSTAProtocol version=\"4.0\"><RequestData><AuthorityID>{authority_id}</AuthorityID>\
        <Ticket>{ticket}</Ticket><TicketVersion>{ticket_version}</TicketVersion></RequestData></CtxSTAProtocol>";

    /// Reads a template.
    ///
    /// # Errors
    /// [`BadTemplate`].
    pub fn parse(text: &str) -> Result<Self, BadTemplate> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, found) = rest.split_at(at);
            let (name, after) = found[1..].split_once('}').ok_or_else(|| BadTemplate::Placeholder(String::new()))?;
            let place = match name {
                "ticket" if found.starts_with('{') => Piece::Ticket,
                "authority_id" if found.starts_with('{') => Piece::AuthorityId,
                "ticket_version" if found.starts_with('{') => Piece::TicketVersion,
                other => return Err(BadTemplate::Placeholder(other.chars().take(VALUE_NAME_BYTES_MAX).collect())),
            };
            pieces.extend([Piece::Text(before.to_owned()), place]);
            rest = after;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        if !pieces.contains(&Piece::Ticket) {
            return Err(BadTemplate::NoTicket);
        }
        let template = Self { pieces };
        Document::read(&template.render("STA01", "0000000000000000", "40"), REQUEST_CAPS).map_err(BadTemplate::Xml)?;
        Ok(template)
    }

    /// The body to send.
    #[must_use]
    pub fn render(&self, authority_id: &str, ticket: &str, ticket_version: &str) -> Vec<u8> {
        let mut body = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => body.push_str(text),
                Piece::Ticket => body.push_str(&escape(ticket)),
                Piece::AuthorityId => body.push_str(&escape(authority_id)),
                Piece::TicketVersion => body.push_str(&escape(ticket_version)),
            }
        }
        body.into_bytes()
    }
}

/// [`Template::DEFAULT`].
impl Default for Template {
    fn default() -> Self {
        let text = |text: &str| Piece::Text(text.to_owned());
        let pieces = vec![
            text(DEFAULT_HEAD),
            Piece::AuthorityId,
            text("</AuthorityID><Ticket>"),
            Piece::Ticket,
            text("</Ticket><TicketVersion>"),
            Piece::TicketVersion,
            text("</TicketVersion></RequestData></CtxSTAProtocol>"),
        ];
        Self { pieces }
    }
}

const DEFAULT_HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
    <!DOCTYPE CtxSTAProtocol SYSTEM \"CtxSTA.dtd\">\n\
    <CtxSTAProtocol version=\"4.0\"><RequestData><AuthorityID>";

/// What `XData` says about a connection. Display text from another machine: bound it and encode it where shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// `host:port` of the host.
    pub server_address: String,
    /// Login name.
    pub user_name: String,
    /// Domain.
    pub user_domain: String,
    /// Name of the published application.
    pub application_name: String,
    /// `ICA`.
    pub protocol: String,
}

impl Connection {
    /// Reads an `XData` text. What cannot be read is `None`: it must not fail a connection.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let document = Document::read(text.as_bytes(), REQUEST_CAPS).ok()?;
        let root = document.root("CtxConnInfo").ok()?;
        let text = |name| root.each(name).next().map(|node| node.text().to_owned()).unwrap_or_default();
        Some(Self {
            server_address: text("ServerAddress"),
            user_name: text("UserName"),
            user_domain: text("UserDomain"),
            application_name: text("ApplicationName"),
            protocol: text("Protocol"),
        })
    }

    /// The `XData` text. Its document type stands in a comment, as peers write it.
    #[must_use]
    pub fn write(&self) -> String {
        let mut writer = Writer::fragment();
        writer.raw("<?xml version=\"1.0\"?>\n<!--DOCTYPE CtxConnInfoProtocol SYSTEM \"CtxConnInfo.dtd\"-->\n");
        writer
            .open_with("CtxConnInfo", &[("version", "1.0")])
            .leaf("ServerAddress", &self.server_address)
            .leaf("UserName", &self.user_name)
            .leaf("UserDomain", &self.user_domain)
            .leaf("ApplicationName", &self.application_name)
            .leaf("Protocol", &self.protocol)
            .close("CtxConnInfo");
        writer.finish_text()
    }
}

fn envelope(encoding: Encoding) -> Writer {
    let mut writer = Writer::new(encoding, ROOT, DTD);
    writer.open_with(ROOT, &[("version", VERSION)]);
    writer
}

fn write_values(writer: &mut Writer, values: &[Value]) {
    writer.open("TicketData");
    for value in values {
        writer.leaf_with("Value", &[("name", &value.name)], &value.text);
    }
    writer.close("TicketData");
}

fn read_values<'d>(nodes: impl Iterator<Item = Node<'d>>) -> Result<Vec<Value>, BadMessage> {
    let mut values: Vec<Value> = Vec::new();
    for node in nodes {
        let name = node.attribute("name").ok_or(BadMessage::Missing("Value/@name"))?;
        if name.is_empty() {
            return Err(BadMessage::Empty("Value/@name"));
        }
        if values.len() >= VALUES_MAX || name.len() > VALUE_NAME_BYTES_MAX || node.text().len() > VALUE_BYTES_MAX {
            return Err(BadMessage::TooMuch("Value"));
        }
        if values.iter().any(|value| value.name.eq_ignore_ascii_case(name)) {
            return Err(BadMessage::Duplicate("Value"));
        }
        values.push(Value { name: name.to_owned(), text: node.text().to_owned() });
    }
    Ok(values)
}

/// The text of the one element called `name` anywhere below `node`.
fn only_descendant<'d>(node: Node<'d>, name: &'static str) -> Result<Option<&'d str>, BadMessage> {
    let mut found = node.descendants().filter(|node| node.name() == name);
    let first = found.next().map(Node::text);
    if found.next().is_some() { Err(BadMessage::Duplicate(name)) } else { Ok(first) }
}

fn is_authority_id(text: &str) -> bool {
    let in_alphabet = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    (1..=AUTHORITY_ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(in_alphabet)
}

fn is_ticket(text: &str) -> bool {
    TICKET_BYTES.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn escape(text: &str) -> String {
    let mut writer = Writer::fragment();
    writer.text(text);
    writer.finish_text()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "STA02005E10A1B2";
    const TICKET: &str = "0F1E2D3C4B5A69788796A5B4C3D2E1F0";

    #[test]
    fn the_default_template_is_what_it_says() {
        assert_eq!(Template::parse(Template::DEFAULT).as_ref(), Ok(&Template::default()));
        let (request, _) = StaRequest::read(&Template::default().render(ID, TICKET, "40")).unwrap();
        let StaRequest::Redeem(request) = request else { panic!() };
        assert_eq!(request.ticket.expose(), TICKET);
        assert_eq!((request.authority_id.as_deref(), request.ticket_version.as_deref()), (Some(ID), Some("40")));
    }

    #[test]
    fn a_template_is_checked_when_it_is_read() {
        let placeholder = |name: &str| Err(BadTemplate::Placeholder(name.into()));
        assert_eq!(Template::parse("<a>{tiket}</a>"), placeholder("tiket"));
        assert_eq!(Template::parse("<a>{ticket</a>"), placeholder(""));
        assert_eq!(Template::parse("<a>}ticket}</a>"), placeholder("ticket"));
        assert_eq!(Template::parse("<a>{authority_id}</a>"), Err(BadTemplate::NoTicket));
        assert!(matches!(Template::parse("<a>{ticket}"), Err(BadTemplate::Xml(_))));
        let template = Template::parse("<q t='{ticket}'>{ticket_version}</q>").unwrap();
        assert_eq!(template.render("x", "<&'", "4\"0"), b"<q t='&#60;&#38;&#39;'>4&#34;0</q>");
    }

    #[test]
    fn a_ticket_makes_the_round() {
        let connection = Connection { user_name: "alice <&> \"ü\"".into(), ..Connection::default() };
        let values = vec![
            Value { name: "ICAAddress".into(), text: "192.0.2.20:1494".into() },
            Value { name: "XData".into(), text: connection.write() },
        ];
        let (request, encoding) = StaRequest::read(&IssueRequest::new(values.clone(), true).write()).unwrap();
        let StaRequest::Issue(request) = request else { panic!() };
        assert_eq!(request, IssueRequest::new(values, true));

        let issued = IssuedTicket { authority_id: ID.into(), ticket: TICKET.into(), ticket_version: "40".into() };
        let issued = IssuedTicket::read(&write_issue_answer(encoding, Ok(&issued))).unwrap();
        assert_eq!(issued.client_string().expose(), format!(";40;{ID};{TICKET}"));

        let answer = write_redeem_answer(encoding, Ok(&request.values));
        let redeemed = Redeemed::read(&answer, ID, TICKET).unwrap();
        assert_eq!(redeemed.ica_address(), Some("192.0.2.20:1494"));
        assert_eq!(redeemed.cgp_address(), None);
        assert_eq!(redeemed.connection(), Some(connection));
    }

    #[test]
    fn each_no_has_its_name() {
        let refused = write_redeem_answer(Encoding::Utf8, Err(&RefusalId::InvalidTicket));
        assert_eq!(Redeemed::read(&refused, ID, TICKET), Err(NotRedeemed::Refused(RefusalId::InvalidTicket)));
        let answer = |inner: &str| {
            let body = format!("<CtxSTAProtocol><ResponseData>{inner}</ResponseData></CtxSTAProtocol>");
            Redeemed::read(body.as_bytes(), ID, TICKET)
        };
        let address = "<Value name='ICAAddress'>192.0.2.20</Value>";
        let twice = Err(NotRedeemed::Malformed(BadMessage::Duplicate("Value")));
        assert_eq!(answer(""), Err(NotRedeemed::NoAddress));
        assert_eq!(answer(&format!("<Ticket>{}</Ticket>{address}", TICKET.to_lowercase())), Err(NotRedeemed::Crossed));
        assert_eq!(answer(&format!("<AuthorityID>STA01</AuthorityID>{address}")), Err(NotRedeemed::Crossed));
        assert_eq!(answer(&address.repeat(2)), twice);
        answer(&format!("<AuthorityID>{}</AuthorityID>{address}", ID.to_lowercase())).unwrap();
        let many = "<Value name='x'/>".repeat(VALUES_MAX + 1);
        assert!(matches!(answer(&many), Err(NotRedeemed::Malformed(_))));

        let refused = write_issue_answer(Encoding::Utf8, Err(&RefusalId::VersionMismatch));
        assert_eq!(IssuedTicket::read(&refused).unwrap_err(), NotIssued::Refused(RefusalId::VersionMismatch));
        for (id, ticket, version, part) in
            [("a;b", TICKET, "40", "AuthorityID"), (ID, "short", "40", "Ticket"), (ID, TICKET, "4", "TicketVersion")]
        {
            let issued = IssuedTicket { authority_id: id.into(), ticket: ticket.into(), ticket_version: version.into() };
            let read = IssuedTicket::read(&write_issue_answer(Encoding::Utf8, Ok(&issued)));
            assert_eq!(read.unwrap_err(), NotIssued::Malformed(BadMessage::Value(part)));
        }
    }

    proptest! {
        #[test]
        fn values_come_back_unchanged(texts in prop::collection::vec("[ -~\t\r\nü€]{0,64}", 1..VALUES_MAX), refreshable: bool) {
            let value = |(n, text): (usize, &String)| Value { name: format!("n{n}"), text: text.clone() };
            let request = IssueRequest::new(texts.iter().enumerate().map(value).collect(), refreshable);
            let (read, _) = StaRequest::read(&request.write()).unwrap();
            let StaRequest::Issue(read) = read else { panic!() };
            prop_assert_eq!(read, request);
        }

        #[test]
        fn arbitrary_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
            let _answered = StaRequest::read(&bytes);
            let _answered = Redeemed::read(&bytes, ID, TICKET);
            let _answered = IssuedTicket::read(&bytes);
        }

        #[test]
        fn any_ticket_survives_any_template(ticket in "[ -~ü]{0,32}") {
            let body = Template::default().render(ID, &ticket, "40");
            prop_assert!(Document::read(&body, REQUEST_CAPS).is_ok());
        }
    }
}
