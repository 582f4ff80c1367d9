//! Certificates of clients: what a connection has shown, whether it is good, and the one page of a place where they are asked for.
//!
//! ```text
//!   worker: asked in the handshake, key proven ─► PROXY header ─► Caller::shown ─► Judge ─┬─ good: what it says of its owner
//!                                                                                         └─ bad: why
//!   login page at the virtual server ─ link with a ticket ─► /nf/auth/doCert.do at the authentication virtual server
//!       ▲                                                        │ cookie of the login, ticket of the page: both must fit
//!       └──────────────── 303, cookie ───────────────────────────┘ Certificate ─► converse
//! ```
//!
//! The connection at the other address has the browser's certificate, and the cookie says for which login. Without the cookie somebody
//! could have a victim's browser prove the login that he has begun; without the ticket a link that the victim once had would do it again.
//! So both must fit, and a ticket fits once. Nothing that stands in a request is believed to be a certificate.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gate_auth::login::{Certificate, Denial, Event, Owner};
use gate_config::expr;
use gate_config::model::AskedAt;
use gate_proto::certificate;
use gate_proto::path::Path;
use hyper::header::{HeaderValue, LOCATION};
use hyper::{Method, StatusCode};
use rustls::pki_types::{CertificateDer, UnixTime};
use sluice_proto::certificates::Certificates;
use sluice_trust::Judge;
use tracing::{info, warn};

use super::flow::Talk;
use super::inner::Caller;
use super::jar::{self, Jar};
use super::pages::{CertificatePage, OverPage};
use super::text::{Problem, texts};
use super::{Failed, Portal, Site, Visit, answers, origin, pages, routes, text};
use crate::http::{Reply, Whole};
use crate::login::Turn;
use crate::world::World;

/// Where certificates are taken.
const DO_CERT: &str = "/nf/auth/doCert.do";

/// What a client has shown in its handshake: its own first, issuers follow.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shown(Vec<CertificateDer<'static>>);

impl Shown {
    pub(crate) fn new(list: Certificates<'_>) -> Self {
        Self(list.iter().map(|der| CertificateDer::from(der.to_vec())).collect())
    }

    /// Whether it is good, and what it says then.
    fn judged(&self, judge: &Judge, wall: SystemTime) -> Result<certificate::Owner, String> {
        let now = UnixTime::since_unix_epoch(wall.duration_since(UNIX_EPOCH).unwrap_or_default());
        judge.judge(&self.0, now).map_err(|refusal| refusal.to_string())?;
        let own = self.0.first().map(|der| &**der).unwrap_or_default();
        certificate::Owner::read(own).map_err(|no| no.to_string())
    }
}

impl Caller {
    /// What it has shown as its user's.
    fn of_user(&self) -> Option<&Shown> {
        self.shown.as_deref().filter(|_| !self.is_for_machine)
    }

    /// The certificate of its user, if it has shown one where users are asked.
    pub(super) fn user(&self, site: &Site) -> Certificate {
        let (Some(shown), Some(judge)) = (self.of_user(), &site.users) else { return Certificate::None };
        match shown.judged(judge, wall()) {
            Ok(owner) => Certificate::Good(Box::new(owner_of(owner))),
            Err(why) => {
                info!(client = %self.client, vserver = %site.vserver, why, "a certificate is not good");
                Certificate::Bad(why.into())
            }
        }
    }

    /// Whether the certificate of its machine is good. `None`: it has shown none.
    pub(super) fn device(&self, site: &Site) -> Option<bool> {
        let shown = self.shown.as_ref().filter(|_| self.is_for_machine)?;
        let judge = site.devices.as_ref()?;
        Some(match shown.judged(judge, wall()) {
            Ok(owner) => {
                info!(client = %self.client, vserver = %site.vserver, serial = %owner.serial, "the certificate of a machine is good");
                true
            }
            Err(why) => {
                info!(client = %self.client, vserver = %site.vserver, why, "the certificate of a machine is not good");
                false
            }
        })
    }

    /// The certificate as rules see it: a good one of its user's.
    pub(super) fn for_rules(&self, site: &Site) -> Option<expr::Certificate> {
        let owner = self.of_user()?.judged(site.users.as_ref()?, wall()).ok()?;
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        Some(expr::Certificate {
            subject: certificate::written(&owner.subject),
            issuer: certificate::written(&owner.issuer),
            serial: owner.serial.to_string(),
            not_before: at(owner.not_before),
            not_after: at(owner.not_after),
        })
    }
}

fn wall() -> SystemTime {
    #[expect(clippy::disallowed_methods, reason = "certificates are valid by the time of day")]
    SystemTime::now()
}

fn owner_of(owner: certificate::Owner) -> Owner {
    let all = |list: Vec<certificate::Attribute>| list.into_iter().map(|one| (one.kind, one.value)).collect();
    Owner {
        subject: all(owner.subject),
        issuer: all(owner.issuer),
        principal_names: owner.principal_names,
        emails: owner.emails,
        dns: owner.dns,
    }
}

impl Portal {
    /// Answers where nothing but certificates is asked for.
    pub(super) async fn certificates_only(
        &self,
        world: &World,
        site: &Site,
        request: &Whole,
        caller: Caller,
    ) -> Result<Reply, Failed> {
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        let path = Path::parse(target).map_err(|bad| Failed::new(Problem::BadRequest, bad))?;
        if path.as_str() != DO_CERT || request.method() != Method::GET {
            return Ok(pages::bare(StatusCode::NOT_FOUND));
        }
        let jar = Jar::read(request.headers())?;
        let (Some(cookie), Some(ticket)) = (jar.flow().map(str::to_owned), request.uri().query().map(str::to_owned)) else {
            return Err(stray(&caller, site));
        };
        let shown = caller.user(site);
        let language = text::wanted(request.headers());
        let mut visit = None;
        // Logins of several virtual servers may lead here. The cookie is that of one.
        let leads_here = |one: &&Site| {
            let vserver = world.model.vservers.find(&one.vserver).and_then(|vserver| world.model.asked_at(vserver));
            matches!(vserver, Some(AskedAt::Authentication(name, _)) if *name.as_str() == *site.vserver)
        };
        for login in world.sites.iter().filter(leads_here) {
            let own = login.own_name(caller.arrived);
            let (caller, jar) = (caller.clone(), Jar::read(request.headers())?);
            let at = Visit { world, site: login, own, caller, language, jar, has_origin: false, ended: None };
            let turn = Talk::new(self, &at, request).certificate(&cookie, &ticket, shown.clone()).await?;
            if !matches!(turn, Turn::Unknown) {
                visit = Some((turn, at));
                break;
            }
        }
        let Some((turn, visit)) = visit else { return Err(stray(&caller, site)) };
        back(turn, &visit, &ticket)
    }
}

/// Somebody was led here who has begun no such login.
fn stray(caller: &Caller, site: &Site) -> Failed {
    warn!(client = %caller.client, vserver = %site.vserver, "a certificate was brought for a login that this client has not begun, or not now");
    Failed::new(Problem::StaleForm, "cookie and ticket fit no login that waits for a certificate")
}

/// Sends the browser back to where its login goes on.
fn back(turn: Turn, visit: &Visit<'_>, ticket: &str) -> Result<Reply, Failed> {
    let to = |path: &str| format!("https://{}{path}", host(&visit.own, port_of(ticket)));
    match turn {
        Turn::Show { token, .. } | Turn::Scan { token, .. } | Turn::Certificate { token, .. } => {
            let mut reply = redirect(&to(routes::PAGE))?;
            jar::give_flow(&mut reply, &token)?;
            Ok(reply)
        }
        Turn::Granted { login, watched } => {
            let mut reply = redirect(&to(routes::RESOURCES))?;
            jar::give_login(&mut reply, &login)?;
            jar::forget_flow(&mut reply, watched)?;
            Ok(reply)
        }
        Turn::Over(denial) => over(&denial, visit, &to(routes::PAGE)),
        Turn::Cancelled | Turn::Unknown => redirect(&to(routes::PAGE)),
        Turn::NotEntered(why) => Err(why.into()),
        Turn::Conflict => Err(Failed::new(Problem::Conflict, "a step of this login is under way")),
        Turn::Busy => Err(Failed::new(Problem::Busy, "too many logins at once")),
    }
}

fn over(denial: &Denial, visit: &Visit<'_>, back: &str) -> Result<Reply, Failed> {
    let text = texts(visit.language);
    let (reason, code) = (answers::told(denial, visit), Some(visit.number(denial.code)));
    let page = OverPage {
        text,
        nonce: &pages::nonce()?,
        title: text.over.failed,
        reason: &reason,
        code,
        lacking: None,
        alert: true,
        back,
    };
    let mut reply = pages::page(StatusCode::FORBIDDEN, page.nonce, &page);
    jar::forget_flow(&mut reply, false)?;
    Ok(reply)
}

fn redirect(to: &str) -> Result<Reply, Failed> {
    let mut reply = pages::bare(StatusCode::SEE_OTHER);
    let to = HeaderValue::from_str(to).map_err(|bad| Failed::new(Problem::Internal, bad))?;
    reply.headers_mut().insert(LOCATION, to);
    Ok(reply)
}

/// A host as it stands in a URL.
fn host(own: &origin::OwnName, port: u16) -> String {
    if port == 443 { own.host.clone() } else { format!("{}:{port}", own.host) }
}

/// Under which port the browser knows the virtual server, as the ticket has it: a router in front may listen on another than we do.
fn port_of(ticket: &str) -> u16 {
    ticket.rsplit_once('-').and_then(|(_, port)| port.parse().ok()).unwrap_or(443)
}

/// The page that leads a browser to where certificates are asked for.
pub(super) fn page(turn: &Turn, visit: &Visit<'_>, notice: Option<&str>) -> Result<Reply, Failed> {
    let Turn::Certificate { token, view, ticket } = turn else {
        return Err(Failed::new(Problem::Internal, "no certificate is wanted"));
    };
    let AskedAt::Authentication(name, address) = &view.at else {
        return Err(Failed::new(Problem::Internal, "a certificate is wanted of this connection"));
    };
    // Port 0 lets the system choose.
    let listens = visit.world.listener(name.as_str()).map_or(*address, |(_, address)| address);
    let there = format!("https://{}{DO_CERT}?{ticket}", host(&visit.own, listens.port()));
    let page = CertificatePage {
        text: texts(visit.language),
        nonce: &pages::nonce()?,
        ended: notice,
        there: &there,
        // Who comes back without one is not led there again by himself.
        at_once: !view.again,
        post_back: routes::NO_CERTIFICATE,
        context: &visit.state(&view.factor, view.step).write(),
        page_field: super::sheet::PAGE,
    };
    let mut reply = pages::page(StatusCode::OK, page.nonce, &page);
    jar::give_flow(&mut reply, token)?;
    Ok(reply)
}

impl Talk<'_> {
    /// A certificate comes for the login of `cookie`, from a page that had this ticket.
    pub(super) async fn certificate(&self, cookie: &str, ticket: &str, shown: Certificate) -> Result<Turn, Failed> {
        self.say_with(Some(cookie), Some(ticket), Event::Certificate { step: None, shown }).await
    }
}
