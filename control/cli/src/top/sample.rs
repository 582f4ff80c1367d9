//! What the gateway says about itself at one moment, out of its answers in JSON.
//!
//! ```text
//!   show ns info, stat ns, stat vpn, stat ssl, stat vpn vserver, show worker, show sta, show ns drain  ─► Sample
//! ```
//!
//! A number that the gateway does not tell is missing here, not zero: it may be older or newer than this program.

use gate_config::text::visible::visible;
use serde_json::Value;

use crate::console::fault::Fault;
use crate::console::talk::Talk;

/// The step that the client takes for itself: nothing that the gateway could be blamed for.
const CLIENTS_OWN: &str = "preface";
/// All steps together.
const WHOLE: &str = "whole";
/// Rows that are kept of one table.
const ROWS_MAX: usize = 10_000;

/// The gateway at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// The gateway's monotonic time, in milliseconds from some moment in its life.
    pub at_ms: Option<u64>,
    /// As set by `set ns hostName`.
    pub host_name: String,
    /// Of the gateway.
    pub version: String,
    /// RUNNING or DRAINING.
    pub state: String,
    /// Since start, in seconds.
    pub uptime_s: Option<u64>,
    /// Whether the running configuration is not the saved one.
    pub is_changed: Option<bool>,
    /// Number of the configuration in force.
    pub snapshot: Option<u64>,
    /// How far a drain is.
    pub drain: Option<Drain>,
    /// Connections in any state.
    pub sessions: Option<u64>,
    /// Room for them.
    pub sessions_max: Option<u64>,
    /// Connections whose bytes flow to a host.
    pub ica: Option<u64>,
    /// Bytes from clients to hosts, since start.
    pub up_bytes: Option<u64>,
    /// Bytes from hosts to clients, since start.
    pub down_bytes: Option<u64>,
    /// TLS handshakes completed.
    pub handshakes: Option<u64>,
    /// TLS handshakes that came to nothing.
    pub handshakes_failed: Option<u64>,
    /// Tickets sent to authorities.
    pub tickets: Option<u64>,
    /// Resident memory in bytes.
    pub memory_bytes: Option<u64>,
    /// Open descriptors.
    pub descriptors: Option<u64>,
    /// Why sessions were refused or cut off, and how many.
    pub reasons: Vec<Reason>,
    /// How long steps took.
    pub times: Vec<Times>,
    /// Virtual servers.
    pub vservers: Vec<Vserver>,
    /// Worker threads.
    pub workers: Vec<Worker>,
    /// Ticket authorities.
    pub stas: Vec<Sta>,
}

/// How far a drain is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drain {
    /// Sessions that still run.
    pub sessions: Option<u64>,
    /// Until those are ended, in seconds.
    pub remaining_s: Option<u64>,
}

/// A reason for which sessions ended, other than in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reason {
    /// In a word.
    pub name: String,
    /// How many ended so.
    pub sessions: u64,
}

/// How long a step took, in microseconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Times {
    /// handshake, redeem, connect, whole.
    pub step: String,
    /// Half were faster.
    pub p50: Option<u64>,
    /// Nine of ten were faster.
    pub p90: Option<u64>,
    /// 99 of 100 were faster.
    pub p99: Option<u64>,
    /// The slowest.
    pub max: Option<u64>,
}

/// A virtual server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vserver {
    /// Its name.
    pub name: String,
    /// UP or DOWN.
    pub state: String,
    /// Connections in any state.
    pub sessions: Option<u64>,
    /// Those whose bytes flow to a host.
    pub ica: Option<u64>,
    /// TLS handshakes completed.
    pub handshakes: Option<u64>,
    /// Bytes from clients to hosts.
    pub up_bytes: Option<u64>,
    /// Bytes from hosts to clients.
    pub down_bytes: Option<u64>,
    /// 99 of 100 sessions were set up within this, in microseconds.
    pub setup_p99: Option<u64>,
}

/// A worker thread.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Worker {
    /// Its number.
    pub number: u64,
    /// How it talks to the kernel.
    pub engine: String,
    /// Share of the last second in which it was not waiting, in percent.
    pub busy: Option<u64>,
    /// Sessions in any state.
    pub sessions: Option<u64>,
    /// Sessions whose bytes flow.
    pub spliced: Option<u64>,
    /// Questions that wait for the control thread.
    pub queue: Option<u64>,
    /// Room for them.
    pub queue_max: Option<u64>,
    /// Buffers in use.
    pub buffers: Option<u64>,
    /// Buffers there are.
    pub buffers_max: Option<u64>,
    /// Bytes from clients to hosts.
    pub up_bytes: Option<u64>,
    /// Bytes from hosts to clients.
    pub down_bytes: Option<u64>,
}

/// A ticket authority.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sta {
    /// Its URL.
    pub server: String,
    /// UP, DOWN or UNKNOWN.
    pub state: String,
    /// Tickets sent to it.
    pub asked: Option<u64>,
    /// Tickets that it did not know.
    pub refused: Option<u64>,
    /// Questions without a proper answer.
    pub failed: Option<u64>,
    /// How long its last answer took, in milliseconds.
    pub last_ms: Option<u64>,
}

impl Sample {
    /// Asks a gateway. What it does not know how to answer is missing.
    ///
    /// # Errors
    /// [`Fault`] if it cannot be asked.
    pub fn take(talk: &mut Talk) -> Result<Self, Fault> {
        let mut answers = Answers::default();
        for (line, title) in ASKED {
            if let Ok(json) = talk.text(&format!("{line} -format json"))? {
                answers.hear(title, &json);
            }
        }
        Ok(answers.sample())
    }
}

/// What is asked, and the key of its rows.
pub const ASKED: &[(&str, &str)] = &[
    ("show ns info", "nsInfo"),
    ("stat ns", "ns"),
    ("stat vpn", "vpn"),
    ("stat ssl", "ssl"),
    ("stat vpn vserver", "vpnVserver"),
    ("show worker", "worker"),
    ("show sta", "sta"),
    ("show ns drain", "nsDrain"),
];

/// Answers, each under its key.
#[derive(Debug, Default)]
pub struct Answers(Vec<(&'static str, Vec<Value>)>);

impl Answers {
    /// Takes an answer. One that is no answer is as good as none.
    pub fn hear(&mut self, title: &'static str, json: &str) {
        let Ok(mut whole) = serde_json::from_str::<Value>(json) else { return };
        let rows = match whole.get_mut(title).map(Value::take) {
            Some(Value::Array(rows)) => rows,
            Some(one @ Value::Object(_)) => vec![one],
            _ => Vec::new(),
        };
        self.0.push((title, rows.into_iter().take(ROWS_MAX).collect()));
    }

    fn rows(&self, title: &str) -> &[Value] {
        self.0.iter().find(|(known, _)| *known == title).map_or(&[], |(_, rows)| rows)
    }

    fn one(&self, title: &str) -> &Value {
        self.rows(title).first().unwrap_or(&Value::Null)
    }

    /// Puts them together.
    #[must_use]
    pub fn sample(&self) -> Sample {
        let (info, ns, vpn, ssl, drain) =
            (self.one("nsInfo"), self.one("ns"), self.one("vpn"), self.one("ssl"), self.one("nsDrain"));
        let workers: Vec<Worker> = self.rows("worker").iter().map(worker).collect();
        let sum = |of: fn(&Worker) -> Option<u64>| {
            workers.iter().map(of).try_fold(0_u64, |sum, n| Some(sum.saturating_add(n?))).filter(|_| !workers.is_empty())
        };
        Sample {
            at_ms: number(ns, "uptimeMillis"),
            host_name: text(info, "hostName"),
            version: text(info, "version"),
            state: text(info, "state"),
            uptime_s: number(info, "uptimeSeconds").or_else(|| number(ns, "uptimeSeconds")),
            is_changed: info.get("configChanged").and_then(Value::as_bool),
            snapshot: number(info, "snapshot"),
            drain: (text(drain, "state") == "DRAINING")
                .then(|| Drain { sessions: number(drain, "sessions"), remaining_s: number(drain, "remainingSeconds") }),
            sessions: number(ns, "sessions"),
            sessions_max: number(ns, "sessionsMax"),
            ica: number(vpn, "curIcaConnections"),
            up_bytes: sum(|worker| worker.up_bytes),
            down_bytes: sum(|worker| worker.down_bytes),
            handshakes: number(ssl, "handshakes"),
            handshakes_failed: number(ssl, "handshakesFailed"),
            tickets: number(vpn, "staReqSent"),
            memory_bytes: number(ns, "memoryBytes"),
            descriptors: number(ns, "descriptors"),
            reasons: inner(ns, "reasons").iter().filter(|row| text(row, "blame") != "nobody").map(reason).collect(),
            times: inner(vpn, "times").iter().map(times).filter(|times| times.step != CLIENTS_OWN).collect(),
            vservers: self.rows("vpnVserver").iter().map(vserver).collect(),
            workers,
            stas: self.rows("sta").iter().map(sta).collect(),
        }
    }
}

fn number(row: &Value, name: &str) -> Option<u64> {
    row.get(name).and_then(Value::as_u64)
}

fn text(row: &Value, name: &str) -> String {
    row.get(name).and_then(Value::as_str).map(|text| visible(text).into_owned()).unwrap_or_default()
}

fn inner<'v>(row: &'v Value, name: &str) -> &'v [Value] {
    row.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn reason(row: &Value) -> Reason {
    Reason { name: text(row, "reason"), sessions: number(row, "sessions").unwrap_or(0) }
}

fn times(row: &Value) -> Times {
    let micros = |name| number(row, name).filter(|_| number(row, "count") != Some(0));
    Times {
        step: text(row, "step"),
        p50: micros("p50Micros"),
        p90: micros("p90Micros"),
        p99: micros("p99Micros"),
        max: micros("maxMicros"),
    }
}

fn vserver(row: &Value) -> Vserver {
    let setup = inner(row, "times").iter().map(times).find(|times| times.step == WHOLE);
    Vserver {
        name: text(row, "name"),
        state: text(row, "state"),
        sessions: number(row, "curSessions"),
        ica: number(row, "curIcaConnections"),
        handshakes: number(row, "handshakes"),
        up_bytes: number(row, "upBytes"),
        down_bytes: number(row, "downBytes"),
        setup_p99: setup.and_then(|times| times.p99),
    }
}

fn worker(row: &Value) -> Worker {
    Worker {
        number: number(row, "worker").unwrap_or(0),
        engine: text(row, "engine"),
        busy: number(row, "busyPercent"),
        sessions: number(row, "sessions"),
        spliced: number(row, "spliced"),
        queue: number(row, "askQueue"),
        queue_max: number(row, "askQueueMax"),
        buffers: number(row, "buffersLent"),
        buffers_max: number(row, "buffersMax"),
        up_bytes: number(row, "upBytes"),
        down_bytes: number(row, "downBytes"),
    }
}

fn sta(row: &Value) -> Sta {
    Sta {
        server: text(row, "staServer"),
        state: text(row, "staState"),
        asked: number(row, "asked"),
        refused: number(row, "refused"),
        failed: number(row, "failed"),
        last_ms: number(row, "lastMillis"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_told_is_missing() {
        assert_eq!(Answers::default().sample(), Sample::default());
        let mut answers = Answers::default();
        answers.hear("ns", "no json");
        answers.hear("nsInfo", r#"{"nsInfo":7}"#);
        answers.hear("worker", r#"{"worker":[{"worker":0,"upBytes":5},{"worker":1}]}"#);
        let sample = answers.sample();
        // A sum of which a part is missing is missing.
        assert_eq!((sample.up_bytes, sample.workers.len(), sample.sessions), (None, 2, None));
    }

    #[test]
    fn names_cannot_act() {
        let mut answers = Answers::default();
        answers
            .hear("vpnVserver", r#"{"vpnVserver":[{"name":"a\u001b[2J","times":[{"step":"whole","count":0,"p99Micros":0}]}]}"#);
        let sample = answers.sample();
        assert_eq!(sample.vservers[0].name, "a\\u{1b}[2J");
        assert_eq!(sample.vservers[0].setup_p99, None);
    }
}
