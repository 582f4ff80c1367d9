//! The exchange with the app that looks at a device: three requests, each with the cookie of a conversation that wants a scan, or of a login
//! whose scan is repeated.
//!
//! ```text
//!   GET /epatype ─► Epa:on or Epa:off
//!   GET /epaq    ─► CSEC: what is asked      X-Sluicegate-EPA-Actions: what is to be done first, to an app of ours
//!   GET /epadc      on a connection of its own, with the machine's certificate ─► 0 or 3
//!   GET /epas       CSEC: one digit for each ─► 0 or 3
//!   who looked for a factor before, while the login goes on: CSEC: nothing      Retry-After: when to ask again
//!   who is not known, or has had too long: 403, and not a word
//! ```
//!
//! What is asked and answered is in an envelope whose key the cookie, `Date` and `Host` of the same request give, unless the operator
//! has switched that off. What comes back is a claim of the device's; what follows from it is decided elsewhere.

use bytes::Bytes;
use gate_auth::login::orders::Orders;
use gate_auth::login::scan::ScanNoted;
use gate_proto::epa::envelope::Envelope;
use gate_proto::epa::{ClientString, HEADER, Question, REPEATS, TYPE_OFF, TYPE_ON};
use gate_proto::form;
use http_body_util::Full;
use hyper::StatusCode;
use hyper::header::{AsHeaderName, CONTENT_TYPE, DATE, HOST, HeaderName, HeaderValue};
use tracing::{debug, warn};
use zeroize::Zeroizing;

use super::programs::answer;
use super::routes::Call;
use super::text::Problem;
use super::{Failed, Portal, Visit, pages, retry_after};
use crate::http::{Reply, Whole};
use crate::login::{self, ScanAsked, ScanState};

/// What an app of ours is to do before it looks, in the same envelope: `kill=…&delete=…`. Others do not know the header.
const ACTIONS: &str = "x-sluicegate-epa-actions";
/// The body of an answer that counts as passed.
const PASSED: &[u8] = b"0";
/// The body of one that does not.
const FAILED: &[u8] = b"3";

const JSON: &str = "application/json; charset=utf-8";

impl Portal {
    /// One of the requests.
    pub(super) async fn scan_call(&self, call: Call, visit: &Visit<'_>, request: &Whole) -> Result<Reply, Failed> {
        let token = match call {
            Call::State => visit.jar.flow(),
            Call::Kind | Call::Question | Call::Answer | Call::Device => visit.jar.scan(),
        };
        let Some(token) = token else { return Ok(unknown()) };
        let vserver = &*visit.site.vserver;
        match call {
            Call::State => Ok(match login::scan_state(&self.owner, vserver, token).await? {
                Some(ScanState::Waiting) => answer(JSON, "{\"scan\":\"waiting\"}"),
                Some(ScanState::Begun) => answer(JSON, "{\"scan\":\"begun\"}"),
                Some(ScanState::Done) => answer(JSON, "{\"scan\":\"done\"}"),
                Some(ScanState::Idle) => answer(JSON, "{\"scan\":\"none\"}"),
                None => unknown(),
            }),
            Call::Kind => Ok(match login::scan_begins(&self.owner, vserver, token).await? {
                Some(ScanState::Waiting | ScanState::Begun | ScanState::Done) => plain(TYPE_ON),
                Some(ScanState::Idle) => plain(TYPE_OFF),
                None => unknown(),
            }),
            Call::Device => {
                // Who shows none has come on a connection on which none was asked for.
                let Some(good) = visit.caller.device(visit.site) else { return Ok(unknown()) };
                let wanted = login::epa_device(&self.owner, vserver, token, good).await?;
                Ok(match wanted {
                    Some(true) => plain(PASSED),
                    Some(false) => plain(FAILED),
                    None => unknown(),
                })
            }
            Call::Question => {
                let Some(asked) = login::epa_question(&self.owner, vserver, token).await? else { return Ok(unknown()) };
                let Some(wrap) = wrap(token, visit, request) else { return Ok(pages::bare(StatusCode::BAD_REQUEST)) };
                let asked = match asked {
                    ScanAsked::Now(asked) => asked,
                    ScanAsked::Later(wait) => {
                        let mut reply = pages::bare(StatusCode::OK);
                        put(&mut reply, HEADER, &wrap.seal(b"")?)?;
                        retry_after(&mut reply, wait);
                        return Ok(reply);
                    }
                };
                let strings: Vec<_> = asked.strings.iter().filter_map(|string| ClientString::parse(string).ok()).collect();
                let question = Question::new(&strings);
                if strings.len() != asked.strings.len() || !question.is_whole() {
                    warn!("a scan asks for more than can be sent; it cannot pass");
                }
                let mut reply = pages::bare(StatusCode::OK);
                put(&mut reply, HEADER, &wrap.seal(question.as_str().as_bytes())?)?;
                let orders = orders(&asked.orders);
                if !orders.is_empty() && request.headers().contains_key(REPEATS.0) {
                    put(&mut reply, ACTIONS, &wrap.seal(orders.as_bytes())?)?;
                }
                Ok(reply)
            }
            Call::Answer => {
                if login::scan_state(&self.owner, vserver, token).await?.is_none() {
                    return Ok(unknown());
                }
                let Some(wrap) = wrap(token, visit, request) else { return Ok(pages::bare(StatusCode::BAD_REQUEST)) };
                // Of two answers none counts.
                let digits = once(request, HEADER).and_then(|payload| wrap.open(payload));
                let repeats = request.headers().get(REPEATS.0).is_some_and(|value| value.as_bytes() == REPEATS.1.as_bytes());
                let noted = login::epa_answer(&self.owner, vserver, token, digits, repeats).await?;
                let Some(noted) = noted else { return Ok(unknown()) };
                debug!(?noted, client = %visit.caller.client, "a scan was answered");
                let passed = noted == ScanNoted::Taken { passed: true };
                let body = wrap.seal(if passed { PASSED } else { FAILED })?;
                Ok(plain(body))
            }
        }
    }
}

/// How question and answer are wrapped in one request.
enum Wrap {
    Plain,
    Sealed(Envelope),
}

/// `None`: the request has nothing to make a key of.
fn wrap(token: &str, visit: &Visit<'_>, request: &Whole) -> Option<Wrap> {
    if visit.world.model.vpn.scans_in_clear {
        return Some(Wrap::Plain);
    }
    Envelope::derive(token, once(request, DATE)?, once(request, HOST)?).map(Wrap::Sealed)
}

/// The value of a header that is there exactly once.
fn once(request: &Whole, name: impl AsHeaderName) -> Option<&[u8]> {
    let mut all = request.headers().get_all(name).iter();
    all.next().filter(|_| all.next().is_none()).map(HeaderValue::as_bytes)
}

impl Wrap {
    fn seal(&self, text: &[u8]) -> Result<String, Failed> {
        match self {
            Self::Plain => Ok(String::from_utf8_lossy(text).into_owned()),
            Self::Sealed(envelope) => envelope.seal(text).map_err(|why| Failed::new(Problem::Internal, why)),
        }
    }

    fn open(&self, payload: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        match self {
            Self::Plain => Some(Zeroizing::new(payload.to_vec())),
            Self::Sealed(envelope) => envelope.open(payload).ok(),
        }
    }
}

/// What is to be done first, as a form has it.
fn orders(orders: &Orders) -> String {
    let all = orders.kill.iter().map(|name| ("kill", &**name)).chain(orders.delete.iter().map(|path| ("delete", &**path)));
    form::encode(&all.collect::<Vec<_>>())
}

/// Nothing is said to who has no right to ask.
fn unknown() -> Reply {
    pages::bare(StatusCode::FORBIDDEN)
}

fn plain(body: impl Into<Bytes>) -> Reply {
    let mut reply = pages::bare(StatusCode::OK);
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    *reply.body_mut() = Full::new(body.into());
    reply
}

fn put(reply: &mut Reply, name: &'static str, value: &str) -> Result<(), Failed> {
    // A string of the configuration that no header can hold is not asked in the clear.
    let value = HeaderValue::from_str(value).map_err(|bad| Failed::new(Problem::Internal, bad))?;
    reply.headers_mut().insert(HeaderName::from_static(name), value);
    Ok(())
}
