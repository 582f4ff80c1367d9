//! Images of labels: in the document, as a data URI, and nothing that is fetched or run.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

/// Longest data URI, in bytes. Half a document: a form has more to say than its image.
pub const IMAGE_URI_BYTES_MAX: usize = super::CAPS.document_bytes / 2;

/// Images that browsers draw and that hold no script. SVG does.
const MEDIA_TYPES: [&str; 3] = ["image/png", "image/jpeg", "image/gif"];

/// Why a text is no image. Whoever wrote the form is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadImage {
    /// Longer than [`IMAGE_URI_BYTES_MAX`].
    #[error("image has more than {IMAGE_URI_BYTES_MAX} bytes")]
    TooLong,
    /// A URL of something elsewhere, or another kind of data.
    #[error("image is not a Base64 data URI of image/png, image/jpeg or image/gif")]
    Kind,
    /// Not Base64.
    #[error("image is not valid Base64")]
    Base64,
}

/// A checked data URI: PNG, JPEG or GIF by its own word, in Base64.
#[derive(Clone, PartialEq, Eq)]
pub struct Image(String);

impl Image {
    /// Checks a data URI.
    ///
    /// # Errors
    /// [`BadImage`].
    pub fn parse(uri: &str) -> Result<Self, BadImage> {
        if uri.len() > IMAGE_URI_BYTES_MAX {
            return Err(BadImage::TooLong);
        }
        let (kind, data) = uri.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,")).ok_or(BadImage::Kind)?;
        if !MEDIA_TYPES.contains(&kind) {
            return Err(BadImage::Kind);
        }
        let bytes = STANDARD.decode(data).map_err(|_| BadImage::Base64)?;
        if bytes.is_empty() { Err(BadImage::Base64) } else { Ok(Self(uri.to_owned())) }
    }

    /// The data URI.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Its length: the rest is noise.
impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Image({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_small_images_in_the_document_itself_pass() {
        assert_eq!(Image::parse("data:image/png;base64,iVBORw0KGgo=").unwrap().as_str(), "data:image/png;base64,iVBORw0KGgo=");
        let long = format!("data:image/png;base64,{}", "A".repeat(IMAGE_URI_BYTES_MAX));
        for (uri, why) in [
            ("https://192.0.2.1/logo.png", BadImage::Kind),
            ("javascript:alert(1)", BadImage::Kind),
            ("data:image/svg+xml;base64,PHN2Zy8+", BadImage::Kind),
            ("data:text/html;base64,PGI+", BadImage::Kind),
            ("data:image/png,abc", BadImage::Kind),
            ("data:image/png;base64,", BadImage::Base64),
            ("data:image/png;base64,a b=", BadImage::Base64),
            ("data:image/png;base64,AAA=\" onload=\"x", BadImage::Base64),
            (&long, BadImage::TooLong),
        ] {
            assert_eq!(Image::parse(uri), Err(why), "{uri:.60}");
        }
    }
}
