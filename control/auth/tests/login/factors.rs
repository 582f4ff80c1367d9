//! Forms, factors without forms, and what goes from one to the next.

use super::kit::{GATEWAY, run, run_whole};

#[test]
fn one_password_is_asked_for_and_a_wrong_one_can_be_tried_again() {
    run(
        "bind authentication vserver av -policy p_dir -priority 10\n",
        "
        > asked
        < form av: built in, one password #1
        > asked
        < form av: built in, one password #1
        > post ann bad
        < ask dir: ann with bad, guess ann
        > wrong 4007
        < form av: built in, one password #2, error 4007
        > post ann good
        < ask dir: ann with good, guess ann
        > right ann staff,vpn
        < granted ann, groups staff(directory) vpn(directory), sso ann:good
        > asked
        < over Finished 4017
        ",
    );
}

#[test]
fn without_a_name_or_a_password_nobody_is_asked() {
    run(
        "bind authentication vserver av -policy p_dir -priority 10\n",
        "
        > asked
        > post ann -
        < form av: built in, one password #2, error 4001
        > why no password; an empty one is never sent
        > post - pw
        < ask dir: ann with pw, guess ann
        ",
    );
    run(
        "bind authentication vserver av -policy p_dir -priority 10\n",
        "
        > asked
        > post - pw
        < form av: built in, one password #2, error 4001
        > post @demo pw
        < form av: built in, one password #3, error 4001
        > why no user name
        ",
    );
}

#[test]
fn eight_failures_end_it() {
    let mut script = "> asked\n".to_owned();
    for step in 2..=8 {
        script += &format!("> post ann bad\n> wrong 4001\n< form av: built in, one password #{step}, error 4001\n");
    }
    script += "> post ann bad\n> wrong 4001\n< over Tries 4001\n> post ann good\n< over Tries 4001\n";
    run("bind authentication vserver av -policy p_dir -priority 10\n", &script);
}

#[test]
fn where_users_are_locked_out_for_no_time_their_login_ends() {
    run(
        "set authentication vserver av -maxLoginAttempts 2\nbind authentication vserver av -policy p_dir -priority 10\n",
        "
        > asked
        > post ann bad
        > wrong 4001
        < form av: built in, one password #2, error 4001
        > post ann bad
        > wrong 4001
        < over Tries 4001
        ",
    );
}

#[test]
fn no_true_rule_is_a_failure() {
    run(
        "bind authentication vserver av -policy p_false -priority 10\n",
        "
        > asked
        < form av: built in, one password #1
        > post ann good
        < form av: built in, one password #2, error 4017
        > why p_false: rule false, does not apply
        > why av: no policy applied
        ",
    );
    run(
        "add authentication policylabel second -loginSchema LSCHEMA_INT\n\
         bind authentication policylabel second -policyName p_false -priority 10\n\
         bind authentication vserver av -policy p_dir -priority 10 -nextFactor second\n",
        "
        > asked
        > post ann good
        > right ann
        < over Factor 4017
        ",
    );
}

#[test]
fn a_factor_without_a_form_goes_on_with_what_was_typed() {
    for schema in ["LSCHEMA_INT", "noschema"] {
        run(
            &format!(
                "add authentication policylabel second -loginSchema {schema}\n\
                 bind authentication policylabel second -policyName p_dir2 -priority 10\n\
                 bind authentication vserver av -policy p_dir -priority 10 -nextFactor second\n"
            ),
            "
            > asked
            > post ann pw
            < ask dir: ann with pw, guess ann
            > right ann a
            < ask dir2: ann with pw, guess ann
            > right ann a,b
            < granted ann, groups a(directory) b(directory), sso ann:pw
            ",
        );
    }
}

#[test]
fn a_second_password_belongs_to_the_next_factor_that_checks_one() {
    run(
        "add authentication policylabel look -loginSchema LSCHEMA_INT\n\
         add authentication policylabel second -loginSchema LSCHEMA_INT\n\
         add authentication policylabel third -loginSchema LSCHEMA_INT\n\
         bind authentication policylabel look -policyName p_groups -priority 10 -nextFactor second\n\
         bind authentication policylabel second -policyName p_dir2 -priority 10 -nextFactor third\n\
         bind authentication policylabel third -policyName p_local -priority 10\n\
         bind authentication vserver av -policy p_dir -priority 10 -nextFactor look\n",
        "
        > asked
        > post ann pw otp
        < ask dir: ann with pw, guess ann
        > right ann
        < ask groups: ann looked up
        > right ann g
        < ask dir2: ann with otp, guess ann
        > right ann
        < ask LOCAL: local ann with pw, guess ann
        > right ann
        < granted ann, groups g(directory), sso ann:pw
        ",
    );
}

#[test]
fn the_login_schema_policy_with_the_lowest_priority_whose_rule_is_true_gives_the_form() {
    let made = "add authentication loginSchema dual -authenticationSchema LoginSchema/DualAuth.xml\n\
        add authentication loginSchemaPolicy no -rule false -action single\n\
        add authentication loginSchemaPolicy yes -rule true -action dual\n\
        add authentication loginSchemaPolicy late -rule true -action single\n\
        bind authentication vserver av -policy no -priority 10\n\
        bind authentication vserver av -policy late -priority 30\n\
        bind authentication vserver av -policy yes -priority 20\n\
        bind authentication vserver av -policy p_dir -priority 10\n";
    run(made, "> asked\n< form av: dual #1");
}

#[test]
fn a_label_shows_its_own_form() {
    run(
        "add authentication loginSchema code -authenticationSchema LoginSchema/OnlyPassword.xml\n\
         add authentication policylabel second -loginSchema code\n\
         bind authentication policylabel second -policyName p_dir2 -priority 10\n\
         bind authentication vserver av -policy p_dir -priority 10 -nextFactor second\n",
        "
        > asked
        > post ann pw
        > right ann
        < form second: code #2
        > post - 123456
        < ask dir2: ann with 123456, guess ann
        > wrong 4001
        < form second: code #3, error 4001
        > post - 654321
        > right ann
        < granted ann, sso ann:654321
        ",
    );
}

#[test]
fn an_action_that_always_succeeds_needs_no_form_and_proves_nothing() {
    run(
        "add authentication noAuthAction guests -defaultAuthenticationGroup guests\n\
         add authentication Policy p_guests -rule true -action guests\n\
         bind authentication vserver av -policy p_guests -priority 10\n",
        "> asked\n< granted nobody, groups guests(default)",
    );
    run(
        "add authentication policylabel second -loginSchema single\n\
         bind authentication policylabel second -policyName p_dir -priority 10\n\
         bind authentication vserver av -policy NO_AUTHN -priority 10 -nextFactor second\n",
        "
        > asked
        < form second: single #1
        > post ann pw
        > right ann
        < granted ann, sso ann:pw
        ",
    );
}

#[test]
fn actions_that_are_not_carried_out_fail_and_say_so() {
    run(
        "add authentication emailAction r -userName gw -serverURL smtps://10.0.0.3\n\
         add authentication Policy p_r -rule true -action r\n\
         bind authentication vserver av -policy p_r -priority 10 -gotoPriorityExpression NEXT\n\
         bind authentication vserver av -policy p_dir -priority 20\n",
        "
        > asked
        > post ann pw
        < ask dir: ann with pw, guess ann
        > why p_r: rule true, r failed: this gateway does not carry out actions of this kind
        ",
    );
}

#[test]
fn a_radius_server_is_asked_about_secrets_only() {
    let codes = "add authentication radiusAction r -serverIP 10.0.0.3 -radKey 0123456789abcdef\n\
                 add authentication Policy p_r -rule true -action r\n";
    run(
        &format!("{codes}bind authentication vserver av -policy p_r -priority 10\n"),
        "
        > asked
        < form av: built in, one password #1
        > post ann -
        < form av: built in, one password #2, error 4001
        > why no password; an empty one is never sent
        > post ann pw
        < ask r: ann with pw, guess ann
        > right ann staff
        < granted ann, groups staff(directory), sso ann:pw
        ",
    );
    // A second factor is about the name that was proven, and has the second password of a form with two.
    run(
        &format!(
            "{codes}bind authentication vserver av -policy p_dir -priority 10\n\
             bind authentication vserver av -policy p_r -priority 10 -secondary\n"
        ),
        "
        > asked
        < form av: built in, two passwords #1
        > post DEMO\\Ann pw code
        < ask dir: DEMO\\Ann with pw, guess ann
        > right ann
        < ask r: ann with code, guess ann
        > right ann
        < granted ann, sso ann:pw
        ",
    );
    // Without a secret it says nothing.
    run(
        &format!(
            "{codes}bind authentication vserver av -policy p_dir -priority 10\n\
             bind authentication vserver av -policy p_r -priority 10 -groupExtraction\n"
        ),
        "> asked\n> post ann pw\n> right ann\n< over Factor 4017\n> why a RADIUS server tells nothing of a user without a secret",
    );
    for (more, why) in [
        ("-authentication OFF", "a RADIUS server tells nothing of a user without a secret"),
        ("-transport TLS", "this gateway does not carry out actions of this kind"),
    ] {
        run(
            &format!(
                "{codes}set authentication radiusAction r {more}\nbind authentication vserver av -policy p_r -priority 10\n"
            ),
            &format!("> asked\n> post ann pw\n< form av: built in, one password #2, error 4017\n> why {why}"),
        );
    }
}

#[test]
fn a_circle_of_factors_ends() {
    run(
        "add authentication policylabel a -loginSchema LSCHEMA_INT\n\
         add authentication policylabel b -loginSchema LSCHEMA_INT\n\
         bind authentication policylabel a -policyName NO_AUTHN -priority 10 -nextFactor b\n\
         bind authentication policylabel b -policyName NO_AUTHN -priority 10 -nextFactor a\n\
         bind authentication vserver av -policy NO_AUTHN -priority 10 -nextFactor a\n",
        "> asked\n< over Steps 4017\n> why entered, factor 32",
    );
}

#[test]
fn a_circle_of_forms_ends_earlier() {
    let mut script = "> asked\n< form av: built in, one password #1\n".to_owned();
    for step in 2..=10 {
        script += &format!("> post ann pw\n> right ann\n< form again: single #{step}\n");
    }
    script += "> post ann pw\n> right ann\n< over Steps 4017\n";
    run(
        "add authentication policylabel again -loginSchema single\n\
         bind authentication policylabel again -policyName p_dir -priority 10 -nextFactor again\n\
         bind authentication vserver av -policy p_dir -priority 10 -nextFactor again\n",
        &script,
    );
}

#[test]
fn groups_add_up_over_factors_and_say_where_they_are_from() {
    run(
        "set authentication ldapAction dir -defaultAuthenticationGroup passed\n\
         add authentication epaAction e -csecexpr sys.client_expr(\"proc_0_a\") -defaultEPAGroup clean\n\
         add authentication Policy p_e -rule true -action e\n\
         add authentication policylabel look -loginSchema LSCHEMA_INT\n\
         add authentication policylabel scan -loginSchema LSCHEMA_INT\n\
         bind authentication policylabel scan -policyName p_e -priority 10 -nextFactor look\n\
         bind authentication policylabel look -policyName p_groups -priority 10\n\
         bind authentication vserver av -policy p_dir -priority 10 -nextFactor scan\n",
        "
        > asked
        > post ann pw
        > right ann a,b,a
        < scan scan #2
        > scan 0
        < ask groups: ann looked up
        > right ann b,c
        < granted ann, groups a(directory) b(directory) passed(default) clean(epa) c(directory), sso ann:pw
        ",
    );
}

#[test]
fn names_and_passwords_are_kept_as_attributes_where_the_form_says_so() {
    run(
        "add authentication loginSchema keep -authenticationSchema LoginSchema/DualAuth.xml -userCredentialIndex 1 \
            -passwordCredentialIndex 2 -authenticationStrength 7\n\
         add authentication loginSchemaPolicy keep_p -rule true -action keep\n\
         bind authentication vserver av -policy keep_p -priority 1\n\
         bind authentication vserver av -policy p_dir -priority 10\n",
        "
        > asked
        > post ann pw otp
        > right ann mail=ann@example.test
        < granted ann, sso ann:pw, strength 7, attribute 1=ann, attribute 2=pw, mail=ann@example.test
        ",
    );
}

#[test]
fn single_sign_on_takes_the_last_factor_or_the_last_form_that_wants_it() {
    let with = |first: &str, second: &str| {
        format!(
            "add authentication loginSchema one -authenticationSchema LoginSchema/SingleAuth.xml -SSOCredentials {first}\n\
             add authentication loginSchema two -authenticationSchema LoginSchema/SingleAuth.xml -SSOCredentials {second}\n\
             add authentication loginSchemaPolicy one_p -rule true -action one\n\
             add authentication policylabel second -loginSchema two\n\
             bind authentication policylabel second -policyName p_dir2 -priority 10\n\
             bind authentication vserver av -policy one_p -priority 1\n\
             bind authentication vserver av -policy p_dir -priority 10 -nextFactor second\n"
        )
    };
    for (first, second, sso) in [("NO", "NO", "two"), ("YES", "NO", "one"), ("NO", "YES", "two"), ("YES", "YES", "two")] {
        let script = format!("> asked\n> post ann one\n> right ann\n> post ann two\n> right ann\n< granted ann, sso ann:{sso}");
        run(&with(first, second), &script);
    }
    run(
        "bind authentication vserver av -policy p_dir -priority 10\n",
        "> asked\n> post ann pw\n> right ann sso=ann@corp.example domain=CORP\n< granted ann of CORP, sso ann@corp.example:pw",
    );
}

#[test]
fn who_is_merely_looked_up_gives_nobody_groups() {
    let made = "add authentication loginSchema name -authenticationSchema LoginSchema/OnlyUsername.xml\n\
        add authentication loginSchemaPolicy name_p -rule true -action name\n\
        add authentication policylabel second -loginSchema single\n\
        bind authentication policylabel second -policyName p_dir -priority 10\n\
        bind authentication vserver av -policy name_p -priority 1\n\
        bind authentication vserver av -policy p_groups -priority 10 -nextFactor second\n";
    run(
        made,
        "
        > asked
        > post ann -
        < ask groups: ann looked up
        > right ann staff mail=ann@example.test
        < form second: single #2
        > post - pw
        < ask dir: ann with pw, guess ann
        > right ann
        < granted ann, groups staff(directory), sso ann:pw, mail=ann@example.test
        ",
    );
    run(
        made,
        "
        > asked
        > post root -
        > right root admins mail=root@example.test
        > post bob pw
        < ask dir: bob with pw, guess bob
        > right bob users
        < granted bob, groups users(directory), sso bob:pw
        > why what was looked up is not taken over
        ",
    );
    run(
        "add authentication loginSchema name -authenticationSchema LoginSchema/OnlyUsername.xml\n\
         add authentication policylabel second -loginSchema name\n\
         bind authentication policylabel second -policyName p_groups -priority 10\n\
         bind authentication vserver av -policy p_dir -priority 10 -nextFactor second\n",
        "
        > asked
        > post bob pw
        > right bob users
        < form second: name #2
        > post root -
        < ask groups: root looked up
        > right root admins
        < granted bob, groups users(directory), sso bob:pw
        ",
    );
    run(
        "add authentication loginSchema name -authenticationSchema LoginSchema/OnlyUsername.xml\n\
         add authentication loginSchemaPolicy name_p -rule true -action name\n\
         bind authentication vserver av -policy name_p -priority 1\n\
         bind authentication vserver av -policy p_groups -priority 10\n",
        "> asked\n> post root -\n> right root admins\n< granted nobody",
    );
}

#[test]
fn the_latest_who_proved_it_is_the_user() {
    run(
        "add authentication policylabel second -loginSchema single\n\
         bind authentication policylabel second -policyName p_dir2 -priority 10\n\
         bind authentication vserver av -policy p_dir -priority 10 -nextFactor second\n",
        "
        > asked
        > post ann pw
        > right ann a
        > post adm.ann pw2
        > right adm.ann b
        < granted adm.ann, groups a(directory) b(directory), sso adm.ann:pw2
        > why user is now adm.ann, another one than before
        ",
    );
}

#[test]
fn a_script_may_post_before_anything_was_shown() {
    run(
        "bind authentication vserver av -policy p_dir -priority 10\n",
        "
        > post ann bad
        < ask dir: ann with bad, guess ann
        > wrong 4001
        < form av: built in, one password #2, error 4001
        ",
    );
    run("bind authentication vserver av -policy p_dir -priority 10\n", "> post@2 ann pw\n< form av: built in, one password #1");
}

#[test]
fn a_server_that_is_off_asks_nothing() {
    run(
        "bind authentication vserver av -policy p_dir -priority 10\ndisable authentication vserver av\n",
        "> asked\n< over Off 4003",
    );
    run(
        "set authentication vserver av -authentication OFF\nbind authentication vserver av -policy p_dir -priority 10\n",
        "> asked\n< over Off 4003",
    );
}

#[test]
fn local_users_are_asked_by_their_canonical_name() {
    run_whole(
        &format!("{GATEWAY}bind authentication vserver av -policy p_local -priority 10\n"),
        "
        > asked
        > post DEMO\\Ann pw
        < ask LOCAL: local ann of demo with pw, guess ann
        > right Ann staff domain=DEMO
        < granted Ann of DEMO, groups staff(local), sso Ann:pw
        ",
    );
}

#[test]
fn a_login_schema_says_where_user_and_password_are() {
    run(
        "add authentication loginSchema keep -authenticationSchema LoginSchema/DualAuth.xml -passwordCredentialIndex 2\n\
         add authentication loginSchemaPolicy keep_p -rule true -action keep\n\
         add authentication loginSchema taken -authenticationSchema noschema -userExpression \"AAA.LOGIN.USERNAME + \\\"-2\\\"\" \
            -passwdExpression \"AAA.USER.ATTRIBUTE(2)\"\n\
         add authentication policylabel second -loginSchema taken\n\
         bind authentication policylabel second -policyName p_dir2 -priority 10\n\
         bind authentication vserver av -policy keep_p -priority 1\n\
         bind authentication vserver av -policy p_dir -priority 10 -nextFactor second\n",
        "
        > asked
        > post ann pw otp
        > right ann
        < ask dir2: ann-2 with pw, guess ann-2
        > right ann-2
        < granted ann-2, sso ann-2:pw, attribute 2=pw
        ",
    );
}
