//! A flow as a picture, in the language of Graphviz: `dot -Tsvg`.

use super::{Called, Flow, Rule, To};

/// Longest rule in a picture, in characters; the drawing for people and the answer for programs have all of it.
const RULE_CHARS_MAX: usize = 60;

impl Flow {
    /// The picture, line by line.
    #[must_use]
    pub fn dot(&self) -> Vec<String> {
        let mut lines = vec![
            format!("digraph {} {{", quoted(self.vserver.as_str())),
            "  node [shape=box];".to_owned(),
            "  end [label=\"logged in\", shape=doublecircle];".to_owned(),
        ];
        for (at, node) in self.nodes.iter().enumerate() {
            let label = format!("{}\n{}", Called(&node.factor), node.form);
            let style = if node.scans() { ", style=dashed" } else { "" };
            lines.push(format!("  n{at} [label={}{style}];", quoted(&label)));
        }
        for (at, node) in self.nodes.iter().enumerate() {
            for (place, edge) in node.edges.iter().enumerate() {
                let mut label = format!("{} {}", edge.priority, edge.policy);
                if let Rule::If(rule) = &edge.rule {
                    let short: String = rule.as_str().chars().take(RULE_CHARS_MAX).collect();
                    let more = if short.len() < rule.as_str().len() { "…" } else { "" };
                    label.push_str(&format!("\nif {short}{more}"));
                }
                label.push_str(&format!("\n{}", edge.action));
                let style = if edge.reached && edge.rule != Rule::Never { "" } else { ", color=grey" };
                lines.push(format!("  n{at} -> {} [label={}{style}];", to(edge.success), quoted(&label)));
                if let Some((group, goes)) = node.quarantine(place) {
                    let label = format!("{} {}\nquarantine {group}", edge.priority, edge.policy);
                    lines.push(format!("  n{at} -> {} [label={}, style=dotted];", to(goes), quoted(&label)));
                }
            }
        }
        lines.push("}".to_owned());
        lines
    }
}

fn to(to: To) -> String {
    match to {
        To::Node(at) => format!("n{at}"),
        To::LoggedIn => "end".to_owned(),
    }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            c if c.is_control() => quoted.push(' '),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
