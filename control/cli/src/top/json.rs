//! A snapshot for programs. The page docs/operate/sluicectl.md describes it; a key is never taken away or given another meaning.

use serde_json::{Value, json};

use super::rates::Pair;
use super::sample::{Sample, Sta, Times, Vserver, Worker};

/// One JSON object on one line, its line end included. What the gateway does not tell is null.
#[must_use]
pub fn snapshot(now: &Sample, pair: &Pair<'_>) -> String {
    let rates = pair.rates();
    let reasons = pair.reasons();
    let whole = json!({
        "hostName": now.host_name,
        "version": now.version,
        "state": now.state,
        "uptimeSeconds": now.uptime_s,
        "configChanged": now.is_changed,
        "snapshot": now.snapshot,
        "drain": now.drain.as_ref().map(|drain| json!({
            "sessions": drain.sessions,
            "remainingSeconds": drain.remaining_s,
        })),
        "sessions": now.sessions,
        "sessionsMax": now.sessions_max,
        "icaConnections": now.ica,
        "upBytes": now.up_bytes,
        "downBytes": now.down_bytes,
        "handshakes": now.handshakes,
        "handshakesFailed": now.handshakes_failed,
        "tickets": now.tickets,
        "memoryBytes": now.memory_bytes,
        "descriptors": now.descriptors,
        "perSecond": {
            "upBytes": rates.up,
            "downBytes": rates.down,
            "handshakes": rates.handshakes,
            "handshakesFailed": rates.handshakes_failed,
            "tickets": rates.tickets,
            "refused": rates.refused,
        },
        "reasons": reasons.iter().map(|(reason, rate, ever)| json!({
            "reason": reason,
            "sessions": ever,
            "perSecond": rate,
        })).collect::<Vec<_>>(),
        "times": now.times.iter().map(times).collect::<Vec<_>>(),
        "vservers": now.vservers.iter().map(|row| vserver(row, pair)).collect::<Vec<_>>(),
        "workers": now.workers.iter().map(|row| worker(row, pair)).collect::<Vec<_>>(),
        "stas": now.stas.iter().map(sta).collect::<Vec<_>>(),
    });
    format!("{whole}\n")
}

fn times(row: &Times) -> Value {
    json!({"step": row.step, "p50Micros": row.p50, "p90Micros": row.p90, "p99Micros": row.p99, "maxMicros": row.max})
}

fn vserver(row: &Vserver, pair: &Pair<'_>) -> Value {
    let rate = |of: fn(&Vserver) -> Option<u64>| pair.rate(|s| s.vservers.iter().find(|v| v.name == row.name).and_then(of));
    json!({
        "name": row.name,
        "state": row.state,
        "sessions": row.sessions,
        "icaConnections": row.ica,
        "handshakes": row.handshakes,
        "upBytes": row.up_bytes,
        "downBytes": row.down_bytes,
        "setupP99Micros": row.setup_p99,
        "perSecond": {
            "upBytes": rate(|v| v.up_bytes),
            "downBytes": rate(|v| v.down_bytes),
            "handshakes": rate(|v| v.handshakes),
        },
    })
}

fn worker(row: &Worker, pair: &Pair<'_>) -> Value {
    let rate = |of: fn(&Worker) -> Option<u64>| pair.rate(|s| s.workers.iter().find(|w| w.number == row.number).and_then(of));
    json!({
        "worker": row.number,
        "engine": row.engine,
        "busyPercent": row.busy,
        "sessions": row.sessions,
        "spliced": row.spliced,
        "askQueue": row.queue,
        "askQueueMax": row.queue_max,
        "buffersLent": row.buffers,
        "buffersMax": row.buffers_max,
        "upBytes": row.up_bytes,
        "downBytes": row.down_bytes,
        "perSecond": {"upBytes": rate(|w| w.up_bytes), "downBytes": rate(|w| w.down_bytes)},
    })
}

fn sta(row: &Sta) -> Value {
    json!({
        "staServer": row.server,
        "state": row.state,
        "asked": row.asked,
        "refused": row.refused,
        "failed": row.failed,
        "lastMillis": row.last_ms,
    })
}
