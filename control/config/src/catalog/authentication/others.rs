//! The smaller actions: always succeeding, certificates, codes by mail, human or not, web servers; and those that are kept for printing
//! back only.

use crate::code::Code;
use crate::model::Host;
use crate::model::authentication::{
    Action, Attributes, Captcha, Cert, CertField, Choice, Dfa, Email, EmailType, Expression, Negotiate, NoAuth, Storefront,
    WebAuth, WebScheme,
};

use super::super::site::{Note, Refused, Site, incomplete};
use super::super::{Argument, Command, Effect, Feature, Form, Kind, Op, Origin, Said};
use super::action::{Kinded, forms, variant};
use super::secret::{self, companions, secret};
use super::setting::{Configured, SECONDS, Setting, Settings, attributes, default_group, setting};
use super::{LATER, NEVER, ON_OFF, PORT};

/// What the commands of this file have in common.
macro_rules! command {
    ($object:literal, $words:literal, $effect:expr, $summary:literal, $notes:literal, $forms:expr) => {
        Command {
            group: "authentication",
            object: $object,
            words: $words,
            summary: $summary,
            notes: $notes,
            origin: Origin::NetScaler,
            feature: Some(Feature::Aaa),
            effect: $effect,
            forms: $forms,
        }
    };
}

/// `add authentication noAuthAction`
pub(in super::super) const NO_AUTH: Command = command!(
    "noAuthAction",
    "authentication noAuthAction",
    Effect::NewSessions,
    "Always succeeds: to branch by the rule of its policy, and to give a group.",
    "`NO_AUTHN` is built in, as an action and as a policy that always applies.",
    forms!(
        NoAuth,
        &[],
        "add authentication noAuthAction mobile -defaultAuthenticationGroup mobiles",
        "set authentication noAuthAction mobile -defaultAuthenticationGroup phones",
        "unset authentication noAuthAction mobile -defaultAuthenticationGroup",
        "rm authentication noAuthAction mobile",
        None
    )
);

impl Configured for NoAuth {
    const SETTINGS: Settings<Self> = &[&[default_group!()]];

    fn plain(&self) -> Self {
        Self::default()
    }
}

impl Kinded for NoAuth {
    const COMMAND: &'static Command = &NO_AUTH;

    fn make(_: &Said<'_>, _: &mut Site<'_>) -> Result<Self, Refused> {
        Ok(Self::default())
    }

    variant!(NoAuth);
}

/// `add authentication certAction`
pub(in super::super) const CERT: Command = command!(
    "certAction",
    "authentication certAction",
    Effect::NewSessions,
    "Looks at the client's certificate: whoever has its key is the user whom it names.",
    "Browsers are asked for it where `set ssl vserver … -clientAuth ENABLED` says so: at the virtual server itself, or at the address of the \
     authentication virtual server at which the login begins, to which the browser is led for a moment. Without either it fails.\n\n\
     A field is `Subject:` or `Issuer:` with CN, OU, O, L, ST, C, DC, UID, E, SN, GN, serialNumber, title, street or numbers with dots, or \
     `SubjectAltName:` with PrincipalName (the UPN), EmailAddress or DNS. Of several values the name is the first, and groups are all. A \
     user without a value there fails.",
    forms!(
        Cert,
        &[],
        "add authentication certAction smartcard -userNameField SubjectAltName:PrincipalName",
        "set authentication certAction smartcard -twoFactor ON",
        "unset authentication certAction smartcard -twoFactor",
        "rm authentication certAction smartcard",
        None
    )
);

impl Configured for Cert {
    const SETTINGS: Settings<Self> = &[&[
        setting!(
            Argument::optional(
                "twoFactor",
                ON_OFF,
                "Something else must be asked for, too: where no next factor stands behind it, it fails."
            )
            .or("OFF"),
            two_factor
        ),
        setting!(
            Argument::optional(
                "userNameField",
                Kind::Text,
                "Where the user's name is: Subject:CN, SubjectAltName:PrincipalName."
            )
            .or("Subject:CN"),
            user_field
        ),
        setting!(Argument::optional("groupNameField", Kind::Text, "Where his groups are: Subject:OU."), group_field),
        default_group!(),
    ]];

    fn plain(&self) -> Self {
        Self::default()
    }
}

impl Kinded for Cert {
    const COMMAND: &'static Command = &CERT;

    fn make(_: &Said<'_>, _: &mut Site<'_>) -> Result<Self, Refused> {
        Ok(Self::default())
    }

    fn judge(&self, said: &Said<'_>, site: &mut Site<'_>) -> Result<(), Refused> {
        let fields = [("userNameField", &self.user_field), ("groupNameField", &self.group_field)];
        for (argument, text) in fields.into_iter().filter_map(|(argument, text)| Some((argument, text.as_deref()?))) {
            if CertField::parse(text).is_none() && said.has(argument) {
                let cause = "certificates have no such field, so nobody has anything there";
                let note = Note::new(Code::InvalidValue, said.place(argument), text, cause);
                site.warn(
                    note.cure("Subject:CN, Subject:OU, Issuer:O, SubjectAltName:PrincipalName, SubjectAltName:EmailAddress"),
                );
            }
        }
        Ok(())
    }

    variant!(Cert);
}

/// `add authentication emailAction`
pub(in super::super) const EMAIL: Command = command!(
    "emailAction",
    "authentication emailAction",
    LATER,
    "Sends a code by mail and asks for it.",
    "",
    forms!(
        Email,
        &[],
        "add authentication emailAction mail_code -userName gateway@corp.example -password \"mail secret\" -serverURL \
         smtps://mail.corp.example:465 -content \"Your code is $code.\" -emailAddress \"AAA.USER.ATTRIBUTE(\\\"mail\\\")\"",
        "set authentication emailAction mail_code -timeout 300",
        "unset authentication emailAction mail_code -timeout",
        "rm authentication emailAction mail_code",
        None
    )
);

const EMAIL_MAIN: &[Setting<Email>] = &[
    setting!(Argument::required("userName", Kind::Text, "Who sends: the account at the mail server."), user),
    secret!(Argument::optional(Email::SECRET, Kind::Secret, "Its password."), password),
];

const EMAIL_MORE: &[Setting<Email>] = &[
    setting!(Argument::required("serverURL", Kind::Text, "The mail server: smtps://host:port."), server),
    setting!(Argument::optional("content", Kind::Text, "What is sent; $code stands for the code."), content),
    setting!(Argument::optional("type", Kind::Choice(EmailType::WORDS), "How it is sent.").or("SMTP"), kind),
    setting!(
        Argument::optional("timeout", Kind::Number { min: 1, max: 3600, unit: SECONDS }, "How long a code is good.").or("180"),
        timeout
    ),
    setting!(
        Argument::optional("emailAddress", Kind::Expression, "Finds the user's address.").or("what the directory said"),
        address
    ),
    default_group!(),
];

impl Configured for Email {
    const SETTINGS: Settings<Self> = &[EMAIL_MAIN, &companions::<Self>(), EMAIL_MORE];

    fn plain(&self) -> Self {
        Self::new(self.user.clone(), self.server.clone())
    }
}

impl Kinded for Email {
    const COMMAND: &'static Command = &EMAIL;

    fn make(said: &Said<'_>, _: &mut Site<'_>) -> Result<Self, Refused> {
        match (said.text("userName"), said.text("serverURL")) {
            (Some(user), Some(server)) => Ok(Self::new(user.into(), server.into())),
            _ => Err(incomplete(said)),
        }
    }

    variant!(Email);
}

/// `add authentication captchaAction`
pub(in super::super) const CAPTCHA: Command = command!(
    "captchaAction",
    "authentication captchaAction",
    NEVER,
    "Asks whether a human is there.",
    "",
    forms!(
        Captcha,
        &[],
        "add authentication captchaAction human -siteKey site_key -secretKey \"captcha secret\"",
        "set authentication captchaAction human -scoreThreshold 7",
        "unset authentication captchaAction human -scoreThreshold",
        "rm authentication captchaAction human",
        None
    )
);

const CAPTCHA_SECRET: &[Setting<Captcha>] = &[Setting {
    argument: Argument::required(Captcha::SECRET, Kind::Secret, "What proves to the checker that it is us."),
    change: |argument, said, site, object, _| {
        // `add` has read it already, and warns once.
        if said.form.op == Op::Set
            && let Some(secret) = secret::read(argument.name, said, site)?
        {
            object.secret_key = secret;
        }
        Ok(())
    },
    print: |argument, line, object, _| secret::write(argument.name, line, &object.secret_key),
}];

const CAPTCHA_MAIN: &[Setting<Captcha>] = &[
    setting!(Argument::required("siteKey", Kind::Text, "What pages show."), site_key),
    setting!(Argument::optional("serverURL", Kind::Url, "Who checks.").or("Google"), server),
    setting!(
        Argument::optional(
            "scoreThreshold",
            Kind::Number { min: 0, max: 10, unit: "score" },
            "From which score on it is a human.",
        )
        .or("5"),
        threshold
    ),
];

impl Configured for Captcha {
    const SETTINGS: Settings<Self> = &[CAPTCHA_SECRET, &companions::<Self>(), CAPTCHA_MAIN];

    fn plain(&self) -> Self {
        Self::new(self.site_key.clone(), self.secret_key.clone())
    }
}

impl Kinded for Captcha {
    const COMMAND: &'static Command = &CAPTCHA;

    fn make(said: &Said<'_>, site: &mut Site<'_>) -> Result<Self, Refused> {
        match (said.text("siteKey"), secret::read(Self::SECRET, said, site)?) {
            (Some(key), Some(secret)) => Ok(Self::new(key.into(), secret)),
            _ => Err(incomplete(said)),
        }
    }

    variant!(Captcha);
}

/// `add authentication webAuthAction`
pub(in super::super) const WEB_AUTH: Command = command!(
    "webAuthAction",
    "authentication webAuthAction",
    NEVER,
    "Asks a web server.",
    "",
    forms!(
        WebAuth,
        &[],
        "add authentication webAuthAction web1 -serverIP 192.0.2.32 -serverPort 443 -scheme https -fullReqExpr \
         \"\\\"GET /check HTTP/1.1\\\\r\\\\n\\\\r\\\\n\\\"\" -successRule \"HTTP.RES.STATUS.EQ(200)\"",
        "set authentication webAuthAction web1 -serverPort 8443",
        "unset authentication webAuthAction web1 -fullReqExpr",
        "rm authentication webAuthAction web1",
        None
    )
);

const WEB_AUTH_MAIN: &[Setting<WebAuth>] = &[
    setting!(Argument::required("serverIP", Kind::Ip, "Where it is."), server),
    setting!(Argument::required("serverPort", PORT, "Port there."), port),
    setting!(Argument::required("scheme", Kind::Choice(WebScheme::WORDS), "How it is spoken to."), scheme),
    setting!(Argument::optional("fullReqExpr", Kind::Expression, "Makes the request."), request),
    setting!(Argument::required("successRule", Kind::Expression, "Says of the answer whether it is a success."), success),
    default_group!(),
];

impl Configured for WebAuth {
    const SETTINGS: Settings<Self> = &[WEB_AUTH_MAIN, attributes!(WebAuth)];

    fn plain(&self) -> Self {
        Self { request: None, default_group: None, attributes: Attributes::default(), ..self.clone() }
    }
}

impl Kinded for WebAuth {
    const COMMAND: &'static Command = &WEB_AUTH;

    fn make(said: &Said<'_>, _: &mut Site<'_>) -> Result<Self, Refused> {
        let success = said.text("successRule").and_then(|rule| Expression::parse(rule).ok());
        let scheme = said.text("scheme").and_then(WebScheme::of);
        match (said.ip("serverIP"), said.number("serverPort"), scheme, success) {
            (Some(server), Some(port), Some(scheme), Some(success)) => Ok(Self {
                server: Host::Ip(server),
                port,
                scheme,
                request: None,
                success,
                default_group: None,
                attributes: Attributes::default(),
            }),
            _ => Err(incomplete(said)),
        }
    }

    variant!(Box WebAuth);
}

/// `add authentication negotiateAction`
pub(in super::super) const NEGOTIATE: Command = command!(
    "negotiateAction",
    "authentication negotiateAction",
    NEVER,
    "Kerberos and NTLM. Kept for printing back: it never succeeds here.",
    "",
    forms!(
        Negotiate,
        &[],
        "add authentication negotiateAction kerberos -domain corp.example -domainUser svc_gw -domainUserPasswd \"service secret\"",
        "set authentication negotiateAction kerberos -NTLMPath https://ntlm.corp.example",
        "unset authentication negotiateAction kerberos -NTLMPath",
        "rm authentication negotiateAction kerberos",
        None
    )
);

const NEGOTIATE_MAIN: &[Setting<Negotiate>] = &[
    setting!(Argument::optional("domain", Kind::Text, "Domain of the user below."), domain),
    setting!(Argument::optional("domainUser", Kind::Text, "Who we are there."), user),
    secret!(Argument::optional(Negotiate::SECRET, Kind::Secret, "His password."), password),
];

const NEGOTIATE_MORE: &[Setting<Negotiate>] = &[
    setting!(Argument::optional("OU", Kind::Text, "Organisational unit, of old."), unit),
    setting!(Argument::optional("keytab", Kind::File, "A file with his keys, in place of a password."), keytab),
    setting!(Argument::optional("NTLMPath", Kind::Text, "Where NTLM is spoken."), ntlm_url),
    default_group!(),
];

impl Configured for Negotiate {
    const SETTINGS: Settings<Self> = &[NEGOTIATE_MAIN, &companions::<Self>(), NEGOTIATE_MORE];

    fn plain(&self) -> Self {
        Self::default()
    }
}

impl Kinded for Negotiate {
    const COMMAND: &'static Command = &NEGOTIATE;

    fn make(_: &Said<'_>, _: &mut Site<'_>) -> Result<Self, Refused> {
        Ok(Self::default())
    }

    variant!(Negotiate);
}

/// `add authentication storefrontAuthAction`
pub(in super::super) const STOREFRONT: Command = command!(
    "storefrontAuthAction",
    "authentication storefrontAuthAction",
    NEVER,
    "Asks a StoreFront. Kept for printing back: it never succeeds here.",
    "",
    forms!(
        Storefront,
        &[],
        "add authentication storefrontAuthAction store -serverURL https://store.corp.example/Citrix/StoreAuth",
        "set authentication storefrontAuthAction store -domain CORP",
        "unset authentication storefrontAuthAction store -domain",
        "rm authentication storefrontAuthAction store",
        None
    )
);

impl Configured for Storefront {
    const SETTINGS: Settings<Self> = &[&[
        setting!(Argument::required("serverURL", Kind::Url, "Where it is."), server),
        setting!(Argument::optional("domain", Kind::Text, "Domain of users who name none."), domain),
        default_group!(),
    ]];

    fn plain(&self) -> Self {
        Self { server: self.server.clone(), domain: None, default_group: None }
    }
}

impl Kinded for Storefront {
    const COMMAND: &'static Command = &STOREFRONT;

    fn make(said: &Said<'_>, _: &mut Site<'_>) -> Result<Self, Refused> {
        let server = said.url("serverURL").cloned().ok_or_else(|| incomplete(said))?;
        Ok(Self { server, domain: None, default_group: None })
    }

    variant!(Storefront);
}

/// `add authentication dfaAction`
pub(in super::super) const DFA: Command = command!(
    "dfaAction",
    "authentication dfaAction",
    NEVER,
    "Delegates forms to a server. Kept for printing back: it never succeeds here.",
    "",
    forms!(
        Dfa,
        &[],
        "add authentication dfaAction delegate -clientID gateway -serverURL https://dfa.corp.example -passPhrase \"shared secret\"",
        "set authentication dfaAction delegate -clientID gateway2",
        "unset authentication dfaAction delegate -defaultAuthenticationGroup",
        "rm authentication dfaAction delegate",
        None
    )
);

const DFA_MAIN: &[Setting<Dfa>] = &[
    setting!(Argument::required("clientID", Kind::Text, "What the server calls us."), client_id),
    setting!(Argument::required("serverURL", Kind::Url, "Where it is."), server),
    secret!(Argument::optional(Dfa::SECRET, Kind::Secret, "What proves to it that it is us."), pass_phrase),
];

impl Configured for Dfa {
    const SETTINGS: Settings<Self> = &[DFA_MAIN, &companions::<Self>(), &[default_group!()]];

    fn plain(&self) -> Self {
        Self { server: self.server.clone(), client_id: self.client_id.clone(), pass_phrase: None, default_group: None }
    }
}

impl Kinded for Dfa {
    const COMMAND: &'static Command = &DFA;

    fn make(said: &Said<'_>, _: &mut Site<'_>) -> Result<Self, Refused> {
        match (said.text("clientID"), said.url("serverURL")) {
            (Some(id), Some(url)) => {
                Ok(Self { server: url.clone(), client_id: id.into(), pass_phrase: None, default_group: None })
            }
            _ => Err(incomplete(said)),
        }
    }

    variant!(Dfa);
}
