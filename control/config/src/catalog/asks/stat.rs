//! Counts and times: `stat`.

use crate::answer::{Field, Layout};
use crate::catalog::{Argument, Kind, Origin};

use super::session::WORKER_NUMBER;
use super::{ASK, Ask, What};

const DETAIL: Argument = Argument::optional("detail", Kind::Switch, "Also what is seldom asked for.");
const CLEAR: Argument = Argument::optional(
    "clearstats",
    Kind::Choice(&["basic", "full"]),
    "Afterwards count from zero again in what `stat` shows; needs the level `change`. Metrics for monitoring go on.",
);

/// Times as percentiles.
const TIMES: &[Field] = &[
    Field::text("step", "Step", "What was timed: handshake, redeem, connect, setup (from accept to the first byte of the host)."),
    Field::number("count", "Count", "", "How many were timed."),
    Field::number("p50Micros", "P50", "microseconds", "Half were faster."),
    Field::number("p90Micros", "P90", "microseconds", "Nine of ten were faster."),
    Field::number("p99Micros", "P99", "microseconds", "99 of 100 were faster."),
    Field::number("p999Micros", "P99.9", "microseconds", "999 of 1000 were faster."),
    Field::number("maxMicros", "Max", "microseconds", "The slowest."),
];

/// Ends of sessions by reason.
const REASONS: &[Field] = &[
    Field::text("code", "Code", "Stable: `SG-1000`."),
    Field::text("reason", "Reason", "In a word."),
    Field::text("blame", "Blame", "Whose fault it was."),
    Field::number("sessions", "Sessions", "", "How many ended so."),
    Field::text("meaning", "Meaning", "In a sentence."),
];

pub(super) const VSERVER: Ask = Ask {
    verb: "stat",
    group: "vpn",
    object: "vserver",
    words: "stat vpn vserver",
    title: "vpnVserver",
    summary: "Sessions, bytes and times of virtual servers.",
    origin: Origin::Extended,
    positionals: &[Argument::optional("name", Kind::Name, "One only.").names("vpn vserver")],
    keywords: &[DETAIL, CLEAR],
    fields: &[
        Field::text("name", "Name", "Of the virtual server."),
        Field::text("primaryIpAddress", "Primary IP address", "Where it listens."),
        Field::number("primaryPort", "Primary port", "", "Port there."),
        Field::text("type", "Type", "Always SSL."),
        Field::text("state", "State", "UP if it listens, DOWN if not."),
        Field::number("curSessions", "Cur sessions", "", "Connections in any state."),
        Field::number("curIcaConnections", "Cur ICA connections", "", "Those whose bytes flow to a host."),
        Field::number("totSessions", "Tot sessions", "", "Connections accepted."),
        Field::number("totIcaConnections", "Tot ICA connections", "", "Those that reached a host."),
        Field::number("handshakes", "Handshakes", "", "TLS handshakes completed."),
        Field::number("handshakesFailed", "Handshakes failed", "", "TLS handshakes that came to nothing."),
        Field::number("upBytes", "Up", "bytes", "From clients to hosts."),
        Field::number("downBytes", "Down", "bytes", "From hosts to clients."),
        Field::rows("times", "Times", TIMES, "How long steps took."),
        Field::rows("reasons", "Reasons", REASONS, "Why sessions ended; with -detail."),
    ],
    what: What::StatVservers,
    example: "stat vpn vserver gw -detail",
    ..ASK
};

pub(super) const VPN: Ask = Ask {
    verb: "stat",
    group: "vpn",
    words: "stat vpn",
    title: "vpn",
    summary: "Tickets and ICA connections of all virtual servers.",
    origin: Origin::Extended,
    keywords: &[DETAIL, CLEAR],
    fields: &[
        Field::number("curIcaConnections", "Cur ICA connections", "", "Connections whose bytes flow to a host."),
        Field::number("totIcaConnections", "Tot ICA connections", "", "Connections that reached a host."),
        Field::number("loginPageHits", "Login page hits", "", "Times the login page was shown."),
        Field::number("staConnSucc", "Sta conn succ", "", "Connections made to ticket authorities."),
        Field::number("staConnFail", "Sta conn fail", "", "Connections to ticket authorities that failed."),
        Field::number("staReqSent", "Sta req sent", "", "Tickets sent to authorities."),
        Field::number("staRespRecvd", "Sta resp recvd", "", "Answers received from authorities."),
        Field::number("ticketsRefused", "Tickets refused", "", "Tickets that no authority knew."),
        Field::number("hostsConnected", "Hosts connected", "", "Connections made to hosts."),
        Field::number("hostsFailed", "Hosts failed", "", "Connections to hosts that failed."),
        Field::rows("times", "Times", TIMES, "How long steps took."),
    ],
    layout: Layout::Single,
    what: What::StatVpn,
    example: "stat vpn",
    ..ASK
};

pub(super) const AAA: Ask = Ask {
    verb: "stat",
    group: "aaa",
    words: "stat aaa",
    title: "aaa",
    summary: "Logins and sessions of users.",
    origin: Origin::Extended,
    keywords: &[DETAIL, CLEAR],
    fields: &[
        Field::number("authSucc", "Auth succ", "", "Logins that succeeded."),
        Field::number("authFails", "Auth fails", "", "Logins that failed."),
        Field::number("authThrottled", "Auth throttled", "", "Logins refused unheard, since too many had failed."),
        Field::number("totCurSess", "Tot cur sess", "", "Users who are logged in."),
        Field::number("totSess", "Tot sess", "", "Logins that made a session."),
        Field::number("totSessTo", "Tot sess to", "", "Sessions that ended by their time."),
        Field::number("logouts", "Logouts", "", "Sessions that ended by logging out."),
        Field::number("killed", "Killed", "", "Sessions that an operator ended, or a change of the user's account."),
        Field::number("replaced", "Replaced", "", "Sessions that a further login of the same user ended."),
        Field::number("scansFailed", "Scans failed", "", "Sessions that ended since a repeated scan failed or did not come."),
        Field::number("launchesTooLate", "Launches too late", "", "Tickets that were refused since their session was over."),
        Field::number("curIcaConn", "Cur ICA conn", "", "ICA connections."),
    ],
    layout: Layout::Single,
    what: What::StatAaa,
    example: "stat aaa",
    ..ASK
};

pub(super) const SSL: Ask = Ask {
    verb: "stat",
    group: "ssl",
    words: "stat ssl",
    title: "ssl",
    summary: "TLS towards clients.",
    origin: Origin::Extended,
    keywords: &[DETAIL, CLEAR],
    fields: &[
        Field::number("handshakes", "Handshakes", "", "Handshakes completed."),
        Field::number("handshakesPerSecond", "Handshakes per second", "", "Over the last second."),
        Field::number("handshakesFailed", "Handshakes failed", "", "Handshakes that came to nothing."),
        Field::number("resumed", "Resumed", "", "Of those completed, resumed by a ticket."),
        Field::number("postQuantum", "Post quantum", "", "Of those completed, with a post-quantum key exchange."),
        Field::number("recordsOpened", "Records opened", "", "Records decrypted."),
        Field::number("recordsSealed", "Records sealed", "", "Records encrypted."),
        Field::number("keyUpdates", "Key updates", "", "Key updates either way."),
        Field::number(
            "kernelSealing",
            "Kernel sealing",
            "",
            "Sessions whose records to the client the kernel took over to encrypt.",
        ),
        Field::number(
            "kernelOpening",
            "Kernel opening",
            "",
            "Sessions whose records from the client the kernel took over to decrypt.",
        ),
        Field::number("kernelRefused", "Kernel refused", "", "Keys that the kernel was to take over and did not."),
        Field::number("upBytes", "Up", "bytes", "From clients."),
        Field::number("downBytes", "Down", "bytes", "To clients."),
        Field::rows("reasons", "Reasons", REASONS, "Why handshakes failed."),
    ],
    layout: Layout::Single,
    what: What::StatSsl,
    example: "stat ssl",
    ..ASK
};

pub(super) const WORKER: Ask = Ask {
    verb: "stat",
    group: "worker",
    words: "stat worker",
    title: "worker",
    summary: "All counters of the worker threads.",
    notes: "The counters are explained in [counters.md](../operate/counters.md).",
    origin: Origin::Sluicegate,
    positionals: &[WORKER_NUMBER],
    keywords: &[DETAIL, CLEAR],
    fields: &[
        Field::number("worker", "Worker", "", "Its number."),
        Field::number("core", "Core", "", "The core that it is pinned to."),
    ],
    has_counters: true,
    what: What::StatWorkers,
    example: "stat worker",
    ..ASK
};

pub(super) const NS: Ask = Ask {
    verb: "stat",
    group: "ns",
    words: "stat ns",
    title: "ns",
    summary: "The gateway as a whole, and why sessions ended.",
    notes: "The reasons are explained in [reasons.md](../operate/reasons.md).",
    origin: Origin::Extended,
    keywords: &[DETAIL, CLEAR],
    fields: &[
        Field::number("uptimeSeconds", "Uptime", "seconds", "Since start."),
        Field::number("uptimeMillis", "Uptime exact", "milliseconds", "The same, for those who work out rates from two answers."),
        Field::number("sessions", "Sessions", "", "Connections in any state."),
        Field::number("sessionsMax", "Sessions max", "", "Room for them."),
        Field::number("rxBytesPerSecond", "Rx bytes per second", "", "From clients, over the last second."),
        Field::number("txBytesPerSecond", "Tx bytes per second", "", "To clients, over the last second."),
        Field::number("memoryBytes", "Memory", "bytes", "Resident memory of the process."),
        Field::number("descriptors", "Descriptors", "", "Open descriptors of the process."),
        Field::number("changes", "Changes", "", "Configurations published since start."),
        Field::number("changesFailed", "Changes failed", "", "Configurations that could not be published."),
        Field::rows("reasons", "Reasons", REASONS, "Why sessions ended; those that never occurred only with -detail."),
    ],
    layout: Layout::Single,
    what: What::StatNs,
    example: "stat ns -detail",
    ..ASK
};
