//! `authentication samlAction` and `OAuthAction`: send the browser to an identity provider.

use crate::model::CertKeyName;
use crate::model::authentication::{
    Action, Choice, ClientAuth, GrantType, LogoutBinding, OAuth, OAuthType, RequestedContext, Saml, SamlBinding, SamlDigest,
    SamlSignature, UnsignedAssertion,
};

use super::super::site::{Refused, Site, incomplete};
use super::super::ssl::no_certificate;
use super::super::{Argument, Command, Feature, Form, Kind, Op, Origin, Said};
use super::action::{Kinded, forms, needs, variant};
use super::secret::{companions, secret};
use super::setting::{Configured, MINUTES, SECONDS, Setting, Settings, attributes, default_group, setting};
use super::{ENABLED, NEVER, ON_OFF};

/// How far clocks may differ.
const SKEW: Argument =
    Argument::optional("skewTime", Kind::Number { min: 0, max: 1440, unit: MINUTES }, "How far clocks may differ.").or("5");
const INDEX: Kind = Kind::Number { min: 0, max: 255, unit: "index" };
/// Most classes or algorithms in one list.
const LIST_MAX: usize = 32;

/// `add authentication samlAction`
pub(in super::super) const SAML: Command = Command {
    group: "authentication",
    object: "samlAction",
    words: "authentication samlAction",
    summary: "Sends the browser to a SAML identity provider.",
    notes: "The provider is described by its metadata, or by `-samlRedirectUrl` and `-samlIdPCertName`.",
    origin: Origin::NetScaler,
    feature: Some(Feature::Aaa),
    effect: NEVER,
    forms: forms!(
        Saml,
        &[Argument::kept("preferredBindType"), Argument::kept("statechecks")],
        "add authentication samlAction idp -samlRedirectUrl https://idp.example.com/saml -samlIdPCertName demo -samlIssuerName \
         gateway.example.com",
        "set authentication samlAction idp -forceAuthn ON",
        "unset authentication samlAction idp -forceAuthn",
        "rm authentication samlAction idp",
        None
    ),
};

const SAML_MAIN: &[Setting<Saml>] = &[
    setting!(Argument::optional("metadataUrl", Kind::Url, "Where the provider describes itself."), metadata_url),
    setting!(
        Argument::optional(
            "metadataRefreshInterval",
            Kind::Number { min: 60, max: 604_800, unit: SECONDS },
            "How often that is read.",
        )
        .or("3600"),
        metadata_refresh
    ),
    setting!(
        Argument::optional("samlIdPCertName", Kind::Name, "Certificate with which the provider signs.").names("ssl certKey"),
        provider_certificate
    ),
    setting!(
        Argument::optional("samlSigningCertName", Kind::Name, "Certificate and key with which we sign.").names("ssl certKey"),
        signing_certificate
    ),
    setting!(Argument::optional("samlRedirectUrl", Kind::Url, "Where the browser is sent."), redirect_url),
    setting!(
        Argument::optional("samlACSIndex", INDEX, "Which of our addresses the provider answers to.").or("255"),
        consumer_index
    ),
    setting!(Argument::optional("samlUserField", Kind::Text, "Where the user's name is.").or("NameID"), user_field),
    setting!(
        Argument::optional(
            "samlRejectUnsignedAssertion",
            Kind::Choice(UnsignedAssertion::WORDS),
            "Whether assertions without a signature are refused; STRICT asks for a signed response, too.",
        )
        .or("ON"),
        unsigned
    ),
    setting!(
        Argument::optional("samlIssuerName", Kind::Text, "What we call ourselves.").or("the name that was asked for"),
        issuer
    ),
    setting!(Argument::optional("samlTwoFactor", ON_OFF, "Whether something else is asked for, too.").or("OFF"), two_factor),
    default_group!(),
];

const SAML_MORE: &[Setting<Saml>] = &[
    setting!(
        Argument::optional("signatureAlg", Kind::Choice(SamlSignature::WORDS), "How requests are signed.").or("RSA-SHA256"),
        signature
    ),
    setting!(
        Argument::optional("digestMethod", Kind::Choice(SamlDigest::WORDS), "How requests are digested.").or("SHA256"),
        digest
    ),
    setting!(
        Argument::optional("requestedAuthnContext", Kind::Choice(RequestedContext::WORDS), "How classes are meant.").or("exact"),
        context
    ),
    setting!(
        Argument::optional("authnCtxClassRef", Kind::List(&Kind::Word(127, "-_.:"), LIST_MAX), "Classes that are asked for."),
        classes
    ),
    setting!(Argument::optional("customAuthnCtxClassRef", Kind::Text, "Another one, in the provider's own words."), custom_class),
    setting!(Argument::optional("samlBinding", Kind::Choice(SamlBinding::WORDS), "How requests travel.").or("POST"), binding),
    setting!(
        Argument::optional("attributeConsumingServiceIndex", INDEX, "Which of our sets of attributes the provider answers with.")
            .or("255"),
        attribute_index
    ),
    setting!(
        Argument::optional("sendThumbprint", ON_OFF, "Whether a thumbprint is sent in place of the certificate.").or("OFF"),
        send_thumbprint
    ),
    setting!(
        Argument::optional("enforceUserName", ON_OFF, "Whether the assertion must be about the user who is known already.")
            .or("ON"),
        enforce_user
    ),
    setting!(Argument::optional("logoutURL", Kind::Url, "Where users log out."), logout_url),
    setting!(
        Argument::optional("artifactResolutionServiceURL", Kind::Url, "Where assertions are fetched that come by reference."),
        artifact_url
    ),
    setting!(SKEW, skew),
    setting!(
        Argument::optional("logoutBinding", Kind::Choice(LogoutBinding::WORDS), "How log-out messages travel.").or("POST"),
        logout_binding
    ),
    setting!(Argument::optional("forceAuthn", ON_OFF, "Whether the user must prove himself anew.").or("OFF"), force),
    setting!(Argument::optional("groupNameField", Kind::Text, "Where the user's groups are."), group_field),
    setting!(Argument::optional("audience", Kind::Text, "For whom an assertion must be.").or("-samlIssuerName"), audience),
    setting!(
        Argument::optional("relaystateRule", Kind::Expression, "Which answers are accepted, by their relay state."),
        relay_state
    ),
    setting!(Argument::optional("storeSAMLResponse", ON_OFF, "Whether the whole answer is kept.").or("OFF"), store_response),
];

impl Configured for Saml {
    const SETTINGS: Settings<Self> = &[SAML_MAIN, attributes!(Saml), SAML_MORE];

    fn plain(&self) -> Self {
        Self::default()
    }
}

impl Kinded for Saml {
    const COMMAND: &'static Command = &SAML;

    fn make(_: &Said<'_>, _: &mut Site<'_>) -> Result<Self, Refused> {
        Ok(Self::default())
    }

    fn judge(&self, said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
        let exists = |name: &Option<CertKeyName>| name.as_ref().is_none_or(|name| site.model.certificates.has(name.as_str()));
        if !exists(&self.provider_certificate) {
            return Err(no_certificate(said, "samlIdPCertName", site.model));
        }
        if !exists(&self.signing_certificate) {
            return Err(no_certificate(said, "samlSigningCertName", site.model));
        }
        if self.redirect_url.is_none() && self.metadata_url.is_none() {
            return Err(needs(said, "samlRedirectUrl", "nobody knows where the provider is: -samlRedirectUrl or -metadataUrl"));
        }
        if self.binding == SamlBinding::Artifact && self.artifact_url.is_none() {
            return Err(needs(said, "samlBinding", "ARTIFACT needs -artifactResolutionServiceURL"));
        }
        Ok(())
    }

    variant!(Box Saml);
}

/// `add authentication OAuthAction`
pub(in super::super) const OAUTH: Command = Command {
    group: "authentication",
    object: "OAuthAction",
    words: "authentication OAuthAction",
    summary: "Sends the browser to an OpenID Connect provider.",
    notes: "The provider is described by its metadata, or by `-authorizationEndpoint` and `-tokenEndpoint`.",
    origin: Origin::NetScaler,
    feature: Some(Feature::Aaa),
    effect: NEVER,
    forms: forms!(
        OAuth,
        &[Argument::kept("oauthMiscFlags")],
        "add authentication OAuthAction oidc -metadataUrl https://login.example.com/.well-known/openid-configuration -clientID gateway \
         -clientSecret \"client secret\" -userNameField email",
        "set authentication OAuthAction oidc -skewTime 2",
        "unset authentication OAuthAction oidc -skewTime",
        "rm authentication OAuthAction oidc",
        None
    ),
};

const OAUTH_MAIN: &[Setting<OAuth>] = &[
    setting!(Argument::optional("OAuthType", Kind::Choice(OAuthType::WORDS), "Which kind of provider.").or("GENERIC"), kind),
    setting!(Argument::optional("metadataUrl", Kind::Url, "Where the provider describes itself."), metadata_url),
    setting!(Argument::optional("authorizationEndpoint", Kind::Url, "Where the browser is sent."), authorization_url),
    setting!(Argument::optional("tokenEndpoint", Kind::Url, "Where tokens are fetched."), token_url),
    setting!(Argument::optional("idtokenDecryptEndpoint", Kind::Url, "Where tokens are decrypted."), decrypt_url),
    setting!(Argument::required("clientID", Kind::Text, "What the provider calls us."), client_id),
    secret!(Argument::optional(OAuth::SECRET, Kind::Secret, "What proves to it that it is us."), client_secret),
];

const OAUTH_MORE: &[Setting<OAuth>] = &[
    default_group!(),
    setting!(Argument::optional("tenantID", Kind::Text, "Which tenant we are."), tenant),
    setting!(Argument::optional("GraphEndpoint", Kind::Url, "Where a graph is asked."), graph_url),
    setting!(
        Argument::optional("refreshInterval", Kind::Number { min: 1, max: 10_080, unit: MINUTES }, "How often keys are read.")
            .or("1440"),
        refresh
    ),
    setting!(Argument::optional("CertEndpoint", Kind::Url, "Where the provider's keys are."), keys_url),
    setting!(Argument::optional("CertFilePath", Kind::File, "Where they are, on this machine."), keys_file),
    setting!(Argument::optional("audience", Kind::Text, "For whom a token must be.").or("-clientID"), audience),
    setting!(Argument::optional("userNameField", Kind::Text, "Where the user's name is.").or("email"), user_field),
    setting!(SKEW, skew),
    setting!(Argument::optional("issuer", Kind::Text, "Who must have issued a token."), issuer),
    setting!(Argument::optional("UserInfoURL", Kind::Url, "Where the provider tells about users."), user_info_url),
    setting!(Argument::optional("introspectURL", Kind::Url, "Where it tells about tokens."), introspect_url),
    setting!(
        Argument::optional("grantType", Kind::Choice(GrantType::WORDS), "How a token is asked for: with a code, or a password.")
            .or("CODE"),
        grant
    ),
    setting!(
        Argument::optional("authentication", ENABLED, "Whether the provider's word is enough.").or("ENABLED"),
        authentication
    ),
    setting!(
        Argument::optional(
            "allowedAlgorithms",
            Kind::List(&Kind::Choice(&["HS256", "RS256", "RS512"]), LIST_MAX),
            "Algorithms of signatures that are believed.",
        )
        .or("HS256,RS256,RS512"),
        algorithms
    ),
    setting!(Argument::optional("PKCE", ENABLED, "Whether a code is tied to the browser that asked for it.").or("ENABLED"), pkce),
    setting!(
        Argument::optional("tokenEndpointAuthMethod", Kind::Choice(ClientAuth::WORDS), "How we prove who we are.")
            .or("client_secret_post"),
        client_auth
    ),
    setting!(Argument::optional("resourceUri", Kind::Text, "For which resource a token is asked."), resource),
    setting!(Argument::optional("requestAttribute", Kind::Text, "What else is sent."), request_attribute),
    setting!(
        Argument::optional("intuneDeviceIdExpression", Kind::Expression, "Finds the device's id in the request."),
        device_id
    ),
];

impl Configured for OAuth {
    const SETTINGS: Settings<Self> = &[OAUTH_MAIN, &companions::<Self>(), OAUTH_MORE, attributes!(OAuth)];

    fn plain(&self) -> Self {
        Self::new(self.client_id.clone())
    }
}

impl Kinded for OAuth {
    const COMMAND: &'static Command = &OAUTH;

    fn make(said: &Said<'_>, _: &mut Site<'_>) -> Result<Self, Refused> {
        said.text("clientID").map(|id| Self::new(id.into())).ok_or_else(|| incomplete(said))
    }

    fn judge(&self, said: &Said<'_>, _: &mut Site<'_>) -> Result<(), Refused> {
        if self.metadata_url.is_none() && (self.authorization_url.is_none() || self.token_url.is_none()) {
            let cause = "nobody knows where the provider is: -metadataUrl, or -authorizationEndpoint and -tokenEndpoint";
            return Err(needs(said, "authorizationEndpoint", cause));
        }
        Ok(())
    }

    variant!(Box OAuth);
}
