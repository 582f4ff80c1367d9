//! Where in a certificate something about its owner stands.

use gate_proto::certificate::KINDS;

use super::action::Cert;

/// A place in a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertField {
    /// An attribute of its owner's name, by its word in capitals: `CN`; by its numbers if it has none: `1.2.3`.
    Subject(Box<str>),
    /// An attribute of its issuer's name.
    Issuer(Box<str>),
    /// The name by which its owner logs in (UPN).
    PrincipalName,
    /// An address for mail.
    Email,
    /// A name of a machine.
    Dns,
}

impl CertField {
    /// From what an operator wrote: the part and the attribute, with a colon between them. `None`: there is no such place.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (part, name) = text.split_once(':')?;
        let (part, name) = (part.trim().to_ascii_lowercase(), name.trim().to_ascii_uppercase());
        match part.as_str() {
            "subject" => attribute(&name).map(Self::Subject),
            "issuer" => attribute(&name).map(Self::Issuer),
            "subjectaltname" => match name.as_str() {
                "PRINCIPALNAME" | "UPN" => Some(Self::PrincipalName),
                "EMAILADDRESS" | "EMAIL" | "RFC822" | "RFC822NAME" => Some(Self::Email),
                "DNS" | "DNSNAME" => Some(Self::Dns),
                _ => None,
            },
            _ => None,
        }
    }
}

fn attribute(name: &str) -> Option<Box<str>> {
    let name = match name {
        "EMAILADDRESS" | "EMAIL" => "E",
        "S" => "ST",
        "USERID" => "UID",
        "SURNAME" => "SN",
        "GIVENNAME" | "G" => "GN",
        "T" => "TITLE",
        other => other,
    };
    if let Some((word, _)) = KINDS.iter().find(|(word, numbers)| [*word, *numbers].contains(&name)) {
        return Some((*word).into());
    }
    let is_number =
        name.contains('.') && name.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    is_number.then(|| name.into())
}

impl Cert {
    /// Where the user's name is; the common name if nothing is said. `None`: what is said is no place.
    #[must_use]
    pub fn user_from(&self) -> Option<CertField> {
        self.user_field.as_deref().map_or_else(|| Some(CertField::Subject("CN".into())), CertField::parse)
    }

    /// Where the user's groups are; `None` if nothing is said, or what is said is no place.
    #[must_use]
    pub fn groups_from(&self) -> Option<CertField> {
        self.group_field.as_deref().and_then(CertField::parse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_the_names_that_operators_know() {
        let subject = |name: &str| Some(CertField::Subject(name.into()));
        for (text, wanted) in [
            ("Subject:CN", subject("CN")),
            ("subject: cn ", subject("CN")),
            ("Subject:emailAddress", subject("E")),
            // As a certificate is read: what has a word has no numbers there.
            ("Subject:0.9.2342.19200300.100.1.1", subject("UID")),
            ("Issuer:2.5.4.3", Some(CertField::Issuer("CN".into()))),
            ("Subject:1.2.3", subject("1.2.3")),
            ("Issuer:O", Some(CertField::Issuer("O".into()))),
            ("SubjectAltName:PrincipalName", Some(CertField::PrincipalName)),
            ("SubjectAltName:EmailAddress", Some(CertField::Email)),
            ("SubjectAltName:rfc822", Some(CertField::Email)),
            ("Subject", None),
            ("Subject:", None),
            ("Subject:.", None),
            ("Subject:XYZ", None),
            ("SubjectAltName:CN", None),
            ("Serial:CN", None),
        ] {
            assert_eq!(CertField::parse(text), wanted, "{text}");
        }
        assert_eq!(Cert::default().user_from(), subject("CN"));
        assert_eq!(Cert::default().groups_from(), None);
    }
}
