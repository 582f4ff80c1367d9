//! NFuseProtocol: what a portal asks the XML Service.
//!
//! ```text
//!            request.rs                              answer.rs
//!  portal ── Request::write ─► service Request::read      who is this, what may they start,
//!         ◄─ Answer::read  ── service Answer::write       where does it run, a ticket for the host
//!                    app.rs: published applications    words.rs: the sets of words
//! ```
//!
//! Every message is typed on both sides, so that the embedded service, the portal and the tests speak through the
//! same code. There is no session: each request carries the credentials again.

pub mod answer;
pub mod app;
pub mod request;
pub mod words;

use super::encoding::Encoding;
use super::write::Writer;

/// The path of the service. Compare without regard to case.
pub const XML_PATH: &str = "/scripts/wpnbr.dll";
/// The dialect that we write, on both sides. None is refused.
pub const VERSION: &str = "5.4";

const ROOT: &str = "NFuseProtocol";
const DTD: &str = "NFuse.dtd";

fn envelope(encoding: Encoding) -> Writer {
    let mut writer = Writer::new(encoding, ROOT, DTD);
    writer.open_with(ROOT, &[("version", VERSION)]);
    writer
}

/// The twelve questions, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Which optional abilities the service has.
    Capabilities,
    /// Whether credentials are good.
    ValidateCredentials,
    /// Which applications a user may start.
    AppData,
    /// Where an application runs.
    Address,
    /// A logon ticket, to be consumed by the host.
    Ticket,
    /// A launch reference, to be consumed by the host.
    LaunchRef,
    /// Which servers there are.
    ServerData,
    /// What the farm is called.
    ServerFarmData,
    /// What a host speaks. Asked by old portals only.
    ProtocolInfo,
    /// Which sessions a user left behind.
    ReconnectSessionData,
    /// Disconnect a user's sessions.
    DisconnectUserSessions,
    /// End a user's sessions.
    LogoffUserSessions,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Capabilities,
        Self::ValidateCredentials,
        Self::AppData,
        Self::Address,
        Self::Ticket,
        Self::LaunchRef,
        Self::ServerData,
        Self::ServerFarmData,
        Self::ProtocolInfo,
        Self::ReconnectSessionData,
        Self::DisconnectUserSessions,
        Self::LogoffUserSessions,
    ];

    /// The element that asks.
    #[must_use]
    pub fn request(self) -> &'static str {
        match self {
            Self::Capabilities => "RequestCapabilities",
            Self::ValidateCredentials => "RequestValidateCredentials",
            Self::AppData => "RequestAppData",
            Self::Address => "RequestAddress",
            Self::Ticket => "RequestTicket",
            Self::LaunchRef => "RequestLaunchRef",
            Self::ServerData => "RequestServerData",
            Self::ServerFarmData => "RequestServerFarmData",
            Self::ProtocolInfo => "RequestProtocolInfo",
            Self::ReconnectSessionData => "RequestReconnectSessionData",
            Self::DisconnectUserSessions => "RequestDisconnectUserSessions",
            Self::LogoffUserSessions => "RequestLogoffUserSessions",
        }
    }

    /// The element that answers.
    #[must_use]
    pub fn response(self) -> &'static str {
        match self {
            Self::Capabilities => "ResponseCapabilities",
            Self::ValidateCredentials => "ResponseValidateCredentials",
            Self::AppData => "ResponseAppData",
            Self::Address => "ResponseAddress",
            Self::Ticket => "ResponseTicket",
            Self::LaunchRef => "ResponseLaunchRef",
            Self::ServerData => "ResponseServerData",
            Self::ServerFarmData => "ResponseServerFarmData",
            Self::ProtocolInfo => "ResponseProtocolInfo",
            Self::ReconnectSessionData => "ResponseReconnectSessionData",
            Self::DisconnectUserSessions => "ResponseDisconnectUserSessions",
            Self::LogoffUserSessions => "ResponseLogoffUserSessions",
        }
    }
}
