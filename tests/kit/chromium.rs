//! A real browser without a screen: Chromium, spoken to over the DevTools protocol through two pipes.
//!
//! ```text
//!   test ── call, JSON with a zero byte behind it ──► fd 3 ┌──────────┐ ── TLS ──► gateway
//!        ◄── answers and events, read by a thread ── fd 4  │ Chromium │
//!                                                          └────┬─────┘ ── xdg-open ──► whatever is registered at its home
//! ```
//!
//! Each has a home of its own, so that many run side by side. It finds the gateway by its name, and trusts no authority: just the gateway's
//! key. Rules of an administrator, which Chromium reads from one folder of the machine, are in front of that folder for this one alone, in
//! a mount namespace. What a page waits for is looked for again and again, with a deadline.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::deadline::{Deadline, PATIENCE, until};
use crate::gateway::{Gateway, NAME};
use crate::tools::{Running, apart, output};

/// What every one is started with: nothing that calls home, nothing that asks.
const FLAGS: &[&str] = &[
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--password-store=basic",
    "--remote-debugging-pipe",
];

/// Moves the pipes, which are standard input and output of a shell, to where Chromium looks for them. If there is a folder of rules, it is
/// put in front of the machine's.
const LAUNCH: &str = "[ -z \"$RULES\" ] || mount --bind \"$RULES\" /etc/chromium || exit 1\n\
                      unset RULES; exec chromium \"$@\" 3<&0 4>&1 </dev/null >/dev/null";

/// A browser.
#[derive(Debug)]
pub struct Chromium {
    running: Running,
    to: Mutex<ChildStdin>,
    heard: Arc<Mutex<Vec<Value>>>,
    asked: AtomicU64,
    home: TempDir,
    origin: String,
}

/// A tab.
#[derive(Debug)]
pub struct Tab<'c> {
    browser: &'c Chromium,
    session: String,
}

impl Chromium {
    /// Starts one that finds `gateway`. Its user has said once and for all that the gateway's pages may open links of `scheme`; `home` makes
    /// the home ready, and says which variables of the environment there are beside the usual ones.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(gateway: &Gateway, scheme: &str, home: impl FnOnce(&Path) -> Vec<(String, PathBuf)>) -> Self {
        Self::launch(gateway, scheme, None, home)
    }

    /// The same with `rules` of an administrator: names of Chromium's policies, and their values.
    ///
    /// # Panics
    /// If it does not start; see [`apart`].
    #[must_use]
    pub fn ruled(gateway: &Gateway, rules: &Value, home: impl FnOnce(&Path) -> Vec<(String, PathBuf)>) -> Self {
        Self::launch(gateway, "none", Some(rules), home)
    }

    fn launch(
        gateway: &Gateway,
        scheme: &str,
        rules: Option<&Value>,
        home: impl FnOnce(&Path) -> Vec<(String, PathBuf)>,
    ) -> Self {
        let folder = TempDir::new().expect("a folder");
        let origin = format!("https://{NAME}:{}", gateway.public().port());
        let profile = folder.path().join("profile");
        fs::create_dir_all(profile.join("Default")).expect("a folder");
        let allowed = json!({ "protocol_handler": { "allowed_origin_protocol_pairs": { origin.as_str(): { scheme: true } } } });
        fs::write(profile.join("Default/Preferences"), allowed.to_string()).expect("a file");
        let variables = home(folder.path());
        let mut command = if let Some(rules) = rules {
            let managed = folder.path().join("rules/policies/managed");
            fs::create_dir_all(&managed).expect("a folder");
            fs::write(managed.join("test.json"), rules.to_string()).expect("a file");
            let mut command = apart();
            command.arg("sh").env("RULES", folder.path().join("rules"));
            command
        } else {
            let mut command = Command::new("sh");
            command.env_remove("RULES");
            command
        };
        command
            .args(["-c", LAUNCH, "chromium"])
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg(format!("--host-resolver-rules=MAP {NAME} {}", gateway.public().ip()))
            .arg(format!("--ignore-certificate-errors-spki-list={}", key_of(gateway)))
            .arg("about:blank")
            .env("HOME", folder.path())
            .envs(variables)
            .env_remove("XDG_DATA_HOME")
            .env_remove("XDG_CONFIG_HOME")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(folder.path().join("log")).expect("a file"));
        let mut running = Running::start(&mut command);
        let (to, from) = (running.0.stdin.take().expect("a pipe"), running.0.stdout.take().expect("a pipe"));
        let heard = Arc::new(Mutex::new(Vec::new()));
        std::thread::spawn({
            let heard = heard.clone();
            move || listen(from, &heard)
        });
        Self { running, to: Mutex::new(to), heard, asked: AtomicU64::new(0), home: folder, origin }
    }

    /// Its home.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// A fresh tab, with everything that it does listened to.
    #[must_use]
    pub fn tab(&self) -> Tab<'_> {
        let target = self.call(None, "Target.createTarget", &json!({ "url": "about:blank" }));
        let attached = self.call(None, "Target.attachToTarget", &json!({ "targetId": target["targetId"], "flatten": true }));
        let tab = Tab { browser: self, session: attached["sessionId"].as_str().unwrap_or_default().to_owned() };
        for domain in ["Page", "Runtime", "Log", "Audits", "Network"] {
            let _ = tab.call(&format!("{domain}.enable"), &json!({}));
        }
        tab
    }

    /// Asks, and waits for the answer.
    fn ask(&self, session: Option<&str>, method: &str, params: &Value) -> Result<Value, Value> {
        let id = self.asked.fetch_add(1, Relaxed) + 1;
        let mut message = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let mut to = self.to.lock().unwrap_or_else(PoisonError::into_inner);
        let written = to.write_all(format!("{message}\0").as_bytes()).and_then(|()| to.flush());
        drop(to);
        written.unwrap_or_else(|gone| panic!("{method}: {gone}: {}", self.log()));
        let answer = until(method, || {
            let mut heard = self.heard();
            let at = heard.iter().position(|message| message["id"] == id)?;
            Some(heard.swap_remove(at))
        });
        if answer["error"].is_null() { Ok(answer["result"].clone()) } else { Err(answer["error"].clone()) }
    }

    fn call(&self, session: Option<&str>, method: &str, params: &Value) -> Value {
        self.ask(session, method, params).unwrap_or_else(|error| panic!("{method} {params}: {error}"))
    }

    fn heard(&self) -> MutexGuard<'_, Vec<Value>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.home().join("log")).unwrap_or_default()
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // Its helpers end with it, if it ends by itself.
        let asked = self.to.lock().map(|mut to| to.write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0"));
        let deadline = Deadline::patient();
        while asked.is_ok() && !deadline.passed() && self.running.0.try_wait().is_ok_and(|ended| ended.is_none()) {
            std::thread::park_timeout(std::time::Duration::from_millis(2));
        }
    }
}

impl Tab<'_> {
    /// Calls a method of this tab.
    ///
    /// # Panics
    /// If it is refused.
    pub fn call(&self, method: &str, params: &Value) -> Value {
        self.browser.call(Some(&self.session), method, params)
    }

    /// Opens a page of the gateway, by its path.
    pub fn open(&self, path: &str) {
        let _ = self.call("Page.navigate", &json!({ "url": format!("{}{path}", self.browser.origin) }));
        self.until("document.readyState === 'complete' && location.protocol === 'https:'");
    }

    /// The value of an expression. `None`: there is none, perhaps since another page is just coming.
    #[must_use]
    pub fn value(&self, expression: &str) -> Option<Value> {
        let params = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true, "userGesture": true });
        let answer = self.browser.ask(Some(&self.session), "Runtime.evaluate", &params).ok()?;
        answer["exceptionDetails"].is_null().then(|| answer["result"]["value"].clone())
    }

    /// The text of the page, as it is seen.
    #[must_use]
    pub fn text(&self) -> String {
        let text = self.value("document.body.innerText");
        text.and_then(|text| text.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// Waits until `condition` is true.
    ///
    /// # Panics
    /// If it never is; the page is shown.
    pub fn until(&self, condition: &str) {
        let deadline = Deadline::patient();
        while self.value(condition) != Some(Value::Bool(true)) {
            assert!(!deadline.passed(), "waited {PATIENCE:?} in vain for: {condition}\n{}\n{:#?}", self.text(), self.console());
            std::thread::park_timeout(std::time::Duration::from_millis(10));
        }
    }

    /// Waits until the page has an element for `selector`.
    pub fn shows(&self, selector: &str) {
        self.until(&format!("document.querySelector({}) !== null", json!(selector)));
    }

    /// Clicks an element, as a person does.
    pub fn click(&self, selector: &str) {
        self.shows(selector);
        let _ = self.value(&format!("document.querySelector({}).click()", json!(selector)));
    }

    /// Types into a field.
    pub fn fill(&self, selector: &str, text: &str) {
        self.shows(selector);
        let _ = self.value(&format!("document.querySelector({}).value = {}", json!(selector), json!(text)));
    }

    /// What the browser has said about pages of this tab: console, log, issues.
    #[must_use]
    pub fn console(&self) -> Vec<String> {
        let is_said = |message: &&Value| {
            let method = message["method"].as_str().unwrap_or_default();
            message["sessionId"] == self.session.as_str()
                && ["Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Audits.issueAdded"]
                    .contains(&method)
        };
        self.browser.heard().iter().filter(is_said).map(|message| message["params"].to_string()).collect()
    }

    /// What of that is about things that a page may not do, or about its script.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let is_complaint = |said: &String| {
            let words =
                ["Content Security Policy", "ContentSecurityPolicy", "contentSecurityPolicy", "exceptionDetails", "\"security\""];
            words.iter().any(|word| said.contains(word))
        };
        self.console().into_iter().filter(is_complaint).collect()
    }

    /// A picture of the whole page, as PNG in Base64.
    #[must_use]
    pub fn picture(&self) -> String {
        let picture = self.call("Page.captureScreenshot", &json!({ "format": "png", "captureBeyondViewport": true }));
        picture["data"].as_str().unwrap_or_default().to_owned()
    }
}

fn listen(from: ChildStdout, heard: &Mutex<Vec<Value>>) {
    let mut from = BufReader::new(from);
    loop {
        let mut message = Vec::new();
        match from.by_ref().read_until(0, &mut message) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if let Ok(message) = serde_json::from_slice(message.strip_suffix(&[0]).unwrap_or(&message)) {
            heard.lock().unwrap_or_else(PoisonError::into_inner).push(message);
        }
    }
}

/// The SHA-256 of the gateway's public key, as Chromium wants it.
fn key_of(gateway: &Gateway) -> String {
    let script = "openssl x509 -in \"$0\" -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | openssl base64";
    let certificate = gateway.dir().join("gw.pem");
    output("sh", &["-c", script, &certificate.display().to_string()]).trim().to_owned()
}
