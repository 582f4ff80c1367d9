//! Certificates of clients: who is asked, what is handed on, what ends a handshake.

use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls::{AlertDescription, Error, SignatureScheme};
use sluice_link::reason::Reason;
use sluice_link::snapshot::{Asked, Authority, Clients, DEVICE_ALPN, Revocation};
use sluice_proto::certificates::{CERTIFICATES_MAX, Certificates};

use super::*;
use crate::event::Leg;

const VERSIONS: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS12, &rustls::version::TLS13];

struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Ca {
    fn new(name: &str) -> Self {
        let (mut params, key) = (CertificateParams::default(), KeyPair::generate().unwrap());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    fn client(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Shows {
        let (mut params, key) = (CertificateParams::default(), KeyPair::generate().unwrap());
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        let chain = vec![params.signed_by(&key, &self.issuer).unwrap().der().clone()];
        Shows { chain, key: PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap() }
    }

    fn trusted(&self) -> Authority {
        Authority { name: "ca".into(), pem: self.pem.as_bytes().into(), revocation: Revocation::Ignored, named: true }
    }
}

/// Shows a certificate whoever asks, also to one who has named other authorities.
#[derive(Debug)]
struct Shows {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl ResolvesClientCert for Shows {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&self.key).unwrap();
        Some(Arc::new(CertifiedKey::new(self.chain.clone(), key)))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

fn asking(asked: Asked, ca: &Ca) -> Tls {
    Tls { clients: Clients { asked, authorities: vec![ca.trusted()], ..Clients::default() }, ..tls(&[&ECDSA]) }
}

fn showing(shown: Option<Shows>, version: &'static SupportedProtocolVersion) -> ClientConfig {
    let mut config = client_config(&[&ECDSA], ALL_CIPHER_SUITES, &[version]);
    if let Some(shown) = shown {
        config.client_auth_cert_resolver = Arc::new(shown);
    }
    config
}

/// What a handshake of `tls` with a client that shows this comes to, and what the client hears. A client of TLS 1.3 is done before it is
/// refused.
fn visit(tls: Tls, config: ClientConfig) -> (Result<Facts, TlsFault>, Option<AlertDescription>) {
    let served = serve(tls);
    let mut theirs = client(&Arc::new(config), NAME);
    let mut ours = Handshake::accept(&served);
    let mut heard = None;
    for _ in 0..100 {
        let mut incoming = filled(&pull(&mut theirs));
        loop {
            let mut out = buf(Class::Large);
            let outcome = ours.advance(&mut incoming, &mut out);
            if let Err(Error::AlertReceived(alert)) = push(&mut theirs, out.filled()) {
                heard = Some(alert);
            }
            match outcome {
                Err(fault) => return (Err(fault), heard),
                Ok(Progress::Done) => return (Ok(ours.finish().unwrap().facts), heard),
                Ok(Progress::Waiting) => break,
                Ok(Progress::Flush) => {}
            }
        }
    }
    panic!("no end of the handshake");
}

fn shown(facts: &Facts) -> Vec<Vec<u8>> {
    let list = facts.certificates.as_deref().map(|list| Certificates::read(list).unwrap());
    list.map_or_else(Vec::new, |list| list.iter().map(<[u8]>::to_vec).collect())
}

#[test]
fn whoever_is_asked_may_show_one_and_it_is_handed_on_as_it_is() {
    let (ca, other) = (Ca::new("one"), Ca::new("other"));
    for version in VERSIONS {
        let (none, _) = visit(asking(Asked::Optional, &ca), showing(None, version));
        assert_eq!(none.unwrap().certificates, None);
        for made in [ca.client("ann", |_| {}), other.client("ann", |_| {})] {
            let wanted: Vec<Vec<u8>> = made.chain.iter().map(|der| der.to_vec()).collect();
            let (met, _) = visit(asking(Asked::Optional, &ca), showing(Some(made), version));
            assert_eq!(shown(&met.unwrap()), wanted, "control judges it");
        }
        let (unasked, _) = visit(tls(&[&ECDSA]), showing(Some(ca.client("ann", |_| {})), version));
        assert_eq!(unasked.unwrap().certificates, None);
    }
}

#[test]
fn where_there_must_be_a_good_one_nobody_comes_in_without() {
    let (ca, other) = (Ca::new("one"), Ca::new("other"));
    #[expect(clippy::disallowed_methods, reason = "certificates are valid from the present time on")]
    let yesterday = SystemTime::now() - Duration::from_secs(24 * 3600);
    let server = || ca.client("ann", |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]);
    for version in VERSIONS {
        let (good, _) = visit(asking(Asked::Mandatory, &ca), showing(Some(ca.client("ann", |_| {})), version));
        assert_eq!(shown(&good.unwrap()).len(), 1);
        for (made, alert) in [
            (None, AlertDescription::CertificateRequired),
            (Some(other.client("ann", |_| {})), AlertDescription::UnknownCA),
            (Some(ca.client("ann", |params| params.not_after = yesterday.into())), AlertDescription::CertificateExpired),
            (Some(server()), AlertDescription::UnsupportedCertificate),
        ] {
            let (refused, heard) = visit(asking(Asked::Mandatory, &ca), showing(made, version));
            assert_eq!(refused.unwrap_err().reason(Leg::Client), Reason::ClientCertificate);
            // TLS 1.2 has no alert of its own for "there is none".
            assert!(heard == Some(alert) || alert == AlertDescription::CertificateRequired, "{heard:?}, not {alert:?}");
        }
    }
}

#[test]
fn a_certificate_without_its_key_proves_nothing() {
    let ca = Ca::new("one");
    for version in VERSIONS {
        for asked in [Asked::Optional, Asked::Mandatory] {
            let stolen = Shows { key: ca.client("eve", |_| {}).key, ..ca.client("ann", |_| {}) };
            let (refused, heard) = visit(asking(asked, &ca), showing(Some(stolen), version));
            refused.unwrap_err();
            assert!(matches!(heard, Some(AlertDescription::DecryptError | AlertDescription::BadCertificate)), "{heard:?}");
        }
    }
}

#[test]
fn a_chain_that_cannot_be_handed_on_ends_the_handshake() {
    let ca = Ca::new("one");
    let at_most = |count: usize, extra: usize| {
        let mut made = ca.client("ann", |params| {
            params.distinguished_name.push(DnType::OrganizationalUnitName, "x".repeat(extra));
        });
        made.chain = vec![made.chain[0].clone(); count];
        made
    };
    for version in VERSIONS {
        for asked in [Asked::Optional, Asked::Mandatory] {
            visit(asking(asked, &ca), showing(Some(at_most(CERTIFICATES_MAX, 0)), version)).0.unwrap();
            visit(asking(asked, &ca), showing(Some(at_most(1, 14_000)), version)).0.unwrap();
            for made in [at_most(CERTIFICATES_MAX + 1, 0), at_most(1, 17_000), at_most(3, 6000)] {
                let (refused, _) = visit(asking(asked, &ca), showing(Some(made), version));
                assert_eq!(refused.unwrap_err().reason(Leg::Client), Reason::ClientCertificate);
            }
        }
    }
}

#[test]
fn where_everybody_is_asked_nobody_is_resumed() {
    let ca = Ca::new("one");
    for version in VERSIONS {
        let served = serve(asking(Asked::Optional, &ca));
        let config = Arc::new(showing(Some(ca.client("ann", |_| {})), version));
        for _ in 0..3 {
            let mut theirs = client(&config, NAME);
            let met = meet_client(&served, &mut theirs).unwrap();
            assert!(!met.established.facts.resumed);
            assert!(met.established.facts.certificates.is_some(), "each connection proves the key anew");
            assert_eq!(met.rest, b"");
        }
    }
}

#[test]
fn a_program_of_ours_is_asked_for_its_machines_and_nobody_else_is() {
    let (users, machines) = (Ca::new("users"), Ca::new("machines"));
    let device = || {
        let clients = Clients { devices: vec![machines.trusted()], ..Clients::default() };
        Tls { clients, ..tls(&[&ECDSA]) }
    };
    for version in VERSIONS {
        let offering = |protocols: &[&str], shown: Option<Shows>| {
            let mut config = showing(shown, version);
            config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
            config
        };
        let own = || Some(machines.client("pc1", |_| {}));
        let (met, _) = visit(device(), offering(&[DEVICE_ALPN], own()));
        let met = met.unwrap();
        assert!(met.device && met.certificates.is_some());
        let (met, _) = visit(device(), offering(&[DEVICE_ALPN], None));
        assert!(met.unwrap().certificates.is_none(), "it may have none; that is for control to judge");
        for protocols in [&["http/1.1"][..], &["h2"], &[]] {
            let (met, _) = visit(device(), offering(protocols, own()));
            let met = met.unwrap();
            assert!(!met.device && met.certificates.is_none(), "{protocols:?}");
        }
        // Where no machine's is taken, the protocol is one like any other that is not spoken here.
        let (met, _) = visit(tls(&[&ECDSA]), offering(&[DEVICE_ALPN], own()));
        let met = met.unwrap();
        assert!(!met.device && met.certificates.is_none());
        let both = Clients { devices: vec![machines.trusted()], ..asking(Asked::Mandatory, &users).clients };
        let (met, _) = visit(Tls { clients: both, ..tls(&[&ECDSA]) }, offering(&[DEVICE_ALPN], own()));
        assert!(met.unwrap().device, "a machine need not be a user");
    }
}

#[test]
fn authorities_that_cannot_be_used_are_refused_before_they_come_into_force() {
    let mut wanted = asking(Asked::Optional, &Ca::new("one"));
    wanted.clients.authorities[0].pem = b"no PEM".as_slice().into();
    let refused = Served::build(snapshot(vec![listener(1, wanted)], &[]), &ticket_keys()).unwrap_err();
    assert!(refused.to_string().contains("authority ca"), "{refused}");
}
