//! Reading, types and evaluation, from outside of their modules.

use proptest::prelude::*;

use super::sample::{Sample, add, ann, shown};
use super::{Fault, FaultKind, NAMES_DEPTH_MAX, Undefined, WORK_MAX, Wanted};
use crate::model::authentication::{ClientExpression, Expression};

fn fault(text: &str, wanted: Wanted) -> Option<Fault> {
    Expression::parse(text).unwrap().judge(wanted, &ann().names).err()
}

/// What is said of a wrong expression: the part that is wrong, and the hint.
fn said(text: &str) -> (String, String, Option<String>) {
    let fault = fault(text, Wanted::Truth).unwrap_or_else(|| panic!("{text} is right"));
    (text[fault.at.clone()].to_owned(), fault.kind.to_string(), fault.hint)
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (text, part, kind) in [
        ("HTTP.REQ.HEDER(\"a\").EXISTS", "HEDER", "HTTP.REQ has no HEDER here"),
        ("HTP.REQ.METHOD.EQ(GET)", "HTP", "no expression begins with HTP"),
        ("HTTP.RES.STATUS.EQ(200)", "RES", "HTTP has no RES here"),
        ("AAA.USER.NAME.CONTAIN(\"a\")", "CONTAIN", "a text has no CONTAIN here"),
        ("AAA.USER.NAME", "AAA.USER.NAME", "a rule must be true or false, and this is a text"),
        ("(AAA.USER.GROUPS.COUNT)", "(AAA.USER.GROUPS.COUNT)", "a rule must be true or false, and this is a number"),
        ("AAA.USER", "AAA.USER", "AAA.USER alone is no value; it must be said what of it is meant"),
        ("true && AAA.USER.NAME", "AAA.USER.NAME", "this is a text, and here there must be true or false"),
        ("AAA.USER.NAME.EQ(1)", "1", "this is a number, and here there must be a text"),
        ("AAA.USER.NAME == 1", "AAA.USER.NAME == 1", "== does not go with a text and a number"),
        ("AAA.USER.NAME < \"b\"", "AAA.USER.NAME < \"b\"", "< does not go with a text and a text"),
        ("AAA.USER.NAME - \"b\" == \"c\"", "AAA.USER.NAME - \"b\"", "- does not go with a text and a text"),
        ("AAA.USER.NAME.EQ(\"a", "\"a", "this quote is not closed"),
        ("AAA.USER.NAME.EQ(\"a\\b\")", "\\b", "a backslash before 'b' means nothing"),
        ("AAA.USER.NAME.EQ(\"a\" \"b\")", "\"", "\"\\\"\" cannot stand here; there must be a closing parenthesis"),
        ("(true", "", "the expression ends where a closing parenthesis must follow"),
        ("true &&", "", "the expression ends where a condition or a value must follow"),
        ("true & false", "&", "\"&\" cannot stand here; there must be an operator or the end"),
        ("true true", "true", "\"true\" cannot stand here; there must be an operator or the end"),
        ("CLIENT.IP.SRC.EQ(192.0.2.256)", "192.0.2.256", "\"192.0.2.256\" is no IP address"),
        (
            "CLIENT.IP.SRC.IN_SUBNET(192.0.2.1/24)",
            "192.0.2.1/24",
            "\"192.0.2.1/24\" is no network: there are bits behind the prefix; the network is 192.0.2.0/24",
        ),
        ("SYS.TIME.BETWEEN(GMT 2026 Jan, 2027)", "2027", "\"2027\" is no point in time"),
        ("AAA.USER.NAME.REGEX_MATCH(re/(/)", "(", ""),
        ("AAA.USER.NAME.REGEX_MATCH(\"a\")", "\"", "\"\\\"\" cannot stand here; there must be a regular expression: re/…/"),
        ("HTTP.REQ.METHOD.EQ(GETT)", "GETT", "\"GETT\" cannot stand here; there must be one of its words"),
        ("AAA.USER.NAME.LENGTH(1) == 1", "(", "\"(\" cannot stand here; there must be nothing, since it takes no arguments"),
        ("9223372036854775808 == 1", "9223372036854775808", "a number has at most 63 bits"),
        (
            "$otp[AAA.USER.SESSIONID].EQ(\"1\")",
            "$otp[AAA.USER.SESSIONID]",
            "variables are not kept here, so $otp[AAA.USER.SESSIONID] has no value",
        ),
        ("sys.client_expr(\"proc_0_a\")", "sys.client_expr", "what a client is asked about itself cannot stand in a rule"),
        ("REQ.HTTP.HEADER A CONTAINS b", "REQ", "this is a classic expression, and here there must be an advanced one"),
        ("(is_native).NOT", "NOT", "members of named expressions are not looked at"),
        ("is_nativ", "is_nativ", "there is no policy expression \"is_nativ\""),
        ("AAA.USER.NAME.EQ(is_native)", "is_native", "this is true or false, and here there must be a text"),
        ("AAA.USER.NAME.EQUALS_ANY(\"nobody\")", "\"nobody\"", "there is no pattern set \"nobody\""),
    ] {
        let (found, why, _) = said(text);
        assert_eq!(found, part, "{text}: {why}");
        if !kind.is_empty() {
            assert_eq!(why, kind, "{text}");
        }
    }
    let deep = format!("{}true{}", "(".repeat(17), ")".repeat(17));
    assert_eq!(fault(&deep, Wanted::Truth).map(|fault| fault.kind), Some(FaultKind::TooDeep));
    assert_eq!(fault(&deep[1..deep.len() - 1], Wanted::Truth), None);
}

#[test]
fn near_words_are_offered() {
    for (text, hint) in [
        ("HTTP.REQ.HEDER(\"a\").EXISTS", "did you mean HEADER?"),
        ("HTP.REQ.METHOD.EQ(GET)", "did you mean HTTP?"),
        ("AAA.USER.IS_MEMBER_OFF(\"a\")", "did you mean IS_MEMBER_OF?"),
        ("AAA.USER.NAME.CONTAIN(\"a\")", "did you mean CONTAINS?"),
        ("CLIENT.IP.SRC.IN_SUBNET(10.1.2.3/8)", "write 10.0.0.0/8"),
        ("true and false", ""),
    ] {
        assert_eq!(said(text).2.unwrap_or_default(), hint, "{text}");
    }
}

#[test]
fn what_is_wanted_is_what_must_come_out() {
    let text = "AAA.USER.NAME + 1";
    assert_eq!(fault(text, Wanted::Text), None);
    assert!(fault(text, Wanted::Truth).is_some() && fault(text, Wanted::Number).is_some());
    assert_eq!(fault("AAA.USER.NAME.LENGTH + 1", Wanted::Number), None);
    assert!(fault("AAA.USER.GROUPS", Wanted::Text).is_some());
    assert_eq!(fault("is_native", Wanted::Truth), None);
    assert!(fault("is_native", Wanted::Text).is_some());
}

/// What was said stands, whatever stands between: of operators of one precedence the left one is first.
#[test]
fn precedence_is_as_documented() {
    let sample = ann();
    for (text, grouped) in [
        ("1 - 2 - 3", "(1 - 2) - 3"),
        ("1 + 2 * 3 - 4 / 2", "(1 + (2 * 3)) - (4 / 2)"),
        ("7 % 4 * 2", "(7 % 4) * 2"),
        ("1 < 2 == 3 < 4", "(1 < 2) == (3 < 4)"),
        ("true || false && false == true", "true || (false && (false == true))"),
        ("!true == false", "(!true) == false"),
        ("!false && false", "(!false) && false"),
        ("1 + 1 == 2 && 2 > 1", "((1 + 1) == 2) && (2 > 1)"),
        ("\"a\" + 1 + 2", "(\"a\" + 1) + 2"),
    ] {
        let value = |text: &str| shown(&Expression::parse(text).unwrap(), &sample.facts());
        assert_eq!(value(text), value(grouped), "{text}");
        assert_ne!(value(text), "undefined", "{text}");
    }
}

#[test]
fn reasons_are_told_apart() {
    let sample = ann();
    let with = |text: &str, sample: &Sample| Expression::parse(text).unwrap().judged(&sample.facts());
    for (text, why) in [
        ("HTTP.REQ.FOO", Undefined::NotUnderstood),
        ("nobody", Undefined::Missing),
        ("\"a\".EQUALS_ANY(\"nobody\")", Undefined::Missing),
        ("AAA.USER.NAME", Undefined::Kind),
        ("AAA.USER.ATTRIBUTE(0).EXISTS", Undefined::Index),
        ("AAA.USER.NAME.PREFIX(-1) == \"\"", Undefined::Index),
        ("\"x\".TYPECAST_NUM_T(DECIMAL) == 1", Undefined::NotANumber),
        ("\"x\".TYPECAST_IP_ADDRESS_AT.IS_IPV6", Undefined::NotAnAddress),
        ("9223372036854775807 + 1 == 1", Undefined::Number),
        ("1 % 0 == 1", Undefined::Number),
        ("-9223372036854775807 * 2 == 1", Undefined::Number),
    ] {
        assert_eq!(with(text, &sample), Err(why), "{text}");
    }
    let mut bare = ann();
    bare.request.certificate = None;
    assert_eq!(with("CLIENT.SSL.CLIENT_CERT.DAYS_TO_EXPIRE.GT(0)", &bare), Err(Undefined::NoCertificate));
    assert_eq!(with("CLIENT.SSL.CLIENT_CERT.SUBJECT.EQ(\"\")", &bare), Ok(true));
    assert_eq!(with("CLIENT.SSL.CLIENT_CERT.EXISTS", &bare), Ok(false));
    bare.request.method = super::Method::Other;
    assert_eq!(with("HTTP.REQ.METHOD.EQ(POST)", &bare), Ok(false));
    assert_eq!(with("HTTP.REQ.METHOD.EQ(PUT)", &bare), Err(Undefined::Method));
}

/// A long body times a slow question is a bounded amount of work.
#[test]
fn work_is_bounded() {
    let mut sample = ann();
    sample.request.body = vec![b'a'; super::BODY_BYTES_MAX].into();
    let slow = (0..20).map(|_| "HTTP.REQ.BODY.REGEX_MATCH(re/(a|b)*c/)").collect::<Vec<_>>().join("||");
    let judged = |text: &str, sample: &Sample| Expression::parse(text).unwrap().judged(&sample.facts());
    assert_eq!(judged(&slow, &sample), Err(Undefined::TooMuchWork));
    assert_eq!(judged("HTTP.REQ.BODY.REGEX_MATCH(re/(a|b)*c/)", &sample), Ok(false));
    assert_eq!(judged("(HTTP.REQ.BODY + HTTP.REQ.BODY).LENGTH > 1", &sample), Err(Undefined::TooLong));
    // Named expressions that double each other.
    add(&mut sample.names, "n0", "HTTP.REQ.BODY.LENGTH == 1");
    for depth in 1..NAMES_DEPTH_MAX {
        let text = vec![format!("n{}", depth - 1); 100].join(" || ");
        add(&mut sample.names, &format!("n{depth}"), &text);
    }
    let last = format!("n{}", NAMES_DEPTH_MAX - 1);
    assert_eq!(fault_in(&last, &sample), None);
    assert_eq!(judged(&last, &sample), Err(Undefined::TooMuchWork));
    let deeper = vec![last; 2].join(" || ");
    add(&mut sample.names, "too_deep", &deeper);
    assert_eq!(fault_in("too_deep", &sample).map(|fault| fault.kind), Some(FaultKind::NamesTooDeep));
    const { assert!(WORK_MAX >= 2 * super::BODY_BYTES_MAX * 64) };
}

fn fault_in(text: &str, sample: &Sample) -> Option<Fault> {
    Expression::parse(text).unwrap().judge(Wanted::Truth, &sample.names).err()
}

#[test]
fn a_rule_may_be_written_in_the_old_language() {
    let sample = ann();
    for (rule, value) in [
        ("ns_true", Some(true)),
        ("REQ.HTTP.HEADER User-Agent CONTAINS CitrixReceiver", Some(true)),
        (
            "REQ.HTTP.HEADER User-Agent NOTCONTAINS CitrixReceiver || REQ.IP.SOURCEIP == 192.0.2.0 -netmask 255.255.255.0",
            Some(true),
        ),
        ("REQ.HTTP.HEADER X-None EXISTS", Some(false)),
        ("REQ.HTTP.URL CONTAINS x", None),
    ] {
        let rule = Expression::parse_rule(rule).unwrap();
        assert_eq!(rule.is_true(&sample.facts()), value, "{rule}");
        assert_eq!(rule.judge(Wanted::Truth, &sample.names).is_ok(), value.is_some(), "{rule}");
    }
    assert!(Expression::parse("REQ.HTTP.HEADER X-None EXISTS").unwrap().judge(Wanted::Truth, &sample.names).is_err());
}

/// As their names say; a file is a rule, or what a client is asked.
#[test]
fn the_corpus_is_read_or_refused() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/corpus/expression");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let rule = Expression::parse_rule(&text).unwrap().judge(Wanted::Anything, &ann().names);
        let read = rule.is_ok() || ClientExpression::parse(&text).is_ok();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert_eq!(read, name.starts_with("ok-"), "{name}: {rule:?}");
        // Cut anywhere it is read or refused, too.
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            if let Ok(part) = Expression::parse_rule(&text[..end]) {
                shown(&part, &ann().facts());
            }
        }
        seen += 1;
    }
    assert!(seen >= 8, "only {seen} files");
}

/// Expressions that are right, by what they give.
fn of_kind(kind: Wanted) -> BoxedStrategy<String> {
    let text = prop_oneof![
        Just("AAA.USER.NAME".to_owned()),
        Just("HTTP.REQ.URL".to_owned()),
        Just("HTTP.REQ.BODY(20)".to_owned()),
        Just("AAA.USER.GROUPS.GET(1)".to_owned()),
        "[a-c@\u{e4}]{0,4}".prop_map(|text| format!("\"{text}\"")),
    ];
    let text = text.prop_recursive(3, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} + {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}.AFTER_STR({b})")),
            (inner.clone(), 0..9).prop_map(|(a, n)| format!("{a}.SUBSTR({n}, 2)")),
            inner.prop_map(|a| format!("{a}.SET_TEXT_MODE(IGNORECASE)")),
        ]
    });
    let number = prop_oneof![
        (-9_i64..9).prop_map(|n| n.to_string()),
        text.clone().prop_map(|text| format!("{text}.LENGTH")),
        (text.clone(), 0..3).prop_map(|(text, n)| format!("({text}.LENGTH / {n} - 1)")),
    ];
    if kind == Wanted::Text {
        return text.boxed();
    }
    if kind == Wanted::Number {
        return number.boxed();
    }
    let truth = prop_oneof![
        Just("true".to_owned()),
        Just("is_native".to_owned()),
        (text.clone(), text.clone()).prop_map(|(a, b)| format!("{a}.CONTAINS({b})")),
        (text.clone(), text).prop_map(|(a, b)| format!("{a} == {b}")),
        (number.clone(), number).prop_map(|(a, b)| format!("{a} >= {b}")),
    ];
    truth
        .prop_recursive(3, 24, 3, |inner| {
            prop_oneof![
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} && {b}")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} || {b})")),
                inner.prop_map(|a| format!("!({a})")),
            ]
        })
        .boxed()
}

/// Any text of the words of the language.
fn words() -> impl Strategy<Value = String> {
    proptest::string::string_regex(
        "(HTTP|AAA|CLIENT|SYS|REQ|USER|\\.|HEADER|TIME|BETWEEN|EQ|GET|\\(|\\)|\"|'|re/|/|10\\.0\\.0\\.0/8|GMT 2026|,|&&|\\|\\||!|==|<|\\+|-|\\*|[0-9]{1,3}|true|is_native|\\$|\\\\|\u{e4}| ){0,24}",
    )
    .unwrap()
}

proptest! {
    #[test]
    fn no_text_breaks_reading_or_evaluation(text in prop_oneof![words(), "\\PC{0,40}"]) {
        let sample = ann();
        for expression in [Expression::parse(&text), Expression::parse_rule(&text)].into_iter().flatten() {
            if let Err(fault) = expression.judge(Wanted::Anything, &sample.names) {
                prop_assert!(text.get(fault.at.clone()).is_some(), "{fault:?} is not in {text:?}");
                prop_assert!(!fault.to_string().is_empty());
            }
            shown(&expression, &sample.facts());
        }
    }

    /// What is known when an expression is read holds when it is evaluated: it gives a value of its kind, or is undefined for a reason
    /// that lies in the facts.
    #[test]
    fn types_hold((text, wanted) in prop_oneof![
        of_kind(Wanted::Truth).prop_map(|text| (text, Wanted::Truth)),
        of_kind(Wanted::Number).prop_map(|text| (text, Wanted::Number)),
        of_kind(Wanted::Text).prop_map(|text| (text, Wanted::Text)),
    ]) {
        prop_assume!(text.chars().count() < 1500);
        let sample = ann();
        let expression = Expression::parse(&text).unwrap();
        match expression.judge(wanted, &sample.names) {
            Ok(()) => {}
            Err(fault) => prop_assert!(fault.kind == FaultKind::TooDeep, "{text}: {fault}"),
        }
        let why = match wanted {
            Wanted::Truth => expression.judged(&sample.facts()).err(),
            Wanted::Text => super::value::text(&expression, &sample.facts()).err(),
            Wanted::Number | Wanted::Anything => super::value::number(&expression, &sample.facts()).err(),
        };
        prop_assert!(why != Some(Undefined::Kind) && why != Some(Undefined::Missing), "{text}: {why:?}");
        // Blanks are no difference, and neither is another reading of the same text.
        let spaced = Expression::parse(&format!(" ( {text} )\t")).unwrap();
        if spaced.tree().is_ok() {
            prop_assert_eq!(shown(&spaced, &sample.facts()), shown(&expression, &sample.facts()));
        }
    }
}
