//! Whatever is written: no panic, and what is understood is printed so that it is understood again.

use std::collections::BTreeSet;

use gate_config::catalog::{Kind, Op, commands};
use gate_config::{Strictness, check, diff};
use proptest::prelude::*;

use crate::kit::{Lead, Paper, lenient, root, strict, told};

/// Values that fit an argument, and some that do not.
fn value(kind: &Kind) -> BoxedStrategy<String> {
    let right = match *kind {
        Kind::Switch => Just(String::new()).boxed(),
        Kind::Anything | Kind::Text => "[a-z \"'\\\\()-]{1,8}".boxed(),
        Kind::Word(..) => "[a-z][a-z0-9]{0,5}".boxed(),
        Kind::Name => prop_oneof![Just("one".to_owned()), Just("Two words".to_owned()), Just("3#x".to_owned())].boxed(),
        Kind::SessionGroup => prop_oneof![Just("staff".to_owned()), Just("No admins".to_owned())].boxed(),
        Kind::Expression => {
            prop::sample::select(&["true", "HTTP.REQ.HEADER(\"User Agent\").CONTAINS(\"x\")"][..]).prop_map(str::to_owned).boxed()
        }
        Kind::ClassicRule => {
            prop::sample::select(&["ns_true", "REQ.HTTP.HEADER A CONTAINS 'b c' || ns_false"][..]).prop_map(str::to_owned).boxed()
        }
        Kind::ClientExpression => {
            prop::sample::select(&["sys.client_expr(\"proc_2_firefox\")", "!(sys.client_expr(\"a\") || macs)"][..])
                .prop_map(str::to_owned)
                .boxed()
        }
        Kind::Goto => {
            prop::sample::select(&["NEXT", "end", "110", "AAA.USER.LOGIN_ATTEMPTS"][..]).prop_map(str::to_owned).boxed()
        }
        Kind::Choice(words) => prop::sample::select(words).prop_map(str::to_owned).boxed(),
        Kind::Number { min, max, .. } => (min..=max).prop_map(|n| n.to_string()).boxed(),
        Kind::Ip => prop_oneof![Just("192.0.2.1".to_owned()), Just("2001:db8::1".to_owned()), Just("0.0.0.0".to_owned())].boxed(),
        Kind::Cidr | Kind::CidrPort => {
            prop_oneof![Just("10.0.0.0/8".to_owned()), Just("127.0.0.1".to_owned()), Just("2001:db8::/32".to_owned())].boxed()
        }
        Kind::Ports => prop_oneof![Just("1494".to_owned()), Just("1-65535".to_owned())].boxed(),
        Kind::HostPort(_) => prop_oneof![Just("vda.example:9".to_owned()), Just("10.0.0.1".to_owned())].boxed(),
        Kind::Listen(_) => {
            prop_oneof![Just("127.0.0.1:0".to_owned()), Just("::1".to_owned()), Just("192.0.2.1:1".to_owned())].boxed()
        }
        Kind::DnsName => Just("gw.example.com".to_owned()).boxed(),
        Kind::Url => prop_oneof![Just("http://127.0.0.1:8080".to_owned()), Just("https://sta.example/x".to_owned())].boxed(),
        Kind::File => prop_oneof![Just("a.pem".to_owned()), Just("b.key".to_owned())].boxed(),
        Kind::Socket => Just("/run/x.sock".to_owned()).boxed(),
        Kind::Secret => "[!-~]{1,8}".boxed(),
        Kind::List(member, _) => return value(member),
    };
    prop_oneof![20 => right, 1 => "\\PC{0,6}"].boxed()
}

/// A line of the catalogue's grammar.
fn line() -> BoxedStrategy<String> {
    let forms: Vec<_> =
        commands().iter().flat_map(|command| command.forms.iter().map(move |form| (command.words, form))).collect();
    prop::sample::select(forms)
        .prop_flat_map(|(words, form)| {
            let positionals: Vec<_> = form.positionals.iter().map(|a| value(&a.kind)).collect();
            let keywords: Vec<_> = form
                .keywords
                .iter()
                .map(|a| {
                    let chance = if a.required { 0.95 } else { 0.25 };
                    let bare = matches!(a.kind, Kind::Switch) || form.op == Op::Unset;
                    let name = a.name;
                    (prop::bool::weighted(chance), value(&a.kind)).prop_map(move |(there, value)| match (there, bare) {
                        (false, _) => String::new(),
                        (true, true) => format!(" -{name}"),
                        (true, false) => format!(" -{name} {}", gate_config::text::word::word(&value)),
                    })
                })
                .collect();
            (Just((form.op.word(), words)), positionals, keywords)
        })
        .prop_map(|((op, words), positionals, keywords)| {
            let positionals: String = positionals.iter().map(|v| format!(" {}", gate_config::text::word::word(v))).collect();
            format!("{op} {words}{positionals}{}\n", keywords.concat())
        })
        .boxed()
}

/// Lines without errors, as many of them as load together.
fn loadable(lines: &[String]) -> String {
    let mut text = String::new();
    for line in lines {
        let longer = format!("{text}{line}");
        if lenient(&longer).model.is_some() {
            text = longer;
        }
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_answered(text in "(\\PC{0,40}\n){0,8}") {
        for mode in [Strictness::Strict, Strictness::Lenient] {
            let checked = check("f", &text, mode, &Paper);
            prop_assert_eq!(checked.model.is_some(), checked.errors().next().is_none());
            for problem in &checked.problems {
                prop_assert!(!problem.to_string().is_empty());
                prop_assert!(problem.to_json().contains("\"code\":"));
            }
        }
    }

    #[test]
    fn what_is_understood_is_printed_and_understood_again(lines in prop::collection::vec(line(), 1..24)) {
        let text = loadable(&lines);
        let mut model = lenient(&text).model.unwrap_or_default();
        // What is open does not come out; what is sealed does.
        model.seal(&Lead).unwrap();
        model.seal_secrets(&Lead).unwrap();
        let printed = model.print();
        let again = lenient(&printed);
        let told = told(&again);
        let Some(again) = again.model else { return Err(TestCaseError::fail(format!("{text}\n---\n{printed}\n---\n{told}"))) };
        prop_assert_eq!(again.print(), printed.clone(), "{}\n---\n{}", text, printed);
        prop_assert_eq!(&again, &model);
        prop_assert!(diff(&again, &model).is_empty());
    }
}

#[test]
fn a_renamed_virtual_server_takes_along_what_is_kept_about_its_tls() {
    let text = "add authentication vserver one SSL 192.0.2.1 0\n\
                bind ssl vserver one -policyName old -priority 10\n\
                rename authentication vserver one \"Two words\"\n";
    let printed = lenient(text).model.unwrap().print();
    assert!(printed.contains("bind ssl vserver \"Two words\" -policyName old -priority 10"), "{printed}");
    assert!(lenient(&printed).model.is_some(), "{printed}");
}

/// Every file of the corpus, and every golden one, is answered, in both modes, and what is understood is printed and understood again.
#[test]
fn the_corpus_is_answered() {
    let mut kinds = BTreeSet::new();
    let corpus = std::fs::read_dir(root().join("tests/corpus/nsconf")).unwrap();
    let golden = std::fs::read_dir(root().join("control/config/tests/golden")).unwrap();
    for path in corpus.chain(golden).map(|entry| entry.unwrap().path()) {
        let bytes = std::fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        for checked in [strict(&text), lenient(&text)] {
            assert_eq!(checked.model.is_some(), checked.errors().next().is_none());
            kinds.insert(checked.model.is_some());
            let Some(model) = checked.model else { continue };
            let printed = model.print();
            let again = lenient(&printed);
            assert_eq!(again.model.as_ref().map(gate_config::model::Model::print), Some(printed), "{}", path.display());
        }
    }
    assert_eq!(kinds.len(), 2, "the corpus has files that load and files that do not");
}

/// The lexer divides words at blanks and tabs only; whatever else Unicode calls white space is part of a word.
#[test]
fn a_kept_line_keeps_what_only_unicode_calls_white_space() {
    for odd in ['\u{a0}', '\u{2003}', '\u{3000}'] {
        let text = format!("add odd thing {odd}\n");
        let model = lenient(&text).model.unwrap();
        assert!(model.print().contains(text.trim_matches('\n')), "{odd:?}: {}", model.print());
        assert_eq!(lenient(&model.print()).model, Some(model), "{odd:?}");
    }
    // What nobody sees is not kept: it would come back to a terminal when the configuration is printed.
    for unseen in ['\u{b}', '\u{1b}', '\u{85}', '\u{202e}'] {
        assert_eq!(lenient(&format!("add odd thing {unseen}\n")).model, None, "{unseen:?}");
    }
}

/// What was said of the TLS of a virtual server goes with it, and with the last one of its name.
#[test]
fn what_is_kept_of_a_virtual_server_goes_with_it() {
    let made = "add authentication vserver one SSL 192.0.2.1 1\nadd vpn vserver one SSL 192.0.2.2 443\nbind ssl vserver one -policyName p\n";
    for (gone, left) in [
        ("rm authentication vserver one\n", true),
        ("rm vpn vserver one\n", true),
        ("rm authentication vserver one\nrm vpn vserver one\n", false),
        ("rm vpn vserver one\nrm authentication vserver one\n", false),
    ] {
        let checked = lenient(&format!("{made}{gone}"));
        let told = told(&checked);
        let printed = checked.model.unwrap_or_else(|| panic!("{told}")).print();
        assert_eq!(printed.contains("bind ssl vserver one -policyName p"), left, "{gone}{printed}");
        assert!(lenient(&printed).model.is_some(), "{gone}{printed}");
    }
}
