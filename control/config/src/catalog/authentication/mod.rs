//! `authentication`: who may log in, and how.
//!
//! ```text
//!   actions (epa, ldap, radius, …) ◄─ policies ◄─ bindings ─ factors (authentication vserver, policylabel) ◄─ authnProfile
//!   login schemas ◄─ login schema policies ◄─ bindings ──────┘
//! ```

pub(super) use epa::EPA;
pub(super) use label::LABEL;
pub(super) use ldap::LDAP;
pub(super) use others::{CAPTCHA, CERT, DFA, EMAIL, NEGOTIATE, NO_AUTH, STOREFRONT, WEB_AUTH};
pub(super) use policy::{CERT_POLICY, LDAP_POLICY, LOCAL_POLICY, LOGIN_SCHEMA_POLICY, POLICY, RADIUS_POLICY, SAML_POLICY};
pub(super) use profile::{PROFILE, no_profile};
pub(super) use provider::{OAUTH, SAML};
pub(super) use radius::{RADIUS, TACACS};
pub(super) use schema::LOGIN_SCHEMA;
pub(super) use vserver::VSERVER;

use super::{Effect, Kind};

mod action;
mod bind;
mod epa;
mod label;
mod ldap;
mod others;
mod policy;
mod profile;
mod provider;
mod radius;
mod schema;
mod secret;
mod setting;
mod vserver;

/// Of actions that are to come: a login must not succeed because somebody was not asked.
const LATER: Effect = Effect::Never("a login that comes to it fails, until this gateway asks such a server, and the log says so");
/// Of actions that are not for this gateway.
const NEVER: Effect = Effect::Never("a login that comes to it fails, and the log says so");

const ENABLED: Kind = Kind::Choice(&["ENABLED", "DISABLED"]);
const ON_OFF: Kind = Kind::Choice(&["ON", "OFF"]);
const YES_NO: Kind = Kind::Choice(&["YES", "NO"]);
const PORT: Kind = Kind::Number { min: 1, max: 65_535, unit: "port" };
