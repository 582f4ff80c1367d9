//! RADIUS as a factor: with a real freeradius, and with a stand-in that forges. The answer to a password or a code lets people in, brings
//! groups, or asks back; whatever else comes costs its own login an orderly error.

use serde_json::Value;
use sluicegate_tests::browser::Browser;
use sluicegate_tests::certs::Ca;
use sluicegate_tests::deadline::until;
use sluicegate_tests::directory::Directory;
use sluicegate_tests::forger::{ACCEPT, Asked, Back, CHALLENGE, Draft, Forger, REJECT};
use sluicegate_tests::gateway::{Gateway, Wish};
use sluicegate_tests::host::Host;
use sluicegate_tests::radius::{GROUPS, KEY, PEOPLE, Person, Radius};
use sluicegate_tests::scanner::Asked as ScanAsked;

use crate::login::{self, Script, first, launched, publishing, send, session, tagged, there_and_back, with_lines};
use crate::wish;

on_each_engine!(passwords_codes_and_groups_open_a_stream, forgeries_cost_their_login_an_error_and_streams_nothing);

/// Number of the attribute with a user's name, in what a server is asked.
const USER_NAME: u8 = 1;

fn person(name: &str) -> &'static Person {
    PEOPLE.iter().find(|person| person.name == name).expect("somebody whom the server knows")
}

/// The action `codes`, for a server at `at`, and the policy `code` that asks it.
fn asks(wish: Wish, at: std::net::SocketAddr, more: &str) -> Wish {
    let (vendor, kind) = GROUPS;
    wish.line(format!(
        "add authentication radiusAction codes -serverIP {} -serverPort {} -radKey \"{KEY}\" -radVendorID {vendor} -radAttributeType {kind} \
         -radGroupsPrefix Groups= -defaultAuthenticationGroup by-radius {more}",
        at.ip(),
        at.port()
    ))
    .line("add authentication Policy code -rule true -action codes")
}

/// Logins begin at `av`.
fn factors(wish: Wish) -> Wish {
    wish.line("add authentication vserver av SSL 0.0.0.0")
        .line("add authentication authnProfile nfactor -authnVsName av")
        .line("set vpn vserver vpn1 -authnProfile nfactor")
}

/// RADIUS alone.
fn alone(engine: &'static str, at: std::net::SocketAddr, more: &str) -> Wish {
    asks(factors(wish(engine)), at, more).line("bind authentication vserver av -policy code -priority 10")
}

/// A password of the directory first; `ldap_server1` is asked by the policy `password`.
fn with_directory(directory: &Directory, radius: &Radius) -> Wish {
    let wish =
        factors(login::ground("AUTO", directory)).line("add authentication Policy password -rule true -action ldap_server1");
    asks(wish, radius.at, "")
}

fn trace(gateway: &Gateway) -> String {
    gateway.console().run("show authentication trace").done()
}

/// Waits for words in the log, which is written behind what it tells of.
fn told_in_log(gateway: &Gateway, words: &str) {
    until(words, || gateway.log().contains(words).then_some(()));
}

fn groups(session: &Value) -> String {
    session["groups"].to_string()
}

fn passwords_codes_and_groups_open_a_stream(engine: &'static str) {
    let (host, radius) = (Host::echo(), Radius::start());
    let gateway = publishing(alone(engine, radius.at, ""), &host);
    let (ann, carol) = (person("ann"), person("carol"));

    // A password.
    let browser = Browser::new(&gateway);
    let wrong = send(&browser, &first(&browser), &[("login", ann.name), ("passwd", "not it")]);
    assert!(wrong.status < 500 && wrong.body.contains("role=\"alert\""), "{wrong:?}");
    assert!(session(&gateway, ann.name).is_none());
    let list = send(&browser, &wrong, &[("login", ann.name), ("passwd", ann.password)]);
    assert!(list.body.contains("Notepad"), "{list:?}");
    let seen = session(&gateway, ann.name).unwrap_or_else(|| panic!("no session: {}", gateway.log()));
    for group in ["sales", "staff", "by-radius"] {
        assert!(groups(&seen).contains(group), "{group}: {seen:?}");
    }
    let mut stream = launched(&gateway, &browser, &list);

    // A password, and then what the server asks back, in its own words and nobody's markup.
    let browser = Browser::new(&gateway);
    let [(_, code)] = carol.codes else { panic!("one code") };
    let asked = send(&browser, &first(&browser), &[("login", carol.name), ("passwd", carol.password)]);
    assert!(asked.body.contains("Code &#60;b&#62;from&#60;/b&#62; the"), "{asked:?}");
    assert!(!asked.body.contains("<b>from") && !asked.body.contains("\"token\""), "{asked:?}");
    assert!(session(&gateway, carol.name).is_none(), "a password alone is not enough");
    let wrong = send(&browser, &asked, &[("passwd", "271828")]);
    assert!(wrong.status < 500 && wrong.body.contains("role=\"alert\""), "{wrong:?}");
    assert!(session(&gateway, carol.name).is_none());
    // A wrong code leads back to the beginning.
    let asked = send(&browser, &wrong, &[("login", carol.name), ("passwd", carol.password)]);
    let list = send(&browser, &asked, &[("passwd", code)]);
    assert!(list.body.contains("Notepad"), "{list:?}");
    let seen = session(&gateway, carol.name).unwrap_or_else(|| panic!("no session: {}", gateway.log()));
    assert!(!groups(&seen).contains("sales"), "{seen:?}");
    there_and_back(&mut stream);
    let trace = trace(&gateway);
    assert!(trace.contains("server asks back") && trace.contains("codes succeeded"), "{trace}");
    for secret in [ann.password, carol.password, *code, KEY] {
        assert!(!trace.contains(secret) && !gateway.log().contains(secret), "nothing that was typed is told to anybody");
    }
}

#[test]
fn two_rounds_are_two_questions_and_a_script_answers_both() {
    let radius = Radius::start();
    let gateway = publishing(alone("AUTO", radius.at, ""), &Host::echo());
    let dave = person("dave");
    let [(first, pin), (second, code)] = dave.codes else { panic!("two codes") };
    for (typed, is_in) in [([*pin, "000000"], false), (["0000", *code], false), ([*pin, *code], true)] {
        let mut script = Script::begin(&gateway);
        let shown = script.password(dave.name, dave.password);
        assert!(tagged(shown, "Result") == "more-info" && shown.body.contains(first), "{shown:?}");
        assert!(shown.body.contains("<Type>passcode</Type>"), "{shown:?}");
        let shown = script.send(&[("passwd", typed[0])]);
        if typed[0] == *pin {
            assert!(shown.body.contains(second), "{shown:?}");
            let _ = script.send(&[("passwd", typed[1])]);
        }
        assert_eq!(script.is_in(), is_in, "{typed:?}: {:?}", script.last);
    }
    // What answers one question answers no other one.
    let mut script = Script::begin(&gateway);
    let _ = script.password(dave.name, dave.password);
    let before = script.last.clone();
    let _ = script.send(&[("passwd", pin)]);
    script.last = before;
    let stale = script.send(&[("passwd", code)]);
    assert!(stale.body.contains(second), "{stale:?}");
    assert!(!script.is_in());
}

#[test]
fn a_password_travels_in_each_way_that_the_action_can_say() {
    let radius = Radius::start();
    let gateway = publishing(alone("AUTO", radius.at, ""), &Host::echo());
    let bob = person("bob");
    for encoding in ["chap", "mschapv1", "mschapv2", "pap"] {
        let _ = gateway.console().run(&format!("set authentication radiusAction codes -passEncoding {encoding}")).done();
        for (password, is_in) in [("not it", false), (bob.password, true)] {
            let mut script = Script::begin(&gateway);
            let _ = script.password(bob.name, password);
            assert_eq!(script.is_in(), is_in, "{encoding}: {:?}\n{}", script.last, trace(&gateway));
        }
    }
}

#[test]
fn a_silent_server_costs_its_logins_an_error_and_streams_nothing() {
    let (host, radius) = (Host::echo(), Radius::start());
    let gateway = publishing(alone("AUTO", radius.at, "-authTimeout 1 -authservRetry 2"), &host);
    let (ann, bob) = (person("ann"), person("bob"));
    let browser = Browser::new(&gateway);
    let list = send(&browser, &first(&browser), &[("login", ann.name), ("passwd", ann.password)]);
    let mut stream = launched(&gateway, &browser, &list);
    radius.hang();
    std::thread::scope(|scope| {
        let logins: Vec<_> = (0..20)
            .map(|_| {
                scope.spawn(|| {
                    let mut script = Script::begin(&gateway);
                    let _ = script.password(bob.name, bob.password);
                    assert!(!script.is_in() && script.last.status != 500, "{:?}", script.last);
                })
            })
            .collect();
        while !logins.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            there_and_back(&mut stream);
        }
    });
    let told = trace(&gateway);
    assert!(told.contains("nobody could be asked: no answer to") && told.contains("(4003)"), "{told}");
    told_in_log(&gateway, "RADIUS server cannot be asked");
    assert_eq!(gateway.log().matches("RADIUS server cannot be asked").count(), 1, "{}", gateway.log());
    radius.go_on();
    let mut script = Script::begin(&gateway);
    let _ = script.password(bob.name, bob.password);
    assert!(script.is_in(), "an outage is not counted as a wrong password: {:?}", script.last);
    told_in_log(&gateway, "RADIUS server can be asked again");
}

#[test]
fn a_slow_server_is_waited_for() {
    let radius = Radius::start();
    let gateway = publishing(alone("AUTO", radius.at, "-authTimeout 10 -authservRetry 1"), &Host::echo());
    let bob = person("bob");
    let mut script = Script::begin(&gateway);
    radius.hang();
    std::thread::scope(|scope| {
        let login = scope.spawn(|| {
            let _ = script.password(bob.name, bob.password);
            script
        });
        until("the server to be asked", || trace(&gateway).contains("codes is asked").then_some(()));
        radius.go_on();
        let script = login.join().unwrap();
        assert!(script.is_in(), "{:?}\n{}", script.last, trace(&gateway));
    });
}

#[test]
fn a_second_server_stands_in_for_one_that_is_down_or_has_another_key() {
    let (down, stranger, radius) = (Radius::start(), Radius::start_with("another radius key of some bytes", ""), Radius::start());
    down.hang();
    let dead = sluicegate_tests::host::nobody();
    let mut wish = factors(wish("AUTO"));
    for (name, at) in [("dead", dead), ("down", down.at), ("stranger", stranger.at), ("good", radius.at)] {
        wish = wish
            .line(format!(
                "add authentication radiusAction {name} -serverIP {} -serverPort {} -radKey \"{KEY}\" -authTimeout 1 -authservRetry 1",
                at.ip(),
                at.port()
            ))
            .line(format!("add authentication Policy {name} -rule true -action {name}"));
    }
    for (at, name) in ["dead", "down", "stranger", "good"].iter().enumerate() {
        wish = wish
            .line(format!("bind authentication vserver av -policy {name} -priority {} -gotoPriorityExpression NEXT", 10 + at));
    }
    let gateway = publishing(wish, &Host::echo());
    let bob = person("bob");
    let mut script = Script::begin(&gateway);
    let _ = script.password(bob.name, "not it");
    assert!(!script.is_in());
    let _ = script.password(bob.name, bob.password);
    assert!(script.is_in(), "{:?}\n{}", script.last, trace(&gateway));
    let told = trace(&gateway);
    for words in ["nobody listens there", "no answer to 1 requests", "another -radKey for us", "good succeeded"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    down.go_on();
}

/// What a server says to users of these names, and what the trace says of it.
const FORGERIES: &[(&str, &str)] = &[
    ("unsigned", "no Message-Authenticator"),
    ("badly-signed", "Message-Authenticator is wrong"),
    ("badly-digested", "Response Authenticator is wrong"),
    ("stranger", "the server has another key"),
    ("other-number", "it answers another request"),
    ("elsewhere", "no answer to 1 requests"),
    ("garbage", "no packet has"),
    ("oversized", "no packet has"),
    ("cut", "it is cut off"),
    ("proxied", "a Proxy-State that was not sent"),
    ("accounting", "not asked for (code 5)"),
    ("silent", "no answer to 1 requests"),
];

fn forge(asked: &Asked, _: usize, back: &Back<'_>) {
    let accept = || Draft::new(asked, ACCEPT);
    match std::str::from_utf8(asked.attribute(USER_NAME).unwrap_or_default()).unwrap_or_default() {
        "good" => back.say(&accept().bytes()),
        "bad" => back.say(&Draft::new(asked, REJECT).bytes()),
        "unsigned" => back.say(&accept().unsigned().bytes()),
        "badly-signed" => back.say(&accept().badly_signed().bytes()),
        "badly-digested" => back.say(&accept().badly_digested().bytes()),
        "stranger" => back.say(&accept().under("a key that nobody knows").bytes()),
        "other-number" => back.say(&accept().numbered(1).bytes()),
        "elsewhere" => back.say_from_elsewhere(&accept().bytes()),
        "garbage" => back.say(&[b'x'; 700]),
        "oversized" => back.say(&[&[ACCEPT, asked.bytes()[1], 0xff, 0xff][..], &[0; 60_000]].concat()),
        "cut" => back.say(&accept().bytes()[..30]),
        "proxied" => back.say(&accept().with(33, &[b'x'; 200]).bytes()),
        "accounting" => back.say(&Draft::new(asked, 5).bytes()),
        "endless" => back.say(&Draft::new(asked, CHALLENGE).with(24, b"s").with(18, b"And now?").bytes()),
        // Forged beside the real one, which comes last.
        "beside" => {
            back.say_from_elsewhere(&Draft::new(asked, REJECT).bytes());
            for draft in [accept().numbered(1), Draft::new(asked, REJECT).badly_signed(), Draft::new(asked, REJECT).unsigned()] {
                back.say(&draft.bytes());
            }
            back.say(&accept().bytes());
            back.say(&Draft::new(asked, REJECT).bytes());
        }
        _ => {}
    }
}

fn forgeries_cost_their_login_an_error_and_streams_nothing(engine: &'static str) {
    let (host, forger) = (Host::echo(), Forger::start(forge));
    let gateway = publishing(alone(engine, forger.at, "-authTimeout 1 -authservRetry 1"), &host);
    let browser = Browser::new(&gateway);
    let list = send(&browser, &first(&browser), &[("login", "good"), ("passwd", "x")]);
    let mut stream = launched(&gateway, &browser, &list);
    for (user, why) in FORGERIES {
        let mut script = Script::begin(&gateway);
        let shown = script.password(user, "a secret of mine");
        assert!(shown.status == 200 && tagged(shown, "Result") == "more-info", "{user}: {shown:?}");
        assert!(!shown.body.contains("uthenticator"), "users are not told how it is done: {shown:?}");
        assert!(!script.is_in(), "{user}");
        there_and_back(&mut stream);
        let told = trace(&gateway);
        // The newest login stands first.
        let newest = told.split("\n2)").next().unwrap_or_default();
        assert!(newest.contains(why) && newest.contains("(4003)"), "{user}: {why}\n{told}");
    }
    told_in_log(&gateway, "RADIUS server cannot be asked");
    let mut script = Script::begin(&gateway);
    let _ = script.password("beside", "x");
    assert!(script.is_in(), "what is forged keeps nobody out: {:?}\n{}", script.last, trace(&gateway));
    told_in_log(&gateway, "beside its answer");
    let mut script = Script::begin(&gateway);
    let _ = script.password("bad", "x");
    assert!(!script.is_in());

    // Challenges without end have one.
    let mut script = Script::begin(&gateway);
    let _ = script.password("endless", "x");
    let mut rounds = 0;
    while script.last.body.contains("And now?") {
        rounds += 1;
        assert!(rounds < 32, "{:?}", script.last);
        let _ = script.send(&[("passwd", "again")]);
    }
    assert!(rounds > 2 && !script.is_in(), "{rounds}: {:?}", script.last);
    there_and_back(&mut stream);
    assert!(!gateway.log().contains("a secret of mine"));
}

/// A password of the directory, then one of RADIUS in a form of its own.
fn two_forms(wish: Wish) -> Wish {
    with_lines(
        wish,
        &[
            "add authentication loginSchema code_form -authenticationSchema LoginSchema/OnlyPasscode.xml",
            "add authentication policylabel second -loginSchema code_form",
            "bind authentication policylabel second -policyName code -priority 10",
            "bind authentication vserver av -policy password -priority 10 -nextFactor second",
        ],
    )
}

#[test]
fn wrong_codes_count_with_wrong_passwords_and_one_right_secret_of_two_forgives_nothing() {
    let (directory, radius) = (Directory::start(&Ca::new()), Radius::start());
    let gateway = publishing(
        two_forms(with_directory(&directory, &radius))
            .line("set authentication vserver av -maxLoginAttempts 4 -failedLoginTimeout 60")
            .line("set aaa parameter -enableEnhancedAuthFeedback YES"),
        &Host::echo(),
    );
    let (user, password, code) = (login::ANN.0, login::ANN.1, person("ann").password);
    let mut script = Script::begin(&gateway);
    // Any spelling is the same user.
    let _ = script.password("ANN", "not it");
    for wrong in ["1", "2"] {
        // A login of its own each time: the right password takes back nothing but itself.
        let mut script = Script::begin(&gateway);
        let form = script.password(user, password);
        assert!(form.body.contains("<Type>passcode</Type>"), "{form:?}");
        let _ = script.send(&[("passwd", wrong)]);
        assert!(!script.is_in());
    }
    // Three so far. A login that is complete starts afresh.
    let mut script = Script::begin(&gateway);
    let _ = script.password(user, password);
    let _ = script.send(&[("passwd", code)]);
    assert!(script.is_in(), "{:?}\n{}", script.last, trace(&gateway));
    for wrong in ["1", "2", "3", "4"] {
        let mut script = Script::begin(&gateway);
        let _ = script.password(user, password);
        let _ = script.send(&[("passwd", wrong)]);
        assert!(!script.is_in());
    }
    // Four: now neither the one nor the other helps, in any factor, for any spelling.
    let mut script = Script::begin(&gateway);
    let locked = script.password("Ann", password);
    assert!(
        !locked.body.contains("<Type>passcode</Type>") && locked.body.contains("Your account is locked"),
        "{locked:?}\n{}",
        trace(&gateway)
    );
    let _ = gateway.console().run("unlock aaa user ann").done();
    let mut script = Script::begin(&gateway);
    let _ = script.password(user, password);
    let _ = script.send(&[("passwd", code)]);
    assert!(script.is_in(), "{:?}\n{}", script.last, trace(&gateway));
}

#[test]
fn a_challenge_forgives_no_wrong_codes() {
    let radius = Radius::start();
    let gateway = publishing(
        alone("AUTO", radius.at, "").line("set authentication vserver av -maxLoginAttempts 3 -failedLoginTimeout 60"),
        &Host::echo(),
    );
    let carol = person("carol");
    let [(question, code)] = carol.codes else { panic!("one code") };
    let question = question.split('<').next().unwrap_or_default();
    for _ in 0..3 {
        let mut script = Script::begin(&gateway);
        let asked = script.password(carol.name, carol.password);
        assert!(asked.body.contains(question), "{asked:?}\n{}", trace(&gateway));
        let _ = script.send(&[("passwd", "000000")]);
        assert!(!script.is_in());
    }
    let mut script = Script::begin(&gateway);
    let locked = script.password(carol.name, carol.password);
    assert!(!locked.body.contains(question), "{locked:?}");
    let _ = script.send(&[("passwd", code)]);
    assert!(!script.is_in() && trace(&gateway).contains("the account is locked here"), "{}", trace(&gateway));
}

#[test]
fn the_second_password_of_a_form_is_for_radius() {
    let (directory, radius) = (Directory::start(&Ca::new()), Radius::start());
    let (user, password, code) = (login::ANN.0, login::ANN.1, person("ann").password);
    let schema = [
        "add authentication loginSchema both -authenticationSchema LoginSchema/DualAuth.xml -passwordCredentialIndex 1 -SSOCredentials YES",
        "add authentication loginSchemaPolicy both -rule true -action both",
        "bind authentication vserver av -policy both -priority 10",
        "add authentication policylabel second -loginSchema LSCHEMA_INT",
        "bind authentication policylabel second -policyName code -priority 10",
        "bind authentication vserver av -policy password -priority 10 -nextFactor second",
    ];
    let secondary = [
        "bind authentication vserver av -policy password -priority 10",
        "bind authentication vserver av -policy code -priority 10 -secondary",
    ];
    let classic =
        ["bind vpn vserver vpn1 -policy password -priority 10", "bind vpn vserver vpn1 -policy code -priority 10 -secondary"];
    let ground = || {
        asks(
            login::ground("AUTO", &directory).line("add authentication Policy password -rule true -action ldap_server1"),
            radius.at,
            "",
        )
    };
    let ways = [
        ("a schema with two passwords", with_lines(with_directory(&directory, &radius), &schema)),
        ("-secondary at factors", with_lines(with_directory(&directory, &radius), &secondary)),
        ("-secondary without factors", with_lines(ground(), &classic)),
    ];
    for (way, wish) in ways {
        let gateway = publishing(wish, &Host::echo());
        for (typed, is_in) in
            [(["not it", code], false), ([password, "not it"], false), ([code, password], false), ([password, code], true)]
        {
            let browser = Browser::new(&gateway);
            let form = first(&browser);
            assert!(form.body.contains("name=\"passwd1\""), "{way}: {form:?}");
            let _ = send(&browser, &form, &[("login", user), ("passwd", typed[0]), ("passwd1", typed[1])]);
            assert_eq!(session(&gateway, user).is_some(), is_in, "{way} {typed:?}\n{}", trace(&gateway));
        }
        let seen = session(&gateway, user).unwrap_or_default();
        for group in ["staff", "by-radius"] {
            assert!(groups(&seen).contains(group), "{way}: the groups of both: {seen:?}");
        }
    }
}

#[test]
fn radius_alone_without_factors_asks_back_in_the_classic_form_too() {
    let radius = Radius::start();
    let gateway =
        publishing(asks(wish("AUTO"), radius.at, "").line("bind vpn vserver vpn1 -policy code -priority 10"), &Host::echo());
    let carol = person("carol");
    let [(_, code)] = carol.codes else { panic!("one code") };
    let browser = Browser::new(&gateway);
    let asked = send(&browser, &first(&browser), &[("login", carol.name), ("passwd", carol.password)]);
    assert!(asked.body.contains("Code &#60;b&#62;from"), "{asked:?}");
    let list = send(&browser, &asked, &[("passwd", code)]);
    assert!(list.body.contains("Notepad"), "{list:?}\n{}", trace(&gateway));
}

const SCAN: &[&str] = &[
    r#"add authentication epaAction scan -csecexpr "sys.client_expr(\"proc_0_firefox\")" -defaultEPAGroup healthy"#,
    "add authentication Policy scan -rule true -action scan",
    "add authentication loginSchema password_form -authenticationSchema LoginSchema/SingleAuth.xml",
    "add authentication loginSchema code_form -authenticationSchema LoginSchema/OnlyPasscode.xml",
];

fn scanned(gateway: &Gateway, script: &mut Script, digit: &str) {
    let scanner = script.scanner();
    assert_eq!(scanner.question(gateway).unwrap(), ScanAsked::Strings(vec!["proc_0_firefox".to_owned()]));
    assert_eq!(scanner.answer(gateway, digit).unwrap(), 200);
    let _ = script.send(&[("nsg-epa", "success")]);
}

#[test]
fn radius_stands_behind_a_scan_or_before_one() {
    let radius = Radius::start();
    let ann = person("ann");
    let behind = [
        "add authentication policylabel second -loginSchema password_form",
        "bind authentication policylabel second -policyName code -priority 10",
        "bind authentication vserver av -policy scan -priority 10 -nextFactor second",
    ];
    let gateway = publishing(with_lines(with_lines(asks(factors(wish("AUTO")), radius.at, ""), SCAN), &behind), &Host::echo());
    let mut script = Script::begin(&gateway);
    scanned(&gateway, &mut script, "0");
    assert!(!script.is_in());
    let _ = script.password(ann.name, ann.password);
    assert!(script.is_in(), "{:?}\n{}", script.last, trace(&gateway));
    assert!(groups(&session(&gateway, ann.name).unwrap_or_default()).contains("healthy"));

    let before = [
        "add authentication policylabel second -loginSchema LSCHEMA_INT",
        "bind authentication policylabel second -policyName scan -priority 10",
        "bind authentication vserver av -policy code -priority 10 -nextFactor second",
    ];
    let gateway = publishing(with_lines(with_lines(asks(factors(wish("AUTO")), radius.at, ""), SCAN), &before), &Host::echo());
    for (digit, is_in) in [("3", false), ("0", true)] {
        let mut script = Script::begin(&gateway);
        let _ = script.password(ann.name, ann.password);
        assert!(!script.is_in());
        scanned(&gateway, &mut script, digit);
        assert_eq!(script.is_in(), is_in, "{:?}\n{}", script.last, trace(&gateway));
    }
}

/// The use that a quarantine is made for: whose machine is as it must be gets in with a password, all others type a code, too.
#[test]
fn who_is_in_quarantine_needs_a_code() {
    let (directory, radius) = (Directory::start(&Ca::new()), Radius::start());
    let lines = [
        "set authentication epaAction scan -quarantineGroup restricted",
        "add authentication noAuthAction pass",
        "add authentication Policy unhealthy -rule \"AAA.USER.IS_MEMBER_OF(\\\"restricted\\\")\" -action pass",
        "add authentication Policy healthy -rule true -action pass",
        "add authentication policylabel codes -loginSchema code_form",
        "bind authentication policylabel codes -policyName code -priority 10",
        "add authentication policylabel branch -loginSchema LSCHEMA_INT",
        "bind authentication policylabel branch -policyName unhealthy -priority 10 -nextFactor codes",
        "bind authentication policylabel branch -policyName healthy -priority 20",
        "add authentication policylabel look -loginSchema LSCHEMA_INT",
        "bind authentication policylabel look -policyName scan -priority 10 -nextFactor branch",
        "bind authentication vserver av -policy password -priority 10 -nextFactor look",
    ];
    let gateway = publishing(with_lines(with_lines(with_directory(&directory, &radius), SCAN), &lines), &Host::echo());
    let (user, password) = login::ANN;
    let mut script = Script::begin(&gateway);
    let _ = script.password(user, password);
    scanned(&gateway, &mut script, "0");
    assert!(script.is_in(), "{:?}\n{}", script.last, trace(&gateway));
    let _ = gateway.console().run("kill aaa session -userName ann").done();

    for (code, is_in) in [("not it", false), (person("ann").password, true)] {
        let mut script = Script::begin(&gateway);
        let _ = script.password(user, password);
        scanned(&gateway, &mut script, "3");
        assert!(!script.is_in() && script.last.body.contains("<Type>passcode</Type>"), "{:?}\n{}", script.last, trace(&gateway));
        let _ = script.send(&[("passwd", code)]);
        assert_eq!(script.is_in(), is_in, "{:?}\n{}", script.last, trace(&gateway));
    }
    let seen = session(&gateway, user).unwrap_or_default();
    for group in ["restricted", "by-radius", "staff"] {
        assert!(groups(&seen).contains(group), "{group}: {seen:?}");
    }
}

#[test]
fn a_short_key_asks_nobody_until_somebody_says_that_it_may() {
    let radius = Radius::start_with("short key", "");
    let gateway = publishing(alone("AUTO", radius.at, ""), &Host::echo());
    let bob = person("bob");
    let _ = gateway.console().run("set authentication radiusAction codes -radKey \"short key\"").done();
    let mut script = Script::begin(&gateway);
    let _ = script.password(bob.name, bob.password);
    assert!(!script.is_in());
    told_in_log(&gateway, "-radKey has 9 bytes");
    assert!(trace(&gateway).contains("its settings are unusable"), "{}", trace(&gateway));
    let _ = gateway.console().run("set authentication radiusAction codes -allowShortKey YES").done();
    let mut script = Script::begin(&gateway);
    let _ = script.password(bob.name, bob.password);
    assert!(script.is_in(), "{:?}\n{}", script.last, trace(&gateway));
}

/// What is accepted and never carried out: a login that comes to it fails, and the log has one line for each.
#[test]
fn what_is_not_carried_out_fails_in_one_clear_line() {
    let radius = Radius::start();
    let actions = [
        ("mail", "emailAction mail -userName gw@corp.example -serverURL smtps://mail.corp.example:465"),
        ("human", "captchaAction human -siteKey site_key -secretKey \"captcha secret\""),
        ("web", "webAuthAction web -serverIP 192.0.2.32 -serverPort 443 -scheme https -successRule \"HTTP.RES.STATUS.EQ(200)\""),
        ("store", "storefrontAuthAction store -serverURL https://store.corp.example/Citrix/StoreAuth"),
        ("forms", "dfaAction forms -clientID gateway -serverURL https://dfa.corp.example -passPhrase secret"),
        ("tacacs", "tacacsAction tacacs -serverIP 192.0.2.31 -tacacsSecret \"shared secret\""),
        ("kerberos", "negotiateAction kerberos -domain corp.example -domainUser svc_gw -domainUserPasswd \"service secret\""),
        (
            "idp",
            "samlAction idp -samlRedirectUrl https://idp.example.com/saml -samlIdPCertName gw -samlIssuerName gw.example.com",
        ),
        ("oidc", "OAuthAction oidc -metadataUrl https://login.example.com/openid -clientID gateway -clientSecret secret"),
        ("stream", "radiusAction stream -serverIP 192.0.2.33 -radKey \"a key that both sides know\" -transport TLS"),
    ];
    let mut wish = factors(wish("AUTO"));
    for (at, (name, action)) in actions.iter().enumerate() {
        wish = wish
            .line(format!("add authentication {action}"))
            .line(format!("add authentication Policy p_{name} -rule true -action {name}"))
            .line(format!("bind authentication vserver av -policy p_{name} -priority {} -gotoPriorityExpression NEXT", 10 + at));
    }
    let gateway = publishing(wish, &Host::echo());
    let bob = person("bob");
    let mut script = Script::begin(&gateway);
    let shown = script.password(bob.name, bob.password);
    assert!(shown.status == 200 && tagged(shown, "Result") == "more-info", "{shown:?}");
    assert!(!script.is_in());
    told_in_log(&gateway, &format!("p_{}", actions[actions.len() - 1].0));
    let log = gateway.log();
    for (name, _) in actions {
        let lines = log.lines().filter(|line| {
            line.contains("an action fails in every login")
                && line.contains(&format!("p_{name}"))
                && line.contains("this gateway does not carry out actions of this kind")
        });
        assert_eq!(lines.count(), 1, "{name}: {log}");
    }
    // They do not keep others from being asked.
    let at = radius.at;
    for line in [
        format!("add authentication radiusAction codes -serverIP {} -serverPort {} -radKey \"{KEY}\"", at.ip(), at.port()),
        "add authentication Policy code -rule true -action codes".to_owned(),
        "bind authentication vserver av -policy code -priority 90".to_owned(),
    ] {
        let _ = gateway.console().run(&line).done();
    }
    let mut script = Script::begin(&gateway);
    let _ = script.password(bob.name, bob.password);
    assert!(script.is_in(), "{:?}\n{}", script.last, trace(&gateway));
}
