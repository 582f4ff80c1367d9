//! Answers, written and read back.

use proptest::prelude::*;

use super::*;
use crate::xml::{BadMessage, BadXml, DEPTH_MAX};

fn word() -> impl Strategy<Value = String> {
    "[a-z][a-zA-Z0-9_.-]{0,12}"
}

/// Text in which everything occurs that a writer could get wrong.
fn any_text() -> impl Strategy<Value = String> {
    "[ -~\t\r\nü€漢\u{85}]{0,24}"
}

fn filled() -> impl Strategy<Value = String> {
    any_text().prop_filter("not empty", |text| !text.is_empty())
}

fn shown() -> impl Strategy<Value = Shown> {
    (any_text(), any_text()).prop_map(|(display, value)| Shown { display, value })
}

fn choice() -> impl Strategy<Value = Choice> {
    (prop::option::of(filled()), prop::collection::vec(shown(), 0..4)).prop_map(|(initial, values)| Choice { initial, values })
}

fn control() -> impl Strategy<Value = Control> {
    let choosable = (shown(), any::<bool>()).prop_map(|(shown, selected)| Choosable { shown, selected });
    prop_oneof![
        (any::<bool>(), any::<bool>(), any_text(), prop::option::of(filled())).prop_map(
            |(secret, read_only, initial, constraint)| Control::Text(TextField { secret, read_only, initial, constraint })
        ),
        any::<bool>().prop_map(Control::CheckBox),
        choice().prop_map(Control::RadioButton),
        choice().prop_map(Control::ComboBox),
        prop::collection::vec(choosable, 0..4).prop_map(Control::MultiComboBox),
        any_text().prop_map(Control::Button),
    ]
}

fn requirement() -> impl Strategy<Value = Requirement> {
    let items = prop::collection::vec((any_text(), any_text()), 0..3);
    let credential = (prop::option::of(filled()), word(), items).prop_map(|(save_id, kind, items)| Credential {
        id: None,
        save_id,
        kind: kind.as_str().into(),
        items,
    });
    let image = prop::option::of(Just(Image::parse("data:image/gif;base64,R0lGODlhAQABAAAAACw=").unwrap()));
    let label = (prop::option::of(filled()), word(), prop::collection::vec(any_text(), 0..3), image)
        .prop_map(|(text, kind, highlight, image)| Label { text, kind: kind.as_str().into(), highlight, image });
    let input =
        (prop::option::of(filled()), prop::option::of(control())).prop_map(|(assistive, control)| Input { assistive, control });
    (credential, label, input).prop_map(|(credential, label, input)| Requirement { credential, label, input })
}

fn requirements() -> impl Strategy<Value = Requirements> {
    let path = "/[a-zA-Z0-9/._~?=&-]{0,20}".prop_filter("another host", |path| !path.starts_with("//"));
    (
        path.clone(),
        prop::option::of(path),
        prop::option::of(filled()),
        prop::collection::vec((requirement(), any::<bool>()), 0..6),
    )
        .prop_map(|(post_back, cancel_post_back, cancel_text, lines)| {
            let numbered = |(n, (mut line, with_id)): (usize, (Requirement, bool))| {
                line.credential.id = with_id.then(|| format!("field {n} ü"));
                line
            };
            Requirements { post_back, cancel_post_back, cancel_text, all: lines.into_iter().enumerate().map(numbered).collect() }
        })
}

fn answer() -> impl Strategy<Value = Answer> {
    let result = prop::sample::select(vec!["success", "fail", "cancelled", "another"]);
    (word(), result, any_text(), prop::option::of(any_text()), prop::option::of(requirements()), prop::option::of(filled()))
        .prop_map(|(status, result, state, log_message, requirements, redirect)| {
            let result = if requirements.is_some() { Outcome::MoreInfo } else { result.into() };
            Answer { status: status.as_str().into(), result, state, log_message, requirements, redirect }
        })
}

proptest! {
    #[test]
    fn what_is_written_reads_back(answer in answer()) {
        prop_assert_eq!(Answer::read(&answer.write()), Ok(answer));
    }

    #[test]
    fn arbitrary_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let _answered = Answer::read(&bytes);
    }

    #[test]
    fn a_document_that_is_cut_is_none(answer in answer(), at in any::<prop::sample::Index>()) {
        let written = answer.write();
        prop_assert!(Answer::read(&written[..at.index(written.len())]).is_err());
    }
}

fn document(inner: &str) -> String {
    format!(
        "<AuthenticateResponse xmlns=\"{NAMESPACE}\"><Status>success</Status><Result>more-info</Result>{inner}</AuthenticateResponse>"
    )
}

fn lines(inner: &str) -> String {
    document(&format!(
        "<AuthenticationRequirements><PostBack>/x</PostBack><Requirements>{inner}</Requirements></AuthenticationRequirements>"
    ))
}

fn why(text: &str) -> Result<(), BadMessage> {
    Answer::read(text.as_bytes()).map(|_| ())
}

#[test]
fn what_occurs_once_occurs_once() {
    let line = "<Requirement><Credential><ID>a</ID><Type>none</Type></Credential></Requirement>";
    assert_eq!(why(&lines(line)), Ok(()));
    for (text, name) in [
        (document("<Status>x</Status>"), "Status"),
        (document("<Result>x</Result>"), "Result"),
        (
            lines("").replace("<AuthenticationRequirements>", "<StateContext/><StateContext/><AuthenticationRequirements>"),
            "StateContext",
        ),
        (lines("").replace("<PostBack>", "<PostBack>/y</PostBack><PostBack>"), "PostBack"),
        (lines("").replace("</Requirements>", "</Requirements><Requirements/>"), "Requirements"),
        (lines(&line.repeat(2)), "ID"),
        (lines(&line.replace("<ID>a</ID>", "<ID>a</ID><ID>b</ID>")), "ID"),
        (lines(&line.replace("</Credential>", "</Credential><Credential/>")), "Credential"),
        (lines(&line.replace("</Credential>", "</Credential><Label/><Label/>")), "Label"),
        (lines(&line.replace("</Credential>", "</Credential><Input/><Input/>")), "Input"),
        (lines(&line.replace("</Credential>", "<Data/><x:Data/></Credential>")), "Data"),
        (lines(&line.replace("</Credential>", "<Data><Item><Key/><Key/><Value/></Item></Data></Credential>")), "Key"),
    ] {
        assert_eq!(why(&text), Err(BadMessage::Duplicate(name)), "{text}");
    }
}

#[test]
fn what_must_be_there_is_there() {
    for (text, name) in [
        (format!("<AuthenticateResponse xmlns=\"{NAMESPACE}\"><Result>success</Result></AuthenticateResponse>"), "Status"),
        (format!("<AuthenticateResponse xmlns=\"{NAMESPACE}\"><Status>success</Status></AuthenticateResponse>"), "Result"),
        (document("").replace("more-info", " "), "Result"),
        (document(""), "AuthenticationRequirements"),
        (document("").replace("more-info", "update-credentials"), "AuthenticationRequirements"),
        (lines("").replace("/x", ""), "PostBack"),
        (lines("<Requirement/>"), "Credential"),
        (lines("<Requirement><Credential><Data><Item><Value/></Item></Data></Credential></Requirement>"), "Key"),
    ] {
        assert_eq!(why(&text), Err(BadMessage::Missing(name)), "{text}");
    }
    assert_eq!(why(&document("").replace("more-info", "success")), Ok(()));
}

/// A document in which there is so much of something.
type Make<'m> = &'m dyn Fn(usize) -> String;

#[test]
fn each_cap_has_its_name() {
    let id = |n: usize| format!("<Requirement><Credential><ID>f{n}</ID></Credential></Requirement>");
    let input = |inner: &str| lines(&format!("<Requirement><Credential/><Input>{inner}</Input></Requirement>"));
    let values =
        |count: usize| input(&format!("<ComboBox><DisplayValues>{}</DisplayValues></ComboBox>", "<DisplayValue/>".repeat(count)));
    let credential = |inner: &str| lines(&format!("<Requirement><Credential>{inner}</Credential></Requirement>"));
    let items = |count: usize| credential(&format!("<Data>{}</Data>", "<Item><Key/><Value/></Item>".repeat(count)));
    let label = |inner: &str| lines(&format!("<Requirement><Credential/><Label>{inner}</Label></Requirement>"));
    let highlights = |count: usize| label(&format!("<HighlightFields>{}</HighlightFields>", "<CredentialID/>".repeat(count)));
    let sized = |name: &str, bytes: usize| format!("<{name}>{}</{name}>", "x".repeat(bytes));
    let cases: [(&str, usize, Make<'_>); 13] = [
        ("Requirement", REQUIREMENTS_MAX, &|n| lines(&"<Requirement><Credential/></Requirement>".repeat(n))),
        ("ID", FIELDS_MAX, &|n| lines(&(0..n).map(id).collect::<String>())),
        ("ID", ID_BYTES_MAX, &|n| credential(&sized("ID", n))),
        ("SaveID", ID_BYTES_MAX, &|n| credential(&sized("SaveID", n))),
        ("Type", WORD_BYTES_MAX, &|n| credential(&sized("Type", n))),
        ("Item", ITEMS_MAX, &items),
        ("Text", TEXT_BYTES_MAX, &|n| label(&sized("Text", n))),
        ("CredentialID", HIGHLIGHTS_MAX, &highlights),
        ("InitialValue", TEXT_BYTES_MAX, &|n| input(&format!("<Text>{}</Text>", sized("InitialValue", n)))),
        ("Button", TEXT_BYTES_MAX, &|n| input(&sized("Button", n))),
        ("DisplayValue", CHOICES_MAX, &values),
        ("StateContext", STATE_BYTES_MAX, &|n| lines("").replace("<Status>", &format!("{}<Status>", sized("StateContext", n)))),
        ("PostBack", URL_BYTES_MAX, &|n| lines("").replace("/x", &"x".repeat(n))),
    ];
    for (name, max, text) in cases {
        assert_eq!(why(&text(max)), Ok(()), "{name}");
        assert_eq!(why(&text(max + 1)), Err(BadMessage::TooMuch(name)));
    }
    let deep = document(&format!("{}{}", "<x>".repeat(DEPTH_MAX), "</x>".repeat(DEPTH_MAX)));
    assert_eq!(why(&deep), Err(BadXml::Depth.into()));
    let bytes = CAPS.document_bytes + 1;
    assert_eq!(why(&"x".repeat(bytes)), Err(BadXml::TooLong { bytes, max: CAPS.document_bytes }.into()));
}

#[test]
fn what_nobody_knows_is_skipped_and_what_is_wrong_is_not() {
    let input = |inner: &str| lines(&format!("<Requirement><Credential/><Input>{inner}</Input></Requirement>"));
    let read = Answer::read(input("<Slider/><Text><New/></Text>").as_bytes()).unwrap();
    assert_eq!(read.requirements.unwrap().all[0].input.control, Some(Control::Text(TextField::default())));
    let read = Answer::read(input("<Slider><Text/></Slider>").as_bytes()).unwrap();
    assert_eq!(read.requirements.unwrap().all[0].input, Input::default());
    for (inner, why_not) in [
        ("<Text/><Button/>", BadMessage::TooMuch("Input")),
        ("<Text/><Text/>", BadMessage::TooMuch("Input")),
        ("<CheckBox><InitialValue>yes</InitialValue></CheckBox>", BadMessage::Value("InitialValue")),
    ] {
        assert_eq!(why(&input(inner)), Err(why_not), "{inner}");
    }
    for path in ["http://192.0.2.1/", "//192.0.2.1/", "javascript:x", "/a b", "/a\\b", "/\u{e4}", "/a&#10;b"] {
        assert_eq!(why(&lines("").replace("/x", path)), Err(BadMessage::Value("PostBack")), "{path}");
    }
    for path in ["ExplicitAuth/LoginAttempt", "/nf/auth/doAuthentication.do", "/x?a=b:c"] {
        assert_eq!(why(&lines("").replace("/x", path)), Ok(()), "{path}");
    }
}

#[test]
fn extension_data_is_found_with_and_without_prefix() {
    let with = |open: &str, inner: &str, close: &str| {
        lines(&format!("<Requirement><Credential><{open}>{inner}</{close}></Credential></Requirement>"))
    };
    let plain = "<Item><Key>a</Key><Value>1</Value></Item><Item><Key>b</Key><Value/></Item>";
    let prefixed = plain.replace('<', "<e:").replace("<e:/", "</e:");
    for text in [
        with(&format!("Data xmlns=\"{EXTENSIONS}\""), plain, "Data"),
        with(&format!("e:Data xmlns:e=\"{EXTENSIONS}\""), &prefixed, "e:Data"),
    ] {
        let read = Answer::read(text.as_bytes()).unwrap().requirements.unwrap();
        assert_eq!(read.all[0].credential.items, [("a".into(), "1".into()), ("b".into(), String::new())], "{text}");
    }
}
