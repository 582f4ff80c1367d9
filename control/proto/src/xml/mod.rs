//! The XML rules that the STA and the XML Service share.
//!
//! ```text
//! bytes ─► encoding ─► read: a bounded tree ─► sta, nfuse: typed messages ─► write ─► bytes
//!          BOM and      caps, no entities,      required once, optional       decimal
//!          declaration  DOCTYPE never used      once, unknown skipped         references
//! ```
//!
//! A `DOCTYPE` is accepted because every peer sends one, and never resolved. An internal subset must be empty
//! (`[]`, which one real server sends). Only the five predefined entities and numeric references exist.

pub mod encoding;
pub mod nfuse;
pub mod read;
pub mod sta;
pub mod words;
pub mod write;

use thiserror::Error;

/// Caps for one document. Everything that an input can size is under one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Longest document, in bytes as sent.
    pub document_bytes: usize,
    /// Most elements in it.
    pub elements: usize,
}

/// For requests that reach us, and for STA answers, which are as small.
pub const REQUEST_CAPS: Caps = Caps { document_bytes: 64 * 1024, elements: 4096 };
/// For answers of an XML Service: a farm may publish thousands of applications with icons.
pub const ANSWER_CAPS: Caps = Caps { document_bytes: 8 * 1024 * 1024, elements: 262_144 };
/// Deepest nesting, in elements.
pub const DEPTH_MAX: usize = 32;
/// Most attributes of one element.
pub const ATTRIBUTES_MAX: usize = 32;
/// Longest name of an element or attribute, in bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = 128;

/// Why bytes are not a document that we read. The sender's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadXml {
    /// Longer than [`Caps::document_bytes`].
    #[error("document has {bytes} bytes, {max} are allowed")]
    TooLong {
        /// As sent.
        bytes: usize,
        /// The cap.
        max: usize,
    },
    /// An encoding that we do not read, or one that contradicts the byte order mark.
    #[error("declared encoding is not supported or contradicts the byte order mark")]
    Encoding,
    /// A byte sequence that does not exist in the document's encoding.
    #[error("bytes are not valid in the document's encoding")]
    Bytes,
    /// A character that XML forbids, raw or as a reference.
    #[error("character that XML does not allow")]
    Character,
    /// Tags do not nest, markup is cut off, text outside the root, two roots, none.
    #[error("not well-formed near byte {offset}")]
    NotWellFormed {
        /// Where, in bytes of the document as UTF-8.
        offset: u64,
    },
    /// Declarations inside the `DOCTYPE`.
    #[error("document type declares an internal subset")]
    InternalSubset,
    /// A named entity other than the five, or a malformed reference.
    #[error("unknown entity or malformed reference")]
    Entity,
    /// Deeper than [`DEPTH_MAX`].
    #[error("nested deeper than {DEPTH_MAX}")]
    Depth,
    /// More than [`ATTRIBUTES_MAX`] on one element.
    #[error("more than {ATTRIBUTES_MAX} attributes on one element")]
    Attributes,
    /// Longer than [`NAME_BYTES_MAX`].
    #[error("name longer than {NAME_BYTES_MAX} bytes")]
    Name,
    /// More elements than [`Caps::elements`].
    #[error("too many elements")]
    Elements,
}

/// Why a well-formed document is not the message that was expected. The sender's fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadMessage {
    /// Not even XML.
    #[error(transparent)]
    Xml(#[from] BadXml),
    /// Another dialect: the root element has another name.
    #[error("root element is not {0}")]
    Root(&'static str),
    /// No request or answer that we know below the root, or more than one.
    #[error("not exactly one known message below the root")]
    NoMessage,
    /// The answer belongs to another question.
    #[error("answer is not {0}")]
    OtherAnswer(&'static str),
    /// A required element is absent.
    #[error("element {0} is missing")]
    Missing(&'static str),
    /// An element that may occur once occurs twice.
    #[error("element {0} occurs more than once")]
    Duplicate(&'static str),
    /// An element that must hold text is empty.
    #[error("element {0} is empty")]
    Empty(&'static str),
    /// An element or attribute holds a value outside its set or range.
    #[error("value of {0} is not allowed")]
    Value(&'static str),
    /// More occurrences of a repeatable element, or longer text, than its cap.
    #[error("too much of {0}")]
    TooMuch(&'static str),
}

impl BadMessage {
    /// The HTTP status for a request that broke off here, where the dialect uses one: 413 or 400.
    #[must_use]
    pub fn http_status(&self) -> u16 {
        if let Self::Xml(BadXml::TooLong { .. }) = self { 413 } else { 400 }
    }
}
