use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
};

use super::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

struct Ca {
    issuer: Issuer<'static, KeyPair>,
    der: CertificateDer<'static>,
    pem: String,
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

impl Ca {
    fn root(name: &str) -> Self {
        let (params, key) = (authority_params(name), KeyPair::generate().unwrap());
        let made = params.self_signed(&key).unwrap();
        Self { der: made.der().clone(), pem: made.pem(), issuer: Issuer::new(params, key) }
    }

    fn below(&self, name: &str) -> Self {
        let (params, key) = (authority_params(name), KeyPair::generate().unwrap());
        let made = params.signed_by(&key, &self.issuer).unwrap();
        Self { der: made.der().clone(), pem: made.pem(), issuer: Issuer::new(params, key) }
    }

    fn client(&self, serial: u64, change: impl FnOnce(&mut CertificateParams)) -> CertificateDer<'static> {
        let mut params = params("ann");
        params.serial_number = Some(SerialNumber::from(serial));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        params.signed_by(&KeyPair::generate().unwrap(), &self.issuer).unwrap().der().clone()
    }

    /// Lists these serials; good until `until`.
    fn list(&self, serials: &[u64], until: SystemTime) -> Arc<[u8]> {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: (until - 10 * DAY).into(),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: (until - 10 * DAY).into(),
            next_update: until.into(),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Arc::from(list.signed_by(&self.issuer).unwrap().der().to_vec())
    }

    fn trusted(&self, revocation: Revocation) -> Authority {
        Authority { name: "ca".into(), pem: self.pem.as_bytes().into(), revocation, named: true }
    }
}

fn wall() -> SystemTime {
    #[expect(clippy::disallowed_methods, reason = "certificates are valid from the present time on")]
    SystemTime::now()
}

fn now() -> UnixTime {
    UnixTime::since_unix_epoch(wall().duration_since(SystemTime::UNIX_EPOCH).unwrap())
}

#[expect(clippy::unwrap_in_result, reason = "what is built here is right")]
fn judge(authorities: &[Authority], lists: &[Arc<[u8]>], chain: &[CertificateDer<'_>]) -> Result<(), Refusal> {
    Judge::build(authorities, lists).unwrap().judge(chain, now())
}

#[test]
fn each_refusal_has_its_word() {
    let (ca, other) = (Ca::root("one"), Ca::root("other"));
    let trusted = [ca.trusted(Revocation::Ignored)];
    let asked = |chain: &[CertificateDer<'_>]| judge(&trusted, &[], chain);
    assert_eq!(asked(&[ca.client(1, |_| {})]), Ok(()));
    assert_eq!(asked(&[ca.client(1, |params| params.extended_key_usages.clear())]), Ok(()), "not restricted to anything");
    assert_eq!(asked(&[other.client(1, |_| {})]), Err(Refusal::UnknownAuthority));
    assert_eq!(asked(&[ca.client(1, |params| params.not_after = (wall() - DAY).into())]), Err(Refusal::Expired));
    assert_eq!(asked(&[ca.client(1, |params| params.not_before = (wall() + DAY).into())]), Err(Refusal::NotYet));
    let server = ca.client(1, |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]);
    assert_eq!(asked(&[server]), Err(Refusal::Purpose));
    assert_eq!(asked(&[CertificateDer::from(b"0\x03\x02\x01\x01".to_vec())]), Err(Refusal::Broken));
    assert_eq!(asked(&[]), Err(Refusal::Broken));
    assert_eq!(judge(&[], &[], &[ca.client(1, |_| {})]), Err(Refusal::UnknownAuthority));
}

#[test]
fn an_issuer_between_may_come_from_the_client() {
    let root = Ca::root("root");
    let between = root.below("between");
    let own = between.client(1, |_| {});
    let trusted = [root.trusted(Revocation::Ignored)];
    assert_eq!(judge(&trusted, &[], std::slice::from_ref(&own)), Err(Refusal::UnknownAuthority));
    assert_eq!(judge(&trusted, &[], &[own, between.der.clone()]), Ok(()));
    // Whoever has an ordinary certificate is no authority.
    let forged = Issuer::new(params("ann"), KeyPair::generate().unwrap());
    let pretended = params("eve").signed_by(&KeyPair::generate().unwrap(), &forged).unwrap();
    assert!(judge(&trusted, &[], &[pretended.der().clone(), root.client(2, |_| {})]).is_err());
}

#[test]
fn who_was_revoked_stays_out_and_who_must_be_looked_up_is() {
    let (ca, other) = (Ca::root("one"), Ca::root("other"));
    let (good, bad) = (ca.client(1, |_| {}), ca.client(2, |_| {}));
    let fresh = ca.list(&[2], wall() + DAY);
    let old = ca.list(&[2], wall() - DAY);
    let strange = other.list(&[1], wall() + DAY);
    for (revocation, lists, of_good, of_bad) in [
        (Revocation::Ignored, vec![fresh.clone()], Ok(()), Ok(())),
        (Revocation::Optional, vec![], Ok(()), Ok(())),
        (Revocation::Optional, vec![fresh.clone()], Ok(()), Err(Refusal::Revoked)),
        (Revocation::Optional, vec![old.clone()], Ok(()), Err(Refusal::Revoked)),
        (Revocation::Optional, vec![strange.clone()], Ok(()), Ok(())),
        (Revocation::Mandatory, vec![], Err(Refusal::NoList), Err(Refusal::NoList)),
        (Revocation::Mandatory, vec![strange.clone()], Err(Refusal::NoList), Err(Refusal::NoList)),
        (Revocation::Mandatory, vec![old], Err(Refusal::OldList), Err(Refusal::OldList)),
        (Revocation::Mandatory, vec![strange, fresh], Ok(()), Err(Refusal::Revoked)),
    ] {
        let trusted = [ca.trusted(revocation)];
        assert_eq!(judge(&trusted, &lists, std::slice::from_ref(&good)), of_good, "{revocation:?}");
        assert_eq!(judge(&trusted, &lists, std::slice::from_ref(&bad)), of_bad, "{revocation:?}");
    }
}

#[test]
fn a_longer_way_leads_round_no_revocation() {
    let root = Ca::root("root");
    let between = root.below("between");
    let (good, bad) = (between.client(1, |_| {}), between.client(2, |_| {}));
    let lists = [between.list(&[2], wall() + DAY)];
    let trusted = [root.trusted(Revocation::Ignored), between.trusted(Revocation::Mandatory)];
    assert_eq!(judge(&trusted, &lists, &[good, between.der.clone()]), Ok(()));
    assert_eq!(judge(&trusted, &lists, &[bad.clone(), between.der.clone()]), Err(Refusal::Revoked));
    assert_eq!(judge(&trusted, &[], &[bad, between.der.clone()]), Err(Refusal::NoList));
}

#[test]
fn a_client_that_keeps_an_issuer_back_leads_round_none_either() {
    let root = Ca::root("root");
    let between = root.below("between");
    let (good, bad) = (between.client(1, |_| {}), between.client(2, |_| {}));
    let lists = [root.list(&[], wall() + DAY), between.list(&[2], wall() + DAY)];
    let trusted = [root.trusted(Revocation::Mandatory), between.trusted(Revocation::Ignored)];
    for kept_back in [false, true] {
        let chain = |own: &CertificateDer<'static>| {
            let issuer = (!kept_back).then(|| between.der.clone());
            std::iter::once(own.clone()).chain(issuer).collect::<Vec<_>>()
        };
        assert_eq!(judge(&trusted, &lists, &chain(&good)), Ok(()), "{kept_back}");
        assert_eq!(judge(&trusted, &lists, &chain(&bad)), Err(Refusal::Revoked), "{kept_back}");
        assert_eq!(judge(&trusted, &lists[..1], &chain(&good)), Err(Refusal::NoList), "{kept_back}");
    }
}

#[test]
fn of_whom_a_server_must_be_asked_nobody_is_good_on_any_way() {
    let root = Ca::root("root");
    let between = root.below("between");
    let own = between.client(1, |_| {});
    let trusted = [root.trusted(Revocation::Ignored), between.trusted(Revocation::Unanswered)];
    for chain in [vec![own.clone()], vec![own, between.der.clone()]] {
        assert_eq!(judge(&trusted, &[], &chain), Err(Refusal::NotAsked));
        assert_eq!(judge(&trusted[..1], &[], &[chain[0].clone(), between.der.clone()]), Ok(()));
    }
    assert_eq!(judge(&trusted, &[], &[root.client(2, |_| {})]), Ok(()), "what is above it has issued this");
    assert_eq!(Judge::build(&trusted, &[]).unwrap().names().len(), 1, "nobody is told to show one of those");
}

#[test]
fn what_cannot_be_used_is_refused_before_it_comes_into_force() {
    let ca = Ca::root("one");
    let garbage = Authority { pem: b"no PEM at all".as_slice().into(), ..ca.trusted(Revocation::Ignored) };
    assert_eq!(Judge::build(&[garbage], &[]).unwrap_err(), Unusable::Authority("ca".into()));
    let many = vec![ca.trusted(Revocation::Ignored); AUTHORITIES_MAX + 1];
    assert_eq!(Judge::build(&many, &[]).unwrap_err(), Unusable::Authorities);
    for list in [&b""[..], b"0\x03\x02\x01\x01", b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", ca.pem.as_bytes()] {
        assert_eq!(check_list(list), Err(Unusable::List));
        assert_eq!(Judge::build(&[], &[list.into()]).unwrap_err(), Unusable::List);
    }
    check_list(&ca.list(&[], wall())).unwrap();
}

#[test]
fn clients_are_told_names_as_long_as_there_is_room() {
    let ca = Ca::root("one");
    let named = ca.trusted(Revocation::Ignored);
    let unnamed = Authority { named: false, ..named.clone() };
    assert_eq!(Judge::build(&[named.clone(), unnamed], &[]).unwrap().names().len(), 1);
    let long = Ca::root(&"x".repeat(NAMES_BYTES_MAX));
    assert!(Judge::build(&[named, long.trusted(Revocation::Ignored)], &[]).unwrap().names().is_empty());
}

/// What a judgement costs with a list of `SLUICE_REVOKED` certificates.
#[test]
#[ignore = "for figures: SLUICE_REVOKED=200000"]
fn what_a_long_list_costs() {
    const ROUNDS: u32 = 100;
    let revoked: u64 = std::env::var("SLUICE_REVOKED").ok().and_then(|count| count.parse().ok()).unwrap_or(200_000);
    let ca = Ca::root("one");
    let list = ca.list(&(1 << 40..(1 << 40) + revoked).collect::<Vec<_>>(), wall() + DAY);
    let (own, strange) = (ca.client(1, |_| {}), Ca::root("other").client(1, |_| {}));
    let each = |revocation, lists: &[Arc<[u8]>], own: &CertificateDer<'_>| {
        let judge = Judge::build(&[ca.trusted(revocation)], lists).unwrap();
        let start = wall();
        let good = (0..ROUNDS).filter(|_| judge.judge(std::slice::from_ref(own), now()).is_ok()).count();
        (good, start.elapsed().unwrap_or_default() / ROUNDS)
    };
    let lists = [list];
    println!("a list of {} bytes", lists[0].len());
    println!("without it   {:?}", each(Revocation::Ignored, &[], &own));
    println!("with it      {:?}", each(Revocation::Mandatory, &lists, &own));
    println!("a stranger   {:?}", each(Revocation::Mandatory, &lists, &strange));
}
