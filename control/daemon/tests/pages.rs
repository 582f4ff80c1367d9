//! Pages of the documentation that are written by the source: they must say what the source says.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sluice_link::count::{Kind, ListenerTotals, Totals};
use sluice_link::reason::{Blame, Reason};

/// Compares `docs/operate/NAME` with `page`, or rewrites it with `UPDATE=1`.
fn compare(name: &str, page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operate").join(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, page).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == page, "{} is old: UPDATE=1 cargo test -p gate-daemon --test pages", path.display());
}

#[test]
fn reasons() {
    let mut page = String::from(
        "# Why a session ended\n\nEvery end of a session has one of these reasons: in the log by its word, in counters as `closed_` and the word. \
         Codes are stable. Written by the source; see `core/link/src/reason.rs`.\n\n| code | word | whose fault | meaning |\n| --- | --- | --- | --- |\n",
    );
    for reason in Reason::ALL {
        let blame = match reason.blame() {
            Blame::Nobody => "nobody's",
            Blame::Client => "the client's",
            Blame::Host => "the host's, or the inner network's",
            Blame::Sta => "the ticket authority's",
            Blame::Operator => "the operator's wish or setting",
            Blame::Gateway => "the gateway's, or its machine's",
        };
        writeln!(page, "| SG-{} | `{}` | {blame} | {} |", *reason as u16, reason.word(), reason.meaning()).unwrap();
    }
    compare("reasons.md", &page);
}

/// The commented example that README.md points at loads as it stands, once its certificate is there.
#[test]
fn example_configuration_has_no_problems() {
    let text = include_str!("../dist/ns.conf");
    let pem = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n").into_bytes();
    let files = BTreeMap::from([(PathBuf::from("gw.pem"), pem("CERTIFICATE")), (PathBuf::from("gw.key"), pem("PRIVATE KEY"))]);
    let checked = gate_config::check("ns.conf", text, gate_config::Strictness::Strict, &files);
    assert_eq!(checked.problems.iter().map(ToString::to_string).collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn counters() {
    let mut page = String::from(
        "# Counters\n\nOf the data plane, summed over all workers: `kill -USR1` prints them, the C interface reads them. Written by the source; see \
         `core/link/src/count.rs`. Ends of sessions are counted as `closed_` and the word from [reasons.md](reasons.md).\n\n",
    );
    let table = |page: &mut String, list: Vec<(&str, Kind, &str, u64)>| {
        page.push_str("| name | kind | meaning |\n| --- | --- | --- |\n");
        for (name, kind, help, _) in list {
            let kind = match kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
            };
            writeln!(page, "| `{name}` | {kind} | {help} |").unwrap();
        }
    };
    table(&mut page, Totals::default().list());
    page.push_str(
        "\n## Of a virtual server\n\nThe same for each virtual server, summed over all workers, ends of sessions included. They go on through every change of \
         settings, and are forgotten when the virtual server has been removed and its last session has ended.\n\n",
    );
    table(&mut page, ListenerTotals::default().list());
    compare("counters.md", &page);
}

/// Every option of the program stands in its manual page, and no other.
#[test]
fn manual_page() {
    use std::collections::BTreeSet;
    let help = |command: &str| -> BTreeSet<String> {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_sluicegate")).args([command, "--help"]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let words =
            text.lines().map(str::trim_start).filter(|line| line.starts_with('-')).flat_map(|line| line.split([' ', ',']));
        words.filter(|word| word.starts_with("--") && *word != "--help").map(str::to_owned).collect()
    };
    let page = include_str!("../../../docs/man/sluicegate.1").replace("\\-", "-");
    let commands = page.split_once("\n.SH COMMANDS\n").unwrap().1.split_once("\n.SH ").unwrap().0;
    let mut found = Vec::new();
    for section in commands.split(".SS ").skip(1) {
        let command = section.split(' ').next().unwrap();
        let entries =
            section.split("\n.TP\n").skip(1).filter_map(|entry| entry.split([' ', '\n']).find(|word| word.starts_with("--")));
        assert_eq!(entries.map(str::to_owned).collect::<BTreeSet<_>>(), help(command), "{command}");
        found.push(command);
    }
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_sluicegate")).arg("--help").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let listed = text.split_once("Commands:\n").unwrap().1.lines().take_while(|line| !line.is_empty());
    let listed: Vec<&str> = listed.filter_map(|line| line.split_whitespace().next()).filter(|word| *word != "help").collect();
    assert_eq!(found, listed);
}
