//! About the command line itself: help, names, who one is, and what the client does by itself.

use crate::answer::{Field, Layout};
use crate::catalog::{Argument, Kind, Origin};

use super::file::LINES;
use super::{ASK, Ask, What};

/// Words that one may ask help about.
const WORDS_MAX: usize = 4;
const WORDS: Argument =
    Argument::optional("words", Kind::List(&Kind::Text, WORDS_MAX), "A verb, a group, an object, or all of them.");

pub(super) const HELP: Ask = Ask {
    verb: "help",
    words: "help",
    title: "help",
    summary: "What can be said.",
    notes: "`help` lists the groups, `help vpn` the commands of one, `help add vpn vserver` the arguments of a command; `help -all` \
            lists every command.",
    positionals: &[WORDS],
    keywords: &[Argument::optional("all", Kind::Switch, "Every command.")],
    fields: LINES,
    layout: Layout::Lines,
    what: What::Help,
    example: "help vpn vserver",
    ..ASK
};

pub(super) const MAN: Ask = Ask {
    verb: "man",
    words: "man",
    title: "man",
    summary: "All about a command: synopsis, arguments, defaults, examples.",
    positionals: &[Argument::required("words", Kind::List(&Kind::Text, WORDS_MAX), "The command.")],
    fields: LINES,
    layout: Layout::Lines,
    what: What::Man,
    example: "man add vpn vserver",
    ..ASK
};

pub(super) const NAMES: Ask = Ask {
    verb: "show",
    group: "names",
    words: "show names",
    title: "names",
    summary: "Names of the objects of a kind, for completion.",
    origin: Origin::Sluicegate,
    positionals: &[
        Argument::required("group", Kind::Word(32, "_"), "First word of the kind: vpn."),
        Argument::required("object", Kind::Word(32, "_"), "Second word: vserver."),
    ],
    fields: &[Field::text("name", "Name", "Of an object.")],
    layout: Layout::Lines,
    what: What::Names,
    example: "show names vpn vserver",
    ..ASK
};

pub(super) const WHOAMI: Ask = Ask {
    verb: "whoami",
    words: "whoami",
    title: "whoami",
    summary: "As whom the gateway sees you, and what you may do.",
    fields: &[
        Field::number("uid", "Uid", "", "As the kernel says."),
        Field::number("gid", "Gid", "", "As the kernel says."),
        Field::number("pid", "PID", "", "As the kernel says."),
        Field::text("level", "Level", "`read` or `change`."),
    ],
    layout: Layout::Single,
    what: What::WhoAmI,
    example: "whoami",
    ..ASK
};

pub(super) const BATCH: Ask = Ask {
    verb: "batch",
    words: "batch",
    title: "batch",
    summary: "Carries out the lines of a file. sluicectl's own: the file is read where it runs.",
    notes: "The changes take effect together, after the last line. A wrong line changes nothing and does not stop the others.",
    positionals: &[],
    keywords: &[
        Argument::required("fileName", Kind::File, "The file."),
        Argument::optional("outfile", Kind::File, "Where the answers go.").or("the terminal"),
        Argument::optional("ntimes", Kind::Number { min: 1, max: 1000, unit: "times" }, "How often.").or("1"),
    ],
    layout: Layout::Single,
    what: What::Client,
    example: "batch -fileName changes.conf",
    ..ASK
};

pub(super) const SOURCE: Ask = Ask {
    verb: "source",
    words: "source",
    title: "source",
    summary: "As `batch`. sluicectl's own: the file is read where it runs.",
    positionals: &[Argument::required("fileName", Kind::File, "The file.")],
    layout: Layout::Single,
    what: What::Client,
    example: "source changes.conf",
    ..ASK
};

pub(super) const HISTORY: Ask = Ask {
    verb: "history",
    words: "history",
    title: "history",
    summary: "What was typed before. sluicectl's own.",
    layout: Layout::Single,
    what: What::Client,
    example: "history",
    ..ASK
};

pub(super) const ALIAS: Ask = Ask {
    verb: "alias",
    words: "alias",
    title: "alias",
    summary: "A short word for a command; without words, all there are. sluicectl's own.",
    positionals: &[
        Argument::optional("pattern", Kind::Word(32, "-_"), "The short word."),
        Argument::optional("replacement", Kind::List(&Kind::Text, 64), "What it stands for."),
    ],
    layout: Layout::Single,
    what: What::Client,
    example: "alias s show vpn icaConnection",
    ..ASK
};

pub(super) const UNALIAS: Ask = Ask {
    verb: "unalias",
    words: "unalias",
    title: "unalias",
    summary: "Forgets a short word. sluicectl's own.",
    positionals: &[Argument::required("pattern", Kind::Word(32, "-_"), "The short word.")],
    layout: Layout::Single,
    what: What::Client,
    example: "unalias s",
    ..ASK
};

pub(super) const CLS: Ask = Ask {
    verb: "cls",
    words: "cls",
    title: "cls",
    summary: "Clears the screen. sluicectl's own.",
    layout: Layout::Single,
    what: What::Client,
    example: "cls",
    ..ASK
};

const ON_OFF: Kind = Kind::Choice(&["ON", "OFF"]);

pub(super) const CLI_MODE: Ask = Ask {
    verb: "set",
    group: "cli",
    object: "mode",
    words: "set cli mode",
    title: "cliMode",
    summary: "How sluicectl shows things. Its own.",
    keywords: &[
        Argument::optional("page", ON_OFF, "Long answers by the page.").or("ON"),
        Argument::optional("color", ON_OFF, "Colours.").or("ON"),
        Argument::optional(
            "timeout",
            Kind::Number { min: 0, max: 86_400, unit: "seconds" },
            "Ends after so long without a command.",
        )
        .or("900"),
    ],
    layout: Layout::Single,
    what: What::Client,
    example: "set cli mode -page OFF",
    ..ASK
};

pub(super) const EXIT: Ask = Ask {
    verb: "exit",
    words: "exit",
    title: "exit",
    summary: "Ends the connection.",
    layout: Layout::Single,
    what: What::Exit,
    example: "exit",
    ..ASK
};

pub(super) const QUIT: Ask = Ask {
    verb: "quit",
    words: "quit",
    title: "quit",
    summary: "Ends the connection.",
    layout: Layout::Single,
    what: What::Exit,
    example: "quit",
    ..ASK
};
