//! HTTP as bytes over TLS: for requests that no browser would send, and for many users at once.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::IpAddr;

use crate::browser::Answer;
use crate::client::Client;
use crate::gateway::{Gateway, NAME};

/// One connection to the portal.
#[derive(Debug)]
pub struct Web {
    client: Client,
    cookies: BTreeMap<String, String>,
    origin: String,
    announced: String,
}

impl Web {
    /// Connects.
    #[must_use]
    pub fn new(gateway: &Gateway) -> Self {
        Self::over(gateway.connect(), gateway)
    }

    /// Connects from another address of this machine.
    #[must_use]
    pub fn from(gateway: &Gateway, source: IpAddr) -> Self {
        Self::over(gateway.connect_from(source), gateway)
    }

    /// Connects to another virtual server of the same name.
    ///
    /// # Panics
    /// If it cannot be reached.
    #[must_use]
    pub fn to(gateway: &Gateway, vserver: &str) -> Self {
        let at = gateway.address(vserver);
        let client = Client::connect(at, NAME, &gateway.tls).expect("a connection");
        Self { origin: format!("https://{NAME}:{}", at.port()), ..Self::over(client, gateway) }
    }

    /// Over a connection that is there.
    #[must_use]
    pub fn over(client: Client, gateway: &Gateway) -> Self {
        let origin = format!("https://{NAME}:{}", gateway.public().port());
        Self { client, cookies: BTreeMap::new(), origin, announced: String::new() }
    }

    /// Sends this header with every request from now on.
    pub fn announce(&mut self, name: &str, value: &str) {
        self.announced = format!("{}{name}: {value}\r\n", self.announced);
    }

    /// Sends `bytes` as they are. What cannot be sent any more since the gateway has closed is nobody's loss.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.client.stream.write_all(bytes).and_then(|()| self.client.stream.flush());
    }

    /// Says that nothing more will come, and gives all that does.
    ///
    /// # Errors
    /// If the connection ends without close_notify.
    pub fn rest(mut self) -> io::Result<Vec<u8>> {
        let _ = self.client.finish();
        self.client.rest()
    }

    /// Reads one answer.
    ///
    /// # Errors
    /// If the connection ends before it does, or its length is not told.
    pub fn answer(&mut self) -> io::Result<Answer> {
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            self.client.stream.read_exact(&mut byte)?;
            head.extend(byte);
        }
        let answer = parse(&head).ok_or_else(|| io::Error::other("not HTTP"))?;
        let length = answer.header("content-length").parse().map_err(io::Error::other)?;
        let mut body = vec![0; length];
        self.client.stream.read_exact(&mut body)?;
        for line in answer.header("set-cookie").lines() {
            if let Some((name, value)) = line.split(';').next().and_then(|cookie| cookie.split_once('=')) {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(Answer { body: String::from_utf8(body).map_err(io::Error::other)?, ..answer })
    }

    /// Gets `path`.
    ///
    /// # Errors
    /// As [`Web::answer`].
    pub fn get(&mut self, path: &str) -> io::Result<Answer> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {NAME}\r\n{}\r\n", self.cookie_line());
        self.send(request.as_bytes());
        self.answer()
    }

    /// Posts `body`, a form as it is, to `path` as a page of the same origin would.
    ///
    /// # Errors
    /// As [`Web::answer`].
    pub fn post(&mut self, path: &str, body: &[u8]) -> io::Result<Answer> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {NAME}\r\nOrigin: {}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n{}\r\n",
            self.origin,
            body.len(),
            self.cookie_line()
        );
        self.send(&[head.as_bytes(), body].concat());
        self.answer()
    }

    /// Sends a request with exactly these headers beside `Host` and the length of `body`, and without the cookies kept so far.
    ///
    /// # Errors
    /// As [`Web::answer`].
    pub fn request(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Answer> {
        let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: {}\r\n{lines}\r\n", body.len());
        self.send(&[head.as_bytes(), body].concat());
        self.answer()
    }

    /// The cookie `name` that the gateway has given, empty if there is none.
    #[must_use]
    pub fn cookie(&self, name: &str) -> &str {
        self.cookies.get(name).map_or("", String::as_str)
    }

    fn cookie_line(&self) -> String {
        let all: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = if all.is_empty() { String::new() } else { format!("Cookie: {}\r\n", all.join("; ")) };
        cookies + &self.announced
    }
}

/// The head of an answer.
fn parse(head: &[u8]) -> Option<Answer> {
    let text = str::from_utf8(head).ok()?;
    let mut lines = text.lines();
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.split(' ').next()?.parse().ok()?;
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let all = headers.entry(name.to_ascii_lowercase()).or_default();
        if !all.is_empty() {
            all.push('\n');
        }
        all.push_str(value.trim());
    }
    Some(Answer { status, headers, body: String::new() })
}
