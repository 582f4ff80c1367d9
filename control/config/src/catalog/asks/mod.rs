//! Asks: commands that change no configuration by themselves. They show, count, end sessions, and see to the file and the process.
//!
//! ```text
//!   words ─resolve─► Ask ─arguments─► AskOrder ─► whoever runs the gateway answers, in rows of the ask's fields
//! ```
//!
//! What they mean for the running gateway is not known here; [`What`] names each for whoever carries it out.

use crate::answer::{Field, Layout};
use sluice_link::count::{Kind as CountKind, Totals};

pub(crate) use file::LINES;

use super::{Argument, Kind, Origin};

mod file;
mod login;
mod own;
mod session;
mod stat;

/// All asks, by verb, in the order of their page.
#[must_use]
pub fn asks() -> &'static [&'static Ask] {
    &[
        &session::SHOW_ICA,
        &session::KILL_ICA,
        &session::SHOW_AAA,
        &session::KILL_AAA,
        &login::FLOW,
        &login::TEST,
        &login::TRACE,
        &login::UNLOCK,
        &session::SHOW_WORKER,
        &session::SHOW_STA,
        &stat::VSERVER,
        &stat::VPN,
        &stat::AAA,
        &stat::SSL,
        &stat::WORKER,
        &stat::NS,
        &file::RUNNING,
        &file::SAVED,
        &file::DIFF,
        &file::SAVE,
        &file::CLEAR,
        &file::RELOAD,
        &file::INFO,
        &file::VERSION,
        &file::FEATURE,
        &file::DRAIN,
        &file::SHOW_DRAIN,
        &own::HELP,
        &own::MAN,
        &own::NAMES,
        &own::WHOAMI,
        &own::BATCH,
        &own::SOURCE,
        &own::HISTORY,
        &own::ALIAS,
        &own::UNALIAS,
        &own::CLS,
        &own::CLI_MODE,
        &own::EXIT,
        &own::QUIT,
    ]
}

/// A command that changes no configuration by itself.
#[derive(Debug)]
pub struct Ask {
    /// First word: `show`.
    pub verb: &'static str,
    /// Second word: `vpn`. Empty if there is none.
    pub group: &'static str,
    /// Third word: `icaConnection`. Empty if there is none.
    pub object: &'static str,
    /// All of them, as they are printed.
    pub words: &'static str,
    /// Key of its rows in JSON.
    pub title: &'static str,
    /// What it does, in a line.
    pub summary: &'static str,
    /// What one should know; Markdown, may be empty.
    pub notes: &'static str,
    /// Whose command it is.
    pub origin: Origin,
    /// Words that come first, in this order.
    pub positionals: &'static [Argument],
    /// Words with a dash, in any order; beside these there are the [`common`](Self::common) ones.
    pub keywords: &'static [Argument],
    /// What its rows say; beside these there are the counters of the data plane if it [`has_counters`](Self::has_counters).
    pub fields: &'static [Field],
    /// Whether every row also has all counters of the data plane.
    pub has_counters: bool,
    /// How its rows are laid out as text.
    pub layout: Layout,
    /// Who may say it.
    pub level: Level,
    /// Which it is.
    pub what: What,
    /// An example.
    pub example: &'static str,
}

/// What a peer of the control socket may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Look.
    Read,
    /// Change the configuration, end sessions.
    Change,
}

impl Level {
    /// As it is written.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Change => "change",
        }
    }
}

/// Which ask it is, for whoever carries it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum What {
    /// `show vpn icaConnection`
    ShowIcaConnections,
    /// `kill vpn icaConnection`
    KillIcaConnections,
    /// `show aaa session`
    ShowAaaSessions,
    /// `kill aaa session`
    KillAaaSessions,
    /// `show authentication flow`; [`ask`](crate::show::ask) answers it.
    ShowFlow,
    /// `test authentication`
    TestLogin,
    /// `show authentication trace`
    ShowTrace,
    /// `unlock aaa user`
    UnlockUser,
    /// `show worker`
    ShowWorkers,
    /// `show sta`
    ShowStas,
    /// `stat vpn vserver`
    StatVservers,
    /// `stat vpn`
    StatVpn,
    /// `stat aaa`
    StatAaa,
    /// `stat ssl`
    StatSsl,
    /// `stat worker`
    StatWorkers,
    /// `stat ns`
    StatNs,
    /// `show ns runningConfig`; [`ask`](crate::show::ask) answers it.
    RunningConfig,
    /// `show ns savedConfig`
    SavedConfig,
    /// `diff ns config`
    DiffConfig,
    /// `save ns config`
    SaveConfig,
    /// `clear ns config`
    ClearConfig,
    /// `reload`
    Reload,
    /// `show ns info`
    Info,
    /// `show ns version`
    Version,
    /// `show ns feature`; [`ask`](crate::show::ask) answers it.
    Features,
    /// `drain`
    Drain,
    /// `show ns drain`
    ShowDrain,
    /// `help`; [`ask`](crate::show::ask) answers it.
    Help,
    /// `man`; [`ask`](crate::show::ask) answers it.
    Man,
    /// `show names`; [`ask`](crate::show::ask) answers it.
    Names,
    /// `whoami`
    WhoAmI,
    /// `batch`, `source`, `history`, `alias`, `unalias`, `cls`, `set cli mode`: the client's own; on the socket they are refused.
    Client,
    /// `exit`, `quit`: ends the connection.
    Exit,
}

const FORMATS: &[&str] = &["text", "json"];

const FORMAT: Argument = Argument::optional("format", Kind::Choice(FORMATS), "How the answer is written.").or("text");
const SUMMARY: Argument = Argument::optional(
    "summary",
    Kind::Switch,
    "One line for each, with the columns that matter most, as many as fit into 120 characters.",
);

/// Arguments that every `show` and `stat` of rows takes.
pub(crate) const COMMON: &[Argument] = &[SUMMARY, FORMAT];
/// Arguments that every other ask takes.
const COMMON_ONE: &[Argument] = &[FORMAT];

impl Ask {
    /// Arguments that it has in common with others.
    #[must_use]
    pub const fn common(&self) -> &'static [Argument] {
        if matches!(self.what, What::ShowFlow) {
            // It has a way of writing of its own.
            return &[];
        }
        match self.layout {
            Layout::Numbered | Layout::Table => COMMON,
            Layout::Single | Layout::Lines => COMMON_ONE,
        }
    }

    /// Whether it must say by a keyword which ones it is about.
    pub(crate) const fn needs_one(&self) -> bool {
        matches!(self.what, What::KillIcaConnections | What::KillAaaSessions)
    }

    /// What its rows say, the counters of the data plane included.
    #[must_use]
    pub fn all_fields(&self) -> Vec<Field> {
        let mut fields = self.fields.to_vec();
        if self.has_counters {
            fields.extend(Totals::default().list().into_iter().map(|(name, kind, help, _)| {
                let mut field = Field::number("", "", "", help);
                field.name = super::lower_camel(name).into();
                field.label = super::label(name).into();
                if kind == CountKind::Gauge {
                    field.help = format!("{help} Goes up and down.").into();
                }
                field
            }));
        }
        fields
    }
}

/// The start of an ask, for the tables of this folder.
const ASK: Ask = Ask {
    verb: "",
    group: "",
    object: "",
    words: "",
    title: "",
    summary: "",
    notes: "",
    origin: Origin::NetScaler,
    positionals: &[],
    keywords: &[],
    fields: &[],
    has_counters: false,
    layout: Layout::Numbered,
    level: Level::Read,
    what: What::Help,
    example: "",
};
