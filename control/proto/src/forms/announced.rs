//! What a client says that it can show, and a form cut to that.
//!
//! ```text
//!   X-Citrix-AM-CredentialTypes: none, username, password, nsg-epa, …   ─┐
//!   X-Citrix-AM-LabelTypes:      none, plain, error, nsg-login-label, …  ─┴─► Announced ── fit ─► the same form, for this client
//! ```
//!
//! A client refuses a whole form for one credential type that it does not know, so none such is sent: it becomes a standard type
//! that does the same, or its line is left out if the form works without, or there is no form for this client. A label type that
//! a client does not know becomes a standard one, with the text in place of a key.

use thiserror::Error;

use super::language::Language;
use super::words::{CredentialType, LabelType};
use super::{Control, Label, Requirement, Requirements, WORD_BYTES_MAX, text};

/// The headers' names.
pub const CREDENTIAL_TYPES: &str = "x-citrix-am-credentialtypes";
/// See [`CREDENTIAL_TYPES`].
pub const LABEL_TYPES: &str = "x-citrix-am-labeltypes";
/// Most words of one header that count. Real ones have about fifty.
pub const WORDS_MAX: usize = 128;

/// What a client without the header has.
const DEFAULT_CREDENTIALS: [CredentialType; 8] = [
    CredentialType::None,
    CredentialType::Username,
    CredentialType::Domain,
    CredentialType::Password,
    CredentialType::NewPassword,
    CredentialType::Passcode,
    CredentialType::SaveCredentials,
    CredentialType::TextCredential,
];
/// See [`DEFAULT_CREDENTIALS`].
const DEFAULT_LABELS: [LabelType; 7] = [
    LabelType::None,
    LabelType::Plain,
    LabelType::Heading,
    LabelType::Information,
    LabelType::Warning,
    LabelType::Error,
    LabelType::Confirmation,
];

/// What a client can show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    credentials: Vec<CredentialType>,
    labels: Vec<LabelType>,
}

/// A form needs something that the client cannot show.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the form needs credential type {kind}, which the client did not announce")]
pub struct Unfit {
    /// What it lacks.
    pub kind: CredentialType,
}

impl Default for Announced {
    fn default() -> Self {
        Self { credentials: DEFAULT_CREDENTIALS.into(), labels: DEFAULT_LABELS.into() }
    }
}

impl Announced {
    /// Reads the values of the two headers; several of one name are to be joined with commas. A header that is absent or names
    /// nothing means the defaults. Whatever is beyond the caps, or no word, does not count: it is not answered with an error,
    /// since a client can have types that nobody foresaw.
    #[must_use]
    pub fn read(credential_types: Option<&str>, label_types: Option<&str>) -> Self {
        let mut credentials: Vec<_> = words(credential_types).map(CredentialType::from).collect();
        if credentials.is_empty() {
            credentials.extend(DEFAULT_CREDENTIALS);
        }
        let mut labels: Vec<_> = words(label_types).map(LabelType::from).collect();
        if labels.is_empty() {
            labels.extend(DEFAULT_LABELS);
        }
        Self { credentials, labels }
    }

    /// Whether the client has this credential type. `none` is had by all.
    #[must_use]
    pub fn takes(&self, kind: &CredentialType) -> bool {
        *kind == CredentialType::None || self.credentials.contains(kind)
    }

    /// Whether the client has this label type.
    #[must_use]
    pub fn shows(&self, kind: &LabelType) -> bool {
        self.labels.contains(kind)
    }

    /// Whether it is a client with a table of texts.
    #[must_use]
    pub fn has_texts(&self) -> bool {
        self.shows(&LabelType::NsgLoginLabel)
    }

    /// The same form for this client, in its language.
    ///
    /// # Errors
    /// [`Unfit`] if a line that the form cannot do without has a type for which the client has nothing.
    pub fn fit(&self, mut form: Requirements, language: Language) -> Result<Requirements, Unfit> {
        let mut fitted = Vec::with_capacity(form.all.len());
        for mut requirement in form.all {
            match self.credential(&requirement) {
                Fit::As(kind) => requirement.credential.kind = kind,
                Fit::Without => continue,
                Fit::Not => return Err(Unfit { kind: requirement.credential.kind }),
            }
            if requirement.label.image.is_some() && !self.shows(&LabelType::Image) {
                requirement.label.image = None;
            }
            self.label(&mut requirement.label, language);
            translate(requirement.input.assistive.as_mut(), language);
            if let Some(Control::Button(text)) = &mut requirement.input.control {
                translate(Some(text), language);
            }
            fitted.push(requirement);
        }
        form.all = fitted;
        translate(form.cancel_text.as_mut(), language);
        Ok(form)
    }

    /// As what a line can be sent.
    fn credential(&self, requirement: &Requirement) -> Fit {
        let kind = &requirement.credential.kind;
        if self.takes(kind) {
            return Fit::As(kind.clone());
        }
        if let Some(other) = substitutes(kind).iter().find(|other| self.takes(other)) {
            return Fit::As(other.clone());
        }
        match &requirement.input.control {
            // Whoever sees it as a button or a label sees the same.
            Some(Control::Button(_)) => Fit::As(CredentialType::None),
            None if requirement.credential.id.is_none() => Fit::As(CredentialType::None),
            Some(Control::CheckBox(_)) => Fit::Without,
            Some(Control::Text(field)) if field.read_only => Fit::Without,
            None | Some(Control::Text(_) | Control::RadioButton(_) | Control::ComboBox(_) | Control::MultiComboBox(_)) => {
                Fit::Not
            }
        }
    }

    fn label(&self, label: &mut Label, language: Language) {
        let standard = label.kind.standard();
        let looked_up =
            if label.kind == standard { label.kind == LabelType::Error && self.has_texts() } else { self.shows(&label.kind) };
        if looked_up && label.text.as_deref().is_some_and(text::is_published) {
            return;
        }
        if let Some(found) = label.text.as_deref().and_then(|key| text::text(key, language)) {
            // A client would take it for a key.
            (label.text, label.kind) = (Some(found.to_owned()), standard);
        } else if !self.shows(&label.kind) {
            label.kind = standard;
        }
        // Errors go out as such to everybody: by them a client tells a wrong password from a second factor.
        if !self.shows(&label.kind) && !matches!(label.kind, LabelType::Error | LabelType::None) {
            label.kind = if label.kind == LabelType::Image { LabelType::None } else { LabelType::Plain };
        }
    }
}

/// What becomes of a line.
enum Fit {
    As(CredentialType),
    Without,
    Not,
}

/// Standard types that do the same, the nearest first.
fn substitutes(kind: &CredentialType) -> &'static [CredentialType] {
    match kind {
        CredentialType::NewPassword => &[CredentialType::Password],
        CredentialType::Pin | CredentialType::RsaPin | CredentialType::RsaPasscode => {
            &[CredentialType::Passcode, CredentialType::Password]
        }
        CredentialType::RsaNextPasscode | CredentialType::RsaNextTokencode => {
            &[CredentialType::Passcode, CredentialType::Password]
        }
        CredentialType::Passcode => &[CredentialType::Password],
        CredentialType::Realm => &[CredentialType::Domain, CredentialType::TextCredential],
        CredentialType::Domain => &[CredentialType::TextCredential],
        CredentialType::None
        | CredentialType::Username
        | CredentialType::Password
        | CredentialType::TextCredential
        | CredentialType::SaveCredentials
        | CredentialType::WebView
        | CredentialType::NsgEpa
        | CredentialType::NsgEpaV2
        | CredentialType::NsgSetClient
        | CredentialType::NsgX1
        | CredentialType::NsgHidden
        | CredentialType::NsgL20n
        | CredentialType::NsDialogue
        | CredentialType::GoBack
        | CredentialType::Other(_) => &[],
    }
}

fn translate(text: Option<&mut String>, language: Language) {
    if let Some(text) = text
        && let Some(found) = text::text(text, language)
    {
        found.clone_into(text);
    }
}

fn words(header: Option<&str>) -> impl Iterator<Item = &str> {
    let is_word =
        |word: &&str| !word.is_empty() && word.len() <= WORD_BYTES_MAX && word.bytes().all(|byte| byte.is_ascii_graphic());
    header.unwrap_or_default().split(',').take(WORDS_MAX).map(str::trim).filter(is_word)
}

#[cfg(test)]
mod tests {
    use super::super::{Credential, Input, TextField};
    use super::*;

    const BROWSER_CREDENTIALS: &str =
        "none, username, domain, password, newpassword, passcode, savecredentials, nsg-epa, nsg-setclient";
    const BROWSER_LABELS: &str =
        "none,plain,heading,information,warning,error,confirmation,image,nsg-epa,nsg-login-label,nsg-login-heading";

    fn line(kind: CredentialType, label: Label) -> Requirement {
        Requirement {
            credential: Credential { id: Some("x".into()), kind, ..Credential::default() },
            label,
            input: Input::default(),
        }
    }

    fn form(all: Vec<Requirement>) -> Requirements {
        Requirements { post_back: "/x".into(), cancel_post_back: None, cancel_text: Some("sg_cancel".into()), all }
    }

    fn label(announced: &Announced, kind: &str, text: &str, language: Language) -> (String, String) {
        let lines = vec![line(CredentialType::None, Label::new(kind.into(), text))];
        let form = announced.fit(form(lines), language).unwrap();
        let label = &form.all[0].label;
        (label.kind.to_string(), label.text.clone().unwrap_or_default())
    }

    #[test]
    fn headers_are_read_within_bounds() {
        let none = Announced::read(None, Some(" , ,"));
        assert_eq!(none, Announced::default());
        assert!(none.takes(&CredentialType::Password) && !none.takes(&CredentialType::NsgEpa) && !none.has_texts());
        let browser = Announced::read(Some(BROWSER_CREDENTIALS), Some(BROWSER_LABELS));
        assert!(browser.takes(&CredentialType::NsgEpa) && browser.has_texts() && !browser.takes(&CredentialType::TextCredential));
        let many = (0..=WORDS_MAX).map(|n| format!("w{n}")).collect::<Vec<_>>().join(",");
        let capped = Announced::read(Some(&many), None);
        assert!(capped.takes(&CredentialType::from("w127")) && !capped.takes(&CredentialType::from("w128")));
        assert!(capped.takes(&CredentialType::None));
        let odd = Announced::read(Some(&format!("{},p\u{e4}ssword,pass word,pin", "x".repeat(WORD_BYTES_MAX + 1))), None);
        assert_eq!(odd.credentials, [CredentialType::Pin]);
    }

    #[test]
    fn a_key_goes_only_to_who_can_look_it_up() {
        let (plain, browser) = (Announced::default(), Announced::read(Some(BROWSER_CREDENTIALS), Some(BROWSER_LABELS)));
        for (kind, text, to_plain, to_browser) in [
            ("nsg-login-label", "nsg_username", ("plain", "User name"), ("nsg-login-label", "nsg_username")),
            ("nsg-login-heading", "nsg_loginHeading", ("heading", "Please sign in"), ("nsg-login-heading", "nsg_loginHeading")),
            ("nsg-login-label", "sg_passcode", ("plain", "Passcode"), ("plain", "Passcode")),
            ("nsg-login-label", "Your token", ("plain", "Your token"), ("nsg-login-label", "Your token")),
            ("error", "errorMessageLabel4007", ("error", "Incorrect password."), ("error", "errorMessageLabel4007")),
            ("error", "Sorry", ("error", "Sorry"), ("error", "Sorry")),
            ("plain", "nsg_username", ("plain", "User name"), ("plain", "User name")),
            ("nsg-epa", "nsg_epa", ("information", "Your device is being checked."), ("nsg-epa", "nsg_epa")),
            (
                "nsg-epa-failure",
                "errorMessageLabel4019",
                ("error", "Your device is not managed."),
                ("error", "Your device is not managed."),
            ),
            ("nsg-new", "Text", ("plain", "Text"), ("plain", "Text")),
        ] {
            let wanted = |(kind, text): (&str, &str)| (kind.to_owned(), text.to_owned());
            assert_eq!(label(&plain, kind, text, Language::English), wanted(to_plain), "{kind} {text}");
            assert_eq!(label(&browser, kind, text, Language::English), wanted(to_browser), "{kind} {text}");
        }
        assert_eq!(label(&plain, "nsg-login-label", "nsg_password1", Language::Japanese).1, "パスワード");
        let few = Announced::read(None, Some("none,plain"));
        assert_eq!(label(&few, "heading", "Hello", Language::English).0, "plain");
        assert_eq!(label(&few, "image", "logo", Language::English).0, "none");
        assert_eq!(label(&few, "error", "No", Language::English).0, "error");
    }

    #[test]
    fn a_type_that_is_not_there_is_replaced_left_out_or_refused() {
        let few = Announced::read(Some("username,password"), None);
        let text = |kind, field| {
            let mut line = line(kind, Label::default());
            line.input.control = Some(Control::Text(field));
            line
        };
        let kinds = |lines| {
            few.fit(form(lines), Language::English)
                .map(|form| form.all.into_iter().map(|line| line.credential.kind).collect::<Vec<_>>())
        };
        let mut box_ = line(CredentialType::SaveCredentials, Label::default());
        box_.input.control = Some(Control::CheckBox(false));
        let mut button = line(CredentialType::NsgX1, Label::default());
        button.input.control = Some(Control::Button("sg_logon".into()));
        let read_only = TextField { read_only: true, ..TextField::default() };
        let fitted = kinds(vec![
            text(CredentialType::Username, TextField::default()),
            text(CredentialType::RsaPin, TextField::default()),
            text(CredentialType::TextCredential, read_only),
            box_,
            button.clone(),
        ]);
        assert_eq!(fitted, Ok(vec![CredentialType::Username, CredentialType::Password, CredentialType::None]));
        let refused = |line: Requirement| assert_eq!(kinds(vec![line.clone()]), Err(Unfit { kind: line.credential.kind }));
        refused(text(CredentialType::TextCredential, TextField::default()));
        refused(line(CredentialType::NsgEpa, Label::default()));
        let form = few.fit(form(vec![button]), Language::Japanese).unwrap();
        assert_eq!(form.all[0].input.control, Some(Control::Button("サインイン".into())));
        assert_eq!(form.cancel_text.as_deref(), Some("キャンセル"));
    }
}
