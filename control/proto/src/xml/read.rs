//! A document as a bounded tree, and the questions that typed messages ask of it.
//!
//! The tree is three vectors with indices, so that a hostile document costs memory in proportion to its length,
//! and dropping it cannot recurse. All text lies in one pool that is cleared on drop: requests carry passwords.

use std::fmt;

use quick_xml::{
    escape::resolve_predefined_entity,
    events::{BytesStart, Event},
    reader::Reader,
};
use zeroize::Zeroizing;

use super::encoding::{self, Encoding};
use super::{ATTRIBUTES_MAX, BadMessage, BadXml, Caps, DEPTH_MAX, NAME_BYTES_MAX};

/// A document that has been read whole.
pub struct Document {
    encoding: Encoding,
    pool: Zeroizing<String>,
    nodes: Vec<Held>,
    attributes: Vec<(Span, Span)>,
}

/// One element of a [`Document`].
#[derive(Clone, Copy)]
pub struct Node<'d> {
    document: &'d Document,
    held: &'d Held,
}

#[derive(Clone, Copy, Default)]
struct Span {
    start: u32,
    end: u32,
}

/// An element in the vector. Children form a list through `next`; index 0 is the root and nobody's child.
#[derive(Clone, Copy, Default)]
struct Held {
    name: Span,
    /// Where its start tag begins, in bytes of the document as UTF-8.
    start: u32,
    text: Span,
    first_attribute: u32,
    attributes: u8,
    first_child: u32,
    last_child: u32,
    next: u32,
}

impl Document {
    /// Reads `bytes` under `caps`.
    ///
    /// # Errors
    /// [`BadXml`], naming the first rule that is broken.
    pub fn read(bytes: &[u8], caps: Caps) -> Result<Self, BadXml> {
        Self::read_placed(bytes, caps).map_err(|(why, _)| why)
    }

    /// The same, and an error comes with its place: the byte of the document as UTF-8 without a byte order mark
    /// where the broken piece of markup begins. What is wrong with the whole document is wrong at 0.
    pub(crate) fn read_placed(bytes: &[u8], caps: Caps) -> Result<Self, (BadXml, usize)> {
        if bytes.len() > caps.document_bytes {
            return Err((BadXml::TooLong { bytes: bytes.len(), max: caps.document_bytes }, 0));
        }
        let (encoding, source) = encoding::decode(bytes).map_err(|why| (why, 0))?;
        if let Some((at, _)) = source.char_indices().find(|&(_, c)| !is_xml_char(c)) {
            return Err((BadXml::Character, at));
        }
        // Every character of the pool stands for at least as many bytes of the source, so it never moves and
        // leaves no stale copy behind.
        let pool = Zeroizing::new(String::with_capacity(source.len()));
        let document = Self { encoding, pool, nodes: Vec::new(), attributes: Vec::new() };
        let mut builder = Builder { document, open: Vec::new(), caps, root_closed: false, prologue: Prologue::Start, at: 0 };
        match builder.build(&source) {
            Ok(()) => Ok(builder.document),
            Err(why) => Err((why, usize::try_from(builder.at).unwrap_or_default())),
        }
    }

    /// The encoding in which the document came.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// The root element, if its name is `name`.
    ///
    /// # Errors
    /// [`BadMessage::Root`] if it has another name.
    pub fn root(&self, name: &'static str) -> Result<Node<'_>, BadMessage> {
        let root = self.nodes.first().map(|held| Node { document: self, held });
        root.filter(|root| root.name() == name).ok_or(BadMessage::Root(name))
    }

    fn slice(&self, span: Span) -> &str {
        usize::try_from(span.start)
            .ok()
            .zip(usize::try_from(span.end).ok())
            .and_then(|(start, end)| self.pool.get(start..end))
            .unwrap_or_default()
    }

    fn node(&self, index: u32) -> Option<Node<'_>> {
        let held = self.nodes.get(usize::try_from(index).ok()?)?;
        Some(Node { document: self, held })
    }
}

/// Names only: texts may be passwords.
impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.nodes.iter().map(|held| self.slice(held.name));
        f.debug_struct("Document").field("encoding", &self.encoding).field("elements", &names.collect::<Vec<_>>()).finish()
    }
}

impl fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.name())
    }
}

impl<'d> Node<'d> {
    /// The element's name as written.
    #[must_use]
    pub fn name(self) -> &'d str {
        self.document.slice(self.held.name)
    }

    /// The element's own text, without that of its children, trimmed of surrounding literal white space.
    #[must_use]
    pub fn text(self) -> &'d str {
        self.document.slice(self.held.text)
    }

    /// The value of an attribute. Absent is `None`, empty is `Some("")`.
    #[must_use]
    pub fn attribute(self, name: &str) -> Option<&'d str> {
        let start = usize::try_from(self.held.first_attribute).ok()?;
        let all = self.document.attributes.get(start..start + usize::from(self.held.attributes))?;
        all.iter().find(|(held, _)| self.document.slice(*held) == name).map(|(_, value)| self.document.slice(*value))
    }

    /// Where the element begins, in bytes of the document as UTF-8 without a byte order mark.
    pub(crate) fn start(self) -> usize {
        usize::try_from(self.held.start).unwrap_or_default()
    }

    /// All children, in order.
    pub fn children(self) -> impl Iterator<Item = Self> + use<'d> {
        let mut at = self.held.first_child;
        std::iter::from_fn(move || {
            if at == 0 {
                return None;
            }
            let child = self.document.node(at)?;
            at = child.held.next;
            Some(child)
        })
    }

    /// The children called `name`, in order.
    pub fn each(self, name: &'static str) -> impl Iterator<Item = Self> + use<'d> {
        self.children().filter(move |child| child.name() == name)
    }

    /// Every element below this one, in document order.
    pub fn descendants(self) -> impl Iterator<Item = Self> + use<'d> {
        // Depth is capped by `DEPTH_MAX`, and so is this stack of "next sibling" marks.
        let mut marks = vec![self.held.first_child];
        std::iter::from_fn(move || {
            loop {
                let at = marks.pop()?;
                let Some(found) = (at != 0).then(|| self.document.node(at)).flatten() else { continue };
                marks.push(found.held.next);
                marks.push(found.held.first_child);
                return Some(found);
            }
        })
    }

    /// The child called `name`, which may be absent but not repeated.
    ///
    /// # Errors
    /// [`BadMessage::Duplicate`].
    pub fn optional(self, name: &'static str) -> Result<Option<Self>, BadMessage> {
        let mut found = self.each(name);
        let first = found.next();
        if found.next().is_some() { Err(BadMessage::Duplicate(name)) } else { Ok(first) }
    }

    /// The child called `name`, which must be there once.
    ///
    /// # Errors
    /// [`BadMessage::Missing`], [`BadMessage::Duplicate`].
    pub fn required(self, name: &'static str) -> Result<Self, BadMessage> {
        self.optional(name)?.ok_or(BadMessage::Missing(name))
    }

    /// The text of an optional child. Absent is `None`, empty is `Some("")`.
    ///
    /// # Errors
    /// [`BadMessage::Duplicate`].
    pub fn optional_text(self, name: &'static str) -> Result<Option<&'d str>, BadMessage> {
        Ok(self.optional(name)?.map(Self::text))
    }

    /// The text of a child that must be there once and must not be empty.
    ///
    /// # Errors
    /// [`BadMessage::Missing`], [`BadMessage::Duplicate`], [`BadMessage::Empty`].
    pub fn required_text(self, name: &'static str) -> Result<&'d str, BadMessage> {
        let text = self.required(name)?.text();
        if text.is_empty() { Err(BadMessage::Empty(name)) } else { Ok(text) }
    }

    /// The texts of all children called `name`.
    ///
    /// # Errors
    /// [`BadMessage::TooMuch`] for more than `max`.
    pub fn texts(self, name: &'static str, max: usize) -> Result<Vec<&'d str>, BadMessage> {
        let texts: Vec<_> = self.each(name).map(Self::text).take(max.saturating_add(1)).collect();
        if texts.len() > max { Err(BadMessage::TooMuch(name)) } else { Ok(texts) }
    }
}

/// Where in the prologue the reader is: what may still come.
#[derive(PartialEq, Eq)]
enum Prologue {
    Start,
    Declared,
    Typed,
    Over,
}

struct Builder {
    document: Document,
    open: Vec<Open>,
    caps: Caps,
    root_closed: bool,
    prologue: Prologue,
    /// Where the event began that is being looked at.
    at: u64,
}

/// An element whose end tag has not come yet.
struct Open {
    index: u32,
    text: Zeroizing<String>,
    /// Up to here the text is kept whatever white space it ends in: written as reference or CDATA.
    kept: usize,
}

impl Builder {
    fn build(&mut self, source: &str) -> Result<(), BadXml> {
        let mut reader = Reader::from_str(source);
        reader.config_mut().expand_empty_elements = true;
        loop {
            let offset = reader.buffer_position();
            self.at = offset;
            let malformed = BadXml::NotWellFormed { offset };
            match reader.read_event().map_err(|_| malformed)? {
                Event::Start(tag) => self.start(&tag, malformed)?,
                Event::End(_) => self.end(malformed)?,
                Event::Text(text) => self.text(&text, malformed)?,
                Event::CData(text) => self.keep(&text, malformed)?,
                Event::GeneralRef(reference) => {
                    let c = reference_char(&reference)?;
                    self.keep(c.encode_utf8(&mut [0; 4]), malformed)?;
                }
                Event::Decl(_) if self.prologue == Prologue::Start && offset == 0 => self.prologue = Prologue::Declared,
                Event::DocType(text) if matches!(self.prologue, Prologue::Start | Prologue::Declared) => {
                    refuse_internal_subset(&text)?;
                    self.prologue = Prologue::Typed;
                }
                Event::Comment(_) | Event::PI(_) => {}
                Event::Eof if self.root_closed => return Ok(()),
                Event::Decl(_) | Event::DocType(_) | Event::Eof | Event::Empty(_) => return Err(malformed),
            }
        }
    }

    fn start(&mut self, tag: &BytesStart<'_>, malformed: BadXml) -> Result<(), BadXml> {
        self.prologue = Prologue::Over;
        if self.root_closed {
            return Err(malformed);
        }
        if self.open.len() >= DEPTH_MAX {
            return Err(BadXml::Depth);
        }
        if self.document.nodes.len() >= self.caps.elements {
            return Err(BadXml::Elements);
        }
        let index = u32::try_from(self.document.nodes.len()).map_err(|_| BadXml::Elements)?;
        let name = check_name(tag.name().0, malformed)?;
        let first_attribute = u32::try_from(self.document.attributes.len()).map_err(|_| BadXml::Attributes)?;
        let attributes = self.attributes(tag, malformed)?;
        let name = self.pooled(name);
        let start = u32::try_from(self.at).unwrap_or_default();
        self.document.nodes.push(Held { name, start, first_attribute, attributes, ..Held::default() });
        if let Some(parent) = self.open.last() {
            self.document.adopt(parent.index, index);
        }
        self.open.push(Open { index, text: Zeroizing::new(String::new()), kept: 0 });
        Ok(())
    }

    fn attributes(&mut self, tag: &BytesStart<'_>, malformed: BadXml) -> Result<u8, BadXml> {
        let first = self.document.attributes.len();
        let mut count = 0;
        // quick-xml's own duplicate check would compare before our cap is reached.
        for attribute in tag.attributes().with_checks(false) {
            let attribute = attribute.map_err(|_| malformed)?;
            count += 1;
            if usize::from(count) > ATTRIBUTES_MAX {
                return Err(BadXml::Attributes);
            }
            let name = check_name(attribute.key.0, malformed)?;
            let seen = self.document.attributes.iter().skip(first);
            if seen.clone().any(|(held, _)| self.document.slice(*held) == name) {
                return Err(malformed);
            }
            let value = attribute_value(&attribute.value, malformed)?;
            let spans = (self.pooled(name), self.pooled(&value));
            self.document.attributes.push(spans);
        }
        Ok(count)
    }

    fn end(&mut self, malformed: BadXml) -> Result<(), BadXml> {
        // quick-xml has compared the names.
        let open = self.open.pop().ok_or(malformed)?;
        let trimmed = open.text.trim_end_matches(is_xml_space).len().max(open.kept);
        let text = self.pooled(open.text.get(..trimmed).unwrap_or_default());
        if let Some(held) = usize::try_from(open.index).ok().and_then(|index| self.document.nodes.get_mut(index)) {
            held.text = text;
        }
        self.root_closed = self.open.is_empty();
        Ok(())
    }

    /// Literal text: line ends become LF, leading white space goes.
    fn text(&mut self, text: &str, malformed: BadXml) -> Result<(), BadXml> {
        let Some(open) = self.open.last_mut() else {
            return if text.chars().all(is_xml_space) { Ok(()) } else { Err(malformed) };
        };
        let text = if open.text.is_empty() { text.trim_start_matches(is_xml_space) } else { text };
        let mut lines = text.split("\r\n").flat_map(|piece| piece.split('\r'));
        open.text.push_str(lines.next().unwrap_or_default());
        for line in lines {
            open.text.push('\n');
            open.text.push_str(line);
        }
        Ok(())
    }

    /// Text that was written as reference or CDATA and so is never trimmed.
    fn keep(&mut self, text: &str, malformed: BadXml) -> Result<(), BadXml> {
        let open = self.open.last_mut().ok_or(malformed)?;
        open.text.push_str(text);
        open.kept = open.text.len();
        Ok(())
    }

    fn pooled(&mut self, text: &str) -> Span {
        let at = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        let start = at(self.document.pool.len());
        self.document.pool.push_str(text);
        Span { start, end: at(self.document.pool.len()) }
    }
}

impl Document {
    fn adopt(&mut self, parent: u32, child: u32) {
        let Some(parent) = usize::try_from(parent).ok().and_then(|index| self.nodes.get_mut(index)) else { return };
        let before = parent.last_child;
        parent.last_child = child;
        if before == 0 {
            parent.first_child = child;
        } else if let Some(before) = usize::try_from(before).ok().and_then(|index| self.nodes.get_mut(index)) {
            before.next = child;
        }
    }
}

fn is_xml_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// The characters that XML 1.0 allows at all.
pub(crate) fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

fn check_name(name: &str, malformed: BadXml) -> Result<&str, BadXml> {
    if name.len() > NAME_BYTES_MAX {
        return Err(BadXml::Name);
    }
    let first = |c: char| c.is_alphabetic() || matches!(c, '_' | ':');
    let rest = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '-' | '.');
    if name.starts_with(first) && name.chars().all(rest) { Ok(name) } else { Err(malformed) }
}

/// `#65`, `#x41` or one of the five names, without `&` and `;`.
fn reference_char(reference: &str) -> Result<char, BadXml> {
    let Some(number) = reference.strip_prefix('#') else {
        let text = resolve_predefined_entity(reference).ok_or(BadXml::Entity)?;
        return text.chars().next().ok_or(BadXml::Entity);
    };
    let (digits, radix) = number.strip_prefix('x').map_or((number, 10), |hex| (hex, 16));
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(BadXml::Entity);
    }
    let code = u32::from_str_radix(digits, radix).map_err(|_| BadXml::Entity)?;
    char::from_u32(code).filter(|&c| is_xml_char(c)).ok_or(BadXml::Character)
}

/// Resolves references; white space becomes blanks, as XML wants it in attributes.
fn attribute_value(raw: &str, malformed: BadXml) -> Result<Zeroizing<String>, BadXml> {
    let mut value = Zeroizing::new(String::with_capacity(raw.len()));
    let mut rest = raw;
    while let Some(at) = rest.find(['&', '<', '\t', '\n', '\r']) {
        value.push_str(&rest[..at]);
        let found = &rest[at..];
        rest = if let Some(reference) = found.strip_prefix('&') {
            let (reference, rest) = reference.split_once(';').ok_or(BadXml::Entity)?;
            value.push(reference_char(reference)?);
            rest
        } else if found.starts_with('<') {
            return Err(malformed);
        } else {
            value.push(' ');
            found.strip_prefix("\r\n").unwrap_or_else(|| &found[1..])
        };
    }
    value.push_str(rest);
    Ok(value)
}

/// A document type may name an external file, which is never opened. Declarations of its own it may not have.
fn refuse_internal_subset(doctype: &str) -> Result<(), BadXml> {
    let mut quote = None;
    for (at, c) in doctype.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (None, '[') => {
                let inside = doctype[at + 1..].trim_end_matches(is_xml_space).strip_suffix(']');
                let empty = inside.is_some_and(|inside| inside.chars().all(is_xml_space));
                return if empty { Ok(()) } else { Err(BadXml::InternalSubset) };
            }
            (None | Some(_), _) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{ANSWER_CAPS, REQUEST_CAPS};
    use super::*;

    fn read(text: &str) -> Result<Document, BadXml> {
        Document::read(text.as_bytes(), REQUEST_CAPS)
    }

    #[test]
    fn absent_empty_and_repeated_are_three_things() {
        let document = read("<r><empty></empty><short/><full> a b </full><twice/><twice/></r>").unwrap();
        let root = document.root("r").unwrap();
        assert_eq!(root.optional_text("absent"), Ok(None));
        assert_eq!(root.optional_text("empty"), Ok(Some("")));
        assert_eq!(root.optional_text("short"), Ok(Some("")));
        assert_eq!(root.required_text("full"), Ok("a b"));
        assert_eq!(root.required_text("absent").unwrap_err(), BadMessage::Missing("absent"));
        assert_eq!(root.required_text("empty").unwrap_err(), BadMessage::Empty("empty"));
        assert_eq!(root.optional("twice").unwrap_err(), BadMessage::Duplicate("twice"));
        assert_eq!(document.root("q").unwrap_err(), BadMessage::Root("q"));
    }

    #[test]
    fn text_keeps_what_was_written_on_purpose() {
        for (inner, text) in [
            (" a\r\nb\rc\n", "a\nb\nc"),
            ("&#32;a &#32;", " a  "),
            ("<![CDATA[ <a> ]]>", " <a> "),
            (" a&lt;&gt;&amp;&quot;&apos;&#38;&#x26; ", "a<>&\"'&&"),
            ("a<!-- b --> c <b>d</b> e ", "a c  e"),
            ("&#13;", "\r"),
        ] {
            let document = read(&format!("<r>{inner}</r>")).unwrap();
            assert_eq!(document.root("r").unwrap().text(), text, "{inner}");
        }
    }

    #[test]
    fn attributes_are_resolved_and_unique() {
        let document = read("<r a='1&#38;2' b=\"x\ty\r\nz\" c=''/>").unwrap();
        let root = document.root("r").unwrap();
        assert_eq!(root.attribute("a"), Some("1&2"));
        assert_eq!(root.attribute("b"), Some("x y z"));
        assert_eq!(root.attribute("c"), Some(""));
        assert_eq!(root.attribute("d"), None);
        read("<r a='1' a='2'/>").unwrap_err();
        read("<r a='<'/>").unwrap_err();
        assert_eq!(read("<r a='&foo;'/>").unwrap_err(), BadXml::Entity);
    }

    #[test]
    fn descendants_come_in_document_order() {
        let document = read("<r><a><b/><c><d/></c></a><e/></r>").unwrap();
        let names: Vec<_> = document.root("r").unwrap().descendants().map(Node::name).collect();
        assert_eq!(names, ["a", "b", "c", "d", "e"]);
    }

    #[test]
    fn document_types_are_never_used() {
        for good in [
            "<!DOCTYPE r><r/>",
            "<?xml version=\"1.0\"?><!DOCTYPE r SYSTEM \"file:///etc/passwd\"><r/>",
            "<!DOCTYPE r PUBLIC '-//x' \"http://192.0.2.1/[x]\" [ ]><r/>",
            "<!DOCTYPE r SYSTEM \"NFuse.dtd\" []>\n<r/>",
        ] {
            assert!(read(good).is_ok(), "{good}");
        }
        for bomb in [
            "<!DOCTYPE r [<!ENTITY a \"b\">]><r>&a;</r>",
            "<!DOCTYPE r [<!ENTITY % a SYSTEM \"http://192.0.2.1/\"> %a;]><r/>",
            "<!DOCTYPE r [<!ATTLIST r a CDATA \"x\">]><r/>",
        ] {
            assert_eq!(read(bomb).unwrap_err(), BadXml::InternalSubset, "{bomb}");
        }
        assert_eq!(read("<!DOCTYPE r SYSTEM \"x\"><r>&ext;</r>").unwrap_err(), BadXml::Entity);
    }

    #[test]
    fn each_cap_has_its_name() {
        let nested = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
        let attributes = |count: usize| {
            let list: String = (0..count).map(|n| format!(" a{n}='1'")).collect();
            format!("<r{list}/>")
        };
        let siblings = |count: usize| format!("<r>{}</r>", "<a/>".repeat(count));
        read(&nested(DEPTH_MAX)).unwrap();
        assert_eq!(read(&nested(DEPTH_MAX + 1)).unwrap_err(), BadXml::Depth);
        read(&attributes(ATTRIBUTES_MAX)).unwrap();
        assert_eq!(read(&attributes(ATTRIBUTES_MAX + 1)).unwrap_err(), BadXml::Attributes);
        read(&format!("<{}/>", "n".repeat(NAME_BYTES_MAX))).unwrap();
        assert_eq!(read(&format!("<{}/>", "n".repeat(NAME_BYTES_MAX + 1))).unwrap_err(), BadXml::Name);
        read(&siblings(REQUEST_CAPS.elements - 1)).unwrap();
        assert_eq!(read(&siblings(REQUEST_CAPS.elements)).unwrap_err(), BadXml::Elements);
        let long = format!("<r>{}</r>", "x".repeat(REQUEST_CAPS.document_bytes));
        assert_eq!(read(&long).unwrap_err(), BadXml::TooLong { bytes: long.len(), max: REQUEST_CAPS.document_bytes });
        let tag = format!("<r {}/>", "x".repeat(1024 * 1024));
        Document::read(tag.as_bytes(), ANSWER_CAPS).unwrap_err();
    }

    #[test]
    fn broken_documents_are_refused() {
        for bad in [
            "",
            " ",
            "text",
            "<r>",
            "</r>",
            "<r></q>",
            "<r/><r/>",
            "<r/>text",
            "text<r/>",
            "<r>&</r>",
            "<r>&#;</r>",
            "<r>&#+65;</r>",
            "<r>&#0;</r>",
            "<r>&#xD800;</r>",
            "<r>&#x110000;</r>",
            "<r>\u{1}</r>",
            "<r>\0</r>",
            "<1/>",
            "<r<q/>",
            "<r a/>",
            "<r a=1/>",
            "<r><!-- </r>",
            "<r><![CDATA[ </r>",
            "<![CDATA[x]]><r/>",
            "&#32;<r/>",
            " <?xml version=\"1.0\"?><r/>",
            "<r/><!DOCTYPE r>",
            "<!DOCTYPE r><!DOCTYPE r><r/>",
            "<r",
        ] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
            let _answered = Document::read(&bytes, REQUEST_CAPS);
        }

        #[test]
        fn arbitrary_markup_is_answered(text in "[<>/&;#x'\"= a-c!\\[\\]?-]{0,256}") {
            let _answered = read(&text);
        }
    }
}
