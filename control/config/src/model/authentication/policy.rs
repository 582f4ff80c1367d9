//! Policies: a rule, and what happens when it is true.

use super::super::name::{ActionName, SchemaName};
use super::choice::choices;
use super::expression::Expression;

/// A policy of a factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// When it applies. For a classic policy: what its rule means.
    pub rule: Expression,
    /// How users prove who they are.
    pub action: ActionName,
    /// What happens if the rule can be neither true nor false.
    pub undefined: Option<Box<str>>,
    /// For people.
    pub comment: Option<Box<str>>,
    /// What would be logged.
    pub log_action: Option<Box<str>>,
    /// Set if it was written as a classic policy; it is printed as it was written.
    pub classic: Option<ClassicRule>,
}

/// How a classic policy was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassicRule {
    /// By which command.
    pub kind: ClassicKind,
    /// Its rule in the old language.
    pub text: Box<str>,
}

choices! {
    /// Kinds of classic policies.
    ClassicKind {
        /// `ldapPolicy`.
        Ldap = "ldapPolicy",
        /// `radiusPolicy`.
        Radius = "radiusPolicy",
        /// `localPolicy`, which has no action of its own: local users.
        Local = "localPolicy",
        /// `certPolicy`.
        Cert = "certPolicy",
        /// `samlPolicy`.
        Saml = "samlPolicy",
    }
}

impl Policy {
    /// One that always applies.
    #[must_use]
    pub fn always(action: ActionName) -> Self {
        Self { rule: Expression::always(), action, undefined: None, comment: None, log_action: None, classic: None }
    }
}

/// A policy that chooses the form of the first factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaPolicy {
    /// When it applies.
    pub rule: Expression,
    /// The form.
    pub schema: SchemaName,
    /// What happens if the rule can be neither true nor false.
    pub undefined: Option<Box<str>>,
    /// For people.
    pub comment: Option<Box<str>>,
    /// What would be logged.
    pub log_action: Option<Box<str>>,
}
