//! The real binary against gateways that behave, and gateways that do not.
#![expect(clippy::unwrap_used, reason = "a helper of tests fails loudly")]

mod fake;

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gate_agent::consent::Memory;
use gate_agent::fault::Fault;
use gate_agent::http::exchange;
use gate_agent::journal::Journal;
use gate_agent::line::Way;
use gate_agent::link::Aim;
use gate_agent::look::Machine;
use gate_agent::rounds::End;
use gate_agent::run::{Agreed, Asks, Consent, Hands, Visit};
use gate_agent::words::Language;
use gate_proto::host_port::HostPort;
use zeroize::Zeroizing;

use fake::{Gateway, TOKEN, body, ended, plain_question, status};

/// A gateway that asks `text`, and notes what is answered; what it then says is `verdict`'s.
fn asking(text: &'static str, verdict: &'static str) -> (Gateway, Arc<Mutex<Vec<String>>>) {
    let answers = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&answers);
    let gateway = Gateway::start("localhost", move |request| match request.path.as_str() {
        "/epatype" => body("Epa:on\r\n"),
        "/epaq" => request.question(text),
        _ => {
            noted.lock().unwrap().push(request.digits());
            request.verdict(verdict)
        }
    });
    (gateway, answers)
}

#[test]
fn it_asks_looks_and_answers_with_digits_only() {
    let (gateway, answers) = asking("file_0_/etc/passwd;file_0_/etc/none-of-that;reg_0_HKLM;proc_0_sluice-epa;", "0");
    let (code, said) = ended(gateway.agent(&["--yes"]));
    assert_eq!(code, 0, "{said}");
    assert_eq!(*answers.lock().unwrap(), ["0330"]);
    assert_eq!(gateway.paths(), ["/epatype", "/epaq", "/epas"]);
    for line in
        ["yes  file_0_/etc/passwd\n", "no   file_0_/etc/none-of-that: there is no such file", "cannot check that", "Done."]
    {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(!said.contains(TOKEN), "{said}");
}

#[test]
fn it_speaks_in_the_clear_to_gateways_that_do() {
    let gateway = Gateway::start("localhost", |request| match request.path.as_str() {
        "/epatype" => body("Epa:on\r\n"),
        "/epaq" => plain_question("file_0_/etc/passwd;reg_0_x;"),
        _ => {
            assert_eq!(request.field("csec"), Some("03"));
            body("3")
        }
    });
    let (code, said) = ended(gateway.agent(&["--yes"]));
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("not satisfied"), "{said}");
}

#[test]
fn it_repeats_until_the_gateway_has_had_enough() {
    let mut rounds = 0;
    let gateway = Gateway::start("localhost", move |request| match request.path.as_str() {
        "/epatype" => body("Epa:on\r\n"),
        "/epaq" if rounds == 2 => status(403),
        "/epaq" => request.question("file_1_/etc/passwd;"),
        _ => {
            assert_eq!((request.digits().as_str(), request.field("x-sluicegate-epa")), ("0", Some("periodic")));
            rounds += 1;
            request.verdict("0")
        }
    });
    let (code, said) = ended(gateway.agent(&["--yes", "--minute", "1"]));
    assert_eq!(code, 0, "{said}");
    assert_eq!(gateway.paths(), ["/epatype", "/epaq", "/epas", "/epaq", "/epas", "/epaq"]);
    assert!(said.contains("every 1 min") && said.contains("session is over"), "{said}");
    assert_eq!(said.matches("yes  file_1_/etc/passwd").count(), 1, "what stays the same is told once: {said}");
}

#[test]
fn without_consent_nothing_is_answered() {
    let (gateway, answers) = asking("file_0_/etc/passwd;", "0");
    let (code, said) = ended(gateway.agent(&[]));
    assert_eq!(code, 5, "{said}");
    assert!(said.contains("Nobody can be asked"), "{said}");
    assert!(answers.lock().unwrap().is_empty());
    // Remembered for this gateway and this port only.
    let state = gateway.ca().with_file_name("sluice-epa");
    std::fs::create_dir_all(&state).unwrap();
    std::fs::write(state.join("gateways"), "localhost:1\n").unwrap();
    assert_eq!(ended(gateway.agent(&[])).0, 5);
    std::fs::write(state.join("gateways"), format!("localhost:1\n{}\n", gateway.host())).unwrap();
    assert_eq!(ended(gateway.agent(&[])).0, 0);
    assert_eq!(answers.lock().unwrap().len(), 1);
}

/// A scan in this process, with somebody who types `typed`. What came of it, and what was said.
fn typed(gateway: &Gateway, typed: &str) -> (Result<End, Fault>, String) {
    let (mut typed, mut log) = (typed.as_bytes(), Vec::new());
    let mut visit = Visit {
        aim: Aim::of_url(&format!("https://{}", gateway.host()), TOKEN).unwrap(),
        way: Way::new(Some(&gateway.ca()), None, Duration::from_secs(30)).unwrap(),
        machine: Machine::below("/"),
        consent: Consent::Asked(Memory::of(|name| (name == "XDG_STATE_HOME").then(|| gateway.ca().with_file_name("")))),
        asks: Asks::Terminal(&mut typed),
        hands: Hands { policy: "/nowhere".to_owned(), is_dry: false, uid: 1 },
        language: Language::English,
        log: &mut log,
        journal: Journal::of(|_| None),
        last: None,
        minute: Duration::from_secs(1),
        agreed: Agreed::default(),
        certificates: Vec::new(),
        notes: None,
    };
    let ended = visit.run();
    (ended, String::from_utf8(log).unwrap())
}

#[test]
fn the_user_is_asked_by_name_and_with_what() {
    let (gateway, answers) = asking("file_0_/etc/passwd;", "0");
    for no in ["n\n", "", "certainly\n"] {
        let (ended, said) = typed(&gateway, no);
        assert!(matches!(ended, Err(Fault::NotAgreed)), "{ended:?}");
        assert!(
            said.contains(&gateway.host())
                && said.contains("  file_0_/etc/passwd: Is there /etc/passwd?\n")
                && said.ends_with("[n]o: "),
            "{said}"
        );
    }
    assert!(answers.lock().unwrap().is_empty());
    for (yes, is_asked) in [("y\n", true), ("a\n", true), ("", false)] {
        let (ended, said) = typed(&gateway, yes);
        assert!(matches!(ended, Ok(End::Passed)), "{ended:?} {said}");
        assert_eq!(said.contains("[n]o: "), is_asked, "{said}");
    }
    assert_eq!(answers.lock().unwrap().len(), 3);
}

#[test]
fn on_a_terminal_it_asks_and_stays_readable() {
    let (gateway, answers) = asking("file_0_/etc/passwd;", "0");
    let agent = gateway.agent(&["--hold"]);
    let words: Vec<_> = std::iter::once(agent.get_program()).chain(agent.get_args()).map(|word| word.to_str().unwrap()).collect();
    let mut terminal = Command::new("script");
    terminal.args(["-qec", &words.join(" "), "/dev/null"]).env("SHELL", "/bin/sh").env("LC_ALL", "C");
    terminal.env("XDG_STATE_HOME", gateway.ca().with_file_name("")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = terminal.spawn().unwrap();
    // What is typed ahead waits in the terminal.
    running.stdin.take().unwrap().write_all(b"y\n\n").unwrap();
    let output = running.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("[n]o: ") && said.contains("Press Enter to close."), "{said}");
    assert_eq!(*answers.lock().unwrap(), ["0"]);
}

#[test]
fn repeats_are_listed_while_they_last() {
    let runtime = tempfile::tempdir().unwrap();
    let status = {
        let folder = runtime.path().to_owned();
        move || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_sluice-epa"));
            command.arg("status").env("XDG_RUNTIME_DIR", &folder).env("XDG_STATE_HOME", &folder).env("LC_ALL", "C");
            let output = command.output().unwrap();
            assert!(output.status.success());
            String::from_utf8(output.stdout).unwrap()
        }
    };
    let (asked, listed) = (status.clone(), Arc::new(Mutex::new(String::new())));
    let noted = Arc::clone(&listed);
    let mut questions = 0;
    let gateway = Gateway::start("localhost", move |request| match request.path.as_str() {
        "/epatype" => body("Epa:on\r\n"),
        "/epaq" if questions == 2 => {
            *noted.lock().unwrap() = asked();
            fake::status(403)
        }
        "/epaq" => {
            questions += 1;
            request.question("file_1_/etc/passwd;")
        }
        _ => request.verdict("0"),
    });
    let mut command = gateway.agent(&["--yes", "--minute", "1"]);
    command.env("XDG_RUNTIME_DIR", runtime.path());
    let (code, said) = ended(command);
    assert_eq!(code, 0, "{said}");
    let listed = listed.lock().unwrap().clone();
    assert!(
        listed.starts_with(&format!("{}  every 1 min  next in ", gateway.host())) && listed.contains(" s  process "),
        "{listed}"
    );
    assert_eq!(status(), "No check is being repeated.\n");
}

#[test]
fn who_agreed_once_agreed_to_what_was_shown() {
    let mut rounds = 0;
    let gateway = Gateway::start("localhost", move |request| match request.path.as_str() {
        "/epatype" => body("Epa:on\r\n"),
        "/epaq" if rounds < 2 => request.question("file_1_/etc/passwd;"),
        "/epaq" => request.question("file_1_/etc/passwd;file_1_/etc/shadow;"),
        _ => {
            rounds += 1;
            request.verdict("0")
        }
    });
    let (ended, said) = typed(&gateway, "y\nn\n");
    assert!(matches!(ended, Err(Fault::NotAgreed)), "{ended:?} {said}");
    assert_eq!(said.matches("[n]o: ").count(), 2, "for the first question, and for the one that asks for more: {said}");
    assert_eq!(gateway.paths().iter().filter(|path| *path == "/epas").count(), 2);
}

#[test]
fn an_answer_that_came_second_ends_nothing() {
    let mut rounds = 0;
    let gateway = Gateway::start("localhost", move |request| match request.path.as_str() {
        "/epatype" => body("Epa:on\r\n"),
        "/epaq" if rounds == 3 => status(403),
        "/epaq" => request.question("file_1_/etc/passwd;"),
        _ => {
            rounds += 1;
            // Of the second question another agent's answer was taken.
            request.verdict(if rounds == 2 { "3" } else { "0" })
        }
    });
    let (code, said) = ended(gateway.agent(&["--yes", "--minute", "1"]));
    assert!(code == 0 && !said.contains("not satisfied"), "{code} {said}");
    assert_eq!(gateway.paths().iter().filter(|path| *path == "/epas").count(), 3);
}

#[test]
fn an_outage_between_two_rounds_is_bridged() {
    let mut questions = 0;
    let gateway = Gateway::start("localhost", move |request| match request.path.as_str() {
        "/epatype" => body("Epa:on\r\n"),
        "/epaq" => {
            questions += 1;
            match questions {
                2 => status(503),
                1 | 3 => request.question("file_1_/etc/passwd;"),
                _ => status(403),
            }
        }
        _ => request.verdict("0"),
    });
    let (code, said) = ended(gateway.agent(&["--yes", "--minute", "1"]));
    assert!(code == 0 && said.contains("status 503). Trying again."), "{code} {said}");
    assert_eq!(gateway.paths().iter().filter(|path| *path == "/epas").count(), 2);
}

#[test]
fn a_login_that_goes_on_behind_the_check_is_waited_for() {
    let mut questions = 0;
    let gateway = Gateway::start("localhost", move |request| match request.path.as_str() {
        "/epatype" => body("Epa:on\r\n"),
        "/epaq" => {
            questions += 1;
            match questions {
                1 | 3 => request.question("file_1_/etc/passwd;"),
                2 => {
                    let nothing = String::from_utf8(request.question("")).unwrap();
                    nothing.replace("Content-Length", "Retry-After: 1\r\nContent-Length").into_bytes()
                }
                _ => status(403),
            }
        }
        _ => request.verdict("0"),
    });
    let (code, said) = ended(gateway.agent(&["--yes", "--minute", "1"]));
    assert_eq!(code, 0, "{said}");
    assert_eq!(gateway.paths().iter().filter(|path| *path == "/epas").count(), 2);
}

#[test]
fn strangers_are_told_nothing() {
    let (gateway, _) = asking("file_0_/etc/passwd;", "0");
    let machines = Command::new(env!("CARGO_BIN_EXE_sluice-epa"))
        .args(["scan", "--yes", "--token", TOKEN, "--gateway", &format!("https://{}", gateway.host())])
        .env("XDG_STATE_HOME", gateway.ca().with_file_name(""))
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    assert_eq!(machines.status.code(), Some(3));
    assert!(String::from_utf8(machines.stderr).unwrap().contains("may not be the gateway"));
    let other = Gateway::start("other.example.test", |_| body("Epa:on\r\n"));
    let (code, said) = ended(other.agent(&["--yes"]));
    assert!(code == 3 && said.contains("may not be the gateway"), "{said}");
    assert!(gateway.paths().is_empty() && other.paths().is_empty(), "no token has left");
}

#[test]
fn unknown_scans_and_idle_gateways_end_it() {
    let unknown = Gateway::start("localhost", |_| status(403));
    let (code, said) = ended(unknown.agent(&["--yes"]));
    assert!(code == 6 && said.contains("does not know this check"), "{said}");
    let idle = Gateway::start("localhost", |_| body("Epa:off\r\n"));
    let (code, said) = ended(idle.agent(&["--yes"]));
    assert!(code == 6 && said.contains("wants nothing checked"), "{said}");
    let busy = Gateway::start("localhost", |_| status(503));
    let (code, said) = ended(busy.agent(&["--yes"]));
    assert!(code == 3 && said.contains("503"), "{said}");
}

#[test]
fn nonsense_is_refused_in_a_sentence() {
    let many = "proc_0_a;".repeat(257);
    let long = format!("proc_0_{};", "a".repeat(30_000));
    for (what, text) in [
        ("too many", many.as_str()),
        ("too long", &long),
        ("an interval of more than a week", "proc_10081_a;"),
        ("an interval of less than nothing", "proc_-1_a;"),
        ("no end", "proc_0_a"),
        ("no string", "firefox;"),
    ] {
        let payload = text.to_owned();
        let gateway = Gateway::start("localhost", move |request| match request.path.as_str() {
            "/epatype" => body("Epa:on\r\n"),
            // Too long for an envelope of ours: in the clear.
            _ if payload.contains(';') => plain_question(&payload),
            _ => request.question(&payload),
        });
        let (code, said) = ended(gateway.agent(&["--yes"]));
        assert!(code == 4 && said.contains("cannot be understood") && said.contains("Nothing was answered"), "{what}: {said}");
        assert_eq!(gateway.paths(), ["/epatype", "/epaq"], "{what}");
        assert_eq!(said.lines().count(), 1, "{what}: {said}");
    }
    let head = b"HTTP/1.1 200 OK\r\n";
    for (what, answer) in [
        ("no HTTP", b"220 mail.example.test ESMTP\r\n".to_vec()),
        ("an endless head", [&head[..], &b"x: y\r\n".repeat(100_000)].concat()),
        ("an endless body", [&head[..], b"Content-Length: 99999999999\r\n\r\n", &b"x".repeat(1_000_000)].concat()),
        ("a body without a length", [&head[..], b"\r\n", &b"x".repeat(1_000_000)].concat()),
        ("a redirect", b"HTTP/1.1 302 Found\r\nLocation: https://evil.example.test/\r\nContent-Length: 0\r\n\r\n".to_vec()),
    ] {
        let gateway = Gateway::start("localhost", move |_| answer.clone());
        let (code, said) = ended(gateway.agent(&["--yes"]));
        assert!(code == 4 && said.lines().count() == 1, "{what}: {code} {said}");
        assert_eq!(gateway.paths().len(), 1, "{what}");
    }
}

#[test]
fn a_gateway_that_says_nothing_or_never_ends_is_left_in_time() {
    // It accepts, and that is all.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let authorities = Gateway::start("localhost", |_| Vec::new());
    let way = Way::new(Some(&authorities.ca()), None, Duration::from_millis(200)).unwrap();
    let gateway = HostPort::parse(&silent.local_addr().unwrap().to_string(), 443).unwrap();
    let answer = exchange(&way, &gateway, &Zeroizing::new("GET / HTTP/1.1\r\n\r\n".to_owned()));
    assert!(matches!(answer, Err(Fault::Unreached(_))), "{answer:?}");
    // A head, and half of its body.
    let half = Gateway::start("localhost", |_| b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nEpa:".to_vec());
    let (code, said) = ended(half.agent(&["--yes"]));
    assert!(code == 3 && said.contains("cannot be reached") && said.lines().count() == 1, "{code} {said}");
}

#[test]
fn orders_are_shown_and_not_carried_out() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut sleeper = Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap();
    let orders = format!("kill=sleep&delete={}", file.path().display());
    let gateway = Gateway::start("localhost", move |request| match request.path.as_str() {
        "/epatype" => body("Epa:on\r\n"),
        "/epaq" => request.orders("proc_0_sleep;", &orders),
        _ => request.verdict(if request.digits() == "0" { "0" } else { "3" }),
    });
    let (code, said) = ended(gateway.agent(&["--yes"]));
    let still_runs = sleeper.try_wait().unwrap().is_none();
    sleeper.kill().unwrap();
    let _ended = sleeper.wait().unwrap();
    assert!(code == 0 && still_runs && file.path().exists(), "{said}");
    assert!(said.contains("not done: end process sleep") && said.contains("not done: delete /"), "{said}");
}

#[test]
fn it_speaks_japanese() {
    let (gateway, _) = asking("reg_0_x;", "3");
    let mut command = gateway.agent(&["--yes"]);
    command.env("LC_ALL", "ja_JP.UTF-8");
    let (code, said) = ended(command);
    assert!(code == 1 && said.contains("いいえ  reg_0_x") && said.contains("条件を満たしていません"), "{said}");
}

#[test]
fn links_that_are_none_end_it() {
    for arguments in [&["https://vpn.example.test/"][..], &["nsgcepa://nsgcepa/epav2plugin/vpn.example.test/abc/"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_sluice-epa")).args(arguments).env("LC_ALL", "C").output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8(output.stderr).unwrap().contains("no valid link"));
    }
}

#[test]
fn it_registers_for_links_and_takes_it_back() {
    let home = tempfile::tempdir().unwrap();
    let agent = |command: &str| {
        let mut agent = Command::new(env!("CARGO_BIN_EXE_sluice-epa"));
        agent.arg(command).env("HOME", home.path()).env_remove("XDG_DATA_HOME").env_remove("XDG_CONFIG_HOME").env("LC_ALL", "C");
        let output = agent.output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    let told = agent("register");
    let [desktop, icon, defaults] = [
        ".local/share/applications/sluice-epa.desktop",
        ".local/share/icons/hicolor/scalable/apps/sluice-epa.svg",
        ".config/mimeapps.list",
    ]
    .map(|file| home.path().join(file));
    assert!([&desktop, &icon, &defaults].iter().all(|file| told.contains(&format!("{}\n", file.display()))), "{told}");
    let text = std::fs::read_to_string(&desktop).unwrap();
    assert!(text.contains(&format!("Exec={} --hold %u", env!("CARGO_BIN_EXE_sluice-epa"))), "{text}");
    assert!(std::fs::read_to_string(&defaults).unwrap().contains("x-scheme-handler/nsgcepa=sluice-epa.desktop"));
    let valid = Command::new("desktop-file-validate").arg(&desktop).output().unwrap();
    assert!(valid.status.success() && valid.stdout.is_empty(), "{}", String::from_utf8_lossy(&valid.stdout));
    let mut found = Command::new("xdg-mime");
    found.args(["query", "default", "x-scheme-handler/nsgcepa"]).env("HOME", home.path());
    let found =
        found.env_remove("XDG_CURRENT_DESKTOP").env_remove("XDG_CONFIG_HOME").env_remove("XDG_DATA_HOME").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout).trim(), "sluice-epa.desktop");
    let _said = agent("unregister");
    assert!(!desktop.exists() && !icon.exists() && !std::fs::read_to_string(&defaults).unwrap().contains("nsgcepa"));
}

#[test]
fn the_last_check_can_be_looked_up() {
    let (gateway, _) = asking("file_0_/etc/passwd;proc_2_no-such-process;", "3");
    let state = gateway.ca().with_file_name("");
    let agent = |arguments: &[&str]| {
        let mut agent = Command::new(env!("CARGO_BIN_EXE_sluice-epa"));
        let output = agent.args(arguments).env("XDG_STATE_HOME", &state).env("LC_ALL", "C").output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(agent(&["explain"]), (0, "No gateway has asked yet.\n".to_owned()));
    assert_eq!(ended(gateway.agent(&["--yes"])).0, 1);
    let (code, told) = agent(&["status"]);
    assert!(code == 0 && told.contains("ago: 1 of 2 yes, the gateway was not satisfied\n"), "{told}");
    let (code, told) = agent(&["explain"]);
    assert!(
        code == 1 && told.contains("Does the process no-such-process run? Asked again every 2 min.\n    Start it."),
        "{told}"
    );
    let (code, told) = agent(&["explain", "file_0_/etc/passwd"]);
    assert!(code == 0 && told.starts_with("yes  file_0_/etc/passwd\n"), "{told}");
    assert_eq!(agent(&["explain", "firefox"]).0, 2);
    let journal = std::fs::read_to_string(state.join("sluice-epa/log")).unwrap();
    let wanted = [" no   proc_2_no-such-process: does not run\n", " The gateway is not satisfied with this device."];
    assert!(
        wanted.iter().all(|line| journal.contains(&format!("{}{line}", gateway.host()))) && !journal.contains(TOKEN),
        "{journal}"
    );
}
