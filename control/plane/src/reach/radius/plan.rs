//! What an action means for a request and its answer: checked once, when it is put into force.

use std::collections::HashSet;

use gate_config::model::authentication::{PasswordEncoding, Radius};
use gate_proto::radius::{Key, MsChapError, Proof, Reply, VALUE_BYTES_MAX};
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

use super::outcome::{Accepted, Rejected};

/// What we call ourselves where nothing was configured: RFC 2865 §4.1 wants a name or an address.
const NAS_ID: &str = "sluicegate";
/// What divides groups where nothing was configured.
const SEPARATOR: &str = ";";

/// Why an action cannot be carried out. The operator's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum BadSetting {
    /// There is no key.
    #[error("it has no -radKey that this gateway can read")]
    NoKey,
    /// A key that can be found by trying.
    #[error("its -radKey has {0} bytes, and fewer than {min} are used only with -allowShortKey YES", min = Radius::KEY_BYTES_MIN)]
    ShortKey(usize),
    /// A name that no attribute can hold.
    #[error("-radNASid has more than {VALUE_BYTES_MAX} bytes")]
    NasId,
}

/// See the module.
pub(super) struct Plan {
    pub(super) key: Key,
    pub(super) encoding: PasswordEncoding,
    pub(super) is_nas_ip_sent: bool,
    pub(super) nas_id: String,
    pub(super) is_client_sent: bool,
    /// Answers without a Message-Authenticator are believed, too.
    pub(super) takes_unsigned: bool,
    groups: Option<Groups>,
}

/// Where groups are.
struct Groups {
    vendor: u32,
    kind: u8,
    prefix: Option<String>,
    separator: String,
}

impl Plan {
    pub(super) fn new(settings: &Radius, key: Option<&SecretString>) -> Result<Self, BadSetting> {
        let key = key.map(ExposeSecret::expose_secret).filter(|key| !key.is_empty()).ok_or(BadSetting::NoKey)?;
        if key.len() < Radius::KEY_BYTES_MIN && !settings.allow_short_key {
            return Err(BadSetting::ShortKey(key.len()));
        }
        let nas_id = settings.nas_id.as_deref().filter(|name| !name.is_empty()).unwrap_or(NAS_ID);
        if nas_id.len() > VALUE_BYTES_MAX {
            return Err(BadSetting::NasId);
        }
        let given = |text: &Option<Box<str>>| text.as_deref().filter(|text| !text.is_empty()).map(str::to_owned);
        let groups = settings.group_vendor.zip(settings.group_attribute).map(|(vendor, kind)| Groups {
            vendor,
            kind,
            prefix: given(&settings.groups_prefix),
            separator: given(&settings.group_separator).unwrap_or_else(|| SEPARATOR.to_owned()),
        });
        Ok(Self {
            key: Key::new(key.as_bytes()),
            encoding: settings.encoding,
            is_nas_ip_sent: settings.nas_ip,
            nas_id: nas_id.to_owned(),
            is_client_sent: settings.calling_station,
            takes_unsigned: !settings.message_authenticator,
            groups,
        })
    }

    /// How a password is proven. A reply to a challenge is hidden as a password is, whatever was configured (RFC 2865 §2.1).
    pub(super) fn proof<'a>(&self, secret: &'a str, is_reply: bool) -> Proof<'a> {
        match self.encoding {
            _ if is_reply => Proof::Pap(secret),
            PasswordEncoding::Pap => Proof::Pap(secret),
            PasswordEncoding::Chap => Proof::Chap(secret),
            PasswordEncoding::MsChap1 => Proof::MsChap1(secret),
            PasswordEncoding::MsChap2 => Proof::MsChap2(secret),
        }
    }

    /// Who may pass.
    pub(super) fn accepted(&self, reply: &Reply) -> Accepted {
        let mut accepted = Accepted { user: reply.user().map(str::to_owned), groups: Vec::new() };
        let Some(Groups { vendor, kind, prefix, separator }) = &self.groups else { return accepted };
        let texts = reply.values(*vendor, *kind).filter_map(|value| std::str::from_utf8(value).ok());
        let texts = texts.filter_map(|text| prefix.as_ref().map_or(Some(text), |prefix| text.strip_prefix(prefix.as_str())));
        let names = texts.flat_map(|text| text.split(separator.as_str())).map(str::trim).filter(|name| !name.is_empty());
        let mut seen = HashSet::new();
        accepted.groups = names.filter(|name| seen.insert(name.to_lowercase())).map(str::to_owned).collect();
        accepted
    }
}

/// Why somebody may not pass.
pub(super) fn rejected(reply: &Reply) -> Rejected {
    match reply.error {
        None | Some(MsChapError::Failure) => Rejected::Secret,
        Some(MsChapError::Hours) => Rejected::NotNow,
        Some(MsChapError::NotPermitted) => Rejected::NotHere,
        Some(MsChapError::Disabled) => Rejected::Disabled,
        Some(MsChapError::Expired) => Rejected::Expired,
    }
}
