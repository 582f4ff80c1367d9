//! What must hold of the whole login.

use super::kit::{GATEWAY, run, run_whole};

fn session(action: &str, bound: &str) -> String {
    format!(
        "add vpn sessionAction s {action}\nadd vpn sessionPolicy s_p true s\n{bound}\n\
         bind authentication vserver av -policy p_dir -priority 10\n"
    )
}

const IN: &str = "> asked\n> post ann pw\n";

#[test]
fn only_members_of_the_groups_that_may_log_in_do() {
    let made = session("-allowedLoginGroups \"vpn,Admins\"", "bind vpn vserver gw -policy s_p -priority 10");
    run(&made, &format!("{IN}> right ann staff\n< over Groups 4002\n> why in none of -allowedLoginGroups"));
    run(&made, &format!("{IN}> right ann staff,vpn\n< granted ann, groups staff(directory) vpn(directory), sso ann:pw"));
    run(&made, &format!("{IN}> right ann admins\n< granted ann, groups admins(directory), sso ann:pw"));
}

#[test]
fn settings_of_the_session_may_want_a_look_at_the_client() {
    let strict = "-clientSecurity sys.client_expr(\"proc_3_av\") -clientSecurityMessage \"Start your scanner\"";
    let bound = "bind vpn vserver gw -policy s_p -priority 10";
    run(
        &session(strict, bound),
        &format!("{IN}> right ann\n< scan av #2\n> question\n< asks proc_3_av\n> scan 3\n< over Scan 4018, Start your scanner"),
    );
    run(&session(strict, bound), &format!("{IN}> right ann\n> scan 0\n< granted ann, sso ann:pw, again av"));
    run(&session(strict, bound), &format!("{IN}> right ann\n> skip\n< over Scan 4018, Start your scanner"));
    let weak = format!("{strict} -clientSecurityGroup weak");
    run(
        &session(&weak, bound),
        &format!(
            "{IN}> right ann staff,weak\n> scan 3\n< granted ann, groups staff(directory) weak(quarantine), quarantined, sso ann:pw"
        ),
    );
}

#[test]
fn a_group_of_the_directory_called_as_what_is_found_at_clients_is_not_taken_over() {
    run(
        "add authentication epaAction e -csecexpr sys.client_expr(\"proc_0_a\") -defaultEPAGroup Clean -quarantineGroup Weak\n\
         bind authentication vserver av -policy p_dir -priority 10\n",
        &format!(
            "{IN}> right ann staff,clean,WEAK\n< granted ann, groups staff(directory), sso ann:pw\n> why group clean of the directory not taken over"
        ),
    );
}

#[test]
fn a_user_without_a_domain_gets_that_of_the_settings() {
    run_whole(
        &format!("{GATEWAY}set vpn parameter -ntDomain CORP\nbind authentication vserver av -policy p_dir -priority 10\n"),
        &format!("{IN}> right ann\n< granted ann of CORP, sso ann:pw"),
    );
    run_whole(
        &format!("{GATEWAY}set vpn parameter -ntDomain CORP\nbind authentication vserver av -policy p_dir -priority 10\n"),
        "> asked\n> post lab\\ann pw\n> right ann\n< granted ann of lab, sso ann:pw",
    );
}

/// A virtual server without a profile, with these lines about preauthentication.
fn before(lines: &str) -> String {
    format!("enable ns feature SSLVPN AAA\nadd vpn vserver gw SSL 192.0.2.1 443\n{lines}")
}

#[test]
fn classic_preauthentication_comes_before_the_form() {
    let allow = before(
        "add aaa preauthenticationaction ok ALLOW -killProcess bad.exe -defaultEPAGroup checked\n\
         add aaa preauthenticationaction no DENY\n\
         add aaa preauthenticationpolicy bad \"CLIENT.APPLICATION.PROCESS(bad) EXISTS\" no\n\
         add aaa preauthenticationpolicy good \"CLIENT.SVC(av) EXISTS -frequency 5\" ok\n\
         bind vpn vserver gw -policy bad -priority 10\nbind aaa global -policy good -priority 10\n",
    );
    let asked = "> asked\n< scan gw (preauthentication) #1\n";
    run_whole(
        &allow,
        &format!(
            "{asked}> question\n< asks proc_0_bad; svc_5_av, kill bad.exe\n> digits 30\n< taken, passed\n> scanned\n< form gw: built in, one password #2\n> post ann pw\n> right ann\n< granted ann, groups checked(epa), sso ann:pw, again gw (preauthentication)"
        ),
    );
    run_whole(&allow, &format!("{asked}> scan 00\n< over Scan 4018\n> why bad: rule true, the login may not begin"));
    run_whole(&allow, &format!("{asked}> scan 33\n< over Scan 4018"));
    run_whole(&allow, &format!("{asked}> skip\n< over Scan 4018"));
}

#[test]
fn silence_does_not_pass_what_only_denies() {
    let deny = before(
        "add aaa preauthenticationaction no DENY\n\
         add aaa preauthenticationpolicy bad \"CLIENT.APPLICATION.PROCESS(bad) EXISTS\" no\n\
         bind aaa global -policy bad\n",
    );
    run_whole(&deny, "> asked\n> scan 3\n< form gw: built in, one password #2");
    run_whole(&deny, "> asked\n> skip\n< over Scan 4018");
    let known = before("set aaa preauthenticationparameter -preauthenticationaction DENY -rule ns_false\n");
    run_whole(&known, "> asked\n< form gw: built in, one password #1");
    run_whole(&known.replace("DENY", "ALLOW"), "> asked\n< over Scan 4018");
}
