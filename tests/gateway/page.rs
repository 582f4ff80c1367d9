//! The page on which a device is looked at, in a real browser: it starts the agent that is registered, says how it goes, and goes on by
//! itself; and it may do nothing else.
//!
//! ```text
//!   Chromium: password ─► page ─ nsgcepa:// ─► xdg-open ─► desktop file of `sluice-epa register` ─► sluice-epa ─► digits ─► page goes on
//! ```
//!
//! The terminal that the desktop file asks for is a script here; it gives the agent the authority and the address of the gateway, which
//! elsewhere are the machine's and the name's.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::json;
use sluicegate_tests::browser::Browser;
use sluicegate_tests::chromium::{Chromium, Tab};
use sluicegate_tests::deadline::until;
use sluicegate_tests::gateway::{Gateway, NAME, Wish};
use sluicegate_tests::host::Host;
use sluicegate_tests::scanner::Scanner;

use crate::agent::{process, program};
use crate::login::{publishing, session};
use crate::wish;

const SCHEME: &str = "nsgcepa";
pub(crate) const ALICE: (&str, &str) = ("alice", "correct horse");
/// Where a password is asked for.
const FORM: &str = "input[name=passwd]";
/// Where the device is looked at.
const SCAN: &str = "#scan-state";
/// The list of resources.
const LIST: &str = "ul.cards";

/// Browsers are large: one at a time.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A gateway that looks at the device of whoever has given the right password.
pub(crate) fn looking(expression: &str, more: &str) -> Wish {
    wish("AUTO")
        .line(format!("add aaa user {} -password \"{}\"", ALICE.0, ALICE.1))
        .line("set aaa parameter -periodicEpaMinute 1 -periodicEpaGrace 3")
        .line(format!("add authentication epaAction look -csecexpr {} {more}", json!(expression)))
        .line("add authentication Policy look -rule true -action look")
        .line("add authentication policylabel device -loginSchema LSCHEMA_INT")
        .line("bind authentication policylabel device -policyName look -priority 100 -gotoPriorityExpression END")
        .line("add authentication Policy password -rule true -action LOCAL")
        .line("add authentication vserver first SSL 0.0.0.0")
        .line("bind authentication vserver first -policy password -priority 10 -nextFactor device -gotoPriorityExpression NEXT")
        .line("add authentication authnProfile profile -authnVsName first")
        .line("set vpn vserver vpn1 -authnProfile profile")
}

pub(crate) fn string(text: &str) -> String {
    format!("sys.client_expr(\"{text}\")")
}

/// A name that no other process has, and of which the kernel keeps all.
fn name(which: &str) -> String {
    format!("ff{:x}{which}", std::process::id())
}

/// A home in which the agent is registered, and a terminal that writes down what it says.
fn registered(gateway: &Gateway, home: &Path) -> Vec<(String, PathBuf)> {
    let at_home = |command: &mut Command| {
        command.env("HOME", home).env_remove("XDG_DATA_HOME").env_remove("XDG_CONFIG_HOME");
        let done = command.output().unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    at_home(Command::new(program()).arg("register"));
    fs::create_dir_all(home.join(".config")).unwrap();
    at_home(Command::new("xdg-mime").args(["default", "sluice-epa.desktop", "x-scheme-handler/nsgcepa"]));
    // Also where there is a program for windows.
    let desktop = home.join(".local/share/applications/sluice-epa.desktop");
    let text = fs::read_to_string(&desktop).unwrap();
    fs::write(&desktop, text.replace("Terminal=false", "Terminal=true")).unwrap();
    let terminal = home.join("terminal");
    let (port, at) = (gateway.public().port(), gateway.public());
    let text = format!(
        "#!/bin/sh\nshift\nexec \"$@\" --yes --minute 1 --resolve {NAME}:{port}:{at} --ca {} 2>>{} </dev/null\n",
        gateway.ca_file.display(),
        log(home).display()
    );
    fs::write(&terminal, text).unwrap();
    fs::set_permissions(&terminal, fs::Permissions::from_mode(0o755)).unwrap();
    [unregistered(home), vec![("TERMINAL".to_owned(), terminal)]].concat()
}

/// A home without one. Nothing but what is registered is started: `xdg-open` would try browsers.
pub(crate) fn unregistered(_home: &Path) -> Vec<(String, PathBuf)> {
    [("DISPLAY", ":0"), ("BROWSER", "true"), ("LC_ALL", "C")].map(|(name, value)| (name.to_owned(), value.into())).into()
}

fn log(home: &Path) -> PathBuf {
    home.join("agent.log")
}

fn said(chromium: &Chromium) -> String {
    fs::read_to_string(log(chromium.home())).unwrap_or_default()
}

/// Gives the password.
fn signs_in(tab: &Tab<'_>) {
    tab.open("/");
    tab.fill("input[name=login]", ALICE.0);
    tab.fill(FORM, ALICE.1);
    tab.click("button[type=submit]");
    tab.shows(SCAN);
}

#[test]
fn a_browser_starts_the_agent_and_goes_on_by_itself() {
    let _alone = alone();
    let (host, wanted) = (Host::echo(), name("a"));
    let gateway = publishing(looking(&string(&format!("proc_2_{wanted}")), ""), &host);
    let running = process(&gateway, &wanted);
    let chromium = Chromium::start(&gateway, SCHEME, |home| registered(&gateway, home));
    let tab = chromium.tab();

    signs_in(&tab);
    tab.shows(LIST);
    assert!(tab.text().contains("Notepad"), "{}", tab.text());
    assert!(session(&gateway, ALICE.0).is_some());
    assert_eq!(tab.complaints(), Vec::<String>::new());
    assert!(said(&chromium).contains(&format!("yes  proc_2_{wanted}")), "{}", said(&chromium));

    // The same browser, the same agent: when the process ends, so does the session, and the next page says why.
    drop(running);
    until("the session to be gone", || session(&gateway, ALICE.0).is_none().then_some(()));
    tab.open("/portal");
    tab.shows(FORM);
    assert!(tab.text().contains("Your device no longer meets the rules"), "{}", tab.text());
    assert_eq!(tab.complaints(), Vec::<String>::new());
}

#[test]
fn a_check_that_fails_is_told_with_its_reason() {
    let _alone = alone();
    let missing = name("b");
    let both =
        format!("{} && {}", string(&format!("proc_0_{missing}")), string("file_0_/etc/none[COMMENT: The seal of the help desk]"));
    let gateway = publishing(looking(&both, ""), &Host::echo());
    let chromium = Chromium::start(&gateway, SCHEME, |home| registered(&gateway, home));
    let tab = chromium.tab();
    signs_in(&tab);
    tab.until("document.title.startsWith('Sign-in failed')");
    let text = tab.text();
    for words in [&*format!("program {missing}"), "The seal of the help desk", "4018"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let trace = gateway.console().run("show authentication trace").done();
    assert!(trace.contains(&format!("not as it should be: proc_0_{missing}, file_0_/etc/none")), "{trace}");
    assert!(session(&gateway, ALICE.0).is_none());
    assert_eq!(tab.complaints(), Vec::<String>::new());
}

#[test]
fn without_an_agent_it_is_offered_and_skipping_counts_as_failed() {
    let _alone = alone();
    let package = "not really a package, but every byte of it counts";
    let wish = looking(&string("proc_0_none"), "").line("set vpn parameter -epaAgentFolder epa").file("epa/sluice-epa", package);
    let gateway = publishing(wish, &Host::echo());
    let chromium = Chromium::start(&gateway, SCHEME, unregistered);
    let tab = chromium.tab();
    signs_in(&tab);

    // A quiet line first; the offer opens once the agent should have come.
    tab.shows("details#scan-app:not([open]) summary");
    tab.shows("details#scan-app[open]");
    tab.shows("#scan-state[data-stage=missing]");
    let text = tab.text();
    assert!(text.contains("No sign of the app"), "{text}");
    let path = tab.value("document.querySelector('#scan-app a').getAttribute('href')").unwrap();
    let fetched = Browser::new(&gateway).get(path.as_str().unwrap(), &[]);
    assert_eq!((fetched.status, fetched.body.as_str()), (200, package));
    assert_eq!(fetched.header("content-disposition"), "attachment; filename=\"sluice-epa\"");
    let digits = fetched.header("etag").trim_matches('"').to_owned();
    assert!(digits.len() == 64 && text.contains(&digits), "{digits}: {text}");

    tab.click("button[aria-describedby=skip-means]");
    tab.until("document.title.startsWith('Sign-in failed')");
    assert!(tab.text().contains("The check was skipped"), "{}", tab.text());
    assert!(session(&gateway, ALICE.0).is_none());
    assert_eq!(tab.complaints(), Vec::<String>::new());

    // Without a folder nobody is sent to a page that is not there.
    let _ = gateway.console().run("unset vpn parameter -epaAgentFolder").done();
    tab.call("Network.clearBrowserCookies", &json!({}));
    signs_in(&tab);
    tab.shows("details#scan-app[open]");
    assert!(tab.text().contains("Your help desk knows where to get it"), "{}", tab.text());
    assert_eq!(Browser::new(&gateway).get(path.as_str().unwrap(), &[]).status, 404);
}

#[test]
fn without_javascript_link_and_button_do() {
    let _alone = alone();
    let gateway = publishing(looking(&string("file_0_/etc/passwd"), ""), &Host::echo());
    let chromium = Chromium::start(&gateway, SCHEME, |home| registered(&gateway, home));
    let tab = chromium.tab();
    tab.call("Emulation.setScriptExecutionDisabled", &json!({ "value": true }));
    signs_in(&tab);

    // Who goes on too early has not failed.
    tab.click("#scan-form button");
    tab.until("document.body.innerText.includes('The app has not answered yet')");
    assert_eq!(said(&chromium), "", "nothing has started the agent");
    tab.click("a#scan-start");
    until("the agent to be done", || said(&chromium).contains("Done.").then_some(()));
    tab.click("#scan-form button");
    tab.shows(LIST);
    assert!(tab.text().contains("Notepad"), "{}", tab.text());
    assert_eq!(tab.complaints(), Vec::<String>::new());
}

#[test]
fn the_page_may_start_the_agent_and_nothing_else() {
    let _alone = alone();
    let gateway = publishing(looking(&string("proc_0_none"), ""), &Host::echo());
    let chromium = Chromium::start(&gateway, SCHEME, unregistered);
    let tab = chromium.tab();
    signs_in(&tab);
    assert_eq!(tab.complaints(), Vec::<String>::new());
    let _ = tab.value(
        "window.refused = []; document.addEventListener('securitypolicyviolation', function (e) { \
         refused.push(e.effectiveDirective + ' ' + e.blockedURI); }); true",
    );
    let add = |tag: &str, more: &str| {
        format!(
            "(function () {{ var e = document.createElement('{tag}'); {more} document.body.appendChild(e); return true; }}())"
        )
    };
    for (deed, directive) in [
        (add("script", "e.textContent = 'window.ran = true';"), "script-src-elem inline"),
        (add("script", "e.src = '/logon/LogonPoint/sg/other.js';"), "script-src-elem https"),
        (add("div", "e.setAttribute('onclick', 'window.ran = true'); e.click();"), "script-src-attr inline"),
        (add("img", "e.src = 'https://elsewhere.example.test/x.png';"), "img-src https"),
        (add("img", "e.src = 'http://localhost:1/x.png';"), "img-src http"),
        (add("iframe", "e.src = 'https://elsewhere.example.test/';"), "frame-src https"),
        (add("iframe", "e.src = '/logon/LogonPoint/index.html';"), "frame-src https"),
        (add("iframe", "e.src = 'vmware-view://x/';"), "frame-src"),
        (add("iframe", "e.src = 'mailto:somebody@example.test';"), "frame-src"),
        (add("iframe", "e.src = 'data:text/html,x';"), "frame-src"),
        (add("p", "e.setAttribute('style', 'color: red');"), "style-src-attr"),
        ("fetch('https://elsewhere.example.test/').catch(function () { return true; })".to_owned(), "connect-src"),
        ("new WebSocket('wss://elsewhere.example.test/') instanceof WebSocket".to_owned(), "connect-src"),
        (
            add(
                "form",
                "e.method = 'post'; e.action = 'https://elsewhere.example.test/'; document.body.appendChild(e); e.submit();",
            ),
            "form-action",
        ),
        (add("base", "e.href = 'https://elsewhere.example.test/'; document.head.appendChild(e);"), "base-uri"),
    ] {
        let _ = tab.value("refused.length = 0; true");
        let done = tab.value(&deed);
        assert!(done.is_some(), "{deed}: {:?}", tab.console());
        tab.until(&format!("refused.some(function (one) {{ return one.startsWith({}); }})", json!(directive)));
    }
    assert_eq!(tab.value("window.ran === undefined && location.pathname.length > 1"), Some(true.into()));
    // The agent's own scheme is not among what is refused.
    let _ = tab.value("refused.length = 0; true");
    let _ = tab.value(&add("iframe", "e.src = 'nsgcepa://nsgcepa/epav2plugin/x/y/';"));
    let _ = tab.value(&add("img", "e.src = 'https://last.example.test/x.png';"));
    tab.until("refused.some(function (one) { return one.startsWith('img-src'); })");
    assert_eq!(tab.value("refused.length"), Some(1.into()), "{:?}", tab.value("refused"));
}

/// Draws every state of the page into the folder `SLUICE_PICTURES`, for people to look at.
#[test]
#[ignore = "for people: SLUICE_PICTURES=FOLDER"]
fn pictures() {
    let folder = PathBuf::from(std::env::var_os("SLUICE_PICTURES").unwrap());
    let wish = looking(&format!("{} && {}", string("proc_0_firefox"), string("file_0_/etc/ok")), "");
    let wish = wish.line("set vpn parameter -epaAgentFolder epa").file("epa/sluice-epa", "x").file("epa/nsepa.deb", "y");
    let gateway = publishing(wish, &Host::echo());
    let chromium = Chromium::start(&gateway, SCHEME, unregistered);
    for language in ["en", "ja"] {
        let tab = chromium.tab();
        tab.call("Network.setExtraHTTPHeaders", &json!({ "headers": { "Accept-Language": language } }));
        let draw = |state: &str| {
            for (screen, width) in [("desktop", 1280), ("phone", 320)] {
                for light in ["light", "dark"] {
                    let metrics = json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false });
                    tab.call("Emulation.setDeviceMetricsOverride", &metrics);
                    let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": light }] });
                    tab.call("Emulation.setEmulatedMedia", &features);
                    fs::write(folder.join(format!("{state}-{language}-{screen}-{light}.png.b64")), tab.picture()).unwrap();
                }
            }
        };
        tab.call("Network.clearBrowserCookies", &json!({}));
        signs_in(&tab);
        draw("starting");
        tab.shows("details#scan-app[open]");
        draw("missing");
        let link = tab.value("document.querySelector('#scan-start').href").unwrap();
        let scanner = Scanner::new(Scanner::token_in(link.as_str().unwrap()));
        assert!(scanner.is_wanted(&gateway).unwrap());
        tab.shows("#scan-state[data-stage=begun]");
        draw("begun");
        let _ = scanner.question(&gateway).unwrap();
        tab.call("Emulation.setScriptExecutionDisabled", &json!({ "value": true }));
        tab.open("/");
        draw("plain");
        tab.click("#scan-form button");
        tab.shows("p.note.warn");
        draw("early");
        let _ = scanner.answer(&gateway, "33").unwrap();
        tab.open("/");
        draw("done");
        tab.click("#scan-form button");
        tab.until("document.querySelector('[role=alert]') !== null");
        draw("failed");
        tab.call("Emulation.setScriptExecutionDisabled", &json!({ "value": false }));
    }
}
