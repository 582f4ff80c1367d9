//! What an action means for a dialogue: checked once, when it is put into force.

use std::iter::once;

use gate_config::model::authentication::{Ldap, LdapServerType};
use gate_proto::ldap::filter;
use thiserror::Error;

use super::super::roots::BadRoots;
use crate::random::{self, NoRandom};

/// Attribute that holds the name of a user where none was configured: of Active Directory, and of others.
const LOGIN_NAME: [&str; 2] = ["sAMAccountName", "uid"];
/// Attribute that is a group's name where none was configured.
const GROUP_NAME: &str = "cn";

/// Why an action cannot be carried out. The operator's fault, but for the last.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum BadSetting {
    /// A filter that is none.
    #[error("-{0} is no filter")]
    Filter(&'static str),
    /// A name that no attribute can have.
    #[error("-{0} is no name of an attribute")]
    Attribute(&'static str),
    /// The service account has no password, and would be taken for nobody.
    #[error("-ldapBindDn needs -ldapBindDnPassword, in a form that this gateway can recover")]
    ServicePassword,
    /// Trust anchors, or the name that its certificate must be valid for.
    #[error(transparent)]
    Roots(#[from] BadRoots),
    /// No random bytes. The machine's fault.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
}

/// What is asked.
pub(super) struct Plan {
    pub(super) kind: LdapServerType,
    pub(super) base: String,
    /// Attribute that is compared with what was typed.
    pub(super) login: String,
    pub(super) filter: Option<String>,
    /// Attributes of a user that are asked for.
    pub(super) wanted: Vec<String>,
    pub(super) groups: Option<Groups>,
    pub(super) sso_name: Option<String>,
    pub(super) numbered: [Option<String>; 16],
    pub(super) named: Vec<String>,
    pub(super) is_password_checked: bool,
    pub(super) is_user_required: bool,
    pub(super) may_change_passwords: bool,
    /// Attribute with a user's devices for codes.
    pub(super) codes: Option<String>,
    /// A name that nobody has.
    pub(super) nobody: String,
}

/// How groups get their names.
pub(super) struct Groups {
    /// Attribute of the user.
    pub(super) attribute: String,
    /// Attribute in the first component of its values. `None`: the whole value.
    pub(super) part: Option<String>,
    pub(super) nested: Option<Nested>,
}

/// How groups of groups are found.
pub(super) struct Nested {
    /// Levels in all, the user's own groups included.
    pub(super) levels: u8,
    /// Attribute that is a group's name.
    pub(super) identifier: String,
    /// Attribute with a group's groups.
    pub(super) attribute: String,
    /// As in [`Groups`].
    pub(super) part: Option<String>,
    pub(super) filter: Option<String>,
}

impl Plan {
    pub(super) fn new(settings: &Ldap) -> Result<Self, BadSetting> {
        let kind = settings.server_type;
        let login_default = match kind {
            LdapServerType::ActiveDirectory => LOGIN_NAME[0],
            LdapServerType::Novell => LOGIN_NAME[1],
        };
        let login = attribute("ldapLoginName", settings.login_name.as_deref())?.unwrap_or_else(|| login_default.to_owned());
        let sso_name = attribute("ssoNameAttribute", settings.sso_name.as_deref())?;
        let mut numbered: [Option<String>; 16] = Default::default();
        for (place, name) in numbered.iter_mut().zip(&settings.attributes.numbered) {
            *place = attribute("Attribute1 to -Attribute16", name.as_deref())?;
        }
        let named = settings.attributes.named.as_deref().unwrap_or_default().split(',').map(str::trim);
        let named = named.filter(|name| !name.is_empty()).map(|name| attribute("Attributes", Some(name)));
        let named: Vec<String> = named.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
        let groups = groups(settings)?;
        let base = settings.base.as_deref().unwrap_or_default().to_owned();
        let digits: String = random::bytes::<16>()?.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut wanted: Vec<String> = Vec::new();
        let codes = attribute("OTPSecret", settings.codes())?;
        let all = once(&login).chain(&sso_name).chain(&codes).chain(numbered.iter().flatten()).chain(&named);
        for name in all.chain(groups.as_ref().map(|groups| &groups.attribute)) {
            if !wanted.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                wanted.push(name.clone());
            }
        }
        Ok(Self {
            kind,
            nobody: if base.is_empty() { format!("cn={digits}") } else { format!("cn={digits},{base}") },
            base,
            login,
            filter: checked("searchFilter", settings.search_filter.as_deref())?,
            wanted,
            groups,
            sso_name,
            numbered,
            named,
            is_password_checked: settings.authentication,
            // Who is not there cannot prove to be somebody: with a password to check, a user is required in any case.
            is_user_required: settings.require_user || settings.authentication,
            may_change_passwords: settings.password_change,
            codes,
        })
    }
}

fn groups(settings: &Ldap) -> Result<Option<Groups>, BadSetting> {
    let Some(own) = attribute("groupAttrName", settings.group_attribute.as_deref())? else { return Ok(None) };
    let part = attribute("subAttributeName", settings.sub_attribute.as_deref())?;
    let identifier = attribute("groupNameIdentifier", settings.group_identifier.as_deref())?;
    let searched = attribute("groupSearchAttribute", settings.group_search_attribute.as_deref())?;
    let searched_part = attribute("groupSearchSubAttribute", settings.group_search_sub_attribute.as_deref())?;
    let filter = checked("groupSearchFilter", settings.group_search_filter.as_deref())?;
    let nested = settings.nested_groups.then(|| Nested {
        levels: settings.nesting_level,
        identifier: identifier.or_else(|| part.clone()).unwrap_or_else(|| GROUP_NAME.to_owned()),
        attribute: searched.unwrap_or_else(|| own.clone()),
        part: searched_part.or_else(|| part.clone()),
        filter,
    });
    Ok(Some(Groups { attribute: own, part, nested }))
}

fn attribute(keyword: &'static str, name: Option<&str>) -> Result<Option<String>, BadSetting> {
    match name {
        Some(name) if !filter::is_attribute(name) => Err(BadSetting::Attribute(keyword)),
        name => Ok(name.map(str::to_owned)),
    }
}

fn checked(keyword: &'static str, text: Option<&str>) -> Result<Option<String>, BadSetting> {
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return Ok(None) };
    let text = filter::enclosed(text);
    if ldap3::parse_filter(&text).is_err() { Err(BadSetting::Filter(keyword)) } else { Ok(Some(text)) }
}
