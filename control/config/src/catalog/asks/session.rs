//! Who is connected, and how to end that: ICA connections, sessions of logged-in users, workers, ticket authorities.

use crate::answer::{Field, Layout};
use crate::catalog::{Argument, Kind, Origin};

use super::{ASK, Ask, Level, What};

/// Longest age that a `kill` can name, in seconds: a year.
const AGE_SECONDS_MAX: u64 = 366 * 24 * 3600;

const USER: Argument = Argument::optional("userName", Kind::Name, "Those of this user.").names("aaa user");
const VSERVER: Argument = Argument::optional("vserver", Kind::Name, "Those of this virtual server.").names("vpn vserver");
const TRANSPORT: Argument =
    Argument::optional("TransProto", Kind::Choice(&["TCP", "UDP"]), "Those over this transport; always TCP.");
const NODE: Argument =
    Argument::optional("nodeId", Kind::Number { min: 0, max: 31, unit: "node" }, "Accepted; there is one node, 0.");
const ID: Argument = Argument::optional("id", Kind::Word(32, "-"), "The one with this id.");
const ALL: Argument = Argument::optional("all", Kind::Switch, "All of them.");
const OLDER: Argument = Argument::optional(
    "olderThan",
    Kind::Number { min: 0, max: AGE_SECONDS_MAX, unit: "seconds" },
    "Those that are older than this. Ours.",
);

const KILLED: &[Field] = &[Field::number("killed", "Killed", "", "How many were ended.")];

pub(super) const SHOW_ICA: Ask = Ask {
    verb: "show",
    group: "vpn",
    object: "icaConnection",
    words: "show vpn icaConnection",
    title: "vpnIcaConnection",
    summary: "Running ICA connections.",
    origin: Origin::Extended,
    keywords: &[USER, TRANSPORT, NODE, ID, VSERVER, OLDER],
    fields: &[
        Field::text("id", "Id", "What `kill vpn icaConnection -id` takes."),
        Field::text("userName", "User name", "For whom the ticket was issued, as far as its authority says so."),
        Field::text("domain", "Domain", "The user's domain."),
        Field::text("vserver", "Vserver", "The virtual server."),
        Field::text("srcIp", "Src IP", "Address of the client."),
        Field::number("srcPort", "Src port", "", "Port of the client."),
        Field::text("destIp", "Dest IP", "Address of the host."),
        Field::number("destPort", "Dest port", "", "Port of the host."),
        Field::text("transProto", "Trans proto", "Always TCP."),
        Field::text("tlsVersion", "TLS version", "Of the client's connection: TLSv1.3 or TLSv1.2."),
        Field::text("cipherSuite", "Cipher suite", "Of the client's connection, by its IANA name."),
        Field::flag("postQuantum", "Post quantum", "Whether its keys were agreed on with X25519MLKEM768."),
        Field::number("worker", "Worker", "", "The worker that carries it."),
        Field::text("sta", "Sta", "Id of the authority that redeemed its ticket."),
        Field::text(
            "sessionKey",
            "Session key",
            "The login with which it was launched; missing if somebody else got its ticket.",
        ),
        Field::number("ageSeconds", "Age", "seconds", "Since the client connected."),
        Field::number("idleSeconds", "Idle", "seconds", "Since the last byte either way."),
        Field::number("upBytes", "Up", "bytes", "From client to host."),
        Field::number("downBytes", "Down", "bytes", "From host to client."),
    ],
    level: Level::Read,
    what: What::ShowIcaConnections,
    example: "show vpn icaConnection -userName alice",
    ..ASK
};

pub(super) const KILL_ICA: Ask = Ask {
    verb: "kill",
    group: "vpn",
    object: "icaConnection",
    words: "kill vpn icaConnection",
    title: "vpnIcaConnection",
    summary: "Ends ICA connections.",
    notes: "At least one argument says which; with several, those to which all apply. The sessions end with `SG-1500`, `killed`.",
    origin: Origin::Extended,
    keywords: &[USER, TRANSPORT, NODE, ID, VSERVER, OLDER, ALL],
    fields: KILLED,
    layout: Layout::Single,
    level: Level::Change,
    what: What::KillIcaConnections,
    example: "kill vpn icaConnection -userName alice",
    ..ASK
};

const GROUP: Argument = Argument::optional("groupName", Kind::Name, "Those of users of this group.").names("aaa group");
const KEY: Argument =
    Argument::optional("sessionKey", Kind::Word(64, "-_"), "The one with this key, as `show aaa session` says it.");

const ENDED: Argument = Argument::optional("ended", Kind::Switch, "Those that ended within the last hour, and why. Ours.");

pub(super) const SHOW_AAA: Ask = Ask {
    verb: "show",
    group: "aaa",
    object: "session",
    words: "show aaa session",
    title: "aaaSession",
    summary: "Sessions of users who have logged in at the portal.",
    notes: "`show aaa user [NAME] -loggedIn` says the same.",
    origin: Origin::NetScaler,
    keywords: &[USER, GROUP, NODE, ENDED],
    fields: &[
        Field::text("sessionKey", "Session key", "What `kill aaa session -sessionKey` takes. It is not what the browser holds."),
        Field::text("userName", "User name", "Who has logged in."),
        Field::text("domain", "Domain", "The user's domain."),
        Field::list("groups", "Groups", "The user's groups."),
        Field::text("publicIp", "Public IP", "Address of the browser."),
        Field::number("publicPort", "Public port", "", "Its port."),
        Field::text("vserver", "Vserver", "The virtual server."),
        Field::number("ageSeconds", "Age", "seconds", "Since the login."),
        Field::number("idleSeconds", "Idle", "seconds", "Since the last request."),
        Field::number("expiresSeconds", "Expires", "seconds", "Until it ends by itself if nothing more is asked."),
        Field::number("icaConnections", "ICA connections", "", "Running ICA connections that were launched with it."),
        Field::number("endedSeconds", "Ended", "seconds", "With -ended: since it ended."),
        Field::text("endReason", "End reason", "With -ended: why, in a word."),
        Field::text("endMeaning", "End meaning", "With -ended: why, in a sentence."),
    ],
    level: Level::Read,
    what: What::ShowAaaSessions,
    example: "show aaa session -userName alice",
    ..ASK
};

pub(super) const KILL_AAA: Ask = Ask {
    verb: "kill",
    group: "aaa",
    object: "session",
    words: "kill aaa session",
    title: "aaaSession",
    summary: "Ends sessions of logged-in users; they have to log in again.",
    notes: "At least one argument says which; with several, those to which all apply. ICA connections that were launched with them end, \
            too, and those of the same user from the same address whose tickets another portal got. What else ends ICA connections: \
            `set vpn parameter -icaSessionTimeout` and `-icaOnLogout`.",
    origin: Origin::NetScaler,
    keywords: &[USER, GROUP, KEY, NODE, ALL],
    fields: &[
        Field::number("killed", "Killed", "", "How many sessions were ended."),
        Field::number("icaConnectionsKilled", "ICA connections killed", "", "How many ICA connections were ended with them."),
    ],
    layout: Layout::Single,
    level: Level::Change,
    what: What::KillAaaSessions,
    example: "kill aaa session -userName alice",
    ..ASK
};

/// Fields of a worker that `show` and `stat` share.
pub(super) const WORKER_FIELDS: &[Field] = &[
    Field::number("worker", "Worker", "", "Its number."),
    Field::text("state", "State", "UP, or DEAD: then it serves nobody until the next start."),
    Field::number("core", "Core", "", "The core that it is pinned to."),
    Field::text("engine", "Engine", "How it talks to the kernel: URING or MIO."),
    Field::number("snapshot", "Snapshot", "", "Number of the configuration that it serves new sessions with."),
    Field::number("sessionsMax", "Sessions max", "", "Slots of its table."),
    Field::number("sessions", "Sessions", "", "Sessions in any state."),
    Field::number("spliced", "Spliced", "", "Sessions whose bytes flow."),
    Field::number("portal", "Portal", "", "Connections being carried to the portal."),
    Field::number("askQueue", "Ask queue", "", "Its questions that wait for the control thread."),
    Field::number("askQueueMax", "Ask queue max", "", "Room for those of all workers together: they share a queue."),
    Field::number("buffersLent", "Buffers lent", "", "Buffers in use."),
    Field::number("buffersMax", "Buffers max", "", "Buffers that it may have, of all classes together."),
    Field::number("busyPercent", "Busy", "percent", "Share of the last second in which it was not waiting."),
    Field::number(
        "turnP99Micros",
        "Turn P99",
        "microseconds",
        "99 of 100 turns of its loop took no longer: twice this is what it adds to a byte's way.",
    ),
    Field::number("upBytes", "Up", "bytes", "From clients to hosts, since start."),
    Field::number("downBytes", "Down", "bytes", "From hosts to clients, since start."),
];

pub(super) const SHOW_WORKER: Ask = Ask {
    verb: "show",
    group: "worker",
    words: "show worker",
    title: "worker",
    summary: "The worker threads as they run.",
    notes: "How many there are and where is set by `set ns worker`.",
    origin: Origin::Sluicegate,
    positionals: &[WORKER_NUMBER],
    fields: WORKER_FIELDS,
    what: What::ShowWorkers,
    example: "show worker",
    ..ASK
};

pub(super) const WORKER_NUMBER: Argument =
    Argument::optional("worker", Kind::Number { min: 0, max: 1023, unit: "worker" }, "One only.");

pub(super) const SHOW_STA: Ask = Ask {
    verb: "show",
    group: "sta",
    words: "show sta",
    title: "sta",
    summary: "Secure ticket authorities, and how they do.",
    origin: Origin::Sluicegate,
    fields: &[
        Field::text("staServer", "Sta server", "Its URL."),
        Field::text("staAuthId", "Sta auth ID", "The id that it gives itself; missing until it has said so."),
        Field::list("vservers", "Vservers", "Virtual servers to which it is bound."),
        Field::text("staState", "Sta state", "UP if its last answer was one, DOWN if not, UNKNOWN before the first."),
        Field::text("fault", "Fault", "What was wrong with its last answer."),
        Field::number("asked", "Asked", "", "Tickets sent to it."),
        Field::number("redeemed", "Redeemed", "", "Tickets that it knew."),
        Field::number("refused", "Refused", "", "Tickets that it did not."),
        Field::number("failed", "Failed", "", "Questions without a proper answer."),
        Field::number("lastMillis", "Last", "milliseconds", "How long its last answer took."),
    ],
    what: What::ShowStas,
    example: "show sta",
    ..ASK
};
