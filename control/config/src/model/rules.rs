//! All expressions of a configuration, with whose they are: to find who calls a name.

use crate::expr::{Names, Says, Wanted};

use super::authentication::{Action, Authentication, Bank, ClientExpression, Expression, Goto};
use super::{Asked, Model};

/// An expression, and where it stands.
#[derive(Debug)]
pub(crate) struct Rule<'m> {
    /// For messages.
    pub(crate) owner: String,
    of: Of<'m>,
}

#[derive(Debug)]
enum Of<'m> {
    Facts(&'m Expression, Wanted),
    Client(&'m ClientExpression),
}

impl Rule<'_> {
    /// Whether it is understood, and all its names are what it needs.
    pub(crate) fn fits(&self, names: &Names) -> bool {
        match self.of {
            Of::Facts(expression, wanted) => expression.judge(wanted, names).is_ok(),
            Of::Client(expression) => expression.judge(names).is_ok(),
        }
    }

    /// Whether this named expression stands in it.
    pub(crate) fn calls(&self, name: &str) -> bool {
        let is_it = |called: &str| called.eq_ignore_ascii_case(name);
        match self.of {
            Of::Facts(expression, _) => expression.names().any(is_it),
            Of::Client(expression) => expression.names().into_iter().any(is_it),
        }
    }

    /// Whether it looks through this pattern set.
    pub(crate) fn looks_through(&self, set: &str) -> bool {
        match self.of {
            Of::Facts(expression, _) => expression.pattern_sets().any(|named| named.to_lowercase() == set.to_lowercase()),
            Of::Client(_) => false,
        }
    }
}

impl Model {
    /// All expressions that are judged, in no order that means anything.
    pub(crate) fn rules(&self) -> Vec<Rule<'_>> {
        let mut rules = Vec::new();
        let made = &self.authentication;
        let mut of = |owner: String, of| rules.push(Rule { owner, of });
        for (name, policy) in made.policies.iter().filter(|(name, _)| !Authentication::is_built_in(name.as_str())) {
            of(format!("authentication policy {name}"), Of::Facts(&policy.rule, Wanted::Truth));
        }
        for (name, policy) in made.schema_policies.iter() {
            of(format!("loginSchemaPolicy {name}"), Of::Facts(&policy.rule, Wanted::Truth));
        }
        for (name, schema) in made.schemas.iter() {
            for expression in [&schema.user, &schema.password].into_iter().flatten() {
                of(format!("loginSchema {name}"), Of::Facts(expression, Wanted::Text));
            }
        }
        for (name, policy) in self.sessions.policies.iter() {
            of(format!("session policy {name}"), Of::Facts(&policy.rule, Wanted::Truth));
        }
        for (name, action) in made.actions.iter() {
            if let Action::Epa(epa) = action {
                of(format!("epaAction {name}"), Of::Client(&epa.expression));
            }
        }
        for (name, settings) in self.sessions.actions.iter() {
            if let Some(Asked::Client(expression)) = settings.client_security.as_ref().map(super::ClientCheck::asked) {
                of(format!("session action {name}"), Of::Client(expression));
            }
        }
        let mut gotos: Vec<(String, Option<&Goto>)> = Vec::new();
        for (name, label) in made.labels.iter() {
            gotos.extend(label.bank.iter().map(|bound| (format!("authentication policylabel {name}"), bound.goto.as_ref())));
        }
        for (name, vserver) in made.vservers.iter() {
            let all = [&vserver.primary, &vserver.secondary, &vserver.group_extraction].into_iter().flat_map(Bank::iter);
            gotos.extend(all.map(|bound| (format!("authentication vserver {name}"), bound.goto.as_ref())));
        }
        let vservers = self.vservers.iter().map(|(name, of)| (format!("vpn vserver {name}"), &of.admission.policies));
        let users = self.users.iter().map(|(name, of)| (format!("aaa user {name}"), &of.policies));
        let groups = self.groups.iter().map(|(name, of)| (format!("aaa group {name}"), &of.policies));
        let global = std::iter::once(("vpn global".to_owned(), &self.sessions.global));
        for (owner, bound) in vservers.chain(users).chain(groups).chain(global) {
            gotos.extend(bound.iter().map(|bound| (owner.clone(), bound.goto.as_ref())));
        }
        for (owner, goto) in gotos {
            if let Some(Goto::Expression(expression)) = goto {
                of(owner, Of::Facts(expression, Wanted::Number));
            }
        }
        for (name, expression) in self.names.expressions.iter() {
            let owner = format!("policy expression {}", name.as_str());
            match &expression.says {
                Says::Of(expression) => of(owner, Of::Facts(expression, Wanted::Anything)),
                Says::Client(expression) => of(owner, Of::Client(expression)),
            }
        }
        rules
    }
}
