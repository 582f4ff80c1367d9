//! What a login that has succeeded is worth.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use gate_config::expr::{ATTRIBUTES, Group};
use gate_config::model::Model;
use gate_config::model::authentication::ClientExpression;
use gate_config::model::session::SessionSettings;
use zeroize::Zeroizing;

pub use crate::sessions::{Identity, Sso};

/// Attributes 1 to 16 of a session; number 1 is at 0. Values may be passwords.
pub type NumberedAttributes = [Option<Zeroizing<String>>; ATTRIBUTES];

/// Everything that a session keeps of its login.
#[derive(Debug)]
pub struct Grant {
    /// Who it is: the latest to whom a factor gave credence. `None`: no factor did (only the client was looked at, or nothing at all);
    /// such a session has groups and settings, but is nobody's and has nothing of users.
    pub identity: Option<Identity>,
    /// Groups of all factors, in the order in which they came, each once.
    pub groups: Vec<Group>,
    /// What the session remembers.
    pub attributes: Attributes,
    /// How strong the login is: the greatest strength among the forms that were filled in.
    pub strength: u16,
    /// For single sign-on.
    pub sso: Option<Sso>,
    /// What the client is asked again while the session lasts.
    pub periodic: Option<Periodic>,
    /// The client did not comply and was let in all the same, with a group that says so.
    pub quarantined: bool,
    /// What holds for the session.
    pub settings: SessionSettings,
}

/// What a session remembers of servers' answers and forms. Values may be passwords.
#[derive(Clone, Default)]
pub struct Attributes {
    /// Attributes 1 to 16.
    pub numbered: NumberedAttributes,
    /// Under their own names.
    pub named: BTreeMap<String, Zeroizing<String>>,
}

/// Says which there are, not what they are.
impl fmt::Debug for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbered = self.numbered.iter().enumerate().filter(|(_, value)| value.is_some()).map(|(at, _)| (at + 1).to_string());
        f.debug_list().entries(numbered.chain(self.named.keys().cloned())).finish()
    }
}

/// What a client is asked again while the session lasts: what it was let in for.
#[derive(Clone, Debug)]
pub struct Periodic {
    /// The factor that wanted it, by its name.
    pub factor: Arc<str>,
    /// What must hold.
    pub expression: ClientExpression,
    /// What was found at the login, for each of its strings: those without an interval are not asked again.
    pub found: Vec<bool>,
    /// For the names in the expression.
    pub model: Arc<Model>,
    /// The client has said that it will answer again and again without being told to.
    pub announced: bool,
}
