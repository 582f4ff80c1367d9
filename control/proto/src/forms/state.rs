//! StateContext: what a form says about itself when it comes back.
//!
//! ```text
//!   Base64( loginschema=<factor, or "default">[&step=<token>] )        padded, as real gateways write it
//! ```
//!
//! It is no proof of anything: the cookie selects the conversation, and this tells only whether the form that came back is the
//! one that is being waited for. A script that knows nothing sends that of a first form, [`State::first`], or nothing.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::STATE_BYTES_MAX;
use crate::form::{self, Form};

/// The name that stands for the first factor.
pub const FIRST: &str = "default";

/// With or without `=` at its end.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true),
);

/// Which form it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The factor that the form belongs to; [`FIRST`] for the first one.
    pub factor: String,
    /// Tells two forms of one factor apart, and an old copy of a form from the one that was shown last.
    pub step: Option<String>,
}

impl State {
    /// Of a first form, as scripts know it.
    #[must_use]
    pub fn first() -> Self {
        Self { factor: FIRST.to_owned(), step: None }
    }

    /// Whether it is that of a first form and says nothing else.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.factor == FIRST && self.step.is_none()
    }

    /// The text for `StateContext`.
    #[must_use]
    pub fn write(&self) -> String {
        let mut fields = vec![("loginschema", self.factor.as_str())];
        fields.extend(self.step.as_deref().map(|step| ("step", step)));
        STANDARD.encode(form::encode(&fields))
    }

    /// Reads what came back. `None` for what was never ours; the rest is taken as it is meant: without padding, in the alphabet
    /// of URLs, with blanks where `+` was not escaped, surrounded by white space, with fields that we do not know.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        if text.len() > STATE_BYTES_MAX {
            return None;
        }
        let plain: String = text.trim().chars().map(standard).collect();
        let decoded = LENIENT.decode(plain).ok()?;
        let form = Form::parse(&decoded).ok()?;
        Some(Self { factor: form.text("loginschema")?.to_owned(), step: form.text("step").map(str::to_owned) })
    }
}

fn standard(c: char) -> char {
    match c {
        '-' | ' ' => '+',
        '_' => '/',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_first_form_says_what_real_ones_say() {
        assert_eq!(State::first().write(), "bG9naW5zY2hlbWE9ZGVmYXVsdA==");
        for text in [
            "bG9naW5zY2hlbWE9ZGVmYXVsdA==",
            "bG9naW5zY2hlbWE9ZGVmYXVsdA",
            "bG9naW5zY2hlbWE9ZGVmYXVsdA=",
            " bG9naW5zY2hlbWE9ZGVmYXVsdA==\r\n",
        ] {
            assert!(State::read(text).unwrap().is_first(), "{text:?}");
        }
    }

    #[test]
    fn what_was_never_ours_is_none() {
        let foreign = |text: &str| STANDARD.encode(text);
        let long = "A".repeat(STATE_BYTES_MAX + 1);
        for text in [
            "",
            "%",
            "ctx_hint",
            &foreign("x=y"),
            &foreign("loginschema="),
            &foreign("loginschema=a&loginschema=b"),
            "/w==",
            &long,
        ] {
            assert_eq!(State::read(text), None, "{text:.40}");
        }
        let more = State::read(&foreign("loginschema=a&other=1&step=7")).unwrap();
        assert_eq!(more, State { factor: "a".into(), step: Some("7".into()) });
        assert!(!more.is_first());
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(factor in "[^\0]{1,60}", step in prop::option::of("[0-9a-zA-Z+/_=&-]{1,40}")) {
            let state = State { factor, step };
            let written = state.write();
            prop_assert_eq!(State::read(&written), Some(state.clone()));
            let of_urls = written.replace('+', "-").replace('/', "_").trim_end_matches('=').to_owned();
            prop_assert_eq!(State::read(&of_urls), Some(state.clone()));
            prop_assert_eq!(State::read(&written.replace('+', " ")), Some(state));
        }

        #[test]
        fn arbitrary_text_is_answered(text in any::<String>()) {
            let _answered = State::read(&text);
        }
    }
}
