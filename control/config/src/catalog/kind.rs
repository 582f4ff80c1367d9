//! Kinds of values: what an argument takes, and how it is read.

use std::net::{IpAddr, SocketAddr};

use crate::code::Code;
use crate::model::authentication::{
    CLASSIC_RULE_CHARS_MAX, ClientExpression, Expression, Goto, NotAClientExpression, NotAnExpression,
};
use crate::model::{
    Cidr, CidrPort, Host, HostPort, NAME_CHARS_MAX, NotAnAddress, PortRange, SESSION_GROUP_CHARS_MAX, Secret, SessionGroup, Url,
    UserName,
};

use super::near::nearest;

/// Longest text value, in characters.
pub const TEXT_CHARS_MAX: usize = 1024;
/// Longest path of a file, in bytes (Linux, without its final NUL).
pub const PATH_BYTES_MAX: usize = 4095;
/// Longest path of a Unix socket, in bytes (Linux, without its final NUL).
pub const SOCKET_PATH_BYTES_MAX: usize = 107;
/// Longest password, in bytes.
pub const SECRET_BYTES_MAX: usize = 1024;

/// What an argument takes.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// No value: it is there or not.
    Switch,
    /// Whatever follows, unread.
    Anything,
    /// Any text up to [`TEXT_CHARS_MAX`], without control characters.
    Text,
    /// A text of ASCII letters, digits and these, at most so many characters.
    Word(usize, &'static str),
    /// The name of an object.
    Name,
    /// The name of a group that a login gives to a session.
    SessionGroup,
    /// A rule or another expression of policies, of at most [`EXPRESSION_CHARS_MAX`](crate::model::authentication::EXPRESSION_CHARS_MAX) characters.
    Expression,
    /// The rule of a classic policy, of at most [`CLASSIC_RULE_CHARS_MAX`] characters.
    ClassicRule,
    /// What a client is asked about itself, at most [`CLIENT_EXPRESSION_CHARS_MAX`](crate::model::authentication::CLIENT_EXPRESSION_CHARS_MAX) characters.
    ClientExpression,
    /// Where a factor goes on: `NEXT`, `END`, `USE_INVOCATION_RESULT`, a priority, or an expression.
    Goto,
    /// One of these, in any case.
    Choice(&'static [&'static str]),
    /// A whole number within bounds, both included.
    Number {
        /// Lowest.
        min: u64,
        /// Highest.
        max: u64,
        /// What it counts.
        unit: &'static str,
    },
    /// An IPv4 or IPv6 address.
    Ip,
    /// A network: `192.0.2.0/24`, or one address.
    Cidr,
    /// A network, perhaps with a port: `10.0.0.0/8:1494`.
    CidrPort,
    /// A port or a range of them: `1494`, `1494-1500`.
    Ports,
    /// A host with a port, or with this one if none is written.
    HostPort(u16),
    /// An IP address to listen at, with a port, or with this one if none is written. Port 0 lets the system choose.
    Listen(u16),
    /// A DNS name.
    DnsName,
    /// `http://…` or `https://…`.
    Url,
    /// A file; a relative path is below the configuration's own directory.
    File,
    /// A Unix socket.
    Socket,
    /// A password, never shown.
    Secret,
    /// One to so many of these, divided by blanks or commas.
    List(&'static Self, usize),
}

/// A value that has been read.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "may be a secret")]
pub enum Value {
    /// Text, name, word, DNS name, file.
    Text(Box<str>),
    /// In the catalogue's spelling.
    Choice(&'static str),
    /// A number.
    Number(u64),
    /// An address.
    Ip(IpAddr),
    /// A network.
    Cidr(Cidr),
    /// A network with a port.
    CidrPort(CidrPort),
    /// Ports.
    Ports(PortRange),
    /// A host.
    HostPort(HostPort),
    /// A URL.
    Url(Url),
    /// A secret.
    Secret(Secret),
}

impl Value {
    /// A text, or one of several words in the catalogue's spelling.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Choice(word) => Some(word),
            Self::Number(_)
            | Self::Ip(_)
            | Self::Cidr(_)
            | Self::CidrPort(_)
            | Self::Ports(_)
            | Self::HostPort(_)
            | Self::Url(_)
            | Self::Secret(_) => None,
        }
    }

    /// As it is printed; nothing for a secret.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Text(text) => text.to_string(),
            Self::Choice(word) => (*word).to_owned(),
            Self::Number(number) => number.to_string(),
            Self::Ip(address) => address.to_string(),
            Self::Cidr(network) => network.to_string(),
            Self::CidrPort(network) => network.to_string(),
            Self::Ports(ports) => ports.to_string(),
            Self::HostPort(host) => host.to_string(),
            Self::Url(url) => url.to_string(),
            Self::Secret(_) => String::new(),
        }
    }
}

/// Why a word is not a value of the kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) code: Code,
    pub(crate) cause: String,
    pub(crate) cure: Option<String>,
}

impl Wrong {
    fn value(cause: impl Into<String>) -> Self {
        Self { code: Code::InvalidValue, cause: cause.into(), cure: None }
    }

    fn cured(cause: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { code: Code::InvalidValue, cause: cause.into(), cure: Some(cure.into()) }
    }
}

impl Kind {
    /// How many words may follow a keyword of this kind, lists aside.
    pub(crate) const fn is_list(&self) -> bool {
        matches!(self, Self::List(..))
    }

    /// Whether what follows must never be shown.
    #[must_use]
    pub const fn is_secret(&self) -> bool {
        matches!(self, Self::Secret)
    }

    /// Reads one word. Lists are read word by word with the kind of their members.
    pub(crate) fn read(&self, text: &str) -> Result<Value, Wrong> {
        let address = |wrong: NotAnAddress| match wrong {
            NotAnAddress::HostBits(network) => Wrong::cured(wrong.to_string(), format!("write {network}")),
            NotAnAddress::Ip
            | NotAnAddress::Prefix
            | NotAnAddress::Port
            | NotAnAddress::PortOrder
            | NotAnAddress::Host
            | NotAnAddress::Scheme
            | NotAnAddress::Url => Wrong::value(wrong.to_string()),
        };
        match self {
            Self::Switch | Self::Anything => Ok(Value::Text(text.into())),
            Self::Text => plain(text, TEXT_CHARS_MAX).map(Value::Text),
            Self::Word(most, extra) => {
                let allowed = |c: char| c.is_ascii_alphanumeric() || extra.contains(c);
                if text.is_empty() || text.len() > *most || !text.chars().all(allowed) {
                    return Err(Wrong::value(format!("this takes 1 to {most} letters, digits and any of {extra}")));
                }
                Ok(Value::Text(text.into()))
            }
            // All names have one grammar, whatever they name.
            Self::Name => UserName::parse(text).map(|_| Value::Text(text.into())).map_err(|wrong| {
                let cure = format!("a name has at most {NAME_CHARS_MAX} letters, digits and any of _ - . # space @ = :");
                Wrong::cured(wrong.to_string(), cure)
            }),
            Self::SessionGroup => SessionGroup::parse(text).map(|_| Value::Text(text.into())).map_err(|wrong| {
                let cure =
                    format!("such a name has at most {SESSION_GROUP_CHARS_MAX} letters, digits and any of _ - . # space @ = :");
                Wrong::cured(wrong.to_string(), cure)
            }),
            Self::Expression => Expression::parse(text).map(|_| Value::Text(text.into())).map_err(expression),
            Self::Goto => Goto::parse(text).map(|_| Value::Text(text.into())).map_err(expression),
            Self::ClassicRule => classic_rule(text),
            Self::ClientExpression => ClientExpression::parse(text).map(|_| Value::Text(text.into())).map_err(client_expression),
            Self::Choice(words) => choose(text, words),
            Self::Number { min, max, unit } => number(text, *min, *max, unit),
            Self::Ip => text.parse().map(Value::Ip).map_err(|_| address(NotAnAddress::Ip)),
            Self::Cidr => Cidr::parse(text).map(Value::Cidr).map_err(address),
            Self::CidrPort => CidrPort::parse(text).map(Value::CidrPort).map_err(address),
            Self::Ports => PortRange::parse(text).map(Value::Ports).map_err(address),
            Self::HostPort(port) => HostPort::parse(text, *port).map(Value::HostPort).map_err(address),
            Self::Listen(port) => listen(text, *port).map(Value::HostPort),
            Self::DnsName => match Host::parse(text) {
                Ok(Host::Name(name)) => Ok(Value::Text(name)),
                Ok(Host::Ip(_)) | Err(_) => Err(Wrong::value("this takes a DNS name such as gateway.example.com")),
            },
            Self::Url => Url::parse(text).map(Value::Url).map_err(address),
            Self::File => path(text, PATH_BYTES_MAX),
            Self::Socket => path(text, SOCKET_PATH_BYTES_MAX),
            Self::Secret => {
                if text.is_empty() || text.len() > SECRET_BYTES_MAX {
                    return Err(Wrong::value(format!("a secret has 1 to {SECRET_BYTES_MAX} bytes")));
                }
                Ok(Value::Secret(Secret::new(text)))
            }
            Self::List(member, _) => member.read(text),
        }
    }
}

fn listen(text: &str, port: u16) -> Result<HostPort, Wrong> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(address.into());
    }
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    match bare.parse::<IpAddr>() {
        Ok(address) => Ok(SocketAddr::new(address, port).into()),
        Err(_) => Err(Wrong::value("this takes an IP address with a port, such as 127.0.0.1:9464 or [::1]:9464")),
    }
}

fn expression(not: NotAnExpression) -> Wrong {
    let code = match not {
        NotAnExpression::Empty | NotAnExpression::Control => Code::InvalidExpression,
        NotAnExpression::TooLong => Code::ExpressionTooLong,
    };
    Wrong { code, cause: not.to_string(), cure: None }
}

fn classic_rule(text: &str) -> Result<Value, Wrong> {
    if text.chars().count() > CLASSIC_RULE_CHARS_MAX {
        let cause = format!("a classic rule has at most {CLASSIC_RULE_CHARS_MAX} characters");
        return Err(Wrong { code: Code::ClassicRuleTooLong, cause, cure: None });
    }
    Expression::parse(text).map(|_| Value::Text(text.into())).map_err(expression)
}

fn client_expression(not: NotAClientExpression) -> Wrong {
    let code = match not {
        NotAClientExpression::TooLong => Code::ClientExpressionTooLong,
        NotAClientExpression::Empty
        | NotAClientExpression::Control
        | NotAClientExpression::Unfinished
        | NotAClientExpression::Unexpected(_)
        | NotAClientExpression::NoString
        | NotAClientExpression::TooDeep => Code::InvalidExpression,
    };
    let cure = "write \"sys.client_expr(\\\"proc_2_firefox\\\")\", and && || ! ( ) between several; a quote inside quotes needs a backslash";
    Wrong { code, cause: not.to_string(), cure: Some(cure.into()) }
}

fn plain(text: &str, most: usize) -> Result<Box<str>, Wrong> {
    if text.chars().count() > most {
        return Err(Wrong::value(format!("this takes at most {most} characters")));
    }
    if text.chars().any(char::is_control) {
        return Err(Wrong::value("this takes no control characters"));
    }
    Ok(text.into())
}

fn path(text: &str, most: usize) -> Result<Value, Wrong> {
    if text.is_empty() || text.len() > most || text.chars().any(char::is_control) {
        return Err(Wrong::value(format!("a path has 1 to {most} bytes and no control characters")));
    }
    Ok(Value::Text(text.into()))
}

fn choose(text: &str, words: &'static [&'static str]) -> Result<Value, Wrong> {
    if let Some(word) = words.iter().find(|w| w.eq_ignore_ascii_case(text)) {
        return Ok(Value::Choice(word));
    }
    let begins = |w: &&&str| !text.is_empty() && w.get(..text.len()).is_some_and(|head| head.eq_ignore_ascii_case(text));
    let meant: Vec<&'static str> = words.iter().filter(begins).copied().collect();
    match meant.as_slice() {
        [word] => Ok(Value::Choice(word)),
        [] => {
            let cure = nearest(text, words.iter().copied()).map(|near| format!("did you mean {near}?"));
            Err(Wrong { code: Code::InvalidValue, cause: format!("this takes {}", words.join(", ")), cure })
        }
        several => {
            let cause = format!("this could be {}", several.join(" or "));
            Err(Wrong { code: Code::AmbiguousValue, cause, cure: Some("write it in full".into()) })
        }
    }
}

fn number(text: &str, min: u64, max: u64, unit: &str) -> Result<Value, Wrong> {
    let range = format!("this takes a whole number from {min} to {max} ({unit})");
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Wrong::value(range));
    }
    // Digits that do not fit are more than any maximum.
    let number = text.parse().unwrap_or(u64::MAX);
    if number < min {
        return Err(Wrong { code: Code::BelowMinimum, cause: range, cure: None });
    }
    if number > max {
        return Err(Wrong { code: Code::AboveMaximum, cause: range, cure: None });
    }
    Ok(Value::Number(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(kind: Kind, text: &str) -> Option<Code> {
        kind.read(text).err().map(|wrong| wrong.code)
    }

    #[test]
    fn numbers_keep_to_their_bounds() {
        let kind = Kind::Number { min: 10, max: 20, unit: "apples" };
        assert_eq!(code(kind, "10"), None);
        assert_eq!(code(kind, "20"), None);
        assert_eq!(code(kind, "9"), Some(Code::BelowMinimum));
        assert_eq!(code(kind, "21"), Some(Code::AboveMaximum));
        assert_eq!(code(kind, "99999999999999999999999"), Some(Code::AboveMaximum));
        for wrong in ["", "+10", "1e1", "0x10", "ten"] {
            assert_eq!(code(kind, wrong), Some(Code::InvalidValue), "{wrong}");
        }
    }

    #[test]
    fn choices_take_case_and_prefixes() {
        let kind = Kind::Choice(&["ENABLED", "DISABLED", "ENFORCED"]);
        for (text, read) in [("enabled", "ENABLED"), ("D", "DISABLED"), ("enf", "ENFORCED")] {
            assert!(matches!(kind.read(text), Ok(Value::Choice(word)) if word == read), "{text}");
        }
        assert_eq!(code(kind, "en"), Some(Code::AmbiguousValue));
        assert_eq!(code(kind, ""), Some(Code::InvalidValue));
        assert_eq!(kind.read("ENABELD").err().and_then(|w| w.cure), Some("did you mean ENABLED?".to_owned()));
    }
}
