//! The real binary, as a user without rights, told by gateways to end processes and to delete files.
//!
//! Only root can make policies and be somebody else: whoever else runs these tests is told that they were left out.
#![expect(clippy::unwrap_used, reason = "a helper of tests fails loudly")]

#[expect(dead_code, reason = "what other tests ask of this gateway")]
mod fake;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use gate_agent::consent::Memory;
use gate_agent::fault::Fault;
use gate_agent::journal::Journal;
use gate_agent::line::Way;
use gate_agent::link::Aim;
use gate_agent::look::Machine;
use gate_agent::run::{Agreed, Asks, Consent, Hands, Visit};
use gate_agent::words::Language;
use tempfile::TempDir;

use fake::{Gateway, TOKEN, body, ended};

/// The first of the users without rights; each stage has another one, who has nothing else running.
const USERS: u32 = 61_000;
/// Where root alone can write, and everybody read.
const ROOTS: &str = "/run";

/// A machine with a user, a policy and a gateway that gives orders.
struct Stage {
    user: u32,
    /// The user's files, his agent, and what others have put there.
    place: TempDir,
    /// Of root.
    policies: TempDir,
    processes: Vec<Child>,
}

fn open_to_all(folder: TempDir) -> TempDir {
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

impl Stage {
    /// `None` if this is not root.
    fn new() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            let _told = writeln!(std::io::stderr(), "left out: only root can be somebody else");
            return None;
        }
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let user = USERS + 2 * COUNT.fetch_add(1, SeqCst);
        let place = open_to_all(tempfile::tempdir().unwrap());
        let policies = open_to_all(tempfile::tempdir_in(ROOTS).unwrap());
        copied(env!("CARGO_BIN_EXE_sluice-epa"), &place.path().join("agent"));
        let stage = Self { user, place, policies, processes: Vec::new() };
        for folder in ["home", "home/cache", "home/state"] {
            fs::create_dir(stage.path(folder)).unwrap();
            chown(stage.path(folder), Some(user), Some(user)).unwrap();
        }
        Some(stage)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// A file of the user's, below his home.
    fn file(&self, name: &str) -> PathBuf {
        let path = self.path("home").join(name);
        fs::write(&path, "x").unwrap();
        chown(&path, Some(self.user), Some(self.user)).unwrap();
        path
    }

    /// A process that `uid` runs, called by a name that nothing else has. Its name, and where it is among the processes.
    fn process(&mut self, uid: u32, name: Option<&str>) -> (String, usize) {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let fresh = || format!("epa{:x}n{}", std::process::id() & 0xff_ffff, COUNT.fetch_add(1, SeqCst));
        let name = name.map_or_else(fresh, str::to_owned);
        let program = self.path(&name);
        if !program.exists() {
            copied("/bin/sleep", &program);
        }
        let mut command = as_user(uid);
        self.processes.push(command.arg(&program).arg("600").stdin(Stdio::null()).spawn().unwrap());
        let at = self.processes.len() - 1;
        // It has its name once setpriv has become it.
        let exe = format!("/proc/{}/exe", self.processes[at].id());
        while fs::read_link(&exe).is_ok_and(|exe| exe != program) {
            std::thread::yield_now();
        }
        (name, at)
    }

    fn runs(&mut self, at: usize) -> bool {
        self.processes[at].try_wait().unwrap().is_none()
    }

    fn policy(&self, gateway: &Gateway, mode: &str, rules: &[String]) -> PathBuf {
        let file = self.policies.path().join("epa-policy");
        fs::write(&file, format!("mode {mode}\ngateway {}\n{}\n", gateway.host(), rules.join("\n"))).unwrap();
        file
    }

    /// The user's agent, which agrees to everything.
    fn agent(&self, gateway: &Gateway, policy: &Path, more: &[&str]) -> Command {
        let ca = self.path("ca.pem");
        fs::copy(gateway.ca(), &ca).unwrap();
        let mut command = as_user(self.user);
        command.arg(self.path("agent")).arg(format!("nsgcepa://nsgcepa/epav2plugin/{}/{TOKEN}/", gateway.host()));
        command.args(["--yes", "--ca"]).arg(ca).arg("--policy").arg(policy).args(more);
        command.env_clear().env("XDG_STATE_HOME", self.path("home/state")).env("LC_ALL", "C").stdin(Stdio::null());
        command
    }

    fn journal(&self) -> String {
        fs::read_to_string(self.path("home/state/sluice-epa/log")).unwrap()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for process in &mut self.processes {
            // Some are gone, as they should be.
            let _ended = process.kill();
            let _ended = process.wait();
        }
    }
}

/// A program, copied by another process: what this one has open for writing, others that are started meanwhile have, too, and it cannot
/// be run as long as they do.
fn copied(from: &str, to: &Path) {
    assert!(Command::new("cp").arg(from).arg(to).status().unwrap().success());
}

fn as_user(uid: u32) -> Command {
    let mut command = Command::new("/usr/bin/setpriv");
    command.args([format!("--reuid={uid}"), format!("--regid={uid}"), "--clear-groups".to_owned()]);
    command
}

/// A gateway that wants `orders` done and is content with everything.
fn ordering(orders: String) -> Gateway {
    Gateway::start("localhost", move |request| match request.path.as_str() {
        "/epatype" => body("Epa:on\r\n"),
        "/epaq" => request.orders("file_0_/etc/passwd;", &orders),
        _ => request.verdict("0"),
    })
}

fn kill(name: &str) -> String {
    format!("kill={}", name.replace(' ', "+"))
}

fn delete(path: &Path) -> String {
    format!("delete={}", path.display())
}

#[test]
fn what_is_allowed_is_done_and_logged() {
    let Some(mut stage) = Stage::new() else { return };
    let user = stage.user;
    let (name, process) = stage.process(user, None);
    let (other, spared) = stage.process(user, None);
    let (file, inside, outside) = (stage.file("old.cfg"), stage.file("cache/a"), stage.file("b"));
    let gateway = ordering([kill(&name), kill(&other), delete(&file), delete(&inside), delete(&outside)].join("&"));
    let rules =
        [format!("kill {name}"), format!("delete {}", file.display()), format!("delete {}/", stage.path("home/cache").display())];
    let policy = stage.policy(&gateway, "on", &rules);
    let (code, said) = ended(stage.agent(&gateway, &policy, &[]));
    assert_eq!(code, 0, "{said}");
    assert!(!stage.runs(process) && !file.exists() && !inside.exists(), "{said}");
    assert!(stage.runs(spared) && outside.exists(), "{said}");
    let (host, journal) = (gateway.host(), stage.journal());
    for done in [format!("end process {name}"), format!("delete {}", file.display()), format!("delete {}", inside.display())] {
        let result = if done.starts_with("end") { format!("done (1): {done}") } else { format!("done: {done}") };
        assert!(said.contains(&result), "{result}: {said}");
        // Before and after, with the gateway.
        for line in [format!("{host} allowed and agreed to: {done}\n"), format!("{host} {result}\n")] {
            assert!(journal.contains(&line), "{line}: {journal}");
        }
    }
    for kept in [format!("end process {other}"), format!("delete {}", outside.display())] {
        let line = format!("not done: {kept}: the policy of this machine does not allow it\n");
        assert!(said.contains(&line) && journal.contains(&line), "{line}: {said}");
    }
}

#[test]
fn a_rehearsal_changes_nothing() {
    let Some(mut stage) = Stage::new() else { return };
    let user = stage.user;
    let (name, process) = stage.process(user, None);
    let file = stage.file("old.cfg");
    let gateway = ordering([kill(&name), delete(&file)].join("&"));
    let rules = [format!("kill {name}"), format!("delete {}", file.display())];
    for (mode, more) in [("dry-run", &[][..]), ("on", &["--dry-run"]), ("dry-run", &["--dry-run"])] {
        let policy = stage.policy(&gateway, mode, &rules);
        let (code, said) = ended(stage.agent(&gateway, &policy, more));
        assert!(code == 0 && stage.runs(process) && file.exists(), "{mode}: {said}");
        let lines =
            [format!("only rehearsed (1 running): end process {name}\n"), format!("only rehearsed: delete {}\n", file.display())];
        assert!(lines.iter().all(|line| said.contains(line)), "{mode}: {said}");
    }
    for (mode, more) in [("off", &[][..]), ("off", &["--dry-run"])] {
        let policy = stage.policy(&gateway, mode, &rules);
        let (_, said) = ended(stage.agent(&gateway, &policy, more));
        assert!(stage.runs(process) && file.exists() && said.matches("allows nothing").count() == 2, "{mode}: {said}");
    }
    assert!(!stage.journal().contains("agreed to"));
}

#[test]
fn a_policy_that_others_could_have_written_is_void() {
    let Some(mut stage) = Stage::new() else { return };
    let user = stage.user;
    let (name, process) = stage.process(user, None);
    let file = stage.file("old.cfg");
    let gateway = ordering([kill(&name), delete(&file)].join("&"));
    let rules = [format!("kill {name}"), format!("delete {}", file.display())];
    let good = stage.policy(&gateway, "on", &rules);
    let text = fs::read_to_string(&good).unwrap();
    let folder = stage.policies.path().to_owned();
    let written = |name: &str, change: &dyn Fn(&Path)| {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &text).unwrap();
        change(&path);
        path
    };
    let mode = |path: &Path, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let linked = folder.join("linked");
    symlink(&good, &linked).unwrap();
    let through = folder.join("through");
    symlink(&folder, &through).unwrap();
    let users = stage.file("policy");
    fs::write(&users, &text).unwrap();
    let in_tmp = stage.path("policy");
    fs::write(&in_tmp, &text).unwrap();
    for (what, path) in [
        ("the user's", written("users", &|path| chown(path, Some(stage.user), None).unwrap())),
        ("writable by a group", written("group", &|path| mode(path, 0o664))),
        ("writable by all", written("all", &|path| mode(path, 0o646))),
        ("in a folder that all can write", written("open/policy", &|path| mode(path.parent().unwrap(), 0o777))),
        (
            "in a folder of the user's",
            written("theirs/policy", &|path| chown(path.parent().unwrap(), Some(stage.user), None).unwrap()),
        ),
        ("in /tmp", in_tmp),
        ("below the user's home", users),
        ("a symbolic link", linked),
        ("behind a symbolic link", through.join("epa-policy")),
        ("a folder", folder.clone()),
        ("with a line that is none", written("odd", &|path| fs::write(path, format!("{text}allow all\n")).unwrap())),
        ("named by a relative path", PathBuf::from("epa-policy")),
    ] {
        let (code, said) = ended(stage.agent(&gateway, &path, &[]));
        assert!(code == 0 && stage.runs(process) && file.exists(), "{what}: {said}");
        assert_eq!(said.matches("the policy of this machine is void: ").count(), 2, "{what}: {said}");
    }
    let (_, said) = ended(stage.agent(&gateway, &folder.join("none"), &[]));
    assert!(stage.runs(process) && file.exists() && said.matches("allows nothing").count() == 2, "{said}");
    // The good one is good.
    let (_, said) = ended(stage.agent(&gateway, &good, &[]));
    assert!(!stage.runs(process) && !file.exists(), "{said}");
}

#[test]
fn hostile_orders_hit_nothing() {
    let Some(mut stage) = Stage::new() else { return };
    let user = stage.user;
    let (roots, roots_process) = stage.process(0, None);
    let (others, others_process) = stage.process(user + 1, None);
    let (mixed, own_process) = stage.process(user, None);
    let (_, mixed_process) = stage.process(0, Some(&mixed));
    let cache = stage.path("home/cache");
    let file = stage.file("cache/file");
    let (target, elsewhere) = (stage.file("target"), stage.path("elsewhere"));
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join("file"), "root's").unwrap();
    symlink(&target, cache.join("link")).unwrap();
    symlink(&elsewhere, cache.join("folder")).unwrap();
    fs::hard_link(&target, cache.join("hard")).unwrap();
    fs::write(cache.join("roots"), "root's, in a folder of the user's").unwrap();
    fs::create_dir(cache.join("inside")).unwrap();
    let at = |name: &str| format!("delete={}", cache.join(name).display());
    // The shell of this test stands for what the agent was started by: its parent is this process.
    let own = fs::read_to_string("/proc/self/comm").unwrap();
    let (init, own) = (fs::read_to_string("/proc/1/comm").unwrap().trim().to_owned(), own.trim().to_owned());
    let orders = [
        (at("*"), "does not plainly name"),
        (at("fil?"), "does not plainly name"),
        (at("{file,link}"), "does not plainly name"),
        (at("../target"), "does not plainly name"),
        (at("./file"), "does not plainly name"),
        (format!("delete={}//file", cache.display()), "does not plainly name"),
        (at("file%00.txt"), "does not plainly name"),
        (at(""), "does not plainly name"),
        ("delete=cache/file".to_owned(), "does not plainly name"),
        ("delete=~/cache/file".to_owned(), "does not plainly name"),
        ("delete=$HOME/cache/file".to_owned(), "does not plainly name"),
        (at("link"), "a symbolic link is on its path"),
        (at("folder/file"), "a symbolic link is on its path"),
        (at("hard"), "further names"),
        (at("roots"), "somebody else"),
        (at("inside"), "not a plain file"),
        (at("none"), "no such file"),
        (format!("delete={}", target.display()), "does not allow it"),
        ("delete=/etc/passwd".to_owned(), "does not allow it"),
        (kill(&roots), "not yours"),
        (kill(&others), "not yours"),
        (kill(&init), "not yours"),
        (kill(&own), "not yours"),
        (kill("agent"), "not yours"),
        (kill("*"), "does not plainly name"),
        (format!("kill={}", stage.path(&mixed).display()), "does not plainly name"),
        ("kill=-1".to_owned(), "nothing of that name runs"),
        ("reboot=now".to_owned(), "does not plainly name"),
    ];
    let all = orders.iter().map(|(order, _)| order.replace('$', "%24").replace('*', "%2A")).collect::<Vec<_>>().join("&");
    let gateway = ordering(all);
    // All that can be allowed is.
    let rules = [
        format!("delete {}/", cache.display()),
        format!("kill {roots}"),
        format!("kill {others}"),
        format!("kill {init}"),
        format!("kill {own}"),
        "kill agent".to_owned(),
        "kill -1".to_owned(),
    ];
    let policy = stage.policy(&gateway, "on", &rules);
    let (code, said) = ended(stage.agent(&gateway, &policy, &[]));
    assert_eq!(code, 0, "{said}");
    let lines: Vec<&str> = said.lines().filter(|line| line.contains("not done: ")).collect();
    assert_eq!(lines.len(), orders.len(), "{said}");
    for ((order, why), line) in orders.iter().zip(lines) {
        assert!(line.contains(why), "{order}: {line}");
    }
    assert!([roots_process, others_process, own_process, mixed_process].into_iter().all(|at| stage.runs(at)), "{said}");
    let kept = ["file", "link", "folder/file", "hard", "roots", "inside"];
    assert!(kept.iter().all(|name| cache.join(name).exists()) && file.exists() && target.exists(), "{said}");
    // Of processes of one name the user's own is ended, and another's is not.
    let gateway = ordering(kill(&mixed));
    let policy = stage.policy(&gateway, "on", &[format!("kill {mixed}")]);
    let (_, said) = ended(stage.agent(&gateway, &policy, &[]));
    assert!(said.contains("done (1)") && !stage.runs(own_process) && stage.runs(mixed_process), "{said}");
}

#[test]
fn a_policy_for_another_gateway_is_none() {
    let Some(stage) = Stage::new() else { return };
    let file = stage.file("old.cfg");
    let gateway = ordering(delete(&file));
    let policy = stage.policy(&gateway, "on", &[format!("delete {}", file.display())]);
    for other in ["localhost", "localhost:1", "other.example.test", "127.0.0.1"] {
        fs::write(&policy, format!("mode on\ngateway {other}\ndelete {}\n", file.display())).unwrap();
        let (_, said) = ended(stage.agent(&gateway, &policy, &[]));
        assert!(file.exists() && said.contains("does not allow it"), "{other}: {said}");
    }
}

#[test]
fn of_too_many_none_is_done() {
    let Some(stage) = Stage::new() else { return };
    let files: Vec<PathBuf> = (0..65).map(|n| stage.file(&format!("cache/{n}"))).collect();
    let orders = |count: usize| files[..count].iter().map(|file| delete(file)).collect::<Vec<_>>().join("&");
    let rule = [format!("delete {}/", stage.path("home/cache").display())];
    let gateway = ordering(orders(65));
    let (_, said) = ended(stage.agent(&gateway, &stage.policy(&gateway, "on", &rule), &[]));
    assert!(files.iter().all(|file| file.exists()) && said.contains("an order that cannot be read"), "{said}");
    let gateway = ordering(orders(64));
    let (_, said) = ended(stage.agent(&gateway, &stage.policy(&gateway, "on", &rule), &[]));
    assert!(files[..64].iter().all(|file| !file.exists()) && files[64].exists(), "{said}");
}

#[test]
fn orders_that_come_with_a_repeat_are_not_followed() {
    let Some(stage) = Stage::new() else { return };
    let file = stage.file("old.cfg");
    let (order, mut rounds) = (delete(&file), 0);
    let gateway = Gateway::start("localhost", move |request| match request.path.as_str() {
        "/epatype" => body("Epa:on\r\n"),
        "/epaq" if rounds == 2 => fake::status(403),
        "/epaq" if rounds == 1 => request.orders("file_1_/etc/passwd;", &order),
        "/epaq" => request.question("file_1_/etc/passwd;"),
        _ => {
            rounds += 1;
            request.verdict("0")
        }
    });
    let policy = stage.policy(&gateway, "on", &[format!("delete {}", file.display())]);
    let (code, said) = ended(stage.agent(&gateway, &policy, &["--minute", "1"]));
    assert!(code == 0 && file.exists(), "{said}");
}

#[test]
fn nothing_is_done_that_cannot_be_logged() {
    let Some(stage) = Stage::new() else { return };
    let file = stage.file("old.cfg");
    let gateway = ordering(delete(&file));
    let policy = stage.policy(&gateway, "on", &[format!("delete {}", file.display())]);
    let mut agent = stage.agent(&gateway, &policy, &[]);
    agent.env("XDG_STATE_HOME", "/proc/none");
    let (_, said) = ended(agent);
    assert!(file.exists() && said.contains("cannot be logged"), "{said}");
}

#[test]
fn nothing_is_done_as_root() {
    let Some(stage) = Stage::new() else { return };
    let file = stage.path("of-root");
    fs::write(&file, "x").unwrap();
    let gateway = ordering(delete(&file));
    let policy = stage.policy(&gateway, "on", &[format!("delete {}", file.display())]);
    let (_, said) = ended(gateway.agent(&["--yes", "--policy", policy.to_str().unwrap()]));
    assert!(file.exists() && said.contains("nothing is done as root"), "{said}");
}

/// A scan in this process with somebody who types `typed`; deeds are the user's. What came of it, and what was said.
fn typed(stage: &Stage, gateway: &Gateway, policy: &Path, typed: Option<&str>) -> (bool, String) {
    let (mut typed, mut log) = (typed.map(str::as_bytes), Vec::new());
    let state = |name: &str| (name == "XDG_STATE_HOME").then(|| stage.path("home/state"));
    let mut visit = Visit {
        aim: Aim::of_url(&format!("https://{}", gateway.host()), TOKEN).unwrap(),
        way: Way::new(Some(&gateway.ca()), None, Duration::from_secs(30)).unwrap(),
        machine: Machine::below("/"),
        consent: Consent::Asked(Memory::of(state)),
        asks: typed.as_mut().map_or(Asks::Nobody, |typed| Asks::Terminal(typed)),
        hands: Hands { policy: policy.to_str().unwrap().to_owned(), is_dry: false, uid: stage.user },
        language: Language::English,
        log: &mut log,
        journal: Journal::of(state),
        last: None,
        minute: Duration::from_secs(1),
        agreed: Agreed::default(),
        certificates: Vec::new(),
        notes: None,
    };
    let ended = visit.run();
    assert!(matches!(ended, Ok(_) | Err(Fault::NotAgreed | Fault::Nobody)), "{ended:?}");
    (ended.is_ok(), String::from_utf8(log).unwrap())
}

#[test]
fn the_user_is_told_before_and_can_say_no() {
    let Some(stage) = Stage::new() else { return };
    let (file, kept) = (stage.file("old.cfg"), stage.file("kept"));
    let gateway = ordering([delete(&file), delete(&kept)].join("&"));
    let policy = stage.policy(&gateway, "on", &[format!("delete {}", file.display())]);
    let shown = format!(
        "  file_0_/etc/passwd: Is there /etc/passwd?\nThe policy of this machine lets it have this done here, if you agree:\n  delete {}\n\
         It also wants this, which is not done:\n  delete {}\nAnswer, and let it be done? ",
        file.display(),
        kept.display()
    );
    let (done, said) = typed(&stage, &gateway, &policy, Some("n\n"));
    assert!(!done && said.contains(&shown) && file.exists(), "{said}");
    let (done, said) = typed(&stage, &gateway, &policy, Some("o\n"));
    assert!(done && said.contains("you have not agreed to it") && file.exists(), "{said}");
    assert_eq!(said.matches("[n]o: ").count(), 1, "asked once: {said}");
    let (done, said) = typed(&stage, &gateway, &policy, Some("y\n"));
    assert!(done && said.contains("done: delete") && !file.exists() && kept.exists(), "{said}");
    // "Once" is not remembered; "always" is, for what was shown and for nothing else.
    let file = stage.file("old.cfg");
    let (done, _) = typed(&stage, &gateway, &policy, None);
    assert!(!done && file.exists());
    let (done, _) = typed(&stage, &gateway, &policy, Some("a\n"));
    assert!(done && !file.exists());
    let file = stage.file("old.cfg");
    let (done, _) = typed(&stage, &gateway, &policy, None);
    assert!(done && !file.exists() && kept.exists());
    let file = stage.file("old.cfg");
    let policy = stage.policy(&gateway, "on", &[format!("delete {}", file.display()), format!("delete {}", kept.display())]);
    let (done, said) = typed(&stage, &gateway, &policy, None);
    assert!(done && !file.exists() && kept.exists() && said.contains("you have not agreed to it"), "{said}");
}
