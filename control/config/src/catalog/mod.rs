//! The catalogue: every command, defined once. Parsing, meaning, printing, help, completion and the pages below `docs/config/` all come
//! from these definitions, so they cannot disagree.
//!
//! ```text
//!   words ─resolve─► Command, Form ─arguments─► Said ─Form::apply─► Model ─Form::print─► words
//!                         │
//!                         └─► document: pages, help
//! ```
//!
//! To add a command: write a [`Command`] in the file of its group, with a [`Form`] for each verb; name it in [`commands`]; give its
//! printing form a `Rank`, which is its place in a saved file; put it into a golden file; run the tests with `UPDATE=1` to write
//! the pages anew. What only a running gateway knows of its objects stands in `live`; what changes nothing by itself is an [`Ask`].

use crate::model::Model;
use crate::print::Writer;

pub use asks::{Ask, Level, What, asks};
pub use document::pages;
pub(crate) use document::{synopsis, takes};
pub use kind::{Kind, PATH_BYTES_MAX, SECRET_BYTES_MAX, SOCKET_PATH_BYTES_MAX, TEXT_CHARS_MAX, Value};
pub(crate) use label::{label, lower_camel};
pub use live::live;
pub(crate) use live::{columns, namesake, show_positionals};
pub(crate) use near::nearest;
pub use said::{Given, Said};
pub(crate) use site::{Note, Refused, Site};

mod aaa;
pub(crate) mod asks;
mod audit;
mod authentication;
mod bound;
mod crl;
mod document;
mod express;
mod farm;
mod global;
mod kind;
mod label;
mod live;
mod logins;
mod metrics;
mod near;
mod ns;
mod policy;
mod preauthentication;
mod rename;
pub(crate) mod resolve;
mod rest;
mod resting;
mod said;
mod session;
mod site;
mod ssl;
mod system;
mod vpn;
pub(crate) mod wider;
mod wishes;

/// All commands, by group and in the order of their pages.
#[must_use]
pub fn commands() -> &'static [&'static Command] {
    &[
        &ns::CONFIG,
        &ns::FEATURE,
        &resting::NS_MODE,
        &ns::HOST_NAME,
        &resting::NS_IP,
        &resting::NS_PARAM,
        &resting::NS_TCP_PARAM,
        &resting::NS_TCP_PROFILE,
        &ns::WORKER,
        &ns::LIMITS,
        &ns::LOG_PARAM,
        &metrics::METRICS,
        &audit::AUDIT,
        &system::USER,
        &resting::SYSTEM_GROUP,
        &resting::SYSTEM_CMD_POLICY,
        &resting::SYSTEM_PARAMETER,
        &ssl::CERT_KEY,
        &ssl::VSERVER,
        &crl::CRL,
        &resting::SSL_PARAMETER,
        &resting::SSL_PROFILE,
        &resting::SSL_CIPHER,
        &policy::PATTERN_SET,
        &policy::EXPRESSION,
        &aaa::USER,
        &aaa::GROUP,
        &logins::PARAMETER,
        &logins::OTP_PARAMETER,
        &preauthentication::GLOBAL,
        &preauthentication::ACTION,
        &preauthentication::POLICY,
        &preauthentication::PARAMETER,
        &authentication::EPA,
        &authentication::LDAP,
        &authentication::RADIUS,
        &authentication::CERT,
        &authentication::SAML,
        &authentication::OAUTH,
        &authentication::NO_AUTH,
        &authentication::EMAIL,
        &authentication::CAPTCHA,
        &authentication::WEB_AUTH,
        &authentication::NEGOTIATE,
        &authentication::STOREFRONT,
        &authentication::DFA,
        &authentication::TACACS,
        &authentication::POLICY,
        &authentication::LDAP_POLICY,
        &authentication::RADIUS_POLICY,
        &authentication::LOCAL_POLICY,
        &authentication::CERT_POLICY,
        &authentication::SAML_POLICY,
        &authentication::LOGIN_SCHEMA,
        &authentication::LOGIN_SCHEMA_POLICY,
        &authentication::LABEL,
        &authentication::VSERVER,
        &authentication::PROFILE,
        &vpn::VSERVER,
        &vpn::PARAMETER,
        &session::SESSION_ACTION,
        &session::SESSION_POLICY,
        &global::VPN,
        &resting::VPN_URL,
        &resting::VPN_INTRANET_APPLICATION,
        &resting::VPN_NEXT_HOP_SERVER,
        &resting::VPN_PORTAL_THEME,
        &resting::VPN_EULA,
        &resting::VPN_TRAFFIC_ACTION,
        &vpn::ALLOWED_HOST,
        &farm::PARAMETER,
        &farm::SERVER,
        &farm::HOST,
        &farm::RESOURCE,
        &farm::HOST_TLS,
    ]
}

/// What can be said about one kind of object.
#[derive(Debug)]
pub struct Command {
    /// First word behind the verb: `vpn`.
    pub group: &'static str,
    /// Second word: `vserver`.
    pub object: &'static str,
    /// Both, as they are printed.
    pub words: &'static str,
    /// What the object is, in a line.
    pub summary: &'static str,
    /// What one should know; Markdown, may be empty.
    pub notes: &'static str,
    /// Whose command it is.
    pub origin: Origin,
    /// The feature without which it has no effect.
    pub feature: Option<Feature>,
    /// When a change takes effect in a running gateway.
    pub effect: Effect,
    /// One for each verb.
    pub forms: &'static [Form],
}

/// Whose command it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// NetScaler's, in its published syntax.
    NetScaler,
    /// NetScaler's, with arguments of ours.
    Extended,
    /// Ours.
    Sluicegate,
}

/// A feature that `enable ns feature` switches on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feature {
    /// Virtual servers of the gateway.
    SslVpn,
    /// Users and groups.
    Aaa,
}

impl Feature {
    /// As it is written.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::SslVpn => "SSLVPN",
            Self::Aaa => "AAA",
        }
    }
}

/// When a change takes effect in a running gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// With the next question.
    AtOnce,
    /// With the next session; running ones keep what they began with.
    NewSessions,
    /// With the next start.
    Restart,
    /// Never: the whole command is kept for printing back. Why it means nothing here.
    Never(&'static str),
}

/// A verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Op {
    /// Makes an object.
    Add,
    /// Changes one.
    Set,
    /// Takes arguments back to their defaults.
    Unset,
    /// Removes one.
    Rm,
    /// Ties one to another.
    Bind,
    /// Unties.
    Unbind,
    /// Switches on.
    Enable,
    /// Switches off.
    Disable,
    /// Takes files anew.
    Update,
    /// Puts a certificate below its issuer's.
    Link,
    /// Takes it away from there.
    Unlink,
    /// Gives another name.
    Rename,
}

impl Op {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Add,
        Self::Set,
        Self::Unset,
        Self::Rm,
        Self::Bind,
        Self::Unbind,
        Self::Enable,
        Self::Disable,
        Self::Update,
        Self::Link,
        Self::Unlink,
        Self::Rename,
    ];

    /// As it is written.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Set => "set",
            Self::Unset => "unset",
            Self::Rm => "rm",
            Self::Bind => "bind",
            Self::Unbind => "unbind",
            Self::Enable => "enable",
            Self::Disable => "disable",
            Self::Update => "update",
            Self::Link => "link",
            Self::Unlink => "unlink",
            Self::Rename => "rename",
        }
    }

    /// Whether a line may stand before the lines that make what it refers to. Lines that take something away may not: they mean what
    /// has been said so far.
    pub(crate) const fn may_precede(self) -> bool {
        match self {
            Self::Add | Self::Set | Self::Bind | Self::Link => true,
            Self::Unset | Self::Rm | Self::Unbind | Self::Enable | Self::Disable | Self::Update | Self::Unlink | Self::Rename => {
                false
            }
        }
    }
}

/// How a verb is said of an object, and what it does.
pub struct Form {
    /// The verb.
    pub op: Op,
    /// Words that come first, in this order.
    pub positionals: &'static [Argument],
    /// Words with a dash, in any order. With `unset` they have no values.
    pub keywords: &'static [Argument],
    /// An example that loads by itself or after the examples of other forms.
    pub example: &'static str,
    /// Does it. On refusal nothing has changed.
    pub(crate) apply: Apply,
    /// Writes what this form would have to say to make the model.
    pub(crate) print: Option<(Rank, Print)>,
}

pub(crate) type Apply = fn(&Said<'_>, &mut Site<'_>) -> Result<(), Refused>;
pub(crate) type Print = fn(&Model, &mut Writer<'_>);

impl std::fmt::Debug for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Form").field("op", &self.op).finish_non_exhaustive()
    }
}

/// The order of a saved file: whatever is referred to stands before whoever refers to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    NsConfig,
    NsFeature,
    NsMode,
    NsHostName,
    NsParam,
    NsIp,
    NsTcpParam,
    NsTcpProfile,
    SystemParameter,
    SystemCmdPolicy,
    SystemUser,
    SystemGroup,
    SystemUserBind,
    SystemGroupBind,
    NsWorker,
    NsLimits,
    NsLogParam,
    NsMetrics,
    NsAuditParam,
    /// Commands of the wider product on which others rest.
    WiderBase,
    PolicyPatset,
    PolicyPatsetBind,
    PolicyExpression,
    SslCertKey,
    SslLink,
    SslCrl,
    SslCipher,
    SslCipherBind,
    SslProfile,
    SslParameter,
    AaaUser,
    AaaGroup,
    AaaParameter,
    AaaOtpParameter,
    AaaPreauthenticationAction,
    AaaPreauthenticationPolicy,
    AaaPreauthenticationParameter,
    AuthnAction,
    AuthnSchema,
    AuthnVserver,
    AuthnProfile,
    VpnVserver,
    SslVserver,
    VpnIntranetApplication,
    VpnNextHopServer,
    VpnEula,
    VpnPortalTheme,
    VpnUrl,
    VpnTrafficAction,
    VpnSessionAction,
    VpnSessionPolicy,
    VpnParameter,
    VpnAllowedHost,
    FarmParameter,
    FarmServer,
    FarmHost,
    FarmHostTls,
    FarmResource,
    FarmResourceBind,
    /// The other commands of the wider product. They may name our objects, and bindings of ours may name them.
    WiderRest,
    AuthnPolicy,
    AuthnSchemaPolicy,
    AuthnLabel,
    AaaUserBind,
    AaaGroupBind,
    AaaGlobalBind,
    VpnVserverBind,
    VpnGlobalBind,
    AuthnLabelBind,
    AuthnVserverBind,
    SslVserverBind,
    /// Lines that nobody knows.
    Unknown,
}

/// A word or a keyword with its values.
#[derive(Clone, Copy, Debug)]
pub struct Argument {
    /// Without dash.
    pub name: &'static str,
    /// What may follow.
    pub kind: Kind,
    /// Whether it must be there.
    pub required: bool,
    /// What holds without it; empty if that is nothing.
    pub default: &'static str,
    /// What it does, in a line or two.
    pub help: &'static str,
    /// How far it has an effect.
    pub support: Support,
    /// Words of the command whose objects it names: `vpn vserver`, `authentication *Action`. Empty if it names none that exist.
    pub names: &'static str,
}

/// How far an argument has an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// All of it.
    Full,
    /// None: this value is how the gateway always behaves. Others are kept, with a warning.
    Always(&'static str),
    /// None yet: it is checked and part of the model, with a warning unless it says what holds without it.
    Held,
    /// None: it is kept for printing back, with a warning unless it says what holds without it.
    Kept,
}

impl Argument {
    /// One that must be there.
    #[must_use]
    pub(crate) const fn required(name: &'static str, kind: Kind, help: &'static str) -> Self {
        Self { name, kind, required: true, default: "", help, support: Support::Full, names: "" }
    }

    /// One that may be there.
    #[must_use]
    pub(crate) const fn optional(name: &'static str, kind: Kind, help: &'static str) -> Self {
        Self { name, kind, required: false, default: "", help, support: Support::Full, names: "" }
    }

    /// What holds without it.
    #[must_use]
    pub(crate) const fn or(mut self, default: &'static str) -> Self {
        self.default = default;
        self
    }

    /// What it names: an object of the command with these words, for completion. A `*` stands for any letters.
    #[must_use]
    pub(crate) const fn names(mut self, words: &'static str) -> Self {
        self.names = words;
        self
    }

    /// One that is checked and part of the model, and has no effect yet.
    #[must_use]
    pub(crate) const fn held(name: &'static str, kind: Kind, help: &'static str) -> Self {
        Self { name, kind, required: false, default: "", help, names: "", support: Support::Held }
    }

    /// One that is kept without effect.
    #[must_use]
    pub(crate) const fn kept(name: &'static str) -> Self {
        Self { name, kind: Kind::Anything, required: false, default: "", help: "", support: Support::Kept, names: "" }
    }

    /// What a kept argument takes. Without this it takes anything.
    #[must_use]
    pub(crate) const fn takes(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// What a kept argument would mean.
    #[must_use]
    pub(crate) const fn means(mut self, help: &'static str) -> Self {
        self.help = help;
        self
    }

    /// One whose only meaning here is `value`.
    #[must_use]
    pub(crate) const fn always(name: &'static str, value: &'static str, help: &'static str) -> Self {
        Self { name, kind: Kind::Anything, required: false, default: value, help, support: Support::Always(value), names: "" }
    }
}

impl Command {
    /// The form of a verb.
    #[must_use]
    pub fn form(&self, op: Op) -> Option<&'static Form> {
        self.forms.iter().find(|form| form.op == op)
    }

    /// The command that carries kept arguments when this is printed.
    pub(crate) fn carrier(&self) -> &'static str {
        if self.form(Op::Add).is_some() { "add" } else { "set" }
    }
}
