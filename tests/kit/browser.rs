//! A person's browser without a screen: curl with a cookie jar, one user each.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::gateway::{Gateway, NAME};

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Header lines by lower-case name; a repeated one keeps all values, one per line.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
}

impl Answer {
    /// A header's value, empty if there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The value of the hidden form field `name`.
    ///
    /// # Panics
    /// If the page has none.
    #[must_use]
    pub fn hidden(&self, name: &str) -> String {
        let marker = format!("name=\"{name}\" value=\"");
        let at = self.body.find(&marker).unwrap_or_else(|| panic!("no field {name} in {}", self.body)) + marker.len();
        self.body[at..].split('"').next().unwrap_or_default().to_owned()
    }
}

/// A form of a page: where it goes, and what it carries unseen.
#[derive(Clone, Debug)]
pub struct SeenForm {
    /// Path that it is posted to.
    pub action: String,
    /// Its hidden fields.
    pub hidden: Vec<(String, String)>,
}

impl Answer {
    /// The form number `at` of the page.
    ///
    /// # Panics
    /// If the page has no so many.
    #[must_use]
    pub fn form(&self, at: usize) -> SeenForm {
        let form = self.body.split("<form").nth(at + 1).unwrap_or_else(|| panic!("no form {at} in {}", self.body));
        let form = form.split("</form>").next().unwrap_or_default();
        let attribute = |tag: &str, name: &str| {
            let value = tag.split_once(&format!("{name}=\"")).map_or("", |(_, rest)| rest);
            plain(value.split('"').next().unwrap_or_default())
        };
        let hidden = form.split("<input").skip(1).map(|tag| tag.split('>').next().unwrap_or_default());
        let hidden =
            hidden.filter(|tag| tag.contains("type=\"hidden\"")).map(|tag| (attribute(tag, "name"), attribute(tag, "value")));
        SeenForm { action: attribute(form, "action"), hidden: hidden.collect() }
    }
}

/// Without the escapes of HTML.
fn plain(text: &str) -> String {
    let named = [
        ("&#38;", "&"),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&quot;", "\""),
        ("&lt;", "<"),
        ("&gt;", ">"),
    ];
    named.iter().fold(text.to_owned(), |text, (escape, char)| text.replace(escape, char)).replace("&amp;", "&")
}

/// A browser with its cookies.
#[derive(Debug)]
pub struct Browser {
    dir: TempDir,
    at: SocketAddr,
    ca: PathBuf,
}

impl Browser {
    /// A fresh browser that trusts the gateway's authority and finds it under its name.
    ///
    /// # Panics
    /// If no folder is to be had.
    #[must_use]
    pub fn new(gateway: &Gateway) -> Self {
        Self { dir: TempDir::new().expect("a folder"), at: gateway.public(), ca: gateway.ca_file.clone() }
    }

    /// What stands in the address bar in front of the path.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("https://{NAME}:{}", self.at.port())
    }

    /// Gets `path`, with more arguments for curl.
    #[must_use]
    pub fn get(&self, path: &str, more: &[&str]) -> Answer {
        self.curl(path, more)
    }

    /// Posts a form to `path` as a page of the same origin would.
    #[must_use]
    pub fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let origin = format!("Origin: {}", self.origin());
        let mut args = vec!["-H".to_owned(), origin, "-X".to_owned(), "POST".to_owned()];
        for (name, value) in fields {
            args.extend(["--data-urlencode".to_owned(), format!("{name}={value}")]);
        }
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        self.curl(path, &args)
    }

    /// Logs in and gives the page that follows.
    ///
    /// # Panics
    /// If the gateway does not accept the password.
    #[must_use]
    pub fn log_in(&self, user: &str, password: &str) -> Answer {
        let form = self.get("/vpn/index.html", &[]);
        assert_eq!(form.status, 200, "{form:?}");
        let answer = self.post("/cgi/login", &[("login", user), ("passwd", password), ("csrf", &form.hidden("csrf"))]);
        assert_eq!(answer.status, 303, "{answer:?}");
        let page = self.get(answer.header("location"), &[]);
        assert_eq!(page.status, 200, "{page:?}");
        page
    }

    /// Where the cookies are.
    #[must_use]
    pub fn cookies(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("cookies")).unwrap_or_default()
    }

    /// Goes to another place of the same name, as a link or an answer says. `None`: there was no answer.
    #[must_use]
    pub fn go(&self, url: &str, more: &[&str]) -> Option<Answer> {
        self.fetch(url, more).ok()
    }

    fn curl(&self, path: &str, more: &[&str]) -> Answer {
        let url = format!("{}{path}", self.origin());
        self.fetch(&url, more).unwrap_or_else(|why| panic!("{path}: no answer: {why}"))
    }

    fn fetch(&self, url: &str, more: &[&str]) -> Result<Answer, String> {
        let file = |name: &str| self.dir.path().join(name).display().to_string();
        let (jar, head, body) = (file("cookies"), file("head"), file("body"));
        let _ = std::fs::remove_file(&head);
        let port = url.rsplit(':').next().and_then(|rest| rest.split('/').next()).unwrap_or_default();
        let resolve = format!("{NAME}:{port}:{}", self.at.ip());
        let done = Command::new("curl")
            .args(["-sS", "--max-time", "60", "--resolve", &resolve, "-b", &jar, "-c", &jar, "-D", &head, "-o", &body])
            .arg("--cacert")
            .arg(&self.ca)
            .args(more)
            .arg(url)
            .stdin(Stdio::null())
            .output()
            .map_err(|why| format!("curl: {why}"))?;
        let head = read(Path::new(&head));
        // An interim answer (100) may stand in front.
        let last = head.trim_end().rsplit("\r\n\r\n").next().unwrap_or_default();
        let mut lines = last.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| String::from_utf8_lossy(&done.stderr).into_owned())?;
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let all = headers.entry(name.to_ascii_lowercase()).or_default();
            if !all.is_empty() {
                all.push('\n');
            }
            all.push_str(value.trim());
        }
        let answer = Answer { status, headers, body: read(Path::new(&body)) };
        let _ = std::fs::remove_file(self.dir.path().join("body"));
        Ok(answer)
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}
