//! `authentication radiusAction` and `tacacsAction`: ask a server that shares a secret with us.

use crate::model::authentication::{Action, Choice, PasswordEncoding, Radius, RadiusTransport, Tacacs};

use super::super::site::{Refused, Site};
use super::super::{Argument, Command, Effect, Feature, Form, Kind, Op, Origin, Said};
use super::action::{Kinded, forms, needs, server_of, variant};
use super::secret::{companions, secret};
use super::setting::{Configured, SECONDS, Setting, Settings, attributes, default_group, server, setting};
use super::{ENABLED, NEVER, ON_OFF, PORT, YES_NO};

const TIMEOUT: Argument =
    Argument::optional("authTimeout", Kind::Number { min: 1, max: 300, unit: SECONDS }, "For an answer to one attempt.").or("3");

/// `add authentication radiusAction`
pub(in super::super) const RADIUS: Command = Command {
    group: "authentication",
    object: "radiusAction",
    words: "authentication radiusAction",
    summary: "Asks a RADIUS server.",
    notes: "A challenge of the server's becomes a form with one field. Answers must carry a Message-Authenticator unless \
            `-messageauthenticator OFF` says otherwise; without it, whoever stands between can forge an answer.\n\n\
            A `-radKey` of fewer than 16 bytes is not used, since whoever records an answer can find it; `-allowShortKey YES` uses it all the \
            same.\n\n\
            Kept, and without effect: `-accounting`, `-ipVendorID`, `-ipAttributeType`, `-pwdVendorID`, `-pwdAttributeType`. With `-transport` \
            TCP or TLS, and with `-authentication OFF`, nobody is asked, and a login that comes to it fails.",
    origin: Origin::Extended,
    feature: Some(Feature::Aaa),
    effect: Effect::NewSessions,
    forms: forms!(
        Radius,
        &[Argument::kept("tunnelEndpointClientIP")],
        "add authentication radiusAction otp_server -serverIP 192.0.2.30 -radKey \"a key that both sides know\" -radNASid gateway",
        "set authentication radiusAction otp_server -authTimeout 10",
        "unset authentication radiusAction otp_server -radNASid",
        "rm authentication radiusAction otp_server",
        None
    ),
};

const VENDOR: Kind = Kind::Number { min: 0, max: 16_777_215, unit: "vendor" };
const TYPE: Kind = Kind::Number { min: 1, max: 255, unit: "type" };

const RADIUS_MAIN: &[Setting<Radius>] = &[
    setting!(Argument::optional("serverPort", PORT, "Port there.").or("1812"), port),
    setting!(TIMEOUT, timeout),
    secret!(Argument::optional(Radius::SECRET, Kind::Secret, "The key that is shared with the server."), key),
];

const RADIUS_MORE: &[Setting<Radius>] = &[
    setting!(
        Argument::optional("authservRetry", Kind::Number { min: 1, max: 10, unit: "attempts" }, "How often it is asked.").or("3"),
        attempts
    ),
    setting!(Argument::optional("radNASip", ENABLED, "Whether our address is sent.").or("DISABLED"), nas_ip),
    setting!(Argument::optional("radNASid", Kind::Text, "What we call ourselves."), nas_id),
    setting!(
        Argument::optional("callingstationid", ENABLED, "Whether the client's address is sent.").or("DISABLED"),
        calling_station
    ),
    setting!(
        Argument::optional("radVendorID", VENDOR, "Vendor of the attribute with groups; 0 for an attribute of RADIUS itself."),
        group_vendor
    ),
    setting!(Argument::optional("radAttributeType", TYPE, "Its type."), group_attribute),
    setting!(
        Argument::optional(
            "radGroupsPrefix",
            Kind::Text,
            "What stands before the groups there; values without it are not about groups."
        ),
        groups_prefix
    ),
    setting!(Argument::optional("radGroupSeparator", Kind::Text, "What divides them.").or(";"), group_separator),
    setting!(
        Argument::optional("passEncoding", Kind::Choice(PasswordEncoding::WORDS), "How passwords travel.").or("pap"),
        encoding
    ),
    setting!(Argument::optional("ipVendorID", VENDOR, "Vendor of the attribute with the client's inside address."), ip_vendor),
    setting!(Argument::optional("ipAttributeType", TYPE, "Its type."), ip_attribute),
    setting!(Argument::optional("pwdVendorID", VENDOR, "Vendor of the attribute with the user's password."), password_vendor),
    setting!(Argument::optional("pwdAttributeType", TYPE, "Its type; it needs -pwdVendorID."), password_attribute),
    setting!(Argument::optional("accounting", ON_OFF, "Whether begin and end of sessions are told.").or("OFF"), accounting),
    setting!(Argument::optional("authentication", ON_OFF, "Whether the password is checked.").or("ON"), authentication),
    setting!(
        Argument::optional("messageauthenticator", ON_OFF, "Whether answers must carry a Message-Authenticator.").or("ON"),
        message_authenticator
    ),
    setting!(
        Argument::optional("allowShortKey", YES_NO, "Whether a key of fewer than 16 bytes is used.").or("NO"),
        allow_short_key
    ),
    setting!(Argument::optional("transport", Kind::Choice(RadiusTransport::WORDS), "How it is spoken to.").or("UDP"), transport),
    setting!(
        Argument::optional("targetLBVserver", Kind::Text, "With TLS: the name for which the server's certificate must be valid."),
        target_name
    ),
    default_group!(),
];

impl Configured for Radius {
    const SETTINGS: Settings<Self> = &[server!(Self, "the server"), RADIUS_MAIN, &companions::<Self>(), RADIUS_MORE];

    fn plain(&self) -> Self {
        Self::new(self.server.clone())
    }
}

impl Kinded for Radius {
    const COMMAND: &'static Command = &RADIUS;

    fn make(said: &Said<'_>, _: &mut Site<'_>) -> Result<Self, Refused> {
        if !said.has(Self::SECRET) {
            return Err(needs(said, "radKey", "a RADIUS server is believed for the key that is shared with it"));
        }
        server_of(said).map(Self::new)
    }

    fn judge(&self, said: &Said<'_>, _: &mut Site<'_>) -> Result<(), Refused> {
        if self.password_attribute.is_some() && self.password_vendor.is_none() {
            return Err(needs(said, "pwdAttributeType", "it needs -pwdVendorID"));
        }
        if self.group_attribute.is_some() && self.group_vendor.is_none() {
            return Err(needs(said, "radAttributeType", "it needs -radVendorID"));
        }
        if self.ip_attribute.is_some() && self.ip_vendor.is_none() {
            return Err(needs(said, "ipAttributeType", "it needs -ipVendorID"));
        }
        Ok(())
    }

    variant!(Box Radius);
}

/// `add authentication tacacsAction`
pub(in super::super) const TACACS: Command = Command {
    group: "authentication",
    object: "tacacsAction",
    words: "authentication tacacsAction",
    summary: "Asks a TACACS+ server. Kept for printing back: it never succeeds here.",
    notes: "",
    origin: Origin::NetScaler,
    feature: Some(Feature::Aaa),
    effect: NEVER,
    forms: forms!(
        Tacacs,
        &[],
        "add authentication tacacsAction tacacs1 -serverIP 192.0.2.31 -tacacsSecret \"shared secret\"",
        "set authentication tacacsAction tacacs1 -authorization ON",
        "unset authentication tacacsAction tacacs1 -authorization",
        "rm authentication tacacsAction tacacs1",
        None
    ),
};

const TACACS_MAIN: &[Setting<Tacacs>] = &[
    setting!(Argument::optional("serverPort", PORT, "Port there.").or("49"), port),
    setting!(TIMEOUT, timeout),
    secret!(Argument::optional(Tacacs::SECRET, Kind::Secret, "The secret that is shared with the server."), secret),
];

const TACACS_MORE: &[Setting<Tacacs>] = &[
    setting!(Argument::optional("authorization", ON_OFF, "Whether it says what a user may do.").or("OFF"), authorization),
    setting!(Argument::optional("accounting", ON_OFF, "Whether it is told what a user does.").or("OFF"), accounting),
    setting!(
        Argument::optional("auditFailedCmds", ON_OFF, "Whether it is told about commands that fail.").or("OFF"),
        audit_failed
    ),
    setting!(Argument::optional("groupAttrName", Kind::Text, "Attribute with groups."), group_attribute),
    default_group!(),
];

impl Configured for Tacacs {
    const SETTINGS: Settings<Self> =
        &[server!(Self, "the server"), TACACS_MAIN, &companions::<Self>(), TACACS_MORE, attributes!(Tacacs)];

    fn plain(&self) -> Self {
        Self::new(self.server.clone())
    }
}

impl Kinded for Tacacs {
    const COMMAND: &'static Command = &TACACS;

    fn make(said: &Said<'_>, _: &mut Site<'_>) -> Result<Self, Refused> {
        server_of(said).map(Self::new)
    }

    variant!(Box Tacacs);
}
