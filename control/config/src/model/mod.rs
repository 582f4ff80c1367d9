//! What the configuration means: typed, resolved and complete. Nobody behind this validates a second time.
//!
//! ```text
//!   Model ─┬─ paths, worker, limits, log, host name, features
//!          ├─ certificates ◄───────┬── vservers ──► stas
//!          ├─ users ◄─ groups      │
//!          ├─ allowed hosts ─► AllowList (what may be dialled)
//!          ├─ authentication ─ profiles ──► first factors ──► factors; policies ──► actions
//!          └─ farm ─ servers, hosts, resources (► users, groups), host TLS profiles
//! ```
//!
//! Every name in it points at an object that exists. It is made by [`crate::check`], printed by [`Model::print`], compared by
//! [`crate::diff`] and handed to the workers by [`crate::snapshot`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::catalog::Rank;
use crate::expr::Names;
pub use allow::{AllowList, AllowedHost, Denied};
pub use check::{Asked, ClientCheck, NotAsked};
pub use front::{AskedAt, ClientCertificates, Crl, DeviceCertificates, Front, IssuerBinding, Need};
pub use name::{
    ActionName, AllowedHostName, AuthnProfileName, AuthnVserverName, CertKeyName, CrlName, FarmHostName, FarmServerName,
    GroupName, HostTlsName, LabelName, NAME_CHARS_MAX, Name, NotAName, PatternSetName, PolicyName, PreauthActionName,
    ResourceName, RestingName, SESSION_GROUP_CHARS_MAX, SchemaName, SessionActionName, SessionGroup, UserName, VserverName,
};
pub use net::{Cidr, CidrPort, HOST_BYTES_MAX, Host, HostPort, NotAnAddress, PortRange, Scheme, URL_BYTES_MAX, Url};
pub use parameter::{AaaParameter, OtpParameter, PeriodicScan, VpnParameter, is_bound};
pub use preauthentication::{PreauthAction, PreauthBinding, PreauthParameter, PreauthPolicy, Preauthentication, Verdict};
pub use rest::{Resting, RestingBinding, RestingObject};
pub use secret::{
    Credential, Foreign, HashFailed, Hasher, NotOpened, Recoverable, SEAL_EXTRA_BYTES, SEALABLE_BYTES_MAX, SEALED_CHARS_MAX,
    SealFailed, Sealer, Secret,
};
use sluice_link::snapshot::{Cgp, Limits, Rates, RecordEngine, RecordSizes};
use sluice_link::tell;
pub use table::{Table, Taken};

pub mod authentication;
pub mod session;

mod allow;
mod check;
mod front;
mod name;
mod net;
mod parameter;
mod preauthentication;
mod resolved;
mod rest;
mod rules;
mod secret;
mod table;

/// Port of ICA.
pub const ICA_PORT: u16 = 1494;

/// A whole configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    /// Where the gateway's own sockets are.
    pub paths: Paths,
    /// Who may speak to the control socket.
    pub operators: Operators,
    /// Where figures can be fetched, if anywhere: a loopback address.
    pub metrics: Option<SocketAddr>,
    /// Where it is written down who did what.
    pub audit: Audit,
    /// What is switched on.
    pub features: Features,
    /// What this machine is called in logs and on pages.
    pub host_name: Option<Box<str>>,
    /// The worker threads.
    pub worker: Worker,
    /// Deadlines and caps of the data plane.
    pub limits: Limits,
    /// What is written to the log, and how.
    pub log: Log,
    /// Certificates with their keys.
    pub certificates: Table<CertKeyName, CertKey>,
    /// Lists of revoked certificates.
    pub crls: Table<CrlName, Crl>,
    /// Local users.
    pub users: Table<UserName, User>,
    /// Administrators, who have no effect yet.
    pub administrators: Table<UserName, Administrator>,
    /// Local groups.
    pub groups: Table<GroupName, Group>,
    /// Virtual servers.
    pub vservers: Table<VserverName, Vserver>,
    /// Settings of all virtual servers.
    pub vpn: VpnParameter,
    /// Settings of all logins.
    pub aaa: AaaParameter,
    /// Settings of one-time passwords.
    pub otp: OtpParameter,
    /// Session actions and policies.
    pub sessions: session::Sessions,
    /// What is asked of clients before their users are asked anything.
    pub preauthentication: Preauthentication,
    /// Objects that are known by name only and have no effect, by command; for printing back.
    pub resting: Resting,
    /// Which hosts may be connected to. Use [`Model::allow_list`] to ask.
    pub allowed_hosts: Table<AllowedHostName, AllowedHost>,
    /// The embedded farm, and where resources come from.
    pub farm: Farm,
    /// Who may log in, and how.
    pub authentication: authentication::Authentication,
    /// What expressions call by name.
    pub names: Names,
    /// Arguments that are accepted and have no effect, by the command and object on which they stood; for printing back.
    pub kept_arguments: BTreeMap<KeptFor, Vec<KeptArgument>>,
    /// Whole lines without effect, in the order of a saved file; for printing back.
    pub kept_lines: Vec<KeptLine>,
}

/// Where the gateway's own Unix sockets are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// Where workers bring connections that speak HTTP.
    pub inner_socket: PathBuf,
    /// Where the operator's tool connects.
    pub control_socket: PathBuf,
}

/// Who may speak to the control socket, beside root and the user that the gateway runs as, who may change everything. Groups by
/// name or number; who is in both may change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Operators {
    /// Members may look.
    pub read_group: Option<Box<str>>,
    /// Members may look and change.
    pub change_group: Option<Box<str>>,
}

impl Default for Paths {
    fn default() -> Self {
        Self { inner_socket: "/run/sluicegate/inner.sock".into(), control_socket: "/run/sluicegate/control.sock".into() }
    }
}

/// What is switched on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// Virtual servers of the gateway are served.
    pub ssl_vpn: bool,
    /// Users and groups may log in.
    pub aaa: bool,
    /// Features of the other product that mean nothing here; for printing back.
    pub without_effect: BTreeSet<Box<str>>,
    /// Modes of its network, likewise.
    pub modes: BTreeSet<Box<str>>,
}

/// The worker threads of the data plane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Worker {
    /// How many; `None` is one less than there are cores, and at least one.
    pub count: Option<u16>,
    /// Cores to pin them to, in order; empty is the machine's own order.
    pub cores: Vec<u16>,
    /// How they talk to the kernel.
    pub engine: Engine,
    /// How long a worker looks for work before it sleeps; `None` sleeps at once.
    pub busy_poll: Option<Duration>,
    /// Buffers for short messages, per worker; `None` is as many as sessions call for.
    pub small_buffers: Option<u32>,
    /// Buffers for one record, per worker.
    pub large_buffers: Option<u32>,
    /// Buffers for bulk, per worker.
    pub bulk_buffers: Option<u32>,
    /// TCP congestion control on both legs; `None` is the system's own.
    pub congestion: Option<Box<str>>,
}

/// How workers talk to the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// `io_uring` if the kernel lets us, else `mio`, which is said loudly.
    #[default]
    Auto,
    /// `io_uring` or no start.
    Uring,
    /// `mio`.
    Mio,
}

/// Where it is written down who did what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// The file. A relative path is below the configuration's own directory. `None`: it is logged only.
    pub file: Option<PathBuf>,
    /// While it cannot be written, changes are refused.
    pub refuse: bool,
}

/// What is written to the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// The least that is worth a line.
    pub level: LogLevel,
    /// For people or for machines.
    pub format: LogFormat,
}

/// How much is logged: this and everything worse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Something is broken.
    Error,
    /// Something will be.
    Warning,
    /// What an operator wants to read.
    #[default]
    Informational,
    /// What a developer wants to read.
    Debug,
    /// Every step.
    Trace,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// A certificate with its key, by their files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertKey {
    /// PEM, the server's own certificate first. A relative path is below the configuration's own directory.
    pub certificate: PathBuf,
    /// PEM: PKCS#8, PKCS#1 or SEC1. `None` for a certificate of an authority, which cannot be served.
    pub key: Option<PathBuf>,
    /// The certificate of its issuer, which is shown behind it.
    pub issuer: Option<CertKeyName>,
}

/// A local user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// How he proves who he is.
    pub credential: Credential,
    /// Policies bound to him, as they were bound.
    pub policies: Vec<session::PolicyBinding>,
}

/// An administrator of the other product, for doors that ask for a password. The control socket asks the kernel instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Administrator {
    /// How he proves who he is.
    pub credential: Credential,
    /// What he may say: names of command policies with their priorities.
    pub policies: BTreeMap<Box<str>, u32>,
}

/// A local group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Its members, all of whom exist.
    pub users: BTreeSet<UserName>,
    /// Its place among the groups of a user: the policies of the lowest are looked at first.
    pub weight: u32,
    /// Policies bound to it, as they were bound.
    pub policies: Vec<session::PolicyBinding>,
}

/// A virtual server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vserver {
    /// Where it listens. Port 0 lets the system choose.
    pub address: SocketAddr,
    /// Whether it listens at all.
    pub enabled: bool,
    /// By which name clients reach it; goes into ICA files. `None` is the name of the request, if it is one of the certificate's.
    pub fqdn: Option<Box<str>>,
    /// What happens to clients that ask for session reliability.
    pub cgp: Cgp,
    /// How fast bytes may flow; whole kilobits.
    pub rates: Rates,
    /// What clients meet.
    pub front: Front,
    /// Whose machines' certificates are taken.
    pub devices: DeviceCertificates,
    /// Ticket authorities, in order.
    pub stas: Vec<Sta>,
    /// How users log in. `None`: as local users, with one form.
    pub authn_profile: Option<AuthnProfileName>,
    /// Who is let in, and with which settings.
    pub admission: session::Admission,
}

/// TLS of a virtual server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four independent switches, each with its own keyword")]
pub struct VserverTls {
    /// TLS 1.2 is offered.
    pub tls12: bool,
    /// TLS 1.3 is offered.
    pub tls13: bool,
    /// Sessions may be resumed.
    pub resumption: bool,
    /// X25519MLKEM768 is offered, first.
    pub post_quantum: bool,
    /// How what clients are sent is cut into records.
    pub records: RecordSizes,
    /// Who opens and seals records.
    pub engine: RecordEngine,
}

impl Default for VserverTls {
    fn default() -> Self {
        Self {
            tls12: true,
            tls13: true,
            resumption: true,
            post_quantum: true,
            records: RecordSizes::default(),
            engine: RecordEngine::default(),
        }
    }
}

/// A secure ticket authority of a virtual server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sta {
    /// Where it answers.
    pub url: Url,
    /// The operator accepts that tickets travel in the clear.
    pub insecure: bool,
    /// Trust anchors for `https`, PEM. `None`: those of the system.
    pub roots: Option<PathBuf>,
}

/// The embedded farm, and where resources come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Farm {
    /// The XML Service that the portal asks. `None`: the embedded one.
    pub xml_service: Option<XmlService>,
    /// Inside listeners that serve STA and XML Service.
    pub servers: Table<FarmServerName, FarmServer>,
    /// Demonstration hosts.
    pub hosts: Table<FarmHostName, FarmHost>,
    /// Published resources.
    pub resources: Table<ResourceName, Resource>,
    /// TLS towards hosts, by the names in [`sluice_link::tell::HostTls::profile`].
    pub host_tls: Table<HostTlsName, HostTls>,
}

/// An external XML Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XmlService {
    /// Where it answers.
    pub url: Url,
    /// The operator accepts that passwords travel in the clear.
    pub insecure: bool,
    /// Trust anchors for `https`, PEM. `None`: those of the system.
    pub roots: Option<PathBuf>,
}

/// An inside listener that serves the embedded STA and XML Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FarmServer {
    /// Where it listens. Port 0 lets the system choose.
    pub address: SocketAddr,
    /// What it calls itself in tickets. `None`: made up once and remembered.
    pub authority_id: Option<Box<str>>,
    /// Life of a ticket that may be used once.
    pub ticket_lifetime: Duration,
    /// Life of a ticket that may be used again, counted from its last use.
    pub refreshable_lifetime: Duration,
    /// Who may call, beside this machine itself. Use [`FarmServer::admits`] to ask.
    pub allow_from: Vec<Cidr>,
    /// For HTTPS. `None`: HTTP.
    pub certificate: Option<CertKeyName>,
}

impl Model {
    /// The action that gives sessions a group because of what a client's machine is like, in whichever direction.
    #[must_use]
    pub fn scan_that_gives(&self, group: &str) -> Option<&ActionName> {
        let gives = |action: &authentication::Action| {
            let authentication::Action::Epa(epa) = action else { return false };
            [&epa.default_group, &epa.quarantine_group].into_iter().flatten().any(|given| given.as_str() == group)
        };
        self.authentication.actions.iter().find(|(_, action)| gives(action)).map(|(name, _)| name)
    }
}

impl FarmServer {
    /// Whether a caller from `address` may speak to it: this machine itself, and the networks listed.
    #[must_use]
    pub fn admits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_loopback() || self.allow_from.iter().any(|network| network.contains(address))
    }
}

/// A demonstration ICA host inside the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FarmHost {
    /// Where it listens. Port 0 lets the system choose.
    pub address: SocketAddr,
}

/// A published resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Where its ICA host listens.
    pub host: HostPort,
    /// Where the same host listens for session reliability.
    pub cgp_host: Option<HostPort>,
    /// What users read. `None`: its name.
    pub display_name: Option<Box<str>>,
    /// What users read below.
    pub description: Option<Box<str>>,
    /// What it is.
    pub kind: ResourceKind,
    /// In which folder users find it; parts are divided by `\`.
    pub folder: Option<Box<str>>,
    /// Who may use it.
    pub access: Access,
}

/// What a resource is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResourceKind {
    /// One program.
    #[default]
    Application,
    /// A whole desktop.
    Desktop,
}

/// Who may use a resource. Nobody, unless bound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Everybody who can log in.
    pub everyone: bool,
    /// These users.
    pub users: BTreeSet<UserName>,
    /// Users of these groups.
    pub groups: BTreeSet<GroupName>,
}

/// TLS towards hosts: which, and whom to trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostTls {
    /// Which hosts. The longest prefix wins; with equal ones a named port beats all ports.
    pub addresses: Vec<CidrPort>,
    /// Trust anchors, PEM.
    pub roots: PathBuf,
    /// The name that the host's certificate must be valid for. `None`: its address.
    pub server_name: Option<Box<str>>,
}

/// On which command and object a kept argument stood.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeptFor {
    /// As printed: `add vpn vserver`.
    pub command: &'static str,
    /// The object's name; empty if the command has none.
    pub object: Box<str>,
}

/// An argument that is accepted and has no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptArgument {
    /// Without the dash, in the spelling of the catalogue if it is known there.
    pub keyword: Box<str>,
    /// What followed.
    pub values: Vec<Box<str>>,
}

/// A line without effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptLine {
    /// Where it stands in a saved file.
    pub(crate) rank: Rank,
    /// The object that it binds something to, with which it goes.
    pub(crate) of: Option<KeptFor>,
    /// As it stood in the file, with open secrets taken out.
    pub text: Box<str>,
}

impl KeptLine {
    pub(crate) fn new(rank: Rank, shown: &str) -> Self {
        Self { rank, of: None, text: shown.trim_matches([' ', '\t', '\r', '\n']).into() }
    }
}

impl Model {
    /// The ticket authorities that a virtual server asks: its own, or those bound for all if it has none.
    #[must_use]
    pub fn stas_of<'m>(&'m self, vserver: &'m Vserver) -> &'m [Sta] {
        if vserver.stas.is_empty() { &self.vpn.stas } else { &vserver.stas }
    }

    /// A certificate and those that it is linked to, the nearest first. It ends, since no link leads back.
    pub fn chain(&self, name: &str) -> impl Iterator<Item = (&CertKeyName, &CertKey)> {
        std::iter::successors(self.certificates.row(name), |(_, pair)| self.certificates.row(pair.issuer.as_ref()?.as_str()))
    }

    /// Keeps a line behind those that stand before it in a saved file, so that the order in which ranks were said is no difference.
    pub(crate) fn keep_line(&mut self, line: KeptLine) {
        let at = self.kept_lines.partition_point(|other| other.rank <= line.rank);
        self.kept_lines.insert(at, line);
    }

    /// The answer to "may this address be dialled?".
    #[must_use]
    pub fn allow_list(&self) -> AllowList {
        AllowList::of(self)
    }

    /// TLS for the host at `address`, if it is configured so.
    #[must_use]
    pub fn host_tls(&self, address: SocketAddr) -> Option<tell::HostTls> {
        let mut best: Option<((u8, bool), &HostTlsName, &HostTls)> = None;
        for (id, profile) in self.farm.host_tls.iter() {
            for matched in profile.addresses.iter().filter(|a| a.contains(address)) {
                let rank = (matched.network.prefix(), matched.port.is_some());
                if best.is_none_or(|(so_far, ..)| rank > so_far) {
                    best = Some((rank, id, profile));
                }
            }
        }
        let (_, id, profile) = best?;
        let name = profile.server_name.clone().unwrap_or_else(|| address.ip().to_canonical().to_string().into());
        Some(tell::HostTls { profile: id.as_str().into(), name })
    }

    /// Replaces every open password by its hash. After this, printing gives all that there is.
    ///
    /// # Errors
    /// [`HashFailed`] if `hasher` could not; users before that one are sealed.
    pub fn seal(&mut self, hasher: &dyn Hasher) -> Result<(), HashFailed> {
        let users = self.users.iter_mut().map(|(_, user)| &mut user.credential);
        for credential in users.chain(self.administrators.iter_mut().map(|(_, administrator)| &mut administrator.credential)) {
            if let Credential::Plain(secret) = credential {
                *credential = Credential::Hashed(hasher.hash(secret)?.into());
            }
        }
        Ok(())
    }

    /// Replaces every open secret that must be recovered by its seal. After this, and [`seal`](Self::seal), printing gives all that
    /// there is.
    ///
    /// # Errors
    /// [`SealFailed`] if `sealer` could not; secrets before that one are sealed.
    pub fn seal_secrets(&mut self, sealer: &dyn Sealer) -> Result<(), SealFailed> {
        self.authentication.seal(sealer)
    }

    /// The groups that `user` is in, by name.
    pub fn groups_of(&self, user: &UserName) -> impl Iterator<Item = &GroupName> {
        self.groups.iter().filter(move |(_, group)| group.users.contains(user)).map(|(name, _)| name)
    }

    /// Whether a virtual server is to be served: switched on itself and as a feature, and with a certificate.
    #[must_use]
    pub fn serves(&self, vserver: &Vserver) -> bool {
        self.features.ssl_vpn && vserver.enabled && vserver.front.certificate.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(addresses: &[&str], server_name: Option<&str>) -> HostTls {
        HostTls {
            addresses: addresses.iter().map(|a| CidrPort::parse(a).unwrap()).collect(),
            roots: "ca.pem".into(),
            server_name: server_name.map(Into::into),
        }
    }

    #[test]
    fn the_closest_profile_wins() {
        let mut model = Model::default();
        let table = &mut model.farm.host_tls;
        table.add(HostTlsName::parse("wide").unwrap(), profile(&["10.0.0.0/8"], Some("vda.example"))).unwrap();
        table.add(HostTlsName::parse("near").unwrap(), profile(&["10.1.0.0/16", "10.1.0.0/16:2598"], None)).unwrap();
        table.add(HostTlsName::parse("port").unwrap(), profile(&["10.1.0.0/16:1494"], None)).unwrap();
        let found =
            |address: &str| model.host_tls(address.parse().unwrap()).map(|t| (t.profile.to_string(), t.name.into_string()));
        assert_eq!(found("10.2.0.1:1494"), Some(("wide".into(), "vda.example".into())));
        assert_eq!(found("10.1.0.1:443"), Some(("near".into(), "10.1.0.1".into())));
        assert_eq!(found("10.1.0.1:1494"), Some(("port".into(), "10.1.0.1".into())));
        assert_eq!(found("[::ffff:10.1.0.1]:1494"), Some(("port".into(), "10.1.0.1".into())));
        assert_eq!(found("192.0.2.1:1494"), None);
    }

    #[test]
    fn a_farm_server_admits_this_machine_and_those_listed() {
        let server = FarmServer {
            address: "192.0.2.1:8080".parse().unwrap(),
            authority_id: None,
            ticket_lifetime: Duration::from_secs(100),
            refreshable_lifetime: Duration::from_secs(500),
            allow_from: vec![Cidr::parse("198.51.100.0/24").unwrap()],
            certificate: None,
        };
        for (address, admitted) in
            [("127.0.0.1", true), ("::1", true), ("198.51.100.9", true), ("::ffff:198.51.100.9", true), ("203.0.113.1", false)]
        {
            assert_eq!(server.admits(address.parse().unwrap()), admitted, "{address}");
        }
    }
}
