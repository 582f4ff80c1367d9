//! Handshakes: who gets in, with what, and how those are turned away who do not.

use proptest::prelude::*;
use rustls::crypto::aws_lc_rs::kx_group;
use rustls::version::{TLS12, TLS13};
use sluice_link::port::PublishProblem;
use sluice_link::reason::Reason;

use super::*;
use crate::event::Leg;

fn build(tls: Tls) -> Result<(), String> {
    match Served::build(snapshot(vec![listener(1, tls)], &[]), &ticket_keys()) {
        Ok(_) => Ok(()),
        Err(PublishProblem::Listener { listener, detail }) => {
            assert_eq!(listener, "vs1");
            Err(detail)
        }
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn what_does_not_hold_together_is_refused_before_it_comes_into_force() {
    assert_eq!(build(tls(&[&ECDSA, &RSA])), Ok(()));
    let other = Pair::ecdsa(NAME);
    let pair = |chain: &Pair, key: &str| Pair { chain: chain.chain.clone(), key: key.to_owned() };
    let refused = |pair: &Pair| build(tls(&[pair])).unwrap_err();
    assert_eq!(refused(&pair(&ECDSA, &other.key)), "certificate pair: the private key does not belong to the certificate");
    assert_eq!(refused(&pair(&ECDSA, &RSA.key)), "certificate pair: the private key does not belong to the certificate");
    assert_eq!(refused(&pair(&ECDSA, "")), "certificate pair: there is no private key in the key file, or it is encrypted");
    assert_eq!(
        refused(&pair(&ECDSA, &ECDSA.chain)),
        "certificate pair: there is no private key in the key file, or it is encrypted"
    );
    assert_eq!(refused(&Pair { chain: String::new(), ..other }), "certificate pair: there is no certificate in the file");
    assert_eq!(build(tls(&[])), Err("no certificate is bound".to_owned()));
    assert_eq!(
        build(Tls { tls12: false, tls13: false, ..tls(&[&ECDSA]) }),
        Err("neither TLS 1.2 nor TLS 1.3 is enabled".to_owned())
    );
    // A problem never quotes what was read: it may be a key.
    let broken = ECDSA.key.replacen("-----BEGIN", "----BEGIN", 1).replace("-----END", "----END") + "-----BEGIN X";
    let problem = refused(&pair(&ECDSA, &broken));
    assert!(ECDSA.key.lines().all(|line| !problem.contains(line)), "{problem}");

    let nobody = Pair { chain: String::new(), key: String::new() };
    let problem = Served::build(snapshot(vec![], &[&nobody]), &ticket_keys()).unwrap_err();
    assert!(matches!(problem, PublishProblem::HostTls { .. }), "{problem}");
}

#[test]
fn lookups_find_what_the_snapshot_has() {
    let served = Served::build(snapshot(vec![listener(7, tls(&[&ECDSA]))], &[&ECDSA]), &ticket_keys()).unwrap();
    assert_eq!(&*served.listener(ListenerId(7)).unwrap().name, "vs7");
    assert!(served.listener(ListenerId(1)).is_none());
    assert_eq!(served.host_profile(&"hosts".into()).unwrap().id, "hosts".into());
    assert!(served.host_profile(&"others".into()).is_none());
}

#[test]
fn what_has_not_changed_is_not_built_again() {
    let keys = ticket_keys();
    let listeners = |of_second: Tls| vec![listener(1, tls(&[&ECDSA])), listener(2, of_second)];
    let after = |before: &Served, tls: Tls, roots: &Pair| {
        let served = Served::build_after(Some(before), snapshot(listeners(tls), &[roots]), &keys).unwrap();
        let same = |id| Arc::ptr_eq(before.listener(ListenerId(id)).unwrap(), served.listener(ListenerId(id)).unwrap());
        let hosts = |served: &Served| Arc::clone(served.host_profile(&"hosts".into()).unwrap());
        [same(1), same(2), Arc::ptr_eq(&hosts(before), &hosts(&served))]
    };
    let before = Served::build(snapshot(listeners(tls(&[&RSA])), &[&ECDSA]), &keys).unwrap();
    assert_eq!(after(&before, tls(&[&RSA]), &ECDSA), [true, true, true]);
    assert_eq!(after(&before, Tls { tls12: false, ..tls(&[&RSA]) }, &ECDSA), [true, false, true]);
    // Another certificate under the same name.
    assert_eq!(after(&before, tls(&[&ECDSA]), &RSA), [true, false, false]);
}

#[test]
fn however_slowly_it_comes_and_however_small_the_buffers() {
    // A chain that no small buffer holds.
    let long = Pair { chain: [&ECDSA.chain[..], &RSA.chain, &RSA.chain, &RSA.chain].concat(), key: ECDSA.key.clone() };
    for version in [&TLS12, &TLS13] {
        let config = Arc::new(client_config(&[&ECDSA], ALL_CIPHER_SUITES, &[version]));
        for step in [1, 7, 1000, usize::MAX] {
            for out in [Class::Small, Class::Large] {
                let mut theirs = client(&config, NAME);
                let met = meet(Handshake::accept(&serve(tls(&[&long]))), &mut theirs, step, out).unwrap();
                let mut records = met.established.records;
                assert_eq!(open_all(&mut records, &theirs_sealed(&mut theirs, b"hello")).unwrap().0, b"hello");

                let mut theirs = ServerConnection::new(Arc::new(server_config(&long, ALL_CIPHER_SUITES, &[version]))).unwrap();
                let connect = Handshake::connect(&hosts(&ECDSA), NAME, RecordEngine::Own).unwrap();
                let met = meet(connect, &mut theirs, step, out).unwrap();
                let mut records = met.established.records;
                let wire = [met.rest, theirs_sealed(&mut theirs, b"hello")].concat();
                assert_eq!(open_all(&mut records, &wire).unwrap().0, b"hello");
            }
        }
    }
}

#[test]
fn what_comes_behind_the_handshake_is_left_for_the_records() {
    for version in [&TLS12, &TLS13] {
        let config = Arc::new(client_config(&[&ECDSA], ALL_CIPHER_SUITES, &[version]));
        let mut theirs = client(&config, NAME);
        // Written ahead: it goes out in the same flight as the client's Finished (TLS 1.3), or right behind ours (TLS 1.2).
        theirs.writer().write_all(b"opening").unwrap();
        let mut met = meet_client(&serve(tls(&[&ECDSA])), &mut theirs).unwrap();
        let wire = if met.rest.is_empty() { pull(&mut theirs) } else { met.rest };
        assert_eq!(open_all(&mut met.established.records, &wire).unwrap().0, b"opening");
    }
}

#[test]
fn h2_is_never_agreed_on_and_nobody_is_turned_away_for_wishing() {
    let served = serve(tls(&[&ECDSA]));
    let cases: [(&[&str], bool); 7] = [
        (&[], false),
        (&["h2"], false),
        (&["h2", "http/1.1"], true),
        (&["http/1.1", "h2"], true),
        (&["http/1.1"], true),
        (&["http/1.0"], false),
        (&["whatever/native-clients-say", "h3"], false),
    ];
    for version in [&TLS12, &TLS13] {
        for (offered, agreed) in cases {
            let mut config = client_config(&[&ECDSA], ALL_CIPHER_SUITES, &[version]);
            config.alpn_protocols = offered.iter().map(|p| p.as_bytes().to_vec()).collect();
            let mut theirs = client(&Arc::new(config), NAME);
            let met = meet_client(&served, &mut theirs).unwrap();
            assert_eq!(met.established.facts.http11, agreed, "{offered:?}");
            assert_eq!(theirs.alpn_protocol(), agreed.then_some(&b"http/1.1"[..]), "{offered:?}");
        }
    }
}

#[test]
fn post_quantum_can_be_switched() {
    for on in [true, false] {
        let served = serve(Tls { post_quantum: on, ..tls(&[&ECDSA]) });
        let met = meet_client(&served, &mut client(&Arc::new(any_client()), NAME)).unwrap();
        assert_eq!((met.established.facts.version, met.established.facts.post_quantum), (Version::Tls13, on));
    }
    // Clients without it get in all the same, with any of the three classical groups.
    let served = serve(Tls { post_quantum: true, ..tls(&[&ECDSA]) });
    for group in [kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1] {
        for versions in [&[&TLS13][..], &[&TLS12]] {
            let provider = rustls::crypto::CryptoProvider { kx_groups: vec![group], ..default_provider() };
            let mut roots = RootCertStore::empty();
            roots.add(ECDSA.chain_der().remove(0)).unwrap();
            let config = ClientConfig::builder_with_provider(provider.into())
                .with_protocol_versions(versions)
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
            let met = meet_client(&served, &mut client(&Arc::new(config), NAME)).unwrap();
            assert!(!met.established.facts.post_quantum);
        }
    }
}

#[test]
fn a_client_that_guessed_another_group_is_asked_again() {
    let groups = vec![kx_group::SECP256R1MLKEM768, kx_group::SECP384R1];
    let provider = rustls::crypto::CryptoProvider { kx_groups: groups, ..default_provider() };
    let mut roots = RootCertStore::empty();
    roots.add(ECDSA.chain_der().remove(0)).unwrap();
    let mut config = ClientConfig::builder_with_provider(provider.into())
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let mut theirs = client(&Arc::new(config), NAME);
    let mut met = meet_client(&serve(tls(&[&ECDSA])), &mut theirs).unwrap();
    assert_eq!(theirs.handshake_kind(), Some(rustls::HandshakeKind::FullWithHelloRetryRequest));
    assert_eq!((met.established.facts.http11, met.established.facts.sni.as_deref()), (true, Some(NAME)));
    assert_eq!(open_all(&mut met.established.records, &theirs_sealed(&mut theirs, b"x")).unwrap().0, b"x");
}

#[test]
fn versions_can_be_switched_off() {
    for (tls12, tls13) in [(true, false), (false, true)] {
        let served = serve(Tls { tls12, tls13, ..tls(&[&ECDSA]) });
        for version in [&TLS12, &TLS13] {
            let allowed = if version.version == rustls::ProtocolVersion::TLSv1_2 { tls12 } else { tls13 };
            let config = Arc::new(client_config(&[&ECDSA], ALL_CIPHER_SUITES, &[version]));
            let outcome = meet_client(&served, &mut client(&config, NAME)).map(drop);
            match outcome {
                Ok(()) => assert!(allowed),
                Err(fault) => assert!(!allowed && fault.reason(Leg::Client) == Reason::TlsRefused, "{fault:?}"),
            }
        }
    }
}

#[test]
fn only_suites_that_are_bound_are_spoken() {
    for suite in Suite::ALL {
        let served = serve(Tls { suites: vec![*suite], ..tls(&[&ECDSA, &RSA]) });
        let mut theirs = client(&Arc::new(any_client()), NAME);
        meet_client(&served, &mut theirs).unwrap();
        let spoken = format!("{:?}", theirs.negotiated_cipher_suite().unwrap().suite());
        assert_eq!(Suite::find(&spoken), Some(*suite), "{spoken}");
        let others: Vec<_> = ALL_CIPHER_SUITES
            .iter()
            .copied()
            .filter(|other| Suite::find(&format!("{:?}", other.suite())) != Some(*suite))
            .collect();
        let config = client_config(&[&ECDSA, &RSA], &others, rustls::ALL_VERSIONS);
        let refused = meet_client(&served, &mut client(&Arc::new(config), NAME)).map(drop).unwrap_err();
        assert_eq!(refused.reason(Leg::Client), Reason::TlsRefused, "{suite:?}");
    }
    assert_eq!(Suite::ALL.len(), ALL_CIPHER_SUITES.len(), "rustls has a suite that cannot be bound");
    let problem = build(Tls { tls13: false, suites: vec![Suite::Tls13Aes128], ..tls(&[&ECDSA]) }).unwrap_err();
    assert!(problem.contains("no cipher suite"), "{problem}");
}

#[test]
fn only_groups_that_are_bound_are_spoken() {
    let named = |group: Option<&'static dyn rustls::crypto::SupportedKxGroup>| {
        group.and_then(|group| KeyGroup::find(&format!("{:?}", group.name())))
    };
    for groups in [&[KeyGroup::P384][..], &[KeyGroup::X25519MlKem768], &[KeyGroup::P256], &[KeyGroup::P256, KeyGroup::X25519]] {
        // The switch is about what is offered if none is bound.
        let served = serve(Tls { post_quantum: false, groups: groups.to_vec(), ..tls(&[&ECDSA]) });
        let mut theirs = client(&Arc::new(any_client()), NAME);
        meet_client(&served, &mut theirs).unwrap();
        let spoken = named(theirs.negotiated_key_exchange_group()).unwrap();
        assert!(groups.contains(&spoken), "{spoken:?} of {groups:?}");
    }
    // TLS 1.2 knows no post-quantum group, so with that alone it is not spoken.
    let served = serve(Tls { groups: vec![KeyGroup::X25519MlKem768], ..tls(&[&ECDSA]) });
    let config = client_config(&[&ECDSA], ALL_CIPHER_SUITES, &[&TLS12]);
    let refused = meet_client(&served, &mut client(&Arc::new(config), NAME)).map(drop).unwrap_err();
    assert_eq!(refused.reason(Leg::Client), Reason::TlsRefused);
}

#[test]
fn the_certificate_follows_the_name_and_the_clients_abilities() {
    let (one, two) = (Pair::ecdsa("one.example"), Pair::ecdsa("*.two.example"));
    let served = serve(tls(&[&one, &two, &RSA]));
    let shown = |config: &Arc<ClientConfig>, name: &str| {
        let mut theirs = client(config, name);
        meet_client(&served, &mut theirs)
            .map(|met| (theirs.peer_certificates().unwrap()[0].clone(), met.established.facts.sni.unwrap().to_string()))
    };
    let config = Arc::new(client_config(&[&one, &two, &RSA], ALL_CIPHER_SUITES, rustls::ALL_VERSIONS));
    for (name, pair) in [("one.example", &one), ("a.two.example", &two), ("rsa.gate.example", &*RSA)] {
        assert_eq!(shown(&config, name).unwrap(), (pair.chain_der().remove(0), name.to_owned()));
    }
    // An unknown name gets the first, and it is the client who then says no.
    assert!(matches!(shown(&config, "unknown.example"), Err(TlsFault::Alerted(_) | TlsFault::Refused(_))));

    // Both kinds for one name: a client that knows RSA only gets RSA.
    let served = serve(tls(&[&ECDSA, &RSA]));
    let rsa_only: Vec<_> = ALL_CIPHER_SUITES.iter().copied().filter(|s| format!("{s:?}").contains("ECDHE_RSA")).collect();
    for (suites, pair) in [(&rsa_only[..], &RSA), (ALL_CIPHER_SUITES, &ECDSA)] {
        let mut theirs = client(&Arc::new(client_config(&[&ECDSA, &RSA], suites, &[&TLS12])), NAME);
        meet_client(&served, &mut theirs).unwrap();
        assert_eq!(theirs.peer_certificates().unwrap()[0], pair.chain_der()[0]);
    }
}

#[test]
fn tickets_are_good_at_their_own_listener_with_its_own_settings_only() {
    for version in [&TLS12, &TLS13] {
        let keys = ticket_keys();
        let first = tls(&[&ECDSA]);
        let renewed = Pair::ecdsa(NAME);
        let publish = |id, tls: &Tls| {
            let served = Served::build(snapshot(vec![listener(id, tls.clone())], &[]), &keys).unwrap();
            Arc::clone(served.listener(ListenerId(id)).unwrap())
        };
        let resumes = |served: &ServedListener, config: &Arc<ClientConfig>| {
            let mut theirs = client(config, NAME);
            let mut met = meet_client(served, &mut theirs).unwrap();
            // Each must work, resumed or not.
            assert_eq!(open_all(&mut met.established.records, &theirs_sealed(&mut theirs, b"x")).unwrap().0, b"x");
            met.established.facts.resumed
        };
        let fresh = || Arc::new(client_config(&[&ECDSA, &renewed], ALL_CIPHER_SUITES, &[version]));

        let config = fresh();
        assert!(!resumes(&publish(1, &first), &config));
        assert!(resumes(&publish(1, &first), &config), "published again without a change");
        assert!(resumes(&publish(1, &Tls { certificates: first.certificates.clone(), ..first.clone() }), &config));

        let others = [
            ("another listener", 2, first.clone()),
            ("another certificate", 1, tls(&[&renewed])),
            ("one more certificate", 1, tls(&[&ECDSA, &RSA])),
            ("another policy", 1, Tls { post_quantum: true, ..first.clone() }),
            ("other suites", 1, Tls { suites: Suite::ALL.to_vec(), ..first.clone() }),
            ("other groups", 1, Tls { groups: vec![KeyGroup::X25519], ..first.clone() }),
        ];
        for (what, id, other) in others {
            let config = fresh();
            assert!(!resumes(&publish(1, &first), &config));
            assert!(!resumes(&publish(id, &other), &config), "{what}");
        }

        // Rotated twice: gone.
        let config = fresh();
        assert!(!resumes(&publish(1, &first), &config));
        for hours in 1..3 {
            keys.rotate(START + std::time::Duration::from_secs(3600 * hours)).unwrap();
        }
        assert!(!resumes(&publish(1, &first), &config));

        // Switched off: none are given.
        let off = Tls { resumption: false, ..first.clone() };
        let config = fresh();
        for _ in 0..2 {
            assert!(!resumes(&publish(1, &off), &config));
        }
    }
}

#[test]
fn hosts_must_be_who_they_should_be() {
    let strange = Pair::ecdsa(NAME);
    for version in [&TLS12, &TLS13] {
        for (name, profile, pair) in
            [("other.example", hosts(&ECDSA), &*ECDSA), (NAME, hosts(&strange), &*ECDSA), ("10.0.0.1", hosts(&ECDSA), &*ECDSA)]
        {
            let mut theirs = ServerConnection::new(Arc::new(server_config(pair, ALL_CIPHER_SUITES, &[version]))).unwrap();
            let mut ours = Handshake::connect(&profile, name, RecordEngine::Own).unwrap();
            let mut out = buf(Class::Large);
            assert_eq!(ours.advance(&mut filled(&[]), &mut out).unwrap(), Progress::Waiting);
            push(&mut theirs, out.filled()).unwrap();
            out.clear();
            let fault = ours.advance(&mut filled(&pull(&mut theirs)), &mut out).unwrap_err();
            assert!(matches!(fault, TlsFault::Certificate(_)), "{fault:?}");
            assert_eq!(fault.reason(Leg::Host), Reason::HostTls);
            // And it is told why.
            assert!(matches!(push(&mut theirs, out.filled()), Err(rustls::Error::AlertReceived(_))));
            assert!(matches!(ours.advance(&mut filled(b"x"), &mut out), Err(TlsFault::Never)), "dead for good");
        }
    }
    let address = Pair::ecdsa("10.0.0.1");
    let mut theirs = ServerConnection::new(Arc::new(server_config(&address, ALL_CIPHER_SUITES, &[&TLS13]))).unwrap();
    meet_host(&hosts(&address), "10.0.0.1", &mut theirs).unwrap();
    for nonsense in ["", "a b", "-", "x\0y"] {
        assert!(matches!(Handshake::connect(&hosts(&ECDSA), nonsense, RecordEngine::Own).map(drop), Err(TlsFault::BadName)));
    }
}

/// What becomes of these first bytes, and what is answered.
fn first_bytes(bytes: &[u8]) -> (Result<Progress, Reason>, Vec<u8>) {
    let mut out = buf(Class::Small);
    let outcome = Handshake::accept(&serve(tls(&[&ECDSA]))).advance(&mut filled(bytes), &mut out);
    (outcome.map_err(|fault| fault.reason(Leg::Client)), out.filled().to_vec())
}

#[test]
fn first_bytes_that_are_no_hello() {
    let silence = Vec::new();
    for bytes in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"\x7f\x7fICA\0",
        b"\x80\x2e\x01\x03\x01",
        b"\x16\x02\x00",
        b"\x03\x00\x00\x13",
        b"\x15\x03",
    ] {
        assert_eq!(first_bytes(bytes), (Err(Reason::NotTls), silence.clone()), "{bytes:?}");
    }
    assert_eq!(first_bytes(b""), (Ok(Progress::Waiting), silence.clone()));
    assert_eq!(first_bytes(b"\x16"), (Ok(Progress::Waiting), silence.clone()));
    assert_eq!(first_bytes(b"\x16\x03\x01\x02\x00\x01"), (Ok(Progress::Waiting), silence));
    let decode_error = vec![21, 3, 3, 0, 2, 2, 50];
    // Not a ClientHello; a ClientHello of more than 16 KiB; a record of more than any.
    assert_eq!(first_bytes(b"\x16\x03\x01\x00\x04\x02\x00\x00\x00"), (Err(Reason::BadHello), decode_error.clone()));
    assert_eq!(first_bytes(b"\x16\x03\x01\x00\x04\x01\x00\x40\x01"), (Err(Reason::BadHello), decode_error.clone()));
    assert_eq!(first_bytes(b"\x16\x03\x01\xff\xff"), (Err(Reason::BadHello), decode_error.clone()));
    // Another type of record within the hello.
    assert_eq!(first_bytes(b"\x16\x03\x01\x00\x01\x01\x17\x03\x03\x00\x01\x00"), (Err(Reason::BadHello), decode_error.clone()));
    // A hello that is none inside: rustls says so.
    let (outcome, answer) = first_bytes(b"\x16\x03\x01\x00\x08\x01\x00\x00\x04\x03\x03\x00\x00");
    assert_eq!((outcome, answer), (Err(Reason::BadHello), decode_error));
}

/// The client's first flight.
fn hello() -> Vec<u8> {
    pull(&mut client(&Arc::new(any_client()), NAME))
}

/// The same handshake message in records of `n` bytes.
fn in_pieces(record: &[u8], n: usize) -> Vec<u8> {
    let piece = |piece: &[u8]| [&record[..3], &u16::try_from(piece.len()).unwrap().to_be_bytes(), piece].concat();
    record[5..].chunks(n).flat_map(piece).collect()
}

#[test]
fn a_hello_in_many_records_is_a_hello() {
    for n in [1, 2, 3, 50, 1000] {
        let mut out = buf(Class::Large);
        let mut ours = Handshake::accept(&serve(tls(&[&ECDSA])));
        assert_eq!(ours.advance(&mut filled(&in_pieces(&hello(), n)), &mut out).unwrap(), Progress::Waiting);
        assert_eq!(out.filled()[..3], [22, 3, 3], "answered");
    }
}

#[test]
fn hellos_without_end_are_ended() {
    // 16 KiB of hello are let in, in records however small, but not more than 64 KiB on the wire.
    let mut ours = Handshake::accept(&serve(tls(&[&ECDSA])));
    let empty = [22, 3, 1, 0, 0].repeat(2000);
    let mut fault = None;
    for _ in 0..10 {
        if let Err(found) = ours.advance(&mut filled(&empty), &mut buf(Class::Small)) {
            fault = Some(found);
            break;
        }
    }
    assert!(matches!(fault, Some(TlsFault::TooLong)), "{fault:?}");
}

#[test]
fn finishing_too_early_is_a_fault_and_no_panic() {
    assert!(matches!(Handshake::accept(&serve(tls(&[&ECDSA]))).finish().map(drop), Err(TlsFault::Never)));
    assert!(matches!(
        Handshake::connect(&hosts(&ECDSA), NAME, RecordEngine::Own).unwrap().finish().map(drop),
        Err(TlsFault::Never)
    ));
}

#[test]
fn a_client_that_goes_during_the_handshake_has_said_so() {
    let mut ours = Handshake::accept(&serve(tls(&[&ECDSA])));
    let mut out = buf(Class::Large);
    ours.advance(&mut filled(&hello()), &mut out).unwrap();
    let unknown_ca = [21, 3, 3, 0, 2, 2, 48];
    let fault = ours.advance(&mut filled(&unknown_ca), &mut out).unwrap_err();
    assert!(matches!(fault, TlsFault::Alerted(48)), "{fault:?}");

    let mut ours = Handshake::accept(&serve(tls(&[&ECDSA])));
    ours.advance(&mut filled(&hello()), &mut out).unwrap();
    let fault = ours.advance(&mut filled(&[21, 3, 3, 0, 2, 1, 0]), &mut out).unwrap_err();
    assert_eq!(fault.reason(Leg::Client), Reason::ClientGone);
}

#[test]
fn everything_can_go_to_another_thread() {
    fn goes<T: Send>() {}
    fn is_shared<T: Send + Sync>() {}
    goes::<Handshake>();
    goes::<Records>();
    is_shared::<Served>();
    is_shared::<TicketKeys>();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_changed_handshake_never_panics_and_never_completes(
        at in any::<prop::sample::Index>(),
        flip in 1u8..,
        first in any::<bool>(),
        noise in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let served = serve(tls(&[&ECDSA]));
        let mut theirs = client(&Arc::new(any_client()), NAME);
        let mut ours = Handshake::accept(&served);
        let mut out = buf(Class::Bulk);
        let mut wire = pull(&mut theirs);
        if first {
            let at = at.index(wire.len());
            wire[at] ^= flip;
        }
        wire.extend_from_slice(if first { &noise } else { &[] });
        let answered = ours.advance(&mut filled(&wire), &mut out);
        prop_assert!(!matches!(answered, Ok(Progress::Done) | Err(TlsFault::Never)), "{answered:?}");
        if !first && push(&mut theirs, out.filled()).is_ok() {
            let mut wire = pull(&mut theirs);
            // Behind the change_cipher_spec that middleboxes like to see, which is ignored, and the header, whose version is, too.
            let at = 11 + at.index(wire.len() - 11);
            wire[at] ^= flip;
            wire.extend(noise);
            let outcome = ours.advance(&mut filled(&wire), &mut out);
            prop_assert!(!matches!(outcome, Ok(Progress::Done | Progress::Flush) | Err(TlsFault::Never)), "{outcome:?}");
        }
    }

    #[test]
    fn noise_never_panics(mut bytes in proptest::collection::vec(any::<u8>(), 0..400), honest in any::<bool>()) {
        if honest && bytes.len() > 9 {
            let body = bytes.len() - 5;
            let [hi, lo] = u16::try_from(body).unwrap().to_be_bytes();
            let [mhi, mlo] = u16::try_from(body - 4).unwrap().to_be_bytes();
            bytes[..9].copy_from_slice(&[22, 3, 1, hi, lo, 1, 0, mhi, mlo]);
        }
        let mut out = buf(Class::Large);
        let outcome = Handshake::accept(&serve(tls(&[&ECDSA]))).advance(&mut filled(&bytes), &mut out);
        prop_assert!(!matches!(outcome, Ok(Progress::Done) | Err(TlsFault::Never)));
        let mut host = Handshake::connect(&hosts(&ECDSA), NAME, RecordEngine::Own).unwrap();
        host.advance(&mut filled(&[]), &mut out).unwrap();
        let outcome = host.advance(&mut filled(&bytes), &mut out);
        prop_assert!(!matches!(outcome, Ok(Progress::Done) | Err(TlsFault::Never)));
    }
}
