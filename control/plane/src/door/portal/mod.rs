//! The portal: log in, see what is published, get a launch file.
//!
//! ```text
//!   request ─► for us? (421) ─► canonical path ─► route and its class ─► page
//!                                                   │ login form: cookie + token
//!                                                   │ login: cookie    + token, if it changes something
//!   login ─► flow.rs, classic.rs: the owner's conversations ─► cookie, new
//!   list  ─► XML Service: app data                        launch ─► see launch.rs
//! ```
//!
//! It works without JavaScript. Every answer is built from owned text, none says a thing about the inside.

pub(crate) mod agents;
mod answers;
mod assets;
mod certificate;
mod classic;
mod devices;
mod epa;
mod flow;
pub(crate) mod inner;
mod jar;
mod launch;
mod origin;
mod pages;
mod programs;
pub(crate) mod routes;
mod sheet;
mod sheets;
mod text;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use gate_auth::seal::SealKey;
use gate_auth::sessions::{End, Login, LoginForm, Sso};
use gate_proto::form::Form;
use gate_proto::path::Path;
use gate_proto::secret::Secret;
use gate_proto::xml::nfuse::answer::{Answer, NoAnswer};
use gate_proto::xml::nfuse::app::App;
use gate_proto::xml::nfuse::request::{Address, AppDataRequest, Client, Credentials, Request as Question};
use gate_proto::xml::nfuse::words::{AddressForm, ClientType, Detail, ErrorId, ServerType};
use hyper::header::{ALLOW, HeaderValue, ORIGIN, RETRY_AFTER};
use hyper::{HeaderMap, StatusCode};
use secrecy::ExposeSecret;
use sluice_trust::Judge;
use tracing::info;

use self::inner::Caller;
use self::jar::Jar;
use self::origin::OwnName;
use self::pages::{LeavePage, ResourcesPage, Shown};
use self::routes::{Class, Deed, Inside, NoRoute, Open, Step, Verb};
use self::text::{Language, Problem, texts};
use crate::action::{Action, NoOwner, NotEntered, Owned, Whose};
use crate::clock::Clock;
use crate::http::{Door, Reply, Whole};
use crate::random;
use crate::reach::sta::Sta;
use crate::reach::xml::NoReply;
use crate::world::{Current, World};

/// What a browser is told when it should come back.
const RETRY_TIME: Duration = Duration::from_secs(5);

/// A virtual server as the portal knows it.
pub(crate) struct Site {
    /// Where it listens.
    pub(crate) listens: SocketAddr,
    /// Its name in the configuration.
    pub(crate) vserver: Arc<str>,
    /// The name that clients use; `None`: the address at which they arrive.
    pub(crate) fqdn: Option<Box<str>>,
    /// Who issues tickets for it.
    pub(crate) stas: Vec<Arc<Sta>>,
    /// Judges the certificates of users, if any are asked for here.
    pub(crate) users: Option<Arc<Judge>>,
    /// Judges those of machines, if any are taken here.
    pub(crate) devices: Option<Arc<Judge>>,
    /// Certificates are asked for here, and there is nothing else.
    pub(crate) is_for_certificates: bool,
}

/// See the module.
pub(crate) struct Portal {
    pub(crate) current: Current,
    pub(crate) owner: Owned,
    pub(crate) clock: Clock,
    pub(crate) login_form: LoginForm,
    /// Times that the login form was shown.
    pub(crate) login_pages: Arc<AtomicU64>,
    /// Seals names for ICA files: client names, session-sharing keys.
    pub(crate) names: SealKey,
}

/// Something went wrong: what the user is told, and what the log is told.
#[derive(Debug)]
struct Failed {
    problem: Problem,
    detail: String,
}

impl Failed {
    fn new(problem: Problem, detail: impl ToString) -> Self {
        Self { problem, detail: detail.to_string() }
    }
}

impl From<NoOwner> for Failed {
    fn from(no_owner: NoOwner) -> Self {
        Self::new(Problem::Internal, no_owner)
    }
}

impl From<random::NoRandom> for Failed {
    fn from(no_random: random::NoRandom) -> Self {
        Self::new(Problem::Internal, no_random)
    }
}

impl From<NoReply> for Failed {
    fn from(why: NoReply) -> Self {
        let problem = match &why {
            NoReply::Outage(_) | NoReply::No(NoAnswer::Malformed(_)) => Problem::FarmDown,
            NoReply::No(NoAnswer::Refused(ErrorId::NoServer)) => Problem::NoResource,
            NoReply::No(NoAnswer::Refused(_)) => Problem::FarmRefused,
        };
        Self::new(problem, why)
    }
}

/// A request that has been let in.
struct Visit<'v> {
    /// What was in force when the request came.
    world: &'v World,
    site: &'v Site,
    own: OwnName,
    caller: Caller,
    language: Language,
    jar: Jar,
    /// The request says from which site it comes.
    has_origin: bool,
    /// Why the login is over that the browser still has a cookie of.
    ended: Option<End>,
}

/// Whose the cookie of a login is.
enum Who {
    In(Box<Visitor>),
    /// Nobody's any more.
    Over(End),
    Nobody,
}

/// Who is logged in, with the form token of that login.
struct Visitor {
    login: Login,
    form_token: String,
}

impl Door for Portal {
    type Caller = Caller;

    async fn answer(self: Arc<Self>, request: Whole, caller: Caller) -> Reply {
        match self.route(&request, caller.clone()).await {
            Ok(reply) => reply,
            Err(failed) => tell(&failed, &caller, text::wanted(request.headers())),
        }
    }

    fn refuse(&self, status: StatusCode) -> Reply {
        let problem = match status.as_u16() {
            413 | 414 | 431 => Problem::TooLarge,
            500.. => Problem::Internal,
            _ => Problem::BadRequest,
        };
        let mut reply = pages::problem(problem, Language::default(), &reference());
        *reply.status_mut() = status;
        reply
    }
}

impl Portal {
    async fn route(&self, request: &Whole, caller: Caller) -> Result<Reply, Failed> {
        let world = self.current.now().ok_or_else(|| Failed::new(Problem::Internal, "nothing is in force yet"))?;
        let site = site(&world.sites, caller.arrived).ok_or_else(|| Failed::new(Problem::WrongHost, "no virtual server here"))?;
        if site.is_for_certificates {
            return self.certificates_only(&world, site, request, caller).await;
        }
        let own = site.own_name(caller.arrived);
        if !origin::is_for_us(&own, request.uri(), request.headers()) {
            return Err(Failed::new(Problem::WrongHost, "host is not ours"));
        }
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        let path = Path::parse(target).map_err(|bad| Failed::new(Problem::BadRequest, bad))?;
        let headers = request.headers();
        let route = match routes::find(request.method(), path.as_str()) {
            Ok(route) => route,
            Err(NoRoute::Path) => return Err(Failed::new(Problem::NotFound, "no such page")),
            Err(NoRoute::Method(allowed)) => {
                let mut reply = tell(&Failed::new(Problem::Method, "method"), &caller, text::wanted(headers));
                reply.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
                return Ok(reply);
            }
        };
        // It was not asked for its user's certificate, though everybody else may have to show one.
        if caller.is_for_machine && !route.class.is_for_machines() {
            return Err(Failed::new(Problem::NotFound, "a connection that shows a machine's certificate is for nothing else"));
        }
        let jar = Jar::read(headers)?;
        if route.method == Verb::Post && route.class.is_for_own_pages() && !origin::is_from_us(&own, headers) {
            return Err(Failed::new(Problem::StaleForm, "posted from another site"));
        }
        let language = text::wanted(headers);
        let has_origin = headers.contains_key(ORIGIN);
        let visit = Visit { world: &world, site, own, caller, language, jar, has_origin, ended: None };
        let form = || Form::parse(request.body()).map_err(|bad| Failed::new(Problem::BadRequest, bad));
        match route.class {
            Class::Open(page) => Self::open(page, &visit, headers),
            Class::Asking(asking) => self.asked(asking, &visit).await,
            Class::Conversation(step @ (Step::Page | Step::LoginForm)) => match self.who(&visit).await? {
                // Who is logged in may look after his devices; his session goes on beside it.
                Who::In(_) if visit.jar.is_for_devices() => self.step(step, &visit, request).await,
                Who::In(_) => Ok(pages::redirect(StatusCode::SEE_OTHER, routes::RESOURCES)),
                Who::Over(end) => self.step(step, &Visit { ended: Some(end), ..visit }, request).await,
                Who::Nobody => self.step(step, &visit, request).await,
            },
            Class::Conversation(step) => self.step(step, &visit, request).await,
            Class::Scan(call) => self.scan_call(call, &visit, request).await,
            Class::LoginForm => self.enter(&visit, request).await,
            Class::Login(page) => {
                let Some(visitor) = self.visitor(&visit).await? else { return Ok(visit.to_login()) };
                self.inside(page, &visit, &visitor).await
            }
            Class::LoginAndToken(deed) => {
                let form = form()?;
                let Some(visitor) = self.visitor(&visit).await? else { return Ok(visit.to_login()) };
                if !visitor.is_own(&form) {
                    return Err(Failed::new(Problem::StaleForm, "form token of another login, or none"));
                }
                match deed {
                    Deed::Launch => self.launch(&visit, &visitor, &form).await,
                    Deed::Leave => self.leave(&visit, &visitor).await,
                }
            }
        }
    }

    /// Pages for anybody.
    fn open(page: Open, visit: &Visit<'_>, headers: &HeaderMap) -> Result<Reply, Failed> {
        Ok(match page {
            Open::Front => {
                let mut reply = pages::redirect(StatusCode::FOUND, visit.entrance());
                if visit.jar.is_for_devices() {
                    jar::lead_to_a_session(&mut reply)?;
                }
                reply
            }
            Open::Devices if visit.has_factors() => {
                let mut reply = pages::redirect(StatusCode::FOUND, visit.entrance());
                jar::lead_to_devices(&mut reply)?;
                // One that is under way leads elsewhere.
                jar::forget_flow(&mut reply, false)?;
                reply
            }
            Open::Devices => return Err(Failed::new(Problem::NotFound, "devices are looked after behind factors only")),
            Open::AuthMethods => Self::auth_methods(visit),
            Open::Configuration => Self::configuration(),
            Open::Encryption => Self::encryption(),
            Open::ScanScript => assets::scan_script(),
            Open::Agent(package) => {
                let reply = visit.world.agents.reply(package, headers);
                reply.ok_or_else(|| Failed::new(Problem::NotFound, "no such package of the agent"))?
            }
        })
    }

    /// Pages for those who are logged in.
    async fn inside(&self, page: Inside, visit: &Visit<'_>, visitor: &Visitor) -> Result<Reply, Failed> {
        match page {
            Inside::Resources => self.resources(visit, visitor).await,
            Inside::Store => Ok(pages::redirect(StatusCode::FOUND, routes::RESOURCES)),
            Inside::MayLeave if visit.jar.is_browser() => {
                let nonce = pages::nonce()?;
                let page = LeavePage {
                    text: texts(visit.language),
                    nonce: &nonce,
                    form_token: &visitor.form_token,
                    back: routes::RESOURCES,
                };
                Ok(pages::page(StatusCode::OK, &nonce, &page))
            }
            Inside::MayLeave => self.leave(visit, visitor).await,
        }
    }

    async fn leave(&self, visit: &Visit<'_>, visitor: &Visitor) -> Result<Reply, Failed> {
        let cookie = visit.jar.login().unwrap_or_default().to_owned();
        let form_token = visitor.form_token.clone();
        self.owner.ask(|reply| Action::Leave { cookie, form_token, reply }).await?;
        info!(user = visitor.login.user(), client = %visit.caller.client.ip(), "logout");
        let mut reply = visit.to_login();
        jar::forget_login(&mut reply)?;
        Ok(reply)
    }

    async fn resources(&self, visit: &Visit<'_>, visitor: &Visitor) -> Result<Reply, Failed> {
        let apps = self.apps(visit, visitor, Vec::new()).await?;
        let kept = |text: String| Some(text).filter(|text| !text.is_empty());
        let shown: Vec<Shown> = apps
            .into_iter()
            .filter(|app| app.settings.as_ref().is_none_or(|settings| !settings.is_disabled))
            .map(|app| {
                let settings = app.settings.unwrap_or_default();
                let (description, folder) = (kept(settings.description), kept(settings.folder));
                Shown { id: app.in_name, display_name: app.display_name, description, folder }
            })
            .collect();
        let nonce = pages::nonce()?;
        let page = ResourcesPage {
            text: texts(visit.language),
            nonce: &nonce,
            form_token: &visitor.form_token,
            user: visitor.login.user(),
            resources: &shown,
        };
        Ok(pages::page(StatusCode::OK, &nonce, &page))
    }

    /// What the XML Service has for this user; all of it, or just the named ones. Nobody in particular has nothing.
    async fn apps(&self, visit: &Visit<'_>, visitor: &Visitor, app_names: Vec<String>) -> Result<Vec<App>, Failed> {
        let Some(sso) = &visitor.login.entry.sso else { return Ok(Vec::new()) };
        let question = Question::AppData(AppDataRequest {
            details: vec![Detail::All],
            app_names,
            server_types: vec![ServerType::All],
            client_types: vec![ClientType::Ica30],
            credentials: Some(credentials_of(sso)),
            client: self.client(visit, visitor),
            ..AppDataRequest::default()
        });
        let answer = visit.world.xml.ask(&question).await?;
        if let Answer::AppData(apps) = answer { Ok(apps) } else { Err(unexpected(&answer)) }
    }

    /// The user's machine, as the farm is told: a name that is the same throughout a login, and the address we see.
    fn client(&self, visit: &Visit<'_>, visitor: &Visitor) -> Client {
        let name = self.client_name(visitor);
        let address = Address { form: AddressForm::Dot, text: visit.caller.client.ip().to_canonical().to_string() };
        Client { device_id: Some(name.clone()), name: Some(name), address: Some(address) }
    }

    fn client_name(&self, visitor: &Visitor) -> String {
        let seal = self.names.seal("client name", &[visitor.form_token.as_bytes()]).to_text();
        format!("WR_{}", seal.get(..12).unwrap_or_default())
    }

    async fn who(&self, visit: &Visit<'_>) -> Result<Who, Failed> {
        let Some(cookie) = visit.jar.login().map(str::to_owned) else { return Ok(Who::Nobody) };
        Ok(match self.owner.ask(|reply| Action::Who { cookie, reply }).await? {
            Whose::Login(login, form_token) => Who::In(Box::new(Visitor { login: *login, form_token })),
            Whose::Over(end) => Who::Over(end),
            Whose::Nobody => Who::Nobody,
        })
    }

    async fn visitor(&self, visit: &Visit<'_>) -> Result<Option<Visitor>, Failed> {
        Ok(match self.who(visit).await? {
            Who::In(visitor) => Some(*visitor),
            Who::Over(_) | Who::Nobody => None,
        })
    }
}

impl Visit<'_> {
    /// Where logins begin here.
    fn entrance(&self) -> &'static str {
        if self.has_factors() { routes::PAGE } else { routes::LOGIN_FORM }
    }

    /// Sends whoever is not logged in there.
    fn to_login(&self) -> Reply {
        pages::redirect(StatusCode::SEE_OTHER, self.entrance())
    }
}

/// Tells a user that something went wrong, and the log what.
fn tell(failed: &Failed, caller: &Caller, language: Language) -> Reply {
    let reference = reference();
    let code = failed.problem.told(language).code;
    info!(%reference, code, client = %caller.client, detail = %failed.detail, "portal: a request failed");
    let mut reply = pages::problem(failed.problem, language, &reference);
    if matches!(failed.problem, Problem::Busy | Problem::FarmDown | Problem::NoTicket) {
        retry_after(&mut reply, RETRY_TIME);
    }
    reply
}

/// The virtual server that listens where a client has arrived. With one only, there is no question.
fn site(sites: &[Site], arrived: SocketAddr) -> Option<&Site> {
    if let [only] = sites {
        return Some(only);
    }
    let ip = arrived.ip().to_canonical();
    let exact = |site: &&Site| site.listens.port() == arrived.port() && site.listens.ip().to_canonical() == ip;
    let any = |site: &&Site| site.listens.port() == arrived.port() && site.listens.ip().is_unspecified();
    sites.iter().find(exact).or_else(|| sites.iter().find(any))
}

impl Site {
    /// What it is called: by its configured name, or by the address at which the client arrived.
    fn own_name(&self, arrived: SocketAddr) -> OwnName {
        let host = match (&self.fqdn, arrived.ip().to_canonical()) {
            (Some(fqdn), _) => fqdn.to_string(),
            (None, std::net::IpAddr::V4(v4)) => v4.to_string(),
            (None, std::net::IpAddr::V6(v6)) => format!("[{v6}]"),
        };
        OwnName { host, port: self.listens.port() }
    }
}

impl Visitor {
    /// Whether a form is one of this login's.
    fn is_own(&self, form: &Form) -> bool {
        gate_auth::seal::is_same_text(form.text("csrf").unwrap_or_default(), &self.form_token)
    }
}

fn credentials_of(sso: &Sso) -> Credentials {
    let password = Secret::new(sso.password.expose_secret());
    Credentials::with_password(&*sso.user, &password, Some(&*sso.domain).filter(|domain| !domain.is_empty()))
}

impl From<NotEntered> for Failed {
    fn from(why: NotEntered) -> Self {
        let problem = match why {
            NotEntered::TooMany(_) | NotEntered::Enough => Problem::Busy,
            NotEntered::Unaudited | NotEntered::NoRandom(_) => Problem::Internal,
        };
        Self::new(problem, why)
    }
}

/// An answer of another kind than the question. [`Answer::read`] does not let one through.
fn unexpected(answer: &Answer) -> Failed {
    Failed::new(Problem::FarmDown, format!("answer of kind {:?}", answer.kind()))
}

fn retry_after(reply: &mut Reply, time: Duration) {
    reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from(time.as_secs() + u64::from(time.subsec_nanos() > 0)));
}

/// Ties what a user reads to a line in the log. Without random bytes it is empty: then the time has to do.
fn reference() -> String {
    random::bytes::<5>().map(|bytes| bytes.iter().map(|b| format!("{b:02X}")).collect()).unwrap_or_default()
}
