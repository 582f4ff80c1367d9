//! More handshakes than the gateway can do, beside running streams: these must hardly notice.
//!
//! ```text
//!   core 0: sluicegate (1 worker, control thread)        core 1: first flights, and the two ends of the streams (streams first)
//!
//!   streams alone ─► first flights alone, closed loop: what it can do ─► streams, running, beside so many times that
//! ```
//!
//! What is judged is a ratio within a round: the 99th percentile of keystrokes beside the storm to that of the same streams alone.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;

use clap::Args;

use crate::beside::{self, Rank, p99, p99_since_sent, percentiles, shown};
use crate::drive::Crew;
use crate::fault::Fault;
use crate::progress::Progress;
use crate::report::{Outcome, Provenance, say};
use crate::scenario::Scenario;
use crate::stage::{self, Gateway, Key, Wish};

/// Most connections of the storm at a time: as many as come within their patience at any rate that one core can offer.
const STORM_CONNECTIONS: &str = "8000";
/// Connections at a time that keep a gateway busy which has nothing else to do.
const BUSY_CONNECTIONS: &str = "64";

/// How to do it.
#[derive(Clone, Debug, Args)]
pub(crate) struct Plan {
    #[command(flatten)]
    scenario: Scenario,
    /// How many times as many first flights are offered as the gateway does when it has nothing else to do.
    #[arg(long, default_value_t = 4.0)]
    times: f64,
    /// The gateway's key. On a fast machine nobody who shares a core with the streams' ends can begin four times as many first flights as
    /// the gateway answers with P-256.
    #[arg(long, value_enum, default_value_t = Key::P256)]
    key: Key,
    /// AUTO, URING or MIO.
    #[arg(long, default_value = "AUTO")]
    engine: String,
    /// Seconds of a window.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
}

/// What came of one round.
struct Round {
    quiet: Outcome,
    /// First flights alone, as fast as they are answered.
    able: Outcome,
    /// First flights beside streams.
    storm: Outcome,
    beside: Outcome,
}

impl Round {
    fn ratio(&self) -> f64 {
        p99(&self.beside) / p99(&self.quiet).max(1.0)
    }

    /// The same, less what the generator was late by.
    fn ratio_since_sent(&self) -> f64 {
        p99_since_sent(&self.beside) / p99_since_sent(&self.quiet).max(1.0)
    }

    /// First flights per second that the gateway does when it has nothing else to do.
    fn able(&self) -> f64 {
        self.able.units / self.able.seconds
    }

    /// First flights per second that were begun in the storm.
    #[expect(clippy::cast_precision_loss, reason = "a figure to print")]
    fn offered(&self) -> f64 {
        (self.storm.units + self.storm.failed as f64) / self.storm.seconds
    }
}

/// Runs it.
pub(crate) fn run(plan: &Plan) -> Result<(), Fault> {
    plan.scenario.play(|dir| overload(plan, dir))
}

fn overload(plan: &Plan, dir: &Path) -> Result<(), Fault> {
    let seconds = if plan.scenario.quick { 0.5 } else { plan.seconds };
    stage::certificates(dir, plan.key)?;
    let (_sink, host) = stage::sink(Rank::Streams)?;
    let lines = format!("set ns worker -engine {} -sessions 16384\n", plan.engine);
    let gateway = Gateway::start(&Wish::under_load(&plan.scenario.gateway, dir, &[host], &lines))?;
    let mut done = Vec::new();
    for number in 1..=plan.scenario.rounds() {
        let round = round(plan.times, &gateway, dir, host, seconds)?;
        say(&format!(
            "round {number}: able to {:.0} first flights/s, {:.0} begun, {:.0} answered; streams p99 {:.0} µs alone, {:.0} µs beside: {:.2}, since sent {:.2}",
            round.able(),
            round.offered(),
            round.storm.units / round.storm.seconds,
            p99(&round.quiet),
            p99(&round.beside),
            round.ratio(),
            round.ratio_since_sent()
        ));
        done.push(round);
    }
    let table = table(&done);
    say(&table);
    plan.scenario.write(if plan.key == Key::P256 { "overload" } else { "overload-rsa" }, &table)
}

fn round(times: f64, gateway: &Gateway, dir: &Path, host: SocketAddr, seconds: f64) -> Result<Round, Fault> {
    let streams = || ready(Rank::Streams, beside::streams(gateway, dir, host, seconds));
    let flights = |connections, rate: Option<f64>| {
        let mut args = beside::load(&["hello", "--connections", connections, "--sources", "16"], gateway, dir, seconds);
        args.extend(rate.iter().flat_map(|rate| ["--rate".to_owned(), rate.to_string(), "--warm-up".to_owned(), "1".to_owned()]));
        ready(Rank::Storm, args)
    };
    // A storm keeps both cores awake by itself, and would have to give some of its time to whoever does that.
    let awake = beside::awake();
    let mut quiet = streams()?;
    quiet.go()?;
    let quiet = quiet.finish()?;
    drop(awake);
    let mut able = flights(BUSY_CONNECTIONS, None)?;
    able.go()?;
    let able = able.finish()?;
    let mut beside = streams()?;
    let mut storm = flights(STORM_CONNECTIONS, Some(times * able.units / able.seconds))?;
    beside.go()?;
    storm.go()?;
    Ok(Round { quiet, able, beside: beside.finish()?, storm: storm.finish()? })
}

/// A load of one process whose connections are up and whose warm-up is over.
fn ready(rank: Rank, args: Vec<String>) -> Result<Crew, Fault> {
    let args: Vec<OsString> = args.into_iter().map(OsString::from).collect();
    let mut crew = Crew::begin(rank, &args, 1)?;
    crew.ready(&mut Progress::new(false))?;
    Ok(crew)
}

fn table(rounds: &[Round]) -> String {
    let from = Provenance::here();
    let of = |figure: fn(&Round) -> f64, digits| shown(rounds.iter().map(figure), digits);
    format!(
        "Machine: {}. Load average {:.1}. Commit: `{}`.\nCommand: `{}`.\n\n\
         | first flights a second (a hello, answered with keys and a signature, then gone) | |\n| --- | --- |\n\
         | done with nothing else to do, 64 at a time | {} |\n| begun in the storm | {} |\n| times what can be done | {} |\n\
         | answered in the storm, within 250 ms | {} |\n\n\
         | µs | p50 | p90 | p99 | p99.9 | highest |\n| --- | --- | --- | --- | --- | --- |\n\
         | keystrokes of 50 streams, alone | {} |\n| the same beside the storm | {} |\n\n\
         p99 of streams beside the storm to p99 alone: **{}**. From when each was really sent, {} µs to {} µs: **{}**.",
        from.machine,
        from.load_average,
        from.commit,
        from.command,
        of(Round::able, 0),
        of(Round::offered, 0),
        of(|round| round.offered() / round.able(), 1),
        of(|round| round.storm.units / round.storm.seconds, 0),
        percentiles(rounds.iter().map(|round| &round.quiet)),
        percentiles(rounds.iter().map(|round| &round.beside)),
        of(Round::ratio, 2),
        of(|round| p99_since_sent(&round.beside), 0),
        of(|round| p99_since_sent(&round.quiet), 0),
        of(Round::ratio_since_sent, 2),
    )
}
