//! Certificates of clients as factors, and those of their machines as answers to a scan.

use super::kit::{GATEWAY, run, run_whole};

/// Certificates are asked for at an address of their own.
const ASKED: &str = "\
    add ssl certKey own -cert own.pem -key own.key\n\
    set authentication vserver av -IPAddress 192.0.2.1\n\
    set ssl vserver av -clientAuth ENABLED -clientCert Optional\n\
    bind ssl vserver av -certkeyName own\n\
    add authentication certAction card -userNameField Subject:CN -groupNameField Subject:OU\n\
    add authentication Policy p_card -rule true -action card\n";

fn with_asked(config: &str, script: &str) {
    run(&format!("{ASKED}{config}"), script);
}

#[test]
fn a_good_certificate_is_a_login() {
    with_asked(
        "set authentication certAction card -defaultAuthenticationGroup carded\n\
         bind authentication vserver av -policy p_card -priority 10\n",
        "
        > asked
        < certificate av #1 at av, 192.0.2.1:443
        > asked
        < certificate av #1 at av, 192.0.2.1:443, again
        > cert ann staff,sales
        < granted ann, groups staff(directory) sales(directory) carded(default)
        > why p_card: rule true, client is asked for a certificate
        > why p_card: user is ann
        > cert ann
        < over Finished 4017
        ",
    );
}

#[test]
fn of_several_names_the_most_special_is_the_users() {
    with_asked(
        "bind authentication vserver av -policy p_card -priority 10\n",
        "> asked\n> cert DC=test DC=demo CN=Users CN=ann\n< granted ann\n",
    );
}

#[test]
fn without_a_good_one_there_is_no_login() {
    let only = "bind authentication vserver av -policy p_card -priority 10\n";
    for (shown, told, why) in [
        ("cert -", "over Factor 4101", "the client has shown no certificate"),
        ("cert! it has expired", "over Factor 4102", "the client's certificate is not good: it has expired"),
        ("cert O=nobody", "over Factor 4102", "no name of a user where -userNameField says"),
        ("cert CN=@", "over Factor 4102", "no name of a user where -userNameField says"),
    ] {
        with_asked(only, &format!("> asked\n> {shown}\n< {told}\n> why {why}\n"));
    }
    // Where nobody asks, nobody waits.
    run(
        "add authentication certAction card\nadd authentication Policy p_card -rule true -action card\n\
         bind authentication vserver av -policy p_card -priority 10\n",
        "> asked\n< over Factor 4017\n> why certificates are asked for nowhere\n",
    );
}

#[test]
fn the_vserver_itself_may_ask() {
    run(
        "set ssl vserver gw -clientAuth ENABLED -clientCert Optional\n\
         add authentication certAction card -userNameField SubjectAltName:PrincipalName\n\
         add authentication Policy p_card -rule true -action card\nbind authentication vserver av -policy p_card -priority 10\n",
        "
        > asked
        < certificate av #1 here
        > cert other upn=ann@demo.test upn=bob@demo.test
        < granted ann@demo.test of demo.test
        ",
    );
}

#[test]
fn a_certificate_and_then_its_owners_password() {
    with_asked(
        "set authentication certAction card -twoFactor ON\n\
         add authentication loginSchema word -authenticationSchema LoginSchema/OnlyPassword.xml\n\
         add authentication policylabel password -loginSchema word\nbind authentication policylabel password -policyName p_dir -priority 10\n\
         bind authentication vserver av -policy p_card -priority 10 -nextFactor password\n",
        "
        > asked
        > cert ann
        < form password: word #2
        > post - bad
        < ask dir: ann with bad, guess ann
        > wrong 4007
        < form password: word #3, error 4007
        > post - pw
        > right ann vpn
        < granted ann, groups vpn(directory), sso ann:pw
        ",
    );
    // Alone it is not enough then.
    with_asked(
        "set authentication certAction card -twoFactor ON\nbind authentication vserver av -policy p_card -priority 10\n",
        "> asked\n< over Factor 4017\n> why -twoFactor is ON, and there is no next factor\n",
    );
}

#[test]
fn a_card_may_have_to_be_that_of_whoever_typed_the_password() {
    let config = "\
        add authentication Policy p_same -rule \"AAA.USER.NAME.EQ(AAA.LOGIN.USERNAME)\" -action NO_AUTHN\n\
        add authentication policylabel card -loginSchema LSCHEMA_INT\nadd authentication policylabel same -loginSchema LSCHEMA_INT\n\
        bind authentication policylabel same -policyName p_same -priority 10\n\
        bind authentication policylabel card -policyName p_card -priority 10 -nextFactor same\n\
        bind authentication vserver av -policy p_dir -priority 10 -nextFactor card\n";
    let typed = "> asked\n> post ann pw\n> right ann\n< certificate card #2 at av, 192.0.2.1:443\n";
    with_asked(config, &format!("{typed}> cert ann\n< granted ann, sso ann:pw\n"));
    with_asked(config, &format!("{typed}> cert bob\n< over Factor 4017\n"));
    // Without that line the latest proof is the name.
    let without = config.replace(" -priority 10 -nextFactor same", " -priority 10");
    with_asked(&without, &format!("{typed}> cert bob\n< granted bob, sso ann:pw\n"));
}

#[test]
fn a_name_from_a_certificate_is_looked_up_for_groups() {
    with_asked(
        "add authentication policylabel more -loginSchema LSCHEMA_INT\nbind authentication policylabel more -policyName p_groups -priority 10\n\
         bind authentication vserver av -policy p_card -priority 10 -nextFactor more\n",
        "
        > asked
        > cert a*)(x
        < ask groups: a*)(x looked up
        > right a*)(x vpn
        < granted a*)(x, groups vpn(directory)
        ",
    );
}

#[test]
fn who_has_none_may_type_a_password() {
    let config = "\
        bind authentication vserver av -policy p_card -priority 10 -gotoPriorityExpression NEXT\n\
        bind authentication vserver av -policy p_dir -priority 20\n";
    with_asked(
        config,
        "
        > asked
        < certificate av #1 at av, 192.0.2.1:443
        > cert -
        < form av: built in, one password #2
        > post ann bad
        < ask dir: ann with bad, guess ann
        > wrong 4007
        < form av: built in, one password #3, error 4007
        > post ann pw
        < ask dir: ann with pw, guess ann
        > right ann
        < granted ann, sso ann:pw
        ",
    );
    with_asked(config, "> asked\n> cert ann\n< granted ann\n");
    // Goto END is the end.
    with_asked(
        "bind authentication vserver av -policy p_card -priority 10\nbind authentication vserver av -policy p_dir -priority 20\n",
        "> asked\n> cert -\n< over Factor 4101\n",
    );
}

#[test]
fn whose_machine_does_not_comply_shows_a_card() {
    with_asked(
        "add authentication epaAction look -csecexpr \"sys.client_expr(\\\"proc_0_av\\\")\" -quarantineGroup q\n\
         add authentication Policy p_look -rule true -action look\n\
         add authentication policylabel scan -loginSchema LSCHEMA_INT\n\
         add authentication policylabel strong -loginSchema LSCHEMA_INT\n\
         bind authentication policylabel scan -policyName p_look -priority 10 -nextFactor strong\n\
         bind authentication policylabel strong -policyName p_card -priority 10\n\
         bind authentication vserver av -policy p_dir -priority 10 -nextFactor scan\n",
        "
        > asked
        > post ann pw
        > right ann
        < scan scan #2
        > scan 3
        < certificate strong #3 at av, 192.0.2.1:443
        > cert ann
        < granted ann, groups q(quarantine), quarantined, sso ann:pw
        ",
    );
}

#[test]
fn what_does_not_belong_there_changes_nothing() {
    with_asked(
        "add authentication policylabel password -loginSchema single\nbind authentication policylabel password -policyName p_dir -priority 10\n\
         bind authentication vserver av -policy p_card -priority 10 -nextFactor password\n",
        "
        > asked
        < certificate av #1 at av, 192.0.2.1:443
        > post ann pw
        < stale, certificate av #1 at av, 192.0.2.1:443
        > cert@2 ann
        < stale, certificate av #1 at av, 192.0.2.1:443
        > cert@1 ann
        < form password: single #2
        > cert@1 admin
        < stale, form password: single #2
        > cancel
        < over Cancelled 4017
        ",
    );
}

#[test]
fn the_cascade_of_a_vserver_asks_on_its_own_connection() {
    let bare = GATEWAY.replace("set vpn vserver gw -authnProfile ap\n", "");
    run_whole(
        &format!(
            "{bare}set ssl vserver gw -clientAuth ENABLED -clientCert Optional\nadd authentication certAction card\n\
             add authentication Policy p_card -rule true -action card\nbind vpn vserver gw -policy p_card -priority 10\n\
             bind vpn vserver gw -policy p_dir -priority 20\n"
        ),
        "
        > asked
        > post ann pw
        < certificate gw #2 here
        > cert -
        < ask dir: ann with pw, guess ann
        > right ann
        < granted ann, sso ann:pw
        ",
    );
}

#[test]
fn a_machine_says_nothing_about_its_own_certificate() {
    let config = "\
        add authentication epaAction look -csecexpr \"sys.client_expr(\\\"proc_0_av\\\") && sys.client_expr(\\\"device-cert_0_0\\\")\"\n\
        add authentication Policy p_look -rule true -action look\n\
        add authentication policylabel scan -loginSchema LSCHEMA_INT\nbind authentication policylabel scan -policyName p_look -priority 10\n\
        bind authentication vserver av -policy p_dir -priority 10 -nextFactor scan\n";
    let begin = "> asked\n> post ann pw\n> right ann\n";
    run(
        config,
        &format!("{begin}> device\n< not wanted\n> question\n> digits 00\n< taken, failed\n> scanned\n< over Scan 4018\n"),
    );
    run(
        config,
        &format!("{begin}> question\n> device\n< proven\n> digits 00\n< taken, passed\n> scanned\n< granted ann, sso ann:pw\n"),
    );
    run(
        config,
        &format!(
            "{begin}> question\n> device\n< proven\n> question\n> digits 00\n< taken, failed\n> scanned\n< over Scan 4018\n"
        ),
    );
}
