//! The graph of a login: which factor leads where, as a value that can be drawn and judged.
//!
//! ```text
//!   Authentication ─graph─► Flow ─┬─findings─► what is wrong with it     (check, reload)
//!                                 ├─draw─────► a tree for people
//!                                 └─dot──────► a picture                 (show authentication flow)
//! ```
//!
//! A node is a factor, an edge a policy bound to it: what it asks, and where the login goes if the answer is yes, or no with a quarantine
//! group. What a rule says is known only if it is a constant; every other rule may be true or false, so a flow has at least the ways
//! that a login can take. Nothing here asks anybody, and the work is bounded by the number of bindings.

use std::collections::BTreeMap;
use std::fmt;

use crate::model::authentication::{Action, Authentication, Binding, Expression, Factor, Goto, LoginSchema, Served, View};
use crate::model::{ActionName, AuthnVserverName, PolicyName, SchemaName, SessionGroup};

pub(crate) use answer::answer;
pub use findings::{Asked, FINDINGS_MAX, Finding, Step, unused};

mod answer;
mod dot;
mod draw;
mod findings;

/// The factors of a login that begins at one authentication virtual server, and how they hang together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Where it begins.
    pub vserver: AuthnVserverName,
    /// Factors, in the order in which they are met; the first is the beginning.
    pub nodes: Vec<Node>,
}

/// A factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Which.
    pub factor: Factor,
    /// What its user sees.
    pub form: Form,
    /// Its policies, in their order.
    pub edges: Vec<Edge>,
}

/// What the user of a factor sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// Nothing: it goes on with what is there.
    None,
    /// User name and password, as built in.
    BuiltIn,
    /// This.
    One(SchemaName),
    /// The form of the first of these policies whose rule is true, or the one that is built in.
    Chosen(Vec<(PolicyName, SchemaName)>),
}

/// A policy of a factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Which.
    pub policy: PolicyName,
    /// Its place.
    pub priority: u32,
    /// When it applies.
    pub rule: Rule,
    /// What it does then.
    pub action: ActionName,
    /// What a success of that says about the user.
    pub proof: Proof,
    /// The group that the session gets on success.
    pub group: Option<SessionGroup>,
    /// Where the login goes on success.
    pub success: To,
    /// Where it goes without success.
    pub failure: Failure,
    /// Whether a login can come so far in this factor.
    pub reached: bool,
}

/// When a policy applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Always.
    Always,
    /// Never.
    Never,
    /// If this is true.
    If(Expression),
}

/// What the success of an action says about the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Who it is.
    Identity,
    /// That there is such a user; not that it is he.
    LookUp,
    /// That he has a device of the user: a one-time code was right. With what stands before it, it is he.
    Code,
    /// What his machine is like.
    Scan,
    /// Nothing: it always succeeds.
    Nothing,
    /// It never succeeds: this gateway does not carry it out.
    Unserved(Served),
}

/// Where a login goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum To {
    /// To this factor.
    Node(usize),
    /// Nowhere: the user is logged in.
    LoggedIn,
}

/// Where a login goes when a policy's rule was true and its action has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It cannot fail.
    Never,
    /// To the next policy of the factor; behind the last, the factor has failed.
    Next,
    /// To the policy with this priority.
    Priority(u32),
    /// Wherever this says.
    Says(Goto),
    /// The factor has failed.
    End,
    /// To the next scan; if there is none, the session gets this group, and the login goes on.
    Quarantine(SessionGroup, To),
}

impl Rule {
    /// What is known of a rule before a login.
    #[must_use]
    pub fn of(rule: &Expression) -> Self {
        match constant(rule.as_str()) {
            Some(true) => Self::Always,
            Some(false) => Self::Never,
            None => Self::If(rule.clone()),
        }
    }
}

/// How many `!` and pairs of parentheses are looked behind.
const WRAPPED_MAX: usize = 16;

fn constant(text: &str) -> Option<bool> {
    let (mut text, mut turned) = (text.trim(), false);
    for _ in 0..WRAPPED_MAX {
        if let Some(inner) = text.strip_prefix('!') {
            (text, turned) = (inner.trim(), !turned);
        } else if let Some(inner) = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')) {
            text = inner.trim();
        } else {
            break;
        }
    }
    let known = |words: [&str; 2]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    let value = if known(["true", "ns_true"]) { Some(true) } else { known(["false", "ns_false"]).then_some(false) };
    value.map(|value| value != turned)
}

impl Proof {
    /// What the success of `action` says.
    #[must_use]
    pub fn of(action: &Action) -> Self {
        match action.served() {
            Served::Later | Served::Never => Self::Unserved(action.served()),
            Served::Now => match action {
                Action::NoAuth(_) => Self::Nothing,
                Action::Epa(_) => Self::Scan,
                Action::Ldap(ldap) if ldap.codes().is_some() => Self::Code,
                Action::Ldap(ldap) if !ldap.authentication => Self::LookUp,
                Action::Ldap(_)
                | Action::Local
                | Action::Radius(_)
                | Action::Cert(_)
                | Action::Saml(_)
                | Action::OAuth(_)
                | Action::Email(_)
                | Action::Captcha(_)
                | Action::Negotiate(_)
                | Action::WebAuth(_)
                | Action::Storefront(_)
                | Action::Dfa(_)
                | Action::Tacacs(_) => Self::Identity,
            },
        }
    }
}

impl Flow {
    /// The flow of logins that begin at `vserver`. `None`: there is no such authentication virtual server.
    #[must_use]
    pub fn of(made: &Authentication, vserver: &str) -> Option<Self> {
        let (vserver, _) = made.vservers.row(vserver)?;
        let mut flow = Self { vserver: vserver.clone(), nodes: Vec::new() };
        let mut places = BTreeMap::new();
        flow.place(made, &mut places, Factor::Primary(vserver.clone()));
        let mut next = 0;
        while next < flow.nodes.len() {
            let edges = flow.edges(made, &mut places, next);
            if let Some(node) = flow.nodes.get_mut(next) {
                node.edges = edges;
            }
            next += 1;
        }
        Some(flow)
    }

    /// The place of a factor, which is made if it has none.
    fn place(&mut self, made: &Authentication, places: &mut BTreeMap<Factor, usize>, factor: Factor) -> usize {
        *places.entry(factor.clone()).or_insert_with(|| {
            self.nodes.push(Node { form: form(made, &factor), factor, edges: Vec::new() });
            self.nodes.len() - 1
        })
    }

    fn edges(&mut self, made: &Authentication, places: &mut BTreeMap<Factor, usize>, at: usize) -> Vec<Edge> {
        let Some(factor) = self.nodes.get(at).map(|node| node.factor.clone()) else { return Vec::new() };
        let Some(bank) = made.bank(&factor) else { return Vec::new() };
        let mut edges = Vec::with_capacity(bank.iter().len());
        for binding in bank.iter() {
            let Some(policy) = made.policies.find(binding.policy.as_str()) else { continue };
            let Some(action) = made.action_of(policy) else { continue };
            let success = match made.next(&factor, binding) {
                Some(next) => To::Node(self.place(made, places, next)),
                None => To::LoggedIn,
            };
            edges.push(Edge {
                policy: binding.policy.clone(),
                priority: binding.priority,
                rule: Rule::of(&policy.rule),
                action: policy.action.clone(),
                proof: Proof::of(action),
                group: action.default_group().cloned(),
                success,
                failure: failure(made, &factor, binding, action, success),
                reached: false,
            });
        }
        reach(&mut edges);
        edges
    }

    /// The node of a factor.
    #[must_use]
    pub fn node(&self, at: usize) -> Option<&Node> {
        self.nodes.get(at)
    }
}

fn failure(made: &Authentication, factor: &Factor, binding: &Binding, action: &Action, success: To) -> Failure {
    if action.always_succeeds() {
        return Failure::Never;
    }
    if let Action::Epa(epa) = action {
        return epa.quarantine_group.as_ref().map_or(Failure::Next, |group| Failure::Quarantine(group.clone(), success));
    }
    match made.goto(factor, binding) {
        Goto::Next => Failure::Next,
        Goto::End => Failure::End,
        Goto::To(priority) => Failure::Priority(*priority),
        other @ (Goto::UseInvocationResult | Goto::Expression(_)) => Failure::Says(other.clone()),
    }
}

/// Marks the policies that a login can come to.
fn reach(edges: &mut [Edge]) {
    if let Some(first) = edges.first_mut() {
        first.reached = true;
    }
    for at in 0..edges.len() {
        let Some((edge, behind)) = edges.get_mut(at..).and_then(<[Edge]>::split_first_mut) else { return };
        if !edge.reached {
            continue;
        }
        let may_fail = edge.rule != Rule::Never;
        if edge.rule != Rule::Always
            && let Some(next) = behind.first_mut()
        {
            next.reached = true;
        }
        match &edge.failure {
            Failure::Next | Failure::Quarantine(..) if may_fail => {
                behind.first_mut().into_iter().for_each(|next| next.reached = true)
            }
            Failure::Priority(priority) if may_fail => {
                // To the same priority is to the next; to one that is not there is nowhere.
                let to = if *priority == edge.priority {
                    behind.first_mut()
                } else {
                    behind.iter_mut().find(|b| b.priority == *priority)
                };
                to.into_iter().for_each(|to| to.reached = true);
            }
            Failure::Says(_) if may_fail => behind.iter_mut().for_each(|next| next.reached = true),
            Failure::Never | Failure::End | Failure::Next | Failure::Quarantine(..) | Failure::Priority(_) | Failure::Says(_) => {
            }
        }
    }
}

impl Node {
    /// The quarantine with which a login can leave this factor by the policy at `at`: no later scan whose rule is known to be true
    /// stands behind it, and nothing that always succeeds.
    #[must_use]
    pub fn quarantine(&self, at: usize) -> Option<(&SessionGroup, To)> {
        let edge = self.edges.get(at)?;
        let Failure::Quarantine(group, to) = &edge.failure else { return None };
        let decides = |later: &Edge| later.reached && later.rule == Rule::Always;
        let decided = self.edges.get(at + 1..).is_some_and(|later| later.iter().any(decides));
        (edge.reached && edge.rule != Rule::Never && !decided).then_some((group, *to))
    }

    /// Whether the client is asked about itself here.
    #[must_use]
    pub fn scans(&self) -> bool {
        self.edges.iter().any(|edge| edge.proof == Proof::Scan)
    }
}

fn form(made: &Authentication, factor: &Factor) -> Form {
    let has_view = |schema: &LoginSchema| schema.view != View::None;
    match factor {
        Factor::Label(label) => {
            let schema = made.labels.find(label.as_str()).and_then(|label| label.schema.as_ref());
            match schema.filter(|schema| made.schemas.find(schema.as_str()).is_some_and(has_view)) {
                Some(schema) => Form::One(schema.clone()),
                None => Form::None,
            }
        }
        Factor::Primary(vserver) => {
            let bindings = made.vservers.find(vserver.as_str()).map_or(&[][..], |vserver| &vserver.schemas);
            let chosen: Vec<_> = bindings
                .iter()
                .filter_map(|binding| {
                    Some((binding.policy.clone(), made.schema_policies.find(binding.policy.as_str())?.schema.clone()))
                })
                .collect();
            if chosen.is_empty() { Form::BuiltIn } else { Form::Chosen(chosen) }
        }
        // The second password is asked for on the first form; groups are looked up with what is there.
        Factor::Secondary(_) | Factor::GroupExtraction(_) => Form::None,
    }
}

/// How a factor is called.
#[derive(Clone, Copy, Debug)]
pub struct Called<'f>(pub &'f Factor);

impl fmt::Display for Called<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Factor::Primary(vserver) => write!(f, "authentication vserver {vserver}"),
            Factor::Secondary(vserver) => write!(f, "authentication vserver {vserver} -secondary"),
            Factor::GroupExtraction(vserver) => write!(f, "authentication vserver {vserver} -groupExtraction"),
            Factor::Label(label) => write!(f, "policylabel {label}"),
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("no form"),
            Self::BuiltIn => f.write_str("user name and password"),
            Self::One(schema) => write!(f, "form {schema}"),
            Self::Chosen(chosen) => {
                for (at, (policy, schema)) in chosen.iter().enumerate() {
                    write!(f, "{}form {schema} by {policy}", if at == 0 { "" } else { ", else " })?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => Ok(()),
            Self::Next => f.write_str("NEXT"),
            Self::End => f.write_str("END"),
            Self::Priority(priority) => write!(f, "{priority}"),
            Self::Says(goto) => write!(f, "{goto}"),
            Self::Quarantine(group, _) => write!(f, "NEXT, then quarantine group {group}"),
        }
    }
}
