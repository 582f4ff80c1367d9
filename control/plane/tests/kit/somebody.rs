//! Browsers and programs that log in: they keep cookies from one request to the next.

use gate_proto::epa::envelope::Envelope;
use gate_proto::form::encode;
use gate_proto::forms::Answer;

use super::operator::Live;
use super::{FQDN, House, Reply};

/// s3cret, at costs that are next to nothing.
pub(crate) const ALICE: &str = "$argon2id$v=19$m=8,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$UtZEz+BWHC0WlJmqT+7JZIGfdVZuDoQEmUbiCLh7qvY";
/// hunter2, likewise.
pub(crate) const BOB: &str = "$argon2id$v=19$m=8,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$X2GowFcIBjqaOkT9YxifAWkwSk5c0dvtvKHLkcfTBJQ";

/// The first form of a login in factors, for programs.
pub(crate) const FIRST: &str = "/nf/auth/getAuthenticationRequirements.do";
/// Where its forms are posted to.
pub(crate) const FORM: &str = "/nf/auth/doAuthentication.do";

/// Somebody at the other end: keeps cookies as browsers and programs do.
pub(crate) struct Somebody<'h> {
    pub(crate) house: &'h House,
    pub(crate) cookies: Vec<(String, String)>,
    /// Header fields of every request.
    pub(crate) says: &'static str,
}

impl<'h> Somebody<'h> {
    pub(crate) fn new(live: &'h Live, says: &'static str) -> Self {
        Self { house: &live.house, cookies: Vec::new(), says }
    }

    pub(crate) fn jar(&self) -> String {
        self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.iter().find(|(held, _)| held == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn send(&mut self, method: &str, path: &str, more: &str, body: &str) -> Reply {
        let jar = if self.cookies.is_empty() { String::new() } else { format!("Cookie: {}\r\n", self.jar()) };
        let length = body.len();
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: {FQDN}\r\n{jar}{}{more}Content-Length: {length}\r\n\r\n", self.says);
        let reply = self.house.raw((head + body).as_bytes());
        for set in reply.fields("set-cookie") {
            assert!(set.contains("; Path=/; Secure; HttpOnly; SameSite=Lax"), "{set}");
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.retain(|(held, _)| held != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        reply
    }

    pub(crate) fn get(&mut self, path: &str) -> Reply {
        self.send("GET", path, "", "")
    }

    pub(crate) fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        self.send("POST", path, "", &encode(fields))
    }

    /// Begins, as programs do.
    pub(crate) fn begin(&mut self) -> Answer {
        answer(&self.post(FIRST, &[]))
    }

    /// Sends name and password with the context of `form`.
    pub(crate) fn log_in(&mut self, form: &Answer, user: &str, password: &str) -> Answer {
        answer(&self.post(FORM, &[("login", user), ("passwd", password), ("StateContext", &form.state)]))
    }

    /// What the app does: asks, and answers with `digits`.
    pub(crate) fn scan(&mut self, digits: &str) -> (String, String) {
        let token = self.cookie("NSC_EPAC").unwrap().to_owned();
        let envelope = Envelope::derive(&token, b"1498797356", FQDN.as_bytes()).unwrap();
        let kind = self.send("GET", "/epatype", "Date: 1498797356\r\n", "");
        assert_eq!((kind.status, &*kind.text()), (200, "Epa:on\r\n"));
        let asked = self.send("GET", "/epaq", "Date: 1498797356\r\n", "");
        let question = envelope.open(asked.field("csec").as_bytes()).unwrap();
        let sealed = envelope.seal(digits.as_bytes()).unwrap();
        let told = self.send("GET", "/epas", &format!("Date: 1498797356\r\nCSEC: {sealed}\r\n"), "");
        let verdict = envelope.open(&told.body).unwrap();
        (String::from_utf8(question.to_vec()).unwrap(), String::from_utf8(verdict.to_vec()).unwrap())
    }
}

/// The answer in XML of a step.
pub(crate) fn answer(reply: &Reply) -> Answer {
    assert_eq!(reply.field("content-type"), "application/vnd.citrix.authenticateresponse-1+xml; charset=utf-8", "{reply:?}");
    assert_eq!(reply.field("x-citrix-application"), "Receiver for Web");
    Answer::read(&reply.body).unwrap()
}
