//! What programs ask beside the login itself: native clients, scripts and probes that know NetScaler's paths. No page looks like these answers.
//!
//! ```text
//!   /cgi/GetAuthMethods              which ways to log in there are
//!   …/Home/Configuration             where a client with pages of its own finds the rest
//!   …/Resources/List                 what is published, or that a login is needed
//!   /cgi/setclient?wica              where it goes on: to the store, which is our list of resources
//! ```

use bytes::Bytes;
use gate_proto::xml::nfuse::app::App;
use http_body_util::Full;
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};

use super::routes::{self, Asking};
use super::{Failed, Portal, Visit, answers, pages};
use crate::http::Reply;

/// Says where to log in.
const WANTS_LOGIN: (&str, &str) = ("citrixwebreceiver-authenticate", "reason=\"notoken\", location=\"/cgi/GetAuthMethods\"");

const XML: &str = "text/xml; charset=utf-8";
const JSON: &str = "application/json; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

const DECLARATION: &str = r#"<?xml version="1.0" encoding="UTF-8"?>"#;

impl Portal {
    /// Answers that depend on whether there is a login.
    pub(super) async fn asked(&self, asking: Asking, visit: &Visit<'_>) -> Result<Reply, Failed> {
        let visitor = self.visitor(visit).await?;
        match asking {
            Asking::Chosen => Ok(answers::chosen(visitor.is_some())),
            Asking::SetClient => {
                let next = if visitor.is_some() { routes::STORE } else { visit.entrance() };
                Ok(pages::redirect(StatusCode::FOUND, next))
            }
            Asking::List => {
                let Some(visitor) = visitor else {
                    let mut reply = answer(JSON, "{\"unauthorized\": true}");
                    let (name, value) = WANTS_LOGIN;
                    reply.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
                    return Ok(reply);
                };
                let apps = self.apps(visit, &visitor, Vec::new()).await?;
                let one = |app: &App| format!("{{\"id\":{},\"name\":{}}}", json(&app.in_name), json(&app.display_name));
                let all: Vec<_> = apps.iter().map(one).collect();
                Ok(answer(JSON, format!("{{\"resources\":[{}]}}", all.join(","))))
            }
            Asking::UserName => Ok(match visitor {
                Some(visitor) => answer(PLAIN, visitor.login.user().to_owned()),
                None => pages::bare(StatusCode::FORBIDDEN),
            }),
        }
    }

    /// Which ways to log in there are.
    pub(super) fn auth_methods(visit: &Visit<'_>) -> Reply {
        let method = if visit.has_factors() {
            r#"<method name="ExplicitForms" url="/nf/auth/getAuthenticationRequirements.do"/>"#
        } else {
            r#"<method name="CitrixAGBasic" url="/cgi/login"/>"#
        };
        answer(XML, format!("{DECLARATION}<authMethods>{method}</authMethods>"))
    }

    /// Passwords are encrypted by TLS.
    pub(super) fn encryption() -> Reply {
        answer(JSON, "{\"encrypt\": \"DISABLED\"}")
    }

    /// Where the rest is.
    pub(super) fn configuration() -> Reply {
        let inner = concat!(
            r#"<clientSettings><authManager getAuthMethodsURL="Authentication/GetAuthMethods" "#,
            r#"getUsernameURL="Authentication/GetUserName" logoffURL="/cgi/logout"/>"#,
            r#"<storeProxy><resourcesProxy listURL="Resources/List"/></storeProxy>"#,
            r#"<pluginAssistant enabled="false"/><plugins/></clientSettings>"#,
        );
        answer(XML, format!("{DECLARATION}{inner}"))
    }
}

/// An answer that is no page.
pub(super) fn answer(kind: &'static str, body: impl Into<Bytes>) -> Reply {
    let mut reply = pages::bare(StatusCode::OK);
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    *reply.body_mut() = Full::new(body.into());
    reply
}

/// A text as JSON writes it. What is not plain ASCII is escaped, and so is what would end a script element.
fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for unit in text.encode_utf16() {
        match u8::try_from(unit) {
            Ok(plain @ (b' '..=b'~')) if !b"\"\\<>&".contains(&plain) => out.push(char::from(plain)),
            Ok(_) | Err(_) => out.push_str(&format!("\\u{unit:04x}")),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_in_json_is_inert() {
        assert_eq!(json("Notepad"), "\"Notepad\"");
        assert_eq!(json("a\"\\</script>\u{0}\n"), "\"a\\u0022\\u005c\\u003c/script\\u003e\\u0000\\u000a\"");
        assert_eq!(json("メ😀"), "\"\\u30e1\\ud83d\\ude00\"");
    }
}
