//! Settings of sessions, and the policies that choose them.
//!
//! ```text
//!   user ─────┐
//!   groups ───┤                     ┌─ rule
//!   vserver ──┼─ PolicyBinding ─► policy ─► action ─► SessionSettings
//!   global ───┘   by priority                            │ what it leaves open
//!                                                        ▼
//!                                            the next matching policy … at last `set vpn parameter`
//! ```

use std::time::Duration;

use super::ClientCheck;
use super::authentication::choice::choices;
use super::authentication::{Expression, Goto, Lockout};
use super::name::{PolicyName, SessionActionName};
use super::table::Table;

choices! {
    /// What happens to a request for which no authorization policy speaks.
    Authorization {
        /// It is refused.
        Deny = "DENY",
        /// It passes.
        Allow = "ALLOW",
    }
    /// Which of two passwords is used for single sign-on.
    WhichCredential {
        /// That of the first factor.
        Primary = "PRIMARY",
        /// That of the second.
        Secondary = "SECONDARY",
    }
    /// Family of the address that a name is resolved to.
    AddressFamily {
        /// IPv4.
        V4 = "IPV4",
        /// IPv6.
        V6 = "IPV6",
    }
    /// What the store expects its users to log in with.
    StoreAuth {
        /// Password.
        Domain = "domain",
        /// Token.
        Rsa = "RSA",
        /// Password and token.
        DomainAndRsa = "domainAndRSA",
        /// Text message.
        Sms = "SMS",
        /// Smart card.
        SmartCard = "smartCard",
        /// What the store itself asks for.
        StoreFront = "sfAuth",
        /// That and a token.
        StoreFrontAndRsa = "sfAuthAndRSA",
    }
    /// Which program of the client looks at the client's machine.
    EpaClient {
        /// The agent of the service.
        Agent = "AGENT",
        /// The plug-in of the browser.
        Plugin = "PLUGIN",
    }
    /// What becomes of the ICA sessions of a login whose user logs out.
    IcaOnLogout {
        /// They go on.
        Keep = "KEEP",
        /// They end.
        End = "END",
    }
    /// When in a request's way a bound policy is looked at.
    BindPoint {
        /// With a request.
        Request = "REQUEST",
        /// With an answer.
        Response = "RESPONSE",
        /// With a request for an ICA session.
        IcaRequest = "ICA_REQUEST",
        /// With another TCP connection.
        OtherTcpRequest = "OTHERTCP_REQUEST",
        /// With a login.
        AaaRequest = "AAA_REQUEST",
        /// With the answer to a login.
        AaaResponse = "AAA_RESPONSE",
    }
}

macro_rules! settings {
    ($($(#[$doc:meta])* $field:ident: $type:ty,)+) => {
        /// Settings of a session. What is `None` is left to the next weaker source.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct SessionSettings {
            $($(#[$doc])* pub $field: Option<$type>,)+
        }

        impl SessionSettings {
            /// Takes from `weaker` what is left open here.
            pub fn fill(&mut self, weaker: &Self) {
                $(if self.$field.is_none() { self.$field.clone_from(&weaker.$field); })+
            }
        }
    };
}

settings! {
    /// Ends a login that has been without traffic so long, in whole minutes.
    session_timeout: Duration,
    /// Ends a login whose user has not moved so long, in whole minutes.
    idle_timeout: Duration,
    /// Ends a login so long after it began, in whole minutes.
    forced_timeout: Duration,
    /// How long before that the user is told, in whole minutes.
    forced_timeout_warning: Duration,
    /// For requests of which no authorization policy speaks.
    authorization: Authorization,
    /// Whether the user's name and password are passed on to the store.
    single_sign_on: bool,
    /// Which password that is.
    sso_credential: WhichCredential,
    /// The domain of users who name none.
    nt_domain: Box<str>,
    /// The store behind the gateway: its page.
    store_page: Box<str>,
    /// To which kind of address that resolves.
    store_page_family: AddressFamily,
    /// The store behind the gateway: where native clients find it.
    store: Box<str>,
    /// The page for native clients.
    receiver_home: Box<str>,
    /// The page after the login.
    home_page: Box<str>,
    /// What the store expects its users to log in with.
    store_auth: StoreAuth,
    /// Whether users are asked what they want to open.
    client_choices: bool,
    /// Groups for authorization.
    authorization_group: Box<str>,
    /// The group of those whose machine was looked at.
    smart_group: Box<str>,
    /// Groups that may log in, divided by commas.
    allowed_login_groups: Box<str>,
    /// What the client's machine must be like.
    client_security: ClientCheck,
    /// The group of those whose machine is not like that; without it they are refused.
    client_security_group: Box<str>,
    /// What those are told.
    client_security_message: Box<str>,
    /// Whether that is logged.
    client_security_log: bool,
    /// Which program of the client looks.
    epa_client: EpaClient,
}

/// A session policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionPolicy {
    /// When it applies: an advanced expression, or a classic one as old configurations have it.
    pub rule: Expression,
    /// What holds then.
    pub action: SessionActionName,
}

/// A policy bound to a virtual server, a user, a group or to all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyBinding {
    /// Which: a session policy, or one of logins.
    pub policy: PolicyName,
    /// Its place: the lowest is looked at first. `None`: none was given; it counts as 0.
    pub priority: Option<u32>,
    /// Where it goes on after a match. `None`: with the next.
    pub goto: Option<Goto>,
    /// When in a request's way. `None`: with a request.
    pub point: Option<BindPoint>,
    /// It is a login policy of the second factor.
    pub secondary: bool,
    /// It is a login policy that only looks for groups.
    pub group_extraction: bool,
}

impl PolicyBinding {
    /// Whether the other binding takes the same place: one policy is bound once to each point and bank.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let place = |b: &Self| (b.point.unwrap_or_default(), b.secondary, b.group_extraction);
        self.policy == other.policy && place(self) == place(other)
    }
}

/// Policies in the order in which they are looked at: by priority, and of one priority the oldest first.
#[must_use]
pub fn in_order(bindings: &[PolicyBinding]) -> Vec<&PolicyBinding> {
    let mut ordered: Vec<_> = bindings.iter().collect();
    ordered.sort_by_key(|binding| binding.priority.unwrap_or_default());
    ordered
}

/// What of sessions stands at a virtual server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admission {
    /// Policies bound to it, as they were bound.
    pub policies: Vec<PolicyBinding>,
    /// Most users at a time. `None`: as many as there come.
    pub users_max: Option<u32>,
    /// When a user who fails is locked out.
    pub lockout: Option<Lockout>,
    /// Whether a login ends the earlier ones of the same user here.
    pub login_once: bool,
}

/// Session actions and policies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sessions {
    /// Settings, by name.
    pub actions: Table<SessionActionName, SessionSettings>,
    /// Policies. Every action that they name exists.
    pub policies: Table<PolicyName, SessionPolicy>,
    /// Policies bound for all, as they were bound.
    pub global: Vec<PolicyBinding>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_open_comes_from_the_weaker_source() {
        let mut strong = SessionSettings { nt_domain: Some("A".into()), client_choices: Some(false), ..Default::default() };
        let weak = SessionSettings { nt_domain: Some("B".into()), home_page: Some("https://h".into()), ..Default::default() };
        strong.fill(&weak);
        assert_eq!(strong.nt_domain.as_deref(), Some("A"));
        assert_eq!(strong.home_page.as_deref(), Some("https://h"));
        assert_eq!(strong.client_choices, Some(false));
    }

    #[test]
    fn the_lowest_priority_is_looked_at_first() {
        let binding = |name: &str, priority| PolicyBinding {
            policy: PolicyName::parse(name).unwrap(),
            priority,
            goto: None,
            point: None,
            secondary: false,
            group_extraction: false,
        };
        let bound = [binding("c", Some(100)), binding("b", Some(20)), binding("a", None), binding("d", Some(100))];
        let names: Vec<_> = in_order(&bound).iter().map(|b| b.policy.to_string()).collect();
        assert_eq!(names, ["a", "b", "c", "d"]);
        assert!(bound[0].is_same(&binding("c", None)));
        assert!(!bound[0].is_same(&PolicyBinding { secondary: true, ..binding("c", None) }));
    }
}
