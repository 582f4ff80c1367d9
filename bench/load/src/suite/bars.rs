//! The bars: how much of what others need the gateway may need, and whether it does.
//!
//! A ratio is taken within each round, of two runs that follow each other; what counts is the median of these ratios.

use crate::stage::spread;
use crate::suite::cases::{Figure, bytes_each, carrying_micros, cpu_micros, cpu_seconds, deciding_micros, p50};
use crate::suite::peers::Kind;
use crate::suite::{Played, Row};

/// What the gateway is held against.
#[derive(Clone, Copy, Debug)]
enum Against {
    /// One of the others.
    Named(&'static str),
    /// The best TLS proxy in the same case.
    Best,
    /// A figure of its own.
    Figure(&'static str),
}

/// A bar.
struct Bar {
    what: &'static str,
    case: &'static str,
    against: Against,
    limit: f64,
    figure: Figure,
    /// The gateway in this role.
    ours: Kind,
}

const fn bar(what: &'static str, case: &'static str, against: Against, limit: f64, figure: Figure) -> Bar {
    Bar { what, case, against, limit, figure, ours: Kind::Ours }
}

const BARS: &[Bar] = &[
    bar("bulk up, 8 connections, CPU", "bulk up, 8", Against::Named("tokio-64k"), 0.65, cpu_seconds),
    bar("bulk down, 8 connections, CPU", "bulk down, 8", Against::Named("tokio-64k"), 0.65, cpu_seconds),
    bar("bulk up, 8 connections, CPU", "bulk up, 8", Against::Named("haproxy-64k"), 0.50, cpu_seconds),
    bar("bulk down, 8 connections, CPU", "bulk down, 8", Against::Named("haproxy-64k"), 0.50, cpu_seconds),
    bar("bulk up, 64 connections, CPU", "bulk up, 64", Against::Named("tokio-64k"), 0.80, cpu_seconds),
    bar("bulk down, 64 connections, CPU", "bulk down, 64", Against::Named("tokio-64k"), 0.80, cpu_seconds),
    bar("64 B there and back, 32 connections, CPU", "echo 64 B, 32", Against::Named("tcp-copy"), 1.05, cpu_micros),
    bar("one connection, 256 B, p50", "echo 256 B, 1", Against::Best, 1.0, p50),
    Bar { ours: Kind::Spinning, ..bar("the same, spinning for 50 µs, p50", "echo 256 B, 1", Against::Best, 0.45, p50) },
    bar("full handshake, connect to close, CPU that carries", "handshakes, 16", Against::Best, 0.92, carrying_micros),
    bar("ticket redeemed at the embedded STA, CPU more", "handshakes, 16", Against::Figure("µs"), 40.0, deciding_micros),
    bar("idle session at 9,000, PSS", "idle, 9,000", Against::Figure("B"), 4096.0, bytes_each),
];

/// Engines that are judged, by the name of the target and of its column.
const ENGINES: [(&str, &str); 2] = [("sluicegate", "io_uring"), ("sluicegate-mio", "mio")];

/// The table of all bars. `judged`: figures mean something, so that there is a verdict.
pub(super) fn table(rows: &[Row], judged: bool) -> String {
    let mut lines = vec![
        format!("| what | bar | {} |", ENGINES.map(|(_, engine)| engine).join(" | ")),
        format!("| --- |{}", " --- |".repeat(ENGINES.len() + 1)),
    ];
    for bar in BARS {
        let Some(row) = rows.iter().find(|row| row.case.name == bar.case) else { continue };
        let Some(other) = bar.other(row) else { continue };
        let limit = match bar.against {
            Against::Figure(unit) => format!("{:.0} {unit}", bar.limit),
            Against::Named(_) | Against::Best => format!("{:.2} of {}", bar.limit, other.map_or("", |other| other.name)),
        };
        let cells = ENGINES.map(|(name, _)| bar.cell(row, name, other, judged));
        lines.push(format!("| {} | {limit} | {} |", bar.what, cells.join(" | ")));
    }
    lines.join("\n")
}

impl Bar {
    /// Whom the gateway is held against. `None`: that one did not take part, so there is nothing to say.
    fn other<'r>(&self, row: &'r Row) -> Option<Option<&'r Played>> {
        match self.against {
            Against::Figure(_) => Some(None),
            Against::Named(name) => row.played.iter().find(|played| played.name == name).map(Some),
            Against::Best => {
                let peers = row.played.iter().filter(|played| played.kind == Kind::Peer);
                peers.min_by(|a, b| self.median(a).total_cmp(&self.median(b))).map(Some)
            }
        }
    }

    fn median(&self, played: &Played) -> f64 {
        spread(played.outcomes.iter().map(self.figure).collect()).0
    }

    /// The gateway in this role, with the engine of that target.
    fn ours<'r>(&self, row: &'r Row, name: &str) -> Option<&'r Played> {
        match self.ours {
            Kind::Spinning if name == ENGINES[0].0 => row.played.iter().find(|played| played.kind == Kind::Spinning),
            Kind::Spinning | Kind::Peer | Kind::Copy => None,
            Kind::Ours => row.played.iter().find(|played| played.name == name),
        }
    }

    fn cell(&self, row: &Row, name: &str, other: Option<&Played>, judged: bool) -> String {
        let Some(ours) = self.ours(row, name) else { return "–".to_owned() };
        let figures = ours.outcomes.iter().map(self.figure);
        let figures: Vec<f64> = match other {
            Some(other) => figures.zip(other.outcomes.iter().map(self.figure)).map(|(ours, theirs)| ours / theirs).collect(),
            None => figures.collect(),
        };
        let many = figures.len() > 1;
        let (median, low, high) = spread(figures);
        let digits = if other.is_some() { 2 } else { 0 };
        let range = if many { format!(" ({low:.digits$}–{high:.digits$})") } else { String::new() };
        let verdict = match (judged, median <= self.limit) {
            (false, _) => "",
            (true, true) => " ✓",
            (true, false) => " ✗",
        };
        format!("{median:.digits$}{range}{verdict}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::histogram;
    use crate::report::Outcome;
    use crate::suite::cases::cases;

    fn played(name: &'static str, kind: Kind, figures: &[f64]) -> Played {
        let outcome = |figure: &f64| Outcome::new("GiB", 1.0, 1.0, Some(*figure), &histogram().unwrap());
        Played { name, kind, outcomes: figures.iter().map(outcome).collect() }
    }

    fn row(name: &str, played: Vec<Played>) -> Row {
        Row { case: cases(false).into_iter().find(|case| case.name == name).unwrap(), played }
    }

    #[test]
    fn every_bar_has_its_case() {
        for bar in BARS {
            assert!(cases(false).iter().any(|case| case.name == bar.case), "{}", bar.case);
        }
    }

    #[test]
    fn a_ratio_is_taken_within_a_round_and_judged_by_its_median() {
        let rows = [row(
            "bulk up, 64",
            vec![
                played("sluicegate", Kind::Ours, &[0.3, 0.6, 0.4]),
                played("sluicegate-mio", Kind::Ours, &[0.9, 0.9, 0.9]),
                played("tokio-64k", Kind::Peer, &[0.6, 1.2, 0.4]),
            ],
        )];
        let text = table(&rows, true);
        assert!(text.contains("| 0.80 of tokio-64k | 0.50 (0.50–1.00) ✓ | 1.50 (0.75–2.25) ✗ |"), "{text}");
        assert!(!table(&rows, false).contains(['✓', '✗']));
    }

    #[test]
    fn a_bar_without_its_peer_is_not_spoken_of() {
        let rows = [row("bulk up, 64", vec![played("sluicegate", Kind::Ours, &[0.3])])];
        assert_eq!(table(&rows, true).lines().count(), 2);
    }
}
