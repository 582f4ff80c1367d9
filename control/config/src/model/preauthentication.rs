//! What is asked of a client before its user is asked anything: classic preauthentication.
//!
//! ```text
//!   vpn vserver ─┐
//!   aaa global ──┴─ binding, by priority ─► policy = rule + action ─► ALLOW | DENY, programs to end, a group
//!                                                     the last word: `set aaa preauthenticationparameter`
//! ```

use super::ClientCheck;
use super::authentication::choice::choices;
use super::name::{PolicyName, PreauthActionName, SessionGroup};
use super::session::PolicyBinding;
use super::table::Table;

choices! {
    /// What follows for a login.
    Verdict {
        /// It may begin.
        Allow = "ALLOW",
        /// It may not.
        Deny = "DENY",
    }
}

/// Everything about preauthentication.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preauthentication {
    /// What follows, by name.
    pub actions: Table<PreauthActionName, PreauthAction>,
    /// What is asked, by name. Every action that they name exists.
    pub policies: Table<PolicyName, PreauthPolicy>,
    /// Policies bound for all logins, as they were bound. Each exists.
    pub global: Vec<PreauthBinding>,
    /// What is asked of every client beside.
    pub parameter: PreauthParameter,
}

/// What follows when a policy's rule is true.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PreauthAction {
    /// Whether the login may begin.
    pub verdict: Verdict,
    /// Processes that the client is to end, divided by commas. A client does so only where its user has agreed.
    pub kill_process: Option<Box<str>>,
    /// Files that the client is to delete, divided by commas. Likewise.
    pub delete_files: Option<Box<str>>,
    /// Given to the session.
    pub default_group: Option<SessionGroup>,
}

/// A rule about the client, and what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreauthPolicy {
    /// What the client's machine must be like.
    pub rule: ClientCheck,
    /// What follows then. `None`: the login may begin.
    pub action: Option<PreauthActionName>,
}

/// A policy bound for all logins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreauthBinding {
    /// Which.
    pub policy: PolicyName,
    /// Its place: the lowest is looked at first. `None`: none was given; it counts as 0.
    pub priority: Option<u32>,
}

/// What is asked of every client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PreauthParameter {
    /// What follows if the rule is true. `None`: nothing is asked.
    pub verdict: Option<Verdict>,
    /// What the client's machine must be like.
    pub rule: Option<ClientCheck>,
    /// Processes that the client is to end, divided by commas.
    pub kill_process: Option<Box<str>>,
    /// Files that the client is to delete, divided by commas.
    pub delete_files: Option<Box<str>>,
}

impl Preauthentication {
    /// The policies that a login at a virtual server with `bound` meets, in their order: those bound there, then those bound for all.
    pub fn met<'p>(&'p self, bound: &'p [PolicyBinding]) -> Vec<(&'p PolicyName, &'p PreauthPolicy)> {
        let own = super::session::in_order(bound).into_iter().map(|binding| &binding.policy);
        let mut global: Vec<_> = self.global.iter().collect();
        global.sort_by_key(|binding| binding.priority.unwrap_or_default());
        let global = global.into_iter().map(|binding| &binding.policy);
        own.chain(global).filter_map(|name| self.policies.row(name.as_str())).collect()
    }

    /// What follows when the rule of `policy` is true.
    #[must_use]
    pub fn action_of(&self, policy: &PreauthPolicy) -> PreauthAction {
        policy.action.as_ref().and_then(|action| self.actions.find(action.as_str())).cloned().unwrap_or_default()
    }
}
