//! `ns`: the gateway itself — its sockets, features, name, workers, limits and log.

use std::time::Duration;

use sluice_link::snapshot::Limits;

use crate::code::Code;
use crate::model::{Engine, Log, LogFormat, LogLevel, Model, Paths, Worker};
use crate::print::{Writer, millis};
use crate::text::lex::Span;

use super::site::{Note, Refused, Site};
use super::{Argument, Command, Effect, Feature, Form, Kind, Op, Origin, Rank, Said, Value};

/// Most workers, and most cores that can be named.
const WORKERS_MAX: u64 = 1024;
/// Most sessions of a worker.
const SESSIONS_MAX: u64 = 1 << 20;
const MINUTE_MS: u64 = 60_000;
const WEEK_MS: u64 = 7 * 24 * 60 * MINUTE_MS;

/// `set ns config`
pub(super) const CONFIG: Command = Command {
    group: "ns",
    object: "config",
    words: "ns config",
    summary: "The gateway's own Unix sockets, and who may use them.",
    notes: "The control socket is for root, for the user that the gateway runs as, and for members of the two groups. A group is \
            looked up in `/etc/group`, or given by its number; one that does not exist has no members, and the log says so. Other \
            groups hold from the next connection on, other paths from the next start. See `docs/operate/control-socket.md`.",
    origin: Origin::Extended,
    feature: None,
    effect: Effect::Restart,
    forms: &[
        Form {
            op: Op::Set,
            positionals: &[],
            keywords: CONFIG_KEYWORDS,
            example: "set ns config -innerSocket /run/east/inner.sock -controlSocket /run/east/control.sock -readGroup adm",
            apply: config,
            print: Some((Rank::NsConfig, print_config)),
        },
        Form {
            op: Op::Unset,
            positionals: &[],
            keywords: CONFIG_KEYWORDS,
            example: "unset ns config -controlSocket -readGroup",
            apply: config,
            print: None,
        },
    ],
};

const CONFIG_KEYWORDS: &[Argument] = &[
    Argument::optional("innerSocket", Kind::Socket, "Where workers bring connections that speak HTTP, for the portal to serve.")
        .or("/run/sluicegate/inner.sock"),
    Argument::optional("controlSocket", Kind::Socket, "Where the operator's tool connects.").or("/run/sluicegate/control.sock"),
    Argument::optional("readGroup", GROUP, "Whose members may use `show`, `stat` and `diff` on the control socket.").or("nobody"),
    Argument::optional("changeGroup", GROUP, "Whose members may also change, kill, save and drain there.").or("nobody"),
    Argument::kept("IPAddress"),
    Argument::kept("netmask"),
    Argument::kept("nsvlan"),
    Argument::kept("ifnum"),
    Argument::kept("tagged"),
];

/// A Unix group: its name, or its number.
const GROUP: Kind = Kind::Word(32, "_-.$");

fn config(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    something(said)?;
    let default = Paths::default();
    let paths = &mut site.model.paths;
    said.put("innerSocket", &mut paths.inner_socket, default.inner_socket, |s| s.text("innerSocket").map(Into::into));
    said.put("controlSocket", &mut paths.control_socket, default.control_socket, |s| s.text("controlSocket").map(Into::into));
    let operators = &mut site.model.operators;
    said.put("readGroup", &mut operators.read_group, None, |s| s.text("readGroup").map(|group| Some(group.into())));
    said.put("changeGroup", &mut operators.change_group, None, |s| s.text("changeGroup").map(|group| Some(group.into())));
    site.keep_arguments(said, "");
    Ok(())
}

fn print_config(model: &Model, out: &mut Writer<'_>) {
    let default = Paths::default();
    out.line(Op::Set, &CONFIG, "")
        .differs("innerSocket", &model.paths.inner_socket, &default.inner_socket, |path| path.display().to_string())
        .differs("controlSocket", &model.paths.control_socket, &default.control_socket, |path| path.display().to_string())
        .keyword_if("readGroup", model.operators.read_group.as_deref())
        .keyword_if("changeGroup", model.operators.change_group.as_deref())
        .end();
}

/// `enable ns feature`
pub(super) const FEATURE: Command = Command {
    group: "ns",
    object: "feature",
    words: "ns feature",
    summary: "What is switched on.",
    notes: "`SSLVPN` serves the virtual servers, `AAA` lets users log in; without them, what belongs to them is configured and rests. \
            `SSL` is always on. The other features of NetScaler are kept for printing back and have no effect.",
    origin: Origin::NetScaler,
    feature: None,
    effect: Effect::AtOnce,
    forms: &[
        Form {
            op: Op::Enable,
            positionals: FEATURE_WORDS,
            keywords: &[],
            example: "enable ns feature SSLVPN AAA",
            apply: feature,
            print: Some((Rank::NsFeature, print_feature)),
        },
        Form {
            op: Op::Disable,
            positionals: FEATURE_WORDS,
            keywords: &[],
            example: "disable ns feature AAA",
            apply: feature,
            print: None,
        },
    ],
};

const FEATURE_WORDS: &[Argument] =
    &[Argument::required("feature", Kind::List(&Kind::Choice(FEATURES), 64), "One or more features.")];

const FEATURES: &[&str] = &[
    "SSLVPN",
    "AAA",
    "SSL",
    "WL",
    "SP",
    "LB",
    "CS",
    "CR",
    "SC",
    "CMP",
    "PQ",
    "GSLB",
    "HDOSP",
    "CF",
    "IC",
    "OSPF",
    "RIP",
    "BGP",
    "REWRITE",
    "IPv6PT",
    "AppFw",
    "RESPONDER",
    "HTMLInjection",
    "push",
    "AppFlow",
    "CloudBridge",
    "ISIS",
    "CH",
    "AppQoE",
    "contentaccelerator",
    "RISE",
    "feo",
    "LSN",
    "RDPProxy",
    "Rep",
    "URLFiltering",
    "VideoOptimization",
    "ForwardProxy",
    "SSLInterception",
    "AdaptiveTCP",
    "CQA",
    "CI",
    "Bot",
    "APIGateway",
];

fn feature(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    let on = said.form.op == Op::Enable;
    let mut without: Vec<(&'static str, Span)> = Vec::new();
    for (value, span) in said.given("feature").into_iter().flat_map(|given| &given.values) {
        let Value::Choice(word) = value else { continue };
        let features = &mut site.model.features;
        if *word == Feature::SslVpn.word() {
            features.ssl_vpn = on;
        } else if *word == Feature::Aaa.word() {
            features.aaa = on;
        } else if *word != "SSL" {
            if on {
                features.without_effect.insert((*word).into());
                without.push((word, *span));
            } else {
                features.without_effect.remove(*word);
            }
        }
    }
    if let Some((_, at)) = without.first() {
        let words: Vec<_> = without.iter().map(|(word, _)| *word).collect();
        let about = words.join(" ");
        site.warn(Note::new(Code::NotImplemented, *at, about, "kept for printing back, without effect in this gateway"));
    }
    Ok(())
}

fn print_feature(model: &Model, out: &mut Writer<'_>) {
    let features = &model.features;
    let ours = [(features.ssl_vpn, Feature::SslVpn), (features.aaa, Feature::Aaa)];
    let mut words: Vec<&str> = ours.into_iter().filter(|(on, _)| *on).map(|(_, feature)| feature.word()).collect();
    words.extend(features.without_effect.iter().map(|word| &**word));
    if !words.is_empty() {
        words.into_iter().fold(out.line(Op::Enable, &FEATURE, ""), |line, word| line.word(word)).end();
    }
}

/// `set ns hostName`
pub(super) const HOST_NAME: Command = Command {
    group: "ns",
    object: "hostName",
    words: "ns hostName",
    summary: "What this machine is called in logs and on pages.",
    notes: "",
    origin: Origin::NetScaler,
    feature: None,
    effect: Effect::AtOnce,
    forms: &[Form {
        op: Op::Set,
        positionals: &[Argument::required("hostName", Kind::Word(255, "-_."), "The name.")],
        keywords: &[],
        example: "set ns hostName gateway1",
        apply: host_name,
        print: Some((Rank::NsHostName, print_host_name)),
    }],
};

fn host_name(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    site.model.host_name = said.text("hostName").map(Into::into);
    Ok(())
}

fn print_host_name(model: &Model, out: &mut Writer<'_>) {
    if let Some(name) = &model.host_name {
        out.line(Op::Set, &HOST_NAME, "").says(name).end();
    }
}

/// Buffers of one class. Fewer than some of each would not carry one session; the most is 17 GiB of large ones.
const BUFFERS: Kind = Kind::Number { min: 16, max: SESSIONS_MAX, unit: "buffers" };

/// `set ns worker`
pub(super) const WORKER: Command = Command {
    group: "ns",
    object: "worker",
    words: "ns worker",
    summary: "The worker threads that carry the bytes.",
    notes: "Each worker has its own ring, listener, table of sessions and buffers, and stays on its core. Leave a core for the rest: \
            logins, tickets and the portal run on a thread of their own.",
    origin: Origin::Sluicegate,
    feature: None,
    effect: Effect::Restart,
    forms: &[
        Form {
            op: Op::Set,
            positionals: &[],
            keywords: WORKER_KEYWORDS,
            example: "set ns worker -count 2 -cores 0,1 -engine URING -sessions 4096",
            apply: worker,
            print: Some((Rank::NsWorker, print_worker)),
        },
        Form {
            op: Op::Unset,
            positionals: &[],
            keywords: WORKER_KEYWORDS,
            example: "unset ns worker -cores",
            apply: worker,
            print: None,
        },
    ],
};

const WORKER_KEYWORDS: &[Argument] = &[
    Argument::optional("count", Kind::Number { min: 1, max: WORKERS_MAX, unit: "workers" }, "How many.")
        .or("cores less one, at least 1"),
    Argument::optional(
        "cores",
        Kind::List(&Kind::Number { min: 0, max: WORKERS_MAX - 1, unit: "core numbers" }, 1024),
        "Cores to pin them to, in order. Fewer cores than workers are used in turn.",
    )
    .or("the machine's order"),
    Argument::optional(
        "engine",
        Kind::Choice(&["AUTO", "URING", "MIO"]),
        "How workers talk to the kernel. AUTO takes io_uring where the kernel allows it, else mio, and says so in the log. URING does \
         not start without it.",
    )
    .or("AUTO"),
    Argument::optional(
        "busyPollUs",
        Kind::Number { min: 0, max: 10_000, unit: "microseconds" },
        "How long a worker looks for work before it sleeps. Costs a core its rest; 0 sleeps at once.",
    )
    .or("0"),
    Argument::optional(
        "sessions",
        Kind::Number { min: 1, max: SESSIONS_MAX, unit: "sessions" },
        "Sessions per worker. The table is made at start, so a larger one takes effect with the next; a smaller number does at once, and \
         nobody is sent away for it.",
    )
    .or("8192"),
    Argument::optional(
        "quantum",
        Kind::Number { min: 16 * 1024, max: 64 * 1024 * 1024, unit: "bytes" },
        "Bytes of long reads that a worker works on in one turn of its loop; what is more waits for the next, behind whoever types. \
         Less keeps latency low under bulk, more makes bulk cheaper. Takes effect at once.",
    )
    .or("1048576"),
    Argument::optional("smallBuffers", BUFFERS, "Buffers of 2 KiB per worker, for short messages. Made when first needed, then kept.")
        .or("sessions, at least 1024"),
    Argument::optional(
        "largeBuffers",
        BUFFERS,
        "Buffers of 17 KiB per worker, for one TLS record. With fewer than twice the sessions, many clients that each send half a record \
         may use them up, and a session that needs one is ended.",
    )
    .or("twice the sessions, at least 1024"),
    Argument::optional(
        "bulkBuffers",
        BUFFERS,
        "Buffers of 514 KiB per worker, lent to a direction only while it is bulk; without one it goes on with a large one.",
    )
    .or("a 128th of the sessions, at least 64"),
    Argument::optional("congestion", Kind::Word(15, "_-"), "TCP congestion control on both legs, as the kernel calls it: bbr, cubic.")
        .or("the system's"),
];

fn worker(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    something(said)?;
    let default = Worker::default();
    let worker = &mut site.model.worker;
    said.put("count", &mut worker.count, default.count, |s| s.number("count").map(Some));
    said.put("cores", &mut worker.cores, default.cores, |s| {
        let core = |value: &Value| if let Value::Number(core) = value { u16::try_from(*core).ok() } else { None };
        s.values("cores").map(core).collect()
    });
    said.put("engine", &mut worker.engine, default.engine, |s| match s.text("engine")? {
        "URING" => Some(Engine::Uring),
        "MIO" => Some(Engine::Mio),
        _ => Some(Engine::Auto),
    });
    said.put("busyPollUs", &mut worker.busy_poll, default.busy_poll, |s| {
        s.number("busyPollUs").map(|us: u64| (us > 0).then(|| Duration::from_micros(us)))
    });
    said.put("congestion", &mut worker.congestion, default.congestion, |s| s.text("congestion").map(|c| Some(c.into())));
    let count = |s: &Said<'_>, keyword| s.number(keyword).map(Some);
    said.put("smallBuffers", &mut worker.small_buffers, None, |s| count(s, "smallBuffers"));
    said.put("largeBuffers", &mut worker.large_buffers, None, |s| count(s, "largeBuffers"));
    said.put("bulkBuffers", &mut worker.bulk_buffers, None, |s| count(s, "bulkBuffers"));
    let limits = &mut site.model.limits;
    said.put("quantum", &mut limits.bulk_bytes_per_turn, Limits::default().bulk_bytes_per_turn, |s| s.number("quantum"));
    said.put("sessions", &mut limits.sessions_per_worker, Limits::default().sessions_per_worker, |s| s.number("sessions"));
    site.keep_arguments(said, "");
    Ok(())
}

fn print_worker(model: &Model, out: &mut Writer<'_>) {
    let engine = match model.worker.engine {
        Engine::Auto => None,
        Engine::Uring => Some("URING"),
        Engine::Mio => Some("MIO"),
    };
    out.line(Op::Set, &WORKER, "")
        .keyword_if("count", model.worker.count)
        .list("cores", &model.worker.cores)
        .keyword_if("engine", engine)
        .keyword_if("busyPollUs", model.worker.busy_poll.map(|time| time.as_micros()))
        .differs("sessions", &model.limits.sessions_per_worker, &Limits::default().sessions_per_worker, u32::to_string)
        .differs("quantum", &model.limits.bulk_bytes_per_turn, &Limits::default().bulk_bytes_per_turn, u32::to_string)
        .keyword_if("smallBuffers", model.worker.small_buffers)
        .keyword_if("largeBuffers", model.worker.large_buffers)
        .keyword_if("bulkBuffers", model.worker.bulk_buffers)
        .keyword_if("congestion", model.worker.congestion.as_deref())
        .end();
}

/// `set ns limits`
pub(super) const LIMITS: Command = Command {
    group: "ns",
    object: "limits",
    words: "ns limits",
    summary: "Deadlines and caps of the data plane.",
    notes: "The number of sessions is an argument of `set ns worker`, since their table is made at start.",
    origin: Origin::Sluicegate,
    feature: None,
    effect: Effect::NewSessions,
    forms: &[
        Form {
            op: Op::Set,
            positionals: &[],
            keywords: LIMITS_KEYWORDS,
            example: "set ns limits -handshakeTimeoutMs 3000 -unprovenPerSource 32",
            apply: limits,
            print: Some((Rank::NsLimits, print_limits)),
        },
        Form {
            op: Op::Unset,
            positionals: &[],
            keywords: LIMITS_KEYWORDS,
            example: "unset ns limits -handshakeTimeoutMs",
            apply: limits,
            print: None,
        },
    ],
};

const LIMITS_KEYWORDS: &[Argument] = &[
    Argument::optional(
        "handshakeTimeoutMs",
        Kind::Number { min: 10, max: MINUTE_MS, unit: "milliseconds" },
        "From accept to the end of the TLS handshake.",
    )
    .or("5000"),
    Argument::optional(
        "prefaceTimeoutMs",
        Kind::Number { min: 10, max: MINUTE_MS, unit: "milliseconds" },
        "From the end of the handshake to a complete opening with its ticket.",
    )
    .or("10000"),
    Argument::optional(
        "redeemTimeoutMs",
        Kind::Number { min: 10, max: MINUTE_MS, unit: "milliseconds" },
        "From the ticket to its answer.",
    )
    .or("6000"),
    Argument::optional(
        "connectTimeoutMs",
        Kind::Number { min: 10, max: MINUTE_MS, unit: "milliseconds" },
        "To connect to a host, TLS included.",
    )
    .or("3000"),
    Argument::optional(
        "idleTimeoutMs",
        Kind::Number { min: 0, max: WEEK_MS, unit: "milliseconds" },
        "Without a byte either way in a running session; 0 is for ever.",
    )
    .or("0"),
    Argument::optional(
        "halfClosedTimeoutMs",
        Kind::Number { min: 10, max: 60 * MINUTE_MS, unit: "milliseconds" },
        "After one side has ended: how long the other may go on without a byte.",
    )
    .or("30000"),
    Argument::optional(
        "lingerTimeoutMs",
        Kind::Number { min: 10, max: MINUTE_MS, unit: "milliseconds" },
        "After everything has been said: how long until the sockets are closed hard.",
    )
    .or("2000"),
    Argument::optional(
        "unprovenPerSource",
        Kind::Number { min: 1, max: SESSIONS_MAX, unit: "connections" },
        "Connections of one source address (IPv6: /64) that have not yet presented a valid ticket, per worker.",
    )
    .or("64"),
    Argument::optional(
        "portalPerSource",
        Kind::Number { min: 1, max: SESSIONS_MAX, unit: "connections" },
        "Connections of one source address (IPv6: /64) that speak HTTP, per worker. They do not count as unproven, so that browsers \
         behind one address keep no launches out.",
    )
    .or("256"),
    Argument::optional(
        "handshakeStepsPerTurn",
        Kind::Number { min: 1, max: 65_535, unit: "steps" },
        "Handshake steps per turn of a worker's loop, at most; none is begun after 60 µs of them. More wait, so that a storm of logins does not stop those who work.",
    )
    .or("2"),
];

fn limits(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    something(said)?;
    let default = Limits::default();
    let limits = &mut site.model.limits;
    said.put("handshakeTimeoutMs", &mut limits.handshake, default.handshake, |s| s.millis("handshakeTimeoutMs"));
    said.put("prefaceTimeoutMs", &mut limits.preface, default.preface, |s| s.millis("prefaceTimeoutMs"));
    said.put("redeemTimeoutMs", &mut limits.redeem, default.redeem, |s| s.millis("redeemTimeoutMs"));
    said.put("connectTimeoutMs", &mut limits.connect, default.connect, |s| s.millis("connectTimeoutMs"));
    said.put("idleTimeoutMs", &mut limits.idle, default.idle, |s| s.millis("idleTimeoutMs").map(|t| (!t.is_zero()).then_some(t)));
    said.put("halfClosedTimeoutMs", &mut limits.half_closed, default.half_closed, |s| s.millis("halfClosedTimeoutMs"));
    said.put("lingerTimeoutMs", &mut limits.linger, default.linger, |s| s.millis("lingerTimeoutMs"));
    said.put("unprovenPerSource", &mut limits.unproven_per_source, default.unproven_per_source, |s| {
        s.number("unprovenPerSource")
    });
    said.put("portalPerSource", &mut limits.portal_per_source, default.portal_per_source, |s| s.number("portalPerSource"));
    said.put("handshakeStepsPerTurn", &mut limits.handshake_steps_per_turn, default.handshake_steps_per_turn, |s| {
        s.number("handshakeStepsPerTurn")
    });
    site.keep_arguments(said, "");
    Ok(())
}

fn print_limits(model: &Model, out: &mut Writer<'_>) {
    let default = Limits::default();
    // Taken apart, so that a new limit is not forgotten here.
    let Limits {
        sessions_per_worker: _, // of `set ns worker`, as is
        bulk_bytes_per_turn: _,
        portal_per_source,
        handshake,
        preface,
        redeem,
        connect,
        idle,
        half_closed,
        linger,
        unproven_per_source,
        handshake_steps_per_turn,
    } = &model.limits;
    out.line(Op::Set, &LIMITS, "")
        .differs("handshakeTimeoutMs", handshake, &default.handshake, millis)
        .differs("prefaceTimeoutMs", preface, &default.preface, millis)
        .differs("redeemTimeoutMs", redeem, &default.redeem, millis)
        .differs("connectTimeoutMs", connect, &default.connect, millis)
        .differs("idleTimeoutMs", idle, &default.idle, |idle| idle.as_ref().map_or_else(|| "0".to_owned(), millis))
        .differs("halfClosedTimeoutMs", half_closed, &default.half_closed, millis)
        .differs("lingerTimeoutMs", linger, &default.linger, millis)
        .differs("unprovenPerSource", unproven_per_source, &default.unproven_per_source, u32::to_string)
        .differs("portalPerSource", portal_per_source, &default.portal_per_source, u32::to_string)
        .differs("handshakeStepsPerTurn", handshake_steps_per_turn, &default.handshake_steps_per_turn, u32::to_string)
        .end();
}

/// `set ns logParam`
pub(super) const LOG_PARAM: Command = Command {
    group: "ns",
    object: "logParam",
    words: "ns logParam",
    summary: "What is written to the log, and how.",
    notes: "",
    origin: Origin::Sluicegate,
    feature: None,
    effect: Effect::Restart,
    forms: &[
        Form {
            op: Op::Set,
            positionals: &[],
            keywords: LOG_KEYWORDS,
            example: "set ns logParam -level WARNING -format JSON",
            apply: log,
            print: Some((Rank::NsLogParam, print_log)),
        },
        Form {
            op: Op::Unset,
            positionals: &[],
            keywords: LOG_KEYWORDS,
            example: "unset ns logParam -level",
            apply: log,
            print: None,
        },
    ],
};

const LOG_KEYWORDS: &[Argument] = &[
    Argument::optional(
        "level",
        Kind::Choice(&["ERROR", "WARNING", "INFORMATIONAL", "DEBUG", "TRACE"]),
        "The least that is worth a line.",
    )
    .or("INFORMATIONAL"),
    Argument::optional("format", Kind::Choice(&["TEXT", "JSON"]), "For people, or one JSON object per line for machines.")
        .or("TEXT"),
];

fn log(said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
    something(said)?;
    let default = Log::default();
    let log = &mut site.model.log;
    said.put("level", &mut log.level, default.level, |s| match s.text("level")? {
        "ERROR" => Some(LogLevel::Error),
        "WARNING" => Some(LogLevel::Warning),
        "DEBUG" => Some(LogLevel::Debug),
        "TRACE" => Some(LogLevel::Trace),
        _ => Some(LogLevel::Informational),
    });
    said.put("format", &mut log.format, default.format, |s| match s.text("format")? {
        "JSON" => Some(LogFormat::Json),
        _ => Some(LogFormat::Text),
    });
    site.keep_arguments(said, "");
    Ok(())
}

fn print_log(model: &Model, out: &mut Writer<'_>) {
    let level = match model.log.level {
        LogLevel::Error => Some("ERROR"),
        LogLevel::Warning => Some("WARNING"),
        LogLevel::Informational => None,
        LogLevel::Debug => Some("DEBUG"),
        LogLevel::Trace => Some("TRACE"),
    };
    let format = match model.log.format {
        LogFormat::Text => None,
        LogFormat::Json => Some("JSON"),
    };
    out.line(Op::Set, &LOG_PARAM, "").keyword_if("level", level).keyword_if("format", format).end();
}

/// Refuses a `set` or `unset` that names nothing.
pub(super) fn something(said: &Said<'_>) -> Result<(), Refused> {
    let keywords = |name: &str| said.form.keywords.iter().any(|a| a.name == name);
    if said.kept.is_empty() && !said.given.iter().any(|given| keywords(given.argument.name)) {
        let cause = format!("`{} {}` names no argument", said.form.op.word(), said.command.words);
        return Err(Note::new(Code::NothingToSet, said.span, "", cause).into());
    }
    Ok(())
}
