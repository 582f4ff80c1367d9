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

/// The agent, of today. `SLUICE_AGENT` names another build of it, such as that of `make agent`.
pub(crate) fn program() -> PathBuf {
    if let Some(named) = std::env::var_os("SLUICE_AGENT") {
        return named.into();
    }
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
pub(crate) fn link(page: &Answer) -> &str {
    let at = page.body.find("nsgcepa://").unwrap_or_else(|| panic!("no link to the agent: {page:?}"));
    page.body[at..].split(['"', '\'', '<', ' ']).next().unwrap()
}

/// What stands in the link for the gateway, with its port.
pub(crate) fn authority(link: &str) -> String {
    let authority = link.split('/').nth(4).unwrap_or_else(|| panic!("no gateway in {link}"));
    if authority.contains(':') { authority.to_owned() } else { format!("{authority}:443") }
}

/// An agent that was started by a page, and what it says.
pub(crate) struct Agent {
    pub(crate) running: Running,
    log: PathBuf,
}

impl Agent {
    fn start(gateway: &Gateway, page: &Answer) -> Self {
        Self::noting(gateway, page, "agent.log")
    }

    /// As a desktop starts it, with consent said beforehand. A minute lasts as long as the gateway's.
    fn noting(gateway: &Gateway, page: &Answer, log: &str) -> Self {
        Self::with(gateway, page, log, &[])
    }

    pub(crate) fn with(gateway: &Gateway, page: &Answer, log: &str, more: &[String]) -> Self {
        let log = gateway.dir().join(log);
        let mut command = Command::new(program());
        command
            .arg(link(page))
            .args(["--yes", "--minute", "1", "--resolve", &format!("{}:{}", authority(link(page)), gateway.public())])
            .arg("--ca")
            .arg(&gateway.ca_file)
            .args(more)
            .env("LC_ALL", "C")
            .env("XDG_STATE_HOME", gateway.dir().join("state"))
            .stdin(Stdio::null())
            .stderr(File::create(&log).unwrap());
        Self { running: Running::start(&mut command), log }
    }

    pub(crate) fn said(&self) -> String {
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
    let trace = gateway.console().run(&format!("show authentication trace -userName {}", ANN.0)).done();
    assert!(trace.contains("a repeated scan of the client's machine failed"), "{trace}");
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

/// A user without rights, who has nothing else running.
const USER: u32 = 62_507;

/// What a gateway wants ended and deleted: nothing of it happens unless the machine's root has written down that it may.
#[test]
fn what_a_gateway_wants_done_is_done_where_root_allows_it() {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, chown};

    if !fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0) {
        return crate::control::say("left out: only root can make a policy and be somebody else");
    }
    let open_to_all = |folder: &Path| fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
    let (place, roots) = (tempfile::tempdir().unwrap(), tempfile::tempdir_in("/run").unwrap());
    open_to_all(place.path());
    open_to_all(roots.path());
    // Copied by another process: what this one has open for writing, others that are started meanwhile have, too, and it cannot be run.
    let copied = |from: &Path, to: &Path| assert!(Command::new("cp").arg(from).arg(to).status().unwrap().success());
    copied(&program(), &place.path().join("sluice-epa"));
    let home = place.path().join("home");
    fs::create_dir(&home).unwrap();
    chown(&home, Some(USER), Some(USER)).unwrap();
    let as_user = || {
        let mut command = Command::new("setpriv");
        command.args([format!("--reuid={USER}"), format!("--regid={USER}"), "--clear-groups".to_owned()]).stdin(Stdio::null());
        command
    };
    let [bad, good] = ["b", "g"].map(|which| format!("epa{:x}{which}", std::process::id()));
    let process = |name: &str| {
        copied(Path::new("/bin/sleep"), &place.path().join(name));
        Running::start(as_user().arg(place.path().join(name)).arg("600"))
    };
    let file = |name: &str| {
        fs::write(home.join(name), "x").unwrap();
        chown(home.join(name), Some(USER), Some(USER)).unwrap();
        home.join(name)
    };
    let (old, precious) = (file("old.cfg"), file("precious"));

    let (host, directory) = (Host::echo(), Directory::start(&Ca::new()));
    let action = format!(
        r#"add authentication epaAction EPA-client-scan -csecexpr "!sys.client_expr(\"proc_0_{bad}\")" -killProcess {bad},{good} -deletefiles {},{}"#,
        old.display(),
        precious.display()
    );
    let lines = LISTING
        .iter()
        .map(|line| if line.contains("add authentication epaAction") { action.clone() } else { (*line).to_owned() });
    let gateway = publishing(lines.fold(assumed("AUTO", &directory), Wish::line), &host);
    fs::copy(&gateway.ca_file, place.path().join("ca.pem")).unwrap();
    fs::set_permissions(place.path().join("ca.pem"), Permissions::from_mode(0o644)).unwrap();

    let (mut bad_process, mut good_process) = (process(&bad), process(&good));
    let policy = roots.path().join("epa-policy");
    let scan = |mode: &str, more: &[&str]| {
        let browser = Browser::new(&gateway);
        let page = send(&browser, &first(&browser), &[("login", ANN.0), ("passwd", ANN.1)]);
        let at = authority(link(&page));
        fs::write(&policy, format!("mode {mode}\ngateway {at}\nkill {bad}\ndelete {}\n", old.display())).unwrap();
        let output = as_user()
            .arg(place.path().join("sluice-epa"))
            .arg(link(&page))
            .args(["--yes", "--resolve", &format!("{at}:{}", gateway.public())])
            .arg("--ca")
            .arg(place.path().join("ca.pem"))
            .arg("--policy")
            .arg(&policy)
            .args(more)
            .env("LC_ALL", "C")
            .env("XDG_STATE_HOME", &home)
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap(), send(&browser, &page, &[]))
    };
    let runs = |process: &mut Running| process.0.try_wait().unwrap().is_none();
    until("the processes to have their names", || {
        let name = |process: &Running| fs::read_link(format!("/proc/{}/exe", process.0.id())).unwrap();
        (name(&bad_process).ends_with(&bad) && name(&good_process).ends_with(&good)).then_some(())
    });

    for (mode, more, why) in
        [("off", &[][..], "allows nothing"), ("dry-run", &[], "only rehearsed"), ("on", &["--dry-run"], "only rehearsed")]
    {
        let (code, said, after) = scan(mode, more);
        assert!(code == Some(1) && !after.body.contains("Notepad"), "{mode} {said} {after:?}");
        assert!(said.matches(why).count() >= 2 && said.contains(&format!("end process {bad}")), "{mode} {said}");
        assert!(runs(&mut bad_process) && runs(&mut good_process) && old.exists() && precious.exists(), "{mode} {said}");
    }
    let (code, said, list) = scan("on", &[]);
    assert!(code == Some(0) && list.body.contains("Notepad"), "{said} {list:?}");
    assert!(!runs(&mut bad_process) && !old.exists() && runs(&mut good_process) && precious.exists(), "{said}");
    for line in [
        format!("done (1): end process {bad}"),
        format!("done: delete {}", old.display()),
        format!("not done: end process {good}: the policy of this machine does not allow it"),
        format!("not done: delete {}: the policy of this machine does not allow it", precious.display()),
    ] {
        let journal = fs::read_to_string(home.join("sluice-epa/log")).unwrap();
        assert!(said.contains(&line) && journal.contains(&line), "{line}: {said} {journal}");
    }
}
