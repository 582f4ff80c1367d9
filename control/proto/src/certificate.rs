//! What a client's certificate says about its owner: names, bounded, as text that may stand in a log.
//!
//! ```text
//!   DER ─► subject, issuer: attributes in their order, the most special last as written     CN=ann, OU=staff, OU=sales
//!      └─► subjectAltName: UPN (otherName 1.3.6.1.4.1.311.20.2.3), rfc822Name, dNSName
//! ```
//!
//! Whether the certificate is good is judged elsewhere, before anybody believes a word of it. RFC 5280, sections 4.1.2.4, 4.1.2.6, 4.2.1.6.
//! Values that are empty, too long, no text, or that hold characters nobody can see are left out, as if they did not stand there.

use thiserror::Error;
use x509_parser::asn1_rs::{Any, FromDer as _, Tag};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::X509Certificate;
use x509_parser::x509::X509Name;

/// Most values of one part that are taken.
pub const VALUES_MAX: usize = 64;
/// Longest value, in bytes.
pub const VALUE_BYTES_MAX: usize = 256;

/// Kinds of attributes of a name that have a word, and their numbers. All others are known by their numbers.
pub const KINDS: [(&str, &str); 14] = [
    ("CN", "2.5.4.3"),
    ("SN", "2.5.4.4"),
    ("SERIALNUMBER", "2.5.4.5"),
    ("C", "2.5.4.6"),
    ("L", "2.5.4.7"),
    ("ST", "2.5.4.8"),
    ("STREET", "2.5.4.9"),
    ("O", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("TITLE", "2.5.4.12"),
    ("GN", "2.5.4.42"),
    ("UID", "0.9.2342.19200300.100.1.1"),
    ("DC", "0.9.2342.19200300.100.1.25"),
    ("E", "1.2.840.113549.1.9.1"),
];

/// Name by which Windows logs its users in.
const PRINCIPAL_NAME: &str = "1.3.6.1.4.1.311.20.2.3";

/// What a certificate says about its owner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// Attributes of its name.
    pub subject: Vec<Attribute>,
    /// Attributes of the name of whoever says so.
    pub issuer: Vec<Attribute>,
    /// Names by which it logs in.
    pub principal_names: Vec<Box<str>>,
    /// Addresses for mail.
    pub emails: Vec<Box<str>>,
    /// Names of machines.
    pub dns: Vec<Box<str>>,
    /// The number of the certificate, in hexadecimal; for logs.
    pub serial: Box<str>,
    /// From when it is valid, in seconds since 1970.
    pub not_before: u64,
    /// Until when.
    pub not_after: u64,
}

/// An attribute of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its kind: `CN`, or numbers if it has no word here.
    pub kind: Box<str>,
    /// Its value.
    pub value: Box<str>,
}

/// The bytes are no X.509 certificate. The client's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("no X.509 certificate")]
pub struct NoCertificate;

impl Owner {
    /// Reads a certificate in DER.
    ///
    /// # Errors
    /// [`NoCertificate`]; bytes behind it are one, too.
    pub fn read(der: &[u8]) -> Result<Self, NoCertificate> {
        let (behind, certificate) = X509Certificate::from_der(der).map_err(|_| NoCertificate)?;
        if !behind.is_empty() {
            return Err(NoCertificate);
        }
        let mut owner = Self {
            subject: attributes(certificate.subject()),
            issuer: attributes(certificate.issuer()),
            not_before: u64::try_from(certificate.validity().not_before.timestamp()).unwrap_or_default(),
            not_after: u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or_default(),
            serial: certificate.raw_serial().iter().take(32).map(|byte| format!("{byte:02X}")).collect::<String>().into(),
            ..Self::default()
        };
        // Two of these extensions are one too many, and then neither counts.
        let names = certificate.subject_alternative_name().ok().flatten();
        for name in names.iter().flat_map(|names| &names.value.general_names) {
            #[expect(clippy::wildcard_enum_match_arm, reason = "kinds of another crate's, of which three are looked at")]
            let (list, value) = match name {
                GeneralName::RFC822Name(mail) => (&mut owner.emails, fit(mail)),
                GeneralName::DNSName(name) => (&mut owner.dns, fit(name)),
                GeneralName::OtherName(oid, value) if oid.to_id_string() == PRINCIPAL_NAME => {
                    (&mut owner.principal_names, tagged(value).and_then(|value| text(&value)))
                }
                _ => continue,
            };
            list.extend(value.filter(|_| list.len() < VALUES_MAX));
        }
        Ok(owner)
    }
}

/// The name of whoever has issued a certificate, as it stands there. `None`: it is no certificate.
#[must_use]
pub fn issuer_name(der: &[u8]) -> Option<Vec<u8>> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    Some(certificate.issuer().as_raw().to_vec())
}

/// A name as one text, after RFC 4514: `CN=ann,O=Example`. What separates, inside a value, is written as `\` and two hexadecimal digits, so
/// that nobody who chooses one value of his name can make it look like two.
#[must_use]
pub fn written(name: &[Attribute]) -> String {
    let mut text = String::new();
    for Attribute { kind, value } in name {
        let comma = if text.is_empty() { "" } else { "," };
        text += &format!("{comma}{kind}=");
        for c in value.chars() {
            if matches!(c, ',' | '=' | '+' | ';' | '"' | '<' | '>' | '\\') {
                text += &format!("\\{:02X}", u32::from(c));
            } else {
                text.push(c);
            }
        }
    }
    text
}

fn attributes(name: &X509Name<'_>) -> Vec<Attribute> {
    let all = name.iter_attributes().filter_map(|attribute| {
        let numbers = attribute.attr_type().to_id_string();
        let kind = word(&numbers).map_or_else(|| numbers.as_str().into(), Into::into);
        Some(Attribute { kind, value: text(attribute.attr_value())? })
    });
    let mut all: Vec<Attribute> = all.collect();
    // The last ones say most.
    all.drain(..all.len().saturating_sub(VALUES_MAX));
    all
}

/// The word by which an attribute is known.
fn word(numbers: &str) -> Option<&'static str> {
    KINDS.iter().find(|(_, known)| *known == numbers).map(|(word, _)| *word)
}

/// What is inside `[0]`.
fn tagged(value: &[u8]) -> Option<Any<'_>> {
    let (_, outer) = Any::from_der(value).ok()?;
    let is_it = outer.header.is_contextspecific() && outer.tag() == Tag(0);
    let (behind, inner) = Any::from_der(outer.data).ok().filter(|_| is_it)?;
    behind.is_empty().then_some(inner)
}

/// A string of any kind that is still in use.
fn text(value: &Any<'_>) -> Option<Box<str>> {
    let tag = value.tag();
    if [Tag::Utf8String, Tag::PrintableString, Tag::Ia5String, Tag::NumericString, Tag::VisibleString].contains(&tag) {
        return fit(str::from_utf8(value.data).ok()?);
    }
    let wide = tag == Tag::BmpString && value.data.len() <= 2 * VALUE_BYTES_MAX && value.data.len().is_multiple_of(2);
    let units: Vec<u16> =
        value.data.chunks_exact(2).filter(|_| wide).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    String::from_utf16(&units).ok().as_deref().and_then(fit)
}

/// Text that may be shown.
fn fit(text: &str) -> Option<Box<str>> {
    let text = text.trim();
    let fits = !text.is_empty() && text.len() <= VALUE_BYTES_MAX && text.chars().all(is_seen);
    fits.then(|| text.into())
}

/// Control characters, and those that turn the direction of what is around them, hide themselves, or end a line.
fn is_seen(c: char) -> bool {
    let hidden = matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    );
    !c.is_control() && !hidden
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::string::Ia5String;
    use rcgen::{CertificateParams, DnType, DnValue, KeyPair, OtherNameValue, SanType};

    use super::*;

    fn made(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        let mut params = CertificateParams::default();
        change(&mut params);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    fn read(change: impl FnOnce(&mut CertificateParams)) -> Owner {
        Owner::read(&made(change)).unwrap()
    }

    fn values(list: &[Attribute], kind: &str) -> Vec<String> {
        list.iter().filter(|attribute| &*attribute.kind == kind).map(|attribute| attribute.value.to_string()).collect()
    }

    fn upn(text: &str) -> SanType {
        SanType::OtherName((vec![1, 3, 6, 1, 4, 1, 311, 20, 2, 3], OtherNameValue::Utf8String(text.to_owned())))
    }

    #[test]
    fn names_are_found_where_they_stand() {
        let owner = read(|params| {
            params.distinguished_name.push(DnType::CommonName, "Ann Lee");
            params.distinguished_name.push(DnType::OrganizationalUnitName, "staff");
            params.distinguished_name.push(DnType::CustomDnType(vec![0, 9, 2342, 19_200_300, 100, 1, 1]), "ann");
            params.distinguished_name.push(DnType::CustomDnType(vec![1, 2, 3]), "own");
            let mail = SanType::Rfc822Name(Ia5String::try_from("ann@demo.test").unwrap());
            let host = SanType::DnsName(Ia5String::try_from("pc1.demo.test").unwrap());
            params.subject_alt_names = vec![upn("ann@DEMO.TEST"), mail, host];
        });
        assert_eq!(values(&owner.subject, "CN"), ["Ann Lee"]);
        assert_eq!(values(&owner.subject, "OU"), ["staff"]);
        assert_eq!(values(&owner.subject, "UID"), ["ann"]);
        assert_eq!(values(&owner.subject, "1.2.3"), ["own"]);
        assert_eq!(values(&owner.issuer, "CN"), ["Ann Lee"], "it has signed itself");
        assert_eq!(
            (&*owner.principal_names[0], &*owner.emails[0], &*owner.dns[0]),
            ("ann@DEMO.TEST", "ann@demo.test", "pc1.demo.test")
        );
        assert!(!owner.serial.is_empty());
    }

    #[test]
    fn what_is_no_decent_text_is_left_out() {
        for hostile in ["", " ", "ann\nadmin", "ann\0", "\u{202e}nna", "a\u{200b}nn", &"x".repeat(VALUE_BYTES_MAX + 1)] {
            let owner = read(|params| {
                params.distinguished_name.push(DnType::CommonName, hostile);
                params.subject_alt_names = vec![upn(hostile), upn("right")];
            });
            assert_eq!(values(&owner.subject, "CN"), [""; 0], "{hostile:?}");
            assert_eq!(owner.principal_names.iter().map(|name| &**name).collect::<Vec<_>>(), ["right"]);
        }
        for fine in ["日本 太郎", "O'Neil, A*(b)\\", &"x".repeat(VALUE_BYTES_MAX)] {
            let owner = read(|params| params.distinguished_name.push(DnType::CommonName, fine));
            assert_eq!(values(&owner.subject, "CN"), [fine]);
        }
    }

    #[test]
    fn strings_of_old_kinds_are_read() {
        let printable = |text: &str| DnValue::PrintableString(text.try_into().unwrap());
        let wide = |text: &str| DnValue::BmpString(text.try_into().unwrap());
        for value in [printable("Ann"), wide("Ann"), DnValue::Ia5String("Ann".try_into().unwrap())] {
            let owner = read(|params| params.distinguished_name.push(DnType::CommonName, value.clone()));
            assert_eq!(values(&owner.subject, "CN"), ["Ann"], "{value:?}");
        }
        let owner = read(|params| params.distinguished_name.push(DnType::CommonName, wide("太郎")));
        assert_eq!(values(&owner.subject, "CN"), ["太郎"]);
    }

    #[test]
    fn so_many_and_no_more() {
        let owner = read(|params| params.subject_alt_names = vec![upn("a"); VALUES_MAX + 1]);
        assert_eq!(owner.principal_names.len(), VALUES_MAX);
        let owner = read(|params| {
            (0..=VALUES_MAX as u64)
                .for_each(|n| params.distinguished_name.push(DnType::CustomDnType(vec![1, 2, n]), n.to_string()));
        });
        assert_eq!((owner.subject.len(), &*owner.subject[VALUES_MAX - 1].value), (VALUES_MAX, "64"), "the last ones say most");
    }

    #[test]
    fn no_value_looks_like_two() {
        let name = |all: &[(&str, &str)]| {
            let all = all.iter().map(|(kind, value)| Attribute { kind: (*kind).into(), value: (*value).into() });
            written(&all.collect::<Vec<_>>())
        };
        assert_eq!(name(&[]), "");
        assert_eq!(name(&[("CN", "Ann Lee"), ("O", "Example"), ("1.2.3", "日本")]), "CN=Ann Lee,O=Example,1.2.3=日本");
        let two = name(&[("CN", "x,OU=admins"), ("O", "a+b;\"c\"<d>\\2C")]);
        assert_eq!(two, r"CN=x\2COU\3Dadmins,O=a\2Bb\3B\22c\22\3Cd\3E\5C2C");
    }

    #[test]
    fn nothing_else_is_a_certificate() {
        let whole = made(|params| params.subject_alt_names = vec![upn("ann")]);
        for cut in 0..whole.len() {
            assert_eq!(Owner::read(&whole[..cut]), Err(NoCertificate));
        }
        assert_eq!(Owner::read(&[&whole[..], b"0"].concat()), Err(NoCertificate));
    }

    proptest! {
        #[test]
        fn a_changed_certificate_panics_nobody(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut der = made(|params| params.subject_alt_names = vec![upn("ann")]);
            let at = at.index(der.len());
            der[at] = byte;
            if let Ok(owner) = Owner::read(&der) {
                prop_assert!(owner.principal_names.iter().all(|name| name.chars().all(is_seen)));
            }
        }
    }
}
