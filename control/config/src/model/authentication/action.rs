//! Actions: how users prove who they are. One struct per kind, with all that is needed to carry it out.

use std::path::PathBuf;
use std::time::Duration;

use super::super::name::{CertKeyName, SessionGroup};
use super::super::net::{Host, Url};
use super::super::secret::{Recoverable, SEAL_EXTRA_BYTES};
use super::choice::{
    ClientAuth, DnsLookup, EmailType, GrantType, LdapSecurity, LdapServerType, LogoutBinding, OAuthType, PasswordEncoding,
    RadiusTransport, RequestedContext, SamlBinding, SamlDigest, SamlSignature, UnsignedAssertion, WebScheme,
};
use super::client::ClientExpression;
use super::expression::Expression;

/// Some words of an operator's, or none.
type Text = Option<Box<str>>;

/// An action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Always succeeds.
    NoAuth(NoAuth),
    /// Asks the local users.
    Local,
    /// Asks the client about itself.
    Epa(Epa),
    /// Asks a directory.
    Ldap(Box<Ldap>),
    /// Asks a RADIUS server.
    Radius(Box<Radius>),
    /// Looks at the client's certificate.
    Cert(Cert),
    /// Sends the browser to a SAML identity provider.
    Saml(Box<Saml>),
    /// Sends the browser to an OpenID Connect provider.
    OAuth(Box<OAuth>),
    /// Sends a code.
    Email(Email),
    /// Asks whether a human is there.
    Captcha(Captcha),
    /// Kerberos and NTLM. Kept; it never succeeds.
    Negotiate(Negotiate),
    /// Asks a web server.
    WebAuth(Box<WebAuth>),
    /// Asks a StoreFront. Kept; it never succeeds.
    Storefront(Storefront),
    /// Delegated forms. Kept; it never succeeds.
    Dfa(Dfa),
    /// Asks a TACACS+ server. Kept; it never succeeds.
    Tacacs(Box<Tacacs>),
}

/// Whether the gateway carries an action out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// It does.
    Now,
    /// Not yet: it fails, and the log says so.
    Later,
    /// Never: it fails, and the log says so.
    Never,
}

impl Action {
    /// Whether the gateway carries it out.
    #[must_use]
    pub const fn served(&self) -> Served {
        match self {
            // It would ask a device to agree; without that it would let in whoever can be found.
            Self::Ldap(ldap) if ldap.push_service.is_some() => Served::Later,
            // A password and a code out of one field, which nobody can type.
            Self::Ldap(ldap) if ldap.otp_secret.is_some() && ldap.authentication => Served::Never,
            Self::NoAuth(_) | Self::Local | Self::Epa(_) | Self::Ldap(_) | Self::Cert(_) => Served::Now,
            Self::Radius(radius) => radius.served(),
            Self::Email(_) => Served::Later,
            Self::Saml(_)
            | Self::OAuth(_)
            | Self::Captcha(_)
            | Self::Negotiate(_)
            | Self::WebAuth(_)
            | Self::Storefront(_)
            | Self::Dfa(_)
            | Self::Tacacs(_) => Served::Never,
        }
    }

    /// Whether it asks the client about itself. A factor with such an action has no other ones but those that
    /// [always succeed](Self::always_succeeds).
    #[must_use]
    pub const fn is_epa(&self) -> bool {
        matches!(self, Self::Epa(_))
    }

    /// Whether it always succeeds.
    #[must_use]
    pub const fn always_succeeds(&self) -> bool {
        matches!(self, Self::NoAuth(_))
    }

    /// The group that a session gets when it succeeds.
    #[must_use]
    pub fn default_group(&self) -> Option<&SessionGroup> {
        match self {
            Self::Local | Self::Captcha(_) => None,
            Self::NoAuth(action) => action.default_group.as_ref(),
            Self::Epa(action) => action.default_group.as_ref(),
            Self::Ldap(action) => action.default_group.as_ref(),
            Self::Radius(action) => action.default_group.as_ref(),
            Self::Cert(action) => action.default_group.as_ref(),
            Self::Saml(action) => action.default_group.as_ref(),
            Self::OAuth(action) => action.default_group.as_ref(),
            Self::Email(action) => action.default_group.as_ref(),
            Self::Negotiate(action) => action.default_group.as_ref(),
            Self::WebAuth(action) => action.default_group.as_ref(),
            Self::Storefront(action) => action.default_group.as_ref(),
            Self::Dfa(action) => action.default_group.as_ref(),
            Self::Tacacs(action) => action.default_group.as_ref(),
        }
    }

    /// The secret in it that must be recovered, with the keyword at which it stands: the purpose of its seal.
    #[must_use]
    pub fn secret(&self) -> Option<(&'static str, &Recoverable)> {
        let (keyword, secret) = match self {
            Self::NoAuth(_) | Self::Local | Self::Epa(_) | Self::Cert(_) | Self::Saml(_) => return None,
            Self::WebAuth(_) | Self::Storefront(_) => return None,
            Self::Ldap(action) => (Ldap::SECRET, action.bind_password.as_ref()),
            Self::Radius(action) => (Radius::SECRET, action.key.as_ref()),
            Self::OAuth(action) => (OAuth::SECRET, action.client_secret.as_ref()),
            Self::Email(action) => (Email::SECRET, action.password.as_ref()),
            Self::Captcha(action) => (Captcha::SECRET, Some(&action.secret_key)),
            Self::Negotiate(action) => (Negotiate::SECRET, action.password.as_ref()),
            Self::Dfa(action) => (Dfa::SECRET, action.pass_phrase.as_ref()),
            Self::Tacacs(action) => (Tacacs::SECRET, action.secret.as_ref()),
        };
        secret.map(|secret| (keyword, secret))
    }

    /// The same, to be changed.
    pub(super) fn secret_mut(&mut self) -> Option<(&'static str, &mut Recoverable)> {
        let (keyword, secret) = match self {
            Self::NoAuth(_) | Self::Local | Self::Epa(_) | Self::Cert(_) | Self::Saml(_) => return None,
            Self::WebAuth(_) | Self::Storefront(_) => return None,
            Self::Ldap(action) => (Ldap::SECRET, action.bind_password.as_mut()),
            Self::Radius(action) => (Radius::SECRET, action.key.as_mut()),
            Self::OAuth(action) => (OAuth::SECRET, action.client_secret.as_mut()),
            Self::Email(action) => (Email::SECRET, action.password.as_mut()),
            Self::Captcha(action) => (Captcha::SECRET, Some(&mut action.secret_key)),
            Self::Negotiate(action) => (Negotiate::SECRET, action.password.as_mut()),
            Self::Dfa(action) => (Dfa::SECRET, action.pass_phrase.as_mut()),
            Self::Tacacs(action) => (Tacacs::SECRET, action.secret.as_mut()),
        };
        secret.map(|secret| (keyword, secret))
    }
}

/// What a session remembers of the answer of a server: the names of the server's attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Kept as attributes 1 to 16 of the session.
    pub numbered: [Text; 16],
    /// Kept under their own names; divided by commas.
    pub named: Text,
}

/// Always succeeds; used to branch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoAuth {
    /// Given to the session.
    pub default_group: Option<SessionGroup>,
}

/// Asks the client about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epa {
    /// What is asked.
    pub expression: ClientExpression,
    /// Processes that the client is to end, divided by commas. A client does so only where its user has agreed.
    pub kill_process: Text,
    /// Files that the client is to delete, divided by commas. Likewise.
    pub delete_files: Text,
    /// Given to the session if the answer is yes.
    pub default_group: Option<SessionGroup>,
    /// Given to the session if the answer is no; without it, a no of the factor's last such action ends the login.
    pub quarantine_group: Option<SessionGroup>,
}

impl Epa {
    /// With everything else at its default.
    #[must_use]
    pub const fn new(expression: ClientExpression) -> Self {
        Self { expression, kill_process: None, delete_files: None, default_group: None, quarantine_group: None }
    }
}

/// Asks a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches, each with its own keyword")]
pub struct Ldap {
    /// Where it is.
    pub server: Host,
    /// Port there.
    pub port: u16,
    /// For an answer.
    pub timeout: Duration,
    /// Below which users are searched.
    pub base: Text,
    /// Who searches. `None`: nobody in particular.
    pub bind_dn: Text,
    /// His password.
    pub bind_password: Option<Recoverable>,
    /// The attribute that is compared with what the user typed.
    pub login_name: Text,
    /// What else must be true of the user.
    pub search_filter: Text,
    /// The attribute with the user's groups.
    pub group_attribute: Text,
    /// The part of such a value that is the group's name.
    pub sub_attribute: Text,
    /// How it is spoken to.
    pub security: LdapSecurity,
    /// Which kind it is.
    pub server_type: LdapServerType,
    /// The attribute that becomes the name for single sign-on.
    pub sso_name: Text,
    /// Whether the password is checked. If not, the user is looked up for his groups.
    pub authentication: bool,
    /// Whether it is a failure if there is no such user.
    pub require_user: bool,
    /// Whether a user may change a password that has expired.
    pub password_change: bool,
    /// Whether groups of groups count.
    pub nested_groups: bool,
    /// How deep.
    pub nesting_level: u8,
    /// The attribute that is a group's name.
    pub group_identifier: Text,
    /// The attribute in which a group's groups are searched.
    pub group_search_attribute: Text,
    /// The part of such a value that is the group's name.
    pub group_search_sub_attribute: Text,
    /// What else must be true of a group.
    pub group_search_filter: Text,
    /// Whether referrals are followed.
    pub follow_referrals: bool,
    /// How many.
    pub referrals: u32,
    /// How their servers are found.
    pub referral_lookup: DnsLookup,
    /// Where their service records are.
    pub service_location: Text,
    /// Whether the server's certificate is checked.
    pub validate_certificate: bool,
    /// The name for which it must be valid. `None`: that of [`server`](Self::server).
    pub host_name: Text,
    /// The file with the authorities that it must lead to. `None`: those of the system.
    pub roots: Option<PathBuf>,
    /// Given to the session.
    pub default_group: Option<SessionGroup>,
    /// What the session remembers.
    pub attributes: Attributes,
    /// The attribute with the user's SSH key.
    pub ssh_public_key: Text,
    /// A push service for codes.
    pub push_service: Text,
    /// The attribute with the secrets of one-time passwords.
    pub otp_secret: Text,
    /// The attribute with questions and answers.
    pub knowledge: Text,
    /// The attribute with the user's mail address.
    pub email: Text,
    /// The attribute with another one.
    pub alternate_email: Text,
}

impl Ldap {
    /// Keyword of its secret.
    pub const SECRET: &'static str = "ldapBindDnPassword";

    /// The attribute with the user's devices, if this is about one-time codes: it checks them, or shows the page of devices.
    #[must_use]
    pub fn codes(&self) -> Option<&str> {
        self.otp_secret.as_deref().filter(|_| !self.authentication && self.push_service.is_none())
    }

    /// Whether it finds only users who have a device, by a filter on that attribute. Such an action is for logins: who came to add the first
    /// device would not be found, and who has one is not shown the page by an action that is meant to check codes.
    #[must_use]
    pub fn only_checks_codes(&self) -> bool {
        let filter = self.search_filter.as_deref().unwrap_or_default().to_ascii_lowercase();
        self.codes().is_some_and(|attribute| filter.contains(&attribute.to_ascii_lowercase()))
    }

    /// With everything else at its default.
    #[must_use]
    pub fn new(server: Host) -> Self {
        Self {
            server,
            port: 389,
            timeout: Duration::from_secs(3),
            base: None,
            bind_dn: None,
            bind_password: None,
            login_name: None,
            search_filter: None,
            group_attribute: None,
            sub_attribute: None,
            security: LdapSecurity::default(),
            server_type: LdapServerType::default(),
            sso_name: None,
            authentication: true,
            require_user: true,
            password_change: false,
            nested_groups: false,
            nesting_level: 2,
            group_identifier: None,
            group_search_attribute: None,
            group_search_sub_attribute: None,
            group_search_filter: None,
            follow_referrals: false,
            referrals: 1,
            referral_lookup: DnsLookup::default(),
            service_location: None,
            validate_certificate: false,
            host_name: None,
            roots: None,
            default_group: None,
            attributes: Attributes::default(),
            ssh_public_key: None,
            push_service: None,
            otp_secret: None,
            knowledge: None,
            email: None,
            alternate_email: None,
        }
    }
}

/// Asks a RADIUS server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches, each with its own keyword")]
pub struct Radius {
    /// Where it is.
    pub server: Host,
    /// Port there.
    pub port: u16,
    /// For an answer to one attempt.
    pub timeout: Duration,
    /// Attempts.
    pub attempts: u8,
    /// The shared key.
    pub key: Option<Recoverable>,
    /// Whether our address is sent.
    pub nas_ip: bool,
    /// What we call ourselves.
    pub nas_id: Text,
    /// Whether the client's address is sent.
    pub calling_station: bool,
    /// Vendor of the attribute with groups.
    pub group_vendor: Option<u32>,
    /// Its type.
    pub group_attribute: Option<u8>,
    /// What stands before groups.
    pub groups_prefix: Text,
    /// What divides them.
    pub group_separator: Text,
    /// How passwords travel.
    pub encoding: PasswordEncoding,
    /// Vendor of the attribute with the client's inside address.
    pub ip_vendor: Option<u32>,
    /// Its type.
    pub ip_attribute: Option<u8>,
    /// Vendor of the attribute with the user's password.
    pub password_vendor: Option<u32>,
    /// Its type.
    pub password_attribute: Option<u8>,
    /// Whether begin and end of sessions are told.
    pub accounting: bool,
    /// Whether the password is checked.
    pub authentication: bool,
    /// Whether answers must carry a Message-Authenticator.
    pub message_authenticator: bool,
    /// Whether a key of fewer than [`Radius::KEY_BYTES_MIN`] bytes is used.
    pub allow_short_key: bool,
    /// How it is spoken to.
    pub transport: RadiusTransport,
    /// For TLS: the name for which the server's certificate must be valid.
    pub target_name: Text,
    /// Given to the session.
    pub default_group: Option<SessionGroup>,
}

impl Radius {
    /// Keyword of its secret.
    pub const SECRET: &'static str = "radKey";
    /// Shortest key that is used without being told to, in bytes: who has recorded an answer can try shorter ones.
    pub const KEY_BYTES_MIN: usize = 16;

    /// Whether the gateway carries it out.
    #[must_use]
    pub const fn served(&self) -> Served {
        match self.transport {
            RadiusTransport::Udp => Served::Now,
            RadiusTransport::Tcp | RadiusTransport::Tls => Served::Later,
        }
    }

    /// How long its key is, in bytes, if that can be known.
    #[must_use]
    pub fn key_bytes(&self) -> Option<usize> {
        match self.key.as_ref()? {
            Recoverable::Plain(secret) => Some(secret.expose().len()),
            Recoverable::Sealed(sealed) => Some((sealed.len() / 2).saturating_sub(SEAL_EXTRA_BYTES)),
            Recoverable::Unavailable(_) => None,
        }
    }

    /// With everything else at its default.
    #[must_use]
    pub fn new(server: Host) -> Self {
        Self {
            server,
            port: 1812,
            timeout: Duration::from_secs(3),
            attempts: 3,
            key: None,
            nas_ip: false,
            nas_id: None,
            calling_station: false,
            group_vendor: None,
            group_attribute: None,
            groups_prefix: None,
            group_separator: None,
            encoding: PasswordEncoding::default(),
            ip_vendor: None,
            ip_attribute: None,
            password_vendor: None,
            password_attribute: None,
            accounting: false,
            authentication: true,
            message_authenticator: true,
            allow_short_key: false,
            transport: RadiusTransport::default(),
            target_name: None,
            default_group: None,
        }
    }
}

/// Looks at the client's certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cert {
    /// Whether something else is asked for, too.
    pub two_factor: bool,
    /// Where the user's name is: `Subject:CN`, `SubjectAltName:PrincipalName`. Use [`Cert::user_from`] to ask.
    pub user_field: Text,
    /// Where his groups are. Use [`Cert::groups_from`] to ask.
    pub group_field: Text,
    /// Given to the session.
    pub default_group: Option<SessionGroup>,
}

/// Sends the browser to a SAML identity provider.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches, each with its own keyword")]
pub struct Saml {
    /// Where the provider describes itself.
    pub metadata_url: Option<Url>,
    /// How often that is read.
    pub metadata_refresh: Duration,
    /// Certificate with which the provider signs.
    pub provider_certificate: Option<CertKeyName>,
    /// Certificate and key with which we sign.
    pub signing_certificate: Option<CertKeyName>,
    /// Where the browser is sent.
    pub redirect_url: Option<Url>,
    /// Which of our addresses the provider answers to.
    pub consumer_index: u16,
    /// Which of our sets of attributes it answers with.
    pub attribute_index: u16,
    /// Where the user's name is.
    pub user_field: Text,
    /// Where his groups are.
    pub group_field: Text,
    /// What happens to assertions without a signature.
    pub unsigned: UnsignedAssertion,
    /// What we call ourselves.
    pub issuer: Text,
    /// For whom an assertion must be.
    pub audience: Text,
    /// Whether something else is asked for, too.
    pub two_factor: bool,
    /// How requests are signed.
    pub signature: SamlSignature,
    /// How they are digested.
    pub digest: SamlDigest,
    /// How classes are meant.
    pub context: RequestedContext,
    /// Classes that are asked for.
    pub classes: Vec<Box<str>>,
    /// Another one, in the provider's own words.
    pub custom_class: Text,
    /// How requests travel.
    pub binding: SamlBinding,
    /// Where assertions are fetched that come by reference.
    pub artifact_url: Option<Url>,
    /// Whether a thumbprint is sent in place of the certificate.
    pub send_thumbprint: bool,
    /// Whether the assertion must be about the user who is known already.
    pub enforce_user: bool,
    /// Whether the user must prove himself anew.
    pub force: bool,
    /// Where users log out.
    pub logout_url: Option<Url>,
    /// How log-out messages travel.
    pub logout_binding: LogoutBinding,
    /// How far clocks may differ.
    pub skew: Duration,
    /// Which answers are accepted.
    pub relay_state: Option<Expression>,
    /// Whether the whole answer is kept.
    pub store_response: bool,
    /// Given to the session.
    pub default_group: Option<SessionGroup>,
    /// What the session remembers.
    pub attributes: Attributes,
}

impl Default for Saml {
    fn default() -> Self {
        Self {
            metadata_url: None,
            metadata_refresh: Duration::from_secs(3600),
            provider_certificate: None,
            signing_certificate: None,
            redirect_url: None,
            consumer_index: 255,
            attribute_index: 255,
            user_field: None,
            group_field: None,
            unsigned: UnsignedAssertion::default(),
            issuer: None,
            audience: None,
            two_factor: false,
            signature: SamlSignature::default(),
            digest: SamlDigest::default(),
            context: RequestedContext::default(),
            classes: Vec::new(),
            custom_class: None,
            binding: SamlBinding::default(),
            artifact_url: None,
            send_thumbprint: false,
            enforce_user: true,
            force: false,
            logout_url: None,
            logout_binding: LogoutBinding::default(),
            skew: Duration::from_secs(5 * 60),
            relay_state: None,
            store_response: false,
            default_group: None,
            attributes: Attributes::default(),
        }
    }
}

/// Sends the browser to an OpenID Connect provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuth {
    /// Which kind.
    pub kind: OAuthType,
    /// Where the provider describes itself.
    pub metadata_url: Option<Url>,
    /// Where the browser is sent.
    pub authorization_url: Option<Url>,
    /// Where tokens are fetched.
    pub token_url: Option<Url>,
    /// Where tokens are decrypted.
    pub decrypt_url: Option<Url>,
    /// What the provider calls us.
    pub client_id: Box<str>,
    /// What proves to it that it is us.
    pub client_secret: Option<Recoverable>,
    /// How.
    pub client_auth: ClientAuth,
    /// How a token is asked for.
    pub grant: GrantType,
    /// Whether the code is tied to the one who asked for it.
    pub pkce: bool,
    /// Whether the provider's word is enough, or only looked up.
    pub authentication: bool,
    /// Algorithms of signatures that are believed. Empty: HS256 and RS256.
    pub algorithms: Vec<Box<str>>,
    /// Where the provider's keys are.
    pub keys_url: Option<Url>,
    /// Where they are, on this machine.
    pub keys_file: Text,
    /// How often keys are read.
    pub refresh: Duration,
    /// Who must have issued a token.
    pub issuer: Text,
    /// For whom it must be.
    pub audience: Text,
    /// How far clocks may differ.
    pub skew: Duration,
    /// Where the user's name is.
    pub user_field: Text,
    /// Where the provider tells about users.
    pub user_info_url: Option<Url>,
    /// Where it tells about tokens.
    pub introspect_url: Option<Url>,
    /// Which tenant we are.
    pub tenant: Text,
    /// Where a graph is asked.
    pub graph_url: Option<Url>,
    /// For which resource a token is asked.
    pub resource: Text,
    /// What else is sent.
    pub request_attribute: Text,
    /// Finds the device's id in the request.
    pub device_id: Option<Expression>,
    /// Given to the session.
    pub default_group: Option<SessionGroup>,
    /// What the session remembers.
    pub attributes: Attributes,
}

impl OAuth {
    /// Keyword of its secret.
    pub const SECRET: &'static str = "clientSecret";

    /// With everything else at its default.
    #[must_use]
    pub fn new(client_id: Box<str>) -> Self {
        Self {
            kind: OAuthType::default(),
            metadata_url: None,
            authorization_url: None,
            token_url: None,
            decrypt_url: None,
            client_id,
            client_secret: None,
            client_auth: ClientAuth::default(),
            grant: GrantType::default(),
            pkce: true,
            authentication: true,
            algorithms: Vec::new(),
            keys_url: None,
            keys_file: None,
            refresh: Duration::from_secs(1440 * 60),
            issuer: None,
            audience: None,
            skew: Duration::from_secs(5 * 60),
            user_field: None,
            user_info_url: None,
            introspect_url: None,
            tenant: None,
            graph_url: None,
            resource: None,
            request_attribute: None,
            device_id: None,
            default_group: None,
            attributes: Attributes::default(),
        }
    }
}

/// Sends a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    /// Who sends.
    pub user: Box<str>,
    /// His password.
    pub password: Option<Recoverable>,
    /// The mail server: `smtps://host:port`.
    pub server: Box<str>,
    /// What is sent; `$code` is the code.
    pub content: Text,
    /// How.
    pub kind: EmailType,
    /// How long a code is good.
    pub timeout: Duration,
    /// Finds the user's address. `None`: what the directory said.
    pub address: Option<Expression>,
    /// Given to the session.
    pub default_group: Option<SessionGroup>,
}

impl Email {
    /// Keyword of its secret.
    pub const SECRET: &'static str = "password";

    /// With everything else at its default.
    #[must_use]
    pub fn new(user: Box<str>, server: Box<str>) -> Self {
        let timeout = Duration::from_secs(180);
        Self {
            user,
            password: None,
            server,
            content: None,
            kind: EmailType::default(),
            timeout,
            address: None,
            default_group: None,
        }
    }
}

/// Asks whether a human is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captcha {
    /// Who checks. `None`: Google.
    pub server: Option<Url>,
    /// What pages show.
    pub site_key: Box<str>,
    /// What proves to the checker that it is us.
    pub secret_key: Recoverable,
    /// From which score on, 0 to 10, it is a human.
    pub threshold: u8,
}

impl Captcha {
    /// Keyword of its secret.
    pub const SECRET: &'static str = "secretKey";

    /// With everything else at its default.
    #[must_use]
    pub const fn new(site_key: Box<str>, secret_key: Recoverable) -> Self {
        Self { server: None, site_key, secret_key, threshold: 5 }
    }
}

/// Kerberos and NTLM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Negotiate {
    /// Domain of the user below.
    pub domain: Text,
    /// Who we are there.
    pub user: Text,
    /// His password.
    pub password: Option<Recoverable>,
    /// A file with his keys, in place of a password.
    pub keytab: Text,
    /// Where NTLM is spoken.
    pub ntlm_url: Text,
    /// Organisational unit, of old.
    pub unit: Text,
    /// Given to the session.
    pub default_group: Option<SessionGroup>,
}

impl Negotiate {
    /// Keyword of its secret.
    pub const SECRET: &'static str = "domainUserPasswd";
}

/// Asks a web server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebAuth {
    /// Where it is.
    pub server: Host,
    /// Port there.
    pub port: u16,
    /// How it is spoken to.
    pub scheme: WebScheme,
    /// Makes the request.
    pub request: Option<Expression>,
    /// Says of the answer whether it is a success.
    pub success: Expression,
    /// Given to the session.
    pub default_group: Option<SessionGroup>,
    /// What the session remembers.
    pub attributes: Attributes,
}

/// Asks a StoreFront.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storefront {
    /// Where it is.
    pub server: Url,
    /// Domain of users who name none.
    pub domain: Text,
    /// Given to the session.
    pub default_group: Option<SessionGroup>,
}

/// Delegated forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dfa {
    /// Where the server is.
    pub server: Url,
    /// What it calls us.
    pub client_id: Box<str>,
    /// What proves to it that it is us.
    pub pass_phrase: Option<Recoverable>,
    /// Given to the session.
    pub default_group: Option<SessionGroup>,
}

impl Dfa {
    /// Keyword of its secret.
    pub const SECRET: &'static str = "passPhrase";
}

/// Asks a TACACS+ server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tacacs {
    /// Where it is.
    pub server: Host,
    /// Port there.
    pub port: u16,
    /// For an answer.
    pub timeout: Duration,
    /// The shared secret.
    pub secret: Option<Recoverable>,
    /// Whether it says what a user may do.
    pub authorization: bool,
    /// Whether it is told what a user does.
    pub accounting: bool,
    /// Whether it is told about commands that fail.
    pub audit_failed: bool,
    /// The attribute with groups.
    pub group_attribute: Text,
    /// Given to the session.
    pub default_group: Option<SessionGroup>,
    /// What the session remembers.
    pub attributes: Attributes,
}

impl Tacacs {
    /// Keyword of its secret.
    pub const SECRET: &'static str = "tacacsSecret";

    /// With everything else at its default.
    #[must_use]
    pub fn new(server: Host) -> Self {
        Self {
            server,
            port: 49,
            timeout: Duration::from_secs(3),
            secret: None,
            authorization: false,
            accounting: false,
            audit_failed: false,
            group_attribute: None,
            default_group: None,
            attributes: Attributes::default(),
        }
    }
}
