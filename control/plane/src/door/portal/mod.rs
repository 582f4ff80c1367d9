//! The portal: log in, see what is published, get a launch file.
//!
//! ```text
//!   request ─► for us? (421) ─► canonical path ─► route and its class ─► page
//!                                                   │ login form: cookie + token
//!                                                   │ login: cookie    + token, if it changes something
//!   login ─► local password ─► XML Service: credentials ─► cookie, new
//!   list  ─► XML Service: app data                        launch ─► see launch.rs
//! ```
//!
//! It works without JavaScript. Every answer is built from owned text, none says a thing about the inside.

pub(crate) mod inner;
mod launch;
mod origin;
mod pages;
mod routes;
mod text;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use gate_auth::guard::Source;
use gate_auth::seal::SealKey;
use gate_auth::sessions::{Arrival, Identity, Login, LoginForm, Token};
use gate_proto::cookie::{self, Cookies};
use gate_proto::form::Form;
use gate_proto::path::Path;
use gate_proto::secret::Secret;
use gate_proto::xml::nfuse::answer::{Answer, NoAnswer};
use gate_proto::xml::nfuse::app::App;
use gate_proto::xml::nfuse::request::{Address, AppDataRequest, Client, Credentials, Request as Question, ValidateCredentials};
use gate_proto::xml::nfuse::words::{AddressForm, ClientType, Detail, ErrorId, ServerType};
use hyper::header::{ALLOW, COOKIE, HeaderValue, RETRY_AFTER, SET_COOKIE};
use hyper::{HeaderMap, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use tracing::{info, warn};

use self::inner::Caller;
use self::origin::OwnName;
use self::pages::{LoginPage, ResourcesPage, Shown};
use self::routes::{Class, NoRoute, Page};
use self::text::{ENGLISH, Problem};
use crate::action::{Action, Claim, NoOwner, Owned};
use crate::clock::Clock;
use crate::credentials::{self, NotProven};
use crate::helpers::Helpers;
use crate::http::{Door, Reply, Whole};
use crate::random;
use crate::reach::sta::Sta;
use crate::reach::xml::NoReply;
use crate::world::{Current, World};

/// The login's cookie, without its `__Host-`.
const LOGIN_COOKIE: &str = "sg-login";
/// The login form's cookie, likewise.
const FORM_COOKIE: &str = "sg-form";
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
}

/// See the module.
pub(crate) struct Portal {
    pub(crate) current: Current,
    pub(crate) owner: Owned,
    pub(crate) helpers: Arc<Helpers>,
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
    cookies: Cookies,
    form: Option<Form>,
}

/// Who is logged in, with the form token of that login.
struct Visitor {
    login: Login,
    form_token: String,
}

impl Door for Portal {
    type Caller = Caller;

    async fn answer(self: Arc<Self>, request: Whole, caller: Caller) -> Reply {
        match self.route(&request, caller).await {
            Ok(reply) => reply,
            Err(failed) => self.tell(&failed, caller),
        }
    }

    fn refuse(&self, status: StatusCode) -> Reply {
        let problem = match status.as_u16() {
            413 | 414 | 431 => Problem::TooLarge,
            500.. => Problem::Internal,
            _ => Problem::BadRequest,
        };
        let mut reply = pages::problem(problem, &reference());
        *reply.status_mut() = status;
        reply
    }
}

impl Portal {
    fn tell(&self, failed: &Failed, caller: Caller) -> Reply {
        let reference = reference();
        let told = failed.problem.told();
        info!(%reference, code = told.code, client = %caller.client, detail = %failed.detail, "portal: a request failed");
        let mut reply = pages::problem(failed.problem, &reference);
        if matches!(failed.problem, Problem::Busy | Problem::FarmDown | Problem::NoTicket) {
            retry_after(&mut reply, RETRY_TIME);
        }
        reply
    }

    async fn route(&self, request: &Whole, caller: Caller) -> Result<Reply, Failed> {
        let world = self.current.now().ok_or_else(|| Failed::new(Problem::Internal, "nothing is in force yet"))?;
        let site = site(&world.sites, caller.arrived).ok_or_else(|| Failed::new(Problem::WrongHost, "no virtual server here"))?;
        let own = site.own_name(caller.arrived);
        if !origin::is_for_us(&own, request.uri(), request.headers()) {
            return Err(Failed::new(Problem::WrongHost, "host is not ours"));
        }
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        let path = Path::parse(target).map_err(|bad| Failed::new(Problem::BadRequest, bad))?;
        let route = match routes::find(request.method(), path.as_str()) {
            Ok(route) => route,
            Err(NoRoute::Path) => return Err(Failed::new(Problem::NotFound, "no such page")),
            Err(NoRoute::Method(allowed)) => {
                let mut reply = self.tell(&Failed::new(Problem::Method, "method"), caller);
                reply.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
                return Ok(reply);
            }
        };
        let cookies = read_cookies(request.headers())?;
        let form = match route.class {
            Class::Open | Class::Login => None,
            Class::LoginForm | Class::LoginAndToken => {
                if !origin::is_from_us(&own, request.headers()) {
                    return Err(Failed::new(Problem::StaleForm, "posted from another site"));
                }
                Some(Form::parse(request.body()).map_err(|bad| Failed::new(Problem::BadRequest, bad))?)
            }
        };
        let visit = Visit { world: &world, site, own, caller, cookies, form };
        match route.class {
            Class::Open => self.open(route.page, &visit).await,
            Class::LoginForm => self.enter(&visit).await,
            Class::Login | Class::LoginAndToken => {
                let Some(visitor) = self.visitor(&visit.cookies).await? else {
                    return Ok(pages::redirect(StatusCode::SEE_OTHER, routes::LOGIN_FORM));
                };
                if route.class == Class::LoginAndToken && !visit.has_token_of(&visitor) {
                    return Err(Failed::new(Problem::StaleForm, "form token of another login, or none"));
                }
                self.inside(route.page, &visit, &visitor).await
            }
        }
    }

    /// Pages for anybody.
    async fn open(&self, page: Page, visit: &Visit<'_>) -> Result<Reply, Failed> {
        match page {
            Page::Front => Ok(pages::redirect(StatusCode::FOUND, routes::LOGIN_FORM)),
            _ if self.visitor(&visit.cookies).await?.is_some() => Ok(pages::redirect(StatusCode::SEE_OTHER, routes::RESOURCES)),
            Page::LoginForm | Page::Enter | Page::Resources | Page::Launch | Page::Leave => self.show_form(StatusCode::OK, None),
        }
    }

    /// Pages for those who are logged in.
    async fn inside(&self, page: Page, visit: &Visit<'_>, visitor: &Visitor) -> Result<Reply, Failed> {
        match page {
            Page::Launch => self.launch(visit, visitor).await,
            Page::Leave => self.leave(visit, visitor).await,
            Page::Resources | Page::Front | Page::LoginForm | Page::Enter => self.resources(visit, visitor).await,
        }
    }

    fn show_form(&self, status: StatusCode, problem: Option<Problem>) -> Result<Reply, Failed> {
        self.login_pages.fetch_add(1, Relaxed);
        let cookie = Token::new(random::bytes()?);
        let nonce = pages::nonce()?;
        let form_token = self.login_form.token(&cookie, self.clock.now());
        let page =
            LoginPage { text: &ENGLISH, nonce: &nonce, form_token: &form_token, problem: problem.map(|p| p.told().advice) };
        let mut reply = pages::page(status, &nonce, &page);
        add_cookie(&mut reply, cookie::set(FORM_COOKIE, cookie.expose()))?;
        Ok(reply)
    }

    /// The login form again, with what was wrong.
    fn form_again(&self, problem: Problem) -> Result<Reply, Failed> {
        let status = StatusCode::from_u16(problem.told().status).unwrap_or(StatusCode::FORBIDDEN);
        self.show_form(status, Some(problem))
    }

    /// Takes the login form.
    async fn enter(&self, visit: &Visit<'_>) -> Result<Reply, Failed> {
        let client = visit.caller.client.ip();
        let form = visit.form.as_ref().ok_or_else(|| Failed::new(Problem::Internal, "no form"))?;
        let token = form.text("csrf").unwrap_or_default();
        let cookie = visit.cookies.value(&host_cookie(FORM_COOKIE)).unwrap_or_default();
        if !self.login_form.is_token(cookie, token, self.clock.now()) {
            info!(%client, "portal: login form without its cookie, or too old");
            return self.form_again(Problem::StaleForm);
        }
        let (Some(user), Some(password)) = (form.text("login"), form.secret("passwd")) else {
            return self.form_again(Problem::WrongPassword);
        };
        let password: SecretString = password.expose().to_owned().into();
        let claim = Claim { user: user.to_owned(), domain: None, password: password.clone(), source: Some(Source::from(client)) };
        let person = match credentials::prove(&self.owner, &self.helpers, claim).await {
            Ok(person) => person,
            Err(NotProven::Wrong) => {
                // Who is unknown stays unnamed: it may be a password in the wrong field.
                info!(%client, "portal: login failed");
                return self.form_again(Problem::WrongPassword);
            }
            Err(NotProven::Wait(time)) => {
                info!(%client, wait_s = time.as_secs(), "portal: login held back");
                let mut reply = self.form_again(Problem::TryLater)?;
                retry_after(&mut reply, time);
                return Ok(reply);
            }
            Err(NotProven::Busy) => return Err(Failed::new(Problem::Busy, "too many passwords wait to be checked")),
            Err(NotProven::NoOwner(gone)) => return Err(gone.into()),
        };
        let identity = Identity {
            user: person.name.clone(),
            domain: person.domain.clone(),
            groups: person.groups.clone(),
            password: password.clone(),
        };
        let question =
            Question::ValidateCredentials(ValidateCredentials { credentials: credentials_of(&identity), wants_identity: false });
        match visit.world.xml.ask(&question).await {
            Ok(_) => {}
            Err(NoReply::No(NoAnswer::Refused(ErrorId::FailedCredentials))) => {
                warn!(%client, user = %person.name, "portal: the XML Service does not accept a user whom we know");
                return self.form_again(Problem::WrongPassword);
            }
            Err(why) => return Err(why.into()),
        }
        let replaces = visit.cookies.value(&host_cookie(LOGIN_COOKIE)).map(str::to_owned);
        let arrival = Arrival { client: visit.caller.client, vserver: visit.site.vserver.clone() };
        let entered = self.owner.ask(|reply| Action::Enter { person, password, arrival, replaces, reply }).await?;
        let token = entered.map_err(|full| Failed::new(Problem::Busy, full))?;
        let mut reply = pages::redirect(StatusCode::SEE_OTHER, routes::RESOURCES);
        add_cookie(&mut reply, cookie::set(LOGIN_COOKIE, token.expose()))?;
        add_cookie(&mut reply, cookie::clear(FORM_COOKIE))?;
        Ok(reply)
    }

    async fn leave(&self, visit: &Visit<'_>, visitor: &Visitor) -> Result<Reply, Failed> {
        let cookie = visit.cookies.value(&host_cookie(LOGIN_COOKIE)).unwrap_or_default().to_owned();
        let form_token = visitor.form_token.clone();
        self.owner.ask(|reply| Action::Leave { cookie, form_token, reply }).await?;
        info!(user = %visitor.login.identity.user, client = %visit.caller.client.ip(), "logout");
        let mut reply = pages::redirect(StatusCode::SEE_OTHER, routes::LOGIN_FORM);
        add_cookie(&mut reply, cookie::clear(LOGIN_COOKIE))?;
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
            text: &ENGLISH,
            nonce: &nonce,
            form_token: &visitor.form_token,
            user: &visitor.login.identity.user,
            resources: &shown,
        };
        Ok(pages::page(StatusCode::OK, &nonce, &page))
    }

    /// What the XML Service has for this user; all of it, or just the named ones.
    async fn apps(&self, visit: &Visit<'_>, visitor: &Visitor, app_names: Vec<String>) -> Result<Vec<App>, Failed> {
        let question = Question::AppData(AppDataRequest {
            details: vec![Detail::All],
            app_names,
            server_types: vec![ServerType::All],
            client_types: vec![ClientType::Ica30],
            credentials: Some(credentials_of(&visitor.login.identity)),
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

    async fn visitor(&self, cookies: &Cookies) -> Result<Option<Visitor>, Failed> {
        let Some(cookie) = cookies.value(&host_cookie(LOGIN_COOKIE)).filter(|cookie| !cookie.is_empty()) else { return Ok(None) };
        let cookie = cookie.to_owned();
        let found = self.owner.ask(|reply| Action::Who { cookie, reply }).await?;
        Ok(found.map(|(login, form_token)| Visitor { login, form_token }))
    }
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

impl Visit<'_> {
    fn has_token_of(&self, visitor: &Visitor) -> bool {
        let presented = self.form.as_ref().and_then(|form| form.text("csrf")).unwrap_or_default();
        gate_auth::seal::is_same_text(presented, &visitor.form_token)
    }
}

fn credentials_of(identity: &Identity) -> Credentials {
    let password = Secret::new(identity.password.expose_secret());
    Credentials::with_password(&*identity.user, &password, Some(&*identity.domain).filter(|domain| !domain.is_empty()))
}

/// An answer of another kind than the question. [`Answer::read`] does not let one through.
fn unexpected(answer: &Answer) -> Failed {
    Failed::new(Problem::FarmDown, format!("answer of kind {:?}", answer.kind()))
}

fn read_cookies(headers: &HeaderMap) -> Result<Cookies, Failed> {
    let mut fields = headers.get_all(COOKIE).iter();
    let (Some(first), rest) = (fields.next(), fields.next()) else { return Ok(Cookies::default()) };
    if rest.is_some() {
        return Err(Failed::new(Problem::BadRequest, "two cookie fields"));
    }
    Cookies::parse(first.as_bytes()).map_err(|bad| Failed::new(Problem::BadRequest, bad))
}

fn host_cookie(name: &str) -> String {
    format!("__Host-{name}")
}

fn add_cookie(reply: &mut Reply, cookie: Result<String, cookie::BadSetCookie>) -> Result<(), Failed> {
    let cookie = cookie.map_err(|bad| Failed::new(Problem::Internal, bad))?;
    let mut value = HeaderValue::from_str(&cookie).map_err(|bad| Failed::new(Problem::Internal, bad))?;
    value.set_sensitive(true);
    reply.headers_mut().append(SET_COOKIE, value);
    Ok(())
}

fn retry_after(reply: &mut Reply, time: Duration) {
    reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from(time.as_secs() + u64::from(time.subsec_nanos() > 0)));
}

/// Ties what a user reads to a line in the log. Without random bytes it is empty: then the time has to do.
fn reference() -> String {
    random::bytes::<5>().map(|bytes| bytes.iter().map(|b| format!("{b:02X}")).collect()).unwrap_or_default()
}
