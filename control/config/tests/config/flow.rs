//! Graphs of logins, good and bad: what is said of each, how it is drawn, and its picture. `tests/flow/NAME.conf` and `NAME.out`.

use std::fmt::Write;
use std::path::Path;

use gate_config::flow::{Flow, To};
use gate_config::model::Model;
use gate_config::order::{self, Order};
use gate_config::show;

use crate::kit::{compare, strict, told};

/// Columns of a terminal.
const COLUMNS_MAX: usize = 80;

fn said(model: &Model, line: &str) -> gate_config::answer::Answer {
    let Ok(Order::Ask(ask)) = order::read(line) else { panic!("{line} is no ask") };
    show::ask(model, &ask).expect("answered from the model").expect("answered")
}

#[test]
fn flows_of_logins() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/flow");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "conf") {
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let checked = strict(&std::fs::read_to_string(&path).unwrap());
        let mut out = told(&checked);
        for model in checked.model.iter() {
            for vserver in model.authentication.vservers.names() {
                let drawing = said(model, &format!("show authentication flow {vserver}")).text();
                let drawn = drawing.lines().filter(|line| !line.starts_with("Warning: "));
                assert!(drawn.clone().all(|line| line.chars().count() <= COLUMNS_MAX), "{name}: {drawing}");
                let flow = Flow::of(&model.authentication, vserver.as_str()).unwrap();
                assert_eq!(drawn.clone().filter(|line| line.contains(": ") && !line.contains('─')).count().min(1), 1, "{name}");
                whole(&flow);
                let dot = said(model, &format!("show authentication flow {vserver} -format dot")).text();
                write!(out, "--- {vserver}\n{drawing}--- dot\n{dot}").unwrap();
                let json = said(model, &format!("show authentication flow {vserver} -format json")).json();
                let json: serde_json::Value = serde_json::from_str(&json).unwrap();
                assert_eq!(json["authenticationFlow"].as_array().unwrap().len(), flow.nodes.len());
            }
        }
        assert!(!out.contains("hunter2"), "{name}: a secret is told:\n{out}");
        compare(&path.with_extension("out"), &out);
        seen += 1;
    }
    assert!(seen >= 10, "only {seen} flows");
}

/// Every edge leads somewhere, and every factor is led to.
fn whole(flow: &Flow) {
    let mut led = vec![false; flow.nodes.len()];
    led[0] = true;
    for edge in flow.nodes.iter().flat_map(|node| &node.edges) {
        if let To::Node(next) = edge.success {
            led[next] = true;
        }
    }
    assert!(led.iter().all(|led| *led));
}

/// A graph in which every factor leads to every other is drawn and judged in no time, each factor once.
#[test]
fn a_dense_graph_is_no_burden() {
    let mut text = String::from("enable ns feature AAA\nadd authentication vserver av SSL 0.0.0.0\n");
    for at in 0..60 {
        writeln!(text, "add authentication Policy p{at} -rule \"CLIENT.IP.SRC.EQ(10.0.0.{at})\" -action NO_AUTHN").unwrap();
        writeln!(text, "add authentication policylabel l{at}").unwrap();
    }
    for (from, to) in (0..60).flat_map(|from| (0..60).map(move |to| (from, to))) {
        let priority = to + 1;
        writeln!(text, "bind authentication policylabel l{from} -policyName p{to} -priority {priority} -nextFactor l{to}")
            .unwrap();
    }
    writeln!(text, "bind authentication vserver av -policy p0 -priority 1 -nextFactor l0").unwrap();
    let checked = strict(&text);
    let model = checked.model.as_ref().unwrap_or_else(|| panic!("{}", told(&checked)));
    let flow = Flow::of(&model.authentication, "av").unwrap();
    assert_eq!(flow.nodes.len(), 61);
    assert_eq!(flow.findings().len(), gate_config::flow::FINDINGS_MAX);
    let drawn = flow.draw();
    assert!(drawn.len() < 61 * 60 * 4, "{}", drawn.len());
    assert_eq!(flow.dot().iter().filter(|line| line.contains(" -> ")).count(), 3601);
}

/// The example that `docs/operate/logins.md` explains loads as it stands, and is drawn as the page says.
#[test]
fn the_example_for_operators_is_right() {
    let cards = strict(include_str!("../../../daemon/dist/certificates.conf"));
    assert_eq!(told(&cards), "", "the example with certificates");
    let checked = strict(include_str!("../../../daemon/dist/ldap-epa.conf"));
    assert_eq!(told(&checked), "");
    let drawing = said(checked.model.as_ref().expect("loads"), "show authentication flow MFA_AAA_vserver").text();
    let page = include_str!("../../../../docs/operate/logins.md");
    assert!(page.contains(&drawing), "the page does not have\n{drawing}");
}

/// The example of `docs/operate/otp.md` loads as it stands, and nothing is wrong with its flow.
#[test]
fn the_example_of_one_time_codes_is_right() {
    let checked = strict(include_str!("../../../daemon/dist/ldap-otp.conf"));
    assert_eq!(told(&checked), "");
    let model = checked.model.expect("loads");
    let flow = Flow::of(&model.authentication, "otp_AAA_vserver").unwrap();
    assert_eq!(flow.findings(), []);
    let drawing = said(&model, "show authentication flow otp_AAA_vserver").text();
    assert!(drawing.contains("code: corp_otp") && drawing.contains("code right"), "{drawing}");
}

#[test]
fn who_is_not_there_has_no_flow() {
    let model = strict("enable ns feature AAA\n").model.unwrap();
    let Ok(Order::Ask(ask)) = order::read("show authentication flow av") else { panic!("no ask") };
    let problem = show::ask(&model, &ask).unwrap().unwrap_err();
    assert_eq!(problem.code.number(), 258);
}
