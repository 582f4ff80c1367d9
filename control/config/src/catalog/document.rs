//! The pages below `docs/config/`, written from the catalogue.

use std::fmt::Write;

use crate::answer::{Field, FieldKind};
use crate::model::SESSION_GROUP_CHARS_MAX;
use crate::model::authentication::{CLASSIC_RULE_CHARS_MAX, CLIENT_EXPRESSION_CHARS_MAX, EXPRESSION_CHARS_MAX};

use super::live::live;
use super::resolve::{Grammar, Target};
use super::{Argument, Command, Effect, Kind, Origin, Support, asks, commands, wider};

/// First line of every page.
const WRITTEN: &str = "<!-- Written from the catalogue of commands (control/config/src/catalog). Edit there; `UPDATE=1 cargo test -p gate-config` writes this page. -->\n";

/// Writing to a `String` cannot fail.
macro_rules! put {
    ($page:expr, $($text:tt)*) => { let _: std::fmt::Result = writeln!($page, $($text)*); };
}

/// All pages: file name and Markdown text.
#[must_use]
pub fn pages() -> Vec<(String, String)> {
    let mut pages = vec![("README.md".to_owned(), index())];
    let mut groups: Vec<&str> = commands().iter().map(|command| command.group).collect();
    groups.dedup();
    for group in groups {
        let mut page = format!("{WRITTEN}# `{group}`\n");
        for command in commands().iter().filter(|command| command.group == group) {
            section(&mut page, command);
        }
        pages.push((format!("{group}.md"), page));
    }
    pages.push(("expressions.md".to_owned(), format!("{WRITTEN}{}", crate::expr::page())));
    pages.push(("wider.md".to_owned(), wider_page()));
    pages.push(("asks.md".to_owned(), asks_page()));
    pages.push(("answers.schema.json".to_owned(), crate::schema::text()));
    pages
}

/// What can be said on the control socket beside changes.
fn asks_page() -> String {
    let mut page = format!("{WRITTEN}# On the control socket\n\n");
    page.push_str(
        "Beside the [commands of the configuration](README.md), which there take effect at once, the control socket understands the \
         commands below. None of them stands in a file.\n\n\
         - `show` of every object of the configuration lists its arguments with their defaults, what only the running gateway knows, and \
         what is bound to it; with a name, one object. `show ns …`, `save ns …`, `diff ns …` and `clear ns …` may leave `ns` out: \
         `show runningConfig`. `show x stats` is `stat x`.\n\
         - `-format json` answers with one JSON object: `errorcode`, `message`, `severity`, and the rows below a key of their own, which is \
         missing if there are none. A value that is not known or not set is `null`. What stands in every answer is in \
         [answers.schema.json](answers.schema.json).\n\
         - `-summary` shows a line for each row.\n\
         - Several commands on a line are divided by `;`.\n\
         - Who may only look may not say those with the level `change`.\n\n\
         | command | what it does | level |\n| --- | --- | --- |\n",
    );
    for ask in asks() {
        let anchor = ask.words.to_lowercase().replace(' ', "-");
        put!(page, "| [`{}`](#{anchor}) | {} | {} |", ask.words, ask.summary, ask.level.word());
    }
    for ask in asks() {
        let grammar = Grammar::of(&Target::Ask(ask));
        put!(page, "\n## {}\n\n{}", ask.words, ask.summary);
        if !ask.notes.is_empty() {
            put!(page, "\n{}", ask.notes);
        }
        put!(page, "\n```text\n{}\n```", synopsis(&grammar));
        if !(ask.positionals.is_empty() && ask.keywords.is_empty()) {
            put!(page, "\n| argument | value | default | meaning |\n| --- | --- | --- | --- |");
            let positionals = ask.positionals.iter().map(|a| (format!("&lt;{}&gt;", a.name), a));
            for (name, argument) in positionals.chain(ask.keywords.iter().map(|a| (format!("`-{}`", a.name), a))) {
                put!(page, "| {name} | {} | {} | {} |", takes(&argument.kind), argument.default, argument.help);
            }
        }
        if !ask.fields.is_empty() {
            put!(page, "\nRows of `{}`:", ask.title);
            answer_table(&mut page, ask.fields);
        }
        if ask.has_counters {
            put!(page, "\nAnd every counter of [counters.md](../operate/counters.md), its name in lowerCamel.");
        }
        put!(page, "\nExample: `{}`", ask.example);
    }
    page
}

/// Fields of an answer, those of inner rows behind theirs.
fn answer_table(page: &mut String, fields: &[Field]) {
    put!(page, "\n| key | value | meaning |\n| --- | --- | --- |");
    for field in fields {
        let value = match &field.kind {
            FieldKind::Text => "text".to_owned(),
            FieldKind::Number { unit } if unit.is_empty() => "number".to_owned(),
            FieldKind::Number { unit } => unit.to_string(),
            FieldKind::Flag => "true or false".to_owned(),
            FieldKind::List => "texts".to_owned(),
            FieldKind::Rows(_) | FieldKind::Lines(_) => "rows".to_owned(),
        };
        put!(page, "| `{}` | {value} | {} |", field.name, field.help);
        if let FieldKind::Rows(inner) | FieldKind::Lines(inner) = &field.kind {
            for within in &**inner {
                put!(page, "| `{}[].{}` | | {} |", field.name, within.name, within.help);
            }
        }
    }
}

/// What is recognised and has no effect.
fn wider_page() -> String {
    let mut page = format!("{WRITTEN}# The wider product\n\n");
    page.push_str(
        "These commands of NetScaler are recognised by name and verb. A line with one of them is kept as it is written and printed back in \
         its place; one warning for each kind says so, with the reason below. Nothing is known about their arguments, and none of them \
         does anything here. Words that are on no page are errors.\n\n| command | verbs | accepted, not implemented, since |\n\
         | --- | --- | --- |\n",
    );
    for (words, verbs, why) in wider::all() {
        let verbs: Vec<_> = verbs.into_iter().filter(|verb| !wider::is_ours(&words, verb)).collect();
        if !verbs.is_empty() {
            put!(page, "| `{words}` | {} | {why} |", verbs.join(" "));
        }
    }
    page
}

fn index() -> String {
    let mut page = format!("{WRITTEN}# Configuration\n\n");
    page.push_str(
        "The configuration is text in the grammar of NetScaler's `ns.conf`: one command per line, `#` begins a comment, a word with \
         blanks stands in quotes.\n\n\
         - Verbs, groups, objects, keywords and enumerated values may be written in any case and shortened as long as they are \
         unambiguous. Names keep their case, and two names never differ in case alone.\n\
         - Lines may stand in any order in which their references resolve.\n\
         - What can be said to a running gateway beside these commands is in [asks.md](asks.md).\n\
         - Rules of policies are written in the language of [expressions](expressions.md).\n\
         - The other commands of NetScaler are [recognised](wider.md), kept for printing back and without effect.\n\
         - A command or argument that is on no page is an error with line and column. With `--lenient` it is kept for printing back, \
         with a warning.\n\
         - Inside quotes `\\t \\n \\r \\\" \\' \\\\` are escapes. After a closing quote there must be a blank. A text with quotes in it is \
         also written `q/…/`, without escapes. An expression whose inner quotes have lost their backslashes, as pages print it, is \
         understood if it can mean one thing only, with a warning that shows the proper form.\n\
         - A value that begins with a dash stands in quotes.\n\
         - Files of certificates and keys are PEM; relative paths are below the configuration's own directory.\n\n\
         | object | what it is | verbs | whose |\n| --- | --- | --- | --- |\n",
    );
    for command in commands() {
        let verbs: Vec<_> = command.forms.iter().map(|form| form.op.word()).collect();
        let anchor = command.words.to_lowercase().replace(' ', "-");
        let origin = origin(command.origin);
        put!(
            page,
            "| [`{}`]({}.md#{anchor}) | {} | {} | {origin} |",
            command.words,
            command.group,
            command.summary,
            verbs.join(" ")
        );
    }
    page
}

const fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::NetScaler => "NetScaler",
        Origin::Extended => "NetScaler, extended",
        Origin::Sluicegate => "Sluicegate",
    }
}

fn section(page: &mut String, command: &'static Command) {
    put!(page, "\n## {}\n\n{}", command.words, command.summary);
    if !command.notes.is_empty() {
        put!(page, "\n{}", command.notes);
    }
    put!(page, "\n```text");
    for form in command.forms {
        put!(page, "{}", synopsis(&Grammar::of(&Target::Form(command, form))));
    }
    put!(page, "```");
    let arguments = arguments(command);
    let described = |a: &&Argument| a.support == Support::Full;
    if arguments.iter().any(described) {
        put!(page, "\n| argument | value | default | meaning |\n| --- | --- | --- | --- |");
        for argument in arguments.iter().copied().filter(described) {
            let positional = command.forms.iter().any(|form| form.positionals.iter().any(|a| a.name == argument.name));
            let name = if positional { format!("&lt;{}&gt;", argument.name) } else { format!("`-{}`", argument.name) };
            put!(page, "| {name} | {} | {} | {} |", takes(&argument.kind), argument.default, argument.help);
        }
    }
    let always: Vec<_> =
        arguments.iter().filter_map(|a| if let Support::Always(v) = a.support { Some((a, v)) } else { None }).collect();
    if !always.is_empty() {
        put!(page, "\nThe gateway always behaves so; another value is kept for printing back, with a warning:\n");
        for (argument, value) in always {
            put!(page, "- `-{} {value}`: {}", argument.name, argument.help);
        }
    }
    kept(page, command, &arguments);
    match command.effect {
        Effect::AtOnce => {
            put!(page, "\nA change takes effect at once.");
        }
        Effect::NewSessions => {
            put!(page, "\nA change takes effect for new sessions; running ones keep what they began with.");
        }
        Effect::Restart => {
            put!(page, "\nA change takes effect with the next start.");
        }
        Effect::Never(why) => {
            put!(page, "\nAccepted, not implemented: {why}. It is kept for printing back, with a warning.");
        }
    }
    if let Some(feature) = command.feature {
        put!(page, "Needs the feature `{}`.", feature.word());
    }
    if !live(command).is_empty() {
        put!(page, "\nBeside its arguments, `show` says what only the running gateway knows:");
        answer_table(page, live(command));
    }
    put!(page, "\nExamples:\n\n```text");
    for form in command.forms {
        put!(page, "{}", form.example);
    }
    put!(page, "```");
}

/// Arguments without effect: those of which more is known than the name in a table.
fn kept(page: &mut String, command: &Command, arguments: &[&'static Argument]) {
    let kept = arguments.iter().filter(|a| matches!(a.support, Support::Held | Support::Kept));
    let (known, named): (Vec<&Argument>, Vec<&Argument>) = kept.copied().partition(|a| !a.help.is_empty());
    let alone = matches!(command.effect, Effect::Never(_));
    if !known.is_empty() {
        if !alone {
            put!(
                page,
                "\nWithout effect. They are checked and kept for printing back, with a warning if they say something else than \
                 the default:"
            );
        }
        put!(page, "\n| argument | value | default | in NetScaler |\n| --- | --- | --- | --- |");
        for argument in known {
            put!(page, "| `-{}` | {} | {} | {} |", argument.name, takes(&argument.kind), argument.default, argument.help);
        }
    }
    if !named.is_empty() {
        let named: Vec<_> = named.iter().map(|a| format!("`-{}`", a.name)).collect();
        put!(page, "\nWithout effect, kept for printing back with a warning: {}.", named.join(", "));
    }
}

/// The arguments of all forms, each once; the first form that has one describes it.
fn arguments(command: &Command) -> Vec<&'static Argument> {
    let mut all: Vec<&'static Argument> = Vec::new();
    for argument in command.forms.iter().flat_map(|form| form.positionals.iter().chain(form.keywords)) {
        if !all.iter().any(|other| other.name == argument.name) {
            all.push(argument);
        }
    }
    all
}

/// How a command is written, as the reference of commands writes it.
#[must_use]
pub(crate) fn synopsis(grammar: &Grammar) -> String {
    let mut text = grammar.called();
    for argument in grammar.positionals {
        let name = if argument.kind.is_list() { format!("<{}> …", argument.name) } else { format!("<{}>", argument.name) };
        text.push_str(&if argument.required { format!(" {name}") } else { format!(" [{name}]") });
    }
    for argument in grammar.all_keywords().filter(|a| matches!(a.support, Support::Full | Support::Held)) {
        let keyword = match (&argument.kind, grammar.unset) {
            (Kind::Switch, _) | (_, true) => format!("-{}", argument.name),
            (Kind::Choice(words), _) => format!("-{} {}", argument.name, words.join("|")),
            (Kind::List(member, _), _) => format!("-{} <{}>,…", argument.name, short(member)),
            (kind, _) => format!("-{} <{}>", argument.name, short(kind)),
        };
        text.push_str(&if argument.required && !grammar.unset { format!(" {keyword}") } else { format!(" [{keyword}]") });
    }
    text
}

/// A kind in a synopsis.
fn short(kind: &Kind) -> String {
    match kind {
        Kind::Switch | Kind::Anything | Kind::Text | Kind::Word(..) => "text".to_owned(),
        Kind::Name => "name".to_owned(),
        Kind::SessionGroup => "group".to_owned(),
        Kind::Expression | Kind::ClassicRule | Kind::ClientExpression => "expression".to_owned(),
        Kind::Goto => "NEXT|END|priority|expression".to_owned(),
        Kind::Choice(words) => words.join("|"),
        Kind::Number { .. } => "number".to_owned(),
        Kind::Ip => "ip".to_owned(),
        Kind::Cidr => "network".to_owned(),
        Kind::CidrPort => "network[:port]".to_owned(),
        Kind::Ports => "port[-port]".to_owned(),
        Kind::HostPort(_) => "host[:port]".to_owned(),
        Kind::Listen(_) => "ip[:port]".to_owned(),
        Kind::DnsName => "dns name".to_owned(),
        Kind::Url => "url".to_owned(),
        Kind::File | Kind::Socket => "path".to_owned(),
        Kind::Secret => "password".to_owned(),
        Kind::List(member, _) => short(member),
    }
}

/// A kind in a table.
pub(crate) fn takes(kind: &Kind) -> String {
    match kind {
        Kind::Switch => "no value".to_owned(),
        Kind::Anything => "anything".to_owned(),
        Kind::Text => "text".to_owned(),
        Kind::Word(most, extra) => format!("at most {most} letters, digits and any of `{extra}`"),
        Kind::Name => "a name".to_owned(),
        Kind::SessionGroup => format!("the name of a group, at most {SESSION_GROUP_CHARS_MAX} characters"),
        Kind::Expression => format!("an expression of at most {EXPRESSION_CHARS_MAX} characters"),
        Kind::ClassicRule => format!("a rule in the old language, at most {CLASSIC_RULE_CHARS_MAX} characters"),
        Kind::ClientExpression => format!(
            "`sys.client_expr(\"…\")`, several with `&&` `\\|\\|` `!` and parentheses, at most {CLIENT_EXPRESSION_CHARS_MAX} characters"
        ),
        Kind::Goto => "`NEXT` `END` `USE_INVOCATION_RESULT`, a priority, or an expression".to_owned(),
        Kind::Choice(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" "),
        Kind::Number { min, max, unit } => format!("{unit}, {min} to {max}"),
        Kind::Ip => "an IPv4 or IPv6 address".to_owned(),
        Kind::Cidr => "a network such as `192.0.2.0/24`, or an address".to_owned(),
        Kind::CidrPort => "a network or an address, perhaps with a port: `10.0.0.0/8:1494`, `[2001:db8::/32]:1494`".to_owned(),
        Kind::Ports => "a port or a range: `1494`, `1494-1500`".to_owned(),
        Kind::HostPort(port) => format!("a host with a port, {port} if none is written"),
        Kind::Listen(port) => {
            format!("an IP address, perhaps with a port: `127.0.0.1:{port}`, `[::1]:{port}`; {port} if none is written")
        }
        Kind::DnsName => "a DNS name".to_owned(),
        Kind::Url => "`http://…` or `https://…`".to_owned(),
        Kind::File => "path of a file".to_owned(),
        Kind::Socket => "path of a Unix socket".to_owned(),
        Kind::Secret => "a password, never shown".to_owned(),
        Kind::List(member, most) => format!("up to {most}, with commas or blanks between: {}", takes(member)),
    }
}
