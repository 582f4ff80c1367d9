//! Enumerated values, each with the word by which it is written.

/// One of a few words. The first is the default.
pub trait Choice: Copy + PartialEq + Sized + 'static {
    /// All words, in the spelling in which they are printed.
    const WORDS: &'static [&'static str];

    /// The value that is written so, in exactly this spelling.
    fn of(word: &str) -> Option<Self>;

    /// How it is written.
    fn word(self) -> &'static str;
}

macro_rules! choices {
    ($($(#[$doc:meta])* $name:ident { $(#[$first_doc:meta])* $first:ident = $first_word:literal, $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub enum $name {
            $(#[$first_doc])*
            #[default]
            $first,
            $($(#[$variant_doc])* $variant,)*
        }

        impl crate::model::authentication::Choice for $name {
            const WORDS: &'static [&'static str] = &[$first_word, $($word,)*];

            fn of(word: &str) -> Option<Self> {
                match word {
                    $first_word => Some(Self::$first),
                    $($word => Some(Self::$variant),)*
                    _ => None,
                }
            }

            fn word(self) -> &'static str {
                match self {
                    Self::$first => $first_word,
                    $(Self::$variant => $word,)*
                }
            }
        }
    )+};
}
pub(in crate::model) use choices;

choices! {
    /// How a directory is spoken to.
    LdapSecurity {
        /// In the clear.
        Plaintext = "PLAINTEXT",
        /// In the clear at first, then `StartTLS`.
        StartTls = "TLS",
        /// TLS from the first byte.
        Tls = "SSL",
    }
    /// Which kind of directory.
    LdapServerType {
        /// Active Directory.
        ActiveDirectory = "AD",
        /// Novell Directory Services, and others.
        Novell = "NDS",
    }
    /// How the server of a referral is found.
    DnsLookup {
        /// By an address record.
        Address = "A-REC",
        /// By a service record.
        Service = "SRV-REC",
        /// By a service record of Active Directory.
        MicrosoftService = "MSSRV-REC",
    }
    /// How a password travels to a RADIUS server.
    PasswordEncoding {
        /// Hidden under the shared key.
        Pap = "pap",
        /// CHAP.
        Chap = "chap",
        /// MS-CHAP version 1.
        MsChap1 = "mschapv1",
        /// MS-CHAP version 2.
        MsChap2 = "mschapv2",
    }
    /// How a RADIUS server is spoken to.
    RadiusTransport {
        /// In datagrams.
        Udp = "UDP",
        /// In the clear over TCP.
        Tcp = "TCP",
        /// TLS.
        Tls = "TLS",
    }
    /// What happens to SAML assertions without a signature.
    UnsignedAssertion {
        /// Refused.
        Refused = "ON",
        /// Believed.
        Believed = "OFF",
        /// Refused, and the response must be signed, too.
        Strict = "STRICT",
    }
    /// How SAML requests are signed.
    SamlSignature {
        /// RSA with SHA-256.
        RsaSha256 = "RSA-SHA256",
        /// RSA with SHA-1.
        RsaSha1 = "RSA-SHA1",
    }
    /// How SAML requests are digested.
    SamlDigest {
        /// SHA-256.
        Sha256 = "SHA256",
        /// SHA-1.
        Sha1 = "SHA1",
    }
    /// How SAML messages travel.
    SamlBinding {
        /// In a form.
        Post = "POST",
        /// In a query.
        Redirect = "REDIRECT",
        /// By reference.
        Artifact = "ARTIFACT",
    }
    /// How SAML log-out messages travel.
    LogoutBinding {
        /// In a form.
        Post = "POST",
        /// In a query.
        Redirect = "REDIRECT",
    }
    /// How the classes of a SAML request are meant.
    RequestedContext {
        /// One of them.
        Exact = "exact",
        /// At least.
        Minimum = "minimum",
        /// At most.
        Maximum = "maximum",
        /// More than.
        Better = "better",
    }
    /// Which kind of OAuth provider.
    OAuthType {
        /// Any.
        Generic = "GENERIC",
        /// Microsoft Intune.
        Intune = "INTUNE",
        /// Citrix Cloud.
        Athena = "ATHENA",
    }
    /// How an OAuth token is asked for.
    GrantType {
        /// With a code from the browser.
        Code = "CODE",
        /// With the user's password.
        Password = "PASSWORD",
    }
    /// How we prove to an OAuth provider who we are.
    ClientAuth {
        /// With the client's secret.
        SecretPost = "client_secret_post",
        /// With a token signed with the client's secret.
        SecretJwt = "client_secret_jwt",
    }
    /// How codes are sent.
    EmailType {
        /// By SMTP.
        Smtp = "SMTP",
        /// Through Athena.
        Athena = "ATHENA",
    }
    /// How a web server is spoken to.
    WebScheme {
        /// In the clear.
        Http = "http",
        /// TLS.
        Https = "https",
    }
    /// `SameSite` of a cookie.
    SameSite {
        /// Sent along everywhere.
        None = "None",
        /// Sent along with links.
        Lax = "LAX",
        /// Sent along from here only.
        Strict = "STRICT",
    }
}
