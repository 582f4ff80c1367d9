//! Which settings hold for a session: what the policies say that apply to it, one setting at a time.
//!
//! ```text
//!   bound to the user, to one of the groups (by weight), to the virtual server, to all
//!        └─ rule true ─► by priority, and of one priority in the order above ─► the first that says anything about a setting
//!                                                        nobody says anything ─► `set vpn parameter`
//! ```

use super::session::{PolicyBinding, SessionSettings, in_order};
use super::{Group as LocalGroup, GroupName, Model, VserverName};
use crate::expr::{Facts, Group};

impl Model {
    /// What holds for a session at `vserver`. `user`: who has proven who he is, in any spelling that differs in case only; `groups`: all
    /// groups of the login, whoever has said so.
    #[must_use]
    pub fn session_settings(
        &self,
        vserver: &VserverName,
        user: Option<&str>,
        groups: &[Group],
        facts: &Facts<'_>,
    ) -> SessionSettings {
        let of_user = user.and_then(|user| self.users.like(user)).map(|(_, user)| user.policies.as_slice());
        let mut of_groups: Vec<(&GroupName, &LocalGroup)> =
            groups.iter().filter_map(|group| self.groups.like(&group.name)).collect();
        of_groups.sort_by_key(|(name, group)| (group.weight, *name));
        of_groups.dedup_by_key(|(name, _)| *name);
        let of_groups = of_groups.into_iter().map(|(_, group)| group.policies.as_slice());
        let of_vserver = self.vservers.find(vserver.as_str()).map(|vserver| vserver.admission.policies.as_slice());
        let bound = of_user.into_iter().chain(of_groups).chain(of_vserver).chain([self.sessions.global.as_slice()]);
        let mut applying: Vec<(u32, &SessionSettings)> = bound.flat_map(|bound| self.applying(bound, facts)).collect();
        applying.sort_by_key(|(priority, _)| *priority);
        let mut settings = SessionSettings::default();
        for (_, weaker) in applying {
            settings.fill(weaker);
        }
        settings.fill(&self.vpn.session);
        if settings.nt_domain.is_none() {
            settings.nt_domain.clone_from(&self.vpn.nt_domain);
        }
        settings
    }

    /// The settings of those policies among `bound` that apply, with their priorities. What is bound there beside session policies has
    /// no settings.
    fn applying<'m>(&'m self, bound: &'m [PolicyBinding], facts: &Facts<'_>) -> Vec<(u32, &'m SessionSettings)> {
        let policies = in_order(bound).into_iter().filter_map(|binding| {
            let policy = self.sessions.policies.find(binding.policy.as_str())?;
            let applies = policy.rule.is_true(facts) == Some(true);
            let settings = self.sessions.actions.find(policy.action.as_str()).filter(|_| applies)?;
            Some((binding.priority.unwrap_or_default(), settings))
        });
        policies.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;
    use std::time::SystemTime;

    use zeroize::Zeroizing;

    use super::*;
    use crate::expr::{GroupOrigin, Method, Person, Request, Typed};
    use crate::{Strictness, check};

    fn model(text: &str) -> Model {
        let files: BTreeMap<PathBuf, Vec<u8>> = BTreeMap::new();
        let checked = check("ns.conf", text, Strictness::Strict, &files);
        checked.model.unwrap_or_else(|| panic!("{:#?}", checked.problems))
    }

    fn home(model: &Model, user: Option<&str>, groups: &[&str]) -> Option<String> {
        let request = Request {
            method: Method::Get,
            host: String::new(),
            target: "/".into(),
            headers: Vec::new(),
            body: Zeroizing::default(),
            client: "192.0.2.1:1".parse().unwrap(),
            server: "192.0.2.2:443".parse().unwrap(),
            tls: None,
            certificate: None,
            wall: SystemTime::UNIX_EPOCH,
        };
        let (typed, person) = (Typed::default(), Person::default());
        let facts = Facts { request: &request, typed: &typed, person: &person, names: &model.names };
        let groups: Vec<Group> =
            groups.iter().map(|name| Group { name: (*name).to_owned(), origin: GroupOrigin::Directory }).collect();
        let settings = model.session_settings(&VserverName::parse("gw").unwrap(), user, &groups, &facts);
        settings.home_page.map(Into::into)
    }

    const MADE: &str = "\
        add vpn vserver gw SSL 192.0.2.1 443\nadd aaa user ann\nadd aaa group staff -weight 20\nadd aaa group chiefs -weight 10\n\
        set vpn parameter -homePage https://parameter\n\
        add vpn sessionAction of_user -homePage https://user\nadd vpn sessionPolicy of_user_p true of_user\n\
        add vpn sessionAction of_staff -homePage https://staff\nadd vpn sessionPolicy of_staff_p true of_staff\n\
        add vpn sessionAction of_chiefs -homePage https://chiefs\nadd vpn sessionPolicy of_chiefs_p true of_chiefs\n\
        add vpn sessionAction of_gw -homePage https://gw\nadd vpn sessionPolicy of_gw_p true of_gw\n\
        add vpn sessionAction of_none -homePage https://none\nadd vpn sessionPolicy of_none_p false of_none\n\
        bind aaa user ann -policy of_user_p -priority 100\n\
        bind aaa group staff -policy of_staff_p -priority 100\nbind aaa group chiefs -policy of_chiefs_p -priority 100\n\
        bind vpn vserver gw -policy of_none_p -priority 1\n";

    #[test]
    fn user_group_by_weight_virtual_server_parameter() {
        let made = model(&format!("{MADE}bind vpn vserver gw -policy of_gw_p -priority 100\n"));
        for (user, groups, wanted) in [
            (Some("ANN"), &["staff", "chiefs"][..], "https://user"),
            (Some("bob"), &["staff", "Chiefs"], "https://chiefs"),
            (None, &["staff"], "https://staff"),
            (None, &["unknown"], "https://gw"),
        ] {
            assert_eq!(home(&made, user, groups).as_deref(), Some(wanted), "{user:?} {groups:?}");
        }
        assert_eq!(home(&model(MADE), None, &[]).as_deref(), Some("https://parameter"), "a rule that is false sets nothing");
    }

    #[test]
    fn the_lowest_priority_wins_wherever_it_is_bound() {
        let made = model(&format!("{MADE}bind vpn vserver gw -policy of_gw_p -priority 50\n"));
        assert_eq!(home(&made, Some("ann"), &["staff"]).as_deref(), Some("https://gw"));
    }
}
