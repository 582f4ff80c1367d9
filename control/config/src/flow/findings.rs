//! What is wrong with a flow: ends without identity, loops, factors in which nobody can succeed, policies that are never tried.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;

use crate::model::authentication::{Authentication, Factor, LabelKind};
use crate::model::{LabelName, PolicyName};

use super::{Called, Failure, Flow, Proof, Rule, To};

/// Most findings of one flow; who has read so many has enough to do.
pub const FINDINGS_MAX: usize = 64;

/// Something that an operator hardly means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// A way on which a login ends well and nobody has proven who he is.
    Unproven {
        /// The shortest such way by its last step.
        path: Vec<Step>,
        /// What was asked on it.
        asked: Asked,
    },
    /// Factors that lead to each other. A login that goes around is ended.
    Loop {
        /// From the first around to where it leads to the first again.
        path: Vec<Factor>,
    },
    /// A factor without policies: whoever comes there is refused.
    Empty {
        /// Which.
        factor: Factor,
    },
    /// A factor of which no rule can be true: whoever comes there is refused.
    Dead {
        /// Which.
        factor: Factor,
    },
    /// A policy to which no login comes, since one before it always decides.
    Hidden {
        /// Where it is bound.
        factor: Factor,
        /// Which.
        policy: PolicyName,
        /// The one before it.
        behind: PolicyName,
        /// Whether that one always succeeds; if not, its factor ends when it fails.
        succeeds: bool,
    },
    /// A policy that can only fail, since this gateway does not carry out its action.
    Unserved {
        /// Where it is bound.
        factor: Factor,
        /// Which.
        policy: PolicyName,
    },
}

/// A step of a way through a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The factor that is left.
    pub factor: Factor,
    /// The policy that decides.
    pub policy: PolicyName,
    /// It is left with a quarantine group.
    pub quarantined: bool,
}

/// What was asked on a way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Nothing.
    Nothing,
    /// What the client's machine is like.
    Scan,
    /// Whether there is such a user, without a password.
    LookUp,
}

impl Flow {
    /// What is wrong with it, at most [`FINDINGS_MAX`].
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings = self.unproven();
        findings.extend(self.loops());
        for node in &self.nodes {
            let factor = || node.factor.clone();
            if node.edges.is_empty() {
                findings.push(Finding::Empty { factor: factor() });
            } else if node.edges.iter().all(|edge| edge.rule == Rule::Never) {
                findings.push(Finding::Dead { factor: factor() });
            }
            let mut decider = None;
            for edge in &node.edges {
                if let (false, Some((policy, succeeds))) = (edge.reached, decider.clone()) {
                    findings.push(Finding::Hidden { factor: factor(), policy: edge.policy.clone(), behind: policy, succeeds });
                } else {
                    decider = Some((edge.policy.clone(), edge.failure == Failure::Never));
                    if matches!(edge.proof, Proof::Unserved(_)) && edge.rule != Rule::Never {
                        findings.push(Finding::Unserved { factor: factor(), policy: edge.policy.clone() });
                    }
                }
            }
        }
        findings.truncate(FINDINGS_MAX);
        findings
    }

    /// The ways out of a factor on which nobody proves who he is: by which policy, quarantined or not, to where.
    fn leaves(&self, at: usize) -> Vec<(usize, bool, To)> {
        let Some(node) = self.node(at) else { return Vec::new() };
        let mut leaves = Vec::new();
        for (place, edge) in node.edges.iter().enumerate() {
            let succeeds = match edge.proof {
                Proof::LookUp | Proof::Scan | Proof::Nothing => true,
                Proof::Identity | Proof::Code | Proof::Unserved(_) => false,
            };
            if succeeds && edge.reached && edge.rule != Rule::Never {
                leaves.push((place, false, edge.success));
            }
            if let Some((_, to)) = node.quarantine(place) {
                leaves.push((place, true, to));
            }
        }
        leaves
    }

    fn unproven(&self) -> Vec<Finding> {
        // How a factor was first come to without identity: from where, and by which of its ways.
        let mut came: Vec<Option<(usize, usize, bool)>> = vec![None; self.nodes.len()];
        let mut seen = vec![false; self.nodes.len()];
        let mut waiting = VecDeque::from([0_usize]);
        let mut findings = Vec::new();
        if let Some(first) = seen.first_mut() {
            *first = true;
        }
        while let Some(at) = waiting.pop_front() {
            let mut told = BTreeSet::new();
            for (place, quarantined, to) in self.leaves(at) {
                match to {
                    // A policy that ends well and badly without identity is told of once.
                    To::LoggedIn if told.insert(place) => {
                        let mut path = vec![self.step(at, place, quarantined)];
                        let mut back = at;
                        while let Some((from, place, quarantined)) = came.get(back).copied().flatten() {
                            path.push(self.step(from, place, quarantined));
                            back = from;
                        }
                        path.reverse();
                        let path: Vec<Step> = path.into_iter().flatten().collect();
                        let asked = self.asked(&path);
                        findings.push(Finding::Unproven { path, asked });
                    }
                    To::LoggedIn => {}
                    To::Node(next) => {
                        if let (Some(seen), Some(how)) = (seen.get_mut(next), came.get_mut(next))
                            && !*seen
                        {
                            *seen = true;
                            *how = Some((at, place, quarantined));
                            waiting.push_back(next);
                        }
                    }
                }
            }
        }
        findings
    }

    fn step(&self, at: usize, place: usize, quarantined: bool) -> Option<Step> {
        let node = self.node(at)?;
        Some(Step { factor: node.factor.clone(), policy: node.edges.get(place)?.policy.clone(), quarantined })
    }

    fn asked(&self, path: &[Step]) -> Asked {
        let proof = |step: &Step| {
            let node = self.nodes.iter().find(|node| node.factor == step.factor)?;
            node.edges.iter().find(|edge| edge.policy == step.policy).map(|edge| edge.proof)
        };
        let has = |wanted: Proof| path.iter().any(|step| proof(step) == Some(wanted));
        if has(Proof::LookUp) {
            Asked::LookUp
        } else if has(Proof::Scan) {
            Asked::Scan
        } else {
            Asked::Nothing
        }
    }

    /// Every way that leads back to a factor on it, once for each way back.
    fn loops(&self) -> Vec<Finding> {
        let ways = |at: usize| -> Vec<usize> {
            let Some(node) = self.node(at) else { return Vec::new() };
            let to = |to: &To| if let To::Node(next) = to { Some(*next) } else { None };
            let edges = node.edges.iter().filter(|edge| edge.reached && edge.rule != Rule::Never);
            let ways: BTreeSet<usize> = edges.filter_map(|edge| to(&edge.success)).collect();
            ways.into_iter().collect()
        };
        let mut findings = Vec::new();
        let mut done = vec![false; self.nodes.len()];
        // The way down, each with the ways out of it that are still to be gone.
        let mut way: Vec<(usize, Vec<usize>)> = vec![(0, ways(0))];
        while let Some((at, left)) = way.last_mut() {
            let at = *at;
            let Some(next) = left.pop() else {
                if let Some(done) = done.get_mut(at) {
                    *done = true;
                }
                way.pop();
                continue;
            };
            if let Some(begin) = way.iter().position(|(on, _)| *on == next) {
                let around = way.iter().skip(begin).filter_map(|(on, _)| self.node(*on)).map(|node| node.factor.clone());
                findings.push(Finding::Loop { path: around.collect() });
            } else if done.get(next) == Some(&false) {
                way.push((next, ways(next)));
            }
        }
        findings
    }
}

/// Labels for logins to which no authentication virtual server leads.
#[must_use]
pub fn unused(made: &Authentication) -> Vec<LabelName> {
    let mut used: BTreeSet<LabelName> = BTreeSet::new();
    let begins = made
        .vservers
        .names()
        .flat_map(|name| [Factor::Primary(name.clone()), Factor::Secondary(name.clone()), Factor::GroupExtraction(name.clone())]);
    let mut waiting: Vec<Factor> = begins.collect();
    while let Some(factor) = waiting.pop() {
        let next = made.bank(&factor).into_iter().flat_map(|bank| bank.iter()).filter_map(|binding| binding.next.clone());
        let new: Vec<_> = next.filter(|label| used.insert(label.clone())).collect();
        waiting.extend(new.into_iter().map(Factor::Label));
    }
    let unused = made.labels.iter().filter(|(name, label)| label.kind == LabelKind::Login && !used.contains(*name));
    unused.map(|(name, _)| name.clone()).collect()
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by {}{}", Called(&self.factor), self.policy, if self.quarantined { " in quarantine" } else { "" })
    }
}

/// What a finding means, without its cure.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unproven { path, asked } => {
                f.write_str("on this way a user is logged in who was asked ")?;
                f.write_str(match asked {
                    Asked::Nothing => "nothing",
                    Asked::Scan => "about his machine only, and has not proven who he is",
                    Asked::LookUp => "for his name only, and has not proven that it is his",
                })?;
                f.write_str(": ")?;
                for (at, step) in path.iter().enumerate() {
                    write!(f, "{}{step}", if at == 0 { "" } else { ", then " })?;
                }
                Ok(())
            }
            Self::Loop { path } => {
                f.write_str("these factors lead in a circle, and a login that goes around is ended: ")?;
                for factor in path {
                    write!(f, "{}, then ", Called(factor))?;
                }
                f.write_str("again the first")
            }
            Self::Empty { .. } => f.write_str("no policy is bound, so a login that comes here is refused"),
            Self::Dead { .. } => f.write_str("no rule can be true, so a login that comes here is refused"),
            Self::Hidden { policy, behind, succeeds, .. } => {
                let why = if *succeeds { "always succeeds" } else { "always applies, and ends the factor when it fails" };
                write!(f, "{policy} is never tried, since {behind} before it {why}")
            }
            Self::Unserved { policy, .. } => {
                write!(f, "{policy} can only fail, since this gateway does not carry out its action")
            }
        }
    }
}

impl Finding {
    /// What to do about it.
    #[must_use]
    pub fn cure(&self) -> Option<&'static str> {
        match self {
            Self::Unproven { .. } => Some("bind the last policy with -nextFactor LABEL, where a password is asked for"),
            Self::Loop { .. } => Some("leave one -nextFactor out"),
            Self::Empty { .. } | Self::Dead { .. } => Some("bind a policy whose rule can be true"),
            Self::Hidden { succeeds: false, .. } => Some("bind the one before it with -gotoPriorityExpression NEXT"),
            Self::Hidden { succeeds: true, .. } => Some("give it a lower priority number, or unbind it"),
            Self::Unserved { .. } => None,
        }
    }

    /// The factor about which it is said.
    #[must_use]
    pub fn factor(&self) -> Option<&Factor> {
        match self {
            Self::Unproven { path, .. } => path.last().map(|step| &step.factor),
            Self::Loop { path } => path.first(),
            Self::Empty { factor } | Self::Dead { factor } | Self::Hidden { factor, .. } | Self::Unserved { factor, .. } => {
                Some(factor)
            }
        }
    }
}
