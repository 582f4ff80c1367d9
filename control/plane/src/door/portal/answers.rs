//! What a step of a login comes to, for those who read XML: native clients, scripts, monitors.
//!
//! Each answer is processed, also when the password was wrong; only what is no step at all, or cannot be taken now, has another
//! status than 200.

use bytes::Bytes;
use gate_auth::login::{Code, Denial, View, ViewKind};
use gate_config::model::SchemaName;
use gate_config::model::authentication;
use gate_proto::forms::announced::{Announced, CREDENTIAL_TYPES, LABEL_TYPES, Unfit};
use gate_proto::forms::compose::{self, Notice, Prefix, Reader};
use gate_proto::forms::schema::Schema;
use gate_proto::forms::words::{CredentialType, Status};
use gate_proto::forms::{Answer, shipped, text};
use http_body_util::Full;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, PRAGMA};
use tracing::warn;

use super::text::Problem;
use super::{Failed, Portal, RETRY_TIME, Visit, jar, pages, retry_after, routes};
use crate::http::{Reply, Whole};
use crate::login::Turn;

/// The media type of [`gate_proto::forms::MEDIA_TYPE`], with the encoding.
const CONTENT: &str = "application/vnd.citrix.authenticateresponse-1+xml; charset=utf-8";

/// To whom an answer goes.
pub(super) fn reader(visit: &Visit<'_>, request: &Whole) -> Reader {
    let header = |name: &str| {
        let all: Vec<_> = request.headers().get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
        (!all.is_empty()).then(|| all.join(","))
    };
    Reader {
        announced: Announced::read(header(CREDENTIAL_TYPES).as_deref(), header(LABEL_TYPES).as_deref()),
        language: visit.language,
        prefix: Prefix::of(request.uri().path()),
    }
}

/// How this client can be looked at. The first version goes first: its exchange is the one that we serve.
pub(super) fn scans(reader: &Reader) -> Option<CredentialType> {
    reader.scans(false).or_else(|| reader.scans(true))
}

/// The form that `view` wants, cut to what `reader` can show.
pub(super) fn form(view: &View, visit: &Visit<'_>, reader: &Reader) -> Result<Answer, Unfit> {
    let state = visit.state(&view.factor, view.step);
    let notice = view.error.map(|code| Notice::error(visit.number(code)));
    let user = view.prefill.user.as_deref().unwrap_or_default();
    let of_shipped = |name: &str| shipped::schema(name);
    let schema = match &view.kind {
        ViewKind::ChangePassword { user } => return reader.change_password(user, &state, notice.as_ref()),
        ViewKind::Challenge { text } => return reader.challenge(text, &state, notice.as_ref()),
        // That page is made of more than a form can say.
        ViewKind::Devices(_) => return Ok(compose::fail(text::text_or("sg_manage_in_browser", visit.language))),
        ViewKind::Single => of_shipped(shipped::SINGLE),
        ViewKind::Dual => of_shipped(shipped::DUAL),
        ViewKind::Schema(name) => schema_of(name, visit).or_else(|| {
            // The configuration was changed under the conversation.
            warn!(schema = %name, "the form of a login schema is gone; the usual one is shown");
            of_shipped(shipped::SINGLE)
        }),
    };
    let schema = schema.ok_or(Unfit { kind: CredentialType::None })?;
    reader.form(&schema, user, &state, notice.as_ref())
}

fn schema_of(name: &SchemaName, visit: &Visit<'_>) -> Option<Schema> {
    match &visit.world.model.authentication.schemas.find(name.as_str())?.view {
        authentication::View::None => None,
        authentication::View::File(path) => Schema::parse(visit.world.files.form(path)?).ok(),
    }
}

impl Portal {
    /// The answer to a step.
    pub(super) fn answer_of(&self, turn: Turn, reader: &Reader, visit: &Visit<'_>) -> Result<Reply, Failed> {
        let unfit = |unfit: Unfit| compose::fail(&unfit.to_string());
        Ok(match turn {
            Turn::Show { token, view } => {
                let mut reply = write(StatusCode::OK, &form(&view, visit, reader).unwrap_or_else(unfit));
                jar::give_flow(&mut reply, &token)?;
                reply
            }
            Turn::Scan { token, view } => {
                let state = visit.state(&view.factor, view.step);
                let version = scans(reader).unwrap_or(CredentialType::NsgEpa);
                let mut reply = write(StatusCode::OK, &reader.scan(version, &state).unwrap_or_else(unfit));
                jar::give_flow(&mut reply, &token)?;
                reply
            }
            Turn::Certificate { .. } => return Err(Failed::new(Problem::Internal, "a program was to be led elsewhere")),
            Turn::Granted { login, watched } => {
                let mut reply = write(StatusCode::OK, &reader.logged_in(&gate_proto::forms::state::State::first()));
                jar::give_login(&mut reply, &login)?;
                jar::forget_flow(&mut reply, watched)?;
                jar::forget_failure(&mut reply)?;
                reply
            }
            Turn::Over(denial) => {
                let mut reply = write(StatusCode::OK, &compose::fail(&told(&denial, visit)));
                jar::forget_flow(&mut reply, false)?;
                jar::give_failure(&mut reply, visit.number(denial.code))?;
                denial.wait.into_iter().for_each(|wait| retry_after(&mut reply, wait));
                reply
            }
            Turn::Cancelled => {
                let mut reply = write(StatusCode::OK, &compose::cancelled());
                jar::forget_flow(&mut reply, false)?;
                reply
            }
            Turn::Unknown => {
                let mut reply = write(StatusCode::OK, &compose::refused(Status::StateInvalid));
                jar::forget_flow(&mut reply, false)?;
                reply
            }
            Turn::Conflict => write(StatusCode::CONFLICT, &compose::refused(Status::ParamsNotExpected)),
            Turn::NotEntered(why) => return Err(why.into()),
            Turn::Busy => {
                let mut reply = write(StatusCode::SERVICE_UNAVAILABLE, &compose::refused(Status::ServiceUnavailable));
                retry_after(&mut reply, RETRY_TIME);
                reply
            }
        })
    }
}

/// Where a program goes on after its login.
pub(super) fn chosen(is_in: bool) -> Reply {
    let answer = if is_in { compose::success(routes::STORE) } else { compose::refused(Status::SessionInvalid) };
    write(StatusCode::OK, &answer)
}

impl Visit<'_> {
    /// The number of what went wrong, as far as users are told.
    pub(super) fn number(&self, code: Code) -> u16 {
        code.shown(self.world.model.aaa.enhanced_feedback).number()
    }
}

/// Why there is no login, in words.
pub(super) fn told(denial: &Denial, visit: &Visit<'_>) -> String {
    let said = text::text_or(text::error_key(visit.number(denial.code)), visit.language);
    match &denial.message {
        Some(message) => format!("{said} {message}"),
        None => said.to_owned(),
    }
}

/// The bytes and headers that existing clients know.
fn write(status: StatusCode, answer: &Answer) -> Reply {
    let mut reply = pages::bare(status);
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(CONTENT));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store, must-revalidate"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(HeaderName::from_static("x-citrix-application"), HeaderValue::from_static("Receiver for Web"));
    headers.insert(HeaderName::from_static("x-xss-protection"), HeaderValue::from_static("1; mode=block"));
    *reply.body_mut() = Full::new(Bytes::from(answer.write()));
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_have_the_headers_that_clients_look_at() {
        let reply = write(StatusCode::OK, &compose::cancelled());
        assert!(CONTENT.starts_with(gate_proto::forms::MEDIA_TYPE));
        for (name, value) in [
            ("content-type", CONTENT),
            ("x-citrix-application", "Receiver for Web"),
            ("cache-control", "no-cache, no-store, must-revalidate"),
            ("pragma", "no-cache"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(reply.headers().get(name).unwrap(), value, "{name}");
        }
    }
}
