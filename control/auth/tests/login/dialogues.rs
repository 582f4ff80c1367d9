//! What is asked in the middle of an action.

use super::kit::run;

const DIR: &str = "bind authentication vserver av -policy p_dir -priority 10\n";
const CODES: &str = "add authentication radiusAction codes -serverIP 10.0.0.3 -radKey 0123456789abcdef\n\
                     add authentication Policy p_codes -rule true -action codes\n\
                     bind authentication vserver av -policy p_codes -priority 10\n";

#[test]
fn a_password_that_has_expired_is_changed_and_then_proves_the_user() {
    run(
        DIR,
        "
        > asked
        > post ann old
        < ask dir: ann with old, guess ann
        > must 4012
        < form av: for a new password #2, error 4012
        > fields newpwd=a confirmedpwd=b
        < form av: for a new password #3, error 4008
        > fields oldpwd=old
        < form av: for a new password #4, error 4016
        > fields oldpwd=old newpwd=new confirmedpwd=new
        < ask dir: ann from old to new
        > wrong 4016
        < form av: for a new password #5, error 4016
        > fields newpwd=newer confirmedpwd=newer
        < ask dir: ann from old to newer
        > right ann
        < ask dir: ann with newer
        > right ann staff
        < granted ann, groups staff(directory), sso ann:newer
        > why password changed
        ",
    );
}

#[test]
fn the_change_alone_proves_nobody() {
    run(
        DIR,
        "
        > asked
        > post ann old
        > must 4012
        > fields newpwd=new confirmedpwd=new
        > right root admins
        < ask dir: ann with new
        > wrong 4001
        < form av: built in, one password #3, error 4001
        ",
    );
}

#[test]
fn a_change_is_cancelled_outlasts_an_outage_and_is_not_tried_for_ever() {
    run(DIR, "> asked\n> post ann old\n> must 4012\n> cancel\n< over Cancelled 4017");
    run(
        DIR,
        "
        > asked
        > post ann old
        > must 4012
        > fields newpwd=new confirmedpwd=new
        > outage
        < form av: for a new password #3, error 4003
        ",
    );
    let again = "> fields newpwd=a confirmedpwd=b\n".repeat(7);
    run(DIR, &format!("> asked\n> post ann old\n> must 4012\n{again}> fields newpwd=a confirmedpwd=b\n< over Tries 4008"));
}

#[test]
fn where_users_may_not_change_it_an_expired_password_is_a_failure() {
    run(
        "bind authentication vserver av -policy p_dir2 -priority 10\n",
        "
        > asked
        > post ann old
        > must 4012
        < form av: built in, one password #2, error 4012
        > why the password must be changed, and -passwdChange is not enabled
        ",
    );
}

#[test]
fn a_server_that_asks_back_gets_its_state_back_with_the_reply() {
    run(
        CODES,
        "
        > asked
        > post ann pw
        < ask codes: ann with pw, guess ann
        > challenge Enter the code that you were sent
        < form av: for a reply #2
        > post - 1234
        < ask codes: ann replies 1234 to state, guess ann
        > challenge Once more
        < form av: for a reply #3
        > post - 5678
        > wrong 4001
        < form av: built in, one password #4, error 4001
        ",
    );
}

#[test]
fn a_server_that_never_stops_to_ask_back_is_left() {
    let mut script = "> asked\n> post ann pw\n".to_owned();
    for step in 2..=10 {
        script += &format!("> challenge Again\n< form av: for a reply #{step}\n> post - 1\n");
    }
    script += "> challenge Again\n< over Steps 4017\n";
    run(CODES, &script);
    run(CODES, "> asked\n> post ann pw\n> challenge Code\n> cancel\n< over Cancelled 4017");
    // An outage in the middle is nobody's mistake, and leads back to the form.
    run(
        CODES,
        "> asked\n> post ann pw\n> challenge Code\n> post - 1\n> outage\n< form av: built in, one password #3, error 4003",
    );
}
