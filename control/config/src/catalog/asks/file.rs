//! The file and the process: configuration running and saved, version, features, draining.

use crate::answer::{Field, Layout};
use crate::catalog::{Argument, Kind, Origin};

use super::{ASK, Ask, Level, What};

/// Longest time that a drain may take, in seconds: a week.
const DRAIN_SECONDS_MAX: u64 = 7 * 24 * 3600;

/// Text by the line.
pub(crate) const LINES: &[Field] = &[Field::text("line", "Line", "A line of text.")];

pub(super) const RUNNING: Ask = Ask {
    verb: "show",
    group: "ns",
    object: "runningConfig",
    words: "show ns runningConfig",
    title: "nsRunningConfig",
    summary: "The configuration that runs, as a file would say it.",
    notes: "It reads back equal. Passwords are hashes.",
    fields: LINES,
    layout: Layout::Lines,
    what: What::RunningConfig,
    example: "show ns runningConfig",
    ..ASK
};

pub(super) const SAVED: Ask = Ask {
    verb: "show",
    group: "ns",
    object: "savedConfig",
    words: "show ns savedConfig",
    title: "nsSavedConfig",
    summary: "The configuration with which the gateway would start.",
    fields: LINES,
    layout: Layout::Lines,
    what: What::SavedConfig,
    example: "show ns savedConfig",
    ..ASK
};

pub(super) const DIFF: Ask = Ask {
    verb: "diff",
    group: "ns",
    object: "config",
    words: "diff ns config",
    title: "nsConfig",
    summary: "What runs and is not saved, and what is saved and does not run.",
    fields: &[
        Field::text("object", "Object", "What it is about."),
        Field::text("change", "Change", "ADDED, REMOVED or CHANGED since the file was saved."),
        Field::text("effect", "Effect", "When the running gateway follows such a change."),
        Field::list("saved", "Saved", "Lines of the saved configuration only; secrets are masked."),
        Field::list("running", "Running", "Lines of the running configuration only; secrets are masked."),
    ],
    what: What::DiffConfig,
    example: "diff ns config",
    ..ASK
};

pub(super) const SAVE: Ask = Ask {
    verb: "save",
    group: "ns",
    object: "config",
    words: "save ns config",
    title: "nsConfig",
    summary: "Writes the running configuration to the file with which the gateway starts.",
    notes: "The files before it are kept as `.0` to `.4`; `.0` is the newest. The new file replaces the old one at once, so a stop at any \
            moment leaves one or the other.",
    fields: &[Field::text("file", "File", "What was written."), Field::number("lines", "Lines", "", "How many lines it has.")],
    layout: Layout::Single,
    level: Level::Change,
    what: What::SaveConfig,
    example: "save ns config",
    ..ASK
};

pub(super) const CLEAR: Ask = Ask {
    verb: "clear",
    group: "ns",
    object: "config",
    words: "clear ns config",
    title: "nsConfig",
    summary: "Takes the running configuration away. The saved one stays.",
    notes: "`basic` leaves what `set ns …` and `enable ns …` have said; `extended` leaves `set ns config`, `set ns hostName` and \
            `set ns worker`; `full` leaves `set ns config`, without which nobody could connect to undo it. Running sessions go on.",
    origin: Origin::NetScaler,
    positionals: &[Argument::required("level", Kind::Choice(&["basic", "extended", "full"]), "How much.")],
    keywords: &[Argument::optional("force", Kind::Switch, "Without asking.")],
    layout: Layout::Single,
    level: Level::Change,
    what: What::ClearConfig,
    example: "clear ns config -force basic",
    ..ASK
};

pub(super) const RELOAD: Ask = Ask {
    verb: "reload",
    words: "reload",
    title: "reload",
    summary: "Reads the saved configuration again and applies the difference.",
    notes: "What the signal HUP does. If the file has an error, nothing changes. Files of certificates and keys are read again, too.",
    origin: Origin::Sluicegate,
    fields: &[
        Field::number("added", "Added", "", "Objects that are new."),
        Field::number("removed", "Removed", "", "Objects that are no more."),
        Field::number("changed", "Changed", "", "Objects that have changed."),
        Field::list("restart", "Restart", "Objects whose change takes effect with the next start."),
    ],
    layout: Layout::Single,
    level: Level::Change,
    what: What::Reload,
    example: "reload",
    ..ASK
};

pub(super) const INFO: Ask = Ask {
    verb: "show",
    group: "ns",
    object: "info",
    words: "show ns info",
    title: "nsInfo",
    summary: "What runs here, since when, and with which configuration.",
    origin: Origin::Extended,
    fields: &[
        Field::text("version", "Version", "Of the gateway."),
        Field::text("hostName", "Host name", "As set by `set ns hostName`."),
        Field::number("pid", "PID", "", "Of the process."),
        Field::text("started", "Started", "When, UTC."),
        Field::number("uptimeSeconds", "Uptime", "seconds", "Since then."),
        Field::text("configFile", "Config file", "With which it starts."),
        Field::number("snapshot", "Snapshot", "", "Number of the configuration in force."),
        Field::text("lastChange", "Last change", "When the configuration was last changed, UTC."),
        Field::text("lastSaved", "Last saved", "When it was last saved, UTC."),
        Field::flag("configChanged", "Config changed", "Whether it differs from the saved one."),
        Field::list("restart", "Restart", "Objects whose change takes effect with the next start."),
        Field::number("workers", "Workers", "", "Worker threads."),
        Field::text("state", "State", "RUNNING or DRAINING."),
    ],
    layout: Layout::Single,
    what: What::Info,
    example: "show ns info",
    ..ASK
};

pub(super) const VERSION: Ask = Ask {
    verb: "show",
    group: "ns",
    object: "version",
    words: "show ns version",
    title: "nsVersion",
    summary: "The version of the gateway.",
    fields: &[Field::text("version", "Version", "`Sluicegate SG0.1: Build 0`.")],
    layout: Layout::Lines,
    what: What::Version,
    example: "show ns version",
    ..ASK
};

pub(super) const FEATURE: Ask = Ask {
    verb: "show",
    group: "ns",
    object: "feature",
    words: "show ns feature",
    title: "nsFeature",
    summary: "Which features are on.",
    fields: &[
        Field::text("feature", "Feature", "As `enable ns feature` takes it."),
        Field::text("status", "Status", "ON or OFF."),
        Field::text("effect", "Effect", "FULL, ALWAYS on, or NONE: kept for printing back."),
    ],
    layout: Layout::Table,
    what: What::Features,
    example: "show ns feature",
    ..ASK
};

pub(super) const DRAIN: Ask = Ask {
    verb: "drain",
    words: "drain",
    title: "drain",
    summary: "Takes no new sessions, waits for the running ones, then stops.",
    notes: "The listeners are closed at once. When the last session has ended, or the time is over, the gateway stops; sessions that still \
            run then end with `SG-1501`, `drained`. `show ns drain` says how far it is. Said again, it moves the end.\n\n\
            Until then `drain -cancel` takes it back: virtual servers listen again where they did, and sessions that still run go on. \
            If an address is in use by somebody else meanwhile, that is refused and the drain goes on.",
    origin: Origin::Sluicegate,
    keywords: &[
        Argument::optional("within", Kind::Number { min: 0, max: DRAIN_SECONDS_MAX, unit: "seconds" }, "How long to wait.")
            .or("300"),
        Argument::optional("cancel", Kind::Switch, "Ends a drain before its time: new sessions are taken again."),
    ],
    fields: DRAIN_FIELDS,
    layout: Layout::Single,
    level: Level::Change,
    what: What::Drain,
    example: "drain -within 600",
    ..ASK
};

const DRAIN_FIELDS: &[Field] = &[
    Field::text("state", "State", "RUNNING, DRAINING or DRAINED."),
    Field::number("sessions", "Sessions", "", "Sessions that still run."),
    Field::number("ended", "Ended", "", "Sessions that have ended since the drain began."),
    Field::number("elapsedSeconds", "Elapsed", "seconds", "Since it began."),
    Field::number("remainingSeconds", "Remaining", "seconds", "Until those that still run are ended."),
];

pub(super) const SHOW_DRAIN: Ask = Ask {
    verb: "show",
    group: "ns",
    object: "drain",
    words: "show ns drain",
    title: "nsDrain",
    summary: "How far a drain is.",
    origin: Origin::Sluicegate,
    fields: DRAIN_FIELDS,
    layout: Layout::Single,
    what: What::ShowDrain,
    example: "show ns drain",
    ..ASK
};
