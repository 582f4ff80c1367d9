//! Who may log in, and how: actions, the policies that choose between them, and the factors in which policies are tried.
//!
//! ```text
//!   vpn vserver ─► authnProfile ─► authentication vserver  (first factor: three banks of bindings, and a bank of login schema policies)
//!                                        │ binding: priority, policy, goto, next factor
//!                                        ▼
//!                                   policy label  (a factor: a login schema, one bank of bindings) ─► policy label ─► …
//!
//!   binding ─► policy = rule + action;     login schema policy = rule + login schema
//! ```
//!
//! Every name in it points at an object that exists. What is built in stands in the same tables as what was made, so that nobody
//! has to look in two places; it cannot be changed and is not printed.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use action::{
    Action, Attributes, Captcha, Cert, Dfa, Email, Epa, Ldap, Negotiate, NoAuth, OAuth, Radius, Saml, Served, Storefront, Tacacs,
    WebAuth,
};
pub use bank::{Bank, Binding, Factor, Goto, PRIORITY_MAX, SchemaBinding};
pub use choice::{
    Choice, ClientAuth, DnsLookup, EmailType, GrantType, LdapSecurity, LdapServerType, LogoutBinding, OAuthType,
    PasswordEncoding, RadiusTransport, RequestedContext, SameSite, SamlBinding, SamlDigest, SamlSignature, UnsignedAssertion,
    WebScheme,
};
pub use client::{
    BadClientNames, CLIENT_EXPRESSION_CHARS_MAX, CLIENT_PARTS_MAX, CLIENT_STRINGS_MAX, ClientExpression, NotAClientExpression,
};
pub use expression::{CLASSIC_RULE_CHARS_MAX, EXPRESSION_CHARS_MAX, Expression, NotAnExpression};
pub use field::CertField;
pub use policy::{ClassicKind, ClassicRule, Policy, SchemaPolicy};

use super::front::Front;
use super::name::{ActionName, AuthnProfileName, AuthnVserverName, LabelName, Name, PolicyName, SchemaName};
use super::secret::{Recoverable, SealFailed, Sealer};
use super::table::Table;

mod action;
mod bank;
pub(super) mod choice;
mod client;
mod expression;
mod field;
mod policy;

/// The action, and the policy with that action, that always succeed.
pub const NO_AUTHN: &str = "NO_AUTHN";
/// The action that asks the local users.
pub const LOCAL: &str = "LOCAL";
/// The login schemas without a form.
pub const NO_FORM: [&str; 2] = ["LSCHEMA_INT", "noschema"];

/// Everything that is configured about logins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authentication {
    /// Actions of all kinds: policies name them without saying the kind, so they share one table.
    pub actions: Table<ActionName, Action>,
    /// Policies of factors.
    pub policies: Table<PolicyName, Policy>,
    /// Forms.
    pub schemas: Table<SchemaName, LoginSchema>,
    /// Policies that choose the form of the first factor. No name is in [`policies`](Self::policies), too.
    pub schema_policies: Table<PolicyName, SchemaPolicy>,
    /// Factors behind the first.
    pub labels: Table<LabelName, Label>,
    /// First factors.
    pub vservers: Table<AuthnVserverName, AuthnVserver>,
    /// What ties virtual servers to first factors.
    pub profiles: Table<AuthnProfileName, AuthnProfile>,
}

/// What is built in is there from the beginning.
impl Default for Authentication {
    fn default() -> Self {
        Self {
            actions: built_in([(NO_AUTHN, Action::NoAuth(NoAuth::default())), (LOCAL, Action::Local)]),
            policies: built_in(ActionName::parse(NO_AUTHN).map(|action| (NO_AUTHN, Policy::always(action)))),
            schemas: built_in(NO_FORM.map(|name| (name, LoginSchema::default()))),
            schema_policies: Table::default(),
            labels: Table::default(),
            vservers: Table::default(),
            profiles: Table::default(),
        }
    }
}

/// A table of what is built in. All of those names are right.
fn built_in<N: Name, T>(rows: impl IntoIterator<Item = (&'static str, T)>) -> Table<N, T> {
    rows.into_iter().filter_map(|(name, object)| Some((N::parse(name).ok()?, object))).collect()
}

/// A policy label: a factor that is entered when a policy of another one has succeeded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Label {
    /// What it is for.
    pub kind: LabelKind,
    /// For people.
    pub comment: Option<Box<str>>,
    /// Its form. `None` is as [`View::None`]: it goes on with the credentials that are there.
    pub schema: Option<SchemaName>,
    /// What is tried.
    pub bank: Bank,
}

/// What a policy label is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LabelKind {
    /// Logins of users.
    #[default]
    Login,
    /// Logins of administrators; kept without effect.
    Administration,
}

/// An authentication virtual server: the first factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthnVserver {
    /// Where it asks for certificates, if it does ([`Model::listens`](super::Model::listens)). `None`: it is reached through virtual
    /// servers only.
    pub address: Option<SocketAddr>,
    /// What clients meet there.
    pub front: Front,
    /// Whether logins may begin here.
    pub enabled: bool,
    /// Whether it asks at all.
    pub authentication: bool,
    /// Domain of its cookie.
    pub domain: Option<Box<str>>,
    /// For people.
    pub comment: Option<Box<str>>,
    /// When a user who fails is locked out.
    pub lockout: Option<Lockout>,
    /// `SameSite` of its cookie.
    pub same_site: Option<SameSite>,
    /// Which forms and colours.
    pub portal_theme: Option<Box<str>>,
    /// What is tried.
    pub primary: Bank,
    /// What is tried behind a success in [`primary`](Self::primary), if the binding there names no next factor.
    pub secondary: Bank,
    /// What is tried last, for groups only.
    pub group_extraction: Bank,
    /// Which form is shown first: bindings by ascending priority.
    pub schemas: Vec<SchemaBinding>,
}

/// Reached through virtual servers, on, and nothing bound.
impl Default for AuthnVserver {
    fn default() -> Self {
        Self {
            address: None,
            front: Front::default(),
            enabled: true,
            authentication: true,
            domain: None,
            comment: None,
            lockout: None,
            same_site: None,
            portal_theme: None,
            primary: Bank::default(),
            secondary: Bank::default(),
            group_extraction: Bank::default(),
            schemas: Vec::new(),
        }
    }
}

/// When a user who fails is locked out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lockout {
    /// After so many failures, 1 to 255.
    pub attempts: u8,
    /// For so long, in whole minutes. `None`: this login ends, and that is all.
    pub time: Option<Duration>,
}

/// What ties a virtual server to an authentication virtual server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthnProfile {
    /// The first factor.
    pub vserver: AuthnVserverName,
    /// Host to which users would be sent; without effect for a gateway.
    pub host: Option<Box<str>>,
    /// Domain of the cookie; without effect for a gateway.
    pub domain: Option<Box<str>>,
    /// Strength that is asked for; without effect for a gateway.
    pub level: Option<u8>,
}

/// A form, and what is read from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoginSchema {
    /// The form.
    pub view: View,
    /// Finds the user's name in the request. `None`: the field `login`.
    pub user: Option<Expression>,
    /// Finds the password in the request. `None`: the field `passwd`.
    pub password: Option<Expression>,
    /// Under which attribute of the session, 1 to 16, the name is kept.
    pub user_index: Option<u8>,
    /// Under which attribute of the session, 1 to 16, the password is kept.
    pub password_index: Option<u8>,
    /// How strong a login with this form is.
    pub strength: u16,
    /// Whether its credentials are those for single sign-on.
    pub sso_credentials: bool,
}

/// What a login schema shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum View {
    /// Nothing: the factor goes on with the credentials that are there.
    #[default]
    None,
    /// The form in this file; a relative path is below the folder of forms.
    File(PathBuf),
}

impl Authentication {
    /// Whether nothing was configured beside what is built in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { actions, policies, schemas, schema_policies, labels, vservers, profiles } = self;
        let made = actions.names().any(|name| !Self::is_built_in(name.as_str()))
            || policies.names().any(|name| !Self::is_built_in(name.as_str()))
            || schemas.names().any(|name| !Self::is_built_in(name.as_str()));
        !made && schema_policies.is_empty() && labels.is_empty() && vservers.is_empty() && profiles.is_empty()
    }

    /// Whether an object of this name is part of the gateway: it cannot be changed and is not printed.
    #[must_use]
    pub fn is_built_in(name: &str) -> bool {
        [NO_AUTHN, LOCAL].contains(&name) || NO_FORM.contains(&name)
    }

    /// The action of a policy.
    #[must_use]
    pub fn action_of(&self, policy: &Policy) -> Option<&Action> {
        self.actions.find(policy.action.as_str())
    }

    /// What is tried in a factor, if there is such a factor.
    #[must_use]
    pub fn bank(&self, factor: &Factor) -> Option<&Bank> {
        match factor {
            Factor::Label(label) => self.labels.find(label.as_str()).map(|label| &label.bank),
            Factor::Primary(vserver) => self.vservers.find(vserver.as_str()).map(|vserver| &vserver.primary),
            Factor::Secondary(vserver) => self.vservers.find(vserver.as_str()).map(|vserver| &vserver.secondary),
            Factor::GroupExtraction(vserver) => self.vservers.find(vserver.as_str()).map(|vserver| &vserver.group_extraction),
        }
    }

    /// Where a login goes on when `binding` of `factor` has succeeded. `None`: it is complete.
    ///
    /// A binding without a next factor goes on in the secondary bank, if there is one, and from there in the bank of group extraction,
    /// as the classic cascade does.
    #[must_use]
    pub fn next(&self, factor: &Factor, binding: &Binding) -> Option<Factor> {
        if let Some(label) = &binding.next {
            return Some(Factor::Label(label.clone()));
        }
        let behind = |vserver: &AuthnVserverName| [Factor::Secondary(vserver.clone()), Factor::GroupExtraction(vserver.clone())];
        let behind = match factor {
            Factor::Label(_) | Factor::GroupExtraction(_) => return None,
            Factor::Primary(vserver) => behind(vserver).to_vec(),
            Factor::Secondary(vserver) => vec![Factor::GroupExtraction(vserver.clone())],
        };
        behind.into_iter().find(|factor| self.bank(factor).is_some_and(|bank| !bank.is_empty()))
    }

    /// What happens in `factor` when the rule of `binding` was true and its action has failed. Without a word of the operator's a login
    /// factor ends; a classic cascade goes on with its next policy.
    #[must_use]
    pub fn goto<'b>(&self, factor: &Factor, binding: &'b Binding) -> &'b Goto {
        if let Some(goto) = &binding.goto {
            return goto;
        }
        let classic = self.policies.find(binding.policy.as_str()).is_some_and(|policy| policy.classic.is_some());
        let cascade = match factor {
            Factor::Label(_) => false,
            Factor::Secondary(_) | Factor::GroupExtraction(_) => true,
            Factor::Primary(vserver) => {
                self.vservers.find(vserver.as_str()).is_some_and(|v| !(v.secondary.is_empty() && v.group_extraction.is_empty()))
            }
        };
        if classic || cascade { &Goto::Next } else { &Goto::End }
    }

    /// All secrets that must be recovered to be used: action, keyword, secret.
    pub fn secrets(&self) -> impl Iterator<Item = (&ActionName, &'static str, &Recoverable)> {
        self.actions.iter().filter_map(|(name, action)| action.secret().map(|(keyword, secret)| (name, keyword, secret)))
    }

    pub(super) fn seal(&mut self, sealer: &dyn Sealer) -> Result<(), SealFailed> {
        for (_, action) in self.actions.iter_mut() {
            if let Some((keyword, secret)) = action.secret_mut()
                && let Recoverable::Plain(open) = secret
            {
                *secret = Recoverable::Sealed(sealer.seal(keyword, open)?.into());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_in_is_there_and_does_not_count() {
        let made = Authentication::default();
        assert!(made.is_empty());
        let policy = made.policies.find(NO_AUTHN).unwrap();
        assert!(matches!(made.action_of(policy), Some(Action::NoAuth(_))));
        assert_eq!(made.actions.find(LOCAL), Some(&Action::Local));
        for name in NO_FORM {
            assert_eq!(made.schemas.find(name).map(|schema| &schema.view), Some(&View::None));
        }
    }
}
