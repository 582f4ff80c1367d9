//! As much of a browser as the demonstration needs: HTTP/1.1 over one TLS connection, with cookies.
//!
//! Strict: an answer has a length, its head has a cap, and what does not fit is an error rather than a guess.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::time::Duration;

use gate_proto::cookie;
use gate_proto::form;
use thiserror::Error;

use crate::clock::Deadline;
use crate::launch::fault::Fault;
use crate::launch::open::{Line, Plan, tls_in_words};

/// Longest head of an answer, in bytes.
const HEAD_BYTES_MAX: u64 = 32 * 1024;
/// Longest body, in bytes.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// How long one exchange may take.
const EXCHANGE_WAIT: Duration = Duration::from_secs(20);

/// Why there is no page.
#[derive(Debug, Error)]
pub enum NoPage {
    /// There is no connection.
    #[error("cannot reach the portal")]
    Connect(#[from] Fault),
    /// The connection broke or the deadline passed.
    #[error("cannot {action} the portal")]
    Io {
        /// What was tried.
        action: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// The answer is not HTTP/1.1 as we accept it.
    #[error("the portal's answer is malformed: {0}")]
    Malformed(&'static str),
}

/// An answer.
#[derive(Debug)]
pub struct Page {
    /// The status code.
    pub status: u16,
    headers: Vec<(String, String)>,
    /// The body, as text.
    pub body: String,
}

impl Page {
    /// The value of a header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(held, _)| held == name).map(|(_, value)| value.as_str())
    }
}

/// A visitor of one portal.
pub struct Browser {
    plan: Plan,
    line: Option<BufReader<Line>>,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    /// A visitor who has not come yet.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        Self { plan, line: None, cookies: BTreeMap::new() }
    }

    /// Opens the connection. Returns how it is protected, for display.
    ///
    /// # Errors
    /// [`NoPage::Connect`].
    pub fn connect(&mut self) -> Result<String, NoPage> {
        let (line, _) = self.plan.dial()?;
        let words = tls_in_words(&line);
        self.line = Some(BufReader::new(line));
        Ok(words)
    }

    /// Fetches a page.
    ///
    /// # Errors
    /// [`NoPage`].
    pub fn fetch(&mut self, path: &str) -> Result<Page, NoPage> {
        self.exchange("GET", path, None)
    }

    /// Sends a form.
    ///
    /// # Errors
    /// [`NoPage`].
    pub fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Result<Page, NoPage> {
        self.exchange("POST", path, Some(&form::encode(fields)))
    }

    /// The names of the cookies that it holds.
    pub fn cookie_names(&self) -> impl Iterator<Item = &str> {
        self.cookies.keys().map(String::as_str)
    }

    fn exchange(&mut self, method: &str, path: &str, body: Option<&str>) -> Result<Page, NoPage> {
        if self.line.is_none() {
            self.connect()?;
        }
        let request = self.request(method, path, body);
        let Some(mut line) = self.line.take() else { return Err(NoPage::Malformed("no connection")) };
        line.get_mut().sock.until(Some(Deadline::after(EXCHANGE_WAIT)));
        let io = |action| move |source| NoPage::Io { action, source };
        let out = line.get_mut();
        out.write_all(request.as_bytes()).and_then(|()| out.flush()).map_err(io("write to"))?;
        let (status, headers) = read_head(&mut line)?;
        let page = Page { status, headers, body: String::new() };
        let body = read_body(&mut line, &page)?;
        for (_, value) in page.headers.iter().filter(|(name, _)| name == "set-cookie") {
            self.keep_cookie(value);
        }
        if !page.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            self.line = Some(line);
        }
        Ok(Page { body, ..page })
    }

    fn request(&self, method: &str, path: &str, body: Option<&str>) -> String {
        let gateway = &self.plan.gateway;
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {gateway}\r\nUser-Agent: sluicectl-demo\r\n");
        if !self.cookies.is_empty() {
            let all: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request += &format!("Cookie: {}\r\n", all.join("; "));
        }
        match body {
            Some(body) => {
                request += &format!("Origin: https://{gateway}\r\nContent-Type: application/x-www-form-urlencoded\r\n");
                request += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
            }
            None => request += "\r\n",
        }
        request
    }

    fn keep_cookie(&mut self, header: &str) {
        match cookie::read_set_cookie(header) {
            Some((name, Some(value))) => drop(self.cookies.insert(name.to_owned(), value.to_owned())),
            Some((name, None)) => drop(self.cookies.remove(name)),
            None => {}
        }
    }
}

/// Names of cookies only.
impl std::fmt::Debug for Browser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.cookie_names()).finish()
    }
}

type Headers = Vec<(String, String)>;

fn read_head(line: &mut BufReader<Line>) -> Result<(u16, Headers), NoPage> {
    let mut head = line.take(HEAD_BYTES_MAX);
    let mut next = || {
        let mut text = String::new();
        head.read_line(&mut text).map_err(|source| NoPage::Io { action: "read from", source })?;
        let text = text.strip_suffix("\r\n").ok_or(NoPage::Malformed("head is cut off or too long"))?;
        Ok::<_, NoPage>(text.to_owned())
    };
    let status = next()?;
    let code = status.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|code| code.parse().ok());
    let code = code.ok_or(NoPage::Malformed("no HTTP/1.1 status line"))?;
    let mut headers = Headers::new();
    loop {
        let field = next()?;
        if field.is_empty() {
            return Ok((code, headers));
        }
        let (name, value) = field.split_once(':').ok_or(NoPage::Malformed("header without a colon"))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

fn read_body(line: &mut BufReader<Line>, page: &Page) -> Result<String, NoPage> {
    if page.header("transfer-encoding").is_some() {
        return Err(NoPage::Malformed("body without a length"));
    }
    let length = match page.header("content-length") {
        Some(digits) => digits.parse().ok().filter(|&length| length <= BODY_BYTES_MAX),
        None if matches!(page.status, 204 | 304) => Some(0),
        None => None,
    };
    let mut body = vec![0; length.ok_or(NoPage::Malformed("body without a sensible length"))?];
    line.read_exact(&mut body).map_err(|source| NoPage::Io { action: "read from", source })?;
    String::from_utf8(body).map_err(|_| NoPage::Malformed("body is not UTF-8"))
}
