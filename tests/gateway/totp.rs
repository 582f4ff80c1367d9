//! One-time codes: a device is registered on the page behind `/manageotp`, and its codes let in, each once. The directory is a real slapd, and
//! codes come from `oathtool`, which knows nothing of us.
//!
//! ```text
//!   /manageotp ─► password ─► name, QR code ─► its code ─► directory          / ─► password and code ─► directory ─► session
//! ```

use std::process::Command;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use sluicegate_tests::browser::{Answer, Browser};
use sluicegate_tests::certs::Ca;
use sluicegate_tests::deadline::until;
use sluicegate_tests::directory::{self, Directory};
use sluicegate_tests::gateway::{Gateway, Wish};
use sluicegate_tests::host::Host;

use crate::login::{ANN, Script, assumed, first, followed, launched, publishing, rows, send, session, tagged, with_lines};

on_each_engine!(a_device_is_registered_on_the_page_and_its_codes_let_in_once);

/// Base32 of the secret of RFC 6238.
const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
/// ... and of another one.
const OTHER: &str = "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U";
const STEP_SECONDS: u64 = 30;

/// The step in which we are, and how much of it is gone.
#[expect(clippy::disallowed_methods, reason = "codes are of a time of day")]
fn step() -> (u64, u64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    (now / STEP_SECONDS, now % STEP_SECONDS)
}

/// The code that a device shows `away` steps from now.
fn code(secret: &str, away: i64) -> String {
    code_at(secret, step().0.checked_add_signed(away).unwrap())
}

fn code_at(secret: &str, step: u64) -> String {
    let now = format!("@{}", step * STEP_SECONDS + STEP_SECONDS / 2);
    let told = Command::new("oathtool").args(["--totp", "-b", "-N", &now, secret]).output().expect("oathtool");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    String::from_utf8(told.stdout).unwrap().trim().to_owned()
}

/// A step with time left in it, so that what is typed now is judged in the same step.
fn fresh_step() -> u64 {
    until("a step of codes to begin", || {
        let (step, gone) = step();
        (gone < STEP_SECONDS / 2).then_some(step)
    })
}

/// The action `name` about codes, over TLS.
fn action(name: &str, directory: &Directory, more: &str) -> String {
    format!(
        "add authentication ldapAction {name} -serverIP {} -serverPort {} -ldapBase \"{}\" -ldapBindDn \"{}\" -ldapBindDnPassword \"{}\" \
         -ldapLoginName uid -secType SSL -authentication DISABLED -OTPSecret userParameters {more}",
        directory.tls.ip(),
        directory.tls.port(),
        directory::BASE,
        directory::SERVICE,
        directory::SERVICE_PASSWORD
    )
}

const MANAGE: &str = r#"HTTP.REQ.COOKIE.VALUE(\"NSC_TASS\").EQ(\"manageotp\")"#;

/// Actions, policies and labels; bound is nothing yet.
fn ground(engine: &'static str, directory: &Directory) -> Wish {
    let wish = assumed(engine, directory)
        .line(action("ldap_otp", directory, "-searchFilter \"userParameters>=#@\""))
        .line(action("ldap_manage", directory, ""));
    with_lines(
        wish,
        &[
            "add authentication Policy password -rule true -action ldap_server1",
            &format!("add authentication Policy password_manage -rule \"{MANAGE}\" -action ldap_server1"),
            "add authentication Policy otp -rule true -action ldap_otp",
            "add authentication Policy manage -rule true -action ldap_manage",
            "add authentication loginSchema dual -authenticationSchema LoginSchema/DualAuthOTP.xml",
            "add authentication loginSchema single_manage -authenticationSchema LoginSchema/SingleAuthManageOTP.xml",
            "add authentication loginSchema passcode -authenticationSchema LoginSchema/OnlyPasscode.xml",
            "add authentication loginSchemaPolicy dual -rule true -action dual",
            &format!("add authentication loginSchemaPolicy single_manage -rule \"{MANAGE}\" -action single_manage"),
            "add authentication policylabel code -loginSchema LSCHEMA_INT",
            "add authentication policylabel devices -loginSchema LSCHEMA_INT",
            "bind authentication policylabel devices -policyName manage -priority 10",
        ],
    )
}

/// As it is usually set up: one form for password and code, another way for who looks after his devices.
fn usual(engine: &'static str, directory: &Directory) -> Wish {
    with_lines(
        ground(engine, directory),
        &[
            "bind authentication policylabel code -policyName otp -priority 10",
            "bind authentication vserver MFA_AAA_vserver -policy single_manage -priority 10",
            "bind authentication vserver MFA_AAA_vserver -policy dual -priority 20",
            "bind authentication vserver MFA_AAA_vserver -policy password_manage -priority 10 -nextFactor devices",
            "bind authentication vserver MFA_AAA_vserver -policy password -priority 20 -nextFactor code",
        ],
    )
}

fn start(directory: &Directory) -> Gateway {
    usual("AUTO", directory).start()
}

/// Presses a button on the page of devices.
fn press(browser: &Browser, page: &Answer, deed: &str, fields: &[(&str, &str)]) -> Answer {
    let forms = page.body.matches("<form").count();
    let is_it = |at: &usize| page.form(*at).hidden.iter().any(|(name, value)| name == "sg-deed" && value == deed);
    let at = (0..forms).find(is_it).unwrap_or_else(|| panic!("{deed} cannot be done on {}", page.body));
    let form = page.form(at);
    let mut all: Vec<(&str, &str)> = form.hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    all.retain(|(name, _)| !fields.iter().any(|(other, _)| other == name));
    all.extend(fields);
    followed(browser, browser.post(&form.action, &all))
}

/// Whether something can be done on the page.
fn offers(page: &Answer, deed: &str) -> bool {
    page.body.contains(&format!("name=\"sg-deed\" value=\"{deed}\""))
}

/// To the page of devices.
fn page_of(browser: &Browser, user: (&str, &str)) -> Answer {
    let form = followed(browser, browser.get("/manageotp", &[]));
    assert!(form.status == 200 && form.body.contains("name=\"passwd\"") && !form.body.contains("name=\"passwd1\""), "{form:?}");
    send(browser, &form, &[("login", user.0), ("passwd", user.1)])
}

/// The key that the page shows for typing.
fn key_in(page: &Answer) -> String {
    let key = page.body.split_once("<code class=\"key\">").map_or("", |(_, rest)| rest);
    let key: String = key.split('<').next().unwrap_or_default().split_whitespace().collect();
    assert!(key.len() == 32, "no key in {}", page.body);
    key
}

/// A device with its code, until it is registered; its key.
fn register(browser: &Browser, page: &Answer, name: &str) -> (Answer, String) {
    let enrol = press(browser, page, "add", &[("sg-device", name)]);
    let key = key_in(&enrol);
    let list = press(browser, &enrol, "confirm", &[("sg-code", &code(&key, 0))]);
    assert!(list.body.contains("class=\"note good\"") && list.body.contains(name), "{list:?}");
    (list, key)
}

/// Password and code in one form.
fn log_in(gateway: &Gateway, user: (&str, &str), code: &str) -> Script {
    let mut script = Script::begin(gateway);
    let _ = script.send(&[("login", user.0), ("passwd", user.1), ("passwd1", code)]);
    script
}

fn is_in(gateway: &Gateway, user: (&str, &str), code: &str) -> bool {
    log_in(gateway, user, code).is_in()
}

const BOB: (&str, &str) = ("bob", "bob's secret 1");

fn a_device_is_registered_on_the_page_and_its_codes_let_in_once(engine: &'static str) {
    let (host, directory) = (Host::echo(), Directory::start(&Ca::new()));
    let gateway = publishing(usual(engine, &directory), &host);
    let browser = Browser::new(&gateway);

    let page = page_of(&browser, ANN);
    assert_eq!(page.status, 200, "{page:?}");
    assert!(offers(&page, "add") && !offers(&page, "remove") && !offers(&page, "check"), "{page:?}");
    assert!(!page.body.contains("<script") && !page.header("content-security-policy").contains("script-src"));
    let enrol = press(&browser, &page, "add", &[("sg-device", "my phone")]);
    assert!(enrol.body.contains("<svg class=\"qr\"") && enrol.body.contains("href=\"otpauth://totp/gw.example.test:ann?secret="));
    assert!(!enrol.header("content-security-policy").contains("img-src"), "the code is a drawing in the page: {enrol:?}");
    let key = key_in(&enrol);
    assert_eq!(directory.devices("ann"), None, "nothing is written before a code has come");
    let wrong = press(&browser, &enrol, "confirm", &[("sg-code", "000000")]);
    assert!(wrong.body.contains("class=\"note bad\"") && key_in(&wrong) == key, "the same device waits: {wrong:?}");
    let shown = code(&key, 0);
    let list = press(&browser, &wrong, "confirm", &[("sg-code", &shown)]);
    assert!(list.body.contains("my phone") && offers(&list, "remove") && !list.body.contains(&key), "{list:?}");
    assert_eq!(directory.devices("ann"), Some(format!("#@my phone={key}&,")));
    assert!(session(&gateway, ANN.0).is_none(), "the page is no session");
    let left = press(&browser, &list, "done", &[]);
    assert_eq!(left.status, 200);
    let front = followed(&browser, browser.get("/portal", &[]));
    assert!(session(&gateway, ANN.0).is_none() && !front.body.contains("Notepad"), "{front:?}");

    // A login: with a wrong code, with the one that has registered the device, with the next one.
    let form = first(&browser);
    assert!(form.body.contains("autocomplete=\"one-time-code\""), "{form:?}");
    let fields = |code: &str| {
        [("login", ANN.0), ("passwd", ANN.1), ("passwd1", code)].map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    let try_with = |page: &Answer, code: &str| {
        let all = fields(code);
        let all: Vec<(&str, &str)> = all.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        send(&browser, page, &all)
    };
    for (bad, why) in [("000000", "the code is none"), (shown.as_str(), "the code was used before")] {
        let refused = try_with(&first(&browser), bad);
        assert!(refused.status == 403 && !refused.body.contains("Notepad"), "{bad}: {refused:?}");
        let trace = gateway.console().run("show authentication trace").done();
        assert!(trace.contains(why), "{why}: {trace}");
    }
    let next = code(&key, 1);
    let list = try_with(&first(&browser), &next);
    assert!(list.body.contains("Notepad"), "{list:?}");
    let _stream = launched(&gateway, &browser, &list);
    assert!(session(&gateway, ANN.0).is_some());
    assert!(!is_in(&gateway, ANN, &next), "each code once");

    let trace = gateway.console().run("show authentication trace").done();
    for told in ["ldap_otp", "device \"my phone\" added", "page for devices, 0 registered"] {
        assert!(trace.contains(told), "{told}: {trace}");
    }
    for secret in [key.as_str(), next.as_str(), shown.as_str(), ANN.1] {
        assert!(!gateway.log().contains(secret) && !trace.contains(secret), "{secret} is told");
    }
}

#[test]
fn of_many_at_once_with_one_code_exactly_one_is_let_in() {
    let directory = Directory::start(&Ca::new());
    directory.set_devices("ann", Some(&format!("#@phone={SECRET}&,")));
    let gateway = with_lines(usual("AUTO", &directory), &["set ns worker -count 2"]).start();
    let shown = code_at(SECRET, fresh_step());
    // Everybody is before the form first.
    let scripts: Vec<Script> = (0..8).map(|_| Script::begin(&gateway)).collect();
    let ins: Vec<bool> = thread::scope(|scope| {
        let all: Vec<_> = scripts
            .into_iter()
            .map(|mut script| {
                let shown = &shown;
                scope.spawn(move || {
                    let _ = script.send(&[("login", ANN.0), ("passwd", ANN.1), ("passwd1", shown)]);
                    script.is_in()
                })
            })
            .collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(ins.iter().filter(|is_in| **is_in).count(), 1, "{ins:?}");
    assert_eq!(rows(gateway.console().run("show aaa session -format json")).len(), 1);
}

#[test]
fn clocks_may_be_one_step_away_and_codes_do_not_come_back() {
    let directory = Directory::start(&Ca::new());
    directory.set_devices("ann", Some(&format!("#@phone={SECRET}&,old={OTHER}&,")));
    let gateway = start(&directory);
    // Both devices count, each for itself, and what is older than the last of a device does not.
    let now = fresh_step();
    assert!(is_in(&gateway, ANN, &code_at(SECRET, now - 1)), "a clock that is behind: {}", gateway.log());
    assert!(is_in(&gateway, ANN, &code_at(SECRET, now)), "{}", gateway.log());
    assert!(!is_in(&gateway, ANN, &code_at(SECRET, now - 1)));
    assert!(is_in(&gateway, ANN, &code(SECRET, 1)), "a clock that is ahead: {}", gateway.log());
    assert!(!is_in(&gateway, ANN, &code_at(SECRET, now)));
    assert!(is_in(&gateway, ANN, &code(OTHER, 0)));
    // With blanks, as devices show them.
    let spaced = code(OTHER, 1);
    assert!(is_in(&gateway, ANN, &format!("{} {}", &spaced[..3], &spaced[3..])));
    // Two steps are too many.
    for away in [-2, 3] {
        assert!(!is_in(&gateway, ANN, &code(OTHER, away)), "{away}");
    }
}

#[test]
fn a_code_that_was_used_does_not_work_again_after_a_restart() {
    let directory = Directory::start(&Ca::new());
    directory.set_devices("ann", Some(&format!("#@phone={SECRET}&,")));
    directory.set_devices("bob", Some(&format!("#@phone={OTHER}&,")));
    let mut gateway = start(&directory);
    let now = fresh_step();
    assert!(is_in(&gateway, ANN, &code_at(SECRET, now)));
    gateway.restart("TERM");
    assert!(!is_in(&gateway, ANN, &code_at(SECRET, now)), "after an orderly end");
    assert!(is_in(&gateway, BOB, &code_at(OTHER, now)));
    let file = gateway.dir().join("sluicegate.codes");
    until("the code to be on disk", || (std::fs::read_to_string(&file).ok()?.lines().count() == 2).then_some(()));
    gateway.restart("KILL");
    assert!(!is_in(&gateway, BOB, &code_at(OTHER, now)), "after a crash");
    assert!(!is_in(&gateway, ANN, &code_at(SECRET, now)), "after two restarts");
    assert!(is_in(&gateway, ANN, &code_at(SECRET, now + 1)), "the next one works: {}", gateway.log());
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains("ann") && !text.contains(SECRET), "{text}");
}

#[test]
fn a_form_of_its_own_asks_for_the_code_and_the_store_gets_the_password() {
    let directory = Directory::start(&Ca::new());
    directory.set_devices("ann", Some(&format!("#@phone={SECRET}&,")));
    let wish = with_lines(
        ground("AUTO", &directory),
        &[
            "add authentication policylabel second -loginSchema passcode",
            "bind authentication policylabel second -policyName otp -priority 10",
            "bind authentication vserver MFA_AAA_vserver -policy password -priority 20 -nextFactor second",
        ],
    );
    let gateway = publishing(wish, &Host::echo());
    let browser = Browser::new(&gateway);
    let second = send(&browser, &first(&browser), &[("login", ANN.0), ("passwd", ANN.1)]);
    assert!(second.body.contains("autocomplete=\"one-time-code\"") && !second.body.contains("name=\"login\""), "{second:?}");
    let again = send(&browser, &second, &[("passwd", "000000")]);
    assert!(again.status == 403 && again.body.contains("role=\"alert\""), "{again:?}");
    let list = send(&browser, &again, &[("passwd", &code(SECRET, 0))]);
    assert!(list.body.contains("Notepad"), "the farm knows the user by password, not by code: {list:?}");
}

#[test]
fn who_has_no_device_or_none_that_can_be_read_is_refused_like_anybody() {
    let directory = Directory::start(&Ca::new());
    let gateway = start(&directory);
    let told = |user: (&str, &str)| {
        let script = log_in(&gateway, user, "123456");
        assert!(!script.is_in());
        (tagged(&script.last, "Result").to_owned(), script.web.cookie("NSC_VPNERR").to_owned())
    };
    let usual = ("fail".to_owned(), "4001".to_owned());
    assert_eq!(told(ANN), usual, "without a device");
    directory.set_devices("ann", Some(&format!("#@phone={SECRET}&,")));
    assert_eq!(told(ANN), usual, "with another code");
    // What other products put there.
    directory.set_devices("ann", Some("CtxCfgPresent"));
    assert_eq!(told(ANN), usual);
    directory.set_devices("ann", Some("{\"otpdata\":{\"devices\":{}}}"));
    assert_eq!(told(ANN).1, "4003", "encrypted by another product");
    assert!(gateway.log().contains("encrypted by another product"), "{}", gateway.log());
    // ... is not written over.
    let browser = Browser::new(&gateway);
    let page = page_of(&browser, ANN);
    let enrol = press(&browser, &page, "add", &[("sg-device", "phone")]);
    let closed = press(&browser, &enrol, "confirm", &[("sg-code", &code(&key_in(&enrol), 0))]);
    assert!(closed.body.contains("class=\"note bad\""), "{closed:?}");
    assert_eq!(directory.devices("ann").as_deref(), Some("{\"otpdata\":{\"devices\":{}}}"));
}

#[test]
fn guesses_at_codes_and_passwords_share_one_count() {
    let directory = Directory::start(&Ca::new());
    directory.set_devices("ann", Some(&format!("#@phone={SECRET}&,")));
    let lines = ["set aaa parameter -maxLoginAttempts 4 -failedLoginTimeout 30"];
    let gateway = with_lines(usual("AUTO", &directory), &lines).start();
    // The password is right each time, in any spelling of the name, and that gives no try back.
    for (user, password, code) in
        [("ann", ANN.1, "000001"), ("ANN", ANN.1, "000002"), ("ann", "not it", ""), (" ann ", ANN.1, "000003")]
    {
        assert!(!is_in(&gateway, (user, password), code), "{user}");
    }
    assert!(!is_in(&gateway, ANN, &code(SECRET, 0)), "locked");
    let trace = gateway.console().run("show authentication trace").done();
    assert!(trace.contains("the account is locked here"), "{trace}");
    let _ = gateway.console().run("unlock aaa user ann").done();
    assert!(is_in(&gateway, ANN, &code(SECRET, 1)), "{}", gateway.console().run("show authentication trace").done());
    // A whole login clears the count.
    for n in 0..3 {
        assert!(!is_in(&gateway, ANN, &format!("00000{n}")));
    }
    assert!(!gateway.log().contains("000001"));
}

#[test]
fn a_password_alone_does_not_replace_a_device() {
    let directory = Directory::start(&Ca::new());
    let text = format!("#@phone={SECRET}&,tablet={OTHER}&,");
    directory.set_devices("ann", Some(&text));
    let gateway = start(&directory);
    let browser = Browser::new(&gateway);
    let page = page_of(&browser, ANN);
    assert!(offers(&page, "check") && !offers(&page, "add") && !offers(&page, "remove"), "{page:?}");
    // Whatever is sent without being offered.
    let mut last = page;
    for (deed, field) in [("add", "evil"), ("remove", "phone"), ("really", "phone"), ("confirm", "123456")] {
        last = press(&browser, &last, "check", &[("sg-deed", deed), ("sg-device", field), ("sg-code", "")]);
        assert!(last.body.contains("class=\"note bad\"") && !offers(&last, "add"), "{deed}: {last:?}");
    }
    let wrong = press(&browser, &last, "check", &[("sg-code", "000000")]);
    assert!(wrong.body.contains("class=\"note bad\"") && !offers(&wrong, "add"), "{wrong:?}");
    assert_eq!(directory.devices("ann"), Some(text));
    let open = press(&browser, &wrong, "check", &[("sg-code", &code(OTHER, 0))]);
    assert!(offers(&open, "add") && offers(&open, "remove"), "{open:?}");
    assert!(!is_in(&gateway, ANN, &code(OTHER, 0)), "it was used on the page");
    let sure = press(&browser, &open, "remove", &[("sg-device", "phone")]);
    assert!(sure.body.contains("phone") && !sure.body.contains("tablet"), "{sure:?}");
    let list = press(&browser, &sure, "really", &[]);
    assert!(list.body.contains("class=\"note good\""), "{list:?}");
    assert_eq!(directory.devices("ann"), Some(format!("#@tablet={OTHER}&,")));
    // The last one, too; then the attribute is gone, and the filter finds nobody.
    let sure = press(&browser, &list, "remove", &[("sg-device", "tablet")]);
    let _ = press(&browser, &sure, "really", &[]);
    assert_eq!(directory.devices("ann"), None);
}

#[test]
fn there_are_no_more_devices_than_may_be() {
    let directory = Directory::start(&Ca::new());
    let gateway = with_lines(usual("AUTO", &directory), &["set aaa otpparameter -maxOTPDevices 2"]).start();
    let browser = Browser::new(&gateway);
    let (list, first_key) = register(&browser, &page_of(&browser, ANN), "one");
    let taken = press(&browser, &list, "add", &[("sg-device", "ONE")]);
    assert!(taken.body.contains("class=\"note bad\""), "{taken:?}");
    let (full, second_key) = register(&browser, &taken, "二番目");
    assert!(!offers(&full, "add"), "{full:?}");
    let pressed = press(&browser, &full, "check", &[("sg-deed", "add"), ("sg-device", "three")]);
    assert!(pressed.body.contains("class=\"note bad\""), "{pressed:?}");
    let text = directory.devices("ann");
    // What is not ASCII is shown encoded by ldapsearch; the codes of both tell that they are there.
    assert!(text.is_none_or(|text| text.contains(&first_key)));
    for key in [first_key, second_key] {
        assert!(is_in(&gateway, ANN, &code(&key, 1)), "{}", gateway.log());
    }
}

#[test]
fn a_directory_that_is_away_while_a_device_is_saved_loses_nothing() {
    let directory = Directory::start(&Ca::new());
    let gateway = start(&directory);
    let browser = Browser::new(&gateway);
    let page = page_of(&browser, ANN);
    let enrol = press(&browser, &page, "add", &[("sg-device", "phone")]);
    let key = key_in(&enrol);
    directory.hang();
    let away = press(&browser, &enrol, "confirm", &[("sg-code", &code(&key, 0))]);
    assert!(away.body.contains("class=\"note warn\"") && key_in(&away) == key, "{away:?}");
    directory.go_on();
    let mut last = away;
    let list = until("the device to be saved", || {
        last = press(&browser, &last, "confirm", &[("sg-code", &code(&key, 0))]);
        (!last.body.contains("class=\"note warn\"")).then(|| last.clone())
    });
    assert!(list.body.contains("class=\"note good\""), "{list:?}");
    assert_eq!(directory.devices("ann"), Some(format!("#@phone={key}&,")));
    assert!(is_in(&gateway, ANN, &code(&key, 1)));
}

#[test]
fn of_two_who_write_at_once_neither_loses_a_device() {
    let directory = Directory::start(&Ca::new());
    let gateway = start(&directory);
    let (one, other) = (Browser::new(&gateway), Browser::new(&gateway));
    // Both begin without a device. The second to save must show a code of the first one's by then.
    let enrolled = |browser: &Browser, name: &str| press(browser, &page_of(browser, ANN), "add", &[("sg-device", name)]);
    let (first, second) = (enrolled(&one, "one"), enrolled(&other, "other"));
    let (first_key, second_key) = (key_in(&first), key_in(&second));
    let list = press(&one, &first, "confirm", &[("sg-code", &code(&first_key, 0))]);
    assert!(list.body.contains("class=\"note good\""), "{list:?}");
    let late = press(&other, &second, "confirm", &[("sg-code", &code(&second_key, 0))]);
    assert!(late.body.contains("class=\"note bad\"") && !offers(&late, "add"), "{late:?}");
    assert_eq!(directory.devices("ann"), Some(format!("#@one={first_key}&,")));
    // With a code each, both write what the other has not seen, several at a time.
    let open = press(&other, &late, "check", &[("sg-code", &code(&first_key, 1))]);
    let (a, b) = (press(&one, &list, "add", &[("sg-device", "a")]), press(&other, &open, "add", &[("sg-device", "b")]));
    let (a_key, b_key) = (key_in(&a), key_in(&b));
    let (a, b) = thread::scope(|scope| {
        let a = scope.spawn(|| press(&one, &a, "confirm", &[("sg-code", &code(&a_key, 0))]));
        let b = scope.spawn(|| press(&other, &b, "confirm", &[("sg-code", &code(&b_key, 0))]));
        (a.join().unwrap(), b.join().unwrap())
    });
    assert!(a.body.contains("class=\"note good\"") && b.body.contains("class=\"note good\""), "{a:?} {b:?}");
    let text = directory.devices("ann").unwrap();
    for key in [&first_key, &a_key, &b_key] {
        assert!(text.contains(key.as_str()), "{text}");
    }
}

#[test]
fn secrets_are_sealed_where_that_is_configured_and_for_their_owner_only() {
    let directory = Directory::start(&Ca::new());
    directory.set_devices("ann", Some(&format!("#@old={SECRET}&push=1&,")));
    let mut gateway = with_lines(usual("AUTO", &directory), &["set aaa otpparameter -encryption ON"]).start();
    let browser = Browser::new(&gateway);
    let page = page_of(&browser, ANN);
    let open = press(&browser, &page, "check", &[("sg-code", &code(SECRET, 0))]);
    let (_, key) = register(&browser, &open, "phone");
    let text = directory.devices("ann").unwrap();
    assert!(
        text.starts_with("#@old=SG1.") && text.contains("&push=1&,phone=SG1.") || text.contains("&push=1,phone=SG1."),
        "{text}"
    );
    assert!(!text.contains(SECRET) && !text.contains(&key), "{text}");
    gateway.restart("TERM");
    assert!(is_in(&gateway, ANN, &code(&key, 1)), "{}", gateway.log());
    assert!(is_in(&gateway, ANN, &code(SECRET, 1)), "what was open before is still good");
    // A seal that is copied to somebody else opens nothing there, or who has a device could lend it to a name.
    directory.set_devices("bob", Some(&text));
    assert!(!is_in(&gateway, BOB, &code(&key, 1)));
    // Another gateway has another key.
    let elsewhere = start(&directory);
    assert!(!is_in(&elsewhere, ANN, &code(&key, 1)));
    until("the operator to be told", || elsewhere.log().contains("secrets of devices do not open").then_some(()));
}

#[test]
fn devices_are_not_written_in_the_clear() {
    let directory = Directory::start(&Ca::new());
    let clear = action("ldap_clear", &directory, "")
        .replace(&format!("-serverPort {}", directory.tls.port()), &format!("-serverPort {}", directory.plain.port()))
        .replace("-secType SSL", "-secType PLAINTEXT");
    let wish = usual("AUTO", &directory).line(clear);
    let gateway = with_lines(wish, &["set authentication Policy manage -action ldap_clear"]).start();
    let browser = Browser::new(&gateway);
    let enrol = press(&browser, &page_of(&browser, ANN), "add", &[("sg-device", "phone")]);
    let closed = press(&browser, &enrol, "confirm", &[("sg-code", &code(&key_in(&enrol), 0))]);
    assert!(closed.body.contains("class=\"note bad\""), "{closed:?}");
    assert_eq!(directory.devices("ann"), None);
    assert!(gateway.log().contains("not written to a directory in the clear"), "{}", gateway.log());
}

#[test]
fn the_way_to_the_page_is_no_way_to_a_session() {
    let directory = Directory::start(&Ca::new());
    directory.set_devices("ann", Some(&format!("#@phone={SECRET}&,")));
    // Whoever comes for his devices finds only a login here.
    let lines = ["bind authentication vserver MFA_AAA_vserver -policy password -priority 20"];
    let gateway = publishing(with_lines(ground("AUTO", &directory), &lines), &Host::echo());
    let browser = Browser::new(&gateway);
    let form = followed(&browser, browser.get("/manageotp", &[]));
    let refused = send(&browser, &form, &[("login", ANN.0), ("passwd", ANN.1)]);
    assert!(refused.status == 403 && refused.body.contains("cannot be managed at this gateway"), "{refused:?}");
    assert!(session(&gateway, ANN.0).is_none());
    // And from the front page on, it is a login again.
    let list = send(&browser, &first(&browser), &[("login", ANN.0), ("passwd", ANN.1)]);
    assert!(list.body.contains("Notepad"), "{list:?}");

    // A native client is told where to go.
    let gateway = start(&directory);
    let mut web = sluicegate_tests::web::Web::new(&gateway);
    let sent_on = web.get("/manageotp").unwrap();
    assert_eq!((sent_on.status, web.cookie("NSC_TASS")), (302, "manageotp"), "{sent_on:?}");
    let mut script = Script::over(web);
    let told = script.password(ANN.0, ANN.1);
    assert!(tagged(told, "Result") == "fail" && told.body.contains("in a browser"), "{told:?}");
    assert!(!script.is_in());
}

#[test]
fn codes_stand_before_and_behind_scans_and_are_what_a_quarantine_asks_for() {
    use sluicegate_tests::scanner::Asked;

    let directory = Directory::start(&Ca::new());
    directory.set_devices("ann", Some(&format!("#@phone={SECRET}&,")));
    let scan = [
        r#"add authentication epaAction scan -csecexpr "sys.client_expr(\"proc_0_firefox\")" -quarantineGroup held"#,
        "add authentication Policy scan -rule true -action scan",
        "add authentication policylabel look -loginSchema LSCHEMA_INT",
        "bind authentication policylabel look -policyName scan -priority 10",
    ];
    let answer = |script: &mut Script, gateway: &Gateway, digit: &str| {
        let scanner = script.scanner();
        assert_eq!(scanner.question(gateway).unwrap(), Asked::Strings(vec!["proc_0_firefox".to_owned()]));
        assert_eq!(scanner.answer(gateway, digit).unwrap(), 200);
        let _ = script.send(&[("nsg-epa", "success")]);
    };

    // Behind: password and code, then the scan.
    let lines = [
        "bind authentication vserver MFA_AAA_vserver -policy dual -priority 20",
        "bind authentication policylabel code -policyName otp -priority 10 -nextFactor look",
        "bind authentication vserver MFA_AAA_vserver -policy password -priority 20 -nextFactor code",
    ];
    let gateway = with_lines(with_lines(ground("AUTO", &directory), &scan), &lines).start();
    let now = fresh_step();
    let mut script = log_in(&gateway, ANN, &code_at(SECRET, now - 1));
    assert!(!script.is_in(), "not yet");
    answer(&mut script, &gateway, "0");
    assert!(script.is_in(), "{:?}", script.last);

    // Before: who passes needs the password only; who does not is in the quarantine and types a code, too.
    let lines = [
        "add authentication loginSchema single -authenticationSchema LoginSchema/SingleAuth.xml",
        "add authentication policylabel plain -loginSchema single",
        "bind authentication policylabel plain -policyName password -priority 10",
        "add authentication policylabel strong -loginSchema dual",
        "bind authentication policylabel strong -policyName password -priority 10 -nextFactor code",
        "bind authentication policylabel code -policyName otp -priority 10",
        r#"add authentication Policy is_held -rule "AAA.USER.IS_MEMBER_OF(\"held\")" -action NO_AUTHN"#,
        "add authentication Policy is_free -rule true -action NO_AUTHN",
        "add authentication policylabel fork -loginSchema LSCHEMA_INT",
        "bind authentication policylabel fork -policyName is_held -priority 10 -nextFactor strong",
        "bind authentication policylabel fork -policyName is_free -priority 20 -nextFactor plain",
        "bind authentication vserver MFA_AAA_vserver -policy scan -priority 10 -nextFactor fork",
    ];
    let gateway = with_lines(with_lines(ground("AUTO", &directory), &scan), &lines).start();
    let mut script = Script::begin(&gateway);
    answer(&mut script, &gateway, "0");
    assert!(!script.last.body.contains("passwd1"), "{:?}", script.last);
    let _ = script.password(ANN.0, ANN.1);
    assert!(script.is_in(), "{:?}", script.last);
    let mut script = Script::begin(&gateway);
    answer(&mut script, &gateway, "3");
    assert!(script.last.body.contains("passwd1"), "the stronger way: {:?}", script.last);
    let _ = script.send(&[("login", ANN.0), ("passwd", ANN.1), ("passwd1", &code(SECRET, 0))]);
    assert!(script.is_in(), "{:?}", script.last);
    let held = rows(gateway.console().run("show aaa session -format json"));
    assert!(held.iter().any(|row| row["groups"].to_string().contains("held")), "{held:?}");

    // The operator can see it before anybody tries.
    let flow = gateway.console().run("show authentication flow MFA_AAA_vserver").done();
    assert!(flow.contains("code right"), "{flow}");
    let dry = gateway.console().run("test authentication MFA_AAA_vserver -user ann -epa fail").done();
    assert!(dry.contains("ldap_otp succeeded") && dry.contains("session of ann"), "{dry}");
}
