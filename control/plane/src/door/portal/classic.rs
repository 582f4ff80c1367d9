//! The login of a virtual server without an authentication profile: one form, policies that are bound to the virtual server itself, else
//! local users.
//!
//! ```text
//!   browser   GET /vpn/index.html ─► form: cookie + token ─► POST /cgi/login ─► 303 /portal, or the form with what was wrong
//!   program                                                  POST /cgi/login ─► 302 /cgi/setclient?wica, NSC_AAAC
//!                                                                           └─► 302 /vpn/index.html, NSC_VPNERR
//!   both: Asked, Posted ─► converse (flow.rs) ─► Turn       a scan, a new password: the pages of sheets.rs
//! ```
//!
//! The form stands for itself: who only looks at it begins no conversation, unless the client is to be looked at first. Programs that scan
//! by themselves do so under `NSC_EPAC` and ask for the form again, or send it at once.
//!
//! A program is who sends neither token nor cookie of the form and nothing that only browsers send: browsers say where a form
//! comes from, so none can be made to log in as somebody else by another site.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use gate_auth::login::{Code, Denial, Event, Setting, View, ViewKind, Why};
use gate_auth::sessions::Token;
use gate_proto::form::{Field, Form};
use gate_proto::forms::text;
use hyper::StatusCode;
use tracing::info;

use super::answers::told;
use super::flow::{Talk, typed};
use super::pages::LoginPage;
use super::routes::Step;
use super::sheet::{PAGE, TOKEN};
use super::sheets::{ended, told_once};
use super::text::{Problem, texts};
use super::{Failed, Portal, Visit, jar, pages, retry_after, routes};
use crate::http::{Reply, Whole};
use crate::login::{self, ScanState, Turn};
use crate::random;

impl Visit<'_> {
    /// The form with which every login here begins, whoever comes.
    fn first_form(&self) -> Option<ViewKind> {
        let model = &self.world.model;
        let (vserver, _) = model.vservers.row(&self.site.vserver)?;
        Setting { model: Arc::clone(model), vserver: vserver.clone() }.first_form()
    }

    /// Whether a form is that of this page. Forms for more than that have pages of their own.
    pub(super) fn is_classic_form(&self, kind: &ViewKind) -> bool {
        match kind {
            ViewKind::Single | ViewKind::Dual => !self.has_factors(),
            ViewKind::Schema(_) | ViewKind::ChangePassword { .. } | ViewKind::Challenge { .. } | ViewKind::Devices(_) => false,
        }
    }

    /// Whether a login that is over begins anew with this page and what was wrong: a password was.
    pub(super) fn is_wrong_in_form(&self, denial: &Denial) -> bool {
        match denial.why {
            Why::Factor | Why::Tries => !self.has_factors(),
            Why::Scan
            | Why::Steps
            | Why::Groups
            | Why::Cancelled
            | Why::Finished
            | Why::Off
            | Why::DevicesLeft
            | Why::NoDevices => false,
        }
    }
}

impl Portal {
    /// A step of a login without factors. Only the pages for what comes beside the form lead here.
    pub(super) async fn classic_step(&self, step: Step, visit: &Visit<'_>, request: &Whole) -> Result<Reply, Failed> {
        let form = Form::parse(request.body()).map_err(|bad| Failed::new(Problem::BadRequest, bad))?;
        match step {
            Step::Page => Ok(pages::redirect(StatusCode::FOUND, routes::LOGIN_FORM)),
            Step::LoginForm => self.login_form(&Talk::new(self, visit, request)).await,
            Step::Form | Step::Scanned | Step::NewPassword | Step::NoCertificate | Step::Cancel
                if form.field(PAGE) != Field::Absent =>
            {
                let talk = Talk::new(self, visit, request);
                let (turn, notice) = self.take_from_page(step, &form, &talk).await?;
                self.sheet_of(turn, &talk, notice).await
            }
            Step::First | Step::Form | Step::Scanned | Step::NewPassword | Step::NoCertificate | Step::Cancel => {
                Err(Failed::new(Problem::NotFound, "this virtual server has no authentication profile"))
            }
        }
    }

    /// The page that a login begins with, or is at.
    async fn login_form(&self, talk: &Talk<'_>) -> Result<Reply, Failed> {
        let visit = talk.visit;
        let token = visit.jar.flow();
        let first = visit.first_form();
        let mut turn = match (token, &first) {
            (None, Some(kind)) => return self.blank_form(visit, kind),
            (Some(_), Some(_)) => talk.say(token, Event::Asked).await?,
            (_, None) => talk.ask(token).await?,
        };
        // The client has answered, and its user has come back.
        if let Turn::Scan { token, view } = &turn
            && login::scan_state(&self.owner, &visit.site.vserver, token.expose()).await? == Some(ScanState::Done)
        {
            turn = talk.say(Some(token.expose()), Event::Scanned { step: Some(view.step) }).await?;
        }
        if let (Turn::Unknown, Some(kind)) = (&turn, &first) {
            return self.blank_form(visit, kind);
        }
        if let Turn::Show { token, view } = &turn
            && visit.is_classic_form(&view.kind)
        {
            let mut reply = self.blank_form(visit, &view.kind)?;
            jar::give_flow(&mut reply, token)?;
            return Ok(reply);
        }
        self.sheet_of(turn, talk, None).await
    }

    /// The form, with what was wrong the last time.
    fn blank_form(&self, visit: &Visit<'_>, kind: &ViewKind) -> Result<Reply, Failed> {
        let failed = visit.jar.failure();
        let failure = failed.map(|number| text::text_or(text::error_key(number), visit.language));
        let mut reply = self.show(visit, kind, StatusCode::OK, failure, None)?;
        if failed.is_some() {
            jar::forget_failure(&mut reply)?;
        }
        Ok(reply)
    }

    /// The form of a conversation. `notice`: what its user is told before.
    pub(super) fn classic_form(
        &self,
        token: &Token,
        view: &View,
        visit: &Visit<'_>,
        notice: Option<&'static str>,
    ) -> Result<Reply, Failed> {
        let (status, problem) = match (view.error, view.wait) {
            (None, _) => (StatusCode::OK, None),
            (Some(_), Some(_)) => (StatusCode::TOO_MANY_REQUESTS, Some(Problem::TryLater.told(visit.language).advice)),
            (Some(code), None) => {
                let status = if code == Code::TryLater { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::FORBIDDEN };
                (status, Some(text::text_or(text::error_key(visit.number(code)), visit.language)))
            }
        };
        let mut reply = self.show(visit, &view.kind, status, problem, notice)?;
        view.wait.into_iter().for_each(|wait| retry_after(&mut reply, wait));
        jar::give_flow(&mut reply, token)?;
        Ok(reply)
    }

    /// The form after a login that has come to its end for a wrong password.
    pub(super) fn form_again(&self, denial: &Denial, visit: &Visit<'_>) -> Result<Reply, Failed> {
        let kind = visit.first_form().unwrap_or(ViewKind::Single);
        let status = if denial.wait.is_some() { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::FORBIDDEN };
        let mut reply = self.show(visit, &kind, status, Some(&told(denial, visit)), None)?;
        denial.wait.into_iter().for_each(|wait| retry_after(&mut reply, wait));
        jar::forget_flow(&mut reply, false)?;
        Ok(reply)
    }

    fn show(
        &self,
        visit: &Visit<'_>,
        kind: &ViewKind,
        status: StatusCode,
        problem: Option<&str>,
        notice: Option<&str>,
    ) -> Result<Reply, Failed> {
        self.login_pages.fetch_add(1, Relaxed);
        let cookie = Token::new(random::bytes()?);
        let nonce = pages::nonce()?;
        let form_token = self.login_form.token(&cookie, self.clock.now());
        let page = LoginPage {
            text: texts(visit.language),
            nonce: &nonce,
            form_token: &form_token,
            second: (*kind == ViewKind::Dual).then(|| text::text_or("sg_password2", visit.language)),
            problem,
            ended: notice.or_else(|| ended(visit)),
        };
        let mut reply = pages::page(status, &nonce, &page);
        jar::give_form(&mut reply, &cookie)?;
        told_once(&mut reply, visit)?;
        Ok(reply)
    }

    /// Takes the form.
    pub(super) async fn enter(&self, visit: &Visit<'_>, request: &Whole) -> Result<Reply, Failed> {
        let form = Form::parse(request.body()).map_err(|bad| Failed::new(Problem::BadRequest, bad))?;
        if visit.has_factors() {
            // Here a password alone is no way in.
            return Ok(pages::redirect(StatusCode::SEE_OTHER, routes::PAGE));
        }
        let is_program =
            !visit.jar.is_browser() && !visit.has_origin && visit.jar.form().is_none() && form.field(TOKEN) == Field::Absent;
        let talk = Talk::new(self, visit, request);
        if is_program {
            let turn = let_in(&talk, &form, true).await?;
            return self.answer_program(turn, &talk).await;
        }
        if !self.is_own_form(visit, &form) {
            info!(client = %visit.caller.client.ip(), "portal: login form without its cookie, or too old");
            let told = Problem::StaleForm.told(visit.language);
            let status = StatusCode::from_u16(told.status).unwrap_or(StatusCode::FORBIDDEN);
            return self.show(visit, &visit.first_form().unwrap_or(ViewKind::Single), status, Some(told.advice), None);
        }
        let turn = let_in(&talk, &form, false).await?;
        let is_in = matches!(turn, Turn::Granted { .. });
        let mut reply = self.sheet_of(turn, &talk, None).await?;
        if is_in {
            jar::forget_form(&mut reply)?;
        }
        Ok(reply)
    }

    fn is_own_form(&self, visit: &Visit<'_>, form: &Form) -> bool {
        let token = form.text(TOKEN).unwrap_or_default();
        self.login_form.is_token(visit.jar.form().unwrap_or_default(), token, self.clock.now())
    }

    /// What programs are used to: where to go on, and a number if something was wrong.
    async fn answer_program(&self, turn: Turn, talk: &Talk<'_>) -> Result<Reply, Failed> {
        let visit = talk.visit;
        let mut back = pages::redirect(StatusCode::FOUND, routes::LOGIN_FORM);
        match turn {
            Turn::Granted { login, watched } => {
                let mut reply = pages::redirect(StatusCode::FOUND, routes::SET_CLIENT);
                jar::give_login(&mut reply, &login)?;
                jar::forget_flow(&mut reply, watched)?;
                jar::forget_failure(&mut reply)?;
                Ok(reply)
            }
            Turn::Show { token, view } => {
                view.error.map_or(Ok(()), |code| jar::give_failure(&mut back, visit.number(code)))?;
                view.wait.into_iter().for_each(|wait| retry_after(&mut back, wait));
                // Behind a form that stands for itself the next try is a login of its own.
                let goes_on = visit.jar.flow().is_some() || visit.first_form().is_none_or(|form| form != view.kind);
                if goes_on {
                    jar::give_flow(&mut back, &token)?;
                }
                Ok(back)
            }
            Turn::Scan { token, .. } | Turn::Certificate { token, .. } => {
                jar::give_flow(&mut back, &token)?;
                Ok(back)
            }
            Turn::Over(denial) => {
                jar::give_failure(&mut back, visit.number(denial.code))?;
                denial.wait.into_iter().for_each(|wait| retry_after(&mut back, wait));
                jar::forget_flow(&mut back, false)?;
                Ok(back)
            }
            Turn::Cancelled | Turn::Unknown => {
                jar::forget_flow(&mut back, false)?;
                Ok(back)
            }
            turn @ (Turn::NotEntered(_) | Turn::Conflict | Turn::Busy) => self.sheet_of(turn, talk, None).await,
        }
    }
}

/// Says name and password where the form is what is shown; a program that was to be looked at has done with that, or has not.
async fn let_in(talk: &Talk<'_>, form: &Form, is_program: bool) -> Result<Turn, Failed> {
    let mut turn = talk.ask(talk.visit.jar.flow()).await?;
    if let Turn::Scan { token, view } = &turn
        && is_program
    {
        turn = talk.say(Some(token.expose()), Event::Scanned { step: Some(view.step) }).await?;
    }
    match &turn {
        Turn::Show { token, view } if talk.visit.is_classic_form(&view.kind) => {
            talk.say(Some(token.expose()), Event::Posted { step: Some(view.step), typed: Box::new(typed(form)) }).await
        }
        Turn::Show { .. }
        | Turn::Scan { .. }
        | Turn::Certificate { .. }
        | Turn::Granted { .. }
        | Turn::Over(_)
        | Turn::Cancelled
        | Turn::NotEntered(_)
        | Turn::Unknown
        | Turn::Conflict
        | Turn::Busy => Ok(turn),
    }
}
