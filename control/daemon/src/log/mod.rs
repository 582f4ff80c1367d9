//! The log: one line per record on standard error.
//!
//! ```text
//!   event ─► level? ─► Record (bounded) ─► encode: text or JSON ─► queue (bounded) ─► writer thread ─► standard error
//!             ▲                                                      └─► full: counted, and said once there is room
//!             └── set: takes effect at once, while everything runs
//! ```
//!
//! Whoever logs never waits for whoever reads: a pipe that nobody empties costs log lines, which are counted, and nothing else.
//! Every value goes through one encoder, so no name that a stranger chose can forge a line ([`encode`]).

mod encode;
mod record;
mod sink;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::time::SystemTime;

use gate_config::model::{Log, LogFormat, LogLevel};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use self::encode::Style;
use self::record::Record;
use self::sink::Sink;

static ENCODER: OnceLock<&'static Encoder> = OnceLock::new();

/// Starts to log. The first call in a process decides where to; later ones change what is logged, as [`set`] does. A program
/// that embeds the gateway and has a log of its own keeps that.
pub(crate) fn start(log: Log) {
    let encoder: &'static Encoder = ENCODER.get_or_init(|| {
        let plain = Style::of_stderr();
        Box::leak(Box::new(Encoder { level: AtomicU8::new(0), json: AtomicU8::new(0), plain, sink: Sink::stderr() }))
    });
    set(log);
    // An error here means that somebody has set a subscriber before: the embedding program, or we ourselves.
    let _ = tracing::subscriber::set_global_default(Registry::default().with(encoder));
}

/// Changes what is logged, at once.
pub(crate) fn set(log: Log) {
    let Some(encoder) = ENCODER.get() else { return };
    encoder.level.store(rank(log.level), Relaxed);
    encoder.json.store(u8::from(log.format == LogFormat::Json), Relaxed);
    // Who is interested in what is remembered at each place that logs.
    tracing::callsite::rebuild_interest_cache();
}

/// Waits until everything that was logged has been written, or the reader has shown for a while that it does not read.
pub(crate) fn flush() {
    if let Some(encoder) = ENCODER.get() {
        encoder.sink.flush();
    }
}

const fn rank(level: LogLevel) -> u8 {
    match level {
        LogLevel::Error => 0,
        LogLevel::Warning => 1,
        LogLevel::Informational => 2,
        LogLevel::Debug => 3,
        LogLevel::Trace => 4,
    }
}

/// What is set, and where lines go.
struct Encoder {
    level: AtomicU8,
    json: AtomicU8,
    /// How text looks on this standard error.
    plain: Style,
    sink: Sink,
}

impl Encoder {
    fn filter(&self) -> LevelFilter {
        match self.level.load(Relaxed) {
            0 => LevelFilter::ERROR,
            1 => LevelFilter::WARN,
            2 => LevelFilter::INFO,
            3 => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        }
    }
}

impl<S: Subscriber> Layer<S> for &'static Encoder {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        *metadata.level() <= self.filter()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.filter())
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let record = Record::of(event, now());
        let style = if self.json.load(Relaxed) == 1 { Style::Json } else { self.plain };
        self.sink.line(encode::line(&record, style));
    }
}

fn now() -> SystemTime {
    #[expect(clippy::disallowed_methods, reason = "log lines carry the time of day; nothing is decided by it")]
    SystemTime::now()
}
