//! What `show` of a configuration object says beside what was configured: fields that only the running gateway knows.
//!
//! [`configured`](crate::show::configured) leaves them empty; whoever runs the gateway fills them in.

use crate::answer::Field;

use super::{Argument, Command, Kind, Op};

/// The fields of `command` that only the running gateway knows.
#[must_use]
pub fn live(command: &Command) -> &'static [Field] {
    LIVE.iter().find(|(words, _)| *words == command.words).map_or(&[], |(_, fields)| fields)
}

/// An object whose names are those of another: `set ssl vserver gw` speaks of `vpn vserver` gw.
pub(crate) fn namesake(command: &Command) -> &'static str {
    NAMESAKES.iter().find(|(words, _)| *words == command.words).map_or(command.words, |(_, other)| other)
}

/// The name that `show` of a command takes, if there can be several of its objects.
pub(crate) fn show_positionals(command: &Command) -> &'static [Argument] {
    // Some are named by what is no name elsewhere, such as an address.
    const NAMED: &[Argument] = &[Argument::optional("name", Kind::Text, "One only.")];
    let is_named = |form: &super::Form| match (form.op, form.positionals.first()) {
        (Op::Add, Some(_)) => true,
        (_, Some(first)) => matches!(first.kind, Kind::Name),
        (_, None) => false,
    };
    if command.forms.iter().any(is_named) { NAMED } else { &[] }
}

const NAMESAKES: &[(&str, &str)] = &[("ssl vserver", "vpn vserver")];

/// The fields of a command that `-summary` shows, the most important first; empty: all, as far as there is room. `words` are those of a
/// command (`vpn vserver`) or of an ask (`show worker`).
pub(crate) fn columns(words: &str) -> &'static [&'static str] {
    COLUMNS.iter().find(|(known, _)| *known == words).map_or(&[], |(_, columns)| columns)
}

const COLUMNS: &[(&str, &[&str])] = &[
    ("vpn vserver", &["name", "curState", "address", "curIcaConnections", "curSessions", "totSessions", "stateReason"]),
    ("ssl certKey", &["name", "status", "daysToExpiration", "notAfter", "publicKey", "subject"]),
    ("ssl vserver", &["vServerName", "tls12", "tls13", "sessReuse", "postQuantum", "maxRecord", "recordRamp"]),
    ("farm server", &["name", "address", "authorityId", "certkeyName"]),
    (
        "show vpn icaConnection",
        &["id", "userName", "vserver", "srcIp", "destIp", "destPort", "ageSeconds", "idleSeconds", "upBytes", "downBytes"],
    ),
    ("show aaa session", &["sessionKey", "userName", "vserver", "publicIp", "ageSeconds", "idleSeconds", "expiresSeconds"]),
    (
        "show worker",
        &["worker", "state", "engine", "sessions", "spliced", "portal", "busyPercent", "turnP99Micros", "upBytes", "downBytes"],
    ),
    ("show sta", &["staServer", "staAuthId", "staState", "asked", "redeemed", "refused", "failed", "lastMillis"]),
];

const LISTENS: &[Field] = &[Field::text("address", "Address", "Where it listens, with the port that the system chose.")];

const LIVE: &[(&str, &[Field])] = &[
    (
        "vpn vserver",
        &[
            Field::text("curState", "Cur state", "UP if it listens, DOWN if not."),
            Field::text("stateReason", "State reason", "Why it is down."),
            Field::text("address", "Address", "Where it listens, with the port that the system chose."),
            Field::number("curSessions", "Cur sessions", "", "Connections in any state."),
            Field::number("curIcaConnections", "Cur ICA connections", "", "Those whose bytes flow to a host."),
            Field::number("totSessions", "Tot sessions", "", "Connections accepted since start."),
        ],
    ),
    (
        "ssl certKey",
        &[
            Field::text("status", "Status", "Valid, Expired or Not yet valid."),
            Field::text("subject", "Subject", "Whose it is."),
            Field::text("issuer", "Issuer", "Who says so."),
            Field::text("serial", "Serial", "Hexadecimal."),
            Field::list("sanDns", "SAN DNS", "Names that it is valid for."),
            Field::text("notBefore", "Not before", "From when, UTC."),
            Field::text("notAfter", "Not after", "Until when, UTC."),
            Field::number("daysToExpiration", "Days to expiration", "", "Whole days; 0 once it has expired."),
            Field::text("publicKey", "Public key", "Kind and size of its key."),
        ],
    ),
    ("farm server", LISTENS),
    ("farm host", LISTENS),
    (
        "ns config",
        &[
            Field::text("configFile", "Config file", "With which the gateway starts."),
            Field::flag("configChanged", "Config changed", "Whether what runs differs from that file."),
            Field::text("lastChange", "Last change", "When the configuration was last changed, UTC."),
            Field::text("lastSaved", "Last saved", "When it was last saved, UTC."),
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::commands;

    #[test]
    fn the_tables_speak_of_commands_that_exist() {
        let known = |words: &str| commands().iter().any(|command| command.words == words);
        assert!(LIVE.iter().all(|(words, _)| known(words)));
        for (words, columns) in COLUMNS {
            let fields = match commands().iter().find(|command| command.words == *words) {
                Some(command) => crate::show::fields(command),
                None => {
                    crate::catalog::asks().iter().find(|ask| ask.words == *words).map(|ask| ask.all_fields()).unwrap_or_default()
                }
            };
            let missing = columns.iter().find(|column| fields.iter().all(|field| field.name != **column));
            assert_eq!(missing, None, "of {words}");
        }
        assert!(NAMESAKES.iter().all(|(words, other)| known(words) && known(other)));
    }
}
