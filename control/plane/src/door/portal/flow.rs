//! The steps of a login in factors, as they come over the wire: the same conversation for native clients and scripts, who read XML, and for
//! browsers, who read pages.
//!
//! ```text
//!   getAuthenticationRequirements, page ─► Asked ──────┐
//!   doAuthentication, doCredentialUpdate ─► Posted ────┤                     ┌─► answers.rs   AuthenticateResponse
//!   doEPA ─► Scanned, Skipped ─────────────────────────┼─► converse ─► Turn ─┤
//!   doLogoff, doCancelCredentialUpdate ─► Cancelled ───┘                     └─► sheets.rs    HTML, if a page of ours was sent in
//! ```
//!
//! The cookie says which conversation it is, `StateContext` which of its forms is answered. An answer to another form than the
//! one that is shown changes nothing: the form that is shown comes again. Scripts that send the context of a first form by
//! heart are understood as long as the first form is what is shown, and without a cookie they begin a conversation with it.

use std::sync::Arc;
use std::time::SystemTime;

use gate_auth::login::{Certificate, Event};
use gate_auth::sessions::Arrival;
use gate_config::expr;
use gate_config::model::AskedAt;
use gate_proto::form::{Field, Form};
use gate_proto::forms::state::State;
use zeroize::Zeroizing;

use super::routes::Step;
use super::sheet::{CONTEXT, PAGE, TOKEN};
use super::text::{Problem, texts};
use super::{Failed, Portal, Visit, pages, routes};
use crate::http::{Reply, Whole};
use crate::login::{self, Said, ScanState, Turn};

/// Factors that a client passes by that cannot be looked at: as many as a conversation has.
const PASSED_BY_MAX: u32 = gate_auth::login::FACTORS_MAX;
/// What the page for a scan says if its user does without.
pub(super) const SKIPPED: &str = "skipped";
/// The field in which a client says how a scan came out. What it says of that does not count.
pub(super) const SCAN: &str = "nsg-epa";

/// Which form a request answers.
#[derive(Debug, PartialEq, Eq)]
enum Answers {
    /// That of this step.
    Step(u32),
    /// The first one: the context that scripts know by heart, or none.
    First,
    /// One of this factor.
    Factor(String),
    /// One that was never ours.
    Foreign,
}

impl Portal {
    /// A step of a login.
    pub(super) async fn step(&self, step: Step, visit: &Visit<'_>, request: &Whole) -> Result<Reply, Failed> {
        if !visit.has_factors() {
            return self.classic_step(step, visit, request).await;
        }
        if step == Step::LoginForm {
            return Ok(pages::redirect(hyper::StatusCode::FOUND, routes::PAGE));
        }
        let form = Form::parse(request.body()).map_err(|bad| Failed::new(Problem::BadRequest, bad))?;
        let talk = Talk::new(self, visit, request);
        if step == Step::Page || form.field(PAGE) != Field::Absent {
            let (turn, notice) = self.take_from_page(step, &form, &talk).await?;
            self.sheet_of(turn, &talk, notice).await
        } else {
            let reader = super::answers::reader(visit, request);
            let mut turn = talk.take(step, &form).await?;
            // Whoever cannot be looked at, or led elsewhere for a certificate, has not passed, and goes on if that may be.
            for _ in 0..PASSED_BY_MAX {
                let (token, event) = if let Turn::Scan { token, view } = &turn
                    && super::answers::scans(&reader).is_none()
                {
                    (token, Event::Skipped { step: Some(view.step) })
                } else if let Turn::Certificate { token, view, .. } = &turn {
                    (token, Event::Certificate { step: Some(view.step), shown: Certificate::None })
                } else {
                    break;
                };
                turn = talk.say(Some(token.expose()), event).await?;
            }
            self.answer_of(turn, &reader, visit)
        }
    }

    /// A step from one of our pages, with what its user is told if it was not taken: whoever goes on too early has not failed yet.
    pub(super) async fn take_from_page(
        &self,
        step: Step,
        form: &Form,
        talk: &Talk<'_>,
    ) -> Result<(Turn, Option<&'static str>), Failed> {
        let Visit { site, jar, language, .. } = talk.visit;
        if step == Step::Scanned
            && form.text(SCAN) != Some(SKIPPED)
            && let Some(token) = jar.flow()
        {
            match login::scan_state(&self.owner, &site.vserver, token).await? {
                Some(ScanState::Waiting | ScanState::Begun) => {
                    return Ok((talk.ask(Some(token)).await?, Some(texts(*language).scan.not_yet)));
                }
                Some(ScanState::Done | ScanState::Idle) | None => {}
            }
        }
        Ok((talk.take(step, form).await?, None))
    }
}

/// One request in a conversation.
pub(super) struct Talk<'t> {
    portal: &'t Portal,
    pub(super) visit: &'t Visit<'t>,
    facts: Arc<expr::Request>,
}

impl<'t> Talk<'t> {
    /// The one that `request` is part of.
    pub(super) fn new(portal: &'t Portal, visit: &'t Visit<'t>, request: &Whole) -> Self {
        Self { portal, visit, facts: Arc::new(facts(visit, request)) }
    }

    pub(super) async fn take(&self, step: Step, form: &Form) -> Result<Turn, Failed> {
        let token = self.visit.jar.flow();
        match step {
            Step::Page | Step::LoginForm | Step::First => self.ask(token).await,
            Step::Form | Step::NewPassword => self.post(token, form).await,
            Step::Scanned => {
                let step = match (answers(form), token) {
                    (_, None) => return Ok(Turn::Unknown),
                    (Answers::Step(step), Some(_)) => Some(step),
                    (Answers::First | Answers::Factor(_), Some(_)) => None,
                    (Answers::Foreign, Some(_)) => return self.ask(token).await,
                };
                let event = if form.text(SCAN) == Some(SKIPPED) { Event::Skipped { step } } else { Event::Scanned { step } };
                self.say(token, event).await
            }
            Step::NoCertificate => match (answers(form), token) {
                (Answers::Step(step), Some(_)) => {
                    self.say(token, Event::Certificate { step: Some(step), shown: Certificate::None }).await
                }
                (_, Some(_)) => self.ask(token).await,
                (_, None) => Ok(Turn::Unknown),
            },
            Step::Cancel => match token {
                Some(_) => self.say(token, Event::Cancelled).await,
                None => Ok(Turn::Cancelled),
            },
        }
    }

    /// What is shown now; a new conversation if there is none.
    pub(super) async fn ask(&self, token: Option<&str>) -> Result<Turn, Failed> {
        let turn = self.say(token, Event::Asked).await?;
        if matches!(turn, Turn::Unknown) && token.is_some() { self.say(None, Event::Asked).await } else { Ok(turn) }
    }

    async fn post(&self, token: Option<&str>, form: &Form) -> Result<Turn, Failed> {
        let posted = |step| Event::Posted { step: Some(step), typed: Box::new(typed(form)) };
        let factor = match (answers(form), token) {
            (Answers::Step(step), Some(_)) => return self.say(token, posted(step)).await,
            (Answers::Foreign, Some(_)) => return self.ask(token).await,
            (Answers::Step(_) | Answers::Factor(_) | Answers::Foreign, None) => return Ok(Turn::Unknown),
            (Answers::First, _) => self.visit.first_factor().map(str::to_owned),
            (Answers::Factor(factor), Some(_)) => Some(factor),
        };
        // Somebody knows the form by heart. It counts if it is the one that is shown.
        let shown = self.ask(token).await?;
        let Turn::Show { token, view } = &shown else { return Ok(shown) };
        if factor.as_deref() == Some(&*view.factor) { self.say(Some(token.expose()), posted(view.step)).await } else { Ok(shown) }
    }

    /// Says that something happened. A certificate that is asked for here has been shown on this very connection, or not.
    pub(super) async fn say(&self, token: Option<&str>, event: Event) -> Result<Turn, Failed> {
        let mut turn = self.say_with(token, None, event).await?;
        for _ in 0..PASSED_BY_MAX {
            let Turn::Certificate { token, view, .. } = &turn else { break };
            if view.at != AskedAt::Itself {
                break;
            }
            let shown = self.visit.caller.user(self.visit.site);
            turn = self.say_with(Some(token.expose()), None, Event::Certificate { step: Some(view.step), shown }).await?;
        }
        Ok(turn)
    }

    pub(super) async fn say_with(&self, token: Option<&str>, ticket: Option<&str>, event: Event) -> Result<Turn, Failed> {
        let Visit { caller, site, jar, .. } = self.visit;
        let said = Said {
            token: token.map(str::to_owned),
            ticket: ticket.map(str::to_owned),
            event,
            request: self.facts.clone(),
            arrival: Arrival { client: caller.client, vserver: site.vserver.clone() },
            replaces: jar.login().map(str::to_owned),
            model: self.visit.world.model.clone(),
        };
        Ok(login::converse(&self.portal.owner, said).await?)
    }
}

impl Visit<'_> {
    /// Whether users of this virtual server log in by factors.
    pub(super) fn has_factors(&self) -> bool {
        self.first_factor().is_some()
    }

    /// The name of the first one.
    pub(super) fn first_factor(&self) -> Option<&str> {
        let model = &self.world.model;
        let profile = model.vservers.find(&self.site.vserver)?.authn_profile.as_ref()?;
        Some(model.authentication.profiles.find(profile.as_str())?.vserver.as_str())
    }

    /// What a form carries, so that it is known when it comes back.
    pub(super) fn state(&self, factor: &str, step: u32) -> State {
        let is_first = self.first_factor() == Some(factor);
        State { factor: if is_first { State::first().factor } else { factor.to_owned() }, step: Some(step.to_string()) }
    }
}

fn answers(form: &Form) -> Answers {
    let Some(text) = form.text(CONTEXT) else { return Answers::First };
    match State::read(text) {
        None => Answers::Foreign,
        Some(State { step: Some(step), .. }) => step.parse().map_or(Answers::Foreign, Answers::Step),
        Some(state) if state.is_first() => Answers::First,
        Some(state) => Answers::Factor(state.factor),
    }
}

/// What was typed. A field without a value is as empty as one that is not there: neither is ever shown again.
pub(super) fn typed(form: &Form) -> expr::Typed {
    let text = |name: &str| form.text(name).unwrap_or_default().to_owned();
    let field = |name: &str| (name.to_owned(), Zeroizing::new(text(name)));
    expr::Typed {
        username: text("login"),
        password: text("passwd").into(),
        password2: text("passwd1").into(),
        domain: text("domain"),
        fields: form.names().filter(|name| ![CONTEXT, PAGE, TOKEN].contains(name)).map(field).collect(),
    }
}

/// The request as policies see it.
fn facts(visit: &Visit<'_>, request: &Whole) -> expr::Request {
    let header = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let headers: Vec<_> = request.headers().iter().map(header).collect();
    let host = headers.iter().find(|(name, _)| name == "host").map(|(_, host)| host.clone()).unwrap_or_default();
    #[expect(clippy::disallowed_methods, reason = "rules ask what time of day it is")]
    let wall = SystemTime::now();
    expr::Request {
        method: expr::Method::of(request.method().as_str()),
        host,
        target: request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned(),
        headers,
        body: Zeroizing::new(request.body().to_vec()),
        client: visit.caller.client,
        server: visit.caller.arrived,
        tls: visit.caller.tls.map(|version| expr::Tls { version, suite: String::new() }),
        certificate: visit.caller.for_rules(visit.site),
        wall,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(body: &str) -> Form {
        Form::parse(body.as_bytes()).unwrap()
    }

    #[test]
    fn the_context_says_which_form_is_answered() {
        let context = |state: State| format!("StateContext={}", gate_proto::form::encode(&[("x", &state.write())]).split_off(2));
        let named = |step: Option<&str>| State { factor: "second".into(), step: step.map(str::to_owned) };
        for (body, wanted) in [
            ("login=ann".to_owned(), Answers::First),
            ("StateContext".to_owned(), Answers::First),
            ("StateContext=".to_owned(), Answers::First),
            ("StateContext=bG9naW5zY2hlbWE9ZGVmYXVsdA%3D%3D".to_owned(), Answers::First),
            (context(named(Some("7"))), Answers::Step(7)),
            (context(named(Some("-1"))), Answers::Foreign),
            (context(named(Some("4294967296"))), Answers::Foreign),
            (context(named(None)), Answers::Factor("second".into())),
            ("StateContext=%3Cscript%3E".to_owned(), Answers::Foreign),
        ] {
            assert_eq!(answers(&form(&body)), wanted, "{body}");
        }
    }

    #[test]
    fn a_field_without_a_value_is_empty() {
        for body in ["", "login&passwd", "login=&passwd=", "Login=ann&PASSWD=x"] {
            let typed = typed(&form(body));
            assert_eq!((typed.username.as_str(), secrecy::ExposeSecret::expose_secret(&typed.password)), ("", ""), "{body}");
        }
        let typed = typed(&form("login=ann&passwd=a%26b&passwd1=c&domain=d&code=1&StateContext=x&sg-page=1"));
        assert_eq!((typed.username.as_str(), typed.domain.as_str()), ("ann", "d"));
        let names: Vec<_> = typed.fields.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["login", "passwd", "passwd1", "domain", "code"]);
    }
}
