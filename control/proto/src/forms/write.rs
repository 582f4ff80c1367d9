//! Answers to bytes, in the one form that existing clients find their way in.
//!
//! Some of them search the text instead of parsing it: the namespace is the default one and has no prefix, elements have no
//! attributes but that, and there is no white space between or inside elements that was not meant. Children come in the
//! order of the schema.

use super::{
    Answer, Choice, Control, Credential, EXTENSIONS, Input, Label, NAMESPACE, Requirement, Requirements, Shown, TextField,
};
use crate::xml::write::Writer;

impl Answer {
    /// The document, UTF-8 with a declaration.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut out = Writer::declared();
        out.open_with("AuthenticateResponse", &[("xmlns", NAMESPACE)]);
        out.leaf("Status", self.status.as_str());
        out.leaf("Result", self.result.as_str());
        out.leaf("StateContext", &self.state);
        out.leaf_if("LogMessage", self.log_message.as_deref());
        if let Some(requirements) = &self.requirements {
            requirements.write(&mut out);
        }
        out.leaf_if("RedirectURL", self.redirect.as_deref());
        out.close("AuthenticateResponse");
        out.finish()
    }
}

impl Requirements {
    fn write(&self, out: &mut Writer) {
        out.open("AuthenticationRequirements");
        out.leaf("PostBack", &self.post_back);
        out.leaf_if("CancelPostBack", self.cancel_post_back.as_deref());
        out.leaf_if("CancelButtonText", self.cancel_text.as_deref());
        out.open("Requirements");
        for Requirement { credential, label, input } in &self.all {
            out.open("Requirement");
            credential.write(out);
            label.write(out);
            input.write(out);
            out.close("Requirement");
        }
        out.close("Requirements").close("AuthenticationRequirements");
    }
}

impl Credential {
    fn write(&self, out: &mut Writer) {
        out.open("Credential");
        out.leaf_if("ID", self.id.as_deref());
        out.leaf_if("SaveID", self.save_id.as_deref());
        out.leaf("Type", self.kind.as_str());
        if !self.items.is_empty() {
            out.open_with("Data", &[("xmlns", EXTENSIONS)]);
            for (key, value) in &self.items {
                out.open("Item").leaf("Key", key).leaf("Value", value).close("Item");
            }
            out.close("Data");
        }
        out.close("Credential");
    }
}

impl Label {
    fn write(&self, out: &mut Writer) {
        out.open("Label");
        out.leaf_if("Text", self.text.as_deref());
        out.leaf("Type", self.kind.as_str());
        if !self.highlight.is_empty() {
            out.open("HighlightFields");
            for id in &self.highlight {
                out.leaf("CredentialID", id);
            }
            out.close("HighlightFields");
        }
        out.leaf_if("Binary", self.image.as_ref().map(super::Image::as_str));
        out.close("Label");
    }
}

impl Input {
    fn write(&self, out: &mut Writer) {
        if *self == Self::default() {
            out.single("Input", &[]);
            return;
        }
        out.open("Input");
        out.leaf_if("AssistiveText", self.assistive.as_deref());
        match &self.control {
            None => {}
            Some(Control::Text(field)) => field.write(out),
            Some(Control::CheckBox(initial)) => {
                out.open("CheckBox").leaf("InitialValue", boolean(*initial)).close("CheckBox");
            }
            Some(Control::RadioButton(choice)) => choice.write("RadioButton", out),
            Some(Control::ComboBox(choice)) => choice.write("ComboBox", out),
            Some(Control::MultiComboBox(values)) => {
                out.open("MultiComboBox").open("DisplayValues");
                for value in values {
                    out.open("DisplayValue");
                    value.shown.write(out);
                    out.leaf("Select", boolean(value.selected)).close("DisplayValue");
                }
                out.close("DisplayValues").close("MultiComboBox");
            }
            Some(Control::Button(text)) => {
                out.leaf("Button", text);
            }
        }
        out.close("Input");
    }
}

impl TextField {
    fn write(&self, out: &mut Writer) {
        out.open("Text");
        out.leaf("Secret", boolean(self.secret)).leaf("ReadOnly", boolean(self.read_only)).leaf("InitialValue", &self.initial);
        out.leaf_if("Constraint", self.constraint.as_deref());
        out.close("Text");
    }
}

impl Choice {
    fn write(&self, name: &'static str, out: &mut Writer) {
        out.open(name);
        out.leaf_if("InitialSelection", self.initial.as_deref());
        out.open("DisplayValues");
        for value in &self.values {
            out.open("DisplayValue");
            value.write(out);
            out.close("DisplayValue");
        }
        out.close("DisplayValues").close(name);
    }
}

impl Shown {
    fn write(&self, out: &mut Writer) {
        out.leaf("Display", &self.display).leaf("Value", &self.value);
    }
}

fn boolean(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}
