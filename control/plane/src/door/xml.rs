//! The embedded XML Service: who is a user, what is published to whom, where it runs.
//!
//! Every answer is HTTP 200; a refusal is a word inside. There is no session state: each request that concerns a user brings
//! the credentials along. Without credentials the whole farm is listed, as real services do, to callers that are admitted, but
//! never who may use what.

use std::net::IpAddr;
use std::sync::Arc;

use gate_auth::tickets::Code;
use gate_config::model::{self, Model, ResourceKind};
use gate_proto::secret::Secret;
use gate_proto::xml::BadMessage;
use gate_proto::xml::nfuse::Kind;
use gate_proto::xml::nfuse::answer::{AddressAnswer, Answer, Server};
use gate_proto::xml::nfuse::app::{Access, App, Settings};
use gate_proto::xml::nfuse::request::{
    Address, AddressRequest, AddressTarget, AppDataRequest, Credentials, Domain, LogonTicketRequest, Request, UserId,
};
use gate_proto::xml::nfuse::words::{
    AddressFlag, AddressForm, Capability, ClientType, Detail, DomainType, ErrorId, ServerType, Traverse,
};
use tracing::debug;

use crate::action::{Action, Claim, Owned, Person};
use crate::credentials::{self, NotProven};
use crate::helpers::Helpers;

/// The farm's name, if the operator gave this machine none.
const FARM_NAME: &str = "Sluicegate";
/// The only kind of logon ticket.
const LOGON: &str = "CtxLogon";

/// See the module.
pub(crate) struct Service {
    pub(crate) model: Arc<Model>,
    pub(crate) owner: Owned,
    pub(crate) helpers: Arc<Helpers>,
}

impl Service {
    /// Answers one document with another.
    pub(crate) async fn answer(&self, body: &[u8], peer: IpAddr) -> Vec<u8> {
        match Request::read(body) {
            Ok((request, encoding)) => self.answer_to(&request, peer).await.write(encoding),
            Err(bad) => {
                debug!(%peer, why = %bad.why, "request to the XML Service cannot be read");
                let id = if matches!(bad.why, BadMessage::NoMessage) { ErrorId::NotSupported } else { ErrorId::Unspecified };
                Answer::refused(bad.kind, id).write(bad.encoding)
            }
        }
    }

    /// The same without documents.
    async fn answer_to(&self, request: &Request, peer: IpAddr) -> Answer {
        let answer = match request {
            Request::Capabilities => Ok(Answer::Capabilities(vec![
                Capability::SeparateCredentialsValidation,
                Capability::UserIdentity,
                Capability::LaunchReference,
            ])),
            Request::ValidateCredentials(asked) => {
                let person = self.prove(&asked.credentials).await;
                person.map(|person| Answer::ValidateCredentials(if asked.wants_identity { ids(&person) } else { Vec::new() }))
            }
            Request::AppData(asked) => self.apps(asked).await.map(Answer::AppData),
            Request::Address(asked) => self.address(asked).await,
            Request::Ticket(asked) => self.logon_ticket(asked, peer).await,
            Request::LaunchRef(asked) => match &asked.credentials {
                Some(credentials) => {
                    self.token(credentials, peer, true).await.map(|code| Answer::LaunchRef(code.expose().to_owned()))
                }
                None => Err(ErrorId::FailedCredentials),
            },
            Request::ServerData(asked) => Ok(Answer::ServerData(self.servers(&asked.server_types, &asked.client_types))),
            Request::ServerFarmData => Ok(Answer::ServerFarmData(vec![self.farm_name().to_owned()])),
            Request::ProtocolInfo { .. } => Err(ErrorId::Unspecified),
            Request::ReconnectSessionData(asked) => {
                self.prove_if(asked.credentials.as_ref()).await.map(|()| Answer::ReconnectSessionData(Vec::new()))
            }
            Request::DisconnectUserSessions(asked) => {
                self.prove_if(asked.credentials.as_ref()).await.map(|()| Answer::DisconnectUserSessions)
            }
            Request::LogoffUserSessions(asked) => {
                self.prove_if(asked.credentials.as_ref()).await.map(|()| Answer::LogoffUserSessions)
            }
        };
        answer.unwrap_or_else(|id| self.refused(request.kind(), id))
    }

    fn refused(&self, kind: Kind, id: ErrorId) -> Answer {
        Answer::refused(Some(kind), id)
    }

    fn farm_name(&self) -> &str {
        self.model.host_name.as_deref().unwrap_or(FARM_NAME)
    }

    async fn prove(&self, credentials: &Credentials) -> Result<Person, ErrorId> {
        let Credentials::Password { user, password, domain } = credentials else { return Err(ErrorId::NotTrusted) };
        let password = password.reveal().map_err(|_| ErrorId::FailedCredentials)?;
        let claim = Claim {
            user: user.clone(),
            domain: domain.as_ref().map(|domain| domain.name.clone()),
            password: password.expose().to_owned().into(),
        };
        credentials::prove(&self.owner, &self.helpers, claim).await.map_err(|why| match why {
            NotProven::Wrong => ErrorId::FailedCredentials,
            NotProven::Wait(_) => ErrorId::AccountLockedOut,
            NotProven::Busy | NotProven::NoOwner(_) => ErrorId::ServiceUnavailable,
        })
    }

    async fn prove_if(&self, credentials: Option<&Credentials>) -> Result<(), ErrorId> {
        match credentials {
            Some(credentials) => self.prove(credentials).await.map(drop),
            None => Err(ErrorId::FailedCredentials),
        }
    }

    async fn apps(&self, asked: &AppDataRequest) -> Result<Vec<App>, ErrorId> {
        let person = match &asked.credentials {
            Some(credentials) => Some(self.prove(credentials).await?),
            None => None,
        };
        if !wants(&asked.client_types, &ClientType::Ica30, &ClientType::All)
            || !wants(&asked.server_types, &ServerType::Win32, &ServerType::All)
        {
            return Ok(Vec::new());
        }
        let mut apps = Vec::new();
        for (number, (name, resource)) in (1..).zip(self.model.farm.resources.iter()) {
            let is_theirs = person.as_ref().is_none_or(|person| may_use(resource, person));
            let is_named = asked.app_names.is_empty() || asked.app_names.iter().any(|n| n == name.as_str());
            let folder = resource.folder.as_deref().unwrap_or_default();
            if is_theirs && is_named && is_in(folder, asked) {
                // Who may use what is told to nobody who has not said who he is.
                let access = (person.is_some() && asked.details.contains(&Detail::AccessList)).then(|| self.access(resource));
                apps.push(App {
                    in_name: name.as_str().to_owned(),
                    display_name: resource.display_name.as_deref().unwrap_or(name.as_str()).to_owned(),
                    settings: Some(self.settings(resource)),
                    access,
                    sequence: number,
                    server_type: ServerType::Win32,
                    client_types: vec![ClientType::Ica30],
                });
            }
        }
        Ok(apps)
    }

    fn settings(&self, resource: &model::Resource) -> Settings {
        Settings {
            is_desktop: resource.kind == ResourceKind::Desktop,
            folder: resource.folder.as_deref().unwrap_or_default().to_owned(),
            description: resource.description.as_deref().unwrap_or_default().to_owned(),
            publisher: self.farm_name().to_owned(),
            ..Settings::default()
        }
    }

    fn access(&self, resource: &model::Resource) -> Vec<Access> {
        let domain =
            || Some(Domain { kind: DomainType::Nt, name: self.model.vpn.nt_domain.as_deref().unwrap_or_default().to_owned() });
        let users = resource.access.users.iter().map(|name| Access::User { name: name.as_str().to_owned(), domain: domain() });
        let groups = resource.access.groups.iter().map(|name| Access::Group { name: name.as_str().to_owned(), domain: domain() });
        users.chain(groups).collect()
    }

    async fn address(&self, asked: &AddressRequest) -> Result<Answer, ErrorId> {
        let credentials = asked.credentials.as_ref().ok_or(ErrorId::FailedCredentials)?;
        let person = self.prove(credentials).await?;
        if asked.flags.contains(&AddressFlag::AltAddress) {
            return Err(ErrorId::NoAltAddress);
        }
        // Sessions left behind are a host's matter, and none tells us.
        let AddressTarget::App(name) = &asked.target else { return Err(ErrorId::NoServer) };
        let resource = self.model.farm.resources.find(name).filter(|resource| may_use(resource, &person));
        let resource = resource.ok_or(ErrorId::NoServer)?;
        let form = match resource.host.host {
            model::Host::Ip(_) => AddressForm::DotPort,
            model::Host::Name(_) => AddressForm::DnsPort,
        };
        let cgp_port = resource.cgp_host.as_ref().filter(|cgp| cgp.host == resource.host.host).map(|cgp| cgp.port);
        Ok(Answer::Address(AddressAnswer {
            server: Address { form, text: resource.host.to_string() },
            server_type: ServerType::Win32,
            client_type: ClientType::Ica30,
            ticket_tag: Some(format!("Sluicegate:{name}")),
            load_hint: None,
            ssl_relay: None,
            cgp_port,
            disconnected_session: false,
        }))
    }

    async fn logon_ticket(&self, asked: &LogonTicketRequest, peer: IpAddr) -> Result<Answer, ErrorId> {
        if !asked.ticket_type.eq_ignore_ascii_case(LOGON) {
            return Err(ErrorId::NotSupported);
        }
        let code = self.token(&asked.credentials, peer, false).await?;
        Ok(Answer::Ticket(Secret::new(code.expose())))
    }

    async fn token(&self, credentials: &Credentials, issuer: IpAddr, is_reference: bool) -> Result<Code, ErrorId> {
        let user = self.prove(credentials).await?.name;
        let issued = self.owner.ask(|reply| Action::IssueLogon { issuer, user, is_reference, reply }).await;
        issued.map_err(|_| ErrorId::ServiceUnavailable)?.map_err(|_| ErrorId::ServiceUnavailable)
    }

    /// The hosts of all resources, each once.
    fn servers(&self, server_types: &[ServerType], client_types: &[ClientType]) -> Vec<Server> {
        if !wants(client_types, &ClientType::Ica30, &ClientType::All)
            || !wants(server_types, &ServerType::Win32, &ServerType::All)
        {
            return Vec::new();
        }
        let mut names: Vec<String> = Vec::new();
        for resource in self.model.farm.resources.values() {
            let name = resource.host.host.to_string();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let of_name = |name| Server { name, server_type: ServerType::Win32, client_types: vec![ClientType::Ica30] };
        names.into_iter().map(of_name).collect()
    }
}

/// Whether `person` may use `resource`.
fn may_use(resource: &model::Resource, person: &Person) -> bool {
    let access = &resource.access;
    access.everyone
        || access.users.iter().any(|user| user.as_str() == &*person.name)
        || access.groups.iter().any(|group| person.groups.iter().any(|own| own == group.as_str()))
}

/// Whether a list of wishes, empty for all, covers what we have.
fn wants<T: PartialEq>(wishes: &[T], ours: &T, all: &T) -> bool {
    wishes.is_empty() || wishes.iter().any(|wish| wish == ours || wish == all)
}

/// Whether a folder is in the scope asked for.
fn is_in(folder: &str, asked: &AppDataRequest) -> bool {
    let trimmed = |text: &str| text.trim_matches('\\').to_lowercase();
    let folder = trimmed(folder);
    let Some(wanted) = asked.scope.folder.as_deref().map(trimmed) else { return true };
    let is_below = wanted.is_empty() || folder.strip_prefix(&wanted).is_some_and(|rest| rest.starts_with('\\'));
    folder == wanted || (is_below && asked.scope.traverse == Traverse::Subtree)
}

fn ids(person: &Person) -> Vec<UserId> {
    let plain = if person.domain.is_empty() { person.name.to_string() } else { format!("{}\\{}", person.domain, person.name) };
    vec![UserId { kind: None, text: plain }]
}
