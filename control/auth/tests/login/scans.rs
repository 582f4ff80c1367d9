//! Factors that ask the client about itself.

use super::kit::run;

/// Three policies with strings `a`, `b`, `c`, bound to the first factor by priority.
fn three(of: &str, bind: &str) -> String {
    let one = |name: &str| {
        let more = of.split(';').find_map(|part| part.strip_prefix(&format!("{name}:"))).unwrap_or_default();
        format!(
            "add authentication epaAction {name} -csecexpr sys.client_expr(\"proc_0_{name}\") {more}\n\
             add authentication Policy p_{name} -rule true -action {name}\n"
        )
    };
    format!("{}{}{}{bind}", one("a"), one("b"), one("c"))
}

const ALL: &str = "bind authentication vserver av -policy p_a -priority 10\n\
    bind authentication vserver av -policy p_b -priority 20\n\
    bind authentication vserver av -policy p_c -priority 30\n";

#[test]
fn a_scan_alone_logs_in_without_a_login_page_and_nobody_in_particular() {
    run(
        &three("a:-defaultEPAGroup clean", "bind authentication vserver av -policy p_a -priority 10\n"),
        "> asked\n< scan av #1\n> scan 0\n< granted nobody, groups clean(epa)",
    );
}

#[test]
fn all_policies_are_asked_about_at_once_and_the_first_success_gives_its_group_only() {
    let made = three("a:-defaultEPAGroup ga;b:-defaultEPAGroup gb;c:-defaultEPAGroup gc", ALL);
    run(&made, "> asked\n> question\n< asks proc_0_a; proc_0_b; proc_0_c");
    run(&made, "> asked\n> scan 300\n< granted nobody, groups gb(epa)");
    run(&made, "> asked\n> scan 000\n< granted nobody, groups ga(epa)");
    run(
        &made,
        "> asked\n> scan 333\n< over Scan 4018\n> why p_c: rule true, c failed: what was found at the client is not enough",
    );
}

#[test]
fn only_the_last_policys_quarantine_group_counts() {
    run(&three("a:-quarantineGroup qa", ALL), "> asked\n> scan 333\n< over Scan 4018");
    run(
        &three("a:-quarantineGroup qa;c:-quarantineGroup qc", ALL),
        "> asked\n> scan 333\n< granted nobody, groups qc(quarantine), quarantined",
    );
    let rule = three("a:-quarantineGroup qa", ALL)
        .replace("p_c -rule true", "p_c -rule false")
        .replace("p_b -rule true", "p_b -rule false");
    run(&rule, "> asked\n> question\n< asks proc_0_a\n> scan 3\n< granted nobody, groups qa(quarantine), quarantined");
}

#[test]
fn goto_does_not_matter_between_scans() {
    let made = three("b:-defaultEPAGroup gb", &ALL.replace("p_a -priority 10", "p_a -priority 10 -gotoPriorityExpression END"));
    run(&made, "> asked\n> scan 303\n< granted nobody, groups gb(epa)");
}

#[test]
fn quarantine_goes_on_from_the_last_policy() {
    run(
        &three(
            "a:-quarantineGroup weak",
            "add authentication policylabel behind -loginSchema single\n\
             bind authentication policylabel behind -policyName p_dir -priority 10\n\
             bind authentication vserver av -policy p_a -priority 10 -nextFactor behind\n",
        ),
        "
        > asked
        > scan 3
        < form behind: single #2
        > post ann pw
        > right ann staff,weak
        < granted ann, groups weak(quarantine) staff(directory), quarantined, sso ann:pw
        ",
    );
}

#[test]
fn an_action_that_always_succeeds_turns_a_failed_scan_into_a_jump() {
    let made = three(
        "",
        "add authentication noAuthAction jump -defaultAuthenticationGroup jumped\n\
         add authentication Policy p_jump -rule true -action jump\n\
         add authentication policylabel behind -loginSchema single\n\
         bind authentication policylabel behind -policyName p_dir -priority 10\n\
         bind authentication vserver av -policy p_a -priority 10\n\
         bind authentication vserver av -policy p_jump -priority 99 -nextFactor behind\n",
    );
    run(&made, "> asked\n> scan 3\n< form behind: single #2");
    run(&made, "> asked\n> skip\n< form behind: single #2");
    run(&made, "> asked\n> scan 0\n< granted nobody");
}

#[test]
fn who_passes_an_always_true_policy_in_front_is_not_asked() {
    run(
        &three(
            "",
            "add authentication Policy phones -rule true -action NO_AUTHN\n\
             add authentication policylabel behind -loginSchema single\n\
             bind authentication policylabel behind -policyName p_dir -priority 10\n\
             bind authentication vserver av -policy phones -priority 5 -nextFactor behind\n\
             bind authentication vserver av -policy p_a -priority 10\n",
        ),
        "> asked\n< form behind: single #1",
    );
}

#[test]
fn a_scan_that_was_not_made_is_a_failed_one() {
    let made = three("a:-quarantineGroup weak", "bind authentication vserver av -policy p_a -priority 10\n");
    let quarantined = "< granted nobody, groups weak(quarantine), quarantined";
    for (script, why) in [
        ("> skip", "client cannot be looked at"),
        ("> scanned", "no answer"),
        ("> digits 0\n< unasked\n> scanned", "no answer"),
        ("> question\n> scanned", "no answer"),
        ("> question\n> digits 00\n< malformed\n> scanned", "does not cover"),
        ("> question\n> digits -\n< malformed\n> scanned", "does not cover"),
        ("> question\n> wait 61\n> digits 0\n< late\n> scanned", "too late"),
        ("> question\n> digits 0\n< taken, passed\n> question\n> scanned", "no answer"),
        ("> question\n> digits 3\n< taken, failed\n> digits 0\n< repeated\n> scanned", "0 of 1 passed"),
    ] {
        run(&made, &format!("> asked\n< scan av #1\n{script}\n{quarantined}\n> why {why}"));
    }
}

#[test]
fn silence_is_no_proof_of_absence() {
    run(
        "add authentication epaAction n -csecexpr \"!sys.client_expr(\\\"proc_0_bad\\\")\"\n\
         add authentication Policy p_n -rule true -action n\n\
         bind authentication vserver av -policy p_n -priority 10\n",
        "> asked\n> skip\n< over Scan 4018",
    );
    run(
        "add authentication epaAction n -csecexpr \"!sys.client_expr(\\\"proc_0_bad\\\")\"\n\
         add authentication Policy p_n -rule true -action n\n\
         bind authentication vserver av -policy p_n -priority 10\n",
        "> asked\n> scan 3\n< granted nobody",
    );
}

#[test]
fn more_than_256_strings_are_not_asked_and_count_as_failed() {
    let strings = |from: usize, to: usize| (from..to).map(|n| format!("sys.client_expr(\\\"proc_0_{n}\\\")")).collect::<Vec<_>>();
    let made = format!(
        "add authentication epaAction most -csecexpr \"{}\"\n\
         add authentication epaAction rest -csecexpr \"{}\" -quarantineGroup weak\n\
         add authentication Policy p_most -rule true -action most\n\
         add authentication Policy p_rest -rule true -action rest\n\
         bind authentication vserver av -policy p_most -priority 10\n\
         bind authentication vserver av -policy p_rest -priority 20\n",
        strings(0, 200).join(" && "),
        strings(200, 257).join(" && "),
    );
    let failed_first = format!("3{}", "0".repeat(255));
    run(
        &made,
        &format!(
            "> asked\n> scan {failed_first}\n< granted nobody, groups weak(quarantine), quarantined\n\
             > why client is asked 256 things; 1 more are left out and count as failed"
        ),
    );
    run(&made, &format!("> asked\n> scan {}\n< granted nobody", "0".repeat(256)));
}

#[test]
fn orders_come_with_the_question_and_not_too_many() {
    let many: Vec<String> = (0..20).map(|n| format!("p{n}")).collect();
    let made = three(
        &format!(
            "a:-killProcess evil.exe,{} -deletefiles /tmp/x.txt;b:-killProcess evil.exe,{}",
            many.join(","),
            many.join("x,")
        ),
        "bind authentication vserver av -policy p_a -priority 10\nbind authentication vserver av -policy p_b -priority 20\n",
    );
    let kill: Vec<String> = many.iter().cloned().chain(many.iter().map(|name| format!("{name}x"))).take(31).collect();
    run(
        &made,
        &format!(
            "
            > asked
            < scan av #1
            > question
            < asks proc_0_a; proc_0_b, kill evil.exe; {}, delete /tmp/x.txt
            > why 8 entries of -killProcess or -deletefiles are not handed out
            ",
            kill.join("; ")
        ),
    );
}

#[test]
fn rules_choose_who_is_asked_about_what() {
    run(
        &three(
            "b:-defaultEPAGroup gb",
            "set authentication Policy p_a -rule \"HTTP.REQ.HEADER(\\\"User-Agent\\\").CONTAINS(\\\"Windows\\\")\"\n\
             bind authentication vserver av -policy p_a -priority 10\n\
             bind authentication vserver av -policy p_b -priority 20\n",
        ),
        "
        > agent Linux
        > asked
        > question
        < asks proc_0_b
        > agent Windows
        > scan 0
        < granted nobody, groups gb(epa)
        > why p_a: rule false, does not apply
        ",
    );
}
