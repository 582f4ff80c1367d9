//! Where a conversation can be: the factors of an authentication virtual server, or, without one, the cascade of policies at a virtual
//! server itself.
//!
//! ```text
//!   vpn vserver ─┬─ authnProfile ─► Place::Factor(Primary) ─► Place::Factor(Label | Secondary | GroupExtraction) ─► …
//!                └─ none ─────────► Place::Classic(Primary) ─► Place::Classic(Secondary) ─► Place::Classic(GroupExtraction)
//! ```
//!
//! What differs between the two ends here: behind this module a place has [`Tried`]s in an order, says where a failure goes and what
//! follows a success.

use std::sync::Arc;

use gate_config::model::authentication::{
    Action, Authentication, Bank, Binding, Expression, Factor, Goto, LOCAL, Lockout, Policy,
};
use gate_config::model::{ActionName, Model, PolicyName, VserverName};

/// With what a conversation begins, and what it keeps to its end, whatever is configured meanwhile.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The configuration.
    pub model: Arc<Model>,
    /// The virtual server at which the client has come in.
    pub vserver: VserverName,
}

/// Whose count of failures a login goes to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Realm {
    /// An authentication virtual server's.
    Authentication(Arc<str>),
    /// A virtual server's own.
    Vserver(Arc<str>),
}

impl Setting {
    /// Whose count of failures the logins here go to.
    #[must_use]
    pub fn realm(&self) -> Realm {
        match self.first() {
            Place::Factor(Factor::Primary(name) | Factor::Secondary(name) | Factor::GroupExtraction(name)) => {
                Realm::Authentication(name.as_str().into())
            }
            Place::Factor(Factor::Label(_)) | Place::Classic(_) => Realm::Vserver(self.vserver.as_str().into()),
        }
    }

    /// When a user who fails here is locked out: as the authentication virtual server says, else as the virtual server says, else as is said
    /// for all logins. `None`: never.
    #[must_use]
    pub fn lockout(&self) -> Option<Lockout> {
        let of_factor = match self.first() {
            Place::Factor(Factor::Primary(name)) => {
                self.model.authentication.vservers.find(name.as_str()).and_then(|vserver| vserver.lockout)
            }
            Place::Factor(Factor::Secondary(_) | Factor::GroupExtraction(_) | Factor::Label(_)) | Place::Classic(_) => None,
        };
        let of_vserver = || self.model.vservers.find(self.vserver.as_str()).and_then(|vserver| vserver.admission.lockout);
        of_factor.or_else(of_vserver).or(self.model.aaa.lockout)
    }

    /// Where every conversation here begins.
    pub(super) fn first(&self) -> Place {
        let vserver = self.model.vservers.find(self.vserver.as_str());
        let profile =
            vserver.and_then(|vserver| self.model.authentication.profiles.find(vserver.authn_profile.as_ref()?.as_str()));
        profile.map_or(Place::Classic(Cascade::Primary), |profile| Place::Factor(Factor::Primary(profile.vserver.clone())))
    }

    /// Whether logins may begin here.
    pub(super) fn is_on(&self) -> bool {
        match self.first() {
            Place::Factor(Factor::Primary(name)) => self
                .model
                .authentication
                .vservers
                .find(name.as_str())
                .is_some_and(|vserver| vserver.enabled && vserver.authentication),
            Place::Factor(Factor::Secondary(_) | Factor::GroupExtraction(_) | Factor::Label(_)) | Place::Classic(_) => {
                self.model.vservers.has(self.vserver.as_str())
            }
        }
    }
}

/// A place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// A factor.
    Factor(Factor),
    /// What is bound to the virtual server itself.
    Classic(Cascade),
}

/// Which of the policies that are bound to a virtual server itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Cascade {
    /// Those without a flag.
    Primary,
    /// Those with `-secondary`: they check the second password.
    Secondary,
    /// Those with `-groupExtraction`.
    GroupExtraction,
}

/// One binding of a place, with what it leads to.
pub(super) struct Tried<'m> {
    /// The policy. `None`: local users, since nothing is bound.
    pub(super) policy: Option<&'m PolicyName>,
    /// Its place among the others.
    pub(super) priority: u32,
    /// When it applies. `None`: always.
    pub(super) rule: Option<&'m Expression>,
    /// Name of the action.
    pub(super) action_name: ActionName,
    /// The action.
    pub(super) action: &'m Action,
    /// Where a failure goes.
    pub(super) goto: &'m Goto,
    /// Where a success goes. `None`: the login is complete.
    pub(super) next: Option<Place>,
}

impl Tried<'_> {
    /// What decisions call it.
    pub(super) fn name(&self) -> &str {
        self.policy.map_or(LOCAL, PolicyName::as_str)
    }
}

impl Place {
    /// The name by which operators know it.
    pub(super) fn name(&self, setting: &Setting) -> Arc<str> {
        match self {
            Self::Factor(Factor::Label(name)) => name.as_str().into(),
            Self::Factor(Factor::Primary(name)) => name.as_str().into(),
            Self::Factor(Factor::Secondary(name)) => format!("{name} (secondary)").into(),
            Self::Factor(Factor::GroupExtraction(name)) => format!("{name} (group extraction)").into(),
            Self::Classic(Cascade::Primary) => setting.vserver.as_str().into(),
            Self::Classic(Cascade::Secondary) => format!("{} (secondary)", setting.vserver).into(),
            Self::Classic(Cascade::GroupExtraction) => format!("{} (group extraction)", setting.vserver).into(),
        }
    }

    /// Whether it checks the second password of a form with two.
    pub(super) const fn is_secondary(&self) -> bool {
        match self {
            Self::Factor(Factor::Secondary(_)) | Self::Classic(Cascade::Secondary) => true,
            Self::Factor(Factor::Primary(_) | Factor::GroupExtraction(_) | Factor::Label(_))
            | Self::Classic(Cascade::Primary | Cascade::GroupExtraction) => false,
        }
    }

    /// Whether it looks for groups only, and checks no password.
    pub(super) const fn is_group_extraction(&self) -> bool {
        match self {
            Self::Factor(Factor::GroupExtraction(_)) | Self::Classic(Cascade::GroupExtraction) => true,
            Self::Factor(Factor::Primary(_) | Factor::Secondary(_) | Factor::Label(_))
            | Self::Classic(Cascade::Primary | Cascade::Secondary) => false,
        }
    }

    /// Whether a form stands before it if nobody has chosen one, and with how many passwords.
    pub(super) fn is_followed_by_secondary(&self, setting: &Setting) -> bool {
        match self {
            Self::Factor(Factor::Primary(name)) => {
                setting.model.authentication.vservers.find(name.as_str()).is_some_and(|vserver| !vserver.secondary.is_empty())
            }
            Self::Classic(Cascade::Primary) => !classic(setting, Cascade::Secondary).is_empty(),
            Self::Factor(Factor::Secondary(_) | Factor::GroupExtraction(_) | Factor::Label(_))
            | Self::Classic(Cascade::Secondary | Cascade::GroupExtraction) => false,
        }
    }

    /// What is tried here, in its order.
    pub(super) fn tried<'m>(&self, setting: &'m Setting) -> Vec<Tried<'m>> {
        let made = &setting.model.authentication;
        match self {
            Self::Factor(factor) => {
                let one = |binding: &'m Binding| {
                    let goto = made.goto(factor, binding);
                    of_policy(made, &binding.policy, binding.priority, goto, made.next(factor, binding).map(Place::Factor))
                };
                made.bank(factor).into_iter().flat_map(Bank::iter).filter_map(one).collect()
            }
            Self::Classic(cascade) => {
                let tried = classic(setting, *cascade);
                if *cascade == Cascade::Primary && tried.is_empty() { local(setting).into_iter().collect() } else { tried }
            }
        }
    }
}

fn of_policy<'m>(
    made: &'m Authentication,
    name: &'m PolicyName,
    priority: u32,
    goto: &'m Goto,
    next: Option<Place>,
) -> Option<Tried<'m>> {
    let policy: &Policy = made.policies.find(name.as_str())?;
    let (action_name, action) = made.actions.row(policy.action.as_str())?;
    Some(Tried { policy: Some(name), priority, rule: Some(&policy.rule), action_name: action_name.clone(), action, goto, next })
}

/// What is bound to the virtual server itself. Priorities need not differ there; of one priority the oldest is first.
fn classic(setting: &Setting, cascade: Cascade) -> Vec<Tried<'_>> {
    let made = &setting.model.authentication;
    let bound = setting.model.vservers.find(setting.vserver.as_str()).map(|vserver| vserver.admission.policies.as_slice());
    let of = |wanted: Cascade| {
        let fits = move |binding: &&gate_config::model::session::PolicyBinding| {
            let of = match (binding.secondary, binding.group_extraction) {
                (true, _) => Cascade::Secondary,
                (false, true) => Cascade::GroupExtraction,
                (false, false) => Cascade::Primary,
            };
            of == wanted && made.policies.has(binding.policy.as_str())
        };
        gate_config::model::session::in_order(bound.unwrap_or_default()).into_iter().filter(fits)
    };
    let behind: &[Cascade] = match cascade {
        Cascade::Primary => &[Cascade::Secondary, Cascade::GroupExtraction],
        Cascade::Secondary => &[Cascade::GroupExtraction],
        Cascade::GroupExtraction => &[],
    };
    let next = behind.iter().copied().find(|cascade| of(*cascade).next().is_some()).map(Place::Classic);
    of(cascade)
        .filter_map(|binding| {
            // A classic cascade goes on with its next policy.
            let goto = binding.goto.as_ref().unwrap_or(&Goto::Next);
            of_policy(made, &binding.policy, binding.priority.unwrap_or_default(), goto, next.clone())
        })
        .collect()
}

/// Nothing is bound: local users.
fn local(setting: &Setting) -> Option<Tried<'_>> {
    let (name, action) = setting.model.authentication.actions.row(LOCAL)?;
    let next = [Cascade::Secondary, Cascade::GroupExtraction].into_iter().find(|cascade| !classic(setting, *cascade).is_empty());
    Some(Tried {
        policy: None,
        priority: 0,
        rule: None,
        action_name: name.clone(),
        action,
        goto: &Goto::End,
        next: next.map(Place::Classic),
    })
}
