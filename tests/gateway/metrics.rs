//! Figures from outside: what a scrape says, who may ask, and that what is shipped asks for nothing that is not there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use sluicegate_tests::browser::Browser;
use sluicegate_tests::client::Opening;
use sluicegate_tests::deadline::{PATIENCE, until};
use sluicegate_tests::gateway::Gateway;
use sluicegate_tests::host::Host;

use crate::wish;

/// All that is answered to `request`.
fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Where figures are served: the log says which port the system chose.
fn place(gateway: &Gateway) -> SocketAddr {
    let log = gateway.log();
    let line = log.lines().rfind(|line| line.contains("figures for monitoring")).unwrap();
    line.split("address=").nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap()
}

fn get(gateway: &Gateway, path: &str) -> (String, String) {
    let answer = ask(place(gateway), &format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"));
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().to_owned(), body.to_owned())
}

fn scrape(gateway: &Gateway) -> String {
    let (status, text) = get(gateway, "/metrics");
    assert_eq!(status, "200");
    text
}

/// A scrape, read by the strict grammar of the text format: the value of each series by its name and labels.
fn series(text: &str) -> BTreeMap<String, f64> {
    let is_name = |name: &str| {
        !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            && !name.starts_with(|c: char| c.is_ascii_digit())
    };
    let (mut all, mut metrics) = (BTreeMap::new(), BTreeSet::new());
    let (mut helped, mut metric, mut kind) = (String::new(), String::new(), String::new());
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, words) = help.split_once(' ').unwrap();
            assert!(is_name(name) && words.ends_with('.'), "{line}");
            name.clone_into(&mut helped);
        } else if let Some(head) = line.strip_prefix("# TYPE ") {
            let (name, word) = head.split_once(' ').unwrap();
            assert_eq!(name, helped, "a metric without help");
            assert!(["counter", "gauge", "histogram"].contains(&word), "{line}");
            assert_eq!(word == "counter", name.ends_with("_total"), "{line}");
            assert!(metrics.insert(name.to_owned()), "{name} is said twice");
            (metric, kind) = (name.to_owned(), word.to_owned());
        } else {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let bare = name.split('{').next().unwrap();
            let end = bare.strip_prefix(metric.as_str()).unwrap_or_else(|| panic!("{line} below {metric}"));
            assert!(if kind == "histogram" { ["_bucket", "_sum", "_count"].contains(&end) } else { end.is_empty() }, "{line}");
            if let Some(labels) = name.strip_prefix(bare).unwrap().strip_prefix('{') {
                // No value of a test has a comma or a quote in it.
                for label in labels.strip_suffix('}').unwrap().split(',') {
                    let (label, value) = label.split_once('=').unwrap();
                    assert!(is_name(label) && value.len() >= 2 && value.starts_with('"') && value.ends_with('"'), "{line}");
                }
            }
            assert!(all.insert(name.to_owned(), value.parse().unwrap()).is_none(), "{name} is told twice");
        }
    }
    all
}

/// A gateway that has done a bit of everything, and tells.
fn lived() -> (Gateway, Host) {
    let gateway = wish("AUTO")
        .line("set ns metrics -address 127.0.0.1:0")
        .line("add aaa user alice -password \"correct horse\"")
        .line("add farm resource Demo -host 127.0.0.1:1")
        .line("bind farm resource Demo -everyone")
        .start();
    let host = Host::echo();
    let mut client = gateway.launch_with(host.address, Opening::Bare);
    client.stream.write_all(b"ping").unwrap();
    client.stream.read_exact(&mut [0; 4]).unwrap();
    client.finish().unwrap();
    assert_eq!(client.rest().unwrap(), b"");
    let _ = Browser::new(&gateway).log_in("alice", "correct horse");
    (gateway, host)
}

#[test]
fn a_scrape_tells_what_has_happened() {
    let (gateway, host) = lived();
    let held = gateway.launch_with(host.address, Opening::Bare);
    let all = until("the figures to be those of what was done", || {
        let all = series(&scrape(&gateway));
        (all["sluicegate_vserver_launches_total{vserver=\"vpn1\"}"] == 2.0).then_some(all)
    });
    let is = |name: &str, wanted: f64| assert_eq!(all.get(name), Some(&wanted), "{name}");
    let alive: Vec<_> = all.iter().filter(|(name, _)| name.starts_with("sluicegate_worker_alive{worker=\"0\",engine=")).collect();
    assert!(alive.len() == 1 && *alive[0].1 == 1.0, "{alive:?}");
    assert!(["\"io_uring\"}", "\"mio\"}"].iter().any(|engine| alive[0].0.ends_with(engine)), "{alive:?}");
    is("sluicegate_vserver_up{vserver=\"vpn1\"}", 1.0);
    // Four of the session; what the browser said to the portal is counted, too.
    assert!(all["sluicegate_vserver_up_bytes_total{vserver=\"vpn1\"}"] > 4.0);
    is("sluicegate_vserver_spliced{vserver=\"vpn1\"}", 1.0);
    is("sluicegate_portal_logins", 1.0);
    is("sluicegate_draining", 0.0);
    is("sluicegate_config_saved", 1.0);
    is("sluicegate_metrics_left_out", 0.0);
    for phase in ["handshake", "preface", "redeem", "connect", "whole"] {
        is(&format!("sluicegate_launch_duration_seconds_count{{vserver=\"vpn1\",phase=\"{phase}\"}}"), 2.0);
        is(&format!("sluicegate_launch_duration_seconds_bucket{{vserver=\"vpn1\",phase=\"{phase}\",le=\"+Inf\"}}"), 2.0);
    }
    assert!(all.iter().any(|(name, value)| name.starts_with("sluicegate_sta_up{vserver=\"vpn1\"") && *value == 1.0));
    let ends = all["sluicegate_certificate_expiry_timestamp_seconds{certkey=\"gw\"}"];
    assert!(ends > all["process_start_time_seconds"] + 3600.0, "{ends}");
    assert!(all["process_open_fds"] > 10.0 && all["process_resident_memory_bytes"] > 1e6);
    assert!(all.len() < 10_000);
    // Nothing of a user, a ticket or a client is told.
    let text = scrape(&gateway);
    for secret in ["alice", "correct horse", &host.address.to_string()] {
        assert!(!text.contains(secret), "{secret}");
    }
    drop(held);
}

#[test]
fn promtool_has_nothing_to_say() {
    let (gateway, _host) = lived();
    let mut tool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    tool.stdin.take().unwrap().write_all(scrape(&gateway).as_bytes()).unwrap();
    let done = tool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && said.trim().is_empty(), "{said}");
    let _ = sluicegate_tests::tools::output("promtool", &["check", "rules", &shipped("alerts.yml").display().to_string()]);
}

fn shipped(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dist").join(name)
}

/// Names of metrics in a text: words that begin like ours or like those of every process.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'));
    let is_ours =
        |word: &&str| ["sluicegate_", "process_"].iter().any(|begin| word.starts_with(begin) && word.len() > begin.len());
    words.filter(is_ours).map(str::to_owned).collect()
}

#[test]
fn what_is_shipped_asks_for_figures_that_are_there() {
    let (gateway, _host) = lived();
    let all = series(&scrape(&gateway));
    let there: BTreeSet<&str> = all.keys().map(|name| name.split('{').next().unwrap()).collect();
    for file in ["alerts.yml", "grafana-dashboard.json"] {
        let text = fs::read_to_string(shipped(file)).unwrap();
        let asked = names(&text);
        assert!(asked.len() > 15, "{file} asks for {asked:?}");
        for name in asked {
            assert!(there.contains(name.as_str()), "{file} asks for {name}, which no scrape has");
        }
    }
    let dashboard: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(shipped("grafana-dashboard.json")).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert!(panels.len() > 20 && ids.len() == panels.len());
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let targets = panel["targets"].as_array().unwrap();
        assert!(
            !targets.is_empty() && targets.iter().all(|target| !names(target["expr"].as_str().unwrap()).is_empty()),
            "{panel}"
        );
        assert!(panel["description"].as_str().unwrap().ends_with('.'), "{panel}");
    }
    // What an alert tells people to look at is written down.
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operate/monitoring.md")).unwrap();
    let rules = fs::read_to_string(shipped("alerts.yml")).unwrap();
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 15);
    for alert in alerts {
        assert!(page.contains(&format!("`{alert}`")), "docs/operate/monitoring.md does not say what to do about {alert}");
    }
}

#[test]
fn only_this_machine_may_ask_and_only_for_this() {
    let (gateway, _host) = lived();
    let address = place(&gateway);
    assert!(address.ip().is_loopback());
    for (request, status) in [
        ("GET /metrics HTTP/1.1\r\nHost: attacker.example.test\r\n\r\n", "421"),
        ("POST /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n", "405"),
        ("GET /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "404"),
        ("GET /metrics HTTP/1.1\r\n\r\n", "400"),
        ("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "400"),
    ] {
        let answer = ask(address, request);
        assert_eq!(answer.split(' ').nth(1), Some(status), "{request}");
        assert!(!answer.contains("sluicegate_"), "{request}");
    }
    assert_eq!(get(&gateway, "/healthz"), ("200".to_owned(), "ok\n".to_owned()));
    assert_eq!(get(&gateway, "/readyz"), ("200".to_owned(), "ok\n".to_owned()));
}

#[test]
fn figures_come_and_go_with_the_configuration() {
    let gateway = wish("AUTO").start();
    let free = sluicegate_tests::host::nobody();
    let tool = |line: &str| {
        let mut stream = std::os::unix::net::UnixStream::connect(gateway.dir().join("control.sock")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(format!("{line}\n").as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        said
    };
    assert_eq!(tool(&format!("set ns metrics -address {free}")), " Done\n");
    let healthz = || TcpStream::connect(free).is_ok().then(|| ask(free, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    assert!(until("figures to be served", healthz).starts_with("HTTP/1.1 200"));
    let taken = tool(&format!("set ns metrics -address {}", gateway.public()));
    assert!(taken.starts_with("ERROR: ") && healthz().is_some(), "{taken}");
    assert!(tool("set ns metrics -address 0.0.0.0:9464").starts_with("ERROR: "));
    assert_eq!(tool("unset ns metrics -address"), " Done\n");
    until("figures to be served no more", || healthz().is_none().then_some(()));
}
