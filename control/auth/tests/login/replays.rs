//! What comes twice, too late, out of order or for somebody else changes nothing.

use super::kit::{Login, model, run};

const TWO: &str = "add authentication epaAction e -csecexpr sys.client_expr(\"proc_0_a\")\n\
    add authentication Policy p_e -rule true -action e\n\
    add authentication policylabel scan -loginSchema LSCHEMA_INT\n\
    add authentication policylabel second -loginSchema single\n\
    bind authentication policylabel scan -policyName p_e -priority 10\n\
    bind authentication policylabel second -policyName p_dir2 -priority 10 -nextFactor scan\n\
    bind authentication vserver av -policy p_dir -priority 10 -nextFactor second\n";

#[test]
fn a_form_is_used_once_and_in_its_order() {
    run(
        TWO,
        "
        > asked
        < form av: built in, one password #1
        > post@1 ann bad
        > wrong 4001
        < form av: built in, one password #2, error 4001
        > post@1 ann good
        < stale, form av: built in, one password #2, error 4001
        > post@2 ann good
        < ask dir: ann with good, guess ann
        > right ann
        < form second: single #3
        > post@2 ann good
        < stale, form second: single #3
        > post@4 ann good
        < stale, form second: single #3
        > scanned@3
        < stale, form second: single #3
        > skip
        < stale, form second: single #3
        > post@3 ann pw2
        < ask dir2: ann with pw2, guess ann
        > right ann
        < scan scan #4
        > post@3 ann pw2
        < stale, scan scan #4
        > post ann pw2
        < stale, scan scan #4
        > scanned@3
        < stale, scan scan #4
        > why an answer to an earlier step, ignored
        ",
    );
}

#[test]
fn while_somebody_is_asked_everything_else_waits() {
    run(
        TWO,
        "
        > asked
        > post ann pw
        < ask dir: ann with pw, guess ann
        > post bob pw
        < busy
        > asked
        < busy
        > scanned
        < busy
        > skip
        < busy
        > right@2 bob admins
        < stale
        > right@0 bob admins
        < stale
        > right@1 ann
        < form second: single #2
        > right@1 bob admins
        < stale, form second: single #2
        > post ann pw2
        < ask dir2: ann with pw2, guess ann
        > right@1 bob admins
        < stale
        > cancel
        < over Cancelled 4017
        > right@2 ann admins
        < stale
        > asked
        < over Cancelled 4017
        ",
    );
}

#[test]
fn a_conversation_that_is_over_has_forgotten_what_was_typed() {
    let model = model(&format!("{}{TWO}", super::kit::GATEWAY));
    let mut login = Login::new(&model);
    for said in ["asked", "post ann s3cret-Word", "right ann staff", "post ann s3cret-Two", "wrong 4001"] {
        login.say(said);
    }
    let seen = format!("{:?} {}", login.conversation, login.why());
    assert!(seen.contains("user is ann") && !seen.contains("s3cret"), "{seen}");
    assert!(!seen.contains("staff"), "groups are counted, not named, where nothing is wrong with them");
    login.say("cancel");
    assert!(login.conversation.is_over());
    assert_eq!(login.conversation.user().map(|user| &**user), Some("ann"), "who it was is known still");
}
