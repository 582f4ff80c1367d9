//! Operators see and change a running gateway with sluicectl.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use serde_json::Value;
use sluicegate_tests::gateway::Gateway;
use sluicegate_tests::host::Host;

use crate::tools::sluicectl;
use crate::wish;

/// Exit code, standard output, standard error.
fn say(gateway: &Gateway, arguments: &[&str], input: &str) -> (i32, String, String) {
    finish(sluicectl().arg("--socket").arg(gateway.dir().join("control.sock")).args(arguments), input)
}

fn finish(command: &mut Command, input: &str) -> (i32, String, String) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn what_is_said_is_done_and_what_is_wrong_is_said() {
    let gateway = wish("AUTO").start();
    let (code, out, _) = say(&gateway, &["whoami"], "");
    assert_eq!(code, 0);
    assert!(out.contains("Level: change"), "{out}");
    assert_eq!(say(&gateway, &["set", "ns", "hostName", "gw7"], ""), (0, String::new(), String::new()));
    let (code, out, _) = say(&gateway, &["--format", "json", "show", "ns", "info"], "");
    let info: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &info["nsInfo"][0]["hostName"]), (0, &Value::from("gw7")));
    // A name with blanks is one word, from the shell to the table and back.
    assert_eq!(say(&gateway, &["add", "aaa", "user", "Ann Lee", "-password", "s3cret \"quoted\" -x"], "").0, 0);
    let (_, out, _) = say(&gateway, &["show", "names", "aaa", "user"], "");
    assert_eq!(out, "Ann Lee\n");
    let (code, out, talk) = say(&gateway, &["rm", "aaa", "user", "nobody"], "");
    assert_eq!((code, &*out), (1, ""));
    assert!(talk.starts_with("ERROR: ") && talk.contains("nobody"), "{talk}");
    let (code, _, talk) = say(&gateway, &[], "set ns hostName gw8\nnonsense\n");
    assert_eq!(code, 4);
    assert!(talk.contains("No such command [nonsense]"), "{talk}");
}

#[test]
fn a_file_is_compared_and_carried_out() {
    let gateway = wish("AUTO").line("add aaa user alice -password \"correct horse\"").start();
    let file = gateway.dir().join("ns.conf");
    let file = file.to_str().unwrap();
    let (code, out, talk) = say(&gateway, &["diff", "running", file], "");
    assert_eq!((code, &*talk), (0, ""), "{out}");
    assert!(out.starts_with("# user alice: the file has an open password"), "{out}");
    let changes =
        sluicegate_tests::certs::write(gateway.dir(), "changes.conf", "set ns hostName gw9\nbogus\nadd aaa group staff\n");
    let (code, _, talk) = say(&gateway, &["batch", "-fileName", changes.to_str().unwrap()], "");
    assert_eq!(code, 4);
    assert!(talk.contains("bogus"), "{talk}");
    let (code, out, _) = say(&gateway, &["diff", "running", file], "");
    assert_eq!(code, 1);
    assert!(out.contains("- set ns hostName gw9\n") && out.contains("- add aaa group staff\n"), "{out}");
}

#[test]
fn the_gateway_compares_by_itself_too() {
    let mut gateway = wish("AUTO").start();
    let (socket, file) = (gateway.dir().join("control.sock"), gateway.dir().join("ns.conf"));
    let diff = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sluicegate"));
        finish(command.args(["diff", "running"]).arg(&file).arg("--socket").arg(&socket).args(more), "")
    };
    assert_eq!(diff(&[]), (0, String::new(), String::new()));
    let plain = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{plain}set ns hostName demo\n")).unwrap();
    let name = file.display();
    assert_eq!(diff(&[]), (1, format!("--- running\n+++ {name}\n+ set ns hostName demo\n"), String::new()));
    let (code, json, _) = diff(&["--json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &json["equal"], &json["changes"][0]["change"]), (1, &false.into(), &"ADDED".into()));
    std::fs::write(&file, "set ns worker -count 0\n").unwrap();
    let (code, out, told) = diff(&[]);
    assert!(code == 2 && out.is_empty() && told.contains("ns.conf:1:"), "{told}");
    std::fs::write(&file, plain).unwrap();
    gateway.signal("TERM");
    assert!(gateway.wait().success());
    let (code, _, told) = diff(&[]);
    assert!(code == 3 && told.contains("no gateway answers"), "{told}");
}

#[test]
fn the_live_view_sees_a_session() {
    let gateway = wish("AUTO").start();
    let host = Host::echo();
    let mut client = gateway.launch(host.address);
    client.stream.write_all(&[7; 5000]).unwrap();
    client.stream.read_exact(&mut [0; 5000]).unwrap();
    let (code, out, talk) = say(&gateway, &["top", "--once", "--interval", "1", "--format", "json"], "");
    assert_eq!((code, &*talk), (0, ""));
    let seen: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&seen["sessions"], &seen["icaConnections"]), (&Value::from(1), &Value::from(1)), "{out}");
    assert_eq!(seen["workers"][0]["upBytes"], 5000, "{out}");
    assert_eq!(seen["perSecond"]["upBytes"], 0.0, "{out}");
    assert_eq!(seen["vservers"][0]["name"], "vpn1", "{out}");
    let (code, out, _) = say(&gateway, &["top", "--once", "--interval", "1"], "");
    assert_eq!(code, 0);
    assert!(out.contains("vpn1") && out.lines().all(|line| line.chars().count() <= 80), "{out}");
}

#[test]
fn a_gateway_that_has_stopped_is_said_to_have() {
    let mut gateway = wish("AUTO").start();
    gateway.signal("TERM");
    gateway.wait();
    let (code, _, talk) = say(&gateway, &["whoami"], "");
    assert_eq!(code, 3);
    assert!(talk.contains("there is no such socket\ncure: "), "{talk}");
}
