//! What a part of an expression is: a value, or a step on the way to one.

/// What a part of an expression is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// True or false.
    Truth,
    /// A whole number.
    Number,
    /// A text.
    Text,
    /// A text of which can be asked whether it is there at all.
    Field,
    /// An IP address.
    Address,
    /// Texts.
    List,
    /// Texts with names.
    Pairs,
    /// A point in time.
    Moment,
    /// Nothing yet: where a chain begins.
    Root,
    /// `HTTP`
    Http,
    /// `HTTP.REQ`
    Request,
    /// `HTTP.REQ.URL`; as a text: path and query.
    Url,
    /// `HTTP.REQ.HOSTNAME`; as a text: without port.
    Host,
    /// `HTTP.REQ.URL.PATH`
    Path,
    /// `HTTP.REQ.URL.QUERY`
    Query,
    /// `HTTP.REQ.COOKIE`
    Cookie,
    /// `HTTP.REQ.METHOD`
    Method,
    /// `AAA`
    Aaa,
    /// `AAA.USER`
    User,
    /// `AAA.LOGIN`
    Login,
    /// `CLIENT`
    Client,
    /// `CLIENT.IP`
    Ip,
    /// `CLIENT.TCP`
    Tcp,
    /// `CLIENT.SSL`
    Ssl,
    /// `CLIENT.SSL.CLIENT_CERT`
    Certificate,
    /// A distinguished name.
    Distinguished,
    /// `SYS`
    System,
    /// A named expression: what it is shows when the name is looked up.
    Any,
}

impl Kind {
    /// What it is as a value, if it is one.
    pub(super) const fn value(self) -> Option<Self> {
        match self {
            Self::Truth | Self::Number | Self::Text | Self::Address | Self::List | Self::Pairs | Self::Moment | Self::Any => {
                Some(self)
            }
            Self::Field
            | Self::Url
            | Self::Host
            | Self::Path
            | Self::Query
            | Self::Cookie
            | Self::Method
            | Self::Distinguished => Some(Self::Text),
            Self::Root
            | Self::Http
            | Self::Request
            | Self::Aaa
            | Self::User
            | Self::Login
            | Self::Client
            | Self::Ip
            | Self::Tcp
            | Self::Ssl
            | Self::Certificate
            | Self::System => None,
        }
    }

    /// How messages call it.
    pub(super) const fn called(self) -> &'static str {
        match self {
            Self::Truth => "true or false",
            Self::Number => "a number",
            Self::Text | Self::Field => "a text",
            Self::Address => "an address",
            Self::List => "a list",
            Self::Pairs => "a list of names and values",
            Self::Moment => "a time",
            Self::Root => "an expression",
            Self::Http => "HTTP",
            Self::Request => "HTTP.REQ",
            Self::Url => "a URL",
            Self::Host => "a host name",
            Self::Path => "a path",
            Self::Query => "a query",
            Self::Cookie => "cookies",
            Self::Method => "a method",
            Self::Aaa => "AAA",
            Self::User => "AAA.USER",
            Self::Login => "AAA.LOGIN",
            Self::Client => "CLIENT",
            Self::Ip => "CLIENT.IP",
            Self::Tcp => "CLIENT.TCP",
            Self::Ssl => "CLIENT.SSL",
            Self::Certificate => "a certificate",
            Self::Distinguished => "a distinguished name",
            Self::System => "SYS",
            Self::Any => "a named expression",
        }
    }
}
