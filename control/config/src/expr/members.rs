//! What is understood: every member of every object, with its arguments and its value. The one table from which expressions are read,
//! and from which the page about them is written.

use super::kind::Kind;
use super::tree::{Arithmetic, Comparison};

/// A member of an object: `CONTAINS("…")` of a text.
#[derive(Debug)]
pub(super) struct Member {
    /// Of what.
    pub(super) of: Kind,
    /// Its name; case is no difference.
    pub(super) name: &'static str,
    /// What stands between its parentheses. Without any there are none.
    pub(super) takes: &'static [Takes],
    /// What it is.
    pub(super) gives: Kind,
    /// How it is found out.
    pub(super) op: Op,
    /// What it says, for the page.
    pub(super) says: &'static str,
}

/// What a member takes as an argument.
#[derive(Clone, Copy, Debug)]
pub(super) enum Takes {
    /// A text, perhaps one that is made by an expression.
    Text,
    /// A number, likewise.
    Number,
    /// An address, written or made by an expression.
    Address,
    /// A network: `10.0.0.0/8`.
    Network,
    /// A regular expression: `re/…/`.
    Pattern,
    /// The name of a pattern set, in quotes.
    Set,
    /// One character: `','`.
    Separator,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A point in time: `GMT 2026 Mar 5 10h`.
    Moment,
}

impl Takes {
    /// How the page writes it.
    pub(super) fn written(self) -> String {
        match self {
            Self::Text => "\"text\"".to_owned(),
            Self::Number => "n".to_owned(),
            Self::Address => "192.0.2.1".to_owned(),
            Self::Network => "10.0.0.0/8".to_owned(),
            Self::Pattern => "re/…/".to_owned(),
            Self::Set => "\"pattern set\"".to_owned(),
            Self::Separator => "','".to_owned(),
            Self::Word(words) => words.join("|"),
            Self::Moment => "GMT 2026 Mar 5".to_owned(),
        }
    }
}

/// How a member is found out, by what it is a member of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    /// A step on the way.
    Step,
    /// It stands in the facts.
    Fact(Fact),
    /// It is made of a text.
    Text(OfText),
    /// Likewise, a list.
    List(OfList),
    /// A number.
    Number(OfNumber),
    /// An address.
    Address(OfAddress),
    /// A point in time.
    Moment(OfMoment),
    /// The contrary of a truth.
    Not,
    /// The value of a name in a text of names and values.
    PairValue,
    /// Understood and always undefined, for this reason.
    Unsupported(&'static str),
}

/// What stands in the facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    Header,
    Cookies,
    Target,
    HostName,
    Method,
    Body,
    BodyPart,
    ValidRequest,
    ClientAddress,
    ServerAddress,
    ClientPort,
    ServerPort,
    IsTls,
    TlsVersion,
    TlsSuite,
    HasCertificate,
    Subject,
    Issuer,
    Serial,
    NotBefore,
    NotAfter,
    DaysToExpire,
    UserName,
    LoginName,
    UserDomain,
    Groups,
    InternalGroups,
    ExternalGroups,
    IsMemberOf,
    Attribute,
    NamedAttribute,
    SessionId,
    Strength,
    Attempts,
    TypedName,
    TypedPassword,
    TypedPassword2,
    TypedDomain,
    TypedField,
    Now,
}

/// What is made of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OfText {
    Cookie,
    CookieNames,
    Path,
    PathPart,
    Query,
    QueryValue,
    QueryNames,
    Same,
    HostPort,
    MethodIs,
    NamePart,
    Exists,
    Equal,
    Unequal,
    Contains,
    NotContains,
    StartsWith,
    EndsWith,
    EqualsAny,
    ContainsAny,
    StartsWithAny,
    EndsWithAny,
    Matches,
    Select,
    Length,
    Lower,
    Upper,
    Before,
    After,
    Between,
    Part,
    PartEqual,
    Prefix,
    Suffix,
    Skip,
    Trim,
    Append,
    TextMode,
    ToNumber,
    ToAddress,
    ToList,
    ToPairs,
}

/// What is made of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OfList {
    Item,
    Count,
    HasItem,
}

/// What is made of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OfNumber {
    Is(Comparison),
    Between,
    Compute(Arithmetic),
    ToText,
}

/// What is made of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OfAddress {
    Is,
    IsNot,
    InNetwork,
    IsV6,
    ToText,
}

/// What is made of a point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OfMoment {
    Year,
    Month,
    Day,
    Hours,
    Minutes,
    Seconds,
    Weekday,
    Is(Comparison),
    Between,
}

const fn m(of: Kind, name: &'static str, takes: &'static [Takes], gives: Kind, op: Op, says: &'static str) -> Member {
    Member { of, name, takes, gives, op, says }
}

/// No data about places.
const PLACES: &str = "there is no database of places";
/// No clients' own word about themselves.
const CLIENT_TYPE: &str = "no client says of which kind it is in a way that could be believed; test its User-Agent";
/// No keys for this.
const SEALED: &str = "there is no key for texts that are handed out and come back";
/// No such conversion.
const CODED: &str = "texts are compared as they were sent";

const COMPARED: &[Takes] = &[Takes::Text];
const COUNTED: &[Takes] = &[Takes::Number];

/// The table.
pub(super) const MEMBERS: &[Member] = &[
    m(Kind::Root, "HTTP", &[], Kind::Http, Op::Step, "The request."),
    m(Kind::Root, "AAA", &[], Kind::Aaa, Op::Step, "The login."),
    m(Kind::Root, "CLIENT", &[], Kind::Client, Op::Step, "The connection."),
    m(Kind::Root, "SYS", &[], Kind::System, Op::Step, "The gateway."),
    m(Kind::Http, "REQ", &[], Kind::Request, Op::Step, "The request that is being answered."),
    m(
        Kind::Request,
        "HEADER",
        COMPARED,
        Kind::Field,
        Op::Fact(Fact::Header),
        "A header; several of one name with `, ` between them.",
    ),
    m(Kind::Request, "COOKIE", &[], Kind::Cookie, Op::Fact(Fact::Cookies), "All cookies, as they were sent."),
    m(Kind::Request, "URL", &[], Kind::Url, Op::Fact(Fact::Target), "Path and query, as they were sent."),
    m(
        Kind::Request,
        "HOSTNAME",
        &[],
        Kind::Host,
        Op::Fact(Fact::HostName),
        "The host that the client asked for, without port, in any case.",
    ),
    m(Kind::Request, "METHOD", &[], Kind::Method, Op::Fact(Fact::Method), "The method."),
    m(Kind::Request, "BODY", COUNTED, Kind::Text, Op::Fact(Fact::BodyPart), "The first n bytes of the body, as they were sent."),
    m(Kind::Request, "BODY", &[], Kind::Text, Op::Fact(Fact::Body), "The body, as it was sent."),
    m(Kind::Request, "USER", &[], Kind::User, Op::Step, "The same as `AAA.USER`."),
    m(Kind::Request, "IS_VALID", &[], Kind::Truth, Op::Fact(Fact::ValidRequest), "Always true: others are not let in."),
    m(Kind::Cookie, "VALUE", COMPARED, Kind::Field, Op::Text(OfText::Cookie), "A cookie. One that was sent twice is not there."),
    m(Kind::Cookie, "NAMES", &[], Kind::List, Op::Text(OfText::CookieNames), "Names of all cookies."),
    m(Kind::Cookie, "EXISTS", &[], Kind::Truth, Op::Text(OfText::Exists), "Whether there are any."),
    m(Kind::Url, "PATH", &[], Kind::Path, Op::Text(OfText::Path), "What stands before the question mark."),
    m(Kind::Url, "QUERY", &[], Kind::Query, Op::Text(OfText::Query), "What stands behind it."),
    m(
        Kind::Path,
        "GET",
        COUNTED,
        Kind::Text,
        Op::Text(OfText::PathPart),
        "What stands behind the n-th slash, without the next one.",
    ),
    m(Kind::Query, "VALUE", COMPARED, Kind::Field, Op::Text(OfText::QueryValue), "A parameter, as it was sent."),
    m(Kind::Query, "NAMES", &[], Kind::List, Op::Text(OfText::QueryNames), "Names of all parameters."),
    m(Kind::Query, "EXISTS", &[], Kind::Truth, Op::Text(OfText::Exists), "Whether there is a question mark."),
    m(Kind::Host, "SERVER", &[], Kind::Text, Op::Text(OfText::Same), "The same without port."),
    m(Kind::Host, "PORT", &[], Kind::Number, Op::Text(OfText::HostPort), "Its port; 443 if none was sent."),
    m(Kind::Method, "EQ", &[Takes::Word(METHODS)], Kind::Truth, Op::Text(OfText::MethodIs), "Whether it is this one."),
    m(Kind::Aaa, "USER", &[], Kind::User, Op::Step, "Who it is so far."),
    m(Kind::Aaa, "LOGIN", &[], Kind::Login, Op::Step, "What the last form brought."),
    m(
        Kind::User,
        "NAME",
        &[],
        Kind::Text,
        Op::Fact(Fact::UserName),
        "The user's name; a directory may have said another than was typed.",
    ),
    m(Kind::User, "LOGIN_NAME", &[], Kind::Text, Op::Fact(Fact::LoginName), "The name that was typed."),
    m(Kind::User, "DOMAIN", &[], Kind::Text, Op::Fact(Fact::UserDomain), "The user's domain."),
    m(Kind::User, "GROUPS", &[], Kind::List, Op::Fact(Fact::Groups), "All groups."),
    m(Kind::User, "INTERNAL_GROUPS", &[], Kind::List, Op::Fact(Fact::InternalGroups), "Groups that the gateway itself gave."),
    m(Kind::User, "EXTERNAL_GROUPS", &[], Kind::List, Op::Fact(Fact::ExternalGroups), "Groups of which a directory says so."),
    m(Kind::User, "IS_MEMBER_OF", COMPARED, Kind::Truth, Op::Fact(Fact::IsMemberOf), "Whether the user is in this group."),
    m(Kind::User, "ATTRIBUTE", COUNTED, Kind::Field, Op::Fact(Fact::Attribute), "Attribute number n, from 1 to 16."),
    m(Kind::User, "ATTRIBUTE", COMPARED, Kind::Field, Op::Fact(Fact::NamedAttribute), "An attribute by its name."),
    m(Kind::User, "SESSIONID", &[], Kind::Text, Op::Fact(Fact::SessionId), "The number by which operators know the login."),
    m(
        Kind::User,
        "AUTHENTICATION_STRENGTH",
        &[],
        Kind::Number,
        Op::Fact(Fact::Strength),
        "The highest strength of the forms so far.",
    ),
    m(Kind::User, "LOGIN_ATTEMPTS", &[], Kind::Number, Op::Fact(Fact::Attempts), "How many times it was tried."),
    m(Kind::Login, "USERNAME", &[], Kind::Text, Op::Fact(Fact::TypedName), "The name that was typed."),
    m(Kind::Login, "PASSWORD", &[], Kind::Text, Op::Fact(Fact::TypedPassword), "The password that was typed."),
    m(Kind::Login, "PASSWORD2", &[], Kind::Text, Op::Fact(Fact::TypedPassword2), "The second one."),
    m(Kind::Login, "DOMAIN", &[], Kind::Text, Op::Fact(Fact::TypedDomain), "The domain that was chosen."),
    m(Kind::Login, "VALUE", COMPARED, Kind::Field, Op::Fact(Fact::TypedField), "Any field of the form, by its id."),
    m(Kind::Login, "CLIENTTYPE", &[], Kind::Text, Op::Unsupported(CLIENT_TYPE), ""),
    m(Kind::Client, "IP", &[], Kind::Ip, Op::Step, "Its addresses, IPv4 and IPv6."),
    m(Kind::Client, "IPV6", &[], Kind::Ip, Op::Step, "The same."),
    m(Kind::Client, "TCP", &[], Kind::Tcp, Op::Step, "Its ports."),
    m(Kind::Client, "SSL", &[], Kind::Ssl, Op::Step, "Its TLS."),
    m(Kind::Ip, "SRC", &[], Kind::Address, Op::Fact(Fact::ClientAddress), "The client's address."),
    m(Kind::Ip, "DST", &[], Kind::Address, Op::Fact(Fact::ServerAddress), "The address to which it came."),
    m(Kind::Tcp, "SRCPORT", &[], Kind::Number, Op::Fact(Fact::ClientPort), "The client's port."),
    m(Kind::Tcp, "DSTPORT", &[], Kind::Number, Op::Fact(Fact::ServerPort), "The port to which it came."),
    m(Kind::Ssl, "IS_SSL", &[], Kind::Truth, Op::Fact(Fact::IsTls), "Whether there is TLS."),
    m(
        Kind::Ssl,
        "VERSION",
        &[],
        Kind::Number,
        Op::Fact(Fact::TlsVersion),
        "The version as it stands on the wire: 0x303 for TLS 1.2, 0x304 for TLS 1.3, 0 without TLS.",
    ),
    m(Kind::Ssl, "CIPHER_NAME", &[], Kind::Text, Op::Fact(Fact::TlsSuite), "The cipher suite."),
    m(Kind::Ssl, "CLIENT_CERT", &[], Kind::Certificate, Op::Step, "The client's certificate."),
    m(Kind::Certificate, "EXISTS", &[], Kind::Truth, Op::Fact(Fact::HasCertificate), "Whether the client has shown one."),
    m(
        Kind::Certificate,
        "SUBJECT",
        &[],
        Kind::Distinguished,
        Op::Fact(Fact::Subject),
        "Whose it is: `CN=ann,O=Example`. A comma in a value is `\\2C`, `=` is `\\3D`.",
    ),
    m(Kind::Certificate, "ISSUER", &[], Kind::Distinguished, Op::Fact(Fact::Issuer), "Who says so."),
    m(Kind::Certificate, "SERIALNUMBER", &[], Kind::Text, Op::Fact(Fact::Serial), "Its number, hexadecimal."),
    m(
        Kind::Certificate,
        "DAYS_TO_EXPIRE",
        &[],
        Kind::Number,
        Op::Fact(Fact::DaysToExpire),
        "Whole days that are left; negative once they are over.",
    ),
    m(Kind::Certificate, "VALID_NOT_BEFORE", &[], Kind::Moment, Op::Fact(Fact::NotBefore), "From when it is valid."),
    m(Kind::Certificate, "VALID_NOT_AFTER", &[], Kind::Moment, Op::Fact(Fact::NotAfter), "Until when."),
    m(Kind::Distinguished, "VALUE", COMPARED, Kind::Field, Op::Text(OfText::NamePart), "The first part of this kind: `CN`."),
    m(Kind::System, "TIME", &[], Kind::Moment, Op::Fact(Fact::Now), "What time it is, in UTC."),
    m(Kind::Moment, "YEAR", &[], Kind::Number, Op::Moment(OfMoment::Year), "Its year."),
    m(Kind::Moment, "MONTH", &[], Kind::Number, Op::Moment(OfMoment::Month), "Its month, from 1."),
    m(Kind::Moment, "DAY", &[], Kind::Number, Op::Moment(OfMoment::Day), "Its day in the month, from 1."),
    m(Kind::Moment, "HOURS", &[], Kind::Number, Op::Moment(OfMoment::Hours), "Its hour, 0 to 23."),
    m(Kind::Moment, "MINUTES", &[], Kind::Number, Op::Moment(OfMoment::Minutes), "Its minute."),
    m(Kind::Moment, "SECONDS", &[], Kind::Number, Op::Moment(OfMoment::Seconds), "Its second."),
    m(Kind::Moment, "WEEKDAY", &[], Kind::Number, Op::Moment(OfMoment::Weekday), "Its day in the week; Sunday is 0."),
    m(
        Kind::Moment,
        "BETWEEN",
        &[Takes::Moment, Takes::Moment],
        Kind::Truth,
        Op::Moment(OfMoment::Between),
        "Whether it is from the begin of the one to the end of the other.",
    ),
    m(Kind::Moment, "EQ", &[Takes::Moment], Kind::Truth, Op::Moment(OfMoment::Is(Comparison::Equal)), "Whether it is in it."),
    m(
        Kind::Moment,
        "NE",
        &[Takes::Moment],
        Kind::Truth,
        Op::Moment(OfMoment::Is(Comparison::Unequal)),
        "Whether it is not in it.",
    ),
    m(
        Kind::Moment,
        "LT",
        &[Takes::Moment],
        Kind::Truth,
        Op::Moment(OfMoment::Is(Comparison::Less)),
        "Whether it is before it begins.",
    ),
    m(
        Kind::Moment,
        "LE",
        &[Takes::Moment],
        Kind::Truth,
        Op::Moment(OfMoment::Is(Comparison::LessOrEqual)),
        "Whether it is before it ends.",
    ),
    m(
        Kind::Moment,
        "GT",
        &[Takes::Moment],
        Kind::Truth,
        Op::Moment(OfMoment::Is(Comparison::Greater)),
        "Whether it is behind its end.",
    ),
    m(
        Kind::Moment,
        "GE",
        &[Takes::Moment],
        Kind::Truth,
        Op::Moment(OfMoment::Is(Comparison::GreaterOrEqual)),
        "Whether it is behind its begin.",
    ),
    m(
        Kind::Field,
        "EXISTS",
        &[],
        Kind::Truth,
        Op::Text(OfText::Exists),
        "Whether it is there. What is missing is the empty text otherwise.",
    ),
    m(Kind::Text, "EQ", COMPARED, Kind::Truth, Op::Text(OfText::Equal), "Whether it is the same text."),
    m(Kind::Text, "NE", COMPARED, Kind::Truth, Op::Text(OfText::Unequal), "Whether it is another one."),
    m(Kind::Text, "CONTAINS", COMPARED, Kind::Truth, Op::Text(OfText::Contains), "Whether this stands in it."),
    m(Kind::Text, "NOTCONTAINS", COMPARED, Kind::Truth, Op::Text(OfText::NotContains), "Whether this does not."),
    m(Kind::Text, "STARTSWITH", COMPARED, Kind::Truth, Op::Text(OfText::StartsWith), "Whether it begins so."),
    m(Kind::Text, "ENDSWITH", COMPARED, Kind::Truth, Op::Text(OfText::EndsWith), "Whether it ends so."),
    m(Kind::Text, "EQUALS_ANY", &[Takes::Set], Kind::Truth, Op::Text(OfText::EqualsAny), "Whether it is one of the patterns."),
    m(
        Kind::Text,
        "CONTAINS_ANY",
        &[Takes::Set],
        Kind::Truth,
        Op::Text(OfText::ContainsAny),
        "Whether one of the patterns stands in it.",
    ),
    m(Kind::Text, "STARTSWITH_ANY", &[Takes::Set], Kind::Truth, Op::Text(OfText::StartsWithAny), "Whether it begins with one."),
    m(Kind::Text, "ENDSWITH_ANY", &[Takes::Set], Kind::Truth, Op::Text(OfText::EndsWithAny), "Whether it ends with one."),
    m(
        Kind::Text,
        "REGEX_MATCH",
        &[Takes::Pattern],
        Kind::Truth,
        Op::Text(OfText::Matches),
        "Whether the regular expression is found in it.",
    ),
    m(
        Kind::Text,
        "REGEX_SELECT",
        &[Takes::Pattern],
        Kind::Text,
        Op::Text(OfText::Select),
        "What the regular expression finds first.",
    ),
    m(Kind::Text, "LENGTH", &[], Kind::Number, Op::Text(OfText::Length), "How many characters it has."),
    m(Kind::Text, "TO_LOWER", &[], Kind::Text, Op::Text(OfText::Lower), "The text in small letters."),
    m(Kind::Text, "TO_UPPER", &[], Kind::Text, Op::Text(OfText::Upper), "The text in capital letters."),
    m(
        Kind::Text,
        "BEFORE_STR",
        COMPARED,
        Kind::Text,
        Op::Text(OfText::Before),
        "What stands before the first place of this; empty if it is nowhere.",
    ),
    m(Kind::Text, "AFTER_STR", COMPARED, Kind::Text, Op::Text(OfText::After), "What stands behind it, likewise."),
    m(
        Kind::Text,
        "BETWEEN",
        &[Takes::Text, Takes::Text],
        Kind::Text,
        Op::Text(OfText::Between),
        "What stands behind the one and before the other.",
    ),
    m(Kind::Text, "SUBSTR", COMPARED, Kind::Text, Op::Text(OfText::PartEqual), "This text, if it stands in it; else empty."),
    m(
        Kind::Text,
        "SUBSTR",
        &[Takes::Number, Takes::Number],
        Kind::Text,
        Op::Text(OfText::Part),
        "As many characters, from that one on; the first is 0.",
    ),
    m(Kind::Text, "PREFIX", COUNTED, Kind::Text, Op::Text(OfText::Prefix), "Its first n characters."),
    m(Kind::Text, "SUFFIX", COUNTED, Kind::Text, Op::Text(OfText::Suffix), "Its last n characters."),
    m(Kind::Text, "SKIP", COUNTED, Kind::Text, Op::Text(OfText::Skip), "All but its first n characters."),
    m(Kind::Text, "TRIM", &[], Kind::Text, Op::Text(OfText::Trim), "Without blanks at both ends."),
    m(Kind::Text, "APPEND", COMPARED, Kind::Text, Op::Text(OfText::Append), "With this behind it."),
    m(
        Kind::Text,
        "SET_TEXT_MODE",
        &[Takes::Word(MODES)],
        Kind::Text,
        Op::Text(OfText::TextMode),
        "Compares without regard to case from here on, or with it again.",
    ),
    m(
        Kind::Text,
        "TYPECAST_NUM_T",
        &[Takes::Word(RADIXES)],
        Kind::Number,
        Op::Text(OfText::ToNumber),
        "The number that it is; undefined if it is none.",
    ),
    m(Kind::Text, "TYPECAST_NUM_AT", &[], Kind::Number, Op::Text(OfText::ToNumber), "The same, decimal."),
    m(
        Kind::Text,
        "TYPECAST_IP_ADDRESS_AT",
        &[],
        Kind::Address,
        Op::Text(OfText::ToAddress),
        "The address that it is; undefined if it is none.",
    ),
    m(Kind::Text, "TYPECAST_LIST_T", &[Takes::Separator], Kind::List, Op::Text(OfText::ToList), "Its parts between these."),
    m(
        Kind::Text,
        "TYPECAST_NVLIST_T",
        &[Takes::Separator, Takes::Separator],
        Kind::Pairs,
        Op::Text(OfText::ToPairs),
        "Names and values: what stands between them, and what between two of them.",
    ),
    m(Kind::Text, "B64DECODE", &[], Kind::Text, Op::Unsupported(CODED), ""),
    m(Kind::Text, "B64ENCODE", &[], Kind::Text, Op::Unsupported(CODED), ""),
    m(Kind::Text, "URL_ENCODE", &[], Kind::Text, Op::Unsupported(CODED), ""),
    m(Kind::Text, "URL_DECODE", &[], Kind::Text, Op::Unsupported(CODED), ""),
    m(Kind::Text, "ENCRYPT", &[], Kind::Text, Op::Unsupported(SEALED), ""),
    m(Kind::Text, "DECRYPT", &[], Kind::Text, Op::Unsupported(SEALED), ""),
    m(Kind::Truth, "NOT", &[], Kind::Truth, Op::Not, "The contrary."),
    m(Kind::Number, "EQ", COUNTED, Kind::Truth, Op::Number(OfNumber::Is(Comparison::Equal)), "Whether it is the same."),
    m(Kind::Number, "NE", COUNTED, Kind::Truth, Op::Number(OfNumber::Is(Comparison::Unequal)), "Whether it is another."),
    m(Kind::Number, "LT", COUNTED, Kind::Truth, Op::Number(OfNumber::Is(Comparison::Less)), "Whether it is less."),
    m(
        Kind::Number,
        "LE",
        COUNTED,
        Kind::Truth,
        Op::Number(OfNumber::Is(Comparison::LessOrEqual)),
        "Whether it is less or the same.",
    ),
    m(Kind::Number, "GT", COUNTED, Kind::Truth, Op::Number(OfNumber::Is(Comparison::Greater)), "Whether it is more."),
    m(
        Kind::Number,
        "GE",
        COUNTED,
        Kind::Truth,
        Op::Number(OfNumber::Is(Comparison::GreaterOrEqual)),
        "Whether it is more or the same.",
    ),
    m(
        Kind::Number,
        "BETWEEN",
        &[Takes::Number, Takes::Number],
        Kind::Truth,
        Op::Number(OfNumber::Between),
        "Whether it is one of these or between them.",
    ),
    m(Kind::Number, "ADD", COUNTED, Kind::Number, Op::Number(OfNumber::Compute(Arithmetic::Add)), "Both together."),
    m(Kind::Number, "SUB", COUNTED, Kind::Number, Op::Number(OfNumber::Compute(Arithmetic::Subtract)), "What is left."),
    m(Kind::Number, "MUL", COUNTED, Kind::Number, Op::Number(OfNumber::Compute(Arithmetic::Multiply)), "So many times."),
    m(
        Kind::Number,
        "DIV",
        COUNTED,
        Kind::Number,
        Op::Number(OfNumber::Compute(Arithmetic::Divide)),
        "Divided, without what is left; undefined by 0.",
    ),
    m(
        Kind::Number,
        "MOD",
        COUNTED,
        Kind::Number,
        Op::Number(OfNumber::Compute(Arithmetic::Remainder)),
        "What is left when divided.",
    ),
    m(Kind::Number, "TYPECAST_TEXT_T", &[], Kind::Text, Op::Number(OfNumber::ToText), "Its digits."),
    m(Kind::Address, "EQ", &[Takes::Address], Kind::Truth, Op::Address(OfAddress::Is), "Whether it is this one."),
    m(Kind::Address, "NE", &[Takes::Address], Kind::Truth, Op::Address(OfAddress::IsNot), "Whether it is another one."),
    m(
        Kind::Address,
        "IN_SUBNET",
        &[Takes::Network],
        Kind::Truth,
        Op::Address(OfAddress::InNetwork),
        "Whether it is in this network.",
    ),
    m(Kind::Address, "IS_IPV6", &[], Kind::Truth, Op::Address(OfAddress::IsV6), "Whether it is an IPv6 address."),
    m(Kind::Address, "TYPECAST_TEXT_T", &[], Kind::Text, Op::Address(OfAddress::ToText), "As a text."),
    m(Kind::Address, "MATCHES_LOCATION", COMPARED, Kind::Truth, Op::Unsupported(PLACES), ""),
    m(
        Kind::List,
        "GET",
        COUNTED,
        Kind::Text,
        Op::List(OfList::Item),
        "Its n-th part; the first is 0, and undefined behind the last.",
    ),
    m(Kind::List, "COUNT", &[], Kind::Number, Op::List(OfList::Count), "How many parts it has."),
    m(Kind::List, "CONTAINS", COMPARED, Kind::Truth, Op::List(OfList::HasItem), "Whether one of its parts is this text."),
    m(Kind::Pairs, "VALUE", COMPARED, Kind::Field, Op::PairValue, "The value of a name."),
];

/// Methods that can be asked for.
pub(super) const METHODS: &[&str] = &["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE"];
/// Whether case makes a difference.
pub(super) const MODES: &[&str] = &[IGNORE_CASE, "NOIGNORECASE"];
pub(super) const IGNORE_CASE: &str = "IGNORECASE";
/// How numbers are written.
pub(super) const RADIXES: &[&str] = &["DECIMAL", HEX];
pub(super) const HEX: &str = "HEX";

/// Members of an object that are called so: its own, else those of the value that it is.
pub(super) fn called(kind: Kind, name: &str) -> Vec<&'static Member> {
    let of = |kind: Kind| MEMBERS.iter().filter(move |member| member.of == kind);
    let own: Vec<_> = of(kind).filter(|member| member.name.eq_ignore_ascii_case(name)).collect();
    match kind.value() {
        Some(value) if own.is_empty() && value != kind => {
            of(value).filter(|member| member.name.eq_ignore_ascii_case(name)).collect()
        }
        Some(_) | None => own,
    }
}

/// Names of all members of an object.
pub(super) fn names(kind: Kind) -> impl Iterator<Item = &'static str> {
    let value = kind.value().filter(|value| *value != kind);
    MEMBERS.iter().filter(move |member| member.of == kind || Some(member.of) == value).map(|member| member.name)
}
