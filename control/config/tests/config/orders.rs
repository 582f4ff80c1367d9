//! Lines of the control socket: what they mean, who may say them, and what they are told.

use gate_config::catalog::{Level, What, asks, commands};
use gate_config::code::Code;
use gate_config::order::{Format, Order, read, split};
use gate_config::show;

use crate::kit::strict;

fn ask(line: &str) -> Option<What> {
    match read(line) {
        Ok(Order::Ask(order)) => Some(order.ask.what),
        Ok(Order::Nothing | Order::Change(_) | Order::Show(_)) => None,
        Err(problems) => panic!("{line}: {problems:?}"),
    }
}

fn code(line: &str) -> Vec<Code> {
    read(line).err().unwrap_or_default().into_iter().map(|problem| problem.code).collect()
}

fn shown(line: &str) -> &'static str {
    match read(line) {
        Ok(Order::Show(order)) => order.command.words,
        _ => panic!("{line} shows nothing"),
    }
}

#[test]
fn words_may_be_short() {
    for (line, what) in [
        ("show vpn icaConnection", What::ShowIcaConnections),
        ("sh vpn ica -userName ann -summary", What::ShowIcaConnections),
        ("SHOW NS RUNNINGCONFIG", What::RunningConfig),
        ("sh run", What::RunningConfig),
        ("show ns run", What::RunningConfig),
        ("save config", What::SaveConfig),
        ("save ns config", What::SaveConfig),
        ("sa c", What::SaveConfig),
        ("sh ver", What::Version),
        ("diff ns config", What::DiffConfig),
        ("clear ns config -force basic", What::ClearConfig),
        ("clear config full -force", What::ClearConfig),
        ("stat vpn", What::StatVpn),
        ("stat vpn -detail", What::StatVpn),
        ("stat vpn vserver gw", What::StatVservers),
        ("show vpn vserver stats", What::StatVservers),
        ("show vpn vserver gw stats", What::StatVservers),
        ("show aaa stats", What::StatAaa),
        ("show aaa user -loggedIn", What::ShowAaaSessions),
        ("show aaa user alice -logged -format json", What::ShowAaaSessions),
        ("sh auth flow av -form dot", What::ShowFlow),
        ("show authentication trace -userName ann", What::ShowTrace),
        ("test authentication av -user ann -epa pass", What::TestLogin),
        ("unlock aaa user ann", What::UnlockUser),
        ("stat worker 1", What::StatWorkers),
        ("show worker", What::ShowWorkers),
        ("show sta", What::ShowStas),
        ("drain", What::Drain),
        ("drain -within 5", What::Drain),
        ("reload", What::Reload),
        ("whoami", What::WhoAmI),
        ("help vpn vserver", What::Help),
        ("help", What::Help),
        ("exit", What::Exit),
        ("batch -fileName x", What::Client),
    ] {
        assert_eq!(ask(line), Some(what), "{line}");
    }
    for (line, words) in [
        ("show vpn vserver", "vpn vserver"),
        ("show vpn vserver \"stats\"", "vpn vserver"),
        ("show ssl cert", "ssl certKey"),
        ("show ns limits", "ns limits"),
        ("show limits", "ns limits"),
        ("show ns worker", "ns worker"),
        ("show ns config", "ns config"),
        ("show aaa user alice", "aaa user"),
    ] {
        assert_eq!(shown(line), words, "{line}");
    }
    for (line, codes) in [
        ("s", &[Code::AmbiguousCommand]),
        ("banana", &[Code::NoSuchCommand]),
        ("show", &[Code::Incomplete]),
        ("show vpn", &[Code::Incomplete]),
        ("show vpn vserver v x", &[Code::TooManyValues]),
        ("show vpn icaConnection -t TCP -banana", &[Code::NoSuchArgument]),
        ("stat vpn banana", &[Code::NoSuchCommand]),
        ("stat vpn vserver -format x", &[Code::InvalidValue]),
        ("show vpn vserver -s -su", &[Code::BothSpecified]),
        ("show vpn icaConnection -i x -id y", &[Code::BothSpecified]),
        ("kill vpn icaConnection", &[Code::ArgumentMissing]),
        ("kill vpn icaConnection -format json", &[Code::ArgumentMissing]),
        ("clear ns config", &[Code::TooFewArguments]),
        ("drain -within soon", &[Code::InvalidValue]),
        ("show vpn \"vserver", &[Code::UnmatchedQuote]),
    ] {
        assert_eq!(code(line), codes, "{line}");
    }
}

#[test]
fn a_hint_is_given_for_asks_too() {
    let hint = |line: &str| read(line).err().and_then(|problems| problems[0].cure.clone());
    assert_eq!(hint("shwo vpn vserver").as_deref(), Some("did you mean `show`?"));
    assert_eq!(hint("show vpn icaConection").as_deref(), Some("did you mean `icaConnection`?"));
    assert_eq!(hint("kill vpn icaConnection -usrName x").as_deref(), Some("did you mean `-userName`?"));
}

#[test]
fn who_may_look_may_not_change() {
    let level = |line: &str| read(line).map(|order| order.level()).ok();
    for line in ["", "# x", "show vpn vserver", "stat ns", "show run", "diff config", "help", "whoami", "show names vpn vserver"]
    {
        assert_eq!(level(line), Some(Level::Read), "{line}");
    }
    for line in [
        "set ns hostName x",
        "add lb vserver x HTTP 192.0.2.1 80",
        "kill aaa session -all",
        "save config",
        "clear config basic",
        "reload",
        "drain",
        "stat ns -clearstats basic",
    ] {
        assert_eq!(level(line), Some(Level::Change), "{line}");
    }
    let examples = commands().iter().flat_map(|command| command.forms).flat_map(|form| form.example.lines());
    for line in examples {
        assert_eq!(level(line), Some(Level::Change), "{line}");
    }
}

#[test]
fn examples_of_asks_are_understood() {
    for command in asks() {
        assert_eq!(ask(command.example), Some(command.what), "{}", command.example);
        assert!(!command.summary.is_empty() && !command.title.is_empty(), "{}", command.words);
    }
}

#[test]
fn an_answer_is_written_as_asked_for() {
    let format = |line: &str| read(line).ok().map(|order| order.format());
    assert_eq!(format("show vpn vserver -format json"), Some(Format::Json));
    assert_eq!(format("stat ns -for j"), Some(Format::Json));
    assert_eq!(format("stat ns -format TEXT"), Some(Format::Text));
    assert_eq!(format("stat ns"), Some(Format::Text));
}

#[test]
fn a_secret_is_masked_and_a_pasted_one_is_not_guessed_at() {
    let Ok(Order::Change(order)) = read("add aaa user ann -password \"hunter 2\"") else { panic!("a change") };
    assert_eq!(order.shown, "add aaa user ann -password ********");
    assert_eq!(order.line.as_str(), "add aaa user ann -password \"hunter 2\"");
    let problems = read(r#"add aaa user ann -password "f("hunter2")""#).err().unwrap();
    assert_eq!(problems[0].code, Code::InvalidSyntax);
    assert!(problems.iter().all(|p| !format!("{}{}{}", p.reply(true), p.reply_json(), p).contains("hunter")));
}

#[test]
fn several_commands_stand_on_a_line() {
    let parts = split("show ns version; set ns hostName a;  # rest; of it");
    assert_eq!(parts, ["show ns version", "set ns hostName a", "# rest; of it"]);
}

#[test]
fn what_is_configured_is_shown() {
    let model = strict(
        "enable ns feature SSLVPN\nset ns limits -idleTimeoutMs 60000\nadd ssl certKey web -cert a.pem -key a.key\n\
         add vpn vserver gw SSL 192.0.2.1 443 -cgp RELAY -comment \"x y\"\nadd vpn vserver gw2 SSL 192.0.2.2 443\n\
         bind ssl vserver gw -certkeyName web\nbind vpn vserver gw -staServer https://sta.example.com -CACert ca.pem\n\
         set ssl vserver gw2 -tls12 DISABLED\nadd aaa user ann -password hunter2\nadd vpn allowedHost h 10.0.0.0/8 -port 1494,2598\n",
    )
    .model
    .unwrap();
    let answer = |line: &str| {
        let Ok(Order::Show(order)) = read(line) else { panic!("{line}") };
        show::configured(&model, &order).map_err(Box::new)
    };
    let text = |line: &str| answer(line).unwrap().text();
    let gw = text("show vpn vserver gw");
    for line in [
        "1)\tName: gw\n",
        "\tIP address: 192.0.2.1\n",
        "\tPort: 443\n",
        "\tState: ENABLED\n",
        "\tCgp: RELAY\n",
        "\tVserver fqdn: (the name that the client asked for, if the certificate has it)\n",
        "\tBindings:\n\t1)\tSta server: https://sta.example.com",
        "\t\tCA cert: ca.pem\n",
        "\tComment: x y\n",
    ] {
        assert!(gw.contains(line), "{line} is not in\n{gw}");
    }
    assert!(!gw.contains("2)\tName"), "{gw}");
    assert!(text("show vpn vserver").contains("\n2)\tName: gw2\n"));
    let tls = text("show ssl vserver");
    assert!(tls.contains("1)\tV server name: gw\n\tTls12: ENABLED\n"), "{tls}");
    assert!(tls.contains("2)\tV server name: gw2\n\tTls12: DISABLED\n"), "{tls}");
    let limits = text("show ns limits");
    assert!(
        limits.contains("\tHandshake timeout: 5000 milliseconds\n") && limits.contains("\tIdle timeout: 60000 milliseconds\n"),
        "{limits}"
    );
    let users = answer("show aaa user ann").unwrap();
    assert!(!users.text().contains("hunter2") && !users.json().contains("hunter2"));
    assert!(text("show vpn allowedHost").contains("\tPort: 1494, 2598\n"));
    let missing = answer("show vpn vserver gv").unwrap_err();
    assert_eq!((missing.code, missing.cure.as_deref()), (Code::NoSuchResource, Some("did you mean gw?")));
    assert_eq!(answer("show farm resource").unwrap().text(), "");
    let summary = text("show vpn vserver -summary");
    assert_eq!(summary.lines().count(), 3, "{summary}");
    assert_eq!(show::names(&model, "ssl vserver"), ["gw", "gw2"]);
}

/// What is printed of any configuration is shown, object by object.
#[test]
fn every_object_is_shown() {
    let examples: String = commands().iter().flat_map(|command| command.forms).fold(String::new(), |mut text, form| {
        if matches!(form.op.word(), "add" | "set" | "bind" | "enable" | "link") {
            text.push_str(form.example);
            text.push('\n');
        }
        text
    });
    let model = strict(&examples).model.unwrap();
    for command in commands() {
        let line = format!("show {}", command.words);
        let Ok(Order::Show(order)) = read(&line) else {
            assert!(ask(&line).is_some(), "{line}");
            continue;
        };
        let answer = show::configured(&model, &order).unwrap();
        assert!(!answer.rows.is_empty(), "{line}");
        for name in show::names(&model, command.words) {
            let word = gate_config::text::word::word(&name).into_owned();
            let Ok(Order::Show(order)) = read(&format!("{line} {word}")) else { panic!("{line} {word}") };
            assert_eq!(show::configured(&model, &order).unwrap().rows.len(), 1, "{line} {name}");
        }
    }
}
