//! Bytes to answers, under the caps of [`super`].
//!
//! One reader serves two languages that differ in what they do with a control that nobody knows: in an answer it is skipped, as
//! the dialect wants of clients, and in a login schema it is an error of whoever wrote the file. What may occur once and occurs
//! twice is an error in both, and so are two fields with one id: their values could not be told apart when they come back.

use super::words::{CredentialType, LabelType, Outcome};
use super::{
    Answer, CAPS, CHOICES_MAX, Choice, Choosable, Control, Credential, FIELDS_MAX, HIGHLIGHTS_MAX, ID_BYTES_MAX, ITEMS_MAX,
    Image, Input, Label, REQUIREMENTS_MAX, Requirement, Requirements, STATE_BYTES_MAX, Shown, TEXT_BYTES_MAX, TextField,
    URL_BYTES_MAX, WORD_BYTES_MAX,
};
use crate::xml::BadMessage;
use crate::xml::read::{Document, Node};

const ROOT: &str = "AuthenticateResponse";
/// The children of `Input`, of which one may be there.
const CONTROLS: [&str; 6] = ["Text", "CheckBox", "RadioButton", "ComboBox", "MultiComboBox", "Button"];

/// What is wrong, and the place of the element in question.
#[derive(Debug)]
pub(super) struct Bad {
    pub(super) why: BadMessage,
    /// In bytes of the document as UTF-8.
    pub(super) start: usize,
}

type Read<T> = Result<T, Bad>;

/// What becomes of a control that nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unknown {
    Skipped,
    Refused,
}

impl Answer {
    /// Reads a document.
    ///
    /// # Errors
    /// [`BadMessage`], naming the first rule that is broken.
    pub fn read(bytes: &[u8]) -> Result<Self, BadMessage> {
        let document = Document::read(bytes, CAPS)?;
        answer(document.root(ROOT)?, Unknown::Skipped).map_err(|bad| bad.why)
    }
}

/// The answer of which `document` is made.
pub(super) fn of_document(document: &Document, unknown: Unknown) -> Read<Answer> {
    answer(document.root(ROOT).map_err(|why| Bad { why, start: 0 })?, unknown)
}

fn answer(root: Node<'_>, unknown: Unknown) -> Read<Answer> {
    let status = required_word(root, "Status")?.as_str().into();
    let result = Outcome::from(required_word(root, "Result")?.as_str());
    let requirements = match at(root, root.optional("AuthenticationRequirements"))? {
        Some(node) => Some(form(node, unknown)?),
        None if matches!(result, Outcome::MoreInfo | Outcome::UpdateCredentials) => {
            return fail(root, BadMessage::Missing("AuthenticationRequirements"));
        }
        None => None,
    };
    Ok(Answer {
        status,
        result,
        state: text(root, "StateContext", STATE_BYTES_MAX)?.unwrap_or_default(),
        log_message: text(root, "LogMessage", TEXT_BYTES_MAX)?,
        requirements,
        redirect: text(root, "RedirectURL", URL_BYTES_MAX)?.filter(|url| !url.is_empty()),
    })
}

fn form(node: Node<'_>, unknown: Unknown) -> Read<Requirements> {
    let list = at(node, node.required("Requirements"))?;
    let mut all: Vec<Requirement> = Vec::new();
    for child in list.each("Requirement") {
        if all.len() >= REQUIREMENTS_MAX {
            return fail(child, BadMessage::TooMuch("Requirement"));
        }
        let read = requirement(child, unknown)?;
        if let Some(id) = &read.credential.id {
            let mut ids = all.iter().filter_map(|held| held.credential.id.as_ref());
            if ids.clone().any(|held| held == id) {
                return fail(child, BadMessage::Duplicate("ID"));
            }
            if ids.by_ref().count() >= FIELDS_MAX {
                return fail(child, BadMessage::TooMuch("ID"));
            }
        }
        all.push(read);
    }
    let Some(post_back) = path(node, "PostBack")? else { return fail(node, BadMessage::Missing("PostBack")) };
    Ok(Requirements {
        post_back,
        cancel_post_back: path(node, "CancelPostBack")?,
        cancel_text: filled(node, "CancelButtonText", TEXT_BYTES_MAX)?,
        all,
    })
}

fn requirement(node: Node<'_>, unknown: Unknown) -> Read<Requirement> {
    let credential = credential(at(node, node.required("Credential"))?)?;
    let label = at(node, node.optional("Label"))?.map(label).transpose()?.unwrap_or_default();
    let input = at(node, node.optional("Input"))?.map(|node| input(node, unknown)).transpose()?.unwrap_or_default();
    Ok(Requirement { credential, label, input })
}

fn credential(node: Node<'_>) -> Read<Credential> {
    let mut data = node.children().filter(|child| local(*child) == "Data");
    let items = data.next().map(items).transpose()?.unwrap_or_default();
    if let Some(second) = data.next() {
        return fail(second, BadMessage::Duplicate("Data"));
    }
    Ok(Credential {
        id: filled(node, "ID", ID_BYTES_MAX)?,
        save_id: filled(node, "SaveID", ID_BYTES_MAX)?,
        kind: word(node, "Type")?.as_deref().map_or(CredentialType::None, CredentialType::from),
        items,
    })
}

/// Extension data stand in a namespace of their own, so their names may have a prefix.
fn items(node: Node<'_>) -> Read<Vec<(String, String)>> {
    let one = |item: Node<'_>, name: &'static str| -> Read<String> {
        let mut found = item.children().filter(|child| local(*child) == name);
        let Some(first) = found.next() else { return fail(item, BadMessage::Missing(name)) };
        if found.next().is_some() {
            return fail(item, BadMessage::Duplicate(name));
        }
        bounded(first, name, TEXT_BYTES_MAX)
    };
    let mut all = Vec::new();
    for item in node.children().filter(|child| local(*child) == "Item") {
        if all.len() >= ITEMS_MAX {
            return fail(item, BadMessage::TooMuch("Item"));
        }
        all.push((one(item, "Key")?, one(item, "Value")?));
    }
    Ok(all)
}

fn label(node: Node<'_>) -> Read<Label> {
    let highlight = match at(node, node.optional("HighlightFields"))? {
        None => Vec::new(),
        Some(fields) => at(fields, fields.texts("CredentialID", HIGHLIGHTS_MAX))?.into_iter().map(str::to_owned).collect(),
    };
    if highlight.iter().any(|id| id.len() > ID_BYTES_MAX) {
        return fail(node, BadMessage::TooMuch("CredentialID"));
    }
    let image = match at(node, node.optional("Binary"))? {
        None => None,
        Some(binary) if binary.text().is_empty() => None,
        Some(binary) => Some(at(binary, Image::parse(binary.text()).map_err(|_| BadMessage::Value("Binary")))?),
    };
    Ok(Label {
        text: filled(node, "Text", TEXT_BYTES_MAX)?,
        kind: word(node, "Type")?.as_deref().map_or(LabelType::None, LabelType::from),
        highlight,
        image,
    })
}

fn input(node: Node<'_>, unknown: Unknown) -> Read<Input> {
    let mut control = None;
    for child in node.children().filter(|child| child.name() != "AssistiveText") {
        let known = CONTROLS.contains(&child.name());
        match (known, unknown) {
            (true, _) if control.is_some() => return fail(child, BadMessage::TooMuch("Input")),
            (true, _) => control = self::control(child)?,
            (false, Unknown::Skipped) => {}
            (false, Unknown::Refused) => return fail(child, BadMessage::Value("Input")),
        }
    }
    Ok(Input { assistive: filled(node, "AssistiveText", TEXT_BYTES_MAX)?, control })
}

fn control(node: Node<'_>) -> Read<Option<Control>> {
    Ok(Some(match node.name() {
        "Text" => Control::Text(TextField {
            secret: boolean(node, "Secret")?,
            read_only: boolean(node, "ReadOnly")?,
            initial: text(node, "InitialValue", TEXT_BYTES_MAX)?.unwrap_or_default(),
            constraint: filled(node, "Constraint", TEXT_BYTES_MAX)?,
        }),
        "CheckBox" => Control::CheckBox(boolean(node, "InitialValue")?),
        "RadioButton" => Control::RadioButton(choice(node)?),
        "ComboBox" => Control::ComboBox(choice(node)?),
        "MultiComboBox" => Control::MultiComboBox(values(node, |value| {
            Ok(Choosable { shown: shown(value)?, selected: boolean(value, "Select")? })
        })?),
        "Button" => Control::Button(bounded(node, "Button", TEXT_BYTES_MAX)?),
        _ => return Ok(None),
    }))
}

fn choice(node: Node<'_>) -> Read<Choice> {
    Ok(Choice { initial: filled(node, "InitialSelection", TEXT_BYTES_MAX)?, values: values(node, shown)? })
}

fn values<T>(node: Node<'_>, one: impl Fn(Node<'_>) -> Read<T>) -> Read<Vec<T>> {
    let Some(list) = at(node, node.optional("DisplayValues"))? else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    for value in list.each("DisplayValue") {
        if all.len() >= CHOICES_MAX {
            return fail(value, BadMessage::TooMuch("DisplayValue"));
        }
        all.push(one(value)?);
    }
    Ok(all)
}

fn shown(node: Node<'_>) -> Read<Shown> {
    let value = text(node, "Value", TEXT_BYTES_MAX)?.unwrap_or_default();
    Ok(Shown { display: text(node, "Display", TEXT_BYTES_MAX)?.unwrap_or_else(|| value.clone()), value })
}

/// An element's name without its prefix.
fn local(node: Node<'_>) -> &str {
    node.name().rsplit(':').next().unwrap_or_default()
}

/// A word of a set. Empty counts as absent.
fn word(node: Node<'_>, name: &'static str) -> Read<Option<String>> {
    let word = filled(node, name, WORD_BYTES_MAX)?;
    match word {
        Some(word) if word.contains(|c: char| c.is_whitespace() || c.is_control()) => fail(node, BadMessage::Value(name)),
        word => Ok(word),
    }
}

fn required_word(node: Node<'_>, name: &'static str) -> Read<String> {
    match word(node, name)? {
        Some(word) => Ok(word),
        None => fail(node, BadMessage::Missing(name)),
    }
}

/// A path that stays on the server that sent it: no scheme, no other host, nothing that a header could not hold.
fn path(node: Node<'_>, name: &'static str) -> Read<Option<String>> {
    match filled(node, name, URL_BYTES_MAX)? {
        Some(path) if !stays(&path) => fail(node, BadMessage::Value(name)),
        path => Ok(path),
    }
}

fn stays(path: &str) -> bool {
    let before_slash = path.split('/').next().unwrap_or_default();
    path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') && !path.starts_with("//") && !before_slash.contains(':')
}

/// The text of an optional child. Empty counts as absent.
fn filled(node: Node<'_>, name: &'static str, bytes_max: usize) -> Read<Option<String>> {
    Ok(text(node, name, bytes_max)?.filter(|text| !text.is_empty()))
}

/// The text of an optional child.
fn text(node: Node<'_>, name: &'static str, bytes_max: usize) -> Read<Option<String>> {
    at(node, node.optional(name))?.map(|child| bounded(child, name, bytes_max)).transpose()
}

fn bounded(node: Node<'_>, name: &'static str, bytes_max: usize) -> Read<String> {
    let text = node.text();
    if text.len() > bytes_max { fail(node, BadMessage::TooMuch(name)) } else { Ok(text.to_owned()) }
}

/// `true` or `false`, or as XML Schema also has them, `1` or `0`. Absent and empty are false.
fn boolean(node: Node<'_>, name: &'static str) -> Read<bool> {
    match at(node, node.optional_text(name))? {
        None | Some("" | "0") => Ok(false),
        Some("1") => Ok(true),
        Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        Some(_) => fail(node, BadMessage::Value(name)),
    }
}

fn at<T>(node: Node<'_>, result: Result<T, BadMessage>) -> Read<T> {
    result.map_err(|why| Bad { why, start: node.start() })
}

fn fail<T>(node: Node<'_>, why: BadMessage) -> Read<T> {
    Err(Bad { why, start: node.start() })
}
