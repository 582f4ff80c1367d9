//! A flow as a tree for people, at most 80 columns wide.
//!
//! ```text
//!   authentication vserver V: user name and password
//!   └─ 100 ldap-auth: ldap_server1
//!      ├─ yes ─► policylabel scan: no form
//!      │  └─ 100 EPA-check: EPA-client-scan
//!      │     ├─ yes ─► logged in
//!      │     └─ no ─► refused
//!      └─ no ─► asked again
//! ```
//!
//! A factor is drawn where it is first come to, and named elsewhere; what would stand too far to the right is drawn below.

use std::collections::BTreeSet;

use super::{Called, Edge, Failure, Flow, Form, Node, Proof, Rule, To};
use crate::model::authentication::Served;

/// Columns of a drawing.
const COLUMNS_MAX: usize = 80;
/// How far to the right a factor's policies may begin.
const INDENT_MAX: usize = 36;

impl Flow {
    /// The drawing, line by line.
    #[must_use]
    pub fn draw(&self) -> Vec<String> {
        let mut pen = Pen { flow: self, lines: Vec::new(), drawn: BTreeSet::new(), below: Vec::new() };
        pen.root(0);
        while let Some(next) = pen.below.pop() {
            if !pen.drawn.contains(&next) {
                pen.lines.push(String::new());
                pen.root(next);
            }
        }
        pen.lines
    }
}

struct Pen<'f> {
    flow: &'f Flow,
    lines: Vec<String>,
    drawn: BTreeSet<usize>,
    below: Vec<usize>,
}

impl Pen<'_> {
    fn line(&mut self, text: &str) {
        if text.chars().count() <= COLUMNS_MAX {
            self.lines.push(text.to_owned());
        } else {
            let cut: String = text.chars().take(COLUMNS_MAX - 1).collect();
            self.lines.push(format!("{cut}…"));
        }
    }

    fn root(&mut self, at: usize) {
        if let Some(node) = self.flow.node(at) {
            self.line(&named(node));
        }
        self.node(at, "");
    }

    fn node(&mut self, at: usize, indent: &str) {
        self.drawn.insert(at);
        let Some(node) = self.flow.node(at) else { return };
        if node.edges.is_empty() {
            self.line(&format!("{indent}└─ no policy: refused"));
        }
        for (place, edge) in node.edges.iter().enumerate() {
            let last = place + 1 == node.edges.len();
            let (branch, inner) = if last { ("└─", "   ") } else { ("├─", "│  ") };
            let rest = format!("{indent}{inner}");
            self.line(&format!("{indent}{branch} {} {}: {}", edge.priority, edge.policy, edge.action));
            if let Some(why) = note(edge) {
                self.line(&format!("{rest}{why}"));
            }
            if !edge.reached || edge.rule == Rule::Never {
                continue;
            }
            let outcomes = outcomes(node, place, last);
            for (nth, (word, to)) in outcomes.iter().enumerate() {
                let end = nth + 1 == outcomes.len();
                let (branch, inner) = if end { ("└─", "   ") } else { ("├─", "│  ") };
                self.outcome(&format!("{rest}{branch} {word} ─► "), &format!("{rest}{inner}"), to);
            }
        }
    }

    fn outcome(&mut self, begin: &str, indent: &str, to: &Outcome) {
        match to {
            Outcome::To(To::LoggedIn) => self.line(&format!("{begin}logged in")),
            Outcome::Said(words) => self.line(&format!("{begin}{words}")),
            Outcome::To(To::Node(next)) => {
                let Some(node) = self.flow.node(*next) else { return };
                let name = named(node);
                if self.drawn.contains(next) {
                    self.line(&format!("{begin}{} (above)", Called(&node.factor)));
                } else if indent.chars().count() > INDENT_MAX || self.below.contains(next) {
                    self.line(&format!("{begin}{} (below)", Called(&node.factor)));
                    self.below.push(*next);
                } else {
                    self.line(&format!("{begin}{name}"));
                    self.node(*next, indent);
                }
            }
        }
    }
}

fn named(node: &Node) -> String {
    let scan = if node.scans() { ", scan first" } else { "" };
    format!("{}: {}{scan}", Called(&node.factor), node.form)
}

/// What is to be said of a policy beside its outcomes.
fn note(edge: &Edge) -> Option<String> {
    match (&edge.rule, edge.reached) {
        (Rule::Never, _) => Some("never: its rule is false".to_owned()),
        (_, false) => Some("never tried: one before it always decides".to_owned()),
        (Rule::If(rule), true) => Some(format!("if {rule}")),
        (Rule::Always, true) => None,
    }
}

enum Outcome {
    To(To),
    Said(String),
}

fn outcomes(node: &Node, place: usize, last: bool) -> Vec<(String, Outcome)> {
    let Some(edge) = node.edges.get(place) else { return Vec::new() };
    let mut outcomes = Vec::new();
    let group = edge.group.as_ref().map_or_else(String::new, |group| format!(", group {group}"));
    let refused = || Outcome::Said(refused(node).to_owned());
    let next = || if last { refused() } else { Outcome::Said("the next policy".to_owned()) };
    match edge.proof {
        Proof::Unserved(Served::Later) => outcomes.push(("no, not carried out yet".to_owned(), next_of(node, edge, next()))),
        Proof::Unserved(Served::Never | Served::Now) => {
            outcomes.push(("no, never carried out".to_owned(), next_of(node, edge, next())))
        }
        Proof::Nothing => outcomes.push((format!("always{group}"), Outcome::To(edge.success))),
        Proof::Identity | Proof::LookUp | Proof::Scan | Proof::Code => {
            let what = if edge.proof == Proof::Code { "code right" } else { "yes" };
            outcomes.push((format!("{what}{group}"), Outcome::To(edge.success)));
            match node.quarantine(place) {
                Some((group, to)) if last => outcomes.push((format!("no, quarantine group {group}"), Outcome::To(to))),
                Some((group, to)) => {
                    outcomes.push(("no".to_owned(), next()));
                    outcomes.push((format!("no, and none behind it applies: quarantine group {group}"), Outcome::To(to)));
                }
                None => outcomes.push(("no".to_owned(), next_of(node, edge, next()))),
            }
        }
    }
    outcomes
}

/// What becomes of who fails a factor: where there is a form, it is shown again.
fn refused(node: &Node) -> &'static str {
    if node.form == Form::None || node.scans() { "refused" } else { "asked again" }
}

/// Where a policy leads that has failed.
fn next_of(node: &Node, edge: &Edge, next: Outcome) -> Outcome {
    match &edge.failure {
        Failure::Never | Failure::Next | Failure::Quarantine(..) => next,
        Failure::End => Outcome::Said(refused(node).to_owned()),
        Failure::Priority(priority) if *priority == edge.priority => next,
        Failure::Priority(priority) => Outcome::Said(format!("the policy with priority {priority}")),
        Failure::Says(goto) => Outcome::Said(format!("where {goto} says")),
    }
}
