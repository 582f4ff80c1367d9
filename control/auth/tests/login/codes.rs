//! One-time codes: as a factor of a login, and on the page where users look after their devices.

use super::kit::run;

/// Password first; then a code, or the page of devices for who wants that.
const FLOW: &str = "\
    add authentication ldapAction otp -serverIP 10.0.0.9 -ldapBase dc=example -ldapLoginName uid -secType SSL -authentication DISABLED \
    -OTPSecret userParameters -searchFilter \"userParameters>=#@\"\n\
    add authentication ldapAction manage -serverIP 10.0.0.9 -ldapBase dc=example -ldapLoginName uid -secType SSL \
    -authentication DISABLED -OTPSecret userParameters\n\
    add authentication Policy p_otp -rule true -action otp\n\
    add authentication Policy p_manage -rule true -action manage\n\
    add authentication Policy p_dir_manage -rule \"HTTP.REQ.COOKIE.VALUE(\\\"NSC_TASS\\\").EQ(\\\"manageotp\\\")\" -action dir\n\
    add authentication loginSchema dual -authenticationSchema LoginSchema/DualAuth.xml\n\
    add authentication loginSchemaPolicy lp -rule true -action dual\n\
    add authentication policylabel code -loginSchema LSCHEMA_INT\n\
    bind authentication policylabel code -policyName p_otp -priority 10\n\
    add authentication policylabel manage -loginSchema LSCHEMA_INT\n\
    bind authentication policylabel manage -policyName p_manage -priority 10\n";

const BOUND: &str = "\
    bind authentication vserver av -policy lp -priority 10\n\
    bind authentication vserver av -policy p_dir_manage -priority 10 -nextFactor manage\n\
    bind authentication vserver av -policy p_dir -priority 20 -nextFactor code\n";

fn flow(more: &str, script: &str) {
    run(&format!("{FLOW}{BOUND}{more}"), script);
}

#[test]
fn a_password_and_a_code_out_of_one_form() {
    flow(
        "",
        "
        > asked
        < form av: dual #1
        > post ann pw 755224
        < ask dir: ann with pw, guess ann
        > right ann staff
        < ask otp: ann with code 755224, guess ann
        > right ann
        < granted ann, groups staff(directory), sso ann:pw
        > why otp succeeded
        ",
    );
}

#[test]
fn a_wrong_code_is_no_login_and_says_no_more_than_a_wrong_password() {
    for why in ["wrong", "used", "none"] {
        flow("", &format!("> asked\n> post ann pw 1\n> right ann\n> nocode {why}\n< over Factor 4001"));
    }
    flow(
        "",
        "> asked\n> post ann pw 1\n> right ann\n> nocode unreadable\n< over Factor 4003\n> why no device of the user can be read",
    );
    flow("", "> asked\n> post ann pw 1\n> right ann\n> nocode used\n> why the code was used before");
    flow("", "> asked\n> post ann pw 1\n> right ann\n> outage\n< over Factor 4003");
    flow("", "> asked\n> post ann pw 1\n> right ann\n> held 7\n< over Factor 4003");
    // Without a second password the first one is what is at hand, as for every factor without a form.
    flow("", "> asked\n> post ann pw\n> right ann\n< ask otp: ann with code pw, guess ann");
    // Answers to something else prove nothing.
    flow("", "> asked\n> post ann pw 1\n> right ann\n> devices phone\n< over Factor 4017");
    flow("", "> asked\n> post ann pw 1\n> right ann\n> challenge more\n< over Factor 4017");
    flow("", "> asked\n> post ann pw 1\n> nocode wrong\n< form av: dual #2, error 4017");
}

#[test]
fn a_form_of_its_own_can_be_filled_in_again_and_is_never_the_password_of_the_store() {
    run(
        &format!(
            "{FLOW}add authentication loginSchema own -authenticationSchema LoginSchema/OnlyPassword.xml\n\
             add authentication policylabel second -loginSchema own\n\
             bind authentication policylabel second -policyName p_otp -priority 10\n\
             bind authentication vserver av -policy p_dir -priority 10 -nextFactor second\n"
        ),
        "
        > asked
        > post ann pw
        > right ann
        < form second: own #2
        > post - 111111
        < ask otp: ann with code 111111, guess ann
        > nocode wrong
        < form second: own #3, error 4001
        > post - 755224
        > right ann
        < granted ann, sso ann:pw
        ",
    );
}

#[test]
fn a_code_of_somebody_else_is_none() {
    run(
        &format!(
            "{FLOW}add authentication policylabel second -loginSchema single\n\
             bind authentication policylabel second -policyName p_otp -priority 10\n\
             bind authentication vserver av -policy p_dir -priority 10 -nextFactor second\n"
        ),
        "
        > asked
        > post mallory pw
        > right mallory
        > post ann 755224
        < form second: single #3, error 4001
        > why another user than the one who has proven
        > post DEMO\\Mallory 755224
        < ask otp: mallory with code 755224, guess mallory
        ",
    );
}

#[test]
fn a_code_alone_proves_who_it_is_and_leaves_no_password() {
    run(
        &format!("{FLOW}bind authentication vserver av -policy p_otp -priority 10\n"),
        "
        > asked
        > post ann 755224
        < ask otp: ann with code 755224, guess ann
        > right ann staff
        < granted ann, groups staff(directory)
        ",
    );
}

#[test]
fn the_first_device_is_added_with_a_code_of_its_own() {
    flow(
        "",
        "
        > cookie NSC_TASS=manageotp
        > asked
        > post ann pw
        < ask dir: ann with pw, guess ann
        > right ann
        < ask manage: devices of ann
        > devices -
        < form manage: of devices #2, ann has []
        > fields sg-deed=add sg-device=phone
        < ask manage: secret for phone
        > secret
        < form manage: of devices #3, ann has [], new phone
        > fields sg-deed=confirm sg-code=111111
        < form manage: of devices #4, ann has [], new phone, NotItsCode
        > fields sg-deed=confirm sg-code=755224
        < ask manage: ann adds phone with step 0, only as the first
        > devices phone
        < form manage: of devices #5, ann has [phone], Added(\"phone\")
        > fields sg-deed=add sg-device=tablet
        > secret
        > fields sg-deed=confirm sg-code=755224
        < ask manage: ann adds tablet with step 0
        > devices phone,tablet
        > fields sg-deed=done
        < over DevicesLeft 4017
        > why device \"phone\" added
        ",
    );
}

#[test]
fn who_has_a_device_changes_nothing_without_its_code() {
    let shown = "> cookie NSC_TASS=manageotp\n> asked\n> post ann pw\n> right ann\n> devices phone\n";
    flow(
        "",
        &format!(
            "{shown}
        < form manage: of devices #2, ann has [phone], locked
        > fields sg-deed=add sg-device=evil
        < form manage: of devices #3, ann has [phone], locked, NotDone(Proof)
        > fields sg-deed=remove sg-device=phone
        < form manage: of devices #4, ann has [phone], locked, NotDone(Proof)
        > fields sg-deed=really sg-device=phone
        < form manage: of devices #5, ann has [phone], locked, NotDone(Proof)
        > fields sg-deed=check sg-code=111111
        < ask manage: ann with code 111111, guess ann
        > nocode wrong
        < form manage: of devices #6, ann has [phone], locked, Wrong(Wrong)
        > fields sg-deed=check sg-code=755224
        < ask manage: ann with code 755224, guess ann
        > right ann
        < form manage: of devices #7, ann has [phone], Right
        > fields sg-deed=remove sg-device=phone
        < form manage: of devices #8, ann has [phone], remove phone?
        > fields sg-deed=back
        < form manage: of devices #9, ann has [phone]
        > fields sg-deed=really
        < form manage: of devices #10, ann has [phone]
        > fields sg-deed=remove sg-device=phone
        > fields sg-deed=really
        < ask manage: ann removes phone
        > devices -
        < form manage: of devices #12, ann has [], Removed(\"phone\")
        "
        ),
    );
    // Somebody else was faster with the first one.
    flow(
        "",
        "
        > cookie NSC_TASS=manageotp
        > asked
        > post ann pw
        > right ann
        > devices -
        > fields sg-deed=add sg-device=phone
        > secret
        > fields sg-deed=confirm sg-code=755224
        < ask manage: ann adds phone with step 0, only as the first
        > notdone proof
        < form manage: of devices #4, ann has [], locked, NotDone(Proof)
        > fields sg-deed=add sg-device=phone
        < form manage: of devices #5, ann has [], locked, NotDone(Proof)
        ",
    );
}

#[test]
fn what_goes_wrong_on_the_page_is_told_and_bounded() {
    let shown = "> cookie NSC_TASS=manageotp\n> asked\n> post ann pw\n> right ann\n> devices -\n";
    flow(
        "",
        &format!(
            "{shown}
        > fields sg-deed=add sg-device=a
        > notdone name
        < form manage: of devices #3, ann has [], NotDone(Name)
        > fields sg-deed=add sg-device=phone
        > secret
        > fields sg-deed=confirm sg-code=755224
        > outage
        < form manage: of devices #5, ann has [], new phone, Outage
        > fields sg-deed=confirm sg-code=755224
        > notdone closed
        < form manage: of devices #6, ann has [], NotDone(Closed)
        > fields sg-deed=check
        < form manage: of devices #7, ann has [], Wrong(Wrong)
        > fields sg-deed=check sg-code=1
        > held 30
        < form manage: of devices #8, ann has [], Held(30s)
        > fields sg-deed=check sg-code=1
        > locked
        < form manage: of devices #9, ann has [], Locked
        > post@3 ann pw
        < stale, form manage: of devices #9, ann has [], Locked
        > fields sg-deed=what
        < form manage: of devices #10, ann has []
        > cancel
        < over Cancelled 4017
        "
        ),
    );
    let wrong = "> fields sg-deed=check sg-code=1\n> nocode wrong\n".repeat(8);
    flow("", &format!("{shown}{wrong}< over Tries 4001"));
    let many = "> fields sg-deed=back\n".repeat(65);
    flow("", &format!("{shown}{many}< over Steps 4017"));
    flow(
        "",
        &format!(
            "{shown}> fields sg-deed=add sg-device=a\n> secret\n> fields sg-deed=back\n> devices a\n< stale, form manage: of devices #4, ann has []"
        ),
    );
}

#[test]
fn devices_are_shown_to_nobody_who_has_not_proven_who_he_is() {
    run(
        &format!("{FLOW}bind authentication vserver av -policy p_manage -priority 10\n"),
        "
        > cookie NSC_TASS=manageotp
        > asked
        > post ann pw
        < form av: built in, one password #2, error 4017
        > why only behind a factor that has proven who it is
        ",
    );
    // An action that is for logins shows no page, so that whoever brings the cookie there gains nothing.
    run(
        &format!("{FLOW}bind authentication vserver av -policy p_dir -priority 10 -nextFactor code\n"),
        "
        > cookie NSC_TASS=manageotp
        > asked
        > post ann pw
        > right ann
        < ask otp: ann with code pw, guess ann
        > nocode wrong
        < over Factor 4001
        ",
    );
}

#[test]
fn a_conversation_about_devices_never_becomes_a_login() {
    // The factors lead to a login, whatever was proven.
    let direct = "bind authentication vserver av -policy p_dir -priority 10\n";
    run(
        direct,
        "
        > cookie NSC_TASS=manageotp
        > asked
        > post ann pw
        > right ann
        < over NoDevices 4017
        > why its factors lead to no page
        ",
    );
    // The cookie is left out later, or comes later.
    run(direct, "> cookie NSC_TASS=manageotp\n> asked\n> cookie a=b\n> post ann pw\n> right ann\n< over NoDevices 4017");
    run(direct, "> asked\n> cookie NSC_TASS=manageotp\n> post ann pw\n> cookie a=b\n> right ann\n< over NoDevices 4017");
    flow(
        "",
        "
        > cookie NSC_TASS=manageotp
        > asked
        > cookie a=b
        > post ann pw 755224
        > right ann
        < ask otp: ann with code 755224, guess ann
        > right ann
        < over NoDevices 4017
        ",
    );
}

#[test]
fn a_code_on_the_way_to_the_page_opens_it() {
    run(
        &format!(
            "{FLOW}bind authentication vserver av -policy lp -priority 10\n\
             bind authentication vserver av -policy p_dir -priority 10 -nextFactor code\n\
             unbind authentication policylabel code -policyName p_otp -priority 10\n\
             bind authentication policylabel code -policyName p_otp -priority 10 -nextFactor manage\n"
        ),
        "
        > cookie NSC_TASS=manageotp
        > asked
        > post ann pw 755224
        > right ann
        < ask otp: ann with code 755224, guess ann
        > right ann
        < ask manage: devices of ann
        > devices phone
        < form manage: of devices #2, ann has [phone]
        ",
    );
}

#[test]
fn codes_stand_beside_scans() {
    let scan = "\
        add authentication epaAction scan -csecexpr \"sys.client_expr(\\\"proc_0_firefox\\\")\" -quarantineGroup held\n\
        add authentication Policy p_scan -rule true -action scan\n";
    // Before: who fails it types a code, too.
    run(
        &format!(
            "{FLOW}{scan}add authentication policylabel dirs -loginSchema dual\n\
             bind authentication policylabel dirs -policyName p_dir -priority 10 -nextFactor code\n\
             bind authentication vserver av -policy p_scan -priority 10 -nextFactor dirs\n"
        ),
        "
        > asked
        > scan 3
        < form dirs: dual #2
        > post ann pw 755224
        > right ann
        < ask otp: ann with code 755224, guess ann
        > right ann
        < granted ann, groups held(quarantine), quarantined, sso ann:pw
        ",
    );
    // Behind.
    run(
        &format!(
            "{FLOW}{scan}bind authentication vserver av -policy lp -priority 10\n\
             bind authentication vserver av -policy p_dir -priority 10 -nextFactor code\n\
             unbind authentication policylabel code -policyName p_otp -priority 10\n\
             add authentication policylabel look -loginSchema LSCHEMA_INT\n\
             bind authentication policylabel look -policyName p_scan -priority 10\n\
             bind authentication policylabel code -policyName p_otp -priority 10 -nextFactor look\n"
        ),
        "
        > asked
        > post ann pw 755224
        > right ann
        > right ann
        < scan look #2
        > scan 0
        < granted ann, sso ann:pw
        ",
    );
}

#[test]
fn a_password_is_not_enough_where_a_code_is_meant_too() {
    run(
        "add authentication ldapAction both -serverIP 10.0.0.9 -ldapBase dc=example -ldapLoginName uid -secType SSL -OTPSecret userParameters\n\
         add authentication Policy p_both -rule true -action both\n\
         bind authentication vserver av -policy p_both -priority 10\n",
        "
        > asked
        > post ann pw
        < form av: built in, one password #2, error 4017
        ",
    );
}
