//! Pages as templates, and the headers that every answer carries.

use askama::Template;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};
use secrecy::zeroize::Zeroizing;

use super::agents::Agent;
use super::devices::Fields;
use super::sheet::{Item, Sheet, Tone};
use super::text::{Language, Problem, Text, texts};
use crate::http::Reply;
use crate::random::{self, NoRandom};

/// The login form.
#[derive(Template)]
#[template(path = "login.html")]
pub(crate) struct LoginPage<'p> {
    pub(crate) text: &'static Text,
    pub(crate) nonce: &'p str,
    pub(crate) form_token: &'p str,
    /// A second password is asked for; what it is called.
    pub(crate) second: Option<&'p str>,
    pub(crate) problem: Option<&'p str>,
    /// Why the login before is over.
    pub(crate) ended: Option<&'p str>,
}

/// A resource in the list.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) id: String,
    pub(crate) display_name: String,
    pub(crate) description: Option<String>,
    pub(crate) folder: Option<String>,
}

/// The list of resources.
#[derive(Template)]
#[template(path = "resources.html")]
pub(crate) struct ResourcesPage<'p> {
    pub(crate) text: &'static Text,
    pub(crate) nonce: &'p str,
    pub(crate) form_token: &'p str,
    pub(crate) user: &'p str,
    pub(crate) resources: &'p [Shown],
}

/// A form of a login.
#[derive(Template)]
#[template(path = "flow.html")]
pub(crate) struct FlowPage<'p> {
    pub(crate) text: &'static Text,
    pub(crate) nonce: &'p str,
    pub(super) sheet: &'p Sheet,
    /// What happened before.
    pub(crate) ended: Option<&'p str>,
    /// Why the device did not do, if it goes on all the same.
    pub(super) lacking: Option<Told>,
    /// Name of the field that says that the form was on a page.
    pub(crate) page_field: &'static str,
}

/// Why a device did not do, in words.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) text: String,
    /// What it is about.
    pub(super) items: Vec<String>,
    /// How many more, with the words for that.
    pub(super) more: Option<String>,
}

/// How far a look at the device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Waiting,
    Begun,
    Done,
}

impl Stage {
    /// As style and script know it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Begun => "begun",
            Self::Done => "done",
        }
    }

    pub(crate) fn is_waiting(self) -> bool {
        match self {
            Self::Waiting => true,
            Self::Begun | Self::Done => false,
        }
    }

    pub(crate) fn is_begun(self) -> bool {
        match self {
            Self::Begun => true,
            Self::Waiting | Self::Done => false,
        }
    }
}

/// The device is looked at.
#[derive(Template)]
#[template(path = "scan.html")]
pub(crate) struct ScanPage<'p> {
    pub(crate) text: &'static Text,
    pub(crate) nonce: &'p str,
    pub(crate) ended: Option<&'p str>,
    /// How far that is.
    pub(crate) stage: Stage,
    /// Starts the app on the device.
    pub(crate) launch: &'p str,
    /// The app, for whoever lacks it.
    pub(crate) agents: &'p [Agent],
    pub(crate) script: &'static str,
    /// Where the script asks whether the app has answered.
    pub(crate) poll: &'static str,
    pub(crate) post_back: &'static str,
    pub(crate) context: &'p str,
    /// What the form says if the user does without.
    pub(crate) skipped: &'static str,
    pub(crate) page_field: &'static str,
}

/// A certificate is wanted, and asked for elsewhere.
#[derive(Template)]
#[template(path = "certificate.html")]
pub(crate) struct CertificatePage<'p> {
    pub(crate) text: &'static Text,
    pub(crate) nonce: &'p str,
    pub(crate) ended: Option<&'p str>,
    /// Where it is asked for.
    pub(crate) there: &'p str,
    /// The browser goes there by itself.
    pub(crate) at_once: bool,
    /// Where it goes on without one.
    pub(crate) post_back: &'static str,
    pub(crate) context: &'p str,
    pub(crate) page_field: &'static str,
}

/// A user's devices for one-time codes.
#[derive(Template)]
#[template(path = "devices.html")]
pub(super) struct DevicesPage<'p> {
    pub(super) text: &'static Text,
    pub(super) nonce: &'p str,
    pub(super) user: &'p str,
    pub(super) devices: &'p [Box<str>],
    /// Another one may be added.
    pub(super) has_room: bool,
    pub(super) may_change: bool,
    /// One is being added.
    pub(super) enrolment: Option<Enrolment>,
    /// Whether this one is to be removed.
    pub(super) removing: Option<&'p str>,
    /// What came of what was done last.
    pub(super) told: Option<(Tone, &'p str)>,
    pub(super) post_back: &'static str,
    pub(super) context: &'p str,
    pub(super) fields: Fields,
}

/// A device that is being added.
pub(super) struct Enrolment {
    pub(super) name: String,
    /// What the QR code holds.
    pub(super) uri: Zeroizing<String>,
    /// The secret, for typing.
    pub(super) key: Zeroizing<String>,
    /// Modules of a side of the QR code, with the white around it.
    pub(super) side: i32,
    /// Its drawing.
    pub(super) path: Zeroizing<String>,
}

/// A login has come to its end.
#[derive(Template)]
#[template(path = "over.html")]
pub(crate) struct OverPage<'p> {
    pub(crate) text: &'static Text,
    pub(crate) nonce: &'p str,
    pub(crate) title: &'static str,
    pub(crate) reason: &'p str,
    /// What was not as it should be on the device.
    pub(super) lacking: Option<Told>,
    pub(crate) code: Option<u16>,
    /// It went wrong.
    pub(crate) alert: bool,
    pub(crate) back: &'p str,
}

/// Asks whether the login should end.
#[derive(Template)]
#[template(path = "leave.html")]
pub(crate) struct LeavePage<'p> {
    pub(crate) text: &'static Text,
    pub(crate) nonce: &'p str,
    pub(crate) form_token: &'p str,
    pub(crate) back: &'static str,
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'p> {
    text: &'static Text,
    nonce: &'p str,
    title: &'static str,
    advice: &'static str,
    code: &'static str,
    reference: &'p str,
    back: &'static str,
}

/// Allows one `<style>` of one answer.
pub(crate) fn nonce() -> Result<String, NoRandom> {
    Ok(random::bytes::<16>()?.iter().map(|b| format!("{b:02x}")).collect())
}

/// What a page may do beside having its own style and sending forms to us.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct May {
    /// Show images that are in it.
    pub(crate) show_images: bool,
    /// Run the script that it names, which may ask us and start the app on the device.
    pub(crate) run_own: bool,
}

/// What a frame of a page for a scan may lead to: to the app on the device and nowhere else. A source that is a scheme alone is understood
/// by all browsers; not all find a host in an address of a scheme that they do not know.
const APP: &str = "nsgcepa:";

/// A page.
pub(crate) fn page(status: StatusCode, nonce: &str, page: &impl Template) -> Reply {
    page_with(status, nonce, page, May::default())
}

/// A page that may do more.
pub(crate) fn page_with(status: StatusCode, nonce: &str, page: &impl Template, may: May) -> Reply {
    let Ok(html) = page.render() else { return bare(StatusCode::INTERNAL_SERVER_ERROR) };
    let mut reply = bare(status);
    *reply.body_mut() = Full::new(Bytes::from(html));
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    let images = if may.show_images { " img-src data:;" } else { "" };
    let script =
        if may.run_own { format!(" script-src 'nonce-{nonce}'; connect-src 'self'; frame-src {APP};") } else { String::new() };
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}';{images}{script} form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    reply
}

/// A problem, told with its code and a reference that the log line carries, too.
pub(crate) fn problem(problem: Problem, language: Language, reference: &str) -> Reply {
    let told = problem.told(language);
    let status = StatusCode::from_u16(told.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let Ok(nonce) = nonce() else { return bare(status) };
    let error = ErrorPage {
        text: texts(language),
        nonce: &nonce,
        title: told.title,
        advice: told.advice,
        code: told.code,
        reference,
        back: super::routes::FRONT,
    };
    page(status, &nonce, &error)
}

/// Sends the browser on. `path` is one of ours.
pub(crate) fn redirect(status: StatusCode, path: &'static str) -> Reply {
    let mut reply = bare(status);
    reply.headers_mut().insert(LOCATION, HeaderValue::from_static(path));
    reply
}

/// An answer without a body, with the headers that every answer carries.
pub(crate) fn bare(status: StatusCode) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::new()));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    for (name, value) in [
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_is_escaped() {
        let shown = Shown {
            id: "a\"><script>".into(),
            display_name: "<b>R&D</b>".into(),
            description: Some("'onload=".into()),
            folder: None,
        };
        let html =
            ResourcesPage { text: texts(Language::English), nonce: "n", form_token: "t", user: "<i>", resources: &[shown] }
                .render()
                .unwrap();
        assert!(!html.contains("<script>") && !html.contains("<b>") && !html.contains("<i>"), "{html}");
        assert!(html.contains("R&#38;D") || html.contains("R&amp;D"));
    }

    #[test]
    fn pages_have_what_a_reader_needs() {
        let html = LoginPage {
            text: texts(Language::English),
            nonce: "n",
            form_token: "t",
            second: Some("Second <password>"),
            problem: Some("no"),
            ended: None,
        }
        .render()
        .unwrap();
        for needed in [
            "<html lang=\"en\">",
            "<h1>",
            "<label for=\"login\">",
            "<label for=\"passwd\">",
            "<label for=\"passwd1\">Second &#60;",
            "role=\"alert\"",
            "name=\"viewport\"",
        ] {
            assert!(html.contains(needed), "{needed}");
        }
        for forbidden in ["<script", "onclick", "style=\"", "http://", "https://"] {
            assert!(!html.contains(forbidden), "{forbidden}");
        }
    }
}
