//! Writing documents: declaration, DOCTYPE, elements, text with decimal references.
//!
//! Known peers parse with patterns rather than an XML parser, so the form is fixed: attributes in double quotes in
//! the order given, self-closed elements without a blank before `/>`, and `&#38;` instead of `&amp;`.

use std::fmt::Write as _;

use super::encoding::Encoding;
use super::read::is_xml_char;

/// A document being written. Elements must be closed in order; the caller's code shows the nesting.
pub struct Writer {
    encoding: Encoding,
    out: String,
}

impl Writer {
    /// Begins a document with its declaration and a `DOCTYPE` of `root` that names `dtd`.
    #[must_use]
    pub fn new(encoding: Encoding, root: &'static str, dtd: &'static str) -> Self {
        let name = encoding.name();
        let out = format!("<?xml version=\"1.0\" encoding=\"{name}\"?>\n<!DOCTYPE {root} SYSTEM \"{dtd}\">\n");
        Self { encoding, out }
    }

    /// Begins a document with its declaration alone, all in one line: UTF-8, no `DOCTYPE`.
    #[must_use]
    pub fn declared() -> Self {
        Self { encoding: Encoding::Utf8, out: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>".to_owned() }
    }

    /// A piece of markup without declaration, to be used as text elsewhere.
    #[must_use]
    pub fn fragment() -> Self {
        Self { encoding: Encoding::Utf8, out: String::new() }
    }

    /// `<name>`
    pub fn open(&mut self, name: &'static str) -> &mut Self {
        self.open_with(name, &[])
    }

    /// `<name attribute="value"…>`
    pub fn open_with(&mut self, name: &'static str, attributes: &[(&'static str, &str)]) -> &mut Self {
        self.tag(name, attributes, ">")
    }

    /// `</name>`
    pub fn close(&mut self, name: &'static str) -> &mut Self {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
        self
    }

    /// `<name>text</name>`, also for an empty text.
    pub fn leaf(&mut self, name: &'static str, text: &str) -> &mut Self {
        self.leaf_with(name, &[], text)
    }

    /// `<name attribute="value"…>text</name>`
    pub fn leaf_with(&mut self, name: &'static str, attributes: &[(&'static str, &str)], text: &str) -> &mut Self {
        self.open_with(name, attributes).escaped(text, false).close(name)
    }

    /// Text, escaped.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.escaped(text, false)
    }

    /// `<name>text</name>` if there is a text; an empty one counts.
    pub fn leaf_if(&mut self, name: &'static str, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.leaf(name, text),
            None => self,
        }
    }

    /// `<name attribute="value"…/>`
    pub fn single(&mut self, name: &'static str, attributes: &[(&'static str, &str)]) -> &mut Self {
        self.tag(name, attributes, "/>")
    }

    /// A line of markup as it is. For fixed text of ours only.
    pub(crate) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.out.push_str(markup);
        self
    }

    /// The document's bytes in its encoding.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.encoding.encode(&self.out)
    }

    /// The text of a [`Writer::fragment`].
    #[must_use]
    pub fn finish_text(self) -> String {
        self.out
    }

    fn tag(&mut self, name: &'static str, attributes: &[(&'static str, &str)], end: &str) -> &mut Self {
        self.out.push('<');
        self.out.push_str(name);
        for (attribute, value) in attributes {
            self.out.push(' ');
            self.out.push_str(attribute);
            self.out.push_str("=\"");
            self.escaped(value, true);
            self.out.push('"');
        }
        self.out.push_str(end);
        self
    }

    /// Markup characters, characters outside the encoding and white space that a reader would change become
    /// decimal references. What XML cannot hold at all becomes U+FFFD.
    fn escaped(&mut self, text: &str, in_attribute: bool) -> &mut Self {
        let inner_start = text.len() - text.trim_start().len();
        let inner_end = text.trim_end().len();
        for (at, c) in text.char_indices() {
            let c = if is_xml_char(c) { c } else { char::REPLACEMENT_CHARACTER };
            let markup = matches!(c, '&' | '<' | '>' | '"' | '\'' | '\r');
            let changed_space = c.is_whitespace() && (in_attribute && c != ' ' || at < inner_start || at >= inner_end);
            if markup || changed_space || !self.encoding.holds(c) {
                // Writing to a String cannot fail.
                let _ = write!(self.out, "&#{};", u32::from(c));
            } else {
                self.out.push(c);
            }
        }
        self
    }
}

/// Names only: texts may be passwords.
impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("encoding", &self.encoding).field("bytes", &self.out.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::REQUEST_CAPS;
    use super::super::read::Document;
    use super::*;

    #[test]
    fn references_are_decimal() {
        let mut writer = Writer::new(Encoding::Utf8, "r", "r.dtd");
        writer.leaf_with("r", &[("a", "<\"\n\">")], " R&D <x> 'ü€' ");
        assert_eq!(
            String::from_utf8(writer.finish()).unwrap(),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE r SYSTEM \"r.dtd\">\n\
             <r a=\"&#60;&#34;&#10;&#34;&#62;\">&#32;R&#38;D &#60;x&#62; &#39;ü€&#39;&#32;</r>"
        );
    }

    #[test]
    fn characters_outside_the_encoding_become_references() {
        let mut writer = Writer::new(Encoding::Latin1, "r", "r.dtd");
        writer.leaf("r", "ü€");
        assert!(writer.finish().ends_with(b"<r>\xFC&#8364;</r>"));
        let mut writer = Writer::new(Encoding::Ascii, "r", "r.dtd");
        writer.leaf("r", "ü€");
        assert!(writer.finish().ends_with(b"<r>&#252;&#8364;</r>"));
    }

    fn any_encoding() -> impl Strategy<Value = Encoding> {
        prop::sample::select(vec![Encoding::Utf8, Encoding::Latin1, Encoding::Ascii, Encoding::Utf16Le, Encoding::Utf16Be])
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            encoding in any_encoding(),
            text in any::<String>().prop_map(|text| text.chars().filter(|&c| is_xml_char(c)).collect::<String>()),
            value in "[ \t\r\na-z&<>\"'ü€]{0,32}",
        ) {
            let mut writer = Writer::new(encoding, "r", "r.dtd");
            writer.open("r").leaf_with("x", &[("a", &value)], &text).single("y", &[("b", &value)]).close("r");
            let document = Document::read(&writer.finish(), REQUEST_CAPS).unwrap();
            prop_assert_eq!(document.encoding(), encoding);
            let root = document.root("r").unwrap();
            prop_assert_eq!(root.required("x").unwrap().text(), text.as_str());
            prop_assert_eq!(root.required("x").unwrap().attribute("a"), Some(value.as_str()));
            prop_assert_eq!(root.required("y").unwrap().attribute("b"), Some(value.as_str()));
        }
    }
}
