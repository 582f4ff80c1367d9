//! What a certificate says of itself: for `show ssl certKey`, and for whoever checks a configuration.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gate_config::answer::{Datum, Row};
use gate_config::files::{Life, Loaded, Useless};
use gate_config::model::Model;
use gate_config::text::time::Utc;
use rustls::crypto::aws_lc_rs::sign;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::public_key::PublicKey;
use x509_parser::revocation_list::CertificateRevocationList;
use x509_parser::time::ASN1Time;

use crate::world::World;

/// Names of one certificate that are shown.
const NAMES_MAX: usize = 100;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Fills in what the first certificate of the object's file says. One that cannot be read leaves the row as it is.
pub(super) fn live(row: &mut Row, world: &World, now: SystemTime) {
    let Datum::Text(name) = row.find("name").clone() else { return };
    let Some(pair) = world.model.certificates.find(&name) else { return };
    let Some(pem) = world.files.certificate(Path::new(&pair.certificate)) else { return };
    let Some(der) = CertificateDer::pem_slice_iter(pem).find_map(Result::ok) else { return };
    for (field, datum) in facts(&der, now).into_iter().flatten() {
        row.set(field, datum);
    }
}

/// When the certificates of `model` are valid no more, by name. Those that cannot be read are left out.
pub(crate) fn expiries(model: &Model, files: &Loaded) -> Vec<(String, SystemTime)> {
    let ends = |pair: &gate_config::model::CertKey| {
        let der = CertificateDer::pem_slice_iter(files.certificate(&pair.certificate)?).find_map(Result::ok)?;
        let (_, certificate) = X509Certificate::from_der(&der).ok()?;
        let seconds = u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or_default();
        Some(UNIX_EPOCH + Duration::from_secs(seconds))
    };
    model.certificates.iter().filter_map(|(name, pair)| Some((name.to_string(), ends(pair)?))).collect()
}

/// Whether the first certificate in a PEM text can be used, `key` is its key, and it is valid `now`.
///
/// # Errors
/// [`Useless`] says what is wrong with which.
pub fn examine(certificate: &[u8], key: Option<&[u8]>, now: SystemTime) -> Result<Life, Useless> {
    let unusable = |why: &str| Useless::Certificate(why.to_owned());
    // Without the parser's own words, which quote what it read: a key may have been taken for a certificate.
    let chain = CertificateDer::pem_slice_iter(certificate).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|_| unusable("it is not readable PEM"))?;
    let first = chain.first().ok_or_else(|| unusable("there is none"))?;
    let (_, read) = X509Certificate::from_der(first).map_err(|_| unusable("it is no X.509 certificate"))?;
    let at = |seconds: i64| UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
    let (from, until) = (at(read.validity().not_before.timestamp()), at(read.validity().not_after.timestamp()));
    if let Some(key) = key {
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| Useless::Key)?;
        let key = sign::any_supported_type(&key).map_err(|_| Useless::Key)?;
        CertifiedKey::new(chain, key).keys_match().map_err(|why| {
            let strangers = matches!(why, rustls::Error::InconsistentKeys(_));
            if strangers { Useless::Strangers } else { Useless::Certificate(why.to_string()) }
        })?;
    }
    Ok(if now < from {
        Life::NotYet(from)
    } else if now > until {
        Life::Over(until)
    } else {
        Life::Current
    })
}

/// Whether a list of revoked certificates can be used, and whether it is up to date `now`.
///
/// # Errors
/// [`Useless`] says that it cannot.
pub fn examine_list(list: &[u8], now: SystemTime) -> Result<Life, Useless> {
    sluice_trust::check_list(list).map_err(|_| Useless::List)?;
    let der = match CertificateRevocationListDer::pem_slice_iter(list).next() {
        Some(Ok(der)) => der.to_vec(),
        Some(Err(_)) | None => list.to_vec(),
    };
    let (_, read) = CertificateRevocationList::from_der(&der).map_err(|_| Useless::List)?;
    let at = |time: ASN1Time| UNIX_EPOCH + Duration::from_secs(u64::try_from(time.timestamp()).unwrap_or_default());
    let (from, until) = (at(read.last_update()), read.next_update().map(at));
    Ok(match until {
        Some(until) if now > until => Life::Over(until),
        Some(_) | None if now < from => Life::NotYet(from),
        Some(_) | None => Life::Current,
    })
}

fn facts(der: &[u8], now: SystemTime) -> Option<Vec<(&'static str, Datum)>> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let validity = certificate.validity();
    let at = |seconds: i64| UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
    let (from, until) = (at(validity.not_before.timestamp()), at(validity.not_after.timestamp()));
    let status = if now < from {
        "Not yet valid"
    } else if now > until {
        "Expired"
    } else {
        "Valid"
    };
    let left = until.duration_since(now).unwrap_or_default().as_secs() / DAY.as_secs();
    let names = certificate.subject_alternative_name().ok().flatten().map(|names| names.value.general_names.clone());
    let dns = |name: GeneralName<'_>| if let GeneralName::DNSName(dns) = name { Some(dns.to_owned()) } else { None };
    let key = certificate.public_key();
    let kind = match key.parsed() {
        Ok(PublicKey::RSA(rsa)) => format!("RSA {}", rsa.key_size()),
        Ok(PublicKey::EC(point)) => format!("EC {}", point.key_size()),
        Ok(PublicKey::DSA(_) | PublicKey::GostR3410(_) | PublicKey::GostR3410_2012(_) | PublicKey::Unknown(_)) | Err(_) => {
            key.algorithm.algorithm.to_id_string()
        }
    };
    Some(vec![
        ("status", Datum::Text(status.to_owned())),
        ("subject", Datum::Text(certificate.subject().to_string())),
        ("issuer", Datum::Text(certificate.issuer().to_string())),
        ("serial", Datum::Text(certificate.raw_serial().iter().map(|byte| format!("{byte:02X}")).collect())),
        ("sanDns", Datum::List(names.into_iter().flatten().filter_map(dns).take(NAMES_MAX).collect())),
        ("notBefore", Datum::Text(Utc::from(from).to_string())),
        ("notAfter", Datum::Text(Utc::from(until).to_string())),
        ("daysToExpiration", Datum::Number(left)),
        ("publicKey", Datum::Text(kind)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_says_whose_it_is_and_until_when() {
        let mut params = rcgen::CertificateParams::new(vec!["gw.example.test".to_owned(), "b.example.test".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2026, 1, 11);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let at = |seconds: u64| UNIX_EPOCH + Duration::from_secs(seconds);
        let said = |now: SystemTime, field: &str| {
            let all = facts(certificate.der(), now).unwrap();
            all.into_iter().find(|(name, _)| *name == field).unwrap().1
        };
        let begin = 1_767_225_600; // 2026-01-01
        for (now, status, days) in [(begin - 1, "Not yet valid", 10), (begin, "Valid", 10), (begin + 11 * 86_400, "Expired", 0)] {
            assert_eq!(said(at(now), "status"), Datum::Text(status.to_owned()));
            assert_eq!(said(at(now), "daysToExpiration"), Datum::Number(days));
        }
        assert_eq!(said(at(begin), "sanDns"), Datum::List(vec!["gw.example.test".to_owned(), "b.example.test".to_owned()]));
        assert_eq!(said(at(begin), "notAfter"), Datum::Text("2026-01-11T00:00:00.000000Z".to_owned()));
        assert_eq!(said(at(begin), "publicKey"), Datum::Text("EC 256".to_owned()));
        assert!(facts(b"rubbish", at(begin)).is_none());
        // The same for whoever checks a configuration.
        let (pem, own) = (certificate.pem(), key.serialize_pem());
        let look = |now: u64| examine(pem.as_bytes(), Some(own.as_bytes()), at(now));
        assert_eq!(look(begin), Ok(Life::Current));
        assert_eq!(look(begin - 1), Ok(Life::NotYet(at(begin))));
        assert_eq!(look(begin + 11 * 86_400), Ok(Life::Over(at(begin + 10 * 86_400))));
    }

    #[test]
    fn a_pair_is_one_or_is_not() {
        let pair = |algorithm| {
            let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
            let certificate =
                rcgen::CertificateParams::new(vec!["gw.example.test".to_owned()]).unwrap().self_signed(&key).unwrap();
            (certificate.pem(), key.serialize_pem())
        };
        let kinds =
            [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519, &rcgen::PKCS_RSA_SHA256];
        let pairs: Vec<_> = kinds.into_iter().map(pair).collect();
        let look = |certificate: &str, key: &str| examine(certificate.as_bytes(), Some(key.as_bytes()), now());
        let now_valid = |certificate: &str, key: &str| look(certificate, key).map(|_| ());
        for (at, (certificate, _)) in pairs.iter().enumerate() {
            for (other, (_, key)) in pairs.iter().enumerate() {
                assert_eq!(
                    now_valid(certificate, key),
                    if at == other { Ok(()) } else { Err(Useless::Strangers) },
                    "{at} {other}"
                );
            }
        }
        let (certificate, key) = &pairs[0];
        let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let junk_key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert_eq!(now_valid(certificate, junk_key), Err(Useless::Key));
        for no_certificate in [junk, "", key] {
            assert!(matches!(look(no_certificate, key), Err(Useless::Certificate(_))), "{no_certificate}");
        }
        // A problem never quotes what was read: it may be a key.
        let told = look(&key.replace("PRIVATE KEY", "CERTIFICATE"), key).unwrap_err().to_string();
        assert!(key.lines().all(|line| !told.contains(line)), "{told}");
    }

    fn now() -> SystemTime {
        crate::change::now()
    }
}
