//! Server configuration from a snapshot: everything is parsed and tested here, before it comes into force.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use rustls::client::{Resumption, verify_server_name};
use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider, kx_group, sign};
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ClientHello, NoServerSessionStorage, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedCipherSuite, SupportedProtocolVersion};
use sluice_link::id::{HostTlsId, ListenerId};
use sluice_link::port::PublishProblem;
use sluice_link::snapshot::{
    CertKey, Cgp, DEVICE_ALPN, HostTlsProfile, KeyGroup, Listener, Rates, RecordEngine, RecordSizes, Snapshot, Suite, Tls,
};

use super::clients::Asking;
use super::tickets::{ListenerTickets, TicketKeys};
use crate::pace::Shared;

/// Sessions with hosts that one profile remembers, to resume them.
const HOST_SESSIONS_MAX: usize = 256;

/// A snapshot with everything that is built from it. Built once by the owner of the workers and shared by all of them.
#[derive(Debug)]
pub struct Served {
    /// What it was built from.
    pub snapshot: Arc<Snapshot>,
    listeners: Vec<Arc<ServedListener>>,
    hosts: Vec<Arc<HostProfile>>,
}

impl Served {
    /// Parses and tests all certificates, keys and settings.
    ///
    /// # Errors
    /// [`PublishProblem`], naming the object at fault.
    pub fn build(snapshot: Arc<Snapshot>, keys: &Arc<TicketKeys>) -> Result<Self, PublishProblem> {
        Self::build_after(None, snapshot, keys)
    }

    /// The same, in place of `before`. Of what is as it was then, nothing is parsed again; and what virtual servers have let through
    /// at a rate that stays is not forgotten.
    ///
    /// # Errors
    /// [`PublishProblem`], naming the object at fault.
    pub fn build_after(before: Option<&Self>, snapshot: Arc<Snapshot>, keys: &Arc<TicketKeys>) -> Result<Self, PublishProblem> {
        let listeners = snapshot.listeners.iter().map(|listener| {
            let was = before.and_then(|before| before.listener(listener.id));
            if let (Some(before), Some(was)) = (before, was)
                && before.snapshot.listeners.contains(listener)
            {
                return Ok(Arc::clone(was));
            }
            ServedListener::build(listener, keys, was.map(|was| &was.together))
                .map(Arc::new)
                .map_err(|detail| PublishProblem::Listener { listener: listener.name.clone(), detail })
        });
        let hosts = snapshot.host_tls.iter().map(|profile| {
            let was = before.filter(|before| before.snapshot.host_tls.contains(profile));
            if let Some(was) = was.and_then(|before| before.host_profile(&profile.id)) {
                return Ok(Arc::clone(was));
            }
            HostProfile::build(profile)
                .map(Arc::new)
                .map_err(|detail| PublishProblem::HostTls { profile: profile.id.to_string(), detail })
        });
        let (listeners, hosts) = (listeners.collect::<Result<_, _>>()?, hosts.collect::<Result<_, _>>()?);
        Ok(Self { snapshot, listeners, hosts })
    }

    /// The virtual server of this id, if this snapshot has it.
    #[must_use]
    pub fn listener(&self, id: ListenerId) -> Option<&Arc<ServedListener>> {
        self.listeners.iter().find(|l| l.id == id)
    }

    /// The TLS profile for hosts, if this snapshot has it.
    #[must_use]
    pub fn host_profile(&self, id: &HostTlsId) -> Option<&Arc<HostProfile>> {
        self.hosts.iter().find(|host| host.id == *id)
    }
}

/// One virtual server.
pub struct ServedListener {
    /// Stable while the virtual server lives.
    pub id: ListenerId,
    /// As the operator named it.
    pub name: Box<str>,
    /// What happens to CGP openings.
    pub cgp: Cgp,
    /// How what clients are sent is cut into records.
    pub records: RecordSizes,
    /// Who opens and seals them, with clients and with their hosts.
    pub engine: RecordEngine,
    /// How fast bytes may flow.
    pub rates: Rates,
    /// What all its sessions share of that.
    pub together: Shared,
    pub(super) configs: ServerConfigs,
}

/// The same settings twice: rustls refuses clients whose ALPN offers have nothing in common with ours, once ours is not empty.
/// Native clients may offer whatever they like, so only those who offer `http/1.1` meet a server that speaks of ALPN at all.
#[derive(Clone)]
pub(super) struct ServerConfigs {
    pub(super) silent: Arc<ServerConfig>,
    pub(super) http11: Arc<ServerConfig>,
    /// For programs that have come to show their machine's certificate, if any is taken here.
    pub(super) device: Option<Arc<ServerConfig>>,
}

impl ServedListener {
    fn build(listener: &Listener, keys: &Arc<TicketKeys>, before: Option<&Shared>) -> Result<Self, String> {
        let tls = &listener.tls;
        // A version without a suite or group is not offered: clients would choose it and then have nothing in common with us.
        let versions: &[&SupportedProtocolVersion] = match (tls.speaks(false), tls.speaks(true)) {
            (true, true) => &[&TLS13, &TLS12],
            (false, true) => &[&TLS13],
            (true, false) => &[&TLS12],
            (false, false) if tls.tls12 || tls.tls13 => {
                return Err("no cipher suite and group that are bound go with a version that is enabled".into());
            }
            (false, false) => return Err("neither TLS 1.2 nor TLS 1.3 is enabled".into()),
        };
        let certificates = Arc::new(Certificates::build(&tls.certificates)?);
        let provider = provider(tls);
        let config = |asking: Option<Arc<Asking>>| {
            let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
                .with_protocol_versions(versions)
                .map_err(|e| e.to_string())?;
            let config = match asking {
                Some(asking) => config.with_client_cert_verifier(asking),
                None => config.with_no_client_auth(),
            };
            let mut config = config.with_cert_resolver(certificates.clone());
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.max_early_data_size = 0;
            config.send_half_rtt_data = false;
            config.enable_secret_extraction = true;
            config.send_tls13_tickets = 0;
            Ok::<_, String>(config)
        };
        let everybody = Asking::everybody(&tls.clients, &provider)?;
        let asks = everybody.is_some();
        let mut silent = config(everybody)?;
        // A resumed session would be without the proof that was asked for.
        if tls.resumption && !asks {
            silent.ticketer = Arc::new(ListenerTickets::new(Arc::clone(keys), binding(listener.id, tls)));
            silent.send_tls13_tickets = 1;
        }
        let device = match Asking::devices(&tls.clients, &provider)? {
            Some(asking) => {
                let mut device = config(Some(asking))?;
                device.alpn_protocols = vec![DEVICE_ALPN.into()];
                Some(Arc::new(device))
            }
            None => None,
        };
        let mut together = Shared::new(listener.rates.together);
        if let Some(before) = before {
            together.go_on_from(before);
        }
        let mut http11 = silent.clone();
        http11.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            id: listener.id,
            name: listener.name.as_str().into(),
            cgp: listener.cgp,
            records: tls.records,
            engine: tls.engine,
            rates: listener.rates,
            together,
            configs: ServerConfigs { silent: Arc::new(silent), http11: Arc::new(http11), device },
        })
    }
}

impl fmt::Debug for ServedListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServedListener").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

/// TLS towards hosts.
pub struct HostProfile {
    /// As the operator named it.
    pub id: HostTlsId,
    pub(super) config: Arc<ClientConfig>,
}

impl HostProfile {
    fn build(profile: &HostTlsProfile) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        for root in certificates(&profile.roots_pem)? {
            roots.add(root).map_err(|e| format!("a CA certificate cannot be used: {e}"))?;
        }
        // No post-quantum key share towards hosts: it makes the hello longer than one segment, which old ones are known to choke on.
        let mut config = ClientConfig::builder_with_provider(provider(&Tls { post_quantum: false, ..Tls::default() }))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|e| e.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.enable_secret_extraction = true;
        config.resumption = Resumption::in_memory_sessions(HOST_SESSIONS_MAX);
        Ok(Self { id: profile.id.clone(), config: Arc::new(config) })
    }
}

impl fmt::Debug for HostProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostProfile").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Always said, never the process's default: whoever links us may have set another one.
fn provider(tls: &Tls) -> Arc<CryptoProvider> {
    let suites = if tls.suites.is_empty() { Suite::ALL } else { &tls.suites };
    let groups = if tls.groups.is_empty() { KeyGroup::ALL } else { &tls.groups };
    let wanted = |group: &&KeyGroup| !tls.groups.is_empty() || tls.post_quantum || **group != KeyGroup::X25519MlKem768;
    Arc::new(CryptoProvider {
        cipher_suites: suites.iter().map(|suite| cipher_suite_of(*suite)).collect(),
        kx_groups: groups.iter().filter(wanted).map(|group| group_of(*group)).collect(),
        ..default_provider()
    })
}

fn cipher_suite_of(suite: Suite) -> SupportedCipherSuite {
    match suite {
        Suite::Tls13Aes256 => cipher_suite::TLS13_AES_256_GCM_SHA384,
        Suite::Tls13Aes128 => cipher_suite::TLS13_AES_128_GCM_SHA256,
        Suite::Tls13ChaCha => cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        Suite::EcdsaAes256 => cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        Suite::EcdsaAes128 => cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        Suite::EcdsaChaCha => cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        Suite::RsaAes256 => cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        Suite::RsaAes128 => cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        Suite::RsaChaCha => cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    }
}

fn group_of(group: KeyGroup) -> &'static dyn SupportedKxGroup {
    match group {
        KeyGroup::X25519MlKem768 => kx_group::X25519MLKEM768,
        KeyGroup::X25519 => kx_group::X25519,
        KeyGroup::P256 => kx_group::SECP256R1,
        KeyGroup::P384 => kx_group::SECP384R1,
    }
}

/// What tickets of a virtual server are bound to: its id, and everything that decides who may come in and as whom we pose.
fn binding(id: ListenerId, tls: &Tls) -> Box<[u8]> {
    let mut hash = Context::new(&SHA256);
    hash.update(&id.0.to_be_bytes());
    hash.update(&[tls.tls12, tls.tls13, tls.post_quantum].map(u8::from));
    for name in tls.suites.iter().map(|suite| suite.name()).chain(tls.groups.iter().map(|group| group.name())) {
        // No name has a blank.
        hash.update(name.as_bytes());
        hash.update(b" ");
    }
    for certificate in &tls.certificates {
        hash.update(&u64::try_from(certificate.chain_pem.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(&certificate.chain_pem);
    }
    hash.finish().as_ref().into()
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        // Without the parser's own words, which quote what it read: a key may have been taken for a certificate.
        .map_err(|_| "the certificate file is not readable PEM")?;
    if found.is_empty() {
        return Err("there is no certificate in the file".into());
    }
    Ok(found)
}

/// A virtual server's certificates, of which each client is shown one.
#[derive(Debug)]
struct Certificates(Vec<Arc<CertifiedKey>>);

impl Certificates {
    fn build(pairs: &[CertKey]) -> Result<Self, String> {
        if pairs.is_empty() {
            return Err("no certificate is bound".into());
        }
        let built = pairs.iter().map(|pair| certified(pair).map(Arc::new).map_err(|e| format!("certificate {}: {e}", pair.name)));
        built.collect::<Result<_, _>>().map(Self)
    }
}

fn certified(pair: &CertKey) -> Result<CertifiedKey, String> {
    let chain = certificates(&pair.chain_pem)?;
    let key = PrivateKeyDer::from_pem_slice(&pair.key_pem).map_err(|e| {
        let none = matches!(e, PemError::NoItemsFound);
        if none { "there is no private key in the key file, or it is encrypted" } else { "the key file is not readable PEM" }
    })?;
    let key =
        sign::any_supported_type(&key).map_err(|_| "the private key is of no kind that is supported: RSA, ECDSA, Ed25519")?;
    let certified = CertifiedKey::new(chain, key);
    certified.keys_match().map_err(|e| {
        if matches!(e, rustls::Error::InconsistentKeys(_)) {
            "the private key does not belong to the certificate".to_owned()
        } else {
            format!("the certificate cannot be used: {e}")
        }
    })?;
    Ok(certified)
}

impl ResolvesServerCert for Certificates {
    /// The first certificate that is valid for the name asked for and whose key the client can verify; else the first that it can
    /// verify; else the first, and rustls will say that there is nothing in common.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if let [only] = &self.0[..] {
            return Some(Arc::clone(only));
        }
        let usable = |pair: &&Arc<CertifiedKey>| pair.key.choose_scheme(hello.signature_schemes()).is_some();
        let name = hello.server_name().and_then(|name| ServerName::try_from(name).ok());
        let named = |pair: &&Arc<CertifiedKey>| {
            let (Some(name), Ok(leaf)) = (&name, pair.end_entity_cert()) else { return false };
            ParsedCertificate::try_from(leaf).is_ok_and(|leaf| verify_server_name(&leaf, name).is_ok())
        };
        let all = &self.0;
        let chosen = all.iter().filter(usable).find(named).or_else(|| all.iter().find(usable)).or_else(|| all.first());
        chosen.cloned()
    }
}
