//! The cookies of the portal: which ones a request brings, and how they are given out.
//!
//! ```text
//!   ours, with __Host-    NetScaler's            what it stands for
//!   sg-login              NSC_AAAC               a login
//!   sg-flow               NSC_TMAS, NSC_EPAC     a conversation on its way to a login; NSC_EPAC alone, too, for the scans of a login
//!   sg-form               –                      the form of a virtual server without an authentication profile
//!   –                     NSC_VPNERR             the number of the last failure; no secret
//!   –                     NSC_TASS               where a login is to lead: `manageotp`, to the page of devices; no secret
//! ```
//!
//! Programs know NetScaler's names only, so every secret goes out under both. Browsers see to it that nobody but us sets a cookie whose name
//! begins with `__Host-`; a neighbour in the same domain can plant the others. All browsers say `Sec-Fetch-Site`, so in a request that
//! says so NetScaler's names count for nothing: neither a login nor a conversation can be fixed from outside.

use gate_auth::login::devices;
use gate_auth::login::table::CONVERSATION_LIFE;
use gate_auth::sessions::Token;
use gate_proto::cookie::{self, BadSetCookie, Cookies};
use hyper::HeaderMap;
use hyper::header::{COOKIE, HeaderName, HeaderValue, SET_COOKIE};

use super::Failed;
use super::text::Problem;
use crate::http::Reply;

const LOGIN: Name = Name { ours: "sg-login", theirs: &["NSC_AAAC"] };
const FLOW: Name = Name { ours: "sg-flow", theirs: &["NSC_TMAS", "NSC_EPAC"] };
const FORM: Name = Name { ours: "sg-form", theirs: &[] };
const SCAN: &str = "NSC_EPAC";
const FAILURE: &str = "NSC_VPNERR";

/// What a secret is called.
struct Name {
    /// Without its `__Host-`.
    ours: &'static str,
    theirs: &'static [&'static str],
}

/// The cookies of one request.
pub(super) struct Jar {
    cookies: Cookies,
    is_browser: bool,
}

impl Jar {
    /// Reads them.
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, Failed> {
        let is_browser = headers.contains_key(HeaderName::from_static("sec-fetch-site"));
        let mut fields = headers.get_all(COOKIE).iter();
        let (first, rest) = (fields.next(), fields.next());
        if rest.is_some() {
            return Err(Failed::new(Problem::BadRequest, "two cookie fields"));
        }
        let cookies = match first {
            None => Cookies::default(),
            Some(field) => Cookies::parse(field.as_bytes()).map_err(|bad| Failed::new(Problem::BadRequest, bad))?,
        };
        Ok(Self { cookies, is_browser })
    }

    /// A browser of today sent the request.
    pub(super) fn is_browser(&self) -> bool {
        self.is_browser
    }

    /// The login that the request speaks for.
    pub(super) fn login(&self) -> Option<&str> {
        self.secret(&LOGIN)
    }

    /// The conversation that the request belongs to.
    pub(super) fn flow(&self) -> Option<&str> {
        self.secret(&FLOW)
    }

    /// What a scan is done for. Only programs scan.
    pub(super) fn scan(&self) -> Option<&str> {
        self.value(SCAN).or_else(|| self.flow())
    }

    /// The form of a virtual server without a profile.
    pub(super) fn form(&self) -> Option<&str> {
        self.secret(&FORM)
    }

    /// The number of the last failure.
    pub(super) fn failure(&self) -> Option<u16> {
        self.value(FAILURE)?.parse().ok()
    }

    /// The login is to lead to the page of devices.
    pub(super) fn is_for_devices(&self) -> bool {
        self.value(devices::COOKIE.0).is_some_and(devices::is_value)
    }

    fn secret(&self, name: &Name) -> Option<&str> {
        let ours = self.value(&format!("__Host-{}", name.ours));
        let theirs = || name.theirs.iter().find_map(|name| self.value(name));
        if self.is_browser { ours } else { ours.or_else(theirs) }
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.cookies.value(name).filter(|value| !value.is_empty())
    }
}

/// The browser or program keeps this login.
pub(super) fn give_login(reply: &mut Reply, token: &Token) -> Result<(), Failed> {
    give(reply, &LOGIN, token)
}

/// The browser or program keeps this conversation.
pub(super) fn give_flow(reply: &mut Reply, token: &Token) -> Result<(), Failed> {
    give(reply, &FLOW, token)
}

/// The browser keeps the cookie of a form.
pub(super) fn give_form(reply: &mut Reply, token: &Token) -> Result<(), Failed> {
    give(reply, &FORM, token)
}

/// A program reads why it failed.
pub(super) fn give_failure(reply: &mut Reply, number: u16) -> Result<(), Failed> {
    add(reply, cookie::set_exact(FAILURE, &number.to_string()))
}

/// The login that begins now is to lead to the page of devices; so it is for as long as a login may take.
pub(super) fn lead_to_devices(reply: &mut Reply) -> Result<(), Failed> {
    let seconds = u32::try_from(CONVERSATION_LIFE.as_secs()).unwrap_or(u32::MAX);
    add(reply, cookie::set_exact_for(devices::COOKIE.0, devices::COOKIE.1, seconds))
}

/// Logins lead to a session again.
pub(super) fn lead_to_a_session(reply: &mut Reply) -> Result<(), Failed> {
    add(reply, cookie::clear_exact(devices::COOKIE.0))
}

/// The login is over.
pub(super) fn forget_login(reply: &mut Reply) -> Result<(), Failed> {
    forget(reply, &LOGIN)
}

/// The conversation is over. A login that is `watched` keeps the cookie with which its scan is repeated.
pub(super) fn forget_flow(reply: &mut Reply, watched: bool) -> Result<(), Failed> {
    if !watched {
        return forget(reply, &FLOW);
    }
    add(reply, cookie::clear(FLOW.ours))?;
    FLOW.theirs.iter().filter(|name| **name != SCAN).try_for_each(|name| add(reply, cookie::clear_exact(name)))
}

/// The form was taken.
pub(super) fn forget_form(reply: &mut Reply) -> Result<(), Failed> {
    forget(reply, &FORM)
}

/// The failure was shown.
pub(super) fn forget_failure(reply: &mut Reply) -> Result<(), Failed> {
    add(reply, cookie::clear_exact(FAILURE))
}

fn give(reply: &mut Reply, name: &Name, token: &Token) -> Result<(), Failed> {
    add(reply, cookie::set(name.ours, token.expose()))?;
    name.theirs.iter().try_for_each(|theirs| add(reply, cookie::set_exact(theirs, token.expose())))
}

fn forget(reply: &mut Reply, name: &Name) -> Result<(), Failed> {
    add(reply, cookie::clear(name.ours))?;
    name.theirs.iter().try_for_each(|theirs| add(reply, cookie::clear_exact(theirs)))
}

fn add(reply: &mut Reply, cookie: Result<String, BadSetCookie>) -> Result<(), Failed> {
    let cookie = cookie.map_err(|bad| Failed::new(Problem::Internal, bad))?;
    let mut value = HeaderValue::from_str(&cookie).map_err(|bad| Failed::new(Problem::Internal, bad))?;
    value.set_sensitive(true);
    reply.headers_mut().append(SET_COOKIE, value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::portal::pages;

    fn jar(fields: &[(&'static str, &str)]) -> Jar {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        Jar::read(&headers).unwrap()
    }

    #[test]
    fn nothing_can_be_planted_in_a_browser() {
        let planted = ("cookie", "NSC_AAAC=evil; NSC_TMAS=evil; NSC_EPAC=evil");
        let browser = jar(&[planted, ("sec-fetch-site", "same-origin")]);
        assert_eq!((browser.login(), browser.flow()), (None, None));
        let program = jar(&[planted]);
        assert_eq!((program.login(), program.flow()), (Some("evil"), Some("evil")));
        let both = ("cookie", "NSC_AAAC=evil; __Host-sg-login=own; __Host-sg-flow=own; NSC_TMAS=evil");
        for fields in [&[both][..], &[both, ("sec-fetch-site", "none")]] {
            assert_eq!((jar(fields).login(), jar(fields).flow()), (Some("own"), Some("own")));
        }
    }

    #[test]
    fn what_is_empty_or_sent_twice_is_not_there() {
        let jar = jar(&[("cookie", "NSC_TMAS=; NSC_EPAC=a; NSC_AAAC=b; NSC_AAAC=c; NSC_VPNERR=x")]);
        assert_eq!((jar.flow(), jar.scan(), jar.login(), jar.failure()), (Some("a"), Some("a"), None, None));
    }

    #[test]
    fn a_scan_that_is_repeated_keeps_its_cookie() {
        let cleared = |watched| {
            let mut reply = pages::bare(hyper::StatusCode::OK);
            forget_flow(&mut reply, watched).unwrap();
            let names = |value: &HeaderValue| value.to_str().unwrap().split('=').next().unwrap().to_owned();
            reply.headers().get_all(SET_COOKIE).iter().map(names).collect::<Vec<_>>()
        };
        assert_eq!(cleared(false), ["__Host-sg-flow", "NSC_TMAS", "NSC_EPAC"]);
        assert_eq!(cleared(true), ["__Host-sg-flow", "NSC_TMAS"]);
    }

    #[test]
    fn two_fields_are_refused() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, "a=b".parse().unwrap());
        headers.append(COOKIE, "a=b".parse().unwrap());
        assert!(Jar::read(&headers).is_err());
    }

    #[test]
    fn a_secret_goes_out_under_each_of_its_names() {
        let mut reply = pages::bare(hyper::StatusCode::OK);
        let token = Token::new([7; 32]);
        give_flow(&mut reply, &token).unwrap();
        forget_login(&mut reply).unwrap();
        let set: Vec<_> = reply.headers().get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap()).collect();
        let secret = "07".repeat(32);
        let attributes = "; Path=/; Secure; HttpOnly; SameSite=Lax";
        assert_eq!(
            set,
            [
                format!("__Host-sg-flow={secret}{attributes}"),
                format!("NSC_TMAS={secret}{attributes}"),
                format!("NSC_EPAC={secret}{attributes}"),
                format!("__Host-sg-login={attributes}; Max-Age=0"),
                format!("NSC_AAAC={attributes}; Max-Age=0"),
            ]
        );
    }
}
