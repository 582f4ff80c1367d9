//! A form of a login as a page shows it: one item for each line of the form, each with what a browser needs to be helpful.
//!
//! ```text
//!   Requirements (cut to what a page can show, in its language) ─► Sheet ─► flow.html
//! ```
//!
//! Whatever a page can show has a place here; the browser runs no script for any of it.

use gate_proto::forms::words::{CredentialType, LabelType};
use gate_proto::forms::{Choice, Control, Requirement, Requirements, TextField};

/// What a page can show, as native clients announce it.
pub(super) const CREDENTIALS: &str = "none,username,domain,realm,password,newpassword,pin,passcode,savecredentials,textcredential,\
    rsa-passcode,rsa-next-passcode,rsa-next-tokencode,rsa-pin,nsg-x1,nsg-hidden,ns-dialogue,GoBack,nsg-epa";
/// See [`CREDENTIALS`].
pub(super) const LABELS: &str = "none,plain,heading,information,warning,error,confirmation,image";

/// Fields that the page adds to every form; a line of these names has no place in it.
pub(super) const CONTEXT: &str = "StateContext";
/// Says that the form was on one of our pages, so that the answer is one, too.
pub(super) const PAGE: &str = "sg-page";

/// The token of a form that stands for itself.
pub(super) const TOKEN: &str = "csrf";

/// A form.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sheet {
    pub(super) heading: String,
    /// What went wrong with the last one.
    pub(super) problem: Option<String>,
    pub(super) items: Vec<Item>,
    pub(super) post_back: String,
    pub(super) context: String,
    pub(super) cancel: Option<Cancel>,
    /// An image is in it.
    pub(super) has_image: bool,
}

/// How one gives up.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cancel {
    pub(super) path: String,
    pub(super) text: String,
}

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Item {
    Note { tone: Tone, text: String },
    Heading { text: String },
    Picture { data: String, alt: String },
    Line(Line),
    Tick { id: String, name: String, label: String, ticked: bool },
    Choice(Select),
    Deed { name: String, text: String, first: bool },
}

/// How a text is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Warning,
    Good,
    Bad,
}

impl Tone {
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Warning => "warn",
            Self::Good => "good",
            Self::Bad => "bad",
        }
    }
}

/// Something to type.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) label: Option<String>,
    pub(super) hint: Option<String>,
    pub(super) value: String,
    pub(super) secret: bool,
    pub(super) read_only: bool,
    /// What the browser may fill in.
    pub(super) complete: &'static str,
    pub(super) numeric: bool,
    /// The error speaks of it.
    pub(super) marked: bool,
    pub(super) focus: bool,
}

impl Line {
    /// Ids of the texts that describe it.
    pub(super) fn described(&self, has_problem: bool) -> Option<String> {
        let hint = self.hint.as_ref().map(|_| format!("{}-hint", self.id));
        match (has_problem && !self.read_only, hint) {
            (true, Some(hint)) => Some(format!("problem {hint}")),
            (true, None) => Some("problem".to_owned()),
            (false, hint) => hint,
        }
    }
}

/// Something to choose from.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Select {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) label: String,
    pub(super) options: Vec<Offered>,
    /// All are in view.
    pub(super) open: bool,
    pub(super) many: bool,
}

/// One of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Offered {
    pub(super) text: String,
    pub(super) value: String,
    pub(super) chosen: bool,
}

/// Texts that a form may lack.
pub(super) struct Lacking {
    pub(super) heading: &'static str,
    pub(super) deed: &'static str,
}

impl Sheet {
    /// Lays out `form`, which carries `context` back.
    pub(super) fn of(form: Requirements, context: &str, lacking: &Lacking) -> Self {
        let cancel = form.cancel_post_back.zip(form.cancel_text).map(|(path, text)| Cancel { path, text });
        let mut sheet = Self { post_back: form.post_back, context: context.to_owned(), cancel, ..Self::default() };
        let mut marked = Vec::new();
        for (number, line) in form.all.into_iter().enumerate() {
            sheet.add(number, line, &mut marked);
        }
        if sheet.heading.is_empty() {
            lacking.heading.clone_into(&mut sheet.heading);
        }
        let mut deeds = 0;
        let mut focused = false;
        for item in &mut sheet.items {
            match item {
                Item::Line(line) => {
                    line.marked = marked.contains(&line.name);
                    line.focus = !focused && !line.read_only && line.value.is_empty();
                    focused |= line.focus;
                }
                Item::Deed { first, .. } => {
                    *first = deeds == 0;
                    deeds += 1;
                }
                Item::Note { .. } | Item::Heading { .. } | Item::Picture { .. } | Item::Tick { .. } | Item::Choice(_) => {}
            }
        }
        if deeds == 0 {
            sheet.items.push(Item::Deed { name: String::new(), text: lacking.deed.to_owned(), first: true });
        }
        sheet
    }

    fn add(&mut self, number: usize, line: Requirement, marked: &mut Vec<String>) {
        let Requirement { credential, label, input } = line;
        // What the page brings itself cannot stand in it twice; and a browser keeps passwords itself, if its user wants that.
        let name = credential.id.unwrap_or_default();
        if [CONTEXT, PAGE].contains(&name.as_str()) || credential.kind == CredentialType::SaveCredentials {
            return;
        }
        let id = format!("f{number}");
        let text = label.text.filter(|text| !text.is_empty());
        if let Some(image) = &label.image {
            self.has_image = true;
            let alt = text.clone().unwrap_or_default();
            self.items.push(Item::Picture { data: image.as_str().to_owned(), alt });
        }
        let Some(control) = input.control else {
            if label.image.is_none()
                && let Some(text) = text
            {
                marked.extend(label.highlight);
                self.say(&label.kind, text);
            }
            return;
        };
        let titled = || text.clone().unwrap_or_else(|| name.clone());
        self.items.push(match control {
            Control::Text(field) => Item::Line(of_text(id, name, text, input.assistive, &credential.kind, field)),
            Control::CheckBox(ticked) => Item::Tick { label: titled(), id, name, ticked },
            Control::RadioButton(choice) => Item::Choice(of_choice(id, titled(), name, choice, true)),
            Control::ComboBox(choice) => Item::Choice(of_choice(id, titled(), name, choice, false)),
            Control::MultiComboBox(values) => {
                let of_value = |one: gate_proto::forms::Choosable| Offered {
                    text: one.shown.display,
                    value: one.shown.value,
                    chosen: one.selected,
                };
                let options = values.into_iter().map(of_value).collect();
                Item::Choice(Select { id, label: titled(), name, options, open: true, many: true })
            }
            Control::Button(text) => Item::Deed { name, text, first: false },
        });
    }

    /// A text without anything to fill in.
    fn say(&mut self, kind: &LabelType, text: String) {
        let tone = match kind.standard() {
            LabelType::Heading if self.heading.is_empty() => {
                self.heading = text;
                return;
            }
            LabelType::Heading => return self.items.push(Item::Heading { text }),
            LabelType::Error if self.problem.is_none() => {
                self.problem = Some(text);
                return;
            }
            LabelType::Error => Tone::Bad,
            LabelType::Warning => Tone::Warning,
            LabelType::Confirmation => Tone::Good,
            LabelType::None => return,
            LabelType::Plain
            | LabelType::Information
            | LabelType::Image
            | LabelType::NsgLoginLabel
            | LabelType::NsgLoginHeading
            | LabelType::NsgL20n
            | LabelType::NsgL20nError
            | LabelType::NsgEpa
            | LabelType::NsgEpaV2
            | LabelType::NsgEpaFailure
            | LabelType::NsgChangePassword
            | LabelType::Dialogue
            | LabelType::Other(_) => Tone::Plain,
        };
        self.items.push(Item::Note { tone, text });
    }
}

fn of_text(
    id: String,
    name: String,
    label: Option<String>,
    hint: Option<String>,
    kind: &CredentialType,
    field: TextField,
) -> Line {
    let (complete, numeric) = filled(kind);
    Line {
        id,
        name,
        label,
        hint: hint.filter(|hint| !hint.is_empty()),
        // A password that would be on the page before it is typed is nobody's.
        value: if field.secret { String::new() } else { field.initial },
        secret: field.secret,
        read_only: field.read_only,
        complete,
        numeric,
        marked: false,
        focus: false,
    }
}

/// What a browser may fill in, and whether it is a code of digits.
fn filled(kind: &CredentialType) -> (&'static str, bool) {
    match kind {
        CredentialType::Username => ("username", false),
        CredentialType::Password => ("current-password", false),
        CredentialType::NewPassword => ("new-password", false),
        CredentialType::Passcode
        | CredentialType::RsaPasscode
        | CredentialType::RsaNextPasscode
        | CredentialType::RsaNextTokencode => ("one-time-code", true),
        CredentialType::Pin | CredentialType::RsaPin => ("off", true),
        CredentialType::None
        | CredentialType::Domain
        | CredentialType::Realm
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
        | CredentialType::Other(_) => ("off", false),
    }
}

fn of_choice(id: String, label: String, name: String, choice: Choice, open: bool) -> Select {
    let initial = choice.initial;
    let offered = |shown: gate_proto::forms::Shown| Offered {
        chosen: initial.as_ref() == Some(&shown.value),
        text: shown.display,
        value: shown.value,
    };
    Select { id, name, label, options: choice.values.into_iter().map(offered).collect(), open, many: false }
}

#[cfg(test)]
mod tests {
    use gate_proto::forms::announced::Announced;
    use gate_proto::forms::language::Language;
    use gate_proto::forms::schema::Schema;
    use gate_proto::forms::shipped;

    use super::*;

    const LACKING: Lacking = Lacking { heading: "Sign in", deed: "Go on" };

    fn sheet(form: Requirements) -> Sheet {
        let announced = Announced::read(Some(CREDENTIALS), Some(LABELS));
        Sheet::of(announced.fit(form, Language::English).unwrap(), "ctx", &LACKING)
    }

    fn lines(sheet: &Sheet) -> Vec<(&str, &str, bool, bool)> {
        let mut out = Vec::new();
        for item in &sheet.items {
            if let Item::Line(found) = item {
                out.push((found.name.as_str(), found.complete, found.secret, found.focus));
            }
        }
        out
    }

    #[test]
    fn each_shipped_form_has_its_fields_a_heading_and_one_first_button() {
        for name in shipped::names() {
            let schema = shipped::schema(name).unwrap();
            let sheet = sheet(schema.fill("ann"));
            assert!(!sheet.heading.is_empty(), "{name}");
            let first = |item: &&Item| matches!(item, Item::Deed { first: true, .. });
            assert_eq!(sheet.items.iter().filter(first).count(), 1, "{name}");
            for item in &sheet.items {
                if let Item::Line(line) = item {
                    assert!(
                        line.label.as_ref().is_some_and(|label| !label.starts_with("nsg_") && !label.starts_with("sg_")),
                        "{name}: {line:?}"
                    );
                }
            }
        }
        let single = sheet(shipped::schema(shipped::SINGLE).unwrap().fill(""));
        assert_eq!(lines(&single), [("login", "username", false, true), ("passwd", "current-password", true, false)]);
    }

    #[test]
    fn every_control_has_its_place() {
        let text = r#"<AuthenticateResponse xmlns="http://citrix.com/authentication/response/1"><Status>success</Status>
            <Result>more-info</Result><StateContext/><AuthenticationRequirements><PostBack>/x</PostBack><Requirements>
            <Requirement><Credential><Type>none</Type></Credential><Label><Text>Welcome</Text><Type>heading</Type></Label><Input/></Requirement>
            <Requirement><Credential><Type>none</Type></Credential><Label><Text>Wrong</Text><Type>error</Type><HighlightFields><CredentialID>code</CredentialID></HighlightFields></Label><Input/></Requirement>
            <Requirement><Credential><Type>none</Type></Credential><Label><Text>Read this</Text><Type>warning</Type></Label><Input/></Requirement>
            <Requirement><Credential><ID>code</ID><Type>passcode</Type></Credential><Label><Text>Code</Text><Type>plain</Type></Label><Input><AssistiveText>Six digits</AssistiveText><Text><Secret>true</Secret><ReadOnly>false</ReadOnly><InitialValue>leak</InitialValue></Text></Input></Requirement>
            <Requirement><Credential><ID>domain</ID><Type>domain</Type></Credential><Label><Text>Domain</Text><Type>plain</Type></Label><Input><ComboBox><InitialSelection>b</InitialSelection><DisplayValues><DisplayValue><Display>A</Display><Value>a</Value></DisplayValue><DisplayValue><Display>B</Display><Value>b</Value></DisplayValue></DisplayValues></ComboBox></Input></Requirement>
            <Requirement><Credential><ID>trust</ID><Type>none</Type></Credential><Label><Text>Trust</Text><Type>plain</Type></Label><Input><CheckBox><InitialValue>true</InitialValue></CheckBox></Input></Requirement>
            <Requirement><Credential><ID>savecredentials</ID><Type>savecredentials</Type></Credential><Label><Text>Keep</Text><Type>plain</Type></Label><Input><CheckBox><InitialValue>false</InitialValue></CheckBox></Input></Requirement>
            <Requirement><Credential><ID>StateContext</ID><Type>none</Type></Credential><Label><Text>x</Text><Type>plain</Type></Label><Input><CheckBox><InitialValue>false</InitialValue></CheckBox></Input></Requirement>
            <Requirement><Credential><ID>go</ID><Type>none</Type></Credential><Label><Type>none</Type></Label><Input><Button>Go</Button></Input></Requirement>
            <Requirement><Credential><ID>other</ID><Type>none</Type></Credential><Label><Type>none</Type></Label><Input><Button>Other</Button></Input></Requirement>
            </Requirements></AuthenticationRequirements></AuthenticateResponse>"#;
        let sheet = sheet(Schema::parse(text.as_bytes()).unwrap().fill(""));
        assert_eq!((sheet.heading.as_str(), sheet.problem.as_deref()), ("Welcome", Some("Wrong")));
        let [note, code, domain, trust, go, other] = sheet.items.as_slice() else { panic!("{:?}", sheet.items) };
        assert_eq!(*note, Item::Note { tone: Tone::Warning, text: "Read this".into() });
        let Item::Line(code) = code else { panic!("{code:?}") };
        assert!(code.secret && code.numeric && code.marked && code.focus && code.value.is_empty());
        assert_eq!(code.described(true).as_deref(), Some("problem f3-hint"));
        let Item::Choice(domain) = domain else { panic!("{domain:?}") };
        assert_eq!(domain.options.iter().map(|one| one.chosen).collect::<Vec<_>>(), [false, true]);
        assert_eq!(*trust, Item::Tick { id: "f5".into(), name: "trust".into(), label: "Trust".into(), ticked: true });
        assert_eq!(*go, Item::Deed { name: "go".into(), text: "Go".into(), first: true });
        assert_eq!(*other, Item::Deed { name: "other".into(), text: "Other".into(), first: false });
    }
}
