//! Several policies in one factor, and where a failure goes; two passwords; virtual servers without a profile.

use super::kit::{run, run_whole};

const TWO: &str = "bind authentication vserver av -policy p_dir -priority 10 GOTO\nbind authentication vserver av -policy p_dir2 -priority 20\n";

fn two(goto: &str) -> String {
    TWO.replace("GOTO", goto)
}

const FIRST: &str = "> asked\n> post ann pw\n< ask dir: ann with pw, guess ann\n";

#[test]
fn next_tries_the_next_policy_and_counts_as_one_guess() {
    run(
        &two("-gotoPriorityExpression NEXT"),
        &format!(
            "{FIRST}
            > wrong 4001
            < ask dir2: ann with pw
            > right ann
            < granted ann, sso ann:pw
            > why p_dir: dir failed: 4001
            > why after the failure: next policy
            "
        ),
    );
}

#[test]
fn end_hides_what_is_behind_and_is_what_holds_if_nobody_says() {
    for goto in ["-gotoPriorityExpression END", "", "-gotoPriorityExpression USE_INVOCATION_RESULT"] {
        run(&two(goto), &format!("{FIRST}> wrong 4001\n< form av: built in, one password #2, error 4001"));
    }
}

#[test]
fn a_success_ends_the_factor_whatever_goto_says() {
    run(&two("-gotoPriorityExpression NEXT"), &format!("{FIRST}> right ann\n< granted ann, sso ann:pw"));
}

#[test]
fn a_false_rule_is_no_failure_and_its_goto_does_not_matter() {
    run(
        "bind authentication vserver av -policy p_false -priority 5 -gotoPriorityExpression END\n\
         bind authentication vserver av -policy p_dir2 -priority 20\n",
        "> asked\n> post ann pw\n< ask dir2: ann with pw, guess ann\n> why p_false: rule false, does not apply",
    );
}

#[test]
fn a_number_leads_to_that_priority_to_the_next_or_out() {
    let three = |goto: &str| {
        format!(
            "{}bind authentication vserver av -policy p_local -priority 30\n",
            two(&format!("-gotoPriorityExpression {goto}"))
        )
    };
    let failed = "< form av: built in, one password #2, error 4001";
    for (goto, then, why) in [
        ("30", "< ask LOCAL: local ann with pw", "after the failure: priority 30"),
        ("10", "< ask dir2: ann with pw", "after the failure: next policy"),
        ("31", failed, "after the failure: end of the factor"),
        ("25", failed, "after the failure: no such priority ahead"),
        ("5", failed, "after the failure: no such priority ahead"),
    ] {
        run(&three(goto), &format!("{FIRST}> wrong 4001\n{then}\n> why {why}"));
    }
}

#[test]
fn an_outage_goes_on_as_a_failure_does_and_is_told_as_one() {
    run(
        &two("-gotoPriorityExpression NEXT"),
        &format!(
            "{FIRST}
            > outage
            < ask dir2: ann with pw
            > outage
            < form av: built in, one password #2, error 4003
            > why dir2 failed: nobody could be asked: no answer in time (4003)
            "
        ),
    );
}

#[test]
fn who_is_held_back_or_locked_is_so_at_every_server() {
    run(
        &two("-gotoPriorityExpression NEXT"),
        &format!(
            "{FIRST}
            > held 40
            < form av: built in, one password #2, error 4003, wait 40
            > post ann pw
            > locked
            < form av: built in, one password #3, error 4015
            "
        ),
    );
}

#[test]
fn two_passwords_for_two_banks() {
    let made = "bind authentication vserver av -policy p_dir -priority 10\n\
        bind authentication vserver av -policy p_dir2 -priority 20\n\
        bind authentication vserver av -policy p_local -priority 10 -secondary\n\
        bind authentication vserver av -policy p_groups -priority 10 -groupExtraction\n";
    run(
        made,
        "
        > asked
        < form av: built in, two passwords #1
        > post ann pw otp
        < ask dir: ann with pw, guess ann
        > wrong 4001
        < ask dir2: ann with pw
        > right ann
        < ask LOCAL: local ann with otp, guess ann
        > right ann l
        < ask groups: ann looked up
        > right ann g
        < granted ann, groups l(local) g(directory), sso ann:pw
        ",
    );
    run(
        made,
        "> asked\n> post ann pw -\n> right ann\n< over Factor 4001\n> why av (secondary): p_local: rule true, LOCAL failed: no password",
    );
}

/// A virtual server without a profile.
const CLASSIC: &str = "\
    enable ns feature SSLVPN AAA\n\
    add vpn vserver gw SSL 192.0.2.1 443\n\
    add authentication ldapAction dir -serverIP 10.0.0.9 -ldapBase dc=example -ldapLoginName uid\n\
    add authentication ldapAction dir2 -serverIP 10.0.0.10 -ldapBase dc=example -ldapLoginName uid\n\
    add authentication ldapPolicy c_dir ns_true dir\n\
    add authentication ldapPolicy c_dir2 ns_true dir2\n\
    add authentication Policy p_dir -rule true -action dir\n\
    add aaa user ann -password x\n\
    add aaa group staff\n\
    bind aaa group staff -userName ann\n\
    add authentication localPolicy c_local ns_true\n";

#[test]
fn without_a_profile_and_without_policies_local_users_log_in() {
    run_whole(
        CLASSIC,
        "
        > asked
        < form gw: built in, one password #1
        > post Ann pw
        < ask LOCAL: local ann with pw, guess ann
        > right Ann staff
        < granted Ann, groups staff(local), sso Ann:pw
        ",
    );
}

#[test]
fn policies_at_the_virtual_server_itself_are_a_cascade() {
    run_whole(
        &format!(
            "{CLASSIC}bind vpn vserver gw -policy c_dir -priority 10\nbind vpn vserver gw -policy c_dir2 -priority 20\n\
             bind vpn vserver gw -policy c_local -priority 10 -groupExtraction\n"
        ),
        "
        > asked
        < form gw: built in, one password #1
        > post ann pw
        < ask dir: ann with pw, guess ann
        > wrong 4001
        < ask dir2: ann with pw
        > wrong 4001
        < form gw: built in, one password #2, error 4001
        > post ann pw
        > right ann
        < granted ann, groups staff(local), sso ann:pw
        > why gw (group extraction): c_local: rule true, LOCAL succeeded
        ",
    );
    run_whole(
        &format!(
            "{CLASSIC}bind vpn vserver gw -policy c_dir -priority 10\nbind vpn vserver gw -policy c_dir2 -priority 10 -secondary\n"
        ),
        "
        > asked
        < form gw: built in, two passwords #1
        > post ann pw otp
        < ask dir: ann with pw, guess ann
        > right ann
        < ask dir2: ann with otp, guess ann
        > right ann
        < granted ann, sso ann:pw
        ",
    );
}

#[test]
fn an_expression_gives_the_priority() {
    let made = format!(
        "{}bind authentication vserver av -policy p_local -priority 30\n",
        two("-gotoPriorityExpression AAA.USER.LOGIN_ATTEMPTS.ADD(30)")
    );
    run(
        &made,
        &format!(
            "{FIRST}
            > wrong 4001
            < ask LOCAL: local ann with pw
            > wrong 4001
            < form av: built in, one password #2, error 4001
            > post ann pw
            > wrong 4001
            < form av: built in, one password #3, error 4001
            > why p_dir: after the failure: priority 30
            > why p_dir: after the failure: end of the factor
            "
        ),
    );
}

#[test]
fn a_rule_that_can_be_neither_is_false() {
    run(
        "add authentication Policy odd -rule \"HTTP.REQ.HEADER(\\\"X\\\").TYPECAST_NUM_AT.EQ(1)\" -action dir\n\
         bind authentication vserver av -policy odd -priority 10 -gotoPriorityExpression END\n\
         bind authentication vserver av -policy p_dir2 -priority 20\n",
        "> asked\n> post ann pw\n< ask dir2: ann with pw, guess ann\n> why odd: rule undefined, does not apply",
    );
}
