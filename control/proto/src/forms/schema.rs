//! Login schemas: the forms that operators write, in files.
//!
//! ```text
//!   /nsconfig/loginschema/….xml ─► Schema::parse ─► fill: ${…} ─► announced: for this client ─► compose: an answer
//! ```
//!
//! A file is an answer with an empty `StateContext`; where it goes back to is set when it is sent. It may lack `Label` or `Input`,
//! have `Type` in front of `Text` or behind it, and begin with or without a declaration. What nobody could fill in is refused
//! here, with line and column, and not when a user stands before it.

use std::borrow::Cow;

use thiserror::Error;

use super::read::{self, Unknown};
use super::words::{CredentialType, Outcome};
use super::{CAPS, Control, Requirements};
use crate::xml::encoding;
use crate::xml::read::Document;
use crate::xml::{BadMessage, BadXml};

/// What may stand between `${` and `}` in an `InitialValue`, in any case. Both are the name of the user.
const NAMES_OF_USER: [&str; 2] = ["http.req.user.name", "aaa.user.name"];

/// A form as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    form: Requirements,
}

/// Why a file is no login schema. The fault of whoever wrote it.
#[derive(Debug, PartialEq, Eq, Error)]
#[error("line {line}, column {column}")]
pub struct BadSchema {
    /// From 1. The element, or for broken markup the piece, that is in question begins here.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong.
    #[source]
    pub why: NotASchema,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotASchema {
    /// Not XML, or not an `AuthenticateResponse` in which everything has its place. A value of `Input` that is not allowed is a
    /// control that nobody knows.
    #[error(transparent)]
    Message(#[from] BadMessage),
    /// The file is an answer, but not one with a form.
    #[error("Result must be more-info or update-credentials")]
    NoForm,
    /// There is nothing in it to fill in or to press.
    #[error("the form has no Credential with an ID: nothing could come back")]
    NothingToFill,
    /// `${…}` with something that we do not put in.
    #[error("InitialValue of {id} has ${{{name}}}, which is not one of ${{http.req.user.name}} and ${{AAA.USER.NAME}}")]
    Substitution {
        /// The field.
        id: String,
        /// What stands between the braces.
        name: String,
    },
}

impl Schema {
    /// Reads a file.
    ///
    /// # Errors
    /// [`BadSchema`], naming the first rule that is broken, and where.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadSchema> {
        let located = |start: usize, why: NotASchema| {
            let (line, column) = place(bytes, start);
            BadSchema { line, column, why }
        };
        let document = Document::read_placed(bytes, CAPS).map_err(|(why, start)| located(start, BadMessage::Xml(why).into()))?;
        let answer = read::of_document(&document, Unknown::Refused).map_err(|bad| located(bad.start, bad.why.into()))?;
        let form = match (answer.result, answer.requirements) {
            (Outcome::MoreInfo | Outcome::UpdateCredentials, Some(form)) => form,
            (Outcome::Success | Outcome::Fail | Outcome::Cancelled | Outcome::Other(_), _) | (_, None) => {
                return Err(located(0, NotASchema::NoForm));
            }
        };
        if form.all.iter().all(|requirement| requirement.credential.id.is_none()) {
            return Err(located(0, NotASchema::NothingToFill));
        }
        for (id, field) in text_fields(&form) {
            if let Err(name) = substituted(&field.initial, "") {
                let why = NotASchema::Substitution { id: id.unwrap_or("a field").to_owned(), name: name.to_owned() };
                return Err(located(start_of(bytes, name), why));
            }
        }
        Ok(Self { form })
    }

    /// The form as it was written, with `${…}` as it stands.
    #[must_use]
    pub fn form(&self) -> &Requirements {
        &self.form
    }

    /// Whether the name of the user is put in somewhere.
    #[must_use]
    pub fn wants_user(&self) -> bool {
        text_fields(&self.form).any(|(_, field)| matches!(substituted(&field.initial, ""), Ok(Cow::Owned(_))))
    }

    /// The form with the name of the user put in; empty if nobody has told it yet.
    #[must_use]
    pub fn fill(&self, user: &str) -> Requirements {
        let mut form = self.form.clone();
        for requirement in &mut form.all {
            if let Some(Control::Text(field)) = &mut requirement.input.control
                && let Ok(Cow::Owned(filled)) = substituted(&field.initial, user)
            {
                field.initial = filled;
            }
        }
        form
    }

    /// The fields that come back: id, and what it is. Read-only ones do not.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &CredentialType)> {
        self.form.all.iter().filter_map(|requirement| {
            let read_only = matches!(&requirement.input.control, Some(Control::Text(field)) if field.read_only);
            let id = requirement.credential.id.as_deref().filter(|_| !read_only)?;
            Some((id, &requirement.credential.kind))
        })
    }
}

fn text_fields(form: &Requirements) -> impl Iterator<Item = (Option<&str>, &super::TextField)> {
    form.all.iter().filter_map(|requirement| match &requirement.input.control {
        Some(Control::Text(field)) => Some((requirement.credential.id.as_deref(), field)),
        Some(
            Control::CheckBox(_)
            | Control::RadioButton(_)
            | Control::ComboBox(_)
            | Control::MultiComboBox(_)
            | Control::Button(_),
        )
        | None => None,
    })
}

/// `text` with every `${…}` replaced, or what stands in one that we do not know. A `${` that is never closed is text.
fn substituted<'t>(text: &'t str, user: &str) -> Result<Cow<'t, str>, &'t str> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, (name, after))) =
        rest.split_once("${").and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
    {
        if !NAMES_OF_USER.iter().any(|known| name.trim().eq_ignore_ascii_case(known)) {
            return Err(name);
        }
        filled.push_str(before);
        filled.push_str(user);
        rest = after;
    }
    if rest.len() == text.len() {
        return Ok(Cow::Borrowed(text));
    }
    filled.push_str(rest);
    Ok(Cow::Owned(filled))
}

/// Where `name` stands as a substitution, in bytes of the document as UTF-8. At the beginning if it is written with references.
fn start_of(bytes: &[u8], name: &str) -> usize {
    encoding::decode(bytes).ok().and_then(|(_, text)| text.find(&format!("${{{name}}}"))).unwrap_or_default()
}

/// Line and column, from 1, of a place in the decoded text. A document whose bytes mean nothing is wrong at its beginning.
fn place(bytes: &[u8], start: usize) -> (usize, usize) {
    let decoded: Result<_, BadXml> = encoding::decode(bytes);
    let Ok((_, text)) = decoded else { return (1, 1) };
    let before = text.get(..start).unwrap_or(&text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::forms::{NAMESPACE, TextField};

    fn file(requirements: &str) -> String {
        format!(
            "<AuthenticateResponse xmlns=\"{NAMESPACE}\">\n<Status>success</Status><Result>more-info</Result><StateContext/>\n\
             <AuthenticationRequirements><PostBack>/nf/auth/doAuthentication.do</PostBack>\n<Requirements>\n{requirements}\n\
             </Requirements></AuthenticationRequirements></AuthenticateResponse>"
        )
    }

    fn field(initial: &str) -> String {
        file(&format!(
            "<Requirement><Credential><Type>username</Type><ID>login</ID></Credential><Input><Text>\
             <InitialValue>{initial}</InitialValue></Text></Input></Requirement>"
        ))
    }

    fn initial(form: &Requirements) -> &str {
        let Some(Control::Text(TextField { initial, .. })) = &form.all[0].input.control else { panic!("no text field") };
        initial
    }

    #[test]
    fn files_are_read_as_people_write_them() {
        let parsed = Schema::parse(
            file(
                "<Requirement><Credential><Type>none</Type></Credential><Label><Type>nsg-login-heading</Type>\
                 <Text> nsg_loginHeading </Text></Label></Requirement>\n\
                 <Requirement><Credential><ID>login</ID><SaveID>login</SaveID><Type>username</Type></Credential>\
                 <Input><AssistiveText></AssistiveText><Text/></Input></Requirement>\n\
                 <Requirement><Credential><ID>Logon</ID><Type/></Credential><Input><Button>Log On</Button></Input>\
                 <Label><Type/></Label></Requirement>",
            )
            .as_bytes(),
        )
        .unwrap();
        let form = parsed.form();
        assert_eq!(form.all[0].label.text.as_deref(), Some("nsg_loginHeading"));
        assert_eq!(form.all[1].input.control, Some(Control::Text(TextField::default())));
        assert_eq!(form.all[2].input.control, Some(Control::Button("Log On".into())));
        let fields: Vec<_> = parsed.fields().collect();
        assert_eq!(fields, [("login", &CredentialType::Username), ("Logon", &CredentialType::None)]);
    }

    #[test]
    fn the_name_of_the_user_is_put_in() {
        for (written, filled) in [
            ("${http.req.user.name}", "ann"),
            ("${AAA.USER.NAME}", "ann"),
            ("${ HTTP.REQ.USER.NAME }@example.test", "ann@example.test"),
            ("a${AAA.USER.NAME}b${AAA.USER.NAME}c", "aannbannc"),
            ("${unfinished", "${unfinished"),
            ("{AAA.USER.NAME} $", "{AAA.USER.NAME} $"),
            ("", ""),
        ] {
            let schema = Schema::parse(field(written).as_bytes()).unwrap();
            assert_eq!(initial(schema.form()), written);
            assert_eq!(initial(&schema.fill("ann")), filled, "{written}");
            assert_eq!(schema.wants_user(), written != filled, "{written}");
        }
        // What a user is called is never looked into.
        let schema = Schema::parse(field("${AAA.USER.NAME}").as_bytes()).unwrap();
        assert_eq!(initial(&schema.fill("${AAA.USER.NAME}<&\"")), "${AAA.USER.NAME}<&\"");
    }

    #[test]
    fn what_is_wrong_comes_with_its_place() {
        let line = |inner: &str| file(&format!("<Requirement/>\n   {inner}").replace("<Requirement/>\n", "\n"));
        let ok = "<Requirement><Credential><ID>a</ID><Type>none</Type></Credential></Requirement>";
        let bad = |inner: &str| {
            BadMessage::Value(match inner {
                "Binary" => "Binary",
                "Input" => "Input",
                _ => "Secret",
            })
        };
        for (text, place, why) in [
            (String::new(), (1, 1), BadMessage::Xml(BadXml::NotWellFormed { offset: 0 }).into()),
            (line("<Requirement></x>"), (6, 17), BadMessage::Xml(BadXml::NotWellFormed { offset: 0 }).into()),
            (line(&format!("{ok}&nbsp;")), (6, 4 + ok.len()), BadMessage::Xml(BadXml::Entity).into()),
            (line("<Requirement/>"), (6, 4), BadMessage::Missing("Credential").into()),
            (line(&ok.repeat(2)), (6, 4 + ok.len()), BadMessage::Duplicate("ID").into()),
            (line("<Requirement><Credential/><Credential/></Requirement>"), (6, 4), BadMessage::Duplicate("Credential").into()),
            (line("<Requirement><Credential/><Input><Slider/></Input></Requirement>"), (6, 37), bad("Input").into()),
            (
                line("<Requirement><Credential/><Input><Text/><CheckBox/></Input></Requirement>"),
                (6, 44),
                BadMessage::TooMuch("Input").into(),
            ),
            (
                line("<Requirement><Credential/><Input><Text><Secret>x</Secret></Text></Input></Requirement>"),
                (6, 37),
                bad("Secret").into(),
            ),
            (
                line("<Requirement><Credential/><Label><Binary>http://192.0.2.1/x.png</Binary></Label></Requirement>"),
                (6, 37),
                bad("Binary").into(),
            ),
            ("<x/>".into(), (1, 1), BadMessage::Root("AuthenticateResponse").into()),
            (line("<Requirement><Credential/></Requirement>"), (1, 1), NotASchema::NothingToFill),
            (line(ok).replace("more-info", "success"), (1, 1), NotASchema::NoForm),
            (line(ok).replace("more-info", "ok"), (1, 1), NotASchema::NoForm),
            (
                field("${AAA.USER.EMAIL}"),
                (5, 101),
                NotASchema::Substitution { id: "login".into(), name: "AAA.USER.EMAIL".into() },
            ),
            (line(ok).replace("/nf/auth", "https://192.0.2.1"), (3, 1), BadMessage::Value("PostBack").into()),
            (line(ok).replace("/nf/auth", "//192.0.2.1"), (3, 1), BadMessage::Value("PostBack").into()),
        ] {
            let error = Schema::parse(text.as_bytes()).unwrap_err();
            let is_malformed =
                |why: &NotASchema| matches!(why, NotASchema::Message(BadMessage::Xml(BadXml::NotWellFormed { .. })));
            assert_eq!((error.line, error.column), place, "{text}: {}", error.why);
            assert!(error.why == why || is_malformed(&why) && is_malformed(&error.why), "{text}: {}", error.why);
        }
        let text = "<!-- Gr\u{fc}\u{df}e -->\r\n<x y='1' y='2'/>";
        let latin: Vec<u8> = text.chars().map(|c| u8::try_from(c).unwrap()).collect();
        let latin = [b"<?xml version='1.0' encoding='ISO-8859-1'?>\r\n", latin.as_slice()].concat();
        let error = Schema::parse(&latin).unwrap_err();
        assert_eq!((error.line, error.column), (3, 1));
        assert_eq!(error.to_string(), "line 3, column 1");
    }

    proptest! {
        #[test]
        fn arbitrary_files_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..256), inner in "[<>/A-Za-z &;{}$]{0,200}") {
            let _answered = Schema::parse(&bytes);
            let _answered = Schema::parse(file(&inner).as_bytes());
            let _answered = Schema::parse(field(&inner).as_bytes());
        }
    }
}
