//! The answers, both sides.

use thiserror::Error;

use super::app::App;
use super::request::{Address, UserId, number, owned, read_ids, read_words, write_types};
use super::words::{AddressForm, Capability, ClientType, ErrorId, ServerType};
use super::{Kind, ROOT, envelope};
use crate::host_port::{HostPort, NotHostPort};
use crate::secret::Secret;
use crate::xml::encoding::Encoding;
use crate::xml::read::{Document, Node};
use crate::xml::write::Writer;
use crate::xml::{ANSWER_CAPS, BadMessage};

/// Most applications, servers or sessions in one answer.
pub const ENTRIES_MAX: usize = 16_384;
/// The port of a host whose address names none.
pub const ICA_PORT: u16 = 1494;

/// What a service answers.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Optional abilities.
    Capabilities(Vec<Capability>),
    /// The credentials are good. Names of the user, if they were asked for.
    ValidateCredentials(Vec<UserId>),
    /// Applications that the user may start.
    AppData(Vec<App>),
    /// Where it runs.
    Address(AddressAnswer),
    /// A logon ticket.
    Ticket(Secret),
    /// A launch reference: base64, opaque.
    LaunchRef(String),
    /// The farm's servers.
    ServerData(Vec<Server>),
    /// The farm's names.
    ServerFarmData(Vec<String>),
    /// Nothing is said about protocols but that the question was understood.
    ProtocolInfo,
    /// Sessions left behind.
    ReconnectSessionData(Vec<Session>),
    /// Done.
    DisconnectUserSessions,
    /// Done.
    LogoffUserSessions,
    /// No.
    Refused(Refusal),
}

/// A no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// To which question; absent if it could not be identified.
    pub kind: Option<Kind>,
    /// Why.
    pub id: ErrorId,
}

/// [`Answer::Address`]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressAnswer {
    /// The host.
    pub server: Address,
    /// What kind of server.
    pub server_type: ServerType,
    /// How to start.
    pub client_type: ClientType,
    /// Opaque; belongs into the question for a ticket or launch reference.
    pub ticket_tag: Option<String>,
    /// How busy the farm is; opaque.
    pub load_hint: Option<u32>,
    /// Present if the host accepts TLS there.
    pub ssl_relay: Option<Address>,
    /// Present if the host offers session reliability: its port.
    pub cgp_port: Option<u16>,
    /// The user comes back to a session left behind.
    pub disconnected_session: bool,
}

/// A server of the farm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its name.
    pub name: String,
    /// What it is.
    pub server_type: ServerType,
    /// How sessions are started on it.
    pub client_types: Vec<ClientType>,
}

/// A session left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Internal name of its application.
    pub in_name: String,
    /// What it runs on.
    pub server_type: ServerType,
    /// How it was started.
    pub client_type: ClientType,
    /// The host; opaque.
    pub host_id: String,
    /// Its number there; opaque.
    pub session_id: String,
}

/// Why there is no answer to our question in an answer with status 200.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoAnswer {
    /// The service said no.
    #[error("the XML Service refused: {0}")]
    Refused(ErrorId),
    /// The service broke the protocol, or its answer belongs to another question.
    #[error("answer of the XML Service cannot be used")]
    Malformed(#[from] BadMessage),
}

impl Answer {
    /// A no to a question of `kind`, or to one that could not be identified.
    #[must_use]
    pub fn refused(kind: Option<Kind>, id: ErrorId) -> Self {
        Self::Refused(Refusal { kind, id })
    }

    /// Which question it answers.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        Some(match self {
            Self::Capabilities(_) => Kind::Capabilities,
            Self::ValidateCredentials(_) => Kind::ValidateCredentials,
            Self::AppData(_) => Kind::AppData,
            Self::Address(_) => Kind::Address,
            Self::Ticket(_) => Kind::Ticket,
            Self::LaunchRef(_) => Kind::LaunchRef,
            Self::ServerData(_) => Kind::ServerData,
            Self::ServerFarmData(_) => Kind::ServerFarmData,
            Self::ProtocolInfo => Kind::ProtocolInfo,
            Self::ReconnectSessionData(_) => Kind::ReconnectSessionData,
            Self::DisconnectUserSessions => Kind::DisconnectUserSessions,
            Self::LogoffUserSessions => Kind::LogoffUserSessions,
            Self::Refused(refusal) => return refusal.kind,
        })
    }

    /// The body to send, in the encoding of the question.
    #[must_use]
    pub fn write(&self, encoding: Encoding) -> Vec<u8> {
        let mut writer = envelope(encoding);
        let name = self.kind().map(Kind::response);
        if let Some(name) = name {
            writer.open(name);
        }
        self.write_fields(&mut writer);
        if let Some(name) = name {
            writer.close(name);
        }
        writer.close(ROOT);
        writer.finish()
    }

    /// Reads an answer with status 200 to a question of `kind`.
    ///
    /// # Errors
    /// [`NoAnswer`]. An answer to another question is [`BadMessage::OtherAnswer`].
    pub fn read(body: &[u8], kind: Kind) -> Result<Self, NoAnswer> {
        let document = Document::read(body, ANSWER_CAPS).map_err(BadMessage::from)?;
        let root = document.root(ROOT)?;
        if let Some(id) = root.optional_text("ErrorId")? {
            return Err(NoAnswer::Refused(id.into()));
        }
        let other = Kind::ALL.into_iter().any(|other| other != kind && root.each(other.response()).next().is_some());
        if other {
            return Err(BadMessage::OtherAnswer(kind.response()).into());
        }
        let node = root.required(kind.response())?;
        if let Some(id) = node.optional_text("ErrorId")? {
            return Err(NoAnswer::Refused(id.into()));
        }
        Ok(Self::from_node(kind, node)?)
    }

    fn write_fields(&self, writer: &mut Writer) {
        match self {
            Self::Capabilities(all) => all.iter().for_each(|one| {
                writer.leaf("CapabilityId", one.as_str());
            }),
            Self::ValidateCredentials(ids) if ids.is_empty() => {}
            Self::ValidateCredentials(ids) => {
                writer.open("UserIdentityInfo");
                ids.iter().for_each(|id| id.write(writer));
                writer.close("UserIdentityInfo");
            }
            Self::AppData(apps) => {
                writer.open("AppDataSet").single("Scope", &[("traverse", "subtree")]);
                apps.iter().for_each(|app| app.write(writer));
                writer.close("AppDataSet");
            }
            Self::Address(answer) => answer.write(writer),
            Self::Ticket(ticket) => {
                writer.leaf("Ticket", ticket.expose());
            }
            Self::LaunchRef(reference) => {
                writer.leaf("LaunchRef", reference);
            }
            Self::ServerData(servers) => servers.iter().for_each(|server| {
                writer.open("ServerData").leaf("ServerName", &server.name);
                write_types(writer, std::slice::from_ref(&server.server_type), &server.client_types);
                writer.close("ServerData");
            }),
            Self::ServerFarmData(names) => names.iter().for_each(|name| {
                writer.open("ServerFarmData").leaf("ServerFarmName", name).close("ServerFarmData");
            }),
            Self::ReconnectSessionData(sessions) => {
                writer.open("AppDataSet");
                sessions.iter().for_each(|session| session.write(writer));
                writer.close("AppDataSet");
            }
            Self::ProtocolInfo | Self::DisconnectUserSessions | Self::LogoffUserSessions => {}
            Self::Refused(refusal) => {
                writer.leaf("ErrorId", refusal.id.as_str());
            }
        }
    }

    fn from_node(kind: Kind, node: Node<'_>) -> Result<Self, BadMessage> {
        Ok(match kind {
            Kind::Capabilities => Self::Capabilities(read_words(node, "CapabilityId")?),
            Kind::ValidateCredentials => {
                Self::ValidateCredentials(node.optional("UserIdentityInfo")?.map_or(Ok(Vec::new()), read_ids)?)
            }
            Kind::AppData => Self::AppData(entries(node.optional("AppDataSet")?, "AppData", App::from_node)?),
            Kind::Address => Self::Address(AddressAnswer::from_node(node)?),
            Kind::Ticket => Self::Ticket(node.required_text("Ticket")?.into()),
            Kind::LaunchRef => Self::LaunchRef(node.required_text("LaunchRef")?.to_owned()),
            Kind::ServerData => Self::ServerData(entries(Some(node), "ServerData", |server| {
                Ok(Server {
                    name: server.required_text("ServerName")?.to_owned(),
                    server_type: server.optional_text("ServerType")?.map_or(ServerType::Win32, ServerType::from),
                    client_types: read_words(server, "ClientType")?,
                })
            })?),
            Kind::ServerFarmData => Self::ServerFarmData(entries(Some(node), "ServerFarmData", |farm| {
                Ok(farm.required_text("ServerFarmName")?.to_owned())
            })?),
            Kind::ProtocolInfo => Self::ProtocolInfo,
            Kind::ReconnectSessionData => {
                Self::ReconnectSessionData(entries(node.optional("AppDataSet")?, "AppData", Session::from_node)?)
            }
            Kind::DisconnectUserSessions => Self::DisconnectUserSessions,
            Kind::LogoffUserSessions => Self::LogoffUserSessions,
        })
    }
}

impl AddressAnswer {
    /// Where the host is, whatever form it came in. Without a port in it, [`ICA_PORT`].
    ///
    /// # Errors
    /// [`NotHostPort`] if the service sent something else.
    pub fn host_port(&self) -> Result<HostPort, NotHostPort> {
        HostPort::parse(&self.server.text, ICA_PORT)
    }

    fn write(&self, writer: &mut Writer) {
        self.server.write(writer, "ServerAddress");
        writer.leaf("ServerType", self.server_type.as_str()).leaf("ConnectionType", "tcp");
        writer.leaf("ClientType", self.client_type.as_str()).leaf_if("TicketTag", self.ticket_tag.as_deref());
        writer.leaf_if("FarmLoadHint", self.load_hint.map(|hint| hint.to_string()).as_deref());
        if let Some(relay) = &self.ssl_relay {
            relay.write(writer, "SSLRelayAddress");
        }
        if let Some(port) = self.cgp_port {
            writer.leaf_with("CGPAddress", &[("addresstype", AddressForm::Port.as_str())], &port.to_string());
        }
        if self.disconnected_session {
            writer.single("DisconnectedSession", &[]);
        }
    }

    fn from_node(node: Node<'_>) -> Result<Self, BadMessage> {
        node.required_text("ServerAddress")?;
        let cgp_port = match number(node, "CGPAddress")? {
            Some(port) => Some(u16::try_from(port).ok().filter(|&port| port != 0).ok_or(BadMessage::Value("CGPAddress"))?),
            None => None,
        };
        Ok(Self {
            server: Address::from_node(node.required("ServerAddress")?, AddressForm::DotPort),
            server_type: node.optional_text("ServerType")?.map_or(ServerType::Win32, ServerType::from),
            client_type: node.optional_text("ClientType")?.map_or(ClientType::Ica30, ClientType::from),
            ticket_tag: owned(node.optional_text("TicketTag")?),
            load_hint: number(node, "FarmLoadHint")?,
            ssl_relay: node.optional("SSLRelayAddress")?.map(|relay| Address::from_node(relay, AddressForm::DnsPort)),
            cgp_port,
            disconnected_session: node.optional("DisconnectedSession")?.is_some(),
        })
    }
}

impl Session {
    fn write(&self, writer: &mut Writer) {
        writer.open_with("AppData", &[("type", "session")]).leaf("InName", &self.in_name);
        writer.single("DataType", &[("value", "session")]);
        write_types(writer, std::slice::from_ref(&self.server_type), std::slice::from_ref(&self.client_type));
        writer.leaf_with("HostId", &[("type", "ima-host-id")], &self.host_id);
        writer.leaf("SessionId", &self.session_id).close("AppData");
    }

    fn from_node(node: Node<'_>) -> Result<Self, BadMessage> {
        Ok(Self {
            in_name: node.required_text("InName")?.to_owned(),
            server_type: node.optional_text("ServerType")?.map_or(ServerType::Win32, ServerType::from),
            client_type: node.optional_text("ClientType")?.map_or(ClientType::Ica30, ClientType::from),
            host_id: node.required_text("HostId")?.to_owned(),
            session_id: node.required_text("SessionId")?.to_owned(),
        })
    }
}

/// Every child of `set` called `name`. An absent set is an empty one.
fn entries<'d, T>(
    set: Option<Node<'d>>,
    name: &'static str,
    read: impl Fn(Node<'d>) -> Result<T, BadMessage>,
) -> Result<Vec<T>, BadMessage> {
    let Some(set) = set else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    for node in set.each(name) {
        if all.len() >= ENTRIES_MAX {
            return Err(BadMessage::TooMuch(name));
        }
        all.push(read(node)?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_mirrors_the_encoding_and_escapes_what_it_cannot_hold() {
        let answer = Answer::ServerFarmData(vec!["Büro € <1>".to_owned()]);
        let bytes = answer.write(Encoding::Latin1);
        assert!(bytes.starts_with(b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>"));
        let name = b"<ServerFarmName>B\xFCro &#8364; &#60;1&#62;</ServerFarmName>";
        assert!(bytes.windows(name.len()).any(|window| window == name));
        let Answer::ServerFarmData(names) = Answer::read(&bytes, Kind::ServerFarmData).unwrap() else { panic!() };
        assert_eq!(names, ["Büro € <1>"]);
    }

    #[test]
    fn a_refusal_stands_in_the_element_of_its_question() {
        let text = |answer: &Answer| String::from_utf8(answer.write(Encoding::Utf8)).unwrap();
        let known = Answer::refused(Some(Kind::Ticket), ErrorId::TicketingDisabled);
        assert!(text(&known).contains("\"5.4\"><ResponseTicket><ErrorId>Ticketing-Disabled</ErrorId></ResponseTicket></NFuse"));
        let unknown = Answer::refused(None, ErrorId::Unspecified);
        assert!(text(&unknown).contains("\"5.4\"><ErrorId>unspecified</ErrorId></NFuse"));
        for (answer, id) in [(known, ErrorId::TicketingDisabled), (unknown, ErrorId::Unspecified)] {
            let read = Answer::read(&answer.write(Encoding::Utf8), Kind::Ticket);
            assert_eq!(read.unwrap_err(), NoAnswer::Refused(id));
        }
    }

    #[test]
    fn an_answer_to_another_question_is_not_taken() {
        let ticket = Answer::Ticket("234E9D1E6F9AE50D98AF5A063D28AF".into()).write(Encoding::Utf8);
        let crossed = Answer::read(&ticket, Kind::Address).unwrap_err();
        assert_eq!(crossed, NoAnswer::Malformed(BadMessage::OtherAnswer("ResponseAddress")));
    }

    #[test]
    fn the_address_counts_in_the_form_that_came() {
        let answer = |form: &str, text: &str| {
            let server = format!("<ServerAddress addresstype=\"{form}\">{text}</ServerAddress>");
            let body = format!("<NFuseProtocol><ResponseAddress>{server}</ResponseAddress></NFuseProtocol>");
            match Answer::read(body.as_bytes(), Kind::Address) {
                Ok(Answer::Address(answer)) => answer.host_port().map(|found| found.to_string()),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(answer("dot-port", "192.0.2.20:2000").unwrap(), "192.0.2.20:2000");
        assert_eq!(answer("dns", "srv-a.example.test").unwrap(), "srv-a.example.test:1494");
        assert_eq!(answer("dot", "127.1"), Err(NotHostPort::Host));
    }
}
