//! Against `slapd`.

use sluicegate_tests::certs::Ca;
use sluicegate_tests::directory::{Directory as Slapd, PEOPLE};

use super::super::{BadSetting, Changed, MustChange, NotChanged, Outage, Outcome, Wrong};
use super::*;

/// What is typed by those who hope that it means something to a directory.
const INJECTIONS: &[&str] = &[
    "ann*",
    "a*",
    "*n*",
    "ann)(uid=*",
    "*)(uid=*))(|(uid=*",
    "ann)(|(uid=*",
    "ann)(userPassword=*",
    "ann\0",
    "\0",
    "\0ann",
    "ann\\00",
    "\\61nn",
    "\\2a)",
    "(ann",
    "ann))",
    "|(uid=ann)",
    "cn=ann,ou=people,dc=example,dc=test",
    "ann\r\nbob",
    "a\u{308}nn",
    "nobody",
    " ",
];

fn name(outcome: &Outcome) -> Option<&str> {
    match outcome {
        Outcome::Found(found) => Some(&found.name),
        Outcome::Absent | Outcome::Wrong(_) | Outcome::MustChange(_) | Outcome::Outage(_) => None,
    }
}

fn groups(outcome: &Outcome) -> Vec<String> {
    match outcome {
        Outcome::Found(found) => {
            let mut groups = found.groups.clone();
            groups.sort();
            groups
        }
        Outcome::Absent | Outcome::Wrong(_) | Outcome::MustChange(_) | Outcome::Outage(_) => panic!("{outcome:?}"),
    }
}

#[tokio::test]
async fn everybody_gets_in_by_his_own_password_and_by_no_other() {
    let slapd = Slapd::start(&Ca::new());
    let directory = directory(&settings(slapd.plain, LdapSecurity::Plaintext), None);
    let ordinary = || PEOPLE.iter().filter(|person| !["nopass", "reset", "locked"].contains(&person.uid));
    for person in ordinary() {
        let outcome = directory.ask(person.uid, Some(&secret(person.password))).await;
        assert_eq!(name(&outcome), Some(person.uid), "{outcome:?}");
        for other in ordinary().filter(|other| other.uid != person.uid) {
            let outcome = directory.ask(person.uid, Some(&secret(other.password))).await;
            assert_eq!(outcome, Outcome::Wrong(Wrong::Password), "{} with the password of {}", person.uid, other.uid);
        }
    }
    for injection in INJECTIONS {
        for password in ["ann's secret 1", "star's secret"] {
            let outcome = directory.ask(injection, Some(&secret(password))).await;
            assert_eq!(outcome, Outcome::Wrong(Wrong::Unknown), "{injection:?}");
        }
    }
    assert_eq!(name(&directory.ask("ANN", Some(&secret("ann's secret 1"))).await), Some("ann"));
    assert_eq!(name(&directory.ask(" ann ", Some(&secret("ann's secret 1"))).await), Some("ann"));
    assert_eq!(directory.ask("ann", Some(&secret("Ann's secret 1"))).await, Outcome::Wrong(Wrong::Password));
    let long = "a".repeat(super::super::USER_BYTES_MAX + 1);
    assert_eq!(directory.ask(&long, Some(&secret("x"))).await, Outcome::Wrong(Wrong::Unknown));
}

#[tokio::test]
async fn what_is_wrong_with_an_account_is_told_apart() {
    let slapd = Slapd::start(&Ca::new());
    let directory = directory(&settings(slapd.plain, LdapSecurity::Plaintext), None);
    for (user, password, wanted) in [
        ("twin", "twin's secret", Outcome::Wrong(Wrong::Ambiguous)),
        ("nopass", "anything", Outcome::Wrong(Wrong::Password)),
        ("locked", "locked secret", Outcome::Wrong(Wrong::Locked)),
        ("reset", "reset's secret", Outcome::MustChange(MustChange::Reset)),
        ("reset", "another secret", Outcome::Wrong(Wrong::Password)),
        ("ann", "", Outcome::Wrong(Wrong::Password)),
        ("ann", "\0", Outcome::Wrong(Wrong::Password)),
    ] {
        assert_eq!(directory.ask(user, Some(&secret(password))).await, wanted, "{user} {password}");
    }
    assert_eq!(directory.ask("ann", None).await, Outcome::Wrong(Wrong::Password));
}

#[tokio::test]
async fn groups_are_found_level_by_level_and_a_ring_ends() {
    let slapd = Slapd::start(&Ca::new());
    let mut settings = settings(slapd.plain, LdapSecurity::Plaintext);
    let ask = async |settings: &Ldap| groups(&directory(settings, None).ask("ann", Some(&secret("ann's secret 1"))).await);
    assert_eq!(ask(&settings).await, ["Sales, North", "sales"]);
    settings.nested_groups = true;
    assert_eq!(ask(&settings).await, ["Sales, North", "sales", "staff"]);
    settings.nesting_level = 3;
    assert_eq!(ask(&settings).await, ["Sales, North", "everyone", "sales", "staff"]);
    settings.nesting_level = 99;
    assert_eq!(ask(&settings).await, ["Sales, North", "everyone", "sales", "staff"]);
    settings.group_search_filter = Some("!(cn=staff)".into());
    assert_eq!(ask(&settings).await, ["Sales, North", "sales", "staff"]);
    settings.nested_groups = false;
    settings.sub_attribute = None;
    assert_eq!(ask(&settings).await[1], "cn=sales,ou=groups,dc=example,dc=test");
    settings.sub_attribute = Some("ou".into());
    assert_eq!(ask(&settings).await, [""; 0]);
}

#[tokio::test]
async fn attributes_are_kept_for_the_session() {
    let slapd = Slapd::start(&Ca::new());
    let mut settings = settings(slapd.plain, LdapSecurity::Plaintext);
    settings.sso_name = Some("mail".into());
    settings.attributes.numbered[0] = Some("displayName".into());
    settings.attributes.numbered[15] = Some("TELEPHONENUMBER".into());
    settings.attributes.numbered[1] = Some("title".into());
    settings.attributes.named = Some("mail, sn,, description".into());
    let Outcome::Found(found) = directory(&settings, None).ask("ann", Some(&secret("ann's secret 1"))).await else { panic!() };
    assert_eq!(found.sso_name.as_deref(), Some("ann@example.test"));
    assert_eq!((found.numbered[0].as_deref(), found.numbered[1].as_deref()), (Some("ann the first"), None));
    assert_eq!(found.numbered[15].as_deref(), Some("1,2"));
    let named: Vec<_> = found.named.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    assert_eq!(named, [("mail", "ann@example.test"), ("sn", "ann")]);
    assert!(found.is_password_checked);
    assert!(!format!("{found:?}").contains("example.test"), "{found:?}");
}

#[tokio::test]
async fn a_user_may_be_looked_up_without_a_password() {
    let slapd = Slapd::start(&Ca::new());
    let mut settings = settings(slapd.plain, LdapSecurity::Plaintext);
    settings.authentication = false;
    let Outcome::Found(found) = directory(&settings, None).ask("ann", None).await else { panic!() };
    assert!(!found.is_password_checked && found.groups.len() == 2);
    assert_eq!(directory(&settings, None).ask("nobody", None).await, Outcome::Wrong(Wrong::Unknown));
    settings.require_user = false;
    assert_eq!(directory(&settings, None).ask("nobody", None).await, Outcome::Absent);
    // Where a password is checked, nobody gets in for not being there.
    settings.authentication = true;
    assert_eq!(directory(&settings, None).ask("nobody", Some(&secret("x"))).await, Outcome::Wrong(Wrong::Unknown));
    settings.search_filter = Some("cn=bob".into());
    assert_eq!(directory(&settings, None).ask("ann", Some(&secret("ann's secret 1"))).await, Outcome::Wrong(Wrong::Unknown));
    assert_eq!(name(&directory(&settings, None).ask("bob", Some(&secret("bob's secret 1"))).await), Some("bob"));
}

/// T42: what a directory takes for the same name, and the gateway does not, would be counted under another one.
#[tokio::test]
async fn a_spelling_that_would_be_counted_apart_is_nobodys() {
    let slapd = Slapd::start(&Ca::new());
    let directory = directory(&settings(slapd.plain, LdapSecurity::Plaintext), None);
    let password = secret("ann's secret 1");
    for same in ["ANN", "Ann", "\u{ff41}nn", " ann "] {
        assert_eq!(name(&directory.ask(same, Some(&password)).await), Some("ann"), "{same}");
    }
    for other in ["\u{1d41a}nn", "\u{24d0}nn", "\u{aa}nn", "a\u{207f}n", "a\u{ad}nn", "a\u{200b}nn"] {
        assert_eq!(directory.ask(other, Some(&password)).await, Outcome::Wrong(Wrong::Unknown), "{other:?}");
    }
}

#[tokio::test]
async fn tls_is_spoken_to_whom_the_certificate_names() {
    let (ca, stranger) = (Ca::new(), Ca::new());
    let slapd = Slapd::start(&ca);
    let password = secret("ann's secret 1");
    for (at, security) in [(slapd.plain, LdapSecurity::StartTls), (slapd.tls, LdapSecurity::Tls)] {
        let mut settings = settings(at, security);
        assert_eq!(name(&directory(&settings, None).ask("ann", Some(&password)).await), Some("ann"), "unchecked");
        settings.validate_certificate = true;
        assert_eq!(name(&directory(&settings, Some(&ca.pem)).ask("ann", Some(&password)).await), Some("ann"), "checked");
        let outcome = directory(&settings, Some(&stranger.pem)).ask("ann", Some(&password)).await;
        assert!(matches!(outcome, Outcome::Outage(Outage::Certificate(_))), "{outcome:?}");
        settings.host_name = Some("localhost".into());
        assert_eq!(name(&directory(&settings, Some(&ca.pem)).ask("ann", Some(&password)).await), Some("ann"), "by name");
        settings.host_name = Some("other.example.test".into());
        let outcome = directory(&settings, Some(&ca.pem)).ask("ann", Some(&password)).await;
        assert!(matches!(outcome, Outcome::Outage(Outage::Certificate(_))), "{outcome:?}");
    }
    let outcome = directory(&settings(slapd.plain, LdapSecurity::Tls), None).ask("ann", Some(&password)).await;
    assert!(matches!(outcome, Outcome::Outage(Outage::Tls(_) | Outage::Time)), "{outcome:?}");
}

#[tokio::test]
async fn passwords_are_changed_over_tls_only_and_count_at_once() {
    let slapd = Slapd::start(&Ca::new());
    let mut settings = settings(slapd.plain, LdapSecurity::Plaintext);
    settings.password_change = true;
    let (old, new) = (secret("mover's secret"), secret("mover's new secret"));
    let clear = directory(&settings, None);
    assert!(!clear.changes_passwords());
    assert_eq!(clear.change_password("mover", &old, &new).await, Changed::Refused(NotChanged::NotOffered));
    settings.security = LdapSecurity::StartTls;
    let directory = directory(&settings, None);
    assert!(directory.changes_passwords());
    assert_eq!(directory.change_password("mover", &secret("wrong"), &new).await, Changed::Wrong(Wrong::Password));
    assert_eq!(directory.change_password("mover", &old, &secret("short")).await, Changed::Refused(NotChanged::Rules));
    assert_eq!(directory.change_password("mover", &old, &secret("")).await, Changed::Refused(NotChanged::Rules));
    assert_eq!(directory.change_password("nobody", &old, &new).await, Changed::Wrong(Wrong::Unknown));
    assert_eq!(name(&directory.ask("mover", Some(&old)).await), Some("mover"));
    assert_eq!(directory.change_password("mover", &old, &new).await, Changed::Done);
    assert_eq!(directory.ask("mover", Some(&old)).await, Outcome::Wrong(Wrong::Password));
    assert_eq!(name(&directory.ask("mover", Some(&new)).await), Some("mover"));
    assert_eq!(directory.change_password("reset", &secret("reset's secret"), &new).await, Changed::Done);
    assert_eq!(name(&directory.ask("reset", Some(&new)).await), Some("reset"));
}

#[tokio::test]
async fn an_outage_is_never_a_wrong_password() {
    let slapd = Slapd::start(&Ca::new());
    let fine = settings(slapd.plain, LdapSecurity::Plaintext);
    let password = secret("ann's secret 1");
    let refused = Directory::new("test", &fine, Some(secret("another")), None, Arc::new(Helpers::new())).unwrap();
    assert_eq!(refused.ask("ann", Some(&password)).await, Outcome::Outage(Outage::Service(49)));
    let elsewhere = Ldap { base: Some("dc=elsewhere".into()), ..fine.clone() };
    let outcome = directory(&elsewhere, None).ask("ann", Some(&password)).await;
    assert!(matches!(outcome, Outcome::Outage(Outage::Search(32))), "{outcome:?}");
    let nowhere = Ldap { server: Host::parse("no-such-host.invalid").unwrap(), ..fine.clone() };
    let outcome = directory(&nowhere, None).ask("ann", Some(&password)).await;
    assert!(matches!(outcome, Outcome::Outage(Outage::Name | Outage::Time)), "{outcome:?}");
    let by_name = Ldap { server: Host::parse("localhost").unwrap(), ..fine.clone() };
    assert_eq!(name(&directory(&by_name, None).ask("ann", Some(&password)).await), Some("ann"), "after ::1, perhaps");
    let hanging = directory(&Ldap { timeout: Duration::from_secs(1), ..fine.clone() }, None);
    slapd.hang();
    assert_eq!(hanging.ask("ann", Some(&password)).await, Outcome::Outage(Outage::Time));
    slapd.go_on();
    assert_eq!(name(&hanging.ask("ann", Some(&password)).await), Some("ann"));
    drop(slapd);
    assert!(matches!(hanging.ask("ann", Some(&password)).await, Outcome::Outage(Outage::Connect(_))));
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_when_they_are_put_into_force() {
    let fine = settings(([127, 0, 0, 1], 1).into(), LdapSecurity::Plaintext);
    let fault = |settings: &Ldap, password: Option<&str>| {
        Directory::new("test", settings, password.map(secret), None, Arc::new(Helpers::new())).err()
    };
    assert_eq!(fault(&fine, Some("x")), None);
    assert_eq!(fault(&fine, None), Some(BadSetting::ServicePassword));
    assert_eq!(fault(&fine, Some("")), Some(BadSetting::ServicePassword));
    let odd = Ldap { search_filter: Some("(&(a=b)".into()), ..fine.clone() };
    assert_eq!(fault(&odd, Some("x")), Some(BadSetting::Filter("searchFilter")));
    let odd = Ldap { login_name: Some("uid)(a".into()), ..fine };
    assert_eq!(fault(&odd, Some("x")), Some(BadSetting::Attribute("ldapLoginName")));
}
