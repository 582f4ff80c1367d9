//! What each of them has to do, and the figure that is taken of it.

use crate::report::Outcome;
use crate::suite::peers::{Kind, Target};

/// Idle sessions at which memory is compared.
const IDLE: &str = "idle --connections 9000";
/// The same where figures mean nothing.
const IDLE_QUICK: &str = "idle --connections 100";

/// A figure of a result.
pub(super) type Figure = fn(&Outcome) -> f64;

/// A piece of work.
pub(super) struct Case {
    pub(super) name: &'static str,
    /// As given to this program.
    pub(super) args: &'static str,
    pub(super) unit: &'static str,
    pub(super) figure: Figure,
    /// A second round would find what the first has left behind.
    pub(super) once: bool,
    /// Who takes part, beside the gateway with each engine and every TLS proxy.
    pub(super) guest: Option<Kind>,
    /// Peers take part even where figures mean nothing: once with many connections, once with many handshakes.
    pub(super) quick: bool,
}

impl Case {
    /// Whether `target` takes part.
    pub(super) fn takes(&self, target: &Target, quick: bool) -> bool {
        match target.kind {
            Kind::Ours => true,
            Kind::Peer => self.quick || !quick,
            Kind::Spinning | Kind::Copy => self.guest == Some(target.kind),
        }
    }
}

/// All of it, in order.
pub(super) fn cases(quick: bool) -> Vec<Case> {
    let bulk = |name, args| Case { guest: Some(Kind::Copy), ..case(name, args, "CPU s/GiB", cpu_seconds) };
    let each = |name, args| case(name, args, "CPU µs each", cpu_micros);
    vec![
        // First, since memory that a process has kept from earlier work would hide what its sessions need.
        Case { once: true, ..case("idle, 9,000", if quick { IDLE_QUICK } else { IDLE }, "bytes each", bytes_each) },
        bulk("bulk up, 8", "bulk --direction up --connections 8"),
        bulk("bulk down, 8", "bulk --direction down --connections 8"),
        bulk("bulk up, 64", "bulk --direction up --connections 64"),
        bulk("bulk down, 64", "bulk --direction down --connections 64"),
        Case { guest: Some(Kind::Copy), quick: true, ..each("echo 64 B, 32", "echo --size 64 --connections 32") },
        Case { guest: Some(Kind::Spinning), ..case("echo 256 B, 1", "echo --size 256 --connections 1", "p50 µs", p50) },
        Case { quick: true, ..each("handshakes, 16", "connect --connections 16") },
        each("resumed, 16", "connect --connections 16 --resume"),
        each("echo 10,000/s, 500", "echo --size 256 --connections 500 --rate 10000"),
        each("ICA mix, 500", "ica --connections 500"),
    ]
}

fn case(name: &'static str, args: &'static str, unit: &'static str, figure: Figure) -> Case {
    Case { name, args, unit, figure, once: false, guest: None, quick: false }
}

pub(super) fn cpu_seconds(outcome: &Outcome) -> f64 {
    outcome.cpu_per_unit.unwrap_or(0.0)
}

pub(super) fn cpu_micros(outcome: &Outcome) -> f64 {
    cpu_seconds(outcome) * 1e6
}

#[expect(clippy::cast_precision_loss, reason = "figures to print")]
pub(super) fn p50(outcome: &Outcome) -> f64 {
    outcome.latency_us.first().copied().unwrap_or(0) as f64
}

#[expect(clippy::cast_precision_loss, reason = "figures to print")]
pub(super) fn bytes_each(outcome: &Outcome) -> f64 {
    outcome.bytes_per_session.unwrap_or(0) as f64
}

/// Of the CPU time, what the thread that carries bytes spent: all of a peer's.
pub(super) fn carrying_micros(outcome: &Outcome) -> f64 {
    cpu_micros(outcome) - deciding_micros(outcome)
}

/// Of the CPU time, what threads that decide spent: the gateway redeems a ticket, peers have nothing to decide.
pub(super) fn deciding_micros(outcome: &Outcome) -> f64 {
    let is_worker = |name: &str| name.strip_prefix("sluice-").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
    if !outcome.cpu_by_thread.keys().any(|name| is_worker(name)) {
        return 0.0;
    }
    let others = outcome.cpu_by_thread.iter().filter(|(name, _)| !is_worker(name));
    others.map(|(_, seconds)| seconds).sum::<f64>() / outcome.units * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::histogram;

    #[test]
    fn who_decides_and_who_carries_is_told_apart_by_the_names_of_threads() {
        let mut outcome = Outcome::new("handshake", 1000.0, 1.0, Some(0.3), &histogram().unwrap());
        outcome.cpu_by_thread =
            [("sluice-0", 0.2), ("sluicegate", 0.09), ("log", 0.01)].map(|(name, s)| (name.to_owned(), s)).into();
        assert!((deciding_micros(&outcome) - 100.0).abs() < 1e-6);
        assert!((carrying_micros(&outcome) - 200.0).abs() < 1e-6);
        outcome.cpu_by_thread = [("haproxy".to_owned(), 0.3)].into();
        assert!(deciding_micros(&outcome) < 1e-9, "a peer only carries");
    }
}
