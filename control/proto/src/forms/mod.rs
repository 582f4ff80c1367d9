//! What a login asks and answers: the vendor's "Common Forms".
//!
//! ```text
//!  login schema (a file) ─► schema ─► Requirements ─► compose ─► Answer ─► write ─► AuthenticateResponse (XML) ─► client
//!  shipped: our own                       ▲              ▲                                                          │
//!                          announced: what this client   │ state: which form this is                                │
//!                          can show; text: in its words  └──────────────────────── a form body, read by `form` ◄────┘
//!                                                        read ◄─ AuthenticateResponse: tests, sluicectl, the agent
//! ```
//!
//! A document is a control block and a list of requirements in the order in which they are shown. Each has a credential (what
//! is wanted, under which id it comes back), a label (what the user reads) and an input (how it is entered). The sets of
//! words are open: a word that we do not know is kept. See `docs/wire/login.md`.

pub mod announced;
pub mod compose;
mod image;
pub mod language;
mod read;
pub mod schema;
pub mod shipped;
pub mod state;
pub mod text;
pub mod words;
mod write;

pub use image::{BadImage, IMAGE_URI_BYTES_MAX, Image};

use crate::form;
use crate::xml::{Caps, REQUEST_CAPS};
use words::{CredentialType, LabelType, Outcome, Status};

/// The media type of an answer.
pub const MEDIA_TYPE: &str = "application/vnd.citrix.authenticateresponse-1+xml";
/// The namespace of an answer, which is the document's default and never a prefix.
pub const NAMESPACE: &str = "http://citrix.com/authentication/response/1";
/// The namespace of extension data.
pub const EXTENSIONS: &str = "http://citrix.com/authentication/response/extensions/1";

/// For answers and for login schemas.
pub const CAPS: Caps = REQUEST_CAPS;
/// Most requirements of one form.
pub const REQUIREMENTS_MAX: usize = 64;
/// Most requirements with an id: what comes back must fit into one form body, together with `StateContext`.
pub const FIELDS_MAX: usize = form::FIELDS_MAX - 1;
/// Longest id of a field, in bytes.
pub const ID_BYTES_MAX: usize = form::NAME_BYTES_MAX;
/// Longest word of a set, in bytes.
pub const WORD_BYTES_MAX: usize = 64;
/// Longest text that is shown, prefilled or tested against, in bytes.
pub const TEXT_BYTES_MAX: usize = 4096;
/// Longest URL, in bytes.
pub const URL_BYTES_MAX: usize = 2048;
/// Longest state context, in bytes.
pub const STATE_BYTES_MAX: usize = 1024;
/// Most values to choose from.
pub const CHOICES_MAX: usize = 256;
/// Most fields that a label highlights.
pub const HIGHLIGHTS_MAX: usize = 16;
/// Most items of extension data at one credential.
pub const ITEMS_MAX: usize = 16;
const _: () = assert!(FIELDS_MAX <= REQUIREMENTS_MAX);

/// `AuthenticateResponse`: what a step of a login came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whether the step was processed. A wrong password is processed, too.
    pub status: Status,
    /// What came of it.
    pub result: Outcome,
    /// Opaque to the client, which sends it back with the form; see [`state`].
    pub state: String,
    /// For the client's log. Never shown, so never needed to go on.
    pub log_message: Option<String>,
    /// The form. There is always one with [`Outcome::MoreInfo`] and [`Outcome::UpdateCredentials`].
    pub requirements: Option<Requirements>,
    /// Where to go after a success.
    pub redirect: Option<String>,
}

/// `AuthenticationRequirements`: a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirements {
    /// Where the form goes: a path on this host, or below the page that sent it.
    pub post_back: String,
    /// Where giving up goes.
    pub cancel_post_back: Option<String>,
    /// What the button for that says. Without it there is none.
    pub cancel_text: Option<String>,
    /// In the order in which they are shown.
    pub all: Vec<Requirement>,
}

/// One line of a form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirement {
    /// What is wanted.
    pub credential: Credential,
    /// What the user reads.
    pub label: Label,
    /// How it is entered.
    pub input: Input,
}

/// `Credential`: what is wanted, and under which name it comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The name of the field in the form body. Without one nothing comes back.
    pub id: Option<String>,
    /// Under which name a client may keep the value.
    pub save_id: Option<String>,
    /// What it is.
    pub kind: CredentialType,
    /// Extension data: keys and values for clients that know the type.
    pub items: Vec<(String, String)>,
}

impl Default for Credential {
    fn default() -> Self {
        Self { id: None, save_id: None, kind: CredentialType::None, items: Vec::new() }
    }
}

/// `Label`: what the user reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The text, or for some types a key of [`text`].
    pub text: Option<String>,
    /// How it is shown.
    pub kind: LabelType,
    /// Ids of the fields that it speaks of.
    pub highlight: Vec<String>,
    /// An image, in the document itself.
    pub image: Option<Image>,
}

impl Default for Label {
    fn default() -> Self {
        Self { text: None, kind: LabelType::None, highlight: Vec::new(), image: None }
    }
}

impl Label {
    /// A label with a text.
    #[must_use]
    pub fn new(kind: LabelType, text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), kind, ..Self::default() }
    }
}

/// `Input`: how something is entered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Input {
    /// What helps to enter it.
    pub assistive: Option<String>,
    /// With what. None for a label alone, and for what the client answers by itself.
    pub control: Option<Control>,
}

/// With what something is entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// A line of text.
    Text(TextField),
    /// Yes or no, and which at first. Comes back as `true` or `false`.
    CheckBox(bool),
    /// One of several, all in view.
    RadioButton(Choice),
    /// One of several, from a list.
    ComboBox(Choice),
    /// Any of several. Comes back once for each that was chosen, or once without a value.
    MultiComboBox(Vec<Choosable>),
    /// A button with this text. Comes back if it was pressed, with its text.
    Button(String),
}

/// A line of text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextField {
    /// Not shown while it is typed.
    pub secret: bool,
    /// Cannot be changed, and does not come back.
    pub read_only: bool,
    /// What is in it at first.
    pub initial: String,
    /// A regular expression that the text should match. Advice for the client; whoever checks checks without it.
    pub constraint: Option<String>,
}

/// One of several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// The value that is chosen at first.
    pub initial: Option<String>,
    /// What there is.
    pub values: Vec<Shown>,
}

/// A value and what is shown for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// What the user reads.
    pub display: String,
    /// What comes back.
    pub value: String,
}

/// One that may be chosen beside others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choosable {
    /// What it is.
    pub shown: Shown,
    /// Whether it is chosen at first.
    pub selected: bool,
}

#[cfg(test)]
mod tests;
