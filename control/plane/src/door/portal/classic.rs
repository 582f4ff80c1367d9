//! The login of a virtual server without an authentication profile: one form, one password, a local user.
//!
//! ```text
//!   browser   GET /vpn/index.html ─► form: cookie + token ─► POST /cgi/login ─► 303 /portal, or the form with what was wrong
//!   program                                                  POST /cgi/login ─► 302 /cgi/setclient?wica, NSC_AAAC
//!                                                                           └─► 302 /vpn/index.html, NSC_VPNERR
//!   both: password ─► XML Service: credentials ─► login, under a name that was never shown before
//! ```
//!
//! A program is who sends neither token nor cookie of the form and nothing that only browsers send: browsers say where a form
//! comes from, so none can be made to log in as somebody else by another site.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use gate_auth::guard::Source;
use gate_auth::sessions::{Arrival, End, Sso, Token};
use gate_proto::form::{Field, Form};
use gate_proto::forms::text;
use gate_proto::xml::nfuse::answer::NoAnswer;
use gate_proto::xml::nfuse::request::{Request as Question, ValidateCredentials};
use gate_proto::xml::nfuse::words::ErrorId;
use hyper::StatusCode;
use secrecy::SecretString;
use tracing::{info, warn};

use super::pages::LoginPage;
use super::sheets::why_ended;
use super::text::{Problem, texts};
use super::{Failed, Portal, Visit, credentials_of, jar, pages, retry_after, routes};
use crate::action::{Action, Claim};
use crate::credentials::{self, NotProven};
use crate::http::Reply;
use crate::random;
use crate::reach::xml::NoReply;

/// Number of the failure "wrong user name or password".
const WRONG: u16 = 4001;
/// Number of the failure "try later".
const LATER: u16 = 4003;

/// Why somebody is not let in, and when to try again if that is known.
struct NotIn {
    problem: Problem,
    wait: Option<Duration>,
}

impl From<Problem> for NotIn {
    fn from(problem: Problem) -> Self {
        Self { problem, wait: None }
    }
}

impl Portal {
    /// The form.
    pub(super) fn form(&self, visit: &Visit<'_>, ended: Option<End>) -> Result<Reply, Failed> {
        let failed = visit.jar.failure();
        let failure = failed.map(|number| text::text_or(text::error_key(number), visit.language));
        let mut reply = self.show(visit, StatusCode::OK, failure, ended)?;
        if failed.is_some() {
            jar::forget_failure(&mut reply)?;
        }
        if ended.is_some() {
            jar::forget_login(&mut reply)?;
        }
        Ok(reply)
    }

    fn show(&self, visit: &Visit<'_>, status: StatusCode, problem: Option<&str>, ended: Option<End>) -> Result<Reply, Failed> {
        self.login_pages.fetch_add(1, Relaxed);
        let cookie = Token::new(random::bytes()?);
        let nonce = pages::nonce()?;
        let form_token = self.login_form.token(&cookie, self.clock.now());
        let ended = ended.map(|end| why_ended(end, visit.language));
        let page = LoginPage { text: texts(visit.language), nonce: &nonce, form_token: &form_token, problem, ended };
        let mut reply = pages::page(status, &nonce, &page);
        jar::give_form(&mut reply, &cookie)?;
        Ok(reply)
    }

    /// Takes the form.
    pub(super) async fn enter(&self, visit: &Visit<'_>, form: &Form) -> Result<Reply, Failed> {
        if visit.has_factors() {
            // Here a password alone is no way in.
            return Ok(pages::redirect(StatusCode::SEE_OTHER, routes::PAGE));
        }
        let is_program =
            !visit.jar.is_browser() && !visit.has_origin && visit.jar.form().is_none() && form.field("csrf") == Field::Absent;
        let entered = if is_program || self.is_own_form(visit, form) {
            self.let_in(visit, form).await?
        } else {
            info!(client = %visit.caller.client.ip(), "portal: login form without its cookie, or too old");
            Err(Problem::StaleForm.into())
        };
        match entered {
            Ok(token) => {
                let mut reply = if is_program {
                    pages::redirect(StatusCode::FOUND, routes::SET_CLIENT)
                } else {
                    pages::redirect(StatusCode::SEE_OTHER, routes::RESOURCES)
                };
                jar::give_login(&mut reply, &token)?;
                jar::forget_form(&mut reply)?;
                jar::forget_failure(&mut reply)?;
                Ok(reply)
            }
            Err(NotIn { problem, wait }) if is_program => {
                let mut reply = pages::redirect(StatusCode::FOUND, routes::LOGIN_FORM);
                let number = if problem == Problem::TryLater { LATER } else { WRONG };
                jar::give_failure(&mut reply, number)?;
                wait.into_iter().for_each(|wait| retry_after(&mut reply, wait));
                Ok(reply)
            }
            Err(NotIn { problem, wait }) => {
                let told = problem.told(visit.language);
                let status = StatusCode::from_u16(told.status).unwrap_or(StatusCode::FORBIDDEN);
                let mut reply = self.show(visit, status, Some(told.advice), None)?;
                wait.into_iter().for_each(|wait| retry_after(&mut reply, wait));
                Ok(reply)
            }
        }
    }

    fn is_own_form(&self, visit: &Visit<'_>, form: &Form) -> bool {
        let token = form.text("csrf").unwrap_or_default();
        self.login_form.is_token(visit.jar.form().unwrap_or_default(), token, self.clock.now())
    }

    async fn let_in(&self, visit: &Visit<'_>, form: &Form) -> Result<Result<Token, NotIn>, Failed> {
        let client = visit.caller.client.ip();
        let (Some(user), Some(password)) = (form.text("login"), form.secret("passwd")) else {
            return Ok(Err(Problem::WrongPassword.into()));
        };
        let password: SecretString = password.expose().to_owned().into();
        let claim = Claim { user: user.to_owned(), domain: None, password: password.clone(), source: Some(Source::from(client)) };
        let person = match credentials::prove(&self.owner, &self.helpers, claim).await {
            Ok(person) => person,
            Err(NotProven::Wrong) => {
                // Who is unknown stays unnamed: it may be a password in the wrong field.
                info!(%client, "portal: login failed");
                return Ok(Err(Problem::WrongPassword.into()));
            }
            Err(NotProven::Wait(time)) => {
                info!(%client, wait_s = time.as_secs(), "portal: login held back");
                return Ok(Err(NotIn { problem: Problem::TryLater, wait: Some(time) }));
            }
            Err(NotProven::Busy) => return Err(Failed::new(Problem::Busy, "too many passwords wait to be checked")),
            Err(NotProven::NoOwner(gone)) => return Err(gone.into()),
        };
        let sso = Sso { user: person.name.clone(), domain: person.domain.clone(), password: password.clone() };
        let question =
            Question::ValidateCredentials(ValidateCredentials { credentials: credentials_of(&sso), wants_identity: false });
        match visit.world.xml.ask(&question).await {
            Ok(_) => {}
            Err(NoReply::No(NoAnswer::Refused(ErrorId::FailedCredentials))) => {
                warn!(%client, user = %person.name, "portal: the XML Service does not accept a user whom we know");
                return Ok(Err(Problem::WrongPassword.into()));
            }
            Err(why) => return Err(why.into()),
        }
        let replaces = visit.jar.login().map(str::to_owned);
        let arrival = Arrival { client: visit.caller.client, vserver: visit.site.vserver.clone() };
        let entered = self.owner.ask(|reply| Action::Enter { person, password, arrival, replaces, reply }).await?;
        Ok(Ok(entered?))
    }
}
