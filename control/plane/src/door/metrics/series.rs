//! Which figures are told, and under which names.
//!
//! ```text
//!   Figures ─► build, workers, virtual servers, ends by reason, authorities, certificates, configuration, process ─► Text
//! ```
//!
//! Every label has its values from a fixed set or from the configuration: never from a client. Of what the configuration can have
//! many of, the first so many by name have their own series and the others are one, called [`OTHERS`].

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gate_auth::sessions::End;
use sluice_link::count::{Kind, ListenerTotals, Totals};
use sluice_link::reason::{Blame, Reason};
use sluice_link::spread::Times;

use super::process::Process;
use super::text::{Text, Type, seconds};
use crate::StaStatus;
use crate::action::Tally;
use crate::latency::{Phase, UpTo};

/// Workers with series of their own.
const WORKERS_MAX: usize = 64;
/// Virtual servers with series of their own.
const VSERVERS_MAX: usize = 64;
/// Certificates that are told of.
const CERTIFICATES_MAX: usize = 128;
/// Authorities that are told of, each once for each virtual server that it is bound to.
const STAS_MAX: usize = 128;
/// What all others are called together. No name in a configuration has brackets.
const OTHERS: &str = "(other)";

/// Bounds of the times of launches.
pub(crate) const LAUNCH_BOUNDS: [Duration; 12] = [
    Duration::from_millis(1),
    Duration::from_millis(2),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
];
/// Bounds of the times of turns of a worker's loop.
const TURN_BOUNDS: [Duration; 9] = [
    Duration::from_micros(10),
    Duration::from_micros(20),
    Duration::from_micros(50),
    Duration::from_micros(100),
    Duration::from_micros(200),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_millis(5),
    Duration::from_millis(20),
];

/// Everything that is told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) workers: Vec<Worker>,
    pub(crate) vservers: Vec<Vserver>,
    pub(crate) stas: Vec<StaStatus>,
    /// Portal logins, tickets of embedded authorities, launches whose session has not ended.
    pub(crate) logins: usize,
    pub(crate) tickets: usize,
    pub(crate) launches: usize,
    pub(crate) under_way: UnderWay,
    /// What has been counted of logins.
    pub(crate) tally: Tally,
    /// Until a drain ends those that are left.
    pub(crate) draining: Option<Duration>,
    /// Certificates with the time at which each is valid no more.
    pub(crate) certificates: Vec<(String, SystemTime)>,
    pub(crate) configuration: Configuration,
    /// Notes that the audit log has lost.
    pub(crate) audit_lost: u64,
    pub(crate) started: Option<SystemTime>,
    pub(crate) process: Process,
}

/// Logins that are not complete yet.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct UnderWay {
    pub(crate) logins: usize,
    /// Questions about users that somebody is asked, and those that wait.
    pub(crate) questions: usize,
    pub(crate) questions_waiting: usize,
}

/// A worker.
#[derive(Clone, Debug, Default)]
pub(crate) struct Worker {
    pub(crate) is_alive: bool,
    pub(crate) engine: String,
    pub(crate) totals: Totals,
    pub(crate) turns: Times,
}

/// A virtual server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Vserver {
    pub(crate) name: String,
    pub(crate) is_served: bool,
    pub(crate) totals: ListenerTotals,
    /// In the order of [`Phase::ALL`], for [`LAUNCH_BOUNDS`].
    pub(crate) times: Vec<UpTo>,
}

/// What has become of changes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Configuration {
    pub(crate) done: u64,
    pub(crate) failed: u64,
    pub(crate) changed_at: Option<SystemTime>,
    pub(crate) is_saved: bool,
}

/// As Prometheus reads them.
pub(super) fn write(figures: Figures) -> String {
    let mut text = Text::default();
    let Figures { workers, mut vservers, stas, logins, tickets, launches, draining, certificates, configuration, .. } = figures;
    let build = [("version", env!("CARGO_PKG_VERSION"))];
    text.metric("sluicegate_build_info", Type::Gauge, "Which Sluicegate this is. Always 1.").value(&build, 1);
    workers_of(&mut text, &workers);
    vservers.sort_by(|a, b| a.name.cmp(&b.name));
    vservers_of(&mut text, vservers);
    reasons_of(&mut text, &workers);
    stas_of(&mut text, &stas);

    let gauges = [
        ("sluicegate_portal_logins", "Users who are logged in at the portal.", logins),
        ("sluicegate_tickets_issued", "Tickets of embedded authorities that are neither used nor expired.", tickets),
        ("sluicegate_launches", "Launches whose session has not ended.", launches),
    ];
    gauges.into_iter().for_each(|(name, help, value)| text.one(name, Type::Gauge, help, value));
    logins_of(&mut text, figures.under_way, &figures.tally);
    let help = "Whether the gateway drains: it takes no new sessions.";
    text.one("sluicegate_draining", Type::Gauge, help, u8::from(draining.is_some()));
    let help = "Until a drain ends the sessions that are left; 0 without one.";
    text.one("sluicegate_drain_remaining_seconds", Type::Gauge, help, seconds(draining.unwrap_or_default()));
    let help = "Records that the audit log has lost.";
    text.one("sluicegate_audit_lost_total", Type::Counter, help, figures.audit_lost);

    let help = "When a certificate is valid no more, in seconds since 1970.";
    let mut metric = text.metric("sluicegate_certificate_expiry_timestamp_seconds", Type::Gauge, help);
    let soonest = earliest(certificates);
    soonest.iter().for_each(|(name, at)| metric.value(&[("certkey", name)], unix(*at)));
    configuration_of(&mut text, &configuration);
    process_of(&mut text, &figures.process, figures.started);
    text.finish()
}

fn logins_of(text: &mut Text, under_way: UnderWay, tally: &Tally) {
    text.one("sluicegate_logins_under_way", Type::Gauge, "Logins that are not complete yet.", under_way.logins);
    let mut metric =
        text.metric("sluicegate_login_questions", Type::Gauge, "Questions about users that somebody is asked, or will be.");
    metric.value(&[("state", "asked")], under_way.questions);
    metric.value(&[("state", "waiting")], under_way.questions_waiting);
    let mut metric =
        text.metric("sluicegate_login_results_total", Type::Counter, "Logins, and tries to log in, by what came of them.");
    metric.value(&[("result", "succeeded")], tally.logins_right);
    metric.value(&[("result", "failed")], tally.logins_wrong);
    metric.value(&[("result", "held_back")], tally.logins_held_back);
    let mut metric = text.metric("sluicegate_logins_ended_total", Type::Counter, "Sessions of users that have ended, by reason.");
    End::ALL.iter().for_each(|end| metric.value(&[("reason", end.word())], tally.ended(&[*end])));
    let help = "Tickets that were refused since the login for which they were got was over.";
    text.one("sluicegate_launches_too_late_total", Type::Counter, help, tally.launches_too_late);
}

/// Those that end first: of too many the others can wait.
fn earliest(mut certificates: Vec<(String, SystemTime)>) -> Vec<(String, SystemTime)> {
    certificates.sort_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)));
    certificates.truncate(CERTIFICATES_MAX);
    certificates.sort();
    certificates
}

fn workers_of(text: &mut Text, workers: &[Worker]) {
    let help = "Whether the thread of a worker runs.";
    let mut metric = text.metric("sluicegate_worker_alive", Type::Gauge, help);
    for (number, worker) in workers.iter().enumerate().take(WORKERS_MAX) {
        metric.value(&[("worker", &number.to_string()), ("engine", &worker.engine)], u8::from(worker.is_alive));
    }
    let mut rows: Vec<(String, Totals)> = Vec::new();
    for (number, worker) in workers.iter().enumerate() {
        match rows.last_mut() {
            Some((_, others)) if number > WORKERS_MAX => others.add(&worker.totals),
            Some(_) | None => {
                let name = if number < WORKERS_MAX { number.to_string() } else { OTHERS.to_owned() };
                rows.push((name, worker.totals.clone()));
            }
        }
    }
    let lists: Vec<_> = rows.iter().map(|(name, totals)| (name.as_str(), totals.list())).collect();
    counted(text, "sluicegate_worker_", "worker", &lists);

    let mut turns = Times::default();
    workers.iter().for_each(|worker| turns.add(&worker.turns));
    let (below, count, sum) = turns.up_to(&TURN_BOUNDS);
    let help = "How long turns of the workers' loops took. A byte waits for two of them at most.";
    let mut metric = text.metric("sluicegate_turn_duration_seconds", Type::Histogram, help);
    metric.histogram(&[], &TURN_BOUNDS, &below, count, sum);
}

/// `vservers` are sorted.
fn vservers_of(text: &mut Text, mut vservers: Vec<Vserver>) {
    let help = "Whether a virtual server is served: enabled, with a certificate, and its feature switched on.";
    let mut metric = text.metric("sluicegate_vserver_up", Type::Gauge, help);
    vservers.iter().take(VSERVERS_MAX).for_each(|one| metric.value(&[("vserver", &one.name)], u8::from(one.is_served)));
    let others = vservers.split_off(vservers.len().min(VSERVERS_MAX)).into_iter().reduce(|mut sum, one| {
        sum.totals.add(&one.totals);
        sum.times.iter_mut().zip(&one.times).for_each(|(mine, theirs)| mine.add(theirs));
        sum
    });
    vservers.extend(others.map(|sum| Vserver { name: OTHERS.to_owned(), ..sum }));
    let lists: Vec<_> = vservers.iter().map(|one| (one.name.as_str(), one.totals.list())).collect();
    counted(text, "sluicegate_vserver_", "vserver", &lists);

    let help = "How long launches took, by phase; `whole` is from the client's connect to the reply that told it \"connected\".";
    let mut metric = text.metric("sluicegate_launch_duration_seconds", Type::Histogram, help);
    for one in &vservers {
        for (phase, up_to) in Phase::ALL.iter().zip(&one.times) {
            let labels = [("vserver", one.name.as_str()), ("phase", phase.word())];
            metric.histogram(&labels, &LAUNCH_BOUNDS, &up_to.below, up_to.count, up_to.sum);
        }
    }
}

/// Counters by name, kind, help and value, for each thing that has them.
type List = Vec<(&'static str, Kind, &'static str, u64)>;

fn counted(text: &mut Text, prefix: &str, label: &'static str, all: &[(&str, List)]) {
    let Some((_, first)) = all.first() else { return };
    for (at, (name, kind, help, _)) in first.iter().enumerate() {
        let (base, is_time) = name.strip_suffix("_ns").map_or((*name, false), |base| (base, true));
        let unit = if is_time { "_seconds" } else { "" };
        let (kind, end) = match kind {
            Kind::Counter => (Type::Counter, "_total"),
            Kind::Gauge => (Type::Gauge, ""),
        };
        let help = if is_time { help.replace("in nanoseconds", "in seconds") } else { (*help).to_owned() };
        let mut metric = text.metric(&format!("{prefix}{base}{unit}{end}"), kind, &help);
        for (thing, list) in all {
            let Some((.., value)) = list.get(at) else { continue };
            if is_time {
                metric.value(&[(label, thing)], seconds(Duration::from_nanos(*value)));
            } else {
                metric.value(&[(label, thing)], value);
            }
        }
    }
}

fn reasons_of(text: &mut Text, workers: &[Worker]) {
    let mut sum = Totals::default();
    workers.iter().for_each(|worker| sum.add(&worker.totals));
    let help = "Sessions that ended, by reason and whose fault it was; see docs/operate/reasons.md.";
    let mut metric = text.metric("sluicegate_sessions_closed_total", Type::Counter, help);
    for reason in Reason::ALL {
        let blame = match reason.blame() {
            Blame::Nobody => "nobody",
            Blame::Client => "client",
            Blame::Host => "host",
            Blame::Sta => "sta",
            Blame::Operator => "operator",
            Blame::Gateway => "gateway",
        };
        metric.value(&[("reason", reason.word()), ("blame", blame)], sum.ended(*reason));
    }
}

fn stas_of(text: &mut Text, stas: &[StaStatus]) {
    // One that is bound twice would be one series twice.
    let stas: BTreeMap<_, _> = stas.iter().map(|sta| ((sta.vserver.as_str(), sta.url.as_str()), sta)).collect();
    let told = || stas.iter().take(STAS_MAX).map(|((vserver, url), sta)| ([("vserver", *vserver), ("sta", *url)], sta));
    let help = "Whether a ticket authority answered when it was last asked.";
    let mut metric = text.metric("sluicegate_sta_up", Type::Gauge, help);
    told().for_each(|(labels, sta)| metric.value(&labels, u8::from(sta.authority_id.is_some())));
    let help = "Whether another authority of the same virtual server has the same id.";
    let mut metric = text.metric("sluicegate_sta_ambiguous", Type::Gauge, help);
    told().for_each(|(labels, sta)| metric.value(&labels, u8::from(sta.ambiguous)));
}

fn configuration_of(text: &mut Text, configuration: &Configuration) {
    let help = "Changes of the configuration, by what became of them; one that failed has changed nothing.";
    let mut metric = text.metric("sluicegate_config_changes_total", Type::Counter, help);
    metric.value(&[("result", "done")], configuration.done);
    metric.value(&[("result", "failed")], configuration.failed);
    let help = "Whether the configuration file says what runs.";
    text.one("sluicegate_config_saved", Type::Gauge, help, u8::from(configuration.is_saved));
    let help = "When the configuration last changed, in seconds since 1970; 0 if it has not since the start.";
    let at = configuration.changed_at.map_or(0, unix);
    text.one("sluicegate_config_last_change_timestamp_seconds", Type::Gauge, help, at);
}

fn process_of(text: &mut Text, process: &Process, started: Option<SystemTime>) {
    if let Some(cpu) = process.cpu {
        let help = "Processor time that the process has used.";
        text.one("process_cpu_seconds_total", Type::Counter, help, seconds(cpu));
    }
    let gauges = [
        ("process_open_fds", "Descriptors that are open.", process.open_fds),
        ("process_max_fds", "Descriptors that may be open.", process.max_fds),
        ("process_resident_memory_bytes", "Memory that is resident.", process.resident_bytes),
        ("process_virtual_memory_bytes", "Memory that is mapped.", process.virtual_bytes),
        ("process_threads", "Threads.", process.threads),
        ("process_start_time_seconds", "When the process began, in seconds since 1970.", started.map(unix)),
    ];
    for (name, help, value) in gauges {
        if let Some(value) = value {
            text.one(name, Type::Gauge, help, value);
        }
    }
}

fn unix(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::text::SERIES_MAX;
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn vserver(name: &str) -> Vserver {
        let totals = ListenerTotals { launches: 2, up_bytes: 10, ..ListenerTotals::default() };
        let up_to = UpTo { below: vec![1; LAUNCH_BOUNDS.len()], count: 2, sum: Duration::from_secs(3) };
        Vserver { name: name.to_owned(), is_served: true, totals, times: vec![up_to; Phase::ALL.len()] }
    }

    fn worker(sessions: u64) -> Worker {
        let mut totals = Totals { sessions, busy_ns: 1_500_000_000, ..Totals::default() };
        totals.closed = vec![1; Reason::ALL.len()];
        Worker { is_alive: true, engine: "uring".to_owned(), totals, turns: Times::default() }
    }

    fn sta(vserver: &str, url: &str) -> StaStatus {
        let authority_id = Some("STA01".to_owned());
        StaStatus { vserver: vserver.to_owned(), url: url.to_owned(), authority_id, ambiguous: false, insecure: false }
    }

    fn many(vservers: usize, workers: usize, others: usize) -> Figures {
        Figures {
            vservers: (0..vservers).map(|n| vserver(&format!("gw{n:04}"))).collect(),
            workers: (0..workers).map(|_| worker(1)).collect(),
            stas: (0..others).map(|n| sta("gw0001", &format!("https://sta{n:04}.example"))).collect(),
            certificates: (0..others).map(|n| (format!("c{n:04}"), at(n as u64))).collect(),
            process: Process::read(),
            started: Some(at(5)),
            ..Figures::default()
        }
    }

    /// The series of a text: each name with its labels once, each below the head of its metric.
    fn series(text: &str) -> BTreeSet<&str> {
        let mut all = BTreeSet::new();
        let mut metric = "";
        for line in text.lines() {
            if let Some(head) = line.strip_prefix("# TYPE ") {
                metric = head.split(' ').next().unwrap();
            } else if !line.starts_with('#') {
                let (name, value) = line.rsplit_once(' ').unwrap();
                assert!(name.starts_with(metric), "{line} below {metric}");
                assert!(value.parse::<f64>().is_ok(), "{line}");
                assert!(all.insert(name), "twice: {name}");
            }
        }
        all
    }

    fn value<'t>(text: &'t str, series: &str) -> Option<&'t str> {
        text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))
    }

    #[test]
    fn figures_have_the_names_that_monitoring_expects() {
        let mut figures = many(1, 2, 1);
        figures.draining = Some(Duration::from_millis(1500));
        figures.configuration = Configuration { done: 3, failed: 1, changed_at: Some(at(77)), is_saved: true };
        let text = write(figures);
        series(&text);
        for (series, wanted) in [
            ("sluicegate_worker_alive{worker=\"1\",engine=\"uring\"}", "1"),
            ("sluicegate_worker_sessions{worker=\"0\"}", "1"),
            ("sluicegate_worker_busy_seconds_total{worker=\"0\"}", "1.500000000"),
            ("sluicegate_vserver_up{vserver=\"gw0000\"}", "1"),
            ("sluicegate_vserver_launches_total{vserver=\"gw0000\"}", "2"),
            ("sluicegate_launch_duration_seconds_bucket{vserver=\"gw0000\",phase=\"whole\",le=\"0.005\"}", "1"),
            ("sluicegate_launch_duration_seconds_count{vserver=\"gw0000\",phase=\"redeem\"}", "2"),
            ("sluicegate_turn_duration_seconds_bucket{le=\"+Inf\"}", "0"),
            ("sluicegate_sessions_closed_total{reason=\"finished\",blame=\"nobody\"}", "2"),
            ("sluicegate_sta_up{vserver=\"gw0001\",sta=\"https://sta0000.example\"}", "1"),
            ("sluicegate_certificate_expiry_timestamp_seconds{certkey=\"c0000\"}", "0"),
            ("sluicegate_config_changes_total{result=\"failed\"}", "1"),
            ("sluicegate_config_last_change_timestamp_seconds", "77"),
            ("sluicegate_draining", "1"),
            ("sluicegate_drain_remaining_seconds", "1.500000000"),
            ("process_start_time_seconds", "5"),
            ("sluicegate_metrics_left_out", "0"),
        ] {
            assert_eq!(value(&text, series), Some(wanted), "{series}\n{text}");
        }
    }

    #[test]
    fn however_much_is_configured_the_answer_is_bounded_and_nothing_is_left_out() {
        let text = write(many(600, 1024, 500));
        let found = series(&text).len();
        assert!(found <= SERIES_MAX && found > SERIES_MAX / 2, "{found}");
        assert_eq!(value(&text, "sluicegate_metrics_left_out"), Some("0"));
        let others = |prefix: &str, label: &str| value(&text, &format!("{prefix}{{{label}=\"(other)\"}}")).map(str::to_owned);
        assert_eq!(others("sluicegate_worker_sessions", "worker"), Some("960".to_owned()));
        assert_eq!(others("sluicegate_vserver_launches_total", "vserver"), Some("1072".to_owned()));
        let count = "sluicegate_launch_duration_seconds_count{vserver=\"(other)\",phase=\"whole\"}";
        assert_eq!(value(&text, count), Some("1072"));
        // Certificates that end first are told of.
        assert!(text.contains("certkey=\"c0127\"") && !text.contains("certkey=\"c0128\""));
    }

    #[test]
    fn what_is_there_twice_is_told_once() {
        let mut figures = many(0, 0, 0);
        figures.stas = vec![sta("gw", "https://a"), sta("gw", "https://a")];
        series(&write(figures));
    }
}
