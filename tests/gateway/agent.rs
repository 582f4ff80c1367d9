//! The endpoint agent that we ship against the gateway that we ship: a login with a real directory, a link, a real process.
//!
//! ```text
//!   password (slapd) ─► page with a link ─► sluice-epa: the process runs ─► session ─► stream ··· again ··· the process is ended ─► all over
//! ```

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sluicegate_tests::browser::{Answer, Browser};
use sluicegate_tests::certs::Ca;
use sluicegate_tests::deadline::until;
use sluicegate_tests::directory::Directory;
use sluicegate_tests::gateway::{Gateway, Wish};
use sluicegate_tests::host::Host;
use sluicegate_tests::tools::Running;

use crate::login::{ANN, LISTING, assumed, ends, first, followed, launched, publishing, rows, send, session, there_and_back};

on_each_engine!(a_process_opens_a_session_and_its_end_closes_it);

/// The agent, of today.
pub(crate) fn program() -> PathBuf {
    static BUILT: std::sync::Once = std::sync::Once::new();
    BUILT.call_once(|| {
        let built = Command::new(env!("CARGO")).args(["build", "-q", "-p", "gate-agent"]).status().unwrap();
        assert!(built.success());
    });
    Path::new(env!("CARGO_BIN_EXE_sluicegate")).with_file_name("sluice-epa")
}

/// The published scenario, about the process `name`.
fn asking_for(name: &str, wish: Wish) -> Wish {
    LISTING.iter().fold(wish, |wish, line| wish.line(line.replace("proc_2_firefox", &format!("proc_2_{name}"))))
}

/// The link with which `page` starts the agent.
fn link(page: &Answer) -> &str {
    let at = page.body.find("nsgcepa://").unwrap_or_else(|| panic!("no link to the agent: {page:?}"));
    page.body[at..].split(['"', '\'', '<', ' ']).next().unwrap()
}

/// What stands in the link for the gateway, with its port.
fn authority(link: &str) -> String {
    let authority = link.split('/').nth(4).unwrap_or_else(|| panic!("no gateway in {link}"));
    if authority.contains(':') { authority.to_owned() } else { format!("{authority}:443") }
}

/// An agent that was started by a page, and what it says.
struct Agent {
    running: Running,
    log: PathBuf,
}

impl Agent {
    fn start(gateway: &Gateway, page: &Answer) -> Self {
        Self::noting(gateway, page, "agent.log")
    }

    /// As a desktop starts it, with consent said beforehand. A minute lasts as long as the gateway's.
    fn noting(gateway: &Gateway, page: &Answer, log: &str) -> Self {
        let log = gateway.dir().join(log);
        let mut command = Command::new(program());
        command
            .arg(link(page))
            .args(["--yes", "--minute", "1", "--resolve", &format!("{}:{}", authority(link(page)), gateway.public())])
            .arg("--ca")
            .arg(&gateway.ca_file)
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stderr(File::create(&log).unwrap());
        Self { running: Running::start(&mut command), log }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Waits until it has said `word`.
    fn says(&mut self, word: &str) {
        until(word, || {
            let said = self.said();
            let ended = self.running.0.try_wait().unwrap();
            assert!(said.contains(word) || ended.is_none(), "ended with {ended:?}: {said}");
            said.contains(word).then_some(())
        });
    }
}

/// A process of the name `name`, until it is ended.
pub(crate) fn process(gateway: &Gateway, name: &str) -> Running {
    let program = gateway.dir().join(name);
    std::fs::copy("/bin/sleep", &program).unwrap();
    Running::start(Command::new(&program).arg("600").stdin(Stdio::null()))
}

fn end(mut process: Running) {
    process.0.kill().unwrap();
    let _ended = process.0.wait().unwrap();
}

fn a_process_opens_a_session_and_its_end_closes_it(engine: &'static str) {
    let (host, directory) = (Host::echo(), Directory::start(&Ca::new()));
    // A name that nobody else's process has, and of which the kernel keeps all.
    let name = format!("firefox{:x}{}", std::process::id(), &engine[..1]);
    let gateway = publishing(asking_for(&name, assumed(engine, &directory)), &host);
    let browser = Browser::new(&gateway);

    // The browser of the user is not running yet.
    let refused = send(&browser, &first(&browser), &[("login", ANN.0), ("passwd", ANN.1)]);
    let mut agent = Agent::start(&gateway, &refused);
    assert_eq!(agent.running.wait().code(), Some(1), "{}", agent.said());
    assert!(agent.said().contains(&format!("no   proc_2_{name}: does not run")), "{}", agent.said());
    let after = send(&browser, &refused, &[]);
    assert!(!after.body.contains("Notepad") && session(&gateway, ANN.0).is_none(), "{after:?}");

    let firefox = process(&gateway, &name);
    let browser = Browser::new(&gateway);
    let scan = send(&browser, &first(&browser), &[("login", ANN.0), ("passwd", ANN.1)]);
    let mut agent = Agent::start(&gateway, &scan);
    agent.says("asks again every 2 min");
    let list = send(&browser, &scan, &[]);
    assert!(list.body.contains("Notepad"), "{list:?} {}", agent.said());
    let mut stream = launched(&gateway, &browser, &list);

    // For longer than interval and grace, which it has in seconds here.
    until("a few intervals to pass", || {
        there_and_back(&mut stream);
        let session = session(&gateway, ANN.0).unwrap_or_else(|| panic!("{} {}", agent.said(), gateway.log()));
        (session["ageSeconds"].as_u64().unwrap_or(0) >= 7).then_some(())
    });

    end(firefox);
    ends(&mut stream);
    until("the session to be gone", || session(&gateway, ANN.0).is_none().then_some(()));
    let code = agent.running.wait().code();
    let said = agent.said();
    assert!(code == Some(1) && said.contains(&format!("no   proc_2_{name}: does not run")), "{code:?} {said}");
    let told = followed(&browser, browser.get("/portal", &[]));
    assert!(told.body.contains("device") && !told.body.contains("Notepad"), "the user is told why: {told:?}");
    let ended = rows(gateway.console().run("show aaa session -ended -format json"));
    assert!(ended.len() == 1 && ended[0]["endReason"].to_string().to_lowercase().contains("scan"), "{ended:?}");
    let token = link(&scan).trim_end_matches('/').rsplit('/').next().unwrap();
    assert!(!said.contains(token) && !gateway.log().contains(token), "tokens are told to nobody");
}

#[test]
fn of_two_factors_the_later_one_is_repeated() {
    let (host, directory) = (Host::echo(), Directory::start(&Ca::new()));
    let [first_name, second_name] = ["a", "b"].map(|which| format!("fx{:x}{which}", std::process::id()));
    let wish = asking_for(&first_name, assumed("AUTO", &directory))
        .line(format!(r#"add authentication epaAction later -csecexpr "sys.client_expr(\"proc_1_{second_name}\")""#))
        .line("add authentication Policy later -rule true -action later")
        .line("add authentication policylabel later -loginSchema LSCHEMA_INT")
        .line("bind authentication policylabel later -policyName later -priority 100")
        .line("unbind authentication policylabel post-ldap-epa-scan -policyName EPA-check")
        .line("bind authentication policylabel post-ldap-epa-scan -policyName EPA-check -priority 100 -nextFactor later");
    let gateway = publishing(wish, &host);
    let (first_process, second_process) = (process(&gateway, &first_name), process(&gateway, &second_name));
    let browser = Browser::new(&gateway);

    let scan = send(&browser, &first(&browser), &[("login", ANN.0), ("passwd", ANN.1)]);
    let mut earlier = Agent::noting(&gateway, &scan, "earlier.log");
    earlier.says("asks again every 2 min");
    let scan = send(&browser, &scan, &[]);
    let mut later = Agent::noting(&gateway, &scan, "later.log");
    later.says("asks again every 1 min");
    let list = send(&browser, &scan, &[]);
    assert!(list.body.contains("Notepad"), "{list:?} {}", later.said());
    let mut stream = launched(&gateway, &browser, &list);

    // The session is not theirs whose factor came before: that agent is told so, and goes.
    assert_eq!(earlier.running.wait().code(), Some(0), "{}", earlier.said());
    assert!(!earlier.said().contains(&second_name), "{}", earlier.said());
    end(first_process);
    until("a few intervals to pass", || {
        there_and_back(&mut stream);
        let session = session(&gateway, ANN.0).unwrap_or_else(|| panic!("{} {}", later.said(), gateway.log()));
        (session["ageSeconds"].as_u64().unwrap_or(0) >= 7).then_some(())
    });
    end(second_process);
    ends(&mut stream);
    until("the session to be gone", || session(&gateway, ANN.0).is_none().then_some(()));
    assert_eq!(later.running.wait().code(), Some(1), "{}", later.said());
}
