//! Consent in a window: where there is a desktop and no terminal, the agent asks with the dialog program that the desktop has, and nothing
//! is answered unless somebody presses the button for it.
//!
//! ```text
//!   page with a link ─► sluice-epa ─► zenity, kdialog or xmessage on a screen ─► a key, a click ─► digits, or none
//! ```

use std::fs;
use std::fs::File;
use std::process::Stdio;

use sluicegate_tests::browser::Browser;
use sluicegate_tests::deadline::until;
use sluicegate_tests::host::Host;
use sluicegate_tests::screen::{Press, Screen};
use sluicegate_tests::tools::{Running, apart};

use crate::agent::{authority, link, program};
use crate::login::{first, publishing, send, session};
use crate::page::{ALICE, looking, string};

const ASKS: &str = "Sluicegate endpoint check";
const TELLS: &str = "Sluicegate: endpoint check failed";
/// Leaves one of the programs.
const ONLY: &str = "for other in zenity kdialog xmessage; do\n\
                    [ $other = $ONLY ] || [ ! -e /usr/bin/$other ] || mount --bind /dev/null /usr/bin/$other || exit 99\n\
                    done; exec \"$0\" \"$@\"";

/// How one of them is answered.
struct Answers {
    once: Press,
    always: Press,
    no: Press,
    close: Press,
}

#[test]
fn zenity_asks_for_consent() {
    let (once, no) = (Press::Keys(&["Return"]), Press::Keys(&["Escape"]));
    asks("zenity", &Answers { once, always: Press::Keys(&["shift+ctrl+Tab", "Return"]), no, close: once });
}

#[test]
fn kdialog_asks_for_consent() {
    let (once, no) = (Press::Keys(&["Return"]), Press::Keys(&["Escape"]));
    asks("kdialog", &Answers { once, always: Press::Keys(&["Tab", "Return"]), no, close: once });
}

#[test]
fn xmessage_asks_for_consent() {
    let [once, always, no] = [0, 1, 2].map(Press::Button);
    asks("xmessage", &Answers { once, always, no, close: once });
}

fn asks(dialog: &str, answers: &Answers) {
    let place = tempfile::tempdir().unwrap();
    let wanted = place.path().join("wanted");
    let gateway = publishing(looking(&string(&format!("file_0_{}", wanted.display())), ""), &Host::echo());
    let screen = Screen::start();
    // Runs the agent, answers what it shows, and says how it ends and what comes of the login.
    let scanned = |presses: &[Press]| {
        let browser = Browser::new(&gateway);
        let page = send(&browser, &first(&browser), &[("login", ALICE.0), ("passwd", ALICE.1)]);
        let log = place.path().join("log");
        let mut command = apart();
        command.args(["sh", "-c", ONLY]).arg(program()).arg(link(&page));
        command.args(["--resolve", &format!("{}:{}", authority(link(&page)), gateway.public()), "--ca"]).arg(&gateway.ca_file);
        command.env("ONLY", dialog).env("DISPLAY", screen.display()).env_remove("WAYLAND_DISPLAY").env("LC_ALL", "C");
        command.env("HOME", place.path()).env("XDG_RUNTIME_DIR", place.path()).env_remove("XDG_STATE_HOME");
        let mut agent = Running::start(command.stdin(Stdio::null()).stderr(File::create(&log).unwrap()));
        presses.iter().zip([ASKS, TELLS]).for_each(|(press, title)| screen.press(title, *press));
        let ended = agent.wait().code();
        until("every window to be gone", || screen.windows("Sluicegate").is_empty().then_some(()));
        let after = send(&browser, &page, &[]);
        let is_in = session(&gateway, ALICE.0).is_some();
        assert_eq!(is_in, after.body.contains("Notepad"), "{after:?}");
        let _ = gateway.console().run("kill aaa session -all").done();
        (ended, is_in, fs::read_to_string(log).unwrap())
    };
    let [agreed, lacking, refused] = [(Some(0), true), (Some(1), false), (Some(5), false)];
    let is = |(code, is_in, said): (Option<i32>, bool, String), wanted| assert_eq!((code, is_in), wanted, "{dialog}: {said}");
    let gateways = || fs::read_to_string(place.path().join(".local/state/sluice-epa/gateways")).unwrap_or_default();

    is(scanned(&[answers.no]), refused);
    // What is missing is said in a window, too.
    is(scanned(&[answers.once, answers.close]), lacking);
    File::create(&wanted).unwrap();
    is(scanned(&[answers.once]), agreed);
    assert_eq!(gateways(), "", "once is once");
    is(scanned(&[answers.always]), agreed);
    assert_eq!(gateways().lines().count(), 1, "{}", gateways());
    is(scanned(&[]), agreed);
}
