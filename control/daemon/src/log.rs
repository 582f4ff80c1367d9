//! The log: one line per record on standard error, as text or JSON, as the configuration says.

use gate_config::model::{Log, LogFormat, LogLevel};
use tracing::level_filters::LevelFilter;

/// Starts to log. The first call in a process decides; later ones change nothing, which a program that embeds several gateways
/// may rely on.
pub(crate) fn start(log: Log) {
    let level = match log.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warning => LevelFilter::WARN,
        LogLevel::Informational => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let builder = tracing_subscriber::fmt().with_max_level(level).with_target(false).with_writer(std::io::stderr);
    // An error here means that somebody has set a subscriber before.
    let _ = match log.format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init(),
    };
}
