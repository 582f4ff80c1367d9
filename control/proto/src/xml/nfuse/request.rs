//! The questions, both sides.

use super::words::{AddressFlag, AddressForm, ClientType, Detail, DomainType, ServerType, SessionType, Traverse};
use super::{Kind, ROOT, envelope};
use crate::ctx1;
use crate::secret::Secret;
use crate::xml::encoding::Encoding;
use crate::xml::read::{Document, Node};
use crate::xml::write::Writer;
use crate::xml::{BadMessage, REQUEST_CAPS};

/// Most entries of a list in a request: details, types, flags, identities.
pub const LIST_MAX: usize = 32;
/// Most applications that one request may name.
pub const APP_NAMES_MAX: usize = 256;

/// A question to the XML Service.
#[derive(Clone, Debug)]
pub enum Request {
    /// Which optional abilities the service has.
    Capabilities,
    /// Whether credentials are good.
    ValidateCredentials(ValidateCredentials),
    /// Which applications a user may start.
    AppData(AppDataRequest),
    /// Where an application runs.
    Address(AddressRequest),
    /// A logon ticket, to be consumed by the host.
    Ticket(LogonTicketRequest),
    /// A launch reference, to be consumed by the host.
    LaunchRef(LaunchRefRequest),
    /// Which servers there are.
    ServerData(ServerDataRequest),
    /// What the farm is called.
    ServerFarmData,
    /// What a host speaks. Asked by old portals only.
    ProtocolInfo {
        /// The host's address, if one was given.
        server_address: Option<String>,
    },
    /// Which sessions a user left behind.
    ReconnectSessionData(SessionsRequest),
    /// Disconnect a user's sessions.
    DisconnectUserSessions(SessionsRequest),
    /// End a user's sessions.
    LogoffUserSessions(SessionsRequest),
}

/// Who is asking for whom.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// A user with a password.
    Password {
        /// Login name, or `name@domain` with no domain.
        user: String,
        /// As it came.
        password: Password,
        /// Where the name is known.
        domain: Option<Domain>,
    },
    /// A user whom a trusted portal vouches for. Only for callers that are configured as such.
    Identity(Vec<UserId>),
}

/// A password as it stood in the request.
#[derive(Clone, Debug)]
pub enum Password {
    /// In the clear.
    Cleartext(Secret),
    /// Obfuscated; the letters.
    Ctx1(Secret),
    /// In an encoding that we do not offer, by its name. The answer is `failed-credentials`.
    Unsupported(String),
}

/// Where a user or group name is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// What kind of directory.
    pub kind: DomainType,
    /// Its name; may be empty.
    pub name: String,
}

/// One name of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserId {
    /// `SAM`, `UPN` or `SID`; absent means the ordinary `DOMAIN\name`.
    pub kind: Option<String>,
    /// The name.
    pub text: String,
}

/// [`Request::ValidateCredentials`]
#[derive(Clone, Debug)]
pub struct ValidateCredentials {
    /// Whose.
    pub credentials: Credentials,
    /// Whether the user's names are wanted in the answer.
    pub wants_identity: bool,
}

/// [`Request::AppData`]
#[derive(Clone, Debug, Default)]
pub struct AppDataRequest {
    /// Which folder to list; the whole farm if absent.
    pub scope: Scope,
    /// What is wanted about each application.
    pub details: Vec<Detail>,
    /// Restrict to these internal names, if any are given.
    pub app_names: Vec<String>,
    /// Which servers; empty means all.
    pub server_types: Vec<ServerType>,
    /// Which ways to start; empty means all.
    pub client_types: Vec<ClientType>,
    /// For whom. Absent asks for every application of the farm.
    pub credentials: Option<Credentials>,
    /// From where.
    pub client: Client,
}

/// How much of the tree of folders is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// How far below the folder.
    pub traverse: Traverse,
    /// A folder's path; absent means the root.
    pub folder: Option<String>,
}

impl Default for Scope {
    fn default() -> Self {
        Self { traverse: Traverse::Subtree, folder: None }
    }
}

/// The machine in front of which the user sits, as far as the portal knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// Its name, as it will appear in the ICA file.
    pub name: Option<String>,
    /// Its address.
    pub address: Option<Address>,
    /// A stable id of the device.
    pub device_id: Option<String>,
}

/// An address with its form. Trust the form that came with it, not the one that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// What [`Self::text`] looks like.
    pub form: AddressForm,
    /// The address.
    pub text: String,
}

/// [`Request::Address`]
#[derive(Clone, Debug)]
pub struct AddressRequest {
    /// What is to be started.
    pub target: AddressTarget,
    /// From where.
    pub client: Client,
    /// The form wanted for the host's address.
    pub wanted: Option<AddressForm>,
    /// Wishes about the choice.
    pub flags: Vec<AddressFlag>,
    /// For whom.
    pub credentials: Option<Credentials>,
    /// How it will be started.
    pub client_type: Option<ClientType>,
}

/// What a user wants to reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressTarget {
    /// An application, by its internal name.
    App(String),
    /// A session left behind.
    Session(SessionName),
}

/// A running session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionName {
    /// Internal name of its application.
    pub in_name: String,
    /// The host it runs on; opaque.
    pub host_id: String,
    /// Its number there; opaque.
    pub session_id: String,
}

/// [`Request::Ticket`]
#[derive(Clone, Debug)]
pub struct LogonTicketRequest {
    /// Who will log on with it.
    pub credentials: Credentials,
    /// `CtxLogon`.
    pub ticket_type: String,
    /// From the answer to [`Request::Address`], unchanged.
    pub ticket_tag: Option<String>,
    /// How long it is to be good, in seconds.
    pub time_to_live_s: Option<u32>,
}

/// [`Request::LaunchRef`]
#[derive(Clone, Debug)]
pub struct LaunchRefRequest {
    /// `ICA`.
    pub kind: String,
    /// From the answer to [`Request::Address`], unchanged.
    pub ticket_tag: Option<String>,
    /// The device that will use it.
    pub device_id: Option<String>,
    /// Launches with equal keys share one session.
    pub session_sharing_key: Option<String>,
    /// Who will log on with it.
    pub credentials: Option<Credentials>,
    /// How long it is to be good, in seconds.
    pub time_to_live_s: Option<u32>,
}

/// [`Request::ServerData`]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerDataRequest {
    /// Which servers; empty means all.
    pub server_types: Vec<ServerType>,
    /// Which ways to start; empty means all.
    pub client_types: Vec<ClientType>,
}

/// The three questions about a user's sessions.
#[derive(Clone, Debug)]
pub struct SessionsRequest {
    /// Whose.
    pub credentials: Option<Credentials>,
    /// On which machine.
    pub client: Client,
    /// On which servers; empty means all.
    pub server_types: Vec<ServerType>,
    /// Started which way; empty means all.
    pub client_types: Vec<ClientType>,
    /// In which state; empty means any.
    pub session_types: Vec<SessionType>,
}

/// A request that could not be read, with what is needed to answer it.
#[derive(Debug, PartialEq, Eq)]
pub struct BadRequest {
    /// What was asked, if that much could be read: names the element of the answer.
    pub kind: Option<Kind>,
    /// In which encoding to answer.
    pub encoding: Encoding,
    /// What is wrong with it.
    pub why: BadMessage,
}

impl Request {
    /// Reads a request that reached a service. The [`Encoding`] is the one to answer in.
    ///
    /// # Errors
    /// [`BadRequest`]; the answer is [`Answer::refused`](super::answer::Answer::refused) with its kind.
    pub fn read(body: &[u8]) -> Result<(Self, Encoding), BadRequest> {
        let bad = |kind, encoding| move |why| BadRequest { kind, encoding, why };
        let document = Document::read(body, REQUEST_CAPS).map_err(|why| bad(None, Encoding::Utf8)(why.into()))?;
        let encoding = document.encoding();
        let root = document.root(ROOT).map_err(bad(None, encoding))?;
        let mut known = root.children().filter_map(|node| {
            let kind = Kind::ALL.into_iter().find(|kind| kind.request() == node.name())?;
            Some((kind, node))
        });
        let (Some((kind, node)), None) = (known.next(), known.next()) else {
            return Err(bad(None, encoding)(BadMessage::NoMessage));
        };
        let request = Self::from_node(kind, node).map_err(bad(Some(kind), encoding))?;
        Ok((request, encoding))
    }

    /// Which question it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Capabilities => Kind::Capabilities,
            Self::ValidateCredentials(_) => Kind::ValidateCredentials,
            Self::AppData(_) => Kind::AppData,
            Self::Address(_) => Kind::Address,
            Self::Ticket(_) => Kind::Ticket,
            Self::LaunchRef(_) => Kind::LaunchRef,
            Self::ServerData(_) => Kind::ServerData,
            Self::ServerFarmData => Kind::ServerFarmData,
            Self::ProtocolInfo { .. } => Kind::ProtocolInfo,
            Self::ReconnectSessionData(_) => Kind::ReconnectSessionData,
            Self::DisconnectUserSessions(_) => Kind::DisconnectUserSessions,
            Self::LogoffUserSessions(_) => Kind::LogoffUserSessions,
        }
    }

    /// The body to send.
    #[must_use]
    pub fn write(&self, encoding: Encoding) -> Vec<u8> {
        let mut writer = envelope(encoding);
        let name = self.kind().request();
        writer.open(name);
        self.write_fields(&mut writer);
        writer.close(name).close(ROOT);
        writer.finish()
    }

    fn write_fields(&self, writer: &mut Writer) {
        match self {
            Self::Capabilities | Self::ServerFarmData => {
                writer.single("Nil", &[]);
            }
            Self::ValidateCredentials(asked) => {
                asked.credentials.write(writer);
                writer.leaf_if("DesiredInfo", asked.wants_identity.then_some("user-identity"));
            }
            Self::AppData(asked) => asked.write(writer),
            Self::Address(asked) => asked.write(writer),
            Self::Ticket(asked) => {
                asked.credentials.write(writer);
                writer.leaf("TicketType", &asked.ticket_type).leaf_if("TicketTag", asked.ticket_tag.as_deref());
                writer.leaf_if("TimetoLive", asked.time_to_live_s.map(|s| s.to_string()).as_deref());
            }
            Self::LaunchRef(asked) => {
                writer.leaf("LaunchRefType", &asked.kind);
                writer.leaf_if("TicketTag", asked.ticket_tag.as_deref());
                writer.leaf_if("DeviceId", asked.device_id.as_deref());
                writer.leaf_if("SessionSharingKey", asked.session_sharing_key.as_deref());
                write_credentials(writer, asked.credentials.as_ref());
                writer.leaf_if("TimeToLive", asked.time_to_live_s.map(|s| s.to_string()).as_deref());
            }
            Self::ServerData(asked) => write_types(writer, &asked.server_types, &asked.client_types),
            Self::ProtocolInfo { server_address } => {
                writer.leaf_if("ServerAddress", server_address.as_deref());
            }
            Self::ReconnectSessionData(asked) | Self::DisconnectUserSessions(asked) | Self::LogoffUserSessions(asked) => {
                write_credentials(writer, asked.credentials.as_ref());
                asked.client.write(writer);
                write_types(writer, &asked.server_types, &asked.client_types);
                for kind in &asked.session_types {
                    writer.leaf("SessionType", kind.as_str());
                }
            }
        }
    }

    fn from_node(kind: Kind, node: Node<'_>) -> Result<Self, BadMessage> {
        Ok(match kind {
            Kind::Capabilities => Self::Capabilities,
            Kind::ServerFarmData => Self::ServerFarmData,
            Kind::ValidateCredentials => Self::ValidateCredentials(ValidateCredentials {
                credentials: Credentials::from_node(node.required("Credentials")?)?,
                wants_identity: node.texts("DesiredInfo", LIST_MAX)?.contains(&"user-identity"),
            }),
            Kind::AppData => Self::AppData(AppDataRequest::from_node(node)?),
            Kind::Address => Self::Address(AddressRequest::from_node(node)?),
            Kind::Ticket => Self::Ticket(LogonTicketRequest {
                credentials: Credentials::from_node(node.required("Credentials")?)?,
                ticket_type: node.required_text("TicketType")?.to_owned(),
                ticket_tag: owned(node.optional_text("TicketTag")?),
                time_to_live_s: number(node, "TimetoLive")?,
            }),
            Kind::LaunchRef => Self::LaunchRef(LaunchRefRequest {
                kind: node.required_text("LaunchRefType")?.to_owned(),
                ticket_tag: owned(node.optional_text("TicketTag")?),
                device_id: owned(node.optional_text("DeviceId")?),
                session_sharing_key: owned(node.optional_text("SessionSharingKey")?),
                credentials: optional_credentials(node)?,
                time_to_live_s: number(node, "TimeToLive")?,
            }),
            Kind::ServerData => Self::ServerData(ServerDataRequest {
                server_types: read_words(node, "ServerType")?,
                client_types: read_words(node, "ClientType")?,
            }),
            Kind::ProtocolInfo => Self::ProtocolInfo { server_address: owned(node.optional_text("ServerAddress")?) },
            Kind::ReconnectSessionData => Self::ReconnectSessionData(SessionsRequest::from_node(node)?),
            Kind::DisconnectUserSessions => Self::DisconnectUserSessions(SessionsRequest::from_node(node)?),
            Kind::LogoffUserSessions => Self::LogoffUserSessions(SessionsRequest::from_node(node)?),
        })
    }
}

impl Credentials {
    /// A user with a password that will travel as ctx1.
    #[must_use]
    pub fn with_password(user: impl Into<String>, password: &Secret, domain: Option<&str>) -> Self {
        Self::Password {
            user: user.into(),
            password: Password::Ctx1(ctx1::encode(password.expose())),
            domain: domain.map(|name| Domain { kind: DomainType::Nt, name: name.to_owned() }),
        }
    }

    fn write(&self, writer: &mut Writer) {
        writer.open("Credentials");
        match self {
            Self::Password { user, password, domain } => {
                writer.leaf("UserName", user);
                let (encoding, text) = match password {
                    Password::Cleartext(text) => ("cleartext", text.expose()),
                    Password::Ctx1(letters) => ("ctx1", letters.expose()),
                    Password::Unsupported(encoding) => (encoding.as_str(), ""),
                };
                writer.leaf_with("Password", &[("encoding", encoding)], text);
                if let Some(domain) = domain {
                    domain.write(writer);
                }
            }
            Self::Identity(ids) => ids.iter().for_each(|id| id.write(writer)),
        }
        writer.close("Credentials");
    }

    fn from_node(node: Node<'_>) -> Result<Self, BadMessage> {
        let ids = read_ids(node)?;
        let user = node.optional_text("UserName")?;
        let password = node.optional("Password")?;
        match (ids.is_empty(), user, password) {
            (false, None, None) => Ok(Self::Identity(ids)),
            (false, ..) => Err(BadMessage::Value("Credentials")),
            (true, None, _) => Err(BadMessage::Missing("UserName")),
            (true, Some(""), _) => Err(BadMessage::Empty("UserName")),
            (true, Some(_), None) => Err(BadMessage::Missing("Password")),
            (true, Some(user), Some(password)) => Ok(Self::Password {
                user: user.to_owned(),
                password: Password::from_node(password),
                domain: node.optional("Domain")?.map(Domain::from_node),
            }),
        }
    }
}

impl Password {
    /// The password in the clear. A matter for whoever checks it, and for nobody else.
    ///
    /// # Errors
    /// The name of an encoding that is not offered, or what is wrong with ctx1 letters. Both mean
    /// `failed-credentials`.
    pub fn reveal(&self) -> Result<Secret, NoPassword> {
        match self {
            Self::Cleartext(text) => Ok(text.clone()),
            Self::Ctx1(letters) => ctx1::decode(letters.expose()).map_err(NoPassword::Ctx1),
            Self::Unsupported(encoding) => Err(NoPassword::Encoding(encoding.clone())),
        }
    }

    fn from_node(node: Node<'_>) -> Self {
        match node.attribute("encoding") {
            None | Some("cleartext") => Self::Cleartext(node.text().into()),
            Some("ctx1") => Self::Ctx1(node.text().into()),
            Some(other) => Self::Unsupported(other.to_owned()),
        }
    }
}

/// Why a [`Password`] cannot be revealed. The sender's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPassword {
    /// An encoding that we do not offer.
    #[error("password encoding {0} is not supported")]
    Encoding(String),
    /// It says ctx1 and is not.
    #[error("password is not ctx1")]
    Ctx1(#[source] ctx1::NotCtx1),
}

impl Domain {
    pub(super) fn write(&self, writer: &mut Writer) {
        writer.leaf_with("Domain", &[("type", self.kind.as_str())], &self.name);
    }

    pub(super) fn from_node(node: Node<'_>) -> Self {
        let kind = node.attribute("type").map_or(DomainType::Nt, DomainType::from);
        Self { kind, name: node.text().to_owned() }
    }
}

impl UserId {
    pub(super) fn write(&self, writer: &mut Writer) {
        match &self.kind {
            Some(kind) => writer.leaf_with("ID", &[("type", kind)], &self.text),
            None => writer.leaf("ID", &self.text),
        };
    }
}

impl Client {
    fn write(&self, writer: &mut Writer) {
        writer.leaf_if("ClientName", self.name.as_deref());
        if let Some(address) = &self.address {
            address.write(writer, "ClientAddress");
        }
        writer.leaf_if("DeviceId", self.device_id.as_deref());
    }

    fn from_node(node: Node<'_>) -> Result<Self, BadMessage> {
        Ok(Self {
            name: owned(node.optional_text("ClientName")?),
            address: node.optional("ClientAddress")?.map(|node| Address::from_node(node, AddressForm::Dot)),
            device_id: owned(node.optional_text("DeviceId")?),
        })
    }
}

impl Address {
    pub(super) fn write(&self, writer: &mut Writer, name: &'static str) {
        writer.leaf_with(name, &[("addresstype", self.form.as_str())], &self.text);
    }

    pub(super) fn from_node(node: Node<'_>, form_default: AddressForm) -> Self {
        let form = node.attribute("addresstype").map_or(form_default, AddressForm::from);
        Self { form, text: node.text().to_owned() }
    }
}

impl AppDataRequest {
    fn write(&self, writer: &mut Writer) {
        let traverse = ("traverse", self.scope.traverse.as_str());
        match &self.scope.folder {
            Some(folder) => writer.leaf_with("Scope", &[traverse, ("type", "PNFolder")], folder),
            None => writer.leaf_with("Scope", &[traverse], ""),
        };
        for detail in &self.details {
            writer.leaf("DesiredDetails", detail.as_str());
        }
        for name in &self.app_names {
            writer.leaf("AppName", name);
        }
        write_types(writer, &self.server_types, &self.client_types);
        write_credentials(writer, self.credentials.as_ref());
        self.client.write(writer);
    }

    fn from_node(node: Node<'_>) -> Result<Self, BadMessage> {
        let scope = match node.optional("Scope")? {
            Some(scope) => Scope {
                traverse: scope.attribute("traverse").map_or(Traverse::Subtree, Traverse::from),
                folder: Some(scope.text()).filter(|folder| !folder.is_empty()).map(str::to_owned),
            },
            None => Scope::default(),
        };
        Ok(Self {
            scope,
            details: read_words(node, "DesiredDetails")?,
            app_names: node.texts("AppName", APP_NAMES_MAX)?.into_iter().map(str::to_owned).collect(),
            server_types: read_words(node, "ServerType")?,
            client_types: read_words(node, "ClientType")?,
            credentials: optional_credentials(node)?,
            client: Client::from_node(node)?,
        })
    }
}

impl AddressRequest {
    fn write(&self, writer: &mut Writer) {
        writer.open("Name");
        match &self.target {
            AddressTarget::App(name) => {
                writer.leaf("AppName", name);
            }
            AddressTarget::Session(session) => {
                writer.open("SessionName").leaf("InName", &session.in_name);
                writer.leaf_with("HostId", &[("type", "ima-host-id")], &session.host_id);
                writer.leaf("SessionId", &session.session_id).close("SessionName");
            }
        }
        writer.close("Name");
        self.client.write(writer);
        if let Some(form) = &self.wanted {
            writer.leaf_with("ServerAddress", &[("addresstype", form.as_str())], "");
        }
        for flag in &self.flags {
            writer.leaf("Flags", flag.as_str());
        }
        write_credentials(writer, self.credentials.as_ref());
        writer.leaf_if("ClientType", self.client_type.as_ref().map(ClientType::as_str));
    }

    fn from_node(node: Node<'_>) -> Result<Self, BadMessage> {
        let name = node.required("Name")?;
        let target = match (name.optional("AppName")?, name.optional("SessionName")?) {
            (Some(_), None) => AddressTarget::App(name.required_text("AppName")?.to_owned()),
            (None, Some(session)) => AddressTarget::Session(SessionName {
                in_name: session.required_text("InName")?.to_owned(),
                host_id: session.required_text("HostId")?.to_owned(),
                session_id: session.required_text("SessionId")?.to_owned(),
            }),
            (None, None) => return Err(BadMessage::Missing("AppName")),
            (Some(_), Some(_)) => return Err(BadMessage::Value("Name")),
        };
        let wanted = node.optional("ServerAddress")?.and_then(|address| address.attribute("addresstype"));
        Ok(Self {
            target,
            client: Client::from_node(node)?,
            wanted: wanted.map(AddressForm::from),
            flags: read_words(node, "Flags")?,
            credentials: optional_credentials(node)?,
            client_type: node.optional_text("ClientType")?.map(ClientType::from),
        })
    }
}

impl SessionsRequest {
    fn from_node(node: Node<'_>) -> Result<Self, BadMessage> {
        Ok(Self {
            credentials: optional_credentials(node)?,
            client: Client::from_node(node)?,
            server_types: read_words(node, "ServerType")?,
            client_types: read_words(node, "ClientType")?,
            session_types: read_words(node, "SessionType")?,
        })
    }
}

pub(super) fn write_types(writer: &mut Writer, servers: &[ServerType], clients: &[ClientType]) {
    for kind in servers {
        writer.leaf("ServerType", kind.as_str());
    }
    for kind in clients {
        writer.leaf("ClientType", kind.as_str());
    }
}

/// All texts called `name`, as words. An empty element says nothing and is passed over.
pub(super) fn read_words<W: for<'w> From<&'w str>>(node: Node<'_>, name: &'static str) -> Result<Vec<W>, BadMessage> {
    Ok(node.texts(name, LIST_MAX)?.into_iter().filter(|text| !text.is_empty()).map(W::from).collect())
}

pub(super) fn read_ids(node: Node<'_>) -> Result<Vec<UserId>, BadMessage> {
    let ids: Vec<_> = node.each("ID").take(LIST_MAX + 1).collect();
    if ids.len() > LIST_MAX {
        return Err(BadMessage::TooMuch("ID"));
    }
    if ids.iter().any(|id| id.text().is_empty()) {
        return Err(BadMessage::Empty("ID"));
    }
    let read = |id: Node<'_>| UserId { kind: owned(id.attribute("type")), text: id.text().to_owned() };
    Ok(ids.into_iter().map(read).collect())
}

pub(super) fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

/// A number in decimal digits. Absent is `None`; empty or anything else is an error.
pub(super) fn number(node: Node<'_>, name: &'static str) -> Result<Option<u32>, BadMessage> {
    let Some(text) = node.optional_text(name)? else { return Ok(None) };
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = if digits { text.parse().ok() } else { None };
    number.map(Some).ok_or(BadMessage::Value(name))
}

fn write_credentials(writer: &mut Writer, credentials: Option<&Credentials>) {
    if let Some(credentials) = credentials {
        credentials.write(writer);
    }
}

fn optional_credentials(node: Node<'_>) -> Result<Option<Credentials>, BadMessage> {
    node.optional("Credentials")?.map(Credentials::from_node).transpose()
}
